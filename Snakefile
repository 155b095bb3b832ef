# reweigh: from extracted trial results to pooled estimates, pain-type subgroups and forest plots.
# The rules are listed in workflow/Snakefile, where the workflow catalog and other workflows look for them.
include: "workflow/Snakefile"


# The default target of an included file is not that of the file that includes it.
rule default:
    """What is built where no target is named: all; of a corpus what its configuration says."""
    default_target: True
    input:
        rules.corpus.input if CORPUS else rules.all.input,
