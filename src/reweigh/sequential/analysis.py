"""Trial sequential analysis of a cumulative meta-analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import scipy  # its parts load when they are used: optimize takes a while
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reweigh.pool.refit import Trials
from reweigh.protocol.models import Model
from reweigh.sequential.boundaries import (
    Boundaries,
    Futility,
    Spending,
    alpha_boundaries,
    exit_probabilities,
    fixed_drift,
    futility_boundaries,
)
from reweigh.sequential.cumulative import chronological, cumulative
from reweigh.sequential.inference import TOO_EXTREME, Stagewise, repeated_p, stagewise_inference
from reweigh.sequential.integration import Floats
from reweigh.text.codes import code, join

if TYPE_CHECKING:
    import pandas as pd

Verdict = Literal["upper", "lower", "futility", "none"]

TURNED: Mapping[Verdict, Verdict] = {"upper": "lower", "lower": "upper", "futility": "futility", "none": "none"}
#: A last look this close below the required information counts as having reached it.
_NEARLY = 1e-3


class NoAnalysisError(Exception):
    """There is no analysis; the code of the reason is its text (`reweigh.text.sequential`)."""


@dataclass(frozen=True, slots=True)
class Design:
    """What is fixed before the looks: errors, sides, spending, futility."""

    alpha: float = 0.05
    beta: float = 0.1
    sides: int = 2
    spending: Spending = "obrien-fleming"
    #: Exponent of the power family of spending functions.
    rho: float = 1.0
    #: Whether to compute (non-binding) futility boundaries, by spending beta.
    futility: bool = False
    beta_spending: Spending = "obrien-fleming"
    beta_rho: float = 1.0
    #: Whether to enlarge the required information so that the looks do not cost power.
    adjust_power: bool = False
    #: Looks that add less than this share of the required information are merged with the next.
    min_step: float = 0.01


@dataclass(frozen=True, slots=True)
class SequentialAnalysis:
    """A trial sequential analysis; arrays have one element per look, on the scale of the estimates.

    What cannot be computed is NaN; ``note`` (per look) and ``p_reason`` hold the codes of why. The classic plot is
    ``z`` against ``information`` with ``boundaries.upper`` and ``.lower`` against ``boundaries.fraction * required``
    (the planned final look included), the same of ``futility``, and the lines at -+ ``conventional``.
    """

    design: Design
    #: Required information, enlarged by ``inflation`` where the design asks for it.
    required: float
    inflation: float
    #: Power at the effect the required information was computed for, with these looks and one at the end of it.
    power: float
    #: +1 or -1: the sign of the effect that a one-sided design looks for.
    direction: int
    #: Critical |Z| of a single test.
    conventional: float
    #: Study ids that came with each look, dates of its last trial, and number of trials so far.
    study_id: tuple[tuple[str, ...], ...]
    date: tuple[Any, ...]
    trials: NDArray[np.intp]
    information: Floats
    fraction: Floats
    estimate: Floats
    se: Floats
    z: Floats
    upper: Floats
    lower: Floats
    futility_upper: Floats
    futility_lower: Floats
    alpha_spent: Floats
    beta_spent: Floats
    #: Repeated confidence interval: estimate -+ boundary * se; infinite on the open side of a one-sided design.
    ci_lower: Floats
    ci_upper: Floats
    note: tuple[str, ...]
    #: With the planned final look; in the direction +1 and in fractions of ``required``.
    boundaries: Boundaries
    futility: Futility | None
    #: First boundary crossed; efficacy counts before futility, which does not bind.
    verdict: Verdict
    crossed_look: int | None
    futility_look: int | None
    #: Whether the required information is reached.
    reached: bool
    #: Repeated p-value of the last look with a boundary: the smallest alpha at which that look would have crossed.
    p_value: float
    p_reason: str
    stagewise: Stagewise | None
    #: Study ids left out because they have no date.
    undated: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """One row per look."""
        import pandas as pd

        names = [
            *("trials", "information", "fraction", "estimate", "se", "z", "upper", "lower", "futility_upper"),
            *("futility_lower", "alpha_spent", "beta_spent", "ci_lower", "ci_upper"),
        ]
        columns: dict[str, Any] = {"look": np.arange(1, len(self.note) + 1), "date": list(self.date)}
        columns["study_id"] = ["; ".join(ids) for ids in self.study_id]
        return pd.DataFrame(columns | {n: getattr(self, n) for n in names} | {"note_codes": list(self.note)})


def merge_looks(information: ArrayLike, required: float, min_step: float = 0.01) -> NDArray[np.intp]:
    """Positions of the trials after which a look is taken.

    A look is due once ``min_step`` * ``required`` has come in since the last; the last trial always closes the
    last look. Raises ValueError where cumulative information does not grow or ``required`` is not above 0.
    """
    total = np.asarray(information, dtype=np.float64)
    if not (required > 0 and np.isfinite(required)):
        raise ValueError(f"the required information must be above 0 and finite, not {required}")
    if not min_step >= _NEARLY:
        raise ValueError(f"min_step must be at least {_NEARLY}, not {min_step}")
    steps = np.diff(total, prepend=0.0)
    for i in np.flatnonzero(~(steps > 0) | ~np.isfinite(total)).tolist():
        raise ValueError(f"cumulative information {total[i]} after trial {i} does not exceed what was there before")
    looks: list[int] = []
    before = 0.0
    for i, now in enumerate(total.tolist()):
        # 1e-12: a trial of exactly the smallest step counts, whatever its rounding.
        if now - before >= min_step * required * (1 - 1e-12):
            looks.append(i)
            before = now
    if total.size and (not looks or looks[-1] != total.size - 1):
        looks = [*looks[:-1], int(total.size) - 1]
    return np.asarray(looks, dtype=np.intp)


def sequential_analysis(
    estimate: ArrayLike,
    se: ArrayLike,
    information: ArrayLike,
    required: float,
    *,
    design: Design | None = None,
    direction: int = 1,
    null: float = 0.0,
    study_id: Sequence[str] | None = None,
    date: Sequence[Any] | None = None,
    undated: Sequence[str] = (),
) -> SequentialAnalysis:
    """Trial sequential analysis from cumulative results after each trial, in order of date.

    ``estimate`` and ``se`` of the cumulative meta-analysis on its analysis scale (log for ratios), cumulative
    ``information`` in the unit of ``required`` (participants, as a rule), all of shape (k,). ``null`` is the
    value of no effect; ``direction`` the sign of the effect a one-sided design looks for. A look beyond the
    required information spends all alpha; later ones have no boundary. Raises ValueError on impossible input,
    NoAnalysisError where there is no trial.

    Wetterslev, Thorlund, Brok and Gluud 2008, J Clin Epidemiol 61:64-75.
    """
    design = design or Design()
    mean, error, total = (np.asarray(a, dtype=np.float64) for a in (estimate, se, information))
    if mean.ndim != 1 or not mean.shape == error.shape == total.shape:
        raise ValueError(
            f"estimate, se and information must be of one length: {mean.shape}, {error.shape}, {total.shape}"
        )
    ids = [str(i) for i in range(mean.size)] if study_id is None else [str(i) for i in study_id]
    dates = [None] * mean.size if date is None else list(date)
    if not len(ids) == len(dates) == mean.size:
        raise ValueError(f"{mean.size} estimates, {len(ids)} study ids and {len(dates)} dates: lengths differ")
    for i in np.flatnonzero(~np.isfinite(mean) | ~(error > 0) | ~np.isfinite(error)):
        raise ValueError(f"cumulative estimate {mean[i]} with standard error {error[i]} after trial {i} is impossible")
    if direction not in (1, -1):
        raise ValueError(f"direction must be 1 or -1, not {direction}")
    at = merge_looks(total, required, design.min_step)
    if not at.size:
        raise NoAnalysisError("no_trials")

    inflation = _inflation(total[at] / required, design) if design.adjust_power else 1.0
    fraction = total[at] / (required * inflation)
    bounds, fut, power = _planned(fraction, design, inflation)
    reached = bool(fraction[-1] >= 1 - _NEARLY)

    # In the direction +1; the result of a one-sided design that looks for a decrease is turned over at the end.
    sign, n, two_sided = (direction if design.sides == 1 else 1), at.size, design.sides == 2
    z = sign * (mean[at] - null) / error[at]
    critical, missing = bounds.upper[:n], np.full(n, np.nan)
    inner = fut.upper[:n] if fut else missing
    margin = critical * error[at]
    size = np.abs(z) if two_sided else z
    crossed, futile = _first(size >= critical), _first(size <= inner)
    verdict: Verdict = "none" if futile is None else "futility"
    if crossed is not None:
        verdict = "upper" if z[crossed] > 0 else "lower"
    with_boundary = np.flatnonzero(np.isfinite(critical))
    p_value, p_reason, stagewise = np.nan, code("no_p_value", why=bounds.reason[n - 1]), None
    if with_boundary.size:
        now = int(with_boundary[-1])
        p_value, p_reason = repeated_p(z[now], bounds, now)
        stop = now if crossed is None else crossed
        stagewise = stagewise_inference(z[stop], bounds, stop, float(error[at[stop]]))
        low, high = _turned(sign, stagewise.ci_lower, stagewise.ci_upper)
        stagewise = replace(
            stagewise, estimate=null + sign * stagewise.estimate, ci_lower=null + low, ci_upper=null + high
        )
    nearly = reached and fraction[-1] < 1
    notes = [_note(bounds.reason[i], fut.reason[i] if fut else "", nearly and i == n - 1) for i in range(n)]
    starts = np.concatenate([[0], at[:-1] + 1])
    lower, upper = _turned(sign, -critical if two_sided else missing, critical)
    futility_lower, futility_upper = _turned(sign, -inner if two_sided else missing, inner)
    open_side = np.where(np.isnan(critical), np.nan, np.inf)
    ci_lower, ci_upper = _turned(sign, sign * mean[at] - margin, sign * mean[at] + (margin if two_sided else open_side))
    return SequentialAnalysis(
        design=design,
        required=required * inflation,
        inflation=inflation,
        power=power,
        direction=direction,
        conventional=float(-special.ndtri(design.alpha / design.sides)),
        study_id=tuple(tuple(ids[a : b + 1]) for a, b in zip(starts, at, strict=True)),
        date=tuple(dates[i] for i in at),
        trials=at + 1,
        information=total[at],
        fraction=fraction,
        estimate=mean[at],
        se=error[at],
        z=sign * z,
        upper=upper,
        lower=lower,
        futility_upper=futility_upper,
        futility_lower=futility_lower,
        alpha_spent=bounds.spent[:n],
        beta_spent=fut.spent[:n] if fut else missing,
        ci_lower=ci_lower,
        ci_upper=ci_upper,
        # The P value stands at every look.
        note=tuple(join([note, p_reason if p_reason == TOO_EXTREME else ""]) for note in notes),
        boundaries=bounds,
        futility=fut,
        verdict=TURNED[verdict] if sign < 0 else verdict,
        crossed_look=crossed,
        futility_look=futile,
        reached=reached,
        p_value=p_value,
        p_reason=p_reason,
        stagewise=stagewise,
        undated=tuple(str(i) for i in undated),
    )


def _turned(sign: int, low: Any, high: Any) -> tuple[Any, Any]:
    """Lower and upper limit, turned over around 0 where ``sign`` is -1."""
    return (low, high) if sign > 0 else (-high, -low)


def trial_sequential_analysis(
    trials: Trials,
    model: Model,
    participants: ArrayLike,
    date: Sequence[Any],
    study_id: Sequence[str],
    required: float,
    *,
    design: Design | None = None,
    direction: int = 1,
    null: float = 0.0,
) -> SequentialAnalysis:
    """Trial sequential analysis from the trials themselves.

    ``model`` of the cumulative meta-analysis; ``participants`` the information of each trial, shape (k,). Trials enter
    by date, ties by study id; undated ones are left out and listed. Raises ValueError on impossible input,
    NoAnalysisError where no trial has a date.

    Wetterslev, Thorlund, Brok and Gluud 2008, J Clin Epidemiol 61:64-75.
    """
    size = np.asarray(participants, dtype=np.float64)
    if not size.shape == trials.yi.shape == (len(study_id),):
        raise ValueError(f"{trials.yi.size} effects, {size.size} numbers of participants, {len(study_id)} study ids")
    order, without = chronological(date, study_id)
    for i in order[~(size[order] > 0) | ~np.isfinite(size[order])].tolist():
        raise ValueError(f"trial {study_id[i]} has {size[i]} participants")
    if not order.size:
        raise NoAnalysisError("no_dates" if len(study_id) else "no_trials")
    pooled = cumulative(trials, model, order)
    return sequential_analysis(
        pooled.estimate,
        pooled.se,
        np.cumsum(size[order]),
        required,
        design=design,
        direction=direction,
        null=null,
        study_id=[study_id[i] for i in order],
        date=[date[i] for i in order],
        undated=tuple(str(study_id[i]) for i in without),
    )


def _planned(fraction: Floats, design: Design, inflation: float) -> tuple[Boundaries, Futility | None, float]:
    """Boundaries, futility and power of the looks and a last one at the required information."""
    if 1 - _NEARLY <= fraction[-1] < 1:
        fraction = np.append(fraction[:-1], 1.0)
    if fraction[-1] < 1:
        fraction = np.append(fraction, 1.0)
    bounds = alpha_boundaries(fraction, design.alpha, sides=design.sides, spending=design.spending, rho=design.rho)
    drift = fixed_drift(design.alpha, design.beta, design.sides) * float(np.sqrt(inflation))
    if not design.futility:
        return bounds, None, float(exit_probabilities(bounds, drift)[0].sum())
    fut = futility_boundaries(bounds, design.beta, spending=design.beta_spending, rho=design.beta_rho, drift=drift)
    return bounds, fut, fut.power


def _inflation(fraction: Floats, design: Design) -> float:
    """Factor by which the required information must grow for these looks to leave the power at 1 - beta."""

    def gain(factor: float) -> float:
        return _planned(fraction / factor, design, factor)[2] - (1 - design.beta)

    # 1e-8: the power may jump where a look passes the required information, and the search then closes in on that.
    return 1.0 if gain(1.0) >= 0 else float(scipy.optimize.brentq(gain, 1.0, 4.0, xtol=1e-8))


def _first(condition: NDArray[np.bool_]) -> int | None:
    return int(np.argmax(condition)) if condition.any() else None


def _note(efficacy: str, futility: str, early: bool) -> str:
    return join(
        [
            code("boundary", why=efficacy) if efficacy else "",
            code("futility", why=futility) if futility and futility != efficacy else "",
            code("nearly_reached", share=_NEARLY) if early else "",
        ]
    )
