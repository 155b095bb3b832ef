"""Numbers as journals print them: fixed decimals, real minus signs, P-values, padding to the decimal point."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement

MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"
NOT_ESTIMABLE = "not estimable"

#: Ratios beyond these are printed as "<0.01" and ">9999": two decimals say nothing there.
SMALLEST_RATIO, LARGEST_RATIO = 0.005, 9999.995

_SPACES = "\N{FIGURE SPACE}\N{PUNCTUATION SPACE}\N{THIN SPACE}\N{HAIR SPACE}\N{FOUR-PER-EM SPACE}\N{SIX-PER-EM SPACE}"
_NUMBER = re.compile(rf"[(\[]?[<>{MINUS}]?\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Interval:
    """What stands before, between and after the bounds of an interval."""

    opening: str = "("
    between: str = " to "
    closing: str = ")"


_PLAIN = Interval()


def fixed(value: float, decimals: int) -> str:
    """Format a number with fixed decimals and a real minus sign; zero carries no sign."""
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def ratio(value: float) -> str:
    """Format a ratio with two decimals, extremes as "<0.01" and ">9999"."""
    if value < SMALLEST_RATIO:
        return "<0.01"
    return ">9999" if value > LARGEST_RATIO else fixed(value, 2)


def effect_text(
    estimate: float, lower: float, upper: float, *, decimals: int | None, interval: Interval = _PLAIN
) -> str:
    """`2.80 (1.44 to 5.45)`; numbers on the natural scale, NaN where not estimable; decimals None for ratios."""
    number = _number_format(decimals)
    if math.isnan(estimate):
        return NOT_ESTIMABLE
    if math.isnan(lower) or math.isnan(upper):
        return f"{number(estimate)} (CI {NOT_ESTIMABLE})"
    return f"{number(estimate)} {interval_text(lower, upper, decimals=decimals, interval=interval)}"


def interval_text(lower: float, upper: float, *, decimals: int | None, interval: Interval = _PLAIN) -> str:
    """`(1.44 to 5.45)`; numbers on the natural scale; decimals None for ratios."""
    number = _number_format(decimals)
    return f"{interval.opening}{number(lower)}{interval.between}{number(upper)}{interval.closing}"


def _number_format(decimals: int | None) -> Callable[[float], str]:
    return ratio if decimals is None else lambda value: fixed(value, decimals)


def difference_decimals(half_width: float) -> int:
    """Decimals of differences: two, more where the interval is narrow (risk differences)."""
    return 4 if half_width < 0.003 else 3 if half_width < 0.03 else 2


def p_text(p: float) -> str:
    """`P = 0.03`, `P = 0.004`, `P < 0.001`; three decimals also where two would turn 0.048 into 0.05."""
    if p < 0.001:
        return "P < 0.001"
    if p > 0.99:
        return "P > 0.99"
    return f"P = {p:.3f}" if p < 0.0095 or 0.045 <= p < 0.05 else f"P = {p:.2f}"


def small_text(value: float) -> str:
    """Format a variance: two decimals, more where it is small (0.0042), fewer from 100 on, never an exponent."""
    if value == 0:
        return "0"
    if value < 0.0001:
        return "<0.0001"
    if math.isinf(value):
        return "∞"
    if value >= 99.995:
        return f"{value:.1f}" if value < 999.95 else f"{value:.0f}"
    return f"{value:.2f}" if value >= 0.0095 else f"{value:.{1 - math.floor(math.log10(value))}f}"


def needed_decimals(values: Sequence[float], most: int) -> int:
    """Fewest decimals, at most `most`, that print every value as it stands to `most` decimals."""
    texts = [f"{value:.{most}f}".rstrip("0") for value in values if not math.isnan(value)]
    return max((len(text.partition(".")[2]) for text in texts), default=0)


def level_text(level: float) -> str:
    """`95%` of 0.95."""
    return f"{100 * level:.4g}%"


def align_numbers(texts: Sequence[str], width: Callable[[str], float]) -> list[str]:
    """Pad effects, `1.2 (0.3 to 4.5)`, and bare intervals so that set flush right their decimal points align.

    Parameters
    ----------
    texts
        Cells of one column; a cell with fewer than two numbers is left alone.
    width
        Width of a text in any unit.
    """
    cells = [[(m.group(), m.group().partition(".")[0]) for m in _NUMBER.finditer(text)] for text in texts]
    before, after = [0.0] * 3, [0.0] * 3
    for numbers in cells:
        if len(numbers) in (2, 3):
            for slot, (whole, head) in enumerate(numbers, start=3 - len(numbers)):
                before[slot] = max(before[slot], width(head))
                after[slot] = max(after[slot], width(whole) - width(head))
    aligned = []
    for text, numbers in zip(texts, cells, strict=True):
        if len(numbers) not in (2, 3):
            aligned.append(text)
            continue
        padded = [
            padding(before[slot] - width(head), width)
            + whole
            + padding(after[slot] - width(whole) + width(head), width)
            for slot, (whole, head) in enumerate(numbers, start=3 - len(numbers))
        ]
        between = _NUMBER.split(text)
        aligned.append("".join(piece for pair in zip(between, [*padded, ""], strict=True) for piece in pair))
    return aligned


def padding(target: float, width: Callable[[str], float]) -> str:
    """Spaces of the font whose widths add up to the target as nearly as three small ones can bring it."""
    figure = width(_SPACES[0])
    if target < figure / 20:
        return ""
    whole = max(0, int(target / figure + 1e-6))
    rest = target - whole * figure
    best = min(_small_spaces(tuple(width(space) for space in _SPACES[1:])), key=lambda pair: abs(pair[0] - rest))
    return _SPACES[0] * whole + best[1]


@lru_cache(maxsize=8)
def _small_spaces(widths: tuple[float, ...]) -> list[tuple[float, str]]:
    spaces = list(zip(widths, _SPACES[1:], strict=True))
    chosen = [c for count in range(4) for c in combinations_with_replacement(spaces, count)]
    return [(sum(w for w, _ in c), "".join(s for _, s in c)) for c in chosen]
