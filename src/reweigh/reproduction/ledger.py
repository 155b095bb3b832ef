"""The ledger of published pooled estimates: each recomputed by the model that its authors used."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from reweigh.io import frame
from reweigh.measures import COUNT_MEASURES, MEASURE_LABELS, SAME_MEASURE, natural
from reweigh.pool.binary import mantel_haenszel
from reweigh.pool.core import pool
from reweigh.pool.refit import cannot, refit, trials_of
from reweigh.protocol.model import Protocol
from reweigh.protocol.windows import window_of
from reweigh.reproduction.nnt import CRUDE, crude_wald, nnt_methods
from reweigh.reproduction.printed import Printed, agrees, cut_off_agrees, parse_number, units_off
from reweigh.schemas import columns
from reweigh.text.numbers import fixed

REPRODUCED = "reproduced"
NOT_REREAD = "agrees, print not re-read"
WITHIN_INPUTS = "within rounding of inputs"
NOT_REPRODUCED = "not reproduced"
NOT_PUBLIC = "not reproducible from public data"
VERDICTS = (REPRODUCED, NOT_REREAD, WITHIN_INPUTS, NOT_REPRODUCED, NOT_PUBLIC)

NUMBERS = ("estimate", "ci_lower", "ci_upper")
#: Models tried, the usual ones of published reviews first.
MODELS: tuple[tuple[str, str], ...] = (
    ("DL", "wald"), ("EE", "wald"), ("REML", "wald"), ("REML", "hartung-knapp"), ("DL", "hartung-knapp"), ("DL", "t"),
    ("PM", "wald"), ("PM", "hartung-knapp"), ("ML", "wald"), ("HE", "wald"), ("HS", "wald"), ("SJ", "wald"),
    ("SJ", "hartung-knapp"), ("REML", "t"),
)  # fmt: skip
#: Other names under which reviews print the same measure.
_NAMES = {
    "EE": "common effect", "DL": "DerSimonian-Laird", "PM": "Paule-Mandel", "HE": "Hedges", "HS": "Hunter-Schmidt",
    "SJ": "Sidik-Jonkman",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Attempt:
    """One way to compute a published estimate: numbers on the natural scale.

    `pooling`, `tau2` and `ci` as in a protocol's model ("" where trials are only added up), `of` what was pooled.
    """

    method: str
    pooling: str
    tau2: str
    ci: str
    of: str
    set_name: str
    k: int
    numbers: tuple[float, float, float]
    #: By how much each number can move within the rounding of the trials' reported numbers.
    slack: tuple[float, float, float] = (0.0, 0.0, 0.0)
    #: The numbers without each trial in turn, by study, where that was computed.
    without: tuple[tuple[str, tuple[float, float, float]], ...] = ()


def reproduce(
    published: pd.DataFrame,
    effects: pd.DataFrame,
    pooled: pd.DataFrame,
    protocol: Protocol,
    *,
    raw: Mapping[str, pd.DataFrame] | None = None,
    published_trials: pd.DataFrame | None = None,
    units: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Recompute every published row by its authors' model and say how far it agrees.

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

    Returns
    -------
    One row per published row; `verdict` is one of VERDICTS, `difference` the largest distance from the print in
    units of its last digit, numbers on the natural scale.
    """
    lists = published_trials if published_trials is not None else pd.DataFrame(columns=["review_id", "study_id"])
    table = published.fillna("").astype(str)
    every = effects.assign(units="")
    if units is not None and len(units):
        every = pd.concat([every, units[units["units"].isin(["row", "trial"])]], ignore_index=True)
    rows = []
    for number, record in enumerate(table.to_dict("records"), start=2):
        row = {str(key): value for key, value in record.items()}
        identity = {name: row.get(name, "") for name in columns("reproduction.csv")[1:8]}
        identity["label"] = identity["label"] or identity["review_id"]
        ours = _ours(row, pooled, protocol)
        printed = tuple(parse_number(row.get(name, "")) for name in NUMBERS)
        base = {
            "row": number, **identity, "printed": _printed(row),
            **{f"printed_{n}": row.get(n, "") for n in (*NUMBERS, "k", "model")},
            "checked": row.get("checked", ""), "grade": row.get("grade", ""), **ours,
        }  # fmt: skip
        missing = _missing(row, printed[0], effects, protocol, lists)
        if missing:
            rows.append({**base, "verdict": NOT_PUBLIC, "missing": missing})
        else:
            attempts = list(_attempts(row, every, protocol, lists, raw or {}))
            rows.append({**base, **_judge(row, printed, attempts)})
    return frame("reproduction.csv", rows)


def _printed(row: Mapping[str, str]) -> str:
    estimate, lower, upper = (row.get(name, "") for name in NUMBERS)
    return f"{estimate} ({lower} to {upper})" if lower else estimate


def published_window(row: Mapping[str, str], protocol: Protocol) -> str:
    """Window of the protocol to which a published row belongs, "" where it cannot be told."""
    days = parse_number(row.get("timepoint_days", ""))
    return window_of(protocol.windows, days.value if days is not None else math.nan, row.get("timepoint", ""))


def _measure(row: Mapping[str, str]) -> str:
    return SAME_MEASURE.get(row.get("measure", ""), row.get("measure", ""))


def _own_tables(row: Mapping[str, str], protocol: Protocol) -> bool:
    doi, source = row.get("doi", "").lower(), row.get("source", "")
    tables = protocol.table_source.values()
    return (bool(doi) and any(doi in one.lower() for one in tables)) or (bool(source) and source in tables)


def _trials(row: Mapping[str, str], lists: pd.DataFrame) -> list[str]:
    return sorted(lists.loc[lists["review_id"] == row.get("review_id"), "study_id"].unique())


def _missing(
    row: Mapping[str, str], estimate: Printed | None, effects: pd.DataFrame, protocol: Protocol, lists: pd.DataFrame
) -> str:
    """What is missing for a recomputation, "" where nothing is."""
    measure, outcome = _measure(row), row.get("outcome", "")
    if row.get("measure") == "size_only":
        return "no pooled estimate: the row records the size of the review"
    if row.get("measure") == "narrative":
        return "no pooled estimate: the review is narrative"
    if estimate is None:
        return "the estimate is not visible in the public text"
    if measure not in (*MEASURE_LABELS, "NNT"):
        return f"a {row.get('measure')} without a comparator or of another kind: no analysis here has it"
    window = published_window(row, protocol)
    here = effects[(effects["outcome"] == outcome) & (effects["window"] == window)]
    needed = []
    if not _own_tables(row, protocol):
        known, k = _trials(row, lists), parse_number(row.get("k", ""))
        if "network" in row.get("model", ""):
            needed.append("every comparison of the network")
        if k is None:
            needed.append("how many and which trials were pooled")
        elif len(known) < k.value:
            needed.append(f"which {k.value:g} trials were pooled ({len(known)} of the review's trials are known)")
        else:
            absent = [s for s in known if s not in set(here["study_id"])]
            if absent:
                needed.append(f"usable results of {', '.join(absent)}")
        if needed:
            needed.append("the numbers of each trial as the review used them")
    if not needed and here.empty:
        needed.append(f"an analysis of {outcome} at {row.get('timepoint') or 'this time'}")
    return "; ".join(needed)


def _attempts(
    row: Mapping[str, str], effects: pd.DataFrame, protocol: Protocol, lists: pd.DataFrame,
    raw: Mapping[str, pd.DataFrame],
) -> Iterator[Attempt]:  # fmt: skip
    """Every model on every set of the protocol that holds the printed number of trials, else on every set."""
    here = effects[(effects["outcome"] == row.get("outcome")) & (effects["window"] == published_window(row, protocol))]
    if not _own_tables(row, protocol):
        here = here[here["study_id"].isin(_trials(row, lists))]
    k = parse_number(row.get("k", ""))
    measure = _measure(row)
    if measure != "NNT":
        here = here[here["measure"] == measure]
    groups = [(str(name), group) for (name, _), group in here.groupby(["set", "units"], sort=False)]
    fitting = [g for g in groups if k is None or len(g[1]) == k.value]
    for name, group in fitting or groups:
        yield from (_nnt_attempts if measure == "NNT" else _pool_attempts)(name, group, protocol, raw)


def _pool_attempts(
    set_name: str, group: pd.DataFrame, protocol: Protocol, raw: Mapping[str, pd.DataFrame]
) -> Iterator[Attempt]:
    scale, measure = str(group["scale"].iloc[0]), str(group["measure"].iloc[0])
    yield from _protocol_attempts(set_name, group, protocol)
    y, v = group["estimate"].to_numpy(), group["variance"].to_numpy()
    dy, dv = input_rounding(group, raw)
    level = protocol.level_of(group["outcome"].iloc[0])
    for tau2, ci in MODELS:
        result = pool(y, v, tau2_method=tau2, ci_method=ci, level=level)
        numbers = _three([getattr(result, name)[0] for name in NUMBERS], scale)
        slack = _slack(y, v, dy, dv, numbers, tau2=tau2, ci=ci, level=level, scale=scale)
        name = model_name(tau2, ci)
        yield Attempt(name, "inverse variance", tau2, ci, measure, set_name, len(group), numbers, slack)
    counts = group[["events_intervention", "n_intervention", "events_control", "n_control"]]
    if measure in COUNT_MEASURES and counts.notna().all(axis=None):
        row = mantel_haenszel(*(counts[c].to_numpy() for c in counts), measure=measure, level=level).row()
        numbers = _three([row[name] for name in NUMBERS], scale)
        name = "Mantel-Haenszel, Wald"
        yield Attempt(name, "mantel-haenszel", "EE", "wald", measure, set_name, len(group), numbers)


def _protocol_attempts(set_name: str, group: pd.DataFrame, protocol: Protocol) -> Iterator[Attempt]:
    """The models of the protocol's own set that pool another way than by inverse variance, as RevMan's do."""
    trials, scale, outcome = trials_of(group), str(group["scale"].iloc[0]), group["outcome"].iloc[0]
    for model in protocol.models_of(outcome, set_name):
        mine = model.for_measure(trials.measure)
        if mine.pooling == "inverse variance" or cannot(trials, model):
            continue
        result = refit(trials, model, level=protocol.level_of(outcome))
        numbers = _three([float(getattr(result, name)[0]) for name in NUMBERS], scale)
        way = f"{mine.pooling.capitalize().replace('haenszel', 'Haenszel')}, {model_name(mine.tau2, mine.interval)}"
        yield Attempt(way, mine.pooling, mine.tau2, mine.interval, trials.measure, set_name, len(group), numbers)


def _nnt_attempts(
    set_name: str, group: pd.DataFrame, protocol: Protocol, _: Mapping[str, pd.DataFrame]
) -> Iterator[Attempt]:
    one = group.drop_duplicates("comparison_id")
    counts = one[["events_intervention", "n_intervention", "events_control", "n_control"]]
    if counts.empty or counts.isna().any(axis=None):
        return
    # A corrected empty cell stands in the table as 0.5; the table of counts itself is whole.
    plain, cut = counts.to_numpy(dtype=float), np.floor(counts.to_numpy(dtype=float))
    a, n1, c, n2 = np.where((one["corrected"] == "yes").to_numpy()[:, None], cut, plain).T
    level = protocol.level_of(one["outcome"].iloc[0])
    rest = ~np.eye(len(one), dtype=bool)
    without = tuple(
        (str(study), crude_wald(a[m], n1[m], c[m], n2[m], level))
        for study, m in zip(one["study_id"], rest if len(one) > 1 else (), strict=False)
    )
    for w, numbers in nnt_methods(a, n1, c, n2, level=level).items():
        mine = without if w.name == CRUDE else ()
        yield Attempt(w.name, w.pooling, w.tau2, w.ci, w.of, set_name, len(one), numbers, without=mine)


def model_name(tau2: str, ci: str) -> str:
    """A model as a methods section names it."""
    effect = "common effect" if tau2 == "EE" else f"random effects ({_NAMES.get(tau2, tau2)})"
    return f"{effect}, {'Wald' if ci == 'wald' else 'Hartung-Knapp' if ci.startswith('hartung') else ci} interval"


def _three(values: list[float], scale: str) -> tuple[float, float, float]:
    a, b, c = natural(values, scale).tolist()
    return a, b, c


def input_rounding(group: pd.DataFrame, raw: Mapping[str, pd.DataFrame]) -> tuple[np.ndarray, np.ndarray]:
    """How far the rounding of the reported numbers can move each effect and its variance, analysis scale, (k,).

    Means and SDs of arms (measure MD) and estimate and SE of contrasts carry the rounding of their last printed
    digit; counts are exact. Zero where the reported text is not given.
    """
    dy, dv = np.zeros(len(group)), np.zeros(len(group))
    for i, (_, effect) in enumerate(group.iterrows()):
        for file, at in re.findall(r"(\w+\.csv):(\d+)", str(effect.get("rows", ""))):
            table = raw.get(file)
            if table is None or not 0 <= int(at) - 2 < len(table):
                continue
            row = table.iloc[int(at) - 2]
            if file == "contrasts.csv":
                dy[i] += _half(row, "estimate")
                dv[i] += 2 * math.sqrt(effect["variance"]) * _half(row, "se")
            elif effect["measure"] == "MD":
                dy[i] += _half(row, "mean")
                n, sd = parse_number(row.get("n", "")), parse_number(row.get("sd", ""))
                if n is not None and sd is not None:
                    dv[i] += 2 * sd.value * sd.half / n.value
    return dy, np.minimum(dv, 0.5 * group["variance"].to_numpy())


def _half(row: pd.Series, name: str) -> float:
    number = parse_number(row.get(name, ""))
    return 0.0 if number is None else number.half


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


def _stated(text: str, attempts: list[Attempt]) -> list[Attempt]:
    """Attempts that the printed model allows; all of them where it says nothing."""
    words = text.lower()
    interval = "hartung" if "hartung" in words or "knapp" in words else "wald"
    if "common" in words or "fixed effect" in words:
        return [a for a in attempts if a.tau2 == "EE"]
    for said, tau2 in ((r"\bdl\b|dersimonian", "DL"), ("reml", "REML")):
        if re.search(said, words):
            return [a for a in attempts if a.tau2 == tau2 and a.ci.startswith(interval)]
    if "random" in words:
        return [a for a in attempts if a.tau2 not in ("", "EE")]
    if "risk difference" in words:
        return [a for a in attempts if a.of == "RD"]
    return attempts


def _judge(row: Mapping[str, str], printed: tuple[Printed | None, ...], attempts: list[Attempt]) -> dict[str, object]:
    if not attempts:
        return {"verdict": NOT_PUBLIC, "missing": "counts or effects of every trial"}
    pairs = [[(a.numbers[i], p) for i, p in enumerate(printed) if p is not None] for a in attempts]
    exact = [a for a, pair in zip(attempts, pairs, strict=True) if all(agrees(x, p) for x, p in pair)]
    allowed = _stated(row.get("model", ""), attempts) or attempts

    def distance(a: Attempt) -> float:
        return max(units_off(x, p) for x, p in zip(a.numbers, printed, strict=True) if p is not None)

    def within(a: Attempt) -> bool:
        return all(
            agrees(x, p) or abs(x - p.value) <= p.half + s
            for x, p, s in zip(a.numbers, printed, a.slack, strict=True)
            if p is not None
        )

    nearest = min(attempts, key=distance)
    found = next((a for a in allowed if a in exact), None)
    if found is not None:
        verdict = NOT_REREAD if "not re-read" in row.get("checked", "") else REPRODUCED
    else:
        found = next((a for a in allowed if within(a)), None)
        verdict = WITHIN_INPUTS if found is not None else NOT_REPRODUCED
    # What is not reproduced is shown by the first method, in the order tried, that gives the printed estimate.
    same = (a for a in allowed if printed[0] is not None and agrees(a.numbers[0], printed[0]))
    best = found if found is not None else next(same, min(allowed, key=distance))
    return {
        "verdict": verdict,
        "found_model": best.method,
        "set": best.set_name,
        "k": best.k,
        **dict(zip(NUMBERS, best.numbers, strict=True)),
        "difference": distance(best),
        "models_that_agree": "; ".join(dict.fromkeys(f"{a.method} ({a.set_name})" for a in exact)),
        "nearest": "" if verdict != NOT_REPRODUCED else _nearest(nearest, printed) + _without_one(best, printed),
    }


def _without_one(attempt: Attempt, printed: tuple[Printed | None, ...]) -> str:
    """Trials without any one of which the shown method gives every printed digit."""
    able = [
        study
        for study, numbers in attempt.without
        if all(agrees(x, p) for x, p in zip(numbers, printed, strict=True) if p is not None)
    ]
    if not able:
        return ""
    one = "any one of " if len(able) > 1 else ""
    return f"; {attempt.method} gives every printed digit if {one}{', '.join(able)} is left out"


def _nearest(attempt: Attempt, printed: tuple[Printed | None, ...]) -> str:
    """How the nearest method would print, and where it differs."""
    shown = [fixed(x, p.decimals) for x, p in zip(attempt.numbers, printed, strict=True) if p is not None]
    text = f"{attempt.method}: {shown[0]}" + (f" ({' to '.join(shown[1:])})" if len(shown) == 3 else "")
    off = [
        f"{name} {x:.4g} against the printed {p.value:g}"
        for name, x, p in zip(("estimate", "lower limit", "upper limit"), attempt.numbers, printed, strict=True)
        if p is not None and not agrees(x, p)
    ]
    wrong = [(x, p) for x, p in zip(attempt.numbers, printed, strict=True) if p is not None and not agrees(x, p)]
    cut = all(cut_off_agrees(x, p) for x, p in wrong)
    note = "; cut off instead of rounded, the differing numbers would print as they do" if cut and wrong else ""
    return f"{text}; differs: {', '.join(off)}{note}"


def _ours(row: Mapping[str, str], pooled: pd.DataFrame, protocol: Protocol) -> dict[str, object]:
    """Our main estimate of the same outcome and window: the same measure where it exists, else the main one."""
    name, window = row.get("outcome", ""), published_window(row, protocol)
    mine = pooled[(pooled["set"] == "main") & (pooled["outcome"] == name) & (pooled["window"] == window)]
    measure = "RR" if _measure(row) == "NNT" else _measure(row)
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


__all__ = ["VERDICTS", "Attempt", "input_rounding", "model_name", "published_window", "reproduce"]
