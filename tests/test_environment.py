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
from release import absolute, problems, versions

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
    wanted = [
        *project["dependencies"],
        *(one for name, extra in project["optional-dependencies"].items() if name != "slurm" for one in extra),
    ]
    locked = {re.split(r"[=\[ ]", line)[0].replace("-", "_") for line in LOCK.splitlines() if "==" in line}
    assert {re.split(r"[>=<.\[ ]", name)[0].replace("-", "_") for name in wanted} - {"ruamel"} <= locked


def test_everything_that_pyproject_asks_for_has_a_lower_bound():
    """`.ci/oldest` installs the oldest versions that they allow, and the workflow file calls it."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    assert [one for one in wanted if ">=" not in one] == []
    assert "run: .ci/oldest" in (ROOT / ".github" / "workflows" / "ci.yml").read_text()


def test_the_executor_of_slurm_has_a_lock_of_its_own_with_the_versions_of_the_other():
    import tomllib

    folder = ROOT / "profiles" / "slurm"
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["slurm"]
    asked = [line for line in (folder / "requirements.in").read_text().splitlines() if not line.startswith("#")]
    assert set(asked) < set(extra)
    own = (folder / "requirements.lock").read_text()
    pinned = r"^([A-Za-z0-9._-]+)==([^\s;]+)"
    mine, lock = (set(re.findall(pinned, text, flags=re.MULTILINE)) for text in (own, LOCK))
    new = {name for name, _ in mine} - {name for name, _ in lock}
    assert new == {"snakemake-executor-plugin-slurm", "snakemake-executor-plugin-slurm-jobstep"}
    assert {one for one in mine - lock if one[0] not in new} == set()
    assert own.count("--hash=sha256:") >= len(mine)


def test_the_profile_of_slurm_groups_rules_that_there_are():
    """A job of Slurm is minutes: every rule that computes is in a group; the pages of many reviews are made here."""
    groups = YAML(typ="safe").load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())["groups"]
    text = "".join(path.read_text() for path in (ROOT / "workflow" / "rules").glob("*.smk"))
    rules = dict(re.findall(r"^rule (\w+):\n(.*?)(?=^\S|\Z)", text, re.DOTALL | re.MULTILINE))
    computing = {name for name, body in rules.items() if "script:" in body}
    assert len(computing) > 15
    assert computing - set(groups) == {name for name, body in rules.items() if "localrule: True" in body}
    assert set(groups) <= computing


def test_no_tracked_file_names_a_registry_or_a_path_of_a_machine():
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    pattern = "index" + r"-url|://[^[:space:]\"]+/(simple|packages)(/|\"|[[:space:]]|$)|/ro{2}t/|/ho{1}me/[a-z]"
    command = ["git", "grep", "-nIE", pattern, "--", ".", ":!tests/test_environment.py"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    assert found == ""


# --- a release ------------------------------------------------------------------------------------------------------


def test_every_file_says_one_version():
    said = versions()
    assert said["CITATION.cff"] == said["CHANGELOG.md"]
    assert said["CHANGELOG.md"].split(" ")[0] == said["pyproject.toml"]


@pytest.mark.parametrize(
    ("tag", "file", "old", "new", "said"),
    [
        ("v1.2.0", "", "", "", []),
        ("v1.3.0", "", "", "", ["pyproject.toml says 1.2.0, the tag is v1.3.0", "CITATION.cff says 1.2.0 (2030-01-02), the tag is v1.3.0", "CHANGELOG.md says 1.2.0 (2030-01-02), the tag is v1.3.0"]),
        ("v1.2.0", "pyproject.toml", "1.2.0", "1.1.0", ["pyproject.toml says 1.1.0, the tag is v1.2.0"]),
        ("v1.2.0", "CITATION.cff", "01-02", "01-03", ["CITATION.cff says 1.2.0 (2030-01-03), CHANGELOG.md 1.2.0 (2030-01-02)"]),
        ("v1.2.0", "CHANGELOG.md", "## Version", "## More\n\n## Version", ["CHANGELOG.md has changes above its newest version"]),
    ],
)  # fmt: skip
def test_a_tag_is_held_to_the_files(tmp_path, tag, file, old, new, said):
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.0"\n')
    (tmp_path / "CITATION.cff").write_text("cff-version: 1.2.0\nversion: 1.2.0\ndate-released: 2030-01-02\n")
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changes\n\n## Version 1.2.0 (2030-01-02)\n\n## Version 1.1.0 (2030-01-01)\n"
    )
    if file:
        (tmp_path / file).write_text((tmp_path / file).read_text().replace(old, new, 1))
    assert problems(tag, tmp_path) == said


def test_on_a_package_index_the_readme_links_to_the_repository():
    text = (ROOT / "README.md").read_text()
    links = r"\]\((?!https?:)([^)]+)\)"
    assert len(re.findall(links, text)) > 8
    shown = absolute(text, "https://host/owner/name", "v1")
    assert re.findall(links, shown) == []
    assert "](https://host/owner/name/raw/v1/docs/images/report.png)" in shown
    assert "](https://host/owner/name/blob/v1/docs/how-to/install.md)" in shown
    assert absolute("[a](#b) [c](mailto:d)", "https://host", "v1") == "[a](#b) [c](mailto:d)"
