"""The main job on the real data: what is built, what it says, what reruns, and what bad input does."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest

from conftest import ROOT, contents, copy_repository, snakemake
from reweigh.io import read_csv

pytestmark = pytest.mark.workflow

REVIEWS = (
    "ketamine-chronic-pain",
    "duloxetine-chronic-pain",
    "spinal-manipulation-low-back-pain",
    "antidepressants-fibromyalgia",
    "topical-nsaids-acute-pain",
    "bcg-vaccine",
)
KETAMINE, DULOXETINE = REVIEWS[:2]
JOURNALS = ("forest_revman", "forest_jama", "forest_bmj")


def table(folder, review, name):
    return read_csv(folder / "results" / review / name)


def pooled_row(folder, review, analysis, tau2, ci):
    rows = table(folder, review, "pooled.csv")
    found = rows[(rows["analysis"] == analysis) & (rows["tau2_method"] == tau2) & (rows["ci_method"] == ci)]
    assert len(found) == 1, rows[["analysis", "tau2_method", "ci_method"]]
    return found.iloc[0]


@pytest.mark.parametrize("review", REVIEWS)
def test_every_review_has_its_tables_and_its_summary(built, review):
    folder = built / "results" / review
    for name in ("effects.csv", "exclusions.csv", "rows.csv", "pooled.csv", "subgroups.csv", "summary.md"):
        assert (folder / name).stat().st_size > 0


@pytest.mark.parametrize("review", REVIEWS)
def test_every_main_analysis_has_its_forest_plot(built, review):
    effects = table(built, review, "effects.csv")
    drawn = {p.stem for p in (built / "results" / review / "figures" / "forest").glob("*.svg")}
    main = set(effects.loc[effects["set"] == "main", "analysis"])
    assert main <= drawn
    if review in (KETAMINE, DULOXETINE):
        split = {name.removesuffix(".by_pain_type") for name in drawn if name.endswith(".by_pain_type")}
        trials = effects.groupby("analysis")["pain_type"].agg(types="nunique", trials="size")
        assert {name for name in split if name in main} == main & set(trials.index[trials["types"] > 1])
        # a set with `also: true`: only where a type has two trials
        whole = effects.loc[effects["set"] == "intravenous", "analysis"]
        several = trials["types"].between(2, trials["trials"] - 1)
        assert split - main == set(whole) & drawn & set(trials.index[several])
    index = table(built, review, "figures/index.csv")
    assert drawn == set(index.loc[index["kind"] == "forest", "analysis"])
    for kind in JOURNALS:
        drawn = {p.stem for p in (built / "results" / review / "figures" / kind).glob("*.svg")}
        assert drawn == set(index.loc[index["kind"] == kind, "analysis"])
        assert main == drawn
        # The page names these files; it does not show them again.
        page = (built / "results" / review / "report.html").read_text()
        assert f'id="fig-{kind}' not in page and f"<code>figures/{kind}/" in page


@pytest.mark.parametrize("review", REVIEWS)
def test_every_reported_row_has_exactly_one_fate(built, review):
    rows = table(built, review, "rows.csv")
    for name in ("arms.csv", "contrasts.csv"):
        path = ROOT / "data" / review / name
        expected = len(pd.read_csv(path, dtype=str)) if path.exists() else 0
        assert (rows["file"] == name).sum() == expected
    assert not rows.duplicated(["file", "row"]).any()
    assert set(rows["status"]) <= {"chosen", "not chosen", "excluded"}
    assert (rows.loc[rows["status"] == "excluded", "reason"] != "").all()
    assert (rows.loc[rows["status"] == "chosen", "used_in"] != "").all()
    assert len(table(built, review, "exclusions.csv")) == (rows["status"] == "excluded").sum()
    used = {key for keys in table(built, review, "effects.csv")["rows"] for key in keys.split(", ")}
    chosen = rows[rows["status"] == "chosen"]
    assert used == set(chosen["file"] + ":" + chosen["row"].astype(int).astype(str))


MODELS = (("REML, hartung-knapp", "REML", "hartung-knapp"), ("DL, wald", "DL", "wald"), ("REML, wald", "REML", "wald"))


def test_main_analyses_agree_with_metafor(built, reference):
    compared = 0
    for key, expected in reference.items():
        if "/" not in key:
            continue
        review, analysis = key.split("/")
        effects = table(built, review, "effects.csv")
        # Of equal effects, which differ in the sixteenth digit, the variance says which is which.
        mine = effects[effects["analysis"] == analysis]
        mine = mine.iloc[np.lexsort((mine["variance"], mine["estimate"].round(9)))]
        order = np.lexsort((expected["vi"], np.round(expected["yi"], 9)))
        np.testing.assert_allclose(mine["estimate"], np.array(expected["yi"])[order], rtol=1e-9, err_msg=key)
        np.testing.assert_allclose(mine["variance"], np.array(expected["vi"])[order], rtol=1e-9, err_msg=key)
        pooled = table(built, review, "pooled.csv")
        for model, tau2, ci in MODELS:
            rows = pooled[
                (pooled["analysis"] == analysis) & (pooled["tau2_method"] == tau2) & (pooled["ci_method"] == ci)
            ]
            if rows.empty:
                continue
            for name, value in expected[model].items():
                if value is None or (name.startswith("pi_") and ci == "wald"):
                    continue
                if name.startswith("pi_") and len(expected["yi"]) < 3:
                    assert np.isnan(rows[name].iloc[0]), (key, name)
                    continue
                # A tau2 of 0 is 1e-13 or so there, and its I2, a percentage, 1e-9.
                near = 1e-8 if name == "i2" else 1e-10
                np.testing.assert_allclose(
                    rows[name].iloc[0], value, rtol=1e-8, atol=near, err_msg=f"{key} {model} {name}"
                )
                compared += 1
    assert compared > 150


@pytest.mark.parametrize(
    ("review", "analysis", "tau2", "ci", "k", "printed"),
    [
        (KETAMINE, "responder.immediate.crossover_as_independent", "DL", "wald", 5, "2.60 1.68 4.04"),
        (KETAMINE, "responder.immediate.crossover_as_independent", "REML", "hartung-knapp", 5, "2.80 1.44 5.45"),
        (KETAMINE, "responder.immediate", "DL", "wald", 5, "2.76 1.71 4.46"),
        (KETAMINE, "responder.immediate", "REML", "hartung-knapp", 5, "2.90 1.46 5.77"),
        ("spinal-manipulation-low-back-pain", "pain_intensity.month_1.published", "DL", "wald", 23, "-3.17 -7.85 1.51"),
        (DULOXETINE, "pain_change.end_of_treatment", "REML", "hartung-knapp", 25, "-0.338 -0.395 -0.282"),
        ("antidepressants-fibromyalgia", "pain_intensity.end_of_treatment.published", "DL", "wald", 22, "-0.43 -0.55 -0.30"),
        ("topical-nsaids-acute-pain", "responder.week_1.published", "DL", "wald", 37, "1.7 1.5 1.9"),
        ("topical-nsaids-acute-pain", "responder.week_1", "DL", "wald", 33, "1.7 1.5 1.9"),
        ("bcg-vaccine", "tuberculosis.end_of_follow_up", "DL", "wald", 13, "0.49 0.34 0.70"),
    ],
)  # fmt: skip
def test_printed_estimates(built, review, analysis, tau2, ci, k, printed):
    row = pooled_row(built, review, analysis, tau2, ci)
    digits = len(printed.split()[0].partition(".")[2])
    values = row[["estimate_natural", "ci_lower_natural", "ci_upper_natural"]]
    assert " ".join(f"{v:.{digits}f}" for v in values) == printed
    assert row["comparisons"] == k


def test_bcg_by_allocation(built, reference):
    rows = table(built, "bcg-vaccine", "subgroups.csv")
    rows = rows[(rows["analysis"] == "tuberculosis.end_of_follow_up.by_allocation") & (rows["model"] == "REML, Wald")]
    printed = {
        row["subgroup"]: " ".join(f"{row[c]:.2f}" for c in ("estimate_natural", "ci_lower_natural", "ci_upper_natural"))
        for _, row in rows.iterrows()
    }
    assert printed == {"Random": "0.38 0.22 0.65", "Alternate": "0.58 0.34 1.01", "Systematic": "0.65 0.32 1.32"}
    expected = reference["bcg by allocation"]
    np.testing.assert_allclose(rows["q_between"], expected["q_between"], rtol=1e-8)
    np.testing.assert_allclose(rows["q_between_p_value"], expected["q_between_p_value"], rtol=1e-8)


def test_a_test_for_subgroup_differences_needs_two_subgroups(built):
    rows = table(built, KETAMINE, "subgroups.csv")
    for analysis, group in rows[rows["model"] == "cochrane"].groupby("analysis"):
        groups = group[group["subgroup"] != "not reported"]
        estimable, ones = len(groups) >= 2, (groups["comparisons"] == 1).sum()
        assert group["q_between"].notna().all() == estimable, analysis
        codes = set(group["q_between_note_codes"])
        assert len(codes) == 1 and ("few_subgroups" in codes.pop()) != estimable, analysis
        said = f"subgroups_of_one ones={ones} subgroups={len(groups)}"
        assert (said in group["q_between_note_codes"].iloc[0]) == (estimable and ones > 0), analysis


@pytest.mark.parametrize(
    ("review", "name"),
    [(KETAMINE, "responder.immediate"), (DULOXETINE, "withdrawal.end_of_treatment.by_pain_type")],
)
def test_the_plots_of_the_readme_and_the_site_are_what_the_pipeline_draws(built, review, name):
    drawn = built / "results" / review / "figures" / "forest" / f"{name}.svg"
    assert f"images/{name}.svg" in (ROOT / "docs" / "index.md").read_text()
    assert (ROOT / "docs" / "images" / f"{name}.svg").read_bytes() == drawn.read_bytes()


def test_every_trial_has_its_worked_page(built):
    effects = table(built, KETAMINE, "effects.csv")
    main = effects[effects["set"] == "main"]
    pages = {p.name for p in (built / "results" / KETAMINE / "worked").glob("*.md")}
    assert pages == set(main["comparison_id"] + "." + main["outcome"] + "." + main["window"] + ".md")
    page = (built / "results" / KETAMINE / "worked" / "sigtermans2009.pain_intensity.week_1.md").read_text()
    assert "SD = SE x sqrt(n) = 0.51 x sqrt(30) = 2.79339" in page


def test_all_nineteen_claims_have_a_verdict(built):
    claims = table(built, KETAMINE, "claims.csv")
    assert list(claims["id"]) == [f"C{i:02d}" for i in range(1, 20)]
    assert (claims["verdict"] != "").all()


def test_as_of_a_year_is_a_review_of_its_own(copy_of_built):
    settings = ["as_of=2010", "reviews=[bcg-vaccine, ketamine-chronic-pain]"]
    run = snakemake(copy_of_built, "--cores", "2", "--config", *settings)
    assert run.returncode == 0, run.stdout + run.stderr
    known = table(copy_of_built, f"{KETAMINE}/as_of/2010", "effects.csv")
    assert known["year"].max() <= 2010 and len(known)
    left = table(copy_of_built, f"{KETAMINE}/as_of/2010", "left_out.csv").set_index("study_id")
    assert left.loc["pickering2020", "reason"] == "published after 2010"
    assert "no year" in left.loc["everton2007np1", "reason"]


def test_pickering_is_read_as_the_protocol_says(built):
    effects = table(built, KETAMINE, "effects.csv").set_index(["analysis", "study_id"])
    main = effects.loc[("pain_intensity.week_4", "pickering2020")]
    assert main["estimate"] == pytest.approx(-0.2)
    means = effects.loc[("pain_intensity.week_4.pickering_means", "pickering2020")]
    assert round(means["estimate"], 2) == -0.02


def test_lumanauws_two_ketamine_arms_are_combined(built):
    row = (
        table(built, KETAMINE, "effects.csv")
        .set_index(["analysis", "study_id"])
        .loc[("responder.immediate", "lumanauw2019")]
    )
    assert (row["events_intervention"], row["n_intervention"]) == (53, 65)


def test_nothing_to_do_the_second_time(copy_of_built):
    run = snakemake(copy_of_built, "--dry-run")
    assert "Nothing to be done" in run.stdout + run.stderr


def jobs(run):
    return set(re.findall(r"^rule (\w+):.*?wildcards: review=([\w-]+)", run.stdout + run.stderr, flags=re.M | re.S))


def test_one_changed_number_reruns_only_its_review(copy_of_built):
    arms = copy_of_built / "data" / "bcg-vaccine" / "arms.csv"
    arms.write_text(arms.read_text().replace(",139,11", ",139,12"))
    before = contents(copy_of_built / "results")
    run = snakemake(copy_of_built, "--cores", "2")
    assert run.returncode == 0, run.stdout + run.stderr
    after = contents(copy_of_built / "results")
    changed = {name.split("/")[0] for name in after if after[name] != before.get(name)}
    assert changed - {"index.html"} == {"bcg-vaccine"}  # the list of all reviews shows its numbers
    log = run.stdout + run.stderr
    assert not [review for review in REVIEWS if review != "bcg-vaccine" and f"{review}: " in log]


def test_a_change_in_the_library_reruns_what_it_affects(copy_of_built):
    place = copy_of_built / "src" / "reweigh" / "figures" / "forest" / "draw.py"
    place.write_text(place.read_text() + "\n# changed\n")
    text = snakemake(copy_of_built, "--dry-run", "--quiet", "rules").stdout
    counts = dict(re.findall(r"^(\w+)\s+(\d+)$", text, flags=re.M))
    assert counts.get("figures") == "6" and "pool" not in counts and "effects" not in counts, text


def test_one_core_and_two_cores_give_the_same_bytes(built, tmp_path):
    folder = copy_repository(tmp_path / "one")
    run = snakemake(folder, "--cores", "1", "--config", "reviews=[ketamine-chronic-pain, bcg-vaccine]")
    assert run.returncode == 0, run.stdout + run.stderr
    for review in (KETAMINE, "bcg-vaccine"):
        one, two = contents(folder / "results" / review), contents(built / "results" / review)
        assert one.keys() == two.keys()
        assert [name for name in one if one[name] != two[name]] == []


def test_a_single_figure_is_a_target(tmp_path):
    folder = copy_repository(tmp_path / "single")
    target = f"results/{KETAMINE}/figures/forest/responder.immediate.pdf"
    journals = [f"results/{KETAMINE}/figures/{kind}/responder.immediate.by_design.pdf" for kind in JOURNALS]
    run = snakemake(folder, "--cores", "2", target, *journals)
    assert run.returncode == 0, run.stdout + run.stderr
    for path in (target, *journals):
        assert (folder / path).read_bytes().startswith(b"%PDF")


def test_an_unknown_figure_says_which_there_are(copy_of_built):
    run = snakemake(copy_of_built, "results/bcg-vaccine/figures/forest/tuberclosis.svg")
    assert run.returncode != 0
    assert "there is no analysis 'tuberclosis'" in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr


def test_a_bad_review_is_reported_whole_and_stops_nothing_else(copy_of_built):
    folder = copy_of_built
    arms = folder / "data" / KETAMINE / "arms.csv"
    text = arms.read_text()
    text = text.replace("2.68,,0.51", '"2,68",,0.51').replace(",93,,,,,,,,,,,29,", ",93,,,,,,,,,,,129,")
    arms.write_text(text.replace("carr2004,,rescue", "car2004,,rescue"))
    protocol = folder / "data" / KETAMINE / "review.yaml"
    protocol.write_text(protocol.read_text().replace("subgroups:", "subgrups:"))
    other = folder / "data" / "bcg-vaccine" / "arms.csv"
    other.write_text(other.read_text().replace(",139,11", ",139,12"))
    before = contents(folder / "results" / KETAMINE)
    run = snakemake(folder, "--cores", "2")
    log = run.stdout + run.stderr
    assert run.returncode != 0
    assert "Traceback" not in log
    for part in ("subgrups", "2,68", "129", "car2004", "carr2004"):
        assert part in log
    assert contents(folder / "results" / KETAMINE) == before
    row = table(folder, "bcg-vaccine", "effects.csv").iloc[0]
    assert row["events_control"] == 12
    again = snakemake(folder, "--cores", "2")
    assert again.returncode != 0
    assert "subgrups" in again.stdout + again.stderr


def test_a_review_is_a_folder_and_touches_no_code(tmp_path):
    folder = copy_repository(tmp_path / "own")
    mine = folder / "data" / "my-review"
    shutil.copytree(folder / "data" / "bcg-vaccine", mine)
    (mine / "published.csv").unlink()
    (mine / "claims.yaml").unlink()
    protocol = (mine / "review.yaml").read_text()
    protocol = protocol.replace("tuberculosis:", "leprosy:").replace(
        "allocation: {random: Random", "climate: {hot: Hot"
    )
    protocol = protocol.replace("alternate: Alternate, systematic: Systematic", "cold: Cold").replace(
        "[allocation]", "[climate]"
    )
    (mine / "review.yaml").write_text(protocol.partition("meta_regression:")[0])
    (mine / "arms.csv").write_text((mine / "arms.csv").read_text().replace(",tuberculosis,", ",leprosy,"))
    studies = pd.read_csv(mine / "studies.csv", dtype=str)
    studies["climate"] = np.where(studies["absolute_latitude"].astype(int) > 35, "cold", "hot")
    studies.drop(columns="allocation").to_csv(mine / "studies.csv", index=False)
    run = snakemake(folder, "--cores", "2", "--config", "reviews=my-review")
    assert run.returncode == 0, run.stdout + run.stderr
    assert (folder / "results/my-review/figures/forest/leprosy.end_of_follow_up.by_climate.svg").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [("reviews=bcg", "did you mean 'bcg-vaccine'"), ("figure_formats=[gif]", "'gif' is not a figure format"), ("revews=x", "revews is not a key")],
)  # fmt: skip
def test_a_wrong_configuration_is_one_clear_message(built, setting, message):
    run = snakemake(built, "--dry-run", "--config", setting)
    assert run.returncode != 0
    assert message in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
