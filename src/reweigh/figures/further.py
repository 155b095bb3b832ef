"""Figures beside the forest plots: sweeps of the crossover correlation and bubble plots of meta-regressions."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from reweigh.figures.style import RecordFigure
from reweigh.measures import MEASURE_LABELS
from reweigh.pool.moderators import regressions
from reweigh.protocol.model import Protocol


def sweeps(
    effects: pd.DataFrame, trials: pd.DataFrame, pooled: pd.DataFrame, protocol: Protocol
) -> Iterator[tuple[str, RecordFigure]]:
    """One figure per main analysis with a crossover trial: name and figure."""
    for analysis, of_trials in trials.groupby("analysis", sort=False):
        from reweigh.figures.sweep import draw_sweep  # seaborn is slow to import: only where something is drawn

        first = effects[effects["analysis"] == analysis].iloc[0]
        of_pool = pooled[pooled["analysis"] == analysis]
        if of_pool.empty:  # the margins allow one value of phi only: there is nothing to sweep
            continue
        title = f"{_title(first, protocol)}: how much rests on the crossover correlation"
        assumed, measure = protocol.assumptions, MEASURE_LABELS[str(first["measure"])]
        own = assumed.crossover_phi if of_trials["parameter"].iloc[0] == "phi" else assumed.crossover_correlation
        yield str(analysis), draw_sweep(of_trials, of_pool, title, measure, own)


def bubbles(effects: pd.DataFrame, protocol: Protocol) -> Iterator[tuple[str, RecordFigure]]:
    """One figure per meta-regression with a single continuous moderator: name and figure."""
    for (analysis, name), one in regressions(effects, protocol).items():
        moderators = protocol.meta_regression[name].moderators
        if one.fit is None or len(moderators) > 1 or moderators[0] in {*protocol.categories, *protocol.groupings}:
            continue
        from reweigh.figures.bubble import draw_bubble  # see above

        group = one.effects
        words = protocol.meta_regression[name].label or moderators[0].replace("_", " ")
        title = f"{_title(group.iloc[0], protocol)}, by {words[:1].lower()}{words[1:]}"
        measure = MEASURE_LABELS[str(group["measure"].iloc[0])]
        yield f"{analysis}.{name}", draw_bubble(group, one.fit, moderators[0], title, measure, words)


def _title(row: pd.Series, protocol: Protocol) -> str:
    window = protocol.windows[str(row["window"])].label or str(row["window"])
    return f"{protocol.outcomes[str(row['outcome'])].label}, {window[:1].lower()}{window[1:]}"
