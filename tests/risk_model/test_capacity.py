"""Capacity gives an order and says what it leaves undone."""

from __future__ import annotations

import pytest

from risk_model.capacity import Waiting, order, week
from risk_model.levels import Level


def child(
    name: str, level: Level, p: float | None, *, grade: int | None = None, days: int = 0, group: str = ""
) -> Waiting:
    low, high = (None, None) if p is None else (p / 2, min(1.0, p * 2))
    return Waiting(name, level, grade, p, low, high, days, frozenset({group} if group else ()))


def test_critical_answers_first_then_level_then_probability_then_days() -> None:
    queue = [
        child("low", Level.ELEVATED, 0.16),
        child("long", Level.HIGH, 0.30, days=9),
        child("short", Level.HIGH, 0.30, days=2),
        child("floor", Level.HIGH, None),
        child("c", Level.ELEVATED, 0.02, grade=2),
        child("a", Level.CRISIS_ITEM, 0.01, grade=0),
        child("top", Level.HIGH, 0.8),
    ]
    assert [each.child for each in order(queue)] == ["a", "c", "top", "floor", "long", "short", "low"]


def test_a_week_says_who_is_seen_and_how_many_in_need_are_not() -> None:
    queue = [child(f"h{n}", Level.HIGH, 0.4, group="g") for n in range(10)]
    queue += [child(f"e{n}", Level.ELEVATED, 0.2, group="k") for n in range(9)]
    queue += [child("x", Level.HIGH, None)]
    plan = week(queue, 6)
    assert len(plan.seen) == 6
    assert plan.high_unseen == 5
    assert plan.missed == pytest.approx(5 * 0.4 + 9 * 0.2)
    assert plan.missed_low == pytest.approx(plan.missed / 2)
    assert plan.missed_high == pytest.approx(plan.missed * 2)
    assert plan.unknown == 0
    assert set(plan.groups) == {"g"}  # nine children are not told apart
    assert plan.groups["g"].waiting == 10
    assert plan.groups["g"].seen + round(plan.groups["g"].missed / 0.4) == 10


def test_a_critical_answer_is_never_left_for_another_week() -> None:
    queue = [child(f"a{n}", Level.CRISIS_ITEM, 0.1, grade=1) for n in range(3)] + [
        child("h", Level.HIGH, 0.9)
    ]
    assert [each.child for each in week(queue, 0).seen] == ["a0", "a1", "a2"]
    assert week([], 5).missed == 0.0
    with pytest.raises(ValueError, match="places"):
        week(queue, -1)


def test_more_places_never_change_a_level_and_never_miss_more() -> None:
    queue = [child(f"h{n}", Level.HIGH, n / 100) for n in range(40)]
    levels = {each.child: each.level for each in queue}
    missed = []
    for places in range(0, 45, 5):
        plan = week(queue, places)
        assert {each.child: each.level for each in (*plan.seen, *plan.unseen)} == levels
        missed.append(plan.missed)
    assert missed == sorted(missed, reverse=True)
