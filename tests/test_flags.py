"""Suspicious data are flagged, each by its rule; sound data are not; what is not used is said."""

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from conftest import each
from reweigh.check import examine, notices
from reweigh.console import told_of
from reweigh.effects.selection import select
from reweigh.flags import COLUMNS, flag_table, flags_of, notices_of, quantile_of_others
from reweigh.io import read_csv, write_csv
from reweigh.risk_of_bias import read_tools
from reweigh.text.flags import SENTENCES, SOURCES

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared"
TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())

REVIEW = """\
title: T
question: {population: P, intervention: I, comparator: C, design: RCT}
words: {intervention: drug, control: placebo}
table_source: {arms: own numbers, contrasts: own numbers}
outcomes:
  pain: {label: Pain, type: continuous, measure: %s, better: lower}
  relief_30: {label: Relief of 30%%, type: binary, measure: RR, better: higher}
  relief_50: {label: Relief of 50%%, type: binary, measure: RR, better: higher}
windows: {end: {label: End, text: [end]}}
"""


def arms(*rows: dict[str, object]) -> bytes:
    """An arms.csv of these rows; role i or c, outcome pain at the end unless they say otherwise."""
    names = ["study_id", "role", "outcome", "timepoint", *dict.fromkeys(k for row in rows for k in row)]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(names)), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        role = {"i": "intervention", "c": "control"}[str(row["role"])]
        writer.writerow({"outcome": "pain", "timepoint": "end"} | row | {"role": role})
    return out.getvalue().encode()


def pair(study: str, mean: float = 30, sd: float = 14, n: int = 40, **both: object) -> list[dict[str, object]]:
    """The two arms of a sound trial."""
    first = {"study_id": study, "n": n, "mean": mean, "sd": sd, "scale_min": 0, "scale_max": 100} | both
    return [first | {"role": "i"}, first | {"role": "c", "mean": mean + 8, "n": n + 1}]


def found(folder: Path, files: dict[str, bytes], measure: str = "MD"):
    """flags.csv of a review, as it is read back."""
    files = {"review.yaml": (REVIEW % measure).encode(), **files}
    tables, protocol, problems = examine(files, TOOLS)
    assert not problems, problems
    read = []
    for name in ("studies", "arms", "contrasts", "risk_of_bias"):
        write_csv(getattr(tables, name), folder / "checked" / f"{name}.csv")
        read.append(read_csv(folder / "checked" / f"{name}.csv", protocol.number_columns))
    chosen = select(*read[:3], protocol)
    flags = [
        *flags_of(protocol, *read, TOOLS, files, chosen.effects),
        *notices_of(protocol, read[1], read[2], files, chosen.rows),
    ]
    write_csv(flag_table(flags, read[0]), folder / "flags.csv")
    return read_csv(folder / "flags.csv")


def rules(folder, files, measure="MD"):
    """(rule, row) of the flags; notices left out."""
    table = found(folder, files, measure)
    flags = table[table["kind"] == "flag"]
    return [(rule, int(row) if row == row else None) for rule, row in zip(flags["rule"], flags["row"], strict=True)]


SOUND = [*pair("a"), *pair("b", 31, 13, 50), *pair("c", 32, 15, 60)]


def test_sound_trials_have_no_flag(tmp_path):
    assert rules(tmp_path, {"arms.csv": arms(*SOUND)}) == []


STUDIES = b"study_id,design,n_randomised\na,parallel,81\nb,parallel,101\nc,crossover,61\n"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([*SOUND, *pair("d", 31, 2.1, 50)], [("sd_like_se", 8), ("sd_like_se", 9)]),
        ([*SOUND, *pair("d", 31, 2.8, 50)[:1], *pair("d", 31, 14, 50)[1:]], [("sd_like_se", 8)]),
        ([*SOUND, *pair("d", 31, 7.0, 50)], []),  # a narrower trial, not an SE
        ([*SOUND, *pair("d", 31, "", 50, se=13)], [("se_like_sd", 8), ("se_like_sd", 9)]),
        ([*SOUND, *pair("d", 31, "", 50, se=2)], []),
        ([*pair("a", 30, 2.2, ci_lower=25.6, ci_upper=34.4)[:1], *pair("a")[1:]], [("sd_against_ci", 2)]),
        ([*pair("a", 30, 14, ci_lower=25.6, ci_upper=34.4)[:1], *pair("a")[1:]], []),
        ([*pair("a", 30, 14, ci_lower=27.0, ci_upper=38.0)[:1], *pair("a")[1:]], [("ci_off_centre", 2)]),
        ([*pair("a", 30, 14, se=2.2)[:1], *pair("a")[1:]], []),
        ([*pair("a", 30, 14, se=7.2)[:1], *pair("a")[1:]], [("sd_against_se", 2)]),
        # Extremes 80 apart in 40 patients: an SD from 80/sqrt(78) = 9.06 to 40 sqrt(40/39) = 40.5.
        ([*pair("a", 30, 2.2, min=5, max=85)[:1], *pair("a")[1:]], [("sd_against_range", 2)]),
        ([*pair("a", 30, 9.2, min=5, max=85)[:1], *pair("a")[1:]], []),
        ([*pair("a", 30, 40.4, min=5, max=85)[:1], *pair("a")[1:]], []),
        ([*pair("a", 30, 43, min=5, max=85)[:1], *pair("a")[1:]], [("sd_against_range", 2)]),
        # Bhatia-Davis at a mean of 2 on 0 to 100, n = 40: sqrt(98 x 2 x 40/39) = 14.18.
        ([*pair("a", 2, 18)[:1], *pair("a")[1:]], [("sd_off_scale", 2)]),
        ([*pair("a", 2, 14)[:1], *pair("a")[1:]], []),
        ([*pair("a"), *pair("b")], [("duplicate_trial", 4)]),
        ([*pair("a"), *pair("b", 30.1)], []),
        ([*pair("a", label="A 2001")[:1], *pair("a", label="A 2002")[1:]], [("two_labels", 3)]),
        ([*pair("a", icc=0.02)[:1], *pair("a")[1:]], [("design_unused", 2)]),
        ([*pair("a", phi=0.2)[:1], *pair("a")[1:]], [("design_unused", 2)]),
    ],
)  # fmt: skip
def test_spreads_and_ids(tmp_path, rows, expected):
    assert rules(tmp_path, {"arms.csv": arms(*rows)}) == expected


def test_a_printed_p_tells_an_sd_from_an_se(tmp_path):
    # 8 points apart, n 40 and 41: P = 0.012 with an SD of 14; as SDs, SEs of 2.2 would make it 1e-27.
    contrasts = b"study_id,outcome,timepoint,measure,p_value,n_intervention,n_control\na,pain,end,p_only,0.012,40,41\n"
    files = {"arms.csv": arms(*pair("a", 30, 2.2)), "contrasts.csv": contrasts}
    assert rules(tmp_path, files) == [("sd_against_p", 2)]
    assert rules(tmp_path, files | {"arms.csv": arms(*pair("a", 30, 14))}) == []


def test_one_control_group_in_two_comparisons(tmp_path):
    rows = [*pair("a", comparison_id="a1"), *pair("a", 25, comparison_id="a2")]
    rows[3] = rows[1] | {"comparison_id": "a2"}
    assert rules(tmp_path, {"arms.csv": arms(*rows)}) == [("same_controls", 5)]
    declared = (REVIEW % "MD") + "shared_arms: [{study: a, arm: control, n: repeated, source: the table}]\n"
    files = {"review.yaml": declared.encode(), "arms.csv": arms(*rows)}
    assert rules(tmp_path, files) == []


def test_change_scores_and_final_values_are_not_mixed_as_smd(tmp_path):
    change = {"study_id": "d", "n": 40, "change_mean": -12, "change_sd": 11}
    rows = [*pair("a"), *pair("b", 31, 13), change | {"role": "i"}, change | {"role": "c", "change_mean": -4}]
    assert ("change_and_final", None) in rules(tmp_path, {"arms.csv": arms(*rows)}, "SMD")
    assert rules(tmp_path, {"arms.csv": arms(*rows)}, "MD") == []
    assert rules(tmp_path, {"arms.csv": arms(*rows[:4])}, "SMD") == []


@pytest.mark.parametrize(
    ("percent", "n", "flagged"),
    [("12.5", 41, True), ("12.2", 41, False), ("12.1", 41, False), ("12", 41, False), ("0.3", 40, True),
     ("0.4", 200, True), ("0.5", 200, False), ("20.0", 100, False), ("33.33", 3, False), ("33.3", 30, False),
     ("18", 30, True), ("0", 40, False), ("100", 40, False)],
)  # fmt: skip
def test_a_percentage_is_that_of_a_count_at_its_printed_decimals(tmp_path, percent, n, flagged):
    one = {"study_id": "a", "outcome": "relief_30", "n": n}
    rows = [one | {"role": "i", "percent": percent}, one | {"role": "c", "n": 50, "percent": "20"}]
    assert rules(tmp_path, {"arms.csv": arms(*rows)}) == ([("percent_no_count", 2)] if flagged else [])


def test_percentages_all_below_one_are_shares(tmp_path):
    one = {"outcome": "relief_30", "n": 100}
    rows = [
        one | {"study_id": s, "role": r, "percent": p}
        for s, r, p in zip("aabb", "icic", (0.3, 0.2, 0.4, 0.1), strict=True)
    ]
    assert "percent_below_one" in {rule for rule, _ in rules(tmp_path, {"arms.csv": arms(*rows)})}


def test_more_cannot_be_relieved_by_half_than_by_a_third(tmp_path):
    one = {"study_id": "a", "n": 147}
    counts = (("relief_50", "i", 53), ("relief_50", "c", 31), ("relief_30", "i", 43), ("relief_30", "c", 54))
    rows = [one | {"outcome": o, "role": r, "events": e} for o, r, e in counts]
    assert rules(tmp_path, {"arms.csv": arms(*rows)}) == [("half_above_third", 2)]


def test_no_more_patients_than_were_randomised(tmp_path):
    counts = {"study_id": "a", "outcome": "relief_30", "events": 5}
    rows = [*SOUND[:4], counts | {"role": "i", "n": 41}, counts | {"role": "c", "n": 42}]
    found_rules = rules(tmp_path, {"arms.csv": arms(*rows), "studies.csv": STUDIES})
    # 40 and 41 were randomised; 41 and 42 answered the other outcome.
    assert found_rules == [("n_above_randomised", 6)]
    one_arm = [SOUND[0], SOUND[1], rows[4] | {"n": 39}, rows[5]]
    assert rules(tmp_path, {"arms.csv": arms(*one_arm), "studies.csv": STUDIES}) == [("n_above_randomised", 5)]


def test_an_overall_judgement_is_no_better_than_the_worst_domain(tmp_path):
    bias = "study_id,tool,domain,judgement\na,RoB 2,randomisation,{}\na,RoB 2,overall,{}\n"
    for domain, overall, expected in (("high", "low", 1), ("low", "low", 0), ("low", "high", 0)):
        files = {"arms.csv": arms(*SOUND), "risk_of_bias.csv": bias.format(domain, overall).encode()}
        assert len(rules(tmp_path, files)) == expected


def test_one_trial_against_all_others(tmp_path):
    rows = [row for i, study in enumerate("abcde") for row in pair(study, 30 + i, 14, 100 + i)]
    turned = [row | {"mean": 76 - float(row["mean"])} for row in pair("f", 34, 14, 110)]
    assert rules(tmp_path, {"arms.csv": arms(*rows, *pair("f", 33, 14, 110))}) == []
    assert rules(tmp_path, {"arms.csv": arms(*rows, *turned)}) == [("opposes_all", 12)]


def test_what_is_not_used_is_said(tmp_path):
    rows = [
        *SOUND[:2], SOUND[2], dict(SOUND[0], timepoint="week 4"), dict(SOUND[1], timepoint="week 4"),
        dict(SOUND[4], outcome="sleep"), dict(SOUND[5], outcome="sleep"),
    ]  # fmt: skip
    contrasts = b"study_id;outcome;timepoint;measure;estimate;se\nz;sleep;end;MD;1,5;0,4\n"
    files = {"arms.csv": arms(*rows), "contrasts.csv": contrasts}
    table = found(tmp_path, files)
    assert list(table) == list(COLUMNS)
    said = dict(zip(table["rule"], table["words"], strict=True))
    assert said["no_window"] == "2 rows at week 4: in no window"
    assert said["rows_of_other_outcome"] == "3 rows of sleep, which is not in the protocol"
    assert said["one_side_only"] == "1 row of 1 comparison with one side only"
    assert said["table_unused"] == "no row of the 1 in contrasts.csv is used"
    assert "semicolons" in said["read_as"]
    without = set(table.loc[table["rule"] == "outcome_without_rows", "outcome"])
    assert without == {"relief_30", "relief_50"}
    lines = told_of(table.to_dict("records"), "flags.csv")
    assert any("2 rows at week 4" in line for line in lines)
    files["review.yaml"] = (REVIEW % "MD").encode()
    tables, protocol, _ = examine(files, TOOLS)
    told = notices(protocol, files, tables)
    assert any("2 rows at week 4" in line for line in told) and any("relief_50" in line for line in told)


def test_every_rule_has_words_a_source_and_a_line_in_the_docs():
    documented = (ROOT / "docs" / "reference" / "flags.md").read_text()
    assert set(SOURCES) <= set(SENTENCES)
    assert not [rule for rule in SENTENCES if f"`{rule}`" not in documented]


REAL = {
    "ketamine-chronic-pain": {("percent_no_count", "sigtermans2009")},
    "duloxetine-chronic-pain": {
        ("contradicted", "abouraya2012"),
        ("contradicted", "arnold2005"),
        ("contradicted", "arnold20121"),
        ("contradicted", "schukro2016"),
        ("contradicted", "tetreault2018"),
        ("contradicted", "yasuda2011"),
        ("half_above_third", "russell2008"),
        ("n_above_randomised", "arnold2005"),
        ("n_above_randomised", "shinichi2016"),
        ("se_like_sd", "iwaki2020"),
    },
    "spinal-manipulation-low-back-pain": set(),
    "antidepressants-fibromyalgia": {
        ("change_and_final", ""),
        ("sd_like_se", "anderberg2000"),
        ("sd_like_se", "wolfe1994"),
    },
    "topical-nsaids-acute-pain": set(),
    "bcg-vaccine": set(),
}


@pytest.mark.parametrize("review", each(REAL))
def test_flags_of_the_shipped_reviews_have_been_read(tmp_path, review):
    files = {path.name: path.read_bytes() for path in (ROOT / "data" / review).iterdir()}
    table = found(tmp_path, files)
    flags = table[table["kind"] == "flag"]
    assert set(zip(flags["rule"], flags["study_id"], strict=True)) == REAL[review]


def test_a_trial_of_the_duloxetine_review_that_was_filed_turned_round_is_seen(tmp_path):
    folder = ROOT / "data" / "duloxetine-chronic-pain"
    files = {name: (folder / name).read_bytes() for name in ("review.yaml", "arms.csv", "studies.csv")}
    # As filed: Smith 2013 prints decreases as positive numbers.
    for role in (b"control", b"intervention"):
        files["arms.csv"] = files["arms.csv"].replace(role + b",higher", role + b",")
    table = found(tmp_path, files)
    assert ("opposes_all", "smith2013") in set(zip(table["rule"], table["study_id"], strict=True))


def test_what_another_source_has_instead_is_a_flag_of_its_row(tmp_path):
    first, second = pair("t")
    rows = [*pair("s"), first | {"contradicted_by": "n 41 (abstract)"}, second]
    contrasts = (
        b"study_id,outcome,timepoint,measure,estimate,se,contradicted_by\nz,pain,end,MD,1.5,0.4,-1.5; see table 2\n"
    )
    table = found(tmp_path, {"arms.csv": arms(*rows), "contrasts.csv": contrasts})
    told = table[table["rule"] == "contradicted"]
    assert list(zip(told["file"], told["row"], told["words"], strict=True)) == [
        ("arms.csv", 4, "another source says n 41 (abstract)"),
        ("contrasts.csv", 2, "another source says -1.5; see table 2"),
    ]


@pytest.mark.parametrize("n", [2, 3, 4, 9, 30])
def test_the_quantile_of_all_others(n):
    values = np.random.default_rng(n).normal(size=n).round(1)  # with ties
    for q in (0.25, 0.5, 0.75):
        others = [np.quantile(np.delete(values, i), q) for i in range(n)]
        assert quantile_of_others(values, q) == pytest.approx(others, rel=1e-14)
