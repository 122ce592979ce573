"""The one vectorised engine: it scores one sheet and a million in the same way.

Answers lie item-major (k items × N sheets, int8, −128 = missing), so that a score is a few additions of whole
rows. A million sheets go through in chunks that stay in the processor's cache. Sums of a byte's width are
added as bytes; a score that can pass 127 is added in 16 bits. Nothing is rounded in floating point: a
prorated score is ``(2·s·n + a) // (2·a)``, that is n·s/a rounded half up.

An instrument is compiled into a ``Plan`` once (``plan``).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from instruments.answers import MISSING
from instruments.definition import (
    GRADES,
    Conditional,
    Instrument,
    ItemCondition,
    PersonCondition,
    Quantifier,
    Rounding,
    ScoreCondition,
    ScoreKind,
    Sex,
)
from instruments.plan import (
    CutoffPlan,
    Plan,
    Rows,
    ScorePlan,
    SkipPlan,
    Term,
    What,
    plan_of,
)
from instruments.validity import STRAIGHT_LINE_ITEMS

Bytes = NDArray[np.int8]
Numbers = NDArray[np.int16]
Flags = NDArray[np.bool_]

NO_SCORE = -32768
"""In a batch: no score could be built."""
NO_GRADE = len(GRADES)
"""In a batch: no critical answer. Otherwise the place in ``GRADES``."""
NO_BAND = -1
"""In a batch: no band. Otherwise the place in the bands of the default set."""
SCORED, PRORATED, NOT_SCORABLE = 0, 1, 2
VALID, DOUBTFUL, INVALID = 0, 1, 2
_FEW = 256
_VERY_FEW = 8
_SELDOM = 32


@dataclass(frozen=True, slots=True)
class BatchScores:
    """The scores of N sheets, one array entry each.

    ``values``: by score id; the number in the steps of the score (``ScoreDefinition.printed``), the place in
    ``outcomes`` for a rule, or ``NO_SCORE``.
    ``statuses``: SCORED, PRORATED or NOT_SCORABLE. ``bands``: place in the default band set, or ``NO_BAND``.
    ``grades``: place in ``GRADES`` or ``NO_GRADE``. ``validity``: VALID, DOUBTFUL or INVALID from the answers
    alone. ``unfit``: hit by a validity rule. ``too_few``: more missing than the sheet's own rule bears.
    """

    values: Mapping[str, Numbers]
    statuses: Mapping[str, Bytes]
    bands: Mapping[str, Bytes]
    grades: Bytes
    validity: Bytes
    unfit: Flags
    too_few: Flags
    straight_line: Flags
    contradiction: Flags
    over_cutoff: Flags
    severe: Flags


@dataclass(frozen=True, slots=True)
class People:
    """Who answered, where a sheet asks: sex by its place in ``SEXES``, age in whole years, −1 where not known."""

    sex: Bytes
    age: Numbers

    def part(self, where: slice) -> People:
        """Some of them."""
        return People(self.sex[where], self.age[where])


SEXES: tuple[Sex, ...] = (Sex.MALE, Sex.FEMALE)
UNKNOWN = -1


class _Chunk:
    """Some sheets on their way through, with what several scores need of them."""

    def __init__(self, plan: Plan, answers: Bytes, people: People | None) -> None:
        self.plan = plan
        self.answers = answers
        self.people = people
        self.counted = answers
        """The answers that scores are built of: without those to items that are not for this person."""
        self.absent: Flags = answers == MISSING
        self.missing: Bytes = self.absent.view(np.int8)
        self.n = answers.shape[1]
        self._missing_of: dict[int, NDArray[np.uint8]] = {}
        self._missing_of_form: NDArray[np.uint8] | None = None
        self._present: Bytes | None = None
        self._highest: dict[int, Bytes] = {}
        for skip in plan.skips:
            self._skip(skip)

    def _skip(self, skip: SkipPlan) -> None:
        """A blank that was rightly left blank is nothing missing; an answer of somebody not to be asked is none."""
        if isinstance(skip.asked_if, PersonCondition):
            not_asked = self.not_for(skip.asked_if)
            if not not_asked.any():
                return
            if self.counted is self.answers:
                self.counted = self.answers.copy()
            for place in skip.places:
                _where(self.counted[place], not_asked, MISSING)
        else:
            not_asked = self.known(skip.asked_if) & ~self.holds(skip.asked_if)
        for place in skip.places:
            np.logical_and(self.absent[place], ~not_asked, out=self.absent[place])

    def not_for(self, condition: PersonCondition) -> Flags:
        """Who is known not to be asked."""
        if self.people is None:
            return np.zeros(self.n, dtype=np.bool_)
        if condition.sex is not None:
            sex = self.people.sex
            return np.asarray((sex != UNKNOWN) & (sex != SEXES.index(condition.sex)))
        return self.below(condition.age_from or 0)

    def below(self, age: int) -> Flags:
        """Who is known to be younger."""
        if self.people is None:
            return np.zeros(self.n, dtype=np.bool_)
        return np.asarray((self.people.age != UNKNOWN) & (self.people.age < age))

    def known(self, condition: ItemCondition) -> Flags:
        """Where all items of a condition are answered."""
        places = [self.plan.instrument.positions[key] for key in condition.items]
        return np.asarray(~self.absent[places].any(axis=0))

    @property
    def present(self) -> Bytes:
        """The answers with 0 for a missing one. A negative answer would become nonsense, but the catalogue lets none
        into a sum."""
        if self._present is None:
            self._present = self.counted & 127
        return self._present

    def highest(self, rows: Rows) -> Bytes:
        """The highest answer of each sheet among ``rows``; the mark for missing is the lowest number there is."""
        found = self._highest.get(id(rows))
        if found is None:
            found = self._highest[id(rows)] = _fold(np.maximum, self.answers, rows)
        return found

    def missing_of(self, rows: Rows) -> NDArray[np.uint8]:
        """How many of ``rows`` are missing, per sheet. ``rows`` is one of the plan's own objects."""
        found = self._missing_of.get(id(rows))
        if found is None:
            found = self._missing_of[id(rows)] = _add(self.missing, rows, np.uint8)
        return found

    def missing_of_form(self) -> NDArray[np.uint8]:
        """How many items of the main list are missing, per sheet."""
        if self._missing_of_form is None:
            first, *others = self.plan.main_parts
            total = self.missing_of(first)
            for rows in others:
                total = total + self.missing_of(rows)
            self._missing_of_form = total
        return self._missing_of_form

    def holds(self, condition: ItemCondition) -> Flags:
        """Where an item condition is true."""
        places = [self.plan.instrument.positions[key] for key in condition.items]
        count = sum(self.among(place, condition.values).view(np.int8) for place in places)
        if condition.quantifier is Quantifier.EVERY:
            return np.asarray(count == len(places))
        if condition.quantifier is Quantifier.ANY:
            return np.asarray(count > 0)
        return np.asarray(count == 0)

    def among(self, row: int, values: Sequence[int]) -> Flags:
        """Where the answer in ``row`` is one of ``values``."""
        found: Flags = self.answers[row] == values[0]
        for value in values[1:]:
            found = found | (self.answers[row] == value)
        return found


def _where(out: NDArray[Any], mask: Flags, value: int) -> None:
    """``out[mask] = value``. A masked write costs some fifteen times as much per sheet as these bit operations,
    and a quarter as much for a single sheet; where few sheets are meant, these few are sought out."""
    size = out.size
    if size < _FEW:
        np.putmask(out, mask, value)
        return
    meant = np.count_nonzero(mask)
    if meant * _SELDOM < size:
        if meant:
            out[np.flatnonzero(mask)] = value
        return
    chosen = np.negative(mask.view(np.int8), dtype=out.dtype)  # −1 (all bits) where true, otherwise 0
    np.bitwise_and(chosen, out ^ out.dtype.type(value), out=chosen)
    np.bitwise_xor(out, chosen, out=out)


def _add(block: NDArray[Any], rows: Rows, dtype: type[np.int8 | np.uint8 | np.int16]) -> NDArray[Any]:
    if isinstance(rows, slice):
        return np.asarray(np.add.reduce(block[rows], axis=0, dtype=dtype))
    total: NDArray[Any] = block[rows[0]].astype(dtype)
    for row in rows[1:]:
        np.add(total, block[row], out=total, casting="unsafe")
    return total


_COMPARES = {What.AT_LEAST: np.greater_equal, What.EQUAL: np.equal}


def _how_many(chunk: _Chunk, term: Term) -> NDArray[Any]:
    compares = _COMPARES[term.what]
    if isinstance(term.rows, slice):
        found = compares(chunk.counted[term.rows], term.threshold).view(np.int8)
        return np.asarray(np.add.reduce(found, axis=0, dtype=np.int8))
    first, *others = term.rows
    total: NDArray[Any] = compares(chunk.counted[first], term.threshold).view(np.int8)
    for row in others:
        total += compares(chunk.counted[row], term.threshold).view(np.int8)
    return total


def _evaluate(chunk: _Chunk, term: Term, wide: bool) -> NDArray[Any]:
    if term.what is What.VALUE:
        if term.alone and not chunk.plan.skips:
            return _sum(chunk, term.rows, wide)
        return _add(chunk.present, term.rows, np.int16 if wide else np.int8)
    if term.what is What.ANSWERED:
        return term.n - chunk.missing_of(term.rows).view(np.int8)
    return _how_many(chunk, term)


def _sum(chunk: _Chunk, rows: Rows, wide: bool) -> NDArray[Any]:
    """The sum of the answers without taking the marks for missing out first: each is −128, and they are counted.

    In bytes a sum below 128 is right but for the highest bit, which an odd number of marks turns over.
    """
    missing = chunk.missing_of(rows)
    if wide:
        return np.asarray(_add(chunk.answers, rows, np.int16) + (missing.astype(np.int16) << 7))
    total = _add(chunk.answers.view(np.uint8), rows, np.uint8)
    return np.asarray(total ^ (missing << 7)).view(np.int8)


def _linear(chunk: _Chunk, plan: ScorePlan, out: Numbers) -> None:
    for place, term in enumerate(plan.terms):
        part = _evaluate(chunk, term, plan.wide)
        if term.factor not in (1, -1):
            part = part.astype(np.int16) * np.int16(term.factor)
        if place == 0:
            np.multiply(part, np.int16(-1), out=out) if term.factor == -1 else np.copyto(out, part)
        elif term.factor == -1:
            np.subtract(out, part, out=out)
        else:
            np.add(out, part, out=out)


def _prorate(out: Numbers, status: Bytes, missing: NDArray[np.uint8], n: int) -> None:
    """n × the mean of the answered, rounded half up, in whole numbers: never in floating point, where a
    half may fall on either side of a cut-off."""
    if out.size <= _VERY_FEW:
        for place, blanks in enumerate(missing.tolist()):
            if blanks and status[place] == SCORED:
                out[place] = _filled(int(out[place]), n, n - blanks)
                status[place] = PRORATED
        return
    where = np.flatnonzero(missing > 0)
    where = where[status[where] == SCORED]
    if where.size:
        out[where] = _filled(out[where].astype(np.int32), n, n - missing[where].astype(np.int32))
        status[where] = PRORATED


def _filled(total: Any, n: int, answered: Any) -> Any:
    """n × total ÷ answered, a half up."""
    return (2 * total * n + answered) // (2 * answered)


def _of_items(chunk: _Chunk, plan: ScorePlan, out: Numbers, status: Bytes) -> None:
    _linear(chunk, plan, out)
    missing = chunk.missing_of(plan.rows)
    counted = chunk.missing_of_form() if plan.per_form else missing
    lacks = np.count_nonzero(counted) > 0
    if lacks:
        unbuilt = _unbuilt(plan, missing, counted)
        np.multiply(unbuilt.view(np.int8), NOT_SCORABLE, out=status)
        if plan.prorates:
            _prorate(out, status, missing, plan.n)
    if plan.score.factor != 1:
        np.multiply(out, np.int16(plan.score.factor), out=out)
    if lacks:
        _where(out, unbuilt, NO_SCORE)
    if plan.score.zero_if is not None:
        zero = chunk.holds(plan.score.zero_if)
        _where(out, zero, 0)
        _where(status, zero, SCORED)


def _unbuilt(plan: ScorePlan, missing: NDArray[np.uint8], counted: NDArray[np.uint8]) -> Flags:
    """Where too much is missing for a score."""
    if plan.score.kind is ScoreKind.RECODED_SUM:
        return np.asarray(missing == plan.n)
    if not plan.may_miss:
        return np.asarray(missing > 0)
    too_many: Flags = counted > plan.may_miss
    return too_many | (missing == plan.n) if plan.prorates else too_many


def _sum_of(parts: Sequence[tuple[Numbers, Bytes]], out: Numbers, status: Bytes) -> None:
    np.copyto(out, parts[0][0])
    np.copyto(status, parts[0][1])
    for value, state in parts[1:]:
        np.add(out, value, out=out)
        np.maximum(status, state, out=status)  # the worst state of a part is the state of the sum
    if np.count_nonzero(status):
        _where(out, status == NOT_SCORABLE, NO_SCORE)


def _formula(plan: ScorePlan, done: Mapping[str, tuple[Numbers, Bytes]], out: Numbers, status: Bytes) -> None:
    """``(of − less) × times ÷ over`` in whole numbers, rounded half up or down to a step of the score."""
    formula = plan.score.formula
    if formula is None:
        raise TypeError(plan.score.id)
    value, state = done[formula.of]
    top = value.astype(np.int32)
    np.copyto(status, state)
    for name in formula.scores[1:]:
        np.maximum(status, done[name][1], out=status)
    if formula.less is not None:
        top -= done[formula.less][0]
    top *= formula.times * plan.score.steps
    over: Any = formula.over if isinstance(formula.over, int) else done[formula.over][0].astype(np.int32)
    if not isinstance(formula.over, int):
        _where(status, over == 0, NOT_SCORABLE)
        over = np.maximum(over, 1)
    if formula.over == 1:
        np.copyto(out, top, casting="unsafe")
    elif formula.rounding is Rounding.DOWN:
        np.copyto(out, top // over, casting="unsafe")
    else:
        np.copyto(out, (2 * top + over) // (2 * over), casting="unsafe")
    if np.count_nonzero(status):
        _where(out, status == NOT_SCORABLE, NO_SCORE)


def _rule(
    chunk: _Chunk,
    plan: ScorePlan,
    done: Mapping[str, tuple[Numbers, Bytes]],
    out: Numbers,
    status: Bytes,
) -> None:
    """The first case that holds decides; the lines are therefore written from the last to the first."""
    cases = plan.score.cases
    out.fill(NO_SCORE if cases[-1].conditions else plan.outcomes.index(cases[-1].value))
    for case in reversed(cases if cases[-1].conditions else cases[:-1]):
        conditions = [
            chunk.holds(each) if isinstance(each, ItemCondition) else _between(done[each.score][0], each)
            for each in case.conditions
        ]
        holds = reduce(np.logical_and, conditions)
        _where(out, holds, plan.outcomes.index(case.value))
    # A rule over scores says nothing where one of them could not be built.
    for name in plan.rests_on:
        if np.count_nonzero(done[name][1]):
            _where(out, done[name][1] == NOT_SCORABLE, NO_SCORE)
    if plan.rows != ():
        _where(out, chunk.missing_of(plan.rows) > 0, NO_SCORE)
    _where(status, out == NO_SCORE, NOT_SCORABLE)


def _between(value: Numbers, condition: ScoreCondition) -> Flags:
    if condition.high is None:
        above: Flags = value >= (NO_SCORE if condition.low is None else condition.low)
        return above
    below: Flags = value <= condition.high
    return below if condition.low is None else below & (value >= condition.low)


def band_places(starts: Sequence[int], values: Numbers, out: Bytes | None = None) -> Bytes:
    """The place of the band: how many bands begin at or below the value, less one. ``NO_SCORE`` is below all."""
    found = np.empty(values.shape, dtype=np.int8) if out is None else out
    if not starts:
        found.fill(NO_BAND)
        return found
    if found.size <= _VERY_FEW:
        found[:] = [bisect_right(starts, value) - 1 for value in values.tolist()]
        return found
    np.greater_equal(values, starts[0], out=found.view(np.bool_))
    for start in starts[1:]:
        np.add(found, (values >= start).view(np.int8), out=found)
    return np.subtract(found, 1, out=found)


def _bands(chunk: _Chunk, plan: ScorePlan, values: Numbers, out: Bytes) -> None:
    if plan.band_starts:
        band_places(plan.band_starts, values, out)
    if plan.younger is not None:
        younger = chunk.below(plan.younger.below)
        if younger.any():
            np.copyto(out, band_places(plan.younger.starts, values), where=younger)


def _grades(chunk: _Chunk, out: Bytes) -> None:
    out.fill(NO_GRADE)
    for rule in chunk.plan.critical:
        fired = chunk.among(*rule.matches[0])
        for row, codes in rule.matches[1:]:
            fired = fired & chunk.among(row, codes)
        if rule.needs_answers:
            fired = _without_blank(chunk, fired)
        # NO_GRADE where it did not fire, its rank where it did.
        np.minimum(out, NO_GRADE - fired.view(np.int8) * np.int8(NO_GRADE - rule.rank), out=out)


def _without_blank(chunk: _Chunk, fired: Flags) -> Flags:
    """``fired`` without the sheets on which nothing at all was answered."""
    blank = chunk.missing_of_form() == len(chunk.plan.instrument.main_items)
    if not blank.any():
        return fired
    return np.asarray(fired & ~(blank & chunk.absent.all(axis=0)))


def _contradicts(chunk: _Chunk, conditional: Conditional) -> Flags:
    """An answer other than 0 to an item that should not have been asked."""
    places = chunk.plan.instrument.positions
    answered: Flags = np.zeros(chunk.n, dtype=np.bool_)
    for key in conditional.items:
        row = chunk.answers[places[key]]
        answered |= (row != 0) & (row != MISSING)
    if not answered.any():
        return answered
    if isinstance(conditional.asked_if, PersonCondition):
        return answered & chunk.not_for(conditional.asked_if)
    return answered & chunk.known(conditional.asked_if) & ~chunk.holds(conditional.asked_if)


def _same_answer(chunk: _Chunk) -> Flags:
    """One and the same answer, not the lowest, on 20 items or more, or on items keyed both ways."""
    plan = chunk.plan
    highest = chunk.highest(plan.main_rows)
    lowest = _fold(
        np.minimum, chunk.answers.view(np.uint8), plan.main_rows
    )  # missing is 128 here: never least
    same: Flags = (highest == lowest) & (highest > plan.nothing)
    if not same.any():
        return same
    items = plan.instrument.main_items
    turned = np.array([item.reverse for item in items])
    places = [plan.instrument.positions[item.key] for item in items]
    answered = ~chunk.absent[places]
    both_ways = answered[turned].any(axis=0) & answered[~turned].any(axis=0)
    np.logical_and(same, (answered.sum(axis=0) >= STRAIGHT_LINE_ITEMS) | both_ways, out=same)
    return same


def _fold(ufunc: np.ufunc, block: NDArray[Any], rows: Rows) -> NDArray[Any]:
    chosen = block[rows] if isinstance(rows, slice) else block[list(rows)]
    return np.asarray(ufunc.reduce(chosen, axis=0))


def _judge(chunk: _Chunk, done: Mapping[str, tuple[Numbers, Bytes]], out: BatchScores) -> None:
    """Validity, and then what a valid or doubtful sheet says about the cut-offs."""
    plan, instrument = chunk.plan, chunk.plan.instrument
    value, status = done[instrument.main_score]
    for rule in instrument.validity:
        np.logical_or(out.unfit, done[rule.score][0] >= rule.at_least, out=out.unfit)
    _count_missing(chunk, status, out.too_few)
    if plan.watch_lines:
        np.copyto(out.straight_line, _same_answer(chunk))
    for conditional in instrument.conditionals:
        np.logical_or(out.contradiction, _contradicts(chunk, conditional), out=out.contradiction)
    invalid = out.unfit | out.too_few if instrument.validity else out.too_few
    np.multiply(invalid.view(np.int8), INVALID, out=out.validity)
    if plan.watch_lines or instrument.conditionals:
        np.maximum(out.validity, (out.straight_line | out.contradiction).view(np.int8), out=out.validity)
    unusable = np.flatnonzero(invalid) if np.count_nonzero(invalid) else None
    for cutoff, flags in ((plan.screens, out.over_cutoff), (plan.severe, out.severe)):
        if cutoff is not None:
            _reached(chunk, cutoff, value, flags)
            if unusable is not None:
                flags[unusable] = False


def _count_missing(chunk: _Chunk, status: Bytes, out: Flags) -> None:
    """Where more is missing than the sheet's own rule bears, or so much that its main score could not be built."""
    plan = chunk.plan
    if plan.form_limit is not None:
        np.greater(chunk.missing_of_form(), plan.form_limit, out=out)
    if plan.main_leaves != () and np.count_nonzero(status):
        lacks = chunk.missing_of(plan.main_leaves) > 0
        np.logical_or(out, (status == NOT_SCORABLE) & lacks, out=out)


def _reached(chunk: _Chunk, cutoff: CutoffPlan, value: Numbers, out: Flags) -> None:
    limit: Any = cutoff.value
    if cutoff.below is not None:
        limit = np.where(chunk.below(cutoff.below), np.int16(cutoff.younger), np.int16(cutoff.value))
    if cutoff.higher_is_better:
        np.logical_and(value <= limit, value != NO_SCORE, out=out)
    else:
        np.greater_equal(value, limit, out=out)


def _score_chunk(
    plan: Plan, answers: Bytes, people: People | None, out: BatchScores, *, trusted: bool
) -> None:
    chunk = _Chunk(plan, answers, people)
    if not trusted:
        _refuse_unknown(chunk)
    done: dict[str, tuple[Numbers, Bytes]] = {}
    for each in plan.scores:
        score = each.score
        value, status = out.values[score.id], out.statuses[score.id]
        if score.kind is ScoreKind.SUM_OF:
            _sum_of([done[name] for name in score.of], value, status)
        elif score.kind is ScoreKind.RULE:
            _rule(chunk, each, done, value, status)
        elif score.kind is ScoreKind.FORMULA:
            _formula(each, done, value, status)
        else:
            _of_items(chunk, each, value, status)
        done[score.id] = (value, status)
        _bands(chunk, each, value, out.bands[score.id])
    if plan.critical and not trusted:
        _grades(chunk, out.grades)
    _judge(chunk, done, out)


def _refuse_unknown(chunk: _Chunk) -> None:
    """ValueError naming the items (never the values) of which a sheet holds something that is no answer."""
    if all(_is_allowed(chunk, rows, values) for rows, values in chunk.plan.allowed):
        return
    instrument = chunk.plan.instrument
    pairs = zip(instrument.items, chunk.answers, strict=True)
    bad = [item.key for item, row in pairs if not np.isin(row, (*item.values, MISSING)).all()]
    raise ValueError(f"{instrument.code}: item {', '.join(bad)} holds a value that is not one of its answers")


def _is_allowed(chunk: _Chunk, rows: Rows, values: tuple[int, ...]) -> bool:
    lowest, highest = values[0], values[-1]
    if lowest < 0 or values != tuple(range(lowest, highest + 1)):
        where = rows if isinstance(rows, slice) else list(rows)
        return bool(np.isin(chunk.answers[where], (*values, MISSING)).all())
    # Read without sign the mark for missing is 128: nothing may lie above it, nor between it and the answers.
    if chunk.highest(rows).max() > highest:
        return False
    unsigned = chunk.answers.view(np.uint8)
    return bool(_most(unsigned, rows) <= -MISSING and (not lowest or _least(unsigned, rows) >= lowest))


def _most(block: NDArray[Any], rows: Rows) -> int:
    if isinstance(rows, slice):
        return int(block[rows].max())
    return max(int(block[row].max()) for row in rows)


def _least(block: NDArray[Any], rows: Rows) -> int:
    return min(
        int(block[row].min()) for row in (range(len(block))[rows] if isinstance(rows, slice) else rows)
    )


def _empty(plan: Plan, n: int) -> BatchScores:
    """The columns of a result, cut from two pieces of memory: asking the system for a page costs more than filling it,
    and a piece that was given back is handed out again. Scores are not filled in."""
    scores = [each.score.id for each in plan.scores]
    values = np.empty((len(scores), n), dtype=np.int16)
    small = np.empty((2 * len(scores) + 8, n), dtype=np.int8)
    small.fill(0)
    small[len(scores) : 2 * len(scores)].fill(NO_BAND)
    statuses, bands, rest = (
        small[: len(scores)],
        small[len(scores) : 2 * len(scores)],
        small[2 * len(scores) :],
    )
    rest[0].fill(NO_GRADE)
    unfit, too_few, straight_line, contradiction, over_cutoff, severe = rest[2:].view(np.bool_)
    return BatchScores(
        values=dict(zip(scores, values, strict=True)),
        statuses=dict(zip(scores, statuses, strict=True)),
        bands=dict(zip(scores, bands, strict=True)),
        grades=rest[0],
        validity=rest[1],
        unfit=unfit,
        too_few=too_few,
        straight_line=straight_line,
        contradiction=contradiction,
        over_cutoff=over_cutoff,
        severe=severe,
    )


def _part(whole: BatchScores, where: slice) -> BatchScores:
    return BatchScores(
        values={name: each[where] for name, each in whole.values.items()},
        statuses={name: each[where] for name, each in whole.statuses.items()},
        bands={name: each[where] for name, each in whole.bands.items()},
        grades=whole.grades[where],
        validity=whole.validity[where],
        unfit=whole.unfit[where],
        too_few=whole.too_few[where],
        straight_line=whole.straight_line[where],
        contradiction=whole.contradiction[where],
        over_cutoff=whole.over_cutoff[where],
        severe=whole.severe[where],
    )


def run(plan: Plan, answers: Bytes, people: People | None = None, *, trusted: bool = False) -> BatchScores:
    """Score a matrix. ``trusted``: it holds nothing but answers of sheets that were read one by one: nobody looks at
    them again, and their critical answers are read one by one too (``grades`` stay empty)."""
    n = answers.shape[1]
    out = _empty(plan, n)
    if 0 < n <= plan.chunk:
        _score_chunk(plan, answers, people, out, trusted=trusted)
        return out
    for start in range(0, n, plan.chunk):
        where = slice(start, start + plan.chunk)
        some = people.part(where) if people is not None else None
        _score_chunk(plan, answers[:, where], some, _part(out, where), trusted=trusted)
    return out


def not_asked(instrument: Instrument, answers: Bytes, people: People | None = None) -> Flags:
    """Which items were rightly left out, item by item and sheet by sheet: their condition is known and does not hold."""
    chunk = _Chunk(plan_of(instrument), answers, people)
    found: Flags = np.zeros(answers.shape, dtype=np.bool_)
    for conditional in instrument.conditionals:
        if isinstance(conditional.asked_if, PersonCondition):
            where = chunk.not_for(conditional.asked_if)
        else:
            where = chunk.known(conditional.asked_if) & ~chunk.holds(conditional.asked_if)
        for key in conditional.items:
            found[instrument.positions[key]] = where
    return found


def score_batch(instrument: Instrument, answers: Bytes, people: People | None = None) -> BatchScores:
    """Score N sheets at once: ``answers`` is int8, one row per item in item order, −128 where missing.

    ``people`` says whose sheets they are, where sex or age change what is asked or which bands hold; without it
    everybody was asked everything. Another layout of the items is another instrument: ``in_layout``.
    Raises ValueError for a wrong shape or a value that is not one of its item's answers.
    """
    plan = plan_of(instrument)
    if answers.ndim != 2 or answers.shape[0] != plan.k or answers.dtype != np.int8:
        raise ValueError(f"{instrument.code}: answers must be int8, {plan.k} items × sheets")
    if people is not None and not len(people.sex) == len(people.age) == answers.shape[1]:
        raise ValueError(f"{instrument.code}: as many people as sheets")
    return run(plan, answers, people)
