"""Conversions against metafor 5, meta (effects_others.json), base R (effects_quantiles.json) and printed examples."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reweigh.effects import conversions as conv
from reweigh.effects.quantiles import mean_sd_by_quantile_estimation
from reweigh.quantile import t_from_p, z_from_p

REFERENCE = Path(__file__).parent / "reference"
OTHERS = json.loads((REFERENCE / "effects_others.json").read_text())
QUANTILES = json.loads((REFERENCE / "effects_quantiles.json").read_text())


def five_numbers(rows) -> dict[str, np.ndarray]:
    names = {"n": "n", "median": "median", "q1": "q1", "q3": "q3", "minimum": "min", "maximum": "max"}
    if isinstance(rows, dict):
        return {k: np.array(rows[v], dtype=float) for k, v in names.items()}
    return {k: np.array([row[v] for row in rows], dtype=float) for k, v in names.items()}


SUMMARIES = five_numbers(OTHERS["conv_fivenum"]["input"])


@pytest.mark.parametrize(("method", "key"), [("luo-wan-shi", "metafor_default"), ("lognormal", "metafor_lnorm")])
def test_five_numbers_as_metafor(method: str, key: str) -> None:
    mean, sd = conv.mean_sd_from_five_numbers(**SUMMARIES, method=method)
    np.testing.assert_allclose(mean, OTHERS["conv_fivenum"][key]["mean"], rtol=1e-12)
    np.testing.assert_allclose(sd, OTHERS["conv_fivenum"][key]["sd"], rtol=1e-12)


def test_five_numbers_by_wan_as_meta() -> None:
    """meta reads the SD's constants from Wan's table to three decimals up to n = 50; the formula is used here."""
    mean, sd = conv.mean_sd_from_five_numbers(**SUMMARIES, method="wan")
    reference = OTHERS["conv_fivenum"]["meta_by_method"]["Wan_Wan"]
    np.testing.assert_allclose(mean, reference["mean"], rtol=1e-12)
    np.testing.assert_allclose(sd, reference["sd"], rtol=6e-3)


def test_five_numbers_need_five_patients_and_two_ends() -> None:
    mean, sd = conv.mean_sd_from_five_numbers([4, 20, 20], [5, 5, 5], [3, 3, np.nan], [8, np.nan, 7], np.nan, np.nan)
    assert np.isnan(mean).all()
    assert np.isnan(sd).all()
    mean, sd = conv.mean_sd_from_five_numbers(20, np.nan, 3, 8)
    assert np.isnan(mean)
    assert sd > 0


def test_quantile_estimation_as_base_r() -> None:
    """The reference minimises in two parameters, this package in one: the tolerance is that of the minimisers."""
    mean, sd = mean_sd_by_quantile_estimation(**five_numbers(QUANTILES["input"]))
    np.testing.assert_allclose(mean, QUANTILES["mean"], rtol=1e-7)
    np.testing.assert_allclose(sd, QUANTILES["sd"], rtol=1e-7)
    assert set(QUANTILES["family"]) == {"normal", "lognormal", "gamma", "weibull", "beta"}


def test_quantile_estimation_with_zeros_is_that_of_the_normal() -> None:
    """Two zeros: positive distributions fit them only with a mean of 1e113."""
    mean, sd = mean_sd_by_quantile_estimation(50, 0, 0, 2, np.nan, np.nan)
    z = stats.norm.ppf(0.75)  # least squares on the normal scores -z, 0, z
    assert (mean, sd) == (pytest.approx(2 / 3), pytest.approx(1 / z))
    mean, _ = mean_sd_by_quantile_estimation(40, 0, np.nan, np.nan, 0, 30)
    assert mean == pytest.approx(10)
    for low, middle in ((0, 1e-9), (0, 1e-3), (1e-9, 1e-6)):
        mean, sd = mean_sd_by_quantile_estimation(40, middle, np.nan, np.nan, low, 30)
        assert low <= mean <= 30 and np.isfinite(sd)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 1000))
def test_quantile_estimation_does_not_depend_on_the_unit(unit: float) -> None:
    mean, sd = mean_sd_by_quantile_estimation(65, 7, 3, 12, 1, 30)
    scaled = mean_sd_by_quantile_estimation(65, 7 * unit, 3 * unit, 12 * unit, 1 * unit, 30 * unit)
    np.testing.assert_allclose(scaled, (mean * unit, sd * unit), rtol=1e-6)


def test_skewness_is_seen() -> None:
    statistic, critical = conv.skewness_test([100, 100], [20, 20], [10, 10], [30, 90])
    assert (statistic >= critical).tolist() == [False, True]


def test_contrast_se_as_conv_wald() -> None:
    rows, reference = OTHERS["conv_wald"]["input"], OTHERS["conv_wald"]["log_ratio"]
    for row, vi in zip(rows, reference["vi"], strict=True):
        if row["lb"] is None:
            se = np.abs(np.log(row["out"])) / z_from_p(row["pval"])
        else:
            se = conv.se_from_ci(np.log(row["lb"]), np.log(row["ub"]))
        assert se**2 == pytest.approx(vi, rel=1e-10)


def test_handbook_p_value_of_a_mean_difference() -> None:
    """Handbook 5.1, 7.7.3.3: MD 3.8, p = 0.008, n 25 and 22: t 2.78, SE 1.37."""
    t = t_from_p(0.008, 25 + 22 - 2)
    assert round(float(t), 2) == 2.78
    assert round(3.8 / float(t), 2) == 1.37


def test_mean_ci_uses_t_up_to_a_hundred() -> None:
    # By R: qt(0.975, 99) = 1.984216951586, qnorm(0.975) = 1.959963984540. The switch lies between 100 and 101.
    assert conv.sd_from_ci(0, 2 * 1.984216951586 / 10, 100) == pytest.approx(1, rel=1e-11)
    assert conv.sd_from_ci(0, 2 * 1.959963984540 / np.sqrt(101), 101) == pytest.approx(1, rel=1e-11)
    assert conv.sd_from_ci(0, 2 * 1.998340542521 / 8, 64) == pytest.approx(1, rel=1e-6)
    assert conv.sd_from_ci(0, 3.919927969080108, 400) == pytest.approx(20, rel=1e-12)
    assert np.isnan(conv.sd_from_ci(1, 2, 1))


def test_percent_to_events() -> None:
    events, fits = conv.events_from_percent([76, 77, 0, 100, 12.5], [30, 30, 9, 9, 8])
    assert events.tolist() == [23, 23, 0, 9, 1]
    assert fits.tolist() == [False, True, True, True, True]


def test_change_and_its_correlation_are_inverse() -> None:
    mean, sd = conv.change_score(50, 10, 40, 12, 0.7)
    assert mean == -10
    assert conv.correlation_from_sds(10, 12, sd) == pytest.approx(0.7)


def test_small_ones() -> None:
    assert conv.design_effect(0.02, 15) == pytest.approx(1.28)
    assert conv.ci_asymmetry(*np.log([2, 1, 4])) == pytest.approx(0)
    assert conv.ci_asymmetry(2, 1, 4) == pytest.approx(1 / 3)


samples = st.lists(st.lists(st.floats(-100, 100), min_size=2, max_size=12), min_size=1, max_size=5)


@given(samples)
def test_combining_arms_equals_pooling_the_raw_data(groups: list[list[float]]) -> None:
    n = [len(g) for g in groups] + [np.nan]
    mean = [np.mean(g) for g in groups] + [np.nan]
    sd = [np.std(g, ddof=1) for g in groups] + [np.nan]
    pooled = np.concatenate(groups)
    total, m, s = conv.combine_arms(n, mean, sd)
    assert total == pooled.size
    assert m == pytest.approx(pooled.mean(), abs=1e-9)
    assert s == pytest.approx(pooled.std(ddof=1), abs=1e-6)


@given(st.floats(0.001, 1000), st.floats(-50, 50), st.sampled_from([0.9, 0.95, 0.99]), st.floats(2, 500))
def test_se_from_ci_takes_back_what_a_ci_adds(se: float, estimate: float, level: float, df: float) -> None:
    for degrees, quantile in ((np.inf, stats.norm.ppf((1 + level) / 2)), (df, stats.t.ppf((1 + level) / 2, df))):
        half = quantile * se
        found = conv.se_from_ci(estimate - half, estimate + half, level, df=degrees)
        assert found == pytest.approx(se, rel=1e-8)


@given(st.floats(0.1, 50), st.integers(2, 500))
def test_sd_comes_back_from_se_and_ci(sd: float, n: int) -> None:
    se = sd / np.sqrt(n)
    assert conv.sd_from_se(se, n) == pytest.approx(sd)
    half = conv.mean_ci_quantile(n) * se
    assert conv.sd_from_ci(7 - half, 7 + half, n) == pytest.approx(sd, rel=1e-9)


@given(st.floats(1e-12, 1), st.floats(1, 300))
def test_p_to_t_is_monotone_and_above_z(p: float, df: float) -> None:
    assert t_from_p(p, df) >= z_from_p(p) - 1e-9
    assert t_from_p(p / 2, df) >= t_from_p(p, df)
