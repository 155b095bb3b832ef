"""Reviews out: each format as other programmes read it, and back by the import."""

import io
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import rispy
from click.testing import CliRunner

import generator
from conftest import ROOT, contents, each
from pipeline import build
from reweigh.check import examine
from reweigh.cli.main import FORMATS as OFFERED
from reweigh.cli.main import main
from reweigh.exchange.export import FORMATS, load
from reweigh.exchange.export.scripts import NUMBERS, r_string
from reweigh.exchange.options import Options
from reweigh.exchange.read import read
from reweigh.exchange.study_results import RESULTS_HEADER
from reweigh.exchange.write import written
from reweigh.io import read_csv
from reweigh.risk_of_bias import read_risk_of_bias, read_tools
from reweigh.text.flow import BOXES
from test_every_model import COUNTS
from test_every_model import files as counted

TOOLS = read_tools((ROOT / "data" / "risk_of_bias_tools.yaml").read_bytes())
REVIEWS = sorted(path.parent.name for path in (ROOT / "data").glob("*/review.yaml"))
SAMPLES = ROOT.parent / "shared" / "samples"
samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the samples of other programmes are not beside the checkout")
HOSTILE = (
    "=1+1",
    '"; quit(status = 3); "',
    "back\\slash \\u0041",
    'O\'Brien "x"',
    "a,b;c\td",
    "Ωmega 王小明 😀",
    "#{x}",
    "NA",
)
ARMS = (
    "study_id,outcome,arm,role,n,events,source\n"
    "a,relapse,drug,intervention,50,10,A\na,relapse,placebo,control,50,20,A\n"
    "b,relapse,drug,intervention,60,0,B\nb,relapse,placebo,control,60,18,B\n"
    "c,relapse,drug,intervention,70,9,C\nc,relapse,placebo,control,65,12,C\n"
)
PROTOCOL = (
    "title: {title}\nquestion: {{population: P, intervention: drug, comparator: placebo}}\n"
    "words: {{intervention: drug, control: placebo}}\n"
    "outcomes:\n  relapse: {{label: Relapse, type: binary, measure: RR, better: lower}}\n"
)


def of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def source(files, name="made"):
    tables, protocol, problems = examine(files, TOOLS)
    assert not problems, problems
    return load(name, files, tables, protocol, TOOLS)


def small(title="T", studies="", **more):
    """A review of three trials with counts."""
    files = {"review.yaml": PROTOCOL.format(title=title).encode(), "arms.csv": ARMS.encode()}
    if studies:
        files["studies.csv"] = studies.encode()
    return files | {name.replace("_csv", ".csv"): text.encode() for name, text in more.items()}


def back(exported, **options):
    """What the import makes of exported files, and the review of it."""
    assert not exported.problem
    imported = read(exported.files, Options(tools=TOOLS, **options))
    assert not imported.problems
    return imported, source(written(imported))


def run_r(folder):
    return subprocess.run(["Rscript", str(folder / "metafor.R")], capture_output=True, text=True, check=False)


def write(exported, folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in exported.files.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "data" / "bcg-vaccine", tmp_path / "data" / "bcg-vaccine")
    return tmp_path


def reweigh(*arguments):
    return CliRunner().invoke(main, arguments)


# --- the command ----------------------------------------------------------------------------------------------------


def test_every_format_is_offered():
    assert list(OFFERED) == list(FORMATS)


def test_nothing_is_overwritten_without_being_asked(here):
    told = reweigh("export", "bcg-vaccine", "--to", "ris")
    assert told.exit_code == 0 and "export/bcg-vaccine/ris: references.ris" in told.output
    (here / "export/bcg-vaccine/ris/references.ris").write_text("mine")
    before = contents(here)
    told = reweigh("export", "bcg-vaccine", "--to", "ris")
    assert told.exit_code == 1 and len(told.output.splitlines()) == 1 and "--force" in told.output
    assert contents(here) == before
    assert reweigh("export", "bcg-vaccine", "--to", "ris", "--force").exit_code == 0
    assert (here / "export/bcg-vaccine/ris/references.ris").read_text() != "mine"
    assert reweigh("export", "bcg-vaccine", "--to", "metafor", "--output", "a/b").exit_code == 0
    assert {path.name for path in (here / "a/b").iterdir()} == {"metafor.R", "data.csv", "pooled.csv"}


@pytest.mark.parametrize("arguments", [("export", "bcg-vaccine"), ("export", "bcg-vaccine", "--to", "x"), ("export",)])
def test_wrong_usage_is_2(here, arguments):
    assert reweigh(*arguments).exit_code == 2


def test_a_review_with_problems_is_not_exported(here):
    path = here / "data/bcg-vaccine/arms.csv"
    path.write_text(path.read_text().replace(",139,11", ",139,1x"))
    told = reweigh("export", "bcg-vaccine", "--to", "metafor")
    assert told.exit_code == 1 and '"1x"' in told.output and not (here / "export").exists()


@pytest.mark.parametrize(("form", "word"), [("robvis", "risk_of_bias.csv"), ("prisma", "flow.csv")])
def test_what_a_review_has_not_is_said_in_one_line(here, form, word):
    told = reweigh("export", "bcg-vaccine", "--to", form)
    assert told.exit_code == 1 and len(told.output.splitlines()) == 1 and word in told.output
    assert not (here / "export").exists()


# --- R --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*HOSTILE, "line\nbreak\r\ttab", "\x00nul\x1b"])
def test_a_string_of_r_is_closed_by_its_last_sign_alone(text):
    quoted = r_string(text)
    assert quoted.isascii() and quoted.isprintable() and quoted[0] == quoted[-1] == '"'
    assert '"' not in quoted[1:-1].replace("\\\\", "").replace('\\"', "")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not here")
def test_r_reads_the_strings_back():
    texts = [*HOSTILE, "line\nbreak\r\ttab"]
    code = "".join(f"cat(utf8ToInt(enc2utf8({r_string(t)})), sep = ' '); cat('\\n')\n" for t in texts)
    out = subprocess.run(["Rscript", "-e", code], capture_output=True, text=True, check=True).stdout
    assert ["".join(chr(int(one)) for one in line.split()) for line in out.splitlines()] == texts


@pytest.mark.parametrize("name", each(REVIEWS))
def test_the_script_names_every_main_analysis_and_model(name):
    one = source(of(ROOT / "data" / name))
    for form in ("metafor", "meta"):
        text = FORMATS[form](one).files[f"{form}.R"].decode()
        recorded = {line.split(", ")[0].removeprefix("record(").strip('"') for line in text.splitlines() if line.startswith("record(")}  # fmt: skip
        assert recorded == set(one.pooled["analysis"])
        assert text.count("\nrecord(") == (one.pooled["model"] != "bayes").sum()
        assert text.count("# Not here: R's bayesmeta") == (one.pooled["model"] == "bayes").sum()
    assert "HAS NOT BEEN RUN" in text


def test_what_is_exported_is_what_the_workflow_writes():
    """The reference values of the main analyses, which the results are held to, too."""
    one = source(of(ROOT / "data" / "bcg-vaccine"))
    row = one.pooled.set_index(["analysis", "model"]).loc[("tuberculosis.end_of_follow_up", "cochrane")]
    assert np.allclose(row[["estimate", "ci_lower", "ci_upper"]].astype(float), [-0.7145, -1.1084, -0.3206], atol=5e-5)
    table = read_csv(io.BytesIO(FORMATS["metafor"](one).files["pooled.csv"]), name="pooled.csv")
    assert list(table["estimate"]) == list(one.pooled["estimate"]) and set(NUMBERS) <= set(table)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not here")
@pytest.mark.parametrize("name", each(REVIEWS))
def test_metafor_gives_the_numbers_of_the_shipped_reviews(name, tmp_path):
    one = source(of(ROOT / "data" / name))
    run = run_r(write(FORMATS["metafor"](one), tmp_path))
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    compared = pd.read_csv(tmp_path / "compared.csv")
    fitted = one.pooled[one.pooled["model"] != "bayes"]
    assert len(compared) == fitted[list(NUMBERS)].notna().sum().sum()
    assert compared["difference"].max() < 1e-9
    assert np.isclose(compared["R"], compared["reweigh"], rtol=1e-6, atol=1e-12).all()


def every_model():
    """Models of every tau2 estimator, interval, prediction interval and pooling."""
    found = []
    for at, tau2 in enumerate(generator.TAU2):
        interval = generator.INTERVALS[at % 4]
        prediction = ("t(k-2)", "t(k-1)", "hartung-knapp")[at % 3] if tau2 != "EE" else "none"
        found.append(
            f"  - {{name: '{tau2}, \"x\" \\\\', tau2: {tau2}, interval: {interval}, prediction_interval: {prediction}}}"
        )
    found += ["  - {name: PL, tau2: ML, interval: profile likelihood, prediction_interval: bootstrap}"]
    pooled = "pooling: mantel-haenszel, mantel_haenszel: "
    for kind in ("exact", "corrected"):
        found += [f"  - {{name: MH {kind}, tau2: EE, interval: wald, {pooled}{kind}, rd_variance: {v}}}".replace("MH", f"MH {v}")
                  for v in ("sato", "greenland-robins")]  # fmt: skip
        found += [f"  - {{name: MH DL {kind} {i}, tau2: DL, interval: {i}, {pooled}{kind}, prediction_interval: {p}}}"
                  for i, p in (("wald", "t(k-2)"), ("hartung-knapp guarded", "hartung-knapp"))]  # fmt: skip
    return [*found, "  - {name: Peto, tau2: EE, interval: wald, pooling: peto}"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not here")
@pytest.mark.parametrize("name", ["bcg", "nielweise"])
def test_metafor_gives_the_numbers_of_every_model(name, tmp_path):
    files = counted(name, [])
    files["review.yaml"] = files["review.yaml"] + ("\n" + "\n".join(every_model()) + "\nlevel: 0.9\n").encode()
    one = source(files)
    assert len(one.pooled["model"].unique()) == len(every_model())
    run = run_r(write(FORMATS["metafor"](one), tmp_path))
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr
    compared = pd.read_csv(tmp_path / "compared.csv")
    said = one.pooled["estimate"].notna()
    assert set(zip(compared["analysis"], compared["model"], strict=True)) == set(
        zip(one.pooled.loc[said, "analysis"], one.pooled.loc[said, "model"], strict=True)
    )
    assert len(COUNTS) and (compared["difference"] < 1e-7).all()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not here")
@pytest.mark.parametrize("seed", [4, 20, 35, 36])
def test_metafor_gives_the_numbers_of_reviews_made_up(seed, tmp_path):
    run = run_r(write(FORMATS["metafor"](source(generator.review(seed))), tmp_path))
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not here")
def test_text_of_the_data_is_no_code(tmp_path):
    """Names of trials, title and models that would run something, were they code or formulas."""
    studies = "study_id,label\n" + "".join(f'{i},"{t.replace(chr(34), chr(34) * 2)}"\n' for i, t in zip("abc", HOSTILE, strict=False))  # fmt: skip
    files = small('"x\\n\\"; stop(1); \\u2028 quit(status = 4) #"', studies)
    model = r"""'"); quit(status = 5); ("'"""
    files["review.yaml"] += (
        f"models: [{{name: {model}, tau2: DL, interval: wald}}, {{name: '=x', tau2: DL, interval: t}}]\n".encode()
    )
    folder = write(FORMATS["metafor"](source(files)), tmp_path)
    assert all(
        line.startswith("#") for line in (folder / "metafor.R").read_text().splitlines() if "quit(status = 4)" in line
    )
    assert b"\n=1+1" not in (folder / "data.csv").read_bytes() and b"'=1+1" in (folder / "data.csv").read_bytes()
    run = run_r(folder)
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(pd.read_csv(folder / "compared.csv")) == 14


@pytest.mark.slow
@samples
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not here")
@pytest.mark.parametrize(
    ("file", "measure"),
    [("meta/Olkin1995.csv", "OR"), ("metafor/dat.hackshaw1998.csv", "OR"), ("metafor/dat.normand1999.csv", "SMD")],
)
def test_samples_go_to_r_and_to_revman(file, measure, tmp_path):
    path = SAMPLES / file
    first = source(written(read({path.name: path.read_bytes()}, Options(measure=measure))))
    run = run_r(write(FORMATS["metafor"](first), tmp_path))
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    _, second = back(FORMATS["revman-web"](first))
    same_pool(first, second)
    assert {one.measure for one in second.protocol.outcomes.values()} == {measure}


@pytest.mark.slow
def test_what_is_exported_is_pooled_csv(tmp_path):
    files = of(ROOT / "data" / "bcg-vaccine")
    results = build(files, tmp_path, figures=False)
    pooled = read_csv(results / "pooled.csv")
    mine = pooled[pooled["set"] == "main"].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, source(files).pooled, check_exact=True)


# --- RevMan Web -----------------------------------------------------------------------------------------------------


def same_pool(first, second, models=("cochrane", "revman-classic")):
    """The pooled numbers of two reviews, in the order of their analyses, in each outcome's own measure."""
    one, two = (
        s.pooled[
            s.pooled["model"].isin(models)
            & (s.pooled["measure"] == s.pooled["outcome"].map({k: o.measure for k, o in s.protocol.outcomes.items()}))
        ].reset_index(drop=True)
        for s in (first, second)
    )
    assert len(one) == len(two) > 0
    for name in (*NUMBERS, "i2", "comparisons", "guarded_ci_lower", "guarded_ci_upper"):
        assert np.allclose(one[name].astype(float), two[name].astype(float), rtol=1e-9, atol=1e-9, equal_nan=True), name


@pytest.mark.parametrize("name", each(REVIEWS))
def test_revman_web_comes_back_as_the_same_review(name):
    first = source(of(ROOT / "data" / name))
    exported = FORMATS["revman-web"](first)
    imported, second = back(exported)
    same_pool(first, second)
    trials = set(first.effects["label"])
    assert set(second.effects["label"]) == trials
    assert not [cell for cell in imported.cells if cell.code in ("text", "row_other_arm", "row_empty")]
    rows = pd.read_csv(io.BytesIO(exported.files["study-results.csv"]), dtype=str, keep_default_na=False)
    assert list(rows) == list(RESULTS_HEADER)
    # Arms where the effect follows from them, an effect with its SE elsewhere; none is both.
    contrasts = rows["Reference arm"] != ""
    assert (rows.loc[contrasts, ["Mean", "SE", "Effect measure"]] != "").all(axis=None)
    assert (rows.loc[~contrasts, "Sample size"] != "").all()
    keys = [set(map(tuple, rows.loc[which, ["Study", "Outcome"]].to_numpy())) for which in (contrasts, ~contrasts)]
    assert not keys[0] & keys[1]
    if name == "bcg-vaccine":
        arms = second.tables.arms.sort_values(["label", "role"])[["label", "role", "n", "events"]]
        mine = first.tables.arms.sort_values(["label", "role"])[["label", "role", "n", "events"]]
        assert arms.to_numpy().tolist() == mine.to_numpy().tolist() and not contrasts.any()
    if name == "ketamine-chronic-pain":
        # A trial may be a crossover in one result and, by its first period, parallel in another.
        other = first.effects.loc[first.effects["design"] != "crossover", "label"]
        crossover = set(first.effects.loc[first.effects["design"] == "crossover", "label"]) - set(other)
        assert crossover and not crossover & set(rows.loc[~contrasts, "Study"])


def test_a_ratio_is_exported_as_its_logarithm():
    rows = (
        "study_id,outcome,measure,estimate,ci_lower,ci_upper,source\na,relapse,RR,0.5,0.25,1,A\nb,relapse,RR,2,1,4,B\n"
    )
    files = small()
    files["contrasts.csv"] = rows.encode()
    del files["arms.csv"]
    exported = FORMATS["revman-web"](source(files))
    table = pd.read_csv(io.BytesIO(exported.files["study-results.csv"]))
    assert np.allclose(table["Mean"], np.log([0.5, 2])) and np.allclose(table["Exp mean"], [0.5, 2])
    same_pool(source(files), back(exported)[1])


def test_labels_that_are_alike_and_hostile_ones_come_back():
    studies = "study_id,label\n" + 'a,=1+1 2001\nb,"O\'B ""x"", 2002"\nc,=1+1 2001\n'
    first = source(small(studies=studies))
    exported = FORMATS["revman-web"](first)
    assert all(b"\n=" not in content and b",=" not in content for content in exported.files.values())
    _, second = back(exported)
    assert list(second.tables.studies["label"]) == ["=1+1 2001 (a)", 'O\'B "x", 2002', "=1+1 2001 (c)"]
    same_pool(first, second)


def judged(tool, outcome=""):
    """risk_of_bias.csv of three trials by a tool, every level in use."""
    one = TOOLS[tool]
    lines = ["study_id,outcome,tool,domain,judgement,support"]
    for at, study in enumerate("abc"):
        for n, (domain, _) in enumerate(one.domains):
            level = one.levels[(at + n) % len(one.levels)].name
            lines.append(f"{study},{outcome},{tool},{domain},{level},because")
    return "\n".join(lines) + "\n"


def judgements(table):
    """Every judgement, with the overall ones that follow."""
    full = read_risk_of_bias(table, TOOLS).table
    return {tuple(row) for row in full[["study_id", "outcome", "tool", "domain", "level"]].to_numpy()}


@pytest.mark.parametrize(("tool", "outcome"), [("RoB 1", ""), ("RoB 2", ""), ("RoB 2", "relapse")])
def test_risk_of_bias_goes_to_revman_and_back(tool, outcome):
    first = source(small(risk_of_bias_csv=judged(tool, outcome)))
    exported = FORMATS["revman-web"](first)
    header = exported.files["risk-of-bias.csv"].decode().splitlines()[0]
    assert "Domain (judgement): " in header and "Domain (support): " in header
    _, second = back(exported)
    assert judgements(second.tables.risk_of_bias) == judgements(first.tables.risk_of_bias)
    assert set(second.tables.risk_of_bias["support"]) == {"because"}


def test_judgements_of_a_tool_that_revman_has_not_are_left_out():
    exported = FORMATS["revman-web"](source(small(risk_of_bias_csv=judged("ROBINS-I"))))
    assert "risk-of-bias.csv" not in exported.files and "judgements are left out" in exported.notes[-1]


# --- lists ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", each(REVIEWS))
def test_references_come_back(name):
    first = source(of(ROOT / "data" / name))
    exported = FORMATS["ris"](first)
    text = exported.files["references.ris"].decode()
    assert text.startswith("TY  - JOUR") and len(rispy.loads(text)) == len(first.tables.studies)
    table = read(exported.files).tables["studies"].set_index("study_id")
    mine = first.tables.studies.set_index("study_id")
    assert list(table.index) == list(mine.index) and list(table["label"]) == list(mine["label"])
    for column in ("doi", "pmid", "title"):
        if column in mine and mine[column].notna().any():
            assert table[column].tolist() == mine[column].fillna("").map(lambda x: " ".join(str(x).split())).tolist()
    if mine["year"].notna().any():
        assert table["year"].tolist() == mine["year"].map(lambda x: "" if pd.isna(x) else f"{x:.0f}").tolist()


def test_a_text_of_several_lines_is_one_line_of_ris():
    studies = 'study_id,label,year,title\na,van der Berg 2001,2001,"Line one\nER  - \nTY  - BOOK"\nb,B 2002,2002,x\nc,AMIS,,y\n'
    exported = FORMATS["ris"](source(small(studies=studies)))
    entries = rispy.loads(exported.files["references.ris"].decode())
    assert [one["authors"] for one in entries] == [["van der Berg,"], ["B"], ["AMIS"]]
    assert entries[0]["title"] == "Line one ER - TY - BOOK"
    assert list(read(exported.files).tables["studies"]["label"]) == ["van der Berg 2001", "B 2002", "AMIS"]


@pytest.mark.parametrize("tool", list(TOOLS))
@pytest.mark.parametrize("outcome", ["", "relapse"])
def test_robvis_comes_back_as_the_same_judgements(tool, outcome, tmp_path, monkeypatch):
    studies = "study_id,label\na,First 2001\nb,Twice 2002\nc,Twice 2002\n"
    files = small(studies=studies, risk_of_bias_csv=judged(tool, outcome))
    exported = FORMATS["robvis"](source(files))
    assert len(exported.files) == 1
    header = next(iter(exported.files.values())).decode().splitlines()[0]
    assert header.startswith("Study,") and header.endswith(",Overall,Weight")
    assert header.startswith("Study,D1,D2,") or tool not in ("RoB 1", "RoB 2")
    # Into the review that it came from, without its judgements: by the labels of its trials.
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" / "made"
    folder.mkdir(parents=True)
    for name, content in files.items():
        if name != "risk_of_bias.csv":
            (folder / name).write_bytes(content)
    write(exported, tmp_path / "out")
    told = reweigh("import", "out", "--into", "made", *(["--outcome", outcome] if outcome else []))
    assert told.exit_code == 0, told.output
    assert judgements(source(of(folder)).tables.risk_of_bias) == judgements(source(files).tables.risk_of_bias)


@pytest.mark.parametrize("tool", list(TOOLS))
def test_a_tool_of_which_one_domain_is_judged_comes_back(tool):
    domain, level = TOOLS[tool].domains[1][0], TOOLS[tool].levels[0].name
    files = small(risk_of_bias_csv=f"study_id,tool,domain,judgement\na,{tool},{domain},{level}\n")
    imported = read(FORMATS["robvis"](source(files)).files, Options(tools=TOOLS))
    found = imported.tables["risk_of_bias"][["tool", "domain", "judgement"]].to_numpy().tolist()
    assert found == [[tool, domain, level], [tool, "overall", level]]


def test_robvis_judgements_of_no_trial_are_left_out(here):
    label = pd.read_csv(here / "data/bcg-vaccine/arms.csv")["label"].iloc[0]
    rows = f"Study,D1,D2,D3,D4,D5,Overall\n{label},Low,Low,Low,Low,Low,Low\nNobody 1900,Low,Low,High,Low,Low,High\n"
    (here / "x.csv").write_text(rows)
    told = reweigh("import", "x.csv", "--into", "bcg-vaccine")
    assert told.exit_code == 0, told.output
    assert len(pd.read_csv(here / "data/bcg-vaccine/risk_of_bias.csv")) == 6
    assert "Nobody 1900,,judgement_unmatched" in (here / "data/bcg-vaccine/imported.csv").read_text()


def flow(**counts):
    lines = ["box,n,reason", *(f"{box},{n}," for box, n in counts.items())]
    return "\n".join([*lines, "dbr_excluded,12,Wrong design", 'dbr_excluded,5,"No data, or none"']) + "\n"


@samples
def test_the_flow_comes_back_and_has_the_rows_of_the_tool():
    counts = {box: str(at) for at, box in enumerate(BOXES) if box not in ("dbr_excluded",) and "specific" not in box}
    first = source(small(flow_csv=flow(**counts)))
    exported = FORMATS["prisma"](first)
    template = pd.read_csv(SAMPLES / "prisma" / "PRISMA.csv", dtype=str, keep_default_na=False)
    made = pd.read_csv(io.BytesIO(exported.files["PRISMA.csv"]), dtype=str, keep_default_na=False)
    assert list(made) == list(template)
    names = ["data", "node", "box"]
    assert made[names].replace("", "NA").to_numpy().tolist() == template[names].replace("", "NA").to_numpy().tolist()
    again = read(exported.files).tables["flow"]
    assert sorted(map(tuple, again.to_numpy())) == sorted(map(tuple, first.flow.to_numpy()))
