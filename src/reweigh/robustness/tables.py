"""From effects.csv to the tables of results/<review>/robustness/: one row with the reason where k allows nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweigh.io import frame
from reweigh.measures import MEASURES, STANDARDISED_MEASURES, natural
from reweigh.pool.core import Pooled
from reweigh.pool.refit import COUNTS, cannot, no_null, trials_of
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model
from reweigh.robustness import adjusted, small_study
from reweigh.robustness.multiverse import STATEMENTS, Multiverse, moves, multiverse_of, shares
from reweigh.robustness.removal import influence, leave_one_out, only_inverse_variance
from reweigh.robustness.subsets import AFTER, Subsets, all_subsets, fragility, split
from reweigh.sequential.cumulative import by_precision, chronological, cumulative
from reweigh.tables.times import years_of
from reweigh.text.codes import code, join, words
from reweigh.text.robustness import CONCLUSIONS, SENTENCES, VERDICTS

IDENTITY = ("analysis", "outcome", "window", "measure", "set", "model")
Row = dict[str, Any]


class Analysis:
    """Trials of one analysis with its main model."""

    def __init__(self, group: pd.DataFrame, protocol: Protocol) -> None:
        first = group.iloc[0]
        self.frame, self.protocol, self.level = group, protocol, protocol.level_of(first["outcome"])
        self.comparisons, self.study = len(group), group["study_id"].to_numpy()
        self.k = self.trials_in(np.ones(self.comparisons, dtype=bool))
        self.id, self.scale = str(first["analysis"]), str(first["scale"])
        self.outcome, self.measure = protocol.outcomes[first["outcome"]], str(first["measure"])
        #: Whether there is no effect to exclude, and a direction that is better.
        self.null, self.directed = MEASURES[self.measure].null, self.outcome.better is not None
        self.model: Model = protocol.models_of(first["outcome"], first["set"])[0]
        self.identity: Row = {name: first[name] for name in IDENTITY[:-1]} | {"model": self.model.name}
        self.identity |= {"k": self.k, "comparisons": self.comparisons}
        self.trials = trials_of(group)
        #: Code of why the model cannot pool these trials.
        self.cannot = cannot(self.trials, self.model)
        self.years = years_of(group)
        self.ids = group["comparison_id"].astype(str).tolist()
        self.labels = group["label"].astype(str).tolist()

    def trials_in(self, inside: NDArray[np.bool_]) -> int:
        """Number of trials of some comparisons."""
        return len(set(self.study[inside]))

    def removals(self) -> list[tuple[str, str, NDArray[np.bool_]]]:
        """Id, label and what stays where one trial is left out; a trial whose rows are pooled leaves with all of them.

        Otherwise comparisons of a trial that share no patients leave one by one.
        """
        unit = self.study if self.model.units == "row" else np.array(self.ids, dtype=object)
        gone = {one: unit == one for one in dict.fromkeys(unit)}
        labels = np.array(self.labels, dtype=object)
        return [
            (self.ids[int(out.argmax())] if out.sum() == 1 else str(one), ", ".join(labels[out]), ~out)
            for one, out in gone.items()
        ]

    def natural(self, row: Row, *names: str) -> Row:
        """Numbers of a row with those on the natural scale."""
        return row | {f"{name}_natural": float(natural(row[name], self.scale)) for name in names}

    def pooled(self, result: Pooled, i: int, inside: NDArray[np.bool_]) -> Row:
        """Pooled numbers of row ``i``, of the comparisons ``inside``, on both scales; I2 as the model defines it."""
        names = ("estimate", "se", "ci_lower", "ci_upper", "p_value", "tau2", "q", *GUARDED)
        # A trial that says nothing on the measure has no weight.
        row: Row = {"k": self.trials_in(inside & ~np.isnan(result.weights[i])), "comparisons": int(result.k[i])}
        row |= {n: float(getattr(result, n)[i]) for n in names}
        row = self.natural(row, "estimate", "ci_lower", "ci_upper", *GUARDED)
        i2 = result.i2_q if self.model.i2 == "Q" else result.i2_tau2
        untested = "" if self.null else no_null(self.measure)
        return row | {"i2": float(i2[i]), "note_codes": join([_pool_note(result, i), untested])}


GUARDED = ("guarded_ci_lower", "guarded_ci_upper")


def _pool_note(result: Pooled, i: int) -> str:
    """What makes a number of these tables missing, and an interval that is too narrow."""
    missing = result.k[i] < 2 or np.isnan(result.ci_lower[i])
    return join([str(result.reason[i]) if missing else "", "hartung_knapp_narrow" if result.narrow[i] else ""])


def _rows(
    effects: pd.DataFrame,
    protocol: Protocol,
    minimum: int,
    few: Callable[[int], str],
    made: Callable[[Analysis], Iterator[Row]],
    **empty: str,
) -> Iterator[Row]:
    """Rows of every analysis; one with the reason where the model, or fewer trials than ``minimum``, allow none.

    That row holds what ``empty`` names, too. A set that holds what the main set holds has one row that says so.
    """
    seen: dict[object, str] = {}
    for _, group in effects.groupby("analysis", sort=False):
        one = Analysis(group, protocol)
        where = (one.identity["outcome"], one.identity["window"], one.measure, one.model)
        key = (*where, tuple(one.ids), one.trials.yi.tobytes(), one.trials.vi.tobytes())
        same = code("same_as", analysis=seen[key]) if key in seen else ""
        seen.setdefault(key, one.id)
        if same:
            yield one.identity | {"note_codes": same}
        elif reason := one.cannot or (few(one.k) if one.k < minimum else ""):
            yield one.identity | empty | {"note_codes": reason}
        else:
            yield from (one.identity | row for row in made(one))


def leave_one_out_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Every analysis without each of its trials; `left_out` is a comparison_id, or the study_id of several."""

    def rows(one: Analysis) -> Iterator[Row]:
        removals = one.removals()
        result = leave_one_out(one.trials, one.model, one.level, np.array([inside for *_, inside in removals]))
        for i, (left_out, label, inside) in enumerate(removals):
            yield {"left_out": left_out, "label": label} | one.pooled(result, i, inside)

    found = _rows(effects, protocol, 2, lambda _: "nothing_left_out", rows)
    return _frame("leave_one_out", found)


def cumulative_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Cumulative pooling by year (ties by study id; undated trials left out) and by precision, most precise first."""

    def rows(one: Analysis) -> Iterator[Row]:
        dated, undated = chronological(one.years.tolist(), one.ids)
        without = code("undated", trials=", ".join(one.labels[i] for i in undated)) if len(undated) else ""
        if not len(dated):
            yield {"order": "year", "note_codes": "no_years"}
        for name, order in (("year", dated), ("precision", by_precision(one.trials.vi, one.ids))):
            result = cumulative(one.trials, one.model, order, one.level)
            for step, i in enumerate(order.tolist()):
                row = {"order": name, "step": step + 1, "added": one.ids[i], "label": one.labels[i]}
                row |= {"year": one.years[i]} | one.pooled(
                    result, step, np.isin(range(one.comparisons), order[: step + 1])
                )
                yield row | {"note_codes": join([row["note_codes"], without if name == "year" else ""])}

    found = _rows(effects, protocol, 2, lambda _: "nothing_accumulates", rows)
    return _frame("cumulative", found)


def influence_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Influence diagnostics and Baujat coordinates of every trial of every analysis."""

    def rows(one: Analysis) -> Iterator[Row]:
        result = influence(one.trials, one.model, one.level)
        if np.isnan(result.hat).all():
            yield {"note_codes": result.reason}
            return
        values = {n: v for n, v in asdict(result).items() if isinstance(v, np.ndarray) and n != "influential"}
        for i in range(one.comparisons):
            row: Row = {"comparison_id": one.ids[i], "label": one.labels[i]}
            row |= {n: float(v[i]) for n, v in values.items()}
            yield row | {"influential": "yes" if result.influential[i] else "no", "note_codes": result.reason}

    found = _rows(effects, protocol, 3, lambda _: "few_for_influence", rows)
    return _frame("influence", found)


def subset_tables(effects: pd.DataFrame, protocol: Protocol) -> tuple[pd.DataFrame, dict[str, Subsets]]:
    """Summary of the subsets of every analysis (one row each), and the subsets themselves by analysis.

    `split_by` is the trial whose presence explains most of the variance of the subsets' estimates (`split_share`,
    percent).
    """
    seed, stored = protocol.robustness.seed, {}

    def rows(one: Analysis) -> Iterator[Row]:
        subsets = all_subsets(one.trials, one.model, seed=seed, level=one.level)
        stored[one.id] = subsets
        parted = split(subsets)
        by = int(np.nanargmax(parted.share)) if np.isfinite(parted.share).any() else None
        e = subsets.estimate
        row: Row = {"subsets": len(e), "complete": "yes" if subsets.complete else "no"}
        row |= {n: float(f(e)) for n, f in (("lowest", np.min), ("median", np.median), ("highest", np.max))}
        if one.directed:
            row |= {"better": 100 * float((one.outcome.benefit * e > 0).mean())}
        if one.null:
            row |= {"excludes_no_effect": 100 * float(subsets.excludes.mean())}
        if by is not None:
            row |= {"split_by": one.ids[by], "split_label": one.labels[by], "split_share": float(parted.share[by])}
            row |= {"mean_with": float(parted.mean_with[by]), "mean_without": float(parted.mean_without[by])}
        sampled = "" if subsets.complete else code("sampled", seed=seed)
        undirected = "" if one.directed else "no_direction"
        yield row | {"note_codes": join([sampled, undirected, "" if one.null else no_null(one.measure)])}

    found = _rows(effects, protocol, 3, lambda k: "one_subset" if k < 2 else "two_trials_one_subset", rows)
    return _frame("subsets", found), stored


def fragility_table(effects: pd.DataFrame, protocol: Protocol) -> pd.DataFrame:
    """Smallest set of trials whose removal changes each conclusion of every analysis; `removed` names them.

    Significance is that of the guarded interval; the numbers are those after the removal.
    """

    def rows(one: Analysis) -> Iterator[Row]:
        bounds, limit = one.outcome.bounds(one.measure, protocol.certainty.ratio), protocol.robustness.removals
        for result in fragility(one.trials, one.model, important=bounds, limit=limit, level=one.level):
            gone = [(one.ids[i], one.labels[i]) for i in result.removed]
            row: Row = {
                "criterion": result.criterion, "verdict_code": result.verdict,
                "verdict": VERDICTS[result.verdict], "size": result.size,
                "removed_codes": join(code("trial", id=i, label=label) for i, label in gone),
                "removed": ", ".join(i for i, _ in gone), "labels": ", ".join(label for _, label in gone),
                "sets": result.sets, "tried": result.tried,
                "before_code": result.before, "before": CONCLUSIONS.get(result.before, ""),
                "after_code": result.after, "after": CONCLUSIONS.get(result.after, ""),
            }  # fmt: skip
            yield one.natural(row | {n: getattr(result, n) for n in AFTER}, *AFTER[:-1]) | {"note_codes": result.reason}

    none = {"verdict_code": "not_applicable", "verdict": VERDICTS["not_applicable"]}
    return _frame("fragility", _rows(effects, protocol, 2, lambda _: "nothing_left_out", rows, **none))


def small_study_table(effects: pd.DataFrame, protocol: Protocol, *, minimum: int | None = None) -> pd.DataFrame:
    """Tests of funnel plot asymmetry and effects adjusted for it; one row with the reason below ``minimum`` trials.

    That is the protocol's `minimum_trials` where not given.
    """
    least = protocol.robustness.minimum_trials if minimum is None else minimum

    def rows(one: Analysis) -> Iterator[Row]:
        yield from _asymmetry(one)
        yield from _adjusted(one)

    found = _rows(
        effects, protocol, least, lambda k: code("below_minimum", k=k, minimum=least), rows, method="all"
    )  # fmt: skip
    return _frame("small_study", found)


def _asymmetry(one: Analysis) -> Iterator[Row]:
    y, v, level = one.trials.yi, one.trials.vi, one.level
    tests = [small_study.egger(y, v, level=level), small_study.egger(y, v, model="rma", level=level)]
    tests += [small_study.thompson_sharp(y, v, level=level), small_study.begg(y, v)]
    counts = [one.frame[c].to_numpy(dtype=float) for c in COUNTS]
    sizes = [one.frame[c].to_numpy(dtype=float) for c in COUNTS[1::2]]
    known = np.isfinite(counts).all()
    if one.measure in ("OR", "PETO"):
        if known:
            tests += [small_study.harbord(*counts), small_study.peters(y, *counts), small_study.deeks(y, *sizes)]
        else:
            yield {"method": "Harbord, Peters, Deeks", "note_codes": "counts_missing"}
    else:
        note = code("made_for", what="odds ratios", measure=one.measure)
        yield {"method": "Harbord, Peters, Deeks", "note_codes": note}
    if one.measure in STANDARDISED_MEASURES:
        if np.isfinite(sizes).all():
            tests.append(small_study.pustejovsky(y, v, *sizes))
        else:
            yield {"method": "Pustejovsky-Rodgers", "note_codes": "sizes_missing"}
    else:
        note = code("made_for", what="standardised mean differences", measure=one.measure)
        yield {"method": "Pustejovsky-Rodgers", "note_codes": note}
    for test in tests:
        # Some tests leave out the trials without information.
        k = one.k if test.k == one.comparisons else test.k
        row: Row = {"method": test.test, "k": k, "comparisons": test.k, "bias": test.bias, "bias_se": test.bias_se}
        row |= {"statistic": test.statistic, "df": test.df, "p_value": test.p_value}
        yield row | {"note_codes": test.reason}


def _adjusted(one: Analysis) -> Iterator[Row]:
    if reason := only_inverse_variance(one.trials, one.model):
        for method in ("trim and fill", "PET-PEESE", "selection model", "limit meta-analysis", "fail-safe N"):
            yield {"method": method, "note_codes": reason}
        return
    y, v, level = one.trials.yi, one.trials.vi, one.level
    for estimator in ("L0", "R0"):
        filled = adjusted.trim_and_fill(one.trials, one.model, estimator=estimator, level=level)
        row: Row = {"method": f"trim and fill ({estimator})", "note_codes": filled.reason}
        if filled.pooled is not None:
            row |= _effect(one, *(float(getattr(filled.pooled, n)[0]) for n in EFFECT))
            row |= {"k0": filled.k0, "side": filled.side, "p_value": filled.k0_p_value}
        yield row
    both = adjusted.pet_peese(y, v, level=level)
    for name, fit in (("PET", both.pet), ("PEESE", both.peese)):
        row = {"method": name} | _effect(one, fit.limit, fit.limit_se, fit.limit_ci_lower, fit.limit_ci_upper)
        yield row | {"note_codes": fit.reason or ("one_to_read" if both.chosen == name else "")}
    alternative = "greater" if one.outcome.benefit > 0 else "less"
    row = {"method": "selection model (step at one-sided p 0.025)"}
    if one.null:
        model = adjusted.selection_model(y, v, alternative=alternative, level=level)
        row |= _effect(one, model.estimate, model.se, model.ci_lower, model.ci_upper)
        row |= {"statistic": model.lrt, "p_value": model.lrt_p_value, "weight": model.delta}
        yield row | {"note_codes": model.reason}
    else:
        yield row | {"note_codes": no_null(one.measure)}
    for method in ("beta0", "betalim", "mulim"):
        limit = adjusted.limit_meta(one.trials, one.model, method=method, level=level)
        row = {"method": f"limit meta-analysis ({method})", "note_codes": limit.reason}
        yield row | _effect(one, limit.estimate, limit.se, limit.ci_lower, limit.ci_upper) | {"g2": limit.g2}
    if not one.null:
        yield {"method": "fail-safe N", "note_codes": no_null(one.measure)}
        return
    for method in ("Rosenthal", "Orwin", "Rosenberg"):
        safe = adjusted.fail_safe_n(y, v, method=method, alpha=1 - level)
        row = {"method": f"fail-safe N ({method})", "fail_safe_n": safe.n if np.isfinite(safe.n) else np.nan}
        yield row | {"note_codes": join([safe.reason, safe.warning])}


EFFECT = ("estimate", "se", "ci_lower", "ci_upper")


def _effect(one: Analysis, *values: float) -> Row:
    return one.natural(dict(zip(EFFECT, values, strict=True)), "estimate", "ci_lower", "ci_upper")


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
            summary.append(head | {"kind": "none", "note_codes": reason})
            continue
        result, inert = multiverse_of(studies, arms, contrasts, protocol, outcome, window)
        found[analysis] = result
        rows += [head | row for row in specification_rows(result)]
        of = {"distinct": len(result.analyses)}
        for row in shares(result).rename(columns={"statement": "name"}).to_dict("records"):
            note = "no_analysis_says" if row["of"] == 0 else ""
            summary.append(head | {"kind": "statement"} | of | _text(row) | {"note_codes": note})
        kind = {"kind": "choice", "note_codes": ""} | of | {"unit": result.unit}
        summary += [
            head | kind | _text(row) for row in moves(result).rename(columns={"choice": "name"}).to_dict("records")
        ]
        summary += [head | {"kind": "no difference", "name": n, "note_codes": why} for n, why in inert.items()]
    return frame("robustness/multiverse.csv", rows), _frame("multiverse_summary", summary), found


def _text(row: Mapping[Any, Any]) -> Row:
    return {str(key): value for key, value in row.items()}


def _wanted(protocol: Protocol, effects: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    if protocol.multiverse is not None and protocol.multiverse.analyses:
        for analysis in protocol.multiverse.analyses:
            outcome, _, window = analysis.partition(".")
            yield analysis, outcome, window, ""
        return
    for name, group in effects[effects["set"] == "main"].groupby("analysis", sort=False):
        first = group.iloc[0]
        if first["measure"] == protocol.outcomes[first["outcome"]].measure:
            yield str(name), first["outcome"], first["window"], "" if len(group) >= 2 else "one_main_trial"


def specification_rows(found: Multiverse) -> Iterator[Row]:
    """One row per specification: its options, which distinct analysis it is, and that analysis."""
    records = found.analyses.to_dict("records")
    coded = cache(lambda name, option: code(name, option=option))
    for row in found.specifications.to_dict("records"):
        options = {name: str(row[name]) for name in found.choices}
        mine = _text(records[int(row["analysis"])])
        mine |= {k: {True: "yes", False: "no"}.get(v, "") for k, v in mine.items() if k in STATEMENTS}
        yield {
            "option_codes": join(coded(name, option) for name, option in options.items()),
            "options": "; ".join(f"{name}={option}" for name, option in options.items()),
            "distinct": int(row["analysis"]) + 1, **mine, "reason": words(mine["reason_code"], SENTENCES),
            "unit": found.unit,
        }  # fmt: skip


def _frame(name: str, rows: Iterable[Row]) -> pd.DataFrame:
    """Rows as the table of this name, the notes in words, too."""
    table = frame(f"robustness/{name}.csv", [{"note_codes": "", **row} for row in rows])
    return table.assign(note=[words(cell, SENTENCES) for cell in table["note_codes"]])
