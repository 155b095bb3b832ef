"""What is built up for each row on its way from reported numbers to an effect size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reweigh.effects.measures import Bools, Pair
from reweigh.effects.notes import Notes, codes
from reweigh.effects.table import Rows

DISPLAY = ("mean1", "sd1", "mean2", "sd2", "events1", "events2")


class Step(NamedTuple):
    """One step of a conversion: the name of its formula (`reweigh.text.effects.STEPS`), what went in, what came out."""

    name: str
    values: Mapping[str, float | str]


class Work:
    """Results so far of the rows `x`; a row has failed once it has a reason (a code)."""

    def __init__(self, x: Rows) -> None:
        self.x, self.n = x, x.n
        self.yi, self.vi = np.full((2, x.n), np.nan)
        self.corrected: Bools = np.zeros(x.n, dtype=bool)
        self.shown = {name: np.full(x.n, np.nan) for name in DISPLAY}
        self.route, self.within, self.reason = (np.full(x.n, "", dtype=object) for _ in range(3))
        self.derivation, self.assumptions, self.flags = Notes(x.n), Notes(x.n), Notes(x.n)
        self.steps: list[list[Step]] = [[] for _ in range(x.n)] if x.traced else []

    @property
    def alive(self) -> Bools:
        """Rows that have not failed."""
        return np.asarray(self.reason == "", dtype=bool)

    @property
    def traced(self) -> bool:
        """Whether the steps are recorded."""
        return self.x.traced

    def fail(self, rows: Bools, name: str, /, **parameters: Any) -> None:
        """Give the rows that have not failed yet a reason: a code, see `reweigh.effects.notes.codes`."""
        rows = rows & self.alive
        if rows.any():
            self.reason[rows] = codes(rows, name, **parameters)

    def put(self, rows: Bools, effect: Pair) -> None:
        """Store estimate and variance, given for the chosen rows only."""
        self.yi[rows], self.vi[rows] = effect

    def step(self, rows: Bools, name: str, /, **values: Any) -> None:
        """Record a step of the given rows, if steps are asked for; arrays have one value per row of the whole table."""
        if self.traced:
            for i in np.flatnonzero(rows):
                one = {k: v[i] if isinstance(v, np.ndarray) else v for k, v in values.items()}
                self.steps[i].append(Step(name, one))

    def merge(self, at: NDArray[np.intp], other: Work) -> None:
        """Take over the results of another batch into the rows ``at``."""
        for name in ("yi", "vi", "corrected", "route", "within", "reason"):
            getattr(self, name)[at] = getattr(other, name)
        for name in DISPLAY:
            self.shown[name][at] = other.shown[name]
        for name in ("derivation", "assumptions", "flags"):
            getattr(self, name).merge(at, getattr(other, name))
        for i, steps in zip(at, other.steps, strict=False):
            self.steps[i] += steps
