"""Numbers and names of the tables as the page prints them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup, escape

from reweigh.figures.style import symbols
from reweigh.protocol.model import Protocol
from reweigh.text.markdown import unescaped
from reweigh.text.numbers import small_text, whole

#: The only addresses that become links: http, https, and DOIs.
URL = re.compile(r"https?://[^\s|;,<>\"]+[^\s|;,.)<>\"]")
DOI = re.compile(r"\b10\.\d{4,9}/[^\s|;,:<>\"]+[^\s|;,.:)<>\"]")

#: `k = 2` stays on one line.
_EQUATION = re.compile(r"\b([knpP]) ([=<>]) (?=[\d−])")
#: A number below zero, not a range or a hyphen.
_NEGATIVE = re.compile(r"(?:(?<=[\s(])|^)-(?=\.?\d)")


def missing(value: object) -> bool:
    """Whether a cell of a table is empty."""
    return value is None or value is pd.NA or value == "" or (isinstance(value, float) and np.isnan(value))


def lower_first(text: str) -> str:
    """First letter small, unless it begins an abbreviation."""
    return text if text[:2].isupper() else text[:1].lower() + text[1:]


def upper_first(text: str) -> str:
    """First letter large."""
    return text[:1].upper() + text[1:]


def window_label(name: str, protocol: Protocol) -> str:
    """How a time window is printed."""
    return protocol.windows[name].label or name.replace("_", " ")


def count(value: Any) -> str:
    """A whole number with commas between thousands; empty where missing."""
    return "" if missing(value) else whole(float(value))


def variance(value: float) -> str:
    """A variance in few digits; empty where missing."""
    return "" if missing(value) else small_text(value)


def nice(text: object) -> str:
    """Plain names of the tables with their symbols and minus signs; `k = 2` does not break over lines."""
    return _EQUATION.sub("\\1\u00a0\\2\u00a0", _NEGATIVE.sub("\N{MINUS SIGN}", symbols(str(text))))


def href(text: object, kind: re.Pattern[str] = URL) -> str:
    """Where an address, or a DOI, of the tables leads; empty where it is neither http nor https nor a DOI."""
    found = kind.fullmatch(str(text).strip())
    return "" if found is None else found[0] if kind is URL else f"https://doi.org/{found[0]}"


def linked(text: object) -> Markup:
    """Text with its web addresses and DOIs as links."""
    out, rest = Markup(""), str(text)
    while found := URL.search(rest) or DOI.search(rest):
        address = found.group()
        target = href(address) or href(address, DOI)
        out += escape(rest[: found.start()]) + Markup('<a href="{}" rel="noreferrer">{}</a>').format(target, address)
        rest = rest[found.end() :]
    return out + escape(rest)


_INLINE = re.compile(r"(?<!\\)`([^`]+)`|(?<!\\)\*\*([^*]+)\*\*")


def markdown(text: str, top: int = 3) -> Markup:
    """HTML of the Markdown that our own pages use: headings, paragraphs, bullets, indented code."""
    out: list[Markup] = []
    for block in re.split(r"\n{2,}", text.strip("\n")):
        lines = block.split("\n")
        if head := re.fullmatch(r"(#+) (.*)", block):
            level = min(6, top + len(head[1]) - 1)
            out.append(Markup(f"<h{level}>") + prose(head[2]) + Markup(f"</h{level}>"))
        elif all(line.startswith("    ") for line in lines):
            code = escape(symbols("\n".join(line[4:] for line in lines)))
            out.append(Markup("<pre tabindex='0'>") + code + Markup("</pre>"))
        elif all(line.startswith("- ") for line in lines):
            items = Markup("").join(Markup("<li>") + prose(line[2:]) + Markup("</li>") for line in lines)
            out.append(Markup("<ul>") + items + Markup("</ul>"))
        else:
            out.append(Markup("<p>") + prose(" ".join(lines)) + Markup("</p>"))
    return Markup("\n").join(out)


def prose(text: str) -> Markup:
    """One paragraph with its code, emphasis, links and symbols."""
    out, at = Markup(""), 0
    for found in _INLINE.finditer(text):
        out += linked(nice(unescaped(text[at : found.start()])))
        tag, said = ("code", found[1]) if found[1] else ("strong", found[2])
        out += Markup(f"<{tag}>") + escape(said) + Markup(f"</{tag}>")
        at = found.end()
    return out + linked(nice(unescaped(text[at:])))
