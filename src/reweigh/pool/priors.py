"""Priors of the between-trial standard deviation tau, and published predictive distributions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from reweigh.pool.tau2 import Floats

FAMILIES = ("half-normal", "half-cauchy", "half-t", "log-normal", "log-t", "uniform")


@dataclass(frozen=True, slots=True)
class Prior:
    """Prior of tau: make one with the functions of this module.

    ``location`` and ``scale`` are those of log(tau^2) for the families log-normal and log-t; else ``scale`` is tau's.
    """

    family: str
    scale: float = np.nan
    location: float = np.nan
    df: float = np.nan
    #: The measure that the parameters were estimated for; None for any.
    measure: str | None = None
    label: str = ""

    @property
    def proper(self) -> bool:
        """Whether it integrates to 1."""
        return self.family != "uniform"

    @property
    def tail(self) -> float:
        """Power of tau at which the density falls off."""
        return {"half-cauchy": 2.0, "half-t": self.df + 1, "log-t": 1.0, "uniform": 0.0}.get(self.family, np.inf)

    def log_density(self, tau: Floats) -> Floats:
        """Log density of tau > 0."""
        if self.family == "uniform":
            return np.zeros_like(tau)
        if self.family == "half-normal":
            return np.asarray(np.log(2 / np.pi) / 2 - np.log(self.scale) - (tau / self.scale) ** 2 / 2)
        if self.family in ("half-cauchy", "half-t"):
            return np.asarray(np.log(2) + _log_t(tau / self.scale, self.df) - np.log(self.scale))
        z = (2 * np.log(tau) - self.location) / self.scale
        kernel = _log_t(z, self.df) if self.family == "log-t" else -z * z / 2 - np.log(2 * np.pi) / 2
        return np.asarray(kernel + np.log(2 / self.scale) - np.log(tau))

    def cdf(self, tau: Floats) -> Floats:
        """Distribution function of tau >= 0; of a proper prior."""
        if self.family == "half-normal":
            return np.asarray(special.erf(tau / self.scale / np.sqrt(2)))
        if self.family in ("half-cauchy", "half-t"):
            return np.asarray(2 * special.stdtr(self.df, tau / self.scale) - 1)
        if not self.proper:
            raise ValueError("the uniform prior has no distribution function")
        with np.errstate(divide="ignore"):
            z = (2 * np.log(tau) - self.location) / self.scale
        return np.asarray(special.stdtr(self.df, z) if self.family == "log-t" else special.ndtr(z))

    def rescaled(self, factor: float, why: str) -> Prior:
        """The same prior for ``factor`` times tau, usable for any measure; ``why`` is added to the label."""
        if not (np.isfinite(factor) and factor > 0) or not why.strip():
            raise ValueError("a rescaling needs a factor above 0 and a reason")
        logs = self.family in ("log-normal", "log-t")
        label = f"{self.label}, tau times {factor:g} ({why.strip()})"
        if logs:
            return replace(self, location=self.location + 2 * np.log(factor), measure=None, label=label)
        return replace(self, scale=self.scale * factor, measure=None, label=label)


def _log_t(z: Floats, df: float) -> Floats:
    constant = special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - np.log(df * np.pi) / 2
    return np.asarray(constant - (df + 1) / 2 * np.log1p(z * z / df))


def tau_prior(
    family: str, scale: float = np.nan, *, location: float = np.nan, df: float = np.nan, measure: str | None = None
) -> Prior:
    """A prior by family: "half-normal", "half-cauchy", "half-t" (df), "uniform"; Röver and others 2021, table 1.

    "log-normal" and "log-t" (df, 5 by default) are distributions of log(tau^2) with ``location`` and ``scale``. Raises
    ValueError on an unknown family or a parameter that is missing or impossible.
    """
    if family not in FAMILIES:
        raise ValueError(f"prior family {family!r} is not known: use one of {', '.join(FAMILIES)}")
    if family == "log-t" and np.isnan(df):
        df = 5.0
    if family == "half-cauchy":
        df = 1.0
    logs = family in ("log-normal", "log-t")
    needs = {"scale": scale, **({"location": location} if logs else {}), **({"df": df} if family == "half-t" else {})}
    for name, value in needs.items() if family != "uniform" else ():
        if not np.isfinite(value) or (value <= 0 and name != "location"):
            raise ValueError(f"{family} prior: {name} {value} must be {'finite' if name == 'location' else 'above 0'}")
    told = [f"{name} {value:g}" for name, value in needs.items()] if family != "uniform" else []
    if family == "log-t":
        told.append(f"df {df:g}")
    label = f"{family}({', '.join(told)})" + (" of log(tau2)" if logs else " of tau")
    return Prior(family, float(scale), float(location), float(df), measure, label)


#: Turner and others 2015, Statistics in Medicine 34:984-98, table IV (marginal: page 993): mean and standard
#: deviation of log(tau2) of log odds ratios, columns as in TURNER_COMPARISONS.
#: Taken from the transcription in the R package bayesmeta (TurnerEtAlPrior).
TURNER_COMPARISONS = (
    "pharmacological vs placebo",
    "pharmacological vs pharmacological",
    "non-pharmacological vs placebo",
    "non-pharmacological vs pharmacological",
    "non-pharmacological vs non-pharmacological",
)
TURNER_2015 = {
    "all-cause mortality": ((-3.95, 1.34), (-4.18, 1.41), (-4.17, 1.55), (-2.92, 1.02), (-3.50, 1.26)),
    "obstetric outcomes": ((-3.52, 1.74), (-3.75, 1.79), (-3.74, 1.91), (-2.49, 1.50), (-3.08, 1.68)),
    "cause-specific mortality, major morbidity or composite": (
        (-3.71, 1.74), (-3.95, 1.79), (-3.93, 1.91), (-2.68, 1.51), (-3.27, 1.68)
    ),
    "resource use, hospital stay or process": (
        (-2.34, 1.74), (-2.58, 1.79), (-2.56, 1.91), (-1.31, 1.50), (-1.90, 1.68)
    ),
    "surgical or device related success or failure": (
        (-2.14, 1.74), (-2.37, 1.79), (-2.36, 1.91), (-1.11, 1.50), (-1.69, 1.68)
    ),
    "withdrawals or drop-outs": ((-2.99, 1.74), (-3.23, 1.79), (-3.21, 1.91), (-1.96, 1.51), (-2.55, 1.68)),
    "internal or structure-related outcomes": (
        (-2.71, 1.74), (-2.94, 1.79), (-2.93, 1.92), (-1.67, 1.51), (-2.26, 1.68)
    ),
    "general physical health indicators": ((-2.29, 1.53), (-2.53, 1.58), (-2.51, 1.72), (-1.26, 1.25), (-1.85, 1.46)),
    "adverse events": ((-1.87, 1.52), (-2.10, 1.58), (-2.10, 1.71), (-0.84, 1.24), (-1.43, 1.45)),
    "infection or onset of new disease": ((-2.49, 1.52), (-2.73, 1.58), (-2.71, 1.71), (-1.46, 1.24), (-2.05, 1.45)),
    "signs or symptoms reflecting continuation or end of condition": (
        (-2.06, 1.51), (-2.29, 1.58), (-2.28, 1.71), (-1.03, 1.24), (-1.61, 1.45)
    ),
    "pain": ((-1.83, 1.52), (-2.06, 1.58), (-2.05, 1.71), (-0.80, 1.25), (-1.38, 1.45)),
    "quality of life or functioning (dichotomized)": (
        (-2.54, 1.54), (-2.78, 1.60), (-2.77, 1.73), (-1.51, 1.27), (-2.10, 1.47)
    ),
    "mental health indicators": ((-2.12, 1.53), (-2.35, 1.60), (-2.34, 1.72), (-1.09, 1.27), (-1.67, 1.47)),
    "biological markers (dichotomized)": ((-1.77, 1.52), (-2.00, 1.58), (-1.99, 1.71), (-0.74, 1.24), (-1.33, 1.45)),
    "subjective outcomes (various)": ((-2.70, 1.52), (-2.93, 1.58), (-2.92, 1.71), (-1.67, 1.25), (-2.26, 1.45)),
    "any": ((-2.56, 1.74),) * 5,
}  # fmt: skip

#: Rhodes and others 2015, Journal of Clinical Epidemiology 68:52-60, table 3 (general: section 3.3): location and
#: scale of log(tau2) of SMDs, t with 5 df, medical areas other than respiratory disease and cancer.
#: Taken from the transcription in the R package bayesmeta (RhodesEtAlPrior). Two of its cells break the pattern of
#: all others (location -3.85, scale 2.11), look like slips, and are None.
RHODES_COMPARISONS = ("pharmacological vs placebo", "pharmacological vs pharmacological", "non-pharmacological")
RHODES_2015 = {
    "obstetric outcome": ((-4.13, 2.34), (-4.40, 2.31), None),
    "resource use, hospital stay or process": ((-2.55, 2.73), (-2.83, 2.70), (-2.41, 2.57)),
    "internal or external structure-related outcome": ((-2.43, 2.50), (-2.70, 2.46), (-2.29, 2.32)),
    "general physical health, adverse event, pain, quality of life or functioning": (
        (-3.16, 2.50), (-3.44, 2.44), (-3.02, 2.27)
    ),
    "signs or symptoms, infection or onset of new disease": ((-3.00, 2.50), (-3.27, 2.47), (-2.86, 2.33)),
    "mental health outcome": ((-2.99, 2.16), (-3.27, 2.14), None),
    "biological marker": ((-3.41, 2.83), (-3.68, 2.78), (-3.27, 2.66)),
    "various subjectively measured outcomes": ((-2.76, 2.58), (-3.03, 2.59), (-2.62, 2.41)),
    "any": ((-3.44, 2.59),) * 3,
}  # fmt: skip


def turner2015(outcome: str, comparison: str) -> Prior:
    """Log-normal prior for tau2 of the log odds ratio: see ``TURNER_2015`` for outcomes and source."""
    return _published(TURNER_2015, TURNER_COMPARISONS, "Turner 2015", outcome, comparison, "log-normal", "OR")


def rhodes2015(outcome: str, comparison: str) -> Prior:
    """Log-t prior (5 df) for tau2 of the SMD: see ``RHODES_2015`` for outcomes and source."""
    return _published(RHODES_2015, RHODES_COMPARISONS, "Rhodes 2015", outcome, comparison, "log-t", "SMD")


def _published(
    table: Mapping[str, tuple[tuple[float, float] | None, ...]], columns: tuple[str, ...], name: str, outcome: str,
    comparison: str, family: str, measure: str,
) -> Prior:  # fmt: skip
    for kind, value, allowed in (("outcome", outcome, tuple(table)), ("comparison", comparison, columns)):
        if value not in allowed:
            raise ValueError(f"{name}: {kind} {value!r} is not known: use one of {'; '.join(allowed)}")
    cell = table[outcome][columns.index(comparison)]
    if cell is None:
        raise ValueError(f"{name}: the value for {outcome!r}, {comparison!r} could not be confirmed and is left out")
    prior = tau_prior(family, cell[1], location=cell[0], measure=measure)
    return replace(prior, label=f"{prior.label}, {name}: {outcome}, {comparison}")
