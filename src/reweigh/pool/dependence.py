"""Analyses in which trials give more than one effect: the naive pool beside models that know it (dependence.csv)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.aggregate import aggregate
from reweigh.effects.measures import ARM, correct_zero_cells
from reweigh.io import frame
from reweigh.measures import COUNT_MEASURES, MEASURES, natural
from reweigh.pool.core import Pooled, pool
from reweigh.pool.intervals import Coefficients
from reweigh.pool.multilevel import cluster_robust, shared_arm_covariance, three_level
from reweigh.pool.refit import no_null
from reweigh.protocol.model import Protocol
from reweigh.text.codes import words
from reweigh.text.pool import SENTENCES

MEAN = ("estimate", "se", "ci_lower", "ci_upper", "statistic", "df", "p_value")
ARM_VARIANCE: Mapping[str, Callable[[float, float, float], Any]] = {
    "MD": lambda n, sd, e: sd**2 / n,
    "SMD": lambda n, sd, e: 1 / n,
    "RR": lambda n, sd, e: ARM["RR"](e, n)[1],
    "OR": lambda n, sd, e: ARM["OR"](e, n)[1],
    "RD": lambda n, sd, e: ARM["RD"](e, n)[1],
}
"""What one arm adds to the variance of an effect, analysis scale (Gleser and Olkin 2009, chapter 19)."""


def dependence_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Pool every analysis in which a trial has several effects by models for dependent effects.

    The sampling covariance is that of `sampling_covariance`: a shared arm is one arm, and the n that the table had
    split among its comparisons is added up again. Returns one row per analysis and method: the naive pool (the set's
    main model, and REML with Hartung-Knapp), the three-level model, cluster-robust (CR2, Satterthwaite) intervals
    around both, and one aggregated effect per trial.
    """
    rows: list[dict[str, object]] = []
    for analysis, group in effects.groupby("analysis", sort=False):
        if group["study_id"].is_unique or group["study_id"].nunique() < 2:
            continue
        head = {"analysis": analysis, "trials": group["study_id"].nunique(), "scale": group["scale"].iloc[0]}
        rows += [head | row for row in _methods(group.reset_index(drop=True), protocol)]
    table = frame("dependence.csv", rows)
    for name in ("estimate", "ci_lower", "ci_upper"):
        turned = [natural(value, scale) for value, scale in zip(table[name].astype(float), table["scale"], strict=True)]
        table[f"{name}_natural"] = np.array(turned, dtype=float)
    return table


def _methods(group: pd.DataFrame, protocol: Protocol) -> list[dict[str, object]]:
    yi, vi = (group[name].to_numpy(dtype=float) for name in ("estimate", "variance"))
    cluster, level = group["study_id"].to_numpy(), protocol.level_of(group["outcome"].iloc[0])
    null = MEASURES[str(group["measure"].iloc[0])].null
    rows: list[dict[str, object]] = []

    def add(method: str, fit: Pooled | Coefficients, note: str, k: int = len(yi), **variances: float) -> None:
        numbers = {key: float(np.atleast_1d(getattr(fit, key))[0]) for key in MEAN}
        if not null:
            numbers |= {"statistic": np.nan, "p_value": np.nan}
            note = f"{note}; {words(no_null(str(group['measure'].iloc[0])), SENTENCES)}"
        rows.append({"method": method, "k": k, **numbers, **variances, "note": note})

    main = protocol.models_of(group["outcome"].iloc[0], group["set"].iloc[0])[0]
    named = [(main.name, main.tau2, main.interval)] if main.pooling == "inverse variance" else []
    for name, tau2, interval in dict.fromkeys([*named, ("cochrane", "REML", "hartung-knapp")]):
        naive = pool(yi, vi, tau2_method=tau2, ci_method=interval, level=level)
        note = f"{name}: {tau2}, {interval}; the effects of a trial as if independent"
        add(f"naive ({name})", naive, note, tau2_between=naive.tau2[0])
    covariance, said = sampling_covariance(group, protocol)
    nested = three_level(yi, covariance, cluster, level=level)
    add("three-level model", nested, f"REML, t with trials - 1 degrees of freedom; {said}",
        tau2_between=nested.sigma2_between, tau2_within=nested.sigma2_within)  # fmt: skip
    naive_sigma = vi + np.nan_to_num(naive.tau2[0])
    for around, working, what in (
        ("three-level", nested.sigma, "CR2, Satterthwaite degrees of freedom"),
        ("naive", naive_sigma, "CR2, Satterthwaite; REML weights"),
    ):
        robust = cluster_robust(yi, working, cluster, level=level)
        add(f"cluster-robust around the {around} model", robust, "; ".join(filter(None, [what, robust.reason])))
    _, one, variance = aggregate(yi, covariance, cluster)
    found = pool(one, variance, level=level)
    note = f"one effect per trial by its covariance, then REML with Hartung-Knapp; {said}"
    add("aggregated by trial", found, note, len(one), tau2_between=found.tau2[0])
    return rows


def sampling_covariance(group: pd.DataFrame, protocol: Protocol) -> tuple[np.ndarray, str]:
    """Covariance matrix (k, k) of the effects of one analysis, and what it rests on.

    Comparisons with a shared arm of the protocol have the covariance of that arm where its data are known; others of
    one trial have the protocol's correlation, but where it says that they are independent.
    """
    variances, study = group["variance"].to_numpy(dtype=float), group["study_id"].to_numpy()
    known, said = _arm_covariance(group, protocol)
    settled = [one.study for one in protocol.independent_comparisons]
    settled += [one.study for one in protocol.shared_arms] if known is not None else []
    pairs = (study[:, None] == study) & ~np.isin(study, settled) & ~np.eye(len(study), dtype=bool)
    rho = protocol.assumptions.comparison_correlation
    covariance = np.diag(variances) if known is None else known
    covariance = covariance + pairs * rho * np.sqrt(np.outer(variances, variances))
    assumed = f"correlation {rho:g} of the comparisons of a trial" if pairs.any() else ""
    return covariance, "; ".join(filter(None, (said, assumed))) or "no shared arms: sampling errors independent"


def _counts(group: pd.DataFrame, measure: str, protocol: Protocol) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Events and n of each side as the effects have them: with the continuity correction of zero cells."""
    sides = ("intervention", "control")
    e1, n1, e2, n2 = (group[f"{name}_{side}"].to_numpy(dtype=float) for side in sides for name in ("events", "n"))
    if measure in COUNT_MEASURES:
        e1, n1, e2, n2, _ = correct_zero_cells(measure, e1, n1, e2, n2, protocol.assumptions.zero_cells)
    return {"intervention": (e1, n1), "control": (e2, n2)}


def _arm_covariance(group: pd.DataFrame, protocol: Protocol) -> tuple[np.ndarray | None, str]:
    """Covariance matrix by the shared arms of the protocol; None where there are none, or why it cannot be known."""
    shared = {s.study: s for s in protocol.shared_arms}
    mine = group["study_id"].map(lambda study: study in shared) & group.duplicated("study_id", keep=False)
    measure = str(group["measure"].iloc[0])
    if not mine.any():
        return None, ""
    if measure not in ARM_VARIANCE:
        return None, f"no covariance of shared arms for {measure}"
    arms: dict[str, list[str]] = {"intervention": [], "control": []}
    parts: dict[str, list[float]] = {"intervention": [], "control": []}
    cells = _counts(group, measure, protocol)
    for at, (_, row) in enumerate(group.iterrows()):
        for side in arms:
            (events, n), sd = (np.float64(cell[at]) for cell in cells[side]), np.float64(row[f"sd_{side}"])
            one, unit = shared.get(str(row["study_id"])), row["comparison_id"]
            if one is not None and one.arm == side:
                unit = row["study_id"]
                mates = (group["study_id"] == unit).to_numpy() & (np.arange(len(group)) != at)
                n += group.loc[mates, f"n_{side}"].sum() if one.n == "split" else 0
            arms[side].append(f"{unit}: {side}")
            with np.errstate(divide="ignore", invalid="ignore"):
                parts[side].append(float(ARM_VARIANCE[measure](n, sd, events)))
    of_arms = pd.Series([*parts["intervention"], *parts["control"]])
    if not (np.isfinite(of_arms) & (of_arms > 0)).all():
        return None, "arm data missing, or an arm without variance"
    by_arm = of_arms.groupby([*arms["intervention"], *arms["control"]])
    if not np.isclose(by_arm.min(), by_arm.max(), rtol=1e-9, atol=0).all():
        return None, "the rows of a shared arm differ"
    extra = {"d": group["estimate"], "total": group["n_intervention"] + group["n_control"]} if measure == "SMD" else {}
    return shared_arm_covariance(
        arms["intervention"], arms["control"], parts["intervention"], parts["control"], **extra
    ), "covariance of shared arms from their whole n"
