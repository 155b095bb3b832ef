"""What a run on Slurm makes are the bytes of a local run, whatever is killed on the way; `run` starts the cluster."""

import re
import shutil
import subprocess
import sys
import time

from ruamel.yaml import YAML

import made_corpus
from conftest import ROOT, contents
from reweigh.cli import corpus as many

REWEIGH, SNAKEMAKE = [sys.executable, "-m", "reweigh"], [sys.executable, "-m", "snakemake"]
PATIENCE = 300


def started(command, folder):
    """A command on its way; what it says goes to a file of the folder."""
    with (folder / "said.txt").open("a") as said:
        return subprocess.Popen(command, cwd=folder, stdout=said, stderr=subprocess.STDOUT)


def squeue(*arguments):
    return subprocess.run(
        ["squeue", "--noheader", *arguments], capture_output=True, text=True, check=True
    ).stdout.split()


def running():
    """The first job that runs, as soon as there is one."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if found := squeue("--states=running", "--format=%i"):
            return found[0]
        time.sleep(0.2)
    raise AssertionError("no job of Slurm runs")


def results(folder):
    return contents(folder / "results")


def differing(one, two):
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))


def test_a_corpus_through_a_lost_connection_and_a_killed_job(tmp_path):
    """Thirty reviews, five to a batch and ten to a job; the local run has the batches that the import made."""
    rows = tmp_path / "data-rows.csv"
    rows.write_bytes(made_corpus.data_rows(30))
    here, there = tmp_path / "here", tmp_path / "there"
    many.prepare([rows], here, "tables", {}, force=False)
    shutil.copytree(here, there)
    config = YAML(typ="safe").load(here / many.CONFIG)
    reviews = [review for batch in config["corpus"]["batches"] for review in batch]
    config["corpus"]["batches"] = [reviews[at : at + 5] for at in range(0, len(reviews), 5)]
    YAML().dump(config, there / many.CONFIG)
    subprocess.run([*REWEIGH, "run", "--directory", here], check=True, capture_output=True)
    command = [*SNAKEMAKE, "--snakefile", str(ROOT / "Snakefile"), "--workflow-profile", "slurm"]
    command += ["--group-components", "batch=2"]

    # The connection is lost while a job runs: Snakemake is gone, its jobs go on.
    first = started(command, there)
    running()
    first.kill()
    first.wait()
    assert squeue("--format=%i")
    name = re.findall("SLURM run ID: (.+)", (there / "said.txt").read_text())[-1]
    subprocess.run(["scancel", "--name", name], check=True)
    subprocess.run([*command, "--unlock"], cwd=there, check=True, capture_output=True)

    # The same command again; a job is killed.
    second = started(command, there)
    subprocess.run(["scancel", running()], check=True)
    assert second.wait() == 0, (there / "said.txt").read_text()
    assert "Trying to restart job" in (there / "said.txt").read_text()
    made = results(here)
    assert len(made) > 1000
    assert differing(made, results(there)) == []


def test_the_stages_of_a_review_are_one_job(tmp_path):
    made = {}
    for place, options in (("here", []), ("there", ["--profile", "slurm"])):
        folder = tmp_path / place
        shutil.copytree(ROOT / "data" / "bcg-vaccine", folder / "data" / "bcg-vaccine")
        # The run starts in another folder than that of the review.
        command = [*REWEIGH, "run", "tables", "--directory", place, *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        made[place] = results(folder)
    assert len(re.findall("submitted with SLURM jobid", done.stdout + done.stderr)) == 1
    assert differing(made["here"], made["there"]) == []
