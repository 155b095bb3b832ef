"""Wrapped text, statistics in words and ticks as figures print them."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweigh.figures.axis import axis_limits, round_ticks
from reweigh.figures.forest.statistics import (
    PLAIN,
    difference_text,
    heterogeneity_text,
    overall_test_text,
    sentence,
    trial_notes,
)
from reweigh.figures.style import clean, symbols, text_width, wrap


@given(st.text(st.characters(max_codepoint=0x24F), min_size=1, max_size=80), st.floats(30, 300))
def test_wrapped_lines_fit_and_lose_nothing(text, width):
    text = clean(text)
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line) <= width or len(line) == 1 for line in lines)


def test_statistics_break_between_and_not_within():
    text = "Heterogeneity: τ² = 0.04, I² = 45%, Q = 16.41, df = 9, P = 0.06"
    lines = wrap(text, 150, at_commas=True)
    assert " ".join(lines) == text and len(lines) > 2
    assert all(line.endswith(",") for line in lines[:-1])


def test_symbols():
    assert symbols("tau2 is 0, tau2-based I2; phi = 0.2; J t/sqrt(n) x sqrt(2(1 - r)) -> SE; r = -0.5") == (
        "τ² is 0, τ²-based I²; φ = 0.2; J t/sqrt(n) × sqrt(2(1 − r)) → SE; r = −0.5"
    )
    assert symbols("Hartung-Knapp, 2010-2012") == "Hartung-Knapp, 2010-2012"


def test_heterogeneity_in_words():
    row = {"tau2": 0.3132, "tau2_ci_lower": 0.12, "tau2_ci_upper": 1.115, "i2": 92.22, "i2_definition": "tau2-based"}
    row |= {"q": 152.233, "q_df": 12, "q_p_value": 1e-26, "level": 0.95}
    assert heterogeneity_text(row) == (
        "Heterogeneity: τ² = 0.31 (95% CI 0.12 to 1.12), I² = 92% (τ²-based), Q = 152.23, df = 12, P < 0.001"
    )
    assert heterogeneity_text(row, brief=True) == "Heterogeneity: τ² = 0.31, I² = 92%, Q = 152.23, df = 12, P < 0.001"
    assert heterogeneity_text({"tau2": 0.0, "q": 0.2, "q_df": 1.0}) == "Heterogeneity: τ² = 0, Q = 0.20, df = 1"
    assert heterogeneity_text({}) == "Heterogeneity: not estimable"


def test_tests_in_words():
    assert overall_test_text({"statistic": -3.954, "df": 12, "p_value": 0.0019}) == (
        "Test for overall effect: t = −3.95, df = 12, P = 0.002"
    )
    assert overall_test_text({"statistic": 4.25, "df": math.inf, "p_value": 2e-5}).endswith("z = 4.25, P < 0.001")
    assert overall_test_text({"statistic": math.nan}) == ""
    assert difference_text({"q_between_note": "not estimable: one group"}) == (
        "Test for subgroup differences: not estimable: one group"
    )


@pytest.mark.parametrize(
    "piece", ["log RR", "MD", "SMD, exact J", "LS variance", "RD", "reported SMD", "SE as printed"]
)
def test_what_only_names_the_measure_needs_no_note(piece):
    assert PLAIN.fullmatch(piece)


def test_notes_that_stand_together_share_a_letter():
    trials = [
        {"derivation": "log RR; crossover", "assumptions": "phi = 0.2", "flags": math.nan},
        {"derivation": "log RR", "assumptions": "", "flags": ""},
        {
            "derivation": "crossover; log RR; zero cell: 0.5 to each cell",
            "assumptions": "phi = 0.2",
            "corrected": "yes",
        },
    ]
    marks, notes = trial_notes(trials, [])
    assert marks == ["a", "", "a,b"]
    assert notes == [("a", "Crossover; φ = 0.2"), ("b", "Zero cell: 0.5 to each cell")]
    many, letters = trial_notes([{"flags": f"note {i}"} for i in range(30)], [])
    assert many[25:28] == ["z", "aa", "ab"] and len(letters) == 30


def always(ticks, labels):
    return len(ticks) <= 9


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.07, 7, ["0.1", "0.2", "0.5", "1", "2", "5"]),
        (0.0005, 60, ["0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "3", "10", "30"]),
        (0.88, 1.16, ["0.90", "0.95", "1.00", "1.05", "1.10", "1.15"]),
        (1e-7, 1e7, ["0.000001", "0.0001", "0.01", "1", "100", "10000", "1000000"]),
    ],
)
def test_ticks_of_ratios_are_round(low, high, labels):
    at_most_ten = lambda ticks, labels: len(ticks) <= 10  # noqa: E731
    ticks, found = round_ticks(math.log(low), math.log(high), log=True, fits=at_most_ten)
    assert found == labels
    assert [math.exp(t) for t in ticks] == pytest.approx([float(label) for label in labels])


@given(st.floats(-50, -0.001), st.floats(0.001, 50), st.booleans())
def test_ticks_lie_on_the_axis_and_hold_the_null(low, high, log):
    ticks, labels = round_ticks(low, high, log=log, fits=always)
    assert all(low <= t <= high for t in ticks) and ticks == sorted(ticks)
    assert min(abs(t) for t in ticks) < 1e-9
    assert len(set(labels)) == len(labels) and not any("e" in label for label in labels)


rows = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 3)), min_size=1, max_size=12)


@given(rows, st.booleans())
def test_the_axis_shows_the_null_and_most_of_the_evidence(rows, log):
    table = pd.DataFrame(
        [{"kind": "study", "estimate": y, "ci_lower": y - h, "ci_upper": y + h} for y, h in rows],
    )
    low, high = axis_limits(table, log=log)
    assert low < 0 < high
    inside = (table["ci_lower"] < high) & (table["ci_upper"] > low)
    assert inside.mean() >= 0.5


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("tau2 is 0: one mean", "τ² is 0: one mean"),
        ("tau by REML", "τ by REML"),
        ("p from the paper", "p from the paper"),
        ("k is small", "k is small"),
        ("I2 by Q", "I² by Q"),
        ("taken from a figure", "Taken from a figure"),
        ("prior: half-normal", "Prior: half-normal"),
    ],
)
def test_a_note_begins_with_a_capital_unless_it_begins_with_a_symbol(note, shown):
    assert sentence(note) == shown
