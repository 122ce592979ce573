"""Has a score really changed between two sheets, or is it the noise of the questionnaire?

Reliable change (Jacobson & Truax, J Consult Clin Psychol 1991;59:12-19): the difference divided by the standard
error of a difference, ``SD × √(2 × (1 − r))``. Beyond ±1.96 a change of pure error is rarer than one in twenty.
``r`` is the retest reliability where one was published, otherwise alpha, which knows nothing of days that differ
and so calls a change reliable more easily. Both stand in the result with their source.

Only two sheets of the same questionnaire, order of items and informant are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from math import sqrt

from instruments.definition import (
    Certainty,
    Instrument,
    Number,
    Reliability,
    ReliabilityKind,
    ScoreKind,
)

RELIABLE = 1.96
"""Beyond this many standard errors a change is reliable (two-sided, five in a hundred)."""

SMALLEST_SAMPLE = 30
"""A standard deviation of fewer sheets than this is none."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One of the two sheets: what was given, when, by whom, in which order, and its score."""

    code: str
    layout: str
    informant: str
    on: date
    value: Number | None


@dataclass(frozen=True, slots=True)
class Spread:
    """The standard deviation of a score in some sample, and whose: published, or of the sheets of this place."""

    sd: float
    n: int
    source: str


class Direction(StrEnum):
    """What a reliable change means for the child. ``UNCLEAR``: within the error of the questionnaire."""

    BETTER = "better"
    WORSE = "worse"
    UNCLEAR = "unclear"


class NoChange(StrEnum):
    """Why two sheets are not compared."""

    OTHER_SHEET = "other_sheet"
    OTHER_LAYOUT = "other_layout"
    OTHER_INFORMANT = "other_informant"
    NO_SCORE = "no_score"
    NO_RELIABILITY = "no_reliability"
    NO_SPREAD = "no_spread"


@dataclass(frozen=True, slots=True)
class GapWarning:
    """The two sheets lie closer together than is sensible; ``basis`` says why. A warning, never a refusal."""

    days: int
    least: int
    basis: str


@dataclass(frozen=True, slots=True)
class Change:
    """The difference of two sheets, later less earlier, and what it is worth.

    ``index``: the difference in standard errors, None where ``why_not`` says why there is none.
    """

    score: str
    difference: Number | None
    index: float | None
    direction: Direction | None
    least: float | None
    """The smallest difference that would be reliable."""
    reliability: Reliability | None
    spread: Spread | None
    gap: GapWarning | None
    why_not: NoChange | None = None


def reliable_change(
    instrument: Instrument,
    first: Sheet,
    second: Sheet,
    *,
    score: str | None = None,
    spread: Spread | None = None,
) -> Change:
    """The change of one score (the main one) between two sheets of one child.

    ``spread`` is used where the library knows no standard deviation for the score; at least ``SMALLEST_SAMPLE``
    sheets. Raises KeyError for a score the instrument does not have.
    """
    name = score or instrument.main_score
    definition = instrument.score(name)
    earlier, later = (first, second) if first.on <= second.on else (second, first)
    refused = _not_alike(instrument, earlier, later)
    gap = None if refused is NoChange.OTHER_SHEET else gap_warning(instrument, earlier.on, later.on)
    if (
        refused is not None
        or earlier.value is None
        or later.value is None
        or definition.kind is ScoreKind.RULE
    ):
        return _without(name, refused or NoChange.NO_SCORE, gap)
    difference = later.value - earlier.value
    known = best_reliability(instrument, name)
    if known is None:
        return _without(name, NoChange.NO_RELIABILITY, gap, difference)
    used = _spread(known, spread)
    if used is None:
        return _without(name, NoChange.NO_SPREAD, gap, difference, known)
    error = used.sd * sqrt(2 * (1 - known.value))
    index = difference / error
    return Change(
        score=name,
        difference=difference,
        index=index,
        direction=_direction(index, definition.higher_is_better),
        least=RELIABLE * error,
        reliability=known,
        spread=used,
        gap=gap,
    )


def gap_warning(instrument: Instrument, first: date, second: date) -> GapWarning | None:
    """A warning where two sheets lie closer together than the project's rule for this questionnaire."""
    days, least = abs((second - first).days), instrument.retest_min_gap_days
    return GapWarning(days, least, instrument.retest.basis) if days < least else None


def best_reliability(instrument: Instrument, score: str) -> Reliability | None:
    """The coefficient a change is judged by: retest before alpha, the lowest of several, never from memory."""
    known = [
        each
        for each in instrument.reliability
        if each.score == score and each.certainty is not Certainty.C and 0 < each.value < 1
    ]
    return min(known, key=lambda each: (each.kind is not ReliabilityKind.RETEST, each.value), default=None)


def _not_alike(instrument: Instrument, first: Sheet, second: Sheet) -> NoChange | None:
    if {first.code, second.code} != {instrument.code}:
        return NoChange.OTHER_SHEET
    if first.layout != second.layout:
        return NoChange.OTHER_LAYOUT
    return NoChange.OTHER_INFORMANT if first.informant != second.informant else None


def _spread(known: Reliability, given: Spread | None) -> Spread | None:
    if known.sd is not None and known.sd > 0:
        return Spread(known.sd, known.n or 0, known.ref)
    if given is None or given.n < SMALLEST_SAMPLE or given.sd <= 0:
        return None
    return given


def _direction(index: float, higher_is_better: bool) -> Direction:
    if abs(index) <= RELIABLE:
        return Direction.UNCLEAR
    return Direction.BETTER if (index > 0) is higher_is_better else Direction.WORSE


def _without(
    score: str,
    why: NoChange,
    gap: GapWarning | None,
    difference: Number | None = None,
    known: Reliability | None = None,
) -> Change:
    return Change(score, difference, None, None, None, known, None, gap, why)
