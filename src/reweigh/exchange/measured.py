"""Which effect measure an analysis of RevMan has: the one that gives back RevMan's own results of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweigh.effects.compute import Options, compute
from reweigh.exchange.analyses import KINDS, Key, Settings
from reweigh.measures import RATIO_MEASURES
from reweigh.quantile import z_critical

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Effects = tuple[Floats, Floats, NDArray[np.object_]]
"""Estimates and SEs on the analysis scale, and the code of the reason where there is none."""

RESULTS = ("estimate", "ci_lower", "ci_upper")
#: Confidence levels that RevMan offers for the rows; the usual one is tried first.
LEVELS = (0.95, 0.99, 0.9)
#: RevMan's files print six decimals: as near as that is the same number, however it is rounded further.
_PRINTED = 1e-6
#: RevMan's variance of SMDs, and its rule for zero cells.
OPTIONS = Options(smd_variance="RevMan", zero_cells="RevMan")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way in which the rows of an analysis could have become effects."""

    kind: str
    measure: str
    swapped: bool = False


#: In the order of preference where several fit equally well: data before given effects, plain before exchanged.
CANDIDATES = (
    *(Candidate(kind, measure) for kind in ("counts", "means", "given", "oe") for measure in KINDS[kind]),
    *(Candidate("counts", measure, swapped=True) for measure in KINDS["counts"]),
)


@dataclass(slots=True)
class Found:
    """What an analysis was found to be.

    `assumed`: no row has a result to hold the measure against. `rows` and `matched` count the rows with RevMan's own
    result, and those of them that come back at two decimals.
    """

    candidate: Candidate
    level: float
    assumed: bool
    rows: int
    matched: int


@dataclass(slots=True)
class Identified:
    """Every analysis by its key, and of every row RevMan's result as the library has it.

    `results`: index of the rows; yi, se (analysis scale), estimate, ci_lower, ci_upper (natural scale), reason (code,
    or ""), and `status`: "" (no result of RevMan's to compare), "same", or the kind of difference.
    """

    analyses: dict[Key, Found] = field(default_factory=dict)
    results: pd.DataFrame = field(default_factory=pd.DataFrame)


def identify(numbers: pd.DataFrame, keys: pd.Series, settings: Mapping[Key, Settings]) -> Identified:
    """Find measure, level and exchange of events of every analysis.

    Parameters
    ----------
    numbers
        The columns `analyses.NUMBERS` of every row as float64, missing as NaN.
    keys
        The analysis of each row, with the same index.
    settings
        What the file says of an analysis; what it says is kept where the rows do not contradict it.

    Returns
    -------
    Identified; rows are compared at two decimals, as RevMan prints them.
    """
    codes, order = pd.factorize(keys)
    effects = _effects(numbers)
    printed = [numbers[name].to_numpy(dtype=np.float64) for name in RESULTS]
    has = np.asarray(~np.isnan(printed).any(axis=0), dtype=bool)
    counted = np.bincount(codes[has], minlength=len(order))
    found: dict[Key, Found] = {}
    best: dict[int, tuple[Any, ...]] = {}
    for level in LEVELS:
        for place, (candidate, (yi, se, _)) in enumerate(zip(CANDIDATES, effects, strict=True)):
            ours = _natural(candidate, yi, se, level)
            coarse = np.bincount(codes[has & _same(ours, printed)], minlength=len(order))
            fine = np.bincount(codes[has & _near(ours, printed)], minlength=len(order))
            for at in np.flatnonzero(coarse).tolist():
                said = settings.get(order[at], Settings())
                if not _allowed(candidate, level, said):
                    continue
                preferred = candidate.swapped == said.swapped
                score = (coarse[at], fine[at], preferred, -place)
                if at not in best or score > best[at][0]:
                    best[at] = (score, candidate, level)
    default = _defaults(numbers, codes, len(order))
    for at, key in enumerate(order):
        said = settings.get(key, Settings())
        if at in best:
            score, candidate, level = best[at]
            found[key] = Found(candidate, level, False, int(counted[at]), int(score[0]))
        else:
            candidate = _named(said) or default[at]
            found[key] = Found(candidate, said.level or LEVELS[0], True, int(counted[at]), 0)
    return Identified(found, _results(numbers, codes, order, found, effects, printed, has))


def _effects(numbers: pd.DataFrame) -> list[Effects]:
    """Estimate and SE (analysis scale) of every row by each of `CANDIDATES`, and the reason where there is none."""
    parts = [given(numbers, one).assign(measure=target(one)) for one in CANDIDATES]
    table = pd.concat(parts, ignore_index=True).assign(design="parallel")
    words = ["reported_measure", "estimate_scale"]
    table[words] = table[words].fillna("")
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # rows of another kind: not used
        out = compute(table, OPTIONS, checked=True)
    columns = [out["estimate"].to_numpy(), out["se"].to_numpy(), out["reason_code"].to_numpy(dtype=object)]
    size = len(numbers)
    cuts = [slice(i * size, (i + 1) * size) for i in range(len(CANDIDATES))]
    return [(columns[0][cut], columns[1][cut], columns[2][cut]) for cut in cuts]


def target(candidate: Candidate) -> str:
    """The measure that a candidate's rows become: O-E and V are a logarithm of some ratio."""
    return "HR" if candidate.measure == "OE_V" else candidate.measure


def given(numbers: pd.DataFrame, candidate: Candidate) -> pd.DataFrame:
    """The numbers of each row that a candidate uses, as `compute` takes them; what cannot be used is missing.

    No arm has 0 patients, no SD or SE is 0: RevMan writes 0 where there is nothing.
    """

    def above(name: str) -> pd.Series:
        return numbers[name].where(numbers[name] > 0)

    n1, n2 = above("n1"), above("n2")
    if candidate.kind == "counts":
        e1, e2 = (numbers[f"events{k}"].where(numbers[f"events{k}"] <= n) for k, n in ((1, n1), (2, n2)))
        if candidate.swapped:
            e1, e2 = n1 - e1, n2 - e2
        return pd.DataFrame({"n1": n1, "n2": n2, "events1": e1, "events2": e2})
    if candidate.kind == "means":
        means = {f"mean{k}": numbers[f"mean{k}"] for k in (1, 2)}
        return pd.DataFrame({"n1": n1, "n2": n2, **means, "sd1": above("sd1"), "sd2": above("sd2")})
    if candidate.kind == "oe":
        usable = above("v").notna()
        return pd.DataFrame({"reported_measure": "OE_V", "oe": numbers["oe"].where(usable), "v": above("v")})
    se = above("giv_se")
    scale = "log" if candidate.measure in RATIO_MEASURES else ""
    table = pd.DataFrame({"estimate": numbers["giv"].where(se.notna()), "se": se})
    return table.assign(reported_measure=candidate.measure, estimate_scale=scale)


def _natural(candidate: Candidate, yi: Floats, se: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    half = z_critical(level) * se
    ends = (yi, yi - half, yi + half)
    if target(candidate) not in RATIO_MEASURES:
        return ends
    with np.errstate(over="ignore", under="ignore"):
        a, b, c = (np.exp(x) for x in ends)
    return a, b, c


def _same(ours: tuple[Floats, ...], printed: list[Floats]) -> Bools:
    """Whether all three numbers agree at two decimals."""
    close = [(np.round(a, 2) == np.round(b, 2)) | _close(a, b) for a, b in zip(ours, printed, strict=True)]
    return np.asarray(np.all(close, axis=0), dtype=bool)


def _near(ours: tuple[Floats, ...], printed: list[Floats]) -> Bools:
    """Whether all three numbers agree as far as they are printed."""
    return np.asarray(np.all([_close(a, b) for a, b in zip(ours, printed, strict=True)], axis=0), dtype=bool)


def _close(ours: Floats, printed: Floats) -> Bools:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(ours - printed) <= _PRINTED * np.maximum(1, np.abs(printed)), dtype=bool)


def _allowed(candidate: Candidate, level: float, said: Settings) -> bool:
    """Whether what the file says leaves this candidate possible."""
    if said.kind and candidate.kind != said.kind:
        return False
    if said.level is not None and abs(level - said.level) > 1e-9:
        return False
    if candidate.kind == "given" and said.ratio is not None:
        return (candidate.measure in RATIO_MEASURES) == said.ratio
    return candidate.kind in ("given", "oe") or not said.measure or candidate.measure == said.measure


def _named(said: Settings) -> Candidate | None:
    """The candidate that the file names, None where it names none."""
    if not said.kind:
        return None
    if said.kind == "given":
        ratio = said.ratio if said.ratio is not None else "ratio" in said.said.casefold()
        return Candidate("given", "GIV_ratio" if ratio else "GIV")
    measure = said.measure if said.measure in KINDS[said.kind] else KINDS[said.kind][0]
    return Candidate(said.kind, measure, said.swapped)


def _defaults(numbers: pd.DataFrame, codes: NDArray[np.intp], size: int) -> list[Candidate]:
    """What an analysis is taken for where nothing tells: by the numbers that it has."""

    def any_of(rows: pd.Series) -> Bools:
        return np.asarray(np.bincount(codes[rows.to_numpy(dtype=bool)], minlength=size) > 0, dtype=bool)

    spread = any_of((numbers["sd1"] > 0) | (numbers["sd2"] > 0))
    events = any_of((numbers["events1"] > 0) | (numbers["events2"] > 0))
    se = any_of(numbers["giv_se"] > 0)
    oe = any_of((numbers["oe"] != 0) & (numbers["v"] > 0))
    kinds = np.select([spread, events, oe, se], ["means", "counts", "oe", "given"], "counts")
    return [Candidate(str(kind), KINDS[str(kind)][0]) for kind in kinds]


def _results(
    numbers: pd.DataFrame,
    codes: NDArray[np.intp],
    order: pd.Index,
    found: Mapping[Key, Found],
    effects: list[Effects],
    printed: list[Floats],
    has: Bools,
) -> pd.DataFrame:
    """RevMan's result of every row as the library has it, and how the two compare."""
    places = {candidate: place for place, candidate in enumerate(CANDIDATES)}
    size = len(numbers)
    ours, scaled = np.full((3, size), np.nan), np.full((2, size), np.nan)
    reason, status = np.full(size, "", dtype=object), np.full(size, "", dtype=object)
    which = np.array([places[found[key].candidate] for key in order], dtype=np.intp)[codes]
    levels = np.array([found[key].level for key in order], dtype=np.float64)[codes]
    some = np.zeros(size, dtype=bool)
    for place, (candidate, (yi, se, why)) in enumerate(zip(CANDIDATES, effects, strict=True)):
        for level in np.unique(levels):
            natural = _natural(candidate, yi, se, float(level))
            mine = (which == place) & (levels == level)
            ours[:, mine] = np.stack(natural)[:, mine]
            scaled[:, mine] = np.stack((yi, se))[:, mine]
            reason[mine] = why[mine]
        some |= has & _same(_natural(candidate, yi, se, LEVELS[0]), printed)
    same = has & _same((ours[0], ours[1], ours[2]), printed)
    estimate = (np.round(ours[0], 2) == np.round(printed[0], 2)) | _close(ours[0], printed[0])
    kinds = [~has, same, np.isnan(ours[0]), estimate, some]
    words = ["", "same", "no_result_here", "interval_differs", "another_measure"]
    status = np.select(kinds, words, "estimate_differs")
    columns = dict(zip(("yi", "se", *RESULTS), (*scaled, *ours), strict=True))
    return pd.DataFrame({**columns, "reason": reason, "status": status}, index=numbers.index)
