"""Words of the choice of one result per trial: why a row is not pooled, what would mend it, how rows were joined."""

from __future__ import annotations

from collections.abc import Mapping

from reweigh.text.codes import Sentence

_OUTCOME = "{outcome} is not an outcome of the protocol"
_ALONE = ("no {role} arm reported at this time point", "the result of the {role} arm")
#: Why the p-value of a test is not converted.
_TESTS = {
    "three_arm": "the p-value is that of a test of three or more arms",
    "repeated_measures": "the p-value is that of a repeated-measures test",
    "other": "the p-value is not that of a test between two arms",
    "unknown": "the source does not say which test the p-value belongs to",
}
UNCONVERTED_TESTS = tuple(_TESTS)

REASONS: Mapping[str, tuple[Sentence, str]] = {
    # stage trials
    "not_eligible": (lambda p: "not eligible" + (f": {p['why']}" if p["why"] else ""), ""),
    "outside_set": ("{column} is {value}", ""),
    # stage outcome
    "no_outcome": (lambda p: _OUTCOME.format(**p) + (f' (did you mean "{p["near"]}"?)' if p["near"] else ""), ""),
    # stage window
    "unnamed_time": ("time point '{text}' has no day and no window names it", "the day of measurement"),
    "no_window": ("day {day} lies in no window", ""),
    "baseline": ("'{text}' is before treatment, and no window names it", ""),
    # stage arms
    "role_other": ("an arm of role other is never pooled", ""),
    "no_arm": _ALONE,
    "not_the_group": ("the single group of this outcome is the intervention: no other arm is compared with it", ""),
    "shared_arm_differs": ("the shared {role} arm has different results in its {rows} rows", ""),
    "crossover_arms": (
        "{rows} {role} arms of a crossover trial: choose one, give the others the role other", ""
    ),
    "arms_without_n": ("the {role} arms cannot be combined: n missing", "n per arm"),
    "arms_on_scales": ("the {role} arms are on different scales", "the results of these arms on one scale"),
    "arms_without_results": (
        "the {role} arms cannot be combined: events, or mean and SD, missing", "events, or mean and SD, per arm",
    ),
    "other_test": (lambda p: _TESTS[p["test"]], "exact p of a test between the two arms, or mean and SD per arm"),
    # stage choice
    "another_row": (
        "another row of this trial, outcome and window comes first (arms, then CI or SE, then exact p; nearest day)",
        "",
    ),
    "another_reading": ("another reading of this trial, outcome and window comes first: {reading}", ""),
    "change_beside_final": (
        "a change from baseline is not pooled as a standardised difference beside final values",
        "mean and SD at this time point",
    ),
}  # fmt: skip
"""Why a row stands in no pool, and what would mend it, by the name of its code."""

SENTENCES: Mapping[str, Sentence] = {
    **{name: reason for name, (reason, _) in REASONS.items()},
    "arms_combined": "{rows} {role} arms combined",
    "arm_events_from_percent": "events from percent",
    "arm_counted_once": "shared {role} arm, n = {n}, counted once",
    "arm_added_up": "shared {role} arm, n = {n}, the halves added up",
    "arm_split": "shared {role} arm divided among {rows} comparisons",
    "arm_split_in_table": "shared {role} arm, its n divided in the table",
    "day_in_words": "time point '{text}' read as day {day}",
    "aggregated": "comparisons {comparisons} of one trial as one effect, weighted by their inverse covariance",
    "n_counted_once": "patients of the {role} group counted once",
    "comparison_correlation": "correlation {value} of the comparisons of this trial",
    "independent_comparisons": "comparisons of this trial share no patients: {reason}",
    "in_subgroups": "this trial stands in several subgroups by {column}: once in each, and once in the total",
    "kept_comparisons": "comparisons of this trial pooled as if they shared no patients",
}
"""Words of every code that this stage writes."""
