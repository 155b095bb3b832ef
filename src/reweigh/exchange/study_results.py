"""The study data of RevMan Web, as it imports them and Covidence exports them: four CSV files, one or all of them.

Study information (Study, Year, Char: ...), study arms (Study, Arm, Description, Intervention), study results, risk of
bias (Domain (judgement): ..., Domain (support): ...). They name no analysis: which arm is compared with which, and by
which measure, is in the review of RevMan and not in its study data.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reweigh.exchange.analyses import Judgement, Review, effect_measure, plain, unmarked
from reweigh.exchange.bias import judged
from reweigh.exchange.cells import tidy
from reweigh.exchange.csvs import Sheet, header_of, read_sheet
from reweigh.exchange.headers import is_control
from reweigh.exchange.ids import outcome_id, study_ids, year_of
from reweigh.exchange.options import Options
from reweigh.exchange.package import JUDGED, NEEDED, SUPPORT, read_information
from reweigh.exchange.result import Cell, Imported
from reweigh.exchange.smallest import smallest_protocol
from reweigh.measures import MEASURES, RATIO_MEASURES
from reweigh.tables.problems import did_you_mean, nearest
from reweigh.tables.specs import ARMS, CONTRASTS, STUDIES

ARMS_HEADER = ("Study", "Arm", "Description", "Intervention")
RESULTS_HEADER = (
    "Study", "Outcome", "Data type", "Effect measure", "Arm", "Reference arm", "Sample size", "Cases", "Mean", "SD",
    "SE", "Variance", "CI level", "CI start", "CI end", "Exp mean", "Exp CI start", "Exp CI end", "t-test", "z-test",
    "P value", "Footnotes",
)  # fmt: skip
"""Columns of study arms and of study results, as far as they are known here.

A row of an arm has its numbers, and a measure only where `reweigh export` has to say which. A row of a contrast has
a reference arm, a measure, Mean, SE and interval on the analysis scale (the logarithm of a ratio), and natural ones in
the columns that begin with Exp.
"""
USUAL = {"continuous": "MD", "dichotomous": "RR"}
"""The measure that arms of a data type are taken for where no row of their outcome names one."""
MARK = {"Study", "Outcome", "Data type", "Arm"}
"""Columns by which study results are known."""

_ARM = {"Sample size": "n", "Cases": "events", "Mean": "mean", "SD": "sd", "SE": "se", "CI start": "ci_lower",
        "CI end": "ci_upper"}  # fmt: skip
_COUNTS = ("n", "events")
_LOGARITHM = {"Mean": "estimate", "CI start": "ci_lower", "CI end": "ci_upper"}
_NATURAL = {"Exp mean": "estimate", "Exp CI start": "ci_lower", "Exp CI end": "ci_upper"}
_TESTS = {"SE": "se", "P value": "p_value", "t-test": "t", "z-test": "z"}
_ROLES = ("intervention", "control")


@dataclass(slots=True)
class _Work:
    """The study data while they are read."""

    options: Options
    results: Sheet
    ids: dict[str, str]
    #: What each arm of a study is mapped to, its own name where nothing says so.
    interventions: Mapping[tuple[str, str], str]
    cells: list[Cell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def tell(self, row: int, column: str, was: str, became: str, code: str) -> None:
        """List what was done to a cell."""
        self.cells.append(Cell(self.results.name, row, column, was, became, code))

    def numbers(self, row: Mapping[str, str], at: int, columns: Mapping[str, str]) -> dict[str, str]:
        """The numbers of some columns by our names; each cell that is not taken as it stands is listed."""
        found: dict[str, str] = {}
        for theirs, ours in columns.items():
            value = tidy(row.get(theirs, ""), ours)
            if value.code:
                self.tell(at, theirs, row[theirs], value.found.get(ours, ""), value.code)
            if ours in value.found:
                found[ours] = value.found[ours]
        return found


def are_study_data(files: Mapping[str, bytes]) -> bool:
    """Whether files are RevMan's study data: study results, and none that has the data rows of analyses."""
    headers = [header_of(data) for data in files.values()]
    return any(header >= MARK for header in headers) and not any(header >= set(NEEDED) for header in headers)


def read_study_results(files: Mapping[str, bytes], options: Options) -> Imported:
    """The review of the study data of RevMan Web.

    Parameters
    ----------
    files
        Name to bytes of the CSV files, study results among them.
    options
        `arms`: the interventions (or arms) to compare; `measure` for outcomes that have a measure of its type; `model`.

    Returns
    -------
    Studies, arms, contrasts and risk_of_bias, the smallest protocol, and each cell and row that was not taken as it
    stands; with `problems` where a file cannot be read, or where it is not said which of several arms are compared.
    """
    try:
        sheets = [read_sheet(name, data) for name, data in files.items()]
    except ValueError as why:
        return Imported(problems=(f"{why}.",))
    results = [sheet for sheet in sheets if set(sheet.columns) >= MARK]
    if len(results) > 1:
        return Imported(problems=(f"{results[0].name} and {results[1].name} both hold study results; import one.",))
    review, interventions = Review(results[0].name), dict[tuple[str, str], str]()
    for sheet in sheets:
        if sheet.unusual:
            review.notes.append(f"{sheet.name} has {sheet.unusual}; it was read as it was meant.")
        if any(column.startswith(JUDGED) for column in sheet.columns):
            review.bias += _judgements(sheet)
        elif set(sheet.columns) >= {"Study", "Arm", "Intervention"} and sheet is not results[0]:
            for row in sheet.frame.to_dict("records"):
                if said := plain(row["Intervention"]):
                    interventions[plain(row["Study"]), plain(row["Arm"])] = said
        elif sheet is not results[0]:
            read_information(review, sheet)
    named = (plain(text) for text in results[0].column("Study"))
    ids = study_ids(name for name in (*(one["study"] for one in review.studies), *named) if name)
    return _imported(_Work(options, results[0], ids, interventions, notes=review.notes), review)


def _judgements(sheet: Sheet) -> list[Judgement]:
    """Judgements of one table: a row per study, or per study and outcome."""
    found = []
    for at, row in zip(sheet.frame.index, sheet.frame.to_dict("records"), strict=True):
        outcome = plain(row.get("Outcome", ""))
        for column in sheet.columns:
            if column.startswith(JUDGED) and (said := plain(row[column])):
                domain = column.removeprefix(JUDGED)
                support = unmarked(row.get(SUPPORT + domain, ""))
                study = plain(row.get("Study", ""))
                name = outcome_id(outcome) if outcome else ""
                found.append(Judgement(sheet.name, int(at), study, name, domain, said, support))
    return found


def _imported(w: _Work, review: Review) -> Imported:
    of_outcome = _sides_of_outcomes(w)
    if isinstance(of_outcome, str):
        return Imported(problems=(of_outcome,))
    rows: dict[str, list[dict[str, str]]] = {"arms": [], "contrasts": []}
    outcomes: dict[str, dict[str, str]] = {}
    named: dict[str, Counter[str]] = {}
    for at, row in zip(w.results.frame.index, w.results.frame.to_dict("records"), strict=True):
        said = {str(name): str(text).strip() for name, text in row.items()}
        study, label, reference = (plain(said.get(name, "")) for name in ("Study", "Outcome", "Reference arm"))
        if not study or not label:
            w.tell(at, "", " | ".join(text for text in said.values() if text), "", "row_without_study")
            continue
        read = _contrast if reference else _arm
        if not (numbers := read(w, at, said, of_outcome[label])):
            continue
        name = outcome_id(label)
        note = {"note": unmarked(said["Footnotes"])} if said.get("Footnotes") else {}
        place = {"source": w.results.name, "location": f"row {at}"}
        one = {"study_id": w.ids[study], "label": study, "outcome": name, **numbers, **place, **note}
        rows["contrasts" if reference else "arms"].append(one)
        outcomes.setdefault(name, {"label": label, "kind": said["Data type"].casefold()})
        named.setdefault(name, Counter()).update(filter(None, [_measure(said.get("Effect measure", ""))]))
    if not outcomes:
        return Imported(cells=tuple(w.cells), problems=(f"{w.results.name} has no result that can be read",))
    for name, outcome in outcomes.items():
        _measured(outcome, named[name], w.options.measure)
    used = {row["study_id"] for row in (*rows["arms"], *rows["contrasts"])}
    bias, listed = judged(review.bias, w.ids, used, outcomes)
    sides = Counter(of_outcome[one["label"]] for one in outcomes.values()).most_common(1)[0][0]
    protocol, comments, notes = smallest_protocol(w.results.name, sides, outcomes, w.options.model)
    for name, outcome in outcomes.items():
        if (own := of_outcome[outcome["label"]]) != sides:
            protocol["outcomes"][name]["words"] = dict(zip(_ROLES, own, strict=True))
    tables = {
        "studies": _studies(w, review, used),
        "arms": _frame(rows["arms"], [c.name for c in ARMS.columns]),
        "contrasts": _frame(rows["contrasts"], [c.name for c in CONTRASTS.columns]),
        "risk_of_bias": bias,
    }
    kept = {name: table for name, table in tables.items() if len(table)}
    return Imported(kept, protocol, comments, (*w.cells, *listed), (*w.notes, *notes))


def _sides_of_outcomes(w: _Work) -> dict[str, tuple[str, str]] | str:
    """What is compared with what in each outcome: the same in all, or arms of its own; or what must be said first."""
    rows = w.results.frame.to_dict("records")
    labels = list(dict.fromkeys(plain(row.get("Outcome", "")) for row in rows))
    whole = _sides(w, rows)
    if not isinstance(whole, str):
        return dict.fromkeys(labels, whole)
    found: dict[str, tuple[str, str]] = {}
    for label in filter(None, labels):
        sides = "" if w.options.arms else _sides(w, [row for row in rows if plain(row.get("Outcome", "")) == label])
        if isinstance(sides, str):
            return whole
        found[label] = sides
    return found or whole


def _sides(w: _Work, rows: Sequence[Mapping[Any, Any]]) -> tuple[str, str] | str:
    """What is compared with what in some rows, as the study arms call it; or what must be said first."""
    named: dict[str, str] = {}
    references: set[str] = set()
    for row in rows:
        for column in ("Arm", "Reference arm"):
            arm = plain(row.get(column, ""))
            said = w.interventions.get((plain(row["Study"]), arm), arm)
            if arm:
                named.setdefault(said.casefold(), said)
                references |= {said.casefold()} if column == "Reference arm" else set()
    labels = list(named.values())
    if w.options.arms:
        for label in w.options.arms:
            arms = {plain(row["Arm"]).casefold() for row in rows}
            if label.casefold() not in named and label.casefold() not in arms:
                hint = did_you_mean(label, labels)
                return f"{w.results.name}: no row has the arm {label}{hint}; the arms are {', '.join(labels)}"
        return w.options.arms
    if len(labels) != 2:
        shown = ", ".join(labels) or "none"
        return (
            f"{w.results.name} has {len(labels)} arms ({shown}); name the two to compare: --arms EXPERIMENTAL CONTROL"
        )
    controls = [label.casefold() in references for label in labels]
    if controls[0] == controls[1]:
        controls = [is_control(label) for label in labels]
    first, second = reversed(labels) if controls == [True, False] else labels
    w.notes.append(f"{w.results.name}: {first} is taken for the intervention, {second} for the control")
    return first, second


def _role(w: _Work, study: str, arm: str, sides: tuple[str, str]) -> str:
    """The side of an arm, by what it is mapped to or by its own name; "" for one that is not compared."""
    known = {arm.casefold(), w.interventions.get((study, arm), arm).casefold()}
    return next((role for role, side in zip(_ROLES, sides, strict=True) if side.casefold() in known), "")


def _measure(said: str) -> str:
    """Our measure of a contrast, "" where there is none of that name."""
    return effect_measure(said)[0] or next((name for name in MEASURES if name.casefold() == said.casefold()), "")


def _arm(w: _Work, at: int, said: Mapping[str, str], sides: tuple[str, str]) -> dict[str, str]:
    """An arm with its role and numbers; none where it is not compared, or has none."""
    arm = plain(said["Arm"])
    role = _role(w, plain(said["Study"]), arm, sides)
    if not role:
        w.tell(at, "Arm", arm, "", "row_other_arm")
        return {}
    counts = said["Data type"].casefold() == "dichotomous"
    numbers = w.numbers(said, at, {theirs: ours for theirs, ours in _ARM.items() if ours in _COUNTS or not counts})
    return {"arm": arm, "role": role, **numbers, **_level(w, at, said, numbers)} if _told(w, at, said, numbers) else {}


def _contrast(w: _Work, at: int, said: Mapping[str, str], sides: tuple[str, str]) -> dict[str, str]:
    """A contrast of the two sides with its measure; none where it is of others, or has no number.

    A ratio has its logarithm in Mean; natural numbers are taken where that is empty.
    """
    study, measure = plain(said["Study"]), _measure(said.get("Effect measure", ""))
    arms = [plain(said[name]) for name in ("Arm", "Reference arm")]
    if [_role(w, study, arm, sides) for arm in arms] != list(_ROLES):
        w.tell(at, "Arm", " | ".join(arms), "", "row_other_arm")
        return {}
    if not measure:
        w.tell(at, "Effect measure", said.get("Effect measure", ""), "", "text")
        return {}
    natural = measure in RATIO_MEASURES and not said.get("Mean") and bool(said.get("Exp mean"))
    numbers = w.numbers(said, at, {**(_NATURAL if natural else _LOGARITHM), **_TESTS})
    if "se" not in numbers and (variance := w.numbers(said, at, {"Variance": "variance"}).get("variance")):
        numbers["se"] = repr(math.sqrt(float(variance)))
        w.tell(at, "Variance", variance, numbers["se"], "variance_to_se")
    if not _told(w, at, said, numbers):
        return {}
    scale = {"estimate_scale": "natural" if natural else "log"} if measure in RATIO_MEASURES else {}
    return {"measure": measure, **numbers, **scale, **_level(w, at, said, numbers)}


def _told(w: _Work, at: int, said: Mapping[str, str], numbers: Mapping[str, str]) -> bool:
    """Whether a row has a result; one that has none is listed."""
    if set(numbers) - {"n"}:
        return True
    w.tell(at, "", f"{said['Study']}: {said['Outcome']}", "", "row_empty")
    return False


def _level(w: _Work, at: int, said: Mapping[str, str], numbers: Mapping[str, str]) -> dict[str, str]:
    """The level of an interval, where there is one: "95%", "95" or "0.95"."""
    if not {"ci_lower", "ci_upper"} & set(numbers):
        return {}
    return w.numbers({"CI level": said.get("CI level", "").rstrip("%")}, at, {"CI level": "ci_level"})


def _measured(outcome: dict[str, str], named: Counter[str], asked: str) -> None:
    """Type and measure of an outcome: as asked where the type fits, as most of its rows say, else the usual one."""
    default = USUAL.get(outcome["kind"], "RR")
    measure = named.most_common(1)[0][0] if named else default
    if asked and MEASURES[asked].type == MEASURES[measure].type:
        measure, guessed = asked, ""
    else:
        guessed = "" if named else "guessed: the analyses of RevMan name the measure, its study data do not"
    outcome |= {"type": MEASURES[measure].type, "measure": measure, "guessed": guessed}


def _studies(w: _Work, review: Review, used: set[str]) -> pd.DataFrame:
    """A row per study with a result: label, year and whatever is told of it, under names that mean nothing here."""
    told = {one["study"]: one for one in review.studies}
    rows = []
    for study, id_ in w.ids.items():
        if id_ not in used:
            w.cells.append(Cell(w.results.name, 0, "Study", study, "", "study_unmatched"))
            continue
        one = told.get(study, {})
        row = {"study_id": id_, "label": study, "year": year_of(one.get("year", ""))}
        for name, text in one.items():
            if name not in ("study", "year", "file", "row") and text:
                known = name in ("doi", "pmid", "registry_id", "condition", "note", "source_urls")
                guarded = not known and nearest(name, [*STUDIES.guarded, "exclusion_reason"], 0.85)
                row[f"reported_{name}" if guarded else name] = text
        rows.append(row)
    return _frame(rows, [c.name for c in STUDIES.columns])


def _frame(rows: list[dict[str, str]], order: list[str]) -> pd.DataFrame:
    """Rows as text: our columns in their order, then the others as they came; without those that hold nothing."""
    have = dict.fromkeys(name for row in rows for name, text in row.items() if text)
    names = [*(name for name in order if name in have), *(name for name in have if name not in order)]
    return pd.DataFrame([[row.get(name, "") for name in names] for row in rows], columns=names, dtype=object)
