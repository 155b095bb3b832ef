"""Foreign files: from paths to the readers of `reweigh.exchange`, the preview of what they gave, and the way out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from reweigh.cli.checking import examined, tools_of
from reweigh.cli.places import PROTOCOL, Stop
from reweigh.cli.template import LINK, SCHEMA, schema
from reweigh.exchange.result import Imported
from reweigh.tables.problems import format_report

LOG, STUDIES = "imported.csv", "studies.csv"
"""What was done to each cell; the list of trials."""


def contents(paths: Sequence[Path]) -> dict[str, bytes]:
    """The files by name; those of a folder by their path below it.

    Raises Stop where two have one name.
    """
    found: dict[str, bytes] = {}
    for path in paths:
        inside = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        for one in inside:
            name = one.relative_to(path).as_posix() if path.is_dir() else one.name
            if name in found:
                raise Stop(f"Two of the files are called {name}; import them one after the other.")
            found[name] = one.read_bytes()
    return found


def read(paths: Sequence[Path], columns: Path | None, data: Path, given: Mapping[str, Any]) -> Imported:
    """The review that the files hold; see `reweigh.exchange.read`.

    Parameters
    ----------
    paths
        Files, and folders of files.
    columns
        A MAP.yaml.
    data
        The folder of reviews, which may have risk-of-bias tools of its own.
    given
        Further fields of `reweigh.exchange.options.Options`.

    Raises Stop where the map is none.
    """
    # The readers take long to load, and no other command wants them.
    said = import_module("reweigh.exchange.options")
    try:
        mapped = None if columns is None else said.read_map(columns.read_bytes())
    except ValueError as why:
        raise Stop(f"{columns}: {why}") from None
    options = said.Options(**given, columns=mapped, tools=tools_of(data))
    imported: Imported = import_module("reweigh.exchange.read").read(contents(paths), options)
    return imported


def written(imported: Imported) -> dict[str, bytes]:
    """The files of the review; its protocol is linked to its schema, which stands beside it."""
    files: dict[str, bytes] = dict(import_module("reweigh.exchange.write").written(imported))
    protocol = files.get("review.yaml")
    if protocol is not None:
        if not protocol.startswith(b"# yaml-language-server"):
            files["review.yaml"] = LINK.encode() + protocol
        files.setdefault(SCHEMA, schema())
    return files


def adds(imported: Imported) -> bool:
    """Whether the files hold no results, only what joins a review: risk of bias, references, flow counts."""
    return not imported.protocol.get("outcomes")


def renamed(imported: Imported, folder: Path) -> Imported:
    """What joins the review of a folder, with the review's ids of its trials."""
    studies = examined(folder, tools_of(folder.parent))[0].studies
    with_ids: Imported = import_module("reweigh.exchange.ids").named_as(imported, studies)
    return with_ids


def added(files: Mapping[str, bytes], folder: Path) -> tuple[dict[str, bytes], bytes]:
    """Those of the files that join the review of a folder, and its record of imports with theirs at the end.

    A list of trials that comes beside judgements is not written where the review has its own.
    """
    record = files.get(LOG, b"")
    if (folder / LOG).is_file():
        old = (folder / LOG).read_bytes()
        header, _, rows = record.partition(b"\n")
        record = old + rows if old.startswith(header) else old
    joining = {name: content for name, content in files.items() if name not in (PROTOCOL, SCHEMA, LOG)}
    if len(joining) > 1 and (folder / STUDIES).is_file():
        joining.pop(STUDIES, None)
    return joining, record


def preview(imported: Imported) -> str:
    """Lines on what was found, what was guessed, what was left out."""
    rows = {name: len(table) for name, table in imported.tables.items() if len(table)}
    trials = {
        study
        for name in ("studies", "arms", "contrasts")
        if name in rows and "study_id" in imported.tables[name]
        for study in imported.tables[name]["study_id"]
    }
    outcomes = imported.protocol.get("outcomes", {})
    lines = [f"{len(trials)} trials, {len(outcomes)} outcome{'s' if len(outcomes) != 1 else ''}"]
    lines += [f"  {name}: {one.get('label', name)}, {one.get('measure', '?')}" for name, one in outcomes.items()]
    lines += ["Rows: " + ", ".join(f"{count} in {name}" for name, count in rows.items())] if rows else []
    lines += [f"Note: {note}" for note in imported.notes]
    done = Counter(cell.code for cell in imported.cells)
    said = ", ".join(f"{count} {code}" for code, count in sorted(done.items()))
    return "\n".join([*lines, *([f"Cells changed or left out: {said}; each stands in imported.csv"] if done else [])])


def exported(folder: Path, form: str) -> tuple[Mapping[str, bytes], Sequence[str]]:
    """The files of a review in another programme's format, and sentences on what was left out.

    Raises Stop where the review does not pass its check, or has nothing of the kind.
    """
    source = import_module("reweigh.exchange.export")
    tools = tools_of(folder.parent)
    tables, protocol, problems, files = examined(folder, tools)
    if problems or protocol is None:
        raise Stop(format_report(problems, folder.name, str(folder)))
    made = source.FORMATS[form](source.load(folder.name, files, tables, protocol, tools))
    if made.problem:
        raise Stop(f"{folder}: {made.problem}")
    return made.files, made.notes
