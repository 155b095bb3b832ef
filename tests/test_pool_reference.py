"""Pooling against metafor and meta: every estimator, interval and heterogeneity figure on 23 data sets."""

import json
from pathlib import Path

import numpy as np
import pytest

from reweigh.pool.binary import mantel_haenszel, peto
from reweigh.pool.core import pool
from reweigh.pool.refit import Trials
from reweigh.pool.subgroups import subgroups
from reweigh.protocol.models import Model

REFERENCE = Path(__file__).parent / "reference"
METAFOR = json.loads((REFERENCE / "pool_metafor.json").read_text())
OTHERS = json.loads((REFERENCE / "pool_others.json").read_text())
METHODS = ("EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM")
CI_METHODS = {"wald": "z", "t": "t", "hartung-knapp": "knha", "hartung-knapp guarded": "adhoc"}
TABLE = ("estimate", "se", "statistic", "p_value", "ci_lower", "ci_upper")


def generic(data):
    """A data set of effects and variances as trials without counts."""
    yi, vi = np.array(data["yi"], dtype=float), np.array(data["vi"], dtype=float)
    return Trials("RR", yi, vi, np.full((4, yi.size), np.nan))


def same(ours, theirs, *, rtol=1e-8, atol=1e-10):
    np.testing.assert_allclose(np.squeeze(ours), np.squeeze(np.array(theirs, dtype=float)), rtol=rtol, atol=atol)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", METAFOR["sets"])
def test_agrees_with_metafor(name, method):
    data = METAFOR["sets"][name]
    fit = data["fits"][method]
    for ci_method, block in CI_METHODS.items():
        ours, theirs = pool(data["yi"], data["vi"], tau2_method=method, ci_method=ci_method), fit[block]
        for field in TABLE:
            same(getattr(ours, field), theirs[field])
        if method != "EE" and block in ("knha", "adhoc"):
            same([ours.pi_lower, ours.pi_upper], [theirs["pi_lower"], theirs["pi_upper"]])
    ours = pool(data["yi"], data["vi"], tau2_method=method, ci_method="t", pi_method="t(k-1)")
    for field in ("tau2", "q", "q_p_value", "weights", "i2_q"):
        same(getattr(ours, field), fit[field])
    if method == "EE":
        same(ours.h2_q, np.maximum(fit["h2"], 1.0))
        assert np.isnan(ours.i2_tau2[0])
        assert "common_effect" in ours.reason[0]
        return
    same(ours.i2_tau2, fit["i2"])
    same(ours.h2_tau2, fit["h2"])
    same(ours.tau**2, fit["tau2"])
    same([ours.pi_lower, ours.pi_upper], [fit["t"]["pi_lower"], fit["t"]["pi_upper"]])
    ours = pool(data["yi"], data["vi"], tau2_method=method, ci_method="hartung-knapp", pi_method="t(k-2)")
    same([ours.pi_lower, ours.pi_upper], fit["hts"])


@pytest.mark.parametrize("name", METAFOR["sets"])
def test_q_profile_and_profile_likelihood(name):
    data = METAFOR["sets"][name]
    ours = pool(data["yi"], data["vi"])
    same([ours.tau2_ci_lower, ours.tau2_ci_upper], data["qp"]["tau2"])
    same([ours.i2_tau2_ci_lower, ours.i2_tau2_ci_upper], data["qp"]["i2"])
    same([ours.h2_tau2_ci_lower, ours.h2_tau2_ci_upper], data["qp"]["h2"])
    ours = pool(data["yi"], data["vi"], tau2_method="ML", ci_method="profile likelihood")
    for field in ("ci_lower", "ci_upper", "p_value"):
        same(getattr(ours, field), data["profile"][field])


def test_batch_equals_single_sets():
    """Ragged sets in one call give what each set gives alone."""
    sets = list(METAFOR["sets"].values())
    width = max(len(s["yi"]) for s in sets)
    yi, vi, mask = (
        np.full((len(sets), width), np.nan),
        np.full((len(sets), width), -1.0),
        np.zeros((len(sets), width), bool),
    )
    for i, s in enumerate(sets):
        k = len(s["yi"])
        yi[i, :k], vi[i, :k], mask[i, :k] = s["yi"], s["vi"], True
    for method in METHODS:
        together = pool(yi, vi, mask=mask, tau2_method=method)
        for i, s in enumerate(sets):
            alone, row = pool(s["yi"], s["vi"], tau2_method=method).row(), together.row(i)
            for field in ("estimate", "se", "tau2", "tau2_ci_upper", "i2_q", "pi_lower"):
                same(row[field], alone[field], rtol=1e-11, atol=1e-14)
            assert row["k"] == len(s["yi"])
            assert np.all(row["weights"][len(s["yi"]) :] == 0)


@pytest.mark.parametrize("method", ["DL", "HE", "ML", "REML"])
@pytest.mark.parametrize("name", ["bcg_rr", "hine1989_rd", "normand1999_md", "curtis1998_rom"])
def test_start_from_pymare(name, method):
    data = METAFOR["sets"][name]
    ours = pool(data["yi"], data["vi"], tau2_method=method, start="pymare")
    same(ours.tau2, data["fits"][method]["tau2"])
    assert ours.path[0].startswith("PyMARE") or ours.tau2[0] == 0


@pytest.mark.parametrize("method", ["DL", "REML", "PM"])
@pytest.mark.parametrize("name", OTHERS["generic"])
def test_agrees_with_meta(name, method):
    """meta 8.3-0: Higgins-Thompson intervals of Q-based I2 and H, and its names for the prediction intervals."""
    data, fit = OTHERS["generic"][name], OTHERS["generic"][name][method]
    ours = pool(data["yi"], data["vi"], tau2_method=method)
    same([ours.i2_q, ours.i2_q_ci_lower, ours.i2_q_ci_upper], [100 * fit[x] for x in ("I2", "I2_lb", "I2_ub")])
    same(np.sqrt([ours.h2_q_ci_lower, ours.h2_q_ci_upper]), [fit["H_lb"], fit["H_ub"]])
    loose = {"rtol": 1e-6, "atol": 1e-8} if method != "DL" else {}  # meta's tau2 stops at 1e-5 or so
    for ours_name, theirs in (("t(k-1)", "V"), ("t(k-2)", "HTS"), ("hartung-knapp", "HK")):
        if (method, theirs) == ("PM", "HK"):
            continue  # meta takes the classic standard error there
        ours = pool(data["yi"], data["vi"], tau2_method=method, pi_method=ours_name)
        same([ours.pi_lower, ours.pi_upper], [fit["pi"][theirs]["lb"], fit["pi"][theirs]["ub"]], **loose)


@pytest.mark.parametrize("tau2", ["separate", "common"])
@pytest.mark.parametrize("method", ["EE", "DL", "REML", "PM", "SJ"])
@pytest.mark.parametrize("name", METAFOR["subgroups"])
def test_subgroups(name, method, tau2):
    data = METAFOR["subgroups"][name]
    fit = data["fits"][method]
    ours = subgroups(generic(data), data["by"], Model(name="", tau2=method, interval="wald"), tau2=tau2)
    theirs = fit if tau2 == "separate" else fit["common"]
    order = [ours.labels.index(level) for level in fit["levels"]]
    many = np.array(fit["k"]) > 1
    same(ours.pooled.estimate[order], theirs["estimate"])
    same(ours.pooled.se[order][many], np.array(theirs["se"])[many])
    same(ours.pooled.tau2[order][many], np.broadcast_to(theirs["tau2"], many.shape)[many])
    same(ours.q_between, theirs["q_between"])
    same(ours.q_between_p_value, theirs["q_between_p_value"])
    assert ours.q_between_df == len(order) - 1


def test_bcg_by_allocation():
    """The published figures of the review's main case: Q between 1.86, p 0.394."""
    data = METAFOR["subgroups"]["bcg"]
    ours = subgroups(generic(data), data["by"], Model(name="", tau2="REML", interval="wald"))
    assert round(ours.q_between, 2) == 1.86
    assert round(ours.q_between_p_value, 3) == 0.394
    found = dict(zip(ours.labels, np.round(np.exp(ours.pooled.estimate), 2), strict=True))
    assert found == {"random": 0.38, "alternate": 0.58, "systematic": 0.65}


@pytest.mark.parametrize("measure", ["OR", "RR", "RD"])
@pytest.mark.parametrize("name", METAFOR["binary"])
def test_mantel_haenszel(name, measure):
    data = METAFOR["binary"][name]
    counts, fit = [data[x] for x in ("ai", "n1i", "ci", "n2i")], data["mh"][measure]
    ours = mantel_haenszel(*counts, measure=measure, rd_variance="sato")
    for field in ("estimate", "se", "p_value", "ci_lower", "ci_upper", "q"):
        same(getattr(ours, field), fit[field])
    if measure != "RD":
        same(ours.q, fit["metafor_q"])
    ours = mantel_haenszel(*counts, measure=measure, model="random")
    for field in ("tau2", "estimate", "se", "ci_lower", "ci_upper"):
        same(getattr(ours, field), fit["random"][field])
    same(np.nansum(ours.weights), 100)


@pytest.mark.parametrize("name", METAFOR["binary"])
def test_peto(name):
    data = METAFOR["binary"][name]
    ours = peto(*(data[x] for x in ("ai", "n1i", "ci", "n2i")))
    for field in ("estimate", "se", "p_value", "ci_lower", "ci_upper", "q", "i2_q"):
        same(getattr(ours, field), data["peto"][field])


@pytest.mark.parametrize("name", OTHERS["binary"])
def test_mantel_haenszel_as_meta(name):
    data = OTHERS["binary"][name]
    counts = [data["counts"][x] for x in ("ai", "n1i", "ci", "n2i")]
    for measure, exact in (("OR", True), ("OR", False), ("RR", True), ("RR", False), ("RD", True)):
        fit = data[f"{measure}_MH_{'exact' if exact else 'cc'}_0.5"]
        ours = mantel_haenszel(*counts, measure=measure, exact=exact)
        same([ours.estimate, ours.se], [fit["common"]["estimate"], fit["common"]["se"]])
        if measure == "OR" or name == "bcg_rr":  # meta corrects RR and RD of a trial with an empty cell another way
            ours = mantel_haenszel(*counts, measure=measure, exact=exact, model="random")
            same([ours.tau2, ours.estimate, ours.se], [fit["random_DL"][x] for x in ("tau2", "estimate", "se")])
            same([ours.q, ours.i2_q], [fit["Q"], 100 * fit["I2"]])


def test_odds_ratio_by_statsmodels():
    """A third route for Mantel-Haenszel: statsmodels' stratified tables."""
    from statsmodels.stats.contingency_tables import StratifiedTable

    data = METAFOR["binary"]["li2007"]
    a, n1, c, n2 = (np.array(data[x], dtype=float) for x in ("ai", "n1i", "ci", "n2i"))
    table = StratifiedTable([np.array([[p, m - p], [q, n - q]]) for p, m, q, n in zip(a, n1, c, n2, strict=True)])
    same(mantel_haenszel(a, n1, c, n2, measure="OR").estimate, table.logodds_pooled)
    same(mantel_haenszel(a, n1, c, n2, measure="OR").se, table.logodds_pooled_se)
    same(np.exp(mantel_haenszel(a, n1, c, n2, measure="RR").estimate), table.riskratio_pooled)
