"""One cell → one value, or a problem in words. What a person typed is cleaned, never guessed at.

A blank cell is None: *not said*, which never erases anything. Values arrive as the spreadsheet reader gives
them: ``str``, ``float``, ``int``, ``bool``, ``datetime``, ``date``, ``time``, ``timedelta`` or None.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum

from screening.core import grades
from screening.spreadsheets.layout import GRADE_EXAMPLES, ID_TYPES, SEXES, YES_NO

MAX_TEXT = {
    "student_no": 32,
    "id_number": 40,
    "guardian_phone": 40,
    "guardian_relation": 30,
    "class_name": 50,
}
MAX_NAME = 100

# A double keeps 15 decimal digits; Excel replaces the others by zeros while the number is being typed.
_EXACT_BELOW = 1e15
_SCIENTIFIC = re.compile(r"[0-9]+(?:\.[0-9]+)?E\+?[0-9]+", re.ASCII | re.IGNORECASE)
_DAY = re.compile(
    r"([0-9]{4})\s*[-/.年]\s*([0-9]{1,2})\s*[-/.月]\s*([0-9]{1,2})\s*日?"
    r"(?:[\sT]+[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?",
    re.ASCII,
)
_PLAIN_DAY = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})", re.ASCII)
_FIRST_SERIAL, _LAST_SERIAL = 20_000, 80_000  # 1954 to 2119: what a day in a school can be
_DAY_0, _DAY_0_MAC = date(1899, 12, 30), date(1904, 1, 1)

# Marks that turn the direction of writing: they make a name read as another name.
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad]")
# Every dot that people type between the parts of a name; U+00B7 is the one the standard asks for.
_NAME_DOTS = re.compile("[\u2022\u2027\u2219\u22c5\u30fb\uff65]")
_INK = r"[^\u0000-\u2e7f\uff00-\uffef]"  # not Latin, Arabic …: a character of the Han kind
_PADDING = re.compile(rf"(?<={_INK})\s+(?={_INK})")
# Our own export puts an apostrophe before what a spreadsheet would take for a formula.
ESCAPED = re.compile(r"'(?=[=+\-@|%＝＋－＠])")

YES = frozenset({"是", "同意", "已同意", "有", "y", "yes", "true", "1", "√", "✓", "对"})
NO = frozenset({"否", "不同意", "未同意", "无", "n", "no", "false", "0", "×", "✗", "x"})
_SEX_WORDS = {
    "男": "male", "男性": "male", "m": "male", "male": "male", "1": "male",
    "女": "female", "女性": "female", "f": "female", "female": "female", "2": "female",
}  # fmt: skip
_ID_TYPE_WORDS = {title: code for code, title in ID_TYPES.items()} | {
    "身份证": "resident_id", "居民身份证号": "resident_id", "二代身份证": "resident_id",
    "港澳台居住证": "hmt_residence", "外国人永久居留证": "foreign_permanent",
    "出生证": "birth_certificate", "出生证明": "birth_certificate", "无": "none", "没有": "none",
}  # fmt: skip


class Mark(StrEnum):
    """What the sheet's own text says about a cell and the value alone does not."""

    FORMULA = "formula"
    ERROR_VALUE = "error_value"


class CellProblem(Exception):
    """The cell cannot be read. ``message`` is a catalogue id; it never holds what stood in the cell."""

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(message)
        self.message = message
        self.params: Mapping[str, object] = params


LOST_DIGITS = "{title}: Excel has rounded this number and its last digits are lost. Format the column as text and type the number again."
NOT_PLAIN = "{title}: this cell holds a control character or a character that turns the writing direction. Type the text again."
TOO_LONG = "{title}: longer than {limit} characters."
IS_A_DATE = "{title}: Excel has turned this into a date. Format the column as text and type it again."
NOT_A_WHOLE_NUMBER = "{title}: a number with decimals cannot stand here."
NOT_TEXT = "{title}: text was expected here."
NOT_A_DATE = "{title}: this is not a date. Write it like 2026-11-03."
NO_SUCH_DAY = "{title}: this day does not exist in the calendar."
NOT_A_GRADE = "{title}: this grade is not understood. Write it like {examples}."
NOT_IN_LIST = "{title}: choose one of {allowed}."
NOT_YES_OR_NO = "{title}: write {yes} or {no}, or leave the cell blank."


def is_blank(value: object) -> bool:
    """Nothing, or only white space and invisible characters."""
    return value is None or (isinstance(value, str) and not _INVISIBLE.sub("", value).strip())


def plain(value: object) -> str | None:
    """The text of a cell without the white space around it; whole numbers without ``.0``."""
    if is_blank(value):
        return None
    if isinstance(value, str):
        text = _INVISIBLE.sub("", value).strip()
        if _BIDI.search(text) or any(unicodedata.category(character) == "Cc" for character in text):
            raise CellProblem(NOT_PLAIN)
        return text
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CellProblem(IS_A_DATE if isinstance(value, date) else NOT_TEXT)
    if not math.isfinite(value) or abs(value) >= _EXACT_BELOW:
        raise CellProblem(LOST_DIGITS)
    if value != int(value):
        raise CellProblem(NOT_A_WHOLE_NUMBER)
    return str(int(value))


def read_number_text(value: object, key: str) -> str | None:
    """Digits that are a name: a student number, a paper's number, a telephone. Half-width, no spaces."""
    text = plain(value)
    if text is None:
        return None
    text = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).lstrip("'’‘")
    if _SCIENTIFIC.fullmatch(text):
        raise CellProblem(LOST_DIGITS)
    text = re.sub(r"(?<=[0-9])\.0$", "", text)
    return _within(text, MAX_TEXT[key])


def read_text(value: object, key: str) -> str | None:
    """A short free text, half-width, with single spaces."""
    text = plain(value)
    if text is None:
        return None
    text = ESCAPED.sub("", unicodedata.normalize("NFKC", text), count=1)
    return _within(_squeezed(text), MAX_TEXT[key])


def read_class(value: object) -> str | None:
    """班级. A bare number is that class: ``3``, ``3班``, ``(3)班`` and ``（３）班`` are one class."""
    text = read_text(value, "class_name")
    if text is None:
        return None
    found = re.fullmatch(r"\(?([0-9]{1,3})\)?班?", text.replace(" ", ""), re.ASCII)
    return f"{int(found[1])}班" if found else text


def read_name(value: object) -> str | None:
    """A person's name in NFC. Rare characters, one-character names and ``·`` come back unchanged.

    White space that pads 张　三 goes; between words of another script one space stays.
    """
    text = plain(value)
    if text is None:
        return None
    text = ESCAPED.sub("", unicodedata.normalize("NFC", text), count=1)
    return _within(_PADDING.sub("", _squeezed(_NAME_DOTS.sub("·", text))), MAX_NAME)


def has_private_character(text: str) -> bool:
    """A character from a private area: old systems put rare characters there, and no font shows them."""
    return any(unicodedata.category(character) == "Co" for character in text)


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _within(text: str, limit: int) -> str:
    if len(text) > limit:
        raise CellProblem(TOO_LONG, limit=limit)
    return text


def read_day(value: object, *, mac: bool = False) -> date | None:
    """An Excel date, a bare serial number, or 2026-11-03, 2026/11/3, 2026.11.3, 2026年11月3日, 20261103.

    Two-digit years and day-first orders are refused: they can be read in two ways. ``mac``: the workbook
    counts its serial numbers from 1904.
    """
    if is_blank(value):
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str):
        return _day_in(_squeezed(unicodedata.normalize("NFKC", value)))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CellProblem(NOT_A_DATE)
    if _FIRST_SERIAL <= value <= _LAST_SERIAL:
        return (_DAY_0_MAC if mac else _DAY_0) + timedelta(days=int(value))
    return _day_in(str(int(value)) if abs(value) < _EXACT_BELOW else "")


def _day_in(text: str) -> date:
    found = _DAY.fullmatch(text) or _PLAIN_DAY.fullmatch(text)
    if found is None:
        raise CellProblem(NOT_A_DATE)
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        raise CellProblem(NO_SUCH_DAY) from None


def _word(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = plain(value)
    return None if text is None else unicodedata.normalize("NFKC", text).replace(" ", "").casefold()


def read_sex(value: object) -> str | None:
    """``"male"`` or ``"female"``."""
    word = _word(value)
    if word is None:
        return None
    if word not in _SEX_WORDS:
        raise CellProblem(NOT_IN_LIST, allowed="、".join(SEXES.values()))
    return _SEX_WORDS[word]


def read_grade(value: object, system: grades.SchoolSystem) -> grades.GradeInfo | None:
    """年级, in any of the ways schools write it."""
    text = plain(value)
    if text is None:
        return None
    grade = grades.parse(text, system)
    if grade is None:
        raise CellProblem(NOT_A_GRADE, examples=GRADE_EXAMPLES)
    return grade


def read_id_type(value: object) -> str | None:
    """A code of ``layout.ID_TYPES``."""
    word = _word(value)
    if word is None:
        return None
    if word not in _ID_TYPE_WORDS:
        raise CellProblem(NOT_IN_LIST, allowed="、".join(ID_TYPES.values()))
    return _ID_TYPE_WORDS[word]


def read_yes_no(value: object) -> bool | None:
    """是 / 否; a blank is *not said*, which is not 否."""
    word = _word(value)
    if word is None:
        return None
    if word in YES:
        return True
    if word in NO:
        return False
    raise CellProblem(NOT_YES_OR_NO, yes=YES_NO[True], no=YES_NO[False])
