"""Reading and checking the tables of one review."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from reweigh.tables.columns import Column, TableSpec, convert, is_missing_word
from reweigh.tables.problems import Problem, almost, did_you_mean, in_order, nearest
from reweigh.tables.reading import lost_values, read_cells
from reweigh.tables.specs import RESULTS, SPECS

_DATA = ("arms.csv", "contrasts.csv")
FILES = (*SPECS, "review.yaml", "claims.yaml", "certainty_overrides.csv", "published_trials.csv")
"""Every file of a review that is read."""
MISSING_TABLES = ("the file is missing, and so is contrasts.csv", "the file is missing")
"""What is said of a table that a review needs and does not have."""


@dataclass(frozen=True, slots=True)
class TableRules:
    """What the protocol says about the tables.

    `categories`: allowed values by column (they replace built-in ones); `outcomes_known`: outcome names, used to
    find misspelt ones; `single_groups`: those of them that have no control arms; `table_source`: one source for a
    whole file; `subgroup_columns`: columns that studies.csv must have; `wanted_by`: the protocol's key that wants such
    a column; `number_columns`: further columns of studies.csv that hold numbers; `columns_extra`: further columns
    allowed in any table; `row_columns`: columns of arms.csv or contrasts.csv with categories; `set_columns`: columns of
    studies.csv by which sets are made, which a row may have for itself; `readings`: names of readings.
    """

    categories: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outcomes_known: tuple[str, ...] = ()
    single_groups: tuple[str, ...] = ()
    table_source: Mapping[str, str] = field(default_factory=dict)
    subgroup_columns: tuple[str, ...] = ()
    wanted_by: Mapping[str, str] = field(default_factory=dict)
    number_columns: tuple[str, ...] = ()
    columns_extra: tuple[str, ...] = ()
    row_columns: tuple[str, ...] = ()
    set_columns: tuple[str, ...] = ()
    readings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of a review, typed: float64, Int64 for counts and years, str or None for text.

    Every known column is present, and `row` holds the spreadsheet row (missing in studies made from ids). A study
    without `eligible` column is eligible. `source` is the row's source, else its source_url, else the table's.
    """

    studies: pd.DataFrame
    arms: pd.DataFrame
    contrasts: pd.DataFrame
    risk_of_bias: pd.DataFrame


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A table while it is checked: `readable` is false when it could not be aligned to columns at all."""

    frame: pd.DataFrame
    header: tuple[str, ...] = ()
    lost_ids: frozenset[str] = frozenset()
    readable: bool = False


def table_spec(file: str, rules: TableRules | None) -> TableSpec:
    """The specification of a file of `SPECS` with the protocol's categories and further columns.

    Without rules (an unread protocol) the studies' columns may hold anything, and rows may have further ones: the
    protocol may name their values, and subgroup columns.
    """
    spec = SPECS[file]
    if rules is None:
        free = {c: replace(c, kind="text", choices=()) for c in spec.columns if c.choices and file == "studies.csv"}
        spec = replace(spec, closed=False, guarded=tuple(spec.names)) if file in _DATA else spec
        return replace(spec, columns=tuple(free.get(c, c) for c in spec.columns))
    columns = {c.name: c for c in spec.columns}
    names, categories = [*rules.columns_extra], dict(rules.categories)
    if file in _DATA:
        names += [*rules.row_columns, *rules.set_columns]
        categories |= {"reading": rules.readings} if rules.readings else {}
    if file == "studies.csv":
        of_studies = (name for name in rules.categories if name not in rules.row_columns)
        names += [*rules.subgroup_columns, *rules.number_columns, *of_studies]
        columns |= {name: Column(name, "number") for name in rules.number_columns}
    for name in names:
        columns.setdefault(name, Column(name))
    for name, choices in categories.items():
        if name in columns and columns[name].kind in ("text", "category"):
            columns[name] = replace(columns[name], kind="category", choices=tuple(choices))
    required, guarded = spec.required, spec.guarded
    if file == "studies.csv":
        required += tuple((name,) for name in dict.fromkeys(rules.subgroup_columns) if name != "study_id")
        guarded += tuple(rules.categories) + rules.number_columns
    return replace(spec, columns=tuple(columns.values()), required=required, guarded=guarded, wanted_by=rules.wanted_by)


def _nothing(numeric: bool, rows: pd.Index) -> pd.Series:
    """An empty column of numbers or of text."""
    if numeric:
        return pd.Series(np.nan, index=rows, dtype=float)
    return _text([None] * len(rows), rows)


def _text(values: Sequence[str | None], rows: pd.Index) -> pd.Series:
    """A text column: str or None."""
    return pd.Series(list(values), index=rows, dtype=object)


def _empty(spec: TableSpec) -> pd.DataFrame:
    rows = pd.Index([], dtype="int64")
    return pd.DataFrame(_blank(spec.columns, rows), index=rows)


def _blank(columns: Iterable[Column], rows: pd.Index) -> dict[str, pd.Series]:
    """Empty columns; those of a type are one object, as most columns of most tables are empty."""
    of = {numeric: _nothing(numeric, rows) for numeric in (True, False)}
    return {c.name: of[c.numeric] for c in columns}


def _broken_rules(
    frame: pd.DataFrame, cells: pd.DataFrame, file: str, spec: TableSpec, known: set[tuple[int | None, str]]
) -> list[Problem]:
    """Problems across columns; a cell that is already reported is not reported again."""
    helpers = {
        "p_written": cells["p_value"].str.strip() if "p_value" in cells else "",
        "percent_decimals": cells["percent"].map(_decimals) if "percent" in cells else 0,
    }
    values = frame.assign(**helpers)
    problems = []
    for rule in spec.rules:
        for row in frame.index[rule.broken(values).astype(bool)]:
            if (row, rule.column) not in known:
                here = dict.fromkeys((c.name for c in spec.columns), "") | cells.loc[row].str.strip().to_dict()
                message, allowed = rule.message.format_map(here), rule.allowed.format_map(here)
                problems.append(Problem(file, int(row), rule.column, here[rule.column], message, allowed))
    return problems


def _decimals(text: str) -> int:
    """How many decimals a number was typed with."""
    found = re.fullmatch(r"[^eE]*\.(\d*)", text.strip())
    return len(found[1]) if found else 0


def _cells(column: pd.Series) -> list[tuple[int, str]]:
    """(row, text) pairs of a text column."""
    return list(zip(column.index.tolist(), column.tolist(), strict=True))


def _first(*columns: Iterable[str | None]) -> list[str | None]:
    """Row by row the first text that is there, else None."""
    return [next((v for v in cells if isinstance(v, str)), None) for cells in zip(*columns, strict=True)]


def _duplicates(frame: pd.DataFrame, file: str, spec: TableSpec, id_column: str) -> list[Problem]:
    """Rows that repeat an earlier row's key (letter case aside)."""
    if not spec.unique:
        return []
    keys = {name: frame[name] for name in spec.unique}
    if "arm" in keys:
        keys["arm"] = _text(_first(frame["arm"], frame["role"]), frame.index)
    if "timepoint" in keys:
        days = frame["timepoint_days"].astype(str)
        keys["timepoint"] = _text(_first(frame["timepoint"], days), frame.index)
    seen: dict[tuple[str, ...], tuple[int, str]] = {}
    problems = []
    for row, *key in zip(frame.index.tolist(), *keys.values(), strict=True):
        name = str(key[0])
        if key[0] is None:
            continue
        other, spelling = seen.setdefault(tuple(str(k).casefold() for k in key), (row, name))
        if other == row:
            continue
        message = f"repeats row {other}: same " + ", ".join(spec.unique)
        if len(spec.unique) == 1:
            twice, nearly = "is also the study_id of row", f'differs only by letter case from "{spelling}" in row'
            message = f"{twice if name == spelling else nearly} {other}"
        problems.append(Problem(file, row, id_column, name, message, "one row per " + ", ".join(spec.unique)))
    return problems


def _load(data: bytes, file: str, spec: TableSpec) -> tuple[_Sheet, list[Problem]]:
    """Read one table and check it by itself."""
    cells, problems = read_cells(data, file, spec)
    if cells is None:
        return _Sheet(_empty(spec)), problems
    header, rows = tuple(cells.frame.columns), cells.frame.index
    columns = {c.name: c for c in spec.columns}
    if "comparison_id" in columns and "study_id" not in header:
        columns["comparison_id"] = replace(columns["comparison_id"], filled=True)
    values: dict[str, pd.Series] = {}
    for name in header:
        column = columns.get(name, Column(name))
        values[name], found = convert(column, cells.frame[name].tolist(), rows, file)
        problems += found
    values |= _blank((column for name, column in columns.items() if name not in values), rows)
    if "comparison_id" in columns:
        if "study_id" not in header:
            values["study_id"] = values["comparison_id"]
        values["comparison_id"] = _text(_first(values["comparison_id"], values["study_id"]), rows)
    frame = pd.DataFrame(values, index=rows)
    known = {(p.row, p.column) for p in problems}
    problems += _broken_rules(frame, cells.frame, file, spec, known)
    problems += _duplicates(frame, file, spec, next((name for name in spec.unique if name in header), ""))
    lost = lost_values(cells, columns["study_id"]) if "study_id" in columns else set()
    readable = "study_id" in header or "comparison_id" in header
    return _Sheet(frame, header, frozenset(lost), readable), problems


def _finish(frame: pd.DataFrame, spec: TableSpec) -> pd.DataFrame:
    """The frame as it is handed out: counts as Int64, the spreadsheet row as a column."""
    names = [c.name for c in spec.columns]
    finished = frame[names + [name for name in frame if name not in names]].astype(
        {c.name: "Int64" for c in spec.columns if c.whole}
    )
    finished = finished.drop(columns="row", errors="ignore")
    finished.insert(0, "row", pd.Series(finished.index, index=finished.index, dtype="Int64"))
    return finished.reset_index(drop=True)


def read_table(data: bytes, name: str, spec: TableSpec) -> tuple[pd.DataFrame, list[Problem]]:
    """One table by itself, typed as in `Tables`, with its problems; rows that cannot be aligned are left out."""
    sheet, problems = _load(data, name, spec)
    return _finish(sheet.frame, spec), in_order(problems)


def _studies_from_ids(sheets: Iterable[pd.DataFrame], spec: TableSpec) -> pd.DataFrame:
    """A row per study id in order of appearance, with its first label."""
    labels: dict[str, str | None] = {}
    for frame in sheets:
        for name, label in zip(frame["study_id"], frame["label"], strict=True):
            if name is not None:
                labels[name] = labels.get(name) or label
    values = _blank(spec.columns, pd.RangeIndex(len(labels)))
    values |= {
        "study_id": pd.Series(list(labels), dtype=object),
        "label": pd.Series(list(labels.values()), dtype=object),
    }
    return pd.DataFrame(values)


def _unknown_studies(sheets: Mapping[str, _Sheet], known: set[str], where: str) -> list[Problem]:
    """Study ids that `where`, the table that lists the studies, does not have."""
    options, hints = sorted(known), dict[str, str]()
    problems = []
    for file, sheet in sheets.items():
        ids = sheet.frame["study_id"]
        column = "study_id" if "study_id" in sheet.header else "comparison_id"
        for row, name in _cells(ids[ids.notna() & ~ids.isin(known)]):
            if name not in hints:
                hints[name] = did_you_mean(name, options) if len(hints) < 50 else ""
            message = f"is not a study of {where}{hints[name]}"
            problems.append(Problem(file, row, column, name, message, f"a study_id of {where}"))
    return problems


def _clashing_ids(sheets: Mapping[str, _Sheet], with_studies: bool) -> list[Problem]:
    """Ids that would merge or split studies: one comparison in two studies, or two spellings of one id."""
    problems = []
    owner: dict[str, str] = {}
    spelling: dict[str, str] = {}
    for file, sheet in sheets.items():
        for row, study, comparison in sheet.frame[["study_id", "comparison_id"]].dropna().itertuples():
            first = spelling.setdefault(study.casefold(), study)
            if first != study and not with_studies:
                column = "study_id" if "study_id" in sheet.header else "comparison_id"
                message = f'differs only by letter case from "{first}"'
                problems.append(Problem(file, row, column, study, message, "one spelling per id"))
            elif owner.setdefault(comparison.casefold(), study).casefold() != study.casefold():
                message = f"is also a comparison of study {owner[comparison.casefold()]}"
                allowed = "a comparison_id that belongs to one study"
                problems.append(Problem(file, row, "comparison_id", comparison, message, allowed))
    return problems


def misspelt(name: str, known: Iterable[str]) -> str | None:
    """The known name of which this one is a near miss, None where it is one of them or a name of its own.

    Numbers and single letters tell names apart (pain_30 and pain_50, arm_a and arm_b).
    """

    def plain(text: str) -> str:
        return re.sub(r"[\W_]+", "", text.casefold())

    def marks(text: str) -> list[str]:
        return re.findall(r"\d+|(?<![^\W_])[^\W\d_](?![^\W_])", text.casefold())

    known = list(known)
    if name in known:
        return None
    same = next((k for k in known if plain(k) == plain(name)), None)
    others = [k for k in known if marks(k) == marks(name)]
    letter = next((k for k in others if min(len(k), len(name)) > 3 and almost(k.casefold(), name.casefold())), None)
    return same or letter or nearest(name, [k for k in others if k not in name and name not in k], 0.9)


def _misspelt_outcomes(sheets: Mapping[str, _Sheet], known: tuple[str, ...]) -> list[Problem]:
    """Outcomes that look like one of the protocol's, but are not: they would go unanalysed in silence."""
    problems = []
    for file, sheet in sheets.items():
        outcomes = sheet.frame["outcome"].dropna()
        wrong = {name: hit for name in outcomes.unique() if (hit := misspelt(name, known))}
        for row, name in _cells(outcomes[outcomes.isin(list(wrong))]):
            message = f'is almost an outcome of the protocol (did you mean "{wrong[name]}"?)'
            problems.append(Problem(file, row, "outcome", name, message, "one spelling per outcome"))
    return problems


def _roles(arms: pd.DataFrame, single_groups: tuple[str, ...]) -> list[Problem]:
    """Comparisons whose sides have one role, and arms that change sides within a comparison."""
    sides = arms[arms["role"].isin(["intervention", "control"]) & arms["study_id"].notna()]
    sides = sides[~sides["outcome"].isin(single_groups)]
    # Most comparisons have both roles, and each arm one: only the others are looked at one by one.
    of_comparison = sides.groupby("comparison_id", sort=False)["role"].nunique()
    of_arm = sides.groupby(["comparison_id", "arm"], sort=False)["role"].nunique()
    suspect = {*of_comparison.index[of_comparison == 1], *of_arm.index[of_arm > 1].get_level_values("comparison_id")}
    sides = sides[sides["comparison_id"].isin(suspect)]
    problems = []
    for comparison, group in sides.groupby("comparison_id", sort=False):
        roles = group["role"].unique()
        at = ["outcome", "timepoint", "timepoint_days"]
        arms_of = group.drop_duplicates([*at, "arm"]).groupby(at, dropna=False, sort=False).size()
        if len(roles) == 1 and (arms_of > 1).any():
            other = "control" if roles[0] == "intervention" else "intervention"
            message = f"is the role of every arm of comparison {comparison}"
            problems += [Problem("arms.csv", row, "role", roles[0], message, other) for row in group.index]
            continue
        for arm, rows in group.dropna(subset=["arm"]).groupby("arm", sort=False):
            usual = rows["role"].mode()
            if len(rows["role"].unique()) > 1:
                odd = rows[rows["role"] != usual.iloc[0]] if len(usual) == 1 else rows
                message = f"is not the role that the arm {arm} of comparison {comparison} has in other rows"
                problems += [
                    Problem("arms.csv", row, "role", role, message, "one role per arm of a comparison")
                    for row, role in _cells(odd["role"])
                ]
    return problems


def _of_rows(sheets: Mapping[str, _Sheet], needed: Sequence[str], optional: Iterable[str]) -> list[Problem]:
    """Subgroup columns of rows that no table has, and arms of one comparison that differ in a column of rows."""
    tables = {file: sheet for file, sheet in sheets.items() if file in _DATA}
    problems = []
    for column in (*needed, *optional):
        if column in needed and tables and not any(column in sheet.header for sheet in tables.values()):
            message = "the column is missing, which review.yaml names under row_subgroups"
            problems.append(
                Problem(next(iter(tables)), 1, column, "", message, "a column of arms.csv or contrasts.csv")
            )
        elif "arms.csv" in tables and column in tables["arms.csv"].header:
            arms = tables["arms.csv"].frame
            sides = arms[arms["comparison_id"].notna() & (arms["role"] != "other")]
            at = [sides[name].fillna("") for name in ("comparison_id", "outcome", "timepoint", "reading")]
            cells, comparison = sides[column].fillna(""), sides["comparison_id"].to_dict()
            first = cells.groupby([*at, sides["timepoint_days"].fillna(-1)], sort=False).transform("first")
            for row, value in _cells(cells[cells != first]):
                message = f"is not the {column} of the other arm of comparison {comparison[row]}"
                allowed = str(first.loc[row]) or "empty, as in the row of the other arm"
                problems.append(Problem("arms.csv", row, column, value, message, allowed))
    return problems


def _sources(sheet: _Sheet, table_source: str) -> pd.Series:
    """The source of each row: its own, else the table's, else None."""
    own = [
        text if text and not is_missing_word(text) else None
        for text in _first(sheet.frame["source"], sheet.frame["source_url"])
    ]
    table = [table_source.strip() or None] * len(own)
    return _text(_first(own, table), sheet.frame.index)


def _without_source(file: str, sheet: _Sheet, source: pd.Series, excluded: set[str]) -> list[Problem]:
    """Rows of studies that are not excluded which report numbers and name no source."""
    frame = sheet.frame
    bare = frame[list(RESULTS[file])].notna().any(axis=1) & source.isna()
    if "study_id" in frame:
        bare &= ~frame["study_id"].isin(excluded)
    column = "source_url" if "source_url" in sheet.header and "source" not in sheet.header else "source"
    message, allowed = "the row reports numbers without a source", "a source in the row, or one for the whole table"
    return [Problem(file, row, column, text or "", message, allowed) for row, text in _cells(frame.loc[bare, column])]


def misspelt_files(names: Iterable[str], known: Sequence[str]) -> list[Problem]:
    """Files of the folder whose name is almost that of one that it does not have; they would be passed over."""
    given = set(names)
    absent = sorted(set(known) - given)
    problems = []
    for name in sorted(given - set(known)):
        stem, ending = re.sub(r"\.(csv|ya?ml|xlsx?|ods|tsv|txt)$", "", name, flags=re.I), name.rpartition(".")[2]
        saved = next((a for a in absent if a.partition(".")[0] == stem.casefold()), None)
        if meant := saved if saved and ending != stem else nearest(name, absent, 0.85):
            message = f'looks like a misspelt file name (did you mean "{meant}"?)'
            problems.append(Problem(name, None, "", name, message, ", ".join(known)))
    return problems


def _missing_files(files: Iterable[str], rules: TableRules | None, misspelt_names: Iterable[str]) -> list[Problem]:
    """Files that a review needs; one that stands there under another name is not missing as well."""
    given, named = set(files), " ".join(misspelt_names)
    problems = []
    if not given & set(_DATA) and not any(name in named for name in _DATA):
        allowed = "arms.csv or contrasts.csv, or both; or a workbook with such a sheet, tables.xlsx"
        problems.append(Problem("arms.csv", None, "", "", MISSING_TABLES[0], allowed))
    if rules and rules.subgroup_columns and "studies.csv" not in given and "studies.csv" not in named:
        wanted = [f"{c} (review.yaml: {rules.wanted_by.get(c, 'sets')})" for c in rules.subgroup_columns]
        allowed = "studies.csv with the columns that the protocol names: " + ", ".join(wanted)
        problems.append(Problem("studies.csv", None, "", "", MISSING_TABLES[1], allowed))
    return problems


def check_review(files: Mapping[str, bytes], rules: TableRules | None) -> tuple[Tables, list[Problem]]:
    """Read all tables of a review and find every problem at once, sorted by file and row.

    `files` maps file names (studies.csv, arms.csv, contrasts.csv, risk_of_bias.csv, published.csv) to their bytes;
    an absent file has no key, other files are only named. `rules` is None where the protocol could not be read: then
    nothing that depends on it is a problem. The tables are complete only when there are no problems. Nothing is raised.
    """
    specs = {file: table_spec(file, rules) for file in SPECS}
    problems = misspelt_files(files, FILES)
    problems += _missing_files(files, rules, [p.message for p in problems])
    sheets: dict[str, _Sheet] = {}
    for file in (file for file in SPECS if file in files):
        sheets[file], found = _load(files[file], file, specs[file])
        problems += found
    data = {file: sheets.get(file, _Sheet(_empty(specs[file]))) for file in _DATA}
    using = {file: sheets[file] for file in (*_DATA, "risk_of_bias.csv") if file in sheets}
    listed = sheets.get("studies.csv")
    is_listed = listed is not None and listed.readable
    if listed is not None and listed.readable:
        studies, where, lost = listed.frame, "studies.csv", listed.lost_ids
    else:
        studies = _studies_from_ids([sheet.frame for sheet in data.values()], specs["studies.csv"])
        where = " or ".join(file for file in _DATA if file in sheets)
        lost = frozenset().union(*(sheet.lost_ids for sheet in data.values()))
    if is_listed or (listed is None and all(sheet.readable for sheet in using.values())):
        problems += _unknown_studies(using, set(studies["study_id"].dropna()) | lost, where)
    problems += _clashing_ids(data, with_studies=is_listed)
    problems += _misspelt_outcomes(data, rules.outcomes_known if rules else ())
    problems += _roles(data["arms.csv"].frame, rules.single_groups if rules else ())
    if rules:
        problems += _of_rows(using, rules.row_columns, ("design", *rules.set_columns))

    # Where eligibility cannot be read, its problem is reported and no source is asked for.
    has_eligible = is_listed and listed is not None and "eligible" in listed.header
    uncertain = set(studies.loc[studies["eligible"] != "yes", "study_id"]) if has_eligible else set()
    for file in (file for file in RESULTS if file in sheets):
        source = _sources(sheets[file], rules.table_source.get(file, "") if rules else "")
        if rules is not None and (file == "published.csv" or is_listed or listed is None):
            problems += _without_source(file, sheets[file], source, uncertain | lost)
        sheets[file].frame["source"] = source
    studies = studies.assign(label=_text(_first(studies["label"], studies["study_id"]), studies.index))
    if not has_eligible:
        studies = studies.assign(eligible=["yes"] * len(studies))
    finished = {file: _finish(data[file].frame, specs[file]) for file in _DATA}
    studies = _finish(studies, specs["studies.csv"])
    if not is_listed:
        studies["row"] = pd.Series(pd.NA, index=studies.index, dtype="Int64")
    bias = sheets.get("risk_of_bias.csv", _Sheet(_empty(specs["risk_of_bias.csv"]))).frame
    judgements = _finish(bias, specs["risk_of_bias.csv"])
    return Tables(studies, finished["arms.csv"], finished["contrasts.csv"], judgements), in_order(problems)
