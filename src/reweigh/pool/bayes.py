"""Exact Bayesian random-effects model: quadrature over tau, closed forms given tau, no sampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from reweigh.pool.core import check_choices, prepare
from reweigh.pool.mixture import Law, normal_mixture, panels
from reweigh.pool.priors import Prior
from reweigh.pool.tau2 import Floats
from reweigh.text.codes import code, join

#: tau below this fraction of the smallest standard error changes nothing: its prior mass is put at tau = 0.
_NEGLIGIBLE = 1e-7
#: Log of the relative height at which the integrand is cut off.
_CUT = 46.0
_PANELS = 240
_SUMMARY = ("mean", "sd", "median", "mode", "lower", "upper", "central_lower", "central_upper")


@dataclass(frozen=True, slots=True)
class Posterior:
    """Posterior of one data set; effects on the scale of ``yi``. What does not exist is NaN, and ``reason`` says why
    in codes (`reweigh.text.pool`).

    For mu, tau and the effect in a new trial: mean, sd, median, mode, the shortest and the central interval.
    """

    k: int
    prior: str
    level: float
    mu_mean: float
    mu_sd: float
    mu_median: float
    mu_mode: float
    mu_lower: float
    mu_upper: float
    mu_central_lower: float
    mu_central_upper: float
    tau_mean: float
    tau_sd: float
    tau_median: float
    tau_mode: float
    tau_lower: float
    tau_upper: float
    tau_central_lower: float
    tau_central_upper: float
    new_mean: float
    new_sd: float
    new_median: float
    new_mode: float
    new_lower: float
    new_upper: float
    new_central_lower: float
    new_central_upper: float
    #: P(mu on the better side of 0), P(mu beyond the smallest important difference), and both for a new trial.
    p_better: float
    p_important: float
    p_better_new: float
    p_important_new: float
    reason: str


def posterior(
    yi: ArrayLike,
    vi: ArrayLike,
    prior: Prior,
    *,
    level: float = 0.95,
    measure: str | None = None,
    better: str | None = None,
    important: float | None = None,
    mu_prior: tuple[float, float] | None = None,
) -> Posterior:
    """Posterior of the normal-normal model; Röver 2020, Journal of Statistical Software 93(6), section 2.

    Raises ValueError on data refused by :func:`reweigh.pool.pool`, a prior made for another measure, or an impossible
    option.

    Parameters
    ----------
    yi, vi
        Effects and sampling variances of one data set (k,); ratio measures on the log scale.
    prior
        Prior of tau, from :mod:`reweigh.pool.priors`.
    measure
        "OR", "SMD" ...; needed when the prior belongs to one measure.
    better
        "lower" or "higher": which direction is better, for the probabilities.
    important
        Smallest important difference as a signed value on the scale of ``yi``, on the better side of 0.
    mu_prior
        Mean and standard deviation of a normal prior of mu; uniform by default.
    """
    _check(prior, level, measure, better, important, mu_prior)
    sets = prepare(yi, vi)
    if len(sets.k) != 1:
        raise ValueError("yi and vi must have shape (k,)")
    k, unit = int(sets.k[0]), float(sets.scale[0])
    if k == 0:
        return _missing(0, prior, level, "no_trials")
    # The posterior density of tau falls like tau^-tail, so its moments below tail - 1 exist.
    tail = prior.tail + k - (1 if mu_prior is None else 0)
    if not prior.proper and tail <= 1:
        return _missing(k, prior, level, "posterior_improper")
    y, v, centre = sets.y[0], sets.v[0], float(sets.centre[0])
    given = None if mu_prior is None else ((mu_prior[0] - centre) / unit, mu_prior[1] / unit)

    tau_law, tau, mass = _posterior_tau(y, v, prior, unit, given, min(2.0, tail - 1.0))
    mean, sd = _given_tau(y, v, tau, given)
    mu = normal_mixture(mass, mean, sd)
    new_sd = np.hypot(sd, tau)
    new = normal_mixture(mass, mean, np.maximum(new_sd, 1e-300))
    missing = []
    out: dict[str, float] = {}
    for name, law, moments, shift in (
        ("mu", mu, (mean, sd), centre),
        ("tau", tau_law, (tau, np.zeros_like(tau)), 0.0),
        ("new", new, (mean, new_sd), centre),
    ):
        average = float(mass @ moments[0])
        variance = float(mass @ (moments[1] ** 2 + (moments[0] - average) ** 2))
        has_sd = tail > 3 or (prior.tail == 1 and tail >= 3) or (name == "mu" and given is not None)
        has_mean = name != "tau" or tail > 2 or (prior.tail == 1 and tail >= 2)
        missing += [f"{what} of {name}" for what, has in (("sd", has_sd), ("mean", has_mean)) if not has]
        shortest, central = law.shortest(level), law.central(level)
        places = (law.quantile(0.5), law.mode(), *shortest, *central)
        values = [
            average * unit + shift if has_mean else np.nan, np.sqrt(variance) * unit if has_sd else np.nan,
            *(place * unit + shift for place in places),
        ]  # fmt: skip
        out |= {f"{name}_{key}": float(value) for key, value in zip(_SUMMARY, values, strict=True)}
    for suffix, law in (("", mu), ("_new", new)):
        for name, limit in (("p_better", 0.0), ("p_important", important)):
            if better is None or limit is None:
                out[name + suffix] = np.nan
                continue
            below = law.cdf((limit - centre) / unit)
            out[name + suffix] = below if better == "lower" else 1 - below
    reasons = [code("posterior_heavy_tail", missing=", no ".join(missing))] if missing else []
    if better is None:
        reasons.append("no_better_direction")
    elif important is None:
        reasons.append("no_important_difference")
    return Posterior(k=k, prior=prior.label, level=level, reason=join(reasons), **out)


def _check(
    prior: Prior, level: float, measure: str | None, better: str | None, important: float | None,
    mu_prior: tuple[float, float] | None,
) -> None:  # fmt: skip
    if prior.measure is not None and measure != prior.measure:
        raise ValueError(
            f"the prior {prior.label} is for the {prior.measure}, not for {measure or 'an unnamed measure'}: "
            "rescale it with Prior.rescaled and say why"
        )
    check_choices(level, better=(better or "lower", ("lower", "higher")))
    if important is not None:
        if better is None or not np.isfinite(important):
            raise ValueError("important must be finite, and better must say on which side it is")
        if (important > 0) == (better == "lower") and important != 0:
            raise ValueError(f"important {important} lies on the worse side of 0: {better} is better")
    if mu_prior is not None and not (np.isfinite(mu_prior[0]) and np.isfinite(mu_prior[1]) and mu_prior[1] > 0):
        raise ValueError(f"mu_prior {mu_prior} must be a mean and a standard deviation above 0")


def _given_tau(y: Floats, v: Floats, tau: Floats, given: tuple[float, float] | None) -> tuple[Floats, Floats]:
    """Mean and standard deviation of mu given each tau (n,)."""
    w = 1 / (v + tau[:, None] ** 2)
    total, weighted = w.sum(axis=1), (w * y).sum(axis=1)
    if given is not None:
        total, weighted = total + given[1] ** -2, weighted + given[0] * given[1] ** -2
    return weighted / total, 1 / np.sqrt(total)


def _log_likelihood(y: Floats, v: Floats, tau: Floats, given: tuple[float, float] | None) -> Floats:
    """Log of the likelihood of tau (n,) with mu integrated out, without its constant."""
    w = 1 / (v + tau[:, None] ** 2)
    mean, sd = _given_tau(y, v, tau, given)
    value = (np.log(w) - w * (y - mean[:, None]) ** 2).sum(axis=1) / 2 + np.log(sd)
    if given is not None:
        value = value - (mean - given[0]) ** 2 / given[1] ** 2 / 2
    return np.asarray(value)


def _posterior_tau(
    y: Floats, v: Floats, prior: Prior, unit: float, given: tuple[float, float] | None, moment: float
) -> tuple[Law, Floats, Floats]:
    """Posterior of tau (scaled units), and its quadrature nodes and masses; the first node is tau = 0.

    The nodes reach far enough to the right for the mean of tau^moment.
    """

    def log_height(x: Floats) -> Floats:
        """Log of the integrand over x = log(tau)."""
        tau = np.exp(x)
        with np.errstate(over="ignore"):
            return np.asarray(prior.log_density(tau * unit) + np.log(unit) + _log_likelihood(y, v, tau, given) + x)

    start = np.log(_NEGLIGIBLE * np.sqrt(v.min()))
    scan = np.concatenate([np.arange(start, 30, 0.02), np.arange(30, 300, 0.5)])
    heights = log_height(scan)
    peak = float(heights.max())
    inside = np.flatnonzero(heights > peak - _CUT)
    edges = np.linspace(max(scan[inside[0]] - 0.02, start), min(scan[inside[-1]] + 0.5, 30.0), _PANELS + 1)
    beyond = scan[heights + moment * np.maximum(scan - scan[int(np.argmax(heights))], 0.0) > peak - _CUT][-1]
    if beyond > edges[-1]:
        edges = np.concatenate([edges, np.linspace(edges[-1], beyond, _PANELS // 2 + 1)[1:]])
    count = len(edges) - 1
    x, step = panels(edges)
    pieces = np.exp(log_height(x) - peak) * step
    atom = 0.0
    if prior.proper:
        log_l0 = float(_log_likelihood(y, v, np.zeros(1), given)[0])
        atom = float(prior.cdf(np.array([np.exp(edges[0]) * unit]))[0]) * np.exp(log_l0 - peak)
    total = atom + float(pieces.sum())
    sums = np.concatenate([[0.0], np.cumsum(pieces.reshape(count, -1).sum(axis=1))]) + atom

    def cdf(tau: float) -> float:
        if tau <= 0:
            return 0.0
        at = float(np.log(tau))
        if at <= edges[0]:
            return atom / total * tau / float(np.exp(edges[0]))
        i = min(int(np.searchsorted(edges, at, side="right")) - 1, count)
        if i == count:
            return 1.0
        part, width = panels(np.array([edges[i], at]))
        return float(sums[i] + np.exp(log_height(part) - peak) @ width) / total

    def pdf(tau: float) -> float:
        value = np.array([max(tau, 1e-300)])
        with np.errstate(over="ignore"):
            log_p = prior.log_density(value * unit) + np.log(unit) + _log_likelihood(y, v, value, given)
            return float(np.exp(log_p[0] - peak)) / total

    middle = float(np.exp(x[int(np.argmax(pieces))]))
    tau, mass = np.concatenate([[0.0], np.exp(x)]), np.concatenate([[atom], pieces]) / total
    return Law(cdf, pdf, middle, middle, 0.0), tau, mass


def _missing(k: int, prior: Prior, level: float, reason: str) -> Posterior:
    names = [name for name in Posterior.__dataclass_fields__ if name not in ("k", "prior", "level", "reason")]
    return Posterior(k=k, prior=prior.label, level=level, reason=reason, **dict.fromkeys(names, np.nan))
