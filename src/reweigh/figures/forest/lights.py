"""Risk-of-bias judgements as a column of lights beside the trials of a forest plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reweigh.risk_of_bias import NOT_ASSESSED, OVERALL, Level, RiskOfBias, Tool

#: Fill of a light that nobody judged; ink of the symbols, which stand on colours that no theme changes.
EMPTY, SYMBOL = "none", "#000000"
ALL = "All"


@dataclass(frozen=True, slots=True)
class Lights:
    """The lights of one forest plot: `heads` above the columns, for each study_id a level per head, and a legend."""

    heads: tuple[str, ...]
    of: Mapping[str, tuple[Level | None, ...]]
    legend: str

    def overall(self, study_id: str) -> str:
        """Words of a trial's overall judgement."""
        level = self.of[study_id][-1] if study_id in self.of else None
        return level.label if level else NOT_ASSESSED[:1].upper() + NOT_ASSESSED[1:]


def heads_of(tool: Tool) -> tuple[str, ...]:
    """Short heads of a tool's domains and of the overall judgement."""
    return (*(f"D{i}" for i in range(1, len(tool.domains) + 1)), ALL)


def printed(symbol: str) -> str:
    """A symbol as it is drawn: a hyphen as the minus sign that it stands for."""
    return symbol.replace("-", "\N{MINUS SIGN}")


def lights(bias: RiskOfBias | None, study_ids: Sequence[str], outcome: str) -> Lights | None:
    """Lights of these trials; None where none of them is judged.

    Trials judged by one tool show its domains and their overall judgement; by several tools, whose domains differ,
    the overall judgement only.
    """
    judged = {study: bias.judgements(study, outcome) for study in dict.fromkeys(study_ids)} if bias else {}
    if bias is None or not any(judged.values()):
        return None
    tools = bias.tools_of(list(judged))
    tool = tools[0] if len(tools) == 1 else None
    names = [*(name for name, _ in tool.domains), OVERALL] if tool else [OVERALL]
    found = {study: tuple(one.get(name) for name in names) for study, one in judged.items()}
    heads = heads_of(tool) if tool else (ALL,)
    shown = {level for row in found.values() for level in row if level}
    ranked = dict.fromkeys(level for one in tools for level in one.levels if level in shown)
    signs = list(dict.fromkeys(f"{printed(level.symbol)} {level.label.lower()}" for level in ranked))
    signs += ["empty: not assessed"] if any(None in row for row in found.values()) else []
    domains = [f"{head} {label}" for head, (_, label) in zip(heads, tool.domains, strict=False)] if tool else []
    parts = ["; ".join(part) for part in (signs, [*domains, f"{ALL} overall"]) if part]
    by = f" ({tool.name})" if tool else ""
    return Lights(heads, found, f"Risk of bias{by}: {'. '.join(parts)}")
