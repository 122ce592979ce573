"""An instrument as the engine runs it: which rows to add, what to count, where the bands begin. Made once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache
from itertools import pairwise
from math import ceil, floor

from instruments.answers import MISSING
from instruments.definition import (
    GRADES,
    Band,
    BandSet,
    Certainty,
    Cutoff,
    Instrument,
    ItemCondition,
    MissingKind,
    MissingRule,
    Number,
    Per,
    PersonCondition,
    ScoreCondition,
    ScoreDefinition,
    ScoreKind,
)
from instruments.validity import GENERAL_MISSING_SHARE, STRAIGHT_LINE_ITEMS

Rows = slice | tuple[int, ...]

_CHUNK_BYTES = 3 << 20
_CHUNK_SHEETS = 1 << 17


class What(StrEnum):
    """What a term adds up."""

    VALUE = "value"
    AT_LEAST = "at_least"
    EQUAL = "equal"
    ANSWERED = "answered"


@dataclass(frozen=True, slots=True)
class Term:
    """``factor`` × the sum over ``rows`` of: the answer, or 1 where it is at least (or equals) ``threshold``, or 1
    where there is one."""

    what: What
    rows: Rows
    n: int
    factor: int
    threshold: int = 0
    alone: bool = False
    """These are all the rows of its score."""


@dataclass(frozen=True, slots=True)
class ScorePlan:
    """One score as the engine builds it."""

    score: ScoreDefinition
    terms: tuple[Term, ...]
    rows: Rows
    n: int
    may_miss: int
    """Missing answers this score bears; 0 = none."""
    prorates: bool
    """What is missing is filled with the mean of the others; otherwise it counts 0."""
    per_form: bool
    """Missing answers are counted over the whole form, not over its own items."""
    wide: bool
    bands: tuple[Band, ...]
    """The bands shown by default, low to high; empty = none, or known from memory only."""
    band_starts: tuple[int, ...]
    younger: YoungerPlan | None
    outcomes: tuple[str, ...]
    """The values of a rule; empty for a number."""
    leaves: tuple[str, ...]
    """The items it rests on, through other scores too."""
    rests_on: tuple[str, ...]
    """The scores a rule looks at."""
    plain: bool
    """A step is a point."""


@dataclass(frozen=True, slots=True)
class YoungerPlan:
    """The bands shown for children below an age."""

    below: int
    bands: tuple[Band, ...]
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CutoffPlan:
    """A cut-off in the steps of its score."""

    value: int
    higher_is_better: bool
    below: int | None
    younger: int
    """The value for children below that age."""


@dataclass(frozen=True, slots=True)
class SkipPlan:
    """Items that some are not asked, and when they are."""

    places: tuple[int, ...]
    asked_if: ItemCondition | PersonCondition


@dataclass(frozen=True, slots=True)
class CriticalPlan:
    """One critical rule in rows and codes."""

    rank: int
    matches: tuple[tuple[int, tuple[int, ...]], ...]
    """(row, codes that fire), ``MISSING`` among the codes for a blank."""
    needs_answers: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """An instrument as the engine runs it."""

    instrument: Instrument
    k: int
    chunk: int
    scores: tuple[ScorePlan, ...]
    critical: tuple[CriticalPlan, ...]
    allowed: tuple[tuple[Rows, tuple[int, ...]], ...]
    """Rows by the answers they may hold."""
    main_rows: Rows
    main_parts: tuple[Rows, ...]
    """``main_rows`` as the rows of scores, where these share it out among them; otherwise itself."""
    main_leaves: Rows
    """What the main score rests on and was to be asked; () where the form's limit says it all."""
    form_limit: int | None
    """More missing answers than this in the main list make the sheet unfit; None = judged by the main score."""
    watch_lines: bool
    nothing: int
    """The answer that says "no trouble at all": one and the same of it all the way is honest."""
    skips: tuple[SkipPlan, ...]
    screens: CutoffPlan | None
    severe: CutoffPlan | None
    asks_who: bool


@cache
def _rows_of(found: tuple[int, ...]) -> Rows:
    if len(found) == 1:
        return slice(found[0], found[0] + 1, 1)
    steps = {b - a for a, b in pairwise(found)}
    if len(steps) == 1:
        return slice(found[0], found[-1] + 1, steps.pop())
    return found


def _rows(places: Iterable[int]) -> Rows:
    """Evenly spaced rows as a slice, which NumPy adds in one call; others as they are.

    The same rows are always the same object, so that a chunk can keep what it has counted for them.
    """
    return _rows_of(tuple(sorted(places)))


@cache
def plan_of(instrument: Instrument) -> Plan:
    """The compiled instrument; made once."""
    place = instrument.positions
    leaves = _leaves(instrument)
    main = [place[item.key] for item in instrument.main_items]
    reversed_ = any(item.reverse for item in instrument.main_items)
    skips = _skips(instrument)
    # Where blanks are judged item by item, one that was not to be asked is none (``SkipPlan``).
    asked_later = set() if skips else {key for each in instrument.conditionals for key in each.items}
    limit = _form_limit(instrument.missing, len(main))
    strict_extra = set(leaves[instrument.main_score]) - {item.key for item in instrument.main_items}
    counted_by_form = limit is not None and instrument.missing is not None and not strict_extra
    scores = tuple(_score_plan(instrument, score, leaves[score.id]) for score in instrument.scores)
    needed = () if counted_by_form else leaves[instrument.main_score]
    return Plan(
        instrument=instrument,
        k=len(instrument.items),
        chunk=min(_CHUNK_SHEETS, max(8192, _CHUNK_BYTES // len(instrument.items))),
        scores=scores,
        critical=tuple(
            CriticalPlan(
                rank=GRADES.index(rule.grade),
                matches=tuple(
                    (place[m.item], (*m.values, *((MISSING,) if m.blank else ()))) for m in rule.matches
                ),
                needs_answers=any(match.blank for match in rule.matches),
            )
            for rule in instrument.critical
        ),
        allowed=_allowed(instrument),
        main_rows=_rows(main),
        main_parts=_parts(main, [score for score in instrument.scores if score.items], place),
        main_leaves=_rows(place[key] for key in needed if key not in asked_later) if needed else (),
        form_limit=limit,
        watch_lines=len(main) >= STRAIGHT_LINE_ITEMS or reversed_,
        nothing=min(option.value for option in instrument.responses if option.value >= 0),
        skips=skips,
        screens=_cutoff(instrument, instrument.screens_at),
        severe=_cutoff(instrument, instrument.severe_floor),
        asks_who=instrument.asks_who,
    )


def _skips(instrument: Instrument) -> tuple[SkipPlan, ...]:
    """Where a blank counts as missing, one that was rightly left blank must not."""
    missing = instrument.missing
    if missing is None or missing.kind not in (MissingKind.INCOMPLETE, MissingKind.ZERO):
        return ()
    return tuple(
        SkipPlan(tuple(instrument.positions[key] for key in each.items), each.asked_if)
        for each in instrument.conditionals
    )


def steps(score: ScoreDefinition, value: Number, *, up: bool) -> int:
    """A printed limit in the steps of its score, exactly: the first step at or above it, or the last at or below."""
    exact = Fraction(str(value)) * score.steps
    return ceil(exact) if up else floor(exact)


def band_starts(score: ScoreDefinition, bands: Sequence[Band]) -> tuple[int, ...]:
    """Where the bands of a set begin, in steps."""
    return tuple(steps(score, band.low, up=True) for band in bands)


def _cutoff(instrument: Instrument, cutoff: Cutoff | None) -> CutoffPlan | None:
    if cutoff is None:
        return None
    score, better, younger = instrument.score(cutoff.score), cutoff.higher_is_better, cutoff.younger
    value = steps(score, cutoff.value, up=not better)
    if younger is None or younger.value is None:
        return CutoffPlan(value, better, None, value)
    return CutoffPlan(value, better, younger.below, steps(score, younger.value, up=not better))


def _parts(
    main: Sequence[int], scores: Sequence[ScoreDefinition], place: Mapping[str, int]
) -> tuple[Rows, ...]:
    """Scores that share out the main list among them: their counts of missing answers add up to the form's."""
    left = set(main)
    parts = []
    for score in scores:
        rows = {place[key] for key in score.items}
        if rows <= left:
            left -= rows
            parts.append(_rows(rows))
    return (_rows(main),) if left else tuple(parts)


def _form_limit(missing: MissingRule | None, n: int) -> int | None:
    if missing is None:
        return n // GENERAL_MISSING_SHARE  # the general rule, only where the sheet has none of its own
    return missing.max_missing if missing.per is Per.FORM and missing.refusal is None else None


def _leaves(instrument: Instrument) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for score in instrument.scores:
        keys = list(score.items)
        for name in (*score.of, *(score.formula.scores if score.formula else ())):
            keys += found[name]
        for case in score.cases:
            for condition in case.conditions:
                keys += condition.items if isinstance(condition, ItemCondition) else found[condition.score]
        found[score.id] = tuple(sorted(set(keys), key=instrument.positions.__getitem__))
    return found


def _allowed(instrument: Instrument) -> tuple[tuple[Rows, tuple[int, ...]], ...]:
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, item in enumerate(instrument.items):
        groups.setdefault(item.values, []).append(place)
    return tuple((_rows(places), values) for values, places in groups.items())


def _score_plan(instrument: Instrument, score: ScoreDefinition, leaves: tuple[str, ...]) -> ScorePlan:
    places = [instrument.positions[key] for key in score.items]
    missing = instrument.missing
    may_miss, prorates, per_form = _bears(score, missing)
    strict_rule = score.kind is ScoreKind.RULE and _rests_on_items(score) and _is_strict(missing)
    if strict_rule:
        places = [instrument.positions[key] for key in leaves]
    bands = _shown(instrument.band_set(score.id))
    younger = next((each for each in instrument.younger_bands if each.score == score.id), None)
    others = _shown(instrument.band_set(score.id, younger.set)) if younger else ()
    return ScorePlan(
        score=score,
        terms=_terms(instrument, score),
        rows=_rows(places) if places else (),
        n=len(places),
        may_miss=may_miss,
        prorates=prorates,
        per_form=per_form,
        wide=sum(instrument.item(key).values[-1] for key in score.items) > 127,
        bands=bands,
        band_starts=band_starts(score, bands),
        younger=YoungerPlan(younger.below, others, band_starts(score, others)) if younger else None,
        outcomes=score.outcomes,
        leaves=leaves,
        rests_on=tuple(
            {c.score: None for case in score.cases for c in case.conditions if isinstance(c, ScoreCondition)}
        ),
        plain=score.steps == 1,
    )


def _shown(bands: BandSet | None) -> tuple[Band, ...]:
    return bands.bands if bands and bands.certainty is not Certainty.C else ()


def _bears(score: ScoreDefinition, missing: MissingRule | None) -> tuple[int, bool, bool]:
    """How many missing answers the score bears, whether it fills them, and whether the form counts them."""
    if score.min_answered is not None:
        return len(score.items) - score.min_answered, True, False
    if missing is None or score.kind is ScoreKind.RULE:
        return 0, False, False
    if missing.kind is MissingKind.ZERO and score.items:
        return missing.max_missing, False, True
    if missing.kind is MissingKind.PRORATE and score.kind in (ScoreKind.SUM, ScoreKind.SUM_TIMES):
        return missing.max_missing, True, missing.per is Per.FORM
    return 0, False, False


def _rests_on_items(score: ScoreDefinition) -> bool:
    return any(isinstance(each, ItemCondition) for case in score.cases for each in case.conditions)


def _is_strict(missing: MissingRule | None) -> bool:
    return missing is not None and missing.kind is MissingKind.INCOMPLETE


def _terms(instrument: Instrument, score: ScoreDefinition) -> tuple[Term, ...]:
    if score.kind is ScoreKind.COUNT:
        groups: dict[int, list[str]] = {}
        for key, threshold in zip(score.items, score.at_least, strict=True):
            groups.setdefault(threshold, []).append(key)
        return tuple(_term(instrument, What.AT_LEAST, keys, 1, t) for t, keys in groups.items())
    if score.kind is ScoreKind.COUNT_EQUAL and score.equal is not None:
        return (_term(instrument, What.EQUAL, score.items, 1, score.equal),)
    if score.kind is ScoreKind.RECODED_SUM:
        return _recoding(instrument, score)
    return _summing(instrument, score) if score.items else ()


def _term(
    instrument: Instrument,
    what: What,
    keys: Sequence[str],
    factor: int,
    threshold: int = 0,
    alone: bool = False,
) -> Term:
    return Term(what, _rows(instrument.positions[key] for key in keys), len(keys), factor, threshold, alone)


def _summing(instrument: Instrument, score: ScoreDefinition) -> tuple[Term, ...]:
    """Σ answers; a reversed item counts (lowest + highest) − answer, and 0 while it is missing."""
    straight = [key for key in score.items if not instrument.item(key).reverse]
    turned: dict[int, list[str]] = {}
    for key in score.items:
        item = instrument.item(key)
        if item.reverse:
            turned.setdefault(item.values[0] + item.values[-1], []).append(key)
    terms = [_term(instrument, What.VALUE, straight, 1, alone=not turned)] if straight else []
    for total, keys in turned.items():
        terms.append(_term(instrument, What.VALUE, keys, -1))
        terms.append(_term(instrument, What.ANSWERED, keys, total))
    return tuple(terms)


def _recoding(instrument: Instrument, score: ScoreDefinition) -> tuple[Term, ...]:
    """The recoded value as steps: it rises (or falls) by so much from each answer to the next."""
    first = score.recode[0][1]
    terms = [_term(instrument, What.ANSWERED, score.items, first)] if first else []
    for (_, before), (answer, after) in pairwise(score.recode):
        if after != before:
            terms.append(_term(instrument, What.AT_LEAST, score.items, after - before, answer))
    return tuple(terms)
