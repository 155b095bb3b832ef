"""Each model of counts as the main one, alone and beside the others in any order, through every stage to the page."""

import json
from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from pipeline import build
from reweigh.io import read_csv

COUNTS = json.loads((ROOT / "tests" / "reference" / "pool_counts.json").read_text())
MODELS = {
    "M-H common": "tau2: EE, interval: wald, pooling: mantel-haenszel, mantel_haenszel: corrected",
    "M-H random corrected": "tau2: DL, interval: wald, pooling: mantel-haenszel, prediction_interval: t(k-2)",
    "M-H exact": "tau2: EE, interval: wald, pooling: mantel-haenszel, rd_variance: sato",
    "Peto": "tau2: EE, interval: wald, pooling: peto",
    "cochrane": "tau2: REML, interval: hartung-knapp, prediction_interval: hartung-knapp",
}
COUNTED = [name for name in MODELS if name != "cochrane"]
#: metafor 3.8, rma.mh and rma.peto of dat.nielweise2007, OR; corrected: RevMan's rule, R's meta with MH.exact = FALSE.
PRINTED = {"M-H exact": (0.299, 0.193, 0.462), "M-H common": (0.317, 0.208, 0.483), "Peto": (0.331, 0.227, 0.482)}
TABLES = {
    "pooled.csv": ("analysis", "model"),
    "weights.csv": ("analysis", "model", "comparison_id"),
    "subgroups.csv": ("analysis", "model", "subgroup"),
    "engines.csv": ("analysis", "model", "number"),
    "robustness/leave_one_out.csv": ("analysis", "model", "left_out"),
    "robustness/cumulative.csv": ("analysis", "model", "order", "step"),
    "robustness/subsets.csv": ("analysis", "model"),
    "robustness/fragility.csv": ("analysis", "model", "criterion"),
    "certainty.csv": ("analysis", "model", "domain"),
}


def files(name, models):
    """A review of dat.bcg or dat.nielweise2007 with these models: RR, and OR and RD beside it."""
    one = COUNTS[f"{name} RR"]
    arms, studies = [], []
    for at, counts in enumerate(zip(*(one["data"][x] for x in ("a", "n1", "c", "n2")), strict=True)):
        study = f"t{at:02d}"
        studies.append((study, f"Trial {at} {1950 + at}", 1950 + at, ("odd", "even")[at % 2]))
        for role, events, n in (("intervention", *counts[:2]), ("control", *counts[2:])):
            arms.append((study, f"Trial {at} {1950 + at}", "event", role, role, n, events))
    lines = [
        "title: T", "question: {population: P, intervention: I, comparator: C}",
        "words: {intervention: treatment, control: control}", "table_source: {arms: 'metadat, counts as they stand'}",
        "outcomes:", "  event: {label: Event, type: binary, measure: RR, also: [OR, RD], better: lower}",
        "categories: {half: [odd, even]}", "subgroups: [half]", "models:",
        *(f"  - {{name: {m}, {MODELS[m]}}}" for m in models),
    ]  # fmt: skip
    arm_columns = ["study_id", "label", "outcome", "role", "arm", "n", "events"]
    return {
        "review.yaml": "\n".join(lines).encode(),
        "studies.csv": pd.DataFrame(studies, columns=["study_id", "label", "year", "half"])
        .to_csv(index=False)
        .encode(),
        "arms.csv": pd.DataFrame(arms, columns=arm_columns).to_csv(index=False).encode(),
    }


def numbers(results):
    """Every number of the tables that name a model: by table, row and column."""
    found = {}
    for name, keys in TABLES.items():
        table = read_csv(results / name)
        values = [c for c in table.columns if c not in keys and pd.api.types.is_numeric_dtype(table[c])]
        for row in table.to_dict("records"):
            key = tuple(str(row[k]) for k in keys)
            found |= {(name, *key, c): float(row[c]) for c in values if c != "tests_made"}
    return found


@pytest.fixture(scope="module", params=["bcg", "nielweise"])
def alone(request, tmp_path_factory):
    """The numbers of each model where it is the only one."""
    made = {}
    for model in MODELS:
        folder = tmp_path_factory.mktemp("alone")
        made[model] = build(files(request.param, [model]), folder, figures=model in ("M-H exact", "Peto"))
    return request.param, made, {key: value for results in made.values() for key, value in numbers(results).items()}


@pytest.mark.slow
def test_each_model_alone_reaches_the_page(alone):
    name, made, _ = alone
    for model, results in made.items():
        assert set(read_csv(results / "pooled.csv")["model"]) == {model}
        assert model in (results / "report.html").read_text()
    if name == "nielweise":
        for model, printed in PRINTED.items():
            row = read_csv(made[model] / "pooled.csv").set_index("analysis").loc["event.all.OR"]
            assert tuple(round(row[f"{c}_natural"], 3) for c in ("estimate", "ci_lower", "ci_upper")) == printed
    else:
        # weights(rma.mh(measure = "RR")) as the forest plot prints them
        labels = COUNTS["bcg RR"]["labels"]
        trial = f"Trial {labels.index('TPT Madras')} {1950 + labels.index('TPT Madras')}"
        svg = (made["M-H exact"] / "figures" / "forest" / "event.all.svg").read_text()
        assert trial in svg and "31.7%" in svg and "41.4%" not in svg
        without = read_csv(made["M-H exact"] / "robustness" / "leave_one_out.csv")
        first = without[(without["analysis"] == "event.all") & (without["left_out"] == "t00")].iloc[0]
        shown = [round(first[f"{c}_natural"], 3) for c in ("estimate", "ci_lower", "ci_upper")]
        assert shown == [0.637, 0.589, 0.688]  # leave1out(rma.mh(...)), without Aronson


@pytest.mark.slow
@pytest.mark.parametrize("order", [o for i, o in enumerate(permutations(MODELS)) if i % 13 == 5])
def test_no_number_of_one_model_stands_under_anothers_name(alone, order, tmp_path):
    name, _, expected = alone
    found = numbers(build(files(name, order), tmp_path, figures=False))
    main = {key: value for key, value in found.items() if key in expected}
    assert len({key[2] for key in main}) == len(MODELS)
    wrong = [k for k, v in main.items() if not np.isclose(v, expected[k], rtol=1e-9, atol=1e-12, equal_nan=True)]
    assert not wrong, wrong[:5]
    # Robustness and certainty speak of the main model only, and no row is of a model that was not asked for.
    for table in ("robustness/leave_one_out.csv", "certainty.csv"):
        assert {key[2] for key in found if key[0] == table} == {order[0]}
    assert {key[2] for key in found} == set(MODELS)
