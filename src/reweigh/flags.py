"""Suspicious data, and what a reader must be told of a run: flags.csv. Nothing here is refused, and no number changes.

A flag says that a number, as typed, does not fit another one; a notice says what was not used. Each rule has its source
in `reweigh.text.flags`; docs/reference/flags.md has the share of sound rows on which it fires.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr, stdtrit

from reweigh.dialect import dialect_of
from reweigh.io import read_text, records
from reweigh.measures import RATIO_MEASURES, SINGLE_GROUP_MEASURES, STANDARDISED_MEASURES, WITHOUT_NULL
from reweigh.protocol.model import Protocol
from reweigh.risk_of_bias import OVERALL, Tool
from reweigh.text.codes import code, has, words
from reweigh.text.flags import SENTENCES, SOURCES

ARMS, CONTRASTS, BIAS = "arms.csv", "contrasts.csv", "risk_of_bias.csv"
COLUMNS = ("kind", "rule", "file", "row", "study_id", "label", "outcome", "code", "words", "source")

#: An SD this many times off the usual one of its scale is looked at: within a scale the SDs of trials rarely differ so.
FAR = 3.0
#: Two numbers that agree within this factor are taken for the same quantity, rounding and t for z included.
NEAR = 1.25
#: A mean further off the middle of its interval, in half-widths, is off centre (as for contrasts, `reweigh.effects`).
OFF_CENTRE = 0.15
#: Fewest other trials against which one trial's sign, or SD, is held.
OTHERS, OTHER_SDS = 4, 2
#: SDs on one scale agree within this factor as a rule.
SAME_SCALE = 1.5
_Z = 1.959963984540054
_CHANGE = re.compile("chang|reduc|relie|differ|improve|decreas|increas", re.I)
#: Shares of relief that outcomes are named after (IMMPACT: Dworkin 2008, J Pain 9:105-121).
_RELIEF = {"half": 50, "substantial": 50, "third": 30, "moderate": 30}


Row = Mapping[Any, Any]
"""A row of a table: column to cell."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What is suspicious or must be said, and where: `row` is None where it is about no row."""

    code: str
    file: str = ""
    row: int | None = None
    study_id: str = ""
    outcome: str = ""

    @property
    def rule(self) -> str:
        """Name of the rule."""
        return self.code.partition(" ")[0]


def flag_table(flags: Iterable[Flag], studies: pd.DataFrame) -> pd.DataFrame:
    """Flags and notices as a table: each once, in the order of the rules, files and rows; labels of the studies."""
    named = dict(zip(studies["study_id"], studies["label"], strict=True))
    order = {name: i for i, name in enumerate(SENTENCES)}
    found = sorted(dict.fromkeys(flags), key=lambda f: (f.rule not in SOURCES, order[f.rule], f.file, f.row or 0))
    rows = [
        ("flag" if f.rule in SOURCES else "notice", f.rule, f.file, f.row, f.study_id, named.get(f.study_id, ""),
         f.outcome, f.code, words(f.code, SENTENCES), SOURCES.get(f.rule, ""))
        for f in found
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object).astype({"row": "Int64"})


def flags_of(
    protocol: Protocol,
    studies: pd.DataFrame,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    bias: pd.DataFrame,
    tools: Mapping[str, Tool],
    typed: Mapping[str, bytes],
    effects: pd.DataFrame,
) -> Iterator[Flag]:
    """Every flag of a review.

    Parameters
    ----------
    studies, arms, contrasts, bias
        The checked tables.
    tools
        Risk-of-bias tools by name.
    typed
        The tables as they were typed, by file name: printed decimals are seen there only.
    effects
        effects.csv.
    """
    arms = arms[arms["role"].isin(["intervention", "control"])]
    yield from spreads(arms, protocol)
    yield from spreads_by_p(arms, contrasts, studies)
    yield from same_controls(arms, {one.study for one in protocol.shared_arms})
    yield from duplicates(arms, contrasts)
    yield from labels(arms, contrasts, studies)
    yield from changes_and_finals(effects, arms)
    if ARMS in typed:
        yield from percentages(arms, read_text(typed[ARMS]))
    yield from designs(studies, arms)
    yield from judgements(bias, tools)
    yield from reliefs(arms, protocol)
    yield from randomised(arms, studies)
    yield from opposed(effects)
    yield from contradicted(arms, contrasts)


def _at(rule: str, row: Row | pd.Series, file: str = ARMS, **values: object) -> Flag:
    """A flag at a row of a table."""
    shown = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in values.items()}
    return Flag(code(rule, **shown), file, int(row["row"]), str(row["study_id"]), str(row.get("outcome", "") or ""))


def _grouped(table: pd.DataFrame, columns: Sequence[str]) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by what stands in these columns, in the order of the table."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for key, row in zip(zip(*(table[c] for c in columns), strict=True), records(table), strict=True):
        found.setdefault(key, []).append(row)
    return found


def _unit(value: float) -> float:
    """Half a unit of the last decimal that a number shows: by how much it may have been rounded."""
    return 0.0 if isnan(value) else 0.5 * 10.0 ** -len(f"{value:.9f}".rstrip("0").partition(".")[2])


def _near(one: float, other: float, factor: float = NEAR) -> bool:
    return one > 0 and other > 0 and 1 / factor <= one / other <= factor


def _times(table: pd.DataFrame) -> pd.Series:
    """Time point of each row, and whose reading it is: its text, its day, its reader."""
    text: pd.Series = table["timepoint"].fillna("").astype(str)
    reading = table["reading"].fillna("").astype(str) if "reading" in table else ""
    return text + " " + table["timepoint_days"].astype(float).map("{:g}".format) + " " + reading


def spreads(arms: pd.DataFrame, protocol: Protocol) -> Iterator[Flag]:
    """SDs and means against their own SE, interval, range and scale, and against the other trials of their scale."""
    for row in records(arms[arms["mean"].notna() | arms["sd"].notna()]):
        n, mean, sd, se = (float(row[c]) if pd.notna(row[c]) else np.nan for c in ("n", "mean", "sd", "se"))
        low, high = (float(row[c]) if pd.notna(row[c]) else np.nan for c in ("ci_lower", "ci_upper"))
        half = (high - low) / 2
        if half > 0 and abs(mean - (high + low) / 2) > OFF_CENTRE * half + _unit(mean) + max(_unit(low), _unit(high)):
            yield _at("ci_off_centre", row, mean=mean, low=low, high=high)
        if isnan(sd) or not n > 1:
            continue
        if half > 0:
            level = float(row["ci_level"]) if pd.notna(row.get("ci_level")) else 0.95
            t = float(stdtrit(n - 1, 0.5 + (level if level < 1 else level / 100) / 2))
            slack = max(_unit(low), _unit(high))
            least, most = (max(half + way * slack, 0) * sqrt(n) / t for way in (-1, 1))
            if not least / NEAR - _unit(sd) <= sd <= most * NEAR + _unit(sd):
                yield _at("sd_against_ci", row, sd=sd, from_ci=half * sqrt(n) / t)
        if not isnan(se):
            least, most = ((se + way * _unit(se)) * sqrt(n) for way in (-1, 1))
            if not least / NEAR - _unit(sd) <= sd <= most * NEAR + _unit(sd):
                yield _at("sd_against_se", row, sd=sd, se=se, from_se=se * sqrt(n))
        yield from _by_range(row, n, sd)
        yield from _by_scale(row, n, mean, sd)
    yield from _by_others(arms, protocol)


def _by_range(row: Row, n: float, sd: float) -> Iterator[Flag]:
    least, most = (float(row[c] if pd.notna(row[c]) else np.nan) for c in ("min", "max"))
    slack = _unit(least) + _unit(most)
    low = max(most - least - slack, 0) / sqrt(2 * (n - 1))
    high = (most - least + slack) / 2 * sqrt(n / (n - 1))
    if sd + _unit(sd) < low or sd - _unit(sd) > high:
        yield _at("sd_against_range", row, sd=sd, min=least, max=most, n=int(n), low=low, high=high)


def _by_scale(row: Row, n: float, mean: float, sd: float) -> Iterator[Flag]:
    low, high = float(row["scale_min"]), float(row["scale_max"])
    about = f"{row['outcome']} {row.get('outcome_definition') or ''}"
    # Only values lie on the scale; a change may lie as far below it as above.
    if isnan(low) or _CHANGE.search(about) or not low <= mean <= high:
        return
    slack = _unit(mean)
    room = max((high - m) * (m - low) for m in (mean - slack, mean, mean + slack))
    most = sqrt(max(room, 0) * n / (n - 1))
    if sd - _unit(sd) > most:
        yield _at("sd_off_scale", row, sd=sd, low=low, high=high, mean=mean, most=most)


def _by_others(arms: pd.DataFrame, protocol: Protocol) -> Iterator[Flag]:
    """SDs that look like SEs, and SEs that look like SDs, beside those of the other trials on the same scale."""
    n = arms["n"].astype(float)
    implied = arms["sd"].astype(float).fillna(arms["se"].astype(float) * np.sqrt(n))
    known = arms.assign(implied=implied)[implied.notna() & (n > 1)]
    for key, group in known.groupby(["outcome", "scale_min", "scale_max"], dropna=False, sort=False):
        outcome = protocol.outcomes.get(str(key[0]))
        by_study = group.groupby("study_id", sort=False)["implied"].median()
        # Trials that do not name their scale may be on several: more of them must agree.
        unknown = group["scale_min"].isna().all() and (outcome is None or outcome.measure != "MD")
        if len(by_study) - 1 < (OTHERS if unknown else OTHER_SDS):
            continue
        low, usual, high = (quantile_of_others(by_study.to_numpy(), q) for q in (0.25, 0.5, 0.75))
        agreed = dict(zip(by_study.index, np.where(high > SAME_SCALE * low, np.nan, usual).tolist(), strict=True))
        for row in records(group):
            usual_sd = agreed[row["study_id"]]
            if isnan(usual_sd):
                continue
            size, sd, se = float(row["n"]), float(row["sd"]), float(row["se"])
            if sd < usual_sd / FAR and _near(sd * sqrt(size), usual_sd, SAME_SCALE):
                yield _at("sd_like_se", row, sd=sd, usual=usual_sd, n=int(size), as_se=sd * sqrt(size))
            elif isnan(sd) and se * sqrt(size) > FAR * usual_sd and _near(se, usual_sd, FAR):
                yield _at("se_like_sd", row, se=se, usual=usual_sd, as_sd=se * sqrt(size))


def quantile_of_others(values: np.ndarray, q: float) -> np.ndarray:
    """For each of the values (n,), n > 1, the `q` quantile of all others: numpy's linear one (Hyndman and Fan's 7)."""
    ordered, rank = np.sort(values), np.argsort(np.argsort(values, kind="stable"))
    at = int(q * (len(values) - 2))
    # Without the value of a rank, all above it stand one place lower.
    ends = [ordered[np.minimum(i + (i >= rank), len(values) - 1)] for i in (at, at + 1)]
    return np.asarray(ends[0] + (ends[1] - ends[0]) * (q * (len(values) - 2) - at))


def spreads_by_p(arms: pd.DataFrame, contrasts: pd.DataFrame, studies: pd.DataFrame) -> Iterator[Flag]:
    """SDs that fit the printed P of a test between two arms only if they are SEs."""
    crossover = set(studies.loc[studies["design"] == "crossover", "study_id"])
    tested = contrasts[
        contrasts["p_value"].notna() & contrasts["p_operator"].fillna("=").isin(["", "="])
        & contrasts["p_test"].fillna("").isin(["", "two_sample"]) & ~contrasts["study_id"].isin(crossover)
    ]  # fmt: skip
    if tested.empty:
        return
    at = ["study_id", "outcome"]
    sides = arms[arms["sd"].notna() & arms["mean"].notna() & (arms["n"] > 1)].assign(time=_times(arms))
    groups = dict(list(sides.groupby([*at, "time"], sort=False)))
    for _, test in tested.assign(time=_times(tested)).iterrows():
        group = groups.get((test["study_id"], test["outcome"], test["time"]))
        if group is None or sorted(group["role"]) != ["control", "intervention"]:
            continue
        n, mean, sd = (group[c].to_numpy(dtype=float) for c in ("n", "mean", "sd"))
        gap, df = abs(mean[0] - mean[1]), n.sum() - 2
        t = float(stdtrit(df, 1 - float(test["p_value"]) / 2))
        as_sd, as_se = gap / sqrt((sd**2 / n).sum()), gap / sqrt((sd**2).sum())
        if _near(as_se, t) and as_sd > 1.5 * t:
            p = [2 * float(stdtr(df, -value)) for value in (as_sd, as_se)]
            yield _at("sd_against_p", group.iloc[0], p_as_sd=p[0], p_as_se=p[1], p=float(test["p_value"]))


_RESULTS = (
    "n",
    "mean",
    "sd",
    "se",
    "median",
    "q1",
    "q3",
    "events",
    "percent",
    "change_mean",
    "change_sd",
    "person_time",
)


def same_controls(arms: pd.DataFrame, declared: set[str]) -> Iterator[Flag]:
    """The same control row in two comparisons of a trial that the protocol does not name under shared_arms."""
    rows = arms[(arms["role"] == "control") & ~arms["study_id"].isin(declared)]
    rows = rows[rows[["mean", "events", "percent", "median", "change_mean"]].notna().any(axis=1)].assign(
        time=_times(rows)
    )
    seen: dict[tuple[object, ...], Row] = {}
    told: set[tuple[str, ...]] = set()
    for row in records(rows):
        numbers = tuple(None if pd.isna(row[c]) else float(row[c]) for c in _RESULTS)
        first = seen.setdefault((row["study_id"], row["outcome"], row["time"], numbers), row)
        pair = (str(first["comparison_id"]), str(row["comparison_id"]))
        if pair[0] != pair[1] and pair not in told:  # once per trial, not per outcome
            told.add(pair)
            yield _at("same_controls", row, other=first["comparison_id"], other_row=int(first["row"]))


def duplicates(arms: pd.DataFrame, contrasts: pd.DataFrame) -> Iterator[Flag]:
    """The same numbers under two ids: both arms with n, and mean and SD or events; or a contrast with its interval."""
    seen: dict[tuple[object, ...], tuple[str, int]] = {}
    at = ["study_id", "comparison_id", "outcome"]
    named = arms.assign(time=_times(arms)) if len(arms) else arms.assign(time="")
    for key, group in _grouped(named, [*at, "time"]).items():
        sizes = [row["n"] for row in group]
        if {row["role"] for row in group} != {"intervention", "control"} or pd.isna(sizes).any():
            continue
        numbers = tuple(
            sorted((str(r["role"]), *(f"{float(r[c]):g}" if pd.notna(r[c]) else "" for c in _RESULTS)) for r in group)
        )
        means = all(pd.notna(r["mean"]) and (pd.notna(r["sd"]) or pd.notna(r["se"])) for r in group)
        # Few events repeat by chance: only counts that say something are held against each other.
        counts = all(pd.notna(r["events"]) and r["events"] >= 5 for r in group) and len(set(sizes)) > 1
        if means or counts:
            first = seen.setdefault((key[2], key[3], numbers), (str(key[0]), int(group[0]["row"])))
            if first[0] != key[0]:
                yield _at("duplicate_trial", group[0], other=first[0], other_row=first[1])
    full = contrasts[contrasts["estimate"].notna() & (contrasts["ci_lower"].notna() | contrasts["se"].notna())]
    told: dict[tuple[object, ...], tuple[str, int]] = {}
    numbers_of = ("estimate", "se", "ci_lower", "ci_upper", "n_intervention", "n_control")
    for row, time in zip(records(full), _times(full), strict=True):
        given = tuple(None if pd.isna(row[c]) else float(row[c]) for c in numbers_of)
        first = told.setdefault((row["outcome"], time, row["measure"], given), (str(row["study_id"]), int(row["row"])))
        if first[0] != row["study_id"] and given[-1] is not None:
            yield _at("duplicate_trial", row, CONTRASTS, other=first[0], other_row=first[1])


def labels(arms: pd.DataFrame, contrasts: pd.DataFrame, studies: pd.DataFrame) -> Iterator[Flag]:
    """Two labels under one comparison; that of studies.csv may be part of the others, or hold them."""
    own = dict(zip(studies["study_id"], studies["label"].fillna("").astype(str), strict=True))
    seen: dict[tuple[str, str], tuple[str, int]] = {}
    for file, table in ((ARMS, arms), (CONTRASTS, contrasts)):
        told = set()
        for row in records(table[table["label"].fillna("") != ""]):
            key = (str(row["study_id"]), str(row["comparison_id"]))
            listed, here = own.get(row["study_id"], ""), str(row["label"]).casefold()
            other = listed not in ("", row["study_id"]) and here not in listed.casefold()
            other = other and listed.casefold() not in here
            first_seen = (listed, 0) if other else (str(row["label"]), int(row["row"]))
            label, first = seen.setdefault(key, first_seen)
            if label != row["label"] and (key, row["label"]) not in told:
                told.add((key, row["label"]))
                yield _at(
                    "two_labels",
                    row,
                    file,
                    study=row["label"],
                    other=label,
                    where=f"row {first}" if first else "studies.csv",
                )


def changes_and_finals(effects: pd.DataFrame, arms: pd.DataFrame) -> Iterator[Flag]:
    """Change scores and final values pooled as standardised mean differences."""
    about = arms["outcome"] + " " + arms["outcome_definition"].fillna("")
    changes = set(arms.loc[about.str.contains(_CHANGE.pattern, case=False), "row"].astype(int))
    some = effects[effects["measure"].isin(STANDARDISED_MEASURES) & (effects["set"] == "main")]
    for analysis, group in some[some["reported_as"] == "arms"].groupby("analysis", sort=False):
        trials: dict[bool, list[str]] = {True: [], False: []}
        for label, codes, keys in zip(group["label"], group["derivation_codes"], group["rows"], strict=True):
            rows = {int(key.partition(":")[2]) for key in str(keys).split(", ")}
            trials[has(codes, "change_printed", "change_computed") or bool(rows & changes)].append(str(label))
        if trials[True] and trials[False]:
            said = {"changes": ", ".join(trials[True]), "finals": ", ".join(trials[False])}
            yield Flag(code("change_and_final", analysis=analysis, **said), outcome=str(group["outcome"].iloc[0]))


def percentages(arms: pd.DataFrame, typed: pd.DataFrame) -> Iterator[Flag]:
    """Percentages that no whole count gives at their printed decimals, and shares typed as percentages."""
    if "percent" not in typed:
        return
    given = arms[arms["percent"].notna() & arms["person_time"].isna()]
    printed = {float(text): len(text.partition(".")[2]) for text in typed["percent"] if _plain(text)}
    decimals: dict[float, int] = {}
    for text in typed["percent"]:
        if _plain(text):
            decimals[float(text)] = max(printed[float(text)], len(text.partition(".")[2]))
    for row in records(given):
        percent, n = float(row["percent"]), row["n"]
        if pd.isna(n):
            continue
        unit = 10.0 ** -decimals.get(percent, 0)
        count = round(percent * float(n) / 100)
        near = min((k for k in (count - 1, count, count + 1) if 0 <= k <= n), key=lambda k: abs(100 * k / n - percent))
        # Rounded or cut off.
        if abs(100 * near / float(n) - percent) >= unit * (1 - 1e-9):
            shown = f"{near} ({100 * near / float(n):.{max(1, decimals.get(percent, 0))}f}%)"
            yield _at("percent_no_count", row, percent=f"{percent:g}", n=int(n), nearest=shown)
    for outcome, group in given.groupby("outcome", sort=False):
        values = group["percent"].astype(float)
        if len(values) >= 4 and (values < 1).all() and (values > 0).sum() >= 2:
            yield _at("percent_below_one", group.iloc[0], rows=len(values), outcome=outcome)


def _plain(text: str) -> bool:
    return re.fullmatch(r"[0-9]+(\.[0-9]*)?", text) is not None


def designs(studies: pd.DataFrame, arms: pd.DataFrame) -> Iterator[Flag]:
    """Columns of a design that the trial does not have."""
    design = dict(zip(studies["study_id"], studies["design"].fillna("").astype(str), strict=True))
    belongs = {
        "icc": "cluster",
        "cluster_size": "cluster",
        "phi": "crossover",
        "discordant1": "crossover",
        "discordant2": "crossover",
    }
    for row in records(arms[arms[list(belongs)].notna().any(axis=1)]):
        own = design.get(row["study_id"], "")
        if idle := [c for c, wanted in belongs.items() if pd.notna(row[c]) and own != wanted]:
            yield _at("design_unused", row, columns=" and ".join(idle), design=own or "not given (parallel)")


def judgements(bias: pd.DataFrame, tools: Mapping[str, Tool]) -> Iterator[Flag]:
    """An overall judgement that is better than that of the worst domain."""
    for key, group in _grouped(bias.fillna({"outcome": ""}), ["study_id", "outcome", "tool"]).items():
        tool = tools.get(str(key[2]))
        overall = [row for row in group if row["domain"] == OVERALL]
        domains = [row for row in group if row["domain"] != OVERALL]
        if tool is None or not overall or not domains:
            continue
        rank = {level.name: i for i, level in enumerate(tool.levels)}
        worst, domain = max((rank[tool.level(str(row["judgement"])).name], str(row["domain"])) for row in domains)
        given = tool.level(str(overall[0]["judgement"]))
        if rank[given.name] < worst:
            names = dict(tool.domains)
            said = {"overall": given.label, "domain": names.get(domain, domain), "worst": tool.levels[worst].label}
            yield _at("overall_better", overall[0], BIAS, **said)


def reliefs(arms: pd.DataFrame, protocol: Protocol) -> Iterator[Flag]:
    """More patients with a larger relief than with a smaller one of the same trial."""
    share: dict[str, int] = {}
    for name, outcome in protocol.outcomes.items():
        about = f"{name.replace('_', ' ')} {outcome.label}".casefold()
        given = re.search(r"\b(\d\d) ?(?:%|per ?cent\b)", about) or re.search(r"\b([35]0)\b", about)
        named = next((v for word, v in _RELIEF.items() if re.search(rf"\b{word}\b", about)), None)
        if outcome.type == "binary" and outcome.better == "higher" and (given or named):
            share[name] = int(given[1]) if given else int(named or 0)
    rows = arms[arms["outcome"].isin(list(share)) & arms["events"].notna()]
    if len(set(rows["outcome"])) < 2:
        return
    for group in _grouped(rows.assign(time=_times(rows)), ["study_id", "comparison_id", "time", "role"]).values():
        by_outcome: dict[str, list[Row]] = {}
        for row in group:
            by_outcome.setdefault(str(row["outcome"]), []).append(row)
        for high, low in ((a, b) for a in by_outcome for b in by_outcome if share[a] > share[b]):
            if len(by_outcome[high]) != len(by_outcome[low]):
                continue
            for more, less in zip(by_outcome[high], by_outcome[low], strict=True):
                # With as many patients or fewer, more of them cannot have the larger relief.
                if more["events"] > less["events"] and not more["n"] > less["n"]:
                    counts = {"high": int(more["events"]), "low": int(less["events"]), "other_row": int(less["row"])}
                    yield _at("half_above_third", more, ARMS, outcome=high, other=low, **counts)


_PLACE = ["study_id", "comparison_id", "outcome"]


def randomised(arms: pd.DataFrame, studies: pd.DataFrame) -> Iterator[Flag]:
    """More patients in an arm, or in all arms of a trial, than were randomised (column n_randomised of studies.csv)."""
    column = next((c for c in ("n_randomised", "n_randomized") if c in studies), None)
    if column is None:
        return
    total = dict(zip(studies["study_id"], pd.to_numeric(studies[column], errors="coerce"), strict=True))
    twice = set(studies.loc[studies["design"] == "crossover", "study_id"])
    rows = arms[arms["n"].notna() & arms["person_time"].isna()]
    rows = rows.assign(
        time=_times(rows),
        place=rows.groupby([*_PLACE, "timepoint", "reading", "role"], dropna=False).cumcount(),
    )
    for (study,), group in _grouped(rows, ["study_id"]).items():
        most = total.get(study, np.nan)
        if isnan(most) or len({row["comparison_id"] for row in group}) > 1:
            continue
        whole: dict[tuple[str, int], float] = {}
        at_once: dict[tuple[str, str], list[Row]] = {}
        for row in group:
            at_once.setdefault((row["outcome"], row["time"]), []).append(row)
        for one in at_once.values():
            if study not in twice and sum(row["n"] for row in one) == most:
                whole = whole or {(row["role"], row["place"]): float(row["n"]) for row in one}
        for one in at_once.values():
            n = float((max if study in twice else sum)(row["n"] for row in one))
            if n > most:
                yield _at("n_above_randomised", one[0], n=int(n), randomised=int(most))
                continue
            for row in one:
                # Where one outcome has every patient, its arms have the numbers randomised.
                everyone = whole.get((row["role"], row["place"]), np.inf)
                if row["n"] > everyone and set(whole) == {(other["role"], other["place"]) for other in one}:
                    yield _at("n_above_randomised", row, n=int(row["n"]), randomised=int(everyone))


def opposed(effects: pd.DataFrame) -> Iterator[Flag]:
    """One trial whose interval excludes no effect on the one side where all others that exclude it do on the other."""
    main = effects[(effects["set"] == "main") & effects["estimate"].notna()]
    main = main[~main["measure"].isin(WITHOUT_NULL)]
    for analysis, group in main.groupby("analysis", sort=False):
        z = (group["estimate"] / group["se"]).to_numpy(dtype=float)
        # An interval that holds no effect says nothing of the direction.
        clear = np.where(np.abs(z) > _Z, np.sign(z), 0.0)
        for side in (-1.0, 1.0):
            others = int((clear == -side).sum())
            if (clear == side).sum() == 1 and others >= OTHERS and (np.sign(z) == side).sum() <= len(z) / 5:
                row = group.iloc[int(np.flatnonzero(clear == side)[0])]
                file, _, number = str(row["rows"]).split(", ")[0].partition(":")
                flagged = pd.Series({"row": number, "study_id": row["study_id"], "outcome": row["outcome"]})
                yield _at("opposes_all", flagged, file, others=others, analysis=analysis)


def contradicted(arms: pd.DataFrame, contrasts: pd.DataFrame) -> Iterator[Flag]:
    """Rows of which another source says something else, as a reader of it typed (column contradicted_by)."""
    for file, table in ((ARMS, arms), (CONTRASTS, contrasts)):
        for row in records(table[table["contradicted_by"].fillna("") != ""]):
            yield _at("contradicted", row, file, said=row["contradicted_by"])


def notices_of(
    protocol: Protocol, arms: pd.DataFrame, contrasts: pd.DataFrame, typed: Mapping[str, bytes], fates: pd.DataFrame
) -> Iterator[Flag]:
    """What is not used, or was read in a way that must be said.

    Parameters
    ----------
    arms, contrasts
        The checked tables.
    typed
        The files as they were typed, by name.
    fates
        file, row, stage (where a row ended, "" where it was used) of rows that are not used; with a column `status`
        of all rows (rows.csv) it is also seen which table no analysis uses.
    """
    tables = {ARMS: arms, CONTRASTS: contrasts}
    outcomes = pd.concat([table["outcome"] for table in tables.values()])
    for name in protocol.outcomes:
        if not (outcomes == name).any():
            yield Flag(code("outcome_without_rows", outcome=name), outcome=name)
    for name, rows in outcomes[~outcomes.isin(list(protocol.outcomes))].value_counts(sort=False).items():
        yield Flag(code("rows_of_other_outcome", rows=int(rows), outcome=name), outcome=str(name))
    shared = {one.study for one in protocol.shared_arms}
    sides = arms[arms["role"].isin(["intervention", "control"]) & ~arms["study_id"].isin(shared)]
    at = ["comparison_id", "outcome", "timepoint", "timepoint_days", "reading"]
    roles = sides.groupby(at, dropna=False)["role"].transform("nunique") if len(sides) else sides["row"]
    compared = [name for name, outcome in protocol.outcomes.items() if outcome.measure not in SINGLE_GROUP_MEASURES]
    single = sides[(roles == 1) & sides["outcome"].isin(compared)]
    if len(single):
        yield Flag(code("one_side_only", rows=len(single), comparisons=single["comparison_id"].nunique()), ARMS)
    lost = fates[(fates["stage"] == "window") & ~fates["reason_code"].map(lambda cell: has(cell, "baseline"))]
    for file, table in tables.items():
        numbers = lost.loc[lost["file"] == file, "row"].astype(int)
        times = table.loc[table["row"].astype(int).isin(numbers)]
        for text, rows in _time_texts(times).value_counts(sort=False).items():
            yield Flag(code("no_window", rows=int(rows), timepoint=text), file)
    if "status" in fates:
        for file, table in tables.items():
            if len(table) and not ((fates["file"] == file) & (fates["status"] == "chosen")).any():
                yield Flag(code("table_unused", rows=len(table), table=file), file)
    for name, content in typed.items():
        if name.endswith(".csv") and (how := dialect_of(content).unusual):
            yield Flag(code("read_as", how=how), name)
    bare = contrasts[
        contrasts["measure"].isin(RATIO_MEASURES) & contrasts["estimate"].notna() & contrasts["se"].notna()
        & contrasts["ci_lower"].isna() & (contrasts["estimate_scale"].fillna("") == "")
    ]  # fmt: skip
    if len(bare):
        yield Flag(code("ratio_scale_assumed", rows=len(bare)), CONTRASTS)


def _time_texts(table: pd.DataFrame) -> pd.Series:
    text: pd.Series = table["timepoint"].fillna("").astype(str)
    days = table["timepoint_days"].astype(float).map("day {:g}".format)
    return text.where(text != "", days.where(table["timepoint_days"].notna(), "no time point"))
