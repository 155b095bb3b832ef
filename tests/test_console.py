"""What the terminal says at the end of a run, and after one that was killed."""

import os

from reweigh.console import locked, print_results, told_of

POOLED = """analysis,set,measure,scale,k,estimate_natural,ci_lower_natural,ci_upper_natural
o.end,main,RR,log,3,0.49,0.33,0.73
o.end,main,RR,log,3,0.5,0.4,0.6
o.end.RD,main,RD,natural,3,-0.025,-0.049,-0.001
o.end.other,other,RR,log,2,0.4,0.3,0.5
"""
ROWS = "file,row,status\narms.csv,2,chosen\narms.csv,3,chosen\narms.csv,4,excluded\n"
FLAGS = """kind,rule,file,words
notice,no_window,arms.csv,1 row at baseline: in no window
notice,no_window,arms.csv,2 rows at week 9: in no window
notice,no_window,arms.csv,3 rows at day 4: in no window
notice,no_window,arms.csv,4 rows at day 5: in no window
flag,sd_like_se,arms.csv,SD 2 looks like an SE
"""


def review(folder, name, **files):
    for file, text in {
        "pooled.csv": POOLED,
        "rows.csv": ROWS,
        "flags.csv": FLAGS,
        "exclusions.csv": "x\n",
        **files,
    }.items():
        path = folder / "results" / name / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "results" / name / "figures" / "forest").mkdir(parents=True, exist_ok=True)


def test_the_end_of_a_run_says_what_was_pooled_and_what_was_not_used(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    review(tmp_path, "a")
    print_results(["a", "not built"])
    assert capsys.readouterr().out == (
        "\na\n- o.end: RR 0.49 (0.33 to 0.73); k = 3\n- o.end.RD: RD \u22120.025 (\u22120.049 to \u22120.001); k = 3\n"
        "3 rows: 2 used, 1 not; why: results/a/exclusions.csv\nForest plots: results/a/figures/forest/\n"
        "Note: 1 row at baseline: in no window (arms.csv); 2 rows at week 9: in no window (arms.csv); "
        "3 rows at day 4: in no window (arms.csv); and 1 more in results/a/flags.csv\n"
        "Suspicious numbers: 1, see results/a/flags.csv\n"
    )
    review(
        tmp_path,
        "a",
        **{"summary.md": "# A review\n\n## What was pooled\n\n- Outcome: none\n\n## More\n", "report.html": ""},
    )
    print_results(["a"])
    told = capsys.readouterr().out
    assert told.startswith("\nA review\n- Outcome: none\n3 rows") and "Page: results/a/report.html" in told


def test_what_went_wrong_comes_last_and_in_full(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name in ("good", "bad"):
        review(tmp_path, name)
    for name, text, when in (
        ("bad", "data/bad: 1 problem\nline two", 100), ("good", "", 100), ("bad/old", "an older run", 10),
    ):  # fmt: skip
        log = tmp_path / "logs" / name / "check.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
        os.utime(log, (when, when))
    print_results(["bad", "good"], since=50)
    told = capsys.readouterr().out
    assert told.count("k = 3") == 2  # an earlier result of the bad review is not shown as this run's
    assert told.endswith("\n--- logs/bad/check.log\ndata/bad: 1 problem\nline two\n")
    assert "older" not in told
    print_results(["good"], since=200)
    assert "No job wrote an error report" in capsys.readouterr().out


def test_no_notices_no_lines():
    assert told_of([], "flags.csv") == []


def test_a_lock_is_told_with_the_one_command(tmp_path):
    assert locked([], tmp_path / "locks") == ""
    (tmp_path / "locks").mkdir()
    assert locked([], tmp_path / "locks") == ""
    (tmp_path / "locks" / "0.input.lock").write_text("x")
    told = locked(["core", "--config", "reviews=[a, b]"], tmp_path / "locks")
    assert "\n    snakemake --unlock && snakemake core --config 'reviews=[a, b]'\n" in told
    told = locked(["-d", "my", "core", "--snakefile", "a/Snakefile"], tmp_path / "locks")
    assert "\n    snakemake -d my --snakefile a/Snakefile --unlock && snakemake -d my core --snakefile" in told


def test_a_lock_is_told_with_the_command_that_was_typed(tmp_path, monkeypatch):
    (tmp_path / "0.input.lock").write_text("x")
    monkeypatch.setenv("REWEIGH_COMMAND", "reweigh run core")
    assert "\n    reweigh run core --unlock && reweigh run core\n" in locked(["core", "--snakefile", "x"], tmp_path)
