"""The check of a folder, and its words."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml.error import YAMLError

from reweigh.check import examine, files_of, notices
from reweigh.cli.places import Stop, tools_file
from reweigh.protocol.model import Protocol
from reweigh.risk_of_bias import Tool, read_tools
from reweigh.tables.problems import Problem, format_report
from reweigh.tables.review import Tables


def tools_of(data: Path) -> dict[str, Tool]:
    """The risk-of-bias tools of a folder of reviews.

    Raises Stop where its own definition of them cannot be read.
    """
    path = tools_file(data)
    try:
        return read_tools(path.read_bytes())
    except (YAMLError, ValueError, LookupError, TypeError) as why:
        raise Stop(f"{path}: {' '.join(str(why).split())}") from None


def examined(
    folder: Path, tools: Mapping[str, Tool]
) -> tuple[Tables, Protocol | None, list[Problem], dict[str, bytes]]:
    """The tables and the protocol of the review in a folder, every problem of it, and its files by name."""
    files = files_of(folder)
    return (*examine(files, tools, folder.resolve().name), files)


def report(folder: Path) -> tuple[str, bool]:
    """Every problem of the review in a folder, or what must be said of it; and whether there is no problem."""
    tables, protocol, problems, files = examined(folder, tools_of(folder.parent))
    told = format_report(problems, folder.name, str(folder))
    if problems or protocol is None:
        return told, False
    return "\n".join([told, *notices(protocol, files, tables)]), True
