"""The classic plot of a trial sequential analysis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reweigh.figures.funnel import FAINT, note_at
from reweigh.figures.panels import label, panels
from reweigh.figures.style import DIAMOND, INK, MUTED, PREDICTION, TEXT_SIZE, RecordFigure, font
from reweigh.protocol.model import Protocol
from reweigh.sequential.analysis import SequentialAnalysis
from reweigh.sequential.boundaries import UNREACHABLE
from reweigh.sequential.tables import Found
from reweigh.text.codes import words
from reweigh.text.numbers import fixed
from reweigh.text.sequential import CONCLUSIONS, unreachable

MOST_Z = 8.0


def sequential_figures(
    found: Mapping[str, Found], effects: pd.DataFrame, protocol: Protocol
) -> Iterator[tuple[str, RecordFigure]]:
    """The plot of each analysis that was made, named after it; `effects` is the table of effect sizes."""
    for analysis, one in found.items():
        if one.result is None:
            continue
        row = effects[effects["analysis"] == analysis].iloc[0]
        outcome, window = protocol.outcomes[row["outcome"]], protocol.windows[row["window"]].label or row["window"]
        title = f"{outcome.label}, {window[:1].lower()}{window[1:]}: sequential analysis"
        said = words(one.conclusion, CONCLUSIONS)
        yield analysis, draw_sequential(one.result, title, said, favours=protocol.favours(row["outcome"])[::-1])


def draw_sequential(
    found: SequentialAnalysis,
    title: str,
    said: str = "",
    *,
    unit: str = "participants",
    favours: tuple[str, str] = ("", ""),
) -> RecordFigure:
    """Cumulative Z against information with the boundaries, the futility region and the conventional line.

    Parameters
    ----------
    found
        A trial sequential analysis.
    said
        What it concludes, in words.
    unit
        Of the information.
    favours
        What positive and negative Z favour; printed at the ends of the axis.

    Wetterslev, Thorlund, Brok and Gluud 2008, Journal of Clinical Epidemiology 61:64-75.
    """
    reached = "reached" if found.reached else f"{100 * found.fraction[-1]:.0f}% reached"
    note = (
        f"Cumulative Z after each look (dots) against the information so far; required information "
        f"{found.required:,.0f} {unit} ({reached}). Dashed: conventional \N{PLUS-MINUS SIGN}{found.conventional:.2f}."
    )
    looks = [i for i, why in enumerate(found.boundaries.reason[: len(found.z)]) if why == UNREACHABLE]
    note += f" {unreachable([i + 1 for i in looks], len(found.z))}" * bool(looks)
    note += f" {said[:1].upper()}{said[1:]}." * bool(said)
    if found.undated:
        note += f" Undated trials left out: {', '.join(found.undated)}."
    figure, (ax,) = panels(title, note, height=175.0)
    at = found.boundaries.fraction * found.required
    upper = found.boundaries.upper * (found.direction if found.design.sides == 1 else 1)
    top = min(MOST_Z, float(np.nanmax(np.abs(np.concatenate([found.z, [4.0], upper[np.isfinite(upper)]])))) + 0.5)
    x_max = 1.05 * max(found.required, float(found.information[-1]))
    for values in (upper, -upper) if found.design.sides == 2 else (upper,):
        shown = np.where(np.abs(values) <= top, values, np.sign(values) * top)
        ok = np.isfinite(values)
        ax.plot(at[ok], shown[ok], color=PREDICTION, lw=1.5, marker="o", ms=2.5, gid="boundary", zorder=3)
    if found.futility is not None:
        inner = found.futility.upper * (found.direction if found.design.sides == 1 else 1)
        ok = np.isfinite(inner)
        for values in (inner, -inner) if found.design.sides == 2 else (inner,):
            ax.plot(at[ok], values[ok], color=FAINT, lw=1.3, gid="futility", zorder=3)
        if found.design.sides == 2:
            ax.fill_between(at[ok], inner[ok], -inner[ok], color=FAINT, alpha=0.15, linewidth=0, zorder=0)
    for sign in (-1, 1) if found.design.sides == 2 else (found.direction,):
        ax.axhline(sign * found.conventional, color=MUTED, lw=0.9, ls=(0, (3, 2.5)), zorder=1)
        # A look whose boundary is unreachable has a hollow arrowhead at the edge: what it asks for lies beyond.
        if looks:
            ax.plot(
                at[looks], np.full(len(looks), sign * top), ls="none", marker="^" if sign > 0 else "v", ms=5,
                mfc="white", mec=PREDICTION, gid="unreachable", zorder=3,
            )  # fmt: skip
    ax.axhline(0, color=INK, lw=0.8, zorder=1)
    ax.axvline(found.required, color=INK, lw=1.0, zorder=2, gid="required")
    # The words of the sides stand where the line of the required information does not.
    early = found.required < x_max / 2
    side: dict[str, Any] = {"x": x_max, "ha": "right"} if early else {"x": 0.0}
    note_at(ax, found.required, top + 0.5, f"{found.required:,.0f}", ha="left" if early else "right")
    ax.plot([0.0, *found.information], [0.0, *np.clip(found.z, -top, top)], color=DIAMOND, lw=1.8, zorder=4, gid="z")
    ax.plot(found.information, np.clip(found.z, -top, top), "o", ms=4.5, color=DIAMOND, zorder=5, clip_on=False)
    ax.set_xlim(0, x_max)
    ax.set_ylim(-top - 1.6, top + 1.6)
    ax.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: fixed(value, 0)))
    for text in (*ax.get_xticklabels(), *ax.get_yticklabels()):
        text.set_fontproperties(font(TEXT_SIZE))
    positive, negative = favours
    if positive:
        note_at(ax, y=top + 0.5, text=positive, color=MUTED, **side)
    if negative:
        note_at(ax, y=-top - 1.5, text=negative, color=MUTED, **side)
    label(ax, f"Information ({unit})", "Cumulative Z")
    return figure
