"""Funnel plots, plain and contour-enhanced."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import ArrayLike

from reweigh.figures.axis import round_ticks
from reweigh.figures.panels import label, panels
from reweigh.figures.style import (
    DIAMOND,
    INK,
    PREDICTION,
    SMALL_SIZE,
    SQUARE,
    TEXT_SIZE,
    RecordFigure,
    font,
    text_width,
)
from reweigh.quantile import z_critical
from reweigh.text.numbers import level_text

FAINT = "#9a9a9a"
#: What a standard error is on, behind its name.
ON = {"log": " (log scale)", "z": " (Fisher's z)", "logit": " (logit scale)"}
CONTOURS = (0.01, 0.05, 0.1)
SHADES = ("#ffffff", "#eceff3", "#d9e0e8", "#c4cfdb")


def draw_funnel(
    yi: ArrayLike,
    vi: ArrayLike,
    estimate: float,
    title: str,
    measure: str,
    *,
    scale: str,
    null: bool = True,
    level: float = 0.95,
    contours: bool = False,
    filled: tuple[ArrayLike, ArrayLike] | None = None,
    caution: str = "",
) -> RecordFigure:
    """Effects against their standard errors, the largest trials on top.

    Parameters
    ----------
    yi, vi
        Effects and variances (k,), analysis scale.
    estimate
        Pooled effect, analysis scale.
    contours
        Shade regions of significance around no effect instead of drawing the funnel around the pooled effect.
    filled
        Effects and variances of imputed trials (trim and fill), drawn open.
    caution
        What must be said of it, behind the note.

    Sterne and Egger 2001, Journal of Clinical Epidemiology 54:1046-55; Peters and others 2008, ibid. 61:991-6.
    """
    if contours:
        note = (
            "Shading: two-sided P of a trial against no effect, from its standard error alone (no heterogeneity): "
            "none above 0.1, then down to 0.05, to 0.01, and strongest below 0.01."
        )
    else:
        note = (
            f"Dashed: where {level_text(level)} of trials would lie around the pooled effect (line) if sampling error "
            "were all; heterogeneity is not in it."
        )
    note += f" {np.size(filled[0])} open: imputed by trim and fill." if filled is not None else ""
    figure, (ax,) = panels(title, note + caution, height=165.0)
    funnel_on(
        ax, yi, vi, estimate, measure, scale=scale, null=null, level=level, contours=contours, filled=filled
    )  # fmt: skip
    return figure


def funnel_on(
    ax: Axes, yi: ArrayLike, vi: ArrayLike, estimate: float, measure: str, *, scale: str, null: bool = True,
    level: float = 0.95, contours: bool = False, filled: tuple[ArrayLike, ArrayLike] | None = None,
) -> None:  # fmt: skip
    """The same on axes that are there."""
    y, se = np.asarray(yi, dtype=float), np.sqrt(np.asarray(vi, dtype=float))
    extra = [np.asarray(a, dtype=float) for a in filled] if filled is not None else [np.zeros(0)] * 2
    all_y, all_se = np.concatenate([y, extra[0]]), np.concatenate([se, np.sqrt(extra[1])])
    deep = 1.06 * float(all_se.max())
    z = float(z_critical(level))
    if contours:
        reach = np.array([0.0, *all_y, 1.1 * z_critical(0.99) * deep, -1.1 * z_critical(0.99) * deep])
    else:
        reach = np.array([*all_y, estimate - z * deep, estimate + z * deep])
    room = 0.04 * float(np.ptp(reach))
    across(ax, (float(reach.min()) - room, float(reach.max()) + room), scale=scale)
    ax.set_ylim(deep, 0)
    low, high = ax.get_xlim()
    if contours:
        ax.set_facecolor(SHADES[-1])
        for shade, p in zip(SHADES[2::-1], CONTOURS, strict=True):
            edge = z_critical(1 - p) * deep
            ax.fill([0, -edge, edge], [0, deep, deep], color=shade, linewidth=0, zorder=0, gid=f"contour.{p}")
    else:
        for sign in (-1, 1):
            ax.plot([estimate, estimate + sign * z * deep], [0, deep], color=FAINT, lw=0.9, ls=(0, (3, 2.5)), zorder=1)
    if null and low < 0 < high:
        ax.axvline(0, color=INK, lw=0.8, zorder=1)
    ax.axvline(estimate, color=DIAMOND, lw=1.1, zorder=2, gid="pooled")
    ax.plot(y, se, "o", ms=4.5, mfc=SQUARE, mec=INK, mew=0.6, zorder=3, gid="trials")
    if filled is not None:
        ax.plot(extra[0], np.sqrt(extra[1]), "o", ms=4.5, mfc="white", mec=PREDICTION, mew=1.0, zorder=3, gid="filled")
    label(ax, measure, "Standard error" + (ON.get(scale, "")))
    for text in ax.get_yticklabels():
        text.set_fontproperties(font(TEXT_SIZE))


def across(ax: Axes, limits: tuple[float, float], *, scale: str) -> None:
    """An x axis of effects on the analysis scale; ticks round on the natural scale."""
    low, high = limits
    ax.set_xlim(low, high)
    wide = ax.get_window_extent().width / ax.get_figure(root=True).dpi * 72  # type: ignore[union-attr]

    def fits(ticks: list[float], names: list[str]) -> bool:
        middle = [(t - low) / (high - low) * wide for t in ticks]
        half = [text_width(name, TEXT_SIZE) / 2 for name in names]
        ends = [(m - h, m + h) for m, h in zip(middle, half, strict=True)]
        return len(ticks) <= 9 and all(b[0] - a[1] > 8 for a, b in pairwise(ends))

    positions, names = round_ticks(low, high, scale=scale, fits=fits)
    ax.xaxis.set_major_locator(FixedLocator(positions))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticklabels(names, fontproperties=font(TEXT_SIZE))


def note_at(ax: Axes, x: float, y: float, text: str, *, ha: str = "left", up: float = 3.0, color: str = INK) -> Text:
    """A short text beside a point, 4 points away from it, its foot `up` points above."""
    return ax.annotate(
        text, (x, y), xytext=(4 if ha == "left" else -4, up), textcoords="offset points", ha=ha, color=color,
        fontproperties=font(SMALL_SIZE), annotation_clip=False,
    )  # fmt: skip
