"""The check: every mistake once, in the file and at the place where it is, with what is allowed; nothing is raised."""

import copy
import io
import math
import os
import random
import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from conftest import each
from reweigh.check import check, examine
from reweigh.effects.selection import select
from reweigh.flags import flag_table, flags_of, notices_of
from reweigh.io import read_csv, write_csv
from reweigh.pool.summarise import pooled_table, subgroup_table
from reweigh.risk_of_bias import read_tools
from reweigh.tables.problems import almost, rows_text
from reweigh.tables.review import misspelt

ROOT = Path(__file__).parent.parent
CASES = ROOT.parent / "shared" / "cases"
DATA = ROOT / "data"
REVIEWS = sorted(path.parent.name for path in DATA.glob("*/review.yaml"))
TOOLS = read_tools((DATA / "risk_of_bias_tools.yaml").read_bytes())

REVIEW = """\
title: T
question: {population: P, intervention: I, comparator: C, design: RCT}
words: {intervention: drug, control: placebo}
table_source: {arms: own numbers, contrasts: own numbers}
outcomes:
  pain: {label: Pain, type: continuous, measure: MD, better: lower, scale: [0, 100]}
  response: {label: Response, type: binary, measure: RR, better: higher}
windows: {end: {label: End, any: true}}
categories: {kind: {acute: Acute, chronic: Chronic}}
subgroups: [kind]
"""
ARMS = "study_id,label,role,arm,outcome,timepoint,n,mean,sd,events\n" + "".join(
    f"s{i},Trial {i},{role},{arm},{outcome},end,{40 + i},{numbers}\n"
    for i in (1, 2, 3)
    for role, arm in (("intervention", "drug"), ("control", "placebo"))
    for outcome, numbers in (("pain", f"{30 + i},14,"), ("response", ",,9"))
)
STUDIES = "study_id,kind\ns1,acute\ns2,chronic\ns3,acute\n"
FILES = {"review.yaml": REVIEW, "arms.csv": ARMS, "studies.csv": STUDIES}


def report(**changed: str | bytes | None) -> list[str]:
    """Lines of the report; `review_yaml=` replaces review.yaml, and so on; None leaves a file out."""
    given = FILES | {re.sub(r"_(?=[a-z]+$)", ".", name): text for name, text in changed.items()}
    files = {k: v if isinstance(v, bytes) else v.encode() for k, v in given.items() if v is not None}
    return check(files, "x", TOOLS)[1].splitlines()[1:]


def only(lines: list[str], *words: str) -> None:
    assert len(lines) == 1, lines
    assert not [word for word in words if word not in lines[0]], lines[0]


def test_a_sound_review_passes():
    assert report() == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("measure: RR", "measure: RR, smallest_important_difference: {MD: {value: 1, source: own choice}}",
         ("outcomes.response.smallest_important_difference.MD", "does not fit type binary", "RR, OR, RD")),
        ("scale: [0, 100]", "scale: [0, 100], smallest_important_difference: {MD: {value: 200, source: own choice}}",
         ('"200" is larger than any effect can be', "at most 100")),
        ("scale: [0, 100]", "scale: [0, 100], smallest_important_difference: {MD: {value: .nan, source: own choice}}",
         ("finite number",)),
        ("subgroups: [kind]", "subgroups: [kin]", ("subgroups.0", 'did you mean "kind"')),
        ("subgroups: [kind]", "sequential: {control_risk: {respons: 0.3}}", ("control_risk", 'did you mean "response"')),
        ("subgroups: [kind]", "sequential: {control_risk: {pain: 0.3}}", ("is not binary",)),
        ("subgroups: [kind]", "sequential: {control_risk: {response: 20}}", ("less than 1",)),
        ("subgroups: [kind]", "assumptions: {crossover_correlation: 1}", ("less than 1",)),
        ("subgroups: [kind]", "certainty: {thresholds: {i2_seriuos: 50}}", ('did you mean "i2_serious"',)),
        ("subgroups: [kind]", "certainty: {thresholds: {i2_serious: 150}}", ("must lie between",)),
        ("subgroups: [kind]", "certainty: {indirectness: {pian: {levels: -1, reason: other drug}}}",
         ('did you mean "pain"',)),
        ("subgroups: [kind]", "preferences: [{study: s9, outcome: pain, use: arms, reason: x}]",
         ("preferences.0.study", "is not a study")),
        ("subgroups: [kind]", "preferences: [{study: s1, outcome: pian, use: arms, reason: x}]",
         ("preferences.0.outcome", 'did you mean "pain"')),
        ("subgroups: [kind]", "sets: {main: {label: M, include: {kind: [acut]}}}", ('did you mean "acute"',)),
        ("subgroups: [kind]", "sets: {main: {label: M, include: {kin: [acute]}}}",
         ("studies.csv", "the column is missing", 'did you mean "kind"', "sets.main.include")),
        ("subgroups: [kind]", "meta_regression: {dose: {moderators: [dose]}}",
         ("column dose: the column is missing", "meta_regression.dose.moderators")),
        ("subgroups: [kind]", "multiverse: {analyses: [pain.en], choices: {a: {b: {}}}}",
         ("multiverse.analyses.0", '"en" is no window')),
        ("subgroups: [kind]", "multiverse: {choices: {a: {b: {measure: HR}}}}", ("fits the type of no outcome",)),
        ("subgroups: [kind]", "multiverse: {choices: {model: {b: {tau2: DL}}}}", ("belongs to the choice tau2",)),
        ("subgroups: [kind]", "multiverse: {choices: {tau2: {b: {}}}}", ("is an option of tau2 without tau2",)),
        ("subgroups: [kind]", "multiverse: {choices: {a: {b: {preferences: [{study: s1, outcome: x, use: arms, reason: y}]}}}}",
         ("is no outcome of the protocol",)),
        ("  pain: {label", "  pian: {label", ("outcomes.pian", 'the tables have "pain"')),
        ("level", "", ()), ("title", "titel", ("titel", 'did you mean "title"')),
        ("title: T\n", "", ("key title: is missing",)),
        ("title: T", "title: T\nlevel: 95", ("line 2", "key level", "less than 1")),
    ],
)  # fmt: skip
def test_one_mistake_in_the_protocol_is_one_problem(old, new, words):
    lines = report(review_yaml=REVIEW.replace(old, new, 1))
    if words:
        only(lines, "review.yaml" if "studies.csv" not in words else "studies.csv", *words)
    else:
        assert lines == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("title: [" + "[" * 5000 + "]" * 5001, "nested too deeply"),
        ("title: " + "{a: " * 5000 + "}" * 5000, "nested too deeply"),
        ("a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40)), "too large"),
        ("title: &a [*a]\n", ""),
        ("title: " + "x" * 1_100_000, "too large"),
        ("title: !!python/object/apply:os.system [ls]\n", ""),
        ("title: " + "9" * 5000, ""),
        ("title: a\x00b", "YAML"),
    ],
)
@pytest.mark.parametrize("file", ["review.yaml", "claims.yaml"])
def test_yaml_of_any_depth_and_size_is_refused_in_words(file, text, words):
    lines = report(**{file.replace(".", "_"): text})
    assert lines and all(file in line for line in lines)
    assert any(words in line for line in lines), lines


def test_nothing_that_needs_the_protocol_is_reported_while_it_cannot_be_read():
    only(report(review_yaml="title: [", studies_csv=None), "review.yaml", "line 1")
    only(report(review_yaml=None), "review.yaml: is missing")
    only(report(review_yaml=None, **{"review_yml": REVIEW}), 'did you mean "review.yaml"')


def test_equal_problems_are_told_once_and_what_is_allowed_once_per_column():
    lines = report(arms_csv=ARMS.replace(",drug,", ",drug,").replace("intervention", "active", 2), studies_csv=STUDIES)
    only(lines, "rows 2 and 3, column role", '"active" is not allowed', "allowed: intervention, control, other")
    lines = report(arms_csv=ARMS.replace("intervention", "active", 1).replace("control", "placebo", 1))
    assert len(lines) == 2 and sum("; allowed: " in line for line in lines) == 1
    bare = report(review_yaml=REVIEW.replace("arms: own numbers, ", ""))
    only(bare, "rows 2 to 13, column source", "without a source")


def test_the_protocol_comes_first():
    lines = report(review_yaml=REVIEW.replace("[kind]", "[kin]"), arms_csv=ARMS.replace("s1,", "a/b,", 1))
    assert [line.partition(",")[0].rpartition("/")[2] for line in lines] == ["review.yaml", "arms.csv", "arms.csv"]


@pytest.mark.parametrize("name", ["arm.csv", "Arms.csv", "arms.CSV", "arms.xls", "arms.txt"])
def test_a_misspelt_file_name_is_refused(name):
    files = {k: v.encode() for k, v in FILES.items() if k != "arms.csv"} | {name: ARMS.encode()}
    only(check(files, "x", TOOLS)[1].splitlines()[1:], name, 'did you mean "arms.csv"')


@pytest.mark.parametrize("name", ["claims.yml", "claim.yaml", "risk_of_bais.csv", "publised.csv"])
def test_a_misspelt_name_of_a_file_that_need_not_be_there_is_refused(name):
    files = {k: v.encode() for k, v in FILES.items()} | {name: b"x"}
    only(check(files, "x", TOOLS)[1].splitlines()[1:], name, "did you mean")


def test_a_set_may_be_empty():
    sets = 'sets: {main: {label: All, include: {eligible: ["yes"]}}, two: {label: T, exclude: {design: [crossover]}}}\n'
    studies = STUDIES.replace("kind\n", "kind,eligible,design\n").replace("acute\n", "acute,no,\n").replace("chronic\n", "chronic,no,parallel\n")  # fmt: skip
    assert report(review_yaml=REVIEW + sets, studies_csv=studies) == []
    only(report(review_yaml=REVIEW + sets.replace("[crossover]", "[crosover]"), studies_csv=studies), "crosover")


def test_other_files_of_the_folder_are_left_alone():
    others = dict.fromkeys(
        ("PROVENANCE.md", "agreement.csv", "studies_full.csv", "notes.txt", ".DS_Store", "paper.pdf"), b"x"
    )
    assert check({k: v.encode() for k, v in FILES.items()} | others, "x", TOOLS)[1] == ""


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        ("duplicats,3,", "box", ('did you mean "duplicates"',)),
        ("records_screened,3.5,", "n", ("a whole number",)),
        ("records_screened,-1,", "n", ("0 or more",)),
        (",3,", "box", ()),
        ("records_screened,,", "n", ()),
        ("dbr_excluded,4,No  data", "box", ("repeats row 2",)),
    ],
)
def test_a_mistake_in_the_flow_is_one_problem(row, column, words):
    first = "box,n,reason\ndbr_excluded,7,No data\n"
    assert report(flow_csv=first) == []
    only(report(flow_csv=f"{first}{row}\n"), "flow.csv", "row 3", f"column {column}", *words)
    assert report(flow_csv="box,n\nrecords_screened,12\n") == []


def test_names_in_the_other_files():
    bias = "study_id,outcome,tool,domain,judgement\ns1,pian,RoB 2,overall,low\n"
    only(report(risk_of_bias_csv=bias), "risk_of_bias.csv", "row 2", 'did you mean "pain"')
    published = "review_id,outcome,measure,estimate,source\nr,pian,MD,-9,a paper\n"
    only(report(published_csv=published), "published.csv", 'did you mean "pain"')
    assert report(published_csv=published.replace("pian", "sleep")) == []
    only(report(published_trials_csv="review_id,study_id\nr,s7\n"), "published_trials.csv", "is not a study")
    only(report(published_trials_csv="review,study_id\nr,s1\n"), "review_id", "the column is missing")
    overrides = "analysis,domain,levels,reason,initials\npain.en,imprecision,-1,because,ab\n"
    only(report(certainty_overrides_csv=overrides), "certainty_overrides.csv", "is no analysis")


def test_an_outcome_that_is_almost_one_of_the_protocol_is_refused():
    lines = report(arms_csv=ARMS.replace(",pain,", ",pian,", 2))
    only(lines, "rows 2 and 4, column outcome", 'did you mean "pain"')
    assert report(arms_csv=ARMS.replace(",pain,", ",sleep,", 2)) == []


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [("pian", "pain", "pain"), ("pains", "pain", "pain"), ("Pain", "pain", "pain"), ("pain_50", "pain_30", None),
     ("arm_a", "arm_b", None), ("nausea", "pain", None), ("pain", "pain", None), ("vas", "bas", None)],
)  # fmt: skip
def test_what_a_near_miss_is(name, known, meant):
    assert misspelt(name, [known]) == meant


def test_sides_of_one_role_are_refused():
    wrong = ARMS.replace("s1,Trial 1,control", "s1,Trial 1,intervention")
    only(report(arms_csv=wrong), "rows 2 to 5, column role", "is the role of every arm of comparison s1")
    once = ARMS.replace("s1,Trial 1,control,placebo,pain", "s1,Trial 1,intervention,placebo,pain")
    assert any("placebo" in line and "column role" in line for line in report(arms_csv=once))


@pytest.mark.parametrize("study_id", ["/etc/x", "a/b", "..", ".hidden", "a\\b", "../x"])
def test_an_id_that_could_be_a_path_is_refused(study_id):
    lines = report(arms_csv=ARMS.replace("s1,", f"{study_id},"), studies_csv=STUDIES.replace("s1,", f"{study_id},"))
    assert lines and all("could be a path" in line for line in lines)


def test_ratios_need_their_scale_only_where_it_cannot_be_seen():
    head = "study_id,outcome,timepoint,measure,estimate,se,estimate_scale\n"
    only(report(contrasts_csv=head + "s1,response,end,RR,0.7,0.2,\n"), "estimate_scale", "natural or log")
    assert report(contrasts_csv=head + "s1,response,end,RR,0.7,0.2,natural\n") == []
    assert report(contrasts_csv=head + "s1,response,end,RR,-0.3,0.2,log\n") == []
    assert report(contrasts_csv=head + "s1,response,end,RR,0.7,0.2,\ns2,response,end,RR,1.2,0.2,\n") == []


@pytest.mark.parametrize(("level", "fine"), [("0.9", 1), ("90", 1), ("95", 1), ("", 1), ("9", 0), ("100", 0), ("1", 0)])
def test_levels_of_intervals(level, fine):
    head = "study_id,outcome,timepoint,measure,estimate,ci_lower,ci_upper,ci_level\n"
    lines = report(contrasts_csv=f"{head}s1,response,end,RR,1.4,1.1,1.8,{level}\n")
    assert (lines == []) == bool(fine)


def test_a_year_may_have_a_letter():
    studies = (
        STUDIES.replace("kind\n", "kind,year\n")
        .replace("acute\n", "acute,1994a\n")
        .replace("chronic\n", "chronic,1995\n")
    )
    tables, problems = check({k: v.encode() for k, v in (FILES | {"studies.csv": studies}).items()}, "x", TOOLS)
    assert not problems and list(tables.studies["year"]) == [1994, 1995, 1994]
    only(report(studies_csv=studies.replace("1995", "1995ab")), "year")


def test_rows_are_counted_in_words():
    assert rows_text([2]) == "row 2"
    assert rows_text([2, 3]) == "rows 2 and 3"
    assert rows_text([2, 3, 4, 9]) == "rows 2 to 4 and 9"
    assert rows_text(list(range(2, 60, 2))).endswith("and 21 more")
    assert almost("pian", "pain") and almost("pains", "pain") and not almost("pain", "pain") and not almost("ab", "cd")


# --- the folders of inputs that failed ------------------------------------------------------------------------------

REFUSED = {
    "07": "key level", "b01": "could be a path", "b03": 'did you mean "arms.csv"', "b06": "claims.yaml",
    "b08": "claims.yaml", "b14": "claims.yaml", "b16": "claims.yaml", "b18": 'did you mean "pain"',
    "b28": "is no outcome of the protocol", "b30": "claims.yaml", "b34": "the cell is empty",
}  # fmt: skip
FLAGGED = {
    "09": {"percent_no_count"}, "10": {"sd_like_se"}, "16": {"change_and_final"}, "17": {"read_as"},
    "b20": {"sd_like_se"}, "b25": {"duplicate_trial"}, "08": {"ratio_scale_assumed"},
}  # fmt: skip


@pytest.mark.skipif(not CASES.exists(), reason="no cases beside the repository")
@pytest.mark.parametrize("case", sorted(path.name for path in CASES.glob("*/")) if CASES.exists() else [])
def test_folders_that_failed(tmp_path, case):
    files = {path.name: path.read_bytes() for path in (CASES / case).iterdir()}
    number = case.partition("-")[0]
    text = check(files, case, TOOLS)[1]
    assert bool(text) == (number in REFUSED), text
    if number in REFUSED:
        assert REFUSED[number] in text
        assert "1 problem in 1 file" in text or number in ("b01", "b34")
    else:
        assert FLAGGED.get(number, set()) <= run(tmp_path, files)


# --- mutants of the real reviews ------------------------------------------------------------------------------------


def run(folder: Path, files: dict[str, bytes]) -> set[str]:
    """Every stage from the check to the pool in one process; the rules of flags.csv that fired."""
    tables, protocol, problems = examine(files, TOOLS)
    assert not problems and protocol is not None
    read = []
    for name in ("studies", "arms", "contrasts", "risk_of_bias"):
        write_csv(getattr(tables, name), folder / "checked" / f"{name}.csv")
        read.append(read_csv(folder / "checked" / f"{name}.csv", protocol.number_columns))
    chosen = select(*read[:3], protocol)
    flags = flag_table(
        [
            *flags_of(protocol, *read, TOOLS, files, chosen.effects),
            *notices_of(protocol, read[1], read[2], files, chosen.rows),
        ],
        read[0],
    )
    for name, table in (("effects", chosen.effects), ("rows", chosen.rows), ("flags", flags)):
        write_csv(table, folder / f"{name}.csv")
    effects = read_csv(folder / "effects.csv", protocol.number_columns)
    write_csv(pooled_table(effects, protocol), folder / "pooled.csv")
    write_csv(subgroup_table(effects, protocol), folder / "subgroups.csv")
    return set(flags["rule"])


CELLS = (
    "", "NA", "0", "-1", "1", "2", "0.5", "3,5", "1e9", "1e-300", "1e300", "999999", "x", "=1+1", "<b>", "王小明", "a/b",
    "..", "\x00", "\u200b", '"', "intervention", "control", "12-May", "9" * 400, " ", "yes", "no", "nan", "inf",
)  # fmt: skip
LEAVES = (None, "", 0, 1, -1, 0.5, 95, float("nan"), float("inf"), "x", [], {}, ["a"], {"a": 1}, True, "pain", 10**400)


def mutate_table(text: str, dice: random.Random) -> str:
    """One random edit of a CSV file: a cell, a row or a column."""
    lines = [line.split(",") for line in text.splitlines()]
    kind = dice.choice(("cell", "cell", "cell", "cell", "row", "column"))
    at = dice.randrange(len(lines))
    if kind == "cell":
        line = lines[dice.randrange(1, len(lines))] if len(lines) > 1 else lines[0]
        other = dice.choice(lines)
        line[dice.randrange(len(line))] = dice.choice((dice.choice(CELLS), dice.choice(other)))
    elif kind == "row":
        dice.choice(
            (
                lambda: lines.pop(at),
                lambda: lines.append(lines[at]),
                lambda: lines[at].append("9"),
                lambda: lines[at].pop(),
            )
        )()
    else:
        column = dice.randrange(len(lines[0]))
        change = dice.choice(("drop", "rename", "copy"))
        for i, line in enumerate(lines):
            if column < len(line):
                if change == "drop":
                    line.pop(column)
                elif change == "copy":
                    line.append(line[column])
                elif i == 0:
                    line[column] += "x"
    return "\n".join(",".join(line) for line in lines) + "\n"


def mutate_yaml(raw: object, dice: random.Random) -> None:
    """One random edit of a YAML file: a value, a missing key, a misspelt key."""
    places = []

    def walk(node: object) -> None:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            places.append((node, key))
            walk(value)

    walk(raw)
    node, key = dice.choice(places)
    kind = dice.choice(("value", "value", "drop", "rename"))
    if kind == "value":
        node[key] = copy.deepcopy(dice.choice((*LEAVES, dice.choice(places)[0])))
    elif kind == "drop":
        node.pop(key)
    elif isinstance(node, dict):
        node[f"{key}x"] = node.pop(key)


def yaml_bytes(raw: object) -> bytes:
    out = io.BytesIO()
    YAML(typ="safe", pure=True).dump(raw, out)
    return out.getvalue()


MUTANTS = int(os.environ.get("REWEIGH_MUTANTS", "1000"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("review", REVIEWS)
def test_a_mutant_is_refused_at_its_place_or_built(tmp_path, review, seed):
    dice = random.Random(f"{review} {seed}")
    original = {p.name: p.read_bytes() for p in (DATA / review).iterdir() if p.suffix in (".csv", ".yaml")}
    original.pop("agreement.csv", None)
    protocol = YAML(typ="safe", pure=True).load(original["review.yaml"])
    if len(original["review.yaml"]) > 5000:  # its sets and multiverse take longer than all the rest
        protocol["sets"] = {"main": protocol["sets"]["main"]}
        protocol.pop("multiverse", None)
        original["review.yaml"] = yaml_bytes(protocol)
        original.pop("claims.yaml", None)
    for _ in range(math.ceil(MUTANTS / (20 * len(REVIEWS)))):
        files = dict(original)
        for _ in range(dice.choice((1, 1, 2, 3))):
            name = dice.choice(sorted(files))
            if name.endswith(".yaml"):
                raw = YAML(typ="safe", pure=True).load(files[name])
                if isinstance(raw, dict) and raw:
                    mutate_yaml(raw, dice)
                    files[name] = yaml_bytes(raw)
            else:
                files[name] = mutate_table(files[name].decode(), dice).encode()
        _, _, problems = examine(files, TOOLS)
        for problem in problems:
            assert problem.message and problem.allowed and (problem.file in files or "missing" in problem.message)
        if not problems:
            run(tmp_path, files)


@pytest.mark.parametrize("review", each(REVIEWS))
def test_one_wrong_key_in_a_shipped_review_is_one_problem(review):
    files = {path.name: path.read_bytes() for path in (DATA / review).iterdir()}
    raw = YAML(typ="safe", pure=True).load(files["review.yaml"])
    dice = random.Random(review)
    places = [
        path for path in _keys(raw)
        # A name of our own (a set, a choice, a window) may be any: a rule of the protocol is a key that it knows.
        if str(path[-1]) in {"title", "measure", "label", "better", "type", "question", "models", "windows", "outcomes",
                             "source", "value", "nominal", "from", "study", "arm", "use", "tau2", "moderators", "words"}
    ]  # fmt: skip
    for path in dice.sample(places, min(12, len(places))):
        changed = copy.deepcopy(raw)
        node = changed
        for step in path[:-1]:
            node = node[step]
        node[f"{str(path[-1])[:-1]}x{str(path[-1])[-1]}"] = node.pop(path[-1])
        text = check(files | {"review.yaml": yaml_bytes(changed)}, review, TOOLS)[1]
        assert text.startswith(f"data/{review}: 1 problem in 1 file"), (path, text)


def _keys(node: object, path: tuple[object, ...] = ()):
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(node, dict):
            yield (*path, key)
        yield from _keys(value, (*path, key))
