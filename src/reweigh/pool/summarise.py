"""From effects.csv to pooled.csv, weights.csv, subgroups.csv and engines.csv: every analysis by every model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from reweigh.effects.measures import number_needed_text
from reweigh.io import frame
from reweigh.measures import MEASURES, SINGLE_GROUP_MEASURES, STANDARDISED_MEASURES, natural
from reweigh.pool.core import Pooled
from reweigh.pool.few_trials import FEW, posterior_of, prior_of
from reweigh.pool.refit import COUNTS, no_null, refit, trials_of
from reweigh.pool.subgroups import subgroups
from reweigh.pool.units import Units, level_of, models_of
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model
from reweigh.schemas import columns
from reweigh.text.codes import code, has, join, without
from reweigh.text.pool import noted

IDENTITY = ("analysis", "outcome", "window", "measure", "set")
MODEL = ("model", "tau2_method", "ci_method", "pooling", "level", "scale")
SIZE = ("k", "comparisons", "n_intervention", "n_control", "participants")
MEAN = ("estimate", "se", "ci_lower", "ci_upper", "statistic", "df", "p_value")
_ENDS = ("", "_ci_lower", "_ci_upper")
HETEROGENEITY = {
    **{name: name for name in ("tau2", "tau2_ci_lower", "tau2_ci_upper", "tau", "q", "q_df", "q_p_value")},
    **{f"{name}{end}": f"{name}_tau2{end}" for name in ("i2", "h2") for end in _ENDS},
    **{f"{name}_from_q{end}": f"{name}_q{end}" for name in ("i2", "h2") for end in _ENDS},
}
"""Columns of the tables and the field of `Pooled` that each takes; a model with I2 from Q takes that for `i2`, `h2`."""
PREDICTION = ("pi_lower", "pi_upper")
NATURAL = ("estimate", "ci_lower", "ci_upper")
GUARDED = ("guarded_ci_lower", "guarded_ci_upper", "guarded_pi_lower", "guarded_pi_upper")
I2_DEFINITIONS = {"tau2": "tau2-based", "Q": "Q-based"}
"""I2 = tau2 / (tau2 + typical variance), as metafor and RevMan (since 2024) print it, or (Q - df)/Q."""
COLUMNS = columns("pooled.csv")
BAYES = "bayes"
NOT_REPORTED = "not reported"

Row = dict[str, object]
Fits = Mapping[tuple[str, str], Pooled]
"""Fitted models by analysis and name of the model."""


def fit_all(
    effects: pd.DataFrame, protocol: Protocol, start: str = "pymare", units: pd.DataFrame | None = None
) -> dict[tuple[str, str], Pooled]:
    """Every analysis by every model of its set; sets with the same effects share a fit.

    `start` is whose fit is polished, "pymare" or "own": the numbers are the same. `units`: units.csv.
    """
    fits: dict[tuple[str, str], Pooled] = {}
    same: dict[tuple[Model, float, str, bytes], Pooled] = {}
    pooled = Units(effects, units)
    for analysis, group in pooled.analyses.items():
        level = level_of(group, protocol)
        for model in models_of(group, protocol):
            trials = trials_of(pooled.of(analysis, model.units))
            content = trials.yi.tobytes() + trials.vi.tobytes() + trials.counts.tobytes()
            key = model, level, trials.measure, content
            if key not in same:
                same[key] = refit(trials, model, level=level, start=start)
            fits[analysis, model.name] = same[key]
    return fits


def pooled_table(
    effects: pd.DataFrame,
    protocol: Protocol,
    start: str = "pymare",
    fits: Fits | None = None,
    units: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Pool every analysis by every model of its set.

    Where there are five trials or fewer and the protocol has a prior for the measure, the Bayesian model stands beside
    them (posterior median, shortest credible and prediction interval). Returns one row per analysis and model, the main
    model first; COLUMNS as results/README.md says.

    `effects` (effects.csv) on the analysis scale; `start`, `units` and `fits` as in, and from, `fit_all`.
    """
    fits = fit_all(effects, protocol, start, units) if fits is None else fits
    pooled, rows = Units(effects, units), list[Row]()
    for analysis, group in pooled.analyses.items():
        models = models_of(group, protocol)
        rows += [_row(pooled.of(analysis, m.units), fits[analysis, m.name], 0, m, protocol) for m in models]
        rows += _bayes_row(pooled.of(analysis, "trial"), protocol)
    return frame("pooled.csv", rows)


def pool_by(group: pd.DataFrame, model: Model, protocol: Protocol) -> tuple[pd.Series, pd.Series]:
    """What pooled.csv and weights.csv say of these effects of one analysis (one row or more), pooled by one model.

    Returns the row of pooled.csv, and the weight in percent by comparison_id.
    """
    result = refit(trials_of(group), model, level=level_of(group, protocol))
    weights = pd.Series(result.weights[0], index=group["comparison_id"].to_numpy())
    return pd.Series(_row(group, result, 0, model, protocol)), weights


def weights_table(
    effects: pd.DataFrame, protocol: Protocol, fits: Fits, units: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The weight in percent of every comparison in every analysis and model; missing where it says nothing there."""
    pooled, parts = Units(effects, units), []
    for analysis, group in pooled.analyses.items():
        for model in models_of(group, protocol):
            told = pooled.of(analysis, model.units)[["analysis", "comparison_id", "study_id"]]
            parts.append(told.assign(model=model.name, weight=fits[analysis, model.name].weights[0]))
    there = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
    return there.reindex(columns=list(columns("weights.csv")))


def subgroup_table(effects: pd.DataFrame, protocol: Protocol, units: pd.DataFrame | None = None) -> pd.DataFrame:
    """Pool the subgroups of every analysis of `whole_sets` by every model, for every subgroup column of the protocol.

    Returns one row per analysis, model and subgroup, with the test for subgroup differences, or the reason why there is
    none, on each. Trials without a value in the column stand in a row "not reported" of their own, which takes no part
    in the test; its notes name them. By a column of rows a trial stands in every subgroup that its rows are in.
    """
    pooled, rows = Units(effects[effects["set"].isin(protocol.whole_sets)], units), list[Row]()
    # Parts of a table are taken again and again, which costs as much as the table is wide.
    needed = [*IDENTITY, "scale", "study_id", "label", "design", "estimate", "variance", "assumption_codes", *COUNTS]
    for column in protocol.subgroup_columns:
        for analysis, group in pooled.analyses.items():
            parted: dict[str, pd.DataFrame] = {}
            for model in models_of(group, protocol):
                if model.units not in parted:
                    whole = pooled.of(analysis, model.units, column)
                    kept = [name for name in dict.fromkeys([*needed, column]) if name in whole]
                    parted[model.units] = _parted(whole[kept], column, protocol)
                rows += _split(parted[model.units], f"{analysis}.by_{column}", column, model, protocol)
    table = frame("subgroups.csv", rows)
    one = ["outcome", "window", "measure", "set", "model"]
    counted = table[table["q_between"].notna()].groupby(one)["column"].nunique()
    keys = pd.MultiIndex.from_frame(table[one])
    return table.assign(tests_made=counted.reindex(keys).fillna(0).astype(int).to_numpy())


def _parted(group: pd.DataFrame, column: str, protocol: Protocol) -> pd.DataFrame:
    """Effects with the printed name of their `subgroup`, in the order of the protocol, and whether it is `_known`."""
    labels = protocol.subgroup_labels(column)
    value = group[column].fillna("").astype(str)
    named = value.map(labels).where(value != "", NOT_REPORTED).fillna(value)
    order = {label: i for i, label in enumerate([*labels.values(), NOT_REPORTED])}
    group = group.assign(subgroup=named, _known=value != "")
    return group.sort_values("subgroup", key=lambda s: s.map(order), kind="stable")


def engines_table(
    effects: pd.DataFrame, pooled: pd.DataFrame, protocol: Protocol, units: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Headline numbers of pooled.csv beside those of the second engine.

    Returns one row per analysis, model and number: both values and their relative difference. Raises
    reweigh.pool.engines.EngineDisagreement if a number of any analysis differs by more than a millionth.
    """
    from reweigh.pool.engines import HEADLINE, compare  # statsmodels is slow to import

    rows: list[Row] = []
    groups = Units(effects, units)
    models = protocol.every_model
    known = pooled["estimate"].notna() & (pooled["model"] != BAYES) & (pooled["comparisons"] > 1)
    for _, row in pooled[known].iterrows():
        model = models[row["model"]]
        trials = trials_of(groups.of(row["analysis"], model.units))
        own = model.for_measure(trials.measure)
        names = [name for name in HEADLINE if name != "i2_tau2" or own.i2 == "tau2"]
        if not MEASURES[trials.measure].null:
            names = [name for name in names if name != "p_value"]
        if own.prediction_interval in ("none", "bootstrap"):
            names = [name for name in names if not name.startswith("pi_")]
        first = {name: float(row[_COLUMN_OF.get(name, name)]) for name in names}
        counts = own.pooling != "inverse variance"
        found = compare(
            trials.yi, trials.vi, tau2_method=own.tau2, ci_method=own.interval, level=row["level"],
            pi_method=own.prediction, first=first,
            counts=trials.counts if counts else None, measure=trials.measure, pooling=own.pooling, exact=own.exact,
            rd_variance=own.rd_variance,
        )  # fmt: skip
        rows += [
            {
                "analysis": row["analysis"], "model": row["model"], "number": _COLUMN_OF.get(name, name),
                "first_engine": found.first[name], "second_engine": found.second[name], "difference": difference,
            }
            for name, difference in found.difference.items()
        ]  # fmt: skip
    return frame("engines.csv", rows)


def sweep_table(effects: pd.DataFrame, sweep: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Pool every main analysis with its crossover trials at each swept correlation, by the main model.

    A trial that allows no correlation so large stays at its largest. Returns one row per analysis and correlation:
    estimate and interval on both scales, tau2, I2.

    `sweep`: crossover_sweep.csv, the crossover trials at each correlation.
    """
    sets: list[tuple[str, float, pd.DataFrame]] = []
    for analysis, swept in sweep.groupby("analysis", sort=False):
        group = effects[effects["analysis"] == analysis].set_index("comparison_id")
        for correlation in sorted(set(swept.loc[swept["correlation"] != swept["limit"], "correlation"])):
            within = swept[swept["correlation"] <= correlation + 1e-12]
            at = within.sort_values("correlation").drop_duplicates("comparison_id", keep="last")
            at = at.set_index("comparison_id")
            changed = group.copy()
            changed.loc[at.index, ["estimate", "variance"]] = at[["estimate", "variance"]]
            sets.append((str(analysis), float(correlation), changed))
    rows: list[Row] = []
    for analysis, correlation, group in sets:
        swept = sweep[sweep["analysis"] == analysis]
        model, level = models_of(group, protocol)[0], level_of(group, protocol)
        row = _row(group, refit(trials_of(group), model, level=level), 0, model, protocol)
        own = swept.loc[swept["protocol"] == "yes", "correlation"]
        said = {"parameter": swept["parameter"].iloc[0], "correlation": correlation}
        rows.append(row | said | {"protocol": "yes" if (own == correlation).any() else "no"})
    return pd.DataFrame(rows, columns=list(columns("crossover_sweep_pooled.csv")))


_COLUMN_OF = {field: column for column, field in HETEROGENEITY.items()}


def _size(group: pd.DataFrame, told: np.ndarray, protocol: Protocol) -> Row:
    """Trials, comparisons and patients of the rows that are pooled; a patient counts once."""
    study, design = (group[name].to_numpy()[told] for name in ("study_id", "design"))
    # The patients of a crossover trial stand in both arms.
    n1, n2 = (group[f"n_{arm}"].to_numpy(dtype=float, copy=True)[told] for arm in ("intervention", "control"))
    for shared in protocol.shared_arms:
        side = n1 if shared.arm == "intervention" else n2
        of = study == shared.study
        if shared.n == "repeated" and of.sum() > 1:
            side[of & pd.DataFrame({"study": study, "n": side}).duplicated().to_numpy()] = 0
    once = (design == "crossover") | group["measure"].isin(SINGLE_GROUP_MEASURES).to_numpy()[told]
    everyone = np.where(once, n1, n1 + n2)
    return dict(zip(SIZE, (len(set(study)), len(study), _total(n1), _total(n2), _total(everyone)), strict=True))


def _total(n: np.ndarray) -> float:
    """Sum of the known n; missing where no trial gives one."""
    return float(np.nansum(n)) if not np.isnan(n).all() else np.nan


def _natural(values: Mapping[str, float], scale: object, names: Sequence[str]) -> Row:
    return {f"{name}_natural": float(natural(values[name], str(scale))) for name in names}


def _frame_of(group: pd.DataFrame, model: Model, protocol: Protocol) -> Row:
    """A row with its identity and nothing known."""
    first = group.iloc[0]
    own = model.for_measure(str(first["measure"]))
    row: Row = dict.fromkeys(COLUMNS, np.nan)
    row |= {name: first[name] for name in IDENTITY}
    said = (model.name, own.tau2, own.interval, own.pooling, level_of(group, protocol), first["scale"])
    row |= dict(zip(MODEL, said, strict=True))
    row |= {"i2_definition": I2_DEFINITIONS[own.i2], "pi_method": own.prediction_interval}
    return row | dict.fromkeys(("number_needed", "tau2_path", "note_codes", "note"), "")


def numbers_of(result: Pooled, at: int, model: Model) -> dict[str, float]:
    """The numbers of pooled.csv on the analysis scale of data set ``at`` of a model."""
    values = {name: getattr(result, name)[at] for name in (*MEAN, *PREDICTION, *GUARDED, "guarded_p_value")}
    values |= {column: getattr(result, field)[at] for column, field in HETEROGENEITY.items()}
    if model.i2 == "Q":
        values |= {f"{name}{end}": values[f"{name}_from_q{end}"] for name in ("i2", "h2") for end in _ENDS}
    return values


def _row(
    group: pd.DataFrame, result: Pooled, at: int, model: Model, protocol: Protocol, member: np.ndarray | None = None
) -> Row:
    """One row of the tables: data set ``at``, whose trials are `group`; `member` says which they are of its columns."""
    row = _frame_of(group, model, protocol)
    first = group.iloc[0]
    told = ~np.isnan(result.weights[at] if member is None else result.weights[at][member])
    # Where nothing is pooled, the row speaks of all its trials.
    row |= _size(group, told if told.any() else ~told, protocol)
    values = numbers_of(result, at, model)
    row |= values | _natural(values, first["scale"], (*NATURAL, *PREDICTION, *GUARDED))
    needed = ""
    if first["measure"] == "RD" and np.isfinite(values["ci_lower"]):
        better = protocol.outcomes[str(first["outcome"])].better
        needed = number_needed_text(values["estimate"], values["ci_lower"], values["ci_upper"], better or "higher")
    variance = protocol.smd_variance_of(first["outcome"], first["set"])
    codes = notes_of(result, at, values, model, str(first["measure"]), variance)
    codes = join([codes, _as_trials(group[told], model)])
    return row | {"number_needed": needed, "tau2_path": str(result.path[at])} | noted(codes)


def notes_of(
    result: Pooled, at: int, values: Mapping[str, float], model: Model, measure: str, variance: str | None = None
) -> str:
    """What is missing and why, and what the row should be read with, as codes."""
    irrelevant = {"no_test_based_interval"}
    irrelevant |= {"few_for_prediction_interval"} if model.prediction_interval == "none" else set()
    notes = [reason for reason in str(result.reason[at]).split("; ") if reason not in irrelevant]
    if int(result.k[at]) == 2 and result.ci_method.startswith("hartung-knapp"):
        notes.append("hartung_knapp_two_trials")
    if result.narrow[at]:
        notes.append("hartung_knapp_narrow")
    if int(result.k[at]) >= 2 and values["tau2"] == 0 and result.tau2_method != "EE":
        notes.append("tau2_zero")
    notes += single_group_notes(measure)
    if variance is not None and measure in STANDARDISED_MEASURES and model.smd_variance not in (None, variance):
        notes.append(code("smd_variance_differs", variance=variance))
    return join(notes)


def single_group_notes(measure: str) -> list[str]:
    """Codes of what a pooled result of a measure without a null must be read with."""
    if MEASURES[measure].null:
        return []
    return [no_null(measure), *(["logit_scale"] if MEASURES[measure].scale == "logit" else [])]


def _as_trials(group: pd.DataFrame, model: Model) -> str:
    """Code of the rows that a model pools as if they were trials, though a trial gave several."""
    if model.units != "row" or "assumption_codes" not in group:
        return ""
    kept = group.loc[[has(cell, "kept_comparisons") for cell in group["assumption_codes"].fillna("")], "study_id"]
    several = kept[kept.duplicated(keep=False)]
    return code("rows_as_trials", rows=len(several), trials=several.nunique()) if len(several) else ""


def _bayes_row(group: pd.DataFrame, protocol: Protocol) -> list[Row]:
    """The Bayesian model as a row of pooled.csv, where there are two to five trials and a prior."""
    prior = prior_of(str(group["measure"].iloc[0]), protocol)
    if prior is None or not 2 <= group["study_id"].nunique() <= FEW:
        return []
    found = posterior_of(group, prior, protocol)
    row = _frame_of(group, Model(name=BAYES, tau2="REML", interval="wald"), protocol)
    row |= _size(group, np.ones(len(group), dtype=bool), protocol)
    values = {
        "estimate": found.mu_median, "se": found.mu_sd, "ci_lower": found.mu_lower, "ci_upper": found.mu_upper,
        "tau": found.tau_median, "tau2": found.tau_median**2, "tau2_ci_lower": found.tau_lower**2,
        "tau2_ci_upper": found.tau_upper**2, "pi_lower": found.new_lower, "pi_upper": found.new_upper,
    }  # fmt: skip
    row |= {"tau2_method": "posterior median", "ci_method": "shortest credible interval", "pooling": "Bayesian"}
    row |= values | _natural(values, row["scale"], (*NATURAL, *PREDICTION))
    row |= {"pi_method": "posterior predictive", "i2_definition": ""}
    lacking = without(found.reason, "no_better_direction", "no_important_difference")  # of bayes.csv only
    said = [code("prior", prior=found.prior), lacking, *single_group_notes(str(row["measure"]))]
    return [row | noted(join(said))]


def _split(group: pd.DataFrame, analysis: str, column: str, model: Model, protocol: Protocol) -> list[Row]:
    """One row per subgroup by one model, with the test between them."""
    known = group["_known"].to_numpy(dtype=bool)
    labels = [label if there else None for label, there in zip(group["subgroup"], known, strict=True)]
    missing = code("subgroup_missing", trials=", ".join(group.loc[~known, "label"])) if (~known).any() else ""
    trials, level, rows = trials_of(group), level_of(group, protocol), list[Row]()
    test: Row = {}
    if known.any():
        found = subgroups(trials, labels, model, tau2=protocol.subgroup_tau2, level=level)
        names = ("q_between", "q_between_df", "q_between_p_value")
        test = {name: getattr(found, name) for name in names} | noted(join([found.reason, missing]), "q_between_note")
        for at, label in enumerate(found.labels):
            member = (group["subgroup"] == label).to_numpy() & known
            rows.append(_row(group[member], found.pooled, at, model, protocol, member) | {"subgroup": label})
    if (~known).any():
        rest = _row(group[~known], refit(trials.take(~known), model, level=level), 0, model, protocol)
        rows.append(rest | {"subgroup": NOT_REPORTED} | noted(join([str(rest["note_codes"]), "not_reported"])))
    return [row | {"analysis": analysis, "column": column} | test for row in rows]
