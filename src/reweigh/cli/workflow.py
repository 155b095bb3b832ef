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

from reweigh.cli.places import Stop, home

MISSING = "`reweigh run` needs Snakemake: pip install 'reweigh[workflow]'"

TARGETS = ("tables", "core", "all", "gallery", "archive")


def no_target(name: str, reviews: Sequence[str]) -> str:
    """Why a word is no target, and what may have been meant."""
    near = get_close_matches(name, [*TARGETS, *reviews], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"{name!r} is no target.{hint} Targets: {', '.join(TARGETS)}, a review, a file such as results/NAME/pooled.csv."
    )


def command(directory: Path, targets: Sequence[str], cores: int | None, config: Sequence[str]) -> list[str]:
    """The command that runs the workflow on the reviews of a folder.

    Parameters
    ----------
    directory
        The folder that has `data/` and gets `results/`.
    targets
        `tables`, `core`, `all`, `gallery`, `archive`, or files below the folder.
    cores
        How many jobs at a time; None: as many as there are cores.
    config
        Settings as KEY=VALUE.
    """
    place = home()
    # -P: a module in the folder of a stranger's review must not be taken for one of Python's.
    made = [sys.executable, "-P", "-m", "snakemake", *targets]
    made += ["--snakefile", str(place / "Snakefile"), "--directory", str(directory)]
    made += ["--workflow-profile", str(place / "profiles" / "default")]
    made += ["--cores", str(cores or "all")]
    return made + (["--config", *config] if config else [])


def run(arguments: Sequence[str], said: Sequence[str]) -> int:
    """Run such a command to its end and return its exit status; Ctrl-C ends it as it ends Snakemake.

    `said` is what the person typed, which the workflow repeats where the folder is locked. Raises Stop where Snakemake
    is not installed.
    """
    if importlib.util.find_spec("snakemake") is None:
        raise Stop(MISSING)
    job = subprocess.Popen(arguments, env=os.environ | {"REWEIGH_COMMAND": shlex.join(["reweigh", *said])})
    while True:
        try:
            return job.wait()
        except KeyboardInterrupt:  # Snakemake got it too, and ends its jobs; wait until it has
            continue
