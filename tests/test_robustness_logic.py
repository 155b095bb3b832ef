"""Fragility, subsets, as of a year, edge cases, multiverse: definitions checked by hand or by brute force."""

from itertools import combinations, product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reweigh.check import check
from reweigh.effects.selection import select
from reweigh.io import read_csv, write_csv
from reweigh.pool.core import pool
from reweigh.protocol.model import Option, Preference, Reading
from reweigh.protocol.models import PRESETS
from reweigh.protocol.read import load_checked
from reweigh.robustness import adjusted, multiverse, small_study, subsets, tables
from reweigh.robustness.as_of import as_of, restrict
from reweigh.robustness.conclusions import conclusions_table
from reweigh.robustness.removal import generic, influence, leave_one_out
from reweigh.sequential.cumulative import by_precision, cumulative
from reweigh.text.codes import code, join, words
from reweigh.text.robustness import SENTENCES

COCHRANE = PRESETS["cochrane"]
RNG = np.random.default_rng(20)


def trials(k, effect=0.4, spread=0.1):
    v = RNG.uniform(0.02, 0.3, k)
    return RNG.normal(effect, np.sqrt(v + spread)), v


def excludes(pooled):
    return bool(pooled.guarded_ci_lower[0] > 0 or pooled.guarded_ci_upper[0] < 0)


def brute_fragility(y, v, changed):
    """Smallest size of a removal after which `changed(pooled)` holds, and how many sets do it; None if none does."""
    k = len(y)
    for size in range(1, k - 1):
        sets = 0
        for removed in combinations(range(k), size):
            keep = np.delete(np.arange(k), removed)
            sets += changed(pool(y[keep], v[keep]))
        if sets:
            return size, sets
    return None


@pytest.mark.parametrize("seed", range(4))
def test_fragility_is_that_of_brute_force(seed):
    rng = np.random.default_rng(seed)
    v = rng.uniform(0.02, 0.3, 7)
    y = rng.normal(0.5, np.sqrt(v + 0.05))
    whole = pool(y, v)
    before = excludes(whole)
    rules = {
        "significance": lambda p: excludes(p) != before,
        "direction": lambda p: np.sign(p.estimate[0]) != np.sign(whole.estimate[0]),
        "important difference": lambda p: (p.estimate[0] >= 0.4) != (whole.estimate[0] >= 0.4),
    }
    for found in subsets.fragility(generic(y, v), COCHRANE, important=(-0.4, 0.4)):
        expected = brute_fragility(y, v, rules[found.criterion])
        if expected is None:
            assert found.verdict == "robust"
            assert found.size == len(y) - 1
            continue
        assert (found.verdict, found.size, found.sets) == ("changes", *expected)
        keep = np.delete(np.arange(7), found.removed)
        after = pool(y[keep], v[keep])
        assert rules[found.criterion](after)
        assert found.estimate == pytest.approx(after.estimate[0], rel=1e-12)


def test_fragility_ends_at_its_limit():
    y, v = np.linspace(0.9, 1.1, 12), np.full(12, 0.01)
    direction = next(f for f in subsets.fragility(generic(y, v), COCHRANE, limit=12 + 66) if f.criterion == "direction")
    assert (direction.verdict, direction.size, direction.tried) == ("at_least", 3, 78)


def test_a_remainder_of_one_trial_is_its_own_verdict():
    found = subsets.fragility(generic([0.2, 0.9], [0.1, 0.1]), COCHRANE, important=(-0.5, 0.5))
    assert {f.verdict for f in found} == {"one_left"}
    assert all("single trial remains" in words(f.reason, SENTENCES) for f in found)


def test_fragility_of_one_trial_and_without_important_difference():
    assert {f.verdict for f in subsets.fragility(generic([0.2], [0.1]), COCHRANE)} == {"not_applicable"}
    y, v = trials(5)
    found = {f.criterion: f for f in subsets.fragility(generic(y, v), COCHRANE)}
    assert found["important difference"].reason == "no_important_difference"


def test_every_subset_once_and_packing_keeps_them():
    y, v = trials(6)
    found = subsets.all_subsets(generic(y, v), COCHRANE)
    assert len(found.estimate) == 2**6 - 1 - 6 == len(np.unique(found.member, axis=0))
    content = subsets.pack({"a.b": found, "c": found})
    assert content == subsets.pack({"a.b": found, "c": found})
    back = subsets.unpack(content)
    assert set(back) == {"a.b", "c"}
    np.testing.assert_array_equal(back["a.b"].member, found.member)
    np.testing.assert_array_equal(back["a.b"].excludes, found.excludes)
    np.testing.assert_allclose(back["c"].estimate, found.estimate, rtol=1e-6)


def test_no_subset_has_a_bootstrap(monkeypatch):
    """It would take a sixth of a second for each of thousands of subsets, and none of them shows it."""

    def forbidden(*_):
        raise AssertionError("a bootstrap of a subset")

    monkeypatch.setattr("reweigh.pool.bootstrap.bootstrap_prediction", forbidden)
    data, model = generic(*trials(6)), COCHRANE.model_copy(update={"prediction_interval": "bootstrap"})
    found, plain = subsets.all_subsets(data, model), subsets.all_subsets(data, COCHRANE)
    np.testing.assert_array_equal(found.estimate, plain.estimate)
    assert [f.size for f in subsets.fragility(data, model)] == [f.size for f in subsets.fragility(data, COCHRANE)]
    assert np.isfinite(leave_one_out(data, model).estimate).all()


def test_beyond_sixteen_trials_a_seeded_sample():
    y, v = trials(18)
    one, same, other = (subsets.all_subsets(generic(y, v), COCHRANE, sample=500, seed=s) for s in (3, 3, 4))
    assert not one.complete
    assert len(np.unique(one.member, axis=0)) == 500
    assert one.member.sum(axis=1).min() >= 2
    np.testing.assert_array_equal(one.member, same.member)
    assert not np.array_equal(one.member, other.member)


def test_the_trial_that_splits_the_cloud():
    y = np.array([0.0, 0.1, -0.1, 0.05, 3.0])
    found = subsets.split(subsets.all_subsets(generic(y, np.full(5, 0.05)), COCHRANE))
    assert int(np.argmax(found.share)) == 4
    subset = subsets.all_subsets(generic(y, np.full(5, 0.05)), COCHRANE)
    assert found.mean_with[4] == pytest.approx(subset.estimate[subset.member[:, 4]].mean())
    assert found.mean_without[4] == pytest.approx(subset.estimate[~subset.member[:, 4]].mean())


@pytest.mark.parametrize("k", [0, 1, 2])
def test_few_trials_give_reasons(k):
    y, v = np.arange(k) / 2.0, np.full(k, 0.1)
    assert influence(generic(y, v), COCHRANE).reason
    assert subsets.all_subsets(generic(y, v), COCHRANE).reason
    assert small_study.egger(y, v).reason
    assert small_study.begg(y, v).reason
    assert adjusted.trim_and_fill(generic(y, v), COCHRANE).reason
    assert adjusted.pet_peese(y, v).reason
    assert adjusted.selection_model(y, v).reason
    assert adjusted.limit_meta(generic(y, v), COCHRANE).reason
    assert len(leave_one_out(generic(y, v), COCHRANE).k) == k


def test_all_equal_effects_or_variances_give_reasons():
    same, vary = np.full(5, 0.3), np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    assert influence(generic(same, vary), COCHRANE).reason
    assert adjusted.trim_and_fill(generic(same, vary), COCHRANE).reason
    assert small_study.egger(vary, same).reason
    assert small_study.begg(vary, same).reason
    assert adjusted.limit_meta(generic(vary, same), COCHRANE).reason
    assert small_study.egger(same, vary).reason


def test_impossible_input_is_refused():
    with pytest.raises(ValueError, match="order"):
        cumulative(generic([0.1, 0.2], [0.1, 0.1]), COCHRANE, [0, 0])
    with pytest.raises(ValueError, match="variance"):
        small_study.egger([0.1, 0.2, 0.3], [0.1, -0.1, 0.1])
    with pytest.raises(ValueError, match="trial 1"):
        small_study.harbord([1, 9, 1], [5, 5, 5], [1, 1, 1], [5, 5, 5])
    with pytest.raises(ValueError, match="needs ni"):
        small_study.regression_test([0.1, 0.2, 0.3], [0.1, 0.2, 0.1], predictor="ni")


def test_order_by_precision_breaks_ties_by_study_id():
    assert by_precision([0.2, 0.1, 0.2, 0.1], ["b", "d", "a", "c"]).tolist() == [3, 1, 2, 0]


def test_turning_the_sign_turns_the_results():
    y, v = trials(12)
    for estimator in ("L0", "R0"):
        one, two = (adjusted.trim_and_fill(generic(s * y, v), COCHRANE, estimator=estimator) for s in (1, -1))
        assert one.k0 == two.k0
        assert {one.side, two.side} == {"left", "right"}
        assert one.pooled.estimate[0] == pytest.approx(-two.pooled.estimate[0], rel=1e-9)
    one, two = adjusted.selection_model(y, v), adjusted.selection_model(-y, v, alternative="less")
    assert one.estimate == pytest.approx(-two.estimate, rel=1e-7)
    assert small_study.egger(y, v).p_value == pytest.approx(small_study.egger(-y, v).p_value, rel=1e-9)
    for method in ("Rosenthal", "Orwin", "Rosenberg"):
        assert adjusted.fail_safe_n(y, v, method=method).n == adjusted.fail_safe_n(-y, v, method=method).n


def test_as_of_a_year_leaves_out_later_and_undated_trials():
    studies = pd.DataFrame({"study_id": ["b", "a", "c", "d"], "year": [2018, 2019, np.nan, 2010]})
    known, left = as_of(studies, 2018)
    assert known["study_id"].tolist() == ["b", "d"]
    assert left["study_id"].tolist() == ["a", "c"]
    assert left["reason"].tolist() == ["published after 2018", "no year: left out of every analysis as of a year"]
    rows = pd.DataFrame({"study_id": ["a", "b", "c"], "x": [1, 2, 3]})
    assert restrict(studies, rows, rows, 2018)[1]["x"].tolist() == [2]


def product_builder(options):
    """Three data sets: the second choice makes no difference, and one option has no data."""
    if options["set"] == "none":
        return "no_usable_result"
    y = np.array([-0.5, -0.2, -0.8]) if options["set"] == "all" else np.array([-0.5])
    return multiverse.Dataset(generic(y, np.full(len(y), 0.05), "SMD"), -1, (-0.5, 0.5))


def test_multiverse_runs_each_distinct_analysis_once():
    choices = {"set": ["all", "one", "none"], "idle": ["x", "y"], "tau2": ["REML", "DL"], "interval": ["wald", "t"]}
    found = multiverse.run(choices, product_builder)
    assert len(found.specifications) == 3 * 2 * 2 * 2
    # four models of "all", one each of "one" and "none"
    assert len(found.analyses) == 6
    for row in found.specifications.to_dict("records"):
        analysis = found.analyses.iloc[row["analysis"]]
        if row["set"] == "all":
            expected = pool([-0.5, -0.2, -0.8], [0.05] * 3, tau2_method=row["tau2"], ci_method=row["interval"])
            assert analysis["estimate"] == pytest.approx(expected.estimate[0])
            assert analysis["ci_upper"] == pytest.approx(expected.ci_upper[0])
            assert analysis["benefit"] == pytest.approx(expected.estimate[0] / -0.5)
        elif row["set"] == "none":
            assert analysis["reason_code"] == "no_usable_result"
    shares = multiverse.shares(found).set_index("statement")
    assert (shares.loc["better", "holds"], shares.loc["better", "of"]) == (5, 5)
    # -0.5 is at the smallest important difference: it counts as reached, in all five
    assert shares.loc["exceeds_important", "holds"] == 5


def test_which_choice_moves_the_answer_most():
    def build(options):
        shift = {"a": 0.0, "b": 1.0}[options["big"]] + {"a": 0.0, "b": 0.1}[options["small"]]
        return multiverse.Dataset(generic([0.5 + shift, 0.7 + shift], [0.1, 0.1], "MD"), 1, (-1.0, 1.0))

    found = multiverse.run({"small": "ab", "big": "ab", "tau2": ["REML"], "interval": ["wald"]}, build)
    moved = multiverse.moves(found)
    assert moved["choice"].tolist()[:2] == ["big", "small"]
    assert moved["range"].tolist()[:2] == pytest.approx([1.0, 0.1])


@pytest.mark.parametrize(("sign", "benefit", "exceeds"), [(-1, 0.5 / 0.3, True), (1, -0.5 / 0.8, False)])
def test_the_important_bound_is_that_of_a_benefit(sign, benefit, exceeds):
    """Bounds -0.3 and 0.8 around an estimate of -0.5: beyond the one where lower is better, harm where higher is."""
    data = multiverse.Dataset(generic([-0.5, -0.5], [0.1, 0.2], "MD"), sign, (-0.3, 0.8))
    found = multiverse.run({"tau2": ["REML"], "interval": ["wald"]}, lambda _: data)
    assert found.unit == "smallest important differences"
    assert found.analyses["benefit"].iloc[0] == pytest.approx(benefit)
    assert found.analyses["exceeds_important"].tolist() == [exceeds]
    assert found.analyses["better"].tolist() == [sign < 0]


def test_multiverse_refuses_impossible_choices():
    with pytest.raises(ValueError, match="interval"):
        multiverse.run({"tau2": ["REML"]}, product_builder)
    with pytest.raises(ValueError, match="each once"):
        multiverse.run({"tau2": ["DL", "DL"], "interval": ["wald"]}, product_builder)


REVIEW = Path(__file__).parent.parent / "data" / "ketamine-chronic-pain"


@pytest.fixture(scope="module")
def ketamine(tmp_path_factory):
    """Protocol and checked tables of the real review, as the check stage hands them on."""
    files = {p.name: p.read_bytes() for p in REVIEW.iterdir() if p.name in TABLES}
    tables, report = check(files, REVIEW.name)
    assert tables is not None, report
    folder = tmp_path_factory.mktemp("checked")
    out = []
    for name in ("studies", "arms", "contrasts"):
        write_csv(getattr(tables, name), folder / f"{name}.csv")
        out.append(read_csv(folder / f"{name}.csv"))
    return load_checked(files["review.yaml"]), *out


TABLES = ("review.yaml", "studies.csv", "arms.csv", "contrasts.csv", "risk_of_bias.csv", "published.csv")


WEEK_4 = {
    "measure": {"SMD": Option(measure="SMD"), "MD": Option(measure="MD")},
    "trials": {
        "main": Option(),
        "combinations": Option(include={"ketamine_alone": ("yes", "no")}),
        "no_concern": Option(exclude={"integrity": ("concern",)}),
    },
    "correlation": {"0.5": Option(crossover_correlation=0.5), "0.7": Option(crossover_correlation=0.7)},
    "time": {"nearest": Option(time="nearest"), "earliest": Option(time="earliest"), "latest": Option(time="latest")},
    "direction": {"out": Option(), "for": Option(unknown_direction="favours_intervention")},
    "zero_cells": {"only0": Option(zero_cells="only0"), "all": Option(zero_cells="all")},
    "sigtermans": {
        "se": Option(),
        "sd": Option(readings=(Reading(study="sigtermans2009", outcome="pain_intensity", use="sd"),)),
    },
    "pickering": {
        "contrast": Option(),
        "means": Option(
            preferences=(Preference(study="pickering2020", outcome="pain_intensity", use="arms", reason="test"),)
        ),
    },
    "tau2": {"REML": Option(tau2="REML"), "DL": Option(tau2="DL")},
    "interval": {"hk": Option(interval="hartung-knapp"), "wald": Option(interval="wald")},
}


def ask(protocol, studies, arms, contrasts, outcome, window, options, monkeypatch):
    monkeypatch.setattr(multiverse, "choices_of", lambda p, o: options)
    return multiverse.multiverse_of(studies, arms, contrasts, protocol, outcome, window)


@pytest.mark.slow
def test_ketamine_multiverse_is_select_on_changed_protocols(ketamine, monkeypatch):
    """Every combination against `select()` on a protocol that a person would have written for it."""
    protocol, studies, arms, contrasts = ketamine
    found, inert = ask(protocol, studies, arms, contrasts, "pain_intensity", "week_4", WEEK_4, monkeypatch)
    assert {"zero_cells", "sigtermans"} <= set(inert)
    assert {"measure", "trials", "direction"} <= set(found.choices)
    rng = np.random.default_rng(5)
    some = rng.choice(len(found.specifications), 25, replace=False)
    for live in found.specifications.iloc[some].to_dict("records"):
        # A choice that makes no difference stands at any of its options.
        row = {name: list(options)[-1] for name, options in WEEK_4.items()} | live
        main = protocol.sets["main"].model_dump()
        main["include"] |= {"combinations": {"ketamine_alone": ("yes", "no")}}.get(row["trials"], {})
        main["exclude"] |= {"no_concern": {"integrity": ("concern",)}}.get(row["trials"], {})
        main["unknown_direction"] = {"out": None, "for": "favours_intervention"}[row["direction"]]
        window = protocol.windows["week_4"].model_dump(by_alias=True)
        window["nominal"] = {"nearest": 28.0, "earliest": window["from"], "latest": window["below"]}[row["time"]]
        text = protocol.model_dump(by_alias=True)
        text["outcomes"]["pain_intensity"] |= {"measure": row["measure"], "also": ()}
        text["sets"] = {"main": main}
        text["windows"]["week_4"] = window
        text["assumptions"]["crossover_correlation"] = float(row["correlation"])
        if row["pickering"] == "means":
            text["preferences"] = [dict(p, use="arms") for p in text["preferences"]]
        changed = type(protocol).model_validate(text)
        effects = select(studies, arms, contrasts, changed).effects
        mine = effects[effects["analysis"] == "pain_intensity.week_4"]
        analysis = found.analyses.iloc[row["analysis"]]
        assert analysis["k"] == len(mine)
        if len(mine):
            expected = pool(mine["estimate"], mine["variance"], tau2_method=row["tau2"], ci_method=row["interval"])
            assert analysis["estimate"] == pytest.approx(expected.estimate[0], rel=1e-9)
            assert analysis["ci_upper"] == pytest.approx(expected.ci_upper[0], rel=1e-6)


def test_choices_without_a_multiverse_come_from_the_sets_and_models(ketamine):
    protocol = ketamine[0].model_copy(update={"multiverse": None})
    found = multiverse.choices_of(protocol, "pain_intensity")
    direction = next(o for o in found.values() if "unknown_direction_favours_control" in o)
    assert set(direction) == {"main", "unknown_direction_favours_ketamine", "unknown_direction_favours_control"}
    assert set(found["measure"]) == {"SMD", "MD"}
    assert set(found["tau2"]) == {"REML", "DL"}
    assert set(found["interval"]) == {"hartung-knapp", "wald"}


@pytest.mark.slow
@pytest.mark.parametrize(("outcome", "window"), [("pain_intensity", "week_4"), ("responder", "immediate")])
def test_the_main_analysis_is_one_of_the_multiverse(ketamine, outcome, window):
    protocol, studies, arms, contrasts = ketamine
    found, _ = multiverse.multiverse_of(studies, arms, contrasts, protocol, outcome, window)
    effects = select(studies, arms, contrasts, protocol).effects
    mine = effects[effects["analysis"] == f"{outcome}.{window}"]
    expected = pool(mine["estimate"], mine["variance"])
    first = found.analyses.iloc[found.specifications["analysis"].iloc[0]]
    assert first["estimate"] == pytest.approx(expected.estimate[0], rel=1e-9)
    assert first["p_value"] == pytest.approx(expected.p_value[0], rel=1e-6)


def test_an_unlabelled_figure_read_the_other_way():
    arms = pd.DataFrame(
        {"study_id": ["a", "a", "b"], "outcome": "pain", "sd": [np.nan, 2.0, np.nan], "se": [0.5, np.nan, 0.7]}
    )
    read = multiverse.read_as(arms, "a", "pain", "sd")
    assert read["sd"].tolist()[:2] == [0.5, 2.0]
    assert np.isnan(read["se"].iloc[0])
    assert read["se"].iloc[2] == 0.7
    assert np.isnan(arms["sd"].iloc[0])


@pytest.mark.slow
def test_tables_of_the_real_review_say_why_where_there_is_nothing(ketamine):
    protocol, studies, arms, contrasts = ketamine
    effects = select(studies, arms, contrasts, protocol).effects
    every = set(effects["analysis"])
    summary, stored = tables.subset_tables(effects, protocol)
    made = {
        "leave_one_out": tables.leave_one_out_table(effects, protocol),
        "cumulative": tables.cumulative_table(effects, protocol),
        "influence": tables.influence_table(effects, protocol),
        "subsets": summary,
        "fragility": tables.fragility_table(effects, protocol),
        "small_study": tables.small_study_table(effects, protocol),
    }
    for name, table in made.items():
        assert set(table["analysis"]) == every, name
        numbers = table.drop(
            columns=[*tables.IDENTITY, "k", "note", "note_codes", "method", "verdict", "verdict_code"], errors="ignore"
        )
        empty = numbers.isna().all(axis=1)
        assert (table.loc[empty, "note"].str.len() > 10).all(), name
    assert set(stored) == {a for a, g in effects.groupby("analysis") if len(g) >= 3} & set(stored)
    below = made["small_study"].loc[made["small_study"]["analysis"] == "responder.immediate"]
    assert below["note"].str.contains("below 10").all()
    asked = tables.small_study_table(effects, protocol, minimum=3)
    mine = asked[asked["analysis"] == "responder.immediate"].set_index("method")
    group = effects[effects["analysis"] == "responder.immediate"]
    ours = small_study.egger(group["estimate"], group["variance"])
    assert mine.loc["Egger", "p_value"] == pytest.approx(ours.p_value)
    assert mine.loc["fail-safe N (Rosenthal)", "note_codes"] == adjusted.FAIL_SAFE_WARNING
    flat = tables.small_study_table(effects.assign(estimate=0.0), protocol, minimum=3).set_index("method")
    orwin = flat[flat["analysis"] == "responder.immediate"].loc["fail-safe N (Orwin)"]
    assert np.isnan(orwin["fail_safe_n"]) and "no_mean_to_undo" in orwin["note_codes"]
    _, multi, _ = tables.multiverse_tables(studies, arms, contrasts, protocol, effects)
    said = conclusions_table(made | {"multiverse_summary": multi}).set_index("analysis")
    first, second = said.loc["responder.immediate", ["fragility", "alternatives"]]
    row = made["fragility"].query("analysis == 'responder.immediate' and criterion == 'significance'").iloc[0]
    assert all(name in first for name in row["labels"].split(", "))
    assert "32 of 32" in second or "of the distinct" in second.lower()
    assert set(said.index) == every
    for text in (*said["fragility"], *said["alternatives"]):
        assert text.endswith(".")
        assert len(text) > 20


def test_product_order_of_the_benchmark_engine():
    """Row order of the specifications is that of the product of the options, data choices first."""
    choices = {"set": ["all", "one"], "tau2": ["REML", "DL"], "interval": ["wald", "t"]}
    found = multiverse.run(choices, product_builder)
    rows = list(found.specifications[["set", "tau2", "interval"]].itertuples(index=False, name=None))
    assert rows == list(product(*choices.values()))


def fragility_rows(*rows):
    """Rows of fragility.csv: criterion, verdict, size, labels, sets, before, after."""
    names = ("criterion", "verdict_code", "size", "removed_codes", "sets", "before_code", "after_code")
    made = [dict(zip(names, row, strict=True)) for row in rows]
    for row in made:
        labels = row["removed_codes"]
        row["removed_codes"] = join(code("trial", id=f"s{i}", label=label) for i, label in enumerate(labels))
    return pd.DataFrame(made).assign(analysis="a", note_codes="")


def said_of(fragility, small_study=None, summary=None, without=()):
    """Both sentences of one analysis."""
    small = pd.DataFrame([{"method": "Egger", "p_value": 0.5, "note_codes": ""} | (small_study or {})])
    tables = {
        "fragility": fragility,
        "small_study": small.assign(analysis="a"),
        "leave_one_out": pd.DataFrame({"label": list(without)}).assign(analysis="a"),
        "multiverse_summary": pd.DataFrame(summary or [], columns=["kind", "name", "holds", "of", "range"]).assign(
            analysis="a"
        ),
    }
    return conclusions_table(tables).loc[0, ["fragility", "alternatives"]].tolist()


SIGNIFICANT = ("significance", "robust", 4, (), 0, "excludes_no_effect", "")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            [("significance", "changes", 2, ("Hart, Smith 1977", "Dole; Roe 1980"), 3, "excludes_no_effect",
              "includes_no_effect"),
             ("direction", "changes", 4, ("A", "B", "C", "D"), 1, "below", "above"),
             ("important difference", "not_applicable", 5, (), 0, "", "")],
            "The interval excludes no effect, until Hart, Smith 1977 and Dole; Roe 1980 are left out (one of 3 such "
            "sets): then the interval includes no effect; the direction takes the removal of 4 trials to change.",
        ),
        (
            [("significance", "changes", 1, ("A 1977",), 1, "includes_no_effect", "excludes_no_effect"),
             ("direction", "robust", 4, (), 0, "below", ""),
             ("important difference", "changes", 3, ("A", "B", "C"), 2, "short", "important_below")],
            "The interval includes no effect, until A 1977 is left out: then the interval excludes no effect; the "
            "direction never changes; the side of the smallest important difference changes without A, B and C.",
        ),
        (
            [("significance", "at_least", 9, (), 0, "excludes_no_effect", ""),
             ("direction", "at_least", 9, (), 0, "above", ""),
             ("important difference", "robust", 9, (), 0, "short", "")],
            "The interval excludes no effect, and no removal of fewer than 9 trials changes that; the direction holds "
            "against every removal of fewer than 9 trials; the side of the smallest important difference never changes.",
        ),
        (
            [("significance", "one_left", 1, (), 0, "includes_no_effect", ""), ("direction", "one_left", 1, (), 0, "at", "")],
            "The interval includes no effect; without A or B a single trial remains, so nothing pooled is left to "
            "compare with.",
        ),
        ([SIGNIFICANT], "The interval excludes no effect, and no removal that leaves two trials changes that."),
    ],
)  # fmt: skip
def test_the_sentence_on_fragility(rows, sentence):
    assert said_of(fragility_rows(*rows), without=("A", "B"))[0] == sentence


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"p_value": 0.0999}, "Egger's test shows funnel plot asymmetry (P = 0.10)"),
        ({"p_value": 0.1}, "Egger's test shows no clear funnel plot asymmetry (P = 0.10)"),
        ({"p_value": np.nan, "note_codes": "exact_fit"},
         "Egger's test is not possible (the regression fits the effects exactly: no standard error)"),
        ({"method": "all", "note_codes": "below_minimum k=1 minimum=10"}, "Small-study effects were not tested (1 trial)"),
        ({"method": "x", "note_codes": "same_as analysis=a.b"},
         "Small-study effects were not tested (the same trials and effects as a.b)"),
    ],
)  # fmt: skip
def test_the_sentence_on_small_study_effects(row, words):
    assert said_of(fragility_rows(SIGNIFICANT), row)[1] == f"{words}."


def test_the_sentence_on_the_multiverse():
    summary = [
        ("statement", "better", 1200, 1500, np.nan), ("statement", "excludes_no_effect", 7, 8, np.nan),
        ("statement", "better_and_excludes", 3, 1400, np.nan), ("statement", "exceeds_important", 0, 0, np.nan),
        ("choice", "time_in_window", np.nan, np.nan, 0.4), ("choice", "tau2", np.nan, np.nan, 0.2),
    ]  # fmt: skip
    assert said_of(fragility_rows(SIGNIFICANT), summary=summary)[1].startswith(
        "Of the distinct defensible analyses 1,200 of 1,500 favour the intervention, 3 of 1,400 do so with an interval "
        "that excludes no effect, most moved by the choice of time in window; Egger's test"
    )
    # Nothing that can be said and nothing that moves anything.
    nothing = [("statement", n, 0, 0, np.nan) for n in multiverse.STATEMENTS] + [
        ("choice", "tau2", np.nan, np.nan, 0.0)
    ]
    assert said_of(fragility_rows(SIGNIFICANT), summary=nothing)[1].startswith("Egger's test")
