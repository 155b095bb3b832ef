"""The effect measures: a row per measure, and everything that depends on which one it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

OutcomeType = Literal["continuous", "binary", "rate", "time_to_event", "generic", "correlation", "proportion", "mean"]
Scale = Literal["natural", "log", "z", "logit"]
"""The analysis scale: as printed, a ratio's logarithm, Fisher's z of a correlation, the logit of a proportion."""
SmdVariance = Literal["LS", "LS2", "UB", "AV", "RevMan"]
MdVariance = Literal["separate", "pooled"]
ZeroCells = Literal["only0", "needed", "all", "tacc", "none", "RevMan"]
"""Variances of mean differences and continuity corrections that `reweigh.effects.measures` has."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One effect measure.

    `type` is that of its outcomes. `scale` is the analysis scale: "log" for ratios, which are pooled as logarithms.
    `poolings` are the ways, besides inverse variance, in which its trials can be pooled. `standardised`: a mean
    difference in standard deviations. `groups`: how many groups a trial gives it, 2 for a comparison. `null`: whether
    0 on the analysis scale means no effect; a single group's proportion or mean is compared with nothing.
    `needs` says in words what a trial must report. `protocol`: whether a protocol can ask for it.
    """

    name: str
    label: str
    type: OutcomeType
    scale: Scale
    needs: str
    poolings: tuple[str, ...] = ()
    standardised: bool = False
    groups: Literal[1, 2] = 2
    null: bool = True
    protocol: bool = True

    @property
    def is_ratio(self) -> bool:
        """Whether it is pooled as a logarithm, with 1 as no effect on the natural scale."""
        return self.scale == "log"


_MEANS = "mean, SD and n of both arms, or an equivalent"
_COUNTS = "events and n of both arms"
_RATES = "events and person-time of both arms"
_GIVEN = "the estimate with its SE or interval"
_MH = ("mantel-haenszel",)

MEASURES: Mapping[str, Measure] = {
    row.name: row
    for row in (
        Measure("MD", "Mean difference", "continuous", "natural", _MEANS),
        Measure("SMD", "Standardised mean difference", "continuous", "natural", _MEANS, standardised=True),
        Measure(
            "SMDH", "Standardised mean difference (unequal variances)", "continuous", "natural", _MEANS,
            standardised=True,
        ),
        Measure("GLASS", "Glass's delta", "continuous", "natural", _MEANS, standardised=True),
        Measure("ROM", "Ratio of means", "continuous", "log", _MEANS),
        Measure("RR", "Risk ratio", "binary", "log", _COUNTS, _MH),
        Measure("OR", "Odds ratio", "binary", "log", _COUNTS, (*_MH, "peto")),
        Measure("RD", "Risk difference", "binary", "natural", _COUNTS, _MH),
        Measure("PETO", "Peto odds ratio", "binary", "log", _COUNTS, ("peto",)),
        Measure("AS", "Arcsine difference", "binary", "natural", _COUNTS),
        Measure("IRR", "Rate ratio", "rate", "log", _RATES),
        Measure("IRD", "Rate difference", "rate", "natural", _RATES),
        Measure("HR", "Hazard ratio", "time_to_event", "log", "the hazard ratio with its interval or SE, or O-E and V"),
        Measure("GIV", "Effect", "generic", "natural", _GIVEN),
        Measure("GIV_ratio", "Effect (ratio)", "generic", "log", _GIVEN),
        Measure("ZCOR", "Correlation", "correlation", "z", "the correlation and n", groups=1),
        Measure("PLO", "Proportion", "proportion", "logit", "events and n of the group", groups=1, null=False),
        Measure("MN", "Mean", "mean", "natural", "mean, SD and n of the group", groups=1, null=False),
        Measure(
            "COR-OR", "Conditional odds ratio", "binary", "log", "both discordant cells of pairs", protocol=False
        ),
    )
}  # fmt: skip
"""Every measure by its name; the formulas are in `reweigh.effects.measures`."""

MeasureName = Literal[
    "MD",
    "SMD",
    "SMDH",
    "GLASS",
    "ROM",
    "RR",
    "OR",
    "RD",
    "PETO",
    "AS",
    "IRR",
    "IRD",
    "HR",
    "GIV",
    "GIV_ratio",
    "ZCOR",
    "PLO",
    "MN",
]
"""Measures that a protocol can ask for."""

MEASURES_OF_TYPE: Mapping[str, tuple[str, ...]] = {
    kind: tuple(m.name for m in MEASURES.values() if m.type == kind and m.protocol) for kind in get_args(OutcomeType)
}
MEASURE_LABELS: Mapping[str, str] = {m.name: m.label for m in MEASURES.values() if m.protocol}
RATIO_MEASURES = frozenset(m.name for m in MEASURES.values() if m.is_ratio)
CONTINUOUS_MEASURES = frozenset(MEASURES_OF_TYPE["continuous"])
BINARY_MEASURES = frozenset(MEASURES_OF_TYPE["binary"])
RATE_MEASURES = frozenset(MEASURES_OF_TYPE["rate"])
STANDARDISED_MEASURES = frozenset(m.name for m in MEASURES.values() if m.standardised)
SINGLE_GROUP_MEASURES = frozenset(m.name for m in MEASURES.values() if m.groups == 1)
WITHOUT_NULL = frozenset(m.name for m in MEASURES.values() if not m.null)
COUNT_MEASURES = frozenset(m.name for m in MEASURES.values() if "mantel-haenszel" in m.poolings)
"""Measures of two proportions that Mantel-Haenszel pools: RR, OR and RD."""
SAME_MEASURE: Mapping[str, str] = {"WMD": "MD", "relative benefit": "RR"}
"""Names that publications print, and the measure that each is."""


def scale_of(measure: str) -> Scale:
    """The analysis scale of a measure."""
    return MEASURES[measure].scale


def natural(values: ArrayLike, scale: str) -> NDArray[np.float64]:
    """Values of the analysis scale on the natural one.

    The exponential of "log" (infinite beyond all numbers), tanh of "z", the inverse logit of "logit".
    """
    x = np.asarray(values, dtype=np.float64)
    with np.errstate(over="ignore"):
        return np.asarray(_BACK[scale](x) if scale in _BACK else x, dtype=np.float64)


def analysed(values: ArrayLike, scale: str) -> NDArray[np.float64]:
    """Values of the natural scale on the analysis scale (`natural` undoes it): infinite at its ends, NaN beyond."""
    x = np.asarray(values, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(_FORTH[scale](x) if scale in _FORTH else x, dtype=np.float64)


_BACK = {"log": np.exp, "z": np.tanh, "logit": expit}
_FORTH = {"log": np.log, "z": np.arctanh, "logit": logit}
RANGES: Mapping[str, tuple[float, float]] = {"log": (0, np.inf), "z": (-1, 1), "logit": (0, 1)}
"""Between which values the natural scale of each analysis scale lies, both excluded."""
