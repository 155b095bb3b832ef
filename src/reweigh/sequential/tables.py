"""Trial sequential analysis of every main analysis of a review: sequential.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.absolute import control_risk
from reweigh.io import frame
from reweigh.measures import natural as on_natural
from reweigh.pool.refit import Trials, refit, trials_of
from reweigh.protocol.model import Outcome, Protocol
from reweigh.protocol.models import Model, describe_model
from reweigh.quantile import t_critical
from reweigh.sequential.analysis import Design, NoAnalysisError, SequentialAnalysis, trial_sequential_analysis
from reweigh.sequential.information import (
    MEASURES,
    InformationSize,
    diversity,
    required_information_size,
    tau2_of_diversity,
)
from reweigh.tables.times import years_of
from reweigh.text.codes import code, has, join, words
from reweigh.text.sequential import SENTENCES


@dataclass(slots=True)
class Found:
    """What was found for one main analysis."""

    #: What every row of it says.
    head: dict[str, Any] = field(default_factory=dict)
    result: SequentialAnalysis | None = None
    #: Code of why there is no result.
    reason: str = ""
    #: The result again under each assumed D2 (percent), where few trials show none.
    repeated: dict[float, SequentialAnalysis] = field(default_factory=dict)
    #: Dated trials, and tau2 of the model that pools them.
    trials: int = 0
    tau2: float = 0.0
    #: Codes of what it says.
    conclusion: str = ""


#: Up to this many trials, a D2 of 0 is an assumption and not a finding (two or three trials show no heterogeneity).
FEW_TRIALS = 3


def sequential_analyses(
    effects: pd.DataFrame, protocol: Protocol, pooled: pd.DataFrame | None = None
) -> dict[str, Found]:
    """Trial sequential analysis of every main analysis of its outcome's main measure.

    Parameters
    ----------
    effects
        effects.csv, with `year`.
    protocol
        Smallest important differences and the settings under `sequential`.
    pooled
        pooled.csv, for the main model's interval, which a crossed boundary may contradict.
    """
    found: dict[str, Found] = {}
    for analysis, group in effects[effects["set"] == "main"].groupby("analysis", sort=False):
        outcome = protocol.outcomes[str(group["outcome"].iloc[0])]
        if group["measure"].iloc[0] == outcome.measure:
            one = found[str(analysis)] = Found()
            try:
                one.result = _analyse(group.reset_index(drop=True), outcome, protocol, one)
            except NoAnalysisError as why:
                one.reason = str(why)
                continue
            against = ""
            if pooled is not None:
                # The main model comes first.
                main = pooled[pooled["analysis"] == analysis].iloc[0]
                model = protocol.models_of(str(group["outcome"].iloc[0]))[0]
                against = _against_main(one, one.result, main, model)
            one.conclusion = _conclusion(one, one.result, outcome, against)
    return found


def _analyse(group: pd.DataFrame, outcome: Outcome, protocol: Protocol, one: Found) -> SequentialAnalysis:
    """One analysis; ``one`` is filled on the way. Raises NoAnalysisError where there is none."""
    settings, measure, head = protocol.sequential, outcome.measure, one.head
    model = _model(settings.pooling)
    head |= {"measure": measure, "scale": group["scale"].iloc[0], "model": model.name, "interval": model.interval}
    head |= {name: getattr(settings, name) for name in SETTINGS}
    if measure not in MEASURES:
        raise NoAnalysisError(code("no_information_size", measure=measure))
    difference = outcome.important(measure, protocol.certainty.ratio)
    if difference is None:
        raise NoAnalysisError(code("no_important_difference", measure=measure))
    natural = float(on_natural(difference, str(head["scale"])))
    head |= {"difference_natural": natural, "difference": difference}
    years = years_of(group)
    head["undated"] = "; ".join(group.loc[np.isnan(years), "study_id"])
    dated = group.assign(year=years)[~np.isnan(years)]
    if len(dated) < 2:
        raise NoAnalysisError("no_dates" if dated.empty else "one_dated")
    crossover = dated["design"] == "crossover"
    size = dated["n_intervention"].where(crossover, dated["n_intervention"] + dated["n_control"])
    if size.isna().any():
        raise NoAnalysisError("no_patients")
    risk = settings.control_risk.get(str(group["outcome"].iloc[0]))
    spread, assumed = _spread(dated, measure, risk, natural)
    trials = trials_of(dated)
    share = _heterogeneity(trials)
    needed = _required(trials.measure, natural, protocol, **spread, **share)
    sizes = {"fixed": needed.fixed, "i2": needed.by_i2, "d2": needed.by_d2, "tau2": needed.by_tau2}
    head |= share | {f"size_{'' if k == 'fixed' else 'by_'}{k}": v for k, v in sizes.items()}
    assumed += [code("heterogeneity", **share), "crossover_once" if crossover.any() else ""]
    head["assumed_codes"] = join(assumed)
    required = sizes[settings.adjustment]
    if required is None:
        raise NoAnalysisError(needed.reason or code("not_adjusted", by=settings.adjustment))

    def looks(trials: Trials, required: float) -> SequentialAnalysis:
        return trial_sequential_analysis(
            trials, model, size.to_numpy(dtype=float), [int(y) for y in dated["year"]], list(dated["comparison_id"]),
            required, direction=outcome.benefit, design=Design(
                alpha=settings.alpha, beta=1 - settings.power, sides=settings.sides, spending=settings.spending,
                futility=settings.futility,
            ),
        )  # fmt: skip

    result = looks(trials, float(required))
    head["required"] = result.required
    one.trials, one.tau2 = int(dated["study_id"].nunique()), float(refit(trials, model).tau2[0])
    if share["d2"] == 0 and one.trials <= FEW_TRIALS and settings.adjustment != "fixed":
        for d2 in settings.assumed_diversity.percent:
            # Assumed for the size and for Z alike: a Z that took the trials to agree would not have variance 1.
            tau2 = 0.0 if settings.pooling == "common" else tau2_of_diversity(trials.vi, d2)
            more = _required(trials.measure, natural, protocol, **spread, d2=d2).by_d2
            one.repeated[d2] = looks(replace(trials, vi=trials.vi + tau2), float(more or np.nan))
    return result


SETTINGS = ("alpha", "power", "sides", "spending", "pooling", "adjustment")


def _model(pooling: str) -> Model:
    """The model of the cumulative meta-analysis: inverse variance, and the Wald interval that Z is made of."""
    named = "common effect" if pooling == "common" else f"random effects, tau2 by {pooling}"
    return Model.model_validate({"name": named, "tau2": "EE" if pooling == "common" else pooling, "interval": "wald"})


def _spread(
    group: pd.DataFrame, measure: str, given: float | None, difference: float
) -> tuple[Mapping[str, float], list[str]]:
    """Control risk of a risk ratio or SD of a mean difference, and the codes of how it was found.

    Raises NoAnalysisError where the trials do not tell.
    """
    if measure == "RR":
        risk = control_risk(group) if given is None else given
        if not 0 < risk < 1:
            raise NoAnalysisError("no_control_risk")
        if risk * difference >= 1:
            raise NoAnalysisError(code("impossible_risk", control_risk=float(risk), ratio=difference))
        source = "trials" if given is None else "protocol"
        return {"control_risk": float(risk)}, [code("control_risk", risk=float(risk), source=source)]
    if measure == "MD":
        arms = [
            group[[f"n_{side}", f"sd_{side}"]].dropna().to_numpy(dtype=float) for side in ("intervention", "control")
        ]
        n, sd = np.concatenate(arms).T
        pooled = float(np.sqrt(((n - 1) * sd**2).sum() / max((n - 1).sum(), 1.0)))
        if not pooled > 0:
            raise NoAnalysisError("no_sd")
        return {"sd": pooled}, [code("pooled_sd", sd=pooled)]
    return {}, []


def _heterogeneity(trials: Trials) -> dict[str, float]:
    """Of all dated trials, by DL: I2 and D2 in percent, tau2."""
    found = refit(trials, _model("DL"))
    tau2 = float(found.tau2[0])
    return {"i2": float(found.i2_q[0]), "d2": diversity(trials.vi, tau2), "tau2": tau2}


def _required(measure: str, difference: float, protocol: Protocol, **given: Any) -> InformationSize:
    """Information size for the errors of the protocol."""
    settings = protocol.sequential
    return required_information_size(
        measure, difference, alpha=settings.alpha, beta=1 - settings.power, sides=settings.sides,  # type: ignore[arg-type]
        **given,
    )  # fmt: skip


def _conclusion(one: Found, result: SequentialAnalysis, outcome: Outcome, against: str) -> str:
    """What the analysis says, by which model, what speaks against it, and what it says under each assumed D2."""
    scale, level, mean = str(one.head["scale"]), 1 - result.design.alpha, float(result.estimate[-1])
    half = float(t_critical(np.inf, level)) * float(result.se[-1])
    last = {
        "estimate": mean, "ci_lower": mean - half, "ci_upper": mean + half, "adjusted_lower": result.ci_lower[-1],
        "adjusted_upper": result.ci_upper[-1],
    }  # fmt: skip
    own = code(
        "own_model", model=one.head["model"], d2=one.head["d2"], measure=one.head["measure"], scale=scale, level=level,
        **{f"{n}_natural": float(on_natural(x, scale)) for n, x in last.items()},
        why=result.boundaries.reason[len(result.z) - 1],
    )  # fmt: skip
    name, where = _verdict(result, outcome)
    codes = [code(name, **where), own, against]
    if one.repeated:
        codes.append(code("d2_assumed", trials=one.trials))
    for d2, again in one.repeated.items():
        name, where = _verdict(again, outcome)
        codes.append(code("repeated", d2=d2, verdict=name, **where))
    return join(codes)


def _verdict(result: SequentialAnalysis, outcome: Outcome) -> tuple[str, dict[str, object]]:
    """The first boundary crossed, at which look, on how much of the information; a benefit is a better outcome."""
    at = result.crossed_look if result.crossed_look is not None else result.futility_look
    look = len(result.trials) - 1 if at is None else at
    where: dict[str, object] = {
        "look": look + 1, "year": result.date[look], "trials": int(result.trials[look]),
        "have": float(result.information[look]), "need": float(result.required),
    }  # fmt: skip
    if result.crossed_look is not None:
        side = "benefit" if (result.verdict == "upper") == (outcome.benefit > 0) else "harm"
        return "boundary_crossed", where | {"side": side}
    if result.verdict == "futility":
        return "futility_crossed", where
    return "no_boundary_crossed", where | {"reached": "yes" if result.reached else "no"}


def _against_main(one: Found, result: SequentialAnalysis, main: pd.Series, model: Model) -> str:
    """Where the boundary is crossed and the main model's (guarded) interval includes no effect: that, and why."""
    if result.crossed_look is None or not main["guarded_ci_lower"] <= 0 <= main["guarded_ci_upper"]:
        return ""
    why: dict[str, object] = {}
    # A boundary once crossed stays crossed, whatever the trials show that come later.
    if result.z[-1] * (1 if result.verdict == "upper" else -1) < result.conventional:
        why |= {"z": float(result.z[-1])}
    level, df = float(main["level"]), float(main["df"])
    if np.isfinite(df):
        why |= {"df": df, "t": float(t_critical(df, level)), "normal": float(t_critical(np.inf, level))}
    se = float(main["guarded_ci_upper"] - main["guarded_ci_lower"]) / 2 / float(t_critical(df, level))
    # 1e-9: two roundings of one number.
    if not np.isclose(se, result.se[-1], rtol=1e-9):
        why |= {"se": se, "own_se": float(result.se[-1])}
    if np.isfinite(main["tau2"]) and not np.isclose(main["tau2"], one.tau2, rtol=1e-9, atol=1e-12):
        why |= {"tau2": float(main["tau2"]), "own_tau2": one.tau2}
    if main["k"] != one.trials:
        why |= {"k": int(main["k"]), "own_k": one.trials}
    if not np.isclose(1 - level, result.design.alpha):
        why |= {"alpha": result.design.alpha}
    names = ("estimate", "ci_lower", "ci_upper", "guarded_ci_lower", "guarded_ci_upper")
    described = describe_model(model.model_copy(update={"note": "", "prediction_interval": "none"}))
    narrow = "hartung_knapp_narrow" if has(str(main["note_codes"]), "hartung_knapp_narrow") else ""
    return code(
        "main_includes_no_effect", main=described, **{name: main[name] for name in ("measure", "scale", "level")},
        **{f"{name}_natural": float(main[f"{name}_natural"]) for name in names}, note_codes=narrow, **why,
    )  # fmt: skip


def sequential_table(found: Mapping[str, Found]) -> pd.DataFrame:
    """One row per look of each sequential analysis, or one row with the reason why there is none (sequential.csv)."""
    rows: list[dict[Any, Any]] = []
    for analysis, one in found.items():
        said = {"analysis": analysis, "assumed_codes": "", "conclusion_codes": "", **one.head}
        if one.result is None:
            rows.append(said | {"note_codes": one.reason})
            continue
        said |= {"verdict": one.result.verdict, "reached": "yes" if one.result.reached else "no"}
        said["conclusion_codes"] = one.conclusion
        said |= {"adjusted_p_value": one.result.p_value}
        rows += [said | look for look in one.result.to_frame().to_dict("records")]
    for row in rows:
        row |= {name: words(row[f"{name}_codes"], SENTENCES) for name in ("assumed", "conclusion", "note")}
    return frame("sequential.csv", rows)
