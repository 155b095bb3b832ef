"""Forest plots: all of a review with their list, or the one that is asked for."""

import sys
from pathlib import Path

import pandas as pd

from reweigh.console import logged
from reweigh.figures.catalogue import plot, plot_ids
from reweigh.figures.forest import draw_forest, forest_table
from reweigh.figures.svg import save
from reweigh.io import read_csv, write_csv
from reweigh.protocol import load_checked


def draw(one, path):
    """Draw one plot to a file whose ending says the format."""
    save(draw_forest(forest_table(one.effects, one.pooled, one.subgroups, one.meta), one.meta), path)


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        protocol = load_checked(Path(snakemake.input.protocol).read_bytes())
        tables = [read_csv(snakemake.input[name]) for name in ("effects", "pooled", "subgroups")]
        if snakemake.rule == "figure":
            try:
                one = plot(snakemake.wildcards.analysis, *tables, protocol)
            except KeyError as unknown:
                Path(snakemake.log[0]).write_text(f"{unknown.args[0]}\n", encoding="utf-8")
                sys.exit(f"\n{unknown.args[0]}\n")
            draw(one, snakemake.output.figure)
        else:
            folder = Path(snakemake.params.folder)
            folder.mkdir(parents=True, exist_ok=True)
            plots = [plot(name, *tables, protocol) for name in plot_ids(*tables, protocol)]
            wanted = {folder / f"{one.analysis}.{ending}": one for one in plots for ending in snakemake.params.formats}
            read = max(
                Path(snakemake.input[name]).stat().st_mtime for name in ("protocol", "effects", "pooled", "subgroups")
            )
            for other in {*folder.iterdir()} - {*wanted}:
                if other.stat().st_mtime < read:  # drawn from tables that are no more
                    other.unlink()
            for path, one in wanted.items():
                draw(one, path)
            index = [(one.analysis, one.meta.title, one.caption) for one in plots]
            write_csv(pd.DataFrame(index, columns=["analysis", "title", "caption"]), snakemake.output.index)
