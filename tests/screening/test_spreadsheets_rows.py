"""Rows of the workbook: what is understood, what is refused, and where the problem stands."""

from __future__ import annotations

import re
from datetime import date, datetime

import pytest

from instruments import Grade
from screening.core.grades import GradeInfo, Stage
from screening.spreadsheets import cells, rows
from screening.spreadsheets.rows import AlarmKind, file_alarms
from tests.screening.workbooks import (
    HEADINGS,
    PHQ9,
    TODAY,
    child,
    phq9_book,
    read,
    rewritten,
    roster_book,
    sheet,
    told,
    workbook,
)


def one_child(**fields):
    """The only row of a 名册 with these cells."""
    parsed = read(roster_book(child(**fields)))
    assert parsed.errors == ()
    (row,) = parsed.roster
    return row


def problems(row):
    return [(error.column, error.message) for error in row.errors]


def doubts(row):
    return [(warning.column, warning.message) for warning in row.warnings]


# --- 名册 --------------------------------------------------------------------------------------------------


def test_a_full_row_is_understood():
    row = one_child(
        证件类型="居民身份证",
        证件号码="990000201202290019",
        监护人="李乙",
        关系="母亲",
        电话="138-1234-5678",
        筛查同意="是",
        转介同意="否",
        同意日期=date(2026, 9, 3),
    )
    assert (row.excel_row, row.student_no, row.name, row.sex) == (2, "20260001", "张乙", "male")
    assert (row.birth_date, row.grade, row.class_name) == (
        date(2012, 2, 29),
        GradeInfo(Stage.JUNIOR, 1),
        "3班",
    )
    assert (row.id_type, row.id_number, row.id_to_verify) == ("resident_id", "990000201202290019", False)
    assert (row.guardian_name, row.guardian_relation, row.guardian_phone) == ("李乙", "母亲", "13812345678")
    assert (row.screening_consent, row.share_consent, row.consent_on) == (True, False, date(2026, 9, 3))
    assert (row.errors, row.warnings) == ((), ())


def test_a_blank_cell_is_not_said():
    row = one_child()
    assert (row.id_type, row.id_number, row.guardian_name, row.guardian_phone) == (None, None, None, None)
    assert (row.screening_consent, row.share_consent, row.consent_on) == (None, None, None)


@pytest.mark.parametrize(
    ("heading", "column"),
    [("学号", "A"), ("姓名", "B"), ("性别", "C"), ("出生日期", "D"), ("年级", "E"), ("班级", "F")],
)
def test_a_required_cell_that_is_blank_is_named(heading, column):
    for blank in (None, "  ", "\u3000", "\u200b"):
        row = one_child(**{heading: blank})
        assert problems(row) == [(column, rows.BLANK)]
        assert row.errors[0].row == 2
        assert row.errors[0].params["title"] == heading


@pytest.mark.parametrize(
    ("typed", "read_as"),
    [
        (20260001, "20260001"),
        (20260001.0, "20260001"),
        ("20260001.0", "20260001"),
        ("２０２６０００１", "20260001"),
        ("'0007", "0007"),
        (" 00 07 ", "0007"),
        ("G-12a", "G-12a"),
        (999_999_999_999_999, "999999999999999"),
    ],
)
def test_a_student_number_is_text_without_decimals(typed, read_as):
    assert one_child(学号=typed).student_no == read_as


@pytest.mark.parametrize(
    ("heading", "column", "typed"),
    [
        ("学号", "A", 2026000000000001),
        ("学号", "A", 1e15),
        ("证件号码", "H", 990000201202290019),
        ("证件号码", "H", "9.90000201202E+17"),
        ("电话", "K", 86138123456780001),
    ],
)
def test_a_number_that_excel_has_rounded_is_refused(heading, column, typed):
    row = one_child(**{heading: typed})
    assert problems(row) == [(column, cells.LOST_DIGITS)]


def test_the_sentence_names_the_place_in_both_languages():
    (error,) = one_child(证件号码=990000201202290019).errors
    assert (error.sheet, error.row, error.column) == ("名册", 2, "H")
    assert "Excel has rounded" in told([error])[0][3]


@pytest.mark.parametrize(
    "typed",
    [
        date(2012, 2, 29),
        datetime(2012, 2, 29, 8, 30),  # noqa: DTZ001 - a cell has no zone
        "2012-02-29",
        "2012/2/29",
        "2012.2.29",
        "2012年2月29日",
        "２０１２年２月２９日",
        "2012-02-29 00:00:00",
        "2012-2-29T08:30",
        "20120229",
        20120229,
        40968,
        " 2012 - 2 - 29 ",
    ],
)
def test_days_as_people_write_them(typed):
    assert one_child(出生日期=typed).birth_date == date(2012, 2, 29)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("29/2/2012", cells.NOT_A_DATE),
        ("12-2-29", cells.NOT_A_DATE),
        ("2012年", cells.NOT_A_DATE),
        ("unknown", cells.NOT_A_DATE),
        (7, cells.NOT_A_DATE),
        (1e300, cells.NOT_A_DATE),
        (True, cells.NOT_A_DATE),
        ("2013-02-29", cells.NO_SUCH_DAY),
        ("2012-13-01", cells.NO_SUCH_DAY),
        ("2026-11-22", rows.IN_THE_FUTURE),
        ("1999-01-01", rows.NO_PUPILS_AGE),
        ("2024-01-01", rows.NO_PUPILS_AGE),
    ],
)
def test_a_wrong_birth_date_is_refused(typed, message):
    row = one_child(出生日期=typed)
    assert problems(row) == [("D", message)]
    assert row.birth_date is None


@pytest.mark.parametrize(
    ("born", "fits"),
    [("2023-11-21", True), ("2023-11-22", False), ("2000-11-22", True), ("2000-11-21", False)],
)
def test_pupils_are_three_to_twenty_five(born, fits):
    assert (one_child(出生日期=born).errors == ()) is fits


def test_days_of_a_workbook_that_counts_from_1904():
    def mac(book):
        book.epoch = datetime(1904, 1, 1)  # noqa: DTZ001 - a cell has no zone

    (row,) = read(roster_book(child(出生日期=40968 - 1462), change=mac)).roster
    assert row.birth_date == date(2012, 2, 29)
    (row,) = read(roster_book(child(出生日期=date(2012, 2, 29)), change=mac)).roster
    assert row.birth_date == date(2012, 2, 29)


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("张　三", "张三"),
        (" 张三\u200b ", "张三"),
        ("䶮", "䶮"),
        ("王𬍡", "王𬍡"),
        ("㛃彧玥〇", "㛃彧玥〇"),
        ("𰻞𰻞", "𰻞𰻞"),
        ("古丽·阿依", "古丽·阿依"),
        ("古丽•阿依", "古丽·阿依"),
        ("古丽・阿依", "古丽·阿依"),
        ("Anna  Maria", "Anna Maria"),
        ("Jose\u0301", "José"),
        ("小熊🐻", "小熊🐻"),
        ("ئايگۈل", "ئايگۈل"),
    ],
)
def test_names_are_cleaned_and_kept(typed, kept):
    row = one_child(姓名=typed)
    assert row.name == kept
    assert (row.errors, row.warnings) == ((), ())


@pytest.mark.parametrize("typed", ["张\u202e三", "张\u2066三", "张\n三", "张\t三", "\u200e张"])
def test_a_name_with_control_characters_is_refused(typed):
    assert problems(one_child(姓名=typed)) == [("B", cells.NOT_PLAIN)]


def test_a_long_name_is_refused_and_a_private_character_doubted():
    assert problems(one_child(姓名="张" * 101)) == [("B", cells.TOO_LONG)]
    row = one_child(姓名="张\ue863")
    assert (row.name, problems(row)) == ("张\ue863", [])
    assert doubts(row) == [("B", rows.PRIVATE_CHARACTER)]


def test_an_export_that_was_disarmed_is_read_as_it_was():
    row = one_child(姓名="'=张", 班级="'+1班", 关系="'-")
    assert (row.name, row.class_name, row.guardian_relation) == ("=张", "+1班", "-")


@pytest.mark.parametrize(
    ("typed", "sex"), [("男", "male"), ("女", "female"), ("F", "female"), (1, "male"), ("女性", "female")]
)
def test_sexes(typed, sex):
    assert one_child(性别=typed).sex == sex


@pytest.mark.parametrize(
    ("heading", "column", "typed", "message"),
    [
        ("性别", "C", "未知", cells.NOT_IN_LIST),
        ("年级", "E", "四年级3班", cells.NOT_A_GRADE),
        ("证件类型", "G", "户口本", cells.NOT_IN_LIST),
        ("筛查同意", "L", "口头", cells.NOT_YES_OR_NO),
        ("同意日期", "N", "2027-01-01", rows.IN_THE_FUTURE),
        ("同意日期", "N", "1998-01-01", rows.TOO_LONG_AGO),
        ("班级", "F", date(2026, 1, 2), cells.IS_A_DATE),
        ("班级", "F", 1.5, cells.NOT_A_WHOLE_NUMBER),
        ("班级", "F", True, cells.NOT_TEXT),
        ("关系", "J", "亲" * 31, cells.TOO_LONG),
    ],
)
def test_what_cannot_be_read_is_named(heading, column, typed, message):
    assert problems(one_child(**{heading: typed})) == [(column, message)]


@pytest.mark.parametrize("typed", [3, "3", "3班", "(3)班", "（３）班", "03"])
def test_one_class_has_one_name(typed):
    assert one_child(班级=typed).class_name == "3班"


def test_a_class_with_a_name_keeps_it():
    assert one_child(班级="火箭 1班").class_name == "火箭 1班"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("是", True),
        ("同意", True),
        ("√", True),
        (True, True),
        (1, True),
        ("否", False),
        ("不同意", False),
        (0, False),
    ],
)
def test_consents(typed, said):
    row = one_child(筛查同意=typed, 同意日期="2026-09-03")
    assert row.screening_consent is said
    assert row.share_consent is None


def test_a_consent_without_its_day_is_marked():
    assert doubts(one_child(转介同意="是")) == [("N", rows.CONSENT_WITHOUT_DAY)]
    assert doubts(one_child(转介同意="否")) == []


@pytest.mark.parametrize(
    ("number", "fields", "messages"),
    [
        ("990000201202290018", {}, [rows.ID_CHECK]),
        ("990000201203010023", {}, [rows.ID_OTHER_DATE, rows.ID_OTHER_SEX]),
        ("990000201202290019", {"性别": "女"}, [rows.ID_OTHER_SEX]),
        ("990000201202300014", {}, [rows.ID_DATE]),
    ],
)
def test_a_doubtful_identity_number_is_stored_and_marked(number, fields, messages):
    row = one_child(证件号码=number, **fields)
    assert problems(row) == []
    assert set(messages) <= {message for _, message in doubts(row)}
    assert (row.id_type, row.id_number, row.id_to_verify) == ("resident_id", number, True)


@pytest.mark.parametrize(
    ("kind", "number", "message"),
    [
        ("居民身份证", "99000020120229", rows.ID_LENGTH),
        ("居民身份证", "9900002012022900A9", rows.ID_SHAPE),
        (None, "E12345678", rows.ID_TYPE_NEEDED),
        ("无证件", "990000201202290019", rows.ID_WITHOUT_PAPER),
    ],
)
def test_a_number_that_is_none_is_refused(kind, number, message):
    row = one_child(证件类型=kind, 证件号码=number)
    assert problems(row) == [("H", message)]
    assert row.id_number is None


def test_other_papers_are_taken_as_they_are():
    row = one_child(证件类型="护照", 证件号码="e1234 5678")
    assert (row.id_type, row.id_number, row.errors, row.warnings) == ("passport", "E12345678", (), ())
    assert one_child(证件类型="无证件").id_type == "none"


@pytest.mark.parametrize(
    ("typed", "kept", "doubted"),
    [
        (13812345678, "13812345678", False),
        ("138 1234 5678", "13812345678", False),
        ("+8613812345678", "13812345678", False),
        ("０１０－１２３４５６７８", "010-12345678", False),
        ("0571-87654321", "0571-87654321", False),
        ("+85291234567", "+85291234567", False),
        ("1381234567", "1381234567", True),
        ("13812345678/13912345678", "13812345678/13912345678", True),
    ],
)
def test_telephones(typed, kept, doubted):
    row = one_child(电话=typed)
    assert (row.guardian_phone, row.errors) == (kept, ())
    assert doubts(row) == ([("K", rows.PHONE_UNUSUAL)] if doubted else [])


# --- answers -----------------------------------------------------------------------------------------------


def one_sheet(row):
    (parsed,) = read(phq9_book(row)).sheets
    return parsed.rows[0]


def test_answers_are_read_in_every_form_a_number_is_typed():
    row = one_sheet(sheet(answers=[0, 1.0, "2", "３", " 1 ", None, "", 3, 0]))
    assert list(row.answers.values()) == [0, 1, 2, 3, 1, None, None, 3, 0]
    assert (row.code, row.excel_row, row.student_no, row.administered_on) == (
        "phq9",
        2,
        "20260001",
        date(2026, 11, 3),
    )
    assert (row.refused, row.errors, row.critical, row.is_blank) == ({}, (), (), False)


@pytest.mark.parametrize(
    ("typed", "reason", "message"),
    [
        (4, "out_of_range", rows.ANSWER_OUT_OF_RANGE),
        (-1, "out_of_range", rows.ANSWER_OUT_OF_RANGE),
        (1e300, "out_of_range", rows.ANSWER_OUT_OF_RANGE),
        (1.5, "not_an_integer", rows.ANSWER_NOT_WHOLE),
        ("是", "not_an_integer", rows.ANSWER_NOT_WHOLE),
        (True, "not_an_integer", rows.ANSWER_NOT_WHOLE),
        (date(2026, 1, 2), "not_an_integer", rows.ANSWER_NOT_WHOLE),
        ("=1+1", "formula", rows.FORMULA),
        ("#N/A", "error_value", rows.ERROR_VALUE),
    ],
)
def test_a_refused_answer_is_named_by_item_and_never_read_as_blank(typed, reason, message):
    row = one_sheet(sheet(answers=[0, 0, typed, 0, 0, 0, 0, 0, 0]))
    assert row.refused == {"3": reason}
    assert row.answers["3"] is None
    assert [(error.row, error.column, error.message) for error in row.errors] == [(2, "F", message)]
    assert row.errors[0].params["title"] == "3"
    assert row.critical == ()


@pytest.mark.parametrize("typed", [7, 9, "?", "是", 2.5, "=0", "#N/A"])
def test_a_refused_critical_answer_asks_somebody_to_ask(typed):
    row = one_sheet(sheet(answers=[0] * 8 + [typed]))
    assert [(answer.item, answer.grade, answer.answer) for answer in row.critical] == [("9", Grade.C, None)]
    assert len(row.errors) == 1


@pytest.mark.parametrize(
    ("answer", "grade"), [(0, None), (1, Grade.C), (2, Grade.B), (3, Grade.B), (None, Grade.C)]
)
def test_critical_answers_by_grade(answer, grade):
    assert one_sheet(sheet(answers=[0] * 8 + [answer])).worst is grade


@pytest.mark.parametrize("typed", ["=1", 5, "有"])
def test_a_refused_cell_is_no_blank_even_where_a_blank_says_nothing(typed):
    headings = ["学号", "姓名", "施测日期", *range(1, 10), "x3"]
    (parsed,) = read(
        workbook({"phq_a": [headings, sheet(answers=[*[0] * 9, typed]), sheet(2, [0] * 9)]})
    ).sheets
    assert [[(answer.item, answer.grade) for answer in row.critical] for row in parsed.rows] == [
        [("x3", Grade.C)],
        [],
    ]


def test_critical_answers_are_read_although_the_row_is_refused():
    row = one_sheet([None, None, "never", *[9] * 8, 3])
    assert row.worst is Grade.B
    assert {error.column for error in row.errors} == set("ABCDEFGHIJK")


def test_the_number_a_formula_last_showed_still_rings():
    """A formula is refused, and what it showed is read for alarms: the graver of the two counts."""

    def calculated(text):
        return re.sub(rb"(<f>1\+2</f>)<v ?/?>(</v>)?", rb"\1<v>3</v>", text)

    data = phq9_book(sheet(answers=[0] * 8 + ["=1+2"]))
    (parsed,) = read(rewritten(data, {"xl/worksheets/sheet1.xml": calculated})).sheets
    assert parsed.rows[0].refused == {"9": "formula"}
    assert parsed.rows[0].worst is Grade.B


def test_a_wholly_blank_row_is_an_absent_child():
    row = one_sheet(sheet(answers=[None] * 9, on=None))
    assert (row.is_blank, row.errors, row.critical) == (True, (), ())


def test_a_sheet_needs_its_day():
    row = one_sheet(sheet(on=None))
    assert [(error.column, error.message) for error in row.errors] == [("C", rows.BLANK)]
    assert [error.message for error in one_sheet(sheet(on="2026-11-22")).errors] == [rows.IN_THE_FUTURE]
    assert one_sheet(sheet(on=TODAY)).errors == ()


# --- several rows together ---------------------------------------------------------------------------------


def test_a_number_twice_in_a_sheet_names_both_rows():
    parsed = read(roster_book(child(1), child(2), child(1)))
    assert told(parsed.all_errors) == [
        ("名册", 2, "A", "学号: the same number stands in row 4 too. One child has one row in a sheet."),
        ("名册", 4, "A", "学号: the same number stands in row 2 too. One child has one row in a sheet."),
    ]
    parsed = read(phq9_book(sheet(1), sheet(2), sheet(1, on="2026-11-04")))
    assert [(error.row, error.message) for error in parsed.all_errors] == [
        (2, rows.SAME_NUMBER),
        (4, rows.SAME_NUMBER),
    ]


def test_many_rows_of_one_number_are_listed_short():
    parsed = read(phq9_book(*[sheet(1)] * 8))
    assert parsed.all_errors[0].params["rows"] == "3, 4, 5, 6, 7 …"


def test_a_number_with_another_name_is_an_error_at_the_answer_row():
    parsed = read(
        workbook({"phq9": [PHQ9, ["20260001", "张 甲", "2026-11-03", *[0] * 9]], "名册": roster_rows()})
    )
    assert told(parsed.all_errors) == [
        ("phq9", 2, "B", "姓名: the same 学号 stands with another name in 名册, row 2.")
    ]


def roster_rows():
    return [HEADINGS, child(1)]


def test_padding_is_no_other_name():
    parsed = read(
        workbook({"名册": roster_rows(), "phq9": [PHQ9, ["20260001", "张　乙", "2026-11-03", *[0] * 9]]})
    )
    assert parsed.all_errors == ()


def test_two_instruments_disagree_without_a_roster():
    gad7 = ["学号", "姓名", "施测日期", *range(1, 8)]
    parsed = read(
        workbook({"phq9": [PHQ9, sheet(1)], "gad7": [gad7, ["20260001", "李丁", "2026-11-03", *[0] * 7]]})
    )
    assert [(error.sheet, error.row, error.message) for error in parsed.all_errors] == [
        ("gad7", 2, rows.OTHER_NAME)
    ]


# --- alarms about a whole sheet ----------------------------------------------------------------------------


def sheets(count, answers):
    return [[f"S{n}", "张乙", "2026-11-03", *answers(n)] for n in range(count)]


def test_a_column_in_another_coding_rings_once():
    parsed = read(phq9_book(*sheets(11, lambda n: [0] * 8 + [5])))
    (alarm,) = file_alarms(parsed)
    assert (alarm.sheet, alarm.code, alarm.kind) == ("phq9", "phq9", AlarmKind.COLUMN_OUT_OF_RANGE)
    assert alarm.params == {"sheet": "phq9", "columns": "9", "rows": 11}
    assert parsed.sheets[0].rows[0].worst is Grade.C


def test_ten_rows_ring_child_by_child():
    assert file_alarms(read(phq9_book(*sheets(10, lambda n: [0] * 8 + [5])))) == ()


def test_a_column_that_few_have_filled_says_nothing_about_the_file():
    rows_ = sheets(20, lambda n: [0] * 8 + [5 if n < 10 else None])
    assert file_alarms(read(phq9_book(*rows_))) == ()


def test_one_good_answer_saves_the_column():
    assert file_alarms(read(phq9_book(*sheets(12, lambda n: [0] * 8 + [5 if n else 0])))) == ()


@pytest.mark.parametrize(("urgent", "rings"), [(4, False), (5, True)])
def test_more_than_a_fifth_of_urgent_answers_rings_once(urgent, rings):
    parsed = read(phq9_book(*sheets(20, lambda n: [0] * 8 + [2 if n < urgent else 0])))
    alarms = file_alarms(parsed)
    assert [alarm.kind for alarm in alarms] == [AlarmKind.TOO_MANY_URGENT] * rings
    for alarm in alarms:
        assert alarm.params == {"sheet": "phq9", "concerned": urgent, "rows": 20}


def test_absent_children_are_not_counted():
    parsed = read(phq9_book(*sheets(40, lambda n: [0] * 8 + [2 if n < 3 else 0] if n < 12 else [None] * 9)))
    (alarm,) = file_alarms(parsed)
    assert alarm.params == {"sheet": "phq9", "concerned": 3, "rows": 12}


def test_small_files_ring_child_by_child_even_when_all_are_urgent():
    parsed = read(phq9_book(*sheets(10, lambda n: [0] * 8 + [3])))
    assert file_alarms(parsed) == ()
    assert all(row.worst is Grade.B for row in parsed.sheets[0].rows)
