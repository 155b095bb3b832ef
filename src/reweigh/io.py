"""Reading and writing the pipeline's own tables by their schemas; bytes never vary.

Numbers keep 12 digits, text stays text; a text that a spreadsheet would run stands in the file behind an apostrophe.
"""

from __future__ import annotations

import io
import re
import warnings
import zipfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import pandas as pd

from reweigh.dialect import dialect_of
from reweigh.schemas import Schema, schema_of
from reweigh.workbooks import books_of, table_of

#: A text that a spreadsheet takes for a formula, unless it is a plain number. Apostrophes before it count with it, so
#: that the one which is written can be taken away again.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n].", re.S)
_STARTS = frozenset("'=+-@\t\r\n")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|-inf")

#: Characters that XML 1.0 has no place for.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def xml_text(text: object) -> str:
    """A text without what the files of Excel and Word cannot hold."""
    return _NOT_XML.sub("", str(text))


def is_formula(text: object) -> bool:
    """Whether a spreadsheet might run a cell of this text."""
    return (
        isinstance(text, str)
        and text[:1] in _STARTS
        and _FORMULA.match(text) is not None
        and not _NUMBER.fullmatch(text)
    )


def guarded(text: object) -> object:
    """A cell as it is written: an apostrophe before what a spreadsheet might run."""
    return f"'{text}" if is_formula(text) else text


@lru_cache(maxsize=65_536)
def unguarded(text: str) -> str:
    """A cell as it was before it was written."""
    return text[1:] if text.startswith("'") and is_formula(text[1:]) else text


def frame(path: str, rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """Rows as the table of this name, with all of its columns."""
    given = dict.fromkeys(name for row in rows for name in row)
    columns = schema_of(path).columns
    return pd.DataFrame(rows, columns=[*columns, *(name for name in given if name not in columns)])


def csv_text(table: pd.DataFrame, path: str | Path) -> str:
    """A table as text: LF, missing as empty, 12 significant digits; in the order of its schema.

    Raises
    ------
    ValueError
        If a column is missing or unknown, or a cell is not of its kind: that is a mistake of ours, not of the data.
    """
    schema = schema_of(path)
    own = [name for name in map(str, table) if name not in schema.columns]
    needed = list(schema.columns)
    absent = [name for name in needed if name not in table]
    if absent or (own and schema.own_at is None):
        raise ValueError(f"{Path(path).name}: columns missing: {absent}; columns that it does not have: {own}")
    at = len(needed) if schema.own_at is None else schema.own_at
    table = table[[*needed[:at], *own, *needed[at:]]]
    if wrong := [name for name in needed if not _fits(table[name], schema.columns[name].kind)]:
        raise ValueError(f"{Path(path).name}: cells that are not of their column's kind: {wrong}")
    texts = {name: table[name].map(guarded) for name in map(str, table) if not _numeric(schema, name)}
    return table.assign(**texts).rename(columns=guarded).to_csv(index=False, lineterminator="\n", float_format="%.12g")


def _numeric(schema: Schema, name: object, numbers: Collection[str] = ()) -> bool:
    return schema.columns[name].numeric if name in schema.columns else name in numbers


def _fits(cells: pd.Series, kind: str) -> bool:
    """Whether all cells of a column are of its kind."""
    if kind == "yes/no":
        return set(cells.dropna()) <= {"yes", "no", ""}
    if kind not in ("integer", "number") or (kind == "number" and cells.dtype.kind in "fiu"):
        return True
    numbers = pd.to_numeric(cells.replace("", None), errors="coerce")
    return bool(numbers.notna().eq(cells.notna() & cells.ne("")).all()) and (
        kind == "number" or bool((numbers.dropna() % 1 == 0).all())
    )


def records(table: pd.DataFrame) -> list[dict[Any, Any]]:
    """Rows as plain dictionaries; several times as fast as `to_dict`, which goes through each column."""
    names = list(table)
    return [dict(zip(names, row, strict=True)) for row in table.to_numpy(dtype=object).tolist()]


def write_csv(table: pd.DataFrame, path: str | Path) -> None:
    """Write the table that the path names, in UTF-8; see `csv_text`."""
    text = csv_text(table, path)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8", newline="")


def read_csv(path: str | Path | IO[str], numbers: Collection[str] = (), name: str = "") -> pd.DataFrame:
    """Read the table that the path names, as `write_csv` wrote it: numbers as such, all else as text ("" where empty).

    Parameters
    ----------
    path
        Its path; the name says which table of `reweigh.schemas` it is.
    numbers
        Those of a user's own columns that hold numbers, as the protocol says (`Protocol.number_columns`).
    name
        Which table it is, where the path does not say so.
    """
    schema = schema_of(name or path)
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8").rename(columns=unguarded)
    for column in map(str, table):
        if _numeric(schema, column, numbers):
            cells = pd.to_numeric(table[column].where(table[column] != ""))
            table[column] = cells if cells.dtype == "int64" else cells.astype(float)
        else:
            table[column] = table[column].map(unguarded)
    return table


def read_text(content: bytes | str | Path) -> pd.DataFrame:
    """A table that a person typed, as text: no byte-order mark, no blank rows, no spaces around cells.

    `content` is the table itself as bytes, or its path; numbers with decimal commas get points (`reweigh.dialect`).
    Raises ValueError where it is no table.
    """
    dialect = dialect_of(content if isinstance(content, bytes) else Path(content).read_bytes())
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header would lose their end
        try:
            table = pd.read_csv(
                io.StringIO(dialect.text), sep=dialect.delimiter, dtype=str, keep_default_na=False, index_col=False
            )
        except pd.errors.ParserWarning:
            raise ValueError("a row has more cells than the header") from None
    table = pd.DataFrame({name: table[name].str.strip().map(dialect.number) for name in table})
    return table.loc[(table != "").any(axis=1)].reset_index(drop=True)


def read_texts(paths: Iterable[str], name: str) -> pd.DataFrame | None:
    """The table of this file name among the paths, or in a workbook of them, as text; None where there is none."""
    given = {Path(path).name: Path(path) for path in paths}
    if name in given:
        return read_text(given[name])
    books = {book: given[book].read_bytes() for book in books_of([name]) if book in given}
    content = table_of(books, name) if books else None
    return None if content is None else read_text(content)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A ZIP archive of these files in their order; the same files give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            item = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            item.compress_type = zipfile.ZIP_DEFLATED
            item.create_system, item.external_attr = 3, 0o644 << 16  # as on Unix, wherever it is made
            archive.writestr(item, content)
    return file.getvalue()
