"""Limits and round ticks of a forest plot's axis."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pandas as pd

from reweigh.measures import analysed, natural

#: How much wider than the trials need it the axis may become to show an interval in full; others leave it by an arrow.
MOST = 1.35
DECADE = math.log(10)
_POWERS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Ticks = tuple[list[float], list[str]]


def axis_limits(table: pd.DataFrame, *, scale: str, null: bool = True) -> tuple[float, float]:
    """Limits on the analysis scale that the trials (kind "study") set; what is wider is left to arrows.

    The axis holds the null (0 on the analysis scale) where the measure has one. It reaches beyond the estimates by 1.25
    times the median half-width of the trials' intervals, and further where little is left to show in full, of a trial,
    a diamond or a prediction interval. Estimates and limits that are not finite count for nothing.
    """
    marks = table[["estimate", "ci_lower", "ci_upper"]].to_numpy(dtype=float)
    marks = np.where(np.isfinite(marks), marks, np.nan)
    studies = marks[(table["kind"] == "study").to_numpy()]
    estimates = studies[np.isfinite(studies[:, 0]), 0]
    if not estimates.size or not np.nan_to_num(studies).any():  # nothing, or no effect without any interval
        return (-math.log(12), math.log(12)) if scale == "log" else (-1.1, 1.1)
    halves = (studies[:, 2] - studies[:, 1]) / 2
    half = float(np.median(halves[np.isfinite(halves)])) if np.isfinite(halves).any() else math.nan
    centre = float(np.median(estimates))
    spread = float(np.median(np.abs(estimates - centre)))
    # Without any interval: as far as the estimates are from each other or from the null.
    half = half if half > 0 else max(spread, abs(centre)) or 1.0
    # A single estimate far away (a misprint, a tiny trial) is left to an arrow at the edge.
    near = estimates[np.abs(estimates - centre) <= 12 * max(half, spread)]
    ends = float(np.nanmin(studies)), float(np.nanmax(studies))
    inside = [0.0] if null else [float(near.min())]
    low = max(min(*inside, float(near.min())) - 1.25 * half, min(*inside, ends[0]))
    high = min(max(*inside, float(near.max())) + 1.25 * half, max(*inside, ends[1]))
    room = (MOST - 1) * (high - low)
    low, high = (
        min([low, *(v for v in marks[:, 1].tolist() if low - room <= v)]),
        max([high, *(v for v in marks[:, 2].tolist() if v <= high + room)]),
    )
    if not low < high:  # all estimates are one, without an interval, and there is no null to reach to
        low, high = low - max(half, 1e-3 * abs(low)), high + max(half, 1e-3 * abs(low))
    margin = 0.03 * (high - low)
    low, high = low - margin, high + margin
    if not null:
        return low, high
    # Both sides of the null are seen; on a ratio's axis each with a tick, where there are decades to fill.
    low, high = min(low, -0.1 * high), max(high, -0.1 * low)
    if scale == "log" and high - low > DECADE:
        low, high = min(low, -1.02 * math.log(2)), max(high, 1.02 * math.log(2))
    return low, high


def round_ticks(low: float, high: float, *, scale: str, fits: Callable[[list[float], list[str]], bool]) -> Ticks:
    """Ticks on the analysis scale with their labels on the natural scale; a null that the axis holds is one of them.

    `fits` says whether labels at these positions stand apart; the densest set that does is taken. On a ratio's axis a
    side of the null that this leaves without a tick gets 0.5 or 2, or what is nearest to them and fits.
    """
    if scale == "log":
        candidates = _log_candidates(low, high)
    elif scale == "natural":
        candidates = _linear_candidates(low, high, lambda x: x)
    else:
        candidates = _bounded_candidates(low, high, scale)
    for ticks, labels in candidates:
        if fits(ticks, labels):
            return _both_sides(ticks, labels, low, high, fits) if scale == "log" else (ticks, labels)
    at = 0.0 if low <= 0 <= high else (low + high) / 2
    return [at], [f"{float(natural(at, scale)):.2g}".replace("-", "\N{MINUS SIGN}")]


def _bounded_candidates(low: float, high: float, scale: str) -> list[Ticks]:
    """Equal steps of a correlation or a proportion, then ever fewer numbers that lie closer towards its ends."""
    ends = natural([low, high], scale)
    candidates: list[Ticks] = []
    if ends[0] < ends[1]:  # a computer cannot tell proportions apart that are close to 1
        candidates = _linear_candidates(float(ends[0]), float(ends[1]), lambda x: float(analysed(x, scale)))
    candidates = [one for one in candidates if np.isfinite(one[0]).all()]
    near = [f"0.{'0' * zeros}{digit}" for zeros in (5, 4, 3, 2, 1) for digit in (1, 5)] + ["0.1", "0.2", "0.3"]
    if scale == "z":
        tops = ["0.3", "0.6", "0.8", "0.9", "0.95", "0.99", "0.999"]
        every = [*(f"-{t}" for t in reversed(tops)), "0", *tops]
    else:
        every = [*near, "0.5", *(f"{1 - float(t):.{len(t) - 2}f}" for t in reversed(near))]
    inside = [(float(analysed(float(text), scale)), text.replace("-", "\N{MINUS SIGN}")) for text in every]
    inside = [(at, text) for at, text in inside if low <= at <= high]
    middle = min(range(len(inside)), key=lambda i: abs(inside[i][0] - max(low, min(high, 0.0))), default=0)
    for step in range(1, len(inside)):
        some = [pair for i, pair in enumerate(inside) if (i - middle) % step == 0]
        candidates.append(([at for at, _ in some], [text for _, text in some]))
    # Equal steps come first, but where the axis bends so much that they leave half of it without a tick.
    return sorted(candidates, key=lambda one: max(b - a for a, b in pairwise([low, *one[0], high])) > (high - low) / 2)


def _both_sides(
    ticks: list[float], labels: list[str], low: float, high: float, fits: Callable[[list[float], list[str]], bool]
) -> Ticks:
    for side, ratios in ((-1, ("0.5", "0.2", "0.1", "0.8", "0.9")), (1, ("2", "5", "10", "1.2", "1.1"))):
        if any(side * tick > 1e-9 for tick in ticks):
            continue
        for text in ratios:
            at = math.log(float(text))
            more = sorted([*zip(ticks, labels, strict=True), (at, text)])
            found = [x for x, _ in more], [label for _, label in more]
            if low <= at <= high and fits(*found):
                ticks, labels = found
                break
    return ticks, labels


def _log_candidates(low: float, high: float) -> list[Ticks]:
    decades = range(math.floor(low / DECADE) - 1, math.ceil(high / DECADE) + 1)
    found = [[(d, s) for d in decades for s in steps] for steps in ((1, 2, 5), (1, 3), (1,))]
    found += [[(d, 1) for d in decades if d % every == 0] for every in (2, 3, 4, 6, 8, 12)]
    candidates = []
    # Beyond a million and below a ten-thousandth nobody counts the zeros.
    powers = high > 6 * DECADE or low < -4 * DECADE
    for pairs in found:
        inside = [(d, s) for d, s in pairs if low <= math.log(s) + d * DECADE <= high]
        candidates.append(([math.log(s) + d * DECADE for d, s in inside], [_ratio(d, s, powers) for d, s in inside]))
    if len(candidates[0][0]) >= 3:
        return candidates
    # Less than a decade: equal steps of the ratio itself, where a computer can tell its ends apart.
    if math.exp(low) == math.exp(high):
        return candidates
    return _linear_candidates(math.exp(low), math.exp(high), math.log)


def _ratio(decade: int, step: int, powers: bool) -> str:
    if powers and not -2 <= decade <= 2:
        return ("" if step == 1 else f"{step}×") + "10" + str(decade).translate(_POWERS)
    return str(step * 10**decade) if decade >= 0 else f"{step * 10.0**decade:.{-decade}f}"


def _linear_candidates(low: float, high: float, position: Callable[[float], float]) -> list[Ticks]:
    candidates = []
    magnitude = math.floor(math.log10(high - low))
    for exponent in (magnitude - 1, magnitude, magnitude + 1):
        for mantissa in (1.0, 2.0, 2.5, 5.0):
            step = mantissa * 10.0**exponent
            numbers = np.arange(math.ceil(low / step), math.floor(high / step) + 1)
            if 2 <= len(numbers) <= 8:
                decimals = max(0, (mantissa == 2.5) - exponent)
                values = [float(n * mantissa) * 10.0**exponent for n in numbers]
                labels = [f"{v:.{decimals}f}".replace("-", "−") for v in values]
                labels = ["0" if float(v) == 0 else t for v, t in zip(values, labels, strict=True)]
                candidates.append(([position(v) for v in values], labels))
    return candidates
