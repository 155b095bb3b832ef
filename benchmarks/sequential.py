"""Run time of trial sequential analyses: python benchmarks/sequential.py (one core: OMP_NUM_THREADS=1)."""

from __future__ import annotations

import time

import numpy as np

from reweigh.sequential.analysis import Design, trial_sequential_analysis

LIMIT = 1.0


def main() -> None:
    """Time 40 looks from the trials to the result, and fail above the limit."""
    rng = np.random.default_rng(5)
    k = 40
    yi, vi, n = rng.normal(-0.2, 0.3, k), rng.uniform(0.02, 0.2, k), rng.integers(50, 150, k)
    dates, ids = list(range(1980, 1980 + k)), [f"trial {i:02d}" for i in range(k)]
    slow = []
    for name, design in (
        ("O'Brien-Fleming", Design()),
        ("Pocock", Design(spending="pocock")),
        ("with futility", Design(futility=True)),
        ("futility, power kept", Design(futility=True, adjust_power=True)),
        ("one-sided, power family, futility", Design(sides=1, spending="power", rho=2, futility=True)),
    ):
        for pool in ("DL", "REML"):
            start = time.perf_counter()
            result = trial_sequential_analysis(
                yi, vi, n, dates, ids, float(n.sum()) * 1.05, pool=pool, design=design, direction=-1
            )
            seconds = time.perf_counter() - start
            print(f"{len(result.note)} looks, {name}, {pool}: {seconds:.3f} s")
            if seconds > LIMIT:
                slow.append(name)
    if slow:
        raise SystemExit(f"slower than {LIMIT} s: {', '.join(slow)}")


if __name__ == "__main__":
    main()
