"""A workbook → checked rows. Uploads go through ``read_in_child``: a process of its own with limits.

``read_workbook`` is the pure function behind it. Nothing raises for what a file may hold: a file that cannot be
opened comes back as a ``ParsedWorkbook`` that is ``refused`` and says why. The child is this module as a program.
"""

from __future__ import annotations

import io
import json
import math
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from threading import BoundedSemaphore

from python_calamine import CalamineError, CalamineWorkbook

from instruments import CriticalAnswer, Grade, Instrument, catalogue
from screening.core.grades import SchoolSystem
from screening.spreadsheets import container
from screening.spreadsheets.container import WorkbookRefused
from screening.spreadsheets.rows import ParsedWorkbook, RowError
from screening.spreadsheets.sheets import SheetReading

MEMORY = 512 * 1024 * 1024
SECONDS = 60

TOO_MUCH_MEMORY = (
    "The workbook needs more memory than one upload may use. Split it by grade or class and upload the parts."
)
TOO_MUCH_TIME = "Reading the workbook took longer than {seconds} seconds. Split it by grade or class and upload the parts."
READER_STOPPED = "The workbook made the reader stop. Copy the data into the empty template and upload that."

_ROOT = Path(__file__).resolve().parents[2]
# None of our settings go to a process that opens foreign files. One thread: NumPy's reserve memory each.
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
OUT_OF_MEMORY = 3  # exit status of our child
# Two readings at once: more would only make all of them late, and each may fill its memory.
_SLOTS = BoundedSemaphore(2)


def read_workbook(
    data: bytes,
    instruments: Iterable[Instrument],
    *,
    today: date,
    system: SchoolSystem = SchoolSystem.SIX_THREE,
) -> ParsedWorkbook:
    """Read and check a whole workbook. ``instruments``: those whose sheets may stand in it, or a catalogue.

    ``today`` is the local day (days after it are errors); ``system`` is how the school counts its grades.
    Runs in the calling process, without limits of memory and time: for uploads use ``read_in_child``.
    """
    try:
        known = container.inspect(data)
        book = CalamineWorkbook.from_filelike(io.BytesIO(data))
        return SheetReading(book, known, {item.code: item for item in instruments}, today, system).parsed()
    except WorkbookRefused as refusal:
        return refused(refusal)
    except CalamineError:
        return refused(WorkbookRefused(container.DAMAGED))


def refused(refusal: WorkbookRefused) -> ParsedWorkbook:
    """A workbook that was not opened, as a value."""
    error = RowError(refusal.sheet, None, None, refusal.message, refusal.params)
    return ParsedWorkbook(errors=(error,), refused=True)


def read_in_child(
    data: bytes,
    codes: Iterable[str] | None,
    today: date,
    *,
    system: SchoolSystem = SchoolSystem.SIX_THREE,
    seconds: float = SECONDS,
    memory: int = MEMORY,
) -> ParsedWorkbook:
    """``read_workbook`` in a process of its own: at most ``memory`` bytes, ``seconds`` of time, no settings.

    ``codes``: the instruments whose sheets may stand in the workbook; None = all of the library. Too much
    memory, too much time or a crash come back as a refused workbook with a sentence. Waits while two other
    workbooks are being read.
    """
    try:
        container.check_outside(data)
    except WorkbookRefused as refusal:
        return refused(refusal)
    asked = {
        "codes": None if codes is None else list(codes),
        "today": today.isoformat(),
        "system": system.value,
    }
    try:
        answer = in_child("screening.spreadsheets.reader", asked, data, seconds=seconds, memory=memory)
    except WorkbookRefused as refusal:
        return refused(refusal)
    parsed = _Unpickler(io.BytesIO(answer)).load()
    if not isinstance(parsed, ParsedWorkbook):
        raise TypeError("the reading process answered something else")
    return parsed


def in_child(module: str, asked: Mapping[str, object], data: bytes, *, seconds: float, memory: int) -> bytes:
    """What ``module``, run as a program with limits and no settings, writes about ``data``.

    Raises :class:`WorkbookRefused` for too much memory, too much time or a crash. The child's words on stderr may
    hold cells, so nobody sees them.
    """
    limits = {"memory": memory, "seconds": math.ceil(seconds)}
    with _SLOTS:
        try:
            done = subprocess.run(  # noqa: S603  # our own interpreter and module, no shell
                [sys.executable, "-E", "-s", "-m", module],
                input=json.dumps({**asked, **limits}).encode() + b"\n" + data,
                capture_output=True,
                cwd=_ROOT,
                env=_ENVIRONMENT,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise WorkbookRefused(TOO_MUCH_TIME, seconds=math.ceil(seconds)) from None
    if done.returncode == -signal.SIGXCPU:
        raise WorkbookRefused(TOO_MUCH_TIME, seconds=math.ceil(seconds))
    if done.returncode in (OUT_OF_MEMORY, -signal.SIGKILL) or b"memory allocation" in done.stderr:
        raise WorkbookRefused(TOO_MUCH_MEMORY)
    if done.returncode != 0:
        raise WorkbookRefused(READER_STOPPED)
    return done.stdout


def limit_memory_and_time(asked: Mapping[str, int]) -> None:
    """The first thing a child does."""
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory"], asked["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (asked["seconds"], asked["seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


_OUR_VALUES = {
    ("screening.spreadsheets.rows", "ParsedWorkbook"),
    ("screening.spreadsheets.rows", "ParsedSheet"),
    ("screening.spreadsheets.rows", "RosterRow"),
    ("screening.spreadsheets.rows", "SheetRow"),
    ("screening.spreadsheets.rows", "RowError"),
    ("screening.spreadsheets.rows", "Severity"),
    ("screening.core.grades", "GradeInfo"),
    ("screening.core.grades", "Stage"),
    (CriticalAnswer.__module__, "CriticalAnswer"),
    (Grade.__module__, "Grade"),
    ("datetime", "date"),
}


class _Unpickler(pickle.Unpickler):
    """Reads the child's answer. The child has opened a foreign file, so only our own values are let through."""

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _OUR_VALUES:
            raise pickle.UnpicklingError("the reading process answered with a value that is not ours")
        return super().find_class(module, name)


def main() -> None:
    """The child: limits first, then one workbook from stdin to stdout."""
    asked = json.loads(sys.stdin.buffer.readline())
    limit_memory_and_time(asked)
    try:
        parsed = read_workbook(
            sys.stdin.buffer.read(),
            [item for item in catalogue() if asked["codes"] is None or item.code in asked["codes"]],
            today=date.fromisoformat(asked["today"]),
            system=SchoolSystem(asked["system"]),
        )
        pickle.dump(parsed, sys.stdout.buffer, protocol=pickle.HIGHEST_PROTOCOL)
        sys.stdout.buffer.flush()
    except MemoryError:
        sys.exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main()
