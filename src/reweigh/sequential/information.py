"""Required information size of a meta-analysis, in participants."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor, isfinite, log
from typing import Literal, NamedTuple

import numpy as np
import scipy  # its parts load when they are used
from numpy.typing import ArrayLike

from reweigh.sequential.boundaries import fixed_drift
from reweigh.text.codes import code, join

Measure = Literal["MD", "SMD", "RR"]
MEASURES: tuple[Measure, ...] = ("MD", "SMD", "RR")


class TrialCount(NamedTuple):
    """A number of equal trials with equal arms that gives the wanted power."""

    trials: int
    per_trial: int
    total: int


@dataclass(frozen=True, slots=True)
class InformationSize:
    """Required information size: participants in total, equal groups. What was not asked for is None."""

    measure: Measure
    #: The difference to detect on the analysis scale (log for RR).
    difference: float
    alpha: float
    beta: float
    sides: int
    #: Fixed-effect size before rounding up, and rounded.
    exact: float
    fixed: int
    #: ``fixed`` times 1/(1 - I2) and 1/(1 - D2), rounded up.
    by_i2: int | None
    by_d2: int | None
    #: For the trials asked for; else for the fewest trials that can reach the power.
    by_tau2: int | None
    #: Fewest trials that can reach the power under tau2, however large they are.
    min_trials: int | None
    #: The fewest trials, the next three numbers, and the number asked for.
    by_trials: tuple[TrialCount, ...]
    #: Codes of why something asked for is missing, else "".
    reason: str


def diversity(vi: ArrayLike, tau2: float) -> float:
    """Diversity D2 in percent: by how much the pooled variance falls from random to fixed effect.

    ``vi`` are sampling variances, ``tau2`` on the same scale. Raises ValueError on a variance that is not above
    0 or a negative tau2.

    Wetterslev, Thorlund, Brok and Gluud 2009, BMC Med Res Methodol 9:86, equation for D2.
    """
    v = np.asarray(vi, dtype=np.float64)
    if v.ndim != 1 or v.size == 0:
        raise ValueError("vi must be a non-empty one-dimensional array")
    for i in np.flatnonzero(~(v > 0) | ~np.isfinite(v)):
        raise ValueError(f"variance {v[i]} of trial {i} is not above 0 and finite")
    if not (tau2 >= 0 and isfinite(tau2)):
        raise ValueError(f"tau2 must be at least 0 and finite, not {tau2}")
    return float(100 * (1 - (1 / (v + tau2)).sum() / (1 / v).sum()))


def tau2_of_diversity(vi: ArrayLike, d2: float) -> float:
    """The tau2 under which trials with sampling variances ``vi`` have the diversity ``d2`` (PERCENT, 0 to below 100).

    The inverse of `diversity`, on the scale of ``vi``. Raises ValueError on a D2 or a variance that cannot be.
    """
    v = np.asarray(vi, dtype=np.float64)
    if not 0 <= d2 < 100:
        raise ValueError(f"D2 is in percent, from 0 to below 100, not {d2}")
    diversity(v, 0.0)
    if d2 == 0 or v.min() == v.max():
        return float(v[0] * d2 / (100 - d2))
    # Trials of one variance v have this D2 under tau2 = v D2 / (1 - D2): so much for the smallest, and for the largest.
    size = scipy.optimize.brentq(
        lambda x: diversity(v, np.exp(x) * d2 / (100 - d2)) - d2, np.log(v.min()), np.log(v.max()), xtol=1e-14
    )
    return float(np.exp(size) * d2 / (100 - d2))


def required_information_size(
    measure: Measure,
    difference: float,
    *,
    alpha: float = 0.05,
    beta: float = 0.1,
    sides: int = 2,
    sd: float | None = None,
    control_risk: float | None = None,
    i2: float | None = None,
    d2: float | None = None,
    tau2: float | None = None,
    trials: int | None = None,
) -> InformationSize:
    """Participants that a meta-analysis needs to detect ``difference`` with power 1 - ``beta``.

    MD: ``difference`` in units of the outcome and ``sd``; SMD: in standard deviations; RR: the relative risk on
    its natural scale (0.8) and ``control_risk``. The fixed-effect size is 4 z^2 v / d^2 with z = z(1 - alpha/sides)
    + z(1 - beta): v = sd^2 (MD), 1 (SMD), p(1 - p) with p the mean of both risks and d their difference (RR).
    ``i2`` and ``d2`` in PERCENT enlarge it by 1/(1 - I2) and 1/(1 - D2); ``tau2`` (log scale for RR) asks
    for K equal trials of n participants with (V/n + tau2)/K = d^2/z^2, V the variance of one trial times n
    (``trials`` = K in total, earlier ones included). Raises ValueError on impossible or missing input.

    Wetterslev, Jakobsen and Gluud 2017, BMC Med Res Methodol 17:39; tau2: Kulinskaya and Wood 2014, Res Synth
    Methods 5:212-20.
    """
    if measure not in MEASURES:
        raise ValueError(f"no information size for measure {measure!r}: one of {', '.join(MEASURES)}")
    z = fixed_drift(alpha, beta, sides)
    size, effect, trial_variance = _one_large_trial(measure, difference, sd, control_risk)
    exact = z**2 * size
    fixed, reasons = _up(exact), []
    adjusted: dict[str, int | None] = {"I2": None, "D2": None}
    for name, percent in (("I2", i2), ("D2", d2)):
        if percent is None:
            continue
        if not 0 <= percent <= 100:
            raise ValueError(f"{name} is in percent, 0 to 100, not {percent}")
        if percent == 100:
            reasons.append(code("no_size", of=name))
        else:
            adjusted[name] = _up(fixed / (1 - percent / 100))
    by_tau2: int | None = None
    fewest: int | None = None
    by_trials: tuple[TrialCount, ...] = ()
    if tau2 is not None:
        fewest, by_trials = _equal_trials(z, effect, trial_variance, tau2, trials)
        by_tau2 = by_trials[-1 if trials else 0].total if trials is None or trials >= fewest else None
        if by_tau2 is None:
            reasons.append(code("too_few_trials", tau2=tau2, fewest=fewest, trials=trials))
    return InformationSize(
        measure, effect, alpha, beta, sides, exact, fixed, adjusted["I2"], adjusted["D2"], by_tau2, fewest, by_trials,
        join(reasons),
    )  # fmt: skip


def _one_large_trial(
    measure: Measure, difference: float, sd: float | None, risk: float | None
) -> tuple[float, float, float]:
    """Participants per z^2, difference on the analysis scale, and n times the variance of a trial of n."""
    if not isfinite(difference) or difference == (1 if measure == "RR" else 0):
        raise ValueError(f"a difference of {difference} on {measure} is no difference that a trial could detect")
    if measure != "RR":
        if measure == "MD" and (sd is None or not (sd > 0 and isfinite(sd))):
            raise ValueError(f"the information size of a mean difference needs a standard deviation above 0, not {sd}")
        variance = 4.0 if measure == "SMD" or sd is None else 4 * sd**2
        return variance / difference**2, difference, variance
    if difference <= 0:
        raise ValueError(f"a relative risk is above 0, not {difference}")
    if risk is None or not 0 < risk < 1:
        raise ValueError(f"the information size of a relative risk needs a control risk between 0 and 1, not {risk}")
    treated = risk * difference
    if treated >= 1:
        raise ValueError(f"control risk {risk} times relative risk {difference} is a risk of {treated:g}, not below 1")
    mean = (risk + treated) / 2
    return 4 * mean * (1 - mean) / (risk - treated) ** 2, log(difference), 2 * (1 / risk + 1 / treated - 2)


def _equal_trials(
    z: float, effect: float, variance: float, tau2: float, trials: int | None
) -> tuple[int, tuple[TrialCount, ...]]:
    """Fewest trials that can reach the power, and sizes for some numbers of trials."""
    if not (tau2 >= 0 and isfinite(tau2)):
        raise ValueError(f"tau2 must be at least 0 and finite, not {tau2}")
    if trials is not None and trials < 1:
        raise ValueError(f"the number of trials must be at least 1, not {trials}")
    wanted = (effect / z) ** 2
    fewest = floor(tau2 / wanted * (1 + 1e-12)) + 1  # not by rounding error a number that can never suffice
    counts = [fewest, fewest + 1, fewest + 2, fewest + 3]
    if trials is not None and trials >= fewest:
        counts.append(trials)
    sizes = [_up(variance / (k * wanted - tau2)) for k in counts]
    return fewest, tuple(TrialCount(k, n, k * n) for k, n in zip(counts, sizes, strict=True))


def _up(value: float) -> int:
    """Round up, but not over rounding error (7030 / 0.5 is 14060)."""
    return ceil(value * (1 - 1e-12))
