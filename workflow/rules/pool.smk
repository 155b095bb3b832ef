rule pool:
    """Pooled estimates by every model, subgroups, meta-regressions."""
    input:
        protocol="work/{review}/checked/protocol.json",
        effects="results/{review}/effects.csv",
        units="results/{review}/units.csv",
        sweep="results/{review}/crossover_sweep.csv",
        dependence_sweep="results/{review}/dependence_sweep.csv",
        source=library("pool"),
    output:
        pooled=shown_table("pooled.csv", "pooled", "pooled estimates"),
        weights="results/{review}/weights.csv",
        subgroups=shown_table("subgroups.csv", "subgroups", "subgroups"),
        engines="results/{review}/engines.csv",
        bayes="results/{review}/bayes.csv",
        meta_regression="results/{review}/meta_regression.csv",
        dependence="results/{review}/dependence.csv",
        sweep="results/{review}/crossover_sweep_pooled.csv",
        dependence_sweep="results/{review}/dependence_sweep_pooled.csv",
    log:
        "logs/{review}/pool.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: pooling and subgroups"
    script:
        "../../scripts/pool.py"
