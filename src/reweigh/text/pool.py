"""Words for the codes of the pooling stage."""

from __future__ import annotations

from collections.abc import Mapping

from reweigh.text.codes import Sentence, words

SENTENCES: Mapping[str, Sentence] = {
    # What is missing, and why.
    "no_trials": "no trials",
    "no_null": "no test: {measure} is of a single group, which is compared with nothing",
    "one_trial": "one trial: its own estimate with a Wald interval, nothing pooled",
    "few_for_prediction_interval": "a prediction interval needs three trials",
    "all_effects_equal": ("all effects are equal: the Hartung-Knapp standard error is 0, and nothing can rest on it"),
    "common_effect": (
        "common-effect model: tau2 is 0 by assumption, so it has no interval, no I2 or H2 and no prediction interval"
    ),
    "empty_q_profile": "Q is below its Q-profile range: the interval of tau2 is empty and shown as 0 to 0",
    "no_test_based_interval": (
        "two trials with Q at most 2: the test-based interval of Q-based I2 and H2 does not exist"
    ),
    "not_estimable_counts": ("not estimable: one arm has no events (for OR: or only events) in all trials together"),
    "no_variance": "the standard error is 0 (no events, or only events, in every trial): no interval or test",
    "uninformative_trials": (
        "trials without information on a ratio (no events in either arm, or for OR only events) are left out"
    ),
    "pooling_not_for_measure": "{pooling} does not apply to {measure}",
    "pooling_needs_counts": "{pooling} needs the events and patients of both arms of every trial, in parallel groups",
    # What a row should be read with.
    "hartung_knapp_two_trials": "two trials: the Hartung-Knapp interval rests on one degree of freedom",
    "hartung_knapp_narrow": (
        "the Hartung-Knapp interval is narrower than the common-effect one; verdicts rest on the guarded interval"
    ),
    "tau2_zero": "tau2 is 0: the random-effects and the common-effect mean are the same",
    "rows_as_trials": "{rows} rows of {trials} trial(s) are pooled as if each were a trial of its own, as RevMan does",
    "logit_scale": (
        "proportions are pooled as logits by inverse variance; with rare events or few patients a generalised linear "
        "mixed model of the counts is less biased (Lin and Chu 2020, doi 10.1097/EDE.0000000000001232)"
    ),
    "prior": "prior: {prior}",
    "smd_variance_differs": "the SMDs have the variance of another model's set ({variance}), not RevMan's",
    # The Bayesian model.
    "posterior_improper": "the posterior is improper: a prior without finite mass on tau needs at least three trials",
    "posterior_heavy_tail": "the posterior has no {missing}: its tail is too heavy",
    "no_better_direction": "no probabilities: the better direction is not given",
    "no_important_difference": "no smallest important difference is given",
    # Meta-regression.
    "regression_exact_fit": "the moderators fit the effects exactly: no standard errors",
    "regression_no_r2": "no R2: there is no heterogeneity without moderators to explain, or no model to compare with",
    "regression_few_trials": "only {k} trials for {moderators} moderator(s)",
    "regression_impossible": "{why}",
    "regression_missing": "left out, no value of {moderator}: {trials}",
    "regression_inverse_variance": "by inverse variance: {pooling} has no meta-regression",
    # Subgroups.
    "few_subgroups": "not estimable: the test needs at least two subgroups with an estimate",
    "subgroups_of_one": "{ones} of {subgroups} subgroups rest on one trial",
    "subgroup_missing": "left out of the test, no value in the column: {trials}",
    "not_reported": "no value in the column: not part of the test",
}


def noted(codes: str, name: str = "note") -> dict[str, str]:
    """A cell of codes, and the same in words, as the two columns of a table."""
    return {f"{name}_codes": codes, name: words(codes, SENTENCES)}
