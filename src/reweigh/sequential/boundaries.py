"""Spending functions and the boundaries they give, by recursive numerical integration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reweigh.sequential.integration import REACH, START, Floats, Limit, State, advance, root_of, states_before, tail

Spending = Literal["obrien-fleming", "pocock", "power"]
SPENDING: tuple[Spending, ...] = ("obrien-fleming", "pocock", "power")

#: A look that may spend less than this per tail has no boundary (RTSA 0.2.2 draws the same looks at Z = 20).
NEGLIGIBLE = 1e-9
#: Smallest step between looks, relative to the later one; closer looks need an integration grid out of proportion.
MIN_STEP = 5e-4
#: Codes of why a look has no boundary; `reweigh.text.sequential` has their words.
UNREACHABLE, SPENT, NOT_OPEN = "unreachable", "spent", "not_open"


def spend(fraction: ArrayLike, error: float, method: Spending = "obrien-fleming", rho: float = 1.0) -> Floats:
    """Error that may be spent up to each information fraction; all of it from 1 on.

    ``error`` is that of ONE tail: alpha/2 for a two-sided test. ``rho`` is the exponent of the power family.
    Raises ValueError on an unknown method, or an error outside (0, 1), or rho <= 0.

    Lan and DeMets 1983, Biometrika 70:659-63; power family: Kim and DeMets 1987, Biometrika 74:149-54.
    """
    t = np.minimum(np.asarray(fraction, dtype=np.float64), 1.0)
    if not 0 < error < 1:
        raise ValueError(f"the error to spend must lie between 0 and 1, not {error}")
    if np.any(~(t >= 0)):
        raise ValueError(f"information fraction {t[~(t >= 0)][0]} is not a number of at least 0")
    if method == "obrien-fleming":
        with np.errstate(divide="ignore"):
            return np.asarray(2 * special.ndtr(special.ndtri(error / 2) / np.sqrt(t)))
    if method == "pocock":
        return np.asarray(error * np.log1p(np.expm1(1.0) * t))
    if method == "power":
        if not (rho > 0 and np.isfinite(rho)):
            raise ValueError(f"rho of the power family must be above 0, not {rho}")
        return np.asarray(error * t**rho)
    raise ValueError(f"unknown spending function {method!r}: one of {', '.join(SPENDING)}")


@dataclass(frozen=True, slots=True)
class Boundaries:
    """Efficacy boundaries on the Z scale; arrays have one element per look.

    A boundary that does not exist is NaN and ``reason`` holds the code of why.
    """

    fraction: Floats
    upper: Floats
    #: Mirror image of ``upper``; NaN throughout for a one-sided design.
    lower: Floats
    #: Cumulative alpha spent, both tails together.
    spent: Floats
    reason: tuple[str, ...]
    alpha: float
    sides: int
    spending: Spending
    rho: float

    @property
    def tail(self) -> float:
        """Alpha of one tail."""
        return self.alpha / self.sides


@dataclass(frozen=True, slots=True)
class Futility:
    """Non-binding futility boundaries on the Z scale; arrays have one element per look.

    One-sided: stop for futility below ``upper``. Two-sided: between ``lower`` and ``upper``. A boundary that does
    not exist is NaN and ``reason`` says why.
    """

    upper: Floats
    lower: Floats
    #: Cumulative beta spent.
    spent: Floats
    reason: tuple[str, ...]
    #: Expected Z at fraction 1 under the effect that matters.
    drift: float
    #: Probability of crossing the upper efficacy boundary under ``drift`` when futility is obeyed.
    power: float
    #: (drift / drift of the fixed-sample test)^2: by how much the information must grow for power 1 - beta.
    inflation: float


def _looks(fraction: ArrayLike) -> Floats:
    t = np.atleast_1d(np.asarray(fraction, dtype=np.float64))
    if t.ndim != 1 or t.size == 0:
        raise ValueError("information fractions must be a non-empty one-dimensional array")
    if not np.all(np.isfinite(t)) or t[0] <= 0:
        raise ValueError(f"information fractions must be finite and above 0: {t.tolist()}")
    # Beyond 1 nothing is integrated any more, so only the order matters there.
    for i in np.flatnonzero(~(np.diff(t) > 0) | ((np.diff(t) < MIN_STEP * t[1:]) & (t[:-1] < 1))):
        raise ValueError(
            f"looks {i} and {i + 1} at information fractions {t[i]:g} and {t[i + 1]:g} are not increasing by at "
            f"least {MIN_STEP:g} of the later: merge them"
        )
    return t


def _number_of_sides(sides: int) -> int:
    if sides not in (1, 2):
        raise ValueError(f"sides must be 1 or 2, not {sides}")
    return sides


def alpha_boundaries(
    fraction: ArrayLike,
    alpha: float = 0.05,
    *,
    sides: int = 2,
    spending: Spending = "obrien-fleming",
    rho: float = 1.0,
) -> Boundaries:
    """Efficacy boundaries for looks at increasing information fractions; two-sided spends alpha/2 in each tail.

    The first look at or beyond 1 spends all that is left. A look that may spend less than 1e-9 per tail has no
    boundary; what it could have spent passes to the next. Raises ValueError on fractions that are not
    increasing or closer than 0.05%.

    Reboussin, DeMets, Kim and Lan 2000, Control Clin Trials 21:190-207.
    """
    t = _looks(fraction)
    cumulative = spend(t, alpha / _number_of_sides(sides), spending, rho)
    upper, spent, reason = search(t, cumulative, sides, NEGLIGIBLE, REACH)
    lower = -upper if sides == 2 else np.full(t.size, np.nan)
    return Boundaries(t, upper, lower, spent * sides, reason, alpha, sides, spending, rho)


def search(
    t: Floats, cumulative: Floats, sides: int, negligible: float, reach: float
) -> tuple[Floats, Floats, tuple[str, ...]]:
    """Upper boundaries, error spent per tail and reasons, one look after the other."""
    upper, spent = np.full(t.size, np.nan), np.zeros(t.size)
    reason = [""] * t.size
    state, used, over = START, 0.0, False
    for k, time in enumerate(t):
        target = cumulative[k] - used
        if over or target < negligible:
            reason[k] = SPENT if over else UNREACHABLE
        else:
            # The marginal tail bounds the joint one, so the boundary lies below its quantile.
            bound = -special.ndtri(target)
            upper[k] = (
                bound
                if state is START
                else root_of(lambda z: float(tail(state, time, z)) - target, -reach, bound + 1e-6)  # noqa: B023
            )
            used = cumulative[k]
            # A look without a boundary stops nothing, so the recursion passes over it.
            if k + 1 < t.size:
                state = advance(state, time, -upper[k] if sides == 2 else -np.inf, upper[k], t[k + 1], reach)
        spent[k] = used
        over = over or time >= 1
    return upper, spent, tuple(reason)


def limits_of(boundaries: Boundaries) -> list[Limit]:
    """(time, lower, upper) of the looks at which an efficacy boundary exists."""
    exists = np.isfinite(boundaries.upper)
    lower = boundaries.lower if boundaries.sides == 2 else np.full(exists.size, -np.inf)
    return list(zip(boundaries.fraction[exists], lower[exists], boundaries.upper[exists], strict=True))


def exit_probabilities(boundaries: Boundaries, drift: float = 0.0) -> tuple[Floats, Floats]:
    """Probability of first crossing the upper, and the lower, boundary at each look.

    ``drift`` is the expected Z at fraction 1. Looks without a boundary have probability 0.
    """
    p_upper, p_lower = np.zeros(boundaries.fraction.size), np.zeros(boundaries.fraction.size)
    limits = limits_of(boundaries)
    for i, (state, (time, lower, upper)) in enumerate(
        zip(states_before(limits, REACH + abs(drift)), limits, strict=True) if limits else ()
    ):
        k = np.flatnonzero(np.isfinite(boundaries.upper))[i]
        p_upper[k] = tail(state, time, upper, drift)
        p_lower[k] = tail(state, time, lower, drift, below=True) if np.isfinite(lower) else 0.0
    return p_upper, p_lower


def fixed_drift(alpha: float, beta: float, sides: int = 2) -> float:
    """Expected Z of the fixed-sample test with these errors: z(1 - alpha/sides) + z(1 - beta)."""
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {value}")
    if alpha / _number_of_sides(sides) + beta >= 1:
        raise ValueError(f"power 1 - beta = {1 - beta:g} is not above the alpha of a tail, {alpha / sides:g}")
    return float(-special.ndtri(alpha / sides) - special.ndtri(beta))


def inflation_factor(boundaries: Boundaries, beta: float) -> float:
    """By how much the looks enlarge the information that power 1 - beta needs, without futility.

    Power is that of crossing the upper boundary. Raises ValueError where the last look is before fraction 1.

    Jennison and Turnbull 1999, Group Sequential Methods, chapter 7.
    """
    _must_be_complete(boundaries)
    fixed = fixed_drift(boundaries.alpha, beta, boundaries.sides)
    drift = root_of(lambda d: exit_probabilities(boundaries, d)[0].sum() - (1 - beta), 0.5 * fixed, 3 * fixed)
    return float((drift / fixed) ** 2)


def _must_be_complete(boundaries: Boundaries) -> None:
    if boundaries.fraction[-1] < 1:
        raise ValueError(f"the last look is at information fraction {boundaries.fraction[-1]:g}; it must reach 1")


def futility_boundaries(
    boundaries: Boundaries,
    beta: float = 0.1,
    *,
    spending: Spending = "obrien-fleming",
    rho: float = 1.0,
    drift: float | None = None,
) -> Futility:
    """Non-binding beta-spending futility boundaries beside given efficacy boundaries.

    At each look P(no stop so far, Z in the futility region) under ``drift`` is what beta-spending allows. The
    region is (-inf, boundary) one-sided and (-boundary, boundary) two-sided; the latter opens at the first look
    whose beta would cover all Z below 0, and the beta of the looks before is kept for it. Without ``drift`` the one
    is found for which both boundaries meet at the last look and beta is spent exactly; with it they meet there by
    decision and ``power`` says what that gives. The efficacy boundaries stay as they are. Raises ValueError where
    the last look is before fraction 1.

    Jennison and Turnbull 1999, Group Sequential Methods, chapter 7.
    """
    _must_be_complete(boundaries)
    fixed = fixed_drift(boundaries.alpha, beta, boundaries.sides)
    cumulative = spend(boundaries.fraction, beta, spending, rho)
    if drift is not None:
        return _futility(boundaries, cumulative, fixed, drift, None)[0]
    # Which looks are open depends on the drift and the drift on them: settle the two in turn, each equation with
    # the open looks held so that it is smooth; a pattern seen before closes the looks in dispute.
    opened, seen = _futility(boundaries, cumulative, fixed, fixed, None)[1], set[bytes]()
    while True:
        found = root_of(
            lambda d: _futility(boundaries, cumulative, fixed, d, opened)[0].spent[-1] - beta,  # noqa: B023
            0.5 * fixed,
            3 * fixed,
        )
        again = _futility(boundaries, cumulative, fixed, found, None)[1]
        if np.array_equal(again, opened) or (opened & again).tobytes() in seen:
            break
        seen.add(opened.tobytes())
        opened = opened & again if again.tobytes() in seen else again
    return _futility(boundaries, cumulative, fixed, found, opened)[0]


def _futility(
    boundaries: Boundaries, cumulative: Floats, fixed: float, drift: float, opened: NDArray[np.bool_] | None
) -> tuple[Futility, NDArray[np.bool_]]:
    """Futility boundaries under one drift, and at which looks they exist (``opened`` decides it where given)."""
    t, two_sided = boundaries.fraction, boundaries.sides == 2
    upper, spent, reason = np.full(t.size, np.nan), np.zeros(t.size), [""] * t.size
    reach, last = REACH + abs(drift), int(np.flatnonzero(t >= 1)[0])
    state, used, power = START, 0.0, 0.0
    for k, time in enumerate(t):
        if k > last:
            reason[k], spent[k] = SPENT, used
            continue
        efficacy = boundaries.upper[k] if np.isfinite(boundaries.upper[k]) else np.inf

        def stopped(z: float, state: State = state, time: float = time) -> float:
            """P(futility stop here) with the boundary at z."""
            inside = float(tail(state, time, z, drift, below=True))
            return inside - float(tail(state, time, -z, drift, below=True)) if two_sided else inside

        def opens(target: float, k: int = k, state: State = state, time: float = time) -> bool:
            """Whether the region exists here: it did before, or the beta covers all Z below 0."""
            return bool(np.isfinite(upper[:k]).any() or tail(state, time, 0.0, drift, below=True) <= target)

        limit, target = np.nan, cumulative[k] - used
        if k == last or state.nodes.size == 0:
            limit = efficacy
        elif target < NEGLIGIBLE:
            reason[k] = UNREACHABLE
        elif two_sided and not (opens(target) if opened is None else opened[k]):
            reason[k] = NOT_OPEN
        else:
            low, high = 0.0 if two_sided else -reach, min(efficacy, reach)
            limit = high if stopped(high) <= target else root_of(lambda z: stopped(z) - target, low, high)  # noqa: B023
        used += stopped(limit) if np.isfinite(limit) else 0.0
        power += float(tail(state, time, efficacy, drift)) if np.isfinite(efficacy) else 0.0
        upper[k], spent[k] = limit, used
        if k < last and (np.isfinite(limit) or np.isfinite(efficacy)):
            edges = [(-efficacy if two_sided else -np.inf, efficacy)]
            if np.isfinite(limit):
                edges = [(-efficacy, -limit), (limit, efficacy)] if two_sided else [(limit, efficacy)]
            parts = [advance(state, time, low, high, t[k + 1], reach) for low, high in edges]
            state = State(time, *(np.concatenate([getattr(p, f) for p in parts]) for f in ("nodes", "mass")))
    lower = -upper if two_sided else np.full(t.size, np.nan)
    found = Futility(upper, lower, spent, tuple(reason), drift, power, float((drift / fixed) ** 2))
    return found, np.isfinite(upper)
