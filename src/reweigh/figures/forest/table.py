"""The forest plot as one tidy table: a row per printed line, its text and its marks from the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from reweigh.figures.axis import axis_limits
from reweigh.figures.forest.journals import BINARY, CONTINUOUS, REWEIGH, Column, Layout
from reweigh.figures.forest.lights import Lights
from reweigh.figures.forest.statistics import (
    Row,
    model_notes,
    model_text,
    number,
    trial_notes,
    words,
)
from reweigh.figures.style import clean, symbols
from reweigh.tables.times import years_of
from reweigh.text.numbers import (
    DASH,
    difference_decimals,
    effect_text,
    fixed,
    interval_text,
    level_text,
    needed_decimals,
)

SORTS = ("protocol", "estimate", "weight", "year")
ARMS = ("intervention", "control")
#: Text columns of the arms in printed order; one that is empty in every row is not drawn.
ARM_COLUMNS = tuple(f"{what}_{arm}" for arm in ARMS for what in ("events", "mean", "sd", "n"))
#: Estimate and standard error of trials without arm data, where the layout prints them.
GENERIC_COLUMNS = ("estimate_text", "se_text")
#: What stands left of the panel besides the trials; `panel` is the header above the panel.
DATA_COLUMNS = (*GENERIC_COLUMNS, *ARM_COLUMNS)
TEXT_COLUMNS = ("label", "note_marks", *DATA_COLUMNS, "effect", "panel", "weight_text", "risk_of_bias")
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
    `layout` says how all of it is printed.
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
    layout: Layout = REWEIGH

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
    total events, heterogeneity line, overall, prediction interval, comparison model, test line, footnote), estimate
    and interval on the analysis scale, weight in percent (1/(variance + tau2) of the main model), `marker` (square,
    diamond, outline, bar or empty), the overall risk of bias in words where the trials are judged, and whether either
    end of the interval lies beyond the axis.

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
    lines.headers(main)
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
        order = np.argsort(years_of(effects), kind="stable")
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
        self.meta, self.trials, self.layout = meta, trials, meta.layout
        self.rows: list[dict[str, Any]] = []
        self.y = 0.0
        self.is_ratio = meta.scale == "log"
        shown = main if len(trials) > 1 else next(iter(trials), {})
        half_width = (number(shown, "ci_upper") - number(shown, "ci_lower")) / 2
        self.decimals = None if self.is_ratio else difference_decimals(half_width)
        self.interval = self.layout.ratio_interval if self.is_ratio else self.layout.difference_interval
        self.arms = _arm_formats(trials, self.layout)
        self.generic = self.layout.generic and not any(name.startswith(("events", "mean")) for name in self.arms)

    def add(self, kind: str, layer: str, row_id: str, *, advance: float = 1.0, **cells: Any) -> None:
        """Append a line at the current y and move on."""
        empty = {"study_id": "", "indent": 0, "marker": "", "clipped_lower": False, "clipped_upper": False}
        empty |= dict.fromkeys(TEXT_COLUMNS, "") | dict.fromkeys(NUMBER_COLUMNS, math.nan)
        self.rows.append(empty | {"y": self.y, "kind": kind, "layer": layer, "row_id": row_id} | cells)
        self.y += advance

    def headers(self, main: Row) -> None:
        """Title and the two header lines: arms above, what stands in each column below; or the other way round."""
        meta, layout = self.meta, self.layout
        if meta.title and layout.title:
            self.add("title", "title", "title", label=clean(meta.title), advance=1.6)
        several = len(self.trials) > 1
        measure = layout.spell(clean(meta.measure_label))
        interval = layout.effect_header(main if several else {}, meta.level)
        top: dict[str, Any] = {"effect": measure, "risk_of_bias": "Risk of bias" if meta.risk_of_bias else ""}
        below: dict[str, Any] = {"effect": interval, "label": layout.study_header}
        below |= {name: column[0] for name, column in self.arms.items()}
        for arm in ARMS:
            first = next((name for name in self.arms if name.endswith(f"_{arm}")), None)
            if first is not None:
                top[first] = clean(getattr(meta, arm))
        if names_below(layout, self.arms):
            for place, name in enumerate(self.arms):
                top[name], below[name] = "" if place else below[name], top[name]
        if layout.panel_header:
            top["panel"], below["panel"] = measure, interval
        if self.generic:
            below |= {"estimate_text": f"log[{measure}]" if self.is_ratio else "Estimate", "se_text": "SE"}
        below["weight_text"] = layout.weight_header if several else ""
        self.add("column header", "study", "header-top", **top)
        self.add("column header", "study", "header", advance=1.35, **below)

    def study(self, trial: Row, indent: int) -> None:
        """One trial."""
        at = sum(row["kind"] == "study" for row in self.rows) + 1
        study, lights = words(trial, "study_id"), self.meta.risk_of_bias
        self.add(
            "study", "study", f"study-{at}", label=clean(trial["label"]), indent=indent, marker="square",
            study_id=study, note_marks=trial["note_marks"], risk_of_bias=lights.overall(study) if lights else "",
            **self._interval(trial), **self._weight([trial]), **self._data(trial),
        )  # fmt: skip

    def subgroup(self, at: int, row: Row, group: Sequence[Row]) -> None:
        """A subgroup under its heading; a diamond and a heterogeneity line from two trials on."""
        name = clean(self.meta.subgroup_labels.get(str(row["subgroup"]), row["subgroup"])).replace("_", " ")
        self.add("subgroup heading", "study", f"subgroup-{at}", label=name[:1].upper() + name[1:])
        for trial in group:
            self.study(trial, indent=1)
        if len(group) > 1:
            self.add(
                "subgroup pooled", "subtotals", f"subtotal-{at}", label=self.layout.subtotal(self.meta.level), indent=1,
                marker="diamond", **self._totals(group), **self._interval(row), **self._weight(group),
            )  # fmt: skip
            self._events(group, "subtotals+arm_data", f"events-{at}", indent=1)
            statistics = self.layout.statistics
            text = statistics.heterogeneity(row, True)
            self.add("heterogeneity line", "heterogeneity", f"heterogeneity-{at}", label=text, indent=1)
            if statistics.subgroup_tests and (text := statistics.overall_test(row)):
                self.add("test line", "tests", f"test-{at}", label=text, indent=1)
        self.y += 0.4

    def overall(self, main: Row, others: Sequence[Row]) -> None:
        """The pooled result, its prediction interval, and what other models give."""
        self.y += 0.4 if self.rows[-1]["indent"] == 0 else 0.25
        self.add(
            "overall", "study", "overall", label=self.layout.total(main, self.meta.level),
            marker="diamond", **self._totals(self.trials), **self._interval(main), **self._weight(self.trials),
        )  # fmt: skip
        self._events(self.trials, "arm_data", "events")
        lower, upper = number(main, "pi_lower"), number(main, "pi_upper")
        if not math.isnan(lower + upper):
            text = interval_text(*self._natural(lower, upper), decimals=self.decimals, interval=self.interval)
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
        statistics = self.layout.statistics
        texts = [("heterogeneity", "heterogeneity", "One trial: not pooled" if k else "No trial with a usable result")]
        if k > 1:
            texts = [("heterogeneity", "heterogeneity", statistics.heterogeneity(main, False))]
            texts += [("tests", "test-overall", text) for text in [statistics.overall_test(main)] if text]
        if test is not None and k > 1:
            texts.append(("tests", "test-subgroups", statistics.difference(test)))
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
        text = effect_text(*self._natural(*values), decimals=self.decimals, interval=self.interval)
        return dict(zip(("estimate", "ci_lower", "ci_upper"), values, strict=True)) | {"effect": text}

    def _weight(self, group: Sequence[Row]) -> dict[str, Any]:
        if len(self.trials) < 2:
            return {}
        weight = math.fsum(trial["weight"] for trial in group)
        return {"weight": weight, "weight_text": self.layout.weight.format(weight)}

    def _data(self, trial: Row) -> dict[str, Any]:
        """What the trial reports: the data of its arms, else its estimate and standard error."""
        cells = {name: cell(trial) for name, (_, cell) in self.arms.items()}
        if self.generic:
            decimals = self.decimals or 2
            cells["estimate_text"] = fixed(trial["estimate"], decimals)
            cells["se_text"] = fixed(math.sqrt(number(trial, "variance")), decimals)
        return cells

    def _totals(self, group: Sequence[Row], *, events: bool = False) -> dict[str, Any]:
        """Sums of events and n, only where every trial gives them; the events on their own line if asked for."""
        cells: dict[str, Any] = {}
        for name in self.arms:
            what, _, arm = name.partition("_")
            column = next(c for kind in self.layout.columns.values() for c in kind if c.name == what)
            if not {*column.parts} <= {"events", "n"} or (self.layout.total_events and (what == "events") != events):
                continue
            sums = [math.fsum(number(trial, f"{part}_{arm}") for trial in group) for part in column.parts]
            if not any(map(math.isnan, sums)):
                cells[name] = column.pattern.format(*(f"{value:.10g}" for value in sums))
        return cells

    def _events(self, group: Sequence[Row], layer: str, row_id: str, indent: int = 0) -> None:
        """The line of total events, where the layout has one."""
        totals = self._totals(group, events=True) if self.layout.total_events else {}
        if totals:
            self.add("total events", layer, row_id, label="Total events:", indent=indent, **totals)


def names_below(layout: Layout, arm_columns: Collection[str]) -> bool:
    """Whether the names of the arms stand below what they show: the layout wants it and each arm has one column."""
    arms = [name.partition("_")[2] for name in arm_columns]
    return layout.arm_names_below and bool(arms) and len(set(arms)) == len(arms)


def _arm_formats(trials: Sequence[Row], layout: Layout) -> dict[str, tuple[str, Callable[[Row], str]]]:
    """Header and format of each arm column that the trials fill, with equal decimals within a column."""

    def known(name: str) -> list[float]:
        return [value for trial in trials if not math.isnan(value := number(trial, name))]

    def plain(name: str) -> Callable[[Row], str]:
        decimals = needed_decimals(known(name), 2 if name.startswith(("mean", "sd")) else 1)
        return lambda trial: DASH if math.isnan(v := number(trial, name)) else fixed(v, decimals)

    def joined(column: Column, arm: str) -> tuple[str, Callable[[Row], str]]:
        names = [f"{part}_{arm}" for part in column.parts]
        if len(names) > 1 and not all(map(known, names[1:])):
            return column.alone, plain(names[0])
        formats = [plain(name) for name in names]

        def cell(trial: Row) -> str:
            texts = [one(trial) for one in formats]
            return DASH if DASH in texts else column.pattern.format(*texts)

        return column.header, cell

    binary = any(known(f"events_{arm}") for arm in ARMS)
    return {
        f"{column.name}_{arm}": joined(column, arm)
        for arm in ARMS
        for column in layout.columns[BINARY if binary else CONTINUOUS]
        if column.name == "events" or known(f"{column.name}_{arm}")
    }
