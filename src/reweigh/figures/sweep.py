"""What the assumed correlation of crossover trials does to their standard errors and to the pooled effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns

from reweigh.figures.panels import decimal_axis, effect_axis, label, panels
from reweigh.figures.style import DIAMOND, INK, MUTED, SUBTOTAL, TEXT_SIZE, RecordFigure, font

MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
NAMES = {"r": "Correlation r of the two periods", "phi": "Correlation φ of the two periods"}


def draw_sweep(trials: pd.DataFrame, pooled: pd.DataFrame, title: str, measure: str, own: float) -> RecordFigure:
    """Two panels: standard error of each crossover trial, and pooled effect with its interval, by correlation.

    Parameters
    ----------
    trials, pooled
        Rows of crossover_sweep.csv and crossover_sweep_pooled.csv of one analysis.
    title
        Printed above.
    measure
        Name of the effect measure in words.
    own
        The protocol's correlation, which no trial may reach: values of phi end where its margins do.
    """
    parameter, scale = (str(trials[name].iloc[0]) for name in ("parameter", "scale"))
    one = pooled["k"].iloc[0] == 1
    note = (
        f"The dotted line is the protocol's {parameter} = {own:g}. "
        + (
            "Lines of binary outcomes end at the largest phi that the trial's margins allow. "
            if parameter == "phi"
            else ""
        )
        + (
            "Below: the one trial with its interval."
            if one
            else f"Below: {pooled['model'].iloc[0]}, all trials, with CI."
        )
    )
    figure, (left, right) = panels(title, note, 2, height=120.0, stacked=True)
    colours = sns.color_palette("colorblind", trials["comparison_id"].nunique())
    for i, (_, trial) in enumerate(trials.groupby("comparison_id", sort=False)):
        sns.lineplot(
            x=trial["correlation"].to_numpy(), y=trial["se"].to_numpy(), ax=left, color=colours[i],
            marker=MARKERS[i % len(MARKERS)], markersize=5, linewidth=1.2, label=str(trial["label"].iloc[0]),
            errorbar=None,
        )  # fmt: skip
    left.set_ylim(0, 1.18 * float(trials["se"].max()))
    left.legend(prop=font(TEXT_SIZE), frameon=False, loc="best", labelcolor=INK)
    label(left, NAMES[parameter], "Standard error" + (" of the log ratio" if scale == "log" else ""))
    x = pooled["correlation"].to_numpy(dtype=float)
    low, high = pooled["ci_lower"].to_numpy(dtype=float), pooled["ci_upper"].to_numpy(dtype=float)
    right.fill_between(x, low, high, color=SUBTOTAL, alpha=0.45, linewidth=0)
    sns.lineplot(x=x, y=pooled["estimate"].to_numpy(), ax=right, color=DIAMOND, marker="D", markersize=5, errorbar=None)
    ends = np.append(np.concatenate([low, high])[np.isfinite(np.concatenate([low, high]))], 0.0)
    room = 0.08 * max(float(ends.max() - ends.min()), 1e-6)
    effect_axis(right, (float(ends.min()) - room, float(ends.max()) + room), scale=scale)
    label(right, NAMES[parameter], measure)
    for ax in (left, right):
        ax.axvline(own, color=MUTED, linewidth=0.8, linestyle=":", zorder=0)
        ax.set_xlim(0.05, float(trials["correlation"].max()) + 0.05)
        decimal_axis(ax)
    return figure
