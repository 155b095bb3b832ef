"""`summary.md`: on one page, what was pooled, by which model, from which trials, and what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from reweigh.console import HEADLINE
from reweigh.protocol import Protocol, describe_model

MINUS = "\N{MINUS SIGN}"


def summary(
    review: str,
    protocol: Protocol,
    effects: pd.DataFrame,
    rows: pd.DataFrame,
    pooled: pd.DataFrame,
    subgroups: pd.DataFrame,
    figures: pd.DataFrame,
) -> str:
    """Markdown of one page.

    Parameters
    ----------
    review
        Name of the review's folder.
    protocol
        The protocol.
    effects, rows, pooled, subgroups, figures
        The tables of the review's results.
    """
    main = pooled[(pooled["set"] == "main")] if len(pooled) else pooled
    parts = [f"# {protocol.title}", _question(protocol), HEADLINE, _headline(main, protocol)]
    parts += ["## By which model", _models(protocol)]
    parts += ["## Main analyses", _pooled_table(main)]
    others = pooled[pooled["set"] != "main"] if len(pooled) else pooled
    if len(others):
        parts += ["## Sensitivity sets", _sets(protocol), _pooled_table(_first_model(others))]
    if len(protocol.subgroups):
        parts += ["## Subgroup differences", _tests(subgroups)]
    parts += ["## What became of every reported row", _fate(rows)]
    parts += ["## Files", _files(review, figures, effects)]
    return "\n\n".join(part for part in parts if part) + "\n"


def number(value: float, digits: int = 2) -> str:
    """A number as printed: fixed digits, a real minus sign, no negative zero."""
    if not np.isfinite(value):
        return "not estimable" if np.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
    text = f"{value:.{digits}f}"
    return f"{MINUS}{text[1:]}" if text.startswith("-") and float(text) else text.removeprefix("-")


def p_value(value: float) -> str:
    """A p-value as journals print it."""
    if np.isnan(value):
        return "not estimable"
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def interval(low: float, high: float) -> str:
    """`low to high`, or that there is none."""
    return f"{number(low)} to {number(high)}" if np.isfinite(low) and np.isfinite(high) else "not estimable"


def _question(protocol: Protocol) -> str:
    q = protocol.question
    return f"{q.intervention} against {_lower(q.comparator)}. {q.population}. {q.design}."


def _lower(text: str) -> str:
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def _name(row: pd.Series, protocol: Protocol) -> str:
    window = protocol.windows[row["window"]].label or row["window"]
    return f"{protocol.outcomes[row['outcome']].label}, {_lower(window)}"


def _headline(main: pd.DataFrame, protocol: Protocol) -> str:
    lines = []
    for _, of_analysis in main.groupby("analysis", sort=False):
        row = of_analysis.iloc[0]
        if row["measure"] != protocol.outcomes[row["outcome"]].measure:
            continue
        estimate = f"{row['measure']} {number(row['estimate_natural'])}"
        ci = interval(row["ci_lower_natural"], row["ci_upper_natural"])
        n = "" if np.isnan(row["participants"]) else f", n = {row['participants']:.0f}"
        if row["k"] == 1:
            lines.append(f"- {_name(row, protocol)}: {estimate} ({ci}); one trial, nothing pooled{n}")
        else:
            level = f"{100 * row['level']:g}% CI"
            lines.append(f"- {_name(row, protocol)}: {estimate} ({level} {ci}); k = {row['k']:.0f} trials{n}")
    missing = [
        f"{outcome.label}, {_lower(window.label or name)}"
        for key, outcome in protocol.outcomes.items()
        for name, window in protocol.windows.items()
        if not ((main["outcome"] == key) & (main["window"] == name)).any()
    ]
    if missing:
        lines.append(f"- No trial that could be used: {'; '.join(missing)}")
    return "\n".join(lines) or "Nothing: no trial could be used."


def _models(protocol: Protocol) -> str:
    names = {model.name: model for set_name in protocol.sets for model in protocol.models_of(set_name)}
    main = protocol.models_of("main")[0]
    lines = [f"- **{m.name}**{' (main)' if m == main else ''}: {describe_model(m)}" for m in names.values()]
    assumed = protocol.assumptions
    lines.append(
        f"- Assumed: correlation of the two periods of a crossover trial {assumed.crossover_correlation:g} "
        f"(continuous), phi {assumed.crossover_phi:g} (binary). {assumed.source}".rstrip()
    )
    lines.append("- Ratio measures are pooled on the log scale and printed on the natural scale. I2 is tau2-based.")
    return "\n".join(lines)


def _pooled_table(pooled: pd.DataFrame) -> str:
    head = ("Analysis", "Model", "k", "n", "", "Estimate", "CI", "Prediction interval", "tau2", "I2", "P", "Note")
    body = [
        (
            f"`{row['analysis']}`",
            row["model"],
            f"{row['k']:.0f}",
            "" if np.isnan(row["participants"]) else f"{row['participants']:.0f}",
            row["measure"],
            number(row["estimate_natural"]),
            interval(row["ci_lower_natural"], row["ci_upper_natural"]),
            "" if np.isnan(row["pi_lower_natural"]) else interval(row["pi_lower_natural"], row["pi_upper_natural"]),
            "" if np.isnan(row["tau2"]) else number(row["tau2"], 3),
            "" if np.isnan(row["i2"]) else f"{row['i2']:.0f}%",
            p_value(row["p_value"]),
            row["note"],
        )
        for _, row in pooled.iterrows()
    ]
    return markdown_table(head, body) if body else "None."


def markdown_table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _first_model(pooled: pd.DataFrame) -> pd.DataFrame:
    return pooled.drop_duplicates("analysis")


def _sets(protocol: Protocol) -> str:
    return "\n".join(
        f"- `{name}`: {chosen.label}." + (f" {chosen.note}" if chosen.note else "")
        for name, chosen in protocol.sets.items()
        if name != "main"
    )


def _tests(subgroups: pd.DataFrame) -> str:
    if subgroups.empty:
        return "None."
    first = subgroups.drop_duplicates(["analysis", "model"]).drop_duplicates("analysis")
    estimable = first[first["q_between"].notna()]
    tests = f"{len(estimable)} test{'' if len(estimable) == 1 else 's'} for subgroup differences could be made"
    head = f"{tests}; {len(first) - len(estimable)} are not estimable (subgroups.csv gives the reason for each)."
    body = [
        (
            f"`{row['analysis']}`",
            row["model"],
            number(row["q_between"]),
            f"{row['q_between_df']:.0f}",
            p_value(row["q_between_p_value"]),
        )
        for _, row in estimable.iterrows()
    ]
    return head + ("\n\n" + markdown_table(("Analysis", "Model", "Q between", "df", "P"), body) if body else "")


def _fate(rows: pd.DataFrame) -> str:
    count = rows["status"].value_counts()
    lines = [
        f"{len(rows)} rows: {count.get('chosen', 0)} chosen, {count.get('not chosen', 0)} not chosen because another "
        f"row of the same trial comes first, {count.get('excluded', 0)} excluded."
    ]
    stages = rows.loc[rows["status"] == "excluded", "stage"].value_counts(sort=False)
    lines += [f"- excluded at stage {stage}: {n}" for stage, n in stages.items()]
    return "\n".join(lines)


def _files(review: str, figures: pd.DataFrame, effects: pd.DataFrame) -> str:
    studies = effects["study_id"].nunique()
    return (
        f"{studies} trials give {len(effects)} effects in {effects['analysis'].nunique()} analyses. "
        f"{len(figures)} forest plots lie under `results/{review}/figures/forest/`. "
        "`results/README.md` explains every file and column."
    )
