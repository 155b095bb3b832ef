"""The real workflow, run once on the real data in a temporary folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from report.browser import Browser, find_chromium

settings.register_profile("reweigh", deadline=None, derandomize=True)
settings.load_profile("reweigh")

ROOT = Path(__file__).parent.parent
PARTS = ("Snakefile", "profiles", "workflow", "scripts", "config", "src", "data", "environment.yml")


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
#: Files whose tests share nothing that is dear: each test goes to whoever is free, those of other files to one worker.
APART = ("test_generated_reviews", "test_check", "test_faults")


def pytest_collection_modifyitems(items):
    """Tests of the workflow and of the browser are slow; the longest file first, beside it the others do the rest."""
    for item in items:
        if any(item.get_closest_marker(name) for name in SLOW):
            item.add_marker("slow")
        if "built" in item.fixturenames:  # what takes a minute to build is built by one worker
            item.add_marker(pytest.mark.xdist_group("built"))
        elif item.path.stem not in APART or item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: item.get_closest_marker("workflow") is None)
