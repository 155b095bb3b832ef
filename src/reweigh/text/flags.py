"""Words of flags and notices, and the source of every rule; docs/reference/flags.md prints this table."""

from __future__ import annotations

from collections.abc import Mapping

from reweigh.text.codes import Sentence

#: Kanellopoulou, Dwan and Richardson 2025: the commonest slip of all, and how a reader spots it.
_SD_OR_SE = "Kanellopoulou 2025, Cochrane Evid Synth Methods 3(2), doi 10.1002/cesm.70013, section 1"

SENTENCES: Mapping[str, Sentence] = {
    "sd_like_se": (
        "SD {sd} looks like an SE: SDs of the other trials are near {usual}, and {sd} x sqrt({n}) is {as_se}"
    ),
    "se_like_sd": (
        "SE {se} looks like an SD: it makes an SD of {as_sd}, and those of the other trials are near {usual}"
    ),
    "sd_against_ci": "SD {sd} does not fit its interval, which makes it {from_ci}",
    "sd_against_se": "SD {sd} does not fit its SE {se}, which makes it {from_se}",
    "sd_against_range": "SD {sd} cannot be: {n} values from {min} to {max} have one between {low} and {high}",
    "sd_against_p": "SD looks like an SE: as SDs the arms give P {p_as_sd}, as SEs {p_as_se}; {p} is printed",
    "sd_off_scale": "SD {sd} cannot be: on a scale from {low} to {high} a mean of {mean} allows at most {most}",
    "ci_off_centre": "the mean {mean} is not in the middle of its interval ({low} to {high})",
    "same_controls": "the control row is that of comparison {other} (row {other_row}): are these the same patients?",
    "duplicate_trial": "the same numbers stand under {other} (row {other_row}): one trial published twice?",
    "two_labels": "{study} is also called {other} ({where})",
    "change_and_final": "{analysis} pools change scores ({changes}) and final values ({finals}) as SMD",
    "percent_no_count": "no whole number of {n} patients is {percent}%; nearest: {nearest}",
    "percent_below_one": "all {rows} percentages of {outcome} are below 1: are they shares?",
    "design_unused": "{columns} typed, but not used: the trial's design is {design}",
    "overall_better": "the overall judgement is {overall}, but {domain} is {worst}",
    "half_above_third": "{high} with {outcome}, but {low} with {other} (row {other_row})",
    "n_above_randomised": "n is {n}, but {randomised} were randomised",
    "opposes_all": ("the effect opposes all {others} others of {analysis} that exclude no effect: is it turned round?"),
    "contradicted": "another source says {said}",
    "outcome_without_rows": "no row has the outcome {outcome}",
    "rows_of_other_outcome": "{rows} rows of {outcome}, which is not in the protocol",
    "one_side_only": "{rows} rows of {comparisons} comparisons with one side only",
    "table_unused": "no row of the {rows} in {table} is used",
    "no_window": "{rows} rows at {timepoint}: in no window",
    "read_as": "read although it has {how}",
    "ratio_scale_assumed": (
        "{rows} rows with a ratio, its SE and no interval: read as a natural ratio and the SE of its logarithm "
        "(estimate_scale says it)"
    ),
}
"""Sentence of each code."""

SOURCES: Mapping[str, str] = {
    "sd_like_se": _SD_OR_SE,
    "se_like_sd": _SD_OR_SE,
    "sd_against_ci": "Cochrane Handbook 6.5.2.2: SD = sqrt(n) x width / (2 t)",
    "sd_against_se": "Cochrane Handbook 6.5.2.2: SD = SE x sqrt(n)",
    "sd_against_range": "arithmetic: extremes R apart force a sum of squares from R^2/2 to n R^2/4",
    "sd_against_p": "Cochrane Handbook 6.5.2.3: the t value of the printed P",
    "sd_off_scale": "Bhatia and Davis 2000, Am Math Mon 107:353-357: variance up to (mean - low)(high - mean)",
    "ci_off_centre": "Cochrane Handbook 6.5.2.2: an interval of a mean is symmetric",
    "same_controls": "Cochrane Handbook 23.3.4: a shared group is not counted twice",
    "duplicate_trial": "MECIR C42 (Cochrane): reports of one trial are collated, the trial is the unit",
    "two_labels": "MECIR C42 (Cochrane): reports of one trial are collated, the trial is the unit",
    "change_and_final": "Cochrane Handbook 10.5.2: change scores and final values should not be combined as SMDs",
    "percent_no_count": "arithmetic: GRIM of Brown and Heathers 2017, Soc Psychol Personal Sci 8:363-369, for counts",
    "percent_below_one": "arithmetic",
    "design_unused": "docs/reference/effects.md: which columns belong to which design",
    "overall_better": "Sterne 2019, BMJ 366:l4898: the overall risk is at least that of the worst domain",
    "half_above_third": "arithmetic: who is relieved by half is relieved by a third",
    "n_above_randomised": "arithmetic",
    "opposes_all": "MECIR C51 (Cochrane): compare size and direction of effects with those that the reports give",
    "contradicted": "the source that the row's contradicted_by names",
}
"""Source of each flag's rule; notices have none."""
