"""Comparisons that share patients, and what is not pooled: metafor's aggregate(), every design, no row lost."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reweigh.check import check, table_rules
from reweigh.effects.aggregate import aggregate, counted_once
from reweigh.effects.candidates import build_candidates
from reweigh.effects.pages import SWEEP_COLUMNS, crossover_sweep, dependence_sweep, worked_pages
from reweigh.effects.selection import EFFECT_COLUMNS, NOT_POOLED_COLUMNS, exclusions, select
from reweigh.flags import notices_of
from reweigh.pool.dependence import sampling_covariance
from reweigh.pool.summarise import pooled_table, sweep_table
from reweigh.protocol.read import load_checked, load_protocol
from reweigh.robustness.multiverse import multiverse_of
from reweigh.tables.review import check_review
from reweigh.text.codes import has, parse
from reweigh.text.selection import REASONS, SENTENCES

R = json.loads((Path(__file__).parent / "reference" / "effects_aggregate.json").read_text())

PROTOCOL = """\
title: A review
question: {population: people, intervention: a, comparator: b}
words: {intervention: a, control: b}
table_source: {arms: a table, contrasts: a table}
outcomes:
  pain: {label: Pain, type: continuous, measure: MD, also: [SMD], better: lower}
  response: {label: Response, type: binary, measure: OR, also: [RR, RD], better: lower}
  death: {label: Death, type: time_to_event, measure: HR, better: lower}
windows:
  early: {from: 0, to: 10, nominal: 2}
  end: {over: 10, to: 400, nominal: 28, text: [end]}
"""
ARMS = "study_id,comparison_id,role,arm,outcome,timepoint,timepoint_days,n,mean,sd,events,median,q1,q3"
CONTRASTS = "study_id,comparison_id,outcome,timepoint,measure,estimate,se,ci_lower,ci_upper,p_value,p_operator,n_intervention,n_control"
HR = """\
xx,xx1,death,end,HR,0.73,,0.55,0.98,,,122,62
yy,yy1,death,end,HR,0.69,,0.51,0.92,,,82,81
yy,yy2,death,end,HR,0.65,,0.46,0.90,,,80,81
zz,zz1,death,end,HR,0.88,,0.70,1.11,,,100,100
"""
KEEP = "sets: {main: {label: all}, published: {label: as published, shared_arms: keep}}\n"


def run(arms="", contrasts="", extra="", studies=""):
    protocol = load_checked((PROTOCOL + extra).encode())
    files = {"arms.csv": f"{ARMS}\n{arms}".encode()} if arms else {}
    files |= {"contrasts.csv": f"{CONTRASTS}\n{contrasts}".encode()} if contrasts else {}
    files |= {"studies.csv": studies.encode()} if studies else {}
    tables, problems = check_review(files, table_rules(protocol))
    assert not problems, problems
    return select(tables.studies, tables.arms, tables.contrasts, protocol), protocol, tables


def of(effects, analysis):
    return effects[effects["analysis"] == analysis].reset_index(drop=True)


@pytest.mark.parametrize("name", R)
@pytest.mark.parametrize("at", range(4))
def test_one_effect_per_trial_is_metafors_aggregate(name, at):
    data, by = R[name], R[name]["by"][at]
    labels, yi, vi = aggregate(data["yi"], data["vi"], data["study"], rho=by["rho"])
    assert list(labels) == by["study"]
    np.testing.assert_allclose([yi, vi], [by["yi"], by["vi"]], rtol=1e-10)


@pytest.mark.parametrize("at", range(4))
def test_two_hazard_ratios_of_one_placebo_group_are_one_effect(at):
    by = R["hr"]["by"][at]
    extra = f"assumptions: {{comparison_correlation: {by['rho']}}}\n"
    selection, protocol, _ = run(contrasts=HR, extra=extra)
    effects = selection.effects
    np.testing.assert_allclose(effects[["estimate", "variance"]].to_numpy().T, [by["yi"], by["vi"]], rtol=1e-9)
    assert effects["comparison_id"].tolist() == ["xx1", "yy", "zz1"]
    yy = effects.iloc[1]
    assert (yy["n_intervention"], yy["n_control"], yy["label"]) == (162, 81, "yy")
    assert yy["rows"] == "contrasts.csv:3, contrasts.csv:4"
    assert has(yy["derivation_codes"], "aggregated") and "yy1, yy2" in yy["derivation"]
    assert f"correlation {by['rho']:g}" in yy["assumptions"]
    row = pooled_table(effects, protocol).iloc[0]
    assert (row["k"], row["participants"]) == (3, 627)
    np.testing.assert_allclose(
        [row["estimate"], row["ci_lower"], row["ci_upper"]], [by["pooled"], *by["ci"]], rtol=1e-6
    )


def test_the_swept_correlation_at_the_protocols_value_is_the_main_analysis():
    selection, protocol, tables = run(contrasts=HR)
    sweep = dependence_sweep(selection, protocol)
    assert sweep["correlation"].tolist() == [i / 10 for i in range(10)]
    assert (sweep["parameter"] == "rho").all() and (sweep["comparison_id"] == "yy").all()
    pooled = sweep_table(selection.effects, sweep, protocol).set_index("protocol")
    main = pooled_table(selection.effects, protocol).iloc[0]
    assert pooled.loc["yes", "estimate"] == pytest.approx(main["estimate"], rel=1e-12)
    assert pooled.loc["yes", "ci_upper"] == pytest.approx(main["ci_upper"], rel=1e-12)
    one = next(by for by in R["hr"]["by"] if by["rho"] == 0.9)
    assert pooled.loc["no", "estimate"].iloc[-1] == pytest.approx(one["pooled"], rel=1e-6)
    pages = worked_pages(selection, {"arms.csv": tables.arms, "contrasts.csv": tables.contrasts}, protocol)
    page = pages["yy.death.end.md"]
    assert (
        page.startswith("# yy: Death")
        and "comparison yy2" in page
        and f"{selection.effects['variance'][1]:.6g}" in page
    )
    assert len(pages) == 3


def test_a_set_that_keeps_comparisons_pools_each_and_says_so():
    selection, protocol, _ = run(contrasts=HR, extra=KEEP)
    published = of(selection.effects, "death.end.published")
    assert published["comparison_id"].tolist() == ["xx1", "yy1", "yy2", "zz1"]
    assert published["label"].tolist() == ["xx", "yy a", "yy b", "zz"]
    assert [has(codes, "kept_comparisons") for codes in published["assumption_codes"]] == [False, True, True, False]
    covariance, said = sampling_covariance(published, protocol)
    se = published["se"]
    assert covariance[1, 2] == pytest.approx(0.5 * se[1] * se[2]) and covariance[0, 1] == 0 and "0.5" in said


def test_independent_comparisons_are_never_aggregated_and_a_note_says_so():
    extra = "independent_comparisons: [{study: yy, reason: men and women}]\n"
    selection, protocol, _ = run(contrasts=HR, extra=extra)
    assert selection.effects["comparison_id"].tolist() == ["xx1", "yy1", "yy2", "zz1"]
    said = selection.effects["assumptions"].tolist()
    assert (
        said[1] == said[2] == "comparisons of this trial share no patients: men and women" and said[0] == said[3] == ""
    )
    covariance, _ = sampling_covariance(selection.effects, protocol)
    assert (covariance == np.diag(np.diag(covariance))).all()
    assert dependence_sweep(selection, protocol).empty


def test_a_trial_is_independent_or_shares_an_arm_and_both_name_a_study():
    both = "shared_arms: [{study: a, arm: control, n: split, source: x}]\nindependent_comparisons: [{study: a, reason: strata}]\n"
    assert "one of the two" in load_protocol((PROTOCOL + both).encode())[1][0].message
    for rho in ("-0.1", "1"):
        assert load_protocol((PROTOCOL + f"assumptions: {{comparison_correlation: {rho}}}\n").encode())[0] is None
    text = (PROTOCOL + "independent_comparisons: [{study: yyy, reason: strata}]\n").encode()
    _, report = check({"review.yaml": text, "contrasts.csv": f"{CONTRASTS}\n{HR}".encode()}, "x")
    assert "independent_comparisons" in report and 'did you mean "yy"' in report


def trio(control=("placebo", 40, 6, 2), second=None, arm=("x", "y")):
    """Two comparisons of one trial: arms x and y, each against the control."""
    rows = ""
    for name, label, mean, other in zip(("c1", "c2"), arm, (4, 5), (control, second or control), strict=True):
        rows += f"a,{name},intervention,{label},pain,d,28,30,{mean},2,,,,\n"
        rows += f"a,{name},control,{other[0]},pain,d,28,{other[1]},{other[2]},{other[3]},,,,\n"
    return rows


def test_an_arm_of_the_same_label_n_and_results_is_shared():
    selection, _, _ = run(trio())
    row = of(selection.effects, "pain.end").iloc[0]
    assert (row["comparison_id"], row["n_intervention"], row["n_control"]) == ("a", 60, 40)
    assert row["mean_intervention"] == 4.5 and row["mean_control"] == 6
    assert has(row["derivation_codes"], "arm_counted_once") and has(row["derivation_codes"], "arms_combined")
    keep = of(run(trio(), extra=KEEP)[0].effects, "pain.end.published")
    assert keep["n_control"].tolist() == [40, 40]
    split = run(trio(), extra="sets: {main: {label: all, shared_arms: split}}\n")[0].effects
    split = of(split, "pain.end")
    assert split["comparison_id"].tolist() == ["c1", "c2"] and split["n_control"].tolist() == [20, 20]
    np.testing.assert_allclose(split["variance"], 4 / 30 + 4 / 20)
    assert all(has(codes, "arm_split") for codes in split["derivation_codes"])


@pytest.mark.parametrize(
    "given",
    [
        {"second": ("placebo", 38, 6, 2)},  # another n
        {"second": ("usual care", 40, 6, 2)},  # another label
        {"second": ("placebo", 40, 6.5, 2)},  # other results
        {"control": ("", 40, 6, 2)},  # no label: nobody knows
    ],
)
def test_other_comparisons_of_one_trial_become_one_effect(given):
    selection, _, _ = run(trio(**given))
    rows = of(selection.effects, "pain.end")
    assert rows["comparison_id"].tolist() == ["a"] and has(rows["derivation_codes"][0], "aggregated")
    assert rows["n_intervention"][0] == 60 and rows["n_control"][0] == 40
    parts = of(selection.comparisons, "pain.end")
    assert parts["comparison_id"].tolist() == ["c1", "c2"] and parts["unit"].tolist() == ["a", "a"]
    assert len(selection.reported) == len(selection.comparisons)
    assert set(selection.rows["status"]) == {"chosen"}


def test_shared_arms_that_cannot_be_combined_are_not_lost():
    rows = ""
    for name, label in (("c1", "x"), ("c2", "y")):
        rows += f"a,{name},intervention,{label},pain,d,28,30,,,,5,4,6\na,{name},control,placebo,pain,d,28,40,,,,6,5,7\n"
    effects = of(run(rows)[0].effects, "pain.end")
    assert effects["comparison_id"].tolist() == ["a"] and has(effects["derivation_codes"][0], "aggregated")


def test_a_time_point_with_arms_of_no_side_only_is_excluded_with_its_reason():
    rows = "a,c1,other,usual care,pain,d,2,30,5,1,,,,\n"
    rows += "a,c1,intervention,x,pain,d,28,30,5,1,,,,\na,c1,control,y,pain,d,28,30,6,1,,,,\n"
    extra = "shared_arms: [{study: a, arm: control, n: repeated, source: the paper}]\n"
    selection = run(rows, extra=extra)[0]
    assert selection.rows["status"].tolist() == ["excluded", "chosen", "chosen"]
    assert has(selection.rows["reason_code"][0], "role_other")


@pytest.mark.parametrize("design", ["parallel", "crossover", "first_period", "cluster"])
@pytest.mark.parametrize("comparisons", [0, 1, 2])
def test_none_one_and_two_contrasts_of_one_study_in_every_design(design, comparisons):
    rows = "".join(f"a,a{i},pain,end,MD,{-i},0.5,,,,,20,20\n" for i in range(1, comparisons + 1))
    rows = rows or "a,a1,pain,end,MD,-1,,,,0.001,<,20,20\n"
    selection, protocol, tables = run(contrasts=rows, studies=f"study_id,design\na,{design}\n")
    effects = of(selection.effects, "pain.end")
    assert len(effects) == (comparisons > 0)
    assert len(of(selection.not_pooled, "pain.end")) == (comparisons == 0)
    pooled = pooled_table(selection.effects, protocol)
    assert (pooled.loc[pooled["analysis"] == "pain.end", "k"] == 1).all()
    if comparisons == 2:
        everyone = {"crossover": (20, 20)}.get(design, (40, 20))
        assert (effects["n_intervention"][0], effects["n_control"][0]) == everyone
        assert effects["estimate"][0] == pytest.approx(-1.5) and effects["variance"][0] == pytest.approx(0.75 * 0.25)
    for table in (crossover_sweep(selection, protocol), dependence_sweep(selection, protocol)):
        assert tuple(table) == SWEEP_COLUMNS
    worked_pages(selection, {"arms.csv": tables.arms, "contrasts.csv": tables.contrasts}, protocol)


def test_nothing_usable_gives_every_table_with_its_columns():
    selection, protocol, tables = run(contrasts="a,a1,other,end,MD,-1,0.5,,,,,20,20\n")
    assert set(EFFECT_COLUMNS) <= set(selection.effects) and set(selection.effects) < set(selection.comparisons)
    assert tuple(selection.not_pooled) == NOT_POOLED_COLUMNS and selection.effects.empty and selection.not_pooled.empty
    assert parse(exclusions(selection.rows)["reason_code"][0])[0].parameters == {"outcome": "other", "near": ""}
    assert crossover_sweep(selection, protocol).empty and dependence_sweep(selection, protocol).empty
    assert not worked_pages(selection, {"contrasts.csv": tables.contrasts}, protocol)
    empty = [table.head(0) for table in (tables.studies, tables.arms, tables.contrasts)]
    none = select(*empty, protocol)
    for name in ("effects", "rows", "not_pooled"):
        assert list(getattr(none, name)) == list(getattr(selection, name)) and getattr(none, name).empty


@pytest.mark.parametrize(
    ("n1", "n2", "design", "arm", "expected"),
    [
        ((82, 80), (81, 81), "parallel", None, (162, 81, "control")),
        ((50, 50), (40, 45), "parallel", None, (50, 85, "intervention")),
        ((50, 50), (50, 50), "parallel", None, (100, 50, "control")),
        ((50, 51), (40, 45), "parallel", None, (101, 45, "control")),
        ((50, 50), (40, 45), "parallel", ("control", "repeated"), (100, 45, "control")),
        ((25, 25), (40, 45), "parallel", ("intervention", "split"), (50, 85, "intervention")),
        ((20, 20), (20, 20), "crossover", None, (20, 20, "crossover")),
        ((np.nan, 20), (np.nan, np.nan), "parallel", None, (20, np.nan, "intervention")),
    ],
)
def test_a_patient_counts_once(n1, n2, design, arm, expected):
    part = pd.DataFrame({"n_intervention": n1, "n_control": n2, "design": design})
    np.testing.assert_equal(counted_once(part, arm)[:2], expected[:2])
    assert counted_once(part, arm)[2] == expected[2]


def test_the_whole_trial_comes_before_its_parts_only_where_it_is_reported_better():
    whole = "a,a,intervention,x,pain,d,28,30,4,2,,,,\na,a,control,y,pain,d,28,30,6,2,,,,\n"
    parts = "a,a1,pain,end,MD,-1,0.5,,,,,20,20\na,a2,pain,end,MD,-3,0.5,,,,,20,20\n"
    better = of(run(whole, parts)[0].effects, "pain.end")
    assert better["reported_as"].tolist() == ["arms"] and better["n_intervention"].tolist() == [30]
    same = of(run(contrasts=parts + "a,a,pain,end,MD,-2,0.4,,,,,40,20\n")[0].effects, "pain.end")
    assert same["rows"].tolist() == ["contrasts.csv:2, contrasts.csv:3"]


def test_the_multiverse_aggregates_as_the_main_analysis():
    extra = "multiverse: {choices: {arms: {combine: {shared_arms: combine}, keep: {shared_arms: keep}}}}\n"
    selection, protocol, tables = run(contrasts=HR, extra=extra)
    found, _ = multiverse_of(tables.studies, tables.arms, tables.contrasts, protocol, "death", "end")
    main = pooled_table(selection.effects, protocol).iloc[0]
    assert found.analyses["k"].unique().tolist() == [3]
    assert found.analyses["comparisons"].drop_duplicates().tolist() == [3, 4]
    first = found.analyses.iloc[found.specifications["analysis"].iloc[0]]
    assert first["estimate"] == pytest.approx(main["estimate"], rel=1e-9)


# --- what is not pooled

#: metadat's dat.nielweise2007: bloodstream infections with anti-infective catheters and with standard ones.
NIELWEISE = (
    ("Bach 1996", 0, 116, 3, 117), ("George 1997", 1, 44, 3, 35), ("Maki 1997", 2, 208, 9, 195),
    ("Raad 1997", 0, 130, 7, 136), ("Heard 1998", 5, 151, 6, 157), ("Collin 1999", 1, 98, 4, 139),
    ("Hannan 1999", 1, 174, 3, 177), ("Marik 1999", 1, 74, 2, 39), ("Pierce 2000", 1, 97, 19, 103),
    ("Sheng 2000", 1, 113, 2, 122), ("Chatzinikolaou 2003", 0, 66, 7, 64), ("Corral 2003", 0, 70, 1, 58),
    ("Brun-Buisson 2004", 3, 188, 5, 175), ("Leon 2004", 6, 187, 11, 180), ("Yucel 2004", 0, 118, 0, 105),
    ("Moretti 2005", 0, 252, 1, 262), ("Rupp 2005", 1, 345, 3, 362), ("Osma 2006", 4, 64, 1, 69),
)  # fmt: skip


def test_yucel_is_not_pooled_as_a_ratio_and_pooled_as_a_difference():
    arms = "".join(
        f"t{i},t{i},{role},{role},response,end,,{n},,,{e},,,\n"
        for i, (_, e1, n1, e2, n2) in enumerate(NIELWEISE)
        for role, e, n in (("intervention", e1, n1), ("control", e2, n2))
    )
    studies = "study_id,label\n" + "".join(f"t{i},{one[0]}\n" for i, one in enumerate(NIELWEISE))
    selection, _, _ = run(arms, studies=studies)
    assert selection.effects.groupby("analysis").size().to_dict() == {
        "response.end": 17, "response.end.RD": 18, "response.end.RR": 17,
    }  # fmt: skip
    lost = selection.not_pooled
    assert lost["analysis"].tolist() == ["response.end", "response.end.RR"]
    for _, row in lost.iterrows():
        assert (row["label"], row["file"], row["row"]) == ("Yucel 2004", "arms.csv", 30)
        counts = row[["events_intervention", "n_intervention", "events_control", "n_control"]]
        assert counts.tolist() == [0, 118, 0, 105]
        assert "no events in either arm" in row["reason"]


def test_every_kind_of_row_that_is_not_pooled_is_listed_with_its_reason():
    contrasts = (
        "a,a1,pain,end,MD,-1,,,,0.001,<,20,20\n"  # p as a bound only
        "b,b1,pain,end,MD,-1,,,,,,20,20\n"  # no dispersion
        "c,c1,pain,end,MD,-1,0.5,,,,,20,20\nc,c2,pain,end,MD,-2,,,,,,20,20\n"  # one comparison of two
        "d,d1,pain,3 weeks,MD,-1,,,,,,20,20\nd,d1,pain,end,MD,-1,0.5,,,,,20,20\n"  # another row gives it
        "e,e1,death,end,HR,0.5,,,,,,20,20\n"  # the only trial of its analysis
    )
    arms = (
        "f,f,intervention,x,pain,d,28,30,4,2,,,,\n"  # no control
        "g,g,intervention,x,pain,d,28,,4,2,,,,\ng,g,control,y,pain,d,28,,5,2,,,,\n"  # no n
        "h,h,intervention,x,pain,d,28,30,4,2,,,,\nh,h,control,y,pain,d,28,30,5,2,,,,\n"
    )
    selection, _, _ = run(arms, contrasts)
    lost = of(selection.not_pooled, "pain.end").set_index("study_id")
    assert sorted(lost.index) == ["a", "b", "c", "f", "g"]
    assert lost.loc["c", "comparison_id"] == "c2" and lost.loc["c", "row"] == 5
    assert "inequality" in lost.loc["a", "reason"] and "no control arm" in lost.loc["f", "reason"]
    assert lost.loc["f", "reason_code"] == "no_arm role=control"
    assert lost.loc["f", "n_intervention"] == 30 and np.isnan(lost.loc["f", "n_control"])
    assert lost.loc["a", "n_control"] == 20
    assert of(selection.not_pooled, "death.end")["study_id"].tolist() == ["e"]
    assert selection.not_pooled["reason"].str.len().min() > 5
    pooled = selection.effects.groupby("analysis")["study_id"].unique()
    assert sorted(pooled["pain.end"]) == ["c", "d", "h"]


def test_time_points_in_words_are_read_said_and_the_others_counted():
    def pair(study, text, day=""):
        return (
            f"{study},{study},intervention,x,pain,{text},{day},30,4,2,,,,\n"
            f"{study},{study},control,y,pain,{text},{day},30,5,2,,,,\n"
        )

    texts = (
        "4 weeks",
        "week 4",
        "1 year",
        "END",
        "day 7",
        "3 months after treatment",
        "weeks 1-2",
        "baseline",
        "2 years",
    )
    arms = "".join(pair(f"s{i}", text) for i, text in enumerate(texts)) + pair("t", "later", 500)
    selection, protocol, tables = run(arms)
    main = selection.effects[selection.effects["measure"] == "MD"].set_index("study_id")
    assert main["window"].to_dict() == {"s4": "early", "s0": "end", "s1": "end", "s2": "end", "s3": "end"}
    assert main.loc["s0", "assumptions"] == "time point '4 weeks' read as day 28"
    assert main.loc["s0", "assumption_codes"] == "day_in_words text=4%20weeks day=28"
    assert main.loc["s3", "assumption_codes"] == ""
    expected = {"3 months after treatment": 2, "weeks 1-2": 2, "2 years": 2, "later": 2}
    candidates = build_candidates(tables.studies, tables.arms, tables.contrasts, protocol)
    for fates in (selection.rows, candidates.excluded):
        codes = [parse(flag.code)[0] for flag in notices_of(protocol, tables.arms, tables.contrasts, {}, fates)]
        said = {one.parameters["timepoint"]: int(one.parameters["rows"]) for one in codes if one.name == "no_window"}
        assert said == expected
    rows = selection.rows.set_index("study_id")
    assert set(rows.loc["s7", "reason_code"]) == {"baseline text=baseline"}
    assert set(rows.loc["s5", "needed"]) == {"the day of measurement"}


def test_every_code_has_words():
    for name, (reason, mend) in REASONS.items():
        assert name in SENTENCES and reason and isinstance(mend, str)


def test_variances_many_orders_apart_have_a_covariance():
    _, estimate, variance = aggregate([-0.3, 0.0027], [0.16, 7e-13], [0, 0], rho=0.9)
    assert np.isfinite(estimate).all() and (variance > 0).all()
    with pytest.raises(ValueError, match="not positive definite"):
        aggregate([0.1, 0.2], [0.16, 7e-13], [0, 0], rho=1.0)
