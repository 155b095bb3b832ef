"""A corpus: many reviews in one run, what comes back of RevMan's numbers, what current practice changes."""

from __future__ import annotations

import gzip
import io
import json
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from click import UsageError
from ruamel.yaml import YAML

import made_corpus
from conftest import ROOT
from reweigh.cli import corpus as many
from reweigh.cli.places import Stop
from reweigh.console import config_error
from reweigh.corpus.answers import answers, rows_back, summary
from reweigh.corpus.rows import (
    _change,
    _compared,
    _current,
    _decisive,
    _important,
    _pool,
    _pools,
    _same,
    gathered,
    printed_rows,
)
from reweigh.io import csv_text, frame, read_csv
from reweigh.pool.core import pool
from reweigh.pool.refit import trials_of
from reweigh.protocol.models import Model
from reweigh.report.corpus import corpus_page
from reweigh.text.corpus import AGREEMENT, CHANGES, IMPORTANT_CHANGES, ROWS

FIXED = Model(name="fixed", tau2="EE", interval="wald", pooling="mantel-haenszel", mantel_haenszel="corrected")


def effects(yi, vi, measure="MD", **columns):
    """Rows of effects.csv of one analysis."""
    names = [f"t{i}" for i in range(len(yi))]
    se = np.sqrt(vi)
    z = 1.959963984540054
    table = pd.DataFrame(
        {"study_id": names, "comparison_id": names, "label": [f"Trial {n}" for n in names], "measure": measure,
         "estimate": yi, "variance": vi, "design": "parallel",
         **{f"{name}_natural": x for name, x in (("estimate", yi), ("ci_lower", yi - z * se), ("ci_upper", yi + z * se))}}
    )  # fmt: skip
    return table.assign(**columns)


def test_numbers_are_the_same_where_they_print_the_same():
    ours = np.array([[0.125, 1.0049, 0.333, 2.0, -0.005, 0.1250000001]])
    theirs = np.array([[0.13, 1.0, 0.34, 2.004, -0.01, 0.124999999]])
    assert _same(ours, theirs).tolist() == [[True, True, False, True, True, True]]


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [("above", "above", "none"), ("above", "unclear", "lost"), ("unclear", "below", "gained"),
     ("above", "below", "turned"), ("unclear", "unclear", "none"), ("", "above", ""), ("above", "", "")],
)  # fmt: skip
def test_what_becomes_of_a_conclusion(before, after, change):
    assert _change(before, after) == change
    assert change == "" or change in CHANGES


@pytest.mark.parametrize(
    ("interval", "state"),
    [((0.5, 0.7), "important"), ((1.3, 2.0), "important"), ((0.8, 1.2), "unimportant"), ((0.7, 0.8), "unclear"),
     ((0.5, 1.5), "unclear"), ((float("nan"), 1.0), "")],
)  # fmt: skip
def test_where_an_interval_lies_to_an_important_effect(interval, state):
    assert _important(*interval, (0.75, 1.25)) == state
    assert _important(*interval, None) == ""


@pytest.mark.parametrize(
    ("k", "lower", "codes", "narrow"),
    [(3, -0.2, "hartung_knapp_narrow", "yes"), (3, -0.2, "", "no"), (3, np.nan, "all_effects_equal", ""), (1, -0.2, "one_trial", "")],
)  # fmt: skip
def test_an_interval_that_there_is_none_of_is_not_called_wide(k, lower, codes, narrow):
    numbers = ("estimate", "ci_lower", "ci_upper", "guarded_ci_lower", "guarded_ci_upper", "pi_lower", "pi_upper")
    row = {f"{name}_natural": 0.1 for name in numbers} | dict.fromkeys(("p_value", "guarded_p_value", "tau2"), 0.1)
    row |= {
        "tau2_method": "REML",
        "ci_method": "hartung-knapp",
        "level": 0.95,
        "k": k,
        "comparisons": k,
        "participants": 90.0,
    }
    assert _current(pd.DataFrame([row | {"ci_lower": lower, "note_codes": codes}]))["hk_narrow"] == narrow


def test_the_conclusions_of_a_table_are_those_of_its_intervals():
    rows = [
        {"scale": "log", "measure": "RR", "k": 3, "revman_estimate": 0.6, "revman_ci_lower": 0.4, "revman_ci_upper": 0.9,
         "reml_hk_estimate": 0.6, "reml_hk_ci_lower": 0.3, "reml_hk_ci_upper": 0.99, "guarded_ci_lower": 0.2,
         "guarded_ci_upper": 1.4, "pi_lower": 0.1, "pi_upper": 3.0},
        {"scale": "natural", "measure": "SMD", "k": 2, "revman_estimate": 0.1, "revman_ci_lower": -0.1,
         "revman_ci_upper": 0.15, "reml_hk_estimate": 0.1, "reml_hk_ci_lower": 0.05, "reml_hk_ci_upper": 0.15,
         "guarded_ci_lower": 0.21, "guarded_ci_upper": 0.3},
    ]  # fmt: skip
    made = _compared(frame("corpus.csv", rows), {"SMD": (-0.2, 0.2)})
    assert made["revman_says"].tolist() == ["below", "unclear"]
    assert made["guarded_says"].tolist() == ["unclear", "above"]
    assert made["change_guarded"].tolist() == ["lost", "gained"]
    assert made["change_reml_hk"].tolist() == ["none", "gained"]
    assert made["pi_includes_no_effect"].tolist() == ["yes", ""]
    assert made["change_important"].tolist() == ["", "unimportant to important"]
    assert set(made["change_important"]) - {""} <= set(IMPORTANT_CHANGES)


def test_how_a_row_is_written_hangs_on_no_other():
    """One, three or no decisive trials: the same digits beside an analysis that has no such number, and alone."""
    rows = [{"k": 3, "tau2": 0.1234567890123456, "decisive_trials": n} for n in (1, 3, 0)] + [{"k": 1}]
    tables = [frame("corpus.csv", [row]) for row in rows]
    apart = [csv_text(gathered([one]), "corpus.csv").splitlines()[1] for one in tables]
    assert csv_text(gathered(tables), "corpus.csv").splitlines()[1:] == apart
    assert ",0.123456789012," in apart[0]
    assert csv_text(gathered([]), "corpus.csv").count("\n") == 1


def test_the_estimate_that_weights_imply_is_the_mean_on_the_scale_of_the_model():
    """Two trials of equal weight: a Mantel-Haenszel ratio is the mean of ratios, any other that of logarithms."""
    counts = {"events_intervention": [10.0, 40.0], "n_intervention": 100.0, "events_control": 20.0, "n_control": 100.0}
    mine = effects(np.log([0.5, 2.0]), np.array([0.13, 0.055]), "RR", **counts)
    printed = pd.DataFrame(
        {"comparison_id": ["t0", "t1"], "estimate": [0.5, 2.0], "weight": [50.0, 50.0], "kind": "back"}
    )
    names = mine["comparison_id"]
    found = _pool(printed, names, trials_of(mine), FIXED, "log")
    assert found["printed"] == pytest.approx(1.25)
    assert found["pooled"] == pytest.approx(50 / 40)  # the counts' own: equal arms
    assert found["agreement"] == "agrees"
    inverse = Model(name="iv", tau2="EE", interval="wald")
    found = _pool(printed, names, trials_of(mine), inverse, "log")
    assert found["printed"] == pytest.approx(1.0)
    assert found["agreement"] == "weights_differ"
    assert found["weights_difference"] == pytest.approx(100 * (1 / 0.055) / (1 / 0.055 + 1 / 0.13) - 50)
    off = _pool(printed.assign(kind=["back", "interval_differs"]), names, trials_of(mine), inverse, "log")
    assert off["agreement"] == "rows_differ"
    assert (
        _pool(printed.assign(kind=["back", "left_out"]), names, trials_of(mine), FIXED, "log")["agreement"]
        == "rows_left_out"
    )
    without = mine.assign(events_control=np.nan)
    assert _pool(printed, names, trials_of(without), FIXED, "log")["agreement"] == "not_pooled"


def test_weights_are_of_the_whole_or_of_each_subgroup():
    rows = pd.DataFrame({"weight": [60.0, 40.0, np.nan, 0.0], "subgroup": ["a", "b", "b", "b"]})
    whole, pools = _pools(rows)
    assert (whole, [len(one) for one in pools]) == (True, [2])
    rows = pd.DataFrame({"weight": [60.0, 40.05, 100.0, 30.0], "subgroup": ["a", "a", "b", "c"]})
    whole, pools = _pools(rows)
    assert (whole, [len(one) for one in pools]) == (False, [2, 1])


def test_the_decisive_trial_is_the_one_without_which_the_guarded_interval_says_something_else():
    yi, vi = np.array([0.9, 0.3, 0.35, 0.2, 0.4]), np.array([0.02, 0.04, 0.05, 0.06, 0.03])
    mine = effects(yi, vi)
    models = pd.DataFrame({"outcome": ["pain"], "level": [0.95]})
    without = [pool(np.delete(yi, i), np.delete(vi, i), ci_method="hartung-knapp guarded") for i in range(len(yi))]
    turned = [i for i, fit in enumerate(without) if fit.ci_lower[0] <= 0]
    assert pool(yi, vi, ci_method="hartung-knapp guarded").ci_lower[0] > 0
    assert 0 < len(turned) < len(yi)
    worst = max(turned, key=lambda i: without[i].p_value[0])
    assert _decisive(mine, models) == {"decisive_trials": len(turned), "decisive_trial": f"Trial t{worst}"}
    assert _decisive(mine.head(2), models) == {}
    # All comparisons of a trial leave together.
    twice = pd.concat([mine, mine.head(1).assign(comparison_id="t0.2")], ignore_index=True)
    alone = pool(yi[1:], vi[1:], ci_method="hartung-knapp guarded")
    said = _decisive(twice.assign(study_id=["a", "b", "c", "d", "e", "a"]), models)
    assert (alone.ci_lower[0] <= 0) == (said["decisive_trials"] > 0)


def test_bounds_of_an_important_effect():
    assert many.bounds(["RR=0.75,1.25", "SMD=0.2", "MD=-5,3"]) == {
        "RR": [0.75, 1.25], "SMD": [-0.2, 0.2], "MD": [-5.0, 3.0]
    }  # fmt: skip
    for wrong in ("RR=0.75", "RR=1.1,1.25", "XX=1", "SMD=a", "SMD", "RR=1.25,0.75", "SMD=-0.2"):
        with pytest.raises(UsageError, match=re.escape(wrong)):
            many.bounds([wrong])


def test_batches_keep_the_order_and_hold_what_a_job_can_take():
    assert many._batches({"a": many.BATCH - 1, "b": 1, "c": 1, "d": 3 * many.BATCH, "e": 2}) == [
        ["a", "b"],
        ["c"],
        ["d"],
        ["e"],
    ]


def test_the_same_files_are_imported_once_and_a_changed_review_is_kept(tmp_path):
    rows = tmp_path / "data-rows.csv.gz"
    rows.write_bytes(gzip.compress(made_corpus.data_rows(3)))
    into = tmp_path / "folder"
    assert "2 reviews" in many.prepare([rows], into, "tables", {}, force=False)
    config = YAML(typ="safe").load((into / "config" / "config.yaml").read_text())["corpus"]
    names = [name for batch in config["batches"] for name in batch]
    assert sorted(names) == sorted(path.name for path in (into / "data").iterdir())
    assert list(config["not_imported"]) == [made_corpus.BAD]
    times = {path: path.stat().st_mtime_ns for path in into.rglob("*") if path.is_file()}
    assert "before" in many.prepare([rows], into, "tables", {}, force=False)
    assert {path: path.stat().st_mtime_ns for path in into.rglob("*") if path.is_file()} == times
    typed = into / "data" / names[0] / "arms.csv"
    typed.write_bytes(typed.read_bytes() + b"\n")
    rows.write_bytes(gzip.compress(made_corpus.data_rows(3) + b"\n"))
    with pytest.raises(Stop, match=names[0]):
        many.prepare([rows], into, "tables", {}, force=False)
    many.prepare([rows], into, "tables", {}, force=True)
    assert not typed.read_bytes().endswith(b"\n\n")


def test_a_review_that_is_called_anything_reaches_no_other_folder(tmp_path):
    hostile = ["../../evil", "a/b/c", "a b c", "<img src=x onerror=alert(1)>", "x" * 300, "..", "-rf"]
    rows = pd.read_csv(io.BytesIO(made_corpus.data_rows(7, bad=False)), dtype=str, keep_default_na=False)
    rows["Review"] = rows["Review"].map(dict(zip(rows["Review"].unique(), hostile, strict=True)))
    (tmp_path / "data-rows.csv").write_text(rows.to_csv(index=False))
    many.prepare([tmp_path / "data-rows.csv"], tmp_path / "deep" / "into", "tables", {}, force=False)
    assert {path.name for path in tmp_path.iterdir()} == {"data-rows.csv", "deep"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["into"]
    found = {path.name for path in (tmp_path / "deep" / "into" / "data").iterdir()}
    assert found == {"evil", "a_b_c", "a_b_c_2", "img_src_x_onerror_alert_1", "x" * 60, "review", "rf"}
    assert many.folder_names(["CD1", "cd1", "CD1"]) == ["CD1", "cd1_2", "CD1_3"]


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", b"", gzip.compress(b"Review,x\n", mtime=0)[:-9]])
def test_what_is_no_corpus_is_said_in_words_and_nothing_is_written(tmp_path, content):
    rows = tmp_path / "rows.csv"
    rows.write_bytes(content)
    with pytest.raises(Stop) as told:
        many.prepare([rows], tmp_path / "folder", "tables", {}, force=False)
    assert told.value.message.strip()
    assert not (tmp_path / "folder").exists()


def test_a_wrong_configuration_is_said_in_one_report():
    said = config_error(
        {"corpus": {"batches": [["a", "a"], ["x"]], "depth": "deep", "important": {"RR": [1]}, "more": 1}}, ["a"]
    )
    for part in ("'x'", "deep", "twice", "RR", "more"):
        assert part in said
    assert "corpus" in config_error({"corpus": []}, ["a"])
    assert "batches" in config_error({"corpus": {"batches": "a"}}, ["a"])
    assert (
        config_error({"corpus": {"batches": [["a"]], "depth": "core", "important": {"RR": [0.75, 1.25]}}}, ["a"]) == ""
    )


def test_printed_rows_may_hold_anything():
    table = printed_rows(b"outcome,comparison_id,estimate,weight\na1_1,x,not said,100\n")
    assert np.isnan(table["estimate"][0])
    assert table["weight"][0] == 100
    assert table["subgroup"][0] == ""


def table_of(**columns):
    rows = [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
    return frame("corpus.csv", rows).assign(reason="", reason_codes="")


def test_an_answer_counts_what_its_rule_says():
    table = table_of(
        review=["a", "a", "b", "b"], outcome=["o1", "o2", "o1", "o2"], measure=["RR", "RR", "MD", "MD"], k=[1, 2, 5, 12],
        agreement=["agrees", "agrees", "weights_differ", "no_weights"], change_guarded=["lost", "lost", "none", ""],
        change_reml_hk=["none", "none", "none", "none"], change_important=[""] * 4, guarded_says=["above", "above", "below", "unclear"],
        pi_includes_no_effect=["", "", "yes", "no"], hk_narrow=["", "yes", "no", "no"], decisive_trials=[np.nan, np.nan, 2, 1],
        rows=[1, 2, 5, 12], rows_back=[1, 2, 4, 12], row_codes=["", "", "row_interval_differs n=1", ""],
    )  # fmt: skip
    found = {one.key: one for one in answers(table)}
    assert set(found) == {
        "weights",
        "conclusion",
        "conclusion-hk",
        "prediction",
        "prediction-conclusive",
        "narrow",
        "one-trial",
    }
    assert found["weights"].answer.startswith("1 of 2 (50.0%)")  # one trial is no pool, no weights are none
    assert found["conclusion"].answer == "1 of 2 lose a conclusion, 0 gain one, 0 turn round (50.0%)"
    assert found["prediction"].answer == "1 of 2 (50.0%)"
    assert found["prediction-conclusive"].answer == "1 of 1 (100.0%)"
    assert found["narrow"].answer == "1 of 3 (33.3%)"
    assert found["one-trial"].answer == "1 of 1 (100.0%)"  # an unclear interval is no conclusion
    by_k = found["narrow"].counts[lambda x: x["by"] == "k"].set_index("group")
    assert by_k.loc["5 to 9", ["asked", "yes", "no"]].tolist() == [1, 0, 1]
    assert rows_back(table) == (20, 19, {"row_interval_differs": 1})
    said = summary(table, pd.DataFrame([{"review": "c", "stage": "check", "problem": "line 1\nline 2"}]))
    assert "2 reviews, 4 analyses, 3 of two trials or more" in said
    assert "c, check: line 1" in said
    assert "line 2" not in said


def test_every_code_has_words_and_hostile_text_stays_text():
    hostile = "</script><script>alert(1)</script>"
    table = table_of(
        review=["a"], doi=["10.1/x"], analysis=["o.all"], outcome=["o"], label=[hostile], measure=["RR"], scale=["log"], k=[4],
        agreement=["agrees"], decisive_trial=[hostile], decisive_trials=[1], guarded_says=["above"], rows=[4], rows_back=[3],
        row_codes=["row_differs n=1"],
    )  # fmt: skip
    problems = pd.DataFrame([{"review": "b", "stage": "check", "problem": hostile}])
    page = corpus_page(table, problems, "core")
    assert hostile not in page
    data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
    row = dict(zip(data["columns"], data["rows"][0], strict=True))
    assert row["label"] == hostile
    assert data["lists"]["row_codes"][row["row_codes"]] == "row_differs"
    assert ROWS["row_differs"] in page
    assert AGREEMENT["agrees"][0] in page
    assert corpus_page(frame("corpus.csv", []), frame("corpus_problems.csv", []), "tables")


def reweigh(*arguments):
    command = [sys.executable, "-m", "reweigh", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def started(done):
    """Batches of which jobs ran."""
    return set(re.findall(r"^Job \d+: batch (\d+): (\w[\w ]*)", done.stdout + done.stderr, re.M))


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Thirty made-up reviews at depth core, one of them bad, and what the command said."""
    folder = tmp_path_factory.mktemp("corpus")
    rows = folder / "data-rows.csv"
    rows.write_bytes(made_corpus.data_rows(30))
    done = reweigh("corpus", rows, "--into", folder / "into", "--depth", "core", "--important", "RR=0.75,1.25")
    return folder / "into", done, rows


@pytest.mark.workflow
def test_thirty_reviews_one_of_them_bad(made):
    into, done, _ = made
    assert done.returncode == 1, done.stderr  # one review is bad
    assert made_corpus.BAD in done.stdout
    assert "Traceback" not in done.stderr
    table, problems = (read_csv(into / "results" / f"{name}.csv") for name in ("corpus", "corpus_problems"))
    assert problems["review"].tolist() == [made_corpus.BAD]
    assert table["review"].nunique() == 29
    assert (table["rows"] == table["rows_back"]).all()
    assert set(table["agreement"]) == {"agrees"}
    assert table.loc[table["k"] >= 2, "model_implied"].ne("").all()
    for row in table.itertuples():
        assert (into / "results" / row.review / "figures" / "forest" / f"{row.analysis}.svg").is_file()
    assert not list((into / "results").glob("*/figures/forest_revman/*"))
    pooled = read_csv(into / "results" / table["review"][0] / "pooled.csv").set_index(["analysis", "model"])
    for row in table[table["review"] == table["review"][0]].itertuples():
        theirs = pooled.loc[(row.analysis, "cochrane")]
        assert (row.reml_hk_estimate, row.guarded_ci_upper) == (
            theirs.estimate_natural,
            theirs.guarded_ci_upper_natural,
        )


@pytest.mark.workflow
def test_only_what_changed_is_made_again_and_a_broken_review_keeps_its_results(made):
    into, _, rows = made
    again = reweigh("corpus", rows, "--into", into, "--depth", "core", "--important", "RR=0.75,1.25")
    assert started(again) == set()
    review = read_csv(into / "results" / "corpus.csv")["review"][0]
    typed, kept = into / "data" / review / "arms.csv", into / "results" / review / "pooled.csv"
    sound, before = typed.read_text(), kept.read_bytes()
    typed.write_text(sound.replace("intervention", "interventoin"))
    broken = reweigh("corpus", rows, "--into", into, "--depth", "core", "--important", "RR=0.75,1.25")
    assert broken.returncode == 1
    assert len({batch for batch, _ in started(broken)}) == 1
    assert review in broken.stdout
    problems = read_csv(into / "results" / "corpus_problems.csv").set_index("review")["problem"]
    assert "interventoin" in problems[review]
    assert kept.read_bytes() == before
    assert review not in set(read_csv(into / "results" / "corpus.csv")["review"])
    typed.write_text(sound)
    mended = reweigh("corpus", rows, "--into", into, "--depth", "core", "--important", "RR=0.75,1.25")
    assert review in set(read_csv(into / "results" / "corpus.csv")["review"]), mended.stderr
    # A plot that somebody deleted is drawn again.
    plot = next((into / "results" / review / "figures" / "forest").glob("*.svg"))
    plot.unlink()
    reweigh("run", "--directory", into)
    assert plot.is_file()


@pytest.mark.browser
@pytest.mark.parametrize("width", [375, 1440])
def test_the_page_finds_what_an_answer_counts(made, browser, width):
    into, _, _ = made
    browser.size(width)
    browser.open((into / "results" / "corpus.html").as_uri())
    table = read_csv(into / "results" / "corpus.csv")
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("document.getElementById('count').textContent").startswith(f"{len(table)} of {len(table)}")
    lost = ((table["change_guarded"] == "lost") & (table["k"] >= 2)).sum()
    assert lost
    total = browser.run("""(() => {
      let found = 0;
      for (const link of document.querySelectorAll('#conclusion a[data-filter^="change_guarded=lost&class"]')) {
        link.click();
        found += parseInt(document.getElementById('count').textContent);
      }
      return found;
    })()""")
    assert total == lost
    browser.run("document.getElementById('all').click()")
    browser.run(
        "(() => { const words = document.getElementById('words'); words.value = 'smd random'; words.dispatchEvent(new Event('input')); })()"
    )
    shown = browser.run("document.querySelectorAll('#rows-table tbody tr').length")
    assert shown == table["label"].str.contains("SMD random").sum()
