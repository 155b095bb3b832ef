"""What the end of a run of `core` says of a review, as a file."""

from pathlib import Path

from reweigh.console import logged, result_text

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        told = result_text(snakemake.wildcards.review, Path(snakemake.input.pooled).parent, whole=False)
        Path(snakemake.output[0]).write_text(told + "\n", encoding="utf-8")
