"""What a reader gets: summary.md and report.html of a review, its PDF, its workbook, and the list of reviews."""

import hashlib
import json
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from reweigh.console import logged
from reweigh.io import read_csv
from reweigh.protocol.read import load_checked
from reweigh.tables.review import read_table
from reweigh.tables.specs import SPECS

TABLES = (
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


def hashes(paths):
    """SHA-256 of each input, by its path below the working folder."""
    return {path: hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in sorted(paths)}


def installed():
    """Version of Python, of reweigh, and of every package that it needs, and that these need."""
    found, open_ones = {"Python": ".".join(map(str, sys.version_info[:3]))}, ["reweigh"]
    while open_ones:
        name = canonicalize_name(open_ones.pop(0))
        if name not in found:
            try:
                found[name], needs = version(name), map(Requirement, requires(name) or ())
            except PackageNotFoundError:
                found[name], needs = "version not recorded", ()
            open_ones += [one.name for one in needs if one.marker is None or one.marker.evaluate({"extra": ""})]
    head = dict.fromkeys(("Python", "reweigh"))
    return {name: found[name] for name in [*head, *sorted(found.keys() - head)]}


def optional(paths):
    """Tables of later stages and of the data folder by name, and the claims."""
    files = {Path(path).stem: path for path in paths if "figures" not in Path(path).parts}
    files |= {f"figures_{Path(path).stem}": path for path in paths if "figures" in Path(path).parts}
    claims, published = files.pop("claims", None), files.pop("published", None)
    found = {name: read_csv(path) for name, path in files.items()}
    if published:
        found["published"] = read_table(Path(published).read_bytes(), "published.csv", SPECS["published.csv"])[0]
    return found, claims and json.loads(Path(claims).read_text("utf-8"))


def write_report():
    """Write summary.md, report.html and the workbook."""
    from reweigh.report.inputs import Inputs
    from reweigh.report.page import report_page, tables
    from reweigh.report.summary import summary
    from reweigh.report.workbook import workbook
    from reweigh.risk_of_bias import load_risk_of_bias

    given, out = snakemake.input, snakemake.output
    protocol = load_checked(Path(given.protocol).read_bytes())
    names = (*TABLES, "studies", "bayes", "sweep", "pooled_sweep")
    read = {name: read_csv(given[name], protocol.number_columns) for name in names}
    review = snakemake.wildcards.review
    text = summary(review, protocol, *(read[name] for name in TABLES))
    later, claims = optional([*given.published, *given.optional])
    later |= {name: read[name] for name in ("conclusions", "sequential")}
    folder = Path(given.index).parent
    plain = ("index", "dependence", "conclusions", "sequential")
    inputs = Inputs(
        review=review,
        protocol=protocol,
        figures=read["index"],
        **{name: read[name] for name in read if name not in plain},
        drawings={
            f"{p.parent.name}/{p.stem}": p.read_text("utf-8")
            for p in (*sorted(folder.glob("*/*.svg")), *sorted(folder.parent.glob("claims/*.svg")))
        },
        worked={p.name: p.read_text("utf-8") for p in sorted(Path(given.worked).glob("*.md"))},
        optional=later,
        claims=claims,
        bias=load_risk_of_bias(given.risk_of_bias, given.tools),
        hashes=hashes(given.files),
        versions=installed(),
    )
    page = report_page(inputs)
    book = workbook(read | later)
    Path(out.summary).write_text(text, encoding="utf-8")
    Path(out.html).write_text(page, encoding="utf-8")
    Path(out.workbook).write_bytes(book)
    Path(out.metafor).write_text(tables(inputs)["metafor"], encoding="utf-8")


def write_index():
    """Write the list of reviews."""
    from reweigh.report.page import index_page

    given, found = snakemake.input, []
    for at, review in enumerate(snakemake.params.reviews):
        protocol = load_checked(Path(given.protocols[at]).read_bytes())
        found.append((review, protocol, read_csv(given.effects[at]), read_csv(given.pooled[at])))
    Path(snakemake.output[0]).write_text(index_page(found), encoding="utf-8")


def write_pdf():
    """Print report.html by a Chromium."""
    from reweigh.report.pdf import print_page

    try:
        Path(snakemake.output[0]).write_bytes(print_page(Path(snakemake.input.html)))
    except RuntimeError as why:
        sys.exit(f"\n{why}\n")


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        {"report": write_report, "report_index": write_index, "report_pdf": write_pdf}[snakemake.rule]()
