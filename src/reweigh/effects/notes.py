"""Short texts per row, built by column: one Python string operation per distinct value, not per row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from reweigh.effects.conversions import Floats
from reweigh.effects.measures import Bools

Texts = NDArray[np.object_]


def number(value: float) -> str:
    """A number as a person would write it, six significant digits."""
    return f"{value:.6g}"


def texts(values: Floats, form: Callable[[float], str] = number) -> Texts:
    """Each value formatted, each distinct value once."""
    distinct, inverse = np.unique(values, return_inverse=True)
    return np.array([form(v) for v in distinct], dtype=object)[inverse]


class Notes:
    """A chain of pieces per row, joined by "; "."""

    def __init__(self, n: int) -> None:
        self._text: Texts = np.full(n, "", dtype=object)

    def add(self, rows: Bools, piece: str | Texts) -> None:
        """Append a piece to the given rows; an array of pieces has one per row of the whole table."""
        if not rows.any():
            return
        addition = piece if isinstance(piece, str) else piece[rows]
        self._text[rows] = self._text[rows] + "; " + addition

    def merge(self, at: NDArray[np.intp], other: Notes) -> None:
        """Append the chains of another set of notes to the rows ``at``."""
        self._text[at] = self._text[at] + other._text

    def chains(self) -> Texts:
        """The finished texts."""
        return np.array([t[2:] for t in self._text], dtype=object)
