"""What the design of a trial and the options say about a row, and the notes that record it."""

from __future__ import annotations

import numpy as np

from reweigh.effects import conversions as conv
from reweigh.effects.conversions import Floats
from reweigh.effects.measures import Bools
from reweigh.effects.notes import Texts
from reweigh.effects.table import Options, Rows
from reweigh.effects.work import Work

ASSUMED = "assumed by the protocol"
"""Origin of a correlation that a trial does not report."""


def paired_rows(x: Rows, options: Options) -> Bools:
    """Crossover trials that the options want analysed as such."""
    return np.asarray((x.words["design"] == "crossover") & (options.crossover == "paired"), dtype=bool)


def pairing(x: Rows, measured: Bools, assumed: Bools) -> Texts:
    """Where the pairing of each crossover trial is from: its own report, a correlation of the protocol, or nowhere."""
    ignored = np.where(x.words["design"] == "crossover", "ignored", "")
    return np.select([measured, assumed], ["measured", "assumed"], ignored).astype(object)


def design_effect(x: Rows) -> tuple[Bools, Bools, Floats]:
    """Cluster trials, those of them with ICC and cluster size, and the design effect of each row, else 1."""
    cluster = np.asarray(x.words["design"] == "cluster", dtype=bool)
    known = cluster & ~np.isnan(x["icc"]) & ~np.isnan(x["cluster_size"])
    return cluster, known, np.where(known, conv.design_effect(x["icc"], x["cluster_size"]), 1.0)


def note_design(x: Rows, w: Work, options: Options) -> Floats:
    """Flags of the design, and the design effect of each row (1 unless a cluster trial)."""
    design = x.words["design"]
    if options.crossover == "as_independent":
        w.flags.add(design == "crossover", "as_independent")
    w.flags.add(design == "first_period", "first_period")
    return effective_size(x, w)


def effective_size(x: Rows, w: Work) -> Floats:
    """The design effect by which n of each row is divided; cluster trials that do not give theirs fail."""
    cluster, known, effect = design_effect(x)
    w.fail(cluster & ~known, "no_cluster_numbers")
    w.derivation.add(known, "n_by_design_effect", effect=effect, icc=x["icc"], size=x["cluster_size"])
    w.step(known, "design_effect", icc=x["icc"], size=x["cluster_size"], effect=effect)
    return effect


def correlation(x: Rows, w: Work, rows: Bools, column: str, default: float) -> tuple[Floats, Texts]:
    """The row's own correlation, else the protocol's, with the assumption noted; and where it is from, in words."""
    own = ~np.isnan(x[column])
    value = np.where(own, x[column], default)
    w.assumptions.add(rows & ~own, column, value=default)
    w.assumptions.add(rows & own, column, value=value, of="trial")
    return value, np.where(own, "given for this trial", ASSUMED).astype(object)


def finish(w: Work, rows: Bools) -> None:
    """No NaN without a reason."""
    w.fail(rows & ~(np.isfinite(w.yi) & np.isfinite(w.vi) & (w.vi > 0)), "not_computable")
