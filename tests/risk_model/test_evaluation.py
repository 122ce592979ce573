"""Figures of merit: against scikit-learn, against values worked by hand, and where they must refuse to answer."""

from math import isnan, log

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from risk_model import evaluation
from risk_model.evaluation import (
    NotConverged,
    at_capacity,
    auroc,
    by_group,
    calibration_line,
    cluster_bootstrap,
    decision_curve,
    ece,
    effective_size,
    expit,
    fit_line,
    ici,
    logit,
    measure,
    measure_with_intervals,
    net_benefit,
    of_rule,
    resamplings,
    smooth,
)

Y = np.array([0, 0, 1, 0, 1, 1, 0, 1.0])
P = np.array([0.1, 0.2, 0.2, 0.3, 0.4, 0.7, 0.7, 0.9])
W = np.array([1, 2, 1, 3, 2, 1, 1, 2.0])


def simulated(n: int = 4_000, *, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Outcome, true probability, weight and cluster."""
    random = np.random.default_rng(seed)
    clusters = random.integers(0, 40, n)
    score = random.normal(-2.0, 1.2, n)
    p = expit(score)
    return (random.random(n) < p).astype(float), p, random.uniform(0.3, 3.0, n), clusters


def test_ranking_and_distances_are_those_of_scikit_learn() -> None:
    y, p, w, _ = simulated(500)
    p = p.round(2).clip(0.001, 0.999)  # many ties
    for weight in (None, w):
        assert auroc(y, p, weight) == pytest.approx(roc_auc_score(y, p, sample_weight=weight), abs=1e-12)
        assert evaluation.brier(y, p, weight) == pytest.approx(
            brier_score_loss(y, p, sample_weight=weight), abs=1e-12
        )
        assert evaluation.log_loss(y, p, weight) == pytest.approx(
            sklearn_log_loss(y, p, sample_weight=weight), abs=1e-9
        )


def test_the_logistic_line_is_that_of_scikit_learn() -> None:
    y, p, w, _ = simulated(800)
    score = 0.6 * logit(p) + 0.3
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1_000).fit(score[:, None], y, sample_weight=w)
    intercept, slope = fit_line(y, score, w)
    assert intercept == pytest.approx(model.intercept_[0], abs=1e-5)
    assert slope == pytest.approx(model.coef_[0, 0], abs=1e-5)
    in_the_large, again = calibration_line(y, expit(score), w)
    assert again == pytest.approx(slope, abs=1e-9)
    # By its score equation: with that intercept the mean prediction is the observed share.
    assert w @ expit(score + in_the_large) == pytest.approx(w @ y, rel=1e-9)


def test_a_prior_draws_the_line_towards_no_change_and_many_labels_free_it() -> None:
    y, p, _, _ = simulated(4_000)
    score = 2.0 * logit(p)
    free = fit_line(y, score)
    few = fit_line(y[:60], score[:60], prior_sd=(1.0, 0.1))
    many = fit_line(y, score, prior_sd=(1.0, 0.1))
    assert abs(few[1] - 1.0) < abs(many[1] - 1.0)
    assert many[1] == pytest.approx(free[1], abs=0.06)
    assert fit_line(np.ones(5), np.zeros(5), prior_sd=(1.0, 0.5))[0] > 0.0


def test_no_finite_answer_is_said_and_not_hidden() -> None:
    with pytest.raises(NotConverged):
        fit_line([0, 0, 1, 1], [-2.0, -1.0, 1.0, 2.0])
    with pytest.raises(NotConverged):
        fit_line([1, 1], [0.0, 0.1], slope=1.0)
    intercept, slope = calibration_line([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    assert abs(intercept) < 1e-6
    assert isnan(slope)
    one_class = measure([0, 0], [0.1, 0.2])
    assert isnan(one_class.auroc)
    assert isnan(one_class.slope)
    assert one_class.base_rate == 0.0


def test_calibration_error_by_hand() -> None:
    # Two bins of equal weight: {.1 .2 .2 .3} share 1/4, mean .2; {.4 .7 .7 .9} share 3/4, mean .675.
    assert ece(Y, P, bins=2) == pytest.approx((0.05 + 0.075) / 2)
    # Weighted (1+2+1+3 against 2+1+1+2): shares 1/7 and 5/6, means 1.6/7 and 4/6.
    assert ece(Y, P, W, bins=2) == pytest.approx((abs(1 / 7 - 1.6 / 7) * 7 + abs(5 / 6 - 4 / 6) * 6) / 13)
    assert ece(Y, np.full(8, 0.5)) == pytest.approx(0.0)


def test_the_smooth_keeps_a_straight_line_and_the_index_finds_a_shift() -> None:
    p = np.linspace(0.05, 0.95, 400)
    assert smooth((p > 0.5).astype(float), p, None, [0.05, 0.95]) == pytest.approx([0.0, 1.0], abs=0.05)
    y, p, w, _ = simulated(40_000)
    at = np.array([0.05, 0.1, 0.3, 0.5])
    assert smooth(y, p, w, at) == pytest.approx(at, abs=0.02)
    assert ici(y, p, w) < 0.006
    assert ici(y, (p + 0.1).clip(0, 1), w) == pytest.approx(0.1, abs=0.008)
    assert ici(y, np.full(len(y), 0.3)) == pytest.approx(abs(y.mean() - 0.3), abs=1e-9)


def test_net_benefit_by_hand() -> None:
    # p >= .3 flags five: three with the outcome, two without.
    assert net_benefit(Y, P >= 0.3, 0.3) == pytest.approx((3 - 2 * 3 / 7) / 8)
    curve = decision_curve(Y, P, W, thresholds=(0.3, 0.5), rules={"none": np.zeros(8)})
    assert curve.model[0] == pytest.approx((5 - 4 * 3 / 7) / 13)
    assert curve.treat_all[1] == pytest.approx((6 - 7) / 13)
    assert curve.rules["none"] == (0.0, 0.0)
    with pytest.raises(ValueError, match="threshold"):
        net_benefit(Y, P >= 0.3, 1.0)


def test_capacity_by_hand_with_ties_shared() -> None:
    quarter = at_capacity(Y, P, 0.25)  # .9 and half of the two at .7: 1 + .5 found of 2 seen
    assert (quarter.ppv, quarter.sensitivity, quarter.threshold) == pytest.approx((0.75, 1.5 / 4, 0.7))
    assert quarter.nns == pytest.approx(2 / 1.5)
    everybody = at_capacity(Y, P, 1.0, W)
    assert (everybody.ppv, everybody.sensitivity) == pytest.approx((6 / 13, 1.0))
    rule = of_rule(Y, P >= 0.4, W)
    assert (rule.fraction, rule.ppv, rule.sensitivity) == pytest.approx((6 / 13, 5 / 6, 5 / 6))
    assert isnan(of_rule(Y, np.zeros(8)).ppv)
    with pytest.raises(ValueError, match="capacity"):
        at_capacity(Y, P, 0.0)


@pytest.mark.parametrize(
    ("y", "p", "w"),
    [
        ([0, 2], [0.1, 0.2], None),
        ([0, np.nan], [0.1, 0.2], None),
        ([0, 1], [0.1, 1.2], None),
        ([0, 1], [0.1, np.nan], None),
        ([0, 1], [0.1, 0.2], [1, -1]),
        ([0, 1], [0.1], None),
    ],
)
def test_what_cannot_be_outcome_probability_or_weight_is_refused(y: list, p: list, w: list | None) -> None:
    with pytest.raises(ValueError, match="must"):
        measure(y, p, w)


def test_groups_are_measured_apart() -> None:
    y, p, w, clusters = simulated(2_000)
    groups = np.where(clusters < 20, "a", "b")
    found = by_group(y, np.where(groups == "b", p / 2, p), groups, w)
    assert list(found) == ["a", "b"]
    assert found["a"].n + found["b"].n == 2_000
    assert found["b"].observed_expected == pytest.approx(2.0, abs=0.4)
    assert found["a"] == measure(y[groups == "a"], p[groups == "a"], w[groups == "a"])


def test_whole_clusters_are_drawn_and_the_interval_is_wider_than_for_rows() -> None:
    clusters = np.array([3, 3, 5, 5, 9])
    for times in resamplings(clusters, n=20, seed=4):
        assert times[0] == times[1]
        assert times[2] == times[3]
        assert times[0] + times[2] + times[4] == 3
    random = np.random.default_rng(2)
    schools = np.repeat(np.arange(30), 40)
    y = (random.random(1_200) < expit(random.normal(-1.5, 1.2, 30))[schools]).astype(float)

    def share(times: np.ndarray) -> list[float]:
        return [float(times @ y / times.sum())]

    (by_school,) = cluster_bootstrap(share, schools, n=200, seed=1)
    (by_row,) = cluster_bootstrap(share, np.arange(1_200), n=200, seed=1)
    assert by_school.low < by_school.value < by_school.high
    assert by_school.high - by_school.low > 1.7 * (by_row.high - by_row.low)
    (alone,) = cluster_bootstrap(share, np.zeros(1_200))
    assert isnan(alone.low)


def test_intervals_cover_and_come_out_the_same_again() -> None:
    y, p, w, clusters = simulated(1_500)
    first = measure_with_intervals(y, p, clusters, w, n=40, seed=3)
    assert first == measure_with_intervals(y, p, clusters, w, n=40, seed=3)
    assert first["slope"].low < 1.0 < first["slope"].high
    assert first["auroc"].low < first["auroc"].value < first["auroc"].high


def test_effective_size_and_log_odds() -> None:
    assert effective_size([1, 1, 1, 1]) == 4.0
    assert effective_size([3, 1]) == pytest.approx(1.6)
    assert effective_size([]) == 0.0
    assert logit(0.2) == pytest.approx(log(0.25))
    assert expit([-800.0, 0.0, 800.0]) == pytest.approx([0.0, 0.5, 1.0])
