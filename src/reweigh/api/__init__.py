"""What a notebook uses: `import reweigh as rw`, then `rw.escalc(...)`, `rw.meta(...)`, `rw.read_review(...)`.

The functions after them take and give arrays, one data set or thousands in one call.
"""

from reweigh.api.analysis import Meta, meta
from reweigh.api.results import Egger, Regression, Subgroups, TrimFill
from reweigh.api.review import Review, read_review
from reweigh.api.sizes import escalc
from reweigh.effects.aggregate import aggregate
from reweigh.pool.binary import mantel_haenszel, peto
from reweigh.pool.core import Pooled

# Not as `pool`: that is the package's name, which takes its place once it is imported.
from reweigh.pool.core import pool as pool_many
from reweigh.pool.multilevel import cluster_robust, three_level
from reweigh.pool.regression import MetaRegression, Term, meta_regression, predict

__all__ = [
    "Egger",
    "Meta",
    "MetaRegression",
    "Pooled",
    "Regression",
    "Review",
    "Subgroups",
    "Term",
    "TrimFill",
    "aggregate",
    "cluster_robust",
    "escalc",
    "mantel_haenszel",
    "meta",
    "meta_regression",
    "peto",
    "pool_many",
    "predict",
    "read_review",
    "three_level",
]
