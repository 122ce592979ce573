"""Resident identity numbers (GB 11643): clean, compare, doubt. Never a reason to turn a child away.

18 characters: 6 for the place of first registration, 8 for the birth date, 3 for the order (odd male, even
female), 1 check character. The place says nothing about where a child lives, and the prefixes of abolished
counties stay valid, so no prefix is ever judged here. A wrong check character, date or parity is a doubt to be
verified, not an error: some children have wrong papers and some have none.

The check character is computed by ``python-stdnum``'s arithmetic alone. Its ``validate`` also looks the place
up and would refuse the unassigned prefix 99, which all made-up numbers of this project carry.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from stdnum.cn import ric

LENGTH = 18
_SHAPE = re.compile(r"[0-9]{17}[0-9X]", re.ASCII)
_NOISE = re.compile(r"[\s\u200b\ufeff\-]+")
# 港澳台居民居住证: the same arithmetic with province prefixes of its own.
_HMT_PREFIXES = ("81", "82", "83")


class Doubt(StrEnum):
    """Why a number should be verified against the paper."""

    CHECK_CHARACTER = "check_character"
    NO_SUCH_DATE = "no_such_date"
    OTHER_BIRTH_DATE = "other_birth_date"
    OTHER_SEX = "other_sex"


@dataclass(frozen=True, slots=True)
class NumberFacts:
    """What the digits say. ``sex`` is ``"male"`` or ``"female"``; ``birth_date`` None when it is no date."""

    birth_date: date | None
    sex: str
    check_ok: bool
    of_hmt: bool


def normalise(text: str) -> str:
    """Full-width to half-width, upper-case X, no spaces or hyphens, no spreadsheet apostrophe in front."""
    half = unicodedata.normalize("NFKC", text)
    return _NOISE.sub("", half).lstrip("'’‘`").upper()


def has_shape(number: str) -> bool:
    """Seventeen digits and a digit or X. Expects a normalised number."""
    return _SHAPE.fullmatch(number) is not None


def check_character(number: str) -> str:
    """The check character that the first seventeen digits ask for."""
    return str(ric.calc_check_digit(number[:17] + "0"))


def read(number: str) -> NumberFacts:
    """The facts in a normalised number; ``ValueError`` when it does not have the shape of one."""
    if not has_shape(number):
        raise ValueError("not eighteen digits")
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        born = None
    return NumberFacts(
        birth_date=born,
        sex="male" if int(number[16]) % 2 else "female",
        check_ok=number[17] == check_character(number),
        of_hmt=number.startswith(_HMT_PREFIXES),
    )


def doubts(number: str, *, birth_date: date | None, sex: str | None) -> tuple[Doubt, ...]:
    """What does not fit. A birth date or sex that is not known is not compared."""
    facts = read(number)
    found = []
    if not facts.check_ok:
        found.append(Doubt.CHECK_CHARACTER)
    if facts.birth_date is None:
        found.append(Doubt.NO_SUCH_DATE)
    elif birth_date is not None and birth_date != facts.birth_date:
        found.append(Doubt.OTHER_BIRTH_DATE)
    if sex is not None and sex != facts.sex:
        found.append(Doubt.OTHER_SEX)
    return tuple(found)
