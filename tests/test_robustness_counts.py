"""Robustness of Mantel-Haenszel and Peto main models: every table against metafor's rma.mh and rma.peto."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reweigh.check import check
from reweigh.figures.robustness import robustness_figures
from reweigh.io import read_csv, write_csv
from reweigh.pool.binary import mantel_haenszel, peto
from reweigh.pool.refit import Trials, trials_of
from reweigh.protocol.model import Multiverse, Robustness
from reweigh.protocol.models import PRESETS, Model
from reweigh.protocol.read import load_checked
from reweigh.robustness import tables
from reweigh.robustness.adjusted import limit_meta
from reweigh.robustness.conclusions import conclusions_table
from reweigh.robustness.multiverse import Dataset, run
from reweigh.robustness.removal import generic, leave_one_out
from reweigh.robustness.subsets import fragility
from reweigh.sequential.cumulative import cumulative
from reweigh.text.codes import parse

REFERENCE = json.loads((Path(__file__).parent / "reference" / "robustness_counts.json").read_text())
CASES = [(n, m, how) for n in ("bcg", "nielweise2007") for m, fits in REFERENCE[n]["models"].items() for how in fits]
NAMES = {"estimate": "estimate", "se": "se", "p_value": "pval", "ci_lower": "ci.lb", "ci_upper": "ci.ub", "q": "Q"}
REVIEW = Path(__file__).parent.parent / "data" / "bcg-vaccine"


def model_of(how):
    """metafor's variance of the risk difference is Sato's."""
    if how == "peto":
        return Model(name="Peto", tau2="EE", interval="wald", pooling="peto")
    chosen = {"pooling": "mantel-haenszel", "mantel_haenszel": how, "rd_variance": "sato"}
    return Model(name=f"M-H {how}", tau2="EE", interval="wald", **chosen)


def effects_of(name, measure):
    """Rows of effects.csv of one data set, as the effects stage makes them."""
    d = REFERENCE[name]
    k = len(d["ai"])
    given = d["effects"][measure]
    return pd.DataFrame(
        {
            "analysis": "tuberculosis.end_of_follow_up", "outcome": "tuberculosis", "window": "end_of_follow_up",
            "measure": measure, "set": "main", "study_id": [f"s{i:02d}" for i in range(k)],
            "comparison_id": [f"s{i:02d}" for i in range(k)], "label": [f"Trial, number {i}" for i in range(k)],
            "year": range(1950, 1950 + k), "design": "parallel", "scale": "natural" if measure == "RD" else "log",
            "events_intervention": d["ai"], "n_intervention": d["n1i"], "events_control": d["ci"],
            "n_control": d["n2i"], "estimate": given["yi"], "variance": given["vi"],
        }
    )  # fmt: skip


def protocol_with(*models, **update):
    protocol = load_checked((REVIEW / "review.yaml").read_bytes())
    return protocol.model_copy(update={"models": models, **update})


def informative(name, measure):
    """Positions of the trials that metafor keeps: a trial without events says nothing on a ratio."""
    d = REFERENCE[name]
    return [i for i in range(len(d["ai"])) if measure == "RD" or d["ai"][i] + d["ci"][i] > 0]


def agree(ours, theirs):
    # metafor computes the same sums; 1e-9 leaves room for their order.
    np.testing.assert_allclose(ours, np.array(theirs, dtype=float), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("name", "measure", "how"), CASES)
def test_leave_one_out_and_cumulative_are_those_of_metafor(name, measure, how):
    trials, model = trials_of(effects_of(name, measure)), model_of(how)
    at, expected = informative(name, measure), REFERENCE[name]["models"][measure][how]
    without = leave_one_out(trials, model)
    growing = cumulative(trials, model, range(len(trials.yi)))
    for mine, theirs in NAMES.items():
        agree(getattr(without, mine)[at], expected["leave1out"][theirs])
        # Of one trial metafor says Q = 0.
        some = np.flatnonzero((growing.k[at] >= 2) | (mine != "q"))
        agree(getattr(growing, mine)[at][some], np.array(expected["cumul"][theirs], dtype=float)[some])
    # Without the uninformative trial nothing changes.
    for i in set(range(len(trials.yi))) - set(at):
        assert without.estimate[i] == pytest.approx(expected["whole"]["estimate"], rel=1e-9)


@pytest.mark.parametrize(("name", "measure", "how"), CASES)
def test_every_table_holds_the_numbers_of_its_model_or_says_why_not(name, measure, how):
    effects, model = effects_of(name, measure), model_of(how)
    protocol = protocol_with(model)
    at, expected = informative(name, measure), REFERENCE[name]["models"][measure][how]
    made = {
        "leave_one_out": tables.leave_one_out_table(effects, protocol),
        "cumulative": tables.cumulative_table(effects, protocol),
        "influence": tables.influence_table(effects, protocol),
        "fragility": tables.fragility_table(
            effects, protocol.model_copy(update={"robustness": Robustness(removals=200)})
        ),
        "small_study": tables.small_study_table(effects, protocol),
    }
    for table in made.values():
        assert set(table["model"]) == {model.name}
    without = made["leave_one_out"].iloc[at]
    for mine, theirs in NAMES.items():
        agree(without[mine], expected["leave1out"][theirs])
    by_year = made["cumulative"].query("order == 'year'").iloc[at]
    agree(by_year["estimate"], expected["cumul"]["estimate"])
    # A trial without events is no trial of a ratio.
    assert set(without["k"]) == {len(at) - 1}
    precise = made["cumulative"].query("order == 'precision'")
    assert precise["added"].iloc[0] == effects.loc[effects["variance"].idxmin(), "comparison_id"]
    assert by_year["added"].tolist() == effects["comparison_id"].iloc[at].tolist()
    # The interval of these models is its own guarded one.
    for table in (without, by_year):
        for bound in ("lower", "upper"):
            agree(table[f"guarded_ci_{bound}"], table[f"ci_{bound}"])
            back = np.asarray if measure == "RD" else np.exp
            agree(table[f"guarded_ci_{bound}_natural"], back(table[f"ci_{bound}"]))
    reason = f"not_for_pooling pooling={model.pooling}"
    assert made["influence"]["note_codes"].tolist() == [reason]
    assert made["influence"]["note"].tolist()[0] in ("not for Mantel-Haenszel", "not for Peto's method")
    adjusted = made["small_study"][made["small_study"]["note_codes"] == reason]
    names = {"trim and fill", "PET-PEESE", "selection model", "limit meta-analysis", "fail-safe N"}
    assert set(adjusted["method"]) == names
    assert not {"PET", "PEESE"} & set(made["small_study"]["method"])
    assert adjusted[[c for c in adjusted if c.endswith(("estimate", "ci_lower", "p_value"))]].isna().all(axis=None)
    assert made["small_study"].set_index("method").loc["Egger", "p_value"] > 0
    last = expected["whole"]
    excludes = last["ci.lb"] > 0 or last["ci.ub"] < 0
    assert made["fragility"]["before_code"].iloc[0] == ("excludes_no_effect" if excludes else "includes_no_effect")


def test_without_aronson_as_printed():
    table = tables.leave_one_out_table(effects_of("bcg", "RR"), protocol_with(model_of("exact")))
    row = table.iloc[0]
    shown = [f"{row[f'{n}_natural']:.3f}" for n in ("estimate", "ci_lower", "ci_upper")]
    assert shown == ["0.637", "0.589", "0.688"]


@pytest.mark.parametrize(("how", "pooled"), [("exact", mantel_haenszel), ("peto", peto)])
def test_fragility_is_that_of_brute_force(how, pooled):
    d = REFERENCE["nielweise2007"]
    counts = np.array([d[n] for n in ("ai", "n1i", "ci", "n2i")], dtype=float)[:, :8]
    group = effects_of("nielweise2007", "OR").iloc[:8]
    options = {} if how == "peto" else {"measure": "OR"}

    def excludes(keep):
        p = pooled(*counts[:, list(keep)], **options)
        return bool(p.ci_lower[0] > 0 or p.ci_upper[0] < 0)

    start = excludes(range(8))
    for size in range(1, 7):
        sets = [r for r in combinations(range(8), size) if excludes(set(range(8)) - set(r)) != start]
        if sets:
            break
    found = fragility(trials_of(group), model_of(how))[0]
    assert (found.verdict, found.size, found.sets) == ("changes", size, len(sets))
    assert found.removed in sets


def test_a_removal_that_leaves_nothing_to_estimate_changes_nothing():
    """Without the one trial with events in the control arm there is no odds ratio."""
    counts = np.array([[2, 1, 3, 4], [50] * 4, [0, 0, 0, 9], [50] * 4], dtype=float)
    trials = Trials("OR", np.zeros(4), np.ones(4), counts)
    direction = next(f for f in fragility(trials, model_of("exact")) if f.criterion == "direction")
    assert (direction.before, direction.verdict) == ("above", "robust") or direction.verdict == "changes"
    if direction.verdict == "changes":
        assert np.isfinite(direction.estimate)
        assert 3 not in direction.removed


def test_counts_that_cannot_be_pooled_are_a_reason_in_every_table():
    effects, protocol = effects_of("bcg", "RR"), protocol_with(model_of("exact"))
    effects.loc[3, "design"] = "crossover"
    made = [getattr(tables, f"{n}_table")(effects, protocol) for n in ("leave_one_out", "cumulative", "influence")]
    made += [getattr(tables, f"{n}_table")(effects, protocol) for n in ("fragility", "small_study")]
    summary, stored = tables.subset_tables(effects, protocol)
    assert stored == {}
    for table in [*made, summary]:
        assert table["note_codes"].tolist() == ["pooling_needs_counts pooling=mantel-haenszel"]
        assert len(table["note"].iloc[0]) > 20
        assert "estimate" not in table or table["estimate"].isna().all()
    assert list(robustness_figures(effects, protocol, {}, {})) == []


def test_figures_and_subsets_are_of_the_model():
    effects = effects_of("nielweise2007", "OR").iloc[:9]
    protocol, trials = protocol_with(model_of("exact")), trials_of(effects)
    summary, stored = tables.subset_tables(effects, protocol)
    cloud = stored["tuberculosis.end_of_follow_up"]
    for row in (0, 100, 400):
        inside = cloud.member[row]
        expected = mantel_haenszel(*trials.counts[:, inside], measure="OR")
        agree(cloud.estimate[row], expected.estimate[0])
        assert cloud.excludes[row] == (expected.ci_lower[0] > 0 or expected.ci_upper[0] < 0)
    assert summary["excludes_no_effect"].iloc[0] == pytest.approx(100 * cloud.excludes.mean())
    assert np.ptp(cloud.i2) > 10
    # Tuberculosis: lower is better.
    assert 50 < summary["better"].iloc[0] == pytest.approx(100 * (cloud.estimate < 0).mean())
    kinds = {one.kind for one in robustness_figures(effects, protocol, stored, {})}
    assert {"leave_one_out", "cumulative", "drapery", "labbe", "funnel", "radial", "gosh"} <= kinds
    assert not {"influence", "baujat"} & kinds


@pytest.fixture(scope="module")
def bcg(tmp_path_factory):
    """Protocol and checked tables of the real review."""
    files = {p.name: p.read_bytes() for p in REVIEW.iterdir() if p.suffix in (".csv", ".yaml")}
    checked, report = check(files, REVIEW.name)
    assert checked is not None, report
    folder, out = tmp_path_factory.mktemp("checked"), []
    for name in ("studies", "arms", "contrasts"):
        write_csv(getattr(checked, name), folder / f"{name}.csv")
        out.append(read_csv(folder / f"{name}.csv"))
    return out


def test_multiverse_of_a_mantel_haenszel_review(bcg):
    protocol = protocol_with(model_of("exact"), PRESETS["revman-classic"])
    effects = effects_of("bcg", "RR")
    rows, summary, found = tables.multiverse_tables(*bcg, protocol, effects)
    mine = found["tuberculosis.end_of_follow_up"]
    assert set(mine.choices["pooling"]) == {"mantel-haenszel", "inverse variance"}
    exact = rows.query("pooling == 'mantel-haenszel' and tau2_method == 'EE' and measure == 'RR'")
    agree(exact["estimate"], [REFERENCE["bcg"]["models"]["RR"]["exact"]["whole"]["estimate"]] * len(exact))
    other = rows.query("pooling == 'inverse variance' and tau2_method == 'EE' and measure == 'RR'")
    assert (abs(other["estimate"] - exact["estimate"].iloc[0]) > 0.01).all()
    assert "pooling" in set(summary.query("kind == 'choice'")["name"])


def test_a_model_that_does_not_exist_is_a_reason():
    trials = trials_of(effects_of("bcg", "RR"))
    choices = {"tau2": ["REML", "EE"], "interval": ["wald"]}
    found = run(choices, lambda _: Dataset(trials, -1), models=[model_of("exact")])
    reasons = found.analyses["reason_code"].iloc[found.specifications["analysis"]].tolist()
    assert reasons[1] == ""
    assert parse(reasons[0])[0].parameters == {"pooling": "mantel-haenszel", "tau2": "REML", "interval": "wald"}
    missing = found.analyses.iloc[found.specifications["analysis"].iloc[0]]
    assert np.isnan(missing["estimate"])
    assert pd.isna(missing["better"])


def test_an_option_may_hold_any_text(bcg):
    choices = {"dose": {"0.5 mg": {}, "5 mg; infusion = x": {"measure": "OR"}}}
    protocol = protocol_with("cochrane", multiverse=Multiverse.model_validate({"choices": choices}))
    effects = effects_of("bcg", "RR")
    rows, summary, found = tables.multiverse_tables(*bcg, protocol, effects)
    assert [parse(cell)[0].parameters["option"] for cell in rows["option_codes"]] == list(choices["dose"])
    assert rows["measure"].tolist() == ["RR", "OR"]
    assert summary.query("kind == 'choice' and name == 'dose'")["options"].iloc[0] == 2
    figures = list(robustness_figures(effects.iloc[:1], protocol, {}, found))
    assert [one.kind for one in figures] == ["specifications"]


@pytest.mark.parametrize(("least", "tested"), [(14, False), (13, True), (20, False)])
def test_minimum_trials_is_read_everywhere(least, tested):
    effects = effects_of("bcg", "RR")
    # An asymmetric funnel, so that there are trials to fill.
    effects["estimate"] = 0.2 * effects["estimate"] - 1.5 * np.sqrt(effects["variance"])
    protocol = protocol_with("cochrane", robustness=Robustness(minimum_trials=least))
    table = tables.small_study_table(effects, protocol)
    assert ("Egger" in set(table["method"])) == tested
    if not tested:
        assert table["note_codes"].tolist() == [f"below_minimum k=13 minimum={least}"]
    others = {"leave_one_out": tables.leave_one_out_table(effects, protocol), "small_study": table}
    others["fragility"] = tables.fragility_table(effects, protocol)
    others["multiverse_summary"] = pd.DataFrame(columns=["analysis", "kind", "name", "of", "holds", "range"])
    said = conclusions_table(others)["alternatives"].iloc[0]
    assert said == "Small-study effects were not tested (13 trials)." if not tested else "Egger's test" in said
    funnel = next(f.figure for f in robustness_figures(effects, protocol, {}, {}) if f.kind == "funnel")
    drawn = [line for ax in funnel.axes for line in ax.lines if line.get_gid() == "filled"]
    assert bool(drawn) == tested


@pytest.mark.parametrize("method", ["beta0", "betalim", "mulim"])
def test_limit_meta_analysis_without_heterogeneity(method):
    """metasens 1.5-0, hine1989 RD: betalim 0.0610 (-0.0385 to 0.1605), G2 0."""
    d = REFERENCE["hine1989_rd"]
    assert d["tau2"] == 0
    found = limit_meta(generic(d["yi"], d["vi"], "RD"), PRESETS["cochrane"], method=method)
    assert found.reason == ""
    assert found.g2 == 0
    assert f"{found.estimate:.4f}" == "0.0610"
    if method == "betalim":
        assert (f"{found.ci_lower:.4f}", f"{found.ci_upper:.4f}") == ("-0.0385", "0.1605")
