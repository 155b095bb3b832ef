"""What is built up for each row on its way from reported numbers to an effect size."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from reweigh.effects.conversions import Floats
from reweigh.effects.measures import Bools, Pair
from reweigh.effects.notes import Notes, Texts

DISPLAY = ("mean1", "sd1", "mean2", "sd2", "events1", "events2")


@dataclass(slots=True)
class Work:
    """Results of n rows so far; a row has failed once it has a reason."""

    n: int
    yi: Floats = field(init=False)
    vi: Floats = field(init=False)
    corrected: Bools = field(init=False)
    shown: dict[str, Floats] = field(init=False)
    route: Texts = field(init=False)
    reason: Texts = field(init=False)
    needed: Texts = field(init=False)
    derivation: Notes = field(init=False)
    assumptions: Notes = field(init=False)
    flags: Notes = field(init=False)

    def __post_init__(self) -> None:
        """Start with nothing known."""
        self.yi, self.vi = np.full(self.n, np.nan), np.full(self.n, np.nan)
        self.corrected = np.zeros(self.n, dtype=bool)
        self.shown = {name: np.full(self.n, np.nan) for name in DISPLAY}
        self.route, self.reason, self.needed = (np.full(self.n, "", dtype=object) for _ in range(3))
        self.derivation, self.assumptions, self.flags = Notes(self.n), Notes(self.n), Notes(self.n)

    @property
    def alive(self) -> Bools:
        """Rows that have not failed."""
        return np.asarray(self.reason == "", dtype=bool)

    def fail(self, rows: Bools, reason: str | Texts, needed: str | Texts) -> None:
        """Give the rows that have not failed yet a reason and what would mend it."""
        rows = rows & self.alive
        self.reason[rows] = reason if isinstance(reason, str) else reason[rows]
        self.needed[rows] = needed if isinstance(needed, str) else needed[rows]

    def put(self, rows: Bools, effect: Pair) -> None:
        """Store estimate and variance, given for the chosen rows only."""
        self.yi[rows], self.vi[rows] = effect

    def merge(self, at: NDArray[np.intp], other: Work) -> None:
        """Take over the results of another batch into the rows ``at``."""
        for name in ("yi", "vi", "corrected", "route", "reason", "needed"):
            getattr(self, name)[at] = getattr(other, name)
        for name in DISPLAY:
            self.shown[name][at] = other.shown[name]
        for name in ("derivation", "assumptions", "flags"):
            getattr(self, name).merge(at, getattr(other, name))
