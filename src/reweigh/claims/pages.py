"""What the claims stage writes: claims.csv, claims.json and a page per claim."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isnan

import pandas as pd

from reweigh.claims.evaluate import CERTAINTY_RULES, Assessed, Part, cited_support, label
from reweigh.claims.evidence import Body, Evidence
from reweigh.claims.model import Claims
from reweigh.io import frame
from reweigh.protocol.models import describe_model
from reweigh.text.claims import CITATIONS, NO_KNOWN_MODEL, NO_YEARS, OLDER_REVIEWS, READINGS, RULES, SENTENCES
from reweigh.text.codes import code, has, join, parse, words
from reweigh.text.markdown import escaped

OTHER_READINGS = tuple(READINGS)[1:]


def claims_table(
    assessed: Sequence[Assessed], claims: Claims, multiverse: pd.DataFrame, sequential: pd.DataFrame
) -> pd.DataFrame:
    """claims.csv: one row per claim, the header alone where a review has none."""
    rows = []
    for found in assessed:
        head, claim = found.headline, found.claim
        evidence = head.evidence if head else None
        certainty = evidence.certainty if isinstance(evidence, Body) else None
        n = evidence.participants if evidence else float("nan")
        many, looks = multiverse_code(evidence, multiverse), sequential_code(evidence, sequential)
        rows.append(
            {
                "id": claim.id, "page": claim.page, "claim": claim.claim, "verdict": found.verdict,
                "answer": found.answer, "count": evidence.count if evidence else "",
                "certainty": certainty.level if certainty else "", "verdict_effect": found.verdict_effect,
                "reason_codes": found.reason_codes, "reason": found.reason,
                "k": evidence.trials if evidence else "",
                "comparisons": len(evidence.effects) if evidence else "", "n": "" if isnan(n) else int(n),
                "verdict_at_half_difference": found.half, "verdict_at_twice_difference": found.twice,
                "certainty_codes": certainty.reason_codes if certainty else "",
                "certainty_reasons": certainty.reasons if certainty else "",
                "leans_on": "; ".join(x.label for x in claim.leans_on) or "none",
                "citation": "; ".join(x.citation for x in claim.leans_on) or "none",
                "citation_counts": "yes" if cited_support(claim) else "no",
                "analysis": evidence.analysis if evidence else "",
                "best_now": evidence.effect if evidence else "",
                **{name: _reading(head, name) for name in OTHER_READINGS},
                **{f"verdict_{name}": found.verdicts.get(name, "") for name in OTHER_READINGS},
                "review_method": describe_model(found.method), "review_method_of": found.method_of,
                "rests_on_codes": found.rests_on, "rests_on": words(found.rests_on, SENTENCES),
                "by_reading_codes": by_reading(found), "by_reading": words(by_reading(found), SENTENCES),
                "as_of": found.as_of or "", "multiverse_codes": many, "multiverse": words(many, SENTENCES),
                "sequential_codes": looks, "sequential": words(looks, SENTENCES), "would_change": claim.would_change,
            }
        )  # fmt: skip
    return frame("claims.csv", rows)


def by_reading(found: Assessed) -> str:
    """What each reading of the sources alone would make of a claim, as codes."""
    return join(code("by_reading", who=who, verdict=verdict) for who, verdict in found.by_source.items())


def _reading(part: Part | None, name: str) -> str:
    if part is None or name not in part.readings:
        return ""
    return _cell(part.readings[name])


def _cell(e: Evidence) -> str:
    """The effect with k and n; the effect alone where it says that there is no trial, or that none has a year."""
    return f"{e.effect}; {e.count}" if e.trials else e.effect


def multiverse_code(evidence: Evidence | None, table: pd.DataFrame) -> str:
    """In how many defensible analyses each statement holds (multiverse_summary.csv), or why that does not apply."""
    if evidence is None or not evidence.trials:
        return code("untested" if evidence is None else "no_trials_there")
    mine = table[table["analysis"] == evidence.analysis]
    if mine.empty:
        return code("outside_multiverse", analysis=evidence.analysis)
    said = mine[(mine["kind"] == "statement") & (mine["of"] > 0)]
    if said.empty:
        return code("no_multiverse", analysis=evidence.analysis, why=mine["note"].iloc[0])
    shares = zip(said["name"], said["holds"], said["of"], strict=True)
    return code("multiverse", analysis=evidence.analysis, **{n: f"{holds:.0f}/{of:.0f}" for n, holds, of in shares})


def sequential_code(evidence: Evidence | None, table: pd.DataFrame) -> str:
    """What the sequential analysis of the whole analysis says (sequential.csv), or why it does not apply."""
    if evidence is None or not evidence.trials:
        return code("untested" if evidence is None else "no_trials_there")
    mine = table[table["analysis"] == evidence.analysis]
    if mine.empty:
        return code("outside_sequential", analysis=evidence.analysis)
    last = mine.iloc[-1]
    if not last["conclusion_codes"]:
        return code("no_sequential", analysis=evidence.analysis, why=last["note"])
    verdict, *rest = parse(last["conclusion_codes"])
    return join([code(verdict.name, analysis=evidence.analysis, **verdict.parameters), *map(str, rest)])


def claims_json(assessed: Sequence[Assessed], claims: Claims, table: pd.DataFrame) -> str:
    """claims.json: the rows of claims.csv with every statement and its numbers."""
    out = []
    for found, row in zip(assessed, table.to_dict("records"), strict=True):
        out.append(
            {
                **row,
                "page_title": claims.pages[found.claim.page],
                "note": found.claim.note,
                "leans_on": [x.model_dump(mode="json", exclude_none=True) for x in found.claim.leans_on],
                # Which of the statements `best_now`, `count` and the certainty are of.
                "headline": next((at for at, part in enumerate(found.parts) if part is found.headline), None),
                "statements": [
                    {
                        "label": label(p.test), "rule": p.test.rule, "state": p.finding.state,
                        "codes": p.finding.codes, "words": p.finding.words, **_json(p.evidence),
                        "readings": {name: _json(e) for name, e in p.readings.items()},
                    }
                    for p in found.parts
                ],
                "shown": [{"label": label(look), **_json(e)} for look, e, _ in found.shown],
            }
        )  # fmt: skip
    return json.dumps(out, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


_NUMBERS = (
    "estimate_natural", "ci_lower_natural", "ci_upper_natural", "guarded_ci_lower_natural", "guarded_ci_upper_natural",
    "pi_lower_natural", "pi_upper_natural", "guarded_pi_lower_natural", "guarded_pi_upper_natural", "i2",
)  # fmt: skip


def _json(e: Evidence) -> dict[str, object]:
    row = {} if not isinstance(e, Body) else {name: float(e.pooled[name]) for name in _NUMBERS}
    return {
        "analysis": e.analysis, "model": e.model.name, "k": e.trials, "comparisons": len(e.effects),
        "n": None if isnan(e.participants) else int(e.participants), "count": e.count, "effect": e.effect,
        "trials": sorted(set(e.effects["study_id"])),
        "measure": e.pooled["measure"] if isinstance(e, Body) else None,
        **{name: None if isnan(row.get(name, float("nan"))) else row[name] for name in _NUMBERS},
        "narrow": isinstance(e, Body) and has(str(e.pooled["note_codes"]), "hartung_knapp_narrow"),
        "certainty": e.certainty.level if isinstance(e, Body) else None,
        "certainty_domains": [
            {"domain": d.name, "judgement": d.judgement, "levels": d.levels, "rule": d.rule, "codes": d.figure_codes}
            for d in (e.certainty.domains if isinstance(e, Body) else ())
        ],
        "undated": list(e.undated),
    }  # fmt: skip


def claim_page(
    found: Assessed, claims: Claims, multiverse: pd.DataFrame, sequential: pd.DataFrame,
    published: pd.DataFrame | None = None, figure: str = "",
) -> str:  # fmt: skip
    """The page of one claim, in Markdown.

    `published` is published.csv as text, `figure` the path of the forest plot ("" where there is nothing to draw).
    """
    claim = found.claim
    head = found.headline
    lines = [f"# {claim.id}: {escaped(claim.claim)}", "", f"**{_upper(found.verdict)}**"]
    if head:
        level = f"; certainty {head.evidence.certainty.level}" if isinstance(head.evidence, Body) else ""
        lines[-1] += f" ({head.evidence.count}{level})"
    lines += ["", escaped(found.answer)]
    if found.rests_on:
        lines += ["", escaped(f"Rests on: {words(found.rests_on, SENTENCES)}.")]
    lines += ["", "## Who says it, and on what", ""]
    lines += [f"{escaped(claims.pages[claim.page])} (`{claim.page}`).", ""]
    lines += [
        "- " + _upper(f"{escaped(x.label)}: " * (x.label != "none") + f"{CITATIONS[x.citation]} (`{x.citation}`).")
        + (f" {escaped(x.note)}" if x.note else "")
        for x in claim.leans_on
    ] or [f"- {_upper(CITATIONS['none'])} (`none`)."]  # fmt: skip
    if claim.note:
        lines += ["", escaped(claim.note)]
    if head:
        lines += ["", "## What the trials say", "", *_statements(found), "", *_numbers(found)]
        at_three = f"**{found.half}** at half of it, **{found.verdict}** at it, **{found.twice}** at twice it."
        if found.half == found.verdict == found.twice:
            at_three = "the same at half of it and at twice it."
        lines += ["", f"Smallest important difference: the verdict is {at_three}"]
        if found.by_source:
            lines += ["", escaped(f"Verdict by each reading of the sources: {words(by_reading(found), SENTENCES)}.")]
        lines += ["", "## How certain", "", *_certainty(found)]
        lines += ["", f"Share of the multiverse: {words(multiverse_code(head.evidence, multiverse), SENTENCES)}."]
        lines += ["", f"Sequential verdict: {words(sequential_code(head.evidence, sequential), SENTENCES)}."]
    if claim.published and published is not None:
        lines += ["", "## What published reviews say", "", *_published(found, published)]
    if figure:
        lines += ["", "## Forest plot", "", f"![Forest plot of the trials behind {claim.id}]({figure})"]
    lines += ["", "## What evidence would change the verdict", "", escaped(claim.would_change)]
    return "\n".join(lines) + "\n"


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [[*map(escaped, head)], ["---"] * len(head), *([*map(escaped, row)] for row in rows)]
    return ["| " + " | ".join(line) + " |" for line in lines]


def _statements(found: Assessed) -> list[str]:
    rows = [
        (label(p.test), p.test.rule, RULES[p.test.rule][0] + _value(p),
         p.finding.state, p.evidence.count, p.finding.words)
        for p in found.parts
    ]  # fmt: skip
    return _grid(("Statement", "Rule", "Met when", "Found", "k and n", "Numbers"), rows)


def _value(p: Part) -> str:
    t = p.test
    given = t.level or (f"{t.value:g}" if t.value is not None else "") or ", ".join(t.larger)
    return (f": {given}" if given else "") + (f" ({t.source})" if t.source else "")


def _numbers(found: Assessed) -> list[str]:
    names = [n for n in READINGS if n == "best_now" or any(n in p.readings for p in found.parts)]
    words = [READINGS[n].format(year=found.as_of, who=found.method_of) for n in names]
    head = ("Analysis", *map(_upper, words))
    seen: dict[str, tuple[str, ...]] = {}
    first = [p for p in found.parts if p.test.rule not in CERTAINTY_RULES] or list(found.parts)
    everything = [(label(p.test), p.evidence, p.readings) for p in first]
    everything += [(f"{label(look)} (shown beside)", e, r) for look, e, r in found.shown]
    for name, evidence, readings in everything:
        all_of = {"best_now": evidence, **readings}
        seen.setdefault(name, tuple(_cell(all_of[n]) for n in names))
    lines = _grid(head, [(name, *cells) for name, cells in seen.items()])
    best, of = describe_model(found.parts[0].evidence.model), describe_model(found.method)
    known = f" ({NO_KNOWN_MODEL})" * (found.method_of == OLDER_REVIEWS)
    lines += ["", escaped(f"Best practice: {best}. Method of {found.method_of}: {of}{known}.")]
    verdicts = [f"{word}: {found.verdicts.get(n, NO_YEARS)}" for n, word in zip(names[1:], words[1:], strict=True)]
    lines += [escaped(f"Verdict under the other readings: {'; '.join(verdicts)}.")] if verdicts else []
    undated = sorted({s for p in found.parts for e in p.readings.values() for s in e.undated})
    if undated:
        lines += [
            f"Left out of the readings as of {found.as_of}, because no year is known: {escaped(', '.join(undated))}."
        ]
    return lines


def _certainty(found: Assessed) -> list[str]:
    lines: dict[tuple[str, str, str], str] = {}
    for p in found.parts:
        if isinstance(p.evidence, Body):
            c = p.evidence.certainty
            same = p.evidence.analysis, p.evidence.count, c.reasons
            lines.setdefault(same, f"- {escaped(label(p.test))}: **{c.level}**. {_upper(escaped(c.reasons))}.")
    return list(lines.values()) or ["No usable trial: nothing to grade."]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _published(found: Assessed, published: pd.DataFrame) -> list[str]:
    needed = ("review_id", "label", "outcome", "timepoint", "measure", "estimate", "ci_lower", "ci_upper")
    table = published.reindex(columns=list(dict.fromkeys([*published, *needed])), fill_value="").fillna("").astype(str)
    rows = []
    for wanted in found.claim.published:
        mine = table[table["review_id"] == wanted.review_id]
        for column, value in (("outcome", wanted.outcome), ("timepoint", wanted.timepoint)):
            mine = mine[mine[column] == value] if value else mine
        for _, r in mine.iterrows():
            interval = f" ({r['ci_lower']} to {r['ci_upper']})" if r["ci_lower"] or r["ci_upper"] else ""
            given = f"{r['measure']} {r['estimate']}{interval}" if r["estimate"] else ""
            what = ", ".join(filter(None, (r["timepoint"], r.get("subgroup", ""))))
            notes = [given or r.get("evidence", ""), r.get("certainty_note", ""), wanted.note]
            rows.append((r["label"], what, "; ".join(filter(None, notes)), r.get("grade", "") or "not stated"))
    return _grid(("Review", "What", "Estimate (95% CI)", "GRADE, as its authors say"), rows) if rows else ["None."]
