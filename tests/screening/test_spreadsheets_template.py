"""The template and the filled workbook: what a school gets, and that it comes back as it went out."""

from __future__ import annotations

import io
import json
import re
from datetime import date, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook

from instruments import UnknownInstrument, catalogue
from screening.core import grades
from screening.core.grades import GradeInfo, Stage
from screening.core.i18n import translate
from screening.spreadsheets import cells, container, reader, rows, sheets, writer
from screening.spreadsheets.layout import ID_TYPES, ROSTER_COLUMNS, column_place, letters
from screening.spreadsheets.template import safe_text, template, write_workbook
from tests.screening.workbooks import TODAY, read

CODES = ("phq_a", "gad7", "mht")


@pytest.fixture(scope="module", params=["zh", "en"])
def book(request):
    return request.param, load_workbook(io.BytesIO(template(CODES, request.param)))


def test_the_template_has_the_agreed_sheets_and_headings(book):
    _, opened = book
    assert opened.sheetnames == ["名册", *CODES, "说明"]
    assert [cell.value for cell in opened["名册"][1]] == [
        "学号", "姓名", "性别", "出生日期", "年级", "班级", "证件类型", "证件号码",
        "监护人", "关系", "电话", "筛查同意", "转介同意", "同意日期",
    ]  # fmt: skip
    headings = [cell.value for cell in opened["phq_a"][1]]
    assert headings == ["学号", "姓名", "施测日期", *range(1, 10), "x1", "x2", "x3", "x4"]
    assert len(opened["mht"][1]) == 103


def test_the_template_helps_while_typing(book):
    _, opened = book
    for name in ("名册", *CODES):
        page = opened[name]
        assert page.freeze_panes == "C2"
        assert page.column_dimensions["A"].number_format == "@"
    assert {letter: opened["名册"].column_dimensions[letter].number_format for letter in "AHKDN"} == {
        "A": "@", "H": "@", "K": "@", "D": "yyyy-mm-dd", "N": "yyyy-mm-dd",
    }  # fmt: skip
    lists = {rule.formula1: str(rule.sqref) for rule in opened["名册"].data_validations.dataValidation}
    assert lists['"男,女"'] == "C2:C50001"
    assert lists['"是,否"'] in ("L2:L50001 M2:M50001", "L2:M50001")
    answers = {rule.formula1: str(rule.sqref) for rule in opened["gad7"].data_validations.dataValidation}
    assert set(answers) == {'"0,1,2,3"'}


def test_the_page_of_explanation_is_in_the_language_asked_for(book):
    locale, opened = book
    text = "\n".join(str(cell.value) for row in opened["说明"] for cell in row if cell.value is not None)
    assert ("填写说明" in text) is (locale == "zh")
    assert not re.search(r"[{}]", text)
    assert ("不给孩子看" if locale == "zh" else "It is not for children") in text
    item = catalogue().get("gad7").items[0]
    assert (item.zh if locale == "zh" else item.en) in text


def test_the_template_itself_is_a_good_workbook_with_nothing_in_it():
    parsed = read(template(catalogue().codes))
    assert [error.message for error in parsed.all_errors] == [sheets.NOTHING_FILLED]
    assert len(parsed.sheets) == len(catalogue().codes)


def test_an_instrument_nobody_knows_is_refused():
    with pytest.raises(UnknownInstrument):
        template(["nobody"])


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+86",
        "-1",
        "@x",
        "|x",
        "%x",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "\t1",
        "\n1",
        "\r1",
        "  =1",
        "\u200b=1",
    ],
)
def test_what_could_be_a_formula_gets_an_apostrophe(text):
    assert safe_text(text) == "'" + text


@pytest.mark.parametrize("text", ["", "张三", "1-2", "a=b", "·", "'", "3班"])
def test_other_text_stays_as_it_is(text):
    assert safe_text(text) == text


def test_no_cell_of_a_filled_workbook_is_a_formula():
    data = write_workbook(
        [{"student_no": "=1", "name": "=cmd|'/c calc'!A0", "class_name": "+1", "guardian_name": "@x"}],
        {"gad7": [{"student_no": "-1", "name": "=2"}, {"student_no": "2", "name": "#N/A"}]},
    )
    opened = load_workbook(io.BytesIO(data))
    assert {cell.data_type for page in opened for row in page for cell in row} <= {"s", "n"}
    assert opened["名册"]["B2"].value == "'=cmd|'/c calc'!A0"
    assert opened["gad7"]["B2"].value == "'=2"
    assert all(error.message != rows.FORMULA for error in read(data).all_errors)


def test_a_value_that_has_no_place_in_a_cell_is_a_mistake_of_ours():
    with pytest.raises(TypeError, match="a list cannot stand"):
        write_workbook([{"class_name": ["3"]}], {})


@pytest.mark.parametrize(
    ("place", "name"), [(0, "A"), (25, "Z"), (26, "AA"), (199, "GR"), (701, "ZZ"), (702, "AAA")]
)
def test_letters_of_columns(place, name):
    assert letters(place) == name
    assert column_place(name) == place


# --- out and back ------------------------------------------------------------------------------------------

HAN = st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5) | st.sampled_from("䶮𬍡㛃彧玥〇𰻞")
NAMES = st.text(HAN, min_size=1, max_size=6) | st.builds(
    "{}·{}".format, st.text(HAN, min_size=1), st.text(HAN, min_size=1)
)
DAYS = st.dates(date(2006, 1, 1), date(2022, 1, 1))
GRADES = st.builds(GradeInfo, st.sampled_from(Stage), st.integers(1, 3))
PHONES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
FIELDS = {
    "name": NAMES,
    "sex": st.sampled_from(["male", "female"]),
    "birth_date": DAYS,
    "grade": GRADES,
    "class_name": st.integers(1, 40).map("{}班".format) | NAMES,
    "id_type": st.none() | st.sampled_from([code for code in ID_TYPES if code != "none"]),
    "guardian_name": st.none() | NAMES,
    "guardian_relation": st.none() | st.sampled_from(["父亲", "母亲", "祖母"]),
    "guardian_phone": st.none() | PHONES,
    "screening_consent": st.none() | st.booleans(),
    "share_consent": st.none() | st.booleans(),
    "consent_on": st.dates(date(2026, 1, 1), TODAY),
}
CHILDREN = st.lists(st.fixed_dictionaries(FIELDS), max_size=4)
GAD7_ROWS = st.lists(st.lists(st.none() | st.integers(0, 3), min_size=7, max_size=7), min_size=1, max_size=4)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(CHILDREN, GAD7_ROWS)
def test_what_goes_out_comes_back(children, answers):
    roster = [{"student_no": f"{number:06d}", **fields} for number, fields in enumerate(children)]
    filled = [
        {"student_no": f"A{number}", "name": "张甲", "administered_on": TODAY - timedelta(number)}
        | {str(item): value for item, value in enumerate(values, start=1)}
        for number, values in enumerate(answers)
    ]
    parsed = read(write_workbook(roster, {"gad7": filled}))
    assert parsed.all_errors == ()
    back = [{column.key: getattr(row, column.key) for column in ROSTER_COLUMNS} for row in parsed.roster]
    assert back == [{"id_number": None} | fields for fields in roster]
    assert [
        {"student_no": row.student_no, "name": row.name, "administered_on": row.administered_on}
        | dict(row.answers)
        for row in parsed.sheets[0].rows
    ] == filled


def test_grades_are_written_as_they_are_read():
    data = write_workbook([{"grade": GradeInfo(Stage.VOCATIONAL, 2)}], {})
    assert load_workbook(io.BytesIO(data))["名册"]["E2"].value == grades.display(
        GradeInfo(Stage.VOCATIONAL, 2)
    )


# --- sentences ---------------------------------------------------------------------------------------------

SENTENCES = sorted(
    {
        value
        for module in (cells, container, rows, sheets, reader, writer)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and " " in value
    }
    | set(writer.NOTES)
    | set(writer.TABLE_HEADINGS)
)


def test_all_sentences_are_found():
    assert len(SENTENCES) > 70


@pytest.mark.parametrize("message", SENTENCES)
def test_each_sentence_is_translated_with_all_that_it_names(message):
    names = set(re.findall(r"{(\w+)}", message))
    shown = translate("zh", message, **{name: f"<{name}>" for name in names})
    assert shown != message.format(**{name: f"<{name}>" for name in names})
    assert set(re.findall(r"<(\w+)>", shown)) == names
    assert json.dumps(shown)
