"""Tables to learn from: a CSV (or .csv.gz) with an outcome, predictors, clusters and perhaps weights.

A blank cell is a missing answer; it is kept as missing and never as a number. Rows without an outcome are left
out of learning and measuring (missing is not 0), and are predicted like any other row. Rows of one cluster
(school, sampling unit) stay together in every split.

Every refusal is a message with its values, so that the edge can say it in the reader's language.
"""

import csv
import gzip
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.evaluation import Floats, Indices

MISSING = frozenset({"", "na", "nan", "n/a", "null", "none"})
GZIP = b"\x1f\x8b"
MOST_CATEGORIES = 20
FEWEST_OF_A_CLASS = 30
FEWEST_CLUSTERS = 4
TIME_NAMES = ("year", "term", "wave", "cycle", "date")

_LIST = re.compile(r"[,\s;]+")


class DataRefused(ValueError):
    """A table, or what was asked of it, cannot be used. `message` has {placeholders} for `params`."""

    def __init__(self, message: str, **params: object) -> None:
        super().__init__(message.format_map(params))
        self.message = message
        self.params = params


@dataclass(frozen=True, slots=True)
class Table:
    """A read file: its columns as texts (blank where missing), its rows counted, its SHA-256."""

    name: str
    digest: str
    columns: Mapping[str, tuple[str, ...]]
    n: int

    def column(self, name: str) -> tuple[str, ...]:
        """One column. Raises DataRefused naming it, if it is not there."""
        try:
            return self.columns[name]
        except KeyError:
            raise DataRefused("Column {column} is missing in {file}.", column=name, file=self.name) from None

    def need(self, names: Sequence[str]) -> None:
        """Raises DataRefused naming every one of these columns that is not there."""
        absent = [name for name in names if name not in self.columns]
        if absent:
            raise DataRefused(
                "Columns missing in {file}: {columns}.", file=self.name, columns=", ".join(absent)
            )


@dataclass(frozen=True, slots=True)
class Field:
    """How one predictor becomes numbers: as it is, or one 0/1 column for each category but the first."""

    name: str
    categories: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """Rows with a known outcome, ready to learn from or to measure on."""

    y: Floats
    weight: Floats
    clusters: NDArray[np.str_]
    rows: Indices

    @property
    def events(self) -> int:
        return int(self.y.sum())


# --- reading -----------------------------------------------------------------------------------------------


def read_table(path: Path) -> Table:
    """Read a CSV file, packed by gzip or not. Raises DataRefused for what is no such file."""
    try:
        content = path.read_bytes()
        text = _text(gzip.decompress(content) if content.startswith(GZIP) else content)
    except (OSError, EOFError, gzip.zlib.error) as error:  # type: ignore[attr-defined]
        reason = getattr(error, "strerror", None) or str(error)
        raise DataRefused("{file} cannot be read: {reason}.", file=path, reason=reason) from error
    lines = _lines(text)
    header = [name.strip() for name in next(lines, (0, []))[1]]
    if not header:
        raise DataRefused("{file} is empty; its first row must name the columns.", file=path.name)
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataRefused("Column {column} is there twice in {file}.", column=twice[0], file=path.name)
    rows = []
    for number, row in lines:
        if len(row) != len(header):
            raise DataRefused(
                "Row {row} has {found} cells, the first row has {expected}.",
                row=number,
                found=len(row),
                expected=len(header),
            )
        rows.append(row)
    by_column = zip(*rows, strict=True) if rows else ((),) * len(header)
    columns = {name: _cells(cells) for name, cells in zip(header, by_column, strict=True)}
    return Table(name=path.name, digest=sha256(content).hexdigest(), columns=columns, n=len(rows))


def _text(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030", errors="replace")  # what Excel saves on a Chinese Windows


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for number, row in enumerate(reader, start=1):
            if row:
                yield number, row
    except csv.Error:
        raise DataRefused("Row {row} is not well-formed CSV.", row=reader.line_num) from None


def _cells(cells: Sequence[str]) -> tuple[str, ...]:
    known: dict[str, str] = {}
    for cell in set(cells):
        bare = cell.strip()
        known[cell] = "" if bare.lower() in MISSING else bare
    return tuple(known[cell] for cell in cells)


def names_of(given: str) -> tuple[str, ...]:
    """Names from a list (`a,b,c`) or from a file that holds one (`#` begins a remark)."""
    text = given
    if (path := Path(given)).is_file():
        lines = path.read_text("utf-8").splitlines()
        text = " ".join(line.split("#", 1)[0] for line in lines)
    names = tuple(name for name in _LIST.split(text) if name)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataRefused("Column {column} is named twice.", column=twice[0])
    if not names:
        raise DataRefused("No column is named in {given}.", given=given or "''")
    return names


# --- columns as numbers ------------------------------------------------------------------------------------


def numbers(table: Table, name: str) -> Floats | None:
    """A column as numbers with NaN for missing; None if a cell is something else (text)."""
    cells = table.column(name)
    values: dict[str, float] = {}
    for cell in set(cells):
        try:
            values[cell] = float(cell) if cell else np.nan
        except ValueError:
            return None
        if cell and not np.isfinite(values[cell]):
            return None
    return np.fromiter((values[cell] for cell in cells), dtype=np.float64, count=len(cells))


def outcome_of(table: Table, name: str) -> Floats:
    """The outcome: 0, 1, or NaN where it is not known. Raises DataRefused naming a cell that is none of these."""
    found = numbers(table, name)
    cells = table.column(name)
    wrong = (
        [place for place, cell in enumerate(cells) if cell and cell not in ("0", "1", "0.0", "1.0")]
        if found is None
        else np.flatnonzero(~(np.isnan(found) | (found == 0.0) | (found == 1.0)))
    )
    if found is None or len(wrong):
        place = int(wrong[0])
        raise DataRefused(
            "Outcome {column} must be 0, 1 or blank; row {row} has {value}.",
            column=name,
            row=place + 2,
            value=cells[place],
        )
    return found


def weight_of(table: Table, name: str | None) -> Floats:
    """The weights (ones without a column). Raises DataRefused for a blank, negative or unreadable one."""
    if name is None:
        return np.ones(table.n)
    found = numbers(table, name)
    if found is None or not (np.isfinite(found) & (found >= 0.0)).all():
        raise DataRefused("Every weight in {column} must be a number of 0 or more.", column=name)
    return found


def clusters_of(table: Table, names: Sequence[str]) -> NDArray[np.str_]:
    """One mark for each cluster: the values of its columns together. A blank is refused, never a cluster."""
    columns = [table.column(name) for name in names]
    for name, column in zip(names, columns, strict=True):
        if "" in column:
            raise DataRefused(
                "Row {row} has no value in {column}, so its cluster is not known.",
                row=column.index("") + 2,
                column=name,
            )
    return np.array(["/".join(values) for values in zip(*columns, strict=True)])


def groups_of(table: Table, name: str) -> NDArray[np.str_]:
    """The values of a column as names of groups; a blank is `?`."""
    return np.array([cell or "?" for cell in table.column(name)])


def training_set(
    table: Table, *, outcome: str, clusters: Sequence[str], weight: str | None = None
) -> TrainingSet:
    """The rows whose outcome is known (and whose weight is above 0)."""
    y = outcome_of(table, outcome)
    scale = weight_of(table, weight)
    marks = clusters_of(table, clusters) if clusters else np.arange(table.n).astype(str)
    rows = np.flatnonzero(~np.isnan(y) & (scale > 0.0))
    return TrainingSet(y=y[rows], weight=scale[rows], clusters=marks[rows], rows=rows)


def check_enough(data: TrainingSet) -> None:
    """Raises DataRefused where there is too little to learn from."""
    fewest = min(data.events, len(data.y) - data.events)
    if fewest < FEWEST_OF_A_CLASS:
        raise DataRefused(
            "There are {events} rows with the outcome and {others} without; at least {least} of each are needed.",
            events=data.events,
            others=len(data.y) - data.events,
            least=FEWEST_OF_A_CLASS,
        )
    found = len(np.unique(data.clusters))
    if found < FEWEST_CLUSTERS:
        raise DataRefused(
            "There are {found} clusters; at least {least} are needed, as none is ever split.",
            found=found,
            least=FEWEST_CLUSTERS,
        )


def fields_of(table: Table, predictors: Sequence[str]) -> tuple[Field, ...]:
    """How each predictor is read, decided on the data one learns from. Wholly blank columns are refused."""
    table.need(predictors)
    return tuple(_field(table, name) for name in predictors)


def _field(table: Table, name: str) -> Field:
    cells = set(table.column(name)) - {""}
    if not cells:
        raise DataRefused("Predictor {column} is blank in every row.", column=name)
    if numbers(table, name) is not None:
        return Field(name, None)
    if len(cells) > MOST_CATEGORIES:
        raise DataRefused(
            "Predictor {column} holds {found} different texts; a predictor is numbers or at most {most} categories.",
            column=name,
            found=len(cells),
            most=MOST_CATEGORIES,
        )
    return Field(name, tuple(sorted(cells)))


@dataclass(frozen=True, slots=True)
class Matrix:
    """Predictors as numbers: `values` rows x columns with NaN; `absent` rows x predictors."""

    values: Floats
    absent: NDArray[np.bool_]

    @property
    def missing(self) -> Floats:
        """The share of predictors missing in each row."""
        share: Floats = self.absent.mean(axis=1)
        return share


def encode(table: Table, fields: Sequence[Field]) -> Matrix:
    """Predictors as a matrix. A category that was not there in training is missing.

    Raises DataRefused naming columns that are absent, or a text where numbers were learnt.
    """
    table.need([field.name for field in fields])
    columns: list[Floats] = []
    absent: list[NDArray[np.bool_]] = []
    for field in fields:
        found = _encoded(table, field)
        absent.append(np.isnan(found[0]))
        columns += found
    return Matrix(np.column_stack(columns), np.column_stack(absent))


def _encoded(table: Table, field: Field) -> list[Floats]:
    if field.categories is None:
        found = numbers(table, field.name)
        if found is None:
            raise DataRefused("Predictor {column} must hold numbers, as in training.", column=field.name)
        return [found]
    cells = np.array(table.column(field.name))
    unknown = ~np.isin(cells, field.categories)
    # With one category only, its single column is 1 wherever it is known.
    told = field.categories[1:] or field.categories
    return [np.where(unknown, np.nan, (cells == category).astype(np.float64)) for category in told]


def columns_of(fields: Sequence[Field]) -> tuple[str, ...]:
    """A name for each column of the matrix."""
    names: list[str] = []
    for field in fields:
        told = (field.categories[1:] or field.categories) if field.categories else None
        names += [f"{field.name}={category}" for category in told] if told else [field.name]
    return tuple(names)


# --- splits ------------------------------------------------------------------------------------------------


def folds_of(data: TrainingSet, n: int, *, seed: int) -> Indices:
    """The fold of each row: whole clusters, so that folds are alike in events and in size.

    Clusters are shuffled, then each, the largest first, goes to the fold with the fewest events so far.
    """
    marks, place = np.unique(data.clusters, return_inverse=True)
    n = min(n, len(marks))
    sizes = np.bincount(place)
    events = np.bincount(place, data.y)
    shuffled = np.random.default_rng(seed).permutation(len(marks))
    fold_of = np.zeros(len(marks), dtype=np.int64)
    loads = np.zeros((n, 2))
    for cluster in sorted(shuffled.tolist(), key=lambda each: -sizes[each]):
        fold = min(
            range(n), key=lambda each: loads[each, 0] / max(events.sum(), 1) + loads[each, 1] / len(place)
        )
        fold_of[cluster] = fold
        loads[fold] += (events[cluster], sizes[cluster])
    result: Indices = fold_of[place]
    return result


def window_of(
    table: Table, clusters: Sequence[str], rows: Indices, time: str | None
) -> dict[str, Any] | None:
    """From when to when the rows are: of the named column, else of a cluster column called year, term, date ..."""
    name = time or next((each for each in clusters if each.lower() in TIME_NAMES), None)
    if name is None:
        return None
    cells = table.column(name)
    told = sorted({cells[row] for row in rows.tolist()} - {""})
    return {"column": name, "first": told[0], "last": told[-1]} if told else None
