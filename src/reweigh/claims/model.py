"""`claims.yaml` as a closed, typed model: who claims what, what it leans on, and what would make it true."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from math import inf
from typing import Annotated, Any, Literal, NamedTuple

import pandas as pd
from pydantic import Field, field_validator, model_validator

from reweigh.measures import COUNT_MEASURES, MEASURES, RANGES, RATIO_MEASURES, MeasureName
from reweigh.protocol.base import Closed
from reweigh.protocol.document import Document
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model
from reweigh.tables.problems import Problem, did_you_mean, format_report, nearest
from reweigh.tables.review import Tables
from reweigh.text.certainty import Level

FILE = Document("claims.yaml", "the claims", "docs/reference/claims.md")
Citation = Literal["supports", "partly", "off_subject", "not_found", "none"]
COUNTS_AS_SUPPORT: frozenset[Citation] = frozenset({"supports", "partly"})
RuleName = Literal[
    "benefit", "harm", "important_benefit", "equivalence", "no_important_harm", "certainty_at_least",
    "certainty_at_most", "subgroup_larger", "subgroups_alike", "risk_below", "nnt_at_most", "claimed_value",
    "inconsistent", "dose_trend", "lasting_to_weeks",
]  # fmt: skip
#: Rules that a measure of a single group can meet: the others speak of a benefit or harm.
WITHOUT_COMPARISON: tuple[RuleName, ...] = (
    "certainty_at_least", "certainty_at_most", "risk_below", "claimed_value", "inconsistent", "dose_trend",
)  # fmt: skip
#: Which parameters a rule needs besides the population; rules that are not here take none.
NEEDS: Mapping[str, tuple[str, ...]] = {
    "certainty_at_least": ("level",), "certainty_at_most": ("level",), "subgroup_larger": ("larger", "column"),
    "risk_below": ("value", "source"), "nnt_at_most": ("value",), "claimed_value": ("value",),
    "subgroups_alike": ("column",), "dose_trend": ("column",), "lasting_to_weeks": ("weeks",),
}  # fmt: skip
#: What a parameter can be.
LIMITS: Mapping[str, tuple[str, Callable[[float], bool], str]] = {
    "nnt_at_most": ("value", lambda x: x >= 1, "a number of patients from 1"),
    "risk_below": ("value", lambda x: 0 < x < 1, "a risk between 0 and 1"),
    "lasting_to_weeks": ("weeks", lambda x: x >= 0, "weeks from 0"),
}


class LeansOn(Closed):
    """What a claim cites: whether it exists, is on the subject, and says so."""

    label: str
    citation: Citation
    year: int | None = None
    doi: str = ""
    review_id: str = ""
    model: Model | None = None
    note: str = ""


class Lookup(Closed):
    """A body of evidence: outcome, window, set and population.

    `where`: columns of studies.csv to allowed values; `contains`: columns to words, one of which a cell must have in it
    (whatever the case of letters).
    """

    outcome: str
    window: str = ""
    measure: MeasureName | None = None
    set: str = "main"
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    contains: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    label: str = ""

    @field_validator("contains", mode="before")
    @classmethod
    def _one_word(cls, contains: Any) -> Any:
        """A text is a list of one."""
        if not isinstance(contains, Mapping):
            return contains
        return {column: [texts] if isinstance(texts, str) else texts for column, texts in contains.items()}


class Test(Lookup):
    """A testable statement about a body of evidence."""

    __test__ = False

    rule: RuleName
    level: Level | None = None
    value: float | None = None
    column: str = ""
    larger: tuple[str, ...] = ()
    weeks: float | None = None
    source: str = ""

    @model_validator(mode="after")
    def _complete(self) -> Test:
        needed = NEEDS.get(self.rule, ())
        for name in ("level", "value", "column", "larger", "weeks", "source"):
            given = getattr(self, name) not in (None, "", ())
            if name in needed and not given:
                raise ValueError(f"rule {self.rule} needs {name}")
            if given and name not in (*needed, "source"):
                raise ValueError(f"rule {self.rule} takes no {name}")
        if self.rule in LIMITS:
            name, possible, allowed = LIMITS[self.rule]
            if not possible(getattr(self, name)):
                raise ValueError(f"{name} of {getattr(self, name):g} cannot be; allowed: {allowed}")
        if (self.rule == "lasting_to_weeks") == bool(self.window):
            raise ValueError("a window is needed, except for lasting_to_weeks, which finds its own")
        return self


class Context(Closed):
    """Published rows to show beside a claim."""

    review_id: str
    outcome: str = ""
    timepoint: str = ""
    note: str = ""


class Claim(Closed):
    """One claim."""

    id: Annotated[str, Field(pattern=r"^[A-Z][0-9]{2}$")]
    page: str
    claim: Annotated[str, Field(min_length=10)]
    leans_on: tuple[LeansOn, ...] = ()
    tests: tuple[Test, ...] = ()
    shown: tuple[Lookup, ...] = ()
    published: tuple[Context, ...] = ()
    untestable: str = ""
    out_of_scope: str = ""
    note: str = ""
    would_change: Annotated[str, Field(min_length=10)]

    @model_validator(mode="after")
    def _one_fate(self) -> Claim:
        if sum((bool(self.tests), bool(self.untestable), bool(self.out_of_scope))) != 1:
            raise ValueError(f"{self.id}: give tests, or untestable with the reason, or out_of_scope with the reason")
        return self


class Claims(Closed):
    """All claims of a review; `pages` says what each page id stands for."""

    pages: dict[str, str]
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]

    @classmethod
    def none(cls) -> Claims:
        """The claims of a review that examines none."""
        return cls.model_construct(pages={}, claims=())

    @model_validator(mode="after")
    def _named(self) -> Claims:
        ids = [c.id for c in self.claims]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise ValueError(f"claim ids are used twice: {', '.join(twice)}")
        unknown = sorted({c.page for c in self.claims} - set(self.pages))
        if unknown:
            raise ValueError(f"pages are not explained: {', '.join(unknown)}")
        return self


def read_claims(content: bytes) -> Claims:
    """Claims that the check stage has passed; raises ValueError with its problems where it has not."""
    claims, _, problems = FILE.read(content, Claims)
    if claims is None:
        raise ValueError(format_report(problems, "review"))
    return claims


def claims_problems(
    content: bytes, protocol: Protocol | None, tables: Tables | None, reviews: Collection[str] | None = None
) -> list[Problem]:
    """Every problem of claims.yaml: its form, and names and measures that the review does not have.

    Parameters
    ----------
    content
        The file.
    protocol, tables
        Of the review; None where they cannot be read: what depends on them is then not reported.
    reviews
        `review_id`s of published.csv; None: not looked at.
    """
    claims, raw, problems = FILE.read(content, Claims)
    if claims is None or protocol is None:
        return problems
    outcomes = list(dict.fromkeys(look.outcome for _, look in _looks(claims)))
    if outcomes and not any(nearest(name, list(protocol.outcomes)) for name in outcomes):
        message = f"speaks of outcomes that this review does not have: {', '.join(outcomes)}"
        return [FILE.problem(message, ", ".join(protocol.outcomes))]
    studies = None if tables is None or not len(tables.studies) else tables.studies
    for path, look in _looks(claims):
        for fault in _faults(look, protocol, studies):
            line, key = FILE.at(raw, *path, *fault.key)
            problems.append(Problem(FILE.file, line, key, fault.value, fault.message, fault.allowed))
    for i, claim in enumerate(claims.claims):
        for j, row in enumerate(claim.published):
            if reviews is not None and row.review_id not in reviews:
                line, key = FILE.at(raw, "claims", i, "published", j, "review_id")
                message = f"is no review_id of published.csv{did_you_mean(row.review_id, list(reviews))}"
                problems.append(Problem(FILE.file, line, key, row.review_id, message, ", ".join(reviews) or "none"))
    return problems


def _looks(claims: Claims) -> Iterator[tuple[tuple[str | int, ...], Lookup]]:
    """Every body of evidence that the claims name, with its place in the file."""
    for i, claim in enumerate(claims.claims):
        for key, looks in (("tests", claim.tests), ("shown", claim.shown)):
            for j, look in enumerate(looks):
                yield ("claims", i, key, j), look


class _Fault(NamedTuple):
    """What is wrong with a statement: keys below it, value, message, what is allowed."""

    key: tuple[str | int, ...]
    value: str
    message: str
    allowed: str


def _unknown(key: tuple[str | int, ...], value: str, what: str, known: Collection[str]) -> Iterator[_Fault]:
    names = sorted(known)
    if value not in names:
        yield _Fault(key, value, f"is no {what}{did_you_mean(value, names)}", ", ".join(names) or f"a {what}")


def _faults(look: Lookup, protocol: Protocol, studies: pd.DataFrame | None) -> Iterator[_Fault]:
    yield from _unknown(("outcome",), look.outcome, "outcome of the protocol", protocol.outcomes)
    yield from _unknown(("set",), look.set, "set of the protocol", protocol.sets)
    if look.window:
        yield from _unknown(("window",), look.window, "window of the protocol", protocol.windows)
    if look.outcome in protocol.outcomes:
        yield from _measure_faults(look, protocol)
    if isinstance(look, Test) and look.weeks is not None and window_of_week(look.weeks, protocol) is None:
        message = f"weeks is day {7 * look.weeks:g}, which no window of the protocol holds"
        yield _Fault(("weeks",), f"{look.weeks:g}", message, ", ".join(protocol.windows))
    if studies is not None:
        yield from _population_faults(look, protocol, studies)


def _measure_faults(look: Lookup, protocol: Protocol) -> Iterator[_Fault]:
    outcome = protocol.outcomes[look.outcome]
    computed = (outcome.measure, *(outcome.also if look.set == "main" else ()))
    measure = look.measure or outcome.measure
    if measure not in computed:
        message = f"is not computed for {look.outcome} in the set {look.set}"
        yield _Fault(("measure",), measure, message, ", ".join(computed))
    elif isinstance(look, Test):
        if look.rule == "nnt_at_most" and measure not in COUNT_MEASURES:
            message = f"needs a measure of two risks, and {look.outcome} is measured by {measure}"
            yield _Fault(("rule",), look.rule, message, ", ".join(sorted(COUNT_MEASURES)))
        if outcome.better is None and look.rule not in WITHOUT_COMPARISON:
            message = f"needs a comparison, and {look.outcome} is the {measure} of a single group"
            yield _Fault(("rule",), look.rule, message, ", ".join(WITHOUT_COMPARISON))
        elif look.rule == "risk_below" and outcome.type not in ("binary", "proportion"):
            message = f"needs counts of events, and {look.outcome} is {outcome.type}"
            yield _Fault(("rule",), look.rule, message, "a binary outcome or a proportion")
        if look.rule == "claimed_value":
            value = look.value or 0.0
            if measure in RATIO_MEASURES and value <= 0:
                yield _Fault(("value",), f"{value:g}", f"is no {measure}", "a ratio above 0")
            low, high = RANGES.get(MEASURES[measure].scale, (-inf, inf))
            if measure not in RATIO_MEASURES and not low < value < high:
                yield _Fault(("value",), f"{value:g}", f"is no {measure}", f"a number between {low:g} and {high:g}")
            if measure == "RD" and abs(value) > 1:
                yield _Fault(("value",), f"{value:g}", "is no risk difference", "-1 to 1")


def _population_faults(look: Lookup, protocol: Protocol, studies: pd.DataFrame) -> Iterator[_Fault]:
    columns = [str(name) for name in studies if name != "row"]
    for key, wanted in (("where", look.where), ("contains", look.contains)):
        for column, values in wanted.items():
            yield from _unknown((key, column), column, "column of studies.csv", columns)
            cells = studies[column].dropna().astype(str) if column in columns else None
            for i, value in enumerate(values):
                if cells is None:
                    continue
                if key == "where":
                    known = {*protocol.categories.get(column, ()), *cells}
                    yield from _unknown((key, column, i), value, f"value of {column} in studies.csv", known)
                elif not cells.str.casefold().str.contains(value.casefold(), regex=False).any():
                    message = f"stands in no {column} of studies.csv{did_you_mean(value, sorted(set(cells)))}"
                    yield _Fault((key, column, i), value, message, "words of a cell, not a pattern")
    if isinstance(look, Test) and look.column:
        grouping = protocol.groupings.get(look.column)
        yield from _unknown(("column",), look.column, "column of studies.csv", {*columns, *protocol.groupings})
        known = set(grouping.groups) if grouping else {*protocol.categories.get(look.column, ())}
        if not grouping and look.column in columns:
            known |= set(studies[look.column].dropna().astype(str))
        for i, value in enumerate(look.larger if grouping or look.column in columns else ()):
            yield from _unknown(("larger", i), value, f"value of {look.column}", known)


def window_of_week(weeks: float, protocol: Protocol) -> str | None:
    """Window that holds a week, None where the protocol has none."""
    return next((name for name, window in protocol.windows.items() if window.holds(7 * weeks)), None)
