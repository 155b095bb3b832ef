"""The environment: one lock, hash-pinned, and the conda file that says the same; no address of a registry anywhere."""

import re
import subprocess
import sys

import pytest
from packaging.markers import Marker
from ruamel.yaml import YAML

from conftest import ROOT

sys.path.insert(0, str(ROOT / ".ci"))
from environment import PYTHON, environment, pins

LOCK = (ROOT / "requirements.lock").read_text()


def test_environment_yml_is_made_from_the_lock():
    assert (ROOT / "environment.yml").read_text() == environment(LOCK), "run `make lock`"


def test_environment_yml_has_the_locks_versions_and_is_self_contained():
    conda = YAML(typ="safe").load((ROOT / "environment.yml").read_text())
    assert conda["dependencies"][0] == f"python={PYTHON}"
    listed = conda["dependencies"][-1]["pip"]
    assert all(re.fullmatch(r"[a-z0-9._-]+(\[[a-z,]+\])?==[^\s;]+", pin) for pin in listed)
    names = {pin.split("==")[0] for pin in listed}
    assert {"pandas", "statsmodels", "pymare", "snakemake", "seaborn", "pytest"} <= names


def test_markers_choose_the_right_version():
    lock = 'a==1.0 ; python_full_version < "3.12" \\\n    --hash=sha256:0\na==2.0 ; python_full_version >= "3.12" \\\nb==3 \\\n'
    assert pins(lock, "3.11") == ["a==1.0", "b==3"]
    assert pins(lock, "3.12") == ["a==2.0", "b==3"]


def test_every_requirement_of_the_lock_is_pinned_and_hashed():
    blocks = re.findall(r"^[a-z0-9][^\n]*(?:\n    [^\n]*)*", LOCK, flags=re.MULTILINE)
    assert len(blocks) > 60
    for block in blocks:
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", block)
        assert "--hash=sha256:" in block, block
        marker = re.match(r"\S+ ; ([^\\\n]+)", block)
        assert marker is None or Marker(marker.group(1).strip())


def test_the_site_is_built_with_the_versions_of_the_lock():
    """`make docs` installs into the environment of the lock, so a pin that both have is the same."""
    both = [
        dict(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[a-z,]+\])?==([^\s;]+)", lock, flags=re.MULTILINE))
        for lock in (LOCK, (ROOT / "docs" / "site" / "requirements.lock").read_text())
    ]
    assert {"mkdocs", "mkdocs-material", "mkdocstrings"} <= set(both[1])
    assert {name: version for name, version in both[1].items() if both[0].get(name, version) != version} == {}


def test_the_lock_covers_what_pyproject_asks_for():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    locked = {re.split(r"[=\[ ]", line)[0].replace("-", "_") for line in LOCK.splitlines() if "==" in line}
    assert {re.split(r"[>=<.\[ ]", name)[0].replace("-", "_") for name in wanted} - {"ruamel"} <= locked


def test_no_tracked_file_names_a_registry_or_a_path_of_a_machine():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    pattern = "index" + r"-url|://[^[:space:]\"]+/(simple|packages)(/|\"|[[:space:]]|$)|/ro{2}t/|/ho{1}me/[a-z]"
    command = ["git", "grep", "-nIE", pattern, "--", ".", ":!tests/test_environment.py"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert found == ""
