"""Names in the protocol that nothing has, and thresholds that cannot be: they would select nothing, in silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reweigh.measures import MEASURES_OF_TYPE
from reweigh.protocol.model import Models, Option, Outcome, Preference, Protocol, Reading
from reweigh.tables.problems import did_you_mean

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value at a place of the protocol that does not fit the rest of it; `mistake` is equal where one slip is."""

    path: Path
    value: str
    message: str
    allowed: str
    mistake: str = ""


def misfits(protocol: Protocol) -> list[Misfit]:
    """Everything in the protocol that does not fit the rest of it; a name that is used often is told once."""
    found = {one.mistake or str(one.path): one for one in reversed([*_all(protocol)])}
    return list(reversed(found.values()))


def _all(protocol: Protocol) -> Iterator[Misfit]:
    categories = protocol.categories
    for name, outcome in protocol.outcomes.items():
        yield from _thresholds(("outcomes", name, "smallest_important_difference"), outcome)
    yield from _models(protocol)
    for name, grouping in protocol.groupings.items():
        at: Path = ("groupings", name)
        if grouping.column not in categories:
            yield _unknown((*at, "column"), grouping.column, categories, "is no column with categories", "column ")
        else:
            for group, values in grouping.groups.items():
                given = values if values != "rest" else ()
                yield from _values((*at, "groups", group), grouping.column, given, categories)
    for i, column in enumerate(protocol.subgroups):
        known = (*categories, *protocol.groupings)
        yield from _if_unknown(
            ("subgroups", i), column, known, "is no column with categories, and no grouping", "column "
        )
    for i, column in enumerate(protocol.row_subgroups):
        at = ("row_subgroups", i)
        yield from _if_unknown(at, column, categories, "is no column with categories", "column ")
        if column in (*protocol.subgroups, *protocol.groupings, *protocol.row_subgroups[:i]):
            yield Misfit(at, column, "stands in subgroups or groupings, or twice", "a column that belongs to the row")
    for name, chosen in protocol.sets.items():
        yield from _conditions(("sets", name), chosen.include, chosen.exclude, categories)
        yield from _readings(("sets", name, "reading"), chosen.reading, protocol)
        yield from _outcomes(("sets", name, "preferences"), chosen.preferences, protocol)
    yield from _outcomes(("preferences",), protocol.preferences, protocol)
    for name in protocol.sequential.control_risk:
        at = ("sequential", "control_risk", name)
        yield from _if_unknown(at, name, protocol.outcomes, "is no outcome of the protocol", "outcome ")
        if name in protocol.outcomes and protocol.outcomes[name].type != "binary":
            binary = ", ".join(n for n, o in protocol.outcomes.items() if o.type == "binary")
            yield Misfit(at, name, "is not binary: it has no risk", binary or "no outcome of this protocol")
    yield from _multiverse(protocol)


def _models(protocol: Protocol) -> Iterator[Misfit]:
    """Names of models that nothing has, or that two models have: results are told apart by them."""
    places: list[tuple[Path, Models]] = [(("models",), protocol.models)]
    places += [(("outcomes", name, "models"), outcome.models) for name, outcome in protocol.outcomes.items()]
    places += [(("sets", name, "models"), chosen.models) for name, chosen in protocol.sets.items()]
    known = protocol.known_models
    for at, models in places:
        seen: set[str] = set()
        for i, model in enumerate(models):
            name = model if isinstance(model, str) else model.name
            if isinstance(model, str):
                message = "is no preset, and no model of the protocol's `models`"
                yield from _if_unknown((*at, i), name, known, message, "model ")
            elif known.setdefault(name, model) != model:
                yield Misfit((*at, i, "name"), name, "is the name of another model too", "a name for each model")
            if name in seen:
                yield Misfit((*at, i), name, "stands in this list twice", "each model once")
            seen.add(name)


def _thresholds(at: Path, outcome: Outcome) -> Iterator[Misfit]:
    """Smallest important differences of a measure of another kind, or larger than an effect can be."""
    fitting = MEASURES_OF_TYPE[outcome.type]
    for measure, given in outcome.smallest_important_difference.items():
        if measure not in fitting:
            yield Misfit((*at, measure), measure, f"does not fit type {outcome.type}", ", ".join(fitting))
            continue
        width = 1.0 if measure == "RD" else None
        if measure == "MD" and outcome.scale is not None:
            width = outcome.scale[1] - outcome.scale[0]
        if width is not None and isinstance(given.value, float) and given.value > width:
            allowed = f"a number above 0, at most {width:g}"
            yield Misfit((*at, measure, "value"), f"{given.value:g}", "is larger than any effect can be", allowed)


def _multiverse(protocol: Protocol) -> Iterator[Misfit]:
    if protocol.multiverse is None:
        return
    windows = protocol.windows
    for i, analysis in enumerate(protocol.multiverse.analyses):
        at: Path = ("multiverse", "analyses", i)
        outcome, _, window = analysis.rpartition(".")
        if outcome not in protocol.outcomes:
            known = [f"{o}.{w}" for o in protocol.outcomes for w in windows]
            hint = did_you_mean(analysis, known)
            message = f"is no outcome.window of the protocol{hint}"
            yield Misfit(at, analysis, message, ", ".join(known), f"outcome {outcome or analysis}")
        else:
            yield from _if_unknown(at, window, windows, "is no window of the protocol", "window ")
    measures = {m for o in protocol.outcomes.values() for m in MEASURES_OF_TYPE[o.type]}
    for name, options in protocol.multiverse.choices.items():
        for key, option in options.items():
            at = ("multiverse", "choices", name, key)
            yield from _conditions(at, option.include, option.exclude, protocol.categories)
            yield from _readings((*at, "reading"), option.reading, protocol)
            yield from _outcomes((*at, "preferences"), option.preferences, protocol)
            yield from _outcomes((*at, "readings"), option.readings, protocol)
            if option.measure is not None and option.measure not in measures:
                message = "fits the type of no outcome"
                yield Misfit((*at, "measure"), option.measure, message, ", ".join(sorted(measures)))
            yield from _model_choice(at, name, option)
        for method in ("tau2", "interval"):
            if name == method and len({getattr(o, method) for o in options.values()}) < len(options):
                message = "has two options with the same method"
                yield Misfit(("multiverse", "choices", name), "", message, f"each {method} once")


def _model_choice(at: Path, name: str, option: Option) -> Iterator[Misfit]:
    """The estimator of tau2 and the interval are choices of their own, called by their names."""
    for method in ("tau2", "interval"):
        given = getattr(option, method)
        if (name == method) != (given is not None):
            message = f"belongs to the choice {method}" if given else f"is an option of {method} without {method}"
            allowed = f"a choice called {method}, each of whose options has the key {method}"
            yield Misfit((*at, method) if given else at, str(given or at[-1]), message, allowed, f"{at[:3]} {method}")


def _conditions(
    at: Path,
    include: Mapping[str, Iterable[str]],
    exclude: Mapping[str, Iterable[str]],
    categories: Mapping[str, object],
) -> Iterator[Misfit]:
    for what, conditions in (("include", include), ("exclude", exclude)):
        for column, values in conditions.items():
            if column in categories:
                yield from _values((*at, what, column), column, values, categories)


def _readings(at: Path, given: Iterable[str], protocol: Protocol) -> Iterator[Misfit]:
    for i, name in enumerate(given):
        yield from _if_unknown((*at, i), name, protocol.readings, "is none of the protocol's `readings`", "reading ")


def _values(at: Path, column: str, values: Iterable[str], categories: Mapping[str, object]) -> Iterator[Misfit]:
    known = categories[column]
    assert isinstance(known, Mapping)
    for value in values:
        yield from _if_unknown(at, value, known, f"is no category of {column}", f"category {column} ")


def _outcomes(at: Path, given: Iterable[Preference | Reading], protocol: Protocol) -> Iterator[Misfit]:
    for i, one in enumerate(given):
        place = (*at, i, "outcome")
        yield from _if_unknown(place, one.outcome, protocol.outcomes, "is no outcome of the protocol", "outcome ")


def _if_unknown(at: Path, value: str, known: Iterable[str], message: str, mistake: str) -> Iterator[Misfit]:
    if value not in known:
        yield _unknown(at, value, known, message, mistake)


def _unknown(at: Path, value: str, known: Iterable[str], message: str, mistake: str) -> Misfit:
    options = sorted(known)
    hint = did_you_mean(value, options)
    return Misfit(at, value, f"{message}{hint}", ", ".join(options) or "none is defined", mistake + value)
