"""From the bytes of a foreign file to its sheets as text: CSV, Excel, Stata, SPSS and R."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import math
import re
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd

from reweigh.dialect import dialect_of
from reweigh.io import unguarded

#: Package, and what it reads; the names stand in the extra `formats` of the package.
_WHAT = {
    "openpyxl": "Excel workbooks",
    "pyreadstat": "SPSS files",
    "rdata": "R data files",
    "rispy": "RIS files",
    "bibtexparser": "BibTeX files",
}
#: How Python pickles of protocol 0 begin: a class to import, or a container and a line with its place in the memo.
_PROTOCOL_0 = re.compile(rb"\(*(?:[ci][A-Za-z_][\w.]*\r?\n[A-Za-z_]\w*\r?\n|[ldt]p[0-9]+\r?\n)")
PICKLE = "a Python pickle (OpenMeta[Analyst] saves .oma files so): it is never opened, since it could run any program"
"""What a pickle looks like."""


class UnreadableError(ValueError):
    """A file that cannot be read; the message is a sentence for a person."""


@dataclass(frozen=True, slots=True)
class Grid:
    """One sheet as text.

    `rows`: spreadsheet row (from 1) and its cells; rows without any text are left out. `comma`: numbers have decimal
    commas. `merged`: cells (row, column from 0) that were empty parts of a merged one and now have its value. `note`: a
    sentence on what could not be read.
    """

    file: str
    sheet: str
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    comma: bool = False
    merged: frozenset[tuple[int, int]] = frozenset()
    note: str = ""


def needs(package: str, file: str) -> ModuleType:
    """An optional package; raises UnreadableError, saying what to install, where it is not there."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a package may leave a file of its own open
            return import_module(package)
    except ModuleNotFoundError as why:
        raise UnreadableError(
            f"{file}: {_WHAT[package]} are read with the package {package}, which is not installed "
            f"(pip install 'reweigh[formats]'); or save the table as CSV"
        ) from why


def kind_of(data: bytes, file: str) -> str:
    """What a file is by its first bytes: csv, xlsx, zip, dta, sav, rda, or what else it looks like, in words."""
    name = file.lower()
    if not data.strip(b"\xef\xbb\xbf \t\r\n,;"):
        return "an empty file"
    if data[:2] == b"PK":
        try:
            inside = zipfile.ZipFile(io.BytesIO(data)).namelist()
        except zipfile.BadZipFile:
            return "a damaged zip archive or workbook"
        if any(one.startswith("xl/") for one in inside):
            return "an .xlsb workbook (save it as .xlsx)" if "xl/workbook.bin" in inside else "xlsx"
        if any(one.startswith("word/") for one in inside):
            return "a Word document"
        return "an OpenDocument file" if "content.xml" in inside else "zip"
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        return "an old Excel workbook (.xls) or another old Office file"
    if data.startswith(b"<stata_dta>") or (name.endswith(".dta") and data[0] in range(105, 116)):
        return "dta"
    if data.startswith((b"$FL2", b"$FL3")):
        return "sav"
    if data.startswith(b"%PDF"):
        return "a PDF"
    if _pickled(data) or name.endswith((".oma", ".pkl", ".pickle")):
        return PICKLE
    start = _unpacked(data)
    frames = start[:2] in (b"X\n", b"A\n") and name.endswith(".rds")
    if frames or start in (b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n"):
        return "rda"
    if start != data[:5]:
        return "a compressed file"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:4096].count(0) * 4 > len(data[:4096]):
        return "csv" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "a binary file"
    return "csv" if data[:4096].count(0) == 0 else "a binary file"


def _pickled(data: bytes) -> bool:
    """Whether bytes begin as a Python pickle does: a protocol mark, or the words of protocol 0."""
    if data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05":
        return True
    return bool(_PROTOCOL_0.match(data))


def _unpacked(data: bytes) -> bytes:
    """The first bytes of a file that may be packed; as they are where it is not, or is damaged."""
    openers = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))
    for magic, opener in openers:
        if data.startswith(magic):
            try:
                with opener(io.BytesIO(data), "rb") as stream:
                    return bytes(stream.read(5))
            except (OSError, EOFError, lzma.LZMAError, zlib.error):
                return data[:5]
    return data[:5]


def grids(data: bytes, file: str, kind: str) -> list[Grid]:
    """Every sheet of a file of the kind csv, xlsx, dta, sav or rda; raises UnreadableError with a sentence."""
    read = {"csv": _csv, "xlsx": _workbook, "dta": _stata, "sav": _spss, "rda": _r}[kind]
    try:
        return read(data, file)
    except UnreadableError:
        raise
    except Exception as why:  # a foreign reader may raise anything on a damaged file
        said = " ".join(str(why).split()) or type(why).__name__
        raise UnreadableError(f"{file}: the file cannot be read, it may be damaged ({said})") from why


def _csv(data: bytes, file: str) -> list[Grid]:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):  # what a spreadsheet calls Unicode text
        data = data.decode("utf-16").encode()
    try:
        dialect = dialect_of(data)
    except UnicodeDecodeError as why:
        raise UnreadableError(f"{file}: the text is neither UTF-8 nor Windows-1252; save it as CSV in UTF-8") from why
    lines = dialect.text.lstrip("\r\n").splitlines()
    if lines and not any(sign in lines[0] for sign in ",;\t|"):
        # A title stands above the names of the columns: they tell what separates the cells.
        below = next((line for line in lines[:20] if any(sign in line for sign in ",;\t|")), "")
        dialect = replace(dialect, delimiter=dialect_of(below.encode()).delimiter)
    reader = csv.reader(io.StringIO(dialect.text, newline=""), delimiter=dialect.delimiter)
    # An apostrophe before what a spreadsheet would run is no part of the text.
    cells = enumerate((tuple(map(unguarded, row)) for row in reader), start=1)
    rows = tuple((i, row) for i, row in cells if any(c.strip() for c in row))
    comma = dialect.delimiter != "," and any(dialect.number(c) != c for _, row in rows for c in row if "," in c)
    return [Grid(file, "", rows, comma or _has_commas(rows))]


def _shown(value: Any, number_format: str = "") -> str:
    """A cell's value as text, a share that is shown as a percentage as the percentage."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        if "%" in number_format and "General" not in number_format:
            return f"{100 * value:.12g}%"
        return _number(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _number(value: Any) -> str:
    """A number as text: whole ones without a point, the shortest text of any other."""
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def _workbook(data: bytes, file: str) -> list[Grid]:
    openpyxl = needs("openpyxl", file)
    archive = zipfile.ZipFile(io.BytesIO(data))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # styles and extensions that it does not know
        # Read-only: in no hurry about drawings, which R's openxlsx names and does not always write.
        book = openpyxl.load_workbook(io.BytesIO(data), data_only=True, read_only=True)
        found = [_sheet(sheet, archive, file) for sheet in book.worksheets]
    book.close()
    return found


def _sheet(sheet: Any, archive: zipfile.ZipFile, file: str) -> Grid:
    """One sheet of a workbook, with merged cells filled."""
    sheet.reset_dimensions()
    texts = [
        [
            cell.value if type(cell.value) is str else _shown(cell.value, cell.number_format if cell.value else "")
            for cell in row
        ]
        for row in sheet.iter_rows()
    ]
    width = max(map(len, texts), default=0)
    for line in texts:
        line += [""] * (width - len(line))
    merged = set()
    # The read-only reader leaves out which cells are merged.
    source = archive.read(sheet._worksheet_path.lstrip("/"))
    for low, high in _MERGED.findall(source):
        (top, left), (bottom, right) = _place(low.decode()), _place(high.decode())
        value = texts[top - 1][left] if top <= len(texts) and left < width else ""
        for r in range(top, min(bottom, len(texts)) + 1):
            for c in range(left, min(right, width - 1) + 1):
                if (r, c) != (top, left) and value:
                    texts[r - 1][c] = value
                    merged.add((r, c))
    rows = tuple((r, tuple(row)) for r, row in enumerate(texts, start=1) if any(c.strip() for c in row))
    empty = len(_FORMULA.findall(source))
    note = (
        f"{file}, sheet {sheet.title}: {empty} formulas have no stored value and are empty; open the file in a "
        "spreadsheet, save it, and import it again"
    )
    return Grid(file, sheet.title, rows, _has_commas(rows), frozenset(merged), note if empty else "")


#: A formula of a cell that has no value beside it.
_FORMULA = re.compile(rb"</f>\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s+ref="([A-Z]+[0-9]+):([A-Z]+[0-9]+)"')


def _place(reference: str) -> tuple[int, int]:
    """Row (from 1) and column (from 0) of a cell such as AB12."""
    letters = reference.rstrip("0123456789")
    column = 0
    for one in letters:
        column = 26 * column + ord(one) - ord("A") + 1
    return int(reference[len(letters) :]), column - 1


def _has_commas(rows: Iterable[tuple[int, tuple[str, ...]]]) -> bool:
    """Whether numbers stored as text have decimal commas: more of them than have points."""
    texts = [c.strip() for _, row in rows for c in row if ("," in c or "." in c) and len(c) < 20]
    commas = sum(1 for c in texts if re.fullmatch(r"[+-]?[0-9]+,[0-9]{1,2}", c))
    return commas > sum(1 for c in texts if re.fullmatch(r"[+-]?[0-9]*\.[0-9]+", c))


def _table(frame: pd.DataFrame, file: str, sheet: str = "") -> Grid:
    """A data frame as a sheet: its names are row 1."""
    columns = []
    for name in frame.columns:
        values = frame[name].astype(object).where(frame[name].notna(), None).tolist()
        columns.append([_shown(v.item() if hasattr(v, "item") else v) for v in values])
    body = zip(*columns, strict=True)
    rows = [(1, tuple(str(n) for n in frame.columns)), *((i, tuple(row)) for i, row in enumerate(body, start=2))]
    return Grid(file, sheet, tuple((i, row) for i, row in rows if any(row)))


def _stata(data: bytes, file: str) -> list[Grid]:
    return [_table(pd.read_stata(io.BytesIO(data)), file)]


def _spss(data: bytes, file: str) -> list[Grid]:
    pyreadstat = needs("pyreadstat", file)
    with tempfile.TemporaryDirectory() as folder:  # its reader wants a path
        place = Path(folder) / "table.sav"
        place.write_bytes(data)
        frame, _ = pyreadstat.read_sav(str(place), apply_value_formats=True)
    return [_table(frame, file)]


def _r(data: bytes, file: str) -> list[Grid]:
    rdata = needs("rdata", file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # classes without a Python counterpart come as plain values
        held = rdata.conversion.convert(rdata.parser.parse_data(data))
    if isinstance(held, pd.DataFrame):
        held = {"": held}
    frames = {str(k): v for k, v in held.items() if isinstance(v, pd.DataFrame)} if isinstance(held, dict) else {}
    if not frames:
        raise UnreadableError(f"{file}: the R file has no data frame")
    return [_table(frame, file, name) for name, frame in frames.items()]
