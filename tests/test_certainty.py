"""GRADE by rule: both sides of every threshold, risk-of-bias tools as data, a published Summary of Findings rebuilt."""

import io
import json
import zipfile
from math import exp, log
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from reweigh.certainty.assess import Override, assess, certainty_table, read_overrides
from reweigh.certainty.findings import findings_html, summary_of_findings
from reweigh.certainty.thresholds import SOURCES, Thresholds, cited, rule_problems, rules_of
from reweigh.certainty.word import findings_docx
from reweigh.check import check
from reweigh.effects.absolute import absolute_effect, control_risk
from reweigh.figures.forest.lights import lights
from reweigh.figures.risk_of_bias import traffic_light, weighted_bar
from reweigh.figures.svg import render
from reweigh.io import write_csv
from reweigh.pool.summarise import fit_all, weights_table
from reweigh.protocol.importance import ImportantDifference
from reweigh.protocol.model import CertaintyRules, Indirectness, Outcome
from reweigh.risk_of_bias import NOT_ASSESSED, load_risk_of_bias, read_risk_of_bias, read_tools
from reweigh.text.certainty import RULES, DomainName, Level, sentence
from test_reproduction import review_of

TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())
NONE = read_risk_of_bias(None, TOOLS)
PAIN = Outcome(
    label="Pain", type="continuous", measure="SMD", better="lower",
    smallest_important_difference={"SMD": ImportantDifference(value=0.5, source="a source")},
)  # fmt: skip
EVENT = Outcome(label="Event", type="binary", measure="RR", better="lower")


def trials(k=4, variance=0.05, measure="SMD", y=None, n=100, risk=0.2):
    estimates = np.full(k, -0.6) if y is None else np.asarray(y, dtype=float)
    return pd.DataFrame(
        {
            "analysis": "a.b", "study_id": [f"t{i}" for i in range(k)], "comparison_id": [f"t{i}" for i in range(k)],
            "estimate": estimates,
            "variance": np.broadcast_to(variance, k).astype(float), "measure": measure,
            "events_intervention": risk * n, "n_intervention": float(n), "events_control": risk * n,
            "n_control": float(n), "corrected": "no", "sd_intervention": 2.0, "sd_control": 2.0,
        }
    )  # fmt: skip


def pooled(**given):
    """A row of pooled.csv; its guarded intervals are its own unless they are given."""
    row = {
        "analysis": "a.b", "outcome": "a", "window": "b", "measure": "SMD", "set": "main", "model": "cochrane",
        "scale": "natural", "k": 4, "comparisons": 4, "estimate": -0.6, "ci_lower": -0.7, "ci_upper": -0.55, "i2": 0.0,
        "tau": 0.0, "tau2": 0.0, "pi_lower": -0.7, "pi_upper": -0.55, "participants": 1000.0, "n_intervention": 500.0,
        "n_control": 500.0, "note_codes": "", "level": 0.95,
    } | given  # fmt: skip
    limits = [f"{name}_{end}" for name in ("ci", "pi") for end in ("lower", "upper")]
    row = {f"guarded_{name}": row[name] for name in limits} | row
    back = np.exp if row["scale"] == "log" else float
    numbers = ["estimate", *limits, *(f"guarded_{name}" for name in limits)]
    return pd.Series({f"{name}_natural": float(back(row[name])) for name in numbers} | row)


def weigh(effects, tau2=0.0):
    """Weights of the random-effects model, percent by comparison."""
    weight = 1 / (effects["variance"].to_numpy() + tau2)
    return pd.Series(100 * weight / weight.sum(), index=effects["comparison_id"].to_numpy())


def graded(effects=None, row=None, outcome=PAIN, bias=NONE, weights=None, **how):
    effects = trials() if effects is None else effects
    weights = weigh(effects) if weights is None else weights
    return assess(effects, pooled() if row is None else row, outcome, weights, bias=bias, **how)


def domain(name, effects=None, row=None, outcome=PAIN, bias=NONE, **how):
    return graded(effects, row, outcome, bias, **how).domain(name)


def judged(levels, tool="RoB 2"):
    """Overall judgements of t0, t1 ..., None for no judgement."""
    rows = [
        {"study_id": f"t{i}", "tool": tool, "domain": "overall", "judgement": level}
        for i, level in enumerate(levels)
        if level
    ]
    return read_risk_of_bias(pd.DataFrame(rows), TOOLS)


def rule(found):
    return found.rule, found.levels


# --- risk of bias


def test_an_empty_table_is_not_assessed_and_costs_one_level_with_that_word():
    header_only = pd.read_csv(ROOT / "data" / "ketamine-chronic-pain" / "risk_of_bias.csv", dtype=str)
    assert header_only.empty
    for bias in (NONE, read_risk_of_bias(header_only, TOOLS)):
        found = domain("risk of bias", bias=bias)
        assert rule(found) == ("RB0", -1) and found.judgement == NOT_ASSESSED
        assert "no trial has a judgement" in found.figures


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (["low"] * 4, ("RB1", 0)),
        (["low", "low", "some_concerns", "some_concerns"], ("RB1", 0)),  # exactly half
        (["low", "some_concerns", "some_concerns", "high"], ("RB2", -1)),
        (["low", "low", "high", "high"], ("RB1", 0)),
        (["low", "high", "high", "some_concerns"], ("RB2", -1)),  # half at high risk, three quarters in doubt
        (["low", "high", "high", "high"], ("RB3", -2)),
        ([None, "low", "low", None], ("RB0", -1)),  # half of the weight has no judgement
        ([None, "low", "low", "low"], ("RB1", 0)),
        ([None, "low", "low", "high"], ("RB1", 0)),
        # What has no judgement counts as unclear: two fifths without one and a fifth unclear are more than half.
        ([None, None, "some_concerns", "low", "low"], ("RB2", -1)),
        ([None, None, "low", "low", "low"], ("RB1", 0)),
    ],
)
def test_risk_of_bias_by_share_of_weight(levels, expected):
    assert rule(domain("risk of bias", trials(len(levels)), bias=judged(levels))) == expected


def test_shares_are_weights_and_not_counts():
    effects = trials(k=3, variance=[0.01, 1.0, 1.0])
    assert rule(domain("risk of bias", effects, bias=judged(["low", "high", "high"]))) == ("RB1", 0)
    # Under large heterogeneity the weights are nearly equal.
    equal = weigh(effects, tau2=100.0)
    assert rule(domain("risk of bias", effects, weights=equal, bias=judged(["low", "high", "high"]))) == ("RB3", -2)


# --- inconsistency


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"k": 1, "i2": np.nan}, ("IN0", 0)),
        ({"i2": 49.9}, ("IN1", 0)),
        ({"i2": 50.0}, ("IN2", -1)),
        # The prediction interval reaches no effect (0), the CI does not.
        ({"pi_lower": -1.2, "pi_upper": 0.01, "ci_lower": -0.9, "ci_upper": -0.55}, ("IN2", -1)),
        ({"pi_lower": -1.2, "pi_upper": -0.51, "ci_lower": -0.9, "ci_upper": -0.55}, ("IN1", 0)),
        # What the CI crosses itself is imprecision, not inconsistency.
        ({"pi_lower": -0.9, "pi_upper": -0.1, "ci_lower": -0.8, "ci_upper": -0.2}, ("IN1", 0)),
        # 75% and both sides of the important difference.
        ({"i2": 75.0, "pi_lower": -0.9, "pi_upper": 0.51}, ("IN3", -2)),
        ({"i2": 74.9, "pi_lower": -0.9, "pi_upper": 0.51}, ("IN2", -1)),
        ({"i2": 75.0, "pi_lower": -0.9, "pi_upper": 0.49}, ("IN2", -1)),
    ],
)
def test_inconsistency(given, expected):
    assert rule(domain("inconsistency", row=pooled(**given))) == expected


def test_two_trials_without_a_prediction_interval_look_at_their_estimates():
    row = pooled(k=2, i2=80.0, pi_lower=np.nan, pi_upper=np.nan)
    assert rule(domain("inconsistency", trials(y=[-0.9, 0.2], k=2), row)) == ("IN3", -2)
    assert rule(domain("inconsistency", trials(y=[-0.9, -0.2], k=2), row)) == ("IN2", -1)


# --- indirectness


def test_indirectness_comes_from_the_protocol_with_its_reason():
    assert rule(domain("indirectness")) == ("ID0", 0)
    assert rule(domain("indirectness", indirectness=(-1, "healthy volunteers"))) == ("ID1", -1)
    with pytest.raises(ValueError, match="needs a reason"):
        domain("indirectness", indirectness=(-1, ""))
    with pytest.raises(ValueError, match="0 to 3 levels"):
        domain("indirectness", indirectness=(1, "up"))


# --- imprecision (optimal information size of an SMD of 0.5 with power 80%: 126)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"participants": 126.0}, ("IM1", 0)),
        ({"participants": 125.0}, ("IM2", -1)),
        ({"participants": 63.0}, ("IM2", -1)),
        ({"participants": 62.0}, ("IM3", -2)),
        ({"ci_lower": -0.7, "ci_upper": 0.0}, ("IM4", -1)),
        ({"ci_lower": -0.7, "ci_upper": -0.001}, ("IM1", 0)),
        ({"ci_lower": -0.5, "ci_upper": 0.5}, ("IM1", 0)),  # no effect, and nothing beyond what is important
        ({"ci_lower": -0.51, "ci_upper": 0.5}, ("IM4", -1)),
        ({"ci_lower": -0.51, "ci_upper": 0.51}, ("IM5", -2)),
        ({"ci_lower": np.nan, "ci_upper": np.nan}, ("IM0", -2)),
    ],
)
def test_imprecision(given, expected):
    assert rule(domain("imprecision", row=pooled(**given))) == expected


def test_half_and_twice_the_important_difference_move_the_bounds():
    row = pooled(ci_lower=-0.4, ci_upper=0.3, participants=1e6)
    assert rule(domain("imprecision", row=row)) == ("IM1", 0)
    assert rule(domain("imprecision", row=row, factor=0.5)) == ("IM5", -2)
    assert EVENT.bounds("RR", factor=2.0) == pytest.approx((2 * log(0.75), 2 * log(1.25)))
    assert PAIN.bounds("MD") is None


def test_ratios_take_the_bounds_of_grade_where_the_protocol_has_none():
    row = pooled(measure="RR", scale="log", ci_lower=log(0.74), ci_upper=log(1.1))
    assert rule(domain("imprecision", trials(measure="RR"), row, EVENT)) == ("IM4", -1)
    row = pooled(measure="RR", scale="log", ci_lower=log(0.76), ci_upper=log(1.24), participants=1e6)
    assert rule(domain("imprecision", trials(measure="RR"), row, EVENT)) == ("IM1", 0)


@pytest.mark.parametrize("measure", ["RR", "MD"])
def test_information_sizes_of_counts_and_means_have_two_sides(measure):
    # RR 0.75 at a control risk of 0.2: 4 (1.96 + 0.8416)^2 p(1 - p) / 0.05^2 with p = 0.175 is 1813 participants;
    # MD 1 with SD 2: 4 (1.96 + 0.8416)^2 4 / 1 is 126.
    outcome, size = (EVENT, 1813) if measure == "RR" else (
        Outcome(label="Pain", type="continuous", measure="MD", better="lower",
                smallest_important_difference={"MD": ImportantDifference(value=1.0, source="a source")}), 126,
    )  # fmt: skip
    row = {"measure": measure, "scale": "log" if measure == "RR" else "natural"}
    for n, expected in ((size + 1, ("IM1", 0)), (size - 1, ("IM2", -1))):
        effects = trials(measure=measure)
        found = domain("imprecision", effects, pooled(participants=float(n), ci_upper=-0.5, **row), outcome)
        assert rule(found) == expected, found.figures


def test_standard_errors_speak_for_patients_that_are_not_in_the_table():
    row = pooled(participants=np.nan, n_intervention=np.nan, n_control=np.nan)
    assert rule(domain("imprecision", trials(k=4, variance=0.1), row)) == ("IM1", 0)  # 4 x 4 / 0.1 = 160
    assert rule(domain("imprecision", trials(k=4, variance=0.2), row)) == ("IM2", -1)  # 80
    found = domain("imprecision", trials(measure="RR"), pooled(measure="RR", scale="log", **row[["participants"]],
                   n_intervention=np.nan), EVENT)  # fmt: skip
    assert found.rule == "IM1" and "not judged" in found.figures


# --- publication bias


def test_asymmetry_is_tested_from_ten_trials():
    rng = np.random.default_rng(7)
    v = np.linspace(0.01, 0.3, 10)
    slanted = -0.1 - 2 * np.sqrt(v)
    assert rule(domain("publication bias", trials(9, v[:9], y=slanted[:9]))) == ("PB0", 0)
    assert rule(domain("publication bias", trials(10, v, y=slanted + rng.normal(0, 0.01, 10)))) == ("PB2", -1)
    even = -0.3 + np.sqrt(v) * np.tile([1, -1], 5)
    assert rule(domain("publication bias", trials(10, v, y=even))) == ("PB1", 0)


def test_the_p_value_of_the_asymmetry_test_has_two_sides():
    v = np.linspace(0.01, 0.3, 12)
    y = -0.3 + np.sqrt(v) * np.tile([1.0, -0.4, 0.2], 4)
    p = float(domain("publication bias", trials(12, v, y=y)).figures.split("P = ")[1].split(" ")[0])
    for limit, expected in ((p + 0.01, ("PB2", -1)), (p - 0.01, ("PB1", 0))):
        assert (
            rule(domain("publication bias", trials(12, v, y=y), thresholds=Thresholds(asymmetry_p=limit))) == expected
        )


# --- the whole


def test_levels_add_up_and_end_at_very_low():
    best = graded(bias=judged(["low"] * 4))
    assert best.level == "high" and best.down == 0 and best.reasons == "no level taken off" and best.bias_assessed
    assert graded(bias=NONE).level == "moderate"
    assert graded(row=pooled(i2=60.0)).level == "low"
    worst = graded(row=pooled(i2=60.0, ci_lower=-2.0, ci_upper=2.0))
    assert worst.level == "very low" and worst.down == 4
    assert [d.name for d in worst.domains] == list(DomainName)
    assert {d.rule for d in worst.domains} <= set(RULES)


def test_a_person_may_override_a_domain_and_it_shows():
    table = pd.DataFrame(
        [{"analysis": "a.b", "domain": "risk of bias", "levels": "0", "reason": "read in full", "initials": "AB"}]
    )
    overrides = read_overrides(table)
    found = graded(bias=NONE, overrides=overrides)
    changed = found.domain("risk of bias")
    assert found.level == "high" and (changed.rule, changed.overridden_by) == ("OV", "AB")
    assert "rule RB0 said not assessed" in changed.figures
    assert graded(row=pooled(analysis="other"), overrides=overrides).level == "moderate"
    for column, value in (("reason", ""), ("initials", ""), ("levels", "1"), ("domain", "luck")):
        with pytest.raises(ValueError, match="certainty_overrides"):
            read_overrides(table.assign(**{column: value}))


def test_an_override_of_an_analysis_without_a_trial_overrides_nothing():
    """The check knows which analyses the protocol has; one of them may have no trial (as of an early year)."""
    override = Override("a.c", "imprecision", -1, "read in full", "AB")
    row = pd.DataFrame([pooled()])
    weights = pd.DataFrame({"analysis": "a.b", "model": row["model"], "comparison_id": "x", "weight": 1.0})
    table = certainty_table(trials(), row, weights, {"a": PAIN}, bias=NONE, overrides=[override])
    assert len(table) == 5 and (table["overridden_by"] == "").all()


def test_thresholds_are_cited_and_can_be_set():
    assert set(cited()) == set(SOURCES) and all(len(source) > 20 for _, source in cited().values())
    assert rule(domain("inconsistency", row=pooled(i2=45.0), thresholds=Thresholds(i2_serious=40.0))) == ("IN2", -1)
    with pytest.raises(ValueError, match="i2_very_serious must lie between 50 and 100"):
        Thresholds(i2_very_serious=40.0)
    protocol = review_of("bcg-vaccine")[0]
    assert rules_of(protocol) == (Thresholds(), {}) and not list(rule_problems(protocol))
    told = {"tuberculosis": Indirectness(levels=-1, reason="not our patients")}
    rules = CertaintyRules(thresholds={"i2_serious": 40.0}, indirectness=told)
    protocol = protocol.model_copy(update={"certainty": rules})
    assert rules_of(protocol) == (Thresholds(i2_serious=40.0), {"tuberculosis": (-1, "not our patients")})
    wrong = CertaintyRules(thresholds={"i2": 40.0, "alpha": 20.0}, indirectness={"tuberculose": told["tuberculosis"]})
    found = list(rule_problems(protocol.model_copy(update={"certainty": wrong})))
    assert [(key, value) for key, value, *_ in found] == [
        ("certainty.thresholds", "i2"), ("certainty.thresholds", ""), ("certainty.indirectness", "tuberculose"),
    ]  # fmt: skip
    assert "alpha must lie between 0 and 1" in found[1][2] and 'did you mean "tuberculosis"' in found[2][2]


# --- risk-of-bias tools


@pytest.mark.parametrize(
    ("tool", "domains", "levels"),
    [("RoB 1", 7, 3), ("RoB 2", 5, 3), ("RoB 2 crossover", 6, 3), ("RoB 2 cluster", 6, 3), ("ROBINS-I", 7, 5)],
)
def test_every_tool_is_data(tool, domains, levels):
    assert (len(TOOLS[tool].domains), len(TOOLS[tool].levels)) == (domains, levels)
    rows = [
        {"study_id": f"t{i}", "tool": tool, "domain": name, "judgement": level.label}
        for i, level in enumerate(TOOLS[tool].levels)
        for name, _ in TOOLS[tool].domains
    ]
    bias = read_risk_of_bias(pd.DataFrame(rows), TOOLS)
    assert [bias.overall(f"t{i}", "any") for i in range(levels)] == [x.kind for x in TOOLS[tool].levels]
    weights = trials(k=levels + 1)[["study_id"]].assign(analysis="a", weight=100 / (levels + 1))
    for figure in (traffic_light(bias, tool, {}), weighted_bar(bias, tool, weights)):
        assert all(label.encode() in render(figure, "svg") for _, label in TOOLS[tool].domains)
    column = lights(bias, ["t0", f"t{levels}"], "any")
    assert column.heads == (*(f"D{i + 1}" for i in range(domains)), "All")
    assert column.of == {"t0": (TOOLS[tool].levels[0],) * (domains + 1), f"t{levels}": (None,) * (domains + 1)}
    assert [column.overall(study) for study in column.of] == [TOOLS[tool].levels[0].label, NOT_ASSESSED.capitalize()]
    assert all(label in column.legend for _, label in TOOLS[tool].domains) and "empty: not assessed" in column.legend
    with pytest.raises(ValueError, match="no trial is judged"):
        traffic_light(NONE, tool, {})


def test_a_trial_is_as_risky_as_its_worst_domain_unless_its_overall_judgement_is_given():
    rows = [{"study_id": "t0", "tool": "RoB 2", "domain": d, "judgement": "low"} for d, _ in TOOLS["RoB 2"].domains]
    rows[2]["judgement"] = "high"
    assert read_risk_of_bias(pd.DataFrame(rows), TOOLS).overall("t0", "x") == "high"
    rows.append({"study_id": "t0", "tool": "RoB 2", "domain": "overall", "judgement": "some concerns"})
    bias = read_risk_of_bias(pd.DataFrame(rows), TOOLS)
    assert bias.overall("t0", "x") == "unclear" and bias.overall("t1", "x") == NOT_ASSESSED


def test_a_judgement_of_one_outcome_comes_before_that_of_all():
    rows = [("t0", "", "high"), ("t0", "pain", "low")]
    table = pd.DataFrame(
        [{"study_id": s, "outcome": o, "tool": "RoB 2", "domain": "overall", "judgement": j} for s, o, j in rows]
    )
    bias = read_risk_of_bias(table, TOOLS)
    assert (bias.overall("t0", "pain"), bias.overall("t0", "sleep")) == ("low", "high")


def test_a_forest_plot_without_judgements_has_no_lights_and_two_tools_share_only_the_overall_one():
    assert lights(NONE, ["t0"], "pain") is None and lights(None, ["t0"], "pain") is None
    rows = [
        ("t0", "RoB 2", "randomisation", "low"),
        ("t1", "RoB 1", "other_bias", "high"),
        ("t2", "RoB 2", "overall", "low"),
    ]
    table = pd.DataFrame([dict(zip(("study_id", "tool", "domain", "judgement"), row, strict=True)) for row in rows])
    bias = read_risk_of_bias(table, TOOLS)
    assert lights(bias, ["t9"], "pain") is None
    both = lights(bias, ["t0", "t1"], "pain")
    assert both.heads == ("All",) and [level.name for row in both.of.values() for level in row] == ["low", "high"]
    one = lights(bias, ["t0", "t2"], "pain")
    assert len(one.heads) == 6 and [level and level.name for level in one.of["t2"]] == [None] * 5 + ["low"]


def test_unknown_judgements_are_refused_all_at_once():
    table = pd.DataFrame(
        [
            {"study_id": "a", "tool": "RoB 3", "domain": "overall", "judgement": "low"},
            {"study_id": "b", "tool": "RoB 2", "domain": "luck", "judgement": "low"},
            {"study_id": "c", "tool": "RoB 2", "domain": "overall", "judgement": "critical"},
            {"study_id": "d", "tool": "RoB 2", "domain": "overall", "judgement": "low"},
            {"study_id": "d", "tool": "RoB 2", "domain": "overall", "judgement": "high"},
        ]
    )
    with pytest.raises(ValueError, match="RoB 3") as error:
        read_risk_of_bias(table, TOOLS)
    assert all(words in str(error.value) for words in ("'luck'", "'critical'", "is judged in row 5 already"))
    with pytest.raises(ValueError, match="is missing"):
        read_tools("tools: {X: {source: s, domains: {}}}")


# --- absolute effects and the Summary of Findings

PUBLISHED = json.loads((ROOT / "tests" / "reference" / "certainty_findings.json").read_text())


@pytest.mark.parametrize(
    ("measure", "row"),
    [*(("RR", r) for r in PUBLISHED["rows"]), *(("OR", r) for r in PUBLISHED["rows_or"])],
    ids=lambda x: x if isinstance(x, str) else x[0],
)
def test_the_published_summary_of_findings_of_compression_stockings_is_rebuilt(measure, row):
    _, assumed, estimate, low, high, *printed = row
    found = absolute_effect(measure, assumed / 1000, estimate, low, high)
    assert [round(x) for x in (found.corresponding, found.lower, found.upper)] == printed


def test_absolute_effects_of_other_measures_and_their_ends():
    assert absolute_effect("RD", 0.2, -0.05, -0.3, 0.1).corresponding == pytest.approx(150)
    assert absolute_effect("RD", 0.2, -0.05, -0.3, 0.1).lower == 0
    assert absolute_effect("RR", 0.6, 2.0, 1.5, 3.0).corresponding == 1000
    assert absolute_effect("HR", 0.3, 0.5, 0.5, 0.5).corresponding == pytest.approx(1000 * (1 - 0.7**0.5))
    assert absolute_effect("OR", 1.0, 0.5, 0.4, 0.6).corresponding == 1000
    assert absolute_effect("RR", 0.2, 0.5, 0.4, 0.6).difference == pytest.approx((-100, -120, -80))
    with pytest.raises(ValueError, match="no absolute effect for SMD"):
        absolute_effect("SMD", 0.2, 0.5, 0.4, 0.6)
    with pytest.raises(ValueError, match="between 0 and 1"):
        absolute_effect("RR", 1.2, 0.5, 0.4, 0.6)


def test_the_control_risk_is_the_median_and_ignores_a_correction():
    effects = trials(k=3).assign(events_control=[0.5, 20.0, 60.0], corrected=["yes", "no", "no"])
    assert control_risk(effects) == pytest.approx(0.2)
    assert control_risk(effects.iloc[:1]) == 0


@pytest.mark.parametrize(
    ("certainty", "estimate", "ci", "words"),
    [
        ("high", -0.6, (-0.7, -0.55), "Ketamine reduces pain."),
        ("moderate", 0.6, (0.55, 0.7), "Ketamine probably increases pain."),
        ("low", -0.6, (-1.0, -0.1), "Ketamine may reduce pain."),
        ("low", -0.5, (-1.0, 0.1), "Ketamine may reduce pain; the interval also includes no effect."),
        ("high", -0.49, (-0.6, -0.1), "Ketamine reduces pain slightly; the interval also includes an important reduction."),
        ("high", -0.1, (-0.2, 0.1), "Ketamine results in little to no difference in pain; the interval also includes no effect."),
        ("moderate", -0.1, (-0.6, 0.6), "Ketamine probably results in little to no difference in pain; the interval also "
         "includes no effect and an important reduction and an important increase."),
        ("low", -0.1, (-0.2, 0.1), "Ketamine may result in little to no difference in pain; the interval also includes no effect."),
        ("very low", -0.6, (-0.7, -0.5), "The evidence is very uncertain about the effect of ketamine on pain."),
    ],
)  # fmt: skip
def test_standard_sentences(certainty, estimate, ci, words):
    assert sentence("ketamine", "pain", Level(certainty), estimate, (-0.5, 0.5), ci) == words
    assert "no effect on" not in words and "does not" not in words


@pytest.fixture(scope="module")
def findings():
    protocol, _, effects, rows = review_of("bcg-vaccine")
    weights = weights_table(effects, protocol, fit_all(effects, protocol))
    table = certainty_table(effects, rows, weights, protocol.outcomes, bias=NONE)
    return protocol, effects, rows, table, summary_of_findings(effects, rows, table, protocol)


def test_the_table_of_bcg_has_its_events_per_1000(findings):
    _, effects, rows, table, summary = findings
    assert set(table["domain"]) == set(DomainName) and len(table) == 15
    row = summary.iloc[0]
    main = rows[rows["analysis"] == "tuberculosis.end_of_follow_up"].iloc[0]
    risk = control_risk(effects[effects["analysis"] == "tuberculosis.end_of_follow_up"])
    assert row["control_per_1000"] == f"{1000 * risk:.0f}"
    assert row["intervention_per_1000"].startswith(f"{1000 * risk * exp(main['estimate']):.0f} (")
    assert row["difference_per_1000"] == "8 fewer (11 fewer to 4 fewer)"
    assert row["certainty"] == "very low" and "risk of bias not assessed" in row["reasons"]
    assert row["sentence"].startswith("The evidence is very uncertain")


def test_what_is_not_estimable_has_no_events_per_1000(findings):
    protocol, effects, rows, table, _ = findings
    lost = [name for name in rows if name.startswith(("estimate", "ci_", "guarded_", "pi_"))]
    summary = summary_of_findings(effects, rows.assign(**dict.fromkeys(lost, np.nan)), table, protocol)
    assert summary.iloc[0]["effect"] == "not estimable" and summary.iloc[0]["difference_per_1000"] == ""


def test_html_and_word_say_the_same(findings):
    protocol, *_, summary = findings
    html, word = findings_html(summary, protocol), findings_docx(summary, protocol)
    assert "http" not in html.replace("http-equiv", "")
    with zipfile.ZipFile(io.BytesIO(word)) as archive:
        assert archive.testzip() is None
        root = ElementTree.fromstring(archive.read("word/document.xml"))
        for name in archive.namelist():
            if name.endswith((".xml", ".rels")):
                ElementTree.fromstring(archive.read(name))
    space = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
    cells = ["".join(t.text or "" for t in cell.iter(f"{space}t")) for cell in root.iter(f"{space}tc")]
    for value in summary.iloc[0][["outcome_label", "effect", "difference_per_1000", "sentence"]]:
        assert value in html and value in cells
    assert word == findings_docx(summary, protocol)


# --- as a person types them

KETAMINE = ROOT / "data" / "ketamine-chronic-pain"


def checked(**files):
    """The report of a check of the ketamine review with these files in the place of its own."""
    own = {p.name: p.read_bytes() for p in KETAMINE.iterdir() if p.suffix in (".csv", ".yaml")}
    typed = {name.replace("__", "."): text.encode() for name, text in files.items()}
    tables, report = check(own | typed, "ketamine-chronic-pain", TOOLS)
    return tables, report.replace("data/ketamine-chronic-pain", "").splitlines()[1:]


def test_every_wrong_judgement_and_override_is_reported_with_the_tables():
    judgements = "\ufeffstudy_id,tool,domain,judgement\nlemming2005,RoB2,overall,low\n,,,\nlemming2005,RoB 2,luck,low\n"
    judgements += "lemming2005,RoB 2,overall,higth\nnobody1900,RoB 2,overall,low\nlemming2005,RoB 2,overall,low\nlemming2005,,x,low\n"
    overrides = (
        "analysis,domain,levels,reason,initials\nresponder.immediat,imprecision,-4,,AB\nresponder.immediate,luck,0,x,\n"
    )
    tables, report = checked(risk_of_bias__csv=judgements, certainty_overrides__csv=overrides)
    assert tables is None
    assert [line.partition("; allowed")[0] for line in report] == [
        '/certainty_overrides.csv, row 2, column analysis: "responder.immediat" is no analysis of the protocol '
        '(did you mean "responder.immediate"?)',
        '/certainty_overrides.csv, row 2, column levels: "-4" is no number of levels',
        "/certainty_overrides.csv, row 2, column reason: the cell is empty",
        '/certainty_overrides.csv, row 3, column domain: "luck" is no domain',
        "/certainty_overrides.csv, row 3, column initials: the cell is empty",
        '/risk_of_bias.csv, row 2, column tool: "RoB2" is not a tool (did you mean "RoB 2"?)',
        '/risk_of_bias.csv, row 4, column domain: "luck" is no domain of RoB 2',
        '/risk_of_bias.csv, row 5, column judgement: "higth" is no judgement of RoB 2 (did you mean "high"?)',
        '/risk_of_bias.csv, row 6, column study_id: "nobody1900" is not a study of studies.csv',
        '/risk_of_bias.csv, row 7, column domain: "overall" is judged in row 5 already (study_id lemming2005)',
        "/risk_of_bias.csv, row 8, column tool: the cell is empty",
    ]  # fmt: skip
    _, report = checked(certainty_overrides__csv="analysis;domain\n")
    # A semicolon separates columns too: three are missing.
    assert len(report) == 3 and all("the column is missing" in line for line in report)


def test_judgements_that_are_in_order_reach_the_forest_plot(tmp_path):
    typed = "study_id,tool,domain,judgement\nlemming2005 ,RoB 2,randomisation,Some concerns\n"
    tables, report = checked(risk_of_bias__csv=typed)
    assert not report
    write_csv(tables.risk_of_bias, tmp_path / "checked" / "risk_of_bias.csv")
    bias = load_risk_of_bias(tmp_path / "checked" / "risk_of_bias.csv", ROOT / "data" / "risk_of_bias_tools.yaml")
    found = lights(bias, ["lemming2005", "noppers2011"], "responder")
    assert [level and level.name for level in found.of["lemming2005"]] == [
        "some_concerns",
        *[None] * 4,
        "some_concerns",
    ]
    assert found.of["noppers2011"] == (None,) * 6
