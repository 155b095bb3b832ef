"""Effect sizes from what is reported per arm, by kind of outcome."""

from __future__ import annotations

import numpy as np

from reweigh.effects.counts import binary_effects, conditional_effects, rate_effects
from reweigh.effects.groups import group_effects
from reweigh.effects.means import mean_effects
from reweigh.effects.table import Options, Rows
from reweigh.effects.work import Work
from reweigh.measures import BINARY_MEASURES, CONTINUOUS_MEASURES, RATE_MEASURES, SINGLE_GROUP_MEASURES


def arm_effects(x: Rows, options: Options) -> Work:
    """Effects of rows that report arms; every row ends with an effect or a reason."""
    w = Work(x)
    measure = x.words["measure"]
    pairs = ~(np.isnan(x["discordant1"]) | np.isnan(x["discordant2"]))
    conditional = (measure == "COR-OR") | ((measure == "OR") & (x.words["design"] == "crossover") & pairs)
    if options.crossover == "as_independent":
        conditional &= measure == "COR-OR"
    conditional_effects(x, w, options, conditional)
    continuous = np.isin(measure, list(CONTINUOUS_MEASURES))
    binary = np.isin(measure, list(BINARY_MEASURES)) & ~conditional
    rates = np.isin(measure, list(RATE_MEASURES))
    single = np.isin(measure, list(SINGLE_GROUP_MEASURES))
    kinds = (continuous, mean_effects), (binary, binary_effects), (rates, rate_effects), (single, group_effects)
    for rows, work in kinds:
        if rows.any():
            at = np.flatnonzero(rows)
            w.merge(at, work(x.take(at), options))
    w.route[:] = "arms"
    w.fail(~(continuous | binary | rates | conditional | single), "no_arm_effect")
    return w
