"""Without this trial: leave-one-out and influence diagnostics."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reweigh.pool.core import ALL_EQUAL, Pooled
from reweigh.pool.refit import Trials, refit
from reweigh.pool.tau2 import Floats
from reweigh.protocol.models import Model
from reweigh.text.codes import code


@dataclass(frozen=True, slots=True)
class Influence:
    """What each trial does to the pooled result; arrays (k,), NaN throughout where ``reason`` has the code of why."""

    #: Externally studentised residual: distance from the pooled effect of the others in its standard errors.
    rstudent: Floats
    dffits: Floats
    dfbetas: Floats
    cook_d: Floats
    #: Variance of the pooled effect without the trial over that with it.
    cov_r: Floats
    #: tau2 and Q without the trial.
    tau2_del: Floats
    q_del: Floats
    hat: Floats
    #: Percent.
    weight: Floats
    #: Baujat plot: squared Pearson residual, and squared standardised change of the pooled effect.
    baujat_x: Floats
    baujat_y: Floats
    influential: NDArray[np.bool_]
    reason: str


def generic(yi: ArrayLike, vi: ArrayLike, measure: str = "") -> Trials:
    """Trials of which effects and variances (k,), or (D, k), on the analysis scale are all that is known."""
    y, v = np.asarray(yi, dtype=np.float64), np.asarray(vi, dtype=np.float64)
    return Trials(measure, y, v, np.full((4, *y.shape), np.nan))


def leave_one_out(trials: Trials, model: Model, level: float = 0.95, mask: NDArray[np.bool_] | None = None) -> Pooled:
    """Pool all trials but one: row i of the result is without trial i, or as ``mask`` (D, k) says.

    Viechtbauer and Cheung 2010, Research Synthesis Methods 1:112-25; `leave1out` of metafor for every pooling.
    """
    inside = ~np.eye(trials.yi.shape[-1], dtype=bool) if mask is None else mask
    return refit(trials, model, mask=inside, level=level, bootstrap=False)


def only_inverse_variance(trials: Trials, model: Model) -> str:
    """Code of why what rests on weights 1/(vi + tau2) is not for this model, "" where it is."""
    pooling = model.for_measure(trials.measure).pooling
    return "" if pooling == "inverse variance" else code("not_for_pooling", pooling=pooling)


def influence(trials: Trials, model: Model, level: float = 0.95) -> Influence:
    """Influence diagnostics as metafor's `influence()` and `baujat()` define them, by the variance of the interval.

    Viechtbauer and Cheung 2010, Research Synthesis Methods 1:112-25; Baujat and others 2002, Statistics in Medicine
    21:2641-52.
    """
    y, v, k = trials.yi, trials.vi, len(trials.yi)
    full = refit(trials, model, level=level)
    reason = only_inverse_variance(trials, model)
    reason = reason or ("few_for_influence" if k < 3 else ALL_EQUAL if np.isnan(full.se[0]) else "")
    if reason:
        missing = np.full(k, np.nan)
        every: dict[str, Any] = dict.fromkeys((f.name for f in fields(Influence)), missing)
        return Influence(**every | {"influential": np.zeros(k, dtype=bool), "reason": reason})
    others = leave_one_out(trials, model, level)
    mu, variance, tau2 = full.estimate[0], full.se[0] ** 2, full.tau2[0]
    total = v + tau2
    hat = (1 / total) / (1 / total).sum()
    mu_del, variance_del, tau2_del = others.estimate, others.se**2, others.tau2
    all_w = 1 / (v + tau2_del[:, None])
    # What the interval method multiplies the Wald variance with.
    factor = variance_del * (all_w.sum(axis=1) - np.diagonal(all_w))
    change = mu - mu_del
    with np.errstate(divide="ignore", invalid="ignore"):
        rstudent = (y - mu_del) / np.sqrt(factor * (v + tau2_del) + variance_del)
        dffits = change / np.sqrt(factor * hat * (v + tau2_del))
        dfbetas = change / np.sqrt(factor / all_w.sum(axis=1))
        cook_d, cov_r = change**2 / variance, variance_del / variance
        baujat_y = change**2 / variance_del
    # The rules of thumb of metafor's influence().
    flagged = (
        (np.abs(dffits) > 3 * np.sqrt(1 / (k - 1)))
        | (special.chdtr(1, cook_d) > 0.5)
        | (hat > 3 / k)
        | (np.abs(dfbetas) > 1)
    )
    return Influence(
        rstudent, dffits, dfbetas, cook_d, cov_r, tau2_del, others.q, hat, 100 * hat, (y - mu) ** 2 / total, baujat_y,
        influential=flagged,
        reason="all_equal_without_one" if np.isnan(others.se).any() else "",
    )  # fmt: skip
