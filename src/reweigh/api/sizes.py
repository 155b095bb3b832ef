"""Effect sizes of a table: `escalc`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from pydantic import ValidationError

from reweigh.api.frames import ATTRS, gather, one_of, refuse, row_names, said_by, table_of
from reweigh.effects.compute import compute
from reweigh.effects.table import CATEGORIES, COLUMNS, Options, validate
from reweigh.measures import MEASURES
from reweigh.tables.problems import did_you_mean
from reweigh.text import effects as text
from reweigh.text.codes import words

#: What `escalc` adds.
YI, VI, MEASURE, REASON = "yi", "vi", "measure", "reason"
#: Names of measures: ours, and metafor's where they differ.
NAMES: Mapping[str, str] = {name: name for name in MEASURES} | {"SMD1": "GLASS"}
_ROLES = tuple(name for name in COLUMNS if name != MEASURE)


def escalc(
    data: pd.DataFrame | None = None, *, measure: str, label: object = None, replace: bool = False, **given: object
) -> pd.DataFrame:
    """Effect sizes and sampling variances, one row per trial: the table with the columns yi, vi and measure.

    Ratios are on the log scale, correlations on Fisher's z, proportions on the logit scale. The table keeps its rows,
    their names and its columns; values given otherwise become columns. A row without an effect has NaN, and its reason
    in the column `reason`. `meta` takes the table as it is, or any rows of it.

    Raises ValueError with every impossible value by row and column, TypeError on an unknown argument. Formulas and
    defaults follow metafor's `escalc` (`reweigh.effects.measures`); trials without events in both arms, or with nothing
    but events, have no ratio.

    Parameters
    ----------
    data
        A table, or none where all values are given.
    measure
        RR, OR, RD, PETO, AS (`events1`, `n1`, `events2`, `n2`); MD, SMD, SMDH, GLASS, ROM (`mean1`, `sd1`, `n1`,
        `mean2`, `sd2`, `n2`); IRR, IRD (`events1`, `time1`, `events2`, `time2`); HR, GIV, GIV_ratio (`estimate` and
        `se`, or `ci_lower` and `ci_upper`; of ratios themselves, not their logarithms, unless
        `estimate_scale="log"`); ZCOR (`r`, `n1`), PLO (`events1`, `n1`), MN (`mean1`, `sd1`, `n1`).
    label
        Names of the trials; the names of the rows where not given.
    replace
        Whether columns of the same name that the table has are replaced.
    given
        Any column of `reweigh.effects.table.COLUMNS` (group 1: intervention) as the name of a column, a list, an array,
        a Series (brought into the order of the table, or refused) or one value for all rows; and any option of
        `reweigh.effects.table.Options`: `zero_cells`, `correction`, `smd_variance`, `md_variance` ...

    Examples
    --------
    >>> import reweigh as rw
    >>> rw.escalc(measure="RR", events1=[4, 6], n1=[123, 306], events2=[11, 29], n2=[139, 303])[["yi", "vi"]].round(4)
           yi      vi
    0 -0.8893  0.3256
    1 -1.5854  0.1946
    """
    table = table_of(data)
    name = one_of(measure, "measure", NAMES)
    options = _options({key: value for key, value in given.items() if key not in _ROLES})
    roles = {key: value for key, value in given.items() if key in _ROLES and value is not None}
    if not roles:
        raise ValueError(f"{name} needs {MEASURES[name].needs}: escalc(data, measure={name!r}, events1=...)")
    asked = roles if label is None else {**roles, "label": label}
    read = gather(table, asked, CATEGORIES)
    there = [] if table is None else [str(column) for column in table]
    source = {role: value for role, value in asked.items() if isinstance(value, str) and value in there}
    new = [column for column in read if column not in source]
    out = read.copy() if table is None else table.copy()
    added = [YI, VI, MEASURE, *new]
    if table is not None and not replace:
        refuse(f"the table has a column {c!r} already: rename it, or replace=True" for c in added if c in out)
    rows = row_names(read.index, read["label"] if label is not None else None)
    # Rows go by number here: their names need not be unique.
    reported = read.reset_index(drop=True).assign(measure=name)
    shown = {role: f"{column} ({role})" for role, column in source.items() if column != role}
    refuse(
        f"{rows[p.index]}: {shown.get(p.column, p.column)} = {p.value}: {p.message}"  # type: ignore[call-overload]
        for p in validate(reported)
    )
    found = compute(reported, options, checked=True)
    columns: dict[str, Any] = {} if table is None else {str(column): read[column] for column in new}
    columns |= {YI: found["estimate"].to_numpy(), VI: found["variance"].to_numpy(), MEASURE: name}
    if found["estimate"].isna().any():
        columns[REASON] = [words(cell, text.SENTENCES) for cell in found["reason_code"]]
    out = out.drop(columns=REASON, errors="ignore") if replace else out
    out = out.assign(**columns)
    out.attrs = {**out.attrs, ATTRS: {role: source.get(role, role) for role in asked}}
    return out


def _options(given: Mapping[str, object]) -> Options:
    for key in given:
        if key not in Options.model_fields:
            known = [*_ROLES, *Options.model_fields]
            raise TypeError(f"escalc has no argument {key!r}{did_you_mean(key, known)}")
    try:
        return Options(**given)  # type: ignore[arg-type]
    except ValidationError as why:
        raise ValueError("\n".join(said_by(why))) from None
