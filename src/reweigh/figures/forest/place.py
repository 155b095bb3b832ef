"""Where the lines and columns of a forest plot go, from measured text."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reweigh.figures.axis import axis_limits
from reweigh.figures.forest.journals import Layout
from reweigh.figures.forest.table import (
    ARM_COLUMNS,
    ARMS,
    DATA_COLUMNS,
    GENERIC_COLUMNS,
    PETO_COLUMNS,
    ForestMeta,
    names_below,
)
from reweigh.figures.style import LEAST_SIZE, PAGE_WIDTH, SMALL_SIZE, TEXT_SIZE, TITLE_SIZE, text_width, wrap
from reweigh.io import records

#: Lengths in points.
ROW, MARGIN, GAP, WIDE_GAP, INDENT = 12.5, 4.0, 5.5, 9.0, 7.0
#: Widths in points of the panel (the widest, what it gets before labels are left on one line, the narrowest), of the
#: narrowest page, of the narrowest block left of the panel.
PANEL, ENOUGH, NARROW, NARROWEST, NARROWEST_LEFT = 200.0, 105.0, 77.0, 380.0, 110.0
#: Side of the cell of a light, widest header above the lights.
LIGHT, LIGHTS_HEADER = 12.0, 62.0
#: Room right of a panel that ends the page, for half the label of its last tick.
HALF_LABEL = 8.0
#: The most room beside the panel for what a side favours, where the null stands near the edge.
BESIDE = 40.0
#: Labels of lines are wrapped at the first of these widths that leaves the panel enough of a journal's page.
LABELS = (145.0, 125.0, 105.0, 85.0, 72.0)
#: Headers of columns (of one arm, of both, of the effect) are wrapped at these widths.
ARM_HEADER, ARMS_HEADER, EFFECT_HEADER = 62.0, 140.0, 100.0
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

SIDES = ("left", "right")

#: Lines below the axis, where they are not a subgroup's.
BAND = ("heterogeneity line", "test line", "footnote")

Line = dict[str, Any]
Span = tuple[float, float]


def weight_of(line: Line) -> str:
    """Font weight of a label."""
    return "bold" if line["kind"] in ("overall", "subgroup heading", "column header", "title") else "normal"


def before_bracket(text: str) -> str | None:
    """What stands before the bracket of `1.2 (0.3 to 4.5)`; None where there is no bracket."""
    place = min((at for at in map(text.find, "([") if at >= 0), default=None)
    return None if place is None or text[:1].isalpha() else text[:place]


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
    #: Where the brackets of the columns with intervals or standard deviations begin, from the left of their widest
    #: cell, and the width of that.
    brackets: dict[str, Span] = field(default_factory=dict)
    #: Left and right end of the columns below the same header, for each of them.
    groups: dict[str, Span] = field(default_factory=dict)
    #: Whether the arms have one header, which stands above their names.
    spanning: bool = False
    panel: Span = (0.0, 0.0)
    body: Span = (0.0, 0.0)
    #: What each side of the null favours, where it ends towards the other side, and whether it stands above the panel.
    favours: dict[str, list[str]] = field(default_factory=dict)
    favours_at: dict[str, float] = field(default_factory=dict)
    favours_above: bool = False
    #: Room left and right of the panel for what stands above it.
    beside: Span = (0.0, 0.0)
    axis_title: list[str] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    @property
    def to_title(self) -> float:
        """Rows from the axis to its title: below what the sides favour, where that is below the axis."""
        lines = 0 if self.favours_above else max(map(len, self.favours.values()), default=0)
        return TO_ARROWS + 0.1 + (TO_FAVOURS + lines * SMALL_SIZE * LINE_SPACING / ROW if lines else 0.0)

    @property
    def per_unit(self) -> float:
        """Points per unit of the analysis scale."""
        return (self.panel[1] - self.panel[0]) / (self.limits[1] - self.limits[0])

    @property
    def zero(self) -> float:
        """Place of the null in points."""
        return self.panel[0] - self.limits[0] * self.per_unit


def lay_out(table: pd.DataFrame, meta: ForestMeta, off: Set[str]) -> Page:
    """Place the lines of a table without the layers that are off. The axis does not depend on what is off."""
    layout = meta.layout
    lines: list[Line] = records(table)
    shown = [line for line in lines if off.isdisjoint(line["layer"].split("+"))]
    page = Page(shown, axis_limits(table, scale=meta.scale, null=meta.null))
    cells = [line for line in page.lines if line["kind"] not in PARAGRAPHS]
    for name in ["effect", *(name for name in ARM_COLUMNS if not layout.on_slash(name))]:
        _align(page, cells, name)
    widths = _widths(page, cells, off, len(meta.risk_of_bias.heads) if meta.risk_of_bias else 0)
    texts = {"left": layout.spell(meta.favours_left), "right": layout.spell(meta.favours_right)}
    texts = {} if "favours" in off else {side: text for side, text in texts.items() if text}
    if layout.favours_above:
        page.beside = _beside(page.limits, texts)
    for label in LABELS:
        x = _arms(page, cells, layout, off, label)
        for name in layout.left:
            if name in widths:
                x += WIDE_GAP if name == layout.left[0] else GAP
                page.columns[name] = (x, x + widths[name])
                x += widths[name]
        _panel(page, max(x, MARGIN + NARROWEST_LEFT), {name: widths[name] for name in layout.right if name in widths})
        if page.panel[1] - page.panel[0] >= ENOUGH:
            break
    dropped = {line["y"]: _advance(line, after) for line, after in zip(lines, lines[1:] + lines[-1:], strict=True)
               if not off.isdisjoint(line["layer"].split("+"))}  # fmt: skip
    _favours(page, texts, above=layout.favours_above)
    if layout.axis_title:
        header = {line["row_id"]: line["effect"] for line in cells}
        title = f"{header['header-top']} {header['header']}"
        page.axis_title = wrap(title, page.panel[1] - page.panel[0], SMALL_SIZE)
    _rows(page, dropped)
    return page


def _align(page: Page, cells: list[Line], name: str) -> None:
    """Let the brackets of a column, and with them its decimal points, stand below each other; no padding in brackets.

    What has no bracket ("Not estimable") hangs from the left.
    """
    rows = [line[name] for line in cells if line["kind"] != "column header"]
    heads = [text_width(head) for head in map(before_bracket, rows) if head is not None]
    if not heads:
        return
    at = max(heads)
    widest = max(text_width(text) + at - text_width(before_bracket(text) or "") for text in rows if text)
    page.brackets[name] = (at, widest)


def _beside(limits: Span, texts: Mapping[str, str]) -> Span:
    """Room that what each side favours needs beyond its side of the panel, on two lines."""
    shares = -limits[0] / (limits[1] - limits[0]), limits[1] / (limits[1] - limits[0])
    needed = []
    for side, share in zip(SIDES, shares, strict=True):
        words = texts.get(side, "").split(" ")
        splits = [(" ".join(words[:i]), " ".join(words[i:])) for i in range(1, len(words) + 1)]
        widest = min(max(text_width(part, SMALL_SIZE, "bold") for part in split) for split in splits)
        more = widest + 0.1 - (share * ENOUGH - GAP / 2) - (WIDE_GAP - GAP)
        needed.append(more if 0 < more <= BESIDE else 0.0)
    return needed[0], needed[1]


def _favours(page: Page, texts: Mapping[str, str], *, above: bool) -> None:
    """Place what each side favours: beside the null, or across it where a side is too narrow.

    It stands above the panel where it fits there, each on its side of the null and no word broken, else below.
    """
    page.favours_above, weight, gap = above, "bold" if above else "normal", GAP if above else 8.0
    left, right = MARGIN, page.width - MARGIN
    if above:  # other headers stand beside
        left, right = (page.panel[0] - page.beside[0] - WIDE_GAP + GAP, page.panel[1] + page.beside[1] + WIDE_GAP - GAP)
    room = {"left": page.zero - left - gap / 2, "right": right - page.zero - gap / 2}
    page.favours = {side: wrap(text, room[side], SMALL_SIZE, weight) for side, text in texts.items()}
    if any(len(lines) > (3 if above else 2) or " ".join(lines) != texts[side] for side, lines in page.favours.items()):
        for start in (left if above else page.panel[0], left):
            half = (right - start - gap) / 2
            page.favours = {side: wrap(text, half, SMALL_SIZE, weight) for side, text in texts.items()}
            if all(" ".join(lines) == texts[side] for side, lines in page.favours.items()):
                break
    wide = {side: max(text_width(text, SMALL_SIZE, weight) for text in page.favours.get(side, [""])) for side in SIDES}
    middle = min(max(page.zero, left + wide["left"] + gap / 2), right - wide["right"] - gap / 2)
    page.favours_at = {"left": middle - gap / 2, "right": middle + gap / 2}
    broken = any(" ".join(lines) != texts[side] for side, lines in page.favours.items())
    if above and (broken or abs(middle - page.zero) > gap / 2):
        _favours(page, texts, above=False)


def _advance(line: Line, after: Line) -> float:
    gap = float(after["y"] - line["y"])
    return gap if line["kind"] == "title" else min(1.0, gap)


def _arms(page: Page, cells: list[Line], layout: Layout, off: Set[str], widest: float) -> float:
    """The trials, their labels at most so wide, and the data of their arms; returns where they end.

    A label that is no trial's reaches over the columns of the arms that are empty beside it.
    """
    shown = [] if "arm_data" in off else [name for name in DATA_COLUMNS if any(line[name] for line in cells)]
    kinds = ("study", "not estimable", "column header", *(("overall",) if widest == LABELS[0] else ()))
    within = [line for line in cells if not shown or line["kind"] in kinds]
    x = MARGIN + max(_labelled(line, widest) for line in within)
    page.columns["label"] = (MARGIN, x)
    arms = [name for name in shown if name in ARM_COLUMNS]
    groups = [[name for name in arms if name.endswith(f"_{arm}")] for arm in ARMS]
    page.spanning = spanning = names_below(layout, arms)
    generic, peto = ([name for name in shown if name in of] for of in (GENERIC_COLUMNS, PETO_COLUMNS))
    for names in [generic, *([arms] if spanning else groups), peto]:
        if not names:
            continue
        x += WIDE_GAP
        # A header wider than its columns spreads over both sides of them.
        header = next(line[names[0]] for line in cells if line["row_id"] == "header-top")
        limit = ARMS_HEADER if spanning else ARM_HEADER
        head = max(text_width(text, TEXT_SIZE, "bold") for text in wrap(header, limit, TEXT_SIZE, "bold"))
        sides = {name: [max(side) for side in zip(*_sides(page, cells, name, layout), strict=True)] for name in names}
        if layout.on_slash(names[0]) and len(names) == 1:
            # Centred on the slash, as all that stands below it.
            sides[names[0]] = [max(side, head / 2) for side in sides[names[0]]]
        gap = WIDE_GAP if spanning else GAP
        spare = head - sum(map(sum, sides.values())) - gap * (len(names) - 1)
        x += max(0.0, spare / 2)
        start = x
        for i, name in enumerate(names):
            x += gap if i else 0
            page.columns[name] = (x, x + sum(sides[name]))
            if layout.on_slash(name):
                page.slashes[name] = x + sides[name][0]
            x += sum(sides[name])
        page.groups |= dict.fromkeys(names, (start, x))
        x += max(0.0, spare / 2)
    for line in [line for line in cells if shown and line["kind"] not in kinds]:
        _labelled(line, next((page.columns[name][0] - GAP for name in shown if line[name]), x) - MARGIN)
    return float(x)


def _labelled(line: Line, widest: float) -> float:
    """Break a label into lines; returns what the widest needs with its indent and marks."""
    marks, weight, indent = text_width(line["note_marks"], LEAST_SIZE), weight_of(line), line["indent"] * INDENT
    line["label_lines"] = wrap(line["label"], widest - indent - marks, TEXT_SIZE, weight)
    return marks + float(indent + 1.012 * max(text_width(text, TEXT_SIZE, weight) for text in line["label_lines"]))


def _sides(page: Page, cells: list[Line], name: str, layout: Layout) -> list[tuple[float, float]]:
    """What each cell of a column needs left and right of its slash, or left of its flush right edge."""
    sides = [(page.brackets[name][1], 0.0)] if name in page.brackets else []
    for line in cells:
        if line["row_id"] == "header-top":
            continue
        text, weight = line[name], weight_of(line)
        if line["row_id"] == "header":
            wide = max(text_width(one, TEXT_SIZE, weight) for one in wrap(text, ARM_HEADER, TEXT_SIZE, weight))
            if not layout.on_slash(name):
                sides.append((wide, 0.0))
            else:
                sides.append((wide / 2, wide / 2) if page.spanning else slash_sides(text, weight))
        else:
            sides.append(
                slash_sides(text, weight) if layout.on_slash(name) else (text_width(text, TEXT_SIZE, weight), 0.0)
            )
    return sides


def _widths(page: Page, cells: list[Line], off: Set[str], lights: int) -> dict[str, float]:
    """Widths of effect, weight and lights, of those that are drawn."""
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
    wide["effect"] = max(wide["effect"], page.brackets.get("effect", (0.0, 0.0))[1])
    if lights and "risk_of_bias" not in off:
        header = next(line["risk_of_bias"] for line in cells if line["row_id"] == "header-top")
        room = max(LIGHT * lights, LIGHTS_HEADER)
        lines = wrap(header, room, TEXT_SIZE, "bold")
        wide["risk_of_bias"] = max(LIGHT * lights, *(text_width(text, TEXT_SIZE, "bold") for text in lines))
    return wide


def _panel(page: Page, x: float, wide: Mapping[str, float]) -> None:
    """The panel and the columns right of it: what is left of a journal's page, within bounds.

    A page too narrow for its footnotes gives the slack to the panel.
    """
    right = (WIDE_GAP + sum(wide.values()) + GAP * (len(wide) - 1) if wide else HALF_LABEL) + MARGIN + page.beside[1]
    start = x + WIDE_GAP + page.beside[0]
    page.width = max(NARROWEST, start + min(max(PAGE_WIDTH - start - right, NARROW), PANEL) + right)
    page.panel = (start, page.width - right)
    x = page.panel[1] + page.beside[1] + WIDE_GAP
    for name in wide:
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
        line["wrapped"], line["sink"] = _wrapped(page, line, size), {}
        if _joins(page, row, line):
            # Short notes share a line.
            line["x"], step = row["x"] + _run(row) + WIDE_GAP, line["y"] + shift - row["y"]
            line["y"] = row["y"]
            shift, row = shift - step, line
            continue
        row = line
        line["y"] += shift
        extra = (max(map(len, line["wrapped"].values())) - 1) * size * LINE_SPACING / ROW
        if line["kind"] == "column header":
            # Headers stand on their last line, all others hang from their first.
            line["y"] += extra
        shift += extra
        end = line["y"] + (0.0 if line["kind"] == "column header" else extra)
        if line["row_id"] == "header":
            _sink(page, line, size)
            page.body = (end + TO_RULE, end + TO_RULE + 1.4)
        elif in_body and line["kind"] not in ("title", "column header"):
            page.body = (page.body[0], end + TO_AXIS)
    if in_body:
        below = page.favours and not page.favours_above
        end = page.body[1] + (TO_ARROWS + TO_FAVOURS + _axis_space(page) if below or page.axis_title else 1.0)
    page.height = 2 * MARGIN + (end + 0.85) * ROW


def _sink(page: Page, header: Line, size: float) -> None:
    """Let the upper headers of columns down to lower ones that have fewer lines than their neighbours."""
    lines = {name: len(texts) for name, texts in header["wrapped"].items()}
    top = next(line for line in page.lines if line["row_id"] == "header-top")
    for name in top["wrapped"]:
        together = [one for one in lines if name in page.groups and page.groups.get(one) == page.groups[name]]
        below = max(lines.get(one, 1) for one in together or [name])
        top["sink"][name] = (max(lines.values()) - below) * size * LINE_SPACING


def _run(line: Line) -> float:
    """Width of a note with its mark."""
    return text_width(line["note_marks"] + " ", SMALL_SIZE) + text_width(line["label"], SMALL_SIZE)


def _joins(page: Page, row: Line, line: Line) -> bool:
    """Whether a marked note fits behind the one before it."""
    notes = all(one.get("kind") == "footnote" and one["note_marks"] for one in (row, line))
    return bool(notes and row["x"] + _run(row) + WIDE_GAP + _run(line) <= page.width - MARGIN)


def _axis_space(page: Page) -> float:
    """Rows more (or fewer) than the table allows for the axis: no arrows, or wrapped words under them."""
    lines = 0 if page.favours_above else max(map(len, page.favours.values()), default=0)
    title = len(page.axis_title) * SMALL_SIZE * LINE_SPACING / ROW
    return title + ((lines - 1) * SMALL_SIZE * LINE_SPACING / ROW if lines else -TO_ARROWS)


def _wrapped(page: Page, line: Line, size: float) -> dict[str, list[str]]:
    """The lines of each text of a printed line, by column."""
    weight = weight_of(line)
    if line["kind"] in PARAGRAPHS:
        within = line["kind"] in BAND and line["indent"]
        right = page.panel[0] - WIDE_GAP if within else page.width - MARGIN
        hang = text_width(line["note_marks"] + " ", size) if line["note_marks"] else 0.0
        room = right - MARGIN - line["indent"] * INDENT - hang
        statistics = line["kind"] in ("heterogeneity line", "test line")
        # A long line is drawn a little wider than the sum of its measured words.
        return {"label": wrap(line["label"], 0.995 * room, size, weight, at_commas=statistics)}
    if line["kind"] != "column header":
        return {"label": line["label_lines"]}
    found = {"label": line["label_lines"]}
    found["panel"] = wrap(line["panel"], page.panel[1] - page.panel[0], size, weight)
    if line["row_id"] == "header" and page.favours_above:
        # What each side favours may reach up to the line above, which is free.
        found["panel"] = max(page.favours.values(), key=len, default=[""])[1:] or [""]
    for name, (a, b) in page.columns.items():
        if name in DATA_COLUMNS and line[name]:
            top = line["row_id"] == "header-top"
            a, b = page.groups[name] if top else (a, b)
            limit = ARMS_HEADER if top and page.spanning else ARM_HEADER
            found[name] = wrap(line[name], max(b - a, limit) + 0.1, size, weight)
        elif line[name] and name != "label":
            found[name] = wrap(line[name], b - a + 0.1, size, weight)
    return found
