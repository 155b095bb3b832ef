"""From effects.csv to pooled.csv, subgroups.csv and engines.csv: every analysis by every model of the protocol."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.measures import number_needed_text
from reweigh.pool.binary import mantel_haenszel, peto
from reweigh.pool.core import FEW_FOR_PI, NO_HT, Pooled, pool
from reweigh.pool.few_trials import FEW, posterior_of, prior_of
from reweigh.pool.subgroups import subgroups
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model

IDENTITY = ("analysis", "outcome", "window", "measure", "set")
MODEL = ("model", "tau2_method", "ci_method", "pooling", "level", "scale")
SIZE = ("k", "n_intervention", "n_control", "participants")
MEAN = ("estimate", "se", "ci_lower", "ci_upper", "statistic", "df", "p_value")
HETEROGENEITY = {
    "tau2": "tau2",
    "tau2_ci_lower": "tau2_ci_lower",
    "tau2_ci_upper": "tau2_ci_upper",
    "tau": "tau",
    "i2": "i2_tau2",
    "i2_ci_lower": "i2_tau2_ci_lower",
    "i2_ci_upper": "i2_tau2_ci_upper",
    "h2": "h2_tau2",
    "h2_ci_lower": "h2_tau2_ci_lower",
    "h2_ci_upper": "h2_tau2_ci_upper",
    "i2_from_q": "i2_q",
    "i2_from_q_ci_lower": "i2_q_ci_lower",
    "i2_from_q_ci_upper": "i2_q_ci_upper",
    "h2_from_q": "h2_q",
    "h2_from_q_ci_lower": "h2_q_ci_lower",
    "h2_from_q_ci_upper": "h2_q_ci_upper",
    "q": "q",
    "q_df": "q_df",
    "q_p_value": "q_p_value",
}
"""Columns of the tables and the field of `Pooled` that each takes."""
PREDICTION = ("pi_lower", "pi_upper")
NATURAL = ("estimate", "ci_lower", "ci_upper")
I2_DEFINITION = "tau2-based"
"""I2 = tau2 / (tau2 + typical variance), as metafor and RevMan (since 2024) print it; i2_from_q is the other."""
COLUMNS = (
    *IDENTITY, *MODEL, *SIZE, *MEAN, *(f"{name}_natural" for name in NATURAL), *HETEROGENEITY, "i2_definition",
    *PREDICTION, *(f"{name}_natural" for name in PREDICTION), "pi_method", "number_needed", "tau2_path", "note",
)  # fmt: skip
BAYES = "bayes"
NEEDS_COUNTS = "needs the events and patients of both arms of every trial, in parallel groups"

Row = dict[str, object]


def pooled_table(effects: pd.DataFrame, protocol: Protocol, start: str = "pymare") -> pd.DataFrame:
    """Pool every analysis by every model of its set.

    Where there are five trials or fewer and the protocol has a prior for the measure, the Bayesian model stands
    beside them (posterior median, shortest credible and prediction interval).

    Parameters
    ----------
    effects
        effects.csv; `estimate` and `variance` on the analysis scale.
    protocol
        Models, level, priors.
    start
        Whose fit is polished, "pymare" or "own": the numbers are the same.

    Returns
    -------
    One row per analysis and model, the main model first; COLUMNS as results/README.md says.
    """
    groups = {str(key): group for key, group in effects.groupby("analysis", sort=False)}
    wanted = {key: protocol.models_of(str(group["set"].iloc[0])) for key, group in groups.items()}
    done = _rows(groups, wanted, protocol, start)
    rows: list[Row] = []
    for key, group in groups.items():
        rows += [done[key, model] for model in wanted[key]]
        rows += _bayes_row(group, protocol)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def subgroup_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Pool the subgroups of every main-set analysis, for every subgroup column of the protocol.

    Returns
    -------
    One row per analysis, model and subgroup, with the test for subgroup differences, or the reason why there is
    none, on each. A trial without a value in the column is a subgroup "not reported".
    """
    main = effects[effects["set"] == "main"]
    rows: list[Row] = []
    tests = ("q_between", "q_between_df", "q_between_p_value", "q_between_note", "tests_made")
    for column in protocol.subgroups:
        labels = protocol.subgroup_labels(column)
        for analysis, group in main.groupby("analysis", sort=False):
            value = group[column].fillna("").astype(str)
            named = value.map(labels).where(value != "", "not reported").fillna(value)
            order = {label: i for i, label in enumerate([*labels.values(), "not reported"])}
            group = group.assign(subgroup=named).sort_values("subgroup", key=lambda s: s.map(order), kind="stable")
            for model in protocol.models_of("main"):
                if model.pooling == "inverse variance":
                    rows += _split(group, f"{analysis}.by_{column}", column, model, protocol)
    table = pd.DataFrame(rows, columns=[*IDENTITY, "column", "subgroup", *COLUMNS[len(IDENTITY) :], *tests])
    counted = table[table["q_between"].notna()].groupby(["outcome", "window", "measure", "model"])["column"].nunique()
    keys = pd.MultiIndex.from_frame(table[["outcome", "window", "measure", "model"]])
    return table.assign(tests_made=counted.reindex(keys).fillna(0).astype(int).to_numpy())


def engines_table(effects: pd.DataFrame, pooled: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Headline numbers of pooled.csv beside those of the second engine.

    Returns
    -------
    One row per analysis, inverse-variance model and number: both values and their relative difference.

    Raises
    ------
    reweigh.pool.engines.EngineDisagreement
        If a number of any analysis differs by more than a millionth.
    """
    from reweigh.pool.engines import HEADLINE, compare  # statsmodels is slow to import

    rows: list[Row] = []
    groups = {str(key): group for key, group in effects.groupby("analysis", sort=False)}
    for _, row in pooled[(pooled["pooling"] == "inverse variance") & (pooled["k"] > 1)].iterrows():
        group = groups[row["analysis"]]
        first = {name: float(row[_COLUMN_OF.get(name, name)]) for name in HEADLINE}
        none = row["pi_method"] in ("none", "bootstrap")
        found = compare(
            group["estimate"].to_numpy(dtype=float), group["variance"].to_numpy(dtype=float),
            tau2_method=row["tau2_method"], ci_method=row["ci_method"], level=protocol.level,
            pi_method="hartung-knapp" if none else row["pi_method"],
            first={name: value for name, value in first.items() if not (none and name.startswith("pi_"))},
        )  # fmt: skip
        rows += [
            {
                "analysis": row["analysis"], "model": row["model"], "number": _COLUMN_OF.get(name, name),
                "first_engine": found.first[name], "second_engine": found.second[name], "difference": difference,
            }
            for name, difference in found.difference.items()
        ]  # fmt: skip
    return pd.DataFrame(rows, columns=["analysis", "model", "number", "first_engine", "second_engine", "difference"])


def sweep_table(effects: pd.DataFrame, sweep: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Pool every main analysis with its crossover trials at each swept correlation, by the main model.

    A trial that allows no correlation so large stays at its largest.

    Parameters
    ----------
    effects
        effects.csv.
    sweep
        crossover_sweep.csv: the crossover trials at each correlation.

    Returns
    -------
    One row per analysis and correlation: estimate and interval on both scales, tau2, I2.
    """
    sets: list[tuple[str, float, pd.DataFrame]] = []
    for analysis, swept in sweep.groupby("analysis", sort=False):
        group = effects[effects["analysis"] == analysis].set_index("comparison_id")
        for correlation in sorted(set(swept.loc[swept["correlation"] != swept["limit"], "correlation"])):
            within = swept[swept["correlation"] <= correlation + 1e-12]
            at = (
                within.sort_values("correlation")
                .drop_duplicates("comparison_id", keep="last")
                .set_index("comparison_id")
            )
            changed = group.copy()
            changed.loc[at.index, ["estimate", "variance"]] = at[["estimate", "variance"]]
            sets.append((str(analysis), float(correlation), changed))
    model = protocol.models_of("main")[0]
    columns = ["analysis", "parameter", "correlation", "protocol", "model", "scale", "k", *MEAN[:4]]
    columns += [*(f"{name}_natural" for name in NATURAL), "tau2", "i2"]
    if not sets:
        return pd.DataFrame(columns=columns)
    yi, vi, mask = _ragged([one for *_, one in sets])
    result = pool(yi, vi, mask=mask, **_options(model, protocol))
    rows: list[Row] = []
    for at, (analysis, correlation, group) in enumerate(sets):
        swept = sweep[sweep["analysis"] == analysis]
        row = _row(group, result, at, model, _better(group, protocol))
        own = swept.loc[swept["protocol"] == "yes", "correlation"]
        said = {"parameter": swept["parameter"].iloc[0], "correlation": correlation}
        rows.append(row | said | {"protocol": "yes" if (own == correlation).any() else "no"})
    return pd.DataFrame(rows)[columns]


_COLUMN_OF = {field: column for column, field in HETEROGENEITY.items()}


def _rows(
    groups: Mapping[str, pd.DataFrame], wanted: Mapping[str, Sequence[Model]], protocol: Protocol, start: str
) -> dict[tuple[str, Model], Row]:
    """Rows by group and model; sets with the same effects share a fit."""
    fits: dict[tuple[Model, bytes], Pooled] = {}
    done: dict[tuple[str, Model], Row] = {}
    for key, models in wanted.items():
        group = groups[key]
        yi, vi = (group[name].to_numpy(dtype=float) for name in ("estimate", "variance"))
        for model in models:
            if model.pooling != "inverse variance":
                done[key, model] = _counts_row(group, model, protocol)
                continue
            same = model, yi.tobytes() + vi.tobytes()
            if same not in fits:
                fits[same] = pool(yi, vi, start=start, **_options(model, protocol))
            done[key, model] = _row(group, fits[same], 0, model, _better(group, protocol))
    return done


def _options(model: Model, protocol: Protocol) -> dict[str, Any]:
    interval = "hartung-knapp" if model.prediction_interval == "none" else model.prediction_interval
    return {"tau2_method": model.tau2, "ci_method": model.interval, "level": protocol.level, "pi_method": interval}


def _ragged(groups: Sequence[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    width = max(len(g) for g in groups)
    yi, vi = np.zeros((len(groups), width)), np.ones((len(groups), width))
    mask = np.zeros((len(groups), width), dtype=bool)
    for i, group in enumerate(groups):
        yi[i, : len(group)], vi[i, : len(group)], mask[i, : len(group)] = group["estimate"], group["variance"], True
    return yi, vi, mask


def _counts_row(group: pd.DataFrame, model: Model, protocol: Protocol) -> Row:
    """A row of Mantel-Haenszel or Peto pooling, or why there is none."""
    counts = group[["events_intervention", "n_intervention", "events_control", "n_control"]].astype(float)
    measure = str(group["measure"].iloc[0])
    possible = ("RR", "OR", "RD") if model.pooling == "mantel-haenszel" else ("OR", "PETO")
    reason = "" if measure in possible else f"{model.pooling} does not apply to {measure}"
    if not reason and (counts.isna().any(axis=None) or (group["design"] == "crossover").any()):
        reason = f"{model.pooling} {NEEDS_COUNTS}"
    if reason:
        return _empty(group, model, protocol) | {"note": reason}
    a, n1, c, n2 = counts.to_numpy().T
    if model.pooling == "peto":
        result = peto(a, n1, c, n2, level=protocol.level)
    else:
        kind = "common" if model.tau2 == "EE" else "random"
        result = mantel_haenszel(
            a, n1, c, n2, measure=measure, model=kind, ci_method=model.interval, level=protocol.level
        )
    return _row(group, result, 0, model, _better(group, protocol))


def _empty(group: pd.DataFrame, model: Model, protocol: Protocol) -> Row:
    first = group.iloc[0]
    n1, n2 = group["n_intervention"], group["n_control"]
    row: Row = dict.fromkeys(COLUMNS, np.nan)
    row |= {name: first[name] for name in IDENTITY}
    row |= dict(
        zip(MODEL, (model.name, model.tau2, model.interval, model.pooling, protocol.level, first["scale"]), strict=True)
    )
    # The patients of a crossover trial stand in both arms and count once.
    everyone = n1.where(group["design"] == "crossover", n1 + n2)
    row |= dict(zip(SIZE, (len(group), _total(n1), _total(n2), _total(everyone)), strict=True))
    return row | {
        "i2_definition": I2_DEFINITION,
        "pi_method": model.prediction_interval,
        "number_needed": "",
        "tau2_path": "",
        "note": "",
    }


def _total(n: pd.Series) -> float:
    """Sum of the known n; missing where no trial gives one."""
    return float(n.sum()) if n.notna().any() else np.nan


def _natural(values: Mapping[str, float], scale: object, names: Sequence[str]) -> Row:
    back = np.exp if scale == "log" else float
    return {f"{name}_natural": float(back(values[name])) for name in names}


def _row(group: pd.DataFrame, result: Pooled, at: int, model: Model, better: str) -> Row:
    values = {name: getattr(result, name)[at] for name in (*MEAN, *PREDICTION)}
    values |= {column: getattr(result, field)[at] for column, field in HETEROGENEITY.items()}
    if model.prediction_interval == "none":
        values["pi_lower"] = values["pi_upper"] = np.nan
    first = group.iloc[0]
    row: Row = dict.fromkeys(COLUMNS, np.nan)
    row |= {name: first[name] for name in IDENTITY}
    level = result.level
    row |= dict(zip(MODEL, (model.name, model.tau2, model.interval, model.pooling, level, first["scale"]), strict=True))
    n1, n2 = group["n_intervention"], group["n_control"]
    # The patients of a crossover trial stand in both arms and count once.
    everyone = n1.where(group["design"] == "crossover", n1 + n2)
    row |= dict(zip(SIZE, (int(result.k[at]), _total(n1), _total(n2), _total(everyone)), strict=True))
    row |= values | _natural(values, first["scale"], (*NATURAL, *PREDICTION))
    return row | {
        "i2_definition": I2_DEFINITION,
        "pi_method": model.prediction_interval,
        "number_needed": _number_needed(values, first, better),
        "tau2_path": str(result.path[at]),
        "note": _note(result, at, values, model),
    }


def _better(group: pd.DataFrame, protocol: Protocol) -> str:
    return protocol.outcomes[str(group["outcome"].iloc[0])].better


def _number_needed(values: Mapping[str, float], first: pd.Series, better: str) -> str:
    """Number needed to treat (benefit NNTB, harm NNTH) of a pooled risk difference, through infinity where it must."""
    if first["measure"] != "RD" or not np.isfinite(values["ci_lower"]):
        return ""
    return number_needed_text(values["estimate"], values["ci_lower"], values["ci_upper"], better)


def _note(result: Pooled, at: int, values: Mapping[str, float], model: Model) -> str:
    irrelevant = (NO_HT, FEW_FOR_PI if model.prediction_interval == "none" else "")
    notes = [reason for reason in str(result.reason[at]).split("; ") if reason and reason not in irrelevant]
    k = int(result.k[at])
    if k == 2 and model.interval.startswith("hartung-knapp"):
        notes.append("two trials: the Hartung-Knapp interval rests on one degree of freedom")
    if k >= 2 and values["tau2"] == 0 and model.tau2 != "EE":
        notes.append("tau2 is 0: the random-effects and the common-effect mean are the same")
    return "; ".join(notes)


def _bayes_row(group: pd.DataFrame, protocol: Protocol) -> list[Row]:
    """The Bayesian model as a row of pooled.csv, where there are two to five trials and a prior."""
    prior = prior_of(str(group["measure"].iloc[0]), protocol)
    if prior is None or not 2 <= len(group) <= FEW:
        return []
    found = posterior_of(group, prior, protocol)
    model = Model(name=BAYES, tau2="REML", interval="wald")
    row = _empty(group, model, protocol)
    values = {
        "estimate": found.mu_median, "se": found.mu_sd, "ci_lower": found.mu_lower, "ci_upper": found.mu_upper,
        "tau": found.tau_median, "tau2": found.tau_median**2, "tau2_ci_lower": found.tau_lower**2,
        "tau2_ci_upper": found.tau_upper**2, "pi_lower": found.new_lower, "pi_upper": found.new_upper,
    }  # fmt: skip
    row |= {"tau2_method": "posterior median", "ci_method": "shortest credible interval", "pooling": "Bayesian"}
    row |= values | _natural(values, row["scale"], (*NATURAL, *PREDICTION))
    return [row | {"pi_method": "posterior predictive", "i2_definition": "", "note": f"prior: {found.prior}"}]


def _split(group: pd.DataFrame, analysis: str, column: str, model: Model, protocol: Protocol) -> list[Row]:
    """One row per subgroup by one model, with the test between them."""
    options = _options(model, protocol)
    if options["pi_method"] == "bootstrap":
        options["pi_method"] = "hartung-knapp"
    found = subgroups(
        group["estimate"].to_numpy(dtype=float), group["variance"].to_numpy(dtype=float), list(group["subgroup"]),
        tau2=protocol.subgroup_tau2, **options,
    )  # fmt: skip
    test = {
        "q_between": found.q_between,
        "q_between_df": found.q_between_df,
        "q_between_p_value": found.q_between_p_value,
        "q_between_note": found.reason,
    }
    return [
        _row(group[group["subgroup"] == label], found.pooled, at, model, _better(group, protocol))
        | {"analysis": analysis, "column": column, "subgroup": label}
        | test
        for at, label in enumerate(found.labels)
    ]
