"""From claims to verdicts: every statement under four readings, and at three smallest important differences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reweigh.certainty.assess import Certainty
from reweigh.claims.evidence import Body, Evidence, Setting, gather
from reweigh.claims.model import COUNTS_AS_SUPPORT, Claim, LeansOn, Lookup, Test, window_of_week
from reweigh.claims.rules import Finding, combine, judge
from reweigh.protocol.models import PRESETS, Model
from reweigh.text.certainty import Level
from reweigh.text.claims import BRIEF, OLDER_REVIEWS, State, Verdict, answer, tally
from reweigh.text.codes import code, join, words

CERTAINTY_RULES = ("certainty_at_least", "certainty_at_most")
#: State of the statements that decide a verdict.
DECIDED_BY = {
    Verdict.CONTRADICTED: State.OPPOSED, Verdict.NOT_SUPPORTED: State.OPEN, Verdict.TOO_LITTLE: State.FEW,
    Verdict.UNTESTABLE: State.UNTESTED,
}  # fmt: skip


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
    `half` and `twice` those at half and twice the smallest important difference; `by_source` those that each reading of
    the sources alone would give, by the label of the reading, all of which `sources` has by name. As of a year there is
    no verdict where a statement's trials have no years.
    """

    claim: Claim
    verdict: Verdict
    verdict_effect: Verdict
    half: Verdict
    twice: Verdict
    parts: tuple[Part, ...]
    shown: tuple[tuple[Lookup, Evidence, dict[str, Evidence]], ...]
    verdicts: dict[str, Verdict]
    method: Model
    method_of: str
    as_of: int | None
    by_source: dict[str, Verdict] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)

    @property
    def rests_on(self) -> str:
        """Whose readings of the sources the headline rests on, as codes; the protocol's first reading first."""
        read = self.headline.evidence.read_by if self.headline else {}
        return join(code("read_by", who=who, trials=read[name]) for name, who in self.sources.items() if name in read)

    @property
    def decided(self) -> tuple[Part, ...]:
        """The statements that decided the verdict: all of them where all had to hold."""
        state = DECIDED_BY.get(self.verdict)
        return tuple(p for p in self.parts if state in (None, p.finding.state))

    @property
    def headline(self) -> Part | None:
        """The statement whose numbers stand beside the verdict: the first that decided it, those on effects first."""
        return min(self.decided, key=lambda p: p.test.rule in CERTAINTY_RULES, default=None)

    @property
    def certainty(self) -> Level | None:
        """The lowest certainty of its statements, None without a trial."""
        return min((c.level for c in _graded(self.parts)), key=lambda x: x.rank, default=None)

    @property
    def reason(self) -> str:
        """Why the verdict is what it is: the statements that decided, or the reason that the claim states."""
        said = "; ".join(f"{label(p.test)}: {p.finding.words}" for p in self.decided)
        return said or self.claim.out_of_scope or self.claim.untestable

    @property
    def reason_codes(self) -> str:
        """As `reason`, without the labels, in codes."""
        stated = self.claim.out_of_scope or self.claim.untestable
        return "; ".join(p.finding.codes for p in self.decided) or code("stated", reason=stated)

    @property
    def answer(self) -> str:
        """The answer to the claim in one sentence."""
        head = self.headline
        if head is None:
            return answer(self.verdict, self.reason)
        # What a certainty was lowered for stands below the answer.
        found = f"{label(head.test)}, {words(head.finding.codes, BRIEF)}"
        return answer(
            self.verdict, "; ".join(filter(None, (found, tally([p.finding.state for p in self.parts])))),
            trials=head.finding.trials, side=head.evidence.trials > head.finding.trials,
            certainty=self.certainty or Level.VERY_LOW, assessed=all(c.bias_assessed for c in _graded((head,))),
            # Of a certainty, or of effects said to be similar, the remark would make no sense.
            no_effect=isinstance(head.evidence, Body) and head.evidence.includes_no_effect
            and head.test.rule not in (*CERTAINTY_RULES, "equivalence"),
            weak=all(p.test.rule == "certainty_at_most" for p in self.parts),
        )  # fmt: skip


def evaluate(claim: Claim, setting: Setting) -> Assessed:
    """Judge one claim by the rules, from the review's tables."""
    method, method_of = _method(claim, setting)
    as_of = next((x.year for x in claim.leans_on if x.year and x.citation in COUNTS_AS_SUPPORT), None)
    if claim.out_of_scope or claim.untestable:
        verdict = Verdict.OUT if claim.out_of_scope else Verdict.UNTESTABLE
        return Assessed(claim, verdict, verdict, verdict, verdict, (), (), {}, method, method_of, as_of)
    readings = _readings(method, as_of)
    parts = tuple(_part(test, setting, readings) for test in claim.tests)
    verdicts = {}
    for name in readings:
        if not any(p.readings[name].without_years for p in parts):
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
    return Assessed(
        claim, verdict, _verdict(effect_parts) if effect_parts else verdict, other[0], other[1], parts, shown,
        verdicts, method, method_of, as_of, _by_source(claim, setting), setting.protocol.readings,
    )  # fmt: skip


def _by_source(claim: Claim, setting: Setting) -> dict[str, Verdict]:
    """The verdict of a claim on the main set if only one reading of the sources had been made, where a set has it."""
    protocol = setting.protocol
    alone = {chosen.reading[0]: name for name, chosen in protocol.sets.items() if chosen.is_reading}
    if any(test.set != "main" for test in claim.tests):
        return {}
    found = {}
    for reading, who in protocol.readings.items():
        if reading in alone:
            tests = [test.model_copy(update={"set": alone[reading]}) for test in claim.tests]
            pairs = [(test, gather(test, setting, window=_window(test, setting))) for test in tests]
            found[who] = _verdict([(test, judge(test, one), one) for test, one in pairs])
    return found


def evaluate_claims(claims: Iterable[Claim], setting: Setting) -> list[Assessed]:
    """Every claim judged, in the order given."""
    return [evaluate(claim, setting) for claim in claims]


def _window(look: Lookup, setting: Setting) -> str:
    weeks = look.weeks if isinstance(look, Test) else None
    return look.window if weeks is None else window_of_week(weeks, setting.protocol) or ""


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
    return PRESETS["revman-classic"], OLDER_REVIEWS


def _graded(parts: tuple[Part, ...]) -> list[Certainty]:
    return [p.evidence.certainty for p in parts if isinstance(p.evidence, Body)]


def _verdict(found: list[tuple[Test, Finding, Evidence]]) -> Verdict:
    levels = [e.certainty.level for _, _, e in found if isinstance(e, Body)]
    return combine([(t, f) for t, f, _ in found], levels)


def label(look: Lookup) -> str:
    """A statement's own label, else its outcome and window."""
    return look.label or f"{look.outcome.replace('_', ' ')}, {look.window.replace('_', ' ')}".strip(", ")


def cited_support(claim: Claim) -> tuple[LeansOn, ...]:
    """What a claim cites that exists, is on the subject and says so, at least in part."""
    return tuple(x for x in claim.leans_on if x.citation in COUNTS_AS_SUPPORT)
