"""Distributions made by quadrature: finite mixtures of normals, and intervals of any distribution function."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import scipy  # its parts load when they are used: optimize takes a while
from scipy import special

from reweigh.pool.tau2 import Floats


class Law(NamedTuple):
    """A one-dimensional distribution on [left, inf): distribution function, density, a middle and a spread."""

    cdf: Callable[[float], float]
    pdf: Callable[[float], float]
    middle: float
    spread: float
    left: float = -np.inf

    def quantile(self, probability: float) -> float:
        """Inverse of the distribution function; ``left`` where that already holds the probability."""
        if np.isfinite(self.left) and self.cdf(self.left) >= probability:
            return self.left
        low, high, reach = self.middle, self.middle, self.spread
        while self.cdf(high) < probability:
            low, high, reach = high, high + reach, 2 * reach
        reach = self.spread
        while self.cdf(low) > probability:
            high, low, reach = low, max(low - reach, self.left), 2 * reach
        gap = 1e-15 * self.spread
        return float(
            scipy.optimize.brentq(lambda x: self.cdf(x) - probability, low, high, xtol=gap, rtol=1e-14, maxiter=1000)
        )

    def mode(self) -> float:
        """Highest point of the density, between the extreme quantiles."""
        low, high = self.quantile(1e-6), self.quantile(1 - 1e-6)
        grid = np.linspace(low, high, 201)
        if np.isfinite(self.left) and np.isfinite(self.pdf(self.left)):
            grid = np.concatenate([[self.left], grid])
        best = int(np.argmax([self.pdf(float(x)) for x in grid]))
        around = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        found = scipy.optimize.minimize_scalar(
            lambda x: -self.pdf(float(x)), bounds=around, method="bounded", options={"xatol": 1e-10 * (high - low)}
        )
        return float(found.x) if -found.fun > self.pdf(float(grid[best])) else float(grid[best])

    def central(self, level: float) -> tuple[float, float]:
        """Interval with equal tails."""
        return self.quantile((1 - level) / 2), self.quantile((1 + level) / 2)

    def shortest(self, level: float) -> tuple[float, float]:
        """Shortest interval that holds ``level``: the two densities are equal, or one end is that of the support."""
        tails = np.linspace(0, 1 - level, 12)[:-1]
        ends = [(self.quantile(p) if p > 0 else self.left, self.quantile(p + level)) for p in tails]
        best = int(np.argmin([high - low for low, high in ends]))

        def slope(p: float) -> float:
            return self.pdf(self.quantile(p)) - self.pdf(self.quantile(p + level))

        low, high = tails[max(best - 1, 0)], tails[min(best + 1, len(tails) - 1)]
        low = max(low, 1e-12)
        if slope(low) * slope(high) > 0:
            return ends[best]
        p = float(scipy.optimize.brentq(slope, low, high, xtol=1e-15, rtol=1e-13))
        return self.quantile(p), self.quantile(p + level)


def normal_mixture(weights: Floats, means: Floats, sds: Floats) -> Law:
    """Mixture of normals; weights sum to 1, and those that cannot show in the 16th digit are left out."""
    keep = weights > 1e-18
    weights, means, sds = weights[keep], means[keep], sds[keep]

    def cdf(x: float) -> float:
        return float(weights @ special.ndtr((x - means) / sds))

    def pdf(x: float) -> float:
        z = (x - means) / sds
        return float(weights @ (np.exp(-z * z / 2) / sds)) / float(np.sqrt(2 * np.pi))

    order = np.argsort(sds)
    usual = sds[order[min(int(np.searchsorted(np.cumsum(weights[order]), 0.5)), len(sds) - 1)]]
    return Law(cdf, pdf, float(weights @ means), float(usual))


_rule = lru_cache(np.polynomial.legendre.leggauss)
"""Gauss-Legendre nodes and weights, which cost more than all that is done with them."""


def panels(edges: Floats, nodes: int = 12) -> tuple[Floats, Floats]:
    """Gauss-Legendre nodes and weights on every panel between ``edges``, flattened."""
    x, w = _rule(nodes)
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (x + 1)).ravel(), (half * w).ravel()
