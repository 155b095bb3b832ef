"""Trial sequential analysis of every main analysis of a review: sequential.csv."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reweigh.pool.core import pool
from reweigh.protocol.model import Protocol
from reweigh.sequential.analysis import Design, SequentialAnalysis, trial_sequential_analysis
from reweigh.sequential.information import InformationSize, diversity, required_information_size
from reweigh.tables.times import years_of

COLUMNS = (
    "analysis", "measure", "scale", "difference", "difference_natural", "assumed", "alpha", "power", "sides",
    "spending", "pooling", "size_fixed", "size_by_i2", "size_by_d2", "size_by_tau2", "adjustment", "required", "look",
    "date", "study_id", "trials", "information", "fraction", "estimate", "se", "z", "upper", "lower",
    "futility_upper", "futility_lower", "alpha_spent", "beta_spent", "ci_lower", "ci_upper", "verdict", "reached",
    "adjusted_p_value", "undated", "note",
)  # fmt: skip
MEASURES = ("MD", "SMD", "RR")
CROSSOVER = "patients of crossover trials counted once"


def sequential_analyses(
    effects: pd.DataFrame, protocol: Protocol
) -> dict[str, tuple[dict[str, Any], SequentialAnalysis | None, str]]:
    """Trial sequential analysis of every main analysis of its outcome's main measure.

    Parameters
    ----------
    effects
        effects.csv, with `year`.
    protocol
        Smallest important differences and the settings under `sequential`.

    Returns
    -------
    By analysis: what is said of it in every row, the analysis or None, and the reason why there is none.
    """
    found: dict[str, tuple[dict[str, Any], SequentialAnalysis | None, str]] = {}
    for analysis, group in effects[effects["set"] == "main"].groupby("analysis", sort=False):
        outcome = protocol.outcomes[str(group["outcome"].iloc[0])]
        if group["measure"].iloc[0] == outcome.measure:
            found[str(analysis)] = _one(group.reset_index(drop=True), protocol)
    return found


def _one(group: pd.DataFrame, protocol: Protocol) -> tuple[dict[str, Any], SequentialAnalysis | None, str]:
    settings = protocol.sequential
    outcome, measure = protocol.outcomes[str(group["outcome"].iloc[0])], str(group["measure"].iloc[0])
    head: dict[str, Any] = {
        "measure": measure, "scale": group["scale"].iloc[0], "alpha": settings.alpha, "power": settings.power,
        "sides": settings.sides, "spending": settings.spending, "pooling": settings.pooling,
        "adjustment": settings.adjustment,
    }  # fmt: skip
    if measure not in MEASURES:
        return head, None, f"no information size for {measure}"
    difference = outcome.important(measure, protocol.certainty.ratio)
    if difference is None:
        return head, None, f"the protocol has no smallest important difference for {measure}"
    natural = float(np.exp(difference)) if head["scale"] == "log" else difference
    head |= {"difference_natural": natural, "difference": difference}
    years = years_of(group)
    dated = group.assign(year=years)[~np.isnan(years)]
    if len(dated) < 2:
        undated = "; ".join(group.loc[np.isnan(years), "study_id"])
        reason = "no dates" if dated.empty else "one dated trial: there is nothing to accumulate"
        return head | {"undated": undated}, None, reason
    crossover = dated["design"] == "crossover"
    size = dated["n_intervention"].where(crossover, dated["n_intervention"] + dated["n_control"])
    if size.isna().any():
        return head, None, "the number of patients is not reported for every trial"
    extra, assumed, reason = _spread(dated, measure, settings.control_risk.get(str(group["outcome"].iloc[0])))
    if reason:
        return head, None, reason
    try:
        needed, heterogeneity = _required(dated, measure, natural, extra, protocol)
    except ValueError as why:
        return head, None, str(why)
    sizes = {"fixed": needed.fixed, "i2": needed.by_i2, "d2": needed.by_d2, "tau2": needed.by_tau2}
    head |= {f"size_{'' if k == 'fixed' else 'by_'}{k}": v for k, v in sizes.items()}
    head |= {"assumed": "; ".join(filter(None, [*assumed, heterogeneity, CROSSOVER if crossover.any() else ""]))}
    required = sizes[settings.adjustment]
    if required is None:
        return head, None, needed.reason or f"no information size adjusted by {settings.adjustment}"
    design = Design(
        alpha=settings.alpha, beta=1 - settings.power, sides=settings.sides, spending=settings.spending,
        futility=settings.futility,
    )  # fmt: skip
    result = trial_sequential_analysis(
        dated["estimate"].to_numpy(dtype=float), dated["variance"].to_numpy(dtype=float), size.to_numpy(dtype=float),
        [int(y) for y in dated["year"]], list(dated["comparison_id"]), float(required), pool=settings.pooling,
        design=design, direction=1 if (outcome.better == "higher") else -1,
    )  # fmt: skip
    undated = "; ".join(group.loc[np.isnan(years), "study_id"])
    head |= {"required": result.required, "undated": undated}
    return head, result if not result.reason else None, result.reason


def _spread(group: pd.DataFrame, measure: str, control_risk: float | None) -> tuple[dict[str, float], list[str], str]:
    """Control risk of a risk ratio, SD of a mean difference; how it was found, or why it was not."""
    if measure == "RR":
        if control_risk is not None:
            return {"control_risk": control_risk}, [f"control risk {control_risk:g} (protocol)"], ""
        counts = group[["events_control", "n_control"]].dropna()
        risk = float(counts["events_control"].sum() / counts["n_control"].sum()) if len(counts) else np.nan
        if not 0 < risk < 1:
            return {}, [], "no control risk: the trials give no counts, or no events"
        return {"control_risk": risk}, [f"control risk {risk:.4g} (all control patients together)"], ""
    if measure == "MD":
        arms = [
            group[[f"n_{side}", f"sd_{side}"]].dropna().to_numpy(dtype=float) for side in ("intervention", "control")
        ]
        n, sd = np.concatenate(arms).T
        if not len(n) or (n - 1).sum() <= 0:
            return {}, [], "no SD: the trials give none"
        pooled = float(np.sqrt(((n - 1) * sd**2).sum() / (n - 1).sum()))
        return {"sd": pooled}, [f"SD {pooled:.4g} (pooled over all arms)"], ""
    return {}, [], ""


def _required(
    group: pd.DataFrame, measure: str, difference: float, extra: dict[str, Any], protocol: Protocol
) -> tuple[InformationSize, str]:
    """Information size, adjusted by the heterogeneity of all dated trials (DL)."""
    vi = group["variance"].to_numpy(dtype=float)
    found = pool(group["estimate"].to_numpy(dtype=float), vi, tau2_method="DL", ci_method="wald")
    tau2, i2 = float(found.tau2[0]), float(found.i2_q[0])
    d2 = diversity(vi, tau2)
    needed = required_information_size(
        measure, difference, alpha=protocol.sequential.alpha, beta=1 - protocol.sequential.power,  # type: ignore[arg-type]
        sides=protocol.sequential.sides, i2=i2, d2=d2, tau2=tau2, **extra,
    )  # fmt: skip
    return needed, f"I2 {i2:.1f}%, D2 {d2:.1f}%, tau2 {tau2:.4g} (DL)"


def sequential_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """One row per look of each sequential analysis, or one row with the reason why there is none.

    Returns
    -------
    COLUMNS: estimates, boundaries (of Z) and adjusted intervals on the analysis scale; information in participants.
    """
    parts: list[pd.DataFrame] = []
    for analysis, (head, result, reason) in sequential_analyses(effects, protocol).items():
        said = {"analysis": analysis, **head}
        if result is None:
            parts.append(pd.DataFrame([said | {"note": reason}]))
            continue
        frame = result.to_frame()
        said |= {
            "verdict": result.verdict, "reached": "yes" if result.reached else "no",
            "adjusted_p_value": result.p_value,
        }  # fmt: skip
        parts.append(frame.assign(**said))
    if not parts:
        return pd.DataFrame(columns=list(COLUMNS))
    together = pd.concat([part.reindex(columns=list(COLUMNS)).astype(object) for part in parts], ignore_index=True)
    return together.infer_objects()
