"""RevMan 5's export of "Data and analyses" as CSV: a row per comparison, analysis, subgroup and study, in order."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import pandas as pd

from reweigh.exchange.analyses import (
    LARGEST_NUMBER,
    Key,
    Review,
    Settings,
    effect_measure,
    outcome_of,
    plain,
    pooled_of,
    table_of,
)
from reweigh.exchange.csvs import Sheet
from reweigh.exchange.result import Cell
from reweigh.measures import RATIO_MEASURES

NEEDED = ("Comparison Number", "Outcome Number", "Subgroup Number", "Name")
_KINDS = {"DIC": "counts", "CON": "means", "IV": "given", "GIV": "given", "IPD": "oe", "OEV": "oe"}
_METHODS = {"MH": "M-H", "IV": "IV", "PETO": "Peto", "EXP_O_E_VAR": "Peto"}
_NUMBERS = {
    "n1": "Total 1", "mean1": "Mean 1", "sd1": "SD 1", "events1": "Events 1",
    "n2": "Total 2", "mean2": "Mean 2", "sd2": "SD 2", "events2": "Events 2",
    "oe": "O-E", "v": "Variance", "weight": "Weight",
    "estimate": "Effect Estimate", "ci_lower": "CI Start", "ci_upper": "CI End",
}  # fmt: skip
_POOLED = ("Effect Estimate", "CI Start", "CI End", "Tau²", "I²(Q)", "P(Z)", "df", "Total 1", "Total 2")


def read_csv_export(sheet: Sheet) -> Review:
    """The review of one export.

    A row whose outcome number is 0 names a comparison; the first row of an analysis has its settings and total; the
    first row of a subgroup (numbered from 1) its total; every other row is a study's. Fields that were not exported
    are empty.
    """
    review = Review(sheet.name.rpartition(".")[0] or sheet.name, source=f"RevMan 5 export {sheet.name}")
    review.title = plain(re.sub(r"_CR$", "", review.name))
    if sheet.unusual:
        review.notes.append(f"{sheet.name} has {sheet.unusual}; it was read as it was meant.")
    rows: list[dict[str, object]] = []
    comparisons: dict[int, str] = {}
    subgroups: dict[tuple[Key, int], str] = {}
    for number, cells in zip(sheet.frame.index, sheet.frame.to_dict("records"), strict=True):
        said = {str(name): str(text).strip() for name, text in cells.items()}
        group, outcome, subgroup = (_number(said[name]) for name in NEEDED[:3])
        if group is None or outcome is None or subgroup is None:
            where = next(name for name in NEEDED[:3] if _number(said[name]) is None)
            review.cells.append(Cell(sheet.name, int(number), where, said[where], "", "no_analysis_or_study"))
            continue
        key, name = (group, outcome), plain(said["Name"])
        if outcome == 0:
            comparisons[group] = name
        elif key not in review.settings:
            review.settings[key] = _settings(said, name, comparisons.get(group, ""))
        elif subgroup and (key, subgroup) not in subgroups:
            subgroups[key, subgroup] = name
            review.subgroups.append({"outcome": outcome_of(key), "subgroup": name, **pooled_of(said, *_POOLED)})
        elif said.get("Data Type", "").upper() == "OTH" or review.settings[key].kind == "text":
            review.cells.append(Cell(sheet.name, int(number), "Name", name, "", "text_data"))
        else:
            values = {ours: said.get(theirs, "") for ours, theirs in _NUMBERS.items()}
            if review.settings[key].kind == "given":
                values |= _given(said, review.settings[key])
            rows.append(
                {
                    "file": sheet.name, "row": int(number), "group": group, "number": outcome, "study": name,
                    "year": said.get("Year of study", ""), "subgroup": subgroups.get((key, subgroup), ""), **values,
                }
            )  # fmt: skip
    review.rows = table_of(rows)
    return review


def _number(text: str) -> int | None:
    value = pd.to_numeric(text, errors="coerce")
    return int(value) if 0 <= value < LARGEST_NUMBER and value % 1 == 0 else None


def _settings(said: Mapping[str, str], name: str, group_name: str) -> Settings:
    kind = said.get("Data Type", "").upper()
    measure, non_event = effect_measure(said.get("Effect Measure", ""))
    random = {"F": False, "R": True}.get(said.get("Analysis Model", "")[:1].upper())
    return Settings(
        name=name,
        group_name=group_name,
        kind="text" if kind == "OTH" else _KINDS.get(kind, ""),
        measure=measure,
        said=said.get("Effect Measure", ""),
        ratio=measure in RATIO_MEASURES if measure else None,
        swapped=non_event,
        method=_METHODS.get(said.get("Statistical Method", "").upper(), ""),
        random=random,
        arms=(said.get("Group Label 1", ""), said.get("Group Label 2", "")),
        sides=(said.get("Left Graph Label", ""), said.get("Right Graph Label", "")),
        pooled=pooled_of(said, *_POOLED),
    )


def _given(said: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """A given effect on the analysis scale: the export has the estimate as printed, and the SE of its logarithm.

    Where the measure does not tell whether it is a ratio, an interval that is symmetric around the logarithm does.
    """
    estimate, se = said.get("Effect Estimate", ""), said.get("SE", "")
    ends = (said.get("CI Start", ""), said.get("CI End", ""))
    value, low, high = (float(pd.to_numeric(text, errors="coerce")) for text in (estimate, *ends))
    sound = min(value, low, high) > 0 and math.isfinite(value + low + high)
    log = sum(map(math.log, (low, high))) - 2 * math.log(value) if sound else math.nan
    symmetric = abs(log) < abs(low + high - 2 * value)
    if 0 < value < math.inf and (settings.ratio or (settings.ratio is None and symmetric)):
        return {"giv": repr(math.log(value)), "giv_se": se}
    return {"giv": estimate, "giv_se": se}


__all__ = ["NEEDED", "read_csv_export"]
