"""Snakemake with the packaged workflow, in a process of its own."""

from __future__ import annotations

import importlib.util
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from click import UsageError

from reweigh.cli.places import Stop, home

MISSING = "`reweigh run` needs Snakemake: pip install 'reweigh[workflow]'"

NO_EXECUTOR = "`--profile slurm` needs Snakemake's executor for it: pip install 'reweigh[slurm]'"

TARGETS = ("tables", "core", "all", "gallery", "archive")


def no_target(name: str, reviews: Sequence[str]) -> str:
    """Why a word is no target, and what may have been meant."""
    near = get_close_matches(name, [*TARGETS, *reviews], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"{name!r} is no target.{hint} Targets: {', '.join(TARGETS)}, a review, a file such as results/NAME/pooled.csv."
    )


def profile_folder(name: str) -> Path:
    """A profile that comes with the workflow, by its name, or the folder of one.

    Raises UsageError where it is neither, Stop where the executor of `slurm` is not installed.
    """
    own = home() / "profiles"
    names = sorted(path.name for path in own.iterdir())
    place = own / name if name in names else Path(name)
    if not any(place.glob("config*.yaml")):
        raise UsageError(f"--profile {name}: it is no folder with a config.yaml, and none of {', '.join(names)}.")
    if name == "slurm" and importlib.util.find_spec("snakemake_executor_plugin_slurm") is None:
        raise Stop(NO_EXECUTOR)
    return place


def command(
    directory: Path, targets: Sequence[str], cores: int | None, config: Sequence[str], profile: str | None = None
) -> list[str]:
    """The command that runs the workflow on the reviews of a folder.

    Parameters
    ----------
    directory
        The folder that has `data/` and gets `results/`.
    targets
        `tables`, `core`, `all`, `gallery`, `archive`, or files below the folder.
    cores
        How many jobs at a time; None: what the profile says, which is as many as there are cores.
    config
        Settings as KEY=VALUE.
    profile
        A profile of Snakemake's: one that comes with the workflow, by its name, or a folder. None: `default`.

    Raises UsageError where there is no such profile, Stop where its executor is not installed.
    """
    place = home()
    # -P: a module in the folder of a stranger's review must not be taken for one of Python's.
    made = [sys.executable, "-P", "-m", "snakemake", *targets]
    made += ["--snakefile", str(place / "Snakefile"), "--directory", str(directory)]
    made += ["--workflow-profile", str(profile_folder(profile or "default"))]
    made += ["--cores", str(cores)] if cores else []
    return made + (["--config", *config] if config else [])


def run(arguments: Sequence[str], said: Sequence[str]) -> int:
    """Run such a command to its end and return its exit status; Ctrl-C ends it as it ends Snakemake.

    `said` is what the person typed, which the workflow repeats where the folder is locked. Raises Stop where Snakemake
    is not installed.
    """
    if importlib.util.find_spec("snakemake") is None:
        raise Stop(MISSING)
    # A job on a cluster starts Snakemake anew, where -P is not repeated.
    environment = os.environ | {"REWEIGH_COMMAND": shlex.join(["reweigh", *said]), "PYTHONSAFEPATH": "1"}
    job = subprocess.Popen(arguments, env=environment)
    while True:
        try:
            return job.wait()
        except KeyboardInterrupt:  # Snakemake got it too, and ends its jobs; wait until it has
            continue
