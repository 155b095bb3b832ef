"""Words of the certainty of evidence: its levels, judgements and rules, and the sentences of its codes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import isnan

from reweigh.text import robustness
from reweigh.text.codes import Sentence, has, words
from reweigh.text.numbers import Row, count_text, fixed, needed_decimals, p_text, percent_text, ratio, span_text


class Level(StrEnum):
    """Certainty, from the lowest."""

    VERY_LOW = "very low"
    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"

    @property
    def rank(self) -> int:
        """0 for very low to 3 for high."""
        return list(Level).index(self)

    @classmethod
    def down(cls, levels: int) -> Level:
        """The level that is left after `levels` (0 or below) from high; nothing goes below very low."""
        return list(cls)[max(0, len(cls) - 1 + levels)]


class Risk(StrEnum):
    """Risk of bias of a trial, whatever its tool calls it."""

    LOW = "low"
    UNCLEAR = "unclear"
    HIGH = "high"
    NOT_ASSESSED = "not assessed"


class DomainName(StrEnum):
    """The GRADE domains that lower certainty, in their order."""

    BIAS = "risk of bias"
    INCONSISTENCY = "inconsistency"
    INDIRECTNESS = "indirectness"
    IMPRECISION = "imprecision"
    PUBLICATION = "publication bias"


class Judgement(StrEnum):
    """What a domain is judged."""

    NOT_SERIOUS = "not serious"
    SERIOUS = "serious"
    VERY_SERIOUS = "very serious"
    EXTREMELY_SERIOUS = "extremely serious"
    NOT_ASSESSED = "not assessed"
    UNDETECTED = "undetected"
    SUSPECTED = "strongly suspected"

    @classmethod
    def of(cls, levels: int) -> Judgement:
        """The usual word for 0 to 3 levels (0 to -3)."""
        return (cls.NOT_SERIOUS, cls.SERIOUS, cls.VERY_SERIOUS, cls.EXTREMELY_SERIOUS)[-levels]


#: What each rule says; docs/reference/claims.md prints this table.
RULES = {
    "RB0": "no trial of the analysis, or at most half of its weight, has a judgement: not assessed, one level",
    "RB1": "at most half of the weight is at high or unclear risk: no level",
    "RB2": "more than half of the weight is at high or unclear risk: one level",
    "RB3": "more than half of the weight is at high risk: two levels",
    "IN0": "one trial: inconsistency cannot show, no level",
    "IN1": "I2 below 50% and the prediction interval crosses no threshold that the CI does not cross: no level",
    "IN2": "I2 from 50%, or the prediction interval crosses a threshold that the CI does not: one level",
    "IN3": "I2 from 75%, and the prediction interval (two trials: the estimates) reaches both sides: two levels",
    "ID0": "the protocol names no indirectness: no level",
    "ID1": "the protocol names it, with the reason: the levels that it says",
    "IM0": "no confidence interval: two levels",
    "IM1": "the CI excludes no effect, or every important effect, and the information size is reached: no level",
    "IM2": "as IM1, but the information is less than the optimal information size: one level",
    "IM3": "as IM1, but the information is less than half of the optimal information size: two levels",
    "IM4": "the CI includes no effect and an important effect on one side: one level",
    "IM5": "the CI includes an important benefit and an important harm: two levels",
    "IM6": "a proportion or mean of a single group has no null and no important difference: not assessed, no level",
    "PB0": "fewer than ten trials: no test can be made, no level",
    "PB1": "ten trials or more, Egger's test P 0.1 or above: no level",
    "PB2": "ten trials or more, Egger's test P below 0.1: one level",
    "OV": "overridden by a person",
}


def shown(value: str | float, decimals: str) -> str:
    """A number of the natural scale with these decimals, as a ratio where they are empty."""
    return fixed(float(value), int(decimals)) if decimals else ratio(float(value))


def bound(value: str | float, decimals: str) -> str:
    """A threshold: as `shown`, with more decimals where it has them."""
    return shown(value, decimals and str(max(int(decimals), needed_decimals([float(value)], 4))))


def _span(p: Mapping[str, str]) -> str:
    return f"{shown(p['lower'], p['decimals'])} to {shown(p['upper'], p['decimals'])}"


def _judged(p: Mapping[str, str]) -> str:
    return f"{p['judged']} of {p['of']} trials with a judgement" if int(p["judged"]) else "no trial has a judgement"


def _at_risk(p: Mapping[str, str]) -> str:
    high, unclear = (percent_text(float(p[kind])) for kind in ("high", "unclear"))
    return f"{high} of the weight at high, {unclear} at unclear risk"


def _heterogeneity(p: Mapping[str, str]) -> str:
    i2 = float(p["i2"])
    said = "I2 not estimable" if isnan(i2) else f"I2 {percent_text(i2)}, tau {float(p['tau']):.2g}"
    if "lower" not in p:
        return said + ", no prediction interval"
    said += f", {'guarded ' * (p['guarded'] == 'yes')}prediction interval {_span(p)}"
    crossed = ", ".join(bound(x, p["decimals"]) for x in p["crossed"].split(",") if x)
    return f"{said}, crossing {crossed}" if crossed else said


def _information(p: Mapping[str, str]) -> str:
    have = fixed(float(p["have"]), 0)
    said = f"{have} participants"
    if p["by"] == "se":
        said = f"participants not in the table, information of about {have} by the standard errors"
    risk = f" (control risk {float(p['risk']):.2g}, the median of the trials)" if "risk" in p else ""
    return f"{said}, optimal information size {fixed(float(p['need']), 0)}{risk}"


SENTENCES: Mapping[str, Sentence] = {
    "judged": _judged,
    "at_risk": _at_risk,
    "one_trial": "one trial",
    "heterogeneity": _heterogeneity,
    "indirect": "{reason}",
    "no_indirectness": "none named in the protocol",
    "no_interval": "no confidence interval",
    "interval": lambda p: f"{'guarded ' * (p['guarded'] == 'yes')}CI {_span(p)}",
    "no_importance": "no smallest important difference for this measure",
    "important": lambda p: f"important from {bound(p['lower'], p['decimals'])} or {bound(p['upper'], p['decimals'])}",
    "no_imprecision_rule": "no rule for the {measure} of a single group",
    "information": _information,
    "no_information": "optimal information size not judged: {why}",
    "few_trials": lambda p: f"{count_text(int(p['k']), int(p['comparisons']))}: no test",
    "egger": lambda p: f"Egger's test {p_text(float(p['p']))} ({count_text(int(p['k']), int(p['comparisons']))})",
    "no_egger": lambda p: f"no test: {words(p['why'], robustness.SENTENCES)}",
    "lost": lambda p: f"{p['domain']}: {p['judgement']} ({p['levels']}; {words(p['figures'], SENTENCES)})",
    "nothing_lost": "no level taken off",
    "ruled": "rule {rule} said {judgement} ({levels})",
}
"""Words of the figures on which a judgement rests (`figure_codes` of certainty.csv)."""

SYMBOLS = {Level.HIGH: "⊕⊕⊕⊕", Level.MODERATE: "⊕⊕⊕◯", Level.LOW: "⊕⊕◯◯", Level.VERY_LOW: "⊕◯◯◯"}
_VERBS = {
    Level.HIGH: ("{}s", "results"),
    Level.MODERATE: ("probably {}s", "probably results"),
    Level.LOW: ("may {}", "may result"),
}


def sentence(
    intervention: str, outcome: str, certainty: Level, estimate: float, bounds: tuple[float, float] | None,
    ci: tuple[float, float] = (float("nan"), float("nan")),
) -> str:  # fmt: skip
    """The standard GRADE sentence: Santesso 2020, J Clin Epidemiol 119:126-135 (Handbook Table 15.6.b).

    `estimate`, `bounds` (of an important effect) and `ci` on the analysis scale. An effect short of both bounds is
    "slightly" where the CI excludes no effect, else "little to no difference"; what the CI also includes is added, so
    that no sentence says that there is no effect.
    """
    name = intervention[:1].upper() + intervention[1:]
    if certainty == Level.VERY_LOW or isnan(estimate):
        return f"The evidence is very uncertain about the effect of {intervention} on {outcome}."
    verb, result = _VERBS[certainty]
    small = bounds is not None and bool(bounds[0] < estimate < bounds[1])
    if small and not (ci[0] > 0 or ci[1] < 0):
        said = f"{name} {result} in little to no difference in {outcome}"
    else:
        said = f"{name} {verb.format('reduce' if estimate < 0 else 'increase')} {outcome}{' slightly' * small}"
    also = []
    if ci[0] < 0 < ci[1]:
        also.append("no effect")
    if bounds is not None:
        also += ["an important reduction"] if ci[0] <= bounds[0] < estimate else []
        also += ["an important increase"] if ci[1] >= bounds[1] > estimate else []
    return said + (f"; the interval also includes {' and '.join(also)}." if also else ".")


_IS = {Level.HIGH: "is", Level.MODERATE: "is probably", Level.LOW: "may be"}


def single_group_sentence(measure: str, outcome: str, certainty: Level, effect: str) -> str:
    """What a pooled correlation, proportion or mean says, in the manner of `sentence`: it compares nothing.

    `measure`: its name in words; `effect`: the number with its interval, empty where it is not estimable.
    """
    if certainty == Level.VERY_LOW or not effect:
        return f"{outcome}: the evidence is very uncertain about the {measure}."
    return f"{outcome}: the {measure} {_IS[certainty]} {effect}."


def with_guarded(said: str, row: Row) -> str:
    """An effect in words, with its row's guarded interval (pooled.csv) in the brackets where it is another one."""
    own, guarded = span_text(row, "ci"), span_text(row, "guarded_ci")
    if own == guarded or not said.endswith(")"):
        return said
    narrow = ", narrower than the common-effect interval" if has(str(row["note_codes"]), "hartung_knapp_narrow") else ""
    return f"{said[:-1]}{narrow}; guarded {guarded})"
