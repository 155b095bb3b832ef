"""The protocol: the six reviews read, every misspelling is found with a suggestion, windows hold what they say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reweigh.protocol.model import Protocol
from reweigh.protocol.read import load_protocol, load_written, written
from reweigh.protocol.windows import Window, day_of, window_of
from reweigh.tables.times import spoken_days, years_of

DATA = Path(__file__).parent.parent / "data"

MINIMAL = """\
title: A review
question: {population: people, intervention: a, comparator: b}
words: {intervention: a, control: b}
outcomes:
  pain: {label: Pain, type: continuous, measure: MD, better: lower}
"""


def problems(text: str) -> list[tuple[int | None, str, str, str]]:
    protocol, found = load_protocol(text.encode())
    assert (protocol is None) == bool(found)
    return [(p.row, p.column, p.message, p.allowed) for p in found]


@pytest.mark.parametrize("review", sorted(path.parent.name for path in DATA.glob("*/review.yaml")))
def test_reviews_have_a_valid_protocol(review):
    protocol, found = load_protocol((DATA / review / "review.yaml").read_bytes())
    assert not found
    assert protocol is not None and "main" in protocol.sets
    assert load_written(written(protocol)) == protocol


def test_minimal_protocol_has_the_stated_defaults():
    protocol, _ = load_protocol(MINIMAL.encode())
    assert protocol is not None
    assert [m.name for m in protocol.models_of("pain")] == ["cochrane", "revman-classic"]
    assert protocol.windows["all"].any
    assert (protocol.assumptions.crossover_correlation, protocol.assumptions.crossover_phi) == (0.5, 0.2)


@pytest.mark.parametrize(
    ("change", "row", "key", "message"),
    [
        (("title:", "titel:"), 1, "titel", 'did you mean "title"'),
        (("measure: MD", "mesure: MD"), 5, "outcomes.pain.mesure", 'did you mean "measure"'),
        (("measure: MD", "measure: RR"), 5, "outcomes.pain", "does not fit type continuous"),
        (("better: lower", "better: lowr"), 5, "outcomes.pain.better", 'did you mean "lower"'),
        (("words:", "models: [cochran]\nwords:"), 3, "models", 'did you mean "cochrane"'),
        (("words:", "level: 95\nwords:"), 3, "level", "less than 1"),
        (("words:", "subgroups: [pain_type]\nwords:"), 3, "subgroups.0", "is no column with categories"),
        (("words:", "windows: {a: {from: 0, to: 7, nominal: 3}, b: {from: 7, to: 9, nominal: 8}}\nwords:"), 1, "", "overlap"),
        (("words:", "windows: {a: {from: 0, to: 9, nominal: 3}, b: {over: 5, to: 8, nominal: 8}}\nwords:"), 1, "", "overlap"),
        (("words:", "windows: {a: {over: 5, to: 8, nominal: 8}, b: {from: 0, to: 9, nominal: 3}}\nwords:"), 1, "", "overlap"),
        (("words:", "windows: {a: {any: true}, b: {text: [end]}}\nwords:"), 1, "", "overlap"),
        (("words:", "windows: {a: {text: [End]}, b: {text: [x, end]}}\nwords:"), 1, "", "both name the time point 'End'"),
        (("words:", "windows: {a: {from: 0, nominal: 3}}\nwords:"), 3, "windows.a", "exactly one of `to` and `below`"),
        (("words:", "windows: {a: {from: 0, to: 2, nominal: 3}}\nwords:"), 3, "windows.a", "within the window"),
        (("words:", "sets: {other: {label: x}}\nwords:"), 3, "sets", "`main`"),
    ],
)  # fmt: skip
def test_a_wrong_key_or_value_is_found(change, row, key, message):
    found = problems(MINIMAL.replace(*change))
    assert any((r == row or row == 1) and k == key and message in m for r, k, m, _ in found), found


def test_all_problems_come_at_once_with_what_is_allowed():
    found = problems(MINIMAL.replace("title:", "titel:").replace("better: lower", "better: up").replace("MD", "MDD"))
    assert {key for _, key, _, _ in found} == {"titel", "outcomes.pain.better", "outcomes.pain.measure"}
    assert all(allowed for *_, allowed in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("title: a\ntitle: b\n", "duplicate key"),
        ("title: [a\n", "not valid YAML"),
        ("- a\n", "no keys"),
        ("", "no keys"),
        ("\ttitle: a\n", "not valid YAML"),
    ],
)
def test_unreadable_files_are_one_problem(text, message):
    found = problems(text)
    assert len(found) == 1 and message in found[0][2]


def test_a_missing_or_undecodable_file_is_a_problem():
    assert load_protocol(None)[1][0].message == "is missing"
    assert "UTF-8" in load_protocol("title: café".encode("latin-1"))[1][0].message


def test_ketamine_windows_have_the_stated_bounds():
    protocol, _ = load_protocol((DATA / "ketamine-chronic-pain" / "review.yaml").read_bytes())
    days = [0, 2, 2.1, 10, 10.1, 19.9, 20, 42.9, 43, 69.9, 70, 100, 100.1]
    named = [next((n for n, w in protocol.windows.items() if w.holds(d)), None) for d in days]
    assert named == [
        "immediate", "immediate", "week_1", "week_1", "week_2", "week_2", "week_4", "week_4", "week_8", "week_8",
        "week_12", "week_12", None,
    ]  # fmt: skip


_BOUND = st.integers(0, 12)


@given(a=st.tuples(_BOUND, _BOUND), b=st.tuples(_BOUND, _BOUND), ends=st.tuples(*[st.booleans()] * 4))
def test_windows_overlap_exactly_where_a_day_lies_in_both(a, b, ends):
    def window(bounds, lower, upper):
        low, high = bounds[0], bounds[0] + bounds[1] + 1
        return Window(**{"from" if lower else "over": low, "to" if upper else "below": high, "nominal": low})

    one, two = window(a, *ends[:2]), window(b, *ends[2:])
    both = any(one.holds(day) and two.holds(day) for day in np.arange(0, 30, 0.25))
    assert one.overlaps(two) == two.overlaps(one) == both


WINDOWS = {
    "early": Window(**{"from": 0, "to": 7, "nominal": 7}),
    "late": Window(over=7, below=100, nominal=28, text=("End of Trial", "6 months")),
}


@pytest.mark.parametrize(
    ("days", "text", "window"),
    [
        (7, "", "early"), (7.5, "", "late"), (np.nan, "end of trial ", "late"), (np.nan, "END OF TRIAL", "late"),
        (200, "end of trial", ""), (np.nan, "", ""), (np.nan, "day 7", "early"), (np.nan, "4 weeks", "late"),
        (np.nan, "6 months", "late"), (np.nan, "8 months", ""), (np.nan, "weeks 1-2", ""), (np.nan, "Baseline", ""),
        (0, "baseline", ""), (0, "immediately", "early"),
    ],
)  # fmt: skip
def test_one_matcher_places_a_time_point(days, text, window):
    assert window_of(WINDOWS, days, text) == window


def test_a_baseline_is_an_outcome_where_the_protocol_asks_for_it():
    assert window_of({"all": Window(any=True)}, 0, "at baseline") == ""
    assert window_of({"base": Window(text=("Baseline",))}, np.nan, "baseline") == "base"


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("4 weeks", 28), ("week 4", 28), ("Week  4", 28), ("3 months", 91), ("1 month", 30), ("6 months", 183),
        ("day 7", 7), ("7 days", 7), ("1 year", 365), ("2 years", 730), ("1.5 years", 548), ("0 days", 0),
        # anchored, ranged, relative, or no time at all
        ("3 months after treatment", None), ("weeks 1-2", None), ("1-2 weeks", None), ("end of follow-up", None),
        ("week 4 to 6", None), ("4 weeks (primary)", None), ("over 5 weeks", None), ("week", None), ("", None),
        ("day -7", None), ("first week", None), ("4", None), ("weeks 4", None),
    ],
)  # fmt: skip
def test_plain_time_points_are_read_as_days_and_no_others(text, days):
    np.testing.assert_equal(spoken_days(text), np.nan if days is None else float(days))


def test_a_named_time_point_or_a_given_day_is_not_read():
    assert np.isnan(day_of(WINDOWS, np.nan, "6 months"))
    assert day_of(WINDOWS, 3.0, "4 weeks") == 3 and day_of(WINDOWS, np.nan, "4 weeks") == 28


def test_the_year_of_a_trial_is_the_column_and_nothing_else():
    table = pd.DataFrame({"label": ["A 1999", "B 2001", "C"], "year": ["", "2003", None]})
    np.testing.assert_array_equal(years_of(table), [np.nan, 2003, np.nan])


def important(better, measure, given="", rules=""):
    text = MINIMAL.replace("measure: MD, better: lower", f"measure: {measure}, better: {better}{given}")
    binary = measure not in ("MD", "ROM")
    protocol, found = load_protocol((text.replace("continuous", "binary" if binary else "continuous") + rules).encode())
    assert isinstance(protocol, Protocol), found
    outcome, ratio = protocol.outcomes["pain"], protocol.certainty.ratio
    return outcome.bounds(measure, ratio), outcome.important(measure, ratio)


def test_one_smallest_important_difference_on_the_analysis_scale():
    value = ", smallest_important_difference: {%s: {value: %s, source: a book}}"
    low, high = np.log([0.75, 1.25])
    assert important("lower", "RR") == (pytest.approx((low, high)), pytest.approx(low))
    assert important("higher", "RR")[1] == pytest.approx(high)
    assert important("higher", "OR", value % ("OR", "[0.8, 1.5]"))[1] == pytest.approx(np.log(1.5))
    rules = "certainty: {thresholds: {ratio_lower: 0.9, ratio_upper: 1.1}}\n"
    assert important("lower", "RR", rules=rules)[0] == pytest.approx(tuple(np.log([0.9, 1.1])))
    assert important("lower", "MD") == (None, None) == important("lower", "ROM") == important("lower", "RD")
    assert important("lower", "MD", value % ("MD", "10")) == ((-10, 10), -10)
    assert important("higher", "MD", value % ("MD", "10"))[1] == 10
