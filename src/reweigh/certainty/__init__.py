"""Certainty of evidence (GRADE): domain judgements by rule, absolute effects and Summary of Findings tables."""
