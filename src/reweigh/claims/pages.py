"""What the claims stage writes: claims.csv, claims.json and a page per claim."""

from __future__ import annotations

import json
from collections.abc import Sequence
from math import isnan

import pandas as pd

from reweigh.certainty.assess import LEVELS
from reweigh.claims.evaluate import CERTAINTY_RULES, Assessed, Part, cited_support, label
from reweigh.claims.evidence import Evidence
from reweigh.claims.model import CITATIONS, Claims
from reweigh.claims.rules import (
    CONTRADICTED,
    LOW,
    NOT_SUPPORTED,
    OUT,
    RULES,
    SUPPORTED,
    TOO_LITTLE,
    UNTESTABLE,
)
from reweigh.io import frame
from reweigh.protocol.models import describe_model

NOT_COMPUTED = "not yet computed"
STATEMENTS = {
    "better": "favours the intervention",
    "excludes_no_effect": "has an interval that excludes no effect",
    "better_and_excludes": "favours it with an interval that excludes no effect",
    "exceeds_important": "exceeds the smallest important difference",
}
READINGS = {
    "best_now": "current best practice, all trials",
    "best_as_of": "current best practice, as of {year}",
    "review_now": "method of {who}, all trials",
    "review_as_of": "method of {who}, as of {year}",
}
CITATION_WORDS = {
    "supports": "exists, is on the subject, and says so",
    "partly": "exists and is on the subject, and says so only in part",
    "off_subject": "exists, but is not on the subject: no support",
    "not_found": "was searched for and not found: no support",
    "none": "nothing is cited",
}
assert tuple(CITATION_WORDS) == CITATIONS
_OPENING = {
    SUPPORTED: "The trials support this claim, with {certainty} certainty",
    LOW: "The trials support this claim, with {certainty} certainty",
    NOT_SUPPORTED: "The trials do not establish this claim",
    CONTRADICTED: "The trials contradict this claim",
    TOO_LITTLE: "There is too little evidence to judge this claim",
}
NOT_NONE = "; that is not evidence of no effect"
_COUNTS = {1: "One trial", 2: "Two trials"}


def sentence(found: Assessed) -> str:
    """The verdict in words that can be quoted; a verdict on two trials (or one) says so first."""
    if found.verdict == OUT:
        return f"Out of scope: {found.reason}."
    if not found.parts:
        return f"Cannot be tested here: {found.reason}."
    head = found.headline
    assert head is not None
    start = _COUNTS.get(head.finding.trials, "")
    if start and head.evidence.trials > head.finding.trials:
        start += " on one side of the comparison"
    where = label(head.test)
    said = f"{where[:1].upper()}{where[1:]}: {head.finding.words} ({head.evidence.count})."
    effect = found.verdict_effect if found.verdict == UNTESTABLE else found.verdict
    caution = NOT_NONE if effect == NOT_SUPPORTED and _includes_no_effect(head) else ""
    if found.verdict == UNTESTABLE:
        text = f"Cannot be tested here: {found.reason}. On the effect alone: {effect}{caution}. {said}"
    elif all(p.test.rule == "certainty_at_most" for p in found.parts) and found.verdict == SUPPORTED:
        text = f"The evidence here is as limited as this claim says. {said}"
    else:
        graded = head.evidence.certainty
        certainty = graded.level if graded else "very low"
        unjudged = found.verdict in (SUPPORTED, LOW) and not (graded and graded.bias_assessed)
        opening = _OPENING[found.verdict].format(certainty=_lowest(found, certainty))
        text = f"{opening}{' (risk of bias not assessed)' * unjudged}{caution}. {said}"
    return f"{start}. {text}" if start else text


def _lowest(found: Assessed, head: str) -> str:
    levels = [p.evidence.certainty.level for p in found.parts if p.evidence.certainty]
    return min(levels, key=LEVELS.index, default=head)


def _includes_no_effect(part: Part) -> bool:
    row = part.evidence.pooled
    return row is not None and bool(row["ci_lower"] <= 0 <= row["ci_upper"])


def claims_table(
    assessed: Sequence[Assessed], claims: Claims, multiverse: pd.DataFrame | None = None,
    sequential: pd.DataFrame | None = None,
) -> pd.DataFrame:  # fmt: skip
    """claims.csv: one row per claim, the header alone where a review has none.

    `multiverse` (multiverse_summary.csv) and `sequential` (sequential.csv) may be absent.
    """
    rows = []
    for found in assessed:
        head = found.headline
        evidence = head.evidence if head else None
        certainty = evidence.certainty if evidence else None
        claim = found.claim
        n = float("nan") if evidence is None else evidence.participants
        rows.append(
            {
                "id": claim.id, "page": claim.page, "claim": claim.claim, "verdict": found.verdict,
                "verdict_effect": found.verdict_effect, "reason": found.reason,
                "k": len(evidence.effects) if evidence else "",
                "trials": evidence.trials if evidence else "", "n": "" if isnan(n) else int(n),
                "verdict_at_half_difference": found.half, "verdict_at_twice_difference": found.twice,
                "certainty": certainty.level if certainty else "",
                "certainty_reasons": certainty.reasons if certainty else "",
                "leans_on": "; ".join(x.label for x in claim.leans_on) or "none",
                "citation": "; ".join(x.citation for x in claim.leans_on) or "none",
                "citation_counts": "yes" if cited_support(claim) else "no",
                "analysis": evidence.analysis if evidence else "",
                "best_now": evidence.effect if evidence else "",
                **{name: _reading(head, name) for name in list(READINGS)[1:]},
                **{f"verdict_{name}": found.verdicts.get(name, "") for name in list(READINGS)[1:]},
                "review_method": describe_model(found.method), "review_method_of": found.method_of,
                "as_of": found.as_of or "",
                "multiverse": multiverse_words(evidence, multiverse),
                "sequential": sequential_words(evidence, sequential),
                "sentence": sentence(found), "would_change": claim.would_change,
            }
        )  # fmt: skip
    return frame("claims.csv", rows)


def _reading(part: Part | None, name: str) -> str:
    if part is None or name not in part.readings:
        return ""
    evidence = part.readings[name]
    return f"{evidence.effect}; {evidence.count}"


def multiverse_words(evidence: Evidence | None, table: pd.DataFrame | None) -> str:
    """In how many defensible analyses each statement holds (multiverse_summary.csv), or "not yet computed"."""
    mine = _of(evidence, table, ("kind", "name", "holds", "of"))
    if mine is None:
        return NOT_COMPUTED
    said = mine[mine["kind"] == "statement"]
    if said.empty:
        return f"not computed for the whole analysis `{mine['analysis'].iloc[0]}`: {mine['note'].iloc[0]}"
    parts = [
        f"{STATEMENTS.get(name, name)} in {holds:,.0f} of {of:,.0f}"
        for name, holds, of in zip(said["name"], said["holds"], said["of"], strict=True)
        if of > 0
    ]
    return f"the whole analysis `{mine['analysis'].iloc[0]}` {'; '.join(parts)} defensible analyses"


def sequential_words(evidence: Evidence | None, table: pd.DataFrame | None) -> str:
    """The sequential verdict (last look of sequential.csv), or "not yet computed"."""
    mine = _of(evidence, table, ("verdict", "reached", "required", "information", "note"))
    if mine is None or evidence is None:
        return NOT_COMPUTED
    last = mine.iloc[-1]
    whole = f"the whole analysis `{last['analysis']}`"
    if last["verdict"] in ("upper", "lower"):
        side = "benefit" if (last["verdict"] == "upper") == (evidence.benefit > 0) else "harm"
        return f"{whole} crossed the sequential boundary for {side}"
    if last["verdict"] == "futility":
        return f"{whole} crossed the boundary for futility: an effect of the size looked for is unlikely"
    if last["verdict"] == "none":
        have, need = ("unknown" if isnan(last[x]) else f"{last[x]:,.0f}" for x in ("information", "required"))
        enough = "has" if last["reached"] == "yes" else "has not"
        return (
            f"{whole} crossed no boundary and {enough} reached the information it needs ({have} of {need} participants)"
        )
    return f"not done for {whole}: {last['note']}"


def _of(evidence: Evidence | None, table: pd.DataFrame | None, needed: tuple[str, ...]) -> pd.DataFrame | None:
    if evidence is None or table is None or not {"analysis", *needed} <= set(table):
        return None
    mine = table[table["analysis"] == evidence.analysis]
    return mine if len(mine) else None


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
                "statements": [
                    {
                        "label": label(p.test), "rule": p.test.rule, "state": p.finding.state,
                        "words": p.finding.words, **_json(p.evidence),
                        "readings": {name: _json(e) for name, e in p.readings.items()},
                    }
                    for p in found.parts
                ],
                "shown": [{"label": label(look), **_json(e)} for look, e, _ in found.shown],
            }
        )  # fmt: skip
    return json.dumps(out, indent=1, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _json(e: Evidence) -> dict[str, object]:
    def number(name: str) -> float | None:
        value = None if e.pooled is None else float(e.pooled[name])
        return None if value is None or isnan(value) else value

    names = ("estimate_natural", "ci_lower_natural", "ci_upper_natural", "pi_lower_natural", "pi_upper_natural", "i2")
    return {
        "analysis": e.analysis, "model": e.model.name, "k": e.trials,
        "n": None if isnan(e.participants) else int(e.participants), "trials": sorted(set(e.effects["study_id"])),
        "measure": None if e.pooled is None else e.pooled["measure"], **{name: number(name) for name in names},
        "certainty": e.certainty.level if e.certainty else None, "undated": list(e.undated),
    }  # fmt: skip


def claim_page(
    found: Assessed, claims: Claims, published: pd.DataFrame | None = None, figure: str = "",
    multiverse: pd.DataFrame | None = None, sequential: pd.DataFrame | None = None,
) -> str:  # fmt: skip
    """The page of one claim, in Markdown.

    `published` is published.csv as text, `figure` the path of the forest plot ("" where there is nothing to draw).
    """
    claim = found.claim
    head = found.headline
    lines = [f"# {claim.id}: {claim.claim}", "", f"**{found.verdict[:1].upper()}{found.verdict[1:]}**"]
    lines[-1] += f" ({head.evidence.count})" if head else ""
    lines += ["", sentence(found), "", "## Who says it, and on what", ""]
    lines += [f"{claims.pages[claim.page]} (`{claim.page}`).", ""]
    lines += [
        f"- {x.label}: {CITATION_WORDS[x.citation]} (`{x.citation}`)." + (f" {x.note}" if x.note else "")
        for x in claim.leans_on
    ] or [f"- {CITATION_WORDS['none'][:1].upper()}{CITATION_WORDS['none'][1:]} (`none`)."]
    if claim.note:
        lines += ["", claim.note]
    if found.parts:
        lines += ["", "## What the trials say", "", *_statements(found), "", *_numbers(found)]
        at_three = f"**{found.half}** at half of it, **{found.verdict}** at it, **{found.twice}** at twice it."
        lines += ["", f"Smallest important difference: the verdict is {at_three}"]
        lines += ["", "## How certain", "", *_certainty(found)]
        evidence = head.evidence if head else None
        lines += ["", f"Share of the multiverse: {multiverse_words(evidence, multiverse)}."]
        lines += ["", f"Sequential verdict: {sequential_words(evidence, sequential)}."]
    if claim.published and published is not None:
        lines += ["", "## What published reviews say", "", *_published(found, published)]
    if figure:
        lines += ["", "## Forest plot", "", f"![Forest plot of the trials behind {claim.id}]({figure})"]
    lines += ["", "## What evidence would change the verdict", "", claim.would_change]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(_cell(c) for c in line) + " |" for line in (head, ["---"] * len(head), *rows)]


def _statements(found: Assessed) -> list[str]:
    rows = [
        (label(p.test), p.test.rule, f"{RULES[p.test.rule][0] if p.test.rule in RULES else p.test.rule}" + _value(p),
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
    head = ("Analysis", *(w[:1].upper() + w[1:] for w in words))
    seen: dict[str, tuple[str, ...]] = {}
    first = [p for p in found.parts if p.test.rule not in CERTAINTY_RULES] or list(found.parts)
    everything = [(label(p.test), p.evidence, p.readings) for p in first]
    everything += [(f"{label(look)} (shown beside)", e, r) for look, e, r in found.shown]
    for name, evidence, readings in everything:
        all_of = {"best_now": evidence, **readings}
        seen.setdefault(name, tuple(f"{all_of[n].effect}; {all_of[n].count}" for n in names))
    lines = _grid(head, [(name, *cells) for name, cells in seen.items()])
    lines += ["", f"Best practice: {describe_model(found.parts[0].evidence.model)}. "
              f"Method of {found.method_of}: {describe_model(found.method)}."]  # fmt: skip
    verdicts = [f"{READINGS[n].format(year=found.as_of, who=found.method_of)}: {found.verdicts[n]}" for n in names[1:]]
    lines += [f"Verdict under the other readings: {'; '.join(verdicts)}."] if verdicts else []
    undated = sorted({s for p in found.parts for e in p.readings.values() for s in e.undated})
    if undated:
        lines += [f"Left out of the readings as of {found.as_of}, because no year is known: {', '.join(undated)}."]
    return lines


def _certainty(found: Assessed) -> list[str]:
    graded: dict[tuple[str, str, str], list[str]] = {}
    for p in found.parts:
        c = p.evidence.certainty
        if c is not None:
            graded.setdefault((p.evidence.analysis, p.evidence.count, c.reasons), []).append(label(p.test))
    lines = []
    for p in found.parts:
        c = p.evidence.certainty
        names = graded.pop((p.evidence.analysis, p.evidence.count, c.reasons), None) if c is not None else None
        if c is not None and names:
            lines.append(f"- {names[0]}: **{c.level}**. {c.reasons}.")
    return lines or ["No usable trial: nothing to grade."]


def _published(found: Assessed, published: pd.DataFrame) -> list[str]:
    table, rows = published.fillna("").astype(str), []
    for wanted in found.claim.published:
        mine = table[table["review_id"] == wanted.review_id]
        for column, value in (("outcome", wanted.outcome), ("timepoint", wanted.timepoint)):
            mine = mine[mine[column] == value] if value else mine
        for _, r in mine.iterrows():
            given = f"{r['measure']} {r['estimate']} ({r['ci_lower']} to {r['ci_upper']})" if r["estimate"] else ""
            what = ", ".join(filter(None, (r["timepoint"], r.get("subgroup", ""))))
            notes = [given or r.get("evidence", ""), r.get("certainty_note", ""), wanted.note]
            rows.append((r["label"], what, "; ".join(filter(None, notes)), r.get("grade", "") or "not stated"))
    return _grid(("Review", "What", "Estimate (95% CI)", "GRADE, as its authors say"), rows) if rows else ["None."]
