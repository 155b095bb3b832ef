"""Dependent effects: three-level model, cluster-robust inference, shared arms."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, special

from reweigh.effects.aggregate import checked, codes_of
from reweigh.pool.core import check_choices
from reweigh.pool.intervals import Coefficients, tested
from reweigh.pool.tau2 import Floats
from reweigh.quantile import t_critical

TESTS = ("wald", "t(k-p)", "t(clusters-p)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreeLevel(Coefficients):
    """Three-level model by REML."""

    k: int
    clusters: int
    test: str
    #: Variance between clusters (level 3) and between effects within clusters (level 2).
    sigma2_between: float
    sigma2_within: float
    #: Percent of the total variance, typical sampling variance included, at the two levels.
    i2_between: float
    i2_within: float
    q: float
    q_df: int
    q_p_value: float
    #: Prediction interval of an effect in a new cluster; for models with an intercept only.
    pi_lower: float
    pi_upper: float
    log_likelihood: float
    #: Marginal covariance of the effects (k, k): the working model of :func:`cluster_robust`.
    sigma: Floats
    path: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Robust(Coefficients):
    """Cluster-robust results (CR2); ``df`` (p,) are Satterthwaite's."""

    clusters: int
    reason: str


def three_level(
    yi: ArrayLike,
    v: ArrayLike,
    cluster: Sequence[Hashable] | np.ndarray,
    *,
    inner: Sequence[Hashable] | np.ndarray | None = None,
    x: ArrayLike | None = None,
    test: str = "t(clusters-p)",
    level: float = 0.95,
) -> ThreeLevel:
    """Effects within clusters (trials) by REML: Konstantopoulos 2011, Research Synthesis Methods 2:61-76.

    Raises ValueError on impossible data, fewer than two clusters, or when no cluster holds two units or more (the two
    variances cannot be told apart).

    Parameters
    ----------
    yi
        Effects (k,).
    v
        Sampling variances (k,) or their covariance matrix (k, k).
    cluster, inner
        Cluster of each effect, and its unit within the cluster (each effect its own, if not given).
    x
        Design (k, p); an intercept if not given.
    test
        "wald", "t(k-p)" or "t(clusters-p)".
    """
    check_choices(level, test=(test, TESTS))
    y, sampling, design = _check(yi, v, x)
    k, p = design.shape
    outer = codes_of(cluster, k, "cluster")
    nested = codes_of(range(k) if inner is None else list(zip(cluster, inner, strict=True)), k, "inner")
    clusters, units = int(outer.max()) + 1, int(nested.max()) + 1
    if clusters < 2 or clusters <= p:
        raise ValueError(f"{clusters} cluster(s) for {p} coefficient(s): too few")
    if units == clusters:
        raise ValueError("no cluster holds two units or more: level 2 and level 3 cannot be told apart")
    unit = float(np.diag(sampling).min())
    shared = [(codes[:, None] == codes).astype(np.float64) for codes in (outer, nested)]
    # P annihilates the design, so residuals serve as well as effects and keep their digits.
    ordinary = np.linalg.lstsq(design, y, rcond=None)[0]
    y = y - design @ ordinary
    sigma2, steps = _reml(y / np.sqrt(unit), sampling / unit, design, shared)
    sigma2 = sigma2 * unit
    sigma = sampling + sigma2[0] * shared[0] + sigma2[1] * shared[1]
    cov, beta, projection = _gls(y, sigma, design)
    beta = beta + ordinary
    se = np.sqrt(np.diag(cov))
    df = {"wald": np.inf, "t(k-p)": float(k - p), "t(clusters-p)": float(clusters - p)}[test]
    critical = float(t_critical(df, level))
    p0 = _gls(y, sampling, design)[2]
    q = float(y @ p0 @ y)
    typical = (k - p) / float(np.trace(p0))
    share = 100 * sigma2 / (sigma2.sum() + typical)
    wide = critical * np.sqrt(se[0] ** 2 + sigma2.sum())
    only_mean = p == 1 and bool(np.all(design == 1))
    value = -(
        np.linalg.slogdet(sigma)[1] - np.linalg.slogdet(cov)[1] + y @ projection @ y + (k - p) * np.log(2 * np.pi)
    )
    at_zero = [name for name, s in zip(("between clusters", "within clusters"), sigma2, strict=True) if s == 0]
    path = f"Newton, {steps} step{'s' * (steps != 1)}"
    return ThreeLevel(
        k=k,
        clusters=clusters,
        test=test,
        **tested(beta, se, df, level),
        sigma2_between=float(sigma2[0]),
        sigma2_within=float(sigma2[1]),
        i2_between=float(share[0]),
        i2_within=float(share[1]),
        q=q,
        q_df=k - p,
        q_p_value=float(special.chdtrc(k - p, q)),
        pi_lower=float(beta[0] - wide) if only_mean else np.nan,
        pi_upper=float(beta[0] + wide) if only_mean else np.nan,
        log_likelihood=float(value + np.linalg.slogdet(design.T @ design)[1]) / 2,
        sigma=sigma,
        path=path + (f"; boundary: 0 {' and '.join(at_zero)}" if at_zero else ""),
        reason="" if only_mean else "a prediction interval needs a model with the mean only",
    )


def cluster_robust(
    yi: ArrayLike,
    sigma: ArrayLike,
    cluster: Sequence[Hashable] | np.ndarray,
    *,
    x: ArrayLike | None = None,
    level: float = 0.95,
) -> Robust:
    """CR2 standard errors with Satterthwaite df: Tipton 2015; Pustejovsky and Tipton 2018, equations 6 and 10.

    Raises ValueError on impossible data, fewer than two clusters, or covariances between clusters.

    Parameters
    ----------
    yi, cluster, x
        As in :func:`three_level`.
    sigma
        Working covariance of the effects (k, k), or their variances (k,): vi + tau2, or ``ThreeLevel.sigma``. Its
        inverse gives the weights.
    """
    check_choices(level)
    y, phi, design = _check(yi, sigma, x)
    k, p = design.shape
    codes = codes_of(cluster, k, "cluster")
    count = int(codes.max()) + 1
    if count < 2:
        raise ValueError("cluster-robust standard errors need at least two clusters")
    if np.any((codes[:, None] != codes) & (phi != 0)):
        raise ValueError("sigma holds covariances between clusters: these are taken as independent")
    cov, beta, _ = _gls(y, phi, design)
    residual = y - design @ beta
    weighted = linalg.solve(phi, design, assume_a="pos")
    meat = np.zeros((p, p))
    pieces = []
    for c in range(count):
        own = codes == c
        root = linalg.cholesky(phi[np.ix_(own, own)])
        inner = root @ (phi[np.ix_(own, own)] - design[own] @ cov @ design[own].T) @ root.T
        adjust = root.T @ _inverse_root(inner) @ root
        bread = adjust @ weighted[own] @ cov
        score = bread.T @ residual[own]
        meat += np.outer(score, score)
        pieces.append((own, bread))
    hat = design @ cov @ weighted.T
    df = np.empty(p)
    for j in range(p):
        g = np.zeros((k, count))
        for c, (own, bread) in enumerate(pieces):
            g[:, c] = (np.eye(k)[own] - hat[own]).T @ bread[:, j]
        middle = g.T @ phi @ g
        df[j] = np.trace(middle) ** 2 / np.sum(middle * middle)
    said = "fewer than 4 degrees of freedom: the test is unreliable" if (df < 4).any() else ""
    se = np.sqrt(np.diag(meat))
    if (residual**2 <= 1e-28 * np.diag(phi)).all():
        se, said = np.full(p, np.nan), "the effects fit exactly: no standard error"
    return Robust(clusters=count, **tested(beta, se, df, level), reason=said)


def shared_arm_covariance(
    arm1: Sequence[Hashable],
    arm2: Sequence[Hashable],
    v1: ArrayLike,
    v2: ArrayLike,
    *,
    d: ArrayLike | None = None,
    total: ArrayLike | None = None,
) -> Floats:
    """Covariance matrix (k, k) of comparisons that share arms: Gleser and Olkin 2009, section 19.3.

    Raises ValueError if lengths differ, an arm has two different variances, or a comparison has the same arm on both
    sides.

    Parameters
    ----------
    arm1, arm2
        Intervention and control arm of each comparison, unique over all trials (say "trial: arm").
    v1, v2
        What each arm adds to the variance, from its whole, unsplit n: sd^2/n for MD, 1/n for SMD, 1/events - 1/n for
        log RR, 1/events + 1/(n - events) for log OR, p(1 - p)/n for RD.
    d, total
        For the SMD: effects, and patients in all arms of the trial; adds d_i d_j/(2 total) within shared arms and
        d^2/(2 total) to the variances.
    """
    labels, known = [*arm1, *arm2], np.concatenate([np.ravel(v1), np.ravel(v2)]).astype(np.float64)
    k = len(labels) // 2
    if not (len(arm1) == len(arm2) == np.size(v1) == np.size(v2)):
        raise ValueError("arm1, arm2, v1 and v2 must have one length")
    for i in np.flatnonzero(~(np.isfinite(known) & (known > 0))):
        raise ValueError(f"comparison {i % k}: variance {known[i]} of arm {labels[i]!r} must be finite and above 0")
    number = codes_of(labels, 2 * k, "arms")
    same = number[:, None] == number
    for i in np.flatnonzero(same[:k, k:].diagonal()):
        raise ValueError(f"comparison {i} has arm {labels[i]!r} on both sides")
    for i, j in np.argwhere(same & ~np.isclose(known[:, None], known, rtol=1e-9)):
        raise ValueError(f"arm {labels[i]!r} has two variances, {known[i]} and {known[j]}: use its whole n")
    sign = np.repeat([1.0, -1.0], k)
    out = (same * np.outer(sign, sign * known)).reshape(2, k, 2, k).sum(axis=(0, 2))
    if (d is None) != (total is None):
        raise ValueError("d and total go together")
    if d is not None:
        effect, n = np.asarray(d, dtype=np.float64), np.asarray(total, dtype=np.float64)
        related = same.reshape(2, k, 2, k).any(axis=(0, 2))
        out = out + np.where(related, np.outer(effect, effect) / (np.sqrt(np.outer(n, n)) * 2), 0.0)
    return np.asarray(out)


def _check(yi: ArrayLike, v: ArrayLike, x: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    y, phi = checked(yi, v)
    k = y.size
    design = np.ones((k, 1)) if x is None else np.asarray(x, dtype=np.float64)
    if design.ndim != 2 or len(design) != k or not np.isfinite(design).all():
        raise ValueError(f"x must be finite of shape ({k}, p)")
    scaled = design / np.maximum(np.abs(design).max(axis=0), 1e-300)
    if k <= design.shape[1] or np.linalg.matrix_rank(scaled) < design.shape[1]:
        raise ValueError(f"x: {design.shape[1]} columns, linearly dependent or too many for {k} effects")
    return y, phi, design


def _gls(y: Floats, sigma: Floats, design: Floats) -> tuple[Floats, Floats, Floats]:
    """Covariance of the coefficients, coefficients, and P = S - S X (X'SX)^-1 X'S with S the inverse of sigma."""
    inverse = linalg.inv(sigma)
    sx = inverse @ design
    cov = linalg.inv(design.T @ sx)
    return cov, cov @ (sx.T @ y), inverse - sx @ cov @ sx.T


def _inverse_root(matrix: Floats) -> Floats:
    """Symmetric Moore-Penrose inverse square root."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    good = values > 1e-12 * max(values[-1], 0.0)
    root = np.zeros_like(values)
    root[good] = values[good] ** -0.5
    return np.asarray((vectors * root) @ vectors.T)


def _reml(y: Floats, sampling: Floats, design: Floats, shared: list[Floats]) -> tuple[Floats, int]:
    """REML variances (2,): best point of a grid, then Newton on the free ones, halving any step that does not climb."""

    def height(s: Floats) -> float:
        sigma = sampling + s[0] * shared[0] + s[1] * shared[1]
        cov, _, projection = _gls(y, sigma, design)
        return float(-np.linalg.slogdet(sigma)[1] + np.linalg.slogdet(cov)[1] - y @ projection @ y) / 2

    spread = float(np.var(y)) + 1e-300
    values = [0.0, *(spread * np.array([0.01, 0.1, 0.3, 1.0, 3.0]))]
    grid = [np.array([a, b]) for a in values for b in values]
    s = max(grid, key=height)
    best = height(s)
    for step in range(1, 200):
        sigma = sampling + s[0] * shared[0] + s[1] * shared[1]
        projection = _gls(y, sigma, design)[2]
        pd = [projection @ m for m in shared]
        py = projection @ y
        gradient = np.array([py @ m @ py - np.trace(d) for m, d in zip(shared, pd, strict=True)]) / 2
        observed = np.array([[py @ a @ (pb @ py) for pb in (projection @ b for b in shared)] for a in shared])
        traces = np.array([[np.sum(a * b.T) for b in pd] for a in pd]) / 2
        free = (s > 0) | (gradient > 0)
        if not free.any():
            return s, step
        move = np.zeros(2)
        # Newton where the likelihood is concave, Fisher scoring elsewhere.
        curve = (observed - traces)[np.ix_(free, free)]
        if np.linalg.eigvalsh(curve)[0] <= 0:
            curve = traces[np.ix_(free, free)]
        move[free] = np.linalg.solve(curve, gradient[free])
        new, factor = np.maximum(s + move, 0.0), 1.0
        while height(new) < best - 1e-12 * abs(best) and factor > 1e-8:
            factor /= 2
            new = np.maximum(s + factor * move, 0.0)
        change = np.abs(new - s).max()
        s, best = new, height(new)
        if change <= 1e-12 * s.max() + 1e-14:
            return s, step
    raise ArithmeticError("the REML iterations of the three-level model did not settle")
