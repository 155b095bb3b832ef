"""What a reader takes away: the workbook, the Word report, the flow diagram, the archive."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import replace
from email.message import Message
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from urllib.response import addinfourl

import docx
import numpy as np
import openpyxl
import pandas as pd
import pytest
import rocrate
from docx.enum.section import WD_ORIENT
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from rocrate_validator import models, services
from rocrate_validator.utils.http import HttpRequester

from conftest import contents, snakemake
from reweigh.certainty.assess import certainty_table
from reweigh.certainty.findings import PRINTED, summary_of_findings
from reweigh.certainty.word import findings_docx
from reweigh.figures.flow import flow_figure, flow_figures
from reweigh.figures.style import TEXT_SIZE, text_width
from reweigh.figures.svg import render
from reweigh.io import frame
from reweigh.report.archive import archive, read_citation
from reweigh.report.inputs import TABLES
from reweigh.report.page import report_page
from reweigh.report.word import report_docx
from reweigh.report.workbook import workbook
from reweigh.text.numbers import stated_text
from test_certainty import NONE
from test_report import BCG, LITTLE, make_inputs, stored


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


# --- the flow diagram


def counts(**n):
    """Rows of flow.csv; several counts of a box as a dictionary of reasons."""
    named = {box: one if isinstance(one, dict) else {"": one} for box, one in n.items()}
    return [{"box": b, "n": str(n), "reason": why} for b, of in named.items() for why, n in of.items()]


FLOW = counts(
    database_results=6347, database_specific_results={"MEDLINE": 5001, "Embase": 1346}, register_results=126,
    duplicates=2511, excluded_other=0, records_screened=3962, records_excluded=3797, dbr_sought_reports=165,
    dbr_notretrieved_reports=0, dbr_assessed=165, dbr_excluded={"<b>Study design & such": 26, "Intervention": 16},
    new_studies=25, new_reports=124, total_studies=0, previous_studies=0, website_results=0,
)  # fmt: skip


def boxes_of(figure):
    """Texts of the boxes, in the order in which they are drawn."""
    return [one.rstrip(".") for one in figure.description.split(". ")]


def test_the_flow_diagram_has_every_count_and_no_column_without_one():
    figure = flow_figure(FLOW)
    assert boxes_of(figure) == [
        "Records identified from: Databases (n = 6,347) MEDLINE (n = 5,001) Embase (n = 1,346) Registers (n = 126)",
        "Records removed before screening: Duplicate records removed (n = 2,511) Records removed for other reasons (n = 0)",
        "Records screened (n = 3,962)", "Records excluded (n = 3,797)", "Reports sought for retrieval (n = 165)",
        "Reports not retrieved (n = 0)", "Reports assessed for eligibility (n = 165)",
        "Reports excluded (n = 42) <b>Study design & such (n = 26) Intervention (n = 16)",
        "Studies included in review (n = 25) Reports of included studies (n = 124)",
    ]  # fmt: skip
    drawn = {t.get_text() for t in figure.findobj(Text)}
    assert "Identification of studies via databases and registers" in drawn and "Previous studies" not in drawn
    assert not list(flow_figures([])) and [name for name, _ in flow_figures(FLOW)] == ["prisma_2020"]


def test_previous_studies_and_other_methods_are_drawn_where_they_are_counted():
    more = counts(previous_studies=4, website_results=3, other_assessed=2, total_studies=29, total_studies_ma=20)
    replaced = {row["box"] for row in more}
    figure = flow_figure([*(row for row in FLOW if row["box"] not in replaced), *more])
    said = boxes_of(figure)
    assert said[0] == "Studies included in previous version of review (n = 4)"
    assert "Records identified from: Websites (n = 3)" in said and "Reports assessed for eligibility (n = 2)" in said
    assert said[-3:] == [
        "New studies included in review (n = 25) Reports of new included studies (n = 124)",
        "Total studies included in review (n = 29)", "Total studies included in meta-analysis (n = 20)",
    ]  # fmt: skip
    # What nobody counted is said, not left out.
    assert said.count("Reports sought for retrieval: not recorded") == 1
    # On a printed page, 178 mm wide, its text is still 7 points high.
    assert TEXT_SIZE * 178 / 25.4 / figure.get_size_inches()[0] >= 7
    left, right = (figure.axes[0].transData.inverted().transform((x, 0))[0] for x in (0, figure.bbox.width))
    for text in figure.findobj(Text):
        if text.get_text():
            box = text.get_window_extent().transformed(figure.axes[0].transData.inverted())
            assert left < box.x0 and box.x1 < right, text.get_text()


def test_texts_of_the_flow_diagram_stay_in_their_boxes():
    long = counts(dbr_excluded={"Reasonswithoutanyspace" * 6: 1, "many short words " * 20: 123456})
    figure = flow_figure([*FLOW, *(row for row in long)])
    axes = figure.axes[0]
    figure.draw(FigureCanvasAgg(figure).get_renderer())
    places = [one.get_window_extent() for one in axes.patches if isinstance(one, Rectangle)]
    texts = [t.get_window_extent() for t in axes.texts[2:]]
    # Pixels of Agg are hinted: text is a little wider than in print.
    assert all(any(p.x0 <= t.x0 and t.x1 <= p.x1 + 2 and p.y0 <= t.y0 and t.y1 <= p.y1 for p in places) for t in texts)
    assert not any(a.overlaps(b) for a, b in combinations(places, 2))


@pytest.mark.slow
def test_the_page_shows_the_flow_diagram_where_there_are_counts(bcg):
    svg = render(flow_figure(FLOW), "svg")
    assert svg == render(flow_figure(FLOW), "svg")
    page = report_page(replace(bcg, flow=FLOW, drawings={"flow/prisma_2020": svg.decode()}))
    figure = page[page.index('<figure id="fig-flow"') :].partition("</figure>")[0]
    assert "Records identified from: Databases (n = 6,347)" in figure and "&lt;b&gt;Study design &amp;" in figure
    assert "<b>Studies included</b> <span>25</span>" in page  # the tool's total of 0 is none


# --- the Word document


def test_the_word_table_has_the_cells_of_the_table_and_room_for_every_word(bcg):
    content = findings_docx(bcg.summary_of_findings, bcg.protocol)
    assert content == findings_docx(bcg.summary_of_findings, bcg.protocol)
    document = docx.Document(io.BytesIO(content))
    (table,) = document.tables
    head, *rows = ([cell.text for cell in row.cells] for row in table.rows)
    own = bcg.summary_of_findings.iloc[0]
    assert head[:3] == ["Outcome", "Participants (trials)", "Effect (CI)"] and len(rows) == len(bcg.summary_of_findings)
    assert rows[0][:3] == [own["outcome_label"], own["participants_text"], own["effect"]]
    assert rows[0][3] == f"{own['control_per_1000']:.0f}" and rows[0][6].endswith(f"{own['certainty']} [1]")
    assert any(p.text == f"[1] {own['reasons']}" for p in document.paragraphs)
    # 9 points, bold; a cell has 0.08 inch at either side.
    for text, column in zip(head, table.columns, strict=True):
        longest = max(text_width(word, 9, "bold") for word in text.split())
        assert longest <= column.width.pt - 2 * 0.08 * 72, text
    assert document.sections[0].orientation == WD_ORIENT.LANDSCAPE
    assert sum(column.width for column in table.columns) <= 297 * 36000 - 2 * document.sections[0].left_margin
    assert table.rows[0]._tr.trPr.xpath("./w:tblHeader")


def test_the_word_report_is_a_draft_of_methods_results_and_references(bcg):
    inputs = replace(bcg, flow=FLOW)
    content = report_docx(inputs)
    document = docx.Document(io.BytesIO(content))
    heads = [p.text for p in document.paragraphs if p.style.name.startswith("Heading")]
    wanted = ["Methods", "Results", "Tuberculosis", "Summary of findings", "References"]
    assert [head for head in heads if head in wanted] == wanted
    text = "\n".join(p.text for p in document.paragraphs).replace("\u00a0", " ")
    assert "Of 13 trials assessed, 13 are in the review and 13 in a main analysis." in text and "(Figure 1.)" in text
    row = bcg.pooled[bcg.pooled["analysis"] == "tuberculosis.end_of_follow_up"].iloc[0]
    assert f"{stated_text(row)}, k = 13 trials, n = 357,347. I\u00b2 92%" in text
    assert "Certainty: very low. The evidence is very uncertain" in text and "Figure 2. Tuberculosis" in text
    assert len(document.inline_shapes) == 2 and len(document.tables) == 1
    told = [shape._inline.docPr.get("descr") for shape in document.inline_shapes]
    assert "Records screened (n = 3,962)" in told[0] and "Aronson 1948: 0.41" in told[1]
    room = {(s.orientation, s.page_width - s.left_margin - s.right_margin) for s in document.sections}
    assert all(shape.width <= max(width for _, width in room) for shape in document.inline_shapes)
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        assert {item.date_time for item in made.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert b"1980-01-01T00:00:00Z" in made.read("docProps/core.xml")
        assert made.read("docProps/core.xml").count(b"python-docx") == 0
    assert content == report_docx(inputs)


@pytest.mark.parametrize("little", LITTLE)
def test_a_review_with_little_data_has_a_word_report(little):
    inputs = make_inputs(BCG, change=LITTLE[little])
    document = docx.Document(
        io.BytesIO(report_docx(replace(inputs, summary_of_findings=frame("summary_of_findings.csv", []))))
    )
    assert ("No trial could be used." in [p.text for p in document.paragraphs]) == (little in ("no row", "no events"))


def test_texts_that_xml_has_no_place_for_do_not_break_a_document(bcg):
    hostile = bcg.protocol.model_copy(update={"title": "a\x00b\x0b <w:p> & c\ud800"})
    inputs = replace(bcg, protocol=hostile)
    assert docx.Document(io.BytesIO(report_docx(inputs))).paragraphs[0].text == "ab <w:p> & c"
    assert openpyxl.load_workbook(io.BytesIO(workbook(inputs)))["cover"]["A1"].value == "ab <w:p> & c"


# --- the archive

DATA = {"data/bcg-vaccine/arms.csv": b"a,b\n1,2\n", "data/bcg-vaccine/x y.md": b"x"}
RESULTS = {"results/bcg-vaccine/pooled.csv": b"k\n13\n", "results/bcg-vaccine/figures/forest/a.svg": b"<svg/>"}
LOCK = {"requirements.lock": b"numpy==2\n"}
FILES = DATA | RESULTS | LOCK
VERSIONS = {"Python": "3.11.7", "reweigh": "0.1.0", "numpy": "2.0", "made": "version not recorded"}
CITED = b"""cff-version: 1.2.0
message: cite it
title: A title of its own
authors:
  - family-names: Colditz
    given-names: Graham
    orcid: https://orcid.org/0000-0002-9307-1450
  - name: A group
date-released: 2026-11-22
license: CC-BY-4.0
doi: 10.1000/xyz
"""
CONTEXT = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"


@pytest.fixture
def offline(monkeypatch):
    """The context of RO-Crate as the package rocrate brings it (that of 1.3, which has the terms of 1.1)."""
    kind = {"Content-Type": "application/ld+json"}

    def opened(request):
        assert request.full_url == "https://w3id.org/ro/crate/1.1/context"
        head = Message()
        head["Content-Type"] = kind["Content-Type"]
        return addinfourl(io.BytesIO(CONTEXT.read_bytes()), head, request.full_url, 200)

    def get(self, url, **_):
        assert url == "https://w3id.org/ro/crate/1.1/context"
        return SimpleNamespace(status_code=200, headers=kind, json=lambda: json.loads(CONTEXT.read_bytes()))

    monkeypatch.setattr("rdflib.parser._urlopen", opened)
    monkeypatch.setattr(HttpRequester, "get", get, raising=False)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("cited", [None, CITED])
@pytest.mark.parametrize("profile", ["ro-crate-1.1", "process-run-crate"])
def test_the_archive_is_an_ro_crate_by_a_validator(bcg, cited, profile, offline, tmp_path):
    citation = cited and read_citation(cited)[0]
    (tmp_path / "archive.zip").write_bytes(archive(DATA, RESULTS, LOCK, BCG, bcg.protocol, VERSIONS, citation))
    settings = services.ValidationSettings(
        rocrate_uri=str(tmp_path / "archive.zip"), profile_identifier=profile, skip_availability_check=True,
        requirement_severity=models.Severity.REQUIRED,
    )  # fmt: skip
    assert [one.message for one in services.validate(settings).get_issues()] == []


def test_the_archive_has_every_file_its_hash_and_the_run(bcg):
    content = archive(DATA, RESULTS, LOCK, BCG, bcg.protocol, VERSIONS)
    assert content == archive(dict(reversed(DATA.items())), RESULTS, LOCK, BCG, bcg.protocol, VERSIONS)
    with zipfile.ZipFile(io.BytesIO(content)) as made:
        assert {item.date_time for item in made.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        files = {name: made.read(name) for name in made.namelist()}
    assert files.items() >= FILES.items()
    assert set(files) - set(FILES) == {"CITATION.cff", "manifest-sha256.txt", "ro-crate-metadata.json"}
    sums = dict(reversed(line.split("  ", 1)) for line in files["manifest-sha256.txt"].decode().splitlines())
    assert sums == {n: hashlib.sha256(c).hexdigest() for n, c in files.items() if n in (*FILES, "CITATION.cff")}
    graph = {one["@id"]: one for one in json.loads(files["ro-crate-metadata.json"])["@graph"]}
    parts = {one["@id"] for one in graph["./"]["hasPart"]}
    assert len(parts) == len(files) - 1 and "data/bcg-vaccine/x%20y.md" in parts
    run = graph["#run"]
    assert [one["@id"] for one in run["object"]] == ["data/bcg-vaccine/arms.csv", "data/bcg-vaccine/x%20y.md"]
    assert len(run["result"]) == 2 and run["instrument"]["@id"] == "pkg:generic/reweigh@0.1.0"
    assert graph["pkg:pypi/numpy@2.0"]["softwareVersion"] == "2.0"
    assert graph["./"]["datePublished"] == "1980-01-01" and "Its date is not stated" in graph["./"]["description"]
    assert read_citation(files["CITATION.cff"])[0].title == bcg.protocol.title
    changed = archive(DATA, RESULTS, {"requirements.lock": b""}, BCG, bcg.protocol, VERSIONS)
    assert changed != content


def test_an_archive_is_cited_as_its_authors_say_and_a_bad_citation_is_a_report(bcg):
    citation, problems = read_citation(CITED)
    assert problems == []
    with zipfile.ZipFile(io.BytesIO(archive(DATA, RESULTS, LOCK, BCG, bcg.protocol, VERSIONS, citation))) as made:
        graph = {one["@id"]: one for one in json.loads(made.read("ro-crate-metadata.json"))["@graph"]}
    root = graph["./"]
    assert (root["name"], root["datePublished"], root["identifier"]) == ("A title of its own", "2026-11-22", "https://doi.org/10.1000/xyz")  # fmt: skip
    assert root["license"]["@id"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert [graph[one["@id"]]["name"] for one in root["author"]] == ["Graham Colditz", "A group"]
    assert "date is not stated" not in root["description"]
    for wrong, key in ((b"date-released: soon", "date-released"), (b"doi: https://x", "doi"), (b"authors: {", ""),
                       (b"license: [a, b]", "license"), (b"- 1", ""), (b"\xff", "")):  # fmt: skip
        found, problems = read_citation(wrong)
        assert found is None and problems and all(key in f"{p.column} {p.message}" for p in problems), wrong


@pytest.mark.workflow
def test_archive_and_word_report_are_made_on_request_and_the_same_again(copy_of_built):
    results = copy_of_built / "results" / BCG
    before = contents(results)
    targets = [f"results/{BCG}/archive.zip", f"results/{BCG}/report.docx"]
    assert not set(before) & {"archive.zip", "report.docx"}
    made = []
    for _ in range(2):
        run = snakemake(copy_of_built, "--cores", "2", *targets)
        assert run.returncode == 0, run.stdout + run.stderr
        made.append([(copy_of_built / one).read_bytes() for one in targets])
        for one in targets:
            (copy_of_built / one).unlink()
    assert made[0] == made[1] and contents(results) == before
    with zipfile.ZipFile(io.BytesIO(made[0][0])) as found:
        names = set(found.namelist())
        assert {f"data/{BCG}/review.yaml", "environment.yml", f"results/{BCG}/pooled.csv"} <= names
        inside = {n.removeprefix(f"results/{BCG}/") for n in names if n.startswith("results/")}
        assert inside == {name for name in before if ".snakemake" not in name}
        assert all(found.read(f"results/{BCG}/{n}") == before[n] for n in inside)
