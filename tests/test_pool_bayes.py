"""The Bayesian model and the bootstrap prediction interval against bayesmeta, base R and pimeta's printed example."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate

from reweigh.pool.bayes import posterior
from reweigh.pool.core import pool
from reweigh.pool.priors import RHODES_2015, TURNER_2015, rhodes2015, tau_prior, turner2015

REFERENCE = Path(__file__).parent / "reference"
R = json.loads((REFERENCE / "pool_bayes.json").read_text())
OTHERS = json.loads((REFERENCE / "pool_others.json").read_text())
PRIORS = {
    "halfnormal_0.5": tau_prior("half-normal", 0.5),
    "halfcauchy_0.5": tau_prior("half-cauchy", 0.5),
    "uniform": tau_prior("uniform"),
    "halfnormal_0.5_mu_N_0_2": tau_prior("half-normal", 0.5),
}


@pytest.mark.parametrize("prior", PRIORS)
@pytest.mark.parametrize("name", OTHERS["bayesmeta"])
def test_agrees_with_bayesmeta(name, prior):
    """bayesmeta 3.4: tau by integrate(), so tight; mu and prediction by its grid, good to about 5e-3."""
    data, theirs = OTHERS["generic"][name], OTHERS["bayesmeta"][name][prior]
    ours = posterior(data["yi"], data["vi"], PRIORS[prior], mu_prior=(0, 2) if "mu_N" in prior else None)
    for field, key in (
        ("mean", "mean"),
        ("median", "median"),
        ("sd", "sd"),
        ("central_lower", "95% lower"),
        ("central_upper", "95% upper"),
    ):
        assert getattr(ours, f"tau_{field}") == pytest.approx(theirs["tau"][key], rel=1e-9)
        for mine, name_there in (("mu", "mu"), ("new", "predictive")):
            assert getattr(ours, f"{mine}_{field}") == pytest.approx(theirs[name_there][key], rel=6e-3, abs=1.5e-3)
    assert ours.tau_mode == pytest.approx(theirs["tau"]["mode"], rel=1e-4)
    assert ours.mu_mode == pytest.approx(theirs["mu"]["mode"], rel=1e-3)


def made(prior):
    return tau_prior(
        prior["family"], prior["scale"], location=prior.get("location", np.nan), df=prior.get("df", np.nan)
    )


@pytest.mark.parametrize("case", R["bayes"], ids=lambda c: f"{c['set']}-{c['prior']['family']}")
def test_agrees_with_integrals_in_r(case):
    data = R["sets"][case["set"]]
    ours = posterior(data["yi"], data["vi"], made(case["prior"]), better="lower", important=-0.2)
    for field in ("mu_mean", "mu_sd", "tau_mean", "tau_sd", "new_sd"):
        value = getattr(ours, field)
        if np.isnan(value):  # r integrates a divergent moment to some number
            assert "posterior_heavy_tail" in ours.reason
        else:
            assert value == pytest.approx(case[field], rel=1e-7)
    for part in ("mu", "new", "tau"):
        mine = [getattr(ours, f"{part}_{x}") for x in ("central_lower", "median", "central_upper")]
        assert mine == pytest.approx(case[part], rel=1e-7, abs=1e-9)
    assert ours.p_better == pytest.approx(case["p_below_0"], rel=1e-8)
    assert ours.p_important == pytest.approx(case["p_below_minus_0.2"], rel=1e-8)
    assert ours.p_important_new == pytest.approx(case["p_new_below_minus_0.2"], rel=1e-8)


@pytest.mark.parametrize("family", ["half-normal", "half-cauchy", "half-t", "log-normal", "log-t"])
def test_priors_integrate_to_their_distribution_function(family):
    prior = tau_prior(family, 0.7, location=-1.2, df=4)
    for upper in (0.1, 0.8, 5.0):
        area = integrate.quad(
            lambda x: float(np.exp(prior.log_density(np.array([np.exp(x)]))[0] + x)), -60, np.log(upper), limit=500
        )[0]
        below = float(prior.cdf(np.array([np.exp(-60)]))[0])
        assert area + below == pytest.approx(float(prior.cdf(np.array([upper]))[0]), rel=1e-7)


def test_shortest_interval_is_shorter_and_holds_its_level():
    data = R["sets"]["lee_5"]
    ours = posterior(data["yi"], data["vi"], tau_prior("half-normal", 0.5))
    for part in ("mu", "tau", "new"):
        low, high = getattr(ours, f"{part}_lower"), getattr(ours, f"{part}_upper")
        central = getattr(ours, f"{part}_central_upper") - getattr(ours, f"{part}_central_lower")
        assert high - low <= central * (1 + 1e-9)
        assert low <= getattr(ours, f"{part}_mode") <= high
    assert ours.tau_lower == 0.0


def test_shift_and_scale():
    data = R["sets"]["lee_5"]
    y, v = np.array(data["yi"]), np.array(data["vi"])
    one, other = (
        posterior(y, v, tau_prior("half-normal", 0.5)),
        posterior(10 * y + 3, 100 * v, tau_prior("half-normal", 5)),
    )
    assert other.mu_mean == pytest.approx(10 * one.mu_mean + 3, rel=1e-10)
    assert other.tau_median == pytest.approx(10 * one.tau_median, rel=1e-9)
    assert other.new_upper == pytest.approx(10 * one.new_upper + 3, rel=1e-6)


def test_better_side_follows_the_direction():
    data = R["sets"]["bcg"]
    low = posterior(data["yi"], data["vi"], tau_prior("half-normal", 0.5), better="lower")
    high = posterior(data["yi"], data["vi"], tau_prior("half-normal", 0.5), better="higher")
    assert low.p_better + high.p_better == pytest.approx(1)
    assert low.p_better > 0.99
    assert "no_important_difference" in low.reason


def test_no_trials_and_improper_posteriors_have_a_reason():
    assert posterior([], [], tau_prior("half-normal", 1)).reason == "no_trials"
    assert "posterior_improper" in posterior([0.1, 0.2], [0.1, 0.1], tau_prior("uniform")).reason
    one = posterior([0.1], [0.04], tau_prior("half-normal", 1))
    assert one.mu_mean == pytest.approx(0.1)
    heavy = posterior([0.1, 0.3], [0.04, 0.1], tau_prior("half-cauchy", 1))
    assert np.isnan(heavy.mu_sd)
    assert "sd%20of%20mu" in heavy.reason


def test_published_priors_belong_to_their_measure():
    pain = turner2015("pain", "pharmacological vs placebo")
    assert (pain.location, pain.scale, pain.measure) == (-1.83, 1.52, "OR")
    smd = rhodes2015("any", "pharmacological vs placebo")
    assert (smd.location, smd.scale, smd.df, smd.measure) == (-3.44, 2.59, 5, "SMD")
    with pytest.raises(ValueError, match="is for the OR, not for RR"):
        posterior([0.1, 0.2], [0.1, 0.1], pain, measure="RR")
    posterior([0.1, 0.2], [0.1, 0.1], pain, measure="OR")
    scaled = smd.rescaled(2.5, "pooled SD 2.5 points")
    assert scaled.location == pytest.approx(-3.44 + 2 * np.log(2.5))
    assert "pooled SD 2.5 points" in scaled.label
    posterior([0.1, 0.2], [0.1, 0.1], scaled, measure="MD")
    with pytest.raises(ValueError, match="could not be confirmed"):
        rhodes2015("mental health outcome", "non-pharmacological")
    with pytest.raises(ValueError, match="is not known"):
        turner2015("headache", "pharmacological vs placebo")
    assert all(len(row) == 5 for row in TURNER_2015.values())
    assert all(len(row) == 3 for row in RHODES_2015.values())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prior": lambda: tau_prior("half-normal", 0.0)}, "scale 0.0 must be above 0"),
        ({"prior": lambda: tau_prior("normal", 1.0)}, "not known"),
        ({"important": -0.2}, "better must say"),
        ({"important": 0.2, "better": "lower"}, "worse side"),
        ({"better": "left"}, "not known"),
    ],
)
def test_refused(wrong, message):
    options = dict(wrong)
    with pytest.raises(ValueError, match=message):
        prior = options.pop("prior", lambda: tau_prior("half-normal", 1.0))()
        posterior([0.1, 0.2], [0.1, 0.1], prior, **options)


@pytest.mark.parametrize("name", R["bootstrap"])
def test_bootstrap_prediction_interval(name):
    """Against R: 1,000 quantiles of tau2 by Imhof's formula, hence good to about 1e-3 of the interval's width."""
    data = R["sets"][name]
    found = pool(data["yi"], data["vi"], tau2_method="DL", pi_method="bootstrap")
    width = R["bootstrap"][name][1] - R["bootstrap"][name][0]
    assert [found.pi_lower[0], found.pi_upper[0]] == pytest.approx(R["bootstrap"][name], abs=2e-3 * width)


def test_bootstrap_prediction_interval_of_pimeta():
    """pimeta 1.1.4, its vignette: cisapride trials of Hartung and Knapp 2001, OR 4.141, PI 0.533 to 33.692, 25,000 draws."""
    m1, n1 = [15, 12, 29, 42, 14, 44, 14, 29, 10, 17, 38, 19, 21], [16, 16, 34, 56, 22, 54, 17, 58, 14, 26, 44, 29, 38]
    m2, n2 = [9, 1, 18, 31, 6, 17, 7, 23, 3, 6, 12, 22, 19], [16, 16, 34, 56, 22, 55, 15, 58, 15, 27, 45, 30, 38]
    a, c = np.array(m1) + 0.5, np.array(m2) + 0.5
    b, d = np.array(n1) - np.array(m1) + 0.5, np.array(n2) - np.array(m2) + 0.5
    found = pool(np.log(a * d / b / c), 1 / a + 1 / b + 1 / c + 1 / d, tau2_method="DL", pi_method="bootstrap")
    assert np.exp(found.estimate[0]) == pytest.approx(4.141, abs=5e-4)
    assert found.tau2[0] == pytest.approx(0.718, abs=5e-4)
    # Monte Carlo error of an extreme quantile at 25,000 draws, on the log scale.
    assert [found.pi_lower[0], found.pi_upper[0]] == pytest.approx(np.log([0.533, 33.692]), abs=0.05)


def test_bootstrap_of_equal_effects_has_a_reason():
    found = pool([0.1, 0.1, 0.1], [0.1, 0.2, 0.3], ci_method="wald", pi_method="bootstrap")
    assert np.isnan(found.pi_lower[0])
    assert "all_effects_equal" in found.reason[0]
