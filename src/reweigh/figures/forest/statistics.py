"""What a forest plot says in words: model, heterogeneity, tests, and the notes on derived values."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count, product
from typing import Any

import pandas as pd

from reweigh.figures.style import clean, symbols
from reweigh.protocol.models import INTERVAL_LABELS, PRESETS
from reweigh.text import codes, effects, pool
from reweigh.text.codes import Code
from reweigh.text.numbers import NOT_ESTIMABLE, fixed, level_text, p_text, percent_text, small_text

POOLING_WORDS = {"mantel-haenszel": "Mantel-Haenszel", "peto": "Peto"}
PI_WORDS = {
    "hartung-knapp": "t(k−1) on the Hartung-Knapp standard error",
    "t(k-1)": "t(k−1)",
    "t(k-2)": "t(k−2)",
    "bootstrap": "bootstrap",
}
NOTE_COLUMNS = ("derivation_codes", "assumption_codes", "flag_codes")
#: Notes of pooled results that a plot shows by itself: nothing is drawn of what they say is missing.
SHOWN = (
    "no_trials", "one_trial", "few_for_prediction_interval", "no_test_based_interval", "common_effect", "not_reported",
)  # fmt: skip

NARROW = "hartung_knapp_narrow"

Row = Mapping[Any, Any]


def number(row: Row, name: str) -> float:
    """Number of a table row, NaN where it is missing."""
    value = row.get(name)
    return math.nan if pd.isna(value) or value == "" else float(value)


def words(row: Row, name: str) -> str:
    """Text of a table row, empty where it is missing."""
    value = row.get(name)
    return "" if pd.isna(value) else str(value)


def level_of(row: Row) -> float:
    """Confidence level of a row of pooled.csv."""
    level = number(row, "level")
    return 0.95 if math.isnan(level) else level


def model_text(row: Row) -> str:
    """`REML, Hartung-Knapp`: pooling, tau2 estimator and interval of a row, after the name that a protocol gave it."""
    name, tau2, interval = words(row, "model"), words(row, "tau2_method"), words(row, "ci_method")
    pooling = words(row, "pooling")
    if not tau2:
        return name
    if pooling == "Bayesian":
        return "Bayesian, posterior median"
    what = "common effect" if tau2 == "EE" else tau2
    other = [POOLING_WORDS[pooling]] if pooling in POOLING_WORDS else []
    text = ", ".join(filter(None, [*other, what, INTERVAL_LABELS.get(interval, interval)]))
    said = {word.casefold() for word in (text, ", ".join(text.split(", ")[:-1]))}
    return text if not name or name in PRESETS or name.casefold() in said else f"{name}: {text}"


def heterogeneity_text(row: Row, *, brief: bool = False) -> str:
    """`Heterogeneity: τ² = 0.31, I² = 92% (τ²-based), Q = 152.23, df = 12, P < 0.001`.

    `brief`, as subgroups print it, leaves out the interval of tau2 and the definition of I2. A common-effect model has
    no tau2, and I2 from Q.
    """
    names = ("tau2", "tau2_ci_lower", "tau2_ci_upper", "q", "q_df", "q_p_value")
    tau2, low, high, q, df, p = (number(row, name) for name in names)
    i2, definition = number(row, "i2"), words(row, "i2_definition")
    if math.isnan(i2):
        i2, definition = number(row, "i2_from_q"), "Q-based"
    parts = []
    if not (math.isnan(tau2) or words(row, "tau2_method") == "EE"):
        interval = ""
        if not brief and not math.isnan(low + high):
            interval = f" ({level_text(level_of(row))} CI {small_text(low)} to {small_text(high)})"
        text = small_text(tau2)
        text = f"τ² {text[0]} {text[1:]}" if text.startswith("<") else f"τ² = {text}"
        parts.append(text + interval)
    if not math.isnan(i2):
        definition = symbols(definition.replace("tau2-", "τ²-"))
        parts.append(f"I² = {percent_text(i2)}" + ("" if brief or not definition else f" ({definition})"))
    if not math.isnan(q):
        parts.append(f"Q = {fixed(q, 2)}")
        parts += [f"df = {df:g}"] if not math.isnan(df) else []
        parts += [p_text(p)] if not math.isnan(p) else []
    return "Heterogeneity: " + (", ".join(parts) or NOT_ESTIMABLE)


def i2_from_q(row: Row) -> float:
    """I2 as RevMan 5 and the journals print it, (Q - df)/Q in percent."""
    i2 = number(row, "i2_from_q")
    return number(row, "i2") if math.isnan(i2) else i2


def overall_test_text(row: Row) -> str:
    """`Test for overall effect: t = 4.33, df = 4, P = 0.01`, z where the test is normal; empty where there is none."""
    statistic, df, p = (number(row, name) for name in ("statistic", "df", "p_value"))
    if math.isnan(statistic + p):
        return ""
    name = f"t = {fixed(statistic, 2)}, df = {df:g}" if math.isfinite(df) else f"z = {fixed(statistic, 2)}"
    return f"Test for overall effect: {name}, {p_text(p)}"


def difference_text(row: Row) -> str:
    """`Test for subgroup differences (REML, Hartung-Knapp): Q = 1.86, df = 2, P = 0.39`."""
    q, df, p = (number(row, f"q_between{name}") for name in ("", "_df", "_p_value"))
    name = f" ({model_text(row)})" if model_text(row) else ""
    return f"Test for subgroup differences{name}: Q = {fixed(q, 2)}, df = {df:g}, {p_text(p)}"


def difference_line(row: Row, test: Callable[[Row], str]) -> str:
    """The test between subgroups in the words of a layout, or why there is none, and what must be said of it."""
    noted = symbols(clean(codes.words(words(row, "q_between_note_codes"), pool.SENTENCES)))
    if math.isnan(number(row, "q_between") + number(row, "q_between_p_value")):
        reason = noted.removeprefix(NOT_ESTIMABLE).lstrip(" :;,")
        return f"Test for subgroup differences: {NOT_ESTIMABLE}" + (f": {reason}" if reason else "")
    return "; ".join(filter(None, (test(row), noted)))


def model_notes(main: Row, others: Sequence[Row], span: Callable[[Row, str], str]) -> Iterator[str]:
    """Footnotes that name the model and print the notes of pooled.csv.

    `span` prints the interval `guarded_ci`, `guarded_pi` ... of a row.
    """
    tau2, interval, pooling = (words(main, name) for name in ("tau2_method", "ci_method", "pooling"))
    name = POOLING_WORDS.get(pooling, "")
    if tau2 == "EE":
        text = f"{name}, common effect" if name else "Common-effect model"
    else:
        text = f"Random-effects model: τ² by {tau2}" + (f" around the {name} mean" if name else "")
    text += f", {level_text(level_of(main))} CI by {INTERVAL_LABELS.get(interval, interval)}" if interval else ""
    if not math.isnan(number(main, "pi_lower")):
        method = words(main, "pi_method")
        text += f", prediction interval by {PI_WORDS.get(method, method)}" if method else ""
    yield f"{text}. Weights and squares follow this model"
    seen: set[str] = set()
    for row in (main, *others):
        new = [one for one in codes.parse(words(row, "note_codes")) if str(one) not in seen]
        seen.update(map(str, new))
        # What changes the reading of the interval stands alone.
        for some in ([one for one in new if one.name == NARROW], [one for one in new if one.name != NARROW]):
            if text := _pooled_note(some, row, span):
                yield sentence(text) if row is main else f"{model_text(row)}: {symbols(text)}"


def subgroup_notes(parts: Sequence[tuple[str, Row]], span: Callable[[Row, str], str]) -> Iterator[str]:
    """The notes of subgroups, by name, each once with all that it holds for."""
    holders: dict[str, list[str]] = {}
    for name, row in parts:
        for one in codes.parse(words(row, "note_codes")):
            if text := _pooled_note([one], row, span):
                holders.setdefault(text, []).append(name)
    for text, names in holders.items():
        yield f"{', '.join(names)}: {symbols(text)}"


def _pooled_note(notes: Sequence[Code], row: Row, span: Callable[[Row, str], str]) -> str:
    said = []
    for one in notes:
        if one.name in SHOWN:
            continue
        text = clean(codes.sentence(one, pool.SENTENCES))
        if one.name == NARROW:
            p, predicted = number(row, "guarded_p_value"), span(row, "guarded_pi")
            text += f": {span(row, 'guarded_ci')}" + (f" ({p_text(p)})" if not math.isnan(p) else "")
            text += f", prediction interval {predicted}" if predicted else ""
        said.append(text)
    return "; ".join(said)


def trial_notes(trials: Sequence[Row]) -> tuple[list[str], list[tuple[str, str]]]:
    """Marks of each trial (`a,c`), and the letter and text of each note.

    A note is a kind of code of derivation, assumptions, flags or the reason why a trial is not pooled: the numbers of
    several trials stand in it as a range. Kinds that the same trials have share a letter.
    """
    holders: dict[tuple[str, ...], dict[int, list[Code]]] = {}
    for i, row in enumerate(trials):
        for one in (one for name in (*NOTE_COLUMNS, "reason_code") for one in codes.parse(words(row, name))):
            if not effects.is_plain(one):
                same = tuple(f"{k}={'' if _is_number(v) else v}" for k, v in one.parameters.items())
                holders.setdefault((one.name, *same), {}).setdefault(i, []).append(one)
    groups: dict[tuple[int, ...], list[str]] = {}
    for of_trials in holders.values():
        groups.setdefault(tuple(of_trials), []).append(_kind_text([one for row in of_trials.values() for one in row]))
    letters = ("".join(p) for size in count(1) for p in product(string.ascii_lowercase, repeat=size))
    marks: list[list[str]] = [[] for _ in trials]
    notes = []
    for (places, pieces), letter in zip(groups.items(), letters, strict=False):
        notes.append((letter, sentence("; ".join(dict.fromkeys(pieces)))))
        for i in places:
            marks[i].append(letter)
    return [",".join(m) for m in marks], notes


class _Span(str):
    """A range of numbers that prints as it stands in any format."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return str(self)


def _kind_text(kind: Sequence[Code]) -> str:
    """The words of several codes of one kind, with the range of each number: `SE → SD (n=12 to 40)`."""
    merged = {}
    for key, first in kind[0].parameters.items():
        values = sorted({float(one.parameters[key]) for one in kind}) if _is_number(first) else []
        shown = [f"{v:.0f}" if v == int(v) else f"{v:.4g}" for v in values]
        merged[key] = _Span(first if not values else shown[0] if len(values) == 1 else f"{shown[0]} to {shown[-1]}")
    return clean(codes.sentence(Code(kind[0].name, merged), effects.SENTENCES))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def sentence(text: str) -> str:
    """A note with its first letter raised (not the p of a P-value or a tau) and symbols in place of plain names."""
    text = clean(text)
    return symbols(text if re.match(r"(k|p|n|r|t|z|tau2?|phi|icc)\b", text) else text[:1].upper() + text[1:])
