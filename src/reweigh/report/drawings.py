"""A drawn figure as a part of the page: its own ids, the page's colours, its trials within reach of the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from reweigh.figures import style
from reweigh.figures.forest.place import ROW
from reweigh.figures.funnel import SHADES
from reweigh.figures.svg import characters_of, font_face
from reweigh.io import records
from reweigh.report.inputs import Inputs
from reweigh.text.files import file_name

#: Ink of the figures to the variable of the style sheet that takes its place on the page.
COLOURS = {
    # The shades of a contour funnel, from paper on; these first, as they are made of others.
    **{
        shade: f"color-mix(in srgb, var(--square) {share}%, var(--paper))"
        for shade, share in zip(SHADES[1:], (12, 26, 42), strict=True)
    },
    "#ffffff": "var(--paper)",
    style.INK: "var(--ink)",
    style.MUTED: "var(--muted)",
    style.SQUARE: "var(--square)",
    style.DIAMOND: "var(--diamond)",
    style.SUBTOTAL: "var(--subtotal)",
    style.PREDICTION: "var(--prediction)",
}
_TEXT_STYLE = re.compile(
    r"(?P<bold>font-weight: 700; )?font-size: (?P<size>[\d.]+)px; font-family: 'DejaVu Sans', sans-serif; "
    r"(?:text-anchor: (?P<anchor>\w+); )?fill: (?P<fill>#\w+)"
)
#: Classes of the style sheet for the styles of most texts.
_SIZES = {f"{style.TEXT_SIZE:g}": "", f"{style.SMALL_SIZE:g}": " s", f"{style.TITLE_SIZE:g}": " l"}
_INKS = {style.INK: "", style.MUTED: " m"}
#: The styles of most marks, and their classes: ticks, lines, intervals, squares.
_MARKS = {
    "fill:var(--ink);stroke:var(--ink);stroke-width:0.8": "k",
    "fill:none;stroke:var(--ink);stroke-width:0.8": "n",
    "fill:none;stroke:var(--ink);stroke-width:0.8;stroke-linejoin:miter;stroke-linecap:square": "n c",
    "fill:none;stroke:var(--ink);stroke-width:1.1": "n i",
    "fill:var(--square);stroke:var(--diamond);stroke-width:0.6;stroke-linejoin:miter": "q",
}
RULES = (
    f".drawing text{{font:{style.TEXT_SIZE:g}px 'DejaVu Sans',sans-serif;fill:var(--ink)}}"
    f".drawing .s{{font-size:{style.SMALL_SIZE:g}px}}.drawing .l{{font-size:{style.TITLE_SIZE:g}px}}"
    ".drawing .b{font-weight:700}.drawing .m{fill:var(--muted)}"
    ".drawing .tm{text-anchor:middle}.drawing .te{text-anchor:end}"
    ".drawing .k,.drawing .n{stroke:var(--ink);stroke-width:.8}.drawing .k{fill:var(--ink)}.drawing .n{fill:none}"
    ".drawing .c{stroke-linecap:square}.drawing .i{stroke-width:1.1}"
    ".drawing .q{fill:var(--square);stroke:var(--diamond);stroke-width:.6}"
)
#: Attributes that name other elements by their ids.
_REFERENCES = ("aria-labelledby", "aria-describedby")
_NUMBER = re.compile(r"[\d.]+")
_WIDTH = re.compile(r"<svg [^>]*?\bwidth=\"([^\"]+)\"")
#: Longest path of a mark that is drawn anew wherever it stands.
_SHORT = 75
_REFERENCE = re.compile(r"#([^\s)]+)")


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
    root = _parsed(svg)
    _thin(root)
    hits = list(_hits(root, trials))
    if hits:  # one stop of the tab key; the arrow keys go on from it
        hits[0].set("tabindex", "0")
    _place(root)
    named = {one for element in root.iter() for one in _references(element)}
    for element in root.iter():
        if element.attrib.get("id") not in named:
            element.attrib.pop("id", None)
    _unwrap(root)
    for element in root.iter():
        element.attrib = dict(_attributes(element, prefix))
    width = root.attrib.pop("width")
    del root.attrib["height"]
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "style": f"--width:{_length(width):.0f}",
        **root.attrib,
        "role": "group" if trials else "img",
        "class": "drawing",
    }
    root.extend(hits)
    return ElementTree.tostring(root, encoding="unicode")


def width_of(svg: str) -> float:
    """Width of an SVG file in points."""
    found = _WIDTH.search(svg)
    if found is None:
        raise ValueError("the drawing says no width")
    return _length(found[1])


def listed_figures(stage: str, inputs: Inputs) -> list[dict[str, str]]:
    """Figures of a whole review, `figures/<stage>/*.svg`, in the order of their list `figures/<stage>.csv`."""
    found = []
    for row in records(getattr(inputs, f"figures_{stage}")):
        svg = inputs.drawings[f"{stage}/{file_name(row['figure'])}"]
        name = f"{stage}.{row['figure']}"
        found.append({"id": name, "title": row["title"], "svg": inline(svg, name.replace(".", "-")), "source": svg})
    return found


def _parsed(svg: str) -> Element:
    """The drawing as a tree of plain names, without its style sheet and metadata."""
    root = ElementTree.fromstring(svg)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.attrib = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
        element.text, element.tail = _squeezed(element.text), _squeezed(element.tail)
    return root


def _squeezed(text: str | None) -> str | None:
    return re.sub(r"\s*\n\s*", " ", text) if text and text.strip() else None


def _thin(element: Element) -> None:
    """Take out the style sheet, metadata, and paths that only move."""
    for child in list(element):
        only_moves = child.tag == "path" and not re.search("[A-LN-Z]", child.get("d", "").upper())
        if child.tag in ("style", "metadata") or (only_moves and "fill: none" in child.get("style", "")):
            element.remove(child)
        else:
            _thin(child)


def _references(element: Element) -> Iterator[str]:
    for name, value in element.attrib.items():
        if name in _REFERENCES:
            yield from value.split()
        elif name == "href" or "url(#" in value:
            yield from _REFERENCE.findall(value)


def _place(root: Element) -> None:
    """Draw short marks where they are used, without a definition: squares, ticks."""
    short = {one.get("id"): one.get("d", "") for one in root.iter("path") if len(one.get("d", "")) < _SHORT}
    for use in list(root.iter("use")):
        if (d := short.get(use.get("href", "").removeprefix("#"))) is not None:
            use.tag = "path"
            del use.attrib["href"]
            place = f"translate({use.attrib.pop('x')} {use.attrib.pop('y')})"
            use.attrib = {"d": d, "transform": place, **use.attrib}
    used = {one for element in root.iter() for one in _references(element)}
    for defs in root.iter("defs"):
        for one in [one for one in defs if one.tag == "path" and one.get("id") not in used]:
            defs.remove(one)


def _unwrap(element: Element) -> None:
    """Put what groups without attributes hold in their places; take out what is empty."""
    for child in list(element):
        _unwrap(child)
        if child.tag in ("g", "defs") and (not len(child) or (child.tag == "g" and not child.attrib)):
            at = list(element).index(child)
            element[at : at + 1] = list(child)


def _attributes(element: Element, prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        if name == "id":
            yield name, f"{prefix}-{value}"
        elif name in _REFERENCES:
            yield name, " ".join(f"{prefix}-{one}" for one in value.split())
        elif name == "href":
            yield name, value.replace("#", f"#{prefix}-", 1)
        elif name == "d":
            yield name, re.sub(r"\s*([A-Za-z])\s*", r"\1", value).strip()
        elif name == "style" and element.tag == "text" and (classes := _classes(value)) is not None:
            yield from (("class", classes),) if classes else ()
        elif not (name == "transform" and value.startswith("rotate(-0 ")):
            for colour, variable in COLOURS.items():
                value = value.replace(colour, variable)
            if name == "style":
                value = value.replace(": ", ":").replace("; ", ";")
            if name == "style" and value in _MARKS:
                yield "class", _MARKS[value]
            else:
                yield name, value.replace("url(#", f"url(#{prefix}-")


def _classes(style_of_text: str) -> str | None:
    """Classes of the style sheet for the style of a text; None where it has another."""
    found = _TEXT_STYLE.fullmatch(style_of_text)
    if not found or found["size"] not in _SIZES or found["fill"] not in _INKS:
        return None
    anchor = {"middle": " tm", "end": " te"}.get(found["anchor"], "")
    return (anchor + _SIZES[found["size"]] + _INKS[found["fill"]] + " b" * bool(found["bold"])).strip()


def _length(text: str) -> float:
    return float(_NUMBER.search(text)[0])  # type: ignore[index]


def _hits(root: Element, trials: Sequence[tuple[str, str]]) -> Iterator[Element]:
    """A button over the line of each trial."""
    width = float(root.attrib["viewBox"].split()[2])
    labels = {one.get("id"): one.find("text") for one in root.iter("g")}
    for at, (words, note) in enumerate(trials, start=1):
        label = labels.get(f"study.study-{at}.label")
        if label is not None:
            top = float(label.attrib["y"]) - 0.364 * style.TEXT_SIZE - ROW / 2
            yield Element(
                "rect",
                {
                    "class": "hit", "x": "6", "y": f"{top:.1f}", "width": f"{width - 12:.1f}", "height": f"{ROW:.1f}",
                    "rx": "2", "tabindex": "-1", "role": "button", "aria-haspopup": "dialog", "data-note": note,
                    "aria-label": words,
                },
            )  # fmt: skip


def fonts(svgs: Iterable[str]) -> str:
    """Style sheet with one font for all figures of a page, and the styles of their texts."""
    used: dict[str, set[str]] = {"normal": set(), "bold": set()}
    for svg in filter(None, svgs):
        for weight, characters in characters_of(svg).items():
            used[weight] |= characters
    return "".join(font_face(weight, used[weight]) for weight in sorted(used)) + RULES


def literal_colours() -> Mapping[str, str]:
    """Variable of the style sheet to the ink of the figure of record: what a downloaded figure is drawn in."""
    return {variable: colour for colour, variable in COLOURS.items()}
