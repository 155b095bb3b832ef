"""The body of evidence behind a statement: its trials, their pooled effect and its certainty."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from reweigh.certainty.assess import Bounds, Certainty, Override, assess, natural
from reweigh.certainty.thresholds import Thresholds
from reweigh.claims.model import Lookup
from reweigh.effects.selection import derive_groupings
from reweigh.measures import MEASURES
from reweigh.pool.summarise import pool_by
from reweigh.pool.units import Units
from reweigh.protocol.model import Outcome, Protocol
from reweigh.protocol.models import Model
from reweigh.risk_of_bias import RiskOfBias
from reweigh.tables.times import years_of
from reweigh.text.claims import SENTENCES, count
from reweigh.text.codes import code, has, words
from reweigh.text.numbers import decimals_of


@dataclass(frozen=True, slots=True)
class Setting:
    """What all statements of a review share: its tables and rules."""

    effects: pd.DataFrame
    studies: pd.DataFrame
    protocol: Protocol
    bias: RiskOfBias
    thresholds: Thresholds = field(default_factory=Thresholds)
    overrides: tuple[Override, ...] = ()
    indirectness: dict[str, tuple[int, str]] = field(default_factory=dict)
    units: pd.DataFrame | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Trials of one statement under one model; without a trial this is all, else it is a `Body`.

    `bounds` of an important effect on the analysis scale, `benefit` the sign of a benefit there (-1 or 1).
    """

    analysis: str
    effects: pd.DataFrame
    outcome: Outcome
    bounds: Bounds
    model: Model
    undated: tuple[str, ...] = ()
    #: Whether nothing can be said as of a year, because none of its trials has one.
    without_years: bool = False

    @property
    def trials(self) -> int:
        """Distinct trials."""
        return int(self.effects["study_id"].nunique())

    @property
    def read_by(self) -> dict[str, int]:
        """Trials by whose reading their results are; empty where the review has one reading only."""
        read = self.effects.get("reading", pd.Series(dtype=object)).fillna("").astype(str)
        trials = self.effects.loc[read.index, "study_id"].groupby(read, sort=False).nunique() if len(read) else read
        return {str(name): int(n) for name, n in trials.items() if name}

    @property
    def participants(self) -> float:
        """Patients, NaN where no trial gives a number."""
        return float("nan")

    @property
    def benefit(self) -> int:
        """Sign of a benefit on the analysis scale."""
        return self.outcome.benefit

    @property
    def count(self) -> str:
        """`k = 2 trials, n = 60`."""
        return count(self.trials, len(self.effects), self.participants)

    @property
    def effect_code(self) -> str:
        """The pooled effect as a code."""
        return code("no_years" if self.without_years else "no_trial")

    @property
    def effect(self) -> str:
        """`SMD −0.74 (95% CI −8.02 to 6.53)`."""
        return words(self.effect_code, SENTENCES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body(Evidence):
    """Evidence of one trial or more: its row as in pooled.csv, and its certainty."""

    pooled: pd.Series
    certainty: Certainty

    @property
    def participants(self) -> float:
        """Patients, NaN where no trial gives a number."""
        return float(self.pooled["participants"])

    @property
    def effect_code(self) -> str:
        """The pooled effect as a code, numbers on the natural scale."""
        return code("effect", **self.effect_parameters)

    @property
    def effect_parameters(self) -> dict[str, object]:
        """What a code needs to print the effect: measure, scale, level, and numbers on the natural scale."""
        numbers = ("estimate", "ci_lower", "ci_upper", "guarded_ci_lower", "guarded_ci_upper")
        narrow = "hartung_knapp_narrow" if has(str(self.pooled["note_codes"]), "hartung_knapp_narrow") else ""
        return {
            **{name: self.pooled[name] for name in ("measure", "scale", "level")},
            **{f"{name}_natural": float(self.pooled[f"{name}_natural"]) for name in numbers}, "note_codes": narrow,
        }  # fmt: skip

    @property
    def decimals(self) -> str:
        """Decimals of its numbers, a parameter of codes: empty for ratios."""
        decimals = decimals_of(self.pooled)
        return "" if decimals is None else str(decimals)

    def natural(self, x: float) -> float:
        """A number of the analysis scale on the natural one."""
        return natural(self.pooled, x)

    def turned(self, name: str) -> tuple[float, float]:
        """The guarded interval ("ci") or prediction interval ("pi") turned so that a benefit is positive."""
        low, high = (float(self.pooled[f"guarded_{name}_{end}"]) for end in ("lower", "upper"))
        return (low, high) if self.benefit > 0 else (-high, -low)

    @property
    def includes_no_effect(self) -> bool:
        """Whether the guarded interval includes no effect."""
        low, high = self.turned("ci")
        return self.null and low <= 0 <= high

    @property
    def null(self) -> bool:
        """Whether its measure knows no effect: that of a single group is compared with nothing."""
        return MEASURES[str(self.pooled["measure"])].null


def gather(
    look: Lookup, setting: Setting, *, model: Model | None = None, as_of: int | None = None, factor: float = 1.0,
    window: str = "",
) -> Evidence:  # fmt: skip
    """Trials that a statement is about, pooled and graded.

    Parameters
    ----------
    look
        Outcome, window, set and population.
    setting
        The review's tables and rules.
    model
        Pooling model; the set's main model if not given.
    as_of
        Only trials up to this year; undated trials are left out and named.
    factor
        Multiplies the smallest important difference.
    window
        Replaces the statement's window.
    """
    protocol, window = setting.protocol, window or look.window
    outcome = protocol.outcomes[look.outcome]
    measure = look.measure or outcome.measure
    chosen = model or protocol.models_of(look.outcome, look.set)[0]
    rows = setting.effects
    rows = rows[
        (rows["outcome"] == look.outcome) & (rows["window"] == window) & (rows["measure"] == measure)
        & (rows["set"] == look.set)
    ]  # fmt: skip
    rows = Units(rows, setting.units).of(str(rows["analysis"].iloc[0]), chosen.units) if len(rows) else rows
    rows = rows[rows["study_id"].isin(_population(look, setting.studies))]
    column = getattr(look, "column", "")
    described = derive_groupings(setting.studies, protocol)
    if column in described:
        # The study's own value: a column of effects.csv may have the same name and another meaning.
        rows = rows.assign(**{column: rows["study_id"].map(described.set_index("study_id")[column])})
    undated: tuple[str, ...] = ()
    without_years = False
    if as_of is not None:
        dates = years_of(rows)
        without_years = len(dates) > 0 and bool(np.isnan(dates).all())
        undated = tuple(sorted(rows.loc[np.isnan(dates), "study_id"].unique()))
        rows = rows[dates <= as_of]
    bounds = outcome.bounds(measure, setting.thresholds.ratio, factor)
    analysis = str(rows["analysis"].iloc[0]) if len(rows) else f"{look.outcome}.{window}"
    if rows.empty:
        return Evidence(analysis, rows, outcome, bounds, chosen, undated, without_years)
    row, weights = pool_by(rows, chosen, protocol)
    named = setting.indirectness
    certainty = assess(
        rows, row, outcome, weights, bias=setting.bias, thresholds=setting.thresholds, factor=factor,
        # A person's override speaks of the whole analysis, not of a part of it.
        overrides=setting.overrides if not (look.where or look.contains or as_of) else (),
        indirectness=named.get(analysis, named.get(look.outcome, (0, ""))),
    )  # fmt: skip
    return Body(analysis, rows, outcome, bounds, chosen, undated, pooled=row, certainty=certainty)


def _population(look: Lookup, studies: pd.DataFrame) -> set[str]:
    """Trials that have one of the values, and one of the words, in every column that the statement names."""
    inside = pd.Series(True, index=studies.index)
    for column, values in look.where.items():
        inside &= studies[column].fillna("").astype(str).isin(values)
    for column, texts in look.contains.items():
        cells = studies[column].fillna("").astype(str).str.casefold()
        inside &= cells.map(lambda cell, texts=texts: any(text.casefold() in cell for text in texts)).astype(bool)
    return set(studies.loc[inside, "study_id"])
