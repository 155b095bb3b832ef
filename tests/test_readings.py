"""Several readings of one datum: which one enters a pool, what a row says for itself, and where readings disagree."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reweigh.check import examine, table_rules
from reweigh.effects.readings import agreement, compare_readings, typed_cells
from reweigh.effects.selection import select
from reweigh.figures.forest.catalogue import plot_ids
from reweigh.pool.summarise import pooled_table, subgroup_table
from reweigh.protocol.read import load_checked
from reweigh.robustness.multiverse import multiverse_of
from reweigh.tables.review import check_review

ROOT = Path(__file__).parents[1]
KETAMINE = ROOT / "data" / "ketamine-chronic-pain"

PROTOCOL = """\
title: A review
question: {population: people, intervention: a, comparator: b}
words: {intervention: a, control: b}
table_source: {arms: a table, contrasts: a table}
outcomes:
  pain: {label: Pain, type: continuous, measure: MEASURE, better: lower, scale: [0, 10]}
windows:
  early: {text: [early]}
readings: {full: Full texts, abstract: Abstracts}
sets:
  main: {label: All, include: {comparator: [placebo]}}
  abstracts: {label: Abstracts only, reading: [abstract]}
  active_too: {label: Active comparators too, include: {comparator: [placebo, active]}}
categories:
  comparator: [placebo, active]
models: [{name: own, tau2: DL, interval: wald}]
EXTRA
"""
HEAD = (
    "study_id,comparison_id,outcome,timepoint,role,arm,comparator,design,scale_min,scale_max,n,mean,sd,se,change_mean,"
    "change_sd,reading,datum,datum_reason"
)
STUDIES = "study_id,label,comparator,design\na,A,placebo,crossover\nb,B,placebo,parallel\n"
TWO = (
    "a,,pain,early,intervention,x,,,0,10,10,4,2,,,,abstract,d,the same table\n"
    "a,,pain,early,control,y,,,0,10,10,5,2,,,,abstract,d,\n"
    "a,,pain,early,intervention,x,,parallel,0,100,8,30,,6,,,full,d,\n"
    "a,,pain,early,control,y,,parallel,0,100,8,50,,6,,,full,d,\n"
)
B = "b,,pain,early,intervention,x,,,0,10,20,3,2,,,,abstract,,\nb,,pain,early,control,y,,,0,10,20,4,2,,,,abstract,,\n"


def read(arms, extra="", measure="MD"):
    protocol = load_checked(PROTOCOL.replace("EXTRA", extra).replace("MEASURE", measure).encode())
    files = {"arms.csv": f"{HEAD}\n{arms}".encode(), "studies.csv": STUDIES.encode()}
    tables, problems = check_review(files, table_rules(protocol))
    return protocol, tables, problems, files


def run(arms, extra="", measure="MD"):
    protocol, tables, problems, _ = read(arms, extra, measure)
    assert not problems, [str(problem) for problem in problems]
    return select(tables.studies, tables.arms, tables.contrasts, protocol), protocol, tables


def of(selection, analysis):
    return selection.effects[selection.effects["analysis"] == analysis].set_index("study_id")


def test_of_each_trial_the_reading_that_the_protocol_names_first_enters_and_a_set_can_ask_for_another():
    selection, *_ = run(TWO + B)
    main, abstracts = of(selection, "pain.early"), of(selection, "pain.early.abstracts")
    assert main.loc["a", "estimate"] == pytest.approx(-2) and main.loc["a", "reading"] == "full"
    assert abstracts.loc["a", "estimate"] == pytest.approx(-1) and abstracts.loc["a", "reading"] == "abstract"
    assert list(main.index) == ["a", "b"] and list(abstracts.index) == ["a", "b"]
    other_way = PROTOCOL.replace("{full: Full texts, abstract: Abstracts}", "{abstract: Abstracts, full: Full texts}")
    protocol = load_checked(other_way.replace("EXTRA", "").replace("MEASURE", "MD").encode())
    _, tables, *_ = read(TWO)
    turned = select(tables.studies, tables.arms, tables.contrasts, protocol)
    assert of(turned, "pain.early").loc["a", "estimate"] == pytest.approx(-1)


def test_arms_of_two_readings_are_never_one_comparison_and_the_other_is_said_not_to_be_chosen():
    selection, *_ = run(TWO)
    assert len(of(selection, "pain.early")) == 1 and of(selection, "pain.early").loc["a", "n_intervention"] == 8
    only_main = PROTOCOL.replace("  abstracts: {label: Abstracts only, reading: [abstract]}\n", "")
    protocol = load_checked(only_main.replace("EXTRA", "").replace("MEASURE", "MD").encode())
    tables, _ = check_review(
        {"arms.csv": f"{HEAD}\n{TWO}".encode(), "studies.csv": STUDIES.encode()}, table_rules(protocol)
    )
    fate = select(tables.studies, tables.arms, tables.contrasts, protocol).rows.set_index("row")
    assert set(fate.loc[[2, 3], "status"]) == {"not chosen"}
    assert set(fate.loc[[2, 3], "reason_code"]) == {"another_reading reading=full"}


def test_a_reading_without_a_usable_result_leaves_the_next_one_in():
    unusable = TWO.replace("0,100,8,30,,6", "0,100,8,30,,")
    assert of(run(unusable)[0], "pain.early").loc["a", "estimate"] == pytest.approx(-1)


def test_a_row_has_its_own_design_and_its_own_comparator():
    selection, *_ = run(TWO)
    main = of(selection, "pain.early").loc["a"]
    # Two groups of 8 whose means have an SE of 0.6 each: as parallel groups.
    assert main["se"] == pytest.approx(np.sqrt(2) * 0.6)
    assert main["design"] == "parallel"
    active = (
        "b,b_active,pain,early,intervention,x,active,,0,10,20,3,2,,,,abstract,,\n"
        "b,b_active,pain,early,control,z,active,,0,10,20,3.5,2,,,,abstract,,\n"
    )
    selection, *_ = run(B.replace("b,,pain", "b,b_placebo,pain") + active)
    assert of(selection, "pain.early").loc["b", "estimate"] == pytest.approx(-1)
    # Both comparisons share the intervention arm: one comparison with both control groups.
    assert of(selection, "pain.early.active_too").loc["b", "n_control"] == 40
    rows = selection.rows.set_index("row")
    assert "active_too" in rows.loc[4, "used_in"] and "pain.early," not in rows.loc[4, "used_in"]


def test_a_row_outside_every_set_by_what_it_says_itself_is_excluded_with_that_reason():
    third = "b,b_x,pain,early,intervention,x,active,,0,10,20,3,2,,,,abstract,,\nb,b_x,pain,early,control,z,active,,0,10,20,3.5,2,,,,abstract,,\n"
    text = PROTOCOL.replace(
        "  active_too: {label: Active comparators too, include: {comparator: [placebo, active]}}\n", ""
    )
    protocol = load_checked(text.replace("EXTRA", "").replace("MEASURE", "MD").encode())
    files = {"arms.csv": f"{HEAD}\n{B}{third}".encode(), "studies.csv": STUDIES.encode()}
    tables, problems = check_review(files, table_rules(protocol))
    assert not problems
    rows = select(tables.studies, tables.arms, tables.contrasts, protocol).rows.set_index("row")
    assert rows.loc[4, "status"] == "excluded" and rows.loc[4, "reason"] == "comparator is active"


def test_changes_stand_apart_from_final_values_in_an_smd_only_where_the_protocol_says_so():
    change = (
        "a,,pain,early,intervention,x,,parallel,0,10,10,,,,-2,2,abstract,,\n"
        "a,,pain,early,control,y,,parallel,0,10,10,,,,-1,2,abstract,,\n"
    )
    apart = "assumptions: {changes_in_smd: apart}"
    assert list(of(run(change + B, measure="SMD")[0], "pain.early").index) == ["a", "b"]
    selection, protocol, tables = run(change + B, apart, "SMD")
    assert list(of(selection, "pain.early").index) == ["b"]
    lost = selection.not_pooled.set_index(["analysis", "study_id"])
    assert lost.loc[("pain.early", "a"), "reason_code"] == "change_beside_final"
    assert list(of(run(change + B, apart)[0], "pain.early").index) == ["a", "b"]  # a difference of means may be pooled
    assert list(of(run(change, apart, "SMD")[0], "pain.early").index) == ["a"]  # changes alone are alike
    found, _ = multiverse_of(tables.studies, tables.arms, tables.contrasts, protocol, "pain", "early")
    assert set(found.analyses["k"]) == {1}


def test_the_multiverse_can_ask_for_a_reading_and_reads_rows_by_their_own_comparator():
    choices = """
multiverse:
  choices:
    reading: {preferred: {}, abstracts: {reading: [abstract]}}
    comparators: {placebo: {}, active: {include: {comparator: [placebo, active]}}}
    tau2: {DL: {tau2: DL}}
    interval: {wald: {interval: wald}}
"""
    active = (
        "b,b_active,pain,early,intervention,x,active,,0,10,20,3,2,,,,abstract,,\n"
        "b,b_active,pain,early,control,z,active,,0,10,20,3.5,2,,,,abstract,,\n"
    )
    _, protocol, tables = run(TWO + B.replace("b,,pain", "b,b_placebo,pain") + active, choices)
    found, inert = multiverse_of(tables.studies, tables.arms, tables.contrasts, protocol, "pain", "early")
    assert not inert and len(found.analyses) == 4
    pooled = pooled_table(select(tables.studies, tables.arms, tables.contrasts, protocol).effects, protocol)
    ours = pooled.set_index("analysis")["estimate"]
    said = found.specifications.merge(found.analyses, left_on="analysis", right_index=True)
    said = said.set_index(["reading", "comparators"])["estimate"]
    assert said["preferred", "placebo"] == pytest.approx(ours["pain.early"])
    assert said["abstracts", "placebo"] == pytest.approx(ours["pain.early.abstracts"])
    assert said["preferred", "active"] == pytest.approx(ours["pain.early.active_too"])


def test_bad_readings_are_told_at_their_place():
    _, _, problems, _ = read(TWO.replace(",full,", ",ful,"))
    assert [(p.column, p.value) for p in problems] == [("reading", "ful")] * 2
    _, _, problems, _ = read(TWO.replace("the same table", ""))
    assert {p.column for p in problems} == {"datum_reason"} and len(problems) == 4
    _, _, problems, _ = read(TWO.replace(",full,", ",abstract,"))
    assert sum("repeats row" in p.message for p in problems) == 2
    _, _, problems, _ = read(TWO.replace("control,y,,parallel", "control,y,,crossover"))
    assert {p.column for p in problems} == {"design"}
    with pytest.raises(Exception, match="readings"):
        load_checked(
            PROTOCOL.replace("EXTRA", "").replace("MEASURE", "MD").replace("[abstract]}", "[abstrakt]}").encode()
        )


def test_readings_are_compared_within_their_rounding_on_one_scale():
    arms = (
        "a,,pain,early,intervention,x,,,0,10,30,2.68,,0.51,,,abstract,d,one table\n"
        "a,,pain,early,control,y,,,0,10,30,5.45,,0.48,,,abstract,d,\n"
        "a,,pain,early,intervention,x,,,0,100,30,26.8,27.93385,,,,full,d,\n"
        "a,,pain,early,control,y,,,0,100,30,54.6,26.290683,,,,full,d,\n"
    )
    protocol, tables, problems, files = read(arms)
    assert not problems
    found = compare_readings(tables.studies, tables.arms, tables.contrasts, protocol, typed_cells(files))
    agrees = found.set_index(["side", "quantity"])["agrees"]
    assert agrees["intervention", "mean"] == "yes" and agrees["intervention", "sd"] == "yes"
    # 54.6 to half a tenth and 54.5 to half a tenth can both be 54.55; 54.7 cannot.
    assert agrees["control", "mean"] == "yes"
    protocol, tables, _, files = read(arms.replace("54.6", "54.7"))
    found = compare_readings(tables.studies, tables.arms, tables.contrasts, protocol, typed_cells(files))
    assert found.set_index(["side", "quantity"])["agrees"]["control", "mean"] == "no"
    assert agreement(found) == (1, 6, 5)
    # As the tables are written between the stages, an empty cell is an empty text.
    written = tables.arms.assign(datum="")
    assert compare_readings(tables.studies, written, tables.contrasts, protocol).empty
    # Blank rows above do not shift the digits.
    blank = {**files, "arms.csv": files["arms.csv"].replace(b"datum_reason\n", b"datum_reason\n\n,,,,\n")}
    tables, problems = check_review(blank, table_rules(protocol))
    again = compare_readings(tables.studies, tables.arms, tables.contrasts, protocol, typed_cells(blank))
    assert not problems and list(again["tolerance"]) == list(found["tolerance"])


@pytest.fixture(scope="module")
def ketamine():
    files = {path.name: path.read_bytes() for path in KETAMINE.iterdir()}
    tables, protocol, problems = examine(files)
    assert not problems
    return tables, protocol, files, select(tables.studies, tables.arms, tables.contrasts, protocol)


def test_ketamine_has_the_numbers_of_the_cochrane_review(ketamine):
    """COCHRANE_2025.md: two estimates of public summaries, and what metafor gives beside them (a tenth, on 0-10)."""
    _, protocol, _, selection = ketamine
    keep = ["pain_intensity.term_immediate.MD.intravenous", "any_adverse_event.whole_trial.intravenous",
            "pain_intensity.term_short.MD.intravenous"]  # fmt: skip
    pooled = pooled_table(selection.effects[selection.effects["analysis"].isin(keep)], protocol)
    row = pooled.set_index(["analysis", "model"])

    def said(analysis, model, names=("estimate", "ci_lower", "ci_upper"), decimals=2, factor=1.0):
        one = row.loc[(analysis, model)]
        return [round(factor * one[f"{name}_natural"], decimals) for name in names]

    assert list(row.loc[[(name, "cochrane") for name in keep], "k"]) == [3, 4, 4]
    assert said(keep[0], "revman-classic", factor=10) == [-15.79, -32.09, 0.51]
    assert said(keep[0], "cochrane", factor=10) == [-15.80, -49.81, 18.21]
    assert said(keep[1], "revman-classic") == [3.26, 1.05, 10.09]
    assert said(keep[1], "cochrane") == [3.28, 0.52, 20.66]
    assert said(keep[2], "cochrane", ("ci_lower", "ci_upper"), 1, 10) == [-16.3, 5.6]
    assert said(keep[2], "cochrane", ("guarded_ci_lower", "guarded_ci_upper"), 1, 10) == [-21.9, 11.2]


def test_intravenous_pain_in_the_short_term_by_pain_type_says_on_how_little_it_rests(ketamine):
    _, protocol, _, selection = ketamine
    analysis = "pain_intensity.term_short.MD.intravenous"
    table = subgroup_table(selection.effects[selection.effects["analysis"] == analysis], protocol)
    mine = table[(table["column"] == "pain_type") & (table["model"] == "cochrane")].set_index("subgroup")["k"]
    assert mine.to_dict() == {"Complex regional pain syndrome": 2, "Neuropathic pain": 1, "Fibromyalgia": 1}
    first = table[table["column"] == "pain_type"].iloc[0]
    assert 0 < first["q_between_p_value"] < 1 and "2 of 3 subgroups rest on one trial" in first["q_between_note"]
    claims = (KETAMINE / "claims.yaml").read_text()
    assert "rule: subgroup_larger" in claims
    for line in claims.splitlines():
        assert not ("term_short" in line and "subgroup_larger" in line)
    assert f"{analysis}.by_pain_type" in plot_ids(selection.effects, protocol, selection.units)


def test_every_row_of_the_cochrane_review_comes_back_as_revman_printed_it(ketamine):
    """RevMan's own results of rows, which the tables do not hold: evidence that the numbers were entered as they stand."""
    source = ROOT.parent / "shared" / "evidence" / "ketamine-chronic-pain" / "cochrane_2025_arms.csv"
    if not source.exists():
        pytest.skip("the shared evidence is not here")
    printed = pd.read_csv(source).drop_duplicates(["study_id", "comparison", "outcome", "timepoint"])
    tables, protocol, *_ = ketamine
    arms = tables.arms[tables.arms["reading"] == "cochrane_2025"]
    assert len(arms) == 144
    keep = protocol.model_copy(
        update={"outcomes": {name: one.model_copy(update={"measure": "MD" if one.type == "continuous" else "RR", "also": ()})
                             for name, one in protocol.outcomes.items()},
                "sets": {"main": protocol.sets["main"].model_copy(
                    update={"include": {}, "shared_arms": "keep", "crossover": "as_independent"})}}
    )  # fmt: skip
    contrasts = tables.contrasts[tables.contrasts["reading"] == "cochrane_2025"]
    found = select(tables.studies, arms, contrasts, keep).effects
    window = {text: name for name, one in protocol.windows.items() for text in one.text}
    printed = printed[printed["outcome"].isin(protocol.outcomes)]
    printed["window"] = printed["timepoint"].map(window)
    came = 0
    for _, row in printed[printed["review_effect"].notna()].iterrows():
        mine = found[(found["study_id"] == row["study_id"]) & (found["outcome"] == row["outcome"])
                     & (found["window"] == row["window"])]  # fmt: skip
        factor = 10 if row["outcome"] == "pain_intensity" else 1
        near = np.isclose(factor * mine["estimate_natural"].to_numpy(), row["review_effect"], atol=2e-6)
        if not len(mine):  # no events on either side
            continue
        assert near.any(), row[["study_id", "comparison", "outcome", "timepoint"]].tolist()
        came += 1
    assert came >= 50


def test_ketamines_readings_are_compared_and_counted(ketamine):
    tables, protocol, files, _ = ketamine
    found = compare_readings(tables.studies, tables.arms, tables.contrasts, protocol, typed_cells(files))
    by = found.set_index(["study_id", "datum", "reading", "other_reading", "side", "quantity"]).sort_index()
    same = by.loc[("sigtermans2009", "pain_week_1", "cochrane_2025", "abstract")]
    assert set(same["agrees"]) == {"yes"} and len(same) == 6
    contradiction = by.loc[("sigtermans2009", "psychotomimetic", "cochrane_2025", "abstract")]
    assert contradiction.loc[("intervention", "percent"), "agrees"] == "no"
    assert contradiction.loc[("intervention", "percent"), ["value", "other_value"]].tolist() == [
        pytest.approx(2800 / 30),
        76,
    ]
    assert contradiction.loc[("control", "percent"), ["value", "other_value"]].tolist() == [pytest.approx(500 / 30), 18]
    assert {"lumanauw2019", "noppers2011", "pickering2020", "schwartzman2009"} <= set(found["study_id"])
    assert not set(found.loc[found["agrees"] == "no", "study_id"]) - {"lumanauw2019", "pickering2020", "sigtermans2009"}


def test_changes_of_ketamine_never_stand_in_an_smd_with_final_values(ketamine):
    *_, selection = ketamine
    pain = selection.effects[selection.effects["outcome"] == "pain_intensity"]
    smd = pain[(pain["measure"] == "SMD") & pain["window"].str.startswith("term_")]
    assert not smd["study_id"].isin(["nct00961194", "lynch2005"]).any()
    assert {"nct00961194", "lynch2005"} <= set(pain.loc[pain["measure"] == "MD", "study_id"])
    lost = selection.not_pooled
    said = lost[lost["reason_code"] == "change_beside_final"]
    assert {("nct00961194", "pain_intensity.term_short"), ("lynch2005", "pain_intensity.term_immediate")} <= set(
        zip(said["study_id"], said["analysis"], strict=True)
    )


def test_no_term_is_turned_into_days(ketamine):
    tables, protocol, *_ = ketamine
    terms = tables.arms[tables.arms["timepoint"].fillna("").str.contains("-term")]
    assert len(terms) and terms["timepoint_days"].isna().all()
    assert all(protocol.windows[name].nominal is None for name in ("term_immediate", "term_short", "term_medium"))


def test_active_comparators_of_trials_with_a_placebo_stand_in_their_set_only(ketamine):
    *_, selection = ketamine
    main = selection.comparisons[selection.comparisons["set"] == "main"]
    assert not main["comparison_id"].isin(["lynch2005_amitriptyline", "niesters2013_morphine"]).any()
    assert not main["study_id"].isin(["rigo2017", "dadabayev2020"]).any()
    active = selection.comparisons[selection.comparisons["set"] == "with_active_comparators"]
    assert {"rigo2017", "dadabayev2020"} <= set(active["study_id"])
    morphine = active[(active["study_id"] == "niesters2013") & (active["outcome"] == "any_adverse_event")]
    assert morphine["n_control"].sum() == 7  # four with placebo and three with morphine
