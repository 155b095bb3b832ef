"""Words for the codes of the sequential analysis."""

from __future__ import annotations

from collections.abc import Mapping

from reweigh.text.codes import Sentence

#: Why a look has no boundary of efficacy or futility.
LOOKS: Mapping[str, str] = {
    "unreachable": "unreachable: less than 1e-09 of the error may be spent here (RTSA draws Z = 20)",
    "spent": "the required information was reached at an earlier look: no error is left to spend",
    "not_open": "the error spent so far does not reach Z = 0: no futility boundary yet",
}
SOURCES: Mapping[str, str] = {"protocol": "protocol", "trials": "the median of the trials"}

SENTENCES: Mapping[str, Sentence] = {
    # Why there is no analysis.
    "no_trials": "no trials",
    "no_dates": "no dates",
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
