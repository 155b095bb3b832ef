"""An Excel workbook with a sheet per table: Office Open XML (ECMA-376), written by hand because it is small."""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

import pandas as pd

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_RELS = "application/vnd.openxmlformats-package.relationships+xml"
#: Style 0 is plain, style 1 bold.
_STYLES = (
    '<fonts count="2"><font/><font><b/></font></fonts><fills count="1"><fill/></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs>'
    '<cellXfs count="2"><xf/><xf fontId="1" applyFont="1"/></cellXfs>'
)
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
#: Most characters of a cell and of the name of a sheet.
_CELL, _NAME = 32_767, 31


def workbook(tables: Mapping[str, pd.DataFrame]) -> bytes:
    """Bytes of an .xlsx file: a sheet per table with a fixed header row; the same tables give the same bytes.

    Raises
    ------
    ValueError
        If there is no table, or two names are the same to Excel (31 characters, whatever their case).
    """
    names = [re.sub(r"[\[\]:*?/\\]", " ", name)[:_NAME] for name in tables]
    if not names or len({name.lower() for name in names}) < len(names):
        raise ValueError(f"a workbook needs sheets of different names, not {names}")
    numbered = list(enumerate(names, start=1))
    sheets = "".join(f'<sheet name={quoteattr(name)} sheetId="{i}" r:id="rId{i}"/>' for i, name in numbered)
    types = "".join(_part(f"worksheets/sheet{i}", "worksheet") for i, _ in numbered)
    links = "".join(_link(i, f"{_RELATIONS}/worksheet", f"worksheets/sheet{i}.xml") for i, _ in numbered)
    links += _link(len(names) + 1, f"{_RELATIONS}/styles", "styles.xml")
    defaults = (
        f'<Default Extension="rels" ContentType="{_RELS}"/><Default Extension="xml" ContentType="application/xml"/>'
    )
    types = f"{defaults}{_part('workbook', 'sheet.main')}{_part('styles', 'styles')}{types}"
    root = _link(1, f"{_RELATIONS}/officeDocument", "xl/workbook.xml")
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{root}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><sheets>{sheets}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">{links}</Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}">{_STYLES}</styleSheet>',
    }
    parts |= {f"xl/worksheets/sheet{i}.xml": _sheet(table) for i, table in enumerate(tables.values(), start=1)}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in parts.items():
            entry = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o644 << 16, 3
            archive.writestr(entry, (_HEAD + text).encode("utf-8"))
    return file.getvalue()


def _part(path: str, kind: str) -> str:
    return f'<Override PartName="/xl/{path}.xml" ContentType="{_SHEET}.{kind}+xml"/>'


def _link(number: int, kind: str, target: str) -> str:
    return f'<Relationship Id="rId{number}" Type="{kind}" Target="{target}"/>'


def _sheet(table: pd.DataFrame) -> str:
    pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    views = f'<sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
    return f'<worksheet xmlns="{_MAIN}">{views}<sheetData>{"".join(_rows(table))}</sheetData></worksheet>'


def _rows(table: pd.DataFrame) -> Iterator[str]:
    yield "<row>" + "".join(_text(str(name), ' s="1"') for name in table) + "</row>"
    for row in table.itertuples(index=False, name=None):
        yield "<row>" + "".join(_cell(value) for value in row) + "</row>"


def _cell(value: object) -> str:
    if value is None or value is pd.NA or value == "" or (isinstance(value, float) and math.isnan(value)):
        return "<c/>"
    if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
        return f"<c><v>{value:.12g}</v></c>"
    return _text(str(value))


def _text(value: str, style: str = "") -> str:
    said = escape(_ILLEGAL.sub("", value)[:_CELL])
    return f'<c{style} t="inlineStr"><is><t xml:space="preserve">{said}</t></is></c>'
