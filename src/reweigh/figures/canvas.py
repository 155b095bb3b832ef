"""A blank figure in points, from its upper left corner, and text on it."""

from __future__ import annotations

from matplotlib.axes import Axes

from reweigh.figures.style import INK, TEXT_SIZE, TITLE_SIZE, RecordFigure, font

MARGIN = 6.0


def canvas(width: float, height: float, title: str) -> tuple[RecordFigure, Axes]:
    """A figure of this size in points with its title; y grows downwards."""
    figure = RecordFigure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.set_axis_off()
    put(axes, MARGIN, MARGIN + TITLE_SIZE / 2, title, size=TITLE_SIZE, weight="bold")
    figure.title = title
    return figure, axes


def put(
    axes: Axes, x: float, y: float, text: str, *, size: float = TEXT_SIZE, weight: str = "normal", ha: str = "left",
    color: str = INK, rotation: float = 0,
) -> None:  # fmt: skip
    """One line of text whose middle is at this height."""
    axes.text(x, y, text, fontproperties=font(size, weight), ha=ha, va="center", color=color, rotation=rotation)
