"""The check of a folder, and its words."""

from __future__ import annotations

from pathlib import Path

from reweigh.check import examine, notices
from reweigh.cli.places import tools_file
from reweigh.risk_of_bias import read_tools
from reweigh.tables.problems import format_report
from reweigh.tables.review import FILES
from reweigh.workbooks import WORKBOOKS


def report(folder: Path) -> tuple[str, bool]:
    """Every problem of the review in a folder, or what must be said of it; and whether there is no problem."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    known = {*FILES, *WORKBOOKS}
    files = {name: (folder / name).read_bytes() if name in known else b"" for name in names}
    tables, protocol, problems = examine(files, read_tools(tools_file(folder.parent).read_bytes()))
    told = format_report(problems, folder.name, str(folder))
    if problems or protocol is None:
        return told, False
    return "\n".join([told, *notices(protocol, files, tables)]), True
