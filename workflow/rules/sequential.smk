rule sequential:
    """Trial sequential analysis, and its figures."""
    input:
        protocol="work/{review}/checked/protocol.json",
        effects="results/{review}/effects.csv",
        pooled="results/{review}/pooled.csv",
        source=library("sequential"),
    output:
        table="results/{review}/sequential.csv",
        figures=shown_figures("sequential", "sequential", "Sequential analysis"),
        index="results/{review}/figures/sequential.csv",
    log:
        "logs/{review}/sequential.log",
    conda:
        ENVIRONMENT
    params:
        formats=FORMATS,
    message:
        "{wildcards.review}: sequential analysis"
    script:
        "../../scripts/sequential.py"
