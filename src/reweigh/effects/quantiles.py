"""Mean and SD from quantiles by fitting distributions: the quantile estimation method of McGrath 2020.

Source: McGrath S, Zhao X, Steele R, Thombs BD, Benedetti A. Stat Methods Med Res 2020;29:2520-37.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy  # its parts load when they are used: optimize takes a while
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv, gamma, gammaincinv, ndtri

from reweigh.effects.conversions import Floats, five_number_scenario, floats

#: Range of the shape parameter; for gamma and Weibull that of the paper's software (estmeansd).
_SHAPES = {"lognormal": (1e-3, 10.0), "gamma": (1e-3, 100.0), "weibull": (1e-3, 100.0)}
_BETA_SHAPES = (1e-3, 40.0)
_GRID = 80
_GOLDEN_STEPS = 60


def mean_sd_by_quantile_estimation(
    n: ArrayLike, median: ArrayLike, q1: ArrayLike, q3: ArrayLike, minimum: ArrayLike, maximum: ArrayLike
) -> tuple[Floats, Floats]:
    """Mean and SD of the distribution whose quantiles lie nearest (least squares) to those printed (McGrath 2020).

    Candidates: normal, log-normal, gamma, Weibull, and beta where all values lie between 0 and 1; the normal alone
    where a value is negative, or the median is 0 (a positive distribution comes near two zeros only as its shape goes
    to 0 and its mean to infinity).  A fit whose mean lies beyond a printed minimum or maximum is none.  NaN where the
    median, or both range and quartiles, are missing.
    """
    n, m, q1, q3, lo, hi = (np.atleast_1d(v) for v in floats(n, median, q1, q3, minimum, maximum))
    scenario = np.where(np.isnan(m), 0, five_number_scenario(q1, q3, lo, hi))
    mean, sd = np.full(n.shape, np.nan), np.full(n.shape, np.nan)
    for code, columns in ((1, (0, 2, 4)), (2, (1, 2, 3)), (3, (0, 1, 2, 3, 4))):
        rows = scenario == code
        if not rows.any():
            continue
        size = n[rows]
        quarter = np.full(size.shape, 0.25)
        p = np.stack([1 / size, quarter, 2 * quarter, 3 * quarter, 1 - 1 / size], axis=1)[:, columns]
        q = np.stack([lo[rows], q1[rows], m[rows], q3[rows], hi[rows]], axis=1)[:, columns]
        ends = (lo[rows], hi[rows]) if code != 2 else (np.full(size.shape, -np.inf), np.full(size.shape, np.inf))
        mean[rows], sd[rows] = _best_fit(p, q, m[rows], ends)
    return mean, sd


def _best_fit(p: Floats, q: Floats, median: Floats, ends: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    fits = [_normal(p, q), *(_scale_family(name, p, q) for name in _SHAPES), _beta(p, q)]
    loss = np.stack([f[0] for f in fits])
    for i, (_, mean, _) in enumerate(fits[1:], start=1):
        loss[i, (median == 0) | (mean < ends[0]) | (mean > ends[1])] = np.inf
    best = np.argmin(np.where(np.isnan(loss), np.inf, loss), axis=0)[None]
    mean = np.take_along_axis(np.stack([f[1] for f in fits]), best, axis=0)[0]
    sd = np.take_along_axis(np.stack([f[2] for f in fits]), best, axis=0)[0]
    return mean, sd


def _normal(p: Floats, q: Floats) -> tuple[Floats, Floats, Floats]:
    """Least squares of the quantiles on normal scores, in closed form."""
    z = ndtri(p)
    zc = z - z.mean(axis=1, keepdims=True)
    sd = (zc * q).sum(axis=1) / (zc**2).sum(axis=1)
    mean = q.mean(axis=1) - sd * z.mean(axis=1)
    return ((mean[:, None] + sd[:, None] * z - q) ** 2).sum(axis=1), mean, sd


def _unit_quantiles(name: str, p: Floats, shape: Floats) -> Floats:
    """Quantiles at scale 1."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if name == "lognormal":
            return np.asarray(np.exp(shape * ndtri(p)))
        if name == "gamma":
            return np.asarray(gammaincinv(shape, p))
        return np.asarray((-np.log1p(-p)) ** (1 / shape))


def _scale_family(name: str, p: Floats, q: Floats) -> tuple[Floats, Floats, Floats]:
    """Fit scale (in closed form) and shape (grid, then golden section) of all rows at once."""

    def fit(log_shape: Floats, at: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        probabilities, values = at
        unit = _unit_quantiles(name, probabilities, np.exp(log_shape)[..., None])
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            scale = (unit * values).sum(axis=-1) / (unit**2).sum(axis=-1)
            loss = ((scale[..., None] * unit - values) ** 2).sum(axis=-1)
        return np.where(np.isfinite(loss), loss, np.inf), scale

    usable = (q > 0).all(axis=1) if name == "lognormal" else (q >= 0).all(axis=1)
    low, high = np.log(_SHAPES[name])
    grid = np.linspace(low, high, _GRID)
    losses = np.stack([fit(np.full(len(q), g), (p, q))[0] for g in grid])
    start = np.argmin(losses, axis=0)
    a, b = grid[np.maximum(start - 1, 0)], grid[np.minimum(start + 1, _GRID - 1)]
    shape = np.exp(_golden_section(lambda s: fit(s, (p, q))[0], a, b))
    loss, scale = fit(np.log(shape), (p, q))
    with np.errstate(over="ignore", invalid="ignore"):
        if name == "lognormal":
            mean = scale * np.exp(shape**2 / 2)
            sd = mean * np.sqrt(np.expm1(shape**2))
        elif name == "gamma":
            mean, sd = scale * shape, scale * np.sqrt(shape)
        else:
            mean = scale * gamma(1 + 1 / shape)
            sd = scale * np.sqrt(gamma(1 + 2 / shape) - gamma(1 + 1 / shape) ** 2)
    return np.where(usable & np.isfinite(sd), loss, np.inf), mean, sd


def _golden_section(loss: Callable[[Floats], Floats], a: Floats, b: Floats) -> Floats:
    ratio = (np.sqrt(5.0) - 1) / 2
    c, d = b - ratio * (b - a), a + ratio * (b - a)
    at_c, at_d = loss(c), loss(d)
    for _ in range(_GOLDEN_STEPS):
        left = at_c < at_d
        a, b = np.where(left, a, c), np.where(left, d, b)
        new = np.where(left, b - ratio * (b - a), a + ratio * (b - a))
        at_new = loss(new)
        c, d = np.where(left, new, d), np.where(left, c, new)
        at_c, at_d = np.where(left, at_new, at_d), np.where(left, at_c, at_new)
    return np.asarray((a + b) / 2)


def _beta(p: Floats, q: Floats) -> tuple[Floats, Floats, Floats]:
    """Beta fits, row by row (two shapes, no closed form), of the rows that lie within (0, 1)."""
    loss, mean, sd = np.full(len(q), np.inf), np.full(len(q), np.nan), np.full(len(q), np.nan)
    inside: NDArray[np.intp] = np.flatnonzero(((q > 0) & (q < 1)).all(axis=1))
    bounds = [tuple(np.log(_BETA_SHAPES))] * 2
    for i in inside:

        def distance(theta: Floats, i: np.intp = i) -> float:
            a, b = np.exp(theta)
            return float(((betaincinv(a, b, p[i]) - q[i]) ** 2).sum())

        start = np.log([2.0, 2.0 * (1 - q[i].mean()) / q[i].mean()]).clip(*bounds[0])
        within = {"xatol": 1e-10, "fatol": 1e-18, "maxiter": 2000}
        fit = scipy.optimize.minimize(distance, start, method="Nelder-Mead", bounds=bounds, options=within)
        a, b = np.exp(fit.x)
        loss[i], mean[i] = fit.fun, a / (a + b)
        sd[i] = np.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))
    return loss, mean, sd
