"""p-values, estimates and intervals that allow for the looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from reweigh.sequential.boundaries import Boundaries, limits_of, search, spend
from reweigh.sequential.integration import REACH, root_of, states_before, tail
from reweigh.text.codes import code

#: Beyond it the tails leave the range of floating-point numbers.
_Z_MAX = 25.0
TOO_EXTREME = code("extreme_z", most=_Z_MAX)


@dataclass(frozen=True, slots=True)
class Stagewise:
    """Inference in the stage-wise order at the look where the analysis stopped (or stands now)."""

    look: int
    p_value: float
    #: Median unbiased estimate and interval of level 1 - alpha on the scale of the estimates.
    estimate: float
    ci_lower: float
    ci_upper: float
    reason: str


def repeated_p(z: float, bounds: Boundaries, look: int) -> tuple[float, str]:
    """Smallest alpha at which the boundary of this look is crossed; 1 where none is.

    Jennison and Turnbull 1984, Control Clin Trials 5:33-45 (the interval it belongs to).
    """
    size = abs(z) if bounds.sides == 2 else z
    if abs(z) > _Z_MAX:
        return np.nan, TOO_EXTREME
    t = bounds.fraction[: look + 1]

    def excess(log_alpha: float) -> float:
        cumulative = spend(t, float(np.exp(log_alpha)) / bounds.sides, bounds.spending, bounds.rho)
        critical = search(t, cumulative, bounds.sides, 1e-280, REACH + abs(z))[0][-1]
        return (critical if np.isfinite(critical) else REACH + _Z_MAX) - size

    # A boundary never lies below the quantile of all alpha spent so far, so p is at least that of one test.
    low, high = float(np.log(0.9 * bounds.sides) + special.log_ndtr(-size)), -1e-9
    if excess(high) >= 0:
        return 1.0, ""
    return float(np.exp(root_of(excess, min(low, 2 * high), high))), ""


def stagewise_inference(z: float, bounds: Boundaries, look: int, se: float) -> Stagewise:
    """p-value, median unbiased estimate and interval when looks are ordered by stage, then by Z.

    ``z`` in the direction looked for; estimate and interval as distances from no effect in that direction.

    Fairbanks and Madsen 1982, Biometrika 69:69-74; Tsiatis, Rosner and Mehta 1984, Biometrics 40:797-803.
    """
    if abs(z) > _Z_MAX:
        return Stagewise(look, np.nan, np.nan, np.nan, np.nan, TOO_EXTREME)
    # Two-sided boundaries are symmetric: a negative Z is turned over, and its results back.
    turn = -1 if bounds.sides == 2 and z < 0 else 1
    time = float(bounds.fraction[look])
    limits = [limit for limit in limits_of(bounds) if limit[0] < time] + [(time, -np.inf, turn * z)]
    states = states_before(limits, REACH + abs(z))

    def upward(drift: float) -> float:
        """P(an outcome as high or higher): crossed above before, or got here with Z at least as large."""
        return sum(float(tail(s, t, u, drift)) for s, (t, _, u) in zip(states, limits, strict=True))

    unit = se * np.sqrt(time)
    p = upward(0.0)
    p = min(1.0, 2 * min(p, 1 - p) if bounds.sides == 2 else p)
    middle, low, high = (
        turn * unit * _solve_increasing(upward, q, turn * z / np.sqrt(time), 1 / np.sqrt(time))
        for q in (0.5, bounds.tail, 1 - bounds.tail)
    )
    if bounds.sides == 1:
        high = np.inf
    return Stagewise(look, p, middle, min(low, high), max(low, high), "")


def _solve_increasing(function: Callable[[float], float], value: float, start: float, step: float) -> float:
    """Where an increasing function takes ``value``, searched outwards from ``start``."""
    low, high = start - step, start + step
    while function(low) > value:
        low, step = low - 2 * step, 2 * step
    while function(high) < value:
        high, step = high + 2 * step, 2 * step
    return root_of(lambda x: function(x) - value, low, high)
