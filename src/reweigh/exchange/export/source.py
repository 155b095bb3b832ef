"""What is exported: a checked review, its main analyses and their pooled results, computed as the workflow does."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from reweigh.effects.selection import Selection, select
from reweigh.exchange.analyses import plain
from reweigh.io import csv_text, guarded, read_csv, read_text
from reweigh.pool.summarise import pooled_table
from reweigh.protocol.model import Protocol
from reweigh.risk_of_bias import Tool
from reweigh.tables.review import Tables
from reweigh.workbooks import table_of

FLOW = "flow.csv"


@dataclass(frozen=True, slots=True)
class Exported:
    """Files by name, sentences on what was left out, and `problem`: why there is nothing to export, or ""."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Source:
    """A review that passes its check.

    `flow` is its flow.csv as text (box, n, reason), without rows where it has none. `effects` and `pooled` are the rows
    of effects.csv and pooled.csv that are of main analyses, with the 12 digits that these files have.
    """

    name: str
    protocol: Protocol
    tables: Tables
    tools: Mapping[str, Tool]
    flow: pd.DataFrame

    @cached_property
    def selection(self) -> Selection:
        """What is pooled, and what became of every row."""
        return select(self.tables.studies, self.tables.arms, self.tables.contrasts, self.protocol)

    @cached_property
    def effects(self) -> pd.DataFrame:
        """Effects of the main analyses."""
        effects = self.selection.effects
        text = csv_text(effects[effects["set"] == "main"], "effects.csv")
        return read_csv(io.StringIO(text), self.protocol.number_columns, "effects.csv")

    @cached_property
    def units(self) -> pd.DataFrame:
        """What models that count otherwise than the main one pool (units.csv), of the main analyses."""
        units = self.selection.units
        text = csv_text(units[units["set"] == "main"], "units.csv")
        return read_csv(io.StringIO(text), self.protocol.number_columns, "units.csv")

    @cached_property
    def pooled(self) -> pd.DataFrame:
        """Pooled results of the main analyses, by every model."""
        text = csv_text(pooled_table(self.effects, self.protocol, units=self.units), "pooled.csv")
        return read_csv(io.StringIO(text), name="pooled.csv")


def load(
    name: str, files: Mapping[str, bytes], tables: Tables, protocol: Protocol, tools: Mapping[str, Tool]
) -> Source:
    """A review from its files and what the check made of them (`reweigh.check.examine`, without a problem)."""
    content = table_of(files, FLOW)
    flow = pd.DataFrame(columns=["box", "n", "reason"]) if content is None else read_text(content)
    return Source(name, protocol, tables, tools, flow.reindex(columns=["box", "n", "reason"], fill_value=""))


def csv_bytes(header: Sequence[str], rows: Iterable[Iterable[object]]) -> bytes:
    """A CSV file in UTF-8 with LF: numbers to 12 digits, missing as empty, a formula behind an apostrophe."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode("utf-8")


def _cell(value: object) -> object:
    if isinstance(value, str):
        return guarded(value)
    if value is None or pd.isna(value):  # type: ignore[call-overload]
        return ""
    return f"{float(value):.12g}"  # type: ignore[arg-type]


def table_bytes(table: pd.DataFrame) -> bytes:
    """A table as `csv_bytes` writes it."""
    return csv_bytes([str(name) for name in table], table.to_numpy(dtype=object).tolist())


def one_line(text: object) -> str:
    """Text without line breaks, control and invisible characters."""
    return "" if text is None or (isinstance(text, float) and text != text) else plain(str(text))
