"""The sheets of an opened workbook → rows: which sheet is what, which column is what, what is odd about them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from python_calamine import CalamineSheet, CalamineWorkbook

from instruments import Instrument
from screening.core.grades import SchoolSystem
from screening.spreadsheets import container
from screening.spreadsheets.cells import Mark, is_blank
from screening.spreadsheets.container import Container, SheetText, WorkbookRefused
from screening.spreadsheets.layout import (
    MAX_COLUMNS,
    NOTES_SHEET,
    ROSTER_COLUMNS,
    ROSTER_SHEET,
    Column,
    letters,
    sheet_columns,
)
from screening.spreadsheets.rows import (
    ItemColumns,
    ParsedSheet,
    ParsedWorkbook,
    RosterRow,
    RowCells,
    RowError,
    Severity,
    SheetRow,
    cross_check,
    roster_row,
    sheet_row,
)

# A school puts a title, or two lines of notes, above the headings.
_HEADINGS_WITHIN = 10
_LISTED = 10

NOTHING_TO_READ = "The workbook has neither the sheet {roster} nor a sheet named after an instrument. Use the empty template."
UNKNOWN_SHEET = "Sheet {sheet} is not known. A sheet is named {roster} or after one of: {codes}."
SHEET_TWICE = "Sheet {sheet} stands for the same thing as sheet {other}. Put all rows into one sheet."
NO_HEADINGS = "Sheet {sheet}: the headings were not found. The first row must hold {titles} and the other headings of the template."
MISSING_COLUMN = "Sheet {sheet}: the column {title} is missing. The sheet was not read."
DOUBLE_COLUMN = (
    "Sheet {sheet}: the heading {title} stands twice, in columns {columns}. The sheet was not read."
)
UNKNOWN_COLUMN = "Sheet {sheet}: the heading of column {column} is not known. Correct or remove the column."
NO_HEADING = "Sheet {sheet}: column {column} holds data (row {row}) and has no heading."
MERGED = "Sheet {sheet}: the cells {area} are merged, so only one row has the value. Undo the merging and fill in each row."
HIDDEN_ROWS = "Sheet {sheet}: {count} rows are hidden in Excel ({listed}). They are read like the others."
HIDDEN_COLUMNS = "Sheet {sheet}: columns are hidden in Excel ({listed}). They are read like the others."
HIDDEN_SHEET = "Sheet {sheet} is hidden in Excel. It is read like the others."
NOTHING_FILLED = "The workbook holds headings only; no row is filled."
NO_ROWS = "Sheet {sheet} has headings and no rows."


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A sheet whose headings were found: which field stands in which column, and where the rows begin."""

    text: SheetText
    values: Sequence[Sequence[object]]
    heading_row: int
    places: Mapping[str, int]

    def rows(self, mac_days: bool) -> Iterator[RowCells]:
        """The rows that hold anything, with their Excel numbers."""
        marks = _by_row(self.text.marks)
        # A formula without a stored result is no value: the last rows may hold nothing else.
        end = max(len(self.values), *(number + 1 for number in marks)) if marks else len(self.values)
        for number in range(self.heading_row + 1, end):
            values = self.values[number] if number < len(self.values) else ()
            if number in marks or not all(map(is_blank, values)):
                yield RowCells(
                    sheet=self.text.name,
                    excel_row=number + 1,
                    values=values,
                    places=self.places,
                    marks=marks.get(number, {}),
                    mac_days=mac_days,
                )


def _by_row(marks: Mapping[tuple[int, int], Mark]) -> dict[int, dict[int, Mark]]:
    found: dict[int, dict[int, Mark]] = {}
    for (row, column), mark in marks.items():
        found.setdefault(row, {})[column] = mark
    return found


class SheetReading:
    """One reading of one workbook: gathers rows and what is wrong with file and sheets."""

    def __init__(
        self,
        book: CalamineWorkbook,
        known: Container,
        instruments: Mapping[str, Instrument],
        today: date,
        system: SchoolSystem,
    ) -> None:
        self.book = book
        self.known = known
        self.instruments = instruments
        self.today = today
        self.system = system
        self.errors: list[RowError] = []
        self.warnings: list[RowError] = []
        self.places: dict[str, Mapping[str, int]] = {}

    def parsed(self) -> ParsedWorkbook:
        roster: tuple[RosterRow, ...] = ()
        sheets: list[ParsedSheet] = []
        for code, text in self._meant().items():
            if code == ROSTER_SHEET:
                roster = self._roster(text)
            else:
                sheets += self._answers(self.instruments[code], text)
        if not self.errors and not roster and not any(sheet.rows for sheet in sheets):
            self.errors.append(RowError(None, None, None, NOTHING_FILLED))
        read = ParsedWorkbook(roster, tuple(sheets), tuple(self.errors), tuple(self.warnings))
        return cross_check(read, self.places)

    def _meant(self) -> dict[str, SheetText]:
        """名册 or instrument code → its sheet. Blank sheets and 说明 are passed over, unknown ones are errors."""
        found: dict[str, SheetText] = {}
        for text in self.known.sheets:
            code = unicodedata.normalize("NFKC", text.name).strip().casefold()
            if code == NOTES_SHEET or (text.is_blank and not text.marks and code not in self.instruments):
                continue
            if code != ROSTER_SHEET and code not in self.instruments:
                self._error(text.name, UNKNOWN_SHEET, roster=ROSTER_SHEET, codes=", ".join(self.instruments))
            elif code in found:
                self._error(text.name, SHEET_TWICE, other=found[code].name)
            else:
                found[code] = text
                self._look_at_hidden(text)
        if not found and not self.errors:
            self.errors.append(RowError(None, None, None, NOTHING_TO_READ, {"roster": ROSTER_SHEET}))
        return found

    def _roster(self, text: SheetText) -> tuple[RosterRow, ...]:
        sheet = self._sheet(text, ROSTER_COLUMNS)
        if sheet is None:
            return ()
        return tuple(
            roster_row(row, today=self.today, system=self.system) for row in sheet.rows(self.known.mac_days)
        )

    def _answers(self, instrument: Instrument, text: SheetText) -> list[ParsedSheet]:
        sheet = self._sheet(text, sheet_columns(instrument))
        if sheet is None:
            return []
        items = ItemColumns.of(instrument, sheet.places)
        rows: tuple[SheetRow, ...] = tuple(
            sheet_row(row, items, today=self.today) for row in sheet.rows(self.known.mac_days)
        )
        return [ParsedSheet(instrument.code, text.name, items.keys, rows)]

    def _sheet(self, text: SheetText, columns: Sequence[Column]) -> _Sheet | None:
        """The sheet with its columns found; None, with the reason on record, when it cannot be read."""
        opened = self.book.get_sheet_by_name(text.name)
        if opened.total_width > MAX_COLUMNS:
            raise WorkbookRefused(
                container.TOO_MANY_COLUMNS, text.name, limit=MAX_COLUMNS, column=letters(MAX_COLUMNS - 1)
            )
        values: Sequence[Sequence[object]] = opened.to_python(skip_empty_area=False)
        heading_row = _heading_row(values)
        if heading_row is None:
            self._error(text.name, NO_HEADINGS, titles="学号, 姓名")
            return None
        places = self._places(text.name, values, heading_row, columns)
        if places is None:
            return None
        self.places[text.name] = places
        self._look_at_merged(text.name, opened, heading_row)
        sheet = _Sheet(text, values, heading_row, places)
        if next(sheet.rows(mac_days=False), None) is None:
            self._warn(text.name, NO_ROWS)
        return sheet

    def _places(
        self, name: str, values: Sequence[Sequence[object]], heading_row: int, columns: Sequence[Column]
    ) -> dict[str, int] | None:
        """Field → column. A missing or double heading leaves the meaning open: the sheet is not read at all.

        A heading nobody knows is an error too (a consent must not be lost to a slip of the pen), but the
        columns that are known are read: critical answers in them must ring.
        """
        keys = {column.title.casefold(): column.key for column in columns}
        found: dict[str, list[int]] = {}
        for place, value in enumerate(values[heading_row]):
            title = _title(value)
            if title:
                found.setdefault(title, []).append(place)
            else:
                self._look_below(name, values, heading_row, place)
        for title, places in found.items():
            if title not in keys:
                self._error(name, UNKNOWN_COLUMN, heading_row, places[0])
        double = {title: places for title, places in found.items() if title in keys and len(places) > 1}
        for title, places in double.items():
            listed = ", ".join(map(letters, places))
            self._error(name, DOUBLE_COLUMN, heading_row, places[1], title=title, columns=listed)
        missing = [c.title for c in columns if c.must_stand and c.title.casefold() not in found]
        for title in missing:
            self._error(name, MISSING_COLUMN, heading_row, title=title)
        if double or missing:
            return None
        return {keys[title]: places[0] for title, places in found.items() if title in keys}

    def _look_below(
        self, name: str, values: Sequence[Sequence[object]], heading_row: int, place: int
    ) -> None:
        for number, row in enumerate(values[heading_row + 1 :], start=heading_row + 1):
            if place < len(row) and not is_blank(row[place]):
                self._error(name, NO_HEADING, number, place)
                return

    def _look_at_hidden(self, text: SheetText) -> None:
        if not text.visible:
            self._warn(text.name, HIDDEN_SHEET)
        if text.hidden_rows:
            listed = _listed(str(row + 1) for row in text.hidden_rows)
            self._warn(text.name, HIDDEN_ROWS, count=len(text.hidden_rows), listed=listed)
        if text.hidden_columns:
            self._warn(text.name, HIDDEN_COLUMNS, listed=_listed(map(letters, text.hidden_columns)))

    def _look_at_merged(self, name: str, opened: CalamineSheet, heading_row: int) -> None:
        for (top, left), (bottom, right) in opened.merged_cell_ranges or ():
            if bottom > heading_row:
                area = f"{letters(left)}{top + 1}:{letters(right)}{bottom + 1}"
                self._error(name, MERGED, max(top, heading_row + 1), left, area=area)

    def _error(
        self, sheet: str, message: str, row: int | None = None, place: int | None = None, **params: object
    ) -> None:
        self.errors.append(_about(sheet, message, row, place, Severity.ERROR, params))

    def _warn(self, sheet: str, message: str, **params: object) -> None:
        self.warnings.append(_about(sheet, message, None, None, Severity.WARNING, params))


def _about(
    sheet: str,
    message: str,
    row: int | None,
    place: int | None,
    severity: Severity,
    params: Mapping[str, object],
) -> RowError:
    """A problem of a sheet; ``row`` and ``place`` count from 0, the record holds what Excel shows."""
    excel_row = None if row is None else row + 1
    column = None if place is None else letters(place)
    said = {"sheet": sheet, **({"row": excel_row} if row is not None else {})}
    if column is not None:
        said["column"] = column
    return RowError(sheet, excel_row, column, message, {**said, **params}, severity)


def _title(value: object) -> str:
    """A heading as it is compared: half-width, without white space, ``1.0`` as ``1``, without the template's ``!``."""
    if is_blank(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = unicodedata.normalize("NFKC", str(value))
    return "".join(text.split()).rstrip("!*").casefold()


def _heading_row(values: Sequence[Sequence[object]]) -> int | None:
    """The first of the top rows that holds both 学号 and 姓名; else the first that holds one of them."""
    titles = [{_title(value) for value in row} for row in values[:_HEADINGS_WITHIN]]
    for wanted in ({"学号", "姓名"}, {"学号"}, {"姓名"}):
        for number, found in enumerate(titles):
            if wanted <= found:
                return number
    return None


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:_LISTED]) + (" …" if len(shown) > _LISTED else "")
