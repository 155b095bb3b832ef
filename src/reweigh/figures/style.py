"""Typography and colours of all figures, and text measured with the font that draws it."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from matplotlib import get_data_path, rcParamsDefault
from matplotlib.figure import Figure
from matplotlib.font_manager import FontEntry, FontProperties, fontManager
from matplotlib.ft2font import FT2Font, Kerning, LoadFlags

FAMILY = "DejaVu Sans"
#: Ships with matplotlib, so every machine measures and draws the same.
FONT_FILES = {
    weight: str(Path(get_data_path()) / "fonts" / "ttf" / name)
    for weight, name in (("normal", "DejaVuSans.ttf"), ("bold", "DejaVuSans-Bold.ttf"))
}

#: Resolution of PNG files; and of a figure that somebody else measures or shows, where hinting hardly counts.
PNG_DPI, FIGURE_DPI = 200, 300

#: Sizes in points; nothing is smaller than the last, which journals print at the least.
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE, LEAST_SIZE = 9.0, 7.5, 7.0, 7.0
#: Widths in points of a journal's page (177.8 mm: A4 with margins of 16 mm) and of one of its columns (76 mm). A figure
#: is drawn as wide as it is printed, so that its sizes are the printed ones.
PAGE_WIDTH, COLUMN_WIDTH = 504.0, 216.0
#: Fonts that are tried first, of those installed, for characters that FAMILY lacks.
OTHER_SCRIPTS = ("Noto Sans", "WenQuanYi", "Droid Sans", "Arial Unicode", "Microsoft", "Hiragino", "Unifont", "Symbola")
#: Fonts whose glyphs are not what their characters say: mathematics, boxes.
NO_TEXT = re.compile(r"Last ?Resort|STIX|cm[a-z]+10|Math|Color|Type ?3")

INK, MUTED = "#1c1c1c", "#5a5a5a"
SQUARE, DIAMOND, SUBTOTAL, PREDICTION = "#7fa3c7", "#1f4e79", "#8db3d9", "#c76b1f"

#: Nothing of the user's own matplotlib configuration reaches a figure.
RC: Any = {
    **{name: value for name, value in rcParamsDefault.items() if name not in ("backend", "interactive", "toolbar")},
    "font.family": [FAMILY],
    "svg.fonttype": "none",
    "svg.hashsalt": "reweigh",
    "pdf.fonttype": 42,
    "text.hinting": "none",
    "path.simplify": False,
    "lines.solid_capstyle": "butt",
}


class RecordFigure(Figure):
    """A figure of record: a matplotlib figure that carries its title and its description in words."""

    title: str = ""
    description: str = ""

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        from reweigh.figures.svg import render

        return render(self, "svg").decode("utf-8")


class MissingCharacters(UserWarning):
    """A text has characters that no installed font has: they are boxes in PNG and PDF."""


@lru_cache(maxsize=100)
def font(size: float, weight: str = "normal") -> FontProperties:
    """Font of all figures in points; weight `normal` or `bold`. A text copies what it is given."""
    return FontProperties(family=FAMILY, size=size, weight=weight, fname=FONT_FILES[weight])


def other_fonts(text: str, weight: str = "normal") -> tuple[list[str], str]:
    """Families of the installed fonts that have what FAMILY lacks of a text, and the characters that none has."""
    found = {c: _font_with(c) for c in _lacking(text, weight)}
    return list(dict.fromkeys(filter(None, found.values()))), "".join(c for c, name in found.items() if not name)


@lru_cache(maxsize=2)
def _known(weight: str) -> frozenset[int]:
    return frozenset(_face(weight).get_charmap())


@lru_cache(maxsize=20_000)
def _lacking(text: str, weight: str) -> tuple[str, ...]:
    """Characters to be drawn that FAMILY lacks."""
    if text.isascii():
        return ()
    drawn = (c for c in dict.fromkeys(text) if not (c.isspace() or unicodedata.category(c) in ("Cf", "Mn", "Cc")))
    return tuple(c for c in drawn if ord(c) not in _known(weight))


@lru_cache(maxsize=4096)
def _font_with(character: str) -> str:
    """Family of the first installed font that has a character, the known ones first; empty where there is none."""

    def rank(entry: FontEntry) -> tuple[int, int, str, str]:
        known = next((at for at, start in enumerate(OTHER_SCRIPTS) if entry.name.startswith(start)), len(OTHER_SCRIPTS))
        return known, 0 if entry.weight in (400, "normal") else 1, entry.name, entry.fname

    entries = [entry for entry in fontManager.ttflist if entry.style == "normal" and not NO_TEXT.search(entry.name)]
    return next((e.name for e in sorted(entries, key=rank) if ord(character) in _characters(e.fname)), "")


@lru_cache(maxsize=1024)
def _characters(path: str) -> frozenset[int]:
    try:
        return frozenset(FT2Font(path).get_charmap())
    except RuntimeError:  # a font that FreeType cannot read
        return frozenset()


@lru_cache(maxsize=2)
def _face(weight: str) -> FT2Font:
    face = FT2Font(FONT_FILES[weight])
    face.set_size(2048, 72)
    return face


@lru_cache(maxsize=20_000)
def _ems(text: str, weight: str) -> float:
    for character in _lacking(text, weight):
        # Another font draws it: East Asian characters are as wide as an em.
        wide = unicodedata.east_asian_width(character) in ("W", "F")
        text = text.replace(character, "\N{EM DASH}" if wide else "m")
    if _SHAPED.search(text):
        return (_between(text, weight) - _between("", weight)) / 64 / 2048
    kerned = sum(_kerning(pair, weight) for pair in pairwise(text))
    return (sum(_advance(character, weight) for character in text) + kerned) / 64 / 2048


#: Text of which more than advances and kerning decide the width: ligatures, marks, scripts that join their letters.
_SHAPED = re.compile("ff|fi|fl|[^\u0020-\u02ff\u0370-\u03ff\u2010-\u22ff]")


@lru_cache(maxsize=20_000)
def _between(text: str, weight: str) -> int:
    """Width between two sentinels, which make leading and trailing spaces count; 64ths of a font unit."""
    face = _face(weight)
    face.set_text(f"|{text}|", 0.0, flags=LoadFlags.NO_HINTING)
    return int(face.get_width_height()[0])


@lru_cache(maxsize=4096)
def _advance(character: str, weight: str) -> float:
    """How far a character moves the pen; 64ths of a font unit, of which an em has 2048."""
    glyph = _face(weight).load_char(ord(character), flags=LoadFlags.NO_HINTING)
    return float(glyph.linearHoriAdvance / 1024)


@lru_cache(maxsize=65_536)
def _kerning(pair: tuple[str, str], weight: str) -> int:
    """By how much two neighbours are moved together or apart, in the same unit."""
    left, right = (_face(weight).get_char_index(ord(character)) for character in pair)
    return int(_face(weight).get_kerning(left, right, Kerning.UNFITTED))


def text_width(text: str, size: float = TEXT_SIZE, weight: str = "normal") -> float:
    """Width of one line of text in points, unhinted, as all three formats draw it."""
    return _ems(text, weight) * size


def wrap(
    text: str, width: float, size: float = TEXT_SIZE, weight: str = "normal", *, at_commas: bool = False
) -> list[str]:
    """Break a text at spaces into lines of at most `width` points; a longer word is broken where it must be.

    `at_commas` keeps what stands between commas together if it fits on a line.
    """
    lines: list[str] = []
    line = ""
    words = text.split(" ")
    if at_commas:
        parts = re.split(r"(?<=,) ", text)
        words = parts if all(text_width(part, size, weight) <= width for part in parts) else words
    for word in words:
        longer = f"{line} {word}" if line else word
        if text_width(longer, size, weight) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while text_width(line, size, weight) > width and len(line) > 1:
            cut = next(n for n in range(len(line) - 1, 0, -1) if n == 1 or text_width(line[:n], size, weight) <= width)
            lines.append(line[:cut])
            line = line[cut:]
    return [*lines, line]


def clean(text: object) -> str:
    """One line of printable text: white space folded, control characters (not allowed in SVG) dropped."""
    return "".join(c for c in re.sub(r"\s+", " ", str(text)).strip() if c.isprintable())


def symbols(text: str) -> str:
    """Greek letters, superscripts and arrows for the plain names of the tables: tau2, I2, phi, ->."""
    for pattern, symbol in _SYMBOLS:
        text = pattern.sub(symbol, text)
    return text


_SYMBOLS = [
    (re.compile(pattern), symbol)
    for pattern, symbol in (
        (r"\btau2\b", "τ²"),
        (r"\btau\b", "τ"),
        (r"\bI2\b", "I²"),
        (r"\bD2\b", "D²"),
        (r"\bH2\b", "H²"),
        (r"\bphi\b", "φ"),
        (r" -> ", " → "),
        (r"(?<=[\w)]) x (?=[\w(])", " × "),
        (r"(?<=[\w)]) - (?=[\w(])", " − "),
        (r"(?<![\w.)])-(?=\d)", "−"),
    )
]
