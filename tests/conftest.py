"""The real workflow, run once on the real data in a temporary folder."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from report.browser import Browser, find_chromium

settings.register_profile("reweigh", deadline=None, derandomize=True)
settings.load_profile("reweigh")

ROOT = Path(__file__).parent.parent
LARGEST = "ketamine-chronic-pain"
PARTS = ("Snakefile", "profiles", "workflow", "scripts", "config", "src", "data", "environment.yml")


def each(reviews: Iterable[str]) -> list:
    """Parameters of a test of every review; the largest, which takes as long as all others, is for the slow suite."""
    return [pytest.param(name, marks=pytest.mark.slow) if name == LARGEST else name for name in reviews]


def copy_repository(target: Path) -> Path:
    """The parts of the repository that a run needs, in another folder."""
    target.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, target / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, target / part)
    return target


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder as a user would; a slow machine takes its time."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, "-m", "snakemake", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its relative path."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """A folder in which plain `snakemake` has built all six reviews on two cores. Tests must not change it."""
    folder = copy_repository(tmp_path_factory.mktemp("built"))
    run = snakemake(folder, "--cores", "2")
    if run.returncode:
        (folder / "run.log").write_text(run.stdout + run.stderr)
        # One line for each test that wanted it, not the whole log again.
        pytest.fail(f"plain snakemake ended with {run.returncode}: see {folder / 'run.log'}", pytrace=False)
    return folder


@pytest.fixture
def copy_of_built(built, tmp_path) -> Path:
    """A copy of the built folder, with its timestamps, that a test may change."""
    return Path(shutil.copytree(built, tmp_path / "copy", symlinks=True))


@pytest.fixture(scope="session")
def reference() -> dict:
    """What metafor gives for the main analyses (main_job.R)."""
    return json.loads((ROOT / "tests" / "reference" / "main_job.json").read_text())


@pytest.fixture(scope="session")
def tab():
    """A tab of a headless Chromium."""
    browser = Browser(find_chromium())
    browser.media()
    yield browser
    browser.close()


@pytest.fixture
def browser(tab):
    """The tab, without what earlier tests left in it; the test fails if the page complains or asks the network."""
    tab.open("about:blank")
    tab.errors.clear()
    tab.requests.clear()
    tab.size(1440)
    tab.media()
    yield tab
    if tab.run("location.protocol") == "file:":
        tab.run("localStorage.clear()")  # all pages from files share it, and with it the theme that a test has chosen
    assert tab.errors == []
    assert [url for url in tab.requests if not url.startswith(("file:", "data:", "blob:", "about:"))] == []


SLOW = ("workflow", "browser")
#: Files whose slow tests share nothing that is dear: each goes to whoever is free, those of other files to one worker.
APART = ("test_generated_reviews", "test_check", "test_faults")
#: A test that asks for the folder of all reviews.
OF_BUILT = re.compile(r"^def (test_\w+)\([^)]*\b(?:built|copy_of_built)\b", re.M)


class ByWhatTheyShare(LoadScopeScheduling):
    """Tests that share what takes a minute to build go to one worker: those of the built reviews, those of a file.

    xdist's own groups stand in the names of the tests, which pytest 9.2 no longer lets it change: it ignores them.
    """

    def __init__(self, config, log=None):
        """Find the tests of the built reviews; a file with a fixture of that name means its own."""
        super().__init__(config, log)
        texts = {path.stem: path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py")}
        shared = {stem: text for stem, text in texts.items() if "def built(" not in text}
        self.of_built = {(stem, name) for stem, text in shared.items() for name in OF_BUILT.findall(text)}
        self.slow = "not slow" not in config.option.markexpr

    def _split_scope(self, nodeid):
        stem, name = Path(nodeid.partition("::")[0]).stem, nodeid.partition("::")[2].partition("[")[0]
        if (stem, name) in self.of_built:
            return "built"
        return nodeid if self.slow and stem in APART else stem


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Schedule the tests by what they share."""
    return ByWhatTheyShare(config, log) if config.option.dist == "loadgroup" else None


def pytest_collection_modifyitems(items):
    """Tests of the workflow and of the browser are slow; the longest first, what can go anywhere last."""
    for item in items:
        if any(item.get_closest_marker(name) for name in SLOW):
            item.add_marker("slow")
    items.sort(key=lambda item: (item.get_closest_marker("workflow") is None, item.path.stem in APART))
