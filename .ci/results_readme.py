"""results/README.md: its introduction as it stands there, and every table from the schemas."""

import sys
from itertools import groupby
from pathlib import Path

from reweigh.schemas import Schema, schemas

MARK = "<!-- From here on made from src/reweigh/schemas.py by `make readme`. -->\n"
README = Path(__file__).parent.parent / "results" / "README.md"


def section(file: str, schema: Schema) -> str:
    """A table: what a row is, what names it, its columns."""
    lines = [f"## {file}", "", f"{schema.what} Named by {', '.join(f'`{key}`' for key in schema.keys)}.", ""]
    lines += ["| column | kind | unit, scale | meaning |", "|---|---|---|---|"]
    for what, same in groupby(schema.columns.items(), key=lambda item: item[1]):
        names = [f"`{name}`" for name, _ in same]
        lines.append(f"| {', '.join(names)} | {what.kind} | {what.unit} | {what.meaning} |")
    return "\n".join(lines)


def readme(present: str) -> str:
    """The file, with its tables made anew."""
    tables = [section(file, schema) for file, schema in schemas().items() if not file.startswith("checked/")]
    return present.partition(MARK)[0] + MARK + "\n" + "\n\n".join(tables) + "\n"


if __name__ == "__main__":
    sys.stdout.write(readme(README.read_text(encoding="utf-8")))
