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
        ledger=report(
            "results/{review}/reproduction.csv",
            caption="../report/reproduction.rst",
            category="{review}",
            subcategory="Tables",
            labels={"table": "published estimates"},
        ),
        checks="results/{review}/published_checks.csv",
        figures=report(
            directory("results/{review}/figures/timeline"),
            patterns=["{figure}.svg"],
            caption="../report/timeline.rst",
            category="{review}",
            subcategory="Published estimates",
            labels={"figure": "{figure}"},
        ),
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
