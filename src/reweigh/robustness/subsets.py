"""Every subset of the trials, and the smallest set of trials whose removal changes the conclusion."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, combinations, islice
from math import comb
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reweigh.pool.core import Pooled, pool
from reweigh.pool.tau2 import Floats
from reweigh.robustness.removal import _pair, _pool_masks

Bools = NDArray[np.bool_]

ALL_UP_TO = 16
"""Most trials of which every subset is pooled."""
SAMPLE = 2**ALL_UP_TO
REMOVALS = 1_000_000
#: Most elements of one array of a batch: it stays in the cache.
_ELEMENTS = 2**18

CRITERIA = ("significance", "direction", "important difference")
FEW_FOR_SUBSETS = "subsets need three trials: two trials have one subset of two, themselves"
NO_SID = "no smallest important difference is given for this measure"


@dataclass(frozen=True, slots=True)
class Subsets:
    """Pooled results of S subsets of k trials, analysis scale, I2 (tau2-based) in percent."""

    #: (S, k): which trials are in.
    member: Bools
    estimate: Floats
    ci_lower: Floats
    ci_upper: Floats
    tau2: Floats
    i2: Floats
    #: Whether these are all subsets of two trials or more; else a sample without repetition.
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
    #: "changes", "at least" (``size`` trials: nothing smaller does, the search ended there), "robust" (no removal that
    #: leaves two trials does), "one left" (only a single trial would remain) or "not applicable".
    verdict: str
    size: int
    #: Positions of the removed trials: of the smallest sets the one that moves the estimate most.
    removed: tuple[int, ...]
    #: How many sets of this size change the conclusion.
    sets: int
    #: Removals tried.
    tried: int
    #: Conclusion with all trials, and after the removal.
    before: str
    after: str
    estimate: float
    ci_lower: float
    ci_upper: float
    reason: str


def all_subsets(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    tau2_method: str = "REML",
    ci_method: str = "hartung-knapp",
    level: float = 0.95,
    sample: int = SAMPLE,
    seed: int = 0,
) -> Subsets:
    """Pool every subset of two trials or more, up to 16 trials; beyond, ``sample`` distinct ones drawn with ``seed``.

    ``yi``, ``vi`` (k,) on the analysis scale. Each trial is in a sampled subset with probability 1/2. Raises
    ValueError as :func:`reweigh.pool.pool`. Olkin, Dahabreh and Trikalinos 2012, Research Synthesis Methods 3:214-23.
    """
    y, v = _pair(yi, vi)
    k = len(y)
    member = _every(k) if k <= ALL_UP_TO else _sampled(k, sample, seed)
    rows = _rows(k)
    parts = [
        _pool_masks(y, v, member[i : i + rows], tau2_method, ci_method, level, "hartung-knapp", tau2_interval=False)
        for i in range(0, max(len(member), 1), rows)
    ]
    fields = dict(zip(_RESULTS, (*_RESULTS[:4], "i2_tau2"), strict=True))
    values: dict[str, Any] = {n: np.concatenate([getattr(part, f) for part in parts]) for n, f in fields.items()}
    return Subsets(member=member, **values, complete=k <= ALL_UP_TO, reason=FEW_FOR_SUBSETS if k < 3 else "")


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
            complete, reason = bool(stored[f"{name}/complete"]), FEW_FOR_SUBSETS if k < 3 else ""
            found[name] = Subsets(member=member, **values, complete=complete, reason=reason)
    return found


def verdicts(
    estimate: Floats, ci_lower: Floats, ci_upper: Floats, important: tuple[float, float] | None
) -> dict[str, NDArray[np.int8]]:
    """Codes of each conclusion, (D,) each.

    significance: 1 if the interval excludes 0 (analysis scale), else 0; an interval that does not exist excludes
    nothing. direction: sign of the estimate. important difference: -1, 0 or 1 as the estimate lies beyond the lower
    bound, between the bounds or beyond the upper one.
    """
    excludes = (ci_lower > 0) | (ci_upper < 0)
    out = {"significance": excludes.astype(np.int8), "direction": np.sign(estimate).astype(np.int8)}
    if important is not None:
        low, high = important
        out["important difference"] = (estimate >= high).astype(np.int8) - (estimate <= low).astype(np.int8)
    return out


WORDS = {
    "significance": {1: "the interval excludes no effect", 0: "the interval includes no effect"},
    "direction": {-1: "below no effect", 0: "at no effect", 1: "above no effect"},
    "important difference": {
        -1: "beyond the smallest important difference, below no effect",
        0: "short of the smallest important difference",
        1: "beyond the smallest important difference, above no effect",
    },
}


def fragility(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    important: tuple[float, float] | None = None,
    tau2_method: str = "REML",
    ci_method: str = "hartung-knapp",
    level: float = 0.95,
    limit: int = REMOVALS,
) -> tuple[Fragility, ...]:
    """Smallest removals that change significance, direction and the crossing of the smallest important difference.

    Sizes are tried in increasing order, each in full, while at most ``limit`` removals have been tried; two trials
    must remain. ``important``: bounds (lower, upper) of the smallest important difference around 0, analysis scale.
    Raises ValueError as :func:`reweigh.pool.pool`. The idea is that of Atal and others 2019, Journal of Clinical
    Epidemiology 111:32-40, who change events where this removes trials.
    """
    y, v = _pair(yi, vi)
    k = len(y)
    if k < 2:
        return tuple(_none(name, "fragility needs two trials", k) for name in CRITERIA)
    model = (tau2_method, ci_method, level)
    whole = pool(y, v, tau2_method=tau2_method, ci_method=ci_method, level=level)
    if np.isnan(whole.ci_lower[0]):
        return tuple(_none(name, str(whole.reason[0]), k) for name in CRITERIA)
    start = {name: int(code[0]) for name, code in _codes(whole, important).items()}
    open_, tried, found, size = set(start), 0, {}, 0
    for size in range(1, k - 1):
        if not open_ or tried + comb(k, size) > limit:
            break
        hits: dict[str, list[tuple[float, tuple[int, ...], Pooled, int]]] = {name: [] for name in open_}
        counts = dict.fromkeys(open_, 0)
        for removed in _batches(k, size):
            there = np.ones((len(removed), k), dtype=bool)
            np.put_along_axis(there, removed, False, axis=1)
            result = _pool_masks(y, v, there, *model, "hartung-knapp", tau2_interval=False)
            for name, code in _codes(result, important).items():
                changed = np.flatnonzero(code != start[name]) if name in open_ else np.zeros(0, dtype=np.intp)
                if changed.size:
                    counts[name] += changed.size
                    move = np.abs(result.estimate[changed] - whole.estimate[0])
                    best = int(changed[np.argmax(move)])
                    hits[name].append((float(move.max()), tuple(removed[best].tolist()), result, best))
        tried += comb(k, size)
        for name in [n for n in open_ if hits[n]]:
            _, removed_ids, result, at = max(hits[name], key=lambda hit: hit[0])
            after = int(_codes(result, important)[name][at])
            found[name] = Fragility(
                name, "changes", size, removed_ids, counts[name], tried, WORDS[name][start[name]], WORDS[name][after],
                float(result.estimate[at]), float(result.ci_lower[at]), float(result.ci_upper[at]), "",
            )  # fmt: skip
            open_.remove(name)
    reached_end = tried == sum(comb(k, m) for m in range(1, k - 1))
    for name in open_:
        verdict = ("one left" if k == 2 else "robust") if reached_end else "at least"
        m = k - 1 if reached_end else size
        reason = ONE_LEFT if k == 2 else ROBUST if reached_end else _ended(k, m, tried, limit)
        found[name] = Fragility(
            name, verdict, m, (), 0, tried, WORDS[name][start[name]], "", np.nan, np.nan, np.nan, reason
        )  # fmt: skip
    return tuple(found[n] if n in found else _none(n, NO_SID, k) for n in CRITERIA)


ONE_LEFT = "without one of two trials a single trial remains: nothing is pooled, and it speaks for itself alone"
ROBUST = "no removal that leaves two trials changes it; a single trial would remain"


def _ended(k: int, size: int, tried: int, limit: int) -> str:
    done = f"all {tried:,} removals of up to {size - 1} trials were tried" if size > 1 else "nothing was tried"
    return f"{done}; the {comb(k, size):,} of {size} would exceed the limit of {limit:,}"


def _none(name: str, reason: str, k: int) -> Fragility:
    return Fragility(name, "not applicable", k, (), 0, 0, "", "", np.nan, np.nan, np.nan, reason)


def _codes(result: Pooled, important: tuple[float, float] | None) -> dict[str, NDArray[np.int8]]:
    return verdicts(result.estimate, result.ci_lower, result.ci_upper, important)


def _batches(k: int, size: int) -> Iterator[NDArray[np.intp]]:
    every = combinations(range(k), size)
    left = comb(k, size)
    while left > 0:
        n = min(left, _rows(k))
        flat = np.fromiter(chain.from_iterable(islice(every, n)), dtype=np.intp, count=n * size)
        yield flat.reshape(n, size)
        left -= n
