"""Prediction interval from the confidence distribution of tau2, which Nagashima and others sample by bootstrap."""

from __future__ import annotations

import numpy as np
from scipy import special

from reweigh.pool.mixture import normal_mixture, panels
from reweigh.pool.tau2 import Floats, q_statistic, residuals

#: Nodes on Talbot's contour: the error falls by a factor of about 3.9 per node, so 32 reach rounding error.
_CONTOUR = 32
#: Probability of the largest tau2 that is left out.
_TAIL = 1e-10


def bootstrap_prediction(y: Floats, v: Floats, level: float) -> tuple[float, float]:
    """Limits of the parametric bootstrap prediction interval with infinitely many draws, k >= 3.

    Nagashima, Noma and Furukawa 2019, Statistical Methods in Medical Research 28:1689-702, section 3.3. What they
    draw at random (tau2 from its confidence distribution, a normal and a t deviate) is integrated here, so the
    interval has no Monte Carlo error and needs no seed.
    """
    low, df = float(v.min()), len(y) - 1
    q = float(q_statistic(y[None], v[None], np.zeros(1))[0])
    top = low
    while q > 0 and _above(q, v, np.array([top]))[0][0] > _TAIL:
        top *= 2
    edges = np.log(low) + np.linspace(0, np.log1p(top / low), 2 + int(4 * np.log1p(top / low)))
    log_t, step = panels(edges)
    tau2 = np.concatenate([[0.0], np.exp(log_t) - low])
    below, density = _above(q, v, tau2)
    mass = np.concatenate([[1 - below[0]], (density * (tau2 + low))[1:] * step])
    mass = np.maximum(mass, 0.0) / mass.sum()

    _, total, mu, r = residuals(np.broadcast_to(y, (tau2.size, y.size)), np.broadcast_to(v, (tau2.size, v.size)), tau2)
    knapp2 = (r * r / (v + tau2[:, None])).sum(axis=1) / df / total
    # A t deviate is a normal one with variance df/chi2: the whole is a mixture of normals.
    z, weight = panels(np.linspace(-8, 8, 9), 16)
    inflate, share = df / special.chdtri(df, special.ndtr(-z)), weight * np.exp(-z * z / 2)
    sd = np.sqrt(tau2[:, None] + knapp2[:, None] * inflate)
    joint = mass[:, None] * (share / share.sum())
    return normal_mixture(joint.ravel(), np.repeat(mu, len(z)), sd.ravel()).central(level)


def _above(q: float, v: Floats, tau2: Floats) -> tuple[Floats, Floats]:
    """P(Q <= q) at each tau2 (n,), and minus its derivative: the confidence density of tau2.

    The Laplace transform of Q is det(I + 2s(V + tau2)A)^(-1/2), A = W - ww'/sum(w); inverted on Talbot's contour
    with the parameters of Weideman 2006, SIAM Journal on Numerical Analysis 44:2342-62.
    """
    if q <= 0:
        return np.zeros_like(tau2), np.zeros_like(tau2)
    n = _CONTOUR
    theta = (np.arange(n) + 0.5) * np.pi / n
    cot = 1 / np.tan(0.6407 * theta)
    s = n / q * (0.5017 * theta * cot - 0.6122 + 0.2645j * theta)
    ds = n / q * (0.5017 * cot - 0.5017 * 0.6407 * theta / np.sin(0.6407 * theta) ** 2 + 0.2645j)
    w = 1 / v
    h = 1 + tau2[:, None] * w
    d = 1 + 2 * s[:, None, None] * h
    f = 1 - 2 * s[:, None] / w.sum() * (h * w / d).sum(axis=2)
    transform = np.exp(-np.log(d).sum(axis=2) / 2) / np.sqrt(f)
    slope = (2 * s[:, None, None] * w / d).sum(axis=2) - 2 * s[:, None] / w.sum() * (w * w / d**2).sum(axis=2) / f
    path = (np.exp(s * q) * ds / s)[:, None]
    below = np.imag((path * transform).sum(axis=0)) / n
    density = np.imag((path * transform * slope / 2).sum(axis=0)) / n
    return np.clip(below, 0.0, 1.0), density
