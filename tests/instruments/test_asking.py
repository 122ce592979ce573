"""What may be asked of whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from instruments import catalogue
from instruments.asking import Asked, Rule, breaches, needs_signature, outside

DAY = date(2026, 10, 14)


def sheets(*codes):
    return [catalogue().get(code) for code in codes]


def broken(codes, *grades, **more):
    return [
        (breach.rule, breach.instrument.code)
        for breach in breaches(sheets(*codes), Asked(grades=grades, opens_on=DAY, **more))
    ]


@pytest.mark.parametrize("code", ["scl90", "sas_zung", "sds_zung"])
def test_sheets_valid_from_16_are_for_senior_grades_only(code):
    assert broken([code], 10, 11, 12) == []
    assert broken([code], 9, 10) == [(Rule.GRADE_LOW, code)]
    assert broken([code], 8) == [(Rule.GRADE_LOW, code)]


def test_grades_above_the_last_one_are_refused():
    assert broken(["dsrsc"], 9) == []
    assert broken(["dsrsc"], 9, 10) == [(Rule.GRADE_HIGH, "dsrsc")]


def test_every_sheet_is_allowed_in_its_own_grades_and_refused_below_them():
    for instrument in catalogue():
        last = instrument.grade_max or 12
        inside = tuple(range(max(instrument.grade_min, 1), last + 1))
        asked = Asked(grades=inside, opens_on=DAY)
        assert not [b for b in breaches([instrument], asked) if b.rule is not Rule.ITEM_GRADE], (
            instrument.code
        )
        if instrument.grade_min > 1:
            below = breaches([instrument], replace(asked, grades=(instrument.grade_min - 1,)))
            assert [breach.rule for breach in below] == [Rule.GRADE_LOW]
            assert below[0].said == {"grade": instrument.grade_min - 1, "limit": instrument.grade_min}


def test_an_item_may_wait_for_a_higher_grade_than_its_sheet():
    phq9 = catalogue().get("phq9")
    items = tuple(replace(item, min_grade=9 if item.key == "9" else None) for item in phq9.items)
    [found] = breaches([replace(phq9, items=items)], Asked(grades=(8, 9), opens_on=DAY))
    assert (found.rule, found.said) == (Rule.ITEM_GRADE, {"item": "9", "grade": 8, "limit": 9})
    assert not breaches([replace(phq9, items=items)], Asked(grades=(9,), opens_on=DAY))


def test_ages_count_by_most_of_a_grade_and_one_child_stops_nobody():
    assert broken(["phq9"], 7, ages={7: (11, 12, 12)}) == []
    assert broken(["phq9"], 7, ages={7: (11, 11, 12)}) == [(Rule.AGE_LOW, "phq9")]
    assert broken(["sdq_s"], 12, ages={12: (18, 18, 17)}) == [(Rule.AGE_HIGH, "sdq_s")]
    assert outside(catalogue().get("sdq_s"), (10, 11, 17, 18)) == (1, 1)


def test_somebody_for_whom_a_sheet_is_not_made():
    assert broken(["psc17"], 8, informants={"psc17": "parent"}) == []
    assert broken(["psc17"], 8, informants={"psc17": "teacher"}) == [(Rule.INFORMANT, "psc17")]


def test_a_sheet_is_not_asked_again_too_soon():
    assert broken(["phq9"], 8, last_answered={"phq9": date(2026, 9, 30)}) == []
    [found] = breaches(sheets("phq9", "gad7"), Asked((8,), DAY, last_answered={"phq9": date(2026, 10, 1)}))
    assert found.said == {"day": "2026-10-01", "again": "2026-10-15", "days": 14}


@pytest.mark.parametrize(
    ("codes", "grades", "needed"),
    [
        (["gad7"], (6, 7), True),
        (["gad7", "phq9"], (7,), False),
        (["gad7"], (6,), False),
        (["gad7"], (), False),
        (["sdq_s", "asq"], (8,), False),
    ],
)
def test_a_secondary_school_without_a_safety_question_needs_a_signature(codes, grades, needed):
    assert needs_signature(sheets(*codes), grades) is needed
