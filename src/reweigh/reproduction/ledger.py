"""The ledger of published pooled estimates: each recomputed by the model that its authors used."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from reweigh.io import frame
from reweigh.measures import MEASURE_LABELS, MEASURES, natural
from reweigh.pool.core import pool
from reweigh.protocol.model import Protocol
from reweigh.protocol.windows import window_of
from reweigh.quantile import z_critical
from reweigh.reproduction.checks import LEVEL
from reweigh.reproduction.printed import agrees, cut_off_agrees, parse_number
from reweigh.reproduction.search import (
    NUMBERS,
    Attempt,
    Columns,
    Print,
    Search,
    coefficient_at,
    measure_of,
    moderator_columns,
    print_of,
    search,
    standing,
)
from reweigh.reproduction.stated import Stated, stated, too_early
from reweigh.schemas import columns
from reweigh.text.codes import code, join, without
from reweigh.text.numbers import fixed
from reweigh.text.reproduction import method_name, model_name, said

REPRODUCED = "reproduced"
NOT_REREAD = "agrees, print not re-read"
FOUND = "found by search"
WITHIN_INPUTS = "within rounding of inputs"
NOT_REPRODUCED = "not reproduced"
NOT_PUBLIC = "not reproducible from public data"
VERDICTS = (REPRODUCED, NOT_REREAD, FOUND, WITHIN_INPUTS, NOT_REPRODUCED, NOT_PUBLIC)

_COUNTED = ("OR", "RR", "RD", "PETO")
"""Measures of which one can be computed from the counts of another's trials."""


def reproduce(
    published: pd.DataFrame,
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    protocol: Protocol,
    *,
    raw: Mapping[str, pd.DataFrame] | None = None,
    published_trials: pd.DataFrame | None = None,
    units: pd.DataFrame | None = None,
    studies: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Recompute every published row by its authors' model and say how far it agrees: the first table of `ledger`."""
    return ledger(
        published, effects, pooled, protocol, raw=raw, published_trials=published_trials, units=units, studies=studies
    )[0]


def ledger(
    published: pd.DataFrame,
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    protocol: Protocol,
    *,
    raw: Mapping[str, pd.DataFrame] | None = None,
    published_trials: pd.DataFrame | None = None,
    units: pd.DataFrame | None = None,
    studies: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Recompute every published row by its authors' model, say how far it agrees, and list every method tried.

    A review's pool can be recomputed where the protocol's `table_source` is its source or names its DOI (the tables are
    its own), or
    where `published_trials` lists as many trials as it pooled and each has an effect.

    Parameters
    ----------
    published
        published.csv as text (printed decimals must survive).
    effects, pooled
        effects.csv and pooled.csv of the review.
    protocol
        Windows, outcomes, level.
    raw
        arms.csv and contrasts.csv as text, by file name, for the rounding of the inputs.
    published_trials
        Which trials a published review pooled: review_id, study_id.
    units
        units.csv: what `effects` counts by trial, by row, and the other way round.
    studies
        studies.csv as checked, whose columns name printed subgroups, parts of the trials and moderators.

    Returns
    -------
    reproduction.csv and reproduction_methods.csv: a row per published row, with a `verdict` of VERDICTS and the largest
    distance from the print in units of its last digit; a row per method tried. Numbers are on the scale of the print.
    """
    lists = published_trials if published_trials is not None else pd.DataFrame(columns=["review_id", "study_id"])
    table = published.fillna("").astype(str)
    every = effects.assign(units="")
    if units is not None and len(units):
        every = pd.concat([every, units], ignore_index=True)
    rows: list[dict[str, object]] = []
    methods: list[dict[str, object]] = []
    for number, record in enumerate(table.to_dict("records"), start=2):
        row = {str(key): value for key, value in record.items()}
        identity = {name: row.get(name, "") for name in columns("reproduction.csv")[1:8]}
        identity["label"] = identity["label"] or identity["review_id"]
        printed = print_of(row)
        base = {
            "row": number, **identity, "printed": _printed(row),
            **{f"printed_{n}": row.get(n, "") for n in (*NUMBERS, "i2", "se", "k", "model")},
            "printed_p": row.get("p_reported", ""), "estimate_scale": row.get("estimate_scale", "") or "natural",
            "moderators": row.get("moderators", ""), "coefficient": row.get("coefficient", ""),
            "checked": row.get("checked", ""), "grade": row.get("grade", ""), **_ours(row, pooled, protocol),
        }  # fmt: skip
        groups = _groups(row, every, protocol, lists)
        missing = _missing(row, printed, effects, groups, protocol, lists, studies)
        if missing or printed is None:
            rows.append({**base, "verdict": NOT_PUBLIC, "missing": said(missing), "missing_codes": missing})
            continue
        named = stated(row)
        found = search(row, groups, protocol, printed, named, studies)
        rows.append({**base, **_judge(row, printed, named, found, raw or {}, protocol)})
        methods += [{**{"row": number}, **one} for one in _listed(row, printed, named, found)]
    return frame("reproduction.csv", rows), frame("reproduction_methods.csv", methods)


def _printed(row: Mapping[str, str]) -> str:
    estimate, lower, upper = (row.get(name, "") for name in NUMBERS)
    if lower:
        return f"{estimate} ({lower} to {upper})"
    return f"{estimate} (SE {row['se']})" if row.get("se") and estimate else estimate


def published_window(row: Mapping[str, str], protocol: Protocol) -> str:
    """Window of the protocol to which a published row belongs, "" where it cannot be told."""
    days = parse_number(row.get("timepoint_days", ""))
    return window_of(protocol.windows, days.value if days is not None else math.nan, row.get("timepoint", ""))


def _own_tables(row: Mapping[str, str], protocol: Protocol) -> bool:
    doi, source = row.get("doi", "").lower(), row.get("source", "")
    tables = protocol.table_source.values()
    return (bool(doi) and any(doi in one.lower() for one in tables)) or (bool(source) and source in tables)


def _trials(row: Mapping[str, str], lists: pd.DataFrame) -> list[str]:
    return sorted(lists.loc[lists["review_id"] == row.get("review_id"), "study_id"].unique())


def _groups(
    row: Mapping[str, str], effects: pd.DataFrame, protocol: Protocol, lists: pd.DataFrame
) -> list[tuple[str, pd.DataFrame]]:
    """Rows of the outcome and window by set and unit, of the printed measure or one of the same counts or means."""
    here = effects[(effects["outcome"] == row.get("outcome")) & (effects["window"] == published_window(row, protocol))]
    if not _own_tables(row, protocol):
        here = here[here["study_id"].isin(_trials(row, lists))]
    measure = measure_of(row)
    if measure == "NNT":
        return [(str(key[0]), group) for key, group in here.groupby(["set", "units"], sort=False)]
    others = _COUNTED if measure in _COUNTED else ("MD", "SMD") if measure in ("MD", "SMD") else ()
    there = set(here["measure"])
    for one in dict.fromkeys((measure, *others)):
        if one in there:
            mine = here[here["measure"] == one].groupby(["set", "units"], sort=False)
            return [(str(key[0]), group) for key, group in mine]
    return []


def _missing(
    row: Mapping[str, str], printed: Print | None, effects: pd.DataFrame, groups: Sequence[tuple[str, pd.DataFrame]],
    protocol: Protocol, lists: pd.DataFrame, studies: pd.DataFrame | None,
) -> str:  # fmt: skip
    """Codes of what is missing for a recomputation, "" where nothing is."""
    measure, outcome = measure_of(row), row.get("outcome", "")
    if row.get("measure") in ("size_only", "narrative"):
        return str(row["measure"])
    if printed is None:
        return "not_visible"
    if measure not in (*MEASURE_LABELS, "NNT"):
        return code("no_such_measure", measure=row.get("measure", ""))
    if printed.scale not in ("natural", MEASURES[measure].scale if measure in MEASURES else "natural"):
        return code("own_scale_only", measure=measure, scale=printed.scale)
    window = published_window(row, protocol)
    here = effects[(effects["outcome"] == outcome) & (effects["window"] == window)]
    needed = []
    if not _own_tables(row, protocol):
        known, k = _trials(row, lists), parse_number(row.get("k", ""))
        if "network" in row.get("model", ""):
            needed.append("network")
        if k is None:
            needed.append("which_and_k")
        elif len(known) < k.value:
            needed.append(code("which_trials", k=k.value, known=len(known)))
        else:
            absent = [s for s in known if s not in set(here["study_id"])]
            if absent:
                needed.append(code("results_of", trials=", ".join(absent)))
        if needed:
            needed.append("numbers_used")
            if row.get("doi", "").strip() and not known and "network" not in needed:
                needed.insert(0, code("tie_tables", doi=row["doi"].strip()))
    if not needed and here.empty:
        needed.append(code("no_analysis", outcome=outcome, time=row.get("timepoint") or "this time"))
    elif not needed and not groups:
        needed.append(code("no_counts", measure=measure))
    elif not needed and row.get("moderators", "").strip():
        needed.append(_no_regression(row, groups[0][1], Columns(studies, protocol)))
    return join(needed)


def _no_regression(row: Mapping[str, str], group: pd.DataFrame, known: Columns) -> str:
    """Code of why the printed meta-regression cannot be computed, "" where it can."""
    values = moderator_columns(row, group, known)
    if isinstance(values, str):
        return values
    names = ["intercept"]
    for name, column in values.items():
        levels = sorted({v for v in column if v}) if column.dtype.kind == "O" else []
        names += [f"{name}: {level}" for level in levels] if levels else [name]
    asked = row.get("coefficient", "").strip()
    if coefficient_at(names, asked) is None and not (not asked and len(values) == 1 and len(names) == 3):
        return code("no_coefficient", coefficient=asked or "(none is named)", known=", ".join(names))
    return ""


def input_rounding(group: pd.DataFrame, raw: Mapping[str, pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    """How far the rounding of the reported numbers can move each effect and its variance, analysis scale, (k,).

    Means and SDs of arms (measure MD) and estimate and SE of contrasts carry the rounding of their last printed
    digit; counts are exact. Ratios are taken to the log scale. Zero where the reported text is not given.
    """
    dy, dv = np.zeros(len(group)), np.zeros(len(group))
    for i, (_, effect) in enumerate(group.iterrows()):
        for file, at in re.findall(r"(\w+\.csv):(\d+)", str(effect.get("rows", ""))):
            table = raw.get(file)
            if table is None or not 0 <= int(at) - 2 < len(table):
                continue
            row = table.iloc[int(at) - 2]
            if file == "contrasts.csv":
                of_limits = [_half_logged(row, name, effect["scale"]) for name in ("ci_lower", "ci_upper")]
                # An SE, where it is given, is what the variance rests on; else the width of the interval.
                width = 2 * float(z_critical(LEVEL))
                dse = _half(row, "se") or (sum(of_limits) / width if not str(row.get("se", "")).strip() else 0.0)
                dy[i] += _half_logged(row, "estimate", effect["scale"])
                dv[i] += 2 * math.sqrt(effect["variance"]) * dse
            elif effect["measure"] == "MD":
                dy[i] += _half(row, "mean")
                n, sd = parse_number(row.get("n", "")), parse_number(row.get("sd", ""))
                if n is not None and sd is not None:
                    dv[i] += 2 * sd.value * sd.half / n.value
    return dy, np.minimum(dv, 0.5 * group["variance"].to_numpy())


def _half(row: pd.Series, name: str) -> float:
    number = parse_number(row.get(name, ""))
    return 0.0 if number is None else number.half


def _half_logged(row: pd.Series, name: str, scale: str) -> float:
    """Half a unit of the last printed digit on the analysis scale: a share of it for a ratio printed as such."""
    number = parse_number(row.get(name, ""))
    if number is None:
        return 0.0
    logged = scale == "log" and str(row.get("estimate_scale", "")).strip() != "log"
    return number.half / abs(number.value) if logged and number.value else number.half


def _slack(
    y: np.ndarray, v: np.ndarray, dy: np.ndarray, dv: np.ndarray, numbers: tuple[float, float, float], *,
    tau2: str, ci: str, level: float, scale: str,
) -> tuple[float, float, float]:  # fmt: skip
    """Sum of what each rounded input alone moves: a bound to first order."""
    if not (dy.any() or dv.any()):
        return 0.0, 0.0, 0.0
    moved = pool(
        np.vstack([y + np.diag(dy), np.tile(y, (len(y), 1))]), np.vstack([np.tile(v, (len(v), 1)), v + np.diag(dv)]),
        tau2_method=tau2, ci_method=ci, level=level,
    )  # fmt: skip
    found = [natural(getattr(moved, n), scale) for n in NUMBERS]
    a, b, c = (float(np.abs(x - number).sum()) for x, number in zip(found, numbers, strict=True))
    return a, b, c


@dataclass(frozen=True, slots=True)
class _Judged:
    """An attempt, whether it gives every printed digit, and how it stands to what the source says."""

    one: Attempt
    exact: bool
    standing: str


def _judge(
    row: Mapping[str, str], printed: Print, named: Stated, found: Search, raw: Mapping[str, pd.DataFrame],
    protocol: Protocol,
) -> dict[str, object]:  # fmt: skip
    """Verdict of a row, its best attempt, and the counts of the search."""
    every = [_Judged(a, printed.exact(a), standing(a, named, row)) for a in found.attempts]
    if not every:
        why = code("no_regression", why="") if row.get("moderators") else code("no_counts", measure=measure_of(row))
        return {"verdict": NOT_PUBLIC, "missing": said(why), "missing_codes": why}
    exact = [j for j in every if j.exact]
    likely = [j.one for j in every if j.standing == "yes" and j.one.given]
    best = next((j.one for j in exact if j.standing == "yes" and j.one.given), None)
    notes = [named.codes, found.codes]
    verdict = NOT_REREAD if "not re-read" in row.get("checked", "") else REPRODUCED
    if best is None:
        # Every digit by the named model, with effects computed in a way that the source leaves open, is more than
        # digits that rounding may account for.
        exactly = [j for j in exact if j.one.given and not j.one.own and j.standing == "open"]
        exactly = [j for j in exactly if named.fit(j.one.pooling, j.one.tau2, j.one.ci, j.one.of) == "named"]
        best, verdict = (exactly[0].one, FOUND) if exactly and named.names_a_model else (None, verdict)
        notes += ["formula_open"] if best is not None else []
    if best is None:
        rounded = [_with_slack(a, raw, protocol, printed) for a in likely]
        best = next((a for a, slack in rounded if _within(a, printed, slack)), None)
        verdict = WITHIN_INPUTS
    if best is None:
        best, codes = _searched(row, exact, found)
        notes.append(codes)
        verdict = FOUND
    if best is None:
        verdict = NOT_REPRODUCED
        # What is not reproduced is shown by the first method, in the order tried, that gives the printed estimate.
        shown = likely or [j.one for j in every if j.standing == "open"] or [j.one for j in every]
        same = (a for a in shown if agrees(a.numbers[0], printed.estimate))
        best = next(same, min(shown, key=printed.distance))
        if found.unknown and not found.codes.startswith("k_fewer"):
            verdict = NOT_PUBLIC
        notes += [code("left_out_gives", trials=_gone(one)) for one in found.left_out[:1]]
    missing = code("no_subgroup", subgroup=row.get("subgroup", "")) if verdict == NOT_PUBLIC else ""
    if found.choices > 1:
        notes.append(code("searched_trials", subsets=found.choices))
    beside, differences = _beside(best, printed)
    note = join([*notes, *differences])
    alike = [j.one for j in exact if j.standing == "yes" or j.one.given]
    nearest = min((j.one for j in every), key=printed.distance)
    return {
        "verdict": verdict,
        "found_model": _name(best),
        "set": best.set_name,
        "trials": said(best.trials),
        "trials_codes": best.trials,
        "k": best.k,
        **dict(zip(NUMBERS, best.numbers, strict=True)),
        "i2": _i2(best, printed),
        "se": best.se,
        "p_value": best.p_value,
        **beside,
        "difference": printed.distance(best),
        "methods_tried": len({(j.one.name, *_method(j.one)) for j in every}),
        "distinct_results": len({_key(one) for one in (*found.attempts, *found.left_out)}),
        "print_alike": len(exact) + len(found.left_out),
        "distinct_alike": len({_key(one) for one in (*(j.one for j in exact), *found.left_out)}),
        "trials_tried": found.choices,
        "models_that_agree": "; ".join(dict.fromkeys(f"{_name(a)} ({a.set_name})" for a in alike)),
        "nearest": _nearest(nearest, printed) + _without_one(best, printed) if verdict == NOT_REPRODUCED else "",
        "missing": said(missing),
        "missing_codes": missing,
        "note": said(note),
        "note_codes": note,
    }


def _searched(row: Mapping[str, str], exact: Sequence[_Judged], found: Search) -> tuple[Attempt | None, str]:
    """What a search finds that the source does not state, and codes of what was open: method, effects or trials."""
    able = [j for j in exact if j.standing != "no"]
    order = {"yes": 0, "open": 1}
    for given in (True, False):
        if not given and not (found.unknown or not row.get("k", "").strip()):
            continue
        fitting = sorted((j for j in able if j.one.given == given), key=lambda j: order[j.standing])
        if fitting:
            best = fitting[0].one
            return best, join([_open_words(row, best), "" if given else "trials_by_column"])
    if found.unknown and found.left_out:
        best = found.left_out[0]
        return best, join([_open_words(row, best), code("trials_left_out", trials=_gone(best))])
    return None, ""


def _open_words(row: Mapping[str, str], best: Attempt) -> str:
    """Code of what the source leaves open of a method that was found by search, where it names a model."""
    named = stated(row)
    if not named.names_a_model:
        return ""
    part = named.fit(best.pooling, best.tau2, best.ci, best.of) == "open"
    return join(["model_part" if part else "", "formula_open" if not best.own else ""])


def _gone(one: Attempt) -> str:
    return said(one.trials).removeprefix("without ")


_OWN = ("smd_effects", "md_effects", "count_effects")
"""Ways to compute the effects, which go without saying where they are the protocol's."""


def _name(one: Attempt) -> str:
    formula = without(one.formula, *_OWN) if one.own else one.formula
    return one.name or method_name(one.pooling, one.tau2, one.ci, formula)


def _method(one: Attempt) -> tuple[str, ...]:
    return one.of, one.pooling, one.tau2, one.ci, one.formula


def _key(one: Attempt) -> tuple[float, ...]:
    """Results that are the same but for rounding in the computer."""
    return tuple(float(f"{x:.8g}") for x in one.numbers)


def _i2(one: Attempt, printed: Print) -> float:
    """I2 of an attempt: by the definition that the print fits, else that of its Q."""
    return next((x for x in one.i2 if printed.i2 is not None and agrees(x, printed.i2)), one.i2[0])


def _beside(one: Attempt, printed: Print) -> tuple[dict[str, str], list[str]]:
    """Whether the printed SE and P come out, too, and codes where they do not: no condition of a verdict."""
    found, codes = {"se_agrees": "", "p_agrees": ""}, []
    if printed.se is not None and math.isfinite(one.se):
        found["se_agrees"] = "yes" if agrees(one.se, printed.se) else "no"
        if found["se_agrees"] == "no":
            codes.append(
                code("se_differs", printed=f"{printed.se.value:.{printed.se.decimals}f}", ours=f"{one.se:.6g}")
            )
    if printed.p is not None and math.isfinite(one.p_value):
        operator, p = printed.p
        fits = {"<": one.p_value < p.value, ">": one.p_value > p.value, "=": agrees(one.p_value, p)}[operator]
        found["p_agrees"] = "yes" if fits else "no"
        if not fits:
            shown = f"{operator} {p.value:.{p.decimals}f}"
            codes.append(code("p_differs", printed=shown, ours=one.p_value))
    return found, codes


def _with_slack(
    one: Attempt, raw: Mapping[str, pd.DataFrame], protocol: Protocol, printed: Print
) -> tuple[Attempt, tuple[float, float, float]]:
    """An attempt, and by how much each number can move within the rounding of the trials' reported numbers."""
    if one.data is None:
        return one, (0.0, 0.0, 0.0)
    group, y, v = one.data
    dy, dv = input_rounding(group, raw)
    scale = "natural" if printed.scale == str(group["scale"].iloc[0]) else str(group["scale"].iloc[0])
    level = protocol.level_of(str(group["outcome"].iloc[0]))
    return one, _slack(y, v, dy, dv, one.numbers, tau2=one.tau2, ci=one.ci, level=level, scale=scale)


def _within(one: Attempt, printed: Print, slack: tuple[float, float, float]) -> bool:
    """Whether estimate and limits are the printed ones within the rounding of the inputs; an I2 has no such bound."""
    if printed.i2 is not None and not any(agrees(x, printed.i2) for x in one.i2):
        return False
    given = zip(one.numbers, (printed.estimate, printed.lower, printed.upper), slack, strict=True)
    return any(slack) and all(agrees(x, p) or abs(x - p.value) <= p.half + s for x, p, s in given if p is not None)


def _without_one(attempt: Attempt, printed: Print) -> str:
    """Trials without any one of which the shown method gives every printed digit."""
    able = [
        study
        for study, numbers in attempt.without
        if all(agrees(x, p) for x, p in printed.pairs(replace(attempt, numbers=numbers)))
    ]
    if not able:
        return ""
    one = "any one of " if len(able) > 1 else ""
    return f"; {_name(attempt)} gives every printed digit if {one}{', '.join(able)} is left out"


def _nearest(attempt: Attempt, printed: Print) -> str:
    """How the nearest method would print, and where it differs."""
    pairs = printed.pairs(attempt)
    shown = [fixed(x, p.decimals) for x, p in pairs]
    text = f"{_name(attempt)}: {shown[0]}" + (f" ({' to '.join(shown[1:])})" if len(shown) == 3 else "")
    named = list(zip(("estimate", "lower limit", "upper limit"), pairs, strict=False))
    wrong = [(name, x, p) for name, (x, p) in named if not agrees(x, p)]
    cut = bool(wrong) and all(cut_off_agrees(x, p) for _, x, p in wrong)
    if printed.i2 is not None and not any(agrees(x, printed.i2) for x in attempt.i2):
        wrong.append(("I2", attempt.i2[0], printed.i2))
    if not wrong:
        return f"{text}: every printed digit, but the source says otherwise"
    off = [f"{name} {x:.4g} against the printed {p.value:g}" for name, x, p in wrong]
    note = "; cut off instead of rounded, the differing numbers would print as they do" if cut else ""
    return f"{text}; differs: {', '.join(off)}{note}"


def _listed(row: Mapping[str, str], printed: Print, named: Stated, found: Search) -> Iterator[dict[str, object]]:
    """Rows of reproduction_methods.csv: every attempt, then what leaves out trials and gives every digit."""
    for number, one in enumerate([*found.attempts, *found.left_out], start=1):
        given, there = printed.digits(one)
        stands = standing(one, named, row)
        cannot = _cannot(row, one, named, stands)
        yield {
            "number": number,
            "set": one.set_name,
            "trials": said(one.trials),
            "trials_codes": one.trials,
            "searched": "no" if one.given else "yes",
            "of": one.of,
            "method": one.name or method_name(one.pooling, one.tau2, one.ci, one.formula),
            "pooling": one.pooling,
            "tau2_method": one.tau2,
            "ci_method": one.ci,
            "formula_codes": one.formula,
            "k": one.k,
            **dict(zip(NUMBERS, one.numbers, strict=True)),
            "i2": _i2(one, printed),
            "se": one.se,
            "p_value": one.p_value,
            "digits": given,
            "digits_printed": there,
            "agrees": "yes" if printed.exact(one) else "no",
            "named": stands,
            "cannot": said(cannot),
            "cannot_codes": cannot,
        }


def _cannot(row: Mapping[str, str], one: Attempt, named: Stated, stands: str) -> str:
    """Codes of why an attempt cannot be what the source states."""
    found = []
    if stands == "no":
        found = named.against(one.pooling, one.tau2, one.ci, one.of, one.formula)
        early = too_early(row, one.tau2, one.ci, one.formula)
        found += [code("before_its_source", what=what, year=year, paper=paper) for what, year, paper in early]
    k = parse_number(row.get("k", ""))
    if k is not None and one.k > k.value:
        found.append(code("not_the_trials", k=one.k, printed=k.value))
    return join(found)


def _ours(row: Mapping[str, str], pooled: pd.DataFrame, protocol: Protocol) -> dict[str, object]:
    """Our main estimate of the same outcome and window: the same measure where it exists, else the main one."""
    name, window = row.get("outcome", ""), published_window(row, protocol)
    mine = pooled[(pooled["set"] == "main") & (pooled["outcome"] == name) & (pooled["window"] == window)]
    measure = "RR" if measure_of(row) == "NNT" else measure_of(row)
    same = mine[mine["measure"] == measure]
    chosen = same if len(same) else mine[mine["measure"] == protocol.outcomes[name].measure] if len(mine) else mine
    if chosen.empty:
        return {}
    first = chosen.iloc[0]
    return {
        "our_analysis": first["analysis"],
        "our_measure": first["measure"],
        "our_k": first["k"],
        **{f"our_{n}": first[f"{n}_natural"] for n in NUMBERS},
    }


__all__ = ["VERDICTS", "input_rounding", "ledger", "model_name", "published_window", "reproduce"]
