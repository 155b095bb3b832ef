"""From what a paper prints to mean, SD, counts and standard errors.

Pure functions over arrays (shapes broadcast); a value that cannot be computed is NaN, and the table layer
gives the reason.  Handbook = Cochrane Handbook for Systematic Reviews of Interventions, version 6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from reweigh.quantile import t_critical, z_critical

Floats = NDArray[np.float64]

#: Handbook 6.5.2.2: in large samples (more than 100 per group) a 95% CI is 3.92 SE wide, in smaller ones t.
T_MAX_N = 100


def floats(*values: ArrayLike) -> tuple[Floats, ...]:
    """Broadcast the arguments to float64 arrays of one shape."""
    return tuple(np.broadcast_arrays(*(np.asarray(v, dtype=np.float64) for v in values)))


def sd_from_se(se: ArrayLike, n: ArrayLike) -> Floats:
    """SD of observations from the SE of their mean: SE * sqrt(n) (Handbook 6.5.2.2)."""
    se, n = floats(se, n)
    return se * np.sqrt(n)


def mean_ci_quantile(n: ArrayLike, level: ArrayLike = 0.95, t_max_n: float = T_MAX_N) -> Floats:
    """Quantile behind the CI of a mean: t with n - 1 df up to ``t_max_n``, normal above (Handbook 6.5.2.2)."""
    n, level = floats(n, level)
    return np.where(n <= t_max_n, t_critical(n - 1.0, level), z_critical(level))


def sd_from_ci(
    lower: ArrayLike, upper: ArrayLike, n: ArrayLike, level: ArrayLike = 0.95, t_max_n: float = T_MAX_N
) -> Floats:
    """SD from the CI of a mean: sqrt(n) * (upper - lower) / (2 quantile) (Handbook 6.5.2.2); NaN where n < 2."""
    lower, upper, n = floats(lower, upper, n)
    return np.sqrt(n) * (upper - lower) / (2.0 * mean_ci_quantile(n, level, t_max_n))


def ci_quantile(level: ArrayLike, df: ArrayLike = np.inf) -> Floats:
    """Quantile behind the CI of an estimate: normal where df is infinite, else t."""
    level, df = floats(level, df)
    return t_critical(df, level)


def se_from_ci(
    lower: ArrayLike, upper: ArrayLike, level: ArrayLike = 0.95, *, log: bool = False, df: ArrayLike = np.inf
) -> Floats:
    """SE from a CI: width / (2 quantile), after taking logs where ``log`` (Handbook 6.3.1, 6.3.2).

    Limits are on the natural scale; the SE is on the log scale where ``log``.  Normal quantile where df is
    infinite, else t.
    """
    lower, upper, df = floats(lower, upper, df)
    if log:
        lower, upper = np.log(lower), np.log(upper)
    return (upper - lower) / (2.0 * ci_quantile(level, df))


def ci_asymmetry(estimate: ArrayLike, lower: ArrayLike, upper: ArrayLike, *, log: bool = False) -> Floats:
    """Distance of the estimate from the middle of its CI, in half-widths (0 = symmetric).

    With ``log`` the check is made on the log scale, where the CI of a ratio should be symmetric
    (Handbook 6.3.2).
    """
    estimate, lower, upper = floats(estimate, lower, upper)
    if log:
        estimate, lower, upper = np.log(estimate), np.log(lower), np.log(upper)
    half = (upper - lower) / 2.0
    return np.abs(estimate - (lower + upper) / 2.0) / np.where(half > 0, half, np.nan)


def change_score(
    baseline_mean: ArrayLike, baseline_sd: ArrayLike, mean: ArrayLike, sd: ArrayLike, r: ArrayLike
) -> tuple[Floats, Floats]:
    """Mean and SD of the change final - baseline, given their correlation r (Handbook 6.5.2.8)."""
    m0, s0, m1, s1, r = floats(baseline_mean, baseline_sd, mean, sd, r)
    return m1 - m0, np.sqrt(s0**2 + s1**2 - 2.0 * r * s0 * s1)


def correlation_from_sds(sd1: ArrayLike, sd2: ArrayLike, sd_difference: ArrayLike) -> Floats:
    """Correlation of two paired measurements from their SDs and the SD of the difference (Handbook 6.5.2.8)."""
    s1, s2, sd = floats(sd1, sd2, sd_difference)
    return (s1**2 + s2**2 - sd**2) / (2.0 * s1 * s2)


def combine_arms(n: ArrayLike, mean: ArrayLike, sd: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Size, mean and SD of arms merged into one (Handbook table 6.5.a, for any number of arms).

    Arms lie along the last axis; an arm that is NaN in all three is absent.  Equal to the pooled raw data.
    """
    n, mean, sd = floats(n, mean, sd)
    absent = np.isnan(n) & np.isnan(mean) & np.isnan(sd)
    weight = np.where(absent, 0.0, n)
    total = weight.sum(axis=-1)
    mean, sd = np.where(absent, 0.0, mean), np.where(absent, 0.0, sd)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = (weight * mean).sum(axis=-1) / total
        within = (np.where(absent, 0.0, weight - 1.0) * sd**2).sum(axis=-1)
        between = (weight * (mean - pooled[..., None]) ** 2).sum(axis=-1)
        return total, pooled, np.sqrt((within + between) / (total - 1.0))


def events_from_percent(percent: ArrayLike, n: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    """Whole count nearest to percent * n / 100, and whether it reproduces the percent to within 0.5."""
    percent, n = floats(percent, n)
    events = np.floor(percent * n / 100.0 + 0.5)
    with np.errstate(invalid="ignore", divide="ignore"):
        fits = np.abs(100.0 * events / n - percent) <= 0.5 + 1e-9
    return events, fits


def design_effect(icc: ArrayLike, cluster_size: ArrayLike) -> Floats:
    """Design effect of a cluster trial: 1 + (mean cluster size - 1) * ICC (Handbook 23.1.4)."""
    icc, m = floats(icc, cluster_size)
    return 1.0 + (m - 1.0) * icc


# --- medians, quartiles and ranges ---------------------------------------------------------------------------


def bowley_skewness(q1: ArrayLike, median: ArrayLike, q3: ArrayLike) -> Floats:
    """Quartile skewness (q1 + q3 - 2 median) / (q3 - q1), from -1 to 1 (Bowley 1901)."""
    q1, median, q3 = floats(q1, median, q3)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (q1 + q3 - 2.0 * median) / (q3 - q1)


def five_number_scenario(
    median: ArrayLike, q1: ArrayLike, q3: ArrayLike, minimum: ArrayLike, maximum: ArrayLike
) -> NDArray[np.int64]:
    """Which summary is at hand (the median is not asked): 1 range, 2 quartiles, 3 both, 0 neither (Wan 2014)."""
    _, q1, q3, lo, hi = floats(median, q1, q3, minimum, maximum)
    has_range = ~(np.isnan(lo) | np.isnan(hi))
    has_quartiles = ~(np.isnan(q1) | np.isnan(q3))
    return has_range.astype(np.int64) + 2 * has_quartiles.astype(np.int64)


def skewness_test(
    n: ArrayLike,
    median: ArrayLike,
    q1: ArrayLike = np.nan,
    q3: ArrayLike = np.nan,
    minimum: ArrayLike = np.nan,
    maximum: ArrayLike = np.nan,
) -> tuple[Floats, Floats]:
    """Statistic and 5% critical value of the test that the data behind a summary are skewed.

    Shi et al. 2023, Stat Methods Med Res 32:1338, in the constants that metafor's conv.fivenum uses; skewed where
    statistic >= critical.  NaN where neither range nor quartiles are given.
    """
    n, m, q1, q3, lo, hi = floats(n, median, q1, q3, minimum, maximum)
    scenario = five_number_scenario(m, q1, q3, lo, hi)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_range = np.abs((lo + hi - 2.0 * m) / (hi - lo))
        by_quartiles = np.abs(bowley_skewness(q1, m, q3))
        both = np.maximum(2.65 * np.log(0.6 * n) / np.sqrt(n) * by_range, by_quartiles)
        statistic = np.choose(scenario, [np.full(n.shape, np.nan), by_range, by_quartiles, both])
        critical = np.choose(
            scenario,
            [
                np.full(n.shape, np.nan),
                1.0 / np.log(n + 9.0) + 2.5 / (n + 1.0),
                2.65 / np.sqrt(n) - 6.0 / n**2,
                3.0 / np.sqrt(n) - 40.0 / n**3,
            ],
        )
    return statistic, critical


def five_number_constants(n: ArrayLike) -> dict[str, Floats]:
    """Constants that turn quantiles of n observations into mean and SD.

    xi, eta: how many SDs lie between the extremes, between the quartiles (Wan 2014, eq. 9 and 16). w1, w2, w31, w32:
    weights of the middle of the range and of the quartiles in the mean (Luo 2018, eq. 7, 11, 15). w: weight of the
    range in the SD where both are given (Shi 2020, eq. 10).
    """
    (n,) = floats(n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "xi": 2.0 * ndtri((n - 0.375) / (n + 0.25)),
            "eta": 2.0 * ndtri((0.75 * n - 0.125) / (n + 0.25)),
            "w1": 4.0 / (4.0 + n**0.75),
            "w2": 0.7 + 0.39 / n,
            "w31": 2.2 / (2.2 + n**0.75),
            "w32": 0.7 - 0.72 / n**0.55,
            "w": 1.0 / (1.0 + 0.07 * n**0.6),
        }


def mean_sd_from_five_numbers(
    n: ArrayLike,
    median: ArrayLike,
    q1: ArrayLike = np.nan,
    q3: ArrayLike = np.nan,
    minimum: ArrayLike = np.nan,
    maximum: ArrayLike = np.nan,
    method: str = "luo-wan-shi",
) -> tuple[Floats, Floats]:
    """Mean and SD from median, quartiles and/or range, for data that are roughly normal.

    ``luo-wan-shi``: mean by Luo 2018 (eq. 7, 11, 15), SD by Wan 2014 (eq. 9, 16) or, with quartiles and range,
    Shi 2020 (eq. 10); the default of metafor's conv.fivenum.  ``wan``: mean and SD by Wan 2014.  ``lognormal``:
    Shi 2020b (Stat Interface 13:519), back-transformed with its bias correction.  NaN where n < 5 or a value is
    missing; without a median only the SD is given.
    """
    n, m, q1, q3, lo, hi = floats(n, median, q1, q3, minimum, maximum)
    log = method == "lognormal"
    with np.errstate(invalid="ignore", divide="ignore"):
        if log:
            m, q1, q3, lo, hi = (np.log(np.where(x > 0, x, np.nan)) for x in (m, q1, q3, lo, hi))
        scenario = five_number_scenario(m, q1, q3, lo, hi)
        scenario = np.where(n >= 5, scenario, 0)
        nan = np.full(n.shape, np.nan)
        xi, eta, w1, w2, w31, w32, w = five_number_constants(n).values()
        range_sd, quartile_sd = (hi - lo) / xi, (q3 - q1) / eta
        if method == "wan":
            means = [
                nan,
                (lo + 2 * m + hi) / 4 + (lo - 2 * m + hi) / (4 * n),
                (q1 + m + q3) / 3,
                (lo + 2 * q1 + 2 * m + 2 * q3 + hi) / 8,
            ]
            both_sd = (range_sd + quartile_sd) / 2.0
        elif method in ("luo-wan-shi", "lognormal"):
            means = [
                nan,
                w1 * (lo + hi) / 2 + (1 - w1) * m,
                w2 * (q1 + q3) / 2 + (1 - w2) * m,
                w31 * (lo + hi) / 2 + w32 * (q1 + q3) / 2 + (1 - w31 - w32) * m,
            ]
            both_sd = w * range_sd + (1 - w) * quartile_sd
        else:
            msg = f"method must be 'luo-wan-shi', 'wan' or 'lognormal', not {method!r}"
            raise ValueError(msg)
        mean = np.choose(scenario, means)
        sd = np.choose(scenario, [nan, range_sd, quartile_sd, both_sd])
        return _from_log(n, mean, sd, scenario) if log else (mean, sd)


def _from_log(n: Floats, mean: Floats, sd: Floats, scenario: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Back-transform mean and SD of log data (Shi 2020b, Stat Interface 13:519)."""
    nan = np.full(n.shape, np.nan)
    theta = [nan, 1.01 + 0.25 / np.log(n) ** 2, 1 + 1.58 / n, 1 + 0.28 / np.log(n) ** 2]
    fourth = [nan, 1 + 2.23 / np.log(n) ** 2, 1 + 19.2 / n**1.2, 1 + 3.93 / n]
    a = _pick(scenario, 0.565, 0.57, 0.405)
    b = _pick(scenario, 0.37, 0.75, 0.315)
    var = sd**2 / np.choose(scenario, theta)
    s4 = sd**4 / np.choose(scenario, fourth)
    phi = 1 + a * var / n + b * s4 / n
    phi1 = 1 + 4 * a * var / n + 16 * b * s4 / n
    phi2 = 1 + 4 * a * var / n + 4 * b * s4 / n
    natural_mean = np.exp(mean + var / 2) / phi
    natural_sd = np.sqrt(np.exp(2 * mean + 2 * var) / phi1 - np.exp(2 * mean + var) / phi2)
    return natural_mean, natural_sd


def _pick(scenario: NDArray[np.int64], by_range: float, by_quartiles: float, both: float) -> Floats:
    return np.array([np.nan, by_range, by_quartiles, both])[scenario]
