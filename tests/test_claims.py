"""Claims judged by rule: every rule in both directions, the nineteen claims, and verdicts that follow the trials."""

import io
import json
import zipfile
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from reweigh.certainty.assess import Certainty, Domain, Override, certainty_table
from reweigh.certainty.findings import findings_html, summary_of_findings
from reweigh.certainty.word import findings_docx
from reweigh.claims.evaluate import evaluate, evaluate_claims
from reweigh.claims.evidence import Body, Evidence, Setting, gather
from reweigh.claims.model import COUNTS_AS_SUPPORT, Claims, Context, Test, claims_problems, read_claims
from reweigh.claims.pages import claim_page, claims_json, claims_table
from reweigh.claims.rules import Finding, combine, judge
from reweigh.figures.claims import claim_figure
from reweigh.figures.svg import render
from reweigh.pool.core import pool
from reweigh.pool.summarise import fit_all, pool_by, pooled_table, weights_table
from reweigh.protocol.model import Outcome
from reweigh.protocol.models import PRESETS, Model
from reweigh.protocol.read import load_protocol
from reweigh.risk_of_bias import read_risk_of_bias, read_tools
from reweigh.text import codes
from reweigh.text.certainty import DomainName, Judgement, Level
from reweigh.text.claims import BRIEF, RULES, VERDICT_RULES, State, Verdict, tally
from reweigh.text.codes import parse
from test_reproduction import checked_of, read_text, review_of

KETAMINE = "ketamine-chronic-pain"
REVIEWS = (
    KETAMINE, "duloxetine-chronic-pain", "spinal-manipulation-low-back-pain", "antidepressants-fibromyalgia",
    "topical-nsaids-acute-pain", "bcg-vaccine",
)  # fmt: skip
TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())


def setting_of(review, change=None, bias=None):
    protocol, tables, effects = checked_of(review, change)
    return Setting(effects, tables.studies, protocol, read_risk_of_bias(bias, TOOLS))


def claims_of(review):
    return read_claims((ROOT / "data" / review / "claims.yaml").read_bytes())


#: Tables of stages that said nothing.
NO_MULTIVERSE = pd.DataFrame(columns=["analysis", "kind", "name", "holds", "of", "note"])
NO_LOOKS = pd.DataFrame(columns=["analysis", "conclusion_codes", "note"])
NOTHING = NO_MULTIVERSE, NO_LOOKS


@pytest.fixture(scope="module")
def judged():
    """Each review's claims, judged once."""
    found = {}
    for review in REVIEWS:
        setting = setting_of(review)
        claims = claims_of(review)
        found[review] = (setting, claims, evaluate_claims(claims.claims, setting))
    return found


def one(review, name, change=None, bias=None):
    setting = setting_of(review, change, bias)
    claim = next(c for c in claims_of(review).claims if c.id == name)
    return evaluate(claim, setting)


def low_risk(review):
    """Every trial judged at low risk of bias."""
    setting = setting_of(review)
    ids = setting.effects["study_id"].unique()
    return pd.DataFrame({"study_id": ids, "tool": "RoB 2", "domain": "overall", "judgement": "low"})


# --- the rules, on made evidence

LOWER = Outcome(label="Pain", type="continuous", measure="MD", better="lower")
HIGHER = Outcome(label="Response", type="binary", measure="RR", better="higher")
GOOD = Certainty((Domain(DomainName.BIAS, Judgement.NOT_SERIOUS, 0, "RB1", ""),))


def graded(assessed=True, other=0):
    """A certainty whose other domains take `other` levels off; risk of bias not assessed takes one."""
    bias = Domain(DomainName.BIAS, Judgement.NOT_SERIOUS, 0, "RB1", "")
    if not assessed:
        bias = Domain(DomainName.BIAS, Judgement.NOT_ASSESSED, -1, "RB0", "judged judged=0 of=3")
    return Certainty((bias, Domain(DomainName.IMPRECISION, Judgement.of(other), other, "IM", "no_interval")))


def made(ci, k=3, outcome=LOWER, bounds=(-1.0, 1.0), certainty=GOOD, effects=None, **row):
    low, high = ci
    ids = [f"t{i}" for i in range(k)]
    table = pd.DataFrame({"study_id": ids, "measure": outcome.measure, "estimate": 0.0, "variance": 1.0, "design": ""})
    if effects is not None:
        table = table.assign(**effects)
    scale = "log" if outcome is HIGHER else "natural"
    back = np.exp if scale == "log" else np.asarray
    values = {"estimate": (low + high) / 2, "ci_lower": low, "ci_upper": high, "pi_lower": np.nan, "pi_upper": np.nan}
    values |= {name: row.pop(name) for name in ("pi_lower", "pi_upper") if name in row}
    values |= {f"guarded_{n}": row.pop(f"guarded_{n}", v) for n, v in values.items() if n != "estimate"}
    series = pd.Series(
        {
            "measure": outcome.measure, "scale": scale, "level": 0.95, "participants": 100.0, "i2": 0.0,
            "note_codes": "", **values, **{f"{n}_natural": float(back(v)) for n, v in values.items()}, **row,
        }
    )  # fmt: skip
    about = "a", table, outcome, bounds, PRESETS["cochrane"]
    return Body(*about, pooled=series, certainty=certainty) if k else Evidence(*about)


def test_of(rule, **how):
    window = {} if rule == "lasting_to_weeks" else {"window": "w"}
    return Test(outcome="o", rule=rule, **window, **how)


test_of.__test__ = False


@pytest.mark.parametrize(
    ("rule", "ci", "state"),
    [
        ("benefit", (-2.0, -0.01), "met"), ("benefit", (-2.0, 0.0), "open"), ("benefit", (0.01, 2.0), "opposed"),
        ("benefit", (-0.99, 0.5), "opposed"), ("benefit", (-1.0, 0.5), "open"),
        ("harm", (0.01, 2.0), "met"), ("harm", (0.0, 2.0), "open"), ("harm", (-2.0, -0.01), "opposed"),
        ("harm", (-0.5, 0.99), "opposed"),
        ("important_benefit", (-3.0, -1.0), "met"), ("important_benefit", (-3.0, -0.99), "open"),
        ("important_benefit", (-0.99, -0.5), "opposed"), ("important_benefit", (0.1, 0.5), "opposed"),
        ("equivalence", (-0.99, 0.99), "met"), ("equivalence", (-1.0, 0.5), "open"),
        ("equivalence", (-3.0, -1.01), "opposed"), ("equivalence", (1.01, 3.0), "opposed"),
        ("no_important_harm", (-3.0, 0.99), "met"), ("no_important_harm", (-3.0, 1.01), "open"),
        ("no_important_harm", (1.01, 3.0), "opposed"),
    ],
)  # fmt: skip
def test_rules_on_the_interval(rule, ci, state):
    assert judge(test_of(rule), made(ci)).state == state
    # The same where higher is better, everything turned around.
    mirror = made((-ci[1], -ci[0]), outcome=HIGHER)
    assert judge(test_of(rule), mirror).state == state


def test_without_a_smallest_important_difference_nothing_important_is_said():
    for rule in ("important_benefit", "equivalence", "no_important_harm"):
        assert judge(test_of(rule), made((-0.1, 0.1), bounds=None)).state == "open"
    assert judge(test_of("benefit"), made((-0.1, 0.1), bounds=None)).state == "open"
    assert judge(test_of("benefit"), made((0.1, 0.2), bounds=None)).state == "opposed"


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"certainty_at_most"}))
@pytest.mark.parametrize("k", [0, 1])
def test_one_trial_or_none_is_too_few_for_every_rule(rule, k):
    how = {
        "level": "moderate", "value": 0.5 if rule == "risk_below" else 1.0, "column": "study_id", "larger": ("t0",), "weeks": 4.0, "source": "a source",
    }  # fmt: skip
    needed = {k: v for k, v in how.items() if rule in NEEDED[k]}
    found = judge(test_of(rule, **needed), made((-2.0, -1.5), k=k))
    assert found.state == "too few" and found.trials == k


NEEDED = {
    "level": {"certainty_at_least"}, "value": {"risk_below", "nnt_at_most", "claimed_value"},
    "column": {"subgroup_larger", "subgroups_alike", "dose_trend"}, "larger": {"subgroup_larger"}, "weeks": {"lasting_to_weeks"},
    "source": {"risk_below"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "asked", "assessed", "other", "state"),
    [
        ("certainty_at_least", "moderate", True, -1, "met"), ("certainty_at_least", "moderate", True, -2, "open"),
        ("certainty_at_most", "low", True, -2, "met"), ("certainty_at_most", "low", True, -1, "opposed"),
        # Risk of bias not assessed: the certainty lies between that of all trials at low risk and of all at high risk.
        ("certainty_at_least", "moderate", False, -2, "open"),  # at best low
        ("certainty_at_least", "moderate", False, -1, "not assessed"),  # at best moderate, at worst very low
        ("certainty_at_least", "low", False, 0, "met"),  # at worst low
        ("certainty_at_least", "very low", False, -3, "met"),
        ("certainty_at_most", "low", False, -2, "met"),  # at best low
        ("certainty_at_most", "low", False, -1, "not assessed"),  # at best moderate, at worst very low
        ("certainty_at_most", "very low", False, 0, "opposed"),  # at worst low
    ],
)  # fmt: skip
def test_rules_on_certainty(rule, asked, assessed, other, state):
    found = judge(test_of(rule, level=asked), made((-2, -1), certainty=graded(assessed, other)))
    assert found.state == state
    assert ("risk of bias, which is not assessed" in found.words) == (not assessed)


def test_the_bounds_of_a_certainty_are_those_of_its_other_domains():
    assert (graded(False, -1).level, graded(False, -1).best, graded(False, -1).worst) == ("low", "moderate", "very low")
    assert graded(False, 0).worst == "low" and graded(False, -3).best == "very low"
    assert (graded(True, -1).best, graded(True, -1).worst) == ("moderate", "moderate")
    assert judge(test_of("certainty_at_most", level="low"), made((0, 0), k=0)).state == "too few"


@pytest.mark.parametrize(
    ("y", "state"), [([-2, -2.1, 0, 0.1], "met"), ([0, 0.1, -2, -2.1], "opposed"), ([-1, -1.1, -1, -1.2], "open")]
)
def test_a_subgroup_is_larger_by_the_test_for_differences(y, state):
    effects = {"estimate": y, "variance": 0.01, "kind": ["a", "a", "b", "b"]}
    test = test_of("subgroup_larger", column="kind", larger=("a",))
    found = judge(test, made((-1, 0), k=4, effects=effects))
    assert found.state == state and found.trials == 2
    assert ("not evidence of none" in found.words) == (state == "open")
    lonely = {"estimate": y, "variance": 0.01, "kind": ["a", "b", "b", "b"]}
    assert judge(test, made((-1, 0), k=4, effects=lonely)).state == "too few"


@pytest.mark.parametrize(
    ("y", "state"),
    [([0.5, 0.5, 0, 0, 0.2, 0.2], "met"), ([0.9, 0.9, 0, 0, 0.2, 0.2], "open"), ([1.5, 1.5, 0, 0, 0.2, 0.2], "opposed")],
)  # fmt: skip
def test_subgroups_are_alike_where_every_difference_is_small_for_sure(y, state):
    effects = {"estimate": y, "variance": 0.01, "kind": ["a", "a", "b", "b", "c", "c"]}
    test = test_of("subgroups_alike", column="kind")
    found = judge(test, made((-1, 0), k=6, effects=effects))
    assert found.state == state and found.trials == 2
    # Altman and Bland 2003: each subtotal has variance 0.01 / 2, their difference 0.01, half of its interval is 0.196.
    assert f"a against b, difference in MD {y[0]:.2f} (95% CI {y[0] - 0.196:.2f} to {y[0] + 0.196:.2f})" in found.words
    # Turned round it is the same; on the log scale the margin is the nearer bound, log 1.25 and not log 0.75.
    assert judge(test, made((-1, 0), k=6, effects=effects | {"estimate": [-x for x in y]})).state == state
    near = effects | {"estimate": [x * 0.3 for x in y], "variance": 0.0001}
    ratios = made((0.1, 0.2), k=6, outcome=HIGHER, bounds=(np.log(0.75), np.log(1.25)), effects=near)
    assert judge(test, ratios).state == {"met": "met", "open": "opposed", "opposed": "opposed"}[state]
    assert "the margin of 0.80 to 1.25" in judge(test, ratios).words
    assert judge(test, made((-1, 0), k=6, effects=effects, bounds=None)).state == "open"


def test_subgroups_of_one_trial_are_neither_alike_nor_unlike():
    test = test_of("subgroups_alike", column="kind")
    effects = {"estimate": [0.1, 0.1, 0.0, 0.0, 9.0], "variance": 0.01, "kind": ["a", "a", "b", "b", "c"]}
    found = judge(test, made((-1, 0), k=5, effects=effects))
    assert found.state == "met" and "2 subgroups: a against b" in found.words and "left out: 1" in found.words
    lonely = effects | {"kind": ["a", "a", "b", "c", None]}
    found = judge(test, made((-1, 0), k=5, effects=lonely))
    assert found.state == "too few" and found.trials == 1


def test_a_claim_may_speak_of_a_grouping_that_is_no_subgroup_of_the_protocol():
    protocol = setting_of("duloxetine-chronic-pain").protocol
    assert "pain_group" in protocol.groupings and "pain_group" not in protocol.subgroups
    finding = one("duloxetine-chronic-pain", "D01").parts[0].finding
    assert finding.state == "met" and finding.words.startswith("3 subgroups, the two least alike: Fibromyalgia against")


@pytest.mark.parametrize(("events", "state"), [(2, "met"), (10, "open"), (40, "opposed")])
def test_event_risk_below_a_value(events, state):
    # Clopper-Pearson limits of 4/200, 20/200 and 80/200 against 10%.
    effects = {"events_intervention": float(events), "n_intervention": 100.0}
    test = test_of("risk_below", value=0.1, source="a source")
    assert judge(test, made((-1, 0), k=2, effects=effects)).state == state


@pytest.mark.parametrize(
    ("ci", "state"),
    [((np.log(2.0), np.log(3.0)), "met"), ((np.log(1.5), np.log(3.0)), "open"), ((np.log(1.2), np.log(1.5)), "opposed"),
     ((np.log(0.9), np.log(3.0)), "open"), ((np.log(0.5), np.log(0.9)), "opposed")],
)  # fmt: skip
def test_number_needed_to_treat_at_most(ci, state):
    # Control risk 0.2: RR 2 is NNT 5, RR 1.5 is NNT 10, RR 1.2 is NNT 25.
    effects = {"events_control": 20.0, "n_control": 100.0, "corrected": "no"}
    assert judge(test_of("nnt_at_most", value=5.01), made(ci, outcome=HIGHER, effects=effects)).state == state


@pytest.mark.parametrize(
    ("ci", "state"), [((0.3, 0.8), "met"), ((0.3, 1.1), "open"), ((0.55, 0.8), "opposed"), ((0.2, 0.49), "opposed")]
)
def test_a_claimed_value_lies_in_the_interval(ci, state):
    evidence = made(tuple(np.log(ci)), outcome=HIGHER)
    assert judge(test_of("claimed_value", value=0.5), evidence).state == state


@pytest.mark.parametrize(
    ("given", "state"),
    [({"i2": 50.0}, "met"), ({"i2": 49.0}, "open"), ({"i2": 10.0, "pi_lower": -3.0, "pi_upper": 0.1}, "met"),
     ({"i2": 10.0, "pi_lower": -3.0, "pi_upper": -0.1}, "opposed")],
)  # fmt: skip
def test_inconsistency_by_i2_and_prediction_interval(given, state):
    assert judge(test_of("inconsistent"), made((-2.0, -0.5), **given)).state == state


def test_a_dose_trend_needs_ten_trials_with_a_dose():
    dose = np.arange(12.0)
    test = test_of("dose_trend", column="dose")
    rising = {"estimate": -0.2 * dose + np.tile([0.1, -0.1, 0.05], 4), "variance": 0.04, "dose": dose}
    assert judge(test, made((-1, 0), k=12, effects=rising)).state == "met"
    flat = {"estimate": np.tile([0.1, -0.1], 6), "variance": 0.04, "dose": dose}
    assert judge(test, made((-1, 0), k=12, effects=flat)).state == "open"
    nine = {n: v[:9] if np.ndim(v) else v for n, v in rising.items()}
    assert judge(test, made((-1, 0), k=9, effects=nine)).state == "too few"
    assert "report no dose" in judge(test, made((-1, 0), k=12)).words


@pytest.mark.parametrize(
    ("states", "levels", "verdict"),
    [
        (["met"], ["high"], "supported"), (["met"], ["moderate"], "supported"),
        (["met"], ["low"], "supported with low certainty"), (["met", "met"], ["high", "very low"], "supported with low certainty"),
        (["met", "open"], ["high", "high"], "not supported"), (["met", "too few"], ["high", "high"], "too little evidence"),
        (["open", "too few"], ["high"], "not supported"), (["opposed", "open", "too few"], ["high"], "contradicted"),
        (["not assessed", "opposed"], ["high"], "cannot be tested here"),
    ],
)  # fmt: skip
def test_statements_become_a_verdict(states, levels, verdict):
    found = [(test_of("benefit"), Finding(State(s), "", 3)) for s in states]
    assert combine(found, [Level(x) for x in levels]) == verdict


def test_a_claim_that_evidence_is_weak_is_supported_by_weak_evidence():
    weak = test_of("certainty_at_most", level="low")
    assert combine([(weak, Finding(State.MET, "", 2))], [Level.VERY_LOW]) == "supported"


def test_the_vocabulary_is_closed_and_documented():
    assert set(Verdict) == {v for v, _ in VERDICT_RULES}
    text = (ROOT / "docs" / "reference" / "claims.md").read_text()
    assert all(f"`{name}`" in text and met in text for name, (met, _) in RULES.items())
    assert all(verdict in text and why in text for verdict, why in VERDICT_RULES)


# --- claims.yaml

MINIMAL = """
pages: {p: A page}
claims:
  - id: X01
    page: p
    claim: It works very well indeed.
    tests: [{outcome: pain_intensity, window: week_4, rule: benefit}]
    would_change: More trials of it.
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("rule: benefit", "rule: wonders", "rule"), ("page: p\n", "page: q\n", "not explained"),
        ("tests: [{", "untestable: why not\n    tests: [{", "untestable"), ("rule: benefit", "rule: nnt_at_most", "needs value"),
        ("rule: benefit", "rule: lasting_to_weeks, weeks: 4", "finds its own"),
        ("rule: benefit", "rule: benefit, value: 3", "takes no value"), ("X01", "first", "id"),
        ("would_change: More trials of it.", "", "is missing"), ("    page", "    pgae: p\n    page", 'did you mean "page"?'),
        ("rule: benefit", "rule: nnt_at_most, value: -5", "value of -5 cannot be"),
        ("rule: benefit", "rule: nnt_at_most, value: .nan", "finite"),
        ("rule: benefit", "rule: claimed_value, value: .inf", "finite"),
        ("rule: benefit", "rule: risk_below, value: 20, source: a source", "value of 20 cannot be"),
        ("window: week_4, rule: benefit", "rule: lasting_to_weeks, weeks: -4", "weeks of -4 cannot be"),
    ],
)  # fmt: skip
def test_a_mistake_in_claims_yaml_is_named_once_with_its_line(old, new, says):
    read_claims(MINIMAL.encode())
    wrong = MINIMAL.replace(old, new).encode()
    problems = claims_problems(wrong, None, None)
    assert len(problems) == 1 and (problems[0].row is not None or says == "not explained"), problems
    assert says in f"{problems[0].column} {problems[0].message}"
    with pytest.raises(ValueError, match="1 problem"):
        read_claims(wrong)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("week_4", "week_5", 'is no window of the protocol (did you mean "week_'),
        ("pain_intensity,", "pain_intensty,", 'is no outcome of the protocol (did you mean "pain_intensity"?)'),
        ("outcome: pain_intensity", "outcome: joy", "speaks of outcomes that this review does not have: joy"),
        ("rule: benefit", "set: mian, rule: benefit", 'is no set of the protocol (did you mean "main"?)'),
        ("rule: benefit", "where: {pain_type: [gout]}, rule: benefit", "is no value of pain_type in studies.csv"),
        ("rule: benefit", "where: {pian_type: [crps]}, rule: benefit", 'studies.csv (did you mean "pain_type"?)'),
        ("rule: benefit", "where: {study_id: [amr2012]}, rule: benefit", 'did you mean "amr2011"?'),
        ("rule: benefit", "contains: {condition: herpetik}, rule: benefit", "stands in no condition of studies.csv"),
        ("rule: benefit", "contains: {condition: 'CRPS|neuralgia'}, rule: benefit", "stands in no condition"),
        ("rule: benefit", "contains: {label: '(((('}, rule: benefit", "stands in no label"),
        ("rule: benefit", "measure: RR, rule: benefit", "is not computed for pain_intensity in the set main"),
        ("rule: benefit", "measure: MD, set: without_integrity_concern, rule: benefit", "is not computed for pain_int"),
        ("window: week_4, rule: benefit", "rule: lasting_to_weeks, weeks: 500", "no window of the protocol holds"),
        ("rule: benefit", "rule: nnt_at_most, value: 5", "needs a measure of two risks"),
        ("rule: benefit", "rule: risk_below, value: 0.1, source: a source", "needs counts of events"),
        ("rule: benefit", "rule: dose_trend, column: dose", "is no column of studies.csv"),
        ("rule: benefit", "rule: subgroup_larger, column: pain_type, larger: [gout]", "is no value of pain_type"),
        ("rule: benefit", "rule: subgroup_larger, column: neuropathic_or_crps, larger: [gout]", "is no value of neurop"),
        ("pain_intensity, window: week_4, rule: benefit",
         "responder, window: week_4, rule: claimed_value, value: -2", "is no RR"),
    ],
)  # fmt: skip
def test_a_claim_about_what_the_review_does_not_have_is_refused(judged, old, new, says):
    protocol, tables = judged[KETAMINE][0].protocol, judged[KETAMINE][0]
    assert claims_problems(MINIMAL.encode(), protocol, tables) == []
    problems = claims_problems(MINIMAL.replace(old, new).encode(), protocol, tables)
    assert len(problems) == 1, problems
    assert says in problems[0].message and problems[0].allowed
    assert problems[0].row == 7 or "speaks of outcomes" in says


def test_a_published_row_that_is_not_there_is_refused_where_the_rows_are_known(judged):
    protocol, tables = judged[KETAMINE][0].protocol, judged[KETAMINE][0]
    content = MINIMAL.replace("would_change", "published: [{review_id: michelet2019}]\n    would_change").encode()
    assert not claims_problems(content, protocol, tables)
    found = claims_problems(content, protocol, tables, ["michelet2018"])
    assert [p.message for p in found] == ['is no review_id of published.csv (did you mean "michelet2018"?)']


@pytest.mark.parametrize("review", REVIEWS)
def test_the_claims_of_every_review_pass_and_those_of_another_do_not(judged, review):
    setting = judged[review][0]
    for other in REVIEWS:
        problems = claims_problems((ROOT / "data" / other / "claims.yaml").read_bytes(), setting.protocol, setting)
        assert bool(problems) != (other == review), other


def test_words_are_looked_for_as_they_stand(judged):
    setting = judged[KETAMINE][0]
    look = claims_of(KETAMINE).claims[8].tests[2]
    assert look.contains == {"condition": ("nerve injury", "traumatic")}
    found = set(gather(look, setting).effects["study_id"])
    either = {gather(look.model_copy(update={"contains": {"condition": (word,)}}), setting).trials for word in
              ("nerve injury", "traumatic")}  # fmt: skip
    assert found and either
    pattern = look.model_copy(update={"contains": {"condition": ("nerve injury|traumatic",)}})
    assert gather(pattern, setting).trials == 0
    upper = look.model_copy(update={"contains": {"condition": ("NERVE Injury", "TRAUMATIC")}})
    assert set(gather(upper, setting).effects["study_id"]) == found


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[" * 5000, "nested too deeply"),
        ("a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{b}: &{b} [{', '.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
        ), "too large"),
        ("x" * 1_000_001, "too large"),
        ("a: [1\n", "not valid YAML"),
        ("- a\n", "holds no keys"),
        ("", "holds no keys"),
        ("\xff\xfe", "not UTF-8"),
    ],
)  # fmt: skip
def test_yaml_of_any_depth_or_size_is_refused_in_words(content, says):
    raw = content.encode("latin-1" if "\xff" in content else "utf-8")
    problems = claims_problems(raw, None, None)
    assert len(problems) == 1 and says in problems[0].message and problems[0].file == "claims.yaml"
    _, problems = load_protocol(raw)
    assert len(problems) == 1 and says in problems[0].message and problems[0].file == "review.yaml"


def test_all_nineteen_claims_are_judged_and_every_other_review_has_one(judged):
    assert [c.id for c in judged[KETAMINE][1].claims] == [f"C{i:02d}" for i in range(1, 20)]
    for review in REVIEWS:
        assert len(judged[review][2]) >= 1
        assert {a.verdict for a in judged[review][2]} <= set(Verdict)


def test_what_is_not_about_pain_or_not_found_counts_as_no_support(judged):
    cited = {c.id: c.leans_on for c in judged[KETAMINE][1].claims}
    assert [x.citation for x in cited["C16"]] == ["off_subject"]
    assert [x.citation for x in cited["C17"]] == ["not_found"]
    assert [x.citation for x in cited["C18"]] == ["not_found", "not_found"]
    labels = " ".join(x.label for x in (*cited["C16"], *cited["C17"], *cited["C18"]))
    assert all(name in labels for name in ("Berman", "Fava", "Grady", "Krieter"))
    assert sorted(COUNTS_AS_SUPPORT) == ["partly", "supports"]
    table = claims_table(judged[KETAMINE][2], judged[KETAMINE][1], *NOTHING).set_index("id")
    assert set(table.loc[["C16", "C17", "C18"], "citation_counts"]) == {"no"}
    # A citation that does not count gives neither a year nor a method.
    assert set(table.loc[["C16", "C17", "C18"], "as_of"]) == {""}


def test_a_review_without_claims_has_the_header_of_the_table(judged):
    none = claims_table([], Claims.none(), *NOTHING)
    whole = claims_table(judged[KETAMINE][2], judged[KETAMINE][1], *NOTHING)
    assert len(none) == 0 and list(none) == list(whole) and not whole.isna().any(axis=None)


@pytest.mark.parametrize(
    "content", ["a: &a [1, *a]\n", "? [a]: b\n: c", "1: a\n", "? {a: b}\n", "!!set {a}\n", "a: !x {b: 1}\n"]
)
def test_odd_yaml_is_refused_and_nothing_falls_over(content):
    assert claims_problems(content.encode(), None, None) and load_protocol(content.encode())[1]


# --- C01


def test_c01_shows_everything_that_a_reader_must_know(judged):
    _, claims, assessed = judged[KETAMINE]
    found = assessed[0]
    page = claim_page(found, claims, *NOTHING, read_text(KETAMINE, "published.csv"), "C01.svg")
    assert (found.verdict, found.verdict_effect, found.certainty) == ("not supported", "not supported", "very low")
    certainty = found.parts[1].finding
    assert certainty.state == "open" and "it is very low whatever the risk of bias" in certainty.words
    for words in (
        "MD -1.12 (-2.33 to 0.09)", "very low", "MD -0.99 (-2.00 to 0.03)", "moderate certainty, of little or no reduction",
        "trial-level judgements are not in the public texts", "combination products included", "as of 2018",
        "does not apply", "(k = 2 trials, n = 60; certainty very low)", "![Forest plot",
    ):  # fmt: skip
        assert words in page, words
    main = found.parts[0]
    wald = main.readings["review_now"].pooled
    assert (main.evidence.pooled["tau2_method"], main.evidence.pooled["ci_method"]) == ("REML", "hartung-knapp")
    assert (wald["tau2_method"], wald["ci_method"]) == ("DL", "wald")
    combined = next(evidence for look, evidence, _ in found.shown if look.set == "with_combination_products")
    assert combined.trials == 4 and set(combined.effects["study_id"]) >= {"gewandter2014", "epicept2009phn"}
    # As of 2018 the trial of 2020 is not there.
    assert set(main.readings["best_as_of"].effects["study_id"]) == {"amr2011"}


def test_a_published_row_may_lack_every_column_but_its_estimate(judged):
    _, claims, assessed = judged[KETAMINE]
    review = assessed[0].claim.published[0].review_id
    typed = pd.DataFrame({"review_id": [review], "label": "Them 2018", "measure": "MD", "estimate": "-1.12"})
    claim = replace(assessed[0], claim=assessed[0].claim.model_copy(update={"published": (Context(review_id=review),)}))
    assert "| Them 2018 |  | MD -1.12 | not stated |" in claim_page(claim, claims, *NOTHING, typed, "")


def strong(direction):
    """Pickering 2020 and Amr 2011 both with a strong effect for (-1) or against (1) ketamine at four weeks."""

    def change(name, table):
        if name != "contrasts.csv":
            return
        here = (table["study_id"] == "pickering2020") & (table["outcome"] == "pain_intensity")
        size = {-1: ["-1.36", "-1.46", "-1.26"], 1: ["1.36", "1.26", "1.46"]}[direction]
        table.loc[here, ["estimate", "ci_lower", "ci_upper", "p_value"]] = [*size, "0.0001"]
        amr = (table["study_id"] == "amr2011") & (table["timepoint"] == "30 days")
        side = "favours_intervention" if direction < 0 else "favours_control"
        table.loc[amr, "direction"] = side
        table.loc[here, "direction"] = side

    return change


@pytest.mark.slow
def test_c01_follows_the_trials_in_both_directions():
    bias = low_risk(KETAMINE)
    assert one(KETAMINE, "C01", strong(1)).verdict_effect == "contradicted"
    assert one(KETAMINE, "C01", strong(1), bias).verdict == "contradicted"
    # With a benefit at four weeks the rest of the claim, "and beyond", still rests on one trial.
    assert one(KETAMINE, "C01", strong(-1)).verdict_effect == "too little evidence"
    assert one(KETAMINE, "C01", None, bias).verdict == "not supported"


def events(**counts):
    """Set events of one study and role: study__role=events (first two days)."""

    def change(name, table):
        if name != "arms.csv":
            return
        for key, value in counts.items():
            study, role = key.split("__")
            rows = (table["study_id"] == study) & (table["outcome"] == "responder") & (table["role"] == role)
            rows &= table["timepoint_days"] == "0"
            assert rows.any(), key
            table.loc[rows, ["events", "percent"]] = [str(value), ""]

    return change


def cochrane(outcome, timepoint, column, **cells):
    """Change what the Cochrane review read: study__role to the cell of a column."""

    def change(name, table):
        for key, value in cells.items() if name == "arms.csv" else ():
            study, role = key.split("__")
            rows = (table["study_id"] == study) & (table["outcome"] == outcome) & (table["role"] == role)
            rows &= (table["reading"] == "cochrane_2025") & table["timepoint"].str.startswith(timepoint)
            assert rows.sum() == 1, key
            table.loc[rows, column] = str(value)

    return change


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "change", "before", "after"),
    [
        ("C08", cochrane("pain_intensity", "immediate-term", "mean", lumanauw2019__intervention=17, noppers2011__intervention=46,
                         sigtermans2009__intervention=22, tonet2008__intervention=40), "not supported", "contradicted"),
        ("C14", cochrane("psychotomimetic", "whole trial", "events", sigtermans2009__intervention=2),
         "contradicted", "not supported"),
        ("C04", events(kvarnstrom2003__intervention=12, kvarnstrom2003__control=1, kvarnstrom2004__intervention=10,
                       kvarnstrom2004__control=1, lemming2005__intervention=6, lemming2005__control=6,
                       lumanauw2019__intervention=12, noppers2011__intervention=3), "not supported", "supported with low certainty"),
        ("C04", events(kvarnstrom2003__intervention=1, kvarnstrom2003__control=6, kvarnstrom2004__intervention=1,
                       kvarnstrom2004__control=6, lemming2005__intervention=25), "not supported", "contradicted"),
    ],
)  # fmt: skip
def test_a_ketamine_verdict_follows_its_trials(name, change, before, after):
    assert one(KETAMINE, name).verdict == before
    assert one(KETAMINE, name, change).verdict == after


ROLES = {"intervention": "control", "control": "intervention", "other": "other"}


def arms_turned(*ids):
    """The arms of these trials turned round in arms.csv: what the intervention had, the control has."""

    def change(name, table):
        if name == "arms.csv":
            here = table["study_id"].isin(ids)
            assert set(table.loc[here, "study_id"]) == set(ids)
            table.loc[here, "role"] = table.loc[here, "role"].map(ROLES)

    return change


def effects_turned(effects, ids):
    """The same on the table of effects: every measure that claims rest on changes its sign, and keeps its variance."""
    here, turned = effects["study_id"].isin(ids), effects.copy()
    turned.loc[here, "estimate"] = -effects.loc[here, "estimate"]
    for column in (name for name in effects if name.endswith("_intervention")):
        pair = [column, column.replace("_intervention", "_control")]
        turned.loc[here, pair] = effects.loc[here, pair[::-1]].to_numpy()
    return turned


@pytest.mark.parametrize(
    "review", [KETAMINE, "bcg-vaccine", *(pytest.param(r, marks=pytest.mark.slow) for r in REVIEWS[1:4])]
)
def test_turning_round_the_arms_of_any_two_trials_of_a_pool_changes_its_numbers(judged, review):
    """All pairs, of every statement and every body of evidence shown with three trials or more."""
    setting, _, assessed = judged[review]
    looks = {part.evidence.effect_code: (part.test, part.evidence) for found in assessed for part in found.parts}
    looks |= {evidence.effect_code: (look, evidence) for found in assessed for look, evidence, _ in found.shown}
    tried = 0
    for code, (look, evidence) in looks.items():
        ids = sorted(set(evidence.effects.loc[evidence.effects["estimate"] != 0, "study_id"]))
        for pair in combinations(ids, 2) if evidence.trials >= 3 else ():
            # A statement on weeks finds its own window.
            window, effects = evidence.effects["window"].iloc[0], effects_turned(setting.effects, pair)
            turned = gather(look, replace(setting, effects=effects), window=window)
            assert turned.trials == evidence.trials
            assert turned.effect_code != code, (look, pair)
            tried += 1
    assert tried


@pytest.mark.slow
@pytest.mark.parametrize(
    ("review", "name", "pair", "before", "after"),
    [
        (KETAMINE, "C14", ("sigtermans2009", "tonet2008"), "contradicted", "not supported"),
        (KETAMINE, "C04", ("kvarnstrom2003", "kvarnstrom2004"), "not supported", "contradicted"),
        ("spinal-manipulation-low-back-pain", "S02", ("hsieh2002", "ukbeam2004"), "supported with low certainty", "not supported"),
        ("bcg-vaccine", "B01", ("s04", "s08"), "supported with low certainty", "not supported"),
    ],
)  # fmt: skip
def test_turning_round_the_arms_of_two_trials_changes_a_verdict(review, name, pair, before, after):
    setting = setting_of(review)
    claim = next(c for c in claims_of(review).claims if c.id == name)
    assert evaluate(claim, setting).verdict == before
    turned = setting_of(review, arms_turned(*pair))
    assert evaluate(claim, turned).verdict == after
    # The shorter way of the test above comes to the same effects.
    both = turned, replace(setting, effects=effects_turned(setting.effects, pair))
    there, here = (gather(claim.tests[0], one).effects.set_index("comparison_id") for one in both)
    assert list(there.index) == list(here.index)
    for column in ("estimate", "variance"):
        np.testing.assert_allclose(there[column], here[column], rtol=1e-12)


def scaled(review, file, column, factor):
    def change(name, table):
        if name == file:
            rows = table["role"] == "intervention" if "role" in table else table.index >= 0
            whole = column == "events"
            table.loc[rows, column] = [
                str(round(float(x) * factor) if whole else round(float(x) * factor, 6)) for x in table.loc[rows, column]
            ]

    return change


@pytest.mark.parametrize(
    ("review", "name", "file", "column", "factor", "before", "after"),
    [
        ("spinal-manipulation-low-back-pain", "S02", "arms.csv", "mean", 0.6, "supported with low certainty", "contradicted"),
        ("bcg-vaccine", "B01", "arms.csv", "events", 0.3, "supported with low certainty", "contradicted"),
        ("bcg-vaccine", "B01", "arms.csv", "events", 1.6, "supported with low certainty", "contradicted"),
        ("topical-nsaids-acute-pain", "N02", "arms.csv", "events", 0.6, "supported with low certainty", "contradicted"),
    ],
)  # fmt: skip
def test_a_verdict_of_another_review_follows_its_trials(review, name, file, column, factor, before, after):
    assert one(review, name).verdict == before
    assert one(review, name, scaled(review, file, column, factor)).verdict == after


def test_a_verdict_on_final_values_and_changes_follows_its_trials():
    def change(name, table):
        if name == "arms.csv":
            rows = table["role"] == "intervention"
            table.loc[rows, "mean"] = [str(round(float(x) + 3, 6)) for x in table.loc[rows, "mean"]]

    assert one("antidepressants-fibromyalgia", "A02").verdict == "supported with low certainty"
    assert one("antidepressants-fibromyalgia", "A02", change).verdict == "contradicted"


def test_the_number_needed_to_treat_is_supported_where_the_trials_agree():
    def change(name, table):
        if name == "arms.csv":
            n = table["n"].astype(int)
            share = np.where(table["role"] == "intervention", 0.8, 0.4)
            table["events"] = (n * share).round().astype(int).astype(str)

    assert one("topical-nsaids-acute-pain", "N01").verdict == "not supported"
    assert one("topical-nsaids-acute-pain", "N01", change).verdict in ("supported", "supported with low certainty")


def test_judged_trials_make_a_demand_for_certainty_testable():
    review = "antidepressants-fibromyalgia"
    # Without judgements its certainty cannot be high: the combined comparisons differ (I2 above 50%).
    assert one(review, "A01").verdict == one(review, "A01", None, low_risk(review)).verdict == "not supported"
    claim = claims_of(review).claims[0]
    claim = claim.model_copy(update={"tests": [t.model_copy(update={"set": "published"}) for t in claim.tests]})

    def verdict(bias=None):
        return evaluate(claim, setting_of(review, None, bias)).verdict

    assert verdict() == "cannot be tested here"
    assert verdict(low_risk(review)) == "supported"
    assert verdict(low_risk(review).assign(judgement="high")) == "not supported"


def test_the_verdict_at_half_and_twice_the_important_difference(judged):
    found = next(a for a in judged["spinal-manipulation-low-back-pain"][2] if a.claim.id == "S02")
    assert (found.half, found.verdict, found.twice) == (
        "not supported", "supported with low certainty", "supported with low certainty",
    )  # fmt: skip


def test_as_of_a_year_leaves_out_later_and_undated_trials(judged):
    setting, claims, _ = judged[KETAMINE]
    look = claims.claims[0].tests[0]
    assert gather(look, setting, as_of=2010).trials == 0
    assert gather(look, setting, as_of=2019).trials == 1
    assert gather(look, setting, as_of=2020).trials == 2
    setting, claims, _ = judged["topical-nsaids-acute-pain"]
    undated = gather(claims.claims[0].tests[0], setting, as_of=1998)
    assert undated.trials == 31 and undated.undated == ("dreisernd", "juliennd")
    setting, claims, _ = judged["spinal-manipulation-low-back-pain"]
    # the years of this review stand in its labels only ("Bronfort 2011"): no date
    undated = gather(claims.claims[0].tests[0], setting, as_of=2019)
    assert undated.trials == 0 and len(undated.undated) == 17


# --- the guarded interval, and models of counts

NARROW = b"""
title: Three trials that agree
question: {population: P, intervention: I, comparator: C}
words: {intervention: drug, control: placebo}
table_source: {arms: "made numbers"}
outcomes:
  o: {label: O, type: continuous, measure: MD, better: lower, smallest_important_difference: {MD: {value: 0.5, source: own choice}}}
windows: {end: {label: End, any: true}}
"""


def three_trials(*effects):
    """A setting of three trials (mean differences and standard errors)."""
    protocol = load_protocol(NARROW)[0]
    rows = [
        {
            "analysis": "o.end", "outcome": "o", "window": "end", "measure": "MD", "set": "main", "study_id": name,
            "comparison_id": name, "label": name, "year": 2001, "design": "parallel", "n_intervention": 34.0,
            "n_control": 34.0, "sd_intervention": 2.0, "sd_control": 2.0, "scale": "natural", "estimate": y,
            "variance": se**2,
        }
        for name, (y, se) in zip("abc", effects, strict=True)
    ]  # fmt: skip
    studies = pd.DataFrame({"study_id": list("abc"), "label": list("abc")})
    return Setting(pd.DataFrame(rows), studies, protocol, read_risk_of_bias(None, TOOLS))


def test_a_verdict_rests_on_the_guarded_interval_where_hartung_knapp_is_too_narrow():
    # Means and SDs of three trials of 34 and 34 patients: SE 0.52, 0.47 and 0.59.
    arms = ((3.2, 2.1, 4.1, 2.2), (3.5, 1.9, 4.3, 2.0), (3.0, 2.4, 3.85, 2.5))
    setting = three_trials(*((m1 - m2, ((s1**2 + s2**2) / 34) ** 0.5) for m1, s1, m2, s2 in arms))
    content = b"""
pages: {p: a page}
claims:
  - id: H01
    page: p
    claim: The drug gives an important benefit.
    tests:
      - {label: "important benefit", outcome: o, window: end, rule: important_benefit}
      - {label: "benefit", outcome: o, window: end, rule: benefit}
    would_change: More trials.
"""
    claims = read_claims(content)
    found = evaluate(claims.claims[0], setting)
    row = found.parts[0].evidence.pooled
    # metafor: rma(yi, vi, test = "knha") and test = "adhoc".
    assert [round(row[x], 3) for x in ("ci_lower", "ci_upper")] == [-0.977, -0.716]
    assert [round(row[x], 3) for x in ("guarded_ci_lower", "guarded_ci_upper", "guarded_p_value")] == [
        -2.145,
        0.452,
        0.107,
    ]
    assert [p.finding.state for p in found.parts] == ["open", "open"]
    assert (found.verdict, found.half, found.twice) == ("not supported", "not supported", "not supported")
    page = claim_page(found, claims, *NOTHING)
    said = "(95% CI −0.98 to −0.72, narrower than the common-effect interval; guarded −2.15 to 0.45)"
    assert said in page.split("##")[0] and said in claims_table([found], claims, *NOTHING)["best_now"].iloc[0]
    entry = json.loads(claims_json([found], claims, claims_table([found], claims, *NOTHING)))[0]["statements"][1]
    assert (
        entry["narrow"]
        and round(entry["guarded_ci_upper_natural"], 3) == 0.452
        and "includes no effect" in entry["words"]
    )
    imprecision = found.parts[0].evidence.certainty.domain("imprecision")
    assert imprecision.rule == "IM4" and "guarded CI −2.15 to 0.45" in imprecision.figures
    pooled = pd.DataFrame([row])
    weights = pd.DataFrame(
        {"analysis": "o.end", "model": row["model"], "comparison_id": list("abc"), "weight": 100 / 3}
    )
    table = certainty_table(setting.effects, pooled, weights, setting.protocol.outcomes, bias=setting.bias)
    findings = summary_of_findings(setting.effects, pooled, table, setting.protocol).iloc[0]
    assert said.removeprefix("(95% CI ") in findings["effect"] and "Summary" not in findings["effect"]
    certain = table.assign(certainty="low")
    shown = summary_of_findings(setting.effects, pooled, certain, setting.protocol)["sentence"].iloc[0]
    assert shown == "Drug may reduce o; the interval also includes no effect."


def test_nothing_that_a_verdict_rests_on_jumps_where_effects_become_equal():
    """Effects 1.5, 1.5 and 1.5 + d: Hartung-Knapp's own interval shrinks to a point at d = 0, and is none there."""
    look = test_of("benefit").model_copy(update={"outcome": "o", "window": "end"})
    limits, own = [], []
    steps = [0.0, 1e-15, 1e-12, 1e-9, 1e-6, 1e-3, 0.01, 0.02, 0.03]
    for d in [*(-x for x in reversed(steps[1:])), *steps]:
        body = gather(look, three_trials((1.5, 0.9), (1.5, 1.0), (1.5 + d, 1.1)))
        limits.append([*body.turned("ci"), *body.turned("pi"), judge(look, body).state, *body.certainty.level])
        own.append(body.pooled["ci_upper"] - body.pooled["ci_lower"])
    numbers = np.array([row[:4] for row in limits], dtype=float)
    assert np.isfinite(numbers).all() and np.abs(np.diff(numbers, axis=0)).max() < 0.02
    assert len({tuple(row[4:]) for row in limits}) == 1 and limits[0][4] == "open"
    # The model's own interval does jump: it is not what a verdict rests on.
    assert np.nanmin(own) < 1e-3 and (numbers[:, 1] - numbers[:, 0]).min() > 4


def test_no_state_of_a_rule_rests_on_the_intervals_own_limits():
    """Every rule on the interval: the model's own says one thing, the guarded one another."""
    wide = {"guarded_ci_lower": -3.0, "guarded_ci_upper": 3.0, "guarded_pi_lower": -4.0, "guarded_pi_upper": 4.0}
    for rule, ci in (("benefit", (-2, -1.5)), ("harm", (1.5, 2)), ("important_benefit", (-2, -1.5)),
                     ("equivalence", (-0.1, 0.1)), ("no_important_harm", (-2, -1.5))):  # fmt: skip
        assert judge(test_of(rule), made(ci)).state == "met"
        assert judge(test_of(rule), made(ci, **wide)).state == "open"
    assert judge(test_of("claimed_value", value=-1.7), made((-2, -1.5))).state == "met"
    assert judge(test_of("claimed_value", value=-1.7), made((-2, -1.5), **wide)).state == "open"
    sure = made((-2, -1.5), pi_lower=-2.5, pi_upper=-1.0)
    assert judge(test_of("inconsistent"), sure).state == "opposed"
    assert judge(test_of("inconsistent"), made((-2, -1.5), pi_lower=-2.5, pi_upper=-1.0, **wide)).state == "open"
    counts = {"events_control": 20.0, "n_control": 100.0, "corrected": "no"}
    need = test_of("nnt_at_most", value=5.01)
    ci = np.log(2.0), np.log(3.0)
    assert judge(need, made(ci, outcome=HIGHER, effects=counts)).state == "met"
    wider = {"guarded_ci_lower": np.log(1.5), "guarded_ci_upper": np.log(4.0)}
    assert judge(need, made(ci, outcome=HIGHER, effects=counts, **wider)).state == "open"


def test_subsets_of_trials_are_pooled_by_the_model_itself():
    """BCG by Mantel-Haenszel and Peto without Aronson 1948 (s01); metafor: leave1out(rma.mh(...)), rma.peto."""
    protocol, _, effects, _ = review_of("bcg-vaccine")
    group = effects[effects["analysis"] == "tuberculosis.end_of_follow_up"]
    model = Model(name="M-H", tau2="EE", interval="wald", pooling="mantel-haenszel")
    row, weights = pool_by(group[group["study_id"] != "s01"], model, protocol)
    found = [round(row[f"{x}_natural"], 3) for x in ("estimate", "ci_lower", "ci_upper")]
    assert found == [0.637, 0.589, 0.688] and row["k"] == 12
    _, weights = pool_by(group, model, protocol)
    assert [round(weights[x], 1) for x in ("s08", "s04", "s02")] == [31.7, 16.2, 1.9]
    models = protocol.model_copy(update={"models": (model,)})
    setting = Setting(effects, review_of("bcg-vaccine")[1].studies, models, read_risk_of_bias(None, TOOLS))
    look = claims_of("bcg-vaccine").claims[0].tests[0].model_copy(update={"where": {"study_id": tuple(
        group["study_id"][1:])}})  # fmt: skip
    assert gather(look, setting).effect == "RR 0.64 (95% CI 0.59 to 0.69)"


def test_grade_weighs_trials_by_the_weights_of_the_model():
    """Six trials have 51.1% of the Mantel-Haenszel weight, 39.6% of the inverse-variance weight."""
    protocol, _, effects, _ = review_of("bcg-vaccine")
    model = Model(name="M-H", tau2="EE", interval="wald", pooling="mantel-haenszel")
    plain = Model(name="IV", tau2="EE", interval="wald")
    risky = ("s02", "s03", "s04", "s05", "s06", "s07", "s10")
    ids = list(effects["study_id"].unique())
    judgement = ["high" if s in risky else "low" for s in ids]
    bias = read_risk_of_bias(
        pd.DataFrame({"study_id": ids, "tool": "RoB 2", "domain": "overall", "judgement": judgement}), TOOLS
    )
    for models, expected in (((model, plain), "RB3"), ((plain, model), "RB1")):
        asked = protocol.model_copy(update={"models": models})
        fits = fit_all(effects, asked)
        tables = pooled_table(effects, asked, fits=fits), weights_table(effects, asked, fits)
        table = certainty_table(effects, *tables, protocol.outcomes, bias=bias)
        main = table[(table["analysis"] == "tuberculosis.end_of_follow_up") & (table["domain"] == "risk of bias")]
        assert list(main["rule"]) == [expected] and list(main["model"]) == [models[0].name]


def test_an_override_speaks_of_the_whole_analysis_and_not_of_a_part_of_it(judged):
    setting, claims, _ = judged["bcg-vaccine"]
    look = claims.claims[0].tests[0]
    told = Override("tuberculosis.end_of_follow_up", "inconsistency", 0, "latitude explains it", "AB")
    overridden = replace(setting, overrides=(told,))
    part = look.model_copy(update={"where": {"allocation": ("random",)}})
    for what, rule in ((look, "OV"), (part, "IN3")):
        assert gather(what, overridden).certainty.domain("inconsistency").rule == rule
    assert gather(look, setting).certainty.domain("inconsistency").rule == "IN3"


def test_trials_and_comparisons_are_counted_apart(judged):
    setting, claims, assessed = judged["spinal-manipulation-low-back-pain"]
    row = claims_table(assessed, claims, *NOTHING).iloc[0]
    assert (row["k"], row["comparisons"], row["n"]) == (17, 19, 3139)
    assert row["count"] == "k = 19 comparisons from 17 trials, n = 3,139"
    pooled = pooled_table(setting.effects, setting.protocol)
    weights = weights_table(setting.effects, setting.protocol, fit_all(setting.effects, setting.protocol))
    table = certainty_table(setting.effects, pooled, weights, setting.protocol.outcomes, bias=setting.bias)
    findings = summary_of_findings(setting.effects, pooled, table, setting.protocol)
    printed = "3,139 (19 comparisons from 17 trials)"
    assert list(findings["participants_text"]) == [printed]
    assert printed in findings_html(findings, setting.protocol)
    with zipfile.ZipFile(io.BytesIO(findings_docx(findings, setting.protocol))) as word:
        assert printed in word.read("word/document.xml").decode()
    egger = table.loc[table["domain"] == "publication bias", "figures"].iloc[0]
    assert "(19 comparisons from 17 trials)" in egger


# --- words


def test_two_trials_are_said_first_and_k_and_n_stand_beside_every_verdict(judged):
    for review in REVIEWS:
        _, claims, assessed = judged[review]
        for found in assessed:
            head = found.headline
            assert found.answer.endswith(".") and "\n" not in found.answer and ". " not in found.answer, found.claim.id
            if head is None:
                continue
            if head.finding.trials == 2:
                assert found.answer.startswith("Two trials"), found.claim.id
            top = claim_page(found, claims, *NOTHING).split("##")[0]
            assert head.evidence.count in top and found.answer in top
            assert top.lower().count(str(found.verdict)) <= 2


def test_an_answer_says_what_became_of_every_statement(judged):
    few, still, met = State.FEW, State.OPEN, State.MET
    assert [tally(x) for x in ([still], [few, few], [met] * 3)] == [
        "", "both of its statements rest on too few trials", "all 3 of its statements are met",
    ]  # fmt: skip
    assert tally([still, few, met, still]) == "of its 4 statements, 2 are open, 1 rests on too few trials and 1 is met"
    said = {found.claim.id: found.answer for _, _, assessed in judged.values() for found in assessed}
    assert said["C01"].endswith("; of its 4 statements, 2 are open and 2 rest on too few trials.")
    assert said["C07"].startswith("One trial is too little evidence to judge this claim: ")
    # A certainty is said without what it was lowered for; no effect is no subject of it.
    assert "certainty very low, and at best low: risk of bias is not assessed" in said["S01"]
    low = codes.code("certainty", level="low", best="low", worst="low", assessed="no", lost="")
    assert codes.words(low, BRIEF) == "certainty low, whatever the risk of bias, which is not assessed"
    assert not [i for i in ("C10", "S01", "A01") if "inconsistency" in said[i] or "no effect" in said[i]]


def test_what_does_not_apply_is_said_and_has_no_verdict(judged):
    for review, name in (("spinal-manipulation-low-back-pain", "S01"), (KETAMINE, "C02")):
        _, claims, assessed = judged[review]
        found = next(x for x in assessed if x.claim.id == name)
        page = claim_page(found, claims, *NOTHING)
        row = claims_table([found], claims, *NOTHING).iloc[0]
        if name == "S01":
            assert row["verdict_best_as_of"] == row["verdict_review_as_of"] == "" and row["verdict_review_now"]
            assert row["best_as_of"] == "does not apply: no trial has a year" in page
        else:
            assert row["multiverse"] == row["sequential"] == "does not apply: no usable trial"
    # A trial that is later than the year is no trial without a year.
    setting, claims, _ = judged[KETAMINE]
    look = claims.claims[0].tests[0]
    early, undated = (
        gather(look, setting, as_of=1900),
        gather(look, replace(setting, effects=setting.effects.assign(year=np.nan)), as_of=1900),
    )
    assert (early.effect, early.without_years) == ("no usable trial", False) and undated.without_years


def test_the_risk_in_one_trial_stands_beside_its_ratio():
    body = made((0.5, 1.5), k=1, outcome=HIGHER, effects={"events_intervention": [3.0], "n_intervention": [30.0]})
    risk = judge(test_of("risk_below", value=0.1, source="s"), body)
    assert (risk.state, risk.trials) == ("too few", 1) and "3 of 30 with the intervention, 10% (" in risk.words
    assert "with the intervention" not in judge(test_of("benefit"), body).words


def test_no_page_says_that_there_is_no_effect(judged):
    for review in REVIEWS:
        _, claims, assessed = judged[review]
        for found in assessed:
            text = claim_page(found, claims, *NOTHING, read_text(review, "published.csv")).lower()
            assert "not yet computed" not in text
            for phrase in ("has no effect", "have no effect", "does not work", "is ineffective", "no effect was"):
                assert phrase not in text, (found.claim.id, phrase)
            if found.verdict == "not supported" and "includes no effect" in found.answer:
                assert "not evidence of no" in found.answer


def test_the_table_and_the_json_are_complete(judged):
    analysis = "pain_intensity.week_4"
    multiverse = pd.DataFrame(
        [(analysis, "statement", "better", 30, 40, ""), (analysis, "choice", "tau2", np.nan, np.nan, "")],
        columns=["analysis", "kind", "name", "holds", "of", "note"],
    )
    said = "no_boundary_crossed look=2 year=2020 trials=2 have=60 need=228 reached=no; d2_assumed trials=2"
    looks = [(analysis, said, "")] * 2 + [("other", "", "no years")]
    sequential = pd.DataFrame(looks, columns=["analysis", "conclusion_codes", "note"])
    for review in REVIEWS:
        _, claims, assessed = judged[review]
        table = claims_table(assessed, claims, multiverse, sequential)
        assert len(table) == len(assessed) and (table["would_change"] != "").all() and (table["answer"] != "").all()
        loaded = json.loads(claims_json(assessed, claims, table))
        assert [x["id"] for x in loaded] == list(table["id"])
        for entry, found in zip(loaded, assessed, strict=True):
            assert len(entry["statements"]) == len(found.parts)
            for statement, part in zip(entry["statements"], found.parts, strict=True):
                assert parse(statement["codes"]) and statement["words"] == part.finding.words
                assert len(statement["certainty_domains"]) == (5 if part.evidence.trials else 0)
    table = claims_table(judged[KETAMINE][2], judged[KETAMINE][1], multiverse, sequential).set_index("id")
    assert table.loc["C01", "multiverse"].endswith("favours the intervention in 30 of 40 defensible analyses")
    assert table.loc["C01", "sequential"] == (
        f"the sequential analysis of the whole `{analysis}` crossed no boundary and has not reached the information it needs "
        "(60 of 228 participants, 26%); on 2 trials a D2 of 0% is an assumption"
    )
    undone = sequential.iloc[-1:].assign(analysis=analysis)
    told = claims_table(judged[KETAMINE][2], judged[KETAMINE][1], multiverse.iloc[1:].assign(note="one trial"), undone)
    assert told.set_index("id").loc["C01", "sequential"].endswith("no years")
    assert told.set_index("id").loc["C01", "multiverse"].endswith("one trial")
    assert table.loc["C04", "multiverse"] == (
        "does not apply: the protocol's multiverse does not run `responder.immediate`"
    )
    assert table.loc["C04", "sequential"] == "does not apply: no sequential analysis is made of `responder.immediate`"
    assert table.loc["C03", "multiverse"] == "does not apply: nothing was tested"


def test_the_lesson_on_rubinstein_runs_and_prints_what_it_says(monkeypatch, capsys):
    text = (ROOT / "docs" / "tutorials" / "reproduce-rubinstein.md").read_text()
    monkeypatch.chdir(ROOT)
    exec(compile(text.split("```python\n")[1].split("```")[0], "lesson", "exec"), {})
    assert f"`{capsys.readouterr().out.strip()}`" in text
    for set_name, tau2, interval, row in (
        ("published", "DL", "hartung-knapp", "-3.17 (-7.95 to 1.61) | -25.65 to 19.31"),
        ("published", "REML", "hartung-knapp", "-3.18 (-7.96 to 1.59) | -24.84 to 18.47"),
        ("main", "REML", "hartung-knapp", "-4.01 (-9.73 to 1.72) | -27.88 to 19.87"),
    ):
        effects = review_of("spinal-manipulation-low-back-pain")[2]
        mine = effects[effects["set"] == set_name]
        r = pool(mine["estimate"], mine["variance"], tau2_method=tau2, ci_method=interval).row()
        shown = f"{r['estimate']:.2f} ({r['ci_lower']:.2f} to {r['ci_upper']:.2f}) | {r['pi_lower']:.2f} to {r['pi_upper']:.2f}"
        assert shown == row and row in text


def test_a_claim_with_trials_has_its_forest_plot(judged):
    setting, _, assessed = judged[KETAMINE]
    svg = render(claim_figure(assessed[0], setting.protocol), "svg")
    assert b"Amr 2011" in svg and b"Pickering 2020" in svg and b"C01" in svg
    assert claim_figure(assessed[2], setting.protocol) is None
