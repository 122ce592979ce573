"""The goals of the model in simulated worlds. Long; the figures stand in `docs/reference/risk-model.md`."""

from __future__ import annotations

import pytest

from tests.risk_model import goals

pytestmark = pytest.mark.slow


def test_day_one() -> None:
    found = goals.day_one_figures("nominal")
    assert found["auc"] >= 0.85
    assert 0.85 <= found["slope"] <= 1.15
    assert found["ici"] <= 0.02


def test_after_500_judged_children() -> None:
    nominal, stressed = goals.after_labels("nominal", 500, 40), goals.after_labels("stressed", 500, 40)
    assert nominal["ici"] <= 0.015
    assert nominal["ici_p90"] <= 0.025
    assert 0.9 <= nominal["slope"] <= 1.1
    assert stressed["ici"] <= 0.025


@pytest.mark.parametrize("knowledge", goals.KNOWLEDGE)
def test_who_was_sent_fools_the_naive_and_not_the_weighted(knowledge: str) -> None:
    found = goals.who_was_sent(knowledge, 25)
    assert found["weighted_ici"] <= 0.016
    assert found["weighted_citl_abs"] <= 0.2
    assert abs(found["weighted_auc_error"]) <= 0.02
    assert abs(found["weighted_rate_error"]) <= 0.02
    assert abs(found["naive_rate_error"]) > 0.2
    if knowledge != "nothing":
        assert found["naive_ici"] > 0.05


def test_no_subgroup_is_left_behind() -> None:
    few, many = goals.subgroups(500, 20), goals.subgroups(2_000, 6)
    assert few["worst_ece"] <= 0.04
    assert few["worst_gap"] <= 0.025
    assert many["worst_ece"] <= 0.03


def test_it_is_worth_more_than_the_cut_offs_of_the_same_sheets() -> None:
    found = goals.benefit("nominal")
    assert found["least"] >= -0.001
    assert found["at_25 phq9+gad7+sdq_p"] >= 0.004


def test_the_gate_stops_the_bad_and_lets_the_good_pass() -> None:
    tried = {kind: goals.gate(kind, 30) for kind in goals.KINDS}
    bad = [each for kind in tried for each in tried[kind] if each.ici > each.champion_ici + 0.02]
    good = [each for kind in goals.GOOD for each in tried[kind]]
    assert len(bad) > 50
    assert sum(not each.verdict.eligible for each in bad) >= 0.95 * len(bad)
    assert sum(each.verdict.eligible for each in good) >= 0.6 * len(good)


def test_the_watch_is_quiet_without_cause_and_quick_with_one() -> None:
    assert goals.cusum(0.0, 400)["alarms"] <= 0.10 + 0.03  # 400 counties: two standard errors are 3 per cent
    assert goals.cusum(0.5, 200)["median_months"] <= 6
    scores = goals.psi_figures(20)
    assert scores["same"] < 0.02
    assert scores["moved"] > 0.10
    assert scores["battery"] > 1.0


def test_twenty_thousand_children_in_a_second() -> None:
    assert goals.seconds_for_20000() < 1.0
