"""The student paths of docs/: their Python prints what they say, and their tables have the pipeline's and R's numbers."""

import json
import re
from contextlib import redirect_stdout
from io import StringIO

import pytest

from conftest import ROOT
from reweigh.check import check
from reweigh.effects.selection import select
from reweigh.measures import natural
from reweigh.pool.refit import refit, trials_of
from reweigh.protocol.read import load_checked
from reweigh.text.numbers import effect_text

PATHS = sorted((ROOT / "docs" / "tutorials").glob("reproduce-*.md"))
#: What metafor gives (tests/reference/gallery_paths.R).
REFERENCE = json.loads((ROOT / "tests" / "reference" / "gallery_paths.json").read_text())
#: A row of a path's table by its first words; where the numbers stand in the reference.
TABLES = {
    "laopaiboon": (2, {
        "RevMan's random effects": ["laopaiboon mh dl"], "DerSimonian-Laird by": ["laopaiboon iv dl"],
        "REML": ["laopaiboon reml hk"], "Mantel-Haenszel": ["laopaiboon mh"], "inverse variance": ["laopaiboon iv"],
    }),
    "marchi": (3, {
        "unbiased": ["marchi UB"], "RevMan's": ["marchi RevMan"], "usual (LS), exact": ["marchi LS"],
        "Borenstein's": ["marchi LS2"], "usual (LS) |": ["marchi reml hk"],
    }),
    "nissen": (2, {
        start: [f"{one} {name}" for one in ("infarction", "death")]
        for start, name in (("Peto", "peto"), ("Mantel-Haenszel", "mh"), ("inverse variance", "iv"),
                            ("the same, Der", "iv dl"), ("the same, REML", "reml hk"))
    }),
}  # fmt: skip
#: Review, analysis, model of its protocol, where the same stands in the reference.
OURS = [
    ("laopaiboon2015-azithromycin", "clinical_failure.day_10_to_14", "RevMan random effects", "laopaiboon mh dl"),
    ("laopaiboon2015-azithromycin", "clinical_failure.day_10_to_14", "revman-classic", "laopaiboon iv dl"),
    ("laopaiboon2015-azithromycin", "clinical_failure.day_10_to_14", "cochrane", "laopaiboon reml hk"),
    (
        "marchi2022-ketamine-psychiatry",
        "anxiety.end_of_treatment.published",
        "DL, Wald, unbiased variance",
        "marchi UB",
    ),
    ("marchi2022-ketamine-psychiatry", "anxiety.end_of_treatment", "revman-classic", "marchi LS"),
    ("marchi2022-ketamine-psychiatry", "anxiety.end_of_treatment", "cochrane", "marchi reml hk"),
    ("nissen2007-rosiglitazone", "myocardial_infarction.end_of_trial", "Peto, fixed effect", "infarction peto"),
    ("nissen2007-rosiglitazone", "cardiovascular_death.end_of_trial", "Peto, fixed effect", "death peto"),
]
NUMBERS = ("estimate", "ci_lower", "ci_upper")


def numbers_of(name):
    """Estimate and limits that metafor gives."""
    outcome, _, method = name.partition(" ")
    found = REFERENCE[outcome][method] if outcome in REFERENCE else REFERENCE[name]
    return [found[one] for one in NUMBERS]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_its_python_prints_what_it_says(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    text = path.read_text()
    [code] = re.findall(r"```python\n(.*?)```", text, re.S)
    with redirect_stdout(StringIO()) as said:
        exec(code, {})
    [told] = re.findall(r"^It prints (`[^.\n]*.*?)\.(?:\s|$)", text, re.M)
    assert said.getvalue().splitlines() == re.findall(r"`([^`]+)`", told)


@pytest.mark.parametrize("name", TABLES)
def test_its_table_has_what_metafor_gives(name):
    decimals, rows = TABLES[name]
    text = next(path for path in PATHS if name in path.stem).read_text().partition("## Why other methods")[2]
    table = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert len(table) == len(rows)
    for line, (start, names) in zip(table, rows.items(), strict=True):
        assert line.startswith(f"| {start}")
        expected = [effect_text(*numbers_of(one), decimals=decimals).replace("\N{MINUS SIGN}", "-") for one in names]
        assert re.findall(r"-?[\d.]+ \(-?[\d.]+ to -?[\d.]+\)", line) == expected


def test_the_pipeline_gives_the_same():
    for review in dict.fromkeys(one[0] for one in OURS):
        files = {path.name: path.read_bytes() for path in (ROOT / "gallery" / review).iterdir()}
        tables, report = check(files, review)
        assert tables is not None, report
        protocol = load_checked(files["review.yaml"])
        effects = select(tables.studies, tables.arms, tables.contrasts, protocol).effects
        for _, analysis, name, key in (one for one in OURS if one[0] == review):
            rows = effects[effects["analysis"] == analysis]
            [model] = [m for m in protocol.models_of(rows["outcome"].iloc[0], rows["set"].iloc[0]) if m.name == name]
            fit = refit(trials_of(rows), model, tau2_interval=False, bootstrap=False)
            numbers = [natural(getattr(fit, one), rows["scale"].iloc[0]).item() for one in NUMBERS]
            assert numbers == pytest.approx(numbers_of(key), rel=1e-8)
