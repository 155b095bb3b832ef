"""Worked pages: every line of arithmetic is right, and they end where the table does."""

from __future__ import annotations

import math
import re
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtri

from reweigh.effects.compute import Options, compute
from reweigh.effects.sweep import sweep
from reweigh.effects.work import Step
from reweigh.effects.worked import worked_example
from reweigh.text.effects import STEPS, in_words
from reweigh.text.markdown import unescaped
from test_effects_properties import tables

FUNCTIONS = {
    "sqrt": math.sqrt,
    "ln": math.log,
    "exp": math.exp,
    "asin": math.asin,
    "Gamma": math.gamma,
    "Phinv": ndtri,
    "abs": abs,
}


def value(text: str) -> float | None:
    """Value of a printed expression of numbers alone; None if it holds symbols."""
    text = text.strip().removesuffix(" (radians)")
    plain = text.replace("Phi^-1", "Phinv").replace("^", "**").replace(" x ", " * ")
    plain = re.sub(r"\|([^|]+)\|", r"abs(\1)", plain)
    if set(re.findall(r"[A-Za-z_]+", re.sub(r"\d[\d.]*e[+-]?\d+", "0", plain))) - set(FUNCTIONS) or not re.search(
        r"\d", text
    ):
        return None
    try:
        return float(eval(plain, {"__builtins__": {}}, FUNCTIONS))
    except (SyntaxError, TypeError):
        return None


#: Steps that quote what is printed, or whose numbers need a table or program, not a calculator.
QUOTED = (
    "as printed",
    "Continuity correction",
    "exchanged",
    "t from",
    ": mean and SD from quantiles",
    "Variance of the SMD (AV)",
)


def check_arithmetic(page: str) -> None:
    """Assert every equality of two printed expressions to five digits or so, and that each step has one."""
    for step in page.split("### Step ")[1:]:
        title, _, body = step.partition("\n")
        checked = check_lines(body)
        assert checked or any(q in title for q in QUOTED), step
    if "No effect size" not in page and "Variance of the SMD (AV)" not in page:
        check_end(page)


def check_end(page: str) -> None:
    """Assert that estimate and variance of the result are what the steps before end at."""
    before, _, result = page.partition(". Result")
    said = re.search(r"estimate = (\S+), SE = sqrt\((\S+)\) = (\S+)", result)
    assert said is not None
    estimate, variance, se = said.groups()
    ends = set(re.findall(r"(?:= |^    )(\S+)(?=$|;| \(| {3})", before, flags=re.M)) | set(
        re.findall(r"SE = (\S+)", before)
    )
    # A difference that is reported as such stands in the table above the steps, not in one of them.
    assert "SE as printed" in before or "SE from" in before or estimate in set(re.findall(r"-?\d[\d.e+-]*", before)), (
        page
    )
    assert variance in ends or se in ends, page


def check_lines(body: str) -> int:
    """Number of equalities in the lines of one step."""
    checked = 0
    for line in body.splitlines():
        if not line.startswith("    "):
            continue
        for sentence in re.split(r"; |, (?=[a-zA-Z])|: |   \(", line.strip().removeprefix("= ")):
            sides = [value(side) for side in sentence.split(" = ")]
            for left, right in pairwise(sides):
                if left is not None and right is not None:
                    assert left == pytest.approx(right, rel=2e-4, abs=2e-5), line
                    checked += 1
    return checked


P_ONLY = {"measure": "SMD", "reported_measure": "p_only", "better": "lower", "direction": "favours_intervention"}
CONTRASTS = [
    {**P_ONLY, "design": "crossover", "paired": "yes", "p_value": 0.009, "n1": 12, "n2": 12},
    {**P_ONLY, "p_value": 0.07, "n1": 30, "n2": 30},
    {**P_ONLY, "design": "crossover", "paired": "no", "p_value": 0.07, "n1": 30, "n2": 30},
    {**P_ONLY, "f": 5.2, "n1": 14, "n2": 31},
    {**P_ONLY, "t": -2.2, "direction": "none", "n1": 14, "n2": 31},
    {"measure": "SMD", "reported_measure": "SMD_paired", "estimate": -0.2, "ci_lower": -0.6, "ci_upper": 0.3, "paired": "yes"},
    {"measure": "SMD", "reported_measure": "SMD_paired", "estimate": -0.2, "n1": 20, "n2": 20, "r": 0.7},
    {"measure": "SMD", "reported_measure": "SMD", "estimate": 0.4, "n1": 20, "n2": 30},
    {"measure": "SMD", "reported_measure": "SMD", "estimate": 0.4, "n1": 20, "n2": 20, "design": "crossover"},
    {"measure": "SMD", "reported_measure": "MD", "estimate": -2, "ci_lower": -3, "ci_upper": -1, "n1": 20, "n2": 30},
    {"measure": "SMD", "reported_measure": "MD", "estimate": -2, "se": 0.8, "n1": 20, "n2": 20, "paired": "yes", "flip": True},
    {"measure": "MD", "reported_measure": "MD", "estimate": 3.8, "p_value": 0.008, "n1": 25, "n2": 22},
    {"measure": "MD", "reported_measure": "MD", "estimate": 38, "se": 5, "scale_min": 0, "scale_max": 100, "target_min": 0, "target_max": 10, "flip": True},
    {"measure": "MD", "reported_measure": "MD", "ci_lower": -1.5, "ci_upper": 2.5, "ci_level": 90},
    {"measure": "MD", "reported_measure": "MD", "estimate": 1, "ci_lower": -0.5},
    {"measure": "RR", "reported_measure": "RR", "estimate": 1.9, "ci_lower": 1.2, "ci_upper": 3.01},
    {"measure": "OR", "reported_measure": "OR", "estimate": 0.6, "p_value": 0.03, "flip": True},
    {"measure": "HR", "reported_measure": "HR", "estimate": 0.6, "z": -2.3},
    {"measure": "RD", "reported_measure": "RD", "estimate": -0.1, "t": -1.4, "design": "cluster", "icc": 0.02, "cluster_size": 15},
    {"measure": "HR", "reported_measure": "OE_V", "oe": -5, "v": 12},
    {"measure": "PETO", "oe": -5, "v": 12},
    {"measure": "IRR", "estimate": 0.7, "se": 0.2},
    {"measure": "HR", "reported_measure": "logHR", "estimate": -0.5, "ci_lower": -0.9, "ci_upper": -0.1},
]  # fmt: skip
ARMS = [
    {"measure": "SMD", "n1": 30, "mean1": 2.68, "se1": 0.51, "n2": 30, "mean2": 5.45, "se2": 0.48},
    {"measure": "SMDH", "n1": 30, "mean1": 2.68, "sd1": 2.2, "n2": 33, "mean2": 5.45, "ci_lower2": 4.1, "ci_upper2": 6.8},
    {"measure": "SMD", "n1": 9, "median1": 218, "q11": 116, "q31": 527, "n2": 9, "median2": -123, "q12": -330, "q32": 24, "design": "crossover"},
    {"measure": "MD", "n1": 40, "median1": 5, "min1": 1, "max1": 12, "n2": 44, "median2": 6, "q12": 4, "q32": 8, "min2": 1, "max2": 13},
    {"measure": "MD", "n1": 40, "mean1": 5, "q11": 3, "q31": 8, "n2": 44, "mean2": 6, "sd2": 2},
    {"measure": "SMD", "n1": 20, "mean1": 40, "sd1": 12, "baseline_mean1": 60, "baseline_sd1": 10, "n2": 22, "mean2": 50, "sd2": 11,
     "baseline_mean2": 61, "baseline_sd2": 9, "scale_min": 0, "scale_max": 100, "target_min": 0, "target_max": 10, "flip": True},
    {"measure": "MD", "n1": 20, "mean1": 4, "sd1": 2, "n2": 20, "mean2": 5, "sd2": 3, "design": "crossover", "t": -1.9},
    {"measure": "SMD", "n1": 20, "change_mean1": -4, "change_sd1": 2, "n2": 25, "change_mean2": -5, "change_sd2": 3},
    {"measure": "SMD", "n1": 20, "mean1": 4, "sd1": 2, "n2": 20, "mean2": 5, "sd2": 3, "design": "crossover", "p_value": 0.2},
    {"measure": "MD", "n1": 100, "mean1": 4, "sd1": 2, "n2": 120, "mean2": 5, "sd2": 3, "design": "cluster", "icc": 0.02, "cluster_size": 15},
    {"measure": "RR", "n1": 30, "percent1": 76, "n2": 30, "percent2": 18},
    {"measure": "RR", "n1": 10, "events1": 5, "n2": 10, "events2": 0, "design": "crossover"},
    {"measure": "RR", "n1": 10, "events1": 9, "n2": 10, "events2": 1, "design": "crossover"},
    {"measure": "RR", "n1": 12, "events1": 7, "n2": 12, "events2": 2, "discordant1": 6, "discordant2": 1, "design": "crossover"},
    {"measure": "OR", "discordant1": 6, "discordant2": 0, "design": "crossover"},
    {"measure": "OR", "n1": 100, "events1": 30, "n2": 120, "events2": 60, "design": "cluster", "icc": 0.02, "cluster_size": 15, "flip": True},
    {"measure": "IRD", "events1": 3, "time1": 100, "events2": 0, "time2": 120},
]  # fmt: skip


@pytest.mark.parametrize("row", [*CONTRASTS, *ARMS])
def test_page_can_be_followed(row: dict[str, object]) -> None:
    (result,) = results(pd.DataFrame([row]))
    assert result["reason"] == ""
    page = worked_example(result)
    check_arithmetic(page)
    assert f"estimate = {result['estimate']:.6g}, SE = " in page
    assert result["derivation"] in unescaped(page)


def results(table: pd.DataFrame, options: Options | None = None) -> list[pd.Series]:
    """Rows of the table as effects in words, with their trace."""
    out = in_words(compute(table, options, trace=True))
    return [row for _, row in out.iterrows()]


@pytest.mark.parametrize(
    "options",
    [
        Options(),
        Options(smd_variance="UB", smdh_version="5", zero_cells="all", r=0.7, phi=0.1),
        Options(smd_variance="LS2", zero_cells="tacc", crossover="as_independent"),
        Options(smd_variance="AV", standardiser="difference", contrast_ci="t", median_method="wan", r_baseline=0.8),
        Options(median_method="quantile", zero_cells="needed", p_inequality_as_equality=True),
        Options(median_method="lognormal", zero_cells="RevMan"),
    ],
)
def test_pages_of_every_route_and_option(options: Options) -> None:
    table = pd.concat([tables(7, 80), pd.DataFrame([*CONTRASTS, *ARMS])], ignore_index=True)
    rows = results(table, options)
    assert np.mean([row["reason"] == "" for row in rows]) > 0.8
    for row in rows:
        check_arithmetic(worked_example(row))


def test_page_of_a_failure_says_what_is_needed() -> None:
    (row,) = results(pd.DataFrame([{**P_ONLY, "p_value": 0.05, "p_operator": "<", "n1": 9, "n2": 9}]))
    assert worked_example(row) == (
        "No effect size: p given only as an inequality (p < 0.05).\n\nNeeded: exact p, or mean and SD per arm.\n"
    )


def test_a_wrong_step_would_be_noticed() -> None:
    (row,) = results(pd.DataFrame([ARMS[0]]))
    for i, (name, values) in enumerate(row["steps"]):
        for key, number in values.items():
            if (
                isinstance(number, float)
                and f"{{{key}" in "".join(STEPS[name].lines)
                and key not in ("n", "mean", "df", "near")
            ):
                steps = list(row["steps"])
                steps[i] = Step(name, {**values, key: number * 1.01})
                with pytest.raises(AssertionError):
                    check_arithmetic(worked_example({**row, "steps": steps}))


def test_sweep() -> None:
    table = pd.DataFrame([CONTRASTS[0], ARMS[11], ARMS[12], ARMS[0], CONTRASTS[15]], index=list("abcde"))
    out = sweep(table)
    assert set(out["row"]) == {"a", "b", "c"}
    by_r = out[out["row"] == "a"]
    assert by_r["correlation"].tolist() == pytest.approx(np.arange(1, 10) / 10)
    assert by_r["se"].is_monotonic_decreasing
    for r, variance in zip(by_r["correlation"], by_r["variance"], strict=True):
        assert compute(table.loc[["a"]], Options(r=r))["variance"].iloc[0] == variance
    by_phi = out[out["row"] == "b"]
    limit = by_phi["limit"].iloc[0]
    assert by_phi["correlation"].tolist() == pytest.approx([0.1, 0.2, limit])
    assert 0.2 < limit < 0.3
    assert out.loc[out["row"] == "c", "correlation"].tolist() == pytest.approx([0.1, 1 / 9])
    assert by_phi["protocol"].tolist() == [False, True, False]


def test_sweep_without_crossover_trials_is_empty() -> None:
    assert sweep(pd.DataFrame([ARMS[0]])).empty
    assert sweep(pd.DataFrame([{**ARMS[0], "design": "parallel"}])).empty
