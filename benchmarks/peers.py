"""Ours and five peers on the same data: time, memory, failures, and digits that agree with a tight reference.

    make peers CORPUS=../shared/corpus/data-rows.csv.gz

or, once `make peers` has built the environment of those peers that are not in ours,
`.venv/bin/python benchmarks/peers.py [data-rows.csv.gz]`; without the corpus that job is left out. Prints two markdown
tables. Needs R with metafor and jsonlite.

Every tool runs as it comes, with its defaults, one process per tool and job; a tool that fails, or that has no such
analysis, is counted and named. The reference is metafor with tightened tolerances (`peers.R`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "work" / "peers-venv" / "bin" / "python"

#: Tool: the Python that has it, None for R.
TOOLS = {
    "reweigh": sys.executable, "metafor": None, "PyMARE": sys.executable, "statsmodels": sys.executable,
    "pimeta": str(PEERS), "PyMetaAnalysis": str(PEERS),
}  # fmt: skip
JOBS = {
    "one": "one fit alone: BCG, k = 13",
    "plain": "the same without Q-profile and prediction interval",
    "batch": "1,000 data sets of k = 10",
    "subsets": "all 8,178 subsets of the 13 BCG trials, mean and tau2 only",
    "leave one out": "leave-one-out of the 13 BCG trials",
    "corpus": "500 analyses of Cochrane reviews, one by one",
}
#: What a tool gives in place of what was asked for, as its column says it.
INSTEAD = {
    "PyMARE": "no prediction interval",
    "statsmodels": "Paule-Mandel for REML; no Q-profile, no prediction interval",
    "PyMetaAnalysis": "prediction interval with k - 2 degrees of freedom",
}
#: Kind of number: its names, ours and those of the other definitions (Paule-Mandel, t with k - 2).
KINDS = {
    "mean": ("estimate", "pm_estimate"),
    "interval": ("ci_lower", "ci_upper", "pm_ci_lower", "pm_ci_upper"),
    "tau2": ("tau2", "pm_tau2"),
    "Q-profile": ("tau2_ci_lower", "tau2_ci_upper"),
    "prediction": ("pi_lower", "pi_upper", "pi2_lower", "pi2_upper"),
}
MOST, FEW = 15, 3
SECONDS, LONGEST = 2.0, 1800

Set = tuple[np.ndarray, np.ndarray]
Answer = Mapping[str, float]


def digits(found: float, reference: float, unit: float) -> float:
    """Significant digits that agree, 0 to 15.

    Those of the reference, or of ``unit`` (the standard error; for tau2 the smallest variance) where it is larger:
    nobody needs ten digits of a mean that is 0 but for rounding.
    """
    error = abs(found - reference) / max(abs(reference), unit)
    return float(MOST if error == 0 else np.clip(-np.log10(error), 0, MOST))


def compare(answers: list[Any], references: list[Any], sets: list[Set]) -> tuple[list[str], dict[str, list[float]]]:
    """What failed, and per kind of number the digits of each analysis that has a reference."""
    failures: list[str] = []
    found: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for answer, reference, (_, v) in zip(answers, references, sets, strict=True):
        if isinstance(answer, str):
            failures.append(answer)
            continue
        for kind, names in KINDS.items():
            here = [] if isinstance(reference, str) else [n for n in names if n in answer and reference[n] is not None]
            if not all(map(finite, (answer[n] for n in here))):
                failures.append(f"no {kind}")
            elif here:
                unit = v.min() if kind in ("tau2", "Q-profile") else reference["se"]
                found[kind].append(min(digits(answer[n], reference[n], unit) for n in here))
    return failures, found


def finite(number: float | None) -> bool:
    """Whether there is a number."""
    return number is not None and bool(np.isfinite(number))


def agreement(found: list[float]) -> str:
    """Median and least digits, and how many analyses have few."""
    if not found:
        return "–"
    few = sum(x < FEW for x in found)
    return f"{np.median(found):.1f}; {min(found):.1f}{f' ({few} below {FEW})' if few else ''}"


def analyses(path: Path, count: int) -> list[Set]:
    """Analyses of three trials or more from the data rows of Cochrane reviews, so many, evenly over the file.

    Log odds ratios where all four cells are above 0, mean differences where both SDs are; other rows are left out.
    """
    import pandas as pd

    rows = pd.read_csv(path, low_memory=False)
    a, n1, c, n2 = (rows[f"{arm} {x}"].to_numpy(float) for arm in ("Experimental", "Control") for x in ("cases", "N"))
    m1, s1, m2, s2 = (rows[f"{arm} {x}"].to_numpy(float) for arm in ("Experimental", "Control") for x in ("mean", "SD"))
    counts = (a > 0) & (c > 0) & (n1 > a) & (n2 > c)
    means = (a == 0) & (c == 0) & (s1 > 0) & (s2 > 0) & (n1 > 0) & (n2 > 0)
    with np.errstate(all="ignore"):
        rows["yi"] = np.where(counts, np.log(a / (n1 - a) / (c / (n2 - c))), m1 - m2)
        rows["vi"] = np.where(counts, 1 / a + 1 / (n1 - a) + 1 / c + 1 / (n2 - c), s1**2 / n1 + s2**2 / n2)
    rows = rows.assign(counts=counts)[counts | means]
    groups = rows.groupby(["Review", "Analysis group", "Analysis number", "counts"], sort=False)
    sets = [(g["yi"].to_numpy(), g["vi"].to_numpy()) for _, g in groups if len(g) >= 3]
    at = np.linspace(0, len(sets) - 1, min(count, len(sets))).round().astype(int)
    return [sets[i] for i in at]


def data(corpus: Path | None) -> dict[str, list[Set]]:
    """The data sets of each job."""
    from pool import VI, YI

    rng = np.random.default_rng(1)
    v = rng.uniform(0.01, 0.5, (1000, 10))
    batch = list(zip(rng.normal(0, np.sqrt(v + 0.05)), v, strict=True))
    sets = {job: batch if job == "batch" else [(YI, VI)] for job in JOBS if job != "corpus"}
    return sets | ({"corpus": analyses(corpus, 500)} if corpus else {})


def subsets(k: int, size: int | None = None) -> np.ndarray:
    """Masks of all subsets of two of k trials or more, or of one size."""
    bits = (np.arange(2**k)[:, None] >> np.arange(k)) & 1 == 1
    sizes = bits.sum(axis=1)
    return bits[sizes >= 2 if size is None else sizes == size]


def attempt(fit: Callable[[Set], Any], sets: Iterable[Set]) -> list[Any]:
    """The answer of each set, or what went wrong."""
    answers = []
    for one in sets:
        try:
            answers.append(fit(one))
        except Exception as error:  # a peer may raise anything; all of it counts
            answers.append(f"{type(error).__name__}: {str(error)[:80]}")
    return answers


def parts(y: np.ndarray, v: np.ndarray, masks: np.ndarray) -> list[Set]:
    """The subsets of one data set."""
    return [(y[mask], v[mask]) for mask in masks]


def reweigh(job: str) -> Callable[[list[Set]], list[Any]]:
    """Ours: a job of many data sets is one call."""
    from reweigh.pool.core import Pooled, pool

    names = ("estimate", "ci_lower", "ci_upper", "tau2", "tau2_ci_lower", "tau2_ci_upper", "pi_lower", "pi_upper")

    def listed(p: Pooled, names: tuple[str, ...] = names) -> list[Answer]:
        rows = zip(*(getattr(p, name).tolist() for name in names), strict=True)
        return [dict(zip(names, row, strict=True)) for row in rows]

    def masked(one: Set, masks: np.ndarray, **how: Any) -> Pooled:
        return pool(*(np.broadcast_to(x, masks.shape) for x in one), mask=masks, **how)

    if job == "batch":
        return lambda sets: listed(pool(np.array([y for y, _ in sets]), np.array([v for _, v in sets])))
    if job == "subsets":
        return lambda sets: listed(masked(sets[0], subsets(len(sets[0][0])), brief=True), ("estimate", "tau2"))
    if job == "leave one out":
        return lambda sets: listed(masked(sets[0], ~np.eye(len(sets[0][0]), dtype=bool)))
    if job == "plain":
        return lambda sets: attempt(lambda one: listed(pool(*one, tau2_interval=False), names[:4])[0], sets)
    return lambda sets: attempt(lambda one: listed(pool(*one))[0], sets)


def pymare(job: str) -> Callable[[list[Set]], list[Any]]:
    """PyMARE fits data sets of one size in one call; get_re_stats is Q-profile."""
    from pymare import Dataset, estimators

    def many(sets: list[Set], everything: bool = True) -> list[Answer]:
        y, v = (np.array([one[i] for one in sets]).T for i in (0, 1))
        result = estimators.VarianceBasedLikelihoodEstimator(method="REML").fit_dataset(Dataset(y=y, v=v)).summary()
        fixed = result.get_fe_stats()
        columns = {"estimate": fixed["est"][0], "ci_lower": fixed["ci_l"][0], "ci_upper": fixed["ci_u"][0]}
        columns["tau2"] = np.ravel(result.tau2)
        if everything:
            spread = result.get_re_stats()
            columns |= {"tau2_ci_lower": np.ravel(spread["ci_l"]), "tau2_ci_upper": np.ravel(spread["ci_u"])}
        return [dict(zip(columns, map(float, row), strict=True)) for row in zip(*columns.values(), strict=True)]

    def by_size(y: np.ndarray, v: np.ndarray) -> list[Answer]:
        return [a for size in range(2, len(y) + 1) for a in many(parts(y, v, subsets(len(y), size)), False)]

    if job == "batch":
        return many
    if job == "subsets":
        return lambda sets: by_size(*sets[0])
    if job == "leave one out":
        return lambda sets: many(parts(*sets[0], ~np.eye(len(sets[0][0]), dtype=bool)))
    return lambda sets: attempt(lambda one: many([one], job != "plain")[0], sets)


def one_by_one(fit: Callable[[Set], Answer]) -> Callable[[str], Callable[[list[Set]], list[Any]]]:
    """A tool that knows nothing but one fit at a time."""

    def of(job: str) -> Callable[[list[Set]], list[Any]]:
        masks = {"subsets": subsets, "leave one out": lambda k: ~np.eye(k, dtype=bool)}.get(job)
        return lambda sets: attempt(fit, sets if masks is None else parts(*sets[0], masks(len(sets[0][0]))))

    return of


def statsmodels(job: str) -> Callable[[list[Set]], list[Any]]:
    """Paule-Mandel with Hartung-Knapp: statsmodels has neither REML nor Q-profile."""
    from statsmodels.stats.meta_analysis import combine_effects

    def fit(one: Set) -> Answer:
        result = combine_effects(*one, method_re="iterated", use_t=True)
        lower, upper = result.conf_int(use_t=True)[3]
        return {"pm_estimate": float(result.mean_effect_re), "pm_tau2": float(result.tau2),
                "pm_ci_lower": float(lower), "pm_ci_upper": float(upper)}  # fmt: skip

    return one_by_one(fit)(job)


def pimeta(job: str) -> Callable[[list[Set]], list[Any]]:
    """Its own gosh and leave1out where it has them (no Hartung-Knapp in either)."""
    import pimeta as ma

    def fit(one: Set) -> Answer:
        f = ma.rma(*one, method="REML", test="knha")
        found = {"estimate": f.b[0], "ci_lower": f.ci_lb[0], "ci_upper": f.ci_ub[0], "tau2": f.tau2}
        if job == "plain":
            return found
        q, p = f.confint(), f.predict()
        return found | {
            "tau2_ci_lower": q.tau2_lb, "tau2_ci_upper": q.tau2_ub, "pi_lower": p.pi_lb, "pi_upper": p.pi_ub,
        }  # fmt: skip

    def listed(found: Any) -> list[Answer]:
        return [{"estimate": mu, "tau2": t} for mu, t in zip(found.estimate, found.tau2, strict=True)]

    if job == "subsets":
        return lambda sets: listed(ma.gosh(*sets[0], method="REML"))
    if job == "leave one out":
        return lambda sets: listed(ma.leave1out(*sets[0], method="REML"))
    return one_by_one(fit)(job)


def pymetaanalysis(job: str) -> Callable[[list[Set]], list[Any]]:
    """Its prediction interval has k - 2 degrees of freedom, on the Hartung-Knapp standard error."""
    from meta_analyze import meta_analysis

    def model(one: Set) -> Any:
        y, v = one
        return meta_analysis(effect=y, variance=v, model="random", tau2_method="REML", ci_method="hartung_knapp")

    def fit(one: Set) -> Answer:
        f = model(one)
        found = {"estimate": f.estimate, "ci_lower": f.ci_low, "ci_upper": f.ci_high, "tau2": f.tau2}
        if job == "plain":
            return found
        q, (low, high) = f.tau2_confidence_interval(), f.prediction_interval
        return found | {"tau2_ci_lower": q.ci_low, "tau2_ci_upper": q.ci_high, "pi2_lower": low, "pi2_upper": high}

    if job == "leave one out":
        return lambda sets: [{"estimate": f.estimate, "tau2": f.tau2} if f else "no fit"
                             for f in model(sets[0]).leave_one_out().results]  # fmt: skip
    if job == "subsets":
        return one_by_one(lambda one: {"estimate": (f := model(one)).estimate, "tau2": f.tau2})(job)
    return one_by_one(fit)(job)


PYTHON = {
    "reweigh": reweigh, "PyMARE": pymare, "statsmodels": statsmodels, "pimeta": pimeta,
    "PyMetaAnalysis": pymetaanalysis,
}  # fmt: skip


def memory() -> float:
    """Megabytes of the largest memory that this process had; NaN where the system does not say."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), float("nan"))


def work(tool: str, job: str, folder: Path) -> None:
    """One tool, one job, in this process: median time over two seconds (at least one run), answers, memory."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    sets = [(np.array(y), np.array(v)) for y, v in json.loads((folder / "data.json").read_text())[job]]
    run = PYTHON[tool](job)
    if job != "subsets":
        run(sets[:1])  # what is imported or compiled at the first use
    times: list[float] = []
    while sum(times) < SECONDS and len(times) < 500:
        start = perf_counter()
        answers = run(sets)
        times.append(perf_counter() - start)
    found = {"seconds": float(np.median(times)), "memory": memory(), "answers": answers}
    (folder / f"{tool} {job}.json").write_text(json.dumps(found | {"version": metadata.version(tool)}))


def process(tool: str, job: str, folder: Path) -> dict[str, Any]:
    """What a tool made of a job in a process of its own; ``failed`` says why there is nothing."""
    python, here = TOOLS.get(tool), Path(__file__)
    command = [python, str(here), "--work"] if python else ["Rscript", str(here.with_suffix(".R"))]
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    try:
        run = subprocess.run(
            [*command, tool, job, str(folder)], env=os.environ | one, capture_output=True, text=True, timeout=LONGEST,
            check=False,
        )  # fmt: skip
        said = run.stderr.strip().splitlines()[-1:] or [f"ended with {run.returncode}"]
        path = folder / f"{tool} {job}.json"
        return json.loads(path.read_text()) if path.exists() else {"failed": said[0]}
    except (OSError, subprocess.TimeoutExpired, ValueError) as error:
        return {"failed": f"{type(error).__name__}: {error}"}


def duration(seconds: float) -> str:
    """In milliseconds or seconds, two or three digits."""
    return f"{seconds * 1000:.2g} ms" if seconds < 0.1 else f"{seconds:.3g} s"


def gone(answers: list[Any]) -> int:
    """Answers that are errors or not finite."""
    return sum(isinstance(answer, str) or not all(map(finite, answer.values())) for answer in answers)


def main() -> None:
    """Run everything once and print the tables."""
    corpus = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    sets = data(corpus)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        given = {job: [[y.tolist(), v.tolist()] for y, v in many] for job, many in sets.items()}
        (folder / "data.json").write_text(json.dumps(given))
        found = {tool: {job: process(tool, job, folder) for job in sets} for tool in TOOLS}
        checked = "corpus" if corpus else "batch"
        reference = process("reference", checked, folder)
    heads = [f"{tool} {next((r['version'] for r in runs.values() if 'version' in r), '')}".strip()
             for tool, runs in found.items()]  # fmt: skip
    print(f"| what | {' | '.join(heads)} |\n|---{'|---' * len(heads)}|")
    for job in sets:
        cells = []
        for runs in found.values():
            run = runs[job]
            lost = 0 if "failed" in run else gone(run["answers"])
            cells.append(run.get("failed") or duration(run["seconds"]) + (f", {lost} failed" if lost else ""))
        print(f"| {JOBS[job]} | {' | '.join(cells)} |")
    most = [max((r["memory"] for r in runs.values() if "memory" in r), default=float("nan")) for runs in found.values()]
    print(f"| largest process | {' | '.join(f'{m:.0f} MB' for m in most)} |")
    print(f"| instead of what was asked for | {' | '.join(INSTEAD.get(tool, '–') for tool in found)} |")

    if "failed" in reference:
        sys.exit(f"no reference: {reference['failed']}")
    none = gone(reference["answers"])
    print(f"\nDigits that agree on {JOBS[checked]}, median and least; the reference has {none} failures.\n")
    print(f"| tool | failures | {' | '.join(KINDS)} |\n|---|---{'|---' * len(KINDS)}|")
    for tool, runs in found.items():
        if "failed" in runs[checked]:
            print(f"| {tool} | {runs[checked]['failed']} |{' |' * len(KINDS)}")
            continue
        failures, kinds = compare(runs[checked]["answers"], reference["answers"], sets[checked])
        print(f"| {tool} | {len(failures)} | {' | '.join(map(agreement, kinds.values()))} |")
        for text, times in Counter(failures).items():
            print(f"{tool}, {times} times: {text}", file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
    else:
        main()
