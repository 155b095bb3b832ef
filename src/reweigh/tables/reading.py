"""From bytes to cells: encodings, delimiters, quotes, headers and ragged rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pandas as pd

from reweigh.tables.columns import Column, TableSpec
from reweigh.tables.problems import Problem, did_you_mean, nearest

_CSV = "comma-separated text in UTF-8"
_BINARY = {b"PK\x03\x04": "an Excel or OpenDocument workbook", b"\xd0\xcf\x11\xe0": "an old Excel workbook"}
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells as text: index = spreadsheet row; `lost` holds the fields of rows that could not be aligned."""

    frame: pd.DataFrame
    header_row: int
    lost: tuple[tuple[str, ...], ...]
    header: tuple[str, ...]


def _text(data: bytes, file: str) -> tuple[str | None, list[Problem]]:
    """Decode a file; Windows text is decoded as such, so that its other problems are found too."""

    def whole(message: str) -> tuple[None, list[Problem]]:
        return None, [Problem(file, None, "", "", message, _CSV)]

    if not data.strip(b"\xef\xbb\xbf \t\r\n,"):
        return whole("the file is empty")
    for magic, what in _BINARY.items():
        if data.startswith(magic):
            return whole(f"the file is {what}, not text")
    zeros = data[:4096].count(0)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or zeros * 4 > len(data[:4096]):
        return whole("the file is in UTF-16 (or another encoding with zero bytes), not in UTF-8")
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace") + "x"
        left = re.split(rb"[,\r\n]", data[: error.start])[-1]
        right = re.split(rb"[,\r\n]", data[error.start :], maxsplit=1)[0]
        cell = (left + right).decode("cp1252", "replace").strip(' "')
        problem = Problem(
            file,
            sum(1 for _ in _lenient(before)),
            "",
            cell,
            "is not UTF-8; the file was probably saved as Windows-1252 or Latin-1",
            _CSV,
        )
        return data.decode("cp1252", "replace"), [problem]


def _lenient(text: str) -> Iterator[list[str]]:
    """Records as a spreadsheet reads them; a cell beyond the reader's limit ends them."""
    with suppress(csv.Error):
        yield from csv.reader(io.StringIO(text, newline=""))


def _records(text: str) -> list[tuple[list[str], str]]:
    """(fields, complaint) per record; after a broken quotation mark reading goes on with the next line."""
    lines = list(io.StringIO(text, newline=""))
    records: list[tuple[list[str], str]] = []
    start = 0

    def rest(first: int) -> Iterator[str]:
        for i in range(first, len(lines)):
            yield lines[i]

    while start < len(lines):
        reader = csv.reader(rest(start), strict=True)
        used = 0
        try:
            for fields in reader:
                records.append((fields, ""))
                used = reader.line_num
            break
        except csv.Error as error:
            broken = lines[start + used]
            fields = next(_lenient(broken), [broken])
            complaint = (
                "the row has a cell that is too long to read"
                if "field larger" in str(error)
                else "the row has an unbalanced quotation mark"
            )
            records.append((fields, complaint))
            start += used + 1
    return records


def _wrong_delimiter(text: str, known: set[str]) -> str | None:
    """What separates the header's names, when it is not commas."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    if first.casefold().startswith("sep="):
        return "an extra first line (sep=)"

    def hits(delimiter: str) -> int:
        return sum(name.strip(' "').casefold() in known for name in first.split(delimiter))

    best = max(_DELIMITERS, key=lambda d: (hits(d), first.count(d)))
    clearly = hits(best) > hits(",") or ("," not in first and best in first)
    return f"{_DELIMITERS[best]} between its cells" if clearly else None


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
            hint = f' (the header has "{meant}")' if meant else ""
            unknown = [name for name in unknown if name != meant]
            wanted = " or ".join(group)
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
    text, problems = _text(data, file)
    if text is None:
        return None, problems
    known = {name.casefold() for name in spec.names}
    if separator := _wrong_delimiter(text, known):
        problems.append(Problem(file, None, "", "", f"the file has {separator}", _CSV))
        return None, problems
    records = [
        (row, fields, complaint)
        for row, (fields, complaint) in enumerate(_records(text), start=1)
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
    frame = pd.DataFrame(
        {name: [fields[i] for fields in rows.values()] for name, i in places.items()},
        index=list(rows),
        dtype=object,
    )
    return Cells(frame, header_row, tuple(lost), tuple(names)), problems


def lost_values(cells: Cells, column: Column) -> set[str]:
    """What unreadable rows seem to hold in a column, so that one bad row is not reported again elsewhere."""
    if column.name not in cells.header:
        return set()
    place = cells.header.index(column.name)
    return {column.clean(fields[place]) for fields in cells.lost if len(fields) > place}
