"""Forest plots of BCG by every pooling, alone and with others in any order: no number of one model under another's name."""

import json
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from reweigh.check import check
from reweigh.effects.selection import select
from reweigh.figures.forest.catalogue import journal_plot_ids, plot, plot_ids
from reweigh.figures.forest.draw import draw_forest, forest_table
from reweigh.figures.forest.journals import LAYOUTS
from reweigh.figures.risk_of_bias import weighted_bar
from reweigh.pool.summarise import fit_all, pooled_table, subgroup_table, weights_table
from reweigh.protocol.models import Model
from reweigh.protocol.read import load_protocol
from reweigh.risk_of_bias import read_risk_of_bias, read_tools

REFERENCE = json.loads((Path(__file__).parent / "reference" / "figures_weights.json").read_text())
MODELS = {
    "mh": Model(name="mh", tau2="EE", interval="wald", pooling="mantel-haenszel"),
    "peto": Model(name="peto", tau2="EE", interval="wald", pooling="peto"),
    "reml": Model(name="reml", tau2="REML", interval="hartung-knapp"),
}
#: Measure of the protocol and model to the name of what metafor gives.
KNOWN = {("RR", "mh"): "RR_mh", ("OR", "mh"): "OR_mh", ("OR", "peto"): "OR_peto", ("RR", "reml"): "RR_reml"}
BASE = "tuberculosis.end_of_follow_up"


@pytest.fixture(scope="module")
def bcg():
    """Effects of BCG and its protocol."""
    folder = ROOT / "data" / "bcg-vaccine"
    files = {p.name: p.read_bytes() for p in folder.iterdir() if p.suffix in (".yaml", ".csv")}
    tables, problems = check(files, "bcg-vaccine")
    assert tables is not None, problems
    protocol, _ = load_protocol(files["review.yaml"])
    return select(tables.studies, tables.arms, tables.contrasts, protocol).effects, protocol


def built(bcg, names, subgroups=("allocation",)):
    """Tables and protocol of BCG by these models, the first of which is the main one."""
    effects, protocol = bcg
    protocol = protocol.model_copy(update={"models": tuple(MODELS[n] for n in names), "subgroups": tuple(subgroups)})
    effects = effects[effects["set"] == "main"]
    fits = fit_all(effects, protocol, "own")
    tables = (effects, pooled_table(effects, protocol, fits=fits), subgroup_table(effects, protocol),
              weights_table(effects, protocol, fits))  # fmt: skip
    return tables, protocol


def table_of(bcg, names, analysis, layout="reweigh"):
    tables, protocol = built(bcg, names)
    one = plot(analysis, *tables, protocol, layout=LAYOUTS[layout])
    table = forest_table(one.effects, one.pooled, one.subgroups, one.meta)
    draw_forest(table, one.meta)
    return table, tables, one


ORDERS = [order for n in (1, 2, 3) for order in permutations(MODELS, n)]


@pytest.mark.parametrize("measure", ["RR", "OR"])
@pytest.mark.parametrize("order", ORDERS)
def test_weights_are_those_of_the_main_model(bcg, order, measure):
    analysis = BASE if measure == "RR" else f"{BASE}.{measure}"
    table, (_, pooled, *_), _ = table_of(bcg, order, analysis)
    studies = table[table["kind"] == "study"]
    expected = REFERENCE["weights"].get(KNOWN.get((measure, order[0]), ""))
    row = pooled[(pooled["analysis"] == analysis) & (pooled["model"] == order[0])].iloc[0]
    if expected is not None:
        assert dict(zip(studies["study_id"], studies["weight"], strict=True)) == pytest.approx(expected, rel=1e-8)
    if np.isfinite(row["estimate"]):
        assert sum(float(text.rstrip("%")) for text in studies["weight_text"]) == pytest.approx(100, abs=1e-9)
    else:  # Peto has no risk ratio
        assert set(studies["weight_text"]) == {"–"} and (measure, order[0]) == ("RR", "peto")
        assert table.loc[table["kind"] == "overall", "effect"].item() == "not estimable"
    overall = table[table["kind"] == "overall"].iloc[0]
    np.testing.assert_equal(overall["estimate"], row["estimate"])
    others = table[table["kind"] == "comparison model"]["estimate"].tolist()
    rest = [
        pooled.loc[(pooled["analysis"] == analysis) & (pooled["model"] == name), "estimate"].item()
        for name in order[1:]
    ]
    np.testing.assert_equal(others, rest)
    pooling = {"mh": "Mantel-Haenszel", "peto": "Peto", "reml": "REML"}[order[0]]
    assert pooling in overall["label"] and pooling in table[table["kind"] == "footnote"]["label"].iloc[0]


def test_what_the_issue_names_is_printed(bcg):
    def printed(order, analysis):
        studies = table_of(bcg, order, analysis)[0].query("kind == 'study'")
        return dict(zip(studies["label"], studies["weight_text"], strict=True))

    mh = printed(("mh", "reml"), BASE)
    assert (mh["TPT Madras 1980"], mh["Hart & Sutherland 1977"], mh["Ferguson & Simes 1949"]) == (
        "31.7%",
        "16.2%",
        "1.9%",
    )
    peto = printed(("peto",), f"{BASE}.OR")
    assert (peto["Hart & Sutherland 1977"], peto["TPT Madras 1980"]) == ("12.7%", "41.3%")


@pytest.mark.parametrize("order", [order for order in ORDERS if order[0] == "mh"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_subtotals_are_those_of_the_main_model(bcg, order, layout):
    table = table_of(bcg, order, f"{BASE}.by_allocation", layout)[0]
    rows = table[table["kind"].isin(["subgroup heading", "subgroup pooled"])]
    found = {
        heading.lower(): (row["estimate"], row["ci_lower"], row["ci_upper"])
        for heading, row in zip(rows["label"][::2], (r for _, r in rows.iloc[1::2].iterrows()), strict=True)
    }
    for name, values in REFERENCE["subtotals"]["RR_mh"].items():
        assert found[name] == pytest.approx(values, rel=1e-8)
    texts = set(
        table[table["kind"] == "subgroup pooled"]["effect"].str.replace(r"[^0-9.]+", " ", regex=True).str.strip()
    )
    assert texts == {"0.49 0.42 0.57", "0.70 0.64 0.78", "0.64 0.53 0.77"}
    test = table.loc[table["row_id"] == "test-subgroups", "label"].item()
    assert "14.78" in test and "Hartung-Knapp" not in test
    assert ("(mh: Mantel-Haenszel, common effect, Wald)" in test) == (layout == "reweigh")


def test_without_a_subgroup_column_there_is_a_plot_too(bcg):
    for names in ORDERS:
        tables, protocol = built(bcg, names, subgroups=())
        assert plot_ids(tables[0], protocol) == journal_plot_ids(tables[0])
        one = plot(BASE, *tables, protocol)
        draw_forest(forest_table(one.effects, one.pooled, one.subgroups, one.meta), one.meta)


def test_a_subgroup_column_without_rows_of_the_main_model_draws_the_plain_plot(bcg):
    (effects, pooled, subgroups, weights), protocol = built(bcg, ("mh", "reml"))
    only = subgroups[subgroups["model"] == "reml"]
    one = plot(f"{BASE}.by_allocation", effects, pooled, only, weights, protocol)
    table = forest_table(one.effects, one.pooled, one.subgroups, one.meta)
    assert "subgroup pooled" not in set(table["kind"]) and len(table[table["kind"] == "study"]) == 13


def test_the_bar_of_risk_of_bias_weighs_as_the_main_model(bcg):
    """All weight of a Mantel-Haenszel plot lies on TPT Madras and its like, 31.7% of it on that trial alone."""
    (effects, *_, weights), _ = built(bcg, ("mh", "reml"))
    tools = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())
    domains = [name for name, _ in tools["RoB 2"].domains] + ["overall"]
    judged = {"s08": "high", "s04": "some concerns"}
    rows = [(s, "RoB 2", d, judged.get(s, "low")) for s in effects["study_id"].unique() for d in domains]
    bias = read_risk_of_bias(pd.DataFrame(rows, columns=["study_id", "tool", "domain", "judgement"]), tools)
    mine = weights[(weights["model"] == "mh") & (weights["analysis"] == BASE)]
    told = weighted_bar(bias, "RoB 2", mine).description
    assert "High risk of bias 32%" in told and "Some concerns 16%" in told, told
