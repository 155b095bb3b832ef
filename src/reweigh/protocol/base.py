"""What all parts of the protocol share: closed models, and the refusal of unknown names."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from reweigh.tables.problems import did_you_mean


class Closed(BaseModel):
    """A model that knows all of its keys; its numbers are finite."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, str_strip_whitespace=True, coerce_numbers_to_str=True, allow_inf_nan=False
    )


def require(value: str, known: Any, where: str) -> None:
    """Raise ValueError, with what is allowed, where a value is not among the known ones."""
    if value not in known:
        raise ValueError(
            f"{where}: {value!r} is unknown{did_you_mean(value, list(known))}; allowed: {', '.join(sorted(known))}"
        )
