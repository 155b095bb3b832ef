"""The tables of the pool stage: models side by side, subgroups, the second engine that stops a run, few trials."""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reweigh.check import check
from reweigh.effects.selection import select
from reweigh.pool import summarise
from reweigh.pool.dependence import dependence_table
from reweigh.pool.engines import EngineDisagreement
from reweigh.pool.few_trials import bayes_table
from reweigh.pool.moderators import regression_table
from reweigh.pool.summarise import COLUMNS, engines_table, pooled_table, subgroup_table, sweep_table
from reweigh.protocol.read import load_checked

DATA = Path(__file__).parent.parent / "data"
NAMES = ("review.yaml", "studies.csv", "arms.csv", "contrasts.csv")


@cache
def review(name, change=lambda text: text):
    folder = DATA / name
    files = {n: (folder / n).read_bytes() for n in NAMES if (folder / n).exists()}
    files["review.yaml"] = change(files["review.yaml"].decode()).encode()
    tables, report = check(files, name)
    assert tables is not None, report
    protocol = load_checked(files["review.yaml"])
    return select(tables.studies, tables.arms, tables.contrasts, protocol), protocol


@pytest.fixture(scope="module")
def bcg():
    selection, protocol = review("bcg-vaccine")
    return selection.effects, protocol


@pytest.fixture(scope="module")
def ketamine():
    selection, protocol = review("ketamine-chronic-pain")
    return selection.effects, protocol


def test_models_stand_side_by_side_in_the_order_of_the_protocol(bcg):
    table = pooled_table(*bcg)
    assert tuple(table.columns) == COLUMNS
    first = table[table["analysis"] == "tuberculosis.end_of_follow_up"]
    assert list(first["model"]) == ["cochrane", "revman-classic", "REML, Wald", "Mantel-Haenszel, common effect"]
    # metafor: rma.mh(measure="RR") of dat.bcg prints 0.6353 [0.5881, 0.6862]
    mh = first.iloc[3]
    assert [round(mh[c], 4) for c in ("estimate_natural", "ci_lower_natural", "ci_upper_natural")] == [
        0.6353,
        0.5881,
        0.6862,
    ]


def test_mantel_haenszel_says_why_it_does_not_apply(ketamine):
    effects, protocol = ketamine
    models = ({"name": "MH", "tau2": "EE", "interval": "wald", "pooling": "mantel-haenszel"},)
    protocol = type(protocol).model_validate({**protocol.model_dump(by_alias=True), "models": models})
    effects = effects[effects["analysis"].isin(["responder.immediate", "pain_intensity.week_1"])]
    table = pooled_table(effects, protocol).set_index("analysis")
    note = table.loc["responder.immediate"].query("model == 'MH'")["note"].iloc[0]
    assert "parallel groups" in note
    assert table.loc["responder.immediate"].query("model == 'MH'")["estimate"].isna().all()
    assert "does not apply to SMD" in table.loc["pain_intensity.week_1"].query("model == 'MH'")["note"].iloc[0]


def test_both_engines_agree_on_every_headline_number(bcg, ketamine):
    for effects, protocol in (bcg, (ketamine[0][ketamine[0]["set"] == "main"], ketamine[1])):
        table = engines_table(effects, pooled_table(effects, protocol), protocol)
        assert len(table) > 30
        assert table["difference"].max() < 1e-9


@pytest.mark.parametrize("number", ["estimate", "se", "tau2", "i2", "ci_upper", "pi_lower", "q", "tau2_ci_upper"])
def test_a_broken_first_engine_stops_the_run(bcg, number):
    effects, protocol = bcg
    pooled = pooled_table(effects, protocol)
    pooled.loc[0, number] *= 1 + 1e-4
    with pytest.raises(EngineDisagreement):
        engines_table(effects, pooled, protocol)


def test_a_broken_second_engine_stops_the_run(bcg, monkeypatch):
    effects, protocol = bcg
    pooled = pooled_table(effects, protocol)
    monkeypatch.setattr("reweigh.pool.engines._tau2", lambda *_: 0.3)
    with pytest.raises(EngineDisagreement):
        engines_table(effects, pooled, protocol)


def test_the_engines_share_no_code():
    text = (Path(__file__).parent.parent / "src/reweigh/pool/engines.py").read_text()
    imports = [line.strip() for line in text.splitlines() if "import" in line and "reweigh" in line]
    # the only import is of the first engine, in the function that compares the two
    assert imports == ["from reweigh.pool.core import pool"]


def test_the_bayesian_model_stands_beside_up_to_five_trials(ketamine):
    effects, protocol = ketamine
    pooled, bayes = pooled_table(effects, protocol), bayes_table(effects, protocol).set_index("analysis")
    for analysis, group in pooled.groupby("analysis"):
        k = group["k"].iloc[0]
        there = "bayes" in set(group["model"])
        assert there == (2 <= k <= 5 and group["measure"].iloc[0] in protocol.bayes), analysis
        if there:
            row = group[group["model"] == "bayes"].iloc[0]
            assert row["estimate"] == bayes.loc[analysis, "mu_median"]
            assert row["ci_lower"] < row["estimate"] < row["ci_upper"]
            assert row["note"].startswith("prior: ")
            assert np.isnan(row["se"]) == ("posterior_heavy_tail" in row["note_codes"])
    week_4 = bayes.loc["pain_intensity.week_4"]
    assert 0 < week_4["p_important"] < week_4["p_better"] < 1


def test_subgroups_follow_the_order_of_the_protocol_and_count_their_tests(bcg):
    table = subgroup_table(*bcg)
    first = table[(table["analysis"] == "tuberculosis.end_of_follow_up.by_allocation") & (table["model"] == "cochrane")]
    assert list(first["subgroup"]) == ["Random", "Alternate", "Systematic"]
    assert first["k"].sum() == 13 and set(first["tests_made"]) == {1}


def test_meta_regression_refuses_too_few_trials_unless_told_otherwise():
    def stricter(text):
        return text.replace("below_minimum: go on", "below_minimum: refuse")

    selection, protocol = review("bcg-vaccine", stricter)
    table = regression_table(selection.effects, protocol)
    refused = table[table["regression"] == "latitude_and_allocation"]
    assert len(refused) == 1 and refused["estimate"].isna().all() and refused["note"].iloc[0] != ""
    latitude = table[table["coefficient"] == "absolute_latitude"].iloc[0]
    # metafor: rma(yi, vi, mods = ~ ablat, data = dat.bcg) prints -0.0291 for REML and R^2 75.62%
    assert round(latitude["estimate"], 4) == -0.0291 and round(latitude["r2"], 1) == 75.6


def test_dependent_effects_are_pooled_by_models_that_know_it():
    selection, protocol = review("spinal-manipulation-low-back-pain")
    table = dependence_table(selection.effects, protocol)
    published = table[table["analysis"] == "pain_intensity.month_1.published"].set_index("method")
    naive = published.loc["naive (published)"]
    assert [round(naive[c], 2) for c in ("estimate", "ci_lower", "ci_upper")] == [-3.17, -7.85, 1.51]
    assert (published["trials"] == 17).all() and published.loc["aggregated by trial", "k"] == 17
    assert published.loc["three-level model", "df"] == 16
    assert np.isfinite(published[["estimate", "se", "ci_lower", "ci_upper", "p_value"]].to_numpy(dtype=float)).all()


def test_no_dependence_table_where_every_trial_gives_one_effect(bcg):
    assert dependence_table(*bcg).empty


def test_the_sweep_at_the_protocols_correlation_is_the_main_analysis(ketamine):
    from reweigh.effects.pages import crossover_sweep

    selection, protocol = review("ketamine-chronic-pain")
    sweep = crossover_sweep(selection, protocol)
    pooled = sweep_table(selection.effects, sweep, protocol)
    effects = selection.effects[selection.effects["analysis"].isin(sweep["analysis"])]
    main = pooled_table(effects, protocol).drop_duplicates("analysis").set_index("analysis")
    own = pooled[pooled["protocol"] == "yes"].set_index("analysis")
    assert set(own.index) == set(sweep["analysis"])
    for analysis, row in own.iterrows():
        np.testing.assert_allclose(row["estimate"], main.loc[analysis, "estimate"], rtol=1e-9)
        np.testing.assert_allclose(row["se"], main.loc[analysis, "se"], rtol=1e-9)
    for _, trial in sweep[sweep["analysis"] == "responder.immediate"].groupby("study_id"):
        assert trial.sort_values("correlation")["se"].is_monotonic_decreasing
        assert (trial["correlation"] <= trial["limit"] + 1e-12).all()


def test_an_empty_review_gives_empty_tables():
    selection, protocol = review("bcg-vaccine")
    nothing = selection.effects.iloc[:0]
    assert pooled_table(nothing, protocol).empty and subgroup_table(nothing, protocol).empty
    assert engines_table(nothing, pooled_table(nothing, protocol), protocol).empty
    assert bayes_table(nothing, protocol).empty and regression_table(nothing, protocol).empty
    assert isinstance(dependence_table(nothing, protocol), pd.DataFrame)


def test_a_ratio_beyond_the_largest_number_is_infinite_and_raises_no_warning():
    row = summarise._natural({"estimate": 2.0, "ci_upper": 800.0}, "log", ("estimate", "ci_upper"))
    assert row["ci_upper_natural"] == np.inf and row["estimate_natural"] == pytest.approx(np.exp(2))
