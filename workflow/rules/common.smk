# What all rules share: which reviews, where their files are, which library modules a rule depends on.
# Reviews, results and configuration lie in the folder of the run; scripts, library and tools lie with this file, which
# may be part of a clone, of an installed package, or a module of another workflow.
import csv
import os
import sys
import time
from pathlib import Path

HOME = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parent.parent
if not HOME.is_dir():
    # A module read from an address: its rules come from there, the library must be installed.
    import reweigh

    PACKAGE = Path(reweigh.__file__).parent
    HOME = next(
        place
        for place in (PACKAGE / "_workflow", PACKAGE.parent.parent)
        if (place / "scripts").is_dir()
    )
CLONE = (HOME / "src").is_dir()
SOURCE = HOME / "src" if CLONE else HOME.parent.parent
if str(SOURCE) not in sys.path:
    sys.path.insert(0, str(SOURCE))

from reweigh.console import (
    config_error,
    listed,
    locked,
    prepare_jobs,
    print_results,
    unwritable,
)
from reweigh.imports import closure
from reweigh.text.files import file_name
from reweigh.workbooks import books_of

prepare_jobs(SOURCE if CLONE else None)
# Python itself ends with a traceback where Ctrl-C comes before a job's first import; that import takes this back.
shell.prefix("trap '' INT; ")

STARTED = time.time()
if (
    workflow.is_main_process
    and "--unlock" not in sys.argv
    and (told := locked(sys.argv[1:]))
):
    print(told, file=sys.stderr)

ENVIRONMENT = "../../environment.yml"
TABLES = (
    "studies.csv",
    "arms.csv",
    "contrasts.csv",
    "risk_of_bias.csv",
    "published.csv",
    "flow.csv",
)
POOLED = (
    "effects.csv",
    "exclusions.csv",
    "not_pooled.csv",
    "rows.csv",
    "flags.csv",
    "pooled.csv",
    "weights.csv",
    "subgroups.csv",
)
CORE = (*POOLED, "figures/index.csv", "core_summary.txt")
RESULTS = (
    "effects.csv",
    "exclusions.csv",
    "not_pooled.csv",
    "rows.csv",
    "worked",
    "crossover_sweep.csv",
    "crossover_sweep_pooled.csv",
    "dependence_sweep.csv",
    "dependence_sweep_pooled.csv",
    "pooled.csv",
    "weights.csv",
    "subgroups.csv",
    "engines.csv",
    "bayes.csv",
    "meta_regression.csv",
    "dependence.csv",
    "robustness/conclusions.csv",
    "figures/robustness.csv",
    "sequential.csv",
    "certainty.csv",
    "claims.csv",
    "reproduction.csv",
    "figures/timeline.csv",
    "figures/risk_of_bias.csv",
    "figures/index.csv",
    "summary.md",
    "report.html",
    "run_summary.txt",
)

if workflow.is_main_process and (problem := unwritable()):
    print(f"\n{problem}\n", file=sys.stderr)
    sys.exit(1)

FOLDERS = sorted(folder.name for folder in Path("data").glob("*/") if folder.is_dir())
if problem := config_error(config, FOLDERS):
    raise WorkflowError(problem)

# A corpus: many reviews, in batches that one job takes through the stages of a depth (rules/corpus.smk).
CORPUS = config.get("corpus", {})
BATCHES = {
    f"{number:03d}": names for number, names in enumerate(CORPUS.get("batches", []), 1)
}
STAGES = {
    "tables": ("check", "effects", "pool"),
    "core": ("figures",),
    "all": (
        "robustness",
        "sequential",
        "certainty",
        "claims",
        "reproduction",
        "report",
    ),
}
DEPTHS = tuple(STAGES)
STAGES["gallery"] = [name for depth in DEPTHS for name in STAGES[depth]]
DEPTH = CORPUS.get("depth", DEPTHS[0])

# Without a configuration every folder with a protocol is a review.
REVIEWS = (
    [name for names in BATCHES.values() for name in names]
    or listed(config, "reviews")
    or [name for name in FOLDERS if (Path("data") / name / "review.yaml").exists()]
)
if not REVIEWS:
    raise WorkflowError(
        "There is no review here: no folder under data/ has a review.yaml. `reweigh new NAME` makes one."
    )
FORMATS = listed(config, "figure_formats") or ["svg"]

# The tools of the folder, where it has its own; else those that come with the workflow.
OWN_TOOLS = Path("data") / "risk_of_bias_tools.yaml"
TOOLS = str(OWN_TOOLS if OWN_TOOLS.exists() else HOME / OWN_TOOLS)

# As of a year, if the configuration names one: `snakemake --config as_of=2018`.
PLACES = [
    f"{review}/as_of/{config['as_of']}" if "as_of" in config else review
    for review in REVIEWS
]

# The list of all reviews, which a run as of a year leaves as it is.
INDEX = [] if "as_of" in config or CORPUS else ["results/index.html"]


wildcard_constraints:
    whole="(gallery/)?[^/]+",
    review="(gallery/)?[^/]+(/as_of/[0-9]{4})?",
    year="[0-9]{4}",
    layout="forest(_revman|_jama|_bmj)?",
    analysis=r"[A-Za-z0-9_.~-]+",
    format="svg|pdf|png",


def batches_done(depth):
    """What the batches of a corpus leave when they are done, to a depth."""
    return expand(
        "work/corpus/{batch}/{depth}/corpus_problems.csv",
        batch=BATCHES,
        depth=DEPTHS[: DEPTHS.index(depth) + 1],
    )


def corpus_files(depth):
    """The page of a corpus, and all that stands behind it to a depth; nothing where there is no corpus."""
    return [*batches_done(depth), "results/corpus.html"] if CORPUS else []


def together():
    """What a run ends with the summary of, where that is not each review: `corpus`, `gallery`, or ""."""
    asked = "gallery" if "gallery" in workflow.dag_settings.targets else ""
    return "corpus" if CORPUS else asked


def gallery():
    """The reviews of the gallery: every folder under gallery/ that has a protocol."""
    found = sorted(str(path.parent) for path in Path("gallery").glob("*/review.yaml"))
    if not found:
        raise WorkflowError(
            "There is no gallery here: no folder under gallery/ has a review.yaml."
        )
    return found


def data_folder(review):
    """Where a review's own files lie: data/NAME, or gallery/NAME where it is one of the gallery."""
    whole = Path(review.partition("/as_of/")[0])
    return (
        whole
        if whole.parts[0] == "gallery" and whole.name != "gallery"
        else "data" / whole
    )


def data_files(wildcards, *names):
    """Those of these files, and of the workbooks that may hold them, that lie in the review's data folder."""
    folder = data_folder(wildcards.review)
    return [
        str(folder / name)
        for name in (*names, *books_of(names))
        if (folder / name).exists()
    ]


def archives(wildcards):
    """Archives in the review's data folder: the protocol may call one of them the former one."""
    return sorted(map(str, data_folder(wildcards.review).glob("*.zip")))


def review_files(wildcards):
    """The protocol and the tables that a review has; the check says which are missing."""
    return data_files(wildcards, "review.yaml", *TABLES)


def library(script):
    """Library files that a script imports: a change in one reruns the rules that use it."""
    start = HOME / "scripts" / f"{script}.py"
    return [os.path.relpath(path) for path in closure(start, SOURCE)]


def lost_figures(review):
    """Figures on a review's list that somebody deleted: they are drawn again."""
    index = Path("results") / review / "figures" / "index.csv"
    if not index.exists():
        return []
    with index.open(encoding="utf-8", newline="") as lines:
        listed = [line[:2] for line in csv.reader(lines)][1:]
    paths = [
        index.parent / kind / f"{file_name(name)}.{ending}"
        for kind, name in listed
        for ending in FORMATS
    ]
    return [str(path) for path in paths if not path.exists()]


def shown_table(name, caption, label):
    """A table that `snakemake --report` shows."""
    return report(
        f"results/{{review}}/{name}",
        caption=f"../report/{caption}.rst",
        category="{review}",
        subcategory="Tables",
        labels={"table": label},
    )


def shown_figures(kind, caption, subcategory):
    """A folder of figures that `snakemake --report` shows one by one."""
    return report(
        directory(f"results/{{review}}/figures/{kind}"),
        patterns=["{figure}.svg"],
        caption=f"../report/{caption}.rst",
        category="{review}",
        subcategory=subcategory,
        labels={"figure": "{figure}"},
    )


def archived(wildcards):
    """Every result of a review that a stage makes."""
    stages = [getattr(rules, name) for names in STAGES.values() for name in names]
    made = [str(path) for stage in stages for path in stage.output]
    return [
        path.replace("{review}", wildcards.review)
        for path in made
        if path.startswith("results/")
    ]
