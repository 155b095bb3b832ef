"""What is wrong with an input table, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from difflib import get_close_matches

import pandas as pd

_SHOWN = 80  # characters of a cell that a report line shows


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: `row` counts as a spreadsheet does (header = 1), None when it is about the whole file."""

    file: str
    row: int | None
    column: str
    value: str
    message: str
    allowed: str


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems sorted by file and row, each once; the order of detection breaks ties."""
    return sorted(dict.fromkeys(problems), key=lambda p: (p.file, p.row or 0))


def show(value: str) -> str:
    """A cell's text on one line: invisible characters escaped, long text cut."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _line(problem: Problem, review: str) -> str:
    place = f"data/{review}/{problem.file}"
    if problem.row is not None:
        place += f", row {problem.row}"
    if problem.column:
        place += f", column {show(problem.column)}"
    value = f'"{show(problem.value)}" ' if problem.value else ""
    return f"{place}: {value}{problem.message}; allowed: {problem.allowed}"


def format_report(problems: Iterable[Problem], review: str) -> str:
    """A count line, then one line per problem, sorted by file and row."""
    found = in_order(problems)
    if not found:
        return f"data/{review}: no problems"
    n_files = len({p.file for p in found})
    count = f"{len(found)} problem{'s' if len(found) > 1 else ''} in {n_files} file{'s' if n_files > 1 else ''}"
    return "\n".join([f"data/{review}: {count}", *(_line(p, review) for p in found)])


def problems_frame(problems: Iterable[Problem]) -> pd.DataFrame:
    """Problems as a table, one row each, columns as the fields of `Problem`."""
    names = [f.name for f in fields(Problem)]
    frame = pd.DataFrame([astuple(p) for p in in_order(problems)], columns=names, dtype=object)
    return frame.astype({"row": "Int64"})


def nearest(value: str, options: Sequence[str], cutoff: float = 0.75) -> str | None:
    """The option that `value` probably means, first by letter case, then by similarity."""
    same = [o for o in options if o.casefold() == value.casefold()]
    return next(iter(same or get_close_matches(value[:_SHOWN], options, n=1, cutoff=cutoff)), None)


def did_you_mean(value: str, options: Sequence[str]) -> str:
    """` (did you mean "x"?)`, or nothing when no option is close."""
    hit = nearest(value, options)
    return f' (did you mean "{hit}"?)' if hit else ""
