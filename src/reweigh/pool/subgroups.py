"""Subgroups: one pooled result each, and the test for differences between them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from reweigh.pool import design
from reweigh.pool.core import Options, Pooled, pool, prepare, summarise_fit
from reweigh.pool.tau2 import Fit

TAU2_CHOICES = ("separate", "common")
FEW_SUBGROUPS = "not estimable: the test needs at least two subgroups of two or more trials"


@dataclass(frozen=True, slots=True)
class Subgroups:
    """Pooled results of G subgroups (arrays of shape (G,), ``weights`` (G, k)) and the test between them."""

    labels: tuple[Hashable, ...]
    tau2: str
    pooled: Pooled
    #: Cochran's Q of the subgroup means on their Wald standard errors; missing with a ``reason``.
    q_between: float
    q_between_df: int
    q_between_p_value: float
    #: Why there is no test, else "".
    reason: str


def subgroups(
    yi: ArrayLike,
    vi: ArrayLike,
    groups: Sequence[Hashable] | np.ndarray,
    *,
    tau2: str = "separate",
    tau2_method: str = "REML",
    ci_method: str = "hartung-knapp",
    level: float = 0.95,
    pi_method: str = "hartung-knapp",
) -> Subgroups:
    """Pool each subgroup and test the differences: Cochrane Handbook 10.11.3.1; Borenstein and Higgins 2013.

    Whatever ``ci_method`` is, the test takes the Wald standard errors of the subgroup means, as RevMan and meta do.
    A subgroup of one trial is shown as that trial, and takes part in the test with its own variance.

    Parameters
    ----------
    yi, vi
        Effects and variances of one data set, shape (k,).
    groups
        Subgroup of each trial, length k; results come in order of first appearance.
    tau2
        "separate": each subgroup its own; "common": that of the mixed-effects model with the subgroups as factor.

    Raises
    ------
    ValueError
        If lengths differ, a group is missing, or :func:`reweigh.pool.pool` refuses the data or an option.
    """
    if tau2 not in TAU2_CHOICES:
        raise ValueError(f"tau2 {tau2!r} is not known: use one of {', '.join(TAU2_CHOICES)}")
    y, v = np.asarray(yi, dtype=np.float64), np.asarray(vi, dtype=np.float64)
    names = list(groups)
    if y.ndim != 1 or y.shape != v.shape or len(names) != y.size:
        raise ValueError(f"yi, vi and groups must have one length: {y.shape}, {v.shape}, {len(names)}")
    for i, name in enumerate(names):
        if name is None or name != name:
            raise ValueError(f"groups[{i}] is missing")
    labels = tuple(dict.fromkeys(names))
    if not labels:
        raise ValueError("no trials: there are no subgroups")
    member = np.array([[name == label for name in names] for label in labels])
    ys, vs = np.broadcast_to(y, member.shape), np.broadcast_to(v, member.shape)
    options = Options(tau2_method, ci_method, level, pi_method)
    if tau2 == "separate" or len(labels) == y.size:
        # With one trial in every subgroup nothing is left to estimate a common tau2 from.
        pooled = pool(
            ys, vs, mask=member, tau2_method=tau2_method, ci_method=ci_method, level=level, pi_method=pi_method
        )
    else:
        pooled = _common(ys, vs, member, options)
    if (pooled.k >= 2).sum() < 2:
        return Subgroups(labels, tau2, pooled, np.nan, len(labels) - 1, np.nan, FEW_SUBGROUPS)
    between = np.where(np.isnan(pooled.tau2), pooled.tau2[pooled.k >= 2][0] if tau2 == "common" else 0.0, pooled.tau2)
    w = np.where(member, 1 / (vs + between[:, None]), 0.0).sum(axis=1)
    centred = pooled.estimate - (w * pooled.estimate).sum() / w.sum()
    q, df = float((w * centred**2).sum()), len(labels) - 1
    return Subgroups(labels, tau2, pooled, q, df, float(special.chdtrc(df, q)), "")


def _common(ys: np.ndarray, vs: np.ndarray, member: np.ndarray, options: Options) -> Pooled:
    """Subgroups at the tau2 of the model with one mean per subgroup."""
    options.check()
    sets = prepare(ys, vs, member)
    whole = prepare(ys[0], vs[0])
    y, v, scale = whole.y, whole.v, whole.scale[0]
    x = (member.T / np.sqrt(member.sum(axis=1)))[None]
    fit = design.estimate(options.tau2_method, y, v, x)
    df = member.shape[1] - member.shape[0]
    tail = (1 - options.level) / 2
    limits = [design.solve_q(y, v, x, np.array([special.chdtri(df, p)])).tau2[0] for p in (tail, 1 - tail)]
    ratio = (scale / sets.scale) ** 2
    spread = Fit(fit.tau2[0] * ratio, np.repeat(fit.steps, len(ratio)), np.repeat(fit.maxima, len(ratio)))
    pooled = summarise_fit(sets, spread, options, limits=(limits[0] * ratio, limits[1] * ratio))
    path = np.where(pooled.k >= 2, "common to all subgroups: " + pooled.path, pooled.path)
    return replace(pooled, path=path)
