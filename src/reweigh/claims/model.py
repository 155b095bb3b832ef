"""`claims.yaml` as a closed, typed model: who claims what, what it leans on, and what would make it true."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from reweigh.measures import MeasureName
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model
from reweigh.tables.problems import did_you_mean

CITATIONS = ("supports", "partly", "off_subject", "not_found", "none")
COUNTS_AS_SUPPORT = frozenset({"supports", "partly"})
Level = Literal["very low", "low", "moderate", "high"]
RuleName = Literal[
    "benefit", "harm", "important_benefit", "equivalence", "no_important_harm", "certainty_at_least",
    "certainty_at_most", "subgroup_larger", "risk_below", "nnt_at_most", "claimed_value", "inconsistent", "dose_trend",
    "lasting_to_weeks",
]  # fmt: skip
#: Which parameter a rule needs besides the population; rules that are not here need none.
NEEDS = {
    "certainty_at_least": "level", "certainty_at_most": "level", "subgroup_larger": "larger", "risk_below": "value",
    "nnt_at_most": "value", "claimed_value": "value", "dose_trend": "column", "lasting_to_weeks": "weeks",
}  # fmt: skip


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


class LeansOn(_Closed):
    """What a claim cites: whether it exists, is on the subject, and says so."""

    label: str
    citation: Literal["supports", "partly", "off_subject", "not_found", "none"]
    year: int | None = None
    doi: str = ""
    review_id: str = ""
    model: Model | None = None
    note: str = ""


class Lookup(_Closed):
    """A body of evidence: outcome, window, set and population (columns of studies.csv)."""

    outcome: str
    window: str = ""
    measure: MeasureName | None = None
    set: str = "main"
    where: dict[str, tuple[str, ...]] = {}
    contains: dict[str, str] = {}
    label: str = ""


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
        needed = NEEDS.get(self.rule)
        if needed and getattr(self, needed) in (None, "", ()):
            raise ValueError(f"rule {self.rule} needs {needed}")
        if self.rule == "subgroup_larger" and not self.column:
            raise ValueError("rule subgroup_larger needs column")
        if self.rule == "risk_below" and not self.source:
            raise ValueError("rule risk_below needs the source of its threshold")
        if (self.rule == "lasting_to_weeks") == bool(self.window):
            raise ValueError("a window is needed, except for lasting_to_weeks, which finds its own")
        return self


class Context(_Closed):
    """Published rows to show beside a claim."""

    review_id: str
    outcome: str = ""
    timepoint: str = ""
    note: str = ""


class Claim(_Closed):
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


class Claims(_Closed):
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


def read_claims(content: bytes | str) -> tuple[Claims | None, list[str]]:
    """Read claims.yaml; every problem of its form (a wrong key, a missing parameter), or the claims."""
    try:
        raw: Any = YAML(typ="safe", pure=True).load(content)
    except (YAMLError, UnicodeDecodeError) as error:
        return None, [f"is not valid YAML: {' '.join(str(error).split())}"]
    try:
        return Claims.model_validate(raw), []
    except ValidationError as error:
        lines = [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors(include_url=False)]
        return None, list(dict.fromkeys(lines))


def load_claims(content: bytes | str, protocol: Protocol | None = None, columns: tuple[str, ...] = ()) -> Claims:
    """Read claims.yaml; with a protocol (and the columns of studies.csv), a claim whose names it lacks is untestable.

    Raises ValueError with every problem of the file's form.
    """
    claims, problems = read_claims(content)
    if claims is None:
        raise ValueError("claims.yaml:\n" + "\n".join(problems))
    if protocol is None:
        return claims
    known = [_known(claim, protocol, columns) for claim in claims.claims]
    return claims.model_copy(update={"claims": tuple(known)})


def _known(claim: Claim, protocol: Protocol, columns: tuple[str, ...]) -> Claim:
    """The claim, or an untestable one that says which of its names the protocol or the studies do not have."""
    unknown = []
    for look in (*claim.tests, *claim.shown):
        for what, name, there in (
            ("outcome", look.outcome, set(protocol.outcomes)),
            ("set", look.set, set(protocol.sets)),
            ("window", look.window, {"", *protocol.windows}),
        ):
            if name not in there:
                unknown.append(f"{what} {name!r} is not in the protocol{did_you_mean(name, sorted(there - {''}))}")
        unknown += [
            f"studies.csv has no column {column!r}"
            for column in (*look.where, *look.contains)
            if columns and column not in columns
        ]
        unknown += [
            f"{value!r} is no value of {column}"
            for column, values in look.where.items()
            for value in values
            if column in protocol.categories and value not in protocol.categories[column]
        ]
    if not unknown:
        return claim
    reason = "; ".join(dict.fromkeys(unknown))
    return claim.model_copy(update={"tests": (), "shown": (), "untestable": reason, "out_of_scope": ""})
