"""Wrapped text, statistics in words and ticks as figures print them."""

import math
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweigh.figures.axis import axis_limits, round_ticks
from reweigh.figures.forest.statistics import (
    difference_line,
    difference_text,
    heterogeneity_text,
    model_notes,
    model_text,
    overall_test_text,
    sentence,
    subgroup_notes,
    trial_notes,
)
from reweigh.figures.style import clean, symbols, text_width, wrap
from reweigh.measures import Scale, analysed


@given(st.text(st.characters(max_codepoint=0x24F), min_size=1, max_size=80), st.floats(30, 300))
def test_wrapped_lines_fit_and_lose_nothing(text, width):
    text = clean(text)
    lines = wrap(text, width)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line) <= width or len(line) == 1 for line in lines)


def test_statistics_break_between_and_not_within():
    text = "Heterogeneity: τ² = 0.04, I² = 45%, Q = 16.41, df = 9, P = 0.06"
    lines = wrap(text, 130, at_commas=True)
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
    untested = {"q_between_note_codes": "few_subgroups"}
    assert difference_line(untested, difference_text) == (
        "Test for subgroup differences: not estimable: the test needs at least two subgroups with an estimate"
    )
    tested = {"q_between": 0.356, "q_between_df": 1, "q_between_p_value": 0.551, "model": "cochrane",
              "tau2_method": "REML", "ci_method": "hartung-knapp",
              "q_between_note_codes": "subgroups_of_one ones=1 subgroups=2"}  # fmt: skip
    assert difference_line(tested, difference_text) == (
        "Test for subgroup differences (REML, Hartung-Knapp): Q = 0.36, df = 1, P = 0.55; "
        "1 of 2 subgroups rest on one trial"
    )


def span(row, name):
    return f"{row[name + '_lower']:g} to {row[name + '_upper']:g}" if name + "_lower" in row else ""


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ({"model": "cochrane", "tau2_method": "REML", "ci_method": "hartung-knapp"}, "REML, Hartung-Knapp"),
        ({"model": "ours", "tau2_method": "PM", "ci_method": "wald"}, "ours: PM, Wald"),
        ({"model": "mh", "tau2_method": "EE", "ci_method": "wald", "pooling": "mantel-haenszel"},
         "mh: Mantel-Haenszel, common effect, Wald"),
        ({"model": "Peto", "tau2_method": "EE", "ci_method": "wald", "pooling": "peto"},
         "Peto: Peto, common effect, Wald"),
    ],
)  # fmt: skip
def test_a_model_is_told_by_what_it_is_and_named_only_by_the_protocol(row, text):
    assert model_text(row) == text


def test_footnotes_name_the_pooling():
    common = {"ci_method": "wald", "level": 0.95}
    told = {
        ("mantel-haenszel", "EE"): "Mantel-Haenszel, common effect, 95% CI by Wald.",
        ("peto", "EE"): "Peto, common effect, 95% CI by Wald.",
        ("mantel-haenszel", "DL"): "Random-effects model: τ² by DL around the Mantel-Haenszel mean, 95% CI by Wald.",
        ("inverse variance", "EE"): "Common-effect model, 95% CI by Wald.",
    }
    for (pooling, tau2), text in told.items():
        row = common | {"pooling": pooling, "tau2_method": tau2}
        assert next(model_notes(row, [], span)) == f"{text} Weights and squares follow this model"


def test_an_interval_narrower_than_the_common_effect_one_has_the_guarded_one_beside_it():
    row = {
        "tau2_method": "REML",
        "ci_method": "hartung-knapp",
        "note_codes": "hartung_knapp_narrow; tau2_zero",
        "guarded_ci_lower": -2.145,
        "guarded_ci_upper": 0.452,
        "guarded_p_value": 0.107,
        "pi_lower": -1.0,
        "guarded_pi_lower": -2.2,
        "guarded_pi_upper": 0.5,
    }
    assert list(model_notes(row, [], span))[1:] == [
        "The Hartung-Knapp interval is narrower than the common-effect one; verdicts rest on the guarded interval: "
        "−2.145 to 0.452 (P = 0.11), prediction interval −2.2 to 0.5",
        "τ² is 0: the random-effects and the common-effect mean are the same",
    ]
    assert list(subgroup_notes([("A", row | {"note_codes": "hartung_knapp_two_trials"}),
                                ("B", {"note_codes": "hartung_knapp_two_trials; one_trial"})], span)) == [
        "A, B: two trials: the Hartung-Knapp interval rests on one degree of freedom"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "cell", ["measure kind=RR", "measure kind=SMD variance=LS", "reported measure=SMD", "se_printed", ""]
)
def test_what_only_names_the_measure_needs_no_note(cell):
    assert trial_notes([{"derivation_codes": cell}]) == ([""], [])


def test_notes_that_stand_together_share_a_letter():
    trials = [
        {"derivation_codes": "measure kind=RR; marginal_phi", "assumption_codes": "phi value=0.2", "flag_codes": math.nan},
        {"derivation_codes": "measure kind=RR", "assumption_codes": "", "flag_codes": ""},
        {"derivation_codes": "marginal_phi; zero_cell amount=0.5", "assumption_codes": "phi value=0.2"},
    ]  # fmt: skip
    marks, notes = trial_notes(trials)
    assert marks == ["a", "", "a,b"]
    assert notes == [
        ("a", "Crossover, marginal method with phi; φ = 0.2".replace("phi;", "φ;")),
        ("b", "Zero cell: 0.5 to each cell"),
    ]
    many, letters = trial_notes([{"flag_codes": f"direction_assumed direction=number_{i}"} for i in range(30)])
    assert many[25:28] == ["z", "aa", "ab"] and len(letters) == 30


def test_a_footnote_is_a_kind_and_not_a_text():
    trials = [{"derivation_codes": f"se_to_sd n={n}; ci_to_se level=95"} for n in (12, 40, 25)]
    trials += [
        {"derivation_codes": "p_to_t operator== p=0.0001 t=4.34557742 test=t, df=38"},
        {"reason_code": "no_n arm=control"},
    ]
    marks, notes = trial_notes(trials)
    assert marks == ["a", "a", "a", "b", "c"]
    assert notes == [
        ("a", "SE → SD (n=12 to 40); 95% CI → SE"),
        ("b", "p = 0.0001 → |t| = 4.346 (t, 38)"),
        ("c", "No n in the control arm"),
    ]


def always(ticks, labels):
    return len(ticks) <= 9


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.07, 7, ["0.1", "0.2", "0.5", "1", "2", "5"]),
        (0.0005, 60, ["0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1", "3", "10", "30"]),
        (0.88, 1.16, ["0.90", "0.95", "1.00", "1.05", "1.10", "1.15"]),
        (0.45, 120, ["0.5", "1", "3", "10", "30", "100"]),
        (0.45, 3000, ["0.5", "1", "10", "100", "1000"]),
    ],
)
def test_ticks_of_ratios_are_round(low, high, labels):
    at_most_ten = lambda ticks, labels: len(ticks) <= (10 if low < 0.4 else len(labels_of))  # noqa: E731
    labels_of = labels
    ticks, found = round_ticks(math.log(low), math.log(high), scale="log", fits=at_most_ten)
    assert found == labels
    assert [math.exp(t) for t in ticks] == pytest.approx([float(label) for label in labels])


def test_nobody_counts_zeros_on_an_axis_over_many_orders_of_magnitude():
    ticks, labels = round_ticks(math.log(1e-7), math.log(1e7), scale="log", fits=lambda at, _: len(at) <= 10)
    assert labels == ["10⁻⁶", "10⁻⁴", "0.01", "1", "100", "10⁴", "10⁶"]
    assert ticks == pytest.approx([k * math.log(10) for k in (-6, -4, -2, 0, 2, 4, 6)])


def test_the_axis_comes_from_the_trials_whatever_is_pooled():
    """Week 4 of the ketamine review: two trials, and a Hartung-Knapp diamond from -8 to 6.5."""
    rows = [("study", -1.35, -2.03, -0.66), ("study", -0.20, -0.65, 0.25), ("overall", -0.74, -8.02, 6.53),
            ("subgroup pooled", -0.7, -9.0, 9.0), ("prediction interval", math.nan, -30.0, 30.0)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["kind", "estimate", "ci_lower", "ci_upper"])
    low, high = axis_limits(table, scale="natural")
    assert -2.6 < low < -2.03 and 0.25 < high < 0.9


def test_rows_without_limits_leave_an_axis():
    """Equal effects have a Hartung-Knapp interval of no width: every limit is missing."""
    table = pd.DataFrame(
        {"kind": ["study", "study"], "estimate": [-0.3, -0.3], "ci_lower": math.nan, "ci_upper": math.nan}
    )
    for scale in get_args(Scale):
        low, high = axis_limits(table, scale=scale)
        assert low < -0.3 < 0 < high
        low, high = axis_limits(table.assign(estimate=0.0), scale=scale)  # no events in any trial: RD 0, no interval
        assert low < 0 < high


def test_both_sides_of_a_ratio_axis_have_a_tick():
    table = pd.DataFrame({"kind": "study", "estimate": [1.0, 2.0], "ci_lower": [0.1, 0.2], "ci_upper": [2.0, 4.5]})
    low, high = axis_limits(table, scale="log")
    _, labels = round_ticks(low, high, scale="log", fits=lambda at, _: len(at) <= 8)
    assert any(float(label) < 1 for label in labels)


@given(st.floats(-50, -0.001), st.floats(0.001, 50), st.sampled_from(["natural", "log"]))
def test_ticks_lie_on_the_axis_and_hold_the_null(low, high, scale):
    ticks, labels = round_ticks(low, high, scale=scale, fits=always)
    assert all(low <= t <= high for t in ticks) and ticks == sorted(ticks)
    assert min(abs(t) for t in ticks) < 1e-9
    assert len(set(labels)) == len(labels) and not any("e" in label for label in labels)


@pytest.mark.parametrize(("scale", "low", "high"), [("z", -3.0, 3.0), ("logit", -12.0, 14.0), ("logit", 1.0, 1.2)])
def test_ticks_of_correlations_and_proportions(scale, low, high):
    """They are numbers of the natural scale at their places, and leave no half of the axis empty."""
    ticks, labels = round_ticks(low, high, scale=scale, fits=lambda at, _: len(at) <= 9)
    natural_ = [float(label.replace("−", "-")) for label in labels]
    assert analysed(natural_, scale) == pytest.approx(ticks, rel=1e-9, abs=1e-12) and len(ticks) >= 3
    assert max(np.diff([low, *ticks, high])) <= (high - low) / 2


def test_an_axis_of_proportions_at_their_end_has_a_tick():
    assert round_ticks(38.0, 39.0, scale="logit", fits=always) == ([38.5], ["1"])


rows = st.lists(st.tuples(st.floats(-5, 5), st.floats(0.01, 3)), min_size=1, max_size=12)


@given(rows, st.sampled_from(get_args(Scale)), st.booleans())
def test_the_axis_shows_the_null_and_most_of_the_evidence(rows, scale, null):
    table = pd.DataFrame(
        [{"kind": "study", "estimate": y, "ci_lower": y - h, "ci_upper": y + h} for y, h in rows],
    )
    low, high = axis_limits(table, scale=scale, null=null)
    assert low < 0 < high if null else low < high
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


@pytest.mark.parametrize(("low", "high"), [(-1e-17, 1e-17), (-4e-18, 0.0)])
def test_a_ratio_s_axis_with_ends_that_no_ratio_tells_apart_has_the_null_alone(low, high):
    assert round_ticks(low, high, scale="log", fits=always) == ([0.0], ["1"])
