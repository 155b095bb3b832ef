"""What a notebook hands over (names of columns, lists, Series, frames) as one table, or one report of what is wrong.

Nothing is paired by position where its rows have names: a Series is put in the order of the table, or refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from reweigh.tables.problems import did_you_mean

#: Key of `DataFrame.attrs` under which a table of `escalc` says which columns it was made of.
ATTRS = "reweigh"
_SHOWN = 20


def refuse(problems: Iterable[str]) -> None:
    """Raise ValueError with every problem on a line of its own, if there is one."""
    found = list(dict.fromkeys(problems))
    if not found:
        return
    shown = [*found[:_SHOWN], *([f"... and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else [])]
    raise ValueError("\n".join(shown if len(found) == 1 else [f"{len(found)} problems:", *shown]))


def said_by(why: ValidationError) -> list[str]:
    """The problems that pydantic found: `level: Input should be less than 1`."""
    return [": ".join(filter(None, [".".join(map(str, e["loc"])), e["msg"]])) for e in why.errors()]


def one_of(value: object, what: str, aliases: Mapping[str, Any]) -> Any:
    """What `value` means among the names (in any letter case); ValueError with the allowed ones where it is none."""
    known = {name.casefold(): meant for name, meant in aliases.items()}
    if isinstance(value, str) and value.casefold() in known:
        return known[value.casefold()]
    hint = did_you_mean(value, list(aliases)) if isinstance(value, str) else ""
    raise ValueError(f"{what} {value!r} is not known{hint}: use one of {', '.join(aliases)}")


def table_of(data: object) -> pd.DataFrame | None:
    """The table, or None where there is none. Raises TypeError on anything else, ValueError on repeated columns."""
    if data is None or isinstance(data, pd.DataFrame):
        if data is not None and not data.columns.is_unique:
            twice = data.columns[data.columns.duplicated()].unique()
            raise ValueError(f"the table has several columns of one name: {', '.join(map(str, twice))}")
        return data
    raise TypeError(
        f"the first argument is a table (pandas.DataFrame), not {type(data).__name__}; lists and Series go by name, "
        "as in meta(yi=[0.1, 0.3], vi=[0.02, 0.04])"
    )


def gather(
    data: pd.DataFrame | None, given: Mapping[str, object], words: Mapping[str, tuple[str, ...]] | None = None
) -> pd.DataFrame:
    """One column for each name in `given`: a column of the table by its name, a list, an array, a Series, or one value.

    The rows are those of the table, else of the first Series, else numbered. Raises ValueError with all that is wrong:
    a column that is not there, two dimensions, another length, a Series whose row names are not those of the table.

    `words`: the roles that take words; a text that is no column, but one of their words, holds for every row.
    """
    problems: list[str] = []
    values = {name: _values(data, name, value, (words or {}).get(name, ()), problems) for name, value in given.items()}
    index = data.index if data is not None else None
    named = [v for v in values.values() if isinstance(v, pd.Series)]
    if index is None and named:
        index = named[0].index
    if index is None:
        longest = [len(v) for v in values.values() if isinstance(v, np.ndarray)]
        index = pd.RangeIndex(longest[0] if longest else 0)
    # A list goes by position; beside Series in several orders nobody knows whose.
    if data is None and any(not s.index.equals(index) for s in named):
        lists = [name for name, v in values.items() if isinstance(v, np.ndarray)]
        problems += [f"{name}: a list beside Series in different orders: give it as a Series, too" for name in lists]
    columns: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, pd.Series):
            columns[name] = _aligned(value, index, name, problems)
        elif isinstance(value, np.ndarray) and len(value) != len(index):
            problems.append(f"{name}: {len(value)} values for {len(index)} rows")
        elif value is not None:
            columns[name] = value
    refuse(problems)
    return pd.DataFrame(columns, index=index)


def _values(
    data: pd.DataFrame | None, name: str, value: object, words: tuple[str, ...], problems: list[str]
) -> pd.Series | NDArray[Any] | str | float | None:
    """The values as a Series, an array, or one value for all rows; None where something is wrong with them."""
    if isinstance(value, str):
        if data is not None and value in data.columns:
            return data[value]
        if value in words:
            return value
        there = [] if data is None else [str(column) for column in data.columns]
        hint = did_you_mean(value, there) or (f"; it has {', '.join(there)}" if there else "")
        lacking = "there is no table" if data is None else f"the table has no column {value!r}{hint}"
        problems.append(f"{name}: {lacking}" + (f"; or one of {', '.join(words)}" if words else ""))
        return None
    if isinstance(value, pd.DataFrame):
        if value.shape[1] == 1:
            return value.iloc[:, 0]
        problems.append(f"{name}: a table of {value.shape[1]} columns: one column is needed")
        return None
    if isinstance(value, pd.Series):
        return value
    if isinstance(value, Number) or np.ndim(value) == 0:  # type: ignore[arg-type]
        return value  # type: ignore[return-value]
    try:
        array = value.to_numpy() if isinstance(value, pd.Index) else np.asarray(value)
    except ValueError:  # lists of several lengths
        array = np.empty((0, 0))
    if array.ndim != 1:
        problems.append(f"{name}: one value for each row is needed, not the shape {array.shape}")
        return None
    return array


def _aligned(values: pd.Series, index: pd.Index, name: str, problems: list[str]) -> pd.Series:
    if values.index.equals(index):
        return values
    lost = [label for label in index if label not in values.index]
    other = [label for label in values.index if label not in index]
    unique = index.is_unique and values.index.is_unique
    if unique and not lost and not other:
        return values.reindex(index)
    parts = [f"{_few(lost)} missing"] * bool(lost) + [f"{_few(other)} too many"] * bool(other)
    why = ", ".join([*parts, *(["some occur more than once"] if not unique else [])])
    problems.append(
        f"{name}: the Series has other row names than the table ({why}): nothing is paired by position; give it these "
        "row names, or as a list (.tolist()) to pair it by position"
    )
    return values.iloc[:0].reindex(index) if values.index.is_unique else pd.Series(index=index, dtype=object)


def _few(labels: list[Any], most: int = 3) -> str:
    shown = ", ".join(repr(label) for label in labels[:most])
    return shown + (f" and {len(labels) - most} more" if len(labels) > most else "")


def row_names(index: pd.Index, labels: pd.Series | None = None) -> list[str]:
    """What a report calls each row: `row 3 (Aronson 1948)`, `row 'Aronson 1948'`."""
    if labels is None:
        return [f"row {one!r}" for one in index]
    said = [str(label) for label in labels]
    return [f"row {i!r}" if str(i) == label else f"row {i!r} ({label})" for i, label in zip(index, said, strict=True)]


def numbers(values: pd.Series, name: str, rows: list[str], problems: list[str]) -> NDArray[np.float64]:
    """The values as numbers, missing ones as NaN; what is no number is a problem."""
    found = pd.to_numeric(values, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.isinf(found) | (np.isnan(found) & values.notna().to_numpy())
    problems += [f"{rows[i]}: {name} = {values.iloc[i]!r} is not a finite number" for i in np.flatnonzero(bad)]
    return np.where(bad, np.nan, found)
