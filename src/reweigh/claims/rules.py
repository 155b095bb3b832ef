"""The rules of the claims: what makes a statement true, and how statements become a verdict.

docs/claims.md prints RULES and VERDICT_RULES as its tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
import pandas as pd
from scipy import special

from reweigh.certainty.absolute import absolute_effect, control_risk
from reweigh.certainty.assess import LEVELS
from reweigh.claims.evidence import Evidence
from reweigh.claims.model import Test
from reweigh.measures import COUNT_MEASURES
from reweigh.pool.refit import trials_of
from reweigh.pool.regression import meta_regression
from reweigh.pool.subgroups import subgroups
from reweigh.text.numbers import p_text

MET, OPEN, OPPOSED, FEW, UNTESTED = "met", "open", "opposed", "too few", "not assessed"
STATES = (MET, OPEN, OPPOSED, FEW, UNTESTED)

SUPPORTED, LOW = "supported", "supported with low certainty"
NOT_SUPPORTED, CONTRADICTED, TOO_LITTLE = "not supported", "contradicted", "too little evidence"
UNTESTABLE, OUT = "cannot be tested here", "out of scope"
VERDICTS = (SUPPORTED, LOW, NOT_SUPPORTED, CONTRADICTED, TOO_LITTLE, UNTESTABLE, OUT)

#: Trials that a dose trend needs: Cochrane Handbook 5.1, 9.6.5.1 (ten observations for each characteristic modelled).
TRIALS_FOR_TREND = 10
BIAS_UNKNOWN = "risk of bias not assessed"

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
        "the certainty is at least this level, and risk of bias was assessed",
        "never: below this level it is open; risk of bias not assessed: cannot be tested here",
    ),
    "certainty_at_most": ("the certainty is at most this level", "the certainty is higher"),
    "subgroup_larger": (
        "the test for subgroup differences has P < 0.05 and the named subgroup has the larger benefit",
        "P < 0.05 and it has the smaller one",
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
    (OUT, "the claim is outside the review's question"),
    (UNTESTABLE, "nothing in the data could speak to it; or it asks for a certainty that cannot be known: "
     + BIAS_UNKNOWN),
    (CONTRADICTED, "a statement of the claim is opposed by the data"),
    (NOT_SUPPORTED, "a statement is open: no support was found, which is not evidence of no effect"),
    (TOO_LITTLE, "a statement rests on one trial or none (or on fewer than its rule needs)"),
    (SUPPORTED, "every statement is met with moderate or high certainty; or the claim itself is that evidence is weak"),
    (LOW, "every statement is met, the certainty is low or very low"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found: a state and the numbers in words."""

    state: str
    words: str
    #: Trials on which the finding rests (the smaller side of a comparison).
    trials: int


def judge(test: Test, evidence: Evidence) -> Finding:
    """Apply a test's rule to its evidence.

    Raises KeyError for an unknown rule (the model of claims.yaml refuses it first).
    """
    rule, trials = test.rule, evidence.trials
    if rule == "certainty_at_most":
        return _at_most(test, evidence)
    if trials < 2:
        words = "no usable trial" if trials == 0 else f"one trial, not pooled: {evidence.effect}"
        return Finding(FEW, words, trials)
    return _RULES[rule](test, evidence)


def combine(findings: Sequence[tuple[Test, Finding]], certainties: Sequence[str]) -> str:
    """The verdict of a claim whose every statement must hold: VERDICT_RULES in their order."""
    states = [f.state for _, f in findings]
    if UNTESTED in states:
        return UNTESTABLE
    for state, verdict in ((OPPOSED, CONTRADICTED), (OPEN, NOT_SUPPORTED), (FEW, TOO_LITTLE)):
        if state in states:
            return verdict
    if all(t.rule == "certainty_at_most" for t, _ in findings):
        return SUPPORTED
    lowest = min((LEVELS.index(c) for c in certainties if c), default=0)
    return SUPPORTED if lowest >= LEVELS.index("moderate") else LOW


def _interval(e: Evidence) -> tuple[float, float]:
    """CI turned so that a benefit is positive; NaN where there is none."""
    assert e.pooled is not None
    low, high = float(e.pooled["ci_lower"]), float(e.pooled["ci_upper"])
    return (low, high) if e.benefit > 0 else (-high, -low)


def _important(e: Evidence) -> tuple[float, float]:
    """Smallest important harm (below 0) and benefit (above 0), turned like the interval; infinite if not known."""
    if e.bounds is None:
        return -np.inf, np.inf
    return e.bounds if e.benefit > 0 else (-e.bounds[1], -e.bounds[0])


def _reach(e: Evidence) -> str:
    """What the interval includes, in words."""
    low, high = _interval(e)
    if isnan(low):
        return "no interval can be given"
    worse, better = _important(e)
    inside = [
        word
        for word, there in (
            ("no effect", low <= 0 <= high),
            ("an important benefit", high >= better),
            ("an important harm", low <= worse),
        )
        if there
    ]
    if not inside:
        return "the interval excludes no effect, and any important effect"
    text = inside[0] if len(inside) == 1 else f"{', '.join(inside[:-1])} and {inside[-1]}"
    if low > 0 or high < 0:
        return f"the interval excludes no effect and reaches {text}"
    return f"the interval includes {text}"


def _say(e: Evidence, extra: str = "") -> str:
    return f"{e.effect}; {extra or _reach(e)}"


def _direction(e: Evidence, sign: int) -> Finding:
    low, high = _interval(e)
    worse, better = _important(e)
    if isnan(low):
        return Finding(OPEN, _say(e), e.trials)
    if sign < 0:
        low, high, better = -high, -low, -worse
    no_room = e.bounds is not None and high < better
    state = MET if low > 0 else OPPOSED if high < 0 or no_room else OPEN
    return Finding(state, _say(e), e.trials)


def _benefit(_: Test, e: Evidence) -> Finding:
    return _direction(e, 1)


def _harm(_: Test, e: Evidence) -> Finding:
    return _direction(e, -1)


def _without_bounds(e: Evidence) -> Finding:
    return Finding(OPEN, _say(e, "no smallest important difference is known for this measure"), e.trials)


def _important_benefit(__: Test, e: Evidence) -> Finding:
    if e.bounds is None:
        return _without_bounds(e)
    (low, high), (_, better) = _interval(e), _important(e)
    state = MET if low >= better else OPPOSED if high < better else OPEN
    return Finding(state, _say(e, f"important from {e.show(e.benefit * better)}"), e.trials)


def _equivalence(__: Test, e: Evidence) -> Finding:
    if e.bounds is None:
        return _without_bounds(e)
    (low, high), (worse, better) = _interval(e), _important(e)
    state = MET if low > worse and high < better else OPPOSED if low > better or high < worse else OPEN
    limits = sorted((e.benefit * worse, e.benefit * better))
    inside = {MET: "lies within", OPPOSED: "lies beyond", OPEN: "reaches beyond"}[state]
    margin = f"the interval {inside} the margin of {e.show(limits[0])} to {e.show(limits[1])}"
    return Finding(state, _say(e, margin + _prediction(e, worse, better)), e.trials)


def _prediction(e: Evidence, worse: float, better: float) -> str:
    """What a new trial could show; a remark where that leaves the margin (turned so that a benefit is positive)."""
    assert e.pooled is not None
    low, high = float(e.pooled["pi_lower"]), float(e.pooled["pi_upper"])
    if isnan(low):
        return ""
    shown = f"; the effect in a new trial may lie anywhere from {e.show(low)} to {e.show(high)}"
    low, high = (low, high) if e.benefit > 0 else (-high, -low)
    beyond = bool(low < worse or high > better)
    return shown + ", so effects that are equal on average need not be so in each setting" * beyond


def _no_important_harm(__: Test, e: Evidence) -> Finding:
    if e.bounds is None:
        return _without_bounds(e)
    (low, high), (worse, _) = _interval(e), _important(e)
    return Finding(MET if low > worse else OPPOSED if high < worse else OPEN, _say(e), e.trials)


def _at_least(test: Test, e: Evidence) -> Finding:
    assert e.certainty is not None and test.level is not None
    found = f"certainty {e.certainty.level}: {e.certainty.reasons}"
    if not e.certainty.bias_assessed:
        return Finding(UNTESTED, f"{BIAS_UNKNOWN}; as far as it can be judged, {found}", e.trials)
    enough = LEVELS.index(e.certainty.level) >= LEVELS.index(test.level)
    return Finding(MET if enough else OPEN, found, e.trials)


def _at_most(test: Test, e: Evidence) -> Finding:
    assert test.level is not None
    if e.certainty is None:
        return Finding(FEW, "no usable trial: that fits, but does not show, that evidence is lacking", 0)
    weak = LEVELS.index(e.certainty.level) <= LEVELS.index(test.level)
    words = f"{e.effect}; certainty {e.certainty.level}: {e.certainty.reasons}"
    return Finding(MET if weak else OPPOSED, words, e.trials)


def _subgroup_larger(test: Test, e: Evidence) -> Finding:
    assert e.pooled is not None
    named = e.effects[test.column].isin(test.larger).to_numpy()
    count = [int(e.effects.loc[x, "study_id"].nunique()) for x in (named, ~named)]
    least = min(count)
    if least < 2:
        return Finding(FEW, f"{count[0]} and {count[1]} trials: a difference needs two or more on each side", least)
    found = subgroups(
        trials_of(e.effects), np.where(named, "named", "rest"), e.model, level=float(e.pooled["level"])
    )  # fmt: skip
    at = [found.labels.index(x) for x in ("named", "rest")]
    here, rest = (float(found.pooled.estimate[i]) * e.benefit for i in at)
    shown = [e.show(float(found.pooled.estimate[i])) for i in at]
    p = found.q_between_p_value
    words = (
        f"{e.pooled['measure']} {shown[0]} (k = {count[0]}) against {shown[1]} (k = {count[1]}) in the others, "
        f"test for subgroup differences {'not estimable' if isnan(p) else p_text(p)}"
    )
    if isnan(p):
        return Finding(FEW, words, least)
    state = OPEN if p >= 0.05 else MET if here > rest else OPPOSED
    return Finding(state, words + ("; no difference was found, which is not evidence of none" * (state == OPEN)), least)


def _risk_below(test: Test, e: Evidence) -> Finding:
    assert test.value is not None
    with_counts = e.effects.dropna(subset=["events_intervention", "n_intervention"])
    if with_counts["study_id"].nunique() < 2:
        return Finding(FEW, "fewer than two trials with counts", int(with_counts["study_id"].nunique()))
    events, n = float(with_counts["events_intervention"].sum()), float(with_counts["n_intervention"].sum())
    low = float(special.betaincinv(events, n - events + 1, 0.025)) if events > 0 else 0.0
    high = float(special.betaincinv(events + 1, n - events, 0.975)) if events < n else 1.0
    words = f"{events:.0f} of {n:.0f} with the intervention, {100 * events / n:.0f}% "
    words += f"(95% CI {100 * low:.0f}% to {100 * high:.0f}%), against {100 * test.value:.0f}%"
    state = MET if high < test.value else OPPOSED if low >= test.value else OPEN
    return Finding(state, words, e.trials)


def nnt(e: Evidence) -> tuple[float, float, float] | None:
    """Number needed to treat (positive: benefit) and its limits at the median control risk; None without counts."""
    assert e.pooled is not None
    measure, risk = str(e.pooled["measure"]), control_risk(e.effects)
    if measure not in COUNT_MEASURES or isnan(risk) or isnan(e.pooled["ci_lower"]):
        return None
    natural = [float(e.pooled[f"{x}_natural"]) for x in ("estimate", "ci_lower", "ci_upper")]
    change = [e.benefit * x / 1000 for x in absolute_effect(measure, risk, *natural).difference]
    return tuple(1 / x if x else np.inf for x in change)  # type: ignore[return-value]


def _nnt_at_most(test: Test, e: Evidence) -> Finding:
    assert test.value is not None
    found = nnt(e)
    if found is None:
        return Finding(FEW, "no counts: no number needed to treat", e.trials)
    low, high = _interval(e)
    number, limits = found[0], sorted(found[1:])
    if low <= 0 <= high:
        return Finding(
            OPEN, _say(e, "no number needed to treat can be given: the interval includes no effect"), e.trials
        )
    words = f"{e.effect}; number needed to treat {abs(number):.1f} ({abs(limits[0]):.1f} to {abs(limits[1]):.1f})"
    if high < 0:
        return Finding(OPPOSED, words + " to harm", e.trials)
    state = MET if limits[1] <= test.value else OPPOSED if limits[0] > test.value else OPEN
    return Finding(state, f"{words}, against at most {test.value:g}", e.trials)


def _claimed_value(test: Test, e: Evidence) -> Finding:
    assert e.pooled is not None and test.value is not None
    low, high = float(e.pooled["ci_lower"]), float(e.pooled["ci_upper"])
    value = float(np.log(test.value)) if e.pooled["scale"] == "log" else test.value
    if isnan(low):
        return Finding(OPEN, _say(e), e.trials)
    state = OPPOSED if not low <= value <= high else OPEN if low <= 0 <= high else MET
    words = f"{e.effect}; the interval {'excludes' if state == OPPOSED else 'includes'} the claimed {e.show(value)}"
    return Finding(state, words + _prediction(e, -np.inf, np.inf), e.trials)


def _inconsistent(_: Test, e: Evidence) -> Finding:
    assert e.pooled is not None
    i2, low, high = (float(e.pooled[x]) for x in ("i2", "pi_lower", "pi_upper"))
    inner = _interval(e)
    words = f"{e.effect}, I2 {i2:.0f}%" if not isnan(i2) else f"{e.effect}, I2 not estimable"
    words += "" if isnan(low) else f", prediction interval {e.show(low)} to {e.show(high)}"
    crosses = not isnan(low) and low <= 0 <= high and (inner[0] > 0 or inner[1] < 0)
    if i2 >= 50 or crosses:
        return Finding(MET, words, e.trials)
    known = e.trials >= 3 and not isnan(low) and not low <= 0 <= high
    return Finding(OPPOSED if known else OPEN, words, e.trials)


def _dose_trend(test: Test, e: Evidence) -> Finding:
    if test.column not in e.effects or pd.to_numeric(e.effects[test.column], errors="coerce").notna().sum() == 0:
        return Finding(FEW, f"{e.count}; the trials report no dose that could be compared ({test.column})", e.trials)
    dose = pd.to_numeric(e.effects[test.column], errors="coerce")
    rows = e.effects[dose.notna()]
    trials = int(rows["study_id"].nunique())
    if trials < TRIALS_FOR_TREND:
        return Finding(FEW, f"{trials} trials with a dose: a trend needs {TRIALS_FOR_TREND} or more", trials)
    fit = meta_regression(
        rows["estimate"].to_numpy(), rows["variance"].to_numpy(), {"dose": dose.dropna().to_numpy()},
        tau2_method=e.model.tau2, minimum=None,
    )  # fmt: skip
    p = float(fit.p_value[1])
    if isnan(p):
        return Finding(OPEN, f"no slope on {test.column} can be estimated ({trials} trials)", trials)
    words = f"slope {fit.estimate[1]:.3g} per unit of {test.column}, {p_text(p)} ({trials} trials)"
    return Finding(MET if p < 0.05 else OPEN, words, trials)


_RULES: dict[str, Callable[[Test, Evidence], Finding]] = {
    "benefit": _benefit, "lasting_to_weeks": _benefit, "harm": _harm, "important_benefit": _important_benefit,
    "equivalence": _equivalence, "no_important_harm": _no_important_harm, "certainty_at_least": _at_least,
    "subgroup_larger": _subgroup_larger, "risk_below": _risk_below, "nnt_at_most": _nnt_at_most,
    "claimed_value": _claimed_value, "inconsistent": _inconsistent, "dose_trend": _dose_trend,
}  # fmt: skip
