# How fragile: one job makes every table of a review and draws them.
rule robustness:
    """How fragile the results are: leave-one-out, small-study effects, the multiverse."""
    input:
        protocol="work/{review}/checked/protocol.json",
        studies="work/{review}/checked/studies.csv",
        arms="work/{review}/checked/arms.csv",
        contrasts="work/{review}/checked/contrasts.csv",
        effects="results/{review}/effects.csv",
        source=library("robustness"),
    output:
        leave_one_out="results/{review}/robustness/leave_one_out.csv",
        cumulative="results/{review}/robustness/cumulative.csv",
        influence="results/{review}/robustness/influence.csv",
        fragility="results/{review}/robustness/fragility.csv",
        small_study="results/{review}/robustness/small_study.csv",
        subsets="results/{review}/robustness/subsets.csv",
        stored="results/{review}/robustness/subsets.npz",
        multiverse="results/{review}/robustness/multiverse.csv",
        multiverse_summary="results/{review}/robustness/multiverse_summary.csv",
        conclusions=shown_table(
            "robustness/conclusions.csv", "conclusions", "how fragile"
        ),
        figures=shown_figures("robustness", "robustness", "Robustness"),
        index="results/{review}/figures/robustness.csv",
    log:
        "logs/{review}/robustness.log",
    conda:
        ENVIRONMENT
    params:
        formats=FORMATS,
    message:
        "{wildcards.review}: robustness"
    script:
        "../../scripts/robustness.py"
