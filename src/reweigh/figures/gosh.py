"""The cloud of all subsets (GOSH plot)."""

from __future__ import annotations

import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from reweigh.figures.funnel import across
from reweigh.figures.panels import label, panels
from reweigh.figures.style import DIAMOND, INK, PREDICTION, TEXT_SIZE, RecordFigure, font
from reweigh.robustness.subsets import Subsets

BINS = (60, 36)


def draw_gosh(
    subsets: Subsets, estimate: float, title: str, measure: str, *, scale: str, by: int, trial: str, null: bool = True
) -> RecordFigure:
    """I2 against the pooled effect of every subset, by whether one trial is in it, and how the effects spread.

    Parameters
    ----------
    subsets
        From `all_subsets`.
    estimate
        Pooled effect of all trials, analysis scale.
    by, trial
        Position and name of the trial whose presence splits the cloud.

    Subsets are counted in cells; a square's area grows with the logarithm of their number. Olkin, Dahabreh and
    Trikalinos 2012, Research Synthesis Methods 3:214-23.
    """
    inside, e = subsets.member[:, by], subsets.estimate
    i2 = np.where(np.isfinite(subsets.i2), subsets.i2, 0.0)
    kind = "Every subset" if subsets.complete else "A sample of the subsets"
    note = (
        f"{kind} of two trials or more ({len(e):,}), each pooled. Blue: with {trial}; orange: without. A square's "
        "area grows with the logarithm of the number of subsets in its cell. Line: all trials."
    )
    figure, (ax,) = panels(title, note, height=165.0)
    box = ax.get_position()
    top = 0.26 * box.height
    ax.set_position((box.x0, box.y0, box.width, box.height - top - 0.02))
    above = figure.add_axes((box.x0, box.y1 - top, box.width, top))
    low, high = _limits(e, estimate)
    cells = (np.linspace(low, high, BINS[0] + 1), np.linspace(-1, 101, BINS[1] + 1))
    most = 1.0
    drawn = []
    for group in (~inside, inside):
        counts, _, _ = np.histogram2d(e[group], i2[group], bins=cells)
        drawn.append(counts)
        most = max(most, float(counts.max(initial=0)))
    x, y = ((c[:-1] + c[1:]) / 2 for c in cells)
    for counts, color, name in zip(drawn, (PREDICTION, DIAMOND), ("without", "with"), strict=True):
        at = np.argwhere(counts > 0)
        side = 0.25 + 0.75 * np.sqrt(np.log1p(counts[counts > 0]) / np.log1p(most))
        centres = np.column_stack([x[at[:, 0]], y[at[:, 1]]])
        squares = _squares(centres, side[:, None] * [x[1] - x[0], y[1] - y[0]])
        ax.add_patch(PathPatch(squares, fc=color, ec="none", alpha=0.6, gid=f"subsets.{name}", clip_on=False))
        share = counts.sum(axis=1) / max(len(e), 1)
        above.fill_between(x, share, step="mid", color=color, alpha=0.45, linewidth=0)
    across(ax, (low, high), scale=scale)
    ax.set_ylim(-3, 103)
    above.set_xlim(low, high)
    above.set_ylim(bottom=0)
    above.axis("off")
    for panel in (ax, above):
        panel.axvline(estimate, color=INK, lw=0.9, zorder=4)
    if null and low < 0 < high:
        ax.axvline(0, color=INK, lw=0.8, ls=(0, (1, 2)), zorder=1)
    label(ax, measure, "I² (%)")
    for text in ax.get_yticklabels():
        text.set_fontproperties(font(TEXT_SIZE))
    return figure


def _squares(centres: np.ndarray, sides: np.ndarray) -> Path:
    """One path of many rectangles (n, 2): a single element of the drawing."""
    corners = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5], [-0.5, -0.5]])
    points = (centres[:, None, :] + sides[:, None, :] * corners).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(centres))
    return Path(points, codes)


def _limits(estimates: np.ndarray, estimate: float) -> tuple[float, float]:
    low, high = min(float(estimates.min()), estimate), max(float(estimates.max()), estimate)
    room = 0.04 * (high - low) or 0.5
    return low - room, high + room
