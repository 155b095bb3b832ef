"""The Summary of Findings of the page: the table of the file, and what another baseline risk is computed from."""

from __future__ import annotations

from typing import Any

from reweigh.certainty.findings import about_findings
from reweigh.effects.absolute import PER, control_risks
from reweigh.io import records
from reweigh.measures import COUNT_MEASURES
from reweigh.report import words
from reweigh.report.inputs import Inputs


def findings(inputs: Inputs) -> dict[str, Any]:
    """Rows of summary_of_findings.csv by outcome; those with absolute effects have what these were computed from.

    `risks`: lowest, median and highest risk of the control groups per 1,000; `relative`: measure, estimate and limits
    on the natural scale, empty where not estimable.
    """
    table, found = inputs.summary_of_findings, list[dict[str, Any]]()
    for row in records(table) if len(table) else []:
        one: dict[str, Any] = {name: words.nice(value) for name, value in row.items() if isinstance(value, str)}
        for name in ("control_per_1000", "intervention_per_1000", "difference_per_1000"):
            one[name] = words.nice(row[name] if isinstance(row[name], str) else words.count(row[name]))
        outcome = inputs.protocol.outcomes[row["outcome"]].label
        window = words.window_label(str(row["window"]), inputs.protocol)
        one |= {"analysis": row["analysis"], "outcome": outcome, "window": window, "risks": (), "relative": ()}
        if row["measure"] in COUNT_MEASURES and one["control_per_1000"]:
            main = inputs.of("pooled", str(row["analysis"]))[0]
            ends = (main[f"{end}_natural"] for end in ("estimate", "ci_lower", "ci_upper"))
            one["relative"] = (row["measure"], *("" if words.missing(end) else end for end in ends))
            risks = PER * control_risks(inputs.effects[inputs.effects["analysis"] == row["analysis"]])
            one["risks"] = tuple(float(f"{x:.12g}") for x in (risks.min(), risks.median(), risks.max()))
        found.append(one)
    return {"rows": found, "about": about_findings(inputs.protocol)[1], "absolute": any(one["risks"] for one in found)}
