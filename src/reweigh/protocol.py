"""The protocol of a review: `review.yaml` as a closed, typed model.

Everything that a methods section would say is a key here; nothing that a key can say is fixed in code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from reweigh.tables.problems import Problem, did_you_mean, format_report

Measure = Literal["MD", "SMD", "SMDH", "GLASS", "ROM", "RR", "OR", "RD", "PETO", "AS", "IRR", "IRD", "HR"]
RATIO_MEASURES = frozenset({"RR", "OR", "PETO", "ROM", "IRR", "HR"})
MEASURES_OF_TYPE: Mapping[str, tuple[str, ...]] = {
    "continuous": ("MD", "SMD", "SMDH", "GLASS", "ROM"),
    "binary": ("RR", "OR", "RD", "PETO", "AS"),
    "rate": ("IRR", "IRD"),
    "time_to_event": ("HR",),
}
INTERVAL_LABELS: Mapping[str, str] = {
    "wald": "Wald",
    "t": "t",
    "hartung-knapp": "Hartung-Knapp",
    "hartung-knapp guarded": "guarded Hartung-Knapp",
    "profile likelihood": "profile likelihood",
}
MEASURE_LABELS: Mapping[str, str] = {
    "MD": "Mean difference",
    "SMD": "Standardised mean difference",
    "SMDH": "Standardised mean difference (unequal variances)",
    "GLASS": "Glass's delta",
    "ROM": "Ratio of means",
    "RR": "Risk ratio",
    "OR": "Odds ratio",
    "RD": "Risk difference",
    "PETO": "Peto odds ratio",
    "AS": "Arcsine difference",
    "IRR": "Rate ratio",
    "IRD": "Rate difference",
    "HR": "Hazard ratio",
}

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that becomes part of an analysis id and so of a file name."""


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, coerce_numbers_to_str=True)


class Question(_Closed):
    """The review question (PICO)."""

    population: str
    intervention: str
    comparator: str
    design: str = "Randomised trials"


class Words(_Closed):
    """How the two sides are called in figures, e.g. "Favours ketamine"."""

    intervention: str
    control: str


class ImportantDifference(_Closed):
    """Smallest important difference, natural scale: a distance from 0, or both bounds of a ratio."""

    value: float | tuple[float, float]
    source: Annotated[str, Field(min_length=5)]


class Outcome(_Closed):
    """One outcome: what it is, how it is measured, which direction is better."""

    label: str
    type: Literal["continuous", "binary", "rate", "time_to_event"]
    measure: Measure
    also: tuple[Measure, ...] = ()
    better: Literal["lower", "higher"]
    scale: tuple[float, float] | None = None
    unit: str = ""
    smallest_important_difference: dict[Measure, ImportantDifference] = {}

    @model_validator(mode="after")
    def _consistent(self) -> Outcome:
        allowed = MEASURES_OF_TYPE[self.type]
        for measure in (self.measure, *self.also):
            if measure not in allowed:
                raise ValueError(f"measure {measure} does not fit type {self.type}; allowed: {', '.join(allowed)}")
        if self.measure in self.also or len(set(self.also)) < len(self.also):
            raise ValueError("`also` repeats a measure")
        if self.scale is not None and self.scale[0] >= self.scale[1]:
            raise ValueError("the scale's lower end must be below its upper end")
        for measure, difference in self.smallest_important_difference.items():
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


class Window(_Closed):
    """A time window in days: `from` and `to` include their bound, `over` and `below` do not.

    Rows without days belong to the window whose `text` has their time point; `any` takes every row.
    """

    label: str = ""
    from_: Annotated[float | None, Field(alias="from")] = None
    over: float | None = None
    to: float | None = None
    below: float | None = None
    nominal: float | None = None
    text: tuple[str, ...] = ()
    any: bool = False

    @model_validator(mode="after")
    def _bounded(self) -> Window:
        has_days = any(b is not None for b in (self.from_, self.over, self.to, self.below))
        if self.any and (has_days or self.text):
            raise ValueError("`any: true` stands alone: it takes every row")
        if not (self.any or has_days or self.text):
            raise ValueError("give days (`from` or `over`, `to` or `below`), `text`, or `any: true`")
        if has_days:
            if (self.from_ is None) == (self.over is None) or (self.to is None) == (self.below is None):
                raise ValueError("days need exactly one of `from` and `over`, and exactly one of `to` and `below`")
            if self.nominal is None:
                raise ValueError("a window of days needs its nominal day")
            if not self.lower <= self.nominal <= self.upper or self.lower > self.upper:
                raise ValueError("the nominal day must lie within the window")
        return self

    @property
    def lower(self) -> float:
        """Lower bound in days (-inf where the window has no days)."""
        return next((b for b in (self.from_, self.over) if b is not None), float("-inf"))

    @property
    def upper(self) -> float:
        """Upper bound in days (inf where the window has no days)."""
        return next((b for b in (self.to, self.below) if b is not None), float("inf"))

    def holds(self, days: float) -> bool:
        """Whether a day lies in the window."""
        if self.nominal is None:
            return False
        above = days >= self.lower if self.from_ is not None else days > self.lower
        return above and (days <= self.upper if self.to is not None else days < self.upper)

    def overlaps(self, other: Window) -> bool:
        """Whether a day could belong to both windows."""
        if self.nominal is None or other.nominal is None:
            return self.any or other.any
        first, second = sorted((self, other), key=lambda w: w.lower)
        if first.upper == second.lower:
            return first.to is not None and second.from_ is not None
        return first.upper > second.lower


class Preference(_Closed):
    """Which table speaks for a trial where it reports the same outcome in both."""

    study: str
    outcome: str
    use: Literal["arms", "contrasts"]
    reason: str


class Model(_Closed):
    """A pooling model."""

    name: str
    tau2: Literal["EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM"]
    interval: Literal["wald", "t", "hartung-knapp", "hartung-knapp guarded", "profile likelihood"]
    prediction_interval: Literal["none", "t(k-2)", "t(k-1)", "hartung-knapp", "bootstrap"] = "none"
    pooling: Literal["inverse variance", "mantel-haenszel", "peto"] = "inverse variance"
    note: str = ""

    @model_validator(mode="after")
    def _possible(self) -> Model:
        if self.interval == "profile likelihood" and self.tau2 != "ML":
            raise ValueError("the profile likelihood interval belongs to tau2: ML")
        if self.pooling == "mantel-haenszel" and self.tau2 not in ("EE", "DL"):
            raise ValueError("mantel-haenszel: tau2 is EE (common effect) or DL (random effects by RevMan's rule)")
        if self.pooling == "peto" and self.tau2 != "EE":
            raise ValueError("peto: tau2 is EE (common effect)")
        if self.pooling != "inverse variance" and self.tau2 == "EE" and self.interval != "wald":
            raise ValueError(f"{self.pooling} with a common effect has a Wald interval")
        return self


class TauPrior(_Closed):
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


class Regression(_Closed):
    """A meta-regression of the main analyses on columns of studies.csv."""

    moderators: Annotated[tuple[str, ...], Field(min_length=1)]
    label: str = ""
    minimum: Annotated[int, Field(ge=1)] = 10
    permutations: Annotated[int, Field(ge=0)] = 0
    below_minimum: Literal["refuse", "go on"] = "refuse"


class Sequential(_Closed):
    """Settings of the trial sequential analysis; the difference to detect is the smallest important one."""

    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    power: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    sides: Literal[1, 2] = 2
    spending: Literal["obrien-fleming", "pocock", "power"] = "obrien-fleming"
    futility: bool = True
    adjustment: Literal["fixed", "i2", "d2", "tau2"] = "d2"
    pooling: Literal["common", "DL", "REML"] = "DL"
    control_risk: dict[Name, Annotated[float, Field(gt=0, lt=1)]] = {}


class StudySet(_Closed):
    """A set of trials and of readings of them; what a set does not say it takes from `main`."""

    label: str
    include: dict[str, tuple[str, ...]] = {}
    exclude: dict[str, tuple[str, ...]] = {}
    crossover: Literal["paired", "as_independent"] | None = None
    unknown_direction: Literal["exclude", "favours_intervention", "favours_control"] | None = None
    shared_arms: Literal["combine", "split", "keep"] | None = None
    preferences: tuple[Preference, ...] = ()
    models: tuple[Model | str, ...] = ()
    note: str = ""


class SharedArm(_Closed):
    """An arm that several comparisons of one trial share, and how its n stands in the table."""

    study: str
    arm: Literal["intervention", "control"]
    n: Literal["split", "repeated"]
    source: str


class Grouping(_Closed):
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


class Reading(_Closed):
    """An unlabelled figure after a mean, and what an option takes it for."""

    study: str
    outcome: str
    use: Literal["sd", "se"]


class Option(_Closed):
    """One defensible option of a choice; what it does not say stays as in the main analysis."""

    label: str = ""
    measure: Measure | None = None
    include: dict[str, tuple[str, ...]] = {}
    exclude: dict[str, tuple[str, ...]] = {}
    crossover: Literal["paired", "as_independent"] | None = None
    unknown_direction: Literal["exclude", "favours_intervention", "favours_control"] | None = None
    shared_arms: Literal["combine", "split", "keep"] | None = None
    preferences: tuple[Preference, ...] = ()
    time: Literal["nearest", "earliest", "latest"] | None = None
    crossover_correlation: Annotated[float, Field(ge=-1, le=1)] | None = None
    crossover_phi: Annotated[float, Field(ge=-1, le=1)] | None = None
    zero_cells: Literal["only0", "needed", "all", "tacc", "none"] | None = None
    smd_variance: Literal["LS", "LS2", "UB", "AV"] | None = None
    p_inequality_as_equality: bool | None = None
    readings: tuple[Reading, ...] = ()
    tau2: Literal["EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM"] | None = None
    interval: Literal["wald", "t", "hartung-knapp", "hartung-knapp guarded"] | None = None


class Multiverse(_Closed):
    """Defensible choices, the main option of each first, and the analyses (outcome.window) that are run."""

    analyses: tuple[str, ...] = ()
    choices: Annotated[dict[Name, Annotated[dict[str, Option], Field(min_length=1)]], Field(min_length=1)]


class Robustness(_Closed):
    """Fewest trials for tests of small-study effects, most removals tried for fragility, seed of samples."""

    minimum_trials: Annotated[int, Field(ge=3)] = 10
    removals: Annotated[int, Field(ge=1)] = 1_000_000
    seed: int = 0


class Indirectness(_Closed):
    """By how many levels indirectness lowers the certainty of an analysis or outcome, and why."""

    levels: Literal[-1, -2, -3]
    reason: Annotated[str, Field(min_length=5)]


class CertaintyRules(_Closed):
    """Thresholds of the GRADE rules that differ from the defaults, and judgements of indirectness."""

    thresholds: dict[str, float] = {}
    indirectness: dict[str, Indirectness] = {}


class Assumptions(_Closed):
    """Numbers and rules that the trials do not report; each is printed beside what rests on it."""

    crossover_correlation: Annotated[float, Field(ge=-1, le=1)] = 0.5
    crossover_phi: Annotated[float, Field(ge=-1, le=1)] = 0.2
    baseline_correlation: Annotated[float, Field(ge=-1, le=1)] = 0.5
    change_scores: bool = True
    zero_cells: Literal["only0", "needed", "all", "tacc", "none"] = "only0"
    smd_variance: Literal["LS", "LS2", "UB", "AV"] = "LS"
    smdh_version: Literal["3.8", "5"] = "3.8"
    standardiser: Literal["between", "difference"] = "between"
    median_method: Literal["luo-wan-shi", "wan", "lognormal", "quantile"] = "luo-wan-shi"
    contrast_ci: Literal["normal", "t"] = "normal"
    p_inequality_as_equality: bool = False
    source: str = ""


PRESETS: Mapping[str, Model] = {
    "cochrane": Model(
        name="cochrane",
        tau2="REML",
        interval="hartung-knapp",
        prediction_interval="hartung-knapp",
        note="REML, Hartung-Knapp, prediction interval: what Cochrane recommends since 2024",
    ),
    "revman-classic": Model(
        name="revman-classic",
        tau2="DL",
        interval="wald",
        note="DerSimonian-Laird, Wald: what older reviews report",
    ),
}


def describe_model(model: Model) -> str:
    """A model in words."""
    tau2 = "common effect" if model.tau2 == "EE" else f"random effects, tau2 by {model.tau2}"
    kind = INTERVAL_LABELS.get(model.prediction_interval, model.prediction_interval)
    prediction = "" if model.prediction_interval == "none" else f", prediction interval by {kind}"
    interval = INTERVAL_LABELS.get(model.interval, model.interval)
    return f"{tau2}, interval by {interval}{prediction}" + (f" ({model.note})" if model.note else "")


class Protocol(_Closed):
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
    groupings: dict[Name, Grouping] = {}
    shared_arms: tuple[SharedArm, ...] = ()
    preferences: tuple[Preference, ...] = ()
    assumptions: Assumptions = Assumptions()
    level: Annotated[float, Field(gt=0.5, lt=1)] = 0.95
    subgroup_tau2: Literal["separate", "common"] = "separate"
    models: Annotated[tuple[Model | str, ...], Field(min_length=1)] = ("cochrane", "revman-classic")
    bayes: dict[Measure, TauPrior] = {}
    meta_regression: dict[Name, Regression] = {}
    multiverse: Multiverse | None = None
    robustness: Robustness = Robustness()
    sequential: Sequential = Sequential()
    certainty: CertaintyRules = CertaintyRules()
    seed: Annotated[int, Field(ge=0)] = 1

    @field_validator("models")
    @classmethod
    def _known_models(cls, models: tuple[Model | str, ...]) -> tuple[Model | str, ...]:
        _resolve(models)
        return models

    @field_validator("sets")
    @classmethod
    def _main_first(cls, sets: dict[str, StudySet]) -> dict[str, StudySet]:
        if "main" not in sets:
            raise ValueError("one set must be called `main`: the main analysis")
        for chosen in sets.values():
            _resolve(chosen.models)
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
        for (one, first), (two, second) in combinations(self.windows.items(), 2):
            if first.overlaps(second):
                raise ValueError(f"windows {one} and {two} overlap")
            if shared := set(first.text) & set(second.text):
                raise ValueError(f"windows {one} and {two} both name the time point {sorted(shared)[0]!r}")
        for grouping in self.groupings.values():
            known = self.categories.get(grouping.column)
            if known is None:
                raise ValueError(f"groupings: column {grouping.column} has no categories")
            for values in grouping.groups.values():
                for value in values if values != "rest" else ():
                    _require(value, known, f"groupings: {grouping.column}")
        for column in self.subgroups:
            _require(
                column,
                {*self.categories, *self.groupings},
                "subgroups (a column with categories, or a grouping)",
            )
        for name, chosen in self.sets.items():
            for column, values in (*chosen.include.items(), *chosen.exclude.items()):
                for value in values if column in self.categories else ():
                    _require(value, self.categories[column], f"sets: {name}: {column}")
            for preference in chosen.preferences:
                _require(preference.outcome, self.outcomes, f"sets: {name}: preferences: outcome")
        for preference in self.preferences:
            _require(preference.outcome, self.outcomes, "preferences: outcome")
        ids = {f"{outcome}.{window}" for outcome in self.outcomes for window in self.windows}
        for analysis in self.multiverse.analyses if self.multiverse else ():
            _require(analysis, ids, "multiverse: analyses (outcome.window)")
        return self

    @property
    def study_columns(self) -> tuple[str, ...]:
        """Columns that effects.csv takes over from the studies: subgroups, groupings, moderators."""
        moderators = (m for regression in self.meta_regression.values() for m in regression.moderators)
        return tuple(dict.fromkeys([*self.subgroups, *moderators]))

    def subgroup_labels(self, column: str) -> dict[str, str]:
        """Values of a subgroup column in the order of the protocol, and how each is printed."""
        if column in self.groupings:
            return {group: group for group in self.groupings[column].groups}
        return dict(self.categories[column])

    def models_of(self, set_name: str) -> tuple[Model, ...]:
        """Pooling models of a set, the main one first."""
        return _resolve(self.sets[set_name].models or self.models)

    def setting(self, set_name: str) -> StudySet:
        """A set with everything that it takes from `main` filled in."""
        main, chosen = self.sets["main"], self.sets[set_name]
        return StudySet(
            label=chosen.label,
            include={**main.include, **chosen.include},
            exclude={**main.exclude, **chosen.exclude},
            crossover=chosen.crossover or main.crossover or "paired",
            unknown_direction=chosen.unknown_direction or main.unknown_direction or "exclude",
            shared_arms=chosen.shared_arms or main.shared_arms or "combine",
            preferences=(*chosen.preferences, *main.preferences, *self.preferences),
            models=chosen.models,
            note=chosen.note,
        )


def _resolve(models: tuple[Model | str, ...]) -> tuple[Model, ...]:
    for model in models:
        if isinstance(model, str):
            _require(model, PRESETS, "models (a preset, or name, tau2 and interval)")
    resolved = tuple(PRESETS[m] if isinstance(m, str) else m for m in models)
    if len({m.name for m in resolved}) < len(resolved):
        raise ValueError("models: two models have the same name")
    return resolved


def _require(value: str, known: Any, where: str) -> None:
    if value not in known:
        raise ValueError(
            f"{where}: {value!r} is unknown{did_you_mean(value, list(known))}; allowed: {', '.join(sorted(known))}"
        )


def load_checked(content: bytes) -> Protocol:
    """A protocol that the check stage has passed; raises ValueError with its problems where it has not."""
    protocol, problems = load_protocol(content)
    if protocol is None:
        raise ValueError(format_report(problems, "review"))
    return protocol


def load_protocol(content: bytes | None, name: str = "review.yaml") -> tuple[Protocol | None, list[Problem]]:
    """Read a protocol.

    Parameters
    ----------
    content
        The bytes of `review.yaml`; None where there is no such file.
    name
        How the file is called in the problems.

    Returns
    -------
    The protocol, or None and every problem found: line, key, value, what is wrong, what is allowed.
    """
    if content is None:
        return None, [Problem(name, None, "", "", "is missing", "a protocol; copy one from another review under data/")]
    yaml = YAML(typ="rt", pure=True)
    try:
        raw = yaml.load(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return None, [Problem(name, None, "", "", "is not UTF-8 text", "a YAML file in UTF-8")]
    except MarkedYAMLError as error:
        mark = error.problem_mark
        what = re.sub(r"\s+", " ", str(error.problem or "cannot be read"))
        return None, [
            Problem(name, mark.line + 1 if mark else None, "", "", f"is not valid YAML: {what}", "valid YAML")
        ]
    except (YAMLError, ValueError) as error:
        what = re.sub(r"\s+", " ", str(error))
        return None, [Problem(name, None, "", "", f"is not valid YAML: {what}", "valid YAML")]
    if not isinstance(raw, Mapping):
        return None, [Problem(name, None, "", "", "holds no keys", "a mapping with title, question, outcomes …")]
    try:
        return Protocol.model_validate(_plain(raw)), []
    except ValidationError as error:
        schema = Protocol.model_json_schema()
        problems = [_problem(name, raw, schema, one) for one in error.errors(include_url=False)]
        return None, list(dict.fromkeys(problems))


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return node


def _problem(name: str, raw: Any, schema: dict[str, Any], error: Any) -> Problem:
    # A union adds the tried type's name to the location: keep only what the file itself has.
    path: list[str | int] = []
    line: int | None = None
    node: Any = raw
    for step in error["loc"]:
        if isinstance(node, CommentedMap) and step in node:
            line = node.lc.key(step)[0] + 1
        elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
            line = node.lc.item(step)[0] + 1
        elif step == error["loc"][-1] and error["type"] == "missing":
            path.append(step)
            break
        else:
            continue
        path.append(step)
        node = node[step]
    value = "" if isinstance(node, (Mapping, list)) or error["type"] == "missing" else str(node)
    message = str(error["msg"]).removeprefix("Value error, ")
    message, _, allowed = message.partition("; allowed: ")
    allowed = allowed or "see docs/protocol.md"
    if error["type"] == "extra_forbidden":
        known = sorted({key for keys in _keys_at(schema, schema, path[:-1]) for key in keys})
        message = f"is not a key of the protocol{did_you_mean(str(path[-1]), known)}"
        allowed = ", ".join(known)
    elif error["type"] == "missing":
        message, allowed = "is missing", "this key is required"
    elif error["type"] in ("literal_error", "enum"):
        allowed = str(error["ctx"]["expected"])
        options = re.findall(r"'([^']*)'", allowed)
        message = f"is not allowed{did_you_mean(value, options)}"
    return Problem(name, line, ".".join(str(p) for p in path), value, message, allowed)


def _keys_at(schema: dict[str, Any], node: Any, path: list[str | int]) -> Iterator[list[str]]:
    if "$ref" in node:
        node = schema["$defs"][node["$ref"].rsplit("/", 1)[-1]]
    for option in node.get("anyOf", ()):
        yield from _keys_at(schema, option, path)
    if not path:
        if "properties" in node:
            yield list(node["properties"])
        return
    step, rest = path[0], path[1:]
    if isinstance(step, int):
        if isinstance(node.get("items"), dict):
            yield from _keys_at(schema, node["items"], rest)
    elif step in node.get("properties", {}):
        yield from _keys_at(schema, node["properties"][step], rest)
    else:
        for child in (node.get("additionalProperties"), *node.get("patternProperties", {}).values()):
            if isinstance(child, dict):
                yield from _keys_at(schema, child, rest)
