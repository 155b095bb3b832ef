# A corpus: batches of reviews, their table, their page. What a batch is stands in batches.smk.
rule corpus_tables:
    """Effect sizes, pooled estimates and subgroups of a batch of reviews; a row per analysis for corpus.csv."""
    input:
        files=batch_files,
        tools=TOOLS,
        source=[*stage_libraries("tables"), *library("corpus_batch")],
    output:
        done="work/corpus/{batch}/tables/corpus_problems.csv",
        analyses="work/corpus/{batch}/corpus.csv",
    log:
        "logs/corpus/{batch}/tables.log",
    conda:
        ENVIRONMENT
    params:
        stages=batch_stages("tables"),
        lost=lost_results("tables", "work/corpus/{batch}/tables/corpus_problems.csv"),
        important=CORPUS.get("important", {}),
    message:
        "batch {wildcards.batch}: tables"
    script:
        "../../scripts/corpus_batch.py"


rule corpus_core:
    """Forest plots of a batch of reviews, in the main layout alone."""
    input:
        earlier="work/corpus/{batch}/tables/corpus_problems.csv",
        tools=TOOLS,
        source=[*stage_libraries("core"), *library("corpus_batch")],
    output:
        done="work/corpus/{batch}/core/corpus_problems.csv",
    log:
        "logs/corpus/{batch}/core.log",
    conda:
        ENVIRONMENT
    params:
        stages=batch_stages("core"),
        lost=lost_results("core", "work/corpus/{batch}/core/corpus_problems.csv"),
    message:
        "batch {wildcards.batch}: forest plots"
    script:
        "../../scripts/corpus_batch.py"


rule corpus_all:
    """Everything else of a batch of reviews, to their pages."""
    input:
        earlier="work/corpus/{batch}/core/corpus_problems.csv",
        files=batch_files,
        tools=TOOLS,
        source=[*stage_libraries("all"), *library("corpus_batch")],
    output:
        done="work/corpus/{batch}/all/corpus_problems.csv",
    log:
        "logs/corpus/{batch}/all.log",
    conda:
        ENVIRONMENT
    params:
        stages=batch_stages("all"),
        lost=lost_results("all", "work/corpus/{batch}/all/corpus_problems.csv"),
    message:
        "batch {wildcards.batch}: pages"
    script:
        "../../scripts/corpus_batch.py"


rule corpus_page:
    """A row per analysis of every review of a corpus, and the page of them all."""
    input:
        analyses=expand("work/corpus/{batch}/corpus.csv", batch=BATCHES),
        done=batches_done(DEPTH),
        source=library("corpus"),
    output:
        table="results/corpus.csv",
        problems="results/corpus_problems.csv",
        page="results/corpus.html",
        summary="results/corpus_summary.txt",
    log:
        "logs/corpus.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        depth=DEPTH,
        important=CORPUS.get("important", {}),
        not_imported=CORPUS.get("not_imported", {}),
    message:
        "the corpus"
    script:
        "../../scripts/corpus.py"
