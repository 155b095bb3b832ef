"""Published estimates recomputed and checked, and all of them on one plot per outcome."""

from pathlib import Path

import pandas as pd

from reweigh.console import logged
from reweigh.figures.svg import save_all
from reweigh.figures.timeline import draw_timeline, timeline_table, timelines
from reweigh.io import read_csv, read_texts, write_csv
from reweigh.protocol.read import load_written
from reweigh.reproduction.checks import check_published
from reweigh.reproduction.ledger import ledger

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        files = [*snakemake.input.files, *snakemake.input.optional]
        protocol = load_written(Path(snakemake.input.protocol).read_bytes())
        effects, pooled, certainty = (read_csv(snakemake.input[name]) for name in ("effects", "pooled", "certainty"))
        published = read_texts(files, "published.csv")
        if published is None:
            published = pd.DataFrame(columns=["review_id", "outcome", "measure", "estimate"])
        raw = {name: table for name in ("arms.csv", "contrasts.csv") if (table := read_texts(files, name)) is not None}
        reproduction, methods = ledger(
            published,
            effects,
            pooled,
            protocol,
            raw=raw,
            published_trials=read_texts(files, "published_trials.csv"),
            units=read_csv(snakemake.input.units),
            studies=read_csv(snakemake.input.studies, protocol.number_columns),
        )
        write_csv(reproduction, snakemake.output.ledger)
        write_csv(methods, snakemake.output.methods)
        write_csv(check_published(published), snakemake.output.checks)
        figures = (
            (f"{o}.{m}", draw_timeline(timeline_table(published, pooled, certainty, protocol, o, m), protocol, o, m))
            for o, m in timelines(published, protocol)
        )
        Path(snakemake.output.figures).mkdir(parents=True)
        index = save_all(figures, snakemake.output.figures, snakemake.params.formats)
        write_csv(pd.DataFrame(index, columns=["figure", "title", "caption"]), snakemake.output.index)
