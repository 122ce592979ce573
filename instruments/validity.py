"""May a sheet be interpreted? Invalid, doubtful or valid, and why.

Invalid only by the sheet's own validity rule, or with more missing answers than its own rule bears. Doubtful:
filled in too fast, with help, with trouble reading, against its own conditions, or in one straight line. All
zeros is a common honest answer and no reason for doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from instruments.definition import Sex

SECONDS_PER_ITEM = 1.5
"""Faster than this nobody reads the items; a rule of this project."""


class Validity(StrEnum):
    """Whether the scores of a sheet are interpreted (not of an invalid one)."""

    VALID = "valid"
    DOUBTFUL = "doubtful"
    INVALID = "invalid"


class Flag(StrEnum):
    """Why a sheet is not simply valid. The first three make it invalid, the others doubtful."""

    BLANK = "blank"
    MISSING_ANSWERS = "missing_answers"
    VALIDITY_SCALE = "validity_scale"
    CONTRADICTION = "contradiction"
    STRAIGHT_LINE = "straight_line"
    TOO_FAST = "too_fast"
    HELPED = "helped"
    READING_TROUBLE = "reading_trouble"


INVALIDATING = frozenset({Flag.BLANK, Flag.MISSING_ANSWERS, Flag.VALIDITY_SCALE})


@dataclass(frozen=True, slots=True)
class SheetConditions:
    """How the sheet was filled in: seconds taken (None = not measured), helped, trouble reading; and by or about
    whom, where a sheet asks (None = not known)."""

    seconds: int | None = None
    helped: bool = False
    reading_trouble: bool = False
    sex: Sex | None = None
    age: int | None = None


def condition_flags(conditions: SheetConditions, answered: int) -> list[Flag]:
    """The flags that come from how the sheet was filled in. ``answered``: how many items were."""
    flags = []
    if conditions.seconds is not None and conditions.seconds < SECONDS_PER_ITEM * answered:
        flags.append(Flag.TOO_FAST)
    if conditions.helped:
        flags.append(Flag.HELPED)
    if conditions.reading_trouble:
        flags.append(Flag.READING_TROUBLE)
    return flags


def judge(flags: Sequence[Flag]) -> Validity:
    """What the flags of a sheet make of it."""
    if INVALIDATING.intersection(flags):
        return Validity.INVALID
    return Validity.DOUBTFUL if flags else Validity.VALID
