"""Flow counts from the CSV of the PRISMA 2020 flow-diagram tool (Haddaway 2022, doi 10.1002/cl2.1230)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from reweigh.exchange.grids import Grid
from reweigh.exchange.result import Cell, Imported
from reweigh.text.flow import BOXES

COLUMNS = ("box", "n", "reason")
HEADER = ("data", "node", "box", "description", "boxtext", "tooltips", "url", "n")
"""Columns of the tool's file."""
_NEEDED = {"data", "box", "n"}


def is_flow(names: Sequence[str]) -> bool:
    """Whether the names of columns are those of the tool's file."""
    return {n.strip().casefold() for n in names} >= _NEEDED and "boxtext" in {n.strip().casefold() for n in names}


def read_flow(grid: Grid) -> Imported:
    """flow.csv (box, n, reason) of one file of the tool.

    `box` is the tool's name of the count (column `data`: records_screened ...). A box with reasons ("Wrong design, 12;
    No data, 5") has a row per reason; what is not filled in ("xxx") and the boxes of titles are left out.
    """
    names = [n.strip().casefold() for n in grid.rows[0][1]]
    box, count = names.index("data"), names.index("n")
    rows: list[tuple[str, str, str]] = []
    cells: list[Cell] = []
    for row, given in grid.rows[1:]:
        line = (*given, *[""] * (len(names) - len(given)))
        name, text = line[box].strip(), line[count].strip()
        if not name or name == "NA" or not text or text == "NA" or name in ("identification", "screening", "included"):
            continue
        if name not in BOXES:
            cells.append(Cell(grid.file, row, grid.rows[0][1][box], name, "", "flow_box_unknown"))
            continue
        if re.fullmatch(r"[0-9]+(?:\.0)?", text):
            rows.append((name, text.removesuffix(".0"), ""))
            continue
        parts = []
        for part in filter(None, (p.strip() for p in text.split(";"))):
            found = re.fullmatch(r"(.*?)[\s,.:(=]*(?:n\s*=\s*)?([0-9]+)\)?", part, re.DOTALL)
            if found and found[1]:
                parts.append((name, found[2], found[1].strip(" ,.:(")))
            else:
                cells.append(Cell(grid.file, row, grid.rows[0][1][count], part, "", "flow_not_filled_in"))
        if parts:
            became = "; ".join(f"{reason}: {n}" for _, n, reason in parts)
            cells.append(Cell(grid.file, row, grid.rows[0][1][count], text, became, "flow_reason"))
        rows += parts
    frame = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    return Imported({"flow": frame}, {}, {}, tuple(cells), (f"{grid.file}: {len(rows)} counts of the flow diagram",))
