"""Write a figure as SVG, PDF or PNG: the same figure gives the same bytes, and text stays text."""

from __future__ import annotations

import base64
import io
import re
import string
import unicodedata
import warnings
from collections.abc import Iterable, Sequence, Set
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from xml.sax.saxutils import escape, unescape
from zlib import crc32

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.text import Text

from reweigh.figures.style import (
    FAMILY,
    FONT_FILES,
    PNG_DPI,
    RC,
    MissingCharacters,
    RecordFigure,
    other_fonts,
)
from reweigh.text.files import file_name

#: Places of paths, markers and texts, and the numbers in them that have many decimals.
_PLACES = re.compile(r'(?<=\s)(?:d|x|y|transform)="[^"]*"')
_NUMBER = re.compile(r"-?\d+\.\d{3,}")
_TEXT = re.compile(r"<text[^>]*?style=\"([^\"]*)\"[^>]*>([^<]*)</text>")
_FAMILY = re.compile(r"(font-family: )([^;\"]*)")
_BOLD = re.compile(r"\b(bold|700)\b")
#: Characters that every figure embeds: cutting a font for each figure would take longer than drawing it.
_COMMON = frozenset(
    string.printable[:95]
    + "\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT DOUBLE QUOTATION MARK}"
    + "\N{RIGHT DOUBLE QUOTATION MARK}\N{MULTIPLICATION SIGN}\N{PLUS-MINUS SIGN}\N{DEGREE SIGN}\N{RIGHTWARDS ARROW}"
    + "\N{SUPERSCRIPT TWO}\N{GREEK SMALL LETTER TAU}\N{GREEK SMALL LETTER PHI}\N{LESS-THAN OR EQUAL TO}"
    + "\N{GREATER-THAN OR EQUAL TO}\N{FIGURE SPACE}\N{PUNCTUATION SPACE}\N{THIN SPACE}\N{HAIR SPACE}"
    + "\N{FOUR-PER-EM SPACE}\N{SIX-PER-EM SPACE}"
    + "χ₀₁₂₃₄₅₆₇₈₉"  # a chi-squared test with its degrees of freedom
    + "←é"  # our own estimate among the published ones; L'Abbé
)
_CSS_WEIGHT = {"normal": "400", "bold": "700"}


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure; the suffix of the path (.svg, .pdf, .png) says as what.

    Raises
    ------
    ValueError
        For another suffix.
    """
    path = Path(path)
    path.write_bytes(render(figure, path.suffix.removeprefix(".").lower()))


def save_all(
    figures: Iterable[tuple[str, RecordFigure]], folder: str | Path, formats: Sequence[str]
) -> list[tuple[str, str, str]]:
    """Write named figures into a folder in every format; name, title and description of each.

    Raises
    ------
    ValueError
        For an unknown format.
    """
    listed = []
    for name, figure in figures:
        for format in formats:
            save(figure, Path(folder) / f"{file_name(name)}.{format}")
        listed.append((name, figure.title, figure.description))
    return listed


def render(figure: Figure, format: str) -> bytes:
    """Bytes of a figure as `svg` (selectable text, font embedded), `pdf` (TrueType) or `png` (200 dpi)."""
    if format not in ("svg", "pdf", "png"):
        raise ValueError(f"format {format!r} is unknown; allowed: svg, pdf, png")
    title = getattr(figure, "title", "")
    metadata: dict[str, dict[str, str | None]] = {
        "svg": {"Creator": None, "Date": None, "Format": None, "Type": None},
        "pdf": {"Title": title or None, "Creator": None, "Producer": None, "CreationDate": None},
        "png": {"Title": title, "Software": None},
    }
    if figure.canvas is None or not isinstance(figure.canvas, FigureCanvasAgg):
        FigureCanvasAgg(figure)
    for line in figure.findobj(Line2D):
        # A line ends where its numbers end; matplotlib would go half its width further.
        line.set_solid_capstyle("butt")
    _choose_fonts(figure, tell=format != "svg")
    buffer = io.StringIO() if format == "svg" else io.BytesIO()
    backend = "module://reweigh.figures.svg_canvas" if format == "svg" else None
    with mpl.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from")
        dpi = PNG_DPI if format == "png" else 72
        figure.savefig(buffer, format=format, dpi=dpi, metadata=metadata[format], backend=backend)
    if isinstance(buffer, io.BytesIO):
        return buffer.getvalue()
    description = getattr(figure, "description", "")
    return _finish_svg(_rounded(buffer.getvalue()), title, description).encode("utf-8")


def _choose_fonts(figure: Figure, *, tell: bool) -> None:
    """Let other fonts draw what ours lacks; tell of the texts that no installed font can draw."""
    for artist in figure.findobj(Text):
        text, weight = artist.get_text(), "bold" if artist.get_fontproperties().get_weight() == "bold" else "normal"
        families, missing = other_fonts(text, weight)
        if families:
            artist.set_fontproperties(FontProperties([FAMILY, *families], size=artist.get_fontsize(), weight=weight))
        if missing and tell:
            told = ", ".join(f"{c} (U+{ord(c):04X})" for c in missing)
            warnings.warn(
                f"no installed font has {told} of {text!r}: boxes in PNG and PDF, and SVG leaves them to the reader's "
                "fonts. Install a font that has them, such as one of the Noto family.",
                MissingCharacters, stacklevel=3,
            )  # fmt: skip


def _rounded(svg: str) -> str:
    """Places to a hundredth of a point, which no printer shows, in two thirds of the bytes."""
    return _PLACES.sub(lambda found: _NUMBER.sub(lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."), found[0]), svg)


def _finish_svg(svg: str, title: str, description: str) -> str:
    """Embed the glyphs that the texts use and put title and description where screen readers look."""
    # A generic family behind ours: a reader's own fonts have what ours lacks.
    svg = _FAMILY.sub(r"\1\2, sans-serif", svg)
    faces = "".join(font_face(weight, characters) for weight, characters in sorted(characters_of(svg).items()))
    head, tag, body = re.split(r"(<svg [^>]*>)", svg, maxsplit=1)
    if title:
        # Ids of their own, for pages that hold several figures.
        mark = f"{crc32((title + description).encode('utf-8')):08x}"
        tag = f'{tag[:-1]} role="img" aria-labelledby="title-{mark} description-{mark}">\n <title id="title-{mark}">'
        tag += f'{escape(title)}</title>\n <desc id="description-{mark}">{escape(description)}</desc>'
    return f"{head}{tag}\n <style>{faces}</style>{body}"


def characters_of(svg: str) -> dict[str, set[str]]:
    """The characters of a figure's texts, by the weight of the font (`normal`, `bold`) that draws them."""
    used: dict[str, set[str]] = {}
    for style, text in _TEXT.findall(svg):
        weight = "bold" if _BOLD.search(style) else "normal"
        used.setdefault(weight, set()).update(unescape(text, {"&quot;": '"', "&apos;": "'"}))
    return used


def font_face(weight: str, characters: Set[str]) -> str:
    """Rule of a style sheet that embeds the font (weight `normal` or `bold`) with at least these characters."""
    return _font_face(weight, frozenset(characters - _COMMON))


@lru_cache(maxsize=256)
def _font_face(weight: str, more: frozenset[str]) -> str:
    # By the rare characters alone: the figures of a review share a few of them, and cutting takes longer than drawing.
    font = cut_font(weight, more | _COMMON) if more else common_font(weight)
    encoded = base64.b64encode(font).decode("ascii")
    return (
        f"@font-face{{font-family:'{FAMILY}';font-weight:{_CSS_WEIGHT[weight]};font-style:normal;"
        f"src:url(data:font/woff;base64,{encoded}) format('woff')}}"
    )


@lru_cache(maxsize=2)
def common_font(weight: str) -> bytes:
    """WOFF font with the characters that most figures need, cut beforehand: cutting takes longer than drawing."""
    return files("reweigh.figures").joinpath(f"fonts/common-{weight}.woff").read_bytes()


def cut_font(weight: str, characters: Set[str] = _COMMON) -> bytes:
    """WOFF font with these characters only."""
    # Needed for rare characters only, and slow to import.
    from fontTools import subset
    from fontTools.ttLib import TTFont

    options = subset.Options()
    options.hinting = False
    options.notdef_outline = True
    options.layout_features = ["kern", "liga", "ccmp", "mark", "mkmk"]
    if any(unicodedata.bidirectional(c) == "AL" for c in characters):
        # Arabic letters join by these.
        options.layout_features += ["isol", "init", "medi", "fina", "rlig", "calt"]
    options.drop_tables += ["FFTM", "MATH", "GDEF", "kern"]
    options.name_IDs = [1, 2]
    options.recalc_timestamp = False
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=sorted(map(ord, characters)))
    out = io.BytesIO()
    with TTFont(FONT_FILES[weight], recalcTimestamp=False, lazy=True) as face:
        cutter.subset(face)
        face.flavor = "woff"
        face.save(out)
    return out.getvalue()
