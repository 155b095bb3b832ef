"""Tables of a review that stand in Excel workbooks: `tables.xlsx` (a sheet per table), `arms.xlsx`, `studies.xlsx` ...

A sheet becomes the CSV file that it stands for, cell by cell and row by row: it is read as strictly as the file would
be, and a problem names the row that the spreadsheet shows.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import PurePath
from typing import Any

TABLES = (
    "studies", "arms", "contrasts", "risk_of_bias", "published", "published_trials", "certainty_overrides", "flow",
)  # fmt: skip
"""Tables of a review that people type."""
WHOLE = "tables.xlsx"
WORKBOOKS = (WHOLE, *(f"{name}.xlsx" for name in TABLES))
#: Bytes that a workbook may hold once it is unpacked, and its cells: ours stay below a thousandth of it.
_LARGEST, _CELLS = 200_000_000, 2_000_000


_DECIMALS = re.compile(r"(?:#,##)?0\.(0{1,15})%?(?:_\))?(?:;.*)?")


class UnreadableError(ValueError):
    """Why a workbook cannot be read, in words."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The files of a review with the tables of its workbooks as CSV files.

    `origin`: where such a table stands ("tables.xlsx, sheet arms"). `twice`: a table and a second place where it
    stands. `unread`: a workbook and why it cannot be read. `others`: sheets of tables.xlsx that are no table of ours.
    """

    files: Mapping[str, bytes]
    origin: Mapping[str, str]
    twice: tuple[tuple[str, str], ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    others: tuple[str, ...] = ()


def with_tables(files: Mapping[str, bytes]) -> Opened:
    """Open the workbooks among the files of a review.

    A sheet that has no rows below its header is no table; but where neither arms nor contrasts have any, an empty sheet
    of arms stays, for the check to name.
    """
    found = {name: content for name, content in files.items() if name not in WORKBOOKS}
    origin: dict[str, str] = {}
    twice, unread, others = [], [], []
    empty: dict[str, tuple[str, bytes]] = {}
    for book in (name for name in WORKBOOKS if name in files):
        try:
            sheets = read_sheets(files[book])
        except UnreadableError as why:
            unread.append((book, str(why)))
            continue
        own = PurePath(book).stem
        if book != WHOLE:
            # A workbook of one table holds it in the sheet of its name, else in its first one.
            sheets = {own: sheets[own] if own in sheets else next(iter(sheets.values()))} if sheets else {}
        for sheet, content in sheets.items():
            file, place = f"{sheet}.csv", f"{book}, sheet {sheet}" if book == WHOLE else book
            if sheet not in TABLES:
                others.append(sheet)
            elif _rows(content) < 2:
                empty.setdefault(file, (place, content))
            elif file in found:
                twice.append((file, place))
            else:
                found[file], origin[file] = content, place
    if not {"arms.csv", "contrasts.csv"} & found.keys() and "arms.csv" in empty:
        origin["arms.csv"], found["arms.csv"] = empty["arms.csv"]
    return Opened(found, origin, tuple(twice), tuple(unread), tuple(others))


def table_of(files: Mapping[str, bytes], name: str) -> bytes | None:
    """The bytes of a table as a CSV file, from its file or a workbook; None where a review has none."""
    return files[name] if name in files else with_tables(files).files.get(name)


def books_of(names: Iterable[str]) -> tuple[str, ...]:
    """Workbooks in which these files may stand as tables."""
    stems = [PurePath(name).stem for name in names if name.endswith(".csv")]
    return (WHOLE, *(f"{stem}.xlsx" for stem in stems)) if stems else ()


@lru_cache(maxsize=8)
def read_sheets(content: bytes) -> Mapping[str, bytes]:
    """Sheets of a workbook by name, each as the bytes of a CSV file.

    Raises
    ------
    UnreadableError
        Where it is no workbook, or too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(one.file_size for one in archive.infolist()) > _LARGEST:
                raise UnreadableError("is too large once it is unpacked")
    except zipfile.BadZipFile:
        raise UnreadableError("is not an Excel workbook (.xlsx)") from None
    from openpyxl import load_workbook

    try:
        # Formulas are not worked out: their text is no number, and the check says so.
        book = load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
        left = [_CELLS]
        return {sheet.title.strip(): _csv(sheet, left) for sheet in book.worksheets}
    except UnreadableError:
        raise
    except Exception as why:  # what openpyxl raises on a broken workbook has no common class
        raise UnreadableError(f"cannot be read as an Excel workbook: {' '.join(str(why).split())[:200]}") from None


def _csv(sheet: Any, left: list[int]) -> bytes:
    sheet.reset_dimensions()  # what a file says of its size need not be true
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    width = 0
    for row in sheet.iter_rows():
        cells = [_text(cell) for cell in row]
        left[0] -= len(cells) + 1
        if left[0] < 0:
            raise UnreadableError(f"has more than {_CELLS:,} cells")
        while cells and not cells[-1].strip():
            cells.pop()
        # A spreadsheet stores no empty cells at the end of a row; the header says how many there are.
        width = width or len(cells)
        writer.writerow(cells + [""] * (width - len(cells)) if cells else [])
    return text.getvalue().encode()


def _text(cell: Any) -> str:
    """A cell as a person reads it, to 15 digits as the spreadsheet has them."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, (int, float)):
        look = str(cell.number_format or "")
        percent = "%" in look
        value = value * 100 if percent else value
        number = f"{value:.15g}"
        # Zeros that the cell shows were printed (0.70); digits that it hides were typed all the same.
        if (zeros := _DECIMALS.fullmatch(look)) and float(shown := f"{value:.{len(zeros[1])}f}") == float(number):
            number = shown
        return f"{number}%" if percent else number
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value) if not isinstance(value, timedelta) else f"{value}"


def _rows(content: bytes) -> int:
    """Rows that are not empty."""
    return sum(any(cell.strip() for cell in row) for row in csv.reader(io.StringIO(content.decode(), newline="")))
