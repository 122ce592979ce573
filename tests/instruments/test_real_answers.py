"""Real PHQ-9 and GAD-7 answers: published prevalences come out, and refusals are neither summed nor lost."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable
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


# --- published figures of four samples ---------------------------------------------------------------------------


def alpha(items: np.ndarray) -> float:
    """Cronbach's alpha of complete answers, items × people."""
    k = len(items)
    return float(k / (k - 1) * (1 - items.var(axis=1, ddof=1).sum() / items.sum(axis=0).var(ddof=1)))


def table(real_data: Path, folder: str, name: str) -> list[dict[str, str]]:
    path = real_data / folder / name
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return list(csv.DictReader(file))
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def matrix_of(code: str, rows: list[dict[str, str]], column: Callable[[int], str]) -> np.ndarray:
    """The answers of a sheet with numbered columns, −128 where a cell is empty."""
    numbers = range(1, len(catalogue().get(code).main_items) + 1)
    cells = [[row[column(n)] or MISSING for n in numbers] for row in rows]
    return np.ascontiguousarray(np.array(cells, dtype=np.int16).T.astype(np.int8))


def scored_items(code: str, matrix: np.ndarray) -> np.ndarray:
    """Complete answers with the reversed items turned."""
    items = catalogue().get(code).main_items
    complete = matrix[:, (matrix != MISSING).all(axis=0)].astype(float)
    for place, item in enumerate(items):
        if item.reverse:
            complete[place] = item.values[0] + item.values[-1] - complete[place]
    return complete


def test_nhanes_alphas_and_prevalences_come_out_cycle_by_cycle(nhanes: list[dict[str, str]]) -> None:
    """Alpha of the nine items, and the weighted share of adults of twenty and over with ten and more."""
    cycles = sorted({row["cycle"] for row in nhanes})
    alphas, shares = [], []
    for cycle in cycles:
        rows = [r for r in nhanes if r["cycle"] == cycle and readable(r) and all(cells(r).values())]
        matrix = np.full((10, len(rows)), MISSING, dtype=np.int8)
        matrix[:9] = np.array([list(cells(row).values()) for row in rows], dtype=np.int8).T
        alphas.append(round(alpha(matrix[:9].astype(float)), 3))
        adult = np.array([int(row["age"]) >= 20 for row in rows])
        weight = np.array([float(row["wt_mec"]) for row in rows])
        over = score_batch(PHQ9, matrix).over_cutoff
        shares.append(round(float(100 * weight[adult & over].sum() / weight[adult].sum()), 2))
    assert alphas == [0.821, 0.843, 0.837, 0.852, 0.841, 0.831]
    assert shares == [5.45, 8.13, 7.75, 7.94, 8.68, 7.44]


def test_chinese_students_have_the_published_sds_figures_in_both_waves(real_data: Path) -> None:
    """Alpha .768 and .825, mean raw sum 38.2 and 39.7, 46 and 51 students at 53 and more, waves correlate .70."""
    rows = table(real_data, "sds_china_students", "sds_china_students_w1_w2.csv")
    instrument, raw = catalogue().get("sds_zung"), {}
    for wave, n, coefficient, mean, over in (("w1", 165, 0.768, 38.2, 46), ("w2", 160, 0.825, 39.7, 51)):
        matrix = matrix_of("sds_zung", rows, lambda k, wave=wave: f"{wave}_sds{k}")
        batch = score_batch(instrument, matrix)
        built = batch.values["raw"] != NO_SCORE
        assert int(built.sum()) == n
        assert round(alpha(scored_items("sds_zung", matrix)), 3) == coefficient
        assert round(float(batch.values["raw"][built].mean()), 1) == mean
        assert int(batch.over_cutoff.sum()) == over
        raw[wave] = np.where(built, batch.values["raw"], np.nan)
    both = ~np.isnan(raw["w1"]) & ~np.isnan(raw["w2"])
    assert round(float(np.corrcoef(raw["w1"][both], raw["w2"][both])[0, 1]), 2) == 0.70


# The 21 of the 42 questions that make the short form, in its order; each lies in its scale by the official key.
DASS_21_OF_42 = (22, 2, 3, 4, 42, 6, 41, 12, 40, 10, 39, 8, 26, 35, 28, 31, 17, 18, 25, 20, 38)


def test_the_long_dass_has_about_the_published_alphas(real_data: Path) -> None:
    """A random half of the 5,000 of the reference (.956, .916, .927); the official keys of the long form."""
    rows = table(real_data, "dass42", "dass42.csv.gz")
    assert len(rows) == 2_500
    scales = {
        "depression": (3, 5, 10, 13, 16, 17, 21, 24, 26, 31, 34, 37, 38, 42),
        "anxiety": (2, 4, 7, 9, 15, 19, 20, 23, 25, 28, 30, 36, 40, 41),
        "stress": (1, 6, 8, 11, 12, 14, 18, 22, 27, 29, 32, 33, 35, 39),
    }
    found = {
        name: alpha(np.array([[float(row[f"q{n}"]) for row in rows] for n in keys]))
        for name, keys in scales.items()
    }
    for name, published in (("depression", 0.956), ("anxiety", 0.916), ("stress", 0.927)):
        assert found[name] == pytest.approx(published, abs=0.006)


def test_every_short_dass_of_real_answers_is_scored_as_by_hand(real_data: Path) -> None:
    rows = table(real_data, "dass42", "dass42.csv.gz")
    matrix = matrix_of("dass21", rows, lambda k: f"q{DASS_21_OF_42[k - 1]}")
    batch = score_batch(catalogue().get("dass21"), matrix)
    for place, row in enumerate(rows):
        raw = {str(k): int(row[f"q{n}"]) for k, n in enumerate(DASS_21_OF_42, start=1)}
        by_hand = reference.SCORERS["dass21"](raw, reference.ANYBODY)
        assert {name: int(values[place]) for name, values in batch.values.items()} == by_hand
    for values in batch.values.values():
        assert set((values % 2).tolist()) == {0}


def test_adolescents_in_treatment_have_the_published_alphas(real_data: Path) -> None:
    """QIDS .822 and Y-BOCS .846. Neither sheet is in the library: what is tested is the alpha of the tests above."""
    rows = table(real_data, "adolescent_qids_ybocs", "adolescent_qids_ybocs.csv")
    assert len(rows) == 87
    names = [name for name in rows[0] if name]
    numbers = np.array([[float(row[name]) for row in rows] for name in names])
    start = names.index("onset")
    qids = numbers[start : start + 16]
    ybocs = numbers[names.index("obtime") : names.index("obtime") + 10]
    assert (round(alpha(qids), 3), round(alpha(ybocs), 3)) == (0.822, 0.846)
