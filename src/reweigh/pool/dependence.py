"""Analyses in which trials give more than one effect: the naive pool beside models that know it (dependence.csv)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.aggregate import aggregate
from reweigh.effects.measures import ARM
from reweigh.io import frame
from reweigh.pool.core import pool
from reweigh.pool.multilevel import cluster_robust, shared_arm_covariance, three_level
from reweigh.protocol.model import Protocol

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
    split among its comparisons is added up again.

    Returns
    -------
    One row per analysis and method: the naive pool (the set's main model, and REML with Hartung-Knapp), the
    three-level model, cluster-robust (CR2, Satterthwaite) intervals around both, and one aggregated effect per trial.
    """
    rows: list[dict[str, object]] = []
    for analysis, group in effects.groupby("analysis", sort=False):
        if group["study_id"].is_unique or group["study_id"].nunique() < 2:
            continue
        head = {"analysis": analysis, "trials": group["study_id"].nunique(), "scale": group["scale"].iloc[0]}
        rows += [head | row for row in _methods(group.reset_index(drop=True), protocol)]
    table = frame("dependence.csv", rows)
    for name in ("estimate", "ci_lower", "ci_upper"):
        values = table[name].astype(float)
        table[f"{name}_natural"] = np.where(table["scale"] == "log", np.exp(values), values)
    return table


def _methods(group: pd.DataFrame, protocol: Protocol) -> list[dict[str, object]]:
    yi, vi = (group[name].to_numpy(dtype=float) for name in ("estimate", "variance"))
    cluster, level = group["study_id"].to_numpy(), protocol.level
    rows: list[dict[str, object]] = []
    chosen = [protocol.models_of(str(group["set"].iloc[0]))[0]]
    named = [(m.name, m.tau2, m.interval) for m in chosen if m.pooling == "inverse variance"]
    naive_tau2 = 0.0
    for name, tau2, interval in dict.fromkeys([*named, ("cochrane", "REML", "hartung-knapp")]):
        found = pool(yi, vi, tau2_method=tau2, ci_method=interval, level=level)
        naive_tau2 = float(np.nan_to_num(found.tau2[0]))
        numbers = {
            key: getattr(found, key)[0]
            for key in ("estimate", "se", "ci_lower", "ci_upper", "statistic", "df", "p_value")
        }
        note = f"{name}: {tau2}, {interval}; the effects of a trial as if independent"
        rows.append({"method": f"naive ({name})", "k": len(yi), **numbers, "tau2_between": found.tau2[0], "note": note})
    covariance, said = sampling_covariance(group, protocol)
    nested = three_level(yi, covariance, cluster, level=level)
    rows.append(
        {"method": "three-level model", "k": len(yi), **_first(nested), "tau2_between": nested.sigma2_between,
         "tau2_within": nested.sigma2_within, "note": f"REML, t with trials - 1 degrees of freedom; {said}"}
    )  # fmt: skip
    for method, working, what in (
        ("cluster-robust around the three-level model", nested.sigma, "CR2, Satterthwaite degrees of freedom"),
        ("cluster-robust around the naive model", vi + naive_tau2, "CR2, Satterthwaite; REML weights"),
    ):
        robust = cluster_robust(yi, working, cluster, level=level)
        rows.append(
            {"method": method, "k": len(yi), **_first(robust), "note": "; ".join(filter(None, [what, robust.reason]))}
        )
    _, one, variance = aggregate(yi, covariance, cluster)
    found = pool(one, variance, level=level)
    numbers = {
        key: getattr(found, key)[0] for key in ("estimate", "se", "ci_lower", "ci_upper", "statistic", "df", "p_value")
    }
    note = f"one effect per trial by its covariance, then REML with Hartung-Knapp; {said}"
    rows.append(
        {"method": "aggregated by trial", "k": len(one), **numbers, "tau2_between": found.tau2[0], "note": note}
    )
    return rows


def _first(fit: object) -> dict[str, float]:
    keys = ("estimate", "se", "ci_lower", "ci_upper", "statistic", "df", "p_value")
    return {key: float(np.atleast_1d(getattr(fit, key))[0]) for key in keys}


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
    covariance = (np.diag(variances) if known is None else known) + pairs * rho * np.sqrt(
        np.outer(variances, variances)
    )
    assumed = f"correlation {rho:g} of the comparisons of a trial" if pairs.any() else ""
    return covariance, "; ".join(filter(None, (said, assumed))) or "no shared arms: sampling errors independent"


def _arm_covariance(group: pd.DataFrame, protocol: Protocol) -> tuple[np.ndarray | None, str]:
    """Covariance matrix by the shared arms of the protocol; None where there are none, or why it cannot be known."""
    shared = {s.study: s for s in protocol.shared_arms}
    mine = group["study_id"].map(lambda study: study in shared) & group.duplicated("study_id", keep=False)
    measure = str(group["measure"].iloc[0])
    if not mine.any():
        return None, ""
    if measure not in ARM_VARIANCE:
        return None, f"no covariance of shared arms for {measure}"
    arms = {"intervention": [], "control": []}  # type: dict[str, list[str]]
    parts: dict[str, list[float]] = {"intervention": [], "control": []}
    for _, row in group.iterrows():
        for side in arms:
            one = shared.get(str(row["study_id"]))
            is_shared = one is not None and one.arm == side
            n = float(row[f"n_{side}"])
            if one is not None and is_shared and one.n == "split":
                n = float(group.loc[group["study_id"] == row["study_id"], f"n_{side}"].sum())
            sd, events = float(row[f"sd_{side}"]), float(row[f"events_{side}"])
            unit = row["study_id"] if is_shared else row["comparison_id"]
            arms[side].append(f"{unit}: {side}")
            parts[side].append(float(ARM_VARIANCE[measure](n, sd, events)))
    if not np.isfinite([*parts["intervention"], *parts["control"]]).all():
        return None, "arm data missing"
    extra = {"d": group["estimate"], "total": group["n_intervention"] + group["n_control"]} if measure == "SMD" else {}
    return shared_arm_covariance(
        arms["intervention"], arms["control"], parts["intervention"], parts["control"], **extra
    ), "covariance of shared arms from their whole n"
