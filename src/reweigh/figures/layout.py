"""Where the lines and columns of a forest plot go, from measured text."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reweigh.figures.axis import axis_limits
from reweigh.figures.forest_table import ARM_COLUMNS, ARMS, ForestMeta
from reweigh.figures.numerals import align_numbers
from reweigh.figures.style import SMALL_SIZE, TEXT_SIZE, TITLE_SIZE, text_width, wrap

#: Lengths in points.
ROW, MARGIN, GAP, WIDE_GAP, INDENT = 14.0, 12.0, 11.0, 20.0, 9.0
#: Widths in points of the panel, of the narrowest page, of the narrowest block left of the panel.
PANEL, NARROWEST, NARROWEST_LEFT = 210.0, 450.0, 165.0
#: Side of the cell of a light, widest header above the lights.
LIGHT, LIGHTS_HEADER = 13.5, 70.0
#: Headers of columns are wrapped at these widths.
ARM_HEADER, EFFECT_HEADER = 95.0, 165.0
LINE_SPACING = 1.3
#: Rows from the last mark to the axis, the axis to the arrows, the arrows to what they favour.
TO_AXIS, TO_ARROWS, TO_FAVOURS = 0.75, 1.62, 0.72
#: Rows from the header to its rule.
TO_RULE = 0.62

#: Lines of text that run over the columns, and their size.
PARAGRAPHS = {
    "title": TITLE_SIZE,
    "heterogeneity line": SMALL_SIZE,
    "test line": SMALL_SIZE,
    "footnote": SMALL_SIZE,
}

#: Lines below the axis, where they are not a subgroup's.
BAND = ("heterogeneity line", "test line", "footnote")

Line = dict[str, Any]
Span = tuple[float, float]


def weight_of(line: Line) -> str:
    """Font weight of a label."""
    return "bold" if line["kind"] in ("overall", "subgroup heading", "column header", "title") else "normal"


def slash_sides(text: str, weight: str = "normal") -> tuple[float, float]:
    """Widths before and after the middle of the slash; other text is centred on it."""
    head, slash, tail = text.partition("/")
    if not slash:
        return text_width(text, TEXT_SIZE, weight) / 2, text_width(text, TEXT_SIZE, weight) / 2
    half = text_width(slash, TEXT_SIZE, weight) / 2
    return text_width(head, TEXT_SIZE, weight) + half, half + text_width(tail, TEXT_SIZE, weight)


@dataclass(slots=True)
class Page:
    """Lines in units of ROW from the top, columns in points from the left; `body` is what the axis spans."""

    lines: list[Line]
    limits: Span
    columns: dict[str, Span] = field(default_factory=dict)
    #: Middle of the slash of the columns that have one.
    slashes: dict[str, float] = field(default_factory=dict)
    panel: Span = (0.0, 0.0)
    body: Span = (0.0, 0.0)
    favours: dict[str, list[str]] = field(default_factory=dict)
    width: float = 0.0
    height: float = 0.0

    @property
    def per_unit(self) -> float:
        """Points per unit of the analysis scale."""
        return (self.panel[1] - self.panel[0]) / (self.limits[1] - self.limits[0])

    @property
    def zero(self) -> float:
        """Place of the null in points."""
        return self.panel[0] - self.limits[0] * self.per_unit

    def group(self, arm: str) -> Span:
        """Left and right end of the columns of an arm."""
        spans = [span for name, span in self.columns.items() if name.endswith(f"_{arm}")]
        return min(a for a, _ in spans), max(b for _, b in spans)


def lay_out(table: pd.DataFrame, meta: ForestMeta, off: Set[str]) -> Page:
    """Place the lines of a table without the layers that are off. The axis does not depend on what is off."""
    lines: list[Line] = table.to_dict("records")  # type: ignore[assignment]
    page = Page([line for line in lines if line["layer"] not in off], axis_limits(table, log=meta.scale == "log"))
    cells = [line for line in page.lines if line["kind"] not in PARAGRAPHS]
    x = _arms(page, cells, off)
    _right_of_panel(page, cells, x, off, len(meta.risk_of_bias.heads) if meta.risk_of_bias else 0)
    dropped = {line["y"]: _advance(line, after) for line, after in zip(lines, lines[1:] + lines[-1:], strict=True)
               if line["layer"] in off}  # fmt: skip
    if "favours" not in off:
        room = {"left": page.zero - 4 - MARGIN, "right": page.width - MARGIN - page.zero - 4}
        texts = {"left": meta.favours_left, "right": meta.favours_right}
        page.favours = {side: wrap(text, room[side], SMALL_SIZE) for side, text in texts.items() if text}
    _rows(page, dropped)
    return page


def _advance(line: Line, after: Line) -> float:
    gap = float(after["y"] - line["y"])
    return gap if line["kind"] == "title" else min(1.0, gap)


def _arms(page: Page, cells: list[Line], off: Set[str]) -> float:
    """Columns left of the panel; returns where they end."""
    labels = [
        line["indent"] * INDENT
        + 1.012 * text_width(line["label"], TEXT_SIZE, weight_of(line))
        + text_width(line["note_marks"], TEXT_SIZE * 0.7)
        for line in cells
    ]
    x = MARGIN + max(labels)
    page.columns["label"] = (MARGIN, x)
    shown = [] if "arm_data" in off else [name for name in ARM_COLUMNS if any(line[name] for line in cells)]
    for arm in ARMS:
        names = [name for name in shown if name.endswith(f"_{arm}")]
        if not names:
            continue
        x += WIDE_GAP
        # A header wider than its columns spreads over both sides of them.
        header = next(line[names[0]] for line in cells if line["row_id"] == "header-top")
        widest = max(text_width(text, TEXT_SIZE, "bold") for text in wrap(header, ARM_HEADER, TEXT_SIZE, "bold"))
        sides = {name: [max(side) for side in zip(*_sides(cells, name), strict=True)] for name in names}
        if names[0].startswith("events"):
            # Centred on the slash, as all that stands below it.
            sides[names[0]] = [max(side, widest / 2) for side in sides[names[0]]]
        spare = widest - sum(map(sum, sides.values())) - GAP * (len(names) - 1)
        x += max(0.0, spare / 2)
        for i, name in enumerate(names):
            x += GAP if i else 0
            page.columns[name] = (x, x + sum(sides[name]))
            if name.startswith("events"):
                page.slashes[name] = x + sides[name][0]
            x += sum(sides[name])
        x += max(0.0, spare / 2)
    return float(max(x, MARGIN + NARROWEST_LEFT))


def _sides(cells: list[Line], name: str) -> list[tuple[float, float]]:
    """What each cell of a column needs left and right of its slash, or left of its flush right edge."""
    texts = [(line[name], weight_of(line)) for line in cells if line["row_id"] != "header-top"]
    if name.startswith("events"):
        return [slash_sides(*cell) for cell in texts]
    return [(text_width(text, TEXT_SIZE, weight), 0.0) for text, weight in texts]


def _right_of_panel(page: Page, cells: list[Line], x: float, off: Set[str], lights: int) -> None:
    """The panel, then effect, weight and lights; a page too narrow for its footnotes gives the slack to the panel."""
    marked = [line for line in cells if line["marker"]]
    texts = align_numbers([line["effect"] for line in marked], text_width)
    for line, text in zip(marked, texts, strict=True):
        line["effect"] = text
    names = ["effect"]
    if "weights" not in off and any(line["weight_text"] for line in cells):
        names.append("weight_text")
    wide = {
        name: max(
            max(text_width(text, TEXT_SIZE, weight) for text in wrap(line[name], limit, TEXT_SIZE, weight))
            for line in cells
            for weight in ["bold" if line["kind"] == "column header" else "normal"]
            for limit in [EFFECT_HEADER if line["kind"] == "column header" else float("inf")]
        )
        for name in names
    }
    if lights and "risk_of_bias" not in off:
        header = next(line["risk_of_bias"] for line in cells if line["row_id"] == "header-top")
        room = max(LIGHT * lights, LIGHTS_HEADER)
        lines = wrap(header, room, TEXT_SIZE, "bold")
        wide["risk_of_bias"] = max(LIGHT * lights, *(text_width(text, TEXT_SIZE, "bold") for text in lines))
        names.append("risk_of_bias")
    right = WIDE_GAP + sum(wide.values()) + GAP * (len(names) - 1) + MARGIN
    start = x + WIDE_GAP
    page.width = max(NARROWEST, start + PANEL + right)
    page.panel = (start, page.width - right)
    x = page.panel[1] + WIDE_GAP
    for name in names:
        page.columns[name] = (x, x + wide[name])
        x += wide[name] + GAP


def _rows(page: Page, dropped: Mapping[float, float]) -> None:
    """Close the gaps of dropped lines, make room for wrapped ones, find the axis and the height of the page."""
    shift, end, gone, in_body = 0.0, 0.0, sorted(dropped.items()), True
    row: Line = {}
    for line in page.lines:
        while gone and gone[0][0] < line["y"]:
            shift -= gone.pop(0)[1]
        if in_body and line["kind"] in BAND and not line["indent"]:
            in_body = False
            shift += _axis_space(page)
        line["x"] = MARGIN + line["indent"] * INDENT
        size = PARAGRAPHS.get(line["kind"], TEXT_SIZE)
        line["wrapped"] = _wrapped(page, line, size)
        if _joins(page, row, line):
            # Short notes share a line.
            line["x"], step = row["x"] + _run(row) + WIDE_GAP, line["y"] + shift - row["y"]
            line["y"] = row["y"]
            shift, row = shift - step, line
            continue
        row = line
        line["y"] += shift
        extra = (max(map(len, line["wrapped"].values())) - 1) * size * LINE_SPACING / ROW
        if line["row_id"] == "header-top":
            # Headers stand on their last line, all others hang from their first.
            line["y"] += extra
        shift += extra
        end = line["y"] + (0.0 if line["row_id"] == "header-top" else extra)
        if line["row_id"] == "header":
            page.body = (end + TO_RULE, end + TO_RULE + 1.4)
        elif in_body and line["kind"] not in ("title", "column header"):
            page.body = (page.body[0], end + TO_AXIS)
    if in_body:
        end = page.body[1] + (TO_ARROWS + TO_FAVOURS + _axis_space(page) if page.favours else 1.0)
    page.height = 2 * MARGIN + (end + 0.85) * ROW


def _run(line: Line) -> float:
    """Width of a note with its mark."""
    return text_width(line["note_marks"] + " ", SMALL_SIZE) + text_width(line["label"], SMALL_SIZE)


def _joins(page: Page, row: Line, line: Line) -> bool:
    """Whether a marked note fits behind the one before it."""
    notes = all(one.get("kind") == "footnote" and one["note_marks"] for one in (row, line))
    return bool(notes and row["x"] + _run(row) + WIDE_GAP + _run(line) <= page.width - MARGIN)


def _axis_space(page: Page) -> float:
    """Rows more (or fewer) than the table allows for the axis: no arrows, or wrapped words under them."""
    if not page.favours:
        return -TO_ARROWS
    return (max(map(len, page.favours.values())) - 1) * SMALL_SIZE * LINE_SPACING / ROW


def _wrapped(page: Page, line: Line, size: float) -> dict[str, list[str]]:
    """The lines of each text of a printed line, by column."""
    weight = weight_of(line)
    if line["kind"] in PARAGRAPHS:
        within = line["kind"] == "heterogeneity line" and line["indent"]
        right = page.panel[0] - WIDE_GAP if within else page.width - MARGIN
        hang = text_width(line["note_marks"] + " ", size) if line["note_marks"] else 0.0
        room = right - MARGIN - line["indent"] * INDENT - hang
        statistics = line["kind"] in ("heterogeneity line", "test line")
        return {"label": wrap(line["label"], room, size, weight, at_commas=statistics)}
    if line["row_id"] != "header-top":
        return {"label": [line["label"]]}
    found = {"label": [""]}
    for name, (a, b) in page.columns.items():
        if name in ARM_COLUMNS and line[name]:
            a, b = page.group(name.partition("_")[2])
            found[name] = wrap(line[name], max(b - a, ARM_HEADER) + 0.1, size, weight)
        elif line[name]:
            found[name] = wrap(line[name], b - a + 0.1, size, weight)
    return found
