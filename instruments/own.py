"""An instrument that a district writes itself: checked as strictly as the shipped ones, and all that is wrong with it
said at once. It may not decide anything until it has a source, a licence and three worked examples that hold.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from instruments.checks import problems
from instruments.definition import Certainty, Instrument
from instruments.examples import ExampleResult, run_examples
from instruments.parsing import parse_instrument
from instruments.reading import LibraryError, Node, load

EXAMPLES_NEEDED = 3
_TRIES = 200
_STEP = re.compile(r"([^.\[\]]+)|\[([0-9]+)\]")
_PLACEHOLDERS: tuple[tuple[str, object], ...] = (
    ("must be a text", "x"),
    ("must not be empty", "x"),
    ("must be a whole number", 1),
    ("must be true or false", False),
    ("must be a list of texts", ["x"]),
    ("must be a list of whole numbers", [0]),
    ("must be a list", []),
    ("must be a mapping", {}),
    ("must be a number", 0.5),
)


class Lack(StrEnum):
    """Why a file is not used for decisions though it can be read."""

    SOURCE = "source"
    LICENCE = "licence"
    EXAMPLES = "examples"
    EXAMPLE_FAILS = "example_fails"
    CODE_TAKEN = "code_taken"


@dataclass(frozen=True, slots=True)
class Finding:
    """A field and what is wrong with it."""

    field: str
    problem: str


@dataclass(frozen=True, slots=True)
class FileCheck:
    """All that is to be said about one file.

    ``findings``: what is wrong; with any, there is no instrument. ``more_may_follow``: what is wrong hides the rest.
    ``lacks``: what it still needs before it may decide something.
    """

    file: str
    findings: tuple[Finding, ...]
    more_may_follow: bool
    instrument: Instrument | None
    examples: tuple[ExampleResult, ...]
    lacks: tuple[Lack, ...]

    @property
    def ready(self) -> bool:
        """Whether it may be used for decisions."""
        return self.instrument is not None and not self.lacks


def check_file(file: str, data: bytes, taken: frozenset[str] = frozenset()) -> FileCheck:
    """Read ``data`` as a library file named ``file``. ``taken``: codes that others have. Raises nothing."""
    try:
        root = load(file, data)
    except LibraryError as error:
        return FileCheck(file, (Finding(error.field, error.problem),), True, None, (), ())
    findings, stopped = _shape(file, root.raw)
    if findings:
        return FileCheck(file, findings, stopped or True, None, (), ())
    instrument = parse_instrument(load(file, data), hashlib.sha256(data).hexdigest()[:12])
    wrong = tuple(Finding(*each) for each in problems(instrument, file.removesuffix(".yaml")))
    if wrong:
        return FileCheck(file, wrong, False, None, (), ())
    examples = run_examples(instrument)
    return FileCheck(file, (), False, instrument, examples, tuple(_lacks(instrument, examples, taken)))


def _lacks(
    instrument: Instrument, examples: tuple[ExampleResult, ...], taken: frozenset[str]
) -> Iterator[Lack]:
    if instrument.code in taken:
        yield Lack.CODE_TAKEN
    if not instrument.sources or not any(fact.how == "read" for fact in instrument.provenance):
        yield Lack.SOURCE
    licence = instrument.licence
    if licence.status == "unclear" or licence.certainty is Certainty.C or not licence.source:
        yield Lack.LICENCE
    if sum(each.holds for each in examples) < EXAMPLES_NEEDED:
        yield Lack.EXAMPLES
    if not all(each.holds for each in examples):
        yield Lack.EXAMPLE_FAILS


# --- everything that is wrong, not only the first thing -------------------------------------------------------


def _shape(file: str, raw: dict[object, object]) -> tuple[tuple[Finding, ...], bool]:
    """The fields that are missing, unknown or of the wrong kind, and whether the search had to stop at one.

    The reader stops at the first. Each is put right in a copy with something of the right kind, and the reader is
    asked again; what stands inside a field that was put right is not named.
    """
    content: Any = deepcopy(raw)
    found: list[Finding] = []
    for _ in range(_TRIES):
        try:
            parse_instrument(Node(file, "", content), "check")
        except LibraryError as error:
            if not any(_inside(error.field, each.field) for each in found):
                found.append(Finding(error.field, error.problem))
            if not _put_right(content, error.field, error.problem):
                return tuple(found), True
        else:
            break
    return tuple(found), False


def _inside(field: str, outer: str) -> bool:
    return field == outer or field.startswith((f"{outer}.", f"{outer}["))


def _put_right(content: Any, field: str, problem: str) -> bool:
    """Put something of the right kind in place of a field. False where nobody can guess what."""
    steps: list[str | int] = [int(match[2]) - 1 if match[2] else match[1] for match in _STEP.finditer(field)]
    place = content
    for step in steps[:-1]:
        step = _own_key(place, step)
        try:
            place = place[step]
        except (KeyError, IndexError, TypeError):
            return False
    last = _own_key(place, steps[-1])
    if problem == "unknown key":
        del place[last]
        return True
    value = _something(problem)
    if value is None and problem != "missing":
        return False
    place[last] = value
    return True


def _own_key(place: Any, step: str | int) -> Any:
    """Item numbers are whole numbers in YAML and texts in the name of a field."""
    if isinstance(place, dict) and step not in place and isinstance(step, str) and step.isdigit():
        return int(step)
    return step


def _something(problem: str) -> object:
    for words, value in _PLACEHOLDERS:
        if problem.startswith(words):
            return deepcopy(value)
    if found := re.fullmatch(r"must be one of ([^,]+)(, .*)?", problem):
        return found[1]
    if found := re.fullmatch(r"the items give (\S+) to (\S+)", problem):
        return [float(end) if "." in end else int(end) for end in found.groups()]
    return None
