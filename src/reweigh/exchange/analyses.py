"""What every RevMan file holds, whatever its form: analyses with their settings, and the rows of their studies."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from reweigh.exchange.result import Cell

ARM = ("n", "mean", "sd", "events")
NUMBERS = (
    *(f"{name}{side}" for side in (1, 2) for name in ARM),
    *("giv", "giv_se", "oe", "v", "weight", "estimate", "ci_lower", "ci_upper"),
)
"""Numbers of a data row: of both arms, given effect and SE (analysis scale), O-E and its variance, RevMan's results."""
TEXTS = ("file", "row", "group", "number", "study", "year", "subgroup", "applicability", "note")
ROW = (*TEXTS, *NUMBERS)

KINDS = {"counts": ("RR", "OR", "RD", "PETO"), "means": ("MD", "SMD"), "given": ("GIV", "GIV_ratio"), "oe": ("OE_V",)}
"""Kinds of data rows, and the measures that RevMan makes of each."""

#: Names of effect measures in RevMan 5, its CSV export and data packages; "Non-event" ones exchange events.
_MEASURES = {
    **dict.fromkeys(("or", "odds ratio"), "OR"),
    **dict.fromkeys(("rr", "risk ratio", "relative risk"), "RR"),
    **dict.fromkeys(("rd", "risk difference"), "RD"),
    **dict.fromkeys(("peto_or", "peto odds ratio", "peto or"), "PETO"),
    **dict.fromkeys(("md", "mean difference", "wmd", "weighted mean difference"), "MD"),
    **dict.fromkeys(("hr", "hazard ratio"), "HR"),
    **dict.fromkeys(("irr", "rate ratio", "incidence rate ratio"), "IRR"),
    **dict.fromkeys(("ird", "rate difference", "incidence rate difference"), "IRD"),
    **dict.fromkeys(("rom", "ratio of means"), "ROM"),
    **dict.fromkeys(
        (
            "smd", "standardized mean difference", "standardised mean difference", "std. mean difference",
            "std mean difference",
        ),
        "SMD",
    ),
}  # fmt: skip

_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff\ud800-\udfff]"
)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
#: Comparisons and analyses are numbered below this.
LARGEST_NUMBER = 100_000
Key = tuple[int, int]
"""Number of a comparison and of an analysis within it: 1.2 is (1, 2)."""


@dataclass(slots=True)
class Settings:
    """How RevMan was told to analyse, as far as the file says; pooled results as text, on the natural scale.

    `kind` is one of `KINDS`, or "" where only the rows tell; `measure` one of ours, or "" (`said` is its name in the
    file); `ratio` whether given effects are logarithms. `level` is that of the rows' intervals. `sides` are the words
    below the forest plot, left and right. `pooled` has estimate, ci_lower, ci_upper, tau2, i2, k, n_total, p.
    """

    name: str = ""
    group_name: str = ""
    kind: str = ""
    measure: str = ""
    said: str = ""
    ratio: bool | None = None
    swapped: bool = False
    method: str = ""
    random: bool | None = None
    tau2_method: str = ""
    ci_method: str = ""
    level: float | None = None
    pooled_level: float | None = None
    arms: tuple[str, str] = ("", "")
    sides: tuple[str, str] = ("", "")
    unit: str = ""
    pooled: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Judgement:
    """A judgement of risk of bias as the file words it; `outcome` is "" where it is of the whole trial."""

    file: str
    row: int
    study: str
    outcome: str
    domain: str
    judgement: str
    support: str = ""


@dataclass(slots=True)
class Review:
    """A review as a RevMan file holds it.

    `source` says where it is from, unless `doi` does. `rows` has the columns `ROW`: text, `row` the line of the file
    (a whole number), `group` and `number` whole numbers. `studies` have a key `study` and whatever is told of each.
    `subgroups` are RevMan's totals of subgroups.
    """

    name: str
    source: str = ""
    title: str = ""
    doi: str = ""
    year: str = ""
    rows: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(ROW)))
    settings: dict[Key, Settings] = field(default_factory=dict)
    studies: list[dict[str, str]] = field(default_factory=list)
    bias: list[Judgement] = field(default_factory=list)
    subgroups: list[dict[str, str]] = field(default_factory=list)
    cells: list[Cell] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def plain(text: str) -> str:
    """Text as a table may hold it: one line, NFC, without invisible characters and spaces at its ends."""
    return " ".join(unicodedata.normalize("NFC", _INVISIBLE.sub("", text)).split())


def unmarked(text: str) -> str:
    """Text that was HTML, plain."""
    return plain(html.unescape(_TAG.sub(" ", text))) if "<" in text or "&" in text else plain(text)


def effect_measure(said: str) -> tuple[str, bool]:
    """Our measure for RevMan's name of one ("" where there is none); whether events and non-events are exchanged."""
    words = " ".join(said.casefold().split())
    bare = words.removesuffix("(non-event)").strip()
    return _MEASURES.get(bare, ""), bare != words


def outcome_of(key: Key) -> str:
    """Analysis 1.2 as the name of an outcome: a1_2."""
    return f"a{key[0]}_{key[1]}"


POOLED = ("estimate", "ci_lower", "ci_upper", "tau2", "i2", "p")
"""What every file prints of a total."""


def pooled_of(said: Mapping[str, str], *columns: str) -> dict[str, str]:
    """RevMan's total of an analysis or subgroup; its P and I2 where they are numbers that can be printed so.

    `columns`: where `said` has each of POOLED, the degrees of freedom of Q, and the patients of both sides.
    """
    texts = [said.get(name, "") for name in columns]
    p, i2, df, *n = (pd.to_numeric(texts[at], errors="coerce") for at in (5, 4, 6, 7, 8))
    pooled = dict(zip(POOLED, texts, strict=False))
    return pooled | {
        "i2": pooled["i2"] if 0 <= i2 <= 100 else "",
        "p": pooled["p"] if 0 < p <= 1 else "",
        "k": f"{df + 1:.0f}" if df >= 0 else "",
        "n_total": f"{sum(n):.0f}" if sum(n) > 0 else "",
    }


def table_of(rows: Iterable[Mapping[str, object]]) -> pd.DataFrame:
    """Data rows as the table of a `Review`; what a row does not say is empty."""
    table = pd.DataFrame(list(rows), columns=list(ROW), dtype=object)
    texts = [name for name in ROW if name not in ("row", "group", "number")]
    table[texts] = table[texts].fillna("").map(str)
    return table


__all__ = [
    "ARM", "KINDS", "LARGEST_NUMBER", "NUMBERS", "ROW", "Judgement", "Key", "Review", "Settings", "effect_measure",
    "outcome_of", "plain", "pooled_of", "table_of", "unmarked",
]  # fmt: skip
