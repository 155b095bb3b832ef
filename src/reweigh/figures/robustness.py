"""Which robustness figures a review has: every main analysis, everything that its number of trials allows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from reweigh.figures.curves import draw_drapery, draw_specifications
from reweigh.figures.diagnostics import draw_baujat, draw_influence, draw_labbe, draw_radial, draw_removals
from reweigh.figures.funnel import draw_funnel
from reweigh.figures.gosh import draw_gosh
from reweigh.figures.style import RecordFigure
from reweigh.measures import COUNT_MEASURES, MEASURE_LABELS, MEASURES, natural
from reweigh.pool.refit import COUNTS, refit
from reweigh.protocol.model import Protocol
from reweigh.robustness.adjusted import trim_and_fill
from reweigh.robustness.multiverse import Multiverse
from reweigh.robustness.removal import influence, leave_one_out
from reweigh.robustness.subsets import Subsets, split
from reweigh.robustness.tables import Analysis
from reweigh.sequential.cumulative import chronological, cumulative

#: What figures of asymmetry say below the protocol's `minimum_trials` (ten: Sterne and others 2011, BMJ 343:d4002).
FEW = " Few trials ({k}, fewer than {least}): asymmetry cannot be told from chance."


class Figure(NamedTuple):
    """One figure: its kind ("funnel", "gosh" ...), the analysis, and the drawing."""

    kind: str
    analysis: str
    figure: RecordFigure


def robustness_figures(
    effects: pd.DataFrame,
    protocol: Protocol,
    subsets: Mapping[str, Subsets],
    multiverses: Mapping[str, Multiverse],
) -> Iterator[Figure]:
    """Figures of every main analysis of two trials or more, then the specification curves.

    Parameters
    ----------
    effects
        effects.csv.
    protocol
        The protocol.
    subsets, multiverses
        By analysis, as `tables.subset_tables` and `tables.multiverse_tables` give them.
    """
    main = effects[effects["set"] == "main"]
    for analysis, group in main.groupby("analysis", sort=False):
        one = Analysis(group, protocol)
        if one.k >= 2 and not one.cannot:
            for kind, figure in _of_analysis(one, subsets.get(str(analysis))):
                yield Figure(kind, str(analysis), figure)
    words = {name: chosen.label for name, chosen in protocol.sets.items()}
    for choice, options in protocol.multiverse.choices.items() if protocol.multiverse else ():
        words |= {f"{choice}.{name}": option.label for name, option in options.items() if option.label}
    for analysis, found in multiverses.items():
        outcome, _, window = analysis.partition(".")
        title = f"{heading(protocol, outcome, window)}: every defensible analysis"
        drawn = draw_specifications(found, title, protocol.level_of(outcome), labels=words)
        yield Figure("specifications", analysis, drawn)


def heading(protocol: Protocol, outcome: str, window: str) -> str:
    """`Pain intensity, week 4`."""
    words = protocol.windows[window].label or window
    return f"{protocol.outcomes[outcome].label}, {words[:1].lower()}{words[1:]}"


def _of_analysis(one: Analysis, cloud: Subsets | None) -> Iterator[tuple[str, RecordFigure]]:
    trials, model, y, v = one.trials, one.model, one.trials.yi, one.trials.vi
    labels, level = one.labels, one.level
    head = heading(one.protocol, str(one.identity["outcome"]), str(one.identity["window"]))
    measure, null = MEASURE_LABELS[one.measure], MEASURES[one.measure].null
    drawn: dict[str, Any] = {"scale": one.scale, "null": null}
    whole = refit(trials, model, level=level)
    estimate, tau2 = float(whole.estimate[0]), float(whole.tau2[0])
    band = (estimate, float(whole.ci_lower[0]), float(whole.ci_upper[0]))
    removals = one.removals()
    # Without one of two trials the other is left: the forest plot shows both.
    if len(removals) > 2:
        left_out = leave_one_out(trials, model, level, np.array([inside for *_, inside in removals]))
        yield "leave_one_out", draw_removals(
            left_out, [f"Without {name}" for _, name, _ in removals], band,
            f"{head}: without each trial", measure, "Each row pools all trials but one.", **drawn,
        )  # fmt: skip
    order, undated = chronological(one.years.tolist(), one.ids)
    if len(order) > 2:
        names = [f"+ {labels[i]}" for i in order]
        note = "Each row adds a trial, by year of publication."
        note += f" Without a year, left out: {', '.join(labels[i] for i in undated)}." if len(undated) else ""
        result = cumulative(trials, model, order, level)
        title = f"{head}: cumulative by year"
        yield "cumulative", draw_removals(result, names, band, title, measure, note, **drawn)
    yield (
        "drapery",
        draw_drapery(y, v, estimate, float(whole.se[0]), float(whole.df[0]), f"{head}: drapery plot", measure, **drawn),
    )
    counts = [one.frame[c].to_numpy(dtype=float) for c in COUNTS]
    if one.measure in COUNT_MEASURES and np.isfinite(counts).all():
        ratio = float(natural(estimate, one.scale))
        said = one.protocol.words_of(str(one.identity["outcome"]))
        arms = said.intervention, said.control
        yield (
            "labbe",
            draw_labbe(counts[0], counts[1], counts[2], counts[3], ratio, one.measure, f"{head}: L'Abbé plot", arms),
        )
    if one.k < 3:
        return
    enough = one.k >= one.protocol.robustness.minimum_trials
    drawn |= {"caution": "" if enough else FEW.format(k=one.k, least=one.protocol.robustness.minimum_trials)}
    # Contours are regions of significance around no effect.
    for contours in (False, True) if null else (False,):
        filled = trim_and_fill(trials, model, level=level) if enough and not contours else None
        added = (filled.filled_yi, filled.filled_vi) if filled is not None and filled.k0 else None
        kind, words = ("contour_funnel", "contour-enhanced funnel plot") if contours else ("funnel", "funnel plot")
        yield (
            kind,
            draw_funnel(
                y, v, estimate, f"{head}: {words}", measure, **drawn, level=level, contours=contours, filled=added
            ),
        )
    caution = drawn.pop("caution")
    yield "radial", draw_radial(y, v, estimate, tau2, f"{head}: radial plot", level=level, caution=caution)
    found = influence(trials, model, level)
    if np.isfinite(found.hat).all():
        yield "influence", draw_influence(found, labels, f"{head}: influence of each trial")
        yield "baujat", draw_baujat(found, labels, f"{head}: Baujat plot")
    if cloud is not None and np.isfinite(share := split(cloud).share).any():
        by = int(np.nanargmax(share))
        title = f"{head}: every subset of the trials"
        yield "gosh", draw_gosh(cloud, estimate, title, measure, **drawn, by=by, trial=labels[by])
