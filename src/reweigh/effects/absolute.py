"""Absolute effects per 1,000 people."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isnan, log

import pandas as pd

PER = 1000


@dataclass(frozen=True, slots=True)
class AbsoluteEffect:
    """Events per 1,000: with the control, with the intervention, and the difference, each with its CI."""

    assumed: float
    corresponding: float
    lower: float
    upper: float

    @property
    def difference(self) -> tuple[float, float, float]:
        """Difference per 1,000 and its CI."""
        return self.corresponding - self.assumed, self.lower - self.assumed, self.upper - self.assumed


def absolute_effect(measure: str, risk: float, estimate: float, lower: float, upper: float) -> AbsoluteEffect:
    """Events per 1,000 at a control risk, from a relative effect or risk difference on its natural scale.

    RR, OR, HR and RD; `risk` between 0 and 1. Risks are kept within 0 and 1. Raises ValueError for another measure
    or an impossible risk. Cochrane Handbook 15.4.4.
    """
    if not 0 <= risk <= 1:
        raise ValueError(f"a control risk lies between 0 and 1, not {risk}")

    def at(x: float) -> float:
        if isnan(x):
            return x
        if measure == "RR":
            value = risk * x
        elif measure == "OR":
            value = risk * x / (1 - risk + risk * x) if risk < 1 else 1.0
        elif measure == "HR":
            value = 1 - exp(x * log(1 - risk)) if risk < 1 else 1.0
        elif measure == "RD":
            value = risk + x
        else:
            raise ValueError(f"no absolute effect for {measure}; allowed: RR, OR, HR, RD")
        return PER * min(max(value, 0.0), 1.0)

    return AbsoluteEffect(PER * risk, at(estimate), at(lower), at(upper))


def control_risks(effects: pd.DataFrame) -> pd.Series:
    """Risk of each control group of rows of effects.csv, between 0 and 1, NaN without counts; no half event added."""
    whole = effects["events_control"].where(effects["corrected"] != "yes", effects["events_control"] // 1)
    return whole / effects["n_control"]


def control_risk(effects: pd.DataFrame) -> float:
    """Median risk of the control groups (NaN without counts): Cochrane Handbook 14.1.6.2."""
    return float(control_risks(effects).median())
