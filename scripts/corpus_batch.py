"""Several stages for a batch of reviews in one process: each stage's own script, run on what its own rule names.

A review that fails goes no further, keeps what it had, and is listed with the reason; the others go on.
"""

import runpy
import shutil
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pandas as pd

from reweigh.console import logged
from reweigh.corpus.rows import analysis_rows, gathered, printed_rows
from reweigh.io import frame, read_csv, write_csv
from reweigh.protocol.read import load_written

SCRIPTS = Path(snakemake.scriptdir)


class Named(SimpleNamespace):
    """Named files of a rule: by attribute or by name."""

    def __getitem__(self, name):
        """A file by its name."""
        return getattr(self, name)


def run_stage(name, review, files):
    """Run the script of a stage; the problem that it reports, or ""."""
    for path in files["output"].values():
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        # As Snakemake does before a job; the check writes nothing where it finds a problem.
        if place.is_dir():
            shutil.rmtree(place)
        elif name != "check":
            place.unlink(missing_ok=True)
    log = Path(files["log"])
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    named = {kind: Named(**files[kind]) for kind in ("input", "output", "params")}
    job = SimpleNamespace(rule=name, log=[str(log)], wildcards=SimpleNamespace(review=review), **named)
    said = StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            runpy.run_path(str(SCRIPTS / f"{name}.py"), {"snakemake": job}, "__main__")
    except SystemExit as stopped:
        if stopped.code:
            return log.read_text(encoding="utf-8").strip() or str(stopped.code).strip() or said.getvalue().strip()
    except Exception as error:  # a fault of ours stops this review and no other
        return log.read_text(encoding="utf-8").strip() or repr(error)
    return ""


def analyses_of(review):
    """The rows of corpus.csv of one review."""
    protocol = load_written(Path(f"work/{review}/checked/protocol.json").read_bytes())
    folder = Path("results") / review
    names = ("effects", "units", "pooled", "not_pooled")
    tables = {name: read_csv(folder / f"{name}.csv", protocol.number_columns) for name in names}
    printed = Path("data") / review / "published_rows.csv"
    rows = printed_rows(printed.read_bytes()) if printed.exists() else None
    return analysis_rows(review, protocol, tables, rows, snakemake.params.important)


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        earlier = getattr(snakemake.input, "earlier", None)
        stopped = set(read_csv(earlier)["review"]) if earlier else set()
        problems, analyses = [], []
        for review, stages in snakemake.params.stages.items():
            if review in stopped:
                continue
            for name, files in stages.items():
                if problem := run_stage(name, review, files):
                    problems.append({"review": review, "stage": name, "problem": problem})
                    break
            else:
                if hasattr(snakemake.output, "analyses"):
                    analyses.append(analyses_of(review))
        kept = read_csv(earlier) if earlier else frame("corpus_problems.csv", [])
        write_csv(pd.concat([kept, frame("corpus_problems.csv", problems)]), snakemake.output.done)
        if hasattr(snakemake.output, "analyses"):
            write_csv(gathered(analyses), snakemake.output.analyses)
