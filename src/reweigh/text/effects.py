"""Words of the effects stage: notes and reasons of a row, what would mend it, and the steps of its worked page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import pandas as pd

from reweigh.text import selection
from reweigh.text.codes import Code, parse, words


class Shown(float):
    """A number that prints with six significant digits; with the format `p` in brackets if it is negative."""

    def __format__(self, spec: str) -> str:
        """The number as a person would write it."""
        if spec not in ("", "p"):
            return super().__format__(spec)
        text = super().__format__(".6g")
        return f"({text})" if spec and self < 0 else text


def _shown(value: float | str) -> float | str:
    try:
        return Shown(value)
    except ValueError:
        return value


def _said(template: str) -> Callable[[Mapping[str, str]], str]:
    """A sentence whose numbers print with six significant digits."""
    return lambda parameters: filled(template, parameters)


def filled(template: str, values: Mapping[str, float | str]) -> str:
    """A template with its numbers put in."""
    return template.format_map(_all_shown(values))


def _all_shown(values: Mapping[str, float | str]) -> dict[str, float | str]:
    return {name: _shown(value) for name, value in values.items()}


# --- notes ---------------------------------------------------------------------------------------------------

MEASURE_TEXT: Mapping[str, str] = {
    "MD": "MD",
    "MD pooled": "MD, pooled variance",
    "SMD": "SMD, exact J; {variance} variance",
    "SMD RevMan": "SMD, J and variance as RevMan",
    "SMDH": "SMDH, exact J; variance as metafor {version}",
    "GLASS": "Glass's delta (control SD), exact J; {variance} variance",
    "ROM": "log ratio of means, not bias-corrected",
    "RR": "log RR",
    "OR": "log OR",
    "RD": "RD",
    "PETO": "Peto log OR",
    "AS": "arcsine difference",
    "IRR": "log IRR",
    "IRD": "IRD",
    "ZCOR": "Fisher's z of the correlation",
    "PLO": "logit of the proportion of a single group",
    "MN": "mean of a single group",
    "COR-OR": "conditional log OR of discordant pairs",
    "crossover MD": "crossover MD, paired variance",
    "crossover SMD": "crossover SMD by the between-person SD, exact J; paired variance",
    "crossover SMD difference": "crossover SMD by the SD of differences (not comparable with parallel trials), exact J",
    "crossover GLASS": "crossover Glass's delta (control SD), exact J; paired variance",
    "crossover ROM": "crossover log ratio of means, paired variance",
    "SMD on crossover data": "SMD, exact J; paired variance",
    "SMD of paired t": "SMD = J t/sqrt(n) x sqrt(2(1 - r))",
    "SMD of paired t difference": "SMD by the SD of differences = J t/sqrt(n)",
}
"""What a row became, by the parameter `kind` of its code `measure`."""


def _measure(parameters: Mapping[str, str]) -> str:
    return filled(MEASURE_TEXT[parameters["kind"]], parameters)


_GIVEN = {"range": "median and range", "quartiles": "median and quartiles", "both": "median, quartiles and range"}
_METHOD = {
    "luo-wan-shi": " (Luo 2018, {sd})",
    "wan": " (Wan 2014)",
    "lognormal": " (log-normal, Shi 2020)",
    "quantile": " (McGrath 2020)",
}


def _spread(what: str, parameters: Mapping[str, str]) -> str:
    """`SE -> SD (n=30)`: for both arms, or the one that is named."""
    sizes = [str(filled("{n}", {"n": parameters[k]})) for k in ("n", "n1", "n2") if k in parameters]
    arm = f"{parameters['arm']}, " if "arm" in parameters else ""
    return f"{what} ({arm}n={', '.join(sizes)})"


def _from_quantiles(parameters: Mapping[str, str]) -> str:
    sd = "Shi 2020" if parameters["given"] == "both" else "Wan 2014"
    method = _METHOD[parameters["method"]].format(sd=sd)
    return _spread(f"{_GIVEN[parameters['given']]} -> mean, SD{method}", parameters)


_OF = {"trial": " (of this trial)", "test": " (from the paired test)"}


def _correlation(name: str) -> Callable[[Mapping[str, str]], str]:
    return lambda p: filled("{name} = {value}", {"name": name, **p}) + _OF.get(p.get("of", ""), "")


_TEMPLATES = {
    # derivation
    "percent_to_events": "{percent}% of {n} -> {events} events",
    "events_exchanged": "events and non-events exchanged",
    "n_by_design_effect": "n / design effect {effect} (ICC {icc}, m = {size})",
    "variance_by_design_effect": "variance x design effect {effect}",
    "marginal_phi": "crossover, marginal method with phi",
    "phi_from_pairs": "phi = {phi} from the discordant pairs",
    "zero_cell": "zero cell: {amount} to each cell",
    "zero_cell_tacc": "zero cell: treatment-arm correction",
    "zero_cell_variance": "zero cell: {amount} to each cell for the variance alone",
    "added_to_cells": "{amount} to each cell",
    "zero_pairs": "zero cell: {amount} to each count of pairs",
    "zero_rate": "no events: {amount} to each count",
    "mean_from_quantiles": "mean estimated from quantiles",
    "change_printed": "change from baseline as printed",
    "change_computed": "change = final - baseline",
    "rescaled": "rescaled {low} to {high} -> {to_low} to {to_high}",
    "rescaled_arm": "rescaled {low} to {high} -> {to_low} to {to_high} ({arm})",
    "direction_flipped": "direction flipped",
    "o_minus_e": "(O - E)/V, variance 1/V",
    "reported": "reported {measure}",
    "reported_log": "reported log {measure}",
    "se_printed": "SE as printed",
    "ci_to_se": "{level}% CI -> SE",
    "limit_to_se": "one limit of the {level}% CI -> SE",
    "t_to_se": "t -> SE",
    "f_to_se": "F -> |t| -> SE",
    "z_to_se": "z -> SE",
    "p_to_se": "p {operator} {p} -> {by} -> SE",
    "n_to_se": "SE from n and SMD",
    "n_to_se_of_z": "SE from n: 1/sqrt(n - 3)",
    "within_to_between": "within-person SMD x sqrt(2(1 - r)) = {factor}",
    "md_rescaled": "MD x {factor} to the scale of the protocol",
    "p_to_t": "p {operator} {p} -> |t| = {t} ({test} {df})",
    "statistic_to_t": "printed statistic -> t = {t} ({test} {df})",
    "md_to_t": "MD / SE -> t",
    # assumptions
    "r_baseline": "r of baseline and final = {value}",
    "estimated_from_quantiles": "mean and SD estimated from quantiles",
    "icc": "ICC = {icc}, clusters of {size}",
    "unadjusted_se": "SE is that of an unadjusted difference",
    # flags
    "first_period": "first period of a crossover trial only",
    "paired_presumed": "paired analysis presumed (crossover trial)",
    "as_independent": "crossover trial as if two independent groups",
    "stays_paired": "paired estimate kept as printed: it cannot be unpaired",
    "clustering_presumed": "clustering presumed allowed for in what is printed (no ICC)",
    "percent_no_count": "{percent}% of {n} is {exact:.2f}, no whole count",
    "events_from_percent": "events from a percentage",
    "phi_capped": "phi capped at {phi}, all that the margins allow",
    "one_discordant_cell": "one discordant cell alone: phi of the protocol taken",
    "discordant_misfit": "the discordant pairs do not fit the events of the arms: phi of the protocol taken",
    "conditional_or": "conditional OR beside marginal ORs",
    "skewed": "skewed by the test of Shi 2023: mean and SD from quantiles are doubtful",
    "sd_and_se_disagree": "SD and SE of arm {arm} disagree: SD taken",
    "unequal_n_crossover": "unequal n in a crossover trial: the smaller taken",
    "unequal_n_paired": "unequal n in a paired test: the smaller taken",
    "baseline_incomplete": "baseline incomplete: final values taken",
    "sd_of_changes": "standardised by the SD of changes",
    "mean_outside_scale": "a mean lies outside its scale: a change score?",
    "paired_test_misfit": "the paired test does not fit means and SDs: r of the protocol taken",
    "middle_of_ci": "estimate not printed: middle of the CI taken",
    "asymmetric_ci": "estimate not in the middle of its CI",
    "asymmetric_log_ci": "estimate not in the middle of its CI (log scale)",
    "se_and_ci_disagree": "SE and CI disagree: SE taken",
    "p_disagrees": "p-value and SE or CI disagree",
    "z_for_t": "n unknown: z instead of t",
    "one_limit": "only one limit of the CI printed",
    "p_bound_as_p": "p {operator} {p} taken as p = {p}",
    "sd_of_differences": "standardised by the SD of differences: not comparable with parallel trials",
    "sign_of_statistic": "sign of the printed statistic taken as intervention minus control",
    "z_as_t": "z taken as t",
    "two_sample_on_crossover": "two-sample test made on crossover data",
    "direction_disagrees": "sign of the estimate and stated direction disagree",
}

_PER_ARM = "mean and SD per arm"
_EXACT_P = "exact p, or mean and SD per arm"
_WITH_CI = "the {measure} with its CI, or data per arm"
_RD_CAN = "nothing; the risk difference can use it"

REASONS: Mapping[str, tuple[str, str]] = {
    "no_arm_effect": ("no effect of this measure from arm data", "the effect with its CI"),
    "no_n": ("no n in the {arm} arm", "n per arm"),
    "no_correlation": ("no correlation reported", "the correlation and its n"),
    "perfect_correlation": ("a correlation of 1 or -1 has no finite Fisher's z", "the correlation with more digits"),
    "few_for_z": ("n of 3 or fewer: Fisher's z has no variance", "nothing"),
    "no_events": ("no events or percentage in the {arm} arm", "events per arm"),
    "double_zero": ("no events in either arm: no information on a ratio", _RD_CAN),
    "all_events": ("all patients had the event in both arms: no information on a ratio", _RD_CAN),
    "zero_cell_uncorrected": (
        "a zero cell and no continuity correction in the protocol", "nothing; a zero-cell policy can use it",
    ),
    "no_paired_peto": ("no paired form of the Peto OR", "OR instead, or discordant pairs"),
    "no_pairs": ("discordant pairs not reported", "numbers of discordant pairs"),
    "no_discordant_pair": ("no discordant pair: no information on a ratio", "nothing"),
    "no_rate_events": ("no number of events per arm", "events per arm"),
    "no_person_time": ("no person-time per arm", "person-time per arm"),
    "no_rate_information": ("no events in either arm: no information on a ratio", "nothing"),
    "no_paired_rate": ("no paired form of a rate comparison", "rate ratio with CI"),
    "no_mean": ("no mean or usable median in the {arm} arm", _PER_ARM),
    "no_spread": ("no SD, SE, CI, quartiles or range in the {arm} arm", "SD, SE or CI per arm"),
    "zero_sd": ("SD of 0 in the {arm} arm", "SD with more digits"),
    "no_paired_smdh": ("no paired form of SMDH", "MD or SMD instead of SMDH"),
    "rom_signs": ("ratio of means needs two means of one sign", "another measure"),
    "too_few": ("too few patients for Hedges' J (df at most 1)", "a larger trial"),
    "no_cluster_numbers": ("cluster trial without ICC and mean cluster size", "ICC and mean cluster size"),
    "no_scale": (
        "scale limits not reported: the mean cannot be put on the protocol's scale", "scale minimum and maximum",
    ),
    "scales_differ": ("arms on different scales, and the protocol names none", "the outcome's scale in the protocol"),
    "no_md_scale": (
        "scale limits not reported: the MD cannot be put on the protocol's scale", "scale minimum and maximum",
    ),
    "rom_scale": ("a ratio of means depends on where the scale begins", _PER_ARM),
    "rom_flip": ("a ratio of means cannot be flipped without scale limits", "scale limits"),
    "not_computable": ("estimate or variance not computable from the numbers given", "effect with SE or CI"),
    "p_gives_no": ("a p-value alone gives no {measure}", _WITH_CI),
    "other_measure": ("a reported {reported} is no {measure}", _WITH_CI),
    "no_oe_v": ("O - E or V not reported", "O - E and V, or the log HR with SE"),
    "no_estimate": ("no estimate reported", "the estimate with its CI"),
    "bound_only": ("no SE or CI, and p only as an inequality (p {operator} {p})", "SE, CI or exact p"),
    "zero_estimate": ("estimate of 0 with a p-value only: its SE is undefined", "SE or CI"),
    "p_of_1": ("p = 1: the SE is undefined", "SE or CI"),
    "no_se": ("no SE, CI, test statistic or exact p", "SE, CI or exact p"),
    "r_of_1": ("r = 1 leaves no between-person SMD", "a correlation below 1"),
    "no_test_n": ("no n for the test", "n per arm"),
    "p_bound": ("p given only as an inequality (p {operator} {p})", _EXACT_P),
    "no_p": ("no exact p and no test statistic", _EXACT_P),
    "no_direction": ("direction of the effect not reported", "which arm did better"),
    "no_better": ("which direction is better is not set", "the direction of the outcome"),
    "no_smd_n": ("no n per arm: an MD or p-value without n gives no SMD", "n per arm"),
    "one_way_ratio": ("a reported {measure} cannot be turned round", "data per arm"),
}  # fmt: skip
"""Why a row has no effect, and what would mend it, by the name of its code."""

SENTENCES = {
    **{name: _said(template) for name, template in _TEMPLATES.items()},
    **{name: _said(reason) for name, (reason, _) in REASONS.items()},
    "measure": _measure,
    "se_to_sd": lambda p: _spread("SE -> SD", p),
    "ci_to_sd": lambda p: _spread("CI -> SD", p),
    "quantiles_to_mean": _from_quantiles,
    "r": _correlation("r"),
    "phi": _correlation("phi"),
    "direction_assumed": lambda p: f"direction unknown, taken as {p['direction'].replace('_', ' ')}",
    **selection.SENTENCES,
}
"""Words of every code that this stage writes."""


def is_plain(one: Code) -> bool:
    """Whether a code of a derivation only names the measure, or says that a result stands as printed: no footnote."""
    if one.name == "measure":
        name = one.parameters["kind"]
        return name != "COR-OR" and not name.startswith(("crossover", "SMD of paired t"))
    return one.name in ("reported", "reported_log", "se_printed")


WORDS_OF = {
    "derivation_codes": "derivation",
    "assumption_codes": "assumptions",
    "flag_codes": "flags",
    "reason_code": "reason",
}
"""Code columns, and the word column that is made from each."""


def needed(cell: str) -> str:
    """What would mend the reason of a cell."""
    reasons = {**REASONS, **selection.REASONS}
    return next((filled(reasons[one.name][1], one.parameters) for one in parse(cell) if one.name in reasons), "")


def in_words(effects: pd.DataFrame) -> pd.DataFrame:
    """The table with its codes in words too: derivation, assumptions, flags, reason and needed."""
    said = {to: effects[of].map(lambda cell: words(cell, SENTENCES)) for of, to in WORDS_OF.items()}
    return effects.assign(**said, needed=effects["reason_code"].map(needed))


# --- steps of the worked page --------------------------------------------------------------------------------

_STEPS = """\
mean_sd | {arm} arm as printed
    n = {n}, mean = {mean}, SD = {sd}
change_as_printed | {arm} arm: change from baseline as printed
    n = {n}, mean change = {mean}, SD of the change = {sd}
se_to_sd | {arm} arm: SD from the SE of the mean | Handbook 6.5.2.2
    n = {n}, mean = {mean}, SE = {se}
    SD = SE x sqrt(n) = {se} x sqrt({n}) = {sd}
ci_to_sd_t | {arm} arm: SD from the {level}% CI of the mean | Handbook 6.5.2.2
    n = {n}, mean = {mean}, CI {low} to {high}
    quantile (t, n - 1 df) = {quantile}
    SD = sqrt(n) x (upper - lower) / (2 x quantile)
       = sqrt({n}) x ({high} - {low:p}) / (2 x {quantile}) = {sd}
ci_to_sd_z | {arm} arm: SD from the {level}% CI of the mean | Handbook 6.5.2.2
    n = {n}, mean = {mean}, CI {low} to {high}
    quantile (normal, since n is above 100) = {quantile}
    SD = sqrt(n) x (upper - lower) / (2 x quantile)
       = sqrt({n}) x ({high} - {low:p}) / (2 x {quantile}) = {sd}
luo_range | {arm} arm: mean and SD from quantiles | Luo 2018 eq. 7; Wan 2014 eq. 9
    n = {n}, median = {median}, range {min} to {max}
    w = 4/(4 + n^0.75) = 4/(4 + {n}^0.75) = {w1}
    mean = w (min + max)/2 + (1 - w) median = {w1} x ({min} + {max:p})/2 + (1 - {w1}) x {median:p} = {mean}
    xi = 2 x Phi^-1(({n} - 0.375)/({n} + 0.25)) = {xi}
    SD = (max - min)/xi = ({max} - {min:p}) / {xi} = {sd}
luo_quartiles | {arm} arm: mean and SD from quantiles | Luo 2018 eq. 11; Wan 2014 eq. 16
    n = {n}, median = {median}, quartiles {q1} and {q3}
    w = 0.7 + 0.39/n = 0.7 + 0.39/{n} = {w2}
    mean = w (q1 + q3)/2 + (1 - w) median = {w2} x ({q1} + {q3:p})/2 + (1 - {w2}) x {median:p} = {mean}
    eta = 2 x Phi^-1((0.75 x {n} - 0.125)/({n} + 0.25)) = {eta}
    SD = (q3 - q1)/eta = ({q3} - {q1:p}) / {eta} = {sd}
luo_both | {arm} arm: mean and SD from quantiles | Luo 2018 eq. 15; Shi 2020 eq. 10
    n = {n}, median = {median}, range {min} to {max}, quartiles {q1} and {q3}
    w1 = 2.2/(2.2 + {n}^0.75) = {w31}; w2 = 0.7 - 0.72/{n}^0.55 = {w32}
    mean = w1 (min + max)/2 + w2 (q1 + q3)/2 + (1 - w1 - w2) median
       = {w31} x ({min} + {max:p})/2 + {w32} x ({q1} + {q3:p})/2 + (1 - {w31} - {w32:p}) x {median:p} = {mean}
    xi = 2 x Phi^-1(({n} - 0.375)/({n} + 0.25)) = {xi}
    eta = 2 x Phi^-1((0.75 x {n} - 0.125)/({n} + 0.25)) = {eta}
    w = 1/(1 + 0.07 x {n}^0.6) = {w}
    SD = w (max - min)/xi + (1 - w)(q3 - q1)/eta
       = {w} x ({max} - {min:p})/{xi} + (1 - {w}) x ({q3} - {q1:p})/{eta} = {sd}
programmed_range | {arm} arm: mean and SD from quantiles | {source}
    n = {n}, median = {median}, range {min} to {max}
    {how}, by program: mean {mean}, SD {sd}
programmed_quartiles | {arm} arm: mean and SD from quantiles | {source}
    n = {n}, median = {median}, quartiles {q1} and {q3}
    {how}, by program: mean {mean}, SD {sd}
programmed_both | {arm} arm: mean and SD from quantiles | {source}
    n = {n}, median = {median}, range {min} to {max}, quartiles {q1} and {q3}
    {how}, by program: mean {mean}, SD {sd}
change_computed | {arm} arm: change from baseline | Handbook 6.5.2.8
    mean change = {mean} - {m0:p} = {m}
    SD of the change = sqrt(SD0^2 + SD1^2 - 2 r SD0 SD1)
       = sqrt({s0}^2 + {sd}^2 - 2 x {r:p} x {s0} x {sd}) = {s}
rescaled | {arm} arm: from the scale {low} to {high} to {to_low} to {to_high}
    factor = ({to_high} - {to_low:p}) / ({high} - {low:p}) = {factor}
    mean = {to_low} + ({mean} - {low:p}) x {factor} = {m}
    SD = {sd} x {factor} = {s}
rescaled_change | {arm} arm: change from the scale {low} to {high} to {to_low} to {to_high}
    factor = ({to_high} - {to_low:p}) / ({high} - {low:p}) = {factor}
    mean change = {mean:p} x {factor} = {m}
    SD = {sd} x {factor} = {s}
flipped | {arm} arm: direction flipped
    mean = {top} - {mean:p} = {m}
design_effect | Effective sample size of the cluster trial | Handbook 23.1.4
    design effect = 1 + (m - 1) ICC = 1 + ({size} - 1) x {icc:p} = {effect}
    n and events are divided by it
MD | Mean difference | Handbook 6.5.1.1
    MD = {m1} - {m2:p} = {yi}
    variance = SD1^2/n1 + SD2^2/n2 = {s1}^2/{n1} + {s2}^2/{n2} = {vi}
MD pooled | Mean difference, pooled variance | Normand 1999
    MD = {m1} - {m2:p} = {yi}
    pooled variance = (({n1} - 1) x {s1}^2 + ({n2} - 1) x {s2}^2) / ({n1} + {n2} - 2) = {sp}^2
    variance = {sp}^2 x (1/{n1} + 1/{n2}) = {vi}
ROM | Log ratio of means | Hedges 1999
    log ROM = ln({m1} / {m2}) = {yi}
    variance = SD1^2/(n1 mean1^2) + SD2^2/(n2 mean2^2)
       = {s1}^2/({n1} x {m1:p}^2) + {s2}^2/({n2} x {m2:p}^2) = {vi}
SMD | Standardised mean difference | Handbook 6.5.1.2; Hedges 1981
    pooled SD = sqrt((({n1} - 1) x {s1}^2 + ({n2} - 1) x {s2}^2) / {df}) = {sd}
    d = ({m1} - {m2:p}) / {sd} = {d}
    J = Gamma({df}/2) / (sqrt({df}/2) x Gamma(({df} - 1)/2)) = {j}   (by hand about 1 - 3/(4 x {df} - 1) = {near})
    g = J x d = {j} x {d:p} = {g}
SMD RevMan | Standardised mean difference | as RevMan
    pooled SD = sqrt((({n1} - 1) x {s1}^2 + ({n2} - 1) x {s2}^2) / {df}) = {sd}
    d = ({m1} - {m2:p}) / {sd} = {d}
    J = 1 - 3/(4 N - 9) = 1 - 3/(4 x ({n1} + {n2}) - 9) = {j}
    g = J x d = {j} x {d:p} = {g}
SMDH | Standardised mean difference | Handbook 6.5.1.2; Hedges 1981
    SD = sqrt(({s1}^2 + {s2}^2)/2) = {sd}
    d = ({m1} - {m2:p}) / {sd} = {d}
    J = Gamma({df}/2) / (sqrt({df}/2) x Gamma(({df} - 1)/2)) = {j}   (by hand about 1 - 3/(4 x {df} - 1) = {near})
    g = J x d = {j} x {d:p} = {g}
GLASS | Standardised mean difference | Handbook 6.5.1.2; Hedges 1981
    SD of the control arm = {sd}
    d = ({m1} - {m2:p}) / {sd} = {d}
    J = Gamma({df}/2) / (sqrt({df}/2) x Gamma(({df} - 1)/2)) = {j}   (by hand about 1 - 3/(4 x {df} - 1) = {near})
    g = J x d = {j} x {d:p} = {g}
smdh_variance | Variance for unequal SDs | Bonett 2009, as metafor {version}
    v = g^2 q / (8 SD^4) + p / SD^2, q = SD1^4/(n1 - 1) + SD2^4/(n2 - 1), p = SD1^2/(n1 - 1) + SD2^2/(n2 - 1)
    q = {s1}^4/({n1} - 1) + {s2}^4/({n2} - 1) = {fourth}
    p = {s1}^2/({n1} - 1) + {s2}^2/({n2} - 1) = {second}
    v = {yi:p}^2 x {fourth} / (8 x {sd}^4) + {second} / {sd}^2 = {v}
    variance = {factor} x {v} = {vi}
smd_variance_LS | Variance of the SMD (LS) | as metafor's vtype
    variance = 1/n1 + 1/n2 + g^2/(2N) = 1/{n1} + 1/{n2} + {yi:p}^2/(2 x {total}) = {vi}
smd_variance_LS2 | Variance of the SMD (LS2) | as metafor's vtype
    variance = J^2 (1/n1 + 1/n2 + d^2/(2N)) = {j}^2 x (1/{n1} + 1/{n2} + ({yi}/{j})^2/(2 x {total})) = {vi}
smd_variance_UB | Variance of the SMD (UB) | as metafor's vtype
    variance = 1/n1 + 1/n2 + (1 - (df - 2)/(df J^2)) g^2
       = 1/{n1} + 1/{n2} + (1 - ({df} - 2)/({df} x {j}^2)) x {yi:p}^2 = {vi}
smd_variance_AV | Variance of the SMD (AV)
    1/n1 + 1/n2 + gbar^2/(2N), gbar the size-weighted mean g of all trials (see the table)
smd_variance_RevMan | Variance of the SMD (RevMan) | as RevMan
    variance = N/(n1 n2) + g^2/(2(N - 3.94)) = {total}/({n1} x {n2}) + {yi:p}^2/(2 x ({total} - 3.94)) = {vi}
r_from_test | Correlation from the paired test | Handbook 6.5.2.8
    SDd = SD of the differences = |MD| sqrt(n) / |t|
       = {md} x sqrt({n}) / {t} = {sdd}
    r = (SD1^2 + SD2^2 - SDd^2)/(2 SD1 SD2)
       = ({s1}^2 + {s2}^2 - {sdd}^2)/(2 x {s1} x {s2}) = {r}
crossover MD | Mean difference of a crossover trial | Handbook 23.2.7.1
    r = {r} ({origin})
    MD = {m1} - {m2:p} = {yi}
    variance = (SD1^2 + SD2^2 - 2 r SD1 SD2)/n = ({s1}^2 + {s2}^2 - 2 x {r:p} x {s1} x {s2})/{n} = {vi}
crossover ROM | Log ratio of means of a crossover trial | Lajeunesse 2011
    r = {r} ({origin})
    log ROM = ln({m1} / {m2}) = {yi}
    variance = SD1^2/(n mean1^2) + SD2^2/(n mean2^2) - 2 r SD1 SD2/(n mean1 mean2)
       = {s1}^2/({n} x {m1:p}^2) + {s2}^2/({n} x {m2:p}^2) - 2 x {r:p} x {s1} x {s2}/({n} x {m1:p} x {m2:p}) = {vi}
crossover SMD | Standardised mean difference of a crossover trial | Handbook 23.2.7.2; Elbourne 2002
    r = {r} ({origin})
    between-person SD = sqrt(({s1}^2 + {s2}^2)/2) = {sd}
    J = Gamma({df}/2) / (sqrt({df}/2) x Gamma(({df} - 1)/2)) = {j}   (by hand about 1 - 3/(4 x {df} - 1) = {near})
    g = J x ({m1} - {m2:p}) / SD = {j} x {md:p} / {sd} = {g}
    variance = (1/n + g^2/(2n)) x 2(1 - r) = (1/{n} + {yi:p}^2/(2 x {n})) x 2 x (1 - {r:p}) = {vi}
crossover SMD difference | Standardised mean difference of a crossover trial | Handbook 23.2.7.2; Elbourne 2002
    r = {r} ({origin})
    SD of the differences = sqrt({s1}^2 + {s2}^2 - 2 x {r:p} x {s1} x {s2}) = {sd}
    J = Gamma({df}/2) / (sqrt({df}/2) x Gamma(({df} - 1)/2)) = {j}   (by hand about 1 - 3/(4 x {df} - 1) = {near})
    g = J x ({m1} - {m2:p}) / SD = {j} x {md:p} / {sd} = {g}
    variance = 1/n + g^2/(2n) = 1/{n} + {yi:p}^2/(2 x {n}) = {vi}
crossover GLASS | Standardised mean difference of a crossover trial | Becker 1988
    r = {r} ({origin})
    SD of the control periods = {sd}
    J = Gamma({df}/2) / (sqrt({df}/2) x Gamma(({df} - 1)/2)) = {j}   (by hand about 1 - 3/(4 x {df} - 1) = {near})
    g = J x ({m1} - {m2:p}) / SD = {j} x {md:p} / {sd} = {g}
    variance = 2(1 - r)/n + g^2/(2n) = 2 x (1 - {r:p})/{n} + {yi:p}^2/(2 x {n}) = {vi}
percent_to_events | {arm} arm: events from the percentage
    {percent} x {n}/100 = {exact}, nearest whole count {events}
events_exchanged | Events and non-events exchanged
    {e1} of {n1} against {e2} of {n2}
corrected | Continuity correction | {source}
    intervention {e1}/{n1} becomes {c1}/{m1}
    control {e2}/{n2} becomes {c2}/{m2}
RR | Log risk ratio | Handbook 6.4.1.2
    log RR = ln(({e1}/{n1}) / ({e2}/{n2})) = {yi}
    a = 1/{e1} - 1/{n1} = {a}; b = 1/{e2} - 1/{n2} = {b}
    variance = a + b = {a} + {b} = {vi}
RR RevMan | Log risk ratio of the counts as they are | RevMan 5
    log RR = ln(({u1}/{w1}) / ({u2}/{w2})) = {yi}
    a = 1/{e1} - 1/{n1} = {a}; b = 1/{e2} - 1/{n2} = {b}
    variance = a + b = {a} + {b} = {vi}
OR | Log odds ratio | Handbook 6.4.1.2
    log OR = ln(({e1}/{o1}) / ({e2}/{o2})) = {yi}
    a = 1/{e1} + 1/{o1} = {a}; b = 1/{e2} + 1/{o2} = {b}
    variance = a + b = {a} + {b} = {vi}
RD | Risk difference | Handbook 6.4.1.4
    RD = {e1}/{n1} - {e2}/{n2} = {yi}
    a = p1 (1 - p1)/n1 = {e1}/{n1} x (1 - {e1}/{n1})/{n1} = {a}
    b = p2 (1 - p2)/n2 = {e2}/{n2} x (1 - {e2}/{n2})/{n2} = {b}
    variance = a + b = {a} + {b} = {vi}
RD RevMan | Risk difference of the counts as they are | RevMan 5
    RD = {u1}/{w1} - {u2}/{w2} = {yi}
    a = p1 (1 - p1)/n1 = {e1}/{n1} x (1 - {e1}/{n1})/{n1} = {a}
    b = p2 (1 - p2)/n2 = {e2}/{n2} x (1 - {e2}/{n2})/{n2} = {b}
    variance = a + b = {a} + {b} = {vi}
AS | Arcsine difference | Ruecker 2009
    AS = asin(sqrt({e1}/{n1})) - asin(sqrt({e2}/{n2})) = {yi} (radians)
    a = 1/(4 x {n1}) = {a}; b = 1/(4 x {n2}) = {b}
    variance = a + b = {a} + {b} = {vi}
PETO | Peto's log odds ratio | Handbook 10.4.2
    O - E = {e1} - {events} x {n1}/{total} = {oe}
    V = {events} x ({total} - {events}) x {n1} x {n2} / ({total}^2 x ({total} - 1)) = {v}
    log OR = (O - E)/V = {oe} / {v} = {yi}
    variance = 1/V = 1/{v} = {vi}
corrected_pairs | Continuity correction
    discordant pairs {b} and {c}
COR-OR | Conditional log odds ratio of the discordant pairs | Elbourne 2002
    log OR = ln({b} / {c}) = {yi}
    variance = 1/{b} + 1/{c} = {vi}
corrected_rates | Continuity correction
    events {e1} and {e2}
IRR | Incidence rates | Handbook 6.7.1
    log IRR = ln(({e1}/{t1}) / ({e2}/{t2})) = {yi}
    variance = 1/{e1} + 1/{e2} = {vi}
IRD | Incidence rates | Handbook 6.7.1
    IRD = {e1}/{t1} - {e2}/{t2} = {yi}
    variance = {e1}/{t1}^2 + {e2}/{t2}^2 = {vi}
from_log | {measure} from its logarithm
    exp({log}) = {value}   ({what})
variance_by_design_effect | Design effect of the cluster trial, to multiply the variance | Handbook 23.1.5
    1 + (m - 1) ICC = 1 + ({size} - 1) x {icc:p} = {effect}
o_minus_e | Log ratio from O - E and V | Handbook 6.8.2
    estimate = (O - E)/V = {oe} / {v} = {yi}
    variance = 1/V = 1/{v} = {vi}
middle_of_ci | Estimate as the middle of its CI
    ({low} + {high:p})/2 = {estimate}
log_of_estimate | Log of the estimate | Handbook 6.3.2
    ln({printed}) = {estimate}
se_printed | SE as printed
    SE = {se}{scale}
ci_to_se | SE from the {level}% CI | {source}
    {limits}{low} and {high}; quantile {quantile}
    SE = ({high} - {low:p}) / (2 x {quantile}) = {se}
limit_to_se | SE from one limit of the CI
    SE = |{limit} - {estimate:p}| / {quantile} = {se}
test_to_se | SE from the test | {source}
    |{name}| = {statistic}
    SE = |estimate| / statistic = {size} / {statistic} = {se}
z_of_p_to_se | SE from the p-value | {source}
    |z| of two-sided p = {p}: {statistic}
    SE = |estimate| / statistic = {size} / {statistic} = {se}
t_of_p_to_se | SE from the p-value | Handbook 6.5.2.3
    |t| of two-sided p = {p} with {df} df: {statistic}
    SE = |estimate| / statistic = {size} / {statistic} = {se}
n_to_se | SE from n and the SMD
    SE = sqrt(1/n1 + 1/n2 + SMD^2/(2N))
       = sqrt(1/{n1} + 1/{n2} + {estimate:p}^2/(2 x ({n1} + {n2}))) = {se}
n_to_paired_se | SE from n and the SMD
    SE = sqrt((1/n + SMD^2/(2n)) x {factor})
       = sqrt((1/{n} + {estimate:p}^2/(2 x {n})) x {factor}) = {se}
within_to_between | From the SD of the differences to the between-person SD | Handbook 23.2.7.2
    r = {r} ({origin})
    factor = sqrt(2 x (1 - {r:p})) = {factor}
    SMD = {estimate} x {factor} = {yi}
    SE = {se} x {factor} = {to_se}
md_rescaled | To the scale of the protocol
    MD = {estimate} x {factor} = {yi}
    SE = {se} x {factor} = {to_se}
multiplied_variance | Variance with the design effect
    variance = {effect} x {se}^2 = {vi}
md_to_t | t of the difference
    t = MD / SE = {estimate} / {se} = {t}
p_to_t | t from what is printed | Handbook 6.5.2.3
    two-sided p = {p} with {df} df ({origin}): |t| = {size}
    {sign}so t = {t}
f_to_t | t from what is printed | Handbook 6.5.2.3
    |t| = sqrt(F) = sqrt({f}) = {size}
    {sign}so t = {t}
statistic_to_t | t from what is printed
    |t| = {size} as printed
    {sign}so t = {t}
SMD of paired t | SMD from a paired t | Handbook 23.2.7.2; Becker 1988
    J = Gamma({df}/2) / (sqrt({df}/2) x Gamma(({df} - 1)/2)) = {j}   (by hand about 1 - 3/(4 x {df} - 1) = {near})
    d = J t / sqrt(n) = {j} x {t:p} / sqrt({n}) = {d}
    r = {r} ({origin})
    g = d sqrt(2 (1 - r)) = {d} x sqrt(2 x (1 - {r:p})) = {yi}
    variance = (1/n + d^2/(2n)) x 2 (1 - r)
       = (1/{n} + {d:p}^2/(2 x {n})) x 2 x (1 - {r:p}) = {v}
SMD of paired t difference | SMD from a paired t | Handbook 23.2.7.2; Becker 1988
    J = Gamma({df}/2) / (sqrt({df}/2) x Gamma(({df} - 1)/2)) = {j}   (by hand about 1 - 3/(4 x {df} - 1) = {near})
    d = J t / sqrt(n) = {j} x {t:p} / sqrt({n}) = {d}
    variance = 1/n + d^2/(2n) = 1/{n} + {d:p}^2/(2 x {n}) = {v}
SMD of t | SMD from a two-sample t | Handbook 6.5.2.3; Hedges 1981
    d = t sqrt(1/n1 + 1/n2) = {t} x sqrt(1/{n1} + 1/{n2}) = {d}
    J = Gamma({df}/2) / (sqrt({df}/2) x Gamma(({df} - 1)/2)) = {j}   (by hand about 1 - 3/(4 x {df} - 1) = {near})
    g = J x d = {j} x {d:p} = {g}
SMD of t RevMan | SMD from a two-sample t | Handbook 6.5.2.3; as RevMan
    d = t sqrt(1/n1 + 1/n2) = {t} x sqrt(1/{n1} + 1/{n2}) = {d}
    J = 1 - 3/(4 N - 9) = 1 - 3/(4 x ({n1} + {n2}) - 9) = {j}
    g = J x d = {j} x {d:p} = {g}
variance_on_crossover | Variance of a crossover trial | Handbook 23.2.7.2
    r = {r} ({origin})
    variance = (1/n + g^2/(2n)) x 2 (1 - r)
       = (1/{n} + {yi:p}^2/(2 x {n})) x 2 x (1 - {r:p}) = {vi}
corrected_group | Continuity correction
    events {e} of {n}
ZCOR | Fisher's z of the correlation | Fisher 1921
    z = atanh({r}) = {yi}
    variance = 1/(n - 3) = 1/({n} - 3) = {vi}
PLO | Logit of the proportion of a single group
    logit = ln({e} / {o}) = {yi}
    variance = 1/{e} + 1/{o} = {vi}
MN | Mean of a single group
    mean = {yi}
    variance = SD^2/n = {sd}^2/{n} = {vi}
from_z | Correlation from its Fisher's z
    tanh({log}) = {value}   ({what})
from_logit | Proportion from its logit
    1/(1 + exp(-1 x {log:p})) = {value}   ({what})
z_of_estimate | Fisher's z of the correlation
    atanh({printed}) = {estimate}
logit_of_estimate | Logit of the proportion
    ln({printed}/(1 - {printed})) = {estimate}
n_to_se_of_z | SE of Fisher's z from n
    SE = 1/sqrt(n - 3) = 1/sqrt({n1} - 3) = {se}
estimate_flipped | Direction flipped
    estimate = -1 x {was:p} = {yi}
result | Result
    estimate = {estimate}, SE = sqrt({variance}) = {se}
    {level}% CI = {estimate} -+ {quantile} x {se} = {low} to {high}
result_log | Result
    estimate = {estimate}, SE = sqrt({variance}) = {se}
    {level}% CI = {estimate} -+ {quantile} x {se} = {low} to {high}
    natural scale: exp({estimate}) = {natural}, CI {natural_low} to {natural_high}
result_z | Result
    estimate = {estimate}, SE = sqrt({variance}) = {se}
    {level}% CI = {estimate} -+ {quantile} x {se} = {low} to {high}
    natural scale: tanh({estimate}) = {natural}, CI {natural_low} to {natural_high}
result_logit | Result
    estimate = {estimate}, SE = sqrt({variance}) = {se}
    {level}% CI = {estimate} -+ {quantile} x {se} = {low} to {high}
    natural scale: 1/(1 + exp(-1 x {estimate:p})) = {natural}, CI {natural_low} to {natural_high}
"""


class StepWords(NamedTuple):
    """A step in words: what is done, whose formula it is, and the lines of arithmetic."""

    title: str
    source: str
    lines: tuple[str, ...]


def _read(text: str) -> Iterator[tuple[str, StepWords]]:
    """Steps from their text: a line with name, title and source, then indented lines of arithmetic."""
    for block in re.split(r"\n(?=\S)", text.strip()):
        head, *lines = block.split("\n")
        name, title, source = (*head.split(" | "), "")[:3]
        yield name, StepWords(title, source, tuple(line[4:] for line in lines))


_CROSSOVER = {"RR": "delta method", "OR": "Becker & Balagtas 1993", "RD": "delta method", "AS": "delta method"}
_WITH_PHI = (
    "phi = {asked} ({origin}); the margins allow {lowest} to {highest}, so {phi} is taken",
    "variance = a + b - 2 phi sqrt(a b)",
    "   = {a} + {b} - 2 x {phi:p} x sqrt({a} x {b}) = {vi}",
)


def _steps() -> Iterator[tuple[str, StepWords]]:
    """All steps; the counts of a crossover trial are those of a parallel one up to the variance."""
    for name, step in _read(_STEPS):
        yield name, step
        if name in _CROSSOVER:
            lines = (*step.lines[:-1], *_WITH_PHI)
            yield f"crossover {name}", StepWords(f"{step.title} of a crossover trial", _CROSSOVER[name], lines)


STEPS: Mapping[str, StepWords] = dict(_steps())
"""The formulas of the conversions as a reader follows them with a calculator, by the name of the step."""


def step_words(number: int, name: str, values: Mapping[str, float | str]) -> str:
    """A numbered step in Markdown, with the numbers that the conversion used."""
    shown, step = _all_shown(values), STEPS[name]
    title, source = step.title.format_map(shown), step.source.format_map(shown)
    formulas = "\n".join(f"    {line.format_map(shown)}" for line in step.lines)
    return f"### Step {number}. {title}{f' ({source})' if source else ''}\n\n{formulas}\n"
