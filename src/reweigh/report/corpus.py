"""`corpus.html`: one self-contained page for all reviews of a corpus: what they answer, and every analysis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from reweigh.corpus.answers import Answer, answers, classified, part_of, rows_back
from reweigh.figures.corpus import draw_answer
from reweigh.figures.svg import render
from reweigh.io import records
from reweigh.report.drawings import fonts, inline
from reweigh.report.page import environment_of, policy_of, text_of
from reweigh.text.corpus import AGREEMENT, ROWS
from reweigh.text.numbers import count_text, difference_decimals, effect_text, interval_text, whole

#: Columns of the table and their heads.
SHOWN = {
    "label": "Outcome", "outcome": "Id", "review": "Review", "measure": "Measure", "trials": "Trials", "n": "Patients",
    "revman": "Authors’ model", "current": "REML, Hartung-Knapp", "guarded": "Guarded interval",
    "prediction": "Prediction interval", "weights": "RevMan's weights", "decisive_trial": "Decisive trial",
    "reason": "Note",
}  # fmt: skip
SEARCHED = ("review", "doi", "outcome", "label", "measure", "decisive_trial")
FILTERED = (
    "class", "agreement", "change_guarded", "change_reml_hk", "change_important", "pi", "pi_conclusive", "narrow",
    "hangs", "row_codes",
)  # fmt: skip
#: Columns whose few values stand once, and in the rows by their number.
LISTED = ("review", "doi", "measure", "weights", "reason", *FILTERED)
#: Where a review's results are, below results/, for a depth of the run.
LINKS = {"tables": "{review}/pooled.csv", "core": "{review}/figures/forest/", "all": "{review}/report.html"}


def corpus_page(table: pd.DataFrame, problems: pd.DataFrame, depth: str) -> str:
    """The page of a corpus as HTML; it asks nothing of the network.

    Parameters
    ----------
    table
        corpus.csv.
    problems
        corpus_problems.csv.
    depth
        `tables`, `core` or `all`: what a review's link leads to.
    """
    found = classified(table)
    asked = answers(table)
    figures = [draw_answer(one) for one in asked]
    drawn = [render(figure, "svg").decode("utf-8") for figure in figures]
    rows, back, kinds = rows_back(table)
    scripts = [text_of(f"js/{name}") for name in ("page.js", "corpus.js")]
    styles = [text_of(f"css/{name}") for name in ("page.css", "forest.css", "corpus.css")]
    shown = [_shown(one, svg, f.description) for one, svg, f in zip(asked, drawn, figures, strict=True)]
    return (
        environment_of()
        .get_template("corpus.html.j2")
        .render(
            policy=policy_of(scripts), styles=[*styles, fonts(drawn)], scripts=scripts, answers=shown,
            reviews=whole(found["review"].nunique()), analyses=whole(len(found)),
            several=whole(int((found["k"] >= 2).sum())), problems=records(problems), heads=list(SHOWN.values()),
            rows={
                "answer": part_of(back, rows),
                "kinds": [{"name": n, "words": ROWS[n], "count": whole(c)} for n, c in kinds.items()],
            },
            data=_data(found, shown, depth),
        )
    )  # fmt: skip


def _shown(answer: Answer, svg: str, description: str) -> dict[str, Any]:
    used = [kind for kind in answer.kinds if answer.counts[kind].sum()]
    rows = []
    for row in records(answer.counts[answer.counts["asked"] > 0]):
        group = f"{'class' if row['by'] == 'k' else 'measure'}={row['group']}"
        cells = [{"count": whole(row[kind]), "filter": f"{answer.column}={kind}&{group}"} for kind in used]
        said = f"k = {row['group']}" if row["by"] == "k" else row["group"]
        rows.append({"group": said, "asked": whole(row["asked"]), "cells": cells})
    return {
        "key": answer.key, "question": answer.question, "answer": answer.answer, "rule": answer.rule,
        "column": answer.column, "kinds": [{"name": kind, "words": answer.kinds[kind]} for kind in used], "rows": rows,
        "svg": inline(svg, f"{answer.key}-"), "description": description,
    }  # fmt: skip


def _data(found: pd.DataFrame, shown: list[dict[str, Any]], depth: str) -> dict[str, Any]:
    """Rows of the table as the page's script reads them: texts, and numbers of values that stand in a list."""
    log = (found["scale"] == "log").to_numpy()
    columns: Mapping[str, Any] = {
        **{name: found[name].astype(object).fillna("") for name in (*SEARCHED, "reason", *FILTERED)},
        "trials": [count_text(k, c) if k == k else "" for k, c in zip(found["k"], found["comparisons"], strict=True)],
        "n": [whole(n) for n in found["n"]],
        "revman": _estimates(found, log, "revman", "revman_estimate"),
        "current": _estimates(found, log, "reml_hk", "reml_hk_estimate"),
        "guarded": _intervals(found, log, "guarded_ci_lower", "guarded_ci_upper"),
        "prediction": _intervals(found, log, "pi_lower", "pi_upper"),
        "weights": found["agreement"].map(lambda name: AGREEMENT.get(name, ("", False))[0]),
        "row_codes": found["row_codes"].astype(str).str.replace(r" n=\d+", "", regex=True),
    }
    made: dict[str, list[Any]] = {}
    lists: dict[str, list[str]] = {}
    for name, cells in columns.items():
        texts = list(map(str, cells))
        if name in LISTED:
            lists[name] = list(dict.fromkeys(texts))
            place = {text: i for i, text in enumerate(lists[name])}
            made[name] = [place[text] for text in texts]
        else:
            made[name] = texts
    said = {
        cell["filter"]: f"{one['question']} {kind['words']}, {row['group']}"
        for one in shown
        for row in one["rows"]
        for kind, cell in zip(one["kinds"], row["cells"], strict=True)
    }
    return {
        "columns": list(made), "shown": list(SHOWN), "searched": list(SEARCHED), "lists": lists, "said": said,
        "links": LINKS[depth], "rows": [list(row) for row in zip(*made.values(), strict=True)],
    }  # fmt: skip


def _estimates(found: pd.DataFrame, log: Any, name: str, estimate: str) -> list[str]:
    ends = (pd.to_numeric(found[column]) for column in (estimate, f"{name}_ci_lower", f"{name}_ci_upper"))
    return [
        "" if np.isnan(x) else effect_text(x, low, high, decimals=None if is_log else _decimals(low, high))
        for x, low, high, is_log in zip(*ends, log, strict=True)
    ]


def _intervals(found: pd.DataFrame, log: Any, lower: str, upper: str) -> list[str]:
    ends = (pd.to_numeric(found[column]) for column in (lower, upper))
    return [
        "" if np.isnan(low) else interval_text(low, high, decimals=None if is_log else _decimals(low, high))
        for low, high, is_log in zip(*ends, log, strict=True)
    ]


def _decimals(low: float, high: float) -> int:
    half = (high - low) / 2
    return difference_decimals(half) if np.isfinite(half) else 2
