"""Every reference file that an R script made is what the script makes, where R and its packages are there."""

import json
import math
import os
import re
import shutil
import subprocess

import pytest

from conftest import ROOT

SCRIPTS = sorted((ROOT / "tests" / "reference").glob("*.R"))


def missing(script) -> str:
    """What the machine lacks to run a script, "" where nothing is."""
    if shutil.which("Rscript") is None:
        return "Rscript"
    wanted = sorted(set(re.findall(r"library\((\w+)\)", script.read_text())))
    code = (
        f"cat(setdiff(c({', '.join(repr(w) for w in wanted)}), rownames(installed.packages())))"
        if wanted
        else "cat('')"
    )
    done = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def differences(one, other, where=""):
    """Paths at which two JSON values differ by more than a ten-millionth."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [f"{where}/{k}: only in one" for k in sorted(one.keys() ^ other.keys())]
        return keys + [d for k in one.keys() & other.keys() for d in differences(one[k], other[k], f"{where}/{k}")]
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return [f"{where}: {len(one)} and {len(other)} values"]
        return [d for i, (a, b) in enumerate(zip(one, other, strict=True)) for d in differences(a, b, f"{where}[{i}]")]
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        # Optimisers in R stop at 1e-8 or so; another BLAS may move the last digits before that.
        same = math.isclose(one, other, rel_tol=1e-7, abs_tol=1e-9)
    else:
        same = one == other
    return [] if same else [f"{where}: {one!r} and {other!r}"]


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=[s.stem for s in SCRIPTS])
def test_the_script_makes_the_file(script):
    if lacking := missing(script):
        message = f"this machine lacks {lacking}"
        pytest.fail(f"{message}, which CI must install") if os.environ.get("REWEIGH_CI") else pytest.skip(message)
    run = subprocess.run(["Rscript", str(script)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    found = differences(json.loads(script.with_suffix(".json").read_text()), json.loads(run.stdout))
    assert not found, "\n".join(found[:20])
