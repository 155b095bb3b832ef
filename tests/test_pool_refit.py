"""One door to a fitted model: Mantel-Haenszel and Peto against metafor and RevMan, guarded intervals, subgroup tests."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from reweigh.pool.core import pool
from reweigh.pool.refit import Trials, cannot, refit, trials_of
from reweigh.pool.subgroups import subgroups
from reweigh.protocol.models import PRESETS, Model
from reweigh.text.codes import has, parse
from reweigh.text.pool import SENTENCES

METAFOR = json.loads((ROOT / "tests" / "reference" / "pool_counts.json").read_text())
SHARED = ROOT.parent / "shared"
COMMON = Model(name="M-H", tau2="EE", interval="wald", pooling="mantel-haenszel", rd_variance="sato")
PETO = Model(name="Peto", tau2="EE", interval="wald", pooling="peto")
REML_HK = PRESETS["cochrane"]


def counted(data, measure):
    """Trials of a data set with counts; the effects are not looked at by the models of counts."""
    counts = np.array([data[x] for x in ("a", "n1", "c", "n2")], dtype=float)
    k = counts.shape[1]
    return Trials(measure, np.zeros(k), np.ones(k), counts)


def generic(yi, vi, measure="SMD"):
    return Trials(measure, np.array(yi, dtype=float), np.array(vi, dtype=float), np.full((4, len(yi)), np.nan))


@pytest.mark.parametrize("measure", ["RR", "OR", "RD", "PETO"])
@pytest.mark.parametrize("name", ["bcg", "nielweise"])
def test_estimates_and_weights_are_metafors(name, measure):
    fit = METAFOR[f"{name} {measure}"]
    found = refit(counted(fit["data"], measure), PETO if measure == "PETO" else COMMON)
    ours = [found.estimate[0], found.se[0], found.ci_lower[0], found.ci_upper[0], found.p_value[0]]
    np.testing.assert_allclose(ours, [fit["estimate"], fit["se"], *fit["ci"], fit["p"]], rtol=1e-8)
    if (name, measure) != ("nielweise", "RD"):  # rma.mh leaves its double-zero trial out of Q alone
        np.testing.assert_allclose(found.q[0], fit["q"], rtol=1e-8)
    weights = np.zeros(len(found.weights[0]))
    weights[np.array(fit["used"], dtype=int) - 1] = fit["weights"]
    told = ~np.isnan(found.weights[0])
    np.testing.assert_allclose(found.weights[0][told], weights[told], rtol=1e-8)
    assert (weights[~told] == 0).all()
    assert found.weights[0][told].sum() == pytest.approx(100)


def test_the_weights_that_a_paper_prints():
    """weights(rma.mh(measure = "RR")) and weights(rma.peto()) of dat.bcg, as metafor 3.8 prints them."""
    labels = METAFOR["bcg RR"]["labels"]
    mh = dict(zip(labels, refit(counted(METAFOR["bcg RR"]["data"], "RR"), COMMON).weights[0].round(1), strict=True))
    assert (mh["TPT Madras"], mh["Hart & Sutherland"], mh["Ferguson & Simes"]) == (31.7, 16.2, 1.9)
    peto = dict(zip(labels, refit(counted(METAFOR["bcg PETO"]["data"], "OR"), PETO).weights[0].round(1), strict=True))
    assert (peto["Hart & Sutherland"], peto["TPT Madras"]) == (12.7, 41.3)


@pytest.mark.parametrize("measure", ["RR", "OR", "RD", "PETO"])
def test_subtotals_and_their_test_are_of_the_model(measure):
    expected = METAFOR[f"bcg by allocation {measure}"]
    by = pd.read_csv(ROOT / "data" / "bcg-vaccine" / "studies.csv")["allocation"].tolist()
    model = PETO if measure == "PETO" else COMMON
    found = subgroups(counted(METAFOR[f"bcg {measure}"]["data"], measure), by, model)
    for at, label in enumerate(found.labels):
        part = expected["subtotals"][label]
        np.testing.assert_allclose(found.pooled.estimate[at], part["estimate"], rtol=1e-8)
        np.testing.assert_allclose(found.pooled.se[at], part["se"], rtol=1e-8)
    np.testing.assert_allclose([found.q_between, found.q_between_p_value], [expected["test"][x] for x in "qp"])
    assert found.q_between_df == expected["test"]["df"]
    if measure == "RR":
        assert round(found.q_between, 3) == 14.780
        shown = {x: np.round(np.exp([p[i] for p in (found.pooled.estimate, found.pooled.ci_lower, found.pooled.ci_upper)]), 2).tolist()
                 for i, x in enumerate(found.labels)}  # fmt: skip
        assert shown == {
            "random": [0.70, 0.64, 0.78],
            "alternate": [0.49, 0.42, 0.57],
            "systematic": [0.64, 0.53, 0.77],
        }


@pytest.mark.parametrize(("name", "printed"), [("gibson", (10.39, 0.034, 4, 5)), ("hart", (0.356, 0.551, 1, 2))])
def test_subgroups_of_one_trial_take_part_in_the_test(name, printed):
    data = METAFOR[name]
    found = subgroups(generic(data["yi"], data["vi"]), data["by"], Model(name="", tau2="REML", interval="wald"))
    np.testing.assert_allclose([found.q_between, found.q_between_p_value], [data["test"][x] for x in "qp"], rtol=1e-7)
    q, p, df, groups = printed
    assert round(found.q_between, len(str(q).partition(".")[2])) == q and round(found.q_between_p_value, 3) == p
    assert found.q_between_df == df
    (one,) = parse(found.reason)
    assert one.name == "subgroups_of_one" and one.parameters["subgroups"] == str(groups)


@pytest.fixture(scope="module")
def revman():
    if not SHARED.exists():
        pytest.skip("the shared samples are not on this machine")
    folder = SHARED / "samples" / "revman_mh"
    arms = pd.read_csv(folder / "arms.csv")
    wide = arms.pivot_table(index=["outcome", "comparison_id"], columns="role", values=["events", "n"], sort=False)
    return wide, pd.read_csv(folder / "revman_values.csv")


def test_revmans_own_results_of_a_review_come_back(revman):
    """RevMan stores 16 digits: 20 of its 21 outcomes are estimable, in one there is nothing to pool."""
    wide, values = revman
    right, none = [], []
    for row in values.to_dict("records"):
        mine = wide.loc[row["outcome"]]
        counts = {"a": mine["events", "intervention"], "n1": mine["n", "intervention"],
                  "c": mine["events", "control"], "n2": mine["n", "control"]}  # fmt: skip
        model = Model(
            name="RevMan 5", tau2="DL" if row["random"] == "YES" else "EE", interval="wald", pooling="mantel-haenszel",
            mantel_haenszel="corrected", i2="Q",
        )  # fmt: skip
        found = refit(counted({k: v.tolist() for k, v in counts.items()}, row["measure"]), model)
        back = np.exp if row["measure"] != "RD" else np.asarray
        ours = [float(back(x[0])) for x in (found.estimate, found.ci_lower, found.ci_upper)]
        if np.isnan(ours).any():
            none.append(row["outcome"])
        elif np.allclose(ours, [row["est"], row["lo"], row["hi"]], rtol=1e-9):
            assert found.i2_q[0] == pytest.approx(row["i2"], rel=1e-9, abs=1e-9)
            right.append(row["outcome"])
    assert len(right) == 20 and len(none) == 1, set(values["outcome"]) - {*right, *none}


def test_corrected_and_exact_are_told_apart_by_name():
    data = METAFOR["nielweise OR"]["data"]
    shown = {}
    for name, model in (
        ("exact", COMMON), ("corrected", COMMON.model_copy(update={"mantel_haenszel": "corrected"})), ("peto", PETO)
    ):  # fmt: skip
        found = refit(counted(data, "OR"), model)
        shown[name] = [round(float(np.exp(x[0])), 3) for x in (found.estimate, found.ci_lower, found.ci_upper)]
    assert shown == {"exact": [0.299, 0.193, 0.462], "corrected": [0.317, 0.208, 0.483], "peto": [0.331, 0.227, 0.482]}


def test_what_a_model_cannot_do_has_a_reason_and_no_substitute():
    trials = generic([0.1, 0.2], [0.1, 0.1])
    for model, name in ((COMMON, "pooling_not_for_measure"), (PETO, "pooling_not_for_measure")):
        assert has(cannot(trials, model), name)
        found = refit(trials, model)
        assert np.isnan([found.estimate[0], found.ci_lower[0], found.tau2[0]]).all() and has(found.reason[0], name)
    assert has(cannot(generic([0.1], [0.1], "OR"), PETO), "pooling_needs_counts")
    assert cannot(trials, PRESETS["revman-5"]) == "" and cannot(generic([0.1], [0.1], "RR"), PRESETS["revman-5"]) != ""


def test_crossover_and_cluster_trials_have_no_counts_to_pool():
    group = pd.DataFrame({
        "measure": "OR", "estimate": 0.1, "variance": 0.2, "design": ["parallel", "crossover", "cluster"],
        "events_intervention": 1.0, "n_intervention": 9.0, "events_control": 2.0, "n_control": 9.0,
    })  # fmt: skip
    assert np.isnan(trials_of(group).counts).all(axis=0).tolist() == [False, True, True]


def test_a_subset_is_what_the_subset_gives_alone():
    data = METAFOR["nielweise OR"]["data"]
    rng = np.random.default_rng(3)
    mask = rng.random((40, len(data["a"]))) < 0.6
    for measure, model in (("OR", COMMON), ("RD", COMMON), ("RR", PRESETS["revman-5"]), ("OR", PETO), ("OR", REML_HK)):
        trials = counted(data, measure)
        if model is REML_HK:
            trials = Trials(measure, rng.normal(size=mask.shape[1]), rng.uniform(0.1, 1, mask.shape[1]), trials.counts)
        together = refit(trials, model, mask=mask)
        for i, inside in enumerate(mask):
            alone = refit(trials.take(inside), model)
            for field in ("estimate", "se", "ci_lower", "guarded_ci_upper", "tau2", "q", "pi_lower"):
                np.testing.assert_allclose(getattr(together, field)[i], getattr(alone, field)[0], rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(together.weights[i][inside], alone.weights[0], rtol=1e-9)


def test_hartung_knapp_where_it_collapses_stands_beside_the_guarded_interval():
    # metafor, test = "knha" and "adhoc": see the reference values of pool_metafor.json for the same pair of rules
    found = refit(generic([1.5, 1.5, 1.501], [0.81, 1, 1.21]), REML_HK)
    assert found.narrow[0] and found.p_value[0] < 1e-7
    assert found.guarded_ci_lower[0] < 0 < found.guarded_ci_upper[0] and found.guarded_p_value[0] > 0.1
    guarded = pool([1.5, 1.5, 1.501], [0.81, 1, 1.21], ci_method="hartung-knapp guarded")
    for mine, theirs in (
        ("guarded_ci_lower", "ci_lower"),
        ("guarded_p_value", "p_value"),
        ("guarded_pi_upper", "pi_upper"),
    ):
        assert getattr(found, mine)[0] == pytest.approx(getattr(guarded, theirs)[0], rel=1e-12)


def test_the_guarded_interval_moves_without_a_jump_through_equal_effects():
    steps = np.concatenate([-np.geomspace(1e-1, 1e-13, 60), [0.0], np.geomspace(1e-13, 1e-1, 60)])
    limits = []
    for step in steps:
        found = refit(generic([1.5, 1.5, 1.5 + step], [0.81, 1, 1.21]), REML_HK)
        limits.append(
            [getattr(found, f"guarded_{x}")[0] for x in ("ci_lower", "ci_upper", "pi_lower", "pi_upper", "p_value")]
        )
    limits = np.array(limits)
    assert np.isfinite(limits).all()
    # Between neighbours the interval moves by little more than the effects do.
    moved, allowed = np.abs(np.diff(limits, axis=0)).max(axis=1), np.abs(np.diff(steps))
    assert (moved <= allowed + 1e-9).all()


@pytest.mark.parametrize(
    ("tau2", "interval"), [("REML", "wald"), ("REML", "t"), ("ML", "profile likelihood"), ("EE", "wald")]
)
def test_other_intervals_are_their_own_guard(tau2, interval):
    found = refit(generic([0.1, 0.5, 0.2], [0.1, 0.1, 0.2]), Model(name="", tau2=tau2, interval=interval))
    assert not found.narrow[0]
    for name in ("ci_lower", "ci_upper", "p_value"):
        assert getattr(found, f"guarded_{name}")[0] == getattr(found, name)[0]


def test_a_maximum_of_the_restricted_likelihood_below_the_first_point_of_the_grid():
    # metafor, stepadj = 0.5: tau2 0.0022206; a local maximum lies at 0
    yi = [-0.477104410196157, 0.537111420927645, -0.906892228112243, 0.347515944921497, -0.634196197514318,
          -0.144856375132532, 1.73647638164591, 1.62998299361575, -0.201870560514806]  # fmt: skip
    vi = [0.130763638971595, 0.539166753353201, 0.656602100262871, 0.551141691886677, 0.764072389821648,
          0.66576240178739, 0.854109783835257, 0.810117921012378, 0.0727646319667224]  # fmt: skip
    found = refit(generic(yi, vi), REML_HK)
    assert found.tau2[0] == pytest.approx(0.0022206, abs=5e-8)
    assert [round(float(x[0]), 4) for x in (found.ci_lower, found.ci_upper)] == [-0.5881, 0.3930]
    assert [round(float(x[0]), 3) for x in (found.pi_lower, found.pi_upper)] == [-0.600, 0.405]


def test_q_below_its_degrees_of_freedom_leaves_i2_room_above():
    # meta 8.3-0 of dat.hine1989, RD: I2 0% (0 to 74.6)
    found = refit(generic(METAFOR["hine"]["yi"], METAFOR["hine"]["vi"]), REML_HK)
    assert round(found.q[0], 2) == 0.86 and found.i2_q[0] == found.i2_q_ci_lower[0] == 0
    assert round(found.i2_q_ci_upper[0], 1) == 74.6
    assert found.h2_q[0] == found.h2_q_ci_lower[0] == 1 < found.h2_q_ci_upper[0]


def test_every_code_of_the_stage_has_words():
    text = "".join(p.read_text() for p in sorted((Path(ROOT) / "src/reweigh/pool").glob("*.py")))
    for name in SENTENCES:
        assert f'"{name}"' in text, name
