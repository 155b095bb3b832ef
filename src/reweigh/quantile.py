"""Quantiles of the normal and of t, as intervals and tests ask for them; arguments broadcast."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri, stdtr, stdtrit

Floats = NDArray[np.float64]


def z_critical(level: ArrayLike = 0.95) -> Floats:
    """Two-sided normal quantile of a confidence level in (0, 1), e.g. 1.96 at 0.95."""
    return np.asarray(-ndtri((1.0 - np.asarray(level, dtype=np.float64)) / 2.0))


def t_critical(df: ArrayLike, level: ArrayLike = 0.95) -> Floats:
    """Two-sided t quantile of a confidence level in (0, 1), the normal one where df is infinite; NaN where df <= 0."""
    return _t(df, (1.0 - np.asarray(level, dtype=np.float64)) / 2.0)


def z_from_p(p: ArrayLike) -> Floats:
    """Absolute z of a two-sided p-value (Handbook 6.3.1)."""
    return np.asarray(-ndtri(np.asarray(p, dtype=np.float64) / 2.0))


def t_from_p(p: ArrayLike, df: ArrayLike) -> Floats:
    """Absolute t of a two-sided p-value with df degrees of freedom (Handbook 6.5.2.3); NaN where df <= 0."""
    return _t(df, np.asarray(p, dtype=np.float64) / 2.0)


def _t(df: ArrayLike, tail: ArrayLike) -> Floats:
    df, tail = np.asarray(df, dtype=np.float64), np.asarray(tail, dtype=np.float64)
    able, normal = df > 0, np.isinf(df)
    t = -stdtrit(np.where(able & ~normal, df, 1.0), tail)
    return np.where(able, np.where(normal, -ndtri(tail), t), np.nan)


def two_sided_p(statistic: ArrayLike, df: ArrayLike = np.inf) -> Floats:
    """Two-sided p-value by t, by the normal where df is infinite."""
    size, df = -np.abs(np.asarray(statistic, dtype=np.float64)), np.asarray(df, dtype=np.float64)
    normal = np.isinf(df)
    return np.asarray(2 * np.where(normal, ndtr(size), stdtr(np.where(normal, 1.0, df), size)))
