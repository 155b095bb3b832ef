"""Trial sequential analyses of a review: table and figures."""

from pathlib import Path

import pandas as pd

from reweigh.console import logged
from reweigh.io import read_csv, write_csv
from reweigh.protocol import load_checked
from reweigh.sequential.tables import sequential_analyses, sequential_table


def draw(analysis, result, effects, protocol):
    """Save the figure of one analysis; its row in their list."""
    # matplotlib takes longer to load than most reviews need here: they have no years.
    from reweigh.figures.sequential_plot import draw_sequential
    from reweigh.figures.svg import save

    row = effects[effects["analysis"] == analysis].iloc[0]
    window = protocol.windows[row["window"]].label or row["window"]
    title = f"{protocol.outcomes[row['outcome']].label}, {window[:1].lower()}{window[1:]}: sequential analysis"
    better = protocol.outcomes[row["outcome"]].better == "higher"
    names = (protocol.words.intervention, protocol.words.control)
    up, down = names if better else names[::-1]
    figure = draw_sequential(result, title, favours=(f"Favours {up}", f"Favours {down}"))
    for ending in snakemake.params.formats:
        save(figure, Path(snakemake.output.figures) / f"{analysis}.{ending}")
    return analysis, figure.title, figure.description


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        protocol = load_checked(Path(snakemake.input.protocol).read_bytes())
        effects = read_csv(snakemake.input.effects)
        write_csv(sequential_table(effects, protocol), snakemake.output.table)
        Path(snakemake.output.figures).mkdir(parents=True, exist_ok=True)
        found = sequential_analyses(effects, protocol).items()
        index = [draw(name, result, effects, protocol) for name, (_, result, _) in found if result is not None]
        write_csv(pd.DataFrame(index, columns=["analysis", "title", "caption"]), snakemake.output.index)
