"""The smallest important difference of an outcome: one definition for every stage."""

from __future__ import annotations

from math import log
from typing import Annotated

from pydantic import Field

from reweigh.measures import MEASURES, RATIO_MEASURES
from reweigh.protocol.base import Closed

GRADE_RATIO = (0.75, 1.25)
"""Bounds of a ratio where the protocol gives none: GRADE guidelines 6 (Guyatt 2011), as a rough guide."""


class ImportantDifference(Closed):
    """Smallest important difference, natural scale: a distance from 0, or both bounds of a ratio."""

    value: float | tuple[float, float]
    source: Annotated[str, Field(min_length=5)]


def bounds_of(
    given: ImportantDifference | None, measure: str, ratio: tuple[float, float], factor: float
) -> tuple[float, float] | None:
    """Bounds (below, above) on the analysis scale, times `factor`; None where nothing is known.

    A ratio without bounds takes `ratio` (natural scale), but not one of continuous outcomes: GRADE's rule speaks of
    risks.
    """
    if given is None and (measure not in RATIO_MEASURES or MEASURES[measure].type == "continuous"):
        return None
    low, high = ratio if given is None else given.value if isinstance(given.value, tuple) else (None, given.value)
    return (-factor * high, factor * high) if low is None else (factor * log(low), factor * log(high))
