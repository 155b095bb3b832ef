"""Text from data as plain text of a Markdown page: nothing in it is a link, a heading, a table cell or HTML."""

from __future__ import annotations

import re

_ANYWHERE = re.compile(r"([\\`*\[\]|~]|<(?=[A-Za-z/!?])|&(?=#?\w+;)|(?<![^\W_])_|_(?![^\W_]))")
_START = re.compile(r"^(\s*)([#>+=-]|\d+(?=[.)]))")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")


def escaped(text: object) -> str:
    """The text on one line with a backslash before what Markdown would take for its own (CommonMark 0.31, 2.4)."""
    line = _ANYWHERE.sub(r"\\\1", " ".join(str(text).split()))
    return _START.sub(
        lambda found: f"{found[1]}{found[2]}\\" if found[2].isdigit() else f"{found[1]}\\{found[2]}", line
    )


def unescaped(text: str) -> str:
    """The text of which `escaped` made this."""
    return _ESCAPE.sub(r"\1", text)
