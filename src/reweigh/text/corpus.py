"""Words of the codes of corpus.csv."""

from __future__ import annotations

from collections.abc import Mapping

AGREEMENT: Mapping[str, tuple[str, bool]] = {
    "agrees": ("weights and estimate come back", True),
    "estimate_differs": ("the weights come back, the estimate does not", True),
    "weights_differ": ("the rows come back, the weights do not", True),
    "rows_differ": ("a row's own result is another one here", True),
    "rows_left_out": ("RevMan pooled a row that is not pooled here", True),
    "not_pooled": ("the model cannot pool these rows here", True),
    "no_weights": ("RevMan printed no weights: totals were switched off", False),
    "weights_of_no_pool": ("the weights sum to 100 neither in all nor in a subgroup", False),
    "nothing_printed": ("no results of rows were printed", False),
}
"""What became of RevMan's weights, and whether they sum to 100."""

CHANGES: Mapping[str, str] = {
    "none": "says the same",
    "lost": "no longer excludes no effect",
    "gained": "now excludes no effect",
    "turned": "now says the opposite",
}

_STATES = ("important", "unclear", "unimportant")
IMPORTANT_CHANGES: Mapping[str, str] = {"none": "says the same"} | {
    f"{a} to {b}": f"{a}, now {b}" for a in _STATES for b in _STATES if a != b
}

ROWS: Mapping[str, str] = {
    "row_interval_differs": "the estimate comes back, the interval does not",
    "row_estimate_differs": "the interval comes back, the estimate does not",
    "row_differs": "neither comes back",
    "row_left_out": "the row has no effect of its own here",
}
"""Why a printed result of a row did not come back."""

REASONS: Mapping[str, str] = {
    "no_current_model": "the protocol has no model of current practice (REML, Hartung-Knapp)",
    "nothing_estimable": "none of its trials can be pooled: not_pooled.csv says why",
}
