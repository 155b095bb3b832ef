"""From effects.csv to the tables of results/<review>/robustness/: one row with the reason where k allows nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from reweigh.io import frame
from reweigh.measures import STANDARDISED_MEASURES
from reweigh.pool.core import Pooled
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model
from reweigh.robustness import adjusted, small_study
from reweigh.robustness.multiverse import Multiverse, moves, multiverse_of, shares
from reweigh.robustness.removal import by_precision, cumulative, influence, leave_one_out
from reweigh.robustness.subsets import REMOVALS, Subsets, all_subsets, fragility, split
from reweigh.sequential.cumulative import chronological
from reweigh.tables.times import years_of
from reweigh.text.codes import words
from reweigh.text.pool import SENTENCES

IDENTITY = ("analysis", "outcome", "window", "measure", "set", "model")
Row = dict[str, Any]

ALONE = "one trial: nothing can be left out"


class Analysis:
    """Trials of one analysis with its main model."""

    def __init__(self, group: pd.DataFrame, protocol: Protocol) -> None:
        first = group.iloc[0]
        self.frame, self.protocol, self.k = group, protocol, len(group)
        self.id, self.log = str(first["analysis"]), first["scale"] == "log"
        self.outcome, self.measure = protocol.outcomes[first["outcome"]], str(first["measure"])
        self.model: Model = protocol.models_of(str(first["set"]))[0]
        self.identity: Row = {name: first[name] for name in IDENTITY[:-1]} | {"model": self.model.name}
        self.yi = group["estimate"].to_numpy(dtype=np.float64)
        self.vi = group["variance"].to_numpy(dtype=np.float64)
        self.ids = group["comparison_id"].astype(str).tolist()
        self.labels = group["label"].astype(str).tolist()
        self.options: Row = {
            "tau2_method": self.model.tau2, "ci_method": self.model.interval, "level": protocol.level,
        }  # fmt: skip

    def pooled(self, result: Pooled, i: int) -> Row:
        """Pooled numbers of row ``i``, on both scales; I2 tau2-based."""
        back = np.exp if self.log else np.asarray
        names = ("estimate", "se", "ci_lower", "ci_upper", "p_value", "tau2", "q")
        row: Row = {"k": int(result.k[i])} | {n: float(getattr(result, n)[i]) for n in names}
        row |= {f"{n}_natural": float(back(row[n])) for n in ("estimate", "ci_lower", "ci_upper")}
        return row | {"i2": float(result.i2_tau2[i]), "note": _pool_note(result, i)}


def _pool_note(result: Pooled, i: int) -> str:
    """Only what makes a number of these tables missing."""
    return words(str(result.reason[i]), SENTENCES) if result.k[i] < 2 or np.isnan(result.ci_lower[i]) else ""


def analyses(effects: pd.DataFrame, protocol: Protocol) -> tuple[list[Analysis], list[Row]]:
    """Analyses to look at, and a row with the reason for each set that holds what the main set holds."""
    found: list[Analysis] = []
    same: list[Row] = []
    seen: dict[object, str] = {}
    for _, group in effects.groupby("analysis", sort=False):
        one = Analysis(group, protocol)
        where = (one.identity["outcome"], one.identity["window"], one.measure, one.model)
        key = (*where, tuple(one.ids), one.yi.tobytes(), one.vi.tobytes())
        if key in seen:
            same.append(one.identity | {"k": one.k, "note": f"the same trials and effects as {seen[key]}: see there"})
        else:
            seen[key] = one.id
            found.append(one)
    return found, same


def leave_one_out_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Every analysis without each of its trials; `left_out` is a comparison_id."""
    found, rows = analyses(effects, protocol)
    for one in found:
        if one.k < 2:
            rows.append(one.identity | {"k": one.k, "note": ALONE})
            continue
        result = leave_one_out(one.yi, one.vi, **one.options)
        rows += [
            one.identity | {"left_out": one.ids[i], "label": one.labels[i]} | one.pooled(result, i)
            for i in range(one.k)
        ]
    return _frame("leave_one_out", rows, effects)


def cumulative_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Cumulative pooling by year (ties by study id; undated trials left out) and by precision, most precise first."""
    found, rows = analyses(effects, protocol)
    for one in found:
        if one.k < 2:
            rows.append(one.identity | {"k": one.k, "note": "one trial: nothing accumulates"})
            continue
        years = years_of(one.frame)
        dated, undated = chronological(years.tolist(), one.ids)
        without = f"no year, left out: {', '.join(one.labels[i] for i in undated)}" if len(undated) else ""
        if not len(dated):
            rows.append(one.identity | {"order": "year", "k": one.k, "note": "no trial has a year"})
        for name, order in (("year", dated), ("precision", by_precision(one.vi, one.ids))):
            result = cumulative(one.yi, one.vi, order, **one.options)
            for step, i in enumerate(order.tolist()):
                row = one.identity | {"order": name, "step": step + 1, "added": one.ids[i], "label": one.labels[i]}
                row |= {"year": years[i]} | one.pooled(result, step)
                row["note"] = "; ".join(filter(None, [row["note"], without if name == "year" else ""]))
                rows.append(row)
    return _frame("cumulative", rows, effects)


def influence_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Influence diagnostics and Baujat coordinates of every trial of every analysis."""
    found, rows = analyses(effects, protocol)
    for one in found:
        result = influence(one.yi, one.vi, **one.options)
        if one.k < 3 or np.isnan(result.hat).all():
            rows.append(one.identity | {"k": one.k, "note": result.reason})
            continue
        values = {n: v for n, v in asdict(result).items() if isinstance(v, np.ndarray) and n != "influential"}
        for i in range(one.k):
            row = one.identity | {"comparison_id": one.ids[i], "label": one.labels[i], "k": one.k}
            row |= {n: float(v[i]) for n, v in values.items()}
            rows.append(row | {"influential": "yes" if result.influential[i] else "no", "note": result.reason})
    return _frame("influence", rows, effects)


def subset_tables(
    effects: pd.DataFrame, protocol: Protocol, *, seed: int | None = None
) -> tuple[pd.DataFrame, dict[str, Subsets]]:
    """Summary of the subsets of every analysis (one row each), and the subsets themselves by analysis.

    `split_by` is the trial whose presence explains most of the variance of the subsets' estimates (`split_share`,
    percent).
    """
    seed = _setting(protocol, "seed", 0) if seed is None else seed
    found, rows = analyses(effects, protocol)
    stored = {}
    for one in found:
        if one.k < 3:
            reason = "one trial: it is its only subset" if one.k < 2 else "two trials: the only subset of two is both"
            rows.append(one.identity | {"k": one.k, "note": reason})
            continue
        subsets = all_subsets(one.yi, one.vi, seed=seed, **one.options)
        stored[one.id] = subsets
        parted = split(subsets)
        by = int(np.nanargmax(parted.share)) if np.isfinite(parted.share).any() else None
        e, excludes = subsets.estimate, (subsets.ci_lower > 0) | (subsets.ci_upper < 0)
        row: Row = {"k": one.k, "subsets": len(e), "complete": "yes" if subsets.complete else "no"}
        row |= {n: float(f(e)) for n, f in (("lowest", np.min), ("median", np.median), ("highest", np.max))}
        row |= {"better": 100 * float((one.outcome.benefit * e > 0).mean())}
        row |= {"excludes_no_effect": 100 * float(excludes.mean())}
        if by is not None:
            row |= {"split_by": one.ids[by], "split_label": one.labels[by], "split_share": float(parted.share[by])}
            row |= {"mean_with": float(parted.mean_with[by]), "mean_without": float(parted.mean_without[by])}
        rows.append(one.identity | row | {"note": "" if subsets.complete else f"a sample drawn with seed {seed}"})
    return _frame("subsets", rows, effects), stored


def fragility_table(effects: pd.DataFrame, protocol: Protocol, *, limit: int | None = None) -> pd.DataFrame:
    """Smallest set of trials whose removal changes each conclusion of every analysis; `removed` names them.

    ``limit`` of the removals tried is the protocol's where not given.
    """
    limit = _setting(protocol, "removals", REMOVALS) if limit is None else limit
    found, rows = analyses(effects, protocol)
    for one in found:
        if one.k < 2:
            rows.append(one.identity | {"k": one.k, "verdict": "not applicable", "note": ALONE})
            continue
        back = np.exp if one.log else np.asarray
        bounds = one.outcome.bounds(one.measure, protocol.certainty.ratio)
        for result in fragility(one.yi, one.vi, important=bounds, limit=limit, **one.options):
            row: Row = {
                "k": one.k, "criterion": result.criterion, "verdict": result.verdict, "size": result.size,
                "removed": ", ".join(one.ids[i] for i in result.removed),
                "labels": ", ".join(one.labels[i] for i in result.removed),
                "sets": result.sets, "tried": result.tried, "before": result.before, "after": result.after,
            }  # fmt: skip
            row |= {n: getattr(result, n) for n in ("estimate", "ci_lower", "ci_upper")}
            row |= {f"{n}_natural": float(back(row[n])) for n in ("estimate", "ci_lower", "ci_upper")}
            rows.append(one.identity | row | {"note": result.reason})
    return _frame("fragility", rows, effects)


def small_study_table(effects: pd.DataFrame, protocol: Protocol, *, minimum: int = small_study.MINIMUM) -> pd.DataFrame:
    """Tests of funnel plot asymmetry and effects adjusted for it; one row with the reason below ``minimum`` trials."""
    found, rows = analyses(effects, protocol)
    for one in found:
        if one.k < minimum:
            reason = (
                f"{one.k} trial{'s' * (one.k != 1)}: below {minimum} these tests have too little power to tell chance "
                "from asymmetry (Sterne and others 2011, BMJ 343:d4002); they are computed on request only"
            )
            rows.append(one.identity | {"method": "all", "k": one.k, "note": reason})
            continue
        rows += [one.identity | row for row in (*_asymmetry(one), *_adjusted(one))]
    return _frame("small_study", rows, effects)


def _asymmetry(one: Analysis) -> Iterator[Row]:
    y, v, level = one.yi, one.vi, one.protocol.level
    tests = [small_study.egger(y, v, level=level), small_study.egger(y, v, model="rma", level=level)]
    tests += [small_study.thompson_sharp(y, v, level=level), small_study.begg(y, v)]
    counts = [one.frame[c].to_numpy(dtype=float) for c in COUNTS]
    sizes = [one.frame[c].to_numpy(dtype=float) for c in COUNTS[1::2]]
    known = np.isfinite(counts).all()
    if one.measure in ("OR", "PETO"):
        if known:
            tests += [small_study.harbord(*counts), small_study.peters(y, *counts), small_study.deeks(y, *sizes)]
        else:
            yield {"method": "Harbord, Peters, Deeks", "k": one.k, "note": "not every trial gives its counts"}
    else:
        yield {"method": "Harbord, Peters, Deeks", "k": one.k, "note": f"made for odds ratios, not for {one.measure}"}
    if one.measure in STANDARDISED_MEASURES:
        if np.isfinite(sizes).all():
            tests.append(small_study.pustejovsky(y, v, *sizes))
        else:
            yield {"method": "Pustejovsky-Rodgers", "k": one.k, "note": "not every trial gives its group sizes"}
    else:
        note = f"made for standardised mean differences, not for {one.measure}"
        yield {"method": "Pustejovsky-Rodgers", "k": one.k, "note": note}
    for test in tests:
        row: Row = {"method": test.test, "k": test.k, "bias": test.bias, "bias_se": test.bias_se}
        row |= {"statistic": test.statistic, "df": test.df, "p_value": test.p_value}
        yield row | {"note": test.reason}


COUNTS = ("events_intervention", "n_intervention", "events_control", "n_control")


def _adjusted(one: Analysis) -> Iterator[Row]:
    y, v, level, tau2 = one.yi, one.vi, one.protocol.level, one.model.tau2
    ci = "wald" if one.model.interval == "profile likelihood" else one.model.interval
    for estimator in ("L0", "R0"):
        filled = adjusted.trim_and_fill(y, v, estimator=estimator, tau2_method=tau2, ci_method=ci, level=level)
        row: Row = {"method": f"trim and fill ({estimator})", "k": one.k, "note": filled.reason}
        if filled.pooled is not None:
            row |= _effect(one, *(float(getattr(filled.pooled, n)[0]) for n in EFFECT))
            row |= {"k0": filled.k0, "side": filled.side, "p_value": filled.k0_p_value}
        yield row
    both = adjusted.pet_peese(y, v, level=level)
    for name, fit in (("PET", both.pet), ("PEESE", both.peese)):
        row = {"method": name, "k": one.k} | _effect(
            one, fit.limit, fit.limit_se, fit.limit_ci_lower, fit.limit_ci_upper
        )
        yield row | {"note": fit.reason or ("the one to read" if both.chosen == name else "")}
    alternative = "greater" if one.outcome.benefit > 0 else "less"
    model = adjusted.selection_model(y, v, alternative=alternative, level=level)
    row = {"method": "selection model (step at one-sided p 0.025)", "k": one.k}
    row |= _effect(one, model.estimate, model.se, model.ci_lower, model.ci_upper)
    yield row | {"statistic": model.lrt, "p_value": model.lrt_p_value, "weight": model.delta, "note": model.reason}
    for method in ("beta0", "betalim", "mulim"):
        limit = adjusted.limit_meta(y, v, method=method, tau2_method=tau2, level=level)
        row = {"method": f"limit meta-analysis ({method})", "k": one.k, "note": limit.reason}
        yield row | _effect(one, limit.estimate, limit.se, limit.ci_lower, limit.ci_upper) | {"g2": limit.g2}
    for method in ("Rosenthal", "Orwin", "Rosenberg"):
        safe = adjusted.fail_safe_n(y, v, method=method, alpha=1 - level)
        row = {"method": f"fail-safe N ({method})", "k": one.k, "fail_safe_n": safe.n}
        yield row | {"note": "; ".join(filter(None, [safe.reason, safe.warning]))}


EFFECT = ("estimate", "se", "ci_lower", "ci_upper")


def _effect(one: Analysis, estimate: float, se: float, lower: float, upper: float) -> Row:
    back = np.exp if one.log else np.asarray
    natural = {
        f"{n}_natural": float(back(v)) for n, v in zip(EFFECT[::2] + EFFECT[3:], (estimate, lower, upper), strict=True)
    }
    return {"estimate": estimate, "se": se, "ci_lower": lower, "ci_upper": upper} | natural


def multiverse_tables(
    studies: pd.DataFrame,
    arms: pd.DataFrame,
    contrasts: pd.DataFrame,
    protocol: Protocol,
    effects: pd.DataFrame,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Multiverse]]:
    """Every specification of every multiverse, their summary (statements, choices), and the multiverses by analysis.

    Of the analyses that the protocol's ``multiverse`` lists; without that, of every main analysis of two trials or
    more.
    """
    found: dict[str, Multiverse] = {}
    rows: list[Row] = []
    summary: list[Row] = []
    for analysis, outcome, window, reason in _wanted(protocol, effects):
        head = {"analysis": analysis, "outcome": outcome, "window": window}
        if reason:
            summary.append(head | {"kind": "none", "note": reason})
            continue
        result, inert = multiverse_of(studies, arms, contrasts, protocol, outcome, window)
        found[analysis] = result
        rows += [head | row for row in specification_rows(result)]
        of = len(result.analyses)
        for row in shares(result).to_dict("records"):
            note = "no analysis can say" if row["of"] == 0 else ""
            summary.append(head | {"kind": "statement", "distinct": of} | _text_keys(row) | {"note": note})
        kind = {"kind": "choice", "distinct": of, "unit": result.unit}
        summary += [head | kind | _text_keys(row) for row in moves(result).to_dict("records")]
        summary += [head | {"kind": "no difference", "name": n, "note": why} for n, why in inert.items()]
    return (
        frame("robustness/multiverse.csv", rows),
        frame("robustness/multiverse_summary.csv", summary),
        found,
    )


def _wanted(protocol: Protocol, effects: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    listed = getattr(protocol, "multiverse", None)
    main = effects[effects["set"] == "main"]
    sizes = main.groupby("analysis", sort=False).size()
    if listed is not None and listed.analyses:
        for analysis in listed.analyses:
            outcome, _, window = analysis.partition(".")
            yield analysis, outcome, window, ""
        return
    for analysis, k in sizes.items():
        first = main[main["analysis"] == analysis].iloc[0]
        if first["measure"] == protocol.outcomes[first["outcome"]].measure:
            yield str(analysis), first["outcome"], first["window"], "" if k >= 2 else "one trial in the main analysis"


def _text_keys(row: Mapping[Any, Any]) -> Row:
    names = {"statement": "name", "choice": "name"}
    return {names.get(str(key), str(key)): value for key, value in row.items()}


def specification_rows(found: Multiverse) -> Iterator[Row]:
    """One row per specification: its options as text, which distinct analysis it is, and that analysis."""
    names = list(found.choices)
    records = found.analyses.to_dict("records")
    for row in found.specifications.to_dict("records"):
        options = "; ".join(f"{name}={row[name]}" for name in names)
        mine = {str(k): v for k, v in records[int(row["analysis"])].items()}
        mine |= {k: {True: "yes", False: "no"}.get(v, "") for k, v in mine.items() if k in STATED}
        yield {"options": options, "distinct": int(row["analysis"]) + 1} | mine | {"unit": found.unit}


def stored_multiverses(rows: pd.DataFrame) -> dict[str, Multiverse]:
    """The multiverses of multiverse.csv by analysis, as read from the file."""
    found = {}
    yes_no = {"yes": True, "no": False}
    for analysis, group in rows.groupby("analysis", sort=False):
        grid = pd.DataFrame([dict(part.split("=", 1) for part in text.split("; ")) for text in group["options"]])
        distinct = group["distinct"].to_numpy(dtype=np.intp) - 1
        texts = ("measure", "tau2_method", "ci_method", "reason", *STATED)
        one = group.reset_index(drop=True).loc[np.unique(distinct, return_index=True)[1]].reset_index(drop=True)
        analyses = one[[*NUMBERS, *(n for n in texts if n not in STATED)]]
        analyses = analyses.assign(**{n: one[n].map(yes_no).astype("boolean") for n in STATED})
        choices = {str(name): tuple(dict.fromkeys(grid[name])) for name in grid}
        found[str(analysis)] = Multiverse(choices, grid.assign(analysis=distinct), analyses, str(group["unit"].iloc[0]))
    return found


NUMBERS = ("k", "estimate", "se", "ci_lower", "ci_upper", "p_value", "tau2", "i2", "benefit")
STATED = ("better", "excludes_no_effect", "better_and_excludes", "exceeds_important")


def _setting(protocol: Protocol, name: str, default: int) -> int:
    return int(getattr(getattr(protocol, "robustness", None), name, default))


def _frame(name: str, rows: Sequence[Row], effects: pd.DataFrame) -> pd.DataFrame:
    """Rows in the order of effects.csv."""
    order = {name: i for i, name in enumerate(effects["analysis"].drop_duplicates())}
    table = frame(f"robustness/{name}.csv", rows)
    return table.sort_values("analysis", key=lambda s: s.map(order), kind="stable", ignore_index=True)
