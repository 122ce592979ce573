"""The training path on real pupils of another country: does the method hold its promises on years it has not seen?

Evidence about the method only. No row and no model of these data is in the repository.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from risk_model.appraisal import appraise, line_of, rows_of
from risk_model.dataset import Table, outcome_of, read_table, weight_of
from risk_model.evaluation import ece, expit, logit
from risk_model.training import Fit, Plan, fit

pytestmark = pytest.mark.real

NOT_PREDICTORS = {
    "year", "row", "weight", "stratum", "psu", "race_eth",
    "si_considered", "si_plan", "attempt_n", "attempt_injury", "attempt_12m",
}  # fmt: skip
GOALS = {"si_considered": (0.865, 0.012), "attempt_12m": (0.875, 0.010)}


@cache
def survey(folder: Path, name: str) -> Table:
    return read_table(folder / "yrbs" / name)


@pytest.fixture(scope="module")
def learning() -> Table:
    from tests.conftest import REAL_DATA

    return survey(REAL_DATA, "yrbs_2015_2019.csv.gz")


@pytest.fixture(scope="module")
def later() -> Table:
    from tests.conftest import REAL_DATA

    return survey(REAL_DATA, "yrbs_2023_part.csv.gz")


def plan(table: Table, outcome: str, weight: str | None = "weight") -> Plan:
    predictors = tuple(name for name in table.columns if name not in NOT_PREDICTORS)
    return Plan(outcome, predictors, ("year", "psu"), weight, population="US high schools, YRBS")


def of_years(table: Table, *years: str) -> Table:
    kept = [place for place, year in enumerate(table.column("year")) if year in years]
    columns = {name: tuple(cells[place] for place in kept) for name, cells in table.columns.items()}
    return Table(table.name, table.digest, columns, len(kept))


@cache
def learnt(outcome: str) -> Fit:
    from tests.conftest import REAL_DATA

    table = survey(REAL_DATA, "yrbs_2015_2019.csv.gz")
    return fit(table, plan(table, outcome))


def test_the_table_gives_the_published_national_figures(learning: Table) -> None:
    """CDC: weighted share who considered suicide 17.7, 17.2, 18.8 %, who attempted 8.6, 7.4, 8.9 %."""
    weight, years = weight_of(learning, "weight"), np.array(learning.column("year"))
    for outcome, published in (("si_considered", (17.7, 17.2, 18.8)), ("attempt_12m", (8.6, 7.4, 8.9))):
        y = outcome_of(learning, outcome)
        for year, share in zip(("2015", "2017", "2019"), published, strict=True):
            here = (years == year) & ~np.isnan(y)
            assert 100 * np.average(y[here], weights=weight[here]) == pytest.approx(share, abs=0.051)


@pytest.mark.slow
@pytest.mark.parametrize("outcome", GOALS)
def test_on_other_clusters_and_on_a_later_year(outcome: str, later: Table) -> None:
    found = learnt(outcome)
    auroc, error = GOALS[outcome]
    assert found.judged.crossed.auroc >= auroc
    assert 0.93 <= found.judged.crossed.slope <= 1.07
    assert found.judged.crossed.ece <= error
    afterwards = appraise(found.model, later, outcome, bootstraps=2)
    assert afterwards.found.auroc >= 0.865
    assert afterwards.found.ece <= 0.018


@pytest.mark.slow
@pytest.mark.parametrize("outcome", GOALS)
def test_500_labels_restore_calibration_where_the_base_rate_moved(outcome: str, later: Table) -> None:
    """Rows with the outcome are thinned out or kept by lot until its odds are other by 1.6; mean of 40 draws."""
    rows = rows_of(learnt(outcome).model, later, outcome)
    random = np.random.default_rng(5)
    for kept in (np.where(rows.y == 1, 1 / 1.6, 1.0), np.where(rows.y == 1, 1.0, 1 / 1.6)):
        here = random.random(len(rows.y)) < kept
        y, p = rows.y[here], rows.p[here]
        errors = list(_restored(y, p, random))
        assert ece(y, p) > 0.02
        assert np.mean(errors) <= 0.020
        assert np.mean(errors) < 0.55 * ece(y, p)


def _restored(y: np.ndarray, p: np.ndarray, random: np.random.Generator) -> Iterator[float]:
    for _ in range(40):
        labels = np.zeros(len(y), dtype=bool)
        labels[random.choice(len(y), 500, replace=False)] = True
        _, intercept, slope = line_of(y[labels], p[labels], np.ones(500))
        yield ece(y[~labels], expit(intercept + slope * logit(p[~labels])))


@pytest.mark.slow
def test_a_last_year_held_back_is_foretold(learning: Table) -> None:
    """2015 and 2017 foretell who attempted in 2019."""
    early, last = of_years(learning, "2015", "2017"), of_years(learning, "2019")
    found = appraise(fit(early, plan(learning, "attempt_12m")).model, last, "attempt_12m", bootstraps=2)
    assert found.found.auroc >= 0.855
    assert found.found.ece <= 0.018
    assert not any("spread" in message for message, _ in found.alarms)


@pytest.mark.slow
def test_a_rate_that_moved_alarms(later: Table) -> None:
    """Considered suicide: 17.9 % in 2015-2019, 20.8 % in this part of 2023."""
    said = [
        message
        for message, _ in appraise(learnt("si_considered").model, later, "si_considered", bootstraps=2).alarms
    ]
    assert any("has moved" in message for message in said)
