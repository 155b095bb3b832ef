"""The commands of `reweigh`. Exit status: 0 well, 1 problems in the input, 2 wrong usage."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from reweigh.cli.places import (
    DATA,
    EXPORT,
    GALLERY,
    PROTOCOL,
    RESULTS,
    Stop,
    existing,
    folder_of,
    new_folder,
    results_of,
    reviews,
)

FORMATS = ("revman-web", "metafor", "meta", "ris", "robvis", "prisma")
"""What a review is exported to; a test holds them to `reweigh.exchange.export`, which takes long to load."""
PROFILE = click.option("--profile", metavar="NAME", help="Where it runs: slurm on a cluster with Slurm (needs "
                       "reweigh[slurm]), or a folder with a Snakemake profile.")  # fmt: skip
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


class Commands(click.Group):
    """The commands; what the system refuses (a file that may not be read, a full disk) is one line, too."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; raises Stop in place of an OSError."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except OSError as why:
            raise Stop(f"{why.filename or 'reweigh'}: {why.strerror or why}") from None


@click.group(cls=Commands, context_settings=CONTEXT, no_args_is_help=True)
@click.version_option(package_name="reweigh", message="reweigh %(version)s")
def main() -> None:
    """Re-weigh the evidence behind a health claim: from the results of trials as printed to forest plots.

    A review is a folder data/NAME with a protocol (review.yaml) and tables (arms.csv or contrasts.csv, studies.csv).
    NAME stands for data/NAME; a path to a folder works too.

    \b
      reweigh new my-review        an empty review, with what to fill in
      reweigh import trials.csv --into my-review
                                   a review from a file that you have
      reweigh check my-review      every problem at once, in about a second
      reweigh run                  effect sizes, pooled estimates, plots, page
      reweigh open my-review       the page
      reweigh detective my-review 1
                                   every method tried on a published estimate
      reweigh compare old.zip my-review
                                   what changed, and which datum did it
      reweigh corpus rows.csv --into folder
                                   hundreds of Cochrane reviews at once
      reweigh export my-review --to metafor
                                   for RevMan Web, R, robvis and others

    Exit status: 0 well, 1 problems in the input, 2 wrong usage.
    """


@main.command()
@click.argument("name")
@click.option("--workbook", is_flag=True, help="One workbook, tables.xlsx, instead of CSV files: a sheet per table, "
              "lists to choose from, a note on every column.")  # fmt: skip
def new(name: str, workbook: bool) -> None:
    """Make an empty review NAME, with what to fill in.

    data/NAME/ gets a commented review.yaml (the smallest that works, the next keys as comments), arms.csv and
    studies.csv with their headers, and review.schema.json, by which an editor completes and checks review.yaml.
    Nothing that exists is overwritten. `reweigh check NAME` then says what is still to be filled in.
    """
    from reweigh.cli.template import empty_review

    folder = new_folder(name)
    write(folder, empty_review(folder.name, workbook=workbook), force=False)
    click.echo(f"Next: fill them in, then `reweigh check {name}`.")


@main.command()
@click.argument("name", required=False)
def check(name: str | None) -> None:
    """Report every problem of a review at once.

    Each line names file, row, column, value, what is wrong and what is allowed. Nothing is computed or written.
    Without NAME all reviews under data/ are checked. Exit status 1 if there is any problem.
    """
    folders = [existing(name)] if name else [DATA / one for one in reviews()]
    if not folders:
        raise Stop(f"There is no review here: no folder under {DATA}/ has a {PROTOCOL}. `reweigh new NAME` makes one.")
    well = [checked(folder) for folder in folders]
    sys.exit(0 if all(well) else 1)


@main.command()
@click.argument("targets", nargs=-1, metavar="[tables|core|all|gallery|FILE...]")
@click.option("--directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".",
              show_default="this one", help="The folder that has data/; it gets results/.")  # fmt: skip
@click.option("--cores", type=click.IntRange(1), show_default="all", help="How many jobs at a time.")
@PROFILE
@click.option("--review", "only", multiple=True, metavar="NAME", help="Only this review; may be given several times.")
@click.option("--as-of", type=click.IntRange(1900, 2099), metavar="YEAR", help="From the trials up to a year.")
@click.option("--unlock", is_flag=True, help="Release the folder after a run was killed, and do nothing else.")
def run(targets: tuple[str, ...], directory: Path, cores: int | None, profile: str | None, only: tuple[str, ...],
        as_of: int | None, unlock: bool) -> None:  # fmt: skip
    """Build the reviews that are not up to date.

    \b
    tables   effect sizes, pooled estimates, subgroups
    core     tables, and the forest plots
    all      everything: robustness, certainty, claims, the page (the default)
    gallery  the published meta-analyses under gallery/, and the page that lists
             what came back of each printed estimate
    FILE     one file below the folder, such as results/NAME/pooled.csv or
             results/NAME/figures/forest/ANALYSIS.pdf
    NAME     as --review NAME

    config/config.yaml of the folder, if there is one, says which reviews are built; else all under data/ that have
    a review.yaml. A review that does not pass its check stops itself and no other.
    """
    from reweigh.cli import workflow

    named = [one for one in targets if one in reviews(directory / DATA)]  # a review is a target, too
    targets, only = tuple(one for one in targets if one not in named), (*only, *named)
    for one in targets:
        if one not in workflow.TARGETS and "/" not in one:
            raise click.UsageError(workflow.no_target(one, reviews(directory / DATA)))
    config = [f"reviews=[{', '.join(only)}]"] if only else []
    config += [f"as_of={as_of}"] if as_of else []
    arguments = workflow.command(directory, targets, cores, config, profile) + (["--unlock"] if unlock else [])
    status = workflow.run(arguments, [one for one in sys.argv[1:] if one != "--unlock"])
    sys.exit(min(status, 1) if status >= 0 else 1)


@main.command("open")
@click.argument("name", required=False)
@click.option("--print", "only_print", is_flag=True, help="Print the path instead of opening it.")
def open_page(name: str | None, only_print: bool) -> None:
    """Open the page of a review, or print its path.

    Without NAME it is the page of the only review that has one, else the list of all; of `gallery` it is
    `gallery.html`. Where a run of `core` made no page, it is the folder of the forest plots.
    """
    page = page_of(name)
    if only_print:
        click.echo(page)
    elif click.launch(str(page.resolve())):
        raise Stop(f"No browser could be opened; the page is {page}")


@main.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="FILE...")
@click.option("--into", required=True, metavar="NAME", help="The review to make: data/NAME, or a path.")
@click.option("--columns", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="MAP.yaml",
              help="Which of their columns is which of ours.")  # fmt: skip
@click.option("--sheet", metavar="S", help="The sheet of a workbook.")
@click.option("--outcome", metavar="ID", help="Name of the outcome, where the file names none.")
@click.option("--measure", metavar="M", help="Effect measure: RR, OR, RD, MD, SMD, HR ...")
@click.option("--model", metavar="PRESET", help="Pooling model: cochrane, revman, revman-5, revman-classic.")
@click.option("--arms", nargs=2, metavar="E C", help="What the experimental and the control arm are called.")
@click.option("--force", is_flag=True, help="Overwrite the files of a review that is there.")
def import_files(files: tuple[Path, ...], into: str, columns: Path | None, force: bool, **given: Any) -> None:
    """Make a review from the file that you have.

    Nothing is computed. Read are Cochrane data packages (a folder or .zip), RevMan .rm5 and CSV, wide tables as
    metafor, meta and Stata have them (CSV, .xlsx, .dta, .sav, .rda), robvis tables, RIS and BibTeX.

    Written are data/NAME/review.yaml with comments, our tables, and imported.csv: what was done to each cell. A
    preview says what was found, what was guessed and what was left out. Exit status 0 when the review passes the
    check, else 1. Nothing that exists is overwritten without --force. Risk of bias, references and flow counts alone
    join a review that is there.

    \b
      reweigh import package.zip --into my-review
      reweigh import wide.csv --into my-review --measure RR --outcome relapse
      reweigh import sheet.xlsx --into my-review --columns MAP.yaml --sheet Data
    """
    from reweigh.cli import exchange

    folder = new_folder(into)
    options = {key: value for key, value in given.items() if value is not None}
    imported = exchange.read(files, columns, folder.parent, options)
    if imported.problems:
        raise Stop("\n".join(imported.problems))
    if adds := exchange.adds(imported) and (folder / PROTOCOL).is_file():
        imported = exchange.renamed(imported, folder)
    written = exchange.written(imported)
    click.echo(exchange.preview(imported))
    if adds:
        made, log = exchange.added(written, folder)
        write(folder, made, force=force, adds=True, way_out=", or overwrite it with --force")
        (folder / exchange.LOG).write_bytes(log)
    else:
        write(folder, written, force=force, way_out=", or overwrite it with --force")
    sys.exit(0 if checked(folder) else 1)


@main.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="DATA_ROWS...")
@click.option("--into", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="The folder that gets data/ and results/.")  # fmt: skip
@click.option("--depth", type=click.Choice(["tables", "core", "all"]), default="tables", show_default=True,
              help="How far each review is taken; see below.")  # fmt: skip
@click.option("--important", multiple=True, metavar="MEASURE=BOUNDS",
              help="Bounds of an important effect: RR=0.75,1.25 or SMD=0.2. May be given several times.")  # fmt: skip
@click.option("--cores", type=click.IntRange(1), show_default="all", help="How many jobs at a time.")
@PROFILE
@click.option("--force", is_flag=True, help="Overwrite reviews of DIR that were changed since they were imported.")
def corpus(files: tuple[Path, ...], into: Path, depth: str, important: tuple[str, ...], cores: int | None,
           profile: str | None, force: bool) -> None:  # fmt: skip
    """Build hundreds of Cochrane reviews at once.

    DATA_ROWS is a CSV of data rows with a column Review (also .csv.gz), or a folder of data packages. Each review
    becomes DIR/data/REVIEW; results/corpus.html and results/corpus.csv have a row per analysis of all of them: what
    RevMan printed, what comes back, and what current practice changes. A review that cannot be imported or does not
    pass its check is listed, and stops no other. What is up to date is not made again.

    
    tables   effect sizes, pooled estimates, subgroups, weights
    core     and a forest plot of every analysis
    all      and every later stage, to a page per review

    
      reweigh corpus data-rows.csv --into cochrane
      reweigh corpus packages/ --into cochrane --depth core --important RR=0.75,1.25
    """
    from reweigh.cli import corpus as many
    from reweigh.cli import workflow

    bounds = many.bounds(important)
    arguments = workflow.command(into, [], cores, [], profile)
    click.echo(many.prepare(files, into, depth, bounds, force=force))
    status = workflow.run(arguments, sys.argv[1:])
    sys.exit(1 if status or many.failed(into) else 0)


@main.command()
@click.argument("name")
@click.option("--to", "form", required=True, type=click.Choice(FORMATS), help="The format; see above.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="The folder to write to; export/NAME/FORMAT where not given.")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
def export(name: str, form: str, output: Path | None, force: bool) -> None:
    """Write a review for another programme.

    \b
    revman-web   the four CSV files that RevMan Web imports: study information,
                 study arms, study results, risk of bias
    metafor      an R script and its data: every main analysis by every model,
                 and how far R's numbers are from ours
    meta         the same by R's meta (the script was not run by us)
    ris          the references of studies.csv, for reference managers
    robvis       judgements of risk of bias: Study, D1 ..., Overall, Weight; a
                 file per tool
    prisma       the counts of flow.csv for the PRISMA 2020 flow-diagram tool

    Exported is what the main analyses of the review pool, computed from its tables as they are; no run is needed. The
    review must pass its check. RIS, robvis, PRISMA and RevMan Web files come back by `reweigh import`. Nothing that
    exists is overwritten without --force.

    \b
      reweigh export my-review --to metafor
      Rscript export/my-review/metafor/metafor.R
    """
    from reweigh.cli import exchange

    folder = existing(name)
    target = output or EXPORT / folder.name / form
    files, notes = exchange.exported(folder, form)
    there = [one for one in files if (target / one).exists()]
    if there and not force:
        raise Stop(f"{target} has {', '.join(there)} already; nothing was written. --force overwrites.")
    target.mkdir(parents=True, exist_ok=True)
    for one, content in files.items():
        (target / one).write_bytes(content)
    click.echo("\n".join([f"{target}: {', '.join(files)}", *(f"Note: {note}" for note in notes)]))


@main.command()
@click.argument("name")
@click.argument("row", type=click.IntRange(1))
def detective(name: str, row: int) -> None:
    """Show every method tried on a published estimate.

    ROW is the row of published.csv of the review NAME (data/NAME, gallery/NAME or a path); the first is 1. Shown are
    what is printed and which model the source names, then every result, those first that give the most printed digits,
    with the methods that give it: which one the source names, and what it cannot be, and why.

    Computed from the tables as they are; no run is needed. The review must pass its check.

    \b
      reweigh detective topical-nsaids-acute-pain 1
    """
    from reweigh.cli import detective as ledger

    folder = GALLERY / name if (GALLERY / name).is_dir() and not folder_of(name).is_dir() else existing(name)
    click.echo("\n".join(ledger.searched(folder, row)))


@main.command()
@click.argument("old")
@click.argument("new")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default="changes.csv", show_default=True,
              metavar="FILE", help="The table to write.")  # fmt: skip
def compare(old: str, new: str, output: Path) -> None:
    """Say what changed between two results of a review.

    OLD and NEW are folders of results, of one review or of several, or an archive.zip (`reweigh run archive`); NAME
    stands for results/NAME. Written is changes.csv: trials that are new, gone or corrected, keys of the protocol,
    versions, and the estimates, certainties, verdicts and published estimates that moved, from what to what, each with
    what did it. Printed is a summary. Where several data changed in one analysis, each is named with what it alone
    makes of the former estimate.

    Exit status 0 whether or not anything changed; 1 where OLD or NEW is no result of a review, or they are of two.

    \b
      reweigh compare archive-2024.zip my-review
      reweigh compare results-before results
    """
    from reweigh.cli import comparing

    click.echo("\n".join(comparing.compared(old, new, output)))


def write(folder: Path, files: Mapping[str, bytes], *, force: bool, adds: bool = False, way_out: str = "") -> None:
    """Write the files of a review and say where; without `force` nothing is overwritten.

    Parameters
    ----------
    folder
        Where to.
    files
        Name to bytes.
    force
        Whether a review that is there is overwritten; its other tables stay, and are named.
    adds
        Whether the files join a review that is there: then only they must not be there yet.
    way_out
        What else can be done, said where the folder has a review.

    Raises Stop where it has one, and then writes nothing.
    """
    from reweigh.tables.review import FILES
    from reweigh.workbooks import WORKBOOKS

    known = files if adds else dict.fromkeys([*files, *FILES, *WORKBOOKS])
    there = [name for name in known if (folder / name).exists()]
    if there and not force:
        raise Stop(f"{folder} has {', '.join(there)} already; nothing was written. Choose another name{way_out}.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    click.echo(f"{folder}: {', '.join(files)}")
    if left := [name for name in there if name not in files]:
        click.echo(f"Note: {', '.join(left)} of the earlier review stayed, and will be read with it.")


def checked(folder: Path) -> bool:
    """Check a review and print its report, or what must be said of it; whether it has no problem."""
    from reweigh.cli.checking import report

    text, well = report(folder)
    click.echo(text)
    return well


def page_of(name: str | None) -> Path:
    """The page to open.

    Raises Stop where there is none yet.
    """
    if name is None:
        pages = sorted(RESULTS.glob("*/report.html"))
        whole = RESULTS / "index.html"
        if len(pages) != 1 and whole.is_file():
            return whole
        if len(pages) == 1:
            return pages[0]
        folders = [DATA / one for one in reviews()]
    elif name == GALLERY.name and (whole := RESULTS / "gallery.html").is_file():
        return whole
    else:
        folders = [folder_of(name)]
    for folder in folders:
        found = [results_of(folder) / "report.html", results_of(folder) / "figures" / "forest"]
        if there := next((one for one in found if one.exists()), None):
            return there
    raise Stop(f"There is no page yet{f' of {name}' if name else ''}. `reweigh run` makes it.")


__all__: Sequence[str] = ["main"]
