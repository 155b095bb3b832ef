"""The derivation of each trial's effect as a page of its own, and the sweep of the crossover correlation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reweigh.effects.compute import compute
from reweigh.effects.selection import Selection, options_of
from reweigh.effects.sweep import sweep
from reweigh.effects.worked import worked_example
from reweigh.protocol.model import Protocol
from reweigh.text.files import file_name

SWEEP_COLUMNS = (
    "analysis", "study_id", "comparison_id", "label", "parameter", "correlation", "limit", "scale", "estimate", "se",
    "variance", "estimate_natural", "ci_lower_natural", "ci_upper_natural", "protocol",
)  # fmt: skip
HIDDEN = frozenset({"row", "study_id", "comparison_id", "source_url", "source", "extracted_by", "label"})
"""Columns of the tables that a page says elsewhere or not at all."""


def worked_pages(selection: Selection, tables: Mapping[str, pd.DataFrame], protocol: Protocol) -> dict[str, str]:
    """One Markdown page per trial, outcome and window of the main set: what was reported, and each step to the effect.

    Parameters
    ----------
    selection
        What was chosen.
    tables
        "arms.csv" and "contrasts.csv" as checked.
    protocol
        The protocol.

    Returns
    -------
    File name (`<comparison>.<outcome>.<window>.md`) to text.
    """
    main = selection.effects[selection.effects["set"] == "main"]
    given_rows = selection.reported.loc[main.index]
    traced = compute(given_rows, options_of(protocol.setting("main"), protocol), checked=True, trace=True)
    pages: dict[str, list[str]] = {}
    for effect, given, steps in zip(_records(main), _records(given_rows), traced["steps"], strict=True):
        name = file_name(f"{effect['comparison_id']}.{effect['outcome']}.{effect['window']}") + ".md"
        part = [f"## {effect['measure']}", _reported(given["rows"], tables)]
        if given.get("arms_note"):
            part.append(f"Before that: {given['arms_note']} (Cochrane Handbook 6.5.2.10, table 6.5.a).")
        part.append(worked_example({**effect, "reason": "", "steps": steps}, protocol.level))
        if name not in pages:
            window = protocol.windows[effect["window"]].label or effect["window"]
            title = f"# {effect['label']}: {protocol.outcomes[effect['outcome']].label}, {window}"
            pages[name] = [title, f"Source: {effect['source']}"]
        pages[name] += part
    return {name: "\n\n".join(text.strip() for text in parts) + "\n" for name, parts in pages.items()}


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(table.columns, values, strict=True)) for values in table.itertuples(index=False, name=None)]


def _reported(rows: tuple[tuple[str, int], ...], tables: Mapping[str, pd.DataFrame]) -> str:
    """The rows of the tables that an effect rests on, as they were typed."""
    lines = ["As reported:", ""]
    for file, number in rows:
        row = tables[file].loc[tables[file]["row"] == number].iloc[0]
        said = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in row.items()
            if name not in HIDDEN and not pd.isna(value) and value != ""
        ]
        lines.append(f"- `{file}` row {number}: {'; '.join(said)}")
    return "\n".join(lines)


def crossover_sweep(selection: Selection, protocol: Protocol) -> pd.DataFrame:
    """Effect and SE of every crossover trial of the main set at the correlations 0.1 to 0.9.

    Returns
    -------
    SWEEP_COLUMNS; `parameter` is r (continuous) or phi (binary, up to the limit that the margins allow), `protocol`
    says "yes" at the protocol's own value.
    """
    main = (selection.effects["set"] == "main") & (selection.effects["design"] == "crossover")
    if not main.any():
        return pd.DataFrame(columns=list(SWEEP_COLUMNS))
    found = sweep(selection.reported[main], options_of(protocol.setting("main"), protocol))
    whose = selection.effects.loc[found["row"], ["analysis", "study_id", "comparison_id", "label", "scale"]]
    table = pd.concat([whose.reset_index(drop=True), found.reset_index(drop=True)], axis=1)
    return table.assign(protocol=table["protocol"].map({True: "yes", False: "no"}))[list(SWEEP_COLUMNS)]
