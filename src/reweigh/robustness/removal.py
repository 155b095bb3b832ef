"""Without this trial, and trial by trial: leave-one-out, cumulative pooling, influence diagnostics."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reweigh.pool.core import ALL_EQUAL, Pooled, pool
from reweigh.pool.tau2 import Floats, Ints
from reweigh.text.codes import words
from reweigh.text.pool import SENTENCES

FEW_FOR_INFLUENCE = "influence needs three trials: without one, two must be left to pool"


@dataclass(frozen=True, slots=True)
class Influence:
    """What each trial does to the pooled result; arrays (k,), NaN throughout where ``reason`` says why."""

    #: Externally studentised residual: distance from the pooled effect of the others in its standard errors.
    rstudent: Floats
    dffits: Floats
    dfbetas: Floats
    cook_d: Floats
    #: Variance of the pooled effect without the trial over that with it.
    cov_r: Floats
    #: tau2 and Q without the trial.
    tau2_del: Floats
    q_del: Floats
    hat: Floats
    #: Percent.
    weight: Floats
    #: Baujat plot: squared Pearson residual, and squared standardised change of the pooled effect.
    baujat_x: Floats
    baujat_y: Floats
    influential: NDArray[np.bool_]
    reason: str


def leave_one_out(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    tau2_method: str = "REML",
    ci_method: str = "hartung-knapp",
    level: float = 0.95,
    pi_method: str = "hartung-knapp",
) -> Pooled:
    """Pool all trials but one: row i of the result is without trial i.

    ``yi``, ``vi`` (k,) on the analysis scale. Raises ValueError as :func:`reweigh.pool.pool`.
    Viechtbauer and Cheung 2010, Research Synthesis Methods 1:112-25.
    """
    y, v = _pair(yi, vi)
    return _pool_masks(y, v, ~np.eye(len(y), dtype=bool), tau2_method, ci_method, level, pi_method)


def cumulative(
    yi: ArrayLike,
    vi: ArrayLike,
    order: ArrayLike,
    *,
    tau2_method: str = "REML",
    ci_method: str = "hartung-knapp",
    level: float = 0.95,
    pi_method: str = "hartung-knapp",
) -> Pooled:
    """Pool the first, the first two, ... trials of ``order`` (positions, without repetition).

    Raises ValueError on a position that does not exist or comes twice.
    Lau and others 1992, New England Journal of Medicine 327:248-54.
    """
    y, v = _pair(yi, vi)
    at = np.asarray(order, dtype=np.intp)
    if at.ndim != 1 or np.unique(at).size != at.size or not ((at >= 0) & (at < len(y))).all():
        raise ValueError(f"order must hold positions from 0 to {len(y) - 1}, each once at most, not {at.tolist()}")
    there = np.zeros((len(at), len(y)), dtype=bool)
    there[:, at] = np.tri(len(at), dtype=bool)
    return _pool_masks(y, v, there, tau2_method, ci_method, level, pi_method)


def by_precision(vi: ArrayLike, study_id: ArrayLike) -> Ints:
    """Positions from the most precise trial to the least, ties by study id."""
    return np.lexsort([np.asarray(study_id, dtype=str), np.asarray(vi, dtype=np.float64)])


def influence(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    tau2_method: str = "REML",
    ci_method: str = "hartung-knapp",
    level: float = 0.95,
) -> Influence:
    """Influence diagnostics as metafor's `influence()` and `baujat()` define them, by the variance of the interval.

    ``yi``, ``vi`` (k,) on the analysis scale. Raises ValueError as :func:`reweigh.pool.pool`.
    Viechtbauer and Cheung 2010, Research Synthesis Methods 1:112-25; Baujat and others 2002, Statistics in Medicine
    21:2641-52.
    """
    y, v = _pair(yi, vi)
    k = len(y)
    full = pool(y, v, tau2_method=tau2_method, ci_method=ci_method, level=level)
    reason = FEW_FOR_INFLUENCE if k < 3 else words(ALL_EQUAL, SENTENCES) if np.isnan(full.se[0]) else ""
    if reason:
        missing = np.full(k, np.nan)
        every: dict[str, Any] = dict.fromkeys((f.name for f in fields(Influence)), missing)
        return Influence(**every | {"influential": np.zeros(k, dtype=bool), "reason": reason})
    others = leave_one_out(y, v, tau2_method=tau2_method, ci_method=ci_method, level=level)
    mu, variance, tau2 = full.estimate[0], full.se[0] ** 2, full.tau2[0]
    total = v + tau2
    hat = (1 / total) / (1 / total).sum()
    mu_del, variance_del, tau2_del = others.estimate, others.se**2, others.tau2
    all_w = 1 / (v + tau2_del[:, None])
    # What the interval method multiplies the Wald variance with.
    factor = variance_del * (all_w.sum(axis=1) - np.diagonal(all_w))
    change = mu - mu_del
    with np.errstate(divide="ignore", invalid="ignore"):
        rstudent = (y - mu_del) / np.sqrt(factor * (v + tau2_del) + variance_del)
        dffits = change / np.sqrt(factor * hat * (v + tau2_del))
        dfbetas = change / np.sqrt(factor / all_w.sum(axis=1))
        cook_d, cov_r = change**2 / variance, variance_del / variance
        baujat_y = change**2 / variance_del
    # The rules of thumb of metafor's influence().
    flagged = (
        (np.abs(dffits) > 3 * np.sqrt(1 / (k - 1)))
        | (special.chdtr(1, cook_d) > 0.5)
        | (hat > 3 / k)
        | (np.abs(dfbetas) > 1)
    )
    return Influence(
        rstudent, dffits, dfbetas, cook_d, cov_r, tau2_del, others.q, hat, 100 * hat, (y - mu) ** 2 / total, baujat_y,
        influential=flagged,
        reason=words(ALL_EQUAL, SENTENCES) + ", without one of the trials" if np.isnan(others.se).any() else "",
    )  # fmt: skip


def _pair(yi: ArrayLike, vi: ArrayLike) -> tuple[Floats, Floats]:
    y, v = np.asarray(yi, dtype=np.float64), np.asarray(vi, dtype=np.float64)
    if y.ndim != 1 or y.shape != v.shape:
        raise ValueError(f"yi and vi must both have shape (k,), not {y.shape} and {v.shape}")
    return y, v


def _pool_masks(
    y: Floats, v: Floats, there: NDArray[np.bool_], tau2_method: str, ci_method: str, level: float, pi_method: str,
    *, tau2_interval: bool = True,
) -> Pooled:  # fmt: skip
    return pool(
        np.broadcast_to(y, there.shape), np.broadcast_to(v, there.shape), mask=there,
        tau2_method=tau2_method, ci_method=ci_method, level=level, pi_method=pi_method, tau2_interval=tau2_interval,
    )  # fmt: skip
