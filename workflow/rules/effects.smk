# The tables as they were typed are an input too: while they are bad, the results are not up to date.
rule effects:
    """Effect sizes: one result per trial, outcome and time window, and what became of every row."""
    input:
        files=review_files,
        protocol="work/{review}/checked/protocol.json",
        studies="work/{review}/checked/studies.csv",
        arms="work/{review}/checked/arms.csv",
        contrasts="work/{review}/checked/contrasts.csv",
        risk_of_bias="work/{review}/checked/risk_of_bias.csv",
        tools=TOOLS,
        source=library("effects"),
    output:
        effects=shown_table("effects.csv", "effects", "effect sizes"),
        exclusions=shown_table("exclusions.csv", "exclusions", "unusable rows"),
        not_pooled="results/{review}/not_pooled.csv",
        units="results/{review}/units.csv",
        readings="results/{review}/readings.csv",
        rows="results/{review}/rows.csv",
        flags="results/{review}/flags.csv",
        sweep="results/{review}/crossover_sweep.csv",
        dependence_sweep="results/{review}/dependence_sweep.csv",
        worked=directory("results/{review}/worked"),
    log:
        "logs/{review}/effects.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: effect sizes"
    script:
        "../../scripts/effects.py"
