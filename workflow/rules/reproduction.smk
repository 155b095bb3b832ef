rule reproduction:
    """Published estimates recomputed by the model of their authors, and all of them by year."""
    input:
        files=lambda wildcards: data_files(
            wildcards, "published.csv", "published_trials.csv"
        ),
        optional=lambda wildcards: data_files(wildcards, "arms.csv", "contrasts.csv"),
        protocol="work/{review}/checked/protocol.json",
        studies="work/{review}/checked/studies.csv",
        effects="results/{review}/effects.csv",
        units="results/{review}/units.csv",
        pooled="results/{review}/pooled.csv",
        certainty="results/{review}/certainty.csv",
        source=library("reproduction"),
    output:
        ledger=shown_table("reproduction.csv", "reproduction", "published estimates"),
        methods="results/{review}/reproduction_methods.csv",
        checks="results/{review}/published_checks.csv",
        figures=shown_figures("timeline", "timeline", "Published estimates"),
        index="results/{review}/figures/timeline.csv",
    log:
        "logs/{review}/reproduction.log",
    conda:
        ENVIRONMENT
    params:
        formats=FORMATS,
    message:
        "{wildcards.review}: published estimates"
    script:
        "../../scripts/reproduction.py"
