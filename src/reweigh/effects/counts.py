"""Outcomes counted per arm: events of patients, discordant pairs, events in person-time."""

from __future__ import annotations

from typing import Any

import numpy as np

from reweigh.effects import conversions as conv
from reweigh.effects import crossover, measures
from reweigh.effects.conversions import Floats
from reweigh.effects.design import ASSUMED, finish, note_design, paired_rows, pairing
from reweigh.effects.measures import Bools
from reweigh.effects.notes import Texts
from reweigh.effects.table import Options, Rows
from reweigh.effects.work import Work
from reweigh.measures import BINARY_MEASURES

_ARMS = ("intervention", "control")


def events_of(x: Rows, w: Work, k: int) -> Floats:
    """Events of arm k as reported, else of its percentage."""
    events, percent, n = x[f"events{k}"], x[f"percent{k}"], x[f"n{k}"]
    derived = np.isnan(events) & ~np.isnan(percent) & ~np.isnan(n)
    count, fits = conv.events_from_percent(percent, n)
    exact = percent * n / 100
    w.derivation.add(derived, "percent_to_events", percent=percent, n=n, events=count)
    w.flags.add(derived & ~fits, "percent_no_count", percent=percent, n=n, exact=exact)
    w.flags.add(derived & fits, "events_from_percent")
    arm = _ARMS[k - 1].capitalize()
    w.step(derived, "percent_to_events", arm=arm, percent=percent, n=n, exact=exact, events=count)
    return np.where(derived, count, events)


def binary_effects(x: Rows, options: Options) -> Work:
    """RR, OR, RD, Peto OR and arcsine difference from events (or percentages) and n per arm."""
    w = Work(x)
    measure = x.words["measure"]
    n1, n2 = x["n1"], x["n2"]
    for n, name in zip((n1, n2), _ARMS, strict=True):
        w.fail(np.isnan(n), "no_n", arm=name)
    e1, e2 = events_of(x, w, 1), events_of(x, w, 2)
    for e, name in zip((e1, e2), _ARMS, strict=True):
        w.fail(np.isnan(e), "no_events", arm=name)
    w.derivation.add(x.flip, "events_exchanged")
    e1, e2 = np.where(x.flip, n1 - e1, e1), np.where(x.flip, n2 - e2, e2)
    w.step(x.flip, "events_exchanged", e1=e1, n1=n1, e2=e2, n2=n2)
    w.shown.update(events1=e1, events2=e2)
    deff = note_design(x, w, options)
    e1, n1, e2, n2 = e1 / deff, n1 / deff, e2 / deff, n2 / deff
    zero = measures.double_zero(e1, n1, e2, n2) & np.isin(measure, ["RR", "OR", "PETO"])
    w.fail(zero & (e1 == 0), "double_zero")
    kept = np.zeros(x.n, dtype=bool)
    paired = paired_rows(x, options)
    if options.zero_cells == "RevMan":
        for name in ("RR", "RD"):
            kept |= (measure == name) & ~paired & measures.revman_keeps(name, e1, n1, e2, n2)
    w.fail(zero & ~kept, "all_events")
    if options.zero_cells == "none":
        empty = ((e1 == 0) | (e2 == 0) | (e1 == n1) | (e2 == n2)) & (measure == "OR")
        empty |= ((e1 == 0) | (e2 == 0)) & (measure == "RR")
        w.fail(empty, "zero_cell_uncorrected")
    w.fail(paired & (measure == "PETO"), "no_paired_peto")
    phi, origin = _phi(x, w, paired, e1, n1, e2, n2, options)
    w.within = pairing(x, paired & (origin != ASSUMED), paired & (origin == ASSUMED))
    cells = {name: np.full(x.n, np.nan) for name in ("c1", "m1", "c2", "m2", "used", "low", "high")}
    for name in BINARY_MEASURES:
        of = (measure == name) & w.alive
        if not of.any():
            continue
        c1, m1, c2, m2, w.corrected[of] = measures.correct_zero_cells(
            name, e1[of], n1[of], e2[of], n2[of], options.zero_cells, options.correction
        )
        low, high = crossover.phi_limits(c1 / m1, c2 / m2)
        used, both = np.clip(phi[of], low, high), paired[of]
        for key, value in zip(cells, (c1, m1, c2, m2, used, low, high), strict=True):
            cells[key][of] = value
        yi, vi = np.full((2, len(c1)), np.nan)
        alone = c1[~both], m1[~both], c2[~both], m2[~both]
        yi[~both], vi[~both] = measures.peto(*alone) if name == "PETO" else measures.from_arms(name, *alone)
        if both.any():
            yi[both], vi[both] = crossover.binary(name, c1[both], m1[both], c2[both], m2[both], used[both])
            w.flags.add(of & paired & (np.abs(cells["used"] - phi) > 1e-12), "phi_capped", phi=cells["used"])
            w.derivation.add(of & paired, "marginal_phi")
        as_they_are = measures.from_arms(name, e1[of], n1[of], e2[of], n2[of])[0] if kept[of].any() else yi
        yi = np.where(kept[of], as_they_are, yi)
        w.put(of, (yi, vi))
        w.derivation.add(of, "measure", kind=name)
    if w.traced:
        _trace(w, measure, paired, kept, options, e1=e1, n1=n1, e2=e2, n2=n2, asked=phi, origin=origin, **cells)
    name = {"tacc": "zero_cell_tacc", "all": "added_to_cells"}.get(options.zero_cells, "zero_cell")
    w.derivation.add(w.corrected & ~kept, name, amount=options.correction)
    w.derivation.add(w.corrected & kept, "zero_cell_variance", amount=options.correction)
    finish(w, np.ones(x.n, dtype=bool))
    return w


def _trace(w: Work, measure: Texts, paired: Bools, kept: Bools, options: Options, **v: Floats | Texts) -> None:
    """Record the continuity correction, and estimate and variance of the (corrected) counts."""
    source = {"tacc": "Sweeting 2004", "RevMan": "RevMan 5"}.get(options.zero_cells, "Handbook 10.4.4.1")
    w.step(w.corrected, "corrected", source=source, **v)
    c1, m1, c2, m2 = (np.asarray(v[name], dtype=np.float64) for name in ("c1", "m1", "c2", "m2"))
    now: dict[str, Any] = {"e1": c1, "n1": m1, "e2": c2, "n2": m2, "o1": m1 - c1, "o2": m2 - c2, "yi": w.yi, "vi": w.vi}
    now |= {"u1": v["e1"], "w1": v["n1"], "u2": v["e2"], "w2": v["n2"]}
    now |= {"asked": v["asked"], "origin": v["origin"], "phi": v["used"], "lowest": v["low"], "highest": v["high"]}
    for name in BINARY_MEASURES:
        of = (measure == name) & w.alive
        if name == "PETO":
            oe, variance = measures.o_minus_e(c1, m1, c2, m2)
            w.step(of, "PETO", **now, events=c1 + c2, total=m1 + m2, oe=oe, v=variance)
        else:
            a, b = measures.arm_variances(name, c1, m1, c2, m2)
            w.step(of & ~paired & ~kept, name, **now, a=a, b=b)
            w.step(of & kept, f"{name} RevMan", **now, a=a, b=b)
            w.step(of & paired, f"crossover {name}", **now, a=a, b=b)


def _phi(
    x: Rows, w: Work, paired: Bools, e1: Floats, n1: Floats, e2: Floats, n2: Floats, options: Options
) -> tuple[Floats, Texts]:
    """phi of each crossover row: of both its discordant cells, else its own, else the protocol's; and where from."""
    b, c = x["discordant1"], x["discordant2"]
    b, c = np.where(x.flip, c, b), np.where(x.flip, b, c)
    cells = np.stack([e1 - b, b, c, n1 - e1 - c])  # both, intervention only, control only, neither
    whole = (np.abs((e1 - e2) - (b - c)) < 1e-9) & (cells >= -1e-9).all(axis=0)
    known = crossover.phi_from_discordant(e1, e2, n1, b)
    pairs = paired & (n1 == n2) & whole & np.isfinite(known)
    w.flags.add(paired & (np.isnan(b) != np.isnan(c)), "one_discordant_cell")
    w.flags.add(paired & ~np.isnan(b + c) & ~np.isnan(e1 + e2) & ~whole, "discordant_misfit")
    own = ~np.isnan(x["phi"])
    phi = np.where(pairs, known, np.where(own, x["phi"], options.phi))
    w.assumptions.add(paired & ~pairs & ~own, "phi", value=options.phi)
    w.assumptions.add(paired & own & ~pairs, "phi", value=phi, of="trial")
    w.derivation.add(pairs, "phi_from_pairs", phi=phi)
    where = [pairs, own]
    return phi, np.select(where, ["from the discordant pairs", "given for this trial"], ASSUMED)


def conditional_effects(x: Rows, w: Work, options: Options, rows: Bools) -> None:
    """Conditional OR of the rows that report discordant pairs."""
    if not rows.any():
        return
    b = np.where(x.flip, x["discordant2"], x["discordant1"])
    c = np.where(x.flip, x["discordant1"], x["discordant2"])
    w.fail(rows & np.isnan(b + c), "no_pairs")
    w.fail(rows & (b == 0) & (c == 0), "no_discordant_pair")
    zero = rows & ((b == 0) | (c == 0))
    if options.zero_cells == "none":
        zero[:] = False
    elif options.zero_cells == "all":
        zero = rows & w.alive
    b, c = b + options.correction * zero, c + options.correction * zero
    ok = rows & w.alive
    w.put(ok, measures.conditional_or(b[ok], c[ok]))
    w.corrected |= ok & zero
    w.derivation.add(ok, "measure", kind="COR-OR")
    w.derivation.add(ok & zero, "zero_pairs", amount=options.correction)
    w.step(ok & zero, "corrected_pairs", b=b, c=c)
    w.step(ok, "COR-OR", b=b, c=c, yi=w.yi, vi=w.vi)
    w.flags.add(ok & (x.words["measure"] == "OR"), "conditional_or")
    w.within[ok] = "measured"
    w.shown["events1"][rows], w.shown["events2"][rows] = x["events1"][rows], x["events2"][rows]
    finish(w, rows)


def rate_effects(x: Rows, options: Options) -> Work:
    """IRR and IRD from events and person-time per arm."""
    w = Work(x)
    measure = x.words["measure"]
    e1, e2, t1, t2 = x["events1"], x["events2"], x["time1"], x["time2"]
    w.fail(np.isnan(e1 + e2), "no_rate_events")
    w.fail(np.isnan(t1 + t2), "no_person_time")
    w.fail((measure == "IRR") & (e1 == 0) & (e2 == 0), "no_rate_information")
    w.fail(paired_rows(x, options), "no_paired_rate")
    w.shown.update(events1=e1, events2=e2)
    deff = note_design(x, w, options)
    e1, e2, t1, t2 = e1 / deff, e2 / deff, t1 / deff, t2 / deff
    c1, c2, corrected = measures.correct_zero_rates(e1, t1, e2, t2, options.zero_cells, options.correction)
    w.corrected = corrected & w.alive
    w.step(w.corrected, "corrected_rates", e1=c1, e2=c2)
    for name in ("IRR", "IRD"):
        rows = (measure == name) & w.alive
        w.put(rows, measures.from_arms(name, c1[rows], t1[rows], c2[rows], t2[rows]))
        w.derivation.add(rows, "measure", kind=name)
        w.step(rows, name, e1=c1, t1=t1, e2=c2, t2=t2, yi=w.yi, vi=w.vi)
    w.derivation.add(w.corrected, "zero_rate", amount=options.correction)
    finish(w, np.ones(x.n, dtype=bool))
    return w
