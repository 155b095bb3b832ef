"""From the checked tables to candidate results: one row per comparison as it was reported.

Arms of one side are combined, shared arms are unsplit, windows are assigned. What cannot become a candidate
keeps its rows and gets a stage and a reason, so that no row of the tables is lost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.conversions import combine_arms, events_from_percent, sd_from_ci, sd_from_se
from reweigh.protocol.model import Protocol
from reweigh.tables.problems import did_you_mean

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

UNCONVERTED_TESTS = {
    "three_arm": "the p-value is that of a test of three or more arms",
    "repeated_measures": "the p-value is that of a repeated-measures test",
    "other": "the p-value is not that of a test between two arms",
    "unknown": "the source does not say which test the p-value belongs to",
}


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidate results, and the rows of the tables that cannot become one.

    `table` has one row per comparison as reported, with `rows` a tuple of (file, row number).
    `excluded` has file, row, stage, reason and needed.
    """

    table: pd.DataFrame
    excluded: pd.DataFrame


def build_candidates(
    studies: pd.DataFrame,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    protocol: Protocol,
    shared_arms: str = "combine",
) -> Candidates:
    """Pair arms into comparisons and add the reported contrasts.

    Parameters
    ----------
    studies, arms, contrasts
        The checked tables; `row` is the row number in the file.
    protocol
        Its outcomes, windows and shared arms.
    shared_arms
        "combine" makes one comparison of those that share an arm (Cochrane Handbook 23.3.4), "split" divides the
        shared arm's n among them, "keep" leaves them.

    Returns
    -------
    Candidates with window and the distance to its nominal day; `order` is the order of listing.
    """
    excluded: list[dict[str, Any]] = []
    frames = []
    for file, table in (("arms.csv", arms), ("contrasts.csv", contrasts)):
        usable = _screen(table, file, protocol, excluded)
        if usable.empty:
            continue
        usable = usable.merge(studies[["study_id", "design"]], on="study_id", how="left", validate="many_to_one")
        if file == "arms.csv":
            frames.append(_pair(usable, protocol, shared_arms, excluded))
        else:
            frames.append(_contrasts(usable))
    columns = [
        "study_id",
        "comparison_id",
        "outcome",
        "timepoint",
        "timepoint_days",
        "window",
        "distance",
        "order",
    ]
    found = pd.concat([f for f in frames if not f.empty], ignore_index=True) if any(len(f) for f in frames) else None
    table = found if found is not None else pd.DataFrame(columns=columns)
    return Candidates(table, pd.DataFrame(excluded, columns=["file", "row", "stage", "reason", "needed"]))


def _screen(table: pd.DataFrame, file: str, protocol: Protocol, excluded: list[dict[str, Any]]) -> pd.DataFrame:
    """Keep the rows whose outcome and window the protocol knows; add window and distance."""
    if table.empty:
        return table
    known = table["outcome"].isin(list(protocol.outcomes))
    for row, outcome in table.loc[~known, ["row", "outcome"]].itertuples(index=False):
        near = did_you_mean(outcome, list(protocol.outcomes))
        excluded.append(_exclusion(file, row, "outcome", f"{outcome} is not an outcome of the protocol{near}"))
    table = table[known].copy()
    window, distance = _windows(table, protocol)
    for row, text, days in table.loc[window == "", ["row", "timepoint", "timepoint_days"]].itertuples(index=False):
        if pd.isna(days):
            reason = f"time point {text!r} has no day and no window names it"
        else:
            reason = f"day {days:g} lies in no window"
        excluded.append(_exclusion(file, row, "window", reason, "the day of measurement" if pd.isna(days) else ""))
    table["window"], table["distance"] = window, distance
    inside: pd.DataFrame = table.loc[window != ""]
    return inside


def _windows(table: pd.DataFrame, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Window of each row ("" where none) and its distance in days to the window's nominal day."""
    days = table["timepoint_days"].to_numpy(dtype=float, na_value=np.nan)
    text = table["timepoint"].fillna("").str.strip().str.casefold().to_numpy()
    window = np.full(len(table), "", dtype=object)
    distance = np.zeros(len(table))
    for name, one in protocol.windows.items():
        holds = np.array([not np.isnan(d) and one.holds(d) for d in days], dtype=bool)
        named = np.isnan(days) & np.isin(text, [t.casefold() for t in one.text])
        inside = holds | named | one.any
        window[inside] = name
        if one.nominal is not None:
            distance[holds] = np.abs(days[holds] - one.nominal)
    return window, distance


def _pair(arms: pd.DataFrame, protocol: Protocol, shared_arms: str, excluded: list[dict[str, Any]]) -> pd.DataFrame:
    """Comparisons from arms: the intervention arms of one time point against its control arms."""
    if shared_arms == "split":
        arms = _split(arms, protocol)
    shared = {s.study: s for s in protocol.shared_arms} if shared_arms == "combine" else {}
    arms = arms.assign(
        comparison_id=np.where(arms["study_id"].isin(list(shared)), arms["study_id"], arms["comparison_id"]),
        timepoint=arms["timepoint"].fillna(""),
    )
    found = []
    keys = ["study_id", "comparison_id", "outcome", "timepoint", "timepoint_days", "window"]
    for key, group in arms.groupby(keys, sort=False, dropna=False):
        other = group[group["role"] == "other"]
        excluded += [
            _exclusion("arms.csv", row, "arms", "an arm of role other is never pooled") for row in other["row"]
        ]
        sides = {role: group[group["role"] == role] for role in ("intervention", "control")}
        rows = [*sides["intervention"]["row"], *sides["control"]["row"]]
        missing = next((role for role, side in sides.items() if side.empty), None)
        if missing is not None:
            why = f"no {missing} arm reported at this time point", f"the result of the {missing} arm"
            excluded += [_exclusion("arms.csv", row, "arms", *why) for row in rows]
            continue
        record: dict[str, Any] = dict(zip(keys, key, strict=True))
        record |= {"distance": group["distance"].iloc[0], "design": group["design"].iloc[0]}
        record |= {
            "reported_measure": "",
            "file": "arms.csv",
            "rows": tuple(("arms.csv", int(r)) for r in rows),
        }
        record |= {"order": min(rows), "source": _first(group, "source"), "better": _first(group, "better")}
        notes, reason = [], ""
        for suffix, role in (("1", "intervention"), ("2", "control")):
            side, note, problem = _side(sides[role], role, shared.get(str(record["study_id"])), record["design"])
            record |= {f"{name}{suffix}": side.get(name, np.nan) for name in ARM_NUMBERS}
            notes += [note] if note else []
            reason = reason or problem
        record |= {"arms_note": "; ".join(notes), "blocked": reason}
        record |= {"time1": record.pop("person_time1"), "time2": record.pop("person_time2")}
        for name, column in COMPARISON_NUMBERS.items():
            known = group[column].dropna().tolist() if column in group else []
            record[name] = float(known[0]) if known else np.nan
        found.append(record)
    return pd.DataFrame(found)


def _split(arms: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Divide a shared arm that stands whole in several comparisons among them (Cochrane Handbook 23.3.4)."""
    arms = arms.copy()
    for one in protocol.shared_arms:
        mine = (arms["study_id"] == one.study) & (arms["role"] == one.arm)
        if one.n == "repeated" and mine.any():
            at = [c for c in ("outcome", "timepoint", "timepoint_days") if c in arms]
            parts = arms[mine].groupby(at, dropna=False)["comparison_id"].transform("nunique")
            for name in ("n", "events"):
                arms[name] = arms[name].astype(float)
                arms.loc[mine, name] = arms.loc[mine, name] / parts
    return arms


def _side(side: pd.DataFrame, role: str, shared: Any, design: Any) -> tuple[dict[str, float], str, str]:
    """One side of a comparison: its numbers, a note on how arms were joined, and what stops it."""
    numbers = side[[c for c in ARM_NUMBERS if c in side]].astype(float)
    if shared is not None and shared.arm == role and len(side) > 1:
        # The same arm stands in several rows: its mean and SD once, its n summed only where the table had split it.
        first = _numbers(numbers)
        if len(numbers.drop(columns=["n"], errors="ignore").drop_duplicates()) > 1:
            return first, "", f"the shared {role} arm has different results in its {len(side)} rows"
        first["n"] = numbers["n"].sum() if shared.n == "split" else first["n"]
        how = "the halves added up" if shared.n == "split" else "counted once"
        return first, f"shared {role} arm, n = {first['n']:.0f}, {how}", ""
    if len(side) == 1:
        return _numbers(numbers), "", ""
    if design == "crossover":
        return (
            {},
            "",
            f"{len(side)} {role} arms of a crossover trial: choose one, give the others the role other",
        )
    return _combine(numbers, role)


def _numbers(arms: pd.DataFrame) -> dict[str, float]:
    return {str(name): float(value) for name, value in arms.iloc[0].items()}


def _combine(arms: pd.DataFrame, role: str) -> tuple[dict[str, float], str, str]:
    """Several arms of one side as one (Cochrane Handbook 6.5.2.10, table 6.5.a)."""

    def column(name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return arms[name].to_numpy(dtype=float) if name in arms else np.full(len(arms), np.nan)

    n, note = column("n"), f"{len(arms)} {role} arms combined"
    if np.isnan(n).any():
        return {}, "", f"the {role} arms cannot be combined: n missing"
    events = column("events")
    percent = column("percent")
    from_percent = np.isnan(events) & ~np.isnan(percent)
    if from_percent.any():
        events = np.where(from_percent, events_from_percent(percent, n)[0], events)
        note += ", events from percent"
    if not np.isnan(events).any():
        return {"n": float(n.sum()), "events": float(events.sum())}, note, ""
    mean, sd = column("mean"), column("sd")
    se, lower, upper = column("se"), column("ci_lower"), column("ci_upper")
    sd = np.where(np.isnan(sd) & ~np.isnan(se), sd_from_se(se, n), sd)
    usable = np.isnan(sd) & ~np.isnan(lower) & ~np.isnan(upper) & (n > 1)
    sd[usable] = sd_from_ci(lower[usable], upper[usable], n[usable])
    if np.isnan(mean).any() or np.isnan(sd).any():
        return (
            {"n": float(n.sum())},
            "",
            f"the {role} arms cannot be combined: events, or mean and SD, missing",
        )
    total, pooled_mean, pooled_sd = combine_arms(n, mean, sd)
    return {"n": float(total), "mean": float(pooled_mean), "sd": float(pooled_sd)}, note, ""


def _contrasts(contrasts: pd.DataFrame) -> pd.DataFrame:
    """Comparisons from reported contrasts: one per row."""
    table = contrasts.rename(columns={"measure": "reported_measure", "n_intervention": "n1", "n_control": "n2"})
    table = table.assign(
        file="contrasts.csv",
        rows=pd.Series([(("contrasts.csv", int(row)),) for row in table["row"]], index=table.index, dtype=object),
        order=table["row"],
        timepoint=table["timepoint"].fillna(""),
        arms_note="",
        blocked="",
    )
    if "p_test" in table:
        unusable = table["p_test"].isin(list(UNCONVERTED_TESTS)) & table["p_value"].notna()
        alone = unusable & table["estimate"].isna()
        table.loc[alone, "blocked"] = table.loc[alone, "p_test"].map(UNCONVERTED_TESTS)
        table.loc[unusable, ["p_value", "p_operator"]] = [np.nan, None]
    keep = [
        "study_id", "comparison_id", "outcome", "timepoint", "timepoint_days", "window", "distance", "design",
        "reported_measure", "file", "rows", "order", "source", "arms_note", "blocked", "n1", "n2",
        *CONTRAST_NUMBERS, *CONTRAST_TEXT, "scale_min", "scale_max",
    ]  # fmt: skip
    return table[[c for c in keep if c in table]]


def _first(group: pd.DataFrame, column: str) -> str:
    values: Iterable[Any] = group[column].dropna() if column in group else ()
    return next((str(v) for v in values), "")


def _exclusion(file: str, row: int, stage: str, reason: str, needed: str = "") -> dict[str, Any]:
    return {"file": file, "row": int(row), "stage": stage, "reason": reason, "needed": needed}
