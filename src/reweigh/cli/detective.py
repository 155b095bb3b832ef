"""The search for one published estimate of a review in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from click import UsageError

from reweigh.cli.checking import examined, tools_of
from reweigh.cli.places import Stop
from reweigh.effects.selection import select
from reweigh.io import read_text, records
from reweigh.pool.summarise import pooled_table
from reweigh.reproduction.detective import lines
from reweigh.reproduction.ledger import ledger
from reweigh.tables.problems import format_report
from reweigh.workbooks import with_tables

PUBLISHED, TRIALS, TYPED = "published.csv", "published_trials.csv", ("arms.csv", "contrasts.csv")


def searched(folder: Path, row: int) -> Iterator[str]:
    """Lines on the search for a row of published.csv, the first is 1.

    Raises Stop where the review does not pass its check or has no published estimates, UsageError where it has no such
    row.
    """
    tables, protocol, problems, files = examined(folder, tools_of(folder.parent))
    if problems or protocol is None:
        raise Stop(format_report(problems, folder.name, str(folder)))
    files = dict(with_tables({name: content for name, content in files.items() if content}).files)
    published = read_text(files[PUBLISHED]) if PUBLISHED in files else None
    if published is None or published.empty:
        raise Stop(f"{folder} has no published estimates: put them into {PUBLISHED}.")
    if row > len(published):
        raise UsageError(f"ROW {row} is no row of {folder}/{PUBLISHED}: it has {len(published)}, the first is 1.")
    found = select(tables.studies, tables.arms, tables.contrasts, protocol)
    reproduction, methods = ledger(
        published.iloc[[row - 1]], found.effects, pooled_table(found.effects.iloc[:0], protocol), protocol,
        raw={name: read_text(files[name]) for name in TYPED if name in files},
        published_trials=read_text(files[TRIALS]) if TRIALS in files else None,
        units=found.units, studies=tables.studies,
    )  # fmt: skip
    yield from lines(methods, records(reproduction)[0])
