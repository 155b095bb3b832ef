"""Time the main job: from clean, with nothing to do, and after one changed number.

.venv/bin/python benchmarks/main_job.py [without REVIEW ...]
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("Snakefile", "profiles", "workflow", "scripts", "config", "src", "data", "environment.yml")


def run(folder: Path, *targets: str) -> tuple[float, str]:
    """Seconds and output of `snakemake` on two cores, for every review that the folder has."""
    start = time.perf_counter()
    reviews = ",".join(sorted(path.name for path in (folder / "data").glob("*/")))
    command = [sys.executable, "-m", "snakemake", *targets, "--cores", "2", "--config", f"reviews=[{reviews}]"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stdout + done.stderr


def jobs(log: str) -> dict[str, int]:
    """Jobs that ran, by review."""
    found: dict[str, int] = {}
    for review in re.findall(r"^Job \d+: ([\w-]+):", log, flags=re.MULTILINE):
        found[review] = found.get(review, 0) + 1
    return found


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in PARTS:
            copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
            copy(ROOT / part, folder / part)
        for left_out in sys.argv[2:]:
            shutil.rmtree(folder / "data" / left_out)
        core, core_log = run(folder, "core")
        for made in ("results", "work", "logs", ".snakemake"):
            shutil.rmtree(folder / made)
        clean, log = run(folder)
        nothing, idle = run(folder)
        arms = folder / "data" / "bcg-vaccine" / "arms.csv"
        arms.write_text(arms.read_text().replace(",139,11", ",139,12"))
        changed, after = run(folder)
        assert not jobs(idle)
        print("| what | target | measured |\n|---|---|---|")
        ran = f"{core:.1f} s, {sum(jobs(core_log).values())} jobs"
        print(f"| `snakemake core` from clean, two cores | 12 s | {ran} |")
        ran = f"{clean:.1f} s, {sum(jobs(log).values())} jobs"
        print(f"| plain `snakemake`, every stage, from clean, two cores | 35 s | {ran} |")
        print(f"| nothing to do | 1.5 s | {nothing:.1f} s |")
        ran = ", ".join(f"{n} jobs of {review}" for review, n in jobs(after).items())
        print(f"| one number changed in `bcg-vaccine/arms.csv` | 7 s | {changed:.1f} s: {ran} |")
