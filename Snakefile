# reweigh: from extracted trial results to pooled estimates, pain-type subgroups and forest plots.
# This file is the table of contents; nothing is computed in it.
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")


# A folder without a configuration builds every review that it has.
if Path("config/config.yaml").exists():

    configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/check.smk"
include: "workflow/rules/as_of.smk"
include: "workflow/rules/effects.smk"
include: "workflow/rules/pool.smk"
include: "workflow/rules/robustness.smk"
include: "workflow/rules/sequential.smk"
include: "workflow/rules/certainty.smk"
include: "workflow/rules/claims.smk"
include: "workflow/rules/reproduction.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


rule all:
    """Everything: tables, figures, the page of each review, the list of reviews."""
    default_target: True
    input:
        expand("results/{review}/{result}", review=PLACES, result=RESULTS),
        INDEX,


rule core:
    """The road without the later stages: effect sizes, pooled estimates, subgroups, forest plots."""
    input:
        expand("results/{review}/{result}", review=PLACES, result=CORE),


rule tables:
    """Effect sizes, pooled estimates and subgroups as tables; nothing is drawn."""
    input:
        expand("results/{review}/{result}", review=PLACES, result=POOLED),


# In a module neither runs: there run_summary.txt, core_summary.txt and the logs say the same.
onsuccess:
    print_results(PLACES)


onerror:
    print_results(PLACES, STARTED)
