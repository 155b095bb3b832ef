"""Limits and round ticks of a forest plot's axis."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

#: How much wider than the trials need it the axis may become to show these intervals in full. The pooled interval
#: of two trials is often several times as wide as theirs: that is what it is there to say.
MOST = {("overall",): 6.0, ("prediction interval", "comparison model"): 2.0, ("study", "subgroup pooled"): 1.35}


def axis_limits(table: pd.DataFrame, *, log: bool) -> tuple[float, float]:
    """Limits on the analysis scale that show what carries the evidence; single wide intervals are clipped.

    The axis always holds the null (0 on the analysis scale). It reaches beyond the estimates by 1.25 times the
    median half-width of the trials' intervals, further where little is left to show (a third of the axis).
    """
    marks = table[table["estimate"].notna() | table["ci_lower"].notna()]
    if marks.empty:
        return (-math.log(12), math.log(12)) if log else (-1.1, 1.1)
    studies = marks[marks["kind"] == "study"]
    half = float(((studies["ci_upper"] - studies["ci_lower"]) / 2).median())
    centre = float(studies["estimate"].median())
    spread = float((studies["estimate"] - centre).abs().median())
    # A single estimate far away (a misprint, a tiny trial) is left to an arrow at the edge.
    reach = 12 * max(half, spread)
    near = studies["estimate"][(studies["estimate"] - centre).abs() <= reach]
    core = [0.0, float(near.min()), float(near.max())]
    low, high = min(core) - 1.25 * half, max(core) + 1.25 * half
    full_low = min(0.0, float(marks["ci_lower"].min()), float(marks["estimate"].min()))
    full_high = max(0.0, float(marks["ci_upper"].max()), float(marks["estimate"].max()))
    low, high = max(low, full_low), min(high, full_high)
    for kinds, most in MOST.items():
        rows = marks[marks["kind"].isin(kinds)]
        room = (most - 1) * (high - low)
        low, high = (
            min([low, *(v for v in rows["ci_lower"] if low - room <= v)]),
            max([high, *(v for v in rows["ci_upper"] if v <= high + room)]),
        )
    margin = 0.03 * (high - low)
    low, high = low - margin, high + margin
    # Both sides of the null are seen.
    return min(low, -0.1 * high), max(high, -0.1 * low)


def round_ticks(
    low: float, high: float, *, log: bool, fits: Callable[[list[float], list[str]], bool]
) -> tuple[list[float], list[str]]:
    """Ticks on the analysis scale with their labels on the natural scale; the null is always one of them.

    `fits` says whether labels at these positions stand apart; the densest set that does is taken.
    """
    for ticks, labels in _log_candidates(low, high) if log else _linear_candidates(low, high, lambda x: x):
        if fits(ticks, labels):
            return ticks, labels
    return [0.0], ["1" if log else "0"]


def _log_candidates(low: float, high: float) -> list[tuple[list[float], list[str]]]:
    decades = range(math.floor(low / math.log(10)) - 1, math.ceil(high / math.log(10)) + 1)
    found = [[(d, s) for d in decades for s in steps] for steps in ((1, 2, 5), (1, 3), (1,))]
    found += [[(d, 1) for d in decades if d % every == 0] for every in (2, 3, 4, 6, 8, 12)]
    candidates = []
    for pairs in found:
        inside = [(d, s) for d, s in pairs if low <= math.log(s) + d * math.log(10) <= high]
        ticks = [math.log(s) + d * math.log(10) for d, s in inside]
        candidates.append((ticks, [str(s * 10**d) if d >= 0 else f"{s * 10.0**d:.{-d}f}" for d, s in inside]))
    if len(candidates[0][0]) >= 3:
        return candidates
    # Less than a decade: equal steps of the ratio itself.
    return _linear_candidates(math.exp(low), math.exp(high), math.log)


def _linear_candidates(
    low: float, high: float, position: Callable[[float], float]
) -> list[tuple[list[float], list[str]]]:
    candidates = []
    magnitude = math.floor(math.log10(high - low))
    for exponent in (magnitude - 1, magnitude, magnitude + 1):
        for mantissa in (1, 2, 5):
            step = mantissa * 10.0**exponent
            numbers = np.arange(math.ceil(low / step), math.floor(high / step) + 1)
            if 2 <= len(numbers) <= 8:
                decimals = max(0, -exponent)
                values = [float(n * mantissa) * 10.0**exponent for n in numbers]
                labels = [f"{v:.{decimals}f}".replace("-", "−") for v in values]
                labels = ["0" if float(v) == 0 else t for v, t in zip(values, labels, strict=True)]
                candidates.append(([position(v) for v in values], labels))
    return candidates
