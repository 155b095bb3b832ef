"""Risk-of-bias domains and judgements of Cochrane files, as our tools name them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

import pandas as pd

from reweigh.exchange.analyses import Judgement
from reweigh.exchange.result import Cell

#: How the domain of a file begins (letters alone, lower case), and our name of it. Tools before 2011 asked questions
#: ("Allocation concealment?"); RevMan adds the outcomes in words after a colon, and the kind of bias in brackets.
_ROB1 = (
    ("randomsequencegeneration", "random_sequence_generation"),
    ("adequatesequencegeneration", "random_sequence_generation"),
    ("allocationconcealment", "allocation_concealment"),
    ("blindingofparticipants", "blinding_of_participants"),
    ("blindingofoutcome", "blinding_of_assessment"),
    ("incompleteoutcomedata", "incomplete_outcome_data"),
    ("selectivereporting", "selective_reporting"),
    ("freeofselectivereporting", "selective_reporting"),
    ("otherbias", "other_bias"),
    ("otherpotentialsourcesofbias", "other_bias"),
    ("othersourcesofbias", "other_bias"),
    ("freeofotherbias", "other_bias"),
)
_ROB2 = (
    ("biasarisingfromtherandomi", "randomisation"),
    ("biasduetodeviations", "deviations"),
    ("biasduetomissing", "missing_data"),
    ("biasinmeasurement", "measurement"),
    ("biasinselectionofthereported", "selective_reporting"),
    ("overallbias", "overall"),
)
_JUDGEMENTS = {
    **dict.fromkeys(("low", "lowrisk", "lowriskofbias", "yes"), "low"),
    **dict.fromkeys(("high", "highrisk", "highriskofbias", "no"), "high"),
}
_MIDDLE = {
    "RoB 1": {"unclear", "unclearrisk", "unclearriskofbias", "unknown"},
    "RoB 2": {"someconcerns", "someconcern"},
}


def domain_of(said: str) -> tuple[str, str]:
    """Tool and domain of a file's name of one, "" and "" where it is none of theirs."""
    letters = re.sub(r"[^a-z]", "", said.casefold())
    for tool, names in (("RoB 2", _ROB2), ("RoB 1", _ROB1)):
        for start, name in names:
            if letters.startswith(start):
                return tool, name
    return "", ""


def judgement_of(tool: str, said: str) -> str:
    """A judgement as the tool names it, "" where it has none of that name."""
    letters = re.sub(r"[^a-z]", "", said.casefold())
    if letters in _MIDDLE[tool]:
        return "unclear" if tool == "RoB 1" else "some_concerns"
    return _JUDGEMENTS.get(letters, "")


def judged(
    given: Iterable[Judgement], ids: Mapping[str, str], studies: Collection[str], outcomes: Collection[str]
) -> tuple[pd.DataFrame, list[Cell]]:
    """risk_of_bias.csv of the judgements of a Cochrane file, and those that are not taken.

    Parameters
    ----------
    given
        The judgements as the file words them.
    ids
        Name of a study to its id.
    studies, outcomes
        Ids of those that the review has; a judgement of another one is listed.
    """
    rows: dict[tuple[str, str, str], dict[str, str]] = {}
    cells = []
    for one in given:
        tool, domain = domain_of(one.domain)
        judgement = judgement_of(tool, one.judgement) if tool else ""
        study = ids.get(one.study, "")
        where = one.file, one.row, one.domain, one.judgement, ""
        if not tool:
            cells.append(Cell(*where, "domain_of_no_tool"))
        elif not judgement:
            cells.append(Cell(*where, "no_judgement"))
        elif study not in studies or (one.outcome and one.outcome not in outcomes):
            cells.append(Cell(*where, "no_such_study"))
        elif (study, one.outcome, domain) in rows:
            first = rows[study, one.outcome, domain]["judgement"]
            if first != judgement:
                cells.append(Cell(*where[:4], first, "judged_twice"))
        else:
            rows[study, one.outcome, domain] = {
                "study_id": study, "outcome": one.outcome, "tool": tool, "domain": domain, "judgement": judgement,
                "support": one.support,
            }  # fmt: skip
    return pd.DataFrame(list(rows.values())), cells
