"""What the site makes from the code when it is built: glossary, tables, reasons, the command, the protocol, the API."""

from __future__ import annotations

import csv
import importlib
import inspect
import json
import logging
import os
import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
LOG = logging.getLogger("mkdocs.hooks")
#: Files of the repository that are pages of the site, too.
COPIES = {
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "explanation/security.md",
    "config/README.md": "reference/configuration.md",
    "results/README.md": "reference/tables.md",
}
LINK = re.compile(r"(?<=\])\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")
PICTURE = re.compile(r"!\[([^\]]*)\]\(((?:\.\./)*results/[^)]+)\)")


def table(head: str, rows: list[list[str]]) -> str:
    """A Markdown table; bars within cells are escaped."""
    names = head.split(" | ")
    lines = [names, ["---"] * len(names), *([c.replace("|", r"\|").replace("\n", " ") for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def relinked(text: str, source: str, page: str, known: set[str]) -> str:
    """Links of `source`, a file of the repository, as they must be on `page` of the site.

    A file of the repository that is no page loses its link and keeps its words.
    """

    def to(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[1]))
        found = COPIES.get(target, target.removeprefix("docs/") if target.startswith("docs/") else "")
        if not found and target.startswith("results/"):
            found = f"figures/{target.removeprefix('results/').replace('/', '.')}"
        if found in known:
            return f"({posixpath.relpath(found, posixpath.dirname(page) or '.')}{match[2] or ''})"
        return f"({match[1]}{match[2] or ''})" if target.startswith("docs/") else "\0"

    return re.sub(r"\[([^\]]*)\]\0", r"\1", LINK.sub(to, text))


def glossary() -> str:
    """The terms of reweigh.text.glossary."""
    from reweigh.text.glossary import SOURCES, TERMS

    def place(source: str) -> str:
        page = COPIES.get(source, source.removeprefix("docs/") if source.startswith("docs/") else "")
        return f"[{page}]({page})" if page else source

    said = [f"## {term}\n\n{meaning} *{place(SOURCES[term])}*\n" for term, meaning in TERMS.items()]
    return "# Glossary\n\nThe words of the page, the tables and the plots. Each has its source.\n\n" + "\n".join(said)


def command() -> str:
    """`reweigh --help`, and that of every command."""
    import click

    from reweigh.cli.main import CONTEXT, main

    def help_of(name: str, one: click.Command) -> str:
        context = click.Context(one, info_name=name, **CONTEXT)
        return f"## {name}\n\n```text\n{one.get_help(context)}\n```\n"

    commands = "\n".join(help_of(f"reweigh {name}", one) for name, one in main.commands.items())
    return f"# The command, option by option\n\n{help_of('reweigh', main)}\n{commands}"


def _type(field: Mapping[str, Any]) -> str:
    """What a property of a JSON schema may be, in words."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in field:
            return " or ".join(dict.fromkeys(_type(one) for one in field[key]))
    if "enum" in field or "const" in field:
        return ", ".join(f"`{one}`" for one in field.get("enum", [field.get("const")]))
    kind = field.get("type", "anything")
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}" if "items" in field else "list"
    if kind == "object":
        inner = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), None)
        return f"name to {_type(inner)}" if isinstance(inner, dict) else "mapping"
    bounds = [
        f"{word} {field[key]:g}"
        for key, word in (
            ("minimum", "from"), ("exclusiveMinimum", "above"), ("maximum", "to"), ("exclusiveMaximum", "below"),
        ) if key in field
    ]  # fmt: skip
    return " ".join([{"string": "text", "boolean": "true or false", "null": "nothing"}.get(kind, kind), *bounds])


def protocol() -> str:
    """Every key of review.yaml, from its JSON schema."""
    from reweigh.protocol.model import Protocol

    def default(key: str, one: Mapping[str, Any]) -> str:
        if key in one.get("required", []):
            return "required"
        said = json.dumps(one["properties"][key].get("default"))
        return f"`{said}`" if len(said) < 80 else "its own defaults"

    whole = Protocol.model_json_schema(by_alias=True)
    parts = []
    for name, one in {"review.yaml": whole, **whole["$defs"]}.items():
        rows = [
            [f"`{key}`", _type(field), default(key, one), field.get("description", "")]
            for key, field in one.get("properties", {}).items()
        ]
        if any(row[3] for row in rows):
            made = table("key | what it may be | default | meaning", rows)
        else:
            made = table("key | what it may be | default", [row[:3] for row in rows])
        parts.append(f"## {name}\n\n{one.get('description', '') if name != 'review.yaml' else ''}\n\n{made}")
    return (
        "# The protocol, key by key\n\nMade from the JSON schema that `reweigh new` puts beside `review.yaml`. What "
        "the keys mean is told in [the protocol](protocol.md). `null`: not given.\n\n" + "\n".join(parts)
    )


def input_tables() -> str:
    """Every column of the tables that a review may have, from their specs."""
    from reweigh.schemas import schemas
    from reweigh.tables.specs import SPECS

    parts = []
    for file, spec in SPECS.items():
        known = schemas().get(f"checked/{file}")
        must = [" or ".join(f"`{one}`" for one in group) for group in spec.required]
        rows = []
        for column in spec.columns:
            described = known.columns.get(column.name) if known else None
            meaning = described.meaning if described is not None and described.meaning != "as typed" else ""
            rows.append([f"`{column.name}`", column.allowed, meaning])
        head = f"Required: {', '.join(must)}. " if must else ""
        unique = f"No two rows have the same {', '.join(f'`{one}`' for one in spec.unique)}." if spec.unique else ""
        more = "" if spec.closed else "Further columns are yours."
        parts.append(f"## {file}\n\n{head}{unique} {more}\n\n{table('column | allowed | meaning', rows)}")
    return (
        "# The tables you fill\n\nEvery column that a table of `data/<review>/` may have. Which ones a result needs is "
        "told in [from what is printed to an effect](effects.md).\n\n" + "\n".join(parts)
    )


class _Shown(dict[str, str]):
    """Parameters of a code that show their own names."""

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"


def met() -> dict[str, list[Mapping[str, str]]]:
    """Codes that stand in the built tables; of each the parameters, once for each choice of names that they have."""
    from reweigh.text.codes import parse

    found: dict[str, dict[frozenset[str], Mapping[str, str]]] = {}
    for path in sorted((ROOT / "results").glob("*/**/*.csv")):
        with path.open(encoding="utf-8", newline="") as text:
            for row in csv.DictReader(text):
                cells = (cell for column, cell in row.items() if column.endswith(("_code", "_codes")))
                for one in (one for cell in cells for one in parse(cell)):
                    found.setdefault(one.name, {}).setdefault(frozenset(one.parameters), one.parameters)
    return {code: list(several.values()) for code, several in found.items()}


def _said(code: str, words: Any, examples: Mapping[str, list[Mapping[str, str]]]) -> str:
    """The words of a code with the names of its parameters; where they follow from these, as they were once met."""
    if isinstance(words, str):
        return words
    for given, before in ((_Shown(), ""), *((one, "for instance: ") for one in examples.get(code, []))):
        try:  # another stage may have a code of this name
            return f"{before}{words(given)}"
        except (KeyError, ValueError):
            continue
    return "*(worded by what it carries)*"


def reasons() -> str:
    """The codes of every stage and their words."""
    parts, examples = [], met()
    for stage, what in (
        ("selection", "Choosing a trial's result"), ("effects", "Effect sizes"), ("pool", "Pooling"),
        ("robustness", "Robustness"), ("sequential", "Sequential analysis"), ("certainty", "Certainty"),
        ("claims", "Claims"), ("reproduction", "Published estimates"), ("flags", "Flags and notices"),
    ):  # fmt: skip
        module = importlib.import_module(f"reweigh.text.{stage}")
        for name, given in (("REASONS", "reason"), ("SENTENCES", "note")):
            told = getattr(module, "REASONS", {}) if name == "SENTENCES" else {}
            sentences = {code: one for code, one in getattr(module, name, {}).items() if code not in told}
            if not sentences:
                continue
            rows = []
            for code, one in sentences.items():
                pair = one if isinstance(one, tuple) else (one, "")
                rows.append([f"`{code}`", *(_said(code, one, examples) for one in pair)])
            if any(row[2] for row in rows):
                made = table("code | reason | what the full text would have to give", rows)
            else:
                made = table(f"code | {given}", [row[:2] for row in rows])
            parts.append(f"## {what}: {given}s\n\n{made}")
    return (
        "# Why something is missing\n\nNothing is left out in silence. Tables hold a code for each reason and note; "
        "these are the codes and their words. `{...}` stands for what the code carries.\n\n" + "\n".join(parts)
    )


def api() -> str:
    """What `import reweigh as rw` gives."""
    given = importlib.import_module("reweigh.api")

    parts = [inspect.getdoc(given) or "", "Import it as `import reweigh as rw`."]
    for name in given.__all__:
        one = getattr(given, name)
        parts.append(f"::: {one.__module__}.{getattr(one, '__qualname__', name)}")
    return "# The Python library\n\n" + "\n\n".join(parts) + "\n"


MADE = {
    "glossary.md": glossary,
    "reference/help.md": command,
    "reference/protocol-schema.md": protocol,
    "reference/input-tables.md": input_tables,
    "reference/reasons.md": reasons,
    "reference/api.md": api,
}


def figures() -> Iterator[tuple[str, Path]]:
    """Figures of results/ that a page shows: their place in the site, and the file."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for _, target in PICTURE.findall(page.read_text(encoding="utf-8")):
            path = (page.parent / target).resolve()
            if path.is_file():
                yield f"figures/{path.relative_to(ROOT / 'results').as_posix().replace('/', '.')}", path


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are made, the copies, and the figures that the gallery shows."""
    for page, make in MADE.items():
        files.append(File.generated(config, page, content=make()))
    style = Path(__file__).with_name("site.css")
    for place, path in {"assets/site.css": style, **dict(figures())}.items():
        files.append(File.generated(config, place, abs_src_path=str(path)))
    known = {one.src_uri for one in files} | set(COPIES.values())
    for source, page in COPIES.items():
        text = relinked((ROOT / source).read_text(encoding="utf-8"), source, page, known)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Links to files beyond docs/ lead to their pages; a figure that was not built says so."""
    known = {one.src_uri for one in files}
    if page.file.src_uri in {*COPIES.values(), *MADE}:
        return markdown

    def there(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page.file.src_uri), match[2]))
        if f"figures/{target.removeprefix('results/').replace('/', '.')}" in known:
            return match[0]
        if os.environ.get("REWEIGH_CI"):
            LOG.warning("%s shows %s, which is not built", page.file.src_uri, target)
        return f"*({match[1]}: built by `make`, and not here when this site was)*"

    return relinked(PICTURE.sub(there, markdown), f"docs/{page.file.src_uri}", page.file.src_uri, known)
