"""Effect sizes of a review: one result per trial, outcome and window, its derivation, and what became of every row."""

from pathlib import Path

from reweigh.console import logged
from reweigh.effects.pages import crossover_sweep, dependence_sweep, worked_pages
from reweigh.effects.readings import compare_readings, typed_cells
from reweigh.effects.selection import exclusions, select
from reweigh.flags import flag_table, flags_of, notices_of
from reweigh.io import read_csv, write_csv
from reweigh.protocol.read import load_written
from reweigh.risk_of_bias import read_tools
from reweigh.workbooks import with_tables

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        protocol = load_written(Path(snakemake.input.protocol).read_bytes())
        names = ("studies", "arms", "contrasts")
        studies, arms, contrasts = (read_csv(snakemake.input[name], protocol.number_columns) for name in names)
        selection = select(studies, arms, contrasts, protocol)
        write_csv(selection.effects, snakemake.output.effects)
        write_csv(selection.rows, snakemake.output.rows)
        write_csv(exclusions(selection.rows), snakemake.output.exclusions)
        write_csv(selection.not_pooled, snakemake.output.not_pooled)
        write_csv(selection.units, snakemake.output.units)
        typed = with_tables({Path(path).name: Path(path).read_bytes() for path in snakemake.input.files}).files
        readings = compare_readings(studies, arms, contrasts, protocol, typed_cells(typed))
        write_csv(readings, snakemake.output.readings)
        tools = read_tools(Path(snakemake.input.tools).read_bytes())
        bias = read_csv(snakemake.input.risk_of_bias)
        flags = [
            *flags_of(protocol, studies, arms, contrasts, bias, tools, typed, selection.effects),
            *notices_of(protocol, arms, contrasts, typed, selection.rows),
        ]
        write_csv(flag_table(flags, studies), snakemake.output.flags)
        write_csv(crossover_sweep(selection, protocol), snakemake.output.sweep)
        write_csv(dependence_sweep(selection, protocol), snakemake.output.dependence_sweep)
        folder = Path(snakemake.output.worked)
        folder.mkdir(parents=True, exist_ok=True)
        for name, page in worked_pages(selection, {"arms.csv": arms, "contrasts.csv": contrasts}, protocol).items():
            (folder / name).write_text(page, encoding="utf-8")
