"""An Excel workbook with a sheet per table: numbers as numbers, text as text that no spreadsheet runs."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from datetime import datetime

import pandas as pd
from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

from reweigh.io import is_formula

#: Most characters of the name of a sheet; widest column, in characters.
_NAME, _WIDEST = 31, 60
#: Characters that XML 1.0 has no place for.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def workbook(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """Bytes of an .xlsx file: a sheet per table with a fixed header row; the same tables give the same bytes.

    A text that a spreadsheet might run is written as text with Excel's quote prefix: it reads back unchanged.

    Raises
    ------
    ValueError
        If there is no table, or two names are the same to Excel (31 characters, whatever their case).
    """
    names = [re.sub(r"[\[\]:*?/\\]", " ", name)[:_NAME] for name in tables]
    if not names or len({name.lower() for name in names}) < len(names):
        raise ValueError(f"a workbook needs sheets of different names, not {names}")
    file = io.BytesIO()
    with Workbook(file, {"in_memory": True}) as book:
        book.set_properties({"created": datetime(1980, 1, 1)})
        formats = book.add_format({"bold": True}), book.add_format({"quote_prefix": True})
        for name, table in zip(names, tables.values(), strict=True):
            _fill(book.add_worksheet(name), table, *formats)
    return file.getvalue()


def _fill(sheet: Worksheet, table: pd.DataFrame, bold: object, quoted: object) -> None:
    sheet.freeze_panes(1, 0)
    for at, name in enumerate(table):
        sheet.write_string(0, at, str(name), bold)
        longest = len(str(name))
        for row, value in enumerate(table[name].tolist(), start=1):
            if value is None or value == "" or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
                continue
            if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
                text = f"{value:.12g}"
                sheet.write_number(row, at, float(text))
            else:
                text = _ILLEGAL.sub("", str(value))
                sheet.write_string(row, at, text, quoted if is_formula(text) else None)
            longest = max(longest, len(text))
        sheet.set_column(at, at, min(longest + 2, _WIDEST))
    if len(table.columns):
        sheet.autofilter(0, 0, len(table), len(table.columns) - 1)
