"""The corpus: one table of all its analyses, what they answer, its page."""

from pathlib import Path

import pandas as pd

from reweigh.console import logged
from reweigh.corpus.answers import summary
from reweigh.corpus.rows import gathered
from reweigh.io import frame, read_csv, write_csv
from reweigh.report.corpus import corpus_page

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        given = snakemake.params
        table = gathered(map(read_csv, snakemake.input.analyses))
        failed = [{"review": name, "stage": "import", "problem": why} for name, why in given.not_imported.items()]
        # Each depth repeats what stopped before it; the last one has all.
        read = [read_csv(path) for path in snakemake.input.done if f"/{given.depth}/" in path]
        problems = pd.concat([frame("corpus_problems.csv", failed), *read])
        write_csv(table, snakemake.output.table)
        write_csv(problems, snakemake.output.problems)
        places = [f"{name}: {snakemake.output[name]}" for name in ("page", "table", "problems")]
        told = [summary(table, problems), *(one for one in places[: 2 + bool(len(problems))])]
        Path(snakemake.output.summary).write_text("\n".join(told) + "\n", encoding="utf-8")
        page = corpus_page(table, problems, given.depth)
        Path(snakemake.output.page).write_text(page, encoding="utf-8")
