"""Typography and colours of all figures, and text measured with the font that draws it."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from matplotlib import get_data_path, rcParamsDefault
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font, LoadFlags

FAMILY = "DejaVu Sans"
#: Ships with matplotlib, so every machine measures and draws the same.
FONT_FILES = {
    weight: str(Path(get_data_path()) / "fonts" / "ttf" / name)
    for weight, name in (("normal", "DejaVuSans.ttf"), ("bold", "DejaVuSans-Bold.ttf"))
}

#: Resolution of PNG files; and of a figure that somebody else measures or shows, where hinting hardly counts.
PNG_DPI, FIGURE_DPI = 200, 300

#: Sizes and lengths in points.
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 10.0, 8.5, 7.5

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


def font(size: float, weight: str = "normal") -> FontProperties:
    """Font of all figures in points; weight `normal` or `bold`."""
    return FontProperties(family=FAMILY, size=size, weight=weight, fname=FONT_FILES[weight])


@lru_cache(maxsize=2)
def _face(weight: str) -> FT2Font:
    face = FT2Font(FONT_FILES[weight])
    face.set_size(2048, 72)
    return face


@lru_cache(maxsize=20_000)
def _ems(text: str, weight: str) -> float:
    face = _face(weight)
    # The sentinels make leading and trailing spaces count.
    face.set_text(f"|{text}|", 0.0, flags=LoadFlags.NO_HINTING)
    width = face.get_width_height()[0]
    face.set_text("||", 0.0, flags=LoadFlags.NO_HINTING)
    return (width - face.get_width_height()[0]) / 64 / 2048


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
        (r"\bH2\b", "H²"),
        (r"\bphi\b", "φ"),
        (r" -> ", " → "),
        (r"(?<=[\w)]) x (?=[\w(])", " × "),
        (r"(?<=[\w)]) - (?=[\w(])", " − "),
        (r"(?<![\w.)])-(?=\d)", "−"),
    )
]
