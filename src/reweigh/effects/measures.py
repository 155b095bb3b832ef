"""Effect sizes of two independent groups, or of one: estimate yi and sampling variance vi on the analysis scale.

Ratio measures (RR, OR, PETO, HR, IRR, ROM, COR-OR) are logarithms, ZCOR is Fisher's z, PLO a logit.  Group 1 is the
intervention, group 2 the control.  All functions are vectorised and return ``(yi, vi)``; impossible cells give NaN.
Formulas follow metafor's escalc, version 3.8 where versions differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from reweigh.effects.conversions import Floats, on_arrays
from reweigh.measures import SmdVariance, ZeroCells

Bools = NDArray[np.bool_]
Pair = tuple[Floats, Floats]

SMD_VARIANCES, ZERO_CELL_POLICIES = get_args(SmdVariance), get_args(ZeroCells)


@on_arrays
def hedges_j(df: Floats, *, exact: bool = True) -> Floats:
    """Small-sample factor J(df) = G(df/2) / (sqrt(df/2) G((df-1)/2)) (Hedges 1981); NaN where df <= 1.

    With ``exact=False`` the approximation 1 - 3/(4 df - 1), RevMan's 1 - 3/(4N - 9).
    """
    m = np.where(df > 1, df, np.nan)
    return np.exp(gammaln(m / 2) - 0.5 * np.log(m / 2) - gammaln((m - 1) / 2)) if exact else 1 - 3 / (4 * m - 1)


def factor(df: Floats, *, exact: bool = True) -> dict[str, Floats]:
    """J with its df and with what a calculator makes of it, for the steps of a worked page."""
    return {"df": df, "near": 1 - 3 / (4 * df - 1), "j": hedges_j(df, exact=exact)}


@on_arrays
def md(n1: Floats, m1: Floats, s1: Floats, n2: Floats, m2: Floats, s2: Floats, variance: str = "separate") -> Pair:
    """Mean difference and its variance.

    ``separate``: s1^2/n1 + s2^2/n2 (Handbook 6.5.1.1).  ``pooled``: s^2 (1/n1 + 1/n2) with the pooled SD s, which takes
    the two SDs for equal (Normand 1999; metafor's vtype="HO").
    """
    if variance == "pooled":
        return m1 - m2, pooled_sd(n1, s1, n2, s2) ** 2 * (1 / n1 + 1 / n2)
    return m1 - m2, s1**2 / n1 + s2**2 / n2


@on_arrays
def pooled_sd(n1: Floats, s1: Floats, n2: Floats, s2: Floats) -> Floats:
    """SD pooled over two groups with n1 + n2 - 2 df (Handbook 6.5.1.2)."""
    return np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n1 + n2 - 2))


@on_arrays
def smd(n1: Floats, m1: Floats, s1: Floats, n2: Floats, m2: Floats, s2: Floats, variance: str = "LS") -> Pair:
    """Hedges' g, the mean difference in pooled SDs (Hedges 1981); for ``variance`` see `smd_variance`."""
    return smd_from_d((m1 - m2) / pooled_sd(n1, s1, n2, s2), n1, n2, variance)


@on_arrays
def smd_from_d(d: Floats, n1: Floats, n2: Floats, variance: str = "LS") -> Pair:
    """Hedges' g and its variance from Cohen's d with n1 + n2 - 2 df; J is approximate for RevMan's variance."""
    df = n1 + n2 - 2
    j = hedges_j(df, exact=variance != "RevMan")
    return j * d, smd_variance(j * d, n1, n2, df, n1 + n2, variance)


@on_arrays
def smd_variance(g: Floats, n1: Floats, n2: Floats, df: Floats, total: Floats, variance: str = "LS") -> Floats:
    """Sampling variance of a standardised mean difference g = J d, as metafor's vtype names it.

    LS: 1/n1 + 1/n2 + g^2/(2N), large sample (Hedges 1982).  LS2: J^2 (1/n1 + 1/n2 + d^2/(2N)) (Borenstein 2009).
    UB: unbiased (Hedges 1983, eq. 9).  AV: LS with the size-weighted mean g of all rows.  RevMan: what RevMan prints,
    N/(n1 n2) + g^2/(2(N - 3.94)) (Deeks & Higgins 2010, Statistical algorithms in Review Manager 5).
    """
    base, j = 1 / n1 + 1 / n2, hedges_j(df)
    if variance == "LS":
        return base + g**2 / (2 * total)
    if variance == "RevMan":
        return base + g**2 / (2 * (total - 3.94))
    if variance == "LS2":
        return j**2 * (base + (g / j) ** 2 / (2 * total))
    if variance == "UB":
        return base + (1 - (df - 2) / (df * j**2)) * g**2
    if variance == "AV":
        ok = ~np.isnan(g)
        mean = np.sum(((n1 + n2) * g)[ok]) / np.sum((n1 + n2)[ok]) if ok.any() else np.nan
        return np.where(ok, base + mean**2 / (2 * total), np.nan)
    raise ValueError(f"variance must be one of {', '.join(SMD_VARIANCES)}, not {variance!r}")


@on_arrays
def smdh(n1: Floats, m1: Floats, s1: Floats, n2: Floats, m2: Floats, s2: Floats, version: str = "3.8") -> Pair:
    """SMD allowing unequal SDs, standardised by sqrt((s1^2 + s2^2)/2) (Bonett 2009, eq. 5).

    ``version`` names whose variance: metafor "3.8" multiplies Bonett's by J^2, metafor "5" does not.
    """
    if version not in ("3.8", "5"):
        raise ValueError(f"version must be '3.8' or '5', not {version!r}")
    j = hedges_j(n1 + n2 - 2)
    v = (s1**2 + s2**2) / 2
    g = j * (m1 - m2) / np.sqrt(v)
    vi = g**2 * (s1**4 / (n1 - 1) + s2**4 / (n2 - 1)) / (8 * v**2) + (s1**2 / (n1 - 1) + s2**2 / (n2 - 1)) / v
    return g, vi * j**2 if version == "3.8" else vi


@on_arrays
def glass(n1: Floats, m1: Floats, s1: Floats, n2: Floats, m2: Floats, s2: Floats, variance: str = "LS") -> Pair:
    """Glass's delta: standardised by the control SD, J with n2 - 1 df (metafor's SMD1)."""
    g = hedges_j(n2 - 1) * (m1 - m2) / s2
    return g, smd_variance(g, n1, n2, n2 - 1, n2, variance)


@on_arrays
def rom(n1: Floats, m1: Floats, s1: Floats, n2: Floats, m2: Floats, s2: Floats) -> Pair:
    """Log ratio of means, NaN unless both means have one sign (Hedges 1999).

    Not bias-corrected: metafor 3.8's value, and metafor 5's with ``correct=FALSE``.
    """
    ratio = m1 / m2
    ok = np.isfinite(ratio) & (ratio > 0)
    return np.log(np.where(ok, ratio, np.nan)), s1**2 / (n1 * m1**2) + s2**2 / (n2 * m2**2)


@on_arrays
def double_zero(e1: Floats, n1: Floats, e2: Floats, n2: Floats) -> Bools:
    """Trials without events in both arms, or with nothing but events: no information on a ratio (Handbook 10.4.4.1)."""
    return np.asarray(((e1 == 0) & (e2 == 0)) | ((e1 == n1) & (e2 == n2)), dtype=bool)


@on_arrays
def revman_keeps(measure: str, e1: Floats, n1: Floats, e2: Floats, n2: Floats) -> Bools:
    """Trials with a zero cell whose estimate RevMan takes from the counts as they are, correcting the variance alone.

    They are the risk difference, and the risk ratio of two arms in which every patient had the event (found on the
    rows of Cochrane reviews: RevMan 5 and RevMan Web print 1 and 0 there, with an interval around them).
    """
    empty = (e1 == 0) | (e2 == 0) | (e1 == n1) | (e2 == n2)
    every = (e1 == n1) & (e2 == n2) & (e1 > 0)
    return np.asarray(empty if measure == "RD" else every & (measure == "RR"), dtype=bool)


@on_arrays
def correct_zero_cells(
    measure: str, e1: Floats, n1: Floats, e2: Floats, n2: Floats, policy: str = "only0", amount: float = 0.5
) -> tuple[Floats, Floats, Floats, Floats, Bools]:
    """Events and sizes after the continuity correction, and which rows were corrected.

    ``only0``: ``amount`` to each of the four cells of a trial that has a zero cell (metafor's ``to="only0"``).
    ``needed``: only where estimate or variance could not be computed otherwise (Handbook 10.4.4.1).  ``all``: every
    trial.  ``tacc``: trials with a zero cell, by n1/(n1+n2) in arm 1 and n2/(n1+n2) in arm 2 (treatment-arm continuity
    correction, Sweeting 2004).  ``none``.  ``RevMan``: as ``only0``; which estimates stay uncorrected is for
    `revman_keeps` to say.  Nothing is ever added for the Peto OR, whose O - E and V come from the
    counts as they are in row and pool alike, and for the arcsine difference only by ``all``.
    """
    if policy not in ZERO_CELL_POLICIES:
        raise ValueError(f"policy must be one of {', '.join(ZERO_CELL_POLICIES)}, not {policy!r}")
    zero = (e1 == 0) | (e2 == 0) | (e1 == n1) | (e2 == n2)
    if policy == "none" or measure == "PETO" or (measure == "AS" and policy != "all"):
        rows = np.zeros_like(zero)
    elif policy == "all":
        rows = ~np.isnan(e1 + n1 + e2 + n2)
    elif policy == "needed" and measure == "RD":
        rows = ((e1 == 0) | (e1 == n1)) & ((e2 == 0) | (e2 == n2))
    elif policy == "needed" and measure == "RR":
        rows = (e1 == 0) | (e2 == 0) | ((e1 == n1) & (e2 == n2))
    else:
        rows = zero
    k1, k2 = _added(rows, n1, n2, policy, amount)
    return e1 + k1, n1 + 2 * k1, e2 + k2, n2 + 2 * k2, rows


def _added(rows: Bools, size1: Floats, size2: Floats, policy: str, amount: float) -> Pair:
    """What is added to each count of the two arms."""
    shares = (2 * size / (size1 + size2) if policy == "tacc" else 1.0 for size in (size1, size2))
    first, second = (np.where(rows, amount * share, 0.0) for share in shares)
    return first, second


ARM: Mapping[str, Callable[[Any, Any], tuple[Any, Any]]] = {
    "RR": lambda e, n: (np.log(e / n), 1 / e - 1 / n),
    "OR": lambda e, n: (np.log(e / (n - e)), 1 / e + 1 / (n - e)),
    "RD": lambda e, n: (e / n, e * (n - e) / n**3),
    "AS": lambda e, n: (np.arcsin(np.sqrt(e / n)), 1 / (4 * n)),
    "IRR": lambda e, t: (np.log(e / t), 1 / e),
    "IRD": lambda e, t: (e / t, e / t**2),
}
"""What one arm contributes to estimate and variance, from events and patients or person-time.

RR, OR, RD: Handbook 6.4.1.2 and 6.4.1.4 (delta method; Woolf 1955); AS: Ruecker 2009; IRR, IRD: Handbook 6.7.1."""


@on_arrays
def arm_variances(measure: str, e1: Floats, n1: Floats, e2: Floats, n2: Floats) -> Pair:
    """What each of two independent arms contributes to the variance of a measure of `ARM`."""
    return ARM[measure](e1, n1)[1], ARM[measure](e2, n2)[1]


@on_arrays
def from_arms(measure: str, e1: Floats, n1: Floats, e2: Floats, n2: Floats) -> Pair:
    """Log RR, log OR, RD, arcsine difference, log IRR or IRD of counts as they are (correct zero cells first)."""
    (y1, v1), (y2, v2) = ARM[measure](e1, n1), ARM[measure](e2, n2)
    return y1 - y2, v1 + v2


@on_arrays
def o_minus_e(e1: Floats, n1: Floats, e2: Floats, n2: Floats) -> Pair:
    """Observed minus expected events of arm 1 and their hypergeometric variance (Yusuf 1985; Handbook 10.4.2)."""
    total, events = n1 + n2, e1 + e2
    v = events * (total - events) * (n1 / total) * (n2 / total) / (total - 1)
    return e1 - events * n1 / total, v


@on_arrays
def peto(e1: Floats, n1: Floats, e2: Floats, n2: Floats) -> Pair:
    """Peto's log odds ratio (O - E)/V (Yusuf 1985; Handbook 10.4.2); NaN where V = 0."""
    return from_o_minus_e(*o_minus_e(e1, n1, e2, n2))


@on_arrays
def from_o_minus_e(oe: Floats, v: Floats) -> Pair:
    """Log hazard ratio or Peto log odds ratio from O - E and V: (O - E)/V with variance 1/V (Handbook 6.8.2)."""
    v = np.where(v > 0, v, np.nan)
    return oe / v, 1 / v


@on_arrays
def conditional_or(b: Floats, c: Floats) -> Pair:
    """Conditional log odds ratio log(b/c) of discordant pairs, variance 1/b + 1/c (Elbourne 2002).

    b: pairs with the event under intervention only, c: under control only.
    """
    return np.log(b) - np.log(c), 1 / b + 1 / c


@on_arrays
def correct_zero_rates(
    x1: Floats, t1: Floats, x2: Floats, t2: Floats, policy: str = "only0", amount: float = 0.5
) -> tuple[Floats, Floats, Bools]:
    """Event counts of rates after the continuity correction, and which rows were corrected (policies as for counts).

    Person-time stays; ``tacc`` weighs by person-time.  ``needed`` is ``only0`` here (a ratio needs both counts).
    """
    if policy not in ZERO_CELL_POLICIES:
        raise ValueError(f"policy must be one of {', '.join(ZERO_CELL_POLICIES)}, not {policy!r}")
    zero = (x1 == 0) | (x2 == 0)
    rows = {"none": np.zeros_like(zero), "all": ~np.isnan(x1 + x2)}.get(policy, zero)
    k1, k2 = _added(rows, t1, t2, policy, amount)
    return x1 + k1, x2 + k2, rows


@on_arrays
def zcor(r: Floats, n: Floats) -> Pair:
    """Fisher's z of a correlation, atanh(r), variance 1/(n - 3) (Fisher 1921; metafor's ZCOR)."""
    return np.arctanh(r), 1 / (n - 3)


@on_arrays
def plo(events: Floats, n: Floats) -> Pair:
    """Logit of a proportion, log(x/(n - x)), variance 1/x + 1/(n - x) (metafor's PLO); correct zero cells first."""
    return np.log(events / (n - events)), 1 / events + 1 / (n - events)


@on_arrays
def mn(mean: Floats, sd: Floats, n: Floats) -> Pair:
    """Mean of one group, variance sd^2/n (metafor's MN)."""
    return mean, sd**2 / n


def number_needed_text(rd: float, ci_lower: float, ci_upper: float, better: str = "higher", digits: int = 1) -> str:
    """NNT with its interval in words, through infinity where the CI of the risk difference holds 0 (Altman 1998).

    E.g. ``NNTB 10.0 (NNTB 5.0 to NNTB 100.0)`` or ``NNTB 10.0 (NNTH 50.0 to infinity to NNTB 4.5)``.
    """
    sign = 1.0 if better == "higher" else -1.0
    point, low, high = sign * rd, *sorted((sign * ci_lower, sign * ci_upper))

    def name(x: float) -> str:
        return "infinity" if x == 0 else f"{'NNTB' if x > 0 else 'NNTH'} {1 / abs(x):.{digits}f}"

    if low < 0 < high:
        interval = f"{name(low)} to infinity to {name(high)}"
    else:
        # from the stronger effect (smaller number) to the weaker one
        near, far = (high, low) if low >= 0 else (low, high)
        interval = f"{name(near)} to {name(far)}"
    return f"{name(point)} ({interval})"
