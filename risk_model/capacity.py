"""Who first, when only so many can be seen: an order of the queue, and what it leaves undone.

Capacity orders, it never moves a threshold: a child's level must not depend on the neighbours, and what is not met
must stay visible. So this module gets levels and gives an order; it cannot give a level.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from risk_model.levels import Level

_RANK = {level: rank for rank, level in enumerate(Level)}

SMALLEST_GROUP = 10
"""Groups with fewer children are not told apart."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A child in the queue. `low` and `high` hold the doubt about `probability`; None where there is no estimate.

    `grade` is the critical grade as a rank, 0 the most urgent; `days` how long the child waits; `groups` serve for
    counting only and never order anybody.
    """

    child: str
    level: Level
    grade: int | None
    probability: float | None
    low: float | None
    high: float | None
    days: int
    groups: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Share:
    """How a week falls on one group: children waiting, children seen, expected number in need left unseen."""

    waiting: int
    seen: int
    missed: float


@dataclass(frozen=True, slots=True)
class Week:
    """`seen` first, then `unseen`, both in order. `missed`: how many of the unseen are expected to need care, with the
    range that the doubt about the probabilities gives. `unknown`: unseen children without an estimate, not in it."""

    seen: tuple[Waiting, ...]
    unseen: tuple[Waiting, ...]
    missed: float
    missed_low: float
    missed_high: float
    unknown: int
    high_unseen: int
    groups: Mapping[str, Share]


def order(waiting: Sequence[Waiting]) -> tuple[Waiting, ...]:
    """Critical answers first, then level, then probability, then days waited; the id only breaks exact ties."""
    return tuple(
        sorted(
            waiting,
            key=lambda each: (
                9 if each.grade is None else each.grade,
                -_RANK[each.level],
                # A child above a floor without an estimate is not put last in its level: nobody knows.
                -(0.5 if each.probability is None else each.probability),
                -each.days,
                each.child,
            ),
        )
    )


def week(waiting: Sequence[Waiting], places: int) -> Week:
    """What `places` talks reach. Raises ValueError for fewer than none.

    A critical answer is never left for another week: such children are seen even when they are more than the places.
    """
    if places < 0:
        raise ValueError("the number of places is 0 or more")
    ordered = order(waiting)
    urgent = sum(each.level is Level.CRISIS_ITEM or each.grade is not None for each in ordered)
    reach = max(places, urgent)
    seen, unseen = ordered[:reach], ordered[reach:]
    return Week(
        seen=seen,
        unseen=unseen,
        missed=_sum(each.probability for each in unseen),
        missed_low=_sum(each.low for each in unseen),
        missed_high=_sum(each.high for each in unseen),
        unknown=sum(each.probability is None for each in unseen),
        high_unseen=sum(_RANK[each.level] >= _RANK[Level.HIGH] for each in unseen),
        groups=_shares(seen, unseen),
    )


def _sum(values: Iterable[float | None]) -> float:
    return float(sum(value for value in values if value is not None))


def _shares(seen: Sequence[Waiting], unseen: Sequence[Waiting]) -> dict[str, Share]:
    """Groups of fewer than ten are left out: a number of three is a name."""
    names = sorted({name for each in (*seen, *unseen) for name in each.groups})
    found = {}
    for name in names:
        inside, outside = ([e for e in side if name in e.groups] for side in (seen, unseen))
        if len(inside) + len(outside) >= SMALLEST_GROUP:
            found[name] = Share(
                waiting=len(inside) + len(outside),
                seen=len(inside),
                missed=_sum(each.probability for each in outside),
            )
    return found
