rule reproduction:
    input:
        files=lambda wildcards: data_files(
            wildcards, "published.csv", "published_trials.csv"
        ),
        optional=lambda wildcards: data_files(wildcards, "arms.csv", "contrasts.csv"),
        protocol="work/{review}/checked/review.yaml",
        effects="results/{review}/effects.csv",
        pooled="results/{review}/pooled.csv",
        certainty="results/{review}/certainty.csv",
        source=modules("io", "protocol", "reproduction", "pool", "figures"),
    output:
        ledger="results/{review}/reproduction.csv",
        checks="results/{review}/published_checks.csv",
        index="results/{review}/figures/timeline.csv",
    log:
        "logs/{review}/reproduction.log",
    conda:
        ENVIRONMENT
    params:
        formats=FORMATS,
        folder="results/{review}/figures/timeline",
    message:
        "{wildcards.review}: published estimates"
    script:
        "../../scripts/reproduction.py"
