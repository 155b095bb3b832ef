"""Subgroups: one pooled result each, and the test for differences between them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special

from reweigh.pool import design
from reweigh.pool.core import Bools, Options, Pooled, prepare, summarise_fit
from reweigh.pool.refit import Trials, as_asked, refit
from reweigh.pool.tau2 import Fit
from reweigh.protocol.models import Model
from reweigh.text.codes import code


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
    #: Code of why there is no test, or of what it should be read with, else "".
    reason: str


def subgroups(
    trials: Trials,
    groups: Sequence[Hashable] | np.ndarray,
    model: Model,
    *,
    tau2: Literal["separate", "common"] = "separate",
    level: float = 0.95,
) -> Subgroups:
    """Pool each subgroup and test the differences: Cochrane Handbook 10.11.3.1; Borenstein and Higgins 2013.

    The test takes the subtotals of every subgroup that has an estimate, those of one trial too, and their Wald standard
    errors whatever the interval is: as metafor, meta and RevMan, for Mantel-Haenszel and Peto alike. Raises ValueError
    if the number of groups is not that of the trials, or there is none.

    Parameters
    ----------
    groups
        Subgroup of each trial, length k; results come in order of first appearance. None: in no subgroup.
    tau2
        "separate": each subgroup its own; "common": that of the mixed-effects model with the subgroups as factor
        (inverse variance only).
    """
    names = list(groups)
    if len(names) != trials.yi.size:
        raise ValueError(f"{trials.yi.size} trials, but {len(names)} groups")
    labels = tuple(dict.fromkeys(name for name in names if name is not None))
    if not labels:
        raise ValueError("no trials: there are no subgroups")
    member = np.array([[name == label for name in names] for label in labels])
    bootstrap = model.prediction_interval == "bootstrap"
    plain = model.model_copy(update={"prediction_interval": "hartung-knapp"}) if bootstrap else model
    inverse = model.for_measure(trials.measure).pooling == "inverse variance"
    if tau2 == "separate" or not inverse or len(labels) == member.sum():
        # With one trial in every subgroup nothing is left to estimate a common tau2 from.
        pooled = refit(trials, plain, mask=member, level=level)
    else:
        pooled = _common(trials, member, plain, level)
    there = np.isfinite(pooled.estimate) & (pooled.wald_se > 0)
    df = int(there.sum()) - 1
    if df < 1:
        return Subgroups(labels, tau2, pooled, np.nan, max(df, 0), np.nan, "few_subgroups")
    w, means = 1 / pooled.wald_se[there] ** 2, pooled.estimate[there]
    q = float((w * (means - (w * means).sum() / w.sum()) ** 2).sum())
    ones = int((pooled.k[there] == 1).sum())
    reason = code("subgroups_of_one", ones=ones, subgroups=df + 1) if ones else ""
    return Subgroups(labels, tau2, pooled, q, df, float(special.chdtrc(df, q)), reason)


def _common(trials: Trials, member: Bools, model: Model, level: float) -> Pooled:
    """Subgroups at the tau2 of the model with one mean per subgroup."""
    options = Options(model.tau2, model.interval, level, model.prediction)
    options.check()
    inside = member.any(axis=0)
    ys, vs = (np.broadcast_to(x, member.shape) for x in (trials.yi, trials.vi))
    sets, whole = prepare(ys, vs, member), prepare(trials.yi[inside], trials.vi[inside])
    y, v, scale = whole.y, whole.v, whole.scale[0]
    of = member[:, inside]
    x = (of.T / np.sqrt(of.sum(axis=1)))[None]
    fit = design.estimate(options.tau2_method, y, v, x)
    low, high = design.q_profile(y, v, x, level)
    ratio = (scale / sets.scale) ** 2
    spread = Fit(fit.tau2[0] * ratio, np.repeat(fit.steps, len(ratio)), np.repeat(fit.maxima, len(ratio)))
    pooled = summarise_fit(sets, spread, options, limits=(low * ratio, high * ratio))
    path = np.where(pooled.k >= 2, "common to all subgroups: " + pooled.path, pooled.path)
    return as_asked(replace(pooled, path=path), model, trials.measure)
