"""Mantel-Haenszel and Peto pooling of two-arm event counts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from reweigh.effects.measures import from_arms
from reweigh.pool.core import Bools, Given, Options, Pooled, check_choices, prepare, summarise_fit
from reweigh.pool.tau2 import Floats, at_zero, weight_apart
from reweigh.text.codes import join

MEASURES = ("OR", "RR", "RD")


def mantel_haenszel(
    a: ArrayLike,
    n1: ArrayLike,
    c: ArrayLike,
    n2: ArrayLike,
    *,
    measure: str,
    model: str = "common",
    correction: float = 0.5,
    exact: bool = True,
    rd_variance: str = "greenland-robins",
    mask: ArrayLike | None = None,
    ci_method: str = "wald",
    level: float = 0.95,
    pi_method: str = "t(k-2)",
) -> Pooled:
    """Mantel-Haenszel pooled OR, RR (log scale) or RD: Handbook 10.4.2; Robins and others 1986 for the variances.

    Raises ValueError on impossible counts (the message names the trial) or an unknown option.

    Parameters
    ----------
    a, n1, c, n2
        Events and patients of the intervention and control arms, shape (k,) or (D, k).
    model
        "common"; or "random", RevMan's rule: inverse variance at the DL tau2 of the Q around the
        Mantel-Haenszel mean (Deeks and Higgins 2010, "Statistical algorithms in Review Manager 5").
    correction
        Added to each cell of a trial with an empty cell, for its own effect and variance (Q and tau2).
    exact
        False adds the correction before the counts are pooled, too, as RevMan 5 does (R's meta: MH.exact = FALSE);
        double-zero trials, and for OR all-event ones, are not pooled, and risk differences are pooled from raw counts.
    rd_variance
        "greenland-robins" (RevMan, meta) or "sato" (metafor).
    ci_method, pi_method
        Of the random-effects model; the common-effect interval is Wald's.
    """
    check_choices(
        level, measure=(measure, MEASURES), model=(model, ("common", "random")),
        rd_variance=(rd_variance, ("greenland-robins", "sato")),
    )  # fmt: skip
    if model == "common" and ci_method != "wald":
        raise ValueError(f"ci_method {ci_method!r} needs model='random': the common-effect interval is Wald's")
    options = Options("EE" if model == "common" else "DL", ci_method, level, pi_method)
    options.check()
    (a, n1, c, n2), there = _counts(a, n1, c, n2, mask, correction)
    told = there.copy()
    if measure != "RD":
        told &= (a + c > 0) & ((measure == "RR") | (a + c < n1 + n2))
    empty = told & ((a == 0) | (c == 0) | (a == n1) | (c == n2))
    add = np.where(empty, correction, 0.0)
    y, v = from_arms(measure, a + add, n1 + 2 * add, c + add, n2 + 2 * add)
    if measure == "RD" and not exact:
        y = a / n1 - c / n2
    told &= np.isfinite(v) & (v > 0)  # without a correction some variances do not exist
    # RevMan's correction leaves the counts of risk differences alone; it is in the rows' own SE only.
    pooled_add = 0.0 if exact or measure == "RD" else add
    mean, se, weights = _pool_counts(
        a + pooled_add, n1 + 2 * pooled_add, c + pooled_add, n2 + 2 * pooled_add, there, measure, rd_variance
    )
    w = np.where(told, 1 / np.where(told, v, 1.0), 0.0)
    q = (w * (np.where(told, y, 0.0) - mean[:, None]) ** 2).sum(axis=1)
    sets, fit = prepare(y, v, told), at_zero(len(y))
    if model == "common":
        flat = se == 0
        with np.errstate(divide="ignore", invalid="ignore"):
            share = 100 * weights / np.where(there, weights, 0.0).sum(axis=1)[:, None]
        share = np.where(there & np.isfinite(share), share, 0.0)
        given = Given("mantel-haenszel", "EE", q, mean, np.where(flat, np.nan, se), share)
    else:
        flat = np.zeros(len(y), dtype=bool)
        with np.errstate(divide="ignore", invalid="ignore"):
            tau2 = (q - (sets.k - 1)) / weight_apart(w)
        # Without a Mantel-Haenszel mean there is no tau2 and so no random-effects mean.
        lost = (sets.k >= 2) & np.isnan(mean)
        fit = fit._replace(
            tau2=np.where((sets.k >= 2) & np.isfinite(q), tau2 / sets.scale**2, np.where(lost, np.nan, 0.0))
        )
        given = Given("mantel-haenszel", "DL", q)
    pooled = summarise_fit(sets, fit, options, given=given)
    return _explain(pooled, told, there, np.isnan(mean) & there.any(axis=1), flat)


def peto(
    a: ArrayLike, n1: ArrayLike, c: ArrayLike, n2: ArrayLike, *, mask: ArrayLike | None = None, level: float = 0.95
) -> Pooled:
    """Peto's log odds ratio, common effect: Yusuf and others 1985, Prog Cardiovasc Dis 27:335-71.

    Shapes and errors as in :func:`mantel_haenszel`; nothing is added to empty cells.
    """
    options = Options("EE", "wald", level, "t(k-2)")
    options.check()
    (a, n1, c, n2), there = _counts(a, n1, c, n2, mask, 0.0)
    total, events = n1 + n2, a + c
    told = there & (events > 0) & (events < total)
    with np.errstate(divide="ignore", invalid="ignore"):
        v = (total - 1) * total**2 / (n1 * n2 * events * (total - events))
        y = (a - n1 * events / total) * v
    told &= np.isfinite(v)
    sets = prepare(y, v, told)
    pooled = replace(summarise_fit(sets, at_zero(len(y)), options), pooling="peto")
    return _explain(pooled, told, there, *np.zeros((2, len(y)), dtype=bool))


def _counts(
    a: ArrayLike, n1: ArrayLike, c: ArrayLike, n2: ArrayLike, mask: ArrayLike | None, correction: float
) -> tuple[list[Floats], Bools]:
    if not (np.isfinite(correction) and correction >= 0):
        raise ValueError(f"correction {correction} must be 0 or more")
    raw = {name: np.asarray(x, dtype=np.float64) for name, x in (("a", a), ("n1", n1), ("c", c), ("n2", n2))}
    shapes = {x.shape for x in raw.values()}
    if len(shapes) > 1 or raw["a"].ndim not in (1, 2):
        raise ValueError(f"a, n1, c and n2 must all have shape (k,) or (D, k), not {sorted(shapes)}")
    shape = shapes.pop()
    there = np.ones(shape, dtype=bool) if mask is None else np.asarray(mask)
    if there.dtype != np.bool_ or there.shape != shape:
        raise ValueError(f"mask must be boolean of shape {shape}, not {there.dtype} of shape {there.shape}")
    for events, patients in (("a", "n1"), ("c", "n2")):
        x, n = raw[events], raw[patients]
        for name, bad, rule in (
            (patients, ~(np.isfinite(n) & (n > 0)), "finite and above 0"),
            (events, ~(np.isfinite(x) & (x >= 0) & (x <= n)), f"between 0 and {patients}"),
        ):
            if (there & bad).any():
                at = tuple(int(i) for i in np.argwhere(there & bad)[0])
                raise ValueError(f"{name}[{', '.join(map(str, at))}] is {raw[name][at]:g}: it must be {rule}")
    fill = {"a": 0.0, "n1": 1.0, "c": 0.0, "n2": 1.0}
    return [np.atleast_2d(np.where(there, raw[name], fill[name])) for name in raw], np.atleast_2d(there)


def _pool_counts(
    a: Floats, n1: Floats, c: Floats, n2: Floats, there: Bools, measure: str, rd_variance: str
) -> tuple[Floats, Floats, Floats]:
    """Mean and standard error (D,), NaN where not estimable, and weights (D, k)."""
    n = n1 + n2
    b, d = n1 - a, n2 - c

    def add_up(x: Floats) -> Floats:
        return np.asarray(np.where(there, x, 0.0).sum(axis=1))

    with np.errstate(divide="ignore", invalid="ignore"):
        if measure == "RD":
            weight = n1 * n2 / n
            mean = add_up((a * n2 - c * n1) / n) / add_up(weight)
            if rd_variance == "sato":
                first = (c * n1**2 - a * n2**2 + n1 * n2 * (n2 - n1) / 2) / n**2
                variance = mean * add_up(first) + add_up((a * d + c * b) / n) / 2
            else:
                variance = add_up((a * b * n2**3 + c * d * n1**3) / (n1 * n2 * n**2))
            return mean, np.sqrt(variance) / add_up(weight), weight
        if measure == "RR":
            over, under, weight = a * n2 / n, c * n1 / n, c * n1 / n
            variance = add_up((n1 * n2 * (a + c) - a * c * n) / n**2) / (add_up(over) * add_up(under))
        else:
            over, under, weight = a * d / n, b * c / n, b * c / n
            p, q, r, s = (a + d) / n, (b + c) / n, add_up(over), add_up(under)
            variance = add_up(p * over) / r**2 + add_up(p * under + q * over) / (r * s) + add_up(q * under) / s**2
            variance = variance / 2
        able = (add_up(over) > 0) & (add_up(under) > 0)
        mean = np.where(able, np.log(add_up(over) / add_up(under)), np.nan)
        return mean, np.where(able, np.sqrt(variance), np.nan), weight


def _explain(pooled: Pooled, told: Bools, there: Bools, lost: Bools, flat: Bools) -> Pooled:
    """Add to the reasons that there is no mean, or that trials were left out; those have no weight."""
    left_out = there & ~told
    reasons = [
        join(
            [
                "not_estimable_counts" * bool(no),
                "no_variance" * bool(nil),
                str(reason),
                "uninformative_trials" * bool(out),
            ]
        )
        for no, nil, reason, out in zip(lost, flat, pooled.reason, np.atleast_1d(left_out.any(axis=1)), strict=True)
    ]
    weights = np.where(left_out, np.nan, pooled.weights)
    return replace(pooled, reason=np.array(reasons, dtype=object), weights=weights)
