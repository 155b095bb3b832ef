"""What a notebook uses: `import reweigh as rw`, then `rw.pool(yi, vi)`."""

from reweigh.effects.aggregate import aggregate
from reweigh.pool.binary import mantel_haenszel, peto
from reweigh.pool.core import Pooled, pool
from reweigh.pool.multilevel import cluster_robust, three_level
from reweigh.pool.regression import MetaRegression, Term, meta_regression, predict
from reweigh.pool.subgroups import Subgroups, subgroups

__all__ = [
    "MetaRegression",
    "Pooled",
    "Subgroups",
    "Term",
    "aggregate",
    "cluster_robust",
    "mantel_haenszel",
    "meta_regression",
    "peto",
    "pool",
    "predict",
    "subgroups",
    "three_level",
]
