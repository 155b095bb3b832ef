"""Draw a forest plot from its table."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, ScaledTranslation, Transform, blended_transform_factory

from reweigh.figures import style
from reweigh.figures.axis import axis_limits, round_ticks
from reweigh.figures.forest_table import ARM_COLUMNS, ARMS, ForestMeta, forest_table
from reweigh.figures.numerals import align_numbers
from reweigh.figures.style import SMALL_SIZE, TEXT_SIZE, TITLE_SIZE, RecordFigure, font, text_width, wrap

__all__ = ["ForestMeta", "Layers", "draw_forest", "forest_table"]

#: Lengths in points.
ROW, MARGIN, GAP, WIDE_GAP, INDENT = 14.0, 12.0, 11.0, 20.0, 9.0
PANEL, NARROWEST, NARROWEST_LEFT = 210.0, 430.0, 165.0
LARGEST_SQUARE, DIAMOND_HEIGHT, ARROW = 10.0, 0.36, 4.5
LINE_SPACING = 1.3
#: Lines of text that run over the columns, and their size.
PARAGRAPHS = {
    "title": TITLE_SIZE,
    "heterogeneity line": SMALL_SIZE,
    "test line": SMALL_SIZE,
    "footnote": SMALL_SIZE,
}


@dataclass(frozen=True, slots=True)
class Layers:
    """Which layers are drawn; switching one off removes its artists and closes the gap."""

    title: bool = True
    arm_data: bool = True
    weights: bool = True
    subtotals: bool = True
    heterogeneity: bool = True
    tests: bool = True
    prediction_interval: bool = True
    comparison_models: bool = True
    overall_line: bool = True
    favours: bool = True
    footnotes: bool = True

    def off(self) -> set[str]:
        """Names of the layers that are switched off."""
        return {layer.name for layer in fields(self) if not getattr(self, layer.name)}


def draw_forest(table: pd.DataFrame, meta: ForestMeta, *, layers: Layers = Layers()) -> RecordFigure:
    """Draw the table of a forest plot.

    Parameters
    ----------
    table
        From `forest_table`. Marks are drawn at `estimate` and at the interval on the analysis scale, the text
        columns as they stand.
    meta
        The same as for the table.
    layers
        What to draw.

    Returns
    -------
    A figure as high as its lines and as wide as its text. Each artist has a `gid` `<layer>.<row_id>.<part>`; its
    one Axes has the analysis scale as x.
    """
    with mpl.rc_context(dict(style.RC)):
        page = _Page.of(table, meta, layers)
        figure = RecordFigure(figsize=(page.width / 72, page.height / 72), dpi=72, facecolor="white")
        FigureCanvasAgg(figure)
        figure.title = meta.title or "Forest plot"
        figure.description = describe(table, meta)
        _Drawing(figure, page, meta, layers).draw()
    return figure


def describe(table: pd.DataFrame, meta: ForestMeta) -> str:
    """The figure in words, line by line, for those who cannot see it."""
    said = table[table["kind"] != "column header"]
    sentences = []
    for label, effect, weight in zip(said["label"], said["effect"], said["weight_text"], strict=True):
        value = f": {effect}" + (f", weight {weight}" if weight else "") if effect else ""
        sentences.append(f"{label}{value}".rstrip(".") + ".")
    return f"Forest plot, {meta.measure_label} with {100 * meta.level:.4g}% confidence interval. " + " ".join(sentences)


@dataclass(slots=True)
class _Page:
    """Where everything goes: lines in units of rows from the top, columns in points from the left."""

    lines: list[dict[str, Any]]
    limits: tuple[float, float]
    left: dict[str, tuple[float, float]] = field(default_factory=dict)
    right: dict[str, tuple[float, float]] = field(default_factory=dict)
    panel: tuple[float, float] = (0.0, 0.0)
    body: tuple[float, float] = (0.0, 0.0)
    width: float = 0.0
    height: float = 0.0

    @classmethod
    def of(cls, table: pd.DataFrame, meta: ForestMeta, layers: Layers) -> _Page:
        off = layers.off()
        kept = table[~table["layer"].isin(off)]
        lines: list[dict[str, Any]] = kept.to_dict("records")  # type: ignore[assignment]
        page = cls(lines, axis_limits(table, log=meta.scale == "log"))
        page._columns(off)
        page._rows(table, meta, layers)
        return page

    def _columns(self, off: set[str]) -> None:
        cells = [line for line in self.lines if line["kind"] not in PARAGRAPHS]
        shown = [] if "arm_data" in off else [c for c in ARM_COLUMNS if any(line[c] for line in cells)]
        x = MARGIN + max(
            [NARROWEST_LEFT / 2]
            + [
                line["indent"] * INDENT
                + text_width(line["label"], TEXT_SIZE, _weight(line))
                + text_width(line["note_marks"], TEXT_SIZE * 0.7)
                for line in cells
            ]
        )
        self.left = {"label": (MARGIN, x)}
        for arm in ARMS:
            group = [c for c in shown if c.endswith(arm)]
            x += WIDE_GAP if group else 0
            start = x
            for i, name in enumerate(group):
                x += GAP if i else 0
                below = [line[name] for line in cells if line["row_id"] != "header-top"]
                sides = [_slash_sides(text) for text in below]
                column = max(a for a, _ in sides) + max(b for _, b in sides)
                column = max(column, max(text_width(text) for text in below))
                self.left[name] = (x, x + column)
                x += column
            if group:
                header = next((line[c] for line in cells for c in group if line["row_id"] == "header-top"), "")
                missing = min(text_width(header, TEXT_SIZE, "bold"), 95.0) - (x - start)
                if missing > 0:
                    # Spread what the header needs over both sides of its columns.
                    for name in group:
                        a, b = self.left[name]
                        self.left[name] = (a + missing / 2, b + missing / 2)
                    x += missing
        x = max(x, MARGIN + NARROWEST_LEFT)
        self.panel = (x + WIDE_GAP, x + WIDE_GAP + PANEL)
        x = self.panel[1] + WIDE_GAP
        aligned = align_numbers([line["effect"] if line["marker"] else "" for line in cells], text_width)
        for line, text in zip(cells, aligned, strict=True):
            line["effect"] = text if line["marker"] else line["effect"]
        for name in ("effect", "weight_text"):
            if name == "weight_text" and ("weights" in off or not any(line[name] for line in cells)):
                continue
            weights = ["bold" if line["kind"] == "column header" else "normal" for line in cells]
            wide = max(text_width(line[name], TEXT_SIZE, w) for line, w in zip(cells, weights, strict=True))
            self.right[name] = (x, x + min(wide, 165.0))
            x += min(wide, 165.0) + GAP
        self.width = max(NARROWEST, x - GAP + MARGIN)
        slack = self.width - (x - GAP + MARGIN)
        if slack > 0:
            # A narrow figure gives its slack to the panel.
            self.panel = (self.panel[0], self.panel[1] + slack)
            self.right = {name: (a + slack, b + slack) for name, (a, b) in self.right.items()}

    def _rows(self, table: pd.DataFrame, meta: ForestMeta, layers: Layers) -> None:
        """Close gaps, wrap what is long, and find how high the page is."""
        shift, previous = 0.0, -1.0
        dropped = iter(sorted(table.loc[table["layer"].isin(layers.off()), "y"]))
        gone = next(dropped, None)
        for line in self.lines:
            while gone is not None and gone < line["y"]:
                shift -= 1
                gone = next(dropped, None)
            line["y"] += shift
            size = PARAGRAPHS.get(line["kind"])
            line["lines"] = [line["label"]]
            if size is not None:
                inside = line["kind"] == "heterogeneity line" and line["indent"]
                right = self.panel[0] - WIDE_GAP if inside else self.width - MARGIN
                hang = text_width(line["note_marks"] + " ", SMALL_SIZE) if line["note_marks"] else 0
                room = right - MARGIN - line["indent"] * INDENT - hang
                line["lines"] = wrap(line["label"], room, size, "bold" if size == TITLE_SIZE else "normal")
                extra = (len(line["lines"]) - 1) * size * LINE_SPACING / ROW
                shift += extra
            elif line["row_id"] == "header-top":
                line["wrapped"] = {name: wrap(line[name], self.head_room(name), TEXT_SIZE, "bold")
                                   for name in (*self.left, *self.right) if line[name]}
                extra = (max(map(len, line["wrapped"].values())) - 1) * TEXT_SIZE * LINE_SPACING / ROW
                line["y"] += extra
                shift += extra
            previous = line["y"] + (extra if size is not None else 0)
        header = next(line["y"] for line in self.lines if line["row_id"] == "header")
        marks = [line["y"] for line in self.lines if line["marker"] or line["kind"] == "subgroup heading"]
        inner = [
            line["y"] + (len(line["lines"]) - 1) * 0.7
            for line in self.lines
            if line["kind"] == "heterogeneity line" and line["indent"]
        ]
        self.body = (header + 0.62, max([header + 1.35, *marks, *inner]) + 0.75)
        if not any(line["y"] > self.body[1] for line in self.lines):
            previous = self.body[1] + (2.6 if "favours" not in layers.off() else 1.2)
        self.height = 2 * MARGIN + (previous + 1) * ROW

    def head_room(self, name: str) -> float:
        """Width over which the upper header of a column may run."""
        if name in self.right or name == "label":
            start, end = {**self.left, **self.right}[name]
            return end - start + 0.1
        group = self.group(name.partition("_")[2])
        return max(group[1] - group[0], 95.0) + 0.1

    def group(self, arm: str) -> tuple[float, float]:
        """Left and right end of the columns of an arm."""
        spans = [span for name, span in self.left.items() if name.endswith(f"_{arm}")]
        return min(a for a, _ in spans), max(b for _, b in spans)


class _Drawing:
    """The artists of one figure."""

    def __init__(self, figure: RecordFigure, page: _Page, meta: ForestMeta, layers: Layers) -> None:
        self.figure, self.page, self.meta, self.off = figure, page, meta, layers.off()
        (left, right), (top, bottom) = page.panel, page.body
        up = page.height - MARGIN
        self.axes: Axes = figure.add_axes(
            (
                left / page.width,
                (up - (bottom + 0.5) * ROW) / page.height,
                (right - left) / page.width,
                (bottom - top) * ROW / page.height,
            )
        )
        self.axes.set_xlim(*page.limits)
        self.axes.set_ylim(bottom, top)
        self.axes.patch.set_visible(False)
        points = Affine2D().scale(figure.dpi / 72)
        points = Affine2D().scale(1 / page.width, 1 / page.height) + figure.transFigure
        self.lines_down: Transform = blended_transform_factory(points, self.axes.transData)

    def draw(self) -> None:
        """Draw all lines, then the axis."""
        self._axis()
        for line in self.page.lines:
            if line["kind"] == "column header":
                self._header(line)
            elif line["kind"] in PARAGRAPHS:
                self._paragraph(line)
            else:
                self._cells(line)
                self._marks(line)

    def text(
        self, x: float, y: float, text: str, gid: str, *, size: float = TEXT_SIZE, weight: str = "normal",
        color: str = style.INK, ha: str = "left", lift: float = 0.0,
    ) -> None:  # fmt: skip
        """Text with its digits centred on line y, `x` in points."""
        if not text:
            return
        shift = ScaledTranslation(0, (lift - 0.364 * size) / 72, self.figure.dpi_scale_trans)
        artist = Text(
            x, y, text, color=color, fontproperties=font(size, weight), ha=ha, va="baseline", parse_math=False,
            transform=self.lines_down + shift, gid=gid, linespacing=LINE_SPACING,
        )  # fmt: skip
        self.figure.add_artist(artist)

    def _header(self, line: dict[str, Any]) -> None:
        page, y = self.page, line["y"]
        for name, (a, b) in (*page.left.items(), *page.right.items()):
            if not line[name]:
                continue
            layer = "arm_data" if name in ARM_COLUMNS else "weights" if name == "weight_text" else "study"
            top = line["row_id"] == "header-top"
            grouped = top and name in ARM_COLUMNS
            if grouped:
                a, b = page.group(name.partition("_")[2])
            slash = name.startswith("events") and not top
            x, ha = ((a + b) / 2, "center") if grouped or slash else (b, "right")
            x, ha = (a, "left") if name == "label" else (x, ha)
            texts = line["wrapped"][name] if top else [line[name]]
            for i, text in enumerate(texts):
                up = (len(texts) - 1 - i) * TEXT_SIZE * LINE_SPACING
                gid = f"{layer}.{line['row_id']}.{name}" + (f"-{i}" if i else "")
                self.text(x, y, text, gid, weight="bold", ha=ha, lift=up)
        if line["row_id"] == "header":
            self._rule(page.body[0], "study.rule.header")

    def _rule(self, y: float, gid: str) -> None:
        self.figure.add_artist(
            Line2D(
                [MARGIN, self.page.width - MARGIN], [y, y], transform=self.lines_down, color=style.INK, lw=0.8, gid=gid
            )
        )

    def _paragraph(self, line: dict[str, Any]) -> None:
        size = PARAGRAPHS[line["kind"]]
        x = MARGIN + line["indent"] * INDENT
        color = style.INK if size == TITLE_SIZE else style.MUTED
        gid = f"{line['layer']}.{line['row_id']}"
        if line["note_marks"]:
            self.text(x, line["y"], line["note_marks"], f"{gid}.mark", size=size * 0.75, color=color, lift=2.2)
            x += text_width(line["note_marks"] + " ", size)
        for i, text in enumerate(line["lines"]):
            self.text(
                x, line["y"], text, f"{gid}.text" + (f"-{i}" if i else ""), size=size, color=color,
                weight="bold" if size == TITLE_SIZE else "normal", lift=-i * size * LINE_SPACING,
            )  # fmt: skip

    def _cells(self, line: dict[str, Any]) -> None:
        page, y, start = self.page, line["y"], f"{line['layer']}.{line['row_id']}"
        indent = MARGIN + line["indent"] * INDENT
        self.text(indent, y, line["label"], f"{start}.label", weight=_weight(line))
        if "footnotes" not in self.off:
            x = indent + text_width(line["label"], TEXT_SIZE, _weight(line)) + 1
            gid = f"footnotes.{line['row_id']}.mark"
            self.text(x, y, line["note_marks"], gid, size=TEXT_SIZE * 0.7, lift=2.6)
        for name, (a, b) in page.left.items():
            if name == "label" or not line[name]:
                continue
            x, ha = b, "right"
            if name.startswith("events"):
                before, after = (
                    max(side[i] for side in (_slash_sides(row[name]) for row in page.lines if row["marker"]))
                    for i in (0, 1)
                )
                x, ha = (a + b) / 2 + (before - after) / 2 - _slash_sides(line[name])[0], "left"
            self.text(x, y, line[name], f"arm_data.{line['row_id']}.{name}", ha=ha)
        self.text(page.right["effect"][1], y, line["effect"], f"{start}.effect", ha="right")
        if "weight_text" in page.right:
            x = page.right["weight_text"][1]
            self.text(x, y, line["weight_text"], f"weights.{line['row_id']}.weight", ha="right")

    def _marks(self, line: dict[str, Any]) -> None:
        marker, y = line["marker"], line["y"]
        lower, upper, estimate = line["ci_lower"], line["ci_upper"], line["estimate"]
        if not marker or not np.isfinite([lower, upper]).all():
            return
        low, high = self.page.limits
        a, b = float(np.clip(lower, low, high)), float(np.clip(upper, low, high))
        start = f"{line['layer']}.{line['row_id']}"
        if marker == "square":
            if low <= estimate <= high:
                heaviest = max(row["weight"] for row in self.page.lines if row["kind"] == "study")
                share = line["weight"] / heaviest if np.isfinite(line["weight"]) else 0.6
                size = LARGEST_SQUARE * share**0.5
                self._line([estimate], [y], f"{start}.square", marker="s", ms=size, mfc=style.SQUARE, mew=0)
            self._line([a, b], [y, y], f"{start}.interval", lw=1.1)
        elif marker == "bar":
            self._line([a, b], [y, y], f"{start}.interval", lw=3.2, color=style.PREDICTION)
        else:
            self._diamond(line, a, b)
        color = {"bar": style.PREDICTION, "square": style.INK}.get(marker, style.DIAMOND)
        for clipped, x, shape, side in (
            (line["clipped_lower"], low, "<", "lower"),
            (line["clipped_upper"], high, ">", "upper"),
        ):
            if clipped:
                gid = f"{start}.arrow-{side}"
                inward = ARROW / 2 if side == "lower" else -ARROW / 2
                shift = ScaledTranslation(inward / 72, 0, self.figure.dpi_scale_trans)
                arrow = self._line([x], [y], gid, marker=shape, ms=ARROW, mfc=color, mew=0)
                arrow.set_transform(self.axes.transData + shift)

    def _line(self, x: list[float], y: list[float], gid: str, **how: Any) -> Line2D:
        line = Line2D(x, y, gid=gid, clip_on=False, **({"color": style.INK, "zorder": 3} | how))
        self.axes.add_line(line)
        return line

    def _diamond(self, line: dict[str, Any], a: float, b: float) -> None:
        """A diamond; where it is clipped its outline is cut, not squeezed."""
        y, estimate = line["y"], line["estimate"]
        half = DIAMOND_HEIGHT * (0.72 if line["marker"] == "outline" else 1.0)

        def height(x: float) -> float:
            width = estimate - line["ci_lower"] if x < estimate else line["ci_upper"] - estimate
            return half * (1 - abs(x - estimate) / width) if width > 0 else half

        xs = [a, *([estimate] if a < estimate < b else []), b]
        points = [(x, y - height(x)) for x in xs] + [(x, y + height(x)) for x in reversed(xs)]
        fill = {"diamond": style.DIAMOND if line["kind"] == "overall" else style.SUBTOTAL, "outline": "white"}
        self.axes.add_patch(
            Polygon(
                points, closed=True, fc=fill[line["marker"]], ec=style.DIAMOND, lw=0.9, clip_on=False, zorder=3,
                gid=f"{line['layer']}.{line['row_id']}.diamond", joinstyle="miter",
            )
        )  # fmt: skip

    def _axis(self) -> None:
        page, axes = self.page, self.axes
        low, high = page.limits
        per_unit = (page.panel[1] - page.panel[0]) / (high - low)

        def fits(ticks: list[float], labels: list[str]) -> bool:
            wide = [text_width(label, SMALL_SIZE + 0.5) / per_unit for label in labels]
            ends = [(t - w / 2, t + w / 2) for t, w in zip(ticks, wide, strict=True)]
            return all(b[0] - a[1] > 9 / per_unit for a, b in zip(ends, ends[1:], strict=False)) and len(ticks) <= 9

        ticks, labels = round_ticks(low, high, log=self.meta.scale == "log", fits=fits)
        axes.set_xticks(ticks, labels)
        axes.set_yticks([])
        axes.tick_params(length=3, width=0.8, pad=2.5, color=style.INK, labelcolor=style.INK)
        for label in axes.get_xticklabels():
            label.set_fontproperties(font(SMALL_SIZE + 0.5))
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_linewidth(0.8)
        axes.spines["bottom"].set_color(style.INK)
        top, bottom = page.body
        self._line([0, 0], [top, bottom], "study.null.line", lw=0.8, zorder=1)
        overall = next((line for line in page.lines if line["kind"] == "overall"), None)
        if overall is not None and "overall_line" not in self.off and low <= overall["estimate"] <= high:
            first = next(line["y"] for line in page.lines if line["kind"] == "study")
            x = overall["estimate"]
            dashes = {"ls": (0, (3, 2.5)), "lw": 0.8, "color": style.DIAMOND, "zorder": 1}
            self._line([x, x], [first - 0.5, overall["y"]], "overall_line.overall.line", **dashes)
        if "favours" not in self.off:
            self._favours(per_unit)

    def _favours(self, per_unit: float) -> None:
        """Arrows from the null outward with what they favour, below the tick labels."""
        page = self.page
        zero = page.panel[0] - page.limits[0] * per_unit
        y = page.body[1] + 1.62
        for side, text in ((-1, self.meta.favours_left), (1, self.meta.favours_right)):
            if not text:
                continue
            name = "left" if side < 0 else "right"
            length = min(max(text_width(text, SMALL_SIZE), 30.0), abs((page.panel[side > 0] - zero)))
            length = max(length, 18.0)
            tip = zero + side * (4 + length)
            arrow = Line2D(
                [zero + side * 4, tip], [y, y], transform=self.lines_down, color=style.MUTED, lw=0.9,
                gid=f"favours.{name}.line",
            )  # fmt: skip
            head = Line2D(
                [tip], [y], transform=self.lines_down, marker="<" if side < 0 else ">", ms=4, mfc=style.MUTED, mew=0,
                color=style.MUTED, gid=f"favours.{name}.head",
            )  # fmt: skip
            self.figure.add_artist(arrow)
            self.figure.add_artist(head)
            self.text(
                zero + side * 4, y + 0.72, text, f"favours.{name}.text", size=SMALL_SIZE, color=style.MUTED,
                ha="right" if side < 0 else "left",
            )  # fmt: skip


def _weight(line: dict[str, Any]) -> str:
    return "bold" if line["kind"] in ("overall", "subgroup heading") else "normal"


def _slash_sides(text: str) -> tuple[float, float]:
    """Widths before and after the middle of the slash; other text is centred on it."""
    head, slash, tail = text.partition("/")
    if not slash:
        return text_width(text) / 2, text_width(text) / 2
    return text_width(head) + text_width(slash) / 2, text_width(slash) / 2 + text_width(tail)
