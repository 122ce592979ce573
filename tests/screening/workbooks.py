"""Workbooks for tests, right and wrong, made in memory. All people are made up."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from instruments import catalogue
from screening.core.i18n import translate
from screening.spreadsheets.layout import ROSTER_COLUMNS, ROSTER_SHEET
from screening.spreadsheets.reader import read_workbook
from screening.spreadsheets.rows import ParsedWorkbook, RowError

TODAY = date(2026, 11, 21)
HEADINGS = [column.title for column in ROSTER_COLUMNS]
PHQ9 = ["学号", "姓名", "施测日期", *range(1, 10)]

Cells = Sequence[object]


def child(number: int = 1, **fields: object) -> list[object]:
    """A row of the 名册 that has nothing wrong with it, but for ``fields`` (by heading)."""
    row: dict[str, object] = {
        "学号": f"2026{number:04d}",
        "姓名": f"张{'甲乙丙丁戊己庚辛壬癸'[number % 10]}",
        "性别": "男",
        "出生日期": date(2012, 2, 29),
        "年级": "七年级",
        "班级": "3班",
    }
    row |= fields
    return [row.get(heading) for heading in HEADINGS]


def sheet(number: int = 1, answers: Cells = (0,) * 9, on: object = date(2026, 11, 3)) -> list[object]:
    """A row of answers of the same child."""
    return [f"2026{number:04d}", f"张{'甲乙丙丁戊己庚辛壬癸'[number % 10]}", on, *answers]


def workbook(
    sheets: Mapping[str, Sequence[Cells]], change: Callable[[Workbook], None] | None = None
) -> bytes:
    """A workbook as Excel would write it: rows from the first row on, strings that begin with = are formulas."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        page: Worksheet = book.create_sheet(name)
        for row in rows:
            page.append(list(row))
    if change is not None:
        change(book)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def roster_book(*rows: Cells, change: Callable[[Workbook], None] | None = None) -> bytes:
    return workbook({ROSTER_SHEET: [HEADINGS, *rows]}, change)


def phq9_book(*rows: Cells, change: Callable[[Workbook], None] | None = None) -> bytes:
    return workbook({"phq9": [PHQ9, *rows]}, change)


def rewritten(data: bytes, parts: Mapping[str, bytes | Callable[[bytes], bytes]]) -> bytes:
    """The same container with parts replaced, changed or added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            change = parts.get(name, old.read(name))
            new.writestr(name, change(old.read(name)) if callable(change) else change)
        for name in parts.keys() - set(old.namelist()):
            part = parts[name]
            assert isinstance(part, bytes)
            new.writestr(name, part)
    return out.getvalue()


def read(data: bytes) -> ParsedWorkbook:
    return read_workbook(data, catalogue(), today=TODAY)


def sentence(error: RowError, locale: str = "en") -> str:
    return translate(locale, error.message, **error.params)


def told(errors: Sequence[RowError]) -> list[tuple[str | None, int | None, str | None, str]]:
    """Place and English sentence of each problem."""
    return [(error.sheet, error.row, error.column, sentence(error)) for error in errors]
