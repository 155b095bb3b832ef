"""What the design of a trial and the options say about a row, and the notes that record it."""

from __future__ import annotations

import numpy as np

from reweigh.effects import conversions as conv
from reweigh.effects.conversions import Floats
from reweigh.effects.measures import Bools
from reweigh.effects.notes import number, texts
from reweigh.effects.table import Options, Rows
from reweigh.effects.work import Work

MEASURE_TEXT = {
    "MD": "MD",
    "SMD": "SMD, exact J; {smd_variance} variance",
    "SMDH": "SMDH, exact J; variance as metafor {smdh_version}",
    "GLASS": "Glass's delta (control SD), exact J; {smd_variance} variance",
    "ROM": "log ratio of means, not bias-corrected",
    "RR": "log RR",
    "OR": "log OR",
    "RD": "RD",
    "PETO": "Peto log OR",
    "AS": "arcsine difference",
    "IRR": "log IRR",
    "IRD": "IRD",
    "COR-OR": "conditional log OR of discordant pairs",
}


def paired_rows(x: Rows, options: Options) -> Bools:
    """Crossover trials that the options want analysed as such."""
    return np.asarray((x.words["design"] == "crossover") & (options.crossover == "paired"), dtype=bool)


def note_design(x: Rows, w: Work, options: Options) -> Floats:
    """Flags of the design, and the design effect of each row (1 unless a cluster trial)."""
    design = x.words["design"]
    if options.crossover == "as_independent":
        w.flags.add(design == "crossover", "crossover trial as if two independent groups")
    w.flags.add(design == "first_period", "first period of a crossover trial only")
    cluster = np.asarray(design == "cluster", dtype=bool)
    known = cluster & ~np.isnan(x["icc"]) & ~np.isnan(x["cluster_size"])
    w.fail(cluster & ~known, "cluster trial without ICC and mean cluster size", "ICC and mean cluster size")
    effect = np.where(known, conv.design_effect(x["icc"], x["cluster_size"]), 1.0)
    if known.any():
        w.derivation.add(
            known,
            "n / design effect "
            + texts(effect)
            + " (ICC "
            + texts(x["icc"])
            + ", m = "
            + texts(x["cluster_size"])
            + ")",
        )
    return effect


def correlation(x: Rows, w: Work, rows: Bools, column: str, default: float) -> Floats:
    """The row's own correlation, else the protocol's, with the assumption noted."""
    own = ~np.isnan(x[column])
    value = np.where(own, x[column], default)
    w.assumptions.add(rows & ~own, f"{column} = {number(default)}")
    if (rows & own).any():
        w.assumptions.add(rows & own, f"{column} = " + texts(value) + " (of this trial)")
    return value


def finish(w: Work, rows: Bools) -> None:
    """No NaN without a reason."""
    bad = rows & ~(np.isfinite(w.yi) & np.isfinite(w.vi) & (w.vi > 0))
    w.fail(bad, "estimate or variance not computable from the numbers given", "effect with SE or CI")
