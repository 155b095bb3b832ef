"""Numbers, intervals, P-values and counts as words."""

import math
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweigh.text.numbers import (
    count_text,
    difference_decimals,
    effect_text,
    fixed,
    needed_decimals,
    p_text,
    percent_text,
    row_text,
    small_text,
    span_text,
    stated_text,
    whole,
)


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0312, "P = 0.03"), (0.0004, "P < 0.001"), (0.0041, "P = 0.004"), (0.0097, "P = 0.01"), (0.048, "P = 0.048"),
        (0.0495, "P = 0.0495"), (0.0499, "P = 0.0499"),
        (0.04996, "P < 0.05"), (0.05, "P = 0.05"), (0.0501, "P = 0.05"), (0.394, "P = 0.39"), (0.996, "P > 0.99"), (1.0, "P > 0.99"),
        (0.0, "P < 0.001"), (0.001, "P = 0.001"),
        (0.125, "P = 0.13"), (0.0045, "P = 0.005"), (math.nan, "P not estimable"),
    ],
)  # fmt: skip
def test_p_values(p, text):
    assert p_text(p) == text


@pytest.mark.parametrize(("p", "text"), [(0.03, "0.03"), (0.0004, "< 0.001"), (0.999, "> 0.99"), (math.nan, "")])
def test_p_values_of_a_column_headed_p(p, text):
    assert p_text(p, bare=True) == text


@given(st.floats(0, 1))
def test_a_printed_p_lies_on_the_same_side_of_5_percent(p):
    said = p_text(p, bare=True)
    assert (float(said.lstrip("< >")) < 0.05 or said == "< 0.05") == (p < 0.05)


def test_half_rounds_up_whatever_the_last_bits_say():
    trial = math.nextafter(0.875, 0)
    assert trial < 0.875 and fixed(trial, 2) == fixed(0.875, 2) == "0.88"
    assert [fixed(value, 2) for value in (2.675, 1.005, -0.875, 0.8749999)] == ["2.68", "1.01", "−0.88", "0.87"]
    assert [fixed(value, 0) for value in (0.5, 1.5, 2.5, -0.4)] == ["1", "2", "3", "0"]


@given(st.decimals(-9999, 9999, places=3), st.integers(0, 3))
def test_what_a_table_holds_is_what_is_rounded(value, decimals):
    expected = value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    assert Decimal(fixed(float(value), decimals).replace("−", "-")) == expected


def test_counts():
    assert [count_text(1), count_text(17), count_text(1503.0, 1503)] == ["1 trial", "17 trials", "1,503 trials"]
    assert count_text(17, 19) == "19 comparisons from 17 trials"
    assert count_text(1, 2) == "2 comparisons from 1 trial"
    assert [whole(value) for value in (999, 1000, 1234567.0, math.nan)] == ["999", "1,000", "1,234,567", ""]


@pytest.mark.parametrize(
    ("value", "text"), [(26.4, "26%"), (26.5, "27%"), (99.4, "99%"), (99.87, "99.9%"), (100, "100%"), (math.nan, "")]
)
def test_percents(value, text):
    assert percent_text(value) == text


ROW = {
    "measure": "RR", "scale": "log", "level": 0.95, "estimate_natural": 2.8, "ci_lower_natural": 1.44,
    "ci_upper_natural": 5.45, "pi_lower_natural": 0.94, "pi_upper_natural": 8.89,
}  # fmt: skip


def test_a_row_in_words():
    assert row_text(ROW) == "2.80 (1.44 to 5.45)"
    assert stated_text(ROW) == "RR 2.80 (95% CI 1.44 to 5.45)"
    assert (span_text(ROW, "ci"), span_text(ROW, "pi")) == ("1.44 to 5.45", "0.94 to 8.89")
    assert span_text(ROW | {"pi_lower_natural": math.nan, "pi_upper_natural": math.nan}, "pi") == ""
    difference = ROW | {"measure": "MD", "scale": "natural", "ci_lower_natural": 2.78, "ci_upper_natural": 2.82}
    assert stated_text(difference, "points") == "MD 2.800 points (95% CI 2.780 to 2.820)"
    assert stated_text(ROW | {"ci_lower_natural": math.nan}, "points") == "RR 2.80 points (CI not estimable)"
    assert stated_text(dict.fromkeys(ROW, "") | {"measure": "RR", "scale": "log"}) == "RR not estimable"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.3132, "0.31"), (0.0042, "0.0042"), (0.00045, "0.00045"), (0.00001, "<0.0001"), (12.3, "12.30"),
     (112.2, "112.2"), (1101.77, "1102"), (99.996, "100.0"), (0.0095, "0.01")],
)  # fmt: skip
def test_variances_have_no_exponent(value, text):
    assert small_text(value) == text


def test_effects_have_real_minus_signs_and_no_negative_zero():
    assert effect_text(-0.43, -0.55, -0.304, decimals=2) == "−0.43 (−0.55 to −0.30)"
    assert effect_text(-0.001, -3e-9, 0.004, decimals=2) == "0.00 (0.00 to 0.00)"
    assert effect_text(2.8, 1.44, 5.45, decimals=None) == "2.80 (1.44 to 5.45)"


def test_extremes_of_ratios():
    assert effect_text(2.65, 0.0004, 7764.456, decimals=None) == "2.65 (<0.01 to 7764.46)"
    assert effect_text(2.65, 0.005, math.inf, decimals=None) == "2.65 (0.01 to >9999)"
    # Where the estimate itself is too small for two decimals, two digits of what is there.
    assert effect_text(0.001, 0.0003, 0.0032, decimals=None) == "0.0010 (0.00030 to 0.0032)"
    assert effect_text(0.004, 0.00012, 1.25, decimals=None) == "0.0040 (0.00012 to 1.25)"


def test_what_cannot_be_estimated_says_so():
    assert effect_text(math.nan, math.nan, math.nan, decimals=None) == "not estimable"
    assert effect_text(1.2, math.nan, math.nan, decimals=None) == "1.20 (CI not estimable)"


def test_decimals_follow_the_numbers():
    assert needed_decimals([39, 18.0, math.nan], 2) == 0
    assert needed_decimals([39, 18.5], 2) == 1
    assert needed_decimals([0.123], 2) == 2
    assert [difference_decimals(half) for half in (4.8, 0.12, 0.025, 0.001, math.nan)] == [2, 2, 3, 4, 2]
    # Tiny and huge differences keep their digits, and no more.
    assert [difference_decimals(half) for half in (0.0003, 0.00006, 100, 999, 90532.0)] == [4, 5, 1, 1, 0]
    assert effect_text(-0.0001, -0.00016, -0.00004, decimals=difference_decimals(0.00006)) == (
        "−0.00010 (−0.00016 to −0.00004)"
    )
