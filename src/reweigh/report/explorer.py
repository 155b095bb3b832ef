"""What the explorer shows: every subset of the trials, pooled beforehand by `reweigh.pool`, packed for the page.

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
from reweigh.measures import MEASURE_LABELS
from reweigh.pool.core import pool
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import INTERVAL_LABELS, Model
from reweigh.report.inputs import Inputs, records
from reweigh.report.words import upper_first, window_label
from reweigh.text.numbers import decimals_of, row_text

#: Most trials of which every subset is stored; beyond, every removal of one or two.
ALL_UP_TO = 13
#: Most trials up to which numbers are stored in double precision and by every method.
FULL_UP_TO = 10
TAU2 = {
    "REML": "REML (restricted maximum likelihood)",
    "PM": "Paule-Mandel",
    "DL": "DerSimonian-Laird",
    "ML": "Maximum likelihood",
    "SJ": "Sidik-Jonkman",
    "EE": "Common effect (tau2 = 0)",
}
INTERVALS = ("hartung-knapp", "hartung-knapp guarded", "wald")
FEWER = ("REML", "DL", "EE")
NO_PI = "this model has no prediction interval"
OF_SUBSET = ("q", "q_p_value")
OF_TAU2 = ("estimate", "tau2", "i2_tau2")
OF_INTERVAL = ("ci_lower", "ci_upper", "pi_lower", "pi_upper", "p_value")

Bools = NDArray[np.bool_]
Method = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Trials of one analysis in one set at one crossover correlation (None: as the protocol says)."""

    frame: pd.DataFrame
    set_name: str
    correlation: float | None
    methods: tuple[Method, ...]

    @property
    def k(self) -> int:
        """Number of trials."""
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
    models = [m for m in protocol.models_of("main") if m.pooling == "inverse variance"]
    tau2 = {name: TAU2.get(name, name) for name in dict.fromkeys([*TAU2, *(m.tau2 for m in models)])}
    intervals = {i: upper_first(INTERVAL_LABELS[i]) for i in dict.fromkeys([*INTERVALS, *(m.interval for m in models)])}
    return {
        "level": protocol.level,
        "tau2": tau2,
        "intervals": intervals,
        "model": [models[0].tau2, models[0].interval] if models else ["REML", "hartung-knapp"],
        "fields": [OF_SUBSET, OF_TAU2, OF_INTERVAL],
        "all_up_to": ALL_UP_TO,
        "analyses": analyses,
        "reasons": list(reasons),
    }


def _datasets(group: pd.DataFrame, inputs: Inputs) -> Iterator[Dataset]:
    """The main set at each swept correlation, and every set that differs from it."""
    main: pd.DataFrame | None = None
    for name, frame in group.groupby("set", sort=False):
        key = frame[["comparison_id", "estimate", "variance"]].reset_index(drop=True)
        if name == "main":
            main = key
        elif main is not None and key.equals(main):
            continue
        methods = _methods(frame, inputs.protocol)
        yield Dataset(frame, str(name), None, methods)
        if name == "main":
            for correlation, changed in _swept(frame, inputs.sweep):
                yield Dataset(changed, "main", correlation, methods)


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


def _methods(frame: pd.DataFrame, protocol: Protocol) -> tuple[Method, ...]:
    """Which tau2 estimators with which intervals: all for few trials; for many those that are asked for most."""
    own = [(m.tau2, m.interval) for m in _models(frame, protocol)]
    if len(frame) <= FULL_UP_TO or len(frame) > ALL_UP_TO:
        wanted = [(t, i) for t in TAU2 for i in INTERVALS if t != "EE" or i == "wald"]
    elif frame["measure"].iloc[0] == protocol.outcomes[str(frame["outcome"].iloc[0])].measure:
        wanted = [(t, i) for t in FEWER for i in ("hartung-knapp", "wald") if t != "EE" or i == "wald"]
    else:
        wanted = []
    return tuple(dict.fromkeys([*own, *wanted]))


def _models(frame: pd.DataFrame, protocol: Protocol) -> list[Model]:
    models = protocol.models_of(str(frame["set"].iloc[0]))
    return [m for m in models if m.pooling == "inverse variance" and m.prediction_interval != "bootstrap"]


def _prediction_method(method: Method, frame: pd.DataFrame, protocol: Protocol) -> str:
    """As the protocol's own model says; else on the standard error of the interval, t(k-2) with Wald's."""
    for model in _models(frame, protocol):
        if (model.tau2, model.interval) == method:
            return model.prediction_interval
    return "hartung-knapp" if method[1].startswith("hartung-knapp") else "t(k-2)"


def _analysis(group: pd.DataFrame, sets: Sequence[Dataset], inputs: Inputs, reasons: dict[str, int]) -> dict[str, Any]:
    protocol, first = inputs.protocol, group.iloc[0]
    outcome = protocol.outcomes[str(first["outcome"])]
    base = plot(str(first["analysis"]), inputs.effects, inputs.pooled, inputs.subgroups, protocol)
    table = forest_table(base.effects, base.pooled, None, base.meta)
    log = base.meta.scale == "log"
    low, high = axis_limits(table, log=log)
    ticks = round_ticks(low, high, log=log, fits=lambda at, _: len(at) <= 6)
    shown = records(base.pooled)[0]
    title = f"{outcome.label}, {window_label(str(first['window']), protocol).lower()}"
    return {
        "id": str(first["analysis"]).removesuffix(f".{first['set']}" if first["set"] != "main" else ""),
        "question": f"{first['outcome']}.{first['window']}",
        "title": title,
        "measure": MEASURE_LABELS[first["measure"]],
        "short": str(first["measure"]),
        "log": log,
        "decimals": decimals_of(shown),
        "favours": [base.meta.favours_left, base.meta.favours_right],
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
    column = protocol.subgroups[0] if protocol.subgroups else ""
    labels = protocol.subgroup_labels(column) if column else {}
    log = one.frame["scale"].iloc[0] == "log"
    trials = []
    for row in records(one.frame):
        ends = [float(row[f"{name}_natural"]) for name in ("ci_lower", "ci_upper")]
        low, high = np.log(ends) if log else ends
        group = labels.get(str(row[column]), str(row[column]) or "not reported") if column else ""
        numbers = [float(row["estimate"]), float(low), float(high), float(row["variance"])]
        trials.append([row["comparison_id"], row["label"], group, *numbers, row_text(row, decimals)])
    single = one.k > FULL_UP_TO
    blob, codes = _pack(one, protocol, np.float32 if single else np.float64, reasons)
    return {
        "set": one.set_name,
        "label": protocol.sets[one.set_name].label,
        "correlation": one.correlation,
        "trials": trials,
        "methods": [list(method) for method in one.methods],
        "single": single,
        "numbers": blob,
        "codes": codes,
    }


def _pack(one: Dataset, protocol: Protocol, precision: Any, reasons: dict[str, int]) -> tuple[str, str]:
    """Numbers (columns OF_SUBSET; per tau2 OF_TAU2; per method OF_INTERVAL) and reasons (per method), as base64."""
    yi, vi = (one.frame[name].to_numpy(dtype=float) for name in ("estimate", "variance"))
    there = subsets(one.k)
    y, v = np.broadcast_to(yi, there.shape), np.broadcast_to(vi, there.shape)
    by_subset: list[NDArray[np.float64]] = []
    by_tau2: dict[str, list[NDArray[np.float64]]] = {}
    by_method: list[NDArray[np.float64]] = []
    codes: list[NDArray[np.uint8]] = []
    for method in one.methods:
        tau2, interval = method
        prediction = _prediction_method(method, one.frame, protocol)
        none = prediction == "none"
        result = pool(
            y, v, mask=there, tau2_method=tau2, ci_method=interval, level=protocol.level,
            pi_method="hartung-knapp" if none else prediction, tau2_interval=False,
        )  # fmt: skip
        by_subset = by_subset or [getattr(result, name) for name in OF_SUBSET]
        by_tau2.setdefault(tau2, [getattr(result, name) for name in OF_TAU2])
        for name in OF_INTERVAL:
            values = getattr(result, name)
            by_method.append(np.full_like(values, np.nan) if none and name.startswith("pi_") else values)
        texts, at = np.unique(result.reason.astype(str), return_inverse=True)
        said = ["; ".join(filter(None, [text, NO_PI if none else ""])) for text in texts]
        numbered = np.array([reasons.setdefault(text, len(reasons)) for text in said], dtype=np.uint8)
        codes.append(numbered[at])
    columns = [*by_subset, *(values for of_tau2 in by_tau2.values() for values in of_tau2), *by_method]
    little = np.dtype(precision).newbyteorder("<")
    return _base64(np.concatenate(columns).astype(little).tobytes()), _base64(np.concatenate(codes).tobytes())


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
