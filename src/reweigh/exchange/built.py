"""From a review as RevMan holds it to our tables and protocol."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from reweigh.exchange.analyses import ARM, NUMBERS, Key, Review, Settings, outcome_of, plain
from reweigh.exchange.bias import judged
from reweigh.exchange.ids import study_ids, year_of
from reweigh.exchange.measured import RESULTS, Candidate, Found, Identified, identify
from reweigh.exchange.result import Cell, Imported
from reweigh.exchange.weighted import models_by_weight
from reweigh.measures import COUNT_MEASURES, MEASURES, RATIO_MEASURES, natural, scale_of
from reweigh.protocol.models import Model, resolve
from reweigh.quantile import z_critical
from reweigh.tables.columns import MAX_COUNT
from reweigh.text.numbers import fixed

#: The numbers that each kind of row uses.
_USED = {
    "counts": ("n1", "events1", "n2", "events2"),
    "means": ("n1", "mean1", "sd1", "n2", "mean2", "sd2"),
    "given": ("giv", "giv_se", "n1", "n2"),
    "oe": ("oe", "v", "n1", "n2"),
}
_WHOLE = ("n1", "events1", "n2", "events2")
#: Where RevMan writes 0 for nothing.
_ABOVE = ("n1", "n2", "sd1", "sd2", "giv_se", "v")
_ROLES = ("intervention", "control")
_DECIMALS, _LEVEL = 6, 0.95
#: Numbers beyond this, or as near to 0, are no results of any trial: their squares may be beyond what a computer holds.
_LARGEST = 1e50
_FIXED = "RevMan fixed"
_MH = {"pooling": "mantel-haenszel for counts", "mantel_haenszel": "corrected"}
_REVMAN = {"i2": "Q", "smd_variance": "RevMan", "units": "row"}
MODELS: Mapping[str, Any] = {
    _FIXED: {"name": _FIXED, "tau2": "EE", "interval": "wald", **_MH, **_REVMAN},
    "revman-5": "revman-5",
    "RevMan IV fixed": {"name": "RevMan IV fixed", "tau2": "EE", "interval": "wald", **_REVMAN},
    "RevMan IV random": {"name": "RevMan IV random", "tau2": "DL", "interval": "wald", **_REVMAN},
    "revman": "revman",
    "RevMan HKSJ": {
        "name": "RevMan HKSJ", "tau2": "REML", "interval": "hartung-knapp", "smd_variance": "RevMan", "units": "row"
    },
    "RevMan DL HKSJ": {"name": "RevMan DL HKSJ", "tau2": "DL", "interval": "hartung-knapp", **_REVMAN},
}  # fmt: skip
"""The models of RevMan, as a protocol writes them."""
_SUBGROUP = "subgroup"
"""Column of arms.csv and contrasts.csv: the subgroup of RevMan in which a row stands."""
#: Those that weights tell apart: RevMan 5's, and the REML of RevMan since 2024.
_USUAL = [MODELS[name] for name in (_FIXED, "revman-5", "RevMan IV fixed", "RevMan IV random", "revman")]


@dataclass(slots=True)
class _Work:
    """A review while its tables are made: `rows` typed and with study_id, outcome and comparison_id."""

    review: Review
    rows: pd.DataFrame
    numbers: pd.DataFrame
    found: Identified
    ids: dict[str, str]
    source: str
    cells: list[Cell]
    notes: list[str]
    places: Mapping[Hashable, tuple[str, int]]
    #: The model of RevMan (a name of `MODELS`) of each analysis that tells it, by its settings or by its weights.
    models: dict[Key, str] = field(default_factory=dict)

    def tell(self, at: Hashable, column: str, was: object, became: object, code: str) -> None:
        """List what was done to a cell of a row."""
        self.cells.append(Cell(*self.places[at], column, str(was), str(became), code))

    @property
    def keys(self) -> list[Key]:
        """Analyses that have rows, in order."""
        return sorted(self.found.analyses)

    def said(self, key: Key) -> Settings:
        """What the file says of an analysis."""
        return self.review.settings.get(key, Settings())

    def level(self, key: Key) -> float:
        """The level of an analysis: that of RevMan's pooled interval, else that at which its rows' come back."""
        found = self.found.analyses[key]
        return self.said(key).pooled_level or (found.level if found.matched else _LEVEL)

    def measure(self, key: Key) -> str:
        """The measure of the protocol: RevMan's name of it, else what the rows show."""
        said, candidate = self.said(key), self.found.analyses[key].candidate
        if candidate.kind == "oe":
            if said.measure in ("HR", "PETO"):
                return said.measure
            return "PETO" if (self.rows.loc[self.rows["key"] == key, "events"] > 0).any() else "HR"
        if candidate.kind == "given" and said.measure:
            fits = (said.measure in RATIO_MEASURES) == (candidate.measure in RATIO_MEASURES)
            return said.measure if fits else candidate.measure
        return candidate.measure


def imported(review: Review) -> Imported:
    """The tables and the protocol of a review.

    Every row of an analysis stands in arms.csv or contrasts.csv, or in `cells` with the code of the reason. Nothing is
    raised; a review without any row that can be read is a problem.
    """
    if review.problems:
        return Imported(cells=tuple(review.cells), notes=tuple(review.notes), problems=tuple(review.problems))
    rows, cells = _left_out(review)
    if rows.empty:
        return Imported(cells=tuple(cells), problems=(f"{review.name} has no row of an analysis that can be read",))
    w = _work(review, rows, cells)
    arms, contrasts = _arms(w), _contrasts(w)
    published = _published(w)
    tables = {
        "studies": _studies(w),
        "arms": arms,
        "contrasts": contrasts,
        "risk_of_bias": _bias(w),
        "published": published,
        "published_rows": _published_rows(w),
        "published_subgroups": _subgroups(w),
    }
    protocol, comments = _protocol(w, arms)
    _say(w, tables)
    return Imported(
        {name: table for name, table in tables.items() if len(table)},
        protocol,
        comments,
        tuple(sorted(w.cells, key=lambda c: (c.file, c.row))),
        tuple(w.notes),
    )


def _left_out(review: Review) -> tuple[pd.DataFrame, list[Cell]]:
    """Rows of the overall analysis; those that RevMan shows in a subgroup alone are listed."""
    rows = review.rows.reset_index(drop=True)
    alone = rows["applicability"].str.upper() == "SUBGROUP_ONLY"
    listed = [
        Cell(str(one["file"]), int(one["row"]), "Applicability", str(one["applicability"]), "", "subgroup_only")
        for one in rows[alone].to_dict("records")
    ]
    return rows[~alone].reset_index(drop=True), [*review.cells, *listed]


def _work(review: Review, rows: pd.DataFrame, cells: list[Cell]) -> _Work:
    numbers = _numbers(rows, cells)
    keys = pd.Series(list(zip(rows["group"], rows["number"], strict=True)), index=rows.index, dtype=object)
    found = identify(numbers, keys, review.settings)
    ids = study_ids([*(one["study"] for one in review.studies), *rows["study"]])
    rows = rows.assign(key=keys, study_id=rows["study"].map(ids), outcome=keys.map(outcome_of))
    kinds = {key: one.candidate.kind for key, one in found.analyses.items()}
    rows["kind"] = rows["key"].map(kinds)
    rows["events"] = numbers[["events1", "events2"]].fillna(0).sum(axis=1)
    source = f"doi {review.doi}" if review.doi else plain(review.source or review.name)
    places = dict(zip(rows.index, zip(rows["file"].map(str), rows["row"].map(int), strict=True), strict=True))
    w = _Work(review, rows, numbers, found, ids, source, cells, list(review.notes), places)
    w.numbers = _usable(w)
    w.rows["comparison_id"] = _comparisons(w)
    w.rows = w.rows.sort_values(["group", "number"], kind="stable")
    w.numbers = w.numbers.loc[w.rows.index]
    _compared(w)
    w.models = _pooling(w)
    return w


def _pooling(w: _Work) -> dict[Key, str]:
    """A model of each analysis that its settings or RevMan's weights tell."""
    told = {key: name for key in w.keys if (name := model_of(w.said(key), w.found.analyses[key].candidate))}
    results, rows = w.found.results.loc[w.rows.index], w.rows
    table = rows[["key", "subgroup"]].assign(
        measure=rows["key"].map({key: w.measure(key) for key in w.keys}),
        weight=w.numbers["weight"],
        yi=results["yi"],
        vi=results["se"] ** 2,
        **{name: w.numbers[name].where(rows["kind"] == "counts") for name in ("events1", "n1", "events2", "n2")},
    )
    models = {m.name: m for m in resolve(tuple(Model(**one) if isinstance(one, dict) else one for one in _USUAL))}
    found = models_by_weight(table[~table["key"].isin(list(told))], models)
    used = Counter([*told.values(), *(names[0] for names in found.values() if len(names) == 1)])
    # Of several that give the weights the one that the review's other analyses use.
    return told | {key: max(names, key=lambda name: used[name]) for key, names in found.items()}


def _numbers(rows: pd.DataFrame, cells: list[Cell]) -> pd.DataFrame:
    """The numbers of the rows; a cell that is none is listed. RevMan's result without an interval is none yet."""
    table = {}
    for name in NUMBERS:
        text = rows[name].str.strip()
        values = pd.to_numeric(text, errors="coerce").astype(np.float64)
        sound = np.isfinite(values) & ((values == 0) | values.abs().between(1 / _LARGEST, _LARGEST))
        values = values.where(sound & ~((name in _WHOLE) & (values.abs() > MAX_COUNT)))
        bad = values.isna() & ~text.str.casefold().isin(["", "nan", "na", "n/a", "#n/a", "not estimable"])
        cells += [
            Cell(str(one["file"]), int(one["row"]), name, str(one[name]), "", "not_a_number")
            for one in rows[bad].to_dict("records")
        ]
        table[name] = values
    numbers = pd.DataFrame(table, index=rows.index)
    flat = numbers["ci_lower"] == numbers["ci_upper"]
    numbers.loc[flat, list(RESULTS)] = np.nan
    return numbers


def _usable(w: _Work) -> pd.DataFrame:
    """The numbers as they go into our tables: counts whole, nothing where RevMan writes 0 for nothing; each listed."""
    numbers, rows = w.numbers.copy(), w.rows
    used = pd.DataFrame({name: rows["kind"].map({kind: name in _USED[kind] for kind in _USED}) for name in NUMBERS})

    def change(name: str, where: pd.Series, becomes: pd.Series | float, code: str) -> None:
        where = where & used[name]
        new = becomes if isinstance(becomes, pd.Series) else pd.Series(becomes, index=numbers.index)
        for i in numbers.index[where]:
            became = "" if np.isnan(new[i]) else f"{new[i]:.0f}"
            w.tell(i, name, rows.loc[i, name], became, code)
        numbers[name] = numbers[name].where(~where, new)

    for name in _WHOLE:
        whole = numbers[name].round()
        change(name, numbers[name].notna() & (whole != numbers[name]), whole, "rounded_to_whole")
        change(name, (numbers[name] < 0) | (numbers[name] > MAX_COUNT), np.nan, "impossible_count")
    given = rows["kind"].isin(["given", "oe"])
    for name in _ABOVE:
        nothing = numbers[name] <= 0
        quiet = nothing & given & (name in ("n1", "n2"))  # RevMan asks no n of given effects
        change(name, nothing & ~quiet, np.nan, "zero_is_nothing")
        numbers[name] = numbers[name].where(~quiet)
    for side in (1, 2):
        none = numbers[f"n{side}"].isna() & ~given
        for name in ("mean", "sd", "events"):
            zero = numbers[f"{name}{side}"] == 0
            numbers[f"{name}{side}"] = numbers[f"{name}{side}"].where(~(none & zero))
        change(f"sd{side}", (numbers[f"n{side}"] == 1) & numbers[f"sd{side}"].notna(), np.nan, "one_has_no_sd")
        more = numbers[f"events{side}"] > numbers[f"n{side}"]
        change(f"events{side}", more, np.nan, "more_events_than_n")
    nothing = numbers["giv_se"].isna() & (numbers["giv"] == 0)
    numbers["giv"] = numbers["giv"].where(~nothing)
    numbers["oe"] = numbers["oe"].where(numbers["v"].notna())
    swapped = rows["key"].map({key: one.candidate.swapped for key, one in w.found.analyses.items()}).astype(bool)
    for side in (1, 2):
        there = swapped & numbers[[f"events{side}", f"n{side}"]].notna().all(axis=1)
        change(f"events{side}", there, numbers[f"n{side}"] - numbers[f"events{side}"], "events_exchanged")
    return numbers


def _labels(w: _Work, key: Key) -> tuple[str, str]:
    """Labels of both arms of an analysis, "" where they do not tell them apart."""
    first, second = (plain(label) for label in w.said(key).arms)
    return ("", "") if first.casefold() == second.casefold() else (first, second)


def _comparisons(w: _Work) -> pd.Series:
    """An id per comparison: the study's own, unless it stands twice in an analysis or its arms change sides."""
    rows = w.rows
    sides: dict[tuple[str, str], set[int]] = {}
    for key, study in rows[["key", "study_id"]].drop_duplicates().itertuples(index=False):
        for side, label in enumerate(_labels(w, key)):
            if label:
                sides.setdefault((study, label.casefold()), set()).add(side)
    turning = {study for (study, _), roles in sides.items() if len(roles) > 1}
    base = rows["study_id"].where(~rows["study_id"].isin(turning), rows["study_id"] + "." + rows["outcome"])
    at = [rows["study_id"], rows["outcome"]]
    several = base.groupby(at).transform("size") > 1
    numbered = base + "." + (base.groupby(at).cumcount() + 1).astype(str)
    ids = base.where(~several, numbered)
    for i in rows.index[several]:
        w.tell(i, "Study", rows.loc[i, "study"], ids[i], "study_stands_twice")
    return ids


def _compared(w: _Work) -> None:
    """List each analysis with its measure, and each row whose result by RevMan is another one here."""
    first = _first_rows(w)
    for key, one in w.found.analyses.items():
        code = "measure_assumed" if one.assumed and not w.said(key).kind else "measure_found"
        w.tell(first[key], "Effect measure", w.said(key).said, w.measure(key), code)
    results = w.found.results
    others = w.rows.index[w.rows["key"].map({key: one.level != w.level(key) for key, one in w.found.analyses.items()})]
    for i in others[(results.loc[others, "status"] == "same").to_numpy()]:
        was = _interval(w.numbers.loc[[i], list(RESULTS)].iloc[0])
        yi, half = results["yi"][i], z_critical(w.level(w.rows["key"][i])) * results["se"][i]
        scale = scale_of(w.measure(w.rows["key"][i]))
        became = _interval(pd.Series(natural([yi, yi - half, yi + half], scale)))
        w.tell(i, "CI start", was, became, "interval_of_another_level")
    odd = results[~results["status"].isin(["", "same"])]
    for i, ours in odd.iterrows():
        was = _interval(w.numbers.loc[[i], list(RESULTS)].iloc[0])
        became = "" if np.isnan(ours["estimate"]) else _interval(ours[list(RESULTS)])
        w.tell(i, "Mean", was, became, str(ours["status"]))


def _first_rows(w: _Work) -> dict[Key, Hashable]:
    """The first row of each analysis."""
    first = ~w.rows["key"].duplicated()
    return dict(zip(w.rows["key"][first], w.rows.index[first], strict=True))


def _interval(numbers: pd.Series) -> str:
    estimate, low, high = (fixed(float(x), 4) for x in numbers)
    return f"{estimate} ({low} to {high})"


def _text(w: _Work, name: str) -> pd.Series:
    """A column of numbers as text: as the file has it where it is unchanged."""
    was = pd.to_numeric(w.rows[name].str.strip(), errors="coerce")
    values = w.numbers[name]
    found = []
    for value, before, text in zip(values.tolist(), was.tolist(), w.rows[name].str.strip().tolist(), strict=True):
        if value != value:  # missing
            found.append("")
        elif value == round(value) and abs(value) < 1e15:
            found.append(f"{value + 0.0:.0f}")
        else:
            found.append(text if value == before else repr(value))
    return pd.Series(found, index=w.rows.index, dtype=object)


def _arms(w: _Work) -> pd.DataFrame:
    rows = w.rows[w.rows["kind"].isin(["counts", "means"])]
    if rows.empty:
        return rows
    texts = {name: _text(w, name).loc[rows.index] for name in NUMBERS[: 2 * len(ARM)]}
    kind, subgroups = rows["kind"], rows["subgroup"].map(plain)
    sides = []
    for side, role in enumerate(_ROLES, start=1):
        labels = rows["key"].map(lambda key, at=side - 1: _labels(w, key)[at])
        table = rows[["study_id", "comparison_id", "outcome"]].assign(role=role, arm=labels)
        for name in ARM:
            mine = kind == ("counts" if name == "events" else "means")
            table[name] = texts[f"{name}{side}"].where(mine | (name == "n"), "")
        sides.append(table.assign(**{_SUBGROUP: subgroups}, note=rows["note"], place=range(len(rows)), side=side))
    table = pd.concat(sides).sort_values(["place", "side"], kind="stable").drop(columns=["place", "side"])
    return _filled(table, ("study_id", "comparison_id", "outcome", "role", "n"))


def _contrasts(w: _Work) -> pd.DataFrame:
    rows = w.rows[w.rows["kind"].isin(["given", "oe"])]
    if rows.empty:
        return rows
    texts = {name: _text(w, name).loc[rows.index] for name in ("giv", "giv_se", "oe", "v", "n1", "n2")}
    is_oe = rows["kind"] == "oe"
    measures = rows["key"].map({key: w.measure(key) for key in w.keys})
    table = rows[["study_id", "comparison_id", "outcome"]].assign(
        measure=measures.where(~is_oe, "OE_V"),
        estimate=texts["giv"].where(~is_oe, ""),
        estimate_scale=measures.map(lambda m: "log" if m in RATIO_MEASURES else "natural").where(~is_oe, ""),
        se=texts["giv_se"].where(~is_oe, ""),
        oe=texts["oe"].where(is_oe, ""),
        v=texts["v"].where(is_oe, ""),
        n_intervention=texts["n1"],
        n_control=texts["n2"],
        **{_SUBGROUP: rows["subgroup"].map(plain)},
        note=rows["note"],
    )
    return _filled(table, ("study_id", "comparison_id", "outcome", "measure", "estimate", "estimate_scale", "se"))


def _filled(table: pd.DataFrame, always: tuple[str, ...] = ()) -> pd.DataFrame:
    """Without the columns that hold nothing."""
    if table.empty:
        return pd.DataFrame()
    kept = [name for name in table if name in always or (table[name].fillna("") != "").any()]
    return table[kept].fillna("").reset_index(drop=True)


def _studies(w: _Work) -> pd.DataFrame:
    """A row per study: those that the file lists, then those of its rows alone."""
    told: dict[str, dict[str, str]] = {}
    for one in w.review.studies:
        mine = told.setdefault(one["study"], {})
        mine |= {name: text for name, text in one.items() if text and not mine.get(name)}
    years: dict[str, tuple[str, str, int]] = {}
    for row in w.rows[["study", "year", "file", "row"]].to_dict("records"):
        study = str(row["study"])
        told.setdefault(study, {"study": study})
        if row["year"] and study not in years:
            years[study] = str(row["year"]), str(row["file"]), int(row["row"])
    rows = []
    for study, said in told.items():
        text, file, line = said.get("year", ""), said.get("file", ""), int(said.get("row", 0))
        if not text:
            text, file, line = years.get(study, ("", "", 0))
        year = year_of(text)
        if text and year != text:
            w.cells.append(Cell(file, line, "Study year", text, year, "year_of_date" if year else "no_year"))
        others = {name: value for name, value in said.items() if name not in ("study", "year", "file", "row")}
        rows.append({"study_id": w.ids[study], "label": study or w.ids[study], "year": year, **others})
    return _filled(pd.DataFrame(rows), ("study_id", "label", "year"))


def _bias(w: _Work) -> pd.DataFrame:
    known = {*w.rows["study_id"], *(w.ids[one["study"]] for one in w.review.studies)}
    table, cells = judged(w.review.bias, w.ids, known, {outcome_of(key) for key in w.keys})
    w.cells += cells
    return _filled(table, ("study_id", "tool", "domain", "judgement"))


def _published(w: _Work) -> pd.DataFrame:
    """RevMan's pooled results; one without an interval was never calculated."""
    rows = []
    for key in w.keys:
        said = w.said(key)
        if not _whole_interval(said.pooled):
            continue
        rows.append(
            {
                "review_id": w.review.name,
                "label": f"{plain(w.review.title or w.review.name)}: analysis {key[0]}.{key[1]}",
                "year": w.review.year,
                "doi": w.review.doi,
                "outcome": outcome_of(key),
                "measure": w.measure(key),
                **{name: _printed(said.pooled[name]) for name in RESULTS},
                "i2": _printed(said.pooled.get("i2", "")),
                "k": _count(said.pooled.get("k", "")),
                "n_total": _count(said.pooled.get("n_total", "")),
                "p_reported": _printed(said.pooled.get("p", "")),
                "model": model_words(said, w.found.analyses[key].candidate),
                "source": w.source,
            }
        )
    return _filled(pd.DataFrame(rows), ("review_id", "outcome", "measure", *RESULTS))


def _printed(text: str) -> str:
    """A number of 16 digits as data packages print it: six decimals, or six digits where it is smaller."""
    if len(text.partition(".")[2]) <= _DECIMALS:
        return text
    value = float(text)
    return f"{value:.{_DECIMALS}f}" if abs(value) >= 1e-3 else f"{value:.{_DECIMALS}g}"


def _count(text: str) -> str:
    """A count as it is written, if a table may hold it."""
    return text if text.isdecimal() and 0 < int(text) <= MAX_COUNT else ""


def _whole_interval(pooled: Mapping[str, str]) -> bool:
    """Whether there is an estimate within an interval that has a width."""
    try:
        estimate, low, high = (float(pooled[name]) for name in RESULTS)
    except (KeyError, ValueError):
        return False
    return low <= estimate <= high and low < high and math.isfinite(low + high)


def _published_rows(w: _Work) -> pd.DataFrame:
    """RevMan's own results of the rows that have one, as printed."""
    there = w.numbers[list(RESULTS)].notna().all(axis=1)
    table = w.rows.loc[there, ["outcome", "study_id", "comparison_id", "subgroup", *RESULTS, "weight"]]
    return table.reset_index(drop=True)


def _subgroups(w: _Work) -> pd.DataFrame:
    """RevMan's totals of subgroups."""
    rows = [one for one in w.review.subgroups if _whole_interval(one)]
    return _filled(pd.DataFrame(rows), ("outcome", "subgroup", *RESULTS))


def model_of(said: Settings, candidate: Candidate) -> str:
    """The model that RevMan was told to use, a name of `MODELS`; "" where the file does not say."""
    if said.random is None and said.method != "Peto":
        return ""
    counted = said.measure in (*COUNT_MEASURES, "PETO")  # pooled by counts, unless there are none or IV is asked for
    by_variance = counted and (candidate.kind != "counts" or said.method == "IV")
    if not said.random:
        return "RevMan IV fixed" if by_variance else _FIXED
    knapp = "hartung" in said.ci_method.casefold() or "hksj" in said.ci_method.casefold()
    if said.tau2_method.upper().startswith(("REML", "RESTRICTED")):
        return "RevMan HKSJ" if knapp else "revman"
    if knapp:
        return "RevMan DL HKSJ"
    return "RevMan IV random" if by_variance else "revman-5"


def model_words(said: Settings, candidate: Candidate) -> str:
    """The model of a pooled result in words, as a published table has it."""
    name = model_of(said, candidate)
    if not name:
        return ""
    way = {"M-H": "Mantel-Haenszel", "Peto": "Peto"}.get(said.method, "inverse variance")
    if not said.random:
        return f"{way}, fixed effect"
    tau2 = "REML" if name in ("revman", "RevMan HKSJ") else "DerSimonian-Laird"
    return f"{way}, random effects ({tau2})" + (", Hartung-Knapp" if "HKSJ" in name else "")


def _lower_is_better(said: Settings, arms: tuple[str, str]) -> bool | None:
    """Whether the left side of the plot, where values are lower, is that of the experimental arm; None: not said."""
    for place, side in enumerate(said.sides):
        words = side.casefold()
        if "favour" not in words and "favor" not in words:
            continue
        for arm, names in enumerate(((arms[0], "experimental", "intervention"), (arms[1], "control", "placebo"))):
            if any(name and name.casefold() in words for name in names):
                return place == arm
    return None


def _outcome_label(name: str, key: Key, names: Counter[str]) -> str:
    """The name of an analysis; with its number where another comparison has an analysis of that name."""
    if not name:
        return f"Analysis {key[0]}.{key[1]}"
    return f"{name} (analysis {key[0]}.{key[1]})" if names[name.casefold()] > 1 else name


def _protocol(w: _Work, arms: pd.DataFrame) -> tuple[dict[str, Any], dict[str, str]]:
    comments: dict[str, str] = {}
    outcomes: dict[str, Any] = {}
    used: Counter[str] = Counter()
    labels: Counter[tuple[str, str]] = Counter()
    names = Counter(plain(w.said(key).name).casefold() for key in w.keys)
    for key in w.keys:
        said, found, name = w.said(key), w.found.analyses[key], outcome_of(key)
        measure = w.measure(key)
        lower = _lower_is_better(said, _labels(w, key))
        outcomes[name] = {
            "label": _outcome_label(plain(said.name), key, names),
            "type": MEASURES[measure].type,
            "measure": measure,
            "better": "higher" if lower is False else "lower",
        }
        if said.unit and measure == "MD":
            outcomes[name]["unit"] = plain(said.unit)
        if any(pair := _labels(w, key)):
            labels[pair] += 1
        if key in w.models:
            used[w.models[key]] += 1
        comments[f"outcomes.{name}"] = _about(key, said, found, lower, w.models.get(key, ""))
    pair = labels.most_common(1)[0][0] if labels else ("", "")
    intervention, control = pair[0] or "experimental", pair[1] or "control"
    models = [MODELS[name] for name, _ in used.most_common()] or [MODELS["revman-5"], MODELS[_FIXED]]
    levels = Counter(w.level(key) for key in w.keys)
    level = levels.most_common(1)[0][0]
    for key in w.keys:
        own, (first, second) = outcomes[outcome_of(key)], _labels(w, key)
        if (first or second) and (first, second) != pair:
            own["words"] = {"intervention": first or intervention, "control": second or control}
        if key in w.models and len(used) > 1:
            own["models"] = [w.models[key], "cochrane"]
        if w.level(key) != level:
            own["level"] = w.level(key)
    protocol: dict[str, Any] = {
        "title": plain(w.review.title) or w.review.name,
        "question": {
            "population": "Not said in the file", "intervention": intervention, "comparator": control,
        },
        "words": {"intervention": intervention, "control": control},
        "table_source": {name: w.source for name, there in (("arms", len(arms)), ("contrasts", True)) if there},
        "outcomes": outcomes,
    }  # fmt: skip
    if not (w.rows["kind"].isin(["given", "oe"])).any():
        protocol["table_source"].pop("contrasts")
    comments["question"] = "Please fill in: who was treated, with what, against what."
    comments["outcomes"] = (
        "One outcome per analysis of RevMan: analysis 1.2 is a1_2. `better` is taken from the words below the forest\n"
        "plot; where they do not tell, it is guessed and to be checked."
    )
    subgroups = [name for name in dict.fromkeys(w.rows["subgroup"].map(plain)) if name]
    if subgroups:
        protocol["categories"] = {_SUBGROUP: subgroups}
        protocol["row_subgroups"] = [_SUBGROUP]
        comments["row_subgroups"] = "RevMan's subgroups; a study may stand in several of them."
    protocol["assumptions"] = {"smd_variance": "RevMan", "zero_cells": "RevMan"}
    comments["assumptions"] = "As RevMan computes; without these keys the pipeline's own rules hold."
    if level != _LEVEL:
        protocol["level"] = level
    protocol["models"] = [*models, "cochrane"]
    comments["models"] = (
        "The models of RevMan's analyses, the most frequent first, which pool each row once; then what Cochrane\n"
        "recommends since 2024, by which a study counts once. An outcome names its own where they differ."
        if used
        else "Nothing tells how RevMan pooled: its two usual models, then what Cochrane recommends since 2024."
    )
    return protocol, comments


def _about(key: Key, said: Settings, found: Found, lower: bool | None, model: str) -> str:
    """The comment above an outcome: which analysis it is, and what was guessed."""
    parts = [f"Analysis {key[0]}.{key[1]}" + (f", {plain(said.group_name)}" if said.group_name else "")]
    if words := model_words(said, found.candidate):
        parts.append(f"RevMan pooled by {words}")
    elif model:
        parts.append(f"the model {model} gives RevMan's weights")
    if found.assumed and not said.kind:
        parts.append("the measure is guessed: no row has a result to tell it by")
    elif not said.measure:
        parts.append(f"the measure is the one that gives RevMan's results of {found.matched} of {found.rows} rows")
    if found.candidate.swapped:
        parts.append("events and non-events are exchanged, as RevMan shows them")
    if lower is None:
        parts.append("`better` is guessed")
    return "; ".join(parts) + "."


def _say(w: _Work, tables: Mapping[str, pd.DataFrame]) -> None:
    """Sentences for the preview."""
    w.notes.extend(_sentences(w, tables))


def _sentences(w: _Work, tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    codes = Counter(cell.code for cell in w.cells)
    has = int((w.found.results["status"] != "").sum())
    same = int((w.found.results["status"] == "same").sum())
    studies = len(tables["studies"])
    yield f"{len(w.rows)} rows of {studies} studies in {len(w.keys)} analyses were read."
    if has:
        yield f"{same} of the {has} results that RevMan printed for rows come back at two decimals."
    if n := codes["measure_assumed"]:
        yield f"The effect measure of {n} analyses is guessed, as no row has a result to tell it by."
    if n := codes["study_stands_twice"]:
        yield f"{n} rows are of studies that stand more than once in an analysis; each has a comparison_id of its own."
    if n := codes["subgroup_only"]:
        yield f"{n} rows are left out, as RevMan shows them in a subgroup but not in the total."
    if n := codes["text_data"]:
        yield f"{n} rows are left out, as they hold text and no numbers."
    if n := codes["zero_is_nothing"]:
        yield f"{n} cells with an impossible 0 (patients, SD or SE) are left empty."
    if n := codes["domain_of_no_tool"] + codes["no_judgement"]:
        yield f"{n} judgements of risk of bias are left out, as no tool here has them."
    if (w.rows["subgroup"] != "").any():
        yield "Subgroups of rows stand in the column subgroup, by which every analysis is split."


__all__ = ["MODELS", "imported", "model_of", "model_words"]
