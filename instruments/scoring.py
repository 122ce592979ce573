"""What the answers of one sheet add up to.

``score`` sends one sheet through the same engine that scores a million (``engine.score_batch``) and says in
words what it found. A score without enough answers is never a partial sum: it names what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from instruments.answers import AnswerSheet
from instruments.critical import CriticalAnswer, fired
from instruments.definition import (
    Band,
    Grade,
    Instrument,
    ItemCondition,
    Quantifier,
    ScoreKind,
    worst_grade,
)
from instruments.engine import NO_BAND, BatchScores, run
from instruments.plan import Plan, ScorePlan, plan_of
from instruments.validity import Flag, SheetConditions, Validity, condition_flags, judge

Status = Literal["scored", "prorated", "not_scorable"]
_STATUSES: tuple[Status, ...] = ("scored", "prorated", "not_scorable")
_NOTHING_KNOWN = SheetConditions()
_SUMS = (ScoreKind.SUM, ScoreKind.PRORATED_SUM, ScoreKind.SUM_OF)


@dataclass(frozen=True, slots=True)
class ScoreValue:
    """One score of one sheet.

    ``value``: a number, the outcome of a rule, or None. ``missing``: the unanswered items it rests on.
    ``band``: in the set shown by default; None where that set is of certainty C or marks only higher values.
    ``lowest`` and ``highest``: what the sum could have been, where missing answers prevented it.
    """

    value: int | float | str | None
    status: Status
    missing: tuple[str, ...]
    band: Band | None
    lowest: int | None = None
    highest: int | None = None

    @property
    def prorated(self) -> bool:
        """Whether missing answers were filled with the mean of the others. It may raise a level, and says so."""
        return self.status == "prorated"


@dataclass(frozen=True, slots=True)
class Scores:
    """All that one sheet says. ``over_cutoff`` and ``severe`` are False on an invalid sheet; critical answers
    stand whatever its validity."""

    code: str
    version: str
    layout: str
    main_score: str
    values: Mapping[str, ScoreValue]
    critical: tuple[CriticalAnswer, ...]
    grade: Grade | None
    validity: Validity
    flags: tuple[Flag, ...]
    over_cutoff: bool
    severe: bool
    asks_about_safety: bool

    @property
    def total(self) -> ScoreValue | None:
        """The total, where the instrument has one."""
        return self.values.get("total")

    @property
    def main(self) -> ScoreValue:
        """The score the sheet stands or falls with: the total, or the result of a rule."""
        return self.values[self.main_score]

    @property
    def scored(self) -> bool:
        """Whether the sheet may be interpreted: not invalid, and its main score exists."""
        return self.validity is not Validity.INVALID and self.main.value is not None


def score(instrument: Instrument, sheet: AnswerSheet, conditions: SheetConditions = _NOTHING_KNOWN) -> Scores:
    """Score one sheet. ``conditions`` say how it was filled in; they can make it doubtful, never invalid."""
    return score_many(instrument, [(sheet, conditions)])[0]


def score_many(instrument: Instrument, sheets: Sequence[tuple[AnswerSheet, SheetConditions]]) -> list[Scores]:
    """Score sheets of one instrument: the engine runs once, and each says what :func:`score` says of it."""
    plan = plan_of(instrument)
    packed = np.frombuffer(b"".join(sheet.packed() for sheet, _ in sheets), dtype=np.int8)
    answers = np.ascontiguousarray(packed.reshape(len(sheets), plan.k).T)
    batch = _Listed(run(plan, answers, trusted=True))  # the sheets were read strictly
    return [
        _scores(instrument, plan, batch, place, sheet, conditions)
        for place, (sheet, conditions) in enumerate(sheets)
    ]


class _Listed:
    """A batch as plain lists: one by one they are read several times faster than arrays."""

    def __init__(self, batch: BatchScores) -> None:
        self.values = {name: each.tolist() for name, each in batch.values.items()}
        self.statuses = {name: each.tolist() for name, each in batch.statuses.items()}
        self.bands = {name: each.tolist() for name, each in batch.bands.items()}
        self.over_cutoff = batch.over_cutoff.tolist()
        self.severe = batch.severe.tolist()
        self.raised = (
            (batch.too_few.tolist(), Flag.MISSING_ANSWERS),
            (batch.unfit.tolist(), Flag.VALIDITY_SCALE),
            (batch.contradiction.tolist(), Flag.CONTRADICTION),
            (batch.straight_line.tolist(), Flag.STRAIGHT_LINE),
        )


def _scores(
    instrument: Instrument,
    plan: Plan,
    batch: _Listed,
    place: int,
    sheet: AnswerSheet,
    conditions: SheetConditions,
) -> Scores:
    by_key = sheet.as_mapping(instrument)
    missing = frozenset(key for key, value in by_key.items() if value is None)
    not_asked = _not_asked(instrument, by_key) if missing else frozenset()
    left_out = missing - not_asked
    values = {each.score.id: _value(instrument, each, batch, place, by_key, left_out) for each in plan.scores}
    blank = len(missing) == plan.k
    critical = () if blank else fired(instrument, by_key)
    flags = _flags(batch, place, blank) + condition_flags(conditions, plan.k - len(missing))
    return Scores(
        code=instrument.code,
        version=instrument.version,
        layout=sheet.layout,
        main_score=instrument.main_score,
        values=values,
        critical=critical,
        grade=worst_grade(answer.grade for answer in critical),
        validity=judge(flags),
        flags=tuple(flags),
        over_cutoff=batch.over_cutoff[place],
        severe=batch.severe[place],
        asks_about_safety=instrument.asks_about_safety,
    )


def _flags(batch: _Listed, place: int, blank: bool) -> list[Flag]:
    if blank:
        return [Flag.BLANK]
    return [flag for where, flag in batch.raised if where[place]]


def _value(
    instrument: Instrument,
    plan: ScorePlan,
    batch: _Listed,
    place: int,
    by_key: Mapping[str, int | None],
    left_out: frozenset[str],
) -> ScoreValue:
    name = plan.score.id
    status = _STATUSES[batch.statuses[name][place]]
    missing = tuple(key for key in plan.leaves if key in left_out) if left_out else ()
    if status == "not_scorable":
        lowest, highest = _bounds(instrument, plan, by_key)
        return ScoreValue(None, status, missing, None, lowest, highest)
    number = batch.values[name][place]
    band_place = batch.bands[name][place]
    band = plan.bands[band_place] if band_place != NO_BAND else None
    return ScoreValue(plan.outcomes[number] if plan.outcomes else number, status, missing, band)


def _not_asked(instrument: Instrument, by_key: Mapping[str, int | None]) -> frozenset[str]:
    """Items that were rightly left out: their condition was answered, and does not hold."""
    left_out: set[str] = set()
    for conditional in instrument.conditionals:
        known = all(by_key[key] is not None for key in conditional.asked_if.items)
        if known and not _holds(conditional.asked_if, by_key):
            left_out.update(conditional.items)
    return frozenset(left_out)


def _holds(condition: ItemCondition, by_key: Mapping[str, int | None]) -> bool:
    count = sum(by_key[key] in condition.values for key in condition.items)
    if condition.quantifier is Quantifier.EVERY:
        return count == len(condition.items)
    return (count > 0) is (condition.quantifier is Quantifier.ANY)


def _bounds(
    instrument: Instrument, plan: ScorePlan, by_key: Mapping[str, int | None]
) -> tuple[int | None, int | None]:
    """The smallest and largest sum that the missing answers could still make."""
    if plan.score.kind not in _SUMS:
        return None, None
    lowest = highest = 0
    for key in plan.leaves:
        item, value = instrument.item(key), by_key[key]
        least, most = item.values[0], item.values[-1]
        if value is not None:
            least = most = least + most - value if item.reverse else value
        lowest += least
        highest += most
    return lowest, highest
