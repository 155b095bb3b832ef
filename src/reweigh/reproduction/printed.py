"""Numbers as they were printed: value, decimals, and what they could have been before rounding."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

_NUMBER = re.compile(r"^[+-]?(\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$")
_MINUS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{MIDDLE DOT}": "."})

#: Floating-point slack when a value lies exactly between two prints.
SLACK = 1e-9


@dataclass(frozen=True, slots=True)
class Printed:
    """A printed number: `half` is half a unit of its last printed digit."""

    value: float
    decimals: int

    @property
    def half(self) -> float:
        """Half a unit of the last printed digit."""
        return 0.5 * 10.0**-self.decimals

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest number that could have been printed so."""
        return self.value - self.half, self.value + self.half


def parse_number(text: object) -> Printed | None:
    """A printed number with its decimals, None for an empty cell; raises ValueError for anything else."""
    written = str(text).strip().translate(_MINUS)
    if written in ("", "nan", "None", "<NA>"):
        return None
    if not _NUMBER.match(written):
        raise ValueError(f"{text!r} is not a printed number")
    mantissa = re.split(r"[eE]", written)[0]
    exponent = int(re.split(r"[eE]", written)[1]) if re.search(r"[eE]", written) else 0
    return Printed(float(written), max(0, len(mantissa.partition(".")[2]) - exponent))


def parse_p(text: object) -> tuple[str, Printed] | None:
    """A printed p-value as operator and number: "<.001" is ("<", 0.001); None for an empty cell."""
    written = re.sub(r"\s|[pP]", "", str(text))
    if written in ("", "nan", "None", "<NA>"):
        return None
    operator = written[0] if written[0] in "<>=" else "="
    number = parse_number(written.lstrip("<>="))
    if number is None or not 0 <= number.value <= 1:
        raise ValueError(f"{text!r} is not a p-value")
    return operator, number


def agrees(value: float, printed: Printed) -> bool:
    """Whether a computed value prints as these digits; a value exactly between two prints agrees with both."""
    return not math.isnan(value) and abs(value - printed.value) <= printed.half + SLACK * max(1.0, abs(printed.value))


def cut_off_agrees(value: float, printed: Printed) -> bool:
    """Whether a value, cut off instead of rounded after the last printed digit, is this number."""
    unit = 10.0**-printed.decimals
    return not math.isnan(value) and math.isclose(math.trunc(value / unit) * unit, printed.value, abs_tol=unit / 1e6)


def units_off(value: float, printed: Printed) -> float:
    """Distance of a value from the print, in units of the last printed digit."""
    return math.inf if math.isnan(value) else abs(value - printed.value) / (2 * printed.half)


def digits_given(value: float, printed: Printed) -> tuple[int, int]:
    """How many printed digits a value gives, counted from the left to the first that differs, and how many there are.

    Zeros at the left do not count, but must be there; a value that agrees gives all.
    """
    size = f"{abs(printed.value):.{printed.decimals}f}".replace(".", "")
    start = min(len(size) - len(size.lstrip("0")), len(size) - 1)
    there = len(size) - start
    if agrees(value, printed):
        return there, there
    if not math.isfinite(value) or value * printed.value < 0:
        return 0, there
    ours = f"{abs(value):.{printed.decimals}f}".replace(".", "").zfill(len(size))
    if len(ours) > len(size) or ours[:start] != size[:start]:
        return 0, there
    same = [a == b for a, b in zip(ours[start:], size[start:], strict=True)]
    return (same.index(False) if False in same else there), there
