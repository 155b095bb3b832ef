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
    "certainty": ("certainty.csv", "figures/risk_of_bias.csv"),
    "claims": ("claims.json",),
    "reproduction": (
        "reproduction.csv",
        "published_checks.csv",
        "figures/timeline.csv",
    ),
}


def report_optional(wildcards):
    """Tables of later stages, and those of the data folder that a page shows as they were typed."""
    folder = Path("data") / wildcards.review.partition("/")[0]
    found = [
        str(folder / name) for name in ("published.csv",) if (folder / name).exists()
    ]
    for stage, names in LATER.items():
        if workflow.is_rule(stage):
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
