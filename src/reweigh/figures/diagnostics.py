"""Baujat, radial and L'Abbé plots, influence panels, leave-one-out and cumulative plots."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import ArrayLike

from reweigh.figures.funnel import FAINT, across, note_at
from reweigh.figures.panels import EDGE, LEFT, RIGHT, WIDTH, label, panels
from reweigh.figures.style import (
    DIAMOND,
    INK,
    MUTED,
    PREDICTION,
    SMALL_SIZE,
    SQUARE,
    TEXT_SIZE,
    RecordFigure,
    font,
    text_width,
    wrap,
)
from reweigh.measures import natural
from reweigh.pool.core import Pooled
from reweigh.quantile import z_critical
from reweigh.robustness.removal import Influence
from reweigh.text.numbers import difference_decimals, effect_text, fixed, level_text

TAU2 = "\N{GREEK SMALL LETTER TAU}\N{SUPERSCRIPT TWO}"
#: Height of a trial's row in points, of a line more of its label, and where labels are wrapped beside one panel and
#: beside several.
ROW, LINE, LABEL, LABEL_OF_SEVERAL = 12.5, 9.0, 160.0, 115.0
#: Most trials that are named in a scatter.
NAMED = 5


def draw_baujat(found: Influence, labels: Sequence[str], title: str) -> RecordFigure:
    """Contribution to heterogeneity against influence on the pooled effect; the most remarkable trials are named.

    Baujat and others 2002, Statistics in Medicine 21:2641-52.
    """
    note = (
        "Horizontal: squared Pearson residual of each trial. Vertical: squared change of the pooled effect without it, "
        "over the variance of that effect."
    )
    figure, (ax,) = panels(title, note)
    x, y = found.baujat_x, found.baujat_y
    ax.plot(x, y, "o", ms=4.5, mfc=SQUARE, mec=INK, mew=0.6, gid="trials")
    ax.set_xlim(0, 1.12 * float(np.nanmax(x)) or 1)
    ax.set_ylim(0, 1.1 * float(np.nanmax(y)) or 1)
    _name(ax, x, y, labels, x / np.nanmax(x) + y / np.nanmax(y))
    _plain_ticks(ax)
    label(ax, "Contribution to heterogeneity", "Influence on the pooled effect")
    return figure


def draw_radial(
    yi: ArrayLike, vi: ArrayLike, estimate: float, tau2: float, title: str, *, level: float = 0.95, caution: str = ""
) -> RecordFigure:
    """Radial (Galbraith) plot: standardised effect against precision; a trial's slope from 0 is its effect.

    ``yi``, ``vi`` (k,), ``estimate`` and ``tau2`` on the analysis scale. Galbraith 1988, Technometrics 30:271-81.
    """
    y, total = np.asarray(yi, dtype=float), np.asarray(vi, dtype=float) + tau2
    x = 1 / np.sqrt(total)
    z = float(z_critical(level))
    note = (
        f"Effect over its standard error against precision, variances with {TAU2}. "
        f"Line: pooled effect as slope; dashed: {z:.2f} above and below it.{caution}"
    )
    figure, (ax,) = panels(title, note)
    ends = np.array([0.0, 1.08 * float(x.max())])
    ax.plot(ends, estimate * ends, color=DIAMOND, lw=1.2, gid="pooled")
    for sign in (-1, 1):
        ax.plot(ends, estimate * ends + sign * z, color=FAINT, lw=0.9, ls=(0, (3, 2.5)))
    ax.axhline(0, color=INK, lw=0.8, zorder=0)
    ax.plot(x, y * x, "o", ms=4.5, mfc=SQUARE, mec=INK, mew=0.6, gid="trials")
    ax.set_xlim(0, ends[1])
    _plain_ticks(ax)
    label(ax, "Precision (1 / standard error)", "Effect / standard error")
    return figure


def draw_labbe(
    ai: ArrayLike,
    n1i: ArrayLike,
    ci: ArrayLike,
    n2i: ArrayLike,
    ratio: float,
    measure: str,
    title: str,
    words: tuple[str, str],
) -> RecordFigure:
    """Event rates of both arms; area by number of patients, with the line of no effect and of the pooled effect.

    ``ratio``: pooled effect of ``measure`` ("RR", "OR" or "RD") on the natural scale; ``words``: the two arms.
    L'Abbé, Detsky and O'Rourke 1987, Annals of Internal Medicine 107:224-33.
    """
    a, n1, c, n2 = (np.asarray(v, dtype=float) for v in (ai, n1i, ci, n2i))
    note = "Area by number of patients. Thin line: no effect; thick line: pooled effect."
    figure, (ax,) = panels(title, note, height=WIDTH)
    size = 8 + 100 * (n1 + n2) / (n1 + n2).max()
    ax.scatter(
        c / n2, a / n1, s=size, color=SQUARE, edgecolor=INK, linewidth=0.6, alpha=0.85, gid="trials", clip_on=False
    )
    most = min(1.0, 1.12 * float(max((a / n1).max(), (c / n2).max(), 0.05)))
    p = np.linspace(0, most, 201)
    ax.plot([0, most], [0, most], color=INK, lw=0.8, gid="no effect")
    pooled = {"RR": p * ratio, "RD": p + ratio, "OR": ratio * p / np.where(ratio * p + 1 - p > 0, ratio * p + 1 - p, 1)}
    inside = (pooled[measure] >= 0) & (pooled[measure] <= most)
    ax.plot(p[inside], pooled[measure][inside], color=DIAMOND, lw=1.6, gid="pooled")
    ax.set_xlim(0, most)
    ax.set_ylim(0, most)
    _plain_ticks(ax)
    label(ax, f"Risk, {words[1]}", f"Risk, {words[0]}")
    return figure


def draw_influence(found: Influence, labels: Sequence[str], title: str) -> RecordFigure:
    """Influence diagnostics, a row per trial; trials that a rule of thumb flags are marked."""
    k = len(labels)
    columns = (
        ("Residual", found.rstudent, 0.0),
        ("DFFITS", found.dffits, 0.0),
        ("Cook's D", found.cook_d, None),
        ("Cov. ratio", found.cov_r, 1.0),
        (f"{TAU2} without", found.tau2_del, None),
        ("Weight (%)", found.weight, None),
    )
    note = (
        "Externally studentised residual; change of the pooled effect without the trial (DFFITS, Cook's distance); "
        f"ratio of its variance without and with the trial; {TAU2} without it; weight. "
        "Filled orange: flagged by a rule of thumb of metafor's influence()."
    )
    axes = _rows(title, note, labels, len(columns), 46.0)
    figure, every = axes
    at = np.arange(k)
    for ax, (name, values, line) in zip(every, columns, strict=True):
        for flagged, color in ((False, SQUARE), (True, PREDICTION)):
            which = found.influential == flagged
            ax.plot(values[which], at[which], "o", ms=5, mfc=color, mec=INK, mew=0.6, clip_on=False)
        if line is not None:
            ax.axvline(line, color=INK, lw=0.8, zorder=0)
        shown = values[np.isfinite(values)]
        if line is None:
            ax.set_xlim(0, (1.1 * float(shown.max(initial=0.0))) or 1.0)
        ax.xaxis.set_major_locator(MaxNLocator(2))
        _plain_ticks(ax, y=False)
        ax.set_xlabel(name, fontproperties=font(TEXT_SIZE), color=INK, labelpad=4)
    return figure


def draw_removals(
    result: Pooled,
    labels: Sequence[str],
    whole: tuple[float, float, float],
    title: str,
    measure: str,
    note: str,
    *,
    scale: str,
    null: bool = True,
) -> RecordFigure:
    """A row per pooled result: leave-one-out or cumulative; ``whole`` is estimate and interval of all trials.

    The interval of all trials is the band; rows are in the order of ``result`` (analysis scale).
    """
    ends = natural(whole, scale)
    decimals = None if scale == "log" else difference_decimals(float(ends[2] - ends[1]) / 2)
    texts = [
        effect_text(
            *(float(natural(getattr(result, n)[i], scale)) for n in ("estimate", "ci_lower", "ci_upper")),
            decimals=decimals,
        )
        for i in range(len(labels))
    ]
    right = max(text_width(t, SMALL_SIZE) for t in texts) + 10
    figure, (ax,) = _rows(
        title, f"{note} Band: {level_text(result.level)} interval of all trials.", labels, 1, 165.0, right
    )
    reach = _reach(result, whole, null=null)
    low, high = reach
    for i in range(len(labels)):
        a, b = result.ci_lower[i], result.ci_upper[i]
        if np.isfinite(a) and np.isfinite(b):
            ax.plot([max(a, low), min(b, high)], [i, i], color=INK, lw=1.1, gid=f"interval.{i}")
            for end, edge, mark in ((a, low, "<"), (b, high, ">")):
                if (end < edge) if mark == "<" else (end > edge):
                    ax.plot([edge], [i], mark, ms=4, mfc=INK, mew=0, clip_on=False)
        ax.plot([result.estimate[i]], [i], "s", ms=5.5, mfc=SQUARE, mec=INK, mew=0.6)
        ax.annotate(
            texts[i], (1, i), xycoords=("axes fraction", "data"), xytext=(right - 2, 0), textcoords="offset points",
            ha="right", va="center", fontproperties=font(SMALL_SIZE), color=INK, annotation_clip=False,
        )  # fmt: skip
    if np.isfinite(whole).all():
        ax.axvspan(max(whole[1], low), min(whole[2], high), color=DIAMOND, alpha=0.12, linewidth=0, zorder=0)
    ax.axvline(whole[0], color=DIAMOND, lw=0.9, ls=(0, (3, 2.5)), zorder=1)
    if null:
        ax.axvline(0, color=INK, lw=0.8, zorder=1)
    across(ax, (low, high), scale=scale)
    ax.set_xlabel(measure, fontproperties=font(TEXT_SIZE), color=INK, labelpad=5)
    return figure


def _reach(result: Pooled, whole: tuple[float, float, float], *, null: bool) -> tuple[float, float]:
    """Limits that show the estimates and the usual interval; a few very wide intervals are cut."""
    half = np.nanmedian((result.ci_upper - result.ci_lower) / 2) if np.isfinite(result.ci_upper).any() else 0.5
    core = np.concatenate([result.estimate[np.isfinite(result.estimate)], [0.0] * null, [whole[0]]])
    spread = float(np.ptp(core)) or 1.0
    half = min(float(half), 3 * spread)
    return float(core.min()) - 1.3 * half, float(core.max()) + 1.3 * half


def _rows(
    title: str, note: str, labels: Sequence[str], count: int, width: float, right: float = 0.0
) -> tuple[RecordFigure, list[Axes]]:
    """Panels that share rows, with the trials' names on the left."""
    names = [wrap(text, LABEL if count == 1 else LABEL_OF_SEVERAL, SMALL_SIZE) for text in labels]
    side = max(text_width(t, SMALL_SIZE) for lines in names for t in lines) + 8
    gap, row = 12.0 if count == 1 else 18.0, ROW + LINE * (max(map(len, names)) - 1)
    wanted = side + count * width + (count - 1) * gap + right - LEFT + EDGE
    figure, (first,) = panels(title, note, width=wanted, height=row * len(labels) + 6)
    box, total = first.get_position(), LEFT + wanted + RIGHT
    axes = [first, *(figure.add_axes((0, 0, 1, 1)) for _ in range(count - 1))]
    for i, ax in enumerate(axes):
        ax.set_position(((EDGE + side + i * (width + gap)) / total, box.y0, width / total, box.height))
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.spines["bottom"].set_color(INK)
        ax.tick_params(colors=INK, length=3)
        ax.set_ylim(len(labels) - 0.4, -0.6)
        ax.set_yticks([])
        for y in range(len(labels)):
            ax.axhline(y, color=FAINT, lw=0.3, zorder=0)
    for y, lines in enumerate(names):
        first.annotate(
            "\n".join(lines), (0, y), xycoords=("axes fraction", "data"), xytext=(-side, 0), textcoords="offset points",
            ha="left", va="center", fontproperties=font(SMALL_SIZE), color=INK, annotation_clip=False,
        )  # fmt: skip
    return figure, axes


def _name(ax: Axes, x: np.ndarray, y: np.ndarray, labels: Sequence[str], rank: np.ndarray) -> None:
    """Name the highest ranks where their names do not cover each other or a point."""
    (x0, x1), (y0, y1) = ax.get_xlim(), ax.get_ylim()
    size = ax.get_position().size * np.asarray(ax.figure.get_size_inches()) * 72  # type: ignore[union-attr]
    dots = np.column_stack([(x - x0) / (x1 - x0) * size[0], (y - y0) / (y1 - y0) * size[1]])
    boxes = [(px - 3, py - 3, px + 3, py + 3) for px, py in dots]
    for i in np.argsort(-np.nan_to_num(rank), kind="stable")[:NAMED]:
        wide, high = text_width(labels[i], SMALL_SIZE), SMALL_SIZE
        for ha, up in (("right", 3.0), ("left", 3.0), ("right", -9.0), ("left", -9.0)):
            left = dots[i, 0] + (4 if ha == "left" else -4 - wide)
            box = (left, dots[i, 1] + up, left + wide, dots[i, 1] + up + high)
            apart = all(box[2] < b[0] or box[0] > b[2] or box[3] < b[1] or box[1] > b[3] for b in boxes)
            if apart and box[0] > 0 and box[1] > 0 and box[2] < size[0] + RIGHT:
                note_at(ax, float(x[i]), float(y[i]), labels[i], ha=ha, up=up, color=MUTED)
                boxes.append(box)
                break


def _plain_ticks(ax: Axes, *, y: bool = True) -> None:
    for axis in (ax.xaxis, ax.yaxis) if y else (ax.xaxis,):
        decimals = _decimals(axis.get_majorticklocs())
        axis.set_major_formatter(FuncFormatter(lambda value, _, d=decimals: fixed(value, d)))
        for text in axis.get_ticklabels():
            text.set_fontproperties(font(TEXT_SIZE))


def _decimals(ticks: ArrayLike) -> int:
    values = np.asarray(ticks, dtype=float)
    return next((d for d in range(6) if np.allclose(values, np.round(values, d), atol=1e-9)), 6)
