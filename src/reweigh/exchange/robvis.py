"""Risk-of-bias judgements from the tables that robvis draws: Study, a column per domain, Overall, Weight."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from reweigh.exchange.grids import Grid
from reweigh.exchange.headers import identity_of, squeeze
from reweigh.exchange.ids import study_ids
from reweigh.exchange.result import Cell, Imported
from reweigh.risk_of_bias import OVERALL, Tool
from reweigh.tables.columns import is_missing_word
from reweigh.text.certainty import Risk

#: What judgements are called in robvis and in extraction sheets, as the words of our tools, the first that a tool has.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "low": ("low",),
    "l": ("low",),
    "+": ("low",),
    "yes": ("low",),
    "high": ("high", "serious"),
    "h": ("high", "serious"),
    "-": ("high", "serious"),
    "no": ("high", "serious"),
    "unclear": ("unclear", "some_concerns"),
    "u": ("unclear",),
    "?": ("unclear", "some_concerns"),
    "some concerns": ("some_concerns", "unclear", "moderate"),
    "some concern": ("some_concerns", "unclear", "moderate"),
    "s": ("some_concerns", "serious"),
    "moderate": ("moderate", "some_concerns"),
    "m": ("moderate",),
    "serious": ("serious", "high"),
    "critical": ("critical", "high"),
    "c": ("critical",),
    "no information": ("no_information", "unclear", "some_concerns"),
    "ni": ("no_information", "unclear", "some_concerns"),
}
_NOT_APPLICABLE = ("not applicable", "n/a", "na", "not assessed")
#: Words that a judgement consists of; a table whose cells are mostly these is a table of judgements.
_JUDGEMENT = re.compile(
    r"(?:low|high|unclear|some concerns?|moderate|serious|critical|no information|not applicable)"
    r"(?:\s+risk(?:\s+of\s+bias)?)?",
    re.IGNORECASE,
)
#: A word of a domain's name that tells it from the others, as our names of domains.
_DOMAINS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"sequence|random.*gener", ("random_sequence_generation", "randomisation")),
    (r"conceal", ("allocation_concealment",)),
    (r"blind.*(?:partic|person|patient)|performance", ("blinding_of_participants", "deviations")),
    (r"blind.*(?:assess|outcome)|detection", ("blinding_of_assessment", "measurement")),
    (r"incomplete|attrition|missing", ("incomplete_outcome_data", "missing_data")),
    (r"confound", ("confounding",)),
    (r"selecti.*report|report", ("selective_reporting",)),
    (r"classif", ("classification",)),
    (r"select.*(?:partic|study)|^selection", ("selection",)),
    (r"carry|period", ("period_and_carryover",)),
    (r"recruit|identif", ("recruitment",)),
    (r"deviat|adher", ("deviations",)),
    (r"measure", ("measurement",)),
    (r"randomi", ("randomisation", "random_sequence_generation")),
    (r"other", ("other_bias",)),
)


def judgement_header(rows: Sequence[tuple[int, tuple[str, ...]]]) -> bool:
    """Whether a sheet is a table of judgements: a study, three or more columns of judgements and little else."""
    if len(rows) < 2:
        return False
    names = rows[0][1]
    if not any(identity_of(name) in ("study", "author") for name in names):
        return False
    domains = _domain_columns(names, rows[1:])
    others = [
        n
        for i, n in enumerate(names)
        if i not in domains and not identity_of(n) and squeeze(n) not in ("weight", "overall")
    ]
    return len(domains) >= 3 and len(others) <= max(3, len(domains))


def _domain_columns(names: Sequence[str], rows: Sequence[tuple[int, tuple[str, ...]]]) -> list[int]:
    """Columns whose filled cells are judgements, and empty ones that are named as a domain; not the overall one."""
    found, empty = [], []
    for i, name in enumerate(names):
        cells = [c[i].strip() for _, c in rows if i < len(c) and c[i].strip() and c[i].strip() not in ("NA", "-")]
        numbered = re.fullmatch(r"d(?:omain)?\s*[.\s]?[0-9]+", name.strip(), re.IGNORECASE)
        judged = sum(1 for c in cells if _JUDGEMENT.fullmatch(c) or (numbered and c.lower() in _WORDS))
        if cells and judged * 2 > len(cells) and squeeze(name) not in ("overall", "overallrisk", "overallbias"):
            found.append(i)
        elif not cells and (numbered or (re.search(r"\bbias\b", name, re.IGNORECASE) and _said(name))):
            empty.append(i)
    return sorted([*found, *empty]) if found else []


def read_robvis(grid: Grid, tools: Mapping[str, Tool], outcome: str = "") -> Imported:
    """Judgements of one sheet as risk_of_bias.csv.

    Parameters
    ----------
    grid
        Study, a column per domain in the tool's order (or with names that tell it), Overall, Weight.
    tools
        Our tools by name (data/risk_of_bias_tools.yaml): the first whose domains and words fit is the tool.
    outcome
        Outcome that is judged, "" for all.

    Returns
    -------
    Studies and risk_of_bias with the tool's own words: "No information" is the tool's level for it, else unclear or
    some concerns; "Not applicable" and weights are left out, since weights come from the analysis. Each cell that was
    changed is listed.
    """
    names = tuple(" ".join(n.split()) for n in grid.rows[0][1])
    header, body = grid.rows[0][0], grid.rows[1:]
    domains = _domain_columns(names, body)
    study = next(i for i, name in enumerate(names) if identity_of(name) in ("study", "author"))
    overall = next((i for i, name in enumerate(names) if squeeze(name).startswith("overall")), None)
    words = {c[i].strip().casefold() for _, c in body for i in domains if i < len(c)}
    tool = _tool([names[i] for i in domains], words, tools)
    if tool is None:
        have = "; ".join(f"{t.name} has {len(t.domains)} domains" for t in tools.values()) or "no tool is known"
        said = f"{grid.file} has judgements of {len(domains)} domains ({', '.join(names[i] for i in domains)})"
        return Imported(problems=(f"{said}, which fit no tool: {have}",))
    keys = _places([names[i] for i in domains], tool)
    columns = {**dict(zip(domains, keys, strict=True)), **({} if overall is None else {overall: OVERALL})}
    cells: list[Cell] = []
    rows, studies = [], {}
    cells += [Cell(grid.file, header, name, name, "", "weight") for name in names if squeeze(name) == "weight"]
    labels = (" ".join(c[study].split()) for _, c in body if study < len(c) and c[study].strip())
    ids = study_ids(labels, fold=True)
    for row, given in body:
        line = (*given, *[""] * (len(names) - len(given)))
        label = " ".join(line[study].split())
        if not label:
            cells.append(Cell(grid.file, row, "", " | ".join(c for c in line if c.strip()), "", "row_without_study"))
            continue
        id_ = ids[label]
        if id_ in studies:
            cells.append(Cell(grid.file, row, names[study], label, "", "row_repeated"))
            continue
        studies[id_] = label
        for i, domain in columns.items():
            level, code = _level(line[i], tool)
            if code:
                cells.append(Cell(grid.file, row, names[i], line[i], level, code))
            if level:
                rows.append((id_, outcome, tool.name, domain, level))
    frame = pd.DataFrame(rows, columns=["study_id", "outcome", "tool", "domain", "judgement"], dtype=object)
    listed = pd.DataFrame({"study_id": list(studies), "label": list(studies.values())}, dtype=object)
    named = ", ".join(f"{names[i]} is {domain}" for i, domain in columns.items() if domain != OVERALL)
    notes = (f"{grid.file}: the judgements are taken for those of {tool.name}: {named}",)
    return Imported({"studies": listed, "risk_of_bias": frame}, {}, {}, tuple(cells), notes)


def _said(name: str) -> tuple[str, ...]:
    """Our domains that a column's name may mean."""
    text = re.sub(r"[._]", " ", name)
    return next((ours for pattern, ours in _DOMAINS if re.search(pattern, text, re.IGNORECASE)), ())


def _tool(names: Sequence[str], words: set[str], tools: Mapping[str, Tool]) -> Tool | None:
    """The first tool whose domains are as many, whose words are used, and whose names of domains are not others."""

    def fits(tool: Tool) -> bool:
        ours = {domain for domain, _ in tool.domains}
        said = [set(_said(name)) for name in names]
        return len(names) <= len(tool.domains) and all(not one or one & ours for one in said)

    def rank(tool: Tool) -> tuple[bool, int, bool]:
        own = {level.name.replace("_", " ") for level in tool.levels}
        strange = len({w for w in words if w and w not in _NOT_APPLICABLE and w not in own and w != "no information"})
        # RoB 1 is often judged without its last domain, other bias.
        short = tool.name != "RoB 1" or len(names) != len(tool.domains) - 1
        return strange > 0, abs(len(tool.domains) - len(names)) if short else 0, strange > 0

    fitting = [tool for tool in tools.values() if fits(tool)]
    same = [tool for tool in fitting if len(tool.domains) == len(names) or any(map(_said, names)) or not rank(tool)[1]]
    return min(same, key=rank, default=None)


def _places(names: Sequence[str], tool: Tool) -> list[str]:
    """The domain of each column: by its name where that tells one, else by the tool's order."""
    order = [domain for domain, _ in tool.domains]
    told = [next((d for d in _said(name) if d in order), "") for name in names]
    if len(set(told)) == len(told) and all(told):
        return told
    return order[: len(names)]


def _level(cell: str, tool: Tool) -> tuple[str, str]:
    """The tool's word for a judgement, and the code of what was done to it."""
    text = re.sub(r"\s*(?:risk(?: of bias)?|bias)$", "", " ".join(cell.split()).casefold())
    own = {level.name: level for level in tool.levels}
    if text.replace(" ", "_") in own:
        level = text.replace(" ", "_")
        return level, "" if cell.strip() in (level, level.replace("_", " ").capitalize()) else "judgement"
    if not text or text in _NOT_APPLICABLE:
        return "", "not_applicable" if text else ""
    found = next((one for one in _WORDS.get(text, ()) if one in own), "")
    if found:
        return found, "no_information" if text in ("no information", "ni") else "judgement"
    if text in ("no information", "ni"):
        found = next((level.name for level in tool.levels if level.kind == Risk.UNCLEAR), "")
        return found, "no_information"
    return "", "missing_word" if is_missing_word(text) else "judgement_unknown"
