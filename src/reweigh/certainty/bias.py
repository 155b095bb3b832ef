"""Risk-of-bias judgements: tools are data, a trial's overall judgement follows from its domains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

NOT_ASSESSED = "not assessed"
CLASSES = ("low", "unclear", "high")
OVERALL = "overall"


@dataclass(frozen=True, slots=True)
class Level:
    """A judgement that a tool allows; `kind` is low, unclear or high."""

    name: str
    label: str
    kind: str
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

    def overall(self, study_id: str, outcome: str) -> str:
        """Kind of a trial's overall judgement: low, unclear, high, or "not assessed"."""
        mine = self.table[(self.table["study_id"] == study_id) & self.table["outcome"].isin(["", outcome])]
        for narrow in (mine[mine["outcome"] == outcome], mine):
            total = narrow.loc[narrow["domain"] == OVERALL, "kind"]
            if len(total):
                return str(total.iloc[0])
        return NOT_ASSESSED


def read_tools(content: bytes | str) -> dict[str, Tool]:
    """Tools from their definition file; raises ValueError where a definition is not complete."""
    raw: Any = YAML(typ="safe", pure=True).load(content)
    tools = {}
    for name, one in raw["tools"].items():
        try:
            levels = tuple(
                Level(key, x["label"], x["kind"], x["symbol"], x["colour"]) for key, x in one["levels"].items()
            )
            tools[name] = Tool(name, one["source"], levels, tuple(one["domains"].items()))
        except (KeyError, TypeError, AttributeError) as missing:
            raise ValueError(f"risk-of-bias tool {name}: {missing} is missing") from missing
        for level in levels:
            if level.kind not in CLASSES:
                raise ValueError(
                    f"risk-of-bias tool {name}: kind {level.kind!r} of {level.name} is not {', '.join(CLASSES)}"
                )
    return tools


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
    columns = ["study_id", "outcome", "tool", "domain", "judgement", "support", "judged_by"]
    if table is None or table.empty:
        return RiskOfBias(pd.DataFrame(columns=[*columns, "level", "kind", "rank"]), tools)
    rows = table.reindex(columns=columns).astype(object).fillna("").astype(str).apply(lambda c: c.str.strip())
    problems, found = [], []
    for i, (study, _, tool_name, domain, judgement, *_) in enumerate(rows.itertuples(index=False), start=2):
        tool = tools.get(tool_name)
        if tool is None:
            problems.append(f"row {i} ({study}): tool {tool_name!r} is not defined; defined: {', '.join(tools)}")
        elif domain != OVERALL and domain not in dict(tool.domains):
            allowed = ", ".join([*dict(tool.domains), OVERALL])
            problems.append(f"row {i} ({study}): {domain!r} is no domain of {tool_name}; allowed: {allowed}")
        else:
            try:
                level = tool.level(judgement)
                found.append((level.name, level.kind, tool.levels.index(level)))
                continue
            except KeyError as unknown:
                problems.append(f"row {i} ({study}): {unknown.args[0]}")
        found.append(("", "", -1))
    twice = rows.duplicated(["study_id", "outcome", "domain"])
    problems += [f"row {i + 2} ({rows.loc[i, 'study_id']}): domain judged twice" for i in rows.index[twice]]
    if problems:
        raise ValueError("risk_of_bias.csv:\n" + "\n".join(problems))
    rows[["level", "kind", "rank"]] = pd.DataFrame(found, index=rows.index, columns=["level", "kind", "rank"])
    given = rows[rows["domain"] == OVERALL]
    key = ["study_id", "outcome"]
    rest = rows[~pd.MultiIndex.from_frame(rows[key]).isin(pd.MultiIndex.from_frame(given[key]))]
    worst = rest.sort_values("rank", kind="stable").drop_duplicates(key, keep="last")
    derived = worst.assign(domain=OVERALL, support="the worst domain's judgement", judged_by="rule")
    return RiskOfBias(pd.concat([rows, derived.sort_index()], ignore_index=True), tools)
