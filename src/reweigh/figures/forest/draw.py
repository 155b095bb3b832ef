"""Draw a forest plot from its table."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
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
from reweigh.figures.axis import round_ticks
from reweigh.figures.forest.journals import BINARY, CONTINUOUS, GENERIC
from reweigh.figures.forest.lights import EMPTY, SYMBOL, printed
from reweigh.figures.forest.place import (
    LIGHT,
    LINE_SPACING,
    MARGIN,
    PARAGRAPHS,
    ROW,
    TO_ARROWS,
    TO_FAVOURS,
    Line,
    Page,
    before_bracket,
    lay_out,
    slash_sides,
    weight_of,
)
from reweigh.figures.forest.table import ARM_COLUMNS, DATA_COLUMNS, ForestMeta, forest_table
from reweigh.figures.style import LEAST_SIZE, SMALL_SIZE, TEXT_SIZE, RecordFigure, font, text_width
from reweigh.io import records
from reweigh.text.numbers import level_text

__all__ = ["ForestMeta", "Layers", "describe", "draw_forest", "forest_table"]

#: Lengths in points: widest square of the heaviest trial, half height of a diamond, arrowheads, shortest arrow.
LARGEST_SQUARE, HALF_DIAMOND, ARROW, SHORTEST_ARROW = 10.0, 4.6, 4.5, 3.5
#: Layers of the columns right of the panel; the effect belongs to the trials.
LAYER_OF = {"weight_text": "weights", "risk_of_bias": "risk_of_bias"}
TICK_SIZE = SMALL_SIZE + 0.5
#: The heaviest square is about as wide as intervals of its kind, but neither dwarf nor giant; the lightest is seen.
SMALLEST_SQUARE, LEAST_SQUARE = 5.5, 1.6


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
    risk_of_bias: bool = True

    def off(self) -> frozenset[str]:
        """Names of the layers that are switched off."""
        return frozenset(layer.name for layer in fields(self) if not getattr(self, layer.name))


ALL_LAYERS = Layers()


def draw_forest(table: pd.DataFrame, meta: ForestMeta, *, layers: Layers = ALL_LAYERS) -> RecordFigure:
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
    with mpl.rc_context(style.RC):
        page = lay_out(table, meta, layers.off())
        figure = RecordFigure(figsize=(page.width / 72, page.height / 72), dpi=style.FIGURE_DPI, facecolor="white")
        FigureCanvasAgg(figure)
        figure.title = meta.title or "Forest plot"
        figure.description = describe(table, meta)
        _Drawing(figure, page, meta, layers.off()).draw()
    return figure


def describe(table: pd.DataFrame, meta: ForestMeta) -> str:
    """The figure in words, line by line, for those who cannot see it."""
    sentences = []
    for line in records(table[~table["kind"].isin(["column header", "title", "total events"])]):
        text = line["label"] + (f": {line['effect']}" if line["effect"] else "")
        text += f", weight {line['weight_text']}" if line["weight_text"] else ""
        text += f", {line['risk_of_bias'].lower()}" if line["risk_of_bias"] else ""
        sentences.append(text.rstrip(".") + ".")
    measure = meta.layout.spell(meta.measure_label)
    start = f"Forest plot of {measure[:1].lower()}{measure[1:]}"
    return f"{start} with {level_text(meta.level)} confidence interval. {' '.join(sentences)}"


class _Drawing:
    """The artists of one figure."""

    def __init__(self, figure: RecordFigure, page: Page, meta: ForestMeta, off: frozenset[str]) -> None:
        self.figure, self.page, self.meta, self.off = figure, page, meta, off
        (left, right), (top, bottom) = page.panel, page.body
        floor = page.height - MARGIN - (bottom + 0.5) * ROW
        box = (left / page.width, floor / page.height, (right - left) / page.width, (bottom - top) * ROW / page.height)
        self.axes: Axes = figure.add_axes(box)
        self.axes.set_xlim(*page.limits)
        self.axes.set_ylim(bottom, top)
        self.axes.patch.set_visible(False)
        points = Affine2D().scale(1 / page.width, 1 / page.height) + figure.transFigure
        #: x in points from the left, y in lines from the top.
        self.place: Transform = blended_transform_factory(points, self.axes.transData)
        #: The same place for texts that stand so many points higher.
        self.lifted: dict[float, Transform] = {}
        self.colours = meta.layout.marks
        arms = "".join(name for line in page.lines for name in ARM_COLUMNS if line[name])
        self.data = BINARY if "events" in arms else CONTINUOUS if "mean" in arms else GENERIC
        trials = [line for line in page.lines if line["kind"] == "study"]
        self.heaviest = max((line["weight"] for line in trials if np.isfinite(line["weight"])), default=np.nan)
        heavy = [line for line in trials if line["weight"] >= self.heaviest / 2]
        wide = np.median([line["ci_upper"] - line["ci_lower"] for line in heavy]) if heavy else np.inf
        #: Side of the heaviest trial's square: no wider than the intervals of the heavy trials, within bounds.
        self.largest = float(np.clip(wide * page.per_unit, SMALLEST_SQUARE, LARGEST_SQUARE))

    def draw(self) -> None:
        """Draw the axis, then all lines.

        An artist that goes with more than one layer has them all in its gid: `subtotals+weights.subtotal-1.weight`.
        """
        self._axis()
        for line in self.page.lines:
            if line["kind"] == "column header":
                self._header(line)
            elif line["kind"] in PARAGRAPHS:
                self._paragraph(line)
            else:
                self._cells(line)
                self._marks(line)
                self._lights(line)

    def text(
        self, x: float, y: float, text: str, gid: str, *, size: float = TEXT_SIZE, weight: str = "normal",
        color: str = style.INK, ha: str = "left", lift: float = 0.0,
    ) -> None:  # fmt: skip
        """Text with its digits centred on line y, `x` and `lift` in points."""
        if text:
            up = lift - 0.364 * size
            if up not in self.lifted:
                self.lifted[up] = self.place + ScaledTranslation(0, up / 72, self.figure.dpi_scale_trans)
            how: dict[str, Any] = {"fontproperties": font(size, weight), "color": color, "ha": ha, "va": "baseline"}
            self.figure.add_artist(Text(x, y, text, gid=gid, parse_math=False, transform=self.lifted[up], **how))

    def texts(
        self, x: float, y: float, lines: list[str], gid: str, *, size: float, lift: float = 0.0, **how: Any
    ) -> None:
        """Lines of text below each other, the first on line y."""
        for i, text in enumerate(lines):
            self.text(x, y, text, f"{gid}-{i}" if i else gid, size=size, lift=lift - i * size * LINE_SPACING, **how)

    def line(self, x: list[float], y: list[float], gid: str, **how: Any) -> Line2D:
        """A line or marker on the analysis scale."""
        default: dict[str, Any] = {"color": style.INK, "zorder": 3}
        line = Line2D(x, y, gid=gid, clip_on=False, **default | how)
        self.axes.add_line(line)
        return line

    def _header(self, line: Line) -> None:
        page, y, row_id = self.page, line["y"], line["row_id"]
        for name, (a, b) in page.columns.items():
            layer = "arm_data" if name in DATA_COLUMNS else LAYER_OF.get(name, "study")
            if name == "risk_of_bias":
                self._light_heads(line, layer, (a + b) / 2)
                continue
            x, ha = (a, "left") if name in ("label", "effect") else (b, "right")
            lines = line["wrapped"].get(name, [""])
            if row_id == "header-top":
                if name in DATA_COLUMNS:
                    middle = sum(page.groups[name]) / 2
                    x, ha = middle if page.spanning else page.slashes.get(name, middle), "center"
            elif name in page.slashes and page.spanning:
                x, ha = page.slashes[name], "center"
            elif name in page.slashes:
                x, ha = page.slashes[name] - slash_sides(line[name], "bold")[0], "left"
            gid, up = f"{layer}.{row_id}.{name}", (len(lines) - 1) * TEXT_SIZE * LINE_SPACING
            up -= line["sink"].get(name, 0.0)
            self.texts(x, y, lines, gid, size=TEXT_SIZE, weight="bold", ha=ha, lift=up)
        if line["panel"]:
            lines = line["wrapped"]["panel"]
            up = (len(lines) - 1) * TEXT_SIZE * LINE_SPACING - line["sink"].get("panel", 0.0)
            gid = f"study.{row_id}.panel"
            self.texts(sum(page.panel) / 2, y, lines, gid, size=TEXT_SIZE, weight="bold", ha="center", lift=up)
        if row_id == "header":
            ends = [MARGIN, page.width - MARGIN]
            rule = Line2D(ends, [page.body[0]] * 2, color=style.INK, lw=0.8, gid="study.header.rule")
            rule.set_transform(self.place)
            self.figure.add_artist(rule)
            for side, x in page.favours_at.items() if page.favours_above else ():
                lines, ha = page.favours.get(side, []), "right" if side == "left" else "left"
                up = (len(lines) - 1) * SMALL_SIZE * LINE_SPACING
                self.texts(x, y, lines, f"favours.{side}.text", size=SMALL_SIZE, weight="bold", ha=ha, lift=up)

    def _light_heads(self, line: Line, layer: str, middle: float) -> None:
        """What the lights are, above a head for each."""
        gid = f"{layer}.{line['row_id']}"
        if line["row_id"] == "header-top":
            lines = line["wrapped"]["risk_of_bias"]
            up = (len(lines) - 1) * TEXT_SIZE * LINE_SPACING - line["sink"].get("risk_of_bias", 0.0)
            self.texts(
                middle, line["y"], lines, f"{gid}.risk_of_bias", size=TEXT_SIZE, weight="bold", ha="center", lift=up
            )
        elif self.meta.risk_of_bias:
            for x, head in zip(self._light_places(), self.meta.risk_of_bias.heads, strict=True):
                self.text(x, line["y"], head, f"{gid}.{head}", size=LEAST_SIZE, ha="center")

    def _light_places(self) -> list[float]:
        """Middle of each light, in points from the left."""
        heads = len(self.meta.risk_of_bias.heads) if self.meta.risk_of_bias else 0
        left, right = self.page.columns["risk_of_bias"]
        start = (left + right - LIGHT * heads) / 2
        return [start + LIGHT * (i + 0.5) for i in range(heads)]

    def _lights(self, line: Line) -> None:
        """A circle with its symbol for each judgement of a trial; an empty circle where there is none."""
        found = self.meta.risk_of_bias
        if found is None or line["kind"] != "study" or "risk_of_bias" not in self.page.columns:
            return
        levels = found.of.get(line["study_id"], (None,) * len(found.heads))
        for x, head, level in zip(self._light_places(), found.heads, levels, strict=True):
            gid = f"risk_of_bias.{line['row_id']}.{head}"
            circle = Line2D([x], [line["y"]], marker="o", ms=LIGHT * 0.76, mec=style.MUTED, mew=0.5, gid=gid)
            circle.set(markerfacecolor=level.colour if level else EMPTY, transform=self.place)
            self.figure.add_artist(circle)
            if level:
                self.text(
                    x, line["y"], printed(level.symbol), f"{gid}.symbol", weight="bold", color=SYMBOL, ha="center"
                )  # fmt: skip

    def _paragraph(self, line: Line) -> None:
        size, x, gid = PARAGRAPHS[line["kind"]], line["x"], f"{line['layer']}.{line['row_id']}"
        color = style.INK if line["kind"] == "title" else style.MUTED
        if line["note_marks"]:
            self.text(x, line["y"], line["note_marks"], f"{gid}.mark", size=LEAST_SIZE, color=color, lift=2.0)
            x += text_width(line["note_marks"] + " ", size)
        self.texts(
            x, line["y"], line["wrapped"]["label"], f"{gid}.text", size=size, color=color, weight=weight_of(line)
        )

    def _cells(self, line: Line) -> None:
        page, y, row_id, start = self.page, line["y"], line["row_id"], f"{line['layer']}.{line['row_id']}"
        also = "" if line["layer"] == "study" else f"{line['layer']}+"
        texts, weight = line["wrapped"]["label"], weight_of(line)
        self.texts(line["x"], y, texts, f"{start}.label", size=TEXT_SIZE, weight=weight)
        if "footnotes" not in self.off:
            label = text_width(texts[-1], TEXT_SIZE, weight)
            # Room for renderers that draw the label a little wider.
            x, lift = line["x"] + label + 0.4 + 0.012 * label, 2.6 - (len(texts) - 1) * TEXT_SIZE * LINE_SPACING
            mark: dict[str, Any] = {"size": LEAST_SIZE, "lift": lift, "color": style.MUTED}
            self.text(x, y, line["note_marks"], f"footnotes.{row_id}.mark", **mark)
        for name, (a, b) in page.columns.items():
            head = before_bracket(line[name]) if name in page.brackets else None
            if name == "effect":
                x = a if head is None else a + page.brackets[name][0] - text_width(head)
                self.text(x, y, line["effect"], f"{start}.effect")
            elif head is not None:
                bracket, wide = page.brackets[name]
                self.text(b - wide + bracket - text_width(head), y, line[name], f"{also}arm_data.{row_id}.{name}")
            elif name in page.slashes:
                x = page.slashes[name] - slash_sides(line[name])[0]
                self.text(x, y, line[name], f"{also}arm_data.{row_id}.{name}")
            elif name in DATA_COLUMNS:
                self.text(b, y, line[name], f"{also}arm_data.{row_id}.{name}", ha="right")
        if "weight_text" in page.columns:
            x = page.columns["weight_text"][1]
            self.text(x, y, line["weight_text"], f"{also}weights.{row_id}.weight", ha="right")

    def _marks(self, line: Line) -> None:
        marker, y, estimate = line["marker"], line["y"], line["estimate"]
        if not marker or not np.isfinite([line["ci_lower"], line["ci_upper"]]).all():
            return
        low, high = self.page.limits
        # An interval that leaves the axis ends where its arrowhead begins.
        inside = ARROW / self.page.per_unit
        a = low + inside if line["clipped_lower"] else line["ci_lower"]
        b = high - inside if line["clipped_upper"] else line["ci_upper"]
        start = f"{line['layer']}.{line['row_id']}"
        color = {"bar": self.colours.prediction, "square": style.INK}.get(marker, self.colours.edge)
        if marker == "square":
            if low <= estimate <= high:
                share = line["weight"] / self.heaviest if np.isfinite(line["weight"]) else 0.6
                size, fill = max(self.largest * share**0.5, LEAST_SQUARE), self.colours.squares[self.data]
                # A light edge would hide a small square.
                edge = {"mec": self.colours.square_edge or fill, "mew": 0.6 if size > 3 * LEAST_SQUARE else 0.0}
                self.line([estimate], [y], f"{start}.square", marker="s", ms=size, mfc=fill, **edge)
            if a < b:
                self.line([a, b], [y, y], f"{start}.interval", lw=1.1)
        elif a < b or not (line["clipped_lower"] or line["clipped_upper"]):
            if marker == "bar":
                self.line([a, b], [y, y], f"{start}.interval", lw=3.0, color=color)
            else:
                self._diamond(line, a, b)
        for side, tip, back in (("lower", low, low + inside), ("upper", high, high - inside)):
            if line[f"clipped_{side}"]:
                half = ARROW / 2 / ROW if marker == "square" else 1.5 / ROW + self._half(line, back)
                points = [(tip, y), (back, y - half), (back, y + half)]
                self._polygon(points, f"{start}.arrow-{side}", fc=color, ec="none")

    def _polygon(self, points: list[tuple[float, float]], gid: str, **how: Any) -> None:
        self.axes.add_patch(Polygon(points, closed=True, gid=gid, clip_on=False, zorder=3, **how))

    def _half(self, line: Line, x: float) -> float:
        """Half height of a bar or diamond at x, in rows."""
        if line["marker"] == "bar":
            return 1.5 / ROW
        half = HALF_DIAMOND / ROW * (0.75 if line["marker"] == "outline" else 1.0)
        width = line["estimate"] - line["ci_lower"] if x < line["estimate"] else line["ci_upper"] - line["estimate"]
        return half * max(0.0, 1 - abs(x - line["estimate"]) / width) if width > 0 else half

    def _diamond(self, line: Line, a: float, b: float) -> None:
        """A diamond; where it leaves the axis its outline is cut, not squeezed."""
        y, estimate = line["y"], line["estimate"]
        xs = [a, estimate, b] if a < estimate < b else [a, b]
        halves = [self._half(line, x) for x in xs]
        points = [(x, y - half) for x, half in zip(xs, halves, strict=True)]
        points += [(x, y + half) for x, half in zip(reversed(xs), reversed(halves), strict=True)]
        fill = "white" if line["marker"] == "outline" else self.colours.subtotal
        fill = self.colours.overall if line["kind"] == "overall" else fill
        gid = f"{line['layer']}.{line['row_id']}.diamond"
        self._polygon(points, gid, fc=fill, ec=self.colours.edge, lw=0.9, joinstyle="round")

    def _axis(self) -> None:
        page, axes, (low, high) = self.page, self.axes, self.page.limits

        def fits(ticks: list[float], labels: list[str]) -> bool:
            wide = [text_width(label, TICK_SIZE) for label in labels]
            ends = [(t * page.per_unit - w / 2, t * page.per_unit + w / 2) for t, w in zip(ticks, wide, strict=True)]
            return len(ticks) <= 9 and all(b[0] - a[1] > 5 for a, b in pairwise(ends))

        axes.set_xticks(*round_ticks(low, high, scale=self.meta.scale, fits=fits))
        axes.set_yticks([])
        axes.tick_params(length=3, width=0.8, pad=2.5, color=style.INK, labelcolor=style.INK)
        for label in axes.get_xticklabels():
            label.set_fontproperties(font(TICK_SIZE))
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set(linewidth=0.8, color=style.INK)
        if self.meta.null:
            self.line([0, 0], list(page.body), "study.null.line", lw=0.8, zorder=1)
        overall = next((line for line in page.lines if line["kind"] == "overall"), None)
        if overall is not None and "overall_line" not in self.off and low <= overall["estimate"] <= high:
            first = next(line["y"] for line in page.lines if line["kind"] == "study")
            x, dashes = overall["estimate"], {"ls": (0, (3, 2.5)), "lw": 0.8, "color": self.colours.edge, "zorder": 1}
            self.line([x, x], [first - 0.5, overall["y"]], "overall_line.overall.line", **dashes)
        for name, lines in page.favours.items():
            if not page.favours_above:
                self._favours(name, lines)
        middle, below = sum(page.panel) / 2, page.body[1] + page.to_title
        self.texts(middle, below, page.axis_title, "study.axis.title", size=SMALL_SIZE, ha="center")

    def _favours(self, name: str, lines: list[str]) -> None:
        """An arrow from the null outward over what it favours, as long as its words, within the axis."""
        sign, y = (-1 if name == "left" else 1), self.page.body[1] + TO_ARROWS
        start = self.page.zero + sign * 4
        axis = abs(self.page.panel[0 if sign < 0 else 1] - start)
        tip = start + sign * min(max(text_width(text, SMALL_SIZE) for text in lines), max(axis, SHORTEST_ARROW))
        how: dict[str, Any] = {"transform": self.place, "color": style.MUTED}
        head: dict[str, Any] = {"marker": "<" if sign < 0 else ">", "ms": 4, "mfc": style.MUTED, "mew": 0}
        self.figure.add_artist(Line2D([start, tip - sign * 2], [y, y], lw=0.9, gid=f"favours.{name}.line", **how))
        self.figure.add_artist(Line2D([tip - sign * 2], [y], gid=f"favours.{name}.head", **head, **how))
        ha = "right" if sign < 0 else "left"
        x, gid = self.page.favours_at[name], f"favours.{name}.text"
        self.texts(x, y + TO_FAVOURS, lines, gid, size=SMALL_SIZE, color=style.MUTED, ha=ha)
