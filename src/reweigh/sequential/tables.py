"""Trial sequential analysis of every main analysis of a review: sequential.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.absolute import control_risk
from reweigh.io import frame
from reweigh.measures import natural as on_natural
from reweigh.pool.refit import Trials, refit, trials_of
from reweigh.protocol.model import Outcome, Protocol
from reweigh.protocol.models import Model
from reweigh.sequential.analysis import Design, NoAnalysisError, SequentialAnalysis, trial_sequential_analysis
from reweigh.sequential.information import MEASURES, InformationSize, diversity, required_information_size
from reweigh.tables.times import years_of
from reweigh.text.codes import code, join, words
from reweigh.text.sequential import SENTENCES


@dataclass(slots=True)
class Found:
    """What was found for one main analysis."""

    #: What every row of it says.
    head: dict[str, Any] = field(default_factory=dict)
    result: SequentialAnalysis | None = None
    #: Code of why there is no result.
    reason: str = ""


def sequential_analyses(effects: pd.DataFrame, protocol: Protocol) -> dict[str, Found]:
    """Trial sequential analysis of every main analysis of its outcome's main measure.

    Parameters
    ----------
    effects
        effects.csv, with `year`.
    protocol
        Smallest important differences and the settings under `sequential`.
    """
    found: dict[str, Found] = {}
    for analysis, group in effects[effects["set"] == "main"].groupby("analysis", sort=False):
        outcome = protocol.outcomes[str(group["outcome"].iloc[0])]
        if group["measure"].iloc[0] == outcome.measure:
            one = found[str(analysis)] = Found()
            try:
                one.result = _analyse(group.reset_index(drop=True), outcome, protocol, one.head)
            except NoAnalysisError as why:
                one.reason = str(why)
    return found


def _analyse(group: pd.DataFrame, outcome: Outcome, protocol: Protocol, head: dict[str, Any]) -> SequentialAnalysis:
    """One analysis; ``head`` is filled on the way. Raises NoAnalysisError where there is none."""
    settings, measure = protocol.sequential, outcome.measure
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
    needed, share = _required(trials, natural, spread, protocol)
    sizes = {"fixed": needed.fixed, "i2": needed.by_i2, "d2": needed.by_d2, "tau2": needed.by_tau2}
    head |= share | {f"size_{'' if k == 'fixed' else 'by_'}{k}": v for k, v in sizes.items()}
    assumed += [code("heterogeneity", **share), "crossover_once" if crossover.any() else ""]
    head["assumed_codes"] = join(assumed)
    required = sizes[settings.adjustment]
    if required is None:
        raise NoAnalysisError(needed.reason or code("not_adjusted", by=settings.adjustment))
    result = trial_sequential_analysis(
        trials, model, size.to_numpy(dtype=float), [int(y) for y in dated["year"]], list(dated["comparison_id"]),
        float(required), direction=1 if outcome.better == "higher" else -1, design=Design(
            alpha=settings.alpha, beta=1 - settings.power, sides=settings.sides, spending=settings.spending,
            futility=settings.futility,
        ),
    )  # fmt: skip
    head["required"] = result.required
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


def _required(
    trials: Trials, difference: float, spread: Mapping[str, float], protocol: Protocol
) -> tuple[InformationSize, dict[str, float]]:
    """Information size, adjusted by the heterogeneity of all dated trials (DL), and that: I2 and D2 in percent."""
    found = refit(trials, _model("DL"))
    tau2 = float(found.tau2[0])
    share = {"i2": float(found.i2_q[0]), "d2": diversity(trials.vi, tau2), "tau2": tau2}
    settings = protocol.sequential
    given: dict[str, Any] = {**share, **spread}
    needed = required_information_size(
        trials.measure, difference, alpha=settings.alpha, beta=1 - settings.power,  # type: ignore[arg-type]
        sides=settings.sides, **given,
    )  # fmt: skip
    return needed, share


def sequential_table(found: Mapping[str, Found]) -> pd.DataFrame:
    """One row per look of each sequential analysis, or one row with the reason why there is none (sequential.csv)."""
    rows: list[dict[Any, Any]] = []
    for analysis, one in found.items():
        said = {"analysis": analysis, "assumed_codes": "", **one.head}
        if one.result is None:
            rows.append(said | {"note_codes": one.reason})
            continue
        said |= {"verdict": one.result.verdict, "reached": "yes" if one.result.reached else "no"}
        said |= {"adjusted_p_value": one.result.p_value}
        rows += [said | look for look in one.result.to_frame().to_dict("records")]
    for row in rows:
        row |= {name: words(row[f"{name}_codes"], SENTENCES) for name in ("assumed", "note")}
    return frame("sequential.csv", rows)
