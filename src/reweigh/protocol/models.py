"""Pooling models: the presets and what a model is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import model_validator

from reweigh.measures import COUNT_MEASURES, SmdVariance
from reweigh.protocol.base import Closed, require

INTERVAL_LABELS: Mapping[str, str] = {
    "wald": "Wald",
    "t": "t",
    "hartung-knapp": "Hartung-Knapp",
    "hartung-knapp guarded": "guarded Hartung-Knapp",
    "profile likelihood": "profile likelihood",
}


Tau2 = Literal["EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM"]
Interval = Literal["wald", "t", "hartung-knapp", "hartung-knapp guarded", "profile likelihood"]
PredictionInterval = Literal["none", "t(k-2)", "t(k-1)", "hartung-knapp", "bootstrap"]
Pooling = Literal["inverse variance", "mantel-haenszel", "peto", "mantel-haenszel for counts"]
"""The last one pools RR, OR and RD by Mantel-Haenszel, Peto's OR by Peto and all else by inverse variance: RevMan 5."""


class Model(Closed):
    """A pooling model."""

    name: str
    tau2: Tau2
    interval: Interval
    prediction_interval: PredictionInterval = "none"
    pooling: Pooling = "inverse variance"
    #: Mantel-Haenszel: "exact" counts (metafor's rma.mh), or "corrected" by 0.5 in trials with a zero cell (RevMan 5).
    #: By default exact with a common effect, corrected with random effects, which is RevMan's rule throughout.
    mantel_haenszel: Literal["exact", "corrected"] | None = None
    #: Variance of the Mantel-Haenszel risk difference: RevMan's, or rma.mh's.
    rd_variance: Literal["greenland-robins", "sato"] = "greenland-robins"
    #: I2 from tau2 and the typical sampling variance (metafor, RevMan since 2024), or from Q (RevMan 5).
    i2: Literal["tau2", "Q"] = "tau2"
    #: Variance of standardised mean differences where this is the main model of a set; else the protocol's.
    smd_variance: SmdVariance | None = None
    #: What is pooled: one effect of each "trial", or each "row" (comparison) as if it were a trial, as RevMan does.
    units: Literal["trial", "row"] = "trial"
    note: str = ""

    @model_validator(mode="after")
    def _possible(self) -> Model:
        if self.interval == "profile likelihood" and self.tau2 != "ML":
            raise ValueError("the profile likelihood interval belongs to tau2: ML")
        if self.pooling.startswith("mantel-haenszel") and self.tau2 not in ("EE", "DL"):
            raise ValueError("mantel-haenszel: tau2 is EE (common effect) or DL (random effects by RevMan's rule)")
        if self.pooling == "peto" and self.tau2 != "EE":
            raise ValueError("peto: tau2 is EE (common effect)")
        if self.pooling != "inverse variance" and self.tau2 == "EE" and self.interval != "wald":
            raise ValueError(f"{self.pooling} with a common effect has a Wald interval")
        if self.mantel_haenszel and not self.pooling.startswith("mantel-haenszel"):
            raise ValueError("mantel_haenszel: belongs to pooling: mantel-haenszel")
        return self

    @property
    def exact(self) -> bool:
        """Whether Mantel-Haenszel pools the counts as they are."""
        return (self.mantel_haenszel or ("exact" if self.tau2 == "EE" else "corrected")) == "exact"

    @property
    def prediction(self) -> str:
        """How the prediction interval is made, if only to be left out."""
        return "hartung-knapp" if self.prediction_interval == "none" else self.prediction_interval

    def for_measure(self, measure: str) -> Model:
        """The model as it pools one measure: "mantel-haenszel for counts" becomes what it means there."""
        if self.pooling != "mantel-haenszel for counts":
            return self
        if measure in COUNT_MEASURES:
            return self.model_copy(update={"pooling": "mantel-haenszel"})
        if measure == "PETO":
            return self.model_copy(update={"pooling": "peto", "tau2": "EE", "interval": "wald"})
        return self.model_copy(update={"pooling": "inverse variance"})


PRESETS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="cochrane", tau2="REML", interval="hartung-knapp", prediction_interval="hartung-knapp",
            note="REML, Hartung-Knapp, prediction interval: what Cochrane recommends since 2024",
        ),
        Model(
            name="revman-classic", tau2="DL", interval="wald", units="row",
            note="DerSimonian-Laird, Wald: what older reviews report",
        ),
        Model(
            name="revman-5", tau2="DL", interval="wald", pooling="mantel-haenszel for counts",
            mantel_haenszel="corrected", i2="Q", smd_variance="RevMan", units="row",
            note="what RevMan 5 prints for random effects",
        ),
        Model(
            name="revman", tau2="REML", interval="wald", smd_variance="RevMan", units="row",
            note="tau2 and I2 as in RevMan since 2024: REML, Q-profile interval, I2 from tau2",
        ),
    )
}  # fmt: skip


def describe_model(model: Model) -> str:
    """A model in words."""
    pooled = {"inverse variance": "", "peto": "Peto, "}.get(model.pooling, "Mantel-Haenszel, ")
    if pooled.startswith("Mantel") and not model.exact:
        pooled = "Mantel-Haenszel (0.5 added in trials with a zero cell), "
    tau2 = "common effect" if model.tau2 == "EE" else f"random effects, tau2 by {model.tau2}"
    kind = INTERVAL_LABELS.get(model.prediction_interval, model.prediction_interval)
    prediction = "" if model.prediction_interval == "none" else f", prediction interval by {kind}"
    interval = INTERVAL_LABELS.get(model.interval, model.interval)
    return f"{pooled}{tau2}, interval by {interval}{prediction}" + (f" ({model.note})" if model.note else "")


def resolve(models: tuple[Model | str, ...], known: Mapping[str, Model] = PRESETS) -> tuple[Model, ...]:
    """Models with the names among them filled in. Raises ValueError on an unknown name or one that comes twice."""
    for model in models:
        if isinstance(model, str):
            require(model, known, "models (a preset, or name, tau2 and interval)")
    resolved = tuple(known[m] if isinstance(m, str) else m for m in models)
    if len({m.name for m in resolved}) < len(resolved):
        raise ValueError("models: two models have the same name")
    return resolved
