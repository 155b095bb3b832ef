"""Tests for small-study effects: regression and rank tests of funnel plot asymmetry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reweigh.pool.regression import meta_regression
from reweigh.pool.tau2 import Floats
from reweigh.quantile import two_sided_p
from reweigh.text.codes import code

MINIMUM = 10
"""Fewest trials for a test of funnel plot asymmetry: Sterne and others 2011, BMJ 343:d4002."""
PREDICTORS = ("sei", "vi", "ni", "ninv", "sqrtni", "sqrtninv")
MODELS = ("lm", "rma")


@dataclass(frozen=True, slots=True)
class AsymmetryTest:
    """One test of funnel plot asymmetry; NaN where ``reason`` has the code of why."""

    test: str
    #: Trials that the test could use.
    k: int
    #: Slope of the small-study effect and its standard error; for the rank test Kendall's score and its.
    bias: float = np.nan
    bias_se: float = np.nan
    statistic: float = np.nan
    #: Degrees of freedom of t; infinite for the normal.
    df: float = np.nan
    p_value: float = np.nan
    #: Effect in an infinitely large trial, where the predictor falls to 0 there.
    limit: float = np.nan
    limit_se: float = np.nan
    limit_ci_lower: float = np.nan
    limit_ci_upper: float = np.nan
    reason: str = ""


def egger(yi: ArrayLike, vi: ArrayLike, *, model: str = "lm", level: float = 0.95) -> AsymmetryTest:
    """Regress effects on their standard errors: Egger and others 1997 (lm), Sterne and Egger 2005 (rma).

    ``model``: "lm", weighted least squares with multiplicative dispersion and t, or "rma", mixed-effects REML
    with z. ``yi``, ``vi`` (k,) on the analysis scale. Raises ValueError as :func:`regression_test`.
    """
    name = "Egger" if model == "lm" else "Egger (mixed effects)"
    return replace(regression_test(yi, vi, model=model, level=level), test=name)


def thompson_sharp(yi: ArrayLike, vi: ArrayLike, *, tau2_method: str = "REML", level: float = 0.95) -> AsymmetryTest:
    """Regress effects on their standard errors with additive heterogeneity, t with k - 2 degrees of freedom.

    Thompson and Sharp 1999, Statistics in Medicine 18:2693-708.
    """
    found = regression_test(yi, vi, model="rma", tau2_method=tau2_method, test="wald", level=level)
    if found.reason:
        return replace(found, test="Thompson-Sharp")
    df = found.k - 2.0
    half = float(special.stdtrit(df, (1 + level) / 2)) * found.limit_se
    return replace(
        found, test="Thompson-Sharp", df=df, p_value=_p(found.statistic, df),
        limit_ci_lower=found.limit - half, limit_ci_upper=found.limit + half,
    )  # fmt: skip


def regression_test(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    ni: ArrayLike | None = None,
    predictor: str = "sei",
    model: str = "lm",
    tau2_method: str = "REML",
    test: str = "wald",
    level: float = 0.95,
) -> AsymmetryTest:
    """Regression test of asymmetry with any of metafor's predictors: sei, vi, ni, ninv, sqrtni, sqrtninv.

    ``model``: "lm" (multiplicative dispersion) or "rma" (mixed effects by ``tau2_method``, ``test`` "wald", "t" or
    "hartung-knapp"). Raises ValueError on an unknown option, a missing ``ni``, or impossible effects.
    Sterne and Egger 2005, in Publication Bias in Meta-Analysis, chapter 6.
    """
    y, v = pair(yi, vi)
    if model not in MODELS or predictor not in PREDICTORS:
        raise ValueError(f"model {model!r} with predictor {predictor!r} is not known: {MODELS}, {PREDICTORS}")
    bad = np.flatnonzero(~np.isfinite(y) | ~np.isfinite(v) | ~(v > 0))
    if bad.size:
        raise ValueError(f"trial {bad[0]} has effect {y[bad[0]]} and variance {v[bad[0]]}: variance must be above 0")
    x = np.sqrt(v) if predictor == "sei" else v
    if predictor not in ("sei", "vi"):
        if ni is None:
            raise ValueError(f"predictor {predictor!r} needs ni")
        n = np.asarray(ni, dtype=np.float64)
        if n.shape != y.shape or not (n > 0).all():
            raise ValueError("ni must have the shape of yi and be above 0")
        x = {"ni": n, "ninv": 1 / n, "sqrtni": np.sqrt(n), "sqrtninv": 1 / np.sqrt(n)}[predictor]
    name = f"regression on {predictor} ({model})"
    if reason := _cannot(x, v):
        return _missing(name, len(y), reason)
    if model == "lm":
        found = _line(name, y, x, 1 / v, level)
    else:
        fit = meta_regression(
            y, v, {predictor: x}, tau2_method=tau2_method, test=test, level=level, minimum=None
        )  # fmt: skip
        found = AsymmetryTest(
            name, len(y), float(fit.estimate[1]), float(fit.se[1]), float(fit.statistic[1]), fit.df,
            float(fit.p_value[1]), float(fit.estimate[0]), float(fit.se[0]), float(fit.ci_lower[0]),
            float(fit.ci_upper[0]), "" if np.isfinite(fit.se[1]) else "exact_fit",
        )  # fmt: skip
    grows = predictor in ("ni", "sqrtni")
    missing = dict.fromkeys(("limit", "limit_se", "limit_ci_lower", "limit_ci_upper"), np.nan)
    return replace(found, **missing) if grows else found  # type: ignore[arg-type]


def begg(yi: ArrayLike, vi: ArrayLike, *, exact: bool = True) -> AsymmetryTest:
    """Rank correlation of standardised effects and variances: Begg and Mazumdar 1994, Biometrics 50:1088-101.

    ``statistic`` is the normal deviate of Kendall's score, its variance corrected for ties. ``exact``: p from the
    permutation distribution where there are no ties, as metafor; else from the normal deviate, as meta.
    """
    y, v = pair(yi, vi)
    k = len(y)
    if k < 3:
        return _missing("Begg", k, code("few_for_rank_test", k=k))
    w = 1 / v
    standard = (y - (w * y).sum() / w.sum()) / np.sqrt(v - 1 / w.sum())
    score = float((np.sign(standard[:, None] - standard) * np.sign(v[:, None] - v)).sum() / 2)
    ties = [np.unique(a, return_counts=True)[1].astype(np.float64) for a in (standard, v)]
    (a2, b2), (a3, b3) = ([(t * (t - 1)).sum() for t in ties], [(t * (t - 1) * (t - 2)).sum() for t in ties])
    variance = (k * (k - 1) * (2 * k + 5) - sum((t * (t - 1) * (2 * t + 5)).sum() for t in ties)) / 18
    variance += a2 * b2 / (2 * k * (k - 1)) + a3 * b3 / (9 * k * (k - 1) * (k - 2))
    if variance <= 0:
        return _missing("Begg", k, "all_tied")
    se = float(np.sqrt(variance))
    tied = any((t > 1).any() for t in ties)
    p = _p(score / se, np.inf) if tied or not exact else _kendall_p(k, score)
    return AsymmetryTest("Begg", k, score, se, score / se, np.inf, p)


def harbord(ai: ArrayLike, n1i: ArrayLike, ci: ArrayLike, n2i: ArrayLike) -> AsymmetryTest:
    """Modified Egger test on efficient scores of the log odds ratio: Harbord, Egger and Sterne 2006, equation 3.

    Counts (k,): events and totals of both arms. Trials with no or only events in both arms carry no information and
    are left out. Raises ValueError on impossible counts.
    """
    a, n1, c, n2 = _counts(ai, n1i, ci, n2i)
    total, events = n1 + n2, a + c
    use = (events > 0) & (events < total)
    a, n1, total, events, n2 = a[use], n1[use], total[use], events[use], n2[use]
    z = a - events * n1 / total
    v = n1 * n2 * events * (total - events) / (total**2 * (total - 1))
    if reason := _cannot(1 / np.sqrt(v), v):
        return _missing("Harbord", len(v), reason)
    return _without_limit(_line("Harbord", z / v, 1 / np.sqrt(v), v))


def peters(yi: ArrayLike, ai: ArrayLike, n1i: ArrayLike, ci: ArrayLike, n2i: ArrayLike) -> AsymmetryTest:
    """Regress effects on 1/N, weights events x non-events / N: Peters and others 2006, JAMA 295:676-80.

    Trials with no or only events in both arms have no weight and are left out.
    """
    a, n1, c, n2 = _counts(ai, n1i, ci, n2i)
    n, events = n1 + n2, a + c
    return _weighted("Peters", yi, 1 / n, events * (n - events) / n)


def deeks(yi: ArrayLike, n1i: ArrayLike, n2i: ArrayLike) -> AsymmetryTest:
    """Regress effects on 1/sqrt(effective sample size), weights that size: Deeks, Macaskill and Irwig 2005, section 2.

    ESS = 4 n1 n2 / (n1 + n2). Journal of Clinical Epidemiology 58:882-93.
    """
    n1, n2 = (np.asarray(n, dtype=np.float64) for n in (n1i, n2i))
    ess = 4 * n1 * n2 / (n1 + n2)
    return _weighted("Deeks", yi, 1 / np.sqrt(ess), ess)


def pustejovsky(yi: ArrayLike, vi: ArrayLike, n1i: ArrayLike, n2i: ArrayLike) -> AsymmetryTest:
    """Regress standardised mean differences on sqrt(1/n1 + 1/n2), weights 1/vi: Pustejovsky and Rodgers 2019.

    The usual standard error of an SMD contains the SMD itself; this predictor does not. Research Synthesis Methods
    10:57-71.
    """
    n1, n2 = (np.asarray(n, dtype=np.float64) for n in (n1i, n2i))
    return _weighted("Pustejovsky-Rodgers", yi, np.sqrt(1 / n1 + 1 / n2), 1 / np.asarray(vi, dtype=np.float64))


def pair(yi: ArrayLike, vi: ArrayLike) -> tuple[Floats, Floats]:
    """Effects and variances as arrays (k,). Raises ValueError on other shapes."""
    y, v = np.asarray(yi, dtype=np.float64), np.asarray(vi, dtype=np.float64)
    if y.ndim != 1 or y.shape != v.shape:
        raise ValueError(f"yi and vi must both have shape (k,), not {y.shape} and {v.shape}")
    return y, v


def _weighted(name: str, yi: ArrayLike, x: Floats, w: Floats) -> AsymmetryTest:
    y = np.asarray(yi, dtype=np.float64)
    if y.shape != x.shape:
        raise ValueError(f"yi {y.shape} and the group sizes {x.shape} differ in shape")
    use = (w > 0) & np.isfinite(y) & np.isfinite(x)
    if reason := _cannot(x[use], 1 / w[use]):
        return _missing(name, int(use.sum()), reason)
    return _without_limit(_line(name, y[use], x[use], w[use]))


def _without_limit(found: AsymmetryTest) -> AsymmetryTest:
    return replace(found, limit=np.nan, limit_se=np.nan, limit_ci_lower=np.nan, limit_ci_upper=np.nan)


class Line(NamedTuple):
    """Weighted least squares of y on x: the line, its residual sum of squares (0 where it fits exactly) and x."""

    intercept: float
    slope: float
    rss: float
    #: Weighted mean and sum of squares of x.
    middle: float
    sxx: float


def fit_line(y: Floats, x: Floats, w: Floats) -> Line:
    """Weighted least squares of ``y`` on ``x``, all (k,)."""
    middle = (w * x).sum() / w.sum()
    centred = x - middle
    sxx = (w * centred * centred).sum()
    slope = (w * centred * y).sum() / sxx
    mean = (w * y).sum() / w.sum()
    residual = y - mean - slope * centred
    rss = (w * residual * residual).sum()
    exact = rss <= 1e-24 * (w * y * y).sum()
    return Line(float(mean - slope * middle), float(slope), 0.0 if exact else float(rss), float(middle), float(sxx))


def _line(name: str, y: Floats, x: Floats, w: Floats, level: float = 0.95) -> AsymmetryTest:
    """Weighted least squares of y on x with an estimated dispersion, t with k - 2 degrees of freedom."""
    k, df = len(y), len(y) - 2.0
    line = fit_line(y, x, w)
    if line.rss == 0:
        return _missing(name, k, "exact_fit")
    dispersion = line.rss / df
    se, limit_se = np.sqrt(dispersion / line.sxx), np.sqrt(dispersion * (1 / w.sum() + line.middle**2 / line.sxx))
    half = special.stdtrit(df, (1 + level) / 2) * limit_se
    return AsymmetryTest(
        name, k, line.slope, float(se), float(line.slope / se), df, _p(line.slope / se, df),
        line.intercept, float(limit_se), float(line.intercept - half), float(line.intercept + half), "",
    )  # fmt: skip


def _cannot(x: Floats, v: Floats) -> str:
    if len(x) < 3:
        return code("few_for_regression", k=len(x))
    if np.ptp(x) <= 1e-10 * np.abs(x).max():
        return "same_predictor"
    return ""


def _missing(name: str, k: int, reason: str) -> AsymmetryTest:
    return AsymmetryTest(name, k, reason=reason)


def _p(statistic: float, df: float) -> float:
    return float(two_sided_p(np.array([statistic]), np.array([df]))[0])


def _kendall_p(k: int, score: float) -> float:
    """Exact two-sided p of Kendall's score without ties: Kendall 1970, Rank Correlation Methods, section 5.2."""
    density = np.ones(1)
    for i in range(2, k + 1):
        density = np.convolve(density, np.full(i, 1 / i))
    pairs = k * (k - 1) // 2
    discordant = round((pairs - abs(score)) / 2)
    return min(1.0, 2 * float(density[: discordant + 1].sum()))


def _counts(ai: ArrayLike, n1i: ArrayLike, ci: ArrayLike, n2i: ArrayLike) -> Sequence[NDArray[np.float64]]:
    a, n1, c, n2 = (np.asarray(x, dtype=np.float64) for x in (ai, n1i, ci, n2i))
    bad = np.flatnonzero(~((a >= 0) & (a <= n1) & (c >= 0) & (c <= n2) & (n1 > 0) & (n2 > 0)))
    if bad.size:
        i = int(bad[0])
        raise ValueError(f"trial {i} has {a[i]} of {n1[i]} and {c[i]} of {n2[i]} events: impossible")
    return a, n1, c, n2
