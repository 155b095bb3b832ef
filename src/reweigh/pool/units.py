"""What a model pools: one effect of each trial, or each comparison; and the models of an analysis."""

from __future__ import annotations

import pandas as pd

from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model


class Units:
    """The effects that each model pools: those of effects.csv, or those of units.csv where it counts trials otherwise.

    `effects` and `units`: the two tables; without the second every model pools the first.
    """

    def __init__(self, effects: pd.DataFrame, units: pd.DataFrame | None = None) -> None:
        self.analyses = {str(name): group for name, group in effects.groupby("analysis", sort=False)}
        none = units is None or units.empty
        self.others = {} if none else dict(list(units.groupby(["analysis", "units"], sort=False)))  # type: ignore[union-attr]

    def of(self, analysis: str, units: str, column: str = "") -> pd.DataFrame:
        """What a model with these `units` pools in an analysis; by a column of rows a trial once in each subgroup."""
        asked = [f"by_{column}"] if column and units == "trial" else []
        found = (self.others.get((analysis, name)) for name in (*asked, units))
        return next((group for group in found if group is not None), self.analyses[analysis])


def models_of(group: pd.DataFrame, protocol: Protocol) -> tuple[Model, ...]:
    """Models of the analysis of these rows of effects.csv, the main one first."""
    return protocol.models_of(group["outcome"].iloc[0], group["set"].iloc[0])


def level_of(group: pd.DataFrame, protocol: Protocol) -> float:
    """Confidence level of the analysis of these rows of effects.csv."""
    return protocol.level_of(group["outcome"].iloc[0])
