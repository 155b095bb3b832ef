"""The forest plot: its table, its layout and its artists, on real trials."""

import json
import math
import re
from dataclasses import fields, replace
from functools import lru_cache
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fontTools.ttLib import TTFont
from matplotlib import rc_context
from matplotlib.text import Text
from matplotlib.transforms import Affine2D
from scipy import stats

from reweigh.figures.forest.draw import (
    LARGEST_SQUARE,
    SMALLEST_SQUARE,
    ForestMeta,
    Layers,
    draw_forest,
    forest_table,
)
from reweigh.figures.forest.journals import LAYOUTS
from reweigh.figures.forest.lights import lights
from reweigh.figures.forest.table import WEIGHT, printed_shares
from reweigh.figures.style import FONT_FILES, PAGE_WIDTH, RC, TEXT_SIZE, text_width
from reweigh.risk_of_bias import read_risk_of_bias, read_tools

DATA, REFERENCE = Path(__file__).parents[1] / "data", Path(__file__).parent / "reference"
TOOLS = read_tools((DATA / "risk_of_bias_tools.yaml").read_bytes())
Z = stats.norm.ppf(0.975)

# The five ketamine trials with response in the immediate window (events, n, events, n) and their pain types.
KETAMINE = {
    "Kvarnström 2003": (7, 12, 2, 12, "neuropathic"),
    "Kvarnström 2004": (5, 10, 0, 10, "spinal_cord_injury"),
    "Lemming 2005": (14, 30, 2, 30, "musculoskeletal"),
    "Lumanauw 2019": (53, 65, 13, 32, "mixed"),
    "Noppers 2011": (8, 12, 3, 12, "fibromyalgia"),
}


def effects(yi, vi, scale, **columns):
    """Rows of effects.csv from estimates and variances on the analysis scale."""
    yi, half = np.asarray(yi, dtype=float), Z * np.sqrt(vi)
    back = np.exp if scale == "log" else np.asarray
    return pd.DataFrame(
        {"study_id": [f"s{i}" for i in range(len(yi))], "estimate": yi, "variance": vi}
        | {"ci_lower_natural": back(yi - half), "ci_upper_natural": back(yi + half)}
        | columns
    )


def risk_ratios(labels, e1, n1, e2, n2, **columns):
    e1, n1, e2, n2 = (np.asarray(v, dtype=float) for v in (e1, n1, e2, n2))
    add = 0.5 * ((e1 == 0) | (e2 == 0))
    a, b, c, d = e1 + add, n1 + 2 * add, e2 + add, n2 + 2 * add
    counts = {"events_intervention": e1, "n_intervention": n1, "events_control": e2, "n_control": n2}
    corrected = {"corrected": np.where(add > 0, "yes", "no"), "label": labels}
    return effects(np.log(a / b / (c / d)), 1 / a - 1 / b + 1 / c - 1 / d, "log", **counts, **corrected, **columns)


def model(rows, scale, *, wald=False):
    """A row of pooled.csv: DerSimonian-Laird with a Wald interval or a t(k-1) one."""
    yi, vi, k = rows["estimate"].to_numpy(), rows["variance"].to_numpy(), len(rows)
    common = {
        "k": k,
        "comparisons": k,
        "scale": scale,
        "level": 0.95,
        "tau2_method": "DL",
        "i2_definition": "tau2-based",
    }
    common |= {"ci_method": "wald" if wald else "hartung-knapp", "pi_method": "none" if wald else "hartung-knapp"}
    if k == 1:
        half = Z * math.sqrt(vi[0])
        own = {"estimate": yi[0], "ci_lower": yi[0] - half, "ci_upper": yi[0] + half}
        return common | own | {"note_codes": "one_trial"}
    w = 1 / vi
    q = float((w * (yi - (w @ yi) / w.sum()) ** 2).sum())
    tau2 = max(0.0, (q - (k - 1)) / (w.sum() - (w**2).sum() / w.sum()))
    w = 1 / (vi + tau2)
    mu = float(w @ yi / w.sum())
    se = w.sum() ** -0.5 if wald else math.sqrt((w * (yi - mu) ** 2).sum() / (k - 1) / w.sum())
    t = Z if wald else stats.t.ppf(0.975, k - 1)
    found = {"estimate": mu, "ci_lower": mu - t * se, "ci_upper": mu + t * se, "statistic": mu / se, "p_value": 0.0312}
    found |= {"tau2": tau2, "i2": 51.7, "q": q, "q_df": k - 1, "q_p_value": stats.chi2.sf(q, k - 1)}
    if k > 2 and not wald:
        reach = t * math.sqrt(tau2 + se**2)
        found |= {"pi_lower": mu - reach, "pi_upper": mu + reach}
    return common | found | {"df": math.inf if wald else k - 1, "note_codes": ""}


def weighed(rows, scale="log"):
    """The trials with a weight each in the model that is drawn, as weights.csv would give them."""
    weight = 1 / (rows["variance"] + model(rows, scale).get("tau2", 0))
    return rows.assign(**{WEIGHT: 100 * weight / weight.sum()})


def pooled(rows, scale="log"):
    return pd.DataFrame([model(rows, scale), model(rows, scale, wald=True)])


def split(rows, column, scale="log", **test):
    test = test or {"q_between_note_codes": "few_subgroups"}
    parts = [
        {"subgroup": name, "column": column, **model(part, scale)} for name, part in rows.groupby(column, sort=False)
    ]
    return pd.DataFrame(parts).assign(**test)


def arms(review, key="study_id"):
    table = pd.read_csv(DATA / review / "arms.csv")
    sides = [table[table["role"] == role].set_index(key) for role in ("intervention", "control")]
    return sides[0].add_suffix("1").join(sides[1].add_suffix("2"))


def counts(review, key="study_id"):
    both = arms(review, key)
    return risk_ratios(both["label1"].tolist(), *(both[c] for c in ("events1", "n1", "events2", "n2")))


def judgements(tool):
    """Judgements made up for the drawing of lights: the first trial by all levels in turn, the last one by none."""
    about = TOOLS[tool]
    names = [domain for domain, _ in about.domains]
    rows = [
        (f"s{i}", tool, d, about.levels[(i + j) % len(about.levels)].name)
        for i in range(4)
        for j, d in enumerate(names)
    ]
    return read_risk_of_bias(pd.DataFrame(rows, columns=["study_id", "tool", "domain", "judgement"]), TOOLS)


@lru_cache
def case(name):
    """Tables and words of one analysis."""
    ketamine = ForestMeta(
        "Response, immediate", "Risk ratio", "Ketamine", "Control", "Favours control", "Favours ketamine", "log"
    )
    columns = list(zip(*KETAMINE.values(), strict=True))
    trials = risk_ratios(list(KETAMINE), *columns[:4], pain_type=columns[4])
    rr = "measure kind=RR"
    trials["derivation_codes"] = [
        f"marginal_phi; {rr}", f"marginal_phi; {rr}; zero_cell amount=0.5",
        f"percent_to_events percent=47 n=30 events=14; marginal_phi; {rr}", rr, "",
    ]  # fmt: skip
    trials["assumption_codes"] = ["phi value=0.2", "phi value=0.2", "phi value=0.2", "", ""]
    if name == "judged":
        meta = replace(ketamine, risk_of_bias=lights(judgements("RoB 2"), trials["study_id"].tolist(), "response"))
        return weighed(trials), pooled(trials), None, meta
    if name.startswith("ketamine"):
        first = int(name[-1]) if name[-1].isdigit() else 5
        trials = trials.iloc[5 - first :]
        by = split(trials, "pain_type") if name == "ketamine by pain type" else None
        return weighed(trials), pooled(trials), by, ketamine
    if name.startswith("bcg"):
        trials = counts("bcg-vaccine")
        trials["allocation"] = pd.read_csv(DATA / "bcg-vaccine" / "studies.csv")["allocation"]
        trials["year"] = pd.read_csv(DATA / "bcg-vaccine" / "studies.csv")["year"]
        test = {"q_between": 1.86, "q_between_df": 2, "q_between_p_value": 0.394, "q_between_note_codes": ""}
        by = split(trials, "allocation", **test) if name == "bcg by allocation" else None
        meta = ForestMeta("Tuberculosis", "Risk ratio", "BCG", "No vaccine", "Favours BCG", "Favours none", "log")
        return weighed(trials), pooled(trials), by, meta
    if name == "nsaids":
        trials = counts("topical-nsaids-acute-pain", "comparison_id")
        meta = ForestMeta("Success", "Risk ratio", "NSAID", "Placebo", "Favours placebo", "Favours NSAID", "log")
        return weighed(trials), pooled(trials), None, meta
    if name == "manipulation":
        both = arms("spinal-manipulation-low-back-pain", "comparison_id")
        names = {"mean1": "mean_intervention", "sd1": "sd_intervention", "n1": "n_intervention"}
        names |= {"mean2": "mean_control", "sd2": "sd_control", "n2": "n_control"}
        given = both.rename(columns=names)[list(names.values())]
        vi = both["sd1"] ** 2 / both["n1"] + both["sd2"] ** 2 / both["n2"]
        values = {name: given[name].to_numpy() for name in given}
        trials = effects(
            both["mean1"] - both["mean2"], vi.to_numpy(), "natural", label=both["label1"].tolist(), **values
        )
        return (
            weighed(trials, "natural"),
            pooled(trials, "natural"),
            None,
            replace(ketamine, scale="natural", measure_label="Mean difference"),
        )
    if name.startswith("fibromyalgia"):
        given = pd.read_csv(REFERENCE / "fibromyalgia_effects.csv")
        trials = effects(given["estimate"], given["se"] ** 2, "natural", label=given["study_id"].tolist())
        trials["half"] = ["first", "second"] * 11
        by = split(trials, "half", "natural") if name.endswith("halves") else None
        meta = replace(ketamine, scale="natural", measure_label="Standardised mean difference")
        return weighed(trials, "natural"), pooled(trials, "natural"), by, meta
    # Labels of 60 characters, all the same, and words that are far too long everywhere else.
    rng = np.random.default_rng(1)
    n1, n2 = rng.integers(8, 4000, 40), rng.integers(8, 4000, 40)
    labels = ["The Multicentre International Collaborative Study Group 1998."[:60]] * 40
    trials = risk_ratios(labels, rng.binomial(n1, 0.2), n1, rng.binomial(n2, 0.2), n2)
    trials["derivation_codes"] = [f"direction_assumed direction=number_{i}" if i % 3 else "" for i in range(40)]
    trials["set"] = [f"a subgroup whose name is much too long, {i % 4}" for i in range(40)]
    long = "Favours whatever the longest protocol of all protocols calls its intervention, in words and words"
    meta = ForestMeta(
        title=" ".join(["A title that goes on"] * 12),
        measure_label="Standardised mean difference (unequal variances)",
        intervention="Intravenous racemic ketamine with whatever else",
        control="Active placebo or no treatment at all",
        favours_left=long,
        favours_right=long,
        scale="log",
        footnotes=(" ".join(["A footnote that goes on"] * 20),),
    )
    if name == "long judged":
        meta = replace(meta, risk_of_bias=lights(judgements("ROBINS-I"), trials["study_id"].tolist(), "x"))
    return weighed(trials), pooled(trials), split(trials, "set") if name == "long by set" else None, meta


CASES = (
    "ketamine", "ketamine 1", "ketamine 2", "ketamine by pain type", "bcg", "bcg by allocation", "nsaids", "manipulation",
    "fibromyalgia", "fibromyalgia halves", "long", "long by set", "judged", "long judged",
)  # fmt: skip


@lru_cache
def drawn(name, layers=Layers(), layout="reweigh"):  # noqa: B008
    *tables, meta = case(name)
    meta = replace(meta, layout=LAYOUTS[layout])
    table = forest_table(*tables, meta)
    return table, draw_forest(table, meta, layers=layers)


every_layout = pytest.mark.parametrize("layout", LAYOUTS)


def artists(figure):
    return {a.get_gid(): a for a in figure.findobj(lambda a: a.get_gid() is not None)}


def extents(figure):
    """Where each text stands, in points, by the renderer."""
    renderer, scale = figure.canvas.get_renderer(), Affine2D().scale(72 / figure.dpi)
    found = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text()]
    return [(t, t.get_window_extent(renderer).transformed(scale)) for t in found]


@every_layout
@pytest.mark.parametrize("name", CASES)
def test_texts_neither_overlap_nor_leave_the_page(name, layout):
    _, figure = drawn(name, layout=layout)
    boxes = extents(figure)
    width, height = figure.get_size_inches() * 72
    for text, box in boxes:
        assert box.x0 > 2 and box.x1 < width - 2 and box.y0 > 2 and box.y1 < height - 2, text
    for (one, a), (two, b) in combinations(boxes, 2):
        apart = a.x1 <= b.x0 + 0.2 or b.x1 <= a.x0 + 0.2 or a.y1 <= b.y0 + 0.2 or b.y1 <= a.y0 + 0.2
        assert apart, f"{one.get_text()!r} overlaps {two.get_text()!r}"


@every_layout
@pytest.mark.parametrize("name", CASES)
def test_no_text_stands_on_the_marks(name, layout):
    _, figure = drawn(name, layout=layout)
    panel = figure.axes[0].get_window_extent().transformed(Affine2D().scale(72 / figure.dpi))
    for text, box in extents(figure):
        if box.y0 >= panel.y0:
            assert box.x1 <= panel.x0 or box.x0 >= panel.x1 or box.y0 >= panel.y1, text


@every_layout
@pytest.mark.parametrize("name", CASES)
def test_text_and_marks_say_the_same_numbers(name, layout):
    table, figure = drawn(name, layout=layout)
    meta, found = case(name)[3], artists(figure)
    back = math.exp if meta.scale == "log" else float
    for line in table[table["marker"] != ""].itertuples():
        decimals = len(re.search(r"\d\.(\d+)", line.effect)[1])
        texts = [text.replace("−", "-") for text in re.findall(r"[<>−]?\d+(?:\.\d+)?", line.effect)]
        values = (
            [line.ci_lower, line.ci_upper] if line.marker == "bar" else [line.estimate, line.ci_lower, line.ci_upper]
        )
        for text, value in zip(texts, values, strict=True):
            assert text in ("<0.01", ">9999") or float(text) == pytest.approx(back(value), abs=0.5001 * 10**-decimals)
        start = f"{line.layer}.{line.row_id}"
        if line.marker == "square":
            assert found[f"{start}.square"].get_xdata() == [line.estimate]
            ends = found[f"{start}.interval"].get_xdata()
        elif line.marker == "bar":
            ends = found[f"{start}.interval"].get_xdata()
        else:
            x = found[f"{start}.diamond"].get_xy()[:, 0]
            assert line.estimate in x
            ends = x.min(), x.max()
        assert line.clipped_lower or ends[0] == line.ci_lower
        assert line.clipped_upper or ends[1] == line.ci_upper
        assert "".join(found[f"{start}.effect"].get_text().split()) == "".join(line.effect.split())


@every_layout
@pytest.mark.parametrize("name", CASES)
def test_arrows_stand_where_an_interval_leaves_the_axis_and_nowhere_else(name, layout):
    table, figure = drawn(name, layout=layout)
    low, high = figure.axes[0].get_xlim()
    expected = set()
    for line in table[table["marker"] != ""].itertuples():
        assert line.clipped_lower == (line.ci_lower < low)
        assert line.clipped_upper == (line.ci_upper > high)
        for side in ("lower", "upper"):
            if getattr(line, f"clipped_{side}"):
                expected.add(f"{line.layer}.{line.row_id}.arrow-{side}")
    assert {gid for gid in artists(figure) if "arrow" in gid} == expected


def test_wide_intervals_of_light_trials_are_clipped():
    table, _ = drawn("nsaids")
    clipped = table[table["clipped_upper"]]
    assert set(clipped["label"]) == {"Diebschlag 1990a", "Diebschlag 1990b"}
    assert (clipped["weight"] < 0.5).all()


@every_layout
@pytest.mark.parametrize("name", CASES)
def test_marks_stay_within_the_panel(name, layout):
    _, figure = drawn(name, layout=layout)
    low, high = figure.axes[0].get_xlim()
    slack = 1e-9 * (high - low)
    for artist in [*figure.axes[0].lines, *figure.axes[0].patches]:
        x = artist.get_xdata() if hasattr(artist, "get_xdata") else artist.get_xy()[:, 0]
        assert np.min(x) >= low - slack and np.max(x) <= high + slack, artist.get_gid()


def advance(text, weight="normal"):
    """Width of a text in points, from the advance widths in the font file."""
    font = ADVANCES[weight]
    return sum(font[ord(character)] for character in text) * TEXT_SIZE


ADVANCES = {}
for _weight, _file in FONT_FILES.items():
    with TTFont(_file, lazy=True) as _font:
        _table, _em = _font["hmtx"], _font["head"].unitsPerEm
        ADVANCES[_weight] = {code: _table[glyph][0] / _em for code, glyph in _font.getBestCmap().items()}


@every_layout
@pytest.mark.parametrize("name", [name for name in CASES if not name.endswith("1")])
def test_brackets_stand_below_each_other_and_hold_no_padding(name, layout):
    """And with them the decimal points of the estimates."""
    table, figure = drawn(name, layout=layout)
    found = artists(figure)
    brackets, points = [], []
    for line in table[table["marker"] != ""].itertuples():
        artist = found[f"{line.layer}.{line.row_id}.effect"]
        text, left = artist.get_text(), artist.get_position()[0]
        assert text == line.effect and not re.search(r"[(\[]\s|\s[)\]]|\s\s|[^\x20\S]", text)
        head = re.match(r"[^(\[]*", text)[0]
        brackets.append(left + advance(head))
        if "." in head:
            points.append(left + advance(head.partition(".")[0]))
    for places in (brackets, points):
        assert len(places) > 1 and max(places) - min(places) < 0.15


@every_layout
@pytest.mark.parametrize("name", CASES)
def test_a_figure_is_as_wide_as_a_journal_prints_it(name, layout):
    """Its sizes are then the printed ones: see the test of the least size.

    Headers that are too long everywhere, beside lights, need a little more.
    """
    assert drawn(name, layout=layout)[1].get_figwidth() * 72 <= (1.1 if name == "long judged" else 1.001) * PAGE_WIDTH


@pytest.mark.parametrize(
    ("name", "column", "character"),
    [
        ("bcg by allocation", "events_intervention", "/"),
        ("manipulation", "sd_control", "."),
        ("bcg", "weight_text", "."),
    ],
)
def test_columns_stand_on_one_character(name, column, character):
    _, figure = drawn(name)
    places = []
    for gid, artist in artists(figure).items():
        if gid.startswith(("arm_data.study", "weights.study", "arm_data.sub", "arm_data.overall")):
            if not gid.endswith(column) and not (column == "weight_text" and gid.endswith(".weight")):
                continue
            text, x = artist.get_text(), artist.get_position()[0]
            start = x - advance(text) if artist.get_ha() == "right" else x
            places.append(start + advance(text.partition(character)[0]))
    assert len(places) >= 13
    assert max(places) - min(places) < 0.05


ONE, PLAIN = "ketamine 1", "manipulation"
NOTHING_TO_REMOVE = {
    (ONE, "weights"), (ONE, "subtotals"), (ONE, "tests"), (ONE, "prediction_interval"), (ONE, "comparison_models"),
    (ONE, "overall_line"), *((name, "risk_of_bias") for name in (ONE, PLAIN, "ketamine by pain type", "bcg by allocation")),
    (ONE, "footnotes"), (PLAIN, "subtotals"), ("judged", "subtotals"), ("ketamine by pain type", "subtotals"),
}  # fmt: skip


SWITCHED = [(name, "reweigh") for name in ("ketamine by pain type", "bcg by allocation", ONE, PLAIN, "judged")]
SWITCHED += [("bcg by allocation", "revman"), ("bcg by allocation", "jama")]


@pytest.mark.parametrize("layer", [f.name for f in fields(Layers)])
@pytest.mark.parametrize(("name", "layout"), SWITCHED)
def test_a_switch_removes_exactly_its_own_artists(name, layout, layer):
    def gids(figure):
        # A narrower page may wrap a text into more lines.
        return {re.sub(r"(\.(text|label))-\d+$", r"\1", gid) for gid in artists(figure)}

    everything = gids(drawn(name, layout=layout)[1])
    rest = gids(drawn(name, Layers(**{layer: False}), layout)[1])
    assert rest == {gid for gid in everything if layer not in gid.partition(".")[0].split("+")}
    assert rest != everything or (name, layer) in NOTHING_TO_REMOVE or (layout, layer) == ("jama", "title")


@every_layout
@pytest.mark.parametrize("layer", [f.name for f in fields(Layers)])
def test_without_a_layer_nothing_overlaps_and_the_axis_stays(layer, layout):
    _, full = drawn("bcg by allocation", layout=layout)
    _, figure = drawn("bcg by allocation", Layers(**{layer: False}), layout)
    assert figure.axes[0].get_xlim() == full.axes[0].get_xlim()
    assert (figure.get_size_inches() <= np.add(full.get_size_inches(), (0, 1.0))).all()
    for (_, a), (_, b) in combinations(extents(figure), 2):
        assert a.x1 <= b.x0 + 0.2 or b.x1 <= a.x0 + 0.2 or a.y1 <= b.y0 + 0.2 or b.y1 <= a.y0 + 0.2


def test_nothing_but_the_trials_can_be_drawn():
    _, figure = drawn("bcg by allocation", Layers(**{f.name: False for f in fields(Layers)}))
    assert {gid.split(".")[0] for gid in artists(figure)} == {"study"}


def test_equal_labels_stay_two_rows():
    table, figure = drawn("long")
    studies = table[table["kind"] == "study"]
    assert len(studies) == 40 and set(studies["label"]) == {studies["label"].iloc[0]}
    assert studies["y"].is_unique and studies["row_id"].is_unique
    assert len({artists(figure)[f"study.{row}.label"].get_position()[1] for row in studies["row_id"]}) == 40


def test_height_follows_the_number_of_rows():
    heights = [
        drawn(name)[1].get_size_inches()[1] for name in ("ketamine 1", "ketamine 2", "ketamine", "bcg", "nsaids")
    ]
    assert all(a < b for a, b in pairwise(heights))


def test_areas_of_squares_are_proportional_to_weights():
    table, figure = drawn("nsaids")
    studies = table[table["kind"] == "study"]
    sides = [artists(figure)[f"study.{row}.square"].get_markersize() for row in studies["row_id"]]
    areas = np.square(sides) / np.square(sides).sum()
    np.testing.assert_allclose(areas, studies["weight"] / 100, rtol=1e-12)


def test_weights_are_those_that_metafor_prints():
    """BCG by DerSimonian-Laird (tests/reference/figures_weights.R)."""
    table, _ = drawn("bcg")
    expected = json.loads((REFERENCE / "figures_weights.json").read_text())["weights"]["RR_dl"]
    studies = table[table["kind"] == "study"]
    by_label = pd.read_csv(DATA / "bcg-vaccine" / "studies.csv").set_index("label")["study_id"]
    found = dict(zip(studies["label"].map(by_label), studies["weight"], strict=True))
    assert found == pytest.approx(expected, rel=1e-8)


def test_printed_weights_add_up():
    for name in CASES:
        printed = drawn(name)[0].query("kind == 'study'")["weight_text"].str.rstrip("%")
        assert printed.eq("").all() or printed.astype(float).sum() == pytest.approx(100, abs=1e-9)
    assert sorted(printed_shares([100 / 3] * 3)) == [33.3, 33.3, 33.4]
    # Rounding alone gives 100.2: the two lightest that can bear it do, and no weight is off by a whole digit.
    peto = list(json.loads((REFERENCE / "figures_weights.json").read_text())["weights"]["OR_peto"].values())
    shown = printed_shares(peto)
    assert math.fsum(shown) == pytest.approx(100, abs=1e-9) and max(np.abs(np.subtract(shown, peto))) < 0.075
    assert shown[3] == 12.7 and shown[7] == 41.3
    assert printed_shares([12.34, math.nan, 87.66]) == pytest.approx([12.3, math.nan, 87.7], nan_ok=True)


def test_a_trial_without_a_weight_has_a_dash():
    trials, models, _, meta = case("ketamine")
    weights = trials[WEIGHT].where(trials.index > 0)
    table = forest_table(
        trials.assign(**{WEIGHT: weights * 100 / weights.sum()}), models.assign(comparisons=4), None, meta
    )
    assert table.loc[table["kind"] == "study", "weight_text"].tolist()[0] == "–"
    assert table.loc[table["kind"] == "overall", "weight_text"].item() == "100.0%"


@every_layout
def test_one_trial_is_shown_and_not_pooled(layout):
    table, figure = drawn("ketamine 1", layout=layout)
    title = ["title"] if LAYOUTS[layout].title else []
    assert list(table["kind"]) == [*title, "column header", "column header", "study", "heterogeneity line"]
    assert table["label"].iloc[-1] == "One trial: not pooled"
    assert not any("diamond" in gid for gid in artists(figure))
    assert not table["effect"].str.contains("not estimable").any()


def test_a_subgroup_of_one_trial_has_no_diamond_and_no_heterogeneity():
    table, figure = drawn("ketamine by pain type")
    assert list(table.loc[table["kind"] == "subgroup heading", "label"]) == [
        "Neuropathic", "Spinal cord injury", "Musculoskeletal", "Mixed", "Fibromyalgia"
    ]  # fmt: skip
    assert "subgroup pooled" not in set(table["kind"])
    assert [gid for gid in artists(figure) if gid.startswith("heterogeneity")] == ["heterogeneity.heterogeneity.text"]
    assert table.loc[table["row_id"] == "test-subgroups", "label"].item() == (
        "Test for subgroup differences: not estimable: the test needs at least two subgroups with an estimate"
    )


def test_subgroups_have_their_own_rows_in_the_order_given():
    trials, _, by, _ = case("bcg by allocation")
    table, _ = drawn("bcg by allocation")
    subtotals = table[table["kind"] == "subgroup pooled"].reset_index(drop=True)
    np.testing.assert_array_equal(subtotals["estimate"], by["estimate"])
    np.testing.assert_allclose(table.loc[table["kind"] == "study", "weight"].sum(), 100)
    np.testing.assert_allclose(subtotals["weight"].sum(), 100)
    sizes = trials.groupby("allocation", sort=False).size().tolist()
    kinds = "".join({"study": "s", "subgroup heading": "h", "subgroup pooled": "d"}.get(k, "") for k in table["kind"])
    assert kinds == "".join("h" + "s" * size + "d" for size in sizes)
    assert table.loc[table["row_id"] == "test-subgroups", "label"].item() == (
        "Test for subgroup differences (DL, Hartung-Knapp): Q = 1.86, df = 2, P = 0.39"
    )
    assert subtotals["events_intervention"].tolist() == ["617/112693", "213/6610", "235/71761"]


def test_arm_data_or_a_dash():
    table, _ = drawn("ketamine")
    assert table.loc[table["label"] == "Lumanauw 2019", "events_intervention"].item() == "53/65"
    trials, models, _, meta = case("manipulation")
    trials = trials.assign(mean_control=trials["mean_control"].where(trials.index > 0))
    meta = replace(meta, sort="protocol")
    first = forest_table(trials, models, None, meta).query("row_id == 'study-1'").iloc[0]
    assert (first["mean_intervention"], first["sd_intervention"], first["n_intervention"]) == ("39.00", "18.00", "50")
    assert first["mean_control"] == "–"
    table, _ = drawn("fibromyalgia")
    assert not table[[c for c in table if c.endswith(("_intervention", "_control"))]].to_numpy().any()


def test_each_judgement_is_a_light_beside_its_trial():
    table, figure = drawn("judged")
    found, given = artists(figure), case("judged")[3].risk_of_bias
    heads, studies = given.heads, table[table["kind"] == "study"]
    assert heads == ("D1", "D2", "D3", "D4", "D5", "All")
    weight = max(found[f"weights.{row}.weight"].get_position()[0] for row in studies["row_id"])
    for line in studies.itertuples():
        for head, level in zip(heads, given.of[line.study_id], strict=True):
            circle = found[f"risk_of_bias.{line.row_id}.{head}"]
            assert circle.get_ydata() == [line.y] and circle.get_xdata()[0] > weight
            assert circle.get_markerfacecolor() == (level.colour if level else "none")
            symbol = found.get(f"risk_of_bias.{line.row_id}.{head}.symbol")
            assert (symbol and symbol.get_text()) == (level and level.symbol.replace("-", "−"))
    assert studies["risk_of_bias"].tolist() == ["High risk of bias"] * 4 + ["Not assessed"]
    assert "Lumanauw 2019: " in figure.description and "high risk of bias" in figure.description
    legend = table.loc[table["row_id"] == "risk-of-bias", "label"].item()
    assert legend.startswith("Risk of bias (RoB 2): + low risk of bias; ? some concerns; − high risk of bias; empty")
    assert not any(gid.startswith("risk_of_bias") for gid in artists(drawn("ketamine")[1]))


def test_derived_values_carry_a_mark_that_the_footnotes_explain():
    table, _ = drawn("ketamine")
    marks = dict(zip(table["label"], table["note_marks"], strict=True))
    assert marks["Kvarnström 2003"] == "a" and marks["Kvarnström 2004"] == "a,b" and marks["Lemming 2005"] == "a,c"
    assert marks["Lumanauw 2019"] == marks["Noppers 2011"] == ""
    notes = table[(table["kind"] == "footnote") & (table["note_marks"] != "")]
    assert dict(zip(notes["note_marks"], notes["label"], strict=True)) == {
        "a": "Crossover, marginal method with φ; φ = 0.2.",
        "b": "Zero cell: 0.5 to each cell.",
        "c": "47% of 30 → 14 events.",
    }


def test_footnotes_name_the_model():
    table, _ = drawn("ketamine")
    first = table.loc[table["row_id"] == "footnote-1", "label"].item()
    assert first.startswith("Random-effects model: τ² by DL, 95% CI by Hartung-Knapp, prediction interval by t(k−1)")


def test_the_axis_of_a_ratio_has_round_ticks():
    _, figure = drawn("bcg")
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert ticks == ["0.1", "0.2", "0.5", "1", "2", "5"]
    np.testing.assert_allclose(figure.axes[0].get_xticks(), np.log([float(t) for t in ticks]), atol=1e-12)


@pytest.mark.parametrize(
    ("sort", "key"), [("estimate", "estimate"), ("weight", "weight"), ("year", "year"), ("protocol", None)]
)
def test_order_of_the_trials(sort, key):
    trials, models, _, meta = case("bcg")
    table = forest_table(trials, models, None, replace(meta, sort=sort))
    labels = table.loc[table["kind"] == "study", "label"].tolist()
    ordered = trials.assign(weight=-trials[WEIGHT])
    expected = ordered if key is None else ordered.sort_values(key, kind="stable")
    assert labels == expected["label"].tolist()


def test_trials_stand_in_the_order_of_year_and_label():
    trials, models, _, meta = case("ketamine")
    labels, years = ["Trial 10", "Trial 9", "Zed", "b", "A"], ["2001", "2001", "1999", "", "2001"]
    table = forest_table(trials.assign(label=labels, year=years), models, None, meta)
    assert table.loc[table["kind"] == "study", "label"].tolist() == ["Zed", "A", "Trial 9", "Trial 10", "b"]


def test_long_labels_wrap():
    trials, models, _, meta = case("ketamine")
    long = "The International Multicentre Randomised Controlled Evaluation of Very Long Trial Names Collaborative Group 2007"
    table = forest_table(trials.assign(label=[long, *trials["label"][1:]]), models, None, meta)
    figure = draw_forest(table, meta)
    found = artists(figure)
    row = table.loc[table["label"] == long, "row_id"].item()
    lines = [found[gid].get_text() for gid in found if gid.startswith(f"study.{row}.label")]
    assert len(lines) > 2 and " ".join(lines) == long
    assert figure.get_figwidth() * 72 <= PAGE_WIDTH + 0.5
    for (_, a), (_, b) in combinations(extents(figure), 2):
        assert a.x1 <= b.x0 + 0.2 or b.x1 <= a.x0 + 0.2 or a.y1 <= b.y0 + 0.2 or b.y1 <= a.y0 + 0.2


@pytest.mark.slow
@every_layout
@pytest.mark.parametrize("name", CASES)
def test_no_text_is_smaller_than_journals_print(name, layout):
    assert min(text.get_fontsize() for text, _ in extents(drawn(name, layout=layout)[1])) >= 7


@pytest.mark.parametrize("name", CASES)
def test_what_is_favoured_has_an_arrow_within_the_axis(name):
    _, figure = drawn(name)
    panel = figure.axes[0].get_position()
    left, right = panel.x0 * figure.get_figwidth() * 72, panel.x1 * figure.get_figwidth() * 72
    for gid, artist in artists(figure).items():
        if gid.startswith("favours.") and gid.endswith((".line", ".head")):
            assert left - 0.5 <= min(artist.get_xdata()) and max(artist.get_xdata()) <= right + 0.5, gid


@every_layout
@pytest.mark.parametrize("name", CASES)
def test_no_word_of_what_is_favoured_is_broken(name, layout):
    if name == "long":  # words of it are wider than any panel
        return
    found = artists(drawn(name, layout=layout)[1])
    for side, text in (("left", case(name)[3].favours_left), ("right", case(name)[3].favours_right)):
        lines = [one.get_text() for gid, one in found.items() if gid.startswith(f"favours.{side}.text")]
        assert " ".join(lines) == LAYOUTS[layout].spell(text)


def test_an_end_beyond_all_numbers_is_an_arrow():
    """Treatment-arm correction of 0 of 3 against 100,210 of 1,000,000: a log odds ratio with a standard error of 577."""
    trials, models, _, meta = case("bcg")
    far = trials.index == trials.index[2]
    trials = trials.assign(
        estimate=trials["estimate"].mask(far, -11.62), variance=trials["variance"].mask(far, 333334.7),
        ci_lower_natural=trials["ci_lower_natural"].mask(far, 0.0), ci_upper_natural=trials["ci_upper_natural"].mask(far, np.inf),
    )  # fmt: skip
    table = forest_table(trials, models, None, meta)
    row = table[table["clipped_lower"] & table["clipped_upper"] & (table["kind"] == "study")]
    assert row["effect"].tolist() == ["0.0000090 (<0.01 to >9999)"]
    draw_forest(table, meta)
    # What is no interval of so wide an effect is refused as ever.
    with pytest.raises(ValueError, match="must be finite"):
        forest_table(trials.assign(variance=0.1), models, None, meta)


@every_layout
def test_a_panel_narrower_than_a_word_does_not_break_it(layout):
    """A review of means has the narrowest panel: RevMan's "Favours recommended therapy" reaches beyond it."""
    trials, models, _, meta = case("manipulation")
    sides = {"left": "Favours manipulation", "right": "Favours recommended therapy"}
    meta = replace(meta, layout=LAYOUTS[layout], favours_left=sides["left"], favours_right=sides["right"])
    figure = draw_forest(forest_table(trials, models, None, meta), meta)
    found = artists(figure)
    for side, text in sides.items():
        lines = [one.get_text() for gid, one in found.items() if gid.startswith(f"favours.{side}.text")]
        assert " ".join(lines) == LAYOUTS[layout].spell(text)


@every_layout
def test_a_wide_table_in_other_scripts_and_long_labels_fits_and_nothing_overlaps(layout, recwarn):
    """Means and SDs of both arms; East Asian, Arabic and Thai labels, one of 106 characters, in subgroups."""
    trials, models, _, meta = case("manipulation")
    long = "The International Multicentre Randomised Controlled Evaluation of Long Names Collaborative Study Group 2007"
    labels = ["疼痛研究小组 2001", "دراسة الألم المزمن 2004", "การศึกษาความเจ็บปวด 2009", "통증 연구 2011", long]
    labels += trials["label"].tolist()[len(labels) :]
    trials = trials.assign(
        label=labels, kind=["種類 b_1", "النوع"] * (len(trials) // 2) + ["種類 b_1"] * (len(trials) % 2)
    )
    meta = replace(meta, layout=LAYOUTS[layout], title=f"痛み: {long}", favours_right="対照を支持")
    table = forest_table(trials, models, split(trials, "kind", "natural"), meta)
    figure = draw_forest(table, meta)
    assert figure.get_figwidth() * 72 <= PAGE_WIDTH + 0.5
    boxes = extents(figure)
    assert min(text.get_fontsize() for text, _ in boxes) >= 7
    for (one, a), (two, b) in combinations(boxes, 2):
        apart = a.x1 <= b.x0 + 0.2 or b.x1 <= a.x0 + 0.2 or a.y1 <= b.y0 + 0.2 or b.y1 <= a.y0 + 0.2
        assert apart, (one.get_text(), two.get_text())


def test_week_four_is_not_swallowed_by_its_diamond():
    """Two trials and a Hartung-Knapp interval on one degree of freedom: the diamond leaves the axis by arrows."""
    trials = effects([-1.345, -0.202], [0.122, 0.052], "natural", label=["Amr 2011", "Pickering 2020"])
    models = pooled(trials, "natural")
    assert models["ci_upper"].iloc[0] > 6 and models["ci_lower"].iloc[0] < -7
    meta = ForestMeta("Pain, week 4", favours_left="Favours ketamine", favours_right="Favours control")
    table = forest_table(weighed(trials, "natural"), models, None, meta)
    figure = draw_forest(table, meta)
    found, (low, high) = artists(figure), figure.axes[0].get_xlim()
    assert low > -3.5 and high < 2
    assert {gid for gid in found if "arrow" in gid} == {"study.overall.arrow-lower", "study.overall.arrow-upper"}
    points = figure.axes[0].get_position().width * figure.get_figwidth() * 72 / (high - low)
    for row in ("study-1", "study-2"):
        interval = np.ptp(found[f"study.{row}.interval"].get_xdata()) * points
        assert interval > 2 * found[f"study.{row}.square"].get_markersize()


def test_squares_are_not_wider_than_intervals_need():
    """Trials whose intervals are specks on their axis have small squares, others the largest there are."""
    specks = effects([-1.0, 0.0, 1.0], [1e-5] * 3, "natural", label=["A", "B", "C"])
    for trials, models, meta, largest in (
        (*case("ketamine")[:2], case("ketamine")[3], LARGEST_SQUARE),
        (weighed(specks, "natural"), pooled(specks, "natural"), ForestMeta(), SMALLEST_SQUARE),
    ):
        found = artists(draw_forest(forest_table(trials, models, None, meta), meta))
        assert max(a.get_markersize() for gid, a in found.items() if gid.endswith(".square")) == largest


def test_labels_are_printed_as_they_are_written():
    trials, models, _, meta = case("ketamine")
    labels = ["O'Brien & <Sons> 2001", "A $10 v $20 trial", "two\nlines\there", "nul\x00 byte", r"back\slash_{x}"]
    table = forest_table(trials.assign(label=labels), models, None, replace(meta, sort="protocol"))
    assert table.loc[table["kind"] == "study", "label"].tolist() == [
        "O'Brien & <Sons> 2001", "A $10 v $20 trial", "two lines here", "nul byte", r"back\slash_{x}"
    ]  # fmt: skip
    assert "A $10 v $20 trial" in [t.get_text() for t in draw_forest(table, meta).findobj(Text)]


def test_a_pooled_result_that_is_missing_says_so():
    trials, models, _, meta = case("ketamine")
    models = models.iloc[:1].assign(estimate=np.nan, ci_lower=np.nan, ci_upper=np.nan, pi_lower=np.nan, tau2=np.nan)
    models = models.assign(i2=np.nan, q=np.nan, statistic=np.nan, note_codes="all_effects_equal")
    table = forest_table(trials, models, None, meta)
    assert table.loc[table["kind"] == "overall", "effect"].item() == "not estimable"
    assert "Heterogeneity: not estimable" in set(table["label"])
    assert any(label.startswith("All effects are equal") for label in table["label"])
    assert not any("diamond" in gid for gid in artists(draw_forest(table, meta)))


@every_layout
def test_no_trial_at_all_is_a_figure_that_says_so(layout):
    trials, _, _, meta = case("ketamine")
    meta = replace(meta, favours_left=case("long")[3].favours_left, layout=LAYOUTS[layout])
    table = forest_table(trials.iloc[:0], pd.DataFrame(), None, meta)
    assert table["label"].iloc[-1] == "No trial with a usable result"
    for (_, a), (_, b) in combinations(extents(draw_forest(table, meta)), 2):
        assert a.x1 <= b.x0 + 0.2 or b.x1 <= a.x0 + 0.2 or a.y1 <= b.y0 + 0.2 or b.y1 <= a.y0 + 0.2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda e: e.assign(variance=[0.1, 0.2, 0.0, 0.1, 0.1]), "effects row 2 .*Lemming.*variance 0"),
        (lambda e: e.assign(estimate=[0.1, np.nan, 0.0, 0.1, 0.1]), "effects row 1 .*estimate nan"),
        (lambda e: e.assign(ci_lower_natural=-1.0), "effects row 0 .*interval -1 to .*ratios above 0"),
        (lambda e: e.drop(columns="label"), "lack the column 'label'"),
        (lambda e: e.iloc[:4], "4 trials in the effects, but 5 comparisons"),
        (lambda e: e.assign(pain_type="migraine"), "Kvarnström 2003: pain_type 'migraine' is not among"),
        (lambda e: e.drop(columns="pain_type"), "lack the subgroup column 'pain_type'"),
    ],
)
def test_impossible_tables_are_refused(change, message):
    trials, models, by, meta = case("ketamine by pain type")
    with pytest.raises(ValueError, match=message):
        forest_table(change(trials), models, by, meta)


def test_impossible_words_are_refused():
    for wrong in ({"scale": "ratio"}, {"sort": "random"}, {"level": 95}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            ForestMeta(**wrong)


def test_text_is_measured_as_it_is_drawn():
    table, _ = drawn("manipulation")
    figure = draw_forest(table, case("manipulation")[3])
    with rc_context(RC):
        boxes = extents(figure)
    for text, box in boxes:
        size, weight = text.get_fontsize(), text.get_fontproperties().get_weight()
        assert text_width(text.get_text(), size, weight) == pytest.approx(box.width, abs=0.4), text
