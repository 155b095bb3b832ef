"""Subgroups of rows: one trial in two of them, pooled as RevMan does or once per trial, from the check to the page."""

import json
import re
from itertools import permutations

import pandas as pd
import pytest

from conftest import ROOT
from pipeline import build
from reweigh.check import examine
from reweigh.effects.selection import select
from reweigh.io import read_csv
from reweigh.pool.summarise import pooled_table

REFERENCE = json.loads((ROOT / "tests" / "reference" / "pool_row_subgroups.json").read_text())
PROTOCOL = """\
title: T
question: {population: P, intervention: I, comparator: C}
words: {intervention: drug, control: placebo}
table_source: {arms: made up for this test, contrasts: made up for this test}
outcomes: {event: {label: Event, type: binary, measure: RR, better: lower}}
categories: {age: {young: Young people, old: Old people}}
row_subgroups: [age]
models: [revman-classic, cochrane]
"""
#: Trial A has a comparison in each age; D has two doses against one placebo group.
ROWS = (
    ("A", "A.1", "young", "drug", 5, 50, 10, 50), ("A", "A.2", "old", "drug", 7, 40, 9, 40),
    ("B", "B", "young", "drug", 6, 60, 12, 60), ("C", "C", "old", "drug", 10, 80, 14, 80),
    ("D", "D.1", "young", "low", 4, 30, 8, 30), ("D", "D.2", "young", "high", 2, 30, 8, 30),
)  # fmt: skip


def arms(rows=ROWS, **change):
    """arms.csv of these comparisons; `change`: (position, column) to a cell."""
    table = []
    for study, comparison, age, arm, a, n1, c, n2 in rows:
        same = {"study_id": study, "comparison_id": comparison, "outcome": "event", "age": age}
        table.append({**same, "arm": arm, "role": "intervention", "n": n1, "events": a})
        table.append({**same, "arm": "placebo", "role": "control", "n": n2, "events": c})
    for (at, column), cell in change.get("cells", {}).items():
        table[at][column] = cell
    return pd.DataFrame(table).drop(columns=change.get("without", [])).to_csv(index=False).encode()


def files(models=("revman-classic", "cochrane"), **more):
    protocol = PROTOCOL.replace("revman-classic, cochrane", ", ".join(models))
    return {"review.yaml": protocol.encode(), "arms.csv": arms(), **more}


def selected(given):
    tables, protocol, problems = examine(given)
    assert not problems, [str(p) for p in problems]
    return select(tables.studies, tables.arms, tables.contrasts, protocol), protocol


@pytest.fixture(scope="module", params=list(permutations(("revman-classic", "cochrane"))), ids="-".join)
def built(request, tmp_path_factory):
    """The whole review with either model as the main one."""
    return request.param[0], build(files(request.param), tmp_path_factory.mktemp("rows"), figures=True)


@pytest.mark.parametrize("model", REFERENCE)
def test_each_row_and_each_trial_are_pooled_as_metafor_does(built, model):
    """Totals, subtotals and the test between them, whichever model is the main one."""
    known = REFERENCE[model]
    total = read_csv(built[1] / "pooled.csv").set_index("model").loc[model]
    parts = read_csv(built[1] / "subgroups.csv").query("model == @model").set_index("subgroup")
    for row, said in (
        (total, known["total"]),
        *((parts.loc[f"{a.title()} people"], s) for a, s in known["subgroups"].items()),
    ):
        assert {n: float(row[n]) for n in said} == pytest.approx(said, rel=1e-7, abs=1e-9)
    assert parts["q_between"].astype(float).tolist() == pytest.approx([known["q_between"]] * 2, rel=1e-7)
    assert total["k"] == 4 and parts["k"].tolist() == [3, 2], "trials, whatever is pooled"
    noted = "4 rows of 2 trial(s) are pooled as if each were a trial of its own, as RevMan does"
    assert (noted in total["note"]) == (model == "revman-classic")
    assert ("rows_as_trials rows=2 trials=1" in parts["note_codes"].iloc[0]) == (model == "revman-classic")
    assert "rows_as_trials" not in parts["note_codes"].iloc[1]


def test_the_tables_hold_the_units_of_the_main_model_and_the_others_beside_them(built):
    main, results = built
    effects, units = read_csv(results / "effects.csv"), read_csv(results / "units.csv")
    weights = read_csv(results / "weights.csv").groupby("model")["comparison_id"].apply(list)
    rows = ["A.1", "A.2", "B", "C", "D.1", "D.2"]
    assert weights["revman-classic"] == rows and weights["cochrane"] == ["A", "B", "C", "D"]
    assert effects["comparison_id"].tolist() == weights[main]
    held = {name: part["comparison_id"].tolist() for name, part in units.groupby("units")}
    assert held == {"by_age": ["B", "C", "D", "A.1", "A.2"]} | (
        {"trial": ["A", "B", "C", "D"]} if main == "revman-classic" else {"row": rows}
    )
    whole = (effects if main == "cochrane" else units[units["units"] == "trial"]).set_index("comparison_id")
    assert whole["age"].to_dict() == {"A": "young; old", "B": "young", "C": "old", "D": "young"}
    assert read_csv(results / "not_pooled.csv").empty
    assert set(read_csv(results / "rows.csv")["status"]) == {"chosen"}


def test_a_trial_leaves_with_all_its_rows(built):
    main, results = built
    left = read_csv(results / "robustness" / "leave_one_out.csv").set_index("left_out")
    assert list(left.index) == ["A", "B", "C", "D"] and (left["k"] == 3).all()
    assert left["comparisons"].tolist() == ([4, 5, 5, 4] if main == "revman-classic" else [3] * 4)
    assert left["label"].tolist()[0] == ("A a, A b" if main == "revman-classic" else "A")
    rest, protocol = selected(files((main,), **{"arms.csv": arms(ROWS[2:])}))
    table = pooled_table(rest.effects, protocol, "own", units=rest.units)
    assert float(left.loc["A", "estimate"]) == pytest.approx(float(table["estimate"].iloc[0]), rel=1e-9)


def test_the_forest_plot_shows_a_trial_under_each_of_its_subgroups(built):
    main, results = built
    text = re.sub(r"<[^>]+>", "\n", (results / "figures" / "forest" / "event.all.by_age.svg").read_text())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    at = {name: i for i, name in enumerate(lines)}
    rows = [name for name in ("A a", "B", "A b", "C") if name in at]
    assert rows == ["A a", "B", "A b", "C"] and at["A a"] < at["Old people"] < at["A b"]
    assert "34/290" in lines or main == "cochrane", "no patient of A counts twice in a total by trial"
    assert ("This trial stands in several subgroups by age: once in each, and once in the total" in text) == (
        main == "cochrane"
    )
    page = (results / "report.html").read_text()
    assert 'id="fig-event.all.by_age"' in page and "Every main analysis was split by age" in page


def test_the_explorer_has_both_ways_to_count(built):
    main, results = built
    data = json.loads(
        re.search(r'id="explorer-data"[^>]*>(.*?)</script>', (results / "report.html").read_text(), re.S)[1]
    )
    names = list(data["models"])
    ways = {
        one["set"]: (one["label"], len(one["trials"]), [names[at] for at in one["models"]])
        for one in data["analyses"][0]["datasets"]
    }
    rows, trials = ("main", "main.trial") if main == "revman-classic" else ("main.row", "main")
    assert set(ways) == {rows, trials}
    assert (ways[rows][1], ways[trials][1]) == (6, 4)
    assert "each comparison by itself" in ways[rows][0] and "each trial once" in ways[trials][0]
    assert (
        ways[rows][2] == ["revman-classic"]
        and "cochrane" in ways[trials][2]
        and "revman-classic" not in ways[trials][2]
    )


def test_the_multiverse_begins_with_the_main_analysis(built):
    results = built[1]
    first = read_csv(results / "robustness" / "multiverse.csv").iloc[0]
    pooled = read_csv(results / "pooled.csv").iloc[0]
    assert (first["estimate"], first["comparisons"]) == (pytest.approx(pooled["estimate"]), pooled["comparisons"])


def test_rows_of_contrasts_have_subgroups_too():
    rows = [("A", "A.1", "young", -0.7, 0.5), ("A", "A.2", "old", -0.2, 0.45), ("B", "B", "old", -0.5, 0.4), ("E", "E", "", 0.1, 0.6)]  # fmt: skip
    head = ["study_id", "comparison_id", "age", "estimate", "se"]
    table = pd.DataFrame(rows, columns=head).assign(outcome="event", measure="RR", estimate_scale="log")
    chosen, _ = selected({"review.yaml": PROTOCOL.encode(), "contrasts.csv": table.to_csv(index=False).encode()})
    assert chosen.effects["age"].tolist() == ["young", "old", "old", ""]
    assert chosen.units.loc[chosen.units["units"] == "trial", "age"].tolist() == ["young; old", "old", ""]


@pytest.mark.parametrize(
    ("change", "file", "row", "column", "value", "message"),
    [
        ({"cells": {(1, "age"): "old"}}, "arms.csv", 3, "age", "old", "is not the age of the other arm of comparison A.1"),
        ({"cells": {(1, "age"): ""}}, "arms.csv", 3, "age", "", "is not the age of the other arm of comparison A.1"),
        ({"cells": {(0, "age"): "yung", (1, "age"): "yung"}}, "arms.csv", 2, "age", "yung", 'did you mean "young"'),
        ({"without": ["age"]}, "arms.csv", 1, "age", "", "the column is missing, which review.yaml names under row_subgroups"),
    ],
)  # fmt: skip
def test_what_a_row_cannot_say_is_found(change, file, row, column, value, message):
    problems = examine(files(**{"arms.csv": arms(**change)}))[2]
    found = [(p.file, p.row, p.column, p.value) for p in problems if message in p.message]
    assert found[:1] == [(file, row, column, value)], [str(p) for p in problems]


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        ("row_subgroups: [age]", "row_subgroups: [sex]", "is no column with categories"),
        (
            "row_subgroups: [age]",
            "row_subgroups: [age]\nsubgroups: [age]",
            "stands in subgroups or groupings, or twice",
        ),
        ("row_subgroups: [age]", "row_subgroups: [measure]\n", "is no column with categories"),
    ],
)
def test_a_protocol_that_cannot_be_is_found(was, becomes, message):
    problems = examine({"review.yaml": PROTOCOL.replace(was, becomes).encode(), "arms.csv": arms()})[2]
    assert [p.column for p in problems] == ["row_subgroups.0"] and message in problems[0].message


def test_without_trials_of_several_comparisons_there_are_no_other_units():
    chosen, protocol = selected(files(**{"arms.csv": arms(ROWS[2:4])}))
    assert chosen.units.empty and len(chosen.effects) == 2
    table = pooled_table(chosen.effects, protocol, "own", units=chosen.units)
    assert table["comparisons"].tolist() == [2, 2] and not table["note_codes"].str.contains("rows_as_trials").any()


def test_comparisons_that_share_no_patients_stand_by_themselves_in_the_total_too():
    independent = "independent_comparisons: [{study: A, reason: two strata of patients}]\n"
    given = files(("cochrane", "revman-classic"))
    chosen, _ = selected(given | {"review.yaml": given["review.yaml"] + independent.encode()})
    assert chosen.effects[["comparison_id", "age"]].to_numpy().tolist() == [
        ["A.1", "young"], ["A.2", "old"], ["B", "young"], ["C", "old"], ["D", "young"],
    ]  # fmt: skip
    assert (
        set(chosen.units["units"]) == {"row"}
        and not chosen.effects["assumption_codes"].str.contains("in_subgroups").any()
    )


def test_an_outcome_without_split_trials_gets_no_units_by_subgroup_from_another():
    both = PROTOCOL.replace("outcomes: {", "outcomes: {death: {label: D, type: binary, measure: RR, better: lower}, ")
    split = arms().decode()
    doses = arms([row for row in ROWS if row[0] in "BCD"]).decode().replace(",event,", ",death,").partition("\n")[2]
    units = {}
    for name, table in (("both", split + doses), ("split", split), ("doses", split.partition("\n")[0] + "\n" + doses)):
        units[name] = selected({"review.yaml": both.encode(), "arms.csv": table.encode()})[0].units.drop(columns="rows")
    apart = pd.concat([units["doses"], units["split"]], ignore_index=True)
    pd.testing.assert_frame_equal(units["both"], apart, check_dtype=False)
    assert set(units["split"]["units"]) > set(units["doses"]["units"])


def test_rows_of_which_none_can_be_pooled_are_missing_with_a_reason():
    given = {"arms.csv": arms([ROWS[2]]), "studies.csv": b"study_id,design\nB,crossover\n"}
    chosen, protocol = selected(files(("revman-5", "cochrane"), **given))
    row = pooled_table(chosen.effects, protocol, units=chosen.units).set_index("model").loc["revman-5"]
    assert pd.isna(row["estimate"]) and row["note_codes"].startswith("pooling_needs_counts")
