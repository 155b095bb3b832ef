"""The body of evidence behind a statement: its trials, their pooled effect and its certainty."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, isnan

import numpy as np
import pandas as pd

from reweigh.certainty.assess import Certainty, Override, assess
from reweigh.certainty.thresholds import Thresholds
from reweigh.claims.model import Lookup
from reweigh.pool.summarise import pooled_table
from reweigh.protocol.model import Outcome, Protocol
from reweigh.protocol.models import Model
from reweigh.risk_of_bias import RiskOfBias
from reweigh.tables.times import years_of
from reweigh.text.numbers import fixed, level_text, ratio


@dataclass(frozen=True, slots=True)
class Setting:
    """What all statements of a review share: its tables and rules."""

    effects: pd.DataFrame
    studies: pd.DataFrame
    protocol: Protocol
    bias: RiskOfBias
    thresholds: Thresholds = field(default_factory=Thresholds)
    overrides: tuple[Override, ...] = ()
    indirectness: dict[str, tuple[int, str]] | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """Trials of one statement under one model; `pooled` and `certainty` are None without a trial.

    `bounds` of an important effect on the analysis scale, `benefit` the sign of a benefit there (-1 or 1).
    """

    analysis: str
    effects: pd.DataFrame
    pooled: pd.Series | None
    certainty: Certainty | None
    outcome: Outcome
    bounds: tuple[float, float] | None
    model: Model
    undated: tuple[str, ...] = ()

    @property
    def trials(self) -> int:
        """Distinct trials."""
        return int(self.effects["study_id"].nunique())

    @property
    def participants(self) -> float:
        """Patients, NaN where no trial gives a number."""
        return float("nan") if self.pooled is None else float(self.pooled["participants"])

    @property
    def benefit(self) -> int:
        """Sign of a benefit on the analysis scale."""
        return self.outcome.benefit

    @property
    def count(self) -> str:
        """`k = 2 trials, n = 60`."""
        n = "not in the table" if isnan(self.participants) else f"{self.participants:.0f}"
        trials, rows = self.trials, len(self.effects)
        what = f"{rows} comparisons from {trials} trials" if rows != trials else f"{trials} trial{'s' * (trials != 1)}"
        return f"k = {what}, n = {n}" if trials else "k = 0 trials"

    def show(self, x: float) -> str:
        """A number of the analysis scale, printed on the natural one."""
        if self.pooled is not None and self.pooled["scale"] == "log":
            return ratio(exp(min(x, 700.0)))
        return fixed(x, 2)

    @property
    def effect(self) -> str:
        """`SMD −0.74 (95% CI −8.02 to 6.53)`."""
        if self.pooled is None:
            return "no usable trial"
        row = self.pooled
        if isnan(row["estimate"]):
            return "not estimable"
        ci = "CI not estimable" if isnan(row["ci_lower"]) else (
            f"{level_text(row['level'])} CI {self.show(row['ci_lower'])} to {self.show(row['ci_upper'])}"
        )  # fmt: skip
        return f"{row['measure']} {self.show(row['estimate'])} ({ci})"


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
    chosen = model or protocol.models_of(look.set)[0]
    rows = setting.effects
    rows = rows[
        (rows["outcome"] == look.outcome) & (rows["window"] == window) & (rows["measure"] == measure)
        & (rows["set"] == look.set)
    ]  # fmt: skip
    rows = rows[rows["study_id"].isin(_population(look, setting.studies))]
    column = getattr(look, "column", "")
    if column in setting.studies:
        # The study's own value: a column of effects.csv may have the same name and another meaning.
        rows = rows.assign(**{column: rows["study_id"].map(setting.studies.set_index("study_id")[column])})
    undated: tuple[str, ...] = ()
    if as_of is not None:
        dates = years_of(rows)
        undated = tuple(sorted(rows.loc[np.isnan(dates), "study_id"].unique()))
        rows = rows[dates <= as_of]
    bounds = outcome.bounds(measure, setting.thresholds.ratio, factor)
    analysis = str(rows["analysis"].iloc[0]) if len(rows) else f"{look.outcome}.{window}"
    if rows.empty:
        return Evidence(analysis, rows, None, None, outcome, bounds, chosen, undated)
    row = pool_by(rows, chosen, protocol)
    named = setting.indirectness or {}
    certainty = assess(
        rows, row, outcome, bias=setting.bias, thresholds=setting.thresholds, factor=factor,
        # A person's override speaks of the whole analysis, not of a part of it.
        overrides=setting.overrides if not (look.where or look.contains or as_of) else (),
        indirectness=named.get(analysis, named.get(look.outcome, (0, ""))),
    )  # fmt: skip
    return Evidence(analysis, rows, row, certainty, outcome, bounds, chosen, undated)


def pool_by(rows: pd.DataFrame, model: Model, protocol: Protocol) -> pd.Series:
    """The row of pooled.csv that these effects (of one analysis) give by one model."""
    plain = {name: chosen.model_copy(update={"models": ()}) for name, chosen in protocol.sets.items()}
    asked = protocol.model_copy(update={"models": (model,), "sets": plain, "bayes": {}})
    return pooled_table(rows, asked, "own").iloc[0]


def _population(look: Lookup, studies: pd.DataFrame) -> set[str]:
    inside = pd.Series(True, index=studies.index)
    for column, values in look.where.items():
        inside &= studies[column].fillna("").astype(str).isin(values)
    for column, text in look.contains.items():
        inside &= studies[column].fillna("").astype(str).str.contains(text, case=False, regex=True)
    return set(studies.loc[inside, "study_id"])
