# Many small reviews: a job takes a batch of them through several stages, for starting a job costs as much as a review.
# What a stage reads and writes stands in its own rule; a review that fails is listed, and stops no other.
from types import SimpleNamespace


def batch_of(wildcards):
    """The reviews of a job: those of a batch of a corpus, or one of the gallery."""
    return (
        BATCHES[wildcards.batch] if hasattr(wildcards, "batch") else [wildcards.review]
    )


def batch_files(wildcards):
    """What a job of a batch reads that a person typed."""
    typed = (
        "review.yaml",
        *TABLES,
        "claims.yaml",
        "certainty_overrides.csv",
        "published_rows.csv",
        "imported.csv",
    )
    return [
        path
        for review in batch_of(wildcards)
        for path in [
            *data_files(SimpleNamespace(review=review), *typed),
            *archives(SimpleNamespace(review=review)),
        ]
    ]


def stage_of(name, review):
    """Files and settings of a stage for one review, as its own rule has them."""
    own, wildcards = getattr(rules, name), SimpleNamespace(review=review)

    def given(of):
        named = {
            key: value(wildcards) if callable(value) else value
            for key, value in of.items()
        }
        return {key: of_review(value) for key, value in named.items()}

    def of_review(value):
        if isinstance(value, str):
            return str(value).replace("{review}", review)
        return value if isinstance(value, bool) else [of_review(one) for one in value]

    read = {key: one for key, one in own.input.items() if key != "source"}
    made = {"input": read, "output": own.output, "params": own.params}
    return {kind: given(of) for kind, of in made.items()} | {
        "log": f"logs/{review}/{name}.log"
    }


def batch_stages(depth):
    """A function that gives every stage of a depth for every review of a batch."""

    def found(wildcards):
        return {
            review: {name: stage_of(name, review) for name in STAGES[depth]}
            for review in batch_of(wildcards)
        }

    return found


def lost_results(depth, listed):
    """A function that names the results of a batch that somebody deleted: they are made again.

    `listed` is the pattern of the list of reviews that stopped.
    """

    def found(wildcards):
        done = Path(listed.format(**dict(wildcards.items())))
        if not done.exists():
            return []
        with done.open(encoding="utf-8", newline="") as lines:
            stopped = {row["review"] for row in csv.DictReader(lines)}
        made = [
            path
            for review in batch_of(wildcards)
            if review not in stopped
            for name in STAGES[depth]
            for path in stage_of(name, review)["output"].values()
        ]
        return [path for path in made if not Path(path).exists()]

    return found


def stage_libraries(depth):
    """Library files that the stages of a depth import."""
    return sorted({path for name in STAGES[depth] for path in library(name)})
