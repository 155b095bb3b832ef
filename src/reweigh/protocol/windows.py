"""Time windows: the days or words that an outcome may have been measured at."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Annotated

from pydantic import Field, model_validator

from reweigh.protocol.base import Closed
from reweigh.tables.times import BASELINE, spoken_days


class Window(Closed):
    """A time window in days: `from` and `to` include their bound, `over` and `below` do not.

    Rows without days belong to the window whose `text` has their time point, upper and lower case alike; `any` takes
    every row.
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

    def names(self, text: str) -> bool:
        """Whether the window's `text` has a time point, upper and lower case alike."""
        return text.strip().casefold() in {one.casefold() for one in self.text}

    def takes(self, days: float, text: str) -> bool:
        """Whether a row belongs here: by its day, or, where it has none (NaN), by the text of its time point."""
        return self.any or (self.names(text) if isnan(days) else self.holds(days))

    def overlaps(self, other: Window) -> bool:
        """Whether a day could belong to both windows."""
        if self.nominal is None or other.nominal is None:
            return self.any or other.any
        first, second = sorted((self, other), key=lambda w: w.lower)
        if first.upper == second.lower:
            return first.to is not None and second.from_ is not None
        return first.upper > second.lower


def day_of(windows: Mapping[str, Window], days: float, text: str) -> float:
    """Day of a time point: as given, else as its text says in words where no window names that text, else NaN."""
    if not isnan(days) or any(window.names(text) for window in windows.values()):
        return days
    return spoken_days(text)


def window_of(windows: Mapping[str, Window], days: float, text: str) -> str:
    """Name of the window that takes a row of this day (NaN where unknown) and time point, "" where none does.

    A baseline is never an outcome, whatever its day, unless a window names its text.
    """
    named = any(window.names(text) for window in windows.values())
    if text.strip().casefold() in BASELINE and not named:
        return ""
    day = day_of(windows, days, text)
    return next((name for name, window in windows.items() if window.takes(day, text)), "")
