"""``xinqiao score CODE ANSWERS.csv [-o SCORES.csv]``: pure scoring, without a database.

Columns are the item numbers ``1 … n`` and, where the form has them, the extra items by name; an ``id`` column
is carried through. One row out per row in. Nothing is written unless every cell could be read.
"""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from instruments import (
    AnswerErrors,
    AnswerSheet,
    Instrument,
    Scores,
    ScoreValue,
    UnknownInstrument,
    catalogue,
)
from instruments import (
    score as score_sheet,
)
from screening.core.i18n import choose_locale, translate

ID = "id"
SHOWN_PROBLEMS = 20
REFUSED = 2
"""Exit code of a refused file, as of a wrong option."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A message id and its values. ``value`` is shown to whoever typed the file, on their own screen."""

    message: str
    params: dict[str, object]


class AnswersRefused(ValueError):
    """The file cannot be scored; every problem with its row and column as a spreadsheet shows them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = tuple(problems)


def _refuse(message: str, **params: object) -> AnswersRefused:
    return AnswersRefused([Problem(message, params)])


def score_csv(code: str, answers: Path, out: Path | None = None) -> str:
    """Score a file and give the table as CSV text; with ``out`` it is also written there, all or nothing.

    Raises :class:`AnswersRefused`, and then nothing has been written.
    """
    try:
        instrument = catalogue().get(code)
    except UnknownInstrument:
        raise _refuse(
            "There is no instrument {code}; known are {codes}.", code=code, codes=", ".join(catalogue().codes)
        ) from None
    header, rows = _read(answers)
    _check_header(instrument, header)
    sheets = _parse(instrument, header, rows)
    text = _table(
        instrument, ID in header, ((ident, score_sheet(instrument, sheet)) for ident, sheet in sheets)
    )
    if out is not None:
        _write(out, text)
    return text


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and each row that is not an empty line with its number in the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _refuse("{path} cannot be read: {reason}.", path=path, reason=error.strerror or "") from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("gb18030", errors="replace")  # what Excel saves as CSV on a Chinese Windows
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [(number, row) for number, row in enumerate(reader, start=1) if row]
    except csv.Error:
        raise _refuse("Row {row} is not well-formed CSV.", row=reader.line_num) from None
    if not lines:
        raise _refuse("The file is empty; its first row must name the columns.")
    return [name.strip() for name in lines[0][1]], lines[1:]


def _check_header(instrument: Instrument, header: Sequence[str]) -> None:
    problems = []
    for column in dict.fromkeys(header):
        if column != ID and column not in instrument.positions:
            message = "Column {column} is neither an item of {code} nor id."
            problems.append(Problem(message, {"column": column or "?", "code": instrument.code}))
        if list(header).count(column) > 1:
            problems.append(Problem("Column {column} is there twice.", {"column": column or "?"}))
    for item in instrument.main_items:
        if item.key not in header:
            problems.append(Problem("Column {column} is missing.", {"column": item.key}))
    if problems:
        raise AnswersRefused(problems)


def _parse(
    instrument: Instrument, header: Sequence[str], rows: Sequence[tuple[int, list[str]]]
) -> list[tuple[str, AnswerSheet]]:
    sheets, problems = [], []
    for number, cells in rows:
        if len(cells) != len(header):
            message = "Row {row} has {found} cells, the first row has {expected}."
            problems.append(Problem(message, {"row": number, "found": len(cells), "expected": len(header)}))
            continue
        raw = dict(zip(header, cells, strict=True))
        ident = raw.pop(ID, "")
        try:
            sheets.append((ident, AnswerSheet.parse(instrument, raw)))
        except AnswerErrors as refused:
            for error in refused.errors:
                allowed = ", ".join(str(value) for value in error.allowed)
                message = "Row {row}, column {column}: {value} is not one of {allowed}."
                params = {"row": number, "column": error.item, "value": raw[error.item], "allowed": allowed}
                problems.append(Problem(message, params))
    if problems:
        raise AnswersRefused(problems)
    return sheets


def _table(instrument: Instrument, with_id: bool, scored: Iterator[tuple[str, Scores]]) -> str:
    banded = {score_id for score_id, _ in instrument.default_bands}
    columns = [ID] if with_id else []
    for definition in instrument.scores:
        columns += [definition.id, f"{definition.id}_band"] if definition.id in banded else [definition.id]
    columns += ["status", "missing", "lowest", "highest", "grade", "critical"]
    columns += ["validity", "flags", "over_cutoff", "severe", "asks_about_safety", "instrument", "version"]
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(columns)
    for ident, scores in scored:
        cells: list[object] = [ident] if with_id else []
        for definition in instrument.scores:
            value = scores.values[definition.id]
            cells += [_value(value), _band(value)] if definition.id in banded else [_value(value)]
        writer.writerow(cells + _rest(scores))
    return table.getvalue()


def _value(value: ScoreValue) -> object:
    return "" if value.value is None else value.value


def _band(value: ScoreValue) -> str:
    return value.band.id if value.band else ""


def _rest(scores: Scores) -> list[object]:
    main = scores.main
    return [
        main.status,
        " ".join(main.missing),
        "" if main.lowest is None else main.lowest,
        "" if main.highest is None else main.highest,
        scores.grade or "",
        " ".join(f"{found.item}:{found.grade}:{found.reason}" for found in scores.critical),
        scores.validity,
        " ".join(scores.flags),
        int(scores.over_cutoff),
        int(scores.severe),
        int(scores.asks_about_safety),
        scores.code,
        scores.version,
    ]


def _write(out: Path, text: str) -> None:
    """Beside its place first, then in one step: a full disk leaves the old file, not half of a new one."""
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        beside.write_text(text, encoding="utf-8", newline="")
        beside.replace(out)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise _refuse("{path} cannot be written: {reason}.", path=out, reason=error.strerror or "") from error


def explain(refused: AnswersRefused, locale: str) -> list[str]:
    """The problems as sentences, the first twenty of them, and how many more there are."""
    lines = [translate(locale, each.message, **each.params) for each in refused.problems[:SHOWN_PROBLEMS]]
    if more := len(refused.problems) - len(lines):
        lines.append(translate(locale, "And {n} more problems.", n=more))
    return [*lines, translate(locale, "Nothing was written.")]


def score(
    code: Annotated[str, typer.Argument(help="the instrument, for example phq9")],
    answers: Annotated[Path, typer.Argument(help="CSV: columns 1 to n, extra items by name, id if wanted")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="where to write; otherwise the screen")
    ] = None,
) -> None:
    """Score a CSV file of answers: one row out per row in, no database."""
    try:
        text = score_csv(code, answers, out)
    except AnswersRefused as refused:
        for line in explain(refused, choose_locale(os.environ.get("LANG"))):
            typer.echo(line, err=True)
        raise typer.Exit(REFUSED) from refused
    if out is None:
        sys.stdout.write(text)
