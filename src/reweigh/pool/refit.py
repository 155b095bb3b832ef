"""The only door to a fitted model: the trials of an analysis, or many subsets of them, by any model of the protocol."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweigh.measures import MEASURES, WITHOUT_NULL
from reweigh.pool.binary import mantel_haenszel, peto
from reweigh.pool.core import Bools, Pooled, pool
from reweigh.pool.tau2 import Floats
from reweigh.protocol.models import Model
from reweigh.text.codes import code

COUNTS = ("events_intervention", "n_intervention", "events_control", "n_control")


@dataclass(frozen=True, slots=True)
class Trials:
    """The trials of one analysis; arrays (k,), or (D, k) where data sets differ in their effects.

    `yi` and `vi` on the analysis scale (log for ratios); `counts` (4, k): events and patients of the intervention and
    of the control arms, NaN where a trial has none that can be pooled as counts.
    """

    measure: str
    yi: Floats
    vi: Floats
    counts: Floats

    def take(self, at: NDArray[Any]) -> Trials:
        """Some of the trials, by position or mask."""
        return replace(self, yi=self.yi[..., at], vi=self.vi[..., at], counts=self.counts[..., at])


def trials_of(group: pd.DataFrame) -> Trials:
    """The trials of the rows of effects.csv of one analysis (at least one row).

    Counts of crossover and cluster trials are not those of independent patients and cannot be pooled as counts.
    """
    yi, vi = (group[name].to_numpy(dtype=np.float64) for name in ("estimate", "variance"))
    unknown = np.full(len(group), np.nan)
    counts = np.array(
        [group[name].to_numpy(dtype=np.float64, na_value=np.nan) if name in group else unknown for name in COUNTS]
    )
    design = group["design"].to_numpy(dtype=object)
    counts[:, (design == "crossover") | (design == "cluster")] = np.nan
    return Trials(str(group["measure"].iloc[0]), yi, vi, counts)


def cannot(trials: Trials, model: Model) -> str:
    """Code of the reason why a model cannot pool these trials, "" if it can."""
    pooling = model.for_measure(trials.measure).pooling
    if pooling == "inverse variance":
        return ""
    if pooling not in MEASURES[trials.measure].poolings:
        return code("pooling_not_for_measure", pooling=pooling, measure=trials.measure)
    return code("pooling_needs_counts", pooling=pooling) if np.isnan(trials.counts).any() else ""


def refit(
    trials: Trials,
    model: Model,
    *,
    mask: Bools | None = None,
    level: float = 0.95,
    tau2_interval: bool = True,
    brief: bool = False,
    bootstrap: bool = True,
    start: str = "own",
) -> Pooled:
    """Pool the trials, or the subsets of them that ``mask`` names, by a model of the protocol.

    Returns D results. Where the model cannot pool these trials every number is missing, with the reason; nothing else
    is put in its place.

    Parameters
    ----------
    model
        Inverse variance (any tau2 and interval), Mantel-Haenszel (exact or corrected, common or random) or Peto.
    mask
        (D, k): which trials are in each data set; one set of all where not given.
    bootstrap
        False: no prediction interval where it would be the bootstrap one, which takes a sixth of a second each.
    level, tau2_interval, brief, start
        As in :func:`reweigh.pool.core.pool`.
    """
    able = cannot(trials, model)
    there = np.ones((1, trials.yi.shape[-1]), dtype=bool) if mask is None else mask
    own = model.for_measure(trials.measure)
    if own.prediction_interval == "bootstrap" and not bootstrap:
        own = own.model_copy(update={"prediction_interval": "none"})
    if able:
        result = _nothing(there, own, level, able)
    elif own.pooling == "inverse variance":
        y, v = (np.broadcast_to(x, there.shape) for x in (trials.yi, trials.vi))
        result = pool(
            y, v, mask=there, tau2_method=own.tau2, ci_method=own.interval, level=level, pi_method=own.prediction,
            start=start, tau2_interval=tau2_interval, brief=brief,
        )  # fmt: skip
    else:
        counts = [np.broadcast_to(x, there.shape) for x in trials.counts]
        if own.pooling == "peto":
            result = peto(*counts, mask=there, level=level)
        else:
            result = mantel_haenszel(
                *counts, measure=trials.measure, model="common" if own.tau2 == "EE" else "random", exact=own.exact,
                rd_variance=own.rd_variance, mask=there, ci_method=own.interval, level=level, pi_method=own.prediction,
            )  # fmt: skip
    return as_asked(result, own, trials.measure)


def no_null(measure: str) -> str:
    """Code of why nothing is tested against no effect: the measure of a single group is compared with nothing."""
    return code("no_null", measure=measure)


def as_asked(result: Pooled, model: Model, measure: str) -> Pooled:
    """The result without prediction intervals where the model asks for none, and without tests of what has no null."""
    if measure in WITHOUT_NULL:
        none = np.full(len(result.k), np.nan)
        result = replace(result, statistic=none, p_value=none, guarded_p_value=none)
    if model.prediction_interval != "none":
        return result
    none = np.full(len(result.k), np.nan)
    return replace(result, pi_lower=none, pi_upper=none, guarded_pi_lower=none, guarded_pi_upper=none)


def _nothing(there: Bools, model: Model, level: float, reason: str) -> Pooled:
    """A result in which everything is missing."""
    sets = len(there)
    number = np.full(sets, np.nan)
    values: dict[str, Any] = {field.name: number for field in fields(Pooled)}
    values |= {"pooling": model.pooling, "tau2_method": model.tau2, "ci_method": model.interval, "level": level}
    values |= {"pi_method": model.prediction_interval, "k": there.sum(axis=1), "q_df": np.zeros(sets, dtype=np.intp)}
    values |= {"narrow": np.zeros(sets, dtype=bool), "weights": np.where(there, np.nan, 0.0)}
    return Pooled(
        **values | {name: np.full(sets, text, dtype=object) for name, text in (("path", "none"), ("reason", reason))}
    )
