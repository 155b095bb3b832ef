"""Figures and the page of one meta-analysis; apart, so that a notebook without figures loads no matplotlib."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reweigh.api.printed import texts
from reweigh.figures.forest.draw import draw_forest
from reweigh.figures.forest.on_axes import forest_on
from reweigh.figures.forest.table import WEIGHT, ForestMeta, forest_table
from reweigh.figures.funnel import draw_funnel, funnel_on
from reweigh.figures.svg import render
from reweigh.measures import MEASURE_LABELS, MEASURES, natural
from reweigh.pool import subgroups
from reweigh.pool.summarise import I2_DEFINITIONS, numbers_of
from reweigh.quantile import z_critical
from reweigh.report.single import Section, single_page
from reweigh.robustness.small_study import MINIMUM
from reweigh.text.numbers import level_text

if TYPE_CHECKING:
    from reweigh.api.analysis import Meta, Words


def _label(m: Meta) -> str:
    return MEASURE_LABELS.get(m.measure, m.measure) + (f" ({m.unit})" if m.unit else "")


def _rows(m: Meta) -> pd.DataFrame:
    """The trials as a forest plot takes them."""
    half = z_critical(m.level) * np.sqrt(m.trials.vi)
    limits = {"ci_lower_natural": m.trials.yi - half, "ci_upper_natural": m.trials.yi + half}
    return m.effects.assign(
        **{name: natural(values, m.scale) for name, values in limits.items()}, **{WEIGHT: m.weights.to_numpy()}
    )


def _line(m: Meta) -> dict[str, object]:
    """What every row of pooled.csv of this analysis says of its model."""
    own = m.model
    return {
        "model": own.name, "tau2_method": own.tau2, "ci_method": own.interval, "pooling": own.pooling,
        "level": m.level, "scale": m.scale, "i2_definition": I2_DEFINITIONS[own.i2],
        "pi_method": own.prediction_interval,
    }  # fmt: skip


def forest(m: Meta, ax: Axes | None, by: object, said: Words) -> Figure:
    """See `Meta.forest`."""
    if not len(m.names):
        raise ValueError("there is no trial to draw")
    trials = _rows(m)
    if ax is not None:
        if by is not None:
            raise ValueError("subgroups are drawn in a figure of its own: forest(by=...) without ax")
        table = trials[["label"]].assign(estimate=m.trials.yi, weight=m.weights.to_numpy())
        table[["ci_lower", "ci_upper"]] = m.trial_table()[["ci_lower", "ci_upper"]].to_numpy()
        whole = {name: getattr(m, name) for name in ("estimate", "ci_lower", "ci_upper", "pi_lower", "pi_upper")}
        return forest_on(
            ax, table, whole, scale=m.scale, null=MEASURES[m.measure].null, measure=_label(m), level=m.level,
            title=m.title, favours=said.favours,
        )  # fmt: skip
    row = numbers_of(m.pooled, 0, m.model) | _line(m) | {"comparisons": m.k, "k": m.k, "note_codes": m._codes}
    parts = None
    if by is not None:
        name, values = m._grouped(by)
        found = subgroups.subgroups(m.trials, values.tolist(), m.model, level=m.level)
        # The trials carry the column under a name that no column of theirs has.
        trials = trials.assign(**{f"by {name}": values.astype(str).to_numpy()})
        test = {n: getattr(found, n) for n in ("q_between", "q_between_df", "q_between_p_value")}
        head = _line(m) | test | {"column": f"by {name}", "q_between_note_codes": found.reason}
        rows = zip(found.labels, m._subgroup_rows(found), strict=True)
        parts = pd.DataFrame([{**values, **head, "subgroup": str(label)} for label, values in rows])
    meta = ForestMeta(
        title=m.title, measure_label=_label(m), intervention=said.groups[0], control=said.groups[1],
        favours_left=said.favours[0], favours_right=said.favours[1], scale=m.scale,
        null=MEASURES[m.measure].null, level=m.level, sort="protocol",
    )  # fmt: skip
    return draw_forest(forest_table(trials, pd.DataFrame([row] if m.k else []), parts, meta), meta)


def funnel(m: Meta, ax: Axes | None = None, contours: bool = False, fill: bool = False) -> Figure:
    """See `Meta.funnel`."""
    if not m.k:
        raise ValueError("there is no trial to draw")
    filled, estimate = None, m.estimate
    if fill:
        found = m.trim_fill()
        filled, estimate = (found.filled["yi"], found.filled["vi"]), float(found.estimate)
    null = MEASURES[m.measure].null
    if ax is None:
        title = m.title or "Funnel plot"
        return draw_funnel(
            m.trials.yi, m.trials.vi, estimate, title, _label(m), scale=m.scale, null=null, level=m.level,
            contours=contours, filled=filled,
        )  # fmt: skip
    funnel_on(
        ax, m.trials.yi, m.trials.vi, estimate, _label(m), scale=m.scale, null=null, level=m.level, contours=contours,
        filled=filled,
    )  # fmt: skip
    return ax.get_figure(root=True)  # type: ignore[return-value]


def page(m: Meta) -> str:
    """The page of `Meta.report`."""
    on = _label(m) + ("" if m.scale == "natural" else ", natural scale")
    sections = [Section("Result", text=str(replace(m, title="")))]
    drawn = [("Forest plot", m.forest()), *([("Funnel plot", m.funnel())] if m.k > 1 else [])] if len(m.names) else []
    sections += [Section(name, svg=render(figure, "svg").decode("utf-8")) for name, figure in drawn]
    sections.append(Section("Trials", text=on, table=texts(m.trial_table(natural=True), {"weight": 2})))
    if m.k > 1:
        if m.model.tau2 != "EE":
            heading = f"Heterogeneity with {level_text(m.level)} intervals"
            sections.append(Section(heading, text="Q-profile (Viechtbauer 2007)", table=texts(m.tau2_ci())))
        without = m.leave_one_out()[["p_value", "tau2", "i2"]]
        without = pd.concat([m.leave_one_out(natural=True), without], axis=1)
        sections.append(Section("Leave one out", text=on, table=texts(without, {"i2": 2})))
    if m.k >= MINIMUM:
        sections.append(Section("Egger’s test", text=str(m.egger())))
    return single_page(m.title or f"Meta-analysis: {_label(m).lower()}", sections)
