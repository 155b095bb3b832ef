"""Tables of results as people and programmes hold them: a row per trial with both arms, an arm per row, an estimate.

Nothing is computed but the SE of a variance: what was reported is what is written.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects import measures as formulas
from reweigh.exchange import headers
from reweigh.exchange.cells import design_of, is_footnote, is_total, tidy, tidy_year, visible, without_marks
from reweigh.exchange.grids import Grid, UnreadableError
from reweigh.exchange.headers import Layout, identities, identity_of, recognise, squeeze
from reweigh.exchange.ids import outcome_id, slug, study_ids
from reweigh.exchange.options import ColumnMap, Options
from reweigh.exchange.result import Cell, Imported
from reweigh.exchange.robvis import read_robvis
from reweigh.exchange.smallest import smallest_protocol
from reweigh.measures import MEASURES, RATIO_MEASURES, SINGLE_GROUP_MEASURES, scale_of
from reweigh.tables.columns import is_missing_word
from reweigh.tables.problems import did_you_mean, nearest
from reweigh.tables.specs import ARMS, CONTRASTS, STUDIES

_HEADER_WITHIN = 15  # rows above a table that may hold a title or remarks
_FEW = 12  # columns or arms that a sentence names
_ROLES = ("intervention", "control")
_ROLE_WORDS = dict.fromkeys(("experimental", "treatment", "active"), "intervention") | {"comparator": "control"}
_DEFAULT = {"counts": "RR", "rates": "IRR", "means": "MD"}
_DATA = frozenset(c.name for c in ARMS.columns if c.numeric) - {"timepoint_days", "ci_level"}
#: Our names that a map may give, beside the fields of an arm.
_IDENTITY = {
    **{
        name: name
        for name in ("study", "year", "outcome", "timepoint", "timepoint_days", "arm", "role", "measure", "design")
    },
    **{"study_id": "study", "label": "author", "comparison_id": "comparison"},
}
#: Columns of a list of studies.
_OF_STUDIES = {
    *("title", "doi", "pmid", "registry", "registryid", "nct", "nctnumber", "sponsor", "journal", "population"),
    *("country", "funding"),
}
#: Columns of times, and the unit that their names give.
_TIMES = {
    **dict.fromkeys(("time", "followup", "fup", "visit", "assessment", "followuptime", "when"), ""),
    **dict.fromkeys(("week", "weeks", "followupweeks", "timeweeks", "weekno"), "weeks"),
    **dict.fromkeys(("month", "months", "followupmonths", "timemonths"), "months"),
    **dict.fromkeys(("day", "days", "followupdays", "timedays"), "days"),
}
_CONTRAST = ("estimate", "se", "variance", "ci_lower", "ci_upper", "p_value", "n_intervention", "n_control")


@dataclass(slots=True)
class _Table:
    """One table while it is read: where it stands, its names and rows, and what was done to it."""

    grid: Grid
    header: int
    names: tuple[str, ...]
    rows: list[tuple[int, tuple[str, ...]]]
    cells: list[Cell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def file(self) -> str:
        """The file, and the sheet where a workbook has several."""
        return self.grid.file

    def done(self, row: int, column: int | None, was: str, became: str, code: str) -> None:
        """Note what was done to a cell, or to a whole row."""
        name = "" if column is None else self.names[column]
        self.cells.append(Cell(self.file, row, name, was, became, code))

    def numbers(self, row: int, cells: tuple[str, ...], places: Mapping[str, int]) -> dict[str, str]:
        """The numbers of a row by field; what a cell says of another field stands back behind that field's own cell."""
        found: dict[str, str] = {}
        more: dict[str, str] = {}
        seen: set[int] = set()
        for of, i in sorted(places.items(), key=lambda item: item[0] == "n"):
            if i in seen or i >= len(cells):
                continue
            seen.add(i)
            values, code = tidy(cells[i], of, comma=self.grid.comma)
            if code:
                became = ", ".join(f"{k} {v}" if k != of or len(values) > 1 else v for k, v in values.items())
                self.done(row, i, cells[i], became, code)
            for name, value in values.items():
                (found if name == of else more)[name] = value
            if (row, i) in self.grid.merged:
                self.done(row, i, "", cells[i], "merged")
        for name in (one for one in found if one in more):
            if float(found[name]) != float(more[name]):
                self.done(row, places[name], more[name], found[name], "own_column")
        return {**more, **found}


def read_wide(sheets: Sequence[Grid], options: Options) -> Imported:
    """A review of one table of results.

    Parameters
    ----------
    sheets
        Every sheet of one file, as `reweigh.exchange.grids.grids` gives them.
    options
        Outcome, measure, model, arms, sheet and map of columns; what is empty is guessed, with a note.

    Returns
    -------
    Studies and arms or contrasts, the smallest protocol, and every cell and row that was not taken as it stands. With
    `problems` where the columns of the results cannot be told.
    """
    file = sheets[0].file
    try:
        table, layouts = _find(_choose(sheets, options), options)
    except UnreadableError as why:
        return Imported(problems=(str(why),))
    if table.grid.note:
        table.notes.append(table.grid.note)
    skipped = [g.sheet for g in sheets if g is not table.grid and g.sheet]
    if skipped:
        more = f"; --sheet names another: {', '.join(skipped[:_FEW])}"
        table.notes.append(f"{file}: the sheet {table.grid.sheet} was read{more}")
    return _Reader(table, options).read(layouts)


def read_studies(sheet: Grid, options: Options) -> Imported | None:
    """studies.csv of a sheet that lists studies (a name, and a title, DOI ...); None where it lists none."""
    for at in range(min(_HEADER_WITHIN, len(sheet.rows))):
        for names, below in _headers(sheet, at):
            known = {key: i for key, i in identities(names).items() if key in ("study", "author", "year", "design")}
            if (
                {"study", "author"} & set(known)
                and recognise(names) is None
                and {squeeze(name) for name in names} & _OF_STUDIES
            ):
                table = _Table(sheet, sheet.rows[at][0], names, list(sheet.rows[below:]))
                return _Reader(table, options).listed(Layout("list", {}, known))
    return None


def has_results(sheet: Grid, options: Options) -> bool:
    """Whether a sheet has a table of results."""
    try:
        _find([sheet], options)
    except UnreadableError:
        return False
    return True


def looks_like(grid_rows: Sequence[tuple[int, tuple[str, ...]]]) -> tuple[str, ...]:
    """The row that most likely holds the names of the columns."""
    head = [cells for _, cells in grid_rows[:_HEADER_WITHIN]]
    return max(head, key=lambda cells: len({c for c in cells if c.strip() and not c.strip()[0].isdigit()}), default=())


def _choose(sheets: Sequence[Grid], options: Options) -> Sequence[Grid]:
    """The sheets that may be meant."""
    if not options.sheet:
        return sheets
    named = [g for g in sheets if g.sheet.strip().casefold() == options.sheet.strip().casefold()]
    if not named:
        have = [g.sheet for g in sheets if g.sheet]
        said = f"it has {', '.join(have)}" if have else "the file has no sheets"
        raise UnreadableError(
            f"{sheets[0].file}: there is no sheet {options.sheet}{did_you_mean(options.sheet, have)}; {said}"
        )
    return named


def _find(sheets: Sequence[Grid], options: Options) -> tuple[_Table, dict[str, Layout]]:
    """The first sheet and row from which on a table of results stands, and the layout of each of its outcomes."""
    types = (MEASURES[options.measure].type,) if options.measure in MEASURES else ()
    problem = ""
    for grid in sheets:
        for at in range(min(_HEADER_WITHIN, len(grid.rows))):
            for names, below in _headers(grid, at):
                if options.columns and (options.columns.columns or options.columns.arm):
                    if not _mapped_here(names, options.columns):
                        continue
                    layouts = _by_map(names, options, grid.file)
                else:
                    layout = recognise(names, types)
                    layouts = {"": layout} if layout else {}
                if layouts:
                    table = _Table(grid, grid.rows[at][0], names, list(grid.rows[below:]))
                    _say_header(table, at, below)
                    return table, layouts
        problem = problem or (_missing(grid, options, types) if grid.rows else "")
    raise UnreadableError(problem or f"{sheets[0].file}: the table is empty")


def _headers(grid: Grid, at: int) -> Iterator[tuple[tuple[str, ...], int]]:
    """Readings of a row as the names of columns: alone, and with the row below it."""
    upper = grid.rows[at][1]
    filled = [c.strip() for c in upper]
    if len(set(filled) - {""}) >= 2 or (len(filled) == 1 and at == 0):
        yield tuple(" ".join(c.split()) for c in upper), at + 1
    if at + 1 >= len(grid.rows) or len(set(filled) - {""}) < 2:
        return
    lower = [c.strip() for c in grid.rows[at + 1][1]]
    if sum(1 for c in lower if c) < 2 or any(re.fullmatch(r"[0-9.,]+", c) for c in lower):
        return
    names, last = [], ""
    for i in range(max(len(upper), len(lower))):
        over = filled[i] if i < len(filled) else ""
        under = lower[i] if i < len(lower) else ""
        last = over or (last if under else "")
        names.append(" ".join(f"{last} {under}".split()) if under and under != last else last)
    yield tuple(names), at + 2


def _say_header(table: _Table, at: int, below: int) -> None:
    """Note what was done to the names of the columns, and what stands above them."""
    for row, cells in table.grid.rows[:at]:
        table.done(row, None, " ".join(dict.fromkeys(c.strip() for c in cells if c.strip())), "", "row_footnote")
    for i, name in enumerate(table.names):
        unit = headers.plain(name)[1]
        if below - at > 1 and name and name not in table.grid.rows[at][1]:
            table.done(table.header, i, name, name, "header_rows")
        if unit:
            table.done(table.header, i, name, headers.plain(name)[0], "header_unit")


def _missing(grid: Grid, options: Options, types: tuple[str, ...]) -> str:
    """What a table without results looks like, and which columns are missing, in a sentence."""
    head = [" ".join(c.split()) for c in looks_like(grid.rows) if c.strip()]
    where = f"{grid.file}, sheet {grid.sheet}" if grid.sheet else grid.file
    shown = ", ".join(head[:_FEW]) + (f" and {len(head) - _FEW} more" if len(head) > _FEW else "")
    seen = f"{where} looks like a table of {len(grid.rows) - 1} rows with the columns {shown or 'that have no names'}"
    if options.columns and options.columns.columns:
        wanted = [t for t in (*options.columns.columns.values(), options.columns.arm) if t]
        lost = [t for t in wanted if not _there(t, head)]
        said = ", ".join(f"{t}{did_you_mean(t, head)}" for t in lost)
        return f"{seen}; the map of columns names what it does not have: {said or 'columns of one row of names'}"
    if types and (other := recognise(head)):
        have = {"counts": "counts of two arms", "means": "means of two arms", "rates": "events and person-time"}
        there = have.get(other.kind, "results of another type")
        return f"{seen}; it has {there}, but the measure {options.measure} needs {MEASURES[options.measure].needs}"
    needs = (
        "of two arms, the events and n (or those with and without an event), or mean, SD and n; or an estimate with "
        "its SE, variance or confidence interval; or, with a row per arm, a column that names the arm beside these"
    )
    return f"{seen}; the columns of the results are missing: {needs}. A MAP.yaml (--columns) can say which they are"


def _there(pattern: str, names: Sequence[str]) -> bool:
    """Whether a column of that name, or of that pattern, exists."""
    if "{outcome}" in pattern:
        return any(_outcome_in(pattern, name) for name in names)
    return _place(pattern, names) is not None


def _place(name: str, names: Sequence[str]) -> int | None:
    """Where a column stands: by its very name, else in upper or lower case."""
    if name in names:
        return names.index(name)
    folded = [n.strip().casefold() for n in names]
    return folded.index(name.strip().casefold()) if name.strip().casefold() in folded else None


def _outcome_in(pattern: str, name: str) -> str:
    """The outcome that a column's name holds by a pattern such as {outcome}_mean; "" where it does not fit."""
    found = re.fullmatch(re.escape(pattern).replace(re.escape("{outcome}"), "(.+)"), name, re.IGNORECASE)
    return found[1] if found else ""


def _mapped_here(names: Sequence[str], columns: ColumnMap) -> bool:
    """Whether a row of names has every column that the map speaks of."""
    wanted = [*columns.columns.values(), *columns.where, *([columns.arm] if columns.arm else [])]
    return all(_there(one, names) for one in wanted)


def _by_map(names: Sequence[str], options: Options, file: str) -> dict[str, Layout]:
    """The layout of each outcome that a map of columns describes; "" for the only one."""
    columns = options.columns or ColumnMap()
    identity: dict[str, int] = {}
    for at, name in enumerate(names):
        if (key := identity_of(name)) in ("study", "author", "year") and key not in identity:
            identity[key] = at
    if {"study_id", "study", "label"} & set(columns.columns):
        identity = {key: i for key, i in identity.items() if key == "year"}
    plain: dict[str, int] = {}
    patterns: dict[str, str] = {}
    for ours, theirs in columns.columns.items():
        if "{outcome}" in theirs:
            patterns[ours] = theirs
        elif (i := _place(theirs, names)) is not None:
            if ours in _IDENTITY:
                identity[_IDENTITY[ours]] = i
            else:
                plain[ours] = i
    if columns.arm and (i := _place(columns.arm, names)) is not None:
        identity.setdefault("arm" if "arm" not in identity else "side", i)
    outcomes: dict[str, dict[str, int]] = {}
    told = {*plain.values(), *identity.values()}
    for ours, pattern in patterns.items():
        for at, name in enumerate(names):
            if at not in told and (outcome := _outcome_in(pattern, name)):
                outcomes.setdefault(outcome, {})[ours] = at
    if not patterns:
        if not any(_known(ours) for ours in plain) and (found := recognise(names)):
            return {
                "": Layout(
                    found.kind, found.places, {**found.identity, **identity}, found.sides, found.measure, found.log
                )
            }
        outcomes = {"": {}}
    layouts = {}
    for outcome, places in outcomes.items():
        if options.outcome and patterns and outcome_id(outcome) != outcome_id(options.outcome):
            continue
        if layout := _mapped_layout({**{k: i for k, i in plain.items() if _known(k)}, **places}, identity):
            layouts[outcome] = layout
    if not layouts:
        asked = f" for the outcome {options.outcome}" if options.outcome and patterns else ""
        have = f"; the outcomes are {', '.join(list(outcomes)[:_FEW])}" if patterns else ""
        results = [*sorted(_DATA), *_CONTRAST, *(f"{of}_{role}" for of in sorted(_DATA) for role in _ROLES)]
        meant = [
            (one, nearest(one, results, 0.8)) for one in columns.columns if not _known(one) and one not in _IDENTITY
        ]
        have += "".join(f'; {one} is no name of ours (did you mean "{hit}"?)' for one, hit in meant if hit)
        raise UnreadableError(
            f"{file}: the map of columns has no results{asked}{have}: it needs events and n, mean, sd and n, or "
            "estimate with se, variance or ci_lower and ci_upper; for both arms in one row with _intervention and "
            "_control behind each"
        )
    return layouts


def _known(ours: str) -> bool:
    """Whether a name of a map is that of a result."""
    bare = re.sub(r"_(?:intervention|control)$", "", ours)
    return ours in _CONTRAST or bare in _DATA or bare == "nonevents"


def _mapped_layout(places: Mapping[str, int], identity: Mapping[str, int]) -> Layout | None:
    """The layout that our names of results make: of two arms, of an estimate, or of one arm per row."""
    if "estimate" in places or ("p_value" in places and "arm" not in identity):
        return Layout("contrast", {("", k): i for k, i in places.items() if k in _CONTRAST}, dict(identity))
    spots: dict[tuple[str, str], int] = {}
    for ours, i in places.items():
        side = next((role for role in _ROLES if ours.endswith(f"_{role}")), "")
        spots[side, ours.removesuffix(f"_{side}") if side else ours] = i
    two = [headers.kinds_of(of for side, of in spots if side == role) for role in _ROLES]
    if shared := [kind for kind in two[0] if kind in two[1]]:
        return Layout(shared[0], {k: i for k, i in spots.items() if k[0]}, dict(identity), _ROLES)
    one = {k: i for k, i in spots.items() if not k[0]}
    if headers.kinds_of(of for _, of in one) and {"arm", "role"} & set(identity):
        return Layout("long", one, dict(identity))
    return None


@dataclass(slots=True)
class _Row:
    """A row that was read: where it stands, its trial, and the identity cells."""

    row: int
    cells: tuple[str, ...]
    study: str
    label: str


class _Reader:
    """Turns the rows of one table into the tables of a review."""

    def __init__(self, table: _Table, options: Options) -> None:
        self.table = table
        self.options = options
        self.map = options.columns or ColumnMap()
        self.problems: list[str] = []
        self.arms: list[dict[str, str]] = []
        self.contrasts: list[dict[str, str]] = []
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.words = list(options.arms or ("", ""))
        self.several: set[str] = set()
        #: Columns that hold judgements of risk of bias, as robvis names them.
        self.judged: list[int] = []
        #: Rows that gave nothing for an outcome, with what they are and why; some may give something for another one.
        self.idle: dict[int, tuple[str, str]] = {}

    def note(self, text: str) -> None:
        """A sentence for the preview, once."""
        if text not in self.table.notes:
            self.table.notes.append(text)

    def read(self, layouts: Mapping[str, Layout]) -> Imported:
        """The review of a table, with every outcome that it has a layout for."""
        first = next(iter(layouts.values()))
        rows = self._rows(first)
        if said := self._network(rows, first):
            return Imported(cells=tuple(self.table.cells), problems=(said,))
        timed = self._timed(rows, first)
        layouts = {outcome: replace(one, identity={**timed, **one.identity}) for outcome, one in layouts.items()}
        first = next(iter(layouts.values()))
        bias = self._judgements(rows)
        studies = self._studies(rows, first, layouts)
        for outcome, layout in layouts.items():
            {"long": self._long, "contrast": self._contrast, "single": self._single}.get(layout.kind, self._wide)(
                rows, outcome, layout
            )
        found = {row["location"] for row in self.arms}
        for one in rows:
            if one.row in self.idle and self._place_of(one)["location"] not in found:
                was, code = self.idle[one.row]
                self.table.done(one.row, None, was, "", code)
        if not self.problems and not (self.arms or self.contrasts):
            self.problems.append(f"{self.table.file}: no row has a result that can be read")
        if self.problems:
            return Imported(cells=tuple(self.table.cells), notes=tuple(self.table.notes), problems=tuple(self.problems))
        used = {row["study_id"] for row in (*self.arms, *self.contrasts)}
        tables = {
            "studies": _frame([row for row in studies if row["study_id"] in used], [c.name for c in STUDIES.columns]),
            "arms": _frame(self.arms, [c.name for c in ARMS.columns]),
            "contrasts": _frame(self.contrasts, [c.name for c in CONTRASTS.columns]),
        }
        if len(bias):
            tables["risk_of_bias"] = bias[bias["study_id"].isin(used)].reset_index(drop=True)
        protocol, comments, notes = smallest_protocol(self.table.file, self.words, self.outcomes, self.options.model)
        for note in notes:
            self.note(note)
        self._apart_or_together(protocol, comments)
        kept = {name: frame for name, frame in tables.items() if len(frame)}
        cells = sorted(self.table.cells, key=lambda cell: cell.row)
        return Imported(kept, protocol, comments, tuple(cells), tuple(self.table.notes))

    # --- Rows and studies

    def _judgements(self, rows: list[_Row]) -> pd.DataFrame:
        """Judgements of risk of bias beside the results (D1, D2 ..., Overall): those of the first row of a study."""
        names = self.table.names
        domains = [i for i, name in enumerate(names) if re.fullmatch(r"D[0-9]+", name.strip())]
        if len(domains) < 4 or not self.options.tools:
            return pd.DataFrame()
        columns = domains + [i for i, name in enumerate(names) if squeeze(name) == "overall"]
        first = {one.study: one for one in reversed(rows)}
        order = [one for one in rows if first[one.study] is one]
        body = [(one.row, (one.label, *(one.cells[i] for i in columns))) for one in order]
        header = (self.table.header, ("Study", *(names[i] for i in columns)))
        found = read_robvis(Grid(self.table.file, self.table.grid.sheet, (header, *body)), self.options.tools)
        self.table.cells += found.cells
        self.table.notes += (*found.notes, *found.problems)
        if found.problems:
            return pd.DataFrame()
        self.judged = columns
        bias = found.tables["risk_of_bias"]
        ids = dict(zip(found.tables["studies"]["label"], (one.study for one in order), strict=False))
        labels = dict(zip(found.tables["studies"]["study_id"], found.tables["studies"]["label"], strict=True))
        return bias.assign(study_id=[ids[labels[one]] for one in bias["study_id"]])

    def listed(self, layout: Layout) -> Imported:
        """The studies of a table that has no results."""
        rows = self._rows(layout)
        studies = _frame(self._studies(rows, layout, {}), [c.name for c in STUDIES.columns])
        self.note(f"{self.table.file}: a list of {len(studies)} studies, without results")
        return Imported({"studies": studies}, {}, {}, tuple(self.table.cells), tuple(self.table.notes))

    def _rows(self, layout: Layout) -> list[_Row]:
        """The rows that hold a result, each with its trial; every other one is noted with its reason."""
        table, identity = self.table, layout.identity
        places = [i for key in ("study", "author") if (i := identity.get(key)) is not None]
        where = [(i, {v.strip().casefold() for v in values}, name) for name, values in self.map.where.items()
                 if (i := _place(name, table.names)) is not None]  # fmt: skip
        header = tuple(squeeze(n) for n in table.names)
        results = set(layout.places.values())
        kept: list[tuple[int, tuple[str, ...], str]] = []
        last: dict[int, str] = {}
        for row, given in table.rows:
            cells = given + ("",) * (len(table.names) - len(given))
            cells = tuple(c if c.isprintable() or i in results else visible(c) for i, c in enumerate(cells))
            told = " | ".join(c.strip() for c in cells if c.strip())
            first = next((cells[i].strip() for i in places if cells[i].strip()), "")
            if tuple(squeeze(c) for c in cells[: len(header)]) == header:
                table.done(row, None, told, "", "row_header")
            elif is_footnote(cells):
                table.done(row, None, told, "", "row_footnote")
            elif is_total(first or next((c for c in cells if c.strip()), "")):
                table.done(row, None, told, "", "row_total")
            elif any(_text(cells[i]) not in values for i, values, _ in where):
                table.done(row, None, told, "", "row_where")
            elif layout.kind not in ("long", "list") and not any(cells[i].strip() for i in layout.places.values()):
                table.done(row, None, told, "", "row_empty")
            else:
                for i in places:
                    if (row, i) in table.grid.merged:
                        table.done(row, i, "", cells[i], "merged")
                    if not cells[i].strip() and last.get(i) and layout.kind == "long" and not first:
                        # A sheet with a row per arm names the study once, in the first of its rows.
                        table.done(row, i, "", last[i], "merged")
                        cells = (*cells[:i], last[i], *cells[i + 1 :])
                    last[i] = cells[i].strip()
                if places and not any(cells[i].strip() for i in places):
                    table.done(row, None, told, "", "row_without_study")
                else:
                    kept.append((row, cells, told))
        return self._named(kept, layout)

    def _named(self, kept: list[tuple[int, tuple[str, ...], str]], layout: Layout) -> list[_Row]:
        """Rows with the id and the label of their trial."""
        study, author = layout.identity.get("study"), layout.identity.get("author")
        year = layout.identity.get("year")
        numbered = study is not None and all(re.fullmatch(r"[0-9]+(?:\.0)?", c[study].strip()) for _, c, _ in kept)
        by = author if author is not None and (study is None or numbered) else study
        other = study if by == author else author
        dated = (
            by is not None and by == author and squeeze(self.table.names[by]).startswith(("author", "first", "autor"))
        )
        labels = []
        for at, (row, cells, _) in enumerate(kept, start=1):
            said = (
                str(at)
                if by is None
                else " ".join((cells[by].strip() or (cells[other] if other is not None else "")).split())
            )
            label = without_marks(said)
            if by is not None and label != said:
                self.table.done(row, by, cells[by], label, "footnote_mark")
            when = tidy_year(cells[year]).found.get("year", "") if year is not None else ""
            if dated and when and not re.search(r"\b(?:19|20)[0-9]{2}", label):
                label = f"{label} {when}"
            labels.append(label.removesuffix(".0") if re.fullmatch(r"[0-9]+\.0", label) else label)
        ids = study_ids(labels, fold=True)
        rows = [_Row(row, cells, ids[label], label) for (row, cells, _), label in zip(kept, labels, strict=True)]
        if by is None:
            self.note(f"{self.table.file}: no column names the studies; they are numbered in the order of the rows")
        elif numbered and by == author and study is not None and layout.kind != "long":
            self._apart(rows, study)
        return rows

    def _apart(self, rows: list[_Row], study: int) -> None:
        """Trials of one author and year that the table numbers apart: a letter tells them apart."""
        numbers: dict[str, list[str]] = {}
        for one in rows:
            mine = numbers.setdefault(one.study, [])
            number = one.cells[study].strip()
            if number not in mine:
                mine.append(number)
        for one in rows:
            mine = numbers[one.study]
            if len(mine) > 1:
                letter = chr(ord("a") + min(mine.index(one.cells[study].strip()), 25))
                self.note(f"{self.table.file}: {len(mine)} studies are called {one.label}; a letter tells them apart")
                one.study, one.label = f"{one.study}_{letter}", f"{one.label} ({letter})"

    def _studies(self, rows: list[_Row], layout: Layout, layouts: Mapping[str, Layout]) -> list[dict[str, str]]:
        """A row per trial: label, year, design, and each further column that is the same in all of its rows."""
        table = self.table
        used = {i for one in layouts.values() for i in (*one.places.values(), *one.unused)}
        used |= {i for one in layouts.values() if one.natural is not None for i in (one.natural,)}
        used |= {i for key, i in layout.identity.items() if key not in ("year", "design")} | set(self.judged)
        patterns = [theirs for theirs in self.map.columns.values() if "{outcome}" in theirs]
        told = {at: hit for at, name in enumerate(table.names) for p in patterns if (hit := _outcome_in(p, name))}
        about = tuple(f"{hit}_" for hit in dict.fromkeys(told.values()))
        for at, name in enumerate(table.names):
            if about and at not in {*used, *told} and name.startswith(about):
                table.done(table.header, at, name, "", "column_of_outcome")
                used.add(at)
        used |= set(told)
        given = {i: ours for ours, theirs in self.map.columns.items() if (i := _place(theirs, table.names)) is not None}
        names = _study_names(table, [i for i in range(len(table.names)) if i not in used], given, layout)
        by: dict[str, list[_Row]] = {}
        for one in rows:
            by.setdefault(one.study, []).append(one)
        found: list[dict[str, str]] = [{"study_id": study, "label": mine[0].label} for study, mine in by.items()]
        for i, name in names.items():
            values = [
                {_text(r.cells[i]): r.cells[i].strip() for r in mine if not _empty(r.cells[i])} for mine in by.values()
            ]
            if not any(values):
                continue
            odd = next((n for n, held in enumerate(values) if len(held) > 1), None)
            if name == "eligible" and not all(held and set(held) <= {"yes", "no"} for held in values):
                name = "reported_eligible"
            if odd is not None:
                table.done(table.header, i, table.names[i], "", "column_left_out")
                continue
            for row, mine, held in zip(found, by.values(), values, strict=True):
                for value in held.values():
                    self._study_cell(row, mine[0].row, i, name, value)
            if squeeze(name) != squeeze(table.names[i]):
                table.done(table.header, i, table.names[i], name, "column_renamed")
        return found

    def _study_cell(self, study: dict[str, str], row: int, i: int, name: str, value: str) -> None:
        """One cell of studies.csv."""
        if name == "year":
            values, code = tidy_year(value)
            if code:
                self.table.done(row, i, value, values.get("year", ""), code)
            study |= values
        elif name == "design":
            ours = design_of(value)
            if ours:
                study["design"] = ours
                if ours != value:
                    self.table.done(row, i, value, ours, "design")
            else:
                study["study_design"] = value
        else:
            study[name] = value

    # --- Results

    def _outcome(self, row: _Row, given: str, layout: Layout) -> str:
        """The id of the outcome of a row, "" where its cell is empty."""
        place = layout.identity.get("outcome")
        said = given or (" ".join(row.cells[place].split()) if place is not None else "")
        if not said and place is not None:
            return ""
        return outcome_id(self.options.outcome or said or "outcome")

    def _place_of(self, row: _Row) -> dict[str, str]:
        """What every row of results says of where it was found."""
        sheet = f"sheet {self.table.grid.sheet}, " if self.table.grid.sheet else ""
        return {"source": self.table.file, "location": f"{sheet}row {row.row}"}

    def _network(self, rows: list[_Row], layout: Layout) -> str:
        """Why rows that each name two treatments are not one comparison; "" where they are."""
        squeezed = [squeeze(name) for name in self.table.names]
        for stem in ("treat", "treatment", "t", "arm", "drug", "intervention"):
            if layout.kind == "long" or not {f"{stem}1", f"{stem}2"} <= set(squeezed):
                continue
            one, two = squeezed.index(f"{stem}1"), squeezed.index(f"{stem}2")
            pairs = dict.fromkeys((row.cells[one].strip(), row.cells[two].strip()) for row in rows)
            if any(re.fullmatch(r"[0-9.,]*", label) for pair in pairs for label in pair):
                continue
            if len(pairs) == 1:
                self.words = [word or label for word, label in zip(self.words, *pairs, strict=True)]
                continue
            names = self.table.names[one], self.table.names[two]
            shown = ", ".join(dict.fromkeys(label for pair in pairs for label in pair))
            return (
                f"{self.table.file}: {names[0]} and {names[1]} name {len(pairs)} pairs of treatments ({shown[:200]}): "
                f"networks are not read; pick a pair in a MAP.yaml, `where: {{{names[0]}: ..., {names[1]}: ...}}`"
            )
        return ""

    def _timed(self, rows: list[_Row], layout: Layout) -> dict[str, int]:
        """A column of times that tells apart the rows of one trial (and arm and outcome), as its time point."""
        if {"timepoint", "timepoint_days"} & set(layout.identity):
            return {}
        apart = [
            i for key in ("arm", "side", "role", "outcome", "comparison") if (i := layout.identity.get(key)) is not None
        ]
        groups: dict[tuple[str, ...], list[_Row]] = {}
        for one in rows:
            groups.setdefault((one.study, *(_text(one.cells[i]) for i in apart)), []).append(one)
        several = [mine for mine in groups.values() if len(mine) > 1]
        for i, name in enumerate(self.table.names):
            if not several or squeeze(name) not in _TIMES or i in layout.places.values():
                continue
            if all(len({_text(one.cells[i]) for one in mine}) == len(mine) for mine in several):
                self.note(
                    f"{self.table.file}: {name} is taken for the time point; one window takes all of them, so that the "
                    "first of each trial is pooled until review.yaml has windows"
                )
                return {"timepoint": i}
        return {}

    def _times(self, row: _Row, layout: Layout) -> dict[str, str]:
        """The time point of a row."""
        found = {}
        if (i := layout.identity.get("timepoint")) is not None and not _empty(row.cells[i]):
            said = row.cells[i].strip()
            unit = _TIMES.get(squeeze(self.table.names[i]), "")
            found["timepoint"] = f"{said} {unit}" if unit and re.fullmatch(r"[0-9]+(?:\.[0-9]+)?", said) else said
        if (i := layout.identity.get("timepoint_days")) is not None:
            found |= self.table.numbers(row.row, row.cells, {"timepoint_days": i})
        return found

    def _keys(self, rows: list[_Row], outcome: str, layout: Layout) -> Iterator[tuple[_Row, dict[str, str]]]:
        """Rows of a wide table or of estimates with their keys; the rows of one trial become its comparisons."""
        given = layout.identity.get("comparison")
        groups: dict[tuple[str, ...], list[tuple[_Row, dict[str, str]]]] = {}
        for one in rows:
            name = self._outcome(one, outcome, layout)
            if not name:
                self.table.done(one.row, None, one.label, "", "row_empty")
                continue
            key = {"study_id": one.study, "label": one.label, "outcome": name, **self._times(one, layout)}
            groups.setdefault((one.study, name, key.get("timepoint", ""), key.get("timepoint_days", "")), []).append(
                (one, key)
            )
        if given is None:
            self.several |= {mine[0][0].study for mine in groups.values() if len(mine) > 1}
        for mine in groups.values():
            used: dict[str, int] = {}
            for at, (one, key) in enumerate(mine, start=1):
                said = slug(one.cells[given]) if given is not None else ""
                if said or len(mine) > 1:
                    name = f"{one.study}_{said or at}"
                    used[name] = used.get(name, 0) + 1
                    key["comparison_id"] = name if used[name] == 1 else f"{name}_{used[name]}"
                yield one, {**key, **self._place_of(one)}

    def _wide(self, rows: list[_Row], outcome: str, layout: Layout) -> None:
        """Rows with both arms."""
        words = [w for w in layout.sides if len(w) > 2 and not headers.side_of(w)]
        sides = layout.sides if len(words) else ("", "")
        self.words = [a or b for a, b in zip(self.words, sides, strict=True)]
        if "sides" in layout.guessed:
            self.note(
                f"{self.table.file}: {layout.sides[0]} is taken for the intervention, {layout.sides[1]} for the control"
            )
        names = [w or role for w, role in zip(self.words, _ROLES, strict=True)]
        numbers: list[dict[str, dict[str, str]]] = []
        beside = next((i for i in layout.unused if squeeze(self.table.names[i]) in ("yi", "te")), None)
        for one, key in self._keys(rows, outcome, layout):
            both = {}
            for role in _ROLES:
                places = {of: i for (side, of), i in layout.places.items() if side == role}
                both[role] = self._counted(one, self.table.numbers(one.row, one.cells, places))
            if not any(v for side in both.values() for k, v in side.items() if k != "n"):
                self.table.done(one.row, None, one.label, "", "row_empty")
                continue
            for role, label in zip(_ROLES, names, strict=True):
                self.arms.append({**key, "arm": label, "role": role, **both[role]})
            numbers.append({**both, "row": {"estimate": "" if beside is None else one.cells[beside]}})
            self._take(key["outcome"], layout.kind, outcome)
        if beside is not None:
            self._measure_of(layout, numbers)

    def _single(self, rows: list[_Row], outcome: str, layout: Layout) -> None:
        """Rows of one group each, compared with nothing."""
        places = {of: i for (_, of), i in layout.places.items()}
        for one, key in self._keys(rows, outcome, layout):
            found = self._counted(one, self.table.numbers(one.row, one.cells, places))
            if not any(of != "n" for of in found):
                self.table.done(one.row, None, one.label, "", "row_empty")
                continue
            self.arms.append({**key, "role": "intervention", **found})
            self._take(key["outcome"], "", outcome or self._said(one, layout), layout.measure)

    def _counted(self, row: _Row, found: dict[str, str]) -> dict[str, str]:
        """An arm's numbers with n from those with and without an event."""
        without = found.pop("nonevents", None)
        if without is not None and "events" in found and "n" not in found:
            found["n"] = str(int(found["events"]) + int(without))
        elif without is not None and "n" in found and "events" not in found and int(without) <= int(found["n"]):
            found["events"] = str(int(found["n"]) - int(without))
        if found.get("n") == "0":
            found.pop("n")
        return {k: v for k, v in found.items() if k in _DATA}

    def _measure_of(self, layout: Layout, numbers: list[dict[str, dict[str, str]]]) -> None:
        """The measure that gives the estimates which stand beside the results, where one does."""
        needed = {"counts": ("events", "n"), "means": ("n", "mean", "sd"), "rates": ("events", "person_time")}[
            layout.kind
        ]
        tried = {"counts": ("RR", "OR", "RD"), "means": ("MD", "SMD", "ROM", "SMDH"), "rates": ("IRR", "IRD")}[
            layout.kind
        ]
        tried = tuple(m for m in tried if self.options.measure in ("", m))
        estimates, columns = [], []
        for one in numbers:
            said = tidy(one["row"]["estimate"], "estimate", comma=self.table.grid.comma).found.get("estimate")
            cells = [one[role].get(of) for role in _ROLES for of in needed]
            if (
                said
                and all(cells)
                and not any(of == "events" and c == "0" for of, c in zip(needed * 2, cells, strict=True))
            ):
                estimates.append(float(said))
                columns.append([float(str(c)) for c in cells])
        if not columns:
            return
        both = np.array(columns).T
        made = {
            "RR": lambda: formulas.from_arms("RR", *both), "OR": lambda: formulas.from_arms("OR", *both),
            "RD": lambda: formulas.from_arms("RD", *both), "IRR": lambda: formulas.from_arms("IRR", *both),
            "IRD": lambda: formulas.from_arms("IRD", *both), "MD": lambda: formulas.md(*both),
            "SMD": lambda: formulas.smd(*both), "SMDH": lambda: formulas.smdh(*both),
            "ROM": lambda: formulas.rom(*both),
        }  # fmt: skip
        for measure in tried:
            with np.errstate(all="ignore"):
                estimate = made[measure]()[0]
            for sign in (1, -1):
                if np.allclose(sign * estimate, estimates, rtol=1e-3, atol=5e-4):
                    for outcome in self.outcomes.values():
                        outcome["measure"], outcome["guessed"] = measure, f"the estimates yi are those of {measure}"
                    if not self.options.measure:
                        self.note(f"{self.table.file}: the measure is {measure}, by which the arms give yi")
                    if sign < 0:
                        self._swap()
                    return

    def _swap(self) -> None:
        """Let the sides change places: the estimates of the table are those of the other one minus this one."""
        turned = dict(zip(_ROLES, reversed(_ROLES), strict=True))
        for arm in self.arms:
            arm["role"] = turned[arm["role"]]
        self.words.reverse()
        self.note(f"{self.table.file}: by the sign of yi the second side is the intervention")

    def _take(self, outcome: str, kind: str, said: str, measure: str = "") -> None:
        """An outcome that has a row, and what is known of it."""
        if outcome in self.outcomes:
            return
        asked = self.options.measure if self.options.measure in MEASURES else ""
        chosen = asked or measure or _DEFAULT[kind]
        self.outcomes[outcome] = {
            "label": (said or outcome).replace("_", " ").strip().capitalize(),
            "type": MEASURES[chosen].type,
            "measure": chosen,
            "guessed": "" if asked or measure else "guessed from the kind of the results",
        }

    def _long(self, rows: list[_Row], outcome: str, layout: Layout) -> None:
        """Rows of one arm each: the arms of a trial, outcome and time point are compared."""
        places = {of: i for (_, of), i in layout.places.items()}
        asked = MEASURES.get(self.options.measure)
        kinds = [kind for kind in headers.kinds_of(places) if asked is None or headers.TYPES[kind] == asked.type]
        if not kinds:
            needs = MEASURES[self.options.measure].needs
            self.problems.append(
                f"{self.table.file}: the measure {self.options.measure} needs {needs}, which the table has not"
            )
            return
        roles = self._roles(rows, layout)
        if roles is None:
            return
        groups: dict[tuple[str, ...], list[tuple[_Row, str, str, dict[str, str], dict[str, str]]]] = {}
        for one in rows:
            name = self._outcome(one, outcome, layout)
            label, role = roles(one)
            if not role:
                self.idle[one.row] = f"{one.label}: {label}", "row_other_arm"
                continue
            if not any(one.cells[i].strip() for i in places.values()):
                self.idle[one.row] = f"{one.label}: {label}", "row_empty"
                continue
            found = self._counted(one, self.table.numbers(one.row, one.cells, places))
            if not name or not any(k != "n" for k in found):
                self.idle[one.row] = f"{one.label}: {label}", "row_empty"
                continue
            times = self._times(one, layout)
            key = (one.study, name, times.get("timepoint", ""), times.get("timepoint_days", ""))
            groups.setdefault(key, []).append((one, label, role, found, times))
        for (study, name, *_), mine in groups.items():
            sides = {role: [arm for arm in mine if arm[2] == role] for role in _ROLES}
            if not all(sides.values()):
                for one, label, *_ in mine:
                    self.idle[one.row] = f"{one.label}: {label}", "row_without_partner"
                continue
            together = self.map.sum is True or (self.map.sum is not False and mine[0][0].label in self.map.sum)
            pairs = [mine] if together else [[a, b] for a in sides["intervention"] for b in sides["control"]]
            seen: dict[str, int] = {}
            for pair in pairs:
                comparison = {}
                if len(pairs) > 1:
                    varying = [arm[1] for role in _ROLES for arm in pair if arm[2] == role and len(sides[role]) > 1]
                    id_ = f"{study}_{slug(' '.join(varying)) or len(seen) + 1}"
                    seen[id_] = seen.get(id_, 0) + 1
                    comparison = {"comparison_id": id_ if seen[id_] == 1 else f"{id_}_{seen[id_]}"}
                used: dict[str, int] = {}
                for one, label, role, found, times in pair:
                    used[label] = used.get(label, 0) + 1
                    arm = label if used[label] == 1 else f"{label} ({used[label]})"
                    whose = {"study_id": study, "label": one.label, "outcome": name, **times, **comparison}
                    self.arms.append({**whose, **self._place_of(one), "arm": arm, "role": role, **found})
            if len(pairs) > 1:
                self.note(
                    f"{self.table.file}: {mine[0][0].label} has several arms of one side; each pair is a comparison "
                    "(`sum: true` in a MAP.yaml makes one arm of them)"
                )
            have = set().union(*(arm[3] for arm in mine))
            kind = next((k for k in kinds if k in headers.kinds_of(have)), kinds[0])
            self._take(name, kind, outcome or self._said(mine[0][0], layout))

    def _said(self, row: _Row, layout: Layout) -> str:
        """What a row calls its outcome."""
        place = layout.identity.get("outcome")
        return " ".join(row.cells[place].split()) if place is not None and not self.options.outcome else ""

    def _roles(self, rows: list[_Row], layout: Layout) -> Any:
        """A function that gives label and role of a row's arm ("" for one that was not picked); None with a problem."""
        arm, role = layout.identity.get("arm"), layout.identity.get("role")
        side = layout.identity.get("side", arm)
        if self.map.role and side is not None:
            known = {k.strip().casefold(): v for k, v in self.map.role.items()}
            for wanted, word in zip(_ROLES, self.words, strict=True):
                label = next((k for k, v in self.map.role.items() if v == wanted), "")
                self.words[_ROLES.index(wanted)] = word or label
            held = {_text(one.cells[side]) for one in rows}
            if lost := [k for k in self.map.role if k.strip().casefold() not in held]:
                have = sorted({one.cells[side].strip() for one in rows if not _empty(one.cells[side])})
                column, hint = self.table.names[side], did_you_mean(lost[0], have)
                self.problems.append(f"{self.table.file}: no row has {', '.join(lost)} in the column {column}{hint}")
                return None
            named = arm if arm is not None else side
            return lambda one: (
                one.cells[named].strip() or one.cells[side].strip(),
                known.get(_text(one.cells[side]), ""),
            )
        if role is not None and arm != role:
            said = {one.cells[role].strip().casefold() for one in rows}
            if said <= {*_ROLES, "other", *_ROLE_WORDS, ""}:
                sides = {role_: role_ for role_ in _ROLES} | _ROLE_WORDS
                name = arm if arm is not None else role
                return lambda one: (one.cells[name].strip(), sides.get(one.cells[role].strip().casefold(), ""))
        if arm is None:
            self.problems.append(f"{self.table.file}: no column names the arms")
            return None
        labels: dict[str, str] = {}
        for one in rows:
            if not _empty(one.cells[arm]):
                labels.setdefault(_text(one.cells[arm]), one.cells[arm].strip())
        picked = self.options.arms
        shown = ", ".join(list(labels.values())[:_FEW]) + (" ..." if len(labels) > _FEW else "")
        if picked is None and len(labels) == 2:
            first, second = labels.values()
            controls = [headers.is_control(first), headers.is_control(second)]
            picked = (second, first) if controls == [True, False] else (first, second)
            self.note(f"{self.table.file}: {picked[0]} is taken for the intervention, {picked[1]} for the control")
        if picked is None and len(labels) < 2:
            column = self.table.names[arm]
            self.problems.append(f"{self.table.file}: the column {column} names {len(labels)} arms; two are compared")
            return None
        if picked is None:
            self.problems.append(
                f"{self.table.file}: the table has {len(labels)} arms ({shown}); name the two to compare: "
                "--arms EXPERIMENTAL CONTROL"
            )
            return None
        for label in picked:
            if _text(label) not in labels:
                hint = did_you_mean(label, list(labels.values()))
                self.problems.append(f"{self.table.file}: no row has the arm {label}{hint}; the arms are {shown}")
                return None
        self.words = [labels[_text(label)] for label in picked]
        chosen = {_text(picked[0]): "intervention", _text(picked[1]): "control"}
        return lambda one: (one.cells[arm].strip(), chosen.get(_text(one.cells[arm]), ""))

    def _contrast(self, rows: list[_Row], outcome: str, layout: Layout) -> None:
        """Rows with an estimate."""
        table = self.table
        asked = self.options.measure or layout.measure
        place = layout.identity.get("measure")
        places = {of: i for (_, of), i in layout.places.items()}
        if not asked and place is None:
            generic = "GIV" if "GIV" in MEASURES else ""
            if not generic:
                have = ", ".join(name for name, one in MEASURES.items() if one.protocol)
                self.problems.append(
                    f"{table.file}: the column {table.names[places['estimate']]} has estimates, but nothing says of "
                    f"which measure; name it: --measure, one of {have}"
                )
                return
            self.note(
                f"{table.file}: nothing names the measure of the estimates, so they are pooled as they are ({generic})"
            )
            asked = generic
        found = []
        for one, key in self._keys(rows, outcome, layout):
            said = asked or (one.cells[place].strip() if place is not None else "")
            measure = next(
                (
                    m
                    for m in MEASURES
                    if m.casefold() == said.casefold() or MEASURES[m].label.casefold() == said.casefold()
                ),
                "",
            )
            if not measure:
                table.done(one.row, place, said, "", "text")
                continue
            values = table.numbers(one.row, one.cells, places)
            reported = "OE_V" if "oe" in places else measure
            if "variance" in values:
                variance = values.pop("variance")
                if "se" not in values:
                    values["se"] = repr(math.sqrt(float(variance)))
                    table.done(one.row, places["variance"], variance, values["se"], "variance_to_se")
            if not any(k in values for k in ("estimate", "p_value", "oe")):
                table.done(one.row, None, one.label, "", "row_empty")
                continue
            found.append((one, {**key, "measure": reported, **values}))
            self._take(key["outcome"], "", outcome or self._said(one, layout), measure)
            if reported == "OE_V" and not self.options.measure:
                self.outcomes[key["outcome"]]["guessed"] = "observed minus expected events: of times to an event"
        ratios = [(one, row) for one, row in found if row["measure"] in RATIO_MEASURES]
        if ratios:
            scale = self._scale(ratios, layout, places)
            for one, row in ratios:
                row["estimate_scale"] = scale
                for of in ("estimate", "ci_lower", "ci_upper"):
                    # A bound that is printed as 0.00 is no number above 0.
                    if scale == "natural" and of in row and float(row[of]) <= 0:
                        table.done(one.row, places.get(of, places["estimate"]), row.pop(of), "", "out_of_bounds")
        for row in (row for _, row in found if row["measure"] in SINGLE_GROUP_MEASURES):
            # Beside an SE or a variance programmes print the analysis scale; people print intervals of the natural one.
            row["estimate_scale"] = scale_of(str(row["measure"])) if "se" in row else "natural"
        self.contrasts += [row for _, row in found]

    def _scale(self, ratios: list[tuple[_Row, dict[str, str]]], layout: Layout, places: Mapping[str, int]) -> str:
        """Whether the estimates of ratios are natural or logarithms, and a note where it is a guess."""
        name = self.table.names[places["estimate"]]
        values = [float(row["estimate"]) for _, row in ratios if "estimate" in row]
        if layout.natural is not None:
            logs = []
            for one, row in ratios:
                natural = tidy(one.cells[layout.natural], "estimate", comma=self.table.grid.comma).found.get("estimate")
                if natural and float(natural) > 0 and "estimate" in row:
                    logs.append(abs(math.log(float(natural)) - float(row["estimate"])))
            if logs and float(np.median(logs)) < 0.05:
                other = self.table.names[layout.natural]
                self.note(
                    f"{self.table.file}: {name} is the logarithm of {other}, with more digits: it was read instead"
                )
                return "log"
        if layout.log is not None and layout.natural is None:
            return "log" if layout.log else "natural"
        if any(v <= 0 for v in values):
            return "log"
        limits = "ci_lower" in places and "se" not in places and "variance" not in places
        scale = "natural" if limits else "log"
        self.note(
            f"{self.table.file}: {name} is taken for {'a ratio' if limits else 'the logarithm of a ratio'} "
            "(column estimate_scale)"
        )
        return scale

    def _apart_or_together(self, protocol: dict[str, Any], comments: dict[str, str]) -> None:
        """What is to be said of studies with several rows: whether their comparisons share patients.

        Rows of counts or means that have no arm in common are pooled as they stand, as the programmes do from which
        such tables come; rows with the same n and results on one side share it.
        """
        apart = []
        for study in sorted(self.several):
            mine = [row for row in self.arms if row["study_id"] == study]
            sides = [
                [tuple((k, v) for k, v in sorted(row.items()) if k in _DATA) for row in mine if row["role"] == role]
                for role in _ROLES
            ]
            places = [row["location"] for row in (*mine, *self.contrasts) if row["study_id"] == study]
            rows = " and ".join(dict.fromkeys(places))
            if all(sides) and all(len(set(side)) == len(side) for side in sides):
                reason = f"{rows} of {self.table.file} have no arm in common; to be removed if they share patients"
                apart.append({"study": study, "reason": reason})
                self.note(f"{self.table.file}: {study} has several rows, without an arm in common: pooled one by one")
            else:
                self.note(
                    f"{self.table.file}: {study} has several rows ({rows}): taken as comparisons that share patients"
                )
        if apart:
            protocol["independent_comparisons"] = apart
            comments["independent_comparisons"] = "guessed: comparisons that share no patients"


def _text(cell: str) -> str:
    """A cell as it is compared."""
    text = " ".join(cell.split()).casefold()
    return text.removesuffix(".0") if re.fullmatch(r"[0-9]+\.0", text) else text


def _empty(cell: str) -> bool:
    """Whether a cell of words says nothing."""
    return not cell.strip() or is_missing_word(cell)


def _study_names(table: _Table, places: Iterable[int], given: Mapping[int, str], layout: Layout) -> dict[int, str]:
    """Columns to the names that they have in studies.csv."""
    guarded = [*STUDIES.guarded, "study_id", "label"]
    taken = {"study_id", "label"}
    found = {}
    for i in places:
        if not table.names[i].strip():
            continue
        key = {v: k for k, v in layout.identity.items()}.get(i, "")
        name = (
            key
            if key in ("year", "design")
            else given.get(i) or slug(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", table.names[i]))
        )
        if not name:
            name = f"column_{i + 1}"
        known = name in {c.name for c in STUDIES.columns}
        if name in taken or (not known and nearest(name, guarded, 0.85)):
            name = f"reported_{name}"
        while name in taken:
            name += "_2"
        taken.add(name)
        found[i] = name
    return found


def _frame(rows: list[dict[str, str]], order: list[str]) -> pd.DataFrame:
    """Rows as text, known columns in our order first, then the others as they came."""
    have = dict.fromkeys(name for row in rows for name in row)
    names = [name for name in order if name in have] + [name for name in have if name not in order]
    return pd.DataFrame([[row.get(name, "") for name in names] for row in rows], columns=names, dtype=object)
