"""The smallest important difference of an outcome: one definition for every stage."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reweigh.protocol.base import Closed


class ImportantDifference(Closed):
    """Smallest important difference, natural scale: a distance from 0, or both bounds of a ratio."""

    value: float | tuple[float, float]
    source: Annotated[str, Field(min_length=5)]
