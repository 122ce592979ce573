"""The school's workbook, once, for the template, the writer and the reader.

One sheet 名册 for the children and one sheet per instrument, titled with the instrument's code. 学号 within the
school is the key that joins them. The heading row is the first row; every further row is one child.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from instruments import Instrument

ROSTER_SHEET = "名册"
NOTES_SHEET = "说明"

MAX_ROWS = 50_000
MAX_COLUMNS = 200


class Kind(StrEnum):
    """What a column holds; decides how a cell is read and how the template formats it."""

    NUMBER_TEXT = "number_text"  # digits that are a name, not an amount: stored as text, never rounded
    NAME = "name"
    TEXT = "text"
    DAY = "day"
    SEX = "sex"
    GRADE = "grade"
    ID_TYPE = "id_type"
    YES_NO = "yes_no"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``key`` is the field of the row it fills, ``title`` what stands in the heading row.

    ``required`` means that the heading must be there and that a cell of a filled row may not be blank;
    ``heading_required`` alone means that the heading must be there and cells may be blank.
    """

    key: str
    title: str
    kind: Kind
    required: bool = False
    heading_required: bool = False
    width: int = 12

    @property
    def must_stand(self) -> bool:
        return self.required or self.heading_required


ROSTER_COLUMNS: tuple[Column, ...] = (
    Column("student_no", "学号", Kind.NUMBER_TEXT, required=True, width=16),
    Column("name", "姓名", Kind.NAME, required=True),
    Column("sex", "性别", Kind.SEX, required=True, width=8),
    Column("birth_date", "出生日期", Kind.DAY, required=True, width=14),
    Column("grade", "年级", Kind.GRADE, required=True, width=10),
    Column("class_name", "班级", Kind.TEXT, required=True, width=10),
    Column("id_type", "证件类型", Kind.ID_TYPE, width=20),
    Column("id_number", "证件号码", Kind.NUMBER_TEXT, width=22),
    Column("guardian_name", "监护人", Kind.NAME),
    Column("guardian_relation", "关系", Kind.TEXT, width=10),
    Column("guardian_phone", "电话", Kind.NUMBER_TEXT, width=16),
    Column("screening_consent", "筛查同意", Kind.YES_NO, width=10),
    Column("share_consent", "转介同意", Kind.YES_NO, width=10),
    Column("consent_on", "同意日期", Kind.DAY, width=14),
)

_SHEET_COLUMNS: tuple[Column, ...] = (
    Column("student_no", "学号", Kind.NUMBER_TEXT, required=True, width=16),
    Column("name", "姓名", Kind.NAME, required=True),
    # Blank on a wholly blank row only: a child who was absent has no day.
    Column("administered_on", "施测日期", Kind.DAY, heading_required=True, width=14),
)

SEXES = {"male": "男", "female": "女"}
ID_TYPES = {
    "resident_id": "居民身份证",
    "hmt_residence": "港澳台居民居住证",
    "foreign_permanent": "外国人永久居留身份证",
    "passport": "护照",
    "birth_certificate": "出生医学证明",
    "none": "无证件",
}
GRADE_EXAMPLES = "四年级、七年级、初一、高二、中职一"
YES_NO = {True: "是", False: "否"}


def sheet_columns(instrument: Instrument) -> tuple[Column, ...]:
    """学号, 姓名, 施测日期 and one column per item, headed by its key.

    Scored items must have their column. An item that is recorded and not scored may be left out of a file:
    older paper forms do not ask it.
    """
    items = (
        Column(item.key, item.key, Kind.ANSWER, heading_required=item.scored, width=5)
        for item in instrument.items
    )
    return (*_SHEET_COLUMNS, *items)


def letters(place: int) -> str:
    """Excel's letters of a column counted from 0: 0 → A, 26 → AA."""
    text = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(65 + rest) + text
    return text


def column_place(name: str) -> int:
    """The place of a column counted from 0: A → 0, AA → 26."""
    place = 0
    for letter in name:
        place = place * 26 + ord(letter) - 64
    return place - 1
