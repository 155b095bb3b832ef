"""Forest plots of narrow screens: the same lines as the figure, and the small drawing of a page."""

import re
from xml.etree import ElementTree

import pytest

from reweigh.figures.style import SMALL_SIZE, TEXT_SIZE
from reweigh.figures.svg import render
from reweigh.report.drawings import RULES, inline
from reweigh.report.page import environment_of
from reweigh.report.stacked import NOTES, stacked
from test_figures_forest import CASES, case, drawn


def macro(found):
    return environment_of().from_string('{% import "marks.html.j2" as m %}{{ m.stack(s) }}').render(s=found)


@pytest.mark.parametrize("name", CASES)
def test_every_line_of_the_figure_is_there_in_its_order(name):
    table, figure = drawn(name)
    found = stacked(table, case(name)[3])
    lines = table[~table["kind"].isin(["title", "column header", "total events"])]
    inside = lines[(lines["indent"] > 0) | ~lines["kind"].isin(NOTES)]
    assert [row["label"] for row in found["rows"]] == inside["label"].tolist()
    assert [row["effect"] for row in found["rows"]] == inside["effect"].tolist()
    assert [text for _, text in found["notes"]] == lines.drop(inside.index)["label"].tolist()
    low, high = figure.axes[0].get_xlim()
    for row, line in zip(found["rows"], inside.itertuples(), strict=True):
        assert row["clipped"] == [s for s in ("lower", "upper") if getattr(line, f"clipped_{s}")]
        for place, value in zip("abe", (line.ci_lower, line.ci_upper, line.estimate), strict=True):
            if place in row["places"]:
                expected = 100 * (value - low) / (high - low)
                assert row["places"][place] == pytest.approx(expected, abs=0.06) or abs(expected) > 2000
    null = 1 if case(name)[3].scale == "log" else 0
    assert found["null"] in [
        at for at, label in found["ticks"] if label[-1].isdigit() and float(label.replace("−", "-")) == null
    ]


def test_what_the_arms_report_stands_under_the_label():
    table, _ = drawn("ketamine")
    found = stacked(table, case("ketamine")[3], [f"n{i}" for i in range(5)])
    assert found["head"] == "Risk ratio (95% CI); events/patients, Ketamine v Control"
    assert re.fullmatch(r"7/12 v 2/12; weight \d+\.\d%", found["rows"][0]["data"])
    assert [row["note"] for row in found["rows"]][:6] == ["n0", "n1", "n2", "n3", "n4", ""]
    html = macro(found)
    assert html.count("<li") == len(found["rows"]) and 'data-note="n4"' in html
    table, _ = drawn("manipulation")
    row = next(r for r in stacked(table, case("manipulation")[3])["rows"] if r["label"].startswith("Bronfort 2011"))
    assert row["data"].startswith("39.00 (18.00), n ") and " v " in row["data"]


def test_hostile_labels_stay_text():
    table, _ = drawn("ketamine")
    html = macro(stacked(table.assign(label="<script>x</script>"), case("ketamine")[3]))
    assert "<script>" not in html


def test_a_drawing_of_the_page_is_small_and_says_the_same():
    svg = render(drawn("bcg by allocation")[1], "svg").decode("utf-8")
    small = inline(svg, "f-bcg", [("Aronson 1948", "n1")])
    assert len(small) < 0.42 * len(re.sub("<style>.*?</style>", "", svg, flags=re.DOTALL))
    root = ElementTree.fromstring(small)
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    whole = [node.text for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert texts == whole
    ids = re.findall(r' id="([^"]*)"', small)
    assert len(set(ids)) == len(ids) and all(one.startswith("f-bcg-") for one in ids)
    for one in re.findall(r'href="#([^"]*)"', small) + re.search(r'aria-labelledby="([^"]*)"', small)[1].split():
        assert one in ids
    assert "font-size" not in small and f"font-size:{SMALL_SIZE:g}px" in RULES and f"font:{TEXT_SIZE:g}px" in RULES
