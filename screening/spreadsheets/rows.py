"""One row of the workbook → one checked draft, with every problem named by sheet, row and column.

Problems are *errors* (this row cannot be stored) or *warnings* (stored and marked). A message is an English
catalogue id; neither it nor its parameters hold a name, a number or an answer. Critical answers are read from
every answer row, refused or not: an alarm never waits for a file to be put right.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from typing import TypeVar

from instruments import CriticalAnswer, Grade, Instrument, read_critical, worst_grade
from instruments.answers import NotAnInteger, read_cell
from screening.core import identity_number
from screening.core.grades import GradeInfo, SchoolSystem
from screening.core.identity_number import Doubt
from screening.spreadsheets import cells
from screening.spreadsheets.cells import CellProblem, Mark
from screening.spreadsheets.layout import ID_TYPES, ROSTER_COLUMNS, ROSTER_SHEET, letters

YOUNGEST, OLDEST = 3, 25  # years of age a pupil can have
FIRST_DAY = date(2000, 1, 1)

# Decision 31: a file that is read in another coding or a shifted layout would ring for a whole school.
ALARM_ROWS = 10
ALARM_SHARE = 0.20

# Stands for a cell that holds something nobody may read as an answer.
_UNREADABLE = "?"

BLANK = "{title}: this cell must not be blank."
FORMULA = (
    "{title}: a formula stands here. Formulas are not evaluated: copy the column and paste it as values."
)
ERROR_VALUE = "{title}: an error value such as #N/A stands here."
IN_THE_FUTURE = "{title}: this day has not come yet."
TOO_LONG_AGO = "{title}: this day is too long ago. Check the year."
NO_PUPILS_AGE = "{title}: with this day the child would be under {youngest} or over {oldest}. Check the year."
PRIVATE_CHARACTER = "{title}: a rare character stands here in an old private code and may not print. Type it again with a current input method."
ID_LENGTH = "{title}: an identity number has 18 characters; this one has {length}. Correct it or leave the cell blank."
ID_SHAPE = "{title}: an identity number is 17 digits and a digit or X. Correct it or leave the cell blank."
ID_TYPE_NEEDED = "{title}: this is not an 18-character identity number. Say in {other} what paper it is."
ID_CHECK = "{title}: the check character does not fit. Stored and marked to be verified."
ID_DATE = "{title}: the digits hold no date that exists. Stored and marked to be verified."
ID_OTHER_DATE = "{title}: the date in the number is not the {other}. Stored and marked to be verified."
ID_OTHER_SEX = "{title}: the number does not fit the {other}. Stored and marked to be verified."
ID_WITHOUT_PAPER = "{title}: {chosen} is chosen, but a number stands here."
PHONE_UNUSUAL = (
    "{title}: this does not look like a complete telephone number. Stored as it is; please check it."
)
CONSENT_WITHOUT_DAY = "{title}: a consent is given without its day."
ANSWER_NOT_WHOLE = "Item {title}: a whole number was expected. Allowed: {allowed}."
ANSWER_OUT_OF_RANGE = "Item {title}: this answer is not allowed. Allowed: {allowed}."
SAME_NUMBER = "{title}: the same number stands in row {rows} too. One child has one row in a sheet."
OTHER_NAME = "{title}: the same {key} stands with another name in {sheet}, row {row}."
ALARM_COLUMN = "Sheet {sheet}: no answer in column {columns} is allowed for this instrument, in {rows} rows. The sheet seems to be coded in another way; it was not read for alarms child by child."
ALARM_URGENT = "Sheet {sheet}: {concerned} of {rows} sheets hold an answer that asks for help the same day. The columns may be shifted or coded in another way; look at once."

# The sentence, and the field the number is compared with.
_DOUBTS = {
    Doubt.CHECK_CHARACTER: (ID_CHECK, None),
    Doubt.NO_SUCH_DATE: (ID_DATE, None),
    Doubt.OTHER_BIRTH_DATE: (ID_OTHER_DATE, "birth_date"),
    Doubt.OTHER_SEX: (ID_OTHER_SEX, "sex"),
}
_MARKS = {Mark.FORMULA: FORMULA, Mark.ERROR_VALUE: ERROR_VALUE}


# Row numbers named in one sentence.
_LISTED = 5

T = TypeVar("T")

_Places = Mapping[str, Mapping[str, int]]


class Severity(StrEnum):
    """An error keeps a row, or the file, from being stored; a warning does not. An alarm asks for a person now."""

    ERROR = "error"
    WARNING = "warning"
    ALARM = "alarm"


@dataclass(frozen=True, slots=True)
class RowError:
    """One problem and its place. ``row`` is Excel's number, ``column`` Excel's letters; None = not one place.

    ``message`` is a catalogue id, to be shown with ``translate(locale, message, **params)``.
    """

    sheet: str | None
    row: int | None
    column: str | None
    message: str
    params: Mapping[str, object] = field(default_factory=dict)
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One child of the 名册. None is *not said*. Without errors all required fields are filled.

    ``sex`` is male | female, ``id_type`` a code of ``layout.ID_TYPES``. ``id_to_verify``: the number is
    stored, and a person compares it with the paper.
    """

    excel_row: int
    student_no: str
    name: str
    sex: str | None
    birth_date: date | None
    grade: GradeInfo | None
    class_name: str | None
    id_type: str | None
    id_number: str | None
    guardian_name: str | None
    guardian_relation: str | None
    guardian_phone: str | None
    screening_consent: bool | None
    share_consent: bool | None
    consent_on: date | None
    id_to_verify: bool = False
    warnings: tuple[RowError, ...] = ()
    errors: tuple[RowError, ...] = ()


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One answer sheet. ``answers`` has an entry per item column of the file, None where blank or refused.

    ``refused`` gives the reason by item: not_an_integer | out_of_range | formula | error_value.
    ``is_blank``: no answer cell holds anything, so there is no sheet: the child was absent.
    """

    code: str
    excel_row: int
    student_no: str
    name: str
    administered_on: date | None
    answers: Mapping[str, int | None]
    refused: Mapping[str, str]
    is_blank: bool
    critical: tuple[CriticalAnswer, ...] = ()
    warnings: tuple[RowError, ...] = ()
    errors: tuple[RowError, ...] = ()

    @property
    def worst(self) -> Grade | None:
        """The gravest grade among the critical answers."""
        return worst_grade(answer.grade for answer in self.critical)


@dataclass(frozen=True, slots=True)
class ParsedSheet:
    """The answer rows of one instrument. ``title`` is the sheet's name as typed, ``items`` the columns found."""

    code: str
    title: str
    items: tuple[str, ...]
    rows: tuple[SheetRow, ...]


@dataclass(frozen=True, slots=True)
class ParsedWorkbook:
    """What a workbook says. ``errors`` are about the file and its sheets; rows carry their own.

    ``refused``: the file was not opened at all; ``errors`` says why, and there are no rows.
    """

    roster: tuple[RosterRow, ...] = ()
    sheets: tuple[ParsedSheet, ...] = ()
    errors: tuple[RowError, ...] = ()
    warnings: tuple[RowError, ...] = ()
    refused: bool = False

    @property
    def rows(self) -> tuple[RosterRow | SheetRow, ...]:
        """All rows, the children first."""
        return (*self.roster, *(row for sheet in self.sheets for row in sheet.rows))

    @property
    def all_errors(self) -> tuple[RowError, ...]:
        """Of the file, then row by row. Empty = the workbook can be stored whole."""
        return (*self.errors, *(error for row in self.rows for error in row.errors))

    @property
    def all_warnings(self) -> tuple[RowError, ...]:
        return (*self.warnings, *(warning for row in self.rows for warning in row.warnings))


class AlarmKind(StrEnum):
    """Why a sheet rings as a whole."""

    COLUMN_OUT_OF_RANGE = "column_out_of_range"
    TOO_MANY_URGENT = "too_many_urgent"


@dataclass(frozen=True, slots=True)
class FileAlarm:
    """One alarm about a sheet, in place of the alarms of its rows (decision 31)."""

    sheet: str
    code: str
    kind: AlarmKind
    message: str
    params: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RowCells:
    """The cells of one row: where each field stands, what is there, and what the file says about the cells."""

    sheet: str
    excel_row: int
    values: Sequence[object]
    places: Mapping[str, int]
    marks: Mapping[int, Mark] = field(default_factory=dict)
    mac_days: bool = False

    def raw(self, key: str) -> object:
        """The value in a field's column; None where the file has no such column or the row ends before it."""
        place = self.places.get(key)
        return None if place is None or place >= len(self.values) else self.values[place]

    def mark(self, key: str) -> Mark | None:
        place = self.places.get(key)
        return None if place is None else self.marks.get(place)


class _Checker:
    """Reads the fields of one row and gathers what is wrong with them."""

    def __init__(self, cells_: RowCells, titles: Mapping[str, str]) -> None:
        self.cells = cells_
        self.titles = titles
        self.errors: list[RowError] = []
        self.warnings: list[RowError] = []

    def problem(self, key: str, message: str, **params: object) -> None:
        self.errors.append(self._about(key, message, Severity.ERROR, params))

    def warn(self, key: str, message: str, **params: object) -> None:
        self.warnings.append(self._about(key, message, Severity.WARNING, params))

    def _about(self, key: str, message: str, severity: Severity, params: Mapping[str, object]) -> RowError:
        place = self.cells.places.get(key)
        return RowError(
            sheet=self.cells.sheet,
            row=self.cells.excel_row,
            column=None if place is None else letters(place),
            message=message,
            params={"title": self.titles.get(key, key), **params},
            severity=severity,
        )

    def read(self, key: str, how: Callable[[object], T | None], *, required: bool = False) -> T | None:
        """The field's value; None when it is blank or cannot be read, which is then on record."""
        mark = self.cells.mark(key)
        if mark is not None:
            self.problem(key, _MARKS[mark])
            return None
        try:
            value = how(self.cells.raw(key))
        except CellProblem as problem:
            self.problem(key, problem.message, **problem.params)
            return None
        if value is None and required:
            self.problem(key, BLANK)
        return value

    def read_text(self, key: str, *, required: bool = False) -> str | None:
        return self.read(key, lambda value: cells.read_text(value, key), required=required)

    def read_number_text(self, key: str, *, required: bool = False) -> str | None:
        return self.read(key, lambda value: cells.read_number_text(value, key), required=required)

    def read_name(self, key: str, *, required: bool = False) -> str | None:
        name = self.read(key, cells.read_name, required=required)
        if name is not None and cells.has_private_character(name):
            self.warn(key, PRIVATE_CHARACTER)
        return name

    def read_day(self, key: str, today: date, *, required: bool = False) -> date | None:
        """A day between the year 2000 and today."""
        day = self.read(key, lambda value: cells.read_day(value, mac=self.cells.mac_days), required=required)
        if day is None or FIRST_DAY <= day <= today:
            return day
        self.problem(key, IN_THE_FUTURE if day > today else TOO_LONG_AGO)
        return None


_ROSTER_TITLES = {column.key: column.title for column in ROSTER_COLUMNS}


def roster_row(row: RowCells, *, today: date, system: SchoolSystem = SchoolSystem.SIX_THREE) -> RosterRow:
    """Check one row of the 名册."""
    check = _Checker(row, _ROSTER_TITLES)
    student_no = check.read_number_text("student_no", required=True)
    name = check.read_name("name", required=True)
    sex = check.read("sex", cells.read_sex, required=True)
    birth_date = _birth_date(check, today)
    grade = check.read("grade", lambda value: cells.read_grade(value, system), required=True)
    class_name = check.read("class_name", cells.read_class, required=True)
    id_type, id_number, to_verify = _paper(check, birth_date, sex)
    guardian_phone = _phone(check)
    screening_consent = check.read("screening_consent", cells.read_yes_no)
    share_consent = check.read("share_consent", cells.read_yes_no)
    consent_on = check.read_day("consent_on", today)
    if consent_on is None and (screening_consent or share_consent) and row.raw("consent_on") in (None, ""):
        check.warn("consent_on", CONSENT_WITHOUT_DAY)
    return RosterRow(
        excel_row=row.excel_row,
        student_no=student_no or "",
        name=name or "",
        sex=sex,
        birth_date=birth_date,
        grade=grade,
        class_name=class_name,
        id_type=id_type,
        id_number=id_number,
        guardian_name=check.read_name("guardian_name"),
        guardian_relation=check.read_text("guardian_relation"),
        guardian_phone=guardian_phone,
        screening_consent=screening_consent,
        share_consent=share_consent,
        consent_on=consent_on,
        id_to_verify=to_verify,
        warnings=tuple(check.warnings),
        errors=tuple(check.errors),
    )


def _birth_date(check: _Checker, today: date) -> date | None:
    mac = check.cells.mac_days
    born = check.read("birth_date", lambda value: cells.read_day(value, mac=mac), required=True)
    if born is None or _years_before(today, OLDEST + 1) < born <= _years_before(today, YOUNGEST):
        return born
    if born > today:
        check.problem("birth_date", IN_THE_FUTURE)
    else:
        check.problem("birth_date", NO_PUPILS_AGE, youngest=YOUNGEST, oldest=OLDEST)
    return None


def _years_before(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year - years)
    except ValueError:  # 29 February
        return day.replace(year=day.year - years, day=28)


def _paper(check: _Checker, birth_date: date | None, sex: str | None) -> tuple[str | None, str | None, bool]:
    """Kind of paper, number, and whether a person must compare the number with the paper."""
    kind = check.read("id_type", cells.read_id_type)
    number = check.read_number_text("id_number")
    if number is None:
        return kind, None, False
    number = identity_number.normalise(number)
    if kind == "none":
        check.problem("id_number", ID_WITHOUT_PAPER, chosen=ID_TYPES["none"])
        return kind, None, False
    if kind is None:
        kind = _kind_of(number)
        if kind is None:
            check.problem("id_number", ID_TYPE_NEEDED, other=_ROSTER_TITLES["id_type"])
            return None, None, False
    if kind not in ("resident_id", "hmt_residence"):
        return kind, number, False
    return (kind, *_resident_number(check, number, birth_date, sex))


def _kind_of(number: str) -> str | None:
    if not identity_number.has_shape(number):
        return None
    return "hmt_residence" if identity_number.read(number).of_hmt else "resident_id"


def _resident_number(
    check: _Checker, number: str, birth_date: date | None, sex: str | None
) -> tuple[str | None, bool]:
    if not identity_number.has_shape(number):
        length = len(number)
        if length == identity_number.LENGTH:
            check.problem("id_number", ID_SHAPE)
        else:
            check.problem("id_number", ID_LENGTH, length=length)
        return None, False
    found = identity_number.doubts(number, birth_date=birth_date, sex=sex)
    for doubt in found:
        message, other = _DOUBTS[doubt]
        check.warn("id_number", message, **({} if other is None else {"other": _ROSTER_TITLES[other]}))
    return number, bool(found)


_PHONE = re.compile(
    r"1[3-9][0-9]{9}|0[0-9]{2,3}-?[1-9][0-9]{6,7}(?:-[0-9]{1,6})?|\+[1-9][0-9]{6,14}", re.ASCII
)


def _phone(check: _Checker) -> str | None:
    """A mobile number without its separators, a landline, or a number abroad with +; others are kept and marked."""
    typed = check.read_number_text("guardian_phone")
    if typed is None:
        return None
    digits = re.sub(r"[-()]", "", typed)
    mobile = re.sub(r"^(?:\+|00)?86(?=1[3-9][0-9]{9}$)", "", digits)
    if re.fullmatch(r"1[3-9][0-9]{9}", mobile, re.ASCII):
        return mobile
    if not _PHONE.fullmatch(typed):
        check.warn("guardian_phone", PHONE_UNUSUAL)
    return typed


@dataclass(frozen=True, slots=True)
class ItemColumns:
    """What is the same for all rows of one instrument's sheet: its items that have a column, and titles."""

    instrument: Instrument
    keys: tuple[str, ...]
    allowed: Mapping[str, frozenset[int]]
    titles: Mapping[str, str]

    @classmethod
    def of(cls, instrument: Instrument, places: Mapping[str, int]) -> ItemColumns:
        items = [item for item in instrument.items if item.key in places]
        return cls(
            instrument=instrument,
            keys=tuple(item.key for item in items),
            allowed={item.key: frozenset(item.values) for item in items},
            titles={"student_no": "学号", "name": "姓名", "administered_on": "施测日期"},
        )


def sheet_row(row: RowCells, items: ItemColumns, *, today: date) -> SheetRow:
    """Check one answer row, and read its critical answers whatever else is wrong with it."""
    check = _Checker(row, items.titles)
    student_no = check.read_number_text("student_no", required=True)
    name = check.read_name("name", required=True)
    answers, refused = _answers(check, items)
    blank = not refused and all(answer is None for answer in answers.values())
    administered_on = check.read_day("administered_on", today, required=not blank)
    return SheetRow(
        code=items.instrument.code,
        excel_row=row.excel_row,
        student_no=student_no or "",
        name=name or "",
        administered_on=administered_on,
        answers=answers,
        refused=refused,
        is_blank=blank,
        critical=() if blank else _critical(row, items, answers, refused),
        warnings=tuple(check.warnings),
        errors=tuple(check.errors),
    )


def _answers(check: _Checker, items: ItemColumns) -> tuple[dict[str, int | None], dict[str, str]]:
    answers: dict[str, int | None] = {}
    refused: dict[str, str] = {}
    row = check.cells
    for key in items.keys:
        try:
            answer = read_cell(row.raw(key))
        except NotAnInteger:
            refused[key] = "not_an_integer"
            answer = None
        if answer is not None and answer not in items.allowed[key]:
            refused[key] = "out_of_range"
            answer = None
        answers[key] = answer
    for key in items.keys if row.marks else ():
        mark = row.mark(key)
        if mark is not None:
            refused[key], answers[key] = mark.value, None
    for key, reason in refused.items():
        _refuse(check, items, key, reason)
    return answers, refused


def _refuse(check: _Checker, items: ItemColumns, key: str, reason: str) -> None:
    allowed = ", ".join(str(value) for value in sorted(items.allowed[key]))
    if reason == "not_an_integer":
        check.problem(key, ANSWER_NOT_WHOLE, allowed=allowed)
    elif reason == "out_of_range":
        check.problem(key, ANSWER_OUT_OF_RANGE, allowed=allowed)
    else:
        check.problem(key, _MARKS[Mark(reason)])


def _critical(
    row: RowCells, items: ItemColumns, answers: Mapping[str, int | None], refused: Mapping[str, str]
) -> tuple[CriticalAnswer, ...]:
    """Critical answers with each refused cell as unreadable (grade C), and with what stands in it if that is graver.

    A formula is refused, but the number it last showed may be a child's cry for help.
    """
    unreadable = {**answers, **dict.fromkeys(refused, _UNREADABLE)}
    found = read_critical(items.instrument, unreadable)
    if not refused:
        return found
    shown = {**answers, **{key: row.raw(key) for key in refused}}
    return _gravest(found, read_critical(items.instrument, shown))


def _gravest(*readings: Iterable[CriticalAnswer]) -> tuple[CriticalAnswer, ...]:
    by_item: dict[str, CriticalAnswer] = {}
    for answer in (answer for reading in readings for answer in reading):
        known = by_item.get(answer.item)
        if known is None or worst_grade((known.grade, answer.grade)) is not known.grade:
            by_item[answer.item] = answer
    return tuple(by_item.values())


def cross_check(parsed: ParsedWorkbook, places: Mapping[str, Mapping[str, int]]) -> ParsedWorkbook:
    """Add what only several rows together show: a 学号 twice in a sheet, a 学号 with two names.

    ``places``: sheet → field → column counted from 0.
    """
    roster = _without_twins(ROSTER_SHEET, parsed.roster, places)
    sheets = [replace(sheet, rows=_without_twins(sheet.title, sheet.rows, places)) for sheet in parsed.sheets]
    first: dict[str, tuple[str, str, int]] = {}
    for child in roster:
        _remember(first, child, ROSTER_SHEET)
    named = []
    for sheet in sheets:
        rows = tuple(_same_name(first, row, sheet.title, places) for row in sheet.rows)
        named.append(replace(sheet, rows=rows))
    return replace(parsed, roster=roster, sheets=tuple(named))


R = TypeVar("R", RosterRow, SheetRow)


def _without_twins(sheet: str, rows: tuple[R, ...], columns: _Places) -> tuple[R, ...]:
    """Rows that share a 学号 are errors, each naming the others."""
    places: dict[str, list[int]] = defaultdict(list)
    for row in rows:
        if row.student_no:
            places[row.student_no].append(row.excel_row)
    if len(places) == len(rows):
        return rows
    return tuple(_twin(sheet, row, places.get(row.student_no, []), columns) for row in rows)


def _twin(sheet: str, row: R, places: Sequence[int], columns: _Places) -> R:
    others = [str(place) for place in places if place != row.excel_row]
    if not others:
        return row
    listed = ", ".join(others[:_LISTED]) + (" …" if len(others) > _LISTED else "")
    return _with_error(row, sheet, columns, "student_no", SAME_NUMBER, {"rows": listed})


def _remember(first: dict[str, tuple[str, str, int]], row: RosterRow | SheetRow, sheet: str) -> None:
    if row.student_no and row.name:
        first.setdefault(row.student_no, (row.name, sheet, row.excel_row))


def _same_name(
    first: dict[str, tuple[str, str, int]], row: SheetRow, sheet: str, columns: _Places
) -> SheetRow:
    _remember(first, row, sheet)
    if not row.student_no or not row.name:
        return row
    name, where, place = first[row.student_no]
    if name == row.name or (where == sheet and place == row.excel_row):
        return row
    return _with_error(
        row,
        sheet,
        columns,
        "name",
        OTHER_NAME,
        {"key": _ROSTER_TITLES["student_no"], "sheet": where, "row": place},
    )


def _with_error(
    row: R, sheet: str, columns: _Places, key: str, message: str, params: Mapping[str, object]
) -> R:
    column = letters(columns[sheet][key])
    found = RowError(sheet, row.excel_row, column, message, {"title": _ROSTER_TITLES[key], **params})
    return replace(row, errors=(*row.errors, found))


def file_alarms(parsed: ParsedWorkbook) -> tuple[FileAlarm, ...]:
    """Sheets that ring once as a whole instead of child by child.

    A column in which more than 10 rows are filled and no answer is allowed, or an A or B in more than 20 % of
    more than 10 filled rows. Below eleven rows each child rings: too few to tell a coding from a bad day.
    """
    alarms = []
    for sheet in parsed.sheets:
        filled = [row for row in sheet.rows if not row.is_blank]
        if len(filled) > ALARM_ROWS:
            alarms += _column_alarm(sheet, filled) or _urgent_alarm(sheet, filled)
    return tuple(alarms)


def _column_alarm(sheet: ParsedSheet, filled: Sequence[SheetRow]) -> list[FileAlarm]:
    columns = []
    for key in sheet.items:
        refused = sum(key in row.refused for row in filled)
        answered = sum(row.answers[key] is not None for row in filled)
        if refused > ALARM_ROWS and not answered:
            columns.append(key)
    if not columns:
        return []
    params = {"sheet": sheet.title, "columns": ", ".join(columns), "rows": len(filled)}
    return [FileAlarm(sheet.title, sheet.code, AlarmKind.COLUMN_OUT_OF_RANGE, ALARM_COLUMN, params)]


def _urgent_alarm(sheet: ParsedSheet, filled: Sequence[SheetRow]) -> list[FileAlarm]:
    urgent = sum(row.worst in (Grade.A, Grade.B) for row in filled)
    if urgent <= ALARM_SHARE * len(filled):
        return []
    params = {"sheet": sheet.title, "concerned": urgent, "rows": len(filled)}
    return [FileAlarm(sheet.title, sheet.code, AlarmKind.TOO_MANY_URGENT, ALARM_URGENT, params)]
