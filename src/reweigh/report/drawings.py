"""A drawn figure as a part of the page: its own ids, the page's colours, its trials within reach of the keyboard."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from reweigh.figures import style
from reweigh.figures.forest.place import ROW
from reweigh.figures.svg import font_face
from reweigh.io import records
from reweigh.report.inputs import Inputs
from reweigh.text.files import file_name

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
CLASSES = {_TEXT_STYLE.format(anchor): f"t{anchor[0]}" for anchor in ("start", "middle", "end")}
#: Attributes that name other elements by their ids.
_REFERENCES = ("aria-labelledby", "aria-describedby")
_NUMBER = re.compile(r"[\d.]+")
_BOLD = re.compile(r"font-weight: (bold|700)|font: (bold|700)")


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
    for element in root.iter():
        element.attrib = dict(_attributes(element, prefix))
    width = root.attrib.pop("width")
    del root.attrib["height"]
    root.attrib = {
        "xmlns": "http://www.w3.org/2000/svg",
        "style": f"--width:{_length(width) * 4 / 3:.0f}px",
        **root.attrib,
        "role": "group" if trials else "img",
        "class": "drawing",
    }
    root.extend(hits)
    return ElementTree.tostring(root, encoding="unicode")


def width_of(svg: str) -> float:
    """Width of an SVG file in points."""
    return _length(_parsed(svg).attrib["width"])


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


def _attributes(element: Element, prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in element.attrib.items():
        if name == "id":
            yield name, f"{prefix}-{value}"
        elif name in _REFERENCES:
            yield name, " ".join(f"{prefix}-{one}" for one in value.split())
        elif name == "href":
            yield name, value.replace("#", f"#{prefix}-", 1)
        elif name == "style" and value in CLASSES:
            yield "class", CLASSES[value]
        elif not (name == "transform" and value.startswith("rotate(-0 ")):
            for colour, variable in COLOURS.items():
                value = value.replace(colour, variable)
            yield name, value.replace("url(#", f"url(#{prefix}-")


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
    """Style sheet with one font for all figures of a page."""
    used: dict[str, set[str]] = {"normal": set(), "bold": set()}
    for svg in filter(None, svgs):
        for text in _parsed(svg).iter("text"):
            used["bold" if _BOLD.search(text.get("style", "")) else "normal"].update("".join(text.itertext()))
    return "".join(font_face(weight, frozenset(used[weight])) for weight in sorted(used))


def literal_colours() -> Mapping[str, str]:
    """Variable of the style sheet to the ink of the figure of record: what a downloaded figure is drawn in."""
    return {variable: colour for colour, variable in COLOURS.items()}
