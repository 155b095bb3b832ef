"""A review that a stranger sends: every text field of every file carries hostile text at once; nothing of it acts."""

from __future__ import annotations

import io
import re
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from ruamel.yaml import YAML

import pipeline
from conftest import ROOT
from reweigh.check import examine
from reweigh.io import read_csv
from reweigh.risk_of_bias import read_tools

REVIEW = ROOT / "data" / "bcg-vaccine"
TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())
MARK = "window.hacked=1"
HOSTILE = (
    f'=HYPERLINK("http://hostile.example/c")\'><img src=http://hostile.example/i onerror={MARK}><script>{MARK}</script></script>'
    f'</title></style></template></textarea><svg onload={MARK}><a href="javascript:{MARK}">a</a> [x](javascript:{MARK}) '
    "![y](http://hostile.example/m) <http://hostile.example/l> {{ 7*7 }} --> ]]> ../../../escaped `"
)
#: Keys of the YAML files whose texts name something of the review.
NAMES = ("subgroups", "moderators", "page", "outcome", "window", "review_id", "study", "column", "text")
#: Columns that hold links; each of these is tried where a person would put an address.
LINKS = (
    f"javascript:{MARK}",
    f"JaVaScRiPt:{MARK}",
    f"data:text/html,<script>{MARK}</script>",
    "file:///etc/passwd",
    "vbscript:x",
)


def poison_table(table: pd.DataFrame, spared: set[tuple[int, str]]) -> pd.DataFrame:
    """Hostile text after what each cell holds, but for cells that the check holds to a rule."""
    table = table.copy()
    for column in table:
        links = "url" in column or column == "doi"
        table[column] = [
            cell if (row, column) in spared else LINKS[row % len(LINKS)] if links else f"{HOSTILE} {cell}"
            for row, cell in enumerate(table[column])
        ]
    return table


def poison(value: object, path: tuple[str, ...], spared: set[str]) -> object:
    """The same for the texts of a YAML file; keys stay."""
    if isinstance(value, dict):
        return {key: poison(one, (*path, str(key)), spared) for key, one in value.items()}
    if isinstance(value, list):
        return [poison(one, (*path, str(i)), spared) for i, one in enumerate(value)]
    here = ".".join(path)
    named = any(step in NAMES for step in path)
    plain = named or not isinstance(value, str) or any(here == one or here.startswith(f"{one}.") for one in spared)
    return value if plain else f"{value} {HOSTILE}"


def originals() -> tuple[dict[str, pd.DataFrame], dict[str, object]]:
    """The files of a review that has every file there is."""
    tables = {path.name: pd.read_csv(path, dtype=str, keep_default_na=False) for path in sorted(REVIEW.glob("*.csv"))}
    trials = tables["studies.csv"]["study_id"].tolist()
    tables["studies.csv"] = tables["studies.csv"].assign(
        source_urls="", doi="", note="", exclusion_reason="", own="mine"
    )
    tables["risk_of_bias.csv"] = pd.DataFrame(
        [(one, "RoB 2", "overall", "high", "why", "page 1") for one in trials[:6]],
        columns=["study_id", "tool", "domain", "judgement", "support", "source"],
    )
    tables["certainty_overrides.csv"] = pd.DataFrame(
        [("tuberculosis.end_of_follow_up", "inconsistency", "-1", "read again", "XY")],
        columns=["analysis", "domain", "levels", "reason", "initials"],
    )
    tables["contrasts.csv"] = pd.DataFrame(
        [(trials[0], "tuberculosis", "later", "9999", "RR", "0.5", "0.2", "0.9", "x", "y", "http://x.org")],
        columns=["study_id", "outcome", "timepoint", "timepoint_days", "measure", "estimate", "ci_lower", "ci_upper",
                 "note", "source", "source_url"],
    )  # fmt: skip
    yaml = {
        name: YAML(typ="safe", pure=True).load((REVIEW / name).read_bytes()) for name in ("review.yaml", "claims.yaml")
    }
    return tables, yaml


def written(tables: dict[str, pd.DataFrame], yaml: dict[str, object]) -> dict[str, bytes]:
    files = {name: table.to_csv(index=False).encode() for name, table in tables.items()}
    for name, raw in yaml.items():
        out = io.BytesIO()
        YAML(typ="safe", pure=True).dump(raw, out)
        files[name] = out.getvalue()
    return files


@pytest.fixture(scope="module")
def poisoned() -> tuple[dict[str, bytes], int]:
    """Hostile text wherever the check lets text stand, and in how many places."""
    tables, yaml = originals()
    kept: dict[str, set] = {name: set() for name in (*tables, *yaml)}
    for name, table in tables.items():  # what joins the tables stays
        keys = ("_id", "outcome", "timepoint", "role", "analysis", "subgroup")
        kept[name] = {(row, c) for c in table if c.endswith(keys) for row in range(len(table))}
    for _ in range(40):
        files = written(
            {name: poison_table(table, kept[name]) for name, table in tables.items()},
            {name: poison(raw, (), kept[name]) for name, raw in yaml.items()},
        )
        problems = examine(files, TOOLS)[2]
        if not problems:
            break
        for one in problems:
            if one.file in yaml:
                kept[one.file].add(one.column)
            else:
                rows = range(len(tables[one.file])) if one.row is None else [one.row - 2]
                kept[one.file] |= {(row, one.column) for row in rows}
    assert [(one.file, one.row, one.column[:60], one.value[:40], one.message) for one in problems] == []
    return files, sum(content.count(MARK.encode()) for content in files.values())


@pytest.fixture(scope="module")
def built(poisoned, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "inside").mkdir()
    pipeline.build(poisoned[0], folder / "inside", figures=True)
    return folder


@pytest.mark.slow
def test_the_texts_of_every_file_are_hostile(poisoned):
    files, places = poisoned
    assert places > 300
    for name, content in files.items():
        assert MARK.encode() in content, name
    for key in (
        b"title",
        b"population",
        b"note",
        b"would_change",
        b"citation",
        b"support",
        b"reason",
        b"initials",
        b"own",
    ):
        assert any(key in content for content in files.values()), key


@pytest.mark.slow
def test_nothing_lies_outside_the_folders(built):
    assert [path.name for path in built.iterdir()] == ["inside"]
    made = {path.relative_to(built / "inside").parts[0] for path in built.rglob("*") if path.is_file()}
    assert {name for name in made if not name.endswith(".log")} == {"data", "work", "results"}
    assert not [path for path in built.rglob("*") if "escaped" in path.name or "hostile" in path.name]


def _leaves(cell):
    """Whether a cell is run, or leads out of its workbook; the cover's links to sheets do not."""
    return cell.data_type == "f" or (cell.hyperlink is not None and bool(cell.hyperlink.target))


@pytest.mark.slow
def test_no_cell_is_a_formula_and_all_are_read_back(built, poisoned):
    results = built / "inside" / "results" / "made"
    for path in results.rglob("*.csv"):
        for cell in pd.read_csv(path, dtype=str, keep_default_na=False, header=None).to_numpy().ravel():
            assert not re.match(r"[=@]|[+-](?![\d.])", cell), (path.name, cell[:60])
    effects = read_csv(results / "effects.csv")
    studies = pd.read_csv(io.BytesIO(poisoned[0]["studies.csv"]), dtype=str, keep_default_na=False)
    assert set(effects["label"]) <= set(studies["label"])
    book = openpyxl.load_workbook(results / "workbook.xlsx")
    assert not [cell for sheet in book for row in sheet for cell in row if _leaves(cell)]


@pytest.mark.slow
def test_pages_in_markdown_hold_no_markup_of_the_data(built):
    pages = list((built / "inside" / "results").rglob("*.md"))
    assert len(pages) > 5
    for path in pages:
        text = path.read_text(encoding="utf-8")
        found = re.search(r"(?<!\\)<[A-Za-z/!]|(?<!\\)\]\((?!https?://(?!hostile)|#|[\w./~-]+\))", text)
        assert found is None, (path.name, text[max(0, found.start() - 60) : found.end() + 60])


@pytest.mark.browser
@pytest.mark.parametrize("policy", [True, False], ids=["with its policy", "escaped even without it"])
def test_nothing_runs_and_nothing_is_fetched_by_whatever_link_is_clicked(browser, built, tmp_path, policy):
    html = (built / "inside" / "results" / "made" / "report.html").read_text(encoding="utf-8")
    path = tmp_path / "report.html"
    path.write_text(html if policy else re.sub(r"<meta http-equiv[^>]*>", "", html), encoding="utf-8")
    browser.open(path.as_uri())
    assert MARK in browser.run("document.body.textContent")
    foreign = "[...document.querySelectorAll('img, iframe, object, embed, form[action], base, [onerror], [onload]')].map(e => e.outerHTML.slice(0, 200))"
    assert browser.run(foreign) == []
    addresses = browser.run(
        "[...document.querySelectorAll('[href], [src]')].map(e => e.href?.animVal ?? e.href ?? e.src)"
    )
    assert len(addresses) > 20
    for address in addresses:
        assert address.startswith(("https://", "http://", "#", f"{path.as_uri()}#", "data:application/", "data:,")), (
            address
        )
    # A link into the web is not followed here: what it leads to is its reader's choice. All others are.
    browser.run("""(async () => {
      window.print = () => {};
      document.addEventListener('click', (event) => {
        if (/^https?:/.test(event.target.closest?.('a')?.href ?? '')) event.preventDefault();
      }, true);
      for (const one of document.querySelectorAll('details')) one.open = true;
      for (const one of document.querySelectorAll('a, button, .hit, summary, input')) {
        one.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
        for (const open of document.querySelectorAll('dialog[open]')) open.close();
      }
      await new Promise((done) => setTimeout(done, 500));
    })()""")
    assert browser.run("window.hacked ?? null") is None
    assert browser.run("location.href").startswith(path.as_uri())
