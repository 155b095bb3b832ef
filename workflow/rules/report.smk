rule report:
    input:
        protocol="work/{review}/checked/review.yaml",
        effects="results/{review}/effects.csv",
        rows="results/{review}/rows.csv",
        pooled="results/{review}/pooled.csv",
        subgroups="results/{review}/subgroups.csv",
        meta_regression="results/{review}/meta_regression.csv",
        dependence="results/{review}/dependence.csv",
        conclusions="results/{review}/robustness/conclusions.csv",
        sequential="results/{review}/sequential.csv",
        index="results/{review}/figures/index.csv",
        source=modules("console", "io", "protocol", "report", "figures"),
    output:
        "results/{review}/summary.md",
    log:
        "logs/{review}/report.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: summary"
    script:
        "../../scripts/report.py"
