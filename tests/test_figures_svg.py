"""Files of figures: text that stays text, fonts inside, the same bytes every time."""

import base64
import io
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import pytest
from fontTools.ttLib import TTFont

from conftest import ROOT
from reweigh.figures.forest.draw import draw_forest, forest_table
from reweigh.figures.style import RC
from reweigh.figures.svg import common_font, cut_font, render, save
from test_figures_forest import case, drawn

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg):
    return list(ElementTree.fromstring(svg).iter(f"{SVG}text"))


@pytest.mark.parametrize("name", ["ketamine by pain type", "ketamine 1", "long"])
def test_all_text_is_selectable_text(name):
    _, figure = drawn(name)
    svg = render(figure, "svg").decode("utf-8")
    shown = {node.text for node in texts(svg)}
    assert shown == {t.get_text() for t in figure.findobj(lambda a: hasattr(a, "get_text")) if t.get_text()}
    assert "<use" not in re.sub(r'<use xlink:href="#m', "", svg), "a glyph was drawn as a path"


def test_effects_can_be_found_and_copied():
    svg = render(drawn("ketamine by pain type")[1], "svg").decode("utf-8")
    plain = {" ".join(node.text.split()) for node in texts(svg)}
    assert {"3.50 (0.91 to 13.53)", "Kvarnström 2003", "Favours ketamine", "7/12"} <= plain
    root = ElementTree.fromstring(svg)
    assert root.find(f"{SVG}title").text == "Response, immediate"
    assert "Kvarnström 2003: 3.50 (0.91 to 13.53), weight" in root.find(f"{SVG}desc").text


def test_the_font_is_inside_and_has_every_character():
    svg = render(drawn("ketamine by pain type")[1], "svg").decode("utf-8")
    faces = re.findall(r"@font-face\{font-family:'DejaVu Sans';font-weight:(\d+).*?base64,([^)]*)\)", svg)
    assert [weight for weight, _ in faces] == ["700", "400"]
    for weight, data in faces:
        font = TTFont(io.BytesIO(base64.b64decode(data)))
        assert font.flavor == "woff"
        used = {
            c
            for node in texts(svg)
            if ("font-weight: 700" in node.get("style")) == (weight == "700")
            for c in node.text
        }
        assert {ord(c) for c in used} <= font.getBestCmap().keys()
    assert all("'DejaVu Sans'" in node.get("style") for node in texts(svg))


def test_a_character_outside_the_western_part_is_embedded_too():
    trials, models, _, meta = case("ketamine")
    labels = ["Иванов 2001", *trials["label"][1:]]
    svg = render(draw_forest(forest_table(trials.assign(label=labels), models, None, meta), meta), "svg").decode()
    data = re.search(r"font-weight:400.*?base64,([^)]*)\)", svg).group(1)
    assert ord("И") in TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap()


@pytest.mark.parametrize("name", ["ketamine by pain type", "long"])
def test_measuring_a_text_once_draws_what_matplotlib_draws(name):
    drawings = []
    for backend in (None, "module://reweigh.figures.svg_canvas"):
        _, figure = drawn(name)
        buffer = io.BytesIO() if backend is None else io.StringIO()
        with mpl.rc_context(RC):
            figure.savefig(buffer, format="svg", dpi=72, metadata={"Date": None}, backend=backend)
        drawings.append(buffer.getvalue())
    assert drawings[0].decode("utf-8") == drawings[1]


@pytest.mark.parametrize("format", ["svg", *(pytest.param(name, marks=pytest.mark.slow) for name in ("pdf", "png"))])
def test_the_same_tables_give_the_same_bytes(format):
    *tables, meta = case("bcg by allocation")
    one, two = (render(draw_forest(forest_table(*tables, meta), meta), format) for _ in range(2))
    assert one == two
    # Drawing a figure in one format changes nothing in another.
    figure = draw_forest(forest_table(*tables, meta), meta)
    for other in ("png", "pdf", "svg"):
        render(figure, other)
    assert render(figure, format) == one


@pytest.mark.slow
def test_another_process_with_another_configuration_gives_the_same_bytes(tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.size: 20\nsvg.fonttype: path\naxes.linewidth: 5\nlines.linewidth: 7\n")
    program = (
        "import sys; sys.path[:0] = sys.argv[1:2]\n"
        "from test_figures_svg import *\n"
        "sys.stdout.buffer.write(b''.join(render(drawn('ketamine')[1], f) for f in ('svg', 'pdf')))\n"
    )
    environment = os.environ | {
        "PYTHONHASHSEED": "7",
        "MATPLOTLIBRC": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    other = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    assert other == render(drawn("ketamine")[1], "svg") + render(drawn("ketamine")[1], "pdf")


@pytest.mark.parametrize("format", ["svg", "pdf", "png"])
def test_nothing_tells_when_or_by_which_version_a_file_was_made(format):
    content = render(drawn("ketamine 2")[1], format)
    assert not re.search(rb"(?i)matplotlib v|matplotlib\.org|creationdate|<dc:date|20\d\d-\d\d-\d\dT", content)


def test_save_goes_by_the_suffix(tmp_path):
    _, figure = drawn("ketamine 2")
    for suffix, start in ((".svg", b"<?xml"), (".pdf", b"%PDF"), (".png", b"\x89PNG")):
        save(figure, tmp_path / f"forest{suffix}")
        assert (tmp_path / f"forest{suffix}").read_bytes().startswith(start)
    with pytest.raises(ValueError, match="format 'jpg' is unknown"):
        save(figure, tmp_path / "forest.jpg")
    assert not (tmp_path / "forest.jpg").exists()


def test_the_pdf_holds_truetype_text():
    content = render(drawn("ketamine 2")[1], "pdf")
    assert b"/FontFile2" in content and b"/Type3" not in content


@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_the_font_that_was_cut_beforehand_is_what_would_be_cut_now(weight):
    """REWEIGH_APPROVE=1 writes it anew, after a change of the characters or of the font's version."""
    if os.environ.get("REWEIGH_APPROVE"):
        (ROOT / "src" / "reweigh" / "figures" / "fonts" / f"common-{weight}.woff").write_bytes(cut_font(weight))
        common_font.cache_clear()

    def tables(font):  # the bytes of the file depend on the machine's zlib
        face = TTFont(io.BytesIO(font), lazy=True)
        return {tag: face.reader[tag] for tag in tuple(face.reader.tables)}

    assert tables(common_font(weight)) == tables(cut_font(weight))
