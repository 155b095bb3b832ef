"""corpus.csv: a row per analysis of a review, RevMan's numbers beside ours, and current practice beside both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from math import isnan, nan
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from reweigh.io import frame, read_text
from reweigh.measures import natural
from reweigh.pool.refit import Trials, cannot, refit, trials_of
from reweigh.pool.units import Units
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import PRESETS, Model
from reweigh.schemas import schema_of
from reweigh.text.codes import code, has, join, words
from reweigh.text.corpus import REASONS
from reweigh.text.pool import SENTENCES as POOLED

#: Percentage points by which a weight may differ from the printed one; the same for the sum of those of one pool.
NEAR = 0.1
#: Decimals at which RevMan's forest plots print effects.
DECIMALS = 2
#: Fewest trials of which one can be the decisive one: with two, every removal leaves a single trial.
FEWEST = 3
PRINTED = ("outcome", "study_id", "comparison_id", "subgroup", "estimate", "ci_lower", "ci_upper", "weight")
SENTENCES = {**POOLED, **REASONS}
CURRENT = PRESETS["cochrane"]
GUARDED = CURRENT.model_copy(update={"interval": "hartung-knapp guarded"})

Important = Mapping[str, tuple[float, float]]
"""Bounds of an important effect by measure, natural scale, on both sides of no effect."""


def analysis_rows(
    review: str,
    protocol: Protocol,
    tables: Mapping[str, pd.DataFrame],
    printed: pd.DataFrame | None,
    important: Important | None = None,
) -> pd.DataFrame:
    """One row per outcome and window of the main set of a review: see corpus.csv in results/README.md.

    Parameters
    ----------
    review
        Its name.
    protocol
        Its protocol; the first model of an outcome is that of the review's authors, `cochrane` is current practice.
    tables
        effects, units, pooled and not_pooled, by these names.
    printed
        published_rows.csv (outcome, study_id, comparison_id, subgroup, estimate, ci_lower, ci_upper, weight; natural
        scale, percent) with RevMan's own results of rows, or None.
    important
        Bounds of an important effect.

    Nothing is raised: what cannot be had is missing, with its reason.
    """
    effects, pooled, lost = (tables[name] for name in ("effects", "pooled", "not_pooled"))
    units = Units(effects, tables["units"])
    main = pooled[(pooled["set"] == "main") & (pooled["model"] != "bayes")]
    doi = _doi(protocol)
    said = {} if printed is None else {str(name): one for name, one in printed.groupby("outcome", sort=False)}
    rows: list[dict[str, object]] = []
    seen = set()
    for analysis, models in main.groupby("analysis", sort=False):
        outcome, measure = str(models["outcome"].iloc[0]), str(models["measure"].iloc[0])
        if measure != protocol.outcomes[outcome].measure:
            continue
        seen.add(outcome)
        rows.append(
            {"review": review, "doi": doi, "analysis": analysis, "outcome": outcome,
             "label": protocol.outcomes[outcome].label, "measure": measure, "scale": models["scale"].iloc[0]}
            | _current(models)
            | _of_authors(models, units, said.get(outcome), protocol)
            | _decisive(units.of(str(analysis), CURRENT.units), models)
        )  # fmt: skip
    for outcome, about in protocol.outcomes.items():
        if outcome not in seen:
            reason = code(
                "nothing_estimable" if (lost["analysis"].str.partition(".")[0] == outcome).any() else "no_trials"
            )
            rows.append(
                {"review": review, "doi": doi, "outcome": outcome, "label": about.label, "measure": about.measure,
                 "k": 0, "comparisons": 0, "rows": len(said.get(outcome, ())), "rows_back": 0, "reason_codes": reason,
                 "agreement": "nothing_pooled"}
            )  # fmt: skip
    made = frame("corpus.csv", rows)
    return _compared(made, important or {})


def gathered(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One table of the rows of many, numbers as such: how a row is written hangs on no other, nor on its batch."""
    whole = pd.concat([frame("corpus.csv", []), *tables], ignore_index=True)
    numbers = [name for name, column in schema_of("corpus.csv").columns.items() if column.numeric]
    return whole.assign(**{name: pd.to_numeric(whole[name]) for name in numbers})


def printed_rows(content: bytes) -> pd.DataFrame:
    """published_rows.csv as text that may be anything; what is no number is missing."""
    table = read_text(content).reindex(columns=list(PRINTED), fill_value="")
    numbers = {name: pd.to_numeric(table[name], errors="coerce") for name in PRINTED[4:]}
    return table.assign(**numbers)


def _doi(protocol: Protocol) -> str:
    """The DOI that the review's tables came with, "" where they have none."""
    words = " ".join(protocol.table_source.values()).split()
    return next((word for word in words if word.startswith("10.") and "/" in word), "")


def _current(models: pd.DataFrame) -> dict[str, object]:
    """What current practice says: REML, Hartung-Knapp, the guarded interval, the prediction interval; natural scale."""
    there = models[(models["tau2_method"] == CURRENT.tau2) & (models["ci_method"] == CURRENT.interval)]
    first = models.iloc[0]
    size = {"level": first["level"], "k": first["k"], "comparisons": first["comparisons"], "n": first["participants"]}
    if there.empty:
        return size | {"reason_codes": code("no_current_model")}
    row = there.iloc[0]
    names = {f"reml_hk_{name}": f"{name}_natural" for name in ("estimate", "ci_lower", "ci_upper")}
    names |= {f"guarded_{name}": f"guarded_{name}_natural" for name in ("ci_lower", "ci_upper")}
    names |= {"reml_hk_p_value": "p_value", "guarded_p_value": "guarded_p_value", "tau2": "tau2"}
    names |= {name: f"{name}_natural" for name in ("pi_lower", "pi_upper")}
    said = {ours: row[theirs] for ours, theirs in names.items()}
    asked = row["k"] > 1 and not isnan(row["ci_lower"])  # all effects are equal: there is no such interval
    narrow = "" if not asked else "yes" if has(str(row["note_codes"]), "hartung_knapp_narrow") else "no"
    return size | said | {"hk_narrow": narrow, "reason_codes": row["note_codes"]}


def _of_authors(
    models: pd.DataFrame, units: Units, printed: pd.DataFrame | None, protocol: Protocol
) -> dict[str, object]:
    """The model that RevMan's weights or settings name, and what came back of RevMan's rows, weights and estimates."""
    first = models.iloc[0]
    model = protocol.models_of(str(first["outcome"]))[0]
    out: dict[str, object] = {}
    if model.name != CURRENT.name:
        named = {f"revman_{name}": f"{name}_natural" for name in ("estimate", "ci_lower", "ci_upper")}
        out = {ours: first[theirs] for ours, theirs in named.items()} | {"revman_p_value": first["p_value"]}
    mine = units.of(str(first["analysis"]), model.units)
    if printed is None or not len(printed):
        return out | {"rows": 0, "rows_back": 0, "agreement": "nothing_printed"}
    joined = _joined(printed, mine)
    kinds = Counter(joined.loc[joined["estimate"].notna(), "kind"])
    out |= {
        "rows": kinds.total(),
        "rows_back": kinds["back"],
        "row_codes": join(code(f"row_{kind}", n=n) for kind, n in sorted(kinds.items()) if kind != "back"),
    }
    whole, pools = _pools(joined)
    if not pools:
        told = (joined["weight"] > 0).sum() > 1
        return out | {"agreement": "weights_of_no_pool" if told else "no_weights"}
    trials = trials_of(mine)
    found = [_pool(pool, mine["comparison_id"], trials, model, str(first["scale"])) for pool in pools]
    off = max((one["weights_difference"] for one in found), default=nan, key=lambda x: np.inf if isnan(x) else x)
    worst = next((name for name in _WORST if any(one["agreement"] == name for one in found)), "agrees")
    if whole:
        out |= {"printed_estimate": found[0]["printed"], "pooled_estimate": found[0]["pooled"]}
    implied = model.name if worst in ("agrees", "estimate_differs") else ""
    return out | {
        "pools": "whole" if whole else "subgroups", "weights_difference": off, "agreement": worst,
        "model_implied": implied,
    }  # fmt: skip


_WORST = ("rows_left_out", "not_pooled", "rows_differ", "weights_differ", "estimate_differs")
"""How a pool can differ from RevMan's, what explains most first."""


def _joined(printed: pd.DataFrame, mine: pd.DataFrame) -> pd.DataFrame:
    """RevMan's rows with the effects that they have here, and whether they came back (`kind`)."""
    ends = [f"{name}_natural" for name in ("estimate", "ci_lower", "ci_upper")]
    own = mine[["comparison_id", *ends]].drop_duplicates("comparison_id").set_index("comparison_id")
    there = printed["comparison_id"].isin(own.index).to_numpy()
    ours = own.reindex(printed["comparison_id"]).to_numpy(dtype=np.float64)
    theirs = printed[["estimate", "ci_lower", "ci_upper"]].to_numpy(dtype=np.float64)
    same = _same(ours, theirs) | np.isnan(theirs)
    kind = np.select(
        [~there, same.all(axis=1), ~same[:, 0] & ~same[:, 1:].any(axis=1), ~same[:, 0]],
        ["left_out", "back", "differs", "estimate_differs"], "interval_differs",
    )  # fmt: skip
    return printed.assign(kind=kind)


def _same(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether numbers are printed alike; on the edge between two prints RevMan's own six decimals decide."""
    printed = [np.sign(x) * np.floor(np.abs(x) * 10**DECIMALS + 0.5) for x in (ours, theirs)]
    near = np.abs(ours - theirs) <= 1e-6 * np.maximum(1.0, np.abs(theirs))
    return np.asarray((printed[0] == printed[1]) | near, dtype=bool)


def _pools(joined: pd.DataFrame) -> tuple[bool, list[pd.DataFrame]]:
    """Rows of each pool whose weights sum to 100: all of them (True), or each subgroup's that do (False)."""
    weighed = joined[joined["weight"] > 0]
    if abs(weighed["weight"].sum() - 100) < NEAR:
        return True, [weighed]
    parts = [part for _, part in weighed.groupby("subgroup", sort=False, dropna=False)]
    return False, [part for part in parts if abs(part["weight"].sum() - 100) < NEAR]


def _pool(pool: pd.DataFrame, names: pd.Series, trials: Trials, model: Model, scale: str) -> dict[str, Any]:
    """Weights and estimate of one of RevMan's pools beside ours of the same trials (of `names`), same model."""
    own = model.for_measure(trials.measure)
    weight = pool["weight"].to_numpy(dtype=np.float64)
    effect = pool["estimate"].to_numpy(dtype=np.float64)
    # A common-effect Mantel-Haenszel ratio is the weighted mean of the ratios, any other that of their logarithms.
    log = scale == "log" and not (own.pooling == "mantel-haenszel" and own.tau2 == "EE")
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = float(np.sum(weight * (np.log(effect) if log else effect)) / np.sum(weight))
    implied = float(np.exp(mean)) if log else mean
    nothing = {"printed": implied, "pooled": nan, "weights_difference": nan}
    if (pool["kind"] == "left_out").any():
        return nothing | {"agreement": "rows_left_out"}
    trials = trials.take(pd.Index(names).get_indexer_for(pool["comparison_id"]))
    if cannot(trials, model):
        return nothing | {"agreement": "not_pooled"}
    fit = refit(trials, model, tau2_interval=False, bootstrap=False)
    off = float(np.max(np.abs(fit.weights[0] - weight)))
    pooled = float(natural(fit.estimate, scale)[0])
    differs = (pool["kind"] != "back").any()
    if not off <= NEAR:
        agreement = "rows_differ" if differs else "weights_differ"
    elif not _same(np.array([pooled]), np.array([implied]))[0]:
        agreement = "rows_differ" if differs else "estimate_differs"
    else:
        agreement = "agrees"
    return {"printed": implied, "pooled": pooled, "weights_difference": off, "agreement": agreement}


def _decisive(mine: pd.DataFrame, models: pd.DataFrame) -> dict[str, object]:
    """The trial without which the guarded interval no longer excludes no effect, or does for the first time.

    Of several it is the one that moves the P value most; `decisive_trials` counts them.
    """
    if mine["study_id"].nunique() < FEWEST:
        return {}
    trials = trials_of(mine)
    if cannot(trials, GUARDED):
        return {}
    names, at = np.unique(mine["study_id"].to_numpy(dtype=str), return_inverse=True)
    masks = np.vstack([np.ones(len(mine), dtype=bool), at != np.arange(len(names))[:, None]])
    level = float(models["level"].iloc[0])
    fits = refit(trials, GUARDED, mask=masks, level=level, tau2_interval=False, brief=True)
    excludes = (fits.guarded_ci_lower > 0) | (fits.guarded_ci_upper < 0)
    turned = np.flatnonzero(excludes[1:] != excludes[0])
    if not len(turned):
        return {"decisive_trials": 0}
    p = fits.guarded_p_value[1:][turned]
    chosen = names[turned[int(np.nanargmax(p) if excludes[0] else np.nanargmin(p))]]
    label = mine.loc[mine["study_id"].astype(str) == chosen, "label"].iloc[0]
    return {"decisive_trials": len(turned), "decisive_trial": str(label) or chosen}


def _compared(table: pd.DataFrame, important: Important) -> pd.DataFrame:
    """What each interval says of no effect and of an important effect, and what current practice changes."""
    null = table["scale"].map({"log": 1.0, "natural": 0.0}).to_numpy(dtype=np.float64)
    made = table.copy()
    excludes: dict[str, list[bool | None]] = {}
    for name in ("revman", "reml_hk", "guarded", "pi"):
        low, high = (_numbers(made, f"{name}_{end}") for end in (("lower", "upper") if name == "pi" else _CI))
        missing, away = np.isnan(low + high + null), (low > null) | (high < null)
        excludes[name] = [None if none else bool(x) for none, x in zip(missing, away, strict=True)]
        if name != "pi":
            estimate = _numbers(made, "revman_estimate" if name == "revman" else "reml_hk_estimate")
            made[f"{name}_says"] = [_says(*one) for one in zip(excludes[name], estimate > null, strict=True)]
    made["pi_includes_no_effect"] = ["" if x is None else "no" if x else "yes" for x in excludes["pi"]]
    for name in ("reml_hk", "guarded"):
        made[f"change_{name}"] = [_change(a, b) for a, b in zip(made["revman_says"], made[f"{name}_says"], strict=True)]
    bounds = [important.get(measure) for measure in made["measure"]]
    for name in ("revman", "guarded"):
        ends = zip(_numbers(made, f"{name}_ci_lower"), _numbers(made, f"{name}_ci_upper"), bounds, strict=True)
        made[f"{name}_important"] = [_important(*one) for one in ends]
    made["reason_codes"] = made["reason_codes"].astype(object).fillna("")
    made["reason"] = [words(codes, SENTENCES) for codes in made["reason_codes"]]
    made["change_important"] = [
        "" if not a or not b else "none" if a == b else f"{a} to {b}"
        for a, b in zip(made["revman_important"], made["guarded_important"], strict=True)
    ]
    return made


_CI = ("ci_lower", "ci_upper")


def _numbers(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return pd.to_numeric(table[name]).to_numpy(dtype=np.float64)


def _says(excludes: bool | None, above: bool) -> str:
    """What an interval says of no effect: `above` or `below` it, or `unclear`; "" where there is none."""
    return "" if excludes is None else "unclear" if not excludes else "above" if above else "below"


def _change(before: str, after: str) -> str:
    """What became of a conclusion: `lost`, `gained`, `turned` round, or `none`; "" where one is missing."""
    if not before or not after:
        return ""
    if before == after:
        return "none"
    return "lost" if after == "unclear" else "gained" if before == "unclear" else "turned"


def _important(low: float, high: float, bounds: tuple[float, float] | None) -> str:
    """Where an interval lies: `important` (beyond a bound), `unimportant` (within both), `unclear`; "" if unknown."""
    if bounds is None or isnan(low) or isnan(high):
        return ""
    if high < bounds[0] or low > bounds[1]:
        return "important"
    return "unimportant" if bounds[0] < low and high < bounds[1] else "unclear"
