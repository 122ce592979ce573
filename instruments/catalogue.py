"""The library of instruments, read once and checked field by field before anything uses it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from instruments.checks import problems
from instruments.definition import Instrument
from instruments.own import FileCheck, check_file
from instruments.parsing import parse_instrument
from instruments.reading import LibraryError, load

__all__ = [
    "Catalogue",
    "LibraryError",
    "UnknownInstrument",
    "catalogue",
    "read_instrument",
    "shipped",
    "use_folder",
]


class UnknownInstrument(LookupError):
    """There is no instrument of this code."""

    def __init__(self, code: str) -> None:
        super().__init__(f"no instrument {code!r}")
        self.code = code


class Catalogue:
    """All instruments by code."""

    def __init__(self, instruments: Mapping[str, Instrument]) -> None:
        self._instruments = dict(instruments)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes in alphabetical order."""
        return tuple(self._instruments)

    def get(self, code: str) -> Instrument:
        """The instrument of this code, or ``UnknownInstrument``."""
        try:
            return self._instruments[code]
        except KeyError:
            raise UnknownInstrument(code) from None

    def __contains__(self, code: object) -> bool:
        return code in self._instruments

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._instruments.values())

    def __len__(self) -> int:
        return len(self._instruments)


def read_instrument(file: str, data: bytes) -> Instrument:
    """One library file as an instrument; ``LibraryError`` names the file and the field that is wrong."""
    instrument = parse_instrument(load(file, data), hashlib.sha256(data).hexdigest()[:12])
    for field, problem in problems(instrument, file.removesuffix(".yaml")):
        raise LibraryError(file, field, problem)
    return instrument


@cache
def shipped() -> Catalogue:
    """The instruments shipped in ``instruments/library``; every field of every file is checked."""
    folder = files("instruments") / "library"
    found = {}
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        if entry.name.endswith(".yaml"):
            instrument = read_instrument(entry.name, entry.read_bytes())
            found[instrument.code] = instrument
    return Catalogue(found)


class _Own:
    """The folder of the district's own instruments, told once when a process begins."""

    folder: Path | None = None


def use_folder(folder: Path | None) -> tuple[FileCheck, ...]:
    """From now on ``catalogue`` holds the files of ``folder`` too, as far as they may decide something (``own``).

    Gives what is to be said of each file. A file that is wrong, unfinished, or has the code of a shipped one is left
    out: it must never keep a service from starting, nor take the place of what was checked. Raises OSError where
    the folder cannot be read.
    """
    checks = tuple(_checked(folder)) if folder is not None else ()
    _Own.folder = folder
    _with_own.cache_clear()
    return checks


def catalogue() -> Catalogue:
    """All instruments: the shipped ones, and those of the district's own folder."""
    return shipped() if _Own.folder is None else _with_own(_Own.folder)


@cache
def _with_own(folder: Path) -> Catalogue:
    found = {instrument.code: instrument for instrument in shipped()}
    for check in _checked(folder):
        if check.ready and check.instrument is not None:
            found[check.instrument.code] = check.instrument
    return Catalogue(dict(sorted(found.items())))


def _checked(folder: Path) -> Iterator[FileCheck]:
    taken = frozenset(shipped().codes)
    for path in sorted(folder.iterdir()):
        if path.suffix == ".yaml" and path.is_file():
            yield check_file(path.name, path.read_bytes(), taken)
