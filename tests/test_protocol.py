"""The protocol: the five reviews read, every misspelling is found with a suggestion, windows hold what they say."""

from pathlib import Path

import pytest

from reweigh.protocol.read import load_protocol

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


def test_minimal_protocol_has_the_stated_defaults():
    protocol, _ = load_protocol(MINIMAL.encode())
    assert protocol is not None
    assert [m.name for m in protocol.models_of("main")] == ["cochrane", "revman-classic"]
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
