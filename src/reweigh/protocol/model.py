"""The protocol of a review: `review.yaml` as a closed, typed model.

Everything that a methods section would say is a key here; nothing that a key can say is fixed in code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import combinations
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from reweigh.measures import (
    MEASURES_OF_TYPE,
    RATIO_MEASURES,
    SINGLE_GROUP_MEASURES,
    MdVariance,
    MeasureName,
    OutcomeType,
    SmdVariance,
    ZeroCells,
)
from reweigh.protocol.base import Closed
from reweigh.protocol.importance import GRADE_RATIO, ImportantDifference, bounds_of
from reweigh.protocol.models import PRESETS, Model, Tau2, resolve
from reweigh.protocol.windows import Window
from reweigh.text.numbers import level_text

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that becomes part of an analysis id and so of a file name."""


ConfidenceLevel = Annotated[float, Field(gt=0.5, lt=1)]


Models = tuple[Model | str, ...]
"""Pooling models, the main one first: models of one's own, or presets and models of the protocol by their names."""

Correlation = Annotated[float, Field(ge=-1, lt=1)]
"""A correlation; at 1 a difference would have no variance."""


class Question(Closed):
    """The review question (PICO)."""

    population: str
    intervention: str
    comparator: str
    design: str = "Randomised trials"


class Words(Closed):
    """How the two sides are called in figures, e.g. "Favours ketamine"."""

    intervention: str
    control: str


class Outcome(Closed):
    """One outcome: what it is, how it is measured, which direction is better.

    `models`, `level` and `words` where they are other ones than the protocol's: read them by `Protocol.models_of`,
    `level_of` and `words_of`.
    """

    label: str
    type: OutcomeType
    measure: MeasureName
    also: tuple[MeasureName, ...] = ()
    better: Literal["lower", "higher"] | None = None
    scale: tuple[float, float] | None = None
    unit: str = ""
    smallest_important_difference: dict[MeasureName, ImportantDifference] = {}
    models: Models = ()
    level: ConfidenceLevel | None = None
    words: Words | None = None

    @field_validator("better", mode="before")
    @classmethod
    def _filled_in(cls, better: object) -> object:
        """A key that stands there empty is still to be filled in; single groups do without the key."""
        if better is None:
            said = "'lower' or 'higher'"
            raise PydanticCustomError("literal_error", "Input should be 'lower' or 'higher'", {"expected": said})
        return better

    @model_validator(mode="after")
    def _consistent(self) -> Outcome:
        allowed = MEASURES_OF_TYPE[self.type]
        for measure in (self.measure, *self.also):
            if measure not in allowed:
                raise ValueError(f"measure {measure} does not fit type {self.type}; allowed: {', '.join(allowed)}")
        if (self.better is None) != (self.measure in SINGLE_GROUP_MEASURES):
            raise ValueError(
                "`better` is missing: lower or higher"
                if self.better is None
                else f"`better` belongs to comparisons; {self.measure} is of a single group"
            )
        if self.measure in self.also or len(set(self.also)) < len(self.also):
            raise ValueError("`also` repeats a measure")
        if self.scale is not None and self.scale[0] >= self.scale[1]:
            raise ValueError("the scale's lower end must be below its upper end")
        for measure, difference in self.smallest_important_difference.items():
            if measure in SINGLE_GROUP_MEASURES:
                raise ValueError(f"smallest_important_difference: {measure} is of a single group and has none")
            pair = isinstance(difference.value, tuple)
            if pair != (measure in RATIO_MEASURES):
                raise ValueError(
                    f"smallest_important_difference of {measure}: "
                    + ("two bounds around 1, e.g. [0.75, 1.25]" if not pair else "one number above 0")
                )
            if isinstance(difference.value, tuple):
                if not 0 < difference.value[0] < 1 < difference.value[1]:
                    raise ValueError(f"smallest_important_difference of {measure}: the bounds must lie around 1")
            elif difference.value <= 0:
                raise ValueError(f"smallest_important_difference of {measure}: must be above 0")
        return self

    @property
    def benefit(self) -> int:
        """Sign of a benefit on the analysis scale: -1 where lower is better, 1 where higher is, or neither."""
        return -1 if self.better == "lower" else 1

    def bounds(
        self, measure: str, ratio: tuple[float, float] = GRADE_RATIO, factor: float = 1.0
    ) -> tuple[float, float] | None:
        """Bounds (below, above) of an important effect of a measure, analysis scale; None where none is known.

        `ratio`: bounds of a ratio for which the protocol gives none (`CertaintyRules.ratio`). `factor` widens the
        bounds on the analysis scale: at twice, 0.75 becomes 0.75 squared.
        """
        given = self.smallest_important_difference.get(measure)  # type: ignore[call-overload]
        return bounds_of(given, measure, ratio, factor)

    def important(self, measure: str, ratio: tuple[float, float] = GRADE_RATIO) -> float | None:
        """Smallest important difference in the direction of a benefit: the bound on the better side."""
        found = self.bounds(measure, ratio)
        return None if found is None else found[0 if self.benefit < 0 else 1]


class Preference(Closed):
    """Which table speaks for a trial where it reports the same outcome in both."""

    study: str
    outcome: str
    use: Literal["arms", "contrasts"]
    reason: str


class TauPrior(Closed):
    """Prior of tau for one measure, and where its parameters come from."""

    family: Literal["half-normal", "half-cauchy", "half-t", "log-normal", "log-t", "turner2015", "rhodes2015"]
    scale: float | None = None
    location: float | None = None
    df: float | None = None
    outcome: str = "any"
    comparison: str = "pharmacological vs placebo"
    rescale: Annotated[float, Field(gt=0)] | None = None
    rescale_reason: str = ""
    source: Annotated[str, Field(min_length=5)]

    @model_validator(mode="after")
    def _complete(self) -> TauPrior:
        needs = {
            "half-normal": ("scale",),
            "half-cauchy": ("scale",),
            "half-t": ("scale", "df"),
            "log-normal": ("scale", "location"),
            "log-t": ("scale", "location"),
        }.get(self.family, ())
        missing = [name for name in needs if getattr(self, name) is None]
        if missing:
            raise ValueError(f"a {self.family} prior needs {' and '.join(missing)}")
        if self.rescale is not None and not self.rescale_reason:
            raise ValueError("a rescaled prior needs its rescale_reason")
        return self


class Regression(Closed):
    """A meta-regression of the main analyses on columns of studies.csv."""

    moderators: Annotated[tuple[str, ...], Field(min_length=1)]
    label: str = ""
    minimum: Annotated[int, Field(ge=1)] = 10
    permutations: Annotated[int, Field(ge=0)] = 0
    below_minimum: Literal["refuse", "go on"] = "refuse"


class AssumedDiversity(Closed):
    """Diversities D2 (percent) under which a sequential analysis is repeated where few trials show none."""

    percent: Annotated[tuple[Annotated[float, Field(gt=0, lt=100)], ...], Field(min_length=1)]
    source: Annotated[str, Field(min_length=5)]


class Sequential(Closed):
    """Settings of the trial sequential analysis; the difference to detect is the smallest important one."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    power: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    sides: Literal[1, 2] = 2
    spending: Literal["obrien-fleming", "pocock", "power"] = "obrien-fleming"
    futility: bool = True
    adjustment: Literal["fixed", "i2", "d2", "tau2"] = "d2"
    pooling: Literal["common", "DL", "REML"] = "DL"
    control_risk: dict[Name, Annotated[float, Field(gt=0, lt=1)]] = {}
    assumed_diversity: AssumedDiversity = AssumedDiversity(
        percent=(25.0, 50.0),
        source="Riberholt, Milan, Olsen and Gluud, Standard operating procedure for Trial Sequential Analysis and RTSA "
        "(vignette RSTA-SOP, AnneLyng/RTSA at 3bd8801): where 0% heterogeneity is found, diversity between 25% and 50%",
    )


class Chosen(Closed):
    """Which trials, and which reading of them; what is not said stays as in the main analysis.

    `reading`: whose readings of the sources count, the first that a trial has for an outcome and window.
    """

    include: dict[str, tuple[str, ...]] = {}
    exclude: dict[str, tuple[str, ...]] = {}
    reading: tuple[Name, ...] = ()
    crossover: Literal["paired", "as_independent"] | None = None
    unknown_direction: Literal["exclude", "favours_intervention", "favours_control"] | None = None
    shared_arms: Literal["combine", "split", "keep"] | None = None
    preferences: tuple[Preference, ...] = ()


class StudySet(Chosen):
    """A set of trials and of readings of them; with `also`, by the further measures and in subgroups like `main`."""

    label: str
    also: bool = False
    models: Models = ()
    note: str = ""

    @property
    def is_reading(self) -> bool:
        """Whether it is the main set by one reading of the sources alone, and nothing else."""
        changed = self.model_dump(exclude={"label", "note", "reading"}, exclude_defaults=True)
        return len(self.reading) == 1 and not changed


class SharedArm(Closed):
    """An arm that several comparisons of one trial share, and how its n stands in the table."""

    study: str
    arm: Literal["intervention", "control"]
    n: Literal["split", "repeated"]
    source: str


class IndependentComparisons(Closed):
    """A trial whose comparisons share no patients (strata, two populations, subgroups of patients), and why."""

    study: str
    reason: Annotated[str, Field(min_length=5)]


class Grouping(Closed):
    """A subgroup column made from another: named groups of its values; `rest` takes what no group names."""

    label: str
    column: str
    groups: dict[str, tuple[str, ...] | Literal["rest"]]

    def group_of(self, value: str) -> str | None:
        """Group to which a value belongs, None where there is no `rest`."""
        rest = None
        for name, values in self.groups.items():
            if values == "rest":
                rest = name
            elif value in values:
                return name
        return rest


class Reading(Closed):
    """An unlabelled figure after a mean, and what an option takes it for."""

    study: str
    outcome: str
    use: Literal["sd", "se"]


class Option(Chosen):
    """One defensible option of a choice."""

    label: str = ""
    measure: MeasureName | None = None
    time: Literal["nearest", "earliest", "latest"] | None = None
    crossover_correlation: Correlation | None = None
    crossover_phi: Correlation | None = None
    zero_cells: ZeroCells | None = None
    md_variance: MdVariance | None = None
    smd_variance: SmdVariance | None = None
    p_inequality_as_equality: bool | None = None
    readings: tuple[Reading, ...] = ()
    tau2: Tau2 | None = None
    interval: Literal["wald", "t", "hartung-knapp", "hartung-knapp guarded"] | None = None


class Multiverse(Closed):
    """Defensible choices, the main option of each first, and the analyses (outcome.window) that are run."""

    analyses: tuple[str, ...] = ()
    choices: Annotated[dict[Name, Annotated[dict[str, Option], Field(min_length=1)]], Field(min_length=1)]


class Robustness(Closed):
    """Fewest trials for tests of small-study effects, most removals tried for fragility, seed of samples."""

    minimum_trials: Annotated[int, Field(ge=3)] = 10
    removals: Annotated[int, Field(ge=1)] = 1_000_000
    seed: int = 0


class Indirectness(Closed):
    """By how many levels indirectness lowers the certainty of an analysis or outcome, and why."""

    levels: Literal[-1, -2, -3]
    reason: Annotated[str, Field(min_length=5)]


class CertaintyRules(Closed):
    """Thresholds of the GRADE rules that differ from the defaults, and judgements of indirectness."""

    thresholds: dict[str, float] = {}
    indirectness: dict[str, Indirectness] = {}

    @property
    def ratio(self) -> tuple[float, float]:
        """Bounds of an important ratio where an outcome gives none, natural scale."""
        return self.thresholds.get("ratio_lower", GRADE_RATIO[0]), self.thresholds.get("ratio_upper", GRADE_RATIO[1])


class Assumptions(Closed):
    """Numbers and rules that the trials do not report; each is printed beside what rests on it."""

    crossover_correlation: Correlation = 0.5
    crossover_phi: Correlation = 0.2
    baseline_correlation: Correlation = 0.5
    comparison_correlation: Annotated[float, Field(ge=0, lt=1)] = 0.5
    change_scores: bool = True
    changes_in_smd: Literal["pooled", "apart"] = "pooled"
    zero_cells: ZeroCells = "only0"
    md_variance: MdVariance = "separate"
    smd_variance: SmdVariance = "LS"
    smdh_version: Literal["3.8", "5"] = "3.8"
    standardiser: Literal["between", "difference"] = "between"
    median_method: Literal["luo-wan-shi", "wan", "lognormal", "quantile"] = "luo-wan-shi"
    contrast_ci: Literal["normal", "t"] = "normal"
    p_inequality_as_equality: bool = False
    source: str = ""


class Protocol(Closed):
    """A review's protocol."""

    title: str
    question: Question
    words: Words
    table_source: dict[Literal["arms", "contrasts", "studies"], str] = {}
    outcomes: Annotated[dict[Name, Outcome], Field(min_length=1)]
    windows: Annotated[dict[Name, Window], Field(min_length=1)] = {"all": Window(label="All time points", any=True)}
    categories: dict[str, dict[str, str]] = {}
    sets: dict[Name, StudySet] = {"main": StudySet(label="All trials")}
    subgroups: tuple[str, ...] = ()
    row_subgroups: tuple[Name, ...] = ()
    groupings: dict[Name, Grouping] = {}
    shared_arms: tuple[SharedArm, ...] = ()
    independent_comparisons: tuple[IndependentComparisons, ...] = ()
    preferences: tuple[Preference, ...] = ()
    readings: dict[Name, str] = {}
    assumptions: Assumptions = Assumptions()
    level: ConfidenceLevel = 0.95
    subgroup_tau2: Literal["separate", "common"] = "separate"
    models: Annotated[Models, Field(min_length=1)] = ("cochrane", "revman-classic")
    bayes: dict[MeasureName, TauPrior] = {}
    meta_regression: dict[Name, Regression] = {}
    multiverse: Multiverse | None = None
    robustness: Robustness = Robustness()
    sequential: Sequential = Sequential()
    certainty: CertaintyRules = CertaintyRules()
    seed: Annotated[int, Field(ge=0)] = 1
    former: str = ""

    @field_validator("former")
    @classmethod
    def _in_the_folder(cls, former: str) -> str:
        if former and not re.fullmatch(r"[^/\\\s.][^/\\]*\.zip", former):
            raise ValueError("is no archive beside the protocol; allowed: the name of a .zip file beside review.yaml")
        return former

    @field_validator("models")
    @classmethod
    def _known_models(cls, models: Models) -> Models:
        resolve(models)
        return models

    @field_validator("sets")
    @classmethod
    def _main_first(cls, sets: dict[str, StudySet]) -> dict[str, StudySet]:
        if "main" not in sets:
            raise ValueError("one set must be called `main`: the main analysis")
        return {"main": sets["main"], **sets}

    @field_validator("categories", mode="before")
    @classmethod
    def _plain_categories(cls, categories: Any) -> Any:
        """A list of values is its own labels."""
        if not isinstance(categories, Mapping):
            return categories
        return {
            column: {value: str(value).replace("_", " ") for value in values} if isinstance(values, list) else values
            for column, values in categories.items()
        }

    @model_validator(mode="after")
    def _consistent(self) -> Protocol:
        # Names that do not fit each other are found by `reweigh.protocol.names`.
        for (one, first), (two, second) in combinations(self.windows.items(), 2):
            if first.overlaps(second):
                raise ValueError(f"windows {one} and {two} overlap")
            if shared := sorted(text for text in first.text if second.names(text)):
                raise ValueError(f"windows {one} and {two} both name the time point {shared[0]!r}")
        alone = {independent.study for independent in self.independent_comparisons}
        if both := sorted(alone & {shared_arm.study for shared_arm in self.shared_arms}):
            raise ValueError(f"{both[0]} stands in shared_arms and in independent_comparisons: one of the two")
        return self

    @property
    def study_columns(self) -> tuple[str, ...]:
        """Columns that effects.csv takes over from the tables: subgroups, groupings, moderators."""
        moderators = (m for regression in self.meta_regression.values() for m in regression.moderators)
        return tuple(dict.fromkeys([*self.subgroup_columns, *moderators]))

    @property
    def subgroup_columns(self) -> tuple[str, ...]:
        """Columns by which every main analysis is split: those of trials, then those of rows."""
        return (*self.subgroups, *self.row_subgroups)

    @property
    def whole_sets(self) -> tuple[str, ...]:
        """Sets that are analysed by the further measures of each outcome and in subgroups, the main one first."""
        return tuple(name for name, chosen in self.sets.items() if name == "main" or chosen.also)

    @property
    def set_columns(self) -> tuple[str, ...]:
        """Columns by which sets, and options of the multiverse, are made; a row may have its own value of each."""
        options = (o for choice in self.multiverse.choices.values() for o in choice.values()) if self.multiverse else ()
        named = (column for one in (*self.sets.values(), *options) for column in (*one.include, *one.exclude))
        return tuple(c for c in dict.fromkeys(named) if c not in ("eligible", *self.groupings, *self.row_subgroups))

    @property
    def number_columns(self) -> tuple[str, ...]:
        """Those of them that hold numbers: moderators that are neither categories nor groupings."""
        return tuple(c for c in self.study_columns if c not in {*self.categories, *self.groupings, "year"})

    def subgroup_labels(self, column: str) -> dict[str, str]:
        """Values of a subgroup column in the order of the protocol, and how each is printed."""
        if column in self.groupings:
            return {group: group for group in self.groupings[column].groups}
        return dict(self.categories[column])

    def models_of(self, outcome: str, set_name: str = "main") -> tuple[Model, ...]:
        """Pooling models of an outcome in a set, the main one first: the set's own, else the outcome's, else all's."""
        own = self.sets[set_name].models or self.outcomes[outcome].models
        return resolve(own, self.known_models) if own else resolve(self.models)

    @property
    def known_models(self) -> dict[str, Model]:
        """Models that a set or an outcome can name: the presets, and the protocol's own."""
        return dict(PRESETS) | {model.name: model for model in resolve(self.models)}

    @property
    def every_model(self) -> dict[str, Model]:
        """Every model of the protocol by its name, which is that of one model only; those of the main set first."""
        of_all = (self.models_of(outcome, set_name) for set_name in self.sets for outcome in self.outcomes)
        return {model.name: model for models in of_all for model in models}

    def level_of(self, outcome: str) -> float:
        """Confidence level of everything said of an outcome."""
        return self.outcomes[outcome].level or self.level

    @property
    def usual_level(self) -> float:
        """The confidence level of most outcomes."""
        levels = [self.level_of(outcome) for outcome in self.outcomes]
        return max(dict.fromkeys(levels), key=levels.count)

    @property
    def other_levels(self) -> str:
        """` (sleep: 90%)` behind the usual level, where outcomes have another one; else empty."""
        others = ((one.label, self.level_of(name)) for name, one in self.outcomes.items())
        said = [f"{label}: {level_text(level)}" for label, level in others if level != self.usual_level]
        return f" ({'; '.join(said)})" if said else ""

    def words_of(self, outcome: str) -> Words:
        """How the two sides of an outcome are called."""
        return self.outcomes[outcome].words or self.words

    def favours(self, outcome: str) -> tuple[str, str]:
        """What the ends of an axis favour, smaller effects first ("Favours ketamine"); nothing of single groups."""
        if self.outcomes[outcome].better is None:
            return "", ""
        said = self.words_of(outcome)
        sides = f"Favours {said.intervention}", f"Favours {said.control}"
        return sides if self.outcomes[outcome].better == "lower" else sides[::-1]

    def smd_variance_of(self, outcome: str, set_name: str = "main") -> SmdVariance:
        """Which variance standardised mean differences have: that of the main model, else the assumed one."""
        return self.models_of(outcome, set_name)[0].smd_variance or self.assumptions.smd_variance

    def setting(self, set_name: str) -> StudySet:
        """A set with everything that it takes from `main` filled in."""
        main, chosen = self.sets["main"], self.sets[set_name]
        given = {
            "include": {**main.include, **chosen.include},
            "exclude": {**main.exclude, **chosen.exclude},
            "crossover": chosen.crossover or main.crossover or "paired",
            "unknown_direction": chosen.unknown_direction or main.unknown_direction or "exclude",
            "shared_arms": chosen.shared_arms or main.shared_arms or "combine",
            "reading": chosen.reading or main.reading,
            "preferences": (*chosen.preferences, *main.preferences, *self.preferences),
        }
        return chosen.model_copy(update=given)
