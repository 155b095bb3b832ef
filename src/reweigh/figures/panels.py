"""Plain panels (scatter and lines) in the typography of the forest plots."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from reweigh.figures.axis import round_ticks
from reweigh.figures.style import (
    COLUMN_WIDTH,
    INK,
    MUTED,
    RC,
    SMALL_SIZE,
    TEXT_SIZE,
    TITLE_SIZE,
    RecordFigure,
    font,
    symbols,
    wrap,
)
from reweigh.text.numbers import fixed, needed_decimals

POINTS = 72.0
EDGE, BOTTOM, LEFT, RIGHT, GAP = 5.0, 32.0, 44.0, 8.0, 46.0
#: Sizes of a panel that makes a figure as wide as a journal's column.
WIDTH, HEIGHT = COLUMN_WIDTH - LEFT - RIGHT, 150.0


def panels(
    title: str,
    note: str,
    count: int = 1,
    *,
    width: float = WIDTH,
    height: float = HEIGHT,
    room: float = 10.0,
    stacked: bool = False,
) -> tuple[RecordFigure, list[Axes]]:
    """A figure with panels side by side or `stacked`, a wrapped title above and a wrapped note below.

    `width` and `height` of a panel, and `room` between title and panels, in points.
    """
    title, note = symbols(title), symbols(note)
    across, down = (1, count) if stacked else (count, 1)
    whole = LEFT + across * width + (across - 1) * GAP + RIGHT
    heads = wrap(title, whole - 2 * EDGE, TITLE_SIZE, "bold")
    lines = wrap(note, whole - 2 * EDGE, SMALL_SIZE)
    foot = 1.4 * SMALL_SIZE * len(lines) + EDGE
    top = EDGE + 1.25 * TITLE_SIZE * len(heads) + room
    total = top + down * (height + BOTTOM) + (down - 1) * room + foot
    with mpl.rc_context(RC):
        figure = RecordFigure(figsize=(whole / POINTS, total / POINTS), facecolor="white")
        FigureCanvasAgg(figure)
        axes = [
            figure.add_axes(
                (
                    (LEFT + (0 if stacked else i * (width + GAP))) / whole,
                    (foot + BOTTOM + (count - 1 - i if stacked else 0) * (height + BOTTOM + room)) / total,
                    width / whole,
                    height / total,
                )
            )
            for i in range(count)
        ]
    figure.title, figure.description = title, note
    figure.text(
        EDGE / whole, 1 - EDGE / total, "\n".join(heads), fontproperties=font(TITLE_SIZE, "bold"), color=INK, va="top",
        linespacing=1.25,
    )  # fmt: skip
    figure.text(
        EDGE / whole, (foot - 2.0) / total, "\n".join(lines), fontproperties=font(SMALL_SIZE), color=MUTED, va="top",
        linespacing=1.4,
    )  # fmt: skip
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
        ax.spines[["left", "bottom"]].set_color(INK)
        ax.tick_params(labelsize=TEXT_SIZE, colors=INK, length=3, pad=2.5)
    return figure, axes


def label(ax: Axes, x: str, y: str) -> None:
    """Name the axes."""
    ax.set_xlabel(x, fontproperties=font(TEXT_SIZE), color=INK, labelpad=3)
    ax.set_ylabel(y, fontproperties=font(TEXT_SIZE), color=INK, labelpad=3)


def effect_axis(ax: Axes, limits: Sequence[float], *, scale: str, null: bool = True) -> None:
    """A y axis of effects on the analysis scale; ticks round on the natural scale, a line at no effect."""
    low, high = limits
    ax.set_ylim(low, high)
    positions, names = round_ticks(low, high, scale=scale, fits=lambda ticks, _: len(ticks) <= 8)
    ax.yaxis.set_major_locator(FixedLocator(positions))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_yticklabels(names, fontproperties=font(TEXT_SIZE))
    if null and low < 0 < high:
        ax.axhline(0, color=INK, linewidth=0.8, zorder=0)


def decimal_axis(ax: Axes) -> None:
    """An x axis whose numbers have real minus signs and as many decimals as its ticks need."""
    decimals = needed_decimals(ax.get_xticks().tolist(), 3)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: fixed(value, decimals)))
    for text in ax.get_xticklabels():
        text.set_fontproperties(font(TEXT_SIZE))
