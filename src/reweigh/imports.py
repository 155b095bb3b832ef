"""Which files of the library a script runs: the closure of its imports, read from the source without running it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

_IMPORT = re.compile(r"^[ \t]*from (reweigh[\w.]*) import (\([^)]*\)|[^\n#]*)|^[ \t]*import (reweigh[\w.]+)", re.M)


def closure(script: Path, source: Path) -> list[Path]:
    """Library files that a script imports, directly or through others, and the data files that lie beside them.

    Parameters
    ----------
    script
        The Python file to start from; it need not be part of the library.
    source
        The folder that holds the package `reweigh`.

    Returns
    -------
    Paths in order, without the script; imports inside functions count. Data files are those in the folders of the
    modules and below that are not Python: templates, styles, fonts.
    """
    found: set[Path] = set()
    waiting = list(_imported(script, source))
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += _imported(one, source)
    folders = {path.parent for path in found} - {source / "reweigh"}
    beside = {path for folder in folders for path in _data_files(folder)}
    return sorted(found | beside)


@lru_cache(maxsize=1024)
def _imported(file: Path, source: Path) -> tuple[Path, ...]:
    return tuple(_modules(file, source))


def _modules(file: Path, source: Path) -> Iterator[Path]:
    for module, names, whole in _IMPORT.findall(file.read_text(encoding="utf-8")):
        place = source.joinpath(*(module or whole).split("."))
        if place.with_suffix(".py").exists():
            yield place.with_suffix(".py")
            continue
        yield place / "__init__.py"
        for name in re.findall(r"\w+", names):
            if (place / f"{name}.py").exists():
                yield place / f"{name}.py"


@lru_cache(maxsize=256)
def _data_files(folder: Path) -> tuple[Path, ...]:
    return tuple(p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".py", ".pyc"))
