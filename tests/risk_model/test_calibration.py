"""Two numbers by weighted Bayesian regression, what competes with them, and that no map turns an order round."""

from __future__ import annotations

import json

import numpy as np
import pytest

from risk_model.calibration import (
    Additive,
    Isotonic,
    Judged,
    ThreeNumbers,
    TwoNumbers,
    Unchanged,
    children,
    compete,
    fit_boosted,
    fit_counties,
    fit_intercept,
    fit_isotonic,
    fit_logistic,
    fit_three_numbers,
    fit_two_numbers,
    map_from,
    school_folds,
    shift_to_rate,
    ways,
)
from risk_model.evaluation import NotConverged, expit, logit
from tests.risk_model.worlds import Scored, ici_to_truth, scored


@pytest.fixture(scope="module")
def world() -> Scored:
    """A population whose base rate was set wrong: 15 % where it is 10 %."""
    return scored(9_000, seed=11, base_rate=0.15, schools=60)


@pytest.fixture(scope="module")
def judged(world: Scored) -> Judged:
    return world.judged(np.random.default_rng(1).permutation(len(world.p))[:3_000])


def test_two_numbers_repair_a_wrong_base_rate(world: Scored) -> None:
    some = world.judged(np.random.default_rng(2).permutation(len(world.p))[:500])
    everybody = world.judged(np.arange(len(world.p))).rows
    before = ici_to_truth(world.p, world.cohort.truth)
    for fit in (fit_two_numbers, fit_three_numbers, fit_intercept):
        assert ici_to_truth(fit(some).apply(everybody), world.cohort.truth) < 0.025 < before


def test_the_fit_is_the_one_of_a_plain_search(judged: Judged) -> None:
    """The same posterior, climbed by hand on a fine grid."""
    some = judged.take(np.arange(300))
    found = fit_two_numbers(some)
    score, y = logit(some.rows.probability), some.y

    def badness(a: float, b: float) -> float:
        line = a + b * score
        return float((np.logaddexp(0, line) - y * line).sum() + a * a / 2 + ((b - 1) / 0.25) ** 2 / 2)

    around = [
        badness(found.intercept + da, found.slope + db)
        for da in (-0.01, 0.0, 0.01)
        for db in (-0.01, 0.0, 0.01)
    ]
    assert min(around) == badness(found.intercept, found.slope)


def test_weights_count_for_what_they_are_worth(judged: Judged) -> None:
    """A thousand times the weight of everybody changes nothing; a few heavy children are few."""
    plain = fit_two_numbers(judged)
    heavy = Judged(judged.rows, judged.y, judged.weight * 1_000, judged.school)
    assert fit_two_numbers(heavy) == plain
    few = np.where(np.arange(len(judged)) < 20, 500.0, 1.0)
    pulled = fit_two_numbers(Judged(judged.rows, judged.y, few, judged.school))
    assert abs(pulled.slope - 1.0) < abs(plain.slope - 1.0) + 0.2
    assert Judged(judged.rows, judged.y, few, judged.school).effective < 40


def test_a_fit_that_does_not_settle_says_so() -> None:
    p = np.linspace(0.1, 0.9, 200)
    turned = Judged(children(p), (p < 0.5).astype(float), np.ones(200), np.repeat(["a", "b"], 100))
    with pytest.raises(NotConverged, match="contradict"):
        fit_two_numbers(turned, prior_sd=(1.0, 2.0))


def test_a_county_of_its_own_gets_an_intercept_of_its_own(judged: Judged) -> None:
    county = np.where(np.arange(len(judged)) % 3 == 0, "north", "south")
    y = judged.y.copy()
    y[(county == "north") & (np.arange(len(y)) % 2 == 0)] = 0.0  # half of the need of the north
    rows = children(judged.rows.probability, None, county.tolist())
    there = Judged(rows, y, judged.weight, judged.school)
    found = fit_counties(there, fit_two_numbers(there))
    assert found.counties["north"] < -0.2 < 0.1 < found.counties["south"]
    few = fit_counties(there, fit_two_numbers(there), least=2_500)
    assert few.counties == {}


def test_a_trusted_rate_moves_the_mean_to_it_and_a_rate_out_of_bounds_is_refused(world: Scored) -> None:
    found = shift_to_rate(world.p, 0.07)
    assert found.slope == 1.0
    assert found.apply(children(world.p)).mean() == pytest.approx(0.07, abs=4e-4)
    for rate in (0.02, 0.3):
        with pytest.raises(ValueError, match="base rate"):
            shift_to_rate(world.p, rate)


@pytest.mark.parametrize("fit", [fit_two_numbers, fit_three_numbers, fit_isotonic, fit_logistic, fit_boosted])
def test_a_map_is_json_and_says_the_same_after_a_journey(fit: object, judged: Judged, world: Scored) -> None:
    found = fit(judged)  # type: ignore[operator]
    back = map_from(json.loads(json.dumps(found.document(), allow_nan=False)))
    everybody = world.judged(np.arange(len(world.p))).rows
    assert np.array_equal(back.apply(everybody), found.apply(everybody))
    assert back == found


@pytest.mark.parametrize("fit", [fit_two_numbers, fit_three_numbers, fit_isotonic, fit_boosted])
def test_a_higher_score_never_lowers_what_a_map_says(fit: object, judged: Judged) -> None:
    found = fit(judged)  # type: ignore[operator]
    score = np.linspace(-8, 6, 400)
    ladder = children(expit(score), np.full((400, judged.rows.totals.shape[1]), np.nan))
    assert (np.diff(found.apply(ladder)) >= -1e-12).all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: TwoNumbers(0.0, -1.0),
        lambda: TwoNumbers(float("nan"), 1.0),
        lambda: ThreeNumbers(0.0, -0.1, 1.0),
        lambda: Isotonic((0.0, 1.0), (0.5, 0.4)),
        lambda: Isotonic((0.0,), (0.4,)),
        lambda: Additive("boosted", 0.0, 0, (1.0, 0.0), (), ()),
        lambda: map_from({"kind": "pickle"}),
        lambda: map_from({"kind": "two_numbers", "intercept": 0, "slope": -2, "counties": {}}),
    ],
)
def test_numbers_that_cannot_be_a_map_are_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        wrong()  # type: ignore[operator]


def test_schools_are_never_split_and_folds_are_of_about_one_size(judged: Judged) -> None:
    fold = school_folds(judged.school)
    for school in np.unique(judged.school):
        assert len(set(fold[judged.school == school])) == 1
    assert np.bincount(fold).min() > 0.15 * len(judged)


def test_who_competes_depends_on_the_labels_and_doing_nothing_always_does(judged: Judged) -> None:
    assert list(ways(judged.take(np.arange(100)))) == ["unchanged"]
    assert list(ways(judged.take(np.arange(1_000)))) == [
        "unchanged",
        "intercept",
        "two_numbers",
        "three_numbers",
    ]
    assert list(ways(judged))[-3:] == ["isotonic", "logistic", "boosted"]
    found = compete(judged.take(np.arange(1_000)))
    assert found.winner.kind != "unchanged"  # the base rate is wrong by half
    assert found.standings[0].kind == "unchanged"


def test_a_model_that_is_right_is_left_alone() -> None:
    p = np.random.default_rng(5).beta(0.5, 4.0, 2_000).clip(0.01, 0.95)
    y = (np.random.default_rng(6).random(2_000) < p).astype(float)
    school = (np.arange(2_000) // 50).astype(str)
    assert compete(Judged(children(p[:800]), y[:800], np.ones(800), school[:800])).winner == Unchanged()
    one = Judged(children(p), y, np.ones(2_000), np.full(2_000, "one"))
    assert compete(one).winner == Unchanged()
