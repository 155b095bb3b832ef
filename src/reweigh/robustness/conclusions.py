"""Two conclusions per analysis, as codes: how fragile it is, and what the defensible alternatives say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from reweigh.text.codes import code, has, join, parse
from reweigh.text.robustness import listed, sentence

#: Egger and others 1997 judge at 10%.
ASYMMETRY = 0.1


def conclusions_table(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One row per analysis, from "fragility", "leave_one_out", "small_study" and "multiverse_summary".

    Columns: analysis, then each conclusion as codes and as a sentence.
    """
    rows = []
    of = {
        name: _by_analysis(tables[name]) for name in ("fragility", "leave_one_out", "small_study", "multiverse_summary")
    }
    for analysis in of["fragility"]:
        mine = {name: found.get(analysis, []) for name, found in of.items()}
        fragile = _fragility(mine["fragility"], mine["leave_one_out"])
        others = join([_multiverse(mine["multiverse_summary"]), _small_study(mine["small_study"])])
        rows.append((analysis, fragile, sentence(fragile), others, sentence(others)))
    return pd.DataFrame(
        rows, columns=["analysis", "fragility_codes", "fragility", "alternatives_codes", "alternatives"]
    )


def _by_analysis(rows: pd.DataFrame) -> dict[str, list[dict[Any, Any]]]:
    """Rows of each analysis, with "" where a number is missing."""
    found = dict[str, list[dict[Any, Any]]]()
    for row in rows.astype(object).where(rows.notna(), "").to_dict("records"):
        found.setdefault(row["analysis"], []).append(row)
    return found


def _fragility(rows: list[dict[Any, Any]], without: list[dict[Any, Any]]) -> str:
    """Codes named after the criteria, with the verdict on each."""
    first = rows[0]
    if not first.get("criterion"):
        return str(first["note_codes"])
    if first["verdict_code"] == "not_applicable":
        return code("fragility_impossible", why=first["note_codes"])
    out = []
    for row in rows:
        if row["verdict_code"] != "not_applicable":
            names = [one.parameters["label"] for one in parse(row["removed_codes"])]
            trials = (
                listed([str(one["label"]) for one in without], "or")
                if row["verdict_code"] == "one_left"
                else listed(names)
            )
            said = {"verdict": row["verdict_code"], "start": row["before_code"], "size": int(row["size"])}
            said |= {"sets": int(row["sets"]), "after": row["after_code"], "trials": trials}
            out.append(code(row["criterion"].replace(" ", "_"), **said))
    return join(out[:1] if first["verdict_code"] == "one_left" else out)


def _multiverse(rows: list[dict[Any, Any]]) -> str:
    said: dict[str, object] = {}
    for row in rows:
        if row["kind"] == "statement" and row["of"] > 0 and row["name"] != "excludes_no_effect":
            said |= {row["name"]: int(row["holds"]), f"{row['name']}_of": int(row["of"])}
    moving = [row["name"] for row in rows if row["kind"] == "choice" and row["range"] != "" and row["range"] > 0]
    if said and moving:
        said["moved"] = moving[0]
    return code("multiverse", **said) if said else ""


def _small_study(rows: list[dict[Any, Any]]) -> str:
    egger = next((row for row in rows if row["method"] == "Egger"), None)
    if egger is None:
        first = parse(rows[0]["note_codes"])[0]
        if first.name == "below_minimum":
            return code("not_tested_few", k=first.parameters["k"])
        return code("not_tested_same", **first.parameters) if has(str(first), "same_as") else str(first)
    if egger["p_value"] == "":
        return code("egger_impossible", why=egger["note_codes"])
    p = float(egger["p_value"])
    return code("egger", p=p, asymmetry="yes" if p < ASYMMETRY else "no")
