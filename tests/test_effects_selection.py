"""One result per trial, outcome and window: pairing and combining arms, windows, preferences, and every row's fate."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweigh.check import table_rules
from reweigh.effects.selection import select
from reweigh.protocol.read import load_checked
from reweigh.tables.review import check_review

PROTOCOL = """\
title: A review
question: {population: people, intervention: a, comparator: b}
words: {intervention: a, control: b}
table_source: {arms: a table, contrasts: a table}
outcomes:
  pain: {label: Pain, type: continuous, measure: SMD, also: [MD], better: lower, scale: [0, 10]}
  response: {label: Response, type: binary, measure: RR, better: higher}
windows:
  early: {from: 0, to: 7, nominal: 2}
  late: {over: 7, below: 30, nominal: 14, text: [end of trial]}
EXTRA
"""
ARMS = "study_id,role,arm,outcome,timepoint,timepoint_days,scale_min,scale_max,n,mean,sd,se,events,percent"
CONTRASTS = "study_id,outcome,timepoint,timepoint_days,measure,estimate,se,ci_lower,ci_upper,p_value,p_operator,direction,n_intervention,n_control,paired,p_test"


def run(arms="", contrasts="", extra="", studies=""):
    protocol = load_checked(PROTOCOL.replace("EXTRA", extra).encode())
    files = {"arms.csv": f"{ARMS}\n{arms}".encode()} if arms else {}
    files |= {"contrasts.csv": f"{CONTRASTS}\n{contrasts}".encode()} if contrasts else {}
    files |= {"studies.csv": studies.encode()} if studies else {}
    tables, problems = check_review(files, table_rules(protocol))
    assert not problems, problems
    return select(tables.studies, tables.arms, tables.contrasts, protocol)


def fates(selection):
    return dict(zip(selection.rows["row"], selection.rows["status"], strict=True))


def test_several_intervention_arms_are_combined():
    arms = (
        "a,intervention,low,response,day 1,1,,,30,,,,25,\n"
        "a,intervention,high,response,day 1,1,,,35,,,,28,\n"
        "a,control,placebo,response,day 1,1,,,32,,,,13,\n"
        "b,intervention,low,pain,day 1,1,0,10,10,3,1,,,\n"
        "b,intervention,high,pain,day 1,1,0,10,20,5,2,,,\n"
        "b,control,placebo,pain,day 1,1,0,10,15,6,2,,,\n"
    )
    effects = run(arms).effects.set_index(["study_id", "measure"])
    assert tuple(effects.loc[("a", "RR"), ["events_intervention", "n_intervention"]]) == (53, 65)
    combined = effects.loc[("b", "MD")]
    # Cochrane Handbook table 6.5.a, by hand
    assert combined["mean_intervention"] == pytest.approx(13 / 3)
    between = 10 * 20 / 30 * (3 - 5) ** 2
    assert combined["sd_intervention"] == pytest.approx(np.sqrt((9 * 1 + 19 * 4 + between) / 29))


def test_arms_with_person_time_are_combined_with_it():
    protocol = load_checked(PROTOCOL.replace("EXTRA", "").replace("type: binary, measure: RR", "type: rate, measure: IRR").encode())  # fmt: skip
    head = "study_id,role,arm,outcome,timepoint,timepoint_days,n,events,person_time\n"
    rows = "a,intervention,low,response,day 1,1,30,45,60\na,intervention,high,response,day 1,1,,20,40\n"
    rows += "a,control,placebo,response,day 1,1,32,13,70\n"
    tables, problems = check_review({"arms.csv": (head + rows).encode()}, table_rules(protocol))
    assert not problems
    effect = select(tables.studies, tables.arms, tables.contrasts, protocol).effects.iloc[0]
    assert effect["estimate"] == pytest.approx(np.log((65 / 100) / (13 / 70)))


def test_an_arm_of_role_other_and_a_lone_arm_are_excluded_with_a_reason():
    arms = (
        "a,intervention,x,response,day 1,1,,,30,,,,25,\n"
        "a,other,y,response,day 1,1,,,35,,,,28,\n"
        "a,control,placebo,response,day 1,1,,,32,,,,13,\n"
        "b,intervention,x,response,day 1,1,,,30,,,,25,\n"
    )
    rows = run(arms).rows.set_index("row")
    assert list(rows["status"]) == ["chosen", "excluded", "chosen", "excluded"]
    assert "role other" in rows.loc[3, "reason"]
    assert "no control arm" in rows.loc[5, "reason"] and "control" in rows.loc[5, "needed"]


def test_arms_of_a_crossover_trial_are_not_added_up():
    arms = (
        "a,intervention,low,response,day 1,1,,,12,,,,7,\n"
        "a,intervention,high,response,day 1,1,,,12,,,,8,\n"
        "a,control,placebo,response,day 1,1,,,12,,,,2,\n"
    )
    selection = run(arms, studies="study_id,design\na,crossover\n")
    assert selection.effects.empty
    assert "crossover" in selection.rows["reason"].iloc[0]


def test_arms_come_before_a_contrast_and_a_contrast_with_ci_before_a_p_value():
    arms = "a,intervention,x,pain,day 2,2,0,10,20,3,1,,,\na,control,y,pain,day 2,2,0,10,20,4,1,,,\n"
    contrasts = (
        "a,pain,d2,2,SMD,-0.5,0.2,,,,,,20,20,no,\n"
        "b,pain,d2,2,p_only,,,,,0.03,=,favours_intervention,20,20,no,\n"
        "b,pain,d7,7,SMD,-0.5,0.2,,,,,,20,20,no,\n"
    )
    selection = run(arms, contrasts)
    chosen = selection.effects[selection.effects["measure"] == "SMD"].set_index("study_id")
    assert chosen.loc["a", "reported_as"] == "arms"
    assert chosen.loc["b", "rows"] == "contrasts.csv:4"
    assert sorted(selection.rows["status"]) == ["chosen"] * 3 + ["not chosen"] * 2


def test_the_nearest_nominal_day_and_then_the_first_listed_is_chosen():
    def pair(days, name, events):
        return f"a,intervention,x,response,{name},{days},,,30,,,,{events},\na,control,y,response,{name},{days},,,30,,,,5,\n"

    selection = run(pair(7, "week", 9) + pair(1, "day", 10) + pair(3, "days", 11))
    assert selection.effects["events_intervention"].tolist() == [10]
    assert fates(selection) == {
        2: "not chosen",
        3: "not chosen",
        4: "chosen",
        5: "chosen",
        6: "not chosen",
        7: "not chosen",
    }


def test_the_protocol_can_prefer_a_table_for_a_trial():
    arms = "a,intervention,x,pain,day 2,2,0,10,20,3,1,,,\na,control,y,pain,day 2,2,0,10,20,4,1,,,\n"
    contrasts = "a,pain,d2,2,SMD,-0.2,0.2,,,,,,20,20,no,\n"
    extra = (
        "preferences: [{study: a, outcome: pain, use: contrasts, reason: the authors' own}]\n"
        "sets: {main: {label: all}, means: {label: means, preferences: [{study: a, outcome: pain, use: arms, reason: x}]}}"
    )
    effects = run(arms, contrasts, extra).effects.set_index("analysis")
    assert effects.loc["pain.early", "estimate"] == -0.2
    assert effects.loc["pain.early.means", "estimate"] < -0.9


def test_windows_take_days_and_named_time_points():
    arms = "".join(
        f"{study},intervention,x,response,{text},{day},,,30,,,,9,\n{study},control,y,response,{text},{day},,,30,,,,5,\n"
        for study, text, day in (
            ("a", "d", "7"),
            ("b", "d", "7.5"),
            ("c", "End of trial", ""),
            ("d", "baseline", ""),
            ("e", "d", "30"),
        )
    )
    selection = run(arms)
    assert dict(zip(selection.effects["study_id"], selection.effects["window"], strict=True)) == {
        "a": "early",
        "b": "late",
        "c": "late",
    }
    reasons = selection.rows.set_index("study_id")["reason"]
    assert "no window names it" in reasons["d"].iloc[0] and "day 30 lies in no window" in reasons["e"].iloc[0]


def test_a_p_value_of_another_test_is_not_converted():
    contrasts = (
        "a,pain,d2,2,p_only,,,,,0.03,=,favours_intervention,20,20,no,three_arm\n"
        "b,pain,d2,2,p_only,,,,,0.03,=,favours_intervention,20,20,no,repeated_measures\n"
        "c,pain,d2,2,p_only,,,,,0.03,=,favours_intervention,20,20,no,two_sample\n"
        "d,pain,d2,2,p_only,,,,,0.03,<,favours_intervention,20,20,no,\n"
        "e,pain,d2,2,p_only,,,,,0.03,=,none,20,20,no,\n"
    )
    extra = "sets: {main: {label: all}, signed: {label: signed, unknown_direction: favours_control}}"
    selection = run(contrasts=contrasts, extra=extra)
    assert set(selection.effects.loc[selection.effects["set"] == "main", "study_id"]) == {"c"}
    signed = selection.effects[selection.effects["set"] == "signed"].set_index("study_id")
    assert set(signed.index) == {"c", "e"} and signed.loc["e", "estimate"] > 0 > signed.loc["c", "estimate"]
    assert dict(zip(selection.rows["study_id"], selection.rows["status"], strict=True)) == {
        "a": "excluded", "b": "excluded", "c": "chosen", "d": "excluded", "e": "chosen",
    }  # fmt: skip


SHARED = """\
comparison_id,study_id,role,arm,outcome,timepoint,timepoint_days,scale_min,scale_max,n,mean,sd
a1,a,intervention,x,pain,d,2,0,10,50,4,2
a1,a,control,y,pain,d,2,0,10,90,5,2
a2,a,intervention,x,pain,d,2,0,10,50,4,2
a2,a,control,z,pain,d,2,0,10,90,6,2
"""


@pytest.mark.parametrize(("n", "expected"), [("split", 100), ("repeated", 50)])
def test_comparisons_that_share_an_arm_are_combined_unless_kept(n, expected):
    extra = (
        f"shared_arms: [{{study: a, arm: intervention, n: {n}, source: the paper}}]\n"
        "sets: {main: {label: all}, published: {label: as published, shared_arms: keep}}"
    )
    protocol = load_checked(PROTOCOL.replace("EXTRA", extra).encode())
    tables, problems = check_review({"arms.csv": SHARED.encode()}, table_rules(protocol))
    assert not problems
    effects = select(tables.studies, tables.arms, tables.contrasts, protocol).effects
    effects = effects[effects["measure"] == "SMD"]
    main, published = (effects[effects["set"] == s] for s in ("main", "published"))
    assert main["n_intervention"].tolist() == [expected] and main["n_control"].tolist() == [180]
    assert main["sd_intervention"].tolist() == [2]
    assert published["comparison_id"].tolist() == ["a1", "a2"]
    # Two squares of one trial are told apart; its one square keeps its name.
    assert main["label"].tolist() == ["a"] and published["label"].tolist() == ["a a", "a b"]


def test_comparisons_of_one_trial_get_a_letter_after_the_year():
    arms = "\n".join(
        f"{study},{one},{label},{role},pain,day 1,1,10,{mean},1"
        for study, one, label, mean in (("x", "x1", "Li 2002", 2), ("x", "x2", "Li 2002", 3), ("y", "y1", "Wu 2003", 4))
        for role in ("intervention", "control")
    )
    extra = "independent_comparisons: [{study: x, reason: two strata of the trial}]"
    protocol = load_checked(PROTOCOL.replace("EXTRA", extra).encode())
    content = f"study_id,comparison_id,label,role,outcome,timepoint,timepoint_days,n,mean,sd\n{arms}"
    tables, problems = check_review({"arms.csv": content.encode()}, table_rules(protocol))
    assert not problems, problems
    effects = select(tables.studies, tables.arms, tables.contrasts, protocol).effects
    assert effects.loc[effects["measure"] == "SMD", "label"].tolist() == ["Li 2002a", "Li 2002b", "Wu 2003"]


def test_a_set_says_why_a_trial_is_not_in_it():
    studies = "study_id,eligible,exclusion_reason,kind\na,yes,,x\nb,no,not randomised,x\nc,yes,,y\n"
    arms = "".join(
        f"{s},intervention,x,response,d,2,,,30,,,,9,\n{s},control,y,response,d,2,,,30,,,,5,\n" for s in ("a", "b", "c")
    )
    extra = (
        "categories: {kind: [x, y]}\n"
        'sets: {main: {label: x, include: {eligible: ["yes"], kind: [x]}}, wide: {label: all, include: {kind: [x, y]}}}'
    )
    selection = run(arms, extra=extra, studies=studies)
    used = selection.effects.groupby("set")["study_id"].apply(list)
    assert used["main"] == ["a"] and used["wide"] == ["a", "c"]
    assert selection.rows.set_index("study_id").loc["b", "reason"].iloc[0] == "not eligible: not randomised"


@settings(max_examples=12, deadline=None)
@given(st.permutations(range(6)), st.data())
def test_permuting_studies_permutes_the_effects_and_loses_no_row(order, data):
    rows = []
    for i in order:
        e1, e2 = data.draw(st.integers(0, 20)), data.draw(st.integers(0, 20))
        rows.append(f"s{i},intervention,x,response,d,2,,,20,,,,{e1},\ns{i},control,y,response,d,2,,,20,,,,{e2},\n")
    selection = run("".join(rows))
    assert len(selection.rows) == 12
    other = run("".join(reversed(rows)))
    columns = ["study_id", "estimate", "variance"]
    one, two = (s.effects[columns].sort_values("study_id").reset_index(drop=True) for s in (selection, other))
    pd.testing.assert_frame_equal(one, two)


def test_the_smd_variance_of_a_sets_main_model_is_that_of_its_rows():
    """The preset revman-5 brings RevMan's J = 1 - 3/(4N - 9) and variance N/(n1 n2) + g^2/(2(N - 3.94))."""
    arms = "a,intervention,x,pain,day 1,1,0,10,20,4,2,,,\na,control,y,pain,day 1,1,0,10,20,5,2,,,\n"
    row = run(arms, extra="models: [revman-5]").effects.set_index("measure").loc["SMD"]
    g = -0.5 * (1 - 3 / 151)
    assert row["estimate"] == pytest.approx(g)
    assert row["variance"] == pytest.approx(40 / 400 + g**2 / (2 * 36.06))
    assert run(arms).effects["estimate"].iloc[0] != pytest.approx(g, rel=1e-6)


def test_arms_on_different_scales_each_keep_their_own():
    """20 of 50 is 4 of 10, 50.3 of 100 is 5.03 of 10."""
    arms = "a,intervention,x,pain,day 1,1,0,50,50,20,20.2,,,\na,control,y,pain,day 1,1,0,100,48,50.3,21.1,,,\n"
    effects = run(arms).effects.set_index("measure")
    assert effects.loc["MD", "estimate"] == pytest.approx(-1.03)
    assert effects.loc["MD", "sd_intervention"] == pytest.approx(4.04)
    assert effects.loc["SMD", "mean_intervention"] == pytest.approx(40)


def test_arms_of_one_side_on_different_scales_are_not_combined():
    arms = (
        "a,intervention,low,pain,day 1,1,0,50,50,20,20.2,,,\na,intervention,high,pain,day 1,1,0,100,50,44,20.2,,,\n"
        "a,control,y,pain,day 1,1,0,100,48,50.3,21.1,,,\n"
    )
    selection = run(arms)
    assert selection.effects.empty
    assert "different scales" in selection.rows["reason"].iloc[0]


def test_the_level_of_a_printed_interval():
    head = "study_id,outcome,timepoint,timepoint_days,measure,estimate,ci_lower,ci_upper,ci_level"
    files = {
        "contrasts.csv": f"{head}\na,response,day 1,1,RR,0.8,0.6,1.07,0.9\nb,response,day 1,1,RR,0.7,0.5,0.98,\n".encode()
    }
    protocol = load_checked(PROTOCOL.replace("EXTRA", "").encode())
    tables, problems = check_review(files, table_rules(protocol))
    assert not problems, problems
    effects = select(tables.studies, tables.arms, tables.contrasts, protocol).effects.set_index("study_id")
    assert effects.loc["a", "se"] == pytest.approx(np.log(1.07 / 0.6) / (2 * 1.6448536269514722))
    assert effects.loc["b", "se"] == pytest.approx(np.log(0.98 / 0.5) / (2 * 1.9599639845400545))
    assert effects.loc["a", "derivation"] == "reported log RR; 90% CI -> SE"


def crossed(contrast, extra=""):
    """Reported form that a crossover trial with means per arm and this contrast is chosen by."""
    arms = "a,intervention,x,pain,day 1,1,0,10,20,4,2,,,\na,control,y,pain,day 1,1,0,10,20,5,2,,,\n"
    studies = "study_id,design\na,crossover\n"
    effects = run(arms, contrast, extra, studies).effects
    return effects.set_index("measure").loc["SMD", "reported_as"]


def test_a_paired_result_of_a_crossover_trial_comes_before_arms_that_need_a_correlation():
    p = "a,pain,day 1,1,p_only,,,,,{p},{op},favours_intervention,20,20,{paired},{test}\n"
    assert crossed(p.format(p=0.02, op="=", paired="yes", test="paired")) == "exact p"
    assert crossed("a,pain,day 1,1,SMD_paired,-0.5,,-0.9,-0.1,,,,20,20,yes,\n") == "contrast with CI or SE"
    for weak in (
        p.format(p=0.02, op="<", paired="yes", test="paired"),
        p.format(p=0.02, op="=", paired="no", test="two_sample"),
        p.format(p=0.02, op="=", paired="", test=""),
        p.format(p=0.02, op="=", paired="yes", test="other"),
    ):
        assert crossed(weak) == "arms"
    prefer = "preferences: [{study: a, outcome: pain, use: arms, reason: the authors' own}]\n"
    assert crossed(p.format(p=0.02, op="=", paired="yes", test="paired"), extra=prefer) == "arms"


def test_outcomes_that_are_computed_together_do_not_touch_each_other():
    pain = "".join(
        f"{study},{comparison},{role},{role},pain,day 1,1,0,10,{n},{mean},2,\n"
        for study, comparison, n, mean in (("a", "a1", 20, 3), ("a", "a2", 24, 4), ("b", "b", 30, 5))
        for role, n, mean in (("intervention", n, mean), ("control", n + 1, mean + 1))
    )
    response = "".join(
        f"{study},{study},{role},{role},response,day 1,1,,,{n},,,{events}\n"
        for study in ("a", "b")
        for role, n, events in (("intervention", 30, 20), ("control", 32, 13))
    )
    head = "study_id,comparison_id,role,arm,outcome,timepoint,timepoint_days,scale_min,scale_max,n,mean,sd,events\n"
    protocol = load_checked(PROTOCOL.replace("EXTRA", "models: [cochrane]").encode())

    def effects(rows):
        tables, problems = check_review({"arms.csv": (head + rows).encode()}, table_rules(protocol))
        assert not problems, problems
        return select(tables.studies, tables.arms, tables.contrasts, protocol).effects.drop(columns="rows")

    both = effects(pain + response)
    assert list(both["comparison_id"]) == ["a", "b", "a", "b", "a", "b"]  # the parts of a are one in pain alone
    parts = pd.concat([effects(pain), effects(response)], ignore_index=True)
    pd.testing.assert_frame_equal(both, parts, check_dtype=False)
