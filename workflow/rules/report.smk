# Results that the report shows where the workflow has the rule that makes them; without it a section says "not yet
# computed".
LATER = {
    "robustness": (
        "robustness/leave_one_out.csv",
        "robustness/small_study.csv",
        "robustness/fragility.csv",
        "figures/robustness.csv",
    ),
    "sequential": ("figures/sequential.csv",),
    "certainty": ("certainty.csv",),
    "claims": ("claims.json",),
    "reproduction": ("reproduction.csv",),
}


def report_optional(wildcards):
    """Tables of later stages, and those of the data folder that a page shows as they were typed."""
    folder = Path("data") / wildcards.review.partition("/")[0]
    found = [
        str(folder / name)
        for name in ("risk_of_bias.csv", "published.csv")
        if (folder / name).exists()
    ]
    for stage, names in LATER.items():
        if workflow.is_rule(stage) and (
            stage != "claims" or (folder / "claims.yaml").exists()
        ):
            found += [f"results/{wildcards.review}/{name}" for name in names]
    return found


def report_assets():
    """Templates, styles and scripts of the page."""
    folder = SOURCE / "reweigh" / "report"
    endings = (".j2", ".css", ".js")
    return [
        os.path.relpath(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix in endings
    ]


rule report:
    input:
        files=review_files,
        optional=report_optional,
        protocol="work/{review}/checked/review.yaml",
        studies="work/{review}/checked/studies.csv",
        effects="results/{review}/effects.csv",
        rows="results/{review}/rows.csv",
        worked="results/{review}/worked",
        sweep="results/{review}/crossover_sweep.csv",
        pooled="results/{review}/pooled.csv",
        subgroups="results/{review}/subgroups.csv",
        bayes="results/{review}/bayes.csv",
        meta_regression="results/{review}/meta_regression.csv",
        dependence="results/{review}/dependence.csv",
        pooled_sweep="results/{review}/crossover_sweep_pooled.csv",
        conclusions="results/{review}/robustness/conclusions.csv",
        sequential="results/{review}/sequential.csv",
        index="results/{review}/figures/index.csv",
        source=modules("console", "io", "protocol", "report", "figures", "pool"),
        assets=report_assets(),
    output:
        summary="results/{review}/summary.md",
        html="results/{review}/report.html",
        workbook="results/{review}/workbook.xlsx",
    log:
        "logs/{review}/report.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: report"
    script:
        "../../scripts/report.py"


rule report_index:
    input:
        protocols=expand("work/{review}/checked/review.yaml", review=PLACES),
        effects=expand("results/{review}/effects.csv", review=PLACES),
        pooled=expand("results/{review}/pooled.csv", review=PLACES),
        source=modules("console", "io", "protocol", "report", "figures"),
        assets=report_assets(),
    output:
        "results/index.html",
    log:
        "logs/report_index.log",
    conda:
        ENVIRONMENT
    params:
        reviews=PLACES,
    message:
        "list of reviews"
    script:
        "../../scripts/report.py"


# On request, e.g. `snakemake results/ketamine-chronic-pain/report.pdf`; needs Chromium.
rule report_pdf:
    input:
        html="results/{review}/report.html",
        source=modules("console", "report/pdf"),
    output:
        "results/{review}/report.pdf",
    log:
        "logs/{review}/report_pdf.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: PDF of the report"
    script:
        "../../scripts/report.py"
