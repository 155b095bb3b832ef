"""Meta-regressions of the main analyses: meta_regression.csv."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reweigh.pool.regression import MetaRegression, meta_regression
from reweigh.protocol.model import Protocol, Regression

COLUMNS = (
    "analysis", "regression", "model", "scale", "k", "coefficient", "estimate", "se", "ci_lower", "ci_upper",
    "statistic", "df", "p_value", "permutation_p_value", "vif", "qm", "qm_df", "qm_p_value", "qe", "qe_df",
    "qe_p_value", "tau2", "i2", "r2", "note",
)  # fmt: skip


def regressions(effects: pd.DataFrame, protocol: Protocol) -> dict[tuple[str, str], MetaRegression | str]:
    """Every meta-regression of the protocol on every main analysis of its outcomes' main measure.

    Returns
    -------
    By analysis and name of the regression: the fit, or the reason why there is none.
    """
    found: dict[tuple[str, str], MetaRegression | str] = {}
    main = effects[(effects["set"] == "main")]
    for analysis, group in main.groupby("analysis", sort=False):
        if group["measure"].iloc[0] != protocol.outcomes[group["outcome"].iloc[0]].measure:
            continue
        for name, regression in protocol.meta_regression.items():
            try:
                found[str(analysis), name] = _fit(group, regression, protocol)
            except ValueError as why:
                found[str(analysis), name] = str(why)
    return found


def _fit(group: pd.DataFrame, regression: Regression, protocol: Protocol) -> MetaRegression:
    model = protocol.models_of("main")[0]
    values = {m: moderator_values(group, m, protocol) for m in regression.moderators}
    return meta_regression(
        group["estimate"].to_numpy(dtype=float), group["variance"].to_numpy(dtype=float), values,
        tau2_method=model.tau2, test="hartung-knapp" if model.interval.startswith("hartung") else "wald",
        level=protocol.level, permutations=regression.permutations, seed=protocol.seed,
        minimum=regression.minimum if regression.below_minimum == "refuse" else None,
    )  # fmt: skip


def moderator_values(group: pd.DataFrame, moderator: str, protocol: Protocol) -> np.ndarray:
    """Values of a moderator: numbers, or text where the protocol gives it categories."""
    if moderator in protocol.categories or moderator in protocol.groupings:
        return group[moderator].astype(str).to_numpy(dtype=object)
    return group[moderator].to_numpy(dtype=float, na_value=np.nan)


def regression_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Coefficients of every meta-regression, analysis scale, with its tests on each row; or the reason for none."""
    main = protocol.models_of("main")[0].name
    rows: list[dict[str, object]] = []
    for (analysis, name), fit in regressions(effects, protocol).items():
        scale = effects.loc[effects["analysis"] == analysis, "scale"].iloc[0]
        head = {"analysis": analysis, "regression": name, "model": main, "scale": scale}
        if isinstance(fit, str):
            rows.append({**head, "k": (effects["analysis"] == analysis).sum(), "note": fit})
            continue
        whole = {
            key: getattr(fit, key) for key in ("k", "df", "qm", "qm_df", "qm_p_value", "qe", "qe_df", "qe_p_value")
        }
        whole |= {"tau2": fit.tau2, "i2": fit.i2_tau2, "r2": fit.r2, "note": fit.reason}
        vif = {term.name: term.vif for term in fit.terms}
        for i, coefficient in enumerate(fit.names):
            of_term = next(
                (v for term, v in vif.items() if coefficient == term or coefficient.startswith(f"{term}:")), np.nan
            )
            numbers = ("estimate", "se", "ci_lower", "ci_upper", "statistic", "p_value", "permutation_p_value")
            values = {key: float(getattr(fit, key)[i]) for key in numbers}
            rows.append({**head, "coefficient": coefficient, **values, "vif": of_term, **whole})
    return pd.DataFrame(rows, columns=list(COLUMNS))
