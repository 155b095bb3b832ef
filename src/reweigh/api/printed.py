"""How the results of a notebook print: lines and tables, as text and as HTML."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

import pandas as pd

from reweigh.text.numbers import MINUS, fixed

Parts = Iterable[str | pd.DataFrame]
#: Decimals, as metafor prints.
DIGITS = 4


class Printed:
    """What prints as its parts: paragraphs (of several lines) and tables of texts."""

    def _parts(self) -> Parts:
        raise NotImplementedError

    def __str__(self) -> str:
        """The parts below each other."""
        shown = [part if isinstance(part, str) else part.to_string() for part in self._parts()]
        return "\n\n".join(filter(None, shown))

    def __repr__(self) -> str:
        """The same: what a notebook and a console show."""
        return str(self)

    def _repr_html_(self) -> str:
        shown = []
        for part in self._parts():
            if isinstance(part, str):
                shown += [f"<p>{'<br>'.join(map(escape, part.splitlines()))}</p>"] if part else []
            else:
                shown.append(part.to_html(border=0))
        return "".join(shown)


class Shown(Printed):
    """Parts and nothing else."""

    def __init__(self, *parts: str | pd.DataFrame) -> None:
        self.parts = parts

    def _parts(self) -> Parts:
        return self.parts


def number(value: float, decimals: int = DIGITS) -> str:
    """A number with a plain minus, NA where it is missing."""
    return "NA" if math.isnan(value) else fixed(value, decimals).replace(MINUS, "-")


def p_number(p: float) -> str:
    """A P value with four decimals, `<.0001` below them."""
    return "<.0001" if p < 10**-DIGITS else number(p)


def p_said(p: float) -> str:
    """`p = 0.0019`, `p <.0001`."""
    return f"p {p_number(p)}" if p < 10**-DIGITS else f"p = {p_number(p)}"


def texts(table: pd.DataFrame, decimals: Mapping[str, int] | None = None) -> pd.DataFrame:
    """A table of numbers as it is printed; P values, degrees of freedom and counts by the name of their column."""

    def cell(name: str, value: Any) -> str:
        if not isinstance(value, float):
            return str(value)
        if name.endswith("p_value"):
            return p_number(value)
        if name == "df" or name.endswith("_df") or name == "k":
            return "NA" if math.isnan(value) else f"{value:g}"
        return number(value, (decimals or {}).get(name, DIGITS))

    return pd.DataFrame({name: [cell(str(name), v) for v in table[name].tolist()] for name in table}, index=table.index)
