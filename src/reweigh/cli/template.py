"""An empty review: the smallest protocol with its next keys as comments, tables with headers, the protocol's schema."""

from __future__ import annotations

import csv
import io
import json

from reweigh.protocol.model import Protocol

SCHEMA = "review.schema.json"
LINK = f"# yaml-language-server: $schema={SCHEMA}\n"
"""First line of review.yaml: an editor that knows YAML schemas completes and checks the file."""

#: The columns that most reviews fill; docs/reference/effects.md has all of them, and a workbook has them with notes.
COLUMNS = {
    "studies.csv": ("study_id", "label", "year", "doi", "design"),
    "arms.csv": (
        *("study_id", "outcome", "timepoint", "arm", "role", "n"),
        *("mean", "sd", "events", "source", "location", "extracted_by"),
    ),
}

_PROTOCOL = """\
{link}# The protocol of this review: fill in what is empty, then type `reweigh check {name}`.
# Every key is explained in docs/reference/protocol.md; lines that begin with # are not read.

title:                # as it is printed

question:
  population:         # e.g. Adults with chronic low-back pain
  intervention:
  comparator:
  design: Randomised trials

words:                # how the two sides are called in figures: "Favours ..."
  intervention:
  control:

outcomes:
  outcome_1:          # a name in lower case; the column `outcome` of the tables holds it
    label:            # as it is printed, e.g. Pain intensity
    type:             # continuous, binary, rate or time_to_event
    measure:          # MD, SMD, ROM (continuous); RR, OR, RD (binary); IRR, IRD (rate); HR (time_to_event)
    better:           # lower or higher
    # also: [OR]      # further measures
    # scale: [0, 10]  # ends of the scale to which mean differences are put
    # unit: points
    # smallest_important_difference: {{MD: {{value: 1.0, source: "who says so"}}}}

# --- what follows may stay as it is -------------------------------------------------------------------------------

# One source for a whole table; without it every row names its own.
# table_source: {{arms: "Author 2019, J Pain 20:1-9"}}

# Time windows, each pooled by itself; without them every row counts.
# windows:
#   week_4: {{label: Four weeks, from: 15, to: 45, nominal: 28}}

# Columns of studies.csv with their allowed values, and those that split every main analysis.
# categories:
#   setting: {{primary: Primary care, hospital: Hospital}}
# subgroups: [setting]

# Pooling models, the main one first: REML with the Hartung-Knapp interval, beside it DerSimonian-Laird with Wald's.
# models: [cochrane, revman-classic]

# Sets of trials besides `main`.
# sets:
#   main: {{label: All trials}}
#   large: {{label: Without crossover trials, exclude: {{design: [crossover]}}}}
"""


def schema() -> bytes:
    """The JSON schema of review.yaml."""
    made = Protocol.model_json_schema(by_alias=True)
    return (json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **made}, indent=1) + "\n").encode()


def header(columns: tuple[str, ...]) -> bytes:
    """A table that has its header only."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(columns)
    return text.getvalue().encode()


def empty_review(name: str, *, workbook: bool = False) -> dict[str, bytes]:
    """The files of an empty review; a workbook instead of the tables where one is asked for."""
    files = {"review.yaml": _PROTOCOL.format(link=LINK, name=name).encode(), SCHEMA: schema()}
    if workbook:
        from reweigh.cli.workbook import empty_workbook

        return files | {"tables.xlsx": empty_workbook()}
    return files | {file: header(columns) for file, columns in COLUMNS.items()}
