"""A drawn figure as a part of the page: its own ids, the page's colours, its trials within reach of the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import unescape

import pandas as pd
from markupsafe import escape

from reweigh.figures import style
from reweigh.figures.forest.place import ROW
from reweigh.figures.svg import font_face
from reweigh.report.inputs import Inputs, records

#: Ink of the figures to the variable of the style sheet that takes its place on the page.
COLOURS = {
    "#ffffff": "var(--paper)",
    style.INK: "var(--ink)",
    style.MUTED: "var(--muted)",
    style.SQUARE: "var(--square)",
    style.DIAMOND: "var(--diamond)",
    style.SUBTOTAL: "var(--subtotal)",
    style.PREDICTION: "var(--prediction)",
}
_TEXT_STYLE = "font-size: 8.5px; font-family: 'DejaVu Sans', sans-serif; text-anchor: {}; fill: " + style.INK
#: The styles of most texts, as classes of the style sheet.
CLASSES = {f'style="{_TEXT_STYLE.format(anchor)}"': f'class="t{anchor[0]}"' for anchor in ("start", "middle", "end")}
_TEXT = re.compile(r"<text([^>]*)>([^<]*)</text>")


def inline(svg: str, prefix: str, trials: Sequence[tuple[str, str]] = ()) -> str:
    """The `<svg>` element for a page.

    Parameters
    ----------
    svg
        Text of an SVG file that `reweigh.figures.svg.render` made.
    prefix
        Put before every id: ids are unique on a page.
    trials
        For each line `study-1`, `study-2` ... of a forest plot what is said of it aloud, and the id of its note.
    """
    body = svg[svg.index("<svg ") :]
    body = re.sub(r"\s*<style>.*?</style>|\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", body)
    body = re.sub(r"\s*\n\s*", " ", body).replace("> <", "><")
    body = re.sub(r'<path d="M [-\d. ]+" style="fill: none[^"]*"/>', "", body)
    for old, new in CLASSES.items():
        body = body.replace(old, new)
    for colour, variable in COLOURS.items():
        body = body.replace(colour, variable)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'xlink:href="#', f'href="#{prefix}-', body)
    body = re.sub(r"url\(#", f"url(#{prefix}-", body)
    body = re.sub(
        r'aria-labelledby="([^"]*)"',
        lambda m: 'aria-labelledby="' + " ".join(f"{prefix}-{one}" for one in m[1].split()) + '"',
        body,
    )
    body = body.replace('role="img"', 'role="group" class="drawing"' if trials else 'role="img" class="drawing"', 1)
    body = re.sub(r'^<svg [^>]*?(width="([\d.]+)pt" height="[\d.]+pt")', _sized, body)
    return body.replace("</svg>", "".join(_hits(body, prefix, trials)) + "</svg>")


def listed_figures(stage: str, inputs: Inputs) -> list[dict[str, str]]:
    """Figures of a whole review, `figures/<stage>/*.svg`, in the order of their list `figures/<stage>.csv`."""
    found = []
    for row in records(inputs.optional.get(f"figures_{stage}", pd.DataFrame())):
        svg = inputs.drawings.get(f"{stage}/{row['figure']}")
        if svg is not None:
            name = f"{stage}.{row['figure']}"
            drawn = inline(svg, name.replace(".", "-"))
            found.append({"id": name, "title": row["title"], "svg": drawn, "source": svg})
    return found


def _sized(found: re.Match[str]) -> str:
    """As wide as its column, at least so wide that its text can be read."""
    return (
        found[0]
        .replace(found[1], f'style="--width:{float(found[2]) * 4 / 3:.0f}px"')
        .replace(' xmlns:xlink="http://www.w3.org/1999/xlink"', "")
    )


def _hits(body: str, prefix: str, trials: Sequence[tuple[str, str]]) -> Iterable[str]:
    width = re.search(r'viewBox="0 0 ([\d.]+)', body)
    for at, (words, note) in enumerate(trials, start=1):
        label = re.search(rf'id="{prefix}-study\.study-{at}\.label"><text[^>]* y="([\d.]+)"', body)
        if label is None or width is None:
            continue
        top = float(label[1]) - 0.364 * style.TEXT_SIZE - ROW / 2
        yield (
            f'<rect class="hit" x="6" y="{top:.1f}" width="{float(width[1]) - 12:.1f}" height="{ROW:.1f}" rx="2" '
            f'tabindex="0" role="button" aria-haspopup="dialog" data-note="{escape(note)}" '
            f'aria-label="{escape(words)}"/>'
        )


def fonts(svgs: Iterable[str]) -> str:
    """Style sheet with one font for all figures of a page."""
    used: dict[str, set[str]] = {"normal": set(), "bold": set()}
    for svg in svgs:
        for attributes, text in _TEXT.findall(svg):
            weight = "bold" if re.search(r"font-weight: (bold|700)", attributes) else "normal"
            used[weight].update(unescape(text))
    return "".join(font_face(weight, frozenset(used[weight])) for weight in sorted(used))


def literal_colours() -> Mapping[str, str]:
    """Variable of the style sheet to the ink of the figure of record: what a downloaded figure is drawn in."""
    return {variable: colour for colour, variable in COLOURS.items()}
