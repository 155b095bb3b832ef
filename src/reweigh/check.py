"""Check a whole review: its protocol, its tables, and that the two speak of the same things."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from reweigh.certainty.assess import OVERRIDE_COLUMNS, OVERRIDES, override_problems
from reweigh.certainty.thresholds import rule_problems
from reweigh.claims.model import claims_problems
from reweigh.effects.candidates import build_candidates
from reweigh.effects.selection import EFFECT_COLUMNS, analyses, reported
from reweigh.effects.table import validate
from reweigh.io import read_text
from reweigh.pool.few_trials import prior_of
from reweigh.protocol.model import Protocol
from reweigh.protocol.read import load_protocol
from reweigh.risk_of_bias import Tool, judgement_problems
from reweigh.tables.problems import Problem, did_you_mean, format_report
from reweigh.tables.review import TableRules, Tables, check_review

PROTOCOL, CLAIMS = "review.yaml", "claims.yaml"


def check(
    files: Mapping[str, bytes], review: str, tools: Mapping[str, Tool] | None = None
) -> tuple[Tables | None, str]:
    """Read everything of a review and find every problem at once.

    Parameters
    ----------
    files
        File name to bytes: review.yaml, the tables that the review has, its claims and overrides.
    review
        Name of the review's folder, for the report.
    tools
        Risk-of-bias tools by name; None: judgements are not held to their tool.

    Returns
    -------
    The typed tables and an empty report, or None and one report of all problems.
    """
    protocol, problems = load_protocol(files.get(PROTOCOL), PROTOCOL)
    others = (PROTOCOL, CLAIMS, OVERRIDES)
    tables, found = check_review({k: v for k, v in files.items() if k not in others}, table_rules(protocol))
    problems += found
    if tools is not None:
        problems += judgement_problems(tables.risk_of_bias, tools)
    if OVERRIDES in files:
        problems += _overrides(files[OVERRIDES], protocol)
    if CLAIMS in files:
        problems += claims_problems(files[CLAIMS], protocol, tables)
    if protocol is not None:
        problems += [Problem(PROTOCOL, None, *fault) for fault in rule_problems(protocol)]
    if protocol is not None and len(tables.studies):
        problems += _disagreements(protocol, tables)
    if protocol is not None and not problems:
        problems += _impossible(protocol, tables)
    return (None, format_report(problems, review)) if problems else (tables, "")


def _overrides(content: bytes, protocol: Protocol | None) -> list[Problem]:
    """What is wrong with the overrides of the certainty rules."""
    known = [] if protocol is None else [
        one.id(window, protocol.outcomes[one.outcome]) for one in analyses(protocol) for window in protocol.windows
    ]  # fmt: skip
    try:
        table = read_text(content)
    except ValueError as why:
        return [Problem(OVERRIDES, None, "", "", f"cannot be read: {why}", "comma-separated text in UTF-8")]
    missing = [name for name in OVERRIDE_COLUMNS if name not in table]
    if missing:
        allowed = ", ".join(OVERRIDE_COLUMNS)
        return [Problem(OVERRIDES, 1, name, "", "the column is missing", allowed) for name in missing]
    return override_problems(table, known)


def table_rules(protocol: Protocol | None) -> TableRules:
    """What the protocol demands of the tables; without a protocol only what every review must hold to."""
    if protocol is None:
        return TableRules()
    used = {c for s in protocol.sets.values() for c in (*s.include, *s.exclude)}
    used |= {protocol.groupings[c].column if c in protocol.groupings else c for c in protocol.study_columns}
    return TableRules(
        categories={column: tuple(labels) for column, labels in protocol.categories.items()},
        outcomes_known=tuple(protocol.outcomes),
        table_source={f"{table}.csv": source for table, source in protocol.table_source.items()},
        subgroup_columns=tuple(sorted(used - {"eligible", "design"})),
        number_columns=protocol.number_columns,
    )


def _disagreements(protocol: Protocol, tables: Tables) -> list[Problem]:
    """Names in the protocol that the tables do not have: they would select nothing, in silence."""
    problems = []
    ids = set(tables.studies["study_id"])
    named = [(f"shared_arms: {s.study}", s.study) for s in protocol.shared_arms]
    named += [(f"independent_comparisons: {s.study}", s.study) for s in protocol.independent_comparisons]
    named += [(f"preferences: {p.study}", p.study) for p in protocol.preferences]
    named += [(f"sets.{k}.preferences", p.study) for k, s in protocol.sets.items() for p in s.preferences]
    for where, study in named:
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
            problems.append(Problem(PROTOCOL, None, f"bayes.{measure}", "", f"{why}", "see docs/protocol.md"))
    for name, chosen in protocol.sets.items():
        for what, conditions in (("include", chosen.include), ("exclude", chosen.exclude)):
            for column, values in conditions.items():
                problems += _absent(f"sets.{name}.{what}.{column}", column, values, protocol, tables.studies)
    return problems


def _impossible(protocol: Protocol, tables: Tables) -> list[Problem]:
    """What no conversion to an effect size could accept, found before any is made."""
    problems = []
    for kind in sorted({str(protocol.setting(name).shared_arms) for name in protocol.sets}):
        table = build_candidates(tables.studies, tables.arms, tables.contrasts, protocol, kind).table
        for analysis in analyses(protocol):
            mine = table[table["outcome"] == analysis.outcome]
            if analysis.set_name == "main" and len(mine):
                for one in validate(reported(mine, analysis, protocol)):
                    file, row = mine.loc[[one.index], "rows"].iloc[0][0]
                    problems.append(Problem(file, row, one.column, f"{one.value}", one.message, "see docs/protocol.md"))
    return list(dict.fromkeys(problems))


def _absent(
    where: str, column: str, values: tuple[str, ...], protocol: Protocol, studies: pd.DataFrame
) -> list[Problem]:
    """Values of a set's condition that neither the categories nor the studies know."""
    if column not in studies:  # reported as a missing column already
        return []
    known = {*protocol.categories.get(column, {}), *studies[column].dropna().astype(str)}
    return [
        Problem(
            PROTOCOL, None, where, value, f"is no value of {column} in studies.csv{did_you_mean(value, sorted(known))}",
            ", ".join(sorted(known)) or "a column of studies.csv that has values",
        )
        for value in values
        if value not in known
    ]  # fmt: skip
