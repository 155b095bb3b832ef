"""What the methods of a meta-analysis give back: subgroups, a meta-regression, Egger's test, trim and fill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from reweigh.api.frames import gather, numbers, refuse, row_names
from reweigh.api.printed import Parts, Printed, number, p_said, texts
from reweigh.measures import natural
from reweigh.pool import regression
from reweigh.pool.regression import INTERCEPT, MetaRegression
from reweigh.robustness.small_study import MINIMUM, AsymmetryTest
from reweigh.text import robustness as robustness_text
from reweigh.text.codes import code, words
from reweigh.text.numbers import level_text

if TYPE_CHECKING:
    from reweigh.api.analysis import Meta

INTERVALS = ("ci_lower", "ci_upper", "pi_lower", "pi_upper")


def back(table: pd.DataFrame, scale: str) -> pd.DataFrame:
    """Estimates and limits on the natural scale; what has none there (standard errors) is left out."""
    kept = [name for name in table if name in ("estimate", *INTERVALS)]
    return table[kept].apply(lambda column: natural(column, scale))


def noted(codes: str) -> str:
    """Codes of the pooling and robustness stages in words, a line each; empty where there is none."""
    return "\n".join(f"Note: {words(one, robustness_text.SENTENCES)}" for one in codes.split("; ") if one)


@dataclass(frozen=True, repr=False, eq=False)
class Subgroups(Printed):
    """A pooled result per subgroup, and the test for differences between them (on their Wald standard errors).

    Floats on the analysis scale; `q_between` is missing with a `reason` where there are not two subgroups to compare.
    """

    by: str
    table: pd.DataFrame
    scale: str
    q_between: float
    q_between_df: int
    q_between_p_value: float
    #: Why there is no test, or what it should be read with, in words; else empty.
    reason: str

    def to_frame(self, *, natural: bool = False) -> pd.DataFrame:
        """One row per subgroup, with `k`, estimate, intervals, tau2 and I2; or estimates on the natural scale."""
        return back(self.table, self.scale) if natural else self.table.copy()

    def _parts(self) -> Parts:
        yield f"Subgroups by {self.by}"
        yield texts(self.table, {"i2": 2})
        if np.isfinite(self.q_between):
            q = f"Q(df = {self.q_between_df}) = {number(self.q_between)}, {p_said(self.q_between_p_value)}"
            yield f"Test for subgroup differences: {q}"
        yield f"Note: {self.reason}" if self.reason else ""


@dataclass(frozen=True, repr=False, eq=False)
class Regression(Printed):
    """A meta-regression: coefficients on the analysis scale, heterogeneity that is left, tests of the moderators.

    Every field of `reweigh.pool.regression.MetaRegression` is an attribute: `estimate`, `se`, `p_value` ... as arrays
    (p,) in the order of `names`; `tau2`, `i2_tau2`, `r2`, `qm`, `qm_p_value`, `qe`, `qe_p_value` as floats.
    """

    fit: MetaRegression
    scale: str
    #: Moderator to its categories, the reference first; none where it is a number.
    moderators: Mapping[str, tuple[str, ...]]
    tau2_se: float

    def __getattr__(self, name: str) -> Any:
        """A field of the fit."""
        if name.startswith("_") or name == "fit":
            raise AttributeError(name)
        return getattr(self.fit, name)

    def __dir__(self) -> list[str]:
        """Its own names and those of the fit."""
        return [*super().__dir__(), *(name for name in MetaRegression.__slots__ if not name.startswith("_"))]

    @property
    def i2(self) -> float:
        """Residual I2 in percent, from tau2 and the typical sampling variance."""
        return float(self.fit.i2_tau2)

    def to_frame(self) -> pd.DataFrame:
        """One row per coefficient: estimate, se, statistic, df, p_value, ci_lower, ci_upper."""
        columns = ("estimate", "se", "statistic", "df", "p_value", "ci_lower", "ci_upper")
        return pd.DataFrame({c: getattr(self.fit, c) for c in columns}, index=pd.Index(self.fit.names))

    def predict(
        self, new: pd.DataFrame | Mapping[str, object] | None = None, *, natural: bool = False, **values: object
    ) -> pd.DataFrame:
        """Mean effect, its interval and the prediction interval where the moderators have these values.

        `new`: a table or mapping with every moderator, or each as a keyword; the trials themselves where nothing is
        given. Raises ValueError on a moderator or value that is not there.
        """
        if new is None and not values:
            index, x = pd.Index(range(self.fit.k)), self.fit.x
        else:
            given = dict(new if new is not None else {}) | values
            refuse(f"a value of {name!r} is needed" for name in self.moderators if name not in given)
            lists = {name: [v] if np.ndim(v) == 0 else v for name, v in given.items() if name in self.moderators}  # type: ignore[arg-type]
            rows = gather(None, lists)
            index, x = rows.index, self._design(rows)
        found = pd.DataFrame(regression.predict(self.fit, x), index=index)
        return back(found, self.scale) if natural else found

    def _design(self, rows: pd.DataFrame) -> np.ndarray:
        problems: list[str] = []
        columns: list[Any] = [np.ones(len(rows))] if INTERCEPT in self.fit.names else []
        said = row_names(rows.index)
        for name, levels in self.moderators.items():
            if not levels:
                found = numbers(rows[name], name, said, problems)
                problems += [f"{said[i]}: {name} is missing" for i in np.flatnonzero(np.isnan(found))]
                columns.append(found)
                continue
            said_as = rows[name].astype(str)
            problems += [
                f"{row}: {name} = {text!r} is none of {', '.join(levels)}"
                for row, text in zip(said, said_as, strict=True)
                if text not in levels
            ]
            columns += [(said_as == level).to_numpy(dtype=float) for level in levels[1:]]
        refuse(problems)
        return np.column_stack(columns)

    def _parts(self) -> Parts:
        fit = self.fit
        how = [f"k = {fit.k}", *([] if fit.tau2_method == "EE" else [f"tau2 by {fit.tau2_method}"]), f"{fit.test} test"]
        on = "" if self.scale == "natural" else f"\nCoefficients on the {self.scale} scale"
        yield f"{'Common' if fit.tau2_method == 'EE' else 'Mixed'}-effects model ({', '.join(how)}){on}"
        if fit.tau2_method != "EE":
            yield (
                f"tau2 (residual heterogeneity):        {number(fit.tau2)} (SE {number(self.tau2_se)})\n"
                f"tau  (its square root):               {number(fit.tau2**0.5)}\n"
                f"I2   (residual / unaccounted):        {number(fit.i2_tau2, 2)}%\n"
                f"H2   (unaccounted / sampling):        {number(fit.h2_tau2, 2)}\n"
                f"R2   (heterogeneity accounted for):   {number(fit.r2, 2)}%"
            )
        yield f"Test for residual heterogeneity: QE(df = {fit.qe_df}) = {number(fit.qe)}, {p_said(fit.qe_p_value)}"
        if fit.qm_df:
            f = np.isfinite(fit.df)
            name = f"F(df1 = {fit.qm_df}, df2 = {fit.df:g})" if f else f"QM(df = {fit.qm_df})"
            yield f"Test of moderators: {name} = {number(fit.qm)}, {p_said(fit.qm_p_value)}"
        table = self.to_frame()
        yield texts(table if np.isfinite(fit.df) else table.drop(columns="df"))
        yield noted(fit.reason)


@dataclass(frozen=True, repr=False, eq=False)
class Egger(Printed, AsymmetryTest):
    """Egger's test: `bias` (slope on the standard error) and its test, `limit` (effect as the error goes to 0).

    Floats on the analysis scale, missing with the code of the `reason`.
    """

    level: float = 0.95

    def to_frame(self) -> pd.DataFrame:
        """One row with every number."""
        names = [name for name in AsymmetryTest.__slots__ if name not in ("test", "reason")]
        return pd.DataFrame({name: [getattr(self, name)] for name in names}, index=pd.Index([self.test]))

    def _parts(self) -> Parts:
        yield f"{self.test}: regression test for funnel plot asymmetry (k = {self.k})"
        if not self.reason:
            df = f"t(df = {self.df:g})" if np.isfinite(self.df) else "z"
            yield f"Test for asymmetry: {df} = {number(self.statistic)}, {p_said(self.p_value)}"
            interval = f"{number(self.limit_ci_lower)} to {number(self.limit_ci_upper)}"
            limit = f"{number(self.limit)} ({level_text(self.level)} CI {interval})"
            yield f"Limit as the standard error goes to 0: {limit}"
        few = code("below_minimum", k=self.k, minimum=MINIMUM) if self.k < MINIMUM and not self.reason else ""
        yield noted(self.reason or few)


@dataclass(frozen=True, repr=False, eq=False)
class TrimFill(Printed):
    """Trim and fill: how many trials are missing on which side, and the meta-analysis with them filled in."""

    estimator: str
    side: str
    k0: int
    k0_se: float
    #: One-sided P of no trial missing; R0 only.
    k0_p_value: float
    #: With the filled trials; None with a `reason`.
    meta: Meta | None
    #: yi and vi of the trials that were filled in.
    filled: pd.DataFrame
    #: Code of why there is no result.
    reason: str

    def __getattr__(self, name: str) -> Any:
        """A number of the meta-analysis with the filled trials, NaN where there is none."""
        if name.startswith("_") or name in ("meta", "reason"):
            raise AttributeError(name)
        if self.meta is not None:
            return getattr(self.meta, name)
        if name in ("estimate", "se", "statistic", "p_value", "tau2", "i2", "q", *INTERVALS):
            return float("nan")
        raise AttributeError(f"there is no {name!r}: {words(self.reason, robustness_text.SENTENCES)}")

    def _parts(self) -> Parts:
        if self.meta is None:
            yield f"Trim and fill ({self.estimator})"
        else:
            found = f"{self.k0} missing on the {self.side} (SE {number(self.k0_se)})"
            yield f"Trim and fill ({self.estimator}): {found}"
        if np.isfinite(self.k0_p_value):
            yield f"Test of no missing trial: {p_said(self.k0_p_value)}"
        if self.meta is not None:
            yield from self.meta._parts()
        yield noted(self.reason)
