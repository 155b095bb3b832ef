"""The search for printed estimates: what a source states, what is found by search, and what a student is shown."""

import json
import re
from itertools import product

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from conftest import ROOT
from reweigh.check import check
from reweigh.cli.main import main
from reweigh.effects.selection import select
from reweigh.pool.summarise import pooled_table
from reweigh.protocol.read import load_checked
from reweigh.reproduction.detective import lines, results
from reweigh.reproduction.ledger import FOUND, NOT_PUBLIC, NOT_REPRODUCED, REPRODUCED, ledger
from reweigh.reproduction.printed import digits_given, parse_number
from reweigh.reproduction.stated import SINCE, print_year, stated
from reweigh.text.reproduction import SENTENCES

GALLERY = ROOT.parent / "shared" / "gallery"
REFERENCE = json.loads((ROOT / "tests" / "reference" / "ledger_metafor.json").read_text())
TABLES = ("review.yaml", "studies.csv", "arms.csv", "contrasts.csv")
_known = {}


def selected(folder):
    """Protocol, tables, selection and typed tables of a review, made once."""
    if folder not in _known:
        files = {name: (folder / name).read_bytes() for name in TABLES if (folder / name).exists()}
        tables, report = check(files, folder.name)
        assert tables is not None, report
        protocol = load_checked(files["review.yaml"])
        found = select(tables.studies, tables.arms, tables.contrasts, protocol)
        raw = {name: text(folder / name) for name in ("arms.csv", "contrasts.csv") if name in files}
        _known[folder] = protocol, tables, found, raw
    return _known[folder]


def text(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def searched(published, folder, studies=None):
    protocol, tables, found, raw = selected(folder)
    return ledger(
        published, found.effects, pooled_table(found.effects.iloc[:0], protocol), protocol, raw=raw, units=found.units,
        studies=tables.studies if studies is None else studies,
    )  # fmt: skip


def bcg(**given):
    """The ledger's row and the methods tried on a print of the BCG review."""
    row = {
        "review_id": "made", "year": "2010", "doi": "10.1001/jama.1994.03510330076038", "outcome": "tuberculosis",
        "timepoint": "end of follow-up", "measure": "RR", "model": "DL, Wald", **given,
    }  # fmt: skip
    reproduction, methods = searched(pd.DataFrame([row]), ROOT / "data" / "bcg-vaccine")
    return reproduction.iloc[0], methods


def printed(name, decimals=3, scale=np.exp):
    values = scale(np.array(REFERENCE[name][:3]))
    return dict(zip(("estimate", "ci_lower", "ci_upper"), (f"{x:.{decimals}f}" for x in values), strict=True))


# --- subgroups, parts of the trials, left-out trials


def test_a_printed_subgroup_is_compared_with_that_subgroup():
    row, _ = bcg(subgroup="Random", **printed("random"))
    assert (row["verdict"], row["k"], row["trials_codes"]) == (
        REPRODUCED, 7, "trials_subgroup column=allocation value=random"
    )  # fmt: skip
    assert np.allclose([row["estimate"], row["ci_lower"]], np.exp(REFERENCE["random"][:2]), rtol=1e-8)
    assert bcg(subgroup="alternate", **printed("random"))[0]["verdict"] == NOT_REPRODUCED


def test_a_printed_k_narrows_the_trials_to_those_that_a_column_names_and_that_is_a_search():
    row, methods = bcg(k="7", **printed("random"))
    assert (row["verdict"], row["k"]) == (FOUND, 7)
    assert row["trials_codes"] == "trials_column column=allocation value=random"
    assert "trials_by_column" in row["note_codes"] and "k_fewer" in row["note_codes"]
    of_parts = methods[methods["searched"] == "yes"]
    assert set(of_parts.loc[of_parts["trials"] != "all trials of the set", "k"]) == {7}
    assert bcg(k="13", **printed("random"))[0]["verdict"] == NOT_REPRODUCED


def test_leaving_out_a_trial_is_a_search_and_no_reproduction():
    row, _ = bcg(**printed("without_s01"))
    assert row["verdict"] == NOT_REPRODUCED and "left_out_gives trials=s01" in row["note_codes"]
    row, methods = bcg(k="12", **printed("without_s01"))
    assert (row["verdict"], row["k"]) == (FOUND, 12) and "trials_left_out trials=s01" in row["note_codes"]
    assert row["trials_tried"] == 14 and set(methods.loc[methods["agrees"] == "yes", "searched"]) == {"yes"}


def test_a_subgroup_that_no_column_names_is_missing_data_and_the_message_says_what_to_add():
    row, _ = bcg(subgroup="children", **printed("without_s01", decimals=5) | {"estimate": "9.99999", "ci_upper": "11"})
    assert row["verdict"] == NOT_PUBLIC and row["missing_codes"] == "no_subgroup subgroup=children"
    row, _ = bcg(subgroup="without Aronson", **printed("without_s01"))
    assert row["verdict"] == FOUND


def test_tables_that_are_not_tied_to_the_paper_say_what_ties_them():
    row, _ = bcg(doi="10.1/x", k="13", estimate="0.49")
    assert row["verdict"] == NOT_PUBLIC and row["missing"].startswith("the DOI 10.1/x in table_source")


# --- methods


def test_a_printed_odds_ratio_is_tried_as_peto_and_by_mantel_haenszel():
    for name, model in (("peto", "Peto"), ("mh_or", "Mantel-Haenszel, fixed effect")):
        row, _ = bcg(measure="OR", model=model, **printed(name, 4))
        assert row["verdict"] == REPRODUCED and row["found_model"].startswith(model.split(",")[0])
        assert np.allclose([row["estimate"], row["ci_lower"], row["ci_upper"]], np.exp(REFERENCE[name][:3]), rtol=1e-8)
    row, _ = bcg(measure="OR", model="fixed effect", **printed("peto", 4))
    assert row["verdict"] == FOUND and "model_part" in row["note_codes"]


def test_i2_is_printed_digits_and_se_and_p_are_compared_beside():
    given = {"estimate": "0.49", "ci_lower": "0.34", "ci_upper": "0.70"}
    assert bcg(**given, i2="92.1")[0]["verdict"] == REPRODUCED
    assert bcg(**given, i2="92.2")[0]["verdict"] == NOT_REPRODUCED
    row, _ = bcg(**given, se="0.1787", p_reported="<0.00001")
    assert row["verdict"] == REPRODUCED
    assert (row["se_agrees"], row["p_agrees"]) == ("yes", "no") and "P (< 0.00001)" in row["note"]


def test_an_estimate_without_an_interval_and_one_on_the_log_scale():
    assert bcg(estimate="0.49")[0]["verdict"] == REPRODUCED
    row, _ = bcg(estimate="-0.714", estimate_scale="log", se="0.179")
    assert row["verdict"] == REPRODUCED and row["estimate"] == pytest.approx(-0.71412, abs=1e-4)
    assert row["se_agrees"] == "yes" and row["printed"] == "-0.714 (SE 0.179)"
    assert bcg(estimate="-0.714", estimate_scale="z")[0]["missing_codes"].startswith("own_scale_only")


@pytest.mark.parametrize(("model", "name"), [("DL", "slope_dl"), ("REML, Hartung-Knapp", "slope_reml_hk")])
def test_a_regression_slope_has_a_place(model, name):
    given = printed(name, 4, scale=np.asarray)
    slope = {"moderators": "absolute_latitude", "estimate_scale": "log", "model": model}
    row, methods = bcg(**given, **slope, se=f"{REFERENCE[name][3]:.4f}")
    assert (row["verdict"], row["k"], row["se_agrees"]) == (REPRODUCED, 13, "yes")
    assert np.allclose([row["estimate"], row["ci_lower"], row["ci_upper"], row["se"]], REFERENCE[name], rtol=1e-7)
    assert len(methods) == 2 * 24 and set(methods["k"]) == {13}
    assert bcg(**given, **slope | {"moderators": "weeks"})[0]["missing_codes"] == "no_moderator moderator=weeks"
    assert bcg(**given, **slope, coefficient="intercept")[0]["verdict"] == NOT_REPRODUCED


@pytest.fixture
def continuous(tmp_path):
    """Three made-up trials of one continuous outcome; the same as in ledger_metafor.R."""
    rows = [(12, 5.1, 1.9, 14, 6.4, 2.1), (20, 4.2, 2.4, 18, 5.9, 1.7), (31, 6.3, 2.2, 29, 6.6, 2.6)]
    arms = ["study_id,role,arm,outcome,timepoint,n,mean,sd,source"]
    for i, (n1, m1, s1, n2, m2, s2) in enumerate(rows):
        arms.append(f"t{i},intervention,drug,pain,end,{n1},{m1},{s1},made")
        arms.append(f"t{i},control,placebo,pain,end,{n2},{m2},{s2},made")
    (tmp_path / "arms.csv").write_text("\n".join(arms) + "\n")

    def make(measure):
        (tmp_path / "review.yaml").write_text(
            "title: Made\nquestion: {population: p, intervention: drug, comparator: placebo}\n"
            "words: {intervention: drug, control: placebo}\ntable_source: {arms: made}\n"
            f"outcomes:\n  pain: {{label: Pain, type: continuous, measure: {measure}, better: lower}}\n"
        )
        _known.pop(tmp_path, None)
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("measure", "name", "model", "verdict"),
    [
        ("SMD", "smd_ls", "DL", REPRODUCED), ("SMD", "smd_ub", "DL", FOUND),
        ("MD", "md_pooled", "DL, pooled SD", REPRODUCED), ("MD", "md_pooled", "DL", FOUND),
    ],
)  # fmt: skip
def test_the_variance_that_only_gives_the_print_is_found(continuous, measure, name, model, verdict):
    row = {"review_id": "made", "source": "made", "outcome": "pain", "timepoint": "end", "measure": measure}
    row |= {"model": model, **printed(name, 5, scale=np.asarray)}
    found, methods = searched(pd.DataFrame([row]), continuous(measure))
    one = found.iloc[0]
    assert one["verdict"] == verdict
    assert np.allclose([one["estimate"], one["ci_lower"], one["ci_upper"]], REFERENCE[name][:3], rtol=1e-8)
    formula = methods.loc[methods["agrees"] == "yes", "formula_codes"]
    assert {"smd_ls": "LS", "smd_ub": "UB", "md_pooled": "pooled"}[name] in formula.iloc[0]
    assert ("formula_open" in one["note_codes"]) == (verdict == FOUND)


# --- what the source states


@pytest.mark.parametrize(
    ("words", "method", "fit"),
    [
        ("random effects (DL, Wald)", ("inverse variance", "DL", "wald"), "named"),
        ("random effects (DL, Wald)", ("inverse variance", "DL", "hartung-knapp"), "other"),
        ("random effects (DL, Wald)", ("mantel-haenszel corrected", "DL", "wald"), "other"),
        ("DL", ("inverse variance", "DL", "t"), "open"),
        ("random effects", ("inverse variance", "DL", "wald"), "named"),
        ("random effects", ("inverse variance", "PM", "wald"), "open"),
        ("random effects", ("inverse variance", "EE", "wald"), "other"),
        ("random effects (RevMan)", ("mantel-haenszel corrected", "DL", "wald"), "named"),
        ("Mantel-Haenszel, random effects (DerSimonian-Laird)", ("mantel-haenszel", "DL", "wald"), "named"),
        ("Mantel-Haenszel, random effects (DerSimonian-Laird)", ("inverse variance", "DL", "wald"), "other"),
        ("fixed effect", ("mantel-haenszel", "EE", "wald"), "named"),
        ("fixed effect", ("peto", "EE", "wald"), "open"),
        ("HE (Cochran ANOVA)", ("inverse variance", "HE", "wald"), "named"),
        ("ML, Wald", ("inverse variance", "REML", "wald"), "other"),
        ("REML, Hartung-Knapp-Sidik-Jonkman", ("inverse variance", "REML", "hartung-knapp"), "named"),
        ("empirical Bayes", ("inverse variance", "PM", "wald"), "named"),
        ("fixed or random effects", ("inverse variance", "EE", "wald"), "open"),
        ("", ("peto", "EE", "wald"), "open"),
        ("method not visible; Peto gives it", ("peto", "EE", "wald"), "open"),
    ],
)
def test_what_a_source_says_of_its_model(words, method, fit):
    assert stated({"model": words, "year": "2020"}).fit(*method, "RR") == fit


def test_a_method_before_its_earliest_source_cannot_be_stated():
    said = stated({"model": "REML", "year": "2002", "source": "Colloquium 1998 abstract"})
    assert not said.names_a_model and "model_impossible what=REML year=1998" in said.codes
    assert stated({"model": "REML", "year": "1999"}).tau2 == "REML"
    assert stated({"model": "REML", "year": "1985", "source": "Handbook 2009, p 309"}).tau2 == "REML"
    assert print_year({"source": "Stat Med 29:3046-3067"}) is None
    assert {kind for kind, _ in SINCE} == {"tau2", "interval", "zero_cells"}


def test_an_impossible_or_unstated_model_is_found_by_search_at_best():
    given = {"estimate": "0.49", "ci_lower": "0.34", "ci_upper": "0.70"}
    row, _ = bcg(**given, model="REML, Wald", year="1998")
    assert row["verdict"] == FOUND and "model_impossible" in row["note_codes"]
    row, methods = bcg(**given, model="", year="1998")
    assert row["verdict"] == FOUND and "model_unstated" in row["note_codes"]
    reml = methods[(methods["tau2_method"] == "REML") & (methods["agrees"] == "yes")]
    assert set(reml["named"]) == {"no"} and reml["cannot"].str.contains("printed in 1998").all()
    assert row["methods_tried"] > row["print_alike"] > 1 and row["distinct_alike"] > 1


def test_what_the_source_rules_out_is_not_found_but_listed():
    row, _ = bcg(**printed("random"), model="random effects (REML, Wald)", subgroup="random")
    assert row["verdict"] == NOT_REPRODUCED and "DerSimonian-Laird" in row["models_that_agree"]


@pytest.mark.parametrize(
    ("value", "given", "digits"),
    [(1.82, "1.85", (2, 3)), (0.5326, "0.53", (2, 2)), (0.049, "0.05", (1, 1)), (12.3, "1.23", (0, 3)),
     (-0.42, "0.42", (0, 2)), (float("nan"), "0.42", (0, 2)), (0.004, "0.00", (1, 1)), (1.05, "1.0", (2, 2))],
)  # fmt: skip
def test_printed_digits_are_counted_from_the_left(value, given, digits):
    assert digits_given(value, parse_number(given)) == digits


def test_every_code_has_words_and_every_word_a_code():
    source = "".join(path.read_text() for path in (ROOT / "src/reweigh/reproduction").glob("*.py"))
    words = set(re.findall(r'"([a-z_0-9]+)"', source))
    assert set(SENTENCES) <= words
    used = set(re.findall(r'code\(\s*"([a-z_0-9]+)"', source))
    assert used <= set(SENTENCES)


# --- what the check refuses


def problems_of(line):
    files = {name: (ROOT / "data" / "bcg-vaccine" / name).read_bytes() for name in TABLES[:3]}
    header = "review_id,outcome,measure,estimate,ci_lower,ci_upper,estimate_scale,se,moderators,coefficient,source"
    _, report = check(files | {"published.csv": f"{header}\n{line}\n".encode()}, "bcg")
    return report


def test_a_negative_ratio_is_refused_and_its_logarithm_is_not():
    assert "is below 0, but RR is a ratio" in problems_of("a,tuberculosis,RR,-0.71,,,,,,,x")
    assert "is below 0" in problems_of("a,tuberculosis,relative benefit,0.1,-0.2,0.5,,,,,x")
    assert "is below 0" not in problems_of("a,tuberculosis,RR,-0.71,,,log,0.18,,,x")
    assert "is below 0" not in problems_of("a,tuberculosis,MD,-0.71,,,,,,,x")
    assert "is not the scale of MD" in problems_of("a,tuberculosis,MD,0.71,,,log,,,,x")
    assert "no moderators" in problems_of("a,tuberculosis,RR,0.71,,,,,,latitude,x")


# --- the detective


def test_the_detective_shows_every_method_and_which_one_the_source_names():
    row, methods = bcg(estimate="0.49", ci_lower="0.34", ci_upper="0.70", k="13")
    shown = "\n".join(lines(methods, row))
    assert "Verdict: reproduced" in shown and "6 of 6 digits  0.4896 (0.3449 to 0.6950)" in shown
    assert (
        "random effects (DerSimonian-Laird), Wald interval; 0.5 added where a cell is 0 - named by the source" in shown
    )
    assert sum(len(one["methods"]) for one in results(methods, row)) == len(methods)
    digits = [one["digits"] for one in results(methods, row)]
    assert digits == sorted(digits, reverse=True) and "cannot be: the source names another estimator" in shown


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("bcg-vaccine", "1"), 0, "Colditz 1994: tuberculosis, end of follow-up"),
        (("bcg-vaccine", "2"), 2, "ROW 2 is no row of data/bcg-vaccine/published.csv: it has 1, the first is 1."),
        (("bcg-vaccine", "0"), 2, "0 is not in the range x>=1"),
        (("no-such-review", "1"), 1, "There is no folder data/no-such-review"),
    ],
)
def test_the_command(monkeypatch, arguments, status, said):
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(main, ["detective", *arguments])
    assert done.exit_code == status and said in done.output and "Traceback" not in done.output


# --- the gallery: published meta-analyses that nobody here made


def gallery():
    if not GALLERY.is_dir():
        pytest.skip("the shared gallery is not on this machine")
    return text(GALLERY / "verified.csv")


def prints_of(folder):
    """published.csv; prints that it cannot hold yet are taken from check.csv."""
    published = text(folder / "published.csv")
    if "estimate" not in published:
        published = published.assign(estimate=text(folder / "check.csv")["estimate"], estimate_scale="log")
    return published


#: What verified.csv's method is called here.
METHODS = {"DL": "DerSimonian-Laird", "EE": "common effect", "PM": "Paule-Mandel", "HE": "Hedges", "ML": "(ML)",
           "SJ": "Sidik-Jonkman", "REML": "REML", "MH": "Mantel-Haenszel", "PETO": "Peto", "hk": "Hartung-Knapp",
           "MHDL": "Mantel-Haenszel (0.5 added in trials with a zero cell), random effects (DerSimonian-Laird)",
           "MDpooled": "variances pooled over the arms", "SMDmeta": ""}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("home", "searched_for"),
    [
        (GALLERY, {"hart1999-warfarin": 1, "marchi2022-ketamine-psychiatry": 3}),
        # Its protocol has the variance of R's meta, so that only the trials without ECT are searched.
        (ROOT / "gallery", {"hart1999-warfarin": 1, "marchi2022-ketamine-psychiatry": 1}),
    ],
    ids=["shared", "ours"],
)
def test_what_comes_back_by_metafor_comes_back_by_that_method_and_nothing_else_does(home, searched_for):
    verified = gallery()
    wrong, found = [], {}
    for name, expected in verified.groupby("review", sort=False):
        folder = home / name
        reproduction, _ = searched(prints_of(folder), folder)
        assert len(reproduction) >= len(expected)
        for row, want in zip(reproduction.to_dict("records"), expected.to_dict("records"), strict=False):
            assert want["printed"].split(" (")[0] == row["printed_estimate"]
            verdict, back = row["verdict"], want["agrees"] == "TRUE"
            found.setdefault(name, []).append(verdict)
            if back != (verdict in (REPRODUCED, FOUND)):
                wrong.append((name, want["printed"], verdict, row["nearest"]))
            if not back:
                continue
            tokens = [token for token in want["method"].split() if METHODS.get(token, "") not in row["found_model"]]
            wrong += [(name, want["printed"], row["found_model"], token) for token in tokens]
            given = re.findall(r"-?\d+\.\d+", want["recomputed"])
            ours = [row[n] for n in ("estimate", "ci_lower", "ci_upper")]
            # The last digit of verified.csv is rounded; approximations of RevMan's are not metafor's.
            if not np.allclose(ours, np.array(given, dtype=float), atol=6e-5):
                wrong.append((name, want["printed"], ours, given))
    assert wrong == []
    every = [verdict for verdicts in found.values() for verdict in verdicts]
    # Found by search: published.csv does not state the model, how the effects were computed, or which trials.
    assert {name: v.count(FOUND) for name, v in found.items() if FOUND in v} == searched_for
    assert (every.count(REPRODUCED) + every.count(FOUND), len(every)) == (59, 71)


def test_the_gallerys_own_published_tables_are_read_as_they_are():
    gallery()
    for name, rows in (("nielweise2007-catheters", 1), ("dersimonian2007-clasp", 6)):
        reproduction, _ = searched(text(GALLERY / name / "published.csv"), GALLERY / name)
        assert reproduction["missing_codes"].tolist() == ["not_visible"] * rows


def test_cannons_estimates_come_back_and_one_p_does_not():
    gallery()
    folder = GALLERY / "cannon2006-intensive-statins"
    published = text(folder / "published.csv").assign(p_reported=["<0.00001", "<0.00001", "0.054"])
    reproduction, _ = searched(published, folder)
    assert set(reproduction["verdict"]) == {REPRODUCED}
    assert reproduction["p_agrees"].tolist() == ["no", "yes", "yes"]


@pytest.mark.slow
def test_whatever_a_published_table_holds_nothing_raises():
    """Every measure, odd texts and numbers: a verdict of the ledger, or a reason."""
    measures = (
        "RR",
        "OR",
        "RD",
        "PETO",
        "NNT",
        "MD",
        "SMD",
        "HR",
        "AS",
        "relative benefit",
        "WMD",
        "size_only",
        "",
        "?",
    )
    cells = [{}, {"ci_lower": "0.1"}, {"k": "1"}, {"k": "99", "subgroup": "%"}, {"subgroup": "random", "k": "2"},
             {"se": "0.1", "p_reported": "about"}, {"moderators": "allocation", "coefficient": "allocation: random"},
             {"moderators": "allocation;absolute_latitude;", "coefficient": "x"}, {"model": "\u00e9 (Peto"}]  # fmt: skip
    rows = [
        {"review_id": "x", "doi": "10.1001/jama.1994.03510330076038", "outcome": "tuberculosis", "estimate": "0.5",
         "timepoint": "end of follow-up", "measure": measure, **more}
        for measure, more in product(measures, cells)
    ]  # fmt: skip
    reproduction, _ = searched(pd.DataFrame(rows), ROOT / "data" / "bcg-vaccine")
    assert len(reproduction) == len(rows) and reproduction["verdict"].notna().all()
    lost = reproduction[reproduction["verdict"] == NOT_PUBLIC]
    assert (lost["missing"] != "").all()
