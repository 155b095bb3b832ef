"""Effect sizes of crossover trials: every patient stands in both arms.

``r`` is the within-person correlation of a continuous outcome, ``phi`` that of a binary one.  The estimate is that of
the means or risks; only the variance knows the pairing.  Estimates of ratios are logarithms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reweigh.effects import measures
from reweigh.effects.conversions import Floats, floats
from reweigh.effects.measures import Pair, hedges_j


def md(n: ArrayLike, m1: ArrayLike, s1: ArrayLike, m2: ArrayLike, s2: ArrayLike, r: ArrayLike) -> Pair:
    """Mean difference with variance (s1^2 + s2^2 - 2 r s1 s2)/n (Handbook 23.2.7.1; metafor's MC)."""
    n, m1, s1, m2, s2, r = floats(n, m1, s1, m2, s2, r)
    return m1 - m2, (s1**2 + s2**2 - 2 * r * s1 * s2) / n


def smd(
    n: ArrayLike,
    m1: ArrayLike,
    s1: ArrayLike,
    m2: ArrayLike,
    s2: ArrayLike,
    r: ArrayLike,
    *,
    correct: bool = True,
) -> Pair:
    """SMD standardised by the between-person SD sqrt((s1^2 + s2^2)/2), J with n - 1 df where ``correct``.

    Variance (1/n + g^2/(2n)) 2(1 - r) (Handbook 23.2.7.2; Elbourne 2002).
    """
    n, m1, s1, m2, s2, r = floats(n, m1, s1, m2, s2, r)
    j = hedges_j(n - 1) if correct else np.ones_like(n)
    with np.errstate(invalid="ignore", divide="ignore"):
        g = j * (m1 - m2) / np.sqrt((s1**2 + s2**2) / 2)
    return g, (1 / n + g**2 / (2 * n)) * 2 * (1 - r)


def smd_difference(n: ArrayLike, m1: ArrayLike, s1: ArrayLike, m2: ArrayLike, s2: ArrayLike, r: ArrayLike) -> Pair:
    """SMD standardised by the SD of the differences: not comparable with parallel trials (metafor's SMCC)."""
    n, m1, s1, m2, s2, r = floats(n, m1, s1, m2, s2, r)
    with np.errstate(invalid="ignore", divide="ignore"):
        d = hedges_j(n - 1) * (m1 - m2) / np.sqrt(s1**2 + s2**2 - 2 * r * s1 * s2)
    return d, 1 / n + d**2 / (2 * n)


def smd_from_t(n: ArrayLike, t: ArrayLike, r: ArrayLike, *, between: bool = True) -> Pair:
    """SMD from a paired t with n - 1 df: d = J t/sqrt(n), g = d sqrt(2(1 - r)), variance (1/n + d^2/(2n)) 2(1 - r).

    Becker 1988; metafor's SMCC at r = 0.5.  With ``between=False`` the factor 2(1 - r) is left out (SD of differences).
    """
    n, t, r = floats(n, t, r)
    d = hedges_j(n - 1) * t / np.sqrt(n)
    factor = 2 * (1 - r) if between else np.ones_like(n)
    return d * np.sqrt(factor), (1 / n + d**2 / (2 * n)) * factor


def glass(n: ArrayLike, m1: ArrayLike, s1: ArrayLike, m2: ArrayLike, s2: ArrayLike, r: ArrayLike) -> Pair:
    """Glass's delta by the control SD, variance 2(1 - r)/n + g^2/(2n) (Becker 1988; metafor's SMCR)."""
    n, m1, s1, m2, s2, r = floats(n, m1, s1, m2, s2, r)
    with np.errstate(invalid="ignore", divide="ignore"):
        g = hedges_j(n - 1) * (m1 - m2) / s2
    return g, 2 * (1 - r) / n + g**2 / (2 * n)


def rom(n: ArrayLike, m1: ArrayLike, s1: ArrayLike, m2: ArrayLike, s2: ArrayLike, r: ArrayLike) -> Pair:
    """Log ratio of means with the covariance taken off (Lajeunesse 2011; metafor 3.8's ROMC)."""
    n, m1, s1, m2, s2, r = floats(n, m1, s1, m2, s2, r)
    yi, vi = measures.rom(n, m1, s1, n, m2, s2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return yi, vi - 2 * r * s1 * s2 / (n * m1 * m2)


def phi_limits(p1: ArrayLike, p2: ArrayLike) -> tuple[Floats, Floats]:
    """Least and greatest phi that two risks allow (Frechet limits; Ferguson 1941); 0 where a risk is 0 or 1."""
    p1, p2 = floats(p1, p2)
    q1, q2 = 1 - p1, 1 - p2
    with np.errstate(invalid="ignore", divide="ignore"):
        root = np.sqrt(p1 * q1 * p2 * q2)
        low = (np.maximum(0.0, p1 + p2 - 1) - p1 * p2) / root
        high = (np.minimum(p1, p2) - p1 * p2) / root
    ok = root > 0
    # equal risks give 1 but for rounding
    return np.where(ok, np.maximum(low, -1.0), 0.0), np.where(ok, np.minimum(high, 1.0), 0.0)


def phi_from_discordant(e1: ArrayLike, e2: ArrayLike, n: ArrayLike, b: ArrayLike) -> Floats:
    """Phi of the paired table with margins e1, e2, n and b pairs with the event under intervention only."""
    e1, e2, n, b = floats(e1, e2, n, b)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (n * (e1 - b) - e1 * e2) / np.sqrt(e1 * (n - e1) * e2 * (n - e2))


def arm_variances(measure: str, e1: ArrayLike, n1: ArrayLike, e2: ArrayLike, n2: ArrayLike) -> Pair:
    """What each of two independent arms contributes to the variance of a log RR, log OR, RD or AS.

    For the RR 1/e - 1/n (delta method), for the OR 1/e + 1/(n - e), for the RD p(1 - p)/n, for AS 1/(4n).
    """
    e1, n1, e2, n2 = floats(e1, n1, e2, n2)
    with np.errstate(invalid="ignore", divide="ignore"):
        if measure == "RR":
            return 1 / e1 - 1 / n1, 1 / e2 - 1 / n2
        if measure == "OR":
            return 1 / e1 + 1 / (n1 - e1), 1 / e2 + 1 / (n2 - e2)
        if measure == "RD":
            return e1 * (n1 - e1) / n1**3, e2 * (n2 - e2) / n2**3
        return 1 / (4 * n1), 1 / (4 * n2)


def binary(measure: str, e1: ArrayLike, n1: ArrayLike, e2: ArrayLike, n2: ArrayLike, phi: ArrayLike) -> Pair:
    """RR, OR, RD or AS of a crossover trial from its margins and phi: var = a + b - 2 phi sqrt(ab).

    a and b are what the two arms contribute if independent, see `arm_variances`; for the OR Becker & Balagtas 1993. A
    zero cell is corrected first (0.5 to events and non-events, so n + 1); the limits of phi are those of the corrected
    margins.
    """
    e1, n1, e2, n2, phi = floats(e1, n1, e2, n2, phi)
    independent = {"RR": measures.rr, "OR": measures.odds_ratio, "RD": measures.rd, "AS": measures.arcsine}
    if measure not in independent:
        msg = f"no crossover variance for {measure!r}; known: {', '.join(independent)}"
        raise ValueError(msg)
    yi, vi = independent[measure](e1, n1, e2, n2)
    a, b = arm_variances(measure, e1, n1, e2, n2)
    with np.errstate(invalid="ignore"):
        return yi, vi - 2 * phi * np.sqrt(a * b)
