"""Columns of the input tables: what each may hold, and how a cell's text becomes a value."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Literal

import numpy as np
import pandas as pd

from reweigh.tables.problems import Problem, did_you_mean

#: Larger counts are typing errors: no trial has a thousand million patients.
MAX_COUNT = 1e9
_LONGEST = 60  # longer cells are prose, not numbers gone wrong

_N = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
NUMBER = re.compile(_N)
_INVISIBLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MONTH = r"(?:jan|feb|mar|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-z]*\.?"
_MISSING = re.compile(
    r"#?n[/\\]?a|n\.a\.?|nan|null|none|nil|n/?r|n\.r\.?|n/?d|n\.d\.?|[-–—.…?*/]|--|\.{2,3}|\?\?|missing|unknown|unclear|"
    r"not (?:reported|stated|available|applicable|given)|no data",
    re.IGNORECASE,
)

# What is wrong with a cell that is no number; the first pattern that fits the whole trimmed cell speaks.
_COMPLAINTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), message)
    for pattern, message in (
        (r"[+-]?(?:inf|infinity|∞)", "is not a finite number"),
        (r"#[\w/]+[!?]?", "is a spreadsheet error"),
        (r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+", "has a comma (thousands separator or decimal comma)"),
        (r"[+-]?[0-9]*,[0-9]+(?:e[+-]?[0-9]+)?|[+-]?[0-9]+,", "has a decimal comma"),
        (r"[+-]?[0-9]{1,3}(?:[,.'’ \u00a0\u2009\u202f][0-9]{3})+(?:[.,][0-9]+)?", "has a thousands separator"),
        (
            rf"[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}(?:[ t].*)?|[0-9]{{1,2}}[-/. ]{_MONTH}(?:[-/. ][0-9]{{2,4}})?|"
            rf"{_MONTH}[-/. ][0-9]{{1,4}}|[0-9]{{1,2}}([./-])[0-9]{{1,2}}\1[0-9]{{2,4}}",
            "is a date (a spreadsheet may have changed it)",
        ),
        (rf"(?:[<>≤≥=~≈]|<=|>=)\s*{_N}", "has a sign before the number"),
        (rf"{_N}\s*%", "has a percent sign"),
        (rf"[−–—‐‑]\s*{_N}", "has a dash instead of a minus sign"),
        (rf"{_N}\s*(?:[(\[±;:/–-]|\+/-|to\b|or\b|and\b).*[0-9].*", "holds more than one number"),
        (rf"{_N}\s*[^0-9\s.,].*", "has text after the number"),
        (rf"[^0-9]+{_N}", "has text before the number"),
    )
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `key` texts are compared (trimmed, one space, NFC), `text` is free, `filled` forbids empty cells.

    `low` and `high` bound a number; `above` excludes `low` itself. A `year` may have a letter (1994a), which is no
    part of its value. An `identifier` is a key that is no path: it becomes part of file names.
    """

    name: str
    kind: Literal["key", "text", "category", "number", "whole", "year"] = "text"
    low: float = -inf
    high: float = inf
    above: bool = False
    choices: tuple[str, ...] = ()
    filled: bool = False
    advice: str = ""
    identifier: bool = False

    @property
    def numeric(self) -> bool:
        """Whether cells become numbers."""
        return self.kind in ("number", "whole", "year")

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole."""
        return self.kind in ("whole", "year")

    @property
    def allowed(self) -> str:
        """What a cell may hold, in words."""
        if self.choices:
            return ", ".join(self.choices)
        if self.identifier:
            return "an id without slashes, that does not begin with a dot"
        if not self.numeric:
            return "text without control characters"
        noun = "a whole number" if self.whole else "a number"
        high = self.high if self.high < MAX_COUNT else inf
        if self.above:
            span = f" above {self.low:g}" + (f", at most {high:g}" if isfinite(high) else "")
        elif isfinite(self.low) and isfinite(high):
            span = f" from {self.low:g} to {high:g}"
        else:
            span = f", {self.low:g} or more" if isfinite(self.low) else ""
        return noun + span + self.advice

    def clean(self, cell: str) -> str:
        """A text cell as it is compared and kept."""
        return " ".join(unicodedata.normalize("NFC", cell).split()) if self.kind == "key" else cell.strip()


@dataclass(frozen=True, slots=True)
class Rule:
    """A check across columns: rows where `broken(values)` holds are reported at `column`.

    `message` and `allowed` may name other columns in braces; their cells are filled in as written.
    """

    column: str
    broken: Callable[[pd.DataFrame], pd.Series]
    message: str
    allowed: str


@dataclass(frozen=True, slots=True)
class TableSpec:
    """What a table may hold: `required` lists groups of columns of which one must exist.

    `closed`: other columns are problems; `guarded`: names whose misspelling is a problem in an open table;
    `unique`: columns that together name a row; `may_be_empty`: a header alone is no problem; `wanted_by`: the
    protocol's key that wants a required column.
    """

    columns: tuple[Column, ...]
    required: tuple[tuple[str, ...], ...] = ()
    unique: tuple[str, ...] = ()
    rules: tuple[Rule, ...] = ()
    closed: bool = True
    guarded: tuple[str, ...] = ()
    may_be_empty: bool = False
    wanted_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns it knows."""
        return tuple(c.name for c in self.columns)


def is_missing_word(cell: str) -> bool:
    """Whether a cell says in words (NA, n/a, -, not reported) that nothing is there."""
    return bool(_MISSING.fullmatch(cell.strip()))


def complain(cell: str) -> str:
    """Why a cell is not a plain number."""
    if hidden := _INVISIBLE.search(cell):
        return f"has an invisible character (U+{ord(hidden.group()):04X})"
    text = cell.strip()
    if is_missing_word(text):
        return "is not a number"
    if NUMBER.fullmatch(text):
        return "is not a finite number" if text == cell else "has a space beside the number"
    for pattern, message in _COMPLAINTS:
        if len(text) <= _LONGEST and pattern.fullmatch(text):
            return message
    if NUMBER.fullmatch(text.translate(str.maketrans("OoIl", "0011"))):
        return "has a letter where a digit belongs"
    return "is not a number"


def _numbers(column: Column, cells: list[str], rows: pd.Index, file: str) -> tuple[pd.Series, list[Problem]]:
    if column.kind == "year":
        cells = [cell[:-1] if re.fullmatch(r"[0-9]{4}[a-z]", cell) else cell for cell in cells]
    plain = [bool(NUMBER.fullmatch(c)) for c in cells]
    values = np.array([float(c) if ok else np.nan for c, ok in zip(cells, plain, strict=True)], dtype=float)
    values[~np.isfinite(values)] = np.nan
    filled = np.array([bool(c.strip()) for c in cells], dtype=bool)
    low = np.less_equal if column.above else np.less
    out = low(values, column.low) | (values > column.high)
    broken = (values != np.floor(values)) & ~np.isnan(values) if column.whole else np.zeros_like(out)
    problems, numbers = [], rows.tolist()
    for i in np.flatnonzero((np.isnan(values) & filled) | out | broken).tolist():
        allowed = column.allowed
        if np.isnan(values[i]):
            message = complain(cells[i])
            if is_missing_word(cells[i]):
                allowed += "; leave the cell empty when nothing is reported"
        elif broken[i] and not out[i]:
            message = "is not a whole number"
        elif values[i] > column.high:
            message = f"is above {column.high:g}"
        elif values[i] == 0:
            message = "is zero"
        else:
            message = "is negative" if values[i] < 0 else f"is below {column.low:g}"
        problems.append(Problem(file, numbers[i], column.name, cells[i], message, allowed))
    values[out | broken] = np.nan
    return pd.Series(values, index=rows), problems


def _texts(column: Column, cells: list[str], rows: pd.Index, file: str) -> tuple[pd.Series, list[Problem]]:
    values: list[str | None] = []
    problems = []
    hidden = _CONTROL if column.kind == "text" else _INVISIBLE
    for row, cell in zip(rows.tolist(), cells, strict=True):
        value = column.clean(cell)
        message = ""
        if column.identifier and re.search(r"[/\\]|^\.", value):
            message = "could be a path"
        if found := hidden.search(cell):
            message = f"has an invisible character (U+{ord(found.group()):04X})"
        elif not value and column.filled:
            message = "the cell is empty"
        elif value and column.choices and value not in column.choices:
            message = "is not allowed" + did_you_mean(value, column.choices)
        if message:
            allowed = column.allowed if value or column.choices else "a name; no empty cell"
            problems.append(Problem(file, row, column.name, cell if value else "", message, allowed))
        bad_choice = bool(message) and column.kind == "category"
        values.append(None if bad_choice or not value else value)
    return pd.Series(values, index=rows, dtype=object), problems


def convert(column: Column, cells: list[str], rows: pd.Index, file: str) -> tuple[pd.Series, list[Problem]]:
    """Values of a column, with a problem for each cell that may not stand in it.

    Numbers become floats (NaN when empty or wrong), text becomes str or None.
    """
    return (_numbers if column.numeric else _texts)(column, cells, rows, file)
