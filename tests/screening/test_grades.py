"""年级 as schools write it, and as it moves on with each 1 September."""

from __future__ import annotations

from datetime import date

import pytest

from screening.core import grades
from screening.core.grades import GradeInfo, SchoolSystem, Stage


@pytest.mark.parametrize(
    ("text", "stage", "number"),
    [
        ("四年级", Stage.PRIMARY, 4),
        ("4", Stage.PRIMARY, 4),
        ("４年级", Stage.PRIMARY, 4),
        ("小四", Stage.PRIMARY, 4),
        ("小学 六年级", Stage.PRIMARY, 6),
        ("七年级", Stage.JUNIOR, 1),
        ("7", Stage.JUNIOR, 1),
        ("初一", Stage.JUNIOR, 1),
        ("初中二年级", Stage.JUNIOR, 2),
        ("初中九年级", Stage.JUNIOR, 3),
        ("高二", Stage.SENIOR, 2),
        ("高中3", Stage.SENIOR, 3),
        ("十年级", Stage.SENIOR, 1),
        ("12", Stage.SENIOR, 3),
        ("中职一", Stage.VOCATIONAL, 1),
        ("职高三年级", Stage.VOCATIONAL, 3),
        ("中专二", Stage.VOCATIONAL, 2),
    ],
)
def test_what_schools_write(text, stage, number):
    assert grades.parse(text) == GradeInfo(stage, number)


@pytest.mark.parametrize(
    "text", ["", "0", "13", "小七", "初四", "高四", "四年级3班", "2024级", "大一", "一百", "-4", "年级"]
)
def test_what_is_no_grade(text):
    assert grades.parse(text) is None


@pytest.mark.parametrize(
    ("text", "stage", "number"),
    [
        ("六年级", Stage.JUNIOR, 1),
        ("五年级", Stage.PRIMARY, 5),
        ("九年级", Stage.JUNIOR, 4),
        ("初四", Stage.JUNIOR, 4),
    ],
)
def test_a_five_four_district_counts_junior_school_from_grade_six(text, stage, number):
    assert grades.parse(text, SchoolSystem.FIVE_FOUR) == GradeInfo(stage, number)


@pytest.mark.parametrize(
    ("day", "year"), [(date(2026, 8, 31), 2025), (date(2026, 9, 1), 2026), (date(2027, 1, 1), 2026)]
)
def test_the_academic_year_begins_in_september(day, year):
    assert grades.academic_year(day) == year


def test_a_cohort_moves_up_and_leaves():
    entered = grades.cohort(GradeInfo(Stage.JUNIOR, 2), date(2026, 11, 21))
    assert entered == 2025
    assert grades.grade_on(Stage.JUNIOR, entered, date(2025, 8, 31)) is None
    assert grades.grade_on(Stage.JUNIOR, entered, date(2026, 8, 31)) == GradeInfo(Stage.JUNIOR, 1)
    assert grades.grade_on(Stage.JUNIOR, entered, date(2027, 9, 1)) == GradeInfo(Stage.JUNIOR, 3)
    assert grades.grade_on(Stage.JUNIOR, entered, date(2028, 9, 1)) is None
    assert grades.grade_on(Stage.JUNIOR, entered, date(2028, 9, 1), SchoolSystem.FIVE_FOUR) == GradeInfo(
        Stage.JUNIOR, 4
    )


@pytest.mark.parametrize("system", SchoolSystem)
@pytest.mark.parametrize("stage", Stage)
def test_what_is_shown_is_read_back(system, stage):
    for number in range(1, grades.length(stage, system) + 1):
        grade = GradeInfo(stage, number)
        assert grades.parse(grades.display(grade, system=system), system) == grade
        assert (
            grades.grade_on(stage, grades.cohort(grade, date(2026, 11, 21)), date(2026, 11, 21), system)
            == grade
        )


def test_shown_in_both_languages():
    assert [grades.display(GradeInfo(stage, 1)) for stage in Stage] == ["一年级", "七年级", "高一", "中职一"]
    assert [grades.display(GradeInfo(stage, 1), "en") for stage in Stage] == [
        "Grade 1",
        "Grade 7",
        "Grade 10",
        "Vocational year 1",
    ]
