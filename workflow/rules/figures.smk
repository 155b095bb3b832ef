# All figures of a review are one job, which owns their list; a single one is also a target by its name.
rule figures:
    """All forest plots of a review, its flow diagram, and their list."""
    input:
        protocol="work/{review}/checked/protocol.json",
        effects="results/{review}/effects.csv",
        units="results/{review}/units.csv",
        pooled="results/{review}/pooled.csv",
        subgroups="results/{review}/subgroups.csv",
        weights="results/{review}/weights.csv",
        not_pooled="results/{review}/not_pooled.csv",
        risk_of_bias="work/{review}/checked/risk_of_bias.csv",
        tools=TOOLS,
        sweep="results/{review}/crossover_sweep.csv",
        pooled_sweep="results/{review}/crossover_sweep_pooled.csv",
        rows="results/{review}/rows.csv",
        flags="results/{review}/flags.csv",
        exclusions="results/{review}/exclusions.csv",
        flow=lambda wildcards: data_files(wildcards, "flow.csv"),
        source=library("figures"),
    output:
        forest=shown_figures("forest", "forest", "Forest plots"),
        forest_revman=shown_figures(
            "forest_revman", "forest", "Forest plots, RevMan's layout"
        ),
        forest_jama=shown_figures(
            "forest_jama", "forest", "Forest plots, JAMA's layout"
        ),
        forest_bmj=shown_figures(
            "forest_bmj", "forest", "Forest plots, the BMJ's layout"
        ),
        sweep=shown_figures("sweep", "further", "Crossover correlation"),
        bubble=shown_figures("bubble", "further", "Meta-regression"),
        flow=shown_figures("flow", "further", "PRISMA 2020 flow diagram"),
        index="results/{review}/figures/index.csv",
        core_summary="results/{review}/core_summary.txt",
    log:
        "logs/{review}/figures.log",
    conda:
        ENVIRONMENT
    params:
        formats=FORMATS,
        # A corpus and the gallery have plots in the main layout alone; another one can be asked for by name.
        journals=lambda wildcards: not CORPUS
        and data_folder(wildcards.review).parts[0] == "data",
        lost=lambda wildcards: lost_figures(wildcards.review),
    message:
        "{wildcards.review}: forest plots"
    script:
        "../../scripts/figures.py"


rule figure:
    """One forest plot, asked for by its name: svg, pdf or png."""
    input:
        protocol="work/{review}/checked/protocol.json",
        effects="results/{review}/effects.csv",
        units="results/{review}/units.csv",
        pooled="results/{review}/pooled.csv",
        subgroups="results/{review}/subgroups.csv",
        weights="results/{review}/weights.csv",
        not_pooled="results/{review}/not_pooled.csv",
        risk_of_bias="work/{review}/checked/risk_of_bias.csv",
        tools=TOOLS,
        source=library("figures"),
    output:
        figure="results/{review}/figures/{layout}/{analysis}.{format}",
    log:
        "logs/{review}/figure.{layout}.{analysis}.{format}.log",
    conda:
        ENVIRONMENT
    message:
        "{wildcards.review}: forest plot of {wildcards.analysis}"
    script:
        "../../scripts/figures.py"
