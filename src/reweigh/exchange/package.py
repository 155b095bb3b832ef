"""Cochrane data packages (version 1 and 2), and files with the data rows of many reviews.

The columns are those of Cochrane's data package specification (documentation.cochrane.org/revman-kb). Version 2 (since
23 September 2024) names the graph's sides, the tau2 estimator and the CI method, and one level for all intervals.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from reweigh.exchange.analyses import (
    LARGEST_NUMBER,
    Judgement,
    Key,
    Review,
    Settings,
    effect_measure,
    outcome_of,
    plain,
    pooled_of,
    table_of,
    unmarked,
)
from reweigh.exchange.bias import domain_of
from reweigh.exchange.csvs import Sheet, read_sheet
from reweigh.exchange.result import Cell
from reweigh.measures import RATIO_MEASURES

DATA_ROWS, SETTINGS, SUBGROUPS = "data-rows.csv", "overall-estimates-and-settings.csv", "subgroup-estimates.csv"
BIAS, STUDIES = "risk-of-bias.csv", "study-information.csv"
NEEDED = ("Analysis group", "Analysis number", "Study")
"""Columns without which a table holds no data rows."""
REVIEW, DOI = "Review", "Review doi"

_NUMBERS = {
    "n1": "Experimental N", "mean1": "Experimental mean", "sd1": "Experimental SD", "events1": "Experimental cases",
    "n2": "Control N", "mean2": "Control mean", "sd2": "Control SD", "events2": "Control cases",
    "giv": "GIV Mean", "giv_se": "GIV SE", "oe": "O-E", "v": "Variance",
    "weight": "Weight", "estimate": "Mean", "ci_lower": "CI start", "ci_upper": "CI end",
}  # fmt: skip
_TEXTS = {"subgroup": "Subgroup", "applicability": "Applicability", "note": "Footnotes"}
_POOLED = (
    "Mean", "CI start", "CI end", "Heterogeneity Tau²", "Heterogeneity I²", "Effect P", "Heterogeneity df",
    "Experimental N", "Control N",
)  # fmt: skip
_KINDS = {"dichotomous": "counts", "continuous": "means", "contrast level": "given", "o-e and variance": "oe"}
_METHODS = {"mh": "M-H", "m-h": "M-H", "iv": "IV", "peto": "Peto", "exp_o_e_var": "Peto"}
JUDGED, SUPPORT = "Domain (judgement): ", "Domain (support): "
"""How the columns of a table of judgements begin."""


def parts_of(files: Mapping[str, bytes]) -> dict[str, dict[str, tuple[str, bytes]]]:
    """The packages among the files: name of the package to its parts (`DATA_ROWS`, ...), each with its file's name."""
    found: dict[str, dict[str, tuple[str, bytes]]] = {}
    for path, data in files.items():
        name = re.split(r"[/\\]", path)[-1]
        for part in (DATA_ROWS, SETTINGS, SUBGROUPS, BIAS, STUDIES):
            if name.casefold().endswith(part):
                prefix = name[: -len(part)].rstrip("-_ ") or "review"
                found.setdefault(prefix, {})[part] = name, data
    return {prefix: parts for prefix, parts in found.items() if DATA_ROWS in parts}


def read_package(name: str, parts: Mapping[str, tuple[str, bytes]]) -> Review:
    """A package by its parts, as `parts_of` finds them; what cannot be read is a problem of the review."""
    review, sheets = Review(name, source=f"Cochrane data package {name}"), dict[str, Sheet]()
    for part, (file, data) in parts.items():
        try:
            sheets[part] = read_sheet(file, data)
        except ValueError as why:
            review.problems.append(f"{why}.")
    if review.problems:
        return review
    missing = [column for column in NEEDED if column not in sheets[DATA_ROWS].columns]
    if missing:
        review.problems.append(lacking(sheets[DATA_ROWS], missing, "the data rows of a Cochrane data package"))
        return review
    review.notes += [f"{s.name} has {s.unusual}; it was read as it was meant." for s in sheets.values() if s.unusual]
    _data_rows(review, sheets[DATA_ROWS])
    if SETTINGS in sheets:
        _settings(review, sheets[SETTINGS])
    if SUBGROUPS in sheets:
        _subgroups(review, sheets[SUBGROUPS])
    if BIAS in sheets:
        _bias(review, sheets[BIAS])
    if STUDIES in sheets:
        read_information(review, sheets[STUDIES])
    _without_data(review)
    return review


def read_corpus(sheet: Sheet) -> dict[str, Review]:
    """The reviews of one table of data rows with a column `Review`, in the order in which they come."""
    reviews = {}
    for name, frame in sheet.frame.groupby(sheet.column(REVIEW).map(plain), sort=False):
        mine = Sheet(sheet.name, frame)
        review = Review(str(name), doi=plain(next((d for d in mine.column(DOI) if d.strip()), "")))
        _data_rows(review, mine)
        reviews[review.name] = review
    return reviews


def lacking(sheet: Sheet, missing: Iterable[str], what: str) -> str:
    """One sentence: what a table looks like, and which columns it lacks to be `what`."""
    seen = ", ".join(sheet.columns[:12]) + (" ..." if len(sheet.columns) > 12 else "")
    return f"{sheet.name} is a table with the columns {seen}; to be {what} it lacks {', '.join(missing)}."


def _keys(sheet: Sheet) -> tuple[pd.Series, pd.Series, pd.Series]:
    """Numbers of comparison and analysis, and the rows that have both."""
    group, number = (pd.to_numeric(sheet.column(c), errors="coerce") for c in NEEDED[:2])
    group, number = (x.where(x.between(0, LARGEST_NUMBER)) for x in (group, number))
    return group, number, (group % 1 == 0) & (number % 1 == 0)


def _data_rows(review: Review, sheet: Sheet) -> None:
    group, number, whole = _keys(sheet)
    named = sheet.column("Study").str.strip() != ""
    for row in sheet.frame.index[~(whole & named)]:
        at = next(c for c in NEEDED if c == "Study" or not whole[row])
        review.cells.append(Cell(sheet.name, int(row), at, str(sheet.column(at)[row]), "", "no_analysis_or_study"))
    frame = sheet.frame[whole & named]
    mine = Sheet(sheet.name, frame)
    table = pd.DataFrame({name: mine.column(column).str.strip() for name, column in _NUMBERS.items()})
    table = table.assign(**{name: mine.column(column).map(unmarked) for name, column in _TEXTS.items()})
    table = table.assign(
        file=sheet.name, row=frame.index, group=group[frame.index].astype(int), number=number[frame.index].astype(int),
        study=mine.column("Study").map(plain), year=mine.column("Study year").str.strip(),
    )  # fmt: skip
    review.rows = table_of([]).reindex(columns=table_of([]).columns)
    review.rows = table[list(review.rows.columns)].reset_index(drop=True)
    names = mine.column("Analysis name")
    for key, name in zip(zip(review.rows["group"], review.rows["number"], strict=True), names, strict=True):
        review.settings.setdefault(key, Settings(name=plain(name)))
    _bias_of_rows(review, mine)


def _bias_of_rows(review: Review, sheet: Sheet) -> None:
    """RoB 2 judges each result: a column per domain beside the numbers."""
    for column in sheet.columns:
        if column in _NUMBERS.values() or not domain_of(column)[0]:
            continue
        support = sheet.column(f"{column} support")
        for at, text in enumerate(sheet.column(column).tolist()):
            if text.strip():
                one = review.rows.iloc[at]
                outcome = outcome_of((int(one["group"]), int(one["number"])))
                review.bias.append(
                    Judgement(
                        sheet.name,
                        int(one["row"]),
                        one["study"],
                        outcome,
                        column,
                        plain(text),
                        unmarked(support.iloc[at]),
                    )
                )


def _yes(text: str) -> bool | None:
    return {"true": True, "yes": True, "false": False, "no": False}.get(text.strip().casefold())


def _level(text: str) -> float | None:
    """A level as a fraction: "95%", "95" or "0.95"."""
    value = pd.to_numeric(text.strip().rstrip("%"), errors="coerce")
    if np.isnan(value) or not 0 < value < 100:
        return None
    return float(round(value / 100, 6) if value >= 1 else value)


def _settings(review: Review, sheet: Sheet) -> None:
    group, number, whole = _keys(sheet)
    for row, cells in zip(sheet.frame.index, sheet.frame.to_dict("records"), strict=True):
        if not whole[row]:
            continue
        said = {str(name): "" if str(text).strip() == "#N/A" else str(text).strip() for name, text in cells.items()}
        measure, non_event = effect_measure(said.get("Effect measure", ""))
        kind = _KINDS.get(said.get("Data type", "").casefold(), "")
        level = _level(said.get("Study CI", "") or said.get("CI/PI level", ""))
        random = {"f": False, "r": True}.get(said.get("Analysis model", "")[:1].casefold())
        log = _yes(said.get("Log-scale data", ""))
        review.settings[int(group[row]), int(number[row])] = Settings(
            name=plain(said.get("Analysis name", "")),
            group_name=plain(said.get("Analysis group name", "")),
            kind=kind,
            measure=measure,
            said=plain(said.get("Effect measure", "")),
            ratio=measure in RATIO_MEASURES if measure and log is None else log,
            swapped=bool(_yes(said.get("Swap event and non-event", ""))) or non_event,
            method=_METHODS.get(said.get("Statistical method", "").casefold(), ""),
            random=random,
            tau2_method=said.get("Heterogeneity estimator", ""),
            ci_method=said.get("CI method", ""),
            level=level,
            pooled_level=_level(said.get("Estimate CI", "") or said.get("CI/PI level", "")),
            arms=(
                said.get("Experimental group label", "") or said.get("Experimental intervention", ""),
                said.get("Control group label", "") or said.get("Control intervention", ""),
            ),
            sides=(said.get("Graph label (left)", ""), said.get("Graph label (right)", "")),
            unit=said.get("Unit of effect measure", ""),
            pooled=pooled_of(said, *_POOLED) if _yes(said.get("Overall estimates", "true")) is not False else {},
        )


def _subgroups(review: Review, sheet: Sheet) -> None:
    group, number, whole = _keys(sheet)
    for row, cells in zip(sheet.frame.index, sheet.frame.to_dict("records"), strict=True):
        if whole[row]:
            said = {str(name): str(text).strip() for name, text in cells.items()}
            outcome = outcome_of((int(group[row]), int(number[row])))
            review.subgroups.append(
                {"outcome": outcome, "subgroup": plain(said.get("Subgroup", "")), **pooled_of(said, *_POOLED)}
            )


def _bias(review: Review, sheet: Sheet) -> None:
    domains = [c.removeprefix(JUDGED) for c in sheet.columns if c.startswith(JUDGED)]
    for row, cells in zip(sheet.frame.index, sheet.frame.to_dict("records"), strict=True):
        for domain in domains:
            judgement, support = plain(cells[JUDGED + domain]), unmarked(cells.get(SUPPORT + domain, ""))
            if judgement:
                study = plain(cells.get("Study", ""))
                review.bias.append(Judgement(sheet.name, int(row), study, "", domain, judgement, support))


def read_information(review: Review, sheet: Sheet) -> None:
    """Add the studies of a table of study information (Study, Year, Char: ...) to a review."""
    taken = {"Study", "Year"}
    for row, cells in zip(sheet.frame.index, sheet.frame.to_dict("records"), strict=True):
        one = {"study": plain(cells.get("Study", "")), "year": plain(cells.get("Year", ""))}
        for column, text in cells.items():
            name = re.sub(r"[^a-z0-9]+", "_", str(column).removeprefix("Char: ").casefold()).strip("_")
            if column not in taken and name:
                one[name] = unmarked(text)
        if one["study"]:
            review.studies.append({**one, "file": sheet.name, "row": str(row)})


def _without_data(review: Review) -> None:
    """Analyses of which the file has settings but no row."""
    there: set[Key] = set(zip(review.rows["group"], review.rows["number"], strict=True))
    for key in sorted(set(review.settings) - there):
        review.notes.append(f"Analysis {key[0]}.{key[1]} ({review.settings[key].name}) has no row; it is left out.")


__all__ = [
    "JUDGED", "NEEDED", "REVIEW", "SUPPORT", "lacking", "parts_of", "read_corpus", "read_information", "read_package",
]  # fmt: skip
