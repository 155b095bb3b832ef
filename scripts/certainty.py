"""Certainty of every analysis, the Summary of Findings, and the risk-of-bias figures."""

from pathlib import Path

import pandas as pd

from reweigh.certainty.assess import certainty_table, read_overrides
from reweigh.certainty.findings import findings_html, summary_of_findings
from reweigh.certainty.thresholds import rules_of
from reweigh.certainty.word import findings_docx
from reweigh.console import logged
from reweigh.io import read_csv, read_texts, write_csv
from reweigh.protocol.read import load_written
from reweigh.risk_of_bias import load_risk_of_bias


def draw(bias, weights, labels):
    """Draw risk of bias; the list of figures is empty where no trial is judged."""
    folder = Path(snakemake.output.figures)
    folder.mkdir(parents=True)
    if bias.table.empty:
        return []
    # matplotlib takes longer to load than all the rest of this job.
    from reweigh.figures.risk_of_bias import risk_of_bias_figures
    from reweigh.figures.svg import save_all

    return save_all(risk_of_bias_figures(bias, weights, labels), folder, snakemake.params.formats)


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        files = snakemake.input.files
        protocol = load_written(Path(snakemake.input.protocol).read_bytes())
        effects, pooled, weights = (read_csv(snakemake.input[name]) for name in ("effects", "pooled", "weights"))
        bias = load_risk_of_bias(snakemake.input.risk_of_bias, snakemake.input.tools)
        thresholds, indirectness = rules_of(protocol)
        table = certainty_table(
            effects,
            pooled,
            weights,
            protocol.outcomes,
            bias=bias,
            thresholds=thresholds,
            indirectness=indirectness,
            overrides=read_overrides(read_texts(files, "certainty_overrides.csv")),
        )
        write_csv(table, snakemake.output.certainty)
        findings = summary_of_findings(effects, pooled, table, protocol, thresholds)
        write_csv(findings, snakemake.output.csv)
        Path(snakemake.output.html).write_text(findings_html(findings, protocol), encoding="utf-8")
        Path(snakemake.output.docx).write_bytes(findings_docx(findings, protocol))
        labels = read_csv(snakemake.input.studies).set_index("study_id")["label"]
        main = pooled[pooled["set"] == "main"].drop_duplicates("analysis")[["analysis", "model"]]
        of_main = weights.merge(main)
        index = pd.DataFrame(draw(bias, of_main, labels), columns=["figure", "title", "caption"])
        write_csv(index, snakemake.output.index)
