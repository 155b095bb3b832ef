"""Between-trial variance: closed forms and one bracketed Newton solver, over many data sets at once.

Arrays are ``y`` (D, k), centred and scaled so that the smallest variance of a set is near 1, and ``v`` (D, k),
with ``inf`` where a ragged set has no trial: its weight is then exactly 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from reweigh.protocol.models import Tau2

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

METHODS = get_args(Tau2)
CLOSED = ("DL", "HE", "HS", "SJ")
LIKELIHOOD = ("ML", "REML")
#: Beside ML and REML, the likelihood with the mean known to be 0, for profiling over the mean.
MEAN_KNOWN = "mean known"

#: Grid points per factor e of (smallest variance + tau2). The score varies on a scale of about 1 in that
#: logarithm, so two of its roots do not hide between neighbouring points.
_DENSITY = 4
#: Parts into which the first cell of the grid is cut where the likelihood falls at 0.
_FIRST_CELL = 32
#: Largest number of elements of one temporary array of the grid: 3 MB stay in the cache of a processor.
_CHUNK = 400_000
_MAX_STEPS = 100
#: Newton ends where tau2 moves by no more than this share of itself and this; arrays, as numpy converts a number anew
#: each time.
_RELATIVE, _ABSOLUTE = np.array(1e-9), np.array(1e-14)


class Fit(NamedTuple):
    """tau2 of each data set (D,), the Newton steps spent on it, and how many local maxima there were."""

    tau2: Floats
    steps: Ints
    maxima: Ints


def at_zero(sets: int) -> Fit:
    """A tau2 of 0 that nobody estimated."""
    none = np.zeros(sets, dtype=np.intp)
    return Fit(np.zeros(sets), none, none + 1)


def residuals(y: Floats, v: Floats, tau2: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Weights (D, k), their sums (D,), weighted means (D,) and residuals (D, k) at ``tau2`` (D,)."""
    w = np.reciprocal(v + tau2[:, None])
    total = w.sum(axis=1)
    mu = (w * y).sum(axis=1) / total
    return w, total, mu, y - mu[:, None]


def q_statistic(y: Floats, v: Floats, tau2: Floats) -> Floats:
    """Generalised Q at ``tau2`` (D,): DerSimonian and Kacker 2007, equation 6."""
    w, _, _, r = residuals(y, v, tau2)
    return np.asarray((w * r * r).sum(axis=1))


def weight_apart(w: Floats) -> Floats:
    """The sum of the weights less their squares' share of it, sum w - sum w^2 / sum w (D,).

    As it stands the difference is lost, or below 0, where one trial has nearly all the weight.
    """
    if not w.shape[1]:
        return np.zeros(len(w))
    total = w.sum(axis=1)[:, None]
    most = np.arange(w.shape[1]) == w.argmax(axis=1)[:, None]
    others = np.where(most, np.where(most, 0.0, w).sum(axis=1)[:, None], total - w)
    return np.asarray((w * others).sum(axis=1) / total[:, 0])


def closed_form(method: str, y: Floats, v: Floats, k: Ints) -> Floats:
    """Untruncated tau2 by DL, HE, HS or SJ (Viechtbauer 2005; Sidik and Jonkman 2005), k >= 2."""
    zero = np.zeros(len(y))
    w, total, _, r = residuals(y, v, zero)
    if method == "DL":
        q = (w * r * r).sum(axis=1)
        return np.asarray((q - (k - 1)) / weight_apart(w))
    if method == "HS":
        return np.asarray(((w * r * r).sum(axis=1) - k) / total)
    there = np.isfinite(v)
    deviation = np.where(there, y - (y.sum(axis=1) / k)[:, None], 0.0)
    squares = (deviation * deviation).sum(axis=1)
    if method == "HE":
        return np.asarray(squares / (k - 1) - np.where(there, v, 0.0).sum(axis=1) / k)
    crude = squares / k
    return np.asarray(np.where(crude > 0, crude * q_statistic(y, v, crude) / (k - 1), 0.0))


def solve_q(y: Floats, v: Floats, target: Floats, start: Floats | None = None) -> Fit:
    """Smallest tau2 >= 0 at which the generalised Q around the weighted mean is at most ``target`` (D,)."""
    return fall_to((np.ascontiguousarray(y), np.ascontiguousarray(v)), target, _q_and_slope, start)


def _q_and_slope(y: Floats, v: Floats, tau2: Floats) -> tuple[Floats, Floats]:
    w, _, _, r = residuals(y, v, tau2)
    wrr = w * r * r
    return wrr.sum(axis=1), (w * wrr).sum(axis=1)


def score(y: Floats, v: Floats, tau2: Floats, kind: str) -> tuple[Floats, Floats]:
    """First and second derivative in tau2 of the log-likelihood of ``kind``, mu profiled out."""
    w, s1, _, r = residuals(y, v, tau2)
    r = y if kind == MEAN_KNOWN else r
    w2 = w * w
    w2r = w2 * r
    w2rr = w2r * r
    s2 = w2.sum(axis=1)
    first = w2rr.sum(axis=1) - s1
    second = s2 - 2 * (w * w2rr).sum(axis=1)
    if kind != MEAN_KNOWN:
        second = second + 2 * w2r.sum(axis=1) ** 2 / s1
    if kind == "REML":
        ratio = s2 / s1
        first = first + ratio
        second = second - 2 * (w * w2).sum(axis=1) / s1 + ratio**2
    return first / 2, second / 2


def log_likelihood(y: Floats, v: Floats, tau2: Floats, kind: str) -> Floats:
    """Log-likelihood of ``kind`` at ``tau2`` (D,), mu profiled out, without its constant."""
    w, total, _, r = residuals(y, v, tau2)
    r = y if kind == MEAN_KNOWN else r
    log_w = np.log(w, out=np.zeros_like(w), where=w > 0)
    value = (log_w - w * r * r).sum(axis=1)
    return np.asarray((value - np.log(total) if kind == "REML" else value) / 2)


def maximise(y: Floats, v: Floats, kind: str, start: Floats | None = None) -> Fit:
    """Global maximum over tau2 >= 0 of the log-likelihood of ``kind``."""
    return climb(
        (y, v),
        v.min(axis=1),
        # The score is a sum of positive multiples of (z_i^2 - l_i - tau2), z contrasts of y, so no root is above.
        2 * (y * y).sum(axis=1),
        y.shape[1],
        lambda y, v, grid: _score_on_grid(y, v, grid, kind),
        lambda y, v, tau2: score(y, v, tau2, kind),
        lambda y, v, tau2: log_likelihood(y, v, tau2, kind),
        start,
    )


def _score_on_grid(y: Floats, v: Floats, grid: Floats, kind: str) -> Floats:
    powers = np.empty((*y.shape, 3))
    powers[..., 0], powers[..., 1], powers[..., 2] = 1.0, y, y * y
    w = 1.0 / (v[:, None, :] + grid[:, :, None])
    first = w @ powers[..., :2]
    s1 = first[..., 0]
    mu = 0.0 if kind == MEAN_KNOWN else first[..., 1] / s1
    w *= w
    second = w @ powers
    s2 = second[..., 0]
    value = second[..., 2] - 2 * mu * second[..., 1] + mu * mu * s2 - s1
    return np.asarray(value + s2 / s1 if kind == "REML" else value)


def estimate(method: str, y: Floats, v: Floats, k: Ints, start: Floats | None = None) -> Fit:
    """tau2 of each data set (k >= 2 each) by ``method``; not truncated for the closed forms."""
    if method == "EE":
        return at_zero(len(y))
    if method in LIKELIHOOD:
        return maximise(y, v, method, start)
    if method in ("EB", "PM"):  # Morris 1983 as in Viechtbauer and others 2015: EB and PM share their root
        return solve_q(y, v, (k - 1).astype(np.float64), start)
    return at_zero(len(y))._replace(tau2=closed_form(method, y, v, k))


def standard_error(method: str, y: Floats, v: Floats, tau2: float, x: Floats) -> float:
    """Asymptotic standard error of tau2 (or of what a meta-regression leaves of it), as metafor 3.8 gives it.

    From the information for ML and REML, from the variance of the quadratic form for the others (Viechtbauer 2005);
    NaN for the common-effect model.

    Parameters
    ----------
    y, v
        Effects and variances (k,).
    x
        Columns of the model (k, p); one of ones where there is no moderator.
    """
    k, p = x.shape

    def apart(w: Floats) -> Floats:
        """The matrix that weighs the effects after the columns of the model are taken out of them."""
        wx = w[:, None] * x
        return np.asarray(np.diag(w) - wx @ np.linalg.solve(x.T @ wx, wx.T))

    def of_form(matrix: Floats) -> float:
        """Variance of y'Py: twice the squared trace of P(V + tau2 I)."""
        product = matrix * (v + tau2)
        return float(2 * (product * product.T).sum())

    w = 1 / (v + tau2)
    if method == "ML":
        return float(np.sqrt(2 / (w * w).sum()))
    if method == "REML":
        return float(np.sqrt(2 / (apart(w) ** 2).sum()))
    if method in ("EB", "PM"):
        return float(np.sqrt(2 * k**2 / (k - p)) / w.sum())
    if method in ("DL", "HS"):
        matrix = apart(1 / v)
        return float(np.sqrt(of_form(matrix)) / (np.trace(matrix) if method == "DL" else (1 / v).sum()))
    if method == "HE":
        return float(np.sqrt(of_form(apart(np.ones(k)))) / (k - p))
    if method == "SJ":
        crude = y.var()
        return float(np.sqrt(of_form(apart(1 / (v + crude)))) * crude / (k - p))
    return np.nan


def pymare_tau2(yi: Floats, vi: Floats, method: str) -> float | None:
    """tau2 of one set (k,) by PyMARE for DL, HE, ML and REML, else None; its own tolerance is about 1e-6."""
    from pymare import Dataset, estimators

    fits = {"DL": estimators.DerSimonianLaird, "HE": estimators.Hedges}
    if method in LIKELIHOOD:
        fit = estimators.VarianceBasedLikelihoodEstimator(method=method)
    elif method in fits:
        fit = fits[method]()
    else:
        return None
    try:
        with np.errstate(all="ignore"):
            found = fit.fit_dataset(Dataset(y=yi[:, None], v=vi[:, None])).params_["tau2"]
    except (ArithmeticError, ValueError, np.linalg.LinAlgError):  # it has no answer to some extreme sets
        return None
    tau2 = float(np.squeeze(found))
    return tau2 if np.isfinite(tau2) else None


def _those(live: NDArray[np.bool_], *arrays: NDArray[Any]) -> Iterator[Any]:
    return (x[live] for x in arrays)


def fall_to(
    data: Sequence[Floats],
    target: Floats,
    q_and_slope: Callable[..., tuple[Floats, Floats]],
    start: Floats | None = None,
) -> Fit:
    """Smallest tau2 >= 0 of each set at which its generalised Q is at most ``target`` (D,).

    ``q_and_slope(*data, tau2)`` gives Q and -dQ/dtau2 of the sets whose rows of ``data`` it gets. 1/Q is a weighted
    harmonic mean of (eigenvalue + tau2), hence increasing and concave: Newton's steps on it from the left rise to the
    root and never pass it.
    """
    t = np.zeros(len(target)) if start is None else np.maximum(start, 0.0)
    q, slope = q_and_slope(*data, t)
    live = q > target
    if start is not None:
        past = ~live & (t != 0)  # a start on the wrong side of the root
        if np.count_nonzero(past):
            t[past] = 0.0
            q[past], slope[past] = q_and_slope(*(x[past] for x in data), t[past])
            live = q > target
    tau2, steps, rows = t.copy(), np.zeros(len(t), dtype=np.intp), np.arange(len(t))
    for step in range(_MAX_STEPS):
        left = np.count_nonzero(live)
        if not left:
            break
        if left < live.size:
            rows, t, target, q, slope, *data = _those(live, rows, t, target, q, slope, *data)
        if step:
            q, slope = q_and_slope(*data, t)
        move = q * (q / target - 1) / slope
        tau2[rows] = t = np.maximum(t + move, 0.0)
        steps[rows] = step + 1
        live = np.abs(move) > _RELATIVE * t + _ABSOLUTE
    return Fit(tau2, steps, np.ones(len(tau2), dtype=np.intp))


@lru_cache(maxsize=512)
def _parts(points: int) -> Floats:
    return np.linspace(0, 1, points)


def climb(
    data: Sequence[Floats],
    low: Floats,
    top: Floats,
    width: int,
    grid_score: Callable[..., Floats],
    score: Callable[..., tuple[Floats, Floats]],
    height: Callable[..., Floats],
    start: Floats | None = None,
) -> Fit:
    """Global maximum over tau2 >= 0 of a log-likelihood, for D sets.

    The sign of the score on a grid over every possible root gives a bracket for each local maximum; Newton,
    bisecting whenever it would leave its bracket, finds each; the highest wins.

    Parameters
    ----------
    data
        What the functions below take before tau2, (D, ...) each; they get the rows of some of the sets.
    low, top
        Smallest sampling variance, and a value above every root, of each set (D,).
    width
        Numbers that ``grid_score`` holds per set and grid point.
    grid_score, score, height
        First derivative on a grid (d, points) of the sets (d,); first and second derivative, and the log-likelihood,
        at tau2 (d,).
    start
        Where to begin (D,), if it lies in the right bracket.
    """
    sets = len(low)
    span = np.log1p(top / low)
    points = min(max(math.ceil(_DENSITY * span.max(initial=0.0)), 4), 400) + 1
    grid = low[:, None] * np.expm1(span[:, None] * _parts(points))
    rising = np.empty((sets, points), dtype=bool)
    rows = max(1, _CHUNK // (points * width))
    for i in range(0, sets, rows):
        rising[i : i + rows] = grid_score(*(x[i : i + rows] for x in data), grid[i : i + rows]) > 0
    rising[:, -1] = False
    owner, cell = np.nonzero(rising[:, :-1] & ~rising[:, 1:])
    left, right = grid[owner, cell], grid[owner, cell + 1]
    # A likelihood that falls at 0 may rise and fall again before the first point of the grid.
    hidden = np.flatnonzero(~rising[:, 0] & ~rising[:, 1])
    if hidden.size:
        fine = grid[hidden, 1][:, None] * _parts(_FIRST_CELL + 1)
        up, rows = np.empty(fine.shape, dtype=bool), max(1, _CHUNK // (fine.shape[1] * width))
        for i in range(0, hidden.size, rows):
            up[i : i + rows] = grid_score(*(x[hidden[i : i + rows]] for x in data), fine[i : i + rows]) > 0
        at, part = np.nonzero(up[:, :-1] & ~up[:, 1:])
        owner = np.concatenate([owner, hidden[at]])
        left, right = np.concatenate([left, fine[at, part]]), np.concatenate([right, fine[at, part + 1]])
    guess = None if start is None else start[owner]
    owned = tuple(x[owner] for x in data)
    root, steps = _newton(owned, score, left, right, guess)

    tau2, spent = np.zeros(sets), np.zeros(sets, dtype=np.intp)
    maxima = np.bincount(owner, minlength=sets) + ~rising[:, 0]
    tau2[owner], spent[owner] = root, steps
    several = np.flatnonzero(maxima[owner] > 1)
    if several.size:
        tau2[owner[several]], spent[owner[several]] = 0.0, 0
        best = np.full(sets, -np.inf)
        at_zero = np.flatnonzero((maxima > 1) & ~rising[:, 0])
        best[at_zero] = height(*(x[at_zero] for x in data), np.zeros(at_zero.size))
        heights = height(*owned, root)
        for i in several.tolist():
            if heights[i] > best[owner[i]]:
                best[owner[i]], tau2[owner[i]], spent[owner[i]] = heights[i], root[i], steps[i]
    return Fit(tau2, spent, np.asarray(maxima))


def _newton(
    data: Sequence[Floats],
    score: Callable[..., tuple[Floats, Floats]],
    low: Floats,
    high: Floats,
    guess: Floats | None,
) -> tuple[Floats, Ints]:
    """Roots of the score in brackets [low, high], the score being positive at low and not at high."""
    t = np.sqrt((low + 1) * (high + 1)) - 1
    if guess is not None:
        t = np.where((guess > low) & (guess < high), guess, t)
    root, steps, rows = t.copy(), np.zeros(len(t), dtype=np.intp), np.arange(len(t))
    live = rows >= 0
    with np.errstate(divide="ignore", invalid="ignore"):
        for step in range(_MAX_STEPS):
            left = np.count_nonzero(live)
            if not left:
                break
            if left < live.size:
                rows, t, low, high, *data = _those(live, rows, t, low, high, *data)
            slope, curve = score(*data, t)
            up, falls = slope > 0, curve < 0
            low, high = np.where(up, t, low), np.where(up, high, t)
            new = t - slope / curve
            done = falls & (np.abs(new - t) <= _RELATIVE * t + _ABSOLUTE)
            inside = falls & (new > low) & (new < high)
            if np.count_nonzero(inside) < inside.size:
                middle = np.sqrt((low + 1) * (high + 1)) - 1
                new = np.where(inside, new, np.where(done, np.clip(new, low, high), middle))
            root[rows] = t = new
            steps[rows] = step + 1
            live = ~done & (high - low > 4e-16 * high)
    return root, steps
