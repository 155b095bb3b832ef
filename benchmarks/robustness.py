"""All subsets of 16 trials, and a multiverse of 10,000 distinct analyses: CPU seconds against their limits."""

import time
from itertools import product

import numpy as np

from reweigh.pool.refit import Trials
from reweigh.protocol.models import PRESETS
from reweigh.robustness.multiverse import Dataset, run
from reweigh.robustness.removal import generic
from reweigh.robustness.subsets import all_subsets, fragility

LIMITS = {"all subsets of k = 16, REML, Hartung-Knapp": 2.0, "multiverse of 10,000 distinct analyses": 5.0}


def trials(k: int) -> Trials:
    """k trials."""
    rng = np.random.default_rng(16)
    v = rng.uniform(0.02, 0.4, k)
    return generic(rng.normal(0.4, np.sqrt(v + 0.1)), v, "SMD")


def subsets() -> int:
    """Number of subsets that are pooled."""
    return len(all_subsets(trials(16), PRESETS["cochrane"]).estimate)


def multiverse() -> int:
    """Number of distinct analyses: 1,000 data sets of 10 to 19 trials by 5 tau2 methods and 2 intervals."""
    names = {"a": [str(i) for i in range(10)], "b": [str(i) for i in range(10)], "c": [str(i) for i in range(10)]}
    data = {key: trials(10 + int(key[0])) for key in product(*names.values())}

    def build(options):
        t = data[options["a"], options["b"], options["c"]]
        shift = 0.01 * int(options["b"]) + 0.1 * int(options["c"])
        return Dataset(generic(t.yi + shift, t.vi, "SMD"), 1, (-0.5, 0.5))

    models = {"tau2": ["REML", "DL", "PM", "HE", "SJ"], "interval": ["hartung-knapp", "wald"]}
    return len(run({**names, **models}, build).analyses)


def search() -> int:
    """Removals tried for the fragility sets of 16 trials."""
    return max(found.tried for found in fragility(trials(16), PRESETS["cochrane"], important=(-0.5, 0.5)))


if __name__ == "__main__":
    for job, (name, limit) in zip((subsets, multiverse), LIMITS.items(), strict=True):
        start, wall = time.process_time(), time.perf_counter()
        count = job()
        cpu, clock = time.process_time() - start, time.perf_counter() - wall
        print(f"{name}: {count:,} in {cpu:.2f} s CPU ({clock:.2f} s), limit {limit} s")
    start = time.process_time()
    print(f"fragility sets of k = 16: {search():,} removals in {time.process_time() - start:.2f} s CPU")
