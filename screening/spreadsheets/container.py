"""The file before anybody parses it: is it a workbook, is it small enough, does it carry what must not be there.

Nothing is decompressed before the zip directory has passed, every entry is then unpacked once within its stated
size, and the sheets' own text is searched for what fast readers do not show: a formula without a stored result
is invisible to them, an error value is a blank.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from xml.etree.ElementTree import Element

from defusedxml import ElementTree

from screening.core.errors import InvalidInput
from screening.spreadsheets.cells import Mark
from screening.spreadsheets.layout import MAX_COLUMNS, MAX_ROWS, column_place, letters

_MB = 1024 * 1024
MAX_BYTES = 10 * _MB
MAX_UNPACKED = 100 * _MB
MAX_RATIO = 100
MAX_ENTRIES = 200
# Below this an entry may be as repetitive as it likes: a short sheet of blanks is no bomb.
_RATIO_FROM = _MB

_ENCRYPTED_ENTRY = 0x1
_MACRO_PART = re.compile(r"vbaproject|/(?:macrosheets|activex|dialogsheets)/")
_LINK_PART = re.compile(r"/externallinks/|/connections\.xml$|/querytables/")

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")

EMPTY_FILE = "The file is empty."
TOO_BIG = "The file is larger than {limit} MB. Split it by grade or class and upload the parts."
PASSWORD = "The workbook is protected with a password. Remove the password in Excel or WPS (File, Protect) and upload it again."  # noqa: S105 - a sentence
OLD_FORMAT = "This is a workbook in the old .xls format. Save it as .xlsx and upload it again."
NOT_A_WORKBOOK = "This file is not an Excel workbook (.xlsx)."
TEXT_FILE = "This looks like a text or CSV file. Put the data into the .xlsx template and upload that."
DAMAGED = "The workbook is damaged. Open it in Excel or WPS, save it anew as .xlsx and upload it again."
TOO_MANY_PARTS = (
    "The workbook has more than {limit} parts inside. Copy the data into the empty template and upload that."
)
TOO_BIG_INSIDE = (
    "Unpacked, the workbook is larger than {limit} MB. Split it by grade or class and upload the parts."
)
BOMB = "The workbook unpacks to more than {limit} times its size, as a damaged or harmful file does. Copy the data into the empty template and upload that."
MACROS = "The workbook contains macros. Save it as .xlsx without macros and upload it again."
EXTERNAL_LINKS = (
    "The workbook refers to other files. Copy the cells, paste them as values, and upload it again."
)
FOREIGN_MARKUP = "The workbook contains markup that no spreadsheet program writes. Copy the data into the empty template and upload that."
TOO_MANY_ROWS = "Sheet {sheet} has data below row {limit}. Split it and upload the parts."
TOO_MANY_COLUMNS = "Sheet {sheet} has data to the right of column {column} ({limit} columns). Remove what is not part of the template."


class WorkbookRefused(InvalidInput):
    """The file is not opened any further. ``sheet`` is the sheet the reason lies in, if it lies in one."""

    def __init__(self, message: str, sheet: str | None = None, **params: object) -> None:
        super().__init__(message, **params, **({} if sheet is None else {"sheet": sheet}))
        self.sheet = sheet


@dataclass(frozen=True, slots=True)
class SheetText:
    """What a sheet's own text says. Rows and columns count from 0 as (row, column)."""

    name: str
    visible: bool
    marks: Mapping[tuple[int, int], Mark] = field(default_factory=dict)
    hidden_rows: tuple[int, ...] = ()
    hidden_columns: tuple[int, ...] = ()
    is_blank: bool = True


@dataclass(frozen=True, slots=True)
class Container:
    """A workbook that may be parsed. ``sheets`` in the order of the tabs."""

    sheets: tuple[SheetText, ...]
    mac_days: bool = False


def inspect(data: bytes) -> Container:
    """Check the file from outside in; ``WorkbookRefused`` with a sentence for the person who uploaded it."""
    check_outside(data)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_directory(archive)
            return _inspect_parts(archive)
    except WorkbookRefused:
        raise
    # What a damaged archive or damaged markup can raise; a DTD is a ValueError of defusedxml.
    except (zipfile.BadZipFile, zlib.error, SyntaxError, LookupError, ValueError) as problem:
        raise WorkbookRefused(DAMAGED) from problem
    except (NotImplementedError, EOFError, OSError, RuntimeError) as problem:
        raise WorkbookRefused(DAMAGED) from problem


def check_outside(data: bytes) -> None:
    """Size and kind of file by its first bytes. Opens nothing; cheap enough for the process that serves."""
    if not data:
        raise WorkbookRefused(EMPTY_FILE)
    if len(data) > MAX_BYTES:
        raise WorkbookRefused(TOO_BIG, limit=MAX_BYTES // _MB)
    if data.startswith(_OLE):
        # Office wraps an encrypted .xlsx into the container of the old formats.
        raise WorkbookRefused(PASSWORD if _ENCRYPTED_STREAM in data else OLD_FORMAT)
    if not data.startswith(b"PK"):
        raise WorkbookRefused(TEXT_FILE if _is_text(data[:4096]) else NOT_A_WORKBOOK)


def _is_text(head: bytes) -> bool:
    return not re.search(rb"[\x00-\x08\x0e-\x1f]", head) and re.search(rb"[,;\t<]", head) is not None


def _check_directory(archive: zipfile.ZipFile) -> None:
    entries = archive.infolist()
    names = [entry.filename.lstrip("/").lower() for entry in entries]
    if len(entries) > MAX_ENTRIES:
        raise WorkbookRefused(TOO_MANY_PARTS, limit=MAX_ENTRIES)
    if sum(entry.file_size for entry in entries) > MAX_UNPACKED:
        raise WorkbookRefused(TOO_BIG_INSIDE, limit=MAX_UNPACKED // _MB)
    if any(entry.file_size > max(_RATIO_FROM, MAX_RATIO * entry.compress_size) for entry in entries):
        raise WorkbookRefused(BOMB, limit=MAX_RATIO)
    if any(entry.flag_bits & _ENCRYPTED_ENTRY for entry in entries):
        raise WorkbookRefused(PASSWORD)
    if len(set(names)) < len(names):
        raise WorkbookRefused(DAMAGED)
    _check_names(names)


def _check_names(names: Sequence[str]) -> None:
    if any(_MACRO_PART.search(name) for name in names):
        raise WorkbookRefused(MACROS)
    if any(_LINK_PART.search(name) for name in names):
        raise WorkbookRefused(EXTERNAL_LINKS)


def _inspect_parts(archive: zipfile.ZipFile) -> Container:
    parts = {entry.filename.lstrip("/"): entry for entry in archive.infolist()}
    book = _workbook_part(archive, parts)
    root = _markup(archive, parts[book])
    targets = _targets(archive, parts, book)
    wanted: dict[str, tuple[str, bool]] = {}
    for sheet in _children(root, "sheets", "sheet"):
        target = targets.get(_attribute(sheet, "id") or "")
        if target is not None:
            wanted[target] = (
                _attribute(sheet, "name") or "",
                _attribute(sheet, "state") in (None, "visible"),
            )
    texts = {}
    for name, entry in parts.items():
        if name in wanted:
            texts[name] = _sheet_text(*wanted[name], archive.read(entry))
        else:
            _unpack(archive, entry)
    return Container(
        sheets=tuple(texts[target] for target in wanted if target in texts),
        mac_days=any(
            _attribute(properties, "date1904") in ("1", "true")
            for properties in _children(root, "workbookPr")
        ),
    )


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Unpack once and keep nothing: size and checksum are what the directory says, or it is an error.

    A document type of its own stands before everything else in a part, and no spreadsheet program writes one.
    """
    with archive.open(entry) as part:
        head = part.read(_MB)
        if entry.filename.endswith((".xml", ".rels")) and _DOCUMENT_TYPE.search(head):
            raise WorkbookRefused(FOREIGN_MARKUP)
        while part.read(_MB):
            pass


def _markup(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Element:
    """A small part as a tree; a DTD or an entity is refused by defusedxml."""
    if entry.file_size > _MB:
        raise WorkbookRefused(DAMAGED)
    root: Element = ElementTree.fromstring(archive.read(entry), forbid_dtd=True)
    return root


def _workbook_part(archive: zipfile.ZipFile, parts: Mapping[str, zipfile.ZipInfo]) -> str:
    if "_rels/.rels" not in parts:
        raise WorkbookRefused(NOT_A_WORKBOOK)
    for relation in _markup(archive, parts["_rels/.rels"]):
        if (_attribute(relation, "Type") or "").endswith("/officeDocument"):
            name = (_attribute(relation, "Target") or "").lstrip("/")
            if name in parts and name.endswith(".xml") and posixpath.dirname(name) == "xl":
                return name
    raise WorkbookRefused(NOT_A_WORKBOOK)


def _targets(archive: zipfile.ZipFile, parts: Mapping[str, zipfile.ZipInfo], book: str) -> dict[str, str]:
    """Relation id → part, for the parts that are worksheets; charts and dialogs hold no rows."""
    folder, name = posixpath.split(book)
    relations = parts.get(f"{folder}/_rels/{name}.rels")
    found: dict[str, str] = {}
    for relation in () if relations is None else _markup(archive, relations):
        target = _attribute(relation, "Target") or ""
        path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"{folder}/{target}")
        if (_attribute(relation, "Type") or "").endswith("/worksheet"):
            found[_attribute(relation, "Id") or ""] = path
    return found


def _children(root: Element, *path: str) -> list[Element]:
    """Descendants by local names: the strict variant of the format has another namespace."""
    level = [root]
    for name in path:
        level = [child for parent in level for child in parent if child.tag.rpartition("}")[2] == name]
    return level


def _attribute(element: Element, name: str) -> str | None:
    return next((value for key, value in element.items() if key.rpartition("}")[2] == name), None)


class _Tags:
    """Byte patterns for one sheet, whose elements may all carry a prefix."""

    def __init__(self, prefix: bytes) -> None:
        p = re.escape(prefix)
        self.row = re.compile(rb"<" + p + rb"row\b([^>]*)>")
        self.cell = re.compile(rb"<" + p + rb"c\b([^>]*)>")
        self.content = re.compile(rb"<" + p + rb"(?:v|f|is)[\s/>]")
        self.formula = re.compile(rb"<" + p + rb"f\b([^>]*)>")
        self.column = re.compile(rb"<" + p + rb"col\b([^>]*)>")


_ROOT = re.compile(rb"<((?:[\w.-]+:)?)worksheet\b")
_FOREIGN = re.compile(rb"<!DOCTYPE|<!ENTITY|<!\[CDATA\[|<!--|\x00", re.IGNORECASE)
_DOCUMENT_TYPE = re.compile(rb"<!DOCTYPE|<!ENTITY", re.IGNORECASE)
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*encoding=[\"']([\w.-]+)[\"']", re.IGNORECASE)
_REFERENCE = re.compile(rb"\br=[\"']([A-Z]{1,3})[0-9]{1,7}[\"']")
_FAR = re.compile(rb"\br=[\"'](?:G[S-Z]|[H-Z][A-Z]|[A-Z]{3})[0-9]")  # beyond GR, the 200th column
_ROW_NUMBER = re.compile(rb"\br=[\"']([0-9]{1,7})[\"']")
_HIDDEN = re.compile(rb"\bhidden=[\"'](?:1|true)[\"']")
_ERROR = re.compile(rb"\bt=[\"']e[\"']")
_AREA = re.compile(rb"\bref=[\"']([A-Z]{1,3})([0-9]{1,7}):([A-Z]{1,3})([0-9]{1,7})[\"']")
_SPAN = re.compile(rb"\b(min|max)=[\"']([0-9]{1,5})[\"']")


def _sheet_text(name: str, visible: bool, text: bytes) -> SheetText:
    text = text.removeprefix(b"\xef\xbb\xbf")
    declared = _DECLARED.match(text[:200])
    if _FOREIGN.search(text) or (declared and declared[1].lower() not in (b"utf-8", b"ascii", b"us-ascii")):
        raise WorkbookRefused(FOREIGN_MARKUP, name)
    root = _ROOT.search(text[:10_000])
    if root is None:
        raise WorkbookRefused(DAMAGED)
    tags = _Tags(root[1])
    # The common sheet has neither formulas nor far cells: then its cells need not be walked one by one.
    walk = any(pattern.search(text) for pattern in (tags.formula, _ERROR, _FAR))
    marks: dict[tuple[int, int], Mark] = {}
    hidden: list[int] = []
    blank = True
    for number, attributes, cells in _rows(tags, text):
        if tags.content.search(cells) is None:
            continue
        if number > MAX_ROWS:
            raise WorkbookRefused(TOO_MANY_ROWS, name, limit=MAX_ROWS + 1)
        blank = False
        if _HIDDEN.search(attributes):
            hidden.append(number)
        if walk:
            _walk(name, tags, number, cells, marks)
    return SheetText(name, visible, marks, tuple(hidden), _hidden_columns(tags, text), blank)


def _rows(tags: _Tags, text: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """(row counted from 0, attributes, text of its cells). A row that does not say its number is the next one."""
    number = -1
    starts = list(tags.row.finditer(text))
    for start, following in zip_longest(starts, starts[1:]):
        said = _ROW_NUMBER.search(start[1])
        number = int(said[1]) - 1 if said else number + 1
        yield number, start[1], text[start.end() : following.start() if following else len(text)]


def _walk(sheet: str, tags: _Tags, row: int, cells: bytes, marks: dict[tuple[int, int], Mark]) -> None:
    """Mark formulas and error values of one row; refuse content to the right of the last column allowed."""
    place = -1
    starts = list(tags.cell.finditer(cells))
    for start, following in zip_longest(starts, starts[1:]):
        said = _REFERENCE.search(start[1])
        place = column_place(said[1].decode()) if said else place + 1
        inside = cells[start.end() : following.start() if following else len(cells)]
        if start[1].endswith(b"/") or tags.content.search(inside) is None:
            continue
        if place >= MAX_COLUMNS:
            raise WorkbookRefused(TOO_MANY_COLUMNS, sheet, limit=MAX_COLUMNS, column=letters(MAX_COLUMNS - 1))
        formula = tags.formula.search(inside)
        if formula:
            marks.update(dict.fromkeys(_area(formula[1], row, place), Mark.FORMULA))
        elif _ERROR.search(start[1]):
            marks[row, place] = Mark.ERROR_VALUE


def _area(attributes: bytes, row: int, place: int) -> Iterator[tuple[int, int]]:
    """The cells a formula fills: its own, or the whole area of an array formula, within the limits."""
    yield row, place
    area = _AREA.search(attributes) if b"array" in attributes else None
    if area:
        for line in range(int(area[2]) - 1, min(int(area[4]), MAX_ROWS + 1)):
            first, last = column_place(area[1].decode()), column_place(area[3].decode())
            for column in range(first, min(last + 1, MAX_COLUMNS)):
                yield line, column


def _hidden_columns(tags: _Tags, text: bytes) -> tuple[int, ...]:
    found: list[int] = []
    head = text[: text.find(b"sheetData")]
    for column in tags.column.finditer(head):
        if _HIDDEN.search(column[1]):
            span = {name: int(value) for name, value in _SPAN.findall(column[1])}
            found.extend(range(span[b"min"] - 1, min(span[b"max"], MAX_COLUMNS)))
    return tuple(found)
