"""The checked tables of a review as they stood in a year, and the studies that were left out."""

import shutil

from reweigh.console import logged
from reweigh.io import read_csv, write_csv
from reweigh.robustness.as_of import restrict

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        names = ("studies", "arms", "contrasts")
        known = restrict(*(read_csv(snakemake.input[name]) for name in names), int(snakemake.wildcards.year))
        for name, table in zip((*names, "left_out"), known, strict=True):
            write_csv(table, snakemake.output[name])
        for name in ("protocol", "risk_of_bias"):
            shutil.copyfile(snakemake.input[name], snakemake.output[name])
