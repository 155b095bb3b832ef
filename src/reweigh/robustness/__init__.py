"""How fragile a pooled estimate is: every removal, small-study effects, every defensible analysis, as of a year.

The functions take effects and variances; `tables` turns effects.csv into the tables of a review, `figures` draws them.
"""

from reweigh.robustness.adjusted import fail_safe_n, limit_meta, pet_peese, selection_model, trim_and_fill
from reweigh.robustness.as_of import as_of, restrict
from reweigh.robustness.conclusions import conclusion_sentences
from reweigh.robustness.removal import by_precision, cumulative, influence, leave_one_out
from reweigh.robustness.small_study import (
    begg,
    deeks,
    egger,
    harbord,
    peters,
    pustejovsky,
    regression_test,
    thompson_sharp,
)
from reweigh.robustness.subsets import all_subsets, fragility, pack, split, unpack

__all__ = [
    "all_subsets",
    "as_of",
    "begg",
    "by_precision",
    "conclusion_sentences",
    "cumulative",
    "deeks",
    "egger",
    "fail_safe_n",
    "fragility",
    "harbord",
    "influence",
    "leave_one_out",
    "limit_meta",
    "pack",
    "pet_peese",
    "peters",
    "pustejovsky",
    "regression_test",
    "restrict",
    "selection_model",
    "split",
    "thompson_sharp",
    "trim_and_fill",
    "unpack",
]
