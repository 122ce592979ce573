"""Writing the empty workbook of a wording pack. ``packs.empty_pack`` is the door: openpyxl loads with this module."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import cast

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.worksheet import Worksheet

from instruments import Instrument, Item, Option
from screening.core.i18n import translate
from screening.spreadsheets.escaping import safe_text
from screening.spreadsheets.layout import letters
from screening.spreadsheets.packs import (
    HEAD,
    ITEM_COLUMNS,
    ITEMS_SHEET,
    OPTION_COLUMNS,
    OPTIONS_SHEET,
    PACK_SHEET,
)

_FILL = PatternFill("solid", start_color="2F4858")
_HEADING = Font(bold=True, color="FFFFFF")
_FAINT = Font(color="777777")


def write_pack(instrument: Instrument, language: str, layout: str) -> bytes:
    """The three sheets with keys, values and short labels; what has to be typed is blank."""
    book = Workbook()
    book.properties.creator = "xinqiao"
    head = cast(Worksheet, book.active)
    head.title = PACK_SHEET
    _fill_head(head, instrument, language, layout)
    items = _sheet(book, ITEMS_SHEET, ITEM_COLUMNS)
    for item in instrument.items:
        _row(items, (item.key, _label(item, language), ""))
    options = _sheet(book, OPTIONS_SHEET, OPTION_COLUMNS)
    _fill_options(options, instrument, language)
    for page, widths in ((head, (16, 70)), (items, (8, 22, 70)), (options, (8, 8, 22, 40))):
        for place, width in enumerate(widths):
            page.column_dimensions[letters(place)].width = width
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _fill_head(page: Worksheet, instrument: Instrument, language: str, layout: str) -> None:
    given = {
        "instrument": instrument.code,
        "version": instrument.version,
        "language": language,
        "layout": layout,
    }
    for name in HEAD:
        _row(page, (name, given.get(name, "")))
    for note in _notes(language, instrument):
        page.append([])
        _row(page, (note,))
        page.cell(page.max_row, 1).alignment = Alignment(wrap_text=True, vertical="top")
        page.merge_cells(start_row=page.max_row, start_column=1, end_row=page.max_row, end_column=2)
        page.row_dimensions[page.max_row].height = 48


def _fill_options(page: Worksheet, instrument: Instrument, language: str) -> None:
    """The answers of most items once; those of every other item with its key."""
    shared = instrument.responses
    for option in shared:
        _row(page, ("", option.value, _label(option, language), ""))
    for item in instrument.items:
        for option in item.options if item.options != shared else ():
            _row(page, (item.key, option.value, _label(option, language), ""))


def _label(thing: Item | Option, language: str) -> str:
    return thing.zh if language == "zh" else thing.en


def _sheet(book: Workbook, name: str, columns: Sequence[str]) -> Worksheet:
    page: Worksheet = book.create_sheet(name)
    page.append(list(columns))
    for place in range(1, len(columns) + 1):
        cell = page.cell(1, place)
        cell.font, cell.fill = _HEADING, _FILL
    page.freeze_panes = "A2"
    return page


def _row(page: Worksheet, values: Sequence[str | int]) -> None:
    page.append([safe_text(value) if isinstance(value, str) else value for value in values])
    for place, value in enumerate(values, start=1):
        cell = page.cell(page.max_row, place)
        if isinstance(value, str) and value:
            cell.data_type = "s"
        if page.title != PACK_SHEET and place == len(values) - 1:
            cell.font = _FAINT


def _notes(language: str, instrument: Instrument) -> tuple[str, str]:
    return (
        translate(
            language,
            "Type the wording of the form you may use into the columns “wording”: title and introduction here, the questions in the sheet {items}, the answers in the sheet {options}. The short labels help to find the place; they are not the wording.",
            items=ITEMS_SHEET,
            options=OPTIONS_SHEET,
        ),
        translate(
            language,
            "In the sheet {options} a row without an item speaks for all items. Change no item, no value and no heading of {sheet}.",
            options=OPTIONS_SHEET,
            sheet=instrument.abbr,
        ),
    )
