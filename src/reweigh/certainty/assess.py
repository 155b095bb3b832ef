"""GRADE by rule: each domain's judgement with the figures that it rests on and the rule that made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite, isnan

import numpy as np
import pandas as pd

from reweigh.certainty.thresholds import Thresholds
from reweigh.effects.absolute import control_risk
from reweigh.io import frame
from reweigh.measures import MEASURES, STANDARDISED_MEASURES
from reweigh.measures import natural as on_natural
from reweigh.protocol.model import Outcome
from reweigh.risk_of_bias import RiskOfBias
from reweigh.robustness.small_study import egger
from reweigh.sequential.information import required_information_size
from reweigh.tables.problems import Problem, did_you_mean
from reweigh.text.certainty import SENTENCES, DomainName, Judgement, Level, Risk
from reweigh.text.codes import code, join, words
from reweigh.text.numbers import decimals_of

OVERRIDES = "certainty_overrides.csv"
OVERRIDE_COLUMNS = ("analysis", "domain", "levels", "reason", "initials")
IDENTITY = ("analysis", "outcome", "window", "measure", "set", "model", "k", "comparisons")

Row = Mapping[str, object] | pd.Series
Bounds = tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Domain:
    """One GRADE domain: `levels` is 0 or below; `figure_codes` are what the judgement rests on."""

    name: DomainName
    judgement: Judgement
    levels: int
    rule: str
    figure_codes: str
    overridden_by: str = ""
    override_reason: str = ""

    @property
    def figures(self) -> str:
        """What the judgement rests on, in words."""
        return words(self.figure_codes, SENTENCES)


@dataclass(frozen=True, slots=True)
class Certainty:
    """Certainty of one body of evidence of randomised trials: it starts high, domains lower it."""

    domains: tuple[Domain, ...]

    @property
    def level(self) -> Level:
        """The certainty by all domains."""
        return Level.down(-self.down)

    @property
    def down(self) -> int:
        """Levels taken off (before the floor at very low)."""
        return -sum(d.levels for d in self.domains)

    @property
    def best(self) -> Level:
        """The certainty if trials without a judgement of their risk of bias were all at low risk."""
        return self._with_bias(0)

    @property
    def worst(self) -> Level:
        """The certainty if they were all at high risk (rule RB3)."""
        return self._with_bias(-2)

    def _with_bias(self, levels: int) -> Level:
        unknown = 0 if self.bias_assessed else levels - self.domain(DomainName.BIAS).levels
        return Level.down(unknown - self.down)

    def domain(self, name: str) -> Domain:
        """A domain by its name."""
        return next(d for d in self.domains if d.name == name)

    @property
    def bias_assessed(self) -> bool:
        """Whether risk of bias has a judgement."""
        return self.domain(DomainName.BIAS).judgement != Judgement.NOT_ASSESSED

    @property
    def reason_codes(self) -> str:
        """Why levels were taken off."""
        lost = [
            code("lost", domain=d.name, judgement=d.judgement, levels=d.levels, figures=d.figure_codes)
            for d in self.domains
            if d.levels
        ]
        return join(lost) or code("nothing_lost")

    @property
    def reasons(self) -> str:
        """Why levels were taken off, in words."""
        return words(self.reason_codes, SENTENCES)


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
            ("domain", domain, domain not in list(DomainName), "is no domain", ", ".join(DomainName)),
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


def assess(
    effects: pd.DataFrame,
    pooled: Row,
    outcome: Outcome,
    weights: pd.Series,
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
        Its row of pooled.csv (main model); its guarded intervals decide.
    outcome
        The protocol's outcome: direction and smallest important difference.
    weights
        Percent weight of each comparison_id in that model (weights.csv); missing where it has none.
    bias
        Risk-of-bias judgements.
    indirectness
        Levels (0 or below) and reason, from the protocol.
    overrides
        A person's judgements; those of this analysis apply.
    factor
        Multiplies the smallest important difference.

    GRADE guidelines 6 and 34, Cochrane Handbook 14.2 (thresholds: `thresholds.SOURCES`; rules: `text.certainty.RULES`).
    """
    t = thresholds or Thresholds()
    bounds = outcome.bounds(str(pooled["measure"]), t.ratio, factor)
    domains = [
        _risk_of_bias(effects, pooled, weights, bias, t),
        _inconsistency(effects, pooled, bounds, t),
        _indirectness(*indirectness),
        _imprecision(effects, pooled, bounds, t),
        _publication_bias(effects, t),
    ]
    for override in overrides:
        if override.analysis == pooled["analysis"]:
            at = list(DomainName).index(DomainName(override.domain))
            ruled = domains[at]
            said = code("ruled", rule=ruled.rule, judgement=ruled.judgement, levels=ruled.levels)
            domains[at] = replace(
                ruled, judgement=Judgement.of(override.levels), levels=override.levels, rule="OV",
                figure_codes=join([said, ruled.figure_codes]), overridden_by=override.initials,
                override_reason=override.reason,
            )  # fmt: skip
    return Certainty(tuple(domains))


def certainty_table(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    weights: pd.DataFrame,
    outcomes: Mapping[str, Outcome],
    *,
    bias: RiskOfBias,
    thresholds: Thresholds | None = None,
    indirectness: Mapping[str, tuple[int, str]] | None = None,
    overrides: Sequence[Override] = (),
) -> pd.DataFrame:
    """certainty.csv: one row per analysis (main model of its set) and domain.

    `indirectness` maps an analysis id or an outcome to levels and reason. The check has refused an override of an
    analysis that the protocol does not have; one of an analysis that has no trial (yet) overrides nothing.
    """
    first = pooled.drop_duplicates("analysis")
    named = indirectness or {}
    rows = []
    for _, row in first.iterrows():
        mine = weights[(weights["analysis"] == row["analysis"]) & (weights["model"] == row["model"])]
        found = assess(
            effects[effects["analysis"] == row["analysis"]], row, outcomes[row["outcome"]],
            mine.set_index("comparison_id")["weight"], bias=bias, thresholds=thresholds, overrides=overrides,
            indirectness=named.get(row["analysis"], named.get(row["outcome"], (0, ""))),
        )  # fmt: skip
        rows += [
            {
                **{name: row[name] for name in IDENTITY},
                "certainty": found.level, "start": Level.HIGH, "domain": d.name, "judgement": d.judgement,
                "levels": d.levels, "rule": d.rule, "figure_codes": d.figure_codes, "figures": d.figures,
                "overridden_by": d.overridden_by, "override_reason": d.override_reason,
            }
            for d in found.domains
        ]  # fmt: skip
    return frame("certainty.csv", rows)


def _number(row: Row, name: str) -> float:
    value = row.get(name, np.nan)
    return float("nan") if value is None or value == "" else float(value)  # type: ignore[arg-type]


def _ruled(name: DomainName, levels: int, rule: str, codes: str, judgement: Judgement | None = None) -> Domain:
    return Domain(name, judgement or Judgement.of(levels), levels, rule, codes)


def _guarded(pooled: Row, name: str) -> tuple[float, float, str]:
    """Limits of the guarded interval ("ci") or prediction interval ("pi"), and "yes" where the model's own differ."""
    low, high = _number(pooled, f"guarded_{name}_lower"), _number(pooled, f"guarded_{name}_upper")
    differs = not np.allclose([low, high], [_number(pooled, f"{name}_{end}") for end in ("lower", "upper")],
                              rtol=1e-9, atol=0, equal_nan=True)  # fmt: skip
    return low, high, "yes" if differs else "no"


def _printed(pooled: Row) -> dict[str, str]:
    """How numbers of this analysis are printed: a parameter of codes."""
    decimals = decimals_of(pooled)
    return {"decimals": "" if decimals is None else str(decimals)}


def natural(pooled: Row, x: float) -> float:
    """A number of the analysis scale on the natural one."""
    return float(on_natural(min(x, 700.0), str(pooled["scale"])))


def _risk_of_bias(effects: pd.DataFrame, pooled: Row, weights: pd.Series, bias: RiskOfBias, t: Thresholds) -> Domain:
    weight = effects["comparison_id"].map(weights).fillna(0.0).to_numpy(dtype=float)
    studies = effects["study_id"].astype(str)
    kinds = np.array([bias.overall(s, str(pooled["outcome"])) for s in studies], dtype=object)
    total = weight.sum()
    share = {k: weight[kinds == k].sum() / total if total else 0.0 for k in Risk}
    if not total or 1 - share[Risk.NOT_ASSESSED] <= t.most_information:
        codes = code("judged", judged=studies[kinds != Risk.NOT_ASSESSED].nunique(), of=studies.nunique())
        return _ruled(DomainName.BIAS, -1, "RB0", codes, Judgement.NOT_ASSESSED)
    # What has no judgement counts as unclear.
    unclear = share[Risk.UNCLEAR] + share[Risk.NOT_ASSESSED]
    codes = code("at_risk", high=float(100 * share[Risk.HIGH]), unclear=float(100 * unclear))
    if share[Risk.HIGH] > t.most_information:
        return _ruled(DomainName.BIAS, -2, "RB3", codes)
    doubtful = share[Risk.HIGH] + unclear > t.most_information
    return _ruled(DomainName.BIAS, -1, "RB2", codes) if doubtful else _ruled(DomainName.BIAS, 0, "RB1", codes)


def _inconsistency(effects: pd.DataFrame, pooled: Row, bounds: Bounds, t: Thresholds) -> Domain:
    name, k = DomainName.INCONSISTENCY, int(_number(pooled, "k"))
    if k < 2:
        return _ruled(name, 0, "IN0", code("one_trial"))
    i2 = _number(pooled, "i2")
    low, high, guarded = _guarded(pooled, "pi")
    ci = _guarded(pooled, "ci")
    null = MEASURES[str(pooled["measure"])].null
    lines = sorted({*([0.0] if null else []), *(bounds or ())})
    known = isfinite(low) and isfinite(high)
    crossed = [x for x in lines if known and low < x < high and not ci[0] < x < ci[1]]
    y = effects["estimate"].to_numpy(dtype=float)
    both = bool(lines) and (low < lines[0] and high > lines[-1] if known else k == 2 and y.min() < 0 < y.max())
    worst = i2 >= t.i2_very_serious and both
    reach: dict[str, object] = {}
    if known:
        at = "" if worst else ",".join(f"{natural(pooled, x):.12g}" for x in crossed)
        reach = {"lower": natural(pooled, low), "upper": natural(pooled, high), "guarded": guarded, "crossed": at}
    codes = code("heterogeneity", i2=i2, tau=_number(pooled, "tau"), **reach, **_printed(pooled))
    if worst:
        return _ruled(name, -2, "IN3", codes)
    return _ruled(name, -1, "IN2", codes) if i2 >= t.i2_serious or crossed else _ruled(name, 0, "IN1", codes)


def _indirectness(levels: int, reason: str) -> Domain:
    if levels not in (0, -1, -2, -3):
        raise ValueError(f"indirectness takes off 0 to 3 levels (0 to -3), not {levels}")
    if levels and not reason:
        raise ValueError("indirectness needs a reason")
    codes = code("indirect", reason=reason) if reason else code("no_indirectness")
    return _ruled(DomainName.INDIRECTNESS, levels, "ID1" if levels else "ID0", codes)


def _imprecision(effects: pd.DataFrame, pooled: Row, bounds: Bounds, t: Thresholds) -> Domain:
    name = DomainName.IMPRECISION
    low, high, guarded = _guarded(pooled, "ci")
    if not (isfinite(low) and isfinite(high)):
        return _ruled(name, -2, "IM0", code("no_interval"))
    printed, measure = _printed(pooled), str(pooled["measure"])
    limits = {"lower": natural(pooled, low), "upper": natural(pooled, high)}
    codes = [code("interval", **limits, guarded=guarded, **printed)]
    if not MEASURES[measure].null:
        return _ruled(
            name, 0, "IM6", join([*codes, code("no_imprecision_rule", measure=measure)]), Judgement.NOT_ASSESSED
        )
    if bounds is None:
        codes.append(code("no_importance"))
        if low < 0 < high:
            return _ruled(name, -1, "IM4", join(codes))
    else:
        important = {"lower": natural(pooled, bounds[0]), "upper": natural(pooled, bounds[1])}
        codes.append(code("important", **important, **printed))
        below, above = low < bounds[0], high > bounds[1]
        if below and above:
            return _ruled(name, -2, "IM5", join(codes))
        if low <= 0 <= high and (below or above):
            return _ruled(name, -1, "IM4", join(codes))
    have, need, said = information(effects, pooled, bounds, t)
    figures = join([*codes, said])
    if isnan(need) or have >= need:
        return _ruled(name, 0, "IM1", figures)
    if have < t.far_below_information_size * need:
        return _ruled(name, -2, "IM3", figures)
    return _ruled(name, -1, "IM2", figures)


def information(effects: pd.DataFrame, pooled: Row, bounds: Bounds, t: Thresholds) -> tuple[float, float, str]:
    """Participants, optimal information size (NaN where it cannot be computed), and both as a code."""
    measure = str(pooled["measure"])
    have, by = _number(pooled, "participants"), "participants"
    if isnan(have):
        have = _number(pooled, "n_intervention") + _number(pooled, "n_control")
    if isnan(have) and measure in STANDARDISED_MEASURES:
        # The variance of a small SMD is 4/n: what the standard errors say about the patients behind them.
        have, by = float((4 / effects["variance"]).sum()), "se"
    need, why, risk = float("nan"), "", dict[str, float]()
    try:
        need, risk = _needed(effects, measure, bounds, t)
    except ValueError as error:
        why = str(error)
    if isnan(have) or isnan(need):
        missing = why or ("the number of participants is not in the table" if isnan(have) else "its input is missing")
        return have, float("nan"), code("no_information", why=missing)
    return have, need, code("information", have=have, by=by, need=need, **risk)


def _needed(effects: pd.DataFrame, measure: str, bounds: Bounds, t: Thresholds) -> tuple[float, dict[str, float]]:
    """Optimal information size, and the control risk where it rests on one."""
    if measure in ("RR", "OR", "PETO", "RD"):
        risk = control_risk(effects)
        if not 0 < risk < 1:
            raise ValueError("no control risk between 0 and 1")
        relative = 1 - t.relative_risk_reduction
        needed = required_information_size("RR", relative, control_risk=risk, alpha=t.alpha, beta=t.beta)
        return float(needed.fixed), {"risk": risk}
    if bounds is None:
        raise ValueError("no smallest important difference")
    if measure in STANDARDISED_MEASURES:
        return float(required_information_size("SMD", bounds[1], alpha=t.alpha, beta=t.beta).fixed), {}
    if measure == "MD":
        sd = float(pd.concat([effects["sd_intervention"], effects["sd_control"]]).astype(float).median())
        if isnan(sd):
            raise ValueError("no standard deviation in the trials")
        return float(ceil(required_information_size("MD", bounds[1], sd=sd, alpha=t.alpha, beta=t.beta).exact)), {}
    raise ValueError(f"none is defined for {measure}")


def _publication_bias(effects: pd.DataFrame, t: Thresholds) -> Domain:
    name, size = DomainName.PUBLICATION, {"k": effects["study_id"].nunique(), "comparisons": len(effects)}
    if size["k"] < t.smallest_k_for_asymmetry:
        return _ruled(name, 0, "PB0", code("few_trials", **size), Judgement.UNDETECTED)
    test = egger(effects["estimate"].to_numpy(), effects["variance"].to_numpy())
    if isnan(test.p_value):
        return _ruled(name, 0, "PB0", code("no_egger", why=test.reason), Judgement.UNDETECTED)
    codes = code("egger", p=float(test.p_value), **size)
    if test.p_value < t.asymmetry_p:
        return _ruled(name, -1, "PB2", codes, Judgement.SUSPECTED)
    return _ruled(name, 0, "PB1", codes, Judgement.UNDETECTED)
