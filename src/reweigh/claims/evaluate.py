"""From claims to verdicts: every statement under four readings, and at three smallest important differences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reweigh.claims.evidence import Evidence, Setting, gather
from reweigh.claims.model import COUNTS_AS_SUPPORT, Claim, LeansOn, Lookup, Test
from reweigh.claims.rules import (
    BIAS_UNKNOWN,
    CONTRADICTED,
    FEW,
    NOT_SUPPORTED,
    OPEN,
    OPPOSED,
    OUT,
    TOO_LITTLE,
    UNTESTABLE,
    UNTESTED,
    Finding,
    combine,
    judge,
)
from reweigh.protocol.models import PRESETS, Model

CERTAINTY_RULES = ("certainty_at_least", "certainty_at_most")
#: State of the statements that decide a verdict.
DECIDED_BY = {CONTRADICTED: OPPOSED, NOT_SUPPORTED: OPEN, TOO_LITTLE: FEW, UNTESTABLE: UNTESTED}


@dataclass(frozen=True, slots=True)
class Part:
    """One statement: its evidence and finding, and its evidence under the other readings (by name)."""

    test: Test
    evidence: Evidence
    finding: Finding
    readings: dict[str, Evidence]


@dataclass(frozen=True, slots=True)
class Assessed:
    """A claim with its verdict.

    `verdict_effect` leaves out what the claim says about certainty. `verdicts` are those under the other readings;
    `half` and `twice` those at half and twice the smallest important difference.
    """

    claim: Claim
    verdict: str
    verdict_effect: str
    reason: str
    half: str
    twice: str
    parts: tuple[Part, ...]
    shown: tuple[tuple[Lookup, Evidence, dict[str, Evidence]], ...]
    verdicts: dict[str, str]
    method: Model
    method_of: str
    as_of: int | None

    @property
    def headline(self) -> Part | None:
        """The statement whose numbers stand beside the verdict: the first that decided it, those on effects first."""
        decided = DECIDED_BY.get(self.verdict_effect if self.verdict == UNTESTABLE else self.verdict)
        ranked = sorted(self.parts, key=lambda p: (p.finding.state != decided, p.test.rule in CERTAINTY_RULES))
        return ranked[0] if ranked else None


def window_of_week(weeks: float, setting: Setting) -> str:
    """Window that holds a week; raises ValueError where the protocol has none."""
    for name, window in setting.protocol.windows.items():
        if window.holds(7 * weeks):
            return name
    raise ValueError(f"no window of the protocol holds week {weeks:g}")


def evaluate(claim: Claim, setting: Setting) -> Assessed:
    """Judge one claim by the rules, from the review's tables.

    Raises ValueError where a statement needs a window or column that the review does not have.
    """
    method, method_of = _method(claim, setting)
    as_of = next((x.year for x in claim.leans_on if x.year and x.citation in COUNTS_AS_SUPPORT), None)
    if claim.out_of_scope or claim.untestable:
        verdict, reason = (OUT, claim.out_of_scope) if claim.out_of_scope else (UNTESTABLE, claim.untestable)
        return Assessed(claim, verdict, verdict, reason, verdict, verdict, (), (), {}, method, method_of, as_of)
    readings = _readings(method, as_of)
    parts = tuple(_part(test, setting, readings) for test in claim.tests)
    verdicts = {}
    for name in readings:
        pairs = [(p.test, judge(p.test, p.readings[name]), p.readings[name]) for p in parts]
        verdicts[name] = _verdict(pairs)
    verdict = _verdict([(p.test, p.finding, p.evidence) for p in parts])
    other = []
    for factor in (0.5, 2.0):
        found = [(t, gather(t, setting, factor=factor, window=_window(t, setting))) for t in claim.tests]
        other.append(_verdict([(t, judge(t, e), e) for t, e in found]))
    shown = tuple(
        (look, gather(look, setting), {name: gather(look, setting, **how) for name, how in readings.items()})  # type: ignore[arg-type]
        for look in claim.shown
    )
    effect_parts = [(p.test, p.finding, p.evidence) for p in parts if p.test.rule not in CERTAINTY_RULES]
    reason = BIAS_UNKNOWN if verdict == UNTESTABLE else _reason(parts, verdict)
    return Assessed(
        claim, verdict, _verdict(effect_parts) if effect_parts else verdict, reason, other[0], other[1], parts, shown,
        verdicts, method, method_of, as_of,
    )  # fmt: skip


def evaluate_claims(claims: Iterable[Claim], setting: Setting) -> list[Assessed]:
    """Every claim judged, in the order given."""
    return [evaluate(claim, setting) for claim in claims]


def _window(look: Lookup, setting: Setting) -> str:
    weeks = getattr(look, "weeks", None)
    return window_of_week(weeks, setting) if weeks is not None else look.window


def _readings(method: Model, as_of: int | None) -> dict[str, dict[str, object]]:
    """Names and settings of the readings besides the main one."""
    found: dict[str, dict[str, object]] = {"review_now": {"model": method}}
    if as_of is not None:
        found |= {"best_as_of": {"as_of": as_of}, "review_as_of": {"model": method, "as_of": as_of}}
    return found


def _part(test: Test, setting: Setting, readings: dict[str, dict[str, object]]) -> Part:
    window = _window(test, setting)
    evidence = gather(test, setting, window=window)
    others = {name: gather(test, setting, window=window, **how) for name, how in readings.items()}  # type: ignore[arg-type]
    return Part(test, evidence, judge(test, evidence), others)


def _method(claim: Claim, setting: Setting) -> tuple[Model, str]:
    for cited in claim.leans_on:
        if cited.model is not None and cited.citation in COUNTS_AS_SUPPORT:
            return cited.model, cited.label
    return PRESETS["revman-classic"], "older reviews (the claim leans on no review whose model is known)"


def _verdict(found: list[tuple[Test, Finding, Evidence]]) -> str:
    levels = [e.certainty.level for _, _, e in found if e.certainty is not None]
    return combine([(t, f) for t, f, _ in found], levels)


def _reason(parts: tuple[Part, ...], verdict: str) -> str:
    """The statements that decided, or all of them where all had to hold."""
    state = DECIDED_BY.get(verdict)
    return "; ".join(f"{label(p.test)}: {p.finding.words}" for p in parts if state in (None, p.finding.state))


def label(look: Lookup) -> str:
    """A statement's own label, else its outcome and window."""
    return look.label or f"{look.outcome.replace('_', ' ')}, {look.window.replace('_', ' ')}".strip(", ")


def cited_support(claim: Claim) -> tuple[LeansOn, ...]:
    """What a claim cites that exists, is on the subject and says so, at least in part."""
    return tuple(x for x in claim.leans_on if x.citation in COUNTS_AS_SUPPORT)
