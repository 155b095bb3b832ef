"""Certainty of evidence (GRADE): domain judgements by rule, absolute effects and Summary of Findings tables."""

from reweigh.certainty.absolute import AbsoluteEffect, absolute_effect, control_risk
from reweigh.certainty.assess import (
    DOMAINS,
    LEVELS,
    Certainty,
    Domain,
    Override,
    assess,
    certainty_table,
    important_bounds,
    override_problems,
    read_overrides,
)
from reweigh.certainty.findings import findings_docx, findings_html, sentence, summary_of_findings
from reweigh.certainty.thresholds import Thresholds, rules_of

__all__ = [
    "DOMAINS", "LEVELS", "AbsoluteEffect", "Certainty", "Domain", "Override", "Thresholds", "absolute_effect",
    "assess", "certainty_table", "control_risk", "findings_docx", "findings_html", "important_bounds",
    "override_problems", "read_overrides", "rules_of", "sentence", "summary_of_findings",
]  # fmt: skip
