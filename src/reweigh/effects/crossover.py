"""Effect sizes of crossover trials: every patient stands in both arms.

``r`` is the within-person correlation of a continuous outcome, ``phi`` that of a binary one.  The estimate is that of
the means or risks; only the variance knows the pairing.  Estimates of ratios are logarithms.
"""

from __future__ import annotations

import numpy as np

from reweigh.effects import measures
from reweigh.effects.conversions import Floats, on_arrays
from reweigh.effects.measures import Pair, hedges_j


@on_arrays
def md(n: Floats, m1: Floats, s1: Floats, m2: Floats, s2: Floats, r: Floats) -> Pair:
    """Mean difference with variance (s1^2 + s2^2 - 2 r s1 s2)/n (Handbook 23.2.7.1; metafor's MC)."""
    return m1 - m2, (s1**2 + s2**2 - 2 * r * s1 * s2) / n


@on_arrays
def smd(n: Floats, m1: Floats, s1: Floats, m2: Floats, s2: Floats, r: Floats, *, correct: bool = True) -> Pair:
    """SMD standardised by the between-person SD sqrt((s1^2 + s2^2)/2), J with n - 1 df where ``correct``.

    Variance (1/n + g^2/(2n)) 2(1 - r) (Handbook 23.2.7.2; Elbourne 2002).
    """
    j = hedges_j(n - 1) if correct else np.ones_like(n)
    g = j * (m1 - m2) / np.sqrt((s1**2 + s2**2) / 2)
    return g, (1 / n + g**2 / (2 * n)) * 2 * (1 - r)


@on_arrays
def smd_difference(n: Floats, m1: Floats, s1: Floats, m2: Floats, s2: Floats, r: Floats) -> Pair:
    """SMD standardised by the SD of the differences: not comparable with parallel trials (metafor's SMCC)."""
    d = hedges_j(n - 1) * (m1 - m2) / np.sqrt(s1**2 + s2**2 - 2 * r * s1 * s2)
    return d, 1 / n + d**2 / (2 * n)


@on_arrays
def smd_from_t(n: Floats, t: Floats, r: Floats, *, between: bool = True) -> Pair:
    """SMD from a paired t with n - 1 df: d = J t/sqrt(n), g = d sqrt(2(1 - r)), variance (1/n + d^2/(2n)) 2(1 - r).

    Becker 1988; metafor's SMCC at r = 0.5.  With ``between=False`` the factor 2(1 - r) is left out (SD of differences).
    """
    d = hedges_j(n - 1) * t / np.sqrt(n)
    factor = 2 * (1 - r) if between else np.ones_like(n)
    return d * np.sqrt(factor), (1 / n + d**2 / (2 * n)) * factor


@on_arrays
def glass(n: Floats, m1: Floats, s1: Floats, m2: Floats, s2: Floats, r: Floats) -> Pair:
    """Glass's delta by the control SD, variance 2(1 - r)/n + g^2/(2n) (Becker 1988; metafor's SMCR)."""
    g = hedges_j(n - 1) * (m1 - m2) / s2
    return g, 2 * (1 - r) / n + g**2 / (2 * n)


@on_arrays
def rom(n: Floats, m1: Floats, s1: Floats, m2: Floats, s2: Floats, r: Floats) -> Pair:
    """Log ratio of means with the covariance taken off (Lajeunesse 2011; metafor 3.8's ROMC)."""
    yi, vi = measures.rom(n, m1, s1, n, m2, s2)
    return yi, vi - 2 * r * s1 * s2 / (n * m1 * m2)


@on_arrays
def phi_limits(p1: Floats, p2: Floats) -> tuple[Floats, Floats]:
    """Least and greatest phi that two risks allow (Frechet limits; Ferguson 1941); 0 where a risk is 0 or 1."""
    root = np.sqrt(p1 * (1 - p1) * p2 * (1 - p2))
    low = (np.maximum(0.0, p1 + p2 - 1) - p1 * p2) / root
    high = (np.minimum(p1, p2) - p1 * p2) / root
    ok = root > 0
    # equal risks give 1 but for rounding
    return np.where(ok, np.maximum(low, -1.0), 0.0), np.where(ok, np.minimum(high, 1.0), 0.0)


@on_arrays
def phi_from_discordant(e1: Floats, e2: Floats, n: Floats, b: Floats) -> Floats:
    """Phi of the paired table with margins e1, e2, n and b pairs with the event under intervention only."""
    return (n * (e1 - b) - e1 * e2) / np.sqrt(e1 * (n - e1) * e2 * (n - e2))


@on_arrays
def binary(measure: str, e1: Floats, n1: Floats, e2: Floats, n2: Floats, phi: Floats) -> Pair:
    """RR, OR, RD or AS of a crossover trial from its margins and phi: var = a + b - 2 phi sqrt(ab).

    a and b are what the two arms contribute if independent (`measures.arm_variances`); for the OR Becker & Balagtas
    1993. A zero cell is corrected first (0.5 to events and non-events, so n + 1); the limits of phi are those of the
    corrected margins. Raises ValueError for another measure.
    """
    if measure not in ("RR", "OR", "RD", "AS"):
        raise ValueError(f"no crossover variance for {measure!r}; known: RR, OR, RD, AS")
    yi, vi = measures.from_arms(measure, e1, n1, e2, n2)
    a, b = measures.arm_variances(measure, e1, n1, e2, n2)
    return yi, vi - 2 * phi * np.sqrt(a * b)
