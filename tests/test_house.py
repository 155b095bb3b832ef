"""The house: floors in order, no circle of packages, figures above the stages, a ground that knows no workflow."""

import re

import pytest

from conftest import ROOT
from reweigh.imports import closure

HOUSE = ROOT / "src" / "reweigh"
#: From the ground up; rooms of one floor do not import each other unless they are one package.
FLOORS = (
    ("text", "quantile", "measures", "imports", "schemas"),
    ("dialect", "workbooks"),
    ("io", "console"),
    ("tables",),
    ("risk_of_bias", "protocol"),
    ("effects",),
    ("flags",),
    ("pool",),
    ("sequential",),
    ("reproduction",),
    ("robustness",),
    ("certainty",),
    ("claims", "corpus", "compare"),
    ("figures", "check"),
    ("report",),
    ("api",),
    ("exchange",),
    ("cli",),
    ("__main__",),
)
IMPORT = re.compile(r"^\s*(?:from reweigh\.?([\w.]*) import ([\w, ]+)|import reweigh\.([\w.]+))", re.MULTILINE)


def room(path):
    """The package, or the module at the top, that a file belongs to."""
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def imports():
    """Pairs of rooms: who imports whom."""
    found = {}
    for path in sorted(HOUSE.rglob("*.py")):
        for module, names, whole in IMPORT.findall(path.read_text()):
            targets = [(module or whole).split(".")[0]] if module or whole else [n.strip() for n in names.split(",")]
            for target in targets:
                if target != room(path) and room(path) != "__init__":
                    found.setdefault((room(path), target), path.name)
    return found


def test_nobody_imports_upwards_and_no_two_rooms_import_each_other():
    floor = {name: i for i, names in enumerate(FLOORS) for name in names}
    rooms = {room(p) for p in HOUSE.rglob("*.py")} - {"__init__"}
    assert rooms == set(floor), "every room has a floor"
    upwards = [f"{a} -> {b} ({file})" for (a, b), file in imports().items() if floor[a] < floor[b]]
    assert not upwards, upwards
    pairs = set(imports())
    assert not [f"{a} <-> {b}" for a, b in pairs if (b, a) in pairs]


def test_the_library_knows_neither_the_workflow_nor_its_paths():
    text = {p: p.read_text() for p in HOUSE.rglob("*.py") if room(p) != "cli"}
    assert not [str(p) for p, t in text.items() if re.search(r"^\s*(import|from) snakemake", t, re.MULTILINE)]
    known = [p.name for p, t in text.items() if re.search(r"[\"'](results|work|data)/", t)]
    assert set(known) <= {"console.py", "problems.py"}, known


#: Columns with words, each made from a column of codes.
WORDS = ("note", "reason", "derivation", "assumptions", "flags", "needed", "q_between_note", "reasons", "figures")


def test_nobody_parses_our_own_prose():
    """No stage splits, searches or matches what another one said in words: it reads the codes beside them."""
    cells = "|".join(WORDS)
    parsing = re.compile(
        rf"(?:re\.\w+\([^\n]*|\bin )\w+\[\"(?:{cells})\"\]|\[\"(?:{cells})\"\](?:\)|\.str)*\.(?:split|startswith|contains|partition|removeprefix)\b"
    )
    found = [
        f"{path.relative_to(HOUSE)}: {line.strip()}"
        for path in sorted(HOUSE.rglob("*.py"))
        for line in path.read_text().splitlines()
        if parsing.search(line)
    ]
    assert not found, found


@pytest.mark.parametrize("script", sorted(p.stem for p in (ROOT / "scripts").glob("*.py")))
def test_a_rule_depends_on_all_that_its_script_imports(script):
    """The closure of a script has every module that the import of each of them loads."""
    files = {p for p in closure(ROOT / "scripts" / f"{script}.py", ROOT / "src") if p.suffix == ".py"}
    wanted = set()
    for path in [*files, ROOT / "scripts" / f"{script}.py"]:
        for module, names, _ in IMPORT.findall(path.read_text()):
            place = HOUSE.joinpath(*module.split(".")) if module else HOUSE
            wanted |= {place.with_suffix(".py")} if place.with_suffix(".py").exists() else set()
            wanted |= {place / f"{n.strip()}.py" for n in names.split(",") if (place / f"{n.strip()}.py").exists()}
    assert wanted <= files, sorted(str(p) for p in wanted - files)
