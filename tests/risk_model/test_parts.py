"""The parts of a learnt model: curves and trees as numbers, equal to the library that learnt them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from risk_model import additive, trees
from risk_model.additive import Additive, Curve, Design, knots_of
from risk_model.learners import fill_gaps, grow, make_gaps, together


def rows(n: int = 600, *, seed: int = 5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    values = np.column_stack(
        [random.integers(0, 4, n), random.normal(size=n), random.choice([-1, 0, 1], n), random.normal(size=n)]
    ).astype(float)
    y = (random.random(n) < 1 / (1 + np.exp(1.0 - 0.6 * values[:, 0] - values[:, 1]))).astype(float)
    values[random.random(values.shape) < 0.1] = np.nan
    return values, y


def test_curves_say_what_the_logistic_regression_says() -> None:
    values, y = rows()
    weight = np.linspace(0.5, 1.5, len(y))
    design = Design.of(values, weight)
    learner = LogisticRegression(C=0.3, max_iter=500).fit(design.terms(values), y, sample_weight=weight)
    model = design.model(float(learner.intercept_[0]), learner.coef_[0])
    assert model.score(values) == pytest.approx(learner.decision_function(design.terms(values)), abs=1e-9)
    again = additive.from_document(json.loads(json.dumps(model.document())))
    assert (again.score(values) == model.score(values)).all()


def test_a_gap_adds_nothing_and_beyond_the_knots_the_curve_is_level() -> None:
    model = Additive(0.5, (Curve(np.array([0.0, 1.0, 2.0]), np.array([-1.0, 0.0, 3.0])),))
    found = model.score(np.array([[np.nan], [0.5], [2.0], [9.0], [-9.0]]))
    assert found.tolist() == [0.5, 0.0, 3.5, 3.5, -0.5]


def test_knots_are_the_values_or_places_along_the_ranks() -> None:
    assert knots_of(np.array([2.0, np.nan, -1.0, 2.0])).tolist() == [-1.0, 2.0]
    assert len(knots_of(np.arange(100.0))) == additive.KNOTS
    assert knots_of(np.full(3, np.nan)).tolist() == [0.0]


def test_trees_say_what_the_library_says_gaps_included() -> None:
    values, y = rows()
    values[:, 3] = np.nan  # a question that was asked nowhere
    groves = [grow(values, y, np.ones(len(y)), 1, grove, 15) for grove in range(2)]
    model = together(groves)
    expected = np.mean([grove.decision_function(values) for grove in groves], axis=0)
    assert model.score(values) == pytest.approx(expected, abs=1e-12)
    again = trees.from_document(json.loads(json.dumps(model.document())))
    assert (again.score(values) == model.score(values)).all()
    with pytest.raises(ValueError, match="fewer columns"):
        model.score(values[:, :1])


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["left"].__setitem__(0, 0),  # a walk without end
        lambda d: d["right"].__setitem__(0, 9_999),
        lambda d: d["value"].pop(),
        lambda d: d["feature"].__setitem__(0, -7),
        lambda d: d["feature"].__setitem__(0, 0.5),
        lambda d: d["threshold"].__setitem__(0, "1"),
        lambda d: d["roots"].clear(),
        lambda d: d["roots"].__setitem__(0, 9_999),
        lambda d: d.pop("missing_left"),
    ],
)
def test_numbers_that_cannot_be_trees_are_refused(change: Change) -> None:
    values, y = rows(200)
    document = together([grow(values, y, np.ones(len(y)), 1, 0, 2)]).document()
    change(document)
    with pytest.raises((ValueError, KeyError, TypeError)):
        trees.from_document(document)


def test_gaps_are_filled_from_rows_that_are_alike() -> None:
    random = np.random.default_rng(1)
    first = random.normal(size=2_000)
    values = np.column_stack([first, first + 0.1 * random.normal(size=2_000)])
    gap = random.random(2_000) < 0.3
    values[gap, 1] = np.nan
    filled = fill_gaps(values, (first > 0).astype(float), random)
    assert not np.isnan(filled).any()
    assert (filled[~gap] == values[~gap]).all()
    assert np.isin(filled[gap, 1], values[~gap, 1]).all()
    assert np.corrcoef(filled[gap, 1], first[gap])[0, 1] > 0.9
    share = np.isnan(make_gaps(filled, random)).mean()
    assert 0.15 < share < 0.25
