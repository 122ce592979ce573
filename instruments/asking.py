"""What may be asked of whom: a questionnaire against grades, ages, informants and the day it was last answered. Pure.

A grade is a year of school, counted from the first (高一 is 10). A breach is a fact with its numbers; the words are
the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from instruments.definition import Instrument

SECONDARY_FROM = 7
"""The first grade of secondary school, in which somebody asks about safety or signs that nobody does."""


class Rule(StrEnum):
    """Which rule of a sheet is broken."""

    GRADE_LOW = "grade_low"
    GRADE_HIGH = "grade_high"
    AGE_LOW = "age_low"
    AGE_HIGH = "age_high"
    ITEM_GRADE = "item_grade"
    INFORMANT = "informant"
    RETEST_GAP = "retest_gap"


@dataclass(frozen=True, slots=True)
class Breach:
    """One rule of one sheet that is broken. ``said``: the numbers of its sentence."""

    rule: Rule
    instrument: Instrument
    said: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who is asked. ``ages``: the ages of the children of a grade on the first day, as far as they are known.

    ``informants`` and ``last_answered`` by instrument code; a code that is missing says nothing.
    """

    grades: tuple[int, ...]
    opens_on: date
    ages: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    informants: Mapping[str, str] = field(default_factory=dict)
    last_answered: Mapping[str, date] = field(default_factory=dict)


def breaches(instruments: Iterable[Instrument], asked: Asked) -> tuple[Breach, ...]:
    """Everything that a set of sheets breaks, sheet by sheet; of each rule the worst grade."""
    found: list[Breach] = []
    for instrument in instruments:
        found += [*_grade(instrument, asked.grades), *_items(instrument, asked.grades)]
        found += [*_ages(instrument, asked.ages), *_informant(instrument, asked), *_gap(instrument, asked)]
    return tuple(found)


def _grade(instrument: Instrument, grades: tuple[int, ...]) -> Iterator[Breach]:
    lowest, highest = min(grades, default=None), max(grades, default=None)
    if lowest is not None and lowest < instrument.grade_min:
        yield Breach(Rule.GRADE_LOW, instrument, {"grade": lowest, "limit": instrument.grade_min})
    if highest is not None and instrument.grade_max is not None and highest > instrument.grade_max:
        yield Breach(Rule.GRADE_HIGH, instrument, {"grade": highest, "limit": instrument.grade_max})


def _items(instrument: Instrument, grades: tuple[int, ...]) -> Iterator[Breach]:
    """Items that wait for a higher grade than the sheet itself."""
    lowest = min(grades, default=None)
    for item in instrument.items:
        if (
            item.min_grade is not None
            and lowest is not None
            and instrument.grade_min <= lowest < item.min_grade
        ):
            yield Breach(
                Rule.ITEM_GRADE, instrument, {"item": item.key, "grade": lowest, "limit": item.min_grade}
            )


def _ages(instrument: Instrument, ages: Mapping[int, tuple[int, ...]]) -> Iterator[Breach]:
    """Grades most of whose children are outside the ages of the sheet. One who is ahead of the class stops nobody."""
    for grade, known in sorted(ages.items()):
        young, old = outside(instrument, known)
        if 2 * young > len(known):
            yield Breach(Rule.AGE_LOW, instrument, {"grade": grade, "limit": instrument.age_min})
            return
        if 2 * old > len(known):
            yield Breach(Rule.AGE_HIGH, instrument, {"grade": grade, "limit": instrument.age_max})
            return


def outside(instrument: Instrument, ages: Iterable[int]) -> tuple[int, int]:
    """How many are too young, and how many too old, for a sheet."""
    known = list(ages)
    young = sum(1 for age in known if instrument.age_min is not None and age < instrument.age_min)
    old = sum(1 for age in known if instrument.age_max is not None and age > instrument.age_max)
    return young, old


def _informant(instrument: Instrument, asked: Asked) -> Iterator[Breach]:
    informant = asked.informants.get(instrument.code)
    if informant is not None and informant not in instrument.informants:
        yield Breach(Rule.INFORMANT, instrument, {"informants": ", ".join(instrument.informants)})


def _gap(instrument: Instrument, asked: Asked) -> Iterator[Breach]:
    last = asked.last_answered.get(instrument.code)
    if last is None or not instrument.retest_min_gap_days:
        return
    again = last + timedelta(days=instrument.retest_min_gap_days)
    if asked.opens_on < again:
        yield Breach(
            Rule.RETEST_GAP,
            instrument,
            {"day": last.isoformat(), "again": again.isoformat(), "days": instrument.retest_min_gap_days},
        )


def needs_signature(instruments: Iterable[Instrument], grades: Iterable[int]) -> bool:
    """Whether a secondary school is asked nothing about safety: then the lead signs, or it is not announced."""
    return any(grade >= SECONDARY_FROM for grade in grades) and not any(
        instrument.asks_about_safety for instrument in instruments
    )
