"""The sheet that a worked example is written on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scipy.special import gammaln

from reweigh.effects.table import Options

Effect = tuple[float, float]
ARM_NAMES = {1: "intervention", 2: "control"}


def show(x: float) -> str:
    """A number to six significant digits."""
    return f"{x:.6g}"


def par(x: float) -> str:
    """A number as a factor or base: in brackets if negative."""
    return f"({show(x)})" if x < 0 else show(x)


def minus(a: float, b: float) -> str:
    """The difference a - b spelt out."""
    return f"{show(a)} - {par(b)}"


@dataclass(slots=True)
class Page:
    """Reported numbers, options, and the steps written so far."""

    given: Mapping[str, Any]
    options: Options
    lines: list[str] = field(default_factory=list)
    steps: int = 0

    def num(self, column: str) -> float:
        """A reported number, NaN where absent."""
        value = self.given.get(column)
        try:
            return math.nan if value is None or value == "" else float(value)
        except (TypeError, ValueError):
            return math.nan

    def has(self, *columns: str) -> bool:
        """Whether all these numbers are reported."""
        return not any(math.isnan(self.num(c)) for c in columns)

    def word(self, column: str) -> str:
        """A reported category, "" where absent."""
        value = self.given.get(column)
        return value.strip() if isinstance(value, str) else ""

    @property
    def flip(self) -> bool:
        """Whether the outcome is turned round."""
        value = self.given.get("flip")
        return value == "yes" or value is True or str(value) == "True"

    @property
    def level(self) -> float:
        """Confidence level of the reported interval."""
        level = self.num("ci_level")
        return 0.95 if math.isnan(level) else level / 100 if level > 1 else level

    @property
    def paired(self) -> bool:
        """Whether a crossover trial is analysed as one."""
        return self.word("design") == "crossover" and self.options.crossover == "paired"

    def step(self, title: str, *formulas: str, source: str = "") -> None:
        """A numbered step: what is done, by which source, and the lines of arithmetic."""
        self.steps += 1
        tail = f" ({source})" if source else ""
        self.lines += [f"### Step {self.steps}. {title}{tail}", "", *(f"    {f}" for f in formulas), ""]

    def assumed(self, column: str, default: float) -> tuple[float, str]:
        """A correlation of this trial or of the protocol, and where it is from."""
        own = self.num(column)
        return (default, "assumed by the protocol") if math.isnan(own) else (own, "given for this trial")

    def hedges_j(self, df: float) -> tuple[float, str]:
        """J and the line that computes it."""
        j = math.exp(gammaln(df / 2) - 0.5 * math.log(df / 2) - gammaln((df - 1) / 2))
        near = 1 - 3 / (4 * df - 1)
        line = (
            f"J = Gamma({show(df)}/2) / (sqrt({show(df)}/2) x Gamma(({show(df)} - 1)/2)) = {show(j)}"
            f"   (by hand about 1 - 3/(4 x {show(df)} - 1) = {show(near)})"
        )
        return j, line


def design_effect_step(page: Page) -> float:
    """Design effect of a cluster trial, by which n and events are divided; 1 for other designs."""
    if page.word("design") != "cluster":
        return 1.0
    icc, size = page.num("icc"), page.num("cluster_size")
    effect = 1 + (size - 1) * icc
    page.step(
        "Effective sample size of the cluster trial",
        f"design effect = 1 + (m - 1) ICC = 1 + ({show(size)} - 1) x {par(icc)} = {show(effect)}",
        "n and events are divided by it",
        source="Handbook 23.1.4",
    )
    return effect
