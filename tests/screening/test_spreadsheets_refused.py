"""Files that are not opened: each gets a sentence, nothing is unpacked beyond the limits, nothing is read."""

from __future__ import annotations

import io
import re
import struct
import zipfile

import pytest

from screening.spreadsheets import container
from tests.screening.workbooks import child, read, rewritten, roster_book, sentence, told

GOOD = roster_book(child())
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SHEET = "xl/worksheets/sheet1.xml"


def archive(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            file.writestr(name, part)
    return out.getvalue()


def with_directory_field(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """``data`` with bytes written into its first zip header of that kind."""
    at = data.index(signature) + offset
    return data[:at] + value + data[at + len(value) :]


def into_sheet(addition: bytes) -> bytes:
    return rewritten(GOOD, {SHEET: lambda text: text.replace(b"<sheetData>", b"<sheetData>" + addition)})


BAD = {
    "nothing": (b"", container.EMPTY_FILE),
    "ten megabytes of zeros": (b"\0" * 10_000_000, container.NOT_A_WORKBOOK),
    "too big": (b"PK" + b"\0" * container.MAX_BYTES, container.TOO_BIG),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), container.NOT_A_WORKBOOK),
    "comma-separated": ("学号,姓名\n1,张甲\n".encode("gb18030"), container.TEXT_FILE),
    "a page called xls": (b"<html><table><tr><td>1</td></tr></table></html>", container.TEXT_FILE),
    "a password": (OLE + bytes(600) + "EncryptedPackage".encode("utf-16-le"), container.PASSWORD),
    "the old format": (OLE + bytes(600) + "Workbook".encode("utf-16-le"), container.OLD_FORMAT),
    "a letter": (archive({"word/document.xml": b"<a/>", "_rels/.rels": b"<a/>"}), container.NOT_A_WORKBOOK),
    "another archive": (archive({"photo.txt": b"x"}), container.NOT_A_WORKBOOK),
    "half a file": (GOOD[: len(GOOD) // 2], container.DAMAGED),
    "a flipped byte": (with_directory_field(GOOD, b"PK\x01\x02", 16, b"\0\0\0\0"), container.DAMAGED),
    "an encrypted entry": (with_directory_field(GOOD, b"PK\x01\x02", 8, b"\1\0"), container.PASSWORD),
    "a bomb": (rewritten(GOOD, {"xl/media/zeros.bin": bytes(20_000_000)}), container.BOMB),
    "a bomb in the sheet": (into_sheet(b" " * 20_000_000), container.BOMB),
    "too much inside": (
        with_directory_field(GOOD, b"PK\x01\x02", 24, struct.pack("<I", container.MAX_UNPACKED + 1)),
        container.TOO_BIG_INSIDE,
    ),
    "too many parts": (
        rewritten(GOOD, {f"xl/media/{number}.txt": b"x" for number in range(200)}),
        container.TOO_MANY_PARTS,
    ),
    "macros": (rewritten(GOOD, {"xl/vbaProject.bin": b"x"}), container.MACROS),
    "macros of another age": (rewritten(GOOD, {"xl/macrosheets/sheet1.xml": b"<a/>"}), container.MACROS),
    "another file's cells": (
        rewritten(GOOD, {"xl/externalLinks/externalLink1.xml": b"<a/>"}),
        container.EXTERNAL_LINKS,
    ),
    "a database behind it": (rewritten(GOOD, {"xl/connections.xml": b"<a/>"}), container.EXTERNAL_LINKS),
    "entities in the sheet": (
        rewritten(GOOD, {SHEET: lambda text: b'<!DOCTYPE x [<!ENTITY a "b">]>' + text}),
        container.FOREIGN_MARKUP,
    ),
    "a hidden comment": (into_sheet(b"<!-- <row> -->"), container.FOREIGN_MARKUP),
    "another encoding": (
        rewritten(GOOD, {SHEET: lambda text: text.decode().encode("utf-16")}),
        container.FOREIGN_MARKUP,
    ),
    "entities in the book": (
        rewritten(GOOD, {"xl/workbook.xml": lambda text: b'<!DOCTYPE x [<!ENTITY a "b">]>' + text}),
        container.DAMAGED,
    ),
    "broken markup": (rewritten(GOOD, {"xl/workbook.xml": b"<workbook>"}), container.DAMAGED),
    "no sheet part": (rewritten(GOOD, {SHEET: b"<nothing/>"}), container.DAMAGED),
    "a row too far down": (
        into_sheet(b'<row r="50002"><c r="A50002" t="n"><v>1</v></c></row>'),
        container.TOO_MANY_ROWS,
    ),
    "a column too far right": (
        into_sheet(b'<row r="1"><c r="GS1" t="n"><v>1</v></c></row>'),
        container.TOO_MANY_COLUMNS,
    ),
    "the last cell there is": (
        into_sheet(b'<row r="1048576"><c r="XFD1048576" t="n"><v>1</v></c></row>'),
        container.TOO_MANY_ROWS,
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_file_that_is_not_opened_says_why(what):
    data, message = BAD[what]
    parsed = read(data)
    assert parsed.refused
    assert [error.message for error in parsed.errors] == [message]
    assert parsed.rows == ()
    for locale in ("zh", "en"):
        assert not re.search(r"[{}]", sentence(parsed.errors[0], locale))


def test_the_same_file_untouched_is_read():
    assert told(read(GOOD).all_errors) == []
    assert told(read(rewritten(GOOD, {})).all_errors) == []


def test_cells_that_are_only_formatted_are_no_data():
    far = b'<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    data = rewritten(GOOD, {SHEET: lambda text: text.replace(b"</sheetData>", far + b"</sheetData>")})
    parsed = read(data)
    assert told(parsed.all_errors) == []
    assert len(parsed.roster) == 1


def test_a_repetitive_small_file_is_no_bomb():
    data = rewritten(GOOD, {"xl/media/blank.bin": bytes(500_000)})
    assert not read(data).refused


def test_a_file_that_lies_about_its_size_is_damaged():
    """The directory says one kilobyte, the entry holds more: never unpacked beyond what was promised."""
    data = archive({"xl/a.xml": b"x" * 5_000})
    lied = with_directory_field(data, b"PK\x01\x02", 24, struct.pack("<I", 1_000))
    assert [error.message for error in read(lied).errors] == [container.NOT_A_WORKBOOK]
    at = GOOD.index(SHEET.encode(), GOOD.index(b"PK\x01\x02")) - 46
    lied = GOOD[: at + 24] + struct.pack("<I", 100) + GOOD[at + 28 :]
    assert [error.message for error in read(lied).errors] == [container.DAMAGED]


@pytest.mark.parametrize("cut", range(0, len(GOOD), 997))
def test_a_cut_file_never_raises(cut):
    parsed = read(GOOD[:cut])
    assert parsed.refused
    assert len(parsed.errors) == 1
