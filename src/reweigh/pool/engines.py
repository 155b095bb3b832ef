"""The second engine: the headline numbers once more, by matrix algebra, scipy root finding and statsmodels.

It shares no code with :func:`reweigh.pool.pool`: P matrices instead of sums over trials, Brent's method on the score
instead of Newton's, statsmodels' weighted least squares and scipy.stats' distributions for the inference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, stats
from scipy.sparse.linalg import LinearOperator

Array = NDArray[np.float64]

#: What is compared, and the unit in which a difference counts when the number itself is near 0.
HEADLINE = {
    **dict.fromkeys(("estimate", "se", "ci_lower", "ci_upper"), "se"), "p_value": "p",
    **dict.fromkeys(("tau2", "tau2_ci_lower", "tau2_ci_upper"), "v"), "q": "1", "i2_tau2": "1",
    **dict.fromkeys(("pi_lower", "pi_upper"), "se"),
}  # fmt: skip


#: Most trials for which P is written out.
_MATRIX = 200
#: Weight of all other trials, with that of the heaviest as 1, below which statsmodels' difference of sums loses digits.
_ALONE = 1e-7


class EngineDisagreement(ArithmeticError):  # noqa: N818
    """The two engines give different numbers for the same data."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Headline numbers of both engines and their relative differences, by name."""

    first: dict[str, float]
    second: dict[str, float]
    difference: dict[str, float]
    largest: float
    #: Name of the number with the largest difference.
    where: str


def second_engine(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    tau2_method: str = "REML",
    ci_method: str = "hartung-knapp",
    level: float = 0.95,
    pi_method: str = "hartung-knapp",
) -> dict[str, float]:
    """Headline numbers of one data set (k,), named as in :class:`reweigh.pool.Pooled`; options as in ``pool``.

    NaN where ``pool`` has none either; the bootstrap prediction interval is not computed here. Viechtbauer 2005 (matrix
    form of the estimators). Raises ValueError if there is no trial.
    """
    y, v = np.asarray(yi, dtype=np.float64), np.asarray(vi, dtype=np.float64)
    k = y.size
    if k == 0:
        raise ValueError("no trials")
    out = dict.fromkeys(HEADLINE, np.nan)
    if k == 1:
        se, z = float(np.sqrt(v[0])), stats.norm.ppf((1 + level) / 2)
        p = 2 * stats.norm.sf(abs(y[0]) / se)
        return out | {
            "estimate": float(y[0]), "se": se, "ci_lower": float(y[0] - z * se), "ci_upper": float(y[0] + z * se),
            "p_value": float(p), "q": 0.0,
        }  # fmt: skip
    tau2 = max(0.0, _tau2(tau2_method, y, v))
    out |= _mean(y, v, tau2, ci_method, level, pi_method if tau2_method != "EE" else "none")
    out |= {"tau2": tau2, "q": _q(y, v, 0.0)}
    return out if tau2_method == "EE" else out | _heterogeneity(y, v, tau2, level)


def _heterogeneity(y: Array, v: Array, tau2: float, level: float) -> dict[str, float]:
    """Q-profile limits of tau2, and I2 by tau2."""
    tail, k = (1 - level) / 2, len(y)
    low, high = (_where_q_is(y, v, float(stats.chi2.ppf(p, k - 1))) for p in (1 - tail, tail))
    i2 = 100 * tau2 / (tau2 + (k - 1) / _trace(v, 0.0))
    return {"tau2_ci_lower": low, "tau2_ci_upper": high, "i2_tau2": i2}


def compare(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    first: Mapping[str, float] | None = None,
    tolerance: float = 1e-6,
    counts: ArrayLike | None = None,
    measure: str = "",
    pooling: str = "inverse variance",
    exact: bool = True,
    rd_variance: str = "greenland-robins",
    **law: Any,
) -> Comparison:
    """Compare the two engines on one data set (k,).

    Raises EngineDisagreement if a difference exceeds the tolerance, or only one engine has a number.

    Parameters
    ----------
    first
        Numbers to check, by the names of ``HEADLINE`` (a subset will do); those of ``pool`` if not given.
    tolerance
        Largest relative difference; near 0 in units of the standard error (effects) or smallest variance (tau2).
    counts, measure, pooling, exact, rd_variance
        Events and patients (4, k) where they are pooled by Mantel-Haenszel or Peto, and how.
    law
        tau2_method, ci_method, level and pi_method, as for :func:`second_engine`.
    """
    if first is None:
        from reweigh.pool.core import pool

        first = pool(yi, vi, **law).row()
    if counts is None:
        second = second_engine(yi, vi, **law)
    else:
        second = counted(np.asarray(counts, dtype=np.float64).T, measure, pooling, exact, rd_variance, law)
    names = [n for n in HEADLINE if n in first and not (n.startswith("pi_") and law.get("pi_method") == "bootstrap")]
    units = {"se": second["se"], "p": 1e-12, "v": float(np.min(vi)), "1": 1.0}
    one = {n: float(first[n]) for n in names}
    difference = {n: _difference(one[n], second[n], units[HEADLINE[n]]) for n in names}
    where = max(difference, key=lambda n: difference[n])
    # Effects that are equal but for rounding have a Hartung-Knapp standard error of rounding alone.
    noise = np.finfo(float).eps * float(np.max(np.abs(yi)))
    rounded = {n for n in names if HEADLINE[n] == "se" and abs(one[n] - second[n]) <= noise}
    for n in sorted(set(names) - rounded, key=lambda n: -difference[n]):
        if not difference[n] <= tolerance:
            raise EngineDisagreement(
                f"{n}: {one[n]!r} by the first engine, {second[n]!r} by the second "
                f"(relative difference {difference[n]:.3g}, tolerance {tolerance:g})"
            )
    return Comparison(one, {n: second[n] for n in names}, difference, difference[where], where)


def counted(
    tables: Array, measure: str, pooling: str, exact: bool, rd_variance: str, law: Mapping[str, Any]
) -> dict[str, float]:
    """Headline numbers of two-by-two tables (k, 4: events and patients of each arm) by Mantel-Haenszel or Peto.

    Trial by trial, in the order of the definitions: Mantel and Haenszel 1959, Robins and others 1986, Greenland and
    Robins 1985, Yusuf and others 1985.
    """
    out, level = dict.fromkeys(HEADLINE, np.nan), float(law.get("level", 0.95))
    told = [
        (a, n1 - a, c, n2 - c)
        for a, n1, c, n2 in tables
        if measure == "RD" or (a + c > 0 and (measure == "RR" or a + c < n1 + n2))
    ]
    effects = [_one_table(t, measure, pooling) for t in told]
    y, v = np.array([e[0] for e in effects]), np.array([e[1] for e in effects])
    if pooling == "peto":
        mean, se = float(np.average(y, weights=1 / v)), float(np.sum(1 / v) ** -0.5)
    else:
        add = [0.0 if exact or measure == "RD" else 0.5 * (min(t) == 0) for t in told]
        if measure == "RD" and not exact:
            y = np.array([a / (a + b) - c / (c + d) for a, b, c, d in told])
        mean, se = _stratified([[x + h for x in t] for t, h in zip(told, add, strict=True)], measure, rd_variance)
    q = float(np.sum((y - mean) ** 2 / v))
    if pooling == "peto" or law["tau2_method"] == "EE":
        se = se or np.nan  # no events, or only events, in every trial: no interval or test
        half = float(stats.norm.ppf((1 + level) / 2)) * se
        p = 2 * stats.norm.sf(abs(mean) / se)
        return out | {"estimate": mean, "se": se, "ci_lower": mean - half, "ci_upper": mean + half, "p_value": float(p),
                      "tau2": 0.0, "q": q}  # fmt: skip
    tau2 = max(0.0, (q - (len(y) - 1)) / _trace(v, 0.0))
    ci_method, pi_method = (law.get(name, "hartung-knapp") for name in ("ci_method", "pi_method"))
    out |= _mean(y, v, tau2, ci_method, level, pi_method) | {"tau2": tau2, "q": q}
    return out | _heterogeneity(y, v, tau2, level)


def _one_table(t: Sequence[float], measure: str, pooling: str) -> tuple[float, float]:
    """Effect and variance of one trial; 0.5 added where a cell is empty, but nothing for Peto."""
    a, b, c, d = t
    if pooling == "peto":
        n1, n2, n = a + b, c + d, a + b + c + d
        variance = n1 * n2 * (a + c) * (b + d) / (n**2 * (n - 1))
        return float((a - n1 * (a + c) / n) / variance), float(1 / variance)
    if min(t) == 0:
        a, b, c, d = (x + 0.5 for x in t)
    n1, n2 = a + b, c + d
    if measure == "OR":
        return float(np.log(a * d / (b * c))), float(sum(1 / x for x in (a, b, c, d)))
    if measure == "RR":
        return float(np.log(a / n1 * n2 / c)), float(1 / a - 1 / n1 + 1 / c - 1 / n2)
    return float(a / n1 - c / n2), float(a * b / n1**3 + c * d / n2**3)


def _stratified(tables: Sequence[Sequence[float]], measure: str, rd_variance: str) -> tuple[float, float]:
    """Mantel-Haenszel log OR, log RR or RD of the tables, and its standard error."""
    top = bottom = first = second = third = total = 0.0
    for a, b, c, d in tables:
        n1, n2, n = a + b, c + d, a + b + c + d
        if measure == "OR":
            r, s = a * d / n, b * c / n
            first += (a + d) / n * r
            second += (a + d) / n * s + (b + c) / n * r
            third += (b + c) / n * s
        elif measure == "RR":
            r, s = a * n2 / n, c * n1 / n
            first += ((a + c) * n1 * n2 - a * c * n) / n**2
        else:
            r, s = a * n2 / n, c * n1 / n
            first += (a * b * n2**3 + c * d * n1**3) / (n1 * n2 * n**2)
            second += (c * n1**2 - a * n2**2 + n1 * n2 * (n2 - n1) / 2) / n**2
            third += (a * d + b * c) / n
            total += n1 * n2 / n
        top, bottom = top + r, bottom + s
    if measure == "OR":
        variance = first / (2 * top**2) + second / (2 * top * bottom) + third / (2 * bottom**2)
        return float(np.log(top / bottom)), float(np.sqrt(variance))
    if measure == "RR":
        return float(np.log(top / bottom)), float(np.sqrt(first / (top * bottom)))
    mean = (top - bottom) / total
    variance = mean * second + third / 2 if rd_variance == "sato" else first
    return float(mean), float(np.sqrt(variance) / total)


def _difference(one: float, other: float, unit: float) -> float:
    if np.isnan(one) or np.isnan(other):
        return 0.0 if np.isnan(one) and np.isnan(other) else np.inf
    gap = abs(one - other)
    return gap / max(abs(other), unit if unit > 0 else 0.0) if gap > 0 else 0.0


def _projection(v: Array, tau2: float) -> Array | LinearOperator:
    """P = W - W1(1'W1)^-1 1'W; not written out where it would fill the memory (200 MB for 5,000 trials)."""
    w = 1 / (v + tau2)
    if len(w) <= _MATRIX:
        return np.asarray(np.diag(w) - np.outer(w, w) / w.sum())

    def times(x: Array) -> Array:
        return np.asarray(w * x - w * (w @ x / w.sum()))

    return LinearOperator((len(w), len(w)), matvec=times, rmatvec=times, dtype=w.dtype)


def _trace(v: Array, tau2: float) -> float:
    """Trace of P."""
    w = 1 / (v + tau2)
    if len(w) > _MATRIX:
        return float(np.sum(w - w * w / w.sum()))
    # Its rows add up to 0. As a difference of weights the trace is lost where one trial has nearly all the weight.
    pairs = np.outer(w, w)
    np.fill_diagonal(pairs, 0.0)
    return float(pairs.sum() / w.sum())


def _q(y: Array, v: Array, tau2: float) -> float:
    centred = y - np.average(y, weights=1 / (v + tau2))
    return float(centred @ _projection(v, tau2) @ centred)


def _where_q_is(y: Array, v: Array, target: float) -> float:
    """tau2 >= 0 at which the generalised Q is ``target``, 0 if it never is that large."""
    if _q(y, v, 0.0) <= target or np.ptp(y) == 0:
        return 0.0
    high = float(np.min(v))
    while _q(y, v, high) > target:
        high *= 2
    return float(optimize.brentq(lambda t: _q(y, v, t) - target, 0.0, high, xtol=1e-300, rtol=1e-14, maxiter=2000))


def _tau2(method: str, y: Array, v: Array) -> float:
    k = len(y)
    centred = _projection(np.ones(k), 0.0) @ y
    if method == "EE" or np.ptp(y) == 0:
        return 0.0
    if method in ("EB", "PM"):
        return _where_q_is(y, v, k - 1.0)
    if method == "HE":
        return float((centred @ centred - np.sum(v * (1 - 1 / k))) / (k - 1))
    if method == "HS":
        return float((_q(y, v, 0.0) - k) / np.sum(1 / v))
    if method == "SJ":
        crude = float(np.var(y))
        return crude * _q(y, v, crude) / (k - 1)
    if method == "DL":
        if np.min(v) * np.sum(1 / v) < 1 + _ALONE:
            return (_q(y, v, 0.0) - (k - 1)) / _trace(v, 0.0)
        from statsmodels.stats.meta_analysis import combine_effects

        with np.errstate(invalid="ignore"):  # its tau2 is not truncated at 0, and roots are taken of it
            return float(combine_effects(y, v, method_re="dl").tau2)
    if method == "REML":
        # Likelihood of the k - 1 error contrasts without its constant; Harville 1974.
        def density(tau2: float) -> float:
            total = np.sum(1 / (v + tau2))
            return float(-np.sum(np.log(v + tau2)) - np.log(total) - _q(y, v, tau2)) / 2
    elif method == "ML":

        def density(tau2: float) -> float:
            mean = np.average(y, weights=1 / (v + tau2))
            return float(np.sum(stats.norm.logpdf(y, mean, np.sqrt(v + tau2))))
    else:
        raise ValueError(f"tau2_method {method!r} is not known")

    def score(tau2: float) -> float:
        p = _projection(v, tau2) @ centred
        return float(p @ p - (_trace(v, tau2) if method == "REML" else np.sum(1 / (v + tau2))))

    return _highest(score, density, float(np.min(v)), float(2 * centred @ centred + np.max(v)))


def _highest(score: Callable[[float], float], density: Callable[[float], float], low: float, high: float) -> float:
    """Maximum of ``density`` over [0, high]: every root of the score between points of a geometric grid, and 0."""
    grid = [0.0, *np.geomspace(low / 100, high, 200)]
    slopes = [score(t) for t in grid]
    roots = [0.0]
    for left, right, before, after in zip(grid, grid[1:], slopes, slopes[1:], strict=False):
        if before > 0 >= after:
            roots.append(float(optimize.brentq(score, left, right, xtol=1e-300, rtol=1e-14, maxiter=2000)))
    return max(roots, key=density)


def _mean(y: Array, v: Array, tau2: float, ci_method: str, level: float, pi_method: str) -> dict[str, float]:
    """Mean, standard error, interval, p and prediction interval by statsmodels' weighted least squares."""
    from statsmodels.regression.linear_model import WLS

    k = len(y)
    fit = WLS(y, np.ones(k), weights=1 / (v + tau2)).fit()
    mu, wald = float(fit.params[0]), float(np.sqrt(fit.normalized_cov_params[0, 0]))
    knapp = float(fit.bse[0]) if np.ptp(y) > 0 else np.nan
    guarded = wald * float(np.sqrt(max(1.0, fit.scale)))
    se = {"hartung-knapp": knapp, "hartung-knapp guarded": guarded}.get(ci_method, wald)
    normal = ci_method in ("wald", "profile likelihood")
    law = stats.norm() if normal else stats.t(k - 1)
    half = law.ppf((1 + level) / 2) * se
    out = {"estimate": mu, "se": se, "ci_lower": mu - half, "ci_upper": mu + half, "p_value": 2 * law.sf(abs(mu) / se)}
    if ci_method == "profile likelihood":
        out |= _profile(y, v, mu, tau2, level)
    if k >= 3 and pi_method in ("t(k-2)", "t(k-1)", "hartung-knapp"):
        df = k - 2 if pi_method == "t(k-2)" else k - 1
        own = wald
        if pi_method == "hartung-knapp":
            own = guarded if ci_method.endswith("guarded") else knapp
        half = stats.t.ppf((1 + level) / 2, df) * np.hypot(np.sqrt(tau2), own)
        out |= {"pi_lower": mu - half, "pi_upper": mu + half}
    return {name: float(value) for name, value in out.items()}


def _profile(y: Array, v: Array, mu: float, tau2: float, level: float) -> dict[str, float]:
    """Profile likelihood limits and likelihood ratio p value of the mean."""

    def likelihood(mean: float, t: float) -> float:
        return float(np.sum(stats.norm.logpdf(y, mean, np.sqrt(v + t))))

    def profiled(mean: float) -> float:
        d2 = (y - mean) ** 2
        best = _highest(
            lambda t: float(np.sum((d2 - v - t) / (v + t) ** 2)), lambda t: likelihood(mean, t), float(min(v)),
            float(2 * d2.sum() + max(v)),
        )  # fmt: skip
        return likelihood(mean, best)

    top = likelihood(mu, tau2)
    drop = stats.chi2.ppf(level, 1) / 2
    limits = []
    for sign in (-1, 1):
        far = float(np.sqrt(1 / np.sum(1 / (v + tau2))))
        while top - profiled(mu + sign * far) < drop:
            far *= 2
        limits.append(optimize.brentq(lambda m: top - profiled(m) - drop, mu, mu + sign * far, xtol=1e-12 * far))
    p = stats.chi2.sf(2 * (top - profiled(0.0)), 1)
    return {"ci_lower": limits[0], "ci_upper": limits[1], "p_value": float(p)}
