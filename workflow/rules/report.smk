# The summary, the page, the workbook; the list of reviews; on request the page as PDF, a Word document, an archive.
rule report:
    """The summary, the page, the workbook of a review; what it was made of, and what changed since the former one."""
    input:
        files=review_files,
        published=lambda wildcards: data_files(wildcards, "published.csv"),
        flow=lambda wildcards: data_files(wildcards, "flow.csv"),
        others=lambda wildcards: data_files(
            wildcards, "claims.yaml", "certainty_overrides.csv"
        ),
        former=archives,
        protocol="work/{review}/checked/protocol.json",
        studies="work/{review}/checked/studies.csv",
        arms="work/{review}/checked/arms.csv",
        contrasts="work/{review}/checked/contrasts.csv",
        effects="results/{review}/effects.csv",
        units="results/{review}/units.csv",
        rows="results/{review}/rows.csv",
        not_pooled="results/{review}/not_pooled.csv",
        readings="results/{review}/readings.csv",
        flags="results/{review}/flags.csv",
        worked="results/{review}/worked",
        sweep="results/{review}/crossover_sweep.csv",
        pooled="results/{review}/pooled.csv",
        subgroups="results/{review}/subgroups.csv",
        weights="results/{review}/weights.csv",
        bayes="results/{review}/bayes.csv",
        meta_regression="results/{review}/meta_regression.csv",
        dependence="results/{review}/dependence.csv",
        pooled_sweep="results/{review}/crossover_sweep_pooled.csv",
        leave_one_out="results/{review}/robustness/leave_one_out.csv",
        small_study="results/{review}/robustness/small_study.csv",
        fragility="results/{review}/robustness/fragility.csv",
        conclusions="results/{review}/robustness/conclusions.csv",
        sequential="results/{review}/sequential.csv",
        certainty="results/{review}/certainty.csv",
        summary_of_findings="results/{review}/summary_of_findings.csv",
        claims="results/{review}/claims.json",
        reproduction="results/{review}/reproduction.csv",
        reproduction_methods="results/{review}/reproduction_methods.csv",
        published_checks="results/{review}/published_checks.csv",
        figures="results/{review}/figures/index.csv",
        figures_robustness="results/{review}/figures/robustness.csv",
        figures_sequential="results/{review}/figures/sequential.csv",
        figures_risk_of_bias="results/{review}/figures/risk_of_bias.csv",
        figures_timeline="results/{review}/figures/timeline.csv",
        risk_of_bias="work/{review}/checked/risk_of_bias.csv",
        tools=TOOLS,
        source=library("report"),
    output:
        summary="results/{review}/summary.md",
        html=report(
            "results/{review}/report.html",
            caption="../report/report.rst",
            category="{review}",
            subcategory="The review",
            labels={"file": "page"},
        ),
        workbook=report(
            "results/{review}/workbook.xlsx",
            caption="../report/workbook.rst",
            category="{review}",
            subcategory="The review",
            labels={"file": "workbook"},
        ),
        metafor="results/{review}/metafor.csv",
        run_summary="results/{review}/run_summary.txt",
        checked=directory("results/{review}/checked"),
        provenance="results/{review}/provenance.json",
        changes="results/{review}/changes.csv",
    log:
        "logs/{review}/report.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: report"
    script:
        "../../scripts/report.py"


rule report_index:
    """The list of all reviews, results/index.html."""
    input:
        protocols=expand("work/{review}/checked/protocol.json", review=PLACES),
        effects=expand("results/{review}/effects.csv", review=PLACES),
        pooled=expand("results/{review}/pooled.csv", review=PLACES),
        findings=expand("results/{review}/summary_of_findings.csv", review=PLACES),
        claims=expand("results/{review}/claims.json", review=PLACES),
        source=library("report"),
    output:
        index="results/index.html",
    log:
        "logs/report_index.log",
    localrule: True
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
    """The page as PDF, on request; needs Chromium."""
    input:
        html="results/{review}/report.html",
        source=library("report"),
    output:
        pdf="results/{review}/report.pdf",
    log:
        "logs/{review}/report_pdf.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: PDF of the report"
    script:
        "../../scripts/report.py"


# On request, too: `snakemake results/ketamine-chronic-pain/report.docx`.
rule report_word:
    """The draft of a results section as a Word document, on request."""
    input:
        **dict(rules.report.input.items()),
    output:
        word="results/{review}/report.docx",
    log:
        "logs/{review}/report_word.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: the report as a Word document"
    script:
        "../../scripts/report.py"


# On request: `snakemake archive`, or one by its name.
rule review_archive:
    """Data, results, lock and provenance of a review in one file to deposit, an RO-Crate."""
    input:
        data=lambda wildcards: sorted(
            str(path)
            for path in (Path("data") / wildcards.review.partition("/")[0]).iterdir()
            if path.is_file() and not path.name.startswith(".")
        ),
        results=archived,
        protocol="work/{review}/checked/protocol.json",
        tools=TOOLS,
        locks=[
            os.path.relpath(HOME / name)
            for name in ("environment.yml", "requirements.lock")
            if (HOME / name).exists()
        ],
        source=library("archive"),
    output:
        "results/{review}/archive.zip",
    log:
        "logs/{review}/archive.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: archive"
    script:
        "../../scripts/archive.py"


rule archive:
    """An archive of every review, on request."""
    input:
        expand("results/{review}/archive.zip", review=PLACES),
