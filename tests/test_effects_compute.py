"""The table layer: routes, notes, reasons, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from reweigh.effects import conversions as conv
from reweigh.effects import crossover, measures
from reweigh.effects.compute import Options, compute, validate
from reweigh.effects.table import COLUMNS
from reweigh.quantile import t_critical, t_from_p, z_critical, z_from_p
from reweigh.text.effects import in_words


def one(options: Options | None = None, **row: object) -> pd.Series:
    """Result of a table with a single row."""
    return in_words(compute(pd.DataFrame([row]), options)).iloc[0]


P_ONLY = {"measure": "SMD", "reported_measure": "p_only", "better": "lower", "direction": "favours_intervention"}
PAIRED = {**P_ONLY, "design": "crossover", "paired": "yes", "n1": 12, "n2": 12}


def test_se_of_the_mean() -> None:
    """Sigtermans 2009, week 1: 2.68 (SE 0.51) v 5.45 (SE 0.48), 30 a side."""
    row = one(measure="SMD", n1=30, mean1=2.68, se1=0.51, n2=30, mean2=5.45, se2=0.48)
    yi, vi = measures.smd(30, 2.68, 0.51 * np.sqrt(30), 30, 5.45, 0.48 * np.sqrt(30))
    assert (row["estimate"], row["variance"]) == (pytest.approx(float(yi)), pytest.approx(float(vi)))
    assert row["derivation"] == "SE -> SD (n=30); SMD, exact J; LS variance"
    assert row["sd1"] == pytest.approx(0.51 * np.sqrt(30))
    assert (row["route"], row["reason"], row["scale"]) == ("arms", "", "natural")


def test_each_arm_may_report_differently() -> None:
    row = one(measure="MD", n1=20, mean1=4, se1=0.5, n2=25, mean2=5, ci_lower2=4, ci_upper2=6)
    expected = 0.25 + conv.sd_from_ci(4, 6, 25) ** 2 / 25
    assert row["variance"] == pytest.approx(float(expected))
    assert row["derivation"] == "SE -> SD (intervention, n=20); CI -> SD (control, n=25); MD"


def test_sd_comes_before_se_before_ci_before_quartiles() -> None:
    spread = {"sd1": 2, "se1": 9, "ci_lower1": -5, "ci_upper1": 20, "q11": 1, "median1": 5, "q31": 9}
    arm2 = {"n2": 20, "mean2": 4, "sd2": 2}
    for drop in range(4):
        left = dict(list(spread.items())[(0, 1, 2, 4)[drop] :])
        row = one(measure="MD", n1=20, mean1=5, **left, **arm2)
        size, half = 20, conv.mean_ci_quantile(20)
        quartiles = conv.mean_sd_from_five_numbers(20, 5, 1, 9)[1]
        sd = [2, 9 * np.sqrt(size), 25 / 2 / half * np.sqrt(size), quartiles][drop]
        assert row["sd1"] == pytest.approx(float(sd))


@pytest.mark.parametrize("method", ["luo-wan-shi", "wan", "lognormal", "quantile"])
def test_medians(method: str) -> None:
    row = one(
        Options(median_method=method), measure="SMD", n1=40, median1=5, q11=3, q31=8, n2=41, median2=6, min2=1, max2=14
    )
    assert row["reason"] == ""
    assert "median and quartiles -> mean, SD" in row["derivation"]
    assert "median and range -> mean, SD" in row["derivation"]
    assert "mean and SD estimated from quantiles" in row["assumptions"]


def test_skewed_medians_are_flagged() -> None:
    row = one(measure="MD", n1=100, median1=5, q11=4, q31=20, n2=100, mean2=6, sd2=3)
    assert "skewed" in row["flags"]


def test_change_from_baseline() -> None:
    row = one(
        Options(r_baseline=0.6), measure="MD", n1=20, mean1=40, sd1=12, baseline_mean1=60, baseline_sd1=10,
        n2=22, mean2=50, sd2=11, baseline_mean2=61, baseline_sd2=9,
    )  # fmt: skip
    s1, s2 = np.sqrt(100 + 144 - 2 * 0.6 * 120), np.sqrt(81 + 121 - 2 * 0.6 * 99)
    assert row["estimate"] == pytest.approx(-20 + 11)
    assert row["variance"] == pytest.approx(s1**2 / 20 + s2**2 / 22)
    assert row["assumptions"] == "r of baseline and final = 0.6"


def test_change_as_printed_comes_first() -> None:
    arms = {
        "measure": "MD", "n1": 20, "mean1": 40, "sd1": 12, "baseline_mean1": 60, "baseline_sd1": 10, "n2": 22, "mean2": 50,
        "sd2": 11, "baseline_mean2": 61, "baseline_sd2": 9,
    }  # fmt: skip
    change = {"change_mean1": -21, "change_sd1": 8, "change_mean2": -10, "change_sd2": 9}
    row = one(**arms, **change)
    assert (row["estimate"], row["variance"]) == (-11, pytest.approx(64 / 20 + 81 / 22))
    assert row["derivation"] == "change from baseline as printed; MD"
    row = one(measure="MD", n1=20, n2=22, **change, scale_min=0, scale_max=100, target_min=0, target_max=10, flip=True)
    assert row["estimate"] == pytest.approx(1.1)
    final = one(Options(change_scores=False), **arms)
    assert (final["estimate"], final["derivation"]) == (-10, "MD")


def test_degrees_of_freedom_as_printed() -> None:
    md = {"measure": "MD", "reported_measure": "MD", "estimate": -2.0, "p_value": 0.03, "n1": 25, "n2": 22}
    assert one(**md, df=40)["se"] == pytest.approx(2 / t_from_p(0.03, 40))


def test_rescaling_and_flipping() -> None:
    arm = {"measure": "MD", "n1": 20, "mean1": 60, "sd1": 10, "n2": 20, "mean2": 40, "sd2": 20}
    scale = {"scale_min": 0, "scale_max": 100, "target_min": 0, "target_max": 10}
    row = one(**arm, **scale)
    assert (row["estimate"], row["mean1"], row["sd2"]) == (pytest.approx(2), pytest.approx(6), pytest.approx(2))
    row = one(**arm, **scale, flip=True)
    assert (row["estimate"], row["mean1"], row["mean2"]) == (pytest.approx(-2), pytest.approx(4), pytest.approx(6))
    row = one(**arm, target_min=0, target_max=10)
    assert "scale limits not reported" in row["reason"]
    assert row["needed"] == "scale minimum and maximum"
    row = one(measure="MD", reported_measure="MD", estimate=20, se=3, **scale, flip="yes")
    assert (row["estimate"], row["se"]) == (pytest.approx(-2), pytest.approx(0.3))


def test_crossover_means() -> None:
    """Pickering 2020 on 0-10: AUC 185 (100) v 187 (90) of 350, n = 20, r = 0.5."""
    row = one(
        measure="MD", design="crossover", n1=20, mean1=185, sd1=100, n2=20, mean2=187, sd2=90,
        scale_min=0, scale_max=350, target_min=0, target_max=10,
    )  # fmt: skip
    assert row["estimate"] == pytest.approx(-2 * 10 / 350)
    assert row["variance"] == pytest.approx((10000 + 8100 - 9000) / 20 * (10 / 350) ** 2)
    assert row["assumptions"] == "r = 0.5"


def test_crossover_takes_r_from_its_own_paired_test() -> None:
    arms = {"measure": "MD", "design": "crossover", "n1": 20, "mean1": 4, "sd1": 2, "n2": 20, "mean2": 5, "sd2": 3}
    se = np.sqrt((4 + 9 - 2 * 0.7 * 6) / 20)
    row = one(**arms, t=-1 / se)
    assert row["se"] == pytest.approx(se)
    assert "from the paired test" in row["assumptions"]
    row = one(**arms, t=0.01)
    assert "does not fit" in row["flags"]
    assert row["se"] == pytest.approx(np.sqrt((13 - 6) / 20))
    row = one(**arms, r=0.8)
    assert row["assumptions"] == "r = 0.8 (of this trial)"


def test_crossover_as_if_independent_is_the_parallel_result() -> None:
    arms = {"measure": "SMD", "n1": 20, "mean1": 4, "sd1": 2, "n2": 20, "mean2": 5, "sd2": 3}
    crossed = one(Options(crossover="as_independent"), design="crossover", **arms)
    parallel = one(design="parallel", **arms)
    assert crossed["variance"] == parallel["variance"]
    assert "as if two independent groups" in crossed["flags"]


def test_where_the_pairing_of_a_crossover_trial_is_from() -> None:
    arms = {"measure": "MD", "design": "crossover", "n1": 20, "mean1": 4, "sd1": 2, "n2": 20, "mean2": 5, "sd2": 3}
    assert one(**arms)["within"] == "assumed"
    assert one(**arms, r=0.6)["within"] == one(**arms, t=-2)["within"] == "measured"
    assert one(Options(crossover="as_independent"), **arms)["within"] == "ignored"
    assert one(**{**arms, "design": "parallel"})["within"] == ""
    counts = {"measure": "RR", "design": "crossover", "n1": 12, "events1": 7, "n2": 12, "events2": 2}
    assert (one(**counts)["within"], one(**counts, discordant1=6, discordant2=1)["within"]) == ("assumed", "measured")
    assert one(**PAIRED, p_value=0.01)["within"] == "measured"
    assert one(**{**PAIRED, "paired": ""}, p_value=0.01)["within"] == "ignored"  # presumed only
    assert one(**{**PAIRED, "paired": "no"}, p_value=0.01)["within"] == "ignored"
    bound = one(Options(p_inequality_as_equality=True), **PAIRED, p_value=0.01, p_operator="<")
    assert bound["within"] == "ignored"
    md = {"measure": "MD", "reported_measure": "MD", "design": "crossover", "estimate": -1, "n1": 20, "n2": 20}
    assert one(**md, se=0.4)["within"] == one(**md, t=-2.5, paired="yes")["within"] == "measured"


def test_crossover_standardiser() -> None:
    arms = {"measure": "SMD", "design": "crossover", "n1": 20, "mean1": 4, "sd1": 2, "n2": 20, "mean2": 5, "sd2": 3}
    yi, vi = crossover.smd(20, 4, 2, 5, 3, 0.5)
    row = one(**arms)
    assert (row["estimate"], row["variance"]) == (pytest.approx(float(yi)), pytest.approx(float(vi)))
    yi, vi = crossover.smd_difference(20, 4, 2, 5, 3, 0.5)
    row = one(Options(standardiser="difference"), **arms)
    assert (row["estimate"], row["variance"]) == (pytest.approx(float(yi)), pytest.approx(float(vi)))
    assert "not comparable" in row["derivation"]


def test_paired_exact_p() -> None:
    """Kvarnstrom 2003: 12 patients, p = 0.009, ketamine better, lower is better."""
    row = one(**PAIRED, p_value=0.009, p_operator="=")
    t = t_from_p(0.009, 11)
    d = -measures.hedges_j(11) * t / np.sqrt(12)
    assert row["estimate"] == pytest.approx(float(d))
    assert row["variance"] == pytest.approx(float(1 / 12 + d**2 / 24))
    assert (row["route"], row["assumptions"]) == ("exact p", "r = 0.5")
    wide = one(Options(r=0.2), **PAIRED, p_value=0.009)
    assert wide["estimate"] == pytest.approx(float(d * np.sqrt(1.6)))
    assert wide["variance"] == pytest.approx(float((1 / 12 + d**2 / 24) * 1.6))


def test_two_sample_exact_p() -> None:
    row = one(**P_ONLY, p_value=0.07, n1=30, n2=30)
    t = t_from_p(0.07, 58)
    yi, vi = measures.smd_from_d(-t * np.sqrt(2 / 30), 30, 30)
    assert (row["estimate"], row["variance"]) == (pytest.approx(float(yi)), pytest.approx(float(vi)))
    assert one(**{**P_ONLY, "better": "higher"}, p_value=0.07, n1=30, n2=30)["estimate"] == -row["estimate"]


def test_inequalities_only_under_the_switch() -> None:
    row = one(**P_ONLY, p_value=0.001, p_operator="<", n1=20, n2=20)
    assert row["reason"] == "p given only as an inequality (p < 0.001)"
    assert row["needed"] == "exact p, or mean and SD per arm"
    row = one(Options(p_inequality_as_equality=True), **P_ONLY, p_value=0.001, p_operator="<", n1=20, n2=20)
    assert row["flags"] == "p < 0.001 taken as p = 0.001"
    row = one(Options(p_inequality_as_equality=True), **P_ONLY, p_value=0.05, p_operator=">", n1=20, n2=20)
    assert row["reason"] == "p given only as an inequality (p > 0.05)"


def test_unknown_direction() -> None:
    unknown = {**P_ONLY, "direction": "none", "p_value": 0.54, "n1": 20, "n2": 20}
    assert one(**unknown)["reason"] == "direction of the effect not reported"
    plus = one(Options(unknown_direction="favours_control"), **unknown)
    minus = one(Options(unknown_direction="favours_intervention"), **unknown)
    assert plus["estimate"] == -minus["estimate"] > 0
    assert "direction unknown" in minus["assumptions"]


def test_within_person_smd() -> None:
    """Pickering 2020: effect size -0.2 (-0.6 to 0.3)."""
    row = one(
        Options(r=0.7), measure="SMD", reported_measure="SMD_paired", design="crossover", paired="yes", n1=20, n2=20,
        estimate=-0.2, ci_lower=-0.6, ci_upper=0.3, direction="favours_intervention", better="lower",
    )  # fmt: skip
    factor = np.sqrt(0.6)
    assert row["estimate"] == pytest.approx(-0.2 * factor)
    assert row["se"] == pytest.approx(0.9 / (2 * z_critical()) * factor)


@pytest.mark.parametrize("measure", ["RR", "OR", "HR", "IRR", "ROM"])
def test_ratio_with_ci_or_p(measure: str) -> None:
    row = one(measure=measure, reported_measure=measure, estimate=0.58, ci_lower=0.41, ci_upper=0.82)
    assert row["estimate"] == pytest.approx(np.log(0.58))
    assert row["se"] == pytest.approx(np.log(0.82 / 0.41) / (2 * z_critical()))
    assert (row["scale"], row["route"]) == ("log", "contrast with CI or SE")
    assert row["estimate_natural"] == pytest.approx(0.58)
    row = one(measure=measure, reported_measure=measure, estimate=2.1, p_value=0.004)
    assert row["se"] == pytest.approx(np.log(2.1) / z_from_p(0.004))
    assert row["route"] == "exact p"


def test_log_ratio_with_its_ci() -> None:
    natural = one(measure="HR", reported_measure="HR", estimate=0.58, ci_lower=0.41, ci_upper=0.82)
    logs = dict(zip(("estimate", "ci_lower", "ci_upper"), np.log([0.58, 0.41, 0.82]), strict=True))
    row = one(measure="HR", reported_measure="logHR", **logs)
    assert (row["estimate"], row["se"]) == (pytest.approx(natural["estimate"]), pytest.approx(natural["se"]))
    assert one(measure="RR", reported_measure="logHR", **logs)["reason"] == "a reported HR is no RR"


def test_contradictions_are_flagged() -> None:
    row = one(measure="MD", reported_measure="MD", estimate=-1.12, ci_lower=-2.33, ci_upper=0.09, p_value=0.0005)
    assert row["flags"] == "p-value and SE or CI disagree"
    row = one(measure="MD", reported_measure="MD", estimate=-1, se=0.2, ci_lower=-2, ci_upper=0)
    assert row["flags"] == "SE and CI disagree: SE taken"
    row = one(measure="MD", n1=9, mean1=12, sd1=1, n2=9, mean2=4, sd2=1, scale_min=0, scale_max=10)
    assert "outside its scale" in row["flags"]


def test_no_correction_leaves_zero_cells_without_a_ratio() -> None:
    row = one(Options(zero_cells="none"), measure="RR", n1=9, events1=0, n2=9, events2=3)
    assert row["reason"] == "a zero cell and no continuity correction in the protocol"


def test_asymmetric_ci_is_flagged() -> None:
    row = one(measure="RR", reported_measure="RR", estimate=1.2, ci_lower=1.0, ci_upper=4.0)
    assert row["flags"] == "estimate not in the middle of its CI (log scale)"
    assert one(measure="RR", reported_measure="RR", estimate=2.0, ci_lower=1.0, ci_upper=4.0)["flags"] == ""


def test_se_sources_of_a_difference() -> None:
    md = {"measure": "MD", "reported_measure": "MD", "estimate": -2.0, "n1": 25, "n2": 22}
    assert one(**md, se=0.7)["se"] == pytest.approx(0.7)
    assert one(**md, t=-2.5)["se"] == pytest.approx(0.8)
    assert one(**md, f=6.25)["se"] == pytest.approx(0.8)
    assert one(**md, z=-2.5)["se"] == pytest.approx(0.8)
    assert one(**md, p_value=0.008)["se"] == pytest.approx(2 / t_from_p(0.008, 45))
    assert one(**md, ci_upper=-1.0)["se"] == pytest.approx(1 / z_critical())
    ci = {"ci_lower": -3.0, "ci_upper": -1.0}
    assert one(**md, **ci)["se"] == pytest.approx(1 / z_critical())
    assert one(Options(contrast_ci="t"), **md, **ci)["se"] == pytest.approx(1 / t_critical(45))
    assert one(**md, **ci, ci_level=90)["se"] == pytest.approx(1 / z_critical(0.9))
    unknown = {k: v for k, v in md.items() if not k.startswith("n")}
    row = one(**unknown, p_value=0.008)
    assert row["se"] == pytest.approx(2 / z_from_p(0.008))
    assert row["flags"] == "n unknown: z instead of t"


def test_md_becomes_smd_through_t() -> None:
    """MD with its SE is the same as the arms that gave it, when the SDs are equal."""
    arms = one(measure="SMD", n1=25, mean1=3, sd1=4, n2=22, mean2=5, sd2=4)
    se = 4 * np.sqrt(1 / 25 + 1 / 22)
    md = one(measure="SMD", reported_measure="MD", estimate=-2, se=se, n1=25, n2=22)
    assert (md["estimate"], md["variance"]) == (pytest.approx(arms["estimate"]), pytest.approx(arms["variance"]))
    t = one(measure="SMD", reported_measure="MD", t=-2 / se, n1=25, n2=22)
    assert t["estimate"] == pytest.approx(arms["estimate"])
    p = 2 * __import__("scipy.stats").stats.t.sf(2 / se, 45)
    exact = one(measure="SMD", reported_measure="MD", estimate=-2, p_value=p, n1=25, n2=22)
    assert exact["estimate"] == pytest.approx(arms["estimate"])


def test_smd_without_se_takes_it_from_n() -> None:
    row = one(measure="SMD", reported_measure="SMD", estimate=0.4, n1=20, n2=30)
    assert row["variance"] == pytest.approx(1 / 20 + 1 / 30 + 0.16 / 100)
    assert "SE from n and SMD" in row["derivation"]


@pytest.mark.parametrize("p", [0.99, 1.0])
def test_an_smd_of_0_with_a_p_and_no_se(p: float) -> None:
    row = one(measure="SMD", reported_measure="SMD", estimate=0, p_value=p, n1=30, n2=30)
    assert (row["estimate"], row["variance"]) == (0, pytest.approx(2 / 30))
    assert row["derivation_codes"] == "reported measure=SMD; n_to_se"


def test_p_of_1() -> None:
    row = one(**P_ONLY, p_value=1, n1=30, n2=30)
    assert (row["estimate"], row["variance"]) == (0, pytest.approx(2 / 30))
    crossed = {"measure": "MD", "design": "crossover", "n1": 20, "mean1": 4, "sd1": 2, "n2": 20, "mean2": 5, "sd2": 2}
    row = one(**crossed, p_value=1)
    assert row["flag_codes"] == "paired_test_misfit"
    assert row["variance"] == pytest.approx((4 + 4 - 4) / 20)
    row = one(**{**crossed, "mean2": 4}, p_value=1)
    assert row["variance"] == pytest.approx((4 + 4 - 4) / 20)


def test_one_discordant_cell_is_not_enough() -> None:
    counts = {"measure": "RR", "design": "crossover", "n1": 12, "events1": 7, "n2": 12, "events2": 2}
    alone = one(**counts)
    for cell in ({"discordant1": 6}, {"discordant2": 1}):
        row = one(**counts, **cell)
        assert row["variance"] == alone["variance"]
        assert (row["flag_codes"], row["assumption_codes"]) == ("one_discordant_cell", "phi value=0.2")
        odds = one(**{**counts, "measure": "OR"}, **cell)
        assert odds["variance"] == one(**{**counts, "measure": "OR"})["variance"]
    both = one(**counts, discordant1=6, discordant2=1)
    phi = (12 * 1 - 7 * 2) / np.sqrt(7 * 5 * 2 * 10)
    assert (
        both["derivation"] == f"phi = {phi:.6g} from the discordant pairs; crossover, marginal method with phi; log RR"
    )


def test_pairs_that_fit_only_a_percentage_badly_give_no_impossible_phi() -> None:
    row = one(
        measure="RR", design="crossover", n1=12, percent1=58, n2=12, percent2=17, discordant1=9, discordant2=1,
    )  # fmt: skip
    assert "discordant_misfit" in row["flag_codes"]
    assert row["assumption_codes"] == "phi value=0.2"


def test_revman_smd_of_a_printed_row() -> None:
    """J = 1 - 3/(4N - 9), variance N/(n1 n2) + g^2/(2(N - 3.94))."""
    arms = {"measure": "SMD", "n1": 20, "mean1": 5, "sd1": 2, "n2": 25, "mean2": 6, "sd2": 3}
    d = -1 / np.sqrt((19 * 4 + 24 * 9) / 43)
    g = d * (1 - 3 / (4 * 45 - 9))
    row = one(Options(smd_variance="RevMan"), **arms)
    assert row["estimate"] == pytest.approx(g, rel=1e-12)
    assert row["variance"] == pytest.approx(45 / 500 + g**2 / (2 * (45 - 3.94)), rel=1e-12)
    assert row["derivation"] == "SMD, J and variance as RevMan"
    t = one(
        Options(smd_variance="RevMan"),
        measure="SMD",
        reported_measure="p_only",
        t=d / np.sqrt(1 / 20 + 1 / 25),
        n1=20,
        n2=25,
    )
    assert (t["estimate"], t["variance"]) == (pytest.approx(row["estimate"]), pytest.approx(row["variance"]))


def test_each_arm_keeps_its_own_scale() -> None:
    """Arms on 0 to 50 and 0 to 100: 20 of 50 is 40 of 100, and the MD -10.3."""
    arms = {"n1": 50, "mean1": 20, "sd1": 20.2, "n2": 48, "mean2": 50.3, "sd2": 21.1}
    scales = {"scale_min1": 0, "scale_max1": 50, "scale_min2": 0, "scale_max2": 100}
    to = {"target_min": 0, "target_max": 100}
    row = one(measure="MD", **arms, **scales, **to)
    assert (row["estimate"], row["sd1"], row["sd2"]) == (pytest.approx(-10.3), pytest.approx(40.4), pytest.approx(21.1))
    assert row["derivation"] == "rescaled 0 to 50 -> 0 to 100 (intervention); MD"
    assert one(measure="MD", **arms, **scales, **to, flip=True)["estimate"] == pytest.approx(10.3)
    moved = one(measure="SMD", **{**arms, "mean1": 40, "sd1": 40.4})
    smd = one(measure="SMD", **arms, **scales)
    assert (smd["estimate"], smd["variance"]) == (pytest.approx(moved["estimate"]), pytest.approx(moved["variance"]))
    assert one(measure="MD", **arms, **scales)["reason_code"] == "scales_differ"
    assert one(measure="ROM", **arms, **scales)["estimate"] == pytest.approx(np.log(40 / 50.3))


def test_level_of_each_interval() -> None:
    """An OR of 0.80 with a 90% CI of 0.60 to 1.07."""
    row = one(measure="OR", reported_measure="OR", estimate=0.8, ci_lower=0.6, ci_upper=1.07, ci_level=0.9)
    assert row["se"] == pytest.approx(np.log(1.07 / 0.6) / (2 * 1.6448536269514722))
    arms = {"measure": "MD", "n1": 50, "mean1": 3, "n2": 50, "mean2": 4, "ci_lower2": 3.5, "ci_upper2": 4.5}
    row = one(**arms, ci_lower1=2.5, ci_upper1=3.5, ci_level1=90)
    assert row["sd1"] == pytest.approx(np.sqrt(50) / (2 * 1.6765508919142629))  # qt(0.95, 49)
    assert row["sd2"] == pytest.approx(np.sqrt(50) / (2 * 2.0095752371292397))  # qt(0.975, 49)


def test_estimate_scale_says_what_a_ratio_is_printed_as() -> None:
    natural = one(measure="HR", reported_measure="HR", estimate=0.6, se=0.2, estimate_scale="natural")
    log = one(measure="HR", reported_measure="HR", estimate=np.log(0.6), se=0.2, estimate_scale="log")
    assert (log["estimate"], log["se"]) == (pytest.approx(np.log(0.6)), 0.2)
    assert (natural["estimate"], natural["se"]) == (pytest.approx(np.log(0.6)), 0.2)


def test_the_sign_of_a_p_that_favours_control() -> None:
    """30 a side, P = 0.07, lower is better: worse under the intervention is a positive SMD, by hand 0.4704."""
    row = one(**{**P_ONLY, "direction": "favours_control"}, p_value=0.07, n1=30, n2=30)
    assert row["estimate"] == pytest.approx(0.470436, abs=1e-6)
    row = one(**{**P_ONLY, "direction": "favours_control", "better": "higher"}, p_value=0.07, n1=30, n2=30)
    assert row["estimate"] == pytest.approx(-0.470436, abs=1e-6)


def test_where_a_ci_begins_to_be_asymmetric() -> None:
    """Flagged where the estimate misses the middle by more than 0.15 half-widths."""
    md = {"measure": "MD", "reported_measure": "MD", "ci_lower": -1, "ci_upper": 1}
    assert one(**md, estimate=0.149)["flag_codes"] == ""
    assert one(**md, estimate=-0.151)["flag_codes"] == "asymmetric_ci"
    log = {"measure": "RR", "reported_measure": "RR", "ci_lower": np.exp(-1), "ci_upper": np.exp(1)}
    assert one(**log, estimate=np.exp(0.149))["flag_codes"] == ""
    assert one(**log, estimate=np.exp(0.151))["flag_codes"] == "asymmetric_log_ci"


def test_o_minus_e() -> None:
    row = one(measure="HR", reported_measure="OE_V", oe=-5, v=12)
    assert (row["estimate"], row["variance"]) == (pytest.approx(-5 / 12), pytest.approx(1 / 12))
    assert one(measure="PETO", oe=-5, v=12)["estimate"] == pytest.approx(-5 / 12)


def test_cluster_trials() -> None:
    arms = {"design": "cluster", "n1": 100, "n2": 120}
    row = one(measure="MD", mean1=4, sd1=2, mean2=5, sd2=3, icc=0.02, cluster_size=15, **arms)
    assert row["variance"] == pytest.approx((4 / 100 + 9 / 120) * 1.28)
    row = one(measure="RR", events1=20, events2=30, icc=0.02, cluster_size=15, **arms)
    assert row["variance"] == pytest.approx((1 / 20 - 1 / 100 + 1 / 30 - 1 / 120) * 1.28)
    row = one(measure="RR", events1=20, events2=30, **arms)
    assert row["reason"] == "cluster trial without ICC and mean cluster size"
    contrast = {"measure": "RR", "reported_measure": "RR", "estimate": 0.8, "se": 0.1, "estimate_scale": "natural"}
    contrast["design"] = "cluster"
    assert one(**contrast, icc=0.02, cluster_size=15)["se"] == pytest.approx(0.1 * np.sqrt(1.28))
    row = one(**contrast)
    assert row["se"] == pytest.approx(0.1)
    assert "clustering presumed" in row["flags"]


def test_percentages() -> None:
    row = one(measure="RR", n1=30, percent1=76, n2=30, percent2=20)
    assert (row["events1"], row["events2"]) == (23, 6)
    assert "76% of 30 is 22.80, no whole count" in row["flags"]
    assert "20% of 30 -> 6 events" in row["derivation"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"measure": "RR", "reported_measure": "OR", "estimate": 2, "ci_lower": 1}, "a reported OR is no RR"),
        ({"measure": "RR", "reported_measure": "RD", "estimate": 0.2, "se": 0.1}, "a reported RD is no RR"),
        ({"measure": "RR", "reported_measure": "IRR", "estimate": 2, "ci_lower": 1}, "a reported IRR is no RR"),
        ({"measure": "MD", "reported_measure": "SMD", "estimate": 2, "se": 0.1}, "a reported SMD is no MD"),
        ({"measure": "RR", "reported_measure": "p_only", "p_value": 0.01}, "a p-value alone gives no RR"),
        ({**P_ONLY, "p_value": 0.01}, "no n for the test"),
        ({**P_ONLY, "n1": 20, "n2": 20}, "no exact p and no test statistic"),
        ({"measure": "MD", "reported_measure": "MD", "estimate": 0, "p_value": 1}, "estimate of 0"),
        ({"measure": "MD", "reported_measure": "MD", "estimate": 1, "p_value": 1}, "p = 1"),
        ({"measure": "MD", "reported_measure": "MD", "estimate": 1}, "no SE, CI, test statistic or exact p"),
        ({"measure": "MD", "reported_measure": "MD", "se": 1}, "no estimate reported"),
        ({"measure": "MD", "n1": 5, "mean1": 2, "sd1": 1, "n2": 5, "mean2": 2}, "no SD, SE, CI, quartiles or range"),
        ({"measure": "MD", "n1": 5, "mean1": 2, "sd1": 1, "mean2": 2, "sd2": 2}, "no n in the control arm"),
        ({"measure": "MD", "n1": 5, "sd1": 1, "n2": 5, "mean2": 2, "sd2": 2}, "no mean or usable median"),
        ({"measure": "SMD", "n1": 1, "mean1": 2, "n2": 2, "mean2": 2, "sd2": 2}, "no SD"),
        ({"measure": "ROM", "n1": 9, "mean1": -2, "sd1": 1, "n2": 9, "mean2": 2, "sd2": 2}, "two means of one sign"),
        ({"measure": "RR", "n1": 9, "events1": 3, "n2": 9}, "no events or percentage in the control arm"),
        ({"measure": "RR", "events1": 3, "n2": 9, "events2": 2}, "no n in the intervention arm"),
        ({"measure": "HR", "n1": 9, "events1": 3, "n2": 9, "events2": 2}, "no effect of this measure from arm data"),
        ({"measure": "IRR", "events1": 0, "time1": 9, "events2": 0, "time2": 9}, "no events in either arm"),
        ({"measure": "COR-OR", "discordant1": 0, "discordant2": 0}, "no discordant pair"),
        ({"measure": "MD"}, "no n in the intervention arm"),
    ],
)
def test_every_failure_has_a_reason_and_a_remedy(row: dict[str, object], reason: str) -> None:
    result = one(**row)
    assert reason in result["reason"]
    assert result["needed"]
    assert np.isnan(result["estimate"])
    assert np.isnan(result["variance"])
    assert not result["derivation"]


ARMS = {"measure": "MD", "n1": 20, "mean1": 5, "sd1": 2, "n2": 20, "mean2": 4, "sd2": 2}
COUNTS = {"measure": "RR", "n1": 20, "events1": 5, "n2": 20, "events2": 4}


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ({**ARMS, "sd1": -2}, "sd1"),
        ({**ARMS, "sd2": 0}, "sd2"),
        ({**ARMS, "se1": -0.1}, "se1"),
        ({**ARMS, "n1": 0}, "n1"),
        ({"measure": "MD", "n1": 1, "mean1": 4, "ci_lower1": 3, "ci_upper1": 5, "n2": 9, "mean2": 2, "sd2": 1}, "n1"),
        ({**ARMS, "q11": 5, "q31": 4}, "q11"),
        ({**ARMS, "median1": 5, "q11": 6}, "q11"),
        ({**ARMS, "min2": 5, "max2": 4}, "min2"),
        ({**ARMS, "ci_lower1": 6, "ci_upper1": 5}, "ci_lower1"),
        ({**ARMS, "ci_lower1": 6, "ci_upper1": 7}, "mean1"),
        ({**ARMS, "r": 1.2}, "r"),
        ({**ARMS, "scale_min": 10, "scale_max": 0}, "scale_min"),
        ({**ARMS, "design": "crossed"}, "design"),
        ({**ARMS, "measure": "Md"}, "measure"),
        ({**ARMS, "measure": None}, "measure"),
        ({**ARMS, "mean1": "4,5"}, "mean1"),
        ({**ARMS, "mean1": np.inf}, "mean1"),
        ({**COUNTS, "events1": 21}, "events1"),
        ({**COUNTS, "events2": -1}, "events2"),
        ({**COUNTS, "percent1": 101}, "percent1"),
        ({**COUNTS, "phi": -2}, "phi"),
        ({**COUNTS, "icc": 2}, "icc"),
        ({**COUNTS, "discordant1": 4, "discordant2": 4}, "discordant1"),
        ({**COUNTS, "discordant1": 6}, "discordant1"),
        ({**COUNTS, "discordant2": 5}, "discordant2"),
        ({**COUNTS, "events1": 17, "discordant2": 4}, "discordant2"),
        ({**ARMS, "scale_min1": 10, "scale_max1": 5}, "scale_min1"),
        (
            {"measure": "HR", "reported_measure": "HR", "estimate": -0.5, "se": 0.3, "estimate_scale": "ln"},
            "estimate_scale",
        ),
        ({"measure": "RR", "reported_measure": "RR", "estimate": 0.5, "ci_lower": -0.1, "ci_upper": 0.9}, "ci_lower"),
        ({"measure": "RR", "reported_measure": "RR", "estimate": 0.5, "ci_lower": 0.0, "ci_upper": 0.9}, "ci_lower"),
        ({"measure": "OR", "reported_measure": "OR", "estimate": -0.5, "se": 1}, "estimate"),
        ({"measure": "MD", "reported_measure": "MD", "estimate": 5, "ci_lower": 1, "ci_upper": 4}, "estimate"),
        ({"measure": "MD", "reported_measure": "MD", "estimate": 5, "ci_lower": 9, "ci_upper": 4}, "ci_lower"),
        ({"measure": "MD", "reported_measure": "MD", "estimate": 5, "se": 0}, "se"),
        ({"measure": "RD", "reported_measure": "RD", "estimate": 5, "se": 1}, "estimate"),
        ({**P_ONLY, "p_value": 0, "n1": 9, "n2": 9}, "p_value"),
        ({**P_ONLY, "p_value": 1.5, "n1": 9, "n2": 9}, "p_value"),
        ({"measure": "HR", "reported_measure": "OE_V", "oe": 1, "v": 0}, "v"),
        ({"measure": "IRR", "events1": 3, "time1": 0, "events2": 1, "time2": 2}, "time1"),
    ],
)
def test_impossible_input_is_refused_with_row_column_and_reason(row: dict[str, object], column: str) -> None:
    table = pd.DataFrame([ARMS, row], index=["good", "bad"])
    problems = validate(table)
    assert ("bad", column) in {(p.index, p.column) for p in problems}
    assert not [p for p in problems if p.index == "good"]
    with pytest.raises(ValueError, match=rf"row 'bad', {column} = "):
        compute(table)


def test_several_problems_are_listed_together() -> None:
    with pytest.raises(ValueError, match=r"2 impossible value\(s\)") as error:
        compute(pd.DataFrame([{**ARMS, "sd1": -1, "r": 3}]))
    assert "sd1 = -1" in str(error.value)
    assert "r = 3" in str(error.value)


def test_blank_cells_are_absent_not_wrong() -> None:
    row = one(**{**ARMS, "se1": "", "design": None, "reported_measure": np.nan, "flip": None})
    assert row["estimate"] == 1
    typed = pd.DataFrame([ARMS, ARMS]).assign(
        flip=pd.array([True, None], dtype="boolean"), n1=pd.array([20, None], dtype="Int64")
    )
    out = in_words(compute(typed))
    assert out["estimate"].iloc[0] == -1
    assert out["reason"].iloc[1] == "no n in the intervention arm"


def test_empty_table_and_index() -> None:
    out = in_words(compute(pd.DataFrame({"measure": pd.Series(dtype=object)})))
    assert out.empty
    assert "needed" in out.columns
    out = compute(pd.DataFrame([ARMS, COUNTS, ARMS], index=["a", "b", "a"]))
    assert out.index.tolist() == ["a", "b", "a"]


def test_options_refuse_nonsense_and_are_frozen() -> None:
    for bad in ({"r": 2}, {"zero_cells": "some"}, {"level": 95}, {"median_method": "x"}, {"smd_variance": "XX"}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            Options(**bad)
    with pytest.raises(ValidationError):
        Options().r = 0.3  # type: ignore[misc]


def test_columns_are_those_documented() -> None:
    assert {"measure", "reported_measure", "n1", "baseline_sd2", "oe", "flip", "target_max"} <= set(COLUMNS)


def test_a_mean_that_is_zero_but_for_rounding_has_no_ratio() -> None:
    arms = {"measure": "ROM", "n1": 85, "mean1": -0.4, "sd1": 0.5, "n2": 109, "mean2": [-3.7e-16, -3.7e-3], "sd2": 0.8}
    found = compute(pd.DataFrame(arms))
    assert found["reason_code"].tolist() == ["rom_signs", ""]
