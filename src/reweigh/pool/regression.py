"""Meta-regression: several moderators, continuous and categorical, by the mixed-effects model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg, special

from reweigh.pool import design
from reweigh.pool.core import check_choices, paths, prepare
from reweigh.pool.intervals import Coefficients, tested
from reweigh.pool.tau2 import METHODS as TAU2_METHODS
from reweigh.pool.tau2 import Floats, Ints
from reweigh.quantile import t_critical
from reweigh.text.codes import code, join

TESTS = ("wald", "t", "hartung-knapp")
INTERCEPT = "intercept"


@dataclass(frozen=True, slots=True)
class Term:
    """Test of one moderator (all its columns): QM with its degrees of freedom, and its (generalised) VIF."""

    name: str
    qm: float
    qm_df: int
    p_value: float
    #: det(R of the term) det(R of the rest) / det(R), R the correlations of the coefficients without intercept.
    vif: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaRegression(Coefficients):
    """Mixed-effects meta-regression."""

    k: int
    tau2_method: str
    test: str
    names: tuple[str, ...]
    #: Columns (k, p), the moderators as the model saw them.
    x: Floats
    #: With the Hartung-Knapp factor taken as at least 1; the same where the test has no such factor.
    guarded_ci_lower: Floats
    guarded_ci_upper: Floats
    guarded_p_value: Floats
    #: Seeded permutation p values of the coefficients and of QM; NaN if not asked for.
    permutation_p_value: Floats
    qm_permutation_p_value: float
    covariance: Floats
    #: Omnibus test of the moderators: chi2 with qm_df, or, divided by qm_df, F with qm_df and df.
    qm: float
    qm_df: int
    qm_p_value: float
    #: Residual heterogeneity.
    qe: float
    qe_df: int
    qe_p_value: float
    tau2: float
    tau2_ci_lower: float
    tau2_ci_upper: float
    #: Percent: tau2/(tau2 + typical variance), and the share of the tau2 without moderators that they explain.
    i2_tau2: float
    h2_tau2: float
    r2: float
    terms: tuple[Term, ...]
    weights: Floats
    path: str
    #: Codes of `reweigh.text.pool`.
    reason: str


def meta_regression(
    yi: ArrayLike,
    vi: ArrayLike,
    moderators: Mapping[str, ArrayLike | Sequence[str]],
    *,
    reference: Mapping[str, str] | None = None,
    intercept: bool = True,
    tau2_method: str = "REML",
    test: str = "hartung-knapp",
    level: float = 0.95,
    minimum: int | None = 10,
    permutations: int = 0,
    seed: int = 0,
) -> MetaRegression:
    """Regress effects on moderators: Knapp and Hartung 2003; Viechtbauer and others 2015.

    Raises ValueError on missing moderator values, too few trials, linearly dependent columns, or an unknown option.

    Parameters
    ----------
    yi, vi
        Effects and variances (k,).
    moderators
        Name and values (k,): numbers are continuous, text is categorical (dummies against the reference).
    reference
        Reference category by moderator; the first in alphabetical order if not given.
    minimum
        Fewest trials per moderator (Handbook 10.11.5.1); None to go on below it, which ``reason`` then says.
    permutations, seed
        Number of random permutations of the moderator rows (Higgins and Thompson 2004) and their seed.
    """
    check_choices(level, tau2_method=(tau2_method, TAU2_METHODS), test=(test, TESTS))
    sets = prepare(yi, vi)
    if len(sets.k) != 1:
        raise ValueError("yi and vi must have shape (k,)")
    k, unit = int(sets.k[0]), float(sets.scale[0])
    x, names, members = design_matrix(moderators, k, reference=reference, intercept=intercept)
    if minimum is not None and k < minimum * len(moderators):
        raise ValueError(
            f"{k} trials for {len(moderators)} moderator(s): fewer than {minimum} per moderator (minimum=None goes on)"
        )
    p = x.shape[1]
    if k <= p:
        raise ValueError(f"{k} trials cannot estimate {p} coefficients and the heterogeneity around them")
    _refuse_dependent(x, names)
    y, v = sets.y + (sets.centre / sets.scale)[:, None] * (not intercept), sets.v
    q, r = np.linalg.qr(x)
    back = linalg.solve_triangular(r, np.eye(p))
    fit = design.estimate(tau2_method, y, v, q[None])
    tau2 = np.maximum(fit.tau2, 0.0)
    beta, cov, factor, w = _coefficients(y, v, q[None], back, tau2, test)
    estimate, covariance = beta[0] * unit, cov[0] * unit**2
    if intercept:
        estimate = estimate + sets.centre[0] * (np.arange(p) == 0)
    reasons = []
    if factor[0] <= 1e-28 and test == "hartung-knapp":
        covariance = np.full_like(covariance, np.nan)
        reasons.append("regression_exact_fit")
    se = np.sqrt(np.diag(covariance))
    df = np.inf if test == "wald" else float(k - p)
    plain = np.sqrt(np.diag(_coefficients(y, v, q[None], back, tau2, "wald")[1][0])) * unit
    guarded = plain * max(1.0, float(np.sqrt(factor[0]))) if test == "hartung-knapp" else se
    guard, main = tested(estimate, guarded, df, level), tested(estimate, se, df, level)
    moving = np.arange(1 if intercept else 0, p)
    qm = _quadratic(estimate, covariance, moving)
    terms = _terms(estimate, covariance, members, df, intercept)

    zero = np.zeros(1)
    qe = float(design.q_statistic(y, v, q[None], zero)[0])
    limits = [limit * unit**2 for limit in design.q_profile(y, v, q[None], level)]
    random = tau2_method != "EE"
    typical = float(design.typical_variance(v, q[None])[0])
    h2 = 1 + float(tau2[0]) / typical
    r2 = _r2(tau2_method, y, v, float(tau2[0]), k) if intercept and len(moving) else np.nan
    if np.isnan(r2):
        reasons.append("regression_no_r2")
    if minimum is None and k < 10 * len(moderators):
        reasons.append(code("regression_few_trials", k=k, moderators=len(moderators)))
    permuted = np.full(p + 1, np.nan)
    if permutations > 0:
        observed = np.append(np.abs(main["statistic"]), qm)
        permuted = _permute(y, v, q, back, moving, intercept, tau2_method, test, observed, permutations, seed)
    return MetaRegression(
        k=k,
        tau2_method=tau2_method,
        test=test,
        names=names,
        x=x,
        **main,
        **{f"guarded_{name}": guard[name] for name in ("ci_lower", "ci_upper", "p_value")},
        permutation_p_value=permuted[:-1],
        qm_permutation_p_value=float(permuted[-1]),
        covariance=covariance,
        qm=qm / (len(moving) if np.isfinite(df) and len(moving) else 1),
        qm_df=len(moving),
        qm_p_value=_omnibus_p(qm, len(moving), df),
        qe=qe,
        qe_df=k - p,
        qe_p_value=float(special.chdtrc(k - p, qe)),
        tau2=float(tau2[0]) * unit**2,
        tau2_ci_lower=limits[0] if random else np.nan,
        tau2_ci_upper=limits[1] if random else np.nan,
        i2_tau2=100 * (1 - 1 / h2) if random else np.nan,
        h2_tau2=h2 if random else np.nan,
        r2=r2,
        terms=terms,
        weights=100 * w[0] / w[0].sum(),
        path=str(paths(fit, sets.k, False, tau2_method)[0]),
        reason=join(reasons),
    )


def predict(fit: MetaRegression, rows: ArrayLike) -> dict[str, Floats]:
    """Mean effect, its interval and the prediction interval at design rows (n, p) with the columns of ``fit.names``."""
    x = np.atleast_2d(np.asarray(rows, dtype=np.float64))
    if x.shape[1] != len(fit.names):
        raise ValueError(f"rows must have the {len(fit.names)} columns {', '.join(fit.names)}")
    mean = x @ fit.estimate
    variance = ((x @ fit.covariance) * x).sum(axis=1)
    critical = t_critical(fit.df, fit.level)
    half, wide = critical * np.sqrt(variance), critical * np.sqrt(variance + fit.tau2)
    limits = {"ci_lower": mean - half, "ci_upper": mean + half, "pi_lower": mean - wide, "pi_upper": mean + wide}
    return {"estimate": mean, "se": np.sqrt(variance), **limits}


def design_matrix(
    moderators: Mapping[str, ArrayLike | Sequence[str]],
    k: int,
    *,
    reference: Mapping[str, str] | None = None,
    intercept: bool = True,
) -> tuple[Floats, tuple[str, ...], dict[str, list[int]]]:
    """Columns (k, p), their names, and which belong to each moderator.

    Raises ValueError on a value that is missing, a wrong length, or a categorical moderator with one category only.
    """
    columns: list[Floats] = [np.ones(k)] if intercept else []
    names = [INTERCEPT] if intercept else []
    members: dict[str, list[int]] = {}
    for name, raw in moderators.items():
        values = np.asarray(raw)
        if values.shape != (k,):
            raise ValueError(f"moderator {name!r} has shape {values.shape}, the effects have ({k},)")
        start = len(columns)
        if values.dtype.kind in "biuf":
            numbers = values.astype(np.float64)
            if not np.isfinite(numbers).all():
                raise ValueError(f"moderator {name!r} is missing at index {int(np.argmin(np.isfinite(numbers)))}")
            columns.append(numbers)
            names.append(name)
        else:
            for i, value in enumerate(values.tolist()):
                if not isinstance(value, str) or not value:
                    raise ValueError(f"moderator {name!r} is missing or not text at index {i}: {value!r}")
            levels = sorted(set(values.tolist()))
            if not levels:
                raise ValueError(f"moderator {name!r} has no value")
            first = (reference or {}).get(name, levels[0])
            if first not in levels:
                raise ValueError(f"moderator {name!r} has no category {first!r}: use one of {', '.join(levels)}")
            if len(levels) < 2:
                raise ValueError(f"moderator {name!r} has one category only, {levels[0]!r}")
            for level in (x for x in levels if x != first):
                columns.append((values == level).astype(np.float64))
                names.append(f"{name}: {level}")
        members[name] = list(range(start, len(columns)))
    if not columns:
        raise ValueError("no moderators and no intercept: nothing to estimate")
    return np.stack(columns, axis=1), tuple(names), members


def _refuse_dependent(x: Floats, names: Sequence[str]) -> None:
    norms = np.sqrt((x * x).sum(axis=0))
    for j in np.flatnonzero(norms == 0).tolist():
        raise ValueError(f"column {names[j]!r} is 0 for every trial")
    _, r, order = linalg.qr(x / norms, mode="economic", pivoting=True)
    size = np.abs(np.diag(r))
    if (size <= size[0] * 1e-10).any():
        bad = [names[order[j]] for j in np.flatnonzero(size <= size[0] * 1e-10)]
        raise ValueError(f"the columns are linearly dependent: {', '.join(bad)} follow(s) from the others")


def _coefficients(
    y: Floats, v: Floats, q: Floats, back: Floats, tau2: Floats, test: str
) -> tuple[Floats, Floats, Floats, Floats]:
    """Coefficients (B, p), their covariance (B, p, p), the Hartung-Knapp factor (B,) and weights (B, k)."""
    fit = design.wls(y, v, q, tau2)
    k, p = q.shape[1:]
    factor = (fit.w * fit.r * fit.r).sum(axis=1) / (k - p)
    cov = back @ fit.cov @ back.T
    if test == "hartung-knapp":
        cov = cov * factor[:, None, None]
    return fit.beta @ back.T, cov, factor, fit.w


def _quadratic(estimate: Floats, covariance: Floats, which: Ints) -> float:
    """Wald chi2 of the coefficients ``which``."""
    if not len(which):
        return np.nan
    part = estimate[which]
    return float(part @ np.linalg.solve(covariance[np.ix_(which, which)], part))


def _omnibus_p(qm: float, m: int, df: float) -> float:
    if m == 0:
        return np.nan
    return float(special.fdtrc(m, df, qm / m) if np.isfinite(df) else special.chdtrc(m, qm))


def _terms(
    estimate: Floats, covariance: Floats, members: dict[str, list[int]], df: float, intercept: bool
) -> tuple[Term, ...]:
    start = 1 if intercept else 0
    d = np.sqrt(np.diag(covariance))[start:]
    r = covariance[start:, start:] / np.outer(d, d)
    out = []
    for name, columns in members.items():
        qm, m = _quadratic(estimate, covariance, np.array(columns, dtype=np.intp)), len(columns)
        own = np.isin(np.arange(len(d)), np.array(columns) - start)
        vif = np.nan
        if np.isfinite(r).all():  # not so where the moderators fit the effects exactly
            vif = np.linalg.det(r[np.ix_(own, own)]) * np.linalg.det(r[np.ix_(~own, ~own)]) / np.linalg.det(r)
        out.append(Term(name, qm / (m if np.isfinite(df) else 1), m, _omnibus_p(qm, m, df), float(vif)))
    return tuple(out)


def _r2(method: str, y: Floats, v: Floats, tau2: float, k: int) -> float:
    """Share of tau2 that the moderators explain, in percent: Raudenbush 2009, equation 16.38; not below 0."""
    alone = float(design.estimate(method, y, v, np.full((1, k, 1), 1 / np.sqrt(k))).tau2[0])
    return 100 * max(0.0, 1 - tau2 / alone) if alone > 0 and method != "EE" else np.nan


#: A statistic beyond this is that of an exact fit, whatever rounding left of its residuals.
_EXACT = 1e10


def _permute(
    y: Floats, v: Floats, q: Floats, back: Floats, moving: Ints, intercept: bool, method: str, test: str,
    observed: Floats, permutations: int, seed: int,
) -> Floats:  # fmt: skip
    """Share of permutations, the observed one counted in, with a statistic at least as large."""
    k, p = q.shape
    rng = np.random.default_rng(seed)
    counts = np.ones(p + 1)
    for begin in range(0, permutations, 500):
        many = min(500, permutations - begin)
        order = rng.permuted(np.broadcast_to(np.arange(k), (many, k)), axis=1)
        rows, ys, vs = q[order], np.broadcast_to(y, (many, k)), np.broadcast_to(v, (many, k))
        tau2 = np.maximum(design.estimate(method, ys, vs, rows).tau2, 0.0)
        beta, cov, _, _ = _coefficients(ys, vs, rows, back, tau2, test)
        variance = np.diagonal(cov, axis1=1, axis2=2)
        # Effects that are fitted exactly leave Hartung-Knapp nothing: what is not 0 is then infinitely far from it.
        exact = np.asarray(~(variance > 0).all(axis=1))
        away = np.where(beta != 0, np.inf, 0.0)
        cov = np.where(exact[:, None, None], np.eye(p), cov)
        size = np.where(exact[:, None], away, np.abs(beta) / np.sqrt(np.diagonal(cov, axis1=1, axis2=2)))
        part = beta[:, moving]
        qm = (part * np.linalg.solve(cov[:, moving[:, None], moving], part[..., None])[..., 0]).sum(axis=1)
        qm = np.where(exact, away[:, moving].max(axis=1, initial=0.0), qm)
        found = np.minimum(np.column_stack([size, qm]), _EXACT)
        counts += (found >= np.minimum(observed, _EXACT) * (1 - 1e-10)).sum(axis=0)
    out = np.where(np.isnan(observed), np.nan, counts / (permutations + 1))
    if intercept:
        out[0] = np.nan  # permuting the moderators does not make the intercept 0
    return out
