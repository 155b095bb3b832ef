"""A forest plot on the axes of somebody else's figure: marks as in ours, its size and its labels left to the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from reweigh.figures.axis import axis_limits
from reweigh.figures.funnel import across
from reweigh.figures.style import DIAMOND, INK, PREDICTION, SQUARE, TEXT_SIZE, clean, font
from reweigh.io import records
from reweigh.measures import natural
from reweigh.text.numbers import difference_decimals, effect_text, interval_text, level_text

#: Side of the heaviest trial's square in points.
LARGEST = 9.0


def forest_on(
    ax: Axes, trials: pd.DataFrame, pooled: Mapping[str, float], *, scale: str, null: bool, measure: str, level: float,
    title: str = "", favours: tuple[str, str] = ("", ""),
) -> Figure:  # fmt: skip
    """Draw trials and their pooled effect on axes that are there; returns their figure.

    Parameters
    ----------
    trials
        label, estimate, ci_lower, ci_upper (analysis scale) and weight (percent), a row each in printed order.
    pooled
        estimate, ci_lower, ci_upper, pi_lower, pi_upper, analysis scale; NaN where there is none.
    scale, null, measure, level
        Analysis scale, whether 0 there is no effect, what stands below the axis, level of the intervals.
    """
    k = len(trials)
    lines: list[dict[str, Any]] = [{"kind": "study", **row} for row in records(trials)]
    overall: dict[str, Any] = {"kind": "overall", "label": "Overall", **pooled}
    several = k > 1 and np.isfinite(pooled["estimate"])
    if several:
        lines.append(overall)
    if several and np.isfinite(pooled["pi_lower"]):
        ends = {"estimate": np.nan, "ci_lower": pooled["pi_lower"], "ci_upper": pooled["pi_upper"]}
        lines.append({"kind": "prediction", "label": "Prediction interval", **ends})
    table = pd.DataFrame(lines)
    across(ax, axis_limits(table, scale=scale, null=null), scale=scale)
    low, high = ax.get_xlim()
    heaviest = trials["weight"].max() if k else np.nan
    decimals = None
    if scale != "log":
        main = overall if several else lines[0]
        decimals = difference_decimals(float(np.ptp(natural([main["ci_lower"], main["ci_upper"]], scale))) / 2)
    # A line's height apart, a little more before the pooled effect.
    heights = [float(i) if one["kind"] == "study" else i + 0.4 for i, one in enumerate(lines)]
    for y, one in zip(heights, lines, strict=True):
        a, b = np.clip([one["ci_lower"], one["ci_upper"]], low, high)
        if one["kind"] == "overall":
            corners = [(a, y), (one["estimate"], y - 0.3), (b, y), (one["estimate"], y + 0.3)]
            ax.add_patch(Polygon(corners, closed=True, fc=DIAMOND, ec=DIAMOND, lw=0.8, zorder=3, gid="overall"))
        elif one["kind"] == "prediction":
            ax.plot([a, b], [y, y], color=PREDICTION, lw=3, zorder=3, gid="prediction")
        else:
            share = one["weight"] / heaviest if np.isfinite(one["weight"]) else 0.6
            ax.plot([a, b], [y, y], color=INK, lw=1.1, zorder=2)
            if low <= one["estimate"] <= high:
                size = max(2.0, LARGEST * share**0.5)
                ax.plot([one["estimate"]], [y], "s", ms=size, mfc=SQUARE, mec=INK, mew=0.6, zorder=3, gid="trial")
            for end, edge, marker in ((one["ci_lower"], low, "<"), (one["ci_upper"], high, ">")):
                if not low <= end <= high:
                    ax.plot([edge], [y], marker, ms=4, color=INK, zorder=3, clip_on=False)
        values = natural([one["estimate"], one["ci_lower"], one["ci_upper"]], scale).tolist()
        said = effect_text(*values, decimals=decimals)
        if one["kind"] == "prediction":
            said = interval_text(*values[1:], decimals=decimals)
        place: dict[str, Any] = {
            "transform": ax.get_yaxis_transform(),
            "va": "center",
            "fontproperties": font(TEXT_SIZE),
        }
        ax.text(1.02, y, said, color=INK, **place)
    if null and low < 0 < high:
        ax.axvline(0, color=INK, lw=0.8, zorder=1)
    if several:
        ax.plot([pooled["estimate"]] * 2, [-0.5, heights[k]], color=DIAMOND, lw=0.8, ls=(0, (3, 2.5)), zorder=1)
    ax.set_yticks(heights, [clean(one["label"]) for one in lines], fontproperties=font(TEXT_SIZE))
    ax.set_ylim(heights[-1] + 0.7, -0.7)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    sides = f"{favours[0]} \N{LEFTWARDS ARROW}   \N{RIGHTWARDS ARROW} {favours[1]}" if any(favours) else ""
    below = "\n".join(filter(None, [f"{measure} ({level_text(level)} CI)", sides]))
    ax.set_xlabel(below, fontproperties=font(TEXT_SIZE), color=INK)
    if title:
        ax.set_title(title, fontproperties=font(TEXT_SIZE, "bold"), loc="left", color=INK)
    return ax.get_figure(root=True)  # type: ignore[return-value]
