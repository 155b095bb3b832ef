# The checked tables are working files, not results: a failed job loses its old outputs,
# and bad input must leave every earlier result as it was.
rule check:
    """Check the protocol and the tables of a review: every problem at once, or the checked tables."""
    input:
        files=review_files,
        others=lambda wildcards: data_files(
            wildcards, "claims.yaml", "certainty_overrides.csv", "published_trials.csv"
        ),
        former=archives,
        tools=TOOLS,
        source=library("check"),
    output:
        protocol="work/{review}/checked/protocol.json",
        studies="work/{review}/checked/studies.csv",
        arms="work/{review}/checked/arms.csv",
        contrasts="work/{review}/checked/contrasts.csv",
        risk_of_bias="work/{review}/checked/risk_of_bias.csv",
    log:
        "logs/{review}/check.log",
    wildcard_constraints:
        review="(gallery/)?[^/]+",
    priority: 1
    conda:
        ENVIRONMENT
    params:
        # A misspelt file name is no input: it is a reason to check again.
        names=lambda wildcards: sorted(
            path.name
            for path in data_folder(wildcards.review).iterdir()
            if path.is_file()
        ),
    message:
        "{wildcards.review}: checking the tables"
    script:
        "../../scripts/check.py"
