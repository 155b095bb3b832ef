"""The first screen of the page: an answer per claim or outcome, and the map of outcomes by time windows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from reweigh.figures.axis import axis_limits
from reweigh.io import records
from reweigh.measures import MEASURE_LABELS, MEASURES, analysed, scale_of
from reweigh.report import words
from reweigh.report.inputs import Inputs
from reweigh.text.certainty import SYMBOLS, Level
from reweigh.text.numbers import count_text, row_text, stated_text, whole

Row = dict[str, Any]
ENDS = ("estimate", "ci_lower", "ci_upper")
LEVELS = frozenset(map(str, Level))


def answers(inputs: Inputs) -> list[Row]:
    """One line per claim; without claims, one per outcome: the main analysis of most trials.

    Each has its title, what it says in words and numbers, and `marks` of its effect on an axis that it shares with all
    lines of its measure; where that is in units of an outcome, with those of the outcome.
    """
    lines = [_of_claim(claim) for claim in inputs.claims] or list(_of_outcomes(inputs))
    for measure, outcome in dict.fromkeys(_axis(line) for line in lines if line["measure"]):
        of = MEASURES[measure]
        mine = [line for line in lines if line["measure"] and _axis(line) == (measure, outcome)]
        effects = pd.DataFrame([line["ends"] for line in mine], columns=list(ENDS)).assign(kind="study")
        low, high = axis_limits(effects, scale=of.scale, null=of.null)
        for line in mine:
            line["marks"] = marks(dict(zip(ENDS, line["ends"], strict=True)), low, high, pooled=line["k"] > 1)
            line["null"] = 100 * (0 - low) / (high - low) if of.null else None
    return lines


def _axis(line: Row) -> tuple[str, str]:
    """Measure of a line, and its outcome where the measure is in units of one: kilograms and steps share no axis."""
    of = MEASURES[line["measure"]]
    return of.name, line["outcome"] if of.scale == "natural" and not of.standardised and of.type != "binary" else ""


def _of_claim(claim: Mapping[str, Any]) -> Row:
    line: Row = {"id": claim["id"], "measure": "", "ends": (), "k": 0}
    if claim.get("headline") is None:
        return line
    head = claim["statements"][claim["headline"]]
    if head["measure"] and head["estimate_natural"] is not None:
        ends = (math.nan if head[f"{end}_natural"] is None else head[f"{end}_natural"] for end in ENDS)
        scale = scale_of(head["measure"])
        line |= {"outcome": str(head.get("analysis", "")).partition(".")[0]}
        line |= {"measure": head["measure"], "k": head["k"], "ends": tuple(float(analysed(x, scale)) for x in ends)}
    return line


def _of_outcomes(inputs: Inputs) -> Iterable[Row]:
    for name, outcome in inputs.protocol.outcomes.items():
        mine = main_rows(inputs, name)
        line: Row = {"id": name, "href": f"#o-{name}", "title": outcome.label, "measure": "", "ends": (), "k": 0,
                     "outcome": name, "effect": "no usable trial", "count": "", "certainty": "",
                     "sentence": ""}  # fmt: skip
        if len(mine):
            row = records(mine.sort_values("k", ascending=False, kind="stable"))[0]
            analysis = str(row["analysis"])
            window = words.lower_first(words.window_label(str(row["window"]), inputs.protocol))
            found = next(iter(inputs.of("summary_of_findings", analysis)), {})
            n = "" if words.missing(row["participants"]) else f", n = {whole(row['participants'])}"
            line |= {
                "href": f"#a-{analysis}", "title": f"{outcome.label}, {window}", "measure": row["measure"],
                "ends": tuple(row[end] for end in ENDS), "k": row["k"], "effect": stated_text(row),
                "count": f"k = {count_text(row['k'], row.get('comparisons'))}{n}",
                "certainty": certainty_of(analysis, inputs), "sentence": found.get("sentence", ""),
            }  # fmt: skip
        yield line


def main_rows(inputs: Inputs, outcome: str) -> pd.DataFrame:
    """Rows of pooled.csv by the main model of an outcome's main set and measure, a window each."""
    mine = inputs.pooled[(inputs.pooled["outcome"] == outcome) & (inputs.pooled["set"] == "main")]
    return mine[mine["measure"] == inputs.protocol.outcomes[outcome].measure].drop_duplicates("analysis")


def certainty_of(analysis: str, inputs: Inputs) -> str:
    """Certainty of an analysis, empty where it was not judged."""
    found = inputs.of("certainty", analysis)
    return str(found[0]["certainty"]) if found else ""


def evidence_map(inputs: Inputs) -> Row:
    """Outcome by window: a cell each with its effect's marks, k and certainty, or how many trials could not be used.

    `windows`: those in which any outcome was measured. An outcome's cells share an axis, which its row names.
    """
    protocol, lost = inputs.protocol, _lost(inputs)
    rows = []
    for name, outcome in protocol.outcomes.items():
        mine = main_rows(inputs, name)
        cells: dict[str, Row] = {window: {"lost": n} for (of, window), n in lost.items() if of == name}
        row: Row = {"id": name, "label": outcome.label, "measure": MEASURE_LABELS[outcome.measure],
                    "null": None, "favours": None}  # fmt: skip
        if len(mine):
            of = MEASURES[outcome.measure]
            low, high = axis_limits(mine.assign(kind="study"), scale=of.scale, null=of.null)
            null = 100 * (0 - low) / (high - low) if of.null else None
            row |= {"null": null, "favours": protocol.favours(name) if outcome.better else None}
            cells |= {str(one["window"]): _cell(one, low, high, inputs) for one in records(mine)}
        rows.append(row | {"cells": cells})
    windows = [name for name in protocol.windows if any(name in row["cells"] for row in rows)]
    return {"windows": [(name, words.window_label(name, protocol)) for name in windows], "rows": rows}


def _lost(inputs: Inputs) -> dict[tuple[str, str], int]:
    """Trials that measured an outcome in a window of which no trial could be used."""
    found = {}
    for name in inputs.protocol.outcomes:
        for window in inputs.unusable(name):
            trials = {row["study_id"] for row in inputs.of("not_pooled", f"{name}.{window}")}
            found[name, window] = len(trials)
    return found


def _cell(row: Mapping[str, Any], low: float, high: float, inputs: Inputs) -> Row:
    certainty = certainty_of(str(row["analysis"]), inputs)
    return {
        "analysis": row["analysis"],
        "effect": row_text(row),
        "k": whole(row["k"]),
        "trials": count_text(row["k"], row.get("comparisons")),
        "n": whole(row["participants"]),
        "certainty": certainty,
        "symbol": SYMBOLS[Level(certainty)] if certainty in LEVELS else "",
        "marks": marks(row, low, high, pooled=row["k"] > 1),
    }


def marks(row: Mapping[str, Any], low: float, high: float, *, pooled: bool) -> Row:
    """Where an effect's marks stand between two limits of the analysis scale, in per cent; clipped beyond them."""

    def place(x: float) -> float:
        return round(float(np.clip(100 * (x - low) / (high - low), 0, 100)), 2)

    found: Row = {"kind": "pooled" if pooled else "single"}
    if not words.missing(row["estimate"]):
        found["at"] = place(row["estimate"])
    if not words.missing(row["ci_lower"]):
        found |= {"lower": place(row["ci_lower"]), "upper": place(row["ci_upper"])}
        found |= {"clipped_lower": row["ci_lower"] < low, "clipped_upper": row["ci_upper"] > high}
    return found
