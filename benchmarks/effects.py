"""Run time of 100,000 mixed rows to effect sizes: python benchmarks/effects.py (one core: OMP_NUM_THREADS=1).

Prints a markdown table. metafor's escalc (R with metafor on the path) computes, in the same run, what it can of the
same rows: it has no conversions from SE, CI, median, percentage or p, so those reach it already converted.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from reweigh.effects.compute import compute

LIMIT = 2.0
ROWS = 100_000
KINDS = (
    ("MD", "mean, SD"),
    ("SMD", "mean, SE"),
    ("SMD", "mean, CI"),
    ("SMD", "median, quartiles"),
    ("RR", "events"),
    ("OR", "percentages"),
    ("RR", "events, crossover"),
    ("SMD", "exact p"),
    ("RR", "contrast with CI"),
    ("MD", "contrast with CI"),
)

ESCALC = """
suppressMessages(library(metafor))
d <- read.csv(commandArgs(TRUE)[1])
time <- 0
for (m in c("MD", "SMD")) {
  x <- d[d$measure == m & !is.na(d$mean1) & !is.na(d$sd1), ]
  time <- time +
    system.time(escalc(m, m1i = mean1, m2i = mean2, sd1i = sd1, sd2i = sd2, n1i = n1, n2i = n2, data = x))[3]
}
for (m in c("RR", "OR")) {
  x <- d[d$measure == m & !is.na(d$events1), ]
  time <- time + system.time(escalc(m, ai = events1, n1i = n1, ci = events2, n2i = n2, data = x))[3]
}
x <- d[d$measure == "SMD" & is.na(d$mean1) & !is.na(d$estimate), ]
time <- time + system.time(escalc("SMD", di = estimate, n1i = n1, n2i = n2, data = x))[3]
cat(as.character(packageVersion("metafor")), time)
"""


def mixed_rows(n: int, seed: int = 1) -> pd.DataFrame:
    """Comparisons of the ten kinds in random order."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, len(KINDS), n)
    size1 = rng.integers(10, 200, n).astype(float)
    size2 = np.where(kind == 6, size1, rng.integers(10, 200, n))
    mean1, mean2 = rng.normal(5, 2, (2, n)).round(2)
    sd1, sd2 = rng.uniform(1, 3, (2, n)).round(2)
    events1, events2 = rng.binomial(size1.astype(int), 0.3), rng.binomial(size2.astype(int), 0.2)
    ratio = np.exp(rng.normal(0, 0.5, n)).round(2).clip(0.05)

    def where(*kinds: int) -> np.ndarray:
        return np.isin(kind, kinds)

    def put(values: np.ndarray, *kinds: int) -> np.ndarray:
        return np.where(where(*kinds), values, np.nan)

    columns: dict[str, np.ndarray] = {
        "measure": np.array([k[0] for k in KINDS], dtype=object)[kind],
        "reported_measure": np.select([where(7), where(8), where(9)], ["p_only", "RR", "MD"], "").astype(object),
        "design": np.where(where(6), "crossover", "parallel").astype(object),
        "direction": np.where(where(7), "favours_intervention", "").astype(object),
        "better": np.full(n, "lower", dtype=object),
        "n1": size1,
        "n2": size2,
        "p_value": put(rng.uniform(0, 1, n).round(4).clip(0.0001), 7),
        "estimate": np.where(where(8), ratio, put(mean1, 9)),
        "ci_lower": np.where(where(8), (ratio / 1.8).round(2), put(mean1 - sd1, 9)),
        "ci_upper": np.where(where(8), (ratio * 1.8).round(2), put(mean1 + sd1, 9)),
    }
    for arm, size, mean, sd, events in (("1", size1, mean1, sd1, events1), ("2", size2, mean2, sd2, events2)):
        columns |= {
            f"mean{arm}": put(mean, 0, 1, 2),
            f"sd{arm}": put(sd, 0),
            f"se{arm}": put((sd / np.sqrt(size)).round(3), 1),
            f"ci_lower{arm}": put(mean - sd / 3, 2),
            f"ci_upper{arm}": put(mean + sd / 3, 2),
            f"median{arm}": put(mean, 3),
            f"q1{arm}": put(mean - sd, 3),
            f"q3{arm}": put(mean + sd2, 3),
            f"events{arm}": put(events, 4, 6),
            f"percent{arm}": put((100 * events / size).round(), 5),
        }
    return pd.DataFrame(columns)


def escalc_seconds(table: pd.DataFrame, effects: pd.DataFrame) -> str:
    """Seconds that escalc takes for the arm-level rows and SMDs, with its version; why not where R is missing."""
    if shutil.which("Rscript") is None:
        return "not run: Rscript not found"
    ready = table[["measure", "n1", "n2"]].join(
        effects[["mean1", "sd1", "mean2", "sd2", "events1", "events2", "estimate"]]
    )
    with tempfile.TemporaryDirectory() as folder:
        data, script = Path(folder, "rows.csv"), Path(folder, "escalc.R")
        ready.to_csv(data, index=False)
        script.write_text(ESCALC)
        run = subprocess.run(["Rscript", script, data], capture_output=True, text=True, check=False)
    if run.returncode:
        return "not run: R without metafor"
    version, seconds = run.stdout.split()
    return f"{float(seconds):.2f} s (metafor {version}; formulas only, conversions and notes already done)"


def main() -> None:
    """Time both, print the table, fail above the limit."""
    table = mixed_rows(ROWS)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        effects = compute(table)
        times.append(time.perf_counter() - start)
    lost = int(effects["estimate"].isna().sum())
    print(f"| {ROWS:,} mixed rows | time |\n|---|---|")
    print(f"| reweigh: checks, conversions, effects, derivations ({lost} rows with a reason) | {min(times):.2f} s |")
    print(f"| escalc, the formulas of the same rows | {escalc_seconds(table, effects)} |")
    if min(times) > LIMIT:
        raise SystemExit(f"slower than {LIMIT} s")


if __name__ == "__main__":
    main()
