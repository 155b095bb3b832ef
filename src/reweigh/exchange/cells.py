"""Untidy cells: what a person typed into a sheet, as numbers of named columns, and what was done to get them.

The reader of data/ stays strict; this is the lenient one, which tells what it did.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import NamedTuple

from reweigh.tables.columns import NUMBER, Column, is_missing_word
from reweigh.tables.specs import ARMS, CONTRASTS, STUDIES

_COLUMNS: Mapping[str, Column] = {c.name: c for spec in (STUDIES, ARMS, CONTRASTS) for c in spec.columns}
#: Fields of a foreign table that are no columns of ours, as the columns that bound them.
_OTHER: Mapping[str, Column] = {
    "nonevents": Column("nonevents", "whole", 0),
    "variance": Column("variance", "number", 0, above=True),
    "correlation": Column("correlation", "number", -1, 1),
}
WHOLE = frozenset(
    name for name, c in {**_COLUMNS, **_OTHER}.items() if c.kind == "whole" and not name.startswith("discordant")
)
_MEANS = ("mean", "baseline_mean", "change_mean")
_SD_OF = {"mean": "sd", "baseline_mean": "baseline_sd", "change_mean": "change_sd"}

#: Words of other languages, and marks of extraction sheets, for "not reported".
_MISSING = re.compile(
    r"n\.?\s?i\.?|n\.?\s?b\.?|k\.?\s?a\.?|keine angaben?|nicht (?:berichtet|angegeben)|non (?:rapporté|précisé)|nd|"
    r"no informado|non riportato|niet gerapporteerd|not (?:mentioned|measured|assessed|done|described|extractable)|"
    r"n/?s|not sig(?:nificant|\.)?|n\.s\.|none reported|[-–—−_.]+|[xX]+|\(?(?:nr|na|n/a)\)?|tbd|pending|\?+|see .*",
    re.IGNORECASE,
)
_INVISIBLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060\ufeff]")
_SUPERSCRIPT = "¹²³⁴⁵⁶⁷⁸⁹⁰ᵃᵇᶜᵈᵉᶠ"
_FOOTNOTE = re.compile(rf"\s*(?:[*†‡§¶#{_SUPERSCRIPT}]+|\(([a-h]|[*†‡§¶#]+)\)|\^[a-h0-9])$")
_LETTER = re.compile(r"(?<=[0-9])[a-h]$")
_MONTHS = r"(?:jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez)[a-zä]*\.?"
_DATE = re.compile(
    rf"[0-9]{{4}}-[0-9]{{1,2}}-[0-9]{{1,2}}(?:[ t].*)?|[0-9]{{1,2}}[-/. ]\s?{_MONTHS}(?:[-/. ]\s?[0-9]{{2,4}})?|"
    rf"{_MONTHS}[-/. ][0-9]{{1,4}}|[0-9]{{1,2}}([./-])[0-9]{{1,2}}\1[0-9]{{2,4}}",
    re.IGNORECASE,
)
_SEP = r"(?:;|,\s|\s*(?:-|to|bis|till|until|and|und|à|a|\.\.\.?|:|/|\|)\s*)\s*"
#: A number as people write it: signs, thousands, either decimal sign, powers of ten.
_N = r"[+-]?(?:[0-9]{1,3}(?:[ '’][0-9]{3})+(?:[.,][0-9]+)?|[0-9]+(?:[.,][0-9]+)*|[.,][0-9]+)(?:[eE][+-]?[0-9]+)?"
#: How a remark below a table begins.
_REMARK = re.compile(
    rf"[*†‡§¶#{_SUPERSCRIPT}]|\(?[a-h][).:]\s|(?:notes?|source|abbreviations?|legende|quelle|tabelle?)\b|"
    r"\w{1,6}\s?[=:]\s",
    re.IGNORECASE,
)


class Tidied(NamedTuple):
    """Numbers of a cell by field, as text that the strict reader takes, and what was done ("" where nothing was)."""

    found: dict[str, str]
    code: str


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text.replace("N", f"({_N})").replace("¦", _SEP), re.IGNORECASE)


def _match(pattern: str, text: str) -> tuple[str, ...] | None:
    found = _pattern(pattern).fullmatch(text)
    return None if found is None else tuple(found.groups())


def plain_number(text: str, *, comma: bool, count: bool) -> tuple[str, str]:
    """A number as the strict reader takes it, and the code of what was done; ("", code) where it has two readings.

    `comma`: the file has decimal commas; `count`: the column holds whole numbers.
    """
    bare = re.sub(r"(?<=[0-9])[ '’](?=[0-9]{3})", "", text)
    done = "thousands_separator" if bare != text else ""
    sign, body = (bare[0], bare[1:]) if bare[:1] in "+-" else ("", bare)
    commas, points = body.count(","), body.count(".")
    if commas and points:
        decimal = "," if body.rindex(",") > body.rindex(".") else "."
        other = "." if decimal == "," else ","
        if body.count(decimal) > 1:
            return "", "ambiguous_separator"
        return sign + body.replace(other, "").replace(decimal, "."), "thousands_separator"
    mark = "," if commas else "."
    if commas + points:
        grouped = re.fullmatch(rf"[1-9][0-9]{{0,2}}(?:\{mark}[0-9]{{3}})+", body)
        if commas + points > 1 or (grouped and count):
            if not grouped:
                return "", "ambiguous_separator"
            return sign + body.replace(mark, ""), "thousands_separator"
        if mark == "," and grouped and not comma:
            return sign + body.replace(",", ""), "thousands_separator"
        if mark == "." and grouped and comma:
            return "", "ambiguous_separator"
        if mark == ",":
            return sign + body.replace(",", "."), "decimal_comma"
    return sign + body, done


def _bounded(field: str, text: str) -> tuple[str, str]:
    """A number held against its column: whole where it must be, within its bounds; else "" and why."""
    column = _OTHER.get(field) or _COLUMNS.get(field)
    if column is None or not column.numeric:
        return text, ""
    value = float(text)
    if not isfinite(value) or not (column.low <= value <= column.high) or (column.above and value == column.low):
        return "", "out_of_bounds"
    if column.whole and value != int(value):
        return "", "not_whole"
    if column.whole and not re.fullmatch(r"[0-9]+", text):
        return str(int(value)), "whole_number"
    return text, ""


def _standard(cell: str) -> tuple[str, str]:
    """A cell with plain spaces, signs and digits, without footnote marks; and the last thing done to it."""
    done = ""
    text = _INVISIBLE.sub("", cell).strip()
    text = text.removeprefix("'").strip() if re.match(r"'[+-]?[0-9.,]", text) else text
    while found := _FOOTNOTE.search(text):
        if found.start() == 0:
            break
        text, done = text[: found.start()], "footnote_mark"
    wide = unicodedata.normalize("NFKC", text)
    digits = "".join(str(unicodedata.digit(c)) if c.isdigit() and not c.isascii() else c for c in wide)
    if any(c.isdigit() and not c.isascii() for c in text):
        done = done or "digits"
    text = " ".join(digits.split())
    minus = re.sub(r"(?<![0-9A-Za-z.,)\]] )(?<![0-9A-Za-z.,)\]])[−–—‐‑](?=\s?[0-9.,])\s?", "-", text)
    if minus != text:
        done = done or "dash"
    text = re.sub(r"[−–—‐‑]", "-", minus)
    power = re.sub(r"(?<=[0-9])\s?[x×*·]\s?10\s?\^?\s?(?:\()?([+-]?[0-9]+)\)?", r"e\1", text)
    if power != text:
        text, done = power, done or "power_of_ten"
    if not done and text != cell:
        done = "spaces"
    return text, done


def _split(text: str, field: str) -> tuple[dict[str, str], str] | None:
    """Raw numbers of a cell by field, and the kind of cell; None where no pattern fits."""
    if led := _pattern(r"(median|med|mdn|mean|mw|average|md)\.?\s*[:=]?\s*(?=[+(0-9.,-])(.*)").fullmatch(text):
        middle = "median" if led[1].lower() in ("median", "med", "mdn") else "mean"
        text, field = led[2], middle if field in ("mean", "median") else field
    spread, close = _SD_OF.get(field), r"\s?[)\]]?"
    if field in ("median", *_MEANS):
        if spread and (m := _match(r"N\s?(?:±|\+/-|\+-|\+ ?/ ?-)\s?N(?:\s?\(?SD\)?)?", text)):
            return {field: m[0], spread: m[1]}, "mean_sd"
        if spread and (m := _match(r"N\s?[(\[,;]?\s?(?:±\s?)?(?:SD|S\.D\.|StD)\s?[:=]?\s?N\s?[)\]]?", text)):
            return {field: m[0], spread: m[1]}, "mean_sd"
        if field == "mean" and (
            m := _match(r"N\s?[(\[,;]?\s?(?:±\s?)?(?:SE|SEM|S\.E\.M?\.?)\s?[:=]?\s?N" + close, text)
        ):
            return {"mean": m[0], "se": m[1]}, "mean_se"
        if field == "mean" and (m := _match(r"N\s?(?:±|\+/-|\+-)\s?N\s?\(?(?:SE|SEM)\)?", text)):
            return {"mean": m[0], "se": m[1]}, "mean_se"
        if spread and (m := _match(r"N\s?[(\[]\s?N\s?[)\]]", text)):
            return {field: m[0], spread: m[1]}, "mean_sd"
        named = field == "median" or (field == "mean" and "iq" in text.lower())
        if named and (m := _match(r"N\s?[(\[,;]\s?(?:IQR|Q1\s?[-,;]\s?Q3|IQA)?\s?[:=,]?\s?N¦N" + close, text)):
            return {"median": m[0], "q1": m[1], "q3": m[2]}, "quartiles"
        if field in ("mean", "median") and (
            m := _match(r"N\s?[(\[,;]\s?(?:range|min\s?-\s?max|spanne)\s?[:=,]?\s?N¦N\s?[)\]]?", text)
        ):
            return {field: m[0], "min": m[1], "max": m[2]}, "range"
        if field == "mean" and (m := _match(r"N\s?[(\[,;]\s?(?:95\s?%?\s?)?(?:CI|KI|IC)\s?[:=,]?\s?N¦N" + close, text)):
            return {"mean": m[0], "ci_lower": m[1], "ci_upper": m[2]}, "interval"
        if m := _match(r"N\s?[(\[]\s?N¦N\s?[)\]]", text):
            return {field: m[0]}, "interval_left_out"
    if field in ("events", "n", "percent", "nonevents"):
        if m := _match(r"N\s?(?:/|of|out of|von|de|sur|su)\s?N(?:\s?[(\[]?\s?[0-9.,]+\s?%?\s?[)\]]?)?", text):
            return {"events": m[0], "n": m[1]}, "events_of_n"
        if field == "events" and (m := _match(r"N\s?[(\[,;]\s?N\s?%?\s?[)\]]?", text)):
            return {"events": m[0], "percent": m[1]}, "events_percent"
        if field == "n" and (m := _match(r"N\s?[(\[]\s?N\s?%\s?[)\]]", text)):
            return {"n": m[0]}, "percent_sign"
        if field == "percent" and (m := _match(r"N\s?%\s?[(\[]\s?(?:n\s?=\s?)?N\s?(?:/\s?N\s?)?[)\]]", text)):
            return {"percent": m[0], "events": m[1], **({"n": m[2]} if m[2] else {})}, "events_percent"
        if field == "events" and (m := _match(r"N\s?%", text)):
            return {"percent": m[0]}, "events_from_percent"
    if field == "estimate":
        if m := _match(r"N\s?[(\[,;]\s?(?:95\s?%?\s?)?(?:CI|KI|IC)?\s?[:=,]?\s?N¦N\s?[)\]]?", text):
            return {"estimate": m[0], "ci_lower": m[1], "ci_upper": m[2]}, "interval"
        if m := _match(r"N\s?(?:±|\+/-|[(\[])\s?(?:SE\s?[:=]?\s?)?N\s?[)\]]?", text):
            return {"estimate": m[0], "se": m[1]}, "estimate_se"
    if field == "ci_lower" and (m := _match(r"[(\[]?\s?(?:95\s?%?\s?)?(?:CI)?\s?N¦N\s?[)\]]?", text)):
        return {"ci_lower": m[0], "ci_upper": m[1]}, "interval"
    if field == "q1" and (m := _match(r"[(\[]?\s?(?:IQR)?\s?N¦N\s?[)\]]?", text)):
        return {"q1": m[0], "q3": m[1]}, "quartiles"
    if field == "min" and (m := _match(r"[(\[]?\s?N¦N\s?[)\]]?", text)):
        return {"min": m[0], "max": m[1]}, "range"
    if field == "p_value" and (m := _match(r"(?:p\s?)?(<=|>=|<|>|≤|≥|=)?\s?N", text)) and m[0] not in (None, "="):
        sign = {"≤": "<=", "≥": ">="}.get(m[0], m[0])
        return {"p_value": m[1], "p_operator": sign}, "p_bound"
    return None


#: What may stand around one number: pattern, and the code of leaving it out.
_AROUND = (
    (r"N\s?%", "percent_sign"),
    (r"[(\[]\s?N\s?[)\]]", "brackets"),
    (r"(?:~|≈|≅|ca\.?|approx(?:imately|\.)?|about|circa|etwa|around)\s?N", "approximate"),
    (r"±\s?N", "words_before"),
    (r"[a-zµ][a-zµ. ]{0,20}\s?[:=]\s?N", "words_before"),
    (r"=\s?N", "words_before"),
    (r"(?:SD|SE|SEM|p|n)\s?N", "words_before"),
    (r"N[a-h]", "footnote_mark"),
    (r"N\s?[a-zµ°$€£²³][a-zµ°./²³0-9^ -]{0,20}", "unit"),
)


def tidy(cell: str, field: str, *, comma: bool = False) -> Tidied:
    """The numbers of one cell of a foreign table.

    Parameters
    ----------
    cell
        Its text.
    field
        What its column holds: a numeric column of arms.csv, contrasts.csv or studies.csv, or nonevents, variance.
    comma
        Whether the file has decimal commas.

    Returns
    -------
    Values by field, as the strict reader of data/ takes them (none where the cell says nothing that can be used), and
    a code of `reweigh.text.exchange.DONE`; "" where the cell is taken as it stands.
    """
    if NUMBER.fullmatch(cell) and not (comma and "." in cell):
        value, why = _bounded(field, cell)
        return Tidied({field: value} if value else {}, why)
    if not cell.strip():
        return Tidied({}, "")
    if re.match(r"\s*#(?:N/A|\w+[!?/]|REF|NUM|####|#)", cell) or cell.strip() in ("Err:502", "Fehler"):
        return Tidied({}, "spreadsheet_error")
    if is_missing_word(cell) or _MISSING.fullmatch(cell.strip()):
        return Tidied({}, "missing_word")
    text, done = _standard(cell)
    if is_missing_word(text) or _MISSING.fullmatch(text):
        return Tidied({}, "missing_word")
    raw: dict[str, str] = {}
    if _DATE.fullmatch(text):
        return Tidied({}, "date")
    if _match("N", text):
        raw = {field: text}
    elif found := _split(text, field) or _split(re.sub(r"(?<=[0-9)\]])\s?[a-zµ°][a-zµ°./²³]*$", "", text), field):
        raw, done = found
    elif _match(r"(?:<|>|≤|≥|<=|>=|less than|more than|up to)\s?N", text):
        return Tidied({}, "inequality")
    else:
        for pattern, code in _AROUND:
            if (m := _match(pattern, text)) is not None:
                raw, done = {field: m[0]}, code
                break
        else:
            numbers = len(re.findall(r"[0-9]+(?:[.,][0-9]+)?", text))
            if numbers == 0:
                return Tidied({}, "text")
            letters = re.search(r"[^\W\d_]{2,}", text)
            return Tidied({}, "ambiguous_numbers" if numbers > 1 and not letters else "several_numbers")
    values: dict[str, str] = {}
    for name, number in raw.items():
        if name == "p_operator":
            values[name] = number
            continue
        value, why = plain_number(number, comma=comma, count=name in WHOLE)
        if value:
            done = done or why if len(raw) > 1 else (why or done)
            value, bound = _bounded(name, value)
            done = bound if bound and (not value or not done) else done
        else:
            done = why
        if value:
            values[name] = value
    if not done and values != {field: cell}:
        done = "spaces"
    return Tidied(values, done)


def tidy_year(cell: str) -> Tidied:
    """The year of publication that a cell holds: "1999", "1999a", "1999.0", "Mar 1999"."""
    text, _ = _standard(cell)
    if re.fullmatch(r"[12][0-9]{3}[a-z]?", cell.strip()):
        return Tidied({"year": cell.strip()}, "")
    found = re.findall(r"(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])", text)
    if len(set(found)) == 1:
        return Tidied({"year": found[0]}, "year_of_text")
    return Tidied({}, "missing_word" if is_missing_word(text) or _MISSING.fullmatch(text) else "year_letter")


_DESIGN: tuple[tuple[str, str], ...] = (
    (r"cross[- ]?over|x-?over|within[- ]subject", "crossover"),
    (r"cluster", "cluster"),
    (r"parallel|^rct$|^randomi[sz]ed(?: controlled trial)?$|two[- ]arm", "parallel"),
)


def design_of(cell: str) -> str:
    """Our word for a trial's design, "" where the cell names none."""
    return next((ours for pattern, ours in _DESIGN if re.search(pattern, cell.strip(), re.IGNORECASE)), "")


def visible(text: str) -> str:
    """A text without invisible and control characters."""
    return _INVISIBLE.sub("", text)


def without_marks(label: str) -> str:
    """A label without footnote marks at its end."""
    return re.sub(rf"\s*[*†‡§¶#{_SUPERSCRIPT}]+$", "", label)


def is_total(first: str) -> bool:
    """Whether a row that begins with this cell sums up or pools the rows above it."""
    return bool(
        re.fullmatch(
            r"(?:grand |sub-?|overall )?(?:totals?|sum|gesamt|summe|overall|pooled|combined|mean of all|average)"
            r"(?:\s*(?:\(.*\)|effect|estimate|studies|n\s*=.*|[:.]))?",
            first.strip(),
            re.IGNORECASE,
        )
    )


def is_footnote(cells: Sequence[str]) -> bool:
    """Whether a row is a line of text: one cell, in which a person speaks."""
    filled = [c.strip() for c in cells if c.strip()]
    if len(filled) != 1:
        return False
    text = filled[0]
    marked = _REMARK.match(text)
    return bool(marked) or len(text) > 60 or text.count(" ") > 8
