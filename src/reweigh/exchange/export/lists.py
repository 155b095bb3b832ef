"""References as RIS, judgements of risk of bias as robvis draws them, counts of the PRISMA 2020 flow diagram."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import pandas as pd

from reweigh.exchange.export.source import Exported, Source, csv_bytes, one_line
from reweigh.exchange.flow import HEADER
from reweigh.exchange.grids import Grid
from reweigh.exchange.ids import labels_of, study_ids
from reweigh.exchange.robvis import read_robvis
from reweigh.io import records
from reweigh.risk_of_bias import OVERALL, Tool, read_risk_of_bias
from reweigh.text.flow import BOXES, HEADS

#: Boxes that are titles, and the node and box of every count in the tool's file, in its order.
_TITLES = {
    "previous_studies": ("node4", "prevstud"), "database_results": ("node6", "newstud"),
    "website_results": ("node16", "othstud"),
}  # fmt: skip
_STAGES = {"identification": "node1", "screening": "node2", "included": "node3"}
_PLACES = {
    "previous_studies": "node5 box1", "previous_reports": "NA box1", "database_results": "node7 box2",
    "database_specific_results": "NA box2", "register_results": "NA box2", "register_specific_results": "NA box2",
    "website_results": "node17 box11", "organisation_results": "NA box11", "citations_results": "NA box11",
    "duplicates": "node8 box3", "excluded_automatic": "NA box3", "excluded_other": "NA box3",
    "records_screened": "node9 box4", "records_excluded": "node10 box5", "dbr_sought_reports": "node11 box6",
    "dbr_notretrieved_reports": "node12 box7", "other_sought_reports": "node18 box12",
    "other_notretrieved_reports": "node19 box13", "dbr_assessed": "node13 box8", "dbr_excluded": "node14 box9",
    "other_assessed": "node20 box14", "other_excluded": "node21 box15", "new_studies": "node15 box10",
    "new_reports": "NA box10", "total_studies": "node22 box16", "total_reports": "NA box16",
    "total_studies_ma": "node23 box17", "total_reports_ma": "NA box17",
}  # fmt: skip


def ris(source: Source) -> Exported:
    """references.ris: a reference per row of studies.csv, in RIS, by rispy (of the extra `formats`).

    The tables hold no list of authors: AU is what the label says before the year. LB is the label, ID the study_id.
    """
    try:
        rispy = import_module("rispy")
    except ModuleNotFoundError:
        return Exported(
            problem="RIS is written by the package rispy, which is not installed: pip install 'reweigh[formats]'"
        )
    entries = [_reference(row) for row in records(source.tables.studies)]
    text = re.sub(r"(?m)^[0-9]+\.\n(?=TY  - )", "", rispy.dumps(entries))  # it numbers them, which is not RIS
    return Exported({"references.ris": text.encode("utf-8")}, ("the author of a reference is taken from its label",))


def _reference(row: Mapping[Any, Any]) -> dict[str, Any]:
    said = {str(name): "" if pd.isna(value) else one_line(value) for name, value in row.items()}
    label, pmid = said["label"], said.get("pmid", "")
    found = re.match(r"(.+?)(?:\s+et al\.?)?[\s,]+\(?(?:19|20)[0-9]{2}", label)
    author = found[1] if found else label
    # A comma keeps the words of a surname together: "van der Berg,"; it is how reference managers write it.
    author += "," if " " in author and "," not in author else ""
    fields = {
        "type_of_reference": "JOUR",
        "id": said["study_id"],
        "label": label,
        "authors": [author],
        "year": said.get("year", ""),
        "title": said.get("title", ""),
        "journal_name": said.get("journal", ""),
        "doi": said.get("doi", ""),
        "accession_number": pmid,
        "name_of_database": "PubMed" if pmid else "",
        "urls": [url.strip() for url in said.get("source_urls", "").split("|") if url.strip()],
        "notes": [said["registry_id"]] if said.get("registry_id") else [],
    }
    return {name: value for name, value in fields.items() if value}


def robvis(source: Source) -> Exported:
    """A CSV file per risk-of-bias tool, and per outcome that was judged by itself: Study, D1 ..., Overall, Weight.

    McGuinness 2021, Res Synth Methods 12:55-61. The order of the domains is the tool's; where that alone would not tell
    the tool again, the columns have the names of the domains. A trial without an overall judgement has that of its
    worst domain, as everywhere here. Every weight is 1: a trial has another one in every analysis.
    """
    bias = read_risk_of_bias(source.tables.risk_of_bias, source.tools).table
    if bias.empty:
        return Exported(problem="the review has no judgements of risk of bias (risk_of_bias.csv)")
    labels = labels_of(source.tables.studies)
    files = {}
    for (name, outcome), rows in bias.groupby(["tool", "outcome"], sort=False):
        tool = source.tools[str(name)]
        words = {(row["study_id"], row["domain"]): str(row["level"]) for row in records(rows)}
        header, body = _judgements(tool, words, labels)
        parts = [*study_ids([tool.name]).values(), *([str(outcome)] if outcome else [])]
        files[f"robvis_{'_'.join(parts)}.csv"] = csv_bytes(header, body)
        if _read_as(header, body, source.tools) != tool.name:
            header = ["Study", *(label for _, label in tool.domains), *header[-2:]]
            files[f"robvis_{'_'.join(parts)}.csv"] = csv_bytes(header, body)
    return Exported(files, ("every weight is 1: a trial has another weight in every analysis",))


def _judgements(
    tool: Tool, words: Mapping[tuple[str, str], str], labels: Mapping[str, str]
) -> tuple[list[str], list[list[str]]]:
    """Header and rows of one file, the domains by their number."""
    header = ["Study", *(f"D{at + 1}" for at in range(len(tool.domains))), "Overall", "Weight"]
    body: list[list[str]] = []
    for study in dict.fromkeys(study for study, _ in words):
        judged = (words.get((study, domain), "") for domain in (*dict(tool.domains), OVERALL))
        body.append([labels[study], *(word.replace("_", " ").capitalize() for word in judged), "1"])
    return header, body


def _read_as(header: list[str], body: list[list[str]], tools: Mapping[str, Tool]) -> str:
    """The tool for which the import takes a table; "" where for none."""
    rows = [(at, tuple(row)) for at, row in enumerate([header, *body], start=1)]
    bias = read_robvis(Grid("", "", tuple(rows)), tools).tables.get("risk_of_bias")
    return "" if bias is None or bias.empty else str(bias["tool"].iloc[0])


def prisma(source: Source) -> Exported:
    """PRISMA.csv: the counts of flow.csv as the PRISMA 2020 flow-diagram tool reads them.

    Haddaway 2022, Campbell Syst Rev 18:e1230. A count that flow.csv does not have stays empty.
    """
    if source.flow.empty:
        return Exported(problem="the review has no flow.csv (box, n, reason): there are no counts to export")
    cells: dict[str, list[str]] = {}
    split = 0
    for row in records(source.flow):
        reason = one_line(row["reason"])
        split += ";" in reason  # the tool's file has a semicolon between reasons
        cells.setdefault(row["box"], []).append(f"{reason.replace(';', ',')}, {row['n']}" if reason else row["n"])
    notes = [f"{split} reasons have a comma in place of a semicolon, which stands between reasons"] if split else []
    return Exported({"PRISMA.csv": csv_bytes(HEADER, _flow_rows(cells))}, tuple(notes))


def _flow_rows(cells: Mapping[str, list[str]]) -> Iterator[list[str]]:
    for name, words in BOXES.items():
        if name in _TITLES:
            node, box = _TITLES[name]
            yield ["NA", node, box, *[HEADS[name]] * 3, f"{box}.html", "0"]
        if name == "total_studies_ma":
            for stage, node in _STAGES.items():
                yield [stage, node, stage, *[stage.capitalize()] * 3, f"{stage}.html", "0"]
        node, box = _PLACES[name].split()
        yield [name, node, box, *[words] * 3, f"{name}.html", "; ".join(cells.get(name, []))]
