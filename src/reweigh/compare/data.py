"""What differs in what was typed: trials, cells of their rows, keys of the protocol."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reweigh.compare.results import CHECKED, Results
from reweigh.io import records
from reweigh.schemas import schemas
from reweigh.text.changes import THERE
from reweigh.text.codes import code

RELATIVE, ABSOLUTE = 1e-9, 1e-12
"""By how much numbers may differ that are the same: what another machine makes of the last digits."""

_DEEPEST = 30  # levels of a protocol that are told apart
FORMER = "former "
"""What stands before the file of a row that only the former results have."""

#: What names a row whatever stands above it; then, for rows that are left over on both sides, what they may share.
_SAME = {
    "studies.csv": (("study_id",),),
    "arms.csv": (
        ("study_id", "comparison_id", "outcome", "timepoint", "arm", "role", "reading"),
        ("study_id", "comparison_id", "outcome", "timepoint", "arm", "role"),
        ("study_id", "comparison_id", "outcome", "role"),
    ),
    "contrasts.csv": (
        ("study_id", "comparison_id", "outcome", "timepoint", "measure", "reading"),
        ("study_id", "comparison_id", "outcome", "timepoint", "measure"),
        ("study_id", "comparison_id", "outcome"),
    ),
    "risk_of_bias.csv": (("study_id", "outcome", "tool", "domain"),),
}
#: Columns that no number rests on.
WORDS = frozenset({
    "label", "doi", "pmid", "registry_id", "exclusion_reason", "note", "source_urls", "outcome_definition", "evidence",
    "source_url", "source", "location", "extracted_by", "datum_reason", "contradicted_by", "support", "judged_by",
})  # fmt: skip
_USED = (
    "n_intervention", "n_control", "events_intervention", "events_control", "mean_intervention", "sd_intervention",
    "mean_control", "sd_control",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Datum:
    """One cell that differs; without a column it is a whole row, there on one side only.

    `file` is empty where the tables are not part of the results: then it is what `effects.csv` says was used, and
    `outcome` is `<outcome>.<window>`. `rows` are the numbers of its row, None where it is not there.
    """

    study: str
    file: str
    rows: tuple[str | None, str | None]
    column: str
    old: str
    new: str
    outcome: str = ""
    comparison: str = ""

    @property
    def place(self) -> str:
        """File and row: the new one, the former one where the row is gone."""
        if not self.file:
            return f"{self.outcome} | {self.comparison}"
        return f"{FORMER if self.rows[1] is None else ''}{self.file}:{self.rows[1] or self.rows[0]}"

    @property
    def counts(self) -> bool:
        """Whether a number may rest on it."""
        return self.column not in WORDS

    @property
    def code(self) -> str:
        """The code of what differs."""
        if not self.file:
            return code("used", column=self.column, old=self.old, new=self.new)
        row = self.rows[1] or self.rows[0]
        if not self.column:
            return code("row_new" if self.rows[0] is None else "row_gone", file=self.file, row=row)
        if self.file == "studies.csv":
            return code("trait", column=self.column, old=self.old, new=self.new)
        return code("datum", file=self.file, row=row, column=self.column, old=self.old, new=self.new)


def same(old: object, new: object) -> bool:
    """Whether two cells say the same; numbers within the tolerance, an empty cell like a missing number."""
    if isinstance(old, int | float) and isinstance(new, int | float):
        return (math.isnan(old) and math.isnan(new)) or math.isclose(old, new, rel_tol=RELATIVE, abs_tol=ABSOLUTE)
    return text(old) == text(new)


def text(value: object) -> str:
    """A cell as its table has it."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def trials_of(results: Results) -> dict[str, str]:
    """Trials of a review and their labels."""
    tables = results.tables
    found = dict.fromkeys(tables["rows.csv"]["study_id"], "")
    for name in ("effects.csv", "checked/studies.csv"):
        table = tables[name]
        found |= dict(zip(table["study_id"], table["label"], strict=True))
    if results.typed:  # rows of trials that are not eligible are no rows of a trial of the review
        found = {study: found[study] for study in tables["checked/studies.csv"]["study_id"]}
    return {study: label or study for study, label in found.items()}


def data_changes(old: Results, new: Results) -> list[Datum]:
    """Every cell that differs in the trials that both have: of the tables as checked, else as they were used."""
    shared = trials_of(old).keys() & trials_of(new).keys()
    found = _typed(old, new) if old.typed and new.typed else _used(old, new)
    return [one for one in found if one.study in shared]


def _typed(old: Results, new: Results) -> Iterator[Datum]:
    for file in CHECKED:
        name = f"checked/{file}"
        before, after = old.tables[name], new.tables[name]
        columns = [column for column in dict.fromkeys([*before, *after]) if column != "row"]
        known = set(schemas()[name].columns)
        # A column that only one side knows is a change where it is the user's; else it is one of the programme.
        columns = [c for c in columns if c not in known or (c in before and c in after)]
        for one, other in _pairs(records(before), records(after), _SAME[file]):
            row = other or one or {}
            rows = tuple(None if side is None else text(side["row"]) for side in (one, other))
            about = str(row["study_id"]), file, (rows[0], rows[1])
            outcome = str(row.get("outcome", ""))
            if one is None or other is None:
                yield Datum(*about, "", "" if one is None else THERE, "" if other is None else THERE, outcome)
                continue
            for column in columns:
                was, is_now = one.get(column, ""), other.get(column, "")
                if not same(was, is_now):
                    yield Datum(*about, column, text(was), text(is_now), outcome)


def _pairs(
    old: list[dict[str, Any]], new: list[dict[str, Any]], ways: Iterable[tuple[str, ...]]
) -> list[tuple[dict[str, Any] | None, dict[str, Any] | None]]:
    """Rows that are the same one, None on the side where it is not there; in the order of the new table.

    By the first of the ways equal names count as they stand below each other; by a further one only a single row on
    either side is the same.
    """
    found: list[tuple[dict[str, Any] | None, dict[str, Any] | None]] = []
    for at, names in enumerate(ways):
        here, there = (_named(rows, names, numbered=at == 0) for rows in (old, new))
        shared = [name for name in there if name in here and len(here[name]) == len(there[name]) == 1]
        found += [(here[name][0], there[name][0]) for name in shared]
        old, new = ([r for name, rows in side.items() if name not in shared for r in rows] for side in (here, there))
    return [*found, *((None, row) for row in new), *((row, None) for row in old)]


def _named(
    rows: list[dict[str, Any]], names: tuple[str, ...], *, numbered: bool
) -> dict[tuple[object, ...], list[dict[str, Any]]]:
    seen: Counter[tuple[str, ...]] = Counter()
    found: dict[tuple[object, ...], list[dict[str, Any]]] = {}
    for row in rows:
        name = tuple(text(row.get(one)) for one in names)
        seen[name] += 1
        found.setdefault((*name, seen[name]) if numbered else name, []).append(row)
    return found


def _used(old: Results, new: Results) -> Iterator[Datum]:
    """What the main analyses used of each trial, where it differs; each number once, whatever the measure."""
    told: set[tuple[str, ...]] = set()
    before, after = (
        {(row["analysis"], row["comparison_id"]): row for row in records(side.tables["effects.csv"])}
        for side in (old, new)
    )
    for name, row in after.items():
        if name in before and row["set"] == "main":
            for column in _USED:
                was, is_now = before[name].get(column), row.get(column)
                where = f"{row['outcome']}.{row['window']}"
                one = (where, str(name[1]), column)
                if one not in told and not same(was, is_now):
                    told.add(one)
                    yield Datum(row["study_id"], "", (None, None), column, text(was), text(is_now), where, str(name[1]))


def key_changes(old: Results, new: Results) -> list[tuple[str, str, str]]:
    """Keys of the protocol that differ, with both values; the year and whole files that were typed count as keys.

    Nothing where either side has no protocol.
    """
    if old.keys is None or new.keys is None:
        return [("as_of", old.year, new.year)] if old.year != new.year else []
    both = old.protocol is not None and new.protocol is not None
    before, after = (
        dict(_flat(side.protocol.model_dump(mode="json") if both and side.protocol else side.keys or {}))
        for side in (old, new)
    )
    before["as_of"], after["as_of"] = old.year, new.year
    for name in ("claims.yaml", "certainty_overrides.csv"):
        if old.files and new.files:
            before[name], after[name] = (side.files.get(name, "")[:12] for side in (old, new))
    parts = [{above for key in side for above in _above(key)} for side in (before, after)]
    found: dict[str, tuple[str, str]] = {}
    for key in dict.fromkeys([*before, *after]):
        was, now = before.get(key, ""), after.get(key, "")
        if was != now and key != "former":
            # Of a part that one side does not have at all, an outcome say, its head stands for all of its keys.
            missing = parts[0] if was == "" else parts[1]
            whole = next((one for one in _above(key) if one not in missing), key) if "" in (was, now) else key
            found[whole] = (was, now) if whole == key else (THERE if was else "", THERE if now else "")
    return [(key, *values) for key, values in found.items()]


def _above(key: str) -> list[str]:
    """A key and those above it, the topmost first."""
    steps = key.split(".")
    return [".".join(steps[:at]) for at in range(1, len(steps) + 1)]


def _flat(keys: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in keys.items():
        if isinstance(value, Mapping) and value and above.count(".") < _DEEPEST:
            yield from _flat(value, f"{above}{key}.")
        elif value not in (None, "", [], {}):
            yield f"{above}{key}", value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
