"""`report.html`: one self-contained page per review, and `index.html`: the list of reviews."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from reweigh.io import csv_text, records
from reweigh.measures import scale_of
from reweigh.protocol.model import Protocol
from reweigh.report import analyses, methods, trials, words
from reweigh.report import evidence as first_screen
from reweigh.report.drawings import fonts, inline, listed_figures, literal_colours
from reweigh.report.explorer import explorer_data
from reweigh.report.findings import findings
from reweigh.report.inputs import Inputs, title_of
from reweigh.reproduction.detective import results
from reweigh.reproduction.ledger import NOT_PUBLIC
from reweigh.text import changes as changed
from reweigh.text import flow
from reweigh.text.glossary import SOURCES, TERMS
from reweigh.text.numbers import level_text, row_text, stated_text

STYLES = ("page.css", "forest.css", "print.css")
SCRIPTS = ("page.js", "figures.js", "findings.js", "pool.js", "explorer.js", "trials.js")
#: Room for the figures beside the forest plots, before they are packed.
FURTHER = 8_000_000
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
    environment.globals |= {
        "changed": changed,
        "missing": words.missing,
        "how_many": analyses.how_many,
        "term": term,
    }
    return environment


def term(name: str, shown: str = "") -> Markup:
    """A word that the glossary explains, on hover and focus; raises KeyError for one that it does not have."""
    TERMS[name]
    return Markup('<span class="term" tabindex="0" data-term="{}">{}</span>').format(
        words.nice(name), shown or words.nice(name)
    )


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
    pack = _later(inputs, outcomes, evidence)

    def later(name: str, caller: Callable[[], str]) -> Markup:
        pack[name] = str(caller())
        return Markup('<div data-body="{}"></div>').format(name)

    context = {
        "review": inputs.review,
        "title": inputs.title,
        "protocol": inputs.protocol,
        "level": level_text(inputs.protocol.usual_level),
        "answers": first_screen.answers(inputs),
        "map": first_screen.evidence_map(inputs),
        "findings": findings(inputs),
        "outcomes": outcomes,
        "notes": notes.entries,
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
        "changes": inputs.changes,
        "methods": methods.methods_text(inputs),
        "models": analyses.models_in_words(inputs),
        "prisma": methods.prisma_items(inputs),
        "references": found,
        "bibtex": methods.bibtex(found),
        "csl": methods.csl_json(found),
        "hashes": inputs.hashes,
        "versions": inputs.versions,
        "glossary": {words.nice(name): [words.nice(text), SOURCES[name]] for name, text in TERMS.items()},
        "later": later,
        # Asked for at the end of the page, when it holds all.
        "pack": lambda: packed(pack),
        "colours": dict(literal_colours()),
        "font": fonts(figure["source"] for figure in drawn),
        "styles": [text_of(f"css/{name}") for name in STYLES],
        "scripts": scripts,
        "policy": policy_of(scripts),
    }
    return environment_of().get_template("report.html.j2").render(context)


def packed(texts: Mapping[str, str]) -> str:
    """Texts by name for a script element: JSON, compressed (zlib), base64; the page unpacks them when it needs one.

    Texts of a kind stand together: the compressor looks back 32 kB, and what two funnel plots share is most of each.
    """

    def kind(name: str) -> tuple[str, str, str]:
        word, _, rest = name.partition(" ")
        return (word, "", name) if rest else ("", word.partition(".")[0] + "." + word.rpartition(".")[2], name)

    ordered = {name: texts[name] for name in sorted(texts, key=kind)}
    content = json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return base64.b64encode(zlib.compress(content, 9)).decode("ascii")


def _later(
    inputs: Inputs, outcomes: Sequence[Mapping[str, Any]], evidence: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """What a reader asks for by a press: figures that are not shown at first, worked pages, tables to download."""
    stack = environment_of().get_template("marks.html.j2").module.stack  # type: ignore[attr-defined]
    found = {f"table {name}": text for name, text in tables(inputs).items()}
    found |= {f"worked {name.removesuffix('.md')}": words.markdown(text) for name, text in inputs.worked.items()}
    for a in (a for outcome in outcomes for a in outcome["analyses"]):
        later = [view for view in a["views"] if view["id"] != a["shown"]]
        found |= {view["id"]: view["svg"] for view in later}
        found |= {f"stack {view['id']}": str(stack(view["stack"])) for view in later}
        found |= {figure["id"]: figure["svg"] for figure in a["further"] if figure["svg"]}
    return found | {one["id"]: one["svg"] for one in evidence.values() if one["svg"]}


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


def index_page(
    reviews: Sequence[tuple[str, Protocol, pd.DataFrame, pd.DataFrame, pd.DataFrame, Sequence[Mapping[str, Any]]]],
) -> str:
    """The list of reviews: for each its folder, protocol, effects.csv, pooled.csv, Summary of Findings and claims."""
    found = []
    for review, protocol, effects, pooled, findings_of, claims in reviews:
        lines: list[dict[str, Any]] = []
        certainty = dict(zip(findings_of["analysis"], findings_of["certainty"], strict=True))
        main = pooled[pooled["set"] == "main"].drop_duplicates("analysis")
        for row in records(main):
            outcome = protocol.outcomes[row["outcome"]]
            if row["measure"] == outcome.measure:
                what = f"{outcome.label}, {words.lower_first(words.window_label(row['window'], protocol))}"
                line = {"what": what, "row": row, "effect": stated_text(row)}
                lines.append(line | {"certainty": certainty.get(row["analysis"], "")})
        most = sorted(lines, key=lambda line: -line["row"]["k"])[:3]
        found.append(
            {
                "review": review,
                "title": title_of(review, protocol),
                "question": protocol.question,
                "trials": effects["study_id"].nunique(),
                "analyses": effects["analysis"].nunique(),
                "lines": [line for line in lines if line in most],
                "claims": len(claims),
                "verdicts": _verdicts(claims),
            }
        )
    styles = [text_of(f"css/{name}") for name in STYLES]
    scripts = [text_of("js/page.js")]
    return (
        environment_of()
        .get_template("index.html.j2")
        .render(reviews=found, styles=styles, scripts=scripts, policy=policy_of(scripts))
    )


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
