"""`report.html`: one self-contained page per review, and `index.html`: the list of reviews."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from reweigh.figures.axis import axis_limits, round_ticks
from reweigh.io import csv_text, records
from reweigh.measures import MEASURE_LABELS, MEASURES, scale_of
from reweigh.protocol.model import Protocol
from reweigh.report import analyses, methods, trials, words
from reweigh.report.drawings import fonts, inline, listed_figures, literal_colours
from reweigh.report.explorer import explorer_data
from reweigh.report.inputs import Inputs, title_of
from reweigh.reproduction.detective import results
from reweigh.reproduction.ledger import NOT_PUBLIC
from reweigh.text import flow
from reweigh.text.numbers import level_text, percent_text, row_text, span_text, stated_text, whole

STYLES = ("page.css", "forest.css", "print.css")
SCRIPTS = ("page.js", "figures.js", "pool.js", "explorer.js", "trials.js")
#: Room for the figures beside the forest plots.
FURTHER = 800_000
MODERATORS = ("label", "year", "design")


@lru_cache(maxsize=32)
def text_of(name: str) -> str:
    """A template, style sheet or script of this package."""
    return files("reweigh.report").joinpath(name).read_text(encoding="utf-8")


def environment_of() -> Environment:
    """How the pages' templates are read: everything is escaped, nothing may be undefined."""
    environment = Environment(
        loader=FunctionLoader(lambda name: text_of(f"templates/{name}")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "linked": words.linked,
        "markdown": words.markdown,
        "prose": words.prose,
        "nice": words.nice,
        "upper_first": words.upper_first,
        "lower_first": words.lower_first,
        "count": words.count,
        "json": _json,
        "data_uri": _data_uri,
    }
    environment.globals |= {"missing": words.missing, "how_many": analyses.how_many}
    return environment


def _json(value: object) -> Markup:
    """JSON for a script element: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


def _data_uri(text: str, kind: str) -> str:
    return f"data:{kind};charset=utf-8;base64,{base64.b64encode(text.encode('utf-8')).decode('ascii')}"


def policy_of(scripts: Sequence[str]) -> str:
    """Content-Security-Policy of a page: these scripts, by their hashes, and nothing else that runs or is fetched."""
    digests = (base64.b64encode(hashlib.sha256(one.encode("utf-8")).digest()).decode("ascii") for one in scripts)
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; "
        "script-src " + " ".join(f"'sha256-{one}'" for one in digests) + "; font-src data:; img-src data: blob:"
    )


def report_page(inputs: Inputs) -> str:
    """The report of a review as HTML; the same inputs give the same text, and it asks nothing of the network."""
    notes = analyses.Notes(inputs.worked)
    outcomes = analyses.outcomes(inputs, notes)
    _fit(outcomes)
    drawn = [figure for o in outcomes for a in o["analyses"] for figure in (*a["views"], *a["further"])]
    studies = trials.trial_rows(inputs)
    bias_figures = listed_figures("risk_of_bias", inputs)
    evidence, published = _evidence(outcomes, inputs), _published(inputs)
    diagram = _diagram(inputs)
    drawn += [*bias_figures, *evidence.values(), *published["figures"], *diagram]
    found = methods.references(inputs)
    explorer = explorer_data(inputs)
    scripts = [text_of(f"js/{name}") for name in SCRIPTS]
    context = {
        "review": inputs.review,
        "title": inputs.title,
        "protocol": inputs.protocol,
        "level": level_text(inputs.protocol.usual_level),
        "panels": headline(inputs),
        "outcomes": outcomes,
        "notes": notes.entries,
        "worked": {name.removesuffix(".md"): text for name, text in inputs.worked.items()},
        "claims": inputs.claims,
        "evidence": evidence,
        "verdicts": _verdicts(inputs.claims),
        "explorer": explorer,
        "explorable": {one["id"] for one in explorer["analyses"]},
        "trials": studies,
        "trial_columns": [c.replace("_", " ") for c in trials.characteristic_columns(inputs)],
        "states": trials.STATES,
        "dated": any(trial["year"] for trial in studies),
        "annotated": any(trial["reasons"] or trial["note"] or trial["flags"] for trial in studies),
        "bias_figures": bias_figures,
        "judged": inputs.bias is not None and len(inputs.bias.table) > 0,
        "flow": trials.flow(inputs, studies),
        "diagram": diagram,
        "readings": trials.readings(inputs),
        "published": published,
        "methods": methods.methods_text(inputs),
        "models": analyses.models_in_words(inputs),
        "prisma": methods.prisma_items(inputs),
        "references": found,
        "bibtex": methods.bibtex(found),
        "csl": methods.csl_json(found),
        "hashes": inputs.hashes,
        "versions": inputs.versions,
        "tables": tables(inputs),
        "colours": dict(literal_colours()),
        "font": fonts(figure["source"] for figure in drawn),
        "styles": [text_of(f"css/{name}") for name in STYLES],
        "scripts": scripts,
        "policy": policy_of(scripts),
    }
    return environment_of().get_template("report.html.j2").render(context)


def _diagram(inputs: Inputs) -> list[dict[str, Any]]:
    """The flow diagram, where flow.csv has given one."""
    svg = inputs.drawings.get(f"flow/{flow.NAME}", "")
    return [{"id": "flow", "title": flow.TITLE, "svg": inline(svg, "flow"), "source": svg}] if svg else []


def _evidence(outcomes: Sequence[Mapping[str, Any]], inputs: Inputs) -> dict[str, dict[str, Any]]:
    """Behind each claim: the forest plot of its own trials, the analysis, and its multiverse if it is on the page."""
    found = {}
    analyses_of = {a["id"]: a for o in outcomes for a in o["analyses"]}
    for claim in inputs.claims:
        name, a = f"claim.{claim['id']}", analyses_of.get(claim["analysis"])
        svg = inputs.drawings.get(f"claims/{claim['id']}", "")
        curve = [f["id"] for f in a["further"] if f["id"].endswith(".specifications") and f["svg"]] if a else []
        found[claim["id"]] = {
            "id": name,
            "svg": inline(svg, name.replace(".", "-")) if svg else "",
            "source": svg,
            "curve": curve,
            "shown": [(one["label"], _finding(one)) for one in claim.get("shown", ())],
            "analysis": a["id"] if a else "",
        }
    return found


def _finding(one: Mapping[str, Any]) -> str:
    """`SMD −0.41 (−1.25 to 0.42), k = 4` of a result that stands beside a claim."""
    if not one["k"] or one["estimate_natural"] is None:
        return "no usable trial"
    return f"{one['measure']} {row_text({**one, 'scale': scale_of(one['measure'])})}, k = {one['k']}"


def _fit(outcomes: Sequence[Mapping[str, Any]]) -> None:
    """Leave out of the page further figures beyond FURTHER bytes; their files are named instead.

    Those of a further measure go before those of the outcome's own, the largest first.
    """
    figures = [(a["main_measure"], figure) for o in outcomes for a in o["analyses"] for figure in a["further"]]
    total = sum(len(figure["svg"]) for _, figure in figures)
    for _, figure in sorted(figures, key=lambda one: (one[0], -len(one[1]["svg"]))):
        if total <= FURTHER:
            return
        total -= len(figure["svg"])
        figure["svg"] = figure["source"] = ""


def index_page(reviews: Sequence[tuple[str, Protocol, pd.DataFrame, pd.DataFrame]]) -> str:
    """The list of reviews: for each its folder, protocol, effects.csv and pooled.csv."""
    found = []
    for review, protocol, effects, pooled in reviews:
        lines: list[dict[str, Any]] = []
        main = pooled[pooled["set"] == "main"].drop_duplicates("analysis")
        for row in records(main):
            outcome = protocol.outcomes[row["outcome"]]
            if row["measure"] == outcome.measure:
                what = f"{outcome.label}, {words.lower_first(words.window_label(row['window'], protocol))}"
                lines.append({"what": what, "row": row, "effect": stated_text(row)})
        most = sorted(lines, key=lambda line: -line["row"]["k"])[:3]
        found.append(
            {
                "review": review,
                "title": title_of(review, protocol),
                "question": protocol.question,
                "trials": effects["study_id"].nunique(),
                "analyses": effects["analysis"].nunique(),
                "lines": [line for line in lines if line in most],
            }
        )
    styles = [text_of(f"css/{name}") for name in STYLES]
    scripts = [text_of("js/page.js")]
    return (
        environment_of()
        .get_template("index.html.j2")
        .render(reviews=found, styles=styles, scripts=scripts, policy=policy_of(scripts))
    )


def headline(inputs: Inputs) -> list[dict[str, Any]]:
    """One panel per outcome: the main model's pooled effect of each window on one axis."""
    protocol, panels = inputs.protocol, []
    for name, outcome in protocol.outcomes.items():
        mine = inputs.pooled[(inputs.pooled["outcome"] == name) & (inputs.pooled["set"] == "main")]
        mine = mine[mine["measure"] == outcome.measure].drop_duplicates("analysis")
        missing = inputs.unusable(name)
        panel: dict[str, Any] = {
            "label": outcome.label,
            "id": name,
            "missing": [words.lower_first(words.window_label(w, protocol)) for w in missing],
            "rows": [],
        }
        if len(mine):
            low, high, ticks = _axis(mine)
            null = 100 * (0 - low) / (high - low) if MEASURES[outcome.measure].null else None
            panel |= {"ticks": ticks, "null": null, "favours": protocol.favours(name) if outcome.better else None,
                      "level": level_text(protocol.level_of(name)),
                      "measure": MEASURE_LABELS[outcome.measure], "short": outcome.measure}  # fmt: skip
            panel["rows"] = [_headline_row(row, low, high, inputs) for row in records(mine)]
        panels.append(panel)
    return panels


def _axis(mine: pd.DataFrame) -> tuple[float, float, list[tuple[float, str]]]:
    of = MEASURES[str(mine["measure"].iloc[0])]
    predicted = mine[["pi_lower", "pi_upper"]].set_axis(["ci_lower", "ci_upper"], axis=1).assign(estimate=float("nan"))
    both = [mine.assign(kind="study"), predicted.assign(kind="prediction interval")]
    low, high = axis_limits(pd.concat(both), scale=of.scale, null=of.null)

    def apart(ticks: list[float], _: list[str]) -> bool:
        gaps = [second - first for first, second in pairwise(ticks)]
        return len(ticks) <= 5 and min(gaps, default=high - low) > 0.09 * (high - low)

    at, labels = round_ticks(low, high, scale=of.scale, fits=apart)
    return low, high, [(100 * (t - low) / (high - low), label) for t, label in zip(at, labels, strict=True)]


def _headline_row(row: Mapping[str, Any], low: float, high: float, inputs: Inputs) -> dict[str, Any]:
    def place(x: float) -> float:
        return round(float(np.clip(100 * (x - low) / (high - low), 0, 100)), 3)

    one = row["k"] == 1
    marks: dict[str, Any] = {"kind": "single" if one else "pooled"}
    if not words.missing(row["estimate"]):
        marks["at"] = place(row["estimate"])
    if not words.missing(row["ci_lower"]):
        marks |= {"lower": place(row["ci_lower"]), "upper": place(row["ci_upper"])}
        marks |= {"clipped_lower": row["ci_lower"] < low, "clipped_upper": row["ci_upper"] > high}
    if not words.missing(row["pi_lower"]):
        marks |= {"pi_lower": place(row["pi_lower"]), "pi_upper": place(row["pi_upper"])}
        # There may be a prediction interval where the confidence interval is not estimable (bootstrap).
        marks["clipped_lower"] = marks.get("clipped_lower", False) or row["pi_lower"] < low
        marks["clipped_upper"] = marks.get("clipped_upper", False) or row["pi_upper"] > high
    certainty = inputs.of("certainty", str(row["analysis"]))
    return {
        "analysis": row["analysis"],
        "window": words.window_label(str(row["window"]), inputs.protocol),
        "effect": row_text(row),
        "guarded": analyses.guarded(row),
        "prediction": span_text(row, "pi"),
        "k": whole(row["k"]),
        "n": whole(row["participants"]),
        "one": one,
        "i2": "" if one else percent_text(row["i2"]),
        "certainty": certainty[0]["certainty"] if certainty else "",
        "marks": marks,
    }


def _verdicts(claims: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    count: dict[str, int] = {}
    for claim in claims:
        count[str(claim["verdict"])] = count.get(str(claim["verdict"]), 0) + 1
    return sorted(count.items(), key=lambda item: (-item[1], item[0]))


def _published(inputs: Inputs) -> dict[str, Any]:
    """The ledger of published estimates, rows that contradict themselves, and the plots of all estimates."""
    ledger, checks = _texts(inputs.reproduction), _texts(inputs.published_checks)
    return {
        "ledger": ledger,
        "review": inputs.review,
        "recomputed": [row for row in ledger if row["verdict"] != NOT_PUBLIC],
        "searches": _searches(inputs),
        "others": [row for row in ledger if row["verdict"] == NOT_PUBLIC],
        "contradictions": [row for row in checks if row["result"] == "flag"],
        "figures": listed_figures("timeline", inputs),
    }


_SHOWN = 6
"""Results of a search that the page shows; `reweigh detective` and reproduction_methods.csv have all."""


def _searches(inputs: Inputs) -> list[dict[str, Any]]:
    """Of each printed estimate that was recomputed: the results that give most of its digits, with their methods."""
    methods = inputs.reproduction_methods
    if methods.empty:
        return []
    found = []
    for raw, row in zip(records(inputs.reproduction), _texts(inputs.reproduction), strict=True):
        # What was searched and not found has a search to show, too.
        if raw["row"] not in set(methods["row"]):
            continue
        shown = []
        for one in results(methods, raw)[:_SHOWN]:
            first, *others = one["methods"]
            shown.append({key: words.nice(one[key]) for key in ("result", "trials", "digits", "digits_printed")} | {
                "k": f"{one['k']:g}", "searched": one["searched"] == "yes", "others": len(others),
                **{key: words.nice(value) for key, value in first.items()},
            })  # fmt: skip
        found.append({"row": row, "number": int(raw["row"]) - 1, "shown": shown})
    return found


def _texts(table: pd.DataFrame) -> list[dict[str, Any]]:
    rows = records(table.astype(object).fillna(""))
    return [{name: words.nice(value) for name, value in row.items()} for row in rows]


def tables(inputs: Inputs, *names: str) -> dict[str, str]:
    """CSV text of these tables of those that the page offers, else of all: yi, vi for metafor beside the results."""
    effects = inputs.effects
    columns = [c for c in dict.fromkeys([*MODERATORS, *inputs.protocol.study_columns]) if c in effects]
    metafor = effects[["analysis", "comparison_id", *columns]].assign(yi=effects["estimate"], vi=effects["variance"])
    found = {"effects": effects, "pooled": inputs.pooled, "subgroups": inputs.subgroups, "metafor": metafor}
    return {name: csv_text(table, f"{name}.csv") for name, table in found.items() if name in (names or found)}
