"""Bubble plot of a meta-regression with one continuous moderator."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns

from reweigh.figures.panels import effect_axis, label, panels
from reweigh.figures.style import DIAMOND, INK, SQUARE, SUBTOTAL, TEXT_SIZE, RecordFigure, font
from reweigh.measures import MEASURES
from reweigh.pool.regression import MetaRegression, predict
from reweigh.text.numbers import fixed, p_text


def draw_bubble(
    effects: pd.DataFrame, fit: MetaRegression, moderator: str, title: str, measure: str, unit: str
) -> RecordFigure:
    """Effects against a moderator, areas by weight, with the regression line, its interval and prediction interval.

    Parameters
    ----------
    effects
        Rows of effects.csv of the analysis, with the moderator as a column.
    fit
        Regression with an intercept and this moderator alone.
    moderator
        Column of the moderator.
    title, measure, unit
        Words above, at the y axis, at the x axis.
    """
    x = effects[moderator].to_numpy(dtype=float)
    y, weight = effects["estimate"].to_numpy(dtype=float), np.asarray(fit.weights, dtype=float).ravel()
    scale, null = str(effects["scale"].iloc[0]), MEASURES[str(effects["measure"].iloc[0])].null
    note = (
        f"Area by weight. Line with {100 * fit.level:g}% CI (band) and prediction interval (dashed). "
        f"{fit.tau2_method}, {'Knapp-Hartung' if fit.test != 'wald' else 'Wald'}: {p_text(fit.qm_p_value)} for the "
        f"moderator, R\N{SUPERSCRIPT TWO} = {fixed(fit.r2, 0)}%, residual \N{GREEK SMALL LETTER TAU}"
        f"\N{SUPERSCRIPT TWO} = {fixed(fit.tau2, 3)}, k = {fit.k}."
    )
    figure, (ax,) = panels(title, note, height=160.0)
    grid = np.linspace(x.min(), x.max(), 80)
    line = predict(fit, np.column_stack([np.ones_like(grid), grid]))
    ax.fill_between(grid, line["ci_lower"], line["ci_upper"], color=SUBTOTAL, alpha=0.4, linewidth=0)
    sns.lineplot(x=grid, y=line["estimate"], ax=ax, color=DIAMOND, linewidth=1.5, errorbar=None)
    for name in ("pi_lower", "pi_upper"):
        ax.plot(grid, line[name], color=DIAMOND, linewidth=0.8, linestyle="--")
    sns.scatterplot(
        x=x,
        y=y,
        size=weight,
        sizes=(10, 110),
        ax=ax,
        color=SQUARE,
        edgecolor=INK,
        linewidth=0.6,
        alpha=0.85,
        legend=False,
    )
    ends = np.concatenate([y, line["pi_lower"], line["pi_upper"]])
    room = 0.06 * float(np.ptp(ends))
    effect_axis(ax, (float(ends.min()) - room, float(ends.max()) + room), scale=scale, null=null)
    label(ax, unit, measure)
    for text in ax.get_xticklabels():
        text.set_fontproperties(font(TEXT_SIZE))
    return figure
