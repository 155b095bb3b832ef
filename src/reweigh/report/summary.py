"""`summary.md`: on one page, what was pooled, by which model, from which trials, and what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from reweigh.console import HEADLINE
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import describe_model
from reweigh.report.words import lower_first
from reweigh.text.numbers import difference_decimals, effect_text, interval_text, level_text, p_text, small_text


def summary(
    review: str,
    protocol: Protocol,
    effects: pd.DataFrame,
    rows: pd.DataFrame,
    pooled: pd.DataFrame,
    subgroups: pd.DataFrame,
    figures: pd.DataFrame,
    meta_regression: pd.DataFrame,
    dependence: pd.DataFrame,
    conclusions: pd.DataFrame,
    sequential: pd.DataFrame,
) -> str:
    """Markdown of one page.

    Parameters
    ----------
    review
        Name of the review's folder.
    protocol
        The protocol.
    effects, rows, pooled, subgroups, figures, meta_regression, dependence, conclusions, sequential
        The tables of the review's results.
    """
    main = pooled[pooled["set"] == "main"]
    others = pooled[pooled["set"] != "main"]
    title = protocol.title + (f", as of {review.rpartition('/')[2]}" if "/as_of/" in review else "")
    parts = [f"# {title}", _question(protocol), HEADLINE, _headline(main, effects, protocol)]
    parts += ["## By which model", _models(protocol), "## Main analyses", _estimates(main)]
    if len(main):
        parts += ["## How fragile", _fragility(main, conclusions, sequential)]
    if len(others):
        differ = others[others["analysis"].isin(figures.loc[figures["kind"] == "forest", "analysis"])]
        parts += ["## Sensitivity sets", _sets(protocol), _estimates(differ)]
        if len(differ) < len(others):
            parts += ["A set that leaves an analysis as it is has no line here; `pooled.csv` has all of them."]
    if protocol.subgroups:
        parts += ["## Subgroup differences", _tests(subgroups)]
    if len(meta_regression):
        parts += ["## Meta-regression", _regressions(meta_regression, protocol)]
    if len(dependence):
        parts += ["## Several effects per trial", _dependence(dependence)]
    parts += ["## What became of every reported row", _fate(rows), "## Files", _files(review, figures, effects)]
    return "\n\n".join(parts) + "\n"


def _question(protocol: Protocol) -> str:
    q = protocol.question
    return f"{q.intervention} against {lower_first(q.comparator)}. {q.population}. {q.design}."


def _window(name: str, protocol: Protocol) -> str:
    return lower_first(protocol.windows[name].label or name)


def _decimals(row: pd.Series) -> int | None:
    half_width = (row["ci_upper_natural"] - row["ci_lower_natural"]) / 2
    return None if row["scale"] == "log" else difference_decimals(half_width)


def _effect(row: pd.Series) -> str:
    values = (row[name] for name in ("estimate_natural", "ci_lower_natural", "ci_upper_natural"))
    return effect_text(*values, decimals=_decimals(row))


def _headline(main: pd.DataFrame, effects: pd.DataFrame, protocol: Protocol) -> str:
    lines = []
    for analysis, of_analysis in main.groupby("analysis", sort=False):
        row = of_analysis.iloc[0]
        outcome = protocol.outcomes[row["outcome"]]
        if row["measure"] != outcome.measure:
            continue
        n = "" if np.isnan(row["participants"]) else f", n = {row['participants']:.0f}"
        trials = effects.loc[effects["analysis"] == analysis, "study_id"].nunique()
        if row["k"] == 1:
            count = "one trial, not pooled"
        elif trials == row["k"]:
            count = f"k = {row['k']:.0f} trials"
        else:
            count = f"k = {row['k']:.0f} comparisons from {trials} trials"
        effect = _effect(row).replace("(", f"({level_text(row['level'])} CI ", 1)
        lines.append(f"- {outcome.label}, {_window(row['window'], protocol)}: {row['measure']} {effect}; {count}{n}")
    for key, outcome in protocol.outcomes.items():
        there = set(main.loc[main["outcome"] == key, "window"])
        missing = [_window(name, protocol) for name in protocol.windows if name not in there]
        if missing:
            lines.append(f"- {outcome.label}: no usable trial for {', '.join(missing)}")
    return "\n".join(lines)


def _models(protocol: Protocol) -> str:
    models = {model.name: model for set_name in protocol.sets for model in protocol.models_of(set_name)}
    main = protocol.models_of("main")[0]
    lines = [f"- **{m.name}**{' (main)' if m == main else ''}: {describe_model(m)}" for m in models.values()]
    assumed = protocol.assumptions
    lines.append(
        f"- Crossover trials: correlation of the two periods {assumed.crossover_correlation:g} (continuous), "
        f"phi {assumed.crossover_phi:g} (binary). {assumed.source}".rstrip()
    )
    lines.append("- Ratio measures are pooled on the log scale and printed on the natural scale. I2 is tau2-based.")
    return "\n".join(lines)


def _estimates(pooled: pd.DataFrame) -> str:
    """One line per analysis: the main model with its heterogeneity, then the other models of its set."""
    head = ("Analysis", "k", "n", "Main model", "Prediction interval", "tau2", "I2", "P", "Other models")
    body = []
    for analysis, models in pooled.groupby("analysis", sort=False):
        row, pooled_at_all = models.iloc[0], models["k"].iloc[0] > 1
        others = [f"{other['model']}: {_effect(other)}" for _, other in models.iloc[1:].iterrows()]
        body.append(
            (
                f"`{analysis}`",
                f"{row['k']:.0f}",
                "" if np.isnan(row["participants"]) else f"{row['participants']:.0f}",
                f"{row['measure']} {_effect(row)}" + ("" if pooled_at_all else ", one trial, not pooled"),
                ""
                if np.isnan(row["pi_lower"])
                else interval_text(row["pi_lower_natural"], row["pi_upper_natural"], decimals=_decimals(row)),
                small_text(row["tau2"]) if pooled_at_all else "",
                f"{row['i2']:.0f}%" if pooled_at_all and not np.isnan(row["i2"]) else "",
                p_text(row["p_value"]).removeprefix("P ").removeprefix("= "),
                "; ".join(others) if pooled_at_all else "",
            )
        )
    return _table(head, body) if body else "None."


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _fragility(main: pd.DataFrame, conclusions: pd.DataFrame, sequential: pd.DataFrame) -> str:
    """Two computed sentences per main analysis, and where trial sequential analysis stands."""
    lines = []
    said = conclusions.set_index("analysis")
    for analysis in main["analysis"].drop_duplicates():
        sentences = [said.loc[analysis, name] for name in ("fragility", "alternatives") if analysis in said.index]
        lines.append(f"- `{analysis}`: {' '.join(text for text in sentences if text)}")
        looks = sequential[sequential["analysis"] == analysis]
        if len(looks) and not np.isnan(looks["required"].iloc[-1]):
            last = looks.iloc[-1]
            crossed = {"none": "no boundary is crossed", "futility": "the futility boundary is crossed"}
            what = crossed.get(last["verdict"], "the monitoring boundary is crossed")
            lines[-1] += (
                f" Sequential analysis: {last['information']:.0f} of {last['required']:.0f} patients needed "
                f"({100 * last['fraction']:.0f}%), {what}."
            )
    return "\n".join(lines)


def _sets(protocol: Protocol) -> str:
    return "\n".join(
        f"- `{name}`: {chosen.label}." + (f" {chosen.note}" if chosen.note else "")
        for name, chosen in protocol.sets.items()
        if name != "main"
    )


def _tests(subgroups: pd.DataFrame) -> str:
    first = subgroups.drop_duplicates("analysis")
    estimable = first[first["q_between"].notna()]
    tests = f"{len(estimable)} test{'' if len(estimable) == 1 else 's'} for subgroup differences could be made"
    head = f"{tests}; {len(first) - len(estimable)} are not estimable (`subgroups.csv` gives the reason for each)."
    if estimable.empty:
        return head
    body = [
        (
            f"`{row['analysis']}`",
            f"{row['q_between']:.2f}",
            f"{row['q_between_df']:.0f}",
            p_text(row["q_between_p_value"]).removeprefix("P ").removeprefix("= "),
        )
        for _, row in estimable.iterrows()
    ]
    return f"{head}\n\n{_table(('Analysis', 'Q between', 'df', 'P'), body)}"


def _regressions(found: pd.DataFrame, protocol: Protocol) -> str:
    lines = []
    for _, rows in found.groupby(["analysis", "regression"], sort=False):
        first = rows.iloc[0]
        analysis, name = str(first["analysis"]), str(first["regression"])
        label = protocol.meta_regression[name].label or name
        if np.isnan(first["qm"]):
            lines.append(f"- `{analysis}`, {lower_first(label)}: {first['note']}")
            continue
        test = f"{p_text(first['qm_p_value'])} for the moderators, R2 = {first['r2']:.0f}%"
        lines.append(f"- `{analysis}`, {lower_first(label)}: {test}" + (f" ({first['note']})" if first["note"] else ""))
    return "\n".join(lines)


def _dependence(found: pd.DataFrame) -> str:
    head = ("Analysis", "Method", "Effects", "Trials", "Estimate")
    body = [
        (f"`{row['analysis']}`", row["method"], f"{row['k']:.0f}", f"{row['trials']:.0f}", _effect(row))
        for _, row in found.iterrows()
    ]
    return _table(head, body)


def _fate(rows: pd.DataFrame) -> str:
    count = rows["status"].value_counts()
    lines = [
        f"{len(rows)} rows: {count.get('chosen', 0)} chosen, {count.get('not chosen', 0)} not chosen because another "
        f"row of the same trial comes first, {count.get('excluded', 0)} excluded (`exclusions.csv` says why)."
    ]
    stages = rows.loc[rows["status"] == "excluded", "stage"].value_counts(sort=False)
    return "\n".join([*lines, *(f"- excluded at stage {stage}: {n}" for stage, n in stages.items())])


def _files(review: str, figures: pd.DataFrame, effects: pd.DataFrame) -> str:
    forests = (figures["kind"] == "forest").sum()
    return (
        f"{effects['study_id'].nunique()} trials give {len(effects)} effects in {effects['analysis'].nunique()} "
        f"analyses. {forests} forest plots lie under `results/{review}/figures/forest/`, every trial's "
        f"effect step by step under `results/{review}/worked/`. "
        "`results/README.md` explains every file and column."
    )
