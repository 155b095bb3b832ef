"""Pooling: models, intervals, heterogeneity, subgroups, moderators, dependence."""
