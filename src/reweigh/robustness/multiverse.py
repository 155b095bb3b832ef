"""Every defensible analysis: the product of the choices that the data and the protocol leave open."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from math import prod
from typing import Any

import numpy as np
import pandas as pd

from reweigh.effects.aggregate import by_trial
from reweigh.effects.candidates import build_candidates
from reweigh.effects.selection import CHOOSING, Analysis, choose, convert, members, options_of
from reweigh.measures import MEASURES_OF_TYPE
from reweigh.pool.core import pool
from reweigh.pool.tau2 import Floats
from reweigh.protocol.model import Preference, Protocol, StudySet
from reweigh.protocol.windows import window_of

TAU2, INTERVAL = "tau2", "interval"
"""Names of the choices that belong to the model; every other choice belongs to the data."""
STATEMENTS = {
    "better": "better than control",
    "excludes_no_effect": "interval excludes no effect",
    "better_and_excludes": "better than control and the interval excludes no effect",
    "exceeds_important": "estimate exceeds the smallest important difference",
}
MOST = 200_000
"""Most combinations that are run."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Effects and variances (k,) on the analysis scale of one way to choose the data.

    ``sign``: -1 where lower is better, else 1. ``important``: bounds of the smallest important difference around 0,
    analysis scale, None where there is none.
    """

    yi: Floats
    vi: Floats
    measure: str
    sign: int
    important: tuple[float, float] | None = None


Build = Callable[[Mapping[str, str]], Dataset | str]
"""Takes an option of each data choice; gives the data, or the reason why there are none."""


@dataclass(frozen=True, slots=True)
class Multiverse:
    """A multiverse: one row per combination, each pointing to the analysis that it is.

    ``specifications``: the choices as columns, ``analysis`` (position in ``analyses``). ``analyses``: one row per
    distinct analysis: measure, tau2_method, ci_method, k, estimate, se, ci_lower, ci_upper, p_value, tau2, i2,
    benefit (in ``unit``, above 0 is better), the columns of STATEMENTS (True, False or missing) and reason.
    """

    choices: dict[str, tuple[str, ...]]
    specifications: pd.DataFrame
    analyses: pd.DataFrame
    #: "smallest important differences", or "standard errors" where a measure has none.
    unit: str


def run(choices: Mapping[str, Sequence[str]], build: Build, *, level: float = 0.95) -> Multiverse:
    """Run every combination of the choices, each distinct analysis once.

    Parameters
    ----------
    choices
        Options by choice, the main option first. TAU2 and INTERVAL, which must be there, hold methods of
        :func:`reweigh.pool.pool`; all others go to ``build``.
    build
        The data of a combination of data options; called once for each.

    Raises
    ------
    ValueError
        On a choice without options or with repeated ones, a missing model choice, or too many combinations.

    Simonsohn, Simmons and Nelson 2020, Nature Human Behaviour 4:1208-14; Steegen and others 2016.
    """
    options = {name: tuple(values) for name, values in choices.items()}
    for name, values in options.items():
        if not values or len(set(values)) < len(values):
            raise ValueError(f"choice {name!r} needs options, each once, not {values}")
    for name in (TAU2, INTERVAL):
        if name not in options:
            raise ValueError(f"choice {name!r} is missing: name one method at least")
    if prod(len(v) for v in options.values()) > MOST:
        raise ValueError(f"{prod(len(v) for v in options.values()):,} combinations: more than {MOST:,}")
    data_names = [name for name in options if name not in (TAU2, INTERVAL)]
    datasets: list[Dataset | str] = []
    known: dict[Any, int] = {}
    of_data: list[int] = []
    for values in product(*(options[name] for name in data_names)):
        found = build(dict(zip(data_names, values, strict=True)))
        key = found if isinstance(found, str) else _key(found)
        if key not in known:
            known[key] = len(datasets)
            datasets.append(found)
        of_data.append(known[key])
    methods = list(product(options[TAU2], options[INTERVAL]))
    analyses, position = _analyses(datasets, methods, level)
    names = [*data_names, TAU2, INTERVAL]
    grid = pd.DataFrame(list(product(*(options[n] for n in names))), columns=names)
    grid["analysis"] = position[np.repeat(of_data, len(methods)), np.tile(np.arange(len(methods)), len(of_data))]
    units = [d.important for d in datasets if not isinstance(d, str)]
    unit = "smallest important differences" if units and all(units) else "standard errors"
    analyses["benefit"] = _benefit(analyses, datasets, unit)
    return Multiverse({n: options[n] for n in names}, grid, analyses.drop(columns="dataset"), unit)


def _key(data: Dataset) -> tuple[object, ...]:
    order = np.lexsort([data.vi, data.yi])
    return data.yi[order].tobytes(), data.vi[order].tobytes(), data.measure, data.sign


def _analyses(
    datasets: Sequence[Dataset | str], methods: Sequence[tuple[str, str]], level: float
) -> tuple[pd.DataFrame, np.ndarray]:
    """Distinct analyses, and the position (datasets, methods) of each; one trial or none knows no model."""
    width = max((len(d.yi) for d in datasets if not isinstance(d, str)), default=0)
    yi, vi = np.zeros((len(datasets), width)), np.ones((len(datasets), width))
    there = np.zeros((len(datasets), width), dtype=bool)
    for i, data in enumerate(datasets):
        if not isinstance(data, str):
            n = len(data.yi)
            yi[i, :n], vi[i, :n], there[i, :n] = data.yi, data.vi, True
    k = there.sum(axis=1)
    position = np.empty((len(datasets), len(methods)), dtype=np.intp)
    frames, start = [], 0
    for m, (tau2, interval) in enumerate(methods):
        at = np.flatnonzero(k >= 2) if m else np.arange(len(datasets))
        position[at, m] = start + np.arange(len(at))
        single = np.flatnonzero(k < 2)
        position[single, m] = position[single, 0]
        p = pool(yi[at], vi[at], mask=there[at], tau2_method=tau2, ci_method=interval, level=level)
        pooled = k[at] >= 2
        frame = pd.DataFrame({"dataset": at, "k": p.k})
        here = [datasets[i] for i in at.tolist()]
        frame["measure"] = ["" if isinstance(data, str) else data.measure for data in here]
        frame["tau2_method"], frame["ci_method"] = np.where(pooled, tau2, ""), np.where(pooled, interval, "")
        for name in ("estimate", "se", "ci_lower", "ci_upper", "p_value", "tau2"):
            frame[name] = getattr(p, name)
        frame["i2"] = p.i2_tau2
        frame["reason"] = [
            data if isinstance(data, str) else ("" if n >= 2 else str(why))
            for data, n, why in zip(here, p.k, p.reason, strict=True)
        ]
        frames.append(frame)
        start += len(at)
    table = pd.concat(frames, ignore_index=True)
    signs = np.array([1 if isinstance(d, str) else d.sign for d in datasets])[table["dataset"]]
    bounds = np.array(
        [(np.nan, np.nan) if isinstance(d, str) or d.important is None else d.important for d in datasets]
    )
    near = np.where(signs > 0, bounds[table["dataset"], 1], -bounds[table["dataset"], 0])
    benefit = signs * table["estimate"].to_numpy()
    low, high = table["ci_lower"].to_numpy(), table["ci_upper"].to_numpy()
    missing = np.isnan(benefit)
    excludes = (low > 0) | (high < 0)
    statements: tuple[tuple[str, Any, Any], ...] = (
        ("better", benefit > 0, missing),
        ("excludes_no_effect", excludes, np.isnan(low)),
        ("better_and_excludes", excludes & (benefit > 0), np.isnan(low)),
        ("exceeds_important", benefit >= near, missing | np.isnan(near)),
    )
    for name, value, lost in statements:
        table[name] = pd.arrays.BooleanArray(value, lost)
    return table, position


def _benefit(analyses: pd.DataFrame, datasets: Sequence[Dataset | str], unit: str) -> Floats:
    sizes = []
    for i, se in zip(analyses["dataset"], analyses["se"], strict=True):
        data = datasets[i]
        if isinstance(data, str):
            sizes.append(np.nan)
        elif unit == "standard errors" or data.important is None:
            sizes.append(data.sign * se)
        else:
            sizes.append(data.important[1] if data.sign > 0 else data.important[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(analyses["estimate"] / np.array(sizes, dtype=np.float64))


def shares(found: Multiverse) -> pd.DataFrame:
    """Each statement with the distinct analyses it holds in (``holds`` of ``of``) and the ``share`` in percent."""
    rows = []
    for name, words in STATEMENTS.items():
        values = found.analyses[name].dropna()
        n = len(values)
        holds = int(values.sum())
        rows.append((name, words, holds, n, 100 * holds / n if n else np.nan))
    return pd.DataFrame(rows, columns=["statement", "words", "holds", "of", "share"])


def moves(found: Multiverse) -> pd.DataFrame:
    """How far each choice moves the answer with everything else held fixed, the strongest first.

    ``range``: largest minus smallest benefit over its options (in the unit of the multiverse), averaged over all
    combinations of the other choices that can be analysed with two options at least; ``flips``: share of these, in
    percent, in which "better, and the interval excludes no effect" changes.
    """
    shape = [len(values) for values in found.choices.values()]
    at = found.specifications["analysis"].to_numpy().reshape(shape)
    benefit = found.analyses["benefit"].to_numpy(dtype=np.float64)[at]
    holds = found.analyses["better_and_excludes"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)[at]
    rows = []
    for axis, (name, values) in enumerate(found.choices.items()):
        some = np.isfinite(benefit).sum(axis=axis) >= 2
        span = _span(benefit, axis)[some]
        flips = _span(holds, axis)[some & (np.isfinite(holds).sum(axis=axis) >= 2)] > 0
        rows.append(
            (name, len(values), span.mean() if span.size else np.nan, 100 * flips.mean() if flips.size else np.nan)
        )
    table = pd.DataFrame(rows, columns=["choice", "options", "range", "flips"])
    return table.sort_values(["range", "flips"], ascending=False, kind="stable", ignore_index=True)


def _span(values: np.ndarray, axis: int) -> np.ndarray:
    low = np.where(np.isnan(values), np.inf, values).min(axis=axis)
    high = np.where(np.isnan(values), -np.inf, values).max(axis=axis)
    return np.asarray(high - low)


@dataclass(frozen=True, slots=True)
class Patch:
    """What an option changes in the protocol; what is None or empty stays as in the main analysis."""

    label: str = ""
    measure: str | None = None
    include: Mapping[str, tuple[str, ...]] | None = None
    exclude: Mapping[str, tuple[str, ...]] | None = None
    crossover: str | None = None
    unknown_direction: str | None = None
    shared_arms: str | None = None
    preferences: tuple[Preference, ...] = ()
    #: Which of several times in the window: "nearest" to its nominal day, "earliest" or "latest".
    time: str | None = None
    #: Keys of the protocol's assumptions.
    assumptions: Mapping[str, Any] | None = None
    #: (study, outcome, "sd" or "se"): what an unlabelled figure after a mean is taken for.
    readings: tuple[tuple[str, str, str], ...] = ()
    tau2: str | None = None
    interval: str | None = None


Choices = Mapping[str, Mapping[str, Patch]]
_MEMBERSHIP = ("include", "exclude")
_MODEL = (TAU2, INTERVAL)
_CORRELATIONS = ("crossover_correlation", "crossover_phi")
_ASSUMPTIONS = (*_CORRELATIONS, "zero_cells", "md_variance", "smd_variance", "p_inequality_as_equality")


def choices_of(protocol: Protocol, outcome: str) -> dict[str, dict[str, Patch]]:
    """Choices of a protocol for one outcome, each with its main option first.

    From its key ``multiverse`` where it has one. Without: its sensitivity sets, those that change the same thing as
    options of one choice; its measures; the tau2 methods and intervals of its models.
    """
    found: dict[str, dict[str, Patch]] = {}
    listed = getattr(protocol, "multiverse", None)
    if listed is not None:
        measures = (None, "", *MEASURES_OF_TYPE[protocol.outcomes[outcome].type])
        for name, options in listed.choices.items():
            patches = {key: patch_of(option) for key, option in options.items()}
            if fitting := {key: patch for key, patch in patches.items() if patch.measure in measures}:
                found[name] = fitting
    else:
        for name, chosen in protocol.sets.items():
            patch = Patch(
                chosen.label, None, chosen.include or None, chosen.exclude or None, chosen.crossover,
                chosen.unknown_direction, chosen.shared_arms, chosen.preferences,
            )  # fmt: skip
            if name != "main" and (touched := _touched(patch)):
                twin = next((c for c, o in found.items() if _touched(list(o.values())[-1]) == touched), None)
                # A choice is called by the one column or key that it changes.
                called = name if len(touched) > 1 else touched[0] if isinstance(touched[0], str) else touched[0][-1]
                called = twin or (name if called in found else called)
                found.setdefault(called, {"main": Patch(protocol.sets["main"].label)})[name] = patch
    of = protocol.outcomes[outcome]
    if of.also and not any(p.measure for options in found.values() for p in options.values()):
        found["measure"] = {m: Patch(m, measure=m) for m in (of.measure, *of.also)}
    models = protocol.models_of("main")
    if TAU2 not in found:
        found[TAU2] = {m.tau2: Patch(tau2=m.tau2) for m in models}
    if INTERVAL not in found:
        found[INTERVAL] = {m.interval: Patch(interval=m.interval) for m in models}
    return found


def _is_membership(patch: Patch) -> bool:
    return {t if isinstance(t, str) else t[0] for t in _touched(patch)} <= {*_MEMBERSHIP}


def _touched(patch: Patch) -> tuple[str | tuple[str, ...], ...]:
    out: list[str | tuple[str, ...]] = []
    for field in fields(patch):
        value = getattr(patch, field.name)
        if field.name != "label" and value:
            out.append((field.name, *sorted(value)) if isinstance(value, Mapping) else field.name)
    return tuple(out)


def patch_of(option: Any) -> Patch:
    """Patch from an option of the protocol's ``multiverse`` (any object with the same attributes)."""
    names = {field.name for field in fields(Patch)} - {"assumptions", "readings"}
    values = {n: getattr(option, n) for n in names if getattr(option, n, None)}
    assumed = {n: getattr(option, n) for n in _ASSUMPTIONS if getattr(option, n, None) is not None}
    readings = tuple((r.study, r.outcome, r.use) for r in getattr(option, "readings", ()))
    return Patch(**values, assumptions=assumed or None, readings=readings)


@dataclass(slots=True)
class ProtocolBuilder:
    """The data of a combination of options: `select()` on the protocol that the options make.

    A trial's effect depends on how it is computed, not on which other trials are in: `select` runs once for each way
    to compute, with all trials, and the sets are cut out of its result.
    """

    studies: pd.DataFrame
    arms: pd.DataFrame
    contrasts: pd.DataFrame
    protocol: Protocol
    outcome: str
    window: str
    choices: Choices
    _effects: dict[object, pd.DataFrame]
    _members: dict[object, frozenset[str]]
    _built: dict[object, pd.DataFrame]
    _converted: dict[object, pd.DataFrame]

    def __call__(self, options: Mapping[str, str]) -> Dataset | str:
        """Data of these options, or why there are none."""
        patches = [self.choices[name][option] for name, option in options.items()]
        effects = self._computed(patches)
        inside = self._inside(patches)
        mine = effects[effects["study_id"].isin(inside)] if len(effects) else effects
        if mine.empty:
            return "no trial has a usable result"
        outcome = self.protocol.outcomes[self.outcome]
        measure = str(mine["measure"].iloc[0])
        return Dataset(
            mine["estimate"].to_numpy(dtype=np.float64),
            mine["variance"].to_numpy(dtype=np.float64),
            measure,
            outcome.benefit,
            outcome.bounds(measure, self.protocol.certainty.ratio),
        )

    def idle(self) -> dict[str, str]:
        """Data choices that change nothing whatever the others are, with the reason."""
        data = {name: options for name, options in self.choices.items() if name not in _MODEL}
        computing = {n: o for n, o in data.items() if not all(_is_membership(p) for p in o.values())}
        found: dict[str, str] = {}
        keys: dict[object, int] = {}
        grid, usable = [], set()
        for patches in product(*(options.values() for options in computing.values())):
            effects = self._computed(patches)
            usable |= set(effects["study_id"])
            columns = ("comparison_id", "measure", "estimate", "variance")
            grid.append(keys.setdefault(tuple(map(tuple, (effects[c] for c in columns))), len(keys)))
        shaped = np.array(grid).reshape([len(options) for options in computing.values()])
        for axis, name in enumerate(computing):
            if (shaped == shaped.take([0], axis=axis)).all():
                found[name] = "no result of this outcome and window depends on it"
        sets = {n: o for n, o in data.items() if n not in computing}
        which = list(product(*(options.values() for options in sets.values())))
        inside = [self._inside(patches) & usable for patches in which]
        for axis, name in enumerate(sets):
            by_rest: dict[object, set[frozenset[str]]] = {}
            for patches, trials in zip(which, inside, strict=True):
                rest = tuple(id(p) for i, p in enumerate(patches) if i != axis)
                by_rest.setdefault(rest, set()).add(trials)
            if all(len(values) == 1 for values in by_rest.values()):
                found[name] = "no trial with a usable result here is touched by it"
        return found

    def _inside(self, patches: Iterable[Patch]) -> frozenset[str]:
        main = self.protocol.setting("main")
        include, exclude = dict(main.include), dict(main.exclude)
        for patch in patches:
            include |= patch.include or {}
            exclude |= patch.exclude or {}
        key = (tuple(sorted(include.items())), tuple(sorted(exclude.items())))
        if key not in self._members:
            chosen = StudySet(label="", include=include, exclude=exclude)
            self._members[key] = frozenset(self.studies.loc[members(self.studies, chosen)[0], "study_id"])
        return self._members[key]

    def _computed(self, patches: Sequence[Patch]) -> pd.DataFrame:
        merged: dict[str, Any] = {}
        assumed: dict[str, Any] = {}
        preferences: tuple[Preference, ...] = ()
        readings: tuple[tuple[str, str, str], ...] = ()
        for patch in patches:
            single = ("measure", "crossover", "unknown_direction", "shared_arms", "time")
            merged |= {n: getattr(patch, n) for n in single if getattr(patch, n)}
            assumed |= patch.assumptions or {}
            preferences += patch.preferences
            readings += patch.readings
        key = (tuple(sorted(merged.items())), tuple(sorted(assumed.items())), preferences, readings)
        if key not in self._effects:
            self._effects[key] = self._select(merged, assumed, preferences, readings)
        return self._effects[key]

    def _select(
        self,
        merged: Mapping[str, Any],
        assumed: Mapping[str, Any],
        preferences: tuple[Preference, ...],
        readings: Iterable[tuple[str, str, str]],
    ) -> pd.DataFrame:
        main, outcome = self.protocol.setting("main"), self.protocol.outcomes[self.outcome]
        every = StudySet(
            label="every trial",
            crossover=merged.get("crossover", main.crossover),
            unknown_direction=merged.get("unknown_direction", main.unknown_direction),
            shared_arms=merged.get("shared_arms", main.shared_arms),
            preferences=(*preferences, *main.preferences),
        )
        window = self.protocol.windows[self.window]
        ends = {"earliest": window.lower, "latest": window.upper}
        if window.nominal is not None and np.isfinite(end := ends.get(merged.get("time", ""), np.inf)):
            window = window.model_copy(update={"nominal": end})
        measure = str(merged.get("measure", outcome.measure))
        asked = self.protocol.model_copy(
            update={
                "outcomes": {self.outcome: outcome.model_copy(update={"measure": measure, "also": ()})},
                "windows": {self.window: window},
                "assumptions": self.protocol.assumptions.model_copy(update=dict(assumed)),
            }
        )
        # The candidates are the same for all choices but these, and their effects for all but the options.
        rows = (window.nominal, every.shared_arms, tuple(readings))
        if rows not in self._built:
            self._built[rows] = self._candidates(asked, str(every.shared_arms), readings)
        table = self._built[rows]
        if table.empty:
            return pd.DataFrame(columns=["study_id", "comparison_id", "measure", "estimate", "variance"])
        how = (rows, measure, options_of(every, asked))
        if how not in self._converted:
            self._converted[how] = convert(table, Analysis(self.outcome, measure, "main"), every, asked)[[*CHOOSING]]
        chosen = choose(self._converted[how], every)
        if every.shared_arms != "keep":
            independent = {one.study for one in asked.independent_comparisons}
            chosen = by_trial(chosen, asked.assumptions.comparison_correlation, independent)
        return chosen.assign(measure=measure)

    def _candidates(self, asked: Protocol, shared_arms: str, readings: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
        arms = self.arms
        for study, of, use in readings:
            arms = read_as(arms, study, of, use)
        return build_candidates(self.studies, arms, self.contrasts, asked, shared_arms).table


def read_as(arms: pd.DataFrame, study: str, outcome: str, use: str) -> pd.DataFrame:
    """The arms table with the SD or SE of one trial and outcome taken for what ``use`` ("sd" or "se") says."""
    other = {"sd": "se", "se": "sd"}[use]
    rows = (arms["study_id"] == study) & (arms["outcome"] == outcome) & arms[use].isna() & arms[other].notna()
    arms = arms.copy()
    arms.loc[rows, use] = arms.loc[rows, other]
    arms.loc[rows, other] = np.nan
    return arms


def protocol_builder(
    studies: pd.DataFrame,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    protocol: Protocol,
    outcome: str,
    window: str,
    choices: Choices,
) -> ProtocolBuilder:
    """Builder for :func:`run` from the checked tables; only rows of the outcome are looked at."""
    mine = [table[table["outcome"] == outcome].reset_index(drop=True) for table in (arms, contrasts)]
    return ProtocolBuilder(studies, mine[0], mine[1], protocol, outcome, window, choices, {}, {}, {}, {})


def multiverse_of(
    studies: pd.DataFrame,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    protocol: Protocol,
    outcome: str,
    window: str,
) -> tuple[Multiverse, dict[str, str]]:
    """Multiverse of one outcome and window of a protocol, and the choices that make no difference with the reason."""
    choices = choices_of(protocol, outcome)
    inert = dict(_cannot_matter(choices, studies, arms, contrasts, protocol, outcome, window))
    live = {name: options for name, options in choices.items() if name not in inert}
    build = protocol_builder(studies, arms, contrasts, protocol, outcome, window, live)
    inert |= build.idle()
    live = {name: options for name, options in live.items() if name not in inert}
    names = {n: [_method(p, n) or key for key, p in o.items()] if n in _MODEL else list(o) for n, o in live.items()}
    return run(names, build, level=protocol.level), inert


def _method(patch: Patch, name: str) -> str:
    return str(getattr(patch, name) or "")


def _cannot_matter(
    choices: Choices,
    studies: pd.DataFrame,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    protocol: Protocol,
    outcome: str,
    window: str,
) -> Iterator[tuple[str, str]]:
    """Choices of how to compute that cannot matter, seen from the rows of this outcome and window alone."""
    tables = [t[t["outcome"] == outcome] for t in (arms, contrasts)]
    for at, table in enumerate(tables):
        when = zip(table["timepoint_days"].astype(float), table["timepoint"].fillna(""), strict=True)
        tables[at] = table[np.array([window_of(protocol.windows, *one) == window for one in when], dtype=bool)]
    arm_rows, contrast_rows = tables
    present = {*arm_rows["study_id"], *contrast_rows["study_id"]}
    mine = studies[studies["study_id"].isin(present)]
    binary = protocol.outcomes[outcome].type == "binary"
    for name, options in choices.items():
        if name in _MODEL:
            continue
        touched = {t if isinstance(t, str) else t[0] for p in options.values() for t in _touched(p)}
        keys = {k for p in options.values() for k in (p.assumptions or {})}
        if touched <= {*_MEMBERSHIP}:
            continue
        if touched <= {"crossover", "assumptions"} and keys <= {*_CORRELATIONS}:
            wrong = "crossover_correlation" if binary else "crossover_phi"
            if not mine["design"].eq("crossover").any():
                yield name, "no crossover trial reports this outcome here"
            elif touched == {"assumptions"} and keys == {wrong}:
                yield name, f"{wrong} does not bear on this type of outcome"
        elif touched == {"assumptions"} and keys == {"zero_cells"} and not binary:
            yield name, "the outcome is not binary"
        elif touched == {"preferences"}:
            asked = {(p.study, p.outcome) for o in options.values() for p in o.preferences}
            both = {*arm_rows["study_id"]} & {*contrast_rows["study_id"]}
            if not any(of == outcome and study in both for study, of in asked):
                yield name, "the trial does not report this outcome here in both tables"
        elif touched == {"readings"}:
            asked = {(r[0], r[1]) for o in options.values() for r in o.readings}
            if not any(of == outcome and study in {*arm_rows["study_id"]} for study, of in asked):
                yield name, "the figure is not of this outcome and window"
        elif touched == {"time"}:
            rows = pd.concat([t[["study_id", "timepoint_days"]] for t in tables]).drop_duplicates()
            if not rows["study_id"].duplicated().any():
                yield name, "no trial reports two times in this window"
