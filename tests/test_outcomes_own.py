"""Outcomes with models, a level and words of their own: each as if it were the review's only outcome, and nothing mixed."""

import re

import numpy as np
import pandas as pd
import pytest

from pipeline import build
from report.packed import opened
from reweigh.io import read_csv
from reweigh.protocol.read import load_protocol
from test_report_browser import CHOOSE

pytestmark = pytest.mark.slow  # builds four reviews, all the way to the page

OWN = {
    "event": {
        "models": '[{name: M-H, tau2: EE, interval: wald, pooling: mantel-haenszel}]', "level": "0.9",
        "words": "{intervention: aspirin, control: dummy}",
    },
    "pain": {"models": "[revman, cochrane]", "level": "0.99", "words": "{intervention: yoga, control: waiting}"},
}  # fmt: skip
OUTCOMES = {
    "event": "label: Event, type: binary, measure: RR, also: [RD], better: lower",
    "pain": "label: Pain, type: continuous, measure: SMD, better: higher, unit: points",
}
OTHERS = {"models": "[revman-classic]", "level": "0.95", "words": "{intervention: drug, control: placebo}"}
TABLES = (
    "effects", "pooled", "weights", "subgroups", "engines", "certainty", "summary_of_findings", "crossover_sweep",
    "crossover_sweep_pooled", "meta_regression", "robustness/leave_one_out", "robustness/cumulative",
    "robustness/influence", "robustness/fragility", "robustness/small_study", "robustness/subsets",
    "robustness/multiverse", "robustness/conclusions", "sequential", "dependence", "reproduction",
)  # fmt: skip


def protocol(outcomes: dict[str, dict[str, str]], whole: dict[str, str]) -> bytes:
    """A protocol with these outcomes, what each says of its own, and what it says of all."""
    said = {name: "".join(f", {key}: {value}" for key, value in own.items()) for name, own in outcomes.items()}
    lines = [
        "title: T", "question: {population: P, intervention: I, comparator: C}",
        "table_source: {arms: made up for this test}", *(f"{key}: {value}" for key, value in whole.items()),
        "outcomes:", *(f"  {name}: {{{OUTCOMES[name]}{own}}}" for name, own in said.items()),
        "categories: {half: [odd, even]}", "subgroups: [half]", "meta_regression: {dose: {moderators: [dose], minimum: 1}}",
    ]  # fmt: skip
    return "\n".join(lines).encode()


def made() -> dict[str, bytes]:
    """Six trials with means, five of them with counts; the last one is a crossover trial."""
    draw = np.random.default_rng(15)
    studies, arms = [], []
    for at in range(6):
        head = {"study_id": f"t{at}", "label": f"Trial {at}"}
        design = "crossover" if at == 5 else "parallel"
        studies.append({**head, "year": 2001 + at, "half": ("odd", "even")[at % 2], "dose": at + 1, "design": design})
        for role, rate, mean in (("intervention", 0.2, 3.0), ("control", 0.4, 2.0)):
            n = int(draw.integers(20, 60)) if at < 5 else 24
            arm = {**head, "arm": role, "role": role, "n": n}
            if at < 5:  # counts of a crossover trial are not pooled by Mantel-Haenszel
                arms.append({**arm, "outcome": "event", "events": int(draw.binomial(n, rate))})
            arms.append({**arm, "outcome": "pain", "mean": round(draw.normal(mean, 0.4), 2), "sd": 1.5})
    printed = {
        "review_id": "r",
        "source": "made up",
        "label": "R 2010",
        "year": 2010,
        "estimate": 0.5,
        "ci_lower": 0.3,
        "ci_upper": 0.9,
    }
    published = [{**printed, "outcome": "event", "measure": "RR"}, {**printed, "outcome": "pain", "measure": "SMD"}]
    tables = {"studies": studies, "arms": arms, "published": published}
    return {f"{name}.csv": pd.DataFrame(rows).to_csv(index=False).encode() for name, rows in tables.items()}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Both outcomes together, and each alone in a protocol that says of all what is its own."""
    asked = {"both": protocol(OWN, OTHERS)} | {name: protocol({name: {}}, own) for name, own in OWN.items()}
    made_once = made()
    return {
        name: build({**made_once, "review.yaml": text}, tmp_path_factory.mktemp(name), figures=True)
        for name, text in asked.items()
    }


def of(results, name: str, outcome: str) -> pd.DataFrame:
    """Rows of a table that speak of an outcome."""
    table = read_csv(results / f"{name}.csv")
    key = table["analysis" if "analysis" in table else "outcome"].astype(str)
    return table[key.str.startswith(outcome)].reset_index(drop=True)


@pytest.mark.parametrize("outcome", OWN)
@pytest.mark.parametrize("name", TABLES)
def test_every_table_says_of_each_outcome_what_it_says_of_it_alone(results, name, outcome):
    together, alone = (of(results[which], name, outcome) for which in ("both", outcome))
    if name == "summary_of_findings":  # there the level that is not the usual one stands beside the effect
        together["effect"] = together["effect"].str.replace("99% CI ", "")
    pd.testing.assert_frame_equal(together, alone, check_dtype=False)
    assert len(alone) or name == "dependence" or (outcome == "event" and name.startswith("crossover"))


@pytest.mark.parametrize("outcome", OWN)
def test_every_figure_and_worked_page_is_that_of_the_outcome_alone(results, outcome):
    def drawn(which):
        parts = [*(results[which] / "figures").rglob("*.svg"), *(results[which] / "worked").glob("*.md")]
        return {p.relative_to(results[which]): p.read_bytes() for p in parts if outcome in p.name}

    together, alone = drawn("both"), drawn(outcome)
    assert set(together) == set(alone) and len(alone) > 20
    assert [str(name) for name in alone if together[name] != alone[name]] == []
    words = {name: [w.split(": ")[1].strip("}") for w in own["words"].split(",")] for name, own in OWN.items()}
    other = next(name for name in OWN if name != outcome)
    plot = together[next(p for p in together if p.match(f"figures/forest/{outcome}.all.svg"))].decode()
    plot = re.sub("base64,[^)]*", "", plot).lower()
    assert all(word in plot for word in words[outcome])
    assert not any(word in plot for word in (*words[other], "placebo"))


def test_the_page_says_of_each_outcome_its_own_level_models_and_words(results):
    page = opened((results["both"] / "report.html").read_text())
    parts = {name: re.search(f'<article class="analysis" id="a-{name}.all".*?</article>', page, re.S) for name in OWN}
    for name, level, other, model in (("event", "90%", "99%", "M-H"), ("pain", "99%", "90%", "revman")):
        part = re.sub(r"<svg.*?</svg>", "", parts[name][0], flags=re.S)
        # A sequential analysis has its own alpha, and says so with its own interval.
        part = re.sub(r"<dt>(?:<span[^>]*>)?Sequential.*?</dd>", "", part, flags=re.DOTALL)
        assert f"{level} CI" in part and f"{other} CI" not in part and "95% CI" not in part
        assert re.findall(r'<th scope="row">([\w-]+) <small>', part)[0] == model
        answer = re.search(f'<a class="answer" href="#a-{name}.all".*?</a>', page, re.S)[0]
        assert f"({level} CI " in answer
        assert ("Aspirin" in answer, "Yoga" in answer) == (name == "event", name == "pain")
    assert "90% confidence interval (Pain: 99%)" in page
    assert "For event the main model was a common-effect model pooled by Mantel-Haenszel" in page
    assert "For pain the main model was a random-effects model" in page
    assert "Intervals are at the 90% level (Pain: 99%)" in page
    summary = (results["both"] / "summary.md").read_text()
    assert "**M-H** (main: event)" in summary and "**revman** (main: pain)" in summary and "classic" not in summary


@pytest.mark.browser
def test_the_explorer_opens_each_outcome_with_its_own_model_and_level(browser, results):
    browser.open(f"{(results['both'] / 'report.html').as_uri()}#explore?a=event.all")
    shown = "[...document.getElementById('x-model').options].filter((one) => !one.hidden).map((one) => one.value)"
    head = "document.querySelector('#x-forest .head').textContent"
    value = "document.getElementById('x-model').value"
    seen = {}
    for name in OWN:
        browser.run(CHOOSE.format("x-analysis", f"{name}.all"))
        seen[name] = (browser.run(value), browser.run(head), browser.run(shown))
    assert [one[0] for one in seen.values()] == ["M-H", "revman"]
    assert "RR (90% CI)" in seen["event"][1] and "SMD (99% CI)" in seen["pain"][1]
    assert "M-H" not in seen["pain"][2] and not {"revman", "cochrane"} & set(seen["event"][2])
    browser.run(CHOOSE.format("x-model", "DerSimonian-Laird, Wald"))  # what was chosen stays where it fits
    browser.run(CHOOSE.format("x-analysis", "event.all"))
    assert browser.run(value) == "DerSimonian-Laird, Wald"


NAMED = """\
title: A review
question: {population: people, intervention: a, comparator: b}
words: {intervention: a, control: b}
outcomes:
  pain: {label: Pain, type: continuous, measure: MD, better: lower, OWN}
"""


@pytest.mark.parametrize(
    ("own", "key", "message"),
    [
        ("models: [cochran]", "outcomes.pain.models.0", 'did you mean "cochrane"'),
        ("models: [revman, revman]", "outcomes.pain.models.1", "stands in this list twice"),
        ("models: [{name: revman-classic, tau2: PM, interval: wald}]", "outcomes.pain.models.0.name", "another model"),
        ("level: 95", "outcomes.pain.level", "less than 1"),
        ("words: {intervention: a}", "outcomes.pain.words.control", "is missing"),
        ("word: {}", "outcomes.pain.word", 'did you mean "words"'),
    ],
)
def test_a_mistake_in_an_outcome_is_found(own, key, message):
    found = load_protocol(NAMED.replace("OWN", own).encode())[1]
    assert [(p.row, p.column) for p in found] == [(5, key)] and message in found[0].message, found


def test_what_an_outcome_does_not_say_is_that_of_all_and_a_set_comes_first():
    text = NAMED.replace("OWN", "models: [revman]") + "sets: {main: {label: m}, old: {label: o, models: [cochrane]}}\n"
    found = load_protocol(text.encode())[0]
    names = [[m.name for m in found.models_of("pain", name)] for name in ("main", "old")]
    assert names == [["revman"], ["cochrane"]] and list(found.every_model) == ["revman", "cochrane"]
    assert (found.level_of("pain"), found.words_of("pain").control, found.other_levels) == (0.95, "b", "")
    own = text.replace("[revman]", "[mine, revman]") + "models: [{name: mine, tau2: PM, interval: t}, cochrane]\n"
    named = load_protocol(own.encode())[0]
    assert [m.tau2 for m in named.models_of("pain")] == ["PM", "REML"]
    assert (found.smd_variance_of("pain"), found.smd_variance_of("pain", "old")) == ("RevMan", "LS")
