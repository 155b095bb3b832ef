"""The derivation of each trial's effect as a page of its own, and the sweep of the crossover correlation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from reweigh.effects.aggregate import aggregate
from reweigh.effects.compute import compute
from reweigh.effects.selection import Analysis, Selection, on_both_scales, options_of
from reweigh.effects.sweep import sweep
from reweigh.effects.table import Options
from reweigh.effects.worked import worked_example
from reweigh.io import records
from reweigh.protocol.model import Protocol
from reweigh.schemas import columns
from reweigh.text.codes import has, join, parse, words
from reweigh.text.effects import SENTENCES
from reweigh.text.files import file_name
from reweigh.text.markdown import escaped

SWEEP_COLUMNS = columns("crossover_sweep.csv")
HIDDEN = frozenset({"row", "study_id", "comparison_id", "source_url", "source", "extracted_by", "label"})
"""Columns of the tables that a page says elsewhere or not at all."""


def worked_pages(selection: Selection, tables: Mapping[str, pd.DataFrame], protocol: Protocol) -> dict[str, str]:
    """One Markdown page per trial, outcome and window of the main set: what was reported, and each step to the effect.

    ``tables``: "arms.csv" and "contrasts.csv" as checked. Returns the pages by their file names
    (`<comparison>.<outcome>.<window>.md`).
    """
    main = selection.comparisons[selection.comparisons["set"] == "main"]
    labels = selection.effects.set_index(["analysis", "comparison_id"])["label"]
    given_rows = selection.reported.loc[main.index]
    parts = (compute(rows, one, checked=True, trace=True) for one, rows in _by_options(given_rows, protocol))
    traced: dict[Any, Any] = {at: steps for part in parts for at, steps in part["steps"].items()}
    typed = {(file, row["row"]): row for file, table in tables.items() for row in records(table)}
    pages: dict[str, list[str]] = {}
    for at, effect, given in zip(main.index, records(main), records(given_rows), strict=True):
        name = _page(effect["unit"], effect)
        one = "" if effect["unit"] == effect["comparison_id"] else f", comparison {escaped(effect['comparison_id'])}"
        part = [f"## {effect['measure']}{one}", _reported(given["rows"], typed)]
        if given["arms_codes"]:
            joined = words(given["arms_codes"], SENTENCES)
            part.append(f"Before that: {escaped(joined)} (Cochrane Handbook 6.5.2.10, table 6.5.a).")
        part.append(worked_example({**effect, "reason": "", "steps": traced[at]}, protocol.level_of(effect["outcome"])))
        if name not in pages:
            window = protocol.windows[effect["window"]].label or effect["window"]
            label = labels[effect["analysis"], effect["unit"]]
            title = escaped(f"{label}: {protocol.outcomes[effect['outcome']].label}, {window}")
            pages[name] = [f"# {title}", f"Source: {escaped(effect['source'])}"]
        pages[name] += part
    for effect in records(selection.effects[selection.effects["set"] == "main"]):
        if has(effect["derivation_codes"], "aggregated"):
            pages[_page(effect["comparison_id"], effect)].append(_aggregated(effect))
    return {name: "\n\n".join(text.strip() for text in parts) + "\n" for name, parts in pages.items()}


def _by_options(rows: pd.DataFrame, protocol: Protocol) -> Iterator[tuple[Options, pd.DataFrame]]:
    """Rows as `compute` takes them by what the protocol decides about their outcomes in the main set."""
    setting, outcomes = protocol.setting("main"), rows["outcome"].unique() if len(rows) else ()
    options = {name: options_of(setting, Analysis(name, "", "main"), protocol) for name in outcomes}
    for one in dict.fromkeys(options.values()):
        yield one, rows[rows["outcome"].map(lambda name, one=one: options[name] == one)]


def _page(comparison: str, effect: Mapping[str, Any]) -> str:
    """File name of the page of a trial or comparison."""
    return file_name(f"{comparison}.{effect['outcome']}.{effect['window']}") + ".md"


def _aggregated(effect: Mapping[str, Any]) -> str:
    """The last step of a trial whose comparisons share patients."""
    said = words(join(one for one in map(str, parse(effect["derivation_codes"])) if has(one, "aggregated")), SENTENCES)
    found = (one for one in parse(effect["assumption_codes"]) if one.name == "comparison_correlation")
    rho = next(found).parameters["value"]
    lines = [
        f"covariance of two comparisons = {rho} x SE1 x SE2; w = row sums of the inverse of their covariance matrix",
        f"estimate = sum(w estimate)/sum(w) = {effect['estimate']:.6g}",
        f"variance = 1/sum(w) = {effect['variance']:.6g}, SE = {effect['se']:.6g}",
    ]
    return f"## {effect['measure']} of the trial: {escaped(said)}\n\n" + "\n".join(f"    {line}" for line in lines)


def _reported(rows: tuple[tuple[str, int], ...], typed: Mapping[tuple[str, int], Mapping[str, Any]]) -> str:
    """The rows of the tables that an effect rests on, as they were typed."""
    lines = ["As reported:", ""]
    for file, number in rows:
        said = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in typed[file, number].items()
            if name not in HIDDEN and not pd.isna(value) and value != ""
        ]
        lines.append(f"- `{file}` row {number}: {escaped('; '.join(said))}")
    return "\n".join(lines)


def crossover_sweep(selection: Selection, protocol: Protocol) -> pd.DataFrame:
    """Effect and SE of every crossover trial of the main set at the correlations 0.1 to 0.9.

    Returns SWEEP_COLUMNS; `parameter` is r (continuous) or phi (binary, up to the limit that the margins allow),
    `protocol` says "yes" at the protocol's own value.
    """
    every = selection.comparisons
    main = (every["set"] == "main") & (every["design"] == "crossover") & (every["unit"] == every["comparison_id"])
    rows = selection.reported[main]
    parts = [sweep(part, options) for options, part in _by_options(rows, protocol)] if main.any() else []
    if not (parts := [part for part in parts if len(part)]):
        return pd.DataFrame(columns=list(SWEEP_COLUMNS))
    found = pd.concat(parts)
    found = found.iloc[found["row"].map({row: at for at, row in enumerate(rows.index)}).argsort(kind="stable")]
    whose = every.loc[found["row"], ["analysis", "study_id", "comparison_id", "label", "scale"]]
    table = pd.concat([whose.reset_index(drop=True), found.reset_index(drop=True)], axis=1)
    return table.assign(protocol=table["protocol"].map({True: "yes", False: "no"}))[list(SWEEP_COLUMNS)]


def dependence_sweep(selection: Selection, protocol: Protocol) -> pd.DataFrame:
    """Effect and SE of every trial of the main set whose comparisons share patients, by their correlation, 0 to 0.9.

    Returns SWEEP_COLUMNS; `parameter` is rho, `comparison_id` the trial's, `protocol` says "yes" at the protocol's own
    value.
    """
    every, own = selection.comparisons, protocol.assumptions.comparison_correlation
    shared = every[(every["set"] == "main") & (every["unit"] != every["comparison_id"])]
    labels = selection.effects.set_index(["analysis", "comparison_id"])["label"].to_dict()
    rows = []
    for key, part in shared.groupby(["analysis", "study_id"], sort=False):
        analysis, study = key
        same = {"analysis": analysis, "study_id": study, "comparison_id": study, "label": labels[key]}
        scale = part["scale"].iloc[0]
        for rho in sorted({*(i / 10 for i in range(10)), own}):
            _, (estimate,), (variance,) = aggregate(part["estimate"], part["variance"], [0] * len(part), rho=rho)
            row = {"parameter": "rho", "correlation": rho, "scale": scale, "estimate": estimate, "variance": variance}
            row |= on_both_scales(estimate, variance, scale, protocol.level_of(part["outcome"].iloc[0]))
            rows.append(same | row | {"protocol": "yes" if rho == own else "no"})
    return pd.DataFrame(rows, columns=list(SWEEP_COLUMNS))
