"""Names of data as names of files; a review whose names are hostile."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import copy_repository, snakemake
from reweigh.io import read_csv
from reweigh.text.files import file_name

HOSTILE = (
    "",
    ".",
    "..",
    "../../x",
    "a/b",
    "a\\b",
    "/etc/passwd",
    ".hidden",
    "-rf",
    "a\nb",
    "naïve",
    "naive\u0308",
    "x" * 300,
    "=1",
    "CO~N",
    "\ud800",
)


@pytest.mark.parametrize("name", ["s01", "kvarnstrom2003", "responder.immediate.by_pain_type", "a-b_c.2", "0"])
def test_a_safe_name_stays_as_it_is(name):
    assert file_name(name) == name


@given(st.lists(st.text(max_size=300) | st.sampled_from(HOSTILE), min_size=2, max_size=6, unique=True))
def test_a_name_stays_in_its_folder_is_short_and_meets_no_other(names):
    found = [file_name(name) for name in names]
    assert len(set(found)) == len(names)
    for name in found:
        assert 0 < len(f"{name}.figure.svg".encode()) <= 255 and name[0] not in ".-"
        assert all(c.isascii() and (c.isalnum() or c in "_.~-") for c in name)
    assert file_name(found[0]) in found or "~" in found[0]


@pytest.mark.workflow
def test_a_review_whose_columns_and_ids_are_hostile_is_built(tmp_path):
    """Columns named as those of our own tables, of any content; ids that are no file names, or formulas."""
    folder = copy_repository(tmp_path / "hostile")
    data = folder / "data" / "bcg-vaccine"
    columns = ("date", "level", "limit", "look", "z", "k", "=cmd|'/c calc'!A0")
    content = ("2019-05-01", "tertiary", "n/a", "-", "007", "@x", "=1+1")
    ids = {"s01": 'C:s01 *?"é', "s02": "=HYPERLINK(0)", "s03": "x" * 240, "s04": "-4 to 3", "s05": "+49 30"}
    for name in ("studies.csv", "arms.csv"):
        table = pd.read_csv(data / name, dtype=str, keep_default_na=False)
        first = {one: table["study_id"].drop_duplicates().iloc[i] for i, one in enumerate(ids)}
        table["study_id"] = table["study_id"].replace({first[one]: ids[one] for one in ids})
        table = table.assign(**dict(zip(columns, content, strict=True))) if name == "studies.csv" else table
        table.to_csv(data / name, index=False)
    protocol = (data / "review.yaml").read_text()
    protocol = protocol.replace("subgroups: [", "subgroups: [level, ").replace(
        "categories:\n", "categories:\n  level: {tertiary: T}\n"
    )
    (data / "review.yaml").write_text(protocol)
    before = {p for p in tmp_path.rglob("*") if p.is_file()}
    run = snakemake(folder, "--cores", "2", "--config", "reviews=bcg-vaccine")
    assert run.returncode == 0, run.stdout + run.stderr
    results = folder / "results" / "bcg-vaccine"
    made = {p for p in tmp_path.rglob("*") if p.is_file()} - before
    assert {p.relative_to(folder).parts[0] for p in made} <= {"results", "work", "logs", ".snakemake", "src"}
    effects = read_csv(results / "effects.csv")
    assert set(ids.values()) <= set(effects["study_id"]) and set(effects["level"]) == {"tertiary"}
    pages = {p.stem for p in (results / "worked").glob("*.md")}
    main = effects[effects["set"] == "main"]
    assert pages == {
        file_name(".".join(parts)) for parts in zip(main["comparison_id"], main["outcome"], main["window"], strict=True)
    }
    studies = read_csv(folder / "work" / "bcg-vaccine" / "checked" / "studies.csv")
    assert [tuple(row) for row in studies[list(columns)].drop_duplicates().itertuples(index=False)] == [content]
