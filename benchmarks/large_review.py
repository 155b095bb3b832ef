"""Time check, effects and pool of a review of 5,000 made-up trials, as `snakemake` runs them: benchmarks/README.md.

Builds made-up reviews of 500 and of 5,000 trials with one outcome in a temporary folder, on one core, and prints the
seconds of each job (the whole process, start-up and writing too) as Snakemake recorded them.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
SMALL, LARGE = 500, 5_000
#: A file of each stage, and the seconds that it may take.
STAGES = {"check": ("work/{}/checked/arms.csv", 3.0), "effects": ("results/{}/effects.csv", 6.0),
          "pool": ("results/{}/pooled.csv", 3.0)}  # fmt: skip

PROTOCOL = """\
title: {trials} made-up trials
question: {{population: Adults, intervention: Drug, comparator: Placebo}}
words: {{intervention: drug, control: placebo}}
table_source: {{arms: made up from a seed}}
outcomes: {{pain: {{label: Pain, type: continuous, measure: SMD, better: lower, scale: [0, 100]}}}}
windows: {{end: {{label: End of treatment, text: [end of treatment]}}}}
categories: {{setting: {{hospital: Hospital, home: Home, mixed: Mixed}}}}
subgroups: [setting]
models: [cochrane, revman-classic]
"""
ARMS = {"intervention": "drug", "control": "placebo"}


def made_up(folder: Path, trials: int, seed: int = 1) -> None:
    """The files of a review: `trials` parallel trials with means, most with SDs, some with SEs or intervals."""
    rng = np.random.default_rng(seed)
    effect = rng.normal(-5, 6, trials)
    studies, arms = [], []
    for i in range(trials):
        same = {"study_id": f"t{i:05}", "label": f"Made-up {1970 + i % 50} ({i})"}
        studies.append(same | {"year": 1970 + i % 50, "setting": ("hospital", "home", "mixed")[i % 3]})
        for role, shift in (("intervention", effect[i]), ("control", 0.0)):
            n, sd = int(rng.integers(15, 300)), round(float(rng.uniform(18, 24)), 1)
            mean = round(float(50 + shift + rng.normal(0, sd / np.sqrt(n))), 1)
            se = sd / np.sqrt(n)
            interval = {"ci_lower": round(mean - 1.98 * se, 1), "ci_upper": round(mean + 1.98 * se, 1)}
            spread = ({"sd": sd}, {"sd": sd}, {"se": round(se, 2)}, interval)[i % 4]
            given = {"role": role, "arm": ARMS[role], "outcome": "pain", "timepoint": "end of treatment"}
            arms.append(same | given | {"n": n, "mean": mean, "scale_min": 0, "scale_max": 100} | spread)
    folder.mkdir(parents=True)
    (folder / "review.yaml").write_text(PROTOCOL.format(trials=trials))
    for name, rows in (("studies", studies), ("arms", arms)):
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
            writer.writeheader()
            writer.writerows(rows)


def seconds(folder: Path, review: str) -> dict[str, float]:
    """Seconds of each stage's job, from what Snakemake recorded of its first file."""
    found = {}
    recorded = (folder / ".snakemake" / "metadata").rglob("*")
    records = [json.loads(path.read_text()) for path in recorded if path.is_file()]
    for stage in STAGES:
        mine = [one for one in records if one["rule"] == stage and f"logs/{review}/" in one["log"][0]]
        found[stage] = mine[0]["endtime"] - mine[0]["starttime"]
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        reviews = {trials: f"trials_{trials}" for trials in (SMALL, LARGE)}
        for trials, review in reviews.items():
            made_up(folder / "data" / review, trials)
        for review in reviews.values():
            wanted = [path.format(review) for path, _ in STAGES.values()]
            command = [sys.executable, "-m", "snakemake", "--snakefile", ROOT / "Snakefile", "--cores", "1", *wanted]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
        taken = {trials: seconds(folder, review) for trials, review in reviews.items()}
    print(f"| job | target | {LARGE:,} trials | {SMALL:,} trials | ratio |\n|---|---|---|---|---|")
    for stage, (_, target) in STAGES.items():
        large, small = taken[LARGE][stage], taken[SMALL][stage]
        print(f"| {stage} | {target:.0f} s | {large:.1f} s | {small:.1f} s | {large / small:.1f} |")
