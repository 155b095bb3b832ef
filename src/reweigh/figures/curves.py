"""Specification curve of a multiverse, and drapery plot (p-value functions)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import ArrayLike

from reweigh.figures.funnel import FAINT, across
from reweigh.figures.panels import BOTTOM, EDGE, LEFT, RIGHT, effect_axis, label, panels
from reweigh.figures.style import (
    DIAMOND,
    INK,
    MUTED,
    PAGE_WIDTH,
    PREDICTION,
    SMALL_SIZE,
    TEXT_SIZE,
    RecordFigure,
    font,
    symbols,
    text_width,
)
from reweigh.measures import MEASURE_LABELS, scale_of
from reweigh.protocol.models import INTERVAL_LABELS
from reweigh.quantile import two_sided_p
from reweigh.robustness.multiverse import AS_POOLED, Multiverse
from reweigh.text.numbers import level_text

#: Lengths in points: a line of the choices, gap between two choices.
LINE, GAP = 10.0, 5.0
MOST_DRAWN = 600


def draw_specifications(
    found: Multiverse, title: str, level: float, *, labels: Mapping[str, str] | None = None
) -> RecordFigure:
    """Every combination of the choices sorted by its benefit, with its interval, and its options below.

    Parameters
    ----------
    found
        The multiverse.
    level
        Of its intervals.
    labels
        Words for choices and options (by `choice`, `choice.option` or `option`), where their names do not do.

    Simonsohn, Simmons and Nelson 2020, Nature Human Behaviour 4:1208-14.
    """
    words = labels or {}
    every = found.analyses.iloc[found.specifications["analysis"]].reset_index(drop=True)
    # The combinations that are one analysis stand together.
    order = np.lexsort([found.specifications["analysis"].to_numpy(), every["benefit"].to_numpy(dtype=float)])
    order = order[: int(every["benefit"].notna().sum())]
    rows, chosen = every.iloc[order], found.specifications.iloc[order]
    # Analyses of one measure are drawn in its own unit.
    measures = rows["measure"].unique()
    measure = str(measures[0]) if len(measures) == 1 and measures[0] in MEASURE_LABELS else ""
    ratio = 1.0 if measure else (rows["benefit"] / rows["estimate"]).to_numpy(dtype=float)
    benefit = rows["estimate" if measure else "benefit"].to_numpy(dtype=float)
    ends = np.sort(np.stack([rows["ci_lower"] * ratio, rows["ci_upper"] * ratio]), axis=0)
    n, sure = len(rows), rows["excludes_no_effect"].fillna(False).to_numpy(dtype=bool)
    directed = found.unit != AS_POOLED
    null = directed or bool(rows["excludes_no_effect"].notna().any())
    near = (rows["estimate"] / rows["benefit"]).median() if measure else 1.0
    important = float(near) if found.unit.startswith("smallest") and np.isfinite(near) else None
    main = np.flatnonzero(order == 0)
    every_nth = -(-n // MOST_DRAWN) if n else 1
    drawn = np.arange(0, n, every_nth)
    missing = len(found.specifications) - n
    note = (
        f"{len(found.specifications):,} combinations of the choices below, {len(found.analyses):,} distinct analyses"
        + (f"; {missing:,} combinations leave no trial with a result" if missing else "")
        + f". Vertical lines: {level_text(level)} intervals"
        + f"{', dark where they exclude no effect' * null}; long ones are cut. "
        + ("The benefit grows to the right. " if directed and measure else "")
        + ("Above 0 favours the intervention. " if directed and not measure else "")
        + (f"Unit, as the measures differ: {found.unit}. " if not measure else "")
        + "Orange: the main analysis"
        + ("; dashed: the smallest important difference." if important is not None else ".")
        + (f" Of the sorted combinations one in {every_nth} is drawn." if every_nth > 1 else "")
    )
    options = [(choice, option) for choice, values in found.choices.items() if len(values) > 1 for option in values]
    heads = list(dict.fromkeys(choice for choice, _ in options))
    named = [words.get(f"{c}.{o}", words.get(o, INTERVAL_LABELS.get(o, o.replace("_", " ")))) for c, o in options]
    named = [symbols(name) for name in named]
    head_words = [symbols(words.get(c, c.replace("_", " "))) for c in heads]
    wide = max([text_width(t, SMALL_SIZE) for t in named] + [0.0]) + 10
    wider = max([text_width(t, SMALL_SIZE, "bold") for t in head_words] + [0.0]) + 12
    side = max(LEFT, EDGE + wide + wider)
    # What the choices' names leave of a page; one line of room where no choice makes a difference.
    curve = max(PAGE_WIDTH - side - RIGHT, 200.0)
    top_height, low_height = 150.0, max(LINE * len(options) + GAP * len(heads), LINE)
    figure, (ax,) = panels(title, note, width=curve + side - LEFT, height=top_height + low_height + 8 - BOTTOM + GAP)
    box, size = ax.get_position(), figure.get_size_inches() * 72
    left, width = box.x0 + (side - LEFT) / size[0], curve / size[0]
    # Nothing stands below the panel: no room is needed there.
    low, foot = low_height / size[1], box.y0 - (BOTTOM - GAP) / size[1]
    ax.set_position((left, foot + low + 8 / size[1], width, top_height / size[1]))
    below = figure.add_axes((left, foot, width, low))
    thin = min(2.0, 250.0 / max(len(drawn), 1))
    middle = np.concatenate([benefit, [0.0] * null, [important] * (important is not None)])
    middle = middle if middle.size else np.zeros(1)  # no combination has a result
    spread = np.ptp(middle) or 1.0
    reach = (float(np.nanmin(ends)), float(np.nanmax(ends))) if np.isfinite(ends).any() else (0.0, 0.0)
    low_end = max(middle.min() - 0.9 * spread, min(reach[0], middle.min()) - 0.08 * spread)
    limits = low_end, min(middle.max() + 0.9 * spread, max(reach[1], middle.max()) + 0.08 * spread)
    for which, color, name in ((~sure, FAINT, "includes"), (sure, DIAMOND, "excludes")):
        at = drawn[which[drawn]]
        bars = np.clip(ends[:, at], *limits)
        path_y = np.stack([bars[0], bars[1], np.full(len(at), np.nan)], axis=1).ravel()
        path_x = np.repeat(at, 3).astype(float)
        ax.plot(path_x, path_y, color=color, lw=thin, alpha=0.8, zorder=1, gid=f"interval.{name}")
    ax.plot(drawn, benefit[drawn], "o", ms=2.2, color=INK, zorder=3, gid="estimates")
    ax.plot(main, benefit[main], "D", ms=7, mfc="none", mec=PREDICTION, mew=1.6, zorder=4, gid="main", clip_on=False)
    ax.set_xlim(-1, n)
    ax.set_ylim(*limits)
    if null:
        ax.axhline(0, color=INK, lw=0.8, zorder=2)
    if important is not None:
        ax.axhline(important, color=PREDICTION, lw=0.9, ls=(0, (3, 2.5)), zorder=2)
    ax.xaxis.set_major_locator(NullLocator())
    if measure:
        effect_axis(ax, limits, scale=scale_of(measure), null=False)
    label(ax, "", MEASURE_LABELS[measure] if measure else f"{'Benefit' if directed else 'Estimate'} ({found.unit})")
    for tick in ax.get_yticklabels():
        tick.set_fontproperties(font(TEXT_SIZE))
    below.axis("off")
    below.set_xlim(-1, n)
    below.set_ylim(low_height, 0)
    y = 0.0
    for choice, name in zip(heads, head_words, strict=True):
        y += GAP
        _side(below, -(side - EDGE), y + LINE / 2, name, width=curve, bold=True)
        for option, text in ((o, w) for (c, o), w in zip(options, named, strict=True) if c == choice):
            at = drawn[(chosen[choice] == option).to_numpy()[drawn]]
            # Neighbours make one bar.
            runs = np.split(at, np.flatnonzero(np.diff(at) > every_nth) + 1) if len(at) else []
            ends_of = np.array([[run[0] - every_nth / 2, run[-1] + every_nth / 2, np.nan] for run in runs])
            across_y = np.full(ends_of.size, y + LINE / 2)
            below.plot(
                ends_of.ravel(),
                across_y,
                color=MUTED,
                lw=LINE - 4,
                gid=f"option.{choice}.{option}",
            )
            _side(below, -6.0, y + LINE / 2, text, width=curve)
            y += LINE
    return figure


def _side(ax: Axes, points: float, y: float, text: str, *, width: float, bold: bool = False) -> None:
    """Text left of the axes, `points` from their left edge; aligned right unless bold."""
    ax.text(
        points / width, y, text, transform=ax.get_yaxis_transform(), ha="left" if bold else "right", va="center",
        fontproperties=font(SMALL_SIZE, "bold" if bold else "normal"), color=INK if bold else MUTED,
    )  # fmt: skip


def draw_drapery(
    yi: ArrayLike,
    vi: ArrayLike,
    estimate: float,
    se: float,
    df: float,
    title: str,
    measure: str,
    *,
    scale: str,
    null: bool = True,
) -> RecordFigure:
    """P-value function of every trial (normal) and of the pooled effect (t with ``df``, infinite for the normal).

    ``yi``, ``vi`` (k,), ``estimate`` and ``se`` on the analysis scale. Rücker and Schwarzer 2021, Research Synthesis
    Methods 12:308-22.
    """
    y, s = np.asarray(yi, dtype=float), np.sqrt(np.asarray(vi, dtype=float))
    seen = [0.0] if null else [estimate]
    ends = np.concatenate([y - 3 * s, y + 3 * s, [*seen, estimate]])
    typical = float(np.median(s))
    low = max(float(ends.min()), min(*seen, float(y.min())) - 4 * typical)
    high = min(float(ends.max()), max(*seen, float(y.max())) + 4 * typical)
    grid = np.linspace(low, high, 401)
    note = (
        "P-value function: the two-sided P of every value as hypothesis. Thin: trials (normal); thick: pooled effect. "
        "Where a curve crosses P = 0.05 its 95% interval ends."
    )
    figure, (ax,) = panels(title, note)
    for i, (centre, spread) in enumerate(zip(y, s, strict=True)):
        p = two_sided_p((grid - centre) / spread, np.full(grid.size, np.inf))
        ax.plot(grid, p, color=FAINT, lw=0.7, zorder=1, gid=f"trial.{i}")
    if np.isfinite(se) and se > 0:
        p = two_sided_p((grid - estimate) / se, np.full(grid.size, df))
        ax.plot(grid, p, color=DIAMOND, lw=2.0, zorder=3, gid="pooled")
    across(ax, (low, high), scale=scale)
    ax.set_ylim(0, 1.02)
    ticks = [0.05, 0.25, 0.5, 0.75, 1.0]
    ax.yaxis.set_major_locator(FixedLocator(ticks))
    ax.set_yticklabels([f"{t:g}" for t in ticks], fontproperties=font(TEXT_SIZE))
    ax.axhline(0.05, color=PREDICTION, lw=0.8, ls=(0, (3, 2.5)), zorder=2)
    if null and low < 0 < high:
        ax.axvline(0, color=INK, lw=0.8, zorder=0)
    label(ax, measure, "P")
    return figure
