"""Effects of a single group, compared with nothing: a correlation, a proportion, a mean."""

from __future__ import annotations

import numpy as np

from reweigh.effects import measures
from reweigh.effects.conversions import Floats
from reweigh.effects.counts import events_of
from reweigh.effects.design import effective_size, finish
from reweigh.effects.means import note_spread, read_arm
from reweigh.effects.table import Options, Rows
from reweigh.effects.work import Work
from reweigh.measures import SINGLE_GROUP_MEASURES

#: The arm as the codes of a row call it.
_ARM = "single"


def group_effects(x: Rows, options: Options) -> Work:
    """Fisher's z, logit of a proportion, or mean, from what the one arm (suffix 1) reports."""
    w = Work(x)
    measure, every = x.words["measure"], np.ones(x.n, dtype=bool)
    of = {name: measure == name for name in SINGLE_GROUP_MEASURES}
    w.fail(np.isnan(x["n1"]), "no_n", arm=_ARM)
    deff = effective_size(x, w)
    n = x["n1"] / deff
    if of["ZCOR"].any():
        _correlations(x, w, n)
    if of["PLO"].any():
        _proportions(x, w, n, deff, options)
    if of["MN"].any():
        _means(x, w, n, options)
    for name, rows in of.items():
        w.derivation.add(rows & w.alive, "measure", kind=name)
    w.derivation.add(
        w.corrected, "added_to_cells" if options.zero_cells == "all" else "zero_cell", amount=options.correction
    )
    finish(w, every)
    return w


def _correlations(x: Rows, w: Work, n: Floats) -> None:
    rows, r = x.words["measure"] == "ZCOR", x["r"]
    w.fail(rows & np.isnan(r), "no_correlation")
    w.fail(rows & (np.abs(r) == 1), "perfect_correlation")
    w.fail(rows & (n <= 3), "few_for_z")
    ok = rows & w.alive
    w.put(ok, measures.zcor(r[ok], n[ok]))
    w.step(ok, "ZCOR", r=r, n=n, yi=w.yi, vi=w.vi)


def _proportions(x: Rows, w: Work, n: Floats, deff: Floats, options: Options) -> None:
    rows, events = x.words["measure"] == "PLO", events_of(x, w, 1)
    w.fail(rows & np.isnan(events), "no_events", arm=_ARM)
    w.shown["events1"][rows] = events[rows]
    e = events / deff
    zero = (e == 0) | (e == n)
    w.fail(rows & zero & (options.zero_cells == "none"), "zero_cell_uncorrected")
    ok = rows & w.alive
    w.corrected = ok & (zero | (options.zero_cells == "all"))
    added = options.correction * w.corrected
    e, n = e + added, n + 2 * added
    w.put(ok, measures.plo(e[ok], n[ok]))
    w.step(w.corrected, "corrected_group", e=e, n=n)
    w.step(ok, "PLO", e=e, n=n, o=n - e, yi=w.yi, vi=w.vi)


def _means(x: Rows, w: Work, n: Floats, options: Options) -> None:
    rows, arm = x.words["measure"] == "MN", read_arm(x, w, 1, options)
    for name, value in (("no_mean", arm.mean), ("no_spread", arm.sd)):
        w.fail(rows & np.isnan(value), name, arm=_ARM)
    w.fail(rows & (arm.sd == 0), "zero_sd", arm=_ARM)
    note_spread(w, arm, rows & w.alive, options)
    low, high, to_low, to_high = (x[name] for name in ("scale_min1", "scale_max1", "target_min", "target_max"))
    wanted, known = ~np.isnan(to_low + to_high), ~np.isnan(low + high)
    w.fail(rows & wanted & ~known, "no_scale")
    moved = rows & wanted & known & ((low != to_low) | (high != to_high))
    factor = np.where(moved, (to_high - to_low) / np.where(moved, high - low, 1.0), 1.0)
    mean, sd = np.where(moved, to_low + (arm.mean - low) * factor, arm.mean), arm.sd * factor
    said = {"low": low, "high": high, "to_low": to_low, "to_high": to_high}
    w.derivation.add(moved, "rescaled", **said)
    w.step(moved, "rescaled", arm=arm.name, **said, factor=factor, mean=arm.mean, sd=arm.sd, m=mean, s=sd)
    w.shown["mean1"][rows], w.shown["sd1"][rows] = mean[rows], sd[rows]
    ok = rows & w.alive
    w.put(ok, measures.mn(mean[ok], sd[ok], n[ok]))
    w.step(ok, "MN", sd=sd, n=n, yi=w.yi, vi=w.vi)
