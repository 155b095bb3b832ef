"""What the explorer shows: every subset of the trials, pooled beforehand by `refit`, packed for the page.

The page looks results up and draws them; it pools nothing.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweigh.figures.axis import axis_limits, round_ticks
from reweigh.figures.forest.catalogue import plot
from reweigh.figures.forest.table import forest_table
from reweigh.io import records
from reweigh.measures import MEASURE_LABELS
from reweigh.pool.refit import cannot, refit, trials_of
from reweigh.pool.units import Units
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import INTERVAL_LABELS, Model, describe_model
from reweigh.quantile import z_critical
from reweigh.report.inputs import Inputs
from reweigh.report.words import upper_first, window_label
from reweigh.text.codes import has, join, words
from reweigh.text.numbers import decimals_of, level_text, row_text
from reweigh.text.pool import SENTENCES

#: Most trials of which every subset is stored; beyond, every removal of one or two.
ALL_UP_TO = 13
#: Most trials up to which numbers are stored in double precision and by every method.
FULL_UP_TO = 10
TAU2 = {
    "REML": "REML",
    "PM": "Paule-Mandel",
    "DL": "DerSimonian-Laird",
    "ML": "Maximum likelihood",
    "SJ": "Sidik-Jonkman",
    "EE": "Common effect",
}
INTERVALS = ("hartung-knapp", "hartung-knapp guarded", "wald")
FEWER = ("REML", "DL", "EE")
SAID = dict(SENTENCES) | {
    "no_prediction_interval": "this model has no prediction interval",
    "no_bootstrap": "the bootstrap prediction interval is not computed for subsets",
}
COUNTED = {"row": "each comparison by itself", "trial": "each trial once"}
FIELDS = {
    "q": ("q", "q_p_value"),
    "core": ("estimate", "tau2", "i2"),
    "interval": ("ci_lower", "ci_upper", "pi_lower", "pi_upper", "p_value"),
    "guarded": ("guarded_ci_lower", "guarded_ci_upper"),
}
"""Numbers of a subset by what they depend on; models share the parts that are the same."""

Bools = NDArray[np.bool_]


def _others() -> dict[str, Model]:
    """Inverse-variance models that can be chosen beside the protocol's own, by what they are called."""
    found = {}
    for tau2, name in TAU2.items():
        for interval in INTERVALS if tau2 != "EE" else ("wald",):
            prediction = "none" if tau2 == "EE" else "hartung-knapp" if interval.startswith("hartung") else "t(k-2)"
            label = f"{name}, {INTERVAL_LABELS[interval]}"
            given = {"name": label, "tau2": tau2, "interval": interval, "prediction_interval": prediction}
            found[label] = Model.model_validate(given)
    return found


OTHERS = _others()


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


def subsets(k: int) -> Bools:
    """Subsets (S, k) in the order in which the page finds them.

    Up to ALL_UP_TO trials the subset with bits b is row b - 1. Beyond, row 0 has all trials, row 1 + i lacks trial i,
    then come the pairs (0, 1), (0, 2) ... (k - 2, k - 1).
    """
    if k <= ALL_UP_TO:
        codes = np.arange(1, 2**k, dtype=np.int64)
        return np.asarray((codes[:, None] >> np.arange(k) & 1).astype(bool))
    out = np.ones((1 + k + k * (k - 1) // 2, k), dtype=bool)
    out[1 : k + 1] = ~np.eye(k, dtype=bool)
    for row, pair in enumerate(combinations(range(k), 2), start=k + 1):
        out[row, list(pair)] = False
    return out


def explorer_data(inputs: Inputs) -> dict[str, Any]:
    """Everything that the explorer of a page needs, as JSON; analyses without two trials in any set are left out."""
    protocol, effects = inputs.protocol, inputs.effects
    reasons: dict[str, int] = {"": 0}
    analyses = []
    for _, group in effects.groupby(["outcome", "window", "measure"], sort=False):
        sets = list(_datasets(group, inputs))
        if max(one.k for one in sets) > 1:
            analyses.append(_analysis(group, sets, inputs, reasons))
    own = protocol.every_model
    return {
        "models": {name: _said(model, own=name in own) for name, model in (own | OTHERS).items()},
        "fields": FIELDS,
        "all_up_to": ALL_UP_TO,
        "analyses": analyses,
        "reasons": [[words(codes, SAID), has(codes, "hartung_knapp_narrow")] for codes in reasons],
    }


def _said(model: Model, *, own: bool) -> dict[str, Any]:
    """What the page says of a model, and where its numbers are."""
    return {
        "own": own,
        "label": _label(model) if own else model.name,
        "what": upper_first(describe_model(model.model_copy(update={"note": ""}))),
        "i2": "Q-based" if model.i2 == "Q" else "tau2-based",
        "parts": _parts(model),
    }


def _parts(model: Model) -> dict[str, str]:
    """The parts of FIELDS that a model has, each by the key that it shares with others."""
    iv = model.pooling == "inverse variance"
    parts = {"q": model.pooling if iv else model.name, "core": f"{model.tau2} {model.i2}" if iv else model.name}
    parts["interval"] = model.name
    return parts | ({"guarded": model.name} if model.interval == "hartung-knapp" else {})


def _label(model: Model) -> str:
    """`cochrane: REML, Hartung-Knapp`; the name alone where it says how."""
    how = f"{TAU2.get(model.tau2, model.tau2)}, {INTERVAL_LABELS[model.interval]}"
    told = model.pooling != "inverse variance" or INTERVAL_LABELS[model.interval].lower() in model.name.lower()
    return model.name if told else f"{model.name}: {how}"


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
    """The protocol's models, and others: all for few trials; of many those asked for most, in the main set."""
    outcome, name = str(frame["outcome"].iloc[0]), str(frame["set"].iloc[0])
    own = protocol.models_of(outcome, name)
    main = name == "main" and frame["measure"].iloc[0] == protocol.outcomes[outcome].measure
    if len(frame) <= FULL_UP_TO:
        wanted = list(OTHERS.values())
    elif main:
        wanted = [m for m in OTHERS.values() if m.tau2 in FEWER and m.interval in ("hartung-knapp", "wald")]
    else:
        wanted = []
    known = {_kind(model) for model in own}
    return (*own, *(model for model in wanted if _kind(model) not in known))


def _kind(model: Model) -> tuple[str, ...]:
    return model.pooling, model.tau2, model.interval, model.prediction_interval, model.i2


def _analysis(group: pd.DataFrame, sets: Sequence[Dataset], inputs: Inputs, reasons: dict[str, int]) -> dict[str, Any]:
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
        "level": level_text(base.meta.level),
        "model": protocol.models_of(str(first["outcome"]))[0].name,
        "short": str(first["measure"]),
        "scale": scale,
        "null": null,
        "decimals": decimals_of(shown),
        "favours": [base.meta.favours_left, base.meta.favours_right] if base.meta.favours_left else [],
        "axis": {"low": low, "high": high, "ticks": [list(pair) for pair in zip(*ticks, strict=True)]},
        "parameter": _parameter(str(first["analysis"]), inputs),
        "datasets": [_dataset(one, inputs, decimals_of(shown), reasons) for one in sets],
    }


def _parameter(analysis: str, inputs: Inputs) -> dict[str, Any] | None:
    """The swept correlation and what the protocol takes it to be."""
    swept = inputs.sweep[inputs.sweep["analysis"] == analysis]
    if swept.empty:
        return None
    assumed = inputs.protocol.assumptions
    name = str(swept["parameter"].iloc[0])
    return {"name": name, "protocol": assumed.crossover_phi if name == "phi" else assumed.crossover_correlation}


def _dataset(one: Dataset, inputs: Inputs, decimals: int | None, reasons: dict[str, int]) -> dict[str, Any]:
    protocol = inputs.protocol
    column = next(iter(protocol.subgroup_columns), "")
    labels = protocol.subgroup_labels(column) if column else {}
    z = float(z_critical(protocol.level_of(one.frame["outcome"].iloc[0])))
    trials = []
    for row in records(one.frame):
        y, v = float(row["estimate"]), float(row["variance"])
        group = labels.get(str(row[column]), str(row[column]) or "not reported") if column else ""
        numbers = [y, y - z * v**0.5, y + z * v**0.5, v]
        said = row_text(row, decimals)
        trials.append([row["comparison_id"], row["label"], group, *numbers, said, row["study_id"]])
    single = one.k > FULL_UP_TO
    return {
        "set": one.set_name,
        "label": one.label,
        "correlation": one.correlation,
        "trials": trials,
        "single": single,
        **_pack(one, protocol, np.float32 if single else np.float64, reasons),
    }


def _pack(one: Dataset, protocol: Protocol, precision: Any, reasons: dict[str, int]) -> dict[str, Any]:
    """The models that can pool the trials; their numbers, part after part, and reasons.

    Also each trial's weight where it is not the inverse of its variance, and why the other models cannot.
    """
    trials, there, level = trials_of(one.frame), subsets(one.k), protocol.level_of(one.frame["outcome"].iloc[0])
    parts: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    codes: list[NDArray[np.uint8]] = []
    weights: dict[str, list[float | None]] = {}
    able, unable = [], {}
    for asked in one.models:
        if reason := cannot(trials, asked):
            unable[asked.name] = words(reason, SAID)
            continue
        bootstrap = asked.prediction_interval == "bootstrap"
        result = refit(trials, asked, mask=there, level=level, tau2_interval=False, bootstrap=False)
        able.append(asked.name)
        names = {"i2": "i2_q" if asked.i2 == "Q" else "i2_tau2"}
        for part in _parts(asked).items():
            parts.setdefault(part, [getattr(result, names.get(name, name)) for name in FIELDS[part[0]]])
        also = "no_bootstrap" if bootstrap else "no_prediction_interval" if asked.prediction_interval == "none" else ""
        narrow = np.where(result.narrow, "hartung_knapp_narrow", "")
        said = np.array([join([*str(r).split("; "), n, also]) for r, n in zip(result.reason, narrow, strict=True)])
        texts, at = np.unique(said, return_inverse=True)
        numbered = np.array([reasons.setdefault(str(text), len(reasons)) for text in texts], dtype=np.uint8)
        codes.append(numbered[at])
        if asked.pooling != "inverse variance" and asked.tau2 == "EE":
            everyone = result.weights[int(there.all(axis=1).argmax())]
            weights[asked.name] = [None if np.isnan(w) else float(w) for w in everyone]
    columns = [values for part in parts.values() for values in part]
    little = np.dtype(precision).newbyteorder("<")
    return {
        "models": able,
        "unable": unable,
        "weights": weights,
        "numbers": _base64(np.concatenate(columns).astype(little).tobytes()) if columns else "",
        "codes": _base64(np.concatenate(codes).tobytes()) if codes else "",
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
