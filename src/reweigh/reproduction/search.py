"""The search for a published estimate: every method on every choice of trials that the print allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np
import pandas as pd

from reweigh.effects.selection import derive_groupings
from reweigh.measures import COUNT_MEASURES, SAME_MEASURE, natural
from reweigh.pool.binary import mantel_haenszel, peto
from reweigh.pool.core import Bools, Pooled, pool
from reweigh.pool.refit import trials_of
from reweigh.pool.regression import TESTS, meta_regression
from reweigh.pool.tau2 import LIKELIHOOD, METHODS, Floats
from reweigh.protocol.model import Protocol
from reweigh.reproduction.formulas import Computed, computed
from reweigh.reproduction.nnt import CRUDE, crude_wald, nnt_methods
from reweigh.reproduction.printed import Printed, agrees, digits_given, parse_number, parse_p, units_off
from reweigh.reproduction.stated import Stated, too_early
from reweigh.reproduction.stopped import pool_stopped
from reweigh.tables.specs import STUDIES
from reweigh.text.codes import code, join

NUMBERS = ("estimate", "ci_lower", "ci_upper")
Three = tuple[float, float, float]

_USUAL = (("DL", "wald"), ("EE", "wald"), ("REML", "wald"), ("REML", "hartung-knapp"), ("DL", "hartung-knapp"))
ESTIMATORS = tuple(method for method in METHODS if method != "EB")
"""Every estimator of tau2 once: empirical Bayes and Paule-Mandel share their root (Viechtbauer and others 2015)."""

MODELS: tuple[tuple[str, str], ...] = (
    *_USUAL,
    *((t, i) for i in ("wald", "t", "hartung-knapp") for t in ESTIMATORS
      if (t, i) not in _USUAL and (t, i) != ("EE", "hartung-knapp")),
)  # fmt: skip
"""Every estimator of tau2 with every interval, the usual ones of published reviews first."""

BY_COUNTS: tuple[tuple[str, str, str], ...] = (
    ("mantel-haenszel", "EE", "wald"),
    ("mantel-haenszel corrected", "EE", "wald"),
    ("mantel-haenszel corrected", "DL", "wald"),
    ("mantel-haenszel", "DL", "wald"),
    ("mantel-haenszel corrected", "DL", "hartung-knapp"),
    ("peto", "EE", "wald"),
)
"""Poolings of counts; DL about the Mantel-Haenszel mean is RevMan's random-effects model."""

MOST_PAIRS = 2_000
"""Most pairs of trials that are left out; of 64 trials there are 2,016."""

_NO_SUBSETS = {column.name for column in STUDIES.columns} - {"design", "condition"} | {"row"}


@dataclass(frozen=True, slots=True)
class Print:
    """What a published row prints, on its `scale` ("natural", or the analysis scale of its measure).

    `estimate`, `lower`, `upper` and `i2` are what must come out; `se` and `p` are compared beside.
    """

    estimate: Printed
    lower: Printed | None = None
    upper: Printed | None = None
    i2: Printed | None = None
    se: Printed | None = None
    p: tuple[str, Printed] | None = None
    scale: str = "natural"

    def pairs(self, one: Attempt) -> list[tuple[float, Printed]]:
        """Estimate and limits of an attempt with the printed ones that they belong to."""
        given = zip(one.numbers, (self.estimate, self.lower, self.upper), strict=True)
        return [(x, p) for x, p in given if p is not None]

    def exact(self, one: Attempt) -> bool:
        """Whether every printed digit comes out; I2 by either definition."""
        i2 = self.i2 is None or any(agrees(x, self.i2) for x in one.i2)
        return i2 and all(agrees(x, p) for x, p in self.pairs(one))

    def distance(self, one: Attempt) -> float:
        """Largest distance of estimate and limits from the print, in units of the last printed digit."""
        return max(units_off(x, p) for x, p in self.pairs(one))

    def digits(self, one: Attempt) -> tuple[int, int]:
        """How many of the printed digits an attempt gives, and how many are printed (those of I2 among them)."""
        pairs = self.pairs(one)
        if self.i2 is not None:
            pairs.append((max(one.i2, key=lambda x: digits_given(x, self.i2) if self.i2 else (0, 0)), self.i2))
        found = [digits_given(x, p) for x, p in pairs]
        return sum(a for a, _ in found), sum(b for _, b in found)


def print_of(row: Mapping[str, str]) -> Print | None:
    """The numbers of a published row as printed; None where it prints no estimate."""
    estimate = parse_number(row.get("estimate", ""))
    if estimate is None:
        return None
    try:
        p = parse_p(row.get("p_reported", ""))
    except ValueError:  # what is wrong with it is said by the check of the row against itself
        p = None
    lower, upper, i2, se = (parse_number(row.get(name, "")) for name in ("ci_lower", "ci_upper", "i2", "se"))
    return Print(estimate, lower, upper, i2, se, p, row.get("estimate_scale", "") or "natural")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to compute a published estimate: numbers on the scale of the print.

    `pooling`, `tau2` and `ci` as in a protocol's model ("" where trials are only added up), `of` what was pooled.
    `formula`: how the effects of the trials were computed, "" where there is one way; `own`: as the protocol does.
    `trials`: which trials of the set, as a code; `given`: whether the print says that these are its trials.
    """

    pooling: str
    tau2: str
    ci: str
    of: str
    set_name: str
    k: int
    numbers: Three
    i2: tuple[float, float] = (math.nan, math.nan)
    se: float = math.nan
    p_value: float = math.nan
    name: str = ""
    formula: str = ""
    own: bool = True
    trials: str = "trials_all"
    given: bool = True
    #: Effects, variances and rows of the attempt, for the rounding of its inputs.
    data: tuple[pd.DataFrame, Floats, Floats] | None = None
    #: The numbers without each trial in turn, by study, where that was computed.
    without: tuple[tuple[str, Three], ...] = ()


@dataclass(slots=True)
class Search:
    """All attempts at one published row, in the order tried, and what must be said of its trials, as codes.

    `unknown`: whether the print says that it pools a part of the trials and not which, in words that the tables have.
    `left_out`: attempts without one or two trials that give every printed digit. `choices`: choices of trials tried.
    """

    attempts: list[Attempt] = field(default_factory=list)
    codes: str = ""
    unknown: bool = False
    left_out: list[Attempt] = field(default_factory=list)
    choices: int = 1


def measure_of(row: Mapping[str, str]) -> str:
    """The measure of a published row by its name here."""
    return SAME_MEASURE.get(row.get("measure", ""), row.get("measure", ""))


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice of trials of a group: its code, which rows, whether the print says that these are the trials."""

    trials: str
    mask: Bools
    given: bool


class Columns:
    """The columns by which trials can be told apart: those of studies.csv, groupings, and subgroups of rows."""

    def __init__(self, studies: pd.DataFrame | None, protocol: Protocol) -> None:
        self.protocol = protocol
        table = pd.DataFrame({"study_id": []}) if studies is None else derive_groupings(studies, protocol)
        self.studies = table.drop_duplicates("study_id").set_index("study_id")

    def values(self, group: pd.DataFrame, column: str) -> np.ndarray:
        """Values of a column for the rows of a group as text, "" where there is none."""
        if column in self.studies:
            found = group["study_id"].map(self.studies[column])
        elif column in group:
            found = group[column]
        else:
            found = pd.Series("", index=group.index)
        return found.map(lambda x: "" if pd.isna(x) else f"{x:g}" if isinstance(x, float) else str(x)).to_numpy(
            dtype=object
        )

    def of(self, group: pd.DataFrame) -> dict[str, np.ndarray]:
        """The columns that part these rows, with their values."""
        own = [str(c) for c in self.studies if c not in _NO_SUBSETS]
        names = dict.fromkeys([*own, *(c for c in self.protocol.study_columns if c in group and c not in _NO_SUBSETS)])
        found = {name: self.values(group, name) for name in names}
        return {name: values for name, values in found.items() if any(values)}

    def named(self, group: pd.DataFrame, subgroup: str) -> list[Choice]:
        """The rows of a printed subgroup: a value of a column, as typed or as the protocol labels it."""
        asked = _plain(subgroup)
        found = []
        for column, values in self.of(group).items():
            labels = self.protocol.categories.get(column, {})
            for value in dict.fromkeys(v for v in values if v):
                said = {_plain(x) for x in (value, labels.get(value, value))}
                said |= {f"{_plain(column)} {x}" for x in said}
                if asked in said:
                    trials = code("trials_subgroup", column=column, value=value)
                    found.append(Choice(trials, values == value, given=True))
        return found

    def parts(self, group: pd.DataFrame) -> Iterator[Choice]:
        """Every part of the rows that a value of a column names, and what is left without it."""
        seen = {np.ones(len(group), dtype=bool).tobytes(), np.zeros(len(group), dtype=bool).tobytes()}
        for column, values in self.of(group).items():
            different = list(dict.fromkeys(v for v in values if v))
            numbers = pd.to_numeric(pd.Series(different), errors="coerce").notna().all()
            if len(different) > 2 and (numbers or len(different) == len(group)):
                continue  # a measurement, or a name of each trial: no groups
            for name in ("trials_column", "trials_not"):
                for value in different:
                    mask = (values == value) if name == "trials_column" else (values != value)
                    if mask.tobytes() not in seen:
                        seen.add(mask.tobytes())
                        yield Choice(code(name, column=column, value=value), mask, given=False)


def _cell(value: object) -> str:
    """A cell of a table as text, "" where it is empty."""
    if value is None or value is pd.NA or value != value:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(text: str) -> str:
    """Upper and lower case, signs and spaces alike."""
    return " ".join("".join(c if c.isalnum() else " " for c in text.casefold()).split())


_WHOLE = {"", "all", "all trials", "overall", "total"}


def search(
    row: Mapping[str, str],
    groups: Sequence[tuple[str, pd.DataFrame]],
    protocol: Protocol,
    printed: Print,
    said: Stated,
    studies: pd.DataFrame | None = None,
) -> Search:
    """Every method on the trials that a published row names, or on every choice of trials that fits it.

    Parameters
    ----------
    row
        A row of published.csv as text.
    groups
        Rows of effects.csv of its outcome and window, by set and unit: all of one measure each.
    protocol, printed, said
        The protocol, the printed numbers, and what the row says of its model.
    studies
        studies.csv as checked.
    """
    measure, columns = measure_of(row), Columns(studies, protocol)
    # Sets that hold the same rows are tried once.
    different = {group[["estimate", "variance"]].to_numpy().tobytes(): (name, group) for name, group in groups[::-1]}
    groups = list(different.values())[::-1]
    k = parse_number(row.get("k", ""))
    patients = parse_number(row.get("n_total", ""))
    subgroup = row.get("subgroup", "").strip()
    whole = _plain(subgroup) in _WHOLE
    found = Search()
    if row.get("moderators", "").strip():
        for name, group in groups:
            found.attempts += _regressions(row, name, group, protocol, columns, printed)
        return found
    if not whole and (of_set := [g for g in groups if _plain(subgroup) in _names_of_set(g[0], protocol)]):
        groups, whole = of_set, True
    parted = [] if whole else [(n, g, columns.named(g, subgroup)) for n, g in groups]
    parted = [one for one in parted if one[2]]
    if whole:
        parted = [(n, g, [Choice("trials_all", np.ones(len(g), dtype=bool), given=True)]) for n, g in groups]
    elif not parted:
        found.unknown = True
        found.codes = code("subgroup_unknown", subgroup=subgroup)
        parted = [(n, g, [Choice("trials_all", np.ones(len(g), dtype=bool), given=False)]) for n, g in groups]
    if k is not None and not found.unknown:
        parted, found.codes, found.unknown = _by_count(parted, int(k.value))
    for name, group, choices in parted:
        found.attempts += _methods(name, group, choices, measure, protocol, printed)
        exact = any(printed.exact(a) and a.given and standing(a, said, row) == "yes" for a in found.attempts)
        fitting = k is None or found.unknown
        if measure == "NNT" or exact:
            continue
        if fitting and (whole or found.unknown):
            parts = [c for c in columns.parts(group) if _fits(c, group, k, patients)]
            found.choices += len(parts)
            more = _methods(name, group, parts, measure, protocol, printed, said=said, row=row) if parts else []
            found.attempts += more
        for choice in choices:
            left, count = _left_out(name, group, choice, measure, protocol, printed, said, row, k, every=found.unknown)
            found.left_out += left
            found.choices += count
    return found


def _names_of_set(name: str, protocol: Protocol) -> set[str]:
    return {_plain(name), _plain(protocol.sets[name].label)} if name in protocol.sets and name != "main" else set()


Parted = list[tuple[str, pd.DataFrame, list[Choice]]]


def _by_count(parted: Parted, k: int) -> tuple[Parted, str, bool]:
    """Those that hold the printed number of trials, else all; what must be said; whether the print has fewer trials."""
    sizes = [int(c.mask.sum()) for _, _, choices in parted for c in choices]
    if k in sizes:
        fitting = [(n, g, [c for c in choices if c.mask.sum() == k]) for n, g, choices in parted]
        return [one for one in fitting if one[2]], "", False
    if not sizes:
        return parted, "", False
    if k > max(sizes):
        return parted, code("k_more", printed=k, k=max(sizes)), False
    fewer = [(n, g, [Choice(c.trials, c.mask, given=False) for c in choices]) for n, g, choices in parted]
    return fewer, code("k_fewer", printed=k, k=min(x for x in sizes if x > k)), True


def _fits(choice: Choice, group: pd.DataFrame, k: Printed | None, patients: Printed | None) -> bool:
    """Whether a part of the trials has the printed number of trials, else of patients, where these are printed."""
    if k is not None:
        return bool(choice.mask.sum() == k.value)
    if patients is not None:
        n = group.loc[choice.mask, ["n_intervention", "n_control"]].to_numpy(dtype=np.float64).sum()
        return bool(np.isnan(n) or round(n) == patients.value)
    return True


Standing = str
"""Whether a source names a method ("yes"), leaves it open ("open"), or it cannot be the one named ("no")."""


def standing(one: Attempt, said: Stated, row: Mapping[str, str]) -> Standing:
    """How an attempt stands to what its source says."""
    fit = said.fit(one.pooling, one.tau2, one.ci, one.of)
    formula = said.formula_fit(one.formula) if one.formula else "named"
    if fit == "other" or formula == "other":
        return "no"
    if fit == "open" and too_early(row, one.tau2, one.ci, one.formula):
        return "no"
    if fit == "named" and (formula == "named" or one.own):
        return "yes"
    return "no" if too_early(row, "", "", one.formula) else "open"


def _methods(
    set_name: str, group: pd.DataFrame, choices: Sequence[Choice], measure: str, protocol: Protocol, printed: Print, *,
    said: Stated | None = None, row: Mapping[str, str] | None = None,
) -> list[Attempt]:  # fmt: skip
    """Attempts by every method on some choices of trials; with `said` and `row` only those that these allow."""
    if measure == "NNT":
        return [a for c in choices for a in _nnts(set_name, group[c.mask], c, protocol)]

    def allowed(pooling: str, tau2: str, ci: str) -> bool:
        if said is None or row is None:
            return True
        fit = said.fit(pooling, tau2, ci, measure)
        return fit == "named" or (fit == "open" and not too_early(row, tau2, ci))

    level = protocol.level_of(str(group["outcome"].iloc[0]))
    ways = computed(group, measure, protocol)
    if said is not None:
        ways = [way for way in ways if _likely(way, said)]
    found: list[Attempt] = []
    for pooling, tau2, ci, both, result in _fitted(group, ways, [c.mask for c in choices], measure, protocol, allowed):
        for i, (way, at) in enumerate(both):
            if result.k[i] == 0 or np.isnan(result.estimate[i]):
                continue
            choice = choices[at]
            keep = choice.mask & way.there
            data = (group[keep], way.yi[keep], way.vi[keep]) if pooling == "inverse variance" else None
            found.append(_attempt(result, i, pooling, tau2, ci, way, set_name, choice, printed, group, data))
        if tau2 in LIKELIHOOD:
            found += _stopped(result, tau2, ci, both, choices, set_name, printed, group, level)
    return found


def _stopped(
    maximum: Pooled, tau2: str, ci: str, both: Sequence[tuple[Computed, int]], choices: Sequence[Choice],
    set_name: str, printed: Print, group: pd.DataFrame, level: float,
) -> Iterator[Attempt]:  # fmt: skip
    """Attempts at the tau2 where an iteration stops, where that is not the maximum to the digits of any print."""
    y, v = np.array([w.yi for w, _ in both]), np.array([w.vi for w, _ in both])
    there = np.array([choices[at].mask & w.there for w, at in both])
    fit = pool_stopped(y, v, there, tau2, ci, level)
    with np.errstate(invalid="ignore"):
        other = np.abs(fit.estimate - maximum.estimate) > 1e-5 * maximum.wald_se
    for i in np.flatnonzero(other).tolist():
        way, at = both[i]
        way = replace(way, formula=join([way.formula, "stopped_iteration"]))
        yield _attempt(fit, i, "inverse variance", tau2, ci, way, set_name, choices[at], printed, group, None)


def _likely(way: Computed, said: Stated) -> bool:
    """Whether effects computed in this way are those that a source names, or, where it names none, the protocol's."""
    fit = said.formula_fit(way.formula)
    return fit == "named" or (way.own and fit != "other")


def _shown(printed: Print, group: pd.DataFrame) -> str:
    """Scale from which results are put back for the print: none where it is on the analysis scale itself."""
    scale = str(group["scale"].iloc[0])
    return "natural" if printed.scale == scale else scale


def _attempt(
    result: Pooled, i: int, pooling: str, tau2: str, ci: str, way: Computed, set_name: str, choice: Choice,
    printed: Print, group: pd.DataFrame, data: tuple[pd.DataFrame, Floats, Floats] | None,
) -> Attempt:  # fmt: skip
    a, b, c = natural([getattr(result, name)[i] for name in NUMBERS], _shown(printed, group)).tolist()
    return Attempt(
        pooling, tau2, ci, way.of, set_name, int(result.k[i]), (a, b, c),
        (float(result.i2_q[i]), float(result.i2_tau2[i])), float(result.se[i]), float(result.p_value[i]),
        formula=way.formula, own=way.own, trials=choice.trials, given=choice.given, data=data,
    )  # fmt: skip


Fitted = tuple[str, str, str, list[tuple[Computed, int]], Pooled]


def _fitted(
    group: pd.DataFrame, ways: Sequence[Computed], masks: Sequence[Bools], measure: str, protocol: Protocol,
    allowed: Callable[[str, str, str], bool],
) -> Iterator[Fitted]:  # fmt: skip
    """Every allowed method (pooling, tau2, interval) on every way to compute the effects and choice of rows at once.

    Each comes with the way and the position of the choice of each of its results.
    """
    level = protocol.level_of(str(group["outcome"].iloc[0]))
    both = [(way, at) for way in ways for at in range(len(masks))]
    if both:
        y, v = np.array([w.yi for w, _ in both]), np.array([w.vi for w, _ in both])
        there = np.array([masks[at] & w.there for w, at in both])
        # Peto's own pool is the common effect of Peto's odds ratios, and comes first.
        for tau2, ci in sorted(MODELS, key=lambda model: measure == "PETO" and model != ("EE", "wald")):
            pooling = "peto" if measure == "PETO" and tau2 == "EE" else "inverse variance"
            if allowed(pooling, tau2, ci):
                fit = pool(y, v, mask=there, tau2_method=tau2, ci_method=ci, level=level, tau2_interval=False)
                yield pooling, tau2, ci, both, fit
    counts = trials_of(group).counts
    if measure not in (*COUNT_MEASURES, "PETO") or np.isnan(counts).any() or (measure == "PETO" and both):
        return
    none = np.zeros(len(group))
    way = Computed(measure, "", True, none, none, np.ones(len(group), dtype=bool))
    one = [(way, at) for at in range(len(masks))]
    given, there = [np.tile(c, (len(masks), 1)) for c in counts], np.array(masks)
    for pooling, tau2, ci in BY_COUNTS:
        if pooling == "peto":
            if measure != "RR" and measure != "RD" and allowed(pooling, tau2, ci):
                yield pooling, tau2, ci, one, peto(*given, mask=there, level=level)
        elif measure != "PETO" and allowed(pooling, tau2, ci):
            model, exact = ("common" if tau2 == "EE" else "random"), pooling == "mantel-haenszel"
            fit = mantel_haenszel(
                *given, measure=measure, model=model, exact=exact, mask=there, ci_method=ci, level=level
            )
            yield pooling, tau2, ci, one, fit


def _left_out(
    set_name: str, group: pd.DataFrame, choice: Choice, measure: str, protocol: Protocol, printed: Print,
    said: Stated, row: Mapping[str, str], k: Printed | None, *, every: bool,
) -> tuple[list[Attempt], int]:  # fmt: skip
    """Attempts without one or two rows that give every printed digit, and how many choices of rows were tried.

    By the methods that the source names, or the two usual ones; with `every`, where the print does not say which trials
    it pools, also by every way to compute the effects.
    """
    rows = np.flatnonzero(choice.mask)
    sizes = [s for s in (1, 2) if len(rows) > s + 1 and (s == 1 or math.comb(len(rows), s) <= MOST_PAIRS)]
    if every and k is not None:
        sizes = [s for s in sizes if len(rows) - s == k.value]
    gone = [one for size in sizes for one in combinations(rows.tolist(), size)]
    if not gone:
        return [], 0
    masks = np.tile(choice.mask, (len(gone), 1))
    for i, one in enumerate(gone):
        masks[i, list(one)] = False

    def allowed(pooling: str, tau2: str, ci: str) -> bool:
        if not said.names_a_model:
            return (tau2, ci) in _USUAL[:2]
        return said.fit(pooling, tau2, ci, measure) == "named"

    ways = computed(group, measure, protocol)
    ways = [w for w in ways if (said.formula_fit(w.formula) != "other" if every else _likely(w, said))]
    studies, found = group["study_id"].to_numpy(), []
    for pooling, tau2, ci, both, fit in _fitted(group, ways, list(masks), measure, protocol, allowed):
        for i in np.flatnonzero(_near(fit, group, printed)).tolist():
            way, at = both[i]
            part = Choice(code("trials_without", trials=", ".join(studies[list(gone[at])])), masks[at], given=False)
            attempt = _attempt(fit, i, pooling, tau2, ci, way, set_name, part, printed, group, None)
            if printed.exact(attempt) and standing(attempt, said, row) != "no":
                found.append(attempt)
    return found, len(gone)


def _near(fit: Pooled, group: pd.DataFrame, printed: Print) -> Bools:
    """Results whose estimate prints as printed: the others need no closer look."""
    off = np.abs(natural(fit.estimate, _shown(printed, group)) - printed.estimate.value)
    return np.asarray(off <= 1.01 * printed.estimate.half)


def _regressions(
    row: Mapping[str, str], set_name: str, group: pd.DataFrame, protocol: Protocol, columns: Columns, printed: Print
) -> Iterator[Attempt]:
    """A coefficient of the meta-regression on the printed moderators, by every estimator and test."""
    measure, level = measure_of(row), protocol.level_of(str(group["outcome"].iloc[0]))
    values = moderator_columns(row, group, columns)
    if isinstance(values, str):
        return
    references = references_of(values, row.get("coefficient", "").strip())
    shown = _shown(printed, group)
    for way in computed(group, measure, protocol):
        keep = way.there & np.array(
            [all(v[i] not in ("", None) and v[i] == v[i] for v in values.values()) for i in range(len(group))]
        )
        for tau2 in sorted(ESTIMATORS, key=lambda one: one != "REML"):
            for test in TESTS:
                try:
                    fit = meta_regression(
                        way.yi[keep], way.vi[keep], {n: v[keep] for n, v in values.items()}, reference=references,
                        tau2_method=tau2, test=test, level=level, minimum=None,
                    )  # fmt: skip
                except ValueError:
                    continue
                at = coefficient_at(fit.names, row.get("coefficient", "").strip())
                if at is None:
                    continue
                a, b, c = natural([getattr(fit, n)[at] for n in NUMBERS], shown).tolist()
                yield Attempt(
                    "inverse variance", tau2, test, measure, set_name, fit.k, (a, b, c), (math.nan, fit.i2_tau2),
                    float(fit.se[at]), float(fit.p_value[at]), formula=way.formula, own=way.own,
                )  # fmt: skip


def moderator_columns(row: Mapping[str, str], group: pd.DataFrame, columns: Columns) -> dict[str, np.ndarray] | str:
    """Values of the printed moderators, numbers where all are; or the code of the first that no trial has."""
    found: dict[str, np.ndarray] = {}
    known = {_plain(name): name for name in (*columns.studies, *group)}
    for asked in filter(None, (one.strip() for one in row.get("moderators", "").split(";"))):
        name = known.get(_plain(asked))
        values = columns.values(group, name) if name is not None else np.array([""])
        if name is None or not any(values):
            return code("no_moderator", moderator=asked)
        numbers = pd.to_numeric(pd.Series(values).replace("", None), errors="coerce").to_numpy(dtype=np.float64)
        whole = np.isfinite(numbers) | (values == "")
        found[name] = numbers if whole.all() else values
    return found


def references_of(values: Mapping[str, np.ndarray], coefficient: str) -> dict[str, str]:
    """Reference categories such that the asked coefficient is no reference itself."""
    found: dict[str, str] = {}
    for name, column in values.items():
        if column.dtype.kind == "f":
            continue
        levels = sorted({v for v in column if v})
        free = [v for v in levels if _plain(coefficient) not in (_plain(v), _plain(f"{name} {v}"))]
        if len(levels) > 1 and free:
            found[name] = free[0]
    return found


def coefficient_at(names: Sequence[str], asked: str) -> int | None:
    """Position of the asked coefficient; where none is asked that of the only moderator."""
    if not asked:
        return 1 if len(names) == 2 else None
    plain = [_plain(name) for name in names]
    values = [_plain(name.partition(": ")[2]) for name in names]
    return next((found.index(_plain(asked)) for found in (plain, values) if _plain(asked) in found), None)


def _nnts(set_name: str, group: pd.DataFrame, choice: Choice, protocol: Protocol) -> Iterator[Attempt]:
    one = group.drop_duplicates("comparison_id")
    counts = one[["events_intervention", "n_intervention", "events_control", "n_control"]]
    if counts.empty or counts.isna().any(axis=None):
        return
    # A corrected empty cell stands in the table as 0.5; the table of counts itself is whole.
    plain, cut = counts.to_numpy(dtype=float), np.floor(counts.to_numpy(dtype=float))
    a, n1, c, n2 = np.where((one["corrected"] == "yes").to_numpy()[:, None], cut, plain).T
    level = protocol.level_of(str(one["outcome"].iloc[0]))
    rest = ~np.eye(len(one), dtype=bool)
    without = tuple(
        (str(study), crude_wald(a[m], n1[m], c[m], n2[m], level))
        for study, m in zip(one["study_id"], rest if len(one) > 1 else (), strict=False)
    )
    for w, numbers in nnt_methods(a, n1, c, n2, level=level).items():
        mine = without if w.name == CRUDE else ()
        yield Attempt(
            w.pooling, w.tau2, w.ci, w.of, set_name, len(one), numbers, name=w.name, trials=choice.trials,
            given=choice.given, without=mine,
        )  # fmt: skip
