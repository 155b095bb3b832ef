"""Intervals around pooled results: tau2, I2 and H2, prediction, profile likelihood for the mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from reweigh.pool.tau2 import MEAN_KNOWN, Floats, Ints, log_likelihood, maximise, solve_q, weight_apart
from reweigh.quantile import t_critical, two_sided_p, z_critical

PI_METHODS = ("t(k-2)", "t(k-1)", "hartung-knapp", "bootstrap")
_MAX_STEPS = 100


def distinct(values: NDArray[Any]) -> tuple[NDArray[Any], Ints]:
    """The distinct values of an array (D,), and which of them each is; a single one needs no sorting."""
    if values.size == 1:
        return values, np.zeros(1, dtype=np.intp)
    return np.unique(values, return_inverse=True)


def t_quantile(df: Floats, level: float) -> Floats:
    """`reweigh.quantile.t_critical` of many df, each distinct one once: subsets come by the thousand."""
    values, where = distinct(df)
    return np.asarray(t_critical(values, level)[where])


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Tested coefficients of a model; arrays (p,), scale of the effects; ``df`` is infinite for a normal test."""

    level: float
    estimate: Floats
    se: Floats
    ci_lower: Floats
    ci_upper: Floats
    statistic: Floats
    df: Any
    p_value: Floats


def tested(estimate: Floats, se: Floats, df: Any, level: float) -> dict[str, Any]:
    """The fields of `Coefficients`."""
    half, statistic = t_critical(df, level) * se, estimate / se
    found = {"estimate": estimate, "se": se, "ci_lower": estimate - half, "ci_upper": estimate + half}
    return found | {"level": level, "statistic": statistic, "df": df, "p_value": two_sided_p(statistic, df)}


def q_profile(y: Floats, v: Floats, k: Ints, q: Floats, level: float) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Q-profile interval of tau2, not capped, and whether it is empty (both limits are then 0); ``q`` is that at 0.

    Viechtbauer 2007, Statistics in Medicine 26:37-52.
    """
    sizes, where = distinct(np.maximum(k - 1, 1))
    tail = (1 - level) / 2
    high_q, low_q = special.chdtri(sizes, np.array([[tail], [1 - tail]]))[:, where]
    lower = solve_q(y, v, high_q).tau2
    upper = solve_q(y, v, low_q, start=lower).tau2
    return lower, upper, q < low_q


def higgins_thompson(q: Floats, k: Ints, level: float) -> tuple[Floats, Floats]:
    """Test-based interval of H2 = max(1, Q/(k-1)), not below 1; missing for k = 2 with Q <= 2.

    The interval stands around H = 1 where Q is below its degrees of freedom, as in R's meta (8.3-0).

    Higgins and Thompson 2002, Statistics in Medicine 21:1539-58, section 4 and appendix A2.
    """
    df = (k - 1).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = (np.log(q) - np.log(df)) / (np.sqrt(2 * q) - np.sqrt(2 * df - 1)) / 2
        within = np.sqrt(1 / (2 * (df - 1)) * (1 - 1 / (3 * (df - 1) ** 2)))
        se = np.where(q > k, beyond, np.where(k > 2, within, np.nan))
        h, half = np.sqrt(np.maximum(q / df, 1.0)), z_critical(level) * se
        lower, upper = np.maximum(h * np.exp(np.array([-half, half])), 1.0) ** 2
    return lower, upper


def typical_variance(v: Floats, k: Ints) -> Floats:
    """Typical sampling variance: Higgins and Thompson 2002, equation 9."""
    return np.asarray((k - 1) / weight_apart(1.0 / v))


def profile_mean(
    y: Floats, v: Floats, mu: Floats, tau2: Floats, null: Floats, level: float
) -> tuple[Floats, Floats, Floats]:
    """Profile likelihood interval of the mean and the signed root of the likelihood ratio at ``null`` (D,).

    ``mu``, ``tau2``: the ML estimates. Hardy and Thompson 1996, Statistics in Medicine 15:619-29.
    """
    z = z_critical(level)
    top = log_likelihood(y, v, tau2, "ML")
    se = 1 / np.sqrt((1.0 / (v + tau2[:, None])).sum(axis=1))
    limits = []
    for sign in (-1.0, 1.0):
        inner, outer, at = mu.copy(), np.full_like(mu, sign * np.inf), mu + sign * z * se
        for _ in range(_MAX_STEPS):
            root, slope = _profile_root(y, v, top, at)
            short = root < z
            inner, outer = np.where(short, at, inner), np.where(short, outer, at)
            with np.errstate(divide="ignore", invalid="ignore"):
                new = at + (z - root) / slope
            between = sign * (new - inner) > 0
            between &= sign * (outer - new) > 0
            fallback = np.where(np.isinf(outer), mu + 2 * (inner - mu), (inner + outer) / 2)
            new = np.where(between, new, fallback)
            step, at = np.abs(new - at), new
            if np.all(step <= 1e-14 * se):
                break
        limits.append(at)
    root, _ = _profile_root(y, v, top, null)
    return limits[0], limits[1], np.sign(mu - null) * root


def _profile_root(y: Floats, v: Floats, top: Floats, mu: Floats) -> tuple[Floats, Floats]:
    """Root of the likelihood ratio statistic of the mean ``mu`` with tau2 maximised out, and its slope in mu."""
    r = np.where(np.isfinite(v), y - mu[:, None], 0.0)
    tau2 = maximise(r, v, MEAN_KNOWN).tau2
    root = np.sqrt(np.maximum(2 * (top - log_likelihood(r, v, tau2, MEAN_KNOWN)), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        return root, -(r / (v + tau2[:, None])).sum(axis=1) / root
