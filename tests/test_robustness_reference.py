"""Removal, subsets, small-study tests and adjusted effects against metafor, meta and metasens."""

import json
from pathlib import Path

import numpy as np
import pytest

from reweigh.protocol.models import PRESETS, Model
from reweigh.robustness.adjusted import fail_safe_n, limit_meta, pet_peese, selection_model, trim_and_fill
from reweigh.robustness.removal import generic, influence, leave_one_out
from reweigh.robustness.small_study import (
    begg,
    deeks,
    egger,
    harbord,
    peters,
    pustejovsky,
    regression_test,
    thompson_sharp,
)
from reweigh.robustness.subsets import all_subsets
from reweigh.sequential.cumulative import by_precision, cumulative
from reweigh.text.codes import words
from reweigh.text.robustness import SENTENCES

HERE = Path(__file__).parent / "reference"
METAFOR = json.loads((HERE / "robustness_metafor.json").read_text())
OTHERS = json.loads((HERE / "robustness_others.json").read_text())
SETS = sorted(set(METAFOR) - {"about"})
INTERVAL = {"z": "wald", "knha": "hartung-knapp"}
MODELS = ("REML_z", "REML_knha", "DL_z", "PM_knha")


def numbers(values):
    values = values if isinstance(values, list) else [values]
    return np.array([np.nan if v is None or isinstance(v, str) else v for v in values], dtype=float)


def agree(ours, theirs, rel=1e-8, floor=1e-9):
    """Relative to `floor` where metafor's own iterations leave a rounding-size number in place of 0."""
    np.testing.assert_allclose(np.atleast_1d(ours), numbers(theirs), rtol=rel, atol=rel * floor + 1e-11)


def data(name):
    d = METAFOR[name]
    return d, np.array(d["yi"]), np.array(d["vi"])


def model_of(name):
    tau2, test = name.split("_")
    return Model(name=name, tau2=tau2, interval=INTERVAL[test])


def test_reference_covers_at_least_eight_data_sets():
    assert len(SETS) >= 8
    assert METAFOR["about"]["metafor"] == "3.8.1"


POOLED = {
    "estimate": "estimate",
    "se": "se",
    "p_value": "pval",
    "ci_lower": "ci.lb",
    "ci_upper": "ci.ub",
    "q": "Q",
    "q_p_value": "Qp",
    "tau2": "tau2",
    "i2_tau2": "I2",
    "h2_tau2": "H2",
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SETS)
def test_leave_one_out(name, model):
    d, y, v = data(name)
    ours = leave_one_out(generic(y, v), model_of(model))
    for mine, theirs in POOLED.items():
        agree(getattr(ours, mine), d[f"leave1out_{model}"][theirs])


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SETS)
def test_cumulative_by_precision(name, model):
    d, y, v = data(name)
    order = by_precision(v, [f"{i:04d}" for i in range(len(v))])
    ours = cumulative(generic(y, v), model_of(model), order)
    for mine, theirs in POOLED.items():
        # The first row is one trial alone, for which we have no tau2 and metafor a 0. Where tau2 is 0 metafor's REML
        # ends at 1e-12, which its I2 in percent shows.
        agree(
            getattr(ours, mine)[1:], d[f"cumulative_{model}"][theirs][1:], floor=1 if theirs in ("I2", "H2") else 1e-9
        )


DIAGNOSTICS = {
    "rstudent": "rstudent",
    "dffits": "dffits",
    "dfbetas": "dfbetas",
    "cook_d": "cook.d",
    "cov_r": "cov.r",
    "tau2_del": "tau2.del",
    "q_del": "QE.del",
    "hat": "hat",
    "weight": "weight",
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SETS)
def test_influence_and_baujat(name, model):
    d, y, v = data(name)
    ours = influence(generic(y, v), model_of(model))
    for mine, theirs in DIAGNOSTICS.items():
        # A difference of two nearly equal means keeps fewer digits: metafor's REML, good to 1e-11, leaves 1e-8 here.
        agree(getattr(ours, mine), d[f"influence_{model}"][theirs], rel=2e-8)
    agree(ours.baujat_x, d[f"baujat_{model}"]["x"], rel=2e-8)
    agree(ours.baujat_y, d[f"baujat_{model}"]["y"], rel=2e-8)
    assert ours.influential.tolist() == d[f"influence_{model}"]["flagged"]


@pytest.mark.parametrize("name", [n for n in SETS if "subsets" in METAFOR[n]])
def test_every_subset(name):
    d, y, v = data(name)
    ours = all_subsets(generic(y, v), PRESETS["cochrane"])
    theirs = np.array(d["subsets"], dtype=float)
    np.testing.assert_array_equal((ours.member * 2 ** np.arange(len(y))).sum(axis=1), theirs[:, 0])
    for column, mine in enumerate((ours.estimate, ours.ci_lower, ours.ci_upper, ours.tau2), start=1):
        agree(mine, theirs[:, column].tolist())
    # metafor's REML ends at tau2 = 1e-12 where it is 0, which its I2 shows.
    agree(ours.i2, theirs[:, 5].tolist(), floor=1)


REGRESSIONS = [(n, key) for n in SETS for key in METAFOR[n]["regtest"]]


@pytest.mark.parametrize(("name", "key"), REGRESSIONS)
def test_regression_tests(name, key):
    d, y, v = data(name)
    model, predictor, test = key.split("_")
    ours = regression_test(y, v, ni=d.get("ni"), predictor=predictor, model=model, test=INTERVAL[test])
    theirs = d["regtest"][key]
    agree([ours.statistic, ours.p_value], [theirs["statistic"], theirs["p"]])
    agree([ours.bias, ours.bias_se], [theirs["coef"][1], theirs["se"][1]])
    if predictor in ("ni", "sqrtni"):
        assert np.isnan(ours.limit)
    else:
        agree(
            [ours.limit, ours.limit_ci_lower, ours.limit_ci_upper],
            [theirs["coef"][0], theirs["ci_lb"], theirs["ci_ub"]],
        )


@pytest.mark.parametrize("name", SETS)
def test_rank_test(name):
    d, y, v = data(name)
    agree(begg(y, v).p_value, d["ranktest"]["p"])


TRIMS = [(n, key) for n in SETS for key in METAFOR[n]["trimfill"]]


@pytest.mark.parametrize(("name", "key"), TRIMS)
def test_trim_and_fill(name, key):
    d, y, v = data(name)
    tau2, estimator, side = key.split("_")
    model = Model(name="", tau2=tau2, interval="wald")
    ours = trim_and_fill(generic(y, v), model, estimator=estimator, side=None if side == "auto" else side)
    theirs = d["trimfill"][key]
    assert (ours.k0, ours.side) == (theirs["k0"], theirs["side"])
    agree([ours.k0_se, ours.k0_p_value], [theirs["se_k0"], theirs["p_k0"]])
    agree(
        [ours.pooled.estimate[0], ours.pooled.se[0], ours.pooled.tau2[0]],
        [theirs[n] for n in ("estimate", "se", "tau2")],
    )
    agree(ours.filled_yi, theirs["filled_yi"] if ours.k0 else [])
    agree(ours.filled_vi, theirs["filled_vi"] if ours.k0 else [])


@pytest.mark.parametrize("name", SETS)
def test_fail_safe_n(name):
    d, y, v = data(name)
    for method, theirs in d["fsn"].items():
        ours = fail_safe_n(y, v, method=method)
        assert ours.n == theirs["n"]
        assert "advises against" in words(ours.warning, SENTENCES)
        if method != "Orwin":
            agree(ours.p_value, theirs["p"])


SELECTIONS = [(n, a) for n in SETS for a in METAFOR[n].get("selmodel", {})]


@pytest.mark.parametrize(("name", "alternative"), SELECTIONS)
def test_selection_model(name, alternative):
    """metafor's optimiser ends within 1e-6 of the maximum: its likelihood is the sharp test, ours is not below it."""
    d, y, v = data(name)
    theirs = d["selmodel"][alternative]
    ours = selection_model(y, v, alternative=alternative)
    if theirs["delta"] > 99:  # metafor's bound: the weight runs away, there is no maximum
        assert ours.reason
        assert np.isnan(ours.estimate)
        return
    assert ours.log_likelihood == pytest.approx(theirs["loglik"], rel=1e-9)
    assert ours.log_likelihood >= theirs["loglik"] - 1e-9
    agree([ours.estimate, ours.tau2, ours.delta], [theirs["estimate"], theirs["tau2"], theirs["delta"]], rel=1e-5)
    agree([ours.se, ours.delta_se], [theirs["se"], theirs["se_delta"]], rel=5e-5)
    agree([ours.lrt, ours.lrt_p_value], [theirs["lrt"], theirs["lrt_p"]], rel=1e-7)


@pytest.mark.parametrize("method", ["beta0", "betalim", "mulim"])
@pytest.mark.parametrize("name", sorted(OTHERS["generic"]))
def test_limit_meta_analysis(name, method):
    d = OTHERS["generic"][name]
    theirs = d["limitmeta"][method]
    ours = limit_meta(generic(d["yi"], d["vi"]), PRESETS["cochrane"], method=method)
    names = ("TE_adjust", "se", "lb", "ub", "alpha_r", "beta_r", "Q", "Q_small", "Q_resid")
    mine = (ours.estimate, ours.se, ours.ci_lower, ours.ci_upper, ours.alpha_r, ours.beta_r, ours.q, ours.q_small)
    agree([*mine, ours.q_resid], [theirs[n] for n in names])
    agree([ours.p_value, ours.g2 / 100], [theirs["p"], theirs["G2"]])
    agree(ours.limits, theirs["TE_limit"])


@pytest.mark.parametrize("name", sorted(OTHERS["generic"]))
def test_egger_begg_and_thompson_as_meta(name):
    d = OTHERS["generic"][name]
    check_metabias(d["metabias"], np.array(d["yi"]), np.array(d["vi"]))


def check_metabias(theirs, y, v):
    for name, ours, rel in (
        ("Egger", egger(y, v), 1e-8),
        ("Begg", begg(y, v, exact=False), 1e-8),
        # meta hands REML to metafor at its default tolerance, which leaves tau2 of raudenbush1985 4e-4 off
        ("Thompson", thompson_sharp(y, v), 5e-4),
    ):
        agree([ours.statistic, ours.p_value], [theirs[name]["statistic"], theirs[name]["p"]], rel=rel)
        if name == "Begg":
            agree([ours.bias, ours.bias_se], list(theirs[name]["estimate"].values()))


@pytest.mark.parametrize("name", sorted(OTHERS["binary"]))
def test_tests_for_odds_ratios_as_meta(name):
    d = OTHERS["binary"][name]
    a, n1, c, n2 = (np.array(d[x], dtype=float) for x in ("ai", "n1i", "ci", "n2i"))
    # meta leaves out trials with no or only events in both arms and corrects single zero cells by 1/2
    some = (a + c > 0) & (a + c < n1 + n2)
    a, n1, c, n2 = a[some], n1[some], c[some], n2[some]
    add = 0.5 * ((a == 0) | (c == 0) | (a == n1) | (c == n2))
    cells = [x + add for x in (a, n1 - a, c, n2 - c)]
    y, v = np.log(cells[0] * cells[3] / cells[1] / cells[2]), sum(1 / x for x in cells)
    theirs = d["metabias_OR"]
    check_metabias(theirs, y, v)
    for test, ours in (
        ("Harbord", harbord(*(np.array(d[x]) for x in ("ai", "n1i", "ci", "n2i")))),
        ("Peters", peters(y, a, n1, c, n2)),
        ("Deeks", deeks(y, n1, n2)),
    ):
        e = theirs[test]
        agree([ours.statistic, ours.p_value], [e["statistic"], e["p"]])
        agree([ours.bias, ours.bias_se], [e["estimate"]["bias"], e["estimate"]["se.bias"]])
        assert ours.df == e["df"]


def test_pustejovsky_as_meta():
    d = OTHERS["pustejovsky"]["normand1999_smd"]
    ours = pustejovsky(d["yi"], np.square(d["sei"]), d["n1i"], d["n2i"])
    agree([ours.statistic, ours.p_value, ours.df], [d["statistic"], d["p"], d["df"]])


@pytest.mark.parametrize("name", SETS)
def test_pet_peese_are_the_intercepts_of_metafor(name):
    d, y, v = data(name)
    ours = pet_peese(y, v)
    for fit, key in ((ours.pet, "lm_sei_z"), (ours.peese, "lm_vi_z")):
        theirs = d["regtest"][key]
        agree(
            [fit.limit, fit.limit_ci_lower, fit.limit_ci_upper], [theirs["coef"][0], theirs["ci_lb"], theirs["ci_ub"]]
        )
    t = METAFOR[name]["regtest"]["lm_sei_z"]
    from scipy import stats

    p = 2 * stats.t.sf(abs(t["coef"][0] / t["se"][0]), len(y) - 2)
    assert ours.chosen == ("PEESE" if p < 0.1 else "PET")
