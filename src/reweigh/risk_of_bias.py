"""Risk-of-bias judgements: tools are data, a trial's overall judgement follows from its domains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from reweigh.io import read_csv
from reweigh.tables.problems import Problem, did_you_mean
from reweigh.text.certainty import Risk

FILE = "risk_of_bias.csv"
COLUMNS = ("study_id", "outcome", "tool", "domain", "judgement", "support", "judged_by")
NOT_ASSESSED = Risk.NOT_ASSESSED
CLASSES = (Risk.LOW, Risk.UNCLEAR, Risk.HIGH)
OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Level:
    """A judgement that a tool allows."""

    name: str
    label: str
    kind: Risk
    symbol: str
    colour: str


@dataclass(frozen=True, slots=True)
class Tool:
    """A risk-of-bias tool: its levels from best to worst, and its domains (name to label)."""

    name: str
    source: str
    levels: tuple[Level, ...]
    domains: tuple[tuple[str, str], ...]

    def level(self, name: str) -> Level:
        """Level by its name or label; raises KeyError with what is allowed."""
        for level in self.levels:
            if name.strip().lower() in (level.name.lower(), level.label.lower()):
                return level
        raise KeyError(f"{name!r} is no judgement of {self.name}; allowed: {', '.join(x.name for x in self.levels)}")


@dataclass(frozen=True, slots=True)
class RiskOfBias:
    """Judgements of one review: one row per trial, outcome ("" for all) and domain; `overall` is one of them."""

    table: pd.DataFrame
    tools: Mapping[str, Tool]

    def overall(self, study_id: str, outcome: str) -> Risk:
        """Risk of bias of a trial by its overall judgement."""
        found = self.judgements(study_id, outcome).get(OVERALL)
        return found.kind if found else NOT_ASSESSED

    def judgements(self, study_id: str, outcome: str) -> dict[str, Level]:
        """Level of each domain that is judged, `overall` among them; those of one outcome before those of all."""
        if self.table.empty:
            return {}
        mine = self.table[(self.table["study_id"] == study_id) & self.table["outcome"].isin(["", outcome])]
        # An outcome of its own is judged as a whole: its domains are not mixed with those of all outcomes.
        for narrow in (mine[mine["outcome"] == outcome], mine):
            if len(narrow):
                rows = zip(narrow["domain"], narrow["tool"], narrow["level"], strict=True)
                return {str(domain): self.tools[tool].level(level) for domain, tool, level in rows}
        return {}

    def tools_of(self, study_ids: Sequence[str]) -> list[Tool]:
        """The tools that judge these trials."""
        used = self.table.loc[self.table["study_id"].isin(study_ids), "tool"].unique()
        return [self.tools[str(name)] for name in used]


def read_tools(content: bytes | str) -> dict[str, Tool]:
    """Tools from their definition file; raises ValueError where a definition is not complete."""
    raw: Any = YAML(typ="safe", pure=True).load(content)
    tools = {}
    for name, one in raw["tools"].items():
        try:
            for key, x in one["levels"].items():
                if x["kind"] not in CLASSES:
                    raise ValueError(
                        f"risk-of-bias tool {name}: kind {x['kind']!r} of {key} is not {', '.join(CLASSES)}"
                    )
            levels = tuple(
                Level(key, x["label"], Risk(x["kind"]), x["symbol"], x["colour"]) for key, x in one["levels"].items()
            )
            tools[name] = Tool(name, one["source"], levels, tuple(one["domains"].items()))
        except (KeyError, TypeError, AttributeError) as missing:
            raise ValueError(f"risk-of-bias tool {name}: {missing} is missing") from missing
    return tools


def load_risk_of_bias(table: str | Path, tools: str | Path) -> RiskOfBias:
    """Judgements and tools from the files of a checked review."""
    return read_risk_of_bias(read_csv(table), read_tools(Path(tools).read_bytes()))


def judgement_problems(table: pd.DataFrame, tools: Mapping[str, Tool]) -> list[Problem]:
    """Rows whose tool, domain or judgement is unknown, or that judge a domain twice; `row` is the spreadsheet's."""
    problems = []
    seen: dict[tuple[str, ...], int] = {}
    numbers = table["row"] if "row" in table else range(2, len(table) + 2)
    cells = _plain(table).itertuples(index=False, name=None)
    for row, (study, outcome, name, domain, judgement, *_) in zip(map(int, numbers), cells, strict=True):
        tool = tools.get(name)
        if "" in (study, name, domain, judgement):
            continue  # reported by the table's own rules
        if tool is None:
            hint = did_you_mean(name, [*tools])
            problems.append(Problem(FILE, row, "tool", name, f"is not a tool{hint}", ", ".join(tools)))
            continue
        known = [*dict(tool.domains), OVERALL]
        if domain not in known:
            hint = did_you_mean(domain, known)
            problems.append(Problem(FILE, row, "domain", domain, f"is no domain of {name}{hint}", ", ".join(known)))
        try:
            tool.level(judgement)
        except KeyError:
            levels = [level.name for level in tool.levels]
            hint = did_you_mean(judgement, levels)
            message = f"is no judgement of {name}{hint}"
            problems.append(Problem(FILE, row, "judgement", judgement, message, ", ".join(levels)))
        first = seen.setdefault((study, outcome, domain), row)
        if first != row:
            message = f"is judged in row {first} already (study_id {study})"
            allowed = "one judgement per trial, outcome and domain"
            problems.append(Problem(FILE, row, "domain", domain, message, allowed))
    return problems


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """The columns as stripped text, empty where missing."""
    rows: pd.DataFrame = table.reindex(columns=COLUMNS).astype(object).fillna("").astype(str)
    return pd.DataFrame({name: rows[name].str.strip() for name in COLUMNS})


def read_risk_of_bias(table: pd.DataFrame | None, tools: Mapping[str, Tool]) -> RiskOfBias:
    """Judgements checked against their tools; a trial without an overall judgement gets that of its worst domain.

    Parameters
    ----------
    table
        risk_of_bias.csv as text: study_id, tool, domain, judgement, and optionally outcome, support, judged_by. None
        or no rows: nothing is assessed.
    tools
        Definitions by name.

    Raises
    ------
    ValueError
        With every row whose tool, domain or judgement is unknown, or that judges a domain twice.

    Sterne and others 2019, BMJ 366:l4898: the overall risk is at least that of the worst domain.
    """
    if table is None or table.empty:
        return RiskOfBias(pd.DataFrame(columns=[*COLUMNS, "level", "kind", "rank"]), tools)
    if problems := judgement_problems(table, tools):
        raise ValueError("\n".join(f"row {p.row}, {p.column}: {p.value!r} {p.message}" for p in problems))
    rows = _plain(table).reset_index(drop=True)
    judged = zip(rows["tool"], rows["judgement"], strict=True)
    found = [(tools[tool], tools[tool].level(level)) for tool, level in judged]
    rows["level"] = [level.name for _, level in found]
    rows["kind"] = [level.kind for _, level in found]
    rows["rank"] = [tool.levels.index(level) for tool, level in found]
    given = rows[rows["domain"] == OVERALL]
    key = ["study_id", "outcome"]
    rest = rows[~pd.MultiIndex.from_frame(rows[key]).isin(pd.MultiIndex.from_frame(given[key]))]
    worst = rest.sort_values("rank", kind="stable").drop_duplicates(key, keep="last")
    derived = worst.assign(domain=OVERALL, support="the worst domain's judgement", judged_by="rule")
    return RiskOfBias(pd.concat([rows, derived.sort_index()], ignore_index=True), tools)
