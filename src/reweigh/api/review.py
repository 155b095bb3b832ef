"""A review's folder for a notebook: `read_review`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path

import pandas as pd

from reweigh.api.analysis import Meta, Words, fitted
from reweigh.check import examine, files_of
from reweigh.effects.selection import Selection, select
from reweigh.pool.units import Units, models_of
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model
from reweigh.tables.problems import did_you_mean, format_report
from reweigh.tables.review import Tables


@dataclass(frozen=True, repr=False, eq=False)
class Review:
    """A review: its protocol, its tables, and the analyses that the protocol makes of them."""

    name: str
    protocol: Protocol
    tables: Tables

    @cached_property
    def selection(self) -> Selection:
        """What was chosen for each analysis, and what became of every row."""
        return select(self.tables.studies, self.tables.arms, self.tables.contrasts, self.protocol)

    @property
    def effects(self) -> pd.DataFrame:
        """The effects of every analysis, as in effects.csv."""
        return self.selection.effects

    @property
    def analyses(self) -> pd.DataFrame:
        """One row per analysis: outcome, window, measure, set, number of comparisons."""
        groups = self.effects.groupby("analysis", sort=False)
        return groups[["outcome", "window", "measure", "set"]].first().assign(comparisons=groups.size())

    def analysis(self, name: str, model: str | Model | None = None) -> Meta:
        """The meta-analysis of this id by the main model of the protocol, or by another of it, by name.

        Raises KeyError on an unknown analysis, ValueError on an unknown model, with those that there are.
        """
        from reweigh.figures.forest.catalogue import plot_title  # loads matplotlib

        units = Units(self.effects, self.selection.units)
        if name not in units.analyses:
            known = list(units.analyses)
            raise KeyError(f"there is no analysis {name!r}{did_you_mean(name, known)}; there are: {', '.join(known)}")
        models = {one.name: one for one in models_of(units.analyses[name], self.protocol)}
        if isinstance(model, str) and model not in models:
            raise ValueError(f"analysis {name} has no model {model!r}: use one of {', '.join(models)}")
        chosen = model if isinstance(model, Model) else models[model or next(iter(models))]
        group = units.of(name, chosen.units)
        outcome = str(group["outcome"].iloc[0])
        said = self.protocol.words_of(outcome)
        groups = said.intervention[:1].upper() + said.intervention[1:], said.control[:1].upper() + said.control[1:]
        unit = self.protocol.outcomes[outcome].unit or ""
        unit = unit if group["measure"].iloc[0] in ("MD", "MN") else ""
        return fitted(
            group, group, chosen, level=self.protocol.level_of(outcome), names=pd.Index(group["label"]),
            title=plot_title(group, self.protocol), unit=unit, words_of=Words(groups, self.protocol.favours(outcome)),
        )  # fmt: skip

    def __repr__(self) -> str:
        """Title and analyses."""
        return f"{self.protocol.title} ({self.name})\n\n{self.analyses.to_string()}"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.protocol.title)} ({escape(self.name)})</p>{self.analyses.to_html(border=0)}"


def read_review(folder: str | Path) -> Review:
    """Read and check the folder of a review: review.yaml, studies.csv, arms.csv, contrasts.csv ... or a workbook.

    Raises FileNotFoundError where there is no such folder, ValueError with every problem of it (`reweigh check`).
    """
    path = Path(folder)
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder {path}: a review is a folder with a review.yaml and its tables")
    tables, protocol, problems = examine(files_of(path))
    if problems or protocol is None:
        raise ValueError(format_report(problems, path.name, str(path)))
    return Review(path.resolve().name, protocol, tables)
