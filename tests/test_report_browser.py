"""The report in a real headless Chromium: what a reader does, and whether the numbers follow."""

import base64
import io
import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from report.browser import find_chromium
from reweigh.effects.absolute import absolute_effect, control_risks
from reweigh.figures.forest.table import printed_shares
from reweigh.figures.style import FONT_FILES
from reweigh.pool.core import pool
from reweigh.report import words
from reweigh.report.page import report_page
from reweigh.report.pdf import print_page
from reweigh.report.summary import summary
from reweigh.reproduction.ledger import NOT_PUBLIC
from reweigh.text.glossary import TERMS
from reweigh.text.numbers import decimals_of, effect_text, fixed, p_text, percent_text, row_text, small_text, span_text
from test_report import BCG, KETAMINE, make_inputs

REVIEWS = (KETAMINE, BCG)
UNTICKED = (
    (KETAMINE, "responder.immediate"),
    (KETAMINE, "pain_intensity.week_4"),
    (BCG, "tuberculosis.end_of_follow_up"),
)
pytestmark = pytest.mark.browser

CLAIM = (
    "review_now",
    "review_method_of",
    "as_of",
    "best_as_of",
    "review_as_of",
    "verdict_at_half_difference",
    "verdict_at_twice_difference",
    "verdict",
    "claim",
    "page_title",
    "answer",
    "count",
    "best_now",
    "rests_on",
    "by_reading",
    "certainty_reasons",
    "reason",
    "multiverse",
    "sequential",
    "would_change",
    "certainty",
    "note",
)
AXE = "4.14.1"
DRAWN = (
    '<svg width="10pt" height="5pt" viewBox="0 0 10 5" role="img" aria-labelledby="t d">'
    '<title id="t">{}</title><desc id="d">A drawing.</desc><g id="a"/></svg>'
)


#: Every fold opened, with what comes into it only then.
ALL_OPEN = """(async () => {
  for (let closed; (closed = [...document.querySelectorAll('details:not([open])')]).length;)
    for (const one of closed) { one.open = true; await unfold(one); }
})()"""
CHOOSE = (
    "(() => {{ const s = document.getElementById('{}'); s.value = '{}'; s.dispatchEvent(new Event('change')); }})()"
)


@pytest.fixture(scope="module")
def inputs():
    return {review: make_inputs(review) for review in REVIEWS}


@pytest.fixture(scope="module")
def pages(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    found = {}
    for review in REVIEWS:
        found[review] = folder / review / "report.html"
        found[review].parent.mkdir()
        found[review].write_text(report_page(inputs[review]), encoding="utf-8")
    return found


def result(browser):
    return browser.run("document.querySelector('#x-result [data-effect]')?.dataset.effect ?? null")


def untick(browser, *trials):
    for trial in trials:
        browser.run(f"document.querySelector('[data-trial=\"{trial}\"]').click()")


@pytest.mark.parametrize(("review", "analysis"), UNTICKED)
def test_unticking_each_trial_gives_the_leave_one_out_numbers(browser, inputs, pages, review, analysis):
    of = inputs[review]
    effects = of.effects[of.effects["analysis"] == analysis].reset_index(drop=True)
    shown = of.pooled[of.pooled["analysis"] == analysis].iloc[0]
    browser.open(f"{pages[review].as_uri()}#explore?a={analysis}")
    for left_out in range(len(effects)):
        rest = effects.drop(index=left_out)
        expected = pool(rest["estimate"].to_numpy(), rest["variance"].to_numpy()).row()
        ends = [expected[name] for name in ("estimate", "ci_lower", "ci_upper")]
        natural = [math.exp(v) for v in ends] if shown["scale"] == "log" else ends
        trial = effects["comparison_id"][left_out]
        untick(browser, trial)
        assert result(browser) == effect_text(*natural, decimals=decimals_of(shown)), trial
        assert browser.run("location.hash").endswith(f"without={trial}")
        assert float(browser.run("document.querySelector('#explorer').dataset.milliseconds")) < 50
        untick(browser, trial)
    assert result(browser) == effect_text(
        *(shown[f"{name}_natural"] for name in ("estimate", "ci_lower", "ci_upper")), decimals=decimals_of(shown)
    )


def test_one_trial_that_is_left_is_no_pool(browser, inputs, pages):
    analysis = "pain_intensity.week_4"
    _, second = inputs[KETAMINE].effects.query("analysis == @analysis")["comparison_id"]
    label = "document.querySelector('#x-total [role=rowheader]').textContent"
    model = "document.getElementById('x-what').textContent"
    browser.open(f"{pages[KETAMINE].as_uri()}#explore?a={analysis}")
    assert browser.run(label) == "Pooled" and "Hartung-Knapp" in browser.run(model)
    untick(browser, second)
    assert browser.run(label) == "One trial" and browser.run(model) == ""
    untick(browser, second)
    assert browser.run(label) == "Pooled"


def test_other_methods_and_sets_give_the_numbers_of_the_tables(browser, inputs, pages):
    of = inputs[KETAMINE]
    pooled = of.pooled.set_index(["analysis", "model"])
    address = f"{pages[KETAMINE].as_uri()}#explore?a=responder.immediate"
    for more, row in (
        ("&model=revman-classic", pooled.loc[("responder.immediate", "revman-classic")]),
        ("&set=with_active_comparators", pooled.loc[("responder.immediate.with_active_comparators", "cochrane")]),
    ):
        browser.open("about:blank")
        browser.open(address + more)
        expected = effect_text(*(row[f"{n}_natural"] for n in ("estimate", "ci_lower", "ci_upper")), decimals=None)
        assert result(browser) == expected
    swept = of.pooled_sweep[
        (of.pooled_sweep["analysis"] == "responder.immediate") & (of.pooled_sweep["protocol"] == "no")
    ]
    row = swept.iloc[0]
    browser.open("about:blank")
    browser.open(f"{address}&r={row['correlation']:g}")
    expected = effect_text(*(row[f"{n}_natural"] for n in ("estimate", "ci_lower", "ci_upper")), decimals=None)
    assert result(browser) == expected


@pytest.mark.parametrize(("review", "analysis"), UNTICKED)
def test_weights_of_the_explorer_are_those_of_weights_csv(browser, inputs, pages, review, analysis):
    of = inputs[review]
    main = of.pooled[of.pooled["analysis"] == analysis].iloc[0]["model"]
    mine = of.weights[(of.weights["analysis"] == analysis) & (of.weights["model"] == main)]
    browser.open(f"{pages[review].as_uri()}#explore?a={analysis}")
    shown = browser.run(
        "[...document.querySelectorAll('#x-forest .frow')].filter(r => r.querySelector('[data-trial]')).map(r => r.querySelector('.weight').textContent)"
    )
    assert shown == [f"{share:.1f}%" for share in printed_shares(mine["weight"].tolist())]


def test_the_page_prints_numbers_as_the_tables_do(browser, pages):
    """The explorer's own rounding gives the same text as reweigh.text.numbers."""
    browser.open(pages[KETAMINE].as_uri())
    code = browser.run("[...document.scripts].map(s => s.textContent).find(t => t.includes('const fixed ='))")
    code = code[code.index("const fixed =") : code.index("  const said =")]

    def told(call, values):
        return browser.run(f"(() => {{ {code} return {json.dumps(values)}.map((x) => {call}); }})()")

    values = [0.875, math.nextafter(0.875, 0), -0.875, 2.675, 1.005, -0.001, 0.0, 1e-9, 12345.678, 0.5, 99.95, 7764.456]
    for decimals in (0, 1, 2, 4):
        assert told(f"fixed(x, {decimals})", values) == [fixed(value, decimals) for value in values]
    shares = [0.0, 0.4, 49.5, 99.4, 99.49, 99.5, 99.9, 99.94, 99.96, 100.0]
    assert told("percent(x)", shares) == [percent_text(value) for value in shares]
    chances = [
        0.0,
        1e-9,
        0.0009,
        0.001,
        0.0041,
        0.0097,
        0.0312,
        0.048,
        0.0495,
        0.0499,
        0.04996,
        0.05,
        0.394,
        0.991,
        1.0,
    ]
    assert told("pText(x).replace('= ', '')", chances) == [p_text(value, bare=True) for value in chances]
    sizes = [0.0, 1e-6, 0.0001, 0.0042, 0.0095, 0.3125, 12.345, 99.994, 99.995, 451.2, 1e5]
    assert told("small(x)", sizes) == [small_text(value) for value in sizes]


@pytest.mark.parametrize("review", REVIEWS)
def test_each_trial_of_the_explorer_is_printed_as_in_the_tables(browser, inputs, pages, review):
    of, seen = inputs[review], 0
    read = "[...document.querySelectorAll('#x-forest [data-trial]')].map(b => [b.dataset.trial, b.closest('.frow').querySelector('.effect').textContent])"
    browser.open(pages[review].as_uri())
    for analysis in browser.run("json('explorer-data').analyses.filter(a => a.asked).map(a => a.id)"):
        browser.run(f"location.hash = '#explore?a={analysis}'; new Promise(done => setTimeout(done, 20))")
        rows = of.effects[of.effects["analysis"] == analysis]
        if rows.empty:  # only another set than the main one has trials
            continue
        shown = of.pooled[of.pooled["analysis"] == analysis].iloc[0]
        told = [[row["comparison_id"], row_text(row, decimals_of(shown))] for _, row in rows.iterrows()]
        assert browser.run(read) == told, analysis
        seen += 1
    assert seen >= 3


def test_what_was_not_computed_is_said(browser, inputs, pages):
    address = f"{pages[KETAMINE].as_uri()}#explore?a=responder.immediate"
    swept = inputs[KETAMINE].pooled_sweep
    swept = swept[(swept["analysis"] == "responder.immediate") & (swept["protocol"] == "no")]["correlation"].iloc[0]
    for more, said in (
        (f"&set=with_active_comparators&r={swept:g}", "for the protocol's own analysis only"),
        ("&without=kvarnstrom2003,kvarnstrom2004,lemming2005,lumanauw2019,noppers2011", "No trial is ticked"),
        ("&model=Peto", "Peto does not apply to RR"),
    ):
        browser.open("about:blank")
        browser.open(address + more)
        assert result(browser) is None
        assert said in browser.run("document.getElementById('x-result').textContent"), more
        assert browser.run("document.getElementById('x-stale').hidden")


@pytest.mark.parametrize(
    ("fragment", "missing"),
    [
        ("a=foo", ["no analysis “foo”"]),
        ("a=responder.immediate&without=nonexistent,lemming2005", ["no trial “nonexistent”"]),
        ("a=responder.immediate&without=amr2010", ["no trial “amr2010”"]),
        (
            "a=responder.immediate&set=zz&model=%3Cb%3E&r=7",
            ["no set of trials “zz”", "no model “<b>”", "correlation “7”"],
        ),
    ],
)
def test_a_stale_link_says_what_is_not_there(browser, pages, fragment, missing):
    stale = "document.getElementById('x-stale')"
    browser.open(f"{pages[KETAMINE].as_uri()}#explore?{fragment}")
    assert browser.run(f"{stale}.checkVisibility()")
    said = browser.run(f"{stale}.textContent")
    assert all(one in said for one in missing), said
    assert result(browser) is not None
    assert ("lemming2005" in fragment) == browser.run("location.hash").endswith("without=lemming2005")
    untick(browser, browser.run("document.querySelector('[data-trial]').dataset.trial"))
    assert browser.run(f"{stale}.hidden")
    browser.open("about:blank")
    browser.open(f"{pages[KETAMINE].as_uri()}#explore?a=responder.immediate&without=lemming2005")
    assert browser.run(f"{stale}.hidden")


SCALES = {KETAMINE: ("responder.immediate", "pain_intensity.week_1"), BCG: ("tuberculosis.end_of_follow_up",)}


@pytest.mark.parametrize("width", [375, 768, 1024, 1440])
def test_every_row_of_the_explorer_has_the_scale_of_its_axis(browser, pages, width):
    """Each null line stands within a pixel of the axis's null, and each track is as wide as the axis."""
    browser.size(width)
    for review, analyses in SCALES.items():
        for analysis in analyses:
            browser.open("about:blank")
            browser.open(f"{pages[review].as_uri()}#explore?a={analysis}")
            untick(browser, browser.run("document.querySelector('[data-trial]').dataset.trial"))
            zero, lines, tracks = browser.run("""(() => {
              const box = (one) => one.getBoundingClientRect(), middle = (one) => (box(one).left + box(one).right) / 2;
              const shown = (name) => [...document.querySelectorAll(`#explorer ${name}`)].filter((one) => one.checkVisibility());
              return [middle(shown('.axis [data-at]').find((one) => Number(one.dataset.at) === 0)), shown('.null').map(middle),
                [...shown('.track'), ...shown('.axis')].map((one) => [box(one).left, box(one).width])];
            })()""")
            assert len(lines) > 3 and all(abs(line - zero) <= 1 for line in lines), (width, analysis)
            assert all(abs(x - y) <= 0.5 for one in tracks for x, y in zip(one, tracks[-1], strict=True)), tracks
            assert tracks[0][1] >= (200 if width > 375 else 180)


@pytest.mark.parametrize(("width", "height"), [(375, 812), (1440, 900)])
def test_the_result_stays_in_view_while_trials_are_ticked(browser, pages, width, height):
    browser.size(width, height)
    browser.open(f"{pages[BCG].as_uri()}#explore?a=tuberculosis.end_of_follow_up")
    for at in (12, 6, 0):
        top, bottom, row = browser.run(f"""(() => {{
          const rows = [...document.querySelectorAll('#x-forest [data-trial]')];
          rows[{at}].scrollIntoView({{behavior: 'instant', block: 'center'}});
          const found = document.getElementById('x-result').getBoundingClientRect(), mark = document.querySelector('#x-total .diamond').getBoundingClientRect();
          return [mark.top, found.bottom, rows[{at}].getBoundingClientRect().bottom];
        }})()""")
        assert 0 <= row < top < bottom <= height, at
    # The trials keep more than half of the window.
    assert top > height / 2


def test_trials_are_chosen_by_what_they_are(browser, inputs, pages):
    """Three trials and more go at once, by a category and by a range; the numbers are those of the rest."""
    of, analysis = inputs[BCG], "tuberculosis.end_of_follow_up"
    effects = of.effects[of.effects["analysis"] == analysis]

    def expected(rest):
        found = pool(rest["estimate"].to_numpy(), rest["variance"].to_numpy()).row()
        return effect_text(*(math.exp(found[n]) for n in ("estimate", "ci_lower", "ci_upper")), decimals=None)

    browser.open(f"{pages[BCG].as_uri()}#explore?a={analysis}")
    browser.run(
        CHOOSE.format(
            "x-by", browser.run("[...document.getElementById('x-by').options].find(o => o.text === 'Allocation').value")
        )
    )
    offered = browser.run("[...document.querySelectorAll('#x-values label')].map(l => l.textContent.trim())")
    counts = effects["allocation"].value_counts()
    assert offered == [f"{value.capitalize()} ({counts[value]})" for value in of.protocol.categories["allocation"]]
    browser.run("document.querySelector('#x-values input').click()")
    first = next(iter(of.protocol.categories["allocation"]))
    rest = effects[effects["allocation"] != first]
    assert counts[first] >= 3 and result(browser) == expected(rest)
    assert f"(0 of {counts[first]})" in browser.run("document.getElementById('x-values').textContent")
    # By year: what leaves the range goes too, what was gone stays gone.
    browser.run(
        CHOOSE.format(
            "x-by", browser.run("[...document.getElementById('x-by').options].find(o => o.text === 'Year').value")
        )
    )
    put = "(() => {{ const i = document.querySelectorAll('#x-values input')[{}]; i.value = '{}'; i.dispatchEvent(new Event('change', {{bubbles: true}})); }})()"
    browser.run(put.format(0, 1960))
    assert result(browser) == expected(rest[rest["year"] >= 1960])
    browser.run(put.format(1, 1975))
    assert result(browser) == expected(rest[rest["year"].between(1960, 1975)])
    browser.run(put.format(0, ""))
    assert result(browser) == expected(rest[rest["year"] <= 1975])
    browser.run("document.getElementById('x-all').click()")
    assert result(browser) == expected(effects)


def test_the_result_says_which_rule_each_number_is_by(browser, inputs, pages):
    row = inputs[BCG].pooled.iloc[0]
    browser.open(f"{pages[BCG].as_uri()}#explore?a=tuberculosis.end_of_follow_up")
    said = "document.querySelector('#x-result').textContent"
    for part in (
        "prediction interval (Hartung-Knapp, t with k − 1 df) " + span_text(row, "pi"),
        f"I² (τ²-based) = {percent_text(row['i2'])}",
        f"Q = {fixed(row['q'], 2)}, df 12, P < 0.001",
    ):
        assert part in browser.run(said)
    browser.run(CHOOSE.format("x-model", "Paule-Mandel, Wald"))
    assert "prediction interval (t with k − 2 df)" in browser.run(said)
    browser.run(CHOOSE.format("x-model", "Common effect, Wald"))
    assert (
        "prediction interval (" not in browser.run(said)
        and "I²" not in browser.run(said).partition("common-effect model")[0]
    )


def test_trials_are_one_stop_of_the_tab_key(browser, pages):
    browser.open(f"{pages[BCG].as_uri()}#explore?a=tuberculosis.end_of_follow_up")
    now = "[...document.querySelectorAll('[data-trial]')].indexOf(document.activeElement)"
    browser.run("document.getElementById('x-copy').focus()")
    browser.key("Tab", 9)
    assert browser.run(now) == 0
    for key, code, at in (
        ("ArrowDown", 40, 1),
        ("ArrowDown", 40, 2),
        ("ArrowUp", 38, 1),
        ("End", 35, 12),
        ("ArrowDown", 40, 12),
        ("Home", 36, 0),
        ("ArrowDown", 40, 1),
    ):
        browser.key(key, code)
        assert browser.run(now) == at
    before = result(browser)
    browser.key(" ", 32, " ")
    assert result(browser) != before
    browser.key("Tab", 9)
    assert browser.run("document.activeElement.closest('#explorer')") is None
    assert (
        browser.run("document.querySelectorAll('[data-trial][tabindex=\"0\"], [data-trial]:not([tabindex])').length")
        == 1
    )


def test_the_link_survives_a_reload(browser, pages):
    browser.open(f"{pages[KETAMINE].as_uri()}#explore?a=responder.immediate")
    untick(browser, "lemming2005", "noppers2011")
    browser.run(CHOOSE.format("x-model", "Paule-Mandel, Wald"))
    before, address = result(browser), browser.run("location.href")
    assert "model=Paule-Mandel" in address
    assert "without=lemming2005,noppers2011" in address
    browser.reload()
    assert result(browser) == before
    assert browser.run("location.href") == address
    assert browser.run("[...document.querySelectorAll('[data-trial]')].filter(b => !b.checked).map(b => b.dataset.trial)") == [
        "lemming2005", "noppers2011",
    ]  # fmt: skip


def test_an_address_from_elsewhere_does_no_harm(browser, pages):
    for fragment in (
        "#explore?a=nothing&model=%3Cb%3E&set=zz&r=abc&without=,,x",
        "#methods",
        "#fig-nothing",
        "#%22",
    ):
        browser.open("about:blank")
        browser.open(pages[KETAMINE].as_uri() + fragment)
        assert browser.run("document.querySelectorAll('#x-forest [data-trial]').length") > 0


COLUMN = '[...document.querySelectorAll("#trial-table tbody tr:not([hidden])")].map(r => r.cells[{}].firstChild?.textContent.trim() ?? "")'


def test_trials_are_sorted_and_searched(browser, inputs, pages):
    browser.open(pages[KETAMINE].as_uri())
    head = "document.querySelectorAll('#trial-table .sort')[{}].click()"
    everything = browser.run(COLUMN.format(1))
    assert len(everything) == len(inputs[KETAMINE].studies)
    browser.run(head.format(1))
    years = browser.run(COLUMN.format(1))
    assert years == sorted(years, key=lambda y: (y == "", y))
    browser.run(head.format(1))
    again = browser.run(COLUMN.format(1))
    filled = [y for y in again if y]
    assert filled == sorted(filled, reverse=True)
    assert again[len(filled) :] == [""] * (len(again) - len(filled))
    browser.run("(() => { const i = document.querySelector('#trial-filter input'); i.value = 'KVARN 2003'; "
                "i.dispatchEvent(new Event('input', {bubbles: true})); })()")  # fmt: skip
    assert browser.run(COLUMN.format(0)) == ["Kvarnstrom 2003"]
    assert browser.run("document.getElementById('trial-count').textContent") == f"1 of {len(everything)}"
    browser.run("(() => { const i = document.querySelector('#trial-filter input'); i.value = 'crps'; "
                "i.dispatchEvent(new Event('input', {bubbles: true})); })()")  # fmt: skip
    kinds = inputs[KETAMINE].studies["pain_type"].str.contains("crps")
    assert len(browser.run(COLUMN.format(0))) >= kinds.sum() > 1


def test_forest_plots_are_chosen_and_linked(browser, pages):
    browser.open(pages[KETAMINE].as_uri())
    visible = (
        "[...document.querySelectorAll('.view[data-analysis=\"responder.immediate\"]:not([hidden])')].map(f => f.id)"
    )
    assert browser.run(visible) == ["fig-responder.immediate"]
    browser.run("(() => { const s = document.querySelector('select[data-views=\"responder.immediate\"]'); "
                "s.value = 'responder.immediate.by_design'; s.dispatchEvent(new Event('change')); })()")  # fmt: skip
    assert browser.run(visible) == ["fig-responder.immediate.by_design"]
    browser.run("location.hash = '#fig-responder.immediate.with_active_comparators'")
    browser.run("new Promise(done => setTimeout(done, 100))")
    assert browser.run(visible) == ["fig-responder.immediate.with_active_comparators"]


def test_a_trial_tells_its_source_on_focus_and_opens_its_page(browser, inputs, pages):
    browser.open(f"{pages[KETAMINE].as_uri()}#a-responder.immediate")
    note = "document.getElementById('tip')"
    browser.run("document.querySelector('[id=\"fig-responder.immediate\"] .scroll').focus()")
    browser.key("Tab", 9)
    label = browser.run("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("Kvarnstrom 2003: ")
    assert not browser.run(f"{note}.hidden")
    assert "Derivation" in browser.run(f"{note}.textContent")
    browser.key("Escape", 27)
    assert browser.run(f"{note}.hidden")
    browser.key("ArrowDown", 40)
    assert browser.run("document.activeElement.getAttribute('aria-label')").startswith("Kvarnstrom 2004: ")
    assert not browser.run(f"{note}.hidden")
    browser.key("ArrowUp", 38)
    browser.key("Enter", 13, "\r")
    assert browser.run("document.getElementById('detail').open")
    browser.run("packed('')")  # the worked page is unpacked by then
    assert "Step 1" in browser.run("document.getElementById('detail').textContent")
    browser.key("Escape", 27)
    assert not browser.run("document.getElementById('detail').open")
    assert browser.run("document.activeElement.getAttribute('aria-label')") == label


def test_the_drawing_and_the_table_print_the_same(browser, inputs, pages):
    browser.open(pages[KETAMINE].as_uri())
    spoken = browser.run(
        "[...document.querySelectorAll('[id=\"fig-responder.immediate\"] .hit')].map(h => h.getAttribute('aria-label'))"
    )
    effects = inputs[KETAMINE].effects
    mine = effects[effects["analysis"] == "responder.immediate"]
    expected = {
        f"{row['label']}: "
        + effect_text(row["estimate_natural"], row["ci_lower_natural"], row["ci_upper_natural"], decimals=None)
        for _, row in mine.iterrows()
    }
    assert {re.sub(", weight .*", "", one) for one in spoken} == expected
    browser.run(ALL_OPEN)
    figure = "[...document.querySelectorAll('[id=\"fig-responder.immediate\"] {}')].map(t => t.textContent)"
    shown = browser.run("document.querySelector('[id=\"a-responder.immediate\"] tbody td').textContent")
    assert shown in browser.run(figure.format("svg text")) and shown in browser.run(figure.format(".stack span"))


READ = """(() => {
  const seen = (one) => one.checkVisibility() && one.getClientRects().length && one.textContent.trim();
  const drawn = [...document.querySelectorAll('svg.drawing text')].filter(seen);
  const scaled = drawn.map((one) => {
    const m = one.getScreenCTM();
    return parseFloat(getComputedStyle(one).fontSize) * Math.hypot(m.a, m.b);
  });
  const plain = [...document.querySelectorAll('.stack :is(b, span, small, sup, p, li, button)')].filter(seen);
  const sizes = plain.map((one) => parseFloat(getComputedStyle(one).fontSize));
  const stacks = [...document.querySelectorAll('.stack')].filter((one) => one.checkVisibility());
  let off = 0;
  for (const one of stacks) {
    const at = (cell) => { const box = cell.getBoundingClientRect(); return [box.left, box.width]; };
    const [left, width] = at(one.querySelector('.axis-cell'));
    for (const track of one.querySelectorAll('i')) off = Math.max(off, ...at(track).map((x, k) => Math.abs(x - [left, width][k])));
    const null_ = left + width * parseFloat(one.style.getPropertyValue('--null')) / 100;
    const zero = [...one.querySelectorAll('.axis span')].find((tick) => ['0', '1', '1.0', '1.00'].includes(tick.textContent));
    if (zero) off = Math.max(off, Math.abs(at(zero)[0] + at(zero)[1] / 2 - null_));
  }
  const shown = [...document.querySelectorAll('.view:not([hidden])')].filter((one) => one.checkVisibility());
  const both = shown.filter((one) => one.querySelector('.scroll').checkVisibility() === one.querySelector('.stack').checkVisibility());
  return [Math.min(...scaled, 99), Math.min(...sizes, 99), stacks.length, off, both.length, drawn.length];
})()"""


@pytest.mark.parametrize(
    ("width", "kind"), [(375, "screen"), (768, "screen"), (1024, "screen"), (1440, "screen"), (673, "print")]
)
def test_figures_are_read_at_every_width_and_stacked_rows_share_the_axis(browser, pages, width, kind):
    """At least 11 pixels on a screen and 7 points on a page of 178 mm."""
    for review in REVIEWS:
        browser.size(width)
        browser.media(kind=kind)
        browser.open(pages[review].as_uri())
        browser.run(ALL_OPEN)
        drawn, plain, stacks, off, both, texts = browser.run(READ)
        least = 11 if kind == "screen" else 7 * 96 / 72
        assert texts > 50 or stacks
        assert drawn >= least - 0.02 and plain >= least and off <= 1 and both == 0
        assert bool(stacks) == (kind == "screen" and width < 1080)


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window(browser, pages, width, scheme):
    browser.size(width)
    browser.media(scheme=scheme)
    browser.open(pages[KETAMINE].as_uri())
    assert browser.run("document.documentElement.scrollWidth") <= width
    background = browser.run("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", background)[:3])) > 380) == (scheme == "light")
    browser.media()


def test_downloads_are_the_figure_and_its_rows(browser, pages):
    browser.open(pages[KETAMINE].as_uri())
    catch = """(async () => {
      const kept = [];
      const make = URL.createObjectURL;
      URL.createObjectURL = (blob) => { kept.push(blob.text()); return make.call(URL, blob); };
      HTMLAnchorElement.prototype.click = () => {};
      const id = 'responder.immediate.by_design';
      for (const kind of ['svg', 'effects', 'pooled']) document.querySelector(`[data-get="${kind}"][data-id="${id}"]`).click();
      while (kept.length < 3) await new Promise((done) => setTimeout(done, 20));
      return Promise.all(kept);
    })()"""
    svg, effects, pooled = browser.run(catch)
    assert svg.startswith("<svg")
    assert "var(--" not in svg.replace("var(--width)", "")
    assert "@font-face" in svg
    rows = [line for line in effects.split("\n")[1:] if line]
    assert len(rows) == 5
    assert all(row.startswith("responder.immediate,") for row in rows)
    assert all(row.startswith("responder.immediate.by_design,") for row in pooled.split("\n")[1:] if row)


def axe():
    """axe-core, from `npm install --no-save --no-package-lock --prefix tests/report axe-core@<AXE>`."""
    found = Path(__file__).parent / "report" / "node_modules" / "axe-core"
    if not found.exists():
        message = (
            f"axe-core is not installed: npm install --no-save --no-package-lock --prefix tests/report axe-core@{AXE}"
        )
        pytest.fail(message) if os.environ.get("REWEIGH_CI") else pytest.skip(message)
    assert json.loads((found / "package.json").read_text())["version"] == AXE
    return (found / "axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("review", REVIEWS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser, pages, review, scheme):
    code = axe()
    browser.media(scheme=scheme)
    browser.open(pages[review].as_uri())
    browser.run(ALL_OPEN)
    browser.run("document.querySelector('[data-trial]').click()")
    browser.run(code + "; 0")
    tags = '["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]'
    found = browser.run(
        f"axe.run({{runOnly: {tags}}}).then(r => r.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]))"
    )
    browser.media()
    assert found == []


def test_another_measure_keeps_the_trials_that_were_unticked(browser, inputs, pages):
    analysis = "tuberculosis.end_of_follow_up"
    browser.open(f"{pages[BCG].as_uri()}#explore?a={analysis}")
    offered = browser.run("[...document.getElementById('x-measure').options].map(o => o.textContent)")
    assert offered == ["Risk ratio", "Odds ratio", "Risk difference"]
    effects = inputs[BCG].effects
    left_out = effects["comparison_id"].iloc[0]
    untick(browser, left_out)
    for measure in ("OR", "RD"):
        browser.run(CHOOSE.format("x-measure", f"{analysis}.{measure}"))
        rest = effects[(effects["analysis"] == f"{analysis}.{measure}") & (effects["comparison_id"] != left_out)]
        shown = inputs[BCG].pooled.set_index("analysis").loc[f"{analysis}.{measure}"].iloc[0]
        expected = pool(rest["estimate"].to_numpy(), rest["variance"].to_numpy()).row()
        ends = [expected[name] for name in ("estimate", "ci_lower", "ci_upper")]
        natural = [math.exp(v) for v in ends] if shown["scale"] == "log" else ends
        assert result(browser) == effect_text(*natural, decimals=decimals_of(shown))
        assert f"a={analysis}.{measure}&without={left_out}" in browser.run("location.hash")
    # Crossover trials have no counts of independent patients; parallel ones do, whatever the protocol asks for.
    for analysis, measures in (("responder.immediate", []), ("nausea.whole_trial", ["Odds ratio", "Risk difference"])):
        browser.open("about:blank")
        browser.open(f"{pages[KETAMINE].as_uri()}#explore?a={analysis}")
        offered = browser.run("[...document.getElementById('x-measure').options].map(o => o.textContent)")
        assert offered == ["Risk ratio", *(f"{measure}, from the counts" for measure in measures)]
        assert browser.run("document.getElementById('x-measure-label').hidden") == (not measures)


def test_a_figure_is_printed_alone_on_a_page_of_its_size(browser, pages):
    browser.open(pages[KETAMINE].as_uri())
    name = "responder.immediate"
    printed = browser.run(f"""new Promise((done) => {{
      const add = document.body.append;
      document.body.append = (frame) => {{
        add.call(document.body, frame);
        frame.addEventListener('load', () => {{ frame.contentWindow.print = () => done([frame.srcdoc, frame.contentDocument.querySelectorAll('svg').length]); }});
      }};
      document.querySelector('[data-get="pdf"][data-id="{name}"]').click();
    }})""")
    document, figures = printed
    width, height = browser.run(
        f"document.querySelector('[id=\"fig-{name}\"] svg').getAttribute('viewBox').split(' ').slice(2)"
    )
    assert figures == 1 and f"@page{{size:{float(width):.10g}pt {float(height):.10g}pt;margin:0}}" in document
    assert f"<title>{name}</title>" in document and "@font-face" in document and 'class="hit"' not in document


def test_a_claim_shows_the_figures_behind_it(browser, inputs, tmp_path):
    of = inputs[KETAMINE]
    drawn = {
        "claims/C04": DRAWN.format("its trials"),
        "robustness/responder.immediate.specifications": DRAWN.format("multiverse"),
    }
    claim = dict.fromkeys(CLAIM, "x") | {"id": "C04", "leans_on": [], "analysis": "responder.immediate"}
    claims = [claim, claim | {"id": "C05", "analysis": "", "verdict": "supported", "page_title": "another page"}]
    claims.append(claims[1] | {"id": "C06", "verdict": "contradicted"})
    index = pd.DataFrame(
        [("responder.immediate", "specifications", "Multiverse", "A curve.")],
        columns=["analysis", "kind", "title", "caption"],
    )
    page = tmp_path / "report.html"
    more = {"drawings": drawn, "claims": claims, "figures_robustness": index}
    page.write_text(report_page(replace(of, **more)), encoding="utf-8")
    browser.open(f"{page.as_uri()}#c-C04")
    shown = "[...document.querySelectorAll('#c-C04 svg title')].map(t => t.textContent)"
    assert browser.run("document.querySelector('#c-C04 details').open") and browser.run(shown) == []
    browser.run("document.querySelector('#c-C04 .behind summary').click()")
    browser.run("new Promise(done => setTimeout(done, 100))")
    assert browser.run(shown) == ["its trials", "multiverse"]
    ids = browser.run("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(set(ids)) == len(ids)
    left = "[...document.querySelectorAll('.claim:not([hidden])')].map(c => c.id)"
    assert browser.run(left) == ["c-C04", "c-C05", "c-C06"]
    browser.run("document.querySelector('[data-verdict-link=\"supported\"]').click()")
    assert browser.run(left) == ["c-C05"]
    assert browser.run("document.getElementById('claim-count').textContent") == "1 of 3"
    choose = "(() => {{ const f = document.getElementById('claim-filter'); f.elements.page.value = '{}'; f.dispatchEvent(new Event('input')); }})()"
    browser.run("document.querySelector('[data-verdict-link=\"supported\"]').click()")  # pressed again: all
    assert browser.run(left) == ["c-C04", "c-C05", "c-C06"]
    browser.run(choose.format("x"))
    assert browser.run(left) == ["c-C04"]


HOSTILE = (
    '"\'><img src=x onerror="window.hacked=1"><script>window.hacked=1</script></script></title></style></template></textarea>'
    '<svg onload=window.hacked=1><a href="javascript:window.hacked=1">a</a> [x](javascript:window.hacked=1) {{ 7*7 }} --> ]]>'
)
TEXTS = (
    "title", "label", "population", "intervention", "comparator", "design", "note", "source", "unit", "control",
    "exclusion_reason", "condition", "country", "source_urls", "doi", "registry_id", "place", "read_by", "quote",
)  # fmt: skip


def poisoned(value, name=""):
    """The value with hostile text in each text field that is no key."""
    if isinstance(value, dict):
        return {key: poisoned(one, key) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [poisoned(one, name) for one in value]
    return f"{value} {HOSTILE}" if isinstance(value, str) and (not name or name in TEXTS) else value


def poisoned_table(table):
    texts = [c for c in table if c in TEXTS and c != "design" and not pd.api.types.is_numeric_dtype(table[c])]
    return table.assign(**{c: table[c].where(table[c] == "", table[c] + " " + HOSTILE) for c in texts})


@pytest.mark.parametrize("policy", [True, False], ids=["with its policy", "escaped even without it"])
def test_nothing_that_came_from_data_runs(browser, inputs, tmp_path, policy):
    of = inputs[KETAMINE]
    protocol = type(of.protocol).model_validate(poisoned(of.protocol.model_dump(by_alias=True)))
    protocol = protocol.model_copy(update={"models": of.protocol.models})
    labels = {name: getattr(of, name) for name in ("effects", "studies", "rows")}
    tables = {name: poisoned_table(table) for name, table in labels.items()}
    derived = ("derivation", "assumptions", "flags", "rows")
    tables["effects"] = tables["effects"].assign(**{name: of.effects[name] + " " + HOSTILE for name in derived})
    tables["pooled"] = of.pooled.assign(note=HOSTILE)
    tables["subgroups"] = of.subgroups.assign(q_between_note=HOSTILE)
    ids = of.pooled["analysis"].unique()
    tables["conclusions"] = pd.DataFrame({"analysis": ids, "fragility": HOSTILE, "alternatives": HOSTILE})
    tables["certainty"] = pd.DataFrame(
        dict.fromkeys(["certainty", "domain", "judgement", "figures"], HOSTILE) | {"analysis": ids}
    )
    tables["sequential"] = pd.DataFrame({"analysis": ids, "conclusion": HOSTILE, "note": HOSTILE})
    printed = dict.fromkeys(("label", "outcome", "timepoint", "subgroup", "measure", "printed_estimate", "printed_ci_lower",
                             "printed_ci_upper", "printed", "found_model", "nearest", "missing", "detail", "note"), HOSTILE)  # fmt: skip
    tables["reproduction"] = pd.DataFrame([printed | {"verdict": verdict} for verdict in (NOT_PUBLIC, HOSTILE)])
    tables["published_checks"] = pd.DataFrame([printed | {"result": "flag"}])
    claim = dict.fromkeys(CLAIM, HOSTILE) | {"id": "C1", "analysis": "responder.immediate"}
    claim["leans_on"] = [dict.fromkeys(("label", "citation", "note"), HOSTILE)]
    more = {"claims": [claim], "worked": {name: f"{text}\n\n{HOSTILE}" for name, text in of.worked.items()}}
    hostile = replace(of, protocol=protocol, **tables, **more)
    html = report_page(hostile)
    path = tmp_path / "report.html"
    path.write_text(html if policy else re.sub(r"<meta http-equiv[^>]*>", "", html), encoding="utf-8")
    browser.open(path.as_uri())
    assert browser.run("document.querySelectorAll('article.analysis').length") > 5
    assert (
        browser.run(
            "[...document.querySelectorAll('a[href]')].filter(a => !/^(https?:|data:(application|,)|#|file:)/.test(a.href) && !a.hash).length"
        )
        == 0
    )
    assert browser.run("document.querySelectorAll('img, [onerror], [onload], iframe').length") == 0
    browser.run(ALL_OPEN)
    browser.run("""(async () => {
      HTMLAnchorElement.prototype.click = () => {};
      window.print = () => {};
      for (const one of document.querySelectorAll('a')) one.addEventListener('click', (event) => { if (!one.hash) event.preventDefault(); });
      for (const one of document.querySelectorAll('button:not([data-get="pdf"]):not([data-get="png"]), .hit, a, summary, input[type=checkbox]')) {
        one.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }));
        for (const open of document.querySelectorAll('dialog[open]')) open.close();
      }
      for (const select of document.querySelectorAll('#x-controls select'))
        for (const option of [...select.options].slice(0, 4)) { select.value = option.value; select.dispatchEvent(new Event('change')); }
      await new Promise((done) => setTimeout(done, 500));
    })()""")
    assert browser.run("window.hacked ?? null") is None
    assert browser.run("document.body.textContent.includes('window.hacked=1')")
    text = summary(hostile)
    assert not re.search(r"(?<!\\)<[a-z/!]|(?<!\\)\]\(", text)


APPROVED = Path(__file__).parent / "report" / "approved"
VIEWS = {
    "wide": {"width": 1440, "scheme": "light", "kind": "screen"},
    "narrow": {"width": 375, "scheme": "dark", "kind": "screen"},
    "print": {"width": 720, "scheme": "light", "kind": "print"},
}
SECTIONS = {
    "headline": "#headline",
    "analysis": "[id='a-responder.immediate']",
    "explorer": "#explore",
    "trials": "#trials",
}


def shipped_fonts():
    """Style that sets the page in fonts that ship with matplotlib: pictures do not depend on the machine's fonts."""
    faces, folder = "", Path(FONT_FILES["normal"]).parent
    for family in ("Sans", "Serif"):
        for weight, file in ((400, f"DejaVu{family}.ttf"), (700, f"DejaVu{family}-Bold.ttf")):
            data = base64.b64encode((folder / file).read_bytes()).decode()
            faces += f"@font-face{{font-family:'Shipped {family}';font-weight:{weight};src:url(data:font/ttf;base64,{data})}}"
    return faces + ":root{--serif:'Shipped Serif'!important;--sans:'Shipped Sans'!important}"


@pytest.mark.parametrize("view", VIEWS)
def test_the_page_looks_as_approved(browser, pages, view):
    """At most 0.5% of the pixels differ by more than 16 of 255; REWEIGH_APPROVE=1 approves what there is."""
    how = VIEWS[view]
    browser.media(scheme=how["scheme"], kind=how["kind"])
    browser.size(how["width"])
    browser.open(f"{pages[KETAMINE].as_uri()}#explore?a=responder.immediate")
    browser.run(f"""(async () => {{
      const style = document.createElement('style');
      style.textContent = {json.dumps(shipped_fonts())};
      document.head.append(style);
      for (const one of document.querySelectorAll("#trials > details, [id='a-responder.immediate'] > details")) {{ one.open = true; await unfold(one); }}
      for (const face of document.fonts) await face.load();
      const dark = matchMedia('(prefers-color-scheme: dark)');
      while (dark.matches !== {json.dumps(how["scheme"] == "dark")}) await new Promise(requestAnimationFrame);
      for (let frame = 0; frame < 3; frame++) await new Promise(requestAnimationFrame);
    }})()""")
    found = {}
    for name, selector in SECTIONS.items():
        # A section begins at a whole pixel, whatever stands above it.
        top, height = browser.run(f"""(() => {{
          const section = document.querySelector(`{selector}`), box = section.getBoundingClientRect(), top = box.top + scrollY;
          section.style.marginTop = `${{parseFloat(getComputedStyle(section).marginTop) + Math.ceil(top) - top}}px`;
          return [Math.ceil(top), box.height];
        }})()""")
        if height:
            box = {
                "x": 0,
                "y": math.floor(top),
                "width": how["width"],
                "height": min(900, math.floor(height)),
                "scale": 1,
            }
            picture = Image.open(io.BytesIO(browser.picture(box))).convert("RGB")
            found[name] = picture
    browser.media()
    if os.environ.get("REWEIGH_APPROVE"):
        APPROVED.mkdir(exist_ok=True)
        for name, picture in found.items():
            picture.quantize(256, dither=Image.Dither.NONE).save(APPROVED / f"{view}.{name}.png", optimize=True)
    assert {path.stem.partition(".")[2] for path in APPROVED.glob(f"{view}.*.png")} == found.keys()
    for name, picture in found.items():
        approved = Image.open(APPROVED / f"{view}.{name}.png").convert("RGB")
        assert picture.size == approved.size, name
        apart = np.abs(np.asarray(picture, dtype=int) - np.asarray(approved, dtype=int)).max(axis=2) > 16
        assert apart.mean() <= 0.005, (name, apart.mean())


def test_the_same_page_is_printed_as_the_same_bytes(pages):
    first, second = (print_page(pages[BCG], find_chromium()) for _ in range(2))
    assert first.startswith(b"%PDF") and len(first) > 50_000
    assert first == second


def test_the_tab_key_reaches_everything_that_can_be_used(browser, pages):
    browser.open(pages[BCG].as_uri())
    everything = browser.run("""(() => {
      window.reached = new Set();
      document.addEventListener('focusin', (event) => window.reached.add(event.target));
      window.wanted = [...document.querySelectorAll('a[href], button, select, input, summary, .term, .hit')].filter((one) => one.tabIndex >= 0 && one.checkVisibility());
      return window.wanted.length;
    })()""")
    assert everything > 15
    for _ in range(everything + 60):  # what scrolls takes the focus as well
        browser.key("Tab", 9)
    left = "window.wanted.filter((one) => !window.reached.has(one)).map((one) => one.outerHTML.slice(0, 120))"
    assert browser.run(left) == []


SEEN = """(() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [], range = document.createRange();
  while (walk.nextNode()) {
    range.selectNodeContents(walk.currentNode);
    const boxes = [...range.getClientRects()].filter((box) => box.width > 1);
    const inside = boxes.length && boxes.every((box) => box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth);
    if (inside && walk.currentNode.parentElement.checkVisibility({ visibilityProperty: true })) found.push(walk.currentNode.textContent);
  }
  return found.join(" ").replace(/\\s+/g, " ");
})()"""


@pytest.mark.slow
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (375, 812)])
def test_the_first_screen_answers(browser, built, width, height):
    """Is there moderate evidence at four weeks, and what would change the verdict: read whole, without a click."""
    browser.size(width, height)
    browser.open((built / "results" / KETAMINE / "report.html").as_uri())
    seen = browser.run(SEEN)
    claim = json.loads((built / "results" / KETAMINE / "claims.json").read_text("utf-8"))[0]
    assert claim["verdict"] == "not supported" and claim["certainty"] == "very low"
    for said in (claim["claim"], "Not supported", claim["best_now"], claim["count"], "certainty very low", claim["answer"],
                 "What would change it:", claim["would_change"]):  # fmt: skip
        assert words.nice(said).replace("\u00a0", " ") in seen, said


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 375])
def test_what_a_reviewer_asks_next_is_two_clicks_away(browser, built, width):
    page = (built / "results" / KETAMINE / "report.html").as_uri()
    browser.size(width)

    def fresh():
        browser.open("about:blank")
        browser.open(page)

    def click(what):
        browser.run(
            f"(() => {{ const one = document.querySelector(`{what}`); if (!one.checkVisibility()) throw new Error('not to be seen'); one.click(); }})()"
        )
        browser.run("new Promise(done => setTimeout(done, 300))")

    visible = (
        "[...document.querySelectorAll(`{}`)].filter((one) => one.checkVisibility()).map((one) => one.textContent)"
    )
    # What if Amr 2011 goes?
    fresh()
    click('.lead-answer a[href^="#explore"]')
    click('[data-trial="amr2011"]')
    effects = pd.read_csv(built / "results" / KETAMINE / "effects.csv", low_memory=False)
    week_4 = effects[effects["analysis"] == "pain_intensity.week_4"].set_index("comparison_id")
    [left] = week_4.drop(index="amr2011").to_dict("records")
    numbers = (left[f"{end}_natural"] for end in ("estimate", "ci_lower", "ci_upper"))
    assert result(browser) == effect_text(*numbers, decimals=2)
    # Why is Schwartzman not in the week-4 pool?
    fresh()
    click('.map a[href="#a-pain_intensity.week_4"]')
    click('[id="a-pain_intensity.week_4"] .elsewhere > summary')
    [told] = [
        one
        for one in browser.run(visible.format('[id="a-pain_intensity.week_4"] .elsewhere li'))
        if "Schwartzman" in one
    ]
    assert told.startswith("Schwartzman 2009: ") and "up to 3 months" in told
    # How was Sigtermans' effect derived?
    fresh()
    click('.map a[href="#a-pain_intensity.week_1"]')
    browser.run(
        """[...document.querySelectorAll('[id="fig-pain_intensity.week_1"] .hit')].find((one) => one.getAttribute('aria-label').startsWith('Sigtermans')).dispatchEvent(new MouseEvent('click', { bubbles: true }))"""
    )
    browser.run("packed('')")
    assert "Step 1" in browser.run("document.getElementById('detail').textContent")


@pytest.mark.slow
def test_another_baseline_risk_gives_the_absolute_effects_of_the_pipeline(browser, built):
    """Each row at the lowest, the highest and a typed risk: what absolute_effect gives at that risk."""
    folder = built / "results" / KETAMINE
    effects, pooled = (pd.read_csv(folder / name, low_memory=False) for name in ("effects.csv", "pooled.csv"))
    browser.open((folder / "report.html").as_uri())
    compared = 0
    for choice, pick in (("0", "min"), ("2", "max"), ("own", None)):
        browser.run(
            f"(() => {{ const f = document.getElementById('risk'); f.elements.risk.value = '{choice}'; f.elements.own.value = '250'; f.dispatchEvent(new Event('input')); }})()"
        )
        rows = browser.run(
            "[...document.querySelectorAll('.findings tr[data-risks]')].map((row) => [row.querySelector('a').hash.slice(3), ...['control', 'with', 'difference'].map((name) => row.querySelector(`.${name}`).textContent)])"
        )
        for analysis, control, with_it, difference in rows:
            trials = effects[effects["analysis"] == analysis]
            risk = getattr(control_risks(trials), pick)() if pick else 0.25
            main = pooled[pooled["analysis"] == analysis].iloc[0]
            assert control == f"{1000 * risk:.0f}"
            if risk == 0:
                assert with_it == difference == "not estimable"
                continue
            ends = (main[f"{end}_natural"] for end in ("estimate", "ci_lower", "ci_upper"))
            found = absolute_effect(main["measure"], risk, *ends)
            assert with_it.partition(" (")[0] == f"{found.corresponding:.0f}"
            assert difference.split()[0] == f"{abs(found.difference[0]):.0f}"
            if not math.isnan(found.lower):
                assert with_it.endswith(f"({found.lower:.0f} to {found.upper:.0f})")
            compared += 1
    assert compared > 25


def test_a_term_is_explained_on_focus(browser, pages):
    browser.open(f"{pages[KETAMINE].as_uri()}#map")
    browser.run("document.querySelector('#map .term').focus()")
    browser.key("Tab", 9)
    browser.run("document.querySelector('#map .term').focus()")
    assert TERMS["certainty (GRADE)"] in browser.run("document.getElementById('tip').textContent")
    browser.key("Escape", 27)
    assert browser.run("document.getElementById('tip').hidden")
