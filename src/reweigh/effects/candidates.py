"""From the checked tables to candidate results: one row per comparison as it was reported.

Arms of one side are combined, shared arms are unsplit, windows are assigned. What cannot become a candidate
keeps its rows and gets a stage and a reason, so that no row of the tables is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.conversions import combine_arms, events_from_percent, sd_from_ci, sd_from_se
from reweigh.io import records
from reweigh.measures import SINGLE_GROUP_MEASURES
from reweigh.protocol.model import Protocol
from reweigh.protocol.windows import day_of, window_of
from reweigh.tables.problems import nearest
from reweigh.tables.specs import ROLES
from reweigh.tables.times import BASELINE
from reweigh.text.codes import code, join
from reweigh.text.selection import UNCONVERTED_TESTS

ARM_NUMBERS = (
    "n", "mean", "sd", "se", "ci_lower", "ci_upper", "median", "q1", "q3", "min", "max", "events", "percent",
    "person_time", "baseline_mean", "baseline_sd", "change_mean", "change_sd", "scale_min", "scale_max", "ci_level",
)  # fmt: skip
"""Numbers of an arm as reported; a candidate carries each with the suffix 1 (intervention) or 2 (control)."""

COMPARISON_NUMBERS = {
    "scale_min": "scale_min", "scale_max": "scale_max", "r": "correlation", "phi": "phi", "icc": "icc",
    "cluster_size": "cluster_size", "discordant1": "discordant1", "discordant2": "discordant2",
}  # fmt: skip
"""Numbers of a comparison, and the column of arms.csv that gives them (in either arm's row)."""

CONTRAST_NUMBERS = ("estimate", "se", "ci_lower", "ci_upper", "ci_level", "p_value", "t", "f", "z", "df", "oe", "v")
CONTRAST_TEXT = ("estimate_scale", "p_operator", "direction", "paired", "p_test", "better")

EXCLUDED = ("file", "row", "study_id", "outcome", "window", "stage", "reason_code")
POINT = ["study_id", "outcome", "timepoint", "timepoint_days", "window", "reading"]
"""What the arms of one comparison have in common."""

Row = dict[Any, Any]
"""A row of a table: column to cell."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidate results, and the rows of the tables that cannot become one.

    `table` has one row per comparison as reported, with `rows` a tuple of (file, row number); `apart` where an arm
    that it shared is divided, so that it shares no patients any more.
    `excluded` has file, row, study_id, outcome, window, stage and reason_code.
    """

    table: pd.DataFrame
    excluded: pd.DataFrame


def build_candidates(
    studies: pd.DataFrame,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    protocol: Protocol,
    shared_arms: str = "combine",
    *,
    recognise: bool = True,
) -> Candidates:
    """Pair arms into comparisons and add the reported contrasts.

    Returns candidates with window and the distance to its nominal day; `order` is the order of listing.

    ``studies``, ``arms``, ``contrasts``: the checked tables, `row` being the row number in the file. ``shared_arms``:
    "combine" makes one comparison of those that share an arm (Cochrane Handbook 23.3.4), "split" divides the shared
    arm's n among them, "keep" leaves them. Comparisons share an arm where the protocol says so, or where label, n and
    results of one of its sides are the same in all of them (not without ``recognise``). A subgroup column of rows has
    the values of the rows that a comparison is of.
    """
    excluded: list[dict[str, Any]] = []
    frames = []
    for file, table in (("arms.csv", arms), ("contrasts.csv", contrasts)):
        usable = _screen(table, file, protocol, excluded)
        if usable.empty:
            continue
        of_study = usable["study_id"].map(studies.set_index("study_id")["design"])
        usable["design"] = _filled(usable, "design").where(lambda own: own != "", of_study)
        if file == "arms.csv":
            frames.append(_pair(usable, protocol, shared_arms, excluded, recognise=recognise))
        else:
            frames.append(_contrasts(usable, protocol.row_subgroups))
    columns = [*POINT, "comparison_id", "distance", "order", "rows"]
    there = [frame for frame in frames if not frame.empty]
    table = pd.concat(there, ignore_index=True) if there else pd.DataFrame(columns=columns)
    for column in protocol.row_subgroups:
        table[column] = _filled(table, column)
    return Candidates(table, pd.DataFrame(excluded, columns=list(EXCLUDED)))


def _screen(table: pd.DataFrame, file: str, protocol: Protocol, excluded: list[dict[str, Any]]) -> pd.DataFrame:
    """Keep the rows whose outcome and window the protocol knows; add window and distance, read days from words."""
    if table.empty:
        return table
    known = table["outcome"].isin(list(protocol.outcomes))
    for row in records(table.loc[~known]):
        near = nearest(row["outcome"], list(protocol.outcomes)) or ""
        excluded.append(_exclusion(file, row, "outcome", code("no_outcome", outcome=row["outcome"], near=near)))
    table = table[known]
    texts, typed = table["timepoint"].fillna(""), table["timepoint_days"].astype(float)
    when = list(zip(typed, texts, strict=True))
    days = pd.Series([day_of(protocol.windows, *one) for one in when], index=table.index, dtype=float)
    read = [
        code("day_in_words", text=text, day=day) if np.isnan(said) and not np.isnan(day) else ""
        for said, text, day in zip(typed, texts, days, strict=True)
    ]
    table = table.assign(
        window=[window_of(protocol.windows, *one) for one in when],
        timepoint=texts,
        timepoint_days=days,
        time_code=np.array(read, dtype=object),
        reading=_filled(table, "reading"),
    )
    excluded += [
        _exclusion(file, row, "window", _no_window(row["timepoint"], row["timepoint_days"]))
        for row in records(table[table["window"] == ""])
    ]
    nominal = table["window"].map({name: one.nominal for name, one in protocol.windows.items()}).astype(float)
    table["distance"] = (days - nominal).abs().fillna(0.0)
    inside: pd.DataFrame = table[table["window"] != ""]
    return inside


def _filled(table: pd.DataFrame, column: str) -> pd.Series:
    """Texts of a column that a table need not have, "" where there is none."""
    return table.get(column, pd.Series(index=table.index, dtype=object)).fillna("").astype(object)


def _no_window(text: str, day: float) -> str:
    """Why no window takes a row, as a code."""
    if text.strip().casefold() in BASELINE:
        return code("baseline", text=text)
    return code("unnamed_time", text=text) if np.isnan(day) else code("no_window", day=day)


def _pair(
    arms: pd.DataFrame, protocol: Protocol, shared_arms: str, excluded: list[dict[str, Any]], *, recognise: bool
) -> pd.DataFrame:
    """Comparisons from arms: the intervention arms of one time point against its control arms."""
    declared = {one.study: (one.arm, one.n) for one in protocol.shared_arms}
    independent = {one.study for one in protocol.independent_comparisons}
    arms = arms.astype({name: float for name in (*ARM_NUMBERS, *COMPARISON_NUMBERS.values()) if name in arms})
    points = dict[int, list[Row]]()
    for at, row in zip(arms.groupby(POINT, sort=False, dropna=False).ngroup(), records(arms), strict=True):
        points.setdefault(at, []).append(row)
    found: list[Row | None] = []
    for point in points.values():
        others = [row for row in point if row["role"] == "other"]
        excluded += [_exclusion("arms.csv", row, "arms", code("role_other")) for row in others]
        point, study = [row for row in point if row["role"] != "other"], str(point[0]["study_id"])
        single = bool(point) and protocol.outcomes[point[0]["outcome"]].measure in SINGLE_GROUP_MEASURES
        if single:
            excluded += [
                _exclusion("arms.csv", row, "arms", code("not_the_group")) for row in point if row["role"] == "control"
            ]
            point = [row for row in point if row["role"] == "intervention"]
        if not point:
            continue
        recognised = recognise and not single and study not in independent
        shared = None if single else declared.get(study) or (_common(point) if recognised else None)
        if shared is not None and shared_arms == "combine":
            whole = _comparison([row | {"comparison_id": study} for row in point], excluded, shared)
            if study in declared or (whole is not None and not whole["blocked"]):
                found.append(whole)
                continue
        note = ""
        if shared is not None and shared_arms == "split":
            divided, note = _divided(point, *shared)
            point = list(divided)
        comparisons, roles = dict.fromkeys(row["comparison_id"] for row in point), ROLES[: 1 if single else 2]
        found += [
            _comparison([row for row in point if row["comparison_id"] == one], excluded, None, note, roles)
            for one in comparisons
        ]
    made = pd.DataFrame([one for one in found if one is not None])
    if protocol.row_subgroups and len(made):
        of_row = arms.reindex(columns=["row", *protocol.row_subgroups]).set_index("row").fillna("")
        for column in protocol.row_subgroups:
            made[column] = [together(of_row.loc[[row for _, row in rows], column]) for rows in made["rows"]]
    return made


def together(values: Iterable[str]) -> str:
    """The value of rows that became one: all of theirs, where they differ."""
    return "; ".join(filter(None, dict.fromkeys(values)))


def _common(rows: Sequence[Row]) -> tuple[str, str] | None:
    """Role of the arm that all comparisons of one time point share, told by its label, n and results."""
    several = len({row["comparison_id"] for row in rows})
    if several < 2 or any(row["design"] == "crossover" for row in rows):
        return None
    same = []
    for role in ("control", "intervention"):
        side = [row for row in rows if row["role"] == role]
        arms = {(_label(row), *(None if pd.isna(row.get(c)) else row[c] for c in ARM_NUMBERS)) for row in side}
        known = len(arms) == 1 and _label(side[0]) != "" and not pd.isna(side[0]["n"])
        if known and len(side) == len({row["comparison_id"] for row in side}) == several:
            same.append(role)
    return (same[0], "repeated") if len(same) == 1 else None


def _label(row: Row) -> str:
    """The label of an arm as it is compared."""
    return "" if pd.isna(row["arm"]) else str(row["arm"]).strip().casefold()


def _divided(point: Sequence[Row], role: str, n: str) -> tuple[Sequence[Row], str]:
    """A shared arm that stands whole in several comparisons divided among them (Cochrane Handbook 23.3.4)."""
    if n == "split":
        return point, code("arm_split_in_table", role=role)
    several = len({row["comparison_id"] for row in point})
    among = len({row["comparison_id"] for row in point if row["role"] == role})
    parts = [
        row | {name: row[name] / among for name in ("n", "events", "person_time") if name in row}
        if row["role"] == role
        else row
        for row in point
    ]
    return parts, code("arm_split", role=role, rows=several) if several > 1 else ""


def _comparison(
    group: Sequence[Row],
    excluded: list[dict[str, Any]],
    shared: tuple[str, str] | None,
    divided: str = "",
    roles: Sequence[str] = ROLES[:2],
) -> Row | None:
    """One comparison as `compute` takes it, or a single group; None where a side is missing."""
    first = group[0]
    sides = {role: [row for row in group if row["role"] == role] for role in roles}
    rows = [int(row["row"]) for side in sides.values() for row in side]
    missing = next((role for role, side in sides.items() if not side), None)
    if missing is not None:
        why = code("no_arm", role=missing)
        excluded += [_exclusion("arms.csv", row, "arms", why) for row in group]
        return None
    record: Row = {name: first[name] for name in (*POINT, "comparison_id", "distance", "design")}
    record |= {"reported_measure": "", "file": "arms.csv", "rows": tuple(("arms.csv", row) for row in rows)}
    record |= {"order": min(rows), "source": _first(group, "source"), "better": _first(group, "better")}
    notes, blocked = [divided], ""
    record |= {f"{name}2": np.nan for name in ARM_NUMBERS} | {"arm2": ""}
    for suffix, (role, side) in zip("12", sides.items(), strict=False):
        numbers, note, problem = _side(side, role, shared, record["design"])
        record |= {f"{name}{suffix}": numbers.get(name, np.nan) for name in ARM_NUMBERS}
        record[f"arm{suffix}"] = ", ".join(dict.fromkeys(_known(side, "arm")))
        notes.append(note)
        blocked = blocked or problem
    record |= {"arms_codes": join(notes), "time_code": first["time_code"], "blocked": blocked, "apart": divided != ""}
    record |= {"time1": record.pop("person_time1"), "time2": record.pop("person_time2")}
    return record | {name: next(_known(group, column), np.nan) for name, column in COMPARISON_NUMBERS.items()}


def _side(
    side: Sequence[Row], role: str, shared: tuple[str, str] | None, design: Any
) -> tuple[dict[str, float], str, str]:
    """One side of a comparison: its numbers, the code of how arms were joined, and of what stops it."""
    first: dict[str, float] = {name: side[0][name] for name in ARM_NUMBERS if name in side[0]}
    if len(side) == 1:
        return first, "", ""
    numbers = pd.DataFrame(side)[list(first)]
    if shared is not None and shared[0] == role:
        # The same arm stands in several rows: its mean and SD once, its n summed only where the table had split it.
        if len(numbers.drop(columns=["n"], errors="ignore").drop_duplicates()) > 1:
            return first, "", code("shared_arm_differs", role=role, rows=len(side))
        split = shared[1] == "split"
        first["n"] = numbers["n"].sum(skipna=False) if split else first["n"]
        return first, code("arm_added_up" if split else "arm_counted_once", role=role, n=first["n"]), ""
    if design == "crossover":
        return {}, "", code("crossover_arms", rows=len(side), role=role)
    return _combine(numbers, role)


def _combine(arms: pd.DataFrame, role: str) -> tuple[dict[str, float], str, str]:
    """Several arms of one side as one (Cochrane Handbook 6.5.2.10, table 6.5.a)."""

    def column(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return arms[name].to_numpy(dtype=float) if name in arms else np.full(len(arms), np.nan)

    n, note = column("n"), code("arms_combined", rows=len(arms), role=role)
    events, time = column("events"), column("person_time")
    if np.isnan(n).any() and np.isnan(events + time).any():  # a rate needs no n
        return {}, "", code("arms_without_n", role=role)
    percent = column("percent")
    from_percent = np.isnan(events) & ~np.isnan(percent)
    if from_percent.any():
        events = np.where(from_percent, events_from_percent(percent, n)[0], events)
        note = join([note, code("arm_events_from_percent")])
    if not np.isnan(events).any():
        counted = {"n": n, "events": events, "person_time": time}
        return {name: float(values.sum()) for name, values in counted.items()}, note, ""
    ends = arms[[end for end in ("scale_min", "scale_max") if end in arms]].drop_duplicates()
    if len(ends) > 1:
        return {}, "", code("arms_on_scales", role=role)
    mean, sd = column("mean"), column("sd")
    se, lower, upper, level = column("se"), column("ci_lower"), column("ci_upper"), column("ci_level")
    level = np.where(np.isnan(level), 0.95, np.where(level > 1, level / 100, level))
    sd = np.where(np.isnan(sd) & ~np.isnan(se), sd_from_se(se, n), sd)
    usable = np.isnan(sd) & ~np.isnan(lower) & ~np.isnan(upper) & (n > 1)
    sd[usable] = sd_from_ci(lower[usable], upper[usable], n[usable], level[usable])
    if np.isnan(mean).any() or np.isnan(sd).any():
        return {"n": float(n.sum())}, "", code("arms_without_results", role=role)
    total, pooled_mean, pooled_sd = combine_arms(n, mean, sd)
    combined = {"n": float(total), "mean": float(pooled_mean), "sd": float(pooled_sd)}
    return combined | {str(end): float(value) for end, value in ends.iloc[0].items()}, note, ""


def _contrasts(contrasts: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Comparisons from reported contrasts: one per row."""
    table = contrasts.rename(columns={"measure": "reported_measure", "n_intervention": "n1", "n_control": "n2"})
    table = table.assign(
        file="contrasts.csv",
        rows=pd.Series([(("contrasts.csv", int(row)),) for row in table["row"]], index=table.index, dtype=object),
        order=table["row"],
        arms_codes="",
        blocked="",
        apart=False,
    )
    if "p_test" in table:
        unusable = table["p_test"].isin(UNCONVERTED_TESTS) & table["p_value"].notna()
        alone = unusable & table["estimate"].isna()
        table.loc[alone, "blocked"] = [code("other_test", test=test) for test in table.loc[alone, "p_test"]]
        table.loc[unusable, ["p_value", "p_operator"]] = [np.nan, None]
    keep = [
        *POINT, "comparison_id", "distance", "design", "reported_measure", "file", "rows", "order", "source",
        "arms_codes", "time_code", "blocked", "apart", "n1", "n2",
        *CONTRAST_NUMBERS, *CONTRAST_TEXT, "scale_min", "scale_max", *columns,
    ]  # fmt: skip
    return table[[c for c in keep if c in table]]


def _known(group: Iterable[Row], column: str) -> Iterator[Any]:
    """Cells of a column that are not missing."""
    return (value for row in group if not pd.isna(value := row.get(column)))


def _first(group: Iterable[Row], column: str) -> str:
    return str(next(_known(group, column), ""))


def _exclusion(file: str, row: Mapping[Any, Any], stage: str, reason: str) -> dict[str, Any]:
    known = {name: row.get(name, "") for name in ("study_id", "outcome", "window")}
    return {"file": file, "row": int(row["row"]), **known, "stage": stage, "reason_code": reason}
