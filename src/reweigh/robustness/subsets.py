"""Every subset of the trials, and the smallest set of trials whose removal changes the conclusion."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, islice
from math import comb
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweigh.measures import WITHOUT_NULL
from reweigh.pool.core import Pooled
from reweigh.pool.refit import Trials, no_null, refit
from reweigh.pool.tau2 import Floats
from reweigh.protocol.models import Model
from reweigh.text.codes import code

Bools = NDArray[np.bool_]

ALL_UP_TO = 16
"""Most trials of which every subset is pooled."""
SAMPLE = 2**ALL_UP_TO
REMOVALS = 1_000_000
#: Most elements of one array of a batch: it stays in the cache.
_ELEMENTS = 2**18

CRITERIA = ("significance", "direction", "important difference")


@dataclass(frozen=True, slots=True)
class Subsets:
    """Pooled results of S subsets of k trials that have an estimate, analysis scale, I2 in percent."""

    #: (S, k): which trials are in.
    member: Bools
    estimate: Floats
    ci_lower: Floats
    ci_upper: Floats
    tau2: Floats
    i2: Floats
    #: Whether the guarded interval excludes no effect.
    excludes: Bools
    #: Whether all subsets of two trials or more were pooled; else a sample without repetition.
    complete: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Split:
    """How the presence of each trial (k,) moves the subsets' estimates."""

    #: Mean estimate of the subsets with and without the trial.
    mean_with: Floats
    mean_without: Floats
    #: Share of the variance of the estimates between the two groups, in percent.
    share: Floats


@dataclass(frozen=True, slots=True)
class Fragility:
    """The smallest set of trials whose removal changes one conclusion."""

    criterion: str
    #: "changes", "at_least" (``size`` trials: nothing smaller does, the search ended there), "robust" (no removal that
    #: leaves two trials does), "one_left" (only a single trial would remain) or "not_applicable".
    verdict: str
    size: int
    #: Positions of the removed trials: of the smallest sets the one that moves the estimate most.
    removed: tuple[int, ...]
    #: How many sets of this size change the conclusion.
    sets: int
    #: Removals tried.
    tried: int
    #: Codes of the conclusion with all trials, and after the removal.
    before: str
    after: str = ""
    #: After the removal; the interval is the model's own, the guarded one decides on significance.
    estimate: float = np.nan
    ci_lower: float = np.nan
    ci_upper: float = np.nan
    guarded_ci_lower: float = np.nan
    guarded_ci_upper: float = np.nan
    guarded_p_value: float = np.nan
    #: Code of why no removal is named.
    reason: str = ""


def all_subsets(trials: Trials, model: Model, *, level: float = 0.95, sample: int = SAMPLE, seed: int = 0) -> Subsets:
    """Pool every subset of two trials or more, up to 16 trials; beyond, ``sample`` distinct ones drawn with ``seed``.

    Each trial is in a sampled subset with probability 1/2. Olkin, Dahabreh and Trikalinos 2012, Research Synthesis
    Methods 3:214-23.
    """
    k = len(trials.yi)
    member = _every(k) if k <= ALL_UP_TO else _sampled(k, sample, seed)
    rows = _rows(k)
    parts = [
        refit(trials, model, mask=member[i : i + rows], level=level, tau2_interval=False, bootstrap=False)
        for i in range(0, max(len(member), 1), rows)
    ]
    # tau2 of a common-effect model is 0 by assumption: its heterogeneity shows in Q alone.
    i2 = "i2_q" if model.i2 == "Q" or model.tau2 == "EE" else "i2_tau2"
    fields = dict(zip(_RESULTS, (*_RESULTS[:4], i2), strict=True))
    values: dict[str, Any] = {n: np.concatenate([getattr(part, f) for part in parts]) for n, f in fields.items()}
    excludes = np.concatenate([(part.guarded_ci_lower > 0) | (part.guarded_ci_upper < 0) for part in parts])
    # Some subsets of trials with few events have no Mantel-Haenszel mean.
    some = np.isfinite(values["estimate"])
    values = {n: v[some] for n, v in (values | {"member": member, "excludes": excludes}).items()}
    return Subsets(**values, complete=k <= ALL_UP_TO, reason="few_for_subsets" if k < 3 else "")


def _rows(k: int) -> int:
    return max(1, _ELEMENTS // max(k, 1))


def _every(k: int) -> Bools:
    codes = np.arange(2**k, dtype=np.uint32)
    member = (codes[:, None] >> np.arange(k, dtype=np.uint32) & 1).astype(bool)
    return np.asarray(member[member.sum(axis=1) >= 2])


def _sampled(k: int, sample: int, seed: int) -> Bools:
    rng = np.random.default_rng(seed)
    rows: dict[bytes, None] = {}
    while len(rows) < sample:
        drawn = rng.random((sample, k)) < 0.5
        packed = np.packbits(drawn[drawn.sum(axis=1) >= 2], axis=1)
        rows |= dict.fromkeys(row.tobytes() for row in packed)
    some = np.frombuffer(b"".join(islice(rows, sample)), dtype=np.uint8).reshape(sample, -1)
    return np.unpackbits(some, axis=1, count=k).astype(bool)


def split(subsets: Subsets) -> Split:
    """For each trial: the estimates of the subsets with it against those without it."""
    inside = subsets.member.astype(np.float64)
    n, e = len(inside), subsets.estimate
    within, without = inside.sum(axis=0), n - inside.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_with = inside.T @ e / within
        mean_without = (e.sum() - inside.T @ e) / without
        between = (within * without / n**2) * (mean_with - mean_without) ** 2
        share = np.where(e.var() > 0, 100 * between / e.var(), np.nan)
    return Split(mean_with, mean_without, share)


_RESULTS = ("estimate", "ci_lower", "ci_upper", "tau2", "i2")


def pack(subsets: Mapping[str, Subsets]) -> bytes:
    """Bytes of an .npz file: for each name the members as packed bits and the results in single precision.

    Keys are `<name>/member`, `<name>/k`, `<name>/complete`, `<name>/estimate` ... The same subsets give the same bytes.
    """
    arrays: dict[str, Any] = {}
    for name, one in subsets.items():
        arrays[f"{name}/member"] = np.packbits(one.member, axis=1)
        arrays |= {f"{name}/k": np.array(one.member.shape[1]), f"{name}/complete": np.array(one.complete)}
        arrays[f"{name}/excludes"] = np.packbits(one.excludes)
        arrays |= {f"{name}/{value}": getattr(one, value).astype(np.float32) for value in _RESULTS}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def unpack(content: bytes) -> dict[str, Subsets]:
    """The subsets of :func:`pack` by name, results in single precision."""
    found = {}
    with np.load(io.BytesIO(content)) as stored:
        for name in dict.fromkeys(key.rpartition("/")[0] for key in stored.files):
            k = int(stored[f"{name}/k"])
            member = np.unpackbits(stored[f"{name}/member"], axis=1, count=k).astype(bool)
            values: dict[str, Any] = {value: stored[f"{name}/{value}"].astype(np.float64) for value in _RESULTS}
            excludes = np.unpackbits(stored[f"{name}/excludes"], count=len(member)).astype(bool)
            complete, reason = bool(stored[f"{name}/complete"]), "few_for_subsets" if k < 3 else ""
            found[name] = Subsets(member=member, **values, excludes=excludes, complete=complete, reason=reason)
    return found


#: Codes of the conclusions by the numbers of :func:`_conclusions`.
CODES: Mapping[str, Mapping[int, str]] = {
    "significance": {1: "excludes_no_effect", 0: "includes_no_effect"},
    "direction": {-1: "below", 0: "at", 1: "above"},
    "important difference": {-1: "important_below", 0: "short", 1: "important_above"},
}


def _conclusions(result: Pooled, important: tuple[float, float] | None) -> dict[str, NDArray[np.int8]]:
    """Each conclusion as a number, (D,).

    significance: 1 if the guarded interval excludes 0 (analysis scale), else 0; an interval that does not exist
    excludes nothing. direction: sign of the estimate. important difference: -1, 0 or 1 as the estimate lies beyond the
    lower bound, between the bounds or beyond the upper one.
    """
    estimate = np.nan_to_num(result.estimate)
    excludes = (result.guarded_ci_lower > 0) | (result.guarded_ci_upper < 0)
    out = {"significance": excludes.astype(np.int8), "direction": np.sign(estimate).astype(np.int8)}
    if important is not None:
        low, high = important
        out["important difference"] = (estimate >= high).astype(np.int8) - (estimate <= low).astype(np.int8)
    return out


AFTER = ("estimate", "ci_lower", "ci_upper", "guarded_ci_lower", "guarded_ci_upper", "guarded_p_value")


class _Hit(NamedTuple):
    """The removal of one size that moves the estimate most among those that change a conclusion."""

    move: float
    removed: tuple[int, ...]
    after: int
    numbers: dict[str, Any]


def fragility(
    trials: Trials,
    model: Model,
    *,
    important: tuple[float, float] | None = None,
    level: float = 0.95,
    limit: int = REMOVALS,
) -> tuple[Fragility, ...]:
    """Smallest removals that change significance, direction and the crossing of the smallest important difference.

    Sizes are tried in increasing order, each in full, while at most ``limit`` removals have been tried; two trials
    must remain, and a removal after which nothing can be estimated changes nothing. ``important``: bounds (lower,
    upper) of the smallest important difference around 0, analysis scale. The idea is that of Atal and others 2019,
    Journal of Clinical Epidemiology 111:32-40, who change events where this removes trials.
    """
    k = len(trials.yi)
    if trials.measure in WITHOUT_NULL:
        return tuple(_none(name, no_null(trials.measure), k) for name in CRITERIA)
    if k < 2:
        return tuple(_none(name, "few_for_fragility", k) for name in CRITERIA)
    whole = refit(trials, model, level=level, bootstrap=False)
    if np.isnan(whole.guarded_ci_lower[0]):
        return tuple(_none(name, str(whole.reason[0]), k) for name in CRITERIA)
    start = {name: int(number[0]) for name, number in _conclusions(whole, important).items()}
    open_, tried, found, size = set(start), 0, {}, 0
    for size in range(1, k - 1):
        if not open_ or tried + comb(k, size) > limit:
            break
        hits: dict[str, list[_Hit]] = {name: [] for name in open_}
        counts = dict.fromkeys(open_, 0)
        for removed in _batches(k, size):
            there = np.ones((len(removed), k), dtype=bool)
            np.put_along_axis(there, removed, False, axis=1)
            result = refit(trials, model, mask=there, level=level, brief=True, bootstrap=False)
            move = np.abs(result.estimate - whole.estimate[0])
            numbers = _conclusions(result, important)
            for name in open_:
                changed = np.flatnonzero((numbers[name] != start[name]) & np.isfinite(move))
                if changed.size:
                    counts[name] += changed.size
                    best = int(changed[np.argmax(move[changed])])
                    values = {n: float(getattr(result, n)[best]) for n in AFTER}
                    hits[name].append(_Hit(move[best], tuple(removed[best].tolist()), int(numbers[name][best]), values))
        tried += comb(k, size)
        for name in [n for n in open_ if hits[n]]:
            hit = max(hits[name], key=lambda one: one.move)
            found[name] = Fragility(
                name, "changes", size, hit.removed, counts[name], tried, CODES[name][start[name]],
                CODES[name][hit.after], **hit.numbers,
            )  # fmt: skip
            open_.remove(name)
    reached_end = tried == sum(comb(k, m) for m in range(1, k - 1))
    for name in open_:
        verdict = ("one_left" if k == 2 else "robust") if reached_end else "at_least"
        m = k - 1 if reached_end else size
        reason = verdict if reached_end else code("search_ended", size=m, tried=tried, next=comb(k, m), limit=limit)
        found[name] = Fragility(name, verdict, m, (), 0, tried, CODES[name][start[name]], reason=reason)
    return tuple(found[n] if n in found else _none(n, "no_important_difference", k) for n in CRITERIA)


def _none(name: str, reason: str, k: int) -> Fragility:
    return Fragility(name, "not_applicable", k, (), 0, 0, "", reason=reason)


def _batches(k: int, size: int) -> Iterator[NDArray[np.intp]]:
    every = combinations(range(k), size)
    left = comb(k, size)
    while left > 0:
        n = min(left, _rows(k))
        flat = np.fromiter(chain.from_iterable(islice(every, n)), dtype=np.intp, count=n * size)
        yield flat.reshape(n, size)
        left -= n
