"""Invariants of effect sizes, on random tables."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweigh.effects import contrasts as contrasts_module
from reweigh.effects.compute import Options, compute, validate
from reweigh.effects.worked import worked_example
from reweigh.measures import MEASURES, RATIO_MEASURES
from reweigh.text.effects import SENTENCES, in_words

seeds = st.integers(0, 2**32 - 1)
MEANS = ("MD", "SMD", "SMDH", "GLASS", "ROM")
COUNTED = ("RR", "OR", "RD", "PETO", "AS")


def tables(seed: int, rows: int = 40) -> pd.DataFrame:
    """Comparisons of every kind: means, counts, rates, contrasts; parallel, crossover, cluster."""
    rng = np.random.default_rng(seed)
    n1, n2 = rng.integers(5, 80, rows), rng.integers(5, 80, rows)
    crossed = rng.random(rows) < 0.4
    n2 = np.where(crossed, n1, n2)
    measure = rng.choice([*MEANS, *COUNTED, "IRR", "IRD"], rows)
    table = pd.DataFrame({"measure": measure, "n1": n1, "n2": n2, "design": np.where(crossed, "crossover", "parallel")})
    means, rates = table["measure"].isin(MEANS), table["measure"].isin(["IRR", "IRD"])
    spread = rng.choice(["sd", "se"], rows)
    for arm in ("1", "2"):
        table["mean" + arm] = np.where(means, rng.uniform(1, 9, rows), np.nan)
        for kind in ("sd", "se"):
            table[kind + arm] = np.where(means & (spread == kind), rng.uniform(0.3, 4, rows), np.nan)
        events = rng.binomial(table["n" + arm], rng.choice([0.02, 0.3, 0.6], rows))
        table["events" + arm] = np.where(means, np.nan, events)
        table["time" + arm] = np.where(rates, rng.uniform(50, 400, rows), np.nan)
    return table


def swap(table: pd.DataFrame) -> pd.DataFrame:
    """The same comparisons with the arms exchanged."""
    return table.rename(columns={c: c[:-1] + {"1": "2", "2": "1"}[c[-1]] for c in table if c[-1] in "12"})


def same(a: pd.Series, b: pd.Series) -> None:
    np.testing.assert_allclose(a.to_numpy(dtype=float), b.to_numpy(dtype=float), rtol=1e-9, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from(["only0", "needed", "all", "none"]), st.sampled_from(["paired", "as_independent"]))
def test_swapping_arms_turns_the_effect_round(seed: int, policy: str, crossed: str) -> None:
    table = tables(seed)
    table = table[table["measure"] != "GLASS"]
    options = Options(zero_cells=policy, crossover=crossed)
    there, back = compute(table, options), compute(swap(table), options)
    same(there["estimate"], -back["estimate"])
    same(there["variance"], back["variance"])
    ratio = table["measure"].isin(list(RATIO_MEASURES))
    same(there.loc[ratio, "estimate_natural"], 1 / back.loc[ratio, "estimate_natural"])


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_permuting_rows_permutes_the_result(seed: int) -> None:
    table = tables(seed)
    order = np.random.default_rng(seed).permutation(len(table))
    pd.testing.assert_frame_equal(compute(table).iloc[order], compute(table.iloc[order]))


@settings(max_examples=8, deadline=None)
@given(seeds)
def test_each_row_stands_alone(seed: int) -> None:
    table = tables(seed, 12)
    alone = pd.concat([compute(table.iloc[[i]]) for i in range(len(table))])
    pd.testing.assert_frame_equal(compute(table), alone)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_nothing_is_lost_in_silence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = tables(seed)
    for column in table.columns.drop("measure"):
        table[column] = table[column].where(rng.random(len(table)) > 0.15)
    out = in_words(compute(table, Options(zero_cells=rng.choice(["only0", "none", "needed"]))))
    lost = out["estimate"].isna()
    assert (lost == (out["reason"] != "")).all()
    assert (lost == (out["needed"] != "")).all()
    assert (out.loc[~lost, "variance"] > 0).all()
    assert np.isfinite(out.loc[~lost, ["estimate", "variance", "ci_lower_natural", "ci_upper_natural"]]).all(axis=None)
    assert (out.loc[~lost, "derivation"] != "").all()


def contrasts(seed: int, rows: int = 60) -> pd.DataFrame:
    """Reported contrasts of every kind with gaps, impossible ones left out."""
    rng = np.random.default_rng(seed)

    def some(values: np.ndarray, share: float = 0.5) -> np.ndarray:
        return np.where(rng.random(rows) < share, values, np.nan)

    measure = rng.choice(sorted(MEASURES), rows)
    reported = np.where(rng.random(rows) < 0.6, measure, rng.choice(["p_only", "MD", "SMD_paired", "OE_V"], rows))
    estimate = np.exp(rng.normal(0, 0.5, rows)) * np.where(measure == "RD", 0.1, 1)
    table = pd.DataFrame(
        {
            "measure": measure,
            "reported_measure": reported,
            "estimate_scale": "natural",
            "design": rng.choice(["parallel", "crossover", "cluster", "first_period"], rows),
            "paired": rng.choice(["yes", "no", ""], rows),
            "p_operator": rng.choice(["=", "<", ">", ""], rows),
            "direction": rng.choice(["favours_intervention", "favours_control", "none", ""], rows),
            "better": rng.choice(["lower", "higher"], rows),
            "flip": rng.random(rows) < 0.3,
            "n1": some(rng.integers(2, 60, rows), 0.9),
            "n2": some(rng.integers(2, 60, rows), 0.9),
            "estimate": some(estimate, 0.8),
            "ci_lower": some(estimate * 0.5),
            "ci_upper": some(estimate * 2.2),
            "se": some(rng.uniform(0.1, 1, rows), 0.3),
            "p_value": some(rng.uniform(0.0001, 1, rows)),
            "icc": some(rng.uniform(0, 0.1, rows)),
            "cluster_size": some(rng.uniform(1, 30, rows)),
        }
    )
    for column, values in (
        ("t", rng.normal(0, 2, rows)),
        ("f", rng.uniform(0.1, 9, rows)),
        ("oe", rng.normal(0, 4, rows)),
    ):
        table[column] = some(values, 0.3)
    table["v"] = rng.uniform(1, 9, rows)
    bad = {problem.index for problem in validate(table)}
    return table.drop(index=list(bad))


@settings(max_examples=30, deadline=None)
@given(seeds, st.booleans(), st.sampled_from(["paired", "as_independent"]))
def test_contrasts_end_in_an_effect_or_a_reason_and_their_pages_agree(seed: int, bound: bool, crossed: str) -> None:
    table = contrasts(seed)
    options = Options(p_inequality_as_equality=bound, crossover=crossed)
    out = in_words(compute(table, options, trace=True))
    pd.testing.assert_frame_equal(out.drop(columns="steps"), in_words(compute(table, options)))
    lost = out["estimate"].isna()
    assert (lost == (out["reason"] != "")).all()
    assert (lost == (out["needed"] != "")).all()
    assert (out.loc[~lost, "variance"] > 0).all()
    for _, row in out.iterrows():
        worked_example(row)


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(0.05, 50), st.floats(-20, 20))
def test_rescaling_rescales_md_and_leaves_smd(seed: int, factor: float, shift: float) -> None:
    table = tables(seed)
    table = table[table["measure"].isin(["MD", "SMD", "SMDH", "GLASS"])]
    moved = table.assign(scale_min=0, scale_max=10, target_min=shift, target_max=shift + 10 * factor)
    before, after = compute(table), compute(moved)
    md = (table["measure"] == "MD").to_numpy()
    by = np.where(md, factor, 1.0)
    np.testing.assert_allclose(after["estimate"], before["estimate"] * by, rtol=1e-6, atol=1e-7 * (1 + abs(shift)))
    np.testing.assert_allclose(after["se"], before["se"] * by, rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seeds)
def test_flipping_turns_differences_round(seed: int) -> None:
    table = tables(seed).assign(scale_min=0, scale_max=10)
    table = table[table["measure"].isin(["MD", "SMD", "SMDH", "GLASS", "OR", "RD", "AS", "PETO"])]
    there, back = compute(table), compute(table.assign(flip=True))
    same(there["estimate"], -back["estimate"])
    same(there["variance"], back["variance"])


contrast = st.tuples(
    st.floats(-2, 2),
    st.floats(0.05, 1.5),
    st.sampled_from(sorted(m for m in set(MEASURES) - {"RD"} if MEASURES[m].scale in ("natural", "log"))),
)


@settings(deadline=None)
@given(contrast, st.floats(1.0, 5.0))
def test_a_wider_ci_never_gives_a_smaller_se(case: tuple[float, float, str], wider: float) -> None:
    estimate, se, measure = case
    out = []
    for half in (1.96 * se, 1.96 * se * wider):
        ends = np.array([estimate, estimate - half, estimate + half])
        values = np.exp(ends) if measure in RATIO_MEASURES else ends
        row = dict(zip(("estimate", "ci_lower", "ci_upper"), values, strict=True))
        table = pd.DataFrame([{"measure": measure, "reported_measure": measure, **row}])
        out.append(compute(table).iloc[0])
    assert out[1]["se"] >= out[0]["se"] * (1 - 1e-12)
    assert out[0]["se"] == pytest.approx(se, rel=1e-4)
    assert out[0]["estimate"] == pytest.approx(estimate, abs=1e-12)


@settings(deadline=None)
@given(st.floats(0.001, 0.999), st.integers(3, 100), st.integers(3, 100), st.sampled_from(["yes", "no"]))
def test_a_smaller_p_gives_a_larger_effect(p: float, n1: int, n2: int, paired: str) -> None:
    row = {"measure": "SMD", "reported_measure": "p_only", "direction": "favours_control", "better": "lower"}
    table = pd.DataFrame([{**row, "paired": paired, "n1": n1, "n2": n2, "p_value": v} for v in (p, p / 2)])
    small, large = compute(table)["estimate"]
    assert large > small > 0


@settings(max_examples=40, deadline=None)
@given(seeds, st.floats(0.0, 0.9), st.floats(0.01, 0.09))
def test_a_higher_correlation_never_widens_a_crossover_trial(seed: int, r: float, step: float) -> None:
    table = tables(seed)
    table = table[
        (table["design"] == "crossover") & table["measure"].isin(["MD", "SMD", "GLASS", "ROM", "RR", "OR", "RD"])
    ]
    low, high = (compute(table, Options(r=v, phi=v)) for v in (r, r + step))
    ok = low["reason_code"].eq("") & high["reason_code"].eq("")
    assert (high.loc[ok, "variance"] <= low.loc[ok, "variance"] * (1 + 1e-12)).all()


NAMED = re.compile(r"""(?:derivation|assumptions|flags)\.add\(.*[\w)], "(\w+)"|\.fail\(.*[\w)], "(\w+)\"""")


def test_every_code_has_words() -> None:
    """What the stage's modules write by name stands in its module of sentences."""
    folder = Path(contrasts_module.__file__).parent
    found = [names for path in sorted(folder.glob("*.py")) for names in NAMED.findall(path.read_text())]
    codes = {name for names in found for name in names if name}
    assert len(codes) > 60
    assert codes <= set(SENTENCES), codes - set(SENTENCES)
