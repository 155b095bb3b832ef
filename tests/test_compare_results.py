"""The comparison of two folders of results finds each kind of difference, and nothing else."""

import pytest

from compare_results import differences, main

POOLED = "analysis,model,k,estimate,note\na,m,2,0.5,one\nb,m,3,1e-7,\nb,n,3,inf,\n"


def folders(tmp_path, new, name="r/pooled.csv", old=POOLED):
    for side, text in (("old", old), ("new", new)):
        (tmp_path / side / name).parent.mkdir(parents=True)
        (tmp_path / side / name).write_text(text)
    return tmp_path / "old", tmp_path / "new"


@pytest.mark.parametrize(
    "new",
    [
        POOLED,
        "model,analysis,note,k,estimate\nn,b,,3,inf\nm,b,,3,1.0000000000001e-07\nm,a,one,2.0,0.50\n",  # another order
    ],
)
def test_the_same_results_do_not_differ(tmp_path, new, capsys):
    old, new = folders(tmp_path, new)
    assert not list(differences(old, new))
    assert main([str(old), str(new)]) == 0 and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("0.5,", "0.5000000001,"), ("number", "r/pooled.csv", "a | m", "estimate", "0.5", "0.5000000001")),
        (("1e-7", "1.00001e-7"), ("number", "r/pooled.csv", "b | m", "estimate", "1e-7", "1.00001e-7")),
        (("inf", ""), ("number", "r/pooled.csv", "b | n", "estimate", "inf", "")),
        (("one", "two"), ("text", "r/pooled.csv", "a | m", "note", "one", "two")),
        (("b,n,3,inf,\n", ""), ("row", "r/pooled.csv", "b | n", "", "there", "gone")),
        (("b,n,3,inf,\n", "b,n,3,inf,\nb,o,3,1,\n"), ("row", "r/pooled.csv", "b | o", "", "", "new")),
        (("b,n,3,inf,\n", "b,n,3,inf,\nb,n,3,1,\n"), ("row", "r/pooled.csv", "b | n #2", "", "", "new")),
        ((",note\n", ",remark\n"), ("column", "r/pooled.csv", "", "note", "there", "gone")),
    ],
)
def test_each_difference_is_named(tmp_path, change, said, capsys):
    old, new = folders(tmp_path, POOLED.replace(*change))
    found = list(differences(old, new))
    assert found[0] == said and len(found) == (2 if said[0] == "column" else 1)
    assert main([str(old), str(new)]) == 1
    assert capsys.readouterr().out.splitlines()[0] == "\t".join(said)


def test_what_a_list_allows_is_no_difference(tmp_path, capsys):
    old, new = folders(tmp_path, POOLED.replace("0.5,", "0.6,").replace("one", "two"))
    allowed = tmp_path / "allowed.txt"
    allowed.write_text("# because\nnumber */pooled.csv a * estimate\n")
    assert main([str(old), str(new), "--allow", str(allowed)]) == 1
    assert capsys.readouterr().out.split("\t")[0] == "text"
    assert main([str(old), str(new), "--allow", str(allowed), "--numbers"]) == 0


def test_tables_without_a_schema_are_compared_by_place_and_lost_ones_are_named(tmp_path):
    old, new = folders(tmp_path, "x\n1\n3\n", "other.csv", "x\n1\n2\n")
    (old / "gone.csv").write_text("x\n")
    (new / "new.csv").write_text("x\n")
    assert [(d.what, d.table, d.row) for d in differences(old, new)] == [
        ("table", "gone.csv", ""), ("table", "new.csv", ""), ("number", "other.csv", "row 3")
    ]  # fmt: skip
