"""Write a figure as SVG, PDF or PNG: the same figure gives the same bytes, and text stays text."""

from __future__ import annotations

import base64
import io
import re
import string
from functools import lru_cache
from pathlib import Path
from xml.sax.saxutils import escape, unescape
from zlib import crc32

import matplotlib as mpl
from fontTools import subset
from fontTools.ttLib import TTFont
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reweigh.figures.style import FAMILY, FONT_FILES, PNG_DPI, RC

_TEXT = re.compile(r"<text[^>]*?style=\"([^\"]*)\"[^>]*>([^<]*)</text>")
#: Characters that every figure embeds: cutting a font for each figure would take longer than drawing it.
_COMMON = frozenset(
    string.printable[:95]
    + "\N{MINUS SIGN}\N{EN DASH}\N{EM DASH}\N{RIGHT SINGLE QUOTATION MARK}\N{LEFT DOUBLE QUOTATION MARK}"
    + "\N{RIGHT DOUBLE QUOTATION MARK}\N{MULTIPLICATION SIGN}\N{PLUS-MINUS SIGN}\N{DEGREE SIGN}\N{RIGHTWARDS ARROW}"
    + "\N{SUPERSCRIPT TWO}\N{GREEK SMALL LETTER TAU}\N{GREEK SMALL LETTER PHI}\N{LESS-THAN OR EQUAL TO}"
    + "\N{GREATER-THAN OR EQUAL TO}\N{FIGURE SPACE}\N{PUNCTUATION SPACE}\N{THIN SPACE}\N{HAIR SPACE}"
    + "\N{FOUR-PER-EM SPACE}\N{SIX-PER-EM SPACE}"
)
#: Characters that a figure embeds together: those of a chi-squared test with its degrees of freedom.
_CHI_SQUARED = frozenset("χ₀₁₂₃₄₅₆₇₈₉")
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
    buffer = io.BytesIO()
    with mpl.rc_context(RC):
        dpi = PNG_DPI if format == "png" else 72
        figure.savefig(buffer, format=format, dpi=dpi, metadata=metadata[format])
    if format != "svg":
        return buffer.getvalue()
    description = getattr(figure, "description", "")
    return _finish_svg(buffer.getvalue().decode("utf-8"), title, description).encode("utf-8")


def _finish_svg(svg: str, title: str, description: str) -> str:
    """Embed the glyphs that the texts use and put title and description where screen readers look."""
    used: dict[str, set[str]] = {}
    for style, text in _TEXT.findall(svg):
        weight = "bold" if re.search(r"\b(bold|700)\b", style) else "normal"
        used.setdefault(weight, set()).update(unescape(text, {"&quot;": '"', "&apos;": "'"}))
    embedded = {
        weight: glyphs | _COMMON | (_CHI_SQUARED if glyphs & _CHI_SQUARED else set()) for weight, glyphs in used.items()
    }
    faces = "".join(_font_face(weight, "".join(sorted(embedded[weight]))) for weight in sorted(used))
    head, tag, body = re.split(r"(<svg [^>]*>)", svg, maxsplit=1)
    if title:
        # Ids of their own, for pages that hold several figures.
        mark = f"{crc32((title + description).encode('utf-8')):08x}"
        tag = f'{tag[:-1]} role="img" aria-labelledby="title-{mark} description-{mark}">\n <title id="title-{mark}">'
        tag += f'{escape(title)}</title>\n <desc id="description-{mark}">{escape(description)}</desc>'
    return f"{head}{tag}\n <style>{faces}</style>{body}"


@lru_cache(maxsize=256)
def _font_face(weight: str, characters: str) -> str:
    encoded = base64.b64encode(_subset(weight, characters)).decode("ascii")
    return (
        f"@font-face{{font-family:'{FAMILY}';font-weight:{_CSS_WEIGHT[weight]};font-style:normal;"
        f"src:url(data:font/woff;base64,{encoded}) format('woff')}}"
    )


def _subset(weight: str, characters: str) -> bytes:
    """WOFF font with these characters only."""
    face = TTFont(io.BytesIO(_western(weight)), recalcTimestamp=False, lazy=True)
    if not set(map(ord, characters)) <= face.getBestCmap().keys():
        face = TTFont(FONT_FILES[weight], recalcTimestamp=False, lazy=True)
    return _cut(face, [ord(c) for c in characters], "woff")


@lru_cache(maxsize=2)
def _western(weight: str) -> bytes:
    """The Latin, Greek and typographic part of the font: small enough to be cut again for every figure."""
    face = TTFont(FONT_FILES[weight], recalcTimestamp=False, lazy=True)
    return _cut(face, [*range(0x20, 0x250), *range(0x370, 0x400), *range(0x2000, 0x2300)], None)


def _cut(face: TTFont, codes: list[int], flavor: str | None) -> bytes:
    options = subset.Options()
    options.hinting = False
    options.notdef_outline = True
    options.layout_features = ["kern", "liga", "ccmp", "mark", "mkmk"]
    options.drop_tables += ["FFTM", "MATH", "GDEF", "kern"]
    options.name_IDs = [1, 2]
    options.recalc_timestamp = False
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=codes)
    cutter.subset(face)
    face.flavor = flavor
    out = io.BytesIO()
    face.save(out)
    return out.getvalue()
