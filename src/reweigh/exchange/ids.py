"""Ids of studies and outcomes from their names, and years from whatever stands for them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

import pandas as pd

from reweigh.exchange.analyses import plain
from reweigh.exchange.result import Cell, Imported

#: Letters that do not come apart into a Latin letter and a mark.
_LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "đ": "d", "Đ": "D",
     "ı": "i", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D"}
)  # fmt: skip
#: Longer ids are cut: they become parts of file names.
_LONGEST = 60


def slug(text: str) -> str:
    """A text as an id: lower-case letters of the Latin alphabet, digits and underscores; "" where none is left."""
    letters = unicodedata.normalize("NFKD", text.translate(_LETTERS)).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", letters.casefold()).strip("_")


def study_ids(names: Iterable[str], *, fold: bool = False) -> dict[str, str]:
    """An id for each study name: ASCII, lower case, words joined by underscores; unique whatever the letter case.

    Where two names give one id ("Davis 1998" and "Davis, 1998"), the later ones are numbered (davis_1998_2), in the
    order of the names; with ``fold`` names that differ in letter case alone are one study. A bare number n is study_n,
    and so is a name without any Latin letter or digit.
    """
    ids: dict[str, str] = {}
    found: dict[str, str] = {}
    used: set[str] = set()
    for name in names:
        key = name.casefold() if fold else name
        if key not in ids:
            stem = slug(name)[:_LONGEST].rstrip("_")
            stem = f"study_{stem}" if stem.isdigit() else stem
            number, one = 1, stem or "study_1"
            while one in used:
                number += 1
                one = f"{stem or 'study'}_{number}"
            ids[key] = one
            used.add(one)
        found[name] = ids[key]
    return found


def outcome_id(text: str) -> str:
    """A text as the name of an outcome, which begins with a letter."""
    name = slug(text)
    return name if name[:1].isalpha() else f"o_{name}" if name else "outcome"


def year_of(text: str) -> str:
    """The year that a cell names: as it stands (1994, 1994a), or the one year of a date; "" where none or several."""
    if re.fullmatch(r"(19|20)\d\d[a-z]?", text):
        return text
    found = set(re.findall(r"(?<!\d)(?:19|20)\d\d(?!\d)", text))
    return found.pop() if len(found) == 1 else ""


def labels_of(studies: pd.DataFrame) -> dict[str, str]:
    """study_id to a label that no other study has: its own, with the id behind it where two are alike."""
    labels = studies["label"].map(lambda text: plain(str(text)))
    twice = labels.str.casefold().duplicated(keep=False)
    unique = labels.where(~twice, labels + " (" + studies["study_id"] + ")")
    return dict(zip(studies["study_id"], unique, strict=True))


def named_as(imported: Imported, studies: pd.DataFrame) -> Imported:
    """What joins a review with the review's own ids: judgements, by the labels of the trials.

    Parameters
    ----------
    imported
        Without results of trials.
    studies
        study_id and label of the review's trials. Judgements of no trial of them are left out and listed.
    """
    if not {"risk_of_bias", "studies"} <= set(imported.tables):
        return imported
    theirs, bias = imported.tables["studies"], imported.tables["risk_of_bias"]
    known = {slug(str(label)): id_ for id_, label in labels_of(studies).items()}
    known |= {slug(str(id_)): str(id_) for id_ in studies["study_id"]}
    labels = dict(zip(theirs["study_id"], theirs["label"], strict=True))
    ids = {id_: known[slug(label)] for id_, label in labels.items() if slug(label) in known}
    lost = [label for id_, label in labels.items() if id_ not in ids]
    cells = (*imported.cells, *(Cell("risk_of_bias", 0, "", label, "", "judgement_unmatched") for label in lost))
    kept = bias[bias["study_id"].isin(list(ids))].reset_index(drop=True)
    tables = {**imported.tables, "risk_of_bias": kept.assign(study_id=kept["study_id"].map(ids))}
    return replace(imported, tables=tables, cells=cells)
