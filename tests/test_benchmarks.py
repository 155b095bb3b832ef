"""The parts of the comparison with other tools: its reading of a corpus, its counting of digits and of failures."""

import json
import sys

import numpy as np
import pytest

from conftest import ROOT
from made_corpus import data_rows
from reweigh.pool.core import pool


@pytest.fixture(scope="module")
def peers():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import peers
    finally:
        sys.path.pop(0)
    return peers


@pytest.mark.parametrize(
    ("found", "reference", "unit", "digits"),
    [
        (1.0, 1.0, 0.1, 15), (1.001, 1.0, 0.1, 3), (0.001, 0.0, 0.1, 2), (2.0, 1.0, 0.1, 0), (9e9, 1.0, 0.1, 0),
        (123.4, 123.4 * (1 + 1e-7), 1, 7),
    ],
)  # fmt: skip
def test_digits(peers, found, reference, unit, digits):
    assert peers.digits(found, reference, unit) == pytest.approx(digits, abs=1e-5)


def test_what_fails_is_counted(peers):
    reference = {"estimate": 1.0, "se": 0.1, "tau2": 0.5, "pm_tau2": 0.4, "pi_lower": None}
    sets = [(np.ones(2), np.ones(2))] * 4
    answers = ["ValueError: no", {"estimate": np.nan, "tau2": 0.5}, {"estimate": 1.01, "tau2": None}, {"pm_tau2": 0.4}]
    failures, digits = peers.compare(answers, [reference] * 4, sets)
    assert failures == ["ValueError: no", "no mean", "no tau2"]
    assert digits["mean"] == [pytest.approx(2)]
    assert digits["tau2"] == [15, 15]
    assert peers.gone(answers) == 3
    assert peers.agreement(digits["mean"]) == "2.0; 2.0 (1 below 3)"
    assert peers.agreement([]) == "–"
    # No reference is no failure of the tool.
    assert peers.compare([{"estimate": 1.0}], ["none"], sets[:1])[0] == []


def test_analyses_of_a_corpus(peers, tmp_path):
    path = tmp_path / "data-rows.csv"
    path.write_bytes(data_rows())
    sets = peers.analyses(path, 20)
    assert len(sets) == 20
    for y, v in sets:
        assert len(y) == len(v) >= 3
        assert np.isfinite(y).all() and (v > 0).all() and np.isfinite(v).all()
    assert len(peers.analyses(path, 10_000)) > 20


def test_ours_at_work(peers, tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "SECONDS", 1e-9)
    one = [[0.1, 0.5, -0.2, 0.9], [0.1, 0.2, 0.05, 0.1]]
    (tmp_path / "data.json").write_text(json.dumps({job: [one] for job in peers.JOBS}))
    with np.errstate():
        for job in peers.JOBS:
            peers.work("reweigh", job, tmp_path)
    found = {job: json.loads((tmp_path / f"reweigh {job}.json").read_text())["answers"] for job in peers.JOBS}
    whole = pool(*one).row()
    for job in ("one", "plain", "batch", "corpus"):
        assert found[job] == [{name: whole[name] for name in found[job][0]}]
    assert len(found["leave one out"]) == 4
    assert len(found["subsets"]) == 11
    assert found["subsets"][-1] == {"estimate": whole["estimate"], "tau2": whole["tau2"]}


def test_a_tool_that_is_not_there_is_named(peers, tmp_path, monkeypatch):
    monkeypatch.setitem(peers.TOOLS, "pimeta", str(tmp_path / "python"))
    assert "FileNotFoundError" in peers.process("pimeta", "one", tmp_path)["failed"]
    (tmp_path / "data.json").write_text(json.dumps({"one": [[[1.0], [1.0]]]}))
    monkeypatch.setitem(peers.TOOLS, "no tool", sys.executable)
    assert "KeyError" in peers.process("no tool", "one", tmp_path)["failed"]
