"""Which forest plots a review has, and what each says besides its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from reweigh.figures.forest.journals import REWEIGH, Layout
from reweigh.figures.forest.lights import lights
from reweigh.figures.forest.table import WEIGHT, ForestMeta
from reweigh.measures import MEASURE_LABELS, MEASURES
from reweigh.pool.units import Units, models_of
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import describe_model
from reweigh.risk_of_bias import RiskOfBias


@dataclass(frozen=True, slots=True)
class Plot:
    """One forest plot: its analysis, the rows of the tables that it draws, its words and its caption."""

    analysis: str
    effects: pd.DataFrame
    pooled: pd.DataFrame
    subgroups: pd.DataFrame | None
    not_pooled: pd.DataFrame | None
    meta: ForestMeta
    caption: str


def plot_ids(effects: pd.DataFrame, protocol: Protocol, units: pd.DataFrame | None = None) -> list[str]:
    """Analyses that are drawn: every main one, overall and by each subgroup column that splits the trials.

    A sensitivity set is drawn where it differs from the main set, one of `whole_sets` also by the first subgroup column
    where that splits it. Every other analysis of the tables can still be
    asked for by name. `effects`, `units`: the tables of these names.
    """
    found, pooled = [], Units(effects, units)
    for analysis, group in effects.groupby("analysis", sort=False):
        if group["set"].iloc[0] != "main":
            if not _same_as_main(group, effects):
                found.append(str(analysis))
                if group["set"].iloc[0] in protocol.whole_sets:
                    found += [f"{analysis}.by_{column}" for column in protocol.subgroups[:1] if splits(group, column)]
            continue
        found.append(str(analysis))
        unit = models_of(group, protocol)[0].units
        parted = {column: pooled.of(str(analysis), unit, column)[column] for column in protocol.subgroup_columns}
        found += [f"{analysis}.by_{column}" for column, values in parted.items() if len(set(values)) > 1]
    return found


def splits(group: pd.DataFrame, column: str) -> bool:
    """Whether a column splits an analysis: two groups or more have a trial, and one of them has several.

    A heading over each trial says nothing that the plain plot does not.
    """
    sizes = group[column].value_counts() if column in group else pd.Series(dtype=int)
    return len(sizes) > 1 and int(sizes.max()) > 1


def journal_plot_ids(effects: pd.DataFrame) -> list[str]:
    """Analyses that are also drawn in the layouts of journals: every main one. Any other can be asked for by name."""
    return [str(name) for name in effects.loc[effects["set"] == "main", "analysis"].unique()]


def _same_as_main(group: pd.DataFrame, effects: pd.DataFrame) -> bool:
    first = group.iloc[0]
    same = effects["set"].eq("main") & effects["measure"].eq(first["measure"])
    main = effects[same & effects["outcome"].eq(first["outcome"]) & effects["window"].eq(first["window"])]
    columns = ["comparison_id", "estimate", "variance"]
    return group[columns].reset_index(drop=True).equals(main[columns].reset_index(drop=True))


def plot(
    analysis: str,
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    subgroups: pd.DataFrame,
    weights: pd.DataFrame,
    protocol: Protocol,
    bias: RiskOfBias | None = None,
    layout: Layout = REWEIGH,
    not_pooled: pd.DataFrame | None = None,
    units: pd.DataFrame | None = None,
) -> Plot:
    """Everything that one forest plot needs.

    Parameters
    ----------
    analysis
        An analysis id of pooled.csv or subgroups.csv.
    effects, pooled, subgroups, weights
        The tables of the review.
    protocol
        The protocol.
    bias
        Risk-of-bias judgements: a column of lights where a trial of the plot is judged.
    layout
        How the plot is printed.
    not_pooled
        The trials that are in no pool, by analysis.
    units
        Trials of several rows in units that are not those of `effects`: a trial stands under each of its subgroups.

    Raises
    ------
    KeyError
        If no analysis has this id.
    """
    base, _, column = analysis.partition(".by_")
    mine = effects[effects["analysis"] == base]
    if mine.empty or (column and column not in protocol.subgroup_columns):
        known = [*effects["analysis"].unique(), *subgroups["analysis"].unique()]
        raise KeyError(f"there is no analysis {analysis!r}; there are: {', '.join(known)}")
    first = mine.iloc[0]
    models, said = protocol.models_of(first["outcome"], first["set"]), protocol.words_of(first["outcome"])
    main = models[0].name
    if column in protocol.row_subgroups:
        mine = Units(mine, units).of(base, models[0].units, column)
    by = subgroups[(subgroups["analysis"] == analysis) & (subgroups["model"] == main)] if column else None
    rows = pooled[pooled["analysis"] == base]
    rows = rows.sort_values("model", key=lambda name: name != main, kind="stable")
    of_main = weights[(weights["analysis"] == base) & (weights["model"] == main)]
    mine = mine.assign(**{WEIGHT: mine["comparison_id"].map(of_main.set_index("comparison_id")["weight"])})
    lost = None if not_pooled is None else not_pooled[not_pooled["analysis"] == base]
    outcome, chosen = protocol.outcomes[first["outcome"]], protocol.sets[first["set"]]
    heading = plot_title(mine, protocol, column)
    left, right = protocol.favours(first["outcome"])
    unit = f" ({outcome.unit})" if outcome.unit and first["measure"] in ("MD", "MN") else ""
    meta = ForestMeta(
        title=heading,
        measure_label=MEASURE_LABELS[first["measure"]] + unit,
        intervention=said.intervention[:1].upper() + said.intervention[1:],
        control=said.control[:1].upper() + said.control[1:],
        favours_left=left,
        favours_right=right,
        scale=first["scale"],
        level=protocol.level_of(first["outcome"]),
        null=MEASURES[first["measure"]].null,
        footnotes=tuple(filter(None, [chosen.note])),
        subgroup_labels=protocol.subgroup_labels(column) if column else {},
        risk_of_bias=lights(bias, [str(study) for study in mine["study_id"]], str(first["outcome"])),
        layout=layout,
    )
    described = "; ".join(f"{m.name}: {describe_model(m)}" for m in models)
    caption = f"{protocol.title}. {heading}." + (f" {described}." if len(mine) > 1 else " One trial, not pooled.")
    return Plot(analysis, mine, rows, by, lost, meta, caption)


def plot_title(group: pd.DataFrame, protocol: Protocol, column: str = "") -> str:
    """`Pain, week 1, by blinding: double-blind trials` of these rows of effects.csv of one analysis."""
    first = group.iloc[0]
    window = protocol.windows[first["window"]].label or first["window"]
    title = f"{protocol.outcomes[first['outcome']].label}, {window[:1].lower()}{window[1:]}"
    split = column_label(column, protocol) if column else ""
    detail = f": {protocol.sets[first['set']].label}" if first["set"] != "main" else ""
    return title + (f", by {split[:1].lower()}{split[1:]}" if split else "") + detail


def column_label(column: str, protocol: Protocol) -> str:
    """How a column of trials is called."""
    return protocol.groupings[column].label if column in protocol.groupings else column.replace("_", " ")
