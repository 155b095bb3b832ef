"""Pooled estimates and subgroups of every analysis of a review."""

from pathlib import Path

from reweigh.console import logged
from reweigh.io import read_csv, write_csv
from reweigh.pool.summarise import pooled_table, subgroup_table
from reweigh.protocol import load_checked

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        protocol = load_checked(Path(snakemake.input.protocol).read_bytes())
        effects = read_csv(snakemake.input.effects)
        write_csv(pooled_table(effects, protocol), snakemake.output.pooled)
        write_csv(subgroup_table(effects, protocol), snakemake.output.subgroups)
