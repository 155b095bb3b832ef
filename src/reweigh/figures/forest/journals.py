"""The layouts of a forest plot: our own, that of RevMan (Cochrane reviews), those of JAMA and of the BMJ.

A layout says which columns stand where, what stands above them, and how numbers and statistics are printed. It never
changes a number. Sources, and where a source says nothing our own way stands:

All but our own
    Every trial is listed, those that cannot be estimated too, and the totals count all that are listed; a footnote says
    how many of them are pooled. I² is (Q - df)/Q, as RevMan 5 defines it; where the model's own, from τ², differs, a
    footnote prints it. Each subgroup has a test of its effect.
RevMan
    The layout "RevMan5" of the R package meta (https://github.com/guido-s/meta, `R/forest.R`, `R/settings.meta.R` and
    the help of `forest.meta`): every column left of the plot, Events and Total or Mean, SD and Total of each arm,
    estimate and SE without arm data, weight, effect as `0.49 [0.33, 0.73]`; measure and method ("IV, Random, 95% CI")
    above the plot as well; Tau² (random effects), Chi² and I² in its wording; tests of the overall effect, of each
    subgroup and for subgroup differences; black diamonds; squares blue for counts, green for means, red otherwise.
    "Total events", "Total (95% CI)" with sums and the weight in percent: "Forest Plot in RevMan Style" of metafor
    (https://www.metafor-project.org/doku.php/plots:forest_plot_revman), and the help of RevMan 5 on forest plots, which
    also has the columns O-E and Variance (Peto). The digits of P (one below 0.01, P < 0.0001, P < 0.00001), and that Z
    carries no sign, follow what RevMan puts out; no source says so. It would pool a subgroup of one trial; we do not.
JAMA
    The layout "JAMA" of meta, which follows the journal's instructions for authors: "Source", the effect as
    `0.49 (0.33-0.73)` left of the plot, what each side favors in bold above it and the measure below its axis,
    `χ²₁₂ = 152.23 (P < .001), I² = 92%`, dark blue squares and light blue diamonds. P-values: AMA Manual of Style, 11th
    edition, 19.5 (two digits, three below .01 and where two would hide P < .05, no leading zero, P < .001, P > .99).
    Meta prints neither τ² nor arm data nor weights in this layout. That they are printed, and their headers, follow
    forest plots that the journal has published; no source says so.
BMJ
    The layout "BMJ" of meta (same places; `settings.meta("BMJ")`, after the BMJ's style and formatting checklist for
    original research): counts with their total and means (SD) with theirs in one column per arm under one header,
    `0.49 (0.33 to 0.73)`, "Test for heterogeneity" with τ², χ² and I², tests of the overall effect, of each subgroup
    and for subgroup differences, P with a leading zero, purple marks (a little lighter here, so that an interval is
    seen on its square). That weights stand between plot and effect follows plots that the journal has published; no
    source says so.
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
    i2_from_q,
    model_text,
    number,
    overall_test_text,
    words,
)
from reweigh.figures.style import DIAMOND, INK, PREDICTION, SQUARE, SUBTOTAL
from reweigh.text.numbers import NOT_ESTIMABLE, Interval, fixed, level_text, p_text, percent_text, small_text

#: Kinds of data: the columns of the arms and, with RevMan, the colour of the squares follow them.
BINARY, RATE, CONTINUOUS, GENERIC = "binary", "rate", "continuous", "generic"
KINDS = (BINARY, RATE, CONTINUOUS, GENERIC)
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
    take a row.
    """

    heterogeneity: Callable[[Row, bool], str]
    overall_test: Callable[[Row], str]
    difference: Callable[[Row], str]


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
    of trials without arm data. `o_minus_e`: O - E and V where Peto's method pools. `journal`: the rules of all layouts
    but our own, see above.
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
    o_minus_e: bool = False
    journal: bool = True
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
        what = name.rpartition("_")[0]
        return any(column.name == what and column.on_slash for kind in self.columns.values() for column in kind)


def _events(header: str, alone: str) -> Column:
    return Column("events", header, ("events", "n"), "{}/{}", alone, on_slash=True)


def _rate(header: str, alone: str) -> Column:
    return Column("events", header, ("events", "person_time"), "{}/{}", alone, on_slash=True)


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


def _tau2(row: Row, name: str, zero: str = "0") -> list[str]:
    """`Tau² = 0.31` of a random-effects model; a common-effect one has none."""
    tau2 = number(row, "tau2")
    if math.isnan(tau2) or words(row, "tau2_method") == "EE":
        return []
    text = small_text(tau2) if tau2 else zero
    return [f"{name} < {text[1:]}" if text.startswith("<") else f"{name} = {text}"]


def _i2(row: Row) -> list[str]:
    i2 = i2_from_q(row)
    return [] if math.isnan(i2) else [f"I² = {percent_text(i2)}"]


def _tested(row: Row, names: tuple[str, str, str], text: Callable[[float, float, float], str]) -> list[str]:
    """A chi-squared test: its statistic, df and P in these columns, in words; none where one is missing."""
    q, df, p = (number(row, name) for name in names)
    return [] if math.isnan(q + df + p) else [text(q, df, p)]


_WITHIN = ("q", "q_df", "q_p_value")
_BETWEEN = ("q_between", "q_between_df", "q_between_p_value")


def _revman_chi2(q: float, df: float, p: float) -> str:
    return f"Chi² = {fixed(q, 2)}, df = {df:g} ({_revman_p(p)})"


def _revman_heterogeneity(row: Row, subgroup: bool) -> str:
    """`Heterogeneity: Tau² = 0.31; Chi² = 152.23, df = 12 (P < 0.00001); I² = 92%`."""
    parts = [*_tau2(row, "Tau²", "0.00"), *_tested(row, _WITHIN, _revman_chi2), *_i2(row)]
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
    q, df = number(row, "q_between"), number(row, "q_between_df")
    i2 = 100 * max(0.0, (q - df) / q) if q > 0 else 0.0
    (chi2,) = _tested(row, _BETWEEN, _revman_chi2)
    return f"Test for subgroup differences: {chi2}, I² = {percent_text(i2)}"


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
    """`Heterogeneity: τ² = 0.31, χ²₁₂ = 152.23 (P < .001), I² = 92%`."""
    parts = [*_tau2(row, "τ²"), *_tested(row, _WITHIN, _chi2), *_i2(row)]
    return "Heterogeneity: " + (", ".join(parts) or NOT_ESTIMABLE)


def _jama_test(row: Row) -> str:
    """`Test for overall effect: z = 3.97 (P < .001)`, t with its df where the test is one of t."""
    head, _, p = overall_test_text(row).rpartition(", P ")
    return f"{head} (P {p.replace('0.', '.')})" if head else ""


def _jama_difference(row: Row) -> str:
    """`Test for subgroup differences: χ²₂ = 1.86 (P = .39)`."""
    return f"Test for subgroup differences: {', '.join(_tested(row, _BETWEEN, _chi2))}"


def _bmj_chi2(q: float, df: float, p: float) -> str:
    return f"χ² = {fixed(q, 2)}, df = {df:g}, {p_text(p)}"


def _bmj_heterogeneity(row: Row, subgroup: bool) -> str:
    """`Test for heterogeneity: τ² = 0.31; χ² = 152.23, df = 12, P < 0.001; I² = 92%`."""
    parts = [*_tau2(row, "τ²"), *_tested(row, _WITHIN, _bmj_chi2), *_i2(row)]
    return "Test for heterogeneity: " + ("; ".join(parts) or NOT_ESTIMABLE)


def _bmj_difference(row: Row) -> str:
    """`Test for subgroup differences: χ² = 1.86, df = 2, P = 0.39`."""
    return f"Test for subgroup differences: {', '.join(_tested(row, _BETWEEN, _bmj_chi2))}"


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
            RATE: (_rate("n/time", "Events"),),
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
    marks=Marks(MappingProxyType(dict.fromkeys(KINDS, SQUARE)), DIAMOND, DIAMOND, SUBTOTAL, DIAMOND),
    journal=False,
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
            RATE: (_one("events", "Events"), _one("person_time", "Time")),
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
    statistics=Statistics(_revman_heterogeneity, _revman_test, _revman_difference),
    marks=Marks(
        MappingProxyType({BINARY: "#0072b2", RATE: "#0072b2", CONTINUOUS: "#009e73", GENERIC: "#d55e00"}),
        None,
        INK,
        INK,
        INK,
    ),
    generic=True,
    o_minus_e=True,
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
            RATE: (_rate("No. of events/person-time", "No. of events"),),
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
    marks=Marks(MappingProxyType(dict.fromkeys(KINDS, "#3a6ea5")), None, "#add8e6", "#add8e6", INK),
    arm_names_below=True,
    title=False,
    favours_above=True,
    axis_title=True,
    spelling=MappingProxyType({"Favours": "Favors", "favours": "favors", "tandardised": "tandardized"}),
)

BMJ = Layout(
    name="bmj",
    left=(),
    right=("weight_text", "effect", "risk_of_bias"),
    study_header="Study",
    columns=MappingProxyType(
        {
            BINARY: (_events("No of events/total", "No of events"),),
            RATE: (_rate("No of events/person time", "No of events"),),
            CONTINUOUS: (Column("mean", "Mean (SD)/total", ("mean", "sd", "n"), "{} ({})/{}", "Mean", on_slash=True),),
        }
    ),
    ratio_interval=Interval(),
    difference_interval=Interval(),
    effect_header=_brackets,
    weight_header="Weight (%)",
    weight="{:.1f}",
    total=lambda main, level: f"Total ({level_text(level)} CI)",
    subtotal=lambda level: f"Subtotal ({level_text(level)} CI)",
    statistics=Statistics(_bmj_heterogeneity, overall_test_text, _bmj_difference),
    marks=Marks(MappingProxyType(dict.fromkeys(KINDS, "#7a68b3")), "white", "#7a68b3", "#7a68b3", "#6b58a6"),
    arm_names_below=True,
    panel_header=True,
)

#: Layouts by their name, and those of journals.
LAYOUTS: Mapping[str, Layout] = MappingProxyType({layout.name: layout for layout in (REWEIGH, REVMAN, JAMA, BMJ)})
JOURNALS = tuple(layout for layout in LAYOUTS.values() if layout.journal)
