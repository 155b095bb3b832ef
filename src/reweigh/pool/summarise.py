"""From effects.csv to pooled.csv and subgroups.csv: every analysis of a review by every model of its protocol."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from reweigh.pool.core import FEW_FOR_PI, NO_HT, Pooled, pool
from reweigh.pool.subgroups import subgroups
from reweigh.protocol import Model, Protocol

IDENTITY = ("analysis", "outcome", "window", "measure", "set")
I2_DEFINITION = "tau2-based"
"""I2 = tau2 / (tau2 + typical variance), as metafor and RevMan (since 2024) print it."""

NATURAL = ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")
NUMBERS = (
    "estimate", "se", "ci_lower", "ci_upper", "statistic", "df", "p_value", "tau2", "tau2_ci_lower", "tau2_ci_upper",
    "tau", "q", "q_df", "q_p_value", "pi_lower", "pi_upper",
)  # fmt: skip


def pooled_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Pool every analysis by every model of its set, all analyses of a model in one vectorised call.

    Parameters
    ----------
    effects
        effects.csv; `estimate` and `variance` on the analysis scale.
    protocol
        Models, level.

    Returns
    -------
    One row per analysis and model, the main model first; columns as results/README.md says.
    """
    groups = [(str(key), group) for key, group in effects.groupby("analysis", sort=False)]
    rows = _pooled_rows(groups, protocol)
    table = pd.DataFrame([row for group_rows in rows for row in group_rows])
    return table.drop(columns="part") if len(table) else pd.DataFrame(columns=[*IDENTITY, "model"])


def subgroup_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Pool the subgroups of every main-set analysis, for every subgroup column of the protocol.

    Returns
    -------
    One row per analysis, model and subgroup, with the test for subgroup differences, or the reason why there is
    none, on each. A trial without a value in the column is a subgroup "not reported".
    """
    main = effects[effects["set"] == "main"]
    rows: list[dict[str, object]] = []
    for column in protocol.subgroups:
        labels = protocol.subgroup_labels(column)
        for analysis, group in main.groupby("analysis", sort=False):
            value = group[column].fillna("").astype(str)
            named = value.map(labels).where(value != "", "not reported").fillna(value)
            present = [label for label in dict.fromkeys([*labels.values(), *named]) if (named == label).any()]
            parts = [(label, group[named == label]) for label in present]
            for model, test in _tests(group, named, protocol).items():
                identity = {"analysis": f"{analysis}.by_{column}", "column": column}
                rows += [
                    {**row, **identity, **test} for of_part in _pooled_rows(parts, protocol, [model]) for row in of_part
                ]
    table = pd.DataFrame(rows)
    if table.empty:
        return pd.DataFrame(columns=[*IDENTITY, "model", "column", "subgroup"])
    first = [*IDENTITY, "column", "subgroup"]
    table = table.rename(columns={"part": "subgroup"})
    return table[[*first, *(c for c in table if c not in first)]]


def _pooled_rows(
    groups: Sequence[tuple[str, pd.DataFrame]], protocol: Protocol, models: Iterable[Model] | None = None
) -> list[list[dict[str, object]]]:
    """Rows of each group, one per model; groups that share a model are pooled in one call."""
    wanted = [list(models) if models is not None else protocol.models_of(str(g["set"].iloc[0])) for _, g in groups]
    together: dict[Model, list[int]] = {}
    for i, chosen in enumerate(wanted):
        for model in chosen:
            together.setdefault(model, []).append(i)
    done: dict[tuple[int, Model], dict[str, object]] = {}
    for model, members in together.items():
        yi, vi, mask = _ragged([groups[i][1] for i in members])
        result = _fit(yi, vi, mask, model, protocol.level)
        for at, i in enumerate(members):
            done[i, model] = _row(groups[i][0], groups[i][1], result, at, model)
    return [[done[i, model] for model in chosen] for i, chosen in enumerate(wanted)]


def _fit(yi: np.ndarray, vi: np.ndarray, mask: np.ndarray, model: Model, level: float) -> Pooled:
    interval = "hartung-knapp" if model.prediction_interval == "none" else model.prediction_interval
    return pool(
        yi, vi, mask=mask, tau2_method=model.tau2, ci_method=model.interval, level=level, pi_method=interval,
        start="pymare",
    )  # fmt: skip


def _ragged(groups: Sequence[pd.DataFrame]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    width = max(len(g) for g in groups)
    yi, vi = np.zeros((len(groups), width)), np.ones((len(groups), width))
    mask = np.zeros((len(groups), width), dtype=bool)
    for i, group in enumerate(groups):
        yi[i, : len(group)], vi[i, : len(group)], mask[i, : len(group)] = group["estimate"], group["variance"], True
    return yi, vi, mask


def _row(part: str, group: pd.DataFrame, result: Pooled, at: int, model: Model) -> dict[str, object]:
    first = group.iloc[0]
    values = {name: getattr(result, name)[at] for name in NUMBERS}
    if model.prediction_interval == "none":
        values["pi_lower"] = values["pi_upper"] = np.nan
    back = np.exp if first["scale"] == "log" else np.asarray
    crossover = group["design"] == "crossover"
    n1, n2 = group["n_intervention"], group["n_control"]
    row: dict[str, object] = {name: first[name] for name in IDENTITY}
    row |= {
        "part": part,
        "model": model.name,
        "tau2_method": model.tau2,
        "ci_method": model.interval,
        "level": result.level,
        "scale": first["scale"],
        "k": int(result.k[at]),
        "n_intervention": _total(n1),
        "n_control": _total(n2),
        # The patients of a crossover trial stand in both arms and count once.
        "participants": _total(n1.where(crossover, n1 + n2)),
    }
    row |= {name: values[name] for name in NUMBERS[:7]}
    row |= {f"{name}_natural": float(back(values[name])) for name in NATURAL[:3]}
    row |= {name: values[name] for name in NUMBERS[7:11]}
    row |= {
        "i2": result.i2_tau2[at],
        "i2_definition": I2_DEFINITION,
        "h2": result.h2_tau2[at],
        "i2_from_q": result.i2_q[at],
    }
    row |= {name: values[name] for name in NUMBERS[11:]}
    row |= {f"{name}_natural": float(back(values[name])) for name in NATURAL[3:]}
    row |= {"pi_method": model.prediction_interval, "note": _note(result, at, values, model)}
    return row


def _total(n: pd.Series) -> float:
    """Sum of the known n; missing where no trial gives one."""
    return float(n.sum()) if n.notna().any() else np.nan


def _note(result: Pooled, at: int, values: dict[str, float], model: Model) -> str:
    irrelevant = (NO_HT, FEW_FOR_PI if model.prediction_interval == "none" else "")
    notes = [reason for reason in str(result.reason[at]).split("; ") if reason and reason not in irrelevant]
    k = int(result.k[at])
    if k == 2 and model.interval.startswith("hartung-knapp"):
        notes.append("two trials: the Hartung-Knapp interval rests on one degree of freedom")
    if k >= 2 and values["tau2"] == 0 and model.tau2 != "EE":
        notes.append("tau2 is 0: the random-effects and the common-effect mean are the same")
    return "; ".join(notes)


def _tests(group: pd.DataFrame, named: pd.Series, protocol: Protocol) -> dict[Model, dict[str, object]]:
    tests: dict[Model, dict[str, object]] = {}
    for model in protocol.models_of("main"):
        found = subgroups(
            group["estimate"].to_numpy(), group["variance"].to_numpy(), named.to_numpy(),
            tau2=protocol.subgroup_tau2, tau2_method=model.tau2, ci_method=model.interval, level=protocol.level,
        )  # fmt: skip
        tests[model] = {
            "q_between": found.q_between,
            "q_between_df": found.q_between_df,
            "q_between_p_value": found.q_between_p_value,
            "q_between_note": found.reason,
        }
    return tests
