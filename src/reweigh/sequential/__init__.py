"""Trial sequential analysis: was there ever enough information?

:func:`required_information_size` says how many participants a meta-analysis needs, :func:`alpha_boundaries` and
:func:`futility_boundaries` what the cumulative Z must cross at each look, :func:`trial_sequential_analysis` does
it all from the trials and :func:`sequential_analysis` from cumulative results. Needs NumPy and SciPy only.
"""

from reweigh.sequential.analysis import (
    Design,
    SequentialAnalysis,
    merge_looks,
    not_done,
    sequential_analysis,
    trial_sequential_analysis,
)
from reweigh.sequential.boundaries import (
    SPENDING,
    Boundaries,
    Futility,
    alpha_boundaries,
    exit_probabilities,
    fixed_drift,
    futility_boundaries,
    inflation_factor,
    spend,
)
from reweigh.sequential.cumulative import chronological, cumulative_pool
from reweigh.sequential.inference import Stagewise
from reweigh.sequential.information import (
    MEASURES,
    InformationSize,
    TrialCount,
    diversity,
    required_information_size,
)

__all__ = [
    "MEASURES",
    "SPENDING",
    "Boundaries",
    "Design",
    "Futility",
    "InformationSize",
    "SequentialAnalysis",
    "Stagewise",
    "TrialCount",
    "alpha_boundaries",
    "chronological",
    "cumulative_pool",
    "diversity",
    "exit_probabilities",
    "fixed_drift",
    "futility_boundaries",
    "inflation_factor",
    "merge_looks",
    "not_done",
    "required_information_size",
    "sequential_analysis",
    "spend",
    "trial_sequential_analysis",
]
