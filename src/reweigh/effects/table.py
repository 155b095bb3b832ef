"""The table of comparisons as reported: its columns, the options of the protocol, and what is impossible in it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweigh.effects.conversions import Floats
from reweigh.effects.measures import MD_VARIANCES, SMD_VARIANCES, ZERO_CELL_POLICIES, Bools
from reweigh.measures import MEASURES, RATIO_MEASURES

Strings = NDArray[np.object_]

_ARM = "n mean sd se ci_lower ci_upper ci_level median q1 q3 min max events percent time scale_min scale_max"
_CHANGE = "baseline_mean baseline_sd change_mean change_sd"
_CONTRAST = "estimate se ci_lower ci_upper ci_level p_value t f z df oe v discordant1 discordant2"
_SETTING = "r phi icc cluster_size scale_min scale_max target_min target_max"
NUMERIC_COLUMNS = (
    *(f"{column}{arm}" for arm in (1, 2) for column in f"{_ARM} {_CHANGE}".split()),
    *f"{_CONTRAST} {_SETTING}".split(),
)
#: Levels of intervals: of a contrast or both arms, of one arm.
LEVELS = ("ci_level", "ci_level1", "ci_level2")
#: Ratios whose estimate and CI are printed as logarithms, and the ratio itself.
LOG_REPORTED = {f"log{name}": name for name in sorted(RATIO_MEASURES)}
REPORTED_MEASURES = frozenset(set(MEASURES) | {"SMD_paired", "p_only", "OE_V"} | set(LOG_REPORTED))
CATEGORIES: dict[str, tuple[str, ...]] = {
    "measure": tuple(sorted(MEASURES)),
    "reported_measure": tuple(sorted(REPORTED_MEASURES)),
    "design": ("parallel", "crossover", "cluster", "first_period"),
    "paired": ("yes", "no"),
    "p_operator": ("=", "<", "<=", ">", ">="),
    "direction": ("favours_intervention", "favours_control", "none"),
    "better": ("lower", "higher"),
    "estimate_scale": ("natural", "log"),
}
COLUMNS = (*CATEGORIES, *NUMERIC_COLUMNS, "flip")


@dataclass(frozen=True, slots=True)
class Options:
    """What the protocol decides about effect sizes.

    r, phi: assumed within-person correlations of crossover trials (continuous, binary).
    r_baseline: assumed correlation of baseline and final value.
    change_scores: whether baselines, where given, turn final values into changes.
    crossover: "paired", or "as_independent" as older reviews did.
    zero_cells, correction: see `measures.correct_zero_cells`.
    md_variance: "separate" or "pooled", see `measures.md`.
    smd_variance: "LS", "LS2", "UB", "AV" or "RevMan", see `measures.smd_variance`.
    smdh_version: whose variance of SMDH, that of metafor "3.8" or "5".
    median_method: "luo-wan-shi", "wan", "lognormal" (Shi 2020b) or "quantile" (McGrath 2020).
    p_inequality_as_equality: whether p < 0.001 is converted as p = 0.001.
    unknown_direction: what an exact p without a direction is taken for, or "exclude".
    standardiser: of crossover SMDs, the SD "between" persons or that of the "difference".
    contrast_ci: "normal" or "t" quantile behind the CI of a reported difference.
    level: of the intervals given back, between 0 and 1.
    """

    r: float = 0.5
    phi: float = 0.2
    r_baseline: float = 0.5
    change_scores: bool = True
    crossover: str = "paired"
    zero_cells: str = "only0"
    correction: float = 0.5
    md_variance: str = "separate"
    smd_variance: str = "LS"
    smdh_version: str = "3.8"
    median_method: str = "luo-wan-shi"
    p_inequality_as_equality: bool = False
    unknown_direction: str = "exclude"
    standardiser: str = "between"
    contrast_ci: str = "normal"
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse values outside their range."""
        allowed = {
            "crossover": ("paired", "as_independent"),
            "zero_cells": ZERO_CELL_POLICIES,
            "md_variance": MD_VARIANCES,
            "smd_variance": SMD_VARIANCES,
            "smdh_version": ("3.8", "5"),
            "median_method": ("luo-wan-shi", "wan", "lognormal", "quantile"),
            "unknown_direction": ("exclude", "favours_intervention", "favours_control"),
            "standardiser": ("between", "difference"),
            "contrast_ci": ("normal", "t"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                msg = f"{name} must be one of {', '.join(values)}, not {getattr(self, name)!r}"
                raise ValueError(msg)
        for name, low, high in (("r", -1, 1), ("phi", -1, 1), ("r_baseline", -1, 1)):
            if not low <= getattr(self, name) <= high:
                msg = f"{name} must lie between {low} and {high}, not {getattr(self, name)}"
                raise ValueError(msg)
        if not 0 < self.level < 1 or not self.correction > 0:
            msg = f"level must lie between 0 and 1 and correction above 0, not {self.level}, {self.correction}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Problem:
    """One impossible value: where it stands, what it is and what is wrong with it."""

    index: Hashable
    column: str
    value: object
    message: str

    def __str__(self) -> str:
        """One line for a report."""
        return f"row {self.index!r}, {self.column} = {self.value}: {self.message}"


@dataclass(slots=True)
class Rows:
    """The columns of the table as arrays, missing ones filled (NaN or ""); whether steps are recorded."""

    n: int
    numbers: dict[str, Floats] = field(default_factory=dict)
    words: dict[str, Strings] = field(default_factory=dict)
    flip: Bools = field(default_factory=lambda: np.zeros(0, dtype=bool))
    traced: bool = False

    def __getitem__(self, column: str) -> Floats:
        """A numeric column."""
        return self.numbers[column]

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """The given rows only."""
        return Rows(
            len(rows),
            {k: v[rows] for k, v in self.numbers.items()},
            {k: v[rows] for k, v in self.words.items()},
            self.flip[rows],
            self.traced,
        )


def read(table: pd.DataFrame) -> tuple[Rows, list[Problem]]:
    """Columns as arrays, with a problem for every cell that is no number where a number belongs."""
    rows, problems = Rows(len(table)), []
    missing = np.full(len(table), np.nan)
    for column in NUMERIC_COLUMNS:
        if column not in table:
            rows.numbers[column] = missing
            continue
        raw = table[column]
        if raw.dtype == np.float64:
            values = raw.to_numpy()
            bad = np.isinf(values)
        else:
            values = pd.to_numeric(raw, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
            bad = (np.isnan(values) & raw.notna().to_numpy()) | np.isinf(values)
        if bad.any():
            bad[bad] = [not (isinstance(v, str) and v.strip() == "") for v in raw[bad]]
            problems += _problems(table, column, bad, "not a finite number")
        rows.numbers[column] = np.where(np.isinf(values), np.nan, values)
    for column, allowed in CATEGORIES.items():
        if column not in table:
            rows.words[column] = np.full(len(table), "", dtype=object)
            continue
        codes, labels = pd.factorize(table[column].astype(object), use_na_sentinel=True)
        names = np.array([*("" if isinstance(w, float) else str(w).strip() for w in labels), ""], dtype=object)
        words = names[codes]
        rows.words[column] = words
        known = np.array([name in allowed or name == "" for name in names], dtype=bool)[codes]
        problems += _problems(table, column, ~known, f"not one of {', '.join(allowed)}")
    if "flip" in table:
        flip = table["flip"].map({True: True, False: False, "yes": True, "no": False, "": False}, na_action="ignore")
        problems += _problems(
            table, "flip", (flip.isna() & table["flip"].notna()).to_numpy(dtype=bool), "not true or false"
        )
        rows.flip = flip.eq(True).fillna(False).to_numpy(dtype=bool)
    else:
        rows.flip = np.zeros(len(table), dtype=bool)
    levels = {c: np.where(v > 1, v / 100.0, v) for c in LEVELS for v in [rows.numbers[c]]}
    rows.numbers["ci_level"] = np.where(np.isnan(levels["ci_level"]), 0.95, levels["ci_level"])
    for column in LEVELS[1:]:
        rows.numbers[column] = np.where(np.isnan(levels[column]), rows.numbers["ci_level"], levels[column])
    return rows, problems


def validate(table: pd.DataFrame) -> list[Problem]:
    """Every impossible value in the table, by row, column and reason; an empty list means that `compute` will run."""
    rows, problems = read(table)
    for column, bad, message in _checks(rows):
        problems += _problems(table, column, bad, message)
    return problems


def _problems(table: pd.DataFrame, column: str, bad: Bools, message: str) -> list[Problem]:
    at = np.flatnonzero(bad)
    if at.size == 0:
        return []
    values = table[column].iloc[at] if column in table else [None] * at.size
    return [Problem(index, column, value, message) for index, value in zip(table.index[at], values, strict=True)]


def _checks(x: Rows) -> Iterator[tuple[str, Bools, str]]:
    """Pairs of column and impossible rows; comparisons with a missing value are never impossible."""
    yield "measure", x.words["measure"] == "", "every row needs a measure"
    for arm in (1, 2):
        n, events = x[f"n{arm}"], x[f"events{arm}"]
        yield f"n{arm}", ~(n > 0) & ~np.isnan(n), "must be above 0"
        yield f"events{arm}", events < 0, "must not be negative"
        counts = np.isnan(x[f"time{arm}"])
        yield f"events{arm}", counts & (events > n), f"more events than n{arm}"
        percent = x[f"percent{arm}"]
        yield f"percent{arm}", (percent < 0) | (percent > 100), "must lie between 0 and 100"
        yield f"time{arm}", x[f"time{arm}"] <= 0, "must be above 0"
        yield f"scale_min{arm}", x[f"scale_min{arm}"] >= x[f"scale_max{arm}"], f"not below scale_max{arm}"
        for spread in ("sd", "se", "baseline_sd", "change_sd"):
            yield f"{spread}{arm}", x[f"{spread}{arm}"] <= 0, "must be above 0"
        low, mean, high = x[f"ci_lower{arm}"], x[f"mean{arm}"], x[f"ci_upper{arm}"]
        yield f"ci_lower{arm}", low >= high, f"not below ci_upper{arm}"
        yield f"mean{arm}", (mean < low) | (mean > high), "outside its confidence interval"
        single = (n <= 1) & (~np.isnan(x[f"sd{arm}"]) | ~np.isnan(x[f"se{arm}"]) | ~np.isnan(low) | ~np.isnan(high))
        yield f"n{arm}", single, "a group of one has no SD, SE or CI"
        five = [f"{c}{arm}" for c in ("min", "q1", "median", "q3", "max")]
        for i, lower in enumerate(five):
            for upper in five[i + 1 :]:
                yield lower, x[lower] > x[upper], f"above {upper}"
    yield from _contrast_checks(x)
    for column, low_limit, high_limit in (("r", -1.0, 1.0), ("phi", -1.0, 1.0), ("icc", 0.0, 1.0)):
        bad = (x[column] < low_limit) | (x[column] > high_limit)
        yield column, bad, f"must lie between {low_limit:g} and {high_limit:g}"
    yield "cluster_size", x["cluster_size"] < 1, "must be at least 1"
    yield "scale_min", x["scale_min"] >= x["scale_max"], "not below scale_max"
    yield "target_min", x["target_min"] >= x["target_max"], "not below target_max"
    b, c = x["discordant1"], x["discordant2"]
    e1, e2, n = x["events1"], x["events2"], x["n1"]
    yield "discordant1", np.abs((e1 - e2) - (b - c)) > 1e-9, "does not fit the events of the arms"
    for column, pairs, events, other in (("discordant1", b, e1, e2), ("discordant2", c, e2, e1)):
        yield column, (pairs < 0) | (pairs > n), "must lie between 0 and n1"
        yield column, pairs > events, "more discordant pairs than events"
        yield column, pairs > n - other, "more discordant pairs than patients without the event in the other arm"


def _contrast_checks(x: Rows) -> Iterator[tuple[str, Bools, str]]:
    estimate, low, high = x["estimate"], x["ci_lower"], x["ci_upper"]
    reported = x.words["reported_measure"]
    ratio = np.isin(reported, list(RATIO_MEASURES)) & (x.words["estimate_scale"] != "log")
    for column, value in (("estimate", estimate), ("ci_lower", low), ("ci_upper", high)):
        yield column, ratio & (value <= 0), "a ratio must be above 0"
    risk = reported == "RD"
    yield "estimate", risk & (np.abs(estimate) > 1), "a risk difference lies between -1 and 1"
    yield "se", x["se"] <= 0, "must be above 0"
    yield "ci_lower", low >= high, "not below ci_upper"
    yield "estimate", (estimate < low) | (estimate > high), "outside its confidence interval"
    for column in LEVELS:
        yield column, (x[column] <= 0) | (x[column] >= 1), "must lie between 0 and 1 (or 0 and 100 percent)"
    p = x["p_value"]
    yield "p_value", (p <= 0) | (p > 1), "must lie above 0 and at most at 1 (p = 0.000 is p < 0.001)"
    yield "f", x["f"] < 0, "must not be negative"
    yield "df", x["df"] <= 0, "must be above 0"
    yield "v", x["v"] <= 0, "must be above 0"
