"""The rules of the claims: what makes a statement true, and how statements become a verdict.

`reweigh.text.claims` says each rule in words; docs/reference/claims.md prints them as its tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isnan

import numpy as np
import pandas as pd
from scipy import special

from reweigh.claims.evidence import Body, Evidence
from reweigh.claims.model import Test
from reweigh.effects.absolute import absolute_effect, control_risk
from reweigh.measures import COUNT_MEASURES, analysed
from reweigh.pool.refit import trials_of
from reweigh.pool.regression import meta_regression
from reweigh.pool.subgroups import subgroups
from reweigh.text.certainty import Level
from reweigh.text.claims import SENTENCES, State, Verdict
from reweigh.text.codes import code, join, words

#: Trials that a dose trend needs: Cochrane Handbook 5.1, 9.6.5.1 (ten observations for each characteristic modelled).
TRIALS_FOR_TREND = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule found: a state and its numbers as codes."""

    state: State
    codes: str
    #: Trials on which the finding rests (the smaller side of a comparison).
    trials: int

    @property
    def words(self) -> str:
        """The numbers in words."""
        return words(self.codes, SENTENCES)


def judge(test: Test, evidence: Evidence) -> Finding:
    """Apply a test's rule to its evidence."""
    trials = evidence.trials
    if not isinstance(evidence, Body):
        return Finding(State.FEW, code("lacking" if test.rule == "certainty_at_most" else "no_trial"), trials)
    if test.rule == "certainty_at_most":
        return _at_most(test, evidence)
    if trials < 2:
        risk = _risk(evidence, test.value or 0.0) if test.rule == "risk_below" else ""
        return Finding(State.FEW, join([code("one_trial", **evidence.effect_parameters), risk]), trials)
    return _RULES[test.rule](test, evidence)


def combine(findings: Sequence[tuple[Test, Finding]], certainties: Sequence[Level]) -> Verdict:
    """The verdict of a claim whose every statement must hold: VERDICT_RULES in their order."""
    states = [f.state for _, f in findings]
    for state, verdict in (
        (State.UNTESTED, Verdict.UNTESTABLE), (State.OPPOSED, Verdict.CONTRADICTED),
        (State.OPEN, Verdict.NOT_SUPPORTED), (State.FEW, Verdict.TOO_LITTLE),
    ):  # fmt: skip
        if state in states:
            return verdict
    if all(t.rule == "certainty_at_most" for t, _ in findings):
        return Verdict.SUPPORTED
    sure = bool(certainties) and min(c.rank for c in certainties) >= Level.MODERATE.rank
    return Verdict.SUPPORTED if sure else Verdict.LOW


def _important(e: Body) -> tuple[float, float]:
    """Smallest important harm (below 0) and benefit (above 0), turned like the interval; infinite if not known."""
    if e.bounds is None:
        return -np.inf, np.inf
    return e.bounds if e.benefit > 0 else (-e.bounds[1], -e.bounds[0])


def _reach(e: Body) -> str:
    """What the interval includes."""
    low, high = e.turned("ci")
    if isnan(low):
        return code("no_interval")
    worse, better = _important(e)
    there = {"no_effect": low <= 0 <= high, "benefit": high >= better, "harm": low <= worse}
    beside = "yes" if low > 0 or high < 0 else "no"
    return code("reach", of=",".join(name for name, is_in in there.items() if is_in), beside=beside)


def _found(state: State, e: Body, *codes: str, trials: int | None = None) -> Finding:
    """A finding that begins with the pooled effect; without further codes it says what the interval includes."""
    return Finding(state, join([e.effect_code, *(codes or [_reach(e)])]), e.trials if trials is None else trials)


def _value(e: Body, x: float) -> dict[str, object]:
    return {"value": e.natural(x), "decimals": e.decimals}


def _direction(e: Body, sign: int) -> Finding:
    low, high = e.turned("ci")
    worse, better = _important(e)
    if isnan(low):
        return _found(State.OPEN, e)
    if sign < 0:
        low, high, better = -high, -low, -worse
    no_room = e.bounds is not None and high < better
    return _found(State.MET if low > 0 else State.OPPOSED if high < 0 or no_room else State.OPEN, e)


def _benefit(_: Test, e: Body) -> Finding:
    return _direction(e, 1)


def _harm(_: Test, e: Body) -> Finding:
    return _direction(e, -1)


def _important_benefit(__: Test, e: Body) -> Finding:
    if e.bounds is None:
        return _found(State.OPEN, e, code("no_importance"))
    (low, high), (_, better) = e.turned("ci"), _important(e)
    state = State.MET if low >= better else State.OPPOSED if high < better else State.OPEN
    return _found(state, e, code("important_from", **_value(e, e.benefit * better)))


def _equivalence(__: Test, e: Body) -> Finding:
    if e.bounds is None:
        return _found(State.OPEN, e, code("no_importance"))
    (low, high), (worse, better) = e.turned("ci"), _important(e)
    if isnan(low):
        return _found(State.OPEN, e)
    inside, beyond = low > worse and high < better, low > better or high < worse
    state = State.MET if inside else State.OPPOSED if beyond else State.OPEN
    lower, upper = (e.natural(x) for x in sorted((e.benefit * worse, e.benefit * better)))
    margin = code("margin", state=state, lower=lower, upper=upper, decimals=e.decimals)
    return _found(state, e, margin, _prediction(e, worse, better))


def _prediction(e: Body, worse: float, better: float) -> str:
    """What a new trial could show; a remark where that leaves the margin (turned so that a benefit is positive)."""
    low, high = e.turned("pi")
    if isnan(low):
        return ""
    beyond = "yes" if low < worse or high > better else "no"
    return code("prediction", **_new_trial(e), decimals=e.decimals, beyond=beyond)


def _new_trial(e: Body) -> dict[str, object]:
    return {end: float(e.pooled[f"guarded_pi_{end}_natural"]) for end in ("lower", "upper")}


def _no_important_harm(__: Test, e: Body) -> Finding:
    if e.bounds is None:
        return _found(State.OPEN, e, code("no_importance"))
    (low, high), (worse, _) = e.turned("ci"), _important(e)
    return _found(State.MET if low > worse else State.OPPOSED if high < worse else State.OPEN, e)


def _certainty(e: Body) -> str:
    c = e.certainty
    assessed = "yes" if c.bias_assessed else "no"
    return code("certainty", level=c.level, best=c.best, worst=c.worst, assessed=assessed, lost=c.reason_codes)


def _bounded(e: Body, asked: Level, *, least: bool) -> State:
    """State of a demand on certainty: risk of bias that is not assessed leaves the certainty between two bounds."""
    worst, best = e.certainty.worst.rank, e.certainty.best.rank
    sure, never = (worst >= asked.rank, best < asked.rank) if least else (best <= asked.rank, worst > asked.rank)
    return State.MET if sure else State.UNTESTED if not never else State.OPEN if least else State.OPPOSED


def _at_least(test: Test, e: Body) -> Finding:
    return Finding(_bounded(e, Level(test.level or ""), least=True), _certainty(e), e.trials)


def _at_most(test: Test, e: Body) -> Finding:
    return _found(_bounded(e, Level(test.level or ""), least=False), e, _certainty(e))


def _subgroup_larger(test: Test, e: Body) -> Finding:
    named = e.effects[test.column].isin(test.larger).to_numpy()
    count = [int(e.effects.loc[x, "study_id"].nunique()) for x in (named, ~named)]
    least, sides = min(count), {"k_named": count[0], "k_rest": count[1]}
    if least < 2:
        return Finding(State.FEW, code("sides", **sides), least)
    found = subgroups(
        trials_of(e.effects), np.where(named, "named", "rest"), e.model, level=float(e.pooled["level"])
    )  # fmt: skip
    here, rest = (float(found.pooled.estimate[found.labels.index(x)]) for x in ("named", "rest"))
    p = float(found.q_between_p_value)
    said = code(
        "subgroups", measure=e.pooled["measure"], named=e.natural(here), rest=e.natural(rest), **sides,
        decimals=e.decimals, p=p,
    )  # fmt: skip
    if isnan(p):
        return Finding(State.FEW, said, least)
    larger = State.MET if here * e.benefit > rest * e.benefit else State.OPPOSED
    return Finding(larger, said, least) if p < 0.05 else Finding(State.OPEN, join([said, code("no_difference")]), least)


def _subgroups_alike(test: Test, e: Body) -> Finding:
    """Whether every two subgroups differ by less than the smallest important difference.

    The interval of a difference rests on the Wald standard errors of the two, as the test for subgroup differences does
    (Altman and Bland 2003, BMJ 326:219).  It has no better or worse side: the margin is the nearer bound, both ways.
    """
    if e.bounds is None:
        return _found(State.OPEN, e, code("no_importance"))
    column = e.effects[test.column]
    k = e.effects.groupby(column)["study_id"].nunique()
    names = list(k.index[k >= 2])
    if len(names) < 2:
        return Finding(State.FEW, code("few_groups", groups=len(names)), 0 if len(k) < 2 else int(k.nlargest(2).min()))
    found = subgroups(
        trials_of(e.effects), [x if x in names else None for x in column], e.model, level=float(e.pooled["level"])
    )  # fmt: skip
    z, margin = float(special.ndtri((1 + float(e.pooled["level"])) / 2)), min(map(abs, e.bounds))
    middle, se = found.pooled.estimate, found.pooled.wald_se
    pairs = []
    for i, j in combinations(range(len(names)), 2):
        gap, half = float(middle[i] - middle[j]), z * float(np.hypot(se[i], se[j]))
        pairs.append((gap - half, gap, gap + half, found.labels[i], found.labels[j]))
    if any(isnan(low) for low, *_ in pairs):
        return _found(State.OPEN, e, code("no_interval"))
    beyond = [pair for pair in pairs if pair[0] > margin or pair[2] < -margin]
    # What decides: of the pairs wholly beyond the margin, else of all, the one that reaches furthest.
    low, gap, high, one, other = max(beyond or pairs, key=lambda pair: max(-pair[0], pair[2]))
    state = State.OPPOSED if beyond else State.MET if -margin < low and high < margin else State.OPEN
    said = code(
        "alike", state=state, groups=len(names), left_out=len(k) - len(names), one=one, other=other,
        measure=e.pooled["measure"], level=float(e.pooled["level"]), decimals=e.decimals, difference=e.natural(gap),
        lower=e.natural(low), upper=e.natural(high), margin_lower=e.natural(-margin), margin_upper=e.natural(margin),
    )  # fmt: skip
    return Finding(state, said, int(k[names].min()))


def _event_risk(e: Body) -> tuple[float, float, float, float]:
    """Events and patients of the intervention, and the exact interval of the risk; NaN where no trial has counts."""
    events, n = e.effects.reindex(columns=["events_intervention", "n_intervention"]).dropna().sum().astype(float)
    if not n:
        return (np.nan,) * 4
    low = float(special.betaincinv(events, n - events + 1, 0.025)) if events > 0 else 0.0
    high = float(special.betaincinv(events + 1, n - events, 0.975)) if events < n else 1.0
    return events, n, low, high


def _risk(e: Body, value: float) -> str:
    """The risk with the intervention, "" where no trial has counts."""
    events, n, low, high = _event_risk(e)
    if isnan(n):
        return ""
    return code(
        "risk", events=f"{events:.0f}", n=f"{n:.0f}", share=100 * events / n, lower=100 * low, upper=100 * high,
        value=100 * value,
    )  # fmt: skip


def _risk_below(test: Test, e: Body) -> Finding:
    with_counts = e.effects.dropna(subset=["events_intervention", "n_intervention"])
    trials, value = int(with_counts["study_id"].nunique()), test.value or 0.0
    if trials < 2:
        return Finding(State.FEW, code("few_counts"), trials)
    _, _, low, high = _event_risk(e)
    state = State.MET if high < value else State.OPPOSED if low >= value else State.OPEN
    return Finding(state, _risk(e, value), e.trials)


def nnt(e: Body) -> tuple[float, float, float] | None:
    """Number needed to treat (positive: benefit) and its guarded limits at the median control risk; None without."""
    measure, risk = str(e.pooled["measure"]), control_risk(e.effects)
    if measure not in COUNT_MEASURES or isnan(risk) or isnan(e.turned("ci")[0]):
        return None
    natural = [float(e.pooled[f"{x}_natural"]) for x in ("estimate", "guarded_ci_lower", "guarded_ci_upper")]
    change = [e.benefit * x / 1000 for x in absolute_effect(measure, risk, *natural).difference]
    return tuple(1 / x if x else np.inf for x in change)  # type: ignore[return-value]


def _nnt_at_most(test: Test, e: Body) -> Finding:
    found, value = nnt(e), test.value or 0.0
    if found is None:
        return Finding(State.FEW, code("no_nnt"), e.trials)
    if e.includes_no_effect:
        return _found(State.OPEN, e, code("nnt_no_effect"))
    harm = e.turned("ci")[1] < 0
    lower, upper = sorted(found[1:])
    said = code(
        "nnt", number=found[0], lower=lower, upper=upper, value=f"{value:g}", harm="yes" if harm else "no"
    )  # fmt: skip
    if harm:
        return _found(State.OPPOSED, e, said)
    return _found(State.MET if upper <= value else State.OPPOSED if lower > value else State.OPEN, e, said)


def _claimed_value(test: Test, e: Body) -> Finding:
    low, high = (float(e.pooled[f"guarded_ci_{end}"]) for end in ("lower", "upper"))
    claimed = test.value or 0.0
    value = float(analysed(claimed, str(e.pooled["scale"])))
    if isnan(low):
        return _found(State.OPEN, e)
    inside = low <= value <= high
    state = State.OPPOSED if not inside else State.OPEN if e.includes_no_effect else State.MET
    said = code("claimed", value=claimed, decimals=e.decimals, inside="yes" if inside else "no")
    return _found(state, e, said, _prediction(e, -np.inf, np.inf))


def _inconsistent(_: Test, e: Body) -> Finding:
    i2, (low, high) = float(e.pooled["i2"]), e.turned("pi")
    reach = {} if isnan(low) else {**_new_trial(e), "decimals": e.decimals}
    said = code("inconsistent", i2=i2, **reach)
    new_may_differ = e.null and low <= 0 <= high
    if i2 >= 50 or (new_may_differ and not isnan(e.turned("ci")[0]) and not e.includes_no_effect):
        return _found(State.MET, e, said)
    known = e.trials >= 3 and not isnan(low) and not new_may_differ
    return _found(State.OPPOSED if known else State.OPEN, e, said)


def _dose_trend(test: Test, e: Body) -> Finding:
    column = e.effects.get(test.column, pd.Series(np.nan, index=e.effects.index))
    dose = pd.to_numeric(column, errors="coerce")
    rows = e.effects[dose.notna()]
    if rows.empty:
        return _found(State.FEW, e, code("no_dose", column=test.column))
    trials = int(rows["study_id"].nunique())
    if trials < TRIALS_FOR_TREND:
        return Finding(State.FEW, code("few_doses", k=trials, least=TRIALS_FOR_TREND), trials)
    fit = meta_regression(
        rows["estimate"].to_numpy(), rows["variance"].to_numpy(), {"dose": dose.dropna().to_numpy()},
        tau2_method=e.model.tau2, minimum=None,
    )  # fmt: skip
    p = float(fit.guarded_p_value[1])
    if isnan(p):
        return Finding(State.OPEN, code("no_slope", column=test.column, k=trials), trials)
    said = code("slope", slope=float(fit.estimate[1]), column=test.column, p=p, k=trials)
    return Finding(State.MET if p < 0.05 else State.OPEN, said, trials)


_RULES: dict[str, Callable[[Test, Body], Finding]] = {
    "benefit": _benefit, "lasting_to_weeks": _benefit, "harm": _harm, "important_benefit": _important_benefit,
    "equivalence": _equivalence, "no_important_harm": _no_important_harm, "certainty_at_least": _at_least,
    "subgroup_larger": _subgroup_larger, "subgroups_alike": _subgroups_alike, "risk_below": _risk_below,
    "nnt_at_most": _nnt_at_most, "claimed_value": _claimed_value, "inconsistent": _inconsistent,
    "dose_trend": _dose_trend,
}  # fmt: skip
