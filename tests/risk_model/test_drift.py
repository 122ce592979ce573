"""A sum over findings that sounds when the need moves, and an index of scores within one battery."""

from __future__ import annotations

import numpy as np
import pytest

from risk_model.drift import Watch, advice, expected, given_judged, psi, psi_by_battery, watch
from risk_model.evaluation import expit, logit


def findings(n: int, seed: int, shift: float = 0.0) -> list[tuple[int, float]]:
    random = np.random.default_rng(seed)
    p = random.beta(2.0, 4.0, n)
    y = random.random(n) < expit(logit(p) + shift)
    return [(int(a), float(b)) for a, b in zip(y, p, strict=True)]


def test_a_shift_is_told_with_its_direction_and_no_shift_is_not() -> None:
    assert watch(findings(400, 1)).alarm == "none"
    assert watch(findings(400, 2, 0.8)).alarm == "up"
    assert watch(findings(400, 3, -0.8)).alarm == "down"


def test_findings_may_come_in_pieces_and_an_alarm_stays() -> None:
    all_at_once = watch(findings(300, 4, 0.8))
    pieces = watch(findings(300, 4, 0.8)[100:], before=watch(findings(300, 4, 0.8)[:100]))
    assert pieces == all_at_once
    assert watch(findings(300, 5, -1.0), before=all_at_once).alarm == "up"
    assert Watch().alarm == "none"


def test_people_refer_those_they_worry_about_so_the_model_s_own_probability_would_sound() -> None:
    random = np.random.default_rng(6)
    model = random.beta(1.0, 8.0, 800)
    given = expit(logit(model) + 1.6)  # whom a person refers is in need more often
    y = (random.random(800) < given).astype(int)
    assert watch(list(zip(y.tolist(), model.tolist(), strict=True))).alarm == "up"
    line = given_judged(y[:200], model[:200])
    later = expected(model[200:], line)
    assert watch(list(zip(y[200:].tolist(), later.tolist(), strict=True))).alarm == "none"


def test_psi_is_small_without_change_and_large_with_one() -> None:
    random = np.random.default_rng(7)
    before, same = random.normal(size=(2, 3_000))
    assert psi(expit(before), expit(same)) < 0.03
    assert psi(expit(before), expit(same + 0.4)) > 0.10
    assert [advice(value) for value in (0.05, 0.10, 0.25)] == ["none", "look", "stop"]


def test_batteries_are_compared_with_themselves_only() -> None:
    random = np.random.default_rng(8)
    low, high = random.beta(1, 12, 2_000), random.beta(3, 6, 2_000)
    before = [("mht", p) for p in low] + [("phq9+gad7", p) for p in high]
    now = [("mht", p) for p in low[::-1]] + [("phq9+gad7", p) for p in high[:50]]
    found = psi_by_battery(before, now)
    assert found == {"mht": (pytest.approx(0.0, abs=1e-9), "none")}
    assert psi(low, high) > 1.0
