"""A review as one file to deposit: its data, its results, the lock, as an RO-Crate."""

import sys
from pathlib import Path

from reweigh.console import logged
from reweigh.protocol.read import load_written
from reweigh.report.archive import CITATION, MISSING, archive, read_citation
from reweigh.report.inputs import installed
from reweigh.tables.problems import format_report


def contents(paths):
    """The files of these paths, those in folders too, by their path below the folder of the run."""
    found = [one for path in map(Path, paths) for one in ([path] if path.is_file() else sorted(path.rglob("*")))]
    return {one.as_posix(): one.read_bytes() for one in found if one.is_file() and not one.name.startswith(".")}


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        review, given, citation = snakemake.wildcards.review, snakemake.input, None
        data, results = contents(given.data), contents(given.results)
        data[f"data/{Path(given.tools).name}"] = Path(given.tools).read_bytes()
        beside = {Path(path).name: Path(path).read_bytes() for path in given.locks}
        own = data.get(f"data/{review.partition('/')[0]}/{CITATION}")
        if own is not None:
            beside[CITATION] = own
            citation, problems = read_citation(own)
            if problems:
                sys.exit(f"\n{format_report(problems, review)}\n")
        protocol = load_written(Path(given.protocol).read_bytes())
        try:
            made = archive(data, results, beside, review, protocol, installed(), citation)
        except ModuleNotFoundError:
            sys.exit(f"\n{MISSING}\n")
        Path(snakemake.output[0]).write_bytes(made)
