"""The forest plot of the trials behind a claim."""

from __future__ import annotations

import pandas as pd

from reweigh.claims.evaluate import Assessed, label
from reweigh.claims.evidence import Body
from reweigh.figures.forest.draw import draw_forest
from reweigh.figures.forest.table import WEIGHT, ForestMeta, forest_table
from reweigh.figures.style import RecordFigure
from reweigh.measures import MEASURE_LABELS, MEASURES
from reweigh.pool.summarise import pool_by
from reweigh.protocol.model import Protocol


def claim_figure(found: Assessed, protocol: Protocol) -> RecordFigure | None:
    """Forest plot of the headline statement by both models; None where there is no trial to draw."""
    head = found.headline
    if head is None or not isinstance(head.evidence, Body):
        return None
    evidence, pooled = head.evidence, head.evidence.pooled
    outcome = head.test.outcome
    words, (left, right) = protocol.words_of(outcome), protocol.favours(outcome)
    models = [evidence.model, *([found.method] if found.method != evidence.model else [])]
    fits = [pool_by(evidence.effects, model, protocol) for model in models]
    rows = pd.DataFrame([row for row, _ in fits])
    measure = str(pooled["measure"])
    unit = f" ({evidence.outcome.unit})" if evidence.outcome.unit and measure in ("MD", "MN") else ""
    name = label(head.test)
    meta = ForestMeta(
        title=f"{found.claim.id}: {name}",
        measure_label=MEASURE_LABELS[measure] + unit,
        intervention=words.intervention[:1].upper() + words.intervention[1:],
        control=words.control[:1].upper() + words.control[1:],
        favours_left=left,
        favours_right=right,
        scale=str(pooled["scale"]),
        level=protocol.level_of(outcome),
        null=MEASURES[measure].null,
    )
    weighed = evidence.effects.assign(**{WEIGHT: fits[0][1].to_numpy()})
    return draw_forest(forest_table(weighed, rows, None, meta), meta)
