"""What a person is shown of the changes of a review, in the terminal and on the page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from reweigh.compare.data import FORMER, WORDS
from reweigh.compare.results import Results
from reweigh.io import records
from reweigh.text.changes import causes, data_texts
from reweigh.text.codes import code, join, without
from reweigh.text.numbers import stated_text, whole

Row = Mapping[str, Any]


def shown(table: pd.DataFrame, old: Results, new: Results) -> dict[str, Any]:
    """The changes of one review by kind, in words and printed numbers.

    Parameters
    ----------
    table
        `changes.csv` of the review.
    old, new
        What it was made of.
    """
    rows = [row for row in records(table) if row["review"] == new.review]
    kinds = {kind: [row for row in rows if row["kind"] == kind] for kind in dict.fromkeys(row["kind"] for row in rows)}
    estimates, beyond, further = _estimates(kinds.get("estimate", []), old, new)
    return {
        "review": new.review,
        "former": old.review,
        "changes": len(rows),
        **_trials([*kinds.get("trial", []), *kinds.get("row", [])]),
        "typed": old.typed and new.typed,
        "protocol": [{"key": row["id"], "old": row["old"], "new": row["new"]} for row in kinds.get("protocol", [])],
        "recorded": old.keys is not None and new.keys is not None,
        "programme": [{"name": row["id"], "old": row["old"], "new": row["new"]} for row in kinds.get("programme", [])],
        "estimates": estimates,
        "beyond": beyond,
        "further": further,
        "certainty": [
            {"what": _what(row["id"], new, old), "analysis": row["id"]} | _moved(row)
            # That of a new analysis stands in the Summary of Findings; here is what moved.
            for row in kinds.get("certainty", []) if row["field"] == "certainty" and _main(row["id"], new, old)
        ],
        "verdicts": [
            {"id": row["id"], "claim": row["label"]} | _moved(row)
            for row in kinds.get("verdict", []) if row["field"] in ("", "verdict")
        ],
        "published": [
            {"what": f"{row['label']}, {row['id'].partition(' | ')[2].replace(' | ', ', ').replace('_', ' ')}"}
            | _moved(row)
            for row in kinds.get("published estimate", []) if row["field"] in ("", "verdict")
        ],
    }  # fmt: skip


def _moved(row: Row) -> dict[str, Any]:
    return {"old": row["old"], "new": row["new"], "causes": _why(row["cause_codes"], data=False)}


def _why(codes: str, *, data: bool = True) -> list[str]:
    """What did it; that something is not recorded is said once, for all."""
    return causes(without(codes, "not_recorded"), data=data)


def _trials(rows: Iterable[Row]) -> dict[str, Any]:
    """Trials that are new, gone or corrected (with their data), and how many only have other words."""
    found: dict[str, list[Any]] = {"new": [], "gone": []}
    corrected: dict[str, dict[str, Any]] = {}
    words = set()
    for row in rows:
        if not row["field"] and row["kind"] == "trial":
            found["new" if row["new"] else "gone"].append(row["label"])
        elif row["field"] in WORDS:
            words.add(row["study_id"])
        else:
            one = corrected.setdefault(row["study_id"], {"label": row["label"], "codes": []})
            one["codes"].append(_datum(row))
    told = [{"label": one["label"], "data": data_texts(join(one["codes"]))} for one in corrected.values()]
    return found | {"corrected": told, "reworded": len(words - corrected.keys())}


def _datum(row: Row) -> str:
    """The code of a datum that differs."""
    file, _, number = row["id"].rpartition(":")
    if row["kind"] == "trial":
        said = code("trait", column=row["field"], old=row["old"], new=row["new"])
    elif " | " in row["id"]:
        said = code("used", column=row["field"], old=row["old"], new=row["new"])
    elif not row["field"]:
        said = code("row_new" if row["new"] else "row_gone", file=file.removeprefix(FORMER), row=number)
    else:
        said = code("datum", file=file, row=number, column=row["field"], old=row["old"], new=row["new"])
    return said


def _main(analysis: str, *sides: Results) -> bool:
    """Whether an analysis is the main one of its outcome and window."""
    for side in sides:
        found = side.tables["pooled.csv"]
        mine = found[found["analysis"] == analysis]
        if len(mine):
            return analysis == f"{mine['outcome'].iloc[0]}.{mine['window'].iloc[0]}"
    return False


def _what(analysis: str, *sides: Results) -> str:
    """An analysis in the words of the protocol, else its name."""
    outcome, _, window = analysis.partition(".")
    for side in sides:
        protocol = side.protocol
        if protocol is not None and outcome in protocol.outcomes and window in protocol.windows:
            label = protocol.windows[window].label
            return f"{protocol.outcomes[outcome].label}, {label[:1].lower()}{label[1:]}"
    return analysis


def _estimates(rows: Iterable[Row], old: Results, new: Results) -> tuple[list[dict[str, Any]], list[str], int]:
    """Main estimates that moved in print; those that moved only beyond the printed digits; how many others moved."""
    before, after = (_by_main_model(side) for side in (old, new))
    moved = {row["id"]: row["cause_codes"] for row in rows}
    found, beyond, seen = [], list[str](), set[str]()
    for name in moved:
        analysis = name.partition(" | ")[0]
        if analysis in seen or not _main(analysis, new, old):
            continue
        sides = [side.get(analysis) for side in (before, after)]
        first = next((one for one in reversed(sides) if one is not None), None)
        if first is None or f"{analysis} | {first['model']}" not in moved:
            continue
        seen.add(analysis)
        texts = ["" if one is None else _printed(one) for one in sides]
        what = _what(analysis, new, old)
        if texts[0] == texts[1]:
            beyond.append(what)
            continue
        why = _why(moved[f"{analysis} | {first['model']}"])
        found.append({"analysis": analysis, "what": what, "old": texts[0], "new": texts[1], "causes": why})
    return found, beyond, len(moved) - len(seen)


def _by_main_model(side: Results) -> dict[str, Row]:
    """The row of each analysis by its main model, which comes first."""
    return {row["analysis"]: row for row in reversed(records(side.tables["pooled.csv"]))}


def _printed(row: Row) -> str:
    n = row.get("participants", float("nan"))
    return f"{stated_text(row)}, k = {row['k']:.0f}" + (f", n = {whole(n)}" if n == n else "")
