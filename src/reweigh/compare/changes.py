"""`changes.csv`: everything that is not the same in two results of a review, each with its cause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from reweigh.compare.causes import Causes
from reweigh.compare.data import same, text, trials_of
from reweigh.compare.results import Results
from reweigh.io import frame, records
from reweigh.schemas import columns
from reweigh.text.changes import THERE, cause_text
from reweigh.text.codes import code, join
from reweigh.text.numbers import stated_text

#: Columns that are compared, of each table.
ESTIMATE = (
    "k", "comparisons", "participants", "estimate_natural", "ci_lower_natural", "ci_upper_natural", "p_value", "tau2",
    "i2", "pi_lower_natural", "pi_upper_natural",
)  # fmt: skip
VERDICT = ("verdict", "verdict_effect", "verdict_at_half_difference", "verdict_at_twice_difference", "claim")
PUBLISHED = ("printed", "verdict", "found_model", "estimate", "ci_lower", "ci_upper")
_PRINT = ("review_id", "outcome", "timepoint", "subgroup", "measure", "coefficient")
#: Parts of the protocol that a certainty or a verdict may rest on beside the estimate.
_JUDGED = ("certainty", "certainty_overrides.csv", "outcomes", "words")

Row = dict[str, Any]


def changes_table(old: Results, new: Results) -> pd.DataFrame:
    """One row per thing that differs between two results of one review; columns as results/README.md says."""
    causes = Causes(old, new)
    found = [
        *_trials(causes), *_keys(causes), *_estimates(causes), *_certainty(causes), *_verdicts(causes),
        *_published(causes),
    ]  # fmt: skip
    empty = dict.fromkeys(columns("changes.csv"), "") | {"review": new.review}
    rows = [empty | row for row in found]
    return frame("changes.csv", [row | {"cause": cause_text(row["cause_codes"])} for row in rows])


def of_several(old: Mapping[str, Results], new: Mapping[str, Results]) -> pd.DataFrame:
    """The same of several reviews; a review that only one side has is a row."""
    tables = []
    for name in dict.fromkeys([*new, *old]):
        if name in old and name in new:
            tables.append(changes_table(old[name], new[name]))
        else:
            side = "new" if name in new else "old"
            row = dict.fromkeys(columns("changes.csv"), "") | {"review": name, "kind": "review", "id": name}
            tables.append(frame("changes.csv", [row | {side: THERE}]))
    whole = [table for table in tables if len(table)]
    return pd.concat(whole, ignore_index=True) if whole else frame("changes.csv", [])


def _trials(causes: Causes) -> Iterator[Row]:
    before, after = trials_of(causes.old), trials_of(causes.new)
    year = [one for one in causes.keys if one[0] == "as_of"]
    cause = join(code("key", key=key, old=was, new=now) for key, was, now in year)
    for study, label in {**after, **before}.items():
        one = {"kind": "trial", "id": study, "study_id": study, "label": label, "cause_codes": cause}
        if study not in before:
            yield one | {"new": label}
        elif study not in after:
            yield one | {"old": label}
    for datum in causes.data:
        of_trial = datum.file == "studies.csv"
        yield {
            "kind": "trial" if of_trial else "row", "id": datum.study if of_trial else datum.place,
            "field": datum.column, "old": datum.old, "new": datum.new, "study_id": datum.study,
            "label": after[datum.study],
        }  # fmt: skip


def _keys(causes: Causes) -> Iterator[Row]:
    for key, was, now in causes.keys:
        yield {"kind": "protocol", "id": key, "old": was, "new": now}
    for name, was, now in causes.packages:
        yield {"kind": "programme", "id": name, "field": "version", "old": was, "new": now}


def _estimates(causes: Causes) -> Iterator[Row]:
    before, after = (
        {(row["analysis"], row["model"]): row for row in records(side.tables["pooled.csv"])}
        for side in (causes.old, causes.new)
    )
    for name in dict.fromkeys([*after, *before]):
        one: Row = {"kind": "estimate", "id": " | ".join(name)}
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            sides = {"old": _stated(was), "new": _stated(now)}
            yield one | sides | {"cause_codes": causes.estimate(*name)}
            continue
        differing = _fields(was, now, ESTIMATE)
        if differing:
            cause = causes.estimate(*name)
            yield from (one | differs | {"cause_codes": cause} for differs in differing)


def _stated(row: Row | None) -> str:
    return "" if row is None else stated_text(row)


def _fields(was: Row, now: Row, names: Sequence[str]) -> list[Row]:
    """Cells that differ, of the columns that both tables have."""
    both = [(name, was[name], now[name]) for name in names if name in was and name in now]
    return [{"field": name, "old": text(old), "new": text(new)} for name, old, new in both if not same(old, new)]


def _certainty(causes: Causes) -> Iterator[Row]:
    before, after = (
        {
            analysis: (rows["certainty"].iloc[0], {row["domain"]: row for row in records(rows)})
            for analysis, rows in side.tables["certainty.csv"].groupby("analysis", sort=False)
        }
        for side in (causes.old, causes.new)
    )
    for analysis in dict.fromkeys([*after, *before]):
        one: Row = {"kind": "certainty", "id": str(analysis)}
        cause = _judged(causes, str(analysis))
        if analysis not in before or analysis not in after:
            sides = {side: found[analysis][0] for side, found in (("old", before), ("new", after)) if analysis in found}
            yield one | sides | {"field": "", "cause_codes": join(cause)}
            continue
        (level, domains), (now, domains_now) = before[analysis], after[analysis]
        moved = [
            (domain, _judgement(domains.get(domain)), _judgement(domains_now.get(domain)))
            for domain in dict.fromkeys([*domains, *domains_now])
        ]
        moved = [each for each in moved if each[1] != each[2]]
        if level != now:
            why = [code("domain", domain=domain, old=a, new=b) for domain, a, b in moved]
            yield one | {"field": "certainty", "old": level, "new": now, "cause_codes": join([*why, *cause])}
        for domain, a, b in moved:
            yield one | {"field": domain, "old": a, "new": b, "cause_codes": join(cause)}


def _judgement(row: Row | None) -> str:
    if row is None:
        return ""
    levels = text(row["levels"])
    return f"{row['judgement']} ({levels})" if levels not in ("", "0") else str(row["judgement"])


def _judged(causes: Causes, analysis: str) -> list[str]:
    """Codes of what may have moved the certainty of an analysis."""
    found = [*causes.judgements(analysis), causes.main(analysis)]
    outcome = analysis.partition(".")[0]

    def of(key: str) -> bool:
        first, _, rest = key.partition(".")
        return (key in _JUDGED or first in _JUDGED) and (first != "outcomes" or rest.partition(".")[0] == outcome)

    named = [one for one in causes.others(of) if one.startswith("key ")]
    return [*found, *named] if any(found) or named else causes.others(of)


def _verdicts(causes: Causes) -> Iterator[Row]:
    before, after = (
        {row["id"]: row for row in records(side.tables["claims.csv"])} for side in (causes.old, causes.new)
    )
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name), after.get(name)
        there: Row = now or was or {}
        one: Row = {"kind": "verdict", "id": name, "label": there["claim"]}
        if was is None or now is None:
            yield one | {
                "old": text(was and was["verdict"]), "new": text(now and now["verdict"]),
                "cause_codes": join(_claimed(causes) or causes.others(lambda _: False)),
            }  # fmt: skip
            continue
        if differing := _fields(was, now, VERDICT):
            cause = join(_of_verdict(causes, was, now))
            yield from (one | differs | {"cause_codes": cause} for differs in differing)


def _claimed(causes: Causes) -> list[str]:
    return ["claims_changed"] if any(key == "claims.yaml" for key, _, _ in causes.keys) else []


def _of_verdict(causes: Causes, was: Row, now: Row) -> list[str]:
    """Codes of what may have moved a verdict: the claim itself, the certainty, the estimate that it rests on."""
    analysis = str(now["analysis"] or was["analysis"])
    found = _claimed(causes)
    if was["claim"] != now["claim"]:
        found = ["claims_changed"]
    found += [
        code(name, old=was[name], new=now[name])
        for name in ("certainty", "analysis")
        if was.get(name) and now.get(name) and was[name] != now[name]
    ]
    if analysis:
        found += [one for one in _judged(causes, analysis) if one]
    else:
        found += causes.others(lambda _: True)
    return found


def _published(causes: Causes) -> Iterator[Row]:
    before, after = (
        {tuple(text(row.get(name)) for name in _PRINT): row for row in records(side.tables["reproduction.csv"])}
        for side in (causes.old, causes.new)
    )
    for name in dict.fromkeys([*after, *before]):
        was, now = before.get(name), after.get(name)
        there: Row = now or was or {}
        one: Row = {"kind": "published estimate", "id": " | ".join(filter(None, name)), "label": there["label"]}
        if was is None or now is None:
            yield one | {"old": text(was and was["printed"]), "new": text(now and now["printed"])}
            continue
        if differing := _fields(was, now, PUBLISHED):
            printed = [] if same(was["printed"], now["printed"]) else ["print_changed"]
            analysis = text(now.get("our_analysis"))
            moved = causes.main(analysis) if analysis else ""
            cause = join([*printed, moved]) or join(causes.others(lambda _: True))
            yield from (one | differs | {"cause_codes": cause} for differs in differing)
