"""The whole way from typed tables to effects, for every form in which trials report."""

import math

import pytest
from scipy import stats

from reweigh.check import check
from reweigh.effects.pages import worked_pages
from reweigh.effects.selection import select
from reweigh.protocol.read import load_checked

PROTOCOL = b"""\
title: Every form
question: {population: p, intervention: a, comparator: b}
words: {intervention: a, control: b}
table_source: {arms: x, contrasts: y}
outcomes:
  pain: {label: Pain, type: continuous, measure: MD, also: [SMD, ROM, SMDH, GLASS], better: lower, scale: [0, 10]}
  events: {label: Events, type: binary, measure: OR, also: [RD, AS, PETO, RR], better: lower}
  rate: {label: Rate, type: rate, measure: IRR, also: [IRD], better: lower}
  death: {label: Death, type: time_to_event, measure: HR, better: lower}
"""
DESIGNS = {"e": "crossover", "f": "cluster", "i": "crossover", "j": "first_period"}
STUDIES = "study_id,design\n" + "".join(f"{s},{DESIGNS.get(s, 'parallel')}\n" for s in "abcdefghijklmno")
ARM = [
    "study_id",
    "role",
    "outcome",
    "timepoint",
    "scale_min",
    "scale_max",
    "better",
    "n",
    "mean",
    "sd",
    "se",
    "ci_lower",
    "ci_upper",
    "median",
    "q1",
    "q3",
    "min",
    "max",
    "events",
    "percent",
    "person_time",
    "baseline_mean",
    "baseline_sd",
    "change_mean",
    "change_sd",
    "correlation",
    "icc",
    "cluster_size",
    "discordant1",
    "discordant2",
]
CONTRAST = [
    "study_id",
    "outcome",
    "timepoint",
    "measure",
    "scale_min",
    "scale_max",
    "estimate",
    "se",
    "ci_lower",
    "ci_upper",
    "p_value",
    "p_operator",
    "t",
    "f",
    "z",
    "df",
    "oe",
    "v",
    "direction",
    "n_intervention",
    "n_control",
    "paired",
]
TEN, HUNDRED = {"scale_min": 0, "scale_max": 10}, {"scale_min": 0, "scale_max": 100}


def line(columns, **values):
    return ",".join(str(values.get(c, "")) for c in columns)


def arms():
    rows = [",".join(ARM)]

    for role, m in (("intervention", 3), ("control", 5)):

        def add(study, outcome, role=role, **values):
            rows.append(line(ARM, study_id=study, role=role, outcome=outcome, timepoint="t", **values))

        add("a", "pain", n=20, mean=m, ci_lower=m - 1, ci_upper=m + 1, **TEN)
        add("b", "pain", n=40, median=m, q1=m - 1.2, q3=m + 1.5, **TEN)
        add("c", "pain", n=40, median=m, min=m - 2.2, max=m + 2.5, **TEN)
        add("d", "pain", n=40, change_mean=m - 8, change_sd=2, **TEN)
        add("e", "pain", n=12, mean=m, sd=2, correlation=0.7, **TEN)
        add("f", "pain", n=40, mean=m, sd=2, icc=0.05, cluster_size=10, **TEN)
        add("g", "pain", n=40, mean=10 * m, sd=20, **HUNDRED)
        add("h", "pain", n=40, mean=10 - m, sd=2, better="higher", **TEN)
        add("j", "pain", n=40, mean=m, se=0.3, **TEN)
        add("k", "pain", n=40, baseline_mean=7, baseline_sd=2, mean=m, sd=2, **TEN)
        add("a", "events", n=40, events=m)
        add("b", "events", n=40, percent=m * 5)
        add("c", "events", n=40, events=0 if m == 3 else 4)
        add("d", "events", n=40, events=0)
        add("e", "events", n=40, events=2 * m, discordant1=2, discordant2=6)
        add("a", "rate", n=40, events=m, person_time=100)
    return "\n".join(rows)


def contrasts():
    rows = [",".join(CONTRAST)]

    def add(study, outcome, measure, **values):
        rows.append(line(CONTRAST, study_id=study, outcome=outcome, timepoint="t", measure=measure, **values))

    twenty = {"n_intervention": 20, "n_control": 20}
    add("l", "pain", "MD", estimate=-1, ci_lower=-2, ci_upper=0, **TEN, **twenty)
    add("m", "pain", "p_only", t=-2.5, **twenty)
    add("n", "pain", "p_only", f=6.5, direction="favours_intervention", **twenty)
    add("o", "pain", "MD", estimate=-1, p_value=0.03, p_operator="=", **TEN, **twenty)
    add("l", "events", "OR", estimate=0.5, ci_lower=0.25, ci_upper=1.0)
    add("m", "death", "HR", estimate=0.5, ci_lower=0.25, ci_upper=1.0)
    add("n", "death", "OE_V", oe=-5, v=10)
    add("o", "death", "HR", estimate=0.8, p_value=0.04, p_operator="=")
    return "\n".join(rows)


@pytest.fixture(scope="module")
def chain():
    files = {"review.yaml": PROTOCOL, "studies.csv": STUDIES.encode(), "arms.csv": arms().encode()}
    files["contrasts.csv"] = contrasts().encode()
    tables, report = check(files, "every-form")
    assert tables is not None, report
    protocol = load_checked(PROTOCOL)
    return select(tables.studies, tables.arms, tables.contrasts, protocol), tables, protocol


def test_nothing_is_lost_and_every_effect_has_its_page(chain):
    selection, tables, protocol = chain
    assert (selection.rows["status"] == "chosen").all()
    pages = worked_pages(selection, {"arms.csv": tables.arms, "contrasts.csv": tables.contrasts}, protocol)
    main = selection.effects.drop_duplicates(["comparison_id", "outcome", "window"])
    assert len(pages) == len(main)
    assert all("Step 1" in page and "Result" in page for page in pages.values())


def z(p):
    return stats.norm.ppf(p)


SD_A = math.sqrt(20) * 1 / stats.t.ppf(0.975, 19)
#: By hand, from the Handbook's formulas: analysis, study, estimate, variance.
BY_HAND = [
    ("pain.all", "a", -2, 2 * SD_A**2 / 20),
    ("pain.all", "d", -2, 4 / 40 + 4 / 40),
    ("pain.all", "e", -2, (4 + 4 - 2 * 0.7 * 4) / 12),
    ("pain.all", "f", -2, (4 / 40 + 4 / 40) * (1 + 9 * 0.05)),
    ("pain.all", "g", -2, 4 / 40 + 4 / 40),
    ("pain.all", "h", -2, 4 / 40 + 4 / 40),
    ("pain.all", "j", -2, 2 * 0.3**2),
    ("pain.all", "l", -1, (2 / (2 * z(0.975))) ** 2),
    ("pain.all", "o", -1, (1 / stats.t.ppf(0.985, 38)) ** 2),
    ("events.all", "a", math.log(3 / 37 / (5 / 35)), 1 / 3 + 1 / 37 + 1 / 5 + 1 / 35),
    ("events.all", "b", math.log(6 / 34 / (10 / 30)), 1 / 6 + 1 / 34 + 1 / 10 + 1 / 30),
    ("events.all", "c", math.log(0.5 / 40.5 / (4.5 / 36.5)), 1 / 0.5 + 1 / 40.5 + 1 / 4.5 + 1 / 36.5),
    ("events.all", "e", math.log(2 / 6), 1 / 2 + 1 / 6),
    ("events.all", "l", math.log(0.5), (math.log(4) / (2 * z(0.975))) ** 2),
    ("rate.all", "a", math.log(3 / 5), 1 / 3 + 1 / 5),
    ("death.all", "m", math.log(0.5), (math.log(4) / (2 * z(0.975))) ** 2),
    ("death.all", "n", -0.5, 1 / 10),
    ("death.all", "o", math.log(0.8), (math.log(0.8) / z(0.98)) ** 2),
]


@pytest.mark.parametrize(("analysis", "study", "estimate", "variance"), BY_HAND)
def test_effects_are_those_of_the_formulas(chain, analysis, study, estimate, variance):
    row = chain[0].effects.set_index(["analysis", "study_id"]).loc[(analysis, study)]
    assert row["estimate"] == pytest.approx(estimate, rel=1e-10)
    assert row["variance"] == pytest.approx(variance, rel=1e-10)


def test_what_was_assumed_or_estimated_is_said(chain):
    effects = chain[0].effects.set_index(["analysis", "study_id"])
    assert "quantiles" in effects.loc[("pain.all", "b"), "assumptions"]
    assert "r of baseline and final = 0.5" in effects.loc[("pain.all", "k"), "assumptions"]
    assert effects.loc[("events.all", "c"), "corrected"] == "yes"
    assert "first period" in effects.loc[("pain.all", "j"), "flags"]
    assert ("events.all", "d") not in effects.index
