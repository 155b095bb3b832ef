"""Meta-regression against metafor."""

import json
from pathlib import Path

import numpy as np
import pytest

from reweigh.pool.regression import meta_regression, predict
from reweigh.pool.tau2 import METHODS as TAU2_METHODS

METAFOR = json.loads((Path(__file__).parent / "reference" / "pool_metafor.json").read_text())
TESTS = {"z": "wald", "t": "t", "knha": "hartung-knapp"}


def run(case, **options):
    data = METAFOR["moderators"][case["data"]]
    terms = [case["terms"]] if isinstance(case["terms"], str) else case["terms"]
    chosen = {"tau2_method": case["method"], "test": TESTS[case["test"]], "minimum": None} | options
    return meta_regression(data["yi"], data["vi"], {t: data[t] for t in terms}, **chosen)


@pytest.mark.parametrize(
    "case", METAFOR["regression"], ids=lambda c: f"{c['data']}-{c['terms']}-{c['method']}-{c['test']}"
)
def test_agrees_with_metafor(case):
    ours = run(case)
    for field in (
        "estimate",
        "se",
        "statistic",
        "p_value",
        "ci_lower",
        "ci_upper",
        "qm",
        "qm_p_value",
        "qe",
        "qe_p_value",
        "tau2",
    ):
        np.testing.assert_allclose(getattr(ours, field), case[field], rtol=1e-8, atol=1e-10, err_msg=field)
    if case["method"] != "EE":
        np.testing.assert_allclose([ours.i2_tau2, ours.h2_tau2], [case["i2"], case["h2"]], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose([ours.tau2_ci_lower, ours.tau2_ci_upper], case["tau2_ci"], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(ours.r2, case["r2"], rtol=1e-8, atol=1e-8)
        there = predict(ours, ours.x[:2])
        np.testing.assert_allclose(there["estimate"], case["pred"], rtol=1e-8)
        np.testing.assert_allclose(there["ci_lower"], case["pred_ci"], rtol=1e-8)
        np.testing.assert_allclose(there["pi_lower"], case["pred_pi"], rtol=1e-8)


@pytest.mark.parametrize(("data", "terms"), [("bcg", ["ablat", "alloc"]), ("bangertdrowns2004", ["length", "grade"])])
def test_vif(data, terms):
    case = {"data": data, "terms": terms, "method": "REML", "test": "z"}
    assert [t.vif for t in run(case).terms] == pytest.approx(METAFOR["vif"][data], rel=1e-8)


def test_omnibus_of_one_term_is_the_whole():
    case = {"data": "bcg", "terms": "alloc", "method": "REML", "test": "z"}
    ours = run(case)
    assert ours.terms[0].qm == pytest.approx(ours.qm)
    assert ours.terms[0].qm_df == ours.qm_df == 2


def test_permutation_is_seeded_and_near_the_exact_test():
    """metafor's permutest over all 720 permutations; ours draws 20,000, so within 4 Monte Carlo standard errors."""
    data = METAFOR["permutation"]
    options = {"tau2_method": "DL", "minimum": None, "permutations": 20_000, "seed": 1}
    ours = meta_regression(data["yi"], data["vi"], {"ablat": data["ablat"]}, **options)
    exact = data["p_value"][1]
    error = 4 * np.sqrt(exact * (1 - exact) / 20_000)
    assert ours.permutation_p_value[1] == pytest.approx(exact, abs=error)
    assert ours.qm_permutation_p_value == pytest.approx(data["qm_p_value"], abs=error)
    again = meta_regression(data["yi"], data["vi"], {"ablat": data["ablat"]}, **options)
    assert again.permutation_p_value[1] == ours.permutation_p_value[1]
    assert np.isnan(ours.permutation_p_value[0])


def test_a_permutation_that_fits_exactly_is_as_far_as_can_be():
    """Of the five places of the one trial with the moderator four look alike, and the fifth fits exactly."""
    x, y = np.array([1.0, 0.0, 0.0, 0.0, 0.0]), np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    ours = meta_regression(y, np.ones(5), {"x": x}, minimum=None, permutations=500, seed=1)
    assert ours.qm_permutation_p_value == ours.permutation_p_value[1] == 1
    exact = meta_regression(x, np.ones(5), {"x": x}, minimum=None, permutations=50, seed=1)
    assert "regression_exact_fit" in exact.reason
    assert np.isnan([exact.qm_permutation_p_value, exact.permutation_p_value[1]]).all()


def test_no_moderators_is_plain_pooling():
    fit = METAFOR["sets"]["bcg_rr"]
    for method in TAU2_METHODS:
        ours = meta_regression(fit["yi"], fit["vi"], {}, tau2_method=method)
        np.testing.assert_allclose(ours.estimate[0], fit["fits"][method]["knha"]["estimate"], rtol=1e-8)
        np.testing.assert_allclose(ours.se[0], fit["fits"][method]["knha"]["se"], rtol=1e-8)


def test_subgroup_means_without_intercept():
    data, fit = METAFOR["subgroups"]["bcg"], METAFOR["subgroups"]["bcg"]["fits"]["REML"]
    member = {level: (np.array(data["by"]) == level).astype(float) for level in fit["levels"]}
    ours = meta_regression(data["yi"], data["vi"], member, intercept=False, test="wald", minimum=None)
    np.testing.assert_allclose(ours.estimate, fit["common"]["estimate"], rtol=1e-8)
    np.testing.assert_allclose(ours.tau2, fit["common"]["tau2"], rtol=1e-8)


def test_scale_of_a_moderator_does_not_matter():
    data = METAFOR["moderators"]["bcg"]
    year = np.array(data["year"], dtype=float)
    one = meta_regression(data["yi"], data["vi"], {"year": year})
    other = meta_regression(data["yi"], data["vi"], {"year": (year - 1970) / 1000})
    np.testing.assert_allclose(other.tau2, one.tau2, rtol=1e-9)
    np.testing.assert_allclose(other.p_value[1], one.p_value[1], rtol=1e-8)
    np.testing.assert_allclose(other.estimate[1], one.estimate[1] * 1000, rtol=1e-8)


@pytest.mark.parametrize(
    ("moderators", "message"),
    [
        ({"x": [1.0, 2.0, np.nan, 4.0]}, "missing at index 2"),
        ({"x": ["a", "b", None, "b"]}, "missing or not text at index 2"),
        ({"x": ["a", "a", "a", "a"]}, "one category only"),
        ({"x": [1.0, 1.0, 1.0, 1.0]}, "linearly dependent"),
        ({"x": [1.0, 2.0, 3.0, 4.0], "z": [2.0, 4.0, 6.0, 8.0]}, "linearly dependent"),
        ({"x": [1.0, 2.0]}, "has shape"),
        ({"x": ["a", "b", "c", "d"]}, "cannot estimate"),
    ],
)
def test_refused(moderators, message):
    with pytest.raises(ValueError, match=message):
        meta_regression([0.1, 0.2, 0.5, 0.3], [0.1, 0.1, 0.2, 0.1], moderators, minimum=None)


def test_no_trial_with_a_category():
    with pytest.raises(ValueError, match="no value"):
        meta_regression([], [], {"x": np.array([], dtype=object)}, minimum=None)


def test_moderators_that_fit_exactly_have_no_vif():
    fit = meta_regression([0.0, 0.0, 0.0, 0.0], [0.1, 0.1, 0.2, 0.1], {"x": [1.0, 2.0, 3.0, 5.0]}, minimum=None)
    assert "regression_exact_fit" in fit.reason and np.isnan(fit.terms[0].vif) and fit.guarded_p_value[1] == 1


def test_too_few_trials_per_moderator():
    data = METAFOR["moderators"]["bcg"]
    both = {"ablat": data["ablat"], "year": data["year"]}
    with pytest.raises(ValueError, match="13 trials for 2 moderator"):
        meta_regression(data["yi"], data["vi"], both)
    assert (
        meta_regression(data["yi"], data["vi"], both, minimum=None).reason == "regression_few_trials k=13 moderators=2"
    )
    with pytest.raises(ValueError, match="no category 'b'"):
        meta_regression(data["yi"], data["vi"], {"alloc": data["alloc"]}, reference={"alloc": "b"})
