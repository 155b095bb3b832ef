"""Risk-of-bias figures: the traffic light of every trial and domain, and the weighted bar of every domain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd
from matplotlib.patches import Circle, Rectangle

from reweigh.figures import style
from reweigh.figures.canvas import MARGIN, canvas, put
from reweigh.figures.forest.lights import EMPTY, heads_of, printed
from reweigh.figures.style import SMALL_SIZE, TEXT_SIZE, TITLE_SIZE, RecordFigure, clean, text_width
from reweigh.risk_of_bias import NOT_ASSESSED, OVERALL, RiskOfBias, Tool

CELL, GAP, BAR = 18.0, 8.0, 200.0
RULE = "#9a9a9a"


def risk_of_bias_figures(
    bias: RiskOfBias, weights: pd.DataFrame, labels: Mapping[str, str] | pd.Series
) -> Iterator[tuple[str, RecordFigure]]:
    """Traffic light and weighted bar of every tool with a judgement, named `traffic_light.rob_2` and so on.

    `weights` are the rows of weights.csv of the main model of main analyses; `labels` the printed name of a study_id.
    """
    for tool in bias.table["tool"].unique():
        name = tool.lower().replace(" ", "_")
        yield f"traffic_light.{name}", traffic_light(bias, tool, labels)
        yield f"weighted_bar.{name}", weighted_bar(bias, tool, weights)


def traffic_light(bias: RiskOfBias, tool: str, labels: Mapping[str, str] | pd.Series) -> RecordFigure:
    """Trials by domains, each judgement a coloured circle with its symbol; an empty circle is not assessed.

    `labels` gives the printed name of a study_id. Raises KeyError for an unknown tool, ValueError for one without a
    judgement.
    """
    about, table = _of(bias, tool)
    keys = list(dict.fromkeys(zip(table["study_id"], table["outcome"], strict=True)))
    names = [clean(labels.get(s, s)) + (f" ({o.replace('_', ' ')})" if o else "") for s, o in keys]
    domains = [*about.domains, (OVERALL, "Overall")]
    heads = heads_of(about)
    left = MARGIN + max(text_width(name, TEXT_SIZE) for name in names) + GAP
    legend = [f"{head}: {label}" for head, (_, label) in zip(heads, domains, strict=True)]
    keys_text = [f"{printed(x.symbol) or ' '} {x.label}" for x in about.levels] + ["empty: not assessed"]
    wide = max([left + CELL * len(domains), *(MARGIN + text_width(t, SMALL_SIZE) + 24 for t in legend)])
    width = max(wide, MARGIN + text_width(f"Risk of bias ({tool})", TITLE_SIZE, "bold")) + MARGIN
    top = MARGIN + 2 * TITLE_SIZE + CELL
    height = top + CELL * len(keys) + GAP + 12 * (len(legend) + len(keys_text)) + MARGIN
    figure, axes = canvas(width, height, f"Risk of bias ({tool})")
    for j, head in enumerate(heads):
        put(axes, left + CELL * (j + 0.5), top - CELL / 2, head, weight="bold", ha="center")
    where = table[["study_id", "outcome", "domain"]].itertuples(index=False, name=None)
    kinds = dict(zip(where, table["level"].astype(str), strict=True))
    words = []
    for i, (key, name) in enumerate(zip(keys, names, strict=True)):
        y = top + CELL * (i + 0.5)
        put(axes, left - GAP, y, name, ha="right")
        told = []
        for j, (domain, label) in enumerate(domains):
            level = kinds.get((*key, domain))
            found = about.level(level) if level else None
            x = left + CELL * (j + 0.5)
            axes.add_patch(Rectangle((x - CELL / 2, y - CELL / 2), CELL, CELL, fc="none", ec=RULE, lw=0.5))
            axes.add_patch(Circle((x, y), CELL * 0.34, fc=found.colour if found else EMPTY, ec=style.MUTED, lw=0.6))
            if found and found.symbol:
                put(axes, x, y, printed(found.symbol), weight="bold", ha="center")
            told.append(f"{label}: {found.label if found else NOT_ASSESSED}")
        words.append(f"{name}: {'; '.join(told)}")
    y = top + CELL * len(keys) + GAP + 6
    for text in [*legend, *keys_text]:
        put(axes, MARGIN, y, text, size=SMALL_SIZE, color=style.MUTED)
        y += 12
    figure.description = f"Risk of bias by {tool}. {'. '.join(words)}."
    return figure


def weighted_bar(bias: RiskOfBias, tool: str, weights: pd.DataFrame) -> RecordFigure:
    """Share of the information at each level by domain, weighted as the main model weighs the trials.

    `weights` are the rows of weights.csv of the main model of each main analysis; a trial weighs its mean share over
    the analyses that it takes part in, so that a trial without an effect does not count. Raises as `traffic_light`.
    """
    about, table = _of(bias, tool)
    known = weights.dropna(subset="weight")
    share = known.groupby(["analysis", "study_id"])["weight"].sum().groupby("study_id").mean() / 100
    domains = [*about.domains, (OVERALL, "Overall")]
    left = MARGIN + max(text_width(label, TEXT_SIZE) for _, label in domains) + GAP
    levels = about.levels
    top = MARGIN + 2.4 * TITLE_SIZE
    legend = [x.label for x in levels] + [NOT_ASSESSED[:1].upper() + NOT_ASSESSED[1:]]
    height = top + CELL * len(domains) + 34 + 14 * len(legend) + MARGIN
    width = left + BAR + 2 * MARGIN + 20
    figure, axes = canvas(width, height, f"Risk of bias ({tool}), weighted by information")
    told = []
    for i, (domain, label) in enumerate(domains):
        y = top + CELL * (i + 0.5)
        put(axes, left - GAP, y, label, ha="right", weight="bold" if domain == OVERALL else "normal")
        mine = table[table["domain"] == domain].drop_duplicates("study_id").set_index("study_id")["level"]
        found = mine.reindex(share.index)
        total, x, parts = float(share.sum()), left, []
        for level in levels:
            part = float(share[found == level.name].sum()) / total if total else 0.0
            axes.add_patch(Rectangle((x, y - 6), BAR * part, 12, fc=level.colour, ec=style.INK, lw=0.5))
            if part > 0.08:
                put(
                    axes,
                    x + BAR * part / 2,
                    y,
                    f"{printed(level.symbol)} {100 * part:.0f}%".strip(),
                    size=SMALL_SIZE,
                    ha="center",
                )
            x += BAR * part
            parts.append(f"{level.label} {100 * part:.0f}%")
        rest = max(0.0, left + BAR - x)
        if rest > 0.5:
            axes.add_patch(Rectangle((x, y - 6), rest, 12, fc=EMPTY, ec=style.INK, lw=0.5))
            parts.append(f"{NOT_ASSESSED} {100 * rest / BAR:.0f}%")
        told.append(f"{label}: {', '.join(parts)}")
    y = top + CELL * len(domains) + 6
    for tick in (0, 25, 50, 75, 100):
        put(axes, left + BAR * tick / 100, y, f"{tick}%", size=SMALL_SIZE, ha="center", color=style.MUTED)
    for i, (text, colour) in enumerate(zip(legend, [*(x.colour for x in levels), EMPTY], strict=True)):
        axes.add_patch(Rectangle((left, y + 16 + 14 * i), 10, 10, fc=colour, ec=style.INK, lw=0.5))
        put(axes, left + 16, y + 21 + 14 * i, text, size=SMALL_SIZE)
    figure.description = f"Risk of bias by {tool}, weighted as in the main model. {'. '.join(told)}."
    return figure


def _of(bias: RiskOfBias, tool: str) -> tuple[Tool, pd.DataFrame]:
    about = bias.tools[tool]
    studies = bias.table.loc[bias.table["tool"] == tool, "study_id"]
    table = bias.table[bias.table["study_id"].isin(studies) & (bias.table["tool"] == tool)]
    if table.empty:
        raise ValueError(f"no trial is judged by {tool}")
    return about, table
