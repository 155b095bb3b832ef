"""`gallery.html`: every printed estimate of the published meta-analyses, and what came back of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from reweigh.io import frame, records
from reweigh.protocol.model import Protocol
from reweigh.report import words
from reweigh.report.page import environment_of, policy_of, text_of
from reweigh.reproduction.ledger import NOT_REPRODUCED, NOT_REREAD, REPRODUCED, VERDICTS
from reweigh.text.numbers import effect_text, fixed, whole

Found = tuple[str, Protocol, pd.DataFrame]
"""A review: its folder of results (`gallery/NAME`), its protocol, its reproduction.csv."""

#: Which verdicts the page colours, and how.
TONES = {REPRODUCED: "good", NOT_REREAD: "good", NOT_REPRODUCED: "bad"}


def gallery_table(reviews: Sequence[Found]) -> pd.DataFrame:
    """gallery.csv: the rows of every review's reproduction.csv, with the review."""
    rows = [
        {"review": review.rpartition("/")[2], "title": protocol.title, **row}
        for review, protocol, ledger in reviews
        for row in records(ledger)
    ]
    return frame("gallery.csv", rows)


def counts(table: pd.DataFrame) -> dict[str, int]:
    """How many printed estimates have each verdict, in the order of VERDICTS, those without any left out."""
    found = {verdict: int((table["verdict"] == verdict).sum()) for verdict in VERDICTS}
    return {verdict: n for verdict, n in found.items() if n}


def summary(table: pd.DataFrame, problems: pd.DataFrame) -> str:
    """What the terminal says at the end: how many printed estimates there are, and what came back of them."""
    lines = [
        f"{whole(table['review'].nunique())} published meta-analyses, {whole(len(table))} printed estimates",
        *(f"{whole(n)} {verdict}" for verdict, n in counts(table).items()),
        *(f"{one['review']} went no further, {one['stage']}: {one['problem']}" for one in records(problems)),
    ]
    return "\n".join(lines)


def gallery_page(table: pd.DataFrame, reviews: Sequence[Found], problems: pd.DataFrame) -> str:
    """The page of the gallery as HTML; it asks nothing of the network.

    Parameters
    ----------
    table
        gallery.csv.
    reviews
        What it was made from, in the order of the page.
    problems
        corpus_problems.csv: reviews that went no further.
    """
    told = counts(table)
    number = {verdict: i for i, verdict in enumerate(told)}
    shown = []
    for review, protocol, _ in reviews:
        rows = records(table[table["review"] == review.rpartition("/")[2]])
        shown.append({
            "place": review, "title": protocol.title, "labels": list(dict.fromkeys(row["label"] for row in rows)),
            "rows": [_row(row, protocol) | {"number": number[row["verdict"]]} for row in rows],
        })  # fmt: skip
    scripts, styles = [text_of("js/page.js")], [text_of(f"css/{name}") for name in ("page.css", "gallery.css")]
    verdicts = [{"number": number[one], "words": one, "tone": TONES.get(one, ""), "n": n} for one, n in told.items()]
    return (
        environment_of()
        .get_template("gallery.html.j2")
        .render(
            policy=policy_of(scripts), styles=styles, scripts=scripts, verdicts=verdicts, reviews=shown,
            problems=records(problems), total=whole(len(table)),
        )
    )  # fmt: skip


def _row(row: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    row = {name: "" if words.missing(value) else value for name, value in row.items()}
    outcome = protocol.outcomes.get(row["outcome"])
    asked = [outcome.label if outcome else row["outcome"], row["timepoint"], row["subgroup"]]
    there = row["estimate"] != ""
    return {
        "what": ", ".join(str(one) for one in asked if one),
        "measure": " ".join(one for one in (_scale(row), row["measure"]) if one),
        "printed": row["printed"],
        "recomputed": _recomputed(row) if there else "",
        "verdict": row["verdict"],
        "tone": TONES.get(row["verdict"], ""),
        "model": row["printed_model"],
        "method": row["found_model"],
        "k": whole(row["k"]) if there else "",
        "trials": row.get("trials", ""),
        "nearest": row["nearest"],
        "missing": row["missing"],
        "note": row.get("note", ""),
    }


def _scale(row: dict[str, Any]) -> str:
    """The scale of the print, where it is not the natural one."""
    scale = str(row.get("estimate_scale", ""))
    return "" if scale == "natural" else scale


def _recomputed(row: dict[str, Any]) -> str:
    """Two digits more than were printed: a reader sees how they round."""
    decimals = len(str(row["printed"]).partition(" ")[0].partition(".")[2]) + 2
    if row["printed_ci_lower"] == "":
        return fixed(row["estimate"], decimals)
    return effect_text(row["estimate"], row["ci_lower"], row["ci_upper"], decimals=decimals)


__all__ = ["counts", "gallery_page", "gallery_table", "summary"]
