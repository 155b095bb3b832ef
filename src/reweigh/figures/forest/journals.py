"""The layouts of a forest plot: our own, that of RevMan (Cochrane reviews), and that of JAMA.

A layout says which columns stand where, what stands above them, and how numbers and statistics are printed. It never
changes a number. Sources, and where a source says nothing our own way stands:

RevMan
    The layout "RevMan5" of the R package meta (https://github.com/guido-s/meta, `R/forest.R`, `R/settings.meta.R` and
    the help of `forest.meta`): every column left of the plot, Events and Total or Mean, SD and Total of each arm,
    estimate and SE without arm data, weight, effect as `0.49 [0.33, 0.73]`; measure and method ("IV, Random, 95% CI")
    above the plot as well; Tau², Chi² and I² in its wording; tests of the overall effect, of each subgroup and for
    subgroup differences; black diamonds; squares blue for counts, green for means, red otherwise. "Total events",
    "Total (95% CI)" with sums and the weight in percent: "Forest Plot in RevMan Style" of metafor
    (https://www.metafor-project.org/doku.php/plots:forest_plot_revman), and the help of RevMan 5 on forest plots. The
    digits of P (one below 0.01, P < 0.0001, P < 0.00001), and that Z carries no sign, follow what RevMan puts out; no
    source says so. It would pool a subgroup of one trial; we do not.
JAMA
    The layout "JAMA" of meta, which follows the journal's instructions for authors: "Source", the effect as
    `0.49 (0.33-0.73)` left of the plot, what each side favors in bold above it and the measure below its axis,
    `χ²₁₂ = 152.23 (P < .001), I² = 92%` without τ², dark blue squares and light blue diamonds. P-values: AMA Manual of
    Style, 11th edition, 19.5 (two digits, three below .01 and where two would hide P < .05, no leading zero, P < .001,
    P > .99). Meta prints neither arm data nor weights in this layout. That they are printed, and their headers, follow
    forest plots that the journal has published; no source says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from reweigh.figures.forest.statistics import (
    Row,
    difference_text,
    heterogeneity_text,
    model_text,
    not_tested_text,
    number,
    overall_test_text,
    percent_text,
    words,
)
from reweigh.figures.style import DIAMOND, INK, PREDICTION, SQUARE, SUBTOTAL
from reweigh.text.numbers import NOT_ESTIMABLE, Interval, fixed, level_text, p_text, small_text

#: Kinds of data: the columns of the arms and, with RevMan, the colour of the squares follow them.
BINARY, CONTINUOUS, GENERIC = "binary", "continuous", "generic"
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of each arm: `pattern` joins the numbers `parts`; `alone` is its header where only the first is known.

    `on_slash` sets the cells on their slash, otherwise they stand flush right.
    """

    name: str
    header: str
    parts: tuple[str, ...]
    pattern: str = "{}"
    alone: str = ""
    on_slash: bool = False


@dataclass(frozen=True, slots=True)
class Statistics:
    """How statistics are worded.

    `heterogeneity` takes a row of pooled.csv and whether it is that of a subgroup; `overall_test` and `difference`
    take a row. `subgroup_tests` prints the test of the effect in each subgroup.
    """

    heterogeneity: Callable[[Row, bool], str]
    overall_test: Callable[[Row], str]
    difference: Callable[[Row], str]
    subgroup_tests: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """Colours of the marks; each square leaves the line of its interval visible (contrast at least 3)."""

    squares: Mapping[str, str]
    square_edge: str | None
    overall: str
    subtotal: str
    edge: str
    prediction: str = PREDICTION


@dataclass(frozen=True, slots=True)
class Layout:
    """A layout of the forest plot.

    `left` and `right` are the columns beside the panel in printed order, after the study and the data of its arms.
    `effect_header` and `total` take the main row of pooled.csv (empty where nothing is pooled) and the level.
    `arm_names_below`: where an arm has one column, what it shows stands above both arms. `generic`: estimate and SE
    of trials without arm data.
    """

    name: str
    left: tuple[str, ...]
    right: tuple[str, ...]
    study_header: str
    columns: Mapping[str, tuple[Column, ...]]
    ratio_interval: Interval
    difference_interval: Interval
    effect_header: Callable[[Row, float], str]
    weight_header: str
    weight: str
    total: Callable[[Row, float], str]
    subtotal: Callable[[float], str]
    statistics: Statistics
    marks: Marks
    generic: bool = False
    total_events: bool = False
    arm_names_below: bool = False
    title: bool = True
    panel_header: bool = False
    favours_above: bool = False
    axis_title: bool = False
    spelling: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Folder under `figures/` and kind in its index."""
        return "forest" if self is REWEIGH else f"forest_{self.name}"

    def spell(self, text: str) -> str:
        """A text in the spelling of the house."""
        for ours, theirs in self.spelling.items():
            text = text.replace(ours, theirs)
        return text

    def on_slash(self, name: str) -> bool:
        """Whether the cells of this column, such as `events_control`, stand on their slash."""
        what = name.partition("_")[0]
        return any(column.name == what and column.on_slash for kind in self.columns.values() for column in kind)


def _events(header: str, alone: str) -> Column:
    return Column("events", header, ("events", "n"), "{}/{}", alone, on_slash=True)


def _one(name: str, header: str) -> Column:
    return Column(name, header, (name,))


def _revman_p(p: float) -> str:
    """`P = 0.03`, `P = 0.002`, `P < 0.0001`, `P < 0.00001`, `P = 1.00`."""
    for bound in ("0.00001", "0.0001"):
        if p < float(bound):
            return f"P < {bound}"
    if p > 0.99:
        return f"P = {p:.2f}"
    return f"P = {p:.1g}" if p < 0.0095 else p_text(p)


def _revman_heterogeneity(row: Row, subgroup: bool) -> str:
    """`Heterogeneity: Tau² = 0.31; Chi² = 152.23, df = 12 (P < 0.00001); I² = 92%`."""
    tau2, i2, q, df, p = (number(row, name) for name in ("tau2", "i2", "q", "q_df", "q_p_value"))
    parts = []
    if not math.isnan(tau2):
        text = small_text(tau2) if tau2 else "0.00"
        parts.append(f"Tau² < {text[1:]}" if text.startswith("<") else f"Tau² = {text}")
    if not math.isnan(q + df + p):
        parts.append(f"Chi² = {fixed(q, 2)}, df = {df:g} ({_revman_p(p)})")
    parts += [] if math.isnan(i2) else [f"I² = {percent_text(i2)}"]
    return "Heterogeneity: " + ("; ".join(parts) or NOT_ESTIMABLE)


def _revman_test(row: Row) -> str:
    """`Test for overall effect: Z = 3.97 (P < 0.0001)`, T with its df where the test is one of t."""
    statistic, df, p = (number(row, name) for name in ("statistic", "df", "p_value"))
    if math.isnan(statistic + p):
        return ""
    name = f"T = {fixed(abs(statistic), 2)}, df = {df:g}" if math.isfinite(df) else f"Z = {fixed(abs(statistic), 2)}"
    return f"Test for overall effect: {name} ({_revman_p(p)})"


def _revman_difference(row: Row) -> str:
    """`Test for subgroup differences: Chi² = 1.86, df = 2 (P = 0.39), I² = 0%`."""
    q, df, p = (number(row, f"q_between{name}") for name in ("", "_df", "_p_value"))
    if math.isnan(q + p):
        return not_tested_text(row)
    i2 = 100 * max(0.0, (q - df) / q) if q > 0 else 0.0
    return f"Test for subgroup differences: Chi² = {fixed(q, 2)}, df = {df:g} ({_revman_p(p)}), I² = {percent_text(i2)}"


def _revman_method(main: Row, level: float) -> str:
    """`IV, Random, 95% CI`."""
    pooling = {"mantel-haenszel": "M-H", "peto": "Peto", "Bayesian": "Bayesian"}.get(words(main, "pooling"), "IV")
    method = words(main, "tau2_method")
    model = [pooling, "Fixed" if method == "EE" else "Random"] if method else []
    return ", ".join([*model, f"{level_text(level)} CI"])


def _jama_p(p: float) -> str:
    """`P = .03`, `P = .004`, `P < .001`, `P > .99`."""
    return p_text(p).replace("0.", ".")


def _chi2(q: float, df: float, p: float) -> str:
    return f"χ²{f'{df:.0f}'.translate(SUBSCRIPTS)} = {fixed(q, 2)} ({_jama_p(p)})"


def _jama_heterogeneity(row: Row, subgroup: bool) -> str:
    """`Heterogeneity: χ²₁₂ = 152.23 (P < .001), I² = 92%`."""
    i2, q, df, p = (number(row, name) for name in ("i2", "q", "q_df", "q_p_value"))
    parts = [] if math.isnan(q + df + p) else [_chi2(q, df, p)]
    parts += [] if math.isnan(i2) else [f"I² = {percent_text(i2)}"]
    return "Heterogeneity: " + (", ".join(parts) or NOT_ESTIMABLE)


def _jama_test(row: Row) -> str:
    """`Test for overall effect: z = 3.97 (P < .001)`, t with its df where the test is one of t."""
    statistic, df, p = (number(row, name) for name in ("statistic", "df", "p_value"))
    if math.isnan(statistic + p):
        return ""
    name = f"t = {fixed(statistic, 2)}, df = {df:g}" if math.isfinite(df) else f"z = {fixed(statistic, 2)}"
    return f"Test for overall effect: {name} ({_jama_p(p)})"


def _jama_difference(row: Row) -> str:
    """`Test for subgroup differences: χ²₂ = 1.86 (P = .39)`."""
    q, df, p = (number(row, f"q_between{name}") for name in ("", "_df", "_p_value"))
    return not_tested_text(row) if math.isnan(q + df + p) else f"Test for subgroup differences: {_chi2(q, df, p)}"


def _brackets(main: Row, level: float) -> str:
    return f"({level_text(level)} CI)"


REWEIGH = Layout(
    name="reweigh",
    left=(),
    right=("effect", "weight_text", "risk_of_bias"),
    study_header="Study",
    columns=MappingProxyType(
        {
            BINARY: (_events("n/N", "Events"),),
            CONTINUOUS: (_one("mean", "Mean"), _one("sd", "SD"), _one("n", "n")),
        }
    ),
    ratio_interval=Interval(),
    difference_interval=Interval(),
    effect_header=_brackets,
    weight_header="Weight",
    weight="{:.1f}%",
    total=lambda main, level: f"Overall ({model_text(main)})" if main else "Overall",
    subtotal=lambda level: "Subtotal",
    statistics=Statistics(
        lambda row, subgroup: heterogeneity_text(row, brief=subgroup), overall_test_text, difference_text
    ),
    marks=Marks(
        MappingProxyType(dict.fromkeys((BINARY, CONTINUOUS, GENERIC), SQUARE)), DIAMOND, DIAMOND, SUBTOTAL, DIAMOND
    ),
)

#: The colours of RevMan's squares in the colour-blind safe palette of Okabe and Ito (https://jfly.uni-koeln.de/color/).
REVMAN = Layout(
    name="revman",
    left=("weight_text", "effect"),
    right=("risk_of_bias",),
    study_header="Study or Subgroup",
    columns=MappingProxyType(
        {
            BINARY: (_one("events", "Events"), _one("n", "Total")),
            CONTINUOUS: (_one("mean", "Mean"), _one("sd", "SD"), _one("n", "Total")),
        }
    ),
    ratio_interval=Interval("[", ", ", "]"),
    difference_interval=Interval("[", ", ", "]"),
    effect_header=_revman_method,
    weight_header="Weight",
    weight="{:.1f}%",
    total=lambda main, level: f"Total ({level_text(level)} CI)",
    subtotal=lambda level: f"Subtotal ({level_text(level)} CI)",
    statistics=Statistics(_revman_heterogeneity, _revman_test, _revman_difference, subgroup_tests=True),
    marks=Marks(MappingProxyType({BINARY: "#0072b2", CONTINUOUS: "#009e73", GENERIC: "#d55e00"}), None, INK, INK, INK),
    generic=True,
    total_events=True,
    panel_header=True,
)

JAMA = Layout(
    name="jama",
    left=("effect",),
    right=("weight_text", "risk_of_bias"),
    study_header="Source",
    columns=MappingProxyType(
        {
            BINARY: (_events("No. of events/total No.", "No. of events"),),
            CONTINUOUS: (Column("mean", "Mean (SD)", ("mean", "sd"), "{} ({})", "Mean"), _one("n", "No.")),
        }
    ),
    ratio_interval=Interval("(", "-", ")"),
    # A hyphen before a minus sign cannot be read: "to" where bounds may be negative.
    difference_interval=Interval("(", " to ", ")"),
    effect_header=_brackets,
    weight_header="Weight, %",
    weight="{:.1f}",
    total=lambda main, level: "Total",
    subtotal=lambda level: "Subtotal",
    statistics=Statistics(_jama_heterogeneity, _jama_test, _jama_difference),
    marks=Marks(
        MappingProxyType(dict.fromkeys((BINARY, CONTINUOUS, GENERIC), "#3a6ea5")), None, "#add8e6", "#add8e6", INK
    ),
    arm_names_below=True,
    title=False,
    favours_above=True,
    axis_title=True,
    spelling=MappingProxyType({"Favours": "Favors", "favours": "favors", "tandardised": "tandardized"}),
)

#: Layouts by their name.
LAYOUTS: Mapping[str, Layout] = MappingProxyType({layout.name: layout for layout in (REWEIGH, REVMAN, JAMA)})
