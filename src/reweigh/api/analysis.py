"""One meta-analysis for a notebook: `meta`, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from pydantic import ValidationError

from reweigh.api.frames import ATTRS, gather, numbers, one_of, refuse, row_names, said_by, table_of
from reweigh.api.printed import Parts, Printed, Shown, number, p_said, texts
from reweigh.api.results import INTERVALS, Egger, Regression, Subgroups, TrimFill, back, noted
from reweigh.api.sizes import MEASURE, NAMES, REASON, VI, YI
from reweigh.measures import MEASURE_LABELS, MEASURES, natural
from reweigh.pool import regression
from reweigh.pool import subgroups as by_group
from reweigh.pool.core import Pooled, check_choices
from reweigh.pool.refit import Trials, refit, trials_of
from reweigh.pool.summarise import notes_of, numbers_of
from reweigh.pool.tau2 import standard_error
from reweigh.protocol.models import INTERVAL_LABELS, PRESETS, Model, Pooling, PredictionInterval, Tau2
from reweigh.quantile import z_critical
from reweigh.robustness import adjusted, removal, small_study
from reweigh.text import pool as pool_text
from reweigh.text.codes import without, words
from reweigh.text.numbers import MINUS, Interval, difference_decimals, effect_text, interval_text, level_text
from reweigh.text.reproduction import TAU2 as TAU2_WORDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TAU2: Mapping[str, str] = {
    **{name: name for name in get_args(Tau2)},
    **{said: name for name, said in TAU2_WORDS.items()},
    **dict.fromkeys(("FE", "CE", "fixed", "common"), "EE"),
}
TESTS: Mapping[str, str] = {
    "wald": "wald", "z": "wald", "normal": "wald", "t": "t", "hartung-knapp": "hartung-knapp", "HK": "hartung-knapp",
    "knha": "hartung-knapp", "HKSJ": "hartung-knapp", "knapp-hartung": "hartung-knapp",
    "hartung-knapp guarded": "hartung-knapp guarded", "adhoc": "hartung-knapp guarded", "PL": "profile likelihood",
    "profile likelihood": "profile likelihood",
}  # fmt: skip
POOLINGS: Mapping[str, Pooling] = {
    "inverse variance": "inverse variance", "IV": "inverse variance", "mantel-haenszel": "mantel-haenszel",
    "MH": "mantel-haenszel", "peto": "peto",
}  # fmt: skip
PREDICTIONS: Mapping[str, PredictionInterval] = {
    "none": "none", "t(k-2)": "t(k-2)", "HTS": "t(k-2)", "t(k-1)": "t(k-1)", "hartung-knapp": "hartung-knapp",
    "HK": "hartung-knapp", "bootstrap": "bootstrap",
}  # fmt: skip
#: Arguments of `escalc`, and the columns of effects.csv that they are.
_ARMS = {
    f"{role}{group}": f"{column}_{arm}"
    for group, arm in (("1", "intervention"), ("2", "control"))
    for role, column in (("events", "events"), ("n", "n"), ("mean", "mean"), ("sd", "sd"), ("time", "person_time"))
}  # fmt: skip
LEFT_OUT = ("estimate", "se", "statistic", "p_value", "ci_lower", "ci_upper", "q", "q_p_value", "tau2", "i2", "h2")


def meta(
    data: pd.DataFrame | None = None,
    *,
    yi: object = None,
    vi: object = None,
    se: object = None,
    measure: str | None = None,
    label: object = None,
    method: str | None = None,
    test: str | None = None,
    prediction: str | None = None,
    pooling: str | None = None,
    model: Model | str | None = None,
    level: float = 0.95,
    missing: Literal["refuse", "drop"] = "refuse",
    title: str = "",
    unit: str = "",
) -> Meta:
    """Pool the effects of a table: REML with the Hartung-Knapp interval and its prediction interval, if not told else.

    Raises ValueError with every impossible value by row: effects or variances that are missing or no numbers, variances
    not above 0, rows of several measures; on an unknown method, or methods that do not go together.

    Parameters
    ----------
    data
        A table of `escalc`, or any table with effects and variances; none where they are given themselves.
    yi, vi, se
        Effects on the analysis scale, and their variances or standard errors: columns by name ("yi" and "vi" where not
        given), lists, arrays or Series.
    measure
        What the effects are (`escalc`); the column `measure` of the table, else "GIV", an effect on its natural scale.
    label
        Names of the trials; those that `escalc` was given, else the names of the rows.
    method
        tau2: REML, DL, PM, ML, EB, HE, HS, SJ, or EE (also FE, CE) for the common-effect model.
    test
        HK (also knha, HKSJ), adhoc (HK with a scale factor of at least 1), z, t, or PL (with ML); z for a common
        effect.
    prediction
        HK, t(k-2) (also HTS), t(k-1), bootstrap, none; HK beside an HK interval, else t(k-2).
    pooling
        IV, MH (of the counts that `escalc` was given) or peto.
    model
        Instead of these four: a preset ("cochrane", "revman-5" ...) or a `reweigh.protocol.models.Model`.
    missing
        "drop" leaves rows without an effect out; their names are in `left_out`.
    title, unit
        What figures and reports say above, and of a mean or mean difference.

    Examples
    --------
    >>> import reweigh as rw
    >>> m = rw.meta(yi=[0.1, 0.3, 0.35, 0.65], vi=[0.03, 0.04, 0.05, 0.01], method="DL", test="z")
    >>> round(m.estimate, 4), round(m.tau2, 4), m.k
    (0.3752, 0.0527, 4)
    """
    table = table_of(data)
    if missing not in ("refuse", "drop"):
        raise ValueError(f"missing {missing!r} is not known: use refuse or drop")
    if vi is not None and se is not None:
        raise ValueError("variances (vi) and standard errors (se) are given: one of the two")
    check_choices(level)
    chosen = _model(model, method=method, test=test, prediction=prediction, pooling=pooling)
    made = {} if table is None else dict(table.attrs.get(ATTRS, {}))
    made = {role: column for role, column in made.items() if table is not None and column in table}
    spread = "vi" if se is None else "se"
    given: dict[str, object] = {
        "yi": YI if yi is None else yi,
        spread: se if se is not None else VI if vi is None else vi,
    }
    lacking = [name for name, value in given.items() if isinstance(value, str) and value == name]
    if lacking and (table is None or any(name not in table for name in lacking)):
        names = [name for name in lacking if table is None or name not in table]
        whose = "there is no table" if table is None else "the table has no column of that name"
        raise ValueError(f"{' and '.join(names)}: {whose}: make it with escalc, or say which, as in yi=..., vi=...")
    named = made.get("label") if label is None else label
    asked = given if named is None else given | {"label": named}
    found = gather(table, asked)
    arms = {role: column for role, column in made.items() if role in _ARMS or role == "design"}
    rows = row_names(found.index, found["label"] if named is not None else None)
    problems: list[str] = []
    name = _measure(table, measure, rows, problems)
    y, v = (numbers(found[c], c, rows, problems) for c in ("yi", spread))
    problems += [f"{rows[i]}: {spread} = {v[i]:g} is not above 0" for i in np.flatnonzero(v <= 0)]
    v = v**2 if spread == "se" else v
    unknown = np.isnan(y) | np.isnan(v)
    if missing == "refuse":
        why = table[REASON].tolist() if table is not None and REASON in table else [""] * len(rows)
        lost = np.flatnonzero(found["yi"].isna() | found[spread].isna())
        problems += [f"{rows[i]}: no effect ({why[i] or f'yi or {spread} is missing'})" for i in lost]
        if lost.size:
            problems.append('missing="drop" leaves rows without an effect out')
    refuse(problems)
    used = found[~unknown]
    effects = pd.DataFrame(
        {
            "label": [str(one) for one in (used["label"] if named is not None else used.index)],
            "measure": name,
            "scale": MEASURES[name].scale,
            "estimate": y[~unknown],
            "variance": v[~unknown],
            "design": "",
        },
        index=used.index,
    )
    for role, column in arms.items():
        effects[_ARMS.get(role, role)] = table.loc[~unknown, column].to_numpy()  # type: ignore[union-attr]
    own = found if table is None else table
    names = pd.Index(effects["label"], name=named if isinstance(named, str) else None)
    return fitted(
        effects, own[~unknown], chosen, level=level, title=title, unit=unit,
        names=names if named is not None else used.index, left_out=found.index[unknown],
    )  # fmt: skip


def _measure(table: pd.DataFrame | None, measure: str | None, rows: Sequence[str], problems: list[str]) -> str:
    if measure is not None:
        return str(one_of(measure, "measure", NAMES))
    if table is None or MEASURE not in table:
        return "GIV"
    values = table[MEASURE]
    kinds = dict.fromkeys(values.dropna())
    if not kinds:
        return "GIV"
    first = next(iter(kinds))
    problems += [
        f"{row}: measure {value!r} beside {first!r}: one meta-analysis has one measure"
        for row, value in zip(rows, values, strict=True)
        if value != first
    ]
    return str(one_of(first, "the column measure:", NAMES))


def _model(model: Model | str | None, **given: str | None) -> Model:
    """The model that the arguments name."""
    if model is not None:
        refuse(f"model is given: {name} is part of it" for name, value in given.items() if value is not None)
        return model if isinstance(model, Model) else one_of(model, "model", PRESETS)
    pooling = one_of(given["pooling"] or "IV", "pooling", POOLINGS)
    tau2 = one_of(given["method"] or ("REML" if pooling == "inverse variance" else "EE"), "method", TAU2)
    usual = "wald" if tau2 == "EE" or pooling != "inverse variance" else "hartung-knapp"
    interval = one_of(given["test"] or usual, "test", TESTS)
    predicted = "hartung-knapp" if interval.startswith("hartung-knapp") else "t(k-2)"
    prediction = one_of(given["prediction"] or ("none" if tau2 == "EE" else predicted), "prediction", PREDICTIONS)
    try:
        return Model(name="", tau2=tau2, interval=interval, prediction_interval=prediction, pooling=pooling)
    except ValidationError as why:
        raise ValueError("\n".join(one.removeprefix("Value error, ") for one in said_by(why))) from None


class Words(NamedTuple):
    """What a forest plot calls the two groups, and what lies left and right of no effect."""

    groups: tuple[str, str] = ("Intervention", "Control")
    favours: tuple[str, str] = ("", "")


def fitted(
    effects: pd.DataFrame, data: pd.DataFrame, model: Model, *, level: float, names: pd.Index | None = None,
    title: str = "", unit: str = "", left_out: pd.Index | None = None, words_of: Words | None = None,
) -> Meta:  # fmt: skip
    """The meta-analysis of rows of effects.csv (label, measure, scale, estimate, variance; arms) by a model.

    `data`: the same rows with every column that subgroups and moderators may be taken from.
    """
    measure = str(effects["measure"].iloc[0]) if len(effects) else "GIV"
    trials = trials_of(effects) if len(effects) else removal.generic([], [], measure)
    own = model.for_measure(measure)
    result = refit(trials, own, level=level)
    values = numbers_of(result, 0, own)
    i2, h2 = (values[f"{name}_from_q" if own.tau2 == "EE" else name] for name in ("i2", "h2"))
    ones = np.ones((len(trials.yi), 1))
    inverse = own.pooling == "inverse variance" and len(trials.yi) > 1
    tau2_se = standard_error(own.tau2, trials.yi, trials.vi, values["tau2"], ones) if inverse else np.nan
    told = ("estimate", "se", "ci_lower", "ci_upper", "statistic", "df", "p_value", "pi_lower", "pi_upper", "tau2",
            "tau", "q", "q_p_value")  # fmt: skip
    return Meta(
        k=int(result.k[0]), **{n: float(values[n]) for n in told}, q_df=int(values["q_df"]), tau2_se=tau2_se,
        i2=float(i2), h2=float(h2), measure=measure, level=level, model=own,
        names=effects.index if names is None else names, left_out=pd.Index([]) if left_out is None else left_out,
        title=title, unit=unit, effects=effects, data=data, trials=trials, pooled=result, words=words_of or Words(),
    )  # fmt: skip


@dataclass(frozen=True, repr=False, eq=False)
class Meta(Printed):
    """One meta-analysis. Numbers are floats on the analysis scale (log for ratios), NaN where there is none."""

    #: Number of trials pooled.
    k: int
    estimate: float
    #: Standard error that the interval uses.
    se: float
    ci_lower: float
    ci_upper: float
    #: t with `df` degrees of freedom, or z where they are infinite.
    statistic: float
    df: float
    p_value: float
    pi_lower: float
    pi_upper: float
    tau2: float
    tau2_se: float
    tau: float
    #: Percent; from tau2 and the typical sampling variance, from Q for a common effect.
    i2: float
    h2: float
    q: float
    q_df: int
    q_p_value: float
    measure: str
    level: float
    model: Model
    #: Names of the trials: labels, or the row names of the table.
    names: pd.Index
    #: Row names of what had no effect.
    left_out: pd.Index
    title: str
    unit: str
    #: The rows that were pooled, as effects.csv has them, and as they were given.
    effects: pd.DataFrame
    data: pd.DataFrame
    #: The same for the functions of arrays, and their result.
    trials: Trials
    pooled: Pooled
    #: What a forest plot calls the groups, and the sides of no effect.
    words: Words

    # --- the result ---------------------------------------------------------------------------------------------

    @property
    def scale(self) -> str:
        """The analysis scale: natural, log, z or logit."""
        return MEASURES[self.measure].scale

    @property
    def weights(self) -> pd.Series:
        """Weight of each trial in percent."""
        return pd.Series(self.pooled.weights[0][: len(self.names)], index=self.names, name="weight", dtype=float)

    @property
    def reason(self) -> str:
        """What is missing and why, and what the result should be read with, in words; else empty."""
        return words(self._codes, pool_text.SENTENCES)

    @property
    def _codes(self) -> str:
        found = notes_of(self.pooled, 0, {"tau2": self.tau2}, self.model, self.measure)
        return without(found, "common_effect") if self.model.tau2 == "EE" else found

    def natural(self) -> pd.Series:
        """Estimate, confidence and prediction limits on the natural scale (the ratio, not its logarithm)."""
        values = [getattr(self, name) for name in ("estimate", *INTERVALS)]
        return pd.Series(natural(values, self.scale), index=["estimate", *INTERVALS], name=self.measure)

    def predict(self, *, natural: bool = False) -> pd.Series:
        """Mean effect with its interval, and the prediction interval: where the effect of a new trial would lie."""
        if natural:
            return self.natural()
        return pd.Series({name: getattr(self, name) for name in ("estimate", "se", *INTERVALS)}, name=self.measure)

    def tau2_ci(self) -> pd.DataFrame:
        """Intervals of the heterogeneity by Q-profile (Viechtbauer 2007), never capped: tau2, tau, i2, h2."""
        rows = {}
        low, high = float(self.pooled.tau2_ci_lower[0]), float(self.pooled.tau2_ci_upper[0])
        rows["tau2"], rows["tau"] = (self.tau2, low, high), (self.tau, low**0.5, high**0.5)
        for name in ("i2", "h2"):
            ends = (float(getattr(self.pooled, f"{name}_tau2_ci_{end}")[0]) for end in ("lower", "upper"))
            rows[name] = (getattr(self, name), *ends)
        return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "ci_lower", "ci_upper"])

    def to_frame(self, *, natural: bool = False) -> pd.DataFrame:
        """One row with every number, to be put below others; or the estimate and limits on the natural scale."""
        row = {
            "measure": self.measure, "k": self.k, "estimate": self.estimate, "se": self.se, "ci_lower": self.ci_lower,
            "ci_upper": self.ci_upper, "statistic": self.statistic, "df": self.df, "p_value": self.p_value,
            "pi_lower": self.pi_lower, "pi_upper": self.pi_upper, "tau2": self.tau2, "tau2_se": self.tau2_se,
            "tau": self.tau, "i2": self.i2, "h2": self.h2, "q": self.q, "q_df": self.q_df, "q_p_value": self.q_p_value,
            "tau2_method": self.model.tau2, "ci_method": self.model.interval, "pooling": self.model.pooling,
            "level": self.level,
        }  # fmt: skip
        found = pd.DataFrame([row], index=pd.Index([self.title or self.measure]))
        return back(found, self.scale) if natural else found

    def trial_table(self, *, natural: bool = False) -> pd.DataFrame:
        """One row per trial: effect, standard error, Wald interval, weight in percent."""
        y, se = self.trials.yi, np.sqrt(self.trials.vi)
        half = z_critical(self.level) * se
        table = pd.DataFrame({"estimate": y, "se": se, "ci_lower": y - half, "ci_upper": y + half}, index=self.names)
        return (back(table, self.scale) if natural else table).assign(weight=self.weights.to_numpy())

    # --- what can be asked of it ---------------------------------------------------------------------------------

    def leave_one_out(self, *, natural: bool = False) -> pd.DataFrame:
        """The result without each trial, a row each (metafor's `leave1out`)."""
        if not len(self.names):
            return pd.DataFrame(columns=list(LEFT_OUT), index=self.names, dtype=float)
        found = removal.leave_one_out(self.trials, self.model, self.level)
        rows = [numbers_of(found, at, self.model) for at in range(len(self.names))]
        table = pd.DataFrame(rows, index=self.names)
        if self.model.tau2 == "EE":
            table = table.assign(i2=table["i2_from_q"], h2=table["h2_from_q"])
        return back(table[["estimate", "ci_lower", "ci_upper"]], self.scale) if natural else table[list(LEFT_OUT)]

    def influence(self) -> pd.DataFrame:
        """Influence diagnostics of each trial, as metafor's `influence` and `baujat` define them."""
        found = asdict(removal.influence(self.trials, self.model, self.level))
        return pd.DataFrame({name: v for name, v in found.items() if name != "reason"}, index=self.names)

    def subgroups(self, by: object, *, tau2: Literal["separate", "common"] = "separate") -> Subgroups:
        """Pool each subgroup and test the differences between them.

        `by`: a column of the table, a list or a Series; `tau2`: each its own, or one for all. Raises ValueError on a
        trial without a value, by name.
        """
        name, values = self._grouped(by)
        found = by_group.subgroups(self.trials, values.tolist(), self.model, tau2=tau2, level=self.level)
        rows = self._subgroup_rows(found)
        columns = ["k", "estimate", "se", "ci_lower", "ci_upper", "p_value", "pi_lower", "pi_upper", "tau2", "i2"]
        table = pd.DataFrame(rows, index=pd.Index(found.labels, name=name))[columns]
        said = words(found.reason, pool_text.SENTENCES)
        test = (found.q_between, found.q_between_df, found.q_between_p_value)
        return Subgroups(name, table, self.scale, *test, said)

    def _grouped(self, by: object) -> tuple[str, pd.Series]:
        name = by if isinstance(by, str) else str(getattr(by, "name", None) or "group")
        values = self._column(name, by)
        refuse(f"{row}: no value of {name}" for row, lost in zip(self._rows, values.isna(), strict=True) if lost)
        return name, values

    def _subgroup_rows(self, found: by_group.Subgroups) -> list[dict[str, Any]]:
        rows = []
        for at in range(len(found.labels)):
            values = numbers_of(found.pooled, at, self.model)
            k = int(found.pooled.k[at])
            i2 = values["i2_from_q"] if self.model.tau2 == "EE" else values["i2"]
            codes = notes_of(found.pooled, at, values, self.model, self.measure)
            rows.append(values | {"k": k, "comparisons": k, "i2": i2, "note_codes": codes})
        return rows

    def regress(
        self, by: object, *, intercept: bool = True, test: str | None = None,
        reference: Mapping[str, str] | None = None, permutations: int = 0, seed: int = 0,
    ) -> Regression:  # fmt: skip
        """Meta-regression on one or more moderators, with the tau2 estimator and the test of this analysis.

        Numbers are continuous, words are categories against the `reference` (by moderator; else the first category, or
        the first in alphabetical order). Raises ValueError on a trial without a value, by name, and on too few trials
        or dependent columns.

        Parameters
        ----------
        by
            A column of the table, several, a Series, a table, or a mapping of names to values.
        test
            HK, t or z; where not given that of this analysis (HK for adhoc, z for PL).
        permutations, seed
            As in `reweigh.pool.regression.meta_regression`.
        """
        if self.model.pooling != "inverse variance":
            raise ValueError(f"meta-regression is by inverse variance, not {self.model.pooling}")
        given = {name: self._column(name, value) for name, value in self._moderators(by).items()}
        refuse(
            f"{row}: no value of {name}"
            for name, values in given.items()
            for row, lost in zip(self._rows, values.isna(), strict=True)
            if lost
        )
        moderators, levels, first = {}, {}, dict(reference or {})
        for name, values in given.items():
            if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
                moderators[name], levels[name] = values.to_numpy(dtype=float), ()
                continue
            moderators[name] = values.astype(str).to_numpy(dtype=object)
            known = sorted(set(moderators[name]))
            if isinstance(values.dtype, pd.CategoricalDtype):
                known = [str(one) for one in values.cat.categories if str(one) in known]
            start = first.setdefault(name, known[0]) if known else ""
            levels[name] = (start, *sorted(set(known) - {start}))
        interval = one_of(test or self.model.interval, "test", TESTS)
        used = {"hartung-knapp guarded": "hartung-knapp", "profile likelihood": "wald"}.get(interval, interval)
        y, v = self.trials.yi, self.trials.vi
        fit = regression.meta_regression(
            y, v, moderators, reference=first, intercept=intercept, tau2_method=self.model.tau2, test=used,
            level=self.level, minimum=None, permutations=permutations, seed=seed,
        )  # fmt: skip
        return Regression(fit, self.scale, levels, standard_error(self.model.tau2, y, v, fit.tau2, fit.x))

    @staticmethod
    def _moderators(by: object) -> dict[str, object]:
        if isinstance(by, str):
            return {by: by}
        if isinstance(by, pd.DataFrame):
            return {str(name): by[name] for name in by}
        if isinstance(by, pd.Series):
            return {str(by.name or "moderator"): by}
        if isinstance(by, Mapping):
            return {str(name): value for name, value in by.items()}
        if isinstance(by, Sequence) and all(isinstance(one, str) for one in by):
            return {str(one): one for one in by}
        raise TypeError("moderators are columns by name, a Series, a table, or a mapping of names to values")

    def egger(self, *, model: Literal["lm", "rma"] = "lm") -> Egger:
        """Egger's regression test of funnel plot asymmetry.

        "lm": the classic one, weighted least squares with t; "rma": mixed effects with z (metafor's default).
        """
        found = small_study.egger(self.trials.yi, self.trials.vi, model=model, level=self.level)
        return Egger(**asdict(found), level=self.level)

    def trim_fill(self, *, estimator: Literal["L0", "R0"] = "L0", side: str | None = None) -> TrimFill:
        """Trim and fill (Duval and Tweedie 2000), pooled by this model; `side` where they are missing: left, right."""
        found = adjusted.trim_and_fill(self.trials, self.model, estimator=estimator, side=side, level=self.level)
        names = pd.Index([f"filled {i + 1}" for i in range(len(found.filled_yi))])
        filled = pd.DataFrame({YI: found.filled_yi, VI: found.filled_vi}, index=names)
        whole = None
        if found.pooled is not None:
            kept = self.effects[["label", "measure", "scale", "estimate", "variance", "design"]]
            more = pd.DataFrame(
                {"label": names, "measure": self.measure, "scale": self.scale, "estimate": found.filled_yi,
                 "variance": found.filled_vi, "design": ""}, index=names,
            )  # fmt: skip
            both = pd.concat([kept, more]) if len(more) else kept
            whole = fitted(both, both, self.model, level=self.level, title=self.title, unit=self.unit)
        return TrimFill(
            found.estimator, found.side, found.k0, found.k0_se, found.k0_p_value, whole, filled, found.reason
        )  # fmt: skip

    def _column(self, name: str, value: object) -> pd.Series:
        """Values for the trials: a column, or a Series by the names of the rows; those left out may be in it, too."""
        if isinstance(value, (pd.Series, pd.DataFrame)) and len(self.left_out):
            value = value.drop(index=[one for one in self.left_out if one in value.index])
        return gather(self.data, {name: value})[name]

    @property
    def _rows(self) -> list[str]:
        return row_names(self.effects.index, self.effects["label"])

    # --- print and draw ------------------------------------------------------------------------------------------

    def _parts(self) -> Parts:
        yield from ([self.title] if self.title else [])
        what = MEASURE_LABELS.get(self.measure, self.measure)
        unit = f" ({self.unit})" if self.unit else ""
        on = {"natural": "", "log": ", log scale", "z": ", Fisher's z", "logit": ", logit scale"}[self.scale]
        yield f"{self._kind()}\n{self.measure}: {what.lower() if what != self.measure else what}{unit}{on}"
        if self.k > 1:
            yield "\n".join(self._heterogeneity())
            yield f"Test for heterogeneity: Q(df = {self.q_df}) = {number(self.q)}, {p_said(self.q_p_value)}"
        row = {"estimate": self.estimate, "se": self.se}
        row |= {"t": self.statistic, "df": self.df} if np.isfinite(self.df) else {"z": self.statistic}
        row |= {"p_value": self.p_value, "ci_lower": self.ci_lower, "ci_upper": self.ci_upper}
        yield texts(pd.DataFrame([row], index=[""]))
        lines = []
        if np.isfinite(self.pi_lower):
            ends = f"{number(self.pi_lower)} to {number(self.pi_upper)}"
            lines.append(f"{level_text(self.level)} prediction interval: {ends}")
        if self.scale != "natural" and np.isfinite(self.estimate):
            lines.append(self._back_transformed())
        yield "\n".join(lines)
        gone = [f"Left out, no effect: {', '.join(map(str, self.left_out))}"] if len(self.left_out) else []
        yield "\n".join([*gone, *filter(None, [noted(self._codes)])])

    def _kind(self) -> str:
        own = self.model
        pooled = {"inverse variance": "", "peto": "Peto's method", "mantel-haenszel": "Mantel-Haenszel"}[own.pooling]
        how = [f"k = {self.k}", *([] if own.tau2 == "EE" else [f"tau2 by {own.tau2}"]), *filter(None, [pooled])]
        how.append(f"{level_text(self.level)} interval by {INTERVAL_LABELS[own.interval]}")
        return f"{'Common-effect' if own.tau2 == 'EE' else 'Random-effects'} model ({', '.join(how)})"

    def _heterogeneity(self) -> list[str]:
        lines = []
        if self.model.tau2 != "EE":
            se = "" if np.isnan(self.tau2_se) else f" (SE {number(self.tau2_se)})"
            lines = [f"tau2 (between-trial variance):      {number(self.tau2)}{se}"]
            lines += [f"tau  (its square root):             {number(self.tau)}"]
        lines += [f"I2   (heterogeneity / variability): {number(self.i2, 2)}%"]
        return [*lines, f"H2   (variability / sampling):      {number(self.h2, 2)}"]

    def _back_transformed(self) -> str:
        v = self.natural()
        decimals = None if self.scale == "log" else difference_decimals((v["ci_upper"] - v["ci_lower"]) / 2)
        said = effect_text(v["estimate"], v["ci_lower"], v["ci_upper"], decimals=decimals)
        ends = interval_text(v["pi_lower"], v["pi_upper"], decimals=decimals, interval=Interval("", " to ", ""))
        predicted = f", prediction interval {ends}" if np.isfinite(v["pi_lower"]) else ""
        return f"Natural scale: {self.measure} {said}{predicted}".replace(MINUS, "-")

    def summary(self) -> Printed:
        """What `print` shows, then the intervals of the heterogeneity and every trial with its weight."""
        parts = [*self._parts()]
        if self.model.tau2 != "EE" and self.k > 1:
            parts += [f"Heterogeneity with {level_text(self.level)} intervals (Q-profile)", texts(self.tau2_ci())]
        if len(self.names):
            parts += ["Trials", texts(self.trial_table(), {"weight": 2})]
        return Shown(*parts)

    def forest(
        self, ax: Axes | None = None, *, by: object = None, favours: tuple[str, str] | None = None,
        groups: tuple[str, str] | None = None,
    ) -> Figure:  # fmt: skip
        """A forest plot: as a figure of its own, or on `ax`, which then keeps its size and has the trials as y ticks.

        `by` splits the trials into subgroups, `groups` names the two arms (both in a figure of its own only); `favours`
        says what lies left and right of no effect. Raises ValueError where there is no trial.
        """
        from reweigh.api import plots

        return plots.forest(self, ax, by, Words(groups or self.words.groups, favours or self.words.favours))

    def funnel(self, ax: Axes | None = None, *, contours: bool = False, fill: bool = False) -> Figure:
        """A funnel plot, on its own or on `ax`; `contours` around no effect; `fill` adds what trim and fill imputes."""
        from reweigh.api import plots

        return plots.funnel(self, ax, contours, fill)

    def report(self, path: str | Path) -> Path:
        """Write the analysis as one HTML file: result, plots, trials, leave-one-out; nothing is fetched by it."""
        from reweigh.api import plots

        path = Path(path)
        path.write_text(plots.page(self), encoding="utf-8")
        return path
