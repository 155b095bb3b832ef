"""Word documents, and the Summary of Findings as one."""

from __future__ import annotations

import io
import zipfile
from datetime import datetime

import pandas as pd
from docx import Document
from docx.document import Document as WordDocument
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.oxml import OxmlElement
from docx.shared import Mm, Pt

from reweigh.certainty.findings import PRINTED, about_findings, printed_cells
from reweigh.io import xml_text, zipped
from reweigh.protocol.model import Protocol

#: A4 and its margin in millimetres.
LONG, SHORT, EDGE = 297.0, 210.0, 16.0
#: Widths of the columns of the table in millimetres: no word of a head is broken.
_WIDTHS = (36, 29, 38, 20, 29, 33, 26, 54)


def new_document(title: str) -> WordDocument:
    """An empty document, portrait, with its title; nothing in it tells when or by whom it was made."""
    document = Document()
    about = document.core_properties
    # Word's properties hold 255 characters; the heading has all of them.
    about.title, about.author, about.comments, about.last_modified_by = xml_text(title)[:255], "", "", ""
    about.created = about.modified = datetime(1980, 1, 1)
    document.styles["Normal"].font.size = Pt(10)
    turn(document, landscape=False, first=True)
    document.add_heading(xml_text(title), 0)
    return document


def turn(document: WordDocument, *, landscape: bool, first: bool = False) -> None:
    """Go on in this orientation: on a new page, unless the last one has it already."""
    section = document.sections[-1]
    if not first and landscape == (section.orientation == WD_ORIENT.LANDSCAPE):
        return
    section = section if first else document.add_section(WD_SECTION.NEW_PAGE)
    section.orientation = WD_ORIENT.LANDSCAPE if landscape else WD_ORIENT.PORTRAIT
    section.page_width, section.page_height = (Mm(x) for x in ((LONG, SHORT) if landscape else (SHORT, LONG)))
    section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Mm(EDGE)


def write(document: WordDocument, text: str, style: str | None = None, *, size: float | None = None) -> None:
    """Add a paragraph."""
    run = document.add_paragraph(style=style).add_run(xml_text(text))
    run.font.size = Pt(size) if size else None


def add_findings(document: WordDocument, table: pd.DataFrame, protocol: Protocol) -> None:
    """Add what a reader must know, the table, and the reasons of each certainty below it; on landscape pages."""
    for line in about_findings(protocol)[1]:
        write(document, line, size=9)
    _, rows, notes = printed_cells(table)
    heads = [head for head, _ in PRINTED.values()][: len(_WIDTHS)]
    grid = document.add_table(rows=0, cols=len(_WIDTHS), style="Table Grid")
    grid.autofit = False
    for column, width in zip(grid.columns, _WIDTHS, strict=True):
        column.width = Mm(width)
    for at, row in enumerate([heads, *rows]):
        line = grid.add_row()
        # The head stands again on every page; no row is broken by one.
        for name in ("w:tblHeader", "w:cantSplit")[0 if at == 0 else 1 :]:
            line._tr.get_or_add_trPr().append(OxmlElement(name))
        for cell, width, text in zip(line.cells, _WIDTHS, row, strict=True):
            cell.width = Mm(width)
            run = cell.paragraphs[0].add_run(xml_text(text))
            run.font.size, run.font.bold = Pt(9), at == 0
    for note in notes:
        write(document, note, size=8)


def findings_docx(table: pd.DataFrame, protocol: Protocol) -> bytes:
    """The Summary of Findings as a Word document; the same table gives the same bytes."""
    document = new_document(about_findings(protocol)[0])
    turn(document, landscape=True, first=True)
    add_findings(document, table, protocol)
    return docx_bytes(document)


def docx_bytes(document: WordDocument) -> bytes:
    """A document as a file whose bytes do not say when it was written."""
    file = io.BytesIO()
    document.save(file)
    with zipfile.ZipFile(file) as made:
        return zipped({name: made.read(name) for name in made.namelist()})
