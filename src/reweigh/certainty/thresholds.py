"""Numbers that turn the words of the GRADE guidance into rules, each with its source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from reweigh.effects.selection import analyses
from reweigh.protocol.model import Protocol
from reweigh.tables.problems import did_you_mean

SOURCES = {
    "most_information": (
        "Cochrane Handbook 5.1, Table 12.2.d (as reprinted in Syst Rev 2017, PMC5393017): 'most information is from "
        "studies at low risk'; most is read as more than half of the weight"
    ),
    "i2_serious": "Cochrane Handbook 5.0.1 (BMC Med Res Methodol 2008;8:79, Table 3): 50% to 90% may be substantial",
    "i2_very_serious": "Cochrane Handbook 5.0.1 (BMC Med Res Methodol 2008;8:79, Table 3): 75% to 100% is considerable",
    "relative_risk_reduction": (
        "Core GRADE 2 (BMJ 2025;389:e081904; authors' questions and answers): a modest relative risk reduction, "
        "typically 20% or 25%, for the optimal information size"
    ),
    "alpha": "Core GRADE 2 (BMJ 2025;389:e081904; authors' questions and answers): typically 0.05",
    "beta": "Core GRADE 2 (BMJ 2025;389:e081904; authors' questions and answers): typically 0.20",
    "far_below_information_size": (
        "GRADE guidance 34 (Zeng 2022, J Clin Epidemiol 150:216-224): 'far less' than the optimal information size may "
        "cost more than one level; the guidance seen gives no number: half of it is this pipeline's reading"
    ),
    "ratio_lower": "GRADE guidelines 6 (Guyatt 2011, J Clin Epidemiol 64:1283-1293): RR under 0.75 as a rough guide",
    "ratio_upper": "GRADE guidelines 6 (Guyatt 2011, J Clin Epidemiol 64:1283-1293): RR over 1.25 as a rough guide",
    "smallest_k_for_asymmetry": "Cochrane Handbook 13.3.5.4: tests of asymmetry from ten studies",
    "asymmetry_p": "Egger 1997, BMJ 315:629-34: asymmetry is read at P < 0.1",
}


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Thresholds of the certainty rules; SOURCES cites each."""

    #: Share of the weight, 0 to 1, above which information is "most information".
    most_information: float = 0.5
    #: I2 in percent from which inconsistency is serious, or can be very serious.
    i2_serious: float = 50.0
    i2_very_serious: float = 75.0
    #: Design of the trial whose size is the optimal information size.
    relative_risk_reduction: float = 0.25
    alpha: float = 0.05
    beta: float = 0.20
    #: Share of the optimal information size below which precision costs a second level.
    far_below_information_size: float = 0.5
    #: Bounds of an important effect for ratios where the protocol has none.
    ratio_lower: float = 0.75
    ratio_upper: float = 1.25
    smallest_k_for_asymmetry: int = 10
    asymmetry_p: float = 0.10

    def __post_init__(self) -> None:  # noqa: D105
        for name, low, high in (
            ("most_information", 0, 1), ("i2_serious", 0, 100), ("i2_very_serious", self.i2_serious, 100),
            ("relative_risk_reduction", 0, 1), ("alpha", 0, 1), ("beta", 0, 1), ("far_below_information_size", 0, 1),
            ("ratio_lower", 0, 1), ("ratio_upper", 1, float("inf")), ("asymmetry_p", 0, 1),
            ("smallest_k_for_asymmetry", 3, float("inf")),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must lie between {low:g} and {high:g}, not {getattr(self, name)}")

    @property
    def ratio(self) -> tuple[float, float]:
        """Both bounds of an important ratio."""
        return self.ratio_lower, self.ratio_upper


def rules_of(protocol: Protocol) -> tuple[Thresholds, dict[str, tuple[int, str]]]:
    """Thresholds, and indirectness (by analysis or outcome: levels and reason), that a protocol sets, else defaults.

    Raises ValueError for what `rule_problems` finds in the thresholds.
    """
    rules = protocol.certainty
    return Thresholds(**rules.thresholds), {name: (one.levels, one.reason) for name, one in rules.indirectness.items()}  # type: ignore[arg-type]


def rule_problems(protocol: Protocol) -> Iterator[tuple[str, str, str, str]]:
    """What is wrong in the protocol's `certainty`: key, value, message, what is allowed."""
    rules, known = protocol.certainty, sorted(f.name for f in fields(Thresholds))
    for name in rules.thresholds:
        if name not in known:
            allowed = ", ".join(known)
            yield "certainty.thresholds", name, f"is no threshold{did_you_mean(name, known)}", allowed
    right = {name: value for name, value in rules.thresholds.items() if name in known}
    try:
        Thresholds(**right)  # type: ignore[arg-type]
    except ValueError as why:
        yield "certainty.thresholds", "", f"{why}", "see docs/reference/claims.md"
    names = [*protocol.outcomes, *(
        one.id(window, protocol.outcomes[one.outcome]) for one in analyses(protocol) for window in protocol.windows
    )]  # fmt: skip
    for name in rules.indirectness:
        if name not in names:
            message = f"is no outcome or analysis of the protocol{did_you_mean(name, names)}"
            yield "certainty.indirectness", name, message, ", ".join(protocol.outcomes)


def cited() -> dict[str, tuple[float, str]]:
    """Each default threshold with its source."""
    return {f.name: (getattr(Thresholds(), f.name), SOURCES[f.name]) for f in fields(Thresholds)}
