"""Writing the school's workbook with openpyxl, empty or filled. ``template`` is the door to this module.

A text that a spreadsheet program would take for a formula is disarmed twice: an apostrophe in front
(``safe_text``), and the cell's type set to text, because openpyxl turns any string that begins with ``=`` into a
live formula.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import cast

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.worksheet import Worksheet

from instruments import Instrument, Item, catalogue
from screening.core import grades
from screening.core.i18n import translate
from screening.spreadsheets.escaping import safe_text
from screening.spreadsheets.layout import (
    GRADE_EXAMPLES,
    ID_TYPES,
    MAX_ROWS,
    NOTES_SHEET,
    ROSTER_COLUMNS,
    ROSTER_SHEET,
    SEXES,
    YES_NO,
    Column,
    Kind,
    letters,
    sheet_columns,
)

_TEXT_FORMAT, _DAY_FORMAT = "@", "yyyy-mm-dd"
_REQUIRED_FILL = PatternFill("solid", start_color="2F4858")
_OPTIONAL_FILL = PatternFill("solid", start_color="86A5B1")
_HEADING_FONT = Font(bold=True, color="FFFFFF")
_LAST_ROW = MAX_ROWS + 1
_TYPE_CHECKED = {
    Kind.SEX: tuple(SEXES.values()),
    Kind.ID_TYPE: tuple(ID_TYPES.values()),
    Kind.YES_NO: tuple(YES_NO.values()),
}

NOTES: tuple[str, ...] = (
    "Sheet {roster} holds one row per child. Each further sheet is named after an instrument and holds one row per answer sheet. Do not change the headings.",
    "Columns with a dark heading must be filled in; the others may stay blank. A blank cell means “not said”: it never erases what the system already knows.",
    "{student_no} is the child's number within the school. It joins the sheets: the same number stands with the same {name} everywhere, and once in each sheet.",
    "{student_no}, {id_number} and {guardian_phone} are text columns, so that Excel does not round long numbers. Paste into them as text only.",
    "Write days like 2026-11-03, grades like {examples}.",
    "{screening_consent} and {share_consent}: {yes} or {no} as the guardian has answered, with the day in {consent_on}. Leave them blank when nobody has answered.",
    "Answers: type the number that stands beside the ticked answer. Leave a cell blank where nothing was ticked. Leave all answers of an absent child blank.",
    "No formulas, no merged cells, no macros, no password. One sheet holds at most {rows} rows.",
    "If an answer frightens you while typing, do not wait for the upload: tell the counsellor at once.",
    "The table below helps whoever types the answers in. It is not for children.",
)
NOTES_TITLE = "How to fill in this workbook"
TABLE_HEADINGS = ("Sheet", "Column", "What it is about", "Allowed answers")
ANSWER_PROMPT = "Allowed: {allowed}. Leave blank if nothing was ticked."
NOT_ALLOWED = "This value is not allowed here. Allowed: {allowed}."


def write_book(
    roster_rows: Iterable[Mapping[str, object]],
    sheets: Mapping[str, Iterable[Mapping[str, object]]],
    locale: str,
) -> bytes:
    """The whole workbook: 名册, one sheet per instrument of ``sheets``, and the page of explanation."""
    instruments = [catalogue().get(code) for code in sheets]
    book = Workbook()
    book.properties.creator = "xinqiao"
    roster = cast(Worksheet, book.active)
    roster.title = ROSTER_SHEET
    _fill(roster, ROSTER_COLUMNS, {}, roster_rows, locale)
    for instrument in instruments:
        items = {item.key: item for item in instrument.items}
        page = book.create_sheet(instrument.code)
        _fill(page, sheet_columns(instrument), items, sheets[instrument.code], locale)
    _explain(book.create_sheet(NOTES_SHEET), instruments, locale)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _fill(
    page: Worksheet,
    columns: Sequence[Column],
    items: Mapping[str, Item],
    rows: Iterable[Mapping[str, object]],
    locale: str,
) -> None:
    for place, column in enumerate(columns):
        _heading(page, place, column)
    _check_while_typing(page, columns, items, locale)
    page.freeze_panes = "C2"
    for number, row in enumerate(rows, start=2):
        for place, column in enumerate(columns, start=1):
            value = row.get(column.key)
            if value is not None:
                _put(page, number, place, column.kind, value)


def _heading(page: Worksheet, place: int, column: Column) -> None:
    cell = cast(Cell, page.cell(1, place + 1))
    # A number, as a person would type it: a text "1" carries a warning triangle in Excel.
    cell.value = int(column.title) if column.title.isdigit() else column.title
    cell.font = _HEADING_FONT
    cell.fill = _REQUIRED_FILL if column.required or column.key == "administered_on" else _OPTIONAL_FILL
    cell.alignment = Alignment(horizontal="center")
    width = page.column_dimensions[letters(place)]
    width.width = column.width
    width.number_format = _FORMATS.get(column.kind, "General")


_FORMATS = {Kind.NUMBER_TEXT: _TEXT_FORMAT, Kind.TEXT: _TEXT_FORMAT, Kind.DAY: _DAY_FORMAT}


def _check_while_typing(
    page: Worksheet, columns: Sequence[Column], items: Mapping[str, Item], locale: str
) -> None:
    """Validation in the file itself: one rule per kind of value, over all columns that share it."""
    rules: dict[tuple[str, ...], DataValidation] = {}
    for place, column in enumerate(columns):
        allowed = _allowed(column, items)
        if not allowed:
            continue
        rule = rules.setdefault(allowed, _rule(allowed, column.kind, locale))
        rule.add(f"{letters(place)}2:{letters(place)}{_LAST_ROW}")
    for rule in rules.values():
        page.add_data_validation(rule)


def _allowed(column: Column, items: Mapping[str, Item]) -> tuple[str, ...]:
    if column.kind is Kind.ANSWER:
        return tuple(str(value) for value in sorted(items[column.key].values))
    return _TYPE_CHECKED.get(column.kind, ())


def _rule(allowed: tuple[str, ...], kind: Kind, locale: str) -> DataValidation:
    listed = "、".join(allowed) if locale == "zh" else ", ".join(allowed)
    rule = DataValidation(type="list", formula1=f'"{",".join(allowed)}"', allow_blank=True)
    rule.error = translate(locale, NOT_ALLOWED, allowed=listed)
    rule.showErrorMessage = True
    if kind is Kind.ANSWER:
        # In openpyxl this hides the arrow: whoever types a hundred answers wants no list in the way.
        rule.showDropDown = True
        rule.prompt = translate(locale, ANSWER_PROMPT, allowed=listed)
        rule.showInputMessage = True
    return rule


def _put(page: Worksheet, row: int, place: int, kind: Kind, value: object) -> None:
    cell = cast(Cell, page.cell(row, place))
    shown = _shown(kind, value)
    if isinstance(shown, str):
        cell.value = safe_text(shown)
        cell.data_type = "s"
    elif isinstance(shown, int | date):
        cell.value = shown
    else:
        raise TypeError(f"a {type(value).__name__} cannot stand in a {kind} column")
    cell.number_format = _FORMATS.get(kind, cell.number_format)


def _shown(kind: Kind, value: object) -> object:
    """The value as a person would have typed it."""
    if isinstance(value, grades.GradeInfo):
        return grades.display(value)
    if kind is Kind.YES_NO and isinstance(value, bool):
        return YES_NO[value]
    if kind is Kind.SEX:
        return SEXES.get(str(value), value)
    if kind is Kind.ID_TYPE:
        return ID_TYPES.get(str(value), value)
    return value.date() if isinstance(value, datetime) else value


def _explain(page: Worksheet, instruments: Sequence[Instrument], locale: str) -> None:
    title = page.cell(1, 1, translate(locale, NOTES_TITLE))
    title.font = Font(bold=True, size=14)
    words = {column.key: column.title for column in ROSTER_COLUMNS} | {
        "roster": ROSTER_SHEET,
        "examples": GRADE_EXAMPLES,
        "yes": YES_NO[True],
        "no": YES_NO[False],
        "rows": str(MAX_ROWS),
    }
    row = 3
    for note in NOTES:
        text = translate(locale, note, **words)
        page.cell(row, 1, text).alignment = Alignment(wrap_text=True, vertical="top")
        page.merge_cells(start_row=row, start_column=1, end_row=row, end_column=len(TABLE_HEADINGS))
        page.row_dimensions[row].height = 32
        row += 1
    _table(page, row + 1, instruments, locale)
    for place, width in enumerate((12, 10, 34, 64)):
        page.column_dimensions[letters(place)].width = width


def _table(page: Worksheet, row: int, instruments: Sequence[Instrument], locale: str) -> None:
    """Items by column with our short labels and the numbers of their answers."""
    for place, heading in enumerate(TABLE_HEADINGS, start=1):
        cell = page.cell(row, place, translate(locale, heading))
        cell.font, cell.fill = _HEADING_FONT, _REQUIRED_FILL
    for instrument in instruments:
        for item in instrument.items:
            row += 1
            label = item.zh if locale == "zh" else item.en
            for place, text in enumerate((instrument.code, item.key, label, _options(item, locale)), start=1):
                cell = page.cell(row, place, safe_text(text))
                cell.data_type = "s"


def _options(item: Item, locale: str) -> str:
    return "   ".join(
        f"{option.value} {option.zh if locale == 'zh' else option.en}" for option in item.options
    )
