"""The one-page summary of a review."""

from pathlib import Path

from reweigh.console import logged
from reweigh.io import read_csv
from reweigh.protocol import load_checked
from reweigh.report.summary import summary

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        protocol = load_checked(Path(snakemake.input.protocol).read_bytes())
        names = (
            "effects",
            "rows",
            "pooled",
            "subgroups",
            "index",
            "meta_regression",
            "dependence",
            "conclusions",
            "sequential",
        )
        tables = [read_csv(snakemake.input[name]) for name in names]
        text = summary(snakemake.wildcards.review, protocol, *tables)
        Path(snakemake.output[0]).write_text(text, encoding="utf-8")
