"""The simulated population comes out with the published margins, in both worlds, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest

from risk_model import day_one, predict_batch
from risk_model.cohort import CODES, simulate
from risk_model.evaluation import auroc, calibration_line
from tests.risk_model.worlds import ici_to_truth

N = 60_000
# What published studies print, and how far from it the simulation may be.
MARGINS = {"phq9 >= 10": 0.21, "gad7 >= 10": 0.12, "item 9 > 0": 0.19, "mht >= 65": 0.06, "need": 0.10}
AUCS = {"phq9": 0.86, "gad7": 0.86, "mht": 0.83, "sdq_s": 0.85, "sdq_p": 0.76, "sdq_t": 0.72}
PAIRS = {
    ("phq9", "gad7"): 0.75,
    ("phq9", "mht"): 0.62,
    ("gad7", "mht"): 0.62,
    ("sdq_s", "phq9"): 0.55,
    ("sdq_s", "sdq_p"): 0.45,
    ("sdq_p", "sdq_t"): 0.29,
    ("sdq_s", "sdq_t"): 0.35,
}


def test_the_nominal_world_has_the_printed_margins() -> None:
    world = simulate(N, seed=3, schools=300)
    of = dict(zip(CODES, world.everything.T, strict=True))
    found = {
        "phq9 >= 10": (of["phq9"] >= 10).mean(),
        "gad7 >= 10": (of["gad7"] >= 10).mean(),
        "item 9 > 0": (world.item9 > 0).mean(),
        "mht >= 65": (of["mht"] >= 65).mean(),
        "need": world.y.mean(),
    }
    assert found == {name: pytest.approx(value, rel=0.15) for name, value in MARGINS.items()}
    assert {pair: np.corrcoef(of[pair[0]], of[pair[1]])[0, 1] for pair in PAIRS} == {
        pair: pytest.approx(r, rel=0.15) for pair, r in PAIRS.items()
    }
    assert {code: auroc(world.y, of[code] / 100) for code in AUCS} == {
        code: pytest.approx(value, abs=0.015) for code, value in AUCS.items()
    }
    over = of["phq9"] >= 10
    assert over[world.y == 1].mean() == pytest.approx(0.68, abs=0.03)
    assert 1 - over[world.y == 0].mean() == pytest.approx(0.84, abs=0.02)
    assert world.truth.mean() == pytest.approx(world.y.mean(), abs=0.003)


def test_the_stressed_world_costs_discrimination_and_bends_the_slope() -> None:
    figures = {}
    for name in ("nominal", "stressed"):
        world = simulate(N, seed=4, world=name, schools=300)
        p = predict_batch(day_one(), world.totals, base_rate=0.10, codes=CODES)
        there = ~np.isnan(p)
        _, slope = calibration_line(world.y[there], p[there])
        figures[name] = (
            auroc(world.y[there], p[there]),
            slope,
            ici_to_truth(p[there], world.truth[there]),
            world.y.mean(),
        )
    nominal, stressed = figures["nominal"], figures["stressed"]
    assert nominal[0] >= 0.85
    assert 0.85 <= nominal[1] <= 1.15
    assert nominal[2] <= 0.02
    assert nominal[0] - stressed[0] == pytest.approx(0.06, abs=0.02)
    assert 0.55 <= stressed[1] <= 0.72
    assert stressed[3] == pytest.approx(0.10, rel=0.15)


def test_the_same_seed_gives_the_same_children_and_another_others() -> None:
    one, again, other = simulate(500, seed=1), simulate(500, seed=1), simulate(500, seed=2)
    assert np.array_equal(one.totals, again.totals, equal_nan=True)
    assert np.array_equal(one.y, again.y)
    assert not np.array_equal(one.everything, other.everything)
    with pytest.raises(ValueError, match="a base rate between"):
        simulate(10, seed=1, base_rate=0.0)


def test_sheets_are_missing_as_they_are_in_life() -> None:
    world = simulate(N, seed=5, schools=300)
    parent = world.totals[:, CODES.index("sdq_p")]
    asked = (world.battery == 2) | (world.battery == 3)
    assert np.isnan(parent[asked & world.left_behind]).mean() == pytest.approx(0.5, abs=0.03)
    assert np.isnan(parent[asked]).mean() == pytest.approx(0.2, abs=0.02)
    assert np.isnan(parent[~asked]).all()
