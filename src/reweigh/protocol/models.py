"""Pooling models: the presets and what a model is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import model_validator

from reweigh.protocol.base import Closed, require

INTERVAL_LABELS: Mapping[str, str] = {
    "wald": "Wald",
    "t": "t",
    "hartung-knapp": "Hartung-Knapp",
    "hartung-knapp guarded": "guarded Hartung-Knapp",
    "profile likelihood": "profile likelihood",
}


class Model(Closed):
    """A pooling model."""

    name: str
    tau2: Literal["EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM"]
    interval: Literal["wald", "t", "hartung-knapp", "hartung-knapp guarded", "profile likelihood"]
    prediction_interval: Literal["none", "t(k-2)", "t(k-1)", "hartung-knapp", "bootstrap"] = "none"
    pooling: Literal["inverse variance", "mantel-haenszel", "peto"] = "inverse variance"
    note: str = ""

    @model_validator(mode="after")
    def _possible(self) -> Model:
        if self.interval == "profile likelihood" and self.tau2 != "ML":
            raise ValueError("the profile likelihood interval belongs to tau2: ML")
        if self.pooling == "mantel-haenszel" and self.tau2 not in ("EE", "DL"):
            raise ValueError("mantel-haenszel: tau2 is EE (common effect) or DL (random effects by RevMan's rule)")
        if self.pooling == "peto" and self.tau2 != "EE":
            raise ValueError("peto: tau2 is EE (common effect)")
        if self.pooling != "inverse variance" and self.tau2 == "EE" and self.interval != "wald":
            raise ValueError(f"{self.pooling} with a common effect has a Wald interval")
        return self


PRESETS: Mapping[str, Model] = {
    "cochrane": Model(
        name="cochrane",
        tau2="REML",
        interval="hartung-knapp",
        prediction_interval="hartung-knapp",
        note="REML, Hartung-Knapp, prediction interval: what Cochrane recommends since 2024",
    ),
    "revman-classic": Model(
        name="revman-classic",
        tau2="DL",
        interval="wald",
        note="DerSimonian-Laird, Wald: what older reviews report",
    ),
}


def describe_model(model: Model) -> str:
    """A model in words."""
    tau2 = "common effect" if model.tau2 == "EE" else f"random effects, tau2 by {model.tau2}"
    kind = INTERVAL_LABELS.get(model.prediction_interval, model.prediction_interval)
    prediction = "" if model.prediction_interval == "none" else f", prediction interval by {kind}"
    interval = INTERVAL_LABELS.get(model.interval, model.interval)
    return f"{tau2}, interval by {interval}{prediction}" + (f" ({model.note})" if model.note else "")


def resolve(models: tuple[Model | str, ...]) -> tuple[Model, ...]:
    """Models with their presets filled in. Raises ValueError on an unknown preset or a name that comes twice."""
    for model in models:
        if isinstance(model, str):
            require(model, PRESETS, "models (a preset, or name, tau2 and interval)")
    resolved = tuple(PRESETS[m] if isinstance(m, str) else m for m in models)
    if len({m.name for m in resolved}) < len(resolved):
        raise ValueError("models: two models have the same name")
    return resolved
