"""The derivation of one effect size as a page that can be followed with a calculator.

The page works from the printed numbers with its own scalar arithmetic and refuses to end elsewhere than `compute` did,
so page and table cannot drift apart.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any

from reweigh.effects.conversions import z_critical
from reweigh.effects.table import LOG_REPORTED, Options
from reweigh.effects.worked_contrasts import contrast_steps
from reweigh.effects.worked_counts import conditional_steps, count_steps, rate_steps
from reweigh.effects.worked_means import continuous_steps
from reweigh.effects.worked_page import Effect, Page, show
from reweigh.measures import BINARY_MEASURES, CONTINUOUS_MEASURES, RATIO_MEASURES


def worked_example(given: Mapping[str, Any], result: Mapping[str, Any], options: Options | None = None) -> str:
    """Markdown that derives ``result`` (a row of `compute`) from ``given`` (the row of its table), step by step.

    Headings start at level 3.  A row without an effect gives its reason and what would be needed.  Raises ValueError if
    the steps do not end at the estimate and variance of ``result``.
    """
    page = _page(given, options or Options())
    if result["reason"]:
        return f"No effect size: {result['reason']}.\n\nNeeded: {result['needed']}.\n"
    yi, vi = _steps(page)
    if math.isnan(vi):  # the AV variance needs the other trials
        vi = float(result["variance"])
    for name, mine, theirs in (("estimate", yi, result["estimate"]), ("variance", vi, result["variance"])):
        if not math.isclose(mine, theirs, rel_tol=1e-9, abs_tol=1e-12):
            msg = f"the worked steps give {name} {mine!r}, the table has {theirs!r}"
            raise ValueError(msg)
    _result(page, yi, vi)
    notes = [
        f"{title}: {result[column]}."
        for title, column in (
            ("Chain", "derivation"),
            ("Assumptions", "assumptions"),
            ("Flags", "flags"),
        )
        if result[column]
    ]
    return "\n".join([*page.lines, *(line for note in notes for line in (note, ""))]).rstrip() + "\n"


def _page(given: Mapping[str, Any], options: Options) -> Page:
    """A page on which ratios printed as logarithms stand as ratios."""
    page = Page(given, options)
    name = LOG_REPORTED.get(page.word("reported_measure"))
    if name is None:
        return page
    columns = [c for c in ("estimate", "ci_lower", "ci_upper") if page.has(c)]
    natural = {c: math.exp(page.num(c)) for c in columns}
    page = Page({**given, **natural, "reported_measure": name}, options)
    lines = [f"exp({show(math.log(natural[c]))}) = {show(natural[c])}" for c in columns]
    page.step(f"{name} from its logarithm", *lines)
    return page


def _steps(page: Page) -> Effect:
    measure, reported = page.word("measure"), page.word("reported_measure")
    per_arm = ("mean1", "median1", "events1", "percent1", "discordant1")
    if not reported and not any(page.has(c) for c in per_arm):
        reported = "OE_V" if page.has("oe") else measure if page.has("estimate") else ""
    if reported:
        return contrast_steps(page, reported)
    pairs = page.has("discordant1", "discordant2")
    if measure == "COR-OR" or (measure == "OR" and pairs and page.paired):
        return conditional_steps(page)
    if measure in CONTINUOUS_MEASURES:
        return continuous_steps(page)
    return count_steps(page) if measure in BINARY_MEASURES else rate_steps(page)


def _exp(x: float) -> str:
    return show(math.exp(x)) if x < math.log(sys.float_info.max) else "infinity"


def _result(page: Page, yi: float, vi: float) -> None:
    se, level = math.sqrt(vi), page.options.level
    half = float(z_critical(level)) * se
    low, high = yi - half, yi + half
    lines = [
        f"estimate = {show(yi)}, SE = sqrt({show(vi)}) = {show(se)}",
        f"{show(100 * level)}% CI = {show(yi)} -+ {show(half / se)} x {show(se)} = {show(low)} to {show(high)}",
    ]
    if page.word("measure") in RATIO_MEASURES:
        lines.append(f"natural scale: exp({show(yi)}) = {_exp(yi)}, CI {_exp(low)} to {_exp(high)}")
    page.step("Result", *lines)
