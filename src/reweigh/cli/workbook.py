"""`tables.xlsx`, an empty workbook of a review: a sheet per table, lists to choose from, a note on every column."""

from __future__ import annotations

import io
from datetime import datetime

from xlsxwriter import Workbook

from reweigh.schemas import schemas
from reweigh.tables.columns import Column, TableSpec
from reweigh.tables.specs import SPECS

ROWS = 2000  # below the header, for which the lists are laid out
_SHOWN = {"studies": "#dce6f1", "arms": "#e2efda", "contrasts": "#fff2cc", "risk_of_bias": "#fce4d6"}
_ABOUT = {
    "studies": "A row per trial. Further columns may follow: eligible (yes or no in every row) with exclusion_reason; "
    "any that the protocol names.",
    "arms": "A row per trial, arm, outcome and time point, as the paper prints it.",
    "contrasts": "A row per result between two arms, where only that is reported.",
    "risk_of_bias": "A row per trial and domain.",
}
#: A column that must be filled in every row where it stands is left to those who want it.
_LEFT_OUT = ("eligible", "exclusion_reason")
_SAID = {"error_title": "Not allowed here", "error_message": "Choose one of the list, or leave the cell empty."}


def empty_workbook() -> bytes:
    """The workbook; the same bytes each time."""
    content = io.BytesIO()
    book = Workbook(content, {"in_memory": True})
    book.set_properties({"created": datetime(2000, 1, 1), "author": "", "title": "Tables of a review"})
    for name, colour in _SHOWN.items():
        spec = SPECS[f"{name}.csv"]
        required = {column for group in spec.required for column in group[:1]}
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, 1)
        for at, column in enumerate(one for one in spec.columns if one.name not in _LEFT_OUT):
            look = {"bold": column.name in required, "bg_color": colour, "border": 1}
            sheet.write_string(0, at, column.name, book.add_format(look))
            sheet.write_comment(0, at, note(name, spec, column, column.name in required), {"x_scale": 2})
            sheet.set_column(at, at, max(8, len(column.name) + 2))
            if column.choices:
                sheet.data_validation(1, at, ROWS, at, {"validate": "list", "source": list(column.choices)} | _SAID)
    book.close()
    return content.getvalue()


def note(table: str, spec: TableSpec, column: Column, required: bool) -> str:
    """What a column holds, and what is allowed in it."""
    described = schemas()[f"checked/{table}.csv"].columns.get(column.name)
    meaning = described.meaning if described is not None and described.meaning != "as typed" else ""
    lines = [_ABOUT[table]] if column is spec.columns[0] else []
    lines += [f"{meaning[0].upper()}{meaning[1:]}.".replace("`", "")] if meaning else []
    lines += [f"Allowed: {column.allowed}."]
    return "\n".join([*lines, *(["Required."] if required else [])])
