"""Claims on trial: what is claimed, what it leans on, and what the trials say, by rule."""

from reweigh.claims.evaluate import Assessed, Part, evaluate, evaluate_claims
from reweigh.claims.evidence import Evidence, gather
from reweigh.claims.model import Claim, Claims, Lookup, Test, load_claims
from reweigh.claims.pages import claim_page, claims_json, claims_table
from reweigh.claims.rules import RULES, STATES, VERDICTS, Finding, combine, judge

__all__ = [
    "RULES", "STATES", "VERDICTS", "Assessed", "Claim", "Claims", "Evidence", "Finding", "Lookup", "Part", "Test",
    "claim_page", "claims_json", "claims_table", "combine", "evaluate", "evaluate_claims", "gather", "judge",
    "load_claims",
]  # fmt: skip
