"""Summary of Findings: the table, its standard sentences, and its HTML form."""

from __future__ import annotations

from html import escape
from math import isnan

import pandas as pd

from reweigh.certainty.thresholds import Thresholds
from reweigh.effects.absolute import absolute_effect, control_risk
from reweigh.io import frame
from reweigh.measures import COUNT_MEASURES, MEASURE_LABELS, SINGLE_GROUP_MEASURES
from reweigh.protocol.model import Outcome, Protocol
from reweigh.text.certainty import SYMBOLS, Level, sentence, single_group_sentence, with_guarded
from reweigh.text.numbers import NOT_ESTIMABLE, count_text, level_text, row_text, stated_text, whole

HEADINGS = {
    "outcome_label": "Outcome",
    "participants_text": "Participants (trials)",
    "effect": "Effect (CI)",
    "control_per_1000": "Without",
    "intervention_per_1000": "With",
    "difference_per_1000": "Difference",
    "certainty_text": "Certainty",
    "sentence": "What it means",
}
PRINTED = {
    **{name: (head + (" (per 1,000)" if name.endswith("_per_1000") else ""), width)
       for (name, head), width in zip(HEADINGS.items(), (24, 16, 28, 12, 16, 20, 16, 36), strict=True)},
    "reasons": ("Why this certainty", 52),
}  # fmt: skip
"""Head and width in characters of each column where the table stands by itself, without a head over several."""


def summary_of_findings(
    effects: pd.DataFrame, pooled: pd.DataFrame, certainty: pd.DataFrame, protocol: Protocol,
    thresholds: Thresholds | None = None,
) -> pd.DataFrame:  # fmt: skip
    """One row per outcome and window of the main set and measure: effect, events per 1,000, certainty, sentence.

    Parameters
    ----------
    effects, pooled, certainty
        effects.csv, pooled.csv and certainty.csv of the review.
    protocol
        Words, outcomes, windows.

    Cochrane Handbook 14.1.
    """
    rows = []
    main = pooled[pooled["set"] == "main"].drop_duplicates("analysis")
    for _, row in main.iterrows():
        outcome = protocol.outcomes[row["outcome"]]
        if row["measure"] != outcome.measure:
            continue
        mine = certainty[certainty["analysis"] == row["analysis"]]
        level = Level(mine["certainty"].iloc[0])
        trials = effects[effects["analysis"] == row["analysis"]]
        bounds = outcome.bounds(row["measure"], (thresholds or Thresholds()).ratio)
        window = protocol.windows[row["window"]].label or row["window"]
        rows.append(
            {
                "analysis": row["analysis"], "outcome": row["outcome"], "window": row["window"],
                "measure": row["measure"], "k": row["k"], "comparisons": row["comparisons"],
                "participants": row["participants"],
                "outcome_label": f"{outcome.label}, {window[:1].lower()}{window[1:]}",
                "participants_text": _participants(row),
                "effect": _effect(row, outcome, protocol.usual_level), **_absolute(row, trials),
                "certainty": level, "certainty_text": f"{SYMBOLS[level]} {level}",
                "reasons": _reasons(mine),
                "sentence": _sentence(row, outcome, level, bounds, protocol),
            }
        )  # fmt: skip
    return frame("summary_of_findings.csv", rows)


def _sentence(
    row: pd.Series, outcome: Outcome, level: Level, bounds: tuple[float, float] | None, protocol: Protocol
) -> str:
    label = outcome.label[:1].lower() + outcome.label[1:]
    if row["measure"] in SINGLE_GROUP_MEASURES:
        effect = "" if isnan(row["estimate"]) else row_text(row)
        return single_group_sentence(MEASURE_LABELS[row["measure"]].lower(), outcome.label, level, effect)
    ci = row["guarded_ci_lower"], row["guarded_ci_upper"]
    return sentence(protocol.words_of(row["outcome"]).intervention, label, level, row["estimate"], bounds, ci)


def _participants(row: pd.Series) -> str:
    n = "not reported" if isnan(row["participants"]) else whole(row["participants"])
    return f"{n} ({count_text(row['k'], row['comparisons'])})"


def _effect(row: pd.Series, outcome: Outcome, usual_level: float) -> str:
    """The effect; its confidence level where that is not the usual one, which stands below the title."""
    number, bracket, interval = row_text(row).partition(" (")
    unit = outcome.unit if row["measure"] in ("MD", "MN") else ""
    said = f"{row['measure']} {number}{f' {unit}' if unit else ''}{bracket}{interval}"
    said = said if row["level"] == usual_level else stated_text(row, unit)
    return with_guarded(said, row) if bracket else number


def _absolute(row: pd.Series, trials: pd.DataFrame) -> dict[str, str]:
    empty = dict.fromkeys(("control_per_1000", "intervention_per_1000", "difference_per_1000"), "")
    if row["measure"] not in COUNT_MEASURES:
        return empty
    risk = control_risk(trials)
    if isnan(risk) or isnan(row["estimate"]):
        return empty
    if risk == 0 and row["measure"] != "RD":
        # Any ratio to no event at all is no event: nothing can be said of what the intervention adds.
        return {name: "0" if name == "control_per_1000" else NOT_ESTIMABLE for name in empty}
    found = absolute_effect(row["measure"], risk, *(row[f"{n}_natural"] for n in ("estimate", "ci_lower", "ci_upper")))
    change, low, high = found.difference
    return {
        "control_per_1000": f"{found.assumed:.0f}",
        "intervention_per_1000": _span(found.corresponding, found.lower, found.upper),
        "difference_per_1000": f"{_signed(change)}"
        + ("" if isnan(low) else f" ({_signed(low)} to {_signed(high)})"),
    }  # fmt: skip


def _span(value: float, low: float, high: float) -> str:
    return f"{value:.0f}" + ("" if isnan(low) else f" ({low:.0f} to {high:.0f})")


def _signed(x: float) -> str:
    return "0" if round(x) == 0 else f"{abs(x):.0f} {'more' if x > 0 else 'fewer'}"


def _reasons(domains: pd.DataFrame) -> str:
    lost = domains[(domains["levels"] < 0) | (domains["overridden_by"].fillna("") != "")]
    parts = []
    for _, d in lost.iterrows():
        person = f"; overridden by {d['overridden_by']}: {d['override_reason']}" if d["overridden_by"] else ""
        parts.append(f"{d['domain']} {d['judgement']} ({d['levels']}): {d['figures']} [{d['rule']}]{person}")
    return "; ".join(parts) if parts else "no level taken off"


def about_findings(protocol: Protocol) -> tuple[str, list[str]]:
    """The title of the table, and what its reader must know."""
    q = protocol.question
    notes = [
        f"Population: {q.population}. Intervention: {q.intervention}. Comparison: {q.comparator}.",
        "Events per 1,000 people; the risk without the intervention is the median of the control groups, the risk with "
        f"it follows from the relative effect and its {level_text(protocol.usual_level)} CI{protocol.other_levels}.",
        "Certainty by rule (docs/reference/claims.md): high, moderate, low or very low. Certainty and what it means "
        "rest on the guarded interval (Hartung-Knapp with a scale factor of at least 1), printed where it is "
        "another one.",
    ]
    return f"Summary of findings: {protocol.title}", notes


def printed_cells(table: pd.DataFrame) -> tuple[list[str], list[list[str]], list[str]]:
    """Heading, rows and footnotes of the printed table."""
    shown = [[_printed(cell) for cell in row] for row in table[list(HEADINGS)].to_numpy(object).tolist()]
    notes = []
    for i, (cells, reasons) in enumerate(zip(shown, table["reasons"], strict=True), start=1):
        cells[list(HEADINGS).index("certainty_text")] += f" [{i}]"
        notes.append(f"[{i}] {reasons}")
    return list(HEADINGS.values()), shown, notes


def _printed(cell: object) -> str:
    """A cell as it stood before a file made a number of it, or nothing."""
    return "" if cell != cell else f"{cell:.12g}" if isinstance(cell, float) else str(cell)


def findings_html(table: pd.DataFrame, protocol: Protocol) -> str:
    """The table as one HTML page without anything from outside."""
    title, about = about_findings(protocol)
    head, rows, notes = printed_cells(table)
    lines = [
        "<!doctype html>",
        '<html lang="en">',
        f'<head><meta charset="utf-8"><title>{escape(title)}</title><style>',
    ]
    lines += [
        "body{font:14px/1.45 system-ui,sans-serif;margin:2em;max-width:80em;color:#1c1c1c}",
        "table{border-collapse:collapse;width:100%}th,td{border:1px solid #9a9a9a;padding:.35em .5em;text-align:left;"
        "vertical-align:top}th{background:#eef2f6}caption{text-align:left;font-weight:bold;padding:.4em 0}"
        ".notes{font-size:12px;color:#5a5a5a}",
        "</style></head>",
        f"<body><h1>{escape(title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in about),
        '<table><thead><tr><th scope="col" rowspan="2">' + '</th><th scope="col" rowspan="2">'.join(head[:3]),
        '</th><th scope="colgroup" colspan="3">Events per 1,000</th><th scope="col" rowspan="2">'
        + '</th><th scope="col" rowspan="2">'.join(head[6:])
        + "</th></tr>",
        "<tr>" + "".join(f'<th scope="col">{escape(h)}</th>' for h in head[3:6]) + "</tr></thead><tbody>",
        *("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows),
        "</tbody></table>",
        '<div class="notes">' + "".join(f"<p>{escape(n)}</p>" for n in notes) + "</div></body></html>",
    ]
    return "\n".join(lines) + "\n"
