"""Effect sizes of two independent groups: estimate yi and sampling variance vi on the analysis scale.

Ratio measures (RR, OR, PETO, HR, IRR, ROM, COR-OR) are logarithms.  Group 1 is the intervention, group 2 the
control.  All functions are vectorised and return ``(yi, vi)``; impossible cells give NaN.  Formulas follow
metafor's escalc, version 3.8 where versions differ.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from reweigh.effects.conversions import Floats, floats

Bools = NDArray[np.bool_]
Pair = tuple[Floats, Floats]


SMD_VARIANCES = ("LS", "LS2", "UB", "AV", "RevMan")
MD_VARIANCES = ("separate", "pooled")
ZERO_CELL_POLICIES = ("only0", "needed", "all", "tacc", "none")


# --- continuous ----------------------------------------------------------------------------------------------


def hedges_j(df: ArrayLike, *, exact: bool = True) -> Floats:
    """Small-sample factor J(df) = G(df/2) / (sqrt(df/2) G((df-1)/2)) (Hedges 1981); NaN where df <= 1.

    With ``exact=False`` the approximation 1 - 3/(4 df - 1), RevMan's 1 - 3/(4N - 9).
    """
    (df,) = floats(df)
    ok = df > 1
    m = np.where(ok, df, 2.0)
    if not exact:
        return np.where(ok, 1 - 3 / (4 * m - 1), np.nan)
    j = np.exp(gammaln(m / 2) - 0.5 * np.log(m / 2) - gammaln((m - 1) / 2))
    return np.where(ok, j, np.nan)


def md(
    n1: ArrayLike,
    m1: ArrayLike,
    s1: ArrayLike,
    n2: ArrayLike,
    m2: ArrayLike,
    s2: ArrayLike,
    variance: str = "separate",
) -> Pair:
    """Mean difference and its variance.

    ``separate``: s1^2/n1 + s2^2/n2 (Handbook 6.5.1.1).  ``pooled``: s^2 (1/n1 + 1/n2) with the pooled SD s, which takes
    the two SDs for equal (Normand 1999; metafor's vtype="HO").
    """
    n1, m1, s1, n2, m2, s2 = floats(n1, m1, s1, n2, m2, s2)
    if variance == "pooled":
        return m1 - m2, pooled_sd(n1, s1, n2, s2) ** 2 * (1 / n1 + 1 / n2)
    return m1 - m2, s1**2 / n1 + s2**2 / n2


def pooled_sd(n1: ArrayLike, s1: ArrayLike, n2: ArrayLike, s2: ArrayLike) -> Floats:
    """SD pooled over two groups with n1 + n2 - 2 df (Handbook 6.5.1.2)."""
    n1, s1, n2, s2 = floats(n1, s1, n2, s2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(((n1 - 1) * s1**2 + (n2 - 1) * s2**2) / (n1 + n2 - 2))


def smd(
    n1: ArrayLike,
    m1: ArrayLike,
    s1: ArrayLike,
    n2: ArrayLike,
    m2: ArrayLike,
    s2: ArrayLike,
    variance: str = "LS",
) -> Pair:
    """Standardised mean difference, Hedges' g (Hedges 1981), standardised by the pooled SD.

    For ``variance`` see `smd_variance`.
    """
    n1, m1, s1, n2, m2, s2 = floats(n1, m1, s1, n2, m2, s2)
    with np.errstate(invalid="ignore", divide="ignore"):
        d = (m1 - m2) / pooled_sd(n1, s1, n2, s2)
    return smd_from_d(d, n1, n2, variance)


def smd_from_d(d: ArrayLike, n1: ArrayLike, n2: ArrayLike, variance: str = "LS") -> Pair:
    """Hedges' g and its variance from Cohen's d with n1 + n2 - 2 df; J is approximate for RevMan's variance."""
    d, n1, n2 = floats(d, n1, n2)
    df = n1 + n2 - 2
    j = hedges_j(df, exact=variance != "RevMan")
    return j * d, smd_variance(j * d, n1, n2, df, n1 + n2, variance)


def smd_variance(
    g: ArrayLike, n1: ArrayLike, n2: ArrayLike, df: ArrayLike, n_total: ArrayLike, variance: str = "LS"
) -> Floats:
    """Sampling variance of a standardised mean difference g = J d, as metafor's vtype names it.

    LS: 1/n1 + 1/n2 + g^2/(2N), large sample (Hedges 1982).  LS2: J^2 (1/n1 + 1/n2 + d^2/(2N)) (Borenstein 2009).
    UB: unbiased (Hedges 1983, eq. 9).  AV: LS with the size-weighted mean g of all rows.  RevMan: what RevMan prints,
    N/(n1 n2) + g^2/(2(N - 3.94)) (Deeks & Higgins 2010, Statistical algorithms in Review Manager 5).
    """
    g, n1, n2, df, total = floats(g, n1, n2, df, n_total)
    base = 1 / n1 + 1 / n2
    j = hedges_j(df)
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
    msg = f"variance must be one of {', '.join(SMD_VARIANCES)}, not {variance!r}"
    raise ValueError(msg)


def smdh(
    n1: ArrayLike,
    m1: ArrayLike,
    s1: ArrayLike,
    n2: ArrayLike,
    m2: ArrayLike,
    s2: ArrayLike,
    version: str = "3.8",
) -> Pair:
    """SMD allowing unequal SDs, standardised by sqrt((s1^2 + s2^2)/2) (Bonett 2009, eq. 5).

    ``version`` names whose variance: metafor "3.8" multiplies Bonett's by J^2, metafor "5" does not.
    """
    if version not in ("3.8", "5"):
        msg = f"version must be '3.8' or '5', not {version!r}"
        raise ValueError(msg)
    n1, m1, s1, n2, m2, s2 = floats(n1, m1, s1, n2, m2, s2)
    j = hedges_j(n1 + n2 - 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        v = (s1**2 + s2**2) / 2
        g = j * (m1 - m2) / np.sqrt(v)
        vi = g**2 * (s1**4 / (n1 - 1) + s2**4 / (n2 - 1)) / (8 * v**2) + (s1**2 / (n1 - 1) + s2**2 / (n2 - 1)) / v
    return g, vi * j**2 if version == "3.8" else vi


def glass(
    n1: ArrayLike,
    m1: ArrayLike,
    s1: ArrayLike,
    n2: ArrayLike,
    m2: ArrayLike,
    s2: ArrayLike,
    variance: str = "LS",
) -> Pair:
    """Glass's delta: standardised by the control SD, J with n2 - 1 df (metafor's SMD1)."""
    n1, m1, s1, n2, m2, s2 = floats(n1, m1, s1, n2, m2, s2)
    with np.errstate(invalid="ignore", divide="ignore"):
        g = hedges_j(n2 - 1) * (m1 - m2) / s2
    return g, smd_variance(g, n1, n2, n2 - 1, n2, variance)


def rom(n1: ArrayLike, m1: ArrayLike, s1: ArrayLike, n2: ArrayLike, m2: ArrayLike, s2: ArrayLike) -> Pair:
    """Log ratio of means, NaN unless both means have one sign (Hedges 1999).

    Not bias-corrected: metafor 3.8's value, and metafor 5's with ``correct=FALSE``.
    """
    n1, m1, s1, n2, m2, s2 = floats(n1, m1, s1, n2, m2, s2)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = m1 / m2
        ok = np.isfinite(ratio) & (ratio > 0)
        return np.log(np.where(ok, ratio, np.nan)), s1**2 / (n1 * m1**2) + s2**2 / (n2 * m2**2)


# --- binary --------------------------------------------------------------------------------------------------


def double_zero(e1: ArrayLike, n1: ArrayLike, e2: ArrayLike, n2: ArrayLike) -> Bools:
    """Trials without events in both arms, or with nothing but events: no information on a ratio (Handbook 10.4.4.1)."""
    e1, n1, e2, n2 = floats(e1, n1, e2, n2)
    return np.asarray(((e1 == 0) & (e2 == 0)) | ((e1 == n1) & (e2 == n2)), dtype=bool)


def correct_zero_cells(
    measure: str,
    e1: ArrayLike,
    n1: ArrayLike,
    e2: ArrayLike,
    n2: ArrayLike,
    policy: str = "only0",
    amount: float = 0.5,
) -> tuple[Floats, Floats, Floats, Floats, Bools]:
    """Events and sizes after the continuity correction, and which rows were corrected.

    ``only0``: ``amount`` to each of the four cells of a trial that has a zero cell (metafor's ``to="only0"``).
    ``needed``: only where estimate or variance could not be computed otherwise (Handbook 10.4.4.1).  ``all``: every
    trial.  ``tacc``: trials with a zero cell, by n1/(n1+n2) in arm 1 and n2/(n1+n2) in arm 2 (treatment-arm continuity
    correction, Sweeting 2004).  ``none``.  Nothing is ever added for the Peto OR, whose O - E and V come from the
    counts as they are in row and pool alike, and for the arcsine difference only by ``all``.
    """
    if policy not in ZERO_CELL_POLICIES:
        msg = f"policy must be one of {', '.join(ZERO_CELL_POLICIES)}, not {policy!r}"
        raise ValueError(msg)
    e1, n1, e2, n2 = floats(e1, n1, e2, n2)
    zero = (e1 == 0) | (e2 == 0) | (e1 == n1) | (e2 == n2)
    if policy == "none" or measure == "PETO":
        rows = np.zeros_like(zero)
    elif policy == "all":
        rows = ~np.isnan(e1 + n1 + e2 + n2)
    elif measure == "AS":
        rows = np.zeros_like(zero)
    elif policy == "needed" and measure == "RD":
        rows = ((e1 == 0) | (e1 == n1)) & ((e2 == 0) | (e2 == n2))
    elif policy == "needed" and measure == "RR":
        rows = (e1 == 0) | (e2 == 0) | ((e1 == n1) & (e2 == n2))
    else:
        rows = zero
    if policy == "tacc":
        k1, k2 = 2 * amount * n1 / (n1 + n2), 2 * amount * n2 / (n1 + n2)
    else:
        k1 = k2 = np.full(n1.shape, amount)
    k1, k2 = np.where(rows, k1, 0.0), np.where(rows, k2, 0.0)
    return e1 + k1, n1 + 2 * k1, e2 + k2, n2 + 2 * k2, rows


def rr(e1: ArrayLike, n1: ArrayLike, e2: ArrayLike, n2: ArrayLike) -> Pair:
    """Log risk ratio of counts as they are (correct zero cells first) (Handbook 6.4.1.2)."""
    e1, n1, e2, n2 = floats(e1, n1, e2, n2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(e1 / n1) - np.log(e2 / n2), (1 / e1 - 1 / n1) + (1 / e2 - 1 / n2)


def odds_ratio(e1: ArrayLike, n1: ArrayLike, e2: ArrayLike, n2: ArrayLike) -> Pair:
    """Log odds ratio of counts as they are (correct zero cells first) (Handbook 6.4.1.2; Woolf 1955)."""
    e1, n1, e2, n2 = floats(e1, n1, e2, n2)
    with np.errstate(invalid="ignore", divide="ignore"):
        yi = np.log(e1 / (n1 - e1)) - np.log(e2 / (n2 - e2))
        return yi, 1 / e1 + 1 / (n1 - e1) + 1 / e2 + 1 / (n2 - e2)


def rd(e1: ArrayLike, n1: ArrayLike, e2: ArrayLike, n2: ArrayLike) -> Pair:
    """Risk difference (Handbook 6.4.1.4)."""
    e1, n1, e2, n2 = floats(e1, n1, e2, n2)
    p1, p2 = e1 / n1, e2 / n2
    return p1 - p2, p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2


def o_minus_e(e1: ArrayLike, n1: ArrayLike, e2: ArrayLike, n2: ArrayLike) -> Pair:
    """Observed minus expected events of arm 1 and their hypergeometric variance (Yusuf 1985; Handbook 10.4.2)."""
    e1, n1, e2, n2 = floats(e1, n1, e2, n2)
    total, events = n1 + n2, e1 + e2
    with np.errstate(invalid="ignore", divide="ignore"):
        v = events * (total - events) * (n1 / total) * (n2 / total) / (total - 1)
        return e1 - events * n1 / total, v


def peto(e1: ArrayLike, n1: ArrayLike, e2: ArrayLike, n2: ArrayLike) -> Pair:
    """Peto's log odds ratio (O - E)/V (Yusuf 1985; Handbook 10.4.2); NaN where V = 0."""
    return from_o_minus_e(*o_minus_e(e1, n1, e2, n2))


def from_o_minus_e(o_minus_e: ArrayLike, v: ArrayLike) -> Pair:
    """Log hazard ratio or Peto log odds ratio from O - E and V: (O - E)/V with variance 1/V (Handbook 6.8.2)."""
    oe, v = floats(o_minus_e, v)
    v = np.where(v > 0, v, np.nan)
    return oe / v, 1 / v


def arcsine(e1: ArrayLike, n1: ArrayLike, e2: ArrayLike, n2: ArrayLike) -> Pair:
    """Arcsine difference asin(sqrt(p1)) - asin(sqrt(p2)) (Ruecker 2009)."""
    e1, n1, e2, n2 = floats(e1, n1, e2, n2)
    with np.errstate(invalid="ignore"):
        return np.arcsin(np.sqrt(e1 / n1)) - np.arcsin(np.sqrt(e2 / n2)), 1 / (4 * n1) + 1 / (4 * n2)


def conditional_or(b: ArrayLike, c: ArrayLike) -> Pair:
    """Conditional log odds ratio log(b/c) of discordant pairs, variance 1/b + 1/c (Elbourne 2002).

    b: pairs with the event under intervention only, c: under control only.
    """
    b, c = floats(b, c)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(b) - np.log(c), 1 / b + 1 / c


# --- rates ---------------------------------------------------------------------------------------------------


def irr(x1: ArrayLike, t1: ArrayLike, x2: ArrayLike, t2: ArrayLike) -> Pair:
    """Log incidence rate ratio from events and person-time (Handbook 6.7.1)."""
    x1, t1, x2, t2 = floats(x1, t1, x2, t2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.log(x1 / t1) - np.log(x2 / t2), 1 / x1 + 1 / x2


def ird(x1: ArrayLike, t1: ArrayLike, x2: ArrayLike, t2: ArrayLike) -> Pair:
    """Incidence rate difference from events and person-time (Handbook 6.7.1)."""
    x1, t1, x2, t2 = floats(x1, t1, x2, t2)
    return x1 / t1 - x2 / t2, x1 / t1**2 + x2 / t2**2


def correct_zero_rates(
    x1: ArrayLike, t1: ArrayLike, x2: ArrayLike, t2: ArrayLike, policy: str = "only0", amount: float = 0.5
) -> tuple[Floats, Floats, Bools]:
    """Event counts of rates after the continuity correction, and which rows were corrected (policies as for counts).

    Person-time stays; ``tacc`` weighs by person-time.  ``needed`` is ``only0`` here (a ratio needs both counts).
    """
    if policy not in ZERO_CELL_POLICIES:
        msg = f"policy must be one of {', '.join(ZERO_CELL_POLICIES)}, not {policy!r}"
        raise ValueError(msg)
    x1, t1, x2, t2 = floats(x1, t1, x2, t2)
    zero = (x1 == 0) | (x2 == 0)
    rows = {"none": np.zeros_like(zero), "all": ~np.isnan(x1 + x2)}.get(policy, zero)
    k1 = 2 * amount * t1 / (t1 + t2) if policy == "tacc" else np.full(x1.shape, amount)
    k2 = 2 * amount * t2 / (t1 + t2) if policy == "tacc" else np.full(x1.shape, amount)
    return x1 + np.where(rows, k1, 0.0), x2 + np.where(rows, k2, 0.0), rows


# --- numbers needed to treat ----------------------------------------------------------------------------------


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
