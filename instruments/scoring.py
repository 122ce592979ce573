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
    PersonCondition,
    Quantifier,
    ScoreKind,
    Sex,
    worst_grade,
)
from instruments.engine import NO_BAND, SEXES, UNKNOWN, BatchScores, People, run
from instruments.layouts import in_layout
from instruments.plan import Plan, ScorePlan, plan_of
from instruments.validity import Flag, SheetConditions, Validity, condition_flags, judge

Status = Literal["scored", "prorated", "not_scorable"]
_STATUSES: tuple[Status, ...] = ("scored", "prorated", "not_scorable")
_NOTHING_KNOWN = SheetConditions()
_SUMS = (ScoreKind.SUM, ScoreKind.SUM_TIMES, ScoreKind.MEAN, ScoreKind.PRORATED_SUM, ScoreKind.SUM_OF)


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
    lowest: int | float | None = None
    highest: int | float | None = None

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
    coding: str
    """Lowest and highest answer of the main list: 0-4 and 1-5 are two codings of one scale."""
    age: int | None = None
    sex: Sex | None = None
    """What was known of the person when it was scored."""

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
    view = instrument if sheet.layout == instrument.layout else in_layout(instrument, sheet.layout)
    return _score_alike(view, [(sheet, conditions)])[0]


def score_many(instrument: Instrument, sheets: Sequence[tuple[AnswerSheet, SheetConditions]]) -> list[Scores]:
    """Score sheets of one instrument: the engine runs once for each layout, and each sheet says what :func:`score`
    says of it."""
    layouts = {sheet.layout for sheet, _ in sheets}
    if len(layouts) <= 1:
        return _score_alike(in_layout(instrument, layouts.pop()), sheets) if layouts else []
    found: dict[int, Scores] = {}
    for layout in layouts:
        places = [place for place, (sheet, _) in enumerate(sheets) if sheet.layout == layout]
        alike = _score_alike(in_layout(instrument, layout), [sheets[place] for place in places])
        found.update(zip(places, alike, strict=True))
    return [found[place] for place in range(len(sheets))]


def _score_alike(
    instrument: Instrument, sheets: Sequence[tuple[AnswerSheet, SheetConditions]]
) -> list[Scores]:
    plan = plan_of(instrument)
    packed = np.frombuffer(b"".join([sheet.packed() for sheet, _ in sheets]), dtype=np.int8)
    answers = packed.reshape(len(sheets), plan.k).T
    if len(sheets) > 1:
        answers = np.ascontiguousarray(answers)
    people = _people([said for _, said in sheets]) if plan.asks_who else None
    batch = _Listed(run(plan, answers, people, trusted=True))  # the sheets were read strictly
    return [
        _scores(instrument, plan, batch, place, sheet, conditions)
        for place, (sheet, conditions) in enumerate(sheets)
    ]


def _people(said: Sequence[SheetConditions]) -> People:
    return People(
        sex=np.array(
            [UNKNOWN if each.sex is None else SEXES.index(each.sex) for each in said], dtype=np.int8
        ),
        age=np.array([UNKNOWN if each.age is None else each.age for each in said], dtype=np.int16),
    )


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
    not_asked = _not_asked(instrument, by_key, conditions) if missing or plan.skips else frozenset()
    asked = {key: value for key, value in by_key.items() if key not in not_asked} if not_asked else by_key
    values = {
        each.score.id: _value(instrument, each, batch, place, asked, missing, conditions)
        for each in plan.scores
    }
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
        coding=instrument.coding,
        age=conditions.age,
        sex=conditions.sex,
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
    asked: Mapping[str, int | None],
    missing: frozenset[str],
    conditions: SheetConditions,
) -> ScoreValue:
    name = plan.score.id
    status = _STATUSES[batch.statuses[name][place]]
    left_out = tuple(key for key in plan.leaves if key in missing and key in asked) if missing else ()
    if status == "not_scorable":
        lowest, highest = _bounds(instrument, plan, asked)
        return ScoreValue(None, status, left_out, None, lowest, highest)
    number = batch.values[name][place]
    if plan.outcomes:
        value: int | float | str = plan.outcomes[number]
    else:
        value = number if plan.plain else plan.score.printed(number)
    return ScoreValue(value, status, left_out, _band(plan, batch.bands[name][place], conditions))


def _band(plan: ScorePlan, place: int, conditions: SheetConditions) -> Band | None:
    if place == NO_BAND:
        return None
    younger = plan.younger
    if younger is not None and conditions.age is not None and conditions.age < younger.below:
        return younger.bands[place]
    return plan.bands[place]


def _not_asked(
    instrument: Instrument, by_key: Mapping[str, int | None], conditions: SheetConditions
) -> frozenset[str]:
    """Items that were rightly left out: their condition is known, and does not hold. An answer that stands all the
    same where the interview should have skipped the item is an answer."""
    left_out: set[str] = set()
    for conditional in instrument.conditionals:
        if isinstance(conditional.asked_if, PersonCondition):
            if _not_for(conditional.asked_if, conditions):
                left_out.update(conditional.items)
            continue
        known = all(by_key[key] is not None for key in conditional.asked_if.items)
        if known and not _holds(conditional.asked_if, by_key):
            left_out.update(key for key in conditional.items if by_key[key] is None)
    return frozenset(left_out)


def _not_for(condition: PersonCondition, conditions: SheetConditions) -> bool:
    if condition.sex is not None:
        return conditions.sex is not None and conditions.sex is not condition.sex
    return conditions.age is not None and conditions.age < (condition.age_from or 0)


def _holds(condition: ItemCondition, by_key: Mapping[str, int | None]) -> bool:
    count = sum(by_key[key] in condition.values for key in condition.items)
    if condition.quantifier is Quantifier.EVERY:
        return count == len(condition.items)
    return (count > 0) is (condition.quantifier is Quantifier.ANY)


def _bounds(
    instrument: Instrument, plan: ScorePlan, asked: Mapping[str, int | None]
) -> tuple[int | float | None, int | float | None]:
    """The smallest and largest value that the missing answers could still make."""
    if plan.score.kind not in _SUMS:
        return None, None
    lowest = highest = 0
    for key in plan.leaves:
        if key not in asked:
            continue
        item, value = instrument.item(key), asked[key]
        least, most = item.values[0], item.values[-1]
        if value is not None:
            least = most = least + most - value if item.reverse else value
        lowest += least
        highest += most
    factor = plan.score.factor
    return plan.score.printed(factor * lowest), plan.score.printed(factor * highest)
