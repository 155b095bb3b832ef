"""From bytes to cells: encodings, delimiters, quotes, headers and ragged rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pandas as pd

from reweigh.dialect import Dialect, dialect_of
from reweigh.tables.columns import Column, TableSpec
from reweigh.tables.problems import Problem, did_you_mean, nearest

_CSV = "comma-separated text in UTF-8"
_BINARY = {b"PK\x03\x04": "an Excel or OpenDocument workbook", b"\xd0\xcf\x11\xe0": "an old Excel workbook"}


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells as text: index = spreadsheet row; `lost` holds the fields of rows that could not be aligned."""

    frame: pd.DataFrame
    header_row: int
    lost: tuple[tuple[str, ...], ...]
    header: tuple[str, ...]


def _text(data: bytes, file: str) -> tuple[Dialect | None, list[Problem]]:
    """The text of a file, or the reason why it has none."""

    def whole(message: str) -> tuple[None, list[Problem]]:
        return None, [Problem(file, None, "", "", message, _CSV)]

    if not data.strip(b"\xef\xbb\xbf \t\r\n,;"):
        return whole("the file is empty")
    for magic, what in _BINARY.items():
        if data.startswith(magic):
            return whole(f"the file is {what}, not text")
    zeros = data[:4096].count(0)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or zeros * 4 > len(data[:4096]):
        return whole("the file is in UTF-16 (or another encoding with zero bytes), not in UTF-8")
    try:
        return dialect_of(data), []
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("cp1252", "replace") + "x"
        row = sum(1 for _ in _lenient(before, ","))
        return None, [Problem(file, row, "", "", "is neither UTF-8 nor Windows-1252 text", _CSV)]


def _lenient(text: str, delimiter: str) -> Iterator[list[str]]:
    """Records as a spreadsheet reads them; a cell beyond the reader's limit ends them."""
    with suppress(csv.Error):
        yield from csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)


def _records(text: str, delimiter: str) -> list[tuple[list[str], str]]:
    """(fields, complaint) per record; after a broken quotation mark reading goes on with the next line."""
    lines = list(io.StringIO(text, newline=""))
    records: list[tuple[list[str], str]] = []
    start = 0

    def rest(first: int) -> Iterator[str]:
        for i in range(first, len(lines)):
            yield lines[i]

    while start < len(lines):
        reader = csv.reader(rest(start), strict=True, delimiter=delimiter)
        used = 0
        try:
            for fields in reader:
                records.append((fields, ""))
                used = reader.line_num
            break
        except csv.Error as error:
            broken = lines[start + used]
            fields = next(_lenient(broken, delimiter), [broken])
            complaint = (
                "the row has a cell that is too long to read"
                if "field larger" in str(error)
                else "the row has an unbalanced quotation mark"
            )
            records.append((fields, complaint))
            start += used + 1
    return records


def _header(names: list[str], row: int, file: str, spec: TableSpec) -> tuple[dict[str, int], list[Problem]]:
    """Position of each column that can be used, and the problems of the header."""
    known = spec.names
    places: dict[str, int] = {}
    problems: list[Problem] = []
    for i, name in enumerate(names):
        if not name:
            problems.append(Problem(file, row, f"{i + 1}", "", "the column has no name", "a name for every column"))
        elif name in places:
            problems.append(Problem(file, row, name, name, "is the name of two columns", "each column name once"))
        else:
            places[name] = i
    unknown = [name for name in places if name not in known]
    for group in spec.required:
        if not any(name in places for name in group):
            meant = next((hit for name in group if (hit := nearest(name, unknown))), None)
            hint = f' (the header has "{meant}")' if meant else did_you_mean(group[0], [*places])
            unknown = [name for name in unknown if name != meant]
            wanted = " or ".join(group)
            hint += next((f"; review.yaml wants it: {spec.wanted_by[n]}" for n in group if n in spec.wanted_by), "")
            problems.append(Problem(file, row, wanted, "", f"the column is missing{hint}", f"a column {wanted}"))
    absent = [name for name in known if name not in places]
    for name in unknown:
        if spec.closed:
            hint = did_you_mean(name, absent) or did_you_mean(name, known)
            problems.append(
                Problem(file, row, name, name, f"is not a known column{hint}", "the columns " + ", ".join(known))
            )
        elif meant := nearest(name, [n for n in absent if n in spec.guarded], 0.85):
            problems.append(
                Problem(file, row, name, name, f'looks like a misspelt column name (did you mean "{meant}"?)', meant)
            )
    return places, problems


def read_cells(data: bytes, file: str, spec: TableSpec) -> tuple[Cells | None, list[Problem]]:
    """Cells of a CSV file as text, with the problems of its form; None when it cannot be read as a table."""
    dialect, problems = _text(data, file)
    if dialect is None:
        return None, problems
    known = {name.casefold() for name in spec.names}
    records = [
        (row, fields, complaint)
        for row, (fields, complaint) in enumerate(_records(dialect.text, dialect.delimiter), start=1)
        if complaint or any(cell.strip() for cell in fields)
    ]
    if not records:
        return None, [*problems, Problem(file, None, "", "", "the file is empty", _CSV)]
    header_row, first, complaint = records[0]
    names = [name.strip() for name in first]
    if complaint or not any(name.casefold() in known for name in names):
        message = complaint or "the first row does not hold column names"
        allowed = "a first row with column names such as " + ", ".join(spec.names[:6])
        return None, [*problems, Problem(file, header_row, "", first[0], message, allowed)]
    while not names[-1]:  # a spreadsheet may leave empty columns on the right
        names.pop()
    width = len(names)
    places, header_problems = _header(names, header_row, file, spec)
    problems += header_problems
    rows: dict[int, list[str]] = {}
    lost: list[tuple[str, ...]] = []
    for row, fields, complaint in records[1:]:
        while width < len(fields) <= len(first) and not fields[-1].strip():
            fields.pop()
        if complaint or len(fields) != width:
            problem = complaint or f"the row has {len(fields)} cells, the header {width}"
            allowed = f"{width} cells; a cell with a comma stands in quotation marks, each opened and closed"
            problems.append(Problem(file, row, "", "", problem, allowed))
            lost.append(tuple(fields))
        else:
            rows[row] = fields
    if not rows and not lost and not spec.may_be_empty:
        problems.append(Problem(file, None, "", "", "the file has a header but no rows", "at least one row"))
    numeric = {c.name for c in spec.columns if c.numeric}
    read = dialect.number if dialect.delimiter != "," else str
    cells = {name: [(read if name in numeric else str)(f[i]) for f in rows.values()] for name, i in places.items()}
    if dialect.delimiter != ",":
        problems += _ambiguous(
            cells, {n: [f[i] for f in rows.values()] for n, i in places.items()}, numeric, rows, file
        )
    frame = pd.DataFrame(
        cells,
        index=list(rows),
        dtype=object,
    )
    return Cells(frame, header_row, tuple(lost), tuple(names)), problems


def _ambiguous(
    cells: dict[str, list[str]], typed: dict[str, list[str]], numeric: set[str], rows: Iterable[int], file: str
) -> list[Problem]:
    """Cells such as 1.234 beside decimal commas, a thousand or a little above one: reported, and emptied."""
    numbers = {name: column for name, column in typed.items() if name in numeric}
    if all(cells[name] == column for name, column in numbers.items()):
        return []
    problems = []
    for name, column in numbers.items():
        for i, (row, cell) in enumerate(zip(rows, column, strict=True)):
            if re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{3})+", cell.strip()):
                message = "may be a thousands separator or a decimal point"
                problems.append(Problem(file, row, name, cell, message, "3,2 or 1234, as elsewhere in the file"))
                cells[name][i] = ""
    return problems


def lost_values(cells: Cells, column: Column) -> set[str]:
    """What unreadable rows seem to hold in a column, so that one bad row is not reported again elsewhere."""
    if column.name not in cells.header:
        return set()
    place = cells.header.index(column.name)
    return {column.clean(fields[place]) for fields in cells.lost if len(fields) > place}
