"""How fragile: tables of a review's robustness, and their figures."""

from pathlib import Path

import pandas as pd

from reweigh.console import logged
from reweigh.io import read_csv, write_csv
from reweigh.protocol.read import load_written


def make_tables(protocol, effects):
    """Write every table; the subsets and multiverses by analysis."""
    from reweigh.robustness import tables
    from reweigh.robustness.conclusions import conclusions_table
    from reweigh.robustness.subsets import pack

    out = snakemake.output
    made = {
        "leave_one_out": tables.leave_one_out_table(effects, protocol),
        "cumulative": tables.cumulative_table(effects, protocol),
        "influence": tables.influence_table(effects, protocol),
        "fragility": tables.fragility_table(effects, protocol),
        "small_study": tables.small_study_table(effects, protocol),
    }
    made["subsets"], stored = tables.subset_tables(effects, protocol)
    names = ("studies", "arms", "contrasts")
    checked = [read_csv(snakemake.input[name], protocol.number_columns) for name in names]
    made["multiverse"], made["multiverse_summary"], multiverses = tables.multiverse_tables(*checked, protocol, effects)
    made["conclusions"] = conclusions_table(made)
    for name, table in made.items():
        write_csv(table, out[name])
    Path(out.stored).write_bytes(pack(stored))
    return stored, multiverses


def make_figures(protocol, effects, subsets, multiverses):
    """Draw every figure and write their list."""
    from reweigh.figures.robustness import robustness_figures
    from reweigh.figures.svg import save_all

    found = robustness_figures(effects, protocol, subsets, multiverses)
    Path(snakemake.output.figures).mkdir(parents=True)
    named = ((f"{one.analysis}.{one.kind}", one.figure) for one in found)
    index = pd.DataFrame(
        save_all(named, snakemake.output.figures, snakemake.params.formats), columns=["figure", "title", "caption"]
    )
    parts = [name.rsplit(".", 1) for name in index.pop("figure")]
    index["analysis"], index["kind"] = [part[0] for part in parts], [part[1] for part in parts]
    write_csv(index[["analysis", "kind", "title", "caption"]], snakemake.output.index)


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        protocol = load_written(Path(snakemake.input.protocol).read_bytes())
        effects = read_csv(snakemake.input.effects)
        make_figures(protocol, effects, *make_tables(protocol, effects))
