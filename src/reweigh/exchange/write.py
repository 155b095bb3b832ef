"""An imported review as the files of a review's folder."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import pandas as pd
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from reweigh.exchange.result import Cell, Imported
from reweigh.io import guarded

IMPORTED = "imported.csv"
#: Longer lines of YAML are folded by ruamel; text stands on one line here.
_WIDTH = 100_000


def written(imported: Imported) -> dict[str, bytes]:
    """The files of an imported review by name: its tables, review.yaml and imported.csv.

    The same review gives the same bytes. What has no rows has no file, except imported.csv. With problems nothing is
    written.
    """
    if imported.problems:
        return {}
    files = {f"{name}.csv": table_bytes(table) for name, table in sorted(imported.tables.items()) if len(table)}
    files["review.yaml"] = yaml_bytes(imported.protocol, imported.comments)
    files[IMPORTED] = cells_bytes(imported)
    return files


def table_bytes(table: pd.DataFrame) -> bytes:
    """A table of text as CSV: UTF-8, LF, missing as empty."""
    return _csv(list(table.columns), table.fillna("").astype(str).to_numpy().tolist())


def cells_bytes(imported: Imported) -> bytes:
    """imported.csv; a cell that a spreadsheet might run stands behind an apostrophe."""
    return _csv(
        list(Cell._fields), [[guarded(x) if isinstance(x, str) else x for x in cell] for cell in imported.cells]
    )


def _csv(header: list[str], rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def yaml_bytes(protocol: Mapping[str, Any], comments: Mapping[str, str]) -> bytes:
    """A protocol as YAML, with a comment above each dotted key that has one."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = _WIDTH
    yaml.allow_unicode = True
    text = io.StringIO()
    yaml.dump(_commented(protocol, comments, "", 0), text)
    return text.getvalue().encode("utf-8")


def _commented(value: Any, comments: Mapping[str, str], path: str, depth: int) -> Any:
    """Mappings and lists as ruamel writes them, with their comments."""
    if isinstance(value, Mapping):
        made = CommentedMap()
        for key, one in value.items():
            here = f"{path}.{key}" if path else str(key)
            made[key] = _commented(one, comments, here, depth + 1)
            if here in comments:
                made.yaml_set_comment_before_after_key(key, before=comments[here], indent=2 * depth)
        return made
    if isinstance(value, list | tuple):
        items = CommentedSeq([_commented(one, comments, f"{path}.{i}", depth + 1) for i, one in enumerate(value)])
        for item in items:
            if isinstance(item, CommentedMap):
                item.fa.set_flow_style()
        return items
    return value
