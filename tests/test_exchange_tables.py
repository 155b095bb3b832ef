"""Tables of other programmes become a review that passes the check and gives their printed results."""

import base64
import io
import json
import pickle
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweigh.check import examine
from reweigh.effects.selection import select
from reweigh.exchange.cells import tidy
from reweigh.exchange.headers import recognise
from reweigh.exchange.options import Options, read_map
from reweigh.exchange.read import is_cochrane, read
from reweigh.exchange.wide import slug
from reweigh.pool.summarise import pooled_table
from reweigh.protocol.models import PRESETS, Model
from reweigh.risk_of_bias import read_tools
from reweigh.text.exchange import DONE

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT.parent / "shared" / "samples"
TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())
samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the samples of other programmes are not beside the checkout")
COCHRANE = PRESETS["cochrane"]


def files_of(imported):
    """The files of a review as an import writes them."""
    files = {f"{name}.csv": frame.to_csv(index=False).encode() for name, frame in imported.tables.items()}
    return {**files, "review.yaml": json.dumps(imported.protocol).encode()}


def sound(imported):
    """An imported review, checked: nothing is wrong with it, and every code has a sentence."""
    assert not imported.problems, imported.problems
    assert {cell.code for cell in imported.cells} <= set(DONE)
    tables, protocol, problems = examine(files_of(imported), TOOLS)
    assert not problems, problems[:5]
    return tables, protocol


def pooled(imported, *models):
    """Main results of an imported review."""
    tables, protocol = sound(imported)
    protocol = protocol.model_copy(update={"models": models or (COCHRANE,)})
    selection = select(tables.studies, tables.arms, tables.contrasts, protocol)
    return pooled_table(selection.effects, protocol)


def sample(name, **options):
    path = SAMPLES / name
    return read({path.name: path.read_bytes()}, Options(tools=TOOLS, **options))


def text(content, name="table.csv", encoding="utf-8", **options):
    return read({name: content.encode(encoding)}, Options(tools=TOOLS, **options))


def workbook(rows, merged=(), formats=None):
    """The bytes of a workbook with one sheet."""
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for area in merged:
        book.active.merge_cells(area)
    for cell, number_format in (formats or {}).items():
        book.active[cell].number_format = number_format
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def done(imported):
    """(row, column, was) to what became of it."""
    return {(c.row, c.column, c.was): (c.became, c.code) for c in imported.cells}


# --- The right results of the samples: as printed by R (their README); Hackshaw to the digit at which R stops REML

LOG_RR, NATURAL = "-0.7145 -1.1084 -0.3206", "natural"
MD, SMD = "-15.1060 -36.3187 6.1067", "-0.5371 -1.2503 0.1761"
MH = Model(name="M-H", tau2="EE", interval="wald", pooling="mantel-haenszel")
PM = Model(name="PM", tau2="PM", interval="hartung-knapp")


@samples
@pytest.mark.parametrize(
    ("name", "options", "model", "printed", "scale"),
    [
        ("metafor/dat.bcg.csv", {}, COCHRANE, LOG_RR, "log"),
        ("metafor/dat.bcg_escalc_yi_vi.csv", {}, COCHRANE, LOG_RR, "log"),
        ("metafor/dat.hackshaw1998.csv", {}, COCHRANE, "1.24469 1.13344 1.36687", NATURAL),
        ("metafor/dat.normand1999.csv", {}, COCHRANE, MD, "log"),
        ("metafor/dat.normand1999.csv", {"measure": "SMD"}, COCHRANE, SMD, "log"),
        ("metafor/dat.normand1999_excel_de.csv", {}, COCHRANE, MD, "log"),
        ("metafor/dat.normand1999.dta", {}, COCHRANE, MD, "log"),
        ("metafor/dat.normand1999_two_sheets.xlsx", {}, COCHRANE, MD, "log"),
        ("metafor/dat.normand1999_two_sheets.xlsx", {"measure": "SMD", "sheet": "Extraction"}, COCHRANE, SMD, "log"),
        ("meta/Fleiss1993bin.csv", {"measure": "OR"}, MH, "0.896866 0.840514 0.956995", NATURAL),
        ("meta/Fleiss1993cont.csv", {"measure": "SMD"}, PRESETS["revman-5"], "-0.3434 -0.6068 -0.0800", "log"),
        ("meta/Olkin1995.csv", {"measure": "OR"}, COCHRANE, "0.743912 0.684024 0.809043", NATURAL),
        ("meta/ThirdWave.csv", {"measure": "SMD"}, COCHRANE, "0.5771 0.3782 0.7760", "log"),
        ("meta/DepressionMortality.csv", {}, PM, "2.0217 1.5786 2.5892", NATURAL),
    ],
)
def test_a_sample_gives_its_printed_result(name, options, model, printed, scale):
    if name.endswith("xlsx"):
        pytest.importorskip("openpyxl")
    one = pooled(sample(name, **options), model).iloc[0]
    values = [one[c] for c in ("estimate", "ci_lower", "ci_upper")]
    for value, said in zip(np.exp(values) if scale == NATURAL else values, printed.split(), strict=True):
        assert f"{value:.{len(said.partition('.')[2])}f}" == said


@samples
def test_bcg_brings_its_further_columns_and_its_heterogeneity():
    imported = sample("metafor/dat.bcg.csv")
    assert pooled(imported).iloc[0]["tau2"] == pytest.approx(0.31324, abs=5e-6)
    studies = imported.tables["studies"]
    assert list(studies.columns) == ["study_id", "label", "year", "ablat", "alloc"]
    assert studies.iloc[0].tolist() == ["aronson_1948", "Aronson 1948", "1948", "44", "random"]
    assert len(imported.tables["arms"]) == 26


EXTRACTION = """
columns: {study_id: study_name, events: "{outcome}_e", n: "{outcome}_n", mean: "{outcome}_mean", sd: "{outcome}_sd"}
arm: drug_new
role: {TAAR1 agonist: intervention, placebo: control}
sum: true
"""


@samples
def test_the_extraction_sheet_gives_its_published_result():
    pytest.importorskip("openpyxl")
    name = "extraction-sheet/data_2024-01-22_LSR3_H.xlsx"
    imported = sample(name, outcome="dropout_any", measure="OR", columns=read_map(EXTRACTION))
    one = pooled(imported).iloc[0]
    printed = [np.exp(one[c]) for c in ("estimate", "ci_lower", "ci_upper")]
    assert printed == pytest.approx([1.24126, 0.95690, 1.61012], abs=6e-6)
    assert one["k"] == 6
    read_rows = {int(place.split()[-1]) for place in imported.tables["arms"]["location"]}
    left_out = {cell.row for cell in imported.cells if cell.code.startswith("row_")}
    assert read_rows | left_out == set(range(2, 27)) and not read_rows & left_out


@samples
def test_the_whole_folder_of_a_review_is_one_review():
    pytest.importorskip("openpyxl")
    files = {path.name: path.read_bytes() for path in (SAMPLES / "extraction-sheet").iterdir()}
    imported = read(files, Options(outcome="dropout_any", measure="OR", columns=read_map(EXTRACTION), tools=TOOLS))
    assert set(imported.tables) == {"studies", "arms", "risk_of_bias", "flow"}
    studies = imported.tables["studies"].set_index("study_id")
    assert studies.loc["hopkins_2021", "design"] == "crossover" and "title" in studies
    bias = imported.tables["risk_of_bias"].set_index(["study_id", "domain"])["judgement"]
    assert bias["isaacson_2023", "missing_data"] == "high" and bias["koblan_2020", "overall"] == "low"
    assert f"{np.exp(pooled(imported).iloc[0]['estimate']):.5f}" == "1.24126"
    listed = {cell.was for cell in imported.cells if cell.code == "study_unmatched"}
    assert len(listed) + 7 == 26


@samples
def test_every_outcome_of_the_extraction_sheet_is_read():
    pytest.importorskip("openpyxl")
    imported = sample("extraction-sheet/data_2024-01-22_LSR3_H.xlsx", columns=read_map(EXTRACTION))
    sound(imported)
    outcomes = imported.protocol["outcomes"]
    assert outcomes["overall"]["type"] == "continuous" and outcomes["adverse_event"]["type"] == "binary"
    assert len(outcomes) == 27


@samples
def test_two_of_several_treatments_are_picked():
    several = sample("metainsight/binary_long.csv")
    assert "--arms EXPERIMENTAL CONTROL" in several.problems[0] and "Infliximab" in several.problems[0]
    imported = sample("metainsight/binary_long.csv", arms=("Infliximab", "placebo"))
    arms = imported.tables["arms"]
    assert sorted(arms["study_id"].unique()) == ["abe2006", "attest", "start"]
    assert arms[["study_id", "role", "events", "n"]].to_numpy().tolist()[:2] == [
        ["abe2006", "intervention", "15", "49"],
        ["abe2006", "control", "0", "47"],
    ]
    assert imported.protocol["words"] == {"intervention": "Infliximab", "control": "Placebo"}
    left_out = [cell for cell in imported.cells if cell.code.startswith("row_")]
    assert len(left_out) + 6 == 24
    sound(imported)
    wrong = sample("metainsight/binary_long.csv", arms=("Inflixmab", "Placebo"))
    assert 'did you mean "Infliximab"' in wrong.problems[0]


@samples
@pytest.mark.parametrize(("name", "tool", "domains"), [("data_rob1", "RoB 1", 8), ("data_rob2", "RoB 2", 6)])
def test_judgements_of_robvis(name, tool, domains):
    imported = sample(f"robvis/{name}.csv")
    bias = imported.tables["risk_of_bias"]
    assert set(bias["tool"]) == {tool} and len(bias) == 9 * domains
    assert bias[bias["domain"] == "overall"]["judgement"].iloc[4] == "high"
    (code,) = {cell.code for cell in imported.cells}
    assert code == "no_information"


@samples
def test_flow_counts_of_the_prisma_tool():
    flow = sample("extraction-sheet/LSR3_H_PRISMA_2024.01.23.csv").tables["flow"]
    count = {(box, reason): n for box, n, reason in flow.to_numpy().tolist()}
    assert count["records_screened", ""] == "3962" and count["dbr_excluded", "Study design"] == "26"
    assert count["database_specific_results", "EMBASE"] == "1332"
    assert "flow" in sample("prisma/PRISMA.csv").tables


# --- Untidy cells

UNTIDY = [
    ("NR", "n", {}, "missing_word"),
    ("n.i.", "mean", {}, "missing_word"),
    ("k.A.", "sd", {}, "missing_word"),
    ("-", "events", {}, "missing_word"),
    ("12.3 (4.5)", "mean", {"mean": "12.3", "sd": "4.5"}, "mean_sd"),
    ("12.3 ± 4.5", "mean", {"mean": "12.3", "sd": "4.5"}, "mean_sd"),
    ("12,3 +/- 4,5", "mean", {"mean": "12.3", "sd": "4.5"}, "mean_sd"),
    ("12.3 (SE 1.2)", "mean", {"mean": "12.3", "se": "1.2"}, "mean_se"),
    ("12 [8; 15]", "median", {"median": "12", "q1": "8", "q3": "15"}, "quartiles"),
    ("median 12 (IQR 8–15)", "mean", {"median": "12", "q1": "8", "q3": "15"}, "quartiles"),
    ("12 (range 2 to 30)", "median", {"median": "12", "min": "2", "max": "30"}, "range"),
    ("12.3 (95% CI 10.1 to 14.5)", "mean", {"mean": "12.3", "ci_lower": "10.1", "ci_upper": "14.5"}, "interval"),
    ("-5.2 (−8.0; −2.1)", "estimate", {"estimate": "-5.2", "ci_lower": "-8.0", "ci_upper": "-2.1"}, "interval"),
    ("12 [8; 15]", "mean", {"mean": "12"}, "interval_left_out"),
    ("5/20", "events", {"events": "5", "n": "20"}, "events_of_n"),
    ("5 of 20 (25%)", "events", {"events": "5", "n": "20"}, "events_of_n"),
    ("5 (25.0)", "events", {"events": "5", "percent": "25.0"}, "events_percent"),
    ("12%", "events", {"percent": "12"}, "events_from_percent"),
    ("12 %", "percent", {"percent": "12"}, "percent_sign"),
    ("1,234", "n", {"n": "1234"}, "thousands_separator"),
    ("1 234", "n", {"n": "1234"}, "thousands_separator"),
    ("1.234,5", "mean", {"mean": "1234.5"}, "thousands_separator"),
    ("12,3", "mean", {"mean": "12.3"}, "decimal_comma"),
    ("12.3 mm", "mean", {"mean": "12.3"}, "unit"),
    ("12.3†", "mean", {"mean": "12.3"}, "footnote_mark"),
    ("12.3²", "mean", {"mean": "12.3"}, "footnote_mark"),
    ("20a", "n", {"n": "20"}, "footnote_mark"),
    ("−3.2", "mean", {"mean": "-3.2"}, "dash"),
    ("\u200b12.3\xa0", "mean", {"mean": "12.3"}, "spaces"),
    ("(4.5)", "sd", {"sd": "4.5"}, "brackets"),
    ("n = 20", "n", {"n": "20"}, "words_before"),
    ("~20", "n", {"n": "20"}, "approximate"),
    ("1.2×10-3", "p_value", {"p_value": "1.2e-3"}, "power_of_ten"),
    ("p < .001", "p_value", {"p_value": ".001", "p_operator": "<"}, "p_bound"),
    ("<5", "events", {}, "inequality"),
    ("20.0", "n", {"n": "20"}, "whole_number"),
    ("12.5", "n", {}, "not_whole"),
    ("0", "sd", {}, "out_of_bounds"),
    ("-5", "n", {}, "out_of_bounds"),
    ("1e999", "mean", {}, "out_of_bounds"),
    ("#DIV/0!", "mean", {}, "spreadsheet_error"),
    ("5-Feb", "events", {}, "date"),
    ("2020-05-20", "mean", {}, "date"),
    ("１２", "n", {"n": "12"}, "digits"),
    ("twelve", "n", {}, "text"),
    ("12 13", "n", {}, "ambiguous_numbers"),
    ("12.3", "mean", {"mean": "12.3"}, ""),
    ("", "mean", {}, ""),
]


@pytest.mark.parametrize(("cell", "field", "values", "code"), UNTIDY)
def test_an_untidy_cell_is_split_or_emptied(cell, field, values, code):
    assert tidy(cell, field) == (values, code)
    assert code == "" or code in DONE


def test_a_sheet_of_all_kinds_of_untidy_cells_passes_the_check():
    """A trial per kind: its cell stands in the experimental arm, among numbers that go with it."""
    fields = ["n", "events", "mean", "sd", "median", "percent"]
    plain = {"n": "20", "events": "5", "mean": "12", "sd": "9"}
    kinds = [one for one in UNTIDY if one[1] in fields and one[0]]
    rows = []
    for i, (cell, of, values, _) in enumerate(kinds):
        beside = dict.fromkeys(values, "") | ({"events": ""} if of == "percent" else {})
        own = {**plain, **beside, of: cell}
        rows += [{"study": f"S{i}", "arm": "drug", **own}, {"study": f"S{i}", "arm": "placebo", **plain}]
    content = pd.DataFrame(rows, columns=["study", "arm", *fields]).to_csv(index=False)
    imported = text(content)
    arms = imported.tables["arms"].set_index(["study_id", "role"])
    told = {(c.row, c.was): c.code for c in imported.cells}
    for i, (cell, of, values, code) in enumerate(kinds):
        if (f"s{i}", "intervention") in arms.index:
            assert arms.loc[(f"s{i}", "intervention"), list(values)].to_dict() == values
            assert values or arms.loc[(f"s{i}", "intervention"), of] == ""
        assert told.get((2 + 2 * i, cell), "") == code
    assert len(set(told.values())) >= 20
    sound(imported)


def test_a_split_number_that_contradicts_its_own_column_is_told():
    imported = text("study,n1,mean1,sd1,n2,mean2,sd2\nA,20,3 (1.5),1,21,4,1\n")
    assert imported.tables["arms"]["sd"].tolist() == ["1", "1"]
    assert (2, "sd1", "1.5", "1", "own_column") in [tuple(c)[1:] for c in imported.cells]


def test_a_point_beside_decimal_commas_is_never_guessed():
    assert tidy("1.234", "mean", comma=True) == ({}, "ambiguous_separator")
    assert tidy("1.234", "n", comma=True) == ({"n": "1234"}, "thousands_separator")


SHEET = [
    ["Table 2. Pain at 4 weeks", None, None, None, None, None],
    ["Study", "Year", "Ketamine", None, "Placebo", None],
    [None, None, "N", "Mean (SD), mm", "N", "Mean (SD), mm"],
    ["Amr", 2010, "20", "12.3 (4.5)", 20, "15,1 (5,2)"],
    ["Bell*", "2011a", "n=15", "20 ± 6.1", 16, "median 25 [18; 30]"],
    ["Cole", "in press", 0.5, "n.i.", 12, "-"],
    ["Dean", 2014, 31, 9, "30²", "8 mm"],
    ["Study", "Year", "N", "Mean (SD), mm", "N", "Mean (SD), mm"],
    ["Total", None, 47, None, 48, None],
    ["* one trial had no dispersion", None, None, None, None, None],
]


def test_a_sheet_with_two_rows_of_names_and_merged_cells():
    merged = ["A1:F1", "C2:D2", "E2:F2", "A2:A3", "B2:B3"]
    imported = read({"sheet.xlsx": workbook(SHEET, merged)}, Options(tools=TOOLS))
    arms = imported.tables["arms"].set_index(["study_id", "role"])
    assert arms.loc[("amr", "control"), ["n", "mean", "sd"]].tolist() == ["20", "15.1", "5.2"]
    assert arms.loc[("bell", "control"), ["median", "q1", "q3"]].tolist() == ["25", "18", "30"]
    assert arms.loc[("dean", "control"), ["n", "mean"]].tolist() == ["30", "8"]
    assert imported.protocol["words"] == {"intervention": "ketamine", "control": "placebo"}
    told = done(imported)
    assert told[5, "Ketamine N", "n=15"] == ("15", "words_before")
    assert told[5, "Study", "Bell*"] == ("Bell", "footnote_mark")
    assert told[6, "", "Cole"][1] == "row_empty"
    codes = {(cell.row, cell.code) for cell in imported.cells}
    assert {(1, "row_footnote"), (9, "row_total"), (10, "row_footnote"), (2, "header_rows")} <= codes
    sound(imported)


def test_a_percentage_of_a_workbook_is_a_percentage():
    rows = [["study", "event.e", "n.e", "event.c", "n.c"], ["A", 0.25, 20, 5, 20], ["B", 3, 21, 5, 22]]
    imported = read({"sheet.xlsx": workbook(rows, formats={"B2": "0%"})}, Options(tools=TOOLS))
    assert imported.tables["arms"].iloc[0][["events", "percent"]].tolist() == ["", "25"]
    sound(imported)


def test_a_list_of_studies_alone_is_read():
    imported = text("Name,Title,DOI\nAmr (2010),A trial,10.1/x\nBell (2011),Another,\n")
    assert imported.tables["studies"].to_numpy().tolist() == [
        ["amr_2010", "Amr (2010)", "10.1/x", "A trial"],
        ["bell_2011", "Bell (2011)", "", "Another"],
    ]


def test_a_title_above_the_table_and_formulas_without_values():
    imported = text("Table 1\n\nstudy;ai;n1i;ci;n2i\nA;5;20;8;21\nB;6;30;9;31\n")
    assert len(imported.tables["arms"]) == 4 and imported.cells[0].code == "row_footnote"
    rows = [["study", "ai", "n1i", "ci", "n2i"], ["A", 5, "=10+10", 8, 21], ["B", 5, 20, 8, 21]]
    assert any("1 formulas have no stored value" in note for note in read({"a.xlsx": workbook(rows)}).notes)


def test_excel_as_it_is_in_europe():
    rows = "sep=;\nAutor;Jahr;n1;MW1;SD1;n2;MW2;SD2\nMüller;1999;20;3,2;1,1;21;4,0;1,2\nWeiß;k.A.;1.200;3,25;0,9;1.180;3,1;1,0\n"
    imported = text(rows, encoding="cp1252")
    assert imported.tables["studies"][["study_id", "label"]].to_numpy().tolist() == [
        ["muller_1999", "Müller 1999"],
        ["weiss", "Weiß"],
    ]
    assert imported.tables["arms"].iloc[2][["n", "mean", "sd"]].tolist() == ["1200", "3.25", "0.9"]
    sound(imported)
    sound(text(rows.removeprefix("sep=;\n"), encoding="utf-16"))


def test_a_study_named_once_for_its_arms():
    rows = (
        "Study,Arm,N,Mean,SD\nAmr,ketamine,20,3.1,1.2\n,placebo,20,4.0,1.1\nBell,ketamine,12,3,1\n,placebo,11,4,1.2\n"
    )
    imported = text(rows)
    assert imported.tables["arms"]["study_id"].tolist() == ["amr", "amr", "bell", "bell"]
    assert done(imported)[3, "Study", ""] == ("Amr", "merged")
    assert any("ketamine is taken for the intervention" in note for note in imported.notes)
    sound(imported)


# --- Names of columns

NAMES = {
    "ai bi ci di": "counts",
    "ai n1i ci n2i": "counts",
    "AI N1I CI N2I": "counts",
    "m1i sd1i n1i m2i sd2i n2i": "means",
    "x1i t1i x2i t2i": "rates",
    "event.e n.e event.c n.c": "counts",
    "mean.e sd.e n.e mean.c sd.c n.c": "means",
    "event.e time.e event.c time.c": "rates",
    "tdeath tnodeath cdeath cnodeath": "counts",
    "n1 mean1 sd1 n2 mean2 sd2": "means",
    "events_drug total_drug events_placebo total_placebo": "counts",
    "yi vi": "contrast",
    "yi sei": "contrast",
    "TE seTE": "contrast",
    "_ES _seES": "contrast",
    "logor selogor": "contrast",
    "HR lci uci": "contrast",
    "log(HR) SE(log(HR))": "contrast",
    "lnOR selnOR": "contrast",
    "O.E V": "contrast",
    "OmE V": "contrast",
    "arm n events": "long",
    "xi ni": "single",
    "ri ni": "single",
    "mi sdi ni": "single",
    "cor n": "single",
    "event n": "single",
    "mean sd n": "single",
    "ri ni yi vi": "single",
    "event n TE seTE": "single",
    "arm event n": "long",
    "height weight": None,
}


@pytest.mark.parametrize(("names", "kind"), NAMES.items())
def test_names_of_columns_are_known(names, kind):
    layout = recognise(["study", *names.split()])
    assert (layout and layout.kind) == kind


def test_intervals_of_arms_are_read():
    imported = text(
        "Study,Drug mean,Drug 95% CI,Drug n,Sham mean,Sham 95% CI,Sham n\nA,5.2,4.1 to 6.3,20,6.1,5.0–7.2,21\n"
    )
    assert imported.tables["arms"][["ci_lower", "ci_upper"]].to_numpy().tolist() == [["4.1", "6.3"], ["5.0", "7.2"]]
    assert pooled(imported).iloc[0]["k"] == 1


def test_the_side_of_a_control_is_known_by_its_name():
    layout = recognise(["study", "d.plac", "n.plac", "d.asp", "n.asp"])
    assert layout.sides == ("asp", "plac") and not layout.guessed
    assert recognise(["study", "d.left", "n.left", "d.right", "n.right"]).guessed == ("sides",)


def test_estimates_beside_results_tell_the_measure_and_the_sides():
    rows = "study,a_n,a_mean,a_sd,b_n,b_mean,b_sd,yi,vi\nX,20,3,1,21,5,1.5,2,0.157\nY,30,4,1,31,5,1.5,1,0.106\n"
    imported = text(rows.replace("a_", "sham_pill_").replace("b_", "blue_pill_"))
    sides = {row["mean"]: row["role"] for row in imported.tables["arms"].to_dict("records")}
    assert sides["3"] == "control" and sides["5"] == "intervention"
    assert pooled(imported).iloc[0]["estimate"] > 0
    odds = "study,ai,bi,ci,di,yi,vi\nX,5,15,8,13,-0.6131,0.4633\nY,6,24,9,22,-0.4925,0.3651\n"
    assert text(odds).protocol["outcomes"]["outcome"]["measure"] == "OR"


def test_rows_of_one_study_share_patients_where_they_share_an_arm():
    shared = "study,ai,n1i,ci,n2i\nA,5,20,8,40\nA,6,21,8,40\nB,5,20,8,41\n"
    assert "independent_comparisons" not in text(shared).protocol
    apart = text("study,ai,n1i,ci,n2i\nA,5,20,8,40\nA,6,21,9,42\nB,5,20,8,41\n")
    assert [one["study"] for one in apart.protocol["independent_comparisons"]] == ["a"]
    sound(text(shared))
    sound(apart)


def test_trials_that_a_table_numbers_apart_stay_apart():
    imported = text("trial,author,year,ai,bi,ci,di\n1,Lee,1999,5,15,8,13\n2,Lee,1999,6,24,9,22\n")
    assert imported.tables["studies"]["study_id"].tolist() == ["lee_1999_a", "lee_1999_b"]
    sound(imported)


def test_a_ratio_or_its_logarithm():
    natural = text("study,OR,lower,upper\nA,0.75,0.60,0.95\nB,1.2,0.8,1.9\n")
    assert set(natural.tables["contrasts"]["estimate_scale"]) == {"natural"}
    logs = text("study,yi,vi\nA,-0.2,0.04\nB,0.1,0.09\n", measure="RR")
    assert set(logs.tables["contrasts"]["estimate_scale"]) == {"log"}
    assert logs.tables["contrasts"]["se"].tolist() == ["0.2", "0.3"]
    sound(natural)
    sound(logs)


def test_an_estimate_without_a_measure_is_a_question():
    (problem,) = text("study,yi,vi\nA,-0.2,0.04\nB,0.1,0.09\n").problems or ("--measure",)
    assert "--measure" in problem


# --- A map of columns

WIDE_MAP = """
columns: {study_id: Trial, events_intervention: dead_new, n_intervention: all_new, events_control: dead_old, n_control: all_old, latitude: Lat}
where: {used: [yes, y]}
"""


def test_a_map_names_any_column():
    rows = "Trial,Lat,used,dead_new,all_new,dead_old,all_old\nA,10,yes,5,20,8,21\nB,20,no,6,30,9,31\nC,30,Y,7,30,9,31\n"
    imported = text(rows, columns=read_map(WIDE_MAP))
    assert imported.tables["studies"][["study_id", "latitude"]].to_numpy().tolist() == [["a", "10"], ["c", "30"]]
    assert [cell.code for cell in imported.cells if cell.row == 3] == ["row_where"]
    sound(imported)


def test_rows_of_one_side_are_combined_where_the_map_says_so():
    rows = "study,drug,n,mean,sd\nA,low,20,3,1\nA,high,22,4,1.1\nA,placebo,21,5,1.2\nB,low,30,3,1\nB,placebo,31,4,1\n"
    roles = "arm: drug\nrole: {low: intervention, high: intervention, placebo: control}\n"
    each = text(rows, columns=read_map(roles))
    assert each.tables["arms"]["comparison_id"].unique().tolist() == ["a_low", "a_high", ""]
    together = text(rows, columns=read_map(roles + "sum: true\n"))
    assert "comparison_id" not in together.tables["arms"] and len(together.tables["arms"]) == 5
    assert pooled(together).iloc[0]["k"] == pooled(each).iloc[0]["k"] == 2
    only_b = text(rows, columns=read_map(roles + "sum: [B]\n"))
    assert only_b.tables["arms"]["comparison_id"].unique().tolist() == ["a_low", "a_high", ""]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("colums: {n: N}", 'did you mean "columns"'),
        ("role: {a: intervention}", "needs `arm`"),
        ("arm: x\nrole: {a: treated}", "intervention, control, other"),
        ("columns: [n, mean]", "name: value"),
        ("{", "no YAML"),
        ("- a", "no keys"),
    ],
)
def test_a_wrong_map_is_refused_in_words(content, said):
    with pytest.raises(ValueError, match="map of columns") as refused:
        read_map(content)
    assert said in str(refused.value)


def test_a_map_of_missing_columns_says_which():
    (problem,) = text(
        "Trial,deaths,size\nA,1,2\n", columns=read_map("columns: {events: death, n: size}\narm: drug")
    ).problems
    assert "death" in problem and 'did you mean "deaths"' in problem and "drug" in problem


def test_a_misspelt_name_of_ours_is_named():
    (problem,) = text(
        "T,d,n,a\nA,1,20,x\n", columns=read_map("columns: {study_id: T, event: d, n: n}\narm: a")
    ).problems
    assert 'event is no name of ours (did you mean "events"?)' in problem


# --- Risk of bias and references

BCG = "author,year,ai,bi,ci,di\nAronson,1948,4,119,11,128\nRosenthal,1960,3,228,11,209\n"


@pytest.mark.parametrize(
    ("judgements", "tool", "level"),
    [
        ("Study,D1,D2,D3,D4,D5,Overall,Weight\nAronson 1948,Low,High,Some concerns,No information,Low,High,33\n", "RoB 2", "some_concerns"),
        ("Study,D1,D2,D3,D4,D5,D6,D7,Overall\nAronson 1948,Low,Critical,Moderate,No information,Low,Serious,Low,Critical\n", "ROBINS-I", "no_information"),
        ("Study,D1,D2,D3,D4,D5,D6,D7,Overall\nAronson 1948,Low,High,Unclear,No information,Low,Low,Low,High\n", "RoB 1", "unclear"),
        ("Study,D1,D2,D3,D4,D5,D6\nAronson 1948,Low risk,High,Unclear,Unclear,Low,Low\n", "RoB 1", "unclear"),
    ],
)  # fmt: skip
def test_the_tool_is_known_by_its_domains_and_words(judgements, tool, level):
    imported = read({"bcg.csv": BCG.encode(), "rob.csv": judgements.encode()}, Options(tools=TOOLS))
    bias = imported.tables["risk_of_bias"]
    assert set(bias["tool"]) == {tool} and bias["judgement"].iloc[3] == level
    assert set(bias["study_id"]) == {"aronson_1948"}
    sound(imported)


def test_judgements_that_do_not_apply_are_left_out_and_listed():
    rows = "Study,D1,D2,D3,D4,D5,Overall\nA,Low,Not applicable,Low,Low,Low,Low\nA,Low,Low,Low,Low,Low,Low\nB,Low,Low,Low,Low,odd,High\n"
    imported = text(rows)
    codes = [(cell.row, cell.code) for cell in imported.cells]
    assert codes == [(2, "not_applicable"), (3, "row_repeated"), (4, "judgement_unknown")]
    alone = read({"bcg.csv": BCG.encode(), "rob.csv": rows.encode()}, Options(tools=TOOLS))
    assert len(alone.tables["risk_of_bias"]) == 0 and len(alone.tables["studies"]) == 2
    assert [c.code for c in alone.cells if c.file == "risk_of_bias"] == ["judgement_unmatched"] * 2


RIS = """\
TY  - JOUR
AU  - Aronson, Jane
TI  - Vaccination (NCT01234567)
PY  - 1948/05
JO  - Lancet
DO  - https://doi.org/10.1/x
ER  -

TY  - JOUR
A1  - Müller, K
T1  - Of no table
Y1  - 2010//
ER  -
"""
BIB = """\
@article{a1948, author = {Aronson, J and Roe, K}, title = {A {BCG} trial}, year = 1948, doi = {10.1/x}}
@article{broken, title = {x}
"""


@pytest.mark.parametrize(("name", "content", "reader"), [("a.ris", RIS, "rispy"), ("a.bib", BIB, "bibtexparser")])
def test_references_fill_the_studies_of_a_table(name, content, reader):
    pytest.importorskip(reader)
    imported = read({"bcg.csv": BCG.encode(), name: content.encode()})
    studies = imported.tables["studies"].set_index("study_id")
    assert studies.loc["aronson_1948", "doi"] == "10.1/x" and len(studies) == 2
    assert {cell.code for cell in imported.cells} & {"reference_unmatched", "row_empty"}
    sound(imported)
    alone = read({name: content.encode()}).tables["studies"]
    assert alone["label"].tolist() == (["Aronson 1948", "Müller 2010"] if name == "a.ris" else ["Aronson 1948"])


def test_a_reader_that_is_not_installed_is_named(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("reweigh.exchange.grids.import_module", absent)
    for name, data in (("a.ris", RIS.encode()), ("a.sav", b"$FL2@(#) SPSS"), ("a.rda", b"RDX3\nX\n")):
        (problem,) = read({name: data}).problems
        assert "is not installed (pip install 'reweigh[formats]')" in problem


#: R 4: save(trials, notes, compress = "xz") and saveRDS(trials) of two made-up trials.
RDA = (
    "/Td6WFoAAAFpIt42AgAhARwAAAAQz1jM4AJQAPJdACkRB1RoEeRuUsqgM8UkXrtrnNeLUzcP1dKbshUqBwT4yAjz6ecVnncrmCHn"
    "Y0qKJ6jor2Jm4WRpEGJofet4nX28PmR99mcbL+LbP0MeLoy6gBMCndv4wTzsJMhxJjktTzSRtPGSSIlH+UZhCzeUq3kLIv2J4hFK"
    "ZvfCGkOBiczse2kBz1YTovS1VH0SJhcj9J4ABYo1zQP6aH17GI6m0dC6D0z5x2Cr1EX1a5z0Sl71mrPgNONasaJZDtjlba/hDELY"
    "2FcblZ4gAgG3kl61zXOzWqf4O/5YEaiy+H8vhc7nXWAZJQfCkkYycaVe2JcaI1b7AAAAVtWiXgABigLRBAAAI8Zfnz4wDYsCAAAA"
    "AAFZWg=="
)
RDS = (
    "/Td6WFoAAAFpIt42AgAhARYAAAB0L+Wj4AGuALZdACwCfBn5r/QdO56YNX7q0PQhTbNFUsa9mj0VBHnk8oaqOMhqieMmLg+ldcBM"
    "WDgarlDUT3g0kTxQZ43vduhy5gEJc3uFOnO4WAoKBhOSrlmNOVukQJQLYyBpQjhGXr/qj/zUNbV21zZmeN7lHig4uxQaMxJ4y8iA"
    "SQAInNAAyjcSkJYCUrwYPUQaOHjxXcEAG/bMwxT2bEZ+3qtYBYfMe8tBio6H/roAuet+eZ0STh1ZudJ5eTTsAAAAOQjBiQABzgGv"
    "AwAAozWZwj4wDYsCAAAAAAFZWg=="
)


@pytest.mark.parametrize(("name", "content"), [("a.rda", RDA), ("a.rds", RDS)])
def test_data_frames_of_r(name, content):
    pytest.importorskip("rdata")
    imported = read({name: base64.b64decode(content)})
    assert imported.tables["arms"][["events", "n"]].to_numpy().tolist() == [
        ["5", "20"],
        ["8", "21"],
        ["6", "30"],
        ["9", "31"],
    ]
    assert imported.tables["studies"]["kind"].tolist() == ["x", "y"]
    sound(imported)


def test_a_table_of_spss(tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    frame = pd.DataFrame({"study": ["A", "B"], "ai": [5, 6], "n1i": [20, 30], "ci": [8, 9], "n2i": [21, 31]})
    pyreadstat.write_sav(frame, str(tmp_path / "a.sav"))
    imported = read({"a.sav": (tmp_path / "a.sav").read_bytes()})
    assert imported.tables["arms"]["n"].tolist() == ["20", "21", "30", "31"]
    sound(imported)


# --- What is refused


def test_a_pickle_is_never_opened():
    class Trap:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was opened",))

    for protocol in range(6):
        for name in ("review.oma", "table.csv"):
            (problem,) = read({name: pickle.dumps((Trap(), {"a": [1]}), protocol=protocol)}).problems
            assert "pickle" in problem and "never opened" in problem


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.pdf", b"%PDF-1.7 ...", "a PDF"),
        ("a.csv", b"", "an empty file"),
        ("a.xls", b"\xd0\xcf\x11\xe0....", "old Excel"),
        ("a.html", b"<!DOCTYPE html><html></html>", "HTML"),
        ("a.json", b'{"a": 1}', "JSON"),
        ("a.xlsx", b"PK\x03\x04 broken", "damaged"),
        ("a.csv", b"name,height\nA,3\nB,4\n", "the columns name, height; the columns of the results are missing"),
    ],
)
def test_what_is_no_table_of_results_is_named(name, data, said):
    (problem,) = read({name: data}).problems
    assert name in problem and said in problem


def test_options_that_name_what_there_is_not():
    imported = read({"bcg.csv": BCG.encode()}, Options(measure="RX", model="cochran", outcome="Big Pain"))
    assert [
        said in problem for said, problem in zip(("RX", '"cochrane"', "big_pain"), imported.problems, strict=True)
    ] == [True] * 3
    (problem,) = read({"bcg.csv": BCG.encode()}, Options(measure="MD")).problems
    assert "it has counts of two arms, but the measure MD needs mean, SD and n" in problem


def test_options_are_taken():
    imported = read({"bcg.csv": BCG.encode()}, Options(measure="OR", model="revman-5", outcome="death"))
    assert imported.protocol["models"][0] == "revman-5"
    assert imported.protocol["outcomes"]["death"]["measure"] == "OR"
    assert set(imported.tables["arms"]["outcome"]) == {"death"}
    sound(imported)


def test_two_tables_are_two_outcomes():
    imported = read(
        {
            "pain.csv": b"study,n1,mean1,sd1,n2,mean2,sd2\nA,20,3,1,21,4,1\n",
            "death.csv": b"study,r1,n1,r2,n2\nA,2,20,3,21\n",
        }
    )
    assert set(imported.protocol["outcomes"]) == {"pain", "death"}
    sound(imported)


def test_a_column_of_times_tells_rows_of_one_arm_apart():
    rows = "Study,Arm,Weeks,N,Mean,SD\nA,drug,4,20,3,1\nA,placebo,4,21,4,1\nA,drug,12,19,3,1\nA,placebo,12,20,5,1\n"
    imported = text(rows)
    assert imported.tables["arms"]["timepoint"].tolist() == ["4 weeks", "4 weeks", "12 weeks", "12 weeks"]
    assert "comparison_id" not in imported.tables["arms"]
    sound(imported)
    assert any("Weeks is taken for the time point" in note for note in imported.notes)
    once = text("Study,Arm,Weeks,N,Mean,SD\nA,drug,4,20,3,1\nA,placebo,4,21,4,1\n")
    assert "timepoint" not in once.tables["arms"] and once.tables["studies"]["weeks"].tolist() == ["4"]


def test_a_network_is_refused_until_one_pair_is_picked():
    rows = "study,treat1,treat2,lnOR,selnOR\nA,x,placebo,0.2,0.1\nB,y,placebo,0.3,0.1\nC,x,placebo,0.1,0.2\n"
    (problem,) = text(rows).problems
    assert "2 pairs of treatments (x, placebo, y)" in problem and "where: {treat1: ..., treat2: ...}" in problem
    imported = text(rows, columns=read_map("where: {treat1: x, treat2: placebo}"))
    assert imported.tables["contrasts"]["study_id"].tolist() == ["a", "c"]
    assert imported.protocol["words"] == {"intervention": "x", "control": "placebo"}
    sound(imported)


def test_labels_of_other_scripts_and_of_one_id_stay_apart():
    imported = text(
        "Study,Arm,N,Mean,SD\n张 甲,drug,20,3,1\n张 甲,placebo,20,4,1\n李 乙,drug,21,3,1\n李 乙,placebo,22,4,1\n"
    )
    assert imported.tables["arms"]["study_id"].tolist() == ["study_1", "study_1", "study_2", "study_2"]
    sound(imported)
    imported = text("study,ai,n1i,ci,n2i\nA-1,5,20,8,21\nA 1,5,20,8,21\na 1,6,22,9,23\n")
    assert imported.tables["arms"]["study_id"].unique().tolist() == ["a_1", "a_1_2"]
    sound(imported)


def test_an_id_is_plain():
    assert slug("Müller & Weiß, 1999/a") == "muller_weiss_1999_a"


# --- Any table, and many rows

CELLS = st.sampled_from([c for c, *_ in UNTIDY]) | st.text(max_size=8) | st.integers(-5, 200).map(str)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from([n for n, kind in NAMES.items() if kind]),
    st.lists(st.lists(CELLS, min_size=8, max_size=8), min_size=1, max_size=5),
)
def test_no_table_raises_and_what_is_read_is_told(names, rows):
    header = ["study", *names.split()]
    frame = pd.DataFrame([row[: len(header)] for row in rows], columns=header)
    imported = read({"table.csv": frame.to_csv(index=False).encode("utf-8", "replace")}, Options(tools=TOOLS))
    assert {cell.code for cell in imported.cells} <= set(DONE)
    again = read({"table.csv": frame.to_csv(index=False).encode("utf-8", "replace")}, Options(tools=TOOLS))
    assert again.cells == imported.cells and files_of(again) == files_of(imported)


def test_a_thousand_rows_are_read_in_under_two_seconds():
    rows = "".join(f"Trial {i},{1950 + i % 70},{i % 9},20,{i % 7},{21 + i % 5},{i % 50} (SD 3)\n" for i in range(1000))
    started = time.process_time()
    imported = text("study,year,event.e,n.e,event.c,n.c,age\n" + rows)
    assert time.process_time() - started < 2
    assert len(imported.tables["arms"]) == 2000 and len(imported.tables["studies"]) == 1000


@pytest.mark.parametrize(
    ("header", "cochrane"),
    [
        ("Analysis group,Analysis number,Analysis name,Study,Experimental cases", True),
        ("Comparison Number,Outcome Number,Subgroup Number,Name", True),
        ("Study,Year,Data source,Char: Methods", True),
        ("Study,Domain (judgement): Allocation concealment?,Domain (support): Allocation concealment?", True),
        ("Study,Outcome,Data type,Effect measure,Arm,Reference arm", True),
        ("Study,Experimental cases,Experimental N,Control cases,Control N", False),
        ("Study,Description,Intervention", False),
    ],
)
def test_files_of_cochrane_are_known_by_their_header(header, cochrane):
    assert is_cochrane(f"{header}\nx\n".encode(), "csv") == cochrane
