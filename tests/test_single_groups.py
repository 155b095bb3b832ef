"""Correlations, proportions and means of single groups: metafor's numbers, and every stage down to the page."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest

import generator
import pipeline
from conftest import ROOT
from report.packed import opened
from reweigh.effects.compute import compute
from reweigh.effects.table import Options
from reweigh.exchange.options import Options as Imports
from reweigh.exchange.read import read
from reweigh.io import read_csv
from reweigh.measures import MEASURES, RANGES, analysed, natural
from reweigh.protocol.model import Outcome
from reweigh.protocol.read import load_checked
from reweigh.text.codes import has
from test_generated_reviews import faults

REFERENCE = json.loads((ROOT / "tests" / "reference" / "effects_single.json").read_text())
COLUMNS = {"ZCOR": ("correlation", "n"), "PLO": ("events", "n"), "MN": ("mean", "sd", "n")}
TYPES = {name: MEASURES[name].type for name in COLUMNS}
NUMBERS = ("estimate", "se", "ci_lower", "ci_upper", "tau2", "i2", "q", "q_p_value", "estimate_natural",
           "ci_lower_natural", "ci_upper_natural")  # fmt: skip


def given(name: str) -> pd.DataFrame:
    """What the trials of a reference set report, by the columns of arms.csv."""
    one = REFERENCE[name]
    theirs = {"correlation": "r"}
    return pd.DataFrame({column: one[theirs.get(column, column)] for column in COLUMNS[one["measure"]]})


def review(name: str, **more: object) -> dict[str, bytes]:
    """A review of one outcome from a reference set; subgroups where the set has them."""
    one, arms = REFERENCE[name], given(name)
    ids = [f"t{at:03}" for at in range(len(arms))]
    studies = pd.DataFrame({"study_id": ids, "label": one["label"], "year": [1990 + at % 30 for at in range(len(ids))]})
    protocol = {
        "title": f"{name}: {one['measure']}",
        "question": {"population": "people", "intervention": "one group", "comparator": "none", "design": "Cohorts"},
        "words": {"intervention": "group", "control": "none"},
        "table_source": {"arms": "the metadat package"},
        "outcomes": {"o": {"label": "The outcome", "type": TYPES[one["measure"]], "measure": one["measure"]}},
        "models": ["cochrane", "revman-classic", {"name": "common", "tau2": "EE", "interval": "wald", "prediction_interval": "none"}],
        "robustness": {"minimum_trials": 5},
        **more,
    }  # fmt: skip
    if "by" in one:
        studies["by"] = [value.replace(" ", "_") for value in one["by"]]
        protocol |= {"categories": {"by": sorted(set(studies["by"]))}, "subgroups": ["by"]}
    arms = arms.assign(study_id=ids, outcome="o", role="intervention")
    return {
        "review.yaml": generator.yaml_of(protocol),
        "studies.csv": studies.to_csv(index=False).encode(),
        "arms.csv": arms.to_csv(index=False).encode(),
    }


@pytest.fixture(
    scope="module", params=[*(pytest.param(name, marks=pytest.mark.slow) for name in ("molloy", "debruin")), "normand"]
)
def built(request, tmp_path_factory):
    """A review of a correlation, a proportion and a mean, with its figures, through every stage."""
    folder = tmp_path_factory.mktemp(request.param)
    files = review(request.param, bayes={})
    return request.param, files, folder, pipeline.build(files, folder, figures=True)


@pytest.mark.parametrize("name", REFERENCE)
def test_effects_are_those_of_escalc(name):
    one = REFERENCE[name]
    columns = {"correlation": "r"}
    table = given(name).rename(columns=lambda c: columns.get(c, f"{c}1")).assign(measure=one["measure"])
    found = compute(table)
    assert (found["reason_code"] == "").all()
    np.testing.assert_allclose(found["estimate"], one["yi"], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found["variance"], one["vi"], rtol=1e-12)
    assert (found["corrected"] == [e in (0, n) for e, n in zip(one["events"], one["n"], strict=True)]).all() if "events" in one else True  # fmt: skip


@pytest.mark.parametrize("scale", RANGES)
def test_the_natural_scale_and_back(scale):
    x = np.array([-3.0, -0.2, 0.0, 0.7, 4.0])
    np.testing.assert_allclose(analysed(natural(x, scale), scale), x, rtol=1e-9, atol=1e-12)
    low, high = RANGES[scale]
    assert ((natural(x, scale) > low) & (natural(x, scale) < high)).all()
    assert np.isnan(analysed(low - 0.5, scale))


def test_reported_estimates_of_single_groups():
    rows = [
        {"measure": "ZCOR", "estimate": 0.3, "n1": 50},
        {"measure": "ZCOR", "estimate": 0.3, "ci_lower": 0.0236251, "ci_upper": 0.5337747},
        {"measure": "ZCOR", "estimate": np.arctanh(0.3), "se": 1 / np.sqrt(47), "estimate_scale": "z"},
        {"measure": "PLO", "estimate": 0.25, "ci_lower": 0.1080582, "ci_upper": 0.4783910},
        {"measure": "MN", "estimate": 3.0, "se": 0.5},
    ]
    table = pd.DataFrame(rows).assign(reported_measure=lambda d: d["measure"])
    found = compute(table)
    np.testing.assert_allclose(found["estimate_natural"], [0.3, 0.3, 0.3, 0.25, 3.0], rtol=1e-12)
    np.testing.assert_allclose(found["variance"], [1 / 47, 1 / 47, 1 / 47, 1 / 5 + 1 / 15, 0.25], rtol=1e-5)
    assert list(found["scale"]) == ["z", "z", "z", "logit", "natural"]


def test_what_gives_no_effect_says_why():
    rows = [
        ({"measure": "ZCOR", "r": 1.0, "n1": 20}, "perfect_correlation"), ({"measure": "ZCOR", "r": 0.2}, "no_n"),
        ({"measure": "ZCOR", "r": 0.2, "n1": 3}, "few_for_z"), ({"measure": "ZCOR", "n1": 9}, "no_correlation"),
        ({"measure": "PLO", "n1": 9}, "no_events"), ({"measure": "MN", "n1": 9, "mean1": 2.0}, "no_spread"),
        # A P of one group is against a value that nobody knows: it gives no standard error.
        ({"measure": "PLO", "reported_measure": "PLO", "estimate": 0.3, "p_value": 0.02, "n1": 30}, "no_se"),
        ({"measure": "ZCOR", "reported_measure": "GIV", "estimate": 0.3, "se": 0.1}, "other_measure"),
    ]  # fmt: skip
    found = compute(pd.DataFrame([row for row, _ in rows]))
    assert [has(cell, name) for cell, (_, name) in zip(found["reason_code"], rows, strict=True)] == [True] * len(rows)
    assert found["estimate"].isna().all()
    none = compute(pd.DataFrame([{"measure": "PLO", "n1": 9, "events1": 0}]), Options(zero_cells="none"))
    assert has(none["reason_code"].iloc[0], "zero_cell_uncorrected")


def test_pooled_as_rma_pools_it(built):
    name, _, _, results = built
    pooled = read_csv(results / "pooled.csv").set_index("model")
    one = REFERENCE[name]
    for model, expected in one["models"].items():
        row = pooled.loc[model]
        for number in NUMBERS:
            if model != "common" or number not in ("i2", "tau2"):
                assert row[number] == pytest.approx(expected[number], rel=2e-6, abs=1e-9), (model, number)
        if MEASURES[one["measure"]].null:
            assert row["p_value"] == pytest.approx(expected["p_value"], rel=1e-5)
        else:
            assert np.isnan([row["p_value"], row["statistic"], row["guarded_p_value"]]).all()
            assert has(row["note_codes"], "no_null")
        assert has(row["note_codes"], "logit_scale") == (one["measure"] == "PLO")
    ends = [pooled.loc["cochrane", f"pi_{end}_natural"] for end in ("lower", "upper")]
    expected = one["models"]["cochrane"]
    assert ends == pytest.approx([expected["pi_lower_natural"], expected["pi_upper_natural"]], rel=2e-6)
    assert pooled["participants"].eq(sum(one["n"])).all() and pooled["n_control"].isna().all()


def test_subgroups_differ_as_in_metafor(built):
    name, _, _, results = built
    if "subgroups" not in REFERENCE[name]:
        pytest.skip("a set without subgroups")
    rows, expected = read_csv(results / "subgroups.csv"), REFERENCE[name]["subgroups"]
    rows = rows[rows["model"] == "cochrane"]
    assert rows["k"].tolist() == expected["k"] if isinstance(expected["k"], list) else [*expected["k"].values()]
    assert rows["q_between"].to_numpy() == pytest.approx(expected["q"], rel=2e-6)
    assert rows["q_between_p_value"].to_numpy() == pytest.approx(expected["p_value"], rel=2e-6)


def test_every_stage_gives_a_result_or_a_reason(built):
    _, files, folder, results = built
    assert faults(results, load_checked(files["review.yaml"]), folder / "work" / "made" / "checked") == []


def test_nothing_is_compared_with_a_single_group(built):
    """No direction is better; without a null there is no test, no line of no effect and no verdict that rests on one."""
    name, _, _, results = built
    null = MEASURES[REFERENCE[name]["measure"]].null
    tables = {p.stem: read_csv(p) for p in (*results.glob("*.csv"), *(results / "robustness").glob("*.csv"))}
    fragile = tables["fragility"].set_index("criterion")
    assert (fragile["verdict_code"] == "not_applicable").tolist() == [not null, not null, True]
    assert tables["subsets"]["better"].isna().all() and tables["subsets"]["excludes_no_effect"].notna().all() == null
    said = tables["multiverse_summary"].query("kind == 'statement'").set_index("name")["of"]
    assert said["better"] == said["exceeds_important"] == 0 and (said["excludes_no_effect"] > 0) == null
    assert tables["sequential"]["note_codes"].map(lambda c: has(c, "no_information_size")).all()
    assert pooled_text(tables["pooled"]["number_needed"])
    imprecision = tables["certainty"].query("domain == 'imprecision'").iloc[0]
    assert (imprecision["rule"] == "IM6") == (not null)
    found = tables["summary_of_findings"].iloc[0]
    assert found["sentence"].startswith("The outcome: the ") and "reduce" not in found["sentence"]
    small = tables["small_study"]["note_codes"]
    assert any(has(code, "no_null") for code in small) == (not null)
    figures = {p.name for p in (results / "figures").rglob("*.svg")}
    assert any("contour_funnel" in f for f in figures) == null
    for path in [*(results / "figures").rglob("*.svg"), results / "report.html"]:
        text = path.read_text(encoding="utf-8")
        assert "Favours" not in text, path
    forest = (results / "figures" / "forest" / "o.all.svg").read_text(encoding="utf-8")
    assert ("study.null.line" in forest) == null


def pooled_text(cells: pd.Series) -> bool:
    """Whether no cell says anything."""
    return bool(cells.fillna("").eq("").all())


def test_ticks_are_of_the_natural_scale(built):
    name, _, _, results = built
    page = opened((results / "report.html").read_text(encoding="utf-8"))
    axis = re.search(r'<div class="axis" aria-hidden="true">(.*?)</div>', page).group(1)
    ticks = [float(t.replace("−", "-")) for t in re.findall(r">([^<]+)</span>", axis)]
    low, high = RANGES.get(MEASURES[REFERENCE[name]["measure"]].scale, (-np.inf, np.inf))
    assert len(ticks) >= 3 and all(low < tick < high for tick in ticks) and ticks == sorted(ticks)


THEIRS = {
    "molloy": {"correlation": "ri", "n": "ni"}, "pritz": {"events": "xi", "n": "ni"},
    "normand": {"mean": "mi", "sd": "sdi", "n": "ni"},
    "mcdaniel": {"correlation": "cor"}, "zeros": {"events": "event"}, "debruin": {"events": "event"},
}  # fmt: skip
"""Names of the columns as metafor's and R meta's users have them."""


def imported(name: str, table: pd.DataFrame, options: Imports | None = None):
    """What the import makes of a wide table of a reference set."""
    return read({f"{name}.csv": table.to_csv(index=False).encode()}, options or Imports())


@pytest.mark.parametrize("name", THEIRS)
def test_wide_tables_of_single_groups_are_read(name):
    one = REFERENCE[name]
    wide = given(name).rename(columns=THEIRS[name]).assign(study=[f"Study {at}" for at in range(len(one["n"]))])
    # What escalc adds says less than the results beside it.
    found = imported(name, wide.assign(yi=one["yi"], vi=one["vi"]))
    assert found.problems == ()
    (outcome,) = found.protocol["outcomes"].values()
    assert (outcome["type"], outcome["measure"]) == (TYPES[one["measure"]], one["measure"]) and "better" not in outcome
    arms = found.tables["arms"]
    assert (arms["role"] == "intervention").all()
    for column in COLUMNS[one["measure"]]:
        np.testing.assert_allclose(arms[column].astype(float), given(name)[column], rtol=1e-12)


@pytest.mark.parametrize("name", ["molloy", "pritz", "normand"])
def test_estimates_on_the_analysis_scale_are_read(name):
    one = REFERENCE[name]
    table = pd.DataFrame({"study": [f"S {at}" for at in range(len(one["yi"]))], "yi": one["yi"], "vi": one["vi"]})
    found = imported(name, table, Imports(measure=one["measure"]))
    assert found.problems == ()
    rows = found.tables["contrasts"]
    assert (rows["estimate_scale"] == MEASURES[one["measure"]].scale).all()
    given_as = rows[["measure", "estimate_scale"]].assign(
        estimate=rows["estimate"].astype(float), se=rows["se"].astype(float)
    )
    effects = compute(given_as.assign(reported_measure=given_as["measure"]))
    np.testing.assert_allclose(effects["estimate"], one["yi"], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(effects["variance"], one["vi"], rtol=1e-9)


def test_several_arms_of_a_table_are_still_compared():
    """A column that names the arms makes comparisons of counts; a measure of single groups takes each row."""
    table = b"study,arm,event,n\nA,drug,3,20\nA,placebo,5,21\nB,drug,4,30\nB,placebo,6,29\n"
    assert read({"a.csv": table}, Imports()).protocol["outcomes"]["outcome"]["measure"] == "RR"
    found = read({"a.csv": table}, Imports(measure="PLO"))
    assert found.problems == () and len(found.tables["arms"]) == 4
    assert set(found.tables["arms"]["role"]) == {"intervention"}


def refused(tmp_path, files: dict[str, bytes]) -> str:
    """The report of the check on a review that it does not let through."""
    with pytest.raises(SystemExit):
        pipeline.build(files, tmp_path, figures=False)
    return (tmp_path / "check.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"better": "lower"}, "`better` belongs to comparisons; PLO is of a single group"),
        ({"smallest_important_difference": {"PLO": {"value": 0.1, "source": "as we say"}}}, "PLO is of a single group"),
        ({"type": "binary", "measure": "RR"}, "`better` is missing"),
    ],
)
def test_the_protocol_of_a_single_group_names_no_direction(more, said):
    outcome = {"label": "O", "type": "proportion", "measure": "PLO", **more}
    with pytest.raises(ValueError, match=re.escape(said)):
        Outcome.model_validate(outcome)


def test_the_check_names_estimates_that_cannot_be(tmp_path):
    files = review("pritz")
    rows = [
        ("t000", "PLO", 1.4, "natural", 0.1), ("t001", "ZCOR", -1.2, "natural", 0.1), ("t002", "PLO", 0.4, "z", 0.1),
        ("t003", "PLO", 1.4, "logit", 0.1), ("t004", "MN", 1.4, "", 0.1), ("t005", "ZCOR", 0.4, "", 0.1),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["study_id", "measure", "estimate", "estimate_scale", "se"]).assign(
        outcome="o", source="page 2"
    )
    said = refused(tmp_path, files | {"contrasts.csv": table.to_csv(index=False).encode()})
    assert '"1.4" is outside what PLO can be' in said and '"-1.2" is outside what ZCOR can be' in said
    assert '"z" is given, but it is not the scale of PLO' in said
    assert "row 7, column estimate_scale: the cell is empty: is 0.4 as printed" in said and "4 problems" in said


def test_the_check_refuses_claims_that_need_a_comparison(tmp_path):
    test = {"outcome": "o", "window": "all", "label": "x"}
    claims = [
        {"id": f"A0{at}", "page": "p", "claim": "It is so, they say.", "would_change": "More trials of it.", "tests": [{**test, **rule}]}
        for at, rule in enumerate(
            ({"rule": "benefit"}, {"rule": "claimed_value", "value": 0.5}, {"rule": "claimed_value", "value": 2})
        )
    ]  # fmt: skip
    files = review("pritz") | {"claims.yaml": generator.yaml_of({"pages": {"p": "a page"}, "claims": claims})}
    said = refused(tmp_path, files)
    assert "needs a comparison, and o is the PLO of a single group" in said
    assert "is no PLO; allowed: a number between 0 and 1" in said and "2 problems" in said


def test_other_arms_stand_beside_no_group(tmp_path):
    """A control arm is listed with the reason; several rows of the group are one."""
    files = review("zeros")
    arms = pd.read_csv(io.BytesIO(files["arms.csv"]))
    extra = pd.DataFrame(
        [
            {"events": 5, "n": 20, "study_id": "t001", "outcome": "o", "role": "control", "arm": "c"},
            {"events": 7, "n": 40, "study_id": "t001", "outcome": "o", "role": "intervention", "arm": "b"},
        ]
    )
    table = pd.concat([arms, extra]).to_csv(index=False).encode()
    results = pipeline.build(files | {"arms.csv": table}, tmp_path, figures=False)
    effects = read_csv(results / "effects.csv").set_index("study_id")
    assert (effects.loc["t001", "events_intervention"], effects.loc["t001", "n_intervention"]) == (10, 100)
    excluded = read_csv(results / "exclusions.csv")
    assert excluded["reason_code"].tolist() == ["not_the_group"]
    flags = read_csv(results / "flags.csv")
    assert not flags["rule"].eq("one_side_only").any()
