"""``xinqiao score``: one row out per row in, or sentences that name row, column and value, and nothing written."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from api.cli.score import AnswersRefused, explain, score, score_csv
from instruments import catalogue

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
    assert (first["id"], first["total"], first["total_band"], first["grade"]) == ("王-1", "8", "mild", "")
    assert (second["id"], second["total"], second["severe"], second["critical"]) == (
        "=2",
        "26",
        "1",
        "9:B:answered",
    )
    assert (blank["total"], blank["grade"], blank["validity"], blank["flags"]) == ("", "", "invalid", "blank")
    assert (partial["total"], partial["missing"], partial["lowest"], partial["highest"]) == (
        "",
        "3 4 5",
        "6",
        "15",
    )
    assert partial["critical"] == "9:C:answered"
    assert {row["version"] for row in (first, second)} == {catalogue().get("phq9").version}


def test_a_prorated_total_says_so(answers: Path) -> None:
    answers.write_text(PHQ9 + "a,3,1,0,0,,0,0,0,0\n")
    (row,) = rows(score_csv("phq9", answers))
    assert (row["total"], row["status"], row["missing"]) == ("5", "prorated", "5")


def test_columns_may_stand_in_any_order_without_id_and_with_extra_items(answers: Path) -> None:
    answers.write_text("x4,9,8,7,6,5,4,3,2,1,x3\n1,0,0,0,0,0,0,0,0,3,1\n")
    (row,) = rows(score_csv("phq_a", answers))
    assert "id" not in row
    assert (row["total"], row["grade"], row["critical"]) == ("3", "B", "x3:B:answered x4:B:answered")


def test_an_outcome_and_a_refusal_are_read(answers: Path) -> None:
    answers.write_text("id,1,2,3,4,5\na,0,0,0,0,\nb,-1,0,0,0,0\nc,0,1,0,0,1\n")
    found = [(row["result"], row["result_band"], row["grade"]) for row in rows(score_csv("asq", answers))]
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
        ("id,1,2,3,4,5,6,7,8,9,score\n", "Column score is neither an item of phq9 nor id."),
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
    written = run(app, ["phq9", str(answers), "-o", str(out)])
    assert (written.exit_code, written.stdout) == (0, "")
    assert rows(out.read_text("utf-8"))[0]["total"] == "3"
