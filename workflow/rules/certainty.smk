# Risk-of-bias judgements and a person's overrides lie in the data folder; a review without them is graded without.
rule certainty:
    input:
        files=lambda wildcards: data_files(wildcards, "certainty_overrides.csv"),
        studies="work/{review}/checked/studies.csv",
        risk_of_bias="work/{review}/checked/risk_of_bias.csv",
        tools="data/risk_of_bias_tools.yaml",
        protocol="work/{review}/checked/review.yaml",
        effects="results/{review}/effects.csv",
        pooled="results/{review}/pooled.csv",
        source=modules(
            "io",
            "protocol",
            "risk_of_bias",
            "certainty",
            "sequential",
            "robustness",
            "figures",
        ),
    output:
        certainty="results/{review}/certainty.csv",
        csv=report(
            "results/{review}/summary_of_findings.csv",
            caption="../report/findings.rst",
            category="{review}",
            subcategory="Tables",
            labels={"table": "Summary of Findings"},
        ),
        html="results/{review}/summary_of_findings.html",
        docx="results/{review}/summary_of_findings.docx",
        figures=report(
            directory("results/{review}/figures/risk_of_bias"),
            patterns=["{figure}.svg"],
            caption="../report/risk_of_bias.rst",
            category="{review}",
            subcategory="Risk of bias",
            labels={"figure": "{figure}"},
        ),
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
