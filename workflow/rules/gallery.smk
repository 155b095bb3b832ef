# The gallery: published meta-analyses under gallery/. One job takes a review through all stages; plain `snakemake`
# leaves them alone. What a job of several stages is stands in batches.smk.
rule gallery_review:
    """One review of the gallery, to its page."""
    input:
        files=batch_files,
        tools=TOOLS,
        source=[*stage_libraries("gallery"), *library("corpus_batch")],
    output:
        done="work/{review}/corpus_problems.csv",
    log:
        "logs/{review}/gallery.log",
    wildcard_constraints:
        review="gallery/[^/]+",
    conda:
        ENVIRONMENT
    params:
        stages=batch_stages("gallery"),
        lost=lost_results("gallery", "work/{review}/corpus_problems.csv"),
    message:
        "{wildcards.review}"
    script:
        "../../scripts/corpus_batch.py"


rule gallery_page:
    """Every printed estimate of the gallery: what came back of it, and by which method."""
    input:
        done=lambda wildcards: expand(
            "work/{review}/corpus_problems.csv", review=gallery()
        ),
        source=library("gallery"),
    output:
        table="results/gallery.csv",
        page="results/gallery.html",
        summary="results/gallery_summary.txt",
    log:
        "logs/gallery.log",
    localrule: True
    conda:
        ENVIRONMENT
    params:
        reviews=lambda wildcards: gallery(),
    message:
        "the gallery"
    script:
        "../../scripts/gallery.py"
