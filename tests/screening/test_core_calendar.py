"""Working days against an independent table; hours, terms and missing years."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import chinese_calendar
import pytest
from chinese_calendar.constants import holidays as their_holidays
from hypothesis import given
from hypothesis import strategies as st

from screening.core.calendar import (
    Break,
    Calendar,
    CalendarError,
    _year,
    calendar_for,
    china,
)
from screening.core.clock import LOCAL

CHINA = china()
BOTH_KNOW = sorted(set(CHINA.years) & {day.year for day in their_holidays})


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=LOCAL)


def test_two_years_can_be_compared() -> None:
    assert len(BOTH_KNOW) >= 2
    assert set(BOTH_KNOW) == set(CHINA.years), "a year only we know is a year nobody has checked"


@pytest.mark.parametrize("year", BOTH_KNOW)
def test_every_day_of_a_year_agrees_with_the_independent_table(year: int) -> None:
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(366)]
    differing = [
        day
        for day in days
        if day.year == year and CHINA.is_working_day(day) != chinese_calendar.is_workday(day)
    ]
    assert differing == []


def test_a_make_up_saturday_is_worked_and_a_holiday_wednesday_is_not() -> None:
    assert CHINA.is_working_day(date(2026, 10, 10))  # Saturday after National Day
    assert not CHINA.is_working_day(date(2025, 10, 1))  # Wednesday
    assert not CHINA.is_working_day(date(2026, 3, 7))  # plain Saturday


def test_working_days_are_counted_over_the_long_holiday() -> None:
    before = date(2026, 9, 30)
    assert CHINA.add_working_days(before, 1) == date(2026, 10, 8)
    assert CHINA.add_working_days(before, 3) == date(2026, 10, 10)  # the make-up Saturday counts
    assert CHINA.add_working_days(before, 4) == date(2026, 10, 12)
    assert CHINA.add_working_days(date(2026, 10, 8), -1) == before


def test_no_working_days_after_a_free_day_is_the_next_working_day() -> None:
    assert CHINA.add_working_days(date(2026, 3, 4), 0) == date(2026, 3, 4)
    assert CHINA.add_working_days(date(2026, 3, 7), 0) == date(2026, 3, 9)


def test_a_missing_year_counts_monday_to_friday_and_is_named() -> None:
    bare = Calendar(years={})
    assert bare.is_working_day(date(2031, 10, 1))  # a Wednesday, surely a holiday, but unknown
    assert not bare.is_working_day(date(2031, 10, 4))
    assert CHINA.missing_years(date(2024, 12, 31), date(2026, 1, 1)) == (2024,)
    assert CHINA.missing_years(date(2025, 1, 1), date(2026, 12, 31)) == ()


def test_school_hours_begin_sharp_and_end_sharp() -> None:
    assert CHINA.in_school_hours(local(2026, 3, 4, 7, 30))
    assert not CHINA.in_school_hours(local(2026, 3, 4, 7, 29))
    assert not CHINA.in_school_hours(local(2026, 3, 4, 17, 30))
    assert not CHINA.in_school_hours(local(2026, 3, 7, 10, 0))
    assert CHINA.in_school_hours(datetime(2026, 3, 4, 2, 0, tzinfo=UTC))  # 10:00 in Shanghai


def test_a_break_closes_the_school_but_not_the_offices() -> None:
    winter = Break(date(2026, 1, 26), date(2026, 3, 1))
    school = calendar_for(opens=time(8), closes=time(17), breaks=(winter,))
    assert school.is_working_day(date(2026, 1, 27))
    assert not school.is_school_day(date(2026, 1, 27))
    assert not school.in_school_hours(local(2026, 1, 27, 10, 0))
    assert school.next_school_day(date(2026, 1, 25)) == date(2026, 3, 2)
    assert school.next_working_day(date(2026, 1, 25)) == date(2026, 1, 26)
    assert school.closing(date(2026, 3, 2)) == local(2026, 3, 2, 17, 0)


def test_a_school_that_never_opens_is_an_error_not_an_endless_search() -> None:
    closed = calendar_for(opens=time(8), closes=time(17), breaks=(Break(date(2025, 1, 1), date(2028, 1, 1)),))
    with pytest.raises(CalendarError):
        closed.next_school_day(date(2025, 6, 1))


def test_the_term_ends_before_the_next_break_or_on_the_usual_day() -> None:
    winter = Break(date(2026, 1, 25), date(2026, 3, 1))  # begins on a Sunday
    school = calendar_for(opens=time(8), closes=time(17), breaks=(winter,))
    assert school.term_ends_on(date(2025, 11, 3)) == date(2026, 1, 23)  # the Friday before
    assert CHINA.term_ends_on(date(2025, 11, 3)) == date(2026, 1, 15)
    assert CHINA.term_ends_on(date(2026, 3, 3)) == date(2026, 6, 30)


@given(
    begin=st.builds(
        datetime.combine, st.dates(date(2025, 1, 2), date(2026, 10, 1)), st.times(), st.just(LOCAL)
    ),
    minutes=st.integers(min_value=0, max_value=6000),
)
def test_working_time_added_is_the_working_time_between(begin: datetime, minutes: int) -> None:
    end = CHINA.add_working_time(begin, timedelta(minutes=minutes))
    assert CHINA.working_time(begin, end) == timedelta(minutes=minutes)
    assert end >= begin


@given(
    day=st.dates(date(2025, 1, 1), date(2026, 12, 1)),
    n=st.integers(min_value=1, max_value=30),
    m=st.integers(min_value=1, max_value=30),
)
def test_working_days_add_up_and_can_be_walked_back(day: date, n: int, m: int) -> None:
    there = CHINA.add_working_days(day, n)
    assert CHINA.is_working_day(there)
    assert CHINA.add_working_days(there, m) == CHINA.add_working_days(day, n + m)
    assert CHINA.add_working_days(there, -n) <= day


@pytest.mark.parametrize(
    ("holiday", "worked"),
    [
        (date(2026, 1, 1), date(2026, 1, 1)),  # both free and worked
        (date(2026, 1, 1), date(2026, 1, 6)),  # a Tuesday is worked anyway
        (date(2025, 1, 1), date(2026, 1, 4)),  # another year
    ],
)
def test_a_table_that_contradicts_itself_is_refused(holiday: date, worked: date) -> None:
    table = {"source": "made up", "holidays": [{"first": holiday, "last": holiday}], "working_days": [worked]}
    with pytest.raises(CalendarError):
        _year(2026, table)
