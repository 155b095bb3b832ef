"""The records of a review: what each is, what became of it, and the counts of a PRISMA 2020 flow diagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from reweigh.effects.readings import agreement
from reweigh.figures.forest.lights import printed
from reweigh.io import records
from reweigh.report.inputs import Inputs
from reweigh.report.words import DOI, count, href, missing, nice
from reweigh.risk_of_bias import OVERALL
from reweigh.text.codes import has, parse
from reweigh.text.flow import BOXES, NOT_RECORDED
from reweigh.text.numbers import fixed, needed_decimals

POOLED, SENSITIVITY, UNUSED, EXCLUDED = "in a main analysis", "in a sensitivity set only", "not pooled", "not eligible"
STATES = (POOLED, SENSITIVITY, UNUSED, EXCLUDED)
#: Boxes of the diagram with flow.csv, each with the one at its side: label, the counts that it adds up (of several
#: choices the first above zero), and counts that only say what it consists of.
STEPS = (
    (("Records identified", (("database_results", "register_results", "website_results", "organisation_results",
                              "citations_results"),), ("database_specific_results", "register_specific_results")),
     ("Records removed before screening", (("duplicates", "excluded_automatic", "excluded_other"),))),
    (("Records screened", (("records_screened",),)), ("Records excluded", (("records_excluded",),))),
    (("Reports sought for retrieval", (("dbr_sought_reports", "other_sought_reports"),)),
     ("Reports not retrieved", (("dbr_notretrieved_reports", "other_notretrieved_reports"),))),
    (("Reports assessed for eligibility", (("dbr_assessed", "other_assessed"),)),
     ("Reports excluded", (("dbr_excluded", "other_excluded"),))),
    (("Studies included", (("total_studies",), ("previous_studies", "new_studies"))),
     ("Reports of included studies", (("total_reports",), ("previous_reports", "new_reports")))),
    (("Studies in a meta-analysis", (("total_studies_ma",),)), ("Reports of these", (("total_reports_ma",),))),
)  # fmt: skip
#: And without one.
UNKNOWN = (
    ("Records identified", "Duplicates removed"),
    ("Records screened", "Records excluded"),
    ("Reports sought", "Reports not retrieved"),
)
#: Columns of studies.csv that are shown elsewhere, or say nothing to a reader of the table.
ELSEWHERE = ("row", "study_id", "label", "year", "doi", "pmid", "registry_id", "eligible", "exclusion_reason", "note",
             "source_urls")  # fmt: skip


def trial_rows(inputs: Inputs) -> list[dict[str, Any]]:
    """One entry per record of studies.csv: state, reasons, analyses, characteristics, sources."""
    main = inputs.effects[inputs.effects["set"] == "main"]
    in_main, in_any = set(main["study_id"]), set(inputs.effects["study_id"])
    used = main.groupby("study_id", sort=False)["analysis"].unique()
    flags, out = records(inputs.flags), []
    for study in records(inputs.studies):
        name = str(study["study_id"])
        excluded = str(study.get("eligible", "yes")) == "no"
        state = POOLED if name in in_main else SENSITIVITY if name in in_any else EXCLUDED if excluded else UNUSED
        out.append(
            {
                "id": name,
                "label": study["label"],
                "year": "" if missing(study["year"]) else f"{float(study['year']):.0f}",
                "state": state,
                "reasons": [] if state == POOLED else [*_sets(name, inputs), *_reasons(study, inputs.rows)],
                "analyses": list(used.get(name, [])),
                "columns": _characteristics(study, inputs),
                # A search for "crps" finds what is printed as complex regional pain syndrome.
                "words": " ".join(
                    str(study[name]) for name in inputs.protocol.categories if not missing(study.get(name))
                ),
                "links": _links(study),
                "note": nice(study.get("note", "")),
                "flags": [nice(flag["words"]) for flag in flags if flag["study_id"] == name],
                "lights": _lights(name, inputs),
            }
        )
    return out


def _sets(study_id: str, inputs: Inputs) -> list[str]:
    """The sensitivity sets that a trial stands in."""
    sets = inputs.effects.loc[inputs.effects["study_id"] == study_id, "set"].unique()
    labels = [inputs.protocol.sets[name].label for name in sets]
    return [f"stands in: {'; '.join(labels)}"] if labels else []


def _reasons(study: dict[str, Any], rows: pd.DataFrame) -> list[str]:
    if not missing(study.get("exclusion_reason")):
        return [nice(study["exclusion_reason"])]
    mine = rows[rows["study_id"] == study["study_id"]]
    if mine.empty:
        return ["no row in the tables of results"]
    excluded = mine[mine["status"] == "excluded"].drop_duplicates("reason")
    codes = [parse(cell) for cell in excluded["reason_code"]]
    others = [one.parameters["outcome"].replace("_", " ") for cell in codes for one in cell if one.name == "no_outcome"]
    rest = [nice(one["reason"]) for one in records(excluded) if not has(one["reason_code"], "no_outcome")]
    return [*rest, *([f"not outcomes of the protocol: {', '.join(others)}"] if others else [])]


def characteristic_columns(inputs: Inputs) -> list[str]:
    """Columns of the trials table: subgroup columns first, then integrity and design; empty ones are left out."""
    studies = inputs.studies
    wanted = [*inputs.protocol.subgroups[:3], "integrity", "design", "n_randomised", "condition", "country"]
    there = [c for c in dict.fromkeys(wanted) if c in studies and c not in ELSEWHERE]
    return [c for c in there if not studies[c].map(missing).all()][:5]


def _characteristics(study: dict[str, Any], inputs: Inputs) -> list[str]:
    labels = inputs.protocol.categories
    cells = []
    for column in characteristic_columns(inputs):
        value = study[column]
        text = "" if missing(value) else f"{value:g}" if isinstance(value, float) else str(value)
        cells.append(labels.get(column, {}).get(text, text))
    return cells


def _lights(study_id: str, inputs: Inputs) -> list[dict[str, Any]]:
    """Every judgement of a trial, by outcome ("" for all): the overall one first, then each domain's."""
    if inputs.bias is None:
        return []
    table = inputs.bias.table[inputs.bias.table["study_id"] == study_id]
    found = []
    for outcome, rows in table.groupby("outcome", sort=True):
        tool = inputs.bias.tools[str(rows["tool"].iloc[0])]
        names = {OVERALL: "Overall", **dict(tool.domains)}
        said = {row["domain"]: row for row in records(rows)}
        lights = []
        for domain in sorted(said, key=list(names).index):
            level = tool.level(str(said[domain]["level"]))
            lights.append(
                {
                    "domain": names[domain],
                    "judgement": level.label,
                    "symbol": printed(level.symbol),
                    "colour": level.colour,
                    "support": nice(said[domain]["support"]),
                }
            )
        known = inputs.protocol.outcomes.get(str(outcome))
        label = known.label if known else str(outcome).replace("_", " ")
        found.append({"outcome": label, "tool": tool.name, "lights": lights})
    return found


def _links(study: dict[str, Any]) -> list[tuple[str, str]]:
    """DOI, PubMed and sources; what is no DOI, no number of PubMed, or neither http nor https is no link."""
    links = []
    if doi := href(study.get("doi"), DOI):
        links.append(("DOI", doi))
    if str(study.get("pmid")).isdigit():
        links.append(("PubMed", f"https://pubmed.ncbi.nlm.nih.gov/{study['pmid']}/"))
    known = {target.rstrip("/") for _, target in links}
    others = [url for one in str(study.get("source_urls") or "").split("|") if (url := href(one))]
    others = [url for url in others if url.rstrip("/") not in known]
    links += [(f"source {at}" if len(others) > 1 else "source", url) for at, url in enumerate(others, start=1)]
    return links


def _counts(
    inputs: Inputs, label: str, choices: Sequence[Sequence[str]], details: Sequence[str] = ()
) -> dict[str, Any]:
    """One box of the diagram: the sum of the counts that flow.csv has of it, and what it consists of."""
    found = ([row for row in inputs.flow if row["box"] in boxes] for boxes in choices)
    there = list(filter(None, found))
    # The tool writes 0 for totals that a review without a previous version does not have.
    rows = next((rows for rows in there if any(int(row["n"]) for row in rows)), there[0] if there else [])
    parts = [*(rows if len(rows) > 1 else []), *(row for row in inputs.flow if row["box"] in details)]
    return {
        "label": label,
        "n": count(sum(int(row["n"]) for row in rows)) if rows else NOT_RECORDED,
        "parts": [(row.get("reason") or BOXES[row["box"]], count(row["n"])) for row in parts if int(row["n"])],
    }


def _steps(inputs: Inputs) -> list[dict[str, Any]]:
    """The boxes of the diagram before the trials of the tables, each with the one at its side."""
    if not inputs.flow:
        unknown = {"n": NOT_RECORDED, "parts": []}
        return [{"main": {"label": main, **unknown}, "side": {"label": side, **unknown}} for main, side in UNKNOWN]
    steps = [{"main": _counts(inputs, *main), "side": _counts(inputs, *side)} for main, side in STEPS]
    return [one for one in steps if {one["main"]["n"], one["side"]["n"]} != {NOT_RECORDED}]


def flow(inputs: Inputs, trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Counts of the PRISMA 2020 flow diagram, of flow.csv and the tables; what they do not hold is NOT_RECORDED."""
    excluded: dict[str, int] = {}
    for study in records(inputs.studies):
        if str(study.get("eligible", "yes")) == "no":
            reason = "no reason recorded" if missing(study["exclusion_reason"]) else str(study["exclusion_reason"])
            excluded[reason] = excluded.get(reason, 0) + 1
    states = {state: sum(trial["state"] == state for trial in trials) for state in STATES}
    included = len(trials) - sum(excluded.values())
    return {
        "records": len(trials),
        "excluded": sum(excluded.values()),
        "excluded_by": sorted(excluded.items(), key=lambda item: (-item[1], item[0])),
        "included": included,
        "pooled": states[POOLED],
        "sensitivity": states[SENSITIVITY],
        "unused": states[UNUSED],
        "rows": len(inputs.rows),
        "rows_chosen": int((inputs.rows["status"] == "chosen").sum()),
        "steps": _steps(inputs),
        "recorded": bool(inputs.flow),
    }


def readings(inputs: Inputs) -> dict[str, Any]:
    """Data that several people read: how many numbers agree, and each pair of readings, those that differ first."""
    table, named = inputs.readings, inputs.protocol.readings
    if table.empty:
        return {"pairs": [], "data": 0, "numbers": 0, "agree": 0}
    data, numbers, agree = agreement(table)
    pairs = []
    for keys, rows in table.groupby(["study_id", "datum", "reading", "other_reading"], sort=False):
        differ = rows[rows["agrees"] == "no"]
        said = [
            f"{row['side']}, {_QUANTITIES.get(str(row['quantity']), str(row['quantity']))}: "
            + " and ".join(fixed(x, needed_decimals((x,), 2)) for x in (row["value"], row["other_value"]))
            for row in records(differ)
        ]
        pairs.append(
            {"study": keys[0], "label": rows["label"].iloc[0], "datum": str(keys[1]).replace("_", " "),
             "who": [named.get(str(name), str(name) or "not said") for name in keys[2:]], "differ": said,
             "compared": int((rows["agrees"] != "").sum()), "reason": rows["reason"].iloc[0]}
        )  # fmt: skip
    return {"pairs": sorted(pairs, key=lambda one: not one["differ"]), "data": data, "numbers": numbers, "agree": agree}


_QUANTITIES = {"percent": "events, %", "sd": "SD", "se": "SE"}
