"""Every number with decimals, and every one from a thousand on, of each page and each figure stands in the tables."""

import html
import json
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT
from report.packed import kept, opened
from reweigh.text.numbers import fixed, p_text, percent_text, small_text

pytestmark = pytest.mark.slow
REVIEWS = sorted(path.parent.name for path in (ROOT / "data").glob("*/review.yaml"))
NUMBER = re.compile(r"(?<![\w.,])\d[\d,]*\.?\d*(?:e[+-]?\d+)?")


def numbers(text):
    """Numbers of a text as they are printed, without signs: 1,503 and -0.74 as 1503 and 0.74."""
    return {one.rstrip(".,").replace(",", "") for one in NUMBER.findall(text.replace("\N{MINUS SIGN}", " "))}


def looked_at(text):
    """Those that no count can be by chance."""
    return {one for one in numbers(text) if "." in one or float(one) >= 1000}


def forms(values):
    """How numbers may be printed: with up to six decimals, as a small number, a P value or a per cent."""
    found = set()
    for x in np.unique(np.abs(values[np.isfinite(values)])):
        for v in (x, 100 * x):
            found |= {fixed(v, d).replace(",", "") for d in range(7)} if v < 1e9 else {f"{v:.0f}"}
        found |= numbers(f"{small_text(x)} {percent_text(x)} {x:.2g} {x:.3g} {x:.4g}")
        if x <= 1:
            found |= numbers(p_text(x))
    return found


def tables_of(folder, review):
    """All that the tables, the protocol and the typed files of a review say, as printed numbers."""
    found, values = set(), []
    files = [*folder.rglob("*.csv"), *folder.glob("*.json"), *(ROOT / "data" / review).glob("*.*")]
    for path in files:
        text = path.read_text("utf-8", errors="replace")
        found |= numbers(text.replace("%20", " ").replace("=", " "))
        if path.suffix == ".csv" and text.strip():
            table = pd.read_csv(path, low_memory=False)
            values += [table[c].to_numpy(float) for c in table if pd.api.types.is_numeric_dtype(table[c])]
    # Numbers within codes, and of what is printed on the natural scale beside them.
    values.append(np.array([float(one) for one in found if one not in ("", ".")], dtype=float))
    return found | forms(np.concatenate(values)) | shares(folder) | totals(folder)


def totals(folder):
    """Events and patients of all trials of an analysis, of a subgroup, of a claim, as its forest plot adds them up."""
    effects = pd.read_csv(folder / "effects.csv", low_memory=False)
    counts = [f"{what}_{arm}" for what in ("events", "n") for arm in ("intervention", "control")]
    groups = [c for c in effects if not pd.api.types.is_numeric_dtype(effects[c]) and effects[c].nunique() < 40]
    sums = [
        effects.groupby([*dict.fromkeys(["analysis", c])], dropna=False)[counts].sum().to_numpy().ravel()
        for c in ["analysis", *groups]
    ]
    for claim in json.loads((folder / "claims.json").read_text("utf-8")):
        for one in claim["statements"]:
            mine = effects[(effects["analysis"] == one["analysis"]) & effects["study_id"].isin(one["trials"])]
            sums.append(mine[counts].sum().to_numpy())
    return {f"{x:.0f}" for x in np.unique(np.concatenate(sums))}


def shares(folder):
    """Weights in per cent as printed beside others: one step up or down, so that all make 100."""
    weights = pd.read_csv(folder / "weights.csv")
    share = 100 * weights["weight"] / weights.groupby(["analysis", "model"])["weight"].transform("sum")
    down = np.floor(share.dropna().to_numpy() * 10) / 10
    return {f"{x:.1f}" for x in np.unique(np.concatenate([down - 0.1, down, down + 0.1, down + 0.2]))}


def page_text(page):
    """What a page says, packed parts included, but its scripts, styles, drawings and axes."""
    body = opened(page).partition("<body>")[2]
    # Worked pages are held to their own steps by tests/test_effects_worked.py.
    more = [text for name, text in kept(page).items() if name.startswith("stack ")]
    whole = " ".join([body, *more])
    whole = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", whole, flags=re.S)
    whole = re.sub(r'<div class="axis".*?</div>|<ul class="versions">.*?</ul>|PRISMA 2020', " ", whole, flags=re.S)
    whole = re.sub(r"<code>[0-9a-f]{64}</code>|https?://[^\s<\"]+|10\.\d{4,9}/[^\s<]+", " ", whole)
    return html.unescape(re.sub(r"<[^>]+>", " ", whole))


def figure_text(path):
    """What a figure says, but the ticks of its axes."""
    root, said = ElementTree.parse(path).getroot(), []

    def walk(element):
        if "tick" in element.get("id", "") or "axis" in element.get("id", ""):
            return
        if element.tag.endswith("}text"):
            said.append("".join(element.itertext()))
        for child in element:
            walk(child)

    walk(root)
    return " ".join(said)


@pytest.fixture(scope="module")
def known(built):
    """What the tables of each review say."""
    return {review: tables_of(built / "results" / review, review) for review in REVIEWS}


@pytest.mark.parametrize("review", REVIEWS)
def test_every_number_of_the_page_stands_in_the_tables(built, known, review):
    said = looked_at(page_text((built / "results" / review / "report.html").read_text("utf-8")))
    assert len(said) > 100 and said - known[review] == set()


@pytest.mark.parametrize("review", REVIEWS)
def test_every_number_of_the_figures_stands_in_the_tables(built, known, review):
    figures = [*(built / "results" / review).rglob("*.svg")]
    strange = {path.name: found for path in figures if (found := looked_at(figure_text(path)) - known[review])}
    assert len(figures) > 10 and strange == {}
