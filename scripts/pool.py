"""Pooled estimates and subgroups of every analysis of a review."""

import sys
from pathlib import Path

from reweigh.console import logged
from reweigh.io import read_csv, write_csv
from reweigh.pool.dependence import dependence_table
from reweigh.pool.engines import EngineDisagreement
from reweigh.pool.few_trials import bayes_table
from reweigh.pool.moderators import regression_table
from reweigh.pool.summarise import engines_table, fit_all, pooled_table, subgroup_table, sweep_table, weights_table
from reweigh.protocol.read import load_written

if __name__ == "__main__":
    with logged(snakemake.log[0]):
        protocol = load_written(Path(snakemake.input.protocol).read_bytes())
        effects = read_csv(snakemake.input.effects, protocol.number_columns)
        units = read_csv(snakemake.input.units, protocol.number_columns)
        fits = fit_all(effects, protocol, units=units)
        pooled = pooled_table(effects, protocol, fits=fits, units=units)
        try:
            engines = engines_table(effects, pooled, protocol, units)
        except EngineDisagreement as disagreement:
            sys.exit(f"\n{snakemake.wildcards.review}: the two engines disagree: {disagreement}\n")
        write_csv(engines, snakemake.output.engines)
        write_csv(pooled, snakemake.output.pooled)
        write_csv(weights_table(effects, protocol, fits, units), snakemake.output.weights)
        write_csv(subgroup_table(effects, protocol, units), snakemake.output.subgroups)
        write_csv(bayes_table(effects, protocol, units), snakemake.output.bayes)
        write_csv(regression_table(effects, protocol), snakemake.output.meta_regression)
        for name in ("sweep", "dependence_sweep"):
            write_csv(sweep_table(effects, read_csv(snakemake.input[name]), protocol), snakemake.output[name])
        write_csv(dependence_table(effects, protocol), snakemake.output.dependence)
