"""Check a review's protocol and tables; one report of every problem, or the checked files and what must be said."""

import sys
from pathlib import Path

from reweigh.check import check, notices
from reweigh.console import logged
from reweigh.io import write_csv
from reweigh.protocol.read import load_checked, written
from reweigh.risk_of_bias import read_tools

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        given = snakemake.input
        read = (Path(path) for path in (*given.files, *given.others, *given.former))
        files = dict.fromkeys(snakemake.params.names, b"") | {path.name: path.read_bytes() for path in read}
        tools = read_tools(Path(snakemake.input.tools).read_bytes())
        tables, report = check(files, snakemake.wildcards.review, tools)
        if tables is None:
            Path(snakemake.log[0]).write_text(report + "\n", encoding="utf-8")
            print(f"\n{report}\n", file=sys.stderr)
            sys.exit(1)
        protocol = load_checked(files["review.yaml"])
        for line in notices(protocol, files, tables):
            print(f"{snakemake.wildcards.review}: {line}", file=sys.stderr)
        Path(snakemake.output.protocol).write_bytes(written(protocol))
        for name in ("studies", "arms", "contrasts", "risk_of_bias"):
            write_csv(getattr(tables, name), snakemake.output[name])
