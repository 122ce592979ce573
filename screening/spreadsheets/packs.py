"""The workbook of a wording pack: the empty one to fill in, and reading a filled one.

Three sheets: ``pack`` (what it is), ``items`` (one row per question) and ``options`` (the answers; a row without an
item speaks for all items that have none of their own). Uploads are read in a process of their own, as a school's are.
"""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Sequence

from python_calamine import CalamineError, CalamineWorkbook

from instruments import Instrument
from instruments.layouts import in_layout
from instruments.text import Pack, from_tables
from screening.spreadsheets import container
from screening.spreadsheets.cells import ESCAPED, CellProblem, plain
from screening.spreadsheets.container import WorkbookRefused
from screening.spreadsheets.reader import MEMORY, OUT_OF_MEMORY, SECONDS, in_child, limit_memory_and_time

PACK_SHEET, ITEMS_SHEET, OPTIONS_SHEET = "pack", "items", "options"
HEAD = ("instrument", "version", "language", "layout", "title", "instructions")
ITEM_COLUMNS = ("item", "short label", "wording")
OPTION_COLUMNS = ("item", "value", "short label", "wording")
MOST_ROWS = 2_000

NOT_A_PACK = "This is not the workbook of a wording: the sheets {sheets} are needed. Take the empty one and fill it in."
NO_COLUMN = "Sheet {sheet}: the column {title} is missing."
BAD_CELL = "Sheet {sheet}, row {row}: the cell in the column {title} cannot be read."
NOT_A_VALUE = "Sheet {sheet}, row {row}: the value of an answer is a whole number."

Head = dict[str, str]
Texts = list[tuple[str, str]]
Answers = list[tuple[str, int, str]]


def empty_pack(instrument: Instrument, language: str, layout: str = "") -> bytes:
    """The workbook to fill in: everything stands in it but the wording."""
    from screening.spreadsheets.pack_writer import write_pack

    layout = layout or instrument.default_layout
    return write_pack(in_layout(instrument, layout), language, layout)


def read_pack(data: bytes, instrument: Instrument) -> Pack:
    """A filled workbook as a pack, read in a process of its own. Raises :class:`WorkbookRefused`."""
    container.check_outside(data)
    said = json.loads(in_child("screening.spreadsheets.packs", {}, data, seconds=SECONDS, memory=MEMORY))
    if "refused" in said:
        raise WorkbookRefused(said["refused"], **said["params"])
    return from_tables(
        instrument,
        head={str(name): str(text) for name, text in said["head"].items()},
        texts=[(str(key), str(text)) for key, text in said["texts"]],
        options=[(str(key), int(value), str(text)) for key, value, text in said["options"]],
    )


def read_tables(data: bytes) -> tuple[Head, Texts, Answers]:
    """The three sheets as they were filled in. Raises :class:`WorkbookRefused`."""
    known = {sheet.name.strip().lower(): sheet.name for sheet in container.inspect(data).sheets}
    if not {PACK_SHEET, ITEMS_SHEET, OPTIONS_SHEET} <= known.keys():
        raise WorkbookRefused(NOT_A_PACK, sheets=f"{PACK_SHEET}, {ITEMS_SHEET}, {OPTIONS_SHEET}")
    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        head, items, options = (
            book.get_sheet_by_name(known[name]).to_python(nrows=MOST_ROWS)
            for name in (PACK_SHEET, ITEMS_SHEET, OPTIONS_SHEET)
        )
    except CalamineError:
        raise WorkbookRefused(container.DAMAGED) from None
    return _head(head), _texts(items), _answers(options)


def _head(rows: Sequence[Sequence[object]]) -> Head:
    found = {}
    for number, row in enumerate(rows, start=1):
        name = _cell(row, 0, PACK_SHEET, number, "1").strip().lower()
        if name in HEAD:
            found[name] = _cell(row, 1, PACK_SHEET, number, name)
    return found


def _texts(rows: Sequence[Sequence[object]]) -> Texts:
    return [(key, text) for _, (key, text) in _table(rows, ITEMS_SHEET, ("item", "wording")) if key or text]


def _answers(rows: Sequence[Sequence[object]]) -> Answers:
    found: Answers = []
    for number, (key, value, text) in _table(rows, OPTIONS_SHEET, ("item", "value", "wording")):
        if not (value or text):
            continue
        if not value.removeprefix("-").isascii() or not value.removeprefix("-").isdecimal() or len(value) > 4:
            raise WorkbookRefused(NOT_A_VALUE, OPTIONS_SHEET, row=number)
        found.append((key, int(value), text))
    return found


def _table(
    rows: Sequence[Sequence[object]], sheet: str, wanted: Sequence[str]
) -> Iterator[tuple[int, list[str]]]:
    """The rows below the headings with their Excel numbers: one text per wanted column."""
    headings = [str(cell).strip().lower() for cell in rows[0]] if rows else []
    for title in wanted:
        if title not in headings:
            raise WorkbookRefused(NO_COLUMN, sheet, title=title)
    places = [headings.index(title) for title in wanted]
    for number, row in enumerate(rows[1:], start=2):
        yield (
            number,
            [_cell(row, place, sheet, number, title) for place, title in zip(places, wanted, strict=True)],
        )


def _cell(row: Sequence[object], place: int, sheet: str, number: int, title: str) -> str:
    if place >= len(row):
        return ""
    value = row[place]
    if isinstance(value, str):  # a wording may have several lines
        return ESCAPED.sub("", value.strip(), count=1)
    try:
        return plain(value) or ""
    except CellProblem:
        raise WorkbookRefused(BAD_CELL, sheet, row=number, title=title) from None


def main() -> None:
    """The child: limits first, then one workbook from stdin to stdout, as JSON."""
    limit_memory_and_time(json.loads(sys.stdin.buffer.readline()))
    try:
        head, texts, options = read_tables(sys.stdin.buffer.read())
        said: dict[str, object] = {"head": head, "texts": texts, "options": options}
    except WorkbookRefused as refusal:
        said = {"refused": refusal.message, "params": dict(refusal.params)}
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)
    sys.stdout.buffer.write(json.dumps(said).encode())
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
