"""The draft of a results section as a Word document: methods, flow of records, results with figures, references."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from docx.document import Document as WordDocument
from docx.shared import Pt

from reweigh.certainty.word import EDGE, LONG, SHORT, add_findings, docx_bytes, new_document, turn, write
from reweigh.figures.flow import flow_figures
from reweigh.figures.forest.catalogue import plot
from reweigh.figures.forest.draw import draw_forest, forest_table
from reweigh.figures.style import RecordFigure
from reweigh.figures.svg import render
from reweigh.io import records, xml_text
from reweigh.report.analyses import guarded, how_many, not_pooled
from reweigh.report.inputs import Inputs
from reweigh.report.methods import methods_text, references
from reweigh.report.trials import flow, trial_rows
from reweigh.report.words import missing, nice, upper_first, variance, window_label
from reweigh.text.numbers import percent_text, span_text, stated_text, whole

#: Points of a millimetre, and what a caption takes of a page's height.
_MM, _BESIDE = 72 / 25.4, 50.0


def report_docx(inputs: Inputs) -> bytes:
    """The document; the same inputs give the same bytes.

    It says what the tables say and argues nothing: a draft to be edited.
    """
    document = new_document(inputs.title)
    write(document, " ".join(("Draft of methods and results, made from the tables of this review by reweigh",
                              inputs.versions.get("reweigh", ""))).rstrip() + ".")  # fmt: skip
    document.add_heading("Methods", 1)
    for head, text in methods_text(inputs):
        document.add_heading(head, 2)
        write(document, text)
    document.add_heading("Results", 1)
    document.add_heading("Trials", 2)
    figures = [(diagram, "Flow of records (PRISMA 2020)") for _, diagram in flow_figures(inputs.flow)]
    write(document, _trials(inputs) + (f" {_see(figures)}" if figures else ""))
    main = inputs.pooled[inputs.pooled["set"] == "main"].drop_duplicates("analysis")
    for name, outcome in inputs.protocol.outcomes.items():
        document.add_heading(outcome.label, 2)
        mine = main[(main["outcome"] == name) & (main["measure"] == outcome.measure)]
        if mine.empty:
            write(document, "No trial could be used.")
        for row in records(mine):
            if row["k"] > 1:
                figures.append(_forest(str(row["analysis"]), inputs))
            write(document, _result(row, inputs) + (f" {_see(figures)}" if row["k"] > 1 else ""))
    for number, (figure, caption) in enumerate(figures, start=1):
        _add(document, number, figure, caption)
    turn(document, landscape=True)
    document.add_heading("Summary of findings", 1).paragraph_format.page_break_before = True
    add_findings(document, inputs.summary_of_findings, inputs.protocol)
    turn(document, landscape=False)
    document.add_heading("References", 1)
    for one in references(inputs):
        numbers = (f"doi:{one['doi']}" if one["doi"] else "", f"PMID {one['pmid']}" if one["pmid"] else "")
        write(document, f"{one['label']}. {'. '.join(filter(None, numbers))}.", "List Number")
    return docx_bytes(document)


def _see(figures: list[tuple[RecordFigure, str]]) -> str:
    return f"(Figure {len(figures)}.)"


def _forest(analysis: str, inputs: Inputs) -> tuple[RecordFigure, str]:
    one = plot(analysis, inputs.effects, inputs.pooled, inputs.subgroups, inputs.weights, inputs.protocol, inputs.bias,
               not_pooled=inputs.not_pooled, units=inputs.units)  # fmt: skip
    table = forest_table(one.effects, one.pooled, one.subgroups, one.meta, one.not_pooled)
    return draw_forest(table, one.meta), one.meta.title


def _add(document: WordDocument, number: int, figure: RecordFigure, caption: str) -> None:
    """Add a figure upright or across, where it can be larger, no larger than drawn; with its words for who hears it."""
    wide, high = (72 * x for x in figure.get_size_inches())
    scale = {
        across: min(1.0, (x - 2 * EDGE) * _MM / wide, ((y - 2 * EDGE) * _MM - _BESIDE) / high)
        for across, (x, y) in ((False, (SHORT, LONG)), (True, (LONG, SHORT)))
    }
    across = scale[True] > scale[False]
    turn(document, landscape=across)
    picture = document.add_picture(io.BytesIO(render(figure, "png")), width=Pt(wide * scale[across]))
    document.paragraphs[-1].paragraph_format.keep_with_next = True
    properties = picture._inline.docPr
    properties.set("name", f"Figure {number}")
    properties.set("descr", xml_text(f"{figure.title}. {figure.description}"))
    write(document, f"Figure {number}. {nice(caption)}.", "Caption")


def _trials(inputs: Inputs) -> str:
    found = flow(inputs, trial_rows(inputs))
    text = f"Of {_many(found['records'], 'trial')} assessed, {whole(found['included'])} are in the review"
    text += f" and {whole(found['pooled'])} in a main analysis."
    if found["excluded_by"]:
        text += f" Not eligible: {'; '.join(f'{reason} ({n})' for reason, n in found['excluded_by'])}."
    return text + f" Of {_many(found['rows'], 'reported result')}, {whole(found['rows_chosen'])} stand in an analysis."


def _many(n: int, what: str) -> str:
    return f"{whole(n)} {what}{'' if n == 1 else 's'}"


def _result(row: Mapping[str, Any], inputs: Inputs) -> str:
    """One analysis in a paragraph: effect, heterogeneity, certainty, and who could not be pooled."""
    analysis = str(row["analysis"])
    unit = inputs.protocol.outcomes[row["outcome"]].unit if row["measure"] in ("MD", "MN") else ""
    effect = ", ".join(filter(None, (stated_text(row, unit), guarded(row), how_many(row))))
    parts = [f"{upper_first(window_label(str(row['window']), inputs.protocol))}: {effect}"]
    if row["k"] > 1 and not missing(row["i2"]):
        spread = [f"I2 {percent_text(row['i2'])}", f"tau2 {variance(row['tau2'])}"]
        predicted = span_text(row, "pi")
        parts.append(", ".join([*spread, *([f"prediction interval {predicted}"] if predicted else [])]))
    judged = inputs.of("summary_of_findings", analysis)
    parts += [f"Certainty: {one['certainty']}. {one['sentence'].rstrip('.')}" for one in judged]
    if lost := not_pooled(analysis, inputs):
        parts.append(f"Eligible and not pooled: {'; '.join(one.rstrip('.') for one in lost)}")
    return nice(". ".join(parts) + ".")
