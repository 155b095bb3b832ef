"""Pooling: models, intervals, heterogeneity, subgroups, moderators, dependence.

Heavier to import, and so only from their modules: the Bayesian model (``reweigh.pool.bayes``, with its priors in
``reweigh.pool.priors``) and the second engine (``reweigh.pool.engines``).
"""

from reweigh.pool.binary import mantel_haenszel, peto
from reweigh.pool.core import CI_METHODS, Pooled, pool
from reweigh.pool.intervals import PI_METHODS
from reweigh.pool.multilevel import (
    Robust,
    ThreeLevel,
    aggregate,
    cluster_robust,
    shared_arm_covariance,
    three_level,
)
from reweigh.pool.regression import MetaRegression, Term, meta_regression, predict
from reweigh.pool.subgroups import Subgroups, subgroups
from reweigh.pool.tau2 import METHODS as TAU2_METHODS

__all__ = [
    "CI_METHODS",
    "PI_METHODS",
    "TAU2_METHODS",
    "MetaRegression",
    "Pooled",
    "Robust",
    "Subgroups",
    "Term",
    "ThreeLevel",
    "aggregate",
    "cluster_robust",
    "mantel_haenszel",
    "meta_regression",
    "peto",
    "pool",
    "predict",
    "shared_arm_covariance",
    "subgroups",
    "three_level",
]
