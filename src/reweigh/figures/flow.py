"""The PRISMA 2020 flow diagram (Page 2021, BMJ 372:n71), from the counts of flow.csv."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from reweigh.figures.canvas import MARGIN, canvas, put
from reweigh.figures.style import INK, MUTED, TEXT_SIZE, TITLE_SIZE, RecordFigure, clean, text_width, wrap
from reweigh.text.flow import BOXES, HEADS, IDENTIFIED, NAME, NOT_RECORDED, OTHER, REMOVED, STAGES, TITLE
from reweigh.text.numbers import whole

LINE, PAD, INDENT, GAP, STAGE = 1.35 * TEXT_SIZE, 4.0, 7.0, 9.0, 16.0
UNBROKEN = "\N{NO-BREAK SPACE}"
#: Widths of a column where the diagram has two of them, and where it has more: so that its text is at least 7 points
#: on a printed page.
WIDE, NARROW, PREVIOUS = 190.0, 87.0, 72.0
#: Columns from left to right, and in each by row what a box counts, after a head where several counts share one.
PREVIOUS_STUDIES, MAIN, SIDE, OTHER_MAIN, OTHER_SIDE = range(5)
GRID: Mapping[tuple[int, int], tuple[str, tuple[str, ...]]] = {
    (PREVIOUS_STUDIES, 0): ("", ("previous_studies", "previous_reports")),
    (MAIN, 0): (IDENTIFIED, ("database_results", "database_specific_results", "register_results",
                             "register_specific_results")),
    (SIDE, 0): (REMOVED, ("duplicates", "excluded_automatic", "excluded_other")),
    (OTHER_MAIN, 0): (IDENTIFIED, ("website_results", "organisation_results", "citations_results")),
    (MAIN, 1): ("", ("records_screened",)), (SIDE, 1): ("", ("records_excluded",)),
    (MAIN, 2): ("", ("dbr_sought_reports",)), (SIDE, 2): ("", ("dbr_notretrieved_reports",)),
    (OTHER_MAIN, 2): ("", ("other_sought_reports",)), (OTHER_SIDE, 2): ("", ("other_notretrieved_reports",)),
    (MAIN, 3): ("", ("dbr_assessed",)), (SIDE, 3): ("", ("dbr_excluded",)),
    (OTHER_MAIN, 3): ("", ("other_assessed",)), (OTHER_SIDE, 3): ("", ("other_excluded",)),
}  # fmt: skip
NEW, TOTAL = ("new_studies", "new_reports"), ("total_studies", "total_reports")
POOLED = ("total_studies_ma", "total_reports_ma")


@dataclass(slots=True)
class _Box:
    """A box: its lines, each with how far it is indented, and its place in points from the upper left corner."""

    lines: list[tuple[float, str]]
    left: float
    width: float
    top: float = 0.0

    @property
    def height(self) -> float:
        return LINE * len(self.lines) + 2 * PAD

    @property
    def middle(self) -> float:
        return self.top + self.height / 2


def flow_figures(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, RecordFigure]]:
    """The diagram under its name; nothing where there are no counts."""
    if rows:
        yield NAME, flow_figure(rows)


def flow_figure(rows: Sequence[Mapping[str, Any]]) -> RecordFigure:
    """The diagram.

    Previous studies and other methods are drawn where a count of theirs is above zero, the studies of a meta-analysis
    where they are recorded. A box of which no count is recorded says so; of those that share a box, the recorded ones
    are listed.

    Parameters
    ----------
    rows
        flow.csv: `box` (a name of `reweigh.text.flow.BOXES`), `n`, and `reason`, "" where a box has one count.
    """
    counts: dict[str, list[tuple[str, int]]] = {}
    for one in rows:
        counts.setdefault(str(one["box"]), []).append((clean(one.get("reason") or ""), int(one["n"])))
    said = dict(GRID)
    previous = any(n for name in GRID[PREVIOUS_STUDIES, 0][1] for _, n in counts.get(name, ()))
    others = (names for (column, _), (_, names) in GRID.items() if column in (OTHER_MAIN, OTHER_SIDE))
    other = any(n for names in others for name in names for _, n in counts.get(name, ()))
    # The tool writes 0 for totals that a review without a previous version does not have.
    said[MAIN, 4] = "", TOTAL if not previous and not any(name in counts for name in NEW) else NEW
    last = 4
    for names in ((TOTAL,) if previous else ()) + ((POOLED,) if any(name in counts for name in POOLED) else ()):
        last += 1
        said[MAIN, last] = "", names
    columns = [*([PREVIOUS_STUDIES] if previous else []), MAIN, SIDE, *([OTHER_MAIN, OTHER_SIDE] if other else [])]
    width = WIDE if not other else NARROW
    widths = {column: PREVIOUS if column == PREVIOUS_STUDIES else width for column in columns}
    lefts: dict[int, float] = {}
    x = MARGIN + STAGE + GAP
    for column in columns:
        lefts[column] = x
        x += widths[column] + GAP
    boxes = {
        place: _Box(
            _lines(head, names, counts, widths[place[0]], plain=not previous), lefts[place[0]], widths[place[0]]
        )
        for place, (head, names) in said.items()
        if place[0] in columns
    }
    heads: dict[int, list[str]] = {}
    for column in columns:
        first = said[column, 0][1][0] if (column, 0) in said else ""
        if first in HEADS:
            room = widths[column] + (0 if column == PREVIOUS_STUDIES else GAP + width)
            head = HEADS[first] if previous else HEADS[first].replace("new ", "")
            heads[column] = wrap(head, room, TEXT_SIZE, "bold")
    top = MARGIN + 2 * TITLE_SIZE
    y = top + LINE * max(map(len, heads.values())) + GAP / 2
    spans = []
    for row in range(last + 1):
        mine = [box for (_, at), box in boxes.items() if at == row]
        of_stage = {0: STAGES[0], 4: STAGES[2]}.get(row, "")
        tallest = max(text_width(of_stage, TEXT_SIZE, "bold") + 2 * PAD, *(box.height for box in mine))
        for box in mine:
            box.top = y + (tallest - box.height) / 2
        spans.append((y, y + tallest))
        y += tallest + GAP
    figure, axes = canvas(x - GAP + MARGIN, y - GAP + MARGIN, TITLE)
    for column, wrapped in heads.items():
        for at, text in enumerate(wrapped):
            put(axes, lefts[column], top + LINE * at, text, weight="bold")
    for stage, (begin, end) in zip(STAGES, ((0, 0), (1, 3), (4, last)), strict=True):
        low, high = spans[begin][0], spans[end][1]
        axes.add_patch(Rectangle((MARGIN, low), STAGE, high - low, fc="#ffffff", ec=MUTED, lw=0.8))
        put(axes, MARGIN + STAGE / 2, (low + high) / 2, stage, weight="bold", ha="center", color=MUTED, rotation=90)
    for box in boxes.values():
        axes.add_patch(Rectangle((box.left, box.top), box.width, box.height, fc="#ffffff", ec=INK, lw=0.8))
        for at, (indent, line) in enumerate(box.lines):
            put(axes, box.left + PAD + indent, box.top + PAD + LINE * (at + 0.5), line)
    for path in _paths(boxes):
        _arrow(axes, path)
    figure.description = " ".join(" ".join(line for _, line in box.lines) + "." for box in boxes.values())
    return figure


def _lines(
    head: str, names: Sequence[str], counts: Mapping[str, list[tuple[str, int]]], width: float, *, plain: bool
) -> list[tuple[float, str]]:
    """What stands in a box, wrapped; each line with how far it is indented."""
    there = [name for name in names if name in counts]
    entries: list[tuple[float, str]] = [(0, head)] if head else []
    if not there:
        entries.append((0, NOT_RECORDED if head else f"{_label(names[0], head, plain=plain)}: {NOT_RECORDED}"))
    for name in there:
        of = counts[name]
        if "_specific_" not in name:
            entries.append((0, f"{_label(name, head, plain=plain)} {_n(sum(n for _, n in of))}"))
        entries += [(INDENT, f"{reason} {_n(n)}") for reason, n in of if reason]
    lines = ((indent, line) for indent, text in entries for line in wrap(text, width - 2 * PAD - indent))
    return [(indent, line.replace(UNBROKEN, " ")) for indent, line in lines]


def _n(count: int) -> str:
    return f"(n{UNBROKEN}={UNBROKEN}{whole(count)})"


def _label(name: str, head: str, *, plain: bool) -> str:
    """What a box counts; what its head or its column says is not said again."""
    text = BOXES[name].removesuffix(OTHER).removeprefix(head.removesuffix(":") + " " if head == IDENTIFIED else "")
    if plain and name in (*NEW, *TOTAL, *POOLED):  # without a previous version, no study is new
        text = text.replace("New s", "S").replace("Total s", "S").replace("new ", "").replace("total ", "")
    return text[:1].upper() + text[1:]


def _paths(boxes: Mapping[tuple[int, int], _Box]) -> Iterator[tuple[tuple[float, float], ...]]:
    """Corners of every arrow."""
    for (column, row), box in boxes.items():
        if column in (SIDE, OTHER_SIDE):
            main = boxes[column - 1, row]
            yield (main.left + main.width, main.middle), (box.left, main.middle)
            continue
        below = [at for of, at in boxes if of == column and at > row]
        middle, foot = box.left + box.width / 2, box.top + box.height
        if column == PREVIOUS_STUDIES:
            total = boxes[MAIN, 5]
            yield (middle, foot), (middle, total.middle), (total.left, total.middle)
        elif below:
            yield (middle, foot), (middle, boxes[column, min(below)].top)
        elif column == OTHER_MAIN:
            included = boxes[MAIN, 4]
            yield (middle, foot), (middle, included.middle), (included.left + included.width, included.middle)


def _arrow(axes: Axes, path: Sequence[tuple[float, float]]) -> None:
    if len(path) > 2:
        axes.plot(*zip(*path[:-1], strict=True), color=INK, lw=0.8)
    axes.add_patch(FancyArrowPatch(path[-2], path[-1], arrowstyle="-|>", mutation_scale=7, shrinkA=0, shrinkB=0,
                                   color=INK, lw=0.8))  # fmt: skip
