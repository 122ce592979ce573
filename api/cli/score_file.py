"""A CSV file of answers, piece by piece: read strictly, scored, written. The whole file is never in memory."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

from api.cli.score_columns import columns_of, headings, lines, shown_scores
from instruments import MISSING, Instrument, in_layout, score_batch
from instruments.answers import NotAnInteger, read_cell
from instruments.definition import Sex
from instruments.engine import SEXES, UNKNOWN, People

ID, SEX, AGE, ITEM_ORDER = "id", "sex", "age", "item_order"
CARRIED = (ID, SEX, AGE, ITEM_ORDER)
PIECE = 1 << 15
"""Rows in memory at one time."""
BAD = 200
"""Stands for a cell that cannot be read; no answer and no layout has this number."""
OLDEST = 120
USUAL = ("", "standard", "default", "usual", "used")
_SEXES = {
    **dict.fromkeys(("m", "male", "男", "1"), Sex.MALE),
    **dict.fromkeys(("f", "female", "女", "2"), Sex.FEMALE),
}
_TO_QUOTE = re.compile(r"[,\"\n\r]")
_YEARS = re.compile(r"([0-9]{1,3})(?:\.[0-9]*)?")


@dataclass(frozen=True, slots=True)
class Problem:
    """A message id and its values. ``value`` is shown to whoever typed the file, on their own screen."""

    message: str
    params: dict[str, object]


class AnswersRefused(ValueError):
    """The file cannot be scored; the first problems with their row and column as a spreadsheet shows them, and how
    many there are in all."""

    def __init__(self, problems: Sequence[Problem], count: int | None = None) -> None:
        self.problems = tuple(problems)
        self.count = len(problems) if count is None else count
        super().__init__(f"{self.count} problems")


def refuse(message: str, **params: object) -> AnswersRefused:
    """One problem with the whole file."""
    return AnswersRefused([Problem(message, params)])


class _Cells(dict[str, int]):
    """Text of a cell → its number; each text is read once, so that a million cells cost a look-up each."""

    MANY = 4096

    def __init__(self, read: Callable[[str], int]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: str) -> int:
        number = self._read(text)
        if len(self) < self.MANY:
            self[text] = number
        return number


def _answer(values: Sequence[int]) -> Callable[[str], int]:
    def read(text: str) -> int:
        try:
            value = read_cell(text)
        except NotAnInteger:
            return BAD
        if value is None:
            return MISSING
        return value if value in values else BAD

    return read


def _sex(text: str) -> int:
    known = _SEXES.get(text.strip().lower())
    return UNKNOWN if not text.strip() else BAD if known is None else SEXES.index(known)


def _age(text: str) -> int:
    if not text.strip():
        return UNKNOWN
    years = _YEARS.fullmatch(text.strip())
    return int(years[1]) if years and int(years[1]) <= OLDEST else BAD


def _order(instrument: Instrument) -> Callable[[str], int]:
    known = {
        name: place
        for place, layout in enumerate(instrument.layouts)
        for name in (layout.id, layout.en.lower())
    }
    usual = [layout.id for layout in instrument.layouts].index(instrument.default_layout)
    known.update(dict.fromkeys(USUAL, usual))
    return lambda text: known.get(text.strip().lower(), BAD)


@dataclass(slots=True)
class _Reader:
    """How the columns of one file are read."""

    instrument: Instrument
    header: list[str]
    cells: dict[str, _Cells] = field(default_factory=dict)
    allowed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        by_values: dict[tuple[int, ...], _Cells] = {}
        for item in self.instrument.items:
            self.cells[item.key] = by_values.setdefault(item.values, _Cells(_answer(item.values)))
            self.allowed[item.key] = ", ".join(str(value) for value in item.values)
        self.cells |= {SEX: _Cells(_sex), AGE: _Cells(_age), ITEM_ORDER: _Cells(_order(self.instrument))}
        self.allowed |= {
            SEX: "M, F, 男, 女",
            AGE: f"0-{OLDEST}",
            ITEM_ORDER: ", ".join(layout.id for layout in self.instrument.layouts),
        }

    def read(self, name: str, column: Sequence[str]) -> NDArray[np.int16]:
        return np.fromiter(map(self.cells[name].__getitem__, column), dtype=np.int16, count=len(column))


@dataclass(slots=True)
class Report:
    """What became of a file."""

    rows: int = 0
    written: int = 0
    problems: list[Problem] = field(default_factory=list)
    problem_count: int = 0


def score_rows(
    instrument: Instrument,
    source: TextIO,
    sink: TextIO,
    *,
    bands: str | None = None,
    keep_going: bool = False,
    keep_problems: int = 20,
    progress: Callable[[], None] = lambda: None,
) -> Report:
    """Score the rows of ``source`` (CSV with a header) into ``sink``, one row out per row in.

    A row with a bad cell is a problem. With ``keep_going`` the others are written; without it nothing more is
    written after the first, and the caller throws ``sink`` away. At most ``keep_problems`` of them are kept.
    Raises :class:`AnswersRefused` where the file has not the shape of a table of this instrument.
    """
    if bands is not None and bands not in instrument.band_sets:
        known = ", ".join(instrument.band_sets) or "—"
        raise refuse(
            "{code} has no band set {name}; known are {names}.", code=instrument.code, name=bands, names=known
        )
    table = csv.reader(source, strict=True)
    first = next(_rows(table), None)
    if first is None:
        raise refuse("The file is empty; its first row must name the columns.")
    header = _header(instrument, first[1])
    carried = [ID] if ID in header else []
    sink.write(",".join([*carried, *headings(instrument)]) + "\n")
    reader, report = _Reader(instrument, header), Report()
    rows = _rows(table, start=first[0] + 1)
    while piece := list(islice(rows, PIECE)):
        report.rows += len(piece)
        good = _good_rows(reader, piece, report, keep_problems)
        if report.problem_count == 0 or keep_going:
            _write(reader, good, bands, sink)
            report.written += len(good.numbers)
        progress()
    return report


def _rows(table: Iterator[list[str]], start: int = 1) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not an empty line, with its number in the file."""
    number = start - 1
    try:
        for number, row in enumerate(table, start=start):  # the number says where it broke
            if row:
                yield number, row
    except csv.Error:
        raise refuse("Row {row} is not well-formed CSV.", row=number + 1) from None


def _header(instrument: Instrument, names: Sequence[str]) -> list[str]:
    header = [_name(instrument, name.strip()) for name in names]
    problems = []
    for column in dict.fromkeys(header):
        if column not in CARRIED and column not in instrument.positions:
            message = "Column {column} is neither an item of {code} nor id, sex, age or item_order."
            problems.append(Problem(message, {"column": column or "?", "code": instrument.code}))
        if header.count(column) > 1:
            problems.append(Problem("Column {column} is there twice.", {"column": column or "?"}))
    for item in instrument.main_items:
        if item.key not in header:
            problems.append(Problem("Column {column} is missing.", {"column": item.key}))
    if problems:
        raise AnswersRefused(problems)
    return header


def _name(instrument: Instrument, name: str) -> str:
    """A column as we know it, however it is capitalised."""
    small = name.lower()
    return small if name not in instrument.positions and small in (*CARRIED, *instrument.positions) else name


@dataclass(slots=True)
class _Good:
    """The rows that can be scored: their numbers in the file, and their columns."""

    numbers: list[int]
    columns: dict[str, Sequence[str]]
    read: dict[str, NDArray[np.int16]]


def _good_rows(
    reader: _Reader, piece: Sequence[tuple[int, list[str]]], report: Report, keep_problems: int
) -> _Good:
    width = len(reader.header)
    whole = [(number, row) for number, row in piece if len(row) == width]
    found: list[tuple[int, Problem]] = []
    if len(whole) != len(piece):
        message = "Row {row} has {found} cells, the first row has {expected}."
        for number, row in piece:
            if len(row) != width:
                params: dict[str, object] = {"row": number, "found": len(row), "expected": width}
                found.append((number, Problem(message, params)))
    good = _columns(reader, whole)
    bad = np.zeros(len(whole), dtype=np.bool_)
    for values in good.read.values():
        bad |= values == BAD
    if bad.any():
        found += _bad_cells(reader, good, np.flatnonzero(bad).tolist())
        good = _columns(
            reader, [pair for pair, is_bad in zip(whole, bad.tolist(), strict=True) if not is_bad]
        )
    found.sort(key=lambda pair: pair[0])
    room = max(0, keep_problems - len(report.problems))
    report.problems += [problem for _, problem in found[:room]]
    report.problem_count += len(found)
    return good


def _columns(reader: _Reader, rows: Sequence[tuple[int, list[str]]]) -> _Good:
    columns: dict[str, Sequence[str]] = (
        dict(zip(reader.header, zip(*(row for _, row in rows), strict=True), strict=True)) if rows else {}
    )
    read = {name: reader.read(name, column) for name, column in columns.items() if name != ID}
    return _Good([number for number, _ in rows], columns, read)


def _bad_cells(reader: _Reader, good: _Good, places: Sequence[int]) -> list[tuple[int, Problem]]:
    message = "Row {row}, column {column}: {value} is not one of {allowed}."
    found = []
    for place in places:
        for name, values in good.read.items():
            if values[place] == BAD:
                number = good.numbers[place]
                value = good.columns[name][place]
                params = {"row": number, "column": name, "value": value, "allowed": reader.allowed[name]}
                found.append((number, Problem(message, params)))
    return found


def _write(reader: _Reader, good: _Good, bands: str | None, sink: TextIO) -> None:
    n = len(good.numbers)
    if not n:
        return
    instrument = reader.instrument
    answers = np.full((len(instrument.items), n), MISSING, dtype=np.int8)
    for place, item in enumerate(instrument.items):
        if item.key in good.read:
            answers[place] = good.read[item.key]
    unknown = np.full(n, UNKNOWN, dtype=np.int16)
    people = None
    if SEX in good.read or AGE in good.read:
        people = People(good.read.get(SEX, unknown).astype(np.int8), good.read.get(AGE, unknown))
    texts = _texts(instrument, answers, people, good.read.get(ITEM_ORDER), bands)
    if ID in good.columns:
        texts = map(",".join, zip(_quoted(good.columns[ID]), texts, strict=True))
    sink.write("\n".join(chain(texts, ("",))))


def _texts(
    instrument: Instrument,
    answers: NDArray[np.int8],
    people: People | None,
    orders: NDArray[np.int16] | None,
    bands: str | None,
) -> Iterator[str]:
    """The lines of a piece; sheets of each order of the items are scored together and put back in their rows."""
    usual = [layout.id for layout in instrument.layouts].index(instrument.default_layout)
    if orders is None or bool((orders == usual).all()):
        return _lines(instrument, answers, people, bands)
    found: dict[int, str] = {}
    for order in np.unique(orders).tolist():
        where = np.flatnonzero(orders == order)
        view = in_layout(instrument, instrument.layouts[order].id)
        theirs = None if people is None else People(people.sex[where], people.age[where])
        made = _lines(view, np.ascontiguousarray(answers[:, where]), theirs, bands)
        found.update(zip(where.tolist(), made, strict=True))
    return (found[place] for place in range(answers.shape[1]))


def _lines(
    instrument: Instrument, answers: NDArray[np.int8], people: People | None, bands: str | None
) -> Iterator[str]:
    batch = score_batch(instrument, answers, people)
    return lines(columns_of(instrument, shown_scores(instrument, bands), answers, people, batch))


def _quoted(column: Sequence[str]) -> Iterable[str]:
    """Cells that were carried through, quoted where CSV asks for it; most files ask for it nowhere."""
    if not _TO_QUOTE.search("".join(column)):
        return column
    return ('"' + text.replace('"', '""') + '"' if _TO_QUOTE.search(text) else text for text in column)


def encoding_of(source: BinaryIO) -> str:
    """UTF-8, or what Excel saves as CSV on a Chinese Windows. Reads the file through, and goes back to its start."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        while block := source.read(1 << 20):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "gb18030"
    finally:
        source.seek(0)
    return "utf-8-sig"


def opened_text(source: BinaryIO) -> TextIO:
    """The file as text, in its own encoding."""
    return io.TextIOWrapper(source, encoding=encoding_of(source), errors="replace", newline="")
