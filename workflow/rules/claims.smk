# What the robustness and sequential stages know is shown where it exists; without it a page says "not yet computed".
rule claims:
    input:
        files=lambda wildcards: data_files(
            wildcards, "risk_of_bias.csv", "certainty_overrides.csv", "published.csv"
        ),
        optional=lambda wildcards: claims_optional(wildcards),
        claims="data/{review}/claims.yaml",
        tools="data/risk_of_bias_tools.yaml",
        protocol="work/{review}/checked/review.yaml",
        studies="work/{review}/checked/studies.csv",
        effects="results/{review}/effects.csv",
        source=modules("io", "protocol", "certainty", "claims", "pool", "sequential", "robustness", "figures"),
    output:
        table="results/{review}/claims.csv",
        json="results/{review}/claims.json",
        pages=directory("results/{review}/claims"),
    log:
        "logs/{review}/claims.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: claims"
    script:
        "../../scripts/claims.py"


def claims_optional(wildcards):
    """Results of other stages that this workflow has: name them here once their rules are included."""
    return []
