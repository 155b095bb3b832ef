"""The tables between the stages: each against its schema, what is written read back as it was."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import ROOT
from reweigh.io import csv_text, frame, read_csv, write_csv
from reweigh.protocol.read import load_written
from reweigh.schemas import schema_of, schemas
from reweigh.tables.specs import SPECS
from test_workflow import REVIEWS

KINDS = {"id", "text", "codes", "yes/no", "integer", "number"}
CHECKED = ("studies", "arms", "contrasts", "risk_of_bias")
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)
HOSTILE = (
    "=1+1",
    "+49 30",
    "-2 to 3",
    "@SUM(A1)",
    "\tx",
    "'=1",
    "''-a",
    "'",
    "=",
    "-",
    "007",
    "1e5",
    "-0.5",
    "inf",
    "NA",
)


def test_the_readme_of_the_results_is_made_from_the_schemas():
    made = subprocess.run(
        [sys.executable, ROOT / ".ci" / "results_readme.py"], capture_output=True, text=True, check=True
    ).stdout
    assert (ROOT / "results" / "README.md").read_text() == made, "run `make readme`"


@pytest.mark.parametrize("file", schemas())
def test_a_schema_says_what_every_column_is_and_which_name_a_row(file):
    schema = schemas()[file]
    assert schema.what.endswith(".") and set(schema.keys) <= set(schema.columns)
    for name, column in schema.columns.items():
        assert column.kind in KINDS and column.meaning, name
        assert column.kind == "codes" or not name.endswith(("_code", "_codes")), name


@pytest.mark.parametrize("name", CHECKED)
def test_the_checked_tables_are_those_that_the_check_allows(name):
    spec, schema = SPECS[f"{name}.csv"], schemas()[f"checked/{name}.csv"]
    assert set(schema.columns) == {"row", *spec.names}
    # Rows have no columns but those that are known, and the subgroup columns that the protocol names.
    assert schema.own_at is not None and spec.closed == (name in ("arms", "contrasts"))
    for column in spec.columns:
        whole = column.kind in ("whole", "year")
        kind = "integer" if whole else "number" if column.kind == "number" else "text"
        assert kind == (schema.columns[column.name].kind if schema.columns[column.name].numeric else "text"), column


def is_number(cell):
    try:
        return float(cell) is not None
    except ValueError:
        return False


def row(file, **cells):
    return frame(file, [dict.fromkeys(schema_of(file).keys, "") | cells])


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (row("engines.csv").drop(columns="number"), "missing: ['number']"),
        (row("engines.csv", surplus=1), "does not have: ['surplus']"),
        (row("engines.csv", difference="small"), "kind: ['difference']"),
        (row("bayes.csv", k=2.5), "kind: ['k']"),
        (row("robustness/subsets.csv", complete=True), "kind: ['complete']"),
    ],
)
def test_a_table_that_is_not_as_its_schema_says_is_not_written(table, said, tmp_path):
    file = "engines.csv" if "first_engine" in table else "bayes.csv" if "prior" in table else "robustness/subsets.csv"
    with pytest.raises(ValueError, match=said.replace("[", r"\[").replace("]", r"\]")):
        write_csv(table, tmp_path / file)
    assert not (tmp_path / file).exists()


@pytest.mark.parametrize("path", ["other.csv", "risk_of_bias.csv", "effects.txt"])
def test_a_path_that_names_no_table_is_refused(path):
    with pytest.raises(KeyError):
        schema_of(path)


@given(st.lists(TEXT | st.sampled_from(HOSTILE), min_size=1, max_size=4), TEXT.filter(bool) | st.sampled_from(HOSTILE))
def test_text_comes_back_as_it_was_and_no_spreadsheet_runs_it(texts, column):
    file = "checked/studies.csv"
    table = pd.concat([row(file, study_id=f"s{i}", note=text) for i, text in enumerate(texts)], ignore_index=True)
    own = column not in schema_of(file).columns
    table = table.assign(**{column: texts}) if own else table
    written = csv_text(table, file)
    cells = pd.read_csv(io.StringIO(written), dtype=str, keep_default_na=False, header=None)
    runs = [cell for cell in cells.to_numpy().ravel() if len(cell) > 1 and cell[0] in "=+-@\t\r"]
    assert all(is_number(cell) for cell in runs), runs
    found = read_csv(io.StringIO(written), name=file)
    assert found["note"].tolist() == texts and (not own or found[column].tolist() == texts)


@pytest.mark.parametrize("text", HOSTILE[:6])
def test_a_cell_that_a_spreadsheet_would_run_stands_behind_an_apostrophe(text):
    assert f"'{text}" in csv_text(row("checked/studies.csv", note=text), "checked/studies.csv").replace('"', "")


def test_a_users_own_columns_are_text_unless_the_protocol_says_number(tmp_path):
    own = {
        "date": "2019-05-01",
        "level": "tertiary",
        "limit": "none",
        "look": "1",
        "z": "a",
        "k": "007",
        "dose": "1.50",
    }
    path = tmp_path / "effects.csv"
    write_csv(row("effects.csv", **own), path)
    found = read_csv(path, ("dose",)).iloc[0]
    assert found[list(own)].tolist() == [*list(own.values())[:-1], 1.5]
    assert list(read_csv(path))[10:17] == list(own)  # after design


@pytest.mark.workflow
@pytest.mark.parametrize("review", REVIEWS)
def test_every_table_of_a_review_is_as_its_schema_says_and_every_number_comes_back_as_one(built, review):
    protocol = load_written((built / "work" / review / "checked" / "protocol.json").read_bytes())
    results = built / "results" / review
    paths = [*results.rglob("*.csv"), *(built / "work" / review / "checked").glob("*.csv")]
    elsewhere = {"left_out.csv", "corpus.csv", "corpus_problems.csv", "gallery.csv"}  # as of a year, of many reviews
    written = set(schemas()) - elsewhere
    assert {f"checked/{p.name}" if "work" in p.parts else str(p.relative_to(results)) for p in paths} == written
    for path in paths:
        schema, table = schema_of(path), read_csv(path, protocol.number_columns)
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
        assert csv_text(table, path)
        assert not table.duplicated(list(schema.keys)).any(), path
        own = set(table) - set(schema.columns)
        assert own <= set(protocol.study_columns) or path.parent.name == "checked"
        for name in table:
            cells = raw[name][raw[name] != ""]
            if len(cells) and pd.to_numeric(cells, errors="coerce").notna().all() and path.parent.name != "checked":
                assert np.issubdtype(table[name].dtype, np.number), (path, name)
