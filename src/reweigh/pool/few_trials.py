"""The Bayesian model where there are few trials: bayes.csv."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache

import pandas as pd

from reweigh.io import frame
from reweigh.measures import scale_of
from reweigh.pool.bayes import Posterior, posterior
from reweigh.pool.priors import Prior, rhodes2015, tau_prior, turner2015
from reweigh.pool.units import Units
from reweigh.protocol.model import Protocol
from reweigh.text.pool import noted

_posterior = lru_cache(maxsize=1024)(posterior)
FEW = 5
"""Up to this many trials the Bayesian model stands beside the main one."""


def prior_of(measure: str, protocol: Protocol) -> Prior | None:
    """The protocol's prior of tau for a measure, None where it has none.

    Raises ValueError if the prior was made for another measure and no rescaling is stated.
    """
    given = protocol.bayes.get(measure)  # type: ignore[call-overload]
    if given is None:
        return None
    if given.family in ("turner2015", "rhodes2015"):
        table = turner2015 if given.family == "turner2015" else rhodes2015
        prior = table(given.outcome, given.comparison)
    else:
        numbers = {name: getattr(given, name) for name in ("scale", "location", "df")}
        prior = tau_prior(given.family, **{name: value for name, value in numbers.items() if value is not None})
    return prior if given.rescale is None else prior.rescaled(given.rescale, given.rescale_reason)


def posterior_of(group: pd.DataFrame, prior: Prior, protocol: Protocol) -> Posterior:
    """Posterior of one analysis (rows of effects.csv); sets with the same effects share it."""
    measure, outcome = str(group["measure"].iloc[0]), str(group["outcome"].iloc[0])
    important = protocol.outcomes[outcome].important(measure, protocol.certainty.ratio)
    better, level = protocol.outcomes[outcome].better, protocol.level_of(outcome)
    values = tuple(group["estimate"].astype(float)), tuple(group["variance"].astype(float))
    return _posterior(*values, prior, level=level, measure=measure, better=better, important=important)


def bayes_table(effects: pd.DataFrame, protocol: Protocol, units: pd.DataFrame | None = None) -> pd.DataFrame:
    """Posterior of every analysis of two to five trials, each counted once, whose measure has a prior in the protocol.

    Returns one row per analysis: posterior of mu and tau and of the effect in a new trial (mean, sd, median, mode,
    shortest and central interval), on the analysis scale, and the probabilities that the effect is on the better side
    and that it exceeds the smallest important difference.
    """
    rows = []
    pooled = Units(effects, units)
    for analysis in pooled.analyses:
        group = pooled.of(analysis, "trial")
        prior = prior_of(str(group["measure"].iloc[0]), protocol)
        if prior is None or not 2 <= group["study_id"].nunique() <= FEW:
            continue
        found = asdict(posterior_of(group, prior, protocol))
        codes = found.pop("reason")
        scale = scale_of(str(group["measure"].iloc[0]))
        rows.append({"analysis": analysis, "scale": scale, **found, **noted(codes)})
    return frame("bayes.csv", rows)
