# Risk-of-bias judgements and a person's overrides lie in the data folder; a review without them is graded without.
rule certainty:
    """Certainty of evidence (GRADE), the Summary of Findings, risk-of-bias figures."""
    input:
        files=lambda wildcards: data_files(wildcards, "certainty_overrides.csv"),
        studies="work/{review}/checked/studies.csv",
        risk_of_bias="work/{review}/checked/risk_of_bias.csv",
        tools=TOOLS,
        protocol="work/{review}/checked/protocol.json",
        effects="results/{review}/effects.csv",
        pooled="results/{review}/pooled.csv",
        weights="results/{review}/weights.csv",
        source=library("certainty"),
    output:
        certainty="results/{review}/certainty.csv",
        csv=shown_table("summary_of_findings.csv", "findings", "Summary of Findings"),
        html="results/{review}/summary_of_findings.html",
        docx="results/{review}/summary_of_findings.docx",
        figures=shown_figures("risk_of_bias", "risk_of_bias", "Risk of bias"),
        index="results/{review}/figures/risk_of_bias.csv",
    log:
        "logs/{review}/certainty.log",
    conda:
        ENVIRONMENT
    params:
        formats=FORMATS,
    message:
        "{wildcards.review}: certainty of evidence"
    script:
        "../../scripts/certainty.py"
