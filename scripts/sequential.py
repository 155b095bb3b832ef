"""Trial sequential analyses of a review: table and figures."""

from pathlib import Path

import pandas as pd

from reweigh.console import logged
from reweigh.io import read_csv, write_csv
from reweigh.protocol.read import load_written
from reweigh.sequential.tables import sequential_analyses, sequential_table


def draw(found, effects, protocol):
    """Draw the analyses that could be done; the list of figures is empty where the trials have no years."""
    folder = Path(snakemake.output.figures)
    folder.mkdir(parents=True)
    done = {name: one for name, one in found.items() if one.result is not None}
    if not done:
        return []
    # matplotlib takes longer to load than all the rest of this job.
    from reweigh.figures.sequential_plot import sequential_figures
    from reweigh.figures.svg import save_all

    return save_all(sequential_figures(done, effects, protocol), folder, snakemake.params.formats)


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        protocol = load_written(Path(snakemake.input.protocol).read_bytes())
        effects = read_csv(snakemake.input.effects)
        found = sequential_analyses(effects, protocol, read_csv(snakemake.input.pooled))
        write_csv(sequential_table(found), snakemake.output.table)
        index = pd.DataFrame(draw(found, effects, protocol), columns=["analysis", "title", "caption"])
        write_csv(index, snakemake.output.index)
