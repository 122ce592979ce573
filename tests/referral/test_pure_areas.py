"""Scores over a cut point to areas; the table agrees with the instruments."""

from __future__ import annotations

from typing import Any

import pytest

from instruments import catalogue, shipped
from referral.planning import SheetScores, areas_from_scores
from referral.planning.facts import AreaTableError, area_table, read_areas
from referral.terms import Area

# Sheets that point nowhere: well-being and what protects, no cut-off of their own, or bands of severity alone.
POINT_NOWHERE = {"who5", "rses", "mspss", "uls6", "phq15", "dass21", "snap_iv_26"}


def areas(*sheets: SheetScores) -> dict[Area, float]:
    return {found.area: round(found.excess, 3) for found in areas_from_scores(sheets)}


@pytest.mark.parametrize(
    ("instrument", "score", "below", "at", "expected"),
    [
        ("phq9", "total", 9, 10, {Area.MOOD}),
        ("phq_a", "total", 9, 10, {Area.MOOD}),
        ("gad7", "total", 9, 10, {Area.ANXIETY}),
        ("mht", "total", 64, 65, {Area.ANXIETY}),
        ("mht", "study_anxiety", 7, 8, {Area.ANXIETY, Area.ACADEMIC}),
        ("mht", "loneliness", 7, 8, {Area.PEER}),
        ("mht", "self_blame", 7, 8, {Area.MOOD}),
        ("mht", "impulsive", 7, 8, {Area.CONDUCT}),
        ("sdq_s", "emotion", 6, 7, {Area.MOOD, Area.ANXIETY}),
        ("sdq_s", "peer", 5, 6, {Area.PEER}),
        ("sdq_p", "conduct", 3, 4, {Area.CONDUCT}),
        ("sdq_t", "hyper", 7, 8, {Area.ATTENTION}),
        ("scared", "school", 2, 3, {Area.ANXIETY, Area.ACADEMIC}),
        ("mssmhs", "depression", 1.83, 2, {Area.MOOD}),
        ("isi", "total", 8, 9, {Area.SLEEP}),
        ("psc17", "externalising", 6, 7, {Area.CONDUCT}),
    ],
)
def test_an_area_begins_at_its_cut(
    instrument: str, score: str, below: float, at: float, expected: set[Area]
) -> None:
    assert areas(SheetScores(instrument, {score: below})) == {}
    assert set(areas(SheetScores(instrument, {score: at}))) == expected


def test_how_far_over_the_cut_orders_the_areas() -> None:
    """PHQ-9 12 is 2 of 17 points over its cut, GAD-7 20 is 10 of 11."""
    found = areas_from_scores([SheetScores("phq9", {"total": 12}), SheetScores("gad7", {"total": 20})])
    assert [each.area for each in found] == [Area.ANXIETY, Area.MOOD]
    assert [round(each.excess, 3) for each in found] == [0.909, 0.118]


def test_an_area_of_two_sheets_keeps_its_larger_excess() -> None:
    found = areas(SheetScores("phq9", {"total": 10}), SheetScores("sdq_s", {"emotion": 10}))
    assert found[Area.MOOD] == 1.0


@pytest.mark.parametrize(
    ("instrument", "item", "answer"),
    [
        ("phq9", "9", 1),
        ("phq_a", "9", 3),
        ("phq_a", "x4", 1),
        ("mht", "85", 1),
        ("dsrsc", "10", 1),
        ("cssrs_screen", "6r", 1),
    ],
)
def test_one_critical_answer_names_self_harm_whatever_the_score(
    instrument: str, item: str, answer: int
) -> None:
    assert Area.SELF_HARM in areas(SheetScores(instrument, {"total": 0}, {item: answer}))


@pytest.mark.parametrize("answer", [0, None])
def test_no_thought_or_no_answer_names_nothing(answer: int | None) -> None:
    assert areas(SheetScores("phq9", {"total": 0}, {"9": answer})) == {}


def test_a_positive_safety_screen_names_self_harm() -> None:
    assert set(areas(SheetScores("asq", {"result": "non_acute_positive"}))) == {Area.SELF_HARM}
    assert areas(SheetScores("asq", {"result": "negative"})) == {}


def test_what_was_not_scored_says_nothing() -> None:
    assert areas(SheetScores("phq9", {"total": None}), SheetScores("cbcl", {"total": 99})) == {}


def test_the_table_speaks_of_the_sheets_with_their_own_scores_and_tops() -> None:
    table = area_table()
    spoken_of = {row.instrument for row in (*table.scores, *table.results, *table.critical)}
    assert spoken_of == set(shipped().codes) - POINT_NOWHERE
    for row in table.scores:
        by_id = {score.id: score for score in catalogue().get(row.instrument).scores}
        assert by_id[row.score].high == row.highest, (row.instrument, row.score)
    for item in table.critical:
        assert item.item in {each.key for each in catalogue().get(item.instrument).items}


def test_every_cut_of_a_total_is_the_one_the_instrument_screens_at() -> None:
    for row in area_table().scores:
        screens_at = catalogue().get(row.instrument).screens_at
        if screens_at is not None and screens_at.score == row.score:
            assert row.at_least == screens_at.value, row.instrument


def _row(**changes: Any) -> dict[str, Any]:
    row = {
        "instrument": "x",
        "score": "total",
        "at_least": 5,
        "highest": 10,
        "areas": ["mood"],
        "source": "a book",
        "certainty": "A",
    }
    return {"scores": [row | changes], "results": [], "critical": []}


@pytest.mark.parametrize("changes", [{"certainty": "C"}, {"source": ""}, {"at_least": 10}])
def test_a_cut_from_memory_or_without_room_above_it_is_refused(changes: dict[str, Any]) -> None:
    read_areas(_row())
    with pytest.raises(AreaTableError):
        read_areas(_row(**changes))
