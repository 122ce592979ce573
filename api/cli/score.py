"""``xinqiao score CODE ANSWERS.csv [-o SCORES.csv]``: pure scoring, without a database.

Columns are the item numbers ``1 … n`` and, where the form has them, the extra items by name; ``id`` is carried
through, ``sex``, ``age`` and ``item_order`` are read where a sheet asks for them. One row out per row in. Nothing
is written unless every cell could be read, or the good rows alone are asked for.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO

import typer

from api.cli.score_file import AnswersRefused, Problem, Report, opened_text, refuse, score_rows
from instruments import Instrument, UnknownInstrument, catalogue, use_folder
from screening.core.i18n import choose_locale, translate

SHOWN_PROBLEMS = 20
REFUSED, FOUND = 2, 1
"""Exit codes: a refused file, as of a wrong option; and a file of which some rows were left out."""
STDIN = Path("-")
LARGE = 4 << 20
"""From this size on a bar shows how far it is."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a file is to be scored."""

    bands: str | None = None
    keep_going: bool = False


def score_csv(code: str, answers: Path, out: Path | None = None, wish: Wish | None = None) -> str:
    """Score a file and give the table as CSV text; with ``out`` it is also written there, all or nothing.

    Raises :class:`AnswersRefused`, and then nothing has been written. For files that fit in memory: the command
    itself goes piece by piece (``score_path``).
    """
    sink, instrument = io.StringIO(newline=""), instrument_of(code)
    with _opened(answers) as source:
        _checked(score_rows(instrument, source, sink, bands=(wish or Wish()).bands), keep_going=False)
    if out is not None:
        with _beside(out) as file:
            file.write(sink.getvalue())
    return sink.getvalue()


def instrument_of(code: str) -> Instrument:
    """The instrument of this code, or a refusal that names the known ones."""
    try:
        return catalogue().get(code)
    except UnknownInstrument:
        raise refuse(
            "There is no instrument {code}; known are {codes}.", code=code, codes=", ".join(catalogue().codes)
        ) from None


def _own_instruments(folder: str | None) -> None:
    """The district's own questionnaires can be scored too."""
    try:
        use_folder(Path(folder) if folder else None)
    except OSError as error:
        raise refuse("{path} cannot be read: {reason}.", path=folder, reason=error.strerror or "") from error


def score_path(code: str, answers: Path, out: Path | None, wish: Wish, sink: TextIO | None = None) -> Report:
    """Score a file of any size into ``out``, or into ``sink`` once the last row was read."""
    instrument = instrument_of(code)
    with _opened(answers) as source, _bar(source, answers) as progress:

        def work(file: TextIO) -> Report:
            keep = sys.maxsize if wish.keep_going else SHOWN_PROBLEMS
            return _checked(
                score_rows(
                    instrument,
                    source,
                    file,
                    bands=wish.bands,
                    keep_going=wish.keep_going,
                    keep_problems=keep,
                    progress=progress,
                ),
                keep_going=wish.keep_going,
            )

        if out is not None:
            with _beside(out) as file:
                return work(file)
        with tempfile.TemporaryFile("w+", encoding="utf-8", newline="") as spool:
            report = work(spool)
            spool.seek(0)
            shutil.copyfileobj(spool, sink or sys.stdout)
            return report


def _checked(report: Report, *, keep_going: bool) -> Report:
    if report.problem_count and not keep_going:
        raise AnswersRefused(report.problems, report.problem_count)
    return report


@contextmanager
def _opened(path: Path) -> Iterator[TextIO]:
    """The answers as text; standard input is put aside first, for it can be read only once."""
    file: BinaryIO
    try:
        if path == STDIN:
            file = tempfile.TemporaryFile()  # noqa: SIM115  # closed below with its text
            shutil.copyfileobj(sys.stdin.buffer, file)
            file.seek(0)
        else:
            file = path.open("rb")
        text = opened_text(file)
    except OSError as error:
        raise refuse("{path} cannot be read: {reason}.", path=path, reason=error.strerror or "") from error
    try:
        yield text
    finally:
        text.close()


@contextmanager
def _beside(out: Path) -> Iterator[TextIO]:
    """Beside its place first, then in one step: a full disk leaves the old file, not half of a new one."""
    beside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8", newline="") as file:
            yield file
        beside.replace(out)
    except OSError as error:
        raise refuse("{path} cannot be written: {reason}.", path=out, reason=error.strerror or "") from error
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _bar(source: TextIO, path: Path) -> Iterator[Callable[[], None]]:
    """A bar on the screen for a large file; nothing where nobody watches."""
    size = 0 if path == STDIN else path.stat().st_size
    if size < LARGE or not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(path.name, total=size)
        yield lambda: progress.update(task, completed=_read_so_far(source))


def _read_so_far(source: TextIO) -> int:
    raw = getattr(getattr(source, "buffer", None), "raw", None)
    return int(raw.tell()) if raw is not None else 0


def explain(refused: AnswersRefused, locale: str) -> list[str]:
    """The problems as sentences, the first twenty of them, and how many more there are."""
    lines = sentences(refused.problems[:SHOWN_PROBLEMS], locale)
    if more := refused.count - len(lines):
        lines.append(translate(locale, "And {n} more problems.", n=more))
    return [*lines, translate(locale, "Nothing was written.")]


def sentences(problems: tuple[Problem, ...] | list[Problem], locale: str) -> list[str]:
    """Each problem in the language of the terminal."""
    return [translate(locale, each.message, **each.params) for each in problems]


def score(
    code: str, answers: Path, out: Path | None = None, bands: str | None = None, keep_going: bool = False
) -> None:
    """The command: scores to ``out`` or to the screen, problems to standard error."""
    locale = choose_locale(os.environ.get("LANG"))
    try:
        _own_instruments(os.environ.get("XINQIAO_INSTRUMENTS"))
        report = score_path(code, answers, out, Wish(bands, keep_going))
    except AnswersRefused as refused:
        for line in explain(refused, locale):
            typer.echo(line, err=True)
        raise typer.Exit(REFUSED) from refused
    for line in sentences(report.problems, locale):
        typer.echo(line, err=True)
    if report.problem_count:
        left_out = report.rows - report.written
        typer.echo(
            translate(
                locale, "{n} rows were left out, {written} written.", n=left_out, written=report.written
            ),
            err=True,
        )
        raise typer.Exit(FOUND)
