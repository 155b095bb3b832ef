"""Trials in an order, and the meta-analysis of the first, the first two, ... of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from reweigh.pool.core import Pooled
from reweigh.pool.refit import Trials, refit
from reweigh.pool.tau2 import Ints
from reweigh.protocol.models import Model


def chronological(date: Sequence[Any], study_id: Sequence[str]) -> tuple[Ints, Ints]:
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


def by_precision(vi: ArrayLike, study_id: ArrayLike) -> Ints:
    """Positions from the most precise trial to the least, ties by study id."""
    return np.lexsort([np.asarray(study_id, dtype=str), np.asarray(vi, dtype=np.float64)])


def cumulative(trials: Trials, model: Model, order: ArrayLike, level: float = 0.95) -> Pooled:
    """Pool the first, the first two, ... trials of ``order`` (positions, without repetition).

    Raises ValueError on a position that does not exist or comes twice.
    Lau and others 1992, New England Journal of Medicine 327:248-54.
    """
    at, k = np.asarray(order, dtype=np.intp), trials.yi.shape[-1]
    if at.ndim != 1 or np.unique(at).size != at.size or not ((at >= 0) & (at < k)).all():
        raise ValueError(f"order must hold positions from 0 to {k - 1}, each once at most, not {at.tolist()}")
    there = np.zeros((len(at), k), dtype=bool)
    there[:, at] = np.tri(len(at), dtype=bool)
    return refit(trials, model, mask=there, level=level, bootstrap=False)
