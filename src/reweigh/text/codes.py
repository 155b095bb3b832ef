"""Codes with parameters: what stages tell each other instead of sentences.

A code is a short name and what it is about, `ci_to_se level=0.9`; several stand in one cell, joined by "; ". Each
stage has a module of sentences beside this one (`reweigh.text.effects`, ...) that maps a name to its words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, unquote

#: Characters that stand as they are in a parameter's value; all others are written as %XX.
_SAFE = "!#$&'()*+,-./:<>?@[]^_`{|}~"

#: A count and what is counted: `{rows} rows` is `1 row` where it is one.
_COUNTED = re.compile(r"(\{(?P<of>\w+)\} (?:row|comparison|arm|trial))s\b")

Sentence = str | Callable[[Mapping[str, str]], str]
"""Words of a code: a template with its parameters in braces, or a function of them."""


@dataclass(frozen=True, slots=True)
class Code:
    """A name, and parameters as text."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        """As it stands in a table."""
        return code(self.name, **self.parameters)


def code(name: str, **parameters: object) -> str:
    """A code as it stands in a table; numbers with twelve significant digits."""
    pairs = (
        f" {key}={quote(f'{value:.12g}' if isinstance(value, float) else str(value), safe=_SAFE)}"
        for key, value in parameters.items()
    )
    return name + "".join(pairs)


def join(codes: Iterable[str]) -> str:
    """Several codes in one cell; empty ones are left out, repeated ones stand once."""
    return "; ".join(dict.fromkeys(one for one in codes if one))


@lru_cache(maxsize=65_536)
def parse(cell: str) -> tuple[Code, ...]:
    """The codes of a cell."""
    found = []
    for text in filter(None, cell.split("; ")):
        name, *pairs = text.split(" ")
        found.append(Code(name, {k: unquote(v) for k, _, v in (pair.partition("=") for pair in pairs)}))
    return tuple(found)


def has(cell: str, *names: str) -> bool:
    """Whether any code of a cell has one of these names."""
    return any(one.name in names for one in parse(cell))


def without(cell: str, *names: str) -> str:
    """A cell without the codes of these names."""
    return join(str(one) for one in parse(cell) if one.name not in names)


def words(cell: str, sentences: Mapping[str, Sentence]) -> str:
    """The sentences of a cell's codes, joined by "; ".

    Raises KeyError on a code that has no words: a test holds every code that a stage writes to its module.
    """
    return "; ".join(sentence(one, sentences) for one in parse(cell))


def sentence(one: Code, sentences: Mapping[str, Sentence]) -> str:
    """The words of one code."""
    said = sentences[one.name]
    if not isinstance(said, str):
        return said(one.parameters)
    singular = _COUNTED.sub(lambda m: m[1] if one.parameters[m["of"]] == "1" else m[0], said)
    return singular.format(**one.parameters)
