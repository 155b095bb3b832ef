"""Dates and time points: the year of a trial, and days that a time point says in words."""

from __future__ import annotations

import re
from functools import lru_cache
from math import floor, nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DAYS = {"day": 1.0, "week": 7.0, "month": 365.25 / 12, "year": 365.0}
"""Length of a unit in days."""

_UNIT = "|".join(DAYS)
_SPOKEN = re.compile(rf"(?P<n>\d+(?:\.\d+)?) ?(?P<unit>{_UNIT})s?|(?P<of>{_UNIT}) (?P<at>\d+)")
BASELINE = ("baseline", "at baseline", "pre-treatment", "pretreatment", "before treatment")
"""Time points before treatment, as they are written."""


def years_of(table: pd.DataFrame, column: str = "year") -> NDArray[np.float64]:
    """Year of each trial: what the column `year` of studies.csv says, NaN where it says nothing.

    One meaning for every stage (orders, looks, "as of a year"): a year in a label is part of a name, not a date.
    """
    found = pd.to_numeric(table[column].replace("", None), errors="coerce")
    return found.to_numpy(dtype=np.float64, na_value=np.nan)


@lru_cache(maxsize=4096)
def spoken_days(text: str) -> float:
    """Days of a plain time point such as "4 weeks", "week 4", "3 months", "day 7", "1 year"; NaN for any other text.

    A week has 7 days, a month 365.25/12, a year 365; the whole is rounded, half up. Texts with an anchor, a range or
    a relation ("3 months after treatment", "weeks 1-2") are not read.
    """
    said = _SPOKEN.fullmatch(" ".join(text.casefold().split()))
    if said is None:
        return nan
    return float(floor(float(said["n"] or said["at"]) * DAYS[said["unit"] or said["of"]] + 0.5))
