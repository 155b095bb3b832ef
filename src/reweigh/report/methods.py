"""The methods of a review in journal prose, from the protocol that ran; its references as BibTeX and CSL-JSON."""

from __future__ import annotations

import json
import re
from typing import Any

from reweigh.io import records
from reweigh.measures import MEASURE_LABELS
from reweigh.pool.summarise import I2_DEFINITIONS
from reweigh.protocol.model import Protocol
from reweigh.protocol.models import Model
from reweigh.report.inputs import Inputs
from reweigh.report.trials import characteristic_columns
from reweigh.report.words import lower_first, missing, nice
from reweigh.text.numbers import level_text

TAU2_WORDS = {
    "EE": "a common-effect model",
    "DL": "the DerSimonian-Laird estimator",
    "HE": "the Hedges estimator",
    "HS": "the Hunter-Schmidt estimator",
    "SJ": "the Sidik-Jonkman estimator",
    "ML": "maximum likelihood",
    "REML": "restricted maximum likelihood",
    "EB": "the empirical Bayes estimator",
    "PM": "the Paule-Mandel estimator",
}
INTERVAL_WORDS = {
    "wald": "a Wald interval",
    "t": "a t interval with k - 1 degrees of freedom",
    "hartung-knapp": "a Hartung-Knapp interval",
    "hartung-knapp guarded": "a Hartung-Knapp interval whose scale factor is kept from falling below 1",
    "profile likelihood": "a profile likelihood interval",
}
PREDICTION_WORDS = {
    "none": "",
    "t(k-2)": ", with a prediction interval from t with k - 2 degrees of freedom",
    "t(k-1)": ", with a prediction interval from t with k - 1 degrees of freedom",
    "hartung-knapp": ", with a prediction interval from t with k - 1 degrees of freedom on the Hartung-Knapp "
    "standard error",
    "bootstrap": ", with a bootstrap prediction interval",
}
ZERO_WORDS = {
    "only0": "0.5 was added to each cell of a trial with a zero cell",
    "needed": "0.5 was added to each cell only of a trial that gave no estimate without it",
    "all": "0.5 was added to each cell of every trial",
    "tacc": "zero cells were corrected in proportion to the size of the opposite arm",
    "none": "zero cells were not corrected",
    "RevMan": "0.5 was added to each cell of a trial with a zero cell (as RevMan does, for the variance alone where "
    "every patient of both arms had the event)",
}
MEDIAN_WORDS = {
    "luo-wan-shi": "by the formulas of Luo, Wan and Shi",
    "wan": "by the formulas of Wan",
    "lognormal": "as log-normal values",
    "quantile": "by quantile estimation",
}
FAMILY_WORDS = {"rhodes2015": "log-t", "turner2015": "log-normal"}
POOLING_WORDS = {
    "inverse variance": "",
    "mantel-haenszel": " pooled by Mantel-Haenszel",
    "mantel-haenszel for counts": " pooled by Mantel-Haenszel where the measure is of counts",
    "peto": " pooled by Peto's method",
}
#: Characters by which a value would leave its field.
_BIBTEX = re.compile(r"[{}\\@%]")
UNKNOWN_WORDS = {
    "exclude": "left out",
    "favours_intervention": "read as favouring the intervention",
    "favours_control": "read as favouring control",
}


def methods_text(inputs: Inputs) -> list[tuple[str, str]]:
    """Heading and paragraph of each part of the methods section."""
    protocol = inputs.protocol
    parts = [
        ("Question and trials", _question(protocol)),
        ("Outcomes and time windows", _outcomes(protocol)),
        ("Effect sizes", _effects(protocol, inputs)),
        ("Synthesis", _synthesis(protocol)),
    ]
    if protocol.subgroup_columns:
        parts.append(("Subgroups", _subgroups(protocol)))
    others = [chosen for name, chosen in protocol.sets.items() if name != "main"]
    if others:
        listed = "; ".join(lower_first(chosen.label) for chosen in others)
        parts.append(
            ("Sensitivity analyses", f"Each analysis was repeated with the trials and readings changed: {listed}.")
        )
    return [(head, nice(text)) for head, text in parts]


def _question(protocol: Protocol) -> str:
    q, main = protocol.question, protocol.sets["main"]
    text = (
        f"Population: {q.population}. Intervention: {q.intervention}. Comparator: {q.comparator}. Design: {q.design}. "
    )
    return text + f"The main analyses hold: {lower_first(main.label)}."


def _outcomes(protocol: Protocol) -> str:
    said = []
    for outcome in protocol.outcomes.values():
        also = f", also as {_join([lower_first(MEASURE_LABELS[m]) for m in outcome.also])}" if outcome.also else ""
        measure = f"{lower_first(MEASURE_LABELS[outcome.measure])}{also}"
        measure += f"; {outcome.better} is better" if outcome.better else " of a single group, compared with nothing"
        said.append(f"{lower_first(outcome.label)} ({measure})")
    windows = [lower_first(window.label or name.replace("_", " ")) for name, window in protocol.windows.items()]
    scales = [f"{o.label} was put on a scale from {o.scale[0]:g} to {o.scale[1]:g}" for o in protocol.outcomes.values()
              if o.scale is not None]  # fmt: skip
    text = f"Outcomes: {'; '.join(said)}. Time windows: {_join(windows)}. "
    text += "Each trial gives one result per outcome and window: arms with dispersion or counts come first, then a "
    text += "contrast with its interval or standard error, then an exact p-value; among these the nearest nominal day. "
    return text + (f"For mean differences, {lower_first('; '.join(scales))}." if scales else "")


def _effects(protocol: Protocol, inputs: Inputs) -> str:
    a, said = protocol.assumptions, []
    setting = protocol.setting("main")
    if (inputs.effects["design"] == "crossover").any() and setting.crossover == "as_independent":
        said.append("Crossover trials were analysed as if their periods were independent groups.")
    elif (inputs.effects["design"] == "crossover").any():
        said.append(
            "Crossover trials were analysed as paired; where a within-person correlation was not reported, "
            f"{a.crossover_correlation:g} was assumed for continuous outcomes and phi = {a.crossover_phi:g} for binary "
            "ones."
        )
    kinds = {outcome.type for outcome in protocol.outcomes.values()}
    if "binary" in kinds:
        said.append(f"For ratios of binary outcomes {ZERO_WORDS[a.zero_cells]}.")
    if "continuous" in kinds:
        change = "Where baselines were given, change was analysed" if a.change_scores else "Final values were analysed"
        said.append(f"{change}; medians were converted {MEDIAN_WORDS[a.median_method]}.")
    unknown = UNKNOWN_WORDS[setting.unknown_direction or "exclude"]
    if (inputs.effects["reported_as"] == "exact p").any():
        said.append(f"Effects of trials that report only an exact p-value were recovered from it; p-values of unknown "
                    f"direction were {unknown}.")  # fmt: skip
    if a.source:
        said.append(f"Where these assumptions come from: {lower_first(a.source.rstrip('.'))}.")
    said.append("The page of each trial gives every step with its numbers.")
    return " ".join(said)


def _synthesis(protocol: Protocol) -> str:
    of_outcomes: dict[tuple[Model, ...], list[str]] = {}
    for name, outcome in protocol.outcomes.items():
        of_outcomes.setdefault(protocol.models_of(name), []).append(lower_first(outcome.label))
    said = []
    for models, outcomes in of_outcomes.items():
        start = "The" if len(of_outcomes) == 1 else f"For {_join(outcomes)} the"
        said.append(f"{start} main model was {_model(models[0])}.")
        if len(models) > 1:
            said.append(f"Beside it stands {_join([_model(m) for m in models[1:]])}.")
    text = " ".join(said)
    text += f" Intervals are at the {level_text(protocol.usual_level)} level{protocol.other_levels}. "
    text += "Ratios were pooled on the log scale. "
    used = {outcome.measure for outcome in protocol.outcomes.values()}
    text += "Correlations were pooled as Fisher's z. " if "ZCOR" in used else ""
    text += "Proportions were pooled as logits. " if "PLO" in used else ""
    text += "Heterogeneity is given as tau2 with its Q-profile interval, "
    i2 = " or ".join(dict.fromkeys(I2_DEFINITIONS[models[0].i2] for models in of_outcomes))
    text += f"{i2} I2 and Cochran's Q. "
    if protocol.bayes:
        priors = "; ".join(
            f"{m}: {FAMILY_WORDS.get(p.family, p.family)}, {p.source}" for m, p in protocol.bayes.items()
        )
        text += "Analyses of two to five trials were also fitted by a Bayesian random-effects model "
        text += f"(priors of tau: {priors}). "
    return text + "A single trial is shown and not pooled."


def _model(model: Model) -> str:
    tau2 = TAU2_WORDS[model.tau2]
    start = tau2 if model.tau2 == "EE" else f"a random-effects model with tau2 by {tau2}"
    pooling = POOLING_WORDS[model.pooling]
    if model.pooling.startswith("mantel-haenszel") and not model.exact:
        pooling += " (0.5 added in trials with a zero cell)"
    return f"{start}{pooling} and {INTERVAL_WORDS[model.interval]}{PREDICTION_WORDS[model.prediction_interval]}"


def _subgroups(protocol: Protocol) -> str:
    names = [
        protocol.groupings[c].label if c in protocol.groupings else c.replace("_", " ")
        for c in protocol.subgroup_columns
    ]
    shared = "one tau2 for all subgroups" if protocol.subgroup_tau2 == "common" else "a tau2 of each subgroup's own"
    return (
        f"Every main analysis was split by {_join([lower_first(n) for n in names])}, with {shared}; the test for "
        "subgroup differences takes every subgroup that has an estimate, those of one trial included."
    )


def _join(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def prisma_items(inputs: Inputs) -> list[tuple[str, str, str]]:
    """PRISMA 2020 items that a run can prove: number, what it asks, and where the page has it."""
    return [
        ("5", "Eligibility criteria and grouping for syntheses", "Methods: question, sets, windows"),
        ("10a", "Outcomes for which data were sought", "Methods: outcomes and time windows"),
        ("12", "Effect measure of each outcome", "Methods: outcomes"),
        ("13b", "Data preparation: conversions, missing statistics", "Worked pages of the trials"),
        ("13d", "Synthesis methods, heterogeneity, software", "Methods: synthesis; versions"),
        ("13e", "Exploring heterogeneity", "Analyses: subgroups" if inputs.protocol.subgroup_columns else "not done"),
        ("13f", "Sensitivity analyses", "Analyses: sensitivity sets; explorer"),
        ("16a", "Flow of records", "Trials" if inputs.flow else "Trials; searches are not recorded"),
        ("16b", "Excluded records with reasons", "Trials"),
        ("17", "Characteristics of each trial", "Trials" if characteristic_columns(inputs) else "not recorded"),
        ("18", "Risk of bias of each trial", "Trials" if inputs.bias and len(inputs.bias.table) else "not recorded"),
        ("19", "Results of each trial", "Analyses: forest plots"),
        ("20b", "Results of syntheses with heterogeneity", "Analyses: pooled results"),
        ("22", "Certainty of evidence", "Analyses" if len(inputs.certainty) else "no analysis to grade"),
        ("27", "Data and code", "Downloads; input hashes and command"),
    ]


def references(inputs: Inputs) -> list[dict[str, str]]:
    """Trials and published reviews that have a DOI or PubMed number: key, label, year, doi, pmid."""
    tables = [inputs.studies]
    if "doi" in inputs.published:
        tables.append(inputs.published.rename(columns={"review_id": "study_id"}).drop_duplicates("study_id"))
    found = []
    for table in tables:
        for row in records(table):
            doi, pmid = (("" if missing(row.get(name)) else str(row[name])) for name in ("doi", "pmid"))
            if doi or pmid:
                year = "" if missing(row.get("year")) else f"{float(row['year']):.0f}"
                found.append(
                    {"key": str(row["study_id"]), "label": str(row["label"]), "year": year, "doi": doi, "pmid": pmid}
                )
    return found


def bibtex(found: list[dict[str, str]]) -> str:
    """BibTeX of the references: what the tables hold, which is no title."""
    entries = []
    for one in found:
        fields = {"author": _surname(one["label"]), "year": one["year"], "doi": one["doi"], "pmid": one["pmid"]}
        body = ",\n".join(f"  {name} = {{{_BIBTEX.sub('', value)}}}" for name, value in fields.items() if value)
        entries.append(f"@article{{{_BIBTEX.sub('', one['key'])},\n{body}\n}}\n")
    return "\n".join(entries)


def csl_json(found: list[dict[str, str]]) -> str:
    """CSL-JSON of the references."""
    out: list[dict[str, Any]] = []
    for one in found:
        item: dict[str, Any] = {
            "id": one["key"],
            "type": "article-journal",
            "author": [{"family": _surname(one["label"])}],
        }
        if one["year"]:
            item["issued"] = {"date-parts": [[int(one["year"])]]}
        item |= {name: one[low] for name, low in (("DOI", "doi"), ("PMID", "pmid")) if one[low]}
        out.append(item)
    return json.dumps(out, indent=1, ensure_ascii=False) + "\n"


def _surname(label: str) -> str:
    return re.sub(r"\s*\(?\b(1[89]|20)\d\d[a-z]?\)?.*$", "", label).strip() or label
