"""Inverse-variance pooling of one or many data sets in one vectorised call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from reweigh.pool import intervals
from reweigh.pool.tau2 import CLOSED, Fit, Floats, Ints, estimate, pymare_tau2, q_statistic, residuals
from reweigh.pool.tau2 import METHODS as TAU2_METHODS
from reweigh.protocol.models import Interval
from reweigh.quantile import two_sided_p, z_critical
from reweigh.text.codes import join, words
from reweigh.text.pool import SENTENCES

Bools = NDArray[np.bool_]

CI_METHODS = get_args(Interval)
ALL_EQUAL = "all_effects_equal"
#: Effects that differ by no more than this, as a share of the largest, are equal.
_ROUNDING = 8 * np.finfo(np.float64).eps
#: Closed forms of tau2 that differ by no more than this, as a share, are the same.
_SAME = 1e-9
#: Results that are a pair of limits on the scale of the effects.
_ENDS = [f"{name}_{end}" for name in ("ci", "guarded_ci", "pi", "guarded_pi") for end in ("lower", "upper")]


@dataclass(frozen=True, slots=True)
class Pooled:
    """Pooled results of D data sets; every array has shape (D,), ``weights`` (D, k).

    All on the scale of ``yi`` (log for ratio measures); I2 and weights in percent. What cannot be computed is
    NaN and ``reason`` says why, in codes (`reweigh.text.pool`).

    The guarded interval is the model's own, except that a Hartung-Knapp one takes its scale factor as at least 1
    (metafor's "adhoc"; Roever and others 2015, BMC Medical Research Methodology 15:99): it does not collapse where
    the effects happen to be alike, so verdicts rest on it.
    """

    pooling: str
    tau2_method: str
    ci_method: str
    pi_method: str
    level: float
    #: Number of trials.
    k: Ints
    estimate: Floats
    #: Standard error that the interval uses (Hartung-Knapp's where that is the method).
    se: Floats
    #: Standard error without any Hartung-Knapp factor: what tests between subgroups rest on.
    wald_se: Floats
    ci_lower: Floats
    ci_upper: Floats
    #: estimate/se; for the profile likelihood the signed root of the likelihood ratio.
    statistic: Floats
    #: Degrees of freedom of the t distribution; infinite for a normal one.
    df: Floats
    p_value: Floats
    tau2: Floats
    #: Q-profile limits, never capped.
    tau2_ci_lower: Floats
    tau2_ci_upper: Floats
    tau: Floats
    q: Floats
    q_df: Ints
    q_p_value: Floats
    #: max(0, (Q - df)/Q) and max(1, Q/df), with Higgins and Thompson's test-based interval.
    i2_q: Floats
    i2_q_ci_lower: Floats
    i2_q_ci_upper: Floats
    h2_q: Floats
    h2_q_ci_lower: Floats
    h2_q_ci_upper: Floats
    #: tau2/(tau2 + typical variance) and 1 + tau2/(typical variance), intervals from the Q-profile limits.
    i2_tau2: Floats
    i2_tau2_ci_lower: Floats
    i2_tau2_ci_upper: Floats
    h2_tau2: Floats
    h2_tau2_ci_lower: Floats
    h2_tau2_ci_upper: Floats
    pi_lower: Floats
    pi_upper: Floats
    guarded_ci_lower: Floats
    guarded_ci_upper: Floats
    guarded_p_value: Floats
    guarded_pi_lower: Floats
    guarded_pi_upper: Floats
    #: Whether the Hartung-Knapp interval is narrower than the Wald interval of the common-effect model.
    narrow: Bools
    #: Percent; 0 where a ragged set has no trial, NaN where a trial says nothing on the measure.
    weights: Floats
    #: How tau2 was found: "closed form", "Newton, 4 steps", "boundary" (tau2 = 0) ...
    path: NDArray[np.object_]
    #: Why something is missing, else "".
    reason: NDArray[np.object_]

    def row(self, i: int = 0) -> dict[str, Any]:
        """Plain Python values of data set ``i``; ``weights`` as an array, ``reason`` in words."""
        out: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                value = value[i] if value.ndim == 2 else value[i : i + 1].tolist()[0]
            out[field.name] = value
        return out | {"reason": words(out["reason"], SENTENCES)}


def check_choices(level: float, **choices: tuple[str, Sequence[str]]) -> None:
    """Raise ValueError on a level outside (0, 1), or on a choice that is not among those allowed."""
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise ValueError(f"{name} {value!r} is not known: use one of {', '.join(allowed)}")
    if not 0 < level < 1:
        raise ValueError(f"level {level} must lie between 0 and 1")


class Options(NamedTuple):
    """What :func:`pool` was asked for."""

    tau2_method: str
    ci_method: str
    level: float
    pi_method: str

    def check(self) -> None:
        """Raise ValueError on an unknown or impossible choice."""
        check_choices(
            self.level, tau2_method=(self.tau2_method, TAU2_METHODS), ci_method=(self.ci_method, CI_METHODS),
            pi_method=(self.pi_method, intervals.PI_METHODS),
        )  # fmt: skip
        if self.ci_method == "profile likelihood" and self.tau2_method != "ML":
            raise ValueError(f"the profile likelihood interval belongs to tau2_method 'ML', not {self.tau2_method!r}")


class Given(NamedTuple):
    """What replaces the inverse-variance mean: mean, its SE (D,), weights (D, k) and Q (D,), scale of ``yi``.

    ``mean`` is None where only Q is another's.
    """

    pooling: str
    tau2_method: str
    q: Floats
    mean: Floats | None = None
    se: Floats | None = None
    weights: Floats | None = None


class Sets(NamedTuple):
    """Checked data sets: y = (yi - centre)/scale and v = vi/scale^2 of shape (D, k), inf where there is no trial."""

    y: Floats
    v: Floats
    k: Ints
    centre: Floats
    scale: Floats
    equal: Bools


def prepare(yi: ArrayLike, vi: ArrayLike, mask: ArrayLike | None = None) -> Sets:
    """Check and normalise data sets of shape (k,) or (D, k).

    Raises ValueError if shapes differ, or a value inside the mask is not finite or a variance not above 0.
    """
    y, v = np.asarray(yi, dtype=np.float64), np.asarray(vi, dtype=np.float64)
    if y.shape != v.shape or y.ndim not in (1, 2):
        raise ValueError(f"yi and vi must both have shape (k,) or (D, k), not {y.shape} and {v.shape}")
    there = np.ones(y.shape, dtype=bool) if mask is None else np.asarray(mask)
    if there.dtype != np.bool_ or there.shape != y.shape:
        raise ValueError(f"mask must be boolean of shape {y.shape}, not {there.dtype} of shape {there.shape}")
    if np.count_nonzero(there & ~(np.isfinite(y) & np.isfinite(v) & (v > 0))):
        for name, x, good, rule in (
            ("yi", y, np.isfinite(y), "finite"),
            ("vi", v, np.isfinite(v) & (v > 0), "finite and above 0"),
        ):
            for at in np.argwhere(there & ~good).tolist():
                raise ValueError(f"{name}[{', '.join(map(str, at))}] is {x[tuple(at)]}: it must be {rule}")
    y, v, there = np.atleast_2d(y), np.atleast_2d(v), np.atleast_2d(there)
    whole = mask is None and y.shape[1] > 0
    if y.shape[1] == 0:
        y, v, there = np.zeros((len(y), 1)), np.ones((len(y), 1)), np.zeros((len(y), 1), dtype=bool)

    def elsewhere(x: Floats, value: float) -> Floats:
        return x if whole else np.where(there, x, value)

    v = elsewhere(v, np.inf)
    k = there.sum(axis=1)
    empty = k == 0
    # A power of 2 scales without rounding.
    scale = np.exp2(np.round(np.log2(np.where(empty, 1.0, v.min(axis=1))) / 2))
    w = (scale[:, None] / v) * scale[:, None]
    centre = (w * elsewhere(y, 0.0)).sum(axis=1) / np.where(empty, 1.0, w.sum(axis=1))
    high, low = elsewhere(y, -np.inf).max(axis=1), elsewhere(y, np.inf).min(axis=1)
    equal = high - low <= _ROUNDING * np.maximum(np.abs(high), np.abs(low))
    centred = np.where(there & ~equal[:, None], y - centre[:, None], 0.0) / scale[:, None]
    return Sets(centred, v / scale[:, None] ** 2, k, centre, scale, equal)


def pool(
    yi: ArrayLike,
    vi: ArrayLike,
    *,
    mask: ArrayLike | None = None,
    tau2_method: str = "REML",
    ci_method: str = "hartung-knapp",
    level: float = 0.95,
    pi_method: str = "hartung-knapp",
    start: str = "own",
    tau2_interval: bool = True,
    brief: bool = False,
) -> Pooled:
    """Pool effects by inverse variance: Viechtbauer 2005 for tau2, IntHout and others 2014 for Hartung-Knapp.

    Raises ValueError on an unknown method, a level outside (0, 1), or data refused by :func:`prepare`.

    Parameters
    ----------
    yi, vi
        Effects and sampling variances, shape (k,) or (D, k); ratio measures on the log scale.
    mask
        Which entries are trials, same shape; for ragged sets. Values outside are ignored.
    tau2_method
        EE (common effect), DL, HE, HS, SJ, ML, REML, EB or PM.
    ci_method
        "wald", "t", "hartung-knapp", "hartung-knapp guarded" (scale factor not below 1) or "profile likelihood"
        (ML only).
    pi_method
        "t(k-2)" and "t(k-1)" on the Wald standard error, "hartung-knapp" (t(k-1) on the Hartung-Knapp standard
        error, guarded if the interval is), or "bootstrap" (Nagashima and others 2019, without sampling error).
    start
        "pymare" takes PyMARE's tau2 where it has one (a single set; DL, HE, ML, REML) and polishes it by Newton's
        steps on the score, from the bracket of the highest maximum; "own" does without, and is three times as fast.
    tau2_interval
        False leaves out the Q-profile interval of tau2 and what follows from it (NaN): a third faster for thousands
        of subsets of which nobody asks for it.
    brief
        True leaves out Q, I2, H2, the prediction interval and the P value, too (NaN), but not the guarded P value.
    """
    o = Options(tau2_method, ci_method, level, pi_method)
    o.check()
    check_choices(level, start=(start, ("own", "pymare")))
    sets = prepare(yi, vi, mask)
    guess = _pymare_tau2(tau2_method, sets, yi, vi) if start == "pymare" else None
    two = sets.k >= 2
    part = estimate(tau2_method, sets.y[two], sets.v[two], sets.k[two], guess)
    if guess is not None and tau2_method in CLOSED:
        # Where one trial has nearly all the weight PyMARE takes the difference of two nearly equal sums.
        if (np.abs(guess - part.tau2) <= _SAME * part.tau2).all():
            part = part._replace(tau2=np.where(guess > 0, guess, part.tau2))
        else:
            guess = None
    fit = Fit(np.zeros(len(two)), np.zeros(len(two), dtype=np.intp), np.zeros(len(two), dtype=np.intp))
    for whole, some in zip(fit, part, strict=True):
        whole[two] = some
    unknown = np.full(len(two), np.nan)
    limits = None if tau2_interval and not brief else (unknown, unknown)
    return summarise_fit(sets, fit, o, limits=limits, pymare=guess is not None, brief=brief)


def _pymare_tau2(method: str, sets: Sets, yi: ArrayLike, vi: ArrayLike) -> Floats | None:
    """PyMARE's tau2 of a single set, in our scaled units; None where PyMARE has no such fit."""
    if len(sets.k) != 1 or sets.k[0] < 2 or sets.equal[0]:
        return None
    there = np.isfinite(sets.v[0])
    tau2 = pymare_tau2(np.atleast_2d(yi)[0][there], np.atleast_2d(vi)[0][there], method)
    return None if tau2 is None else np.array([tau2]) / sets.scale**2


@np.errstate(divide="ignore", invalid="ignore")  # k = 0 and 1, sorted out at the end
def summarise_fit(
    sets: Sets,
    fit: Fit,
    o: Options,
    *,
    limits: tuple[Floats, Floats] | None = None,
    pymare: bool = False,
    given: Given | None = None,
    brief: bool = False,
) -> Pooled:
    """Everything that follows from tau2 (scaled units).

    ``limits`` replace the Q-profile limits of each set, ``given`` the inverse-variance mean and Q; ``brief`` as in
    :func:`pool`.
    """
    y, v, k, centre, scale, equal = sets
    there, two, three = k >= 1, k >= 2, k >= 3
    random = o.tau2_method != "EE"
    fitted = two if random else two & False
    k1 = k - 1.0
    tau2 = np.maximum(fit.tau2, 0.0)
    w, total, mu, r = residuals(y, v, tau2)
    factor = (w * r * r).sum(axis=1) / k1
    wald = 1 / np.sqrt(total)
    weights = 100 * w / total[:, None]
    if given is not None and given.mean is not None and given.se is not None and given.weights is not None:
        mu, wald, weights = (given.mean - centre) / scale, given.se / scale, given.weights
    knapp = np.where(equal, np.nan, np.sqrt(factor)) * wald
    guarded = np.sqrt(np.maximum(factor, 1.0)) * wald

    se = np.where(two, {"hartung-knapp": knapp, "hartung-knapp guarded": guarded}.get(o.ci_method, wald), wald)
    normal = o.ci_method in ("wald", "profile likelihood")
    df = np.where(two, np.inf if normal else k1, np.inf)
    quantile = intervals.t_quantile(df, o.level)
    half = quantile * se
    null = -centre / scale
    lower, upper, statistic = mu - half, mu + half, (mu - null) / se
    if o.ci_method == "profile likelihood" and two.any():
        profile = intervals.profile_mean(y[two], v[two], mu[two], tau2[two], null[two], o.level)
        lower[two], upper[two], statistic[two] = profile

    narrow = two & False
    low_safe, high_safe, statistic_safe = lower, upper, statistic
    if o.ci_method == "hartung-knapp":
        safe = np.where(two, guarded, se)
        half_safe = quantile * safe
        low_safe, high_safe, statistic_safe = mu - half_safe, mu + half_safe, (mu - null) / safe
        narrow = two & (half < z_critical(o.level) / np.sqrt((1 / v).sum(axis=1)))

    unknown = np.full(len(y), np.nan)
    own_q = unknown if brief else q_statistic(y, v, np.zeros(len(y)))
    q = own_q if given is None else given.q
    if limits is None:
        q_low, q_high, q_empty = intervals.q_profile(y, v, k, own_q, o.level)
    else:
        (q_low, q_high), q_empty = limits, limits[1] <= 0
    h2_low, h2_high = (unknown, unknown) if brief else intervals.higgins_thompson(q, k, o.level)
    typical = unknown if brief else intervals.typical_variance(v, k)
    pi = safe_pi = unknown, unknown
    if not brief:
        own = guarded if o.ci_method.endswith("guarded") else knapp
        shared = quantile if o.pi_method != "t(k-2)" and not normal else None
        pi, safe_pi = _prediction(sets, mu, wald, own, guarded, tau2, o, shared)

    def only(where: Bools, value: Floats) -> Floats:
        return np.where(where, value, np.nan)

    # I2 and H2 with their intervals, by Q and by tau2.
    ratios: dict[str, Floats] = {}
    by_q = np.array([np.maximum(q / k1, 1.0), h2_low, h2_high])
    by_tau2 = 1 + np.array([tau2, q_low, q_high]) / typical
    for name, able, values in (("q", two, by_q), ("tau2", fitted, by_tau2)):
        h2 = only(able, values)
        i2 = 100 * (1 - 1 / np.maximum(h2, 1.0))
        for i, end in enumerate(("", "_ci_lower", "_ci_upper")):
            ratios[f"h2_{name}{end}"], ratios[f"i2_{name}{end}"] = h2[i], i2[i]
    ends = np.array([lower, upper, low_safe, high_safe, *pi, *safe_pi]) * scale + centre
    tau2_scaled, tau2_low, tau2_high = np.array([tau2, q_low, q_high]) * scale**2
    p_value, guarded_p_value = two_sided_p(np.array([statistic, statistic_safe]), df)
    return Pooled(
        pooling="inverse variance" if given is None else given.pooling,
        tau2_method=o.tau2_method if given is None else given.tau2_method,
        ci_method=o.ci_method,
        pi_method=o.pi_method,
        level=o.level,
        k=k,
        estimate=only(there, mu * scale + centre),
        se=only(there, se * scale),
        wald_se=only(there, wald * scale),
        statistic=statistic,
        df=df,
        p_value=unknown if brief else p_value,
        tau2=only(two, tau2_scaled),
        tau2_ci_lower=only(fitted, tau2_low),
        tau2_ci_upper=only(fitted, tau2_high),
        tau=only(two, np.sqrt(tau2) * scale),
        q=only(there, q),
        q_df=np.maximum(k - 1, 0),
        q_p_value=unknown if brief else only(two, special.chdtrc(np.maximum(k - 1, 1), q)),
        guarded_p_value=guarded_p_value,
        narrow=narrow,
        weights=np.where(there[:, None], weights, 0.0),
        path=paths(fit, k, pymare, o.tau2_method),
        reason=_reasons(
            ("no_trials", ~there),
            ("one_trial", there & ~two),
            (ALL_EQUAL, two & equal & (np.isnan(se) | (fitted & three & np.isnan(pi[0])))),
            ("common_effect", two & ~fitted),
            ("empty_q_profile", fitted & q_empty),
            ("no_test_based_interval", two & np.isnan(h2_high)),
            ("few_for_prediction_interval", fitted & ~three),
        ),
        **ratios,
        **dict(zip(_ENDS, ends, strict=True)),
    )


def _prediction(
    sets: Sets,
    mu: Floats,
    wald: Floats,
    knapp: Floats,
    guarded: Floats,
    tau2: Floats,
    o: Options,
    quantile: Floats | None = None,
) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Prediction limits in scaled units, and the guarded ones; ``quantile`` where that of the interval is theirs, too.

    Higgins and others 2009, equation 12; Partlett and Riley 2017 for Hartung-Knapp.
    """  # fmt: skip
    able = (sets.k >= 3) & (o.tau2_method != "EE")
    if o.pi_method == "bootstrap":
        from reweigh.pool.bootstrap import bootstrap_prediction

        low, high = np.full((2, len(mu)), np.nan)
        for i in np.flatnonzero(able & ~sets.equal):
            there = np.isfinite(sets.v[i])
            low[i], high[i] = bootstrap_prediction(sets.y[i][there], sets.v[i][there], o.level)
        return (low, high), (low, high)
    if quantile is None:
        lost = 2 if o.pi_method == "t(k-2)" else 1
        quantile = intervals.t_quantile((sets.k - lost).astype(np.float64), o.level)
    quantile = np.where(able, quantile, np.nan)
    own, safe = (knapp, guarded) if o.pi_method == "hartung-knapp" else (wald, wald)
    half, half_safe = quantile * np.sqrt(tau2 + np.array([own, safe]) ** 2)
    return (mu - half, mu + half), (mu - half_safe, mu + half_safe)


def paths(fit: Fit, k: Ints, pymare: bool, method: str) -> NDArray[np.object_]:
    """How the tau2 of each data set was found."""
    begin = "PyMARE, then " if pymare else ""
    if method == "EE":
        words = np.full(len(k), "tau2 is 0 by assumption", dtype=object)
    elif method in CLOSED:
        choices = np.array([f"{begin}closed form", "boundary: the closed form is negative, tau2 = 0"], dtype=object)
        words = choices[(fit.tau2 < 0).astype(int)]
    else:
        steps = [f"{begin}Newton, {n} step{'s' * (n != 1)}" for n in range(int(fit.steps.max(initial=0)) + 1)]
        steps[0] = "boundary: tau2 = 0"
        words = np.array(steps, dtype=object)[np.where(fit.tau2 > 0, fit.steps, 0)]
        for i in np.flatnonzero(fit.maxima > 1):
            words[i] += f"; the highest of {fit.maxima[i]} maxima"
    words[k < 2] = "none"
    return words


def _reasons(*rules: tuple[str, Bools]) -> NDArray[np.object_]:
    codes = (1 << np.arange(len(rules))) @ np.array([where for _, where in rules])
    values, inverse = intervals.distinct(codes)
    texts = [join(text for bit, (text, _) in enumerate(rules) if code >> bit & 1) for code in values]
    return np.array(texts, dtype=object)[inverse]
