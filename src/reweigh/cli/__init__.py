"""The `reweigh` command: thin over the library; the only package that knows Snakemake and paths."""
