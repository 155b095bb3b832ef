"""The gallery: published meta-analyses as reviews, and the page that lists what came back of each printed estimate."""

import csv

import pytest

from conftest import ROOT
from reweigh.check import check
from reweigh.risk_of_bias import read_tools

GALLERY = ROOT / "gallery"
REVIEWS = sorted(path.parent.name for path in GALLERY.glob("*/review.yaml"))
TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())


def typed(path):
    """Rows of a table as they were typed."""
    with path.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("name", REVIEWS)
def test_a_review_passes_the_check_and_says_where_it_comes_from(name):
    files = {path.name: path.read_bytes() for path in (GALLERY / name).iterdir()}
    tables, report = check(files, name, TOOLS)
    assert tables is not None, report
    source = files["SOURCE.md"].decode()
    assert all(f"| {what} |" in source for what in ("Publication", "Data of the trials", "Licence of the data"))
    assert all(row["source"] for row in typed(GALLERY / name / "published.csv"))


def test_the_tables_are_the_shared_ones_as_they_stand():
    shared = ROOT.parent / "shared" / "gallery"
    if not shared.is_dir():
        pytest.skip("../shared is not there")
    folders = sorted(path.name for path in shared.iterdir() if path.is_dir())
    assert REVIEWS == folders
    for name in folders:
        for table in ("arms.csv", "contrasts.csv", "studies.csv"):
            there, here = shared / name / table, GALLERY / name / table
            assert there.exists() == here.exists() and (not there.exists() or there.read_bytes() == here.read_bytes())
        printed, ours = typed(shared / name / "check.csv"), typed(GALLERY / name / "published.csv")
        for one, row in zip(printed, ours, strict=True):
            kept = ("outcome", "timepoint", "model", "source", "checked")
            assert [one[key] for key in kept] == [row[key] for key in kept]
            assert one["locator"] == row.get("evidence", "")
