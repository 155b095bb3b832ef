"""The forest plot as one tidy table: a row per printed line, its text and its marks from the same numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np
import pandas as pd

from reweigh.effects import measures
from reweigh.figures.axis import axis_limits
from reweigh.figures.forest.journals import BINARY, CONTINUOUS, RATE, REWEIGH, Column, Layout
from reweigh.figures.forest.lights import Lights
from reweigh.figures.forest.statistics import (
    Row,
    difference_line,
    i2_from_q,
    model_notes,
    model_text,
    number,
    subgroup_notes,
    trial_notes,
    words,
)
from reweigh.figures.style import clean, symbols
from reweigh.io import records
from reweigh.measures import SINGLE_GROUP_MEASURES, Scale, analysed, natural
from reweigh.tables.times import years_of
from reweigh.text import codes
from reweigh.text.numbers import (
    DASH,
    Interval,
    difference_decimals,
    effect_text,
    fixed,
    interval_text,
    level_text,
    needed_decimals,
    percent_text,
    whole,
)

SORTS = ("year", "protocol", "estimate", "weight")
ARMS = ("intervention", "control")
#: Text columns of the arms in printed order; one that is empty in every row is not drawn.
ARM_COLUMNS = tuple(f"{what}_{arm}" for arm in ARMS for what in ("events", "person_time", "mean", "sd", "n"))
#: Estimate and standard error of trials without arm data, O - E and V of Peto's method, where the layout prints them.
GENERIC_COLUMNS, PETO_COLUMNS = ("estimate_text", "se_text"), ("o_minus_e", "v")
#: What stands left of the panel besides the trials; `panel` is the header above the panel.
DATA_COLUMNS = (*GENERIC_COLUMNS, *ARM_COLUMNS, *PETO_COLUMNS)
#: What an arm's column may add up.
SUMMED = frozenset(("events", "person_time", "n"))
TEXT_COLUMNS = ("label", "note_marks", *DATA_COLUMNS, "effect", "panel", "weight_text", "risk_of_bias")
NUMBER_COLUMNS = ("estimate", "ci_lower", "ci_upper", "weight")
COLUMNS = (
    "y", "kind", "layer", "row_id", "study_id", "indent", *TEXT_COLUMNS, *NUMBER_COLUMNS,
    "marker", "clipped_lower", "clipped_upper",
)  # fmt: skip

Trial = dict[Any, Any]
#: The largest number of each analysis scale that the natural one tells from its end, and standard errors within which
#: every end of an interval lies.
_LARGEST = {
    "log": math.log(np.finfo(np.float64).max), "z": math.atanh(math.nextafter(1, 0)),
    "logit": -math.log(np.finfo(np.float64).epsneg),
}  # fmt: skip
_MOST_SE = 8.0
#: How an estimate on its analysis scale is headed.
ON_SCALE = {"log": "log", "z": "z", "logit": "logit"}

#: Column of the weights beside the columns of effects.csv, whatever a review's own columns are called.
WEIGHT = "weight in the main model"
#: Subgroup of trials without a value in the column.
NOT_REPORTED = "not reported"
#: Lines of small text stand closer; the axis with its labels and arrows takes this many lines.
SMALL_LINE, AXIS_LINES = 0.85, 3.3


@dataclass(frozen=True, slots=True)
class ForestMeta:
    """What a forest plot says besides its numbers.

    `favours_left` and `favours_right` are printed as they stand ("Favours ketamine"). `null`: whether there is a line
    of no effect. `subgroup_labels` are the
    printed names of the values of the subgroup column. `sort`: the order of the trials, "year" is by year and label.
    `risk_of_bias` are the judgements of its trials, if there are any. `layout` says how all of it is printed.
    """

    title: str = ""
    measure_label: str = "Effect"
    intervention: str = "Intervention"
    control: str = "Control"
    favours_left: str = ""
    favours_right: str = ""
    scale: str = "natural"
    null: bool = True
    level: float = 0.95
    footnotes: tuple[str, ...] = ()
    sort: str = "year"
    subgroup_labels: Mapping[str, str] = field(default_factory=dict)
    risk_of_bias: Lights | None = None
    layout: Layout = REWEIGH

    def __post_init__(self) -> None:  # noqa: D105
        if self.scale not in get_args(Scale):
            raise ValueError(f"scale {self.scale!r} is unknown; allowed: {', '.join(get_args(Scale))}")
        if self.sort not in SORTS:
            raise ValueError(f"sort {self.sort!r} is unknown; allowed: {', '.join(SORTS)}")
        if not 0 < self.level < 1:
            raise ValueError(f"level {self.level!r} must lie between 0 and 1")


def forest_table(
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    subgroups: pd.DataFrame | None,
    meta: ForestMeta,
    not_pooled: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Lay out one analysis as the printed lines of a forest plot.

    Parameters
    ----------
    effects
        Rows of effects.csv of the analysis, estimate and variance on the analysis scale, with the weight of each in
        the main model as WEIGHT (percent, from weights.csv; missing where that model cannot take the trial).
    pooled
        Rows of pooled.csv of the analysis, the main model first, models to compare after it.
    subgroups
        Rows of subgroups.csv of one subgroup column and the main model, or None.
    meta
        Labels, scale, sort order.
    not_pooled
        Rows of not_pooled.csv of the analysis: trials that are listed as not estimable.

    Returns
    -------
    COLUMNS; `y` in lines from the top, `kind` (title, column header, study, subgroup heading, subgroup pooled, not
    estimable, total events, heterogeneity line, overall, prediction interval, comparison model, test line, footnote),
    estimate and interval on the analysis scale, weight in percent (what is printed of it adds up to 100), `marker`
    (square, diamond, outline, bar or empty), the overall risk of bias in words where the trials are judged, and whether
    either end of the interval lies beyond the axis.

    Raises
    ------
    ValueError
        If a trial lacks a finite estimate, a positive variance or its interval, if its subgroup is not among the
        subgroups, or if the tables disagree on the number of trials.
    """
    main = pooled.iloc[0].to_dict() if len(pooled) else {}
    trials = _trials(effects, meta)
    _same_k(trials, main, "the analysis", once=True)
    others: Sequence[Row] = records(pooled.iloc[1:])
    parts = [] if subgroups is None or subgroups.empty else _subgroups(trials, subgroups, meta)
    if parts:
        trials = [trial for *_, group in parts for trial in group]
    lost: list[Trial] = [] if not_pooled is None or not len(trials) else records(not_pooled)
    marks, notes = trial_notes([*trials, *lost])
    for trial, mark in zip([*trials, *lost], marks, strict=True):
        trial["note_marks"] = mark
    lines = _Lines(meta, trials, main, lost)
    lines.headers(main)
    for at, (name, row, group) in enumerate(parts, start=1):
        lines.subgroup(at, name, row, group)
    for trial in [] if parts else trials:
        lines.study(trial, indent=0)
    lines.not_estimable()
    if len(trials) > 1:
        lines.overall(main, others)
    lines.band(main, parts[0][1] if parts else None)
    texts = lines.counts()
    if main and len(trials) > 1:
        texts += model_notes(main, others, lines.span)
        texts += subgroup_notes([(name, row) for name, row, group in parts if len(group) > 1], lines.span)
        texts += lines.other_i2(main)
    lines.footnotes([("", text) for text in (*texts, *map(clean, meta.footnotes))] + notes)
    table = pd.DataFrame(lines.rows, columns=list(COLUMNS))
    low, high = axis_limits(table, scale=meta.scale, null=meta.null)
    return table.assign(clipped_lower=table["ci_lower"] < low, clipped_upper=table["ci_upper"] > high)


def _in_subgroups(trials: Sequence[Row]) -> list[Row]:
    """Trials that stand in several subgroups of rows, and once in the total, where none of these rows has a weight."""
    return [trial for trial in trials if codes.has(words(trial, "assumption_codes"), "in_subgroups")]


def _same_k(trials: Sequence[Trial], pooled: Row, where: str, *, once: bool = False) -> None:
    """Refuse tables of which one has other trials than the other; a model may leave some without a weight.

    A trial in several subgroups counts in each, and where `once` is said as one.
    """
    apart = [words(trial, "study_id") for trial in _in_subgroups(trials)]
    weighed = sum(not math.isnan(trial["weight"]) for trial in trials) + len(set(apart) if once else apart)
    weighed = weighed or len(trials)
    k = number(pooled, "comparisons")
    if not math.isnan(k) and k != weighed:
        raise ValueError(f"{where}: {weighed} trials in the effects, but {k:g} comparisons in the pooled results")


def _trials(effects: pd.DataFrame, meta: ForestMeta) -> list[Trial]:
    """The trials in their order with interval and weight."""
    needed = ("label", "estimate", "variance", "ci_lower_natural", "ci_upper_natural")
    for name in (*needed, *([WEIGHT] if len(effects) > 1 else [])):
        if name not in effects:
            raise ValueError(f"effects lack the column {name!r}")
    columns = {name: effects[name].to_numpy(float, na_value=np.nan) for name in needed[1:]}
    yi, vi, low, high = columns.values()
    low, high = analysed(low, meta.scale), analysed(high, meta.scale)
    if largest := _LARGEST.get(meta.scale):  # an arrow stands for an end of the natural scale: a ratio of 0
        beyond = np.abs(yi) + _MOST_SE * np.sqrt(np.maximum(vi, 0)) > largest
        low, high = (np.where(beyond & np.isinf(end), np.clip(end, -largest, largest), end) for end in (low, high))
    for i in np.flatnonzero(~np.isfinite([yi, vi, low, high]).all(axis=0) | ~(vi > 0)):
        raise ValueError(
            f"effects row {i} ({effects['label'].iloc[i]}): estimate {yi[i]:g}, variance {vi[i]:g}, interval "
            f"{columns['ci_lower_natural'][i]:g} to {columns['ci_upper_natural'][i]:g}; all must be finite, the "
            "variance positive" + (", the ratios above 0" if meta.scale == "log" else "")
        )
    weight = effects.get(WEIGHT, pd.Series(100.0, effects.index)).to_numpy(float, na_value=np.nan)
    order = list(range(len(effects)))
    if meta.sort == "year":
        years = years_of(effects) if "year" in effects else np.full(len(effects), np.nan)
        order.sort(key=lambda i: (np.nan_to_num(years[i], nan=np.inf), _natural_order(str(effects["label"].iloc[i]))))
    elif meta.sort != "protocol":
        order.sort(key=(yi if meta.sort == "estimate" else -weight).__getitem__)
    printed = printed_shares(weight)
    given: Sequence[Row] = records(effects)
    return [
        {
            **given[i], "estimate": yi[i], "ci_lower": low[i], "ci_upper": high[i], "weight": weight[i],
            "printed_weight": printed[i],
        }
        for i in order
    ]  # fmt: skip


def _natural_order(label: str) -> list[tuple[int, int, str]]:
    """A key by which Trial 9 comes before Trial 10."""
    parts = re.split(r"(\d+)", label.casefold())
    return [(int(part.isdigit()), int(part) if part.isdigit() else 0, part) for part in parts]


def printed_shares(weights: Sequence[float] | np.ndarray, decimals: int = 1) -> list[float]:
    """Percentages as they are printed, half up, so that they add up to 100; NaN stays.

    Where rounding alone would add up to something else, light trials whose next digit leaves the choice open are
    rounded the other way: the weights that readers compare with other programs stay as they are.
    """
    scaled = {i: float(weight) * 10**decimals for i, weight in enumerate(weights) if not math.isnan(weight)}
    printed = {i: math.floor(value + 0.5 + 1e-9) for i, value in scaled.items()}
    over = sum(printed.values()) - round(math.fsum(scaled.values()))
    step = -1 if over > 0 else 1

    def other_way(i: int) -> tuple[bool, float]:
        error = abs(printed[i] + step - scaled[i])
        return error > 0.75, error * scaled[i]

    for i in sorted((i for i in scaled if step * (scaled[i] - printed[i]) > 0), key=other_way)[: abs(over)]:
        printed[i] += step
    return [printed[i] / 10**decimals if i in printed else math.nan for i in range(len(weights))]


def _subgroups(
    trials: Sequence[Trial], subgroups: pd.DataFrame, meta: ForestMeta
) -> list[tuple[str, Row, list[Trial]]]:
    """Printed name, row and trials of each subgroup that has trials; trials without a value come last.

    subgroups.csv may hold the value of the column or its printed name.
    """
    rows: list[Row] = list(records(subgroups.drop_duplicates("subgroup")))
    column = str(rows[0]["column"])
    # A trial without a value is in no subgroup.
    rows.append({"subgroup": NOT_REPORTED, "column": column})
    places = {_fold(str(row["subgroup"])): i for i, row in reversed(list(enumerate(rows)))}
    members: list[list[Trial]] = [[] for _ in rows]
    for trial in trials:
        if column not in trial:
            raise ValueError(f"effects lack the subgroup column {column!r}")
        value = words(trial, column) or NOT_REPORTED
        at = places.get(_fold(value), places.get(_fold(meta.subgroup_labels.get(value, value))))
        if at is None:
            known = ", ".join(str(row["subgroup"]) for row in rows[:-1])
            raise ValueError(f"{trial['label']}: {column} {value!r} is not among the subgroups: {known}")
        members[at].append(trial)
    for row, group in zip(rows, members, strict=True):
        _same_k(group, row, f"subgroup {row['subgroup']}")
    printed = set(meta.subgroup_labels.values())
    found = []
    for row, group in zip(rows, members, strict=True):
        name = clean(meta.subgroup_labels.get(str(row["subgroup"]), row["subgroup"]))
        # A label is printed as the protocol writes it; a bare value becomes words.
        name = name if name in printed else name.replace("_", " ")
        if group:
            found.append((name[:1].upper() + name[1:], row, group))
    return found


def _fold(text: str) -> str:
    return clean(text).lower().replace("_", " ").removesuffix(".0")


class _Lines:
    """Collects printed lines from top to bottom."""

    def __init__(self, meta: ForestMeta, trials: Sequence[Row], main: Row, lost: Sequence[Row]) -> None:
        self.meta, self.trials, self.lost, self.layout = meta, trials, lost, meta.layout
        self.rows: list[dict[str, Any]] = []
        self.y = 0.0
        self.is_ratio = meta.scale == "log"
        single = words(next(iter([*trials, *lost]), {}), "measure") in SINGLE_GROUP_MEASURES
        self.groups = ARMS[:1] if single else ARMS
        shown = main if len(trials) > 1 else next(iter(trials), {})
        ends = self._natural(number(shown, "ci_lower"), number(shown, "ci_upper"))
        self.decimals = None if self.is_ratio else difference_decimals((ends[1] - ends[0]) / 2)
        self.interval = self.layout.ratio_interval if self.is_ratio else self.layout.difference_interval
        self.columns = _arm_columns([*trials, *lost], self.layout, self.groups)
        self.arms = _arm_formats([*trials, *lost], self.columns)
        self.generic = self.layout.generic and not any(name.startswith(("events", "mean")) for name in self.arms)
        self.peto = self.layout.o_minus_e and words(main, "pooling") == "peto"

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
            below |= {
                "estimate_text": f"{ON_SCALE[self.meta.scale]}[{measure}]"
                if self.meta.scale in ON_SCALE
                else "Estimate",
                "se_text": "SE",
            }
        if self.peto:
            below |= {"o_minus_e": "O\N{MINUS SIGN}E", "v": "Variance"}
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

    def not_estimable(self) -> None:
        """The trials that are in no pool, under those that are."""
        inside = self.rows[-1]["kind"] != "study" or self.rows[-1]["indent"]
        if self.lost and inside:
            self.add("subgroup heading", "study", "not-estimable", label="Not estimable")
        for at, trial in enumerate(self.lost, start=1):
            self.add(
                "not estimable", "study", f"not-estimable-{at}", label=clean(trial["label"]), indent=int(inside),
                study_id=words(trial, "study_id"), note_marks=trial["note_marks"], effect="Not estimable",
                **self._data(trial, pooled=False),
            )  # fmt: skip

    def subgroup(self, at: int, name: str, row: Row, group: Sequence[Row]) -> None:
        """A subgroup under its heading; a diamond and a heterogeneity line from two trials on."""
        self.add("subgroup heading", "study", f"subgroup-{at}", label=name)
        for trial in group:
            self.study(trial, indent=1)
        if len(group) > 1 and not math.isnan(number(row, "comparisons")):
            self.add(
                "subgroup pooled", "subtotals", f"subtotal-{at}", label=self.layout.subtotal(self.meta.level), indent=1,
                marker="diamond", **self._totals(group), **self._interval(row), **self._weight(group),
            )  # fmt: skip
            self._events(group, "subtotals+arm_data", f"events-{at}", indent=1)
            text = self.layout.statistics.heterogeneity(row, True)
            self.add("heterogeneity line", "heterogeneity", f"heterogeneity-{at}", label=text, indent=1)
            if self.layout.journal and (text := self.layout.statistics.overall_test(row)):
                self.add("test line", "tests", f"test-{at}", label=text, indent=1)
        self.y += 0.4

    def overall(self, main: Row, others: Sequence[Row]) -> None:
        """The pooled result, its prediction interval, and what other models give."""
        self.y += 0.4 if self.rows[-1]["indent"] == 0 else 0.25
        self.add(
            "overall", "study", "overall", label=self.layout.total(main, self.meta.level),
            marker="diamond", **self._totals(self._listed), **self._interval(main), **self._weight(self.trials),
        )  # fmt: skip
        self._events(self._listed, "arm_data", "events")
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
            texts.append(("tests", "test-subgroups", difference_line(test, statistics.difference)))
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

    @property
    def _listed(self) -> Sequence[Row]:
        """The trials that the totals count: in journals' layouts all that are listed."""
        return [*self.trials, *self.lost] if self.layout.journal else self.trials

    def counts(self) -> list[str]:
        """How many of the listed trials are pooled, where not all are, and who stands in both arms."""
        crossed = any(words(trial, "design") == "crossover" for trial in self.trials)
        both = ["Patients of crossover trials stand in both arms"] * (crossed and bool(self.arms))
        return self._pooled_of_listed() + both

    def _pooled_of_listed(self) -> list[str]:
        if not self.lost:
            return []

        def size(rows: Sequence[Row]) -> str:
            n = [math.fsum(v for row in rows if not math.isnan(v := number(row, f"n_{arm}"))) for arm in self.groups]
            trials = f"{len(rows)} trial{'s' * (len(rows) != 1)}"
            return trials + (f" ({' and '.join(map(whole, n))} patients)" if any(n) else "")

        listed = size([*self.trials, *self.lost])
        if self.layout.journal:
            return [f"The totals count all {listed} listed; {size(self.trials)} are pooled"]
        return [f"Listed are {listed}; pooled, and counted in the totals, are {size(self.trials)}"]

    def span(self, row: Row, name: str) -> str:
        """`0.94 to 8.89`: the interval `guarded_ci`, `guarded_pi` ... of a row, on the natural scale."""
        ends = [number(row, f"{name}_{end}") for end in ("lower", "upper")]
        if math.isnan(sum(ends)):
            return ""
        return interval_text(*self._natural(*ends), decimals=self.decimals, interval=Interval("", " to ", ""))

    def other_i2(self, main: Row) -> list[str]:
        """What the model's own I2 is, where a journal's layout prints another."""
        own, printed = number(main, "i2"), i2_from_q(main)
        if not self.layout.journal or math.isnan(own + printed) or percent_text(own) == percent_text(printed):
            return []
        return [f"I² = (Q − df)/Q, as RevMan 5 defines it; from τ², as RevMan since 2024: {percent_text(own)}"]

    def _natural(self, *values: float) -> tuple[float, ...]:
        return tuple(natural(values, self.meta.scale).tolist())

    def _interval(self, row: Row) -> dict[str, Any]:
        values = [number(row, name) for name in ("estimate", "ci_lower", "ci_upper")]
        text = effect_text(*self._natural(*values), decimals=self.decimals, interval=self.interval)
        return dict(zip(("estimate", "ci_lower", "ci_upper"), values, strict=True)) | {"effect": text}

    def _weight(self, group: Sequence[Row]) -> dict[str, Any]:
        if len(self.trials) < 2:
            return {}
        known = [trial for trial in group if not math.isnan(trial["weight"])]
        if not known or (len(group) > 1 and _in_subgroups(group)):
            return {"weight_text": DASH if len(group) == 1 else ""}
        weight = math.fsum(trial["printed_weight"] for trial in known)
        return {
            "weight": math.fsum(trial["weight"] for trial in known),
            "weight_text": self.layout.weight.format(weight),
        }

    def _data(self, trial: Row, *, pooled: bool = True) -> dict[str, Any]:
        """What the trial reports: the data of its arms, else its estimate and standard error."""
        cells = {name: cell(trial) for name, (_, cell) in self.arms.items()}
        if self.generic and pooled:
            decimals = 2 if self.decimals is None else self.decimals
            cells["estimate_text"] = fixed(trial["estimate"], decimals)
            cells["se_text"] = fixed(math.sqrt(number(trial, "variance")), decimals)
        if self.peto and pooled:
            counts = [number(trial, f"{part}_{arm}") for arm in ARMS for part in ("events", "n")]
            log_or, variance = (float(value) for value in measures.peto(*counts))
            cells |= {"o_minus_e": fixed(log_or / variance, 2), "v": fixed(1 / variance, 2)}
        return cells

    def _totals(self, group: Sequence[Row], *, events: bool = False) -> dict[str, Any]:
        """Sums of events, person-time and n where every trial gives them; events on their own line if asked for."""
        cells: dict[str, Any] = {}
        apart = [words(trial, "study_id") for trial in _in_subgroups(group)]
        for name in self.arms if len(set(apart)) == len(apart) else ():  # no patient counts twice
            what, _, arm = name.rpartition("_")
            column = self.columns[name]
            if not {*column.parts} <= SUMMED or (self.layout.total_events and (what == "events") != events):
                continue
            # A trial that is in no pool may have no number here.
            lost = {id(trial) for trial in self.lost}
            counted = [t for t in group if id(t) not in lost or not math.isnan(number(t, f"{column.parts[0]}_{arm}"))]
            sums = [math.fsum(number(trial, f"{part}_{arm}") for trial in counted) for part in column.parts]
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
    arms = [name.rpartition("_")[2] for name in arm_columns]
    return layout.arm_names_below and bool(arms) and len(set(arms)) == len(arms)


def _known(trials: Sequence[Row], name: str) -> list[float]:
    return [value for trial in trials if not math.isnan(value := number(trial, name))]


def _arm_columns(trials: Sequence[Row], layout: Layout, groups: Sequence[str]) -> dict[str, Column]:
    """The columns of the arms that the trials fill."""

    def any_arm(what: str) -> bool:
        return any(_known(trials, f"{what}_{arm}") for arm in groups)

    kind = CONTINUOUS if not any_arm("events") else RATE if any_arm("person_time") else BINARY
    found = {
        f"{column.name}_{arm}": column
        for arm in groups
        for column in layout.columns[kind]
        if column.name == "events" or _known(trials, f"{column.name}_{arm}")
    }
    # A layout that joins n to means prints it alone where no trial has a mean.
    alone = Column("n", "Total", ("n",))
    return found or {f"n_{arm}": alone for arm in groups if _known(trials, f"n_{arm}")}


def _arm_formats(trials: Sequence[Row], columns: Mapping[str, Column]) -> dict[str, tuple[str, Callable[[Row], str]]]:
    """Header and format of each arm column, with equal decimals within a column."""

    def plain(name: str) -> Callable[[Row], str]:
        most = 2 if name.startswith(("mean", "sd")) else 1
        decimals = needed_decimals(_known(trials, name), most)
        return lambda trial: DASH if math.isnan(v := number(trial, name)) else fixed(v, decimals)

    def joined(column: Column, arm: str) -> tuple[str, Callable[[Row], str]]:
        names = [f"{part}_{arm}" for part in column.parts]
        if len(names) > 1 and not all(_known(trials, name) for name in names[1:]):
            return column.alone, plain(names[0])
        formats = [plain(name) for name in names]

        def cell(trial: Row) -> str:
            texts = [one(trial) for one in formats]
            return DASH if DASH in texts else column.pattern.format(*texts)

        return column.header, cell

    return {name: joined(column, name.rpartition("_")[2]) for name, column in columns.items()}
