"""Figures: all of a review with their list, or the one forest plot that is asked for."""

import sys
from pathlib import Path

import pandas as pd

from reweigh.console import logged, result_text
from reweigh.figures.flow import flow_figures
from reweigh.figures.forest.catalogue import journal_plot_ids, plot, plot_ids
from reweigh.figures.forest.draw import draw_forest, forest_table
from reweigh.figures.forest.journals import JOURNALS, LAYOUTS
from reweigh.figures.further import bubbles, sweeps
from reweigh.figures.svg import save
from reweigh.io import read_csv, read_texts, write_csv
from reweigh.protocol.read import load_written
from reweigh.risk_of_bias import load_risk_of_bias
from reweigh.text.files import file_name

FOLDERS = {layout.folder: layout for layout in LAYOUTS.values()}
KINDS = (*FOLDERS, "sweep", "bubble", "flow")


def draw_one(one):
    """A forest plot."""
    return draw_forest(forest_table(one.effects, one.pooled, one.subgroups, one.meta, one.not_pooled), one.meta)


if __name__ == "__main__":
    with logged(snakemake.log[0]):
        protocol = load_written(Path(snakemake.input.protocol).read_bytes())
        names = ("effects", "pooled", "subgroups", "weights")
        tables = [read_csv(snakemake.input[name], protocol.number_columns) for name in names]
        lost, units = read_csv(snakemake.input.not_pooled), read_csv(snakemake.input.units, protocol.number_columns)
        bias = load_risk_of_bias(snakemake.input.risk_of_bias, snakemake.input.tools)
        if hasattr(snakemake.output, "figure"):  # in a module a rule may have another name
            try:
                layout = FOLDERS[snakemake.wildcards.layout]
                names = {file_name(name): name for name in plot_ids(tables[0], protocol, units)}
                asked = snakemake.wildcards.analysis
                one = plot(names.get(asked, asked), *tables, protocol, bias, layout, lost, units)
            except KeyError as unknown:
                Path(snakemake.log[0]).write_text(f"{unknown.args[0]}\n", encoding="utf-8")
                sys.exit(f"\n{unknown.args[0]}\n")
            save(draw_one(one), snakemake.output.figure)
        else:
            names = plot_ids(tables[0], protocol, units)
            plots = [plot(name, *tables, protocol, bias, not_pooled=lost, units=units) for name in names]
            names, journals = journal_plot_ids(tables[0]), JOURNALS if snakemake.params.journals else ()
            plots += [plot(name, *tables, protocol, bias, layout, lost) for layout in journals for name in names]
            further = {
                "sweep": sweeps(
                    tables[0], read_csv(snakemake.input.sweep), read_csv(snakemake.input.pooled_sweep), protocol
                )
            }
            further["bubble"] = bubbles(tables[0], protocol)
            flow = read_texts(snakemake.input.flow, "flow.csv")
            further["flow"] = () if flow is None else flow_figures(flow.to_dict("records"))
            figures = [
                (one.meta.layout.folder, one.analysis, one.meta.title, one.caption, draw_one(one)) for one in plots
            ]
            for kind, of_kind in further.items():
                figures += [(kind, name, f.title, f"{f.title}. {f.description}", f) for name, f in of_kind]
            for kind in KINDS:
                Path(snakemake.output[kind]).mkdir(parents=True)
            for kind, name, *_, figure in figures:
                for ending in snakemake.params.formats:
                    save(figure, Path(snakemake.output[kind]) / f"{file_name(name)}.{ending}")
            index = pd.DataFrame([figure[:4] for figure in figures], columns=["kind", "analysis", "title", "caption"])
            write_csv(index, snakemake.output.index)
            place = Path(snakemake.output.core_summary)
            told = result_text(snakemake.wildcards.review, place.parent, whole=False)
            place.write_text(told + "\n", encoding="utf-8")
