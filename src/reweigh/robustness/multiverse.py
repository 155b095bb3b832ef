"""Every defensible analysis: the product of the choices that the data and the protocol leave open."""

from __future__ import annotations

from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from reweigh.effects.aggregate import by_trial
from reweigh.effects.candidates import build_candidates
from reweigh.effects.selection import CHOOSING, Analysis, alike, choose, convert, members, members_of_rows
from reweigh.measures import MEASURES_OF_TYPE, WITHOUT_NULL
from reweigh.pool.refit import COUNTS, Trials, no_null, refit, trials_of
from reweigh.pool.tau2 import Floats
from reweigh.protocol.model import Assumptions, Option, Preference, Protocol, Reading, StudySet
from reweigh.protocol.models import PRESETS, Model
from reweigh.protocol.windows import window_of
from reweigh.text.codes import code

MODEL = POOLING, TAU2, INTERVAL = "pooling", "tau2", "interval"
"""Names of the choices that belong to the model; every other choice belongs to the data."""
HOW = ("measure", "pooling", "tau2_method", "ci_method")
RESULTS = (
    "estimate", "se", "ci_lower", "ci_upper", "p_value", "guarded_ci_lower", "guarded_ci_upper", "guarded_p_value",
    "tau2", "i2",
)  # fmt: skip
"""Columns of an analysis: how it was pooled (empty below two trials), and what came out."""
STATEMENTS = {
    "better": "better than control",
    "excludes_no_effect": "interval excludes no effect",
    "better_and_excludes": "better than control and the interval excludes no effect",
    "exceeds_important": "estimate exceeds the smallest important difference",
}
AS_POOLED = "analysis scale"
"""Unit of the estimates of single groups, of which neither direction is better."""
MOST = 200_000
"""Most combinations that are run."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Trials of one way to choose the data.

    ``sign``: -1 where lower is better, else 1. ``important``: bounds of the smallest important difference around 0,
    analysis scale, None where there is none. ``directed``: whether lower or higher is better at all.
    """

    trials: Trials
    sign: int
    important: tuple[float, float] | None = None
    directed: bool = True
    #: Number of trials; None where each effect is one.
    k: int | None = None


Build = Callable[[Mapping[str, str]], Dataset | str]
"""Takes an option of each data choice; gives the data, or the code of why there are none."""
COCHRANE = (PRESETS["cochrane"],)


@dataclass(frozen=True, slots=True)
class Multiverse:
    """A multiverse: one row per combination, each pointing to the analysis that it is.

    ``specifications``: the choices as columns, ``analysis`` (position in ``analyses``). ``analyses``: one row per
    distinct analysis: the columns of HOW and RESULTS, k, comparisons, benefit (in ``unit``, above 0 is better), the
    columns of STATEMENTS (True, False or missing; by the guarded interval) and reason_code.
    """

    choices: dict[str, tuple[str, ...]]
    specifications: pd.DataFrame
    analyses: pd.DataFrame
    #: "smallest important differences", or "standard errors" where a measure has none; AS_POOLED of single groups.
    unit: str


def run(
    choices: Mapping[str, Sequence[str]], build: Build, *, models: Sequence[Model] = COCHRANE, level: float = 0.95
) -> Multiverse:
    """Run every combination of the choices, each distinct analysis once.

    Parameters
    ----------
    choices
        Options by choice, the main option first. TAU2 and INTERVAL, which must be there, and POOLING, by default that
        of the first model, are those of a Model; all others go to ``build``.
    build
        The data of a combination of data options; called once for each.
    models
        What the model choices do not say is that of the first of these with the same pooling.

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
    model_names = [name for name in MODEL if name in options]
    data_names = [name for name in options if name not in MODEL]
    ways = [_model(models, dict(zip(model_names, w, strict=True))) for w in product(*(options[n] for n in model_names))]
    counted = any(model.pooling != "inverse variance" for model in models)
    datasets: list[Dataset | str] = []
    known: dict[Any, int] = {}
    of_data: list[int] = []
    for values in product(*(options[name] for name in data_names)):
        found = build(dict(zip(data_names, values, strict=True)))
        key = found if isinstance(found, str) else _key(found, counted)
        if key not in known:
            known[key] = len(datasets)
            datasets.append(found)
        of_data.append(known[key])
    analyses, position = _analyses(datasets, ways, level)
    names = [*data_names, *model_names]
    grid = pd.DataFrame(list(product(*(options[n] for n in names))), columns=names)
    grid["analysis"] = position[np.repeat(of_data, len(ways)), np.tile(np.arange(len(ways)), len(of_data))]
    units = [d.important for d in datasets if not isinstance(d, str)]
    unit = "smallest important differences" if units and all(units) else "standard errors"
    if any(not isinstance(d, str) and not d.directed for d in datasets):
        unit = AS_POOLED
    analyses["benefit"] = _benefit(analyses, datasets, unit)
    return Multiverse({n: options[n] for n in names}, grid, analyses.drop(columns="dataset"), unit)


def _model(models: Sequence[Model], said: Mapping[str, str]) -> Model | str:
    """The model of some model choices, or the code of there being none."""
    pooling = said.get(POOLING, models[0].pooling)
    base = next(model for model in models if model.pooling == pooling)
    try:
        return Model.model_validate({**base.model_dump(), **said})
    except ValidationError:
        return code("no_such_model", **{POOLING: pooling, **said})


def _key(data: Dataset, counted: bool) -> tuple[object, ...]:
    t = data.trials
    order = np.lexsort([t.vi, t.yi])
    counts = t.counts[:, order].tobytes() if counted else b""
    return t.yi[order].tobytes(), t.vi[order].tobytes(), counts, t.measure, data.sign


def _analyses(
    datasets: Sequence[Dataset | str], ways: Sequence[Model | str], level: float
) -> tuple[pd.DataFrame, np.ndarray]:
    """Distinct analyses, and the position (datasets, ways) of each; one trial or none knows no model."""
    batches = list(_batches(datasets))
    several = np.array([not isinstance(data, str) and len(data.trials.yi) >= 2 for data in datasets])
    position = np.empty((len(datasets), len(ways)), dtype=np.intp)
    first = next((w for w, model in enumerate(ways) if isinstance(model, Model)), 0)
    frames: list[pd.DataFrame] = []
    start = 0
    for w in sorted(range(len(ways)), key=lambda w: w != first):
        at, model = np.flatnonzero(several) if frames else np.arange(len(datasets)), ways[w]
        position[at, w] = start + np.arange(len(at))
        position[~several, w] = position[~several, first]
        frames.append(_fits(datasets, batches, model, level).iloc[at])
        start += len(at)
    table = pd.concat(frames, ignore_index=True)
    data = [datasets[i] for i in table["dataset"]]
    signs = np.array([1 if isinstance(d, str) else d.sign for d in data])
    near = np.array([np.nan if isinstance(d, str) or d.important is None else _near(d) for d in data])
    benefit = signs * table["estimate"].to_numpy()
    low, high = (table[f"guarded_ci_{end}"].to_numpy() for end in ("lower", "upper"))
    directed = np.array([not isinstance(d, str) and d.directed for d in data])
    null = np.array([not isinstance(d, str) and d.trials.measure not in WITHOUT_NULL for d in data])
    missing, open_ = np.isnan(benefit) | ~directed, np.isnan(low) | ~null
    excludes = (low > 0) | (high < 0)
    statements: tuple[tuple[str, Any, Any], ...] = (
        ("better", benefit > 0, missing),
        ("excludes_no_effect", excludes, open_),
        ("better_and_excludes", excludes & (benefit > 0), open_ | ~directed),
        ("exceeds_important", benefit >= near, missing | np.isnan(near)),
    )
    for name, value, lost in statements:
        table[name] = pd.arrays.BooleanArray(value, lost)
    return table, position


def _near(data: Dataset) -> float:
    """Smallest important benefit, above 0."""
    low, high = data.important or (np.nan, np.nan)
    return high if data.sign > 0 else -low


def _batches(datasets: Sequence[Dataset | str]) -> Iterator[tuple[list[int], Trials, NDArray[np.bool_]]]:
    """Data sets of one measure: their positions, their trials (D, k) and which of those there are."""
    measures = dict.fromkeys(data.trials.measure for data in datasets if not isinstance(data, str))
    for measure in measures:
        at = [i for i, data in enumerate(datasets) if not isinstance(data, str) and data.trials.measure == measure]
        here = [data.trials for data in datasets if not isinstance(data, str) and data.trials.measure == measure]
        shape = len(here), max(len(t.yi) for t in here)
        there = np.zeros(shape, dtype=bool)
        # Where there is no trial any counts do.
        together = Trials(measure, np.zeros(shape), np.ones(shape), np.ones((4, *shape)))
        for i, t in enumerate(here):
            n = len(t.yi)
            there[i, :n], together.yi[i, :n], together.vi[i, :n], together.counts[:, i, :n] = True, t.yi, t.vi, t.counts
        yield at, together, there


def _fits(
    datasets: Sequence[Dataset | str],
    batches: Sequence[tuple[list[int], Trials, NDArray[np.bool_]]],
    model: Model | str,
    level: float,
) -> pd.DataFrame:
    """Every data set by one model, with the reason where it gives nothing."""
    k = [0 if isinstance(data, str) else data.k or len(data.trials.yi) for data in datasets]
    columns: dict[str, Any] = {"dataset": np.arange(len(datasets)), "k": k, "comparisons": np.zeros_like(k)}
    columns |= {name: np.full(len(datasets), "", dtype=object) for name in HOW}
    columns |= {name: np.full(len(datasets), np.nan) for name in RESULTS}
    reason = np.array([data if isinstance(data, str) else "" for data in datasets], dtype=object)
    for at, trials, there in batches:
        columns["comparisons"][at], columns["measure"][at] = there.sum(axis=1), trials.measure
        if isinstance(model, str):
            reason[at] = model
            continue
        p = refit(trials, model, mask=there, level=level, bootstrap=False)
        for name in RESULTS:
            columns[name][at] = p.i2_tau2 if name == "i2" else getattr(p, name)
        for name in HOW[1:]:
            columns[name][at] = np.where(p.k >= 2, getattr(p, name), "")
        untested = no_null(trials.measure) if trials.measure in WITHOUT_NULL else ""
        reason[at] = np.where((p.k >= 2) & np.isfinite(p.estimate) & np.isfinite(p.ci_lower), untested, p.reason)
    return pd.DataFrame(columns | {"reason_code": reason})


def _benefit(analyses: pd.DataFrame, datasets: Sequence[Dataset | str], unit: str) -> Floats:
    sizes = []
    for i, se in zip(analyses["dataset"], analyses["se"], strict=True):
        data = datasets[i]
        if isinstance(data, str):
            sizes.append(np.nan)
        else:
            size = 1.0 if unit == AS_POOLED else se if unit == "standard errors" else _near(data)
            sizes.append(data.sign * size)
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


Choices = Mapping[str, Mapping[str, Option]]
_MEMBERSHIP = ("include", "exclude")
_SINGLE = ("measure", "crossover", "unknown_direction", "shared_arms", "time")
_OF_SET = ("label", *_MEMBERSHIP, "reading", "crossover", "unknown_direction", "shared_arms", "preferences")


def choices_of(protocol: Protocol, outcome: str) -> dict[str, dict[str, Option]]:
    """Choices of a protocol for one outcome, each with its main option first.

    From its key ``multiverse`` where it has one. Without: its sensitivity sets, those that change the same thing as
    options of one choice; its measures; the tau2 methods and intervals of its models, and their poolings where the main
    one is not by inverse variance.
    """
    found: dict[str, dict[str, Option]] = {}
    if protocol.multiverse is not None:
        measures = (None, *MEASURES_OF_TYPE[protocol.outcomes[outcome].type])
        for name, options in protocol.multiverse.choices.items():
            if fitting := {key: option for key, option in options.items() if option.measure in measures}:
                found[name] = fitting
    else:
        called: dict[tuple[str, ...], str] = {}
        for name, chosen in protocol.sets.items():
            option = Option.model_validate({key: getattr(chosen, key) for key in _OF_SET})
            touched = _touched(option)
            if name == "main" or not touched:
                continue
            if touched not in called:
                # A choice is called by the one column or key that it changes.
                what = touched[0].rpartition(" ")[2] if len(touched) == 1 else name
                called[touched] = name if what in found else what
                found[called[touched]] = {"main": Option(label=protocol.sets["main"].label)}
            found[called[touched]][name] = option
    of = protocol.outcomes[outcome]
    if of.also and not any(o.measure for options in found.values() for o in options.values()):
        found["measure"] = {m: Option(label=m, measure=m) for m in (of.measure, *of.also)}
    models = protocol.models_of(outcome)
    if models[0].pooling != "inverse variance" and len({m.pooling for m in models}) > 1:
        found[POOLING] = {m.pooling: Option() for m in models}
    if TAU2 not in found:
        found[TAU2] = {m.tau2: Option() for m in models}
    if INTERVAL not in found:
        found[INTERVAL] = {m.interval: Option() for m in models}
    return found


def _touched(option: Option) -> tuple[str, ...]:
    """What an option changes: keys of the protocol, and `include` and `exclude` with the column."""
    out: list[str] = []
    for key in Option.model_fields:
        value = getattr(option, key)
        if key in _MEMBERSHIP:
            out += [f"{key} {column}" for column in sorted(value)]
        elif key != "label" and value not in (None, ()):
            out.append(key)
    return tuple(out)


def _is_membership(option: Option) -> bool:
    return all(touched.startswith(_MEMBERSHIP) for touched in _touched(option))


class How(NamedTuple):
    """How the effects of all trials are computed; None and empty: as in the main analysis."""

    measure: str | None
    crossover: str | None
    unknown_direction: str | None
    shared_arms: str | None
    time: str | None
    assumptions: tuple[tuple[str, Any], ...]
    preferences: tuple[Preference, ...]
    readings: tuple[Reading, ...]
    #: Whose readings, and what else a row can say about itself: both decide before rows become comparisons.
    reading: tuple[str, ...]
    include: tuple[tuple[str, tuple[str, ...]], ...]
    exclude: tuple[tuple[str, tuple[str, ...]], ...]


def how_of(options: Iterable[Option], of_rows: Container[str] = ()) -> How:
    """What options say together; of two that name the same thing the later one holds.

    ``of_rows``: columns of conditions of which rows have values of their own.
    """
    single: dict[str, Any] = dict.fromkeys(_SINGLE)
    reading: tuple[str, ...] = ()
    conditions: dict[str, dict[str, tuple[str, ...]]] = {"include": {}, "exclude": {}}
    assumed: dict[str, Any] = {}
    preferences: list[Preference] = []
    readings: list[Reading] = []
    for option in options:
        single |= {name: value for name in _SINGLE if (value := getattr(option, name))}
        assumed |= {n: v for n in _ASSUMED if (v := getattr(option, n)) is not None}
        preferences += option.preferences
        readings += option.readings
        reading = option.reading or reading
        for name, those in conditions.items():
            those |= {column: values for column, values in getattr(option, name).items() if column in of_rows}
    return How(
        **single, assumptions=tuple(sorted(assumed.items())), preferences=(*preferences,), readings=(*readings,),
        reading=reading, include=tuple(sorted(conditions["include"].items())),
        exclude=tuple(sorted(conditions["exclude"].items())),
    )  # fmt: skip


_ASSUMED = tuple(name for name in Option.model_fields if name in Assumptions.model_fields)


def _inside(table: pd.DataFrame, outcome: str, window: str, protocol: Protocol) -> pd.DataFrame:
    """The rows of one outcome and window."""
    mine = table[table["outcome"] == outcome]
    when = zip(mine["timepoint_days"].astype(float), mine["timepoint"].fillna(""), strict=True)
    there = [window_of(protocol.windows, *one) == window for one in when]
    return mine[np.array(there, dtype=bool)].reset_index(drop=True)


class ProtocolBuilder:
    """The data of a combination of options: `select()` on the protocol that the options make.

    A trial's effect depends on how it is computed, not on which other trials are in: `select` runs once for each way
    to compute, with all trials, and the sets are cut out of its result.

    Parameters
    ----------
    studies, arms, contrasts
        The checked tables; only rows of the outcome are looked at.
    protocol, outcome, window, choices
        What is analysed, and the choices of :func:`choices_of`.
    """

    def __init__(
        self,
        studies: pd.DataFrame,
        arms: pd.DataFrame,
        contrasts: pd.DataFrame,
        protocol: Protocol,
        outcome: str,
        window: str,
        choices: Choices,
    ) -> None:
        self.studies, self.protocol, self.choices = studies, protocol, choices
        self.outcome, self.window = outcome, window
        tables = tuple(_inside(table, outcome, window, protocol) for table in (arms, contrasts))
        self.arms, self.contrasts = tables
        self._reported = {*self.arms["study_id"]}
        self._read = {reading for table in tables for reading in table["reading"].fillna("")}
        self._of_rows = {
            c for c in protocol.set_columns if any(c in t and (t[c].fillna("") != "").any() for t in tables)
        }
        # Many options lead to the same candidates, effects and chosen rows: each table is kept once, by its content.
        self._tables: list[pd.DataFrame] = []
        self._known: dict[Hashable, int] = {}
        self._candidates, self._converted = cache(self._build), cache(self._convert)
        self._chosen, self._members, self._moot = cache(self._choose), cache(self._inside), cache(self._unread)

    def __call__(self, options: Mapping[str, str]) -> Dataset | str:
        """Data of these options, or the code of why there are none."""
        chosen = [self.choices[name][option] for name, option in options.items()]
        effects = self._tables[self._effects(chosen)]
        mine = effects[effects["study_id"].isin(self._trials(chosen))]
        if self.protocol.assumptions.changes_in_smd == "apart":
            mine = alike(mine, mine)[1]
        if mine.empty:
            return "no_usable_result"
        outcome, trials = self.protocol.outcomes[self.outcome], trials_of(mine)
        bounds = outcome.bounds(trials.measure, self.protocol.certainty.ratio)
        return Dataset(trials, outcome.benefit, bounds, outcome.better is not None, mine["study_id"].nunique())

    def idle(self) -> dict[str, str]:
        """Data choices that change nothing whatever the others are, with the code of the reason."""
        data = {name: options for name, options in self.choices.items() if name not in MODEL}
        sets = {n: o for n, o in data.items() if all(map(_is_membership, o.values()))}
        computing = {n: o for n, o in data.items() if n not in sets or any(map(self._in_rows, o.values()))}
        usable: set[str] = set()

        def effects(options: Iterable[Option]) -> int:
            at = self._effects(options)
            usable.update(self._tables[at]["study_id"])
            return at

        idle = dict.fromkeys(_inert(computing, effects), "nothing_depends")
        nobody = _inert(sets, lambda options: self._trials(options) & usable)
        idle |= {name: "nobody_touched" for name in nobody if name not in computing}
        return {name: why for name, why in idle.items() if name not in sets or name in nobody}

    def _in_rows(self, option: Option) -> bool:
        """Whether rows have their own say in an option that is about studies."""
        return bool({*option.include, *option.exclude} & self._of_rows)

    def _trials(self, options: Iterable[Option]) -> frozenset[str]:
        main = self.protocol.setting("main")
        include, exclude = dict(main.include), dict(main.exclude)
        for option in options:
            include |= option.include
            exclude |= option.exclude
        return self._members(tuple(sorted(include.items())), tuple(sorted(exclude.items())))

    def _inside(self, include: tuple[Any, ...], exclude: tuple[Any, ...]) -> frozenset[str]:
        chosen = StudySet(label="", include=dict(include), exclude=dict(exclude))
        return frozenset(self.studies.loc[members(self.studies, chosen)[0], "study_id"])

    def _effects(self, options: Iterable[Option]) -> int:
        """Position of the table of every trial's effect."""
        main = self.protocol.setting("main")
        start = Option(include=main.include, exclude=main.exclude, reading=main.reading)
        how = how_of([start, *options], self._of_rows)
        measure = how.measure or self.protocol.outcomes[self.outcome].measure
        window = self.protocol.windows[self.window]
        end = {"earliest": window.lower, "latest": window.upper}.get(how.time or "", np.inf)
        nominal = end if window.nominal is not None and np.isfinite(end) else window.nominal
        shared = how.shared_arms or main.shared_arms
        rows = self.protocol.models_of(self.outcome)[0].units == "row" and how.shared_arms is None
        # What touches no row of this window is not asked for: the same candidates are not built twice.
        reading = how.reading if self._read - {*how.reading} else ()
        figures = tuple(one for one in how.readings if one.study in self._reported)
        candidates = self._candidates(nominal, figures, shared, not rows, (reading, how.include, how.exclude))
        moot = self._moot(candidates)
        crossover, direction = (
            (None if name in moot else getattr(how, name)) or getattr(main, name)
            for name in ("crossover", "unknown_direction")
        )
        assumptions = tuple(one for one in how.assumptions if one[0] not in moot)
        found = self._converted(candidates, measure, assumptions, crossover, direction)
        return self._chosen(found, measure, how.preferences, shared != "keep" and not rows, how.reading)

    def _keep(self, key: Hashable, table: pd.DataFrame) -> int:
        if key not in self._known:
            self._known[key] = len(self._tables)
            self._tables.append(table)
        return self._known[key]

    def _build(
        self, nominal: float | None, readings: tuple[Reading, ...], shared_arms: str, recognise: bool,
        of_rows: tuple[Any, ...],
    ) -> int:  # fmt: skip
        reading, include, exclude = of_rows
        chosen = StudySet(label="", reading=reading, include=dict(include), exclude=dict(exclude))
        arms, contrasts = (
            table[~members_of_rows(table, self.studies, chosen).own] for table in (self.arms, self.contrasts)
        )
        for one in readings:
            arms = read_as(arms, one.study, one.outcome, one.use)
        window = self.protocol.windows[self.window].model_copy(update={"nominal": nominal})
        asked = self._asked(self.protocol.outcomes[self.outcome].measure, windows={self.window: window})
        table = build_candidates(self.studies, arms, contrasts, asked, shared_arms, recognise=recognise).table
        return self._keep(table.to_csv(), table)

    def _unread(self, candidates: int) -> set[str]:
        """Options that no conversion of these candidates reads; left out, the same conversion is not made twice."""
        found = {*_FOREIGN.get(self.protocol.outcomes[self.outcome].type, ())}
        table = self._tables[candidates].reindex(columns=_READ)
        kind = table["reported_measure"]
        if not (table["design"].eq("crossover") | table["paired"].eq("yes") | kind.eq("SMD_paired")).any():
            found |= {"crossover", "crossover_phi", "crossover_correlation"}
        tested = (table["p_value"].notna() | table["f"].notna()) & (kind.eq("p_only") | table["estimate"].isna())
        if not (tested & ~table["direction"].isin(["favours_intervention", "favours_control"])).any():
            found.add("unknown_direction")
        return found

    def _convert(
        self, candidates: int, measure: str, assumptions: tuple[tuple[str, Any], ...], crossover: str, direction: str
    ) -> int:
        table = self._tables[candidates]
        if table.empty:
            return self._keep("nothing", pd.DataFrame(columns=[*CHOOSING, *COUNTS, "design"]))
        setting = StudySet.model_validate({"label": "", "crossover": crossover, "unknown_direction": direction})
        asked = self._asked(measure, assumptions=self.protocol.assumptions.model_copy(update=dict(assumptions)))
        found = convert(table, [Analysis(self.outcome, measure, "main")], setting, asked)
        events = {"events_intervention": found.get("events1"), "events_control": found.get("events2")}
        found = found.assign(**events)[[*CHOOSING, *COUNTS, "design"]]
        return self._keep((candidates, *found["reason_code"], found[_NUMBERS].to_numpy(dtype=float).tobytes()), found)

    def _choose(
        self, converted: int, measure: str, preferences: tuple[Preference, ...], joined: bool, reading: tuple[str, ...]
    ) -> int:
        every = StudySet(label="every trial", preferences=(*preferences, *self.protocol.setting("main").preferences))
        found = choose(self._tables[converted], every, reading or tuple(self.protocol.readings))
        if joined:
            independent = {one.study for one in self.protocol.independent_comparisons}
            found = by_trial(found, self.protocol.assumptions.comparison_correlation, independent)
            # Comparisons that are one effect have no counts of their own.
            found.loc[found["parts"].map(len) > 0, [*COUNTS]] = np.nan
        found = found.assign(measure=measure)
        numbers = found[_NUMBERS].to_numpy(dtype=float).tobytes()
        return self._keep((measure, *found["comparison_id"], numbers), found)

    def _asked(self, measure: str, **update: Any) -> Protocol:
        """The protocol with this outcome alone."""
        outcome = self.protocol.outcomes[self.outcome].model_copy(update={"measure": measure, "also": ()})
        return self.protocol.model_copy(update={"outcomes": {self.outcome: outcome}, **update})


_NUMBERS = ["estimate", "variance"]
_READ = ["design", "paired", "reported_measure", "estimate", "p_value", "f", "direction"]
#: Assumptions that no conversion of a type of outcome reads.
_FOREIGN = {"continuous": ("crossover_phi", "zero_cells"), "binary": ("crossover_correlation", "smd_variance")}


def _inert(choices: Choices, value: Callable[[Iterable[Option]], Hashable]) -> list[str]:
    """Choices along which the value never differs, whatever those say that matter.

    Each is tried in every combination of the choices that matter, with the others at their first options and with all
    of them at their last; the product of all would be larger by orders of magnitude.
    """
    inert: list[str] = list(choices)
    matters: str | None = ""
    while matters is not None:
        matters = next((name for name in inert if _matters(name, inert, choices, value)), None)
        inert = [name for name in inert if name != matters]
    return inert


def _matters(name: str, inert: Sequence[str], choices: Choices, value: Callable[[Iterable[Option]], Hashable]) -> bool:
    for end in (0, -1):
        held = {n: [list(o.values())[end]] if n in inert else list(o.values()) for n, o in choices.items()}
        for others in product(*(options for n, options in held.items() if n != name)):
            at = dict(zip((n for n in held if n != name), others, strict=True))
            # In the order of the choices: of two options that say the same thing the later one holds.
            if len({value([(at | {name: option})[n] for n in choices]) for option in choices[name].values()}) > 1:
                return True
    return False


def read_as(arms: pd.DataFrame, study: str, outcome: str, use: str) -> pd.DataFrame:
    """The arms table with the SD or SE of one trial and outcome taken for what ``use`` ("sd" or "se") says."""
    other = {"sd": "se", "se": "sd"}[use]
    rows = (arms["study_id"] == study) & (arms["outcome"] == outcome) & arms[use].isna() & arms[other].notna()
    arms = arms.copy()
    arms.loc[rows, use] = arms.loc[rows, other]
    arms.loc[rows, other] = np.nan
    return arms


def multiverse_of(
    studies: pd.DataFrame,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    protocol: Protocol,
    outcome: str,
    window: str,
) -> tuple[Multiverse, dict[str, str]]:
    """Multiverse of one outcome and window of a protocol, and the choices that change nothing with the code of why."""
    choices = choices_of(protocol, outcome)
    build = ProtocolBuilder(studies, arms, contrasts, protocol, outcome, window, choices)
    inert = build.idle()
    live = {name: options for name, options in choices.items() if name not in inert}
    names = {n: [getattr(o, n, None) or key if n in MODEL else key for key, o in os.items()] for n, os in live.items()}
    return run(names, build, models=protocol.models_of(outcome), level=protocol.level_of(outcome)), inert
