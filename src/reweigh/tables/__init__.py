"""The tables of a review: read, checked as a whole, and every problem reported at once."""

from reweigh.tables.columns import Column, Rule, TableSpec
from reweigh.tables.problems import Problem, format_report, problems_frame
from reweigh.tables.review import TableRules, Tables, check_review, read_table, table_spec
from reweigh.tables.specs import SPECS

__all__ = [
    "SPECS",
    "Column",
    "Problem",
    "Rule",
    "TableRules",
    "TableSpec",
    "Tables",
    "check_review",
    "format_report",
    "problems_frame",
    "read_table",
    "table_spec",
]
