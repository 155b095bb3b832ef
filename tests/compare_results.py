"""Compare two folders of results table by table, row by row (by the columns that name one), column by column.

    python tests/compare_results.py OLD NEW [--allow FILE] [--numbers]

Prints a line per difference, tab-separated: what differs (table, column, row, number, text), table, row, column, from,
to. Numbers are the same up to 1e-12 of their size. Exit status 1 if anything differs that FILE does not allow: it has a
pattern per line (`*` and `?`; lines that begin with # are comments) that fits the first four parts of a difference,
joined by spaces, e.g. `number */pooled.csv * i2_definition`. With --numbers texts are not compared.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from reweigh.io import unguarded
from reweigh.schemas import schema_of

TOLERANCE = 1e-12


class Difference(NamedTuple):
    """One thing that is not the same."""

    what: str
    table: str
    row: str = ""
    column: str = ""
    old: str = ""
    new: str = ""


def read(path: Path) -> pd.DataFrame:
    """A table as text, also one from before the schemas."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8").map(unguarded)


def number(cell: str) -> float | None:
    """The number that a cell holds, None where it holds none."""
    try:
        return float(cell)
    except ValueError:
        return None


def same(old: str, new: str) -> bool:
    """Whether two cells say the same."""
    a, b = number(old), number(new)
    if old == new or a is None or b is None:
        return old == new
    return math.isclose(a, b, rel_tol=TOLERANCE)


def rows_of(table: pd.DataFrame, keys: list[str]) -> dict[str, dict[str, str]]:
    """Rows by the columns that name them (by their place where there are none); repeated names are counted."""
    seen: Counter[str] = Counter()
    found = {}
    for at, row in enumerate(table.to_dict("records")):
        name = " | ".join(row[key] for key in keys) if keys else f"row {at + 2}"
        seen[name] += 1
        found[name if seen[name] == 1 else f"{name} #{seen[name]}"] = row
    return found


def of_table(table: str, old: pd.DataFrame, new: pd.DataFrame) -> Iterator[Difference]:
    """What differs between two tables of a name."""
    try:
        keys = [key for key in schema_of(table).keys if key in old and key in new]
    except KeyError:
        keys = []
    yield from (Difference("column", table, "", name, "there", "gone") for name in old if name not in new)
    yield from (Difference("column", table, "", name, "", "new") for name in new if name not in old)
    before, after = rows_of(old, keys), rows_of(new, keys)
    yield from (Difference("row", table, name, "", "there", "gone") for name in before if name not in after)
    yield from (Difference("row", table, name, "", "", "new") for name in after if name not in before)
    for name, row in before.items():
        for column in [column for column in old if column in new and name in after]:
            one, other = row[column], after[name][column]
            if not same(one, other):
                what = "text" if number(one or "0") is None or number(other or "0") is None else "number"
                yield Difference(what, table, name, column, one, other)


def differences(old: Path, new: Path) -> Iterator[Difference]:
    """What differs between two folders of results."""
    before, after = ({str(p.relative_to(folder)) for p in folder.rglob("*.csv")} for folder in (old, new))
    for table in sorted(before | after):
        if table not in after or table not in before:
            yield Difference("table", table, "", "", *(("there", "gone") if table in before else ("", "new")))
        else:
            yield from of_table(table, read(old / table), read(new / table))


def main(arguments: list[str]) -> int:
    """Print every difference; 1 if any is not allowed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--allow", type=Path)
    parser.add_argument("--numbers", action="store_true")
    given = parser.parse_args(arguments)
    lines = given.allow.read_text(encoding="utf-8").splitlines() if given.allow else []
    patterns = [line for line in lines if line.strip() and not line.startswith("#")]
    count, refused = 0, 0
    for one in differences(given.old, given.new):
        if one.what == "text" and given.numbers:
            continue
        count += 1
        if not any(fnmatchcase(" ".join(one[:4]), pattern) for pattern in patterns):
            refused += 1
            print("\t".join(part.replace("\n", "\\n").replace("\t", " ") for part in one))
    print(f"{count} differences, {refused} of them not allowed", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
