"""Meta-regressions of the main analyses: meta_regression.csv."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from reweigh.io import frame
from reweigh.measures import MEASURES
from reweigh.pool.refit import no_null
from reweigh.pool.regression import INTERCEPT, MetaRegression, meta_regression
from reweigh.protocol.model import Protocol, Regression
from reweigh.text.codes import code, join
from reweigh.text.pool import noted

NUMBERS = (
    "estimate", "se", "ci_lower", "ci_upper", "statistic", "p_value", "permutation_p_value", "guarded_ci_lower",
    "guarded_ci_upper", "guarded_p_value",
)  # fmt: skip
"""What is said of each coefficient."""


@dataclass(frozen=True, slots=True)
class Regressed:
    """One meta-regression of one analysis: the trials that have every moderator, the fit or None, notes as codes."""

    effects: pd.DataFrame
    fit: MetaRegression | None
    notes: str


def regressions(effects: pd.DataFrame, protocol: Protocol) -> dict[tuple[str, str], Regressed]:
    """Every meta-regression of the protocol on every main analysis of its outcomes' main measure.

    A trial without a value of a moderator is left out of that regression, by name. Returns by analysis and name of the
    regression.
    """
    found: dict[tuple[str, str], Regressed] = {}
    main = effects[(effects["set"] == "main")]
    for analysis, group in main.groupby("analysis", sort=False):
        if group["measure"].iloc[0] != protocol.outcomes[group["outcome"].iloc[0]].measure:
            continue
        for name, regression in protocol.meta_regression.items():
            found[str(analysis), name] = _fit(group, regression, protocol)
    return found


def _fit(group: pd.DataFrame, regression: Regression, protocol: Protocol) -> Regressed:
    outcome = str(group["outcome"].iloc[0])
    model = protocol.models_of(outcome)[0].for_measure(str(group["measure"].iloc[0]))
    notes, whole = [], group
    for moderator in regression.moderators:
        missing = whole[moderator].isna() | (whole[moderator].astype(str) == "")
        if missing.any():
            lost = ", ".join(whole.loc[missing, "label"].astype(str))
            notes.append(code("regression_missing", moderator=moderator, trials=lost))
            whole = whole[~missing]
    if model.pooling != "inverse variance":
        notes.append(code("regression_inverse_variance", pooling=model.pooling))
    values = {m: moderator_values(whole, m, protocol) for m in regression.moderators}
    try:
        fit = meta_regression(
            whole["estimate"].to_numpy(dtype=float), whole["variance"].to_numpy(dtype=float), values,
            tau2_method=model.tau2, test="hartung-knapp" if model.interval.startswith("hartung") else "wald",
            level=protocol.level_of(outcome), permutations=regression.permutations, seed=protocol.seed,
            minimum=regression.minimum if regression.below_minimum == "refuse" else None,
        )  # fmt: skip
    except ValueError as why:
        return Regressed(whole, None, join([*notes, code("regression_impossible", why=why)]))
    return Regressed(whole, fit, join([*notes, fit.reason]))


def moderator_values(group: pd.DataFrame, moderator: str, protocol: Protocol) -> np.ndarray:
    """Values of a moderator: numbers, or text where the protocol gives it categories."""
    if moderator in protocol.categories or moderator in protocol.groupings:
        return group[moderator].astype(str).to_numpy(dtype=object)
    return group[moderator].to_numpy(dtype=float, na_value=np.nan)


def regression_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Coefficients of every meta-regression, analysis scale, with its tests on each row; or the reason for none."""
    rows: list[dict[str, object]] = []
    for (analysis, name), one in regressions(effects, protocol).items():
        fit = one.fit
        first = effects[effects["analysis"] == analysis].iloc[0]
        main, measure = protocol.models_of(first["outcome"])[0].name, str(first["measure"])
        head = {"analysis": analysis, "regression": name, "model": main, "scale": first["scale"]}
        head |= noted(join([one.notes, "" if MEASURES[measure].null else no_null(measure)]))
        if fit is None:
            rows.append({**head, "k": len(one.effects)})
            continue
        of_fit = ("k", "df", "qm", "qm_df", "qm_p_value", "qe", "qe_df", "qe_p_value", "tau2", "r2")
        whole = {key: getattr(fit, key) for key in of_fit} | {"i2": fit.i2_tau2}
        for i, coefficient in enumerate(fit.names):
            vif = [one.vif for one in fit.terms if coefficient == one.name or coefficient.startswith(f"{one.name}:")]
            values = {key: float(getattr(fit, key)[i]) for key in NUMBERS}
            if coefficient == INTERCEPT and not MEASURES[measure].null:
                values |= {key: np.nan for key in NUMBERS if key == "statistic" or key.endswith("p_value")}
            rows.append({**head, "coefficient": coefficient, **values, "vif": next(iter(vif), np.nan), **whole})
    return frame("meta_regression.csv", rows)
