"""One effect per trial: comparisons that share patients, weighted by their inverse covariance."""

from __future__ import annotations

from collections.abc import Container, Hashable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from reweigh.effects.conversions import Floats

UNIT = ["study_id", "outcome", "window"]
"""What one pooled effect belongs to, within an outcome, measure and set."""


def checked(yi: ArrayLike, v: ArrayLike) -> tuple[Floats, Floats]:
    """Effects (k,) and the covariance matrix (k, k) of their sampling errors; `v` has variances or the matrix.

    Raises ValueError on impossible data.
    """
    y, variance = np.asarray(yi, dtype=np.float64), np.asarray(v, dtype=np.float64)
    k = y.size
    if y.ndim != 1 or k == 0 or variance.shape not in ((k,), (k, k)):
        raise ValueError(f"yi must have shape (k,), v (k,) or (k, k), not {y.shape} and {variance.shape}")
    for i in np.flatnonzero(~np.isfinite(y)):
        raise ValueError(f"yi[{i}] is {y[i]}: it must be finite")
    phi = np.diag(variance) if variance.ndim == 1 else variance
    for i in np.flatnonzero(~(np.isfinite(np.diag(phi)) & (np.diag(phi) > 0))):
        raise ValueError(f"variance {i} is {phi[i, i]}: it must be finite and above 0")
    if not np.isfinite(phi).all() or np.abs(phi - phi.T).max() > 1e-10 * np.abs(phi).max():
        raise ValueError("v must be finite and symmetric")
    s = np.sqrt(np.diag(phi))
    if variance.ndim == 2 and np.linalg.eigvalsh(phi / np.outer(s, s))[0] < -1e-10:
        raise ValueError("v is not positive semi-definite: no covariance matrix")
    return y, phi


def codes_of(labels: Sequence[Hashable] | np.ndarray | range, k: int, name: str) -> NDArray[np.intp]:
    """Labels of k effects numbered in order of appearance."""
    values = list(labels)
    if len(values) != k:
        raise ValueError(f"{name} has {len(values)} labels for {k} effects")
    index = {label: i for i, label in enumerate(dict.fromkeys(values))}
    return np.array([index[label] for label in values], dtype=np.intp)


def aggregate(
    yi: ArrayLike,
    v: ArrayLike,
    cluster: Sequence[Hashable] | np.ndarray,
    *,
    rho: float | None = None,
    weighted: bool = True,
) -> tuple[tuple[Hashable, ...], Floats, Floats]:
    """One effect per cluster: labels in order of appearance, effects and variances.

    Weighted by the inverse covariance, or the plain mean; Borenstein and others 2009, chapter 24; metafor's
    ``aggregate(struct="CS")``. Raises ValueError on impossible data, a ``rho`` outside [-1, 1], or one for which a
    covariance is not positive definite.

    ``v``: variances (k,), with ``rho``, the correlation of the sampling errors within a cluster; or the covariance
    matrix (k, k), without.
    """
    y, phi = checked(yi, v)
    given = np.asarray(v).ndim == 2
    if given == (rho is not None):
        raise ValueError("give variances with rho, or a covariance matrix without")
    if rho is not None:
        if not -1 <= rho <= 1:
            raise ValueError(f"rho {rho} must lie between -1 and 1")
        s = np.sqrt(np.diag(phi))
        phi = rho * np.outer(s, s)
        np.fill_diagonal(phi, s * s)
    codes = codes_of(cluster, len(y), "cluster")
    labels = tuple(dict.fromkeys(cluster))
    out = np.empty((2, len(labels)))
    for c in range(len(labels)):
        own = np.flatnonzero(codes == c)
        block, one = phi[np.ix_(own, own)], np.ones(len(own))
        # Judged by the correlations: variances may lie many orders of magnitude apart.
        s = np.sqrt(np.diag(block))
        least = np.linalg.eigvalsh(block / np.outer(s, s))[0]
        if least <= 1e-12 and (weighted or least < 0):
            raise ValueError(f"the covariance of cluster {labels[c]!r} is not positive definite: check rho")
        w = np.linalg.solve(block, one) if weighted else one
        w = w / w.sum()
        out[:, c] = w @ y[own], w @ block @ w
    return labels, out[0], out[1]


def sharing(chosen: pd.DataFrame, independent: Container[str], of: Sequence[str] = UNIT) -> pd.Series:
    """Comparisons that share patients with another of their unit: all of a trial but those that stand apart.

    Apart are the trials that the protocol names, and comparisons whose shared arm is divided.
    """
    if chosen.empty:
        return pd.Series(False, index=chosen.index, dtype=bool)
    keys = [chosen[name] for name in of]
    unit = chosen.groupby(keys, sort=False)
    alone = chosen["study_id"].map(lambda study: study in independent).astype(bool)
    return (
        (unit["study_id"].transform("size") > 1)
        & ~alone
        & ~chosen["apart"].astype(bool).groupby(keys, sort=False).transform("all")
    )


def by_trial(chosen: pd.DataFrame, rho: float, independent: Container[str], of: Sequence[str] = UNIT) -> pd.DataFrame:
    """Chosen comparisons of one set, one measure of each outcome, with those of a trial that share patients as one row.

    The row stands where the first of them stood: `comparison_id` is the trial's, `estimate` and `variance` are
    aggregated at the correlation ``rho``; `parts` holds the comparisons as their index labels, () for a row alone.
    With further columns in ``of``, a subgroup of rows, there is a row for each of a trial's values, with the
    `comparison_id` of its first part.
    """
    of = list(of)
    if not chosen.duplicated(of).any():
        return chosen.assign(parts=pd.Series([()] * len(chosen), index=chosen.index, dtype=object))
    joined = sharing(chosen, independent, of)
    out, parts = chosen.copy(), dict[Hashable, tuple[Hashable, ...]]()
    for _, part in chosen[joined].groupby(of, sort=False):
        first, rest = part.index[0], part.index[1:]
        _, estimate, variance = aggregate(part["estimate"], part["variance"], [0] * len(part), rho=rho)
        out.loc[first, ["estimate", "variance"]] = estimate[0], variance[0]
        if of == UNIT:
            out.loc[first, "comparison_id"] = part["study_id"].iloc[0]
        parts[first] = tuple(part.index)
        out = out.drop(index=rest)
    return out.assign(parts=pd.Series([parts.get(at, ()) for at in out.index], index=out.index, dtype=object))


def counted_once(part: pd.DataFrame, arm: tuple[str, str] | None) -> tuple[float, float, str]:
    """Patients of each group of the comparisons of one trial, each counted once, and the role of the shared group.

    ``part``: comparisons with n_intervention, n_control and design. ``arm``: the shared arm that the protocol names, by
    its role, and whether its n is "split" among the rows or "repeated".

    Without a name the shared group is that whose arm has the same label in all comparisons (arm1, arm2) where the
    other's has not; else that whose n is the same, the control group before the other. In a crossover trial every
    patient stands in both groups of all comparisons.
    """
    n = {role: part[f"n_{role}"].astype(float) for role in ("intervention", "control")}
    if (part["design"] == "crossover").all():
        return n["intervention"].max(), n["control"].max(), "crossover"
    labels = {
        role: part.get(f"arm{at}", pd.Series("")).fillna("") for role, at in (("control", 2), ("intervention", 1))
    }
    named = [role for role, label in labels.items() if label.iloc[0] != "" and (label == label.iloc[0]).all()]
    alike = (
        named if len(named) == 1 else [role for role in ("control", "intervention") if n[role].min() == n[role].max()]
    )
    role = arm[0] if arm is not None else (alike or ["control"])[0]
    once = n[role].sum(min_count=1) if arm is not None and arm[1] == "split" else n[role].max()
    total = {name: once if name == role else values.sum(min_count=1) for name, values in n.items()}
    return float(total["intervention"]), float(total["control"]), role
