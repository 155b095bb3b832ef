"""Words for the codes of the ledger of published estimates: methods, trials, verdicts, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10

from reweigh.text.codes import Sentence, words

TAU2: Mapping[str, str] = {
    "EE": "common effect", "DL": "DerSimonian-Laird", "PM": "Paule-Mandel", "HE": "Hedges", "HS": "Hunter-Schmidt",
    "SJ": "Sidik-Jonkman",
}  # fmt: skip
"""Names under which reviews print a model's tau2; REML and ML are their own."""

POOLINGS: Mapping[str, str] = {
    "mantel-haenszel": "Mantel-Haenszel, ",
    "mantel-haenszel corrected": "Mantel-Haenszel (0.5 added in trials with a zero cell), ",
    "peto": "Peto, ",
}

_SMD = {
    "LS": "large-sample variance (Hedges 1982, metafor's)",
    "LS2": "large-sample variance times J squared (Borenstein 2009)",
    "UB": "unbiased variance (Hedges 1983; R's meta)",
    "AV": "large-sample variance at the mean effect",
    "RevMan": "RevMan's variance",
}
_J = {"exact": "exact J", "approximate": "approximate J", "none": "no J (Cohen's d)"}
_ZERO = {
    "only0": "0.5 added where a cell is 0",
    "needed": "0.5 added only where nothing could be computed without",
    "all": "0.5 added in every trial",
    "tacc": "treatment-arm correction where a cell is 0",
    "none": "nothing added: trials with a zero cell left out",
    "RevMan": "0.5 added where a cell is 0, as RevMan does",
}


NAMED: Mapping[str, str] = {"yes": "named by the source", "open": "left open by the source", "no": "cannot be"}
"""How a method stands to what its source says."""


def _p(given: Mapping[str, str]) -> str:
    """With as many decimals as show the first digit: prints go down to P < 0.00001."""
    p = float(given["ours"])
    shown = f"{p:.{max(2, -floor(log10(p)))}f}" if p > 0 else "0"
    return f"the printed P ({given['printed']}) is not that of the recomputed estimate, {shown}"


SENTENCES: Mapping[str, Sentence] = {
    # How the effects of the trials were computed.
    "smd_effects": lambda c: f"{_J[c['j']]}, {_SMD[c['smd_variance']]}",
    "md_effects": lambda c: "variances pooled over the arms" if c["md_variance"] == "pooled" else "variances by arm",
    "count_effects": lambda c: _ZERO[c["zero_cells"]],
    "stopped_iteration": "stopped where metafor's iteration stops by default, short of the maximum",
    # Which trials.
    "trials_all": "all trials of the set",
    "trials_subgroup": "the trials of the subgroup ({column}: {value})",
    "trials_column": "{column}: {value}",
    "trials_not": "{column}: not {value}",
    "trials_without": "without {trials}",
    # Why a method cannot be, or is not, the one that was printed.
    "other_estimator": "the source names another estimator or model",
    "other_interval": "the source names another interval",
    "other_pooling": "the source names another way to pool, or DerSimonian and Laird's own",
    "other_formula": "the source names another way to compute the effects",
    "before_its_source": "printed in {year}: our earliest source of {what} is {paper}",
    "not_the_trials": "pools {k} trials; the print says {printed}",
    # What a row should be read with.
    "model_unstated": "the source names no model, so every method that gives the print is one found by search",
    "model_part": "the source names the model in part: what it leaves open was searched",
    "model_impossible": (
        "{what} is named for a print of {year}; our earliest source of it is {paper}: this cannot be taken as the "
        "model that the source states"
    ),
    "k_more": "the print counts {printed} trials, {k} can be pooled: the others say nothing on it, or are missing",
    "k_fewer": "the print counts {printed} trials, fewer than the {k} of the set: which ones was searched",
    "subgroup_unknown": "no column of studies.csv has the value {subgroup}: its trials were searched",
    "searched_trials": "{subsets} choices of trials were tried, so that some may agree by chance",
    "se_differs": "the printed SE ({printed}) is not that of the recomputed estimate ({ours})",
    "p_differs": _p,
    "formula_open": "the source does not say how the effects of the trials were computed",
    "trials_by_column": "the trials were found by the column that names them",
    "trials_left_out": "the trials were found by leaving out {trials}, which no column names",
    "left_out_gives": "every printed digit comes out without {trials}: a search, no reproduction",
    # What is missing.
    "size_only": "no pooled estimate: the row records the size of the review",
    "narrative": "no pooled estimate: the review is narrative",
    "not_visible": (
        "the estimate is not visible in the public text; a print on the log scale goes into `estimate`, with log in "
        "`estimate_scale`"
    ),
    "no_such_measure": "a {measure} without a comparator or of another kind: no analysis here has it",
    "tie_tables": "the DOI {doi} in table_source of review.yaml if the tables are its own, or else what follows",
    "network": "every comparison of the network",
    "which_and_k": "how many and which trials were pooled",
    "which_trials": "which {k} trials were pooled ({known} of the review's trials are known; published_trials.csv)",
    "results_of": "usable results of {trials}",
    "numbers_used": "the numbers of each trial as the review used them",
    "no_analysis": "an analysis of {outcome} at {time}",
    "no_counts": "counts or effects of every trial that give a {measure}",
    "no_subgroup": "a column of studies.csv that says which trials are {subgroup}",
    "no_moderator": "a column of studies.csv with {moderator} of every trial",
    "no_coefficient": "a coefficient {coefficient}: the regression has {known}",
    "no_regression": "a regression that can be fitted: {why}",
    "own_scale_only": "the estimate as {measure} on its own scale: {scale} is not that of {measure}",
}  # fmt: skip


def said(cell: str) -> str:
    """The words of codes of the ledger."""
    return words(cell, SENTENCES)


def model_name(tau2: str, ci: str) -> str:
    """A model as a methods section names it."""
    effect = "common effect" if tau2 == "EE" else f"random effects ({TAU2.get(tau2, tau2)})"
    return f"{effect}, {'Wald' if ci == 'wald' else 'Hartung-Knapp' if ci.startswith('hartung') else ci} interval"


def method_name(pooling: str, tau2: str, ci: str, formula: str = "") -> str:
    """A method as a methods section names it, with how the effects of the trials were computed where that is said."""
    return POOLINGS.get(pooling, "") + model_name(tau2, ci) + (f"; {said(formula)}" if formula else "")
