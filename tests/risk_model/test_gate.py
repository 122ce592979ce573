"""What stops a candidate, and what needs a second person."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from risk_model.evaluation import expit, logit
from risk_model.gate import Holdout, judge

N = 1_200


@pytest.fixture(scope="module")
def good() -> Holdout:
    """A champion that is too high by a factor, and a candidate that is right."""
    random = np.random.default_rng(8)
    truth = random.beta(0.6, 5.0, N).clip(0.005, 0.97)
    return Holdout(
        y=(random.random(N) < truth).astype(np.float64),
        champion=expit(logit(truth) + 0.5),
        candidate=truth,
        weight=random.uniform(0.5, 2.0, N),
        school=(np.arange(N) // 30).astype(np.str_),
        facility=np.where(np.arange(N) % 2 == 0, (np.arange(N) % 4 // 2).astype(np.str_), ""),
    )


def stopped(holdout: Holdout) -> set[str]:
    return set(judge(holdout, (holdout.champion, holdout.candidate)).stopped)


def test_a_good_candidate_may_go_live(good: Holdout) -> None:
    verdict = judge(good, (good.champion, good.candidate))
    assert verdict.stopped == ()
    assert verdict.eligible
    assert set(verdict.second) <= {"levels_move", "high_falls"}
    assert verdict.figures["labels"] == N
    assert verdict.figures["effective"] < N


def test_each_rule_stops_what_it_is_for(good: Holdout) -> None:
    typo = replace(good, candidate=expit(logit(good.candidate) + 1.0))
    assert {"worse", "rate"} <= stopped(typo)
    steep = replace(good, candidate=expit(3.0 * logit(good.candidate) + 3.5))
    assert "slope" in stopped(steep)
    few = Holdout(*(getattr(good, name)[:100] for name in good.__dataclass_fields__))
    assert "few_labels" in stopped(few)
    turned = replace(good, y=np.where(good.facility == "0", 1.0 - good.y, good.y))
    assert {"facility:0:order", "facility:0:share"} <= stopped(turned)
    alone = replace(good, y=np.zeros(N))
    assert "slope_unknown" in stopped(alone)


def test_a_big_step_needs_a_second_person_and_a_small_one_does_not(good: Holdout) -> None:
    def second(candidate: np.ndarray) -> set[str]:
        return set(judge(replace(good, candidate=candidate), (good.champion, candidate)).second)

    assert second(good.champion) == set()
    assert {"intercept_step", "levels_move", "high_falls"} <= second(expit(logit(good.champion) - 1.5))
    assert "slope_step" in second(expit(0.5 * logit(good.champion) - 1.0))
