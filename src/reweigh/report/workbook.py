"""A review as an Excel workbook: a cover, the Summary of Findings, a sheet per table, and what every column holds."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from reweigh.certainty.findings import PRINTED, about_findings
from reweigh.io import is_formula, records, xml_text
from reweigh.report.inputs import Inputs
from reweigh.schemas import Column, Schema, schema_of

COVER, FINDINGS, COLUMNS = "cover", "summary_of_findings", "columns"
#: Most characters of the name of a sheet; widest column, in characters.
_NAME, _WIDEST = 31, 60
#: Widths of the columns of the cover, in characters.
_COVER = (44, 100, 8)
#: Sheets whose table has another name as a file.
_FILES = {"sweep": "crossover_sweep", "pooled_sweep": "crossover_sweep_pooled", "figures": "figures/index"}
#: Number format by unit. A number that three decimals would print as zero is printed as Excel likes, in full.
_DECIMALS = "[>=0.0005]0.000;[<=-0.0005]-0.000;General"
_FORMATS = {
    **dict.fromkeys(("percent", "percentage points"), "0.0"),
    **dict.fromkeys(("analysis scale", "analysis scale squared", "natural scale", "probability", "Z", ""), _DECIMALS),
}


def workbook(inputs: Inputs) -> bytes:
    """Bytes of an .xlsx file; the same inputs give the same bytes.

    Each table begins in the first cell of its sheet, with a header row that stays in sight and filters. A text that a
    spreadsheet might run is written as text with Excel's quote prefix: it reads back unchanged.
    """
    tables = {name[:_NAME]: table for name, table in inputs.tables.items() if name != FINDINGS}
    schemas = {name: _schema(name) for name in tables}
    file = io.BytesIO()
    with Workbook(file, {"in_memory": True}) as book:
        book.set_properties({"title": xml_text(inputs.title), "created": datetime(1980, 1, 1)})
        looks = _Looks(book)
        sheets = {name: book.add_worksheet(name) for name in (COVER, FINDINGS, *tables, COLUMNS)}
        listed = {FINDINGS: inputs.summary_of_findings, **tables}
        _cover(sheets[COVER], inputs, {name: (_schema(name), table) for name, table in listed.items()}, looks)
        _findings(sheets[FINDINGS], inputs.summary_of_findings, looks)
        for name, table in tables.items():
            known = schemas[name]
            _fill(sheets[name], table, looks, known.columns if known else {})
        _fill(sheets[COLUMNS], _columns(schemas, tables), looks)
    return file.getvalue()


class _Looks:
    """The formats of a workbook's cells, each made once."""

    def __init__(self, book: Workbook) -> None:
        self._book = book
        self._made: dict[tuple[tuple[str, object], ...], Any] = {}

    def of(self, **properties: object) -> Any:
        """A format of XlsxWriter."""
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._book.add_format(properties)
        return self._made[key]

    def head(self, **more: object) -> Any:
        """The look of a header."""
        return self.of(bold=True, bg_color="#eef2f6", bottom=1, valign="top", **more)


def _number_format(column: Column | None) -> str:
    """The number format of a column by its kind and unit; empty: as Excel likes."""
    if column is None or not column.numeric:
        return ""
    return "0" if column.kind == "integer" else _FORMATS.get(column.unit, "")


def _schema(name: str) -> Schema | None:
    """What stands in a sheet; None where its table is as somebody typed it."""
    try:
        return schema_of(f"{_FILES.get(name, name.replace('figures_', 'figures/'))}.csv")
    except KeyError:
        return None


def _cover(
    sheet: Worksheet, inputs: Inputs, tables: Mapping[str, tuple[Schema | None, pd.DataFrame]], looks: _Looks
) -> None:
    """The title, what the Summary of Findings rests on, a link to each sheet, and what the review was made from."""
    _page(sheet)
    sheet.hide_gridlines(2)
    for at, width in enumerate(_COVER):
        sheet.set_column(at, at, width)
    _text(sheet, 0, 0, inputs.title, looks, bold=True, font_size=16)
    sheet.set_row(0, 24)
    at = 2
    for note in about_findings(inputs.protocol)[1]:
        sheet.merge_range(at, 0, at, 2, "")
        _text(sheet, at, 0, note, looks, text_wrap=True, valign="top")
        sheet.set_row(at, _height(note, sum(_COVER)))
        at += 1
    for column, head in enumerate(("Sheet", "What a row is", "Rows")):
        sheet.write_string(at + 1, column, head, looks.head())
    at += 2
    said: dict[str, tuple[str, int | None]] = {
        name: (_plain(known.what) if known else "As typed.", len(table)) for name, (known, table) in tables.items()
    }
    said[COLUMNS] = "One column of these sheets: what it holds, and its unit.", None
    for name, (what, rows) in said.items():
        look = looks.of(font_color="#1f4e79", underline=1, valign="top")
        sheet.write_url(at, 0, f"internal:'{name}'!A1", look, name)
        _text(sheet, at, 1, what, looks, text_wrap=True, valign="top")
        sheet.set_row(at, _height(what, _COVER[1]))
        if rows is not None:
            sheet.write_number(at, 2, rows, looks.of(valign="top"))
        at += 1
    made_with = {name: inputs.versions[name] for name in ("reweigh", "Python") if name in inputs.versions}
    for name, value in (made_with | {path: f"SHA-256 {digest}" for path, digest in inputs.hashes.items()}).items():
        at += 1
        _text(sheet, at, 0, name, looks)
        _text(sheet, at, 1, value, looks)


def _findings(sheet: Worksheet, table: pd.DataFrame, looks: _Looks) -> None:
    """The table as it is printed."""
    _page(sheet)
    sheet.repeat_rows(0)
    sheet.freeze_panes(1, 1)
    sheet.set_row(0, 30)
    for at, (name, (head, width)) in enumerate(PRINTED.items()):
        sheet.set_column(at, at, width)
        sheet.write_string(0, at, head, looks.head(text_wrap=True))
        for row, value in enumerate(table[name].tolist() if name in table else (), start=1):
            _cell(sheet, row, at, value, looks, number="0", text_wrap=True, align="left", valign="top")
    for row, values in enumerate(records(table), start=1):
        sheet.set_row(row, max(_height(str(values[name]), width) for name, (_, width) in PRINTED.items()))
    sheet.autofilter(0, 0, len(table), len(PRINTED) - 1)


def _page(sheet: Worksheet) -> None:
    """Print on A4, landscape, all columns on one page."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)


def _height(text: str, width: float) -> float:
    """Height in points of a row that shows all of a text in a column of this many characters."""
    # Not every reader works it out; nine tenths, for lines break at spaces.
    return 15.0 * max(1, math.ceil(len(text) / (0.9 * width)))


def _columns(schemas: Mapping[str, Schema | None], tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per column of each sheet that is described."""
    rows = [
        (name, column, said.kind, said.unit, _plain(said.meaning))
        for name, known in schemas.items()
        if known
        for column, said in known.columns.items()
        if column in tables[name]
    ]
    return pd.DataFrame(rows, columns=["sheet", "column", "kind", "unit", "meaning"])


def _plain(text: str) -> str:
    return text.replace("`", "")


def _fill(sheet: Worksheet, table: pd.DataFrame, looks: _Looks, columns: Mapping[str, Column] | None = None) -> None:
    sheet.freeze_panes(1, 0)
    for at, name in enumerate(table):
        sheet.write_string(0, at, str(name), looks.head())
        number, longest = _number_format((columns or {}).get(str(name))), len(str(name)) + 2
        for row, value in enumerate(table[name].tolist(), start=1):
            longest = max(longest, _cell(sheet, row, at, value, looks, number=number))
        sheet.set_column(at, at, min(longest + 2, _WIDEST))
    if len(table.columns):
        sheet.autofilter(0, 0, len(table), len(table.columns) - 1)


def _cell(sheet: Worksheet, row: int, column: int, value: Any, looks: _Looks, number: str, **look: object) -> int:
    """Write a cell of a table: a number as a number, nothing where it is missing; how many characters it has."""
    if value is None or value == "" or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return 0
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return _text(sheet, row, column, str(value), looks, **look)
    text = f"{value:.12g}"
    more = {**look, "num_format": number} if number else look
    sheet.write_number(row, column, float(text), looks.of(**more) if more else None)
    return min(len(text), 10)


def _text(sheet: Worksheet, row: int, column: int, text: str, looks: _Looks, **look: object) -> int:
    """Write a text as text; how many characters it has."""
    text = xml_text(text)
    if is_formula(text):
        look["quote_prefix"] = True
    sheet.write_string(row, column, text, looks.of(**look) if look else None)
    return len(text)
