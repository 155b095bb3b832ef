rule claims:
    """A verdict by rule on every claim of claims.yaml, with a page each."""
    input:
        files=lambda wildcards: data_files(
            wildcards, "certainty_overrides.csv", "published.csv"
        ),
        multiverse="results/{review}/robustness/multiverse_summary.csv",
        sequential="results/{review}/sequential.csv",
        claims=lambda wildcards: data_files(wildcards, "claims.yaml"),
        tools=TOOLS,
        protocol="work/{review}/checked/protocol.json",
        studies="work/{review}/checked/studies.csv",
        risk_of_bias="work/{review}/checked/risk_of_bias.csv",
        effects="results/{review}/effects.csv",
        units="results/{review}/units.csv",
        source=library("claims"),
    output:
        table=shown_table("claims.csv", "claims", "claims"),
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
