"""Pooled effects adjusted for small-study effects: trim and fill, PET-PEESE, selection model, limit, fail-safe N."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import scipy  # its parts load when they are used: optimize takes a while
from numpy.typing import ArrayLike
from scipy import special

from reweigh.pool.core import Pooled
from reweigh.pool.refit import Trials, refit
from reweigh.pool.regression import meta_regression
from reweigh.pool.tau2 import Floats, residuals
from reweigh.protocol.models import Model
from reweigh.quantile import two_sided_p
from reweigh.robustness.removal import generic, only_inverse_variance
from reweigh.robustness.small_study import AsymmetryTest, _line, fit_line, pair, regression_test
from reweigh.text.codes import code, join

FAIL_SAFE_WARNING = "fail_safe_discouraged"
_MAX_ROUNDS = 100
UNSELECTED = Model(name="without selection", tau2="ML", interval="wald")
"""The selection model with the same weight for every result."""


@dataclass(frozen=True, slots=True)
class TrimFill:
    """Trim and fill; NaN where ``reason`` has the code of why."""

    estimator: str
    #: Where trials are missing: "left" or "right".
    side: str
    k0: int
    k0_se: float
    #: One-sided p of H0: no trial is missing; R0 only.
    k0_p_value: float
    #: Pooled with the filled trials; None where the algorithm fails.
    pooled: Pooled | None
    filled_yi: Floats
    filled_vi: Floats
    reason: str


@dataclass(frozen=True, slots=True)
class PetPeese:
    """PET and PEESE intercepts: ``limit`` of two regression tests, and which of them is to be read."""

    pet: AsymmetryTest
    peese: AsymmetryTest
    chosen: str
    reason: str


@dataclass(frozen=True, slots=True)
class SelectionModel:
    """Three-parameter step-function selection model; NaN where ``reason`` has the code of why."""

    step: float
    alternative: str
    estimate: float = np.nan
    se: float = np.nan
    ci_lower: float = np.nan
    ci_upper: float = np.nan
    p_value: float = np.nan
    tau2: float = np.nan
    #: Likelihood of a result above the step to be reported, against one below.
    delta: float = np.nan
    delta_se: float = np.nan
    log_likelihood: float = np.nan
    #: Likelihood ratio test of no selection, chi2 with 1 degree of freedom.
    lrt: float = np.nan
    lrt_p_value: float = np.nan
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LimitMeta:
    """Limit meta-analysis; one adjusted effect per method ("beta0", "betalim", "mulim")."""

    method: str
    #: Effects of the trials shrunken to infinite precision.
    limits: Floats
    estimate: float = np.nan
    se: float = np.nan
    ci_lower: float = np.nan
    ci_upper: float = np.nan
    p_value: float = np.nan
    alpha_r: float = np.nan
    beta_r: float = np.nan
    q: float = np.nan
    q_small: float = np.nan
    q_resid: float = np.nan
    #: Share of the variance that small-study effects leave unexplained (G2), in percent.
    g2: float = np.nan
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FailSafe:
    """Fail-safe N: how many trials of no effect would undo the result, with the warning that belongs to it."""

    method: str
    n: float
    p_value: float
    target: float
    warning: str
    reason: str


def trim_and_fill(
    trials: Trials, model: Model, *, estimator: str = "L0", side: str | None = None, level: float = 0.95
) -> TrimFill:
    """Impute the trials that an asymmetric funnel lacks, and pool again by the model.

    ``estimator`` "L0" or "R0"; ``side`` "left", "right", or None for the side opposite to the slope of the effects on
    their standard errors. Raises ValueError on an unknown option. Duval and Tweedie 2000, Biometrics 56:455-63.
    """
    y, v, k = trials.yi, trials.vi, len(trials.yi)
    if estimator not in ("L0", "R0") or side not in (None, "left", "right"):
        raise ValueError(f"estimator {estimator!r} or side {side!r} is not known: L0, R0; left, right or None")
    none = np.zeros(0)
    reason = only_inverse_variance(trials, model)
    if not reason and (k < 3 or np.ptp(y) == 0):
        reason = code("few_for_trim_and_fill", k=k) if k < 3 else "nothing_to_trim"
    if reason:
        return TrimFill(estimator, side or "", 0, np.nan, np.nan, None, none, none, reason)
    if side is None:
        # Equal standard errors have no slope: metafor and we then look on the left.
        x = np.sqrt(v)
        slope = 0.0
        if np.ptp(x) > 1e-10 * x.max():
            slope = float(meta_regression(y, v, {"sei": x}, tau2_method=model.tau2, minimum=None).estimate[1])
        side = "right" if slope < 0 else "left"
    sign = -1.0 if side == "right" else 1.0
    order = np.argsort(sign * y, kind="stable")
    turned, variance = sign * y[order], v[order]
    k0, k0_se, centre = 0, np.nan, np.nan
    by_size = replace(trials, yi=turned, vi=variance)
    for _ in range(_MAX_ROUNDS):
        before = k0
        centre = float(refit(by_size.take(np.arange(k - k0)), model, level=level).estimate[0])
        k0, k0_se = _missing_trials(turned - centre, estimator)
        if k0 == before:
            break
    else:
        return TrimFill(estimator, side, k0, np.nan, np.nan, None, none, none, "trim_and_fill_no_end")
    filled = sign * (2 * centre - turned[k - k0 :]) if k0 else none
    filled_v = variance[k - k0 :] if k0 else none
    both = generic(np.concatenate([y, filled]), np.concatenate([v, filled_v]), trials.measure)
    result = refit(both, model, level=level)
    p = 0.5 ** (k0 + 1) if estimator == "R0" else np.nan
    reason = "" if np.isfinite(k0_se) else "k0_variance_negative"
    return TrimFill(estimator, side, k0, k0_se, p, result, filled, filled_v, reason)


def _missing_trials(centred: Floats, estimator: str) -> tuple[int, float]:
    """Number of missing trials on the left and its standard error, from sorted effects around the trimmed mean."""
    k = len(centred)
    rank = np.empty(k)
    rank[np.argsort(np.abs(centred), kind="stable")] = np.arange(1, k + 1)
    signed = np.sign(centred) * rank
    if estimator == "R0":
        k0 = k - max(0.0, float(-signed[signed < 0].min(initial=0.0))) - 1
        return max(0, round(k0)), math.sqrt(2 * max(0.0, k0) + 2)
    total = float(signed[signed > 0].sum())
    k0 = (4 * total - k * (k + 1)) / (2 * k - 1)
    variance = k * (k + 1) * (2 * k + 1) + 10 * k0**3 + 27 * k0**2 + 17 * k0 - 18 * k * k0**2 - 18 * k * k0
    variance = (variance + 6 * k**2 * k0) / 24
    return max(0, round(k0)), 4 * math.sqrt(variance) / (2 * k - 1) if variance >= 0 else np.nan


def pet_peese(yi: ArrayLike, vi: ArrayLike, *, level: float = 0.95, alpha: float = 0.1) -> PetPeese:
    """PET and PEESE by weighted least squares; PEESE is read where the PET intercept has two-sided p < ``alpha``.

    ``yi``, ``vi`` (k,) on the analysis scale. Stanley and Doucouliagos 2014, Research Synthesis Methods 5:60-78.
    """
    pet, peese = (regression_test(yi, vi, predictor=x, level=level) for x in ("sei", "vi"))
    if pet.reason:
        return PetPeese(pet, peese, "", pet.reason)
    p = float(two_sided_p(np.array([pet.limit / pet.limit_se]), np.array([pet.df]))[0])
    return PetPeese(pet, peese, "PEESE" if p < alpha else "PET", peese.reason)


def selection_model(
    yi: ArrayLike, vi: ArrayLike, *, step: float = 0.025, alternative: str = "greater", level: float = 0.95
) -> SelectionModel:
    """Three-parameter selection model by maximum likelihood: mean, tau2, one weight above a one-sided p.

    ``alternative``: the direction in which a result is "significant", "greater" or "less". ``yi``, ``vi`` (k,) on the
    analysis scale. Raises ValueError on an unknown option. Vevea and Hedges 1995, Psychometrika 60:419-35.
    """
    y, v = pair(yi, vi)
    if alternative not in ("greater", "less") or not 0 < step < 1:
        raise ValueError(f"alternative {alternative!r} (greater or less) with step {step} (0 to 1) is not possible")
    nothing = SelectionModel(step, alternative)
    sign = 1.0 if alternative == "greater" else -1.0
    critical = special.ndtri(1 - step) * np.sqrt(v)
    above = sign * y < critical
    if len(y) < 4 or above.all() or not above.any():
        where = "above" if above.all() else "below"
        few = code("few_for_selection", k=len(y))
        return replace(nothing, reason=few if len(y) < 4 else code("no_weight", where=where, step=step))
    model = _Selection(sign * y, v, critical, above)
    best, highest = _fit_selection(model)
    if best is None:
        return replace(nothing, reason="no_inner_maximum")
    boundary = bool(best[1] == 0)
    hessian = model.hessian(best)
    free = [0, 2] if boundary else [0, 1, 2]
    covariance = np.full((3, 3), np.nan)
    covariance[np.ix_(free, free)] = np.linalg.inv(-hessian[np.ix_(free, free)])
    mu, tau2, delta = sign * best[0], best[1], best[2]
    variances = np.where(np.diag(covariance) > 0, np.diag(covariance), np.nan)
    se, delta_se = math.sqrt(variances[0]), math.sqrt(variances[2])
    half = special.ndtri((1 + level) / 2) * se
    plain = refit(generic(y, v), UNSELECTED)
    null = model.value(np.array([sign * plain.estimate[0], plain.tau2[0], 1.0]))
    height = model.value(best)
    lrt = max(0.0, 2 * (height - null))
    reasons = ["tau2_at_edge"] if boundary else []
    if highest is not None and model.value(highest) > height + 1e-6:
        higher = {"estimate": sign * highest[0], "tau2": highest[1], "delta": highest[2]}
        higher |= {"higher": model.value(highest) - height}
        reasons.append(code("higher_maximum", **{name: float(value) for name, value in higher.items()}))
    return SelectionModel(
        step, alternative, float(mu), se, float(mu - half), float(mu + half),
        float(two_sided_p(np.array([mu / se]), np.array([np.inf]))[0]), float(tau2), float(delta), delta_se,
        float(height), lrt, float(special.chdtrc(1, lrt)), join(reasons),
    )  # fmt: skip


class _Selection:
    """Log-likelihood of (mean, tau2, delta) and its derivatives, for results that select for large values."""

    def __init__(self, y: Floats, v: Floats, critical: Floats, above: np.ndarray) -> None:
        self.y, self.v, self.critical, self.n_above = y, v, critical, int(above.sum())

    def value(self, at: Floats) -> float:
        mu, tau2, delta = at
        total = self.v + tau2
        s = np.sqrt(total)
        z = (self.y - mu) / s
        area = self._area(mu, s, delta)
        constant = len(self.y) * math.log(2 * math.pi) / 2
        return float(self.n_above * np.log(delta) - (np.log(s) + z * z / 2 + np.log(area)).sum() - constant)

    def _area(self, mu: float, s: Floats, delta: float) -> Floats:
        x = (self.critical - mu) / s
        return np.asarray(special.ndtr(-x) + delta * special.ndtr(x))

    def gradient(self, at: Floats) -> Floats:
        mu, tau2, delta = at
        total = self.v + tau2
        s = np.sqrt(total)
        z, x = (self.y - mu) / s, (self.critical - mu) / s
        area = self._area(mu, s, delta)
        slope = (1 - delta) * np.exp(-x * x / 2) / math.sqrt(2 * math.pi) / area
        return np.array(
            [
                (z / s - slope / s).sum(),
                ((z * z - 1) / (2 * total) - slope * x / (2 * total)).sum(),
                self.n_above / delta - (special.ndtr(x) / area).sum(),
            ]
        )

    def hessian(self, at: Floats) -> Floats:
        """Central differences of the gradient, Richardson's extrapolation of two steps."""
        columns = []
        for i in range(3):
            size = max(abs(float(at[i])), math.sqrt(float(np.median(self.v))) if i == 0 else 1e-3)
            h = 1e-3 * size if i == 0 else min(1e-3 * size, float(at[i]) / 4 if at[i] > 0 else 1e-3 * size)
            # On the boundary of tau2 only the other two columns are used.
            step = np.eye(3)[i] * h
            with np.errstate(all="ignore"):
                wide = (self.gradient(at + step) - self.gradient(at - step)) / (2 * h)
                close = (self.gradient(at + step / 2) - self.gradient(at - step / 2)) / h
            columns.append((4 * close - wide) / 3)
        matrix = np.column_stack(columns)
        return np.asarray((matrix + matrix.T) / 2)


def _fit_selection(model: _Selection) -> tuple[Floats | None, Floats | None]:
    """The maximum uphill of the model without selection, and the highest that further starts reach; None if none."""
    y, v = model.y, model.v
    plain = refit(generic(y, v), UNSELECTED)
    tau2, scale = float(plain.tau2[0]), float(np.median(v))
    first = _climb(model, float(plain.estimate[0]), max(tau2, 1e-3 * scale), 1.0)
    found = [first] if first is not None else []
    for delta in (0.02, 0.2, 5.0):
        for t in (tau2 + 0.01 * scale, 0.2 * tau2 + 0.1 * scale):
            other = _climb(model, float(residuals(y[None], v[None], np.array([t]))[2][0]), t, delta)
            found += [other] if other is not None else []
    highest = max(found, key=model.value, default=None)
    return (first if first is not None else highest), highest


def _climb(model: _Selection, mean: float, tau2: float, delta: float) -> Floats | None:
    """Maximum uphill of a start, at tau2 = 0 where it leads there; None if it lies at a bound."""
    y, scale = model.y, float(np.median(model.v))
    reach = 5 * float(np.ptp(y)) + 5 * math.sqrt(scale)
    bounds = [
        (y.min() - reach, y.max() + reach),
        (math.log(1e-5), math.log(100.0)),
        (math.log(scale) - 25, math.log(scale) + 12),
    ]
    point = np.array([mean, math.log(delta), math.log(tau2)])
    for free in (True, False):
        parts = 3 if free else 2

        def natural(p: Floats, free: bool = free) -> Floats:
            return np.array([p[0], math.exp(p[2]) if free else 0.0, math.exp(p[1])])

        def loss(p: Floats, free: bool = free, parts: int = parts) -> tuple[float, Floats]:
            at = natural(p, free)
            g = model.gradient(at)
            return -model.value(at), -np.array([g[0], g[2] * at[2], g[1] * at[1]])[:parts]

        end = scipy.optimize.minimize(loss, point[:parts], jac=True, method="L-BFGS-B", bounds=bounds[:parts])
        at = _polish(model, natural(end.x), free)
        edge = np.array([at[0], math.exp(bounds[2][0]) if free else 0.0, at[2]])
        if free and (at[1] <= 1e-6 * scale or model.value(edge) > model.value(at)):
            point[:2] = end.x[:2]
            continue
        inside = bounds[0][0] < at[0] < bounds[0][1] and 1.001e-5 < at[2] < 99.9
        return at if inside else None
    return None


def _polish(model: _Selection, at: Floats, free: bool) -> Floats:
    which = [0, 1, 2] if free else [0, 2]
    for _ in range(30):
        g, h = model.gradient(at), model.hessian(at)
        try:
            move = np.linalg.solve(h[np.ix_(which, which)], -g[which])
        except np.linalg.LinAlgError:
            return at
        new = at.copy()
        new[which] += move
        better = np.isfinite(move).all() and new[2] > 0 and new[1] >= 0
        if not better or model.value(new) < model.value(at) - 1e-10:
            return at
        at = new
        if (np.abs(move) <= 1e-11 * np.maximum(np.abs(at[which]), 1e-8)).all():
            break
    return at


def limit_meta(trials: Trials, model: Model, *, method: str = "beta0", level: float = 0.95) -> LimitMeta:
    """Limit meta-analysis: the effect in a trial of infinite precision, small-study effects taken into account.

    ``method`` as in metasens: "beta0" (regression on the heterogeneity-inflated standard error, evaluated at tau),
    "betalim" (with an intercept through the shrunken effects) or "mulim" (their common-effect mean); tau2 is the
    model's. Raises ValueError on an unknown method. Rücker and others 2011, Biostatistics 12:122-42.
    """
    y, v, k = trials.yi, trials.vi, len(trials.yi)
    if method not in ("beta0", "betalim", "mulim"):
        raise ValueError(f"method {method!r} is not known: use one of beta0, betalim, mulim")
    missing = np.full(k, np.nan)
    reason = only_inverse_variance(trials, model)
    if not reason and (k < 3 or np.ptp(v) <= 1e-10 * v.max()):
        reason = code("few_for_limit", k=k) if k < 3 else "same_variance"
    if reason:
        return LimitMeta(method, missing, reason=reason)
    tau2 = float(refit(trials, model, level=level).tau2[0])
    inflated = _line("", y, np.sqrt(v + tau2), 1 / (v + tau2), level)
    plain = _line("", y, np.sqrt(v), 1 / v, level)
    if reason := inflated.reason or plain.reason:
        return LimitMeta(method, missing, reason=reason)
    beta, alpha = inflated.limit, inflated.bias
    limits = beta + np.sqrt(tau2 / (v + tau2)) * (y - beta)
    # Without heterogeneity the effects shrink to one value, which this line fits exactly.
    radial = fit_line(limits, np.sqrt(v), 1 / v)
    w = 1 / v
    normal = float(special.ndtri((1 + level) / 2))
    if method == "beta0":
        # The fitted line at a standard error of tau, variances taken as known.
        wide, x = 1 / (v + tau2), np.sqrt(v + tau2)
        middle = (wide * x).sum() / wide.sum()
        lever = (math.sqrt(tau2) - middle) ** 2 / (wide * (x - middle) ** 2).sum()
        estimate, se = beta + math.sqrt(tau2) * alpha, math.sqrt(1 / wide.sum() + lever)
    elif method == "mulim":
        estimate, se = (w * limits).sum() / w.sum(), 1 / math.sqrt(w.sum())
    else:
        estimate, se = radial.intercept, 1 / (np.sqrt(w).std(ddof=1) * math.sqrt(k - 1))
    q = float((w * (y - (w * y).sum() / w.sum()) ** 2).sum())
    q_resid = float(((y - plain.limit - plain.bias * np.sqrt(v)) ** 2 / v).sum())
    z = limits / np.sqrt(v)
    g2 = 100 * radial.rss / float(((z - z.mean()) ** 2).sum()) if np.ptp(z) > 0 else np.nan
    return LimitMeta(
        method, limits, float(estimate), float(se), float(estimate - normal * se), float(estimate + normal * se),
        float(two_sided_p(np.array([estimate / se]), np.array([np.inf]))[0]), alpha, beta, q, q - q_resid, q_resid, g2,
    )  # fmt: skip


def fail_safe_n(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    method: str = "Rosenthal",
    alpha: float = 0.05,
    target: float | None = None,
    weighted: bool = False,
) -> FailSafe:
    """Fail-safe N by Rosenthal 1979, Orwin 1983 (mean effect down to ``target``, by default half) or Rosenberg 2005.

    ``weighted``: Orwin's mean by inverse variance (metafor from 5.0) instead of plain. Raises ValueError on an unknown
    method. Always carries FAIL_SAFE_WARNING.
    """
    y, v = pair(yi, vi)
    if method not in ("Rosenthal", "Orwin", "Rosenberg"):
        raise ValueError(f"method {method!r} is not known: use one of Rosenthal, Orwin, Rosenberg")
    k, w = len(y), 1 / v
    if k == 0:
        return FailSafe(method, np.nan, np.nan, np.nan, FAIL_SAFE_WARNING, "no_trials")
    if method == "Rosenthal":
        z = abs(float((y * np.sqrt(w)).sum())) / math.sqrt(k)
        n, p = k * (z / special.ndtri(1 - alpha)) ** 2 - k, float(special.ndtr(-z))
        return FailSafe(method, _whole(n), p, np.nan, FAIL_SAFE_WARNING, "")
    mean = float((w * y).sum() / w.sum()) if weighted or method == "Rosenberg" else float(y.mean())
    if method == "Orwin":
        goal = mean / 2 if target is None else math.copysign(target, mean)
        if goal == 0:
            return FailSafe(method, np.inf, np.nan, goal, FAIL_SAFE_WARNING, "no_mean_to_undo")
        return FailSafe(method, _whole(k * (mean - goal) / goal), np.nan, goal, FAIL_SAFE_WARNING, "")
    n = k * ((mean * w.sum() / special.ndtri(1 - alpha / 2)) ** 2 - w.sum()) / w.sum()
    z = mean * math.sqrt(w.sum())
    return FailSafe(method, _whole(n), 2 * float(special.ndtr(-abs(z))), np.nan, FAIL_SAFE_WARNING, "")


def _whole(n: float) -> float:
    """Whole trials: up, unless a rounding error above a whole number."""
    n = max(0.0, n)
    return float(round(n) if abs(n - round(n)) < 1.5e-8 else math.ceil(n))
