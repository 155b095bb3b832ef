"""Codes per row, built by column: one Python string operation per distinct value, not per row."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reweigh.effects.conversions import Floats
from reweigh.effects.measures import Bools
from reweigh.text.codes import code

Texts = NDArray[np.object_]


def texts(values: Floats, form: Callable[[Any], str]) -> Texts:
    """Each value formatted, each distinct value once."""
    distinct, inverse = np.unique(values, return_inverse=True)
    return np.array([form(v) for v in distinct.tolist()], dtype=object)[inverse]


def codes(rows: Bools, name: str, **parameters: Any) -> str | Texts:
    """One code for each of the given rows; a parameter is a value, or an array with one per row of the whole table."""
    cell: str | Texts = code(name, **{k: v for k, v in parameters.items() if not isinstance(v, np.ndarray)})
    for key, values in parameters.items():
        if isinstance(values, np.ndarray):
            # A code without a name is its parameter, " key=value".
            cell = cell + texts(values[rows], partial(_parameter, key))
    return cell


def _parameter(key: str, value: Any) -> str:
    return code("", **{key: value})


class Notes:
    """A chain of codes per row, joined by "; "."""

    def __init__(self, n: int) -> None:
        self._text: Texts = np.full(n, "", dtype=object)

    def add(self, rows: Bools, name: str, **parameters: Any) -> None:
        """Append a code to the given rows; see `codes`."""
        if rows.any():
            self._text[rows] = self._text[rows] + "; " + codes(rows, name, **parameters)

    def merge(self, at: NDArray[np.intp], other: Notes) -> None:
        """Append the chains of another set of notes to the rows ``at``."""
        self._text[at] = self._text[at] + other._text

    def chains(self) -> Texts:
        """The finished cells."""
        return np.array([t[2:] for t in self._text], dtype=object)
