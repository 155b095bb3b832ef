"""Everything that a report is made from, read beforehand."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

import pandas as pd
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reweigh.io import records
from reweigh.protocol.model import Protocol
from reweigh.risk_of_bias import RiskOfBias


@dataclass(frozen=True, slots=True)
class Inputs:
    """The tables of a review's results by their names, as `reweigh.io.read_csv` gives them, and what goes with them."""

    review: str
    protocol: Protocol
    studies: pd.DataFrame
    effects: pd.DataFrame
    rows: pd.DataFrame
    pooled: pd.DataFrame
    subgroups: pd.DataFrame
    weights: pd.DataFrame
    #: `figures/index.csv`: the forest plots and what stands beside them.
    figures: pd.DataFrame
    #: Eligible trials with a row that an analysis could not use.
    not_pooled: pd.DataFrame = field(default_factory=pd.DataFrame)
    #: Effects of trials with several comparisons in units that are not those of `effects`.
    units: pd.DataFrame = field(default_factory=pd.DataFrame)
    #: Numbers of data that several people read.
    readings: pd.DataFrame = field(default_factory=pd.DataFrame)
    #: Suspicious numbers, and what was not used and must be said.
    flags: pd.DataFrame = field(default_factory=pd.DataFrame)
    bayes: pd.DataFrame = field(default_factory=pd.DataFrame)
    meta_regression: pd.DataFrame = field(default_factory=pd.DataFrame)
    dependence: pd.DataFrame = field(default_factory=pd.DataFrame)
    sweep: pd.DataFrame = field(default_factory=pd.DataFrame)
    pooled_sweep: pd.DataFrame = field(default_factory=pd.DataFrame)
    leave_one_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    small_study: pd.DataFrame = field(default_factory=pd.DataFrame)
    fragility: pd.DataFrame = field(default_factory=pd.DataFrame)
    conclusions: pd.DataFrame = field(default_factory=pd.DataFrame)
    sequential: pd.DataFrame = field(default_factory=pd.DataFrame)
    certainty: pd.DataFrame = field(default_factory=pd.DataFrame)
    summary_of_findings: pd.DataFrame = field(default_factory=pd.DataFrame)
    #: What others have printed, as typed; how far it was reproduced, and every method tried; which rows contradict
    #: themselves.
    published: pd.DataFrame = field(default_factory=pd.DataFrame)
    reproduction: pd.DataFrame = field(default_factory=pd.DataFrame)
    reproduction_methods: pd.DataFrame = field(default_factory=pd.DataFrame)
    published_checks: pd.DataFrame = field(default_factory=pd.DataFrame)
    #: Lists of the figures of later stages, `figures/<stage>.csv`.
    figures_robustness: pd.DataFrame = field(default_factory=pd.DataFrame)
    figures_sequential: pd.DataFrame = field(default_factory=pd.DataFrame)
    figures_risk_of_bias: pd.DataFrame = field(default_factory=pd.DataFrame)
    figures_timeline: pd.DataFrame = field(default_factory=pd.DataFrame)
    #: `<kind>/<analysis>` to the text of an SVG file.
    drawings: Mapping[str, str] = field(default_factory=dict)
    #: File name of a worked page to its Markdown.
    worked: Mapping[str, str] = field(default_factory=dict)
    claims: Sequence[Mapping[str, Any]] = ()
    bias: RiskOfBias | None = None
    #: Counts of the PRISMA 2020 flow diagram as typed: box, n, reason.
    flow: Sequence[Mapping[str, str]] = ()
    #: What changed since the archive that the protocol calls `former`: `reweigh.compare.shown`.
    changes: Mapping[str, Any] | None = None
    #: Path of an input below the repository to its SHA-256.
    hashes: Mapping[str, str] = field(default_factory=dict)
    #: Package to version.
    versions: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str, analysis: str) -> list[dict[str, Any]]:
        """Rows of a table on one analysis."""
        table: pd.DataFrame = getattr(self, name)
        return records(table[table["analysis"] == analysis]) if len(table) else []

    def unusable(self, outcome: str) -> list[str]:
        """Windows in which trials measured an outcome, and none could be used in its main analysis."""
        of = self.protocol.outcomes[outcome]
        main = self.pooled[(self.pooled["set"] == "main") & (self.pooled["outcome"] == outcome)]
        there = set(main.loc[main["measure"] == of.measure, "window"])
        lost = set(self.not_pooled["analysis"]) if len(self.not_pooled) else set()
        return [name for name in self.protocol.windows if name not in there and f"{outcome}.{name}" in lost]

    @property
    def title(self) -> str:
        """How the review is headed."""
        return title_of(self.review, self.protocol)

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Every table by its name."""
        return {name: getattr(self, name) for name in TABLES}


TABLES = tuple(one.name for one in fields(Inputs) if one.type == "pd.DataFrame")
"""Names of the tables; the rule `report` names its inputs so."""


def title_of(review: str, protocol: Protocol) -> str:
    """The protocol's title; a review as of a year says so."""
    return protocol.title + (f", as of {review.rpartition('/')[2]}" if "/as_of/" in review else "")


def hashed(content: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 of each input by its name, sorted."""
    return {name: hashlib.sha256(content[name]).hexdigest() for name in sorted(content)}


def installed() -> dict[str, str]:
    """Version of Python, of reweigh, and of every package that it needs, and that these need."""
    found, open_ones = {"Python": ".".join(map(str, sys.version_info[:3]))}, ["reweigh"]
    while open_ones:
        name = canonicalize_name(open_ones.pop(0))
        if name not in found:
            try:
                found[name], needs = version(name), tuple(map(Requirement, requires(name) or ()))
            except PackageNotFoundError:
                found[name], needs = "version not recorded", ()
            extra = "workflow" if name == "reweigh" else ""  # whatever built the page belongs to the record
            open_ones += [one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": extra})]
    head = dict.fromkeys(("Python", "reweigh"))
    return {name: found[name] for name in [*head, *sorted(found.keys() - head)]}
