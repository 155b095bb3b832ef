"""Recursive numerical integration of a Brownian score between boundaries."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy  # its parts load when they are used: optimize takes a while
from numpy.typing import NDArray
from scipy import special

Floats = NDArray[np.float64]
#: (time, lower, upper): a look and its boundaries on the Z scale.
Limit = tuple[float, float, float]

# The density of the score is integrated by Gauss-Legendre panels of _NODES points, each at most _PANEL standard
# deviations of the shorter neighbouring increment wide; beyond REACH standard deviations 1e-19 is lost.
_NODES, _PANEL, REACH = 32, 8.0, 9.0
_X, _W = np.polynomial.legendre.leggauss(_NODES)


class State(NamedTuple):
    """Null density of the score on the continuation region: P(node) * quadrature weight."""

    time: float
    nodes: Floats
    mass: Floats


START = State(0.0, np.zeros(1), np.ones(1))


def tail(state: State, time: float, z: float, drift: Floats | float = 0.0, below: bool = False) -> Floats:
    """P(still going, Z at ``time`` beyond z) under each drift.

    The mass is that of drift 0; the likelihood ratio exp(drift*s - drift^2*t/2) carries it to any other.
    """
    step, sign = time - state.time, -1.0 if below else 1.0
    theta = np.asarray(drift, dtype=np.float64)[..., None]
    distance = state.nodes + theta * step - z * np.sqrt(time)
    ratio = np.exp(theta * state.nodes - theta**2 * state.time / 2)
    return np.asarray((state.mass * ratio * special.ndtr(sign * distance / np.sqrt(step))).sum(-1))


def advance(state: State, time: float, lower: float, upper: float, following: float, reach: float = REACH) -> State:
    """Density at ``time`` between two Z boundaries, on a grid fit for a next look at ``following``.

    Armitage, McPherson and Rowe 1969, J R Stat Soc A 132:235-44.
    """
    step, root = time - state.time, np.sqrt(time)
    low, high = max(lower, -reach) * root, min(upper, reach) * root
    if low >= high:
        return State(time, np.zeros(0), np.zeros(0))
    panels = int(np.ceil((high - low) / (_PANEL * np.sqrt(min(step, following - time)))))
    half = (high - low) / panels / 2
    nodes = (low + half * (2 * np.arange(panels)[:, None] + 1 + _X)).ravel()
    kernel = np.exp(-((nodes[:, None] - state.nodes) ** 2) / (2 * step))
    return State(time, nodes, np.tile(_W * half, panels) * (kernel @ state.mass) / np.sqrt(2 * np.pi * step))


def root_of(function: Callable[[float], float], low: float, high: float) -> float:
    """Root between two values of opposite sign, to the last digits."""
    return float(scipy.optimize.brentq(function, low, high, xtol=1e-14, rtol=1e-14, maxiter=200))


def states_before(limits: list[Limit], reach: float = REACH) -> list[State]:
    """State before each look."""
    states = [START]
    for (time, lower, upper), (following, _, _) in pairwise(limits):
        states.append(advance(states[-1], time, lower, upper, following, reach))
    return states
