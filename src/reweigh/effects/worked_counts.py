"""Worked steps of effect sizes from counts per arm: patients, discordant pairs, events in person-time."""

from __future__ import annotations

import math

import numpy as np

from reweigh.effects import crossover, measures
from reweigh.effects.worked_page import ARM_NAMES, Effect, Page, design_effect_step, par, show

NAN = math.nan


def _count(page: Page, k: int) -> tuple[float, float]:
    n, events = page.num(f"n{k}"), page.num(f"events{k}")
    if math.isnan(events):
        percent = page.num(f"percent{k}")
        events = math.floor(percent * n / 100 + 0.5)
        page.step(
            f"{ARM_NAMES[k].capitalize()} arm: events from the percentage",
            f"{show(percent)} x {show(n)}/100 = {show(percent * n / 100)}, nearest whole count {show(events)}",
        )
    return (n - events if page.flip else events), n


def count_steps(page: Page) -> Effect:
    """RR, OR, RD, Peto OR or arcsine difference from events and n."""
    measure = page.word("measure")
    (e1, n1), (e2, n2) = _count(page, 1), _count(page, 2)
    if page.flip:
        page.step("Events and non-events exchanged", f"{show(e1)} of {show(n1)} against {show(e2)} of {show(n2)}")
    pairs = page.has("discordant1", "discordant2") and n1 == n2
    b = page.num("discordant2" if page.flip else "discordant1")
    deff = design_effect_step(page)
    e1, n1, e2, n2 = e1 / deff, n1 / deff, e2 / deff, n2 / deff
    phi_pairs = float(crossover.phi_from_discordant(e1, e2, n1, b)) if pairs else NAN
    options = page.options
    c1, m1, c2, m2, corrected = measures.correct_zero_cells(
        measure, e1, n1, e2, n2, options.zero_cells, options.correction
    )
    if bool(corrected):
        page.step(
            "Continuity correction",
            f"intervention {show(e1)}/{show(n1)} becomes {show(float(c1))}/{show(float(m1))}",
            f"control {show(e2)}/{show(n2)} becomes {show(float(c2))}/{show(float(m2))}",
            source="Sweeting 2004" if options.zero_cells == "tacc" else "Handbook 10.4.4.1",
        )
    e1, n1, e2, n2 = float(c1), float(m1), float(c2), float(m2)
    if measure == "PETO":
        return _peto(page, e1, n1, e2, n2)
    p1, p2 = e1 / n1, e2 / n2
    f1, f2 = f"{show(e1)}/{show(n1)}", f"{show(e2)}/{show(n2)}"
    if measure == "RR":
        yi, a, b_ = math.log(p1 / p2), 1 / e1 - 1 / n1, 1 / e2 - 1 / n2
        lines = [
            f"log RR = ln(({f1}) / ({f2})) = {show(yi)}",
            f"a = 1/{show(e1)} - 1/{show(n1)} = {show(a)}; b = 1/{show(e2)} - 1/{show(n2)} = {show(b_)}",
        ]
    elif measure == "OR":
        o1, o2 = n1 - e1, n2 - e2
        yi, a, b_ = math.log(e1 / o1) - math.log(e2 / o2), 1 / e1 + 1 / o1, 1 / e2 + 1 / o2
        lines = [
            f"log OR = ln(({show(e1)}/{show(o1)}) / ({show(e2)}/{show(o2)})) = {show(yi)}",
            f"a = 1/{show(e1)} + 1/{show(o1)} = {show(a)}; b = 1/{show(e2)} + 1/{show(o2)} = {show(b_)}",
        ]
    elif measure == "RD":
        yi, a, b_ = p1 - p2, p1 * (1 - p1) / n1, p2 * (1 - p2) / n2
        lines = [
            f"RD = {f1} - {f2} = {show(yi)}",
            f"a = p1 (1 - p1)/n1 = {f1} x (1 - {f1})/{show(n1)} = {show(a)}",
            f"b = p2 (1 - p2)/n2 = {f2} x (1 - {f2})/{show(n2)} = {show(b_)}",
        ]
    else:
        yi, a, b_ = math.asin(math.sqrt(p1)) - math.asin(math.sqrt(p2)), 1 / (4 * n1), 1 / (4 * n2)
        lines = [
            f"AS = asin(sqrt({f1})) - asin(sqrt({f2})) = {show(yi)} (radians)",
            f"a = 1/(4 x {show(n1)}) = {show(a)}; b = 1/(4 x {show(n2)}) = {show(b_)}",
        ]
    if not page.paired:
        page.step(
            _COUNT_TITLES[measure],
            *lines,
            f"variance = a + b = {show(a)} + {show(b_)} = {show(a + b_)}",
            source=_COUNT_SOURCES[measure],
        )
        return yi, a + b_
    return yi, _paired_variance(page, lines, a, b_, p1, p2, phi_pairs)


_COUNT_TITLES = {"RR": "Log risk ratio", "OR": "Log odds ratio", "RD": "Risk difference", "AS": "Arcsine difference"}
_COUNT_SOURCES = {"RR": "Handbook 6.4.1.2", "OR": "Handbook 6.4.1.2", "RD": "Handbook 6.4.1.4", "AS": "Ruecker 2009"}


def _paired_variance(page: Page, lines: list[str], a: float, b: float, p1: float, p2: float, phi_pairs: float) -> float:
    low, high = (float(v) for v in crossover.phi_limits(p1, p2))
    if math.isfinite(phi_pairs):
        phi, origin = phi_pairs, "from the discordant pairs"
    else:
        phi, origin = page.assumed("phi", page.options.phi)
    used = float(np.clip(phi, low, high))
    vi = a + b - 2 * used * math.sqrt(a * b)
    capped = [f"phi is capped at {show(used)}"] if abs(used - phi) > 1e-12 else []
    source = "Becker & Balagtas 1993" if page.word("measure") == "OR" else "delta method"
    page.step(
        f"{_COUNT_TITLES[page.word('measure')]} of a crossover trial",
        *lines,
        f"phi = {show(phi)} ({origin}); the margins allow {show(low)} to {show(high)}",
        *capped,
        "variance = a + b - 2 phi sqrt(a b)",
        f"   = {show(a)} + {show(b)} - 2 x {par(used)} x sqrt({show(a)} x {show(b)}) = {show(vi)}",
        source=source,
    )
    return vi


def _peto(page: Page, e1: float, n1: float, e2: float, n2: float) -> Effect:
    total, events = n1 + n2, e1 + e2
    expected = events * n1 / total
    v = events * (total - events) * n1 * n2 / (total**2 * (total - 1))
    page.step(
        "Peto's log odds ratio",
        f"O - E = {show(e1)} - {show(events)} x {par(n1)}/{show(total)} = {show(e1 - expected)}",
        f"V = {show(events)} x {show(total - events)} x {show(n1)} x {show(n2)} / ({show(total)}^2 x {show(total - 1)})"
        f" = {show(v)}",
        f"log OR = (O - E)/V = {show(e1 - expected)} / {show(v)} = {show((e1 - expected) / v)}",
        f"variance = 1/V = 1/{show(v)} = {show(1 / v)}",
        source="Handbook 10.4.2",
    )
    return (e1 - expected) / v, 1 / v


def conditional_steps(page: Page) -> Effect:
    """Conditional OR from discordant pairs."""
    b, c = page.num("discordant1"), page.num("discordant2")
    if page.flip:
        b, c = c, b
    policy = page.options.zero_cells
    if policy == "all" or (policy != "none" and 0 in (b, c)):
        b, c = b + page.options.correction, c + page.options.correction
        page.step("Continuity correction", f"discordant pairs {show(b)} and {show(c)}")
    yi, vi = math.log(b / c), 1 / b + 1 / c
    page.step(
        "Conditional log odds ratio of the discordant pairs",
        f"log OR = ln({show(b)} / {show(c)}) = {show(yi)}",
        f"variance = 1/{show(b)} + 1/{show(c)} = {show(vi)}",
        source="Elbourne 2002",
    )
    return yi, vi


def rate_steps(page: Page) -> Effect:
    """IRR or IRD from events and person-time."""
    deff = design_effect_step(page)
    x1, x2, t1, t2 = (page.num(c) / deff for c in ("events1", "events2", "time1", "time2"))
    c1, c2, corrected = measures.correct_zero_rates(x1, t1, x2, t2, page.options.zero_cells, page.options.correction)
    x1, x2 = float(c1), float(c2)
    if bool(corrected):
        page.step("Continuity correction", f"events {show(x1)} and {show(x2)}")
    if page.word("measure") == "IRR":
        yi, vi = math.log(x1 / t1) - math.log(x2 / t2), 1 / x1 + 1 / x2
        lines = [
            f"log IRR = ln(({show(x1)}/{show(t1)}) / ({show(x2)}/{show(t2)})) = {show(yi)}",
            f"variance = 1/{show(x1)} + 1/{show(x2)} = {show(vi)}",
        ]
    else:
        yi, vi = x1 / t1 - x2 / t2, x1 / t1**2 + x2 / t2**2
        lines = [
            f"IRD = {show(x1)}/{show(t1)} - {show(x2)}/{show(t2)} = {show(yi)}",
            f"variance = {show(x1)}/{par(t1)}^2 + {show(x2)}/{par(t2)}^2 = {show(vi)}",
        ]
    page.step("Incidence rates", *lines, source="Handbook 6.7.1")
    return yi, vi
