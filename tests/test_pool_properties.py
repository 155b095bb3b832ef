"""Invariants of pooling on made-up data, and sets at the edge."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweigh.pool.binary import mantel_haenszel, peto
from reweigh.pool.core import pool, prepare
from reweigh.pool.engines import second_engine
from reweigh.pool.refit import Trials
from reweigh.pool.subgroups import subgroups
from reweigh.pool.tau2 import log_likelihood
from reweigh.protocol.models import Model

METHODS = ("EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")


@st.composite
def data_sets(draw, smallest=2, largest=15):
    k = draw(st.integers(smallest, largest))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    vi = np.exp(rng.normal(draw(st.sampled_from([-6, -2, 3])), draw(st.sampled_from([0.3, 1.0, 2.5])), k))
    tau = draw(st.sampled_from([0.0, 0.5, 2.0])) * np.sqrt(np.median(vi))
    return rng.normal(rng.normal(), np.sqrt(vi + tau**2)), vi


def generalised_q(y, v, tau2):
    w = 1 / (v + tau2)
    return float(np.sum(w * (y - np.sum(w * y) / np.sum(w)) ** 2))


@settings(max_examples=60, deadline=None)
@given(data_sets(), st.sampled_from(METHODS), st.floats(-50, 50), st.floats(0.01, 100))
def test_shift_and_scale_equivariance(data, method, shift, scale):
    y, v = data
    one, other = pool(y, v, tau2_method=method), pool(scale * y + shift, scale**2 * v, tau2_method=method)
    unit = scale * one.se[0] + 1e-9 * (abs(shift) + scale * np.abs(y).max())
    for field in ("estimate", "ci_lower", "ci_upper", "pi_lower"):
        np.testing.assert_allclose(
            getattr(other, field), scale * getattr(one, field) + shift, atol=1e-6 * unit, rtol=1e-8
        )
    floor = scale**2 * v.min()
    for field in ("tau2", "tau2_ci_lower", "tau2_ci_upper"):
        np.testing.assert_allclose(getattr(other, field), scale**2 * getattr(one, field), rtol=1e-6, atol=1e-6 * floor)
    np.testing.assert_allclose(other.q, one.q, rtol=1e-6, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(data_sets(), st.sampled_from(METHODS), st.randoms(use_true_random=False))
def test_order_does_not_matter(data, method, random):
    y, v = data
    order = list(range(len(y)))
    random.shuffle(order)
    one, other = pool(y, v, tau2_method=method), pool(y[order], v[order], tau2_method=method)
    for field in ("estimate", "se", "tau2", "tau2_ci_upper", "q", "i2_q"):
        np.testing.assert_allclose(getattr(other, field), getattr(one, field), rtol=1e-8, atol=1e-10 * v.min())
    np.testing.assert_allclose(other.weights[0], one.weights[0][order], rtol=1e-8, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(data_sets())
def test_two_halves_make_a_whole(data):
    """Every trial twice with twice the variance leaves the common-effect mean and its standard error."""
    y, v = data
    one = pool(y, v, tau2_method="EE", ci_method="wald")
    other = pool(np.tile(y, 2), 2 * np.tile(v, 2), tau2_method="EE", ci_method="wald")
    np.testing.assert_allclose([other.estimate, other.se], [one.estimate, one.se], rtol=1e-12, atol=1e-14)


def reml_score(y, v, tau2):
    """By the projection matrix, not by the sums that the library takes."""
    w = 1 / (v + tau2)
    p = np.diag(w) - np.outer(w, w) / w.sum()
    return float(y @ p @ p @ y - np.trace(p)), float(np.trace(p))


@settings(max_examples=60, deadline=None)
@given(data_sets(smallest=3))
def test_reml_score_is_zero_or_tau2_on_the_boundary(data):
    y, v = data
    tau2 = float(pool(y, v).tau2[0])
    value, size = reml_score(y - y.mean(), v, tau2)
    if tau2 > 0:
        assert abs(value) < 1e-8 * size
    else:
        assert value <= 1e-10 * size or reml_is_lower_everywhere(y, v)


def reml_is_lower_everywhere(y, v):
    sets = prepare(y, v)
    grid = np.geomspace(1e-4, 1e5, 4000)
    many = np.broadcast_to(sets.y, (4000, len(y))), np.broadcast_to(sets.v, (4000, len(y)))
    return log_likelihood(*many, grid, "REML").max() <= log_likelihood(sets.y, sets.v, np.zeros(1), "REML")[0] + 1e-9


@settings(max_examples=40, deadline=None)
@given(data_sets(largest=6), st.sampled_from(["ML", "REML"]))
def test_likelihood_is_maximal_over_all_tau2(data, method):
    """The highest of several maxima: nowhere on a fine grid is the likelihood higher."""
    y, v = data
    sets = prepare(y, v)
    tau2 = pool(y, v, tau2_method=method).tau2 / sets.scale**2
    best = log_likelihood(sets.y, sets.v, tau2, method)[0]
    grid = np.concatenate([[0.0], np.geomspace(1e-4, 1e6, 3000)])
    many = np.broadcast_to(sets.y, (len(grid), len(y))), np.broadcast_to(sets.v, (len(grid), len(y)))
    assert log_likelihood(*many, grid, method).max() <= best + 1e-9 * max(1, abs(best))


@pytest.mark.parametrize(
    ("y", "v", "method", "positive"),
    [
        ([0.0, 0.001, 3.0, -3.0, 2.0], [1e-6, 1e-6, 0.1, 0.1, 0.1], "ML", True),
        ([0.0, 0.01, 6.0, -5.0, 7.0], [1e-3, 1e-3, 4.0, 4.0, 4.0], "REML", True),
        ([0.0, 0.01, 6.0, -5.0, 7.0], [1e-3, 1e-3, 4.0, 4.0, 4.0], "ML", False),
    ],
)
def test_two_maxima(y, v, method, positive):
    """Two precise trials that agree and three that do not: the higher maximum is taken, and the path says so."""
    found = pool(y, v, tau2_method=method)
    assert found.path[0].endswith("the highest of 2 maxima")
    assert (found.tau2[0] > 0) == positive
    assert found.tau2[0] == pytest.approx(second_engine(y, v, tau2_method=method)["tau2"], rel=1e-9, abs=1e-15)


@settings(max_examples=60, deadline=None)
@given(data_sets())
def test_paule_mandel_equation(data):
    y, v = data
    for method in ("PM", "EB"):
        tau2 = float(pool(y, v, tau2_method=method).tau2[0])
        q = generalised_q(y, v, tau2)
        if tau2 > 0:
            assert q == pytest.approx(len(y) - 1, rel=1e-9)
        else:
            assert q <= (len(y) - 1) * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(data_sets())
def test_q_profile_equations(data):
    from scipy import stats

    y, v = data
    found = pool(y, v)
    for limit, probability in ((found.tau2_ci_lower[0], 0.975), (found.tau2_ci_upper[0], 0.025)):
        target = stats.chi2.ppf(probability, len(y) - 1)
        if limit > 0:
            assert generalised_q(y, v, limit) == pytest.approx(target, rel=1e-8)
        else:
            assert generalised_q(y, v, 0.0) <= target * (1 + 1e-12)


@settings(max_examples=60, deadline=None)
@given(data_sets(), st.sampled_from(METHODS))
def test_guarded_hartung_knapp_is_never_narrower_than_wald(data, method):
    wald = pool(*data, tau2_method=method, ci_method="wald")
    guarded = pool(*data, tau2_method=method, ci_method="hartung-knapp guarded")
    assert guarded.ci_upper[0] - guarded.ci_lower[0] >= (wald.ci_upper[0] - wald.ci_lower[0]) * (1 - 1e-12)


def test_no_trials():
    found = pool([], []).row()
    assert found["k"] == 0
    assert found["reason"] == "no trials"
    assert np.isnan(found["estimate"])


def test_one_trial():
    found = pool([0.4], [0.09]).row()
    assert found["estimate"] == 0.4
    assert found["se"] == pytest.approx(0.3)
    assert found["ci_upper"] == pytest.approx(0.4 + 1.959963984540054 * 0.3)
    assert np.isnan(found["tau2"])
    assert np.isnan(found["pi_lower"])
    assert "nothing pooled" in found["reason"]


def test_two_trials():
    found = pool([0.1, 0.9], [0.04, 0.02]).row()
    assert found["df"] == 1
    assert np.isfinite([found["ci_lower"], found["ci_upper"], found["tau2_ci_upper"]]).all()
    assert np.isnan(found["pi_lower"])
    assert "three trials" in found["reason"]


@pytest.mark.parametrize("y", [[0.3, 0.3], [0.0, 0.0, 0.0], [1e6, 1e6, 1e6]])
def test_equal_effects(y):
    v = np.linspace(0.1, 0.4, len(y))
    found = pool(y, v).row()
    assert found["estimate"] == y[0]
    assert found["tau2"] == 0
    assert found["q"] == 0
    assert np.isnan(found["se"])
    assert "all effects are equal" in found["reason"]
    for ci_method in ("wald", "hartung-knapp guarded"):
        assert np.isfinite(pool(y, v, ci_method=ci_method).se[0])


def test_one_huge_variance():
    with_it = pool([0.1, 0.5, 0.9, 40.0], [0.04, 0.02, 0.05, 1e9])
    without = pool([0.1, 0.5, 0.9], [0.04, 0.02, 0.05])
    assert with_it.estimate[0] == pytest.approx(without.estimate[0], rel=1e-6)
    assert with_it.tau2[0] == pytest.approx(without.tau2[0], rel=1e-3)


@pytest.mark.parametrize("method", ["DL", "REML", "PM"])
def test_boundary_is_said(method):
    found = pool([0.1, 0.11, 0.12], [1.0, 1.0, 1.0], tau2_method=method)
    assert found.tau2[0] == 0
    assert found.path[0].startswith("boundary")


@pytest.mark.parametrize(
    ("yi", "vi", "message"),
    [
        ([1, 2], [1, 0], r"vi\[1\] is 0.0"),
        ([1, 2], [1, -1], r"vi\[1\] is -1.0"),
        ([1, np.nan], [1, 1], r"yi\[1\] is nan"),
        ([[1, 2], [3, 4]], [[1, 2], [np.inf, 1]], r"vi\[1, 0\] is inf"),
        ([1, 2], [1], "must both have shape"),
    ],
)
def test_refused_data(yi, vi, message):
    with pytest.raises(ValueError, match=message):
        pool(yi, vi)


@pytest.mark.parametrize(
    "wrong", [{"tau2_method": "XX"}, {"ci_method": "z"}, {"pi_method": "x"}, {"level": 95}, {"start": "x"}]
)
def test_refused_options(wrong):
    with pytest.raises(ValueError, match=str(next(iter(wrong.values())))):
        pool([1, 2], [1, 1], **wrong)


def test_profile_likelihood_belongs_to_ml():
    with pytest.raises(ValueError, match="belongs to tau2_method 'ML'"):
        pool([1, 2], [1, 1], ci_method="profile likelihood")


def test_values_outside_the_mask_are_ignored():
    mask = np.array([[True, True, False]])
    found = pool([[0.1, 0.4, np.nan]], [[0.1, 0.2, -5.0]], mask=mask)
    assert found.estimate[0] == pool([0.1, 0.4], [0.1, 0.2]).estimate[0]


def test_subgroups_without_a_test():
    counts = np.full((4, 3), np.nan)
    trials = Trials("SMD", np.array([0.1, 0.5, 0.2]), np.array([0.1, 0.1, 0.2]), counts)
    model = Model(name="m", tau2="REML", interval="hartung-knapp")
    found = subgroups(trials, ["a", "a", None], model)
    assert np.isnan(found.q_between) and found.q_between_df == 0
    assert found.reason == "few_subgroups"
    assert found.labels == ("a",)
    tested = subgroups(trials, ["a", "a", "b"], model)
    assert tested.pooled.reason[1] == "one_trial"
    assert tested.q_between_df == 1 and tested.reason == "subgroups_of_one ones=1 subgroups=2"
    with pytest.raises(ValueError, match="3 trials, but 2 groups"):
        subgroups(trials, ["a", None], model)


def test_double_zero_trials():
    counts = ([0, 3, 0, 5], [10, 20, 30, 40], [0, 1, 2, 4], [10, 20, 30, 40])
    for measure in ("OR", "RR"):
        found = mantel_haenszel(*counts, measure=measure).row()
        assert found["k"] == 3
        assert "left out" in found["reason"]
    assert mantel_haenszel(*counts, measure="RD").k[0] == 4
    assert peto(*counts).k[0] == 3


def test_no_events_in_one_arm():
    found = mantel_haenszel([0, 0], [10, 20], [1, 2], [10, 20], measure="RR").row()
    assert np.isnan(found["estimate"])
    assert "one arm has no events" in found["reason"]
    assert np.isnan(mantel_haenszel([0], [10], [0], [10], measure="RD").row()["se"])


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (([11], [10], [1], [10]), r"a\[0\] is 11"),
        (([1], [0], [1], [10]), r"n1\[0\] is 0"),
        (([1, -1], [5, 5], [1, 1], [10, 5]), r"a\[1\] is -1"),
    ],
)
def test_refused_counts(counts, message):
    with pytest.raises(ValueError, match=message):
        mantel_haenszel(*counts, measure="OR")


def test_without_the_interval_of_tau2_everything_else_is_the_same():
    rng = np.random.default_rng(5)
    y, v = rng.normal(size=(40, 9)), rng.uniform(0.05, 0.5, size=(40, 9))
    whole, without = pool(y, v), pool(y, v, tau2_interval=False)
    follows = {f"{name}_ci_{end}" for name in ("tau2", "i2_tau2", "h2_tau2") for end in ("lower", "upper")}
    for one in fields(whole):
        ours, theirs = getattr(whole, one.name), getattr(without, one.name)
        if one.name in follows:
            assert np.isnan(theirs).all() and np.isfinite(ours).any()
        elif one.name != "reason":
            np.testing.assert_array_equal(ours, theirs, err_msg=one.name)


def test_one_trial_with_nearly_all_the_weight():
    found = pool([0.1, 0.5, 0.9], [1e-24, 1.0, 0.5], tau2_method="DL", ci_method="wald").row()
    # Of the weights 1e24, 1 and 2 the sum less the squares' share is 2 (1 + 2), by hand; Q is 1 * 0.4^2 + 2 * 0.8^2.
    assert found["q"] == pytest.approx(1.44) and found["tau2"] == 0
    wide = pool([0.1, 5.1, 9.1], [1e-24, 1.0, 0.5], tau2_method="DL", ci_method="wald").row()
    assert wide["tau2"] == pytest.approx((25 + 2 * 81 - 2) / 6)
