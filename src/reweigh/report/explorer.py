"""What the explorer is given: effects and counts of the trials, what these can be chosen by, and models.

The page pools any choice of trials itself (js/pool.js); what it cannot compute stands here for all trials together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.compute import compute
from reweigh.effects.selection import Analysis, options_of
from reweigh.figures.axis import axis_limits, round_ticks
from reweigh.figures.forest.catalogue import column_label, plot
from reweigh.figures.forest.table import forest_table
from reweigh.io import records
from reweigh.measures import COUNT_MEASURES, MEASURE_LABELS
from reweigh.pool.refit import cannot, trials_of
from reweigh.pool.summarise import pool_by
from reweigh.pool.units import Units, models_of
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import INTERVAL_LABELS, Model, describe_model
from reweigh.quantile import t_critical, z_critical
from reweigh.report.inputs import Inputs
from reweigh.report.trials import ELSEWHERE
from reweigh.report.words import missing, upper_first, window_label
from reweigh.risk_of_bias import OVERALL
from reweigh.text.codes import has, parse, words
from reweigh.text.explorer import PREDICTIONS, SAID, SENTENCES
from reweigh.text.numbers import decimals_of, level_text

TAU2 = {
    "REML": "REML",
    "PM": "Paule-Mandel",
    "DL": "DerSimonian-Laird",
    "ML": "Maximum likelihood",
    "SJ": "Sidik-Jonkman",
    "EE": "Common effect",
}
INTERVALS = ("hartung-knapp", "hartung-knapp guarded", "wald")
COUNTED = {"row": "each comparison by itself", "trial": "each trial once"}
#: Of pooled.csv, where the page cannot compute a model.
WHOLE = {name: name for name in ("estimate", "ci_lower", "ci_upper", "p_value", "tau2", "q", "q_df", "q_p_value",
                                 "pi_lower", "pi_upper")} | {"i2_tau2": "i2", "i2_q": "i2_from_q"}  # fmt: skip
RISK, YEAR = "risk of bias, overall", "year"


def _others() -> dict[str, Model]:
    """Models that can be chosen beside the protocol's own, by what they are called."""
    found = []
    for tau2, name in TAU2.items():
        for interval in INTERVALS if tau2 != "EE" else ("wald",):
            prediction = "none" if tau2 == "EE" else "hartung-knapp" if interval.startswith("hartung") else "t(k-2)"
            label = f"{name}, {INTERVAL_LABELS[interval]}"
            found.append({"name": label, "tau2": tau2, "interval": interval, "prediction_interval": prediction})
    by_counts = {"tau2": "EE", "interval": "wald", "pooling": "mantel-haenszel"}
    corrected = {"mantel_haenszel": "corrected"}
    found += [
        by_counts | {"name": "Mantel-Haenszel, common effect"},
        by_counts | corrected | {"name": "Mantel-Haenszel, common effect, corrected"},
        by_counts | corrected | {"name": "Mantel-Haenszel, DerSimonian-Laird", "tau2": "DL"},
        by_counts | {"name": "Peto", "pooling": "peto"},
    ]
    return {one["name"]: Model.model_validate(one) for one in found}


OTHERS = _others()


def every_model(protocol: Protocol) -> dict[str, Model]:
    """The protocol's models, and those of the others whose name it does not use for one of its own."""
    own = protocol.every_model
    return own | {name: model for name, model in OTHERS.items() if name not in own}


@dataclass(frozen=True, slots=True)
class Dataset:
    """Trials of one analysis in one set at one crossover correlation (None: as the protocol says)."""

    frame: pd.DataFrame
    set_name: str
    label: str
    correlation: float | None
    models: tuple[Model, ...]

    @property
    def k(self) -> int:
        """Number of comparisons."""
        return len(self.frame)


class Trials:
    """Every trial of the page once, with what it can be chosen by; those of an analysis are places in `rows`.

    A row has comparison_id, label, study_id and a cell per column: a number, the place of a text among the column's
    `values`, None where it is not reported.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.inputs, self.rows = inputs, dict[tuple[Any, ...], int]()
        self.studies = {str(study["study_id"]): study for study in records(inputs.studies)}
        there = [c for c in inputs.protocol.study_columns if c in inputs.effects]
        risk = [] if inputs.bias is None else [RISK]
        names = dict.fromkeys([*there, "design", YEAR, *risk, *(str(c) for c in inputs.studies if c not in ELSEWHERE)])
        self.columns = [column for name in names if (column := self._column(name))]

    def _column(self, name: str) -> dict[str, Any] | None:
        """A column by which the trials of the page can be told apart; None where it does not sort them."""
        protocol = self.inputs.protocol
        given = [(row["study_id"], self._value(row, name)) for row in records(self.inputs.effects)]
        found = list(dict.fromkeys(value for _, value in given if value is not None))
        texts = [value for value in found if isinstance(value, str)]
        # A text that hardly two trials share says what a trial is, not what to choose.
        if len(found) < 2 or 2 * len(texts) > len({study for study, _ in given}):
            return None
        of_subgroup = name in protocol.subgroup_columns
        labels = protocol.subgroup_labels(name) if of_subgroup else protocol.categories.get(name, {})
        known = [*(value for value in labels if value in texts), *(value for value in texts if value not in labels)]
        values = [upper_first(labels.get(value, value)) for value in known]
        places = {value: place for place, value in enumerate(known)}
        return {"id": name, "label": upper_first(column_label(name, protocol)), "values": values, "places": places}

    def _value(self, row: Mapping[str, Any], name: str) -> float | str | None:
        """What a trial of an analysis has in a column."""
        study = str(row["study_id"])
        if name == RISK:
            bias = self.inputs.bias
            level = None if bias is None else bias.judgements(study, str(row["outcome"])).get(OVERALL)
            return level.label if level else None
        value = row[name] if name in row else self.studies.get(study, {}).get(name)
        return None if missing(value) else float(value) if isinstance(value, float | int) else str(value)

    def place(self, row: Mapping[str, Any]) -> int:
        """The place of a row of effects.csv among the trials."""
        cells = []
        for column in self.columns:
            value = self._value(row, column["id"])
            cells.append(column["places"].get(value) if column["places"] else _plain(value))
        key = (row["comparison_id"], row["label"], row["study_id"], *cells)
        return self.rows.setdefault(key, len(self.rows))


def explorer_data(inputs: Inputs) -> dict[str, Any]:
    """Everything that the explorer of a page needs, as JSON; analyses without two trials in any set are left out."""
    inputs = with_further_measures(inputs)
    protocol, trials, codes = inputs.protocol, Trials(inputs), set[str]()
    analyses, levels = [], dict[float, int]()
    for (outcome, *_), group in inputs.effects.groupby(["outcome", "window", "measure"], sort=False):
        sets = list(_datasets(group, inputs))
        if (most := max(one.k for one in sets)) > 1:
            analyses.append(_analysis(group, sets, inputs, trials, codes))
            level = protocol.level_of(str(outcome))
            levels[level] = max(most, levels.get(level, 0))
    own = protocol.every_model
    return {
        "models": {name: _said(model, own=name in own) for name, model in every_model(protocol).items()},
        "critical": {str(level): quantiles(level, most) for level, most in levels.items()},
        "columns": [{name: column[name] for name in ("id", "label", "values")} for column in trials.columns],
        "trials": [list(row) for row in trials.rows],
        "analyses": analyses,
        "said": dict(SAID) | {code: words(code, SENTENCES) for code in sorted(codes)},
    }


def quantiles(level: float, k: int) -> dict[str, Any]:
    """Two-sided quantiles of the normal distribution, and of t with 1, 2 ... degrees of freedom."""
    return {"z": float(z_critical(level)), "t": t_critical(np.arange(1, max(k, 2)), level).tolist()}


def _said(model: Model, *, own: bool) -> dict[str, Any]:
    """What the page says of a model, and what its pooling module is told."""
    return {
        "own": own,
        "label": _label(model) if own else model.name,
        "what": upper_first(describe_model(model.model_copy(update={"note": ""}))),
        "i2": "Q-based" if model.i2 == "Q" else "tau2-based",
        "rule": PREDICTIONS[model.prediction_interval if model.tau2 != "EE" else "none"],
        **model_of(model),
    }


def model_of(model: Model) -> dict[str, Any]:
    """A model as the page's pooling module takes it."""
    return {"prediction": model.prediction_interval, "exact": model.exact} | {
        name: getattr(model, name) for name in ("pooling", "tau2", "interval", "rd_variance")
    }


def _label(model: Model) -> str:
    """`REML, Hartung-Knapp (cochrane)`; the name alone where it says how."""
    how = f"{TAU2.get(model.tau2, model.tau2)}, {INTERVAL_LABELS[model.interval]}"
    told = model.pooling != "inverse variance" or INTERVAL_LABELS[model.interval].lower() in model.name.lower()
    return model.name if told else f"{how} ({model.name})"


def with_further_measures(inputs: Inputs) -> Inputs:
    """The tables with RR, OR and RD of each outcome that has the counts of every trial, asked for or not.

    The effects are those that the stage `effects` gives for these counts; of pooled.csv there is what axes need.
    """
    protocol, more = inputs.protocol, []
    several = set() if inputs.units.empty else set(inputs.units["analysis"])
    for (outcome, window), group in inputs.effects.groupby(["outcome", "window"], sort=False):
        first = protocol.outcomes[str(outcome)]
        if first.measure not in COUNT_MEASURES or group["analysis"].value_counts().max() < 2:
            continue
        for measure in sorted(COUNT_MEASURES - set(group["measure"]), key=list(MEASURE_LABELS).index):
            found = []
            for name, rows in group[group["measure"] == first.measure].groupby("set", sort=False):
                one = Analysis(str(outcome), measure, str(name))
                if rows["analysis"].iloc[0] in several or (changed := _by_measure(rows, one, inputs)) is None:
                    continue
                found.append(changed.assign(analysis=one.id(str(window), first)))
            more += found if found and found[0]["set"].iloc[0] == "main" else []
    if not more:
        return inputs
    effects = pd.concat(more, ignore_index=True)
    main = effects[effects["set"] == "main"].groupby("analysis")
    pooled = [pool_by(rows, models_of(rows, protocol)[0], protocol)[0] for _, rows in main]
    return replace(
        inputs,
        effects=pd.concat([inputs.effects, effects], ignore_index=True),
        pooled=pd.concat([inputs.pooled, pd.DataFrame(pooled)], ignore_index=True),
    )


def _by_measure(rows: pd.DataFrame, one: Analysis, inputs: Inputs) -> pd.DataFrame | None:
    """Rows of effects.csv by another measure of the same counts; None where a trial has none or lies behind its counts.

    That the counts are all that a trial's effect rests on is seen from them: they give it back.
    """
    counts = trials_of(rows).counts
    lost = inputs.not_pooled
    lost = lost[lost["analysis"] == rows["analysis"].iloc[0]] if len(lost) else lost
    # Trials without events in either arm are in no ratio's analysis, and in that of the risk difference.
    silent = any(
        has(code, "double_zero", "all_events", "zero_cell_uncorrected") for code in lost.get("reason_code", ())
    )
    if np.isnan(counts).any() or silent:
        return None
    options = options_of(inputs.protocol.sets[one.set_name], one, inputs.protocol)
    table = pd.DataFrame(dict(zip(("events1", "n1", "events2", "n2"), counts, strict=True)), index=rows.index)
    same = compute(table.assign(measure=rows["measure"]), options)
    if not all(np.allclose(same[c], rows[c], rtol=1e-9, atol=1e-12) for c in ("estimate", "variance")):
        return None
    changed = compute(table.assign(measure=one.measure), options)
    if changed["estimate"].isna().any():
        return None
    columns = [
        c
        for c in ("scale", "estimate", "variance", "se", "estimate_natural", "ci_lower_natural", "ci_upper_natural")
        if c in rows
    ]
    return rows.assign(measure=one.measure, **{c: changed[c] for c in columns})


def _datasets(group: pd.DataFrame, inputs: Inputs) -> Iterator[Dataset]:
    """The main set at each swept correlation, and every set that differs from it."""
    protocol, units = inputs.protocol, Units(group, inputs.units)
    main: pd.DataFrame | None = None
    for name, frame in group.groupby("set", sort=False):
        key = frame[["comparison_id", "estimate", "variance"]].reset_index(drop=True)
        if name == "main":
            main = key
        elif main is not None and key.equals(main):
            continue
        label, models = protocol.sets[str(name)].label, _models(frame, protocol)
        own, analysis = models[0].units, str(frame["analysis"].iloc[0])
        parted = {one: units.of(analysis, one) for one in dict.fromkeys(model.units for model in models)}
        if all(one is units.analyses[analysis] for one in parted.values()):
            parted = {own: frame}
        for unit, rows in parted.items():
            # Trials of several comparisons are counted in two ways, each by the models that do so.
            said = "" if len(parted) == 1 else f": {COUNTED[unit]}"
            fitting = tuple(model for model in models if len(parted) == 1 or model.units == unit)
            yield Dataset(rows, str(name) + ("" if unit == own else f".{unit}"), label + said, None, fitting)
        if name == "main":
            for correlation, changed in _swept(frame, inputs.sweep):
                yield Dataset(changed, "main", label, correlation, models)


def _swept(frame: pd.DataFrame, sweep: pd.DataFrame) -> Iterator[tuple[float, pd.DataFrame]]:
    """The analysis with its crossover trials at each correlation, as crossover_sweep_pooled.csv pools it."""
    swept = sweep[sweep["analysis"] == frame["analysis"].iloc[0]]
    columns = ["estimate", "variance", "estimate_natural", "ci_lower_natural", "ci_upper_natural"]
    for correlation in sorted(set(swept.loc[swept["correlation"] != swept["limit"], "correlation"])):
        within = swept[swept["correlation"] <= correlation + 1e-12].sort_values("correlation")
        at = within.drop_duplicates("comparison_id", keep="last").set_index("comparison_id")
        changed = frame.set_index("comparison_id")
        changed.loc[at.index, columns] = at[columns]
        yield float(correlation), changed.reset_index()


def _models(frame: pd.DataFrame, protocol: Protocol) -> tuple[Model, ...]:
    """The protocol's models, and all others of another kind; those of counts only where there may be counts."""
    own, measure = models_of(frame, protocol), str(frame["measure"].iloc[0])
    known = {_kind(model, measure) for model in own}
    binary, every = measure in COUNT_MEASURES, protocol.every_model
    others = (m for name, m in OTHERS.items() if name not in every)
    fitting = (m for m in others if binary or m.pooling == "inverse variance")
    return (*own, *(model for model in fitting if _kind(model, measure) not in known))


def _kind(model: Model, measure: str) -> tuple[object, ...]:
    one = model.for_measure(measure)
    exact = one.pooling == "mantel-haenszel" and one.exact
    return one.pooling, one.tau2, one.interval, one.prediction_interval, one.i2, exact, one.rd_variance


def _analysis(
    group: pd.DataFrame, sets: Sequence[Dataset], inputs: Inputs, trials: Trials, codes: set[str]
) -> dict[str, Any]:
    protocol, first = inputs.protocol, group.iloc[0]
    outcome = protocol.outcomes[str(first["outcome"])]
    base = plot(str(first["analysis"]), inputs.effects, inputs.pooled, inputs.subgroups, inputs.weights, protocol)
    table = forest_table(base.effects, base.pooled, None, base.meta)
    scale, null = base.meta.scale, base.meta.null
    low, high = axis_limits(table, scale=scale, null=null)
    ticks = round_ticks(low, high, scale=scale, fits=lambda at, _: len(at) <= 6)
    shown = records(base.pooled)[0]
    title = f"{outcome.label}, {window_label(str(first['window']), protocol).lower()}"
    return {
        "id": str(first["analysis"]).removesuffix(f".{first['set']}" if first["set"] != "main" else ""),
        "question": f"{first['outcome']}.{first['window']}",
        "title": title,
        "measure": MEASURE_LABELS[first["measure"]],
        "asked": str(first["measure"]) in (outcome.measure, *outcome.also),
        "level": [str(base.meta.level), level_text(base.meta.level)],
        "model": protocol.models_of(str(first["outcome"]))[0].name,
        "short": str(first["measure"]),
        "scale": scale,
        "null": null,
        "decimals": decimals_of(shown),
        "favours": [base.meta.favours_left, base.meta.favours_right] if base.meta.favours_left else [],
        "axis": {"low": low, "high": high, "ticks": [list(pair) for pair in zip(*ticks, strict=True)]},
        "parameter": _parameter(str(first["analysis"]), inputs),
        "datasets": [_dataset(one, inputs, trials, codes) for one in sets],
    }


def _parameter(analysis: str, inputs: Inputs) -> dict[str, Any] | None:
    """The swept correlation and what the protocol takes it to be."""
    swept = inputs.sweep[inputs.sweep["analysis"] == analysis]
    if swept.empty:
        return None
    assumed = inputs.protocol.assumptions
    name = str(swept["parameter"].iloc[0])
    return {"name": name, "protocol": assumed.crossover_phi if name == "phi" else assumed.crossover_correlation}


def _dataset(one: Dataset, inputs: Inputs, trials: Trials, codes: set[str]) -> dict[str, Any]:
    """Trials, effects and counts of a data set; its models by their places, why others cannot, what pooled.csv has."""
    of, every = trials_of(one.frame), list(every_model(inputs.protocol))
    unable = {every.index(model.name): reason for model in one.models if (reason := cannot(of, model))}
    codes |= set(unable.values())
    able = [model for model in one.models if every.index(model.name) not in unable]
    by_counts = any(model.for_measure(of.measure).pooling != "inverse variance" for model in able)
    counts = {"counts": [[_plain(x) for x in row] for row in of.counts.T]} if by_counts else {}
    whole = {} if one.correlation is not None else _whole(one, able, inputs, codes)
    return {
        "set": one.set_name,
        "label": one.label,
        "correlation": one.correlation,
        "trials": [trials.place(row) for row in records(one.frame)],
        "yi": of.yi.tolist(),
        "vi": of.vi.tolist(),
        **counts,
        "models": [every.index(model.name) for model in able],
        **({"unable": unable} if unable else {}),
        **({"whole": whole} if whole else {}),
    }


def _plain(value: Any) -> Any:
    """A number as short as JSON can have it; None where it is missing."""
    return None if missing(value) else int(value) if value == int(value) else float(value)


def _whole(one: Dataset, able: Sequence[Model], inputs: Inputs, codes: set[str]) -> dict[int, dict[str, Any]]:
    """What pooled.csv and weights.csv have of the models that the page cannot compute, or not in full."""
    every, analysis = list(every_model(inputs.protocol)), str(one.frame["analysis"].iloc[0])
    beyond = {m.name for m in able if m.interval == "profile likelihood" or m.prediction_interval == "bootstrap"}
    found: dict[int, dict[str, Any]] = {}
    for row in inputs.of("pooled", analysis) if beyond else []:
        if (name := str(row["model"])) not in beyond:
            continue
        weights = inputs.weights[(inputs.weights["analysis"] == analysis) & (inputs.weights["model"] == name)]
        numbers = {key: _plain(row[column]) for key, column in WHOLE.items()}
        notes = [str(code) for code in parse(row["note_codes"])]
        codes |= set(notes)
        of = weights.set_index("comparison_id")["weight"].reindex(one.frame["comparison_id"])
        shares = [_plain(x) for x in of.tolist()]
        found[every.index(name)] = numbers | {"weights": shares, "reason": notes}
    return found
