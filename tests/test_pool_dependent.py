"""Three-level model, CR2, aggregation and shared arms against metafor and clubSandwich."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reweigh.effects.aggregate import aggregate
from reweigh.pool.core import pool
from reweigh.pool.dependence import dependence_table, sampling_covariance
from reweigh.pool.multilevel import cluster_robust, shared_arm_covariance, three_level
from reweigh.protocol.read import load_checked
from test_reproduction import review_of

R = json.loads((Path(__file__).parent / "reference" / "pool_dependent.json").read_text())


def covariance(data):
    v, c = np.array(data["vi"]), np.array(data["cluster"])
    if not data.get("rho"):
        return v
    out = np.where(c[:, None] == c, data["rho"] * np.sqrt(np.outer(v, v)), 0.0)
    np.fill_diagonal(out, v)
    return out


@pytest.mark.parametrize("name", R["three_level"])
def test_three_level_and_cr2(name):
    data = R["three_level"][name]
    ours = three_level(data["yi"], covariance(data), data["cluster"], inner=data["inner"], test="wald")
    np.testing.assert_allclose([ours.sigma2_between, ours.sigma2_within], data["sigma2"], rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose([ours.i2_between, ours.i2_within], data["i2"], rtol=1e-8)
    for field in ("estimate", "se", "p_value", "ci_lower", "pi_lower", "q", "q_p_value", "log_likelihood"):
        np.testing.assert_allclose(np.squeeze(getattr(ours, field)), data[field], rtol=1e-8, err_msg=field)
    robust = cluster_robust(data["yi"], ours.sigma, data["cluster"])
    for field in ("se", "df", "p_value"):
        np.testing.assert_allclose(np.squeeze(getattr(robust, field)), data["cr2"][field], rtol=1e-8, err_msg=field)


def test_with_a_moderator():
    data, fit = R["three_level"]["konstantopoulos2011"], R["moderated"]
    x = np.column_stack([np.ones(len(fit["x"])), fit["x"]])
    ours = three_level(data["yi"], data["vi"], data["cluster"], x=x, test="wald")
    np.testing.assert_allclose([ours.sigma2_between, ours.sigma2_within], fit["sigma2"], rtol=1e-8)
    np.testing.assert_allclose([ours.estimate, ours.se], [fit["estimate"], fit["se"]], rtol=1e-8)
    robust = cluster_robust(data["yi"], ours.sigma, data["cluster"], x=x)
    np.testing.assert_allclose([robust.se, robust.df], [fit["cr2"]["se"], fit["cr2"]["df"]], rtol=1e-8)
    simple = cluster_robust(data["yi"], np.array(data["vi"]) + fit["simple"]["tau2"], data["cluster"], x=x)
    np.testing.assert_allclose(simple.estimate, fit["simple"]["estimate"], rtol=1e-8)
    np.testing.assert_allclose([simple.se, simple.df], [fit["simple"]["se"], fit["simple"]["df"]], rtol=1e-8)
    np.testing.assert_allclose(simple.p_value, fit["simple"]["p_value"], rtol=1e-8)


@pytest.mark.parametrize("kind", ["weighted", "plain"])
def test_aggregate(kind):
    data, fit = R["three_level"]["konstantopoulos2011"], R["aggregate"]["konstantopoulos2011"][kind]
    labels, yi, vi = aggregate(data["yi"], data["vi"], data["cluster"], rho=0.6, weighted=kind == "weighted")
    assert list(labels) == fit["cluster"]
    np.testing.assert_allclose([yi, vi], [fit["yi"], fit["vi"]], rtol=1e-8)


def test_no_variance_between_clusters_is_the_two_level_model():
    """Clusters that differ less than chance: level 3 is 0 and the rest is what pool() gives."""
    rng = np.random.default_rng(4)
    y = np.tile([0.0, 1.0, -1.0, 0.5], 5) + rng.normal(0, 0.01, 20)
    v, cluster = rng.uniform(0.05, 0.2, 20), np.repeat(np.arange(5), 4)
    ours, plain = three_level(y, v, cluster, test="wald"), pool(y, v, ci_method="wald")
    assert ours.sigma2_between == 0
    assert "boundary: 0 between clusters" in ours.path
    np.testing.assert_allclose(ours.sigma2_within, plain.tau2[0], rtol=1e-9)
    np.testing.assert_allclose([ours.estimate[0], ours.se[0]], [plain.estimate[0], plain.se[0]], rtol=1e-9)


def test_cr2_of_clusters_of_one_and_equal_weights():
    """Equal variances, one effect per cluster: CR2 is the plain standard error of a mean, with n - 1 df."""
    y = np.array([0.3, -0.2, 0.8, 0.1, 0.9, 0.4])
    ours = cluster_robust(y, np.full(6, 0.25), range(6))
    assert ours.se[0] == pytest.approx(y.std(ddof=1) / np.sqrt(6))
    assert ours.df[0] == pytest.approx(5)


EMPTY = load_checked(
    b"""
title: T
question: {population: P, intervention: I, comparator: C}
words: {intervention: I, control: C}
outcomes: {pain: {label: Pain, type: continuous, measure: MD, better: lower}}
"""
)


def test_equal_effects_have_no_robust_standard_error():
    found = cluster_robust([0.3, 0.3, 0.3], [0.1, 0.2, 0.1], ["a", "a", "b"])
    assert np.isnan([found.se[0], found.ci_lower[0], found.p_value[0]]).all() and "exactly" in found.reason


def test_a_wide_difference_has_no_exponential():
    effects = pd.DataFrame(
        {"study_id": ["a", "a", "b"], "comparison_id": ["a1", "a2", "b"], "estimate": [1e4, 2e4, 3e4]}
    )
    effects = effects.assign(
        analysis="pain.end", outcome="pain", set="main", measure="MD", scale="natural", variance=1e6
    )
    assert dependence_table(effects, EMPTY)["ci_upper_natural"].max() > 1e4


@pytest.mark.parametrize(
    ("events", "policy", "said"),
    [
        ([3, 5], "only0", "differ"), ([0, 0], "none", "without variance"), ([3, 3], "only0", "whole n"),
        ([0, 0], "only0", "whole n"), ([0, 0], "tacc", "whole n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("measure", ["RD", "RR", "OR"])
def test_a_shared_arm_whose_rows_differ_has_no_covariance_of_its_own(measure, events, policy, said):
    shared = [{"study": "a", "arm": "control", "n": "repeated", "source": "page 2"}]
    own = {"shared_arms": shared, "assumptions": {"zero_cells": policy}}
    protocol = EMPTY.model_validate(EMPTY.model_dump(by_alias=True) | own)
    effects = pd.DataFrame(
        {"study_id": ["a", "a", "b"], "comparison_id": ["a1", "a2", "b"], "estimate": [0.1, 0.2, 0.3]}
    )
    effects = effects.assign(
        analysis="pain.end",
        outcome="pain",
        set="main",
        measure=measure,
        scale="natural",
        variance=0.01,
        sd_control=np.nan,
    )
    effects = effects.assign(
        n_intervention=30, n_control=30, events_intervention=[4, 6, 7], events_control=[*events, 9]
    )
    table = dependence_table(effects.assign(sd_intervention=np.nan), protocol)
    assert said in table.set_index("method").loc["three-level model", "note"]


def test_a_shared_control_group_without_events_is_corrected_as_the_effects_are():
    """0 of 12 in both comparisons: 0.5 of 13 is what the control group adds to each variance, and their covariance."""
    protocol, _, effects, _ = review_of("topical-nsaids-acute-pain")
    group = effects[effects["analysis"] == "responder.week_1.published"].reset_index(drop=True)
    at = group.index[group["study_id"] == "diebschlag1990"]
    covariance, said = sampling_covariance(group, protocol)
    assert said == "covariance of shared arms from their whole n"
    assert covariance[at[0], at[1]] == pytest.approx(1 / 0.5 - 1 / 13, rel=1e-12)
    np.testing.assert_allclose(np.diag(covariance), group["variance"], rtol=1e-12)


def test_shared_arm():
    """MD of two arms against one control: the covariance is the control mean's variance; sides matter."""
    found = shared_arm_covariance(
        ["t: a", "t: b", "t: c"], ["t: c", "t: c", "u: x"], [0.1, 0.2, 0.05], [0.05, 0.05, 0.3]
    )
    np.testing.assert_allclose(found, [[0.15, 0.05, -0.05], [0.05, 0.25, -0.05], [-0.05, -0.05, 0.35]])
    # Gleser and Olkin's covariance of two SMDs: 1/n_control + d1 d2/(2 N).
    smd = shared_arm_covariance(
        ["a", "b"], ["c", "c"], [1 / 20, 1 / 25], [1 / 30, 1 / 30], d=[0.4, 0.6], total=[75, 75]
    )
    np.testing.assert_allclose(smd[0], [1 / 20 + 1 / 30 + 0.16 / 150, 1 / 30 + 0.24 / 150])


def test_shared_arm_simulated():
    """The covariance of the differences of real arm means."""
    rng = np.random.default_rng(7)
    means = rng.normal(0, [0.3, 0.4, 0.2], (400_000, 3))
    seen = np.cov(np.column_stack([means[:, 0] - means[:, 2], means[:, 1] - means[:, 2]]).T)
    ours = shared_arm_covariance(["a", "b"], ["c", "c"], [0.09, 0.16], [0.04, 0.04])
    np.testing.assert_allclose(seen, ours, rtol=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: three_level([1, 2, 3.0], [1, 1, 1.0], ["a", "b", "c"]), "no cluster holds two units"),
        (lambda: three_level([1, 2, 3.0], [1, 1, 1.0], ["a", "a", "a"]), "too few"),
        (lambda: three_level([1, 2, 3.0], [1, 0, 1.0], ["a", "a", "b"]), "variance 1 is 0.0"),
        (lambda: three_level([1, np.nan, 3.0], [1, 1, 1.0], ["a", "a", "b"]), r"yi\[1\] is nan"),
        (lambda: three_level([1, 2.0], [[1, 2], [2, 1]], ["a", "b"]), "positive semi-definite"),
        (lambda: three_level([1, 2.0, 3.0], [1, 1, 1.0], ["a", "b"]), "2 labels for 3 effects"),
        (lambda: cluster_robust([1, 2.0], [[1, 0.2], [0.2, 1]], ["a", "b"]), "covariances between clusters"),
        (lambda: aggregate([1, 2.0], [1, 1.0], ["a", "a"]), "give variances with rho"),
        (lambda: aggregate([1, 2, 3.0], [1, 1, 1.0], ["a", "a", "a"], rho=-0.9), "not positive definite"),
        (lambda: shared_arm_covariance(["a", "b"], ["c", "c"], [0.1, 0.1], [0.1, 0.2]), "two variances"),
        (lambda: shared_arm_covariance(["a"], ["a"], [0.1], [0.1]), "on both sides"),
    ],
)
def test_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
