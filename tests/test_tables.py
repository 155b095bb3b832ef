from __future__ import annotations

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reweigh.dialect import dialect_of
from reweigh.io import read_text
from reweigh.tables.problems import Problem, format_report, problems_frame
from reweigh.tables.review import TableRules, check_review, read_table, table_spec
from reweigh.tables.specs import SPECS

STUDIES = """\
study_id,label,year,design,pain_type,eligible,note
alpha2001,Alpha 2001,2001,parallel,neuropathic,yes,
beta2002,Beta 2002,2002,crossover,crps,yes,
gamma2003,Gamma 2003,,,crps,no,not randomised
"""
ARMS = """\
study_id,comparison_id,outcome,outcome_definition,timepoint,timepoint_days,arm,role,scale_min,scale_max,\
n,mean,sd,se,ci_lower,ci_upper,median,q1,q3,min,max,events,percent,person_time,source_url
alpha2001,,pain,NRS,week 1,7,ketamine,intervention,0,10,30,2.7,1.5,0.3,2.1,3.3,2.5,1,4,0,9,,,,page 3
alpha2001,,pain,NRS,week 1,7,placebo,control,0,10,28,4.1,2.0,,,,,,,,,,,,page 3
beta2002,,responder,,week 1,7,ketamine,intervention,,,30,,,,,,,,,,,25,83,,page 4
beta2002,,responder,,week 1,7,placebo,control,,,32,,,,,,,,,,,13,,,page 4
gamma2003,,responder,,week 1,7,ketamine,intervention,,,12,,,,,,,,,,,3,,,
"""
CONTRASTS = """\
study_id,outcome,timepoint,timepoint_days,measure,scale_min,scale_max,estimate,se,ci_lower,ci_upper,p_value,\
p_operator,t,f,df,direction,n_intervention,n_control,paired,p_test,source
alpha2001,pain,week 4,28,MD,0,10,-1.2,0.4,-2.0,-0.4,0.003,=,,,,favours_intervention,30,28,no,two_sample,page 5
alpha2001,pain,week 8,56,p_only,0,10,,,,,0.001,<,,,,none,30,28,no,,page 5
beta2002,responder,week 1,7,RR,,,2.05,,1.28,3.28,,,,,,favours_intervention,30,32,yes,,page 6
"""
BIAS = "study_id,tool,domain,judgement\nalpha2001,RoB 2,randomisation,low\n"
PUBLISHED = (
    "label,year,outcome,measure,estimate,ci_lower,ci_upper,k,source\nPool 2010,2010,pain,MD,-1,-2,-0.1,4,page 1\n"
)
RULES = TableRules(
    categories={"pain_type": ("neuropathic", "crps")},
    outcomes_known=("pain", "responder", "psychotomimetic"),
    subgroup_columns=("pain_type",),
)
FILES = {
    "studies.csv": STUDIES,
    "arms.csv": ARMS,
    "contrasts.csv": CONTRASTS,
    "risk_of_bias.csv": BIAS,
    "published.csv": PUBLISHED,
}


def as_bytes(**changed: str | bytes | None) -> dict[str, bytes]:
    """All files, some replaced (arms=...) or left out (studies=None)."""
    files = FILES | {f"{name}.csv": text for name, text in changed.items()}
    return {k: v if isinstance(v, bytes) else v.encode() for k, v in files.items() if v is not None}


def check(rules: TableRules = RULES, **changed: str | bytes | None) -> list[Problem]:
    return check_review(as_bytes(**changed), rules)[1]


def edit(file: str, row: int, **cells: str) -> str:
    """The file's text with cells of one spreadsheet row replaced."""
    records = list(csv.reader(io.StringIO(FILES[file])))
    for column, value in cells.items():
        records[row - 1][records[0].index(column)] = value
    out = io.StringIO()
    csv.writer(out).writerows(records)
    return out.getvalue()


def check_edit(file: str, row: int, **cells: str) -> list[Problem]:
    return check(**{file.removesuffix(".csv"): edit(file, row, **cells)})


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, format_report(problems, "x")
    return problems[0]


def test_clean_review_has_no_problems():
    assert check() == []


@pytest.mark.parametrize("row, column", [(2, "sd"), (4, "events"), (2, "n")])
@pytest.mark.parametrize(
    "text, message, allowed",
    [
        ("NA", "is not a number", "leave the cell empty"),
        ("n/a", "is not a number", "leave the cell empty"),
        ("N/A", "is not a number", "leave the cell empty"),
        ("-", "is not a number", "leave the cell empty"),
        ("–", "is not a number", "leave the cell empty"),
        (".", "is not a number", "leave the cell empty"),
        ("?", "is not a number", "leave the cell empty"),
        ("NR", "is not a number", "leave the cell empty"),
        ("nan", "is not a number", "leave the cell empty"),
        ("not reported", "is not a number", "leave the cell empty"),
        ("#N/A", "is not a number", "leave the cell empty"),
        ("three", "is not a number", "number"),
        ("TRUE", "is not a number", "number"),
        ("1.2.3", "is not a number", "number"),
        ("1_0", "has text after the number", "number"),
        ("3,5", "has a decimal comma", "number"),
        ("0,25", "has a decimal comma", "number"),
        ("-3,5", "has a decimal comma", "number"),
        ("1,234", "has a comma (thousands separator or decimal comma)", "number"),
        ("1 234", "has a thousands separator", "number"),
        ("1\u00a0234", "has a thousands separator", "number"),
        ("1'234.5", "has a thousands separator", "number"),
        ("1.234,5", "has a thousands separator", "number"),
        ("1.234.567", "has a thousands separator", "number"),
        ("30 ", "has a space beside the number", "number"),
        (" 30", "has a space beside the number", "number"),
        ("30\u00a0", "has a space beside the number", "number"),
        ("12%", "has a percent sign", "number"),
        ("12 mg", "has text after the number", "number"),
        ("12*", "has text after the number", "number"),
        ("$12", "has text before the number", "number"),
        ("<0.05", "has a sign before the number", "number"),
        ("≤ 5", "has a sign before the number", "number"),
        ("~5", "has a sign before the number", "number"),
        ("−5", "has a dash instead of a minus sign", "number"),
        ("2.0 (1.1)", "holds more than one number", "number"),
        ("2.0 ± 1.1", "holds more than one number", "number"),
        ("3-5", "holds more than one number", "number"),
        ("3/30", "holds more than one number", "number"),
        ("3 to 5", "holds more than one number", "number"),
        ("O", "has a letter where a digit belongs", "number"),
        ("1O", "has text after the number", "number"),
        ("O.5", "has text before the number", "number"),
        ("inf", "is not a finite number", "number"),
        ("-Infinity", "is not a finite number", "number"),
        ("1e999", "is not a finite number", "number"),
        ("12-May", "is a date", "number"),
        ("May-12", "is a date", "number"),
        ("2009-05-12", "is a date", "number"),
        ("12/05/2009", "is a date", "number"),
        ("12.05.2009", "is a date", "number"),
        ("#DIV/0!", "is a spreadsheet error", "number"),
        ("#VALUE!", "is a spreadsheet error", "number"),
        ("1\u200b2", "has an invisible character (U+200B)", "number"),
        ("1\x002", "has an invisible character (U+0000)", "number"),
        ("１２", "is not a number", "number"),
    ],
)
def test_text_in_a_number_column(row, column, text, message, allowed):
    # n is the denominator of events: an edit there must not cascade
    problem = only(check_edit("arms.csv", row, **{column: text}))
    assert (problem.file, problem.row, problem.column, problem.value) == ("arms.csv", row, column, text)
    assert problem.message.startswith(message)
    assert allowed in problem.allowed


@pytest.mark.parametrize(
    "file, row, cells, column, message, allowed",
    [
        # bounds of one cell
        ("arms.csv", 3, {"sd": "-3"}, "sd", "is negative", "a number above 0"),
        ("arms.csv", 3, {"sd": "0"}, "sd", "is zero", "a number above 0"),
        ("arms.csv", 3, {"se": "0.0"}, "se", "is zero", "a number above 0"),
        ("arms.csv", 3, {"se": "-0.1"}, "se", "is negative", "a number above 0"),
        ("arms.csv", 3, {"n": "0"}, "n", "is zero", "a whole number, 1 or more"),
        ("arms.csv", 3, {"n": "-5"}, "n", "is negative", "a whole number, 1 or more"),
        ("arms.csv", 3, {"n": "28.5"}, "n", "is not a whole number", "a whole number, 1 or more"),
        ("arms.csv", 3, {"n": "1e30"}, "n", "is above 1e+09", "a whole number, 1 or more"),
        ("arms.csv", 5, {"events": "-1"}, "events", "is negative", "a whole number, 0 or more"),
        ("arms.csv", 5, {"events": "12.5"}, "events", "is not a whole number", "a whole number, 0 or more"),
        ("arms.csv", 5, {"percent": "101"}, "percent", "is above 100", "a number from 0 to 100"),
        ("arms.csv", 5, {"percent": "-1"}, "percent", "is negative", "a number from 0 to 100"),
        ("arms.csv", 5, {"timepoint_days": "-7"}, "timepoint_days", "is negative", "a number, 0 or more"),
        ("arms.csv", 5, {"person_time": "0"}, "person_time", "is zero", "a number above 0"),
        ("contrasts.csv", 2, {"se": "0"}, "se", "is zero", "a number above 0"),
        ("contrasts.csv", 2, {"p_value": "0"}, "p_value", "is zero", "p_operator <"),
        ("contrasts.csv", 2, {"p_value": "1.2"}, "p_value", "is above 1", "above 0, at most 1"),
        ("contrasts.csv", 2, {"p_value": "-0.2"}, "p_value", "is negative", "above 0, at most 1"),
        ("contrasts.csv", 2, {"p_value": "<0.05"}, "p_value", "has a sign before the number", "p_operator"),
        ("contrasts.csv", 2, {"n_control": "0"}, "n_control", "is zero", "a whole number, 1 or more"),
        ("contrasts.csv", 4, {"measure": "PETO", "ci_lower": "-1"}, "ci_lower", "is not above 0, but PETO is a ratio",
         "natural scale"),
        ("contrasts.csv", 2, {"df": "0"}, "df", "is zero", "a number above 0"),
        ("contrasts.csv", 2, {"f": "-1"}, "f", "is negative", "a number, 0 or more"),
        ("studies.csv", 2, {"year": "201"}, "year", "is below 1900", "a whole number from 1900 to 2100"),
        ("studies.csv", 2, {"year": "20011"}, "year", "is above 2100", "a whole number from 1900 to 2100"),
        ("studies.csv", 2, {"year": "2001.5"}, "year", "is not a whole number", "a whole number from 1900 to 2100"),
        ("published.csv", 2, {"k": "0"}, "k", "is zero", "a whole number, 1 or more"),
        ("published.csv", 2, {"estimate": "about 1"}, "estimate", "has text before the number", "a number"),
        # categories and ids
        ("arms.csv", 3, {"role": "placebo"}, "role", "is not allowed", "intervention, control, other"),
        ("arms.csv", 3, {"role": "Control"}, "role", 'is not allowed (did you mean "control"?)', "intervention"),
        ("arms.csv", 3, {"role": ""}, "role", "the cell is empty", "intervention, control, other"),
        ("arms.csv", 3, {"outcome": ""}, "outcome", "the cell is empty", "a name"),
        ("arms.csv", 3, {"study_id": ""}, "study_id", "the cell is empty", "a name"),
        ("contrasts.csv", 2, {"measure": "WMD"}, "measure", 'is not allowed (did you mean "MD"?)', "SMD_paired"),
        ("contrasts.csv", 2, {"direction": "favors_control"}, "direction",
         'is not allowed (did you mean "favours_control"?)', "favours_intervention, favours_control, none"),
        ("contrasts.csv", 2, {"paired": "TRUE"}, "paired", "is not allowed", "yes, no"),
        ("contrasts.csv", 2, {"p_operator": "≤"}, "p_operator", "is not allowed", "=, <, <=, >, >="),
        ("contrasts.csv", 2, {"p_test": "t"}, "p_test", "is not allowed", "two_sample, paired, three_arm"),
        ("studies.csv", 2, {"pain_type": "neuropathy"}, "pain_type",
         'is not allowed (did you mean "neuropathic"?)', "neuropathic, crps"),
        ("studies.csv", 2, {"design": "cross-over"}, "design",
         'is not allowed (did you mean "crossover"?)', "parallel, crossover, cluster"),
        ("studies.csv", 2, {"eligible": ""}, "eligible", "the cell is empty", "yes, no"),
        ("studies.csv", 2, {"eligible": "maybe"}, "eligible", "is not allowed", "yes, no"),
        ("arms.csv", 5, {"study_id": "beta2020"}, "study_id",
         'is not a study of studies.csv (did you mean "beta2002"?)', "a study_id of studies.csv"),
        ("arms.csv", 5, {"study_id": "Beta2002"}, "study_id",
         'is not a study of studies.csv (did you mean "beta2002"?)', "a study_id of studies.csv"),
        ("contrasts.csv", 4, {"study_id": "unheard"}, "study_id", "is not a study of studies.csv",
         "a study_id of studies.csv"),
        ("risk_of_bias.csv", 2, {"study_id": "alfa2001"}, "study_id",
         'is not a study of studies.csv (did you mean "alpha2001"?)', "a study_id of studies.csv"),
        ("arms.csv", 5, {"comparison_id": "alpha2001"}, "comparison_id", "is also a comparison of study alpha2001",
         "a comparison_id that belongs to one study"),
        ("arms.csv", 5, {"outcome": "Responder"}, "outcome",
         'is almost an outcome of the protocol (did you mean "responder"?)', "one spelling"),
        ("arms.csv", 5, {"outcome": "psychotomimetc"}, "outcome",
         'is almost an outcome of the protocol (did you mean "psychotomimetic"?)', "one spelling"),
        ("arms.csv", 5, {"arm": "place\x07bo"}, "arm", "has an invisible character (U+0007)", "control characters"),
        ("studies.csv", 2, {"note": "a\x00b"}, "note", "has an invisible character (U+0000)", "control characters"),
        # duplicate rows: case and spaces do not tell rows apart
        ("arms.csv", 3, {"arm": " Ketamine "}, "study_id",
         "repeats row 2: same study_id, comparison_id, outcome, timepoint, arm", "one row per study_id"),
        ("contrasts.csv", 3, {"timepoint": "Week  4", "measure": "MD"}, "study_id",
         "repeats row 2: same study_id, comparison_id, outcome, timepoint, measure", "one row per study_id"),
        # across columns
        ("arms.csv", 5, {"events": "33"}, "events", "is more than n (32)", "a whole number from 0 to n"),
        ("arms.csv", 4, {"percent": "38"}, "percent", "contradicts events and n (25 of 30)", "100 * events / n"),
        ("arms.csv", 4, {"percent": "83.1"}, "percent", "contradicts events and n (25 of 30)", "100 * events / n"),
        ("arms.csv", 2, {"ci_lower": "3.9"}, "ci_lower", "is above ci_upper (3.3)", "the lower bound"),
        ("arms.csv", 2, {"ci_lower": "3.3"}, "ci_lower", "equals ci_upper", "a number below ci_upper"),
        ("arms.csv", 2, {"ci_lower": "2.8"}, "mean", "is outside its interval (2.8 to 3.3)", "within the interval"),
        ("arms.csv", 2, {"ci_upper": "2.2"}, "mean", "is outside its interval (2.1 to 2.2)", "within the interval"),
        ("arms.csv", 2, {"se": "1.6"}, "se", "is above sd (1.5)", "a standard error"),
        ("arms.csv", 2, {"q1": "3"}, "q1", "is above median (2.5)", "a number up to median"),
        ("arms.csv", 2, {"median": "4.5"}, "median", "is above q3 (4)", "a number up to q3"),
        ("arms.csv", 2, {"min": "2"}, "min", "is above q1 (1)", "a number up to q1"),
        ("arms.csv", 2, {"q3": "9.5"}, "q3", "is above max (9)", "a number up to max"),
        ("arms.csv", 2, {"median": "", "q1": "5"}, "q1", "is above q3 (4)", "a number up to q3"),
        ("arms.csv", 2, {"median": "", "q1": "", "q3": "", "max": "2.6"}, "mean",
         "is outside its range (min 0, max 2.6)", "a number from min to max"),
        ("arms.csv", 3, {"mean": "41"}, "mean", "is outside the scale (0 to 10)", "a number on the scale"),
        ("arms.csv", 3, {"mean": "-0.5"}, "mean", "is outside the scale (0 to 10)", "a number on the scale"),
        ("arms.csv", 3, {"outcome_definition": "mean change", "mean": "-10.5"}, "mean",
         "is outside the scale (0 to 10)", "a number on the scale"),
        ("arms.csv", 3, {"sd": "20"}, "sd", "is wider than the scale (0 to 10)", "a standard deviation"),
        ("arms.csv", 3, {"scale_max": "0"}, "scale_min", "is not below scale_max (0)", "a number below scale_max"),
        ("arms.csv", 3, {"scale_min": "10", "scale_max": "0"}, "scale_min", "is not below scale_max (0)", "below"),
        ("arms.csv", 3, {"scale_max": ""}, "scale_max", "the cell is empty, but scale_min is given", "both ends"),
        ("arms.csv", 3, {"scale_min": ""}, "scale_min", "the cell is empty, but scale_max is given", "both ends"),
        ("contrasts.csv", 2, {"ci_lower": "-0.4", "ci_upper": "-2.0"}, "ci_lower", "is above ci_upper (-2.0)", "lower"),
        ("contrasts.csv", 2, {"estimate": "-3"}, "estimate", "is outside its interval (-2.0 to -0.4)", "within"),
        ("contrasts.csv", 2, {"ci_upper": "", "estimate": "-3"}, "estimate", "is outside its interval (-2.0 to )",
         "within"),
        ("contrasts.csv", 2, {"estimate": "-12", "ci_lower": "-20"}, "estimate",
         "is wider than the scale (0 to 10)", "a difference that the scale allows"),
        ("contrasts.csv", 2, {"estimate": "-12", "ci_lower": "", "ci_upper": ""}, "estimate",
         "is wider than the scale (0 to 10)", "a difference that the scale allows"),
        ("contrasts.csv", 4, {"ci_lower": "0"}, "ci_lower", "is not above 0, but RR is a ratio", "natural scale"),
        ("contrasts.csv", 4, {"estimate": "-0.7", "ci_lower": "", "ci_upper": "", "measure": "HR"}, "estimate",
         "is not above 0, but HR is a ratio", "natural scale"),
        ("contrasts.csv", 3, {"p_value": ""}, "p_operator", "stands without a p_value", "an empty cell"),
        ("contrasts.csv", 3, {"estimate": "-1"}, "estimate", "is an estimate, but the measure is p_only", "measure"),
        ("published.csv", 2, {"ci_lower": "1"}, "ci_lower", "is above ci_upper (-0.1)", "the lower bound"),
        # sources
        ("arms.csv", 3, {"source_url": ""}, "source_url", "the row reports numbers without a source", "a source"),
        ("arms.csv", 3, {"source_url": "n/a"}, "source_url", "the row reports numbers without a source", "a source"),
        ("contrasts.csv", 3, {"source": " "}, "source", "the row reports numbers without a source", "a source"),
        ("published.csv", 2, {"source": ""}, "source", "the row reports numbers without a source", "a source"),
    ],
)  # fmt: skip
def test_cell_and_cross_column_rules(file, row, cells, column, message, allowed):
    problems = check_edit(file, row, **cells)
    mine = [p for p in problems if p.column == column and p.message.startswith(message)]
    problem = only(mine)
    assert (problem.file, problem.row) == (file, row)
    if column in cells and cells[column].strip():
        assert problem.value == cells[column]
    assert allowed in problem.allowed
    assert {(p.file, p.row) for p in problems} == {(file, row)}, format_report(problems, "x")


@pytest.mark.parametrize(
    "again, message",
    [
        ("beta2002", "is also the study_id of row 3"),
        ("Beta2002", 'differs only by letter case from "beta2002" in row 3'),
    ],
)
def test_duplicate_study_ids(again, message):
    problem = only(check(studies=STUDIES + f"{again},Beta,2002,parallel,crps,yes,\n"))
    assert (problem.file, problem.row, problem.column, problem.value) == ("studies.csv", 5, "study_id", again)
    assert (problem.message, problem.allowed) == (message, "one row per study_id")


def test_study_id_renamed_in_studies_reports_every_row_that_uses_it():
    problems = check_edit("studies.csv", 3, study_id="beta")
    assert [(p.file, p.row, p.value) for p in problems] == [
        ("arms.csv", 4, "beta2002"),
        ("arms.csv", 5, "beta2002"),
        ("contrasts.csv", 4, "beta2002"),
    ]


@pytest.mark.parametrize(
    "file, row, cells",
    [
        ("arms.csv", 4, {"percent": "83.33"}),
        ("arms.csv", 4, {"percent": "83.3"}),
        ("arms.csv", 4, {"percent": "84"}),  # within one unit of the last digit
        ("arms.csv", 5, {"events": "40", "person_time": "12.5"}),  # events per person time
        ("arms.csv", 5, {"events": "0"}),
        ("arms.csv", 5, {"events": "13.0"}),
        ("arms.csv", 5, {"study_id": "  beta2002 "}),
        ("arms.csv", 5, {"arm": "a control,\nin two lines"}),
        ("arms.csv", 5, {"outcome": "responder_30"}),
        ("arms.csv", 3, {"outcome_definition": "change from baseline", "mean": "-2"}),
        ("arms.csv", 3, {"mean": ".5"}),
        ("arms.csv", 3, {"mean": "+1e0"}),
        ("arms.csv", 5, {"role": "other"}),  # no control arm: not usable, but not wrong
        ("arms.csv", 6, {"source_url": ""}),  # an excluded record needs no source
        ("contrasts.csv", 3, {"p_value": "", "p_operator": ""}),
        ("contrasts.csv", 3, {"p_operator": ""}),
        ("contrasts.csv", 2, {"p_value": "1"}),
        ("contrasts.csv", 4, {"ci_lower": ""}),
        ("studies.csv", 2, {"pain_type": " neuropathic "}),
        ("studies.csv", 2, {"label": "Müller – O’Brien"}),
    ],
)
def test_what_is_allowed(file, row, cells):
    assert check_edit(file, row, **cells) == []


def test_broken_denominator_is_reported_once():
    assert only(check_edit("arms.csv", 4, n="O")).column == "n"


@pytest.mark.parametrize(
    "data, row, message",
    [
        (b"", None, "the file is empty"),
        (b"\xef\xbb\xbf\r\n \r\n", None, "the file is empty"),
        (b",,,\n,,,\n", None, "the file is empty"),
        (ARMS.splitlines()[0].encode(), None, "the file has a header but no rows"),
        (ARMS.splitlines()[0].encode() + b"\n\n,,,\n", None, "the file has a header but no rows"),
        (ARMS.encode("utf-16"), None, "the file is in UTF-16"),
        (ARMS.encode("utf-16-be"), None, "the file is in UTF-16"),
        (ARMS.encode("utf-32"), None, "the file is in UTF-16"),
        (b"PK\x03\x04" + bytes(50), None, "the file is an Excel or OpenDocument workbook"),
        (ARMS.encode().replace(b"page 4", b"M\x81lle", 1), 4, "is neither UTF-8 nor Windows-1252 text"),
        (ARMS.split("\n", 1)[1].encode(), 1, "the first row does not hold column names"),
    ],
)
def test_file_level_problems_are_one_problem(data, row, message):
    problem = only([p for p in check(arms=data) if p.file == "arms.csv"])
    assert (problem.row, problem.column) == (row, "")
    assert problem.message.startswith(message)


def german(text: str, *, bom: bool = False, stated: bool = False) -> bytes:
    """A table as a spreadsheet with decimal commas saves it, as Windows-1252 or with a byte-order mark."""
    records = [[re.sub(r"^(-?\d+)\.(\d+)$", r"\1,\2", cell) for cell in row] for row in csv.reader(io.StringIO(text))]
    out = io.StringIO("sep=;\r\n" if stated else "")
    out.seek(0, io.SEEK_END)
    csv.writer(out, delimiter=";", lineterminator="\r\n").writerows(records)
    return out.getvalue().encode("utf-8-sig" if bom else "cp1252")


@pytest.mark.parametrize("file", list(FILES))
@pytest.mark.parametrize("bom", [True, False])
@pytest.mark.parametrize("stated", [True, False])
def test_a_table_with_decimal_commas_is_read_as_its_twin_with_points(file, bom, stated):
    text = FILES[file].replace("page", "Müller")
    plain = check_review(as_bytes(**{file.removesuffix(".csv"): text}), RULES)
    foreign = german(text, bom=bom, stated=stated)
    read = check_review(as_bytes(**{file.removesuffix(".csv"): foreign}), RULES)
    assert plain[1] == read[1] == []
    for name in ("studies", "arms", "contrasts", "risk_of_bias"):
        pd.testing.assert_frame_equal(getattr(plain[0], name), getattr(read[0], name))
    pd.testing.assert_frame_equal(read_text(text.encode()), read_text(foreign))
    assert dialect_of(foreign).unusual.startswith("semicolons between its cells")


def test_other_separators_and_encodings_are_read_and_their_rows_counted():
    for delimiter in "\t|":
        tables, problems = check_review(as_bytes(arms=ARMS.replace(",", delimiter)), RULES)
        assert not problems and len(tables.arms) == 5
    text = edit("arms.csv", 3, sd="-1", arm="Müller")
    negative = only(check(arms=text.encode("cp1252")))
    assert (negative.row, negative.column, negative.value) == (3, "sd", "-1")
    negative = only(check(arms=b"sep=,\n" + text.encode()))
    assert negative.row == 3
    wrong = german(edit("arms.csv", 3, sd="-1.5"))
    assert only(check(arms=wrong)).value == "-1.5"


def test_a_point_beside_decimal_commas_may_be_a_thousand():
    german_arms = german(ARMS).replace(b";30;2,7;", b";1.030;2,7;")
    found = only(check(arms=german_arms))
    assert (found.row, found.column, found.value) == (2, "n", "1.030")
    assert "thousands separator or a decimal point" in found.message


@pytest.mark.parametrize("file", list(FILES))
def test_bom_line_ends_blank_rows_and_empty_columns_are_accepted(file):
    lines = FILES[file].splitlines()
    padded = [lines[0] + ",,", *(line + ",," for line in lines[1:])]
    variants = [
        b"\xef\xbb\xbf" + FILES[file].encode(),
        "\r\n".join(lines).encode(),
        "\r".join(lines).encode(),
        "\n".join(["", lines[0], "", *lines[1:], "," * lines[0].count(","), "", " "]).encode(),
        "\n".join(padded).encode(),
        "\n".join([padded[0], *lines[1:], ",,"]).encode(),
    ]
    for data in variants:
        assert check(**{file.removesuffix(".csv"): data}) == []


def test_blank_rows_count_as_rows():
    lines = edit("arms.csv", 3, sd="-1").splitlines()
    text = "\n".join([lines[0], lines[1], "", ",,,", *lines[2:]])
    assert only(check(arms=text)).row == 5


def test_embedded_line_breaks_do_not_shift_rows():
    text = edit("arms.csv", 2, arm="two\nlines").replace("4.1", "x")
    problem = only(check(arms=text))
    assert (problem.row, problem.value) == (3, "x")


def test_ragged_rows():
    lines = CONTRASTS.splitlines()
    short, long = lines[1].rsplit(",", 2)[0], lines[2] + ",more"
    problems = check(contrasts="\n".join([lines[0], short, long, lines[3]]))
    assert [(p.row, p.message) for p in problems] == [
        (2, "the row has 20 cells, the header 22"),
        (3, "the row has 23 cells, the header 22"),
    ]
    assert all(p.allowed.startswith("22 cells") for p in problems)


def test_ragged_row_of_studies_does_not_make_its_study_unknown():
    problem = only(check(studies=STUDIES.replace("crps,yes,", "crps,yes", 1)))
    assert (problem.file, problem.row) == ("studies.csv", 3)


@pytest.mark.parametrize("broken", ['"page 4', '"page" 4', 'page 4,"'])
def test_unbalanced_quotes_are_reported_where_they_begin(broken):
    lines = ARMS.splitlines()
    lines[3] = lines[3].replace("page 4", broken)
    lines[4] = lines[4].replace("32", "3x")
    first, second = check(arms="\n".join(lines))
    assert (first.row, first.message) == (4, "the row has an unbalanced quotation mark")
    assert (second.row, second.column, second.value) == (5, "n", "3x")


@pytest.mark.parametrize(
    "name, column, message",
    [
        ("sdd", "sdd", 'is not a known column (did you mean "sd"?)'),
        ("SD", "SD", 'is not a known column (did you mean "sd"?)'),
        ("std dev", "std dev", "is not a known column"),
        ("mean", "mean", "is the name of two columns"),
        ("", "13", "the column has no name"),
    ],
)
def test_header_of_arms(name, column, message):
    header, rest = ARMS.split("\n", 1)
    problem = only(check(arms=header.replace(",sd,", f",{name},") + "\n" + rest))
    assert (problem.file, problem.row, problem.column) == ("arms.csv", 1, column)
    assert problem.message == message


def test_extra_columns_can_be_allowed():
    text = ARMS.replace(",se,", ",spread,", 1)
    assert only(check(arms=text)).column == "spread"
    rules = TableRules(categories=RULES.categories, columns_extra=("spread",))
    tables, problems = check_review(as_bytes(arms=text), rules)
    assert problems == []
    assert tables.arms["spread"].tolist()[:2] == ["0.3", None]


@pytest.mark.parametrize(
    "file, old, new, column, message",
    [
        ("arms.csv", "role", "Role", "role", 'the column is missing (the header has "Role")'),
        ("arms.csv", "outcome,", "measure_of_pain,", "outcome", "the column is missing"),
        ("contrasts.csv", "measure", "meassure", "measure", 'the column is missing (the header has "meassure")'),
        ("studies.csv", "pain_type", "paintype", "pain_type", 'the column is missing (the header has "paintype")'),
        ("risk_of_bias.csv", "study_id", "study", "study_id", 'the column is missing (the header has "study")'),
        ("studies.csv", "eligible", "eligble", "eligble",
         'looks like a misspelt column name (did you mean "eligible"?)'),
    ],
)  # fmt: skip
def test_missing_columns(file, old, new, column, message):
    problems = check(**{file.removesuffix(".csv"): FILES[file].replace(old, new, 1)})
    found = [p for p in problems if p.column == column]
    assert (only(found).row, only(found).message) == (1, message)


def test_study_and_comparison_id_both_missing():
    problems = check(contrasts=CONTRASTS.replace("study_id", "trial", 1))
    assert ("study_id or comparison_id", "the column is missing") in {(p.column, p.message) for p in problems}


def test_missing_and_misnamed_files():
    problems = check(arms=None, contrasts=None)
    assert only(problems).message == "the file is missing, and so is contrasts.csv"
    missing = only([p for p in check(studies=None) if p.file == "studies.csv"])
    assert "pain_type" in missing.allowed
    files = as_bytes(arms=None) | {"Arms.csv": ARMS.encode(), "notes.csv": b"x", "published_trials.csv": b"x"}
    assert only(check_review(files, RULES)[1]).message.endswith('(did you mean "arms.csv"?)')


def test_contrasts_or_arms_alone_will_do():
    assert check(arms=None) == []
    assert check(contrasts=None, risk_of_bias=None, published=None) == []


def test_problems_of_several_files_are_reported_at_once():
    problems = check(
        studies=edit("studies.csv", 2, year="12-May"),
        arms=edit("arms.csv", 5, events="3,5").replace("2.7,1.5", "2.7,0"),
        contrasts=b"PK\x03\x04",
        risk_of_bias="study_id,tool,domain,judgement\nnobody,x,x,x\n",
        published=edit("published.csv", 2, ci_lower="1"),
    )
    assert [(p.file, p.row, p.column, p.value) for p in problems] == [
        ("arms.csv", 2, "sd", "0"),
        ("arms.csv", 5, "events", "3,5"),
        ("contrasts.csv", None, "", ""),
        ("published.csv", 2, "ci_lower", "1"),
        ("risk_of_bias.csv", 2, "study_id", "nobody"),
        ("studies.csv", 2, "year", "12-May"),
    ]


def test_report_and_frame():
    problems = [
        Problem("arms.csv", 14, "sd", "-3", "is negative", "a number above 0"),
        Problem("arms.csv", None, "", "", "the file is empty", "rows"),
        Problem("arms.csv", 2, "arm", "a\nb\x00" + "x" * 200, "is odd", "less"),
        Problem("arms.csv", 14, "sd", "-3", "is negative", "a number above 0"),
    ]
    report = format_report(problems, "x").splitlines()
    assert report[0] == "data/x: 3 problems in 1 file"
    assert report[1] == "data/x/arms.csv: the file is empty; allowed: rows"
    assert report[2].startswith('data/x/arms.csv, row 2, column arm: "a\\nb\\x00xxx')
    assert len(report[2]) < 160
    assert report[3] == 'data/x/arms.csv, row 14, column sd: "-3" is negative; allowed: a number above 0'
    assert format_report([], "x") == "data/x: no problems"
    frame = problems_frame(problems)
    assert frame.columns.tolist() == ["file", "row", "column", "value", "message", "allowed"]
    assert frame["row"].isna().tolist() == [True, False, False]
    assert frame["row"].tolist()[1:] == [2, 14]
    assert problems_frame([]).empty


def test_tables_are_typed():
    tables, _ = check_review(as_bytes(), RULES)
    assert tables.arms["row"].tolist() == [2, 3, 4, 5, 6]
    assert tables.arms["comparison_id"].tolist() == tables.arms["study_id"].tolist()
    assert tables.arms["n"].dtype == "Int64" and tables.arms["events"].isna().tolist()[:2] == [True, True]
    assert tables.arms["mean"].dtype == np.float64 and tables.arms["mean"][0] == 2.7
    assert tables.arms["label"].tolist() == [None] * 5
    assert tables.arms["source"].tolist() == ["page 3", "page 3", "page 4", "page 4", None]
    assert tables.studies["year"].tolist()[:2] == [2001, 2002] and tables.studies["year"].isna()[2]
    assert tables.studies["design"].tolist() == ["parallel", "crossover", None]
    for name, frame in (("studies", tables.studies), ("arms", tables.arms), ("contrasts", tables.contrasts)):
        assert set(table_spec(f"{name}.csv", RULES).names) <= set(frame)
        assert isinstance(frame.index, pd.RangeIndex)


def test_studies_are_made_from_ids_and_labels():
    arms = (
        "comparison_id,label,outcome,role,n,mean,sd\nc1,One 2001,pain,control,5,1,1\nc2,,pain,control,5,1,1\n"
        "c1,One 2001,pain,intervention,5,1,1\n"
    )
    contrasts = "study_id,label,outcome,measure,estimate,se\nc2,Two,pain,SMD,0.1,0.2\nc3,,pain,SMD,0.1,0.2\n"
    files = {"arms.csv": arms.encode(), "contrasts.csv": contrasts.encode()}
    tables, problems = check_review(files, TableRules(table_source={"arms.csv": "book", "contrasts.csv": "book"}))
    assert problems == []
    assert tables.studies["study_id"].tolist() == ["c1", "c2", "c3"]
    assert tables.studies["label"].tolist() == ["One 2001", "Two", "c3"]
    assert tables.studies["eligible"].tolist() == ["yes"] * 3 and tables.studies["row"].isna().all()
    assert tables.arms["study_id"].tolist() == ["c1", "c2", "c1"]
    assert tables.arms["source"].tolist() == ["book"] * 3
    _, unsourced = check_review(files, TableRules(table_source={"arms.csv": "book"}))
    assert [(p.file, p.row) for p in unsourced] == [("contrasts.csv", 2), ("contrasts.csv", 3)]
    files["arms.csv"] = arms.replace("c1,One 2001,pain,i", "C1,One 2001,pain,i").encode()
    case = only([p for p in check_review(files, TableRules())[1] if "case" in p.message])
    assert (case.file, case.row, case.column, case.value) == ("arms.csv", 4, "comparison_id", "C1")
    files["risk_of_bias.csv"] = b"study_id,tool,domain,judgement\nc4,x,x,x\n"
    unknown = only([p for p in check_review(files, TableRules())[1] if p.file == "risk_of_bias.csv"])
    assert unknown.message.startswith("is not a study of arms.csv or contrasts.csv")


def test_rows_without_timepoint_text_differ_by_days():
    head = "study_id,outcome,timepoint_days,role,n,events\n"
    rows = "s,responder,7,control,9,1\ns,responder,14,control,9,1\ns,responder,7,intervention,9,1\n"
    rules = TableRules(table_source={"arms.csv": "book"})
    assert check_review({"arms.csv": (head + rows).encode()}, rules)[1] == []
    again = check_review({"arms.csv": (head + rows + "s,responder,7,control,9,2\n").encode()}, rules)[1]
    assert only(again).message.startswith("repeats row 2")


def test_number_columns_of_studies():
    studies = "study_id,latitude\nalpha2001,44\nbeta2002,x\ngamma2003,\n"
    tables, problems = check_review(
        as_bytes(studies=studies, arms=ARMS.replace("3,,,\n", "3,,,p\n")), TableRules(number_columns=("latitude",))
    )
    assert (only(problems).row, only(problems).column) == (3, "latitude")
    assert tables.studies["latitude"].tolist()[0] == 44.0


def test_read_table_alone():
    frame, problems = read_table(edit("arms.csv", 3, sd="-1").encode(), "mine.csv", SPECS["arms.csv"])
    assert only(problems) == Problem("mine.csv", 3, "sd", "-1", "is negative", "a number above 0")
    assert frame["sd"].isna().tolist() == [False, True, True, True, True]


CELL = st.one_of(
    st.sampled_from(["", "1", "-1", "0", "3,5", "NA", "alpha2001", "control", "MD", "pain", '"', "1e999", "\x00", "ß"]),
    st.text(max_size=5),
)
CSV_TEXT = st.builds(
    lambda header, rows, sep, end: end.join(sep.join(cells) for cells in [header, *rows]),
    st.lists(st.sampled_from([*SPECS["arms.csv"].names, *SPECS["contrasts.csv"].names, "row", "{x}", ""]), max_size=9),
    st.lists(st.lists(CELL, max_size=9), max_size=5),
    st.sampled_from([",", ",", ",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
ANY_FILE = st.one_of(
    st.binary(max_size=200),
    CSV_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.tuples(st.sampled_from(list(FILES.values())), st.integers(0, 400), CELL).map(
        lambda t: (t[0][: t[1]] + t[2] + t[0][t[1] + 1 :]).encode("utf-8", "surrogatepass")
    ),
)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(st.dictionaries(st.sampled_from([*FILES, "Studies.csv"]), ANY_FILE), st.booleans())
def test_any_bytes_give_problems_and_never_an_error(files, strict):
    tables, problems = check_review(files, RULES if strict else TableRules())
    assert isinstance(format_report(problems, "x").encode(), bytes)
    assert len(problems_frame(problems)) == len(problems)
    assert [(p.file, p.row or 0) for p in problems] == sorted((p.file, p.row or 0) for p in problems)
    if "arms.csv" not in files and "contrasts.csv" not in files:
        assert problems
    for frame in (tables.studies, tables.arms, tables.contrasts):
        assert "row" in frame and not np.isinf(frame.select_dtypes("float")).any().any()


def test_a_long_cell_is_reported_quickly():
    for text in ("9" * 100_000 + "x", "9" * 100_000, " " * 100_000 + "x", "1," * 50_000, "x" * 200_000):
        assert check_edit("arms.csv", 3, sd=text)
