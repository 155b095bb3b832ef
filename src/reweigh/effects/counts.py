"""Outcomes counted per arm: events of patients, discordant pairs, events in person-time."""

from __future__ import annotations

import numpy as np

from reweigh.effects import conversions as conv
from reweigh.effects import crossover, measures
from reweigh.effects.conversions import Floats
from reweigh.effects.design import MEASURE_TEXT, finish, note_design, paired_rows
from reweigh.effects.measures import Bools
from reweigh.effects.notes import number, texts
from reweigh.effects.table import Options, Rows
from reweigh.effects.work import Work
from reweigh.measures import BINARY_MEASURES


def _events(x: Rows, w: Work, k: int) -> Floats:
    events, percent, n = x[f"events{k}"], x[f"percent{k}"], x[f"n{k}"]
    derived = np.isnan(events) & ~np.isnan(percent) & ~np.isnan(n)
    count, fits = conv.events_from_percent(percent, n)
    if derived.any():
        w.derivation.add(derived, texts(percent) + "% of " + texts(n) + " -> " + texts(count) + " events")
        exact = percent * n / 100
        w.flags.add(
            derived & ~fits,
            texts(percent) + "% of " + texts(n) + " is " + texts(exact, lambda v: f"{v:.2f}") + ", no whole count",
        )
        w.flags.add(derived & fits, "events from a percentage")
    return np.where(derived, count, events)


def binary_effects(x: Rows, options: Options) -> Work:
    """RR, OR, RD, Peto OR and arcsine difference from events (or percentages) and n per arm."""
    w = Work(x.n)
    measure = x.words["measure"]
    n1, n2 = x["n1"], x["n2"]
    for n, name in ((n1, "intervention"), (n2, "control")):
        w.fail(np.isnan(n), f"no n in the {name} arm", "n per arm")
    e1, e2 = _events(x, w, 1), _events(x, w, 2)
    for e, name in ((e1, "intervention"), (e2, "control")):
        w.fail(np.isnan(e), f"no events or percentage in the {name} arm", "events per arm")
    w.derivation.add(x.flip, "events and non-events exchanged")
    e1, e2 = np.where(x.flip, n1 - e1, e1), np.where(x.flip, n2 - e2, e2)
    w.shown.update(events1=e1, events2=e2)
    deff = note_design(x, w, options)
    e1, n1, e2, n2 = e1 / deff, n1 / deff, e2 / deff, n2 / deff
    zero = measures.double_zero(e1, n1, e2, n2) & np.isin(measure, ["RR", "OR", "PETO"])
    w.fail(
        zero & (e1 == 0),
        "no events in either arm: no information on a ratio",
        "nothing; the risk difference can use it",
    )
    w.fail(
        zero,
        "all patients had the event in both arms: no information on a ratio",
        "nothing; the risk difference can use it",
    )
    if options.zero_cells == "none":
        empty = ((e1 == 0) | (e2 == 0) | (e1 == n1) | (e2 == n2)) & (measure == "OR")
        empty |= ((e1 == 0) | (e2 == 0)) & (measure == "RR")
        w.fail(
            empty, "a zero cell and no continuity correction in the protocol", "nothing; a zero-cell policy can use it"
        )
    paired = paired_rows(x, options)
    w.fail(paired & (measure == "PETO"), "no paired form of the Peto OR", "OR instead, or discordant pairs")
    phi = _phi(x, w, paired, e1, n1, e2, n2, options)
    for name in BINARY_MEASURES:
        of = (measure == name) & w.alive
        if not of.any():
            continue
        c1, m1, c2, m2, corrected = measures.correct_zero_cells(
            name, e1[of], n1[of], e2[of], n2[of], options.zero_cells, options.correction
        )
        w.corrected[of] = corrected
        alone = ~paired[of]
        yi, vi = np.full(c1.shape, np.nan), np.full(c1.shape, np.nan)
        independent = {
            "RR": measures.rr,
            "OR": measures.odds_ratio,
            "RD": measures.rd,
            "PETO": measures.peto,
            "AS": measures.arcsine,
        }[name]
        if alone.any():
            yi[alone], vi[alone] = independent(c1[alone], m1[alone], c2[alone], m2[alone])
        both = paired[of]
        if both.any():
            low, high = crossover.phi_limits(c1[both] / m1[both], c2[both] / m2[both])
            asked = phi[of][both]
            used = np.clip(asked, low, high)
            yi[both], vi[both] = crossover.binary(name, c1[both], m1[both], c2[both], m2[both], used)
            capped = np.zeros(x.n, dtype=bool)
            full = np.full(x.n, np.nan)
            at = np.flatnonzero(of)[both]
            capped[at], full[at] = np.abs(used - asked) > 1e-12, used
            w.flags.add(capped, "phi capped at " + texts(full) + ", all that the margins allow")
            w.derivation.add(at_mask(x.n, at), "crossover, marginal method with phi")
        w.put(of, (yi, vi))
        w.derivation.add(of, MEASURE_TEXT[name])
    amount = (
        f"{number(options.correction)} to each cell" if options.zero_cells != "tacc" else "treatment-arm correction"
    )
    w.derivation.add(w.corrected, f"zero cell: {amount}" if options.zero_cells != "all" else amount)
    finish(w, np.ones(x.n, dtype=bool))
    return w


def _phi(x: Rows, w: Work, paired: Bools, e1: Floats, n1: Floats, e2: Floats, n2: Floats, options: Options) -> Floats:
    """phi of each crossover row: of its discordant pairs, else its own, else the protocol's."""
    b = np.where(x.flip, x["discordant2"], x["discordant1"])
    known = crossover.phi_from_discordant(e1, e2, n1, b)
    pairs = paired & (n1 == n2) & np.isfinite(known)
    own = ~np.isnan(x["phi"])
    phi = np.where(pairs, known, np.where(own, x["phi"], options.phi))
    w.assumptions.add(paired & ~pairs & ~own, f"phi = {number(options.phi)}")
    if (paired & (own | pairs)).any():
        w.assumptions.add(paired & own & ~pairs, "phi = " + texts(phi) + " (of this trial)")
        w.derivation.add(pairs, "phi = " + texts(phi) + " from the discordant pairs")
    return phi


def conditional_effects(x: Rows, w: Work, options: Options, rows: Bools) -> None:
    """Conditional OR of the rows that report discordant pairs."""
    if not rows.any():
        return
    b = np.where(x.flip, x["discordant2"], x["discordant1"])
    c = np.where(x.flip, x["discordant1"], x["discordant2"])
    w.fail(rows & np.isnan(b + c), "discordant pairs not reported", "numbers of discordant pairs")
    w.fail(rows & (b == 0) & (c == 0), "no discordant pair: no information on a ratio", "nothing")
    zero = rows & ((b == 0) | (c == 0))
    if options.zero_cells == "none":
        zero[:] = False
    elif options.zero_cells == "all":
        zero = rows & w.alive
    b, c = b + options.correction * zero, c + options.correction * zero
    ok = rows & w.alive
    w.put(ok, measures.conditional_or(b[ok], c[ok]))
    w.corrected |= ok & zero
    w.derivation.add(ok, MEASURE_TEXT["COR-OR"])
    w.derivation.add(ok & zero, f"zero cell: {number(options.correction)} to each count of pairs")
    w.flags.add(ok & (x.words["measure"] == "OR"), "conditional OR beside marginal ORs")
    w.shown["events1"][rows], w.shown["events2"][rows] = x["events1"][rows], x["events2"][rows]
    finish(w, rows)


def rate_effects(x: Rows, options: Options) -> Work:
    """IRR and IRD from events and person-time per arm."""
    w = Work(x.n)
    measure = x.words["measure"]
    e1, e2, t1, t2 = x["events1"], x["events2"], x["time1"], x["time2"]
    w.fail(np.isnan(e1 + e2), "no number of events per arm", "events per arm")
    w.fail(np.isnan(t1 + t2), "no person-time per arm", "person-time per arm")
    w.fail((measure == "IRR") & (e1 == 0) & (e2 == 0), "no events in either arm: no information on a ratio", "nothing")
    w.fail(paired_rows(x, options), "no paired form of a rate comparison", "rate ratio with CI")
    w.shown.update(events1=e1, events2=e2)
    deff = note_design(x, w, options)
    e1, e2, t1, t2 = e1 / deff, e2 / deff, t1 / deff, t2 / deff
    c1, c2, corrected = measures.correct_zero_rates(e1, t1, e2, t2, options.zero_cells, options.correction)
    for name, formula in (("IRR", measures.irr), ("IRD", measures.ird)):
        rows = (measure == name) & w.alive
        w.put(rows, formula(c1[rows], t1[rows], c2[rows], t2[rows]))
        w.derivation.add(rows, MEASURE_TEXT[name])
    w.corrected = corrected & w.alive
    w.derivation.add(w.corrected, f"no events: {number(options.correction)} to each count")
    finish(w, np.ones(x.n, dtype=bool))
    return w


def at_mask(n: int, at: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Bools:
    """Boolean mask of length n from positions."""
    mask = np.zeros(n, dtype=bool)
    mask[at] = True
    return mask
