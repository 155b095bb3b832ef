"""What a run survives: kills at any moment, two runs at once, results that cannot be written, a machine without HOME."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import contents, copy_repository

pytestmark = pytest.mark.workflow

REVIEW = "bcg-vaccine"
ARGUMENTS = ["--cores", "2", "--config", f"reviews={REVIEW}"]
WHO = ("job", "main process", "both")
KILLS = 12


def environment(**changed: str) -> dict[str, str]:
    """As a user has it: `snakemake` is a command."""
    own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return own | {"PATH": f"{Path(sys.executable).parent}:{own['PATH']}"} | changed


def start(folder: Path, **more) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "snakemake", *ARGUMENTS]
    said = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=folder, env=environment(), start_new_session=True, **said, **more)


def type_in(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, shell=True, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


def descendants(parent: int) -> list[int]:
    """Processes below one, the deepest last."""
    table = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.split()
    found = [parent]
    for one in found:
        found += [int(pid) for pid, above in zip(table[::2], table[1::2], strict=True) if int(above) == one]
    return found[1:]


def interpreter(pid: int) -> bool:
    """Whether a process is the Python of a job."""
    said = subprocess.run(["ps", "-wwo", "args=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return re.fullmatch(r"\S*python\S* \S*\.snakemake/scripts/\S+\s*", said) is not None


def kill(run: subprocess.Popen[str], who: str) -> None:
    """SIGKILL, to the jobs, to Snakemake itself, or to all at once as when the power goes."""
    below = descendants(run.pid)
    for pid in {"job": below, "main process": [run.pid], "both": [run.pid, *below]}[who]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def wait_for_orphans(folder: Path) -> None:
    """A job whose Snakemake is dead goes on to its end: a person would not be faster."""
    while any(str(folder) in line for line in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()):  # fmt: skip
        time.sleep(0.2)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> dict[str, bytes]:
    """The results of a run that nobody disturbed."""
    folder = copy_repository(tmp_path_factory.mktemp("undisturbed"))
    run = type_in(folder, f"snakemake {' '.join(ARGUMENTS)}")
    assert run.returncode == 0, run.stdout + run.stderr
    return results(folder)


def results(folder: Path) -> dict[str, bytes]:
    return contents(folder / "results" / REVIEW)


@pytest.mark.parametrize("number", range(KILLS))
def test_after_a_kill_one_command_gives_the_bytes_of_an_undisturbed_run(undisturbed, tmp_path, number):
    dice, who = random.Random(number), WHO[number % len(WHO)]
    folder = copy_repository(tmp_path / "killed")
    run = start(folder)
    # From the first job on, until the last one is under way.
    moment = dice.uniform(0, 14)
    while not (folder / "logs" / REVIEW).is_dir() and run.poll() is None:
        time.sleep(0.05)
    time.sleep(moment)
    kill(run, who)
    said, _ = run.communicate()
    assert "reweigh/" not in "".join(re.findall(r"Traceback.*", said, re.DOTALL)), said
    wait_for_orphans(folder)
    again = type_in(folder, f"snakemake {' '.join(ARGUMENTS)}")
    if "is locked" in again.stderr:
        [command] = re.findall(r"^    (snakemake --unlock && .*)$", again.stderr, re.MULTILINE)
        again = type_in(folder, command)
    assert again.returncode == 0, f"{who}, {moment:.1f} s: {again.stdout}{again.stderr}"
    now = results(folder)
    assert now.keys() == undisturbed.keys()
    assert [name for name in now if now[name] != undisturbed[name]] == []


def test_of_two_runs_at_once_one_works_and_the_other_says_why_not(undisturbed, tmp_path):
    folder = copy_repository(tmp_path / "two")
    first = start(folder)
    while not (folder / ".snakemake" / "locks").is_dir() or not any((folder / ".snakemake" / "locks").iterdir()):
        time.sleep(0.05)
    second = type_in(folder, f"snakemake {' '.join(ARGUMENTS)}")
    said, _ = first.communicate()
    assert first.returncode == 0, said
    assert second.returncode != 0
    assert "This folder is locked: another run is at work here" in second.stderr
    assert "Traceback" not in second.stdout + second.stderr
    assert results(folder) == undisturbed


@pytest.mark.parametrize("moment", ["a job starts", "at work"])
def test_ctrl_c_ends_in_silence_and_the_same_command_finishes(undisturbed, tmp_path, moment):
    folder = copy_repository(tmp_path / "stopped")
    run = start(folder)
    if moment == "a job starts":  # Python itself, which comes before all of ours, is still on its way
        while run.poll() is None and not any(interpreter(pid) for pid in descendants(run.pid)):
            time.sleep(0.001)
        time.sleep(0.03)
    else:
        while not (folder / "work" / REVIEW).is_dir():
            time.sleep(0.05)
        time.sleep(2)
    os.killpg(run.pid, signal.SIGINT)
    said, _ = run.communicate()
    assert run.returncode != 0 and "Traceback" not in said, said
    again = type_in(folder, f"snakemake {' '.join(ARGUMENTS)}")
    assert again.returncode == 0, again.stdout + again.stderr
    assert results(folder) == undisturbed


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="setpriv, which takes root's rights away, is not here")
@pytest.mark.parametrize(("closed", "says"), [("results", "Write-protected output files"), (".", "nothing was run")])
def test_what_cannot_be_written_is_said_and_nothing_is_lost(tmp_path, closed, says):
    folder = copy_repository(tmp_path / "closed")
    # Root may write anywhere: without these capabilities it is a user like any other. HOME and the mask are odd, too.
    without = "setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all " if os.geteuid() == 0 else ""
    command = f"{without}env -u HOME sh -c 'umask 077; snakemake core {' '.join(ARGUMENTS)}'"
    assert type_in(folder, command).returncode == 0
    arms = folder / "data" / REVIEW / "arms.csv"
    arms.write_text(arms.read_text().replace(",139,11", ",139,12"))
    before = results(folder)
    places = [folder / "results", *(folder / "results").rglob("*")]
    places += [folder, folder / ".snakemake"] if closed == "." else []
    for place in places:
        place.chmod(place.stat().st_mode & ~0o222)
    run = type_in(folder, command)
    for place in places:
        place.chmod(place.stat().st_mode | 0o200)
    assert run.returncode != 0 and "Traceback" not in run.stdout + run.stderr, run.stderr
    assert says in run.stdout + run.stderr
    assert results(folder) == before
    again = type_in(folder, command)
    assert again.returncode == 0 and results(folder) != before, again.stderr
