"""Parametric bootstrap prediction interval."""

from __future__ import annotations

from reweigh.pool.tau2 import Floats


def bootstrap_prediction(y: Floats, v: Floats, level: float, seed: int, draws: int) -> tuple[float, float]:
    """To be written."""
    raise NotImplementedError("pi_method 'bootstrap' is being written")
