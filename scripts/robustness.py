"""How fragile: tables of a review's robustness, and their figures."""

from pathlib import Path

import pandas as pd

from reweigh.console import logged
from reweigh.io import read_csv, write_csv
from reweigh.protocol.read import load_checked


def make_tables(protocol, effects):
    """Write every table."""
    from reweigh.robustness import tables
    from reweigh.robustness.conclusions import conclusion_sentences
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
    made["multiverse"], made["multiverse_summary"], _ = tables.multiverse_tables(*checked, protocol, effects)
    said = [(a, *conclusion_sentences(a, made)) for a in effects["analysis"].drop_duplicates()]
    made["conclusions"] = pd.DataFrame(said, columns=["analysis", "fragility", "alternatives"])
    for name, table in made.items():
        write_csv(table, out[name])
    Path(out.stored).write_bytes(pack(stored))


def make_figures(protocol, effects):
    """Draw every figure and write their list."""
    from reweigh.figures.robustness import robustness_figures
    from reweigh.figures.svg import save_all
    from reweigh.robustness.subsets import unpack
    from reweigh.robustness.tables import stored_multiverses

    subsets = unpack(Path(snakemake.output.stored).read_bytes())
    multiverses = stored_multiverses(read_csv(snakemake.output.multiverse))
    found = robustness_figures(effects, protocol, subsets, multiverses)
    Path(snakemake.output.figures).mkdir(parents=True)
    named = ((f"{one.analysis}.{one.kind}", one.figure) for one in found)
    index = pd.DataFrame(
        save_all(named, snakemake.output.figures, snakemake.params.formats), columns=["figure", "title", "caption"]
    )
    index[["analysis", "kind"]] = [name.rsplit(".", 1) for name in index.pop("figure")]
    write_csv(index[["analysis", "kind", "title", "caption"]], snakemake.output.index)


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        protocol = load_checked(Path(snakemake.input.protocol).read_bytes())
        effects = read_csv(snakemake.input.effects)
        make_tables(protocol, effects)
        make_figures(protocol, effects)
