"""The ways in which the effects of the trials may have been computed: variances, corrections, the factor J."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects import measures
from reweigh.effects.measures import SMD_VARIANCES, ZERO_CELL_POLICIES
from reweigh.measures import COUNT_MEASURES
from reweigh.pool.core import Bools
from reweigh.pool.refit import trials_of
from reweigh.pool.tau2 import Floats
from reweigh.protocol.model import Protocol
from reweigh.text.codes import code

CORRECTION = 0.5
"""What a zero cell gets, as in `effects.table.Options`."""


@dataclass(frozen=True, slots=True)
class Computed:
    """Effects of the trials of one analysis computed in one way; arrays (k,), analysis scale.

    `formula` is the way as a code of `reweigh.text.reproduction`, "" where there is only one; `own`: whether it is the
    protocol's. `there`: which trials have an effect by it.
    """

    of: str
    formula: str
    own: bool
    yi: Floats
    vi: Floats
    there: Bools


def computed(group: pd.DataFrame, measure: str, protocol: Protocol) -> list[Computed]:
    """The effects of some rows of effects.csv as a measure, in every way that gives other numbers; the own one first.

    A row is computed again from its counts, or means and SDs, only where these give its own effect by the protocol's
    way: not a contrast, a crossover or cluster trial, or several comparisons in one. It stays as it is in all ways.
    Counts give another measure of two proportions (a printed odds ratio where the review has risk ratios), too.
    """
    same = str(group["measure"].iloc[0]) == measure
    yi, vi = (group[name].to_numpy(dtype=np.float64) for name in ("estimate", "variance"))
    if measure in COUNT_MEASURES:
        ways = _of_counts(group, measure, protocol)
    elif measure in ("SMD", "MD"):
        ways = _of_means(group, measure, protocol)
    else:
        ways = iter(())
    found: list[Computed] = []
    again = np.zeros(len(group), dtype=bool)
    for formula, own, y, v in ways:
        if own:
            with np.errstate(invalid="ignore"):
                again = (
                    np.isclose(y, yi, rtol=1e-9, atol=1e-12) & np.isclose(v, vi, rtol=1e-9) if same else np.isfinite(y)
                )
        if not (again.any() if same else again.all()):
            break
        y, v = np.where(again, y, yi), np.where(again, v, vi)
        there = np.isfinite(y) & np.isfinite(v) & (v > 0)
        if not any(_alike(one, y, v, there) for one in found):
            found.append(Computed(measure, formula, own, y, v, there))
    if not found and same:
        found = [Computed(measure, "", True, yi, vi, np.ones(len(group), dtype=bool))]
    if len(found) == 1:
        found = [Computed(measure, "", found[0].own, found[0].yi, found[0].vi, found[0].there)]
    return found


def _alike(one: Computed, y: Floats, v: Floats, there: Bools) -> bool:
    if not np.array_equal(one.there, there):
        return False
    return all(np.allclose(a[there], b[there], rtol=1e-12, atol=0) for a, b in ((one.yi, y), (one.vi, v)))


Way = tuple[str, bool, Floats, Floats]


def _own_first(names: tuple[str, ...], own: str) -> list[str]:
    return sorted(names, key=lambda name: name != own)


def _of_counts(group: pd.DataFrame, measure: str, protocol: Protocol) -> Iterator[Way]:
    e1, n1, e2, n2 = trials_of(group).counts
    own = protocol.assumptions.zero_cells
    for policy in _own_first(ZERO_CELL_POLICIES, own):
        with np.errstate(divide="ignore", invalid="ignore"):
            c1, m1, c2, m2, _ = measures.correct_zero_cells(measure, e1, n1, e2, n2, policy, CORRECTION)
            y, v = measures.from_arms(measure, c1, m1, c2, m2)
            if policy == "RevMan":
                kept = measures.revman_keeps(measure, e1, n1, e2, n2)
                y = np.where(kept, measures.from_arms(measure, e1, n1, e2, n2)[0], y)
        yield code("count_effects", zero_cells=policy), policy == own, y, v


def _of_means(group: pd.DataFrame, measure: str, protocol: Protocol) -> Iterator[Way]:
    names = [f"{what}_{arm}" for arm in ("intervention", "control") for what in ("n", "mean", "sd")]
    given: list[Any] = [
        group[name].to_numpy(dtype=np.float64, na_value=np.nan) if name in group else np.full(len(group), np.nan)
        for name in names
    ]
    if measure == "MD":
        own = protocol.assumptions.md_variance
        for variance in _own_first(("separate", "pooled"), own):
            y, v = measures.md(*given, variance=variance)
            yield code("md_effects", md_variance=variance), variance == own, y, v
        return
    n1, m1, s1, n2, m2, s2 = given
    df = n1 + n2 - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        d = (m1 - m2) / measures.pooled_sd(n1, s1, n2, s2)
    factor = {
        "exact": measures.hedges_j(df),
        "approximate": measures.hedges_j(df, exact=False),
        "none": np.ones_like(d),
    }
    its = protocol.smd_variance_of(str(group["outcome"].iloc[0]), str(group["set"].iloc[0]))
    own_j = "approximate" if its == "RevMan" else "exact"
    for variance, j in product(_own_first(SMD_VARIANCES, its), _own_first(tuple(factor), own_j)):
        g = factor[j] * d
        with np.errstate(divide="ignore", invalid="ignore"):
            v = measures.smd_variance(g, n1, n2, df, n1 + n2, variance)
        yield code("smd_effects", smd_variance=variance, j=j), (variance, j) == (its, own_j), g, v
