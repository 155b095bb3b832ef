"""The smallest important difference on the analysis scale, and the sign of a benefit."""

from __future__ import annotations

import math

from reweigh.measures import RATIO_MEASURES
from reweigh.protocol.model import Outcome


def important_bounds(outcome: Outcome, measure: str) -> tuple[float, float] | None:
    """Bounds around 0 of the smallest important difference of a measure, analysis scale; None where not given."""
    difference = outcome.smallest_important_difference.get(measure)  # type: ignore[call-overload]
    if difference is None:
        return None
    if isinstance(difference.value, tuple):
        low, high = difference.value
        return (math.log(low), math.log(high)) if measure in RATIO_MEASURES else (low, high)
    return -difference.value, difference.value


def benefit_sign(outcome: Outcome) -> int:
    """-1 where lower is better, 1 where higher is."""
    return -1 if outcome.better == "lower" else 1
