"""Real PHQ-9 and GAD-7 answers: published prevalences come out, and refusals are neither summed nor lost."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from instruments import MISSING, AnswerErrors, AnswerSheet, catalogue, read_critical, score, score_batch
from instruments.engine import NO_SCORE, SCORED
from tests.instruments import reference

pytestmark = pytest.mark.real

PHQ9 = catalogue().get("phq9")
REFUSED, DONT_KNOW = "7", "9"


@pytest.fixture(scope="module")
def nhanes(request: pytest.FixtureRequest) -> list[dict[str, str]]:
    from tests.conftest import REAL_DATA

    with gzip.open(
        REAL_DATA / "nhanes_phq9" / "nhanes_phq9_2005_2016.csv.gz", "rt", encoding="utf-8"
    ) as file:
        return list(csv.DictReader(file))


def cells(row: dict[str, str]) -> dict[str, str]:
    return {str(n): row[f"phq{n}"] for n in range(1, 10)}


def readable(row: dict[str, str]) -> bool:
    return not {REFUSED, DONT_KNOW} & set(cells(row).values())


def test_ten_and_more_on_the_phq9_is_as_common_as_published(nhanes: list[dict[str, str]]) -> None:
    """NCHS Data Brief 303: 8.1 % of adults in 2013-2016, men 5.5 %, women 10.4 % (complete answers, weighted)."""
    rows = [
        r for r in nhanes if r["cycle"] in ("2013-2014", "2015-2016") and int(r["age"]) >= 20 and readable(r)
    ]
    rows = [r for r in rows if all(cells(r).values())]
    assert len(rows) == 9_942
    matrix = np.full((10, len(rows)), MISSING, dtype=np.int8)
    matrix[:9] = np.array([list(cells(row).values()) for row in rows], dtype=np.int8).T
    batch = score_batch(PHQ9, matrix)
    assert (batch.statuses["total"] == SCORED).all()
    weight = np.array([float(row["wt_mec"]) for row in rows])
    male = np.array([row["sex"] == "M" for row in rows])
    shares = [
        round(float(100 * weight[who & batch.over_cutoff].sum() / weight[who].sum()), 2)
        for who in (male | ~male, male, ~male)
    ]
    assert shares == [8.06, 5.55, 10.43]


def test_every_readable_row_is_scored_as_by_hand(nhanes: list[dict[str, str]]) -> None:
    rows = [row for row in nhanes if readable(row)]
    matrix = np.full((10, len(rows)), MISSING, dtype=np.int8)
    matrix[:9] = np.array([[v or MISSING for v in cells(row).values()] for row in rows], dtype=np.int8).T
    total = score_batch(PHQ9, matrix).values["total"].tolist()
    for row, found in zip(rows, total, strict=True):
        by_hand = reference.phq_total(
            {key: int(value) if value else None for key, value in cells(row).items()}
        )
        assert found == (NO_SCORE if by_hand is None else by_hand)


def test_a_refusal_is_never_summed_and_item_9_still_fires(nhanes: list[dict[str, str]]) -> None:
    rows = [row for row in nhanes if not readable(row)]
    assert len(rows) > 100
    for row in rows:
        with pytest.raises(AnswerErrors) as refused:
            AnswerSheet.parse(PHQ9, cells(row))
        bad = {key for key, value in cells(row).items() if value in (REFUSED, DONT_KNOW)}
        assert {error.item for error in refused.value.errors} == bad
        expected = {"0": None, "1": "C", "2": "B", "3": "B"}.get(row["phq9"], "C")
        assert [found.grade for found in read_critical(PHQ9, cells(row))] == ([expected] if expected else [])


def test_a_blank_row_is_no_sheet(nhanes: list[dict[str, str]]) -> None:
    blank = [row for row in nhanes if not any(cells(row).values())]
    assert blank
    assert all(read_critical(PHQ9, cells(row)) == () for row in blank)


def test_two_waves_of_real_answers_are_scored_as_by_hand(real_data: Path) -> None:
    with (real_data / "phq9_gad7_two_waves" / "phq9_gad7_two_waves.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 200
    for row in rows:
        for wave in ("t1", "t2"):
            for code, prefix, n in (("phq9", "phq", 9), ("gad7", "gad", 7)):
                raw = {str(i): row[f"{wave}_{prefix}{i}"] for i in range(1, n + 1)}
                scores = score(catalogue().get(code), AnswerSheet.parse(catalogue().get(code), raw))
                assert scores.main.value == sum(map(int, raw.values()))
                assert scores.validity == "valid"
