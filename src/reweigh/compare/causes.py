"""What moved a number: the changed trials of its own pool, each alone by recomputation; the protocol; the programme."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from reweigh.compare.data import Datum, data_changes, key_changes, same, trials_of
from reweigh.compare.results import Results
from reweigh.io import records
from reweigh.measures import natural
from reweigh.pool.refit import COUNTS, refit
from reweigh.pool.refit import trials_of as pooled_trials
from reweigh.pool.units import Units
from reweigh.protocol.models import Model
from reweigh.text.codes import code, join
from reweigh.text.numbers import row_text

#: How near a recomputed estimate must be to the one that is to be explained.
_NEAR = 1e-7
_EFFECT = ("measure", "design", "estimate", "variance", *COUNTS)
_NATURAL = ("estimate", "ci_lower", "ci_upper")
#: Parts of the protocol that no pooled estimate rests on.
_NO_EFFECT = (
    "title", "question", "words", "table_source", "multiverse", "robustness", "sequential", "certainty",
    "meta_regression", "subgroups", "subgroup_tau2", "categories", "seed", "claims.yaml", "certainty_overrides.csv",
)  # fmt: skip
#: And those of an outcome.
_OF_OUTCOME = ("label", "unit", "words", "smallest_important_difference")


Row = dict[str, Any]


@dataclass(slots=True)
class Causes:
    """Everything that differs in what two results were made of, and what it did to a number."""

    old: Results
    new: Results
    data: list[Datum] = field(init=False)
    keys: list[tuple[str, str, str]] = field(init=False)
    packages: list[tuple[str, str, str]] = field(init=False)
    _units: tuple[Units, Units] = field(init=False)
    _studies: tuple[dict[str, str], dict[str, str]] = field(init=False)
    _pooled: tuple[dict[tuple[str, str], Row], ...] = field(init=False)
    _known: dict[tuple[str, str], str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Find what differs."""
        sides = self.old, self.new
        self.data, self.keys = data_changes(*sides), key_changes(*sides)
        before, after = self.old.versions, self.new.versions
        self.packages = [
            (name, before.get(name, ""), after.get(name, ""))
            for name in dict.fromkeys([*after, *before])
            if before and after and before.get(name) != after.get(name)
        ]
        self._units = Units(*self._pools(self.old)), Units(*self._pools(self.new))
        self._studies = trials_of(self.old), trials_of(self.new)
        self._pooled = tuple(
            {(row["analysis"], row["model"]): row for row in records(side.tables["pooled.csv"])} for side in sides
        )

    @staticmethod
    def _pools(side: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
        return side.tables["effects.csv"], side.tables["units.csv"]

    def estimate(self, analysis: str, model: str) -> str:
        """Codes of what moved, made or ended the estimate of an analysis by a model."""
        if (analysis, model) not in self._known:
            self._known[analysis, model] = self._estimate(analysis, model)
        return self._known[analysis, model]

    def main(self, analysis: str) -> str:
        """Codes of what moved the estimate of an analysis by its main model; empty where it did not move."""
        rows = [next((row for (one, _), row in side.items() if one == analysis), None) for side in self._pooled]
        if rows[0] is None or rows[1] is None:
            return "" if rows == [None, None] else self.estimate(analysis, str((rows[1] or rows[0] or {})["model"]))
        names = ("model", *_NATURAL, "k")
        return "" if all(same(rows[0][n], rows[1][n]) for n in names) else self.estimate(analysis, rows[1]["model"])

    def others(self, of: Callable[[str], bool]) -> list[str]:
        """Codes of what else differs: keys of the protocol of which `of` is true, the programme, or what is unknown."""
        found = [code("key", key=key, old=was, new=now) for key, was, now in self.keys if of(key)]
        if self.old.keys is None or self.new.keys is None or not (self.old.versions and self.new.versions):
            return [*found, "not_recorded"]
        own = next((one for one in self.packages if one[0] == "reweigh"), None)
        if own is not None:
            found.append(code("programme", old=own[1], new=own[2]))
        elif self.packages:
            found.append(code("packages", names=", ".join(name for name, _, _ in self.packages)))
        return found or ["same_programme"]

    def studies(self, analysis: str) -> set[str]:
        """Trials in the pool of an analysis, on either side."""
        pools = (side.analyses.get(analysis) for side in self._units)
        return {study for pool in pools if pool is not None for study in pool["study_id"]}

    def judgements(self, analysis: str) -> list[str]:
        """Codes of the judgements of risk of bias that differ, of the trials in the pool of an analysis."""
        mine = self.studies(analysis)
        return [one.code for one in self.data if one.file == "risk_of_bias.csv" and one.study in mine and one.counts]

    # --- an estimate

    def _estimate(self, analysis: str, name: str) -> str:
        row = self._pooled[1].get((analysis, name)) or self._pooled[0][analysis, name]
        of = _keys_of(str(row["outcome"]), str(row["window"]), str(row["set"]))
        pools = [self._pool(at, analysis, name) for at in (0, 1)]
        changed = _changed(*pools)
        trials = {one: self._trial(one, pools, str(row["outcome"])) for one in changed}
        before, after = (side.get((analysis, name)) for side in self._pooled)
        found = None
        if changed and before is not None and after is not None:
            found = self._alone(pools, changed, before, after)
        alone, explained = found or ({}, False)
        if explained and len(changed) == 1:  # then it is the new estimate itself
            alone = {}
        codes = [
            code(what, label=label, data=join(data), **alone.get(one, {}))
            for one, (what, label, data, _) in ((one, trials[one]) for one in dict.fromkeys([*alone, *trials]))
        ]
        others = self.others(of)
        if trials and all(known for *_, known in trials.values()):
            # Where the data give the new estimate, nothing else is to be named; where that was not tried, what else
            # differs is named beside them.
            others = [] if explained else others if found else [one for one in others if one != "same_programme"]
        return join([*codes, *others])

    def _pool(self, at: int, analysis: str, name: str) -> pd.DataFrame | None:
        """What a model pools in an analysis, on one side."""
        units = self._units[at]
        if analysis not in units.analyses:
            return None
        model = self._model(at, analysis, name)
        return units.of(analysis, "trial" if model is None else model.units).set_index("comparison_id", drop=False)

    def _model(self, at: int, analysis: str, name: str) -> Model | None:
        """A model as the protocol of one side has it, else as that of the other."""
        for side in (at, 1 - at):
            protocol = (self.old, self.new)[side].protocol
            row = self._pooled[side].get((analysis, name))
            if protocol is not None and row is not None and row["outcome"] in protocol.outcomes:
                models = protocol.models_of(row["outcome"], row["set"]) if row["set"] in protocol.sets else ()
                return next((model for model in models if model.name == name), None)
        return None

    def _trial(
        self, comparison: str, pools: Sequence[pd.DataFrame | None], outcome: str
    ) -> tuple[str, str, list[str], bool]:
        """What became of a comparison: name of its code, label, codes of its data, and whether these are the cause."""
        rows: list[Row | None] = [
            None if p is None or comparison not in p.index else records(p.loc[[comparison]])[0] for p in pools
        ]
        there = rows[1] if rows[1] is not None else rows[0]
        assert there is not None
        study, label = str(there["study_id"]), str(there["label"])
        if study not in self._studies[0]:
            return "trial_new", label, [], True
        if study not in self._studies[1]:
            return "trial_gone", label, [], True
        data = [one.code for one in self._rests_on(study, rows, outcome)]
        what = "trial_out" if rows[1] is None else "trial_in" if rows[0] is None else "trial_changed"
        return what, label, data, bool(data)

    def _rests_on(self, study: str, rows: Sequence[Row | None], outcome: str) -> list[Datum]:
        """Data of a trial that differ and that its effect rests on."""
        mine = [d for d in self.data if d.study == study and d.counts and d.file != "risk_of_bias.csv"]
        used = [set() if row is None else set(str(row["rows"]).split(", ")) for row in rows]
        windows = {f"{row['outcome']}.{row['window']}" for row in rows if row is not None}
        found = [
            d for d in mine
            if d.file == "studies.csv" or (not d.file and d.outcome in windows)
            or any(f"{d.file}:{d.rows[at]}" in used[at] for at in (0, 1))
        ]  # fmt: skip
        return found or [d for d in mine if d.file and d.outcome == outcome]

    def _alone(
        self, pools: Sequence[pd.DataFrame | None], changed: Sequence[str], before: Row, after: Row
    ) -> tuple[dict[str, Row], bool] | None:
        """What each change alone makes of the former estimate, and whether all together make the new one.

        Each is put into the former pool by itself, and pooled by the former model. None where the former estimate does
        not come out, as by a model that is not in the protocol (`bayes`).
        """
        model = self._model(0, before["analysis"], before["model"])
        old, new = pools
        if model is None or old is None or new is None or before["measure"] != after["measure"]:
            return None
        moved = new[new["comparison_id"].isin(changed)]
        union = pd.concat([old, moved], ignore_index=True)
        if not (np.isfinite(union["estimate"]).all() and (union["variance"] > 0).all()):
            return None
        names, at_first = union["comparison_id"].to_numpy(), np.arange(len(union)) < len(old)
        apart = [np.where(names == one, ~at_first, at_first) for one in changed]
        whole = np.where(np.isin(names, list(changed)), ~at_first, at_first)
        tried = [(one, mask) for one, mask in zip(["", *changed, "*"], [at_first, *apart, whole], strict=True)]
        tried = [(one, mask) for one, mask in tried if mask.any()]
        try:
            fit = refit(
                pooled_trials(union), model, mask=np.array([mask for _, mask in tried]), level=float(before["level"]),
                tau2_interval=False, bootstrap=False,
            )  # fmt: skip
        except (ValueError, ArithmeticError, LookupError, np.linalg.LinAlgError):  # numbers of a stranger
            return None
        numbers = {one: [float(getattr(fit, name)[at]) for name in _NATURAL] for at, (one, _) in enumerate(tried)}

        def near(one: str, row: Row) -> bool:
            given = [float(row[name]) for name in _NATURAL]
            return one in numbers and np.allclose(numbers[one], given, rtol=_NEAR, atol=_NEAR, equal_nan=True)

        if not near("", before):
            return None
        scale = str(before["scale"])
        rows = {one: _row(values, scale) for one, values in numbers.items()}
        was = row_text(rows[""])
        # The one that does most comes first.
        order = sorted((one for one in changed if one in rows), key=lambda one: -abs(numbers[one][0] - numbers[""][0]))
        return {one: rows[one] | {"was": was} for one in order}, near("*", after)


def _row(values: Iterable[float], scale: str) -> Row:
    """An effect with its interval as a row of a table has them, on the natural scale."""
    said = {f"{name}_natural": float(natural(value, scale)) for name, value in zip(_NATURAL, values, strict=True)}
    return {"scale": scale, **said}


def _changed(old: pd.DataFrame | None, new: pd.DataFrame | None) -> list[str]:
    """Comparisons of which only one pool has an effect, or which have another one; as the new pool has them."""
    here, there = ({} if pool is None else dict(pool.iterrows()) for pool in (old, new))

    def as_before(one: object) -> bool:
        if one not in here or one not in there:
            return False
        return all(same(here[one].get(name), there[one].get(name)) for name in _EFFECT)

    return [str(one) for one in dict.fromkeys([*there, *here]) if not as_before(one)]


def _keys_of(outcome: str, window: str, chosen: str) -> Callable[[str], bool]:
    """Whether an estimate of this outcome, window and set may rest on a key of the protocol."""
    own = {"outcomes": outcome, "windows": window, "sets": chosen}

    def of(key: str) -> bool:
        first, _, rest = key.partition(".")
        name, _, what = rest.partition(".")
        if key in _NO_EFFECT or first in _NO_EFFECT:
            return False
        if first in own and name != own[first] and not (first == "sets" and name == "main"):
            return False
        if first in own and what.partition(".")[0] in ("label", "note"):
            return False
        return not (first == "outcomes" and what.partition(".")[0] in _OF_OUTCOME)

    return of
