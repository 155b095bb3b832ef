"""Run time and memory of pooling: python benchmarks/pool.py (one core: OMP_NUM_THREADS=1).

Prints a markdown table. In the same run: PyMARE as it is, statsmodels, and metafor if R has it.
"""

from __future__ import annotations

import shutil
import subprocess
import tracemalloc
import warnings
from collections.abc import Callable
from time import perf_counter

import numpy as np

from reweigh.pool.core import pool

# dat.bcg (Colditz and others 1994, JAMA 271:698-702): events and patients, vaccinated and not.
BCG = np.array(
    [
        (4, 123, 11, 139), (6, 306, 29, 303), (3, 231, 11, 220), (62, 13598, 248, 12867), (33, 5069, 47, 5808),
        (180, 1541, 372, 1451), (8, 2545, 10, 629), (505, 88391, 499, 88391), (29, 7499, 45, 7277),
        (17, 1716, 65, 1665), (186, 50634, 141, 27338), (5, 2498, 3, 2341), (27, 16913, 29, 17854),
    ],
    dtype=float,
).T  # fmt: skip
YI = np.log(BCG[0] / BCG[1] / (BCG[2] / BCG[3]))
VI = 1 / BCG[0] - 1 / BCG[1] + 1 / BCG[2] - 1 / BCG[3]

METAFOR = """
suppressPackageStartupMessages(library(metafor))
d <- escalc("RR", ai = tpos, bi = tneg, ci = cpos, di = cneg, data = dat.bcg)
ms <- function(f, n) { f(); 1000 * unname(system.time(for (i in seq_len(n)) f())[3]) / n }
one <- function() { f <- rma(yi, vi, data = d, test = "knha"); confint(f); predict(f) }
cat(ms(one, 50), ms(function() rma(d$yi[1:10], d$vi[1:10], test = "knha"), 50),
    ms(function() capture.output(gosh(rma(yi, vi, data = d), subsets = 300, progbar = FALSE)), 1) / 300)
"""


def milliseconds(call: Callable[[], object], repeats: int) -> float:
    """Median run time of a call."""
    call()
    times = []
    for _ in range(repeats):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return float(np.median(times) * 1000)


def megabytes(call: Callable[[], object]) -> float:
    """Highest memory that a call holds beyond what was held before it."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def pymare_reml(yi: np.ndarray, vi: np.ndarray, everything: bool) -> None:
    """REML with Hartung-Knapp, and the Q-profile interval if asked for."""
    from pymare import Dataset, estimators

    fit = estimators.VarianceBasedLikelihoodEstimator(method="REML").fit_dataset(Dataset(y=yi[:, None], v=vi[:, None]))
    results = fit.summary()
    results.get_fe_stats()
    if everything:
        results.get_re_stats()


def statsmodels_pm(yi: np.ndarray, vi: np.ndarray) -> None:
    """Paule-Mandel with Hartung-Knapp: statsmodels has neither REML nor Q-profile."""
    from statsmodels.stats.meta_analysis import combine_effects

    combine_effects(yi, vi, method_re="iterated", use_t=True).conf_int()


def metafor() -> tuple[float, float, float] | None:
    """Milliseconds of one full analysis at k = 13, of one fit at k = 10, and of one subset of gosh."""
    if shutil.which("Rscript") is None:
        return None
    run = subprocess.run(["Rscript", "-e", METAFOR], capture_output=True, text=True, check=False)
    return tuple(float(x) for x in run.stdout.split()) if run.returncode == 0 else None  # type: ignore[return-value]


def main() -> None:
    """Time everything once and print the table."""
    warnings.simplefilter("ignore")
    rng = np.random.default_rng(1)
    many = np.tile(YI, (1000, 1)) + rng.normal(0, 0.1, (1000, 13)), np.tile(VI, (1000, 1))
    vs = rng.uniform(0.01, 0.5, (10_000, 10))
    tens = rng.normal(0, np.sqrt(vs + 0.05)), vs
    bits = (np.arange(2**13)[:, None] >> np.arange(13)) & 1 == 1
    mask = bits[bits.sum(axis=1) >= 2]
    subsets = np.broadcast_to(YI, mask.shape), np.broadcast_to(VI, mask.shape)

    r = metafor()
    full, ten, gosh = r if r else (np.nan, np.nan, np.nan)
    one_pymare = milliseconds(lambda: pymare_reml(YI, VI, True), 50)
    ten_pymare = milliseconds(lambda: pymare_reml(tens[0][0], tens[1][0], False), 50)
    sm13 = milliseconds(lambda: statsmodels_pm(YI, VI), 50)
    sm10 = milliseconds(lambda: statsmodels_pm(tens[0][0], tens[1][0]), 50)
    alone = milliseconds(lambda: pool(YI, VI), 200)
    polished = milliseconds(lambda: pool(YI, VI, start="pymare"), 50)
    batch = milliseconds(lambda: pool(*many), 10)
    ten_ours = milliseconds(lambda: pool(*tens), 5)
    all_ours = milliseconds(lambda: pool(*subsets, mask=mask), 5)
    n = len(mask)

    print(
        "REML, Hartung-Knapp, Q-profile and prediction interval; others fit set by set. Times beyond one set of theirs"
    )
    print("are one set's time multiplied. statsmodels: Paule-Mandel and Hartung-Knapp only.\n")
    print("| what | target | reweigh | PyMARE | statsmodels | metafor | reweigh, MB |")
    print("|---|---|---|---|---|---|---|")
    print(
        f"| one set, k = 13, alone | 0.5 ms | {alone:.2f} ms (from PyMARE's fit, polished: {polished:.2f} ms) "
        f"| {one_pymare:.2f} ms | {sm13:.2f} ms | {full:.2f} ms | {megabytes(lambda: pool(YI, VI)):.2f} |"
    )
    print(
        f"| one of 1,000 sets, k = 13 | 0.5 ms | {batch / 1000:.4f} ms | {one_pymare:.2f} ms | {sm13:.2f} ms "
        f"| {full:.2f} ms | {megabytes(lambda: pool(*many)):.0f} |"
    )
    print(
        f"| 10,000 sets, k = 10 | 1 s | {ten_ours / 1000:.3f} s | {ten_pymare * 10:.0f} s | {sm10 * 10:.0f} s "
        f"| {ten * 10:.0f} s | {megabytes(lambda: pool(*tens)):.0f} |"
    )
    seconds = " | ".join(f"{ms * n / 1000:.0f} s" for ms in (one_pymare, sm13, gosh))
    memory = megabytes(lambda: pool(*subsets, mask=mask))
    print(
        f"| all {n:,} subsets of 2 or more BCG trials | 0.3 s | {all_ours / 1000:.3f} s "
        f"| {seconds} (gosh) | {memory:.0f} |"
    )


if __name__ == "__main__":
    main()
