"""Trials in order of date, and a cumulative meta-analysis for use without another pooling library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import scipy  # its parts load when they are used: optimize takes a while
from numpy.typing import ArrayLike, NDArray

from reweigh.sequential.integration import Floats

PoolMethod = Literal["common", "DL", "REML"]
#: Takes the effects and variances of some trials, returns estimate and standard error.
Pool = Callable[[Floats, Floats], tuple[float, float]]


def chronological(date: Sequence[Any], study_id: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the dated trials in order of date (ties by study id), and of the undated ones.

    Dates are years, or dates of one kind; None, NaN, NaT, NA and "" mean undated. Raises ValueError on lengths
    that differ or dates that cannot be compared.
    """
    if len(date) != len(study_id):
        raise ValueError(f"{len(date)} dates for {len(study_id)} study ids")
    undated = [i for i, value in enumerate(date) if _missing(value)]
    dated = sorted(set(range(len(date))) - set(undated))
    try:
        order = sorted(dated, key=lambda i: (date[i], str(study_id[i])))
    except TypeError as error:
        raise ValueError(f"dates of different kinds cannot be put in order: {error}") from error
    return np.asarray(order, dtype=np.intp), np.asarray(undated, dtype=np.intp)


def _missing(value: Any) -> bool:
    try:
        return value is None or bool(value != value) or bool(value == "")
    except TypeError:  # pandas.NA refuses to be true or false
        return True


def effects_and_variances(yi: ArrayLike, vi: ArrayLike) -> tuple[Floats, Floats]:
    """Both as arrays; ValueError names the first impossible value."""
    y, v = np.asarray(yi, dtype=np.float64), np.asarray(vi, dtype=np.float64)
    if y.ndim != 1 or y.shape != v.shape:
        raise ValueError(f"yi and vi must be one-dimensional and of one length, not {y.shape} and {v.shape}")
    for i in np.flatnonzero(~np.isfinite(y) | ~np.isfinite(v) | ~(v > 0)):
        raise ValueError(f"trial {i} has effect {y[i]} and variance {v[i]}: not finite, or variance not above 0")
    return y, v


def cumulative_pool(yi: ArrayLike, vi: ArrayLike, method: PoolMethod = "DL") -> tuple[Floats, Floats]:
    """Inverse-variance estimate and standard error after each trial, in the order given.

    tau2 is 0 ("common"), DerSimonian and Laird's, or restricted maximum likelihood. Raises ValueError on a
    variance that is not above 0 or an unknown method.

    DerSimonian and Laird 1986, Control Clin Trials 7:177-88; REML: Viechtbauer 2005, J Educ Behav Stat 30:261-93.
    """
    y, v = effects_and_variances(yi, vi)
    if method not in ("common", "DL", "REML"):
        raise ValueError(f"unknown pooling method {method!r}: one of common, DL, REML")
    find = {"common": lambda y, v: 0.0, "DL": _dersimonian_laird, "REML": _reml}[method]
    results = np.array([_pool(y[:k], v[:k] + find(y[:k], v[:k])) for k in range(1, y.size + 1)]).reshape(-1, 2)
    return results[:, 0], results[:, 1]


def _pool(y: Floats, total: Floats) -> tuple[float, float]:
    w = 1 / total
    return float((w * y).sum() / w.sum()), float(w.sum() ** -0.5)


def _dersimonian_laird(y: Floats, v: Floats) -> float:
    if y.size < 2:
        return 0.0
    w = 1 / v
    q = (w * (y - (w * y).sum() / w.sum()) ** 2).sum()
    return max(0.0, float((q - (y.size - 1)) / (w.sum() - (w**2).sum() / w.sum())))


def _reml(y: Floats, v: Floats) -> float:
    """Root of the restricted score between the neighbours of the best tau2 of a grid."""
    if y.size < 2:
        return 0.0

    def score_and_likelihood(tau2: float) -> tuple[float, float]:
        w = 1 / (v + tau2)
        residual = y - (w * y).sum() / w.sum()
        score = (w**2 * residual**2).sum() - w.sum() + (w**2).sum() / w.sum()
        return float(score), float(np.log(w).sum() - np.log(w.sum()) - (w * residual**2).sum())

    # The maximum lies below the spread of the effects: beyond it the score is negative throughout.
    top = float(np.ptp(y) ** 2 + v.max())
    grid = np.concatenate([[0.0], np.geomspace(1e-9 * top, top, 200)])
    best = int(np.argmax([score_and_likelihood(t)[1] for t in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    if score_and_likelihood(low)[0] <= 0:
        return 0.0
    return float(scipy.optimize.brentq(lambda t: score_and_likelihood(t)[0], low, high, xtol=1e-300, rtol=1e-14))
