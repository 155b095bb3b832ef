"""Words of the explorer: notes of its results, and what it says of a choice that cannot be made."""

from __future__ import annotations

from collections.abc import Mapping

from reweigh.text.codes import Sentence
from reweigh.text.pool import SENTENCES as POOL

#: Codes of the pooling stage about numbers that the page shows.
_POOLED = ("no_trials", "one_trial", "few_for_prediction_interval", "all_effects_equal", "not_estimable_counts",
           "no_variance", "uninformative_trials", "hartung_knapp_narrow")  # fmt: skip
SAID: Mapping[str, str] = {
    **{name: str(POOL[name]) for name in _POOLED},
    # The page prints no interval of tau2 and no H2.
    "common_effect": "common-effect model: tau2 is 0 by assumption, so it has no I2 and no prediction interval",
    "no_prediction_interval": "this model has no prediction interval",
    "only_all": (
        "this page cannot compute this model; the tables have it for all trials together, at the protocol's assumptions"
    ),
    "only_all_prediction": (
        "the bootstrap prediction interval is that of the tables, for all trials together at the protocol's assumptions"
    ),
    "not_swept": "another crossover correlation was computed for the protocol's own analysis only",
    "nothing_ticked": "no trial is ticked",
    "not_in_set": "this model is not one of these trials",
    "measure_from_counts": (
        "the protocol does not ask for this measure: its effects come from the events and patients of each trial, "
        "computed as those of the tables are"
    ),
    # A link to what the page does not have.
    "stale": "This link does not fit this page any more: {missing}. The nearest that there is stands below.",
    "stale_a": "no analysis {value}",
    "stale_set": "no set of trials {value} in this analysis",
    "stale_model": "no model {value} for this analysis",
    "stale_r": "no crossover correlation {value} in this analysis",
    "stale_without": "no trial {value} in this analysis",
}
"""What the page itself may have to say; it fills in `stale...`, for it alone knows the link."""
SENTENCES: Mapping[str, Sentence] = {**POOL, **SAID}

PREDICTIONS: Mapping[str, str] = {
    "none": "",
    "t(k-2)": "t with k − 2 df",
    "t(k-1)": "t with k − 1 df",
    "hartung-knapp": "Hartung-Knapp, t with k − 1 df",
    "bootstrap": "bootstrap",
}
"""The rules of prediction intervals."""
