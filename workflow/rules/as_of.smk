# A review as of a year is a review whose tables end there: `<review>/as_of/<year>` runs through all later rules.
rule as_of:
    """Cut a review's tables at a year: what was known then."""
    input:
        protocol="work/{whole}/checked/protocol.json",
        studies="work/{whole}/checked/studies.csv",
        arms="work/{whole}/checked/arms.csv",
        contrasts="work/{whole}/checked/contrasts.csv",
        risk_of_bias="work/{whole}/checked/risk_of_bias.csv",
        source=library("as_of"),
    output:
        protocol="work/{whole}/as_of/{year}/checked/protocol.json",
        studies="work/{whole}/as_of/{year}/checked/studies.csv",
        arms="work/{whole}/as_of/{year}/checked/arms.csv",
        contrasts="work/{whole}/as_of/{year}/checked/contrasts.csv",
        risk_of_bias="work/{whole}/as_of/{year}/checked/risk_of_bias.csv",
        left_out="results/{whole}/as_of/{year}/left_out.csv",
    log:
        "logs/{whole}/as_of/{year}/as_of.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.whole}: as of {wildcards.year}"
    script:
        "../../scripts/as_of.py"
