"""The four CSV files that RevMan Web imports: study information, study arms, study results, risk of bias."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.compute import compute
from reweigh.effects.selection import Analysis, options_of
from reweigh.exchange.bias import domain_of
from reweigh.exchange.export.source import Exported, Source, csv_bytes, one_line
from reweigh.exchange.ids import labels_of
from reweigh.exchange.package import JUDGED, SUPPORT
from reweigh.exchange.study_results import ARMS_HEADER, RESULTS_HEADER, USUAL
from reweigh.io import records
from reweigh.measures import CONTINUOUS_MEASURES, MEASURES
from reweigh.risk_of_bias import OVERALL
from reweigh.tables.specs import STUDIES

INFORMATION, ARMS, RESULTS, BIAS = "study-information.csv", "study-arms.csv", "study-results.csv", "risk-of-bias.csv"
#: Arms are exported where RevMan makes the same effect of them: as near as the 12 digits of our tables.
_SAME = 1e-9
_SIDES = ("intervention", "control")
#: Columns of studies.csv that have a place of their own, or none in RevMan.
_ELSEWHERE = ("study_id", "label", "year", "row", "eligible", "exclusion_reason")


def revman_web(source: Source) -> Exported:
    """study-information.csv, study-arms.csv, study-results.csv, risk-of-bias.csv.

    What is exported is what the main analyses pool, in each outcome's own measure; an outcome of RevMan is an outcome
    of ours in one window. Arms have their numbers where these alone give the effect that is pooled; every other trial
    (crossover, reported as a contrast or a P, comparisons combined) has its effect and SE, ratios as logarithms
    (Mean, SE; natural in Exp mean). A trial that is pooled as several comparisons becomes a study for each.
    Judgements are of RoB 1 and RoB 2, which RevMan has.
    """
    effects, protocol = source.effects, source.protocol
    own = effects["measure"] == effects["outcome"].map({name: one.measure for name, one in protocol.outcomes.items()})
    compared = effects["measure"].map(lambda name: MEASURES[name].scale in ("log", "natural") and MEASURES[name].null)
    alone = effects.loc[own & ~compared.astype(bool), "analysis"].nunique()
    effects = effects[own & compared.astype(bool)].reset_index(drop=True)
    if effects.empty:
        return Exported(problem="no main analysis has an effect of one group against another: nothing to export")
    names, studies = _studies(source, effects)
    plain = _from_arms(source, effects)
    outcomes = _outcomes(source, effects)
    arms: dict[tuple[str, str], str] = {}
    results: list[dict[str, object]] = []
    said = _arm_labels(source)
    for at, row in enumerate(records(effects)):
        study, outcome = names[row["study_id"], row["comparison_id"]], outcomes[row["analysis"]]
        words = {side: one_line(getattr(protocol.words_of(row["outcome"]), side)) for side in _SIDES}
        labels = {
            side: one_line(said.get((row["analysis"], row["comparison_id"], side), "") or words[side])
            for side in _SIDES
        }
        if labels["intervention"].casefold() == labels["control"].casefold():
            labels = {side: one_line(words[side]) for side in _SIDES}
        for side in _SIDES:
            arms.setdefault((study, labels[side]), words[side])
        results += _rows(row, plain[at], study, outcome, labels)
    bias, left = _bias(source, names, outcomes, effects)
    files = {
        INFORMATION: csv_bytes(*studies),
        ARMS: csv_bytes(ARMS_HEADER, ([study, arm, "", word] for (study, arm), word in arms.items())),
        RESULTS: csv_bytes(RESULTS_HEADER, ([row.get(name, "") for name in RESULTS_HEADER] for row in results)),
    }
    if bias is not None:
        files[BIAS] = csv_bytes(*bias)
    contrasts = int((~plain).sum())
    notes = [f"{contrasts} of {len(plain)} results are exported as effects with their SE"] if contrasts else []
    if alone:
        notes.append(f"{alone} analyses are left out: RevMan has no correlations and no single groups")
    if left:
        notes.append(f"{left} judgements are left out: RevMan takes RoB 1, or RoB 2, of trials that have a result")
    return Exported(files, tuple(notes))


def _studies(
    source: Source, effects: pd.DataFrame
) -> tuple[dict[tuple[str, str], str], tuple[list[str], list[list[object]]]]:
    """The study of RevMan that each trial and comparison is, and the table of them: Study, Year, Char: ..."""
    labels, names = labels_of(source.tables.studies), dict[tuple[str, str], str]()
    of_trial = effects.groupby(["analysis", "study_id"])["comparison_id"].nunique().groupby("study_id").max()
    for row in records(effects[["study_id", "comparison_id", "label"]].drop_duplicates()):
        study, comparison = row["study_id"], row["comparison_id"]
        name = one_line(row["label"]) if of_trial[study] > 1 else labels[study]  # comparisons are lettered there
        taken = {other for key, other in names.items() if key != (study, comparison)}
        if (study, comparison) not in names:
            names[study, comparison] = f"{labels[study]} ({comparison})" if name in taken else name
    table = source.tables.studies
    filled = [str(name) for name in table if (table[name].notna() & table[name].ne("")).any()]
    known = [column.name for column in STUDIES.columns]
    shown = sorted(
        (name for name in filled if name not in _ELSEWHERE),
        key=lambda name: known.index(name) if name in known else len(known),
    )
    header = ["Study", "Year", *(f"Char: {name.replace('_', ' ').capitalize()}" for name in shown)]
    trials = {row["study_id"]: row for row in records(table)}
    rows = {
        name: [name, *(_text(trials[study][column]) for column in ("year", *shown))]
        for (study, _), name in names.items()
    }
    return names, (header, list(rows.values()))


def _text(value: object) -> object:
    return one_line(value) if isinstance(value, str) else value


def _from_arms(source: Source, effects: pd.DataFrame) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which effects follow from the numbers of their arms alone, as those of parallel groups."""
    given = {f"{name}{at}": effects[f"{column}_{side}"] for at, side in enumerate(_SIDES, start=1)
             for name, column in (("n", "n"), ("events", "events"), ("mean", "mean"), ("sd", "sd"))}  # fmt: skip
    table = pd.DataFrame({**given, "measure": effects["measure"], "design": "parallel"})
    whole = ~((table[["n1", "n2", "events1", "events2"]].fillna(0) % 1) != 0).any(axis=1)
    setting, protocol = source.protocol.setting("main"), source.protocol
    parts = [
        compute(part, options_of(setting, Analysis(outcome, "", "main"), protocol), checked=True)
        for outcome, part in (
            (str(name), table.loc[mine.index]) for name, mine in effects.groupby("outcome", sort=False)
        )
    ]
    made = pd.concat(parts).reindex(table.index) if parts else table.assign(estimate=np.nan, se=np.nan)
    near = [np.isclose(made[name], effects[name], rtol=_SAME, atol=_SAME) for name in ("estimate", "se")]
    return np.asarray(near[0] & near[1] & whole & made["estimate"].notna(), dtype=bool)


def _outcomes(source: Source, effects: pd.DataFrame) -> dict[str, str]:
    """The name of each analysis as an outcome of RevMan: its label, with the window's where it has several."""
    protocol, names = source.protocol, dict[str, str]()
    of = effects[["analysis", "outcome", "window"]].drop_duplicates()
    windows = of.groupby("outcome")["window"].nunique()
    for analysis, outcome, window in of.itertuples(index=False):
        name = protocol.outcomes[outcome].label
        if windows[outcome] > 1:
            name += f", {protocol.windows[window].label or window.replace('_', ' ')}"
        name = one_line(name)
        names[analysis] = name if name not in names.values() else f"{name} ({analysis})"
    return names


def _arm_labels(source: Source) -> dict[tuple[str, str, str], str]:
    """What the one arm of a side is called in arms.csv, by analysis, comparison and side; of several arms nothing."""
    rows = source.selection.rows
    chosen = rows[(rows["file"] == "arms.csv") & (rows["status"] == "chosen")]
    roles = dict(zip(source.tables.arms["row"], source.tables.arms["role"], strict=True))
    found: dict[tuple[str, str, str], set[str]] = {}
    for row in records(chosen):
        for analysis in str(row["used_in"]).split(", "):
            key = analysis, row["comparison_id"], roles[row["row"]]
            found.setdefault(key, set()).add("" if pd.isna(row["arm"]) else str(row["arm"]))
    return {key: labels.pop() for key, labels in found.items() if len(labels) == 1}


def _rows(
    row: Mapping[str, Any], arms: bool, study: str, outcome: str, labels: Mapping[str, str]
) -> Iterator[dict[str, object]]:
    """The rows of study results that one effect becomes: an arm each, or the contrast."""
    kind = "Continuous" if row["measure"] in CONTINUOUS_MEASURES else "Dichotomous"
    same = {"Study": study, "Outcome": outcome, "Data type": kind}
    if arms:
        for side in _SIDES:
            numbers = {"Sample size": "n", "Cases": "events", "Mean": "mean", "SD": "sd"}
            used = {column: row[f"{name}_{side}"] for column, name in numbers.items()}
            # Without it the import would take the arms for those of the usual measure.
            named = {} if USUAL[kind.casefold()] == row["measure"] else {"Effect measure": row["measure"]}
            yield {**same, "Arm": labels[side], **named, **used}
        return
    yield {
        **same, "Effect measure": row["measure"], "Arm": labels["intervention"],
        "Reference arm": labels["control"], "Mean": row["estimate"], "SE": row["se"],
        **({"Exp mean": row["estimate_natural"]} if row["scale"] == "log" else {}),
    }  # fmt: skip


def _bias(
    source: Source, names: Mapping[tuple[str, str], str], outcomes: Mapping[str, str], effects: pd.DataFrame
) -> tuple[tuple[list[str], list[list[object]]] | None, int]:
    """Header and rows of the judgements by the tool that judges most, of which a review of RevMan has one; how many
    are left out. A result that is judged by itself has a row per outcome of RevMan."""
    table = source.tables.risk_of_bias.astype(object).fillna("")
    labels = {
        (tool.name, domain): label
        for tool in source.tools.values()
        for domain, label in (*tool.domains, (OVERALL, "Overall bias"))
        if domain_of(label) == (tool.name, domain)
    }
    of_outcome: dict[str, list[str]] = {}
    for analysis, outcome in effects[["analysis", "outcome"]].drop_duplicates().itertuples(index=False):
        of_outcome.setdefault(outcome, []).append(outcomes[analysis])
    mine = pd.Series([pair in labels for pair in zip(table["tool"], table["domain"], strict=True)], table.index, bool)
    mine &= table["study_id"].isin([study for study, _ in names])
    mine &= (table["outcome"] == "") | ((table["tool"] == "RoB 2") & table["outcome"].isin(list(of_outcome)))
    if mine.any():
        mine &= table["tool"] == table.loc[mine, "tool"].mode().iloc[0]
    left = int((~mine).sum())
    if not mine.any():
        return None, left
    judged = table[mine]
    tool = source.tools[judged["tool"].iloc[0]]
    domains = [one for one in (*dict(tool.domains), OVERALL) if one in set(judged["domain"])]
    per_result = tool.name == "RoB 2"
    header = ["Study", *(["Outcome"] if per_result else [])]
    header += [f"{kind}{labels[tool.name, one]}" for one in domains for kind in (JUDGED, SUPPORT)]
    rows: list[list[object]] = []
    for (study, outcome), group in judged.groupby(["study_id", "outcome"], sort=False):
        said = {row["domain"]: row for row in records(group)}
        found: list[object] = []
        for one in domains:
            level = tool.level(said[one]["judgement"]).label if one in said else ""
            found += [level, one_line(said[one]["support"]) if one in said else ""]
        for name in dict.fromkeys(name for (id_, _), name in names.items() if id_ == study):
            rows += [[name, *([of] if per_result else []), *found] for of in of_outcome.get(str(outcome), [""])]
    return (header, rows), left
