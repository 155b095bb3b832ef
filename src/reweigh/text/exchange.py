"""What an import did to a cell or a row, in words: the codes of imported.csv."""

from __future__ import annotations

from collections.abc import Mapping

DONE: Mapping[str, str] = {
    # Cells emptied.
    "missing_word": "says in words that nothing is there: emptied",
    "spreadsheet_error": "an error of the spreadsheet: emptied",
    "date": "a date, perhaps made of a number by the spreadsheet: emptied",
    "inequality": "a bound, not a value: emptied",
    "ambiguous_separator": "a thousands separator or a decimal sign: emptied",
    "ambiguous_numbers": "several numbers that the column does not explain: emptied",
    "several_numbers": "several numbers: emptied",
    "text": "words, no number: emptied",
    "not_whole": "no whole number, in a column of counts: emptied",
    "out_of_bounds": "a value that the column cannot have: emptied",
    # Cells split.
    "mean_sd": "mean and SD in one cell: split",
    "mean_se": "mean and SE in one cell: split",
    "estimate_se": "estimate and SE in one cell: split",
    "quartiles": "median and quartiles in one cell: split",
    "range": "smallest and largest value in one cell: split",
    "interval": "a confidence interval in one cell: split",
    "events_of_n": "events and n in one cell: split",
    "events_percent": "events and percent in one cell: split",
    "p_bound": "a bound of p: the sign went to p_operator",
    "interval_left_out": "an interval that is not named beside the number: the number kept, the interval left out",
    # Cells written otherwise.
    "decimal_comma": "a decimal comma: written as a point",
    "thousands_separator": "a thousands separator: left out",
    "percent_sign": "a percent sign: left out",
    "unit": "a unit after the number: left out",
    "words_before": "words before the number: left out",
    "footnote_mark": "a footnote mark: left out",
    "dash": "a dash instead of a minus sign: written as a minus sign",
    "spaces": "spaces or invisible characters: left out",
    "brackets": "brackets around the number: left out",
    "approximate": "an approximate number: taken as it is",
    "power_of_ten": "a power of ten: written with e",
    "whole_number": "a count with decimals of 0: written as a whole number",
    "digits": "digits of another script or width: written as 0 to 9",
    "variance_to_se": "a variance: its square root is the SE",
    "events_from_percent": "a percentage of n: the percent of the arm",
    "log_scale": "taken for a logarithm",
    "n_from_cells": "n is the sum of those with and those without an event",
    "merged": "a merged cell: its value stands in each row",
    "year_of_text": "the year that the cell holds",
    "year_letter": "a year that is no number: left out",
    "design": "the design in our word",
    # Headers.
    "header_rows": "two rows of column names: joined",
    "header_unit": "a unit in a column name: left out",
    "column_left_out": "a column that differs within a study: left out",
    "column_renamed": "a column of the studies that was given another name",
    # Rows left out.
    "row_total": "a row of totals: left out",
    "row_footnote": "a line of text below or above the table: left out",
    "row_header": "the column names again: left out",
    "row_empty": "no result in the row: left out",
    "row_without_study": "no study is named: left out",
    "row_other_arm": "an arm that was not picked: left out",
    "row_without_partner": "no arm to compare it with: left out",
    "row_where": "`where` of the map of columns leaves the row out",
    "row_repeated": "repeats another row of the study: left out",
    # Judgements, references, flow.
    "judgement": "the judgement in the tool's word",
    "no_information": "no information: the tool's level for it",
    "not_applicable": "not applicable: left out",
    "judgement_unknown": "no judgement of the tool: left out",
    "weight": "the weight of the judgement: left out, weights come from the analysis",
    "judgement_unmatched": "judgements of no study of the tables: left out",
    "reference_unmatched": "a reference of no study of the tables: left out",
    "reference_repeated": "a reference that was there already: left out",
    "flow_reason": "a reason and its count in one cell: split",
    "flow_not_filled_in": "a box that is not filled in: left out",
}  # fmt: skip
"""Code to what was done."""
