"""GRADE by rule: each domain's judgement with the figures that it rests on and the rule that made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, exp, isfinite, isnan, log

import numpy as np
import pandas as pd

from reweigh.certainty.absolute import control_risk
from reweigh.certainty.thresholds import Thresholds
from reweigh.measures import RATIO_MEASURES, STANDARDISED_MEASURES
from reweigh.protocol.model import Outcome
from reweigh.risk_of_bias import NOT_ASSESSED, RiskOfBias
from reweigh.robustness.small_study import egger
from reweigh.sequential.information import required_information_size
from reweigh.tables.problems import Problem, did_you_mean
from reweigh.text.codes import words
from reweigh.text.numbers import fixed, ratio
from reweigh.text.robustness import SENTENCES

OVERRIDES = "certainty_overrides.csv"
OVERRIDE_COLUMNS = ("analysis", "domain", "levels", "reason", "initials")

LEVELS = ("very low", "low", "moderate", "high")
DOMAINS = ("risk of bias", "inconsistency", "indirectness", "imprecision", "publication bias")
WORDS = {0: "not serious", -1: "serious", -2: "very serious", -3: "extremely serious"}

#: What each rule says; docs/claims.md prints this table.
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
    "PB0": "fewer than ten trials: no test can be made, no level",
    "PB1": "ten trials or more, Egger's test P 0.1 or above: no level",
    "PB2": "ten trials or more, Egger's test P below 0.1: one level",
    "OV": "overridden by a person",
}


@dataclass(frozen=True, slots=True)
class Domain:
    """One GRADE domain: `levels` is 0 or below; `figures` are what the judgement rests on."""

    name: str
    judgement: str
    levels: int
    rule: str
    figures: str
    overridden_by: str = ""
    override_reason: str = ""


@dataclass(frozen=True, slots=True)
class Certainty:
    """Certainty of one body of evidence."""

    level: str
    start: str
    domains: tuple[Domain, ...]

    @property
    def down(self) -> int:
        """Levels taken off (before the floor at very low)."""
        return -sum(d.levels for d in self.domains)

    def domain(self, name: str) -> Domain:
        """A domain by its name."""
        return next(d for d in self.domains if d.name == name)

    @property
    def bias_assessed(self) -> bool:
        """Whether risk of bias has a judgement."""
        return self.domain("risk of bias").judgement != NOT_ASSESSED

    @property
    def reasons(self) -> str:
        """Why levels were taken off, in words."""
        lost = [f"{d.name}: {d.judgement} ({d.levels}; {d.figures})" for d in self.domains if d.levels]
        return "; ".join(lost) if lost else "no level taken off"


@dataclass(frozen=True, slots=True)
class Override:
    """A person's judgement that replaces a rule's."""

    analysis: str
    domain: str
    levels: int
    reason: str
    initials: str


def read_overrides(table: pd.DataFrame | None) -> tuple[Override, ...]:
    """Overrides from certainty_overrides.csv: analysis, domain, levels (0 to -3), reason, initials.

    Raises ValueError with every row that names no domain, has impossible levels, or lacks a reason or initials.
    """
    if table is None or table.empty:
        return ()
    if problems := override_problems(table):
        raise ValueError("\n".join(f"{p.file}, row {p.row}, {p.column}: {p.value!r} {p.message}" for p in problems))
    rows = _override_rows(table)
    return tuple(Override(row[0], row[1], int(row[2]), row[3], row[4]) for row in rows)


def override_problems(table: pd.DataFrame, analyses: Sequence[str] = ()) -> list[Problem]:
    """Rows of certainty_overrides.csv that name no domain, have impossible levels, or lack a reason or initials.

    `analyses` are the analysis ids that can be named; empty: any.
    """
    problems, empty = [], "the cell is empty"
    for row, (analysis, domain, levels, reason, initials) in enumerate(_override_rows(table), start=2):
        unknown = f"is no analysis of the protocol{did_you_mean(analysis, analyses)}" if analysis else empty
        example = "an analysis of pooled.csv" + "".join(f", such as {one}" for one in analyses[:1])
        for column, value, wrong, message, allowed in (
            ("analysis", analysis, not analysis or bool(analyses and analysis not in analyses), unknown, example),
            ("domain", domain, domain not in DOMAINS, "is no domain", ", ".join(DOMAINS)),
            ("levels", levels, levels not in ("0", "-1", "-2", "-3"), "is no number of levels", "0, -1, -2 or -3"),
            ("reason", reason, not reason, empty, "why a person overrides the rule"),
            ("initials", initials, not initials, empty, "the initials of that person"),
        ):
            if wrong:
                problems.append(Problem(OVERRIDES, row, column, value, message, allowed))
    return problems


def _override_rows(table: pd.DataFrame) -> list[tuple[str, ...]]:
    rows = table.reindex(columns=OVERRIDE_COLUMNS).astype(object).fillna("").astype(str)
    return [tuple(str(v).strip() for v in values) for values in rows.itertuples(index=False, name=None)]


def important_bounds(
    outcome: Outcome, measure: str, thresholds: Thresholds | None = None, factor: float = 1.0
) -> tuple[float, float] | None:
    """Bounds of an important effect on the analysis scale (below, above), None where none is known.

    Ratios without a bound in the protocol take GRADE's 0.75 and 1.25; `factor` widens the bounds (log scale for
    ratios: at twice, 0.75 becomes 0.75 squared).
    """
    given = outcome.smallest_important_difference.get(measure)  # type: ignore[call-overload]
    default = thresholds or Thresholds()
    if given is None:
        if measure not in RATIO_MEASURES or measure == "ROM":
            return None
        return factor * log(default.ratio_lower), factor * log(default.ratio_upper)
    if isinstance(given.value, tuple):
        return factor * log(given.value[0]), factor * log(given.value[1])
    return -factor * given.value, factor * given.value


def assess(
    effects: pd.DataFrame,
    pooled: Mapping[str, object] | pd.Series,
    outcome: Outcome,
    *,
    bias: RiskOfBias,
    thresholds: Thresholds | None = None,
    indirectness: tuple[int, str] = (0, ""),
    overrides: Iterable[Override] = (),
    factor: float = 1.0,
) -> Certainty:
    """Certainty of one pooled analysis of randomised trials.

    Parameters
    ----------
    effects
        Rows of effects.csv of the analysis (estimate and variance on the analysis scale).
    pooled
        Its row of pooled.csv (main model).
    outcome
        The protocol's outcome: direction and smallest important difference.
    bias
        Risk-of-bias judgements.
    indirectness
        Levels (0 or below) and reason, from the protocol.
    overrides
        A person's judgements; those of this analysis apply.
    factor
        Multiplies the smallest important difference.

    GRADE guidelines 6 and 34, Cochrane Handbook 14.2 (thresholds: `thresholds.SOURCES`; rules: RULES).
    """
    t = thresholds or Thresholds()
    measure = str(pooled["measure"])
    bounds = important_bounds(outcome, measure, t, factor)
    domains = [
        _risk_of_bias(effects, pooled, bias, t),
        _inconsistency(effects, pooled, bounds, t),
        _indirectness(*indirectness),
        _imprecision(effects, pooled, bounds, t),
        _publication_bias(effects, t),
    ]
    for override in overrides:
        if override.analysis == pooled["analysis"]:
            at = DOMAINS.index(override.domain)
            ruled = domains[at]
            domains[at] = replace(
                ruled, judgement=WORDS[override.levels], levels=override.levels, rule="OV",
                figures=f"rule {ruled.rule} said {ruled.judgement} ({ruled.levels}): {ruled.figures}",
                overridden_by=override.initials, override_reason=override.reason,
            )  # fmt: skip
    level = LEVELS[max(0, len(LEVELS) - 1 + sum(d.levels for d in domains))]
    return Certainty(level, "high", tuple(domains))


def certainty_table(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    outcomes: Mapping[str, Outcome],
    *,
    bias: RiskOfBias,
    thresholds: Thresholds | None = None,
    indirectness: Mapping[str, tuple[int, str]] | None = None,
    overrides: Sequence[Override] = (),
) -> pd.DataFrame:
    """certainty.csv: one row per analysis (main model of its set) and domain.

    `indirectness` maps an analysis id or an outcome to levels and reason. Raises ValueError where an override names
    an analysis that does not exist.
    """
    first = pooled.drop_duplicates("analysis")
    unknown = sorted({o.analysis for o in overrides} - set(first["analysis"]))
    if unknown:
        raise ValueError(f"certainty_overrides.csv: there is no analysis {', '.join(unknown)}")
    named = indirectness or {}
    rows = []
    for _, row in first.iterrows():
        found = assess(
            effects[effects["analysis"] == row["analysis"]], row, outcomes[row["outcome"]], bias=bias,
            thresholds=thresholds, overrides=overrides,
            indirectness=named.get(row["analysis"], named.get(row["outcome"], (0, ""))),
        )  # fmt: skip
        rows += [
            {
                **{name: row[name] for name in ("analysis", "outcome", "window", "measure", "set", "model", "k")},
                "certainty": found.level, "start": found.start, "domain": d.name, "judgement": d.judgement,
                "levels": d.levels, "rule": d.rule, "figures": d.figures, "overridden_by": d.overridden_by,
                "override_reason": d.override_reason,
            }
            for d in found.domains
        ]  # fmt: skip
    columns = [
        "analysis", "outcome", "window", "measure", "set", "model", "k", "certainty", "start", "domain", "judgement",
        "levels", "rule", "figures", "overridden_by", "override_reason",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _number(row: Mapping[str, object] | pd.Series, name: str) -> float:
    value = row.get(name, np.nan)
    return float("nan") if value is None or value == "" else float(value)  # type: ignore[arg-type]


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _ruled(name: str, levels: int, rule: str, figures: str, judgement: str = "") -> Domain:
    return Domain(name, judgement or WORDS[levels], levels, rule, figures)


def _risk_of_bias(
    effects: pd.DataFrame, pooled: Mapping[str, object] | pd.Series, bias: RiskOfBias, t: Thresholds
) -> Domain:
    name, tau2 = DOMAINS[0], _number(pooled, "tau2")
    weight = 1 / (effects["variance"].to_numpy(dtype=float) + (0.0 if isnan(tau2) else tau2))
    kinds = np.array([bias.overall(str(s), str(pooled["outcome"])) for s in effects["study_id"]], dtype=object)
    share = {k: float(weight[kinds == k].sum() / weight.sum()) for k in ("low", "unclear", "high", NOT_ASSESSED)}
    if 1 - share[NOT_ASSESSED] <= t.most_information:
        judged = int((kinds != NOT_ASSESSED).sum())
        figures = f"{judged} of {len(kinds)} trials with a judgement" if judged else "no trial has a judgement"
        return _ruled(name, -1, "RB0", figures, NOT_ASSESSED)
    # What has no judgement counts as unclear.
    doubtful = share["high"] + share["unclear"] + share[NOT_ASSESSED]
    figures = f"{_percent(share['high'])} of the weight at high, {_percent(doubtful - share['high'])} at unclear risk"
    if share["high"] > t.most_information:
        return _ruled(name, -2, "RB3", figures)
    return _ruled(name, -1, "RB2", figures) if doubtful > t.most_information else _ruled(name, 0, "RB1", figures)


def _inconsistency(
    effects: pd.DataFrame, pooled: Mapping[str, object] | pd.Series, bounds: tuple[float, float] | None, t: Thresholds
) -> Domain:
    name, k = DOMAINS[1], int(_number(pooled, "k"))
    if k < 2:
        return _ruled(name, 0, "IN0", "one trial")
    i2, tau = _number(pooled, "i2"), _number(pooled, "tau")
    low, high = _number(pooled, "pi_lower"), _number(pooled, "pi_upper")
    ci = _number(pooled, "ci_lower"), _number(pooled, "ci_upper")
    lines = sorted({0.0, *(bounds or ())})
    known = isfinite(low) and isfinite(high)
    crossed = [x for x in lines if known and low < x < high and not ci[0] < x < ci[1]]
    figures = "I2 not estimable" if isnan(i2) else f"I2 {i2:.0f}%, tau {tau:.2g}"
    if known:
        shown = _natural(pooled, low), _natural(pooled, high)
        figures += f", prediction interval {shown[0]} to {shown[1]}"
    else:
        figures += ", no prediction interval"
    y = effects["estimate"].to_numpy(dtype=float)
    both = low < lines[0] and high > lines[-1] if known else k == 2 and y.min() < 0 < y.max()
    if i2 >= t.i2_very_serious and both:
        return _ruled(name, -2, "IN3", figures)
    if i2 >= t.i2_serious or crossed:
        crosses = ", ".join(_natural(pooled, x) for x in crossed)
        return _ruled(name, -1, "IN2", figures + (f", crossing {crosses}" if crossed else ""))
    return _ruled(name, 0, "IN1", figures)


def _indirectness(levels: int, reason: str) -> Domain:
    if levels not in WORDS:
        raise ValueError(f"indirectness takes off 0 to 3 levels (0 to -3), not {levels}")
    if levels and not reason:
        raise ValueError("indirectness needs a reason")
    return _ruled(DOMAINS[2], levels, "ID1" if levels else "ID0", reason or "none named in the protocol")


def _imprecision(
    effects: pd.DataFrame, pooled: Mapping[str, object] | pd.Series, bounds: tuple[float, float] | None, t: Thresholds
) -> Domain:
    name = DOMAINS[3]
    low, high = _number(pooled, "ci_lower"), _number(pooled, "ci_upper")
    if not (isfinite(low) and isfinite(high)):
        return _ruled(name, -2, "IM0", "no confidence interval")
    figures = f"CI {_natural(pooled, low)} to {_natural(pooled, high)}"
    if bounds is None:
        figures += "; no smallest important difference for this measure"
        if low < 0 < high:
            return _ruled(name, -1, "IM4", figures)
    else:
        figures += f"; important from {_natural(pooled, bounds[0])} or {_natural(pooled, bounds[1])}"
        below, above = low < bounds[0], high > bounds[1]
        if below and above:
            return _ruled(name, -2, "IM5", figures)
        if low <= 0 <= high and (below or above):
            return _ruled(name, -1, "IM4", figures)
    have, need, words = information(effects, pooled, bounds, t)
    figures += f"; {words}"
    if isnan(need) or have >= need:
        return _ruled(name, 0, "IM1", figures)
    if have < t.far_below_information_size * need:
        return _ruled(name, -2, "IM3", figures)
    return _ruled(name, -1, "IM2", figures)


def information(
    effects: pd.DataFrame, pooled: Mapping[str, object] | pd.Series, bounds: tuple[float, float] | None, t: Thresholds
) -> tuple[float, float, str]:
    """Participants, optimal information size (NaN where it cannot be computed), and both in words."""
    measure = str(pooled["measure"])
    have = _number(pooled, "participants")
    if isnan(have):
        have = _number(pooled, "n_intervention") + _number(pooled, "n_control")
    words = f"{have:.0f} participants"
    if isnan(have) and measure in STANDARDISED_MEASURES:
        # The variance of a small SMD is 4/n: what the standard errors say about the patients behind them.
        have = float((4 / effects["variance"]).sum())
        words = f"participants not in the table, information of about {have:.0f} by the standard errors"
    need, why = float("nan"), ""
    try:
        need = _needed(effects, measure, bounds, t)
    except ValueError as error:
        why = str(error)
    if isnan(have) or isnan(need):
        missing = why or ("the number of participants is not in the table" if isnan(have) else "its input is missing")
        return have, float("nan"), f"optimal information size not judged: {missing}"
    return have, need, f"{words}, optimal information size {need:.0f}"


def _needed(effects: pd.DataFrame, measure: str, bounds: tuple[float, float] | None, t: Thresholds) -> float:
    if measure in ("RR", "OR", "PETO", "RD"):
        risk = control_risk(effects)
        if not 0 < risk < 1:
            raise ValueError("no control risk between 0 and 1")
        return float(
            required_information_size(
                "RR", 1 - t.relative_risk_reduction, control_risk=risk, alpha=t.alpha, beta=t.beta
            ).fixed
        )
    if bounds is None:
        raise ValueError("no smallest important difference")
    if measure in STANDARDISED_MEASURES:
        return float(required_information_size("SMD", bounds[1], alpha=t.alpha, beta=t.beta).fixed)
    if measure == "MD":
        sd = float(pd.concat([effects["sd_intervention"], effects["sd_control"]]).astype(float).median())
        if isnan(sd):
            raise ValueError("no standard deviation in the trials")
        return float(ceil(required_information_size("MD", bounds[1], sd=sd, alpha=t.alpha, beta=t.beta).exact))
    raise ValueError(f"none is defined for {measure}")


def _publication_bias(effects: pd.DataFrame, t: Thresholds) -> Domain:
    name, k = DOMAINS[4], len(effects)
    if k < t.smallest_k_for_asymmetry:
        return _ruled(name, 0, "PB0", f"{k} trial{'s' * (k != 1)}: no test", "undetected")
    test = egger(effects["estimate"].to_numpy(), effects["variance"].to_numpy())
    if isnan(test.p_value):
        return _ruled(name, 0, "PB0", f"no test: {words(test.reason, SENTENCES)}", "undetected")
    figures = f"Egger's test P {'< 0.001' if test.p_value < 0.001 else f'= {test.p_value:.2g}'} (k = {k})"
    if test.p_value < t.asymmetry_p:
        return _ruled(name, -1, "PB2", figures, "strongly suspected")
    return _ruled(name, 0, "PB1", figures, "undetected")


def _natural(pooled: Mapping[str, object] | pd.Series, x: float) -> str:
    return ratio(exp(min(x, 700.0))) if pooled["scale"] == "log" else fixed(x, 2)
