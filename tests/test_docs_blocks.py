"""The pages of docs/: what they show is run, what comes of it is what they say, links lead somewhere."""

import io
import os
import re
import shutil
import subprocess
import sys
from contextlib import chdir, redirect_stdout
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from conftest import ROOT
from pages import BUILDS, DOCS, blocks, commands, effects
from reweigh.check import check
from reweigh.cli.main import main

PAGES = sorted(DOCS.rglob("*.md"))
LANGUAGES = {"sh", "python", "yaml", "csv", "text"}
#: Their Python is held to what they print by tests/test_docs.py and tests/test_notebook.py.
BY_HAND = ("reproduce-", "notebook.md")
#: What the site makes of the code; a page cannot link to it in the repository.
MOST_NOT_RUN = 10


def name(page):
    return str(page.relative_to(DOCS))


def given(page):
    """What a page wants in its folder: "clone", or a folder or file of the repository."""
    found = re.match(r"<!-- with: (\S+) -->", page.read_text())
    return found[1] if found else ""


def prepared(page, folder):
    """The folder in which the blocks of a page are run."""
    what = given(page)
    for one in ("data", "gallery") if what == "clone" else filter(None, [what]):
        target = folder / (one if "data" in one or one == "gallery" else Path(one).name)
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / one).is_dir() else shutil.copy)(ROOT / one, target)
    return folder


def merged(protocol, more):
    """A protocol with further keys, as a reader would add them."""
    yaml = YAML(typ="safe")
    text = io.StringIO()
    yaml.dump({**yaml.load(protocol), **yaml.load(more)}, text)
    return text.getvalue()


def fails(folder, review, text):
    """The report of a review's check with this protocol."""
    files = {path.name: path.read_bytes() for path in (folder / "data" / review).iterdir()}
    return check(files | {"review.yaml": text.encode()}, review)[1]


def follow(page, folder, run):
    """Run the blocks of a page in order; `run` takes a command and returns what it prints."""
    said, protocol, names = "", {}, {}
    for path in (folder / "data").glob("*/review.yaml"):
        protocol[path.parent.name] = path.read_text()
    for block in blocks(page):
        where = f"{name(page)}:{block.line}"
        if block.not_run:
            continue
        if block.title.startswith("results/"):
            shown(folder, block, where)
        elif block.title:
            path = folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
            if path.name == "review.yaml":
                protocol = {path.parent.name: block.text}
        elif block.language == "yaml":
            [(review, text)] = protocol.items()
            assert fails(folder, review, merged(text, block.text)) == "", where
        elif block.language == "sh":
            said = "".join(run(one, where) for one in commands(block.text))
        elif block.language == "python" and not page.name.startswith(BY_HAND):
            with chdir(folder), redirect_stdout(io.StringIO()) as out:
                exec(compile(block.text, where, "exec"), names)
            said = out.getvalue()
        elif block.language == "text" and not page.name.startswith(BY_HAND):
            assert [line for line in block.text.splitlines() if line not in said.splitlines()] == [], (where, said)


def shown(folder, block, where):
    """An excerpt of a table of results has the numbers, to the digits that it shows."""
    found = effects(folder, block.title.split("/")[1]).reset_index(drop=True)
    excerpt = pd.read_csv(io.StringIO(block.text), dtype=str, keep_default_na=False)
    assert len(excerpt) == len(found), where
    for column, cells in excerpt.items():
        for cell, value in zip(cells, found[column], strict=True):
            if isinstance(value, float):
                assert f"{value:.{len(cell.partition('.')[2])}f}" == cell, (where, column)
            else:
                assert str(value) == cell, (where, column)


def in_process(folder):
    """Commands of `reweigh` that build nothing, in this process."""

    def run(command, where):
        program, *arguments = command.split()
        assert program == "reweigh" and not BUILDS.match(command), (where, command)
        with chdir(folder):
            result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert result.exit_code == 0, (where, command, result.output)
        return result.output

    return run


def in_shell(folder, library):
    """Commands as a reader types them, with the library of the folder that they are typed in."""
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(library),
    }

    def run(command, where):
        done = subprocess.run(
            ["bash", "-euc", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (where, command, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    return run


BUILDING = [page for page in PAGES if any(block.builds for block in blocks(page)) and page.name != "gallery.md"]
PLAIN = [page for page in PAGES if blocks(page) and page not in BUILDING and page.name != "gallery.md"]


@pytest.mark.parametrize("page", PLAIN, ids=name)
def test_a_page_does_what_it_says(page, tmp_path):
    follow(page, prepared(page, tmp_path), in_process(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in BUILDING if given(page) != "clone"], ids=name)
def test_a_page_that_builds_does_what_it_says(page, tmp_path):
    follow(page, prepared(page, tmp_path), in_shell(tmp_path, ROOT / "src"))


@pytest.mark.workflow
def test_the_pages_on_the_clone_do_what_they_say(copy_of_built):
    shutil.copytree(ROOT / "gallery", copy_of_built / "gallery")
    for page in BUILDING:
        if given(page) == "clone":
            follow(page, copy_of_built, in_shell(copy_of_built, copy_of_built / "src"))


@pytest.mark.workflow
def test_the_gallery_has_every_kind_of_figure_by_the_line_that_makes_it(built):
    page = DOCS / "gallery.md"
    pictures = [target.removeprefix("../") for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text())]
    assert [f"reweigh run {one}" for one in pictures] == [one for b in blocks(page) for one in commands(b.text)]
    assert [one for one in pictures if not (built / one).is_file()] == []

    def kind(path):
        folder = path.split("/")[3]
        return f"{folder}/{path.split('.')[-2]}" if folder == "robustness" else folder

    drawn = {str(path.relative_to(built)) for path in built.glob("results/*/figures/*/*.svg")}
    assert {kind(one) for one in pictures} == {kind(one) for one in drawn}


def test_every_block_says_its_language_and_few_are_not_run():
    found = [(name(page), block) for page in PAGES for block in blocks(page)]
    assert [(page, block.line) for page, block in found if block.language not in LANGUAGES] == []
    not_run = [block for _, block in found if block.not_run]
    assert len(not_run) <= MOST_NOT_RUN
    text = "".join(page.read_text() for page in PAGES)
    assert text.count("<!-- not-run:") == len(not_run), "the reason stands right above its block"
    assert text.count("```") == 2 * len(found), "no block stands within a list"


LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")


def anchors(path):
    """The anchors of a page's headings, as the site makes them."""
    heads = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", path.read_text(), flags=re.S), re.M)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", one).strip().lower()) for one in heads}


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md", ROOT / "results" / "README.md"], ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target, anchor in LINK.findall(page.read_text()):
        path = (page.parent / target).resolve() if target else page
        if "results" in Path(target).parts and path.suffix != ".md":
            continue  # a figure that a run makes
        assert path.exists(), target
        if anchor:
            assert anchor[1:] in anchors(path), target + anchor


def test_every_page_is_in_the_menu():
    menu = (DOCS / "site" / "mkdocs.yml").read_text()
    missing = [name(page) for page in PAGES if not re.search(rf"[ \"]{re.escape(name(page))}$", menu, re.M)]
    assert missing == []


def test_pages_that_the_code_names_are_there():
    sources = [*(ROOT / "src").rglob("*.py"), *(ROOT / "scripts").glob("*.py")]
    named = {one for path in sources for one in re.findall(r"docs/[\w/.-]+\.md", path.read_text())}
    assert named and [one for one in named if not (ROOT / one).is_file()] == []


def test_the_sheet_of_the_tutorial_has_the_trials_of_the_review():
    sheet = pd.read_excel(DOCS / "tutorials" / "bcg.xlsx")
    arms = pd.read_csv(ROOT / "data" / "bcg-vaccine" / "arms.csv")
    for role, side in (("intervention", "BCG"), ("control", "control")):
        rows = arms[arms["role"] == role]
        assert sheet["Study"].tolist() == rows["label"].tolist()
        assert sheet[[f"Events {side}", f"n {side}"]].to_numpy().tolist() == rows[["events", "n"]].to_numpy().tolist()
