"""Words for the codes of the sequential analysis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isinf, isnan

from reweigh.text import certainty
from reweigh.text.codes import Sentence
from reweigh.text.numbers import (
    count_text,
    decimals_of,
    fixed,
    level_text,
    number_format,
    percent_text,
    small_text,
    stated_text,
    whole,
)

#: Why a look has no boundary of efficacy or futility.
LOOKS: Mapping[str, str] = {
    "unreachable": "unreachable: less than 1e-09 of the error may be spent here (RTSA draws Z = 20)",
    "spent": "the required information was reached at an earlier look: no error is left to spend",
    "not_open": "the error spent so far does not reach Z = 0: no futility boundary yet",
}
SOURCES: Mapping[str, str] = {"protocol": "protocol", "trials": "the median of the trials"}


def _whose(p: Mapping[str, str]) -> str:
    """Who speaks: `analysis` is named where the sentence stands beside a part of it."""
    return f"the sequential analysis of the whole `{p['analysis']}`" if "analysis" in p else "the sequential analysis"


def _at(p: Mapping[str, str]) -> str:
    """At which look."""
    patients = f"{whole(float(p['have']))} of the {whole(float(p['need']))} participants needed"
    return f"at look {p['look']} ({p['year']}; {count_text(int(p['trials']))}, {patients})"


def _enough(p: Mapping[str, str]) -> str:
    """Whether the information is there."""
    have, need = float(p["have"]), float(p["need"])
    share = f"{whole(have)} of {whole(need)} participants, {percent_text(100 * have / need)}"
    return f"{'has' if p['reached'] == 'yes' else 'has not'} reached the information it needs ({share})"


def _own_model(p: Mapping[str, str]) -> str:
    """The model, D2 and interval that a sequential verdict rests on."""
    said = (
        f"it has a model of its own ({p['model']}, Wald interval, D2 {percent_text(float(p['d2']))}): {stated_text(p)}"
    )
    low, high = (float(p[f"adjusted_{end}_natural"]) for end in ("lower", "upper"))
    show = number_format(decimals_of(p))
    if isnan(low) or isnan(high):
        return f"{said}, not adjusted for the looks: {_NO_INTERVAL[p['why']]}"
    # A one-sided design leaves one side open: infinite, or 0 of a ratio.
    if isinf(high):
        return f"{said}, adjusted for the looks from {show(low)}"
    if isinf(low) or (p["scale"] == "log" and low == 0):
        return f"{said}, adjusted for the looks up to {show(high)}"
    return f"{said}, adjusted for the looks {show(low)} to {show(high)}"


_NO_INTERVAL = {
    "unreachable": "the boundary of the last look is unreachable",
    "spent": "the information was reached at an earlier look",
}


def _main(p: Mapping[str, str]) -> str:
    """Why the main interval includes no effect where a boundary is crossed: what it has, and the sequential has not."""
    why = []
    if "z" in p:
        why.append(f"Z has come back to {fixed(float(p['z']), 2)} since the boundary was crossed")
    if "t" in p:
        t, normal, df = (fixed(float(p[name]), 2) for name in ("t", "normal", "df"))
        why.append(f"it takes the t quantile {t} ({df.removesuffix('.00')} df) and not {normal}, as if tau2 were known")
    if "se" in p:
        main, own = (f"{float(p[name]):.3g}" for name in ("se", "own_se"))
        why.append(f"its standard error is {main} and not {own}")
    if "tau2" in p:
        main, own = (small_text(float(p[name])) for name in ("tau2", "own_tau2"))
        why.append(f"its tau2 is {main} and not {own}")
    if "k" in p:
        why.append(f"it pools {count_text(int(p['k']))} and not the {p['own_k']} with a year")
    if "alpha" in p:
        why.append(f"its level is {level_text(float(p['level']))} and not {level_text(1 - float(p['alpha']))}")
    said = certainty.with_guarded(stated_text(p), p)
    reason = ", ".join(why) or "the two models pool the trials in different ways"
    return f"the main model ({p['main']}) gives {said}, which includes no effect: {reason}"


def _repeated(p: Mapping[str, str]) -> str:
    """The verdict under an assumed D2."""
    start = f"with an assumed D2 of {percent_text(float(p['d2']))}"
    if p["verdict"] == "no_boundary_crossed":
        return f"{start} it crosses no boundary ({whole(float(p['need']))} participants needed)"
    which = p["side"] if p["verdict"] == "boundary_crossed" else "futility"
    return f"{start} it crosses the boundary for {which} {_at(p)}"


def unreachable(looks: Sequence[int], of: int) -> str:
    """Which looks (from 1) have no boundary that could be reached, of how many, for a figure."""
    which = "every look so far" if len(looks) == of else f"look{'s' * (len(looks) != 1)} {', '.join(map(str, looks))}"
    return f"Hollow arrowheads: at {which} the boundary is {LOOKS['unreachable']}."


CONCLUSIONS: Mapping[str, Sentence] = {
    "boundary_crossed": lambda p: f"{_whose(p)} crossed the boundary for {p['side']} {_at(p)}",
    "futility_crossed": lambda p: (
        f"{_whose(p)} crossed the boundary for futility {_at(p)}: an effect of the size looked for is unlikely"
    ),
    "no_boundary_crossed": lambda p: f"{_whose(p)} crossed no boundary and {_enough(p)}",
    "own_model": _own_model,
    "main_includes_no_effect": _main,
    "d2_assumed": lambda p: f"on {count_text(int(p['trials']))} a D2 of 0% is an assumption",
    "repeated": _repeated,
}
"""What a sequential analysis says: `conclusion_codes` of sequential.csv."""

SENTENCES: Mapping[str, Sentence] = {
    **CONCLUSIONS,
    # Why there is no analysis.
    "no_trials": "no trials",
    "no_dates": "no trial has a year",
    "one_dated": "one dated trial: there is nothing to accumulate",
    "no_information_size": "no information size for {measure}",
    "no_important_difference": "the protocol has no smallest important difference for {measure}",
    "no_patients": "the number of patients is not reported for every trial",
    "no_control_risk": "no control risk: the trials give no counts, or no events",
    "no_sd": "no SD: the trials give none",
    "impossible_risk": "control risk {control_risk} times relative risk {ratio} is a risk of 1 or more",
    "not_adjusted": "no information size adjusted by {by}",
    "no_size": "{of} is 100%: no number of participants suffices",
    "too_few_trials": "tau2 = {tau2} asks for at least {fewest} trials, however large; {trials} cannot suffice",
    # What the required information rests on.
    "control_risk": lambda given: f"control risk {float(given['risk']):.4g} ({SOURCES[given['source']]})",
    "pooled_sd": lambda given: f"SD {float(given['sd']):.4g} (pooled over all arms)",
    "heterogeneity": lambda given: (
        f"I2 {float(given['i2']):.1f}%, D2 {float(given['d2']):.1f}%, tau2 {float(given['tau2']):.4g} (DL)"
    ),
    "crossover_once": "patients of crossover trials counted once",
    # What a look lacks.
    "boundary": lambda given: f"boundary: {LOOKS[given['why']]}",
    "futility": lambda given: f"futility: {LOOKS[given['why']]}",
    "nearly_reached": lambda given: f"within {float(given['share']):.1%} of the required information: taken as reached",
    "no_p_value": lambda given: f"no look has a boundary: {LOOKS[given['why']]}",
    "extreme_z": lambda given: f"|Z| is above {given['most']}: the p-value is below 1e-130",
}
