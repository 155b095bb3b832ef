"""The derivation of one effect size as a page that can be followed with a calculator: the trace of its conversion."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from reweigh.measures import natural
from reweigh.quantile import z_critical
from reweigh.text.effects import step_words
from reweigh.text.markdown import escaped


def worked_example(result: Mapping[str, Any], level: float = 0.95) -> str:
    """Markdown of a row of `compute` in words, with its trace (`steps`), step by step to its interval at `level`.

    Headings start at level 3. A row without an effect gives its reason and what would be needed.
    """
    if result["reason"]:
        return f"No effect size: {escaped(result['reason'])}.\n\nNeeded: {escaped(result['needed'])}.\n"
    steps = [*((step.name, step.values) for step in result["steps"]), _result(result, level)]
    parts = [step_words(i, name, values) for i, (name, values) in enumerate(steps, start=1)]
    for title, column in (("Chain", "derivation"), ("Assumptions", "assumptions"), ("Flags", "flags")):
        if result[column]:
            parts.append(f"{title}: {escaped(result[column])}.\n")
    return "\n".join(parts)


def _result(result: Mapping[str, Any], level: float) -> tuple[str, Mapping[str, float | str]]:
    yi, se, quantile = float(result["estimate"]), float(result["se"]), float(z_critical(level))
    low, high = yi - quantile * se, yi + quantile * se
    numbers: dict[str, float | str] = {"estimate": yi, "variance": float(result["variance"]), "se": se}
    numbers |= {"level": 100 * level, "quantile": quantile, "low": low, "high": high}
    if result["scale"] == "natural":
        return "result", numbers
    both = (_natural(x, result["scale"]) for x in (yi, low, high))
    return f"result_{result['scale']}", numbers | dict(
        zip(("natural", "natural_low", "natural_high"), both, strict=True)
    )


def _natural(x: float, scale: str) -> float | str:
    value = float(natural(x, scale))
    return value if math.isfinite(value) else "infinity"
