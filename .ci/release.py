"""What must hold of a release: one version everywhere, and a README that works where no file lies beside it.

    python .ci/release.py v0.2.0 https://host/owner/repository

Ends with status 1 where the tag and the files do not say one version. The links of README.md to files become links to
the repository at the tag, in place: a package index shows the README alone. The standard library is enough.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADING = re.compile(r"^## (?:Version (\S+) \((\S+)\))?", re.MULTILINE)
LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!https?:|mailto:|#)([^)\s]+)\)")


def versions(root: Path = ROOT) -> dict[str, str]:
    """The version, with its date where it has one, that each file says; of CHANGELOG.md the newest one."""
    citation = dict(re.findall(r"^(version|date-released): (\S+)", (root / "CITATION.cff").read_text(), re.MULTILINE))
    version, date = next(found for found in HEADING.findall((root / "CHANGELOG.md").read_text()) if found[0])
    return {
        "pyproject.toml": tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"],
        "CITATION.cff": f"{citation['version']} ({citation['date-released']})",
        "CHANGELOG.md": f"{version} ({date})",
    }


def problems(tag: str, root: Path = ROOT) -> list[str]:
    """What keeps the tree from being released under a tag."""
    version = tag.removeprefix("v")
    said = versions(root)
    found = [f"{file} says {text}, the tag is {tag}" for file, text in said.items() if text.split(" ")[0] != version]
    if said["CITATION.cff"] != said["CHANGELOG.md"]:
        found.append(f"CITATION.cff says {said['CITATION.cff']}, CHANGELOG.md {said['CHANGELOG.md']}")
    if not HEADING.search((root / "CHANGELOG.md").read_text())[1]:
        found.append("CHANGELOG.md has changes above its newest version")
    return found


def absolute(text: str, address: str, tag: str) -> str:
    """A README with its links and pictures in the repository at a tag."""

    def to(match: re.Match[str]) -> str:
        picture, words, path = match.groups()
        return f"{picture}{words}({address}/{'raw' if picture else 'blob'}/{tag}/{path})"

    return LINK.sub(to, text)


if __name__ == "__main__":
    if wrong := problems(sys.argv[1]):
        sys.exit("\n".join(wrong))
    readme = ROOT / "README.md"
    readme.write_text(absolute(readme.read_text(), sys.argv[2], sys.argv[1]))
