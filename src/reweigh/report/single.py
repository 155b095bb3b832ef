"""One analysis as one self-contained HTML file: what `Meta.report` of a notebook writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from reweigh.report.drawings import fonts, inline
from reweigh.report.page import environment_of, policy_of, text_of


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with any of: text as it is printed, an SVG file, a table of texts whose index names its rows."""

    heading: str
    text: str = ""
    svg: str = ""
    table: pd.DataFrame | None = None


def single_page(title: str, sections: Sequence[Section]) -> str:
    """The page as HTML, in the style of the reports of reviews; the same input gives the same text."""
    scripts = [text_of("js/page.js")]
    styles = [text_of(f"css/{name}") for name in ("page.css", "forest.css", "print.css")]
    shown = [
        {
            "id": f"section-{at}",
            "heading": one.heading,
            "text": one.text,
            "svg": inline(one.svg, f"section-{at}") if one.svg else "",
            "heads": [] if one.table is None else [str(name).replace("_", " ") for name in one.table],
            "rows": [] if one.table is None else [(str(row[0]), row[1:]) for row in one.table.itertuples()],
        }
        for at, one in enumerate(sections, start=1)
    ]
    styles.append(fonts(one.svg for one in sections))
    template = environment_of().get_template("single.html.j2")
    return template.render(title=title, sections=shown, styles=styles, scripts=scripts, policy=policy_of(scripts))
