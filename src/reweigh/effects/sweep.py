"""What the assumed correlation does to the effect and SE of each crossover trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects import crossover, measures
from reweigh.effects.compute import compute
from reweigh.effects.conversions import Floats
from reweigh.effects.table import Options
from reweigh.measures import BINARY_MEASURES

CORRELATIONS = tuple(i / 10 for i in range(1, 10))


def sweep(
    table: pd.DataFrame, options: Options | None = None, correlations: Sequence[float] = CORRELATIONS
) -> pd.DataFrame:
    """Effects of the crossover rows of ``table`` at each correlation: r of continuous, phi of binary outcomes.

    One row per row of the table and correlation: its index as ``row``, parameter ("r" or "phi"), correlation, limit
    (the phi that the margins allow; NaN for r), estimate, variance, se (analysis scale), estimate_natural,
    ci_lower_natural, ci_upper_natural and protocol (True at the value of the options).  For phi the values end at the
    limit, which is added.
    A trial's own correlation gives way to those asked.  Rows without an effect, and rows whose effect needs no
    correlation (a printed paired SE), are left out.
    """
    options = (options or Options()).model_copy(update={"crossover": "paired"})
    rows = table[table["design"].eq("crossover").to_numpy(dtype=bool)] if "design" in table else table[:0]
    if rows.empty:
        return pd.DataFrame(columns=_COLUMNS)
    index, rows = rows.index, rows.reset_index(drop=True)
    limit = _phi_limit(rows, compute(rows, options), options)
    binary = rows["measure"].isin(list(BINARY_MEASURES)).to_numpy(dtype=bool)
    parts: list[pd.DataFrame] = []
    for parameter, own, of in (("r", options.r, ~binary), ("phi", options.phi, binary)):
        given = rows[of].drop(columns=["discordant1", "discordant2"], errors="ignore").assign(row=np.flatnonzero(of))
        asked: list[Any] = [*sorted({*correlations, own}), *([limit[of]] if parameter == "phi" else [])]
        parts += [
            given.assign(
                r=value, phi=value, parameter=parameter, correlation=value, limit=limit[of], protocol=value == own
            )
            for value in (asked if len(given) else ())
        ]
    # All rows at all correlations at once: a conversion costs by its calls, not by its rows.
    given = pd.concat(parts, ignore_index=True)
    found = compute(given, options)
    every = given[["row", "parameter", "correlation", "limit", "protocol"]].join(found)
    within = every["limit"].isna() | (every["correlation"] <= every["limit"] + 1e-12)
    every = every[within & every["estimate"].notna()].drop_duplicates(["row", "correlation"])
    moves = every.groupby("row")["variance"].transform("nunique") > 1
    single = every.groupby("row")["variance"].transform("size") == 1
    every = every[moves | (single & (every["parameter"] == "phi"))].sort_values(["row", "correlation"])
    return every.assign(row=index.to_numpy()[every["row"].to_numpy()])[_COLUMNS].reset_index(drop=True)


_COLUMNS = [
    "row", "parameter", "correlation", "limit", "estimate", "variance", "se", "estimate_natural", "ci_lower_natural",
    "ci_upper_natural", "protocol",
]  # fmt: skip


def _phi_limit(rows: pd.DataFrame, base: pd.DataFrame, options: Options) -> Floats:
    """Greatest phi that the (corrected) margins of each binary row allow; NaN for the others."""
    limit = np.full(len(rows), np.nan)
    for measure in sorted(BINARY_MEASURES):
        of = ((rows["measure"] == measure) & base["events1"].notna()).to_numpy(dtype=bool)
        if not of.any():
            continue
        e1, e2 = (base.loc[of, c].to_numpy(dtype=np.float64) for c in ("events1", "events2"))
        n1, n2 = (rows.loc[of, c].to_numpy(dtype=np.float64) for c in ("n1", "n2"))
        e1, n1, e2, n2, _ = measures.correct_zero_cells(measure, e1, n1, e2, n2, options.zero_cells, options.correction)
        limit[of] = crossover.phi_limits(e1 / n1, e2 / n2)[1]
    return limit
