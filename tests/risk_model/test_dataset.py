"""Reading tables: what is missing stays missing, what cannot be read is named, clusters are never split."""

from pathlib import Path

import numpy as np
import pytest

from risk_model.dataset import (
    DataRefused,
    check_enough,
    clusters_of,
    columns_of,
    encode,
    fields_of,
    folds_of,
    names_of,
    numbers,
    outcome_of,
    read_table,
    training_set,
    weight_of,
    window_of,
)
from tests.risk_model import tables


def table(tmp_path: Path, text: str, name: str = "t.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return read_table(path)


def test_a_packed_file_reads_as_the_plain_one(tmp_path: Path) -> None:
    columns = tables.made_up(60)
    plain = read_table(tables.write(tmp_path / "a.csv", columns))
    packed = read_table(tables.write(tmp_path / "a.csv.gz", columns))
    assert plain.columns == packed.columns
    assert plain.n == packed.n == 60
    assert plain.digest != packed.digest


def test_blanks_and_their_spellings_are_missing_and_zero_is_not(tmp_path: Path) -> None:
    read = table(tmp_path, "a,b\n0,x\n,NA\n 1 ,nan\nNULL,\n")
    assert read.column("a") == ("0", "", "1", "")
    assert read.column("b") == ("x", "", "", "")
    found = numbers(read, "a")
    assert found is not None
    assert np.isnan(found).tolist() == [False, True, False, True]
    assert numbers(read, "b") is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("a,a\n1,2\n", "Column a is there twice"),
        ("a,b\n1\n", "Row 2 has 1 cells, the first row has 2"),
        ('a\n"x\n', "not well-formed"),
    ],
)
def test_a_file_that_is_no_table_is_refused_in_words(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataRefused, match=says):
        table(tmp_path, text)


def test_a_file_that_is_not_there_or_broken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match="cannot be read"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "cut.gz").write_bytes(b"\x1f\x8b\x08\x00cut")
    with pytest.raises(DataRefused, match="cannot be read"):
        read_table(tmp_path / "cut.gz")


def test_columns_that_cannot_serve_are_named(tmp_path: Path) -> None:
    read = table(tmp_path, "y,w,s,t,void\n0,1,a,p,\n2,-1,,q,\n")
    for call, says in (
        (lambda: read.column("z"), "Column z is missing in t.csv"),
        (lambda: read.need(["y", "p", "q"]), "Columns missing in t.csv: p, q"),
        (lambda: outcome_of(read, "y"), "row 3 has 2"),
        (lambda: outcome_of(read, "t"), "row 2 has p"),
        (lambda: weight_of(read, "w"), "Every weight in w"),
        (lambda: clusters_of(read, ["s"]), "Row 3 has no value in s"),
        (lambda: fields_of(read, ["void"]), "void is blank in every row"),
    ):
        with pytest.raises(DataRefused, match=says):
            call()


def test_predictors_are_named_in_a_list_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a, b # the first two\n# nothing here\nc\n")
    assert names_of(str(tmp_path / "list.txt")) == names_of("a,b,c") == ("a", "b", "c")
    with pytest.raises(DataRefused, match="a is named twice"):
        names_of("a,b,a")
    with pytest.raises(DataRefused, match="No column"):
        names_of(" , ")


def test_categories_become_columns_and_a_new_one_is_missing(tmp_path: Path) -> None:
    fields = fields_of(table(tmp_path, "a,k\n1,x\n2,y\n,z\n"), ["a", "k"])
    assert columns_of(fields) == ("a", "k=y", "k=z")
    found = encode(table(tmp_path, "k,a\ny,5\nw,6\n,\n"), fields)
    assert found.values[0].tolist() == [5.0, 1.0, 0.0]
    assert found.missing.tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(DataRefused, match="Predictor a must hold numbers"):
        encode(table(tmp_path, "a,k\nfive,x\n"), fields)
    with pytest.raises(DataRefused, match=r"Columns missing in .*: k"):
        encode(table(tmp_path, "a\n1\n"), fields)
    many = "k\n" + "\n".join(f"word{n}" for n in range(30)) + "\n"
    with pytest.raises(DataRefused, match="30 different texts"):
        fields_of(table(tmp_path, many), ["k"])


def test_rows_without_an_outcome_are_not_learnt_from(tmp_path: Path) -> None:
    data = training_set(
        table(tmp_path, "y,s,w\n1,a,1\n,a,1\n0,b,0\n0,b,2\n"), outcome="y", clusters=["s"], weight="w"
    )
    assert data.rows.tolist() == [0, 3]
    with pytest.raises(DataRefused, match="at least 30"):
        check_enough(data)


def test_folds_keep_clusters_whole_and_are_alike(tmp_path: Path) -> None:
    read = read_table(tables.write(tmp_path / "a.csv", tables.made_up()))
    data = training_set(read, outcome="y", clusters=tables.CLUSTERS)
    folds = folds_of(data, 5, seed=1)
    assert (folds == folds_of(data, 5, seed=1)).all()
    for mark in np.unique(data.clusters):
        assert len(np.unique(folds[data.clusters == mark])) == 1
    sizes, events = np.bincount(folds), np.bincount(folds, data.y)
    assert sizes.max() < 1.4 * sizes.min()
    assert events.max() < 1.6 * events.min()
    assert window_of(read, tables.CLUSTERS, data.rows, None) == {
        "column": "year",
        "first": "2030",
        "last": "2032",
    }
    assert window_of(read, ("school",), data.rows, None) is None


def test_too_few_clusters_are_refused(tmp_path: Path) -> None:
    read = read_table(tables.write(tmp_path / "a.csv", tables.made_up()))
    with pytest.raises(DataRefused, match="3 clusters; at least 4"):
        check_enough(training_set(read, outcome="y", clusters=["year"]))
