"""From what a paper prints to mean, SD, counts and standard errors.

Pure functions over arrays; what cannot be computed is NaN, and the table layer gives the reason.
Handbook = Cochrane Handbook for Systematic Reviews of Interventions, version 6.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from reweigh.quantile import t_critical, z_critical

Floats = NDArray[np.float64]
MISSING: Floats = np.array(np.nan)
Found = TypeVar("Found")

#: Handbook 6.5.2.2: in large samples (more than 100 per group) a 95% CI is 3.92 SE wide, in smaller ones t.
T_MAX_N = 100


def floats(*values: ArrayLike) -> tuple[Floats, ...]:
    """Broadcast the arguments to float64 arrays of one shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in values)))


def on_arrays(formula: Callable[..., Found]) -> Callable[..., Found]:
    """A formula whose parameters of type Floats take any numbers: they are broadcast, and the impossible gives NaN."""
    signature = inspect.signature(formula)
    names = [name for name, one in signature.parameters.items() if one.annotation.startswith("Floats")]

    @wraps(formula)
    def call(*positional: Any, **named: Any) -> Found:
        given = signature.bind(*positional, **named)
        given.apply_defaults()
        given.arguments |= dict(zip(names, floats(*(given.arguments[name] for name in names)), strict=True))
        with np.errstate(invalid="ignore", divide="ignore"):
            return formula(*given.args, **given.kwargs)

    return call


@on_arrays
def sd_from_se(se: Floats, n: Floats) -> Floats:
    """SD of observations from the SE of their mean: SE * sqrt(n) (Handbook 6.5.2.2)."""
    return se * np.sqrt(n)


@on_arrays
def mean_ci_quantile(n: Floats, level: Floats | float = 0.95) -> Floats:
    """Quantile behind the CI of a mean: t with n - 1 df up to `T_MAX_N`, normal above (Handbook 6.5.2.2)."""
    return np.where(n <= T_MAX_N, t_critical(n - 1.0, level), z_critical(level))


@on_arrays
def sd_from_ci(lower: Floats, upper: Floats, n: Floats, level: Floats | float = 0.95) -> Floats:
    """SD from the CI of a mean: sqrt(n) * (upper - lower) / (2 quantile) (Handbook 6.5.2.2); NaN where n < 2."""
    return np.sqrt(n) * (upper - lower) / (2.0 * mean_ci_quantile(n, level))


@on_arrays
def se_from_ci(lower: Floats, upper: Floats, level: Floats | float = 0.95, df: Floats | float = np.inf) -> Floats:
    """SE from a CI on the analysis scale: width / (2 quantile), t or, where df is infinite, normal (Handbook 6.3.1)."""
    return (upper - lower) / (2.0 * t_critical(df, level))


@on_arrays
def ci_asymmetry(estimate: Floats, lower: Floats, upper: Floats) -> Floats:
    """Distance of the estimate from the middle of its CI, in half-widths: 0 on the analysis scale (Handbook 6.3.2)."""
    half = (upper - lower) / 2.0
    return np.abs(estimate - (lower + upper) / 2.0) / np.where(half > 0, half, np.nan)


@on_arrays
def change_score(m0: Floats, s0: Floats, m1: Floats, s1: Floats, r: Floats) -> tuple[Floats, Floats]:
    """Mean and SD of the change from baseline (0) to the end (1), given their correlation r (Handbook 6.5.2.8)."""
    return m1 - m0, np.sqrt(s0**2 + s1**2 - 2.0 * r * s0 * s1)


@on_arrays
def correlation_from_sds(s1: Floats, s2: Floats, sd_difference: Floats) -> Floats:
    """Correlation of two paired measurements from their SDs and the SD of the difference (Handbook 6.5.2.8)."""
    return (s1**2 + s2**2 - sd_difference**2) / (2.0 * s1 * s2)


@on_arrays
def combine_arms(n: Floats, mean: Floats, sd: Floats) -> tuple[Floats, Floats, Floats]:
    """Size, mean and SD of arms merged into one (Handbook table 6.5.a, for any number of arms).

    Arms lie along the last axis; an arm that is NaN in all three is absent.  Equal to the pooled raw data.
    """
    absent = np.isnan(n) & np.isnan(mean) & np.isnan(sd)
    weight = np.where(absent, 0.0, n)
    total = weight.sum(axis=-1)
    mean, sd = np.where(absent, 0.0, mean), np.where(absent, 0.0, sd)
    pooled = (weight * mean).sum(axis=-1) / total
    within = (np.where(absent, 0.0, weight - 1.0) * sd**2).sum(axis=-1)
    between = (weight * (mean - pooled[..., None]) ** 2).sum(axis=-1)
    return total, pooled, np.sqrt((within + between) / (total - 1.0))


@on_arrays
def events_from_percent(percent: Floats, n: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Whole count nearest to percent * n / 100, and whether it reproduces the percent to within 0.5."""
    events = np.floor(percent * n / 100.0 + 0.5)
    return events, np.abs(100.0 * events / n - percent) <= 0.5 + 1e-9


@on_arrays
def design_effect(icc: Floats, size: Floats) -> Floats:
    """Design effect of a cluster trial: 1 + (mean cluster size - 1) * ICC (Handbook 23.1.4)."""
    return 1.0 + (size - 1.0) * icc


@on_arrays
def five_number_scenario(q1: Floats, q3: Floats, minimum: Floats, maximum: Floats) -> NDArray[np.int64]:
    """Which summary is at hand beside the median: 1 range, 2 quartiles, 3 both, 0 neither (Wan 2014)."""
    return np.asarray(~np.isnan(maximum - minimum) + 2 * ~np.isnan(q3 - q1), dtype=np.int64)


@on_arrays
def skewness_test(
    n: Floats, median: Floats, q1: Floats, q3: Floats, minimum: Floats = MISSING, maximum: Floats = MISSING
) -> tuple[Floats, Floats]:
    """Statistic and 5% critical value of the test that the data behind a summary are skewed.

    Shi et al. 2023, Stat Methods Med Res 32:1338, in the constants that metafor's conv.fivenum uses; skewed where
    statistic >= critical.  NaN where neither range nor quartiles are given.
    """
    scenario, nan = five_number_scenario(q1, q3, minimum, maximum), np.full(n.shape, np.nan)
    by_range = np.abs((minimum + maximum - 2.0 * median) / (maximum - minimum))
    by_quartiles = np.abs((q1 + q3 - 2.0 * median) / (q3 - q1))  # Bowley 1901
    both = np.maximum(2.65 * np.log(0.6 * n) / np.sqrt(n) * by_range, by_quartiles)
    limits = [1.0 / np.log(n + 9.0) + 2.5 / (n + 1.0), 2.65 / np.sqrt(n) - 6.0 / n**2, 3.0 / np.sqrt(n) - 40.0 / n**3]
    return np.choose(scenario, [nan, by_range, by_quartiles, both]), np.choose(scenario, [nan, *limits])


@on_arrays
def five_number_constants(n: Floats) -> dict[str, Floats]:
    """Constants that turn quantiles of n observations into mean and SD.

    xi, eta: how many SDs lie between the extremes, between the quartiles (Wan 2014, eq. 9 and 16). w1, w2, w31, w32:
    weights of the middle of the range and of the quartiles in the mean (Luo 2018, eq. 7, 11, 15). w: weight of the
    range in the SD where both are given (Shi 2020, eq. 10).
    """
    return {
        "xi": 2.0 * ndtri((n - 0.375) / (n + 0.25)),
        "eta": 2.0 * ndtri((0.75 * n - 0.125) / (n + 0.25)),
        "w1": 4.0 / (4.0 + n**0.75),
        "w2": 0.7 + 0.39 / n,
        "w31": 2.2 / (2.2 + n**0.75),
        "w32": 0.7 - 0.72 / n**0.55,
        "w": 1.0 / (1.0 + 0.07 * n**0.6),
    }


@on_arrays
def mean_sd_from_five_numbers(
    n: Floats, median: Floats, q1: Floats = MISSING, q3: Floats = MISSING, minimum: Floats = MISSING,
    maximum: Floats = MISSING, method: str = "luo-wan-shi",
) -> tuple[Floats, Floats]:  # fmt: skip
    """Mean and SD from median, quartiles and/or range, for data that are roughly normal.

    ``luo-wan-shi``: mean by Luo 2018 (eq. 7, 11, 15), SD by Wan 2014 (eq. 9, 16) or, with quartiles and range,
    Shi 2020 (eq. 10); the default of metafor's conv.fivenum.  ``wan``: mean and SD by Wan 2014.  ``lognormal``:
    Shi 2020b (Stat Interface 13:519), back-transformed with its bias correction.  NaN where n < 5 or a value is
    missing; without a median only the SD is given.
    """
    m, q1, q3, lo, hi = (
        np.log(np.where(x > 0, x, np.nan)) if method == "lognormal" else x for x in (median, q1, q3, minimum, maximum)
    )
    scenario, nan = np.where(n >= 5, five_number_scenario(q1, q3, lo, hi), 0), np.full(n.shape, np.nan)
    xi, eta, w1, w2, w31, w32, w = five_number_constants(n).values()
    range_sd, quartile_sd = (hi - lo) / xi, (q3 - q1) / eta
    if method == "wan":
        by_range, by_quartiles = (lo + 2 * m + hi) / 4 + (lo - 2 * m + hi) / (4 * n), (q1 + m + q3) / 3
        both = (lo + 2 * q1 + 2 * m + 2 * q3 + hi) / 8
        both_sd = (range_sd + quartile_sd) / 2.0
    elif method in ("luo-wan-shi", "lognormal"):
        by_range, by_quartiles = w1 * (lo + hi) / 2 + (1 - w1) * m, w2 * (q1 + q3) / 2 + (1 - w2) * m
        both = w31 * (lo + hi) / 2 + w32 * (q1 + q3) / 2 + (1 - w31 - w32) * m
        both_sd = w * range_sd + (1 - w) * quartile_sd
    else:
        raise ValueError(f"method must be 'luo-wan-shi', 'wan' or 'lognormal', not {method!r}")
    mean = np.choose(scenario, [nan, by_range, by_quartiles, both])
    sd = np.choose(scenario, [nan, range_sd, quartile_sd, both_sd])
    return _from_log(n, mean, sd, scenario) if method == "lognormal" else (mean, sd)


def _from_log(n: Floats, mean: Floats, sd: Floats, scenario: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Back-transform mean and SD of log data (Shi 2020b, Stat Interface 13:519)."""
    nan = np.full(n.shape, np.nan)
    theta = [nan, 1.01 + 0.25 / np.log(n) ** 2, 1 + 1.58 / n, 1 + 0.28 / np.log(n) ** 2]
    fourth = [nan, 1 + 2.23 / np.log(n) ** 2, 1 + 19.2 / n**1.2, 1 + 3.93 / n]
    a, b = (np.array([np.nan, *factors])[scenario] for factors in ((0.565, 0.57, 0.405), (0.37, 0.75, 0.315)))
    var = sd**2 / np.choose(scenario, theta)
    s4 = sd**4 / np.choose(scenario, fourth)
    phi = 1 + a * var / n + b * s4 / n
    phi1 = 1 + 4 * a * var / n + 16 * b * s4 / n
    phi2 = 1 + 4 * a * var / n + 4 * b * s4 / n
    natural_sd = np.sqrt(np.exp(2 * mean + 2 * var) / phi1 - np.exp(2 * mean + var) / phi2)
    return np.exp(mean + var / 2) / phi, natural_sd
