"""Two computed sentences per analysis: how fragile it is, and what the defensible alternatives say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from reweigh.text.numbers import p_text


def conclusion_sentences(analysis: str, tables: Mapping[str, pd.DataFrame]) -> tuple[str, str]:
    """Sentences about one analysis from the robustness tables.

    ``tables``: "fragility", "leave_one_out", "small_study", "multiverse_summary" (any may be missing), as
    `reweigh.robustness.tables` makes them or as read from their files. The first sentence names the fragility set.
    """
    mine = {name: table[table["analysis"] == analysis] for name, table in tables.items() if "analysis" in table}
    return _fragility(mine), _alternatives(mine)


def _fragility(mine: Mapping[str, pd.DataFrame]) -> str:
    rows = mine.get("fragility", pd.DataFrame())
    if rows.empty:
        return "Its fragility was not examined."
    first = rows.iloc[0]
    if "criterion" not in rows or not _text(first, "criterion"):
        note = _text(first, "note")
        return f"{note[:1].upper()}{note[1:]}."
    significance = rows[rows["criterion"] == "significance"].iloc[0]
    start = _text(significance, "before")
    verdict = _text(significance, "verdict")
    if verdict == "not applicable":
        return f"Its fragility cannot be examined: {_text(significance, 'note')}."
    if verdict == "one left":
        labels = mine.get("leave_one_out", pd.DataFrame())
        names = " or ".join(labels["label"].astype(str)) if "label" in labels else "either trial"
        return f"{_cap(start)}; without {names} a single trial remains, so nothing pooled is left to compare with."
    text = f"{_cap(start)}, {_removal(significance)}"
    rest = []
    for name, what in (
        ("direction", "the direction"),
        ("important difference", "the side of the smallest important difference"),
    ):
        row = rows[rows["criterion"] == name].iloc[0]
        if _text(row, "verdict") != "not applicable":
            rest.append(f"{what} {_short(row)}")
    return text + (f"; {', '.join(rest)}" if rest else "") + "."


def _removal(row: pd.Series) -> str:
    verdict, size = _text(row, "verdict"), int(row["size"])
    if verdict == "changes":
        sets = int(row["sets"])
        others = "" if sets == 1 else f" (one of {sets:,} such sets)"
        return f"until {_trials(row)} {'is' if size == 1 else 'are'} left out{others}: then {_text(row, 'after')}"
    if verdict == "at least":
        return f"and no removal of fewer than {size} trials changes that"
    return "and no removal that leaves two trials changes that"


def _short(row: pd.Series) -> str:
    verdict, size = _text(row, "verdict"), int(row["size"])
    if verdict == "changes":
        return f"changes without {_trials(row)}" if size <= 3 else f"takes the removal of {size} trials to change"
    return f"holds against every removal of fewer than {size} trials" if verdict == "at least" else "never changes"


def _trials(row: pd.Series) -> str:
    names = _text(row, "labels").split(", ")
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _alternatives(mine: Mapping[str, pd.DataFrame]) -> str:
    parts = []
    rows = mine.get("multiverse_summary", pd.DataFrame())
    statements = rows[rows["kind"] == "statement"].set_index("name") if "kind" in rows else pd.DataFrame()
    if len(statements):
        said = []
        for name, words in (
            ("better", "favour the intervention"),
            ("better_and_excludes", "do so with an interval that excludes no effect"),
            ("exceeds_important", "exceed the smallest important difference"),
        ):
            holds, of = (int(statements.loc[name, column]) for column in ("holds", "of"))
            if of > 0:
                said.append(f"{holds:,} of {of:,} {words}")
        choices = rows[(rows["kind"] == "choice") & (rows["range"] > 0)]
        most = f", most moved by the choice of {_plain(choices.iloc[0]['name'])}" if len(choices) else ""
        parts.append(f"of the distinct defensible analyses {', '.join(said)}{most}")
    parts.append(_small_study(mine.get("small_study", pd.DataFrame())))
    return _cap("; ".join(filter(None, parts))) + "."


def _small_study(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "small-study effects were not examined"
    egger = rows[rows["method"] == "Egger"]
    if egger.empty:
        note = _text(rows.iloc[0], "note")
        return f"small-study effects were not tested ({note.partition(':')[0]})" if note else ""
    p = float(egger.iloc[0]["p_value"])
    if np.isnan(p):
        return f"Egger's test is not possible ({_text(egger.iloc[0], 'note')})"
    # Egger and others 1997 judge at 10%.
    verdict = "shows" if p < 0.1 else "shows no clear"
    return f"Egger's test {verdict} funnel plot asymmetry ({p_text(p)})"


def _plain(name: object) -> str:
    return str(name).replace("_", " ")


def _text(row: pd.Series, name: str) -> str:
    value = row.get(name, "")
    return "" if value is None or (isinstance(value, float) and np.isnan(value)) else str(value)


def _cap(text: str) -> str:
    return text[:1].upper() + text[1:]
