"""Two results of a review, or of several, from where a person says that they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from reweigh.cli.places import RESULTS, Stop
from reweigh.compare.changes import of_several
from reweigh.compare.results import Results, UnreadableError, of_archive, of_folder
from reweigh.compare.shown import shown
from reweigh.io import csv_text
from reweigh.schemas import columns
from reweigh.text.changes import lines

_HEADER = ",".join(columns("changes.csv"))


def compared(old: str, new: str, output: Path) -> Iterator[str]:
    """Lines on what changed; writes `output`.

    Raises Stop where a side cannot be read, the two are of different reviews, or `output` is a file of something else.
    """
    before, after = _matched(_side(old), _side(new), old, new)
    if output.exists() and output.read_text(encoding="utf-8", errors="replace").partition("\n")[0] != _HEADER:
        raise Stop(f"{output} is there, and is no changes.csv; nothing was written. --output names another file.")
    table = of_several(before, after)
    output.write_text(csv_text(table, "changes.csv"), encoding="utf-8", newline="")
    for name, found in after.items():
        if name in before:
            yield from lines(shown(table, before[name], found))
        else:
            yield f"{name}: only {new} has it"
    yield from (f"{name}: only {old} has it" for name in before if name not in after)
    yield f"{output}: {len(table):,} rows"


def _side(place: str) -> dict[str, Results]:
    path = Path(place)
    if not path.exists() and path.name == place:
        path = RESULTS / place
    try:
        if path.is_dir():
            return of_folder(path)
        if path.is_file():
            return of_archive(path, str(path))
    except UnreadableError as why:
        raise Stop(str(why)) from None
    raise Stop(f"There is no {path}: a folder of results or an archive.zip is compared.")


def _matched(
    old: Mapping[str, Results], new: Mapping[str, Results], one: str, other: str
) -> tuple[dict[str, Results], dict[str, Results]]:
    """Both sides by the name of the new one.

    A folder of one review is compared with that review of the other side; its name does not count where it is not
    recorded, but then the two have an analysis in common.
    """
    if len(old) > 1 and len(new) > 1:
        return dict(old), dict(new)
    if len(old) == 1 and len(new) == 1:
        [was], [now] = old.values(), new.values()
    else:
        [single] = min(old, new, key=len).values()
        found = max(old, new, key=len).get(single.review)
        if found is None:
            raise Stop(f"{one} and {other} have no review in common: one of them has only {single.review}.")
        was, now = (single, found) if len(old) == 1 else (found, single)
    shared = set(was.tables["pooled.csv"]["analysis"]) & set(now.tables["pooled.csv"]["analysis"])
    alike = was.name == now.name if was.recorded and now.recorded else was.name == now.name or bool(shared)
    if not alike:
        raise Stop(f"{one} and {other} are of two reviews: {was.name} and {now.name}.")
    was = was if was.recorded else replace(was, review=now.review if not was.year else was.review)
    return {now.review: was}, {now.review: now}
