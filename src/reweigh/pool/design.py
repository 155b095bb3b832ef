"""tau2 and weighted least squares with a design matrix, over B data sets of one shape at once.

Arrays are ``y`` and ``v`` (B, k) and ``x`` (B, k, p), columns orthonormal, the smallest variance near 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import special

from reweigh.pool.tau2 import Fit, Floats, at_zero, climb, fall_to


class Wls(NamedTuple):
    """Weighted least squares at given tau2 (...): weights, coefficients, their covariance, residuals."""

    w: Floats
    beta: Floats
    cov: Floats
    r: Floats


def wls(y: Floats, v: Floats, x: Floats, tau2: Floats) -> Wls:
    """Weights 1/(v + tau2); all leading axes broadcast."""
    w = 1.0 / (v + tau2[..., None])
    xw = np.swapaxes(x * w[..., None], -1, -2)
    cov = np.asarray(np.linalg.inv(xw @ x), dtype=np.float64)
    beta = (cov @ (xw @ y[..., None]))[..., 0]
    return Wls(w, beta, cov, y - (x @ beta[..., None])[..., 0])


def _moments(y: Floats, v: Floats, x: Floats, tau2: Floats) -> tuple[Wls, Floats, Floats, Floats]:
    """Fit, y'PPy, tr W or tr P's second part, and M = cov X'W2X."""
    fit = wls(y, v, x, tau2)
    w2 = fit.w * fit.w
    m = fit.cov @ (np.swapaxes(x * w2[..., None], -1, -2) @ x)
    return fit, (w2 * fit.r * fit.r).sum(axis=-1), w2, m


def score(y: Floats, v: Floats, x: Floats, tau2: Floats, reml: bool) -> tuple[Floats, Floats]:
    """First and second derivative in tau2 of the profiled (restricted) log-likelihood; Harville 1977, section 5."""
    fit, ppy, w2, m = _moments(y, v, x, tau2)
    w, r = fit.w, fit.r
    xw2r = (np.swapaxes(x, -1, -2) @ (w2 * r)[..., None])[..., 0]
    pppy = (w * w2 * r * r).sum(axis=-1) - (xw2r * (fit.cov @ xw2r[..., None])[..., 0]).sum(axis=-1)
    trace, trace2 = w.sum(axis=-1), w2.sum(axis=-1)
    if reml:
        x3x = np.swapaxes(x * (w * w2)[..., None], -1, -2) @ x
        trace = trace - np.trace(m, axis1=-2, axis2=-1)
        trace2 = trace2 - 2 * np.trace(fit.cov @ x3x, axis1=-2, axis2=-1) + np.trace(m @ m, axis1=-2, axis2=-1)
    return (ppy - trace) / 2, trace2 / 2 - pppy


def log_likelihood(y: Floats, v: Floats, x: Floats, tau2: Floats, reml: bool) -> Floats:
    """Profiled (restricted) log-likelihood without its constant."""
    fit = wls(y, v, x, tau2)
    value = (np.log(fit.w) - fit.w * fit.r * fit.r).sum(axis=-1)
    return np.asarray((value + np.linalg.slogdet(fit.cov)[1] if reml else value) / 2)


def q_statistic(y: Floats, v: Floats, x: Floats, tau2: Floats) -> Floats:
    """Weighted residual sum of squares at ``tau2``."""
    fit = wls(y, v, x, tau2)
    return np.asarray((fit.w * fit.r * fit.r).sum(axis=-1))


def solve_q(y: Floats, v: Floats, x: Floats, target: Floats) -> Fit:
    """Smallest tau2 >= 0 at which the generalised Q is at most ``target`` (B,)."""
    return fall_to((y, v, x), target, _q_and_slope)


def _q_and_slope(y: Floats, v: Floats, x: Floats, tau2: Floats) -> tuple[Floats, Floats]:
    fit = wls(y, v, x, tau2)
    wrr = fit.w * fit.r * fit.r
    return wrr.sum(axis=-1), (fit.w * wrr).sum(axis=-1)


def q_profile(y: Floats, v: Floats, x: Floats, level: float) -> list[float]:
    """Limits of the tau2 of the first data set, not capped: `reweigh.pool.intervals.q_profile` with a design."""
    df, tail = y.shape[1] - x.shape[2], (1 - level) / 2
    first = y[:1], v[:1], x[:1]
    return [float(solve_q(*first, np.array([special.chdtri(df, p)])).tau2[0]) for p in (tail, 1 - tail)]


def typical_variance(v: Floats, x: Floats) -> Floats:
    """(k - p) / tr P at tau2 = 0, as metafor's I2 for models with moderators takes it."""
    zero = np.zeros(v.shape[0])
    fit, _, _, m = _moments(np.zeros_like(v), v, x, zero)
    return np.asarray((v.shape[1] - x.shape[2]) / (fit.w.sum(axis=-1) - np.trace(m, axis1=-2, axis2=-1)))


def estimate(method: str, y: Floats, v: Floats, x: Floats) -> Fit:
    """tau2 (B,) of the mixed-effects model, closed forms untruncated; Viechtbauer and others 2015, appendix."""
    sets, k, p = x.shape
    plain, zero = at_zero(sets), np.zeros(sets)
    if method == "EE":
        return plain
    if method in ("EB", "PM"):
        return solve_q(y, v, x, np.full(sets, float(k - p)))
    ols = y - (x @ (np.swapaxes(x, -1, -2) @ y[..., None]))[..., 0]
    squares = (ols * ols).sum(axis=1)
    if method in ("ML", "REML"):
        reml = method == "REML"
        # No root of the REML score is above the largest squared contrast; for ML see the second bound.
        top = 2 * squares if reml else np.maximum(2 * squares, v.max(axis=1))
        return climb(
            (y, v, x),
            v.min(axis=1),
            np.where(squares > 0, top, 0.0),
            k * (p + 2),
            lambda y, v, x, grid: score(y[:, None], v[:, None], x[:, None], grid, reml)[0],
            lambda y, v, x, tau2: score(y, v, x, tau2, reml),
            lambda y, v, x, tau2: log_likelihood(y, v, x, tau2, reml),
        )
    if method == "HE":
        leverage = (x * x).sum(axis=2)
        return plain._replace(tau2=(squares - ((1 - leverage) * v).sum(axis=1)) / (k - p))
    if method == "SJ":
        crude = y.var(axis=1)
        q = q_statistic(y, v, x, crude)
        return plain._replace(tau2=np.where(crude > 0, crude * q / (k - p), 0.0))
    q = q_statistic(y, v, x, zero)
    if method == "HS":
        return plain._replace(tau2=(q - k) / (1 / v).sum(axis=1))
    return plain._replace(tau2=(q - (k - p)) * typical_variance(v, x) / (k - p))
