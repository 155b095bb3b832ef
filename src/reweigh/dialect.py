"""How a CSV file was saved: its encoding, what separates its cells, its decimal sign.

A spreadsheet of a country with decimal commas saves `;` between cells and `3,2` for 3.2, often as Windows-1252. Such a
file says what it means, so it is read, and said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DECIMAL_COMMA = re.compile(r"\s*([+-]?[0-9]*),([0-9]+(?:[eE][+-]?[0-9]+)?)\s*")
_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """The text of a file and how it was saved.

    `text` has no byte-order mark and no `sep=` line (a spreadsheet does not count it as a row). `delimiter` stands
    between cells; where it is no comma, a number may have a decimal comma. `encoding` is "UTF-8" or "Windows-1252".
    """

    text: str
    delimiter: str
    encoding: str

    def number(self, cell: str) -> str:
        """A cell with a decimal point where it is a number with a decimal comma; any other cell as it stands."""
        if self.delimiter == "," or not (found := _DECIMAL_COMMA.fullmatch(cell)):
            return cell
        if self.delimiter == "\t" and re.fullmatch(r"[0-9]{3}", found[2]):
            return cell  # tabs go with either decimal sign: 1,234 may be a thousand
        return f"{found[1]}.{found[2]}"

    @property
    def unusual(self) -> str:
        """What differs from comma-separated text in UTF-8, in words; "" where nothing does."""
        said = [f"{_DELIMITERS[self.delimiter]} between its cells"] if self.delimiter != "," else []
        if self.encoding != "UTF-8":
            said.append(f"{self.encoding} text (look at its accented letters)")
        return " and ".join(said)


def dialect_of(data: bytes) -> Dialect:
    """How a file was saved; raises UnicodeDecodeError where it is neither UTF-8 nor Windows-1252."""
    try:
        text, encoding = data.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        text, encoding = data.removeprefix(b"\xef\xbb\xbf").decode("cp1252"), "Windows-1252"
    first, _, rest = text.lstrip("\r\n").partition("\n")
    if stated := re.fullmatch(r'"?sep=(.)"?[,;|\t]*\r?', first, re.IGNORECASE):
        return Dialect(rest, stated[1] if stated[1] in _DELIMITERS else ",", encoding)
    best = max(_DELIMITERS, key=first.count)
    # In a header of names, the sign that separates them is the one that stands there most.
    return Dialect(text, best if first.count(best) > first.count(",") else ",", encoding)
