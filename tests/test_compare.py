"""What changed between two results of a review: found, attributed to what did it, and told in words and on the page."""

import io
import json
import re
import shutil
import zipfile

import pandas as pd
import pytest
from click.testing import CliRunner

import pipeline
from conftest import ROOT
from reweigh.certainty.assess import certainty_table
from reweigh.check import check
from reweigh.claims.evaluate import Setting, evaluate_claims
from reweigh.claims.model import read_claims
from reweigh.claims.pages import claims_table
from reweigh.cli.main import main
from reweigh.compare import results
from reweigh.compare.changes import changes_table
from reweigh.compare.results import UnreadableError, of_archive, of_folder, provenance
from reweigh.compare.shown import shown
from reweigh.effects.selection import select
from reweigh.io import frame, read_csv, write_csv, zipped
from reweigh.pool.summarise import fit_all, pooled_table, weights_table
from reweigh.protocol.read import load_checked, written
from reweigh.risk_of_bias import read_risk_of_bias, read_tools
from reweigh.schemas import schemas
from reweigh.text.changes import SENTENCES, lines
from reweigh.text.codes import parse

REVIEW = "bcg-vaccine"
WHOLE = {p.name: p.read_bytes() for p in (ROOT / "data" / REVIEW).iterdir()}
#: With one measure, which takes a third of the time.
BCG = {**WHOLE, "review.yaml": WHOLE["review.yaml"].replace(b"    also: [OR, RD]\n", b"")}
TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())
MAIN = "tuberculosis.end_of_follow_up"
VERSIONS = {"reweigh": "0.1.0", "numpy": "2"}
ARM = "s04,Hart & Sutherland 1977,intervention,BCG,tuberculosis,end of follow-up,,13598,62"


def edited(*changes, file="arms.csv", files=BCG):
    """The files of a review with texts of one of them replaced, each there once."""
    text = files[file].decode()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return {**files, file: text.encode()}


def turned(files, *studies):
    """The files with the counts of both arms of trials exchanged."""
    table = pd.read_csv(io.BytesIO(files["arms.csv"]), dtype=str, keep_default_na=False)
    for study in studies:
        one, other = table.index[table["study_id"] == study]
        table.loc[[one, other], ["n", "events"]] = table.loc[[other, one], ["n", "events"]].to_numpy()
    return {**files, "arms.csv": table.to_csv(index=False).encode()}


def without(files, study):
    """The files without a trial."""
    names = ("arms.csv", "studies.csv")
    kept = {n: [one for one in files[n].splitlines(True) if not one.startswith(f"{study},".encode())] for n in names}
    return {**files, **{name: b"".join(rows) for name, rows in kept.items()}}


def made(folder, files=BCG, *, judged=False):
    """A folder of results with what is compared, by the functions of the stages; certainty and verdicts if `judged`."""
    tables, report = check(files, REVIEW, TOOLS)
    assert tables is not None, report
    protocol = load_checked(files["review.yaml"])
    selection = select(tables.studies, tables.arms, tables.contrasts, protocol)
    write_csv(selection.effects, folder / "effects.csv")
    effects = read_csv(folder / "effects.csv", protocol.number_columns)
    fits = fit_all(effects, protocol)
    pooled = pooled_table(effects, protocol, fits=fits)
    certainty, claims = frame("certainty.csv", []), frame("claims.csv", [])
    if judged:
        bias, said = read_risk_of_bias(tables.risk_of_bias, TOOLS), read_claims(files["claims.yaml"])
        weights = weights_table(effects, protocol, fits)
        certainty = certainty_table(effects, pooled, weights, protocol.outcomes, bias=bias)
        none = [frame(name, []) for name in ("robustness/multiverse_summary.csv", "sequential.csv")]
        verdicts = evaluate_claims(said.claims, Setting(effects, tables.studies, protocol, bias))
        claims = claims_table(verdicts, said, *none)
    written_ = {
        "units.csv": frame("units.csv", []), "rows.csv": selection.rows, "pooled.csv": pooled,
        "certainty.csv": certainty, "claims.csv": claims,
        **{f"checked/{name}.csv": getattr(tables, name) for name in ("studies", "arms", "contrasts", "risk_of_bias")},
    }  # fmt: skip
    for name, table in written_.items():
        write_csv(table, folder / name)
    (folder / "checked" / "protocol.json").write_bytes(written(protocol))
    (folder / "provenance.json").write_bytes(
        provenance(REVIEW, VERSIONS, {"claims.yaml": str(hash(files["claims.yaml"]))})
    )
    return folder


@pytest.fixture(scope="module")
def former(tmp_path_factory):
    return made(tmp_path_factory.mktemp("former"))


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    return made(tmp_path_factory.mktemp("judged"), judged=True)


def side(folder):
    [found] = of_folder(folder).values()
    return found


def compared(old, new):
    """changes.csv of two folders by kind."""
    table = changes_table(side(old), side(new)).fillna("")
    return {kind: rows.reset_index(drop=True) for kind, rows in table.groupby("kind", sort=False)}


def said(old, new):
    old, new = side(old), side(new)
    return list(lines(shown(changes_table(old, new), old, new)))


def codes(table, field="estimate_natural", name=f"{MAIN} | cochrane"):
    """Codes of the cause of one estimate."""
    [cell] = table.loc[(table["id"] == name) & (table["field"] == field), "cause_codes"]
    return parse(cell)


def reweigh(*arguments):
    return CliRunner().invoke(main, [str(one) for one in arguments])


def test_equal_results_have_no_changes_and_noise_of_another_machine_is_none(former, tmp_path):
    other = shutil.copytree(former, tmp_path / "other")
    pooled = read_csv(other / "pooled.csv")
    numbers = pooled.select_dtypes("float").columns
    write_csv(pooled.assign(**{name: pooled[name] * (1 + 3e-10) for name in numbers}), other / "pooled.csv")
    assert compared(former, other) == {}
    assert said(former, other) == [f"{REVIEW}: nothing changed"]
    write_csv(pooled.assign(tau2=pooled["tau2"] * (1 + 1e-8)), other / "pooled.csv")
    assert set(compared(former, other)["estimate"]["field"]) == {"tau2"}
    assert "0 main ones moved; 1 moved only beyond the printed digits" in "\n".join(said(former, other))


def test_a_corrected_count_is_named_by_row_and_column_and_is_the_cause(former, tmp_path):
    found = compared(former, made(tmp_path / "new", edited((ARM, ARM.replace(",62", ",162")))))
    [row] = found["row"].to_dict("records")
    assert (row["id"], row["field"], row["old"], row["new"], row["study_id"]) == (
        "arms.csv:8",
        "events",
        "62",
        "162",
        "s04",
    )
    [cause] = codes(found["estimate"])
    assert cause.name == "trial_changed" and cause.parameters["label"] == "Hart & Sutherland 1977"
    assert cause.parameters["data"] == "datum file=arms.csv row=8 column=events old=62 new=162"
    # One change that explains the whole: what it does alone is the new estimate, and is not said again.
    assert "scale" not in cause.parameters
    assert len(set(found["estimate"]["id"])) == 4  # models
    text = "\n".join(said(former, tmp_path / "new"))
    assert "Trials: 1 corrected\n  Hart & Sutherland 1977: arms.csv row 8, events 62 → 162\n" in text
    assert "RR 0.49 (95% CI 0.33 to 0.73), k = 13, n = 357,347 → RR 0.55 (95% CI 0.38 to 0.78)" in text


def test_of_several_corrected_data_each_is_said_with_what_it_does_alone(former, tmp_path):
    changes = (ARM, ARM.replace(",62", ",162")), ("123,4", "123,9")
    both = made(tmp_path / "both", edited(*changes))
    found = codes(compared(former, both)["estimate"])
    assert [one.parameters["label"] for one in found] == ["Hart & Sutherland 1977", "Aronson 1948"]  # the larger first
    for one, change in zip(found, changes, strict=True):
        single = side(made(tmp_path / change[1][-9:].replace(",", "-"), edited(change)))
        pooled = single.tables["pooled.csv"]
        row = pooled[(pooled["analysis"] == MAIN) & (pooled["model"] == "cochrane")].iloc[0]
        for name in ("estimate_natural", "ci_lower_natural", "ci_upper_natural"):
            assert float(one.parameters[name]) == pytest.approx(row[name], rel=1e-9)
    # Mantel-Haenszel from the counts, too.
    by_counts = codes(compared(former, both)["estimate"], name=f"{MAIN} | Mantel-Haenszel, common effect")
    assert all(
        one.parameters["estimate_natural"] != two.parameters["estimate_natural"]
        for one, two in zip(by_counts, found, strict=True)
    )


def test_new_and_gone_trials_and_their_pools(former, tmp_path):
    lines_ = [ARM, ARM.replace("intervention,BCG", "control,no vaccine").replace("13598,62", "12867,248")]
    files = edited(
        (lines_[0], lines_[0].replace("s04,Hart & Sutherland 1977", "s99,Copied 1999")),
        (lines_[1], lines_[1].replace("s04,Hart & Sutherland 1977", "s99,Copied 1999")),
    )
    files = edited(("s04,Hart & Sutherland 1977,1977", "s99,Copied 1999,1977"), file="studies.csv", files=files)
    found = compared(former, made(tmp_path / "renamed", files))
    trials = found["trial"].set_index("id")
    assert trials.loc["s99", ["old", "new"]].tolist() == ["", "Copied 1999"]
    assert trials.loc["s04", ["old", "new"]].tolist() == ["Hart & Sutherland 1977", ""]
    # The same trial under another name: nothing moves.
    assert set(found) == {"trial"}
    found = compared(former, made(tmp_path / "fewer", without(BCG, "s08")))
    assert found["trial"][["id", "new"]].to_numpy().tolist() == [["s08", ""]] and "row" not in found
    [cause] = codes(found["estimate"])
    assert cause.name == "trial_gone"
    assert found["estimate"].set_index(["id", "field"]).loc[(f"{MAIN} | cochrane", "k"), ["old", "new"]].tolist() == [
        "13",
        "12",
    ]
    more = compared(tmp_path / "fewer", former)
    assert codes(more["estimate"])[0].name == "trial_new" and "1 new" in "\n".join(said(tmp_path / "fewer", former))


def test_rows_that_moved_are_no_change_and_a_trait_of_a_trial_is_one(former, tmp_path):
    head, *rows = BCG["arms.csv"].splitlines(True)
    reordered = {**BCG, "arms.csv": b"".join([head, *rows[2:], *rows[:2]])}
    assert compared(former, made(tmp_path / "reordered", reordered)) == {}
    files = edited(("s01,Aronson 1948,1948,44,random", "s01,Aronson 1948,1949,44,alternate"), file="studies.csv")
    found = compared(former, made(tmp_path / "traits", files))
    assert found["trial"][["id", "field", "old", "new"]].to_numpy().tolist() == [
        ["s01", "year", "1948", "1949"], ["s01", "allocation", "random", "alternate"],
    ]  # fmt: skip
    assert set(found) == {"trial"}


def test_a_row_is_known_by_what_is_left_of_its_name_and_a_second_one_is_new(former, tmp_path):
    arm = "s01,Aronson 1948,{},tuberculosis,end of follow-up,,"
    first, second = arm.format("intervention,BCG"), arm.format("control,no vaccine")
    named = [(one, one.replace("end of", "End of")) for one in (first, second)]
    found = compared(former, made(tmp_path / "named", edited(*named)))
    said_ = [["arms.csv:2", "timepoint", "end of follow-up", "End of follow-up"], ["arms.csv:3", "timepoint"]]
    assert found["row"][["id", "field", "old", "new"]].to_numpy().tolist()[0] == said_[0]
    assert found["row"][["id", "field"]].to_numpy().tolist()[1] == said_[1] and set(found) == {"row"}
    # A second outcome: two rows, and one key of the protocol for all that it says.
    more = "".join(f"{one.replace('tuberculosis', 'death')}{n}\n" for one, n in ((first, "123,4"), (second, "139,11")))
    files = {**BCG, "arms.csv": BCG["arms.csv"] + more.encode()}
    death = "  death: {label: Death, type: binary, measure: RR, better: lower}\n\nwindows:"
    files = edited(("\nwindows:", death), file="review.yaml", files=files)
    new = made(tmp_path / "more", files)
    found = compared(former, new)
    assert found["row"][["id", "field", "old", "new"]].to_numpy().tolist() == [
        ["arms.csv:28", "", "", "there"], ["arms.csv:29", "", "", "there"],
    ]  # fmt: skip
    assert found["protocol"][["id", "old", "new"]].to_numpy().tolist() == [["outcomes.death", "", "there"]]
    text = "\n".join(said(former, new))
    assert "Aronson 1948: arms.csv: rows 28, 29 are new" in text and "outcomes.death: new" in text
    assert "Death, end of follow-up: new, RR 0.41" in text
    assert {"former arms.csv:28", "former arms.csv:29"} == set(compared(new, former)["row"]["id"])


def test_an_excluded_trial_leaves_because_of_its_own_datum(tmp_path):
    sets = 'sets:\n  main: {label: Eligible trials, include: {eligible: ["yes"]}}\n\nmodels:'
    files = edited(("models:", sets), file="review.yaml")
    head, *rows = BCG["studies.csv"].decode().splitlines()
    sides = []
    for name, out in (("old", "none"), ("new", "s08")):
        text = [f"{head},eligible,exclusion_reason"]
        text += [f"{row},{'no,not wanted' if row.startswith(f'{out},') else 'yes,'}" for row in rows]
        sides.append(made(tmp_path / name, {**files, "studies.csv": "\n".join(text).encode()}))
    found = compared(*sides)
    [cause] = codes(found["estimate"])
    assert cause.name == "trial_out" and cause.parameters["data"] == "trait column=eligible old=yes new=no"


def test_a_key_of_the_protocol_is_a_cause_of_its_own(former, tmp_path):
    files = edited(("    better: lower", "    better: lower\n    level: 0.9"), file="review.yaml")
    found = compared(former, made(tmp_path / "new", files))
    assert found["protocol"][["id", "old", "new"]].to_numpy().tolist() == [["outcomes.tuberculosis.level", "", "0.9"]]
    assert [str(one) for one in codes(found["estimate"], "ci_lower_natural")] == [
        "key key=outcomes.tuberculosis.level old= new=0.9"
    ]
    assert not (found["estimate"]["field"] == "estimate_natural").any()
    # A key that no estimate rests on is a change, and no cause.
    both = edited(("title: BCG", "title: The BCG"), file="review.yaml", files=edited((ARM, ARM.replace(",62", ",162"))))
    found = compared(former, made(tmp_path / "title", both))
    assert found["protocol"]["id"].tolist() == ["title"]
    assert [one.name for one in codes(found["estimate"])] == ["trial_changed"]


def test_data_and_protocol_together_are_both_named_and_what_each_datum_does_is_told(former, tmp_path):
    files = edited(
        ("    better: lower", "    better: lower\n    level: 0.9"),
        file="review.yaml",
        files=edited((ARM, ARM.replace(",62", ",162"))),
    )
    found = codes(compared(former, made(tmp_path / "new", files))["estimate"])
    assert [one.name for one in found] == ["trial_changed", "key"]
    assert found[0].parameters["estimate_natural"].startswith("0.54")


def test_where_only_the_programme_differs_it_is_the_programme(former, tmp_path):
    other = shutil.copytree(former, tmp_path / "other")
    pooled = read_csv(other / "pooled.csv")
    write_csv(pooled.assign(tau2=pooled["tau2"] * 1.01), other / "pooled.csv")
    assert [str(one) for one in codes(compared(former, other)["estimate"], "tau2")] == ["same_programme"]
    (other / "provenance.json").write_bytes(provenance(REVIEW, {**VERSIONS, "reweigh": "0.2.0"}, {}))
    found = compared(former, other)
    assert found["programme"][["id", "field", "old", "new"]].to_numpy().tolist() == [
        ["reweigh", "version", "0.1.0", "0.2.0"]
    ]
    assert [str(one) for one in codes(found["estimate"], "tau2")] == ["programme old=0.1.0 new=0.2.0"]
    (other / "provenance.json").unlink()
    assert [str(one) for one in codes(compared(former, other)["estimate"], "tau2")] == ["not_recorded"]


def test_certainty_and_a_verdict_say_what_moved_them(judged, tmp_path):
    found = compared(judged, made(tmp_path / "new", turned(BCG, "s04", "s08"), judged=True))
    verdict = found["verdict"].set_index("field").loc["verdict"]
    assert (verdict["old"], verdict["new"]) == ("supported with low certainty", "not supported")
    names = [one.name for one in parse(verdict["cause_codes"])]
    assert names.count("trial_changed") == 2 and set(names) == {"trial_changed"}
    assert {"Hart & Sutherland 1977", "TPT Madras 1980"} <= {
        one.parameters["label"] for one in parse(verdict["cause_codes"])
    }
    assessed = {
        **BCG,
        "risk_of_bias.csv": b"study_id,tool,domain,judgement,judged_by,support\n"
        + b"".join(f"s{i:02},RoB 2,overall,low,x,y\n".encode() for i in range(1, 14)),
    }
    found = compared(judged, made(tmp_path / "judged", assessed, judged=True))["certainty"]
    moved = found[found["field"] == "certainty"].set_index("id").loc[MAIN]
    assert moved["old"] == "very low" and moved["new"] != "very low"
    first, *rest = parse(moved["cause_codes"])
    assert first.name == "domain" and first.parameters["domain"] == "risk of bias"
    assert {one.name for one in rest} == {"row_new"}


def test_a_changed_claim_is_its_own_cause(judged, tmp_path):
    files = edited(("rule: claimed_value, value: 0.5", "rule: claimed_value, value: 0.9"), file="claims.yaml")
    found = compared(judged, made(tmp_path / "new", files, judged=True))
    assert found["protocol"]["id"].tolist() == ["claims.yaml"]
    assert parse(found["verdict"]["cause_codes"].iloc[0])[0].name == "claims_changed"


def test_without_the_tables_as_checked_data_are_compared_as_they_were_used(former, tmp_path):
    old, new = (
        shutil.copytree(former, tmp_path / "old"),
        made(tmp_path / "new", edited((ARM, ARM.replace(",62", ",162")))),
    )
    for folder in (old, new):
        shutil.rmtree(folder / "checked")
        (folder / "provenance.json").unlink()
        folder.rename(folder.with_suffix(".x"))
    old, new = old.with_suffix(".x"), new.with_suffix(".x")
    found = compared(old, new)
    [row] = found["row"].to_dict("records")
    assert (row["id"], row["field"], row["old"], row["new"]) == (f"{MAIN} | s04", "events_intervention", "62", "162")
    assert codes(found["estimate"])[0].parameters["data"] == "used column=events_intervention old=62 new=162"
    text = said(old, new)
    assert any(one.startswith("Not recorded on one side: the tables as checked") for one in text)


def archive_of(folder, review=REVIEW, **more):
    files = {
        f"results/{review}/{p.relative_to(folder)}": p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }
    return zipped({**files, **more})


def test_an_archive_and_a_folder_give_the_same(former, tmp_path):
    new = made(tmp_path / "new", edited((ARM, ARM.replace(",62", ",162"))))
    (tmp_path / "old.zip").write_bytes(archive_of(former))
    told = [
        reweigh("compare", old, new, "--output", tmp_path / "changes.csv") for old in (former, tmp_path / "old.zip")
    ]
    assert [one.exit_code for one in told] == [0, 0] and told[0].output == told[1].output
    table = read_csv(tmp_path / "changes.csv")
    assert list(table) == list(schemas()["changes.csv"].columns) and set(table["review"]) == {REVIEW}
    assert not table.duplicated(list(schemas()["changes.csv"].keys)).any()
    with zipfile.ZipFile(tmp_path / "old.zip") as opened:
        assert of_archive((tmp_path / "old.zip").read_bytes(), "x").keys() == {REVIEW}
        assert opened.testzip() is None


def test_the_command_refuses_what_is_no_result_in_one_line(former, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = shutil.copytree(former, tmp_path / "other")
    (other / "provenance.json").write_bytes(provenance("another-review", VERSIONS, {}))
    (tmp_path / "empty").mkdir()
    broken = shutil.copytree(former, tmp_path / "broken")
    (broken / "pooled.csv").write_text("a,b\n1,2\n")
    (tmp_path / "text.zip").write_text("no archive")
    (tmp_path / "cut.zip").write_bytes(archive_of(former)[:-100])
    (tmp_path / "others.zip").write_bytes(zipped({"../results/x/pooled.csv": b"", "a.txt": b""}))
    (tmp_path / "mine.csv").write_text("study,events\n")
    for old, words in (
        ("other", "are of two reviews: another-review and bcg-vaccine"),
        ("empty", "is no folder of results"),
        ("nowhere", "There is no results/nowhere"),
        ("broken", "pooled.csv is no table of ours: it has no column"),
        ("text.zip", "cannot be unpacked"),
        ("cut.zip", "cannot be unpacked"),
        ("others.zip", "is no archive of a review"),
    ):
        told = reweigh("compare", old, former)
        assert told.exit_code == 1 and words in told.output and len(told.output.splitlines()) == 1, told.output
        assert not (tmp_path / "changes.csv").exists()
    told = reweigh("compare", former, former, "--output", "mine.csv")
    assert told.exit_code == 1 and "is no changes.csv" in told.output
    assert (tmp_path / "mine.csv").read_text() == "study,events\n"
    assert reweigh("compare", former, former).exit_code == 0 == reweigh("compare", former, former).exit_code


def test_a_hostile_archive_leaves_nothing_behind_and_large_tables_are_refused(former, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = archive_of(
        former, **{"../../escaped.csv": b"x", "/tmp/escaped.csv": b"x", f"results/{REVIEW}/../../e": b"x"}
    )
    (tmp_path / "bad.zip").write_bytes(content)
    before = sorted(tmp_path.rglob("*"))
    assert reweigh("compare", "bad.zip", former).exit_code == 0
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "changes.csv"])
    monkeypatch.setattr(results, "LARGEST", 1000)
    with pytest.raises(UnreadableError, match=r"protocol\.json is larger than 1,000 bytes"):
        of_archive(content, "a")
    monkeypatch.setattr(results, "MEMBERS", 3)
    with pytest.raises(UnreadableError, match="more than 3 files"):
        of_archive(content, "a")


def test_texts_of_a_stranger_stay_texts(former, tmp_path):
    """Hostile labels, cells and keys: nothing raises, and nothing of them acts in the table or on the page."""
    mark = "<script>x()</script>; a=b %20 {evil} | \n"
    old = shutil.copytree(former, tmp_path / "old")
    effects = read_csv(old / "effects.csv")
    write_csv(effects.assign(label=mark, estimate=effects["estimate"] + 1), old / "effects.csv")
    studies = read_csv(old / "checked/studies.csv")
    write_csv(studies.assign(label=mark, allocation=mark), old / "checked/studies.csv")
    (old / "checked/protocol.json").write_text(json.dumps({"title": mark, mark: [mark], "level": None}))
    (old / "provenance.json").write_text(json.dumps({"review": REVIEW, "versions": [1], "files": {"claims.yaml": 3}}))
    found = compared(old, former)
    assert {"trial", "protocol"} <= set(found)
    assert any(mark.strip()[:20] in one for one in said(old, former))


def test_several_reviews_and_a_single_one_among_them(former, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(former, tmp_path / "new" / name)
        (tmp_path / "new" / name / "provenance.json").write_bytes(provenance(name, VERSIONS, {}))
    shutil.copytree(tmp_path / "new" / "a", tmp_path / "old" / "a")
    out = tmp_path / "changes.csv"
    told = reweigh("compare", tmp_path / "new", tmp_path / "new", "--output", out)
    assert told.output.splitlines()[:2] == ["a: nothing changed", "b: nothing changed"]
    told = reweigh("compare", tmp_path / "old" / "a", tmp_path / "new", "--output", out)
    assert told.exit_code == 0 and told.output.splitlines()[0] == "a: nothing changed"
    shutil.copytree(tmp_path / "new" / "a", tmp_path / "old" / "c")
    (tmp_path / "old" / "c" / "provenance.json").write_bytes(provenance("c", VERSIONS, {}))
    told = reweigh("compare", tmp_path / "old", tmp_path / "new", "--output", out)
    assert told.exit_code == 0 and "b: only" in told.output and "c: only" in told.output
    table = read_csv(out)
    assert table[["review", "kind", "old", "new"]].to_numpy().tolist() == [
        ["b", "review", "", "there"],
        ["c", "review", "there", ""],
    ]


def test_every_code_has_words_and_none_is_idle():
    text = "".join(path.read_text() for path in (ROOT / "src/reweigh/compare").glob("*.py"))
    used = set(re.findall(r'"(\w+)"', text))
    assert not set(SENTENCES) - used


# --- the protocol's `former`


def with_former(files, name="former.zip", line=None):
    text = files["review.yaml"].decode() + f"\nformer: {line or name}\n"
    return {**files, "review.yaml": text.encode()}


@pytest.mark.parametrize(
    ("line", "content", "words"),
    [
        (
            "../former.zip",
            None,
            '"../former.zip" is no archive beside the protocol; allowed: the name of a .zip file',
        ),
        ("sub/former.zip", None, "is no archive beside the protocol"),
        ("formr.zip", b"PK", '"formr.zip" is not in the review\'s folder (did you mean "former.zip"?)'),
        ("former.zip", b"PK", '"former.zip" cannot be compared: the archive cannot be unpacked'),
    ],
)
def test_a_bad_former_archive_is_a_problem_of_the_check(line, content, words):
    files = with_former(BCG, line=line) | ({} if content is None else {"former.zip": content})
    tables, report = check(files, REVIEW, TOOLS)
    assert tables is None and words in report and "key former" in report and "1 problem" in report


def test_a_former_archive_of_another_review_is_a_problem(former):
    files = with_former(BCG) | {"former.zip": archive_of(former)}
    assert check(files, REVIEW, TOOLS)[1] == ""
    tables, report = check(files, "another", TOOLS)
    assert tables is None and "it is of another review: bcg-vaccine" in report


@pytest.mark.slow
def test_the_page_says_what_changed_since_the_former_archive(tmp_path):
    """Through every stage: the former results as an archive in the folder, then two counts exchanged, one trial gone."""
    of_year = pipeline.build(WHOLE, tmp_path / "old", review=REVIEW, figures=False, as_of=1960)
    old = tmp_path / "old/results" / REVIEW
    assert read_csv(old / "changes.csv").empty and "What changed" not in (old / "report.html").read_text()
    assert (old / "checked" / "arms.csv").read_bytes() == (
        tmp_path / "old/work" / REVIEW / "checked/arms.csv"
    ).read_bytes()
    files = with_former(without(turned(WHOLE, "s04", "s08"), "s03")) | {"former.zip": archive_of(old)}
    new = pipeline.build(files, tmp_path / "new", review=REVIEW, figures=False)
    table = read_csv(new / "changes.csv")
    assert {"trial", "row", "estimate", "verdict", "published estimate"} <= set(table["kind"])
    page = (new / "report.html").read_text()
    section = re.search(r'<section id="changes".*?</section>', page, re.S)[0]
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", section))
    assert "Gone Rosenthal et al 1960" in text and "arms.csv row 6, n" in text
    assert "supported with low certainty" in text and "not supported" in text
    assert 'href="#changes"' in page and f'href="#a-{MAIN}"' in section and 'href="#c-B01"' in section
    # The command says the same of the two folders.
    told = reweigh("compare", old, new, "--output", tmp_path / "changes.csv")
    assert told.exit_code == 0 and (tmp_path / "changes.csv").read_bytes() == (new / "changes.csv").read_bytes()
    # An older year is a cause of its own.
    told = reweigh("compare", of_year, old, "--output", tmp_path / "changes.csv")
    found = read_csv(tmp_path / "changes.csv")
    assert told.exit_code == 0 and set(found.loc[found["kind"] == "trial", "cause_codes"]) == {
        "key key=as_of old=1960 new="
    }
    assert found.loc[found["kind"] == "protocol", ["id", "old", "new"]].to_numpy().tolist() == [["as_of", "1960", ""]]
