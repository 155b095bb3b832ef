"""Robustness figures: their marks stand where the numbers are, nothing leaves the page, the same bytes twice."""

import re
from dataclasses import replace

import numpy as np
import pytest

from reweigh.figures.curves import draw_drapery, draw_specifications
from reweigh.figures.diagnostics import draw_baujat, draw_influence, draw_labbe, draw_radial, draw_removals
from reweigh.figures.funnel import draw_funnel
from reweigh.figures.gosh import draw_gosh
from reweigh.figures.sequential_plot import draw_sequential
from reweigh.figures.style import COLUMN_WIDTH, FAMILY, PAGE_WIDTH
from reweigh.figures.svg import render
from reweigh.pool.core import pool
from reweigh.protocol.models import PRESETS
from reweigh.robustness.multiverse import Dataset, run
from reweigh.robustness.removal import generic, influence, leave_one_out
from reweigh.robustness.subsets import all_subsets
from reweigh.sequential.analysis import Design, trial_sequential_analysis
from reweigh.sequential.cumulative import cumulative

RNG = np.random.default_rng(9)
K = 9
V = RNG.uniform(0.02, 0.4, K)
Y = RNG.normal(-0.6, np.sqrt(V + 0.05))
TRIALS, COCHRANE = generic(Y, V), PRESETS["cochrane"]
LABELS = [f"Trial with a rather long name {i}" for i in range(K)]
WHOLE = pool(Y, V)
BAND = (WHOLE.estimate[0], WHOLE.ci_lower[0], WHOLE.ci_upper[0])
EVENTS, TOTAL = np.arange(2, 2 + K), np.arange(20, 20 + K)


def build(options):
    shift = {"here": 0.0, "there": 0.3}[options["where"]]
    return Dataset(generic(Y + shift, V, "SMD"), -1, (-0.5, 0.5)) if options["which"] == "some" else "no_trials"


MULTIVERSE = run(
    {"where": ["here", "there"], "which": ["some", "none"], "tau2": ["REML", "DL"], "interval": ["wald"]}, build
)


def sequential(required, **design):
    """A sequential analysis of the trials that needs so many participants."""
    years, sizes = list(range(2000, 2000 + K)), np.full(K, 80.0)
    model = PRESETS["revman-classic"]
    return trial_sequential_analysis(TRIALS, model, sizes, years, LABELS, required, design=Design(**design))


SEQUENTIAL = sequential(1500.0, futility=True)

FIGURES = {
    "funnel": lambda: draw_funnel(Y, V, BAND[0], "A: funnel plot", "Risk ratio", scale="log", filled=([0.4], [0.3])),
    "contours": lambda: draw_funnel(Y, V, BAND[0], "A: contours", "Mean difference", scale="natural", contours=True),
    "gosh": lambda: draw_gosh(
        all_subsets(TRIALS, COCHRANE), BAND[0], "A: subsets", "Risk ratio", scale="log", by=2, trial=LABELS[2]
    ),
    "drapery": lambda: draw_drapery(Y, V, BAND[0], WHOLE.se[0], WHOLE.df[0], "A: drapery", "Risk ratio", scale="log"),
    "specifications": lambda: draw_specifications(MULTIVERSE, "A: every defensible analysis", 0.95),
    "baujat": lambda: draw_baujat(influence(TRIALS, COCHRANE), LABELS, "A: Baujat plot"),
    "influence": lambda: draw_influence(influence(TRIALS, COCHRANE), LABELS, "A: influence"),
    "radial": lambda: draw_radial(Y, V, BAND[0], WHOLE.tau2[0], "A: radial plot"),
    "labbe": lambda: draw_labbe(EVENTS, TOTAL, EVENTS + 1, TOTAL, 0.8, "RR", "A: L'Abbé", ("drug", "placebo")),
    "leave_one_out": lambda: draw_removals(
        leave_one_out(TRIALS, COCHRANE), LABELS, BAND, "A: without", "RR", "Note.", scale="log"
    ),
    "cumulative": lambda: draw_removals(
        cumulative(TRIALS, COCHRANE, np.arange(K)), LABELS, BAND, "A: cumulative", "MD", "Note.", scale="natural"
    ),
    "sequential": lambda: draw_sequential(SEQUENTIAL, "A: sequential", favours=("favours a", "favours b")),
}


def lines(figure, gid):
    return [line for ax in figure.axes for line in ax.lines if line.get_gid() == gid]


@pytest.mark.parametrize("name", FIGURES)
def test_same_bytes_and_words(name):
    one, two = (render(FIGURES[name](), "svg") for _ in range(2))
    assert one == two
    text = one.decode()
    assert re.search(r"<title [^>]*>A: ", text)
    assert re.search(r"<desc [^>]*>\S", text)
    assert len(one) < 400_000
    assert set(re.findall(r"font-family:\s*'?([A-Za-z ]+)'?", text)) <= {FAMILY}


def shown_texts(figure):
    """Texts that are drawn: matplotlib keeps tick labels beyond the limits of an axis, too."""
    yield from figure.texts
    for ax in figure.axes:
        yield from ax.texts
        if not ax.axison:
            continue
        for axis in (ax.xaxis, ax.yaxis):
            yield axis.label
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
            yield from (text for at, text in ticks if low - 1e-9 <= at <= high + 1e-9)


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_leaves_the_page_and_no_words_overlap(name):
    figure = FIGURES[name]()
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    page = figure.bbox
    boxes = []
    for text in shown_texts(figure):
        if not text.get_text().strip():
            continue
        box = text.get_window_extent(renderer)
        if box.width == 0:
            continue
        assert page.x0 - 1 <= box.x0, text.get_text()
        assert box.x1 <= page.x1 + 1, text.get_text()
        assert page.y0 - 1 <= box.y0, text.get_text()
        assert box.y1 <= page.y1 + 1, text.get_text()
        boxes.append((text.get_text(), box))
    for i, (one, a) in enumerate(boxes):
        for other, b in boxes[:i]:
            apart = a.x1 <= b.x0 + 1 or b.x1 <= a.x0 + 1 or a.y1 <= b.y0 + 2 or b.y1 <= a.y0 + 2
            assert apart, f"{one!r} over {other!r}"


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_as_wide_as_journals_print_them_and_their_text_as_large(name):
    figure = FIGURES[name]()
    wide = figure.get_figwidth() * 72
    assert wide <= PAGE_WIDTH + 0.5
    if name not in ("specifications", "influence", "leave_one_out", "cumulative"):
        assert wide == pytest.approx(COLUMN_WIDTH)
    assert min(text.get_fontsize() for text in shown_texts(figure) if text.get_text().strip()) >= 7


def test_funnel_points_are_effects_and_standard_errors():
    figure = FIGURES["funnel"]()
    (points,) = lines(figure, "trials")
    np.testing.assert_allclose(points.get_xdata(), Y)
    np.testing.assert_allclose(points.get_ydata(), np.sqrt(V))
    (filled,) = lines(figure, "filled")
    np.testing.assert_allclose(filled.get_ydata(), np.sqrt([0.3]))
    low, high = figure.axes[0].get_ylim()
    assert low > high  # the largest trials on top
    assert "heterogeneity is not in it" in figure.description


def test_contours_are_around_no_effect_and_the_caption_says_so():
    figure = FIGURES["contours"]()
    patches = {p.get_gid(): p for p in figure.axes[0].patches}
    corners = patches["contour.0.05"].get_xy()
    deep = corners[1, 1]
    np.testing.assert_allclose(np.abs(corners[1, 0]) / deep, 1.959963984540054)
    assert corners[0].tolist() == [0, 0]
    assert "no effect" in figure.description
    assert "no heterogeneity" in figure.description


def test_gosh_names_what_is_drawn():
    figure = FIGURES["gosh"]()
    assert {"subsets.with", "subsets.without"} <= {p.get_gid() for p in figure.axes[0].patches}
    assert f"{2**K - 1 - K:,}" in figure.description
    assert LABELS[2] in figure.description


def test_drapery_crosses_five_percent_at_the_interval():
    figure = FIGURES["drapery"]()
    (curve,) = lines(figure, "pooled")
    x, p = curve.get_data()
    inside = x[p >= 0.05]
    step = x[1] - x[0]
    assert abs(inside.min() - BAND[1]) <= step
    assert abs(inside.max() - BAND[2]) <= step
    assert len([line for ax in figure.axes for line in ax.lines if str(line.get_gid()).startswith("trial.")]) == K


def test_specification_curve_is_sorted_and_shows_every_option():
    """In the unit of the measure, the benefit (here below 0) growing to the right."""
    figure = FIGURES["specifications"]()
    (points,) = lines(figure, "estimates")
    y = points.get_ydata()
    assert (np.diff(y) <= 0).all()
    analyses = MULTIVERSE.analyses.iloc[MULTIVERSE.specifications["analysis"]]["estimate"].dropna()
    np.testing.assert_allclose(y, np.sort(analyses)[::-1])
    (main,) = lines(figure, "main")
    assert main.get_ydata()[0] == pytest.approx(MULTIVERSE.analyses["estimate"].iloc[0])
    assert figure.axes[0].get_ylabel() == "Standardised mean difference" and "standard errors" not in figure.description
    dashed = [line.get_ydata()[0] for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert dashed == pytest.approx([-0.5]) and "dashed: the smallest important difference" in figure.description


def test_specifications_of_several_measures_have_a_common_unit():
    analyses = MULTIVERSE.analyses.assign(measure=["SMD", *["MD"] * (len(MULTIVERSE.analyses) - 1)])
    figure = draw_specifications(replace(MULTIVERSE, analyses=analyses), "A", 0.95)
    (points,) = lines(figure, "estimates")
    assert (np.diff(points.get_ydata()) >= 0).all()
    assert "smallest important differences" in figure.axes[0].get_ylabel()
    assert "the measures differ" in figure.description
    assert lines(figure, "option.where.there")
    assert "4 combinations leave no trial" in figure.description


def test_removal_rows_are_the_pooled_results():
    figure = FIGURES["leave_one_out"]()
    result = leave_one_out(TRIALS, COCHRANE)
    low, high = figure.axes[0].get_xlim()
    for i in range(K):
        (interval,) = lines(figure, f"interval.{i}")
        expected = [max(result.ci_lower[i], low), min(result.ci_upper[i], high)]
        np.testing.assert_allclose(interval.get_xdata(), expected)


def test_sequential_plot_is_the_result():
    figure = FIGURES["sequential"]()
    (z,) = lines(figure, "z")
    np.testing.assert_allclose(z.get_xdata()[1:], SEQUENTIAL.information)
    boundary = lines(figure, "boundary")
    assert len(boundary) == 2
    finite = np.isfinite(SEQUENTIAL.boundaries.upper)
    np.testing.assert_allclose(boundary[0].get_xdata(), SEQUENTIAL.boundaries.fraction[finite] * SEQUENTIAL.required)
    assert f"{SEQUENTIAL.required:,.0f}" in figure.description


def test_looks_whose_boundary_is_unreachable_are_drawn_and_said():
    figure = FIGURES["sequential"]()
    unreached = np.isnan(SEQUENTIAL.upper)
    assert 0 < unreached.sum() < unreached.size
    assert len(lines(figure, "unreachable")) == 2
    for marks in lines(figure, "unreachable"):
        np.testing.assert_allclose(marks.get_xdata(), SEQUENTIAL.information[unreached])
    assert (
        f"at looks {', '.join(map(str, np.flatnonzero(unreached) + 1))} the boundary is unreachable"
        in figure.description
    )
    few = replace(
        SEQUENTIAL, boundaries=replace(SEQUENTIAL.boundaries, reason=("",) * len(SEQUENTIAL.boundaries.reason))
    )
    assert "unreachable" not in draw_sequential(few, "A").description
    assert draw_sequential(few, "A", "it says so").description.endswith("It says so.")


@pytest.mark.parametrize("required", [300.0, 500.0, 1500.0])
def test_the_words_of_a_sequential_plot_stand_apart_from_its_required_information(required):
    figure = draw_sequential(sequential(required), "A", favours=("Favours placebo", "Favours antidepressant"))
    figure.canvas.draw()
    number, *sides = (one.get_window_extent() for one in figure.axes[0].texts)
    (line,) = lines(figure, "required")
    at = figure.axes[0].transData.transform((line.get_xdata()[0], 0))[0]
    for box in sides:
        assert not box.overlaps(number) and not box.x0 < at < box.x1


def test_labbe_lines():
    figure = FIGURES["labbe"]()
    (pooled,) = lines(figure, "pooled")
    x, y = pooled.get_data()
    np.testing.assert_allclose(y, 0.8 * x)
