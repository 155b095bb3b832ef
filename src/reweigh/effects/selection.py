"""One result per trial, outcome and window, for every set and measure of the protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.aggregate import UNIT, by_trial, counted_once
from reweigh.effects.candidates import Candidates, build_candidates, together
from reweigh.effects.compute import compute
from reweigh.effects.table import Options
from reweigh.measures import STANDARDISED_MEASURES, natural
from reweigh.protocol.model import Outcome, Protocol, StudySet
from reweigh.quantile import z_critical
from reweigh.schemas import columns, schema_of
from reweigh.text.codes import code, join, words
from reweigh.text.effects import SENTENCES, in_words, needed

TIERS = ("arms", "contrast with CI or SE", "exact p")
"""Order in which the ways of reporting are preferred (Cochrane Handbook 6.3: closest to the data first)."""
BEHIND = {("arms", "assumed"): 3, (TIERS[1], "assumed"): 4, (TIERS[1], "ignored"): 4, (TIERS[2], "ignored"): 5}
"""Ranks, behind those of TIERS, of results of crossover trials that say nothing of their pairing.

The SE, CI, t or exact p of a paired analysis comes before arms that need an assumed correlation, and these before an
unpaired analysis."""

#: Columns of converted candidates that `choose` looks at, and the effect.
CHOOSING = (
    "study_id", "comparison_id", "outcome", "window", "file", "route", "within", "distance", "order", "apart",
    "reason_code", "estimate", "variance", "reading", "values",
)  # fmt: skip

_CHANGES = [f"change_{name}{arm}" for arm in (1, 2) for name in ("mean", "sd")]
EFFECT_COLUMNS, NOT_POOLED_COLUMNS = columns("effects.csv"), columns("not_pooled.csv")
_OF_ARMS = tuple(name for name in EFFECT_COLUMNS if name.startswith(("events_", "mean_", "sd_")))


@dataclass(frozen=True, slots=True)
class Selection:
    """What was chosen, and what became of every row of the tables.

    `effects`: one row per pooled unit and analysis, in the order of the protocol (columns EFFECT_COLUMNS and the
    subgroup columns). `comparisons`: the same before those that share patients became one effect; `unit` is the
    comparison_id under which each stands in `effects`. `reported`: what `compute` was given for each row of
    `comparisons`, in the same order. `rows`: one row per row of arms.csv and contrasts.csv with status "chosen",
    "not chosen" or "excluded", the stage and the reason, what the full text would have to give, and the analyses that
    use it. `not_pooled`: comparisons of eligible trials that an analysis could not use (columns NOT_POOLED_COLUMNS).
    `units`: as `effects`, of analyses whose trials have several comparisons, what `effects` does not hold: "row", every
    comparison by itself; "trial", one effect of each trial; "by_<column>", one effect of each trial and subgroup.
    """

    effects: pd.DataFrame
    comparisons: pd.DataFrame
    reported: pd.DataFrame
    rows: pd.DataFrame
    not_pooled: pd.DataFrame
    units: pd.DataFrame


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
    """Every outcome with its measure in every set, then its further measures in the main set and those that ask."""
    for name, outcome in protocol.outcomes.items():
        for set_name in protocol.sets:
            yield Analysis(name, outcome.measure, set_name)
        for measure in outcome.also:
            for set_name in protocol.whole_sets:
                yield Analysis(name, measure, set_name)


def members(studies: pd.DataFrame, chosen: StudySet) -> tuple[pd.Series, pd.Series]:
    """Which studies belong to a set, and the code of the reason why the others do not.

    Raises KeyError where a column of the set is not in `studies`.
    """
    reason = pd.Series("", index=studies.index)
    for column, values, wanted in _conditions(chosen):
        value = studies[column].fillna("").astype(str)
        fails = (value.isin(list(values)) != wanted) & (reason == "")
        if column == "eligible" and "exclusion_reason" in studies:
            codes = studies.loc[fails, "exclusion_reason"].fillna("").map(lambda why: code("not_eligible", why=why))
        else:
            codes = value[fails].map(
                lambda one, column=column: code("outside_set", column=column, value=one or "empty")
            )
        reason[fails] = codes
    return reason == "", reason


def _conditions(chosen: StudySet) -> list[tuple[str, tuple[str, ...], bool]]:
    """Column, values, and whether they are wanted."""
    return [
        (column, values, wanted)
        for wanted, conditions in ((True, chosen.include), (False, chosen.exclude))
        for column, values in conditions.items()
    ]


@dataclass(frozen=True, slots=True)
class Membership:
    """Which rows of a table belong to a set, the code of the reason why the others do not, and whether it is the row's.

    `own`: rows that are outside by what the row itself says, whatever its study is.
    """

    inside: pd.Series
    reason: pd.Series
    own: pd.Series


def members_of_rows(table: pd.DataFrame, studies: pd.DataFrame, chosen: StudySet) -> Membership:
    """Which rows of arms.csv or contrasts.csv belong to a set.

    A row may have its own value of a column by which sets are made (the comparator of one comparison of a trial with
    several), and it is of one reading; in all else it follows its study. Raises as `members`.
    """
    described = studies.set_index("study_id").reindex(table["study_id"]).reset_index().set_index(table.index)
    own = pd.Series(False, index=table.index)
    for column, values, wanted in _conditions(chosen):
        if column in table and table[column].notna().any():
            says = table[column].fillna("").astype(str)
            described[column] = says.where(says != "", described[column])
            own |= (says != "") & (says.isin(list(values)) != wanted)
    inside, reason = members(described, chosen)
    if chosen.reading:
        reading = table["reading"].fillna("").astype(str)
        own |= ~reading.isin(list(chosen.reading))
        outside = inside & own
        reason[outside] = [code("outside_set", column="reading", value=one or "empty") for one in reading[outside]]
    return Membership(inside & ~own, reason, own)


def select(studies: pd.DataFrame, arms: pd.DataFrame, contrasts: pd.DataFrame, protocol: Protocol) -> Selection:
    """Choose one result per trial, outcome and window for every analysis of the protocol.

    Among the candidates that can be converted: the reading that the protocol names first, the table that it prefers for
    the trial, then arms with dispersion or counts before a contrast with CI or SE before an exact p, then the nearest
    nominal day, then the first listed. Comparisons of one trial that share patients then become one effect
    (`aggregate.by_trial`), unless the set keeps them, the main model pools rows, or the protocol says that they are
    independent. Returns Selection; every row of `arms` and `contrasts` stands in `rows` exactly once.
    """
    built: dict[tuple[str, bool, bytes], Candidates] = {}
    lonely: dict[tuple[str, bool, bytes], pd.DataFrame] = {}
    several = _several(arms, contrasts)
    settings = {name: protocol.setting(name) for name in protocol.sets}
    tables = {"arms.csv": arms, "contrasts.csv": contrasts}
    memberships = {
        name: {file: members_of_rows(table, studies, setting) for file, table in tables.items()}
        for name, setting in settings.items()
    }
    described_studies = derive_groupings(studies, protocol)
    effects, comparisons, given, attempts, lost, others = (list[pd.DataFrame]() for _ in range(6))
    for batch, wanted in _batches(several, settings, protocol):
        setting, outcomes = settings[batch[0].set_name], [analysis.outcome for analysis in batch]
        of_set = memberships[batch[0].set_name]
        # Arms of one comparison are never joined with arms that the set does not have.
        own = b"".join(one.own.to_numpy(dtype=bool).tobytes() for one in of_set.values())
        inside = _keys_inside(tables, of_set)
        described: dict[str, pd.DataFrame] = {}
        pooled: dict[str, pd.DataFrame] = {}
        for unit in wanted:
            kind = (str(setting.shared_arms), unit == "trial", own)
            if kind not in built:
                own_arms, own_contrasts = (table[~of_set[file].own] for file, table in tables.items())
                built[kind] = build_candidates(studies, own_arms, own_contrasts, protocol, kind[0], recognise=kind[1])
                lonely[kind] = _without_comparison(built[kind], arms)
            table, alone = built[kind].table, lonely[kind]
            there = np.array([rows[0] in inside for rows in table["rows"]], dtype=bool)
            table = table[table["outcome"].isin(outcomes) & there]
            there = np.array([("arms.csv", row) in inside for row in alone["row"]], dtype=bool)
            alone = _named(alone[alone["outcome"].isin(outcomes) & there], batch, protocol)
            main = unit == wanted[0]
            if main:
                lost.append(alone)
            if table.empty:
                break
            mine = table.reset_index(drop=True)
            found = _named(convert(mine, batch, setting, protocol), batch, protocol)
            readings = setting.reading or tuple(protocol.readings)
            chosen = choose(found, setting, readings)
            if protocol.assumptions.changes_in_smd == "apart":
                found, chosen = alike(found, chosen)
            described[unit] = _describe(chosen, batch, protocol, described_studies)
            pooled[unit] = _pooled(described[unit], setting, protocol, unit)
            if main:
                typed = {f"typed_{name}": mine.get(name, np.nan) for name in ("events1", "events2")}
                read = dict(zip(_keys(chosen, UNIT), chosen["reading"], strict=True))
                of_trial = [read.get(key, "") for key in _keys(found, UNIT)]
                made = found.assign(**typed, chosen=found.index.isin(chosen.index), set=batch[0].set_name)
                made = made.assign(read=of_trial)
                attempts.append(made)
                effects.append(pooled[unit])
                comparisons.append(_with_unit(described[unit], pooled[unit]))
                given.append(reported(mine, batch, protocol).loc[chosen.index])
        others += _units(described, pooled, wanted, setting, protocol)
    if attempts:
        lost.append(_not_pooled(pd.concat(attempts, ignore_index=True)))
    ledger = _ledger(tables, memberships, built, attempts)
    whole, order = _assemble(comparisons, protocol, ("unit",))
    return Selection(
        _assemble(effects, protocol)[0], whole, _in_order(given, order), ledger, _lost(lost, studies, protocol),
        _assemble(others, protocol, ("units",))[0],
    )  # fmt: skip


def _inside(tables: Mapping[str, pd.DataFrame], of_set: Mapping[str, Membership]) -> np.ndarray:
    """Whether each row of all tables belongs to a set."""
    return np.concatenate([of_set[file].inside.to_numpy(dtype=bool) for file in tables])


def _keys_inside(tables: Mapping[str, pd.DataFrame], of_set: Mapping[str, Membership]) -> set[tuple[str, int]]:
    """File and row number of each row that belongs to a set."""
    return {(file, int(row)) for file, table in tables.items() for row in table.loc[of_set[file].inside, "row"]}


def _several(arms: pd.DataFrame, contrasts: pd.DataFrame) -> set[str]:
    """Outcomes of which a trial has more than one comparison."""
    ids = pd.concat([table[["outcome", "study_id", "comparison_id"]] for table in (arms, contrasts)])
    counted = ids.drop_duplicates().groupby(["outcome", "study_id"], sort=False).size()
    return set(counted.index[counted > 1].get_level_values("outcome"))


def _batches(
    several: Container[str], settings: Mapping[str, StudySet], protocol: Protocol
) -> Iterator[tuple[list[Analysis], list[str]]]:
    """The analyses in batches that are computed at once, each with the units that its models pool.

    Those of a batch have one set, options and units, and each its own outcome. All analyses of an outcome come in the
    order of `analyses`.
    """
    for alike in one_per_outcome(analyses(protocol)):
        found: dict[tuple[Any, ...], tuple[list[Analysis], list[str]]] = {}
        for one in alike:
            setting = settings[one.set_name]
            wanted = _wanted_units(one, setting, protocol) if one.outcome in several else ["trial"]
            key = (one.set_name, tuple(wanted), options_of(setting, one, protocol))
            found.setdefault(key, ([], wanted))[0].append(one)
        yield from found.values()


def one_per_outcome(given: Iterable[Analysis]) -> list[list[Analysis]]:
    """Analyses in batches that have one of each outcome at most: the first of each, the second of each ..."""
    found: list[list[Analysis]] = []
    places: Counter[str] = Counter()
    for one in given:
        if places[one.outcome] == len(found):
            found.append([])
        found[places[one.outcome]].append(one)
        places[one.outcome] += 1
    return found


def _wanted_units(analysis: Analysis, setting: StudySet, protocol: Protocol) -> list[str]:
    """What the models of an analysis pool, "trial" or "row", the main one's first; subgroups of rows need both."""
    if setting.shared_arms == "keep":
        return ["trial"]
    wanted = [model.units for model in protocol.models_of(analysis.outcome, analysis.set_name)]
    return list(dict.fromkeys([*wanted, *(["row", "trial"] if protocol.row_subgroups else [])]))


def _units(
    described: Mapping[str, pd.DataFrame],
    pooled: Mapping[str, pd.DataFrame],
    wanted: list[str],
    setting: StudySet,
    protocol: Protocol,
) -> Iterator[pd.DataFrame]:
    """Effects of analyses whose trials have several comparisons in other units than those of their main model.

    In windows where all trials have one comparison there are none.
    """
    if "row" not in pooled or not pooled["row"].duplicated(UNIT).any():
        return
    rows = pooled["row"]
    several = set(_keys(rows[rows.duplicated(UNIT)], ["outcome", "window"]))

    def with_several(table: pd.DataFrame) -> pd.DataFrame:
        return table[np.array([key in several for key in _keys(table, ["outcome", "window"])], dtype=bool)]

    for unit in wanted[1:]:
        yield with_several(pooled[unit]).assign(units=unit)
    for column in protocol.row_subgroups if "trial" in pooled else ():
        values = rows.groupby([rows[name] for name in UNIT], sort=False)[column].transform("nunique")
        # Comparisons that share no patients stand in the total by themselves, as they do in their subgroups.
        whole = set(_keys(pooled["trial"], [*UNIT, "comparison_id"]))
        one = [key in whole for key in _keys(rows, [*UNIT, "comparison_id"])]
        parted = described["row"][((values > 1) & ~np.array(one, dtype=bool)).reindex(described["row"].index)]
        if len(parted):
            apart = _pooled(parted, setting, protocol, "trial", [*UNIT, column])
            codes = [join((cell, code("in_subgroups", column=column))) for cell in apart["assumption_codes"]]
            apart = in_words(apart.assign(assumption_codes=codes))
            trials = set(_keys(parted, UNIT))
            others = pooled["trial"]
            others = others[others["outcome"].isin(parted["outcome"])]
            others = others[np.array([key not in trials for key in _keys(others, UNIT)], dtype=bool)]
            found = pd.concat([others, apart])
            yield with_several(found).assign(units=f"by_{column}")


def _named(table: pd.DataFrame, batch: Sequence[Analysis], protocol: Protocol) -> pd.DataFrame:
    """With the id of the analysis that each row is of."""
    ids = {
        (one.outcome, window): one.id(window, protocol.outcomes[one.outcome])
        for one in batch for window in protocol.windows
    }  # fmt: skip
    return table.assign(analysis=[ids[key] for key in _keys(table, ["outcome", "window"])])


def _in_order(parts: list[pd.DataFrame], order: np.ndarray) -> pd.DataFrame:
    there = [part for part in parts if not part.empty]
    return pd.concat(there, ignore_index=True).iloc[order].reset_index(drop=True) if there else pd.DataFrame()


def convert(table: pd.DataFrame, batch: Sequence[Analysis], setting: StudySet, protocol: Protocol) -> pd.DataFrame:
    """Candidates with the effect of each in the analysis of its outcome, or the reason why it has none.

    The analyses are of one set, each of its own outcome, and the protocol decides the same about their effect sizes.
    """
    given = reported(table, batch, protocol)
    computed = compute(given, options_of(setting, batch[0], protocol), checked=True)
    found = pd.concat([table[[c for c in table if c not in computed]], computed], axis=1)
    found = found.assign(n_intervention=table["n1"], n_control=table["n2"])
    standardised = given["measure"].isin(list(STANDARDISED_MEASURES))
    of_arms = standardised & (found["file"] == "arms.csv")
    printed = table.reindex(columns=_CHANGES).notna().all(axis=1)
    found["values"] = np.where(of_arms, np.where(printed, "change", "final"), "")
    blocked = found["blocked"] != ""
    found["reason_code"] = found["reason_code"].where(~blocked, found["blocked"])
    found.loc[blocked, ["estimate", "variance", "se"]] = np.nan
    return found


def reported(table: pd.DataFrame, batch: Sequence[Analysis], protocol: Protocol) -> pd.DataFrame:
    """Candidates as `compute` takes them: with the measure, the scale and the direction of the analysis of each."""
    said = {}
    for one in batch:
        outcome = protocol.outcomes[one.outcome]
        scale = outcome.scale if outcome.scale is not None and one.measure in ("MD", "MN") else (np.nan, np.nan)
        said[one.outcome] = (one.measure, outcome.better or "", *scale)
    measure, better, low, high = (table["outcome"].map({k: v[i] for k, v in said.items()}) for i in range(4))
    own = table["better"].fillna("") if "better" in table else pd.Series("", index=table.index)
    flip = (own != "") & (own != better) & (better != "")
    ends = {"target_min": low.astype(float), "target_max": high.astype(float)}
    return table.assign(measure=measure, better=better, **ends, flip=flip)


def options_of(setting: StudySet, analysis: Analysis, protocol: Protocol) -> Options:
    """What the protocol and a reading of it decide about the effect sizes of an analysis."""
    assumed = protocol.assumptions
    same = {name: getattr(assumed, name) for name in Options.model_fields if name in type(assumed).model_fields}
    same["smd_variance"] = protocol.smd_variance_of(analysis.outcome, analysis.set_name)
    return Options(
        r=assumed.crossover_correlation, phi=assumed.crossover_phi, r_baseline=assumed.baseline_correlation,
        crossover=setting.crossover or "paired", unknown_direction=setting.unknown_direction or "exclude",
        level=protocol.level_of(analysis.outcome), **same,
    )  # fmt: skip


def choose(found: pd.DataFrame, setting: StudySet, readings: Sequence[str] = ()) -> pd.DataFrame:
    """One converted candidate per trial (or comparison) and window, in the order of listing.

    All those of a trial and window are of one reading, the first of ``readings`` that has a result there; rows that
    name none of them come last.
    """
    usable = found[(found["reason_code"] == "") & found["estimate"].notna()].copy()
    if readings:
        rank = usable["reading"].map({name: i for i, name in enumerate(readings)}).fillna(len(readings))
        usable = usable[rank == rank.groupby([usable[name] for name in UNIT]).transform("min")]
    preferred: dict[tuple[str, str], str] = {}
    for preference in setting.preferences:
        preferred.setdefault((preference.study, preference.outcome), f"{preference.use}.csv")
    keys = zip(usable["study_id"], usable["outcome"], usable["file"], strict=True)
    usable["against"] = [preferred.get((study, outcome), file) != file for study, outcome, file in keys]
    ways = zip(usable["route"], usable["within"], strict=True)
    usable["tier"] = [BEHIND.get(way, TIERS.index(way[0])) for way in ways]
    usable = usable.sort_values(["against", "tier", "distance", "order"], kind="stable")
    unit = [*UNIT, "comparison_id"]
    best = usable.drop_duplicates(unit)
    # The whole trial never stands beside comparisons of its parts: no patient is counted twice. The parts stand unless
    # the whole is reported in a better way.
    if not best.duplicated(UNIT).any():
        return best.sort_values("order", kind="stable")
    whole = best["comparison_id"] == best["study_id"]
    rank = best["against"] * (max(BEHIND.values()) + 1) + best["tier"]
    ranks = [rank.where(side).groupby([best[name] for name in UNIT]).transform("min") for side in (whole, ~whole)]
    beaten = np.where(whole, ranks[1] <= ranks[0], ranks[0] < ranks[1])
    return best[~beaten].sort_values("order", kind="stable")


def alike(found: pd.DataFrame, chosen: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Converted candidates and the chosen ones without standardised changes that stand beside final values.

    In ``found`` they have the reason. The SD of changes and that of final values differ in kind, so that an effect in
    units of the one is none in units of the other; plain differences of means may be pooled (Cochrane Handbook 10.5.2).
    """
    changes = chosen["values"] == "change"
    if not changes.any():
        return found, chosen
    final = (chosen["values"] == "final").groupby([chosen[name] for name in UNIT[1:]]).transform("any")
    lost = chosen.index[changes & final]
    out = found.copy()
    out.loc[lost, "reason_code"] = "change_beside_final"
    out.loc[lost, ["estimate", "variance", "se"]] = np.nan
    return out, chosen.drop(index=lost)


def _describe(
    chosen: pd.DataFrame, batch: Sequence[Analysis], protocol: Protocol, studies: pd.DataFrame
) -> pd.DataFrame:
    shown = {
        f"{name}{at}": f"{name}_{arm}"
        for name in ("events", "mean", "sd")
        for at, arm in ((1, "intervention"), (2, "control"))
    }
    frame = chosen.drop(columns=["better"], errors="ignore")
    frame = frame.rename(columns={"route": "reported_as", "rows": "row_keys", **shown})
    frame = frame.assign(
        measure=frame["outcome"].map({one.outcome: one.measure for one in batch}),
        set=batch[0].set_name,
        corrected=np.where(frame["corrected"].astype(bool), "yes", "no"),
        rows=[", ".join(f"{file}:{row}" for file, row in keys) for keys in frame["row_keys"]],
    )
    for kind, codes in (("derivation_codes", "arms_codes"), ("assumption_codes", "time_code")):
        frame[kind] = [join(pair) for pair in zip(frame[codes], frame[kind], strict=True)]
    columns = ["study_id", "label", "year", *protocol.study_columns]
    described = studies.reindex(columns=list(dict.fromkeys(columns)))
    described = described[[c for c in described if c not in frame or c == "study_id"]]
    return frame.merge(described, on="study_id", how="left", validate="many_to_one")


def _pooled(
    described: pd.DataFrame, setting: StudySet, protocol: Protocol, units: str, of: list[str] = UNIT
) -> pd.DataFrame:
    """Effects of one set and measure from its comparisons: one per unit (`of`) where they share patients, or each."""
    if described.empty:
        return described
    independent = {one.study: one.reason for one in protocol.independent_comparisons}
    rho = protocol.assumptions.comparison_correlation
    several = described.duplicated(of, keep=False)
    if not several.any():
        return in_words(described.assign(label=_lettered(described)))
    keep = setting.shared_arms == "keep" or units == "row"
    alone = [
        code("independent_comparisons", reason=independent[study]) if study in independent else code("kept_comparisons")
        for study in described["study_id"]
    ]
    stands = several & (keep | described["study_id"].isin(list(independent)))
    more = pd.Series(alone, described.index).where(stands, "")
    codes = [join(pair) for pair in zip(described["assumption_codes"], more, strict=True)]
    noted = described.assign(assumption_codes=codes)
    if keep:
        return in_words(noted.assign(label=_lettered(noted)))
    out = by_trial(noted, rho, independent, of)
    declared = {one.study: (one.arm, one.n) for one in protocol.shared_arms}
    for row, parts in enumerate(out["parts"]):
        if parts:
            part = described.loc[list(parts)]
            one = _one_effect(part, out.iloc[row], declared.get(part["study_id"].iloc[0]), protocol)
            out.loc[parts[0], list(one)] = pd.Series(one, dtype=object)
    return in_words(out.assign(label=_lettered(out)).drop(columns="parts"))


def _one_effect(
    part: pd.DataFrame, pooled: pd.Series, arm: tuple[str, str] | None, protocol: Protocol
) -> dict[str, Any]:
    """What a row of effects.csv says of the comparisons that it aggregates, beside estimate and variance."""
    n1, n2, role = counted_once(part, arm)
    how = code("aggregated", comparisons=", ".join(part["comparison_id"]))
    derived = join([how, "" if role == "crossover" else code("n_counted_once", role=role)])
    assumed = code("comparison_correlation", value=protocol.assumptions.comparison_correlation)
    codes = {name: join(part[name]) for name in ("derivation_codes", "assumption_codes", "flag_codes")}
    return {
        **on_both_scales(pooled["estimate"], pooled["variance"], pooled["scale"], protocol.level_of(pooled["outcome"])),
        "n_intervention": n1, "n_control": n2, **dict.fromkeys(_OF_ARMS, np.nan),
        "corrected": "yes" if (part["corrected"] == "yes").any() else "no",
        "reported_as": max(part["reported_as"], key=TIERS.index),
        "rows": ", ".join(part["rows"]), "source": "; ".join(dict.fromkeys(part["source"].dropna())),
        "derivation_codes": join([derived, codes["derivation_codes"]]),
        "assumption_codes": join([assumed, codes["assumption_codes"]]),
        "flag_codes": codes["flag_codes"],
        **{column: together(part[column]) for column in protocol.row_subgroups},
    }  # fmt: skip


def on_both_scales(estimate: float, variance: float, scale: str, level: float) -> dict[str, float]:
    """SE, and estimate and Wald interval on the natural scale."""
    se = float(np.sqrt(variance))
    half = z_critical(level) * se
    both = [float(natural(value, scale)) for value in (estimate, estimate - half, estimate + half)]
    return {"se": se} | dict(zip(("estimate_natural", "ci_lower_natural", "ci_upper_natural"), both, strict=True))


def _with_unit(described: pd.DataFrame, pooled: pd.DataFrame) -> pd.DataFrame:
    """The comparisons, lettered, with the comparison_id of the effect that each became part of."""
    if len(pooled) == len(described) and not described.duplicated(UNIT).any():
        return pooled.assign(unit=pooled["comparison_id"])
    alone = pooled["comparison_id"].reindex(described.index)
    same = alone == described["comparison_id"]
    unit = described["comparison_id"].where(same, described["study_id"])
    return in_words(described.assign(unit=unit, label=_lettered(described)))


def _not_pooled(tried: pd.DataFrame) -> pd.DataFrame:
    """Comparisons of which no candidate could be converted, but where the whole trial is pooled; the first listed."""
    trial, comparison = ["analysis", *UNIT], ["analysis", *UNIT, "comparison_id"]
    failed = tried[tried["reason_code"] != ""]
    usable = set(_keys(tried[tried["reason_code"] == ""], comparison))
    covered = set(_keys(tried[tried["chosen"] & (tried["comparison_id"] == tried["study_id"])], trial))
    stays = [key not in usable and key[:-1] not in covered for key in _keys(failed, comparison)]
    failed = (
        failed[np.array(stays, dtype=bool)]
        .sort_values(["file", "distance", "order"], kind="stable")
        .drop_duplicates(comparison)
    )
    failed = failed.sort_values("order", kind="stable")
    events = {"events_intervention": failed["typed_events1"], "events_control": failed["typed_events2"]}
    return failed.assign(**events, row=[rows[0][1] for rows in failed["rows"]])


def _keys(table: pd.DataFrame, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    return zip(*(table[name] for name in columns), strict=True)


def _without_comparison(built: Candidates, arms: pd.DataFrame) -> pd.DataFrame:
    """Trials of which only arms without a counterpart stand in a window: the first row of each, if it has a role."""
    there = set(_keys(built.table, UNIT)) if len(built.table) else set()
    alone = built.excluded[built.excluded["stage"] == "arms"]
    alone = alone[np.array([key not in there for key in _keys(alone, UNIT)], dtype=bool)]
    alone = alone.sort_values("reason_code", kind="stable")
    alone = alone.drop_duplicates(UNIT).sort_values("row")  # no_arm came before role_other
    given = arms.set_index("row").reindex(alone["row"])
    known = {
        f"{name}_{role}": pd.to_numeric(given[name]).astype(float).where(given["role"] == role).to_numpy()
        for name in ("n", "events") if name in given for role in ("intervention", "control")
    }  # fmt: skip
    return alone.assign(**known, comparison_id=given["comparison_id"].to_numpy())


def _lost(parts: list[pd.DataFrame], studies: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """not_pooled.csv, in the order of effects.csv."""
    there = [part for part in parts if len(part)]
    if not there:
        return pd.DataFrame(columns=list(NOT_POOLED_COLUMNS))
    table = pd.concat([part.reindex(columns=[*NOT_POOLED_COLUMNS, "outcome", "window"]) for part in there])
    of_set = [
        one.id(window, protocol.outcomes[one.outcome]) for one in analyses(protocol) for window in protocol.windows
    ]
    at = {name: i for i, name in enumerate(of_set)}
    table = table.iloc[np.argsort(table["analysis"].map(at).to_numpy(), kind="stable")]
    numbers = [name for name in NOT_POOLED_COLUMNS if name.startswith(("n_", "events_"))]
    table[numbers] = table[numbers].astype("Float64").astype(float)
    table["reason"] = table["reason_code"].map(said)
    table["label"] = table["study_id"].map(studies.set_index("study_id")["label"])
    return _by_protocol(table, protocol)[list(NOT_POOLED_COLUMNS)].reset_index(drop=True)


def _by_protocol(table: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """The rows in the order of the protocol's outcomes and windows, as listed within each."""
    for column, known in (("window", protocol.windows), ("outcome", protocol.outcomes)):
        at = {name: i for i, name in enumerate(known)}
        table = table.iloc[np.argsort(table[column].map(at).to_numpy(), kind="stable")]
    return table


def said(cell: str) -> str:
    """The words of codes of this stage."""
    return words(cell, SENTENCES)


def _lettered(frame: pd.DataFrame) -> list[str]:
    """Labels; several comparisons of one trial in one analysis are told apart: Hurwitz 2002a, Hurwitz 2002b."""
    unit = ["analysis", "study_id"]
    if not frame.duplicated(unit).any():
        return list(frame["label"])
    trial = frame.groupby(unit, sort=False)["study_id"]
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


def _assemble(
    effects: list[pd.DataFrame], protocol: Protocol, more: tuple[str, ...] = ()
) -> tuple[pd.DataFrame, np.ndarray]:
    extra = [c for c in protocol.study_columns if c not in EFFECT_COLUMNS]
    at = schema_of("effects.csv").own_at
    names = [*EFFECT_COLUMNS[:at], *extra, *EFFECT_COLUMNS[at:], *more]
    parts = [e for e in effects if not e.empty]
    if not parts:
        return pd.DataFrame(columns=names), np.arange(0)
    ranked = _by_protocol(pd.concat(parts, ignore_index=True).reindex(columns=names), protocol)
    return ranked.reset_index(drop=True), ranked.index.to_numpy()


def _ledger(
    tables: Mapping[str, pd.DataFrame],
    memberships: Mapping[str, Mapping[str, Membership]],
    built: Mapping[tuple[str, bool, bytes], Candidates],
    attempts: list[pd.DataFrame],
) -> pd.DataFrame:
    """Every row once: chosen, else not chosen, else excluded at the first stage that stops it."""
    what = ["row", "study_id", "comparison_id", "outcome", "timepoint", "arm", "reading"]
    rows = pd.concat(
        [table.reindex(columns=what).assign(file=file) for file, table in tables.items()], ignore_index=True
    )
    keys = list(zip(rows["file"], rows["row"].astype(int), strict=True))
    fate = ("status", "stage", "reason_code", "reason", "needed", "used_in")
    state: dict[tuple[str, int], dict[str, str]] = {key: dict.fromkeys(fate, "") for key in keys}
    in_any = np.any([_inside(tables, of_set) for of_set in memberships.values()], axis=0)
    outside = pd.concat([memberships["main"][file].reason for file in tables])
    for key, inside, reason in zip(keys, in_any, outside, strict=True):
        state[key] |= {"status": "excluded"} | (_because("trials", reason) if not inside else {})
    for candidates in built.values():
        why = candidates.excluded
        for file, row, stage, reason in zip(why["file"], why["row"], why["stage"], why["reason_code"], strict=True):
            if not state[file, row]["stage"]:
                state[file, row] |= _because(stage, reason)
    for attempt in attempts:
        for used, status in ((attempt["reason_code"] != "", "excluded"), (attempt["reason_code"] == "", "not chosen")):
            for _, one in attempt[used].iterrows():
                for key in one["rows"]:
                    _record(state[key], one, status)
    frame = pd.concat([rows, pd.DataFrame([state[key] for key in keys], columns=list(fate))], axis=1)
    return frame[["file", *what, *fate]]


def _because(stage: str, reason: str) -> dict[str, str]:
    """Where a row ended, why, and what would mend it."""
    return {"stage": stage, "reason_code": reason, "reason": said(reason), "needed": needed(reason)}


def _record(entry: dict[str, str], attempt: pd.Series, status: str) -> None:
    """Let the best thing that happened to a row in any analysis stand."""
    if status == "excluded":
        if entry["status"] == "excluded" and not entry["stage"]:
            entry |= _because("effects", str(attempt["reason_code"]))
        return
    if attempt["chosen"]:
        used = [*filter(None, entry["used_in"].split(", ")), str(attempt["analysis"])]
        entry |= _because("", "") | {"status": "chosen", "used_in": ", ".join(used)}
    elif entry["status"] != "chosen":
        other = attempt["read"] not in ("", attempt["reading"])
        why = code("another_reading", reading=attempt["read"]) if other else code("another_row")
        entry |= _because("choice", why) | {"status": "not chosen"}


def exclusions(ledger: pd.DataFrame) -> pd.DataFrame:
    """Rows of the ledger that no analysis could use: stage, reason, and what the full text would have to give."""
    return (
        ledger.loc[ledger["status"] == "excluded"].drop(columns=["status", "used_in", "reading"]).reset_index(drop=True)
    )
