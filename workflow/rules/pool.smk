rule pool:
    input:
        protocol="work/{review}/checked/review.yaml",
        effects="results/{review}/effects.csv",
        source=modules("console", "io", "protocol", "pool"),
    output:
        pooled="results/{review}/pooled.csv",
        subgroups="results/{review}/subgroups.csv",
    log:
        "logs/{review}/pool.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: pooling and subgroups"
    script:
        "../../scripts/pool.py"
