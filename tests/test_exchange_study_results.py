"""RevMan Web's study data (study information, study arms, study results, risk of bias) as a review."""

import io

import pandas as pd

from conftest import ROOT
from reweigh.check import examine
from reweigh.exchange.options import Options
from reweigh.exchange.read import read
from reweigh.exchange.study_results import RESULTS_HEADER
from reweigh.exchange.write import written
from reweigh.risk_of_bias import read_tools

TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())


def study_results(*rows):
    """Study results of RevMan Web; a row is a mapping."""
    text = io.StringIO()
    pd.DataFrame(rows).reindex(columns=list(RESULTS_HEADER)).to_csv(text, index=False)
    return {"x-study-results.csv": text.getvalue().encode()}


def arm(study, arm, cases, n, **more):
    return {
        "Study": study,
        "Outcome": "Death",
        "Data type": "Dichotomous",
        "Arm": arm,
        "Cases": cases,
        "Sample size": n,
        **more,
    }


def test_study_results_alone_are_read():
    rows = [arm("S 2001", "Placebo", 5, 50), arm("S 2001", "Drug X", 3, 51), arm("T 2002", "Drug X", 0, 20), arm("T 2002", "Placebo", "4a", 20)]  # fmt: skip
    imported = read(study_results(*rows), Options())
    arms = imported.tables["arms"]
    assert list(arms["role"]) == ["control", "intervention", "intervention", "control"]
    assert list(arms["events"]) == ["5", "3", "0", "4"] and list(arms["n"]) == ["50", "51", "20", "20"]
    assert imported.protocol["outcomes"]["death"]["measure"] == "RR"
    assert [cell.was for cell in imported.cells] == ["4a"]
    assert read(study_results(*rows), Options(measure="OR")).protocol["outcomes"]["death"]["measure"] == "OR"


def test_study_results_of_several_arms_ask_which():
    rows = [arm("S 2001", name, 5, 50) for name in ("A", "B", "Placebo")]
    imported = read(study_results(*rows), Options())
    assert "--arms EXPERIMENTAL CONTROL" in imported.problems[0] and "A, B, Placebo" in imported.problems[0]
    picked = read(study_results(*rows), Options(arms=("B", "Placebo")))
    assert list(picked.tables["arms"]["arm"]) == ["B", "Placebo"]
    assert [cell.code for cell in picked.cells] == ["row_other_arm"]
    assert 'did you mean "Placebo"' in read(study_results(*rows), Options(arms=("B", "Placeba"))).problems[0]


def test_contrasts_of_study_results():
    given = {"Study": "S", "Outcome": "Death", "Data type": "Dichotomous", "Arm": "Drug", "Reference arm": "Placebo"}
    rows = [
        given
        | {"Effect measure": "Hazard ratio", "Exp mean": 0.5, "Exp CI start": 0.25, "Exp CI end": 1, "CI level": "90%"},
        given | {"Study": "T", "Effect measure": "HR", "Mean": -0.7, "Variance": 0.04},
        given | {"Study": "U", "Effect measure": "frob", "Mean": -0.7, "SE": 0.2},
        given
        | {"Study": "V", "Effect measure": "HR", "Arm": "Placebo", "Reference arm": "Drug", "Mean": -0.7, "SE": 0.2},
    ]
    imported = read(study_results(*rows), Options(arms=("Drug", "Placebo")))
    table = imported.tables["contrasts"].set_index("study_id")
    assert list(table.index) == ["s", "t"] and set(table["measure"]) == {"HR"}
    assert table.loc["s", ["estimate", "estimate_scale", "ci_level"]].tolist() == ["0.5", "natural", "90"]
    assert table.loc["t", ["estimate_scale", "se"]].tolist() == ["log", "0.2"]
    assert [(cell.row, cell.code) for cell in imported.cells if cell.row] == [
        (3, "variance_to_se"),
        (4, "text"),
        (5, "row_other_arm"),
    ]
    assert not examine(written(imported), TOOLS)[2]


def test_the_four_files_are_one_review():
    files = study_results(arm("S 2001", "A1", 5, 50), arm("S 2001", "A2", 3, 51, Footnotes="<p>as randomised</p>"))
    files |= {
        "x-study-arms.csv": b"Study,Arm,Description,Intervention\nS 2001,A1,high dose,Drug\nS 2001,A2,,Usual care\n",
        "x-study-information.csv": b"Study,Year,Char: Design,Char: Setting\nS 2001,2001,two arms,hospital\nZ 1990,1990,,\n",
        "x-risk-of-bias.csv": b"Study,Outcome,Domain (judgement): Bias due to missing outcome data,Domain (support): Bias due to missing"
        b" outcome data\nS 2001,Death,Some concerns,10 lost\nS 2001,Pain,High risk of bias,\n",
    }
    imported = read(files, Options(tools=TOOLS))
    assert list(imported.tables["arms"]["role"]) == ["intervention", "control"]
    assert imported.protocol["words"] == {"intervention": "Drug", "control": "Usual care"}
    assert imported.tables["studies"].to_dict("records") == [
        {"study_id": "s_2001", "label": "S 2001", "year": "2001", "reported_design": "two arms", "setting": "hospital"}
    ]
    bias = imported.tables["risk_of_bias"].to_dict("records")
    assert [(one["outcome"], one["judgement"], one["support"]) for one in bias] == [
        ("death", "some_concerns", "10 lost")
    ]
    assert sorted(cell.code for cell in imported.cells) == ["no_such_study", "study_unmatched"]
    assert imported.tables["arms"]["note"].iloc[1] == "as randomised"
    assert not examine(written(imported), TOOLS)[2]


def test_two_tables_of_study_results_are_one_too_many():
    one = study_results(arm("S", "A", 5, 50))["x-study-results.csv"]
    assert "both hold study results" in read({"a.csv": one, "b.csv": one}, Options()).problems[0]
    assert "no result" in read(study_results(arm("S", "A", "", ""), arm("S", "B", "", "")), Options()).problems[0]


def test_each_outcome_may_compare_arms_of_its_own():
    """As RevMan's labels differ between analyses; an outcome with three arms still asks for the two."""
    rows = [arm("S 2001", "Drug X", 3, 51), arm("S 2001", "Placebo", 5, 50)]
    other = [arm("T 2002", name, 4, 20, Outcome="Relapse") for name in ("Yoga", "Waiting list")]
    imported = read(study_results(*rows, *other), Options())
    arms = imported.tables["arms"]
    assert set(zip(arms["arm"], arms["role"], strict=True)) == {
        ("Drug X", "intervention"), ("Placebo", "control"), ("Yoga", "intervention"), ("Waiting list", "control"),
    }  # fmt: skip
    assert imported.protocol["words"] == {"intervention": "Drug X", "control": "Placebo"}
    assert imported.protocol["outcomes"]["relapse"]["words"] == {"intervention": "Yoga", "control": "Waiting list"}
    third = arm("U 2003", "Drug Y", 1, 9, Outcome="Relapse")
    assert "--arms" in read(study_results(*rows, *other, third), Options()).problems[0]
