"""Who a judged child stands for, and a weekly draw whose chances are known."""

from __future__ import annotations

import numpy as np
import pytest

from risk_model.labels import LabelRow, chance_over, draw_week, size_of, weigh


def row(
    child: str, origin: str | None, y: int | None, *, cell: str = "a", chance: float | None = None
) -> LabelRow:
    return LabelRow(child, "s", None, origin, y, chance, cell, 0.1, {}, True)  # type: ignore[arg-type]


def test_weights_add_up_to_all_screened_children_and_missing_is_never_healthy() -> None:
    rows = [row(f"r{n}", "referred", n % 2 if n < 12 else None, cell="high") for n in range(20)]
    rows += [row(f"c{n}", "checked", 0, cell="none", chance=0.05) for n in range(15)]
    rows += [row(f"d{n}", "checked", None, cell="none", chance=0.05) for n in range(5)]
    rows += [row(f"n{n}", None, None, cell="none") for n in range(400)]
    found = weigh(rows)
    assert len(found.rows) == 27
    assert found.weights.sum() == pytest.approx(len(rows))
    # Twelve of twenty referred came: each stands for 20/12; fifteen checks stand for the other 420.
    assert found.weights[0] == pytest.approx(20 / 12)
    assert found.weights[-1] == pytest.approx(420 / 15)
    assert found.missing == 8 + 5
    assert found.effective < len(found.rows)
    assert float(found.weights @ found.y) / found.weights.sum() == pytest.approx(10 / 440)


def test_cells_too_small_to_speak_are_taken_together() -> None:
    rows = [row(f"a{n}", "referred", 1 if n < 30 else None, cell="a") for n in range(40)]
    rows += [row(f"b{n}", "referred", 0 if n < 3 else None, cell="b") for n in range(20)]
    rows += [row(f"e{n}", "referred", None, cell="e") for n in range(10)]
    found = weigh(rows)
    assert found.weights.sum() == pytest.approx(70)


def test_nothing_judged_weighs_nothing() -> None:
    assert weigh([row("a", None, None)]).effective == 0.0


def pool(schools: int, children: int) -> dict[str, dict[str, float | None]]:
    random = np.random.default_rng(9)
    return {
        f"s{s}": {f"s{s}c{c}": float(random.beta(1, 8)) for c in range(children * (1 + s % 3))}
        for s in range(schools)
    }


def test_at_most_one_a_school_and_the_same_seed_draws_the_same() -> None:
    there = pool(12, 8)
    one, again = draw_week(there, places=6, seed=4), draw_week(there, places=6, seed=4)
    assert one == again
    assert len(one.drawn) == 6
    assert len({each.school for each in one.drawn}) == 6
    assert len(draw_week(there, places=40, seed=4).drawn) == 12
    assert draw_week({}, places=5, seed=1).drawn == ()
    assert draw_week({"s": {}}, places=5, seed=1).drawn == ()


def test_chances_are_those_with_which_children_are_drawn() -> None:
    there = pool(5, 2)
    times: dict[str, int] = {}
    repeats = 4_000
    for seed in range(repeats):
        for each in draw_week(there, places=2, seed=seed).drawn:
            times[each.child] = times.get(each.child, 0) + 1
    shares = draw_week(there, places=2, seed=0).shares
    for school, children in there.items():
        for child, p in children.items():
            told = size_of(p) * shares[school]
            assert times.get(child, 0) / repeats == pytest.approx(told, abs=4 * (told / repeats) ** 0.5)


def test_the_chance_over_weeks_is_that_of_never_being_missed() -> None:
    assert chance_over(0.1, []) == 0.0
    assert chance_over(None, [0.0]) == 0.0
    size = size_of(0.1)
    assert chance_over(0.1, [0.01, 0.02]) == pytest.approx(1 - (1 - size * 0.01) * (1 - size * 0.02))
    assert size_of(0.0) > 0.0
