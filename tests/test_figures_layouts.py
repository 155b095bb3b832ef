"""What each layout of the forest plot prints, as its sources say (see `reweigh.figures.forest.journals`)."""

import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from reweigh.figures.forest.draw import draw_forest, forest_table
from reweigh.figures.forest.journals import BINARY, BMJ, CONTINUOUS, GENERIC, JAMA, JOURNALS, LAYOUTS, REVMAN
from reweigh.figures.forest.table import NUMBER_COLUMNS
from reweigh.figures.style import INK
from reweigh.figures.svg import render
from test_figures_forest import artists, case, drawn, every_layout, extents


def headers(name, layout):
    """Texts of the lower header from left to right, with | where the panel stands."""
    figure = drawn(name, layout=layout)[1]
    left = figure.axes[0].get_position().x0 * figure.get_figwidth() * 72
    found = {"|": (left, "|")}
    for text, box in extents(figure):
        gid = re.sub(r"-\d+$", "", text.get_gid() or "")
        if ".header." in gid and not gid.endswith(".panel"):
            # A header of several lines is one.
            found[gid] = (box.x0, f"{found[gid][1]} {text.get_text()}" if gid in found else text.get_text())
    return [text for _, text in sorted(found.values())]


def line(name, layout, row_id):
    table = drawn(name, layout=layout)[0]
    return table[table["row_id"] == row_id].iloc[0]


def label(name, layout, row_id):
    return line(name, layout, row_id)["label"]


@pytest.mark.parametrize(
    ("name", "layout", "expected"),
    [
        ("bcg", "reweigh", ["Study", "n/N", "n/N", "|", "(95% CI)", "Weight"]),
        ("manipulation", "reweigh", ["Study", *["Mean", "SD", "n"] * 2, "|", "(95% CI)", "Weight"]),
        # meta: studlab, event.e, n.e, event.c, n.c, w.random, effect.ci, all left of the plot.
        ("bcg", "revman", ["Study or Subgroup", *["Events", "Total"] * 2, "Weight", "IV, Random, 95% CI", "|"]),
        # meta: mean.e, sd.e, n.e, mean.c, sd.c, n.c (its own layout puts n first).
        ("manipulation", "revman",
         ["Study or Subgroup", *["Mean", "SD", "Total"] * 2, "Weight", "IV, Random, 95% CI", "|"]),
        # meta: TE and seTE, the latter labelled SE.
        ("fibromyalgia", "revman", ["Study or Subgroup", "Estimate", "SE", "Weight", "IV, Random, 95% CI", "|"]),
        # meta: Source and effect.ci left of the plot.
        ("bcg", "jama", ["Source", "BCG", "No vaccine", "(95% CI)", "|", "Weight, %"]),
        ("manipulation", "jama", ["Source", *["Mean (SD)", "No."] * 2, "(95% CI)", "|", "Weight, %"]),
        ("fibromyalgia", "jama", ["Source", "(95% CI)", "|", "Weight, %"]),
        ("bcg", "bmj", ["Study", "BCG", "No vaccine", "|", "Weight (%)", "(95% CI)"]),
        ("manipulation", "bmj", ["Study", "Ketamine", "Control", "|", "Weight (%)", "(95% CI)"]),
    ],
)  # fmt: skip
def test_order_of_the_columns(name, layout, expected):
    favours = [text for text in headers(name, layout) if text.startswith("Fav")]
    assert [text for text in headers(name, layout) if text not in favours] == expected


def test_lights_stand_right_of_everything_in_every_layout():
    for layout in LAYOUTS:
        figure = drawn("judged", layout=layout)[1]
        found = artists(figure)
        panel = figure.axes[0].get_position().x1 * figure.get_figwidth() * 72
        assert found["risk_of_bias.study-1.D1"].get_xdata()[0] > panel


@every_layout
@pytest.mark.parametrize("name", ["bcg by allocation", "manipulation", "fibromyalgia", "judged"])
def test_a_layout_changes_no_number(name, layout):
    ours, theirs = (
        table[table["marker"] != ""].reset_index(drop=True) for table in (drawn(name)[0], drawn(name, layout=layout)[0])
    )
    columns = ["kind", "row_id", *NUMBER_COLUMNS, "clipped_lower", "clipped_upper"]
    pd.testing.assert_frame_equal(ours[columns], theirs[columns])


def test_revman_prints_square_brackets_and_a_comma():
    assert line("bcg", "revman", "study-1")["effect"] == "0.41 [0.13, 1.26]"
    assert line("bcg", "revman", "prediction")["effect"].startswith("[0.1")
    assert line("manipulation", "revman", "study-3")["effect"] == "3.00 [−3.40, 9.40]"


def test_revman_prints_totals_and_events_on_lines_of_their_own():
    total, events = line("bcg", "revman", "overall"), line("bcg", "revman", "events")
    assert (total["label"], total["n_intervention"], total["n_control"]) == ("Total (95% CI)", "191064", "166283")
    assert total["events_intervention"] == "" and total["weight_text"] == "100.0%"
    assert (events["label"], events["events_intervention"], events["events_control"]) == (
        "Total events:",
        "1065",
        "1510",
    )
    assert events["n_intervention"] == ""
    by = line("bcg by allocation", "revman", "subtotal-1"), line("bcg by allocation", "revman", "events-1")
    assert (by[0]["label"], by[0]["n_intervention"]) == ("Subtotal (95% CI)", "112693")
    assert (by[1]["events_intervention"], by[1]["events_control"]) == ("617", "853")
    assert "total events" not in set(drawn("manipulation", layout="revman")[0]["kind"])


def test_revman_words_its_statistics():
    # meta: hetlab Tau² ...; Chi² ..., df = ... (P ...); I² ...
    assert label("bcg", "revman", "heterogeneity") == (
        "Heterogeneity: Tau² = 0.31; Chi² = 152.23, df = 12 (P < 0.00001); I² = 52%"
    )
    test = label("bcg", "revman", "test-overall")
    assert re.fullmatch(r"Test for overall effect: T = \d\.\d\d, df = 12 \(P = 0\.03\)", test)
    assert label("bcg by allocation", "revman", "test-subgroups") == (
        "Test for subgroup differences: Chi² = 1.86, df = 2 (P = 0.39), I² = 0%"
    )
    assert label("bcg by allocation", "revman", "test-1").startswith("Test for overall effect: T = ")
    statistics = REVMAN.statistics
    normal = {"statistic": -3.97, "df": np.inf, "p_value": 7e-5}
    assert statistics.overall_test(normal) == "Test for overall effect: Z = 3.97 (P < 0.0001)"
    many = {"q_between": 20.0, "q_between_df": 4, "q_between_p_value": 0.0005}
    assert statistics.difference(many) == "Test for subgroup differences: Chi² = 20.00, df = 4 (P = 0.0005), I² = 80%"
    none = {"tau2": 0.0, "i2": 0.0, "q": 2.07, "q_df": 10, "q_p_value": 0.996}
    assert (
        statistics.heterogeneity(none, False) == "Heterogeneity: Tau² = 0.00; Chi² = 2.07, df = 10 (P = 1.00); I² = 0%"
    )


@pytest.mark.parametrize(
    ("pooling", "tau2", "expected"),
    [
        ("inverse variance", "REML", "IV, Random, 95% CI"),
        ("inverse variance", "EE", "IV, Fixed, 95% CI"),
        ("mantel-haenszel", "EE", "M-H, Fixed, 95% CI"),
        ("peto", "EE", "Peto, Fixed, 95% CI"),
    ],
)
def test_revman_names_method_and_model_above_the_effect(pooling, tau2, expected):
    trials, models, _, meta = case("bcg")
    models = models.assign(pooling=pooling, tau2_method=tau2)
    table = forest_table(trials, models, None, replace(meta, layout=REVMAN))
    header = table[table["row_id"] == "header"].iloc[0]
    assert header["effect"] == header["panel"] == expected
    assert table.loc[table["row_id"] == "header-top", "panel"].item() == "Risk ratio"


def test_revman_prints_estimate_and_standard_error_without_arm_data():
    first = case("fibromyalgia")[0].iloc[0]
    shown = line("fibromyalgia", "revman", "study-1")
    assert shown["estimate_text"].replace("−", "-") == f"{first['estimate']:.2f}"
    assert shown["se_text"] == f"{first['variance'] ** 0.5:.2f}"
    trials, models, _, meta = case("bcg")
    trials = trials.drop(columns=["events_intervention", "events_control", "n_intervention", "n_control"])
    table = forest_table(trials, models, None, replace(meta, layout=REVMAN))
    # RevMan takes the logarithm of a ratio.
    assert table.loc[table["row_id"] == "header", "estimate_text"].item() == "log[Risk ratio]"
    assert table.loc[table["row_id"] == "study-1", "estimate_text"].item() == "−0.89"


def test_jama_prints_a_hyphen_between_ratios_and_to_between_differences():
    assert line("bcg", "jama", "study-1")["effect"] == "0.41 (0.13-1.26)"
    assert line("manipulation", "jama", "study-3")["effect"] == "3.00 (−3.40 to 9.40)"


def test_jama_prints_what_arms_show_above_their_names():
    top, below = line("bcg", "jama", "header-top"), line("bcg", "jama", "header")
    assert (top["events_intervention"], top["events_control"]) == ("No. of events/total No.", "")
    assert (below["events_intervention"], below["events_control"]) == ("BCG", "No vaccine")
    first = line("manipulation", "jama", "study-3")
    assert (first["mean_control"], first["n_control"]) == ("36.00 (20.00)", "96")
    assert line("bcg", "jama", "study-1")["weight_text"] == line("bcg", "reweigh", "study-1")["weight_text"].rstrip("%")
    assert (label("bcg", "jama", "overall"), label("bcg by allocation", "jama", "subtotal-1")) == ("Total", "Subtotal")


def test_jama_words_its_statistics():
    # meta: hetlab χ²[df] = ... (P ...), I² ...; P without a leading zero.
    assert label("bcg", "jama", "heterogeneity") == "Heterogeneity: τ² = 0.31, χ²₁₂ = 152.23 (P < .001), I² = 52%"
    test = label("bcg", "jama", "test-overall")
    assert re.fullmatch(r"Test for overall effect: t = −\d\.\d\d, df = 12 \(P = \.03\)", test)
    assert label("bcg by allocation", "jama", "test-subgroups") == "Test for subgroup differences: χ²₂ = 1.86 (P = .39)"


def test_the_bmj_words_its_statistics():
    # meta: hetlab "Test for heterogeneity: ", τ², χ² and I², P with a leading zero.
    assert label("bcg", "bmj", "heterogeneity") == (
        "Test for heterogeneity: τ² = 0.31; χ² = 152.23, df = 12, P < 0.001; I² = 52%"
    )
    assert label("bcg by allocation", "bmj", "test-subgroups") == (
        "Test for subgroup differences: χ² = 1.86, df = 2, P = 0.39"
    )
    assert (label("bcg", "bmj", "overall"), label("bcg by allocation", "bmj", "subtotal-1")) == (
        "Total (95% CI)", "Subtotal (95% CI)"
    )  # fmt: skip
    top, below = line("bcg", "bmj", "header-top"), line("bcg", "bmj", "header")
    assert (top["events_intervention"], below["events_control"]) == ("No of events/total", "No vaccine")
    assert line("manipulation", "bmj", "study-3")["mean_control"] == "36.00 (20.00)/96"


@pytest.mark.parametrize("layout", [layout.name for layout in JOURNALS])
def test_every_subtotal_of_a_journal_has_a_test_of_its_effect(layout):
    table = drawn("bcg by allocation", layout=layout)[0]
    subtotals = table[table["kind"] == "subgroup pooled"]
    tests = table[table["row_id"].str.fullmatch(r"test-\d")]
    assert len(tests) == len(subtotals) == 3 and tests["label"].str.startswith("Test for overall effect: ").all()


@pytest.mark.parametrize("layout", [layout.name for layout in JOURNALS])
def test_journals_print_i2_from_q_and_say_what_the_model_has(layout):
    """BCG, risk difference: (276.47 - 12)/276.47 = 96% beside 99.9% from tau2."""
    trials, models, _, meta = case("bcg")
    models = models.assign(i2=99.9, i2_from_q=95.66, i2_definition="tau2-based")
    table = forest_table(trials, models, None, replace(meta, layout=LAYOUTS[layout]))
    assert table.loc[table["row_id"] == "heterogeneity", "label"].item().endswith("I² = 96%")
    notes = table.loc[table["kind"] == "footnote", "label"].tolist()
    assert "I² = (Q − df)/Q, as RevMan 5 defines it; from τ², as RevMan since 2024: 99.9%." in notes
    ours = forest_table(trials, models, None, meta)
    assert "I² = 99.9% (τ²-based)" in ours.loc[ours["row_id"] == "heterogeneity", "label"].item()


LOST = pd.DataFrame(
    [{"study_id": "z", "label": "Nobody 1999", "n_intervention": 120, "n_control": 118, "events_intervention": 0,
      "events_control": 0, "reason_code": "double_zero"},
     {"study_id": "y", "label": "Unknown 2001", "n_intervention": 20, "events_intervention": 3,
      "reason_code": "no_n arm=control"}]
)  # fmt: skip


@every_layout
@pytest.mark.parametrize("name", ["bcg", "bcg by allocation", "judged"])
def test_trials_that_are_in_no_pool_are_listed_as_not_estimable(name, layout):
    trials, models, by, meta = case(name)
    meta = replace(meta, layout=LAYOUTS[layout])
    table = forest_table(trials, models, by, meta, LOST)
    rows = table[table["kind"] == "not estimable"]
    assert rows["label"].tolist() == ["Nobody 1999", "Unknown 2001"]
    assert (rows["effect"] == "Not estimable").all() and not rows["weight_text"].any() and rows["estimate"].isna().all()
    assert rows["y"].min() > table.loc[table["kind"] == "study", "y"].max()
    assert rows["y"].max() < table.loc[table["kind"] == "overall", "y"].item()
    notes = table[table["kind"] == "footnote"].set_index("note_marks")["label"]
    assert notes[rows["note_marks"].iloc[0]] == "No events in either arm: no information on a ratio."
    figure = draw_forest(table, meta)
    boxes = extents(figure)
    assert all(a.x1 <= b.x0 + 0.2 or b.x1 <= a.x0 + 0.2 or a.y1 <= b.y0 + 0.2 or b.y1 <= a.y0 + 0.2
               for (_, a), (_, b) in combinations(boxes, 2))  # fmt: skip
    assert not any(gid.startswith("study.not-estimable-1.sq") for gid in artists(figure))


def test_totals_of_journals_count_the_listed_and_say_how_many_are_pooled():
    trials, models, _, meta = case("bcg")
    for layout, n, told in (
        ("revman", "191204", "The totals count all 15 trials (191,204 and 166,401 patients) listed; 13 trials "
                             "(191,064 and 166,283 patients) are pooled."),
        ("reweigh", "191064", "Listed are 15 trials (191,204 and 166,401 patients); pooled, and counted in the totals, "
                              "are 13 trials (191,064 and 166,283 patients)."),
    ):  # fmt: skip
        table = forest_table(trials, models, None, replace(meta, layout=LAYOUTS[layout]), LOST)
        total = table[table["kind"] == "overall"].iloc[0]
        assert n in (total["n_intervention"], total["events_intervention"].partition("/")[2])
        assert told in table["label"].tolist()


def test_revman_prints_o_minus_e_and_variance_for_peto():
    """Aronson 1948: O - E = 4 - 123 * 15/262, V = 123 * 139 * 15 * 247/(262^2 * 261) (Handbook 10.4.2)."""
    trials, models, _, meta = case("bcg")
    models = models.assign(pooling="peto", tau2_method="EE")
    meta = replace(meta, layout=REVMAN)
    table = forest_table(trials, models, None, meta)
    first = table[table["label"] == "Aronson 1948"].iloc[0]
    assert (first["o_minus_e"], first["v"]) == ("−3.04", "3.54")
    head = table[table["row_id"] == "header"].iloc[0]
    assert (head["o_minus_e"], head["v"], head["effect"]) == ("O−E", "Variance", "Peto, Fixed, 95% CI")
    assert "Tau" not in table.loc[table["row_id"] == "heterogeneity", "label"].item()
    assert not drawn("bcg", layout="revman")[0]["o_minus_e"].any()
    draw_forest(table, meta)


@every_layout
def test_rates_print_their_person_time(layout):
    trials, models, _, meta = case("bcg")
    times = {
        "person_time_intervention": trials["n_intervention"] * 1.5,
        "person_time_control": trials["n_control"] * 1.5,
    }
    meta = replace(meta, layout=LAYOUTS[layout], measure_label="Rate ratio")
    table = forest_table(trials.assign(**times), models, None, meta)
    first = table[table["label"] == "Aronson 1948"].iloc[0]
    if layout == "revman":
        assert (first["events_intervention"], first["person_time_intervention"]) == ("4", "184.5")
        assert not table["n_intervention"].any()
    else:
        assert first["events_intervention"] == "4/184.5"
    draw_forest(table, meta)


@pytest.mark.parametrize(
    ("p", "revman", "jama"),
    [
        (0.0312, "P = 0.03", "P = .03"), (0.0041, "P = 0.004", "P = .004"), (0.00041, "P = 0.0004", "P < .001"),
        (0.00007, "P < 0.0001", "P < .001"), (0.000002, "P < 0.00001", "P < .001"), (0.394, "P = 0.39", "P = .39"),
        (0.048, "P = 0.048", "P = .048"), (0.996, "P = 1.00", "P > .99"), (0.00097, "P = 0.001", "P < .001"),
    ],
)  # fmt: skip
def test_p_values_of_the_houses(p, revman, jama):
    row = {"statistic": 1.0, "df": np.inf, "p_value": p}
    for layout, text in ((REVMAN, revman), (JAMA, jama)):
        assert layout.statistics.overall_test(row).endswith(f"({text})")


def test_jama_spells_american_and_leaves_the_title_to_the_caption():
    trials, models, _, meta = case("fibromyalgia")
    meta = replace(meta, layout=JAMA, title="Pain intensity")
    figure = draw_forest(forest_table(trials, models, None, meta), meta)
    shown = " ".join(text.get_text() for text, _ in extents(figure))
    assert "Favors ketamine" in shown and "Favors control" in shown and "avours" not in shown
    assert "Standardized mean difference (95% CI)" in shown and "andardised" not in shown
    assert "Pain intensity" not in shown and figure.title == "Pain intensity"


def test_jama_names_what_is_favored_above_the_plot_and_the_measure_below_the_axis():
    figure = drawn("bcg", layout="jama")[1]
    boxes = {text.get_gid(): box for text, box in extents(figure) if text.get_gid()}
    panel = figure.axes[0].get_position()
    height = figure.get_figheight() * 72
    assert boxes["favours.left.text"].y0 > panel.y1 * height
    assert boxes["favours.left.text"].x1 < boxes["favours.right.text"].x0
    assert boxes["study.axis.title"].y1 < panel.y0 * height
    assert artists(figure)["favours.left.text"].get_fontproperties().get_weight() == "bold"


@pytest.mark.parametrize("name", ["ketamine", "bcg", "nsaids", "manipulation", "fibromyalgia", "judged"])
def test_what_is_favored_stands_on_its_side_of_the_null(name):
    figure = drawn(name, layout="jama")[1]
    axes = figure.axes[0]
    null = axes.transData.transform((0, 0))[0] * 72 / figure.dpi
    boxes = {text.get_gid(): box for text, box in extents(figure) if text.get_gid()}
    for gid, box in boxes.items():
        if gid.startswith("favours.left.text"):
            assert box.x1 <= null
        elif gid.startswith("favours.right.text"):
            assert box.x0 >= null


def luminance(colour):
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return np.dot(parts, [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("data", [BINARY, CONTINUOUS, GENERIC])
@pytest.mark.parametrize("layout", [REVMAN, JAMA, BMJ])
def test_squares_stand_out_from_the_page_and_their_interval_from_them(layout, data):
    square = luminance(layout.marks.squares[data])
    assert (1 + 0.05) / (square + 0.05) >= 3 and (square + 0.05) / (luminance(INK) + 0.05) >= 3


def test_revman_colours_squares_by_the_kind_of_data():
    for name, colour in (("bcg", "#0072b2"), ("manipulation", "#009e73"), ("fibromyalgia", "#d55e00")):
        found = artists(drawn(name, layout="revman")[1])
        assert found["study.study-1.square"].get_markerfacecolor() == colour
        assert found["study.overall.diamond"].get_facecolor()[:3] == to_rgb(INK)


@pytest.mark.parametrize("format", ["svg", "pdf", "png"])
def test_every_layout_can_be_written(format):
    for layout in ("revman", "jama", "bmj"):
        assert len(render(drawn("bcg by allocation", layout=layout)[1], format)) > 1000
