"""The table of comparisons as reported: its columns, the options of the protocol, and what is impossible in it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Annotated, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from reweigh.effects.conversions import Floats
from reweigh.effects.measures import Bools
from reweigh.measures import MEASURES, RANGES, RATIO_MEASURES, MdVariance, Scale, SmdVariance, ZeroCells
from reweigh.protocol.base import Closed

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
    "estimate_scale": get_args(Scale),
}
COLUMNS = (*CATEGORIES, *NUMERIC_COLUMNS, "flip")


Correlation = Annotated[float, Field(ge=-1, le=1)]


class Options(Closed):
    """What the protocol decides about effect sizes; raises ValueError on a value outside its range."""

    #: Assumed within-person correlations of crossover trials (continuous, binary), and of baseline and final value.
    r: Correlation = 0.5
    phi: Correlation = 0.2
    r_baseline: Correlation = 0.5
    #: Whether baselines, where given, turn final values into changes.
    change_scores: bool = True
    #: Paired, or as independent as older reviews did.
    crossover: Literal["paired", "as_independent"] = "paired"
    #: See `measures.correct_zero_cells`.
    zero_cells: ZeroCells = "only0"
    correction: Annotated[float, Field(gt=0)] = 0.5
    #: See `measures.md` and `measures.smd_variance`.
    md_variance: MdVariance = "separate"
    smd_variance: SmdVariance = "LS"
    #: Whose variance of SMDH, by the version of metafor.
    smdh_version: Literal["3.8", "5"] = "3.8"
    #: "lognormal" is Shi 2020b, "quantile" McGrath 2020.
    median_method: Literal["luo-wan-shi", "wan", "lognormal", "quantile"] = "luo-wan-shi"
    #: Whether p < 0.001 is converted as p = 0.001.
    p_inequality_as_equality: bool = False
    #: What an exact p without a direction is taken for.
    unknown_direction: Literal["exclude", "favours_intervention", "favours_control"] = "exclude"
    #: Of crossover SMDs: the SD between persons, or that of the differences.
    standardiser: Literal["between", "difference"] = "between"
    #: Quantile behind the CI of a reported difference.
    contrast_ci: Literal["normal", "t"] = "normal"
    #: Of the intervals given back.
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95


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


def scales(x: Rows) -> Strings:
    """The analysis scale of each row's measure."""
    return np.array([MEASURES[name].scale if name else "natural" for name in x.words["measure"]], dtype=object)


def on_scales(turn: Callable[[Floats, str], Floats], values: Floats, scale: Strings) -> Floats:
    """Values put from or to the analysis scale, each by the scale of its row (`natural` or `analysed`)."""
    out = np.array(values, dtype=np.float64)
    for name in RANGES:
        rows = scale == name
        if rows.any():
            out[rows] = turn(out[rows], name)
    return out


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
    estimate, reported = x["estimate"], x.words["reported_measure"]
    ratio = np.isin(reported, list(RATIO_MEASURES)) & (x.words["estimate_scale"] != "log")
    for column in ("estimate", "ci_lower", "ci_upper"):
        yield column, ratio & (x[column] <= 0), "a ratio must be above 0"
    for name, range_of in (("ZCOR", "z"), ("PLO", "logit")):
        low, high = RANGES[range_of]
        given = (reported == name) & (x.words["estimate_scale"] != range_of)
        for column in ("estimate", "ci_lower", "ci_upper"):
            yield column, given & ((x[column] <= low) | (x[column] >= high)), f"must lie between {low} and {high}"
    yield "estimate", (reported == "RD") & (np.abs(estimate) > 1), "a risk difference lies between -1 and 1"
    per_arm = ("n", "time", "sd", "se", "baseline_sd", "change_sd")
    for column in ("se", "df", "v", *(f"{name}{arm}" for arm in (1, 2) for name in per_arm)):
        yield column, x[column] <= 0, "must be above 0"
    for column in ("f", "events1", "events2"):
        yield column, x[column] < 0, "must not be negative"
    limits = {"r": (-1, 1), "phi": (-1, 1), "icc": (0, 1), "percent1": (0, 100), "percent2": (0, 100)}
    for column, (low, high) in limits.items():
        yield column, (x[column] < low) | (x[column] > high), f"must lie between {low} and {high}"
    for column in LEVELS:
        yield column, (x[column] <= 0) | (x[column] >= 1), "must lie between 0 and 1 (or 0 and 100 percent)"
    p = x["p_value"]
    yield "p_value", (p <= 0) | (p > 1), "must lie above 0 and at most at 1 (p = 0.000 is p < 0.001)"
    yield "cluster_size", x["cluster_size"] < 1, "must be at least 1"
    for name, arm in (("scale", ""), ("scale", "1"), ("scale", "2"), ("target", "")):
        yield f"{name}_min{arm}", x[f"{name}_min{arm}"] >= x[f"{name}_max{arm}"], f"not below {name}_max{arm}"
    for column, arm in (("estimate", ""), ("mean1", "1"), ("mean2", "2")):
        lower, upper = x[f"ci_lower{arm}"], x[f"ci_upper{arm}"]
        yield f"ci_lower{arm}", lower >= upper, f"not below ci_upper{arm}"
        yield column, (x[column] < lower) | (x[column] > upper), "outside its confidence interval"
    for arm in ("1", "2"):
        n, spread = x[f"n{arm}"], [x[f"{name}{arm}"] for name in ("sd", "se", "ci_lower", "ci_upper")]
        yield f"events{arm}", np.isnan(x[f"time{arm}"]) & (x[f"events{arm}"] > n), f"more events than n{arm}"
        yield f"n{arm}", (n <= 1) & ~np.isnan(spread).all(axis=0), "a group of one has no SD, SE or CI"
        for one, next_one in combinations([f"{name}{arm}" for name in ("min", "q1", "median", "q3", "max")], 2):
            yield one, x[one] > x[next_one], f"above {next_one}"
    b, c = x["discordant1"], x["discordant2"]
    e1, e2, n = x["events1"], x["events2"], x["n1"]
    yield "discordant1", np.abs((e1 - e2) - (b - c)) > 1e-9, "does not fit the events of the arms"
    for column, pairs, events, other in (("discordant1", b, e1, e2), ("discordant2", c, e2, e1)):
        yield column, (pairs < 0) | (pairs > n), "must lie between 0 and n1"
        yield column, pairs > events, "more discordant pairs than events"
        yield column, pairs > n - other, "more discordant pairs than patients without the event in the other arm"
