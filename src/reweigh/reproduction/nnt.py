"""Numbers needed to treat by every plausible method, from the counts of the trials."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweigh.pool.binary import mantel_haenszel
from reweigh.pool.core import pool
from reweigh.quantile import z_critical

Floats = NDArray[np.float64]
Three = tuple[float, float, float]
CRUDE = "crude table, Wald"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to a number needed to treat: `pooling` is "" where the trials are added up, `of` the pooled measure."""

    name: str
    pooling: str = ""
    tau2: str = ""
    ci: str = ""
    of: str = "RD"


def nnt_methods(a: ArrayLike, n1: ArrayLike, c: ArrayLike, n2: ArrayLike, level: float = 0.95) -> dict[Way, Three]:
    """Number needed to treat with its CI by each way, from events and patients of shape (k,).

    Each is 1/|risk difference| with the interval's limits inverted (Cook and Sackett 1995, BMJ 310:452-4); where the
    interval of the risk difference holds 0, the limits are missing (NaN). Raises ValueError on impossible counts.
    """
    x1, m1, x2, m2 = (np.asarray(x, dtype=np.float64) for x in (a, n1, c, n2))
    return {way: _invert(*limits) for way, limits in _differences(x1, m1, x2, m2, level)}


def crude_wald(a: Floats, n1: Floats, c: Floats, n2: Floats, level: float = 0.95) -> Three:
    """Number needed to treat of the table that adds up all trials, with Wald's CI; counts of shape (k,)."""
    return _invert(*_crude(float(a.sum()), float(n1.sum()), float(c.sum()), float(n2.sum()), level))


def _crude(a: float, n1: float, c: float, n2: float, level: float) -> Three:
    p, r, z = a / n1, c / n2, float(z_critical(level))
    half = z * float(np.sqrt(p * (1 - p) / n1 + r * (1 - r) / n2))
    return p - r, p - r - half, p - r + half


def _invert(estimate: float, lower: float, upper: float) -> Three:
    if estimate == 0 or np.isnan(estimate):
        return np.nan, np.nan, np.nan
    if not lower * upper > 0:
        return 1 / abs(estimate), np.nan, np.nan
    low, high = sorted((1 / abs(lower), 1 / abs(upper)))
    return 1 / abs(estimate), low, high


def _differences(a: Floats, n1: Floats, c: Floats, n2: Floats, level: float) -> Iterator[tuple[Way, Three]]:
    z = float(z_critical(level))
    A, N1, C, N2 = (float(x.sum()) for x in (a, n1, c, n2))
    p, r = A / N1, C / N2
    d = p - r

    def wald(estimate: float, se: float) -> Three:
        return estimate, estimate - z * se, estimate + z * se

    yield Way(CRUDE), _crude(A, N1, C, N2, level)
    both = (A + C) / (N1 + N2)
    yield Way("crude table, pooled variance"), wald(d, float(np.sqrt(both * (1 - both) * (1 / N1 + 1 / N2))))
    yield Way("crude table, Newcombe"), _newcombe(A, N1, C, N2, z)
    p1, p2 = (A + 1) / (N1 + 2), (C + 1) / (N2 + 2)
    _, low, high = wald(p1 - p2, float(np.sqrt(p1 * (1 - p1) / (N1 + 2) + p2 * (1 - p2) / (N2 + 2))))
    yield Way("crude table, Agresti-Caffo"), (d, low, high)
    for variance in ("greenland-robins", "sato"):
        row = mantel_haenszel(a, n1, c, n2, measure="RD", rd_variance=variance, level=level).row()
        yield Way(f"Mantel-Haenszel risk difference ({variance})", "mantel-haenszel", "EE", "wald"), _three(row)
    for t, y, v in _risk_differences(a, n1, c, n2):
        for tau2 in ("EE", "DL", "REML"):
            for ci in ("wald", "hartung-knapp") if tau2 != "EE" else ("wald",):
                row = pool(y, v, tau2_method=tau2, ci_method=ci, level=level).row()
                name = f"inverse-variance risk difference, {tau2}, {ci}{t}"
                yield Way(name, "inverse variance", tau2, ci), _three(row)
    trials = a / n1 - c / n2
    share = (n1 + n2) / (N1 + N2)
    variance_of = (a / n1) * (1 - a / n1) / n1 + (c / n2) * (1 - c / n2) / n2
    yield (
        Way("risk difference weighted by patients"),
        wald(float((share * trials).sum()), float(np.sqrt((share**2 * variance_of).sum()))),
    )
    for name, risk in (("pooled", r), ("mean", float((c / n2).mean())), ("median", float(np.median(c / n2)))):
        for tau2 in ("EE", "DL", "REML"):
            log_rr = _log_rr(a, n1, c, n2)
            row = pool(*log_rr, tau2_method=tau2, ci_method="wald", level=level).row()
            way = f"relative benefit ({tau2}, Wald) at the {name} control rate"
            yield Way(way, "inverse variance", tau2, "wald", "RR"), _at_risk(_three(row), risk)
        row = mantel_haenszel(a, n1, c, n2, measure="RR", level=level).row()
        way = f"relative benefit (Mantel-Haenszel) at the {name} control rate"
        yield Way(way, "mantel-haenszel", "EE", "wald", "RR"), _at_risk(_three(row), risk)


def _three(row: dict[str, float]) -> Three:
    return float(row["estimate"]), float(row["ci_lower"]), float(row["ci_upper"])


def _at_risk(log_ratio: Three, risk: float) -> Three:
    estimate, low, high = (risk * (float(np.exp(x)) - 1) for x in log_ratio)
    return estimate, low, high


def _corrected(a: Floats, n1: Floats, c: Floats, n2: Floats, add: float) -> tuple[Floats, Floats, Floats, Floats]:
    needed = (a == 0) | (c == 0) | (a == n1) | (c == n2)
    half = np.where(needed, add, 0.0)
    return a + half, n1 + 2 * half, c + half, n2 + 2 * half


def _risk_differences(a: Floats, n1: Floats, c: Floats, n2: Floats) -> Iterator[tuple[str, Floats, Floats]]:
    for add, words in ((0.0, ""), (0.5, ", 0.5 added to empty cells")):
        x1, m1, x2, m2 = _corrected(a, n1, c, n2, add)
        p, r = x1 / m1, x2 / m2
        v = p * (1 - p) / m1 + r * (1 - r) / m2
        if (v > 0).all():
            yield words, p - r, v


def _log_rr(a: Floats, n1: Floats, c: Floats, n2: Floats) -> tuple[Floats, Floats]:
    told = a + c > 0
    x1, m1, x2, m2 = (x[told] for x in _corrected(a, n1, c, n2, 0.5))
    v = 1 / x1 - 1 / m1 + 1 / x2 - 1 / m2
    return np.log(x1 / m1) - np.log(x2 / m2), np.maximum(v, 1e-12)


def _wilson(x: float, n: float, z: float) -> tuple[float, float]:
    p = x / n
    centre, spread = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return float((centre - spread) / (1 + z * z / n)), float((centre + spread) / (1 + z * z / n))


def _newcombe(a: float, n1: float, c: float, n2: float, z: float) -> Three:
    """Newcombe 1998, Stat Med 17:873-90, method 10."""
    (l1, u1), (l2, u2), p, r = _wilson(a, n1, z), _wilson(c, n2, z), a / n1, c / n2
    d = p - r
    return d, d - float(np.hypot(p - l1, u2 - r)), d + float(np.hypot(u1 - p, r - l2))
