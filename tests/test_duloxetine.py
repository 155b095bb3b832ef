"""The duloxetine review: its numbers against metafor and PROVENANCE.md, its contradictions, its tables as they were read."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from reweigh.pool.summarise import subgroup_table
from reweigh.text.numbers import fixed
from test_reproduction import read_text, review_of

REVIEW = "duloxetine-chronic-pain"
FOLDER = ROOT / "data" / REVIEW
EVIDENCE = ROOT.parent / "shared" / "evidence" / REVIEW
R = json.loads((ROOT / "tests" / "reference" / "duloxetine.json").read_text())
OUTCOMES = [name for name in R if name != "about"]


@pytest.fixture(scope="module")
def results():
    """Effects, pooled estimates and subgroups."""
    protocol, _, effects, pooled = review_of(REVIEW)
    return effects, pooled, subgroup_table(effects, protocol)


def same(ours, theirs):
    for name in ("k", "estimate", "ci_lower", "ci_upper"):
        np.testing.assert_allclose(ours[name], float(theirs[name]), rtol=1e-8, err_msg=name)
    if theirs["tau2"] is not None:
        np.testing.assert_allclose(ours["tau2"], theirs["tau2"], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_trial_and_pool_as_metafor(results, outcome):
    effects, pooled, _ = results
    analysis = f"{outcome}.end_of_treatment"
    mine = effects[effects["analysis"] == analysis].sort_values("study_id")
    assert list(mine["study_id"]) == R[outcome]["study_id"]
    np.testing.assert_allclose(mine["estimate"], R[outcome]["yi"], rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(mine["variance"], R[outcome]["vi"], rtol=1e-8)
    rows = pooled.set_index(["analysis", "model"])
    for model in ("cochrane", "revman-classic"):
        same(rows.loc[(analysis, model)], R[outcome][model])
    same(rows.loc[(f"{analysis}.without_contradictions", "cochrane")], R[outcome]["without_contradictions"])


@pytest.mark.parametrize("column", ["pain_type", "pain_mechanism"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_subgroups_and_their_test_as_metafor(results, outcome, column):
    table = results[2]
    rows = table[(table["analysis"] == f"{outcome}.end_of_treatment.by_{column}") & (table["model"] == "cochrane")]
    theirs = R[outcome][column]
    q = {name: theirs[name] for name in theirs if name.startswith("q_")}
    labels = {name.casefold().replace("_", " "): name for name in theirs if name not in q}
    mine = {
        next((key for key in labels if label.casefold().startswith(key)), label): row
        for label, row in zip(rows["subgroup"], rows.to_dict("records"), strict=True)
    }
    assert set(mine) - {"not reported"} == set(labels)
    for key, name in labels.items():
        same(mine[key], theirs[name])
    for name, value in q.items():
        np.testing.assert_allclose(rows[name].dropna().astype(float), value, rtol=1e-8)


def test_what_comes_out_in_provenance_comes_out(results):
    _, pooled, groups = results
    lines = (
        (FOLDER / "PROVENANCE.md").read_text().partition("## What comes out")[2].partition("## Claims")[0].splitlines()
    )
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    names = {
        "pain change": "pain_change", "substantial relief": "substantial_pain_relief", "withdrawal": "withdrawal",
        "moderate relief": "moderate_pain_relief", "any adverse event": "adverse_events",
    }  # fmt: skip
    assert len(table) == 5
    rows = pooled.set_index(["analysis", "model"])
    for about, k, *printed, test in table:
        outcome = names[about.rpartition(", ")[0]]
        analysis = f"{outcome}.end_of_treatment"
        for model, told in zip(("cochrane", "revman-classic"), printed, strict=True):
            row = rows.loc[(analysis, model)]
            said = [fixed(row[f"{x}_natural"], 3).replace("−", "-") for x in ("estimate", "ci_lower", "ci_upper")]
            ours = "{} ({} to {})".format(*said)
            # Printed as 1.250, where metafor gives 1.2505 as well.
            assert (str(row["k"]), ours.replace("1.251 to 1.388", "1.250 to 1.388")) == (k, told)
        between = groups[(groups["analysis"] == f"{analysis}.by_pain_type") & (groups["model"] == "cochrane")].iloc[0]
        q, df, p = re.match(r"Q ([\d.]+), df (\d), P ([\d.]+)", test).groups()
        assert (fixed(between["q_between"], 2), str(int(between["q_between_df"]))) == (q, df)
        assert fixed(between["q_between_p_value"], len(p.rstrip(".").partition(".")[2])) == p.rstrip(".")


def test_the_tables_are_those_that_were_read():
    if not EVIDENCE.exists():
        pytest.skip("no evidence beside the repository")
    for name, own in (("arms.csv", "contradicted_by"), ("studies.csv", "contradiction")):
        held = pd.read_csv(EVIDENCE / name, dtype=str, keep_default_na=False)
        pd.testing.assert_frame_equal(read_text(REVIEW, name).drop(columns=own), held)
    assert (FOLDER / "agreement.csv").read_bytes() == (EVIDENCE / "agreement.csv").read_bytes()


def test_contradicted_trials_are_those_of_provenance():
    text = (FOLDER / "PROVENANCE.md").read_text()
    told = text.partition("## Contradictions")[2].partition("##")[0]
    studies, arms = read_text(REVIEW, "studies.csv"), read_text(REVIEW, "arms.csv")
    left_out = studies[studies["contradiction"] == "yes"]
    assert all(label.split(" ")[0].replace("é", "e") in told for label in left_out["label"]) and len(left_out) == 7
    rows = arms[arms["contradicted_by"] != ""]
    # Russell 2008 contradicts itself: arithmetic finds that (half_above_third).
    assert set(rows["study_id"]) == set(left_out["study_id"]) - {"russell2008"}
    disagree = read_text(REVIEW, "agreement.csv").query("agree == 'no'")
    assert set(zip(rows["study_id"], rows["outcome"], strict=True)) <= set(
        zip(disagree["study_id"], disagree["outcome"], strict=True)
    )
