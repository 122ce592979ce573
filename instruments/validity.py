"""May a sheet be interpreted? Invalid, doubtful or valid, and why.

Invalid only by the sheet's own validity rule, or with more missing answers than its own rule bears. Doubtful:
filled in too fast, with help, with trouble reading, against its own conditions, or in one straight line. All
zeros is a common honest answer and no reason for doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from instruments.definition import Sex, Text

SECONDS_PER_ITEM = 1.5
"""Faster than this nobody reads the items; a rule of this project."""

STRAIGHT_LINE_ITEMS = 20
"""The same answer, other than the lowest, on this many items is no answer pattern of a person who read them."""

GENERAL_MISSING_SHARE = 10
"""One item in so many may be missing on a sheet that has no rule of its own."""


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
class Check:
    """One reason not to take a sheet as it is: when it is raised, and on what that rests."""

    flag: Flag
    rule: Text
    basis: Text

    @property
    def invalidates(self) -> bool:
        """Whether the sheet is not interpreted; otherwise it is doubted and read all the same."""
        return self.flag in INVALIDATING


_PROJECT = Text("本项目规定", "a rule of this project")
CHECKS: tuple[Check, ...] = (
    Check(
        Flag.BLANK,
        Text("一题也没有回答", "not one item is answered"),
        Text("空白卷不是答卷", "a blank sheet is no sheet"),
    ),
    Check(
        Flag.MISSING_ANSWERS,
        Text(
            f"缺答超过该量表自己的规定；没有规定的，超过{GENERAL_MISSING_SHARE}分之一",
            f"more is missing than the sheet's own rule bears; without one, more than 1 item in {GENERAL_MISSING_SHARE}",
        ),
        Text("量表的缺答规定", "the missing rule of the sheet"),
    ),
    Check(
        Flag.VALIDITY_SCALE,
        Text("量表自带的效度分达到界值", "the sheet's own validity scale reaches its limit"),
        Text("量表手册", "the manual of the sheet"),
    ),
    Check(
        Flag.CONTRADICTION,
        Text("不该问到的题有非零回答", "an answer other than 0 to an item that should not have been asked"),
        Text("量表的提问条件", "the conditions of the sheet"),
    ),
    Check(
        Flag.STRAIGHT_LINE,
        Text(
            f"同一个（非最低）答案连选{STRAIGHT_LINE_ITEMS}题及以上，或跨正反向题",
            f"one answer, not the lowest, to all of {STRAIGHT_LINE_ITEMS} items or more, or to items keyed both ways",
        ),
        _PROJECT,
    ),
    Check(
        Flag.TOO_FAST,
        Text(
            f"平均每题不足{SECONDS_PER_ITEM}秒（仅在记录了用时的情况下）",
            f"under {SECONDS_PER_ITEM} seconds for each answer, where the time is known",
        ),
        _PROJECT,
    ),
    Check(Flag.HELPED, Text("有人帮助填写", "somebody helped to fill it in"), _PROJECT),
    Check(Flag.READING_TROUBLE, Text("阅读有困难", "reading was difficult"), _PROJECT),
)
"""All reasons there are. Whatever is raised, critical answers fire and the sheet goes on the list to be done again."""


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
