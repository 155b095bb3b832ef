"""Published estimates recomputed and checked, and all of them on one plot per outcome."""

from pathlib import Path

import pandas as pd

from reweigh.console import logged
from reweigh.figures.svg import save
from reweigh.figures.timeline import draw_timeline, timeline_table, timelines
from reweigh.io import read_csv, read_texts, write_csv
from reweigh.protocol import load_checked
from reweigh.reproduction import check_published, reproduce

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        files = [*snakemake.input.files, *snakemake.input.optional]
        protocol = load_checked(Path(snakemake.input.protocol).read_bytes())
        effects, pooled, certainty = (read_csv(snakemake.input[name]) for name in ("effects", "pooled", "certainty"))
        published = read_texts(files, "published.csv")
        if published is None:
            published = pd.DataFrame(columns=["review_id", "outcome", "measure", "estimate"])
        raw = {name: table for name in ("arms.csv", "contrasts.csv") if (table := read_texts(files, name)) is not None}
        ledger = reproduce(
            published,
            effects,
            pooled,
            protocol,
            raw=raw,
            published_trials=read_texts(files, "published_trials.csv"),
        )
        write_csv(ledger, snakemake.output.ledger)
        write_csv(check_published(published), snakemake.output.checks)
        index, folder = [], Path(snakemake.output.figures)
        folder.mkdir(parents=True)
        for outcome, measure in timelines(published, protocol):
            table = timeline_table(published, pooled, certainty, protocol, outcome, measure)
            figure = draw_timeline(table, protocol, outcome, measure)
            for ending in snakemake.params.formats:
                save(figure, folder / f"{outcome}.{measure}.{ending}")
            index.append((f"{outcome}.{measure}", figure.title, figure.description))
        write_csv(pd.DataFrame(index, columns=["figure", "title", "caption"]), snakemake.output.index)
