"""The report without a browser: what it packs, what it says, what it asks of the network, and its bytes."""

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from report.packed import opened
from reweigh.check import check
from reweigh.effects.pages import crossover_sweep, worked_pages
from reweigh.effects.selection import select
from reweigh.figures.forest.catalogue import plot, plot_ids
from reweigh.figures.forest.draw import draw_forest, forest_table
from reweigh.figures.svg import render
from reweigh.io import csv_text, read_csv
from reweigh.pool.few_trials import bayes_table
from reweigh.pool.moderators import regression_table
from reweigh.pool.refit import Trials, refit, trials_of
from reweigh.pool.summarise import fit_all, pooled_table, subgroup_table, sweep_table, weights_table
from reweigh.protocol.models import Model
from reweigh.protocol.read import load_protocol
from reweigh.report import page as pages
from reweigh.report import words
from reweigh.report.analyses import guarded
from reweigh.report.evidence import answers, evidence_map
from reweigh.report.explorer import explorer_data, with_further_measures
from reweigh.report.inputs import Inputs
from reweigh.report.methods import bibtex, csl_json, methods_text, references
from reweigh.report.page import FURTHER, index_page
from reweigh.report.pdf import undated
from reweigh.report.summary import summary
from reweigh.report.trials import POOLED, flow, trial_rows
from reweigh.report.workbook import workbook
from reweigh.risk_of_bias import read_risk_of_bias, read_tools
from reweigh.text.files import file_name
from reweigh.text.numbers import (
    count_text,
    decimals_of,
    effect_text,
    interval_text,
    p_text,
    percent_text,
    small_text,
    stated_text,
)

KETAMINE, BCG = "ketamine-chronic-pain", "bcg-vaccine"


def stored(name, table, numbers=("absolute_latitude",)):
    """A table as the workflow's next job reads it."""
    return read_csv(io.StringIO(csv_text(table, f"{name}.csv")), numbers, f"{name}.csv")


def make_inputs(review, models=(), change=None, only=None, **more):
    """Inputs of a review's page as the stages up to pooling give them; `change` edits its checked arms."""
    folder = ROOT / "data" / review
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".yaml", ".csv")}
    tables, problems = check(files, review)
    assert tables is not None, problems
    protocol, _ = load_protocol(files["review.yaml"])
    if change is not None:
        tables = replace(tables, arms=change(tables.arms))
    kept = {name: {one: getattr(protocol, name)[one] for one in ones} for name, ones in (only or {}).items()}
    protocol = protocol.model_copy(update=kept)
    if models:
        protocol = protocol.model_copy(update={"models": models})
    selection = select(tables.studies, tables.arms, tables.contrasts, protocol)
    effects = stored("effects", selection.effects)
    fits = fit_all(effects, protocol)
    pooled = stored("pooled", pooled_table(effects, protocol, fits=fits))
    subgroups = stored("subgroups", subgroup_table(effects, protocol))
    sweep = stored("crossover_sweep", crossover_sweep(selection, protocol))
    drawn = plot_ids(effects, protocol)
    figures = pd.DataFrame({"kind": "forest", "analysis": drawn, "title": drawn, "caption": "A caption."})
    raw = {"arms.csv": tables.arms, "contrasts.csv": tables.contrasts}
    return Inputs(
        review=review, protocol=protocol, studies=stored("checked/studies", tables.studies), effects=effects,
        rows=stored("rows", selection.rows), pooled=pooled, subgroups=subgroups,
        weights=stored("weights", weights_table(effects, protocol, fits)), figures=figures,
        not_pooled=stored("not_pooled", selection.not_pooled),
        bayes=stored("bayes", bayes_table(effects, protocol)),
        meta_regression=stored("meta_regression", regression_table(effects, protocol)), sweep=sweep,
        pooled_sweep=stored("crossover_sweep_pooled", sweep_table(effects, sweep, protocol)),
        worked=worked_pages(selection, raw, protocol),
        hashes={"data/x.csv": "0" * 64}, versions={"reweigh": "0"}, **more,
    )  # fmt: skip


def report_page(inputs):
    """The page with the body of each fold in place."""
    return opened(pages.report_page(inputs))


def drawings(inputs):
    """The forest plots as the stage before the page has drawn them; a page draws what it is not given."""
    tables, found = (inputs.effects, inputs.pooled, inputs.subgroups, inputs.weights), {}
    for name in inputs.figures["analysis"]:
        one = plot(name, *tables, inputs.protocol)
        figure = draw_forest(forest_table(one.effects, one.pooled, one.subgroups, one.meta), one.meta)
        found[f"forest/{file_name(name)}"] = render(figure, "svg").decode("utf-8")
    return found


@pytest.fixture(scope="module")
def ketamine():
    # A quarter of its analyses; whole pages are read in the browser.
    sets = ("main", "with_combination_products", "intravenous", "crossover_as_independent")
    inputs = make_inputs(KETAMINE, only={"outcomes": ("pain_intensity", "responder", "psychotomimetic"), "sets": sets})
    return replace(inputs, drawings=drawings(inputs))


@pytest.fixture(scope="module")
def bcg():
    return make_inputs(BCG)


@pytest.fixture(scope="module")
def page(ketamine):
    return report_page(ketamine)


@pytest.mark.slow
def test_judgements_are_lights_in_the_forest_plots_and_in_the_table_of_trials(ketamine, page):
    tools = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())
    studies = sorted(ketamine.effects["study_id"].unique())[:6]
    rows = [(one, "RoB 2", "randomisation", "low", "by telephone <b>") for one in studies]
    rows += [(one, "RoB 2", "missing_data", "high", "") for one in studies[1:]]
    table = pd.DataFrame(rows, columns=["study_id", "tool", "domain", "judgement", "support"])
    judged = report_page(replace(ketamine, drawings={}, bias=read_risk_of_bias(table, tools)))
    own = ketamine.studies.set_index("study_id")
    for at, name in enumerate(studies):
        row = re.search(rf'<tr id="t-{name}".*?</tr>', judged, re.DOTALL)[0]
        words = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", row))
        assert own.loc[name, "label"] in words and "by telephone &lt;b&gt;" in words
        assert ("High risk of bias" in words) == (at > 0)
    assert judged.count('class="light"') == 2 + 3 * 5
    assert judged.count("Not assessed") == len(ketamine.studies) - len(studies)
    drawn = [svg for svg in re.findall(r"<svg.*?</svg>", judged, re.DOTALL) if ">Risk of bias</text>" in svg]
    assert drawn and "randomization process" in drawn[0]
    assert "Not assessed: this review holds no judgement." in page and 'class="light"' not in page


def datasets(data):
    """Each analysis of the explorer with each of its data sets at the protocol's correlation."""
    return [(a, one) for a in data["analyses"] for one in a["datasets"] if one["correlation"] is None]


def analysis_of(analysis, dataset):
    """Analysis id of a data set."""
    return analysis["id"] + ("" if dataset["set"] == "main" else f".{dataset['set']}")


def names(data, places):
    """Models by their places."""
    return [list(data["models"])[int(place)] for place in places]


def test_explorer_holds_the_effects_of_the_tables(ketamine, bcg):
    seen = 0
    for inputs in (ketamine, bcg):
        data = explorer_data(inputs)
        for analysis, dataset in datasets(data):
            name = analysis_of(analysis, dataset)
            mine = inputs.effects[inputs.effects["analysis"] == name]
            if not analysis["asked"] or "." in dataset["set"]:
                continue
            assert dataset["yi"] == mine["estimate"].tolist() and dataset["vi"] == mine["variance"].tolist()
            cells = [data["trials"][place] for place in dataset["trials"]]
            assert [cell[:3] for cell in cells] == mine[["comparison_id", "label", "study_id"]].to_numpy().tolist()
            # What they can be chosen by is what the tables say of them.
            for at, column in enumerate(data["columns"], start=3):
                values = [column["values"][c[at]] if column["values"] and c[at] is not None else c[at] for c in cells]
                studies = inputs.studies.set_index("study_id")
                told = mine if column["id"] in mine else studies.loc[mine["study_id"]]
                labels = inputs.protocol.categories.get(column["id"], {})
                for value, table in zip(values, told[column["id"]], strict=True):
                    said = None if words.missing(table) else labels.get(table, table)
                    assert value == (words.upper_first(said) if isinstance(said, str) else said)
            seen += 1
        chosen = {column["id"] for column in data["columns"]}
        assert chosen >= {"year", *inputs.protocol.subgroups} and "label" not in chosen and "doi" not in chosen
    assert seen > 20


def test_explorer_sweeps_the_correlation_of_crossover_trials(ketamine):
    data, seen = explorer_data(ketamine), 0
    swept = ketamine.pooled_sweep.set_index(["analysis", "correlation"])
    for analysis in data["analyses"]:
        for dataset in analysis["datasets"]:
            if dataset["correlation"] is not None:
                row = swept.loc[(analysis["id"], dataset["correlation"])]
                trials = Trials(analysis["short"], *map(np.array, (dataset["yi"], dataset["vi"])), np.empty((4, 0)))
                found = refit(trials, ketamine.protocol.every_model[analysis["model"]]).row()
                for name in ("estimate", "ci_lower", "ci_upper"):
                    np.testing.assert_allclose(found[name], row[name], rtol=1e-9)
                seen += 1
    assert seen > 5


MODELS = [
    Model(name="M-H", tau2="EE", interval="wald", pooling="mantel-haenszel"),
    Model(name="M-H corrected", tau2="EE", interval="wald", pooling="mantel-haenszel", mantel_haenszel="corrected"),
    Model(name="M-H random", tau2="DL", interval="wald", pooling="mantel-haenszel"),
    Model(name="Peto", tau2="EE", interval="wald", pooling="peto"),
]


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 3])
def test_models_of_counts_are_offered_where_there_are_counts_or_have_a_reason(first):
    """BCG by Mantel-Haenszel and Peto alone, in any order; the page's module and `refit` agree in test_report_pool."""
    models = tuple(MODELS[first:] + MODELS[:first])
    inputs = make_inputs(BCG, models=models)
    data = explorer_data(inputs)
    for analysis, dataset in datasets(data):
        assert analysis["model"] == models[0].name
        frame = inputs.effects[inputs.effects["analysis"] == analysis["id"]]
        able = [m.name for m in models if m.pooling != "peto" or analysis["short"] == "OR"]
        own = {m.name for m in models}
        unable = {name: code for place, code in dataset.get("unable", {}).items() for name in names(data, [place])}
        assert [name for name in names(data, dataset["models"]) if name in own] == able
        assert set(unable) & own == own - set(able)
        assert all("does not apply" in data["said"][code] for code in unable.values())
        np.testing.assert_array_equal(np.transpose(dataset["counts"]), trials_of(frame).counts)
    page = report_page(inputs)
    main = inputs.pooled[(inputs.pooled["analysis"] == "tuberculosis.end_of_follow_up")].iloc[0]
    assert f"<b>{stated_text(main)}</b>" in page


def asked_for_more(protocol, measures):
    """The protocol with further measures of its binary outcomes."""
    outcomes = {
        name: one.model_copy(update={"also": tuple(m for m in measures if m != one.measure)})
        if one.measure in ("RR", "OR", "RD") else one
        for name, one in protocol.outcomes.items()
    }  # fmt: skip
    return protocol.model_copy(update={"outcomes": outcomes})


@pytest.mark.slow
@pytest.mark.parametrize("review", [BCG, KETAMINE])
def test_measures_from_counts_are_those_that_the_protocol_could_have_asked_for(bcg, review):
    """RR, OR and RD of every outcome with the counts of all trials: the effects of the stage, zero cells and all."""
    folder = ROOT / "data" / review
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".yaml", ".csv")}
    tables, _ = check(files, review)
    own, _ = load_protocol(files["review.yaml"])

    def inputs(measures):
        protocol = asked_for_more(own, measures)
        found = select(tables.studies, tables.arms, tables.contrasts, protocol)
        effects, lost = stored("effects", found.effects), stored("not_pooled", found.not_pooled)
        return replace(bcg, protocol=protocol, effects=effects, not_pooled=lost)

    plain, whole = inputs(()), inputs(("RR", "OR", "RD"))
    found = with_further_measures(plain).effects
    more = found[~found["analysis"].isin(plain.effects["analysis"])]
    expected = whole.effects.set_index(["analysis", "comparison_id"])
    keys = list(zip(more["analysis"], more["comparison_id"], strict=True))
    known = [key for key in keys if key in expected.index]
    # Beyond the main set the protocol has no further measures to compare with.
    assert {key for key in keys if key not in known} == set(
        more.loc[more["set"] != "main", ["analysis", "comparison_id"]].itertuples(index=False, name=None)
    ) - set(known)
    assert len(known) > 10 and {"OR", "RD"} <= set(more["measure"])
    got = more.set_index(["analysis", "comparison_id"]).loc[known]
    for column in ("estimate", "variance", "se", "estimate_natural", "ci_lower_natural", "ci_upper_natural"):
        np.testing.assert_allclose(
            got[column].astype(float), expected.loc[known, column].astype(float), rtol=1e-9, atol=1e-9
        )
    for analysis in got.index.get_level_values(0).unique():
        assert (whole.effects["analysis"] == analysis).sum() == (more["analysis"] == analysis).sum(), analysis


def test_no_measure_from_counts_where_trials_without_events_were_left_out(bcg):
    main = bcg.effects[bcg.effects["measure"] == "RR"]
    alone = replace(bcg, effects=main)
    assert set(with_further_measures(alone).effects["measure"]) == {"RR", "OR", "RD"}
    lost = pd.DataFrame({"analysis": main["analysis"].iloc[:1], "reason_code": "double_zero"})
    assert set(with_further_measures(replace(alone, not_pooled=lost)).effects["measure"]) == {"RR"}
    # Nor where an effect is not that of its counts.
    other = main.assign(estimate=main["estimate"].where(main.index != main.index[2], 0.1))
    assert set(with_further_measures(replace(alone, effects=other)).effects["measure"]) == {"RR"}


def test_what_the_page_cannot_compute_is_what_the_tables_have():
    models = (
        Model(name="profile", tau2="ML", interval="profile likelihood"),
        Model(name="bootstrap", tau2="DL", interval="wald", prediction_interval="bootstrap"),
    )
    inputs = make_inputs(BCG, models=models)
    data = explorer_data(inputs)
    pooled = inputs.pooled.set_index(["analysis", "model"])
    for analysis, dataset in datasets(data):
        assert names(data, dataset["whole"]) == ["profile", "bootstrap"]
        for name, found in zip(("profile", "bootstrap"), dataset["whole"].values(), strict=True):
            row = pooled.loc[(analysis["id"], name)]
            for field in ("estimate", "ci_lower", "tau2", "q", "pi_upper"):
                assert found[field] == (None if np.isnan(row[field]) else row[field]), (name, field)
            assert found["i2_tau2"] == row["i2"] and sum(found["weights"]) == pytest.approx(100)
            assert set(found["reason"]) <= data["said"].keys()


def cells(html):
    """Texts of the cells of each table row."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [
        [unescape(re.sub(r"<small>.*?</small>|<[^>]+>", "", c)).strip() for c in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in rows
    ]


def test_every_pooled_number_on_the_page_is_the_tables(ketamine, bcg, page):
    """The model tables: effect with its CI, prediction interval, P, tau2, I2, k and n."""
    seen = 0
    for inputs, html in ((ketamine, page), (bcg, report_page(bcg))):
        articles = dict(re.findall(r'<article class="analysis" id="a-([^"]+)"(.*?)</article>', html, re.DOTALL))
        pooled = inputs.pooled[(inputs.pooled["set"] == "main") & (inputs.pooled["k"] > 1)]
        for _, row in pooled.iterrows():
            decimals = decimals_of(row)
            ends = [row[f"{name}_natural"] for name in ("estimate", "ci_lower", "ci_upper")]
            predicted = [row[f"pi_{end}_natural"] for end in ("lower", "upper")]
            expected = [
                row["model"],
                effect_text(*ends, decimals=decimals),
                "–" if np.isnan(predicted[0]) else interval_text(*predicted, decimals=decimals).strip("()"),
                p_text(row["p_value"], bare=True) or "–",
            ]
            table = articles[row["analysis"]].partition("By which model")[2].partition("</table>")[0]
            found = [one for one in cells(table) if one[0] == row["model"]]
            assert [one[:4] for one in found] == [expected]
            assert found[0][4].startswith(small_text(row["tau2"]))
            assert found[0][5] == (percent_text(row["i2"]) or "–")
            seen += 1
            if row.equals(pooled[pooled["analysis"] == row["analysis"]].iloc[0]):
                assert f"k = {count_text(row['k'], row['comparisons'])}" in articles[row["analysis"]]
    assert seen > 15


def test_every_cell_of_the_evidence_map_is_a_row_of_pooled_csv_or_a_count_of_lost_trials(ketamine):
    cells = {
        (row["id"], window): cell for row in evidence_map(ketamine)["rows"] for window, cell in row["cells"].items()
    }
    main = ketamine.pooled[ketamine.pooled["set"] == "main"].drop_duplicates("analysis")
    own = {name: outcome.measure for name, outcome in ketamine.protocol.outcomes.items()}
    main = main[main["measure"] == main["outcome"].map(own)].set_index(["outcome", "window"])
    assert {at for at, cell in cells.items() if "analysis" in cell} == set(main.index)
    for at, row in main.iterrows():
        cell = cells[at]
        ends = [row[f"{name}_natural"] for name in ("estimate", "ci_lower", "ci_upper")]
        assert cell["effect"] == effect_text(*ends, decimals=decimals_of(row)) and cell["k"] == f"{row['k']:.0f}"
        left, right = (cell["marks"][end] for end in ("lower", "upper"))
        assert left <= cell["marks"]["at"] <= right
        assert cell["marks"]["clipped_lower"] == (left == 0) and cell["marks"]["clipped_upper"] == (right == 100)
    lost = ketamine.not_pooled.groupby("analysis")["study_id"].nunique()
    for (outcome, window), cell in cells.items():
        if "analysis" not in cell:
            assert cell["lost"] == lost[f"{outcome}.{window}"]
    assert any("lost" in cell for cell in cells.values())


def test_lines_of_one_measure_share_an_axis(ketamine):
    """The null of every claim on an SMD stands in the same place, and an effect is as far from it as it is large."""
    at = {"measure": "SMD", "estimate_natural": -0.5, "ci_lower_natural": -0.8, "ci_upper_natural": -0.2, "k": 3}
    claims = [
        {"id": "A", "headline": 0, "statements": [at]},
        {"id": "B", "headline": 1, "statements": [{"measure": None}, at | {"estimate_natural": -0.25}]},
        {"id": "C", "headline": None, "statements": []},
    ]
    first, second, third = answers(replace(ketamine, claims=claims))
    assert first["null"] == second["null"] and "marks" not in third
    shift = [line["null"] - line["marks"]["at"] for line in (first, second)]
    assert abs(shift[0] - 2 * shift[1]) < 0.05 and shift[0] > 0
    # Kilograms and steps do not.
    far = {"estimate_natural": 500.0, "ci_lower_natural": 100.0, "ci_upper_natural": 900.0}
    apart = [at | {"measure": "MD", "analysis": "weight.end"}, at | far | {"measure": "MD", "analysis": "steps.end"}]
    claims = [{"id": str(i), "headline": 0, "statements": [one]} for i, one in enumerate(apart)]
    for line in answers(replace(ketamine, claims=claims)):
        assert line["marks"]["upper"] - line["marks"]["lower"] > 30


def test_a_hartung_knapp_interval_that_is_too_narrow_has_the_guarded_one_beside_it(bcg):
    """Case 03: SE 0.52, 0.47, 0.59; HK -0.977 to -0.716, guarded -2.145 to 0.452 (metafor, test="adhoc")."""
    row = dict(bcg.pooled.iloc[0]) | {
        "scale": "natural", "estimate_natural": -0.846,
        "ci_lower_natural": -0.977, "ci_upper_natural": -0.716, "guarded_ci_lower_natural": -2.145,
        "guarded_ci_upper_natural": 0.452, "note_codes": "tau2_zero; hartung_knapp_narrow",
    }  # fmt: skip
    assert guarded(row) == "guarded −2.15 to 0.45"
    assert guarded(row | {"note_codes": "tau2_zero"}) == ""
    pooled = pd.concat([pd.DataFrame([row]), bcg.pooled.iloc[1:]], ignore_index=True)
    narrow = replace(bcg, pooled=pooled)
    assert report_page(narrow).count("guarded −2.15 to 0.45") == 2
    assert summary(narrow).count("guarded −2.15 to 0.45") == 2


def test_what_is_no_web_address_and_no_doi_is_no_link(ketamine):
    hostile = {
        "doi": "javascript:alert(1)",
        "pmid": "1 onclick=x",
        "source_urls": "javascript:alert(1) | data:text/html,x | https://a.org/x",
    }
    linked = trial_rows(replace(ketamine, studies=ketamine.studies.assign(**hostile)))
    assert {tuple(t["links"]) for t in linked} == {(("source", "https://a.org/x"),)}
    assert words.href("HTTPS://a.org") == words.href("ftp://a.org") == words.href("//a.org") == ""
    assert (
        words.href("10.1000/x y", words.DOI) == ""
        and words.href("10.1000/xy", words.DOI) == "https://doi.org/10.1000/xy"
    )
    assert "<a" not in words.linked("javascript:alert(1) [x](javascript:alert(1)) data:text/html,x")


def test_the_page_allows_its_own_scripts_and_no_others(page):
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)[1]
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in scripts]
    assert digests == allowed and len(scripts) == 6
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert set(re.findall(r"<script([^>]*)>", page)) == {
        "",
        *(f' type="application/json" id="{n}"' for n in ("glossary", "explorer-data", "colours")),
        ' type="text/plain" id="pack"',
    }


def test_page_is_self_contained(page):
    outside = re.findall(r"""(?:src|href)=["'](?!#|data:|https://|http://|workbook)([^"']*)""", page)
    assert outside == []
    assert not re.search(r"<(?:script|img|iframe|link)[^>]+(?:src|href)=[\"']https?:", page)
    assert not re.search(r"url\(['\"]?https?:|@import|fetch\(|XMLHttpRequest|WebSocket", page)
    assert "default-src 'none'" in page


@pytest.mark.slow
def test_page_is_small_and_the_same_again(ketamine, page):
    assert len(page.encode()) < 1_600_000
    assert report_page(ketamine) == page


def test_ids_are_unique(page):
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_links_within_the_page_lead_somewhere(page):
    ids = set(re.findall(r'\sid="([^"]+)"', page))
    targets = set(re.findall(r'href="#([^"?]+)"', page))
    assert targets <= ids, sorted(targets - ids)[:5]


def test_every_drawn_forest_plot_is_on_the_page(ketamine, page):
    """All but those by a column that puts each trial under a heading of its own: the plain plot says as much."""
    figures = ketamine.figures
    for name in figures["analysis"]:
        whole, _, column = name.partition(".by_")
        sizes = ketamine.effects.loc[ketamine.effects["analysis"] == whole, column].value_counts() if column else [2, 1]
        splits = len(sizes) > 1 and max(sizes) > 1
        assert (f'id="fig-{name}"' in page) == splits, name
    assert page.count("<svg") < len(figures)


def test_a_review_without_claims_says_that_it_has_none(ketamine):
    page = report_page(replace(ketamine, claims=[]))
    assert 'id="c-' not in page
    lines = re.findall(r'<a class="answer" href="#([ao]-[^"]+)">\s*<h3 class="title">([^<]+)</h3>', page)
    assert len(lines) == len(ketamine.protocol.outcomes)
    assert ("a-pain_intensity.term_short", "Pain intensity, short term (definition not seen)") in lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("SMD −0.7 (k = 2 trials, n = 60)", "SMD −0.7 (k\u00a0=\u00a02 trials, n\u00a0=\u00a060)"),
        ("P < 0.001; P = 0.03", "P\u00a0<\u00a00.001; P\u00a0=\u00a00.03"),
        ("printed p = 0.75", "printed p\u00a0=\u00a00.75"),
        ("link = 2, k = none", "link = 2, k = none"),
        ("MD -1.12 (-2.33 to 0.09)", "MD −1.12 (−2.33 to 0.09)"),
        ("at 3-5 weeks, k - 1, S-ketamine", "at 3-5 weeks, k − 1, S-ketamine"),
    ],
)
def test_numbers_are_printed_as_such_and_equations_do_not_break_over_lines(text, shown):
    assert words.nice(text) == shown


def test_code_that_is_copied_has_plain_spaces():
    assert words.markdown("    k = 2") == "<pre tabindex='0'>k = 2</pre>"


def test_figures_of_a_further_measure_leave_a_full_page_first(bcg):
    main = "tuberculosis.end_of_follow_up"
    ids = [main, f"{main}.OR", f"{main}.RD"]
    listed = pd.DataFrame({"analysis": ids, "kind": "gosh", "title": [f"GOSH of {name}" for name in ids]})
    # The one of the main measure is the largest.
    size = {name: int(FURTHER * (0.45 if name == main else 0.35)) for name in ids}
    drawings = {
        f"robustness/{name}.gosh": f'<svg width="10pt" height="5pt" viewBox="0 0 10 5" role="img" aria-labelledby="t d">'
        f'<title id="t">{name}</title><desc id="d">{"x" * size[name]}</desc></svg>'
        for name in ids
    }
    page = report_page(replace(bcg, figures_robustness=listed, drawings=drawings))
    gone = [name for name in ids if f"figures/robustness/{name}.gosh.svg</code>" in page]
    assert len(gone) == 1 and main not in gone


def test_hostile_text_stays_text(bcg):
    hostile = "</script><script>alert(1)</script><b>x</b>"
    effects = bcg.effects.assign(label=hostile, source=f"https://example.org/{hostile}")
    studies = bcg.studies.assign(note=hostile, label=hostile)
    page = report_page(replace(bcg, effects=effects, studies=studies))
    assert "<script>alert(1)" not in page
    assert "<b>x</b>" not in page


def alike(arms):
    """Two trials with the same counts."""
    first = arms[arms["study_id"].isin(arms["study_id"].unique()[:2])]
    return first.assign(events=first["role"].map({"intervention": 4.0, "control": 2.0}), n=50.0)


def without_events(arms):
    return alike(arms).assign(events=0.0)


LITTLE = {
    "no row": lambda arms: arms.head(0),
    "one trial": lambda arms: arms[arms["study_id"] == arms["study_id"].iloc[0]],
    "two trials with the same effect": alike,
    "no events": without_events,
}


@pytest.mark.parametrize(
    ("little", "models"),
    [*((little, ()) for little in LITTLE), ("no events", MODELS[:1]), ("two trials with the same effect", MODELS[3:])],
)
def test_a_review_with_little_data_has_a_page_a_summary_and_a_workbook(little, models):
    inputs = make_inputs(BCG, models=tuple(models), change=LITTLE[little])
    page, text, book = report_page(inputs), summary(inputs), workbook(inputs)
    assert pd.read_excel(io.BytesIO(book), sheet_name=None).keys() >= inputs.tables.keys()
    assert text.startswith(f"# {inputs.protocol.title}")
    said = {"no row": "no usable trial", "one trial": "one trial, not pooled", "no events": "no usable trial"}
    for where in (page, text):
        assert said.get(little, "2 trials").lower() in where.lower().replace("\u00a0", " ")
        assert not re.search(
            r"(?<![\w.-])nan(?![\w-])", re.sub(r"<script.*?</script>|<style.*?</style>", "", where, flags=re.DOTALL)
        )
    if little in ("no row", "one trial"):
        assert "No analysis has two trials" in page


def test_a_review_without_a_usable_trial_has_a_page(ketamine):
    none = {
        name: getattr(ketamine, name).head(0)
        for name in ("effects", "pooled", "subgroups", "weights", "figures", "bayes")
    }
    none |= {name: getattr(ketamine, name).head(0) for name in ("meta_regression", "sweep", "pooled_sweep")}
    page = report_page(replace(ketamine, review=f"{KETAMINE}/as_of/1990", worked={}, **none))
    assert '<h1 id="title">Ketamine for chronic pain, as of 1990</h1>' in page
    assert "No analysis has two trials" in page
    assert page.count("none usable</a></td>") > 10 and "Measured at other times only" not in page


def test_trials_that_an_analysis_could_not_use_are_listed_with_the_reason(ketamine):
    lost = pd.DataFrame(
        [("responder.immediate", "x1", "Yucel 2004", "no events in either arm"), ("response_lost.week", "x2", "X", "no n"),
         ("pain_intensity.month_6", "x3", "Amr 2011", "no dispersion <b>")],
        columns=["analysis", "study_id", "label", "reason"],
    )  # fmt: skip
    empty = next(f"{o}.{w}" for o in ketamine.protocol.outcomes for w in ketamine.protocol.windows
                 if f"{o}.{w}" not in set(ketamine.effects["analysis"]))  # fmt: skip
    inputs = replace(ketamine, not_pooled=lost.replace("pain_intensity.month_6", empty))
    page, text = report_page(inputs), summary(inputs)
    article = page[page.index('id="a-responder.immediate"') :].partition("</article>")[0]
    assert re.search(r"Not in this pool:</p><ul[^>]*><li>Yucel 2004: no events in either arm</li>", article)
    assert page.count("Not in this pool") == 1 and "Amr 2011: no dispersion &lt;b&gt;" in page
    assert "- `responder.immediate`: Yucel 2004: no events in either arm\n" in text
    assert f"- `{empty}`: Amr 2011: no dispersion \\<b>\n" in text


def test_flags_stand_at_their_trial_and_are_counted_in_the_summary(ketamine):
    columns = ["kind", "study_id", "words"]
    rows = [
        ("flag", "amr2011", "an SD that looks like an SE <b>"),
        ("notice", "", "a row of an outcome that is not there"),
    ]
    flagged = replace(ketamine, flags=pd.DataFrame(rows, columns=columns))
    row = re.search(r'<tr id="t-amr2011".*?</tr>', report_page(flagged), re.DOTALL)[0]
    assert "Be wary of: an SD that looks like an SE &lt;b&gt;." in row
    text = summary(flagged)
    assert "1 suspicious number is flagged" in text and "\n- a row of an outcome that is not there\n" in text


@pytest.mark.slow
def test_later_stages_are_shown(ketamine):
    analysis = "responder.immediate"
    left = (
        ketamine.pooled[ketamine.pooled["analysis"] == analysis]
        .head(1)
        .assign(left_out="x2001", label="X 2001", note="")
    )
    later = {
        "leave_one_out": left,
        "conclusions": pd.DataFrame([[analysis, "Nothing `breaks` it.", ""]], columns=["analysis", "fragility", "alternatives"]),
        "certainty": pd.DataFrame([[analysis, "moderate", "imprecision", "serious", "wide"]],
                                  columns=["analysis", "certainty", "domain", "judgement", "figures"]),
        "sequential": pd.DataFrame([[analysis, "it crossed the futility boundary", ""]],
                                   columns=["analysis", "conclusion", "note"]),
    }  # fmt: skip
    page = report_page(replace(ketamine, **later))
    for said in ('<th scope="row">X 2001</th>', "Nothing <code>breaks</code> it.", "<b>Moderate</b>", "It crossed the futility boundary",
                 '<span role="img" aria-label="certainty moderate">⊕⊕⊕◯</span>'):  # fmt: skip
        assert said in page


def test_the_page_has_the_counts_of_a_flow_diagram(bcg):
    counts = {"database_results": "1200", "register_results": "30", "website_results": "0", "duplicates": "200",
              "excluded_other": "5", "records_screened": "1025", "previous_studies": "4", "new_studies": "9"}  # fmt: skip
    rows = [{"box": box, "n": n, "reason": ""} for box, n in counts.items()]
    rows += [{"box": "dbr_excluded", "n": n, "reason": why} for n, why in (("50", "<b>Wrong"), ("15", "No data"))]
    inputs = replace(bcg, flow=rows)
    steps = {one["label"]: one for step in flow(inputs, trial_rows(inputs))["steps"] for one in step.values()}
    assert [(label, one["n"]) for label, one in steps.items()] == [
        ("Records identified", "1,230"), ("Records removed before screening", "205"), ("Records screened", "1,025"),
        ("Records excluded", "not recorded"), ("Reports assessed for eligibility", "not recorded"),
        ("Reports excluded", "65"), ("Studies included", "13"), ("Reports of included studies", "not recorded"),
    ]  # fmt: skip
    assert steps["Reports excluded"]["parts"] == [("<b>Wrong", "50"), ("No data", "15")]
    assert [n for _, n in steps["Records identified"]["parts"]] == ["1,200", "30"]
    text = report_page(inputs)
    assert "<li>&lt;b&gt;Wrong: 50</li>" in text and "those of flow.csv" in text and "flow.csv" not in report_page(bcg)
    total = replace(bcg, flow=[*rows, {"box": "total_studies", "n": "14", "reason": ""}])
    assert "<b>Studies included</b> <span>14</span>" in report_page(total)


def test_trials_and_flow_count_every_record(ketamine):
    trials = trial_rows(ketamine)
    counts = flow(ketamine, trials)
    assert counts["records"] == len(ketamine.studies) == len(trials)
    assert counts["excluded"] + counts["included"] == counts["records"]
    assert counts["pooled"] + counts["sensitivity"] + counts["unused"] == counts["included"]
    assert sum(number for _, number in counts["excluded_by"]) == counts["excluded"]
    main = ketamine.effects[ketamine.effects["set"] == "main"]
    assert {t["id"] for t in trials if t["state"] == POOLED} == set(main["study_id"])
    assert all(t["reasons"] for t in trials if t["state"] != POOLED)


def test_methods_say_what_the_protocol_says(ketamine):
    text = " ".join(said for _, said in methods_text(ketamine))
    for words_of_protocol in ("restricted maximum likelihood", "Hartung-Knapp", "DerSimonian-Laird", "0.5 was assumed",
                              "95% level", "week 12", "pain type"):  # fmt: skip
        assert words_of_protocol in text
    other = ketamine.protocol.model_copy(update={"level": 0.9, "models": ("revman-classic",)})
    changed = " ".join(said for _, said in methods_text(replace(ketamine, protocol=other)))
    assert "90% level" in changed
    assert "restricted maximum likelihood" not in changed


def test_provenance_names_no_machine(page):
    section = page[page.index('id="h-methods"') :]
    for word in ("/tmp", "/home", "/work", "--cores", "127.0.0.1"):
        assert word not in section.split("<script")[0]


def test_references(ketamine):
    found = references(ketamine)
    with_doi = ketamine.studies[(ketamine.studies["doi"] != "") | (ketamine.studies["pmid"] != "")]
    assert len(found) == len(with_doi)
    items = json.loads(csl_json(found))
    assert {i["id"] for i in items} == set(with_doi["study_id"])
    text = bibtex(found)
    assert text.count("@article{") == len(found)
    assert text.count("{") == text.count("}")


def test_pdf_dates_go_and_offsets_stay():
    given = b"<</CreationDate (D:20261122095046+00'00')\n/ModDate (D:20261122095046+00'00')>>"
    assert undated(given) == given.replace(b"20261122095046", b"19800101000000")


def test_index_lists_every_review(ketamine, bcg):
    analysis = "tuberculosis.end_of_follow_up"
    found = pd.DataFrame({"analysis": [analysis], "certainty": ["very low"]})
    none, claims = found.head(0), [{"verdict": "supported"}, {"verdict": "contradicted"}, {"verdict": "supported"}]
    given = ((ketamine, none, []), (bcg, found, claims))
    page = index_page([(i.review, i.protocol, i.effects, i.pooled, *more) for i, *more in given])
    assert page.count("3 claims: 2 supported, 1 contradicted.") == 1 and page.count("certainty very low") == 1
    for inputs in (ketamine, bcg):
        assert f'href="{inputs.review}/report.html"' in page
        assert inputs.protocol.title in page


def test_links_in_text():
    assert str(words.linked("see doi 10.1000/xyz123, table 2.")) == (
        'see doi <a href="https://doi.org/10.1000/xyz123" rel="noreferrer">10.1000/xyz123</a>, table 2.'
    )
    assert str(words.linked('<i>"https://a.org/x?y=1&z"')) == (
        '&lt;i&gt;&#34;<a href="https://a.org/x?y=1&amp;z" rel="noreferrer">https://a.org/x?y=1&amp;z</a>&#34;'
    )
