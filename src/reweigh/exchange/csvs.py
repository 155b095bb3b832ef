"""A foreign CSV file as text."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass

import pandas as pd

from reweigh.dialect import dialect_of
from reweigh.io import unguarded


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table as text: index = number of the record, the header being 1; no cell is missing.

    `unusual` is how the file differs from comma-separated text in UTF-8, in words.
    """

    name: str
    frame: pd.DataFrame
    unusual: str = ""

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.frame.columns)

    def column(self, name: str) -> pd.Series:
        """A column by its name, empty text where the table has none of that name."""
        if name in self.frame:
            return self.frame[name]
        return pd.Series("", index=self.frame.index, dtype=object)


def read_sheet(name: str, data: bytes) -> Sheet:
    """Read a CSV file of any delimiter; numbers with decimal commas get points where the delimiter is no comma.

    Short records are filled up, blank ones dropped; of two columns of one name the first counts. Raises ValueError,
    with a sentence, where the file is no text or holds a cell too long to read.
    """
    try:
        dialect = dialect_of(data)
    except UnicodeDecodeError:
        raise ValueError(f"{name} is neither UTF-8 nor Windows-1252 text") from None
    try:
        records = list(csv.reader(io.StringIO(dialect.text, newline=""), delimiter=dialect.delimiter))
    except csv.Error as why:
        raise ValueError(f"{name} cannot be read as CSV: {why}") from None
    if not records:
        raise ValueError(f"{name} is empty")
    header = [" ".join(cell.split()) for cell in records[0]]
    places = {column: at for at, column in reversed(list(enumerate(header))) if column}
    rows = [(i, record) for i, record in enumerate(records[1:], start=2) if any(cell.strip() for cell in record)]
    width, plain = len(header), dialect.delimiter == ","
    # An apostrophe before what a spreadsheet would run is no part of the text.
    full = [[*map(unguarded, record), *[""] * (width - len(record))] for _, record in rows]
    columns = {
        column: [record[at] if plain else dialect.number(record[at]) for record in full]
        for column, at in sorted(places.items(), key=lambda one: one[1])
    }
    frame = pd.DataFrame(columns, index=pd.Index([i for i, _ in rows], dtype="int64"), dtype=object)
    return Sheet(name, frame, dialect.unusual)


def header_of(data: bytes) -> set[str]:
    """Names in the first line of a CSV file, however it was saved."""
    lines = data[:65_536].decode("utf-8-sig", "replace").splitlines()
    first = next((line for line in lines if line.strip() and not line.casefold().lstrip('"').startswith("sep=")), "")
    return {" ".join(cell.strip().strip('"').split()) for cell in re.split(r"[,;\t|]", first)}
