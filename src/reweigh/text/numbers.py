"""Numbers, intervals, P-values and counts as words: the one place where they are rounded.

A number is rounded once, half up, from what a table holds (12 significant digits): 0.875 is 0.88 however it was
computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Protocol

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
NOT_ESTIMABLE = "not estimable"

#: Ratios beyond these are printed as "<0.01" and ">9999": two decimals say nothing there.
SMALLEST_RATIO, LARGEST_RATIO = 0.005, 9999.995


@dataclass(frozen=True, slots=True)
class Interval:
    """What stands before, between and after the bounds of an interval."""

    opening: str = "("
    between: str = " to "
    closing: str = ")"


_PLAIN, _BARE = Interval(), Interval(opening="", closing="")
_WIDE = Context(prec=400)


class Row(Protocol):
    """A row of a table, a mapping or a pandas Series."""

    def __getitem__(self, name: Any, /) -> Any:
        """The cell of this column."""


def fixed(value: float, decimals: int) -> str:
    """Format a number with fixed decimals, half up, and a real minus sign; zero carries no sign."""
    return _rounded(value, decimals).replace("-", MINUS)


def _rounded(value: float, decimals: int, *, thousands: bool = False) -> str:
    if not math.isfinite(value):
        return NOT_ESTIMABLE if math.isnan(value) else "\N{INFINITY}" if value > 0 else "-\N{INFINITY}"
    number = Decimal(f"{value:.12g}").quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP, context=_WIDE)
    return f"{number if number else abs(number):{',' if thousands else ''}f}"


def whole(value: float) -> str:
    """A count with commas between thousands, `1,503`; empty where it is missing."""
    return "" if math.isnan(value) else _rounded(value, 0, thousands=True).replace("-", MINUS)


def count_text(k: float, comparisons: float | None = None) -> str:
    """`17 trials`, `1 trial`, `19 comparisons from 17 trials` where a trial gives several."""
    trials = f"{whole(k)} trial{'s' * (k != 1)}"
    several = comparisons is not None and not math.isnan(comparisons) and comparisons != k
    return f"{whole(comparisons)} comparisons from {trials}" if several else trials  # type: ignore[arg-type]


def ratio(value: float) -> str:
    """Format a ratio with two decimals, extremes as "<0.01" and ">9999"."""
    if value < SMALLEST_RATIO:
        return "<0.01"
    return ">9999" if value > LARGEST_RATIO else fixed(value, 2)


def percent_text(value: float) -> str:
    """Whole percent, `99.7%` where that would round to 100%; empty where it is missing."""
    return "" if math.isnan(value) else f"{fixed(value, 1 if 99.5 <= value < 100 else 0)}%"


def effect_text(
    estimate: float, lower: float, upper: float, *, decimals: int | None, interval: Interval = _PLAIN
) -> str:
    """`2.80 (1.44 to 5.45)`; numbers on the natural scale, NaN where not estimable; decimals None for ratios."""
    if math.isnan(estimate):
        return NOT_ESTIMABLE
    number = number_format(decimals, estimate)
    if math.isnan(lower) or math.isnan(upper):
        return f"{number(estimate)} (CI {NOT_ESTIMABLE})"
    return f"{number(estimate)} {interval_text(lower, upper, decimals=decimals, interval=interval, of=estimate)}"


def interval_text(
    lower: float, upper: float, *, decimals: int | None, interval: Interval = _PLAIN, of: float = math.nan
) -> str:
    """`(1.44 to 5.45)`, the interval `of` an estimate; numbers on the natural scale; decimals None for ratios."""
    number = number_format(decimals, of)
    return f"{interval.opening}{number(lower)}{interval.between}{number(upper)}{interval.closing}"


def number_format(decimals: int | None, estimate: float = math.nan) -> Callable[[float], str]:
    """How the numbers of an effect are printed: with these decimals, as a ratio where None.

    Where the estimate itself is a ratio too small for two decimals, what is below them has two significant digits.
    """
    if decimals is not None:
        return lambda value: fixed(value, decimals)
    return _tiny_ratio if 0 < estimate < SMALLEST_RATIO else ratio


def _tiny_ratio(value: float) -> str:
    return fixed(value, 1 - math.floor(math.log10(value))) if 1e-9 < value < SMALLEST_RATIO else ratio(value)


def decimals_of(row: Row) -> int | None:
    """Decimals of an effect (`scale`, `ci_lower_natural`, `ci_upper_natural` of a table's row): None for a ratio."""
    if row["scale"] == "log":
        return None
    return difference_decimals((_cell(row, "ci_upper_natural") - _cell(row, "ci_lower_natural")) / 2)


def row_text(row: Row, decimals: int | str | None = "own") -> str:
    """`2.80 (1.44 to 5.45)` of a table's row: `scale`, and estimate and limits on the natural scale."""
    digits = decimals_of(row) if isinstance(decimals, str) else decimals
    values = [_cell(row, f"{name}_natural") for name in ("estimate", "ci_lower", "ci_upper")]
    return effect_text(*values, decimals=digits)


def stated_text(row: Row, unit: str = "") -> str:
    """`RR 2.80 (95% CI 1.44 to 5.45)`, `MD −0.43 points (95% CI −0.55 to −0.30)` of a table's row."""
    number, bracket, rest = row_text(row).partition(" (")
    level = "" if rest.startswith("CI ") else f"{level_text(_cell(row, 'level'))} CI "
    return f"{row['measure']} {number}{f' {unit}' if unit and bracket else ''}{bracket}{level if bracket else ''}{rest}"


def span_text(row: Row, name: str) -> str:
    """`0.94 to 8.89` of a row's limits on the natural scale, name "pi", "ci", "guarded_ci" ...; empty if missing."""
    lower, upper = (_cell(row, f"{name}_{end}_natural") for end in ("lower", "upper"))
    if math.isnan(lower + upper) and not math.isinf(lower):
        return ""
    return interval_text(lower, upper, decimals=decimals_of(row), interval=_BARE)


def _cell(row: Row, name: str) -> float:
    value = row[name]
    return math.nan if value is None or value == "" else float(value)


def difference_decimals(half_width: float) -> int:
    """Decimals of differences: two, more where the interval is narrow (risk differences), fewer where it is huge."""
    if half_width >= 100:
        return 1 if half_width < 1000 else 0
    return max(2, -math.floor(math.log10(half_width / 3))) if half_width > 1e-12 else 2


def p_text(p: float, *, bare: bool = False) -> str:
    """`P = 0.03`, `P = 0.004`, `P < 0.001`, `P > 0.99`; bare: `0.03`, `< 0.001`, empty where it is missing.

    Two decimals, three below 0.01, and below 0.05 as many (up to four) as keep the printed number below 0.05.
    """
    if math.isnan(p):
        return "" if bare else f"P {NOT_ESTIMABLE}"
    if p < 0.001 or p > 0.99:
        text = "< 0.001" if p < 0.5 else "> 0.99"
    elif 0.04995 <= p < 0.05:
        text = "< 0.05"
    else:
        text = fixed(p, 4 if 0.0495 <= p < 0.05 else 3 if p < 0.0095 or 0.045 <= p < 0.05 else 2)
    if bare:
        return text
    return f"P {text}" if text[0] in "<>" else f"P = {text}"


def small_text(value: float) -> str:
    """Format a variance: two decimals, more where it is small (0.0042), fewer from 100 on, never an exponent."""
    if value == 0:
        return "0"
    if value < 0.0001:
        return "<0.0001"
    if value >= 99.995:
        return fixed(value, 1 if value < 999.95 else 0)
    return fixed(value, 2 if not value < 0.0095 else 1 - math.floor(math.log10(value)))


def needed_decimals(values: Sequence[float], most: int) -> int:
    """Fewest decimals, at most `most`, that print every value as it stands to `most` decimals."""
    texts = [_rounded(value, most).rstrip("0") for value in values if not math.isnan(value)]
    return max((len(text.partition(".")[2]) for text in texts), default=0)


def level_text(level: float) -> str:
    """`95%` of 0.95."""
    return f"{100 * level:.4g}%"
