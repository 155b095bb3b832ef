"""Words for the codes of the robustness stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reweigh.text import pool
from reweigh.text.codes import Sentence, words
from reweigh.text.numbers import p_text

POOLING: Mapping[str, str] = {"mantel-haenszel": "Mantel-Haenszel", "peto": "Peto's method"}

VERDICTS: Mapping[str, str] = {
    "changes": "changes",
    "at_least": "at least",
    "robust": "robust",
    "one_left": "one left",
    "not_applicable": "not applicable",
}
"""Verdicts of a fragility search."""

CONCLUSIONS: Mapping[str, str] = {
    "excludes_no_effect": "the interval excludes no effect",
    "includes_no_effect": "the interval includes no effect",
    "below": "below no effect",
    "at": "at no effect",
    "above": "above no effect",
    "important_below": "beyond the smallest important difference, below no effect",
    "short": "short of the smallest important difference",
    "important_above": "beyond the smallest important difference, above no effect",
}
"""Conclusions that a removal may change."""


def _significance(given: Mapping[str, str]) -> str:
    """`the interval excludes no effect, until A and B are left out: then the interval includes no effect`."""
    start, size = CONCLUSIONS[given["start"]], int(given["size"])
    if given["verdict"] == "one_left":
        rest = f"without {given['trials']} a single trial remains, so nothing pooled is left to compare with"
        return f"{start}; {rest}"
    if given["verdict"] == "changes":
        others = "" if given["sets"] == "1" else f" (one of {int(given['sets']):,} such sets)"
        left_out = f"{given['trials']} {'is' if size == 1 else 'are'} left out{others}"
        return f"{start}, until {left_out}: then {CONCLUSIONS[given['after']]}"
    which = f"of fewer than {size} trials" if given["verdict"] == "at_least" else "that leaves two trials"
    return f"{start}, and no removal {which} changes that"


def _change(what: str) -> Sentence:
    """`the direction changes without A`."""

    def said(given: Mapping[str, str]) -> str:
        size = int(given["size"])
        if given["verdict"] == "changes":
            if size <= 3:
                return f"{what} changes without {given['trials']}"
            return f"{what} takes the removal of {size} trials to change"
        if given["verdict"] == "at_least":
            return f"{what} holds against every removal of fewer than {size} trials"
        return f"{what} never changes"

    return said


def _multiverse(given: Mapping[str, str]) -> str:
    said = [
        f"{int(given[name]):,} of {int(given[f'{name}_of']):,} {text}"
        for name, text in (
            ("better", "favour the intervention"),
            ("better_and_excludes", "do so with an interval that excludes no effect"),
            ("exceeds_important", "exceed the smallest important difference"),
        )
        if name in given
    ]
    most = f", most moved by the choice of {given['moved'].replace('_', ' ')}" if "moved" in given else ""
    return f"of the distinct defensible analyses {', '.join(said)}{most}"


def _ended(given: Mapping[str, str]) -> str:
    size, tried = int(given["size"]), int(given["tried"])
    done = f"all {tried:,} removals of up to {size - 1} trials were tried" if size > 1 else "nothing was tried"
    return f"{done}; the {int(given['next']):,} of {size} would exceed the limit of {int(given['limit']):,}"


def _trials(k: str) -> str:
    return f"{k} trial{'s' * (k != '1')}"


SENTENCES: dict[str, Sentence] = {
    **pool.SENTENCES,
    # Why there is nothing.
    "same_as": "the same trials and effects as {analysis}: see there",
    "nothing_left_out": "one trial: nothing can be left out",
    "nothing_accumulates": "one trial: nothing accumulates",
    "no_years": "no trial has a year",
    "undated": "no year, left out: {trials}",
    "not_for_pooling": lambda given: f"not for {POOLING[given['pooling']]}",
    # Influence and subsets.
    "few_for_influence": "influence needs three trials: without one, two must be left to pool",
    "all_equal_without_one": "all effects are equal without one of the trials: its standard error is 0",
    "few_for_subsets": "subsets need three trials: two trials have one subset of two, themselves",
    "one_subset": "one trial: it is its only subset",
    "two_trials_one_subset": "two trials: the only subset of two is both",
    "no_direction": "neither lower nor higher is better for a single group",
    "sampled": "a sample drawn with seed {seed}",
    # Fragility.
    "few_for_fragility": "fragility needs two trials",
    "no_important_difference": "no smallest important difference is given for this measure",
    "one_left": "without one of two trials a single trial remains: nothing is pooled, and it speaks for itself alone",
    "robust": "no removal that leaves two trials changes it; a single trial would remain",
    "search_ended": _ended,
    # Small-study effects.
    "below_minimum": lambda given: (
        f"{_trials(given['k'])}: below {given['minimum']} these tests have too little power to tell chance from "
        "asymmetry (Sterne and others 2011, BMJ 343:d4002); they are computed on request only"
    ),
    "made_for": "made for {what}, not for {measure}",
    "counts_missing": "not every trial gives its counts",
    "sizes_missing": "not every trial gives its group sizes",
    "few_for_rank_test": "{k} trials: the rank test needs three",
    "few_for_regression": "{k} usable trials: a regression test needs three",
    "same_predictor": "all trials have the same value of the predictor: no slope can be estimated",
    "exact_fit": "the regression fits the effects exactly: no standard error",
    "all_tied": "all effects or all variances are tied: they have no ranks to compare",
    "few_for_trim_and_fill": "{k} trials: trim and fill needs three",
    "nothing_to_trim": "all effects are equal: nothing to trim",
    "trim_and_fill_no_end": "trim and fill did not converge",
    "k0_variance_negative": "the variance formula of the number of missing trials is negative here",
    "few_for_selection": "{k} trials for three parameters: four are needed",
    "no_weight": "every result has a one-sided p {where} {step}: no weight",
    "no_inner_maximum": "the likelihood has no inner maximum: the parameters cannot be told apart",
    "tau2_at_edge": "tau2 is 0, at the edge of the model: standard errors take it as known",
    "higher_maximum": lambda given: (
        f"the likelihood has a higher maximum elsewhere: estimate {float(given['estimate']):.3g}, tau2 "
        f"{float(given['tau2']):.3g}, delta {float(given['delta']):.3g}, log-likelihood higher by "
        f"{float(given['higher']):.2f}"
    ),
    "few_for_limit": "{k} trials: it needs three",
    "same_variance": "all trials have the same variance: no small-study effect to see",
    "no_mean_to_undo": "no number of trials brings a mean to 0",
    "fail_safe_discouraged": (
        "fail-safe N assumes that the missing trials average no effect and ignores heterogeneity; the Cochrane "
        "Handbook (10.4.4.3 of version 5.1) advises against it"
    ),
    "one_to_read": "the one to read",
    # Multiverse.
    "one_main_trial": "one trial in the main analysis",
    "no_usable_result": "no trial has a usable result",
    "no_such_model": "there is no such model: {pooling} with tau2 {tau2} and interval {interval}",
    "no_analysis_says": "no analysis can say",
    "nothing_depends": "no result of this outcome and window depends on it",
    "nobody_touched": "no trial with a usable result here is touched by it",
    # Conclusions.
    "fragility_impossible": lambda given: f"its fragility cannot be examined: {words(given['why'], SENTENCES)}",
    "significance": _significance,
    "direction": _change("the direction"),
    "important_difference": _change("the side of the smallest important difference"),
    "multiverse": _multiverse,
    "not_tested_few": lambda given: f"small-study effects were not tested ({_trials(given['k'])})",
    "not_tested_same": "small-study effects were not tested (the same trials and effects as {analysis})",
    "egger_impossible": lambda given: f"Egger's test is not possible ({words(given['why'], SENTENCES)})",
    "egger": lambda given: (
        f"Egger's test {'shows' if given['asymmetry'] == 'yes' else 'shows no clear'} funnel plot asymmetry "
        f"({p_text(float(given['p']))})"
    ),
}


def listed(names: Sequence[str], last: str = "and") -> str:
    """`A, B and C`."""
    return f" {last} ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def sentence(cell: str) -> str:
    """The words of a cell's codes as one sentence."""
    text = words(cell, SENTENCES)
    return f"{text[:1].upper()}{text[1:]}."
