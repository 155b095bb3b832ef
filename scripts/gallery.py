"""The gallery: every printed estimate of its reviews in one table, and its page."""

from pathlib import Path

import pandas as pd

from reweigh.console import logged
from reweigh.io import read_csv, write_csv
from reweigh.protocol.read import load_written
from reweigh.report.gallery import gallery_page, gallery_table, summary

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        problems = pd.concat([read_csv(path) for path in snakemake.input.done])
        found = [
            (
                review,
                load_written(Path(f"work/{review}/checked/protocol.json").read_bytes()),
                read_csv(f"results/{review}/reproduction.csv"),
            )
            for review in snakemake.params.reviews
            if review not in set(problems["review"])
        ]
        table = gallery_table(found)
        write_csv(table, snakemake.output.table)
        Path(snakemake.output.page).write_text(gallery_page(table, found, problems), encoding="utf-8")
        places = [f"{name}: {snakemake.output[name]}" for name in ("page", "table")]
        Path(snakemake.output.summary).write_text(
            "\n".join([summary(table, problems), *places]) + "\n", encoding="utf-8"
        )
