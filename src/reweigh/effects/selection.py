"""One result per trial, outcome and window, for every set and measure of the protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from string import ascii_lowercase

import numpy as np
import pandas as pd

from reweigh.effects.candidates import Candidates, build_candidates
from reweigh.effects.compute import compute
from reweigh.effects.table import Options
from reweigh.protocol.model import Outcome, Protocol, StudySet
from reweigh.text.effects import in_words

TIERS = ("arms", "contrast with CI or SE", "exact p")
"""Order in which the ways of reporting are preferred (Cochrane Handbook 6.3: closest to the data first)."""

#: Columns of converted candidates that `choose` looks at, and the effect.
CHOOSING = (
    "study_id", "comparison_id", "outcome", "window", "file", "route", "distance", "order", "reason",
    "estimate", "variance",
)  # fmt: skip

EFFECT_COLUMNS = (
    "analysis", "outcome", "window", "measure", "set", "study_id", "comparison_id", "label", "year",
    "design", "n_intervention", "n_control", "events_intervention", "events_control",
    "mean_intervention", "sd_intervention", "mean_control", "sd_control",
    "scale", "estimate", "se", "variance", "estimate_natural", "ci_lower_natural", "ci_upper_natural",
    "corrected", "reported_as", "derivation", "assumptions", "flags", "derivation_codes", "assumption_codes",
    "flag_codes", "source", "rows",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen, and what became of every row of the tables.

    `effects`: one row per pooled unit and analysis, in the order of the protocol (columns EFFECT_COLUMNS and the
    subgroup columns). `rows`: one row per row of arms.csv and contrasts.csv with status "chosen", "not chosen" or
    "excluded", the stage and the reason, what the full text would have to give, and the analyses that use it.
    `reported`: what `compute` was given for each row of `effects`, in the same order.
    """

    effects: pd.DataFrame
    rows: pd.DataFrame
    reported: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Analysis:
    """A set and a measure of one outcome."""

    outcome: str
    measure: str
    set_name: str

    def id(self, window: str, outcome: Outcome) -> str:
        """Analysis id: outcome and window; measure and set only where they are not the main ones."""
        parts = [self.outcome, window]
        parts += [self.measure] if self.measure != outcome.measure else []
        parts += [self.set_name] if self.set_name != "main" else []
        return ".".join(parts)


def analyses(protocol: Protocol) -> Iterator[Analysis]:
    """Every outcome with its measure in every set, then its further measures in the main set."""
    for name, outcome in protocol.outcomes.items():
        for set_name in protocol.sets:
            yield Analysis(name, outcome.measure, set_name)
        for measure in outcome.also:
            yield Analysis(name, measure, "main")


def members(studies: pd.DataFrame, chosen: StudySet) -> tuple[pd.Series, pd.Series]:
    """Which studies belong to a set, and the reason why the others do not.

    Raises KeyError where a column of the set is not in `studies`.
    """
    reason = pd.Series("", index=studies.index)
    conditions = [(c, v, True) for c, v in chosen.include.items()]
    conditions += [(c, v, False) for c, v in chosen.exclude.items()]
    for column, values, wanted in conditions:
        value = studies[column].fillna("").astype(str)
        fails = (value.isin(list(values)) != wanted) & (reason == "")
        text = f"{column} is " + value.where(value != "", "empty")
        if column == "eligible" and "exclusion_reason" in studies:
            why = studies["exclusion_reason"].fillna("")
            text = "not eligible" + (": " + why).where(why != "", "")
        reason[fails] = text[fails]
    return reason == "", reason


def select(studies: pd.DataFrame, arms: pd.DataFrame, contrasts: pd.DataFrame, protocol: Protocol) -> Selection:
    """Choose one result per trial, outcome and window for every analysis of the protocol.

    Among the candidates that can be converted: the table that the protocol prefers for the trial, then arms with
    dispersion or counts before a contrast with CI or SE before an exact p, then the nearest nominal day, then the
    first listed.

    Parameters
    ----------
    studies, arms, contrasts
        The checked tables.
    protocol
        The protocol.

    Returns
    -------
    Selection; every row of `arms` and `contrasts` stands in `rows` exactly once.
    """
    built: dict[str, Candidates] = {}
    settings = {name: protocol.setting(name) for name in protocol.sets}
    memberships = {name: members(studies, setting) for name, setting in settings.items()}
    effects: list[pd.DataFrame] = []
    given: list[pd.DataFrame] = []
    attempts: list[pd.DataFrame] = []
    for analysis in analyses(protocol):
        setting = settings[analysis.set_name]
        kind = str(setting.shared_arms)
        if kind not in built:
            built[kind] = build_candidates(studies, arms, contrasts, protocol, kind)
        table = built[kind].table
        inside = studies.loc[memberships[analysis.set_name][0], "study_id"]
        mine = table[(table["outcome"] == analysis.outcome) & table["study_id"].isin(inside)].reset_index(drop=True)
        if mine.empty:
            continue
        found = convert(mine, analysis, setting, protocol)
        found["analysis"] = [analysis.id(w, protocol.outcomes[analysis.outcome]) for w in found["window"]]
        chosen = choose(found, setting)
        attempts.append(found.assign(chosen=found.index.isin(chosen.index), kind=kind, set=analysis.set_name))
        effects.append(_describe(chosen, analysis, protocol, studies))
        given.append(reported(mine, analysis, protocol).loc[chosen.index])
    ledger = _ledger(arms, contrasts, studies, memberships, built, attempts)
    assembled, order = _assemble(effects, protocol)
    return Selection(assembled, ledger, _in_order(given, order))


def _in_order(parts: list[pd.DataFrame], order: np.ndarray) -> pd.DataFrame:
    there = [part for part in parts if not part.empty]
    return pd.concat(there, ignore_index=True).iloc[order].reset_index(drop=True) if there else pd.DataFrame()


def convert(table: pd.DataFrame, analysis: Analysis, setting: StudySet, protocol: Protocol) -> pd.DataFrame:
    """Candidates of one outcome with the effect of each in one set and measure, or the reason why it has none."""
    given = reported(table, analysis, protocol)
    computed = in_words(compute(given, options_of(setting, protocol), checked=True))
    shown = {"n1": "n_intervention", "n2": "n_control"}
    found = pd.concat([table[[c for c in table if c not in computed]], computed], axis=1)
    found = found.assign(**{new: table[old] for old, new in shown.items()})
    blocked = found["blocked"].fillna("") != ""
    found["reason"] = found["reason"].fillna("").where(~blocked, found["blocked"])
    found.loc[blocked, ["estimate", "variance", "se"]] = np.nan
    return found


def reported(table: pd.DataFrame, analysis: Analysis, protocol: Protocol) -> pd.DataFrame:
    """Candidates as `compute` takes them: with the measure, the scale and the direction of the protocol."""
    outcome = protocol.outcomes[analysis.outcome]
    low, high = outcome.scale if outcome.scale is not None and analysis.measure == "MD" else (np.nan, np.nan)
    own = table["better"].fillna("") if "better" in table else pd.Series("", index=table.index)
    flip = (own != "") & (own != outcome.better)
    return table.assign(measure=analysis.measure, better=outcome.better, target_min=low, target_max=high, flip=flip)


def options_of(setting: StudySet, protocol: Protocol) -> Options:
    """What the protocol and a set of it decide about effect sizes."""
    assumed = protocol.assumptions
    return Options(
        r=assumed.crossover_correlation,
        phi=assumed.crossover_phi,
        r_baseline=assumed.baseline_correlation,
        change_scores=assumed.change_scores,
        crossover=setting.crossover or "paired",
        zero_cells=assumed.zero_cells,
        md_variance=assumed.md_variance,
        smd_variance=assumed.smd_variance,
        smdh_version=assumed.smdh_version,
        median_method=assumed.median_method,
        standardiser=assumed.standardiser,
        contrast_ci=assumed.contrast_ci,
        p_inequality_as_equality=assumed.p_inequality_as_equality,
        unknown_direction=setting.unknown_direction or "exclude",
        level=protocol.level,
    )


def choose(found: pd.DataFrame, setting: StudySet) -> pd.DataFrame:
    """One converted candidate per trial (or comparison) and window, in the order of listing."""
    usable = found[(found["reason"] == "") & found["estimate"].notna()].copy()
    preferred: dict[tuple[str, str], str] = {}
    for preference in setting.preferences:
        preferred.setdefault((preference.study, preference.outcome), f"{preference.use}.csv")
    wanted = pd.Series(
        [preferred.get(key, "") for key in zip(usable["study_id"], usable["outcome"], strict=True)],
        index=usable.index,
        dtype=object,
    )
    usable["against"] = (wanted != "") & (wanted != usable["file"])
    usable["tier"] = usable["route"].map({tier: i for i, tier in enumerate(TIERS)}).fillna(len(TIERS))
    usable = usable.sort_values(["against", "tier", "distance", "order"], kind="stable")
    unit = ["study_id", "comparison_id", "window"]
    best = usable.drop_duplicates(unit)
    # A contrast of the whole trial never stands beside comparisons of its parts: no patient is counted twice.
    parts = best[best["comparison_id"] != best["study_id"]].groupby(["study_id", "window"]).size()
    whole = (best["comparison_id"] == best["study_id"]) & pd.MultiIndex.from_frame(best[["study_id", "window"]]).isin(
        parts.index
    )
    return best[~whole].sort_values("order", kind="stable")


def _describe(chosen: pd.DataFrame, analysis: Analysis, protocol: Protocol, studies: pd.DataFrame) -> pd.DataFrame:
    outcome = protocol.outcomes[analysis.outcome]
    frame = chosen.drop(columns=["better"], errors="ignore").rename(
        columns={
            "route": "reported_as",
            "events1": "events_intervention",
            "events2": "events_control", "mean1": "mean_intervention", "sd1": "sd_intervention",
            "mean2": "mean_control", "sd2": "sd_control", "rows": "row_keys",
        }
    )  # fmt: skip
    frame = frame.assign(
        analysis=[analysis.id(window, outcome) for window in frame["window"]],
        measure=analysis.measure,
        set=analysis.set_name,
        corrected=np.where(frame["corrected"].astype(bool), "yes", "no"),
        rows=[", ".join(f"{file}:{row}" for file, row in keys) for keys in frame["row_keys"]],
    )
    note = frame["arms_note"].fillna("")
    frame["derivation"] = (note + "; ").where(note != "", "") + frame["derivation"].fillna("")
    columns = ["study_id", "label", "year", *protocol.study_columns]
    described = derive_groupings(studies, protocol).reindex(columns=list(dict.fromkeys(columns)))
    described = described[[c for c in described if c not in frame or c == "study_id"]]
    frame = frame.merge(described, on="study_id", how="left", validate="many_to_one")
    return frame.assign(label=_lettered(frame))


def _lettered(frame: pd.DataFrame) -> list[str]:
    """Labels; several comparisons of one trial in one analysis are told apart: Hurwitz 2002a, Hurwitz 2002b."""
    trial = frame.groupby(["analysis", "study_id"], sort=False)["study_id"]
    found = []
    for label, several, at in zip(frame["label"], trial.transform("size") > 1, trial.cumcount(), strict=True):
        mark = ascii_lowercase[at] if at < len(ascii_lowercase) else f".{at + 1}"
        found.append(f"{label}{'' if label[-1:].isdigit() else ' '}{mark}" if several else label)
    return found


def derive_groupings(studies: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Add the protocol's groupings to the studies as columns."""
    added = {
        name: studies[grouping.column].map(grouping.group_of, na_action="ignore")
        for name, grouping in protocol.groupings.items()
        if grouping.column in studies
    }
    return studies.assign(**added)


def _assemble(effects: list[pd.DataFrame], protocol: Protocol) -> tuple[pd.DataFrame, np.ndarray]:
    extra = [c for c in protocol.study_columns if c not in EFFECT_COLUMNS]
    at = EFFECT_COLUMNS.index("n_intervention")
    columns = [*EFFECT_COLUMNS[:at], *extra, *EFFECT_COLUMNS[at:]]
    parts = [e for e in effects if not e.empty]
    if not parts:
        return pd.DataFrame(columns=columns), np.arange(0)
    together = pd.concat(parts, ignore_index=True).reindex(columns=columns)
    order = {name: i for i, name in enumerate(protocol.windows)}
    ranked = together.assign(_outcome=together["outcome"].map({o: i for i, o in enumerate(protocol.outcomes)}))
    ranked = ranked.assign(_window=ranked["window"].map(order), _listed=np.arange(len(ranked)))
    ranked = ranked.sort_values(["_outcome", "_window", "_listed"], kind="stable")
    return ranked[columns].reset_index(drop=True), ranked["_listed"].to_numpy()


def _ledger(
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    studies: pd.DataFrame,
    memberships: dict[str, tuple[pd.Series, pd.Series]],
    built: dict[str, Candidates],
    attempts: list[pd.DataFrame],
) -> pd.DataFrame:
    """Every row once: chosen, else not chosen, else excluded at the first stage that stops it."""
    what = ["row", "study_id", "comparison_id", "outcome", "timepoint", "arm"]
    rows = pd.concat(
        [
            arms.reindex(columns=what).assign(file="arms.csv"),
            contrasts.reindex(columns=what).assign(file="contrasts.csv"),
        ],
        ignore_index=True,
    )
    keys = list(zip(rows["file"], rows["row"].astype(int), strict=True))
    fate = ("status", "stage", "reason", "needed", "used_in")
    state: dict[tuple[str, int], dict[str, str]] = {
        key: {"status": "excluded", "stage": "", "reason": "", "needed": "", "used_in": ""} for key in keys
    }
    in_any = pd.concat([inside for inside, _ in memberships.values()], axis=1).any(axis=1)
    outside = dict(zip(studies.loc[~in_any, "study_id"], memberships["main"][1][~in_any], strict=True))
    for key, study in zip(keys, rows["study_id"], strict=True):
        if study in outside:
            state[key] |= {"stage": "trials", "reason": outside[study]}
    for candidates in built.values():
        for file, row, stage, reason, needed in candidates.excluded.itertuples(index=False):
            if not state[(file, row)]["stage"]:
                state[(file, row)] |= {"stage": stage, "reason": reason, "needed": needed}
    for attempt in attempts:
        for used, status in ((attempt["reason"] != "", "excluded"), (attempt["reason"] == "", "not chosen")):
            for _, one in attempt[used].iterrows():
                for key in one["rows"]:
                    _record(state[key], one, status)
    frame = pd.concat([rows, pd.DataFrame([state[key] for key in keys], columns=list(fate))], axis=1)
    return frame[["file", *what, *fate]]


def _record(entry: dict[str, str], attempt: pd.Series, status: str) -> None:
    """Let the best thing that happened to a row in any analysis stand."""
    if status == "excluded":
        if entry["status"] == "excluded" and not entry["stage"]:
            entry |= {
                "stage": "effects",
                "reason": str(attempt["reason"]),
                "needed": str(attempt["needed"] or ""),
            }
        return
    if attempt["chosen"]:
        where = str(attempt["analysis"])
        used = [u for u in entry["used_in"].split(", ") if u]
        entry |= {
            "status": "chosen",
            "stage": "",
            "reason": "",
            "needed": "",
            "used_in": ", ".join([*used, where]),
        }
    elif entry["status"] != "chosen":
        entry |= {"status": "not chosen", "stage": "choice", "needed": "", "reason": CHOICE}


CHOICE = "another row of this trial, outcome and window comes first (arms, then CI or SE, then exact p; nearest day)"


def exclusions(ledger: pd.DataFrame) -> pd.DataFrame:
    """Rows of the ledger that no analysis could use: stage, reason, and what the full text would have to give."""
    return ledger.loc[ledger["status"] == "excluded"].drop(columns=["status", "used_in"]).reset_index(drop=True)
