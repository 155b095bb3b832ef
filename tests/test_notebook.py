"""`import reweigh as rw` in a notebook: metafor's numbers, what it prints, and what it says to awkward input."""

import doctest
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from io import StringIO

import numpy as np
import pandas as pd
import pytest

import reweigh as rw
import reweigh.api.analysis
import reweigh.api.sizes
from conftest import ROOT
from reweigh.api.analysis import POOLINGS, TAU2, TESTS

R = json.loads((ROOT / "tests" / "reference" / "notebook.json").read_text())
AUTHORS = [row["author"] for row in R["bcg"]]
OUR_TEST = {"z": "wald", "t": "t", "knha": "hartung-knapp", "adhoc": "hartung-knapp guarded"}


@pytest.fixture
def frame():
    return pd.DataFrame(R["bcg"])


@pytest.fixture
def d(frame):
    return rw.escalc(
        frame, measure="RR", events1="tpos", n1="tn", events2="cpos", n2="cn", label="author"
    )  # fmt: skip


@pytest.fixture
def m(d):
    return rw.meta(d)


def close(value, expected, rel=1e-9):
    return np.asarray(value, dtype=float).ravel() == pytest.approx(
        np.asarray(expected, dtype=float).ravel(), rel=rel, abs=1e-12
    )


# --- numbers: metafor ---------------------------------------------------------------------------------------------------


def test_escalc_gives_metafors_effects(d, frame):
    assert close(d["yi"], R["yi"]) and close(d["vi"], R["vi"])
    pd.testing.assert_frame_equal(d[list(frame)], frame)
    assert list(d)[-3:] == ["yi", "vi", "measure"] and set(d["measure"]) == {"RR"}


@pytest.mark.parametrize("name", R["models"])
def test_a_model_gives_metafors_numbers(d, name):
    method, test = name.split("_")
    expected = R["models"][name]
    # metafor's prediction interval takes the quantile of the test: t(k-1) here, never the normal one.
    prediction = "HK" if test in ("knha", "adhoc") else "t(k-1)"
    m = rw.meta(d, method=method, test=test, prediction=prediction)
    for field in ("k", "estimate", "se", "statistic", "p_value", "ci_lower", "ci_upper", "tau2", "i2", "h2", "q"):
        assert close(getattr(m, field), expected[field]), field
    assert close(m.weights, expected["weights"]) and close(m.q_p_value, expected["q_p_value"], 1e-7)
    assert m.q_df == expected["q_df"] and m.tau == pytest.approx(m.tau2**0.5)
    if method == "EE":
        assert np.isnan([m.pi_lower, m.tau2_se]).all()
        assert close(m.natural()[:3], expected["natural"][:3])
        return
    assert close(m.tau2_se, expected["tau2_se"], 1e-8)
    if test != "z":
        assert close([m.pi_lower, m.pi_upper], [expected["pi_lower"], expected["pi_upper"]])
        assert close(m.natural(), expected["natural"])
        assert close(m.predict(natural=True), expected["natural"])
    assert m.predict()["se"] == m.se


def test_the_interval_of_tau2_is_metafors(m):
    table = m.tau2_ci()
    assert list(table.index) == ["tau2", "tau", "i2", "h2"]
    for column in table:
        assert close(table[column], R["confint"][column], 1e-8), column


def test_leave_one_out_is_metafors(m):
    table = m.leave_one_out()
    names = dict(
        zip(table, ("estimate", "se", "zval", "pval", "ci.lb", "ci.ub", "Q", "Qp", "tau2", "I2", "H2"), strict=True)
    )
    for column, name in names.items():
        assert close(table[column], R["leave_one_out"][name], 1e-7), column
    assert list(table.index) == AUTHORS and table.index.name == "author"
    assert close(m.leave_one_out(natural=True)["estimate"], np.exp(R["leave_one_out"]["estimate"]))


def test_subgroups_are_metafors(m):
    found = m.subgroups("alloc")
    table = found.to_frame()
    assert list(table.index) == list(R["subgroups"]["parts"]) and table.index.name == "alloc"
    for name, expected in R["subgroups"]["parts"].items():
        for column, value in expected.items():
            assert close(table.loc[name, column], value, 1e-8), (name, column)
    assert close([found.q_between, found.q_between_p_value], [R["subgroups"]["q"], R["subgroups"]["p"]])
    assert found.q_between_df == 2 and not found.reason
    assert close(found.to_frame(natural=True)["ci_upper"], np.exp(table["ci_upper"]))
    assert "Q(df = 2) = 1.8614, p = 0.3943" in str(found)


@pytest.mark.parametrize(
    ("name", "by", "new"),
    [
        ("regress_ablat", "ablat", {"ablat": [10, 30, 50]}),
        ("regress_z", ["ablat"], pd.DataFrame({"ablat": [10, 30, 50]}, index=list("abc"))),
        ("regress_both", ["ablat", "alloc"], {"ablat": [10, 50, 33], "alloc": ["alternate", "random", "systematic"]}),
    ],
)
def test_a_regression_is_metafors(d, name, by, new):
    m = rw.meta(d, method="DL", test="z") if name == "regress_z" else rw.meta(d)
    found, expected = m.regress(by), R[name]
    for field in ("estimate", "se", "statistic", "p_value", "ci_lower", "ci_upper"):
        assert close(getattr(found, field), expected[field], 1e-7), field
        assert close(found.to_frame()[field], expected[field], 1e-7)
    for field in ("tau2", "tau2_se", "i2", "r2", "qm", "qm_p_value", "qe", "qe_p_value"):
        assert close(getattr(found, field), expected[field], 1e-7), field
    assert close(found.h2_tau2, expected["h2"])
    predicted = found.predict(new)
    for field in ("estimate", "se", "ci_lower", "ci_upper"):
        assert close(predicted[field], expected["predicted"][field], 1e-7), field
    if name != "regress_z":
        assert close(predicted["pi_lower"], expected["predicted"]["pi_lower"], 1e-7)
        assert close(found.predict(new, natural=True)["pi_upper"], np.exp(expected["predicted"]["pi_upper"]), 1e-7)
    if isinstance(new, pd.DataFrame):
        assert list(predicted.index) == ["a", "b", "c"]
    assert len(found.predict()) == 13


@pytest.mark.parametrize("method", R["regress_se"])
def test_the_standard_error_of_residual_tau2_is_metafors(d, method):
    assert close(rw.meta(d, method=method).regress("ablat").tau2_se, R["regress_se"][method], 1e-7)


def test_egger_is_metafors(m):
    for model in ("lm", "rma"):
        found, expected = m.egger(model=model), R[f"egger_{model}"]
        for field, value in expected.items():
            assert close(getattr(found, field), value, 1e-7), (model, field)
    assert "t(df = 11) = -1.4013, p = 0.1887" in str(m.egger())
    assert m.egger().to_frame()["k"].tolist() == [13]


@pytest.mark.parametrize("name", R["trim_fill"])
def test_trim_and_fill_is_metafors(m, name):
    expected = R["trim_fill"][name]
    found = m.trim_fill(side="left") if name == "left" else m.trim_fill(estimator=name)
    assert (found.k0, found.side) == (expected["k0"], expected["side"])
    for field in ("estimate", "se", "ci_lower", "ci_upper", "tau2", "i2", "q"):
        assert close(getattr(found, field), expected[field], 1e-7), field
    assert close(found.filled["yi"], expected["filled"])
    for field in ("k0_se", "k0_p_value"):
        if isinstance(expected.get(field), float):
            assert close(getattr(found, field), expected[field])
    assert found.meta.k == 13 + found.k0 and f"{found.k0} missing on the {found.side}" in str(found)


@pytest.mark.parametrize("pooling", ["mantel_haenszel", "peto"])
def test_counts_are_pooled_as_metafor_does(frame, pooling):
    measure = {"peto": "PETO"}.get(pooling, "RR")
    d = rw.escalc(frame, measure=measure, events1="tpos", n1="tn", events2="cpos", n2="cn")
    m = rw.meta(d, pooling={"peto": "peto"}.get(pooling, "MH"))
    for field, value in R[pooling].items():
        # rma.mh takes Q around the inverse-variance mean.
        if (pooling, field) != ("mantel_haenszel", "q"):
            assert close(getattr(m, field), value), field
    assert m.model.interval == "wald" and np.isnan(m.pi_lower)


# --- the lines of the issue -----------------------------------------------------------------------------------------------


def test_the_lines_of_a_notebook(frame, tmp_path):
    from matplotlib.figure import Figure

    d = rw.escalc(frame, measure="RR", events1="tpos", n1="tn", events2="cpos", n2="cn", label="author")
    m = rw.meta(d)
    figure = Figure(figsize=(11, 4))
    left, right = figure.subplots(1, 2)
    for result in (
        m.summary(), m.to_frame(), m.tau2_ci(), m.predict(), m.leave_one_out(), m.subgroups("alloc"),
        m.regress("ablat"), m.egger(), m.trim_fill(), m.natural(), m.influence(),
    ):  # fmt: skip
        assert str(result) and (isinstance(result, pd.Series) or result._repr_html_())
    assert m.forest(ax=left) is figure and m.funnel(ax=right) is figure
    assert [t.get_text() for t in left.get_yticklabels()] == [*frame["author"], "Overall", "Prediction interval"]
    assert "0.49 (0.33 to 0.73)" in [t.get_text() for t in left.texts]
    assert len(right.lines) > 2
    for drawn in (m.forest(), m.forest(by="alloc"), m.funnel(), m.funnel(contours=True, fill=True)):
        assert drawn._repr_svg_().startswith("<?xml") or "<svg" in drawn._repr_svg_()
    path = m.report(tmp_path / "bcg.html")
    page = path.read_text(encoding="utf-8")
    assert path == tmp_path / "bcg.html" and page.count("<svg") == 2 and "Leave one out" in page
    assert (
        "-0.7145" in page
        and f"{np.exp(R['leave_one_out']['ci.ub'][0]):.4f}" in page
        and not re.search(r'(src|href)="(?!data:|#)', page)
    )


FLOATS = ("estimate", "se", "ci_lower", "ci_upper", "p_value", "pi_lower", "pi_upper", "tau2", "i2", "q")


def test_numbers_are_floats_and_frames_keep_names(d, m):
    assert all(type(getattr(m, name)) is float for name in FLOATS) and type(m.k) is int
    named = d.set_index("author")
    again = rw.meta(named)  # the column of the labels has become the names of the rows
    assert list(again.weights.index) == list(named.index) and again.estimate == m.estimate
    some = rw.meta(d[d["year"] >= 1960])
    assert some.k == int((d["year"] >= 1960).sum()) and list(some.data.index) == list(d.index[d["year"] >= 1960])
    assert list(pd.concat([m.to_frame(), some.to_frame()])["k"]) == [13, some.k]
    assert list(m.trial_table().index) == AUTHORS
    assert m.trial_table()["weight"].sum() == pytest.approx(100)


def test_print_has_metafors_digits(m):
    expected = R["models"]["REML_knha"]
    text = str(m)
    assert text == repr(m)
    numbers = re.findall(r"-?\d+\.\d+|\d+", text)
    wanted = [
        f"{expected[n]:.4f}" for n in ("tau2", "tau2_se", "estimate", "se", "statistic", "p_value", "ci_lower", "q")
    ]
    wanted += [f"{expected[n]:.2f}" for n in ("i2", "h2")] + ["13", "12", f"{expected['pi_lower']:.4f}"]
    assert not [number for number in wanted if number not in numbers]
    assert "Natural scale: RR 0.49 (0.33 to 0.73), prediction interval 0.14 to 1.76" in text
    summary = str(m.summary())
    assert summary.startswith(text[:200]) and "Stein & Aronson" in summary and "1.1115" in summary
    assert "<table" in m._repr_html_() and "&lt;.0001" in m._repr_html_()


def test_a_review_is_read(monkeypatch):
    monkeypatch.chdir(ROOT)
    review = rw.read_review("data/bcg-vaccine")
    m = review.analysis("tuberculosis.end_of_follow_up")
    for field in ("estimate", "se", "ci_lower", "pi_upper", "tau2", "q"):
        assert close(getattr(m, field), R["models"]["REML_knha"][field])
    classic = review.analysis("tuberculosis.end_of_follow_up", model="revman-classic")
    assert close(classic.ci_lower, R["models"]["DL_z"]["ci_lower"])
    assert close(m.regress("absolute_latitude").estimate, R["regress_ablat"]["estimate"], 1e-7)
    assert "tuberculosis.end_of_follow_up.OR" in repr(review) and review.analyses["comparisons"].tolist()[0] == 13
    drawn = m.forest()._repr_svg_()
    assert "BCG" in drawn and "No vaccine" in drawn and "Favours no vaccine" in drawn
    assert m.title == "Tuberculosis, end of follow-up" and str(m).startswith(m.title)
    with pytest.raises(KeyError, match="did you mean"):
        review.analysis("tuberculosis.end_of_followup")
    with pytest.raises(ValueError, match="use one of cochrane, revman-classic"):
        review.analysis("tuberculosis.end_of_follow_up", model="nobody's")


def test_a_bad_review_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="a review is a folder with"):
        rw.read_review(tmp_path / "nowhere")
    (tmp_path / "arms.csv").write_text("study_id,n\n")
    with pytest.raises(ValueError, match=r"review\.yaml.*is missing"):
        rw.read_review(tmp_path)


# --- other ways in --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "test"),
    [("REML", "HK"), ("reml", "knha"), ("REML", "hksj"), ("dersimonian-laird", "Z"), ("FE", None), ("CE", "wald"),
     ("paule-mandel", "adhoc"), ("ML", "PL")],
)  # fmt: skip
def test_names_of_methods_have_the_fields_aliases(d, method, test):
    m = rw.meta(d, method=method, test=test)
    own = {"reml": "REML", "dersimonian-laird": "DL", "FE": "EE", "CE": "EE", "paule-mandel": "PM"}
    assert m.model.tau2 == own.get(method, method)
    assert m.model.interval in {*OUR_TEST.values(), "profile likelihood"}
    assert all(TESTS[x] in TESTS for x in TESTS) and all(TAU2[x] in TAU2 for x in TAU2) and POOLINGS["MH"] in POOLINGS


def test_lists_arrays_series_and_frames_are_taken(frame, d):
    yi, vi = d["yi"], d["vi"]
    expected = rw.meta(d).estimate
    given = [
        {"yi": yi.tolist(), "vi": vi.tolist()},
        {"yi": yi.to_numpy(), "vi": tuple(vi)},
        {"yi": yi, "vi": vi.iloc[::-1]},  # by the names of its rows
        {"yi": d[["yi"]], "vi": d[["vi"]]},
        {"yi": yi, "se": vi**0.5},
    ]
    for one in given:
        assert rw.meta(**one).estimate == pytest.approx(expected, rel=1e-14)
    own = frame.assign(effect=yi, spread=vi)
    m = rw.meta(own, yi="effect", vi="spread", measure="rr", label="author", title="BCG", unit="")
    assert m.estimate == pytest.approx(expected) and m.measure == "RR" and list(m.names) == AUTHORS
    assert str(m).startswith("BCG\n")
    tn = frame["tn"].sample(frac=1, random_state=1)
    again = rw.escalc(frame, measure="RR", events1="tpos", n1=tn, events2=frame["cpos"].tolist(), n2="cn")
    assert close(again["yi"], R["yi"]) and list(again["n1"]) == list(frame["tn"])
    no_table = rw.escalc(measure="RR", events1=frame["tpos"], n1=tn, events2=frame["cpos"], n2=frame["cn"])
    assert close(no_table["yi"], R["yi"])
    alone = rw.meta(yi=yi, vi=vi)
    assert alone.measure == "GIV" and alone.natural()["estimate"] == alone.estimate


def test_groups_and_moderators_come_as_columns_series_lists_and_frames(m, frame):
    by_name = m.subgroups("alloc")
    for by in (frame["alloc"].iloc[::-1], frame["alloc"].tolist(), frame[["alloc"]]):
        assert m.subgroups(by).q_between == pytest.approx(by_name.q_between, rel=1e-12)
    first = m.regress("ablat")
    for by in (frame["ablat"].iloc[::-1], frame[["ablat"]], {"ablat": frame["ablat"].tolist()}):
        assert m.regress(by).qm == pytest.approx(first.qm, rel=1e-12)
    categories = pd.Series(pd.Categorical(frame["alloc"], ["random", "systematic", "alternate"]), name="alloc")
    assert m.regress(categories).names == ("intercept", "alloc: alternate", "alloc: systematic")
    assert m.regress("alloc", reference={"alloc": "systematic"}).names[1:] == ("alloc: alternate", "alloc: random")


def test_other_measures_and_options(frame):
    d = rw.escalc(
        measure="SMD", mean1=[1.0, 2.0], sd1=[1.0, 1.5], n1=[20, 30], mean2=[0.5, 1.0], sd2=1.0, n2=[20, 31],
        smd_variance="UB",
    )  # fmt: skip
    from reweigh.effects.measures import smd

    yi, vi = smd(np.array([20, 30]), np.array([1.0, 2.0]), np.array([1.0, 1.5]), np.array([20, 31]), np.array([0.5, 1.0]), np.ones(2), "UB")  # fmt: skip
    assert close(d["yi"], yi) and close(d["vi"], vi)
    ratio = rw.escalc(measure="HR", estimate=[0.5, 0.8], ci_lower=[0.3, 0.6], ci_upper=[0.9, 1.1])
    assert close(ratio["yi"], np.log([0.5, 0.8]))
    logs = rw.escalc(measure="HR", estimate=np.log([0.5, 0.8]), se=[0.2, 0.1], estimate_scale="log")
    assert close(logs["vi"], [0.04, 0.01])
    m = rw.meta(rw.escalc(measure="PLO", events1=[5, 9, 20], n1=[50, 60, 80]))
    assert np.isnan(m.p_value) and 0 < m.natural()["estimate"] < 1 and "single group" in str(m)
    assert (
        rw.escalc(frame, measure="RR", events1="tpos", n1="tn", events2="cpos", n2="cn", zero_cells="all")["yi"][0]
        != R["yi"][0]
    )


# --- what cannot be -------------------------------------------------------------------------------------------------------


def refused(match, call, *args, kind=ValueError, **kwargs):
    with pytest.raises(kind, match=match) as why:
        call(*args, **kwargs)
    return str(why.value)


ARMS = {"measure": "RR", "events1": "tpos", "n1": "tn", "events2": "cpos", "n2": "cn", "label": "author"}


def test_escalc_says_which_row_and_column(frame):
    bad = frame.copy()
    bad.loc[3, "tpos"], bad.loc[5, "cn"], bad.loc[7, "cpos"] = 10**6, -4, -1
    text = refused("problems:", rw.escalc, bad, **ARMS)
    assert f"row 3 ({frame['author'][3]}): tpos (events1) = 1000000: more events than n1" in text
    assert f"row 5 ({frame['author'][5]}): cn (n2) = -4: must be above 0" in text
    assert f"row 7 ({frame['author'][7]}): cpos (events2) = -1: must not be negative" in text
    words = frame.astype({"tn": object})
    words.loc[2, "tn"] = "many"
    refused(r"row 2 .*: tn \(n1\) = many: not a finite number", rw.escalc, words, **ARMS)


def test_escalc_refuses_what_is_not_there(frame, d):
    refused("no column 'tposs' \\(did you mean \"tpos\"\\?\\)", rw.escalc, frame, **{**ARMS, "events1": "tposs"})
    refused("measure 'RRR' is not known", rw.escalc, frame, **{**ARMS, "measure": "RRR"})
    refused(
        "has no argument 'event1'.*did you mean \"events1\"",
        rw.escalc,
        frame,
        measure="RR",
        event1="tpos",
        kind=TypeError,
    )
    refused("RR needs events and n of both arms", rw.escalc, frame, measure="RR")
    refused("already has|a column 'yi' already", rw.escalc, d, **ARMS)
    assert close(rw.escalc(d, **ARMS, replace=True)["yi"], R["yi"])
    refused("not dict", rw.escalc, {"tpos": [1]}, **ARMS, kind=TypeError)
    refused("events1: there is no table", rw.escalc, **ARMS)
    twice = pd.concat([frame, frame[["tpos"]]], axis=1)
    refused("several columns of one name: tpos", rw.escalc, twice, **ARMS)
    refused("level", rw.escalc, frame, **ARMS, level=95)


def test_a_series_is_never_paired_by_position(frame, d):
    other = frame["tn"].set_axis([f"t{i}" for i in range(13)])
    text = refused("nothing is paired by position", rw.escalc, frame, **{**ARMS, "n1": other})
    assert "0, 1, 2 and 10 more missing, 't0', 't1', 't2' and 10 more too many" in text
    refused("other row names", rw.escalc, frame, **{**ARMS, "n1": frame["tn"].iloc[:-1]})
    refused("more than once", rw.escalc, frame, **{**ARMS, "n1": frame["tn"].set_axis([0] * 13)})
    refused("vi: the Series has other row names", rw.meta, yi=d["yi"], vi=d["vi"].set_axis(range(1, 14)))
    refused(
        "a list beside Series in different orders",
        rw.meta,
        yi=d["yi"],
        vi=d["vi"].iloc[::-1],
        label=list("abcdefghijklm"),
    )
    refused("other row names", rw.meta(d).regress, frame["ablat"].iloc[1:])


def test_shapes_and_lengths(frame, d):
    refused("a table of 2 columns", rw.meta, yi=d[["yi", "vi"]], vi=d["vi"])
    refused(r"not the shape \(13, 1\)", rw.meta, yi=d[["yi"]].to_numpy(), vi=d["vi"])
    refused("12 values for 13 rows", rw.meta, d, vi=[1.0] * 12)
    refused("12 values for 13 rows", rw.escalc, frame, **{**ARMS, "n1": [100] * 12})
    refused("not list; lists and Series go by name", rw.meta, [0.1, 0.2], kind=TypeError)
    refused("12 values for 13 rows", rw.meta(d).subgroups, ["a"] * 12)


def test_meta_says_which_row(d):
    bad = d.copy()
    bad.loc[4, "vi"], bad.loc[6, "yi"] = -0.1, np.nan
    text = refused("3 problems", rw.meta, bad)
    assert f"row 4 ({d['author'][4]}): vi = -0.1 is not above 0" in text
    assert f"row 6 ({d['author'][6]}): no effect (yi or vi is missing)" in text and 'missing="drop"' in text
    gone = rw.meta(d.assign(yi=d["yi"].where(d.index != 6)), missing="drop")
    assert gone.k == 12 and list(gone.left_out) == [6] and "Left out, no effect: 6" in str(gone)
    assert gone.regress(d["ablat"]).k == 12 and gone.estimate == rw.meta(d.drop(index=6)).estimate
    words = d.astype({"yi": object})
    words.loc[2, "yi"] = "small"
    refused("row 2 .*: yi = 'small' is not a finite number", rw.meta, words)
    refused("not above 0", rw.meta, yi=[0.1], vi=[0.0])
    refused("se = -0.5 is not above 0", rw.meta, yi=[0.1, 0.2], se=[0.1, -0.5])
    refused("is not a finite number", rw.meta, yi=[0.1, np.inf], vi=[0.1, 0.2])


def test_meta_refuses_what_is_not_there(d, frame):
    refused("yi and vi: the table has no column of that name: make it with escalc", rw.meta, frame)
    refused("there is no table", rw.meta)
    refused("one of the two", rw.meta, yi=[1], vi=[1], se=[1])
    refused("method 'REMLL' is not known \\(did you mean \"REML\"\\?\\)", rw.meta, d, method="REMLL")
    refused("test 'hartung' is not known", rw.meta, d, test="hartung")
    refused("profile likelihood interval belongs to tau2: ML", rw.meta, d, test="PL")
    refused("has a Wald interval", rw.meta, d, pooling="MH", test="HK")
    refused("model is given: method is part of it", rw.meta, d, model="cochrane", method="DL")
    refused("level 95 must lie between 0 and 1", rw.meta, d, level=95)
    mixed = d.assign(measure=["RR"] * 12 + ["OR"])
    refused("row 12 .*: measure 'OR' beside 'RR'", rw.meta, mixed)
    refused("missing 'skip' is not known", rw.meta, d, missing="skip")
    no_counts = rw.meta(yi=d["yi"], vi=d["vi"], measure="RR", pooling="MH")
    assert np.isnan(no_counts.estimate) and "needs the events and patients" in no_counts.reason


def test_groups_and_moderators_without_values_are_named(m, frame):
    holes = frame["alloc"].where(frame.index != 8)
    for ask in (m.subgroups, m.regress):
        refused(f"row 8 \\({re.escape(frame['author'][8])}\\): no value of alloc", ask, holes)
    refused("no column 'latitude'", m.regress, "latitude")
    refused("one category only", m.regress, {"x": ["a"] * 13})
    refused("linearly dependent", m.regress, {"x": frame["ablat"], "y": 2 * frame["ablat"]})
    refused("moderators are columns by name", m.regress, 3, kind=TypeError)
    found = m.regress(["ablat", "alloc"])
    refused("a value of 'alloc' is needed", found.predict, ablat=20)
    refused("'weekly' is none of alternate, random, systematic", found.predict, ablat=20, alloc="weekly")
    refused("ablat is missing", found.predict, ablat=np.nan, alloc="random")
    refused("meta-regression is by inverse variance", rw.meta(m.data, pooling="MH").regress, "ablat")


def test_a_double_zero_trial_has_a_reason():
    d = rw.escalc(
        measure="OR", events1=[0, 3, 4], n1=[10, 20, 30], events2=[0, 5, 9], n2=[10, 20, 30], label=list("abc")
    )
    assert np.isnan(d["yi"][0]) and "no events" in d["reason"][0] and d["reason"][1] == ""
    refused(r"row 0 \(a\): no effect \(no events", rw.meta, d)
    assert rw.meta(d, missing="drop").k == 2


@pytest.mark.parametrize("k", [0, 1, 2])
def test_few_trials(d, k):
    m = rw.meta(d.iloc[:k])
    assert m.k == k and len(m.leave_one_out()) == k and len(m.trial_table()) == k
    assert str(m) and str(m.summary()) and str(m.egger()) and str(m.trim_fill()) and m._repr_html_()
    assert np.isnan(m.egger().p_value) and np.isnan(m.trim_fill().estimate)
    assert len(m.tau2_ci()) == 4 and len(m.influence()) == k
    if k == 0:
        assert np.isnan(m.estimate) and "no trials" in m.reason and np.isnan(m.natural()["estimate"])
        refused("no trial to draw", m.forest)
        refused("no trial", m.subgroups, "alloc")
    else:
        assert m.forest() is not None and m.funnel() is not None
        assert m.estimate == pytest.approx(R["yi"][0]) if k == 1 else np.isfinite(m.estimate)
    assert np.isnan(m.pi_lower)
    refused("trials", m.regress, "ablat")


# --- the package ----------------------------------------------------------------------------------------------------------


def test_importing_is_fast_and_light():
    code = (
        "import sys, time; t = time.process_time(); import reweigh as rw; t = time.process_time() - t\n"
        "assert not {'numpy', 'pandas', 'scipy', 'matplotlib', 'snakemake'} & set(sys.modules), 'import'\n"
        "rw.meta(yi=[0.1, 0.3, 0.2], vi=[0.1, 0.2, 0.1])\n"
        "assert not {'matplotlib', 'statsmodels', 'pymare', 'snakemake'} & set(sys.modules), 'meta'\n"
        "assert 'meta' in dir(rw) and rw.escalc and rw.pool_many([0.1], [0.2])\n"
        "print(t)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.1
    with pytest.raises(AttributeError, match="has no attribute 'metaa'"):
        rw.metaa  # noqa: B018


def test_all_names_are_there():
    assert all(getattr(rw, name) for name in reweigh.api.__all__)
    assert asdict(rw.meta(yi=[0.1], vi=[0.2]).egger())["reason"]


@pytest.mark.parametrize("module", [reweigh.api.sizes, reweigh.api.analysis], ids=lambda one: one.__name__)
def test_its_examples_run(module):
    failed, tried = doctest.testmod(module)
    assert tried and not failed


def test_the_documentation_prints_what_it_says(tmp_path, monkeypatch):
    import matplotlib

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").symlink_to(ROOT / "data")
    blocks = re.findall(r"```(python|text)\n(.*?)```", (ROOT / "docs" / "how-to" / "notebook.md").read_text(), re.S)
    said, names = "", {}
    for kind, text in blocks:
        if kind == "text":
            assert [line.rstrip() for line in said.splitlines()] == text.splitlines()
        else:
            with redirect_stdout(StringIO()) as told:
                exec(text, names)
            said = told.getvalue()
    assert len(blocks) > 10 and (tmp_path / "bcg.html").exists()
