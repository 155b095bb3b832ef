"""Names of data become names of files in one place."""

from __future__ import annotations

import hashlib
import re

#: Names that are what they are: every file system takes them, in any folder and in an address.
_SAFE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,219}")


def file_name(name: str) -> str:
    """A file's name, without its ending, for a name that came from data.

    A safe name stays as it is. Any other becomes what is safe of it, a tilde, and 64 bits of its SHA-256: it stays
    within its folder, two names never meet, and none is longer than the 255 bytes that file systems allow.
    """
    if _SAFE.fullmatch(name):
        return name
    kept = re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:200]
    return f"{kept}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
