"""Everything that a report is made from, read beforehand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from reweigh.protocol.model import Protocol
from reweigh.risk_of_bias import RiskOfBias

NOT_COMPUTED = "not yet computed"


@dataclass(frozen=True, slots=True)
class Inputs:
    """Tables as `reweigh.io.read_csv` gives them; `optional` holds those of stages that a workflow may lack."""

    review: str
    protocol: Protocol
    studies: pd.DataFrame
    effects: pd.DataFrame
    rows: pd.DataFrame
    pooled: pd.DataFrame
    subgroups: pd.DataFrame
    weights: pd.DataFrame
    figures: pd.DataFrame
    bayes: pd.DataFrame
    meta_regression: pd.DataFrame
    sweep: pd.DataFrame
    pooled_sweep: pd.DataFrame
    #: `<kind>/<analysis>` to the text of an SVG file.
    drawings: Mapping[str, str]
    #: File name of a worked page to its Markdown.
    worked: Mapping[str, str]
    #: leave_one_out, small_study, conclusions, sequential, certainty, reproduction ...
    optional: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    claims: Sequence[Mapping[str, Any]] | None = None
    #: Risk-of-bias judgements; None: there is no table of them.
    bias: RiskOfBias | None = None
    #: Path of an input below the repository to its SHA-256.
    hashes: Mapping[str, str] = field(default_factory=dict)
    #: Package to version.
    versions: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str, analysis: str) -> list[dict[str, Any]] | None:
        """Rows of an optional table on one analysis; None where the table is not there."""
        table = self.optional.get(name)
        if table is None or "analysis" not in table:
            return None
        return records(table[table["analysis"] == analysis])


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as plain dictionaries."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False, name=None)]
