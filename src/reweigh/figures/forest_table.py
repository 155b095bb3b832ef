"""The forest plot as one tidy table: a row per printed line, its text and its marks from the same numbers."""

from __future__ import annotations

import math
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import count, product
from typing import Any

import numpy as np
import pandas as pd

from reweigh.figures.axis import axis_limits
from reweigh.figures.numerals import (
    DASH,
    NOT_ESTIMABLE,
    effect_text,
    fixed,
    interval_text,
    level_text,
    needed_decimals,
    p_text,
    small_text,
)
from reweigh.figures.style import clean, symbols

SORTS = ("protocol", "estimate", "weight", "year")
ARMS = ("intervention", "control")
#: Text columns in printed order; a column that is empty in every row is not drawn.
ARM_COLUMNS = tuple(f"{what}_{arm}" for arm in ARMS for what in ("events", "mean", "sd", "n"))
TEXT_COLUMNS = ("label", "note_marks", *ARM_COLUMNS, "effect", "weight_text")
NUMBER_COLUMNS = ("estimate", "ci_lower", "ci_upper", "weight")
COLUMNS = (
    "y", "kind", "layer", "row_id", "study_id", "indent", *TEXT_COLUMNS, *NUMBER_COLUMNS,
    "marker", "clipped_lower", "clipped_upper",
)  # fmt: skip

#: What is nothing but the trial's own arm data; any other derivation carries a mark and a footnote.
PLAIN = ("", "arms", "arm data", "counts", "events", "means and sds")

CI_WORDS = {
    "wald": "Wald",
    "t": "t",
    "hartung-knapp": "Hartung-Knapp",
    "hartung-knapp guarded": "guarded Hartung-Knapp",
    "profile likelihood": "profile likelihood",
}
PI_WORDS = {
    "hartung-knapp": "t(k−1) on the Hartung-Knapp standard error",
    "t(k-1)": "t(k−1)",
    "t(k-2)": "t(k−2)",
}


@dataclass(frozen=True, slots=True)
class ForestMeta:
    """What a forest plot says besides its numbers.

    `subgroup_labels` are the printed names of the values of the subgroup column; `plain` are derivations, besides
    plain arm data, that need no footnote.
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

    def __post_init__(self) -> None:
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
    COLUMNS; `y` in lines from the top, estimate and interval on the analysis scale, weight in percent (random
    effects, 1/(variance + tau2)), `marker` one of square, diamond, outline, bar or empty, and whether either end
    of the interval lies beyond the axis.

    Raises
    ------
    ValueError
        If a trial has no positive variance, if a number is infinite, or if columns are missing.
    """
    trials = _trials(effects, pooled, meta)
    lines = _Lines(meta)
    lines.headers(trials)
    main = pooled.iloc[0] if len(pooled) else pd.Series(dtype=object)
    if subgroups is not None and len(subgroups):
        lines.subgroups(trials, subgroups)
    else:
        for trial in trials.to_dict("records"):
            lines.study(trial, indent=0)
    if len(trials) > 1:
        lines.overall(trials, main, pooled.iloc[1:])
    lines.band(trials, main, subgroups)
    lines.footnotes(trials, main, pooled)
    table = pd.DataFrame(lines.rows, columns=list(COLUMNS))
    return _clip(table, meta)


def _trials(effects: pd.DataFrame, pooled: pd.DataFrame, meta: ForestMeta) -> pd.DataFrame:
    """The trials in printed order with interval, weight and footnote marks."""
    needed = {"label", "estimate", "variance"} - set(effects.columns)
    if needed:
        raise ValueError(f"effects lack the column {sorted(needed)[0]!r}")
    trials = effects.reset_index(drop=True).copy()
    yi = pd.to_numeric(trials["estimate"]).to_numpy(dtype=float, na_value=np.nan)
    vi = pd.to_numeric(trials["variance"]).to_numpy(dtype=float, na_value=np.nan)
    for i in np.flatnonzero(~np.isfinite(yi) | ~np.isfinite(vi) | ~(vi > 0)):
        raise ValueError(
            f"effects row {i} ({trials['label'].iloc[i]}): estimate {yi[i]}, variance {vi[i]}; a finite estimate "
            "and a positive variance are needed"
        )
    for side in ("lower", "upper"):
        given = trials.get(f"ci_{side}_natural", pd.Series(np.nan, index=trials.index))
        bound = pd.to_numeric(given).to_numpy(dtype=float, na_value=np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            trials[f"ci_{side}"] = np.log(bound) if meta.scale == "log" else bound
        if np.isnan(bound).any():
            raise ValueError(f"effects row {int(np.flatnonzero(np.isnan(bound))[0])}: ci_{side}_natural is missing")
    trials["estimate"], trials["variance"] = yi, vi
    tau2 = _number(pooled.iloc[0], "tau2") if len(pooled) else math.nan
    weight = 1 / (vi + (0.0 if math.isnan(tau2) else tau2))
    trials["weight"] = 100 * weight / weight.sum() if len(trials) else weight
    trials["note_marks"], trials.attrs["notes"] = _notes(trials, meta)
    if meta.sort == "estimate":
        return trials.sort_values("estimate", kind="stable")
    if meta.sort == "weight":
        return trials.sort_values("weight", kind="stable", ascending=False)
    if meta.sort == "year" and "year" in trials:
        return trials.sort_values("year", kind="stable", key=pd.to_numeric)
    return trials


def _notes(trials: pd.DataFrame, meta: ForestMeta) -> tuple[list[str], list[tuple[str, str]]]:
    """Footnote marks of each trial, and the notes; parts that always occur together share a letter."""
    plain = {p.lower() for p in (*PLAIN, *meta.plain)}
    holders: dict[str, list[int]] = {}
    for i, row in enumerate(trials.to_dict("records")):
        texts = [_text(row, name) for name in ("derivation", "assumptions", "flags")]
        if _text(row, "corrected") == "yes" and not any("0.5" in t or "correct" in t for t in texts):
            texts.append("continuity correction: 0.5 added to every cell of this trial")
        for part in dict.fromkeys(p.strip() for t in texts for p in t.split(";")):
            if part.lower() not in plain:
                holders.setdefault(part, []).append(i)
    groups: dict[tuple[int, ...], list[str]] = {}
    for part, rows in holders.items():
        groups.setdefault(tuple(rows), []).append(part)
    letters = ("".join(p) for size in count(1) for p in product(string.ascii_lowercase, repeat=size))
    marks: list[list[str]] = [[] for _ in range(len(trials))]
    notes = []
    for rows, parts in groups.items():
        text = symbols(clean("; ".join(parts)))
        if len(rows) == len(trials) > 1:
            notes.append(("", f"All trials: {text}"))
            continue
        letter = next(letters)
        notes.append((letter, text[:1].upper() + text[1:]))
        for i in rows:
            marks[i].append(letter)
    return [",".join(m) for m in marks], notes


class _Lines:
    """Collects printed lines from top to bottom."""

    def __init__(self, meta: ForestMeta) -> None:
        self.meta = meta
        self.rows: list[dict[str, Any]] = []
        self.y = 0.0
        self.is_ratio = meta.scale == "log"

    def add(self, kind: str, layer: str, row_id: str, *, advance: float = 1.0, **cells: Any) -> None:
        """Append a line at the current y and move on."""
        empty: dict[str, Any] = {"study_id": "", "indent": 0, "marker": "", "clipped_lower": False}
        empty |= {"clipped_upper": False, **dict.fromkeys(TEXT_COLUMNS, ""), **dict.fromkeys(NUMBER_COLUMNS, np.nan)}
        self.rows.append(empty | {"y": self.y, "kind": kind, "layer": layer, "row_id": row_id} | cells)
        self.y += advance

    def headers(self, trials: pd.DataFrame) -> None:
        """The two header lines: arms above, what stands in each column below."""
        meta = self.meta
        if meta.title:
            self.add("title", "title", "title", label=clean(meta.title), advance=1.6)
        self.formats = _arm_formats(trials)
        top: dict[str, str] = {}
        for name in self.formats:
            arm = name.partition("_")[2]
            if clean(getattr(meta, arm)) not in top.values():
                top[name] = clean(getattr(meta, arm))
        names = {"events": "n/N", "mean": "Mean", "sd": "SD", "n": "n"}
        below = {name: names[name.partition("_")[0]] for name in self.formats}
        several = len(trials) > 1
        self.add("column header", "study", "header-top", effect=clean(meta.measure_label), **top)
        self.add(
            "column header", "study", "header", label="Study", effect=f"({level_text(meta.level)} CI)",
            weight_text="Weight" if several else "", advance=1.35, **below,
        )  # fmt: skip
        self.several = several

    def study(self, trial: Mapping[str, Any], indent: int) -> None:
        """One trial."""
        number = sum(row["kind"] == "study" for row in self.rows) + 1
        self.add(
            "study", "study", f"study-{number}", label=clean(trial["label"]), indent=indent, marker="square",
            study_id=_text(trial, "study_id"), note_marks=trial["note_marks"], **self._interval(trial),
            **{name: cell(trial) for name, cell in self.formats.items()},
            weight=trial["weight"] if self.several else np.nan,
            weight_text=f"{trial['weight']:.1f}%" if self.several else "",
        )  # fmt: skip

    def subgroups(self, trials: pd.DataFrame, subgroups: pd.DataFrame) -> None:
        """Each subgroup under its heading; a diamond and a heterogeneity line from two trials on."""
        first = subgroups.drop_duplicates("subgroup").to_dict("records")
        column = _text(first[0], "column")
        if column not in trials:
            raise ValueError(f"effects lack the subgroup column {column!r}")
        member = _membership(trials, column, [str(row["subgroup"]) for row in first], self.meta)
        for number, row in enumerate(first, start=1):
            group = trials[member == str(row["subgroup"])]
            if group.empty:
                continue
            heading = self.meta.subgroup_labels.get(str(row["subgroup"]), str(row["subgroup"]))
            self.add("subgroup heading", "study", f"subgroup-{number}", label=_heading(heading))
            for trial in group.to_dict("records"):
                self.study(trial, indent=1)
            if len(group) > 1:
                self.add(
                    "subgroup pooled", "subtotals", f"subtotal-{number}", label="Subtotal", indent=1,
                    marker="diamond", weight=group["weight"].sum(), weight_text=f"{group['weight'].sum():.1f}%",
                    **self._interval(row), **_totals(group, self.formats),
                )  # fmt: skip
                text = heterogeneity_text(row, brief=True)
                self.add("heterogeneity line", "heterogeneity", f"heterogeneity-{number}", label=text, indent=1)
            self.y += 0.4

    def overall(self, trials: pd.DataFrame, main: pd.Series, others: pd.DataFrame) -> None:
        """The pooled result, its prediction interval, and what other models give."""
        if self.rows[-1]["kind"] == "study":
            self.y += 0.4
        self.add(
            "overall", "study", "overall", label=f"Overall ({model_text(main)})" if len(main) else "Overall",
            marker="diamond", weight=100.0, weight_text="100.0%", **self._interval(main),
            **_totals(trials, self.formats),
        )  # fmt: skip
        lower, upper = _number(main, "pi_lower"), _number(main, "pi_upper")
        if not math.isnan(lower + upper):
            text = interval_text(*self._natural(lower, upper), is_ratio=self.is_ratio)
            self.add(
                "prediction interval", "prediction_interval", "prediction",
                label=f"{level_text(self.meta.level)} prediction interval", effect=text, marker="bar",
                ci_lower=lower, ci_upper=upper,
            )  # fmt: skip
        for number, (_, row) in enumerate(others.iterrows(), start=1):
            self.add(
                "comparison model", "comparison_models", f"comparison-{number}", marker="outline",
                label=f"For comparison: {model_text(row)}", **self._interval(row),
            )  # fmt: skip

    def band(self, trials: pd.DataFrame, main: pd.Series, subgroups: pd.DataFrame | None) -> None:
        """Lines of statistics below the axis."""
        self.y += 3.4
        if len(trials) < 2:
            text = "One trial: not pooled" if len(trials) else "No trial with a usable result"
            self.add("heterogeneity line", "heterogeneity", "heterogeneity", label=text)
            return
        self.add("heterogeneity line", "heterogeneity", "heterogeneity", label=heterogeneity_text(main))
        statistic, p = _number(main, "statistic"), _number(main, "p_value")
        if not math.isnan(statistic + p):
            df = _number(main, "df")
            name = f"t = {fixed(statistic, 2)}, df = {df:g}" if math.isfinite(df) else f"z = {fixed(statistic, 2)}"
            self.add("test line", "tests", "test-overall", label=f"Test for overall effect: {name}, {p_text(p)}")
        if subgroups is not None and len(subgroups):
            self.add("test line", "tests", "test-subgroups", label=difference_text(subgroups.iloc[0]))

    def footnotes(self, trials: pd.DataFrame, main: pd.Series, pooled: pd.DataFrame) -> None:
        """Model, reasons, the protocol's own footnotes, and the notes of the marked trials."""
        self.y += 0.3
        texts = [("", text) for text in _model_notes(trials, main, pooled)]
        texts += [("", symbols(clean(text))) for text in self.meta.footnotes]
        texts += trials.attrs["notes"]
        for number, (letter, text) in enumerate(texts, start=1):
            stop = "" if text.endswith((".", "?", "!")) else "."
            self.add("footnote", "footnotes", f"footnote-{number}", note_marks=letter, label=f"{text}{stop}")

    def _natural(self, *values: float) -> tuple[float, ...]:
        with np.errstate(over="ignore"):
            return tuple(float(np.exp(v)) for v in values) if self.is_ratio else values

    def _interval(self, row: Mapping[str, Any] | pd.Series) -> dict[str, Any]:
        values = [_number(row, name) for name in ("estimate", "ci_lower", "ci_upper")]
        text = effect_text(*self._natural(*values), is_ratio=self.is_ratio)
        return dict(zip(("estimate", "ci_lower", "ci_upper"), values, strict=True)) | {"effect": text}


def model_text(row: Mapping[str, Any] | pd.Series) -> str:
    """`REML, Hartung-Knapp`: the tau2 estimator and the interval of a row of pooled.csv."""
    tau2, interval = _text(row, "tau2_method"), _text(row, "ci_method")
    if not tau2:
        return _text(row, "model")
    words = CI_WORDS.get(interval, interval)
    return ", ".join(filter(None, ["common effect" if tau2 == "EE" else tau2, words]))


def heterogeneity_text(row: Mapping[str, Any] | pd.Series, *, brief: bool = False) -> str:
    """`Heterogeneity: τ² = 0.31, I² = 92% (τ²-based), Q = 152.23, df = 12, P < 0.001`.

    `brief`, as subgroups print it, leaves out the interval of tau2 and the definition of I2.
    """
    tau2, low, high, i2, q, df, p = (
        _number(row, name)
        for name in ("tau2", "tau2_ci_lower", "tau2_ci_upper", "i2", "q", "q_df", "q_p_value")
    )
    parts = []
    if not math.isnan(tau2):
        interval = f" ({level_text(_level(row))} CI {small_text(low)} to {small_text(high)})"
        parts.append(f"τ² = {small_text(tau2)}" + ("" if brief or math.isnan(low + high) else interval))
    if not math.isnan(i2):
        definition = _text(row, "i2_definition").replace("tau2", "τ²")
        parts.append(f"I² = {i2:.0f}%" + ("" if brief or not definition else f" ({definition})"))
    if not math.isnan(q):
        parts.append(f"Q = {fixed(q, 2)}")
        parts += [f"df = {df:g}"] if not math.isnan(df) else []
        parts += [p_text(p)] if not math.isnan(p) else []
    return "Heterogeneity: " + (", ".join(parts) or NOT_ESTIMABLE)


def difference_text(row: Mapping[str, Any] | pd.Series) -> str:
    """`Test for subgroup differences: Q = 1.86, df = 2, P = 0.39`, or why there is none."""
    q, df, p = (_number(row, f"q_between{name}") for name in ("", "_df", "_p_value"))
    start = "Test for subgroup differences: "
    if math.isnan(q + p):
        reason = symbols(clean(_text(row, "q_between_note")))
        return start + NOT_ESTIMABLE + (f": {reason}" if reason else "")
    return f"{start}Q = {fixed(q, 2)}, df = {df:g}, {p_text(p)}"


def _model_notes(trials: pd.DataFrame, main: pd.Series, pooled: pd.DataFrame) -> Iterable[str]:
    if len(trials) < 2 or main.empty:
        return
    common = _text(main, "tau2_method") == "EE"
    interval = _text(main, "ci_method")
    text = "Common-effect model" if common else f"Random-effects model: {_text(main, 'tau2_method')} for τ²"
    text += f", {level_text(_level(main))} CI by {CI_WORDS.get(interval, interval)}" if interval else ""
    if not math.isnan(_number(main, "pi_lower")):
        method = _text(main, "pi_method")
        text += f"; prediction interval by {PI_WORDS.get(method, method)}" if method else ""
    yield text + ". Weights and square areas are those of this model"
    for _, row in pooled.iterrows():
        note = symbols(clean(_text(row, "note")))
        if note:
            yield (note[0].upper() + note[1:]) if row.name == main.name else f"{model_text(row)}: {note}"


def _arm_formats(trials: pd.DataFrame) -> dict[str, Callable[[Mapping[str, Any]], str]]:
    """How each arm column that the trials fill prints a trial: n/N for events, else mean, SD, n with equal decimals."""

    def known(name: str) -> list[float]:
        return [value for row in trials.to_dict("records") if not math.isnan(value := _number(row, name))]

    def plain(name: str, most: int) -> Callable[[Mapping[str, Any]], str]:
        decimals = needed_decimals(known(name), most)
        return lambda row: DASH if math.isnan(v := _number(row, name)) else fixed(v, decimals)

    def events(arm: str) -> Callable[[Mapping[str, Any]], str]:
        parts = plain(f"events_{arm}", 1), plain(f"n_{arm}", 1)
        return lambda row: DASH if DASH in (cells := [part(row) for part in parts]) else "/".join(cells)

    binary = any(known(f"events_{arm}") for arm in ARMS)
    formats: dict[str, Callable[[Mapping[str, Any]], str]] = {}
    for arm in ARMS:
        if binary:
            formats[f"events_{arm}"] = events(arm)
            continue
        for what, most in (("mean", 2), ("sd", 2), ("n", 1)):
            if known(f"{what}_{arm}"):
                formats[f"{what}_{arm}"] = plain(f"{what}_{arm}", most)
    return formats


def _totals(trials: pd.DataFrame, formats: Iterable[str]) -> dict[str, str]:
    """Sums of events and n over the trials, only where every trial gives them."""
    cells = {}
    for name in formats:
        what, _, arm = name.partition("_")
        columns = {"events": [f"events_{arm}", f"n_{arm}"], "n": [name]}.get(what, [])
        values = [pd.to_numeric(trials[c]).to_numpy(dtype=float, na_value=np.nan) for c in columns]
        if columns and not any(np.isnan(v).any() for v in values):
            cells[name] = "/".join(f"{v.sum():.10g}" for v in values)
    return cells


def _membership(trials: pd.DataFrame, column: str, names: list[str], meta: ForestMeta) -> pd.Series:
    """Subgroup of each trial; subgroups.csv may hold the value of the column or its printed name."""
    folded = {_fold(name): name for name in names}

    def place(value: object) -> str:
        text = "" if pd.isna(value) else str(value)  # type: ignore[call-overload]
        for candidate in (text, meta.subgroup_labels.get(text, text), text or "not reported"):
            if _fold(candidate) in folded:
                return folded[_fold(candidate)]
        raise ValueError(f"trial subgroup {text!r} of column {column!r} is not among the subgroups: {', '.join(names)}")

    return trials[column].map(place)


def _fold(text: str) -> str:
    return clean(text).lower().replace("_", " ").removesuffix(".0")


def _heading(text: str) -> str:
    text = clean(text).replace("_", " ")
    return text[:1].upper() + text[1:]


def _clip(table: pd.DataFrame, meta: ForestMeta) -> pd.DataFrame:
    low, high = axis_limits(table, log=meta.scale == "log")
    table["clipped_lower"] = table["ci_lower"] < low
    table["clipped_upper"] = table["ci_upper"] > high
    return table


def _level(row: Mapping[str, Any] | pd.Series) -> float:
    level = _number(row, "level")
    return 0.95 if math.isnan(level) else level


def _number(row: Mapping[str, Any] | pd.Series, name: str) -> float:
    value = row.get(name)
    return math.nan if value is None or value == "" or pd.isna(value) else float(value)


def _text(row: Mapping[str, Any] | pd.Series, name: str) -> str:
    value = row.get(name)
    return "" if value is None or pd.isna(value) else str(value)
