"""A corpus: many reviews imported into one folder, in batches that jobs can take."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

from click import UsageError
from ruamel.yaml import YAML

from reweigh.cli.exchange import contents, written
from reweigh.cli.places import Stop
from reweigh.measures import MEASURES

#: Rows of tables that a job takes at most, unless one review has more: about ten seconds, which is what a change of one
#: review costs.
BATCH = 1800
CONFIG, SOURCE = Path("config/config.yaml"), Path("work/corpus/source.json")
PROBLEMS = Path("results/corpus_problems.csv")
_UNSAFE, _LONGEST = re.compile(r"[^A-Za-z0-9_.-]+"), 60
LARGEST = 2_000_000_000
"""Bytes that a compressed file may come to."""


def bounds(given: Sequence[str]) -> dict[str, list[float]]:
    """Bounds of an important effect by measure, natural scale, from `RR=0.75,1.25` and `SMD=0.2`.

    Raises UsageError where one is none.
    """
    found: dict[str, list[float]] = {}
    for text in given:
        name, _, said = text.partition("=")
        try:
            numbers = [float(one) for one in said.split(",")]
        except ValueError:
            raise UsageError(f"--important {text}: {said!r} is no number; as RR=0.75,1.25 or SMD=0.2") from None
        if name not in MEASURES:
            raise UsageError(f"--important {text}: {name!r} is no measure; there are {', '.join(MEASURES)}")
        ratio = MEASURES[name].is_ratio
        pair = [-numbers[0], numbers[0]] if len(numbers) == 1 and not ratio else numbers
        null = 1.0 if ratio else 0.0
        if len(pair) != 2 or not pair[0] < null < pair[1]:
            raise UsageError(f"--important {text}: two numbers around {null:g} are needed, the lower one first")
        found[name] = pair
    return found


def prepare(files: Sequence[Path], into: Path, depth: str, important: Mapping[str, list[float]], *, force: bool) -> str:
    """Write the reviews and the configuration of a corpus; lines that say what was done.

    Nothing is imported where the same files were imported before by the same version. A review that somebody changed
    since is not overwritten without `force`.

    Raises Stop where a file cannot be read, there is no review, or one was changed; then nothing is written.
    """
    read = {name.removesuffix(".gz"): _unpacked(name, content) for name, content in contents(files).items()}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in read.items()}
    stamp = {"version": version("reweigh"), "files": digests}
    before = _before(into)
    if not force and {key: before.get(key) for key in stamp} == stamp:
        batches, problems = before["batches"], before["not_imported"]
        said = "The same files were imported before; the reviews stay as they are."
    else:
        batches, problems, said = _imported(read, into, before.get("reviews", {}), stamp, force=force)
    _configure(into, depth, batches, important, problems)
    return said


def folder_names(names: Sequence[str]) -> list[str]:
    """A folder name for each review: a file may call it anything, and must reach no other folder by it."""
    made: dict[str, None] = {}
    for name in names:
        plain = _UNSAFE.sub("_", name).strip("._-")[:_LONGEST] or "review"
        number = next(n for n in itertools.count(1) if _numbered(plain, n).casefold() not in map(str.casefold, made))
        made[_numbered(plain, number)] = None
    return list(made)


def _numbered(name: str, number: int) -> str:
    return name if number == 1 else f"{name}_{number}"


def failed(into: Path) -> bool:
    """Whether a review of the corpus went no further."""
    path = into / PROBLEMS
    return not path.is_file() or len(path.read_text(encoding="utf-8").splitlines()) > 1


def _imported(
    read: Mapping[str, bytes], into: Path, before: Mapping[str, str], stamp: Mapping[str, object], *, force: bool
) -> tuple[list[list[str]], dict[str, str], str]:
    """Import every review; batches of them, problems by review, and a line for the terminal."""
    from reweigh.exchange.revman import read_all

    with ProcessPoolExecutor() as pool:
        found = read_all(read, pool.map)
        if list(found) == [""]:
            raise Stop("\n".join(found[""].problems))
        found = dict(zip(folder_names(list(found)), found.values(), strict=True))
        made = dict(zip(found, pool.map(written, found.values()), strict=True))
    problems = {name: "\n".join(found[name].problems) for name, one in made.items() if not one}
    reviews = {name: one for name, one in made.items() if one}
    changed = [name for name, one in reviews.items() if _changed(into / "data" / name, one, before.get(name))]
    if changed and not force:
        raise Stop(
            f"{', '.join(changed)}: changed since they were imported, or not imported by this command; nothing was "
            "written. Choose another folder, or overwrite them with --force."
        )
    for name, one in reviews.items():
        folder = into / "data" / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, content in one.items():
            path = folder / file
            if not path.is_file() or path.read_bytes() != content:
                path.write_bytes(content)
    batches = _batches({name: _rows(one) for name, one in reviews.items()})
    digests = {name: _digest(one) for name, one in reviews.items()}
    (into / SOURCE).parent.mkdir(parents=True, exist_ok=True)
    record = {**stamp, "reviews": digests, "batches": batches, "not_imported": problems}
    (into / SOURCE).write_text(json.dumps(record, indent=1), encoding="utf-8")
    rows = sum(_rows(one) for one in reviews.values())
    said = f"{into / 'data'}: {len(reviews)} reviews, {rows} rows"
    said += f"; {len(problems)} not imported" if problems else ""
    return batches, problems, said


def _unpacked(name: str, content: bytes) -> bytes:
    """The file, without the compression of a .gz. Raises Stop where that is broken, or hides more than can be meant."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        plain = gzip.GzipFile(fileobj=io.BytesIO(content)).read(LARGEST + 1)
    except (OSError, EOFError, zlib.error) as why:
        raise Stop(f"{name}: it is compressed, and cannot be unpacked: {why}") from None
    if len(plain) > LARGEST:
        raise Stop(f"{name}: it unpacks to more than {LARGEST} bytes")
    return plain


def _before(into: Path) -> dict[str, Any]:
    """What the last import of this folder recorded."""
    try:
        found = json.loads((into / SOURCE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and (into / CONFIG).is_file() else {}


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return whole.hexdigest()


def _changed(folder: Path, new: Mapping[str, bytes], before: str | None) -> bool:
    """Whether a folder has other files than the new ones, and than the last import gave it."""
    there = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} if folder.is_dir() else {}
    return bool(there) and _digest(there) not in (before, _digest(new))


def _rows(files: Mapping[str, bytes]) -> int:
    return sum(files.get(name, b"\n").count(b"\n") - 1 for name in ("arms.csv", "contrasts.csv"))


def _batches(rows: Mapping[str, int]) -> list[list[str]]:
    """Reviews in their order, as many to a batch as together have BATCH rows."""
    batches: list[list[str]] = []
    filled = BATCH
    for name, count in rows.items():
        if filled + count > BATCH:
            batches.append([])
            filled = 0
        batches[-1].append(name)
        filled += count
    return batches


def _configure(
    into: Path, depth: str, batches: list[list[str]], important: Mapping[str, list[float]], problems: Mapping[str, str]
) -> None:
    """Write config/config.yaml, if it would be another one."""
    text = io.StringIO("# A corpus: many reviews, a job per batch. `reweigh corpus` writes this file.\n")
    text.seek(0, io.SEEK_END)
    yaml = YAML()
    yaml.width = 100_000
    corpus = {"depth": depth, "important": dict(important), "not_imported": dict(problems), "batches": batches}
    yaml.dump({"corpus": corpus}, text)
    path = into / CONFIG
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text.getvalue():
        path.write_text(text.getvalue(), encoding="utf-8")
