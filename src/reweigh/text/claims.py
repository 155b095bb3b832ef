"""Words of the claims: states, verdicts and rules, and the sentences of the codes in claims.csv and claims.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import isnan

from reweigh.text import certainty
from reweigh.text.codes import Sentence, words
from reweigh.text.numbers import NOT_ESTIMABLE, count_text, fixed, level_text, p_text, percent_text, stated_text, whole
from reweigh.text.sequential import CONCLUSIONS


class State(StrEnum):
    """What a rule finds a statement to be."""

    MET = "met"
    OPEN = "open"
    OPPOSED = "opposed"
    FEW = "too few"
    UNTESTED = "not assessed"


class Verdict(StrEnum):
    """What becomes of a claim."""

    SUPPORTED = "supported"
    LOW = "supported with low certainty"
    NOT_SUPPORTED = "not supported"
    CONTRADICTED = "contradicted"
    TOO_LITTLE = "too little evidence"
    UNTESTABLE = "cannot be tested here"
    OUT = "out of scope"


#: name: (met when, opposed when); otherwise open. One trial or none is "too few" for all but certainty_at_most.
RULES = {
    "benefit": (
        "the CI excludes no effect, on the better side",
        "the CI excludes no effect on the worse side, or includes it and leaves no room for an important benefit",
    ),
    "harm": (
        "the CI excludes no effect, on the worse side",
        "the CI excludes no effect on the better side, or includes it and leaves no room for an important harm",
    ),
    "important_benefit": (
        "the whole CI is at least the smallest important difference better",
        "the whole CI falls short of the smallest important difference",
    ),
    "equivalence": (
        "the whole CI lies between minus and plus the smallest important difference",
        "the whole CI lies beyond the smallest important difference on one side",
    ),
    "no_important_harm": (
        "the CI leaves no room for an important harm",
        "the whole CI is an important harm",
    ),
    "certainty_at_least": (
        "the certainty is at least this level, whatever the risk of bias where that is not assessed",
        "never: where it cannot reach this level, whatever the risk of bias, it is open; where it could, it cannot be "
        "tested here",
    ),
    "certainty_at_most": (
        "the certainty is at most this level, even if trials that were not assessed are at low risk of bias",
        "the certainty is higher, even if they are at high risk; between the two it cannot be tested here",
    ),
    "subgroup_larger": (
        "the test for subgroup differences has P < 0.05 and the named subgroup has the larger benefit",
        "P < 0.05 and it has the smaller one",
    ),
    "subgroups_alike": (
        "every two subgroups of two trials or more differ by less than the smallest important difference: the whole CI "
        "of their difference lies within its nearer bound, either way",
        "the whole CI of the difference between some two lies beyond it",
    ),
    "risk_below": (
        "the CI of the event risk with the intervention lies below the value",
        "the CI lies at or above the value",
    ),
    "nnt_at_most": (
        "both limits of the number needed to treat are at most the value",
        "both limits are above it, or the CI excludes no effect on the worse side",
    ),
    "claimed_value": (
        "the CI excludes no effect and includes the claimed value",
        "the CI excludes the claimed value",
    ),
    "inconsistent": (
        "I2 is at least 50%, or the prediction interval includes no effect while the CI does not",
        "three trials or more, I2 below 50%, and the prediction interval excludes no effect",
    ),
    "dose_trend": (
        "ten trials or more, and the slope on dose has P < 0.05",
        "never: a trend not found is open",
    ),
    "lasting_to_weeks": ("benefit, in the window that holds that week", "as benefit"),
}

VERDICT_RULES = (
    (Verdict.OUT, "the claim is outside the review's question"),
    (Verdict.UNTESTABLE, "nothing in the data could speak to it; or whether the certainty that it asks for is reached "
     "depends on a risk of bias that is not assessed"),
    (Verdict.CONTRADICTED, "a statement of the claim is opposed by the data"),
    (Verdict.NOT_SUPPORTED, "a statement is open: no support was found, which is not evidence of no effect"),
    (Verdict.TOO_LITTLE, "a statement rests on one trial or none (or on fewer than its rule needs)"),
    (Verdict.SUPPORTED, "every statement is met with moderate or high certainty; or the claim itself is that evidence "
     "is weak"),
    (Verdict.LOW, "every statement is met, the certainty is low or very low"),
)  # fmt: skip

CITATIONS = {
    "supports": "exists, is on the subject, and says so",
    "partly": "exists and is on the subject, and says so only in part",
    "off_subject": "exists, but is not on the subject: no support",
    "not_found": "was searched for and not found: no support",
    "none": "nothing is cited",
}
OLDER_REVIEWS = "older reviews"
NO_KNOWN_MODEL = "the claim leans on no review whose model is known"
NO_YEARS = "does not apply: no trial has a year"
READINGS = {
    "best_now": "current best practice, all trials",
    "best_as_of": "current best practice, as of {year}",
    "review_now": "method of {who}, all trials",
    "review_as_of": "method of {who}, as of {year}",
}
_STATEMENTS = {
    "better": "favours the intervention",
    "excludes_no_effect": "has an interval that excludes no effect",
    "better_and_excludes": "favours it with an interval that excludes no effect",
    "exceeds_important": "exceeds the smallest important difference",
}
_REACHED = {"no_effect": "no effect", "benefit": "an important benefit", "harm": "an important harm"}


def effect_text(p: Mapping[str, str]) -> str:
    """`SMD −0.74 (95% CI −8.02 to 6.53)`, with the guarded interval where that is another one."""
    said = stated_text(p)
    return certainty.with_guarded(said, p) if "(" in said else NOT_ESTIMABLE


def count(k: int, comparisons: int, n: float) -> str:
    """`k = 2 trials, n = 60`; n NaN where no trial gives a number."""
    patients = "not in the table" if isnan(n) else whole(n)
    return f"k = {count_text(k, comparisons)}" + (f", n = {patients}" if k else "")


def _span(p: Mapping[str, str]) -> str:
    return f"{certainty.shown(p['lower'], p['decimals'])} to {certainty.shown(p['upper'], p['decimals'])}"


def _bound(p: Mapping[str, str], name: str = "value") -> str:
    return certainty.bound(p[name], p["decimals"])


def _reach(p: Mapping[str, str]) -> str:
    inside = [_REACHED[name] for name in p["of"].split(",") if name]
    if not inside:
        return "the interval excludes no effect, and any important effect"
    text = inside[0] if len(inside) == 1 else f"{', '.join(inside[:-1])} and {inside[-1]}"
    excludes = "no_effect" not in p["of"].split(",") and p["beside"] == "yes"
    return f"the interval excludes no effect and reaches {text}" if excludes else f"the interval includes {text}"


def _margin(p: Mapping[str, str]) -> str:
    inside = {State.MET: "lies within", State.OPPOSED: "lies beyond", State.OPEN: "reaches beyond"}[State(p["state"])]
    return f"the interval {inside} the margin of {_bound(p, 'lower')} to {_bound(p, 'upper')}"


def _prediction(p: Mapping[str, str]) -> str:
    beyond = ", so effects that are equal on average need not be so in each setting" * (p["beyond"] == "yes")
    return f"the effect in a new trial may lie anywhere from {_span(p)}{beyond}"


def _certainty(p: Mapping[str, str]) -> str:
    said = f"certainty {p['level']}: {words(p['lost'], certainty.SENTENCES)}"
    if p["assessed"] == "yes":
        return said
    if p["best"] == p["worst"]:
        return f"{said}; it is {p['best']} whatever the risk of bias, which is not assessed"
    return f"{said}; it could be {p['best']} if every trial were at low risk of bias, which is not assessed"


def _certainty_brief(p: Mapping[str, str]) -> str:
    if p["assessed"] == "yes":
        return f"certainty {p['level']}"
    if p["best"] == p["worst"]:
        return f"certainty {p['level']}, whatever the risk of bias, which is not assessed"
    return f"certainty {p['level']}, and at best {p['best']}: risk of bias is not assessed"


def _subgroups(p: Mapping[str, str]) -> str:
    named, rest = (certainty.shown(p[side], p["decimals"]) for side in ("named", "rest"))
    p_value = float(p["p"])
    return (
        f"{p['measure']} {named} (k = {p['k_named']}) against {rest} (k = {p['k_rest']}) in the others, test for "
        f"subgroup differences {NOT_ESTIMABLE if isnan(p_value) else p_text(p_value)}"
    )


def _alike(p: Mapping[str, str]) -> str:
    of = {State.MET: "lies within", State.OPPOSED: "lies beyond", State.OPEN: "reaches beyond"}[State(p["state"])]
    least = ", the two least alike" * (int(p["groups"]) > 2)
    one, other = (p[name].replace("_", " ") for name in ("one", "other"))
    kind = "ratio of " if p["decimals"] == "" else "difference in "
    low, high = (_bound(p, f"margin_{end}") for end in ("lower", "upper"))
    level = level_text(float(p["level"]))
    return (
        f"{p['groups']} subgroups{least}: {one} against {other}, {kind}{p['measure']} "
        f"{certainty.shown(p['difference'], p['decimals'])} ({level} CI {_span(p)}), which {of} "
        f"the margin of {low} to {high}"
        + f"; subgroups of one trial left out: {p['left_out']}"
        * (p["left_out"] != "0")
    )


def _risk(p: Mapping[str, str]) -> str:
    share, low, high, value = (percent_text(float(p[name])) for name in ("share", "lower", "upper", "value"))
    return f"{p['events']} of {p['n']} with the intervention, {share} (95% CI {low} to {high}), against {value}"


def _nnt(p: Mapping[str, str]) -> str:
    number, *limits = (fixed(abs(float(p[name])), 1) for name in ("number", "lower", "upper"))
    said = f"number needed to treat {number} ({limits[0]} to {limits[1]})"
    return said + (" to harm" if p["harm"] == "yes" else f", against at most {p['value']}")


def _inconsistent(p: Mapping[str, str]) -> str:
    i2 = float(p["i2"])
    said = "I2 not estimable" if isnan(i2) else f"I2 {percent_text(i2)}"
    return said + (f", prediction interval {_span(p)}" if "lower" in p else "")


def _slope(p: Mapping[str, str]) -> str:
    return f"slope {float(p['slope']):.3g} per unit of {p['column']}, {p_text(float(p['p']))} ({p['k']} trials)"


def _multiverse(p: Mapping[str, str]) -> str:
    shares = {name: [whole(float(x)) for x in p[name].split("/")] for name in p if name != "analysis"}
    parts = [f"{_STATEMENTS.get(name, name)} in {holds} of {of}" for name, (holds, of) in shares.items()]
    return f"the whole analysis `{p['analysis']}` {'; '.join(parts)} defensible analyses"


SENTENCES: Mapping[str, Sentence] = {
    "stated": "{reason}",
    "effect": effect_text,
    "no_trial": "no usable trial",
    "no_years": NO_YEARS,
    "one_trial": lambda p: f"not pooled: {effect_text(p)}",
    "lacking": "no usable trial: that fits, but does not show, that evidence is lacking",
    "no_interval": "no interval can be given",
    "reach": _reach,
    "no_importance": "no smallest important difference is known for this measure",
    "important_from": lambda p: f"important from {_bound(p)}",
    "margin": _margin,
    "prediction": _prediction,
    "certainty": _certainty,
    "sides": "{k_named} and {k_rest} trials: a difference needs two or more on each side",
    "subgroups": _subgroups,
    "few_groups": "{groups} subgroups of two trials or more: a comparison needs two",
    "alike": _alike,
    "no_difference": "no difference was found, which is not evidence of none",
    "few_counts": "fewer than two trials with counts",
    "risk": _risk,
    "no_nnt": "no counts: no number needed to treat",
    "nnt_no_effect": "no number needed to treat can be given: the interval includes no effect",
    "nnt": _nnt,
    "claimed": lambda p: f"the interval {'includes' if p['inside'] == 'yes' else 'excludes'} the claimed {_bound(p)}",
    "inconsistent": _inconsistent,
    "no_dose": "the trials report no dose that could be compared ({column})",
    "few_doses": "{k} trials with a dose: a trend needs {least} or more",
    "no_slope": "no slope on {column} can be estimated ({k} trials)",
    "slope": _slope,
    "multiverse": _multiverse,
    "no_multiverse": "does not apply to the whole analysis `{analysis}`: {why}",
    "outside_multiverse": "does not apply: the protocol's multiverse does not run `{analysis}`",
    **CONCLUSIONS,
    "no_sequential": "does not apply to the whole analysis `{analysis}`: {why}",
    "outside_sequential": "does not apply: no sequential analysis is made of `{analysis}`",
    "untested": "does not apply: nothing was tested",
    "no_trials_there": "does not apply: no usable trial",
    "read_by": lambda p: f"{p['who']}: {p['trials']} trial{'s' * (p['trials'] != '1')}",
    "by_reading": "{who} alone: {verdict}",
}
"""Words of `reason_codes`, `multiverse_codes` and `sequential_codes`, and of a statement's `codes`."""

BRIEF: Mapping[str, Sentence] = {**SENTENCES, "certainty": _certainty_brief}
"""The same for an answer in one sentence: a certainty without what it was lowered for."""

_SUBJECT = {1: "One trial", 2: "Two trials"}
_TALLY = {
    State.OPPOSED: ("is opposed by them", "are opposed by them"), State.OPEN: ("is open", "are open"),
    State.FEW: ("rests on too few trials", "rest on too few trials"),
    State.UNTESTED: ("depends on a risk of bias that is not assessed",
                     "depend on a risk of bias that is not assessed"),
    State.MET: ("is met", "are met"),
}  # fmt: skip


def tally(states: Sequence[State]) -> str:
    """What became of all statements of a claim: `of its 4 statements, 2 are open and 2 rest on too few trials`."""
    found = [(states.count(state), *words) for state, words in _TALLY.items() if state in states]
    if len(states) < 2:
        return ""
    if len(found) == 1:
        return f"{'both' if len(states) == 2 else f'all {len(states)}'} of its statements {found[0][2]}"
    parts = [f"{n} {one if n == 1 else more}" for n, one, more in found]
    return f"of its {len(states)} statements, {', '.join(parts[:-1])} and {parts[-1]}"


_OPENING = {
    Verdict.SUPPORTED: "support{s} this claim, with {certainty} certainty",
    Verdict.LOW: "support{s} this claim, with {certainty} certainty",
    Verdict.NOT_SUPPORTED: "do{es} not establish this claim",
    Verdict.CONTRADICTED: "contradict{s} this claim",
}


def answer(
    verdict: Verdict, found: str, *, trials: int = -1, side: bool = False, certainty: str = "", assessed: bool = True,
    no_effect: bool = False, weak: bool = False,
) -> str:  # fmt: skip
    """The answer to a claim in one sentence.

    Parameters
    ----------
    verdict
        Its verdict.
    found
        What decided it: the statement and its numbers; the reason where nothing was tested.
    trials, side
        Trials on which that rests, and whether these are one side of a comparison only.
    certainty, assessed
        The lowest certainty of the statements, and whether risk of bias was judged.
    no_effect
        Whether the interval includes no effect.
    weak
        Whether the claim itself is that evidence is weak.
    """
    if verdict == Verdict.OUT:
        return f"Out of scope: {found}."
    who = _SUBJECT.get(trials, "The trials")
    few = trials in _SUBJECT
    if verdict == Verdict.TOO_LITTLE:
        start = f"{who} {'is' if trials == 1 else 'are'} too" if few else "Too"
        return f"{start} little evidence to judge this claim: {found}."
    if verdict == Verdict.UNTESTABLE:
        return f"{f'{who}: this cannot' if few else 'Cannot'} be tested here: {found}."
    if weak and verdict == Verdict.SUPPORTED:
        return f"{f'{who}: the' if few else 'The'} evidence here is as limited as this claim says: {found}."
    if side and few:
        who += " on one side of the comparison"
    said = _OPENING[verdict].format(s="s" * (trials == 1), es="es" * (trials == 1), certainty=certainty)
    if verdict in (Verdict.SUPPORTED, Verdict.LOW) and not assessed:
        said += " (risk of bias not assessed)"
    if verdict == Verdict.NOT_SUPPORTED and no_effect:
        said += ", which is not evidence of no effect"
    return f"{who} {said}: {found}."
