"""One side of a comparison: what a folder of results, or an archive of a review, holds. Nothing is unpacked."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from reweigh.io import frame, read_csv
from reweigh.protocol.model import Protocol
from reweigh.schemas import schemas

LARGEST = 50_000_000
"""Bytes that a table may have; ours stay below a hundredth of it."""
MEMBERS = 100_000
"""Files that an archive may hold."""
PROVENANCE, PROTOCOL = "provenance.json", "checked/protocol.json"
CHECKED = ("studies.csv", "arms.csv", "contrasts.csv", "risk_of_bias.csv")
TABLES = (
    "effects.csv", "units.csv", "rows.csv", "pooled.csv", "certainty.csv", "claims.csv", "reproduction.csv",
    *(f"checked/{name}" for name in CHECKED),
)  # fmt: skip
"""What is read of each review, below its folder of results; only the first is always there beside `pooled.csv`."""
_FOUND_BY, _ALWAYS = "pooled.csv", ("pooled.csv", "effects.csv")
#: Columns without which nothing can be compared, beside those that name a row.
_NEEDED = {
    "pooled.csv": ("outcome", "window", "set", "measure", "scale", "level", "k", "estimate", "ci_lower", "ci_upper",
                   "estimate_natural", "ci_lower_natural", "ci_upper_natural"),
    "effects.csv": ("outcome", "window", "set", "measure", "study_id", "label", "design", "estimate", "variance",
                    "rows"),
}  # fmt: skip

Read = Callable[[str], bytes | None]
"""Bytes of a file by its name, None where there is none."""


class UnreadableError(ValueError):
    """Why something is no results of a review, in words."""


@dataclass(frozen=True, slots=True)
class Results:
    """The results of one review.

    `protocol` None, `versions` and `files` empty: not recorded (a run without the page, or an earlier programme).
    """

    #: Name of the review, `<name>/as_of/<year>` as of a year; that of its folder where `recorded` is false.
    review: str
    recorded: bool
    #: Every one of TABLES, empty where there is none.
    tables: Mapping[str, pd.DataFrame]
    #: The protocol as it was written, and as this programme reads it (None where it cannot).
    keys: Mapping[str, Any] | None = None
    protocol: Protocol | None = None
    #: Package to version.
    versions: Mapping[str, str] = field(default_factory=dict)
    #: Name of a file as typed to its SHA-256.
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The review without its year, and without the folder in which it lies."""
        return PurePosixPath(self.review.partition("/as_of/")[0]).name

    @property
    def year(self) -> str:
        """The year that the results are as of; empty: they are as of now."""
        return self.review.partition("/as_of/")[2]

    @property
    def typed(self) -> bool:
        """Whether the tables as checked are part of it."""
        return bool(len(self.tables["checked/studies.csv"]))


def provenance(review: str, versions: Mapping[str, str], files: Mapping[str, str]) -> bytes:
    """`provenance.json`: name of the review, version of each package, SHA-256 of each file as typed."""
    said = {"review": review, "versions": dict(versions), "files": dict(files)}
    return json.dumps(said, indent=1, ensure_ascii=False).encode() + b"\n"


def of_folder(folder: Path) -> dict[str, Results]:
    """Results by the name of their review, of a folder that holds those of one review or of several.

    Raises
    ------
    UnreadableError
        Where it holds none, or a table that cannot be read.
    """
    places = [folder] if (folder / _FOUND_BY).is_file() else []
    places = places or sorted(
        path.parent for pattern in ("*", "gallery/*") for path in folder.glob(f"{pattern}/{_FOUND_BY}")
    )
    if not places:
        raise UnreadableError(f"{folder} is no folder of results: neither it nor a folder in it has {_FOUND_BY}")
    found = (_results(_called(place.resolve()), _reader(place), str(place)) for place in places)
    return {one.review: one for one in found}


def of_archive(archive: Path | bytes, name: str) -> dict[str, Results]:
    """Results by the name of their review, of an `archive.zip`, called `name` in what is raised.

    Raises
    ------
    UnreadableError
        Where it is no archive of a review, or too large.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(archive) if isinstance(archive, bytes) else archive) as opened:
            members = {one.filename: one for one in opened.infolist()}
            if len(opened.infolist()) > MEMBERS:
                raise UnreadableError(f"{name} holds more than {MEMBERS:,} files")
            places = [place for place in map(PurePosixPath, members) if place.name == _FOUND_BY]
            # Only names of this form are read, whatever else an archive may hold.
            places = [place.parent for place in places if place.parts[0] == "results" and len(place.parts) > 2]
            if not places:
                raise UnreadableError(f"{name} is no archive of a review: it holds no results/<review>/{_FOUND_BY}")

            def reader(place: PurePosixPath) -> Read:
                def read(file: str) -> bytes | None:
                    member = members.get(str(place / file))
                    if member is None:
                        return None
                    with opened.open(member) as content:
                        return content.read(LARGEST + 1)

                return read

            found = [
                _results(str(PurePosixPath(*place.parts[1:])), reader(place), f"{name}, {place}") for place in places
            ]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError) as why:
        said = "it is encrypted" if "encrypted" in str(why) else str(why)
        raise UnreadableError(f"{name} cannot be unpacked: {said}") from None
    return {one.review: one for one in found}


def of_review(found: Mapping[str, Results], review: str) -> Results:
    """Those of the results that are of a review, as of now before those as of a year; of any where it has no name.

    Raises
    ------
    UnreadableError
        Where there are none.
    """
    name = PurePosixPath(review.partition("/as_of/")[0]).name
    mine = sorted((one for one in found.values() if not name or one.name == name), key=lambda one: one.year)
    if not mine:
        raise UnreadableError(f"it is of another review: {', '.join(found)}")
    return mine[0]


def _called(folder: Path) -> str:
    """The name that the place of a folder gives a review."""
    above = folder.parent
    return f"{above.parent.name}/as_of/{folder.name}" if above.name == "as_of" else folder.name


def _reader(folder: Path) -> Read:
    def read(file: str) -> bytes | None:
        path = folder / file
        if not path.is_file():
            return None
        with path.open("rb") as content:
            return content.read(LARGEST + 1)

    return read


def _results(name: str, read: Read, where: str) -> Results:
    def content(file: str) -> bytes | None:
        found = read(file)
        if found is not None and len(found) > LARGEST:
            raise UnreadableError(f"{where}: {file} is larger than {LARGEST:,} bytes")
        return found

    said, keys = (_json(content(file), f"{where}: {file}") for file in (PROVENANCE, PROTOCOL))
    try:
        protocol = None if keys is None else Protocol.model_validate(keys)
    except ValueError:  # of another version of the programme
        protocol = None
    numbers = () if protocol is None else protocol.number_columns
    tables = {file: _table(content(file), file, where, numbers) for file in TABLES}
    said = said or {}
    recorded = isinstance(said.get("review"), str)
    versions, files = (said.get(key) for key in ("versions", "files"))
    name = said["review"] if recorded else name
    return Results(name, recorded, tables, keys, protocol, _texts(versions), _texts(files))


def _texts(value: object) -> dict[str, str]:
    return {str(key): str(one) for key, one in value.items()} if isinstance(value, Mapping) else {}


def _json(content: bytes | None, where: str) -> dict[str, Any] | None:
    if content is None:
        return None
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as why:
        raise UnreadableError(f"{where} cannot be read: {_line(why)}") from None
    if not isinstance(found, dict):
        raise UnreadableError(f"{where} holds no keys")
    return found


def _table(content: bytes | None, file: str, where: str, numbers: Iterable[str]) -> pd.DataFrame:
    if content is None:
        if file in _ALWAYS:
            raise UnreadableError(f"{where} has no {file}: it is no folder of results of a review")
        return frame(file, [])
    try:
        table = read_csv(io.StringIO(content.decode("utf-8")), tuple(numbers), file)
    except (ValueError, OverflowError) as why:
        raise UnreadableError(f"{where}: {file} cannot be read: {_line(why)}") from None
    needed = (*schemas()[file].keys, *_NEEDED.get(file, ()))
    if missing := [name for name in needed if name not in table]:
        raise UnreadableError(f"{where}: {file} is no table of ours: it has no column {missing[0]}")
    if table.duplicated(list(schemas()[file].keys)).any():
        raise UnreadableError(f"{where}: {file} is no table of ours: it names a row twice")
    return table


def _line(why: BaseException) -> str:
    return " ".join(str(why).split())[:200]
