"""The forest plot as one tidy table: a row per printed line, its text and its marks from the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from reweigh.figures.axis import axis_limits
from reweigh.figures.forest_words import (
    Row,
    difference_text,
    heterogeneity_text,
    model_notes,
    model_text,
    number,
    overall_test_text,
    trial_notes,
    words,
)
from reweigh.figures.lights import Lights
from reweigh.figures.numerals import (
    DASH,
    difference_decimals,
    effect_text,
    fixed,
    interval_text,
    level_text,
    needed_decimals,
)
from reweigh.figures.style import clean, symbols

SORTS = ("protocol", "estimate", "weight", "year")
ARMS = ("intervention", "control")
#: Text columns of the arms in printed order; one that is empty in every row is not drawn.
ARM_COLUMNS = tuple(f"{what}_{arm}" for arm in ARMS for what in ("events", "mean", "sd", "n"))
TEXT_COLUMNS = ("label", "note_marks", *ARM_COLUMNS, "effect", "weight_text", "risk_of_bias")
NUMBER_COLUMNS = ("estimate", "ci_lower", "ci_upper", "weight")
COLUMNS = (
    "y", "kind", "layer", "row_id", "study_id", "indent", *TEXT_COLUMNS, *NUMBER_COLUMNS,
    "marker", "clipped_lower", "clipped_upper",
)  # fmt: skip

Trial = dict[Any, Any]

#: Lines of small text stand closer; the axis with its labels and arrows takes this many lines.
SMALL_LINE, AXIS_LINES = 0.85, 3.3


@dataclass(frozen=True, slots=True)
class ForestMeta:
    """What a forest plot says besides its numbers.

    `favours_left` and `favours_right` are printed as they stand ("Favours ketamine"). `subgroup_labels` are the
    printed names of the values of the subgroup column; `plain` are pieces of a derivation that need no footnote,
    besides those that only name the measure. `risk_of_bias` are the judgements of its trials, if there are any.
    """

    title: str = ""
    measure_label: str = "Effect"
    intervention: str = "Intervention"
    control: str = "Control"
    favours_left: str = ""
    favours_right: str = ""
    scale: str = "natural"
    level: float = 0.95
    footnotes: tuple[str, ...] = ()
    sort: str = "protocol"
    subgroup_labels: Mapping[str, str] = field(default_factory=dict)
    plain: tuple[str, ...] = ()
    risk_of_bias: Lights | None = None

    def __post_init__(self) -> None:  # noqa: D105
        if self.scale not in ("log", "natural"):
            raise ValueError(f"scale {self.scale!r} is unknown; allowed: log, natural")
        if self.sort not in SORTS:
            raise ValueError(f"sort {self.sort!r} is unknown; allowed: {', '.join(SORTS)}")
        if not 0 < self.level < 1:
            raise ValueError(f"level {self.level!r} must lie between 0 and 1")


def forest_table(
    effects: pd.DataFrame, pooled: pd.DataFrame, subgroups: pd.DataFrame | None, meta: ForestMeta
) -> pd.DataFrame:
    """Lay out one analysis as the printed lines of a forest plot.

    Parameters
    ----------
    effects
        Rows of effects.csv of the analysis; estimate and variance on the analysis scale.
    pooled
        Rows of pooled.csv of the analysis, the main model first, models to compare after it.
    subgroups
        Rows of subgroups.csv of one subgroup column and the main model, or None.
    meta
        Labels, scale, sort order.

    Returns
    -------
    COLUMNS; `y` in lines from the top, `kind` (title, column header, study, subgroup heading, subgroup pooled,
    heterogeneity line, overall, prediction interval, comparison model, test line, footnote), estimate and interval
    on the analysis scale, weight in percent (1/(variance + tau2) of the main model), `marker` (square, diamond,
    outline, bar or empty), the overall risk of bias in words where the trials are judged, and whether either end of
    the interval lies beyond the axis.

    Raises
    ------
    ValueError
        If a trial lacks a finite estimate, a positive variance or its interval, if its subgroup is not among the
        subgroups, or if the tables disagree on the number of trials.
    """
    main = pooled.iloc[0].to_dict() if len(pooled) else {}
    trials = _trials(effects, main, meta)
    _same_k(len(trials), number(main, "k"), "the analysis")
    others: Sequence[Row] = pooled.iloc[1:].to_dict("records")
    parts = [] if subgroups is None or subgroups.empty else _subgroups(trials, subgroups, meta)
    if parts:
        trials = [trial for _, group in parts for trial in group]
    marks, notes = trial_notes(trials, meta.plain)
    for trial, mark in zip(trials, marks, strict=True):
        trial["note_marks"] = mark
    lines = _Lines(meta, trials, main)
    lines.headers()
    for at, (row, group) in enumerate(parts, start=1):
        lines.subgroup(at, row, group)
    for trial in [] if parts else trials:
        lines.study(trial, indent=0)
    if len(trials) > 1:
        lines.overall(main, others)
    lines.band(main, parts[0][0] if parts else None)
    texts = list(model_notes(main, others)) if main and len(trials) > 1 else []
    lines.footnotes([("", text) for text in (*texts, *map(clean, meta.footnotes))] + notes)
    table = pd.DataFrame(lines.rows, columns=list(COLUMNS))
    low, high = axis_limits(table, log=meta.scale == "log")
    return table.assign(clipped_lower=table["ci_lower"] < low, clipped_upper=table["ci_upper"] > high)


def _same_k(trials: int, k: float, where: str) -> None:
    if not math.isnan(k) and k != trials:
        raise ValueError(f"{where}: {trials} trials in the effects, but k = {k:g} in the pooled results")


def _trials(effects: pd.DataFrame, main: Row, meta: ForestMeta) -> list[Trial]:
    """The trials in their order with interval and weight."""
    needed = ("label", "estimate", "variance", "ci_lower_natural", "ci_upper_natural")
    for name in needed:
        if name not in effects:
            raise ValueError(f"effects lack the column {name!r}")
    columns = {name: pd.to_numeric(effects[name]).to_numpy(float, na_value=np.nan) for name in needed[1:]}
    yi, vi, low, high = columns.values()
    if meta.scale == "log":
        with np.errstate(divide="ignore", invalid="ignore"):
            low, high = np.log(low), np.log(high)
    for i in np.flatnonzero(~np.isfinite([yi, vi, low, high]).all(axis=0) | ~(vi > 0)):
        raise ValueError(
            f"effects row {i} ({effects['label'].iloc[i]}): estimate {yi[i]:g}, variance {vi[i]:g}, interval "
            f"{columns['ci_lower_natural'][i]:g} to {columns['ci_upper_natural'][i]:g}; all must be finite, the "
            "variance positive" + (", the ratios above 0" if meta.scale == "log" else "")
        )
    tau2 = number(main, "tau2")
    weight = 1 / (vi + (0.0 if math.isnan(tau2) else tau2))
    order = np.arange(len(effects))
    if meta.sort == "year":
        order = np.argsort(pd.to_numeric(effects["year"]).to_numpy(float, na_value=np.nan), kind="stable")
    elif meta.sort != "protocol":
        order = np.argsort(yi if meta.sort == "estimate" else -weight, kind="stable")
    share = 100 * weight / weight.sum()
    given: Sequence[Row] = effects.to_dict("records")
    return [
        {**given[i], "estimate": yi[i], "ci_lower": low[i], "ci_upper": high[i], "weight": share[i]}
        for i in order.tolist()
    ]


def _subgroups(trials: Sequence[Trial], subgroups: pd.DataFrame, meta: ForestMeta) -> list[tuple[Row, list[Trial]]]:
    """Each subgroup that has trials, with them; subgroups.csv may hold the value of the column or its printed name."""
    rows: Sequence[Row] = subgroups.drop_duplicates("subgroup").to_dict("records")
    places = {_fold(str(row["subgroup"])): i for i, row in enumerate(rows)}
    members: list[list[Trial]] = [[] for _ in rows]
    for trial in trials:
        column = str(rows[0]["column"])
        if column not in trial:
            raise ValueError(f"effects lack the subgroup column {column!r}")
        value = words(trial, column) or "not reported"
        at = places.get(_fold(value), places.get(_fold(meta.subgroup_labels.get(value, value))))
        if at is None:
            known = ", ".join(str(row["subgroup"]) for row in rows)
            raise ValueError(f"{trial['label']}: {column} {value!r} is not among the subgroups: {known}")
        members[at].append(trial)
    for row, group in zip(rows, members, strict=True):
        _same_k(len(group), number(row, "k"), f"subgroup {row['subgroup']}")
    return [(row, group) for row, group in zip(rows, members, strict=True) if group]


def _fold(text: str) -> str:
    return clean(text).lower().replace("_", " ").removesuffix(".0")


class _Lines:
    """Collects printed lines from top to bottom."""

    def __init__(self, meta: ForestMeta, trials: Sequence[Row], main: Row) -> None:
        self.meta, self.trials = meta, trials
        self.rows: list[dict[str, Any]] = []
        self.y = 0.0
        self.is_ratio = meta.scale == "log"
        shown = main if len(trials) > 1 else next(iter(trials), {})
        half_width = (number(shown, "ci_upper") - number(shown, "ci_lower")) / 2
        self.decimals = None if self.is_ratio else difference_decimals(half_width)
        self.arms = _arm_formats(trials)

    def add(self, kind: str, layer: str, row_id: str, *, advance: float = 1.0, **cells: Any) -> None:
        """Append a line at the current y and move on."""
        empty = {"study_id": "", "indent": 0, "marker": "", "clipped_lower": False, "clipped_upper": False}
        empty |= dict.fromkeys(TEXT_COLUMNS, "") | dict.fromkeys(NUMBER_COLUMNS, math.nan)
        self.rows.append(empty | {"y": self.y, "kind": kind, "layer": layer, "row_id": row_id} | cells)
        self.y += advance

    def headers(self) -> None:
        """Title and the two header lines: arms above, what stands in each column below."""
        meta = self.meta
        if meta.title:
            self.add("title", "title", "title", label=clean(meta.title), advance=1.6)
        top: dict[str, Any] = {}
        for arm in ARMS:
            first = next((name for name in self.arms if name.endswith(f"_{arm}")), None)
            if first is not None:
                top[first] = clean(getattr(meta, arm))
        bias = "Risk of bias" if meta.risk_of_bias else ""
        self.add("column header", "study", "header-top", effect=clean(meta.measure_label), risk_of_bias=bias, **top)
        below: dict[str, Any] = {name: header for name, (header, _) in self.arms.items()}
        weight = "Weight" if len(self.trials) > 1 else ""
        interval = f"({level_text(meta.level)} CI)"
        self.add(
            "column header", "study", "header", label="Study", effect=interval, weight_text=weight, advance=1.35,
            **below,
        )  # fmt: skip

    def study(self, trial: Row, indent: int) -> None:
        """One trial."""
        at = sum(row["kind"] == "study" for row in self.rows) + 1
        study, lights = words(trial, "study_id"), self.meta.risk_of_bias
        self.add(
            "study", "study", f"study-{at}", label=clean(trial["label"]), indent=indent, marker="square",
            study_id=study, note_marks=trial["note_marks"], risk_of_bias=lights.overall(study) if lights else "",
            **self._interval(trial), **self._weight([trial]), **self._arm_cells(trial),
        )  # fmt: skip

    def subgroup(self, at: int, row: Row, group: Sequence[Row]) -> None:
        """A subgroup under its heading; a diamond and a heterogeneity line from two trials on."""
        name = clean(self.meta.subgroup_labels.get(str(row["subgroup"]), row["subgroup"])).replace("_", " ")
        self.add("subgroup heading", "study", f"subgroup-{at}", label=name[:1].upper() + name[1:])
        for trial in group:
            self.study(trial, indent=1)
        if len(group) > 1:
            self.add(
                "subgroup pooled", "subtotals", f"subtotal-{at}", label="Subtotal", indent=1, marker="diamond",
                **self._totals(group), **self._interval(row), **self._weight(group),
            )  # fmt: skip
            text = heterogeneity_text(row, brief=True)
            self.add("heterogeneity line", "heterogeneity", f"heterogeneity-{at}", label=text, indent=1)
        self.y += 0.4

    def overall(self, main: Row, others: Sequence[Row]) -> None:
        """The pooled result, its prediction interval, and what other models give."""
        self.y += 0.4 if self.rows[-1]["indent"] == 0 else 0.25
        self.add(
            "overall", "study", "overall", label=f"Overall ({model_text(main)})" if main else "Overall",
            marker="diamond", **self._totals(self.trials), **self._interval(main), **self._weight(self.trials),
        )  # fmt: skip
        lower, upper = number(main, "pi_lower"), number(main, "pi_upper")
        if not math.isnan(lower + upper):
            text = interval_text(*self._natural(lower, upper), decimals=self.decimals)
            self.add(
                "prediction interval", "prediction_interval", "prediction", marker="bar", effect=text,
                label=f"{level_text(self.meta.level)} prediction interval", ci_lower=lower, ci_upper=upper,
            )  # fmt: skip
        for at, row in enumerate(others, start=1):
            self.add(
                "comparison model", "comparison_models", f"comparison-{at}", marker="outline",
                label=f"For comparison: {model_text(row)}", **self._interval(row),
            )  # fmt: skip

    def band(self, main: Row, test: Row | None) -> None:
        """Lines of statistics below the axis."""
        k = len(self.trials)
        self.y += AXIS_LINES + (0 if k else 1)
        texts = [("heterogeneity", "heterogeneity", "One trial: not pooled" if k else "No trial with a usable result")]
        if k > 1:
            texts = [("heterogeneity", "heterogeneity", heterogeneity_text(main))]
            texts += [("tests", "test-overall", text) for text in [overall_test_text(main)] if text]
        if test is not None and k > 1:
            texts.append(("tests", "test-subgroups", difference_text(test)))
        for layer, row_id, text in texts:
            kind = "test line" if layer == "tests" else "heterogeneity line"
            self.add(kind, layer, row_id, label=text, advance=SMALL_LINE)

    def footnotes(self, notes: Sequence[tuple[str, str]]) -> None:
        """Footnotes: mark (or none) and text."""
        self.y += 0.35
        for at, (mark, text) in enumerate(notes, start=1):
            stop = "" if text.endswith((".", "?", "!")) else "."
            label = f"{symbols(text)}{stop}"
            self.add("footnote", "footnotes", f"footnote-{at}", note_marks=mark, label=label, advance=SMALL_LINE)
        if self.meta.risk_of_bias:
            legend = f"{self.meta.risk_of_bias.legend}."
            self.add("footnote", "risk_of_bias", "risk-of-bias", label=legend, advance=SMALL_LINE)

    def _natural(self, *values: float) -> tuple[float, ...]:
        with np.errstate(over="ignore"):
            return tuple(float(np.exp(v)) for v in values) if self.is_ratio else values

    def _interval(self, row: Row) -> dict[str, Any]:
        values = [number(row, name) for name in ("estimate", "ci_lower", "ci_upper")]
        text = effect_text(*self._natural(*values), decimals=self.decimals)
        return dict(zip(("estimate", "ci_lower", "ci_upper"), values, strict=True)) | {"effect": text}

    def _weight(self, group: Sequence[Row]) -> dict[str, Any]:
        if len(self.trials) < 2:
            return {}
        weight = math.fsum(trial["weight"] for trial in group)
        return {"weight": weight, "weight_text": f"{weight:.1f}%"}

    def _arm_cells(self, trial: Row) -> dict[str, Any]:
        return {name: cell(trial) for name, (_, cell) in self.arms.items()}

    def _totals(self, group: Sequence[Row]) -> dict[str, Any]:
        """Sums of events and n, only where every trial gives them."""
        cells: dict[str, Any] = {}
        for name in self.arms:
            what, _, arm = name.partition("_")
            columns = {"events": (f"events_{arm}", f"n_{arm}"), "n": (name,)}.get(what, ())
            sums = [math.fsum(number(trial, column) for trial in group) for column in columns]
            if columns and not any(map(math.isnan, sums)):
                cells[name] = "/".join(f"{value:.10g}" for value in sums)
        return cells


def _arm_formats(trials: Sequence[Row]) -> dict[str, tuple[str, Callable[[Row], str]]]:
    """Header and format of each arm column that the trials fill: n/N, else mean, SD and n with equal decimals."""

    def known(name: str) -> list[float]:
        return [value for trial in trials if not math.isnan(value := number(trial, name))]

    def plain(name: str, most: int) -> Callable[[Row], str]:
        decimals = needed_decimals(known(name), most)
        return lambda trial: DASH if math.isnan(v := number(trial, name)) else fixed(v, decimals)

    def of(cells: Iterable[Callable[[Row], str]]) -> Callable[[Row], str]:
        formats = tuple(cells)
        return lambda trial: DASH if DASH in (texts := [cell(trial) for cell in formats]) else "/".join(texts)

    binary = any(known(f"events_{arm}") for arm in ARMS)
    columns: dict[str, tuple[str, Callable[[Row], str]]] = {}
    for arm in ARMS:
        if binary:
            counts = [name for name in (f"events_{arm}", f"n_{arm}") if name.startswith("events") or known(name)]
            columns[counts[0]] = ("n/N" if len(counts) > 1 else "Events", of(plain(name, 1) for name in counts))
            continue
        for what, header, most in (("mean", "Mean", 2), ("sd", "SD", 2), ("n", "n", 1)):
            if known(f"{what}_{arm}"):
                columns[f"{what}_{arm}"] = (header, plain(f"{what}_{arm}", most))
    return columns
