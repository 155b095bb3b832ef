"""A forest plot for narrow screens: the lines of its table, label and numbers above the track of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pandas as pd

from reweigh.figures.axis import axis_limits, round_ticks
from reweigh.figures.forest.table import ARMS, ForestMeta
from reweigh.io import records
from reweigh.text.numbers import DASH, level_text

#: Kinds of lines by what they become.
NOTES = ("heterogeneity line", "test line", "footnote")
#: How far beyond the track, in its widths, an outline is still drawn: what is cut there keeps its slope.
BEYOND = 2000.0


def stacked(table: pd.DataFrame, meta: ForestMeta, notes: Sequence[str] = ()) -> dict[str, Any]:
    """What the template draws of a forest plot where the figure is too wide.

    Parameters
    ----------
    table, meta
        From and for `forest_table`, in our own layout.
    notes
        For each trial in its order the id of its worked page.

    Returns
    -------
    `title` and `head` (what the numbers are), `rows` in printed order, `ticks` (percent of the track, label) and `null`
    (percent, None without one), `favours`, and `notes` (mark, text) below. Places are percent of the track from the
    left. A row has a `kind` (heading, note, square, diamond, outline, bar, none), its texts, and its `places` (`a` and
    `b` the ends of the interval, `e` the estimate) and arrows.
    """
    low, high = axis_limits(table, scale=meta.scale, null=meta.null)

    def place(x: float) -> float:
        return round(min(max(100 * (x - low) / (high - low), -BEYOND), 100 + BEYOND), 1)

    def apart(ticks: list[float], _: list[str]) -> bool:
        return len(ticks) <= 5 and min((b - a for a, b in pairwise(ticks)), default=high) > 0.14 * (high - low)

    lines = records(table)
    heads = {line["row_id"]: line for line in lines if line["kind"] == "column header"}
    rows, below, trial = [], [], iter(notes)
    for line in lines:
        if line["kind"] in NOTES and not line["indent"]:
            below.append((line["note_marks"], line["label"]))
        elif line["kind"] not in ("title", "column header", "total events"):
            rows.append(_row(line, place, next(trial, "") if line["kind"] == "study" else ""))
    at, labels = round_ticks(low, high, scale=meta.scale, fits=apart)
    arms = " v ".join(dict.fromkeys(name for arm in ARMS if (name := _first(heads["header-top"], arm))))
    measure = f"{heads['header-top']['effect']} {heads['header']['effect']}"
    counted = "events/patients, " * any(heads["header"][f"events_{arm}"] for arm in ARMS)
    return {
        "title": meta.title,
        "head": measure + (f"; {counted}{arms}" if arms else ""),
        "rows": rows,
        "ticks": [(place(t), label) for t, label in zip(at, labels, strict=True)],
        "null": place(0.0) if meta.null else None,
        "favours": (meta.favours_left, meta.favours_right) if meta.favours_left or meta.favours_right else None,
        "level": level_text(meta.level),
        "notes": below,
    }


def _row(line: Mapping[str, Any], place: Any, note: str) -> dict[str, Any]:
    ends = [line["ci_lower"], line["ci_upper"]]
    drawn = bool(line["marker"]) and all(map(math.isfinite, ends))
    kind = {"subgroup heading": "heading"} | dict.fromkeys(NOTES, "note")
    marker = line["marker"] if line["marker"] != "diamond" or line["kind"] == "overall" else "subtotal"
    places = {"a": place(ends[0]), "b": place(ends[1])} if drawn else {}
    if drawn and math.isfinite(line["estimate"]):
        places["e"] = place(line["estimate"])
    data = " v ".join(filter(None, (_data(line, arm) for arm in ARMS)))
    weight = f"weight {line['weight_text']}" if line["weight_text"] not in ("", DASH) else ""
    return {
        "kind": kind.get(line["kind"], marker if drawn else "none"),
        "label": line["label"],
        "marks": line["note_marks"],
        "note": note,
        "effect": line["effect"],
        "data": "; ".join(filter(None, (data, weight))),
        "places": places,
        "clipped": [side for side in ("lower", "upper") if drawn and line[f"clipped_{side}"]],
    }


def _first(line: Mapping[str, Any], arm: str) -> str:
    """The name of an arm in the upper header."""
    return next((line[f"{what}_{arm}"] for what in ("events", "mean", "n") if line[f"{what}_{arm}"]), "")


def _data(line: Mapping[str, Any], arm: str) -> str:
    """`7/12`, `2.68 (2.79), n 30`, `n 20`: what an arm reports."""
    events, mean, sd, n = (line[f"{what}_{arm}"].replace(DASH, "") for what in ("events", "mean", "sd", "n"))
    found = f"{mean} ({sd})" if mean and sd else mean
    return events or ", ".join(filter(None, (found, f"n {n}" if n else "")))
