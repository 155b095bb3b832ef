"""Check a review's protocol and tables; one report of every problem, or the checked files."""

import sys
from pathlib import Path

from reweigh.check import check
from reweigh.io import write_csv
from reweigh.risk_of_bias import read_tools

if __name__ == "__main__":
    files = {Path(path).name: Path(path).read_bytes() for path in (*snakemake.input.files, *snakemake.input.others)}
    tools = read_tools(Path(snakemake.input.tools).read_bytes())
    tables, report = check(files, snakemake.wildcards.review, tools)
    if tables is None:
        Path(snakemake.log[0]).write_text(report + "\n", encoding="utf-8")
        print(f"\n{report}\n", file=sys.stderr)
        sys.exit(1)
    Path(snakemake.output.protocol).write_bytes(files["review.yaml"])
    for name in ("studies", "arms", "contrasts", "risk_of_bias"):
        write_csv(getattr(tables, name), snakemake.output[name])
