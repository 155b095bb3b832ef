"""What a forest plot says in words: model, heterogeneity, tests, and the notes on derived values."""

from __future__ import annotations

import math
import re
import string
from collections.abc import Iterator, Mapping, Sequence
from itertools import count, product
from typing import Any

import pandas as pd

from reweigh.figures.style import clean, symbols
from reweigh.protocol.models import INTERVAL_LABELS
from reweigh.text.numbers import NOT_ESTIMABLE, fixed, level_text, p_text, small_text

POOLING_WORDS = {"mantel-haenszel": "Mantel-Haenszel", "peto": "Peto"}
PI_WORDS = {
    "hartung-knapp": "t(k−1) on the Hartung-Knapp standard error",
    "t(k-1)": "t(k−1)",
    "t(k-2)": "t(k−2)",
    "bootstrap": "bootstrap",
}

#: Pieces of a derivation that only name the measure, or say that a result stands as printed: no footnote.
PLAIN = re.compile(
    r"arms?|arm data|counts|events|means and SDs"
    r"|(log |Peto log )?(MD|RR|OR|RD|HR|IRR|IRD|SMD)|arcsine difference"
    r"|(SMDH?|Glass's delta \(control SD\)), exact J|\w+ variance|variance as metafor .*"
    r"|log ratio of means, not bias-corrected|reported .*|SE as printed"
)

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
    """`cochrane: REML, Hartung-Knapp`: the name of a row's model, its tau2 estimator and its interval."""
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
    return text if not name or name.casefold() in said else f"{name}: {text}"


def heterogeneity_text(row: Row, *, brief: bool = False) -> str:
    """`Heterogeneity: τ² = 0.31, I² = 92% (τ²-based), Q = 152.23, df = 12, P < 0.001`.

    `brief`, as subgroups print it, leaves out the interval of tau2 and the definition of I2.
    """
    names = ("tau2", "tau2_ci_lower", "tau2_ci_upper", "i2", "q", "q_df", "q_p_value")
    tau2, low, high, i2, q, df, p = (number(row, name) for name in names)
    parts = []
    if not math.isnan(tau2):
        interval = ""
        if not brief and not math.isnan(low + high):
            interval = f" ({level_text(level_of(row))} CI {small_text(low)} to {small_text(high)})"
        text = small_text(tau2)
        text = f"τ² {text[0]} {text[1:]}" if text.startswith("<") else f"τ² = {text}"
        parts.append(text + interval)
    if not math.isnan(i2):
        definition = symbols(words(row, "i2_definition").replace("tau2-", "τ²-"))
        parts.append(f"I² = {percent_text(i2)}" + ("" if brief or not definition else f" ({definition})"))
    if not math.isnan(q):
        parts.append(f"Q = {fixed(q, 2)}")
        parts += [f"df = {df:g}"] if not math.isnan(df) else []
        parts += [p_text(p)] if not math.isnan(p) else []
    return "Heterogeneity: " + (", ".join(parts) or NOT_ESTIMABLE)


def percent_text(i2: float) -> str:
    """I2 in whole percent, `99.7%` where that would round to 100%."""
    return f"{i2:.1f}%" if 99.5 <= i2 < 100 else f"{i2:.0f}%"


def overall_test_text(row: Row) -> str:
    """`Test for overall effect: t = 4.33, df = 4, P = 0.01`, z where the test is normal; empty where there is none."""
    statistic, df, p = (number(row, name) for name in ("statistic", "df", "p_value"))
    if math.isnan(statistic + p):
        return ""
    name = f"t = {fixed(statistic, 2)}, df = {df:g}" if math.isfinite(df) else f"z = {fixed(statistic, 2)}"
    return f"Test for overall effect: {name}, {p_text(p)}"


def difference_text(row: Row) -> str:
    """`Test for subgroup differences: Q = 1.86, df = 2, P = 0.39`, or why there is none."""
    q, df, p = (number(row, f"q_between{name}") for name in ("", "_df", "_p_value"))
    if math.isnan(q + p):
        return not_tested_text(row)
    return f"Test for subgroup differences: Q = {fixed(q, 2)}, df = {df:g}, {p_text(p)}"


def not_tested_text(row: Row) -> str:
    """Why there is no test for subgroup differences."""
    reason = symbols(clean(words(row, "q_between_note"))).removeprefix(NOT_ESTIMABLE).lstrip(" :;,")
    return f"Test for subgroup differences: {NOT_ESTIMABLE}" + (f": {reason}" if reason else "")


def model_notes(main: Row, others: Sequence[Row]) -> Iterator[str]:
    """Footnotes that name the model and print the notes of pooled.csv."""
    interval = words(main, "ci_method")
    common = words(main, "tau2_method") == "EE"
    text = "Common-effect model" if common else f"Random-effects model: τ² by {words(main, 'tau2_method')}"
    text += f", {level_text(level_of(main))} CI by {INTERVAL_LABELS.get(interval, interval)}" if interval else ""
    if not math.isnan(number(main, "pi_lower")):
        method = words(main, "pi_method")
        text += f", prediction interval by {PI_WORDS.get(method, method)}" if method else ""
    yield f"{text}. Weights and squares follow this model"
    seen = {""}
    for row in (main, *others):
        pieces = [piece for piece in map(clean, words(row, "note").split(";")) if piece not in seen]
        seen.update(pieces)
        if pieces:
            text = "; ".join(pieces)
            yield sentence(text) if row is main else f"{model_text(row)}: {symbols(text)}"


def trial_notes(trials: Sequence[Row], plain: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Marks of each trial (`a,c`), and the letter and text of each note.

    A note is a piece, between semicolons, of derivation, assumptions and flags. Pieces that always stand together
    share a letter.
    """
    known = {text.lower() for text in plain}
    holders: dict[str, list[int]] = {}
    for i, row in enumerate(trials):
        texts = [words(row, name) for name in ("derivation", "assumptions", "flags")]
        pieces = [clean(piece) for text in texts for piece in text.split(";")]
        if words(row, "corrected") == "yes" and not any(re.match("zero cell|no events", p) for p in pieces):
            pieces.append("zero cell: continuity correction")
        for piece in dict.fromkeys(pieces):
            if piece and piece.lower() not in known and not PLAIN.fullmatch(piece):
                holders.setdefault(piece, []).append(i)
    groups: dict[tuple[int, ...], list[str]] = {}
    for piece, rows in holders.items():
        groups.setdefault(tuple(rows), []).append(piece)
    letters = ("".join(p) for size in count(1) for p in product(string.ascii_lowercase, repeat=size))
    marks: list[list[str]] = [[] for _ in trials]
    notes = []
    for (places, pieces), letter in zip(groups.items(), letters, strict=False):
        notes.append((letter, sentence("; ".join(pieces))))
        for i in places:
            marks[i].append(letter)
    return [",".join(m) for m in marks], notes


def sentence(text: str) -> str:
    """A note with its first letter raised (not the p of a P-value or a tau) and symbols in place of plain names."""
    text = clean(text)
    return symbols(text if re.match(r"(k|p|n|r|t|z|tau2?|phi|icc)\b", text) else text[:1].upper() + text[1:])
