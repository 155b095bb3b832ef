"""`summary.md`: on one page, what was pooled, by which model, from which trials, and what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from reweigh.console import HEADLINE
from reweigh.effects.readings import agreement
from reweigh.io import records
from reweigh.pool.summarise import I2_DEFINITIONS
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model, describe_model
from reweigh.report.analyses import ALONE, guarded, how_many, not_pooled
from reweigh.report.inputs import Inputs
from reweigh.report.words import lower_first, variance, window_label
from reweigh.text.markdown import escaped
from reweigh.text.numbers import count_text, fixed, p_text, percent_text, row_text, span_text, stated_text, whole


def summary(inputs: Inputs) -> str:
    """Markdown of one page."""
    protocol, pooled = inputs.protocol, inputs.pooled
    main = pooled[pooled["set"] == "main"]
    others = pooled[pooled["set"] != "main"]
    parts = [f"# {escaped(inputs.title)}", _question(protocol), HEADLINE, _headline(main, inputs)]
    parts += ["## By which model", _models(protocol), "## Main analyses", _estimates(main)]
    if len(main):
        parts += ["## How fragile", _fragility(main, inputs)]
    if len(others):
        figures = inputs.figures
        differ = others[others["analysis"].isin(figures.loc[figures["kind"] == "forest", "analysis"])]
        parts += ["## Sensitivity sets", _sets(protocol), _estimates(differ)]
        if len(differ) < len(others):
            parts += ["A set that leaves an analysis as it is has no line here; `pooled.csv` has all of them."]
    if protocol.subgroup_columns:
        parts += ["## Subgroup differences", _tests(inputs.subgroups)]
    if len(inputs.meta_regression):
        parts += ["## Meta-regression", _regressions(inputs.meta_regression, protocol)]
    if len(inputs.dependence):
        parts += ["## Several effects per trial", _dependence(inputs.dependence)]
    if left_out := _not_pooled(inputs):
        parts += ["## Eligible and not pooled", left_out]
    if len(inputs.readings):
        data, numbers, agree = agreement(inputs.readings)
        said = f"{data} data were read more than once: {agree} of {numbers} numbers that could be compared agree within"
        parts += ["## Readings", f"{said} their rounding; `readings.csv` has each."]
    if len(inputs.flags):
        parts += ["## To be wary of", _flags(inputs.flags)]
    parts += ["## What became of every reported row", _fate(inputs.rows), "## Files", _files(inputs)]
    return "\n\n".join(parts) + "\n"


def _question(protocol: Protocol) -> str:
    q = protocol.question
    return escaped(f"{q.intervention} against {lower_first(q.comparator)}. {q.population}. {q.design}.")


def _window(name: str, protocol: Protocol) -> str:
    return escaped(lower_first(window_label(name, protocol)))


def _headline(main: pd.DataFrame, inputs: Inputs) -> str:
    lines, protocol = [], inputs.protocol
    for row in records(main.drop_duplicates("analysis")):
        outcome = protocol.outcomes[row["outcome"]]
        if row["measure"] == outcome.measure:
            said = "; ".join(filter(None, (stated_text(row), guarded(row), how_many(row))))
            lines.append(f"- {escaped(outcome.label)}, {_window(row['window'], protocol)}: {said}")
    for key, outcome in protocol.outcomes.items():
        mine = main[(main["outcome"] == key) & (main["measure"] == outcome.measure)]
        missing = [_window(name, protocol) for name in inputs.unusable(key)]
        if missing:
            lines.append(f"- {escaped(outcome.label)}: no usable trial for {', '.join(missing)}")
        elif mine.empty:
            lines.append(f"- {escaped(outcome.label)}: no usable trial")
    return "\n".join(lines)


def _models(protocol: Protocol) -> str:
    main: dict[Model, list[str]] = {}
    for name, outcome in protocol.outcomes.items():
        main.setdefault(protocol.models_of(name)[0], []).append(lower_first(outcome.label))
    mark = {model: " (main)" if len(main) == 1 else f" (main: {escaped(', '.join(of))})" for model, of in main.items()}
    lines = [
        f"- **{escaped(m.name)}**{mark.get(m, '')}: {escaped(describe_model(m))}" for m in protocol.every_model.values()
    ]
    assumed = protocol.assumptions
    lines.append(
        f"- Crossover trials: correlation of the two periods {assumed.crossover_correlation:g} (continuous), "
        f"phi {assumed.crossover_phi:g} (binary). {escaped(assumed.source)}".rstrip()
    )
    lines.append(
        "- Ratio measures are pooled on the log scale and printed on the natural scale. "
        f"I2 is {' or '.join(dict.fromkeys(I2_DEFINITIONS[m.i2] for m in main))}."
    )
    return "\n".join(lines)


def _estimates(pooled: pd.DataFrame) -> str:
    """One line per analysis: the main model with its heterogeneity, then the other models of its set."""
    head = ("Analysis", "k", "n", "Main model", "Prediction interval", "tau2", "I2", "P", "Other models")
    body = []
    for analysis, models in pooled.groupby("analysis", sort=False):
        row, pooled_at_all = records(models.head(1))[0], models["k"].iloc[0] > 1
        others = [f"{escaped(other['model'])}: {row_text(other)}" for _, other in models.iloc[1:].iterrows()]
        body.append(
            (
                f"`{analysis}`",
                whole(row["k"]),
                whole(row["participants"]),
                ", ".join(
                    filter(None, (f"{row['measure']} {row_text(row)}", guarded(row), "" if pooled_at_all else ALONE))
                ),
                span_text(row, "pi"),
                variance(row["tau2"]) if pooled_at_all else "",
                percent_text(row["i2"]) if pooled_at_all else "",
                p_text(row["p_value"], bare=True),
                "; ".join(others) if pooled_at_all else "",
            )
        )
    return _table(head, body) if body else "None."


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fragility(main: pd.DataFrame, inputs: Inputs) -> str:
    """Two computed sentences per main analysis, and where trial sequential analysis stands."""
    lines = []
    for analysis in main["analysis"].drop_duplicates():
        said = [row[name] for row in inputs.of("conclusions", analysis) for name in ("fragility", "alternatives")]
        lines.append(f"- `{analysis}`: {escaped(' '.join(filter(None, said)))}")
        for last in inputs.of("sequential", analysis)[-1:]:
            if said := last["conclusion"]:
                lines[-1] += escaped(f" {said[:1].upper()}{said[1:]}.")
    return "\n".join(lines)


def _sets(protocol: Protocol) -> str:
    return "\n".join(
        f"- `{name}`: {escaped(chosen.label)}." + (f" {escaped(chosen.note)}" if chosen.note else "")
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
            fixed(row["q_between"], 2),
            whole(row["q_between_df"]),
            p_text(row["q_between_p_value"], bare=True),
        )
        for _, row in estimable.iterrows()
    ]
    return f"{head}\n\n{_table(('Analysis', 'Q between', 'df', 'P'), body)}"


def _regressions(found: pd.DataFrame, protocol: Protocol) -> str:
    lines = []
    for _, rows in found.groupby(["analysis", "regression"], sort=False):
        first = rows.iloc[0]
        analysis, name = str(first["analysis"]), str(first["regression"])
        label, note = escaped(lower_first(protocol.meta_regression[name].label or name)), escaped(first["note"])
        if np.isnan(first["qm"]):
            lines.append(f"- `{analysis}`, {label}: {note}")
            continue
        test = f"{p_text(first['qm_p_value'])} for the moderators, R2 = {percent_text(first['r2'])}"
        lines.append(f"- `{analysis}`, {label}: {test}" + (f" ({note})" if note else ""))
    return "\n".join(lines)


def _dependence(found: pd.DataFrame) -> str:
    head = ("Analysis", "Method", "Effects", "Trials", "Estimate")
    body = [
        (f"`{row['analysis']}`", escaped(row["method"]), whole(row["k"]), whole(row["trials"]), row_text(row))
        for _, row in found.iterrows()
    ]
    return _table(head, body)


def _not_pooled(inputs: Inputs) -> str:
    """The trials that a main analysis could not use, and why."""
    analyses = [f"{outcome}.{window}" for outcome in inputs.protocol.outcomes for window in inputs.protocol.windows]
    lines = [(analysis, not_pooled(analysis, inputs)) for analysis in analyses]
    return "\n".join(f"- `{analysis}`: {escaped('; '.join(trials))}" for analysis, trials in lines if trials)


def _flags(flags: pd.DataFrame) -> str:
    """How many numbers look suspicious, and what was not used."""
    notices = flags[flags["kind"] == "notice"]
    found = len(flags) - len(notices)
    many = "1 suspicious number is" if found == 1 else f"{whole(found)} suspicious numbers are"
    head = f"{many} flagged (`flags.csv` has each with its rule); nothing was changed."
    return "\n".join([head, *(f"- {escaped(words)}" for words in notices["words"])])


def _fate(rows: pd.DataFrame) -> str:
    count = rows["status"].value_counts()
    lines = [
        f"{len(rows)} rows: {count.get('chosen', 0)} chosen, {count.get('not chosen', 0)} not chosen because another "
        f"row of the same trial comes first, {count.get('excluded', 0)} excluded (`exclusions.csv` says why)."
    ]
    stages = rows.loc[rows["status"] == "excluded", "stage"].value_counts(sort=False)
    return "\n".join([*lines, *(f"- excluded at stage {stage}: {n}" for stage, n in stages.items())])


def _files(inputs: Inputs) -> str:
    effects, review = inputs.effects, inputs.review
    forests = (inputs.figures["kind"] == "forest").sum()
    trials = count_text(effects["study_id"].nunique())
    return (
        f"{trials} give {whole(len(effects))} effects in {whole(effects['analysis'].nunique())} "
        f"analyses. {forests} forest plots lie under `results/{review}/figures/forest/`, every trial's "
        f"effect step by step under `results/{review}/worked/`. "
        "`results/README.md` explains every file and column."
    )
