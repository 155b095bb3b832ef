"""Trial sequential analysis against published tables, RTSA, rpact, metafor and independent integrals."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm
from scipy.stats import t as student

from reweigh.effects.absolute import control_risk
from reweigh.pool.core import pool
from reweigh.pool.summarise import pooled_table
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model
from reweigh.robustness.removal import generic
from reweigh.sequential import integration
from reweigh.sequential.analysis import (
    Design,
    NoAnalysisError,
    SequentialAnalysis,
    merge_looks,
    sequential_analysis,
    trial_sequential_analysis,
)
from reweigh.sequential.boundaries import (
    NOT_OPEN,
    SPENDING,
    SPENT,
    UNREACHABLE,
    Boundaries,
    alpha_boundaries,
    exit_probabilities,
    fixed_drift,
    futility_boundaries,
    inflation_factor,
    spend,
)
from reweigh.sequential.cumulative import chronological, cumulative
from reweigh.sequential.inference import stagewise_inference
from reweigh.sequential.information import diversity, required_information_size, tau2_of_diversity
from reweigh.sequential.tables import sequential_analyses, sequential_table
from reweigh.text.codes import parse, words
from reweigh.text.sequential import SENTENCES

REFERENCE = Path(__file__).parent / "reference"
PUBLISHED = json.loads((REFERENCE / "sequential_published.json").read_text())
MVTNORM = json.loads((REFERENCE / "sequential_mvtnorm.json").read_text())
METAFOR = json.loads((REFERENCE / "sequential_metafor.json").read_text())
RTSA_NAMES: dict[str, Any] = {"esOF": "obrien-fleming", "esPoc": "pocock"}
BCG, YUSUF = METAFOR["bcg"], METAFOR["yusuf1985"]

spendings = st.sampled_from(SPENDING)
alphas = st.sampled_from([0.001, 0.01, 0.05, 0.2])
sides_of_test = st.sampled_from([1, 2])
steps = st.lists(st.integers(1, 40), min_size=1, max_size=9)


def wald(tau2: Any) -> Model:
    return Model(name="", tau2="EE" if tau2 == "common" else tau2, interval="wald")


def fractions(parts: list[int]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.cumsum(parts) / sum(parts)


class TestSpending:
    def test_closed_forms(self) -> None:
        t = np.array([0.25, 0.5, 1.0, 1.7])
        c = np.minimum(t, 1)
        # 1e-13: a few roundings of the same formula.
        np.testing.assert_allclose(spend(t, 0.025), 2 * norm.sf(norm.isf(0.0125) / np.sqrt(c)), rtol=1e-13)
        np.testing.assert_allclose(spend(t, 0.025, "pocock"), 0.025 * np.log(1 + (np.e - 1) * c), rtol=1e-13)
        np.testing.assert_allclose(spend(t, 0.025, "power", 3), 0.025 * c**3, rtol=1e-13)

    @given(spendings, st.floats(1e-6, 0.9), st.floats(0.2, 8))
    def test_runs_from_nothing_to_everything(self, method: Any, error: float, rho: float) -> None:
        got = spend(np.linspace(0, 1, 30), error, method, rho)
        assert got[0] == 0
        assert got[-1] == pytest.approx(error, rel=1e-12)  # a quantile and its probability, rounded
        assert (np.diff(got) >= 0).all()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ((0.5, 0.0), "between 0 and 1"),
            ((-0.1, 0.05), "-0.1"),
            ((np.nan, 0.05), "nan"),
            ((0.5, 0.05, "power", 0), "rho"),
            ((0.5, 0.05, "haybittle"), "haybittle"),
        ],
    )
    def test_refuses(self, arguments: Any, words: str) -> None:
        with pytest.raises(ValueError, match=words):
            spend(*arguments)


class TestBoundaries:
    @pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
    def test_published_tables(self, spending: Any) -> None:
        got = alpha_boundaries(np.arange(1, 6) / 5, spending=spending)
        # The tables print three decimals.
        np.testing.assert_allclose(got.upper, PUBLISHED["tables"][spending], atol=5.001e-4, rtol=0)
        np.testing.assert_array_equal(got.lower, -got.upper)

    @pytest.mark.parametrize("key", PUBLISHED["rtsa"]["boundaries"])
    def test_rtsa(self, key: str) -> None:
        ref = PUBLISHED["rtsa"]["boundaries"][key]
        got = alpha_boundaries(ref["timing"], spending=RTSA_NAMES[key.split("_")[0]])
        there = np.array(ref["upper"])
        reachable = there < 20
        # RTSA stops its search once a tail probability is within 1e-9, on an 18-point Jennison-Turnbull grid: 1e-9
        # over the normal density at Z = 3.6 is 1.7e-6.
        np.testing.assert_allclose(got.upper[reachable], there[reachable], atol=2e-6, rtol=0)
        assert np.isnan(got.upper[~reachable]).all()
        assert [r == UNREACHABLE for r in got.reason] == (~reachable).tolist()
        # The same formula, rounded (RTSA takes 1 - pnorm, so 1e-16 absolute); what an unreachable look could spend
        # is not spent there.
        np.testing.assert_allclose(got.spent[reachable] / 2, np.array(ref["spent_cum_one_side"])[reachable], atol=1e-15)
        # Follows from boundaries that differ by up to 2e-6.
        assert inflation_factor(got, 0.2) == pytest.approx(ref["inflation"], abs=2e-6)
        assert fixed_drift(0.05, 0.2) == pytest.approx(ref["drift"], rel=1e-13)

    def test_rpact_power_family(self) -> None:
        ref = PUBLISHED["rpact"]["efficacy"]
        got = alpha_boundaries(ref["fraction"], ref["alpha"], spending="power", rho=ref["rho"])
        # rpact stops its search at 1e-8; over the density of Z at 3.0, 0.004, that is 2e-6, but it comes nearer.
        np.testing.assert_allclose(got.upper, ref["upper"], atol=1e-7, rtol=0)
        np.testing.assert_allclose(got.spent, ref["spent"], atol=1e-8, rtol=0)

    @pytest.mark.parametrize("ref", MVTNORM["designs"])
    def test_multivariate_normal_in_r(self, ref: dict[str, Any]) -> None:
        got = alpha_boundaries(ref["t"], ref["alpha"], sides=ref["sides"], spending=ref["method"], rho=ref["rho"])
        # Miwa's integral of up to four dimensions and uniroot's 1e-13 bound the agreement.
        np.testing.assert_allclose(got.upper, ref["upper"], atol=1e-10, rtol=0)
        np.testing.assert_allclose(exit_probabilities(got, ref["drift"])[0], ref["crossing"], atol=1e-10, rtol=0)
        assert inflation_factor(got, 0.2) == pytest.approx(ref["inflation"], abs=1e-10)

    @pytest.mark.parametrize("spending", SPENDING)
    def test_multivariate_normal_in_scipy(self, spending: Any) -> None:
        t = np.array([0.35, 0.6, 1.0])
        got = alpha_boundaries(t, spending=spending, rho=2)
        cov = np.sqrt(np.minimum.outer(t, t) / np.maximum.outer(t, t))
        for k in (1, 2, 3):
            limits: Any = {"maxpts": 4_000_000, "abseps": 1e-9, "releps": 1e-9}
            inside = multivariate_normal(cov=cov[:k, :k], seed=1, **limits).cdf(
                got.upper[:k], lower_limit=got.lower[:k]
            )
            # scipy's randomised lattice rule is asked for 1e-9 and means it as an error estimate: ten times that.
            assert 1 - inside == pytest.approx(got.spent[k - 1], abs=1e-8)

    @pytest.mark.parametrize("sides", [1, 2])
    @pytest.mark.parametrize("spending", SPENDING)
    def test_a_finer_grid_changes_nothing(self, spending: Any, sides: int, monkeypatch: pytest.MonkeyPatch) -> None:
        looks = ([0.011, 0.02, 0.5, 0.5005, 1.0], np.arange(1, 41) / 40, [0.1, 0.35, 0.5, 0.9, 1.0])
        coarse = [alpha_boundaries(t, sides=sides, spending=spending, rho=2).upper for t in looks]
        x, w = np.polynomial.legendre.leggauss(48)
        for name, value in (("_NODES", 48), ("_PANEL", 3.0), ("_X", x), ("_W", w), ("REACH", 10.0)):
            monkeypatch.setattr(integration, name, value)
        fine = [alpha_boundaries(t, sides=sides, spending=spending, rho=2).upper for t in looks]
        for a, b in zip(coarse, fine, strict=True):
            # Both grids are exact to rounding: 40 recursions of 1e-16 over a density of 1e-3 at Z = 3.5.
            np.testing.assert_allclose(a, b, atol=1e-11, rtol=0)

    @settings(deadline=None, max_examples=40)
    @given(steps, alphas, sides_of_test, spendings, st.floats(0.3, 5))
    def test_spending_sums_to_alpha(
        self, parts: list[int], alpha: float, sides: int, spending: Any, rho: float
    ) -> None:
        got = alpha_boundaries(fractions(parts), alpha, sides=sides, spending=spending, rho=rho)
        assert got.spent[-1] == pytest.approx(alpha, rel=1e-12)
        up, down = exit_probabilities(got)
        # Quadrature and root, both to about 1e-13.
        assert up.sum() == pytest.approx(alpha / sides, abs=1e-11)
        np.testing.assert_allclose(down, up if sides == 2 else 0 * up, atol=1e-14)
        np.testing.assert_allclose(np.cumsum(up + down), got.spent, atol=1e-11)

    @settings(deadline=None, max_examples=40)
    @given(steps, st.integers(0, 8), st.integers(1, 9), alphas, sides_of_test, spendings)
    def test_more_looks_never_lower_the_final_boundary(
        self, parts: list[int], which: int, tenths: int, alpha: float, sides: int, spending: Any
    ) -> None:
        few = fractions(parts)
        i = which % few.size
        before = few[i - 1] if i else 0.0
        more = np.insert(few, i, before + tenths / 10 * (few[i] - before))
        last = [alpha_boundaries(t, alpha, sides=sides, spending=spending).upper[-1] for t in (few, more)]
        assert last[1] >= last[0] - 1e-10  # root and quadrature

    @settings(deadline=None, max_examples=25)
    @given(steps, st.integers(0, 8))
    def test_past_boundaries_do_not_know_the_future(self, parts: list[int], cut: int) -> None:
        t = fractions(parts)
        n = 1 + cut % t.size
        np.testing.assert_allclose(alpha_boundaries(t).upper[:n], alpha_boundaries(t[:n]).upper, atol=1e-12, rtol=0)

    @pytest.mark.parametrize(("sides", "critical"), [(1, norm.isf(0.05)), (2, norm.isf(0.025))])
    @pytest.mark.parametrize("t", [1.0, 3.7])
    @pytest.mark.parametrize("spending", SPENDING)
    def test_one_look_is_the_fixed_sample_test(self, t: float, sides: int, critical: float, spending: Any) -> None:
        got = alpha_boundaries([t], sides=sides, spending=spending)
        assert got.upper[0] == pytest.approx(critical, rel=1e-13)
        assert np.isnan(got.lower[0]) == (sides == 1)
        assert inflation_factor(alpha_boundaries([1.0], sides=sides), 0.1) == pytest.approx(1, rel=1e-12)

    def test_looks_beyond_the_required_information(self) -> None:
        got = alpha_boundaries([0.5, 1.3, 1.4, 2.0])
        assert np.isfinite(got.upper).tolist() == [True, True, False, False]
        assert got.reason == ("", "", SPENT, SPENT)
        np.testing.assert_array_equal(got.spent[1:], got.spent[-1])

    def test_what_an_unreachable_look_could_spend_is_spent_later(self) -> None:
        got = alpha_boundaries([0.05, 0.1, 0.5, 1.0])
        assert got.reason == (UNREACHABLE, UNREACHABLE, "", "")
        np.testing.assert_allclose(got.upper[2:], alpha_boundaries([0.5, 1.0]).upper, atol=1e-12)

    @pytest.mark.parametrize(
        ("fraction", "words"),
        [
            ([], "non-empty"),
            ([0.0, 1.0], "above 0"),
            ([0.5, np.nan], "finite"),
            ([0.5, 0.4, 1.0], "looks 0 and 1"),
            ([0.3, 0.5, 0.50001, 1.0], "looks 1 and 2"),
            ([1.0, 1.0], "looks 0 and 1"),
        ],
    )
    def test_refuses_looks(self, fraction: list[float], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            alpha_boundaries(fraction)

    def test_refuses_designs(self) -> None:
        with pytest.raises(ValueError, match="sides"):
            alpha_boundaries([1.0], sides=3)
        with pytest.raises(ValueError, match="must reach 1"):
            inflation_factor(alpha_boundaries([0.5]), 0.2)
        with pytest.raises(ValueError, match="not above the alpha"):
            fixed_drift(0.5, 0.9)


class TestFutility:
    @pytest.mark.parametrize("ref", PUBLISHED["rpact"]["futility"])
    def test_rpact_two_sided(self, ref: dict[str, Any]) -> None:
        # rpact's efficacy boundaries here are those of a binding design: they are taken as given.
        upper = np.array(ref["upper"])
        given_ = Boundaries(
            np.array(ref["fraction"]), upper, -upper, np.zeros(4), ("",) * 4, ref["alpha"], 2, "power", 1.0
        )
        got = futility_boundaries(given_, ref["beta"], spending="power", rho=ref["beta_rho"])
        # rpact stops its search at 1e-8; over the density of Z under the drift, 0.06 at least, that is 2e-7.
        np.testing.assert_allclose(got.upper[:3], ref["futility"], atol=2e-7, rtol=0)
        np.testing.assert_array_equal(got.lower, -got.upper)
        assert got.power == pytest.approx(ref["power"], abs=2e-8)
        # rpact's factor holds the power exactly, this one the beta spent: they differ by the 1e-6 of wrong crossings.
        assert got.inflation == pytest.approx(ref["inflation"], abs=3e-6)
        assert got.upper[3] == upper[3]

    @pytest.mark.parametrize("method", SPENDING)
    def test_one_sided_under_a_given_drift(self, method: Any) -> None:
        ref = MVTNORM["futility"]
        efficacy = alpha_boundaries(ref["t"], ref["alpha"], sides=1)
        got = futility_boundaries(efficacy, ref["beta"], spending=method, rho=2, drift=ref["drift"])
        # Miwa's four-dimensional integral with a shifted mean: 1e-10.
        np.testing.assert_allclose(got.upper[:3], ref[f"futility_{method}"], atol=1e-9, rtol=0)
        assert got.power == pytest.approx(ref[f"power_{method}"], abs=1e-9)
        assert got.upper[3] == efficacy.upper[3]
        assert np.isnan(got.lower).all()

    @settings(deadline=None, max_examples=25)
    @given(steps, sides_of_test, spendings, spendings, st.sampled_from([0.05, 0.1, 0.2]))
    def test_beta_is_spent_and_the_boundaries_meet(
        self, parts: list[int], sides: int, spending: Any, beta_spending: Any, beta: float
    ) -> None:
        efficacy = alpha_boundaries(fractions(parts), sides=sides, spending=spending)
        got = futility_boundaries(efficacy, beta, spending=beta_spending)
        assert got.spent[-1] == pytest.approx(beta, abs=1e-10)  # root
        # Power misses 1 - beta only by crossings of the wrong side.
        wrong = exit_probabilities(efficacy, got.drift)[1].sum()
        assert 1 - beta - wrong - 1e-10 <= got.power <= 1 - beta + 1e-10
        assert got.upper[-1] == efficacy.upper[-1]
        # Wrong crossings (below 1e-6) are no part of the beta spent and save as much.
        assert got.inflation >= 1 - 1e-5
        there = np.isfinite(got.upper) & np.isfinite(efficacy.upper)
        assert (got.upper[there] <= efficacy.upper[there] + 1e-12).all()
        assert [bool(r) for r in got.reason] == np.isnan(got.upper).tolist()
        if sides == 2:
            assert (got.upper[np.isfinite(got.upper)] > 0).all()

    def test_beta_of_closed_looks_is_kept(self) -> None:
        got = futility_boundaries(alpha_boundaries(np.arange(1, 6) / 5), 0.2)
        assert got.reason[0] == NOT_OPEN
        assert got.spent[0] == 0
        np.testing.assert_allclose(got.spent[1:], spend(np.arange(2, 6) / 5, 0.2), rtol=1e-10)

    def test_one_look_is_the_fixed_sample_test(self) -> None:
        got = futility_boundaries(alpha_boundaries([1.0], sides=1), 0.1)
        assert got.upper[0] == pytest.approx(norm.isf(0.05), rel=1e-13)
        assert got.drift == pytest.approx(fixed_drift(0.05, 0.1, 1), rel=1e-12)

    def test_needs_a_last_look(self) -> None:
        with pytest.raises(ValueError, match=r"0\.8"):
            futility_boundaries(alpha_boundaries([0.4, 0.8]))


class TestInformationSize:
    def test_rtsa(self) -> None:
        ref = dict(PUBLISHED["rtsa"]["ris"])
        expected = [ref.pop(k) for k in ("NF", "NR_D2", "NR_I2")]
        got = required_information_size(**ref)
        assert [got.fixed, got.by_d2, got.by_i2] == expected

    def test_published_example(self) -> None:
        ref = dict(PUBLISHED["nirs"]["mortality"])
        required = ref.pop("required")
        got = required_information_size("RR", **ref)
        assert got.fixed == got.by_d2 == required

    def test_published_example_with_diversity(self) -> None:
        ref = dict(PUBLISHED["nirs"]["neurological"])
        required, printed = ref.pop("required"), ref.pop("d2_printed")
        # Diversity is printed as 78.9%: the size must lie between those of 78.85% and 78.95%.
        low, high = (required_information_size("RR", d2=printed + e, **ref).by_d2 for e in (-0.05, 0.05))
        assert low is not None
        assert high is not None
        assert low <= required <= high

    @pytest.mark.parametrize("sides", [1, 2])
    @pytest.mark.parametrize("beta", [0.1, 0.2])
    def test_closed_forms(self, sides: int, beta: float) -> None:
        z2 = (norm.isf(0.05 / sides) + norm.isf(beta)) ** 2
        md = required_information_size("MD", -10, sd=25, beta=beta, sides=sides)
        smd = required_information_size("SMD", 0.4, beta=beta, sides=sides)
        rr = required_information_size("RR", 1.5, control_risk=0.3, beta=beta, sides=sides)
        # Closed forms: rounding only.
        assert md.exact == pytest.approx(4 * z2 * 625 / 100, rel=1e-12)
        assert smd.exact == pytest.approx(md.exact, rel=1e-12)
        assert rr.exact == pytest.approx(4 * z2 * 0.375 * 0.625 / 0.15**2, rel=1e-12)
        assert rr.difference == pytest.approx(np.log(1.5), rel=1e-14)
        assert all(s.fixed == int(np.ceil(s.exact)) for s in (md, smd, rr))
        assert md.by_i2 is md.by_d2 is md.by_tau2 is None
        assert md.reason == ""

    @given(st.floats(0.05, 0.9), st.floats(0.3, 0.95), st.floats(0, 0.3), st.integers(1, 60))
    def test_tau2_gives_the_wanted_standard_error(self, risk: float, ratio: float, tau2: float, trials: int) -> None:
        got = required_information_size("RR", ratio, control_risk=risk, tau2=tau2, trials=trials)
        wanted = np.log(ratio) / fixed_drift(0.05, 0.1)
        assert got.min_trials is not None
        assert got.min_trials - 1 <= tau2 / wanted**2 * (1 + 1e-9) < got.min_trials * (1 + 1e-9)
        for k, n, total in got.by_trials:
            assert total == k * n
            variance = 2 * (1 / risk + 1 / (risk * ratio) - 2)
            # n is the least whole number that suffices; 1e-9 covers the rounding of a difference of near-equals.
            assert (variance / n + tau2) / k <= wanted**2 * (1 + 1e-9)
            assert n == 1 or (variance / (n - 1) + tau2) / k > wanted**2 * (1 - 1e-9)
        if trials < got.min_trials:
            assert got.by_tau2 is None
            assert str(got.min_trials) in got.reason
        else:
            assert got.by_tau2 == got.by_trials[-1].total

    def test_without_heterogeneity_tau2_changes_nothing(self) -> None:
        got = required_information_size("MD", 10, sd=25, tau2=0, trials=1)
        assert got.by_tau2 == got.fixed
        assert got.min_trials == 1
        assert required_information_size("MD", 10, sd=25, i2=0, d2=0).by_d2 == got.fixed

    def test_total_heterogeneity_has_a_reason(self) -> None:
        got = required_information_size("SMD", 0.5, i2=100, d2=60)
        assert got.by_i2 is None
        assert got.by_d2 is not None
        assert "I2 is 100%" in words(got.reason, SENTENCES)

    @pytest.mark.parametrize("data", [BCG, YUSUF])
    def test_diversity(self, data: dict[str, Any]) -> None:
        fixed, random = (data["fits"][m]["se"][-1] for m in ("common", "DL"))
        got = diversity(data["vi"], data["fits"]["DL"]["tau2"][-1])
        # Closed form from metafor's standard errors, given to 15 digits.
        assert got == pytest.approx(100 * (1 - (fixed / random) ** 2), rel=1e-10, abs=1e-10)

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"measure": "MD", "difference": 0, "sd": 1}, "no difference"),
            ({"measure": "MD", "difference": 5}, "standard deviation"),
            ({"measure": "MD", "difference": 5, "sd": -1}, "-1"),
            ({"measure": "RR", "difference": 1, "control_risk": 0.1}, "no difference"),
            ({"measure": "RR", "difference": 0.8}, "control risk"),
            ({"measure": "RR", "difference": 12, "control_risk": 0.1}, "1.2"),
            ({"measure": "RR", "difference": -0.8, "control_risk": 0.1}, "above 0"),
            ({"measure": "HR", "difference": 0.8}, "HR"),
            ({"measure": "SMD", "difference": 0.5, "d2": 120}, "percent"),
            ({"measure": "SMD", "difference": 0.5, "tau2": -1}, "tau2"),
            ({"measure": "SMD", "difference": 0.5, "beta": 0}, "beta"),
            ({"measure": "SMD", "difference": np.nan}, "nan"),
        ],
    )
    def test_refuses(self, arguments: dict[str, Any], words: str) -> None:
        with pytest.raises(ValueError, match=words):
            required_information_size(**arguments)

    def test_diversity_refuses(self) -> None:
        with pytest.raises(ValueError, match="trial 1"):
            diversity([0.1, 0.0], 0.2)
        with pytest.raises(ValueError, match="tau2"):
            diversity([0.1, 0.2], -0.2)


class TestCumulative:
    def test_order_by_date_then_study_id(self) -> None:
        dates = [2010, None, 2005, np.nan, 2010, pd.NA, "", pd.NaT]
        order, undated = chronological(dates, list("dbacefgh"))
        assert order.tolist() == [2, 0, 4]
        assert undated.tolist() == [1, 3, 5, 6, 7]
        order, _ = chronological([2010, 2010, 2010], ["c", "a", "b"])
        assert order.tolist() == [1, 2, 0]
        order, _ = chronological([datetime.date(2001, 5, 1), datetime.date(2001, 4, 30)], ["a", "b"])
        assert order.tolist() == [1, 0]

    def test_dates_of_two_kinds(self) -> None:
        with pytest.raises(ValueError, match="different kinds"):
            chronological([2001, datetime.date(2001, 5, 1)], ["a", "b"])
        with pytest.raises(ValueError, match="2 dates for 1"):
            chronological([2001, 2002], ["a"])

    @pytest.mark.parametrize("data", [BCG, YUSUF])
    # REML: metafor stops at a step of 1e-12 in tau2; the rest is closed form.
    @pytest.mark.parametrize(("method", "tolerance"), [("common", 1e-10), ("DL", 1e-10), ("REML", 1e-8)])
    def test_metafor(self, data: dict[str, Any], method: Any, tolerance: float) -> None:
        found = cumulative(generic(data["yi"], data["vi"]), wald(method), range(len(data["yi"])))
        np.testing.assert_allclose(found.estimate, data["fits"][method]["estimate"], rtol=tolerance)
        np.testing.assert_allclose(found.se, data["fits"][method]["se"], rtol=tolerance)

    @pytest.mark.parametrize("method", ["common", "DL", "REML"])
    def test_edges(self, method: Any) -> None:
        found = cumulative(generic([0.3, 0.3, 0.3], [0.04, 0.04, 0.04]), wald(method), [0, 1, 2])
        np.testing.assert_allclose(found.estimate, 0.3)
        np.testing.assert_allclose(found.se, 0.2 / np.sqrt([1, 2, 3]))


class TestLooks:
    def test_small_steps_are_merged(self) -> None:
        total = np.cumsum([5, 4, 1, 100, 9, 9, 3])
        # 1% of 1,000 is 10: 5 + 4 + 1 make one look, 9 + 9 another, and the last trial joins the last look.
        assert merge_looks(total, 1000).tolist() == [2, 3, 6]
        assert merge_looks([10.0], 1000).tolist() == [0]
        assert merge_looks([3.0, 5.0], 1000).tolist() == [1]
        assert merge_looks([], 1000).tolist() == []

    def test_refuses(self) -> None:
        with pytest.raises(ValueError, match="trial 1"):
            merge_looks([10, 10], 100)
        with pytest.raises(ValueError, match="required information"):
            merge_looks([10, 20], 0)
        with pytest.raises(ValueError, match="min_step"):
            merge_looks([10, 20], 100, 0)


def analyse(data: dict[str, Any], required: float, **options: Any) -> SequentialAnalysis:
    n, year, ids = (data[name] for name in ("participants", "year", "study_id"))
    model = wald(options.pop("pool", "DL"))
    return trial_sequential_analysis(generic(data["yi"], data["vi"]), model, n, year, ids, required, **options)


def same(a: SequentialAnalysis, b: SequentialAnalysis, rtol: float = 1e-9) -> None:
    for name in ("fraction", "z", "upper", "lower", "futility_upper", "ci_lower", "ci_upper", "p_value", "power"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=rtol, err_msg=name)
    assert (a.verdict, a.crossed_look, a.futility_look, a.note) == (
        b.verdict,
        b.crossed_look,
        b.futility_look,
        b.note,
    )


class TestAnalysis:
    def test_bcg(self) -> None:
        required = required_information_size(
            "RR", 0.8, control_risk=0.04, beta=0.2, d2=diversity(BCG["vi"], BCG["fits"]["DL"]["tau2"][-1])
        ).by_d2
        assert required is not None
        got = analyse(BCG, required, design=Design(beta=0.2))
        looks = got.trials - 1
        for name in ("estimate", "se"):
            np.testing.assert_allclose(getattr(got, name), np.array(BCG["fits"]["DL"][name])[looks], rtol=1e-10)
        np.testing.assert_allclose(got.information, np.cumsum(BCG["participants"])[looks])
        np.testing.assert_allclose(got.upper, alpha_boundaries(got.fraction).upper)
        np.testing.assert_allclose(got.ci_lower, got.estimate - got.upper * got.se)
        np.testing.assert_allclose(got.ci_upper, got.estimate + got.upper * got.se)
        assert [i for ids in got.study_id for i in ids] == BCG["study_id"]
        assert got.date[-1] == BCG["year"][-1]
        assert got.verdict == "lower"
        first = int(np.flatnonzero(np.abs(got.z) >= got.upper)[0])
        assert got.crossed_look == first
        assert got.stagewise is not None
        assert got.stagewise.look == first
        assert got.reached
        assert got.conventional == pytest.approx(norm.isf(0.025), rel=1e-13)
        assert [bool(n) for n in got.note] == np.isnan(got.upper).tolist()
        frame = got.to_frame()
        assert len(frame) == len(looks)
        assert frame["trials"].iloc[-1] == 13

    @pytest.mark.parametrize("ref", MVTNORM["designs"])
    def test_stagewise_inference(self, ref: dict[str, Any]) -> None:
        bounds = alpha_boundaries(ref["t"], ref["alpha"], sides=ref["sides"], spending=ref["method"], rho=ref["rho"])
        last, expected = len(ref["t"]) - 1, ref["stagewise"]
        # With this standard error the estimate is on the scale of the drift.
        se = 1 / np.sqrt(ref["t"][-1])
        got = stagewise_inference(expected["z"], bounds, last, se)
        assert got.p_value == pytest.approx(expected["p"], abs=1e-11)
        # Miwa's error of 1e-11 over the slope of the probability, 0.06 at the limits.
        assert got.ci_lower == pytest.approx(expected["lower"], abs=1e-9)
        assert got.estimate == pytest.approx(expected["median"], abs=1e-9)
        assert got.ci_upper == (np.inf if ref["sides"] == 1 else pytest.approx(expected["upper"], abs=1e-9))
        if ref["sides"] == 2:
            mirror = stagewise_inference(-expected["z"], bounds, last, se)
            assert (mirror.ci_lower, mirror.estimate, mirror.ci_upper) == (
                -got.ci_upper,
                -got.estimate,
                -got.ci_lower,
            )

    @pytest.mark.parametrize("sides", [1, 2])
    @pytest.mark.parametrize("z", [-0.7, 1.2, 3.0])
    def test_one_look_is_the_fixed_sample_test(self, sides: int, z: float) -> None:
        got = sequential_analysis([z / 10], [0.1], [500], 400, design=Design(sides=sides, futility=True, beta=0.1))
        p = norm.sf(z) if sides == 1 else 2 * norm.sf(abs(z))
        c = norm.isf(0.05 / sides)
        assert got.p_value == pytest.approx(p, rel=1e-10)  # root in log alpha
        assert got.stagewise is not None
        assert got.stagewise.p_value == pytest.approx(p, rel=1e-12)
        assert got.stagewise.estimate == pytest.approx(z / 10, rel=1e-10)
        assert got.stagewise.ci_lower == pytest.approx((z - c) / 10, rel=1e-10)
        assert got.ci_lower[0] == pytest.approx((z - c) / 10, rel=1e-12)
        assert got.ci_upper[0] == (np.inf if sides == 1 else pytest.approx((z + c) / 10, rel=1e-12))
        assert got.verdict == ("upper" if z > c else "futility")

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.floats(-5, 5), min_size=1, max_size=8), sides_of_test, spendings, st.booleans())
    def test_p_interval_and_boundary_agree(self, zs: list[float], sides: int, spending: Any, whole: bool) -> None:
        k = len(zs)
        se = 1 / np.sqrt(np.arange(1, k + 1))
        got = sequential_analysis(
            np.array(zs) * se,
            se,
            np.arange(1, k + 1) * 100.0,
            100.0 * k if whole else 120.0 * k,
            design=Design(sides=sides, spending=spending),
        )
        if np.isnan(got.upper[-1]):
            assert got.note[-1]
            return
        excluded = got.ci_lower[-1] > 0 or got.ci_upper[-1] < 0
        crossed = (abs(zs[-1]) if sides == 2 else zs[-1]) > got.upper[-1]
        assert (got.p_value < 0.05) == excluded == crossed
        single = 2 * norm.sf(abs(zs[-1])) if sides == 2 else norm.sf(zs[-1])
        assert min(single * (1 - 1e-9), 1) <= got.p_value <= 1

    @given(st.floats(1e-3, 1e6))
    @settings(deadline=None, max_examples=20)
    def test_the_unit_of_information_does_not_matter(self, unit: float) -> None:
        design = Design(futility=True, adjust_power=True)
        scaled = BCG | {"participants": np.array(BCG["participants"]) * unit}
        # 1e-7: the equation for the inflation is solved to rounding, and boundaries follow it.
        same(analyse(BCG, 331_633, design=design), analyse(scaled, 331_633 * unit, design=design), rtol=1e-7)

    @given(st.permutations(range(13)))
    @settings(deadline=None, max_examples=10)
    def test_the_order_of_rows_does_not_matter(self, rows: list[int]) -> None:
        # The set has two reports of the same authors; ties need ids of their own.
        named = BCG | {"study_id": [f"{i:02d}" for i in range(13)]}
        shuffled = {n: [named[n][i] for i in rows] for n in ("yi", "vi", "participants", "year", "study_id")}
        same(analyse(named, 331_633), analyse(shuffled, 331_633), rtol=1e-12)

    @pytest.mark.parametrize("sides", [1, 2])
    def test_turned_over(self, sides: int) -> None:
        design = Design(sides=sides, futility=True)
        down = analyse(BCG, 331_633, design=design, direction=-1)
        up = analyse(BCG | {"yi": -np.array(BCG["yi"])}, 331_633, design=design, direction=1)
        assert (down.verdict, up.verdict) == ("lower", "upper")
        np.testing.assert_allclose(down.lower, -up.upper)
        np.testing.assert_allclose(down.futility_lower, -up.futility_upper)
        np.testing.assert_allclose(down.ci_upper, -up.ci_lower)
        np.testing.assert_allclose(down.ci_lower, -up.ci_upper)
        assert down.p_value == pytest.approx(up.p_value, rel=1e-12)
        assert down.stagewise is not None
        assert up.stagewise is not None
        assert down.stagewise.estimate == pytest.approx(-up.stagewise.estimate, rel=1e-10)
        assert down.stagewise.ci_upper == pytest.approx(-up.stagewise.ci_lower, rel=1e-10)

    def test_undated_trials_are_left_out_and_listed(self) -> None:
        year = [None, *BCG["year"][1:12], np.nan]
        got = analyse(BCG | {"year": year}, 331_633)
        kept = {n: BCG[n][1:12] for n in ("yi", "vi", "participants", "year", "study_id")}
        assert got.undated == (BCG["study_id"][0], BCG["study_id"][12])
        same(got, analyse(kept, 331_633), rtol=1e-12)

    def test_no_dates_no_analysis(self) -> None:
        with pytest.raises(NoAnalysisError, match=r"^no_dates$"):
            analyse(BCG | {"year": [None] * 13}, 331_633)

    def test_no_trials(self) -> None:
        with pytest.raises(NoAnalysisError, match=r"^no_trials$"):
            trial_sequential_analysis(generic([], []), wald("DL"), [], [], [], 100)
        with pytest.raises(NoAnalysisError, match=r"^no_trials$"):
            sequential_analysis([], [], [], 100)

    def test_too_little_information_for_a_boundary(self) -> None:
        got = sequential_analysis([-0.5], [0.1], [200], 100_000)
        assert got.note[0] == f"boundary why={UNREACHABLE}"
        assert np.isnan(got.upper[0])
        assert np.isnan(got.ci_lower[0])
        assert np.isnan(got.p_value)
        assert "unreachable" in got.p_reason
        assert got.verdict == "none"
        assert not got.reached
        assert got.boundaries is not None
        # The plot still ends at the required information.
        assert got.boundaries.fraction.tolist() == [0.002, 1.0]
        assert got.boundaries.upper[1] == pytest.approx(norm.isf(0.025), rel=1e-13)

    def test_after_the_required_information_nothing_is_left(self) -> None:
        got = sequential_analysis([0.1, 0.25, 0.3], [0.1, 0.1, 0.1], [50, 150, 250], 100)
        assert np.isnan(got.upper).tolist() == [False, False, True]
        assert got.note[2] == f"boundary why={SPENT}"
        assert got.verdict == "upper"
        assert got.crossed_look == 1
        # A Z of 3 that comes too late crosses nothing.
        late = sequential_analysis([0.1, 0.1, 0.3], [0.1, 0.1, 0.1], [50, 150, 250], 100)
        assert late.verdict == "none"
        assert late.p_value > 0.05
        assert got.reached

    def test_within_a_thousandth_counts_as_reached(self) -> None:
        got = sequential_analysis([0.1, 0.2], [0.1, 0.1], [5000, 9995], 10_000)
        assert got.reached
        assert "taken as reached" in words(got.note[-1], SENTENCES)
        assert got.alpha_spent[-1] == pytest.approx(0.05, rel=1e-12)
        assert not sequential_analysis([0.1, 0.2], [0.1, 0.1], [5000, 9980], 10_000).reached

    def test_futility_is_noted_but_does_not_bind(self) -> None:
        z, se = np.array([0.0, 0.05, 5.0]), np.array([0.3, 0.2, 0.1])
        got = sequential_analysis(z * se, se, [500, 800, 1000], 1000, design=Design(futility=True))
        assert got.futility_look == 0
        assert got.verdict == "upper"
        assert got.crossed_look == 2
        early = sequential_analysis(z[:2] * se[:2], se[:2], [500, 800], 1000, design=Design(futility=True))
        assert early.verdict == "futility"
        assert early.futility is not None
        assert early.futility.upper[-1] == early.boundaries.upper[-1]  # type: ignore[union-attr]

    @pytest.mark.parametrize("futility", [False, True])
    def test_power(self, futility: bool) -> None:
        design = Design(beta=0.2, futility=futility)
        looks = np.arange(1, 6) * 200.0
        plain, kept = (
            sequential_analysis(np.zeros(4), np.ones(4), looks[:4], 1000, design=replace(design, adjust_power=adjust))
            for adjust in (False, True)
        )
        assert plain.required == 1000
        assert plain.power < 0.8
        assert plain.inflation == 1
        assert kept.power == pytest.approx(0.8, abs=1e-7)  # the search for the factor stops at 1e-8
        assert kept.required == pytest.approx(1000 * kept.inflation, rel=1e-12)
        # The design whose looks are at the fractions that came out needs the same information.
        design_looks = alpha_boundaries(np.append(kept.fraction, 1.0))
        expected = futility_boundaries(design_looks, 0.2).inflation if futility else inflation_factor(design_looks, 0.2)
        # Equal without futility; with it the design spends beta to the end and counts the wrong crossings (1e-6).
        assert kept.inflation == pytest.approx(expected, abs=1e-4 if futility else 1e-6)

    def test_null_value(self) -> None:
        got = analyse(YUSUF, 20_000, pool="common")
        shifted = analyse(YUSUF | {"yi": np.array(YUSUF["yi"]) + 2}, 20_000, pool="common", null=2.0)
        np.testing.assert_allclose(shifted.z, got.z, rtol=1e-9)
        assert shifted.stagewise is not None
        assert got.stagewise is not None
        assert shifted.stagewise.estimate == pytest.approx(got.stagewise.estimate + 2, rel=1e-10)

    def test_extreme_z_has_a_reason(self) -> None:
        got = sequential_analysis([5.0], [0.1], [100], 100)
        assert np.isnan(got.p_value)
        assert "above 25" in words(got.p_reason, SENTENCES)
        assert got.note[-1] == got.p_reason
        assert got.verdict == "upper"

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"se": [0.1, 0.0]}, "trial 1"),
            ({"estimate": [np.nan, 0.1]}, "trial 0"),
            ({"information": [100, 90]}, "trial 1"),
            ({"information": [100]}, "one length"),
            ({"required": -5}, "required information"),
            ({"direction": 0}, "direction"),
            ({"study_id": ["a"]}, "lengths differ"),
        ],
    )
    def test_refuses(self, change: dict[str, Any], words: str) -> None:
        arguments: dict[str, Any] = {
            "estimate": [0.1, 0.2],
            "se": [0.1, 0.1],
            "information": [100, 200],
            "required": 300,
        }
        with pytest.raises(ValueError, match=words):
            sequential_analysis(**(arguments | change))

    def test_refuses_trials(self) -> None:
        two = generic([1, 2], [1, 1])
        with pytest.raises(ValueError, match="trial b has 0"):
            trial_sequential_analysis(two, wald("DL"), [10, 0], [2001, 2002], ["a", "b"], 100)
        with pytest.raises(ValueError, match="study ids"):
            trial_sequential_analysis(two, wald("DL"), [10, 20], [2001, 2002], ["a"], 100)


def review(measure: str, better: str, important: Any, **sequential: Any) -> Protocol:
    """A protocol with one outcome."""
    return Protocol.model_validate(
        {
            "title": "A",
            "question": {"population": "a", "intervention": "b", "comparator": "c"},
            "words": {"intervention": "drug", "control": "placebo"},
            "outcomes": {
                "x": {
                    "label": "X", "type": "binary" if measure == "RR" else "continuous", "measure": measure,
                    "better": better,
                    "smallest_important_difference": {measure: {"value": important, "source": "of a test"}},
                }
            },
            "sequential": sequential,
        }
    )  # fmt: skip


def rows_of(measure: str, yi: Any, vi: Any, n: int = 100) -> pd.DataFrame:
    """Rows of effects.csv; a tenth of the patients have an event, SD 2."""
    k = len(yi)
    return pd.DataFrame(
        {
            "analysis": "x.all", "outcome": "x", "window": "all", "measure": measure, "set": "main", "design": "parallel",
            "study_id": [f"s{i}" for i in range(k)], "comparison_id": [f"s{i}" for i in range(k)],
            "year": range(2000, 2000 + k), "scale": "log" if measure == "RR" else "natural", "estimate": yi,
            "variance": vi, "n_intervention": n, "n_control": n, "events_control": n // 10, "corrected": "no", "sd_intervention": 2.0,
            "sd_control": 2.0,
        }
    )  # fmt: skip


HETEROGENEOUS = (np.array([0.5, 0.1, 0.9, 0.3]), np.array([0.01, 0.02, 0.04, 0.03]))


class TestTable:
    @pytest.mark.parametrize(
        ("measure", "better", "important", "natural"),
        [
            ("RR", "lower", [0.8, 1.3], 0.8),
            ("RR", "higher", [0.8, 1.3], 1.3),
            ("MD", "lower", 0.5, -0.5),
            ("MD", "higher", 0.5, 0.5),
        ],
    )
    def test_the_bound_of_a_benefit_is_detected(
        self, measure: str, better: str, important: Any, natural: float
    ) -> None:
        table = sequential_table(
            sequential_analyses(rows_of(measure, *HETEROGENEOUS), review(measure, better, important))
        )
        row = table.iloc[-1]
        assert row["difference_natural"] == pytest.approx(natural, rel=1e-14)
        assert row["difference"] == pytest.approx(np.log(natural) if measure == "RR" else natural, rel=1e-14)
        spread: dict[str, float] = {"control_risk": 0.1} if measure == "RR" else {"sd": 2.0}
        needed = required_information_size(measure, natural, beta=0.1, **spread)  # type: ignore[arg-type]
        assert row["size_fixed"] == needed.fixed
        code = parse(row["assumed_codes"])[0]
        assert code.name == ("control_risk" if measure == "RR" else "pooled_sd")

    def test_i2_and_d2_have_their_own_sizes(self) -> None:
        """By hand: fixed size / (1 - I2) and / (1 - D2), from Q and the two pooled variances."""
        y, v = HETEROGENEOUS
        w = 1 / v
        q = float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())
        i2 = 1 - 3 / q
        tau2 = (q - 3) / (w.sum() - (w**2).sum() / w.sum())
        d2 = 1 - (1 / (v + tau2)).sum() / w.sum()
        assert abs(d2 - i2) > 0.02
        for adjustment, share in (("i2", i2), ("d2", d2)):
            protocol = review("MD", "higher", 0.5, adjustment=adjustment)
            row = sequential_table(sequential_analyses(rows_of("MD", y, v), protocol)).iloc[-1]
            assert (row["i2"], row["d2"]) == (pytest.approx(100 * i2), pytest.approx(100 * d2))
            assert row["tau2"] == pytest.approx(tau2)
            assert row["size_by_i2"] == np.ceil(row["size_fixed"] / (1 - i2))
            assert row["size_by_d2"] == np.ceil(row["size_fixed"] / (1 - d2))
            assert row["required"] == np.ceil(row["size_fixed"] / (1 - share))
            assert f"I2 {100 * i2:.1f}%, D2 {100 * d2:.1f}%" in row["assumed"]

    @pytest.mark.parametrize("sign", [-1, 1])
    @pytest.mark.parametrize("better", ["lower", "higher"])
    def test_a_one_sided_analysis_looks_for_a_benefit(self, better: str, sign: int) -> None:
        y = sign * np.array([0.5, 0.52, 0.48, 0.5])
        protocol = review("MD", better, 0.5, sides=1, futility=False)
        table = sequential_table(sequential_analyses(rows_of("MD", y, np.full(4, 0.005), n=300), protocol))
        benefit = sign == (1 if better == "higher" else -1)
        assert table["verdict"].iloc[-1] == (("upper" if sign > 0 else "lower") if benefit else "none")
        assert table["upper" if better == "higher" else "lower"].notna().any()
        assert table["lower" if better == "higher" else "upper"].isna().all()

    @pytest.mark.parametrize(
        ("pooling", "tau2", "model"),
        [("common", "EE", "common effect"), ("DL", "DL", "random effects, tau2 by DL"),
         ("REML", "REML", "random effects, tau2 by REML")],
    )  # fmt: skip
    def test_rows_name_their_model_and_hold_its_numbers(self, pooling: str, tau2: Any, model: str) -> None:
        y, v = HETEROGENEOUS
        found = sequential_analyses(rows_of("MD", y, v), review("MD", "higher", 0.5, pooling=pooling))
        table = sequential_table(found)
        assert set(table["model"]) == {model}
        assert set(table["interval"]) == {"wald"}
        expected = pool(y, v, tau2_method=tau2, ci_method="wald")
        assert table["estimate"].iloc[-1] == pytest.approx(expected.estimate[0], rel=1e-12)
        assert table["se"].iloc[-1] == pytest.approx(expected.se[0], rel=1e-12)
        assert table["z"].iloc[-1] == pytest.approx(expected.estimate[0] / expected.se[0], rel=1e-12)
        assert table["information"].tolist()[-1] == 800
        assert [ids for look in found["x.all"].result.study_id for ids in look] == ["s0", "s1", "s2", "s3"]  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"year": np.nan}, "no_dates"),
            ({"year": [2000, np.nan, np.nan, np.nan]}, "one_dated"),
            ({"n_control": [100, np.nan, 100, 100]}, "no_patients"),
            ({"sd_control": np.nan, "sd_intervention": np.nan}, "no_sd"),
            ({"sd_control": 0.0, "sd_intervention": 0.0}, "no_sd"),
        ],
    )
    def test_a_reason_where_there_is_no_analysis(self, change: dict[str, Any], code: str) -> None:
        rows = rows_of("MD", *HETEROGENEOUS).assign(**change)
        table = sequential_table(sequential_analyses(rows, review("MD", "higher", 0.5)))
        assert table["note_codes"].tolist() == [code]
        assert table["note"].tolist() == [SENTENCES[code]]
        assert table[["verdict", "look", "required"]].isna().all(axis=None)
        if "year" in change:
            assert table["undated"].iloc[0].split("; ")[-1] == "s3"

    @pytest.mark.parametrize(
        ("events", "risk", "code"),
        [(0, {}, "no_control_risk"), (10, {"x": 0.9}, "impossible_risk"), (95, {}, "impossible_risk"),
         (10, {"x": 0.3}, "")],
    )  # fmt: skip
    def test_control_risks(self, events: int, risk: dict[str, float], code: str) -> None:
        rows = rows_of("RR", *HETEROGENEOUS).assign(events_control=events)
        protocol = review("RR", "higher", [0.8, 1.25], control_risk=risk)
        table = sequential_table(sequential_analyses(rows, protocol))
        if code:
            assert parse(table["note_codes"].iloc[0])[0].name == code
        else:
            first = parse(table["assumed_codes"].iloc[0])[0]
            assert first.parameters == {"risk": "0.3", "source": "protocol"}
            assert table["size_fixed"].iloc[0] == required_information_size("RR", 1.25, control_risk=0.3).fixed

    def test_the_control_risk_is_the_median_of_the_trials_as_in_grade(self) -> None:
        rows = rows_of("RR", *HETEROGENEOUS).assign(events_control=[1, 10, 30, 90], n_control=[100, 100, 100, 1000])
        table = sequential_table(sequential_analyses(rows, review("RR", "higher", [0.8, 1.25])))
        assert control_risk(rows) == 0.095
        assert parse(table["assumed_codes"].iloc[0])[0].parameters == {"risk": "0.095", "source": "trials"}
        assert table["size_fixed"].iloc[0] == required_information_size("RR", 1.25, control_risk=0.095).fixed

    def test_crossover_patients_count_once_and_other_measures_have_no_size(self) -> None:
        rows = rows_of("MD", *HETEROGENEOUS).assign(design=["crossover", "parallel", "parallel", "parallel"])
        table = sequential_table(sequential_analyses(rows, review("MD", "higher", 0.5)))
        assert table["information"].iloc[-1] == 100 + 3 * 200
        assert "crossover_once" in table["assumed_codes"].iloc[0]
        protocol = review("MD", "higher", 0.5)
        none = protocol.outcomes["x"].model_copy(update={"smallest_important_difference": {}})
        table = sequential_table(sequential_analyses(rows, protocol.model_copy(update={"outcomes": {"x": none}})))
        assert table["note_codes"].tolist() == ["no_important_difference measure=MD"]
        ratio = none.model_copy(update={"measure": "ROM"})
        table = sequential_table(
            sequential_analyses(rows.assign(measure="ROM"), protocol.model_copy(update={"outcomes": {"x": ratio}}))
        )
        assert table["note_codes"].tolist() == ["no_information_size measure=ROM"]
        assert list(sequential_table({}).columns) == list(table.columns)


def two_trials(**change: Any) -> pd.DataFrame:
    """Two trials that agree: D2 is 0. By hand, fixed size of an MD of 0.5 with SD 2: 673; of which 400 are there."""
    return rows_of("MD", np.array([0.5, 0.48]), np.array([0.02, 0.03])).assign(**change)


def conclusions(rows: pd.DataFrame, protocol: Protocol, pooled: pd.DataFrame | None = None) -> dict[str, Any]:
    """Codes of the conclusion by name, the repeated ones by D2."""
    cell = sequential_table(sequential_analyses(rows, protocol, pooled))["conclusion_codes"].iloc[-1]
    return {f"d2={c.parameters['d2']}" if c.name == "repeated" else c.name: c.parameters for c in parse(cell)}


class TestConclusion:
    """What a sequential analysis says of itself: its model, what speaks against it, and what few trials assume."""

    def test_tau2_of_diversity_is_the_inverse_of_diversity(self) -> None:
        for v in (np.array([0.02, 0.03]), np.array([1e-8, 3.0]), np.array([400.0, 1.0, 90.0])):
            for d2 in (0.0, 10.0, 25.0, 75.5, 99.9):
                assert diversity(v, tau2_of_diversity(v, d2)) == pytest.approx(d2, abs=1e-9)
        # Equal variances, in closed form: tau2 = v D2 / (1 - D2).
        assert tau2_of_diversity([0.5, 0.5], 75) == pytest.approx(1.5, rel=1e-12)
        for d2 in (-1.0, 100.0, np.nan):
            with pytest.raises(ValueError, match="D2"):
                tau2_of_diversity([0.5, 0.5], d2)

    def test_few_trials_that_agree_are_repeated_with_the_diversities_of_the_protocol(self) -> None:
        """By hand: the information grows by 1/(1 - D2), as does the variance of the pooled effect."""
        rows, protocol = two_trials(), review("MD", "higher", 0.5)
        found = sequential_analyses(rows, protocol)["x.all"]
        assert found.result is not None and list(found.repeated) == [25.0, 50.0]
        for d2, again in found.repeated.items():
            assert again.required == np.ceil(found.result.required / (1 - d2 / 100))
            assert again.se[-1] == pytest.approx(found.result.se[-1] / np.sqrt(1 - d2 / 100), rel=1e-9)
            assert again.se[-1] > found.result.se[-1] and again.z[-1] == again.estimate[-1] / again.se[-1]
        said = conclusions(rows, protocol)
        assert list(said) == ["boundary_crossed", "own_model", "d2_assumed", "d2=25", "d2=50"]
        assert said["d2=50"]["verdict"] == "no_boundary_crossed" and said["d2=25"]["verdict"] == "boundary_crossed"
        assert said["boundary_crossed"]["side"] == "benefit" and said["d2=25"]["side"] == "benefit"
        own = review("MD", "higher", 0.5, assumed_diversity={"percent": [5, 10, 60], "source": "of a test"})
        assert [n for n in conclusions(rows, own) if n.startswith("d2=")] == ["d2=5", "d2=10", "d2=60"]
        # A common effect has a Z of its own; only the information grows.
        common = sequential_analyses(rows, review("MD", "higher", 0.5, pooling="common"))["x.all"]
        assert common.result is not None
        assert common.repeated[50.0].z[-1] == common.result.z[-1]
        assert common.repeated[50.0].required == found.repeated[50.0].required

    @pytest.mark.parametrize(
        ("rows", "changed"),
        [
            (rows_of("MD", np.array([0.8, 0.2]), np.array([0.02, 0.03])), {}),  # the trials differ
            (rows_of("MD", np.full(4, 0.8), np.full(4, 0.02)), {}),  # four trials
            (two_trials(), {"adjustment": "fixed"}),  # the protocol asks for no adjustment
        ],
    )
    def test_nothing_is_repeated_where_nothing_is_assumed(self, rows: pd.DataFrame, changed: dict[str, Any]) -> None:
        said = conclusions(rows, review("MD", "higher", 0.5, **changed))
        assert not [name for name in said if name.startswith("d2")]

    def test_a_main_interval_that_includes_no_effect_is_said_with_the_reasons(self) -> None:
        rows, protocol = two_trials(), review("MD", "higher", 0.5)
        pooled = pooled_table(rows.assign(label=rows["study_id"]), protocol)
        why = conclusions(rows, protocol, pooled)["main_includes_no_effect"]
        assert float(why["guarded_ci_lower_natural"]) < 0 < float(why["guarded_ci_upper_natural"])
        assert (why["df"], float(why["t"])) == ("1", pytest.approx(student.isf(0.025, 1)))
        assert not {"tau2", "se", "z", "k", "alpha"} & set(why)
        words_of = sequential_table(sequential_analyses(rows, protocol, pooled))["conclusion"].iloc[-1]
        assert (
            "gives MD 0.49 (95% CI" in words_of
            and "which includes no effect: it takes the t quantile 12.71 (1 df) and not 1.96" in words_of
        )
        assert (
            "random effects, tau2 by DL, Wald interval, D2 0%): MD 0.49 (95% CI 0.28 to 0.71), adjusted for the looks"
            in words_of
        )
        # By hand: 0.492 -+ 1.96 * sqrt(0.012).
        own = conclusions(rows, protocol)["own_model"]
        assert float(own["ci_lower_natural"]) == pytest.approx(0.492 - student.isf(0.025, np.inf) * np.sqrt(0.012))
        assert float(own["adjusted_lower_natural"]) < float(own["ci_lower_natural"])
        # By Wald the main interval excludes no effect, too.
        wald = protocol.model_copy(update={"models": ("revman-classic",)})
        pooled = pooled_table(rows.assign(label=rows["study_id"]), wald)
        assert "main_includes_no_effect" not in conclusions(rows, wald, pooled)

    def test_a_crossing_that_later_trials_undid_is_said(self) -> None:
        y, v = np.array([0.9, 0.9, -0.2, -0.3, -0.25]), np.full(5, 0.02)
        rows, protocol = (
            rows_of("MD", y, v).assign(year=[2000, 2001, 2002, 2003, np.nan]),
            review("MD", "higher", 0.5, adjustment="fixed"),
        )
        pooled = pooled_table(rows.assign(label=rows["study_id"]), protocol)
        said = conclusions(rows, protocol, pooled)
        why = said["main_includes_no_effect"]
        assert said["boundary_crossed"]["year"] in ("2000", "2001")
        assert float(why["z"]) < 1.96 and (why["k"], why["own_k"]) == ("5", "4") and {"tau2", "se"} <= set(why)
