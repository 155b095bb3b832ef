"""What a reader gets: summary.md, report.html, workbook, PDF and Word document of a review; the list of reviews."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from reweigh.console import logged, result_text
from reweigh.io import read_csv, read_texts, write_csv
from reweigh.protocol.read import load_written


def read_inputs(given, review):
    """The inputs of the rule `report`."""
    from reweigh.report.inputs import TABLES, Inputs, hashed, installed
    from reweigh.risk_of_bias import load_risk_of_bias

    protocol = load_written(Path(given.protocol).read_bytes())
    figures, typed = Path(given.figures).parent, read_texts(given.published, "published.csv")
    flow = read_texts(given.flow, "flow.csv")
    drawn = [*sorted(figures.glob("*/*.svg")), *sorted(figures.parent.glob("claims/*.svg"))]
    return Inputs(
        review=review,
        protocol=protocol,
        **{name: read_csv(given[name], protocol.number_columns) for name in TABLES if name != "published"},
        **({} if typed is None else {"published": typed}),
        **({} if flow is None else {"flow": flow.to_dict("records")}),
        drawings={f"{path.parent.name}/{path.stem}": path.read_text("utf-8") for path in drawn},
        worked={path.name: path.read_text("utf-8") for path in sorted(Path(given.worked).glob("*.md"))},
        claims=json.loads(Path(given.claims).read_text("utf-8")),
        bias=load_risk_of_bias(given.risk_of_bias, given.tools),
        hashes=hashed({path: Path(path).read_bytes() for path in given.files}),
        versions=installed(),
    )


def write_kept(given, out, review, versions):
    """Write what the results were made of beside them, so that they can be compared with others."""
    from reweigh.compare.results import provenance
    from reweigh.report.inputs import hashed

    Path(out.checked).mkdir(parents=True, exist_ok=True)
    for path in (given.protocol, given.studies, given.arms, given.contrasts, given.risk_of_bias):
        shutil.copyfile(path, Path(out.checked) / Path(path).name)
    typed = hashed({Path(path).name: Path(path).read_bytes() for path in (*given.files, *given.others)})
    Path(out.provenance).write_bytes(provenance(review, versions, typed))


def changed(given, out, inputs):
    """The table of what changed since the former archive, and what the page shows of it; None where there is none."""
    from reweigh.compare.changes import changes_table
    from reweigh.compare.results import of_archive, of_folder, of_review
    from reweigh.compare.shown import shown
    from reweigh.io import frame

    former = [path for path in given.former if Path(path).name == inputs.protocol.former]
    if not former or "/as_of/" in inputs.review:
        return frame("changes.csv", []), None
    old = of_review(of_archive(Path(former[0]), former[0]), inputs.review)
    [new] = of_folder(Path(out.provenance).parent).values()
    table = changes_table(old, new)
    return table, shown(table, old, new)


def write_report():
    """Write summary.md, report.html, the workbook, the table for metafor, what it was made of and what changed."""
    from reweigh.report.page import report_page, tables
    from reweigh.report.summary import summary
    from reweigh.report.workbook import workbook

    given, out = snakemake.input, snakemake.output
    inputs = read_inputs(given, snakemake.wildcards.review)
    write_kept(given, out, inputs.review, inputs.versions)
    table, changes = changed(given, out, inputs)
    write_csv(table, out.changes)
    inputs = replace(inputs, changes=changes)
    Path(out.summary).write_text(summary(inputs), encoding="utf-8")
    Path(out.html).write_text(report_page(inputs), encoding="utf-8")
    Path(out.workbook).write_bytes(workbook(inputs))
    Path(out.metafor).write_text(tables(inputs, "metafor")["metafor"], encoding="utf-8")
    told = result_text(snakemake.wildcards.review, Path(out.summary).parent)
    Path(out.run_summary).write_text(told + "\n", encoding="utf-8")


def write_index():
    """Write the list of reviews."""
    from reweigh.report.page import index_page

    given, found = snakemake.input, []
    for at, review in enumerate(snakemake.params.reviews):
        protocol = load_written(Path(given.protocols[at]).read_bytes())
        tables = (read_csv(given[name][at]) for name in ("effects", "pooled", "findings"))
        found.append((review, protocol, *tables, json.loads(Path(given.claims[at]).read_text("utf-8"))))
    Path(snakemake.output.index).write_text(index_page(found), encoding="utf-8")


def write_pdf():
    """Print report.html by a Chromium."""
    from reweigh.report.pdf import print_page

    try:
        Path(snakemake.output.pdf).write_bytes(print_page(Path(snakemake.input.html)))
    except RuntimeError as why:
        sys.exit(f"\n{why}\n")


def write_word():
    """Write the report as a Word document."""
    from reweigh.report.word import report_docx

    inputs = read_inputs(snakemake.input, snakemake.wildcards.review)
    Path(snakemake.output.word).write_bytes(report_docx(inputs))


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        # By what is asked for: in a module a rule may have another name. A list of files has an `index` in any case.
        made = {"summary": write_report, "pdf": write_pdf, "word": write_word, "index": write_index}
        next(write for name, write in made.items() if hasattr(snakemake.output, name))()
