"""What is wrong with an input table, and how it is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass, fields, replace
from difflib import get_close_matches

import pandas as pd

_SHOWN = 80  # characters of a cell that a report line shows
_SPANS = 8  # runs of rows that a report line shows


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
    """Problems sorted by file (the protocol first) and row, each once; the order of detection breaks ties."""
    return sorted(dict.fromkeys(problems), key=lambda p: (p.file != "review.yaml", p.file, p.row or 0))


def show(value: str) -> str:
    """A cell's text on one line: invisible characters escaped, long text cut."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def rows_text(rows: Sequence[int], noun: str = "row") -> str:
    """`row 2`, `rows 2 to 17`, `rows 2, 5 and 9 to 12`."""
    spans: list[list[int]] = []
    for row in rows:
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    shown = [text for a, b in spans[:_SPANS] for text in ([f"{a} to {b}"] if b > a + 1 else map(str, range(a, b + 1)))]
    shown += [f"{sum(b - a + 1 for a, b in spans[_SPANS:])} more"] if len(spans) > _SPANS else []
    return f"{noun}{'s' if len(rows) > 1 else ''} {' and '.join(filter(None, (', '.join(shown[:-1]), shown[-1])))}"


def format_report(problems: Iterable[Problem], review: str, folder: str = "") -> str:
    """A count line, then one line per problem, sorted by file and row; `folder` where it is not data/<review>.

    Equal problems of several rows (or keys) are one; what a column allows is listed with its first problem only.
    """
    found: dict[Problem, list[int]] = {}
    first: dict[tuple[str, ...], str] = {}
    for problem in in_order(problems):
        same = (problem.file, problem.value, problem.message, problem.allowed)
        in_yaml = problem.file.endswith(".yaml") and problem.value
        key = first.setdefault(same, problem.column) if in_yaml else problem.column
        rows = found.setdefault(replace(problem, row=None, column=key), [])
        rows.extend([] if problem.row is None or problem.row in rows[-1:] else [problem.row])
    folder = folder or f"data/{review}"
    if not found:
        return f"{folder}: no problems"
    lines, told = [], set[tuple[str, str, str]]()
    for one, rows in found.items():
        row, column = ("line", "key") if one.file.endswith(".yaml") else ("row", "column")
        where = [rows_text(rows, row)] if rows else []
        where += [f"{column} {show(one.column)}"] if one.column else []
        place = ", ".join([f"{folder}/{one.file}", *where])
        value = f'"{show(one.value)}" ' if one.value else ""
        about = (one.file, one.column, one.allowed)
        lines.append(f"{place}: {value}{one.message}" + ("" if about in told else f"; allowed: {one.allowed}"))
        told.add(about)
    n_files = len({one.file for one in found})
    count = f"{len(found)} problem{'s' if len(found) > 1 else ''} in {n_files} file{'s' if n_files > 1 else ''}"
    return "\n".join([f"{folder}: {count}", *lines])


def problems_frame(problems: Iterable[Problem]) -> pd.DataFrame:
    """Problems as a table, one row each, columns as the fields of `Problem`."""
    names = [f.name for f in fields(Problem)]
    frame = pd.DataFrame([astuple(p) for p in in_order(problems)], columns=names, dtype=object)
    return frame.astype({"row": "Int64"})


def almost(one: str, other: str) -> bool:
    """Whether two names differ by one letter too many, too few, wrong, or two exchanged (Damerau 1964)."""
    one, other = sorted((one, other), key=len)
    if one == other or len(other) - len(one) > 1:
        return False
    at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    if len(one) < len(other):
        return one[at:] == other[at + 1 :]
    swapped = one[at : at + 2] == other[at : at + 2][::-1] and one[at + 2 :] == other[at + 2 :]
    return swapped or one[at + 1 :] == other[at + 1 :]


def nearest(value: str, options: Sequence[str], cutoff: float = 0.75) -> str | None:
    """The option that `value` probably means, first by letter case, then by similarity."""
    same = [o for o in options if o.casefold() == value.casefold()]
    return next(iter(same or get_close_matches(value[:_SHOWN], options, n=1, cutoff=cutoff)), None)


def did_you_mean(value: str, options: Sequence[str]) -> str:
    """` (did you mean "x"?)`, or nothing when no option is close."""
    hit = nearest(value, options)
    return f' (did you mean "{hit}"?)' if hit else ""
