"""ML and REML where a programme's iteration stops, short of the maximum: what prints of software rest on."""

from __future__ import annotations

import numpy as np

from reweigh.pool.core import Bools, Options, Pooled, prepare, summarise_fit
from reweigh.pool.tau2 import Fit, Floats, Ints, closed_form, residuals

THRESHOLD = 1e-5
"""Change of tau2 at which metafor's rma.uni stops by default (its help page, `control`); analysis scale squared."""
_MOST_STEPS = 100


def pool_stopped(yi: Floats, vi: Floats, mask: Bools, tau2_method: str, ci_method: str, level: float) -> Pooled:
    """Pool (D, k) effects at the tau2 where Fisher scoring stops, from Hedges' estimate with steps halved at 0.

    ``tau2_method`` is ML or REML. The maximum itself is what `reweigh.pool.core.pool` gives; near a tau2 of 0 the two
    differ in the fourth digit of the mean (DerSimonian and Kacker 2007, table 4: ML -0.1974, at the maximum -0.19735).
    """
    sets = prepare(yi, vi, mask)
    tau2 = np.zeros(len(sets.k))
    two = sets.k >= 2
    some = tau2[two]
    if two.any():
        some = _scored(tau2_method, sets.y[two], sets.v[two], sets.k[two], THRESHOLD / sets.scale[two] ** 2)
    tau2[two] = some
    none = np.zeros(len(tau2), dtype=np.intp)
    unknown = np.full(len(tau2), np.nan)
    options = Options(tau2_method, ci_method, level, "hartung-knapp")
    return summarise_fit(sets, Fit(tau2, none, none + 1), options, limits=(unknown, unknown))


def _scored(method: str, y: Floats, v: Floats, k: Ints, threshold: Floats) -> Floats:
    tau2 = np.maximum(closed_form("HE", y, v, k), 0.0)
    going = np.ones(len(tau2), dtype=bool)
    for _ in range(_MOST_STEPS):
        w, total, _, r = residuals(y, v, tau2)
        w2 = w * w
        squares, s2, s3 = (w2 * r * r).sum(axis=1), w2.sum(axis=1), (w2 * w).sum(axis=1)
        if method == "REML":  # the trace of P and of P P
            step = (squares - (total - s2 / total)) / (s2 - 2 * s3 / total + (s2 / total) ** 2)
        else:
            step = (squares - total) / s2
        while (below := going & (tau2 + step < 0)).any():
            step = np.where(below, step / 2, step)
            # From 0 itself no halved step leads anywhere.
            step = np.where(below & (tau2 == 0), 0.0, step)
        tau2 = np.where(going, tau2 + step, tau2)
        going &= np.abs(step) > threshold
        if not going.any():
            break
    return tau2
