"""``xinqiao score``: one row out per row in, or sentences that name row, column and value, and nothing written."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from api.cli import score_file
from api.cli.score import Wish, explain, score, score_csv, score_path
from api.cli.score_columns import headings
from api.cli.score_file import AnswersRefused
from instruments import AnswerSheet, catalogue
from instruments import score as score_one

PHQ9 = "id,1,2,3,4,5,6,7,8,9\n"


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    return tmp_path / "answers.csv"


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def refused(code: str, path: Path, out: Path | None = None, locale: str = "en") -> list[str]:
    with pytest.raises(AnswersRefused) as caught:
        score_csv(code, path, out)
    return explain(caught.value, locale)


def test_each_row_is_scored_and_its_id_carried_through(answers: Path) -> None:
    answers.write_text(
        PHQ9 + "王-1,1,1,1,1,1,1,1,1,0\n=2,3,3,3,3,3,3,3,3,2\nc,,,,,,,,,\nd,1,1,,,,1,1,1,1\n", "utf-8"
    )
    first, second, blank, partial = rows(score_csv("phq9", answers))
    assert (first["id"], first["total"], first["total.band"], first["grade"]) == ("王-1", "8", "mild", "")
    assert (first["total.status"], first["valid"], first["critical"]) == ("scored", "true", "")
    assert (second["id"], second["total"], second["severe"], second["critical"]) == ("=2", "26", "1", "9")
    assert (blank["total"], blank["grade"], blank["sheet_validity"], blank["flags"]) == (
        "",
        "",
        "invalid",
        "blank",
    )
    assert (blank["total.status"], blank["valid"], blank["critical"]) == ("not_scorable", "false", "")
    assert (partial["total"], partial["missing"]) == ("", "3;4;5")
    assert (partial["lowest"], partial["highest"]) == ("6", "15")
    assert (partial["critical"], partial["grade"], partial["valid"]) == ("9", "C", "false")
    assert {row["version"] for row in (first, second)} == {catalogue().get("phq9").version}


def test_a_prorated_total_says_so(answers: Path) -> None:
    answers.write_text(PHQ9 + "a,3,1,0,0,,0,0,0,0\n")
    (row,) = rows(score_csv("phq9", answers))
    assert (row["total"], row["total.status"], row["missing"]) == ("5", "prorated", "5")


def test_columns_may_stand_in_any_order_without_id_and_with_extra_items(answers: Path) -> None:
    answers.write_text("x4,9,8,7,6,5,4,3,2,1,x3\n1,0,0,0,0,0,0,0,0,3,1\n")
    (row,) = rows(score_csv("phq_a", answers))
    assert "id" not in row
    assert (row["total"], row["grade"], row["critical"]) == ("3", "B", "x3;x4")


def test_an_outcome_and_a_refusal_are_read(answers: Path) -> None:
    answers.write_text("id,1,2,3,4,5\na,0,0,0,0,\nb,-1,0,0,0,0\nc,0,1,0,0,1\n")
    found = [(row["result"], row["result.band"], row["grade"]) for row in rows(score_csv("asq", answers))]
    assert found == [
        ("negative", "negative", ""),
        ("non_acute_positive", "non_acute_positive", "B"),
        ("acute_positive", "acute_positive", "A"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_what_excel_writes_is_read(answers: Path, encoding: str) -> None:
    answers.write_bytes((PHQ9 + "张三,0,0,0,0,0,0,0,0,1\n\n").replace("\n", "\r\n").encode(encoding))
    (row,) = rows(score_csv("phq9", answers))
    assert (row["id"], row["total"]) == ("张三", "1")


def test_a_bad_value_names_row_column_and_value_and_nothing_is_written(answers: Path, tmp_path: Path) -> None:
    answers.write_text(PHQ9 + "a,0,0,0,0,0,0,0,0,0\nb,0,0,7,0,0,0,0,x,0\n")
    out = tmp_path / "scores.csv"
    assert refused("phq9", answers, out) == [
        "Row 3, column 3: 7 is not one of 0, 1, 2, 3.",
        "Row 3, column 8: x is not one of 0, 1, 2, 3.",
        "Nothing was written.",
    ]
    assert refused("phq9", answers, out, "zh")[0] == "第 3 行、列 3：7 不在允许的答案 0, 1, 2, 3 之中。"
    assert list(tmp_path.iterdir()) == [answers]


def test_an_old_result_survives_a_refused_file(answers: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    answers.write_text(PHQ9 + "a,0,0,0,0,0,0,0,0,0\n")
    score_csv("phq9", answers, out)
    before = out.read_bytes()
    answers.write_text(PHQ9 + "a,9,0,0,0,0,0,0,0,0\n")
    refused("phq9", answers, out)
    assert out.read_bytes() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "The file is empty; its first row must name the columns."),
        ("id,1,2,3,4,5,6,7,8\n", "Column 9 is missing."),
        ("id,1,2,3,4,5,6,7,8,9,9\n", "Column 9 is there twice."),
        (
            "id,1,2,3,4,5,6,7,8,9,score\n",
            "Column score is neither an item of phq9 nor id, sex, age or item_order.",
        ),
        (PHQ9 + "a,0,0\n", "Row 2 has 3 cells, the first row has 10."),
        (PHQ9 + 'a,"0"0,0\n', "Row 2 is not well-formed CSV."),
    ],
)
def test_a_file_of_the_wrong_shape_is_refused_in_a_sentence(answers: Path, text: str, said: str) -> None:
    answers.write_text(text)
    assert said in refused("phq9", answers)


def test_a_file_full_of_errors_shows_the_first_twenty(answers: Path) -> None:
    answers.write_text(PHQ9 + "a,4,4,4,4,4,4,4,4,4\n" * 10)
    lines = refused("phq9", answers)
    assert len(lines) == 22
    assert lines[-2:] == ["And 70 more problems.", "Nothing was written."]


def test_an_unknown_instrument_and_an_absent_file_are_refused(answers: Path, tmp_path: Path) -> None:
    assert "There is no instrument dass99" in refused("dass99", answers)[0]
    assert "cannot be read" in refused("phq9", answers)[0]
    answers.write_text(PHQ9)
    assert "cannot be written" in refused("phq9", answers, tmp_path / "nowhere" / "scores.csv")[0]


def test_the_command_ends_with_2_and_prints_or_writes(
    answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    app = typer.Typer()
    app.command()(score)
    run = CliRunner().invoke
    answers.write_text(PHQ9 + "a,0,0,0,0,0,0,0,0,4\n")
    wrong = run(app, ["phq9", str(answers)])
    assert wrong.exit_code == 2
    assert "Row 2, column 9: 4 is not one of 0, 1, 2, 3." in wrong.stderr
    assert wrong.stdout == ""
    answers.write_text(PHQ9 + "a,0,0,0,0,0,0,0,0,3\n")
    printed = run(app, ["phq9", str(answers)])
    assert printed.exit_code == 0
    assert rows(printed.stdout)[0]["total"] == "3"
    out = tmp_path / "scores.csv"
    written = run(app, ["phq9", str(answers), "--out", str(out)])
    assert (written.exit_code, written.stdout) == (0, "")
    assert rows(out.read_text("utf-8"))[0]["total"] == "3"


# --- every sheet, other orders, other people, other band sets ---------------------------------------------------


@pytest.mark.parametrize("code", catalogue().codes)
def test_every_score_has_a_value_a_band_and_a_status(code: str, answers: Path) -> None:
    instrument = catalogue().get(code)
    keys = instrument.item_keys
    lowest = [str(max(item.values[0], 0)) for item in instrument.items]
    answers.write_text("\n".join([",".join(keys), ",".join(lowest), "," * (len(keys) - 1)]) + "\n")
    calm, blank = rows(score_csv(code, answers))
    assert list(calm) == headings(instrument)
    single = score_one(instrument, AnswerSheet.parse(instrument, dict(zip(keys, lowest, strict=True))))
    for definition in instrument.scores:
        value = single.values[definition.id]
        said = "" if value.value is None else value.value
        assert calm[definition.id] == (f"{said:.2f}" if definition.decimals and said != "" else str(said))
        assert calm[f"{definition.id}.status"] == value.status
        if value.band is not None:
            assert calm[f"{definition.id}.band"] == value.band.id
        assert (blank[definition.id], blank[f"{definition.id}.status"]) == ("", "not_scorable")
    assert (calm["valid"], blank["valid"], calm["critical"]) == ("true", "false", "")


def test_the_order_of_the_items_is_said_row_by_row(answers: Path) -> None:
    answers.write_text(
        "item_order," + ",".join(map(str, range(1, 11))) + "\n"
        "chinese_1993,4,4,1,4,1,4,4,1,1,1\n,4,4,1,4,1,4,4,1,1,1\nStandard,4,1,4,4,1,1,4,1,1,4\n"
    )
    found = [(row["total"], row["layout"]) for row in rows(score_csv("rses", answers))]
    assert found == [("40", "chinese_1993"), ("28", "standard"), ("40", "standard")]
    answers.write_text("item_order," + ",".join(map(str, range(1, 11))) + "\nrussian" + ",1" * 10 + "\n")
    assert refused("rses", answers)[0] == (
        "Row 2, column item_order: russian is not one of standard, chinese_1993."
    )


def test_sex_and_age_change_what_is_counted_and_which_cut_off_holds(answers: Path) -> None:
    numbers = ",".join(map(str, range(1, 16)))
    answers.write_text(
        f"sex,{numbers}\n男,2,2,2{',2' * 12}\nF{',2' * 15}\nm,2,2,2,{',2' * 11}\n,2,2,2,{',2' * 11}\n"
    )
    found = [(row["total"], row["n_severe"], row["missing"]) for row in rows(score_csv("phq15", answers))]
    assert found == [("28", "14", ""), ("30", "15", ""), ("28", "14", ""), ("", "", "4")]
    numbers = ",".join(map(str, range(1, 36)))
    points = ",".join(["0"] * 19 + ["2"] * 12 + ["0"] * 4)
    answers.write_text(f"Age,{numbers}\n5,{points}\n6,{points}\n5.9,{points}\n")
    found = [
        (row["total"], row["total.band"], row["over_cutoff"]) for row in rows(score_csv("psc35", answers))
    ]
    assert found == [("24", "positive", "1"), ("24", "", "0"), ("24", "positive", "1")]
    answers.write_text(f"age,{numbers}\nfive,{points}\n")
    assert refused("psc35", answers)[0] == "Row 2, column age: five is not one of 0-120."


def test_an_age_for_which_the_sheet_was_not_made_is_said(answers: Path) -> None:
    numbers = ",".join(map(str, range(1, 21)))
    answers.write_text(f"age,{numbers}\n15{',1' * 20}\n16{',1' * 20}\n")
    young, old = rows(score_csv("sds_zung", answers))
    assert (young["total"], young["valid"], young["flags"]) == ("62", "true", "outside_age")
    assert old["flags"] == ""


def test_another_band_set_is_used_where_a_score_has_it(answers: Path) -> None:
    answers.write_text("1,2,3,4,5,6,7\n1,1,1,1,1,1,1\n")
    (usual,) = rows(score_csv("gad7", answers))
    (youth,) = rows(score_csv("gad7", answers, wish=Wish("hong_kong_youth")))
    assert (usual["total.band"], youth["total.band"]) == ("mild", "positive")
    assert (usual["bands"], youth["bands"]) == ("standard", "hong_kong_youth")
    with pytest.raises(AnswersRefused) as wrong:
        score_csv("gad7", answers, wish=Wish("adults"))
    assert "gad7 has no band set adults" in explain(wrong.value, "en")[0]


def test_a_set_known_from_memory_is_named_when_it_is_the_usual_one(answers: Path) -> None:
    """It decides nothing and no page shows it; a file says what the fact sheet names."""
    answers.write_text(",".join(map(str, range(1, 13))) + "\n" + ",".join(["1"] * 12) + "\n")
    (row,) = rows(score_csv("mspss", answers))
    assert (row["total"], row["total.band"], row["over_cutoff"]) == ("12", "low", "0")


def test_a_blank_critical_item_stands_in_a_column_of_its_own(answers: Path) -> None:
    """Critical answers are answers; a blank one has to be asked again, which the grade says."""
    answers.write_text(PHQ9 + "a,1,1,1,1,1,1,1,1,\n")
    (row,) = rows(score_csv("phq9", answers))
    assert (row["critical"], row["critical_blank"], row["grade"]) == ("", "9", "C")


def test_with_keep_going_the_good_rows_are_written_and_the_bad_ones_listed(
    answers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    app = typer.Typer()
    app.command()(score)
    answers.write_text(PHQ9 + "a,0,0,0,0,0,0,0,0,4\nb,1,1,1,1,1,1,1,1,1\nc,0,0\n")
    out = tmp_path / "scores.csv"
    found = CliRunner().invoke(app, ["phq9", str(answers), "--out", str(out), "--keep-going"])
    assert found.exit_code == 1
    assert [row["id"] for row in rows(out.read_text("utf-8"))] == ["b"]
    assert found.stderr.splitlines() == [
        "Row 2, column 9: 4 is not one of 0, 1, 2, 3.",
        "Row 4 has 3 cells, the first row has 10.",
        "2 rows were left out, 1 written.",
    ]


def test_standard_input_is_read_and_nothing_is_printed_before_all_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    app = typer.Typer()
    app.command()(score)
    good = CliRunner().invoke(app, ["phq9", "-"], input=PHQ9 + "a,1,1,1,1,1,1,1,1,1\n")
    assert (good.exit_code, rows(good.stdout)[0]["total"]) == (0, "9")
    bad = CliRunner().invoke(app, ["phq9", "-"], input=PHQ9 + "a,1,1,1,1,1,1,1,1,1\nb,1,1,1,1,1,1,1,1,8\n")
    assert (bad.exit_code, bad.stdout) == (2, "")


def test_a_file_of_several_pieces_is_the_same_row_by_row(
    answers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces are joined without a seam, and a bad row far down is named by its own number."""
    piece = 100
    monkeypatch.setattr(score_file, "PIECE", piece)
    lines = [f"{n},{','.join(str((n + k) % 4) for k in range(9))}" for n in range(3 * piece + 10)]
    answers.write_text(PHQ9 + "\n".join(lines) + "\n")
    sink = io.StringIO()
    report = score_path("phq9", answers, None, Wish(), sink)
    found = rows(sink.getvalue())
    assert (report.rows, len(found)) == (3 * piece + 10, 3 * piece + 10)
    for n in (0, piece - 1, piece, 3 * piece + 9):
        assert (found[n]["id"], found[n]["total"]) == (str(n), str(sum((n + k) % 4 for k in range(9))))
    answers.write_text(PHQ9 + "\n".join([*lines, "z,0,0,0,0,0,0,0,0,9"]) + "\n")
    assert refused("phq9", answers)[0].startswith(f"Row {3 * piece + 12}, column 9: 9 is not")


def test_a_carried_id_is_quoted_where_csv_asks_for_it(answers: Path) -> None:
    answers.write_text(PHQ9 + '"a,""b""",0,0,0,0,0,0,0,0,0\n')
    assert rows(score_csv("phq9", answers))[0]["id"] == 'a,"b"'
