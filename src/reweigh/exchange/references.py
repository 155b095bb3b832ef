"""Studies from references: RIS and BibTeX files of reference managers."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from reweigh.exchange.grids import UnreadableError, needs
from reweigh.exchange.ids import slug
from reweigh.exchange.result import Cell, Imported
from reweigh.tables.specs import STUDIES

COLUMNS = ("study_id", "label", "year", "doi", "pmid", "registry_id", "title", "journal", "source_urls")
_REGISTRY = re.compile(
    r"\b(?:NCT[0-9]{8}|ISRCTN[0-9]{8}|ACTRN[0-9]{14}|EUCTR[0-9-]{14}|DRKS[0-9]{8}|ChiCTR[\w-]{10,16})"
)


def reference_kind(text: str) -> str:
    """ "ris" or "bibtex" by the beginning of a text, else ""."""
    if re.match(r"\ufeff?\s*(?:\d+\.\s*\n)?TY  ?-", text):
        return "ris"
    return "bibtex" if re.search(r"^\s*@[A-Za-z]+\s*[{(]\s*[^,\s]*\s*,", text, re.MULTILINE) else ""


def read_references(text: str, file: str, kind: str) -> Imported:
    """studies.csv of the references of a file.

    Parameters
    ----------
    text, file
        Text and name of the file.
    kind
        "ris" (read by rispy) or "bibtex" (bibtexparser), as `reference_kind` tells.

    Returns
    -------
    A row per reference: study_id and label of the first author and year, doi, pmid, registry_id (of its notes and
    abstract), title, journal, source_urls. One that repeats another's DOI, or its title and year, is left out and
    listed; so is what cannot be read. With `problems` where the reader is not installed or nothing can be read.
    """
    try:
        entries = _ris(text, file) if kind == "ris" else _bibtex(text, file)
    except UnreadableError as why:
        return Imported(problems=(str(why),))
    rows: list[dict[str, str]] = []
    cells: list[Cell] = []
    seen: dict[str, str] = {}
    ids: dict[str, int] = {}
    for at, (line, entry) in enumerate(entries, start=1):
        if not any(entry.values()):
            cells.append(Cell(file, line or at, "", "a reference that cannot be read", "", "row_empty"))
            continue
        keys = [key for key in (entry["doi"].lower(), slug(entry["title"] + entry["year"])) if key]
        keys = [entry["study_id"]] if "study_id" in entry else keys
        if first := next((seen[key] for key in keys if key in seen), ""):
            said = entry["label"] or entry["title"]
            cells.append(Cell(file, line or at, "", said, first, "reference_repeated"))
            continue
        seen |= dict.fromkeys(keys, entry["label"])
        id_ = entry.get("study_id") or slug(entry["label"]) or f"reference_{at}"
        ids[id_] = ids.get(id_, 0) + 1
        if ids[id_] > 1:
            letter = chr(ord("a") + min(ids[id_] - 1, 25))
            id_, entry["label"] = f"{id_}_{letter}", f"{entry['label']} ({letter})"
        rows.append({**entry, "study_id": id_})
    if not rows:
        return Imported(cells=tuple(cells), problems=(f"{file}: no reference can be read",))
    used = [name for name in COLUMNS if any(row.get(name) for row in rows)]
    frame = pd.DataFrame([[row.get(name, "") for name in used] for row in rows], columns=used, dtype=object)
    return Imported({"studies": frame}, {}, {}, tuple(cells), (f"{file}: {len(rows)} references",))


def _entry(authors: Iterable[str], year: str, fields: Mapping[str, str]) -> dict[str, str]:
    """A reference as a row of studies.csv without its id."""
    names = [a.strip() for a in authors if a.strip()]
    first = names[0] if names else ""
    surname = first.split(",")[0].strip() if "," in first else (first.split() or [""])[-1]
    when = (re.search(r"(?:19|20)[0-9]{2}", year) or [""])[0]
    doi = re.sub(r"^(?:https?://(?:dx\.)?doi\.org/|doi:\s*)", "", fields.get("doi", "").strip(), flags=re.IGNORECASE)
    label = f"{surname} {when}".strip() if surname else fields.get("title", "")[:40]
    registry = _REGISTRY.search(" ".join(fields.values()))
    shown = {name: " ".join(fields.get(name, "").split()) for name in ("title", "journal", "pmid", "source_urls")}
    return {"label": label, "year": when, "doi": doi, "registry_id": registry[0] if registry else "", **shown}


def _ris(text: str, file: str) -> list[tuple[int, dict[str, str]]]:
    rispy = needs("rispy", file)
    text = re.sub(r"^([A-Z][A-Z0-9])  ?-(?: |$)", r"\1  - ", text.lstrip("\ufeff"), flags=re.MULTILINE)
    try:
        entries = rispy.load(io.StringIO(text), skip_unknown_tags=True)
    except Exception as why:  # a foreign reader may raise anything on a damaged file
        raise UnreadableError(f"{file}: the references cannot be read ({' '.join(str(why).split())})") from why
    starts = [i for i, line in enumerate(text.splitlines(), start=1) if line.startswith("TY  - ")]
    found = []
    for at, entry in enumerate(entries):
        said = {
            "title": _one(entry, "primary_title", "title"),
            "journal": _one(entry, "journal_name", "secondary_title", "alternate_title3", "alternate_title2"),
            "doi": _one(entry, "doi"),
            "pmid": _pmid(entry),
            "source_urls": _one(entry, "urls", "url"),
        }
        extra = {"notes": _one(entry, "notes"), "abstract": _one(entry, "abstract", "notes_abstract")}
        authors = entry.get("authors") or entry.get("first_authors") or []
        year = _one(entry, "year", "publication_year", "date")
        row = _entry(authors, year, {**said, **extra}) | _named(entry)
        found.append((starts[at] if at < len(starts) else 0, row))
    return found


def _named(entry: Mapping[str, Any]) -> dict[str, str]:
    """Label and id of a study where both stand in a reference (LB and ID), as `reweigh export` writes them."""
    label, id_ = " ".join(_one(entry, "label").split()), _one(entry, "id").strip()
    said = re.search(r"[^\W\d_]", label) and re.fullmatch(r"[^\W\d_][\w.-]*", id_)
    return {"study_id": id_, "label": label} if said else {}


def _one(entry: Mapping[str, Any], *names: str) -> str:
    """The first of several fields that says something; lists as their parts."""
    for name in names:
        value = entry.get(name)
        if value:
            return "; ".join(map(str, value)) if isinstance(value, list) else str(value)
    return ""


def _pmid(entry: Mapping[str, Any]) -> str:
    """The PubMed id, where PubMed is the database or the field says so."""
    base = _one(entry, "name_of_database", "database_provider").lower()
    number = _one(entry, "accession_number", "id")
    if re.fullmatch(r"[0-9]{5,9}", number) and ("pubmed" in base or "medline" in base or not base):
        return number
    said = re.search(r"pmid[:\s]*([0-9]{5,9})", _one(entry, "notes", "custom2", "accession_number"), re.IGNORECASE)
    return said[1] if said else ""


def _bibtex(text: str, file: str) -> list[tuple[int, dict[str, str]]]:
    bibtexparser = needs("bibtexparser", file)
    logger = logging.getLogger("bibtexparser")
    level = logger.level
    logger.setLevel(logging.CRITICAL)  # what it cannot read is listed here, not in its log
    try:
        middlewares = [
            bibtexparser.middlewares.LatexDecodingMiddleware(),
            bibtexparser.middlewares.SeparateCoAuthors(),
        ]
        library = bibtexparser.parse_string(text.lstrip("\ufeff"), append_middleware=middlewares)
    except Exception as why:  # a foreign reader may raise anything on a damaged file
        raise UnreadableError(f"{file}: the references cannot be read ({' '.join(str(why).split())})") from why
    finally:
        logger.setLevel(level)
    found = []
    for entry in library.entries:
        fields = {field.key.lower(): field.value for field in entry.fields}
        plain = {k: re.sub(r"[{}]", "", v if isinstance(v, str) else "; ".join(v)) for k, v in fields.items()}
        authors = fields.get("author", [])
        said = {
            "title": plain.get("title", ""),
            "journal": plain.get("journal", "") or plain.get("journaltitle", "") or plain.get("booktitle", ""),
            "doi": plain.get("doi", ""),
            "pmid": plain.get("pmid", ""),
            "source_urls": plain.get("url", ""),
            "notes": " ".join(plain.get(k, "") for k in ("note", "abstract", "annote")),
        }
        names = [re.sub(r"[{}]", "", a) for a in (authors if isinstance(authors, list) else authors.split(" and "))]
        found.append((entry.start_line + 1, _entry(names, plain.get("year", "") or plain.get("date", ""), said)))
    empty = dict.fromkeys(("label", "year", "doi", "pmid", "registry_id", "title", "journal", "source_urls"), "")
    found += [(block.start_line + 1, dict(empty)) for block in library.failed_blocks]
    return found


def merged(
    tables: Mapping[str, pd.DataFrame], references: pd.DataFrame, file: str, code: str = "reference_unmatched"
) -> tuple[pd.DataFrame, list[Cell]]:
    """studies.csv with what references say of its studies; what belongs to none is left out and listed.

    A reference belongs to the study of the same id, of the same DOI, or of the one label that begins with its first
    author and has its year. Cells that are filled stay.
    """
    studies = tables["studies"].copy()
    cells = []
    for column in references.columns:
        if column not in studies:
            studies[column] = ""
    for row in references.to_dict("records"):
        mine = studies.index[studies["study_id"] == row["study_id"]]
        if not len(mine) and row.get("doi") and "doi" in studies:
            mine = studies.index[studies["doi"].str.lower() == str(row["doi"]).lower()]
        if not len(mine):
            mine = _alike(studies, row)
        if len(mine) != 1:
            cells.append(Cell(file, 0, "", str(row.get("label", "")), "", code))
            continue
        for column in references.columns:
            if column not in ("study_id", "label") and not studies.loc[mine[0], column]:
                studies.loc[mine[0], column] = row[column]
    order = [c.name for c in STUDIES.columns]
    names = [n for n in order if n in studies] + [n for n in studies if n not in order]
    return studies[[n for n in names if studies[n].ne("").any()]], cells


def _alike(studies: pd.DataFrame, row: Mapping[Any, Any]) -> pd.Index:
    """Studies whose label begins with the first author of a reference and has its year."""
    author = slug(str(row.get("label", "")).rsplit(" ", 1)[0])
    year = str(row.get("year", ""))
    if not author or not year:
        return studies.index[:0]
    years = studies["year"] if "year" in studies else pd.Series("", index=studies.index)
    begins = studies["label"].map(lambda text: slug(text).startswith(author))
    dated = years.str[:4].eq(year) | studies["label"].str.contains(rf"\b{re.escape(year)}")
    return studies.index[begins & dated]
