"""Pooling: models, intervals, heterogeneity, subgroups."""

from reweigh.pool.core import CI_METHODS, Pooled, pool
from reweigh.pool.intervals import PI_METHODS
from reweigh.pool.subgroups import Subgroups, subgroups
from reweigh.pool.tau2 import METHODS as TAU2_METHODS

__all__ = ["CI_METHODS", "PI_METHODS", "TAU2_METHODS", "Pooled", "Subgroups", "pool", "subgroups"]
