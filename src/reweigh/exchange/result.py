"""What every reader of foreign files gives: tables and a protocol to write, and what was done to each cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd


class Cell(NamedTuple):
    """What was done to one cell of a foreign file: a row of imported.csv. Rows count from 1, the header being row 1."""

    file: str
    row: int
    column: str
    was: str
    became: str
    code: str


@dataclass(frozen=True, slots=True)
class Imported:
    """A review read from foreign files; nothing of it is computed.

    tables
        By name without ending ("studies", "arms", "contrasts", "risk_of_bias", "published", "published_rows", "flow"):
        the cells as text, as they are to be written; a table that is not there has no rows.
    protocol
        What review.yaml is to hold, plain.
    comments
        Dotted keys of the protocol, and a comment that stands above each.
    cells
        What was done to each cell that was split, emptied, guessed or left out.
    notes
        Sentences for the preview: what was guessed, what was left out and why.
    problems
        Sentences on what cannot be imported at all; with any, nothing is written.
    """

    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    comments: Mapping[str, str] = field(default_factory=dict)
    cells: tuple[Cell, ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
