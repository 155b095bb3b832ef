"""Claims judged by rule: every rule in both directions, the nineteen claims, and verdicts that follow the trials."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from reweigh.certainty.assess import Certainty, Domain
from reweigh.claims.evaluate import evaluate, evaluate_claims
from reweigh.claims.evidence import Evidence, Setting, gather
from reweigh.claims.model import COUNTS_AS_SUPPORT, Claims, Test, load_claims
from reweigh.claims.pages import claim_page, claims_json, claims_table, sentence
from reweigh.claims.rules import RULES, STATES, VERDICT_RULES, VERDICTS, Finding, combine, judge
from reweigh.figures.claims import claim_figure
from reweigh.figures.svg import render
from reweigh.pool.core import pool
from reweigh.protocol.model import Outcome
from reweigh.protocol.models import PRESETS
from reweigh.risk_of_bias import read_risk_of_bias, read_tools
from test_reproduction import read_text, review_of

KETAMINE = "ketamine-chronic-pain"
REVIEWS = (
    KETAMINE, "spinal-manipulation-low-back-pain", "antidepressants-fibromyalgia", "topical-nsaids-acute-pain",
    "bcg-vaccine",
)  # fmt: skip
TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())


def setting_of(review, change=None, bias=None):
    protocol, tables, effects, _ = review_of(review, change)
    return Setting(effects, tables.studies, protocol, read_risk_of_bias(bias, TOOLS))


def claims_of(review, setting):
    content = (ROOT / "data" / review / "claims.yaml").read_bytes()
    return load_claims(content, setting.protocol, tuple(setting.studies))


@pytest.fixture(scope="module")
def judged():
    """Each review's claims, judged once."""
    found = {}
    for review in REVIEWS:
        setting = setting_of(review)
        claims = claims_of(review, setting)
        found[review] = (setting, claims, evaluate_claims(claims.claims, setting))
    return found


def one(review, name, change=None, bias=None):
    setting = setting_of(review, change, bias)
    claim = next(c for c in claims_of(review, setting).claims if c.id == name)
    return evaluate(claim, setting)


def low_risk(review):
    """Every trial judged at low risk of bias."""
    setting = setting_of(review)
    ids = setting.effects["study_id"].unique()
    return pd.DataFrame({"study_id": ids, "tool": "RoB 2", "domain": "overall", "judgement": "low"})


# --- the rules, on made evidence

LOWER = Outcome(label="Pain", type="continuous", measure="MD", better="lower")
HIGHER = Outcome(label="Response", type="binary", measure="RR", better="higher")
GOOD = Certainty("high", "high", (Domain("risk of bias", "not serious", 0, "RB1", ""),))


def made(ci, k=3, outcome=LOWER, bounds=(-1.0, 1.0), certainty=GOOD, effects=None, **row):
    low, high = ci
    table = pd.DataFrame({"study_id": [f"t{i}" for i in range(k)], "estimate": 0.0, "variance": 1.0})
    if effects is not None:
        table = table.assign(**effects)
    scale = "log" if outcome is HIGHER else "natural"
    back = np.exp if scale == "log" else np.asarray
    values = {"estimate": (low + high) / 2, "ci_lower": low, "ci_upper": high}
    series = pd.Series(
        {
            "measure": outcome.measure, "scale": scale, "level": 0.95, "participants": 100.0, "i2": 0.0,
            "pi_lower": np.nan, "pi_upper": np.nan, **values,
            **{f"{n}_natural": float(back(v)) for n, v in values.items()}, **row,
        }
    )  # fmt: skip
    return Evidence("a", table, series if k else None, certainty if k else None, outcome, bounds, PRESETS["cochrane"])


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
        "level": "moderate", "value": 1.0, "column": "study_id", "larger": ("t0",), "weeks": 4.0, "source": "a source",
    }  # fmt: skip
    needed = {k: v for k, v in how.items() if rule in NEEDED[k]}
    found = judge(test_of(rule, **needed), made((-2.0, -1.5), k=k))
    assert found.state == "too few" and found.trials == k


NEEDED = {
    "level": {"certainty_at_least"}, "value": {"risk_below", "nnt_at_most", "claimed_value"},
    "column": {"subgroup_larger", "dose_trend"}, "larger": {"subgroup_larger"}, "weeks": {"lasting_to_weeks"},
    "source": {"risk_below"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "asked", "level", "state"),
    [
        ("certainty_at_least", "moderate", "moderate", "met"), ("certainty_at_least", "moderate", "low", "open"),
        ("certainty_at_most", "low", "low", "met"), ("certainty_at_most", "low", "moderate", "opposed"),
    ],
)  # fmt: skip
def test_rules_on_certainty(rule, asked, level, state):
    graded = replace(GOOD, level=level)
    assert judge(test_of(rule, level=asked), made((-2, -1), certainty=graded)).state == state


def test_a_certainty_that_was_not_assessed_can_never_be_at_least_moderate():
    unknown = Certainty("moderate", "high", (Domain("risk of bias", "not assessed", -1, "RB0", "none"),))
    found = judge(test_of("certainty_at_least", level="moderate"), made((-2, -1), certainty=unknown))
    assert found.state == "not assessed" and "risk of bias not assessed" in found.words
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
    assert set(states) <= set(STATES)
    assert combine([(test_of("benefit"), Finding(s, "", 3)) for s in states], levels) == verdict


def test_a_claim_that_evidence_is_weak_is_supported_by_weak_evidence():
    weak = test_of("certainty_at_most", level="low")
    assert combine([(weak, Finding("met", "", 2))], ["very low"]) == "supported"


def test_the_vocabulary_is_closed_and_documented():
    assert set(VERDICTS) == {v for v, _ in VERDICT_RULES}
    text = (ROOT / "docs" / "claims.md").read_text()
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
        ("would_change", "could_change", "would_change"), ("X01", "first", "id"),
    ],
)  # fmt: skip
def test_a_mistake_in_claims_yaml_is_named(judged, old, new, says):
    setting = judged[KETAMINE][0]
    load_claims(MINIMAL, setting.protocol, tuple(setting.studies))
    with pytest.raises(ValueError, match=says):
        load_claims(MINIMAL.replace(old, new), setting.protocol, tuple(setting.studies))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("week_4", "week_5", "window 'week_5' is not in the protocol"),
        ("outcome: pain", "outcome: joy", "outcome"),
        ("rule: benefit", "where: {pain_type: [gout]}, rule: benefit", "no value of pain_type"),
        ("rule: benefit", "where: {mood: [good]}, rule: benefit", "no column 'mood'"),
    ],
)  # fmt: skip
def test_a_claim_about_what_the_review_does_not_have_cannot_be_tested(judged, old, new, says):
    setting = judged[KETAMINE][0]
    claims = load_claims(MINIMAL.replace(old, new), setting.protocol, tuple(setting.studies))
    assert says in claims.claims[0].untestable
    assert evaluate(claims.claims[0], setting).verdict == "cannot be tested here"


def test_all_nineteen_claims_are_judged_and_every_other_review_has_one(judged):
    assert [c.id for c in judged[KETAMINE][1].claims] == [f"C{i:02d}" for i in range(1, 20)]
    for review in REVIEWS:
        assert len(judged[review][2]) >= 1
        assert {a.verdict for a in judged[review][2]} <= set(VERDICTS)


def test_what_is_not_about_pain_or_not_found_counts_as_no_support(judged):
    cited = {c.id: c.leans_on for c in judged[KETAMINE][1].claims}
    assert [x.citation for x in cited["C16"]] == ["off_subject"]
    assert [x.citation for x in cited["C17"]] == ["not_found"]
    assert [x.citation for x in cited["C18"]] == ["not_found", "not_found"]
    labels = " ".join(x.label for x in (*cited["C16"], *cited["C17"], *cited["C18"]))
    assert all(name in labels for name in ("Berman", "Fava", "Grady", "Krieter"))
    assert sorted(COUNTS_AS_SUPPORT) == ["partly", "supports"]
    table = claims_table(judged[KETAMINE][2], judged[KETAMINE][1]).set_index("id")
    assert set(table.loc[["C16", "C17", "C18"], "citation_counts"]) == {"no"}
    # A citation that does not count gives neither a year nor a method.
    assert set(table.loc[["C16", "C17", "C18"], "as_of"]) == {""}


def test_a_review_without_claims_has_the_header_of_the_table(judged):
    none = claims_table([], Claims.none())
    whole = claims_table(judged[KETAMINE][2], judged[KETAMINE][1])
    assert len(none) == 0 and list(none) == list(whole) and not whole.isna().any(axis=None)


# --- C01


def test_c01_shows_everything_that_a_reader_must_know(judged):
    _, claims, assessed = judged[KETAMINE]
    found = assessed[0]
    page = claim_page(found, claims, read_text(KETAMINE, "published.csv"), "C01.svg")
    assert found.verdict == "cannot be tested here" and found.reason == "risk of bias not assessed"
    assert found.verdict_effect == "not supported"
    for words in (
        "MD -1.12 (-2.33 to 0.09)", "very low", "MD -0.99 (-2.00 to 0.03)", "moderate certainty, of little or no reduction",
        "trial-level judgements are not in the public texts", "combination products included", "as of 2018",
        "not yet computed", "k = 2 trials, n = 60", "![Forest plot",
    ):  # fmt: skip
        assert words in page, words
    main = found.parts[0]
    wald = main.readings["review_now"].pooled
    assert (main.evidence.pooled["tau2_method"], main.evidence.pooled["ci_method"]) == ("REML", "hartung-knapp")
    assert (wald["tau2_method"], wald["ci_method"]) == ("DL", "wald")
    combined = found.shown[0][1]
    assert combined.trials == 4 and set(combined.effects["study_id"]) >= {"gewandter2014", "epicept2009phn"}
    # As of 2018 the trial of 2020 is not there.
    assert set(main.readings["best_as_of"].effects["study_id"]) == {"amr2011"}


def strong(direction):
    """Pickering 2020 and Amr 2011 both with a strong effect for (-1) or against (1) ketamine at four weeks."""

    def change(name, table):
        if name != "contrasts.csv":
            return
        here = (table["study_id"] == "pickering2020") & (table["outcome"] == "pain_intensity")
        size = {-1: ["-1.36", "-1.9", "-0.8"], 1: ["1.36", "0.8", "1.9"]}[direction]
        table.loc[here, ["estimate", "ci_lower", "ci_upper", "p_value"]] = [*size, "0.0001"]
        amr = (table["study_id"] == "amr2011") & (table["timepoint"] == "30 days")
        side = "favours_intervention" if direction < 0 else "favours_control"
        table.loc[amr, "direction"] = side
        table.loc[here, "direction"] = side

    return change


def test_c01_follows_the_trials_in_both_directions():
    bias = low_risk(KETAMINE)
    assert one(KETAMINE, "C01", strong(1)).verdict_effect == "contradicted"
    assert one(KETAMINE, "C01", strong(1), bias).verdict == "contradicted"
    # With a benefit at four weeks the rest of the claim, "and beyond", still rests on one trial.
    assert one(KETAMINE, "C01", strong(-1)).verdict_effect == "too little evidence"
    assert one(KETAMINE, "C01", None, bias).verdict == "not supported"
    assert one(KETAMINE, "C01").verdict == "cannot be tested here"


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


@pytest.mark.parametrize(
    ("name", "change", "before", "after"),
    [
        ("C05", events(lemming2005__intervention=12, lemming2005__control=5, noppers2011__intervention=7),
         "not supported", "supported with low certainty"),
        ("C08", events(lemming2005__intervention=1, lumanauw2019__intervention=2), "supported with low certainty", "not supported"),
        ("C04", events(kvarnstrom2003__intervention=12, kvarnstrom2003__control=1, kvarnstrom2004__intervention=10,
                       kvarnstrom2004__control=1, lemming2005__intervention=6, lemming2005__control=6,
                       lumanauw2019__intervention=12, noppers2011__intervention=3), "not supported", "supported with low certainty"),
        ("C04", events(kvarnstrom2003__intervention=1, kvarnstrom2003__control=6, kvarnstrom2004__intervention=1,
                       kvarnstrom2004__control=6, lemming2005__intervention=25), "not supported", "contradicted"),
        ("C05", events(lemming2005__intervention=2, lemming2005__control=20, lumanauw2019__intervention=2,
                       noppers2011__intervention=1, noppers2011__control=10), "not supported", "contradicted"),
    ],
)  # fmt: skip
def test_a_ketamine_verdict_follows_its_trials(name, change, before, after):
    assert one(KETAMINE, name).verdict == before
    assert one(KETAMINE, name, change).verdict == after


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
        ("antidepressants-fibromyalgia", "A02", "contrasts.csv", "estimate", -1, "supported", "contradicted"),
        ("bcg-vaccine", "B01", "arms.csv", "events", 0.3, "supported with low certainty", "contradicted"),
        ("bcg-vaccine", "B01", "arms.csv", "events", 1.6, "supported with low certainty", "contradicted"),
        ("topical-nsaids-acute-pain", "N02", "arms.csv", "events", 0.6, "supported with low certainty", "contradicted"),
    ],
)  # fmt: skip
def test_a_verdict_of_another_review_follows_its_trials(review, name, file, column, factor, before, after):
    assert one(review, name).verdict == before
    assert one(review, name, scaled(review, file, column, factor)).verdict == after


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
    assert one(review, "A01").verdict == "cannot be tested here"
    assert one(review, "A01", None, low_risk(review)).verdict == "supported"
    assert one(review, "A01", None, low_risk(review).assign(judgement="high")).verdict == "not supported"


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
    assert undated.trials == 0 and len(undated.undated) == 37
    setting, claims, _ = judged["spinal-manipulation-low-back-pain"]
    # the years of this review stand in its labels only ("Bronfort 2011"): no date
    undated = gather(claims.claims[0].tests[0], setting, as_of=2019)
    assert undated.trials == 0 and len(undated.undated) == 17


# --- words


def test_two_trials_are_said_first_and_k_and_n_stand_beside_every_verdict(judged):
    for review in REVIEWS:
        _, claims, assessed = judged[review]
        for found in assessed:
            text = sentence(found)
            head = found.headline
            if head is None:
                continue
            assert "k = " in text, found.claim.id
            if head.finding.trials == 2:
                assert text.startswith("Two trials"), found.claim.id
            page = claim_page(found, claims)
            assert head.evidence.count in page.split("##")[0]


def test_no_page_says_that_there_is_no_effect(judged):
    for review in REVIEWS:
        _, claims, assessed = judged[review]
        for found in assessed:
            text = claim_page(found, claims, read_text(review, "published.csv")).lower()
            for phrase in ("has no effect", "have no effect", "does not work", "is ineffective", "no effect was"):
                assert phrase not in text, (found.claim.id, phrase)
            if found.verdict_effect == "not supported" and "includes no effect" in sentence(found):
                assert "not evidence of no" in sentence(found)


def test_the_table_and_the_json_are_complete(judged):
    analysis = "pain_intensity.week_4"
    multiverse = pd.DataFrame(
        [(analysis, "statement", "better", 30, 40, ""), (analysis, "choice", "tau2", np.nan, np.nan, "")],
        columns=["analysis", "kind", "name", "holds", "of", "note"],
    )
    looks = [(analysis, "none", "no", 228, x, "") for x in (40, 60)] + [("other", "", "", np.nan, np.nan, "no years")]
    sequential = pd.DataFrame(looks, columns=["analysis", "verdict", "reached", "required", "information", "note"])
    for review in REVIEWS:
        _, claims, assessed = judged[review]
        table = claims_table(assessed, claims, multiverse, sequential)
        assert len(table) == len(assessed) and (table["would_change"] != "").all() and (table["sentence"] != "").all()
        loaded = json.loads(claims_json(assessed, claims, table))
        assert [x["id"] for x in loaded] == list(table["id"])
        for entry, found in zip(loaded, assessed, strict=True):
            assert len(entry["statements"]) == len(found.parts)
    table = claims_table(judged[KETAMINE][2], judged[KETAMINE][1], multiverse, sequential).set_index("id")
    assert table.loc["C01", "multiverse"].endswith("favours the intervention in 30 of 40 defensible analyses")
    assert table.loc["C01", "sequential"].endswith("has not reached the information it needs (60 of 228 participants)")
    for verdict, words in (("lower", "boundary for benefit"), ("upper", "boundary for harm"), ("futility", "futility")):
        told = claims_table(judged[KETAMINE][2], judged[KETAMINE][1], None, sequential.assign(verdict=verdict))
        assert words in told.set_index("id").loc["C01", "sequential"]
    undone = sequential.iloc[-1:].assign(analysis=analysis)
    told = claims_table(judged[KETAMINE][2], judged[KETAMINE][1], multiverse.iloc[1:].assign(note="one trial"), undone)
    assert told.set_index("id").loc["C01", "sequential"].endswith("no years")
    assert told.set_index("id").loc["C01", "multiverse"].endswith("one trial")
    assert table.loc["C05", "multiverse"] == "not yet computed"


def test_the_lesson_on_rubinstein_runs_and_prints_what_it_says(monkeypatch, capsys):
    text = (ROOT / "docs" / "reproduce-rubinstein.md").read_text()
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
