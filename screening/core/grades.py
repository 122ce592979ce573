"""Grades as schools write them. Stored as stage and year of entry, shown by academic year.

A grade is text that changes every 1 September; what stays is the stage (小学, 初中, 高中, 中职) and the year of
entry into it. In a 五四 district grade 6 is the first year of junior school and junior school has four years.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

_NUMERALS = "一二三四五六七八九十"
_YEAR_BEGINS_IN = 9  # September


class Stage(StrEnum):
    """学段."""

    PRIMARY = "primary"  # 小学
    JUNIOR = "junior"  # 初中
    SENIOR = "senior"  # 高中
    VOCATIONAL = "vocational"  # 中职


class SchoolSystem(StrEnum):
    """学制: years of primary and junior school."""

    SIX_THREE = "six_three"  # 六三
    FIVE_FOUR = "five_four"  # 五四


_LENGTHS = {
    SchoolSystem.SIX_THREE: {Stage.PRIMARY: 6, Stage.JUNIOR: 3, Stage.SENIOR: 3, Stage.VOCATIONAL: 3},
    SchoolSystem.FIVE_FOUR: {Stage.PRIMARY: 5, Stage.JUNIOR: 4, Stage.SENIOR: 3, Stage.VOCATIONAL: 3},
}
_COMPULSORY_YEARS = 9
_STAGE_WORDS = {
    "": None,
    "小": Stage.PRIMARY,
    "小学": Stage.PRIMARY,
    "初": Stage.JUNIOR,
    "初中": Stage.JUNIOR,
    "高": Stage.SENIOR,
    "高中": Stage.SENIOR,
    "普高": Stage.SENIOR,
    "中职": Stage.VOCATIONAL,
    "职": Stage.VOCATIONAL,
    "职高": Stage.VOCATIONAL,
    "职中": Stage.VOCATIONAL,
    "中专": Stage.VOCATIONAL,
    "技校": Stage.VOCATIONAL,
}
_FORM = re.compile(r"(\D*?)(?:第)?([1-9][0-9]?|[一二三四五六七八九]|十[一二]?)(?:年级|年)?")


@dataclass(frozen=True, slots=True)
class GradeInfo:
    """A stage and the year within it, counted from 1."""

    stage: Stage
    number: int


def length(stage: Stage, system: SchoolSystem = SchoolSystem.SIX_THREE) -> int:
    """Years of a stage."""
    return _LENGTHS[system][stage]


def parse(text: str, system: SchoolSystem = SchoolSystem.SIX_THREE) -> GradeInfo | None:
    """四年级, 4, 小四, 七年级, 初一, 初中二年级, 高二, 11, 中职一 … ; None when it is none of these."""
    compact = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    found = _FORM.fullmatch(compact)
    if found is None or found[1] not in _STAGE_WORDS:
        return None
    number = int(found[2]) if found[2].isascii() else _numeral(found[2])
    return _placed(_STAGE_WORDS[found[1]], number, system)


def _numeral(text: str) -> int:
    return sum(_NUMERALS.index(character) + 1 for character in text)


def _placed(stage: Stage | None, number: int, system: SchoolSystem) -> GradeInfo | None:
    """``number`` counts from the first school year when no stage is named, and in 初中七年级."""
    primary = length(Stage.PRIMARY, system)
    if stage is None:
        if number <= primary:
            return GradeInfo(Stage.PRIMARY, number)
        stage = Stage.JUNIOR if number <= _COMPULSORY_YEARS else Stage.SENIOR
        number -= primary if stage is Stage.JUNIOR else _COMPULSORY_YEARS
    elif stage is Stage.JUNIOR and primary < number <= _COMPULSORY_YEARS:
        number -= primary
    return GradeInfo(stage, number) if 1 <= number <= length(stage, system) else None


def academic_year(day: date) -> int:
    """The year in which the academic year of ``day`` began (1 September)."""
    return day.year if day.month >= _YEAR_BEGINS_IN else day.year - 1


def cohort(grade: GradeInfo, day: date) -> int:
    """入学年份: when a child who is in ``grade`` on ``day`` entered the stage."""
    return academic_year(day) - grade.number + 1


def grade_on(
    stage: Stage, entered: int, day: date, system: SchoolSystem = SchoolSystem.SIX_THREE
) -> GradeInfo | None:
    """The grade of a cohort on a day; None before it entered and after it left the stage."""
    number = academic_year(day) - entered + 1
    return GradeInfo(stage, number) if 1 <= number <= length(stage, system) else None


def school_year(grade: GradeInfo, system: SchoolSystem = SchoolSystem.SIX_THREE) -> int:
    """Years of school counted from the first grade of primary school: 高一 and 中职一 are 10."""
    before = {Stage.PRIMARY: 0, Stage.JUNIOR: length(Stage.PRIMARY, system)}
    return before.get(grade.stage, _COMPULSORY_YEARS) + grade.number


def display(grade: GradeInfo, locale: str = "zh", system: SchoolSystem = SchoolSystem.SIX_THREE) -> str:
    """四年级, 七年级, 高二, 中职一 in Chinese; "Grade 4", "Vocational year 1" in English."""
    year = school_year(grade, system)
    if locale != "zh":
        return f"Vocational year {grade.number}" if grade.stage is Stage.VOCATIONAL else f"Grade {year}"
    if grade.stage is Stage.SENIOR:
        return f"高{_NUMERALS[grade.number - 1]}"
    if grade.stage is Stage.VOCATIONAL:
        return f"中职{_NUMERALS[grade.number - 1]}"
    return f"{_NUMERALS[year - 1]}年级"
