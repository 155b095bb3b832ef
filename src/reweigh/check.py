"""Check a whole review: its protocol, its tables, and that all of its files speak of the same things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from reweigh.certainty.assess import OVERRIDE_COLUMNS, OVERRIDES, override_problems
from reweigh.certainty.thresholds import rule_problems
from reweigh.claims.model import claims_problems
from reweigh.compare.results import UnreadableError, of_archive, of_review
from reweigh.console import told_of
from reweigh.effects.candidates import build_candidates
from reweigh.effects.selection import EFFECT_COLUMNS, analyses, one_per_outcome, reported
from reweigh.effects.table import validate
from reweigh.flags import flag_table, notices_of
from reweigh.io import read_text
from reweigh.measures import SINGLE_GROUP_MEASURES
from reweigh.pool.few_trials import prior_of
from reweigh.protocol.model import Option, Protocol
from reweigh.protocol.read import load_protocol
from reweigh.risk_of_bias import Tool, judgement_problems
from reweigh.tables.problems import Problem, did_you_mean, format_report, in_order, nearest
from reweigh.tables.review import FILES, MISSING_TABLES, TableRules, Tables, check_review, misspelt
from reweigh.tables.specs import SPECS
from reweigh.workbooks import TABLES, WHOLE, WORKBOOKS, with_tables

PROTOCOL, CLAIMS, PUBLISHED, PUBLISHED_TRIALS = "review.yaml", "claims.yaml", "published.csv", "published_trials.csv"
BIAS = "risk_of_bias.csv"


def check(
    files: Mapping[str, bytes], review: str, tools: Mapping[str, Tool] | None = None
) -> tuple[Tables | None, str]:
    """Read everything of a review and find every problem at once.

    Parameters
    ----------
    files
        File name to bytes: review.yaml, the tables that the review has, its claims and overrides. Other files of the
        folder are only looked at for a misspelt name.
    review
        Name of the review's folder, for the report.
    tools
        Risk-of-bias tools by name; None: judgements are not held to their tool.

    Returns
    -------
    The typed tables and an empty report, or None and one report of all problems.
    """
    tables, _, problems = examine(files, tools, review)
    return (None, format_report(problems, review)) if problems else (tables, "")


ARCHIVE = ".zip"
"""What the archive ends with that a protocol may call its former one."""


def files_of(folder: Path) -> dict[str, bytes]:
    """The files of a review's folder by name; of files that are none of a review only the names are read."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    known = {*FILES, *WORKBOOKS}
    read = {name for name in names if name in known or name.endswith(ARCHIVE)}
    return {name: (folder / name).read_bytes() if name in read else b"" for name in names}


def examine(
    files: Mapping[str, bytes], tools: Mapping[str, Tool] | None = None, review: str = ""
) -> tuple[Tables, Protocol | None, list[Problem]]:
    """As `check`: the tables (whole only where there is no problem), the protocol, every problem.

    Without a `review` the former archive may be that of any.

    While the protocol cannot be read, nothing that depends on it is a problem.
    """
    opened = with_tables(files)
    tables, protocol, problems = _examine(opened.files, tools)
    problems += [] if protocol is None else _former(files, protocol, review)
    unsure = {name for name, _ in opened.unread}
    if unsure:  # what is missing may stand in a workbook that cannot be read
        problems = [p for p in problems if p.message not in MISSING_TABLES]
    problems += [Problem(book, None, "", "", why, "an Excel workbook (.xlsx)") for book, why in opened.unread]
    for file, place in opened.twice:
        message = f"the table stands here and in {place}"
        problems.append(Problem(file, None, "", "", message, "each table in one place; delete or empty one of the two"))
    for sheet in opened.others:
        if meant := nearest(sheet, TABLES):
            message = f'looks like a misspelt sheet name (did you mean "{meant}"?)'
            problems.append(Problem(WHOLE, None, "", sheet, message, ", ".join(TABLES)))
    # A row of a sheet is called by the workbook in which it stands.
    return tables, protocol, in_order(replace(p, file=opened.origin.get(p.file, p.file)) for p in problems)


def _examine(
    files: Mapping[str, bytes], tools: Mapping[str, Tool] | None
) -> tuple[Tables, Protocol | None, list[Problem]]:
    """As `examine`, of files among which no table is in a workbook."""
    protocol, problems = load_protocol(files.get(PROTOCOL), PROTOCOL)
    if PROTOCOL not in files and any(name.casefold() in ("review.yml", "review.yaml") for name in files):
        problems = []  # it stands there under another name, which is reported
    others = (PROTOCOL, CLAIMS, OVERRIDES)
    rules = None if protocol is None else table_rules(protocol)
    tables, found = check_review({k: v for k, v in files.items() if k not in others}, rules)
    found += [] if tools is None else judgement_problems(tables.risk_of_bias, tools)
    if protocol is not None:
        found = _renamed_outcomes(found, protocol, tables)
        told = {p.value for p in found if p.value}
        missing = {p.column for p in found if p.file == "studies.csv" and p.message.startswith("the column is missing")}
        problems += [p for p in _disagreements(protocol, tables, missing) if p.value not in told]
        found += _outcomes_of_others(files, protocol, tables)
    problems += found
    for name, read in ((OVERRIDES, _overrides), (PUBLISHED_TRIALS, _published_trials), (CLAIMS, _claims)):
        if name in files:
            told = {p.value for p in problems if p.value}
            problems += [p for p in read(files, protocol, tables) if name == OVERRIDES or p.value not in told]
    if protocol is not None and not problems:
        problems += _impossible(protocol, tables)
    return tables, protocol, problems


def _former(files: Mapping[str, bytes], protocol: Protocol, review: str) -> list[Problem]:
    """What is wrong with the archive with which the results are compared."""
    name = protocol.former
    if not name:
        return []
    allowed = "an archive.zip of this review (`reweigh run archive`), beside review.yaml"
    if name not in files:
        near = did_you_mean(name, [one for one in files if one.endswith(".zip")])
        return [Problem(PROTOCOL, None, "former", name, f"is not in the review's folder{near}", allowed)]
    try:
        of_review(of_archive(files[name], "the archive"), review)
    except UnreadableError as why:
        return [Problem(PROTOCOL, None, "former", name, f"cannot be compared: {why}", allowed)]
    return []


def notices(protocol: Protocol, files: Mapping[str, bytes], tables: Tables) -> list[str]:
    """Lines on what a checked review does not use, or was read in a way that must be said."""
    lost = build_candidates(tables.studies, tables.arms, tables.contrasts, protocol).excluded
    typed = {name: content for name, content in with_tables(files).files.items() if name in SPECS}
    found = flag_table(notices_of(protocol, tables.arms, tables.contrasts, typed, lost), tables.studies)
    return told_of(found.to_dict("records"), "flags.csv")  # type: ignore[arg-type]


def _claims(files: Mapping[str, bytes], protocol: Protocol | None, tables: Tables) -> list[Problem]:
    """What is wrong with the claims."""
    published, unread = _typed(files, PUBLISHED, ("review_id",)) if PUBLISHED in files else (None, [])
    reviews = None if published is None or unread else set(published["review_id"])
    return claims_problems(files[CLAIMS], protocol, tables, reviews)


def _overrides(files: Mapping[str, bytes], protocol: Protocol | None, tables: Tables) -> list[Problem]:
    """What is wrong with the overrides of the certainty rules."""
    del tables
    table, problems = _typed(files, OVERRIDES, OVERRIDE_COLUMNS)
    return problems or override_problems(table, _analysis_ids(protocol))


def _published_trials(files: Mapping[str, bytes], protocol: Protocol | None, tables: Tables) -> list[Problem]:
    """What is wrong with the list of trials that published reviews pooled."""
    del protocol
    table, problems = _typed(files, PUBLISHED_TRIALS, ("review_id", "study_id"))
    if problems:
        return problems
    known = set(tables.studies["study_id"].dropna())
    for row, value in enumerate(table["study_id"], start=2):
        if value not in known:
            message = f"is not a study of this review{did_you_mean(value, sorted(known))}"
            problems.append(Problem(PUBLISHED_TRIALS, row, "study_id", value, message, "a study_id of the tables"))
    return problems


def _typed(files: Mapping[str, bytes], name: str, columns: Sequence[str]) -> tuple[pd.DataFrame, list[Problem]]:
    """A table that a person typed, or why it cannot be read."""
    try:
        table = read_text(files[name])
    except (ValueError, OverflowError) as why:
        said = " ".join(str(why).split())
        return pd.DataFrame(), [Problem(name, None, "", "", f"cannot be read: {said}", "comma-separated text in UTF-8")]
    missing = [column for column in columns if column not in table]
    allowed = ", ".join(columns)
    return table, [Problem(name, 1, column, "", "the column is missing", allowed) for column in missing]


def _analysis_ids(protocol: Protocol | None) -> list[str]:
    """Every analysis that a protocol asks for."""
    if protocol is None:
        return []
    return [one.id(window, protocol.outcomes[one.outcome]) for one in analyses(protocol) for window in protocol.windows]


def table_rules(protocol: Protocol) -> TableRules:
    """What the protocol demands of the tables."""
    wanted: dict[str, str] = {}
    for name, regression in protocol.meta_regression.items():
        wanted |= dict.fromkeys(regression.moderators, f"meta_regression.{name}.moderators")
    wanted |= dict.fromkeys(protocol.subgroups, "subgroups")
    for name, chosen in protocol.sets.items():
        for what, conditions in (("include", chosen.include), ("exclude", chosen.exclude)):
            wanted |= {column: f"sets.{name}.{what}" for column in conditions if column not in wanted}
    for choice, option, patch in _options(protocol):
        columns = (*patch.include, *patch.exclude)
        wanted |= {c: f"multiverse.choices.{choice}.{option}" for c in columns if c not in wanted}
    for name, grouping in protocol.groupings.items():
        if name in wanted:
            wanted[grouping.column] = wanted.get(grouping.column, f"groupings.{name}")
    used = {column: key for column, key in wanted.items() if column not in protocol.groupings}
    return TableRules(
        categories={column: tuple(labels) for column, labels in protocol.categories.items()},
        outcomes_known=tuple(protocol.outcomes),
        single_groups=tuple(name for name, o in protocol.outcomes.items() if o.measure in SINGLE_GROUP_MEASURES),
        table_source={f"{table}.csv": source for table, source in protocol.table_source.items()},
        subgroup_columns=tuple(sorted(set(used) - {"eligible", "design"})),
        wanted_by=used,
        number_columns=protocol.number_columns,
        row_columns=protocol.row_subgroups,
        set_columns=protocol.set_columns,
        readings=tuple(protocol.readings),
    )


def _options(protocol: Protocol) -> Iterator[tuple[str, str, Option]]:
    choices = protocol.multiverse.choices if protocol.multiverse else {}
    return ((name, key, option) for name, options in choices.items() for key, option in options.items())


def _renamed_outcomes(problems: list[Problem], protocol: Protocol, tables: Tables) -> list[Problem]:
    """One problem where the protocol's name of an outcome is the misspelt one: no row has it, all rows another."""
    names = {*tables.arms["outcome"].dropna(), *tables.contrasts["outcome"].dropna()}
    for outcome in protocol.outcomes:
        near = sorted(name for name in names if misspelt(name, [outcome]) and name not in protocol.outcomes)
        if outcome not in names and near:
            rows = [p for p in problems if p.column == "outcome" and p.value in near]
            message = f'no row has this outcome; the tables have "{near[0]}"'
            problems = [p for p in problems if p not in rows]
            problems.append(
                Problem(PROTOCOL, None, f"outcomes.{outcome}", near[0], message, "one spelling per outcome")
            )
    return problems


def _outcomes_of_others(files: Mapping[str, bytes], protocol: Protocol, tables: Tables) -> list[Problem]:
    """Outcomes in the judgements and in the published estimates that nothing has, or that are near misses."""
    problems = []
    tabled = {*tables.arms["outcome"].dropna(), *tables.contrasts["outcome"].dropna()}
    known = sorted({*protocol.outcomes, *tabled})
    for row, value in tables.risk_of_bias[["row", "outcome"]].dropna().itertuples(index=False):
        if value not in known:
            message = f"is no outcome of this review{did_you_mean(value, known)}"
            problems.append(Problem(BIAS, int(row), "outcome", value, message, f"empty, or {', '.join(known)}"))
    published, unread = _typed(files, PUBLISHED, ()) if PUBLISHED in files else (pd.DataFrame(), [])
    if not unread and "outcome" in published:
        for row, value in enumerate(published["outcome"], start=2):
            if value and (meant := misspelt(value, known)):
                message = f'is almost an outcome of this review (did you mean "{meant}"?)'
                problems.append(Problem(PUBLISHED, row, "outcome", value, message, "one spelling per outcome"))
    return problems


def _disagreements(protocol: Protocol, tables: Tables, missing: set[str]) -> list[Problem]:
    """Names in the protocol that the tables do not have: they would select nothing, in silence."""
    problems = []
    ids = set(tables.studies["study_id"].dropna())
    named = [(f"shared_arms.{i}.study", s.study) for i, s in enumerate(protocol.shared_arms)]
    named += [(f"independent_comparisons.{i}.study", s.study) for i, s in enumerate(protocol.independent_comparisons)]
    named += [(f"preferences.{i}.study", p.study) for i, p in enumerate(protocol.preferences)]
    named += [(f"sets.{k}.preferences", p.study) for k, s in protocol.sets.items() for p in s.preferences]
    named += [
        (f"multiverse.choices.{choice}.{key}", one)
        for choice, key, option in _options(protocol)
        for one in [*(p.study for p in option.preferences), *(r.study for r in option.readings)]
    ]
    for study, where in dict(reversed([(s, w) for w, s in named])).items() if ids else ():
        if study not in ids:
            message = f"is not a study of this review{did_you_mean(study, sorted(ids))}"
            problems.append(Problem(PROTOCOL, None, where, study, message, "a study_id of the tables"))
    reserved = set(EFFECT_COLUMNS) - {"design", "year"}
    problems += [
        Problem(PROTOCOL, None, "subgroups", column, "is also a column of effects.csv", "another column name")
        for column in protocol.study_columns
        if column in reserved
    ]
    for measure in protocol.bayes:
        try:
            prior = prior_of(measure, protocol)
            if prior is not None and prior.measure not in (None, measure):
                raise ValueError(f"the prior is made for {prior.measure}; state a rescale and its rescale_reason")
        except ValueError as why:
            problems.append(Problem(PROTOCOL, None, f"bayes.{measure}", "", f"{why}", "see docs/reference/protocol.md"))
    problems += [Problem(PROTOCOL, None, *fault) for fault in rule_problems(protocol)]
    given = [(f"sets.{k}", s.include, s.exclude) for k, s in protocol.sets.items()]
    given += [(f"multiverse.choices.{c}.{k}", o.include, o.exclude) for c, k, o in _options(protocol)]
    seen: set[tuple[str, str]] = set()
    for where, include, exclude in given:
        for what, conditions in (("include", include), ("exclude", exclude)):
            for column, values in conditions.items():
                new = [v for v in values if (column, v) not in seen and column not in missing]
                seen |= {(column, v) for v in new}
                problems += _absent(f"{where}.{what}.{column}", column, new, protocol, tables.studies)
    return problems


def _impossible(protocol: Protocol, tables: Tables) -> list[Problem]:
    """What no conversion to an effect size could accept, found before any is made."""
    problems = []
    for kind in sorted({str(protocol.setting(name).shared_arms) for name in protocol.sets}):
        table = build_candidates(tables.studies, tables.arms, tables.contrasts, protocol, kind).table
        for batch in one_per_outcome(one for one in analyses(protocol) if one.set_name == "main"):
            mine = table[table["outcome"].isin([analysis.outcome for analysis in batch])]
            if len(mine):
                for one in validate(reported(mine, batch, protocol)):
                    file, row = mine.loc[[one.index], "rows"].iloc[0][0]
                    problems.append(
                        Problem(
                            file,
                            row,
                            one.column,
                            "" if one.value is None or one.value != one.value else f"{one.value}",
                            one.message,
                            "see docs/reference/protocol.md",
                        )
                    )
    return list(dict.fromkeys(problems))


def _absent(where: str, column: str, values: Iterable[str], protocol: Protocol, studies: pd.DataFrame) -> list[Problem]:
    """Values of a set's condition that neither the categories, nor the studies, nor the column itself know.

    No trial need be eligible, or a crossover: such a set is empty, and not misspelt.
    """
    if column not in studies:  # reported as a missing column already
        return []
    own = next((one.choices for one in SPECS["studies.csv"].columns if one.name == column), ())
    known = {*protocol.categories.get(column, {}), *studies[column].dropna().astype(str), *own}
    return [
        Problem(
            PROTOCOL, None, where, value, f"is no value of {column} in studies.csv{did_you_mean(value, sorted(known))}",
            ", ".join(sorted(known)) or "a column of studies.csv that has values",
        )
        for value in values
        if value not in known
    ]  # fmt: skip
