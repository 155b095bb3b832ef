"""The pages of docs/ as a reader follows them: files to write, commands, Python, and what comes of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from reweigh.check import check
from reweigh.effects.selection import select
from reweigh.protocol.read import load_checked

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.M | re.S)
NOT_RUN = re.compile(r"<!-- not-run: (.+?) -->\s*\Z", re.S)
#: Commands that build something, or need the clone: minutes, not seconds.
BUILDS = re.compile(r"^(?:reweigh (?:run|corpus|open)|snakemake|make|Rscript)\b", re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that its title names, its text, why it is not run, and its line."""

    language: str
    title: str
    text: str
    not_run: str
    line: int

    @property
    def builds(self) -> bool:
        """Whether it takes a run of the workflow."""
        return self.language == "sh" and not self.not_run and BUILDS.search(self.text) is not None


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in FENCE.finditer(text):
        language, _, rest = match["info"].partition(" ")
        title = re.search(r'title="([^"]+)"', rest)
        why = NOT_RUN.search(text[: match.start()])
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(language, title[1] if title else "", match["text"], why[1] if why else "", line))
    return found


def effects(folder: Path, review: str, table: str = "effects"):
    """A table of the effects stage of a review: `effects`, `rows`, `not_pooled`; fails on what its check says."""
    files = {path.name: path.read_bytes() for path in (folder / "data" / review).iterdir()}
    tables, report = check(files, review)
    assert tables is not None, report
    protocol = load_checked(files["review.yaml"])
    return getattr(select(tables.studies, tables.arms, tables.contrasts, protocol), table)


def commands(text: str) -> list[str]:
    """The commands of a block: comments are taken away, a backslash joins lines."""
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [one for one in (re.sub(r"(?:^|\s+)# .*", "", line).strip() for line in lines) if one]
