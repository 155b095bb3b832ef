"""RevMan 5 reviews (.rm5): one XML file with studies, references, risk of bias, analyses and their results."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

import numpy as np
import pandas as pd

from reweigh.exchange.analyses import (
    LARGEST_NUMBER,
    Judgement,
    Key,
    Review,
    Settings,
    effect_measure,
    outcome_of,
    plain,
    pooled_of,
    table_of,
    unmarked,
)
from reweigh.exchange.result import Cell
from reweigh.measures import RATIO_MEASURES

#: Bytes of a file, and elements within each other, that are read; real reviews stay below 20 MB and 15.
LARGEST, DEEPEST = 200_000_000, 200
_LINE = "line"
_KINDS = {"DICH": "counts", "CONT": "means", "IV": "given", "IPD": "oe", "OTHER": "text"}
_METHODS = {"MH": "M-H", "IV": "IV", "PETO": "Peto", "EXP_O_E_VAR": "Peto"}
_NUMBERS = {
    **{f"{ours}{side}": f"{theirs}_{side}"
       for side in (1, 2) for ours, theirs in (("n", "TOTAL"), ("mean", "MEAN"), ("sd", "SD"), ("events", "EVENTS"))},
    "oe": "O_E", "v": "VAR", "weight": "WEIGHT",
    "estimate": "EFFECT_SIZE", "ci_lower": "CI_START", "ci_upper": "CI_END",
}  # fmt: skip
_POOLED = ("EFFECT_SIZE", "CI_START", "CI_END", "TAU2", "I2", "P_Z", "DF", "TOTAL_1", "TOTAL_2")
_RESULTS = {"YES": "low", "NO": "high", "UNKNOWN": "unclear"}
_CHARACTERISTICS = ("METHODS", "PARTICIPANTS", "INTERVENTIONS", "OUTCOMES", "NOTES")
_PUBMED = ("MEDLINE", "PUBMED")


def parse(data: bytes) -> Element:
    """An XML document; every element has its line in the attribute `line`.

    No entity is defined or fetched and no document type is read: a file with either is refused, as is one that is too
    large or too deep. Raises ValueError with the reason.
    """
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes")
    builder, parser = TreeBuilder(), expat.ParserCreate()
    depth = 0

    def refuse(*_: Any) -> int:
        raise ValueError("it defines a document type or entities, which no RevMan file does")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"its elements stand more than {DEEPEST} deep")
        builder.start(tag, {**attributes, _LINE: str(parser.CurrentLineNumber)})

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
    except expat.ExpatError as why:
        raise ValueError(f"it is no XML ({why})") from None
    except LookupError as why:
        raise ValueError(f"its encoding is not known ({why})") from None
    return builder.close()


def read_rm5(name: str, data: bytes) -> Review:
    """The review of an .rm5 file; what cannot be read is a problem of the review."""
    review = Review(re.sub(r"\.rm5$", "", name, flags=re.IGNORECASE), source=f"RevMan 5 file {name}")
    try:
        root = parse(data)
    except ValueError as why:
        review.problems.append(f"{name} cannot be read as a RevMan 5 review: {why}.")
        return review
    if root.tag != "COCHRANE_REVIEW":
        review.problems.append(
            f"{name} is XML, but begins with {root.tag}; a RevMan 5 review begins with COCHRANE_REVIEW."
        )
        return review
    if root.get("TYPE", "INTERVENTION") == "DIAGNOSTIC":
        review.problems.append(f"{name} is a review of diagnostic test accuracy, which is out of scope here.")
        return review
    review.title = _words(root.find("COVER_SHEET/TITLE"))
    review.doi = root.get("DOI", "").strip()
    published = root.find("COVER_SHEET/DATES/REVIEW_PUBLISHED")
    review.year = published.get("YEAR", "").strip() if published is not None else ""
    names = _studies(review, root, name)
    _bias(review, root, name, names)
    _analyses(review, root, name, names)
    return review


def _words(element: Element | None) -> str:
    """All text of an element, plain."""
    return "" if element is None else unmarked(" ".join(element.itertext()))


def _line(element: Element) -> int:
    return int(element.get(_LINE, "0"))


def _studies(review: Review, root: Element, file: str) -> dict[str, str]:
    """Included studies with their references; the name of every study by its id."""
    names: dict[str, str] = {}
    told: dict[str, dict[str, str]] = {}
    for one in root.iterfind("CHARACTERISTICS_OF_STUDIES/CHARACTERISTICS_OF_INCLUDED_STUDIES/INCLUDED_CHAR"):
        texts = {part.casefold(): _words(one.find(f"CHAR_{part}")) for part in _CHARACTERISTICS}
        told[one.get("STUDY_ID", "")] = {name: text for name, text in texts.items() if text}
    for folder in ("INCLUDED", "EXCLUDED", "AWAITING", "ONGOING"):
        for study in root.iterfind(f"STUDIES_AND_REFERENCES/STUDIES/{folder}_STUDIES/STUDY"):
            key = study.get("ID", "")
            names[key] = plain(study.get("NAME", "")) or key
            if folder == "INCLUDED":
                about = {
                    "study": names[key],
                    "year": plain(study.get("YEAR", "")),
                    "file": file,
                    "row": str(_line(study)),
                }
                review.studies.append({**about, **_references(study), **told.get(key, {})})
    return names


def _references(study: Element) -> dict[str, str]:
    """DOI, PubMed id and registry id of a study, and its references as text, the primary one first."""
    references = sorted(study.iterfind("REFERENCE"), key=lambda r: r.get("PRIMARY") != "YES")
    found: dict[str, str] = {}
    for place in (*references, study):
        for one in place.iterfind("IDENTIFIERS/IDENTIFIER"):
            kind, value = one.get("TYPE", "").upper(), plain(one.get("VALUE", ""))
            name = "doi" if kind == "DOI" else "pmid" if kind in _PUBMED else "registry_id" if place is study else ""
            if name and value:
                found.setdefault(name, value)
    texts = [text for text in map(_reference, references) if text]
    return {**found, "references": " | ".join(texts)}


def _reference(one: Element) -> str:
    """A reference as journals print it: authors, title, source, year, volume, issue, pages."""
    part = {tag: _words(one.find(tag)) for tag in ("AU", "TI", "SO", "YR", "VL", "NO", "PG")}
    place = part["YR"] + (f";{part['VL']}" if part["VL"] else "") + (f"({part['NO']})" if part["NO"] else "")
    place += f":{part['PG']}" if part["PG"] else ""
    return ". ".join(text.rstrip(".") for text in (part["AU"], part["TI"], part["SO"], place) if text)


def _bias(review: Review, root: Element, file: str, names: Mapping[str, str]) -> None:
    for item in root.iterfind("QUALITY_ITEMS/QUALITY_ITEM"):
        domain = _words(item.find("NAME"))
        for one in item.iter("QUALITY_ITEM_DATA_ENTRY"):
            study = names.get(one.get("STUDY_ID", ""), plain(one.get("STUDY_ID", "")))
            result = one.get("RESULT", "")
            judgement, support = _RESULTS.get(result, plain(result)), _words(one.find("DESCRIPTION"))
            review.bias.append(Judgement(file, _line(one), study, "", domain, judgement, support))


def _analyses(review: Review, root: Element, file: str, names: Mapping[str, str]) -> None:
    rows: list[dict[str, object]] = []
    for at, comparison in enumerate(root.iterfind("ANALYSES_AND_DATA/COMPARISON"), start=1):
        group, group_name = _number(comparison, at), _words(comparison.find("NAME"))
        outcomes = (one for one in comparison if one.tag.endswith("_OUTCOME"))
        for place, outcome in enumerate(outcomes, start=1):
            kind = _KINDS.get(outcome.tag.removesuffix("_OUTCOME"), "text")
            key = group, _number(outcome, place)
            data = list(_data(outcome))
            if kind == "text":
                review.cells += [
                    Cell(file, _line(one), outcome.tag, names.get(one.get("STUDY_ID", ""), ""), "", "text_data")
                    for one, _ in data
                ]
                continue
            settings = _settings(outcome, kind, group_name, [one for one, _ in data])
            review.settings[key] = settings
            if not data:
                review.notes.append(f"Analysis {key[0]}.{key[1]} ({settings.name}) has no row; it is left out.")
            _subgroups(review, outcome, key)
            rows += [_row(one, subgroup, key, file, names, kind) for one, subgroup in data]
    review.rows = table_of(rows)


def _number(element: Element, place: int) -> int:
    text = element.get("NO", "")
    return int(text) if text.isdecimal() and int(text[:20]) < LARGEST_NUMBER else place


def _data(outcome: Element) -> Iterator[tuple[Element, str]]:
    """The rows of an analysis, each with the name of its subgroup."""
    for one in outcome:
        if one.tag.endswith("_DATA"):
            yield one, ""
        elif one.tag.endswith("_SUBGROUP"):
            name = _words(one.find("NAME"))
            yield from ((row, name) for row in one if row.tag.endswith("_DATA"))


def _row(one: Element, subgroup: str, key: Key, file: str, names: Mapping[str, str], kind: str) -> dict[str, object]:
    study = one.get("STUDY_ID", "")
    numbers = {ours: one.get(theirs, "") for ours, theirs in _NUMBERS.items()}
    if kind == "given":
        numbers |= {"giv": one.get("ESTIMATE", one.get("LOG_EFFECT_SIZE", one.get("EFFECT_SIZE", "")))}
        numbers |= {"giv_se": one.get("SE", ""), "oe": "", "v": ""}
    elif kind != "oe":
        numbers |= {"oe": "", "v": ""}  # VAR is the variance of the effect there
    if one.get("ESTIMABLE") == "NO":
        numbers |= dict.fromkeys(("estimate", "ci_lower", "ci_upper"), "")
    return {
        "file": file, "row": _line(one), "group": key[0], "number": key[1], "study": names.get(study, plain(study)),
        "subgroup": subgroup, "note": _words(one.find("FOOTNOTE")), **numbers,
    }  # fmt: skip


def _settings(outcome: Element, kind: str, group_name: str, rows: list[Element]) -> Settings:
    said = outcome.get("EFFECT_MEASURE", "") or _words(outcome.find("EFFECT_MEASURE"))
    measure, non_event = effect_measure(said)
    if kind == "oe" and measure != "HR":
        measure = "PETO"
    return Settings(
        name=_words(outcome.find("NAME")),
        group_name=group_name,
        kind=kind,
        measure=measure,
        said=plain(said),
        ratio=_is_ratio(measure, rows) if kind == "given" else measure in RATIO_MEASURES,
        swapped=outcome.get("SWAP_EVENTS") == "YES" or non_event,
        method=_METHODS.get(outcome.get("METHOD", "").upper(), "Peto" if kind == "oe" else "IV"),
        random={"YES": True, "NO": False}.get(outcome.get("RANDOM", "")),
        level=_level(outcome.get("CI_STUDY", "")),
        pooled_level=_level(outcome.get("CI_TOTAL", "")),
        arms=(_words(outcome.find("GROUP_LABEL_1")), _words(outcome.find("GROUP_LABEL_2"))),
        sides=(_words(outcome.find("GRAPH_LABEL_1")), _words(outcome.find("GRAPH_LABEL_2"))),
        unit=plain(outcome.get("UNITS", "")),
        pooled=pooled_of(outcome.attrib, *_POOLED) if outcome.get("TOTALS", "YES") == "YES" else {},
    )


def _is_ratio(measure: str, rows: list[Element]) -> bool | None:
    """Whether given effects are logarithms of ratios, by their measure or by logarithms beside the results."""
    if measure:
        return measure in RATIO_MEASURES
    return True if any(one.get("LOG_CI_START") for one in rows) else None


def _level(text: str) -> float | None:
    value = pd.to_numeric(text, errors="coerce")
    return None if np.isnan(value) or not 50 < value < 100 else float(round(value / 100, 6))


def _subgroups(review: Review, outcome: Element, key: Key) -> None:
    review.subgroups += [
        {"outcome": outcome_of(key), "subgroup": _words(one.find("NAME")), **pooled_of(one.attrib, *_POOLED)}
        for one in outcome
        if one.tag.endswith("_SUBGROUP")
    ]


__all__ = ["parse", "read_rm5"]
