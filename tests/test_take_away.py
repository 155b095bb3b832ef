"""What a reader takes away: the workbook, the Word report, the flow diagram, the archive."""

import io
import os
import shutil
import subprocess
import zipfile
from dataclasses import replace

import numpy as np
import openpyxl
import pandas as pd
import pytest

from reweigh.certainty.assess import certainty_table
from reweigh.certainty.findings import PRINTED, summary_of_findings
from reweigh.report.inputs import TABLES
from reweigh.report.workbook import workbook
from test_certainty import NONE
from test_report import BCG, make_inputs, stored


@pytest.fixture(scope="module")
def bcg():
    made = make_inputs(BCG)
    certainty = certainty_table(made.effects, made.pooled, made.weights, made.protocol.outcomes, bias=NONE)
    findings = summary_of_findings(made.effects, made.pooled, certainty, made.protocol)
    later = {"certainty": certainty, "summary_of_findings": findings}
    return replace(made, **{name: stored(name, table) for name, table in later.items()})


# --- the workbook


def test_the_workbook_has_a_cover_the_findings_and_every_table_to_the_last_cell(bcg):
    content = workbook(bcg)
    assert content == workbook(bcg)
    book = openpyxl.load_workbook(io.BytesIO(content))
    tables = [name for name in TABLES if name != "summary_of_findings"]
    assert book.sheetnames == ["cover", "summary_of_findings", *tables, "columns"]
    links = {row[0].value: row[0].hyperlink.location for row in book["cover"].iter_rows() if row[0].hyperlink}
    assert list(links) == book.sheetnames[1:] and set(links.values()) == {f"'{name}'!A1" for name in links}
    assert book["cover"]["A1"].value == bcg.title and book.properties.title == bcg.title
    sheets = pd.read_excel(io.BytesIO(content), sheet_name=None, keep_default_na=False, na_values=[""])
    for name in tables:
        table = bcg.tables[name]
        assert list(sheets[name]) == list(table) and len(sheets[name]) == len(table), name
        for column in table:
            for own, read in zip(table[column], sheets[name][column], strict=True):
                if own is None or own == "" or own != own:
                    assert read != read
                elif (
                    isinstance(own, (int, float, np.number))
                    and not isinstance(own, (bool, np.bool_))
                    and np.isfinite(own)
                ):
                    assert float(read) == pytest.approx(own, rel=1e-11)
                else:
                    assert str(read) == str(own)


def test_the_findings_of_the_workbook_are_those_that_are_printed(bcg):
    sheet = openpyxl.load_workbook(io.BytesIO(workbook(bcg)))["summary_of_findings"]
    head, *rows = sheet.iter_rows(values_only=True)
    assert list(head) == [said for said, _ in PRINTED.values()]
    for row, own in zip(rows, bcg.summary_of_findings[list(PRINTED)].itertuples(index=False), strict=True):
        assert [x or "" for x in row] == ["" if x != x else x for x in own]
    assert isinstance(rows[0][3], (int, float)) and sheet["D2"].number_format == "0"


def test_columns_have_the_width_of_their_content_filters_and_the_format_of_their_unit(bcg):
    book = openpyxl.load_workbook(io.BytesIO(workbook(bcg)))
    for name in ("effects", "pooled", "columns"):
        sheet = book[name]
        assert sheet.freeze_panes == "A2" and sheet.auto_filter.ref == sheet.dimensions
        widths = [sheet.column_dimensions[column[0].column_letter].width for column in sheet.iter_cols(max_row=1)]
        assert len(set(widths)) > 3 and max(widths) <= 61
    at = {cell.value: cell.column for cell in book["pooled"][1]}
    looks = {
        name: book["pooled"].cell(2, at[name]).number_format for name in ("k", "i2", "estimate", "p_value", "level")
    }
    assert looks["k"] == "0" and looks["i2"] == "0.0" and looks["level"] == "General"
    # Three decimals, and every digit of what they would print as zero.
    assert looks["estimate"] == looks["p_value"] == "[>=0.0005]0.000;[<=-0.0005]-0.000;General"
    said = {(row[0], row[1]): row[2:] for row in book["columns"].iter_rows(min_row=2, values_only=True)}
    assert said["pooled", "k"] == ("integer", "trials", "trials pooled")
    assert said["sweep", "correlation"][2] == "its value"


def test_cells_that_a_spreadsheet_would_run_are_text_and_read_back_unchanged(bcg):
    hostile = [
        "=1+1",
        '=HYPERLINK("http://x")',
        "+A1",
        "-1+1",
        "@SUM(1)",
        "\t=1",
        "{=1}",
        "http://x.org",
        "007",
        "x\x0by",
    ]
    protocol = bcg.protocol.model_copy(update={"title": "=1+1"})
    content = workbook(replace(bcg, published=pd.DataFrame({"=label": hostile}), protocol=protocol))
    book = openpyxl.load_workbook(io.BytesIO(content))
    cells = [row[0] for row in book["published"].iter_rows()]
    assert [cell.value for cell in cells] == ["=label", *hostile[:-1], "xy"]
    assert {cell.data_type for cell in cells[1:]} <= {"s", "inlineStr"} and not any(cell.hyperlink for cell in cells)
    assert [cell.quotePrefix for cell in cells[1:7]] == [True] * 6 and book["cover"]["A1"].quotePrefix
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert not any("<f>" in archive.read(name).decode() for name in archive.namelist() if "sheet" in name)


R_READERS = """
f <- commandArgs(trailingOnly = TRUE)
a <- openxlsx::read.xlsx(f, "pooled"); b <- as.data.frame(readxl::read_excel(f, "pooled"))
stopifnot(identical(openxlsx::getSheetNames(f), readxl::excel_sheets(f)), identical(dim(a), dim(b)))
for (n in c("k", "estimate", "ci_lower", "ci_upper", "tau2", "i2", "p_value")) {
  stopifnot(all.equal(as.numeric(a[[n]]), as.numeric(b[[n]]), tolerance = 0))
  cat(n, sprintf("%.12g", as.numeric(a[[n]])), "\n")
}
"""


@pytest.mark.slow
def test_rs_readers_have_the_numbers_of_the_table(bcg, tmp_path):
    packages = "quit(status = !all(c('openxlsx', 'readxl') %in% rownames(installed.packages())))"
    if shutil.which("Rscript") is None or subprocess.run(["Rscript", "-e", packages], check=False).returncode:
        assert not os.environ.get("REWEIGH_CI"), "CI must install R, openxlsx and readxl"
        pytest.skip("R, openxlsx and readxl are not here")
    (tmp_path / "book.xlsx").write_bytes(workbook(bcg))
    (tmp_path / "read.R").write_text(R_READERS)
    run = subprocess.run(["Rscript", "read.R", "book.xlsx"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for line in run.stdout.splitlines():
        name, *values = line.split()
        read = pd.to_numeric(pd.Series(values).replace("NA", None)).to_numpy(float)
        assert np.allclose(read, bcg.pooled[name].to_numpy(float), rtol=1e-11, atol=0, equal_nan=True), name
    assert len(run.stdout.splitlines()) == 7
