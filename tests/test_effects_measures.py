"""Measures against metafor's escalc (Debian's version, tests/reference/effects_escalc.R), at 1e-8 or tighter."""

from __future__ import annotations

import json
import re
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest

import reweigh as rw
from reweigh.effects import crossover, measures
from reweigh.effects.compute import Options, compute
from reweigh.measures import MEASURES, MeasureName
from reweigh.text.effects import MEASURE_TEXT, in_words

REFERENCE = Path(__file__).parent / "reference"
ESCALC = json.loads((REFERENCE / "effects_escalc.json").read_text())
POOL = json.loads((REFERENCE / "effects_crossover_pool.json").read_text())


def case(name: str) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Inputs, yi and vi of one reference case; null is NaN."""
    entry = ESCALC[name]
    inputs = {k: np.array(v, dtype=float) for k, v in entry["input"].items()}
    return inputs, np.array(entry["yi"], dtype=float), np.array(entry["vi"], dtype=float)


def agree(effect: tuple[np.ndarray, np.ndarray], yi: np.ndarray, vi: np.ndarray) -> None:
    np.testing.assert_allclose(effect[0], yi, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(effect[1], vi, rtol=1e-10, atol=1e-14)


def arms_of(x: dict[str, np.ndarray]) -> list[np.ndarray]:
    return [x[c] for c in ("n1", "m1", "s1", "n2", "m2", "s2")]


def test_reference_covers_every_measure() -> None:
    expected = {"MD", "SMDH", "ROM", "AS", "PETO", "MPORM", "MPORC", "SMCC", "SMCR", "ROMC", "MC"}
    assert expected <= set(ESCALC)
    assert ESCALC["about"]["version"].startswith("3.8")


def test_every_measure_has_its_words_and_its_line_of_the_documentation() -> None:
    asked = {measure.name for measure in MEASURES.values() if measure.protocol}
    assert asked == set(get_args(MeasureName))
    as_reported = {"HR", "GIV", "GIV_ratio"}  # no formula of ours
    assert set(MEASURES) - as_reported <= set(MEASURE_TEXT)
    page = (REFERENCE.parents[1] / "docs" / "reference" / "effects.md").read_text()
    lines = page.split("## Measures, and whose variance")[1].split("\n\n")[1].splitlines()[2:]
    assert asked <= {name for line in lines for name in line.split("|")[1].strip().split(", ")}
    assert asked <= set(re.findall(r"[A-Za-z_]+", str(rw.escalc.__doc__)))


@pytest.mark.parametrize(("name", "formula"), [("MD", measures.md), ("SMDH", measures.smdh), ("ROM", measures.rom)])
def test_means(name: str, formula) -> None:
    x, yi, vi = case(name)
    agree(formula(*arms_of(x)), yi, vi)


@pytest.mark.parametrize("variance", ["LS", "LS2", "UB", "AV"])
def test_smd_and_glass_with_every_variance(variance: str) -> None:
    x, yi, vi = case(f"SMD_{variance}")
    agree(measures.smd(*arms_of(x), variance), yi, vi)
    x, yi, vi = case(f"SMD1_{variance}")
    agree(measures.glass(*arms_of(x), variance), yi, vi)


def test_md_with_pooled_variance() -> None:
    x, yi, vi = case("MD_pooled")
    agree(measures.md(*arms_of(x), "pooled"), yi, vi)
    table = pd.DataFrame(dict(zip(("n1", "mean1", "sd1", "n2", "mean2", "sd2"), arms_of(x), strict=True)), dtype=float)
    agree(
        compute(table.assign(measure="MD"), Options(md_variance="pooled"))[["estimate", "variance"]].T.to_numpy(),
        yi,
        vi,
    )


def test_smdh_of_metafor_5_has_no_second_j() -> None:
    x, yi, vi = case("SMDH")
    j = measures.hedges_j(x["n1"] + x["n2"] - 2)
    agree(measures.smdh(*arms_of(x), "5"), yi, vi / j**2)


def test_smd_from_t() -> None:
    x, yi, vi = case("SMD_t")
    d = x["t"] * np.sqrt(1 / x["n1"] + 1 / x["n2"])
    agree(measures.smd_from_d(d, x["n1"], x["n2"]), yi, vi)


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("MC", crossover.md),
        ("SMCC", crossover.smd_difference),
        ("ROMC", crossover.rom),
        ("SMCR", crossover.glass),
    ],
)
def test_paired_means(name: str, formula) -> None:
    x, yi, vi = case(name)
    agree(formula(*(x[c] for c in ("n", "m1", "s1", "m2", "s2", "r"))), yi, vi)


def test_paired_t_is_smcc_at_one_half() -> None:
    x, yi, vi = case("SMCC_half")
    sd = np.sqrt(x["s1"] ** 2 + x["s2"] ** 2 - x["s1"] * x["s2"])
    t = (x["m1"] - x["m2"]) / sd * np.sqrt(x["n"])
    agree(crossover.smd_from_t(x["n"], t, 0.5), yi, vi)
    agree(crossover.smd_from_t(x["n"], t, 0.9, between=False), yi, vi)


BINARY = {
    **{name: partial(measures.from_arms, name) for name in ("RR", "OR", "RD", "AS")},
    "PETO": measures.peto,
}


COUNT_CASES = [name for name in ESCALC if name.startswith(("RR_", "OR_", "RD_", "AS", "PETO", "linde2005"))]


@pytest.mark.parametrize("name", COUNT_CASES)
def test_counts_and_zero_cells(name: str) -> None:
    x, yi, vi = case(name)
    measure = next(m for m in BINARY if m in name)
    policy = name.rpartition("_")[2] if name.count("_") and "linde" not in name else "only0"
    counts = [x[c] for c in ("e1", "n1", "e2", "n2")]
    *cells, corrected = measures.correct_zero_cells(measure, *counts, policy)
    agree(BINARY[measure](*cells), yi, vi)
    table = pd.DataFrame(
        {"events1": counts[0], "n1": counts[1], "events2": counts[2], "n2": counts[3], "measure": measure}
    )
    out = in_words(compute(table, Options(zero_cells=policy)))
    some = (out["reason"] == "").to_numpy()
    assert some.sum() >= 0.9 * len(out)
    agree((out["estimate"][some], out["variance"][some]), yi[some], vi[some])
    assert (out["corrected"].to_numpy() == (corrected & some)).all()


@pytest.mark.parametrize("name", ["IRR_only0", "IRR_all", "IRD_only0", "IRD_all"])
def test_rates(name: str) -> None:
    x, yi, vi = case(name)
    measure, policy = name.split("_")
    x1, x2, corrected = measures.correct_zero_rates(x["x1"], x["t1"], x["x2"], x["t2"], policy)
    formula = partial(measures.from_arms, measure)
    agree(formula(x1, x["t1"], x2, x["t2"]), yi, vi)
    table = pd.DataFrame(
        {"events1": x["x1"], "time1": x["t1"], "events2": x["x2"], "time2": x["t2"], "measure": measure}
    )
    out = in_words(compute(table, Options(zero_cells=policy)))
    assert (out["reason"] == "").all()
    agree((out["estimate"], out["variance"]), yi, vi)
    assert (out["corrected"].to_numpy() == corrected).all()


def margins(x: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    n = x["a"] + x["b"] + x["c"] + x["d"]
    e1, e2 = x["a"] + x["b"], x["a"] + x["c"]
    return e1, e2, n, crossover.phi_from_discordant(e1, e2, n, x["b"])


@pytest.mark.parametrize(("name", "measure"), [("MPRR_all", "RR"), ("MPRD", "RD"), ("MPOR", "OR"), ("MPRR", "RR")])
def test_crossover_counts_with_the_phi_of_the_full_table(name: str, measure: str) -> None:
    x, yi, vi = case(name)
    e1, e2, n, phi = margins(x)
    agree(crossover.binary(measure, e1, n, e2, n, phi), yi, vi)
    low, high = crossover.phi_limits(e1 / n, e2 / n)
    assert ((low - 1e-12 <= phi) & (phi <= high + 1e-12)).all()


def test_discordant_pairs_give_rr_and_conditional_or_through_the_table() -> None:
    x, yi, vi = case("MPRR_all")
    e1, e2, n, _ = margins(x)
    table = pd.DataFrame(
        {"events1": e1, "events2": e2, "n1": n, "n2": n, "discordant1": x["b"], "discordant2": x["c"]}
    ).assign(measure="RR", design="crossover")
    out = in_words(compute(table))
    agree((out["estimate"], out["variance"]), yi, vi)
    assert out["derivation"].str.contains("from the discordant pairs").all()
    x, yi, vi = case("MPORC")
    agree(measures.conditional_or(x["b"], x["c"]), yi, vi)
    pairs = pd.DataFrame({"discordant1": x["b"], "discordant2": x["c"], "measure": "COR-OR"})
    out = in_words(compute(pairs))
    agree((out["estimate"], out["variance"]), yi, vi)


def test_crossover_or_by_becker_and_balagtas() -> None:
    x, yi, vi = case("MPORM")
    agree(crossover.binary("OR", x["e1"], x["n"], x["e2"], x["n"], x["phi"]), yi, vi)


KETAMINE = pd.DataFrame(
    {
        "study": ["kvarnstrom2003", "kvarnstrom2004", "lemming2005", "lumanauw2019", "noppers2011"],
        "events1": [7, 5, 14, 53, 8],
        "n1": [12, 10, 30, 65, 12],
        "events2": [2, 0, 2, 13, 3],
        "n2": [12, 10, 30, 32, 12],
        "design": ["crossover"] * 3 + ["parallel"] * 2,
        "measure": "RR",
    }
)


@pytest.mark.parametrize(("crossed", "key"), [("as_independent", "independent"), ("paired", "phi_0.2")])
def test_five_ketamine_trials(crossed: str, key: str) -> None:
    out = in_words(compute(KETAMINE, Options(crossover=crossed)))
    agree((out["estimate"], out["variance"]), np.array(POOL["yi"]), np.array(POOL[key]["vi"]))
    assert out["corrected"].tolist() == [False, True, False, False, False]
    assert out["assumptions"].eq("phi = 0.2").tolist() == [crossed == "paired"] * 3 + [False] * 2
    assert out["flags"].str.contains("as if two independent").tolist() == [crossed != "paired"] * 3 + [False] * 2


def test_pooled_ketamine_reference_prints_as_known() -> None:
    """The digits that the reviews of this outcome give: DL and REML with Hartung-Knapp, both ways."""
    printed = {
        ("independent", "DL"): "2.60 (1.68 to 4.04)",
        ("independent", "REML_HK"): "2.80 (1.44 to 5.45)",
        ("phi_0.2", "DL"): "2.76 (1.71 to 4.46)",
        ("phi_0.2", "REML_HK"): "2.90 (1.46 to 5.77)",
    }
    for (which, model), text in printed.items():
        assert "{:.2f} ({:.2f} to {:.2f})".format(*POOL[which][model]) == text


def test_phi_is_capped_at_what_the_margins_allow() -> None:
    table = pd.DataFrame(
        {"events1": [9], "n1": [10], "events2": [1], "n2": [10], "measure": "RR", "design": "crossover"}
    )
    out = in_words(compute(table)).iloc[0]
    limit = crossover.phi_limits(0.9, 0.1)[1]
    assert limit < 0.2
    _, vi = crossover.binary("RR", 9, 10, 1, 10, limit)
    assert out["variance"] == pytest.approx(float(vi), rel=1e-12)
    assert "phi capped at 0.111111" in out["flags"]


def test_phi_limits_are_attained_by_a_table() -> None:
    """At the upper limit the smaller margin lies wholly within the larger."""
    e1, e2, n = 4, 9, 20
    assert crossover.phi_limits(e1 / n, e2 / n)[1] == pytest.approx(crossover.phi_from_discordant(e1, e2, n, 0))
    # lower limit: no overlap at all
    assert crossover.phi_limits(e1 / n, e2 / n)[0] == pytest.approx(crossover.phi_from_discordant(e1, e2, n, e1))


def test_only_where_needed_leaves_computable_trials_alone() -> None:
    table = pd.DataFrame({"events1": [0, 0, 10], "n1": 10, "events2": [3, 0, 4], "n2": 12})
    rd = in_words(compute(table.assign(measure="RD"), Options(zero_cells="needed")))
    assert rd["corrected"].tolist() == [False, True, False]
    assert rd["estimate"].iloc[0] == pytest.approx(-0.25)
    rr = in_words(compute(table.assign(measure="RR"), Options(zero_cells="needed")))
    assert rr["corrected"].tolist() == [True, False, False]
    assert "no events in either arm" in rr["reason"].iloc[1]


def test_revman_corrects_the_variance_alone_of_a_risk_difference_and_of_events_only() -> None:
    """Rows of Cochrane reviews: 0/59 v 0/102 prints 0 (-0.026632 to 0.026632), 20/20 v 21/21 1 (0.911816 to 1.096712)."""
    table = pd.DataFrame({"events1": [0, 20, 6], "n1": [59, 20, 25], "events2": [0, 21, 0], "n2": [102, 21, 18]})
    table["measure"] = ["RD", "RR", "RD"]
    out = compute(table, Options(zero_cells="RevMan"))
    assert out["estimate_natural"].tolist() == pytest.approx([0, 1, 0.24])
    assert out["ci_lower_natural"].tolist() == pytest.approx([-0.026632, 0.911816, 0.058662], abs=1e-6)
    assert out["ci_upper_natural"].tolist() == pytest.approx([0.026632, 1.096712, 0.421338], abs=1e-6)
    assert out["corrected"].all()
    odds = compute(table.assign(measure="OR"), Options(zero_cells="RevMan"))
    assert odds["reason_code"].tolist()[:2] == ["double_zero", "all_events"]


@pytest.mark.parametrize(("measure", "scale", "natural"), [("GIV", "", 0.3), ("GIV_ratio", "log", np.exp(0.3))])
def test_a_generic_effect_is_taken_as_given(measure: str, scale: str, natural: float) -> None:
    table = pd.DataFrame(
        {"reported_measure": [measure], "measure": measure, "estimate": 0.3, "se": 0.1, "estimate_scale": scale}
    )
    row = compute(table).iloc[0]
    assert (row["estimate"], row["se"], row["estimate_natural"]) == pytest.approx((0.3, 0.1, natural))
    arms = pd.DataFrame({"measure": [measure], "events1": 1, "n1": 9, "events2": 2, "n2": 9})
    assert compute(arms)["reason_code"].iloc[0].startswith("no_arm_effect")


@pytest.mark.parametrize("measure", ["RR", "OR", "PETO"])
def test_double_zero_trials_give_no_ratio(measure: str) -> None:
    table = pd.DataFrame({"events1": [0, 8], "n1": 8, "events2": [0, 9], "n2": 9, "measure": measure})
    out = in_words(compute(table))
    assert out["estimate"].isna().all()
    assert out["reason"].tolist() == [
        "no events in either arm: no information on a ratio",
        "all patients had the event in both arms: no information on a ratio",
    ]


@pytest.mark.parametrize("policy", measures.ZERO_CELL_POLICIES)
def test_nothing_is_added_to_the_cells_of_a_peto_odds_ratio(policy: str) -> None:
    """Rows are what the diamond sums: O - E and V of the counts as they are (0 of 20 against 3 of 25)."""
    table = pd.DataFrame({"events1": [0], "n1": [20], "events2": [3], "n2": [25], "measure": "PETO"})
    row = compute(table, Options(zero_cells=policy)).iloc[0]
    oe, v = -3 * 20 / 45, 3 * 42 * 20 * 25 / (45**2 * 44)
    assert (row["estimate"], row["variance"]) == (pytest.approx(oe / v), pytest.approx(1 / v))
    assert not row["corrected"]


@pytest.mark.parametrize("measure", ["RD", "AS"])
def test_double_zero_trials_stay_for_differences(measure: str) -> None:
    table = pd.DataFrame({"events1": [0], "n1": [8], "events2": [0], "n2": [8], "measure": measure})
    out = in_words(compute(table))
    assert out["estimate"].iloc[0] == 0
    assert out["variance"].iloc[0] > 0


def test_handbook_crossover_example() -> None:
    """Handbook 5.1, 16.4.6.4: 7.0 (2.38) v 6.5 (2.21), n = 10, Corr = 0.68; printed SE 0.583, SMD 0.218, SE 0.256."""
    x = (10, 7.0, 2.38, 6.5, 2.21, 0.68)
    md, var = crossover.md(*x)
    assert (round(float(md), 3), round(float(np.sqrt(var)), 3)) == (0.5, 0.583)
    smd, var = crossover.smd(*x, correct=False)
    assert (round(float(smd), 3), round(float(np.sqrt(var)), 3)) == (0.218, 0.256)


@pytest.mark.parametrize(
    ("rd", "low", "high", "better", "text"),
    [
        (0.1, 0.01, 0.2, "higher", "NNTB 10.0 (NNTB 5.0 to NNTB 100.0)"),
        (0.1, -0.02, 0.25, "higher", "NNTB 10.0 (NNTH 50.0 to infinity to NNTB 4.0)"),
        (-0.1, -0.2, -0.01, "higher", "NNTH 10.0 (NNTH 5.0 to NNTH 100.0)"),
        (-0.1, -0.2, -0.01, "lower", "NNTB 10.0 (NNTB 5.0 to NNTB 100.0)"),
        (0.0, -0.1, 0.1, "lower", "infinity (NNTH 10.0 to infinity to NNTB 10.0)"),
        (0.1, 0.0, 0.2, "higher", "NNTB 10.0 (NNTB 5.0 to infinity)"),
    ],
)
def test_number_needed_goes_through_infinity(rd: float, low: float, high: float, better: str, text: str) -> None:
    assert measures.number_needed_text(rd, low, high, better) == text
