"""Two engines, one answer: agreement on real and made-up data, and the alarm when either is broken."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from reweigh.pool import engines, tau2
from reweigh.pool.core import pool
from reweigh.pool.engines import EngineDisagreement, compare, second_engine
from reweigh.pool.refit import Trials, refit
from reweigh.pool.tau2 import METHODS as TAU2_METHODS
from reweigh.protocol.models import Model

METAFOR = json.loads((Path(__file__).parent / "reference" / "pool_metafor.json").read_text())
BCG = METAFOR["sets"]["bcg_rr"]


@pytest.mark.parametrize("method", TAU2_METHODS)
@pytest.mark.parametrize(
    "name", ["bcg_rr", "hine1989_rd", "normand1999_md", "lee2004_or", "raudenbush1985", "bcg_rr_first3"]
)
def test_engines_agree(name, method):
    data = METAFOR["sets"][name]
    for ci_method in ("wald", "t", "hartung-knapp", "hartung-knapp guarded"):
        for pi_method in ("t(k-2)", "t(k-1)", "hartung-knapp"):
            found = compare(data["yi"], data["vi"], tau2_method=method, ci_method=ci_method, pi_method=pi_method)
            assert found.largest < 1e-9, found.where


def test_profile_likelihood_agrees():
    assert compare(BCG["yi"], BCG["vi"], tau2_method="ML", ci_method="profile likelihood").largest < 1e-9


@pytest.mark.parametrize("method", ["EE", "DL", "REML", "PM"])
def test_engines_agree_at_the_edges(method):
    for y, v in (
        ([0.3], [0.1]),
        ([0.1, 0.4], [0.1, 0.2]),
        ([0.2, 0.2, 0.2], [0.1, 0.2, 0.3]),
        ([0.0, 5.0, 9.0], [1.0, 1.0, 1e9]),
    ):
        assert compare(y, v, tau2_method=method).largest < 1e-8


def test_engines_agree_on_made_up_data():
    rng = np.random.default_rng(20)
    for _ in range(60):
        k = int(rng.integers(2, 12))
        v = np.exp(rng.normal(-2, rng.choice([0.3, 1.5, 3.0]), k))
        y = rng.normal(0, np.sqrt(v + rng.choice([0.0, 0.1, 1.0])))
        for method in ("ML", "REML", "PM"):
            assert compare(y, v, tau2_method=method, ci_method="wald").largest < 1e-7


@pytest.mark.parametrize("method", TAU2_METHODS)
def test_a_projection_that_is_not_written_out_gives_the_same(monkeypatch, method):
    written_out = second_engine(BCG["yi"], BCG["vi"], tau2_method=method)
    monkeypatch.setattr(engines, "_MATRIX", 0)
    assert second_engine(BCG["yi"], BCG["vi"], tau2_method=method) == pytest.approx(written_out, rel=1e-12, nan_ok=True)


def test_engines_agree_on_thousands_of_trials():
    rng = np.random.default_rng(7)
    v = rng.uniform(0.01, 0.2, 5000)
    y = rng.normal(0.1, np.sqrt(v + 0.02))
    tables = np.array([rng.integers(0, 20, 5000), np.full(5000, 30), rng.integers(0, 20, 5000), np.full(5000, 30)])
    for method in ("REML", "DL"):
        assert compare(y, v, tau2_method=method).largest < 1e-9
    model = Model(name="m", tau2="DL", interval="wald", pooling="mantel-haenszel", prediction_interval="t(k-2)")
    fit = refit(Trials("OR", y, v, tables), model).row()
    law = {"tau2_method": "DL", "ci_method": "wald", "pi_method": "t(k-2)"}
    compare(y, v, first=fit, counts=tables, measure="OR", pooling="mantel-haenszel", **law)


def test_second_engine_agrees_with_metafor():
    for method in TAU2_METHODS:
        fit = BCG["fits"][method]
        ours = second_engine(BCG["yi"], BCG["vi"], tau2_method=method)
        for field in ("estimate", "se", "ci_lower", "ci_upper", "p_value"):
            assert ours[field] == pytest.approx(fit["knha"][field], rel=1e-8)
        assert ours["tau2"] == pytest.approx(fit["tau2"], rel=1e-8)


def test_no_shared_code():
    source = Path(engines.__file__).read_text()
    top, lazy = source.split("def compare", 1)
    assert "from reweigh" not in top
    assert lazy.count("from reweigh") == 1  # compare() calls pool() for the first column


def test_breaking_the_first_engine_is_seen(monkeypatch):
    monkeypatch.setattr(tau2, "score", lambda y, v, t, kind: (np.full(len(y), -1.0), np.full(len(y), -1.0)))
    with pytest.raises(EngineDisagreement, match="by the first engine"):
        compare(BCG["yi"], BCG["vi"])


def test_breaking_the_second_engine_is_seen(monkeypatch):
    right = engines._projection
    monkeypatch.setattr(engines, "_projection", lambda v, t: right(v, t) * 1.01)
    with pytest.raises(EngineDisagreement, match="by the second"):
        compare(BCG["yi"], BCG["vi"])


def test_numbers_from_a_table_are_checked():
    row = pool(BCG["yi"], BCG["vi"]).row()
    assert compare(BCG["yi"], BCG["vi"], first={"estimate": row["estimate"], "tau2": row["tau2"]}).largest < 1e-10
    with pytest.raises(EngineDisagreement, match=r"^estimate"):
        compare(BCG["yi"], BCG["vi"], first={"estimate": row["estimate"] + 1e-4 * row["se"], "tau2": row["tau2"]})
    with pytest.raises(EngineDisagreement, match=r"^tau2"):
        compare(BCG["yi"], BCG["vi"], first={"estimate": row["estimate"], "tau2": np.nan})


def test_trials_without_a_variance_have_no_interval_in_either_engine():
    counts = np.array([[10, 20], [10, 20], [15, 25], [15, 25]], dtype=float)
    found = compare(
        [0.0, 0.0], [0.1, 0.1], tau2_method="EE", ci_method="wald", counts=counts, measure="RD",
        pooling="mantel-haenszel", first={"estimate": 0.0, "se": np.nan, "p_value": np.nan},
    )  # fmt: skip
    assert found.largest == 0 and np.isnan(found.second["se"])


def test_no_trials():
    with pytest.raises(ValueError, match="no trials"):
        second_engine([], [])


COUNTED = json.loads((Path(__file__).parent / "reference" / "pool_counts.json").read_text())


COUNT_MODELS = [
    (measure, model, variance)
    for measure in ("RR", "OR", "RD")
    for model in ("exact EE", "corrected EE", "exact DL", "corrected DL", *(("peto",) if measure == "OR" else ()))
    for variance in ("greenland-robins", *(("sato",) if measure == "RD" else ()))
]


@pytest.mark.parametrize(("measure", "model", "rd_variance"), COUNT_MODELS)
@pytest.mark.parametrize("name", ["bcg", "nielweise"])
def test_engines_agree_on_counts(name, measure, model, rd_variance):
    data = COUNTED[f"{name} {measure}"]["data"]
    counts = np.array([data[x] for x in ("a", "n1", "c", "n2")], dtype=float)
    rule, _, tau2 = model.partition(" ")
    one = Model(
        name="m", tau2=tau2 or "EE", interval="wald", pooling="peto" if rule == "peto" else "mantel-haenszel",
        mantel_haenszel=None if rule == "peto" else rule, rd_variance=rd_variance, prediction_interval="t(k-2)",
    )  # fmt: skip
    k = counts.shape[1]
    row = refit(Trials(measure, np.zeros(k), np.ones(k), counts), one).row()
    names = ("estimate", "se", "ci_lower", "p_value", "q", *(("tau2", "i2_tau2", "pi_lower") if tau2 == "DL" else ()))
    found = compare(
        np.zeros(k), np.ones(k), first={n: row[n] for n in names}, tau2_method=one.tau2, ci_method="wald",
        pi_method="t(k-2)", counts=counts, measure=measure, pooling=one.pooling, exact=one.exact,
        rd_variance=rd_variance,
    )  # fmt: skip
    assert found.largest < 1e-9
    with pytest.raises(EngineDisagreement):
        compare(
            np.zeros(k), np.ones(k), first={"estimate": row["estimate"] * 1.001}, tau2_method=one.tau2,
            ci_method="wald", counts=counts, measure=measure, pooling=one.pooling, exact=one.exact,
        )  # fmt: skip


def test_engines_do_not_disagree_on_rounding_alone():
    """Effects that differ in the twelfth digit: the Hartung-Knapp standard error is rounding, and so is its error."""
    y, v = [0.399999999999, 0.4, 0.399999999999], [0.04, 0.04, 0.0025]
    law = {"tau2_method": "REML", "ci_method": "hartung-knapp"}
    first = pool(y, v, **law).row()
    compare(y, v, first=first | {"se": first["se"] * (1 + 4e-5)}, **law)
    with pytest.raises(EngineDisagreement, match=r"^q:"):
        compare(y, v, first=first | {"se": first["se"] * (1 + 4e-5), "q": first["q"] + 1.0}, **law)


@pytest.mark.parametrize("method", ["DL", "HE"])
def test_a_trial_with_nearly_all_the_weight_costs_no_digit(method):
    """Weights 17 billion to 1, of made-up review 1671: PyMARE and statsmodels lose the seventh digit of DL."""
    y, v = [223400.0, -0.524463432678], [2767680000.0, 0.160005880238]
    weights = [1 / Fraction(one) for one in v]
    mean = sum(w * Fraction(one) for w, one in zip(weights, y, strict=True)) / sum(weights)
    q = sum(w * (Fraction(one) - mean) ** 2 for w, one in zip(weights, y, strict=True))
    expected = (q - 1) / (sum(weights) - sum(w * w for w in weights) / sum(weights))
    if method == "HE":
        expected = (Fraction(y[0]) - Fraction(y[1])) ** 2 / 2 - sum(map(Fraction, v)) / 2
    law = {"tau2_method": method, "ci_method": "wald"}
    for start in ("own", "pymare"):
        assert pool(y, v, start=start, **law).tau2[0] == pytest.approx(float(expected), rel=1e-12)
    assert compare(y, v, **law).difference["tau2"] < 1e-12
