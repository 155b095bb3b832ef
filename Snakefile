# reweigh: from extracted trial results to pooled estimates, pain-type subgroups and forest plots.
# The rules are listed in workflow/Snakefile, where the workflow catalog and other workflows look for them.
include: "workflow/Snakefile"
