"""The `reweigh` command, the workflow in any folder, workbooks as tables."""

import csv
import io
import re
import shutil
import subprocess
import sys
import time
import types
import zipfile

import jsonschema
import pandas as pd
import pytest
from click.testing import CliRunner
from openpyxl import Workbook, load_workbook
from ruamel.yaml import YAML

from conftest import ROOT, contents, each
from reweigh.check import examine
from reweigh.cli import workflow
from reweigh.cli.main import main
from reweigh.cli.places import home, tools_file
from reweigh.cli.template import empty_review, schema
from reweigh.console import FORMATS, KEYS, config_error, listed
from reweigh.exchange.result import Cell, Imported
from reweigh.risk_of_bias import read_tools
from reweigh.tables.specs import SPECS
from reweigh.workbooks import TABLES, UnreadableError, read_sheets, with_tables

BCG = ROOT / "data" / "bcg-vaccine"
REVIEWS = sorted(path.parent.name for path in (ROOT / "data").glob("*/review.yaml"))
TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())
FILLED = {
    "title": "Mine", "population": "Adults", "intervention": "Drug", "comparator": "Placebo", "control": "placebo",
    "label": "Relapse", "type": "binary", "measure": "RR", "better": "lower",
}  # fmt: skip
ARMS = (
    "study_id,outcome,timepoint,arm,role,n,events,source\n"
    "a,outcome_1,week 4,drug,intervention,50,10,A 2001\na,outcome_1,week 4,placebo,control,50,20,A 2001\n"
    "b,outcome_1,week 4,drug,intervention,60,12,B 2002\nb,outcome_1,week 4,placebo,control,60,18,B 2002\n"
)
STUDIES = "study_id,label,year\na,A 2001,2001\nb,B 2002,2002\n"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def reweigh(*arguments):
    return CliRunner().invoke(main, arguments)


def fill(folder):
    """Write into an empty review what its protocol asks for, and two trials."""
    path = folder / "review.yaml"
    text = re.sub(r"^( *)(\w+):( +#.*)?$", lambda m: f"{m[1]}{m[2]}: {FILLED[m[2]]}" if m[2] in FILLED else m[0], path.read_text(), flags=re.M)  # fmt: skip
    path.write_text(text)
    if (folder / "arms.csv").exists():
        (folder / "arms.csv").write_text(ARMS)
        (folder / "studies.csv").write_text(STUDIES)


def mine(folder, name="bcg-vaccine"):
    """The vaccine review in another folder."""
    return shutil.copytree(BCG, folder / "data" / name)


def workbook(tables, path):
    """Write tables, lists of rows by name, as sheets; numbers as numbers."""
    book = Workbook()
    book.remove(book.active)
    for name, rows in tables.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append([float(c) if re.fullmatch(r"-?\d+(\.\d+)?", c) else c or None for c in row])
            for cell, text in zip(sheet[sheet.max_row], row, strict=False):
                if cell.data_type == "n" and "." in text:
                    cell.number_format = "0." + "0" * len(text.partition(".")[2])
    book.save(path)


def rows_of(path):
    return list(csv.reader(io.StringIO(path.read_text())))


# --- help -----------------------------------------------------------------------------------------------------------


def test_help_says_what_there_is():
    told = reweigh("--help")
    assert told.exit_code == 0
    for name in main.commands:
        assert name in told.output
    assert "Exit status: 0 well, 1 problems in the input, 2 wrong usage" in told.output
    assert "..." not in told.output.partition("Commands:")[2], "a summary is cut off"


@pytest.mark.parametrize("name", sorted(main.commands))
def test_help_of_a_command_needs_no_page(name):
    told = reweigh(name, "-h")
    assert told.exit_code == 0
    command = main.commands[name]
    assert len(command.help.split()) > 15
    for one in command.params:
        assert one.param_type_name == "argument" or one.help, one.name


@pytest.mark.parametrize(
    "arguments", [["run", "--cores", "0"], ["frob"], ["new"], ["check", "--frob"], ["import", "x"]]
)
def test_wrong_usage_is_2(here, arguments):
    told = reweigh(*arguments)
    assert told.exit_code == 2
    assert "Traceback" not in told.output


def test_python_m_reweigh():
    run = subprocess.run([sys.executable, "-m", "reweigh", "--help"], env={"PYTHONPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False)  # fmt: skip
    assert run.returncode == 0 and run.stdout.startswith("Usage: reweigh ")


# --- new and check --------------------------------------------------------------------------------------------------


def test_a_new_review_is_told_exactly_what_is_still_to_be_filled_in(here):
    assert reweigh("new", "x").exit_code == 0
    told = reweigh("check", "x")
    assert told.exit_code == 1
    lines = (here / "data/x/review.yaml").read_text().splitlines()
    empty = {at for at, line in enumerate(lines, 1) if (m := re.match(r" *(\w+):(?: +#.*)?$", line)) and m[1] in FILLED}
    named = set(
        map(int, re.findall(r"review.yaml, line (\d+), key [\w.]+: is still to be filled in; allowed: ", told.output))
    )
    assert named == empty and len(named) == 10
    assert "'time_to_event', 'generic', 'correlation', 'proportion' or 'mean'" in told.output
    rest = [line for line in told.output.splitlines()[1:] if "filled in" not in line]
    assert rest == [
        f"data/x/{file}: the file has a header but no rows; allowed: at least one row"
        for file in ("arms.csv", "studies.csv")
    ]


def test_a_new_review_that_is_filled_in_passes(here):
    reweigh("new", "x")
    fill(here / "data" / "x")
    told = reweigh("check", "x")
    assert told.output == "data/x: no problems\n" and told.exit_code == 0
    assert reweigh("check").output == told.output
    assert reweigh("check", str(here / "data" / "x")).output == f"{here}/data/x: no problems\n"


def test_the_commented_keys_of_a_new_protocol_are_right(here):
    """A key that somebody uncomments is read."""
    reweigh("new", "x")
    folder = here / "data" / "x"
    fill(folder)
    path = folder / "review.yaml"
    text = path.read_text().replace("measure: RR", "measure: MD").replace("type: binary", "type: continuous")
    path.write_text(re.sub(r"^( *)# ((?:also|scale|unit|smallest_important_difference|table_source|windows|  week_4|categories|  setting|subgroups|models|sets|  main|  large):.*)$", r"\1\2", text, flags=re.M).replace("also: [OR]", "also: [SMD]"))  # fmt: skip
    (folder / "studies.csv").write_text(STUDIES.replace("year\n", "year,design,setting\n").replace("2001\n", "2001,parallel,primary\n").replace("2002\n", "2002,crossover,hospital\n"))  # fmt: skip
    (folder / "arms.csv").write_text(
        ARMS.replace("events", "mean,sd").replace(",50,", ",50,3,").replace(",60,", ",60,4,")
    )
    told = reweigh("check", "x")
    assert told.exit_code == 0, told.output


def test_new_overwrites_nothing(here):
    reweigh("new", "x")
    before = contents(here)
    told = reweigh("new", "x")
    assert told.exit_code == 1 and "nothing was written" in told.output and "--force" not in told.output
    assert contents(here) == before
    (here / "data/x/review.yaml").unlink()
    assert reweigh("new", "x").exit_code == 1 and not (here / "data/x/review.yaml").exists()


@pytest.mark.parametrize("name", ["a b", ".x", "-x", "..", "data/..", "x/y z", "ü'"])
def test_a_name_that_cannot_be_one_is_wrong_usage(here, name):
    assert reweigh("new", "--", name).exit_code == 2
    assert not contents(here)


def test_a_review_that_is_not_there(here):
    told = reweigh("check")
    assert told.exit_code == 1 and "`reweigh new NAME` makes one" in told.output
    mine(here)
    assert "Did you mean bcg-vaccine?" in reweigh("check", "bcg-vacine").output
    assert "There are: bcg-vaccine." in reweigh("check", "x").output


def test_check_names_every_problem(here):
    folder = mine(here)
    (folder / "arms.csv").write_text(
        (folder / "arms.csv").read_text().replace(",139,11", ",139,1x").replace("s02", "s2x")
    )
    told = reweigh("check")
    assert told.exit_code == 1
    for part in ("data/bcg-vaccine/arms.csv", '"1x"', "s2x"):
        assert part in told.output


def test_a_folder_may_have_tools_of_its_own(here):
    assert (
        tools_file(here / "data")
        == home() / "data" / "risk_of_bias_tools.yaml"
        == ROOT / "data" / "risk_of_bias_tools.yaml"
    )
    (here / "data").mkdir()
    (here / "data" / "risk_of_bias_tools.yaml").write_text("tools: {}")
    assert tools_file(here / "data") == here / "data" / "risk_of_bias_tools.yaml"


@pytest.mark.parametrize("text", ["tools: [", "x: 1", "tools: {a: {levels: 1}}", "3"])
def test_tools_that_cannot_be_read_are_one_line(here, text):
    mine(here)
    (here / "data" / "risk_of_bias_tools.yaml").write_text(text)
    told = reweigh("check")
    assert told.exit_code == 1 and re.fullmatch(r"data/risk_of_bias_tools.yaml: .+\n", told.output), told.output


def test_what_the_system_refuses_is_one_line(here, monkeypatch):
    mine(here)

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("reweigh.cli.checking.report", refused)
    told = reweigh("check")
    assert told.exit_code == 1 and told.output == "data/bcg-vaccine: Permission denied\n"


@pytest.mark.slow
def test_check_takes_about_a_second(here):
    mine(here)
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "reweigh", "check"],
        env={"PYTHONPATH": str(ROOT / "src")},
        check=True,
        capture_output=True,
    )
    assert time.perf_counter() - start < 4  # 1.2 s by itself; the machine may be busy


# --- the schema -----------------------------------------------------------------------------------------------------


def typed(path):
    return YAML(typ="safe", pure=True).load(path.read_bytes())


@pytest.mark.parametrize("review", REVIEWS)
def test_the_schema_takes_what_the_check_takes(review):
    import json

    rules = json.loads(schema())
    protocol = json.loads(json.dumps(typed(ROOT / "data" / review / "review.yaml")))
    jsonschema.Draft202012Validator(rules).validate(protocol)
    with pytest.raises(jsonschema.ValidationError, match="outcmes"):
        jsonschema.Draft202012Validator(rules).validate(protocol | {"outcmes": {}})


def test_the_schema_is_linked_and_no_problem(here):
    files = empty_review("x")
    assert files["review.yaml"].splitlines()[0] == b"# yaml-language-server: $schema=review.schema.json"
    folder = mine(here)
    (folder / "review.schema.json").write_bytes(files["review.schema.json"])
    assert reweigh("check").exit_code == 0


# --- open -----------------------------------------------------------------------------------------------------------


def test_open_prints_the_page_that_is_there(here):
    assert reweigh("open", "--print").exit_code == 1
    mine(here)
    assert "`reweigh run` makes it" in reweigh("open", "bcg-vaccine", "--print").output
    (here / "results/bcg-vaccine/figures/forest").mkdir(parents=True)
    assert reweigh("open", "--print").output == "results/bcg-vaccine/figures/forest\n"
    (here / "results/bcg-vaccine/report.html").touch()
    (here / "results/index.html").touch()
    for arguments in ([], ["bcg-vaccine"]):
        assert reweigh("open", *arguments, "--print").output == "results/bcg-vaccine/report.html\n"
    (here / "results/two").mkdir()
    (here / "results/two/report.html").touch()
    assert reweigh("open", "--print").output == "results/index.html\n"
    other = here / "elsewhere"
    mine(other, "x")
    (other / "results" / "x").mkdir(parents=True)
    (other / "results" / "x" / "report.html").touch()
    assert reweigh("open", "elsewhere/data/x", "--print").output == "elsewhere/results/x/report.html\n"
    assert reweigh("open", "gallery", "--print").exit_code == 1
    (here / "results/gallery/x").mkdir(parents=True)
    for name, page in (("gallery", "results/gallery.html"), ("gallery/x", "results/gallery/x/report.html")):
        (here / page).touch()
        assert reweigh("open", name, "--print").output == f"{page}\n"


def test_open_opens_it(here, monkeypatch):
    (here / "results/x").mkdir(parents=True)
    (here / "results/x/report.html").touch()
    opened = []
    monkeypatch.setattr("click.launch", lambda page: opened.append(page) or 0)
    assert reweigh("open", "x").exit_code == 0 and opened == [str(here / "results/x/report.html")]
    monkeypatch.setattr("click.launch", lambda page: 1)
    told = reweigh("open", "x")
    assert told.exit_code == 1 and told.output == "No browser could be opened; the page is results/x/report.html\n"


# --- run ------------------------------------------------------------------------------------------------------------


def test_run_without_snakemake_says_what_to_install(here, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    told = reweigh("run")
    assert told.exit_code == 1 and told.output == "`reweigh run` needs Snakemake: pip install 'reweigh[workflow]'\n"


@pytest.mark.parametrize(("status", "told"), [(0, 0), (1, 1), (2, 1), (-9, 1)])
def test_run_gives_snakemake_what_was_asked_for(here, monkeypatch, status, told):
    asked = []
    monkeypatch.setattr(workflow, "run", lambda arguments, said: asked.append(arguments) or status)
    result = reweigh("run", "core", "--cores", "1", "--review", "a", "--review", "b", "--as-of", "2010", "--unlock")
    assert result.exit_code == told
    assert asked[0][:5] == [sys.executable, "-P", "-m", "snakemake", "core"]
    said = " ".join(asked[0])
    assert f"--snakefile {ROOT}/Snakefile --directory . " in said
    assert said.endswith("--cores 1 --config reviews=[a, b] as_of=2010 --unlock")


def test_a_profile_is_one_that_comes_with_the_workflow_or_a_folder(here, monkeypatch):
    asked = []
    monkeypatch.setattr(workflow, "run", lambda arguments, said: asked.append(arguments) or 0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    mine(here)

    def profile():
        return asked[-1][asked[-1].index("--workflow-profile") + 1]

    assert reweigh("run").exit_code == 0
    assert profile() == f"{ROOT}/profiles/default" and "--cores" not in asked[-1]
    (here / "slurm").mkdir()
    (here / "slurm" / "config.yaml").write_text("executor: dryrun\n")
    assert reweigh("run", "--profile", "slurm").exit_code == 0
    assert profile() == f"{ROOT}/profiles/slurm"
    assert reweigh("run", "--profile", "./slurm").exit_code == 0
    assert profile() == "slurm"
    told = reweigh("run", "--profile", "slrum")
    assert told.exit_code == 2 and "none of default, slurm" in told.output
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    told = reweigh("run", "--profile", "slurm")
    assert told.exit_code == 1 and "pip install 'reweigh[slurm]'" in told.output
    assert len(asked) == 3


def test_a_target_is_a_name_of_the_three_a_review_or_a_file(here, monkeypatch):
    asked = []
    monkeypatch.setattr(workflow, "run", lambda arguments, said: asked.append(arguments) or 0)
    mine(here)
    assert reweigh("run", "bcg-vaccine", "core", "results/bcg-vaccine/pooled.csv").exit_code == 0
    assert asked[0][4:6] == ["core", "results/bcg-vaccine/pooled.csv"]
    assert asked[0][-2:] == ["--config", "reviews=[bcg-vaccine]"]
    told = reweigh("run", "bcg-vacine")
    assert told.exit_code == 2 and "'bcg-vacine' is no target. Did you mean 'bcg-vaccine'?" in told.output
    assert len(asked) == 1


def test_a_run_that_is_interrupted_waits_for_snakemake(monkeypatch):
    class Job:
        left = 2

        def wait(self):
            self.left -= 1
            if self.left:
                raise KeyboardInterrupt
            return 1

    monkeypatch.setattr("subprocess.Popen", lambda *_, **__: Job())
    assert workflow.run(["x"], ["run"]) == 1


@pytest.mark.workflow
def test_a_run_in_another_folder(here):
    """Without a configuration, from a workbook, twice; the results are those of the CSV files."""
    folder = mine(here, "csv")
    other = mine(here, "book")
    tables = {name: rows_of(other / f"{name}.csv") for name in ("studies", "arms", "published")}
    workbook(tables, other / "tables.xlsx")
    for name in tables:
        (other / f"{name}.csv").unlink()
    shutil.copytree(BCG, here / "data" / "no-protocol", ignore=shutil.ignore_patterns("review.yaml"))
    run = command(here, "run", "--cores", "1")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "no-protocol" not in run.stdout + run.stderr
    results = here / "results"
    one, two = contents(results / "csv"), contents(results / "book")
    assert one.keys() == two.keys() and len(one) > 100
    # What names the review or its files differs; no number does.
    named = {"report.html", "run_summary.txt", "workbook.xlsx", "summary.md", "core_summary.txt", "provenance.json"}
    assert {name for name in one if one[name] != two[name]} <= named
    for review in ("csv", "book"):
        text = (results / review / "run_summary.txt").read_text()
        assert text.startswith("BCG vaccine against tuberculosis\n- ") and f"Page: results/{review}/report.html" in text
        assert text.strip() in run.stdout
    assert "Nothing to be done" in (again := command(here, "run", "--cores", "1")).stdout + again.stderr
    assert command(here, "open", "csv", "--print").stdout == "results/csv/report.html\n"
    assert folder.exists()


def command(folder, *arguments):
    """The command as a person types it."""
    return subprocess.run([sys.executable, "-P", "-m", "reweigh", *arguments], cwd=folder, env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""}, capture_output=True, text=True, check=False)  # fmt: skip


@pytest.mark.workflow
def test_a_bad_review_stops_itself_and_no_other(here):
    mine(here, "good")
    bad = mine(here, "bad")
    (bad / "arms.csv").write_text((bad / "arms.csv").read_text().replace(",139,11", ",139,1x"))
    for name in ("pandas", "json", "click", "reweigh"):
        (here / f"{name}.py").write_text("raise SystemExit('a module of a stranger')")
    run = command(here, "run", "core", "--cores", "1")
    said = run.stdout + run.stderr
    assert run.returncode == 1 and "Traceback" not in said
    assert said.count('data/bad/arms.csv, row 3, column events: "1x"') >= 1
    assert (
        (here / "results/good/core_summary.txt")
        .read_text()
        .startswith("good\n- tuberculosis.end_of_follow_up: RR 0.49")
    )
    assert not (here / "results/bad").exists()


@pytest.mark.workflow
def test_a_folder_without_reviews_says_so(here):
    run = command(here, "run")
    assert (
        run.returncode == 1
        and "no folder under data/ has a review.yaml. `reweigh new NAME` makes one" in run.stdout + run.stderr
    )


@pytest.mark.workflow
@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_the_workflow_is_a_module_of_another_one(here, snakefile):
    mine(here)
    (here / "config").mkdir()
    (here / "config/config.yaml").write_text("samples: [of another workflow]\n")
    (here / "Snakefile").write_text(f"""
configfile: "config/config.yaml"
module reweigh:
    snakefile: "{ROOT}/{snakefile}"
    config: {{"figure_formats": ["svg", "png"]}}
use rule * from reweigh as reweigh_*
rule mine:
    default_target: True
    input:
        "results/bcg-vaccine/core_summary.txt",
        "results/bcg-vaccine/figures/index.csv",
""")
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1"], cwd=here, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "RR 0.49 (0.33 to 0.73); k = 13" in (here / "results/bcg-vaccine/core_summary.txt").read_text()
    assert list((here / "results/bcg-vaccine/figures/forest").glob("*.png"))


@pytest.mark.workflow
@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_without_a_target_all_is_built(here, snakefile):
    """An included file does not pass its default target on."""
    mine(here)
    arguments = ["--dry-run", "--snakefile", str(ROOT / snakefile), "--quiet", "rules"]
    run = subprocess.run([sys.executable, "-m", "snakemake", *arguments], cwd=here, capture_output=True, text=True, check=False)  # fmt: skip
    assert re.search(r"^report_index +1$", run.stdout, re.MULTILINE), run.stdout + run.stderr


@pytest.mark.workflow
def test_every_rule_says_what_it_does():
    run = subprocess.run(
        [sys.executable, "-m", "snakemake", "--list"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    rules = [line for line in run.stdout.splitlines() if re.match(r"\w+( \(|$)", line)]
    assert len(rules) > 15 and all(re.fullmatch(r"\w+ \(.+\.\)", line) for line in rules), run.stdout


@pytest.mark.workflow
def test_a_wheel_in_a_fresh_environment(tmp_path):
    """Command and workflow travel in the wheel; nothing of the clone is used."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    source = tmp_path / "source"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".git", ".venv", ".snakemake", "results", "work", "logs", "tests", "node_modules", "__pycache__"))  # fmt: skip
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "-w", str(tmp_path), str(source)],
        check=True,
        capture_output=True,
    )
    shutil.rmtree(source)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    python = tmp_path / "env/bin/python"
    site = subprocess.run(
        [str(python), "-c", "import site; print(site.getsitepackages()[0])"], capture_output=True, text=True, check=True
    ).stdout.strip()
    # What reweigh needs is taken from this environment; reweigh itself is the wheel's.
    (tmp_path / site / "needs.pth").write_text("\n".join(p for p in sys.path if p.endswith("site-packages")))
    [wheel] = tmp_path.glob("*.whl")
    subprocess.run(
        [*pip, "--python", str(python), "install", "--no-deps", "--no-index", "--ignore-installed", str(wheel)],
        check=True,
        capture_output=True,
    )
    folder = tmp_path / "empty"
    folder.mkdir()

    def typed(*arguments):
        found = subprocess.run([str(tmp_path / "env/bin/reweigh"), *arguments], cwd=folder, env={"PATH": ""}, capture_output=True, text=True, check=False)  # fmt: skip
        return found.returncode, found.stdout + found.stderr

    assert typed("new", "x")[0] == 0
    assert typed("check", "x")[0] == 1
    fill(folder / "data" / "x")
    assert typed("check", "x") == (0, "data/x: no problems\n")
    status, told = typed("run", "--cores", "1", "core")
    assert status == 0, told
    assert "- outcome_1.all: RR 0.58" in told
    assert str(ROOT) not in told and str(tmp_path / "env") in told
    assert typed("open", "--print") == (0, "results/x/figures/forest\n")
    # The library of a notebook needs no Snakemake.
    lines = (
        "import sys; sys.modules['snakemake'] = None\n"
        "import reweigh as rw; from pathlib import Path\n"
        "d = rw.escalc(measure='RR', events1=[4, 6, 3], n1=[123, 306, 231], events2=[11, 29, 11], n2=[139, 303, 220])\n"
        "page = rw.meta(d).report('one.html').read_text()\n"
        "assert page.count('<svg') == 2 and '@font-face' in page and Path(rw.__file__).with_name('py.typed').exists()\n"
        "print(rw.read_review('data/x').analyses.index[0])"
    )
    done = subprocess.run([str(python), "-c", lines], cwd=folder, capture_output=True, text=True, check=False)
    assert done.stdout == "outcome_1.all\n", done.stderr


# --- import ---------------------------------------------------------------------------------------------------------


def imported(**changed):
    files = {name: (BCG / name).read_bytes() for name in ("review.yaml", "arms.csv", "studies.csv")}
    tables = {name: pd.read_csv(BCG / f"{name}.csv", dtype=str) for name in ("arms", "studies")}
    cells = (Cell("w.csv", 2, "n", "NR", "", "emptied"), Cell("w.csv", 3, "n", "NR", "", "emptied"))
    told = Imported(tables, typed(BCG / "review.yaml"), {}, cells, ("the measure was guessed: RR",), **changed)
    return told, files


@pytest.fixture
def readers(monkeypatch):
    """The readers and the writer, which give what a test says and keep what they were given."""
    seen = types.SimpleNamespace(answer=imported(), given=None)

    def read(files, options):
        seen.given = files, options
        return seen.answer[0]

    def read_map(content):
        if not content:
            raise ValueError("the map of columns has no keys")
        return content

    for name, has in (
        ("read", {"read": read}), ("write", {"written": lambda _: seen.answer[1]}), ("options", {"Options": dict, "read_map": read_map}),
    ):  # fmt: skip
        module = types.ModuleType(f"reweigh.exchange.{name}")
        vars(module).update(has)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return seen


def test_import_previews_writes_and_checks(here, readers):
    (here / "w.csv").write_text("x")
    (here / "MAP.yaml").write_text("columns: {study_id: Trial}\n")
    told = reweigh(
        "import", "w.csv", "--into", "x", "--columns", "MAP.yaml", "--measure", "RR", "--arms", "BCG", "none"
    )
    assert told.exit_code == 0, told.output
    files, options = readers.given
    assert files == {"w.csv": b"x"}
    assert options == {
        "columns": b"columns: {study_id: Trial}\n",
        "measure": "RR",
        "arms": ("BCG", "none"),
        "tools": TOOLS,
    }
    for line in ("13 trials, 1 outcome\n", "  tuberculosis: Tuberculosis, RR\n", "Rows: 26 in arms, 13 in studies\n",
                 "Note: the measure was guessed: RR\n", "2 emptied; each stands in imported.csv", "data/x: no problems\n"):  # fmt: skip
        assert line in told.output
    first, _, rest = (here / "data/x/review.yaml").read_text().partition("\n")
    assert first == "# yaml-language-server: $schema=review.schema.json" and rest == (BCG / "review.yaml").read_text()
    assert (here / "data/x/review.schema.json").read_bytes() == schema()


def test_import_overwrites_only_by_force(here, readers):
    (here / "w.csv").write_text("x")
    assert reweigh("import", "w.csv", "--into", "x").exit_code == 0
    (here / "data/x/arms.csv").write_text("mine")
    again = reweigh("import", "w.csv", "--into", "x")
    assert again.exit_code == 1 and "or overwrite it with --force" in again.output
    assert (here / "data/x/arms.csv").read_text() == "mine"
    (here / "data/x/contrasts.csv").write_text("of another import")
    forced = reweigh("import", "w.csv", "--into", "x", "--force")
    assert forced.exit_code == 1 and "Note: contrasts.csv of the earlier review stayed" in forced.output
    (here / "data/x/contrasts.csv").unlink()
    assert reweigh("import", "w.csv", "--into", "x", "--force").exit_code == 0
    assert (here / "data/x/arms.csv").read_bytes() == (BCG / "arms.csv").read_bytes()


def test_judgements_alone_join_a_review(here, readers):
    folder = mine(here, "x")
    (folder / "imported.csv").write_bytes(b"file,row,column,was,became,code\na.csv,2,n,NR,,emptied\n")
    (here / "w.csv").write_text("x")
    judged = b"study_id,tool,domain,judgement\ns01,rob1,overall,low\n"
    readers.answer = (
        Imported({"risk_of_bias": pd.DataFrame({"study_id": ["s01"]})}, {"title": "To be filled in"}),
        {"review.yaml": b"title: To be filled in", "risk_of_bias.csv": judged, "studies.csv": b"study_id\ns01\n", "imported.csv": b"file,row,column,was,became,code\nw.csv,2,D1,+,low,read\n"},
    )  # fmt: skip
    tool = next(iter(TOOLS.values()))
    readers.answer[1]["risk_of_bias.csv"] = judged.replace(b"rob1", tool.name.encode()).replace(
        b",low", f",{tool.levels[0].name}".encode()
    )
    told = reweigh("import", "w.csv", "--into", "x")
    assert told.exit_code == 0, told.output
    for name in ("review.yaml", "studies.csv"):
        assert (folder / name).read_bytes() == (BCG / name).read_bytes()
    assert (folder / "imported.csv").read_text().splitlines()[1:] == ["a.csv,2,n,NR,,emptied", "w.csv,2,D1,+,low,read"]
    again = reweigh("import", "w.csv", "--into", "x")
    assert again.exit_code == 1 and "risk_of_bias.csv already" in again.output
    assert len((folder / "imported.csv").read_text().splitlines()) == 3


def test_what_cannot_be_imported_is_said_and_nothing_is_written(here, readers):
    (here / "w.csv").write_text("x")
    readers.answer = imported(problems=("w.csv is none of these.", "It looks like a poem."))
    told = reweigh("import", "w.csv", "--into", "x")
    assert told.exit_code == 1 and told.output == "w.csv is none of these.\nIt looks like a poem.\n"
    assert not (here / "data").exists()


def test_an_import_that_does_not_pass_the_check_is_1(here, readers):
    (here / "w.csv").write_text("x")
    readers.answer[1]["arms.csv"] = readers.answer[1]["arms.csv"].replace(b",139,11", b",139,1x")
    told = reweigh("import", "w.csv", "--into", "x")
    assert told.exit_code == 1 and '"1x"' in told.output and (here / "data/x/arms.csv").exists()


def test_a_folder_is_imported_as_its_files(here, readers):
    for name in ("a.csv", "b.csv", "in/c.csv"):
        (here / "package" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "package" / name).write_text(name)
    assert reweigh("import", "package", "--into", "x").exit_code == 0
    assert list(readers.given[0]) == ["a.csv", "b.csv", "in/c.csv"]
    (here / "a.csv").touch()
    told = reweigh("import", "package", "a.csv", "--into", "y")
    assert told.exit_code == 1 and "Two of the files are called a.csv" in told.output


def test_a_map_that_is_none_is_one_sentence(here, readers):
    (here / "w.csv").touch()
    (here / "MAP.yaml").touch()
    told = reweigh("import", "w.csv", "--into", "x", "--columns", "MAP.yaml")
    assert told.exit_code == 1 and told.output == "MAP.yaml: the map of columns has no keys\n"


# --- workbooks ------------------------------------------------------------------------------------------------------


def test_an_empty_workbook_has_a_sheet_per_table_lists_and_notes(here):
    assert reweigh("new", "x", "--workbook").exit_code == 0
    folder = here / "data" / "x"
    assert sorted(contents(folder)) == ["review.schema.json", "review.yaml", "tables.xlsx"]
    book = load_workbook(folder / "tables.xlsx")
    assert book.sheetnames == ["studies", "arms", "contrasts", "risk_of_bias"]
    for sheet in book.worksheets:
        spec = SPECS[f"{sheet.title}.csv"]
        header = list(sheet[1])
        columns = [one for one in spec.columns if one.name not in ("eligible", "exclusion_reason")]
        assert [cell.value for cell in header] == [one.name for one in columns]
        assert all("Allowed: " in cell.comment.text for cell in header)
        lists = {str(one.sqref): one.formula1 for one in sheet.data_validations.dataValidation}
        choices = {f"{c.column_letter}2:{c.column_letter}2001": f'"{",".join(one.choices)}"' for c, one in zip(header, columns, strict=True) if one.choices}  # fmt: skip
        assert lists == choices
    assert empty_review("x", workbook=True) == empty_review("x", workbook=True)
    told = reweigh("check", "x")
    assert told.exit_code == 1
    assert (
        told.output.splitlines()[-1]
        == "data/x/tables.xlsx, sheet arms: the file has a header but no rows; allowed: at least one row"
    )
    assert "studies" not in told.output


def test_a_workbook_that_is_filled_in_passes(here):
    reweigh("new", "x", "--workbook")
    folder = here / "data" / "x"
    fill(folder)
    book = load_workbook(folder / "tables.xlsx")
    for name, text in (("arms", ARMS), ("studies", STUDIES)):
        header = [cell.value for cell in book[name][1]]
        for row in csv.DictReader(io.StringIO(text)):
            book[name].append([int(row[c]) if row.get(c, "").isdigit() else row.get(c) for c in header])
    book.save(folder / "tables.xlsx")
    assert reweigh("check", "x").output == "data/x: no problems\n"
    for name in ("arms", "studies"):
        text = read_sheets((folder / "tables.xlsx").read_bytes())[name].decode()
        assert len(list(csv.DictReader(io.StringIO(text)))) == {"arms": 4, "studies": 2}[name]


@pytest.mark.parametrize("review", each(REVIEWS))
@pytest.mark.parametrize("apart", [False, True])
def test_a_workbook_gives_the_tables_that_csv_files_give(review, apart, tmp_path):
    folder = ROOT / "data" / review
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    tables = {name: rows_of(folder / f"{name}.csv") for name in TABLES if f"{name}.csv" in files}
    books = {name: {name: rows} for name, rows in tables.items()} if apart else {"tables": tables}
    typed = {name: content for name, content in files.items() if name.removesuffix(".csv") not in tables}
    for name, sheets in books.items():
        workbook(sheets, tmp_path / f"{name}.xlsx")
        typed[f"{name}.xlsx"] = (tmp_path / f"{name}.xlsx").read_bytes()
    expected, protocol, problems = examine(files, TOOLS)
    found, same, others = examine(typed, TOOLS)
    assert (problems, others) == ([], []) and protocol == same
    for name in ("studies", "arms", "contrasts", "risk_of_bias"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(expected, name))


def sheets(**tables):
    book = Workbook()
    book.remove(book.active)
    for name, rows in tables.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    return book


def saved(book):
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


HEADER = ["study_id", "outcome", "timepoint", "arm", "role", "n", "events", "percent", "source"]


def test_a_problem_of_a_workbook_has_its_sheet_and_row():
    from datetime import date, datetime

    rows = [
        HEADER,
        ["a", "tuberculosis", "end of follow-up", "x", "intervention", 50, 10, None, "A"],
        [],
        ["a", "tuberculosis", "end of follow-up", "y", "control", "=25+25", True, 0.25, "A"],
        ["b", "tuberculosis", "end of follow-up", "x", "intervention", date(2019, 5, 1), datetime(2019, 5, 1, 12), "#N/A", "A"],
    ]  # fmt: skip
    book = sheets(arms=rows, studys=[["study_id"], ["a"]], notes=[["anything"]])
    book["arms"]["H4"].number_format = "0%"
    files = {"review.yaml": (BCG / "review.yaml").read_bytes(), "tables.xlsx": saved(book)}
    told = [(p.file, p.row, p.column, p.value) for p in examine(files, TOOLS)[2]]
    where = "tables.xlsx, sheet arms"
    for one in (
        (where, 4, "n", "=25+25"), (where, 4, "events", "TRUE"), (where, 4, "percent", "25%"),
        (where, 5, "n", "2019-05-01"), (where, 5, "events", "2019-05-01 12:00:00"), (where, 5, "percent", "#N/A"),
        ("tables.xlsx", None, "", "studys"),
    ):  # fmt: skip
        assert one in told, told
    assert "notes" not in str(told)


def test_numbers_of_a_workbook_are_those_that_it_shows():
    content = saved(sheets(arms=[["n", "x"], [0.1 + 0.2, 12.0], [1e-7, 1234567890123456], [7, -0.5]]))
    assert read_sheets(content)["arms"] == b"n,x\n0.3,12\n1e-07,1.23456789012346e+15\n7,-0.5\n"
    formats = {
        0.7: "0.00",
        3.14159: "0.00",
        1234.5: "#,##0.00",
        5: "0.0",
        6: "General",
        0.25: "0.0%",
        8: "0.0;[Red]-0.0",
    }
    book = sheets(arms=[["n"], *([number] for number in formats)])
    for row, look in enumerate(formats.values(), start=2):
        book["arms"].cell(row, 1).number_format = look
    assert read_sheets(saved(book))["arms"].decode().split() == [
        "n",
        "0.70",
        "3.14159",
        "1234.50",
        "5.0",
        "6",
        "25.0%",
        "8.0",
    ]


def test_a_table_that_stands_twice_is_a_problem():
    files = {name: (BCG / name).read_bytes() for name in ("review.yaml", "arms.csv", "studies.csv")}
    rows = rows_of(BCG / "studies.csv")
    both = files | {"tables.xlsx": saved(sheets(studies=rows)), "studies.xlsx": saved(sheets(whatever=rows))}
    told = [(p.file, p.message) for p in examine(both, TOOLS)[2]]
    assert told == [
        ("studies.csv", "the table stands here and in tables.xlsx, sheet studies"),
        ("studies.csv", "the table stands here and in studies.xlsx"),
    ]
    empty = files | {"tables.xlsx": saved(sheets(studies=rows[:1]))}
    assert examine(empty, TOOLS)[2] == []


def test_a_broken_workbook_is_one_problem_and_nothing_is_missing_beside_it():
    files = {"review.yaml": (BCG / "review.yaml").read_bytes()}
    for content, said in (
        (b"junk", "is not an Excel workbook"), (b"", "is not an Excel workbook"),
        (archive({"a.txt": b"x"}), "cannot be read as an Excel workbook"),
        (archive({"a.txt": b"0" * 200_000_001}), "is too large once it is unpacked"),
    ):  # fmt: skip
        problems = examine(files | {"tables.xlsx": content}, TOOLS)[2]
        assert [p.file for p in problems] == ["tables.xlsx"] and said in problems[0].message, problems


def archive(files):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as book:
        for name, data in files.items():
            book.writestr(name, data)
    return content.getvalue()


def test_a_workbook_of_too_many_cells_is_refused(monkeypatch):
    monkeypatch.setattr("reweigh.workbooks._CELLS", 5)
    with pytest.raises(UnreadableError, match="more than 5 cells"):
        read_sheets(saved(sheets(arms=[["a", "b"], ["c", "d"]])))


def test_a_workbook_of_one_table_may_call_its_sheet_as_it_likes():
    rows = [["study_id"], ["a"]]
    for content in (sheets(Tabelle1=rows), sheets(notes=[["x"]], studies=rows)):
        assert with_tables({"studies.xlsx": saved(content)}).files == {"studies.csv": b"study_id\na\n"}


# --- the configuration ----------------------------------------------------------------------------------------------


def test_the_configuration_may_be_absent():
    assert config_error({}, []) == ""
    assert listed({}, "reviews") == [] and listed({"reviews": "a"}, "reviews") == ["a"]


def test_the_schema_of_the_configuration_is_that_of_the_check():
    rules = typed(ROOT / "workflow" / "schemas" / "config.schema.yaml")
    assert tuple(rules["properties"]) == KEYS and tuple(rules["$defs"]["format"]["enum"]) == FORMATS
    check = jsonschema.Draft202012Validator(rules)
    check.validate(typed(ROOT / "config" / "config.yaml"))
    names = ["a", "b"]
    for config in ({"reviews": "a"}, {"reviews": ["b", "a"]}, {"as_of": 1999}, {"as_of": "2020"}, {"figure_formats": ["svg", "pdf"]}, {"reviews": []}, {"as_of": 3000}, {"figure_formats": "gif"}, {"revews": "a"}, {"reviews": ["a", "a"]}):  # fmt: skip
        assert check.is_valid(config) == (config_error(config, names) == ""), config
