"""RevMan's files: Cochrane data packages, RevMan 5 reviews, their CSV exports, and data rows of many reviews."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping

from reweigh.exchange.analyses import Review
from reweigh.exchange.built import imported
from reweigh.exchange.csvs import Sheet, header_of, read_sheet
from reweigh.exchange.package import NEEDED, REVIEW, lacking, parts_of, read_corpus, read_package
from reweigh.exchange.result import Imported
from reweigh.exchange.revman_csv import NEEDED as CSV_NEEDED
from reweigh.exchange.revman_csv import read_csv_export
from reweigh.exchange.rm5 import read_rm5

#: What a review's files may come to when unpacked, in bytes; real ones stay below a tenth of it.
LARGEST = 500_000_000
_NESTED = 2  # Cochrane's download is an archive within an archive


def read(files: Mapping[str, bytes]) -> Imported:
    """The one review that these files hold.

    Parameters
    ----------
    files
        Name (or path within a folder) to bytes: a data package's CSV files or its .zip, an .rm5, a CSV export of
        RevMan 5, or a CSV of data rows.

    Returns
    -------
    Imported; with `problems` where the files are none of these, or hold several reviews. Nothing is raised.
    """
    reviews = read_all(files)
    if len(reviews) > 1:
        names = ", ".join(list(reviews)[:5]) + (" ..." if len(reviews) > 5 else "")
        return Imported(problems=(f"The files hold {len(reviews)} reviews ({names}); import one at a time.",))
    return next(iter(reviews.values()))


def read_all(files: Mapping[str, bytes], each: Callable[..., Iterable[Imported]] = map) -> dict[str, Imported]:
    """As `read`, of every review that the files hold, by its name; where there is none, one entry with the problems.

    `each` maps a function over reviews, as `map` does; that of a pool of processes takes several at a time.
    """
    reviews, problems = _reviews(files)
    if not reviews:
        said = problems or ["There is no file to read."]
        return {"": Imported(problems=tuple(said))}
    if len(reviews) == 1:  # files beside a review, as a package's references
        next(iter(reviews.values())).notes += [f"Not read: {said}" for said in problems]
    return dict(zip(reviews, each(imported, reviews.values()), strict=True))


def recognised(files: Mapping[str, bytes]) -> bool:
    """Whether any of the files looks like one that `read` knows, told by its first bytes and its header alone."""
    for name, data in _unpacked(files, []).items():
        if _looks_like_xml(data) and b"COCHRANE_REVIEW" in data[:4096].replace(b"\x00", b""):
            return True
        if name.casefold().endswith((".csv", ".txt", ".tsv")):
            header = header_of(data)
            if any(set(needed) <= header for needed in (NEEDED, CSV_NEEDED)):
                return True
    return False


def _reviews(files: Mapping[str, bytes]) -> tuple[dict[str, Review], list[str]]:
    """The reviews of the files by name, and what is wrong with the files that are none."""
    problems: list[str] = []
    flat = _unpacked(files, problems)
    packages = parts_of({path: data for path, data in flat.items() if not _is_corpus(path, data)})
    reviews = {name: read_package(name, parts) for name, parts in packages.items()}
    used = {file for parts in packages.values() for file, _ in parts.values()}
    for path, data in flat.items():
        name = re.split(r"[/\\]", path)[-1]
        if name in used:
            continue
        if _looks_like_xml(data):
            review = read_rm5(name, data)
            reviews[review.name] = review
        elif not name.casefold().endswith((".csv", ".txt", ".tsv")):
            problems.append(f"{name} is {_kind(data)}, which is no file of RevMan that can be read here.")
        else:
            for one in _of_csv(name, data, problems):
                reviews[one.name] = one
    return reviews, problems


def _of_csv(name: str, data: bytes, problems: list[str]) -> list[Review]:
    """The reviews of one CSV file that is no part of a named package."""
    try:
        sheet = read_sheet(name, data)
    except ValueError as why:
        problems.append(f"{why}.")
        return []
    if not _missing(sheet, CSV_NEEDED):
        return [read_csv_export(sheet)]
    absent = _missing(sheet, NEEDED)
    if not absent and REVIEW in sheet.columns:
        return list(read_corpus(sheet).values())
    if not absent:
        return [read_package(name.rpartition(".")[0], {"data-rows.csv": (name, data)})]
    problems.append(lacking(sheet, absent, "the data rows of a Cochrane data package"))
    return []


def _is_corpus(name: str, data: bytes) -> bool:
    """Whether a table of data rows is of many reviews."""
    if not name.casefold().endswith("data-rows.csv"):
        return False
    return REVIEW in header_of(data)


def _missing(sheet: Sheet, needed: tuple[str, ...]) -> list[str]:
    return [column for column in needed if column not in sheet.columns]


def _looks_like_xml(data: bytes) -> bool:
    start = data[:400].replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    return start.startswith(b"<")


def _kind(data: bytes) -> str:
    """What a file looks like, in words."""
    magic = {
        b"PK\x03\x04": "a ZIP archive (or an Excel workbook)", b"\xd0\xcf\x11\xe0": "an old Excel workbook",
        b"%PDF": "a PDF", b"\x1f\x8b": "a gzip archive", b"\x80": "a Python pickle",
    }  # fmt: skip
    found = next((words for start, words in magic.items() if data.startswith(start)), "")
    if found:
        return found
    return "empty" if not data.strip() else "binary" if b"\x00" in data[:4096] else "text"


def _unpacked(files: Mapping[str, bytes], problems: list[str], depth: int = 0) -> dict[str, bytes]:
    """The files, archives replaced by what of them can be read; an archive larger than `LARGEST` is a problem."""
    found: dict[str, bytes] = {}
    for path, data in files.items():
        if not (data.startswith(b"PK\x03\x04") and path.casefold().endswith(".zip")) or depth > _NESTED:
            found[path] = data
            continue
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                members = [m for m in archive.infolist() if m.filename.casefold().endswith((".csv", ".rm5", ".zip"))]
                if sum(m.file_size for m in members) > LARGEST:
                    problems.append(f"{path} is larger than {LARGEST:,} bytes when unpacked.")
                    continue
                inside = {m.filename: archive.read(m) for m in members}
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError) as why:
            problems.append(f"{path} cannot be unpacked: {why}.")
            continue
        if not inside:
            problems.append(f"{path} is an archive without a CSV or .rm5 file.")
        found |= _unpacked(inside, problems, depth + 1)
    return found


__all__ = ["LARGEST", "read", "read_all", "recognised"]
