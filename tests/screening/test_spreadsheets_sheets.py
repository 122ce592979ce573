"""Which sheet is what, which column is what, and what is odd about them."""

from __future__ import annotations

import pytest

from screening.spreadsheets import sheets
from screening.spreadsheets.rows import FORMULA
from tests.screening.workbooks import (
    HEADINGS,
    PHQ9,
    child,
    phq9_book,
    read,
    rewritten,
    roster_book,
    sheet,
    told,
    workbook,
)

SHEET = "xl/worksheets/sheet1.xml"


def errors(parsed):
    return [(error.sheet, error.row, error.column, error.message) for error in parsed.errors]


def warnings(parsed):
    return [(warning.sheet, warning.message) for warning in parsed.warnings]


@pytest.mark.parametrize("name", ["phq9", "PHQ9", " phq9 ", "ＰＨＱ９"])
def test_a_sheet_is_known_by_its_code(name):
    parsed = read(workbook({name: [PHQ9, sheet()]}))
    assert [(found.code, found.title) for found in parsed.sheets] == [("phq9", name)]
    assert parsed.all_errors == ()


def test_an_unknown_sheet_is_named_and_the_others_are_read():
    parsed = read(workbook({"phq9": [PHQ9, sheet()], "心理问卷": [["学号"], ["1"]]}))
    assert errors(parsed) == [("心理问卷", None, None, sheets.UNKNOWN_SHEET)]
    assert "phq9" in parsed.errors[0].params["codes"]
    assert len(parsed.sheets[0].rows) == 1


def test_blank_sheets_and_the_page_of_explanation_are_passed_over():
    parsed = read(workbook({"phq9": [PHQ9, sheet()], "Sheet2": [], "说明": [["anything"]]}))
    assert parsed.all_errors == ()


def test_a_sheet_twice_is_named():
    parsed = read(workbook({"phq9": [PHQ9, sheet(1)], "PHQ9 ": [PHQ9, sheet(2)]}))
    assert errors(parsed) == [("PHQ9 ", None, None, sheets.SHEET_TWICE)]
    assert len(parsed.sheets) == 1


def test_a_workbook_without_any_known_sheet_says_so():
    assert errors(read(workbook({"Sheet1": []}))) == [(None, None, None, sheets.NOTHING_TO_READ)]


def test_headings_alone_are_nothing_to_store():
    parsed = read(roster_book())
    assert errors(parsed) == [(None, None, None, sheets.NOTHING_FILLED)]
    assert warnings(parsed) == [("名册", sheets.NO_ROWS)]


def test_a_missing_column_is_named_and_the_sheet_is_not_read():
    headings = [heading for heading in HEADINGS if heading != "出生日期"]
    parsed = read(workbook({"名册": [headings, ["1", "张甲", "男"]]}))
    assert told(parsed.errors) == [
        ("名册", 1, None, "Sheet 名册: the column 出生日期 is missing. The sheet was not read.")
    ]
    assert parsed.roster == ()


def test_a_heading_that_is_wrong_is_both_missing_and_unknown():
    parsed = read(workbook({"phq9": [["学号", "姓名", "日期", *range(1, 10)], sheet()]}))
    assert errors(parsed) == [
        ("phq9", 1, "C", sheets.UNKNOWN_COLUMN),
        ("phq9", 1, None, sheets.MISSING_COLUMN),
    ]
    assert parsed.sheets == ()


def test_a_double_heading_is_named_with_both_columns():
    parsed = read(workbook({"phq9": [[*PHQ9, 9], [*sheet(), 3]]}))
    assert told(parsed.errors) == [
        ("phq9", 1, "M", "Sheet phq9: the heading 9 stands twice, in columns L, M. The sheet was not read.")
    ]
    assert parsed.sheets == ()


def test_an_unknown_column_is_an_error_and_alarms_are_still_read():
    """A consent must not be lost to a slip of the pen; a cry for help must not wait for its correction."""
    parsed = read(workbook({"phq9": [[*PHQ9, "备注"], [*sheet(answers=[0] * 8 + [3]), "x"]]}))
    assert errors(parsed) == [("phq9", 1, "M", sheets.UNKNOWN_COLUMN)]
    assert [answer.grade for answer in parsed.sheets[0].rows[0].critical] == ["B"]


def test_data_without_a_heading_is_named_with_its_row():
    parsed = read(workbook({"phq9": [[*PHQ9, None], sheet(1), [*sheet(2), 3]]}))
    assert errors(parsed) == [("phq9", 3, "M", sheets.NO_HEADING)]


def test_optional_columns_may_be_missing():
    parsed = read(workbook({"名册": [HEADINGS[:6], child()[:6]]}))
    assert parsed.all_errors == ()
    assert parsed.roster[0].guardian_phone is None
    phq_a = ["学号", "姓名", "施测日期", *range(1, 10)]
    parsed = read(workbook({"phq_a": [phq_a, sheet()]}))
    assert parsed.all_errors == ()
    assert parsed.sheets[0].items == tuple(str(number) for number in range(1, 10))


def test_extra_items_are_columns():
    phq_a = ["学号", "姓名", "施测日期", *range(1, 10), "x1", "X2", "x3", "x4"]
    (row,) = read(workbook({"phq_a": [phq_a, sheet(answers=[0] * 9 + [0, 3, 1, 1])]})).sheets[0].rows
    assert row.answers["x2"] == 3
    assert {answer.item for answer in row.critical} >= {"x3", "x4"}
    assert row.worst == "B"


def test_headings_may_carry_marks_and_spaces_and_stand_in_any_order():
    turned = [
        " 姓 名",
        "学号!",
        "施测日期*",
        *(f"{number}.0" if number == 1 else number for number in range(9, 0, -1)),
    ]
    turned[-1] = 1.0
    row = ["张乙", "20260001", "2026-11-03", 3, *[0] * 8]
    parsed = read(workbook({"phq9": [turned, row]}))
    assert parsed.all_errors == ()
    assert parsed.sheets[0].rows[0].answers["9"] == 3


def test_a_title_above_the_headings_is_passed_over():
    parsed = read(workbook({"phq9": [["某校七年级"], [], PHQ9, sheet(answers=[4] + [0] * 8)]}))
    assert parsed.errors == ()
    assert [(error.row, error.column) for error in parsed.all_errors] == [(4, "D")]


def test_no_headings_at_all():
    parsed = read(workbook({"phq9": [[1, 2, 3], [4, 5, 6]]}))
    assert errors(parsed) == [("phq9", None, None, sheets.NO_HEADINGS)]


def test_blank_rows_between_and_after_are_no_rows():
    def formatted(book):
        for number in range(5, 300):
            book["phq9"].cell(number, 1).number_format = "@"
            book["phq9"].cell(number, 2, "  ")

    parsed = read(phq9_book(sheet(1), [], sheet(2), change=formatted))
    assert [row.excel_row for row in parsed.sheets[0].rows] == [2, 4]
    assert parsed.all_errors == ()


def test_a_row_with_nothing_but_formulas_is_a_row():
    """Formulas without a stored result read as blanks; the row is there all the same."""
    parsed = read(phq9_book([f"=A{n}" for n in range(12)]))
    (row,) = parsed.sheets[0].rows
    assert {error.message for error in row.errors} == {FORMULA}
    assert len(row.errors) == 12
    assert not row.is_blank


def test_an_array_formula_marks_all_the_cells_it_fills():
    def spilled(text):
        assert b'<c r="D2" t="n"><v>0</v></c>' in text
        return text.replace(
            b'<c r="D2" t="n"><v>0</v></c>', b'<c r="D2" t="n"><f t="array" ref="D2:E3">X</f><v>0</v></c>'
        )

    parsed = read(rewritten(phq9_book(sheet(1), sheet(2), sheet(3)), {SHEET: spilled}))
    assert [set(row.refused) for row in parsed.sheets[0].rows] == [{"1", "2"}, {"1", "2"}, set()]


def test_elements_with_a_prefix_are_searched_too():
    def prefixed(text):
        for name in (b"worksheet", b"sheetData", b"row", b"c", b"v", b"f", b"is", b"t"):
            text = text.replace(b"<" + name + b" ", b"<x:" + name + b" ").replace(
                b"<" + name + b">", b"<x:" + name + b">"
            )
            text = text.replace(b"<" + name + b"/>", b"<x:" + name + b"/>").replace(
                b"</" + name + b">", b"</x:" + name + b">"
            )
        return text.replace(b"xmlns=", b"xmlns:x=")

    parsed = read(rewritten(phq9_book(sheet(answers=["=1", *[0] * 8])), {SHEET: prefixed}))
    assert parsed.sheets[0].rows[0].refused == {"1": "formula"}


def test_rows_and_cells_that_do_not_say_their_place_are_counted():
    import re

    def placeless(text):
        return re.sub(rb'(<(?:row|c))\b([^>]*?) r="[A-Z]*[0-9]+"', rb"\1\2", text)

    parsed = read(rewritten(phq9_book(sheet(1), sheet(2, answers=[0, "=1", *[0] * 7])), {SHEET: placeless}))
    assert [set(row.refused) for row in parsed.sheets[0].rows] == [set(), {"2"}]
    assert [(error.row, error.column) for error in parsed.all_errors] == [(3, "E")]


def test_merged_cells_among_the_rows_are_an_error_and_above_them_are_not():
    def merge(book):
        book["名册"].merge_cells("F2:F3")

    parsed = read(roster_book(child(1), child(2), change=merge))
    assert errors(parsed) == [("名册", 2, "F", sheets.MERGED)]
    assert parsed.errors[0].params["area"] == "F2:F3"

    def title(book):
        book["名册"].merge_cells("A1:N2")

    parsed = read(workbook({"名册": [["某校"], [], HEADINGS, child()]}, title))
    assert parsed.all_errors == ()


def test_hidden_things_are_read_and_mentioned():
    def hide(book):
        book["phq9"].row_dimensions[3].hidden = True
        book["phq9"].column_dimensions["E"].hidden = True
        book["phq9"].sheet_state = "hidden"
        book.create_sheet("Sheet2")

    parsed = read(phq9_book(sheet(1), sheet(2), change=hide))
    assert warnings(parsed) == [
        ("phq9", sheets.HIDDEN_SHEET),
        ("phq9", sheets.HIDDEN_ROWS),
        ("phq9", sheets.HIDDEN_COLUMNS),
    ]
    assert [warning.params.get("listed") for warning in parsed.warnings] == [None, "3", "E"]
    assert len(parsed.sheets[0].rows) == 2


def test_an_unknown_hidden_sheet_is_named():
    def hide(book):
        book.create_sheet("旧名单", 0).append(["张甲"])
        book["旧名单"].sheet_state = "veryHidden"

    assert errors(read(roster_book(child(), change=hide))) == [("旧名单", None, None, sheets.UNKNOWN_SHEET)]
