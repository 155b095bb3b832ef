"""The tables of a review: their columns, and the rules across columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
import pandas as pd

from reweigh.measures import MEASURES as VOCABULARY
from reweigh.measures import RANGES, RATIO_MEASURES, SAME_MEASURE, MeasureName, Scale
from reweigh.tables.columns import MAX_COUNT, Column, Rule, TableSpec
from reweigh.text.flow import BOXES

ROLES = ("intervention", "control", "other")
BETTER = ("lower", "higher")
DESIGNS = ("parallel", "crossover", "cluster", "first_period")
#: Every measure that a protocol can ask for, and what a paper may report beside.
MEASURES = (*get_args(MeasureName), "SMD_paired", "OE_V", "p_only")
P_TESTS = ("two_sample", "paired", "three_arm", "repeated_measures", "other", "unknown")
YES_NO = ("yes", "no")
SCALES = get_args(Scale)

_CHANGE = r"chang|reduc|relie|differ|improve|decreas|increas"


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name) for name in names)


def _keys(*names: str, filled: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, "key", filled=filled) for name in names)


def _ids(**filled: bool) -> tuple[Column, ...]:
    return tuple(Column(name, "key", filled=must, identifier=True) for name, must in filled.items())


def _numbers(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "number") for name in names)


def _positive(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "number", 0, above=True) for name in names)


def _whole(*names: str, low: float = 1, high: float = MAX_COUNT) -> tuple[Column, ...]:
    return tuple(Column(name, "whole", low, high) for name in names)


def _choice(name: str, choices: tuple[str, ...], filled: bool = False) -> Column:
    return Column(name, "category", choices=choices, filled=filled)


_DAYS = Column("timepoint_days", "number", 0)
_LEVEL = Column("ci_level", "number", 0, 100, above=True, advice=": 0.9 or 90 for a 90% interval; empty for 95%")
_YEAR = Column("year", "year", 1900, 2100, advice="; a letter may follow it (1994a)")
#: A design other than the study's; who read the result where, and what joins it to other readings of one datum.
_OF_ROW = (_choice("design", DESIGNS), *_text("reading"), *_keys("datum"), *_text("datum_reason"))
_SOURCE = _text("evidence", "source_url", "source", "location", "extracted_by", "contradicted_by", "note")


def _ordered(*names: str) -> tuple[Rule, ...]:
    """Neighbours among the given values must not fall; a missing value lets its neighbours meet."""

    def falls(low: str, high: str, between: tuple[str, ...]) -> Callable[[pd.DataFrame], pd.Series]:
        def broken(d: pd.DataFrame) -> pd.Series:
            above = d[low] > d[high]
            return above & d[list(between)].isna().all(axis=1) if above.any() else above

        return broken

    return tuple(
        Rule(low, falls(low, high, names[i + 1 : j]), f"is above {high} ({{{high}}})", f"a number up to {high}")
        for i, low in enumerate(names)
        for j, high in enumerate(names[i + 1 :], start=i + 1)
    )


def _interval(estimate: str) -> tuple[Rule, ...]:
    """Bounds in order, with some width, around the estimate."""

    def outside(d: pd.DataFrame) -> pd.Series:
        sound = ~(d["ci_lower"] >= d["ci_upper"])
        return sound & ((d[estimate] < d["ci_lower"]) | (d[estimate] > d["ci_upper"]))

    return (
        Rule("ci_lower", lambda d: d["ci_lower"] > d["ci_upper"], "is above ci_upper ({ci_upper})", "the lower bound"),
        Rule(
            "ci_lower",
            lambda d: d["ci_lower"] == d["ci_upper"],
            "equals ci_upper: the interval has no width",
            "a number below ci_upper",
        ),
        Rule(estimate, outside, "is outside its interval ({ci_lower} to {ci_upper})", "a number within the interval"),
    )


#: A level of 1% to 50%, or of 100%, is a typing error: no paper prints such an interval.
_LEVEL_RULE = Rule(
    "ci_level",
    lambda d: (d["ci_level"] < 0.5) | ((d["ci_level"] >= 1) & (d["ci_level"] < 50)) | (d["ci_level"] >= 100),
    "is no level of an interval",
    "0.9 or 90 for a 90% interval; empty for 95%",
)


def _scale_rules(*names: str) -> tuple[Rule, ...]:
    """The scale itself, and values that must lie on it; changes may be as far below its width as above."""

    def beyond(name: str) -> Callable[[pd.DataFrame], pd.Series]:
        def broken(d: pd.DataFrame) -> pd.Series:
            low, high = d["scale_min"], d["scale_max"]
            scaled = low < high
            if not scaled.any():
                return scaled
            words = d["outcome"].fillna("") + " " + d["outcome_definition"].fillna("")
            change = words.str.contains(_CHANGE, case=False, regex=True).astype(bool)
            floor = low.where(~change, low - high)
            ceiling = high.where(~change, high - low)
            return scaled & ((d[name] < floor) | (d[name] > ceiling))

        return broken

    def alone(given: str, empty: str) -> Callable[[pd.DataFrame], pd.Series]:
        return lambda d: d[given].notna() & d[empty].isna()

    return (
        Rule(
            "scale_min",
            lambda d: d["scale_min"] >= d["scale_max"],
            "is not below scale_max ({scale_max})",
            "a number below scale_max",
        ),
        *(
            Rule(
                here, alone(there, here), f"the cell is empty, but {there} is given", "both ends of the scale, or none"
            )
            for here, there in (("scale_min", "scale_max"), ("scale_max", "scale_min"))
        ),
        *(
            Rule(name, beyond(name), "is outside the scale ({scale_min} to {scale_max})", "a number on the scale")
            for name in names
        ),
    )


def _percent_off(d: pd.DataFrame) -> pd.Series:
    """More than one unit of the last printed digit apart (rounded or cut off), counts of persons only."""
    unit = 10.0 ** -d["percent_decimals"]
    gap = (100 * d["events"] / d["n"] - d["percent"]).abs()
    return (gap > unit * (1 + 1e-9)) & (d["events"] <= d["n"]) & d["person_time"].isna()


def _is_one(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda d: d[name] == 1


def _not_a_ratio(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    return lambda d: d["measure"].isin(RATIO_MEASURES) & (d["estimate_scale"] != "log") & (d[name] <= 0)


def _own_scale(d: pd.DataFrame) -> pd.Series:
    """The analysis scale of each row's measure; natural for what is no measure of effects (p_only)."""
    return d["measure"].map(lambda name: VOCABULARY[name].scale if name in VOCABULARY else "natural")


def _beyond(scale: str, name: str) -> Callable[[pd.DataFrame], pd.Series]:
    low, high = RANGES[scale]
    return lambda d: (_own_scale(d) == scale) & (d["estimate_scale"] != scale) & ((d[name] <= low) | (d[name] >= high))


def _bare(d: pd.DataFrame) -> pd.Series:
    """Estimates with an SE, no interval and no scale."""
    alone = d["estimate_scale"].isna() & d["estimate"].notna() & d["se"].notna()
    return alone & (d["ci_lower"].isna() | d["ci_upper"].isna())


def _natural_or_log(d: pd.DataFrame) -> pd.Series:
    """Ratios with an SE, no interval and no scale, whose outcome does not show that they are on the natural one.

    Ratios above 0 on both sides of 1 are no logarithms: those would lie on both sides of 0.
    """
    bare = d["measure"].isin(RATIO_MEASURES) & _bare(d)
    if not bare.any():
        return bare
    by = d[bare].groupby(["outcome", "measure"], dropna=False)["estimate"]
    evident = (by.transform("min") > 0) & (by.transform("min") < 1) & (by.transform("max") > 1)
    shown: pd.Series = bare & ~evident.reindex(d.index, fill_value=False)
    return shown


_SCALE_RULE = Rule(
    "estimate_scale",
    lambda d: (
        d["estimate_scale"].notna() & ~d["estimate_scale"].isin(["natural"]) & (d["estimate_scale"] != _own_scale(d))
    ),
    "is given, but it is not the scale of {measure}",
    "an empty cell, natural, or log for a ratio, z for ZCOR, logit for PLO",
)


def _negative_ratio(name: str) -> Callable[[pd.DataFrame], pd.Series]:
    """Printed ratios below 0; a limit that rounds to 0 may be printed so."""
    return lambda d: (
        d["measure"].replace(SAME_MEASURE).isin(RATIO_MEASURES) & (d["estimate_scale"] != "log") & (d[name] < 0)
    )


def _width(d: pd.DataFrame) -> pd.Series:
    """Width of a sound scale, else missing."""
    width: pd.Series = d["scale_max"] - d["scale_min"]
    return width.where(width > 0)


def _unexplained(d: pd.DataFrame) -> pd.Series:
    """Data that several rows are readings of, of which no row says why they are the same."""
    several = d["datum"].notna()
    if not several.any():
        return several
    said = d["datum_reason"].notna().groupby([d["study_id"], d["datum"]], sort=False).transform("any")
    unexplained: pd.Series = several & ~said.reindex(d.index).fillna(False).astype(bool)
    return unexplained


_DATUM_RULE = Rule(
    "datum_reason", _unexplained, "the cell is empty: why are the rows of datum {datum} readings of one datum?",
    "a reason, in one of its rows at least",
)  # fmt: skip


ARMS = TableSpec(
    columns=(
        *_ids(study_id=True, comparison_id=False),
        *_text("label"),
        *_keys("outcome", filled=True),
        *_text("outcome_definition"),
        *_keys("timepoint"),
        _DAYS,
        *_keys("arm"),
        _choice("role", ROLES, filled=True),
        *_OF_ROW,
        *_numbers("scale_min", "scale_max"),
        _choice("better", BETTER),
        *_whole("n"),
        *_numbers("mean"),
        *_positive("sd", "se"),
        *_numbers("ci_lower", "ci_upper"),
        _LEVEL,
        *_numbers("median", "q1", "q3", "min", "max"),
        *_whole("events", low=0),
        Column("percent", "number", 0, 100),
        *_positive("person_time"),
        *_numbers("baseline_mean"),
        *_positive("baseline_sd"),
        *_numbers("change_mean"),
        *_positive("change_sd"),
        Column("correlation", "number", -1, 1),
        Column("phi", "number", -1, 1),
        Column("icc", "number", 0, 1),
        Column("cluster_size", "number", 1),
        *_whole("discordant1", "discordant2", low=0),
        *_SOURCE,
    ),
    required=(("study_id", "comparison_id"), ("outcome",), ("role",)),
    unique=("study_id", "comparison_id", "outcome", "timepoint", "arm", "reading"),
    rules=(
        # With person time, events are occurrences and may outnumber persons.
        Rule(
            "events",
            lambda d: (d["events"] > d["n"]) & d["person_time"].isna(),
            "is more than n ({n})",
            "a whole number from 0 to n",
        ),
        Rule(
            "percent",
            _percent_off,
            "contradicts events and n ({events} of {n})",
            "100 * events / n, rounded, or an empty cell",
        ),
        *(Rule(name, _is_one(name), "leaves a difference no variance", "below 1") for name in ("correlation", "phi")),
        _DATUM_RULE,
        Rule("se", lambda d: d["se"] > d["sd"], "is above sd ({sd})", "a standard error: sd / sqrt(n) or the like"),
        *_interval("mean"),
        _LEVEL_RULE,
        *_ordered("min", "q1", "median", "q3", "max"),
        Rule(
            "mean",
            lambda d: ((d["mean"] < d["min"]) | (d["mean"] > d["max"])) & ~(d["min"] > d["max"]),
            "is outside its range (min {min}, max {max})",
            "a number from min to max",
        ),
        *_scale_rules("mean", "median", "q1", "q3", "min", "max", "baseline_mean"),
        Rule(
            "change_mean",
            lambda d: d["change_mean"].abs() > _width(d),
            "is wider than the scale ({scale_min} to {scale_max})",
            "a change that the scale allows",
        ),
        # The SD of values (or changes) within a width w is at most w sqrt(n / (n - 1)), so below 1.42 w.
        Rule(
            "sd",
            lambda d: d["sd"] > np.sqrt(2) * _width(d),
            "is wider than the scale ({scale_min} to {scale_max})",
            "a standard deviation that the scale allows",
        ),
    ),
)

CONTRASTS = TableSpec(
    columns=(
        *_ids(study_id=True, comparison_id=False),
        *_text("label"),
        *_keys("outcome", filled=True),
        *_text("outcome_definition"),
        *_keys("timepoint"),
        _DAYS,
        _choice("measure", MEASURES, filled=True),
        *_OF_ROW,
        *_numbers("scale_min", "scale_max", "estimate"),
        _choice("estimate_scale", SCALES),
        *_positive("se"),
        *_numbers("ci_lower", "ci_upper"),
        _LEVEL,
        Column("p_value", "number", 0, 1, above=True, advice="; a bound as in p < 0.001 is 0.001 with p_operator <"),
        _choice("p_operator", ("=", "<", "<=", ">", ">=")),
        *_numbers("t"),
        Column("f", "number", 0),
        *_numbers("z"),
        *_positive("df"),
        *_numbers("oe"),
        *_positive("v"),
        _choice("better", BETTER),
        _choice("direction", ("favours_intervention", "favours_control", "none")),
        *_whole("n_intervention", "n_control"),
        _choice("paired", YES_NO),
        _choice("p_test", P_TESTS),
        *_SOURCE,
    ),
    required=(("study_id", "comparison_id"), ("outcome",), ("measure",)),
    unique=("study_id", "comparison_id", "outcome", "timepoint", "measure", "reading"),
    rules=(
        _DATUM_RULE,
        *_scale_rules(),
        *_interval("estimate"),
        *(
            Rule(
                name,
                _not_a_ratio(name),
                "is not above 0, but {measure} is a ratio",
                "a ratio on its natural scale, above 0; or its logarithm, with log in the column estimate_scale",
            )
            for name in ("estimate", "ci_lower", "ci_upper")
        ),
        *(
            Rule(
                name,
                _beyond(scale, name),
                "is outside what {measure} can be",
                f"a number between {RANGES[scale][0]} and {RANGES[scale][1]}; or its {word}, with {scale} in the "
                "column estimate_scale",
            )
            for scale, word in (("z", "Fisher's z"), ("logit", "logit"))
            for name in ("estimate", "ci_lower", "ci_upper")
        ),
        _LEVEL_RULE,
        Rule(
            "estimate_scale",
            lambda d: _own_scale(d).isin(["z", "logit"]) & _bare(d),
            "the cell is empty: is {estimate} as printed or its Fisher's z or logit? With an SE and no interval it may "
            "be either",
            "natural; or z for ZCOR, logit for PLO",
        ),
        Rule(
            "estimate_scale",
            _natural_or_log,
            "the cell is empty: is {estimate} a ratio or its logarithm? With an SE and no interval it may be either",
            "natural or log",
        ),
        _SCALE_RULE,
        Rule(
            "p_operator",
            lambda d: d["p_operator"].notna() & d["p_written"].eq(""),
            "stands without a p_value",
            "an empty cell, or a p_value beside it",
        ),
        Rule(
            "estimate",
            lambda d: (d["measure"] == "p_only") & d["estimate"].notna(),
            "is an estimate, but the measure is p_only",
            "the measure of the estimate, or an empty cell",
        ),
        Rule(
            "estimate",
            lambda d: (d["measure"] == "MD") & (d["estimate"].abs() > _width(d)),
            "is wider than the scale ({scale_min} to {scale_max})",
            "a difference that the scale allows",
        ),
    ),
)

STUDIES = TableSpec(
    columns=(
        *_ids(study_id=True),
        *_text("label"),
        _YEAR,
        *_text("doi", "pmid", "registry_id"),
        _choice("design", DESIGNS),
        *_text("condition"),
        _choice("eligible", YES_NO, filled=True),
        *_text("exclusion_reason", "note", "source_urls"),
    ),
    required=(("study_id",),),
    unique=("study_id",),
    closed=False,
    guarded=("study_id", "label", "year", "design", "eligible"),
)

RISK_OF_BIAS = TableSpec(
    may_be_empty=True,
    columns=(
        *_keys("study_id", filled=True),
        *_keys("outcome"),
        *_keys("tool", "domain", filled=True),
        Column("judgement", filled=True),
        *_text("support", "judged_by", "note"),
    ),
    required=(("study_id",), ("tool",), ("domain",), ("judgement",)),
    closed=False,
    guarded=("outcome", "support", "judged_by"),
)

PUBLISHED = TableSpec(
    columns=(
        *_text("review_id", "label"),
        _YEAR,
        *_keys("outcome", "timepoint"),
        _DAYS,
        *_text("subgroup", "measure", "model", "moderators", "coefficient"),
        *_numbers("estimate", "ci_lower", "ci_upper"),
        _choice("estimate_scale", SCALES),
        *_positive("se"),
        Column("i2", "number", 0, 100),
        *_whole("k", "n_total"),
        *_text("p_reported", "evidence", "source", "source_url", "note"),
    ),
    rules=(
        *_interval("estimate"),
        *(
            Rule(
                name,
                _negative_ratio(name),
                "is below 0, but {measure} is a ratio",
                "a ratio on its natural scale; or its logarithm, with log in the column estimate_scale",
            )
            for name in ("estimate", "ci_lower", "ci_upper")
        ),
        _SCALE_RULE,
        Rule(
            "coefficient",
            lambda d: d["coefficient"].fillna("").ne("") & d["moderators"].fillna("").eq(""),
            "is named, but no moderators of a meta-regression are",
            "an empty cell, or columns of studies.csv in the column moderators, joined by ;",
        ),
    ),
    closed=False,
    guarded=("estimate", "ci_lower", "ci_upper", "estimate_scale", "source", "source_url"),
)
"""`moderators` and `coefficient` make a row one coefficient of a meta-regression; `estimate_scale` as of contrasts."""

FLOW = TableSpec(
    columns=(
        _choice("box", tuple(BOXES), filled=True),
        *_whole("n", low=0),
        *_keys("reason"),
    ),
    required=(("box",), ("n",)),
    unique=("box", "reason"),
    rules=(Rule("n", lambda d: d["n"].isna(), "the cell is empty", "a count; leave out a box that is not counted"),),
)
"""Counts of the PRISMA 2020 flow diagram; a reason (or a database) where a box has several counts."""

SPECS = {
    "studies.csv": STUDIES,
    "arms.csv": ARMS,
    "contrasts.csv": CONTRASTS,
    "risk_of_bias.csv": RISK_OF_BIAS,
    "published.csv": PUBLISHED,
    "flow.csv": FLOW,
}

#: Reported results: a row with any of these needs a source.
RESULTS = {
    "arms.csv": (
        "n",
        "mean",
        "sd",
        "se",
        "ci_lower",
        "ci_upper",
        "median",
        "q1",
        "q3",
        "min",
        "max",
        "events",
        "percent",
        "person_time",
        "baseline_mean",
        "baseline_sd",
        "change_mean",
        "change_sd",
        "correlation",
        "phi",
        "icc",
        "discordant1",
        "discordant2",
    ),
    "contrasts.csv": (
        "estimate",
        "se",
        "ci_lower",
        "ci_upper",
        "p_value",
        "t",
        "f",
        "z",
        "df",
        "oe",
        "v",
        "n_intervention",
        "n_control",
    ),
    "published.csv": ("estimate", "ci_lower", "ci_upper", "se", "i2", "k", "n_total"),
}
