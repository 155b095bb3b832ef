"""RevMan's files as reviews: Cochrane data packages, .rm5, its CSV export, and data rows of many reviews."""

import csv
import gzip
import io
import time
import zipfile
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from reweigh.check import examine
from reweigh.effects.candidates import build_candidates
from reweigh.effects.selection import Analysis, convert, select
from reweigh.exchange.analyses import NUMBERS, Settings
from reweigh.exchange.bias import domain_of, judgement_of
from reweigh.exchange.built import MODELS
from reweigh.exchange.ids import study_ids, year_of
from reweigh.exchange.measured import identify
from reweigh.exchange.revman import LARGEST, read, read_all, recognised
from reweigh.exchange.rm5 import DEEPEST, parse
from reweigh.exchange.weighted import models_by_weight
from reweigh.exchange.write import written
from reweigh.io import read_text
from reweigh.pool.refit import Trials, refit
from reweigh.pool.summarise import pooled_table
from reweigh.protocol.models import PRESETS, Model
from reweigh.reproduction.ledger import REPRODUCED, reproduce
from reweigh.risk_of_bias import read_tools

SHARED = ROOT.parent / "shared"
TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())
HEADER = [
    "Analysis group",
    "Analysis number",
    "Analysis name",
    "Subgroup",
    "Applicability",
    "Study",
    "Study year",
    "GIV Mean",
    "GIV SE",
    "Experimental mean",
    "Experimental SD",
    "Experimental cases",
    "Experimental N",
    "Control mean",
    "Control SD",
    "Control cases",
    "Control N",
    "O-E",
    "Variance",
    "Weight",
    "Mean",
    "CI start",
    "CI end",
    "Footnotes",
]
COUNTS = ("Experimental cases", "Experimental N", "Control cases", "Control N")
MEANS = ("Experimental mean", "Experimental SD", "Experimental N", "Control mean", "Control SD", "Control N")
RESULT = ("Mean", "CI start", "CI end")


def shared(*parts):
    """A file or folder beside the repository."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        pytest.skip("the shared samples and corpus are not on this machine")
    return path


def data_rows(*rows, columns=HEADER):
    """A table of data rows; what a row does not say is 0, as in version 1, texts are empty."""
    texts = {"Analysis name", "Subgroup", "Applicability", "Study", "Study year", "Footnotes", "Review", "Review doi"}
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({c: row.get(c, "" if c in texts or c in RESULT else 0) for c in columns})
    return text.getvalue().encode()


def row(study, at=(1, 1), subgroup="", result=None, **numbers):
    """One data row: numbers by the first letters of their columns would be hard to read, so by tuple of a kind."""
    made = {"Analysis group": at[0], "Analysis number": at[1], "Analysis name": f"Outcome {at[1]}", "Study": study}
    made |= {"Subgroup": subgroup, "Applicability": "SUBGROUP_AND_OVERALL"}
    for kind, columns in (
        ("counts", COUNTS),
        ("means", MEANS),
        ("given", ("GIV Mean", "GIV SE")),
        ("oe", ("O-E", "Variance")),
    ):
        if kind in numbers:
            made |= dict(zip(columns, numbers.pop(kind), strict=True))
    return made | (dict(zip(RESULT, result, strict=True)) if result else {}) | numbers


def checked(imported):
    """Tables and protocol of an imported review, which has no problem."""
    assert not imported.problems
    tables, protocol, problems = examine(written(imported), TOOLS)
    assert not problems, [str(p) for p in problems]
    return tables, protocol


def pooled(imported):
    """Effects and pooled results of an imported review."""
    tables, protocol = checked(imported)
    chosen = select(tables.studies, tables.arms, tables.contrasts, protocol)
    return chosen.effects, pooled_table(chosen.effects, protocol, units=chosen.units), protocol


def codes(imported):
    return {(cell.row, cell.code) for cell in imported.cells}


def natural(line):
    return [round(float(line[f"{name}_natural"]), 6) for name in ("estimate", "ci_lower", "ci_upper")]


SAMPLES = {
    "package": ("OR", "SMD", [-0.3434, -0.6068, -0.0800]),
    "rm5": ("OR", "SMD", [-0.3434, -0.6068, -0.0800]),
    "csv": ("OR", "MD", [-0.709388, -1.258485, -0.160292]),
}


#: Kinds of rows whose result by RevMan is another one in effects.csv.
KINDS = ("interval_of_another_level", "estimate_differs", "interval_differs", "no_result_here", "another_measure")


def sample(form):
    folder = shared("samples", "revman")
    pattern = {"package": "*-*.csv", "rm5": "*.rm5", "csv": "*_CR.csv"}[form]
    return {path.name: path.read_bytes() for path in sorted(folder.glob(pattern))}


@pytest.mark.parametrize("form", SAMPLES)
def test_the_examples_of_fleiss_come_back(form):
    """RevMan's stored results of analysis 1.1; 1.2 by RevMan's variance of SMDs (the CSV export has MD)."""
    imported = read(sample(form))
    effects, table, protocol = pooled(imported)
    main = table[table["model"] == protocol.models_of("a1_1")[0].name].set_index("analysis")
    first, second = main.loc["a1_1.all"], main.loc["a1_2.all"]
    assert natural(first) == [0.896866, 0.840514, 0.956995]
    assert [round(first[x], 6) for x in ("q", "q_df", "q_p_value")] == [9.946056, 6, 0.126942]
    assert round(first["i2"], 2) == 39.67
    measures = SAMPLES[form][:2]
    assert [protocol.outcomes[name].measure for name in ("a1_1", "a1_2")] == list(measures)
    assert natural(second) == pytest.approx(SAMPLES[form][2], abs=5e-5)
    assert protocol.outcomes["a1_1"].label == "Aspirin for Preventing Death after Myocardial Infarction"
    published = read_text(written(imported)["published.csv"])
    found = reproduce(published, effects, table, protocol)
    assert found["verdict"].tolist() == [REPRODUCED] * len(published), found[["verdict", "nearest"]]


def test_the_weights_tell_the_model_where_no_settings_do():
    """Without its settings the package of Fleiss is known by its weights: Mantel-Haenszel, common effect."""
    files = {name: data for name, data in sample("package").items() if name.endswith("data-rows.csv")}
    _, table, protocol = pooled(read(files))
    assert protocol.models_of("a1_1")[0].pooling == "mantel-haenszel for counts"
    assert natural(table.iloc[0]) == [0.896866, 0.840514, 0.956995]


@pytest.mark.parametrize("name", ["RevMan fixed", "revman-5", "RevMan IV fixed", "RevMan IV random", "revman"])
def test_each_model_of_revman_is_told_by_its_weights(name):
    """Made-up counts with heterogeneity; the weights are those of the model itself, rounded as RevMan prints them."""
    counts = np.array([[3, 30, 9, 31], [40, 90, 20, 95], [5, 60, 30, 66], [12, 40, 10, 39]], dtype=float)
    a, n, c, m = counts.T
    yi, vi = np.log(a / n / (c / m)), 1 / a - 1 / n + 1 / c - 1 / m
    models = {k: PRESETS[v] if isinstance(v, str) else Model(**v) for k, v in MODELS.items()}
    weights = refit(Trials("RR", yi, vi, counts.T), models[name]).weights[0].round(6)
    rows = pd.DataFrame({"events1": a, "n1": n, "events2": c, "n2": m, "yi": yi, "vi": vi, "weight": weights})
    rows = rows.assign(key=[(1, 1)] * 4, subgroup="", measure="RR")
    usual = {k: models[k] for k in ("RevMan fixed", "revman-5", "RevMan IV fixed", "RevMan IV random", "revman")}
    assert models_by_weight(rows, usual) == {(1, 1): (name,)}
    twice = pd.concat([rows.assign(subgroup="x"), rows.assign(subgroup="y")])
    assert models_by_weight(twice, usual) == {(1, 1): (name,)}, "subgroups that are pooled by themselves"
    assert models_by_weight(rows.assign(weight=25.0), usual) == {}


EXPORT = """Comparison Number,Outcome Number,Subgroup Number,Name,Data Type,Statistical Method,Effect Measure,Analysis Model,Events 1,Total 1,Events 2,Total 2,Effect Estimate,SE,CI Start,CI End,df,Year of study
1,0,0,Drug,,,,,,,,,,,,,,
1,1,0,Relief,DIC,MH,RR,Random,8,60,13,60,0.6,,0.3,1.3,1,
1,1,1,Young,,,,,3,30,6,30,0.5,,0.137,1.82,0,
1,1,1,Roy 2003,,,,,3,30,6,30,0.5,0.66,0.137607,1.816768,,2003
1,1,2,Old,,,,,5,30,7,30,0.714286,,0.25,2,0,
1,1,2,Roy 2003,,,,,5,30,7,30,0.714286,0.53,0.254996,2.000834,,2003
1,2,0,Survival,IV,IV,Some ratio,Fixed,,,,,0.740818,,0.585560,0.937242,0,
1,2,0,Ito 2001,,,,,,,,,0.740818,0.12,0.585560,0.937242,,2001
1,3,0,Words,OTH,,,,,,,,,,,,,
1,3,0,Ito 2001,,,,,,,,,,,,,,2001
x,1,0,Odd,,,,,,,,,,,,,,
"""  # fmt: skip


def test_a_csv_export_with_subgroups_given_effects_and_text():
    imported = read({"made_CR.csv": EXPORT.encode()})
    tables, protocol = checked(imported)
    assert {name: one.measure for name, one in protocol.outcomes.items()} == {"a1_1": "RR", "a1_2": "GIV_ratio"}
    assert tables.arms["comparison_id"].unique().tolist() == ["roy_2003.1", "roy_2003.2"]
    assert imported.tables["published_rows"]["subgroup"].tolist() == ["Young", "Old", ""]
    assert imported.tables["published_subgroups"]["subgroup"].tolist() == ["Young", "Old"]
    assert tables.contrasts.loc[0, ["estimate", "se"]].tolist() == pytest.approx([-0.3, 0.12], abs=1e-6)
    assert {(11, "text_data"), (12, "no_analysis_or_study")} <= codes(imported)
    assert not {c.code for c in imported.cells} & {"estimate_differs", "interval_differs", "another_measure"}


def test_labels_sides_and_judgements_of_an_rm5():
    imported = read(sample("rm5"))
    tables, protocol = checked(imported)
    assert set(tables.arms["arm"]) == {"Aspirin", "Control", "Mental Health Treatment"}
    assert (protocol.words.intervention, protocol.outcomes["a1_1"].better) == ("Aspirin", "lower")
    assert set(tables.risk_of_bias["domain"]) == {"allocation_concealment"}
    assert tables.studies.set_index("study_id").loc["isis_2", ["label", "year"]].tolist() == ["ISIS-2", 1988]


def test_a_package_may_be_a_zip_within_a_zip_and_lie_in_folders():
    files = sample("package")

    def packed(members):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return data.getvalue()

    inner = packed({f"x/analysis-data/{name}": data for name, data in files.items()})
    outer = packed({"x-files/x-data.zip": inner, "README.txt": b"hello"})
    folder = {f"some/folder\\{name}": data for name, data in files.items()}
    assert written(read({"x.zip": outer})) == written(read(files)) == written(read(folder))


def test_every_measure_is_told_by_the_rows():
    """Results of RevMan for 16/47 v 27/45 and the like, one analysis per measure; 1.8 exchanges events and non-events."""
    e, n, c, m = 16, 47, 27, 45
    z = 1.959963984540054

    def ratio(log, se):
        return tuple(np.exp([log, log - z * se, log + z * se]).round(6))

    def difference(y, se):
        return tuple(np.round([y, y - z * se, y + z * se], 6))

    o, v = e - (e + c) * n / (n + m), (e + c) * (n + m - e - c) * n * m / ((n + m) ** 2 * (n + m - 1))
    g = (1 - 3 / (4 * 60 - 9)) * (5 - 6.5) / np.sqrt((29 * 4.7**2 + 29 * 3.8**2) / 58)
    known = {
        "RR": row("A 1", (1, 1), counts=(e, n, c, m), result=ratio(np.log(e / n / (c / m)), np.sqrt(1 / e - 1 / n + 1 / c - 1 / m))),
        "OR": row("A 1", (1, 2), counts=(e, n, c, m), result=ratio(np.log(e * (m - c) / (c * (n - e))), np.sqrt(1 / e + 1 / (n - e) + 1 / c + 1 / (m - c)))),
        "RD": row("A 1", (1, 3), counts=(e, n, c, m), result=difference(e / n - c / m, np.sqrt(e * (n - e) / n**3 + c * (m - c) / m**3))),
        "PETO": row("A 1", (1, 4), counts=(e, n, c, m), result=ratio(o / v, np.sqrt(1 / v))),
        "MD": row("A 1", (1, 5), means=(5, 4.7, 30, 6.5, 3.8, 30), result=difference(-1.5, np.sqrt(4.7**2 / 30 + 3.8**2 / 30))),
        "SMD": row("A 1", (1, 6), means=(5, 4.7, 30, 6.5, 3.8, 30), result=difference(g, np.sqrt(60 / 900 + g**2 / (2 * (60 - 3.94))))),
        "GIV": row("A 1", (1, 7), given=(-0.3, 0.12), result=difference(-0.3, 0.12)),
        "RR again": row("A 1", (1, 8), counts=(n - e, n, m - c, m), result=ratio(np.log(e / n / (c / m)), np.sqrt(1 / e - 1 / n + 1 / c - 1 / m))),
        "GIV_ratio": row("A 1", (1, 9), given=(-0.3, 0.12), result=ratio(-0.3, 0.12)),
        "HR": row("A 1", (1, 10), oe=(-4.5, 11.2), result=ratio(-4.5 / 11.2, np.sqrt(1 / 11.2))),
    }  # fmt: skip
    imported = read({"x-data-rows.csv": data_rows(*known.values())})
    effects, _, protocol = pooled(imported)
    assert [one.measure for one in protocol.outcomes.values()] == [name.removesuffix(" again") for name in known]
    ours = effects.drop_duplicates("outcome").set_index("outcome")["estimate_natural"]
    assert ours.tolist() == pytest.approx([one["Mean"] for one in known.values()], abs=1e-6)
    assert {(9, "events_exchanged"), (2, "measure_found")} <= codes(imported)
    assert not {cell.code for cell in imported.cells} - {"measure_found", "events_exchanged"}


def test_a_row_of_another_level_than_its_total_is_listed_with_both_intervals():
    """Rows at 99%: the outcome's level, unless the settings say that the total is at 95%."""
    log, se = np.log(5 / 9), np.sqrt(1 / 5 - 1 / 50 + 1 / 9 - 1 / 50)
    result = np.exp([log, log - 2.5758293035489004 * se, log + 2.5758293035489004 * se]).round(6)
    rows = data_rows(row("A", counts=(5, 50, 9, 50), result=tuple(result)))
    imported = read({"x-data-rows.csv": rows})
    effects, _, protocol = pooled(imported)
    assert protocol.level_of("a1_1") == 0.99 and not [c for c in imported.cells if c.code.startswith("interval")]
    assert effects[["ci_lower_natural", "ci_upper_natural"]].iloc[0].tolist() == pytest.approx(result[1:], abs=1e-6)
    settings = b"Analysis group,Analysis number,Estimate CI\n1,1,95%\n"
    imported = read({"x-data-rows.csv": rows, "x-overall-estimates-and-settings.csv": settings})
    (cell,) = [one for one in imported.cells if one.code == "interval_of_another_level"]
    assert (cell.row, cell.became) == (2, "0.5556 (0.2002 to 1.5415)")


def test_a_stated_measure_is_kept_and_a_level_of_99_percent_is_told():
    numbers = pd.DataFrame([{"n1": 50, "events1": 5, "n2": 50, "events2": 9}], columns=list(NUMBERS), dtype=float)
    keys = pd.Series([(1, 1)])
    said = identify(numbers, keys, {(1, 1): Settings(kind="counts", measure="OR")}).analyses[1, 1]
    assert (said.candidate.measure, said.assumed) == ("OR", True)
    half = 2.5758293035489004 * np.sqrt(1 / 5 - 1 / 50 + 1 / 9 - 1 / 50)
    results = np.exp(np.log(5 / 9) + np.array([0, -half, half])).round(6)
    found = identify(numbers.assign(estimate=results[0], ci_lower=results[1], ci_upper=results[2]), keys, {})
    assert (found.analyses[1, 1].candidate.measure, found.analyses[1, 1].level) == ("RR", 0.99)
    assert found.results["status"].tolist() == ["same"]


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ((0.9, 0.8, 1.0), "estimate_differs"),
        ((0.555556, 0.5, 0.6), "interval_differs"),
        ((0.511111, 0.158, 1.648), "another_measure"),
    ],
)
def test_a_row_that_does_not_come_back_is_named_with_its_kind(result, code):
    """Beside two rows that are risk ratios; 0.51 is the odds ratio of the third."""
    same = row("B", counts=(10, 100, 20, 100), result=(0.5, 0.246509, 1.014160))
    odd = {**row("C", counts=(5, 50, 9, 50), result=result)}
    if code == "another_measure":
        log, se = np.log(5 * 41 / (9 * 45)), np.sqrt(1 / 5 + 1 / 45 + 1 / 9 + 1 / 41)
        odd |= dict(zip(RESULT, np.exp([log, log - 1.959964 * se, log + 1.959964 * se]).round(6), strict=True))
    imported = read({"x-data-rows.csv": data_rows(same, {**same, "Study": "D"}, odd)})
    checked(imported)
    assert (4, code) in codes(imported)


def test_a_study_that_stands_twice_has_two_comparisons_in_their_subgroups_and_revmans_models_pool_each():
    rows = [
        row("A", subgroup="young", counts=(3, 30, 6, 30)),
        row("A", subgroup="old", counts=(5, 40, 9, 40)),
        row("B", counts=(4, 50, 9, 50)),
    ]
    imported = read({"x-data-rows.csv": data_rows(*rows)})
    effects, table, protocol = pooled(imported)
    assert list(protocol.sets) == ["main"] and protocol.row_subgroups == ("subgroup",)
    assert effects["comparison_id"].tolist() == ["a.1", "a.2", "b"]
    assert table.set_index("model")["comparisons"].to_dict() == {"revman-5": 3, "RevMan fixed": 3, "cochrane": 2}
    assert (table["k"] == 2).all()
    assert table["note_codes"].str.contains("rows_as_trials rows=2 trials=1").tolist() == [True, True, False]
    assert {(2, "study_stands_twice"), (3, "study_stands_twice")} <= codes(imported)
    assert imported.tables["arms"]["subgroup"].tolist() == ["young", "young", "old", "old", "", ""]


def test_an_analysis_has_the_model_the_level_and_the_labels_that_are_its_own():
    """Of three analyses with settings the second is another one: it names what differs, the others name nothing."""
    names = "Analysis group,Analysis number,Analysis name,Data type,Experimental group label,Control group label,Statistical method,Effect measure,Analysis model,CI/PI level,Graph label (left),Graph label (right)"  # fmt: skip
    usual = "1,{},Relief,Dichotomous,Drug,Placebo,M-H,Risk Ratio,Fixed effect,95%,Favours drug,Favours placebo"
    other = "1,2,Harm,Dichotomous,Pill,Nothing,M-H,Odds Ratio,Random effects,90%,Favours pill,Favours nothing"
    settings = "\n".join([names, usual.format(1), other, usual.format(3), ""]).encode()
    rows = [row(name, (1, at), counts=(3, 30, 6, 30 + at)) for at in (1, 2, 3) for name in ("A", "B")]
    files = {"x-data-rows.csv": data_rows(*rows), "x-overall-estimates-and-settings.csv": settings}
    _, table, protocol = pooled(read(files))
    own = {name: (one.models, one.level, one.words) for name, one in protocol.outcomes.items() if name != "a1_2"}
    assert [one[1:] for one in own.values()] == [(None, None)] * 2 and protocol.level == 0.95
    assert protocol.outcomes["a1_2"].models == ("revman-5", "cochrane")
    assert (protocol.level_of("a1_2"), protocol.words_of("a1_2").intervention) == (0.9, "Pill")
    assert protocol.words_of("a1_3").control == "Placebo"
    main = table.drop_duplicates("analysis").set_index("outcome")
    assert main["model"].tolist() == ["RevMan fixed", "revman-5", "RevMan fixed"]
    assert main["level"].tolist() == [0.95, 0.9, 0.95]


def test_outcomes_of_several_comparisons_that_have_one_name_are_told_apart():
    rows = [
        row(study, at, counts=(3, 30, 6, 30), **{"Analysis name": name})
        for at, name in (((1, 1), "Relief"), ((1, 2), "Harm"), ((2, 1), "relief"), ((2, 2), ""))
        for study in ("A", "B")
    ]
    _, protocol = checked(read({"x-data-rows.csv": data_rows(*rows)}))
    labels = [one.label for one in protocol.outcomes.values()]
    assert labels == ["Relief (analysis 1.1)", "Harm", "relief (analysis 2.1)", "Analysis 2.2"]


def test_zeros_that_are_nothing_are_emptied_and_listed():
    rows = [
        row("A", means=(5, 0, 13, 6.5, 3.8, 13)), row("B", means=(5, 4, 0, 6, 4, 13)), row("C", means=(5, 4, 13, 6, 4, 13)),
        row("D", (1, 2), given=(0, 0)), row("E", (1, 2), given=(0.2, 0.1)), row("F", (1, 3), counts=(0, 20, 0, 20)),
        row("G", (1, 3), counts=("3", "2,5", 1, 9)), row("H", Applicability="SUBGROUP_ONLY", means=(5, 4, 13, 6, 4, 13)),
    ]  # fmt: skip
    imported = read({"x-data-rows.csv": data_rows(*rows)})
    tables, _ = checked(imported)
    assert {
        (2, "zero_is_nothing"),
        (3, "zero_is_nothing"),
        (5, "zero_is_nothing"),
        (8, "not_a_number"),
        (9, "subgroup_only"),
    } <= codes(imported)
    arms = tables.arms.set_index(["study_id", "role"])
    assert np.isnan(arms.loc[("a", "intervention"), "sd"]) and arms.loc[("a", "intervention"), "mean"] == 5
    assert arms.loc[("f", "control"), ["n", "events"]].tolist() == [20, 0]
    listed = {cell.row for cell in imported.cells} | {int(i) for i in range(2, 10)}
    assert listed == set(range(2, 10)), "every row is read, or listed"


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("1e400", "not_a_number"),
        ("1e-320", "not_a_number"),
        ("-3", "not_a_number"),
        ("2.6", "rounded_to_whole"),
        ("70", "more_events_than_n"),
    ],
)
def test_impossible_counts_are_listed(cell, code):
    imported = read({"x-data-rows.csv": data_rows(row("A", counts=(cell, 30, 6, 30)), row("B", counts=(4, 30, 6, 30)))})
    tables, _ = checked(imported)
    assert (2, code if cell != "-3" else "impossible_count") in codes(imported)
    assert tables.arms.loc[0, "events"] is pd.NA or tables.arms.loc[0, "events"] == 3


def test_an_arm_of_one_has_no_sd_and_totals_that_no_table_can_hold_are_left_out():
    text = EXPORT.replace("0.3,1.3,1,", "0.3,1e400,1,").replace("0.937242,0,\n", "0.937242,1e20,\n")
    rows = row("A", means=(5, 4.7, 1, 6.5, 3.8, 13))
    checked(read({"made_CR.csv": text.encode()}))
    imported = read({"x-data-rows.csv": data_rows(rows)})
    checked(imported)
    assert (2, "one_has_no_sd") in codes(imported)


def test_names_that_are_no_ids_and_years_that_are_dates():
    ids = study_ids(["Müller 1998", "Muller, 1998", "MULLER 1998", "../x", "李 2001", "王", "Ødegård", "王", "x" * 300])
    assert ids["Müller 1998"] == "muller_1998" and ids["Muller, 1998"] == "muller_1998_2"
    assert (ids["MULLER 1998"], ids["../x"], ids["王"], ids["Ødegård"]) == ("muller_1998_3", "x", "study_1", "odegard")
    assert len(set(ids.values())) == len(ids) and max(map(len, ids.values())) <= 64
    assert [year_of(x) for x in ("1998a", "1989 Oct", "08/07/2009", "2001/2002", "42017", "", "in press")] == [
        "1998a", "1989", "2009", "", "", "", "",
    ]  # fmt: skip


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda s: s.strip() and "\r" not in s)


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(NAMES, NAMES, st.integers(0, 20), st.integers(0, 30)), min_size=1, max_size=6))
def test_any_names_and_counts_pass_the_check(rows):
    table = [
        row(
            name,
            (1, i % 3),
            subgroup=subgroup,
            counts=(events, 20, 3, n),
            **{"Analysis name": subgroup, "Study year": name},
        )
        for i, (name, subgroup, events, n) in enumerate(rows)
    ]
    imported = read({"x-data-rows.csv": data_rows(*table)})
    if imported.problems:
        assert "no row" in imported.problems[0]
        return
    checked(imported)
    assert written(imported) == written(read({"x-data-rows.csv": data_rows(*table)}))


RM5 = """<?xml version="1.0" encoding="UTF-8"?>
<COCHRANE_REVIEW DOI="10.1002/14651858.CD000001" TYPE="INTERVENTION">
<COVER_SHEET><TITLE>Made up</TITLE></COVER_SHEET>
<STUDIES_AND_REFERENCES><STUDIES><INCLUDED_STUDIES>
<STUDY ID="S1" NAME="Müller 1998" YEAR="1998">
<REFERENCE PRIMARY="NO" TYPE="JOURNAL_ARTICLE"><TI>Second report</TI></REFERENCE>
<REFERENCE PRIMARY="YES" TYPE="JOURNAL_ARTICLE"><AU>Müller A</AU><TI>First report.</TI><SO>BMJ</SO><YR>1998</YR><VL>3</VL>
<PG>1-9</PG><IDENTIFIERS><IDENTIFIER TYPE="DOI" VALUE="10.1/x"/><IDENTIFIER TYPE="MEDLINE" VALUE="123"/></IDENTIFIERS></REFERENCE>
<IDENTIFIERS><IDENTIFIER TYPE="NCT" VALUE="NCT01234567"/></IDENTIFIERS></STUDY>
<STUDY ID="S2" NAME="Ito 2001" YEAR=""/><STUDY ID="S3" NAME="Roy 2003" YEAR="2003"/>
</INCLUDED_STUDIES></STUDIES></STUDIES_AND_REFERENCES>
<CHARACTERISTICS_OF_STUDIES><CHARACTERISTICS_OF_INCLUDED_STUDIES><INCLUDED_CHAR STUDY_ID="S1">
<CHAR_METHODS><P>Randomised,</P><P>open.</P></CHAR_METHODS></INCLUDED_CHAR></CHARACTERISTICS_OF_INCLUDED_STUDIES></CHARACTERISTICS_OF_STUDIES>
<QUALITY_ITEMS>
<QUALITY_ITEM ID="Q1"><NAME>Random sequence generation (selection bias)</NAME><QUALITY_ITEM_DATA>
<QUALITY_ITEM_DATA_ENTRY RESULT="YES" STUDY_ID="S1"><DESCRIPTION><P>By computer</P></DESCRIPTION></QUALITY_ITEM_DATA_ENTRY>
<QUALITY_ITEM_DATA_ENTRY RESULT="NO" STUDY_ID="S2"/></QUALITY_ITEM_DATA></QUALITY_ITEM>
<QUALITY_ITEM ID="Q2"><NAME>Baseline imbalance</NAME><QUALITY_ITEM_DATA>
<QUALITY_ITEM_DATA_ENTRY RESULT="NO" STUDY_ID="S1"/></QUALITY_ITEM_DATA></QUALITY_ITEM>
</QUALITY_ITEMS>
<ANALYSES_AND_DATA><COMPARISON NO="1"><NAME>Drug or placebo</NAME>
<DICH_OUTCOME NO="1" EFFECT_MEASURE="RR" METHOD="MH" RANDOM="YES" SUBGROUPS="YES" TOTALS="SUB" SWAP_EVENTS="NO" CI_STUDY="95" CI_TOTAL="95">
<NAME>Relief</NAME><GROUP_LABEL_1>Drug</GROUP_LABEL_1><GROUP_LABEL_2>Placebo</GROUP_LABEL_2>
<GRAPH_LABEL_1>Favours placebo</GRAPH_LABEL_1><GRAPH_LABEL_2>Favours drug</GRAPH_LABEL_2>
<DICH_SUBGROUP NO="1" EFFECT_SIZE="0.9" CI_START="0.5" CI_END="1.6" DF="1"><NAME>Young</NAME>
<DICH_DATA STUDY_ID="S1" EVENTS_1="3" TOTAL_1="30" EVENTS_2="6" TOTAL_2="30" ESTIMABLE="YES"/>
<DICH_DATA STUDY_ID="S2" EVENTS_1="0" TOTAL_1="20" EVENTS_2="0" TOTAL_2="20" ESTIMABLE="NO" EFFECT_SIZE="0.0" CI_START="0.0" CI_END="0.0"/>
</DICH_SUBGROUP>
<DICH_SUBGROUP NO="2"><NAME>Old</NAME><DICH_DATA STUDY_ID="S1" EVENTS_1="5" TOTAL_1="30" EVENTS_2="7" TOTAL_2="30"/></DICH_SUBGROUP>
</DICH_OUTCOME>
<IV_OUTCOME NO="2" EFFECT_MEASURE="Hazard Ratio" METHOD="IV" RANDOM="NO" TOTALS="YES"><NAME>Death</NAME>
<IV_DATA STUDY_ID="S1" ESTIMATE="-0.3" SE="0.12" TOTAL_1="30" TOTAL_2="31"/></IV_OUTCOME>
<IPD_OUTCOME NO="3" EFFECT_MEASURE="PETO_OR" METHOD="PETO" RANDOM="NO"><NAME>Relapse</NAME>
<IPD_DATA STUDY_ID="S2" O_E="-4.5" VAR="11.2" EVENTS_1="4" EVENTS_2="9" TOTAL_1="30" TOTAL_2="31"/></IPD_OUTCOME>
<OTHER_OUTCOME NO="4"><NAME>Told in words</NAME><OTHER_DATA STUDY_ID="S1"/></OTHER_OUTCOME>
</COMPARISON>
<COMPARISON NO="2"><NAME>Placebo or drug</NAME>
<CONT_OUTCOME NO="1" EFFECT_MEASURE="MD" METHOD="IV" RANDOM="NO" UNITS="cm"><NAME>Height</NAME>
<GROUP_LABEL_1>Placebo</GROUP_LABEL_1><GROUP_LABEL_2>Drug</GROUP_LABEL_2>
<CONT_DATA STUDY_ID="S1" MEAN_1="5.0" SD_1="4.7" TOTAL_1="13" MEAN_2="6.5" SD_2="3.8" TOTAL_2="13"/></CONT_OUTCOME>
</COMPARISON></ANALYSES_AND_DATA></COCHRANE_REVIEW>"""


def test_an_rm5_with_every_kind_of_analysis():
    imported = read({"made.rm5": RM5.encode()})
    tables, protocol = checked(imported)
    assert {name: (o.measure, o.type) for name, o in protocol.outcomes.items()} == {
        "a1_1": ("RR", "binary"), "a1_2": ("HR", "time_to_event"), "a1_3": ("PETO", "binary"), "a2_1": ("MD", "continuous"),
    }  # fmt: skip
    assert (protocol.outcomes["a1_1"].better, protocol.outcomes["a2_1"].unit) == ("higher", "cm")
    assert protocol.table_source["arms"] == "doi 10.1002/14651858.CD000001"
    study = tables.studies.set_index("study_id").loc["muller_1998"]
    assert study[["doi", "pmid", "registry_id", "methods"]].tolist() == [
        "10.1/x",
        "123",
        "NCT01234567",
        "Randomised, open.",
    ]
    assert study["references"] == "Müller A. First report. BMJ. 1998;3:1-9 | Second report"
    assert tables.risk_of_bias["judgement"].tolist() == ["low", "high"]
    assert tables.risk_of_bias["support"].tolist() == ["By computer", None]
    assert {"domain_of_no_tool", "text_data", "study_stands_twice"} <= {cell.code for cell in imported.cells}
    contrasts = tables.contrasts.set_index("outcome")
    assert contrasts.loc["a1_2", ["measure", "estimate", "estimate_scale"]].tolist() == ["HR", -0.3, "log"]
    assert contrasts.loc["a1_3", ["measure", "oe", "v"]].tolist() == ["OE_V", -4.5, 11.2]
    assert imported.tables["published_subgroups"]["subgroup"].tolist() == ["Young"]
    sides = tables.arms[tables.arms["study_id"] == "muller_1998"]
    assert set(sides["comparison_id"]) == {"muller_1998.a1_1.1", "muller_1998.a1_1.2", "muller_1998.a2_1"}, (
        "its arms change sides"
    )
    effects = select(tables.studies, tables.arms, tables.contrasts, protocol).effects
    assert effects.set_index("analysis").loc["a1_3.all", "estimate"] == pytest.approx(-4.5 / 11.2)
    table = pooled_table(effects, protocol).set_index(["analysis", "model"])
    relapse = table.loc[("a1_3.all", "RevMan IV fixed"), ["estimate", "se"]].tolist()
    assert relapse == pytest.approx([-4.5 / 11.2, 11.2**-0.5]), "O - E and V have no counts to pool"


@pytest.mark.parametrize(
    ("xml", "reason"),
    [
        ('<!DOCTYPE x [<!ENTITY a "b">]><COCHRANE_REVIEW>&a;</COCHRANE_REVIEW>', "document type"),
        ('<!DOCTYPE x SYSTEM "file:///etc/passwd"><COCHRANE_REVIEW/>', "document type"),
        ("<COCHRANE_REVIEW>" + "<A>" * (DEEPEST + 1), "deep"),
        ("<COCHRANE_REVIEW><A></COCHRANE_REVIEW>", "no XML"),
        ("<html><body/></html>", "begins with html"),
        ('<?xml version="1.0" encoding="x-none"?><COCHRANE_REVIEW/>', "encoding"),
    ],
)
def test_xml_that_is_no_review_is_refused_in_a_sentence(xml, reason):
    (problem,) = read({"x.rm5": xml.encode()}).problems
    assert reason in problem and problem.endswith(".")
    wide = read({"x.rm5": xml.encode("utf-16")}) if "x-none" not in xml else None
    assert wide is None or wide.problems


def test_entities_are_not_read_in_any_encoding():
    with pytest.raises(ValueError, match="document type"):
        parse('<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'.encode("utf-16"))


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"study,ai,bi\nx,1,2\n", "lacks Analysis group, Analysis number, Study"),
        ("a.csv", b"", "is empty"),
        ("a.oma", b"\x80\x02}q\x01.", "a Python pickle"),
        ("a.xlsx", b"PK\x03\x04rest", "a ZIP archive (or an Excel workbook)"),
        ("a.zip", b"PK\x03\x04rest", "cannot be unpacked"),
        ("a-data-rows.csv", b"Analysis group,Study\n1,x\n", "lacks Analysis number"),
        ("a-data-rows.csv", ",".join(HEADER).encode() + b"\n", "no row of an analysis"),
        ("a-data-rows.csv", b"\x81\x8d\x8f\x90", "Windows-1252"),
    ],
)
def test_a_file_that_is_none_of_these_is_described(name, data, words):
    imported = read({name: data})
    assert words in imported.problems[0]
    assert written(imported) == {}


def test_files_beside_a_package_are_said_not_to_be_read():
    imported = read(sample("package") | {"x-references.csv": b"Type,Title\nbook,Y\n"})
    checked(imported)
    assert [note for note in imported.notes if note.startswith("Not read: x-references.csv")]


def test_a_file_is_recognised_by_its_header_alone():
    row_ = data_rows(row("A", counts=(3, 30, 6, 30)))
    known = {
        "a.csv": row_,
        "b.csv": b"sep=;\n" + row_.replace(b",", b";"),
        "c.csv": EXPORT.encode(),
        "d.rm5": RM5.encode(),
    }
    assert all(recognised({name: data}) for name, data in known.items())
    others = {
        "a.csv": b"study,ai,bi\n",
        "b.xml": b"<html/>",
        "c.xlsx": b"PK\x03\x04",
        "d.zip": b"PK\x03\x04",
        "e.csv": b"",
    }
    assert not recognised(others)


def test_an_archive_that_unpacks_to_too_much_is_refused(monkeypatch):
    monkeypatch.setattr("reweigh.exchange.revman.LARGEST", 1000)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x-data-rows.csv", b"0" * 2000)
    assert "larger than 1,000 bytes" in read({"x.zip": data.getvalue()}).problems[0]
    assert LARGEST > 1000


def test_settings_of_version_2():
    """Names of version 2: one level for all intervals, graph labels, the tau2 estimator and the CI method."""
    names = "Analysis group,Analysis number,Analysis name,Analysis group name,Data type,Log-scale data,Experimental group label,Control group label,Statistical method,Effect measure,Analysis model,Heterogeneity estimator,CI method,CI/PI level,Graph label (left),Graph label (right),Overall estimates,Mean,CI start,CI end,Heterogeneity df"  # fmt: skip
    values = "1,1,Relief,Drug or placebo,Dichotomous,true,Drug,Placebo,IV,Odds Ratio (Non-event),Random effects,REML,HKSJ,95%,Favours placebo,Favours drug,true,0.5,0.3,0.8,1"  # fmt: skip
    rows = data_rows(row("A", counts=(3, 30, 6, 30)), row("B", counts=(4, 50, 9, 50)))
    rob = b"Study,Overall bias\nA,Low risk\n"
    study = b"Study,Year,Char: Methods\nA,1999,<p>Open &amp; short</p>\n"
    files = {"x-data-rows.csv": rows, "x-overall-estimates-and-settings.csv": f"{names}\n{values}\n".encode(), "x-risk-of-bias.csv": rob, "x-study-information.csv": study}  # fmt: skip
    imported = read(files)
    tables, protocol = checked(imported)
    model = protocol.models_of("a1_1")[0]
    assert (model.tau2, model.interval, protocol.outcomes["a1_1"].better) == ("REML", "hartung-knapp", "higher")
    assert protocol.outcomes["a1_1"].measure == "OR"
    assert tables.arms["events"].tolist() == [27, 24, 46, 41], "non-events"
    assert tables.studies.set_index("study_id").loc["a", "methods"] == "Open & short"
    assert imported.tables["published"]["model"].tolist() == ["inverse variance, random effects (REML), Hartung-Knapp"]


def test_risk_of_bias_2_of_each_result():
    columns = [*HEADER, "Bias arising from the randomization process", "Overall bias"]
    rows = [
        row("A", counts=(3, 30, 6, 30)) | {columns[-2]: "Some concerns", columns[-1]: "High risk"},
        row("A", counts=(3, 31, 6, 30)) | {columns[-2]: "Low risk", columns[-1]: ""},
        row("B", counts=(3, 30, 6, 30)) | {columns[-2]: "", columns[-1]: "Not told"},
    ]
    imported = read({"x-data-rows.csv": data_rows(*rows, columns=columns)})
    tables, _ = checked(imported)
    table = tables.risk_of_bias
    assert table[["study_id", "outcome", "domain", "judgement"]].to_numpy().tolist() == [
        ["a", "a1_1", "randomisation", "some_concerns"], ["a", "a1_1", "overall", "high"],
    ]  # fmt: skip
    assert {(3, "judged_twice"), (4, "no_judgement")} <= codes(imported)
    assert domain_of("Blinding (performance bias and detection bias)") == ("", "")
    assert judgement_of("RoB 1", "Unclear risk") == "unclear" and judgement_of("RoB 1", "Some concerns") == ""


def test_a_german_spreadsheet_of_data_rows():
    plain = data_rows(row("A", means=(5.5, 4.7, 13, 6.5, 3.8, 13)), row("Müller", means=(1.5, 4.7, 13, 2.5, 3.8, 13)))
    german = plain.decode().replace(".", "§").replace(",", ";").replace("§", ",").encode("cp1252")
    assert (
        written(read({"x-data-rows.csv": german}))["arms.csv"] == written(read({"x-data-rows.csv": plain}))["arms.csv"]
    )


def test_many_reviews_in_one_file_are_told_apart():
    columns = ["Review", "Review doi", *HEADER]
    rows = [row("A", counts=(3, 30, 6, 30)) | {"Review": name, "Review doi": f"10.1/{name}"} for name in ("X1", "X2")]
    data = data_rows(*rows, columns=columns)
    reviews = read_all({"data-rows.csv": data})
    assert list(reviews) == ["X1", "X2"] and not any(r.problems for r in reviews.values())
    assert reviews["X2"].protocol["table_source"] == {"arms": "doi 10.1/X2"}
    assert "2 reviews (X1, X2)" in read({"data-rows.csv": data}).problems[0]


def corpus():
    return gzip.decompress(shared("corpus", "data-rows.csv.gz").read_bytes())


def same_at_two_decimals(ours, printed):
    ours, printed = ours.astype(float), printed.astype(float)
    return (ours.round(2) == printed.round(2)) | ((ours - printed).abs() <= 1e-6 * np.maximum(1, printed.abs()))


def test_a_thousand_rows_are_imported_in_under_two_seconds():
    text = corpus().decode().splitlines(keepends=True)
    rows = [line for line in text[1:] if line.startswith("CD001155_pub3,")]
    began = time.process_time()
    imported = read({"data-rows.csv": (text[0] + "".join(rows)).encode()})
    files = written(imported)
    assert (time.process_time() - began) * 1000 / len(rows) < 2
    assert "published_rows.csv" in files and not imported.problems


@pytest.mark.slow
def test_every_review_of_the_corpus_comes_in_and_revmans_rows_come_back():
    """At least 99.7% of RevMan's results of rows, by the library's own conversion of the tables that were written."""
    table = pd.read_csv(io.BytesIO(corpus()), dtype=str, keep_default_na=False)
    reviews = read_all({"data-rows.csv": corpus()})
    assert len(reviews) == table["Review"].nunique() and not any(one.problems for one in reviews.values())
    printed = same = listed = 0
    numbers = ("estimate", "ci_lower", "ci_upper")
    for name, imported in reviews.items():
        tables, protocol = checked(imported)
        given = table[table["Review"] == name]
        left_out = [cell for cell in imported.cells if cell.code == "subgroup_only"]
        assert len(tables.arms) / 2 + len(tables.contrasts) + len(left_out) == len(given), name
        candidates = build_candidates(tables.studies, tables.arms, tables.contrasts, protocol, "keep").table
        found = []
        for outcome, about in protocol.outcomes.items():
            mine = candidates[candidates["outcome"] == outcome].reset_index(drop=True)
            found.append(convert(mine, [Analysis(outcome, about.measure, "main")], protocol.setting("main"), protocol))
        results = imported.tables.get("published_rows", pd.DataFrame(columns=["outcome", "comparison_id"]))
        ours = pd.concat(found)[["outcome", "comparison_id", *(f"{number}_natural" for number in numbers)]]
        both = results.merge(ours, on=["outcome", "comparison_id"])
        assert len(both) == len(results)
        ok = pd.Series(True, index=both.index)
        for number in numbers if len(both) else ():
            ok &= same_at_two_decimals(both[f"{number}_natural"], both[number])
        kinds = Counter(cell.code for cell in imported.cells)
        assert (~ok).sum() == sum(kinds[kind] for kind in KINDS), (
            f"{name}: each row that differs is named with its kind"
        )
        printed, same, listed = printed + int((given["Mean"] != "").sum()), same + int(ok.sum()), listed + len(left_out)
    assert same / printed >= 0.997, (same, printed, listed)
