"""The gallery: published meta-analyses as reviews, and the page that lists what came back of each printed estimate."""

import csv
import re
import shutil

import pandas as pd
import pytest

from conftest import ROOT, copy_repository, snakemake
from reweigh.check import check
from reweigh.io import frame, read_csv
from reweigh.protocol.read import load_checked
from reweigh.report.gallery import gallery_page, gallery_table, summary
from reweigh.reproduction.ledger import NOT_PUBLIC, NOT_REPRODUCED, REPRODUCED
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
    both = [name for name in folders if name in REVIEWS]
    assert len(both) >= 20
    for name in both:
        for table in ("arms.csv", "contrasts.csv", "studies.csv"):
            there, here = shared / name / table, GALLERY / name / table
            assert there.exists() == here.exists() and (not there.exists() or there.read_bytes() == here.read_bytes())
        printed, ours = typed(shared / name / "check.csv"), typed(GALLERY / name / "published.csv")
        for one, row in zip(printed, ours, strict=True):
            kept = ("outcome", "timepoint", "model", "source", "checked")
            assert [one[key] for key in kept] == [row[key] for key in kept]
            assert one["locator"] == row.get("evidence", "") and one["estimate"] == row["estimate"]


NOTHING = frame("corpus_problems.csv", [])


def ledger_of(name, verdict=REPRODUCED):
    """A reproduction.csv with a row per row of published.csv; the numbers are those printed."""
    rows = []
    for number, row in enumerate(typed(GALLERY / name / "published.csv"), start=2):
        given = {key: row.get(key, "") for key in ("label", "outcome", "timepoint", "subgroup", "measure")}
        numbers = {key: float(row.get(key) or "nan") for key in ("estimate", "ci_lower", "ci_upper")}
        rows.append({"row": number, **given, "printed": row.get("estimate", ""), "verdict": verdict, **numbers,
                     "printed_ci_lower": numbers["ci_lower"], "k": 2, "found_model": "a model"})  # fmt: skip
    return frame("reproduction.csv", rows)


def found_of(names, verdict=REPRODUCED):
    """What the page is made from."""
    return [
        (f"gallery/{name}", load_checked((GALLERY / name / "review.yaml").read_bytes()), ledger_of(name, verdict))
        for name in names
    ]


def rows_of(page):
    """The rows of the page: their cells as text."""
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.findall(r"<(?:th|td)[^>]*>(.*?)</(?:th|td)>", row)]
        for row in re.findall(r"<tr data-v.*?</tr>", page)
    ]


def test_the_page_lists_every_printed_estimate_once_and_links_its_review():
    found = found_of(REVIEWS)
    table = gallery_table(found)
    page = gallery_page(table, found, NOTHING)
    printed = [row for name in REVIEWS for row in typed(GALLERY / name / "published.csv")]
    assert len(rows_of(page)) == len(table) == len(printed)
    for cells, row in zip(rows_of(page), printed, strict=True):
        minus = row.get("estimate", "").replace("-", "\N{MINUS SIGN}")
        assert cells[1].startswith(f"{row['measure']} {minus}" if minus else "\N{EN DASH}")
    assert re.findall(r'href="gallery/([^/]+)/report.html', page) == REVIEWS
    assert not table.duplicated(["review", "row"]).any()


def test_the_page_says_printed_recomputed_verdict_and_method_or_why_none():
    [(review, protocol, ledger)] = found_of(["nissen2007-rosiglitazone"])
    numbers = {"estimate": 1.42833, "ci_lower": 1.03093, "ci_upper": 1.97886, "printed_ci_lower": 1.03}
    first = {"printed": "1.43 (1.03 to 1.98)", **numbers, "verdict": REPRODUCED, "printed_model": "Peto",
             "found_model": "Peto, common effect", "k": 38}  # fmt: skip
    lost = {"estimate": float("nan"), "k": None, "verdict": NOT_PUBLIC, "found_model": "", "missing": "the counts"}
    ledger = pd.DataFrame([{**ledger.iloc[0], **first}, {**ledger.iloc[1], **lost}])
    found = [(review, protocol, ledger)]
    one, other = rows_of(gallery_page(gallery_table(found), found, NOTHING))
    assert one == ["Myocardial infarction, end of trial", "OR 1.43 (1.03 to 1.98) Peto",
                   "1.4283 (1.0309 to 1.9789) k\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}38", "Reproduced", "Peto, common effect"]  # fmt: skip
    assert other[2:] == ["\N{EN DASH}", NOT_PUBLIC.capitalize(), "Missing: the counts"]
    assert "Nearest: DL: 1.5" in gallery_page(
        gallery_table([(review, protocol, ledger.assign(nearest="DL: 1.5", missing=""))]), found, NOTHING
    )


def test_a_print_on_the_log_scale_its_trials_and_what_to_know_of_it_are_said():
    [(review, protocol, ledger)] = found_of(["dersimonian2007-clasp"])
    known = {"estimate_scale": "log", "trials": "without s1", "note": "many were tried"}
    cells = rows_of(gallery_page(gallery_table([(review, protocol, ledger)]).assign(**known), [(review, protocol, ledger)], NOTHING))  # fmt: skip
    assert cells[0][1].startswith("log OR \N{MINUS SIGN}0.3811")
    assert cells[0][2].endswith(", without s1") and cells[0][4].endswith("Many were tried")


def test_verdicts_are_counted_and_reviews_that_stopped_are_named():
    found = [*found_of(["nissen2007-rosiglitazone"]), *found_of(["marchi2022-ketamine-psychiatry"], NOT_REPRODUCED)]
    table = gallery_table(found)
    stopped = frame("corpus_problems.csv", [{"review": "gallery/bad", "stage": "check", "problem": "n is <0>"}])
    assert summary(table, stopped).splitlines() == [
        "2 published meta-analyses, 6 printed estimates", "2 reproduced", "4 not reproduced",
        "gallery/bad went no further, check: n is <0>",
    ]  # fmt: skip
    page = gallery_page(table, found, stopped)
    assert "Reproduced <b>2</b>" in page and "Not reproduced <b>4</b>" in page and "n is &lt;0&gt;" in page


@pytest.mark.workflow
def test_a_folder_under_gallery_is_enough_and_plain_snakemake_leaves_it_alone(tmp_path):
    folder = copy_repository(tmp_path / "gallery")
    refused = snakemake(folder, "gallery")
    assert refused.returncode and "no folder under gallery/ has a review.yaml" in refused.stdout + refused.stderr
    for name in ("cannon2006-intensive-statins", "dersimonian2007-clasp", "hart1999-warfarin"):
        shutil.copytree(GALLERY / name, folder / "gallery" / name.replace("hart1999", "bad"))
    bad = folder / "gallery" / "bad-warfarin" / "arms.csv"
    bad.write_text(bad.read_text().replace("335,9,", "335,-9,"))
    plain = snakemake(folder, "--dry-run")
    assert plain.returncode == 0 and "gallery" not in plain.stdout + plain.stderr
    run = snakemake(folder, "--cores", "2", "gallery")
    log = run.stdout + run.stderr
    assert run.returncode == 0, log
    assert "2 published meta-analyses, 9 printed estimates" in log and "gallery/bad-warfarin went no further" in log
    table = read_csv(folder / "results" / "gallery.csv")
    expected = [
        (name, row["outcome"])
        for name in ("cannon2006-intensive-statins", "dersimonian2007-clasp")
        for row in typed(GALLERY / name / "published.csv")
    ]
    assert list(zip(table["review"], table["outcome"], strict=True)) == expected
    page = (folder / "results" / "gallery.html").read_text()
    for place in re.findall(r'href="(gallery/[^#"]+)', page):
        assert (folder / "results" / place).is_file()
    assert "Nothing to be done" in (again := snakemake(folder, "--dry-run", "gallery")).stdout + again.stderr
    arms = folder / "gallery" / "cannon2006-intensive-statins" / "arms.csv"
    arms.write_text(arms.read_text().replace("2099,147", "2099,148"))
    text = snakemake(folder, "gallery", "--dry-run", "--quiet", "rules").stdout
    assert dict(re.findall(r"^(\w+)\s+(\d+)$", text, flags=re.M)) == {"gallery_review": "1", "gallery_page": "1", "gallery": "1", "total": "3"}  # fmt: skip
