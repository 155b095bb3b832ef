"""How RevMan pooled an analysis whose settings are not told: the model that gives back its weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweigh.pool.refit import Trials, cannot, refit
from reweigh.protocol.models import Model

#: How far a weight may be from the printed one, in percentage points; RevMan's files print six decimals, of numbers
#: whose own effects have six.
_NEAR = 0.01
#: Printed weights of one pool add up to 100 within this.
_WHOLE = 0.1
#: Pools that are fitted together: a matrix of pools by their rows.
_TOGETHER = 50

Floats = NDArray[np.float64]


def models_by_weight(rows: pd.DataFrame, models: Mapping[str, Model]) -> dict[Any, tuple[str, ...]]:
    """The models of each analysis that give RevMan's weights; several where they are one, as where tau2 is 0.

    Parameters
    ----------
    rows
        A row per study: key (the analysis), subgroup, measure, weight (percent, as printed), yi and vi (analysis
        scale), and the counts events1, n1, events2, n2 (NaN where there are none).
    models
        Candidates by name, as a protocol has them.

    Returns
    -------
    Names by key, in the order of `models`; of those that are the same for a measure the first is named. An analysis is
    left out where no model gives the weights, where fewer than two rows have one, or where the weights are those of no
    single pool.
    """
    pools = _pools(rows[(rows["weight"] > 0) & np.isfinite(rows["yi"]) & (rows["vi"] > 0)])
    of_pool: dict[int, tuple[str, ...]] = {}
    for measure, mine in pools.groupby("measure", sort=False):
        numbers = mine["pool"].unique()
        for start in range(0, len(numbers), _TOGETHER):
            part = numbers[start : start + _TOGETHER]
            of_pool |= _fitting(mine[mine["pool"].isin(part)], str(measure), models)
    found: dict[Any, tuple[str, ...]] = {}
    for key, mine in pools.groupby("key", sort=False):
        fits = [of_pool[number] for number in mine["pool"].unique()]
        if names := tuple(name for name in fits[0] if all(name in one for one in fits)):
            found[key] = names
    return found


def _pools(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows with the number of their `pool`: all of an analysis, or those of each subgroup that was pooled by itself."""
    total = rows.groupby("key")["weight"].transform("sum")
    within = rows.groupby(["key", "subgroup"])["weight"].transform("sum")
    whole, alone = (total - 100).abs() < _WHOLE, (within - 100).abs() < _WHOLE
    rows = rows[whole | alone].assign(apart=rows["subgroup"].where(~whole, ""))
    rows = rows.assign(pool=rows.groupby(["key", "apart"], sort=False).ngroup())
    return rows[rows.groupby("pool")["pool"].transform("size") > 1]


def _fitting(rows: pd.DataFrame, measure: str, models: Mapping[str, Model]) -> dict[int, tuple[str, ...]]:
    """Of pools of one measure, the models of each that give the weights."""
    codes, keys = pd.factorize(rows["pool"])
    mask = codes == np.arange(len(keys))[:, None]
    counts = rows[["events1", "n1", "events2", "n2"]].to_numpy(dtype=np.float64).T
    trials = Trials(measure, rows["yi"].to_numpy(), rows["vi"].to_numpy(), counts)
    printed = np.where(mask, rows["weight"].to_numpy(dtype=np.float64), 0.0)
    fits: list[tuple[str, NDArray[np.bool_]]] = []
    seen: set[tuple[str, str]] = set()
    for name, model in models.items():
        own = model.for_measure(measure)
        if cannot(trials, model) or (own.pooling, own.tau2) in seen:
            continue
        seen.add((own.pooling, own.tau2))
        weights = refit(trials, model, mask=mask, tau2_interval=False, bootstrap=False).weights
        off = np.where(mask, np.abs(np.where(np.isnan(weights), np.inf, weights) - printed), 0.0)
        fits.append((name, np.asarray(off.max(axis=1) < _NEAR, dtype=bool)))
    names = [tuple(name for name, fit in fits if fit[at]) for at in range(len(keys))]
    return {int(pool): one for pool, one in zip(keys, names, strict=True)}


__all__ = ["models_by_weight"]
