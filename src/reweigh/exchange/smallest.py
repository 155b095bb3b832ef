"""The smallest protocol that works, for files that have results and say nothing of how they are to be pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from reweigh.measures import MEASURES, SINGLE_GROUP_MEASURES


def smallest_protocol(
    file: str, words: Sequence[str], outcomes: Mapping[str, Mapping[str, str]], model: str
) -> tuple[dict[str, Any], dict[str, str], list[str]]:
    """review.yaml, comments on what is a placeholder or a guess, and sentences for the preview.

    Parameters
    ----------
    file
        Name of the file that was read.
    words
        How intervention and control are called; "" where nothing says so.
    outcomes
        Id of each outcome to its label, type, measure, and in `guessed` why the measure is a guess, or "".
    model
        A preset that comes first; "" for the usual ones alone.
    """
    notes = []
    named = PurePath(file).stem.replace("_", " ")
    alone = all(one["measure"] in SINGLE_GROUP_MEASURES for one in outcomes.values())
    usual = ("group", "none") if alone else ("experimental", "control")
    sides = [word or default for word, default in zip(words, usual, strict=True)]
    comments = {
        "title": "fill in: the title of the review",
        "question": "fill in: who was studied, what was given, what it was compared with",
        "windows": "one window takes every row; name windows to keep time points apart",
    }
    if not any(words):
        comments["words"] = "fill in: how the two sides are called in figures"
    found = {}
    for name, one in outcomes.items():
        found[name] = {"label": one["label"], "type": one["type"], "measure": one["measure"]}
        compared = one["measure"] not in SINGLE_GROUP_MEASURES
        if compared:
            found[name]["better"] = "lower"
            comments[f"outcomes.{name}.better"] = "guessed: lower or higher"
        if one["guessed"]:
            comments[f"outcomes.{name}.measure"] = one["guessed"]
        guess = f" ({one['guessed']})" if one["guessed"] else ""
        notes.append(
            f"outcome {name}: {MEASURES[one['measure']].label.lower()}{guess}"
            + ("; that lower is better is a guess" if compared else " of a single group")
        )
    presets = ["cochrane", "revman-classic"]
    comments["models"] = "the main model first"
    protocol = {
        "title": f"To be filled in: title (imported from {named})",
        "question": {
            "population": "to be filled in: population",
            "intervention": sides[0] if words[0] else "to be filled in: intervention",
            "comparator": sides[1] if words[1] else "to be filled in: comparator",
        },
        "words": {"intervention": sides[0], "control": sides[1]},
        "outcomes": found,
        "windows": {"all": {"label": "All time points", "any": True}},
        "models": [model, *(p for p in presets if p != model)] if model else presets,
    }
    return protocol, comments, notes
