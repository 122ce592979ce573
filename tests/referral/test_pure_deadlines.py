"""Time limits: every row of the table, both clocks, the ladder, follow-up dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from referral import deadlines
from referral.deadlines import LimitError, default_limits, due, earliest, follow_up_days, ladder
from referral.terms import Custody, FollowUpTemplate, Tier, Urgency
from screening.core.calendar import Break, Calendar, china
from screening.core.clock import LOCAL

CHINA = china()


def at(text: str) -> datetime:
    """Local time, written as 2026-03-04 10:00."""
    return datetime.fromisoformat(text).replace(tzinfo=LOCAL)


WEDNESDAY = "2026-03-04 10:00"  # an ordinary working day


@pytest.mark.parametrize(
    ("limit", "case", "start", "expected"),
    [
        # T01: 15 minutes in school hours, 30 else
        ("T01", Tier.CRISIS, WEDNESDAY, "2026-03-04 10:15"),
        ("T01", Tier.CRISIS, "2026-03-04 20:00", "2026-03-04 20:30"),
        ("T01", Tier.CRISIS, "2026-03-07 10:00", "2026-03-07 10:30"),
        ("T02", Tier.CRISIS, WEDNESDAY, "2026-03-04 11:00"),
        ("T03", Tier.CRISIS, WEDNESDAY, "2026-03-04 10:30"),
        ("T03", Tier.FOCUS, WEDNESDAY, "2026-03-05 00:00"),
        ("T04", Tier.CRISIS, "2026-10-01 02:00", "2026-10-01 03:00"),  # at night, on National Day
        ("T04", Tier.FOCUS, WEDNESDAY, "2026-03-06 17:30"),
        ("T04", Tier.WATCH, WEDNESDAY, "2026-03-11 17:30"),
        ("T05", Tier.CRISIS, WEDNESDAY, "2026-03-04 12:00"),
        ("T05", Tier.FOCUS, WEDNESDAY, "2026-03-06 17:30"),  # Friday's list
        ("T05", Tier.FOCUS, "2026-03-06 18:00", "2026-03-13 17:30"),  # after Friday's closing: next week's
        ("T05", Tier.FOCUS, "2026-10-08 09:00", "2026-10-10 17:30"),  # the week ends on a make-up Saturday
        ("T05", Tier.FOCUS, "2026-02-14 18:00", "2026-02-28 17:30"),  # a week without any working day between
        ("T06", Tier.CRISIS, WEDNESDAY, "2026-03-05 10:00"),
        ("T07", Tier.CRISIS, WEDNESDAY, "2026-03-05 00:00"),
        ("T07", Tier.CRISIS, "2026-03-04 23:50", "2026-03-05 03:50"),  # never less than four hours
        ("T07", Tier.FOCUS, WEDNESDAY, "2026-03-09 17:30"),
        ("T08", Tier.CRISIS, WEDNESDAY, "2026-03-04 14:00"),
        ("T08", Tier.FOCUS, WEDNESDAY, "2026-03-11 17:30"),
        ("T09", "A", WEDNESDAY, WEDNESDAY),
        ("T09", "B", WEDNESDAY, "2026-03-04 17:30"),
        ("T09", "B", "2026-03-04 17:20", "2026-03-04 17:50"),  # never less than half an hour
        ("T09", "B", "2026-03-04 20:00", "2026-03-04 20:30"),  # after hours the duty person phones
        ("T09", "B", "2026-03-07 10:00", "2026-03-07 10:30"),
        ("T09", "B", "2026-03-04 06:00", "2026-03-04 17:30"),  # before school: this school day
        ("T09", "high", WEDNESDAY, "2026-03-09 17:30"),
        ("T09", "elevated", WEDNESDAY, "2026-03-25 17:30"),
        ("T09", "past_year", WEDNESDAY, "2026-03-18 17:30"),
        ("T10", Tier.CRISIS, WEDNESDAY, "2026-03-04 17:30"),
        ("T10", Tier.CRISIS, "2026-03-06 19:00", "2026-03-09 17:30"),
        ("T10", Tier.FOCUS, WEDNESDAY, "2026-03-09 17:30"),
        ("T10", Tier.WATCH, WEDNESDAY, "2026-03-11 17:30"),
        ("T11", Urgency.EMERGENCY, WEDNESDAY, WEDNESDAY),
        ("T11", Tier.FOCUS, WEDNESDAY, "2026-03-05 17:30"),
        ("T11", Urgency.ROUTINE, WEDNESDAY, "2026-03-09 17:30"),
        ("T12", Urgency.EMERGENCY, WEDNESDAY, "2026-03-04 12:00"),
        ("T12", Urgency.URGENT, WEDNESDAY, "2026-03-05 17:30"),
        ("T13", Urgency.EMERGENCY, WEDNESDAY, "2026-03-05 10:00"),
        ("T13", Urgency.URGENT, WEDNESDAY, "2026-03-07 10:00"),
        ("T13", Urgency.ROUTINE, WEDNESDAY, "2026-03-18 10:00"),
        ("T14", Tier.CRISIS, WEDNESDAY, "2026-03-04 12:00"),
        ("T14", Tier.FOCUS, WEDNESDAY, "2026-03-05 17:30"),
        ("T14", Tier.WATCH, WEDNESDAY, "2026-03-06 17:30"),
        ("T15", Tier.CRISIS, WEDNESDAY, "2026-03-05 17:30"),
        ("T15", Tier.WATCH, WEDNESDAY, "2026-03-11 17:30"),
        ("T16_READ", Tier.WATCH, WEDNESDAY, "2026-03-05 17:30"),
        ("T16_UPDATE", Tier.CRISIS, WEDNESDAY, "2026-03-05 17:30"),
        ("T16_UPDATE", Tier.FOCUS, WEDNESDAY, "2026-03-09 17:30"),
        ("T16_UPDATE", Tier.WATCH, WEDNESDAY, "2026-03-11 17:30"),
        ("T17", Tier.CRISIS, WEDNESDAY, "2026-03-11 10:00"),
        ("T17", Tier.WATCH, WEDNESDAY, "2026-04-01 10:00"),
        ("T18", Tier.CRISIS, WEDNESDAY, "2026-04-01 10:00"),
        ("T18", Tier.FOCUS, WEDNESDAY, "2026-04-29 10:00"),
        ("T19", None, WEDNESDAY, WEDNESDAY),
        ("T19_RECORD", None, WEDNESDAY, "2026-03-04 12:00"),
        ("T20", "A", WEDNESDAY, "2026-03-04 10:15"),
        ("T20", "B", WEDNESDAY, "2026-03-04 11:00"),
        ("T20", "C", WEDNESDAY, "2026-03-05 17:30"),
        ("T21", Tier.WATCH, WEDNESDAY, "2026-03-18 17:30"),
        ("T22", Tier.FOCUS, WEDNESDAY, "2026-03-11 17:30"),
        ("T23", Tier.WATCH, WEDNESDAY, "2026-03-18 17:30"),
        ("T24", Tier.CRISIS, WEDNESDAY, "2026-03-05 17:30"),
        ("T25", Tier.FOCUS, WEDNESDAY, "2026-03-06 17:30"),
        ("T26", None, WEDNESDAY, "2026-03-05 17:30"),
        ("T26", None, "2026-03-06 10:00", "2026-03-09 17:30"),  # Friday to Monday
        ("T26", None, "2026-09-30 10:00", "2026-10-08 17:30"),  # over National Day
        ("T27", None, WEDNESDAY, "2026-03-18 17:30"),
        ("T28", None, WEDNESDAY, "2026-06-30 17:30"),
    ],
)
def test_each_row_of_the_table(limit: str, case: str | None, start: str, expected: str) -> None:
    assert due(limit, case, at(start), CHINA) == at(expected)


def test_all_twenty_eight_rows_are_there() -> None:
    assert {code[:3] for code in default_limits().rows} == {f"T{n:02}" for n in range(1, 29)}


def test_three_working_days_over_a_make_up_saturday() -> None:
    """A routine referral sent on Thursday 8 October 2026: Friday, make-up Saturday, Monday."""
    assert due("T12", Urgency.ROUTINE, at("2026-10-08 10:00"), CHINA) == at("2026-10-12 17:30")


def test_a_rescreen_of_a_focus_child_is_not_before_four_weeks() -> None:
    assert earliest("T18", Tier.FOCUS, at(WEDNESDAY), CHINA) == at("2026-04-01 10:00")
    assert earliest("T18", Tier.WATCH, at(WEDNESDAY), CHINA) == at(WEDNESDAY)


@pytest.mark.parametrize(
    ("limit", "case"), [("T99", None), ("T01", Tier.WATCH), ("T12", Tier.ROUTINE), ("T09", "none")]
)
def test_a_limit_that_does_not_exist_is_an_error_and_not_forever(limit: str, case: str | None) -> None:
    with pytest.raises(LimitError):
        due(limit, case, at(WEDNESDAY), CHINA)


def test_the_routine_tier_is_not_the_routine_urgency() -> None:
    """Both are spelled alike; a routine referral is answered within three working days."""
    assert due("T12", Urgency.ROUTINE, at(WEDNESDAY), CHINA) == at("2026-03-09 17:30")
    with pytest.raises(LimitError):
        due("T12", Tier.ROUTINE, at(WEDNESDAY), CHINA)


def test_a_district_changes_one_cell_and_keeps_the_rest() -> None:
    own = default_limits().overlaid({"T12": {"watch": {"working_days": 5}}})
    assert due("T12", Urgency.ROUTINE, at(WEDNESDAY), CHINA, limits=own) == at("2026-03-11 17:30")
    assert due("T12", Urgency.URGENT, at(WEDNESDAY), CHINA, limits=own) == at("2026-03-05 17:30")
    assert due("T12", Urgency.ROUTINE, at(WEDNESDAY), CHINA) == at("2026-03-09 17:30")


@pytest.mark.parametrize(
    "overlay",
    [
        {"T99": {"any": {"days": 1}}},
        {"T12": {"watch": {"working_days": 0}}},
        {"T12": {"watch": {"working_days": True}}},
        {"T12": {"watch": {"fortnights": 1}}},
        {"T12": {"watch": {"days": 1, "hours": 2}}},
        {"T12": {"watch": {"same_day": "X"}}},
    ],
)
def test_a_district_limit_that_makes_no_sense_is_refused(
    overlay: dict[str, dict[str, dict[str, object]]],
) -> None:
    with pytest.raises(LimitError):
        default_limits().overlaid(overlay)


def test_in_a_break_the_safety_talk_does_not_wait_for_the_term() -> None:
    school = Calendar(years=CHINA.years, breaks=(Break(date(2026, 7, 4), date(2026, 8, 31)),))
    assert due("T26", None, at("2026-07-10 10:00"), school) == at("2026-07-13 17:30")
    assert due("T09", "B", at("2026-07-10 10:00"), school) == at("2026-07-10 10:30")
    assert due("T01", Tier.CRISIS, at("2026-07-10 10:00"), school) == at("2026-07-10 10:30")
    assert due("T28", None, at("2026-05-10 10:00"), school) == at("2026-07-03 17:30")


@given(
    start=st.builds(
        datetime.combine, st.dates(date(2025, 1, 2), date(2026, 6, 1)), st.times(), st.just(LOCAL)
    ),
    row=st.sampled_from(
        [(code, case) for code, row in default_limits().rows.items() for case in row.cells if code != "T28"]
    ),
)
def test_no_limit_ends_before_it_begins_and_ladders_climb(start: datetime, row: tuple[str, str]) -> None:
    code, cell = row
    case = None if cell == "any" else cell
    end = due(code, case, start, CHINA)
    assert end >= start
    assert end.tzinfo is UTC
    steps = ladder(code, case, start, CHINA)
    times = [step.at for step in steps]
    assert times == sorted(times)
    assert all(when >= start for when in times)
    assert all(step.whom for step in steps)
    assert [step.at for step in steps if step.percent == 100] in ([], [end])


def test_a_crisis_rings_after_5_10_20_and_30_minutes_up_to_county_duty() -> None:
    steps = ladder("T01", Tier.CRISIS, at("2026-03-06 22:00"), CHINA)
    assert [(step.at - at("2026-03-06 22:00")).seconds // 60 for step in steps] == [5, 10, 20, 30]
    assert [step.whom for step in steps] == [("owner",), ("backup",), ("principal",), ("county_centre",)]
    assert all(step.rings for step in steps)


def test_the_focus_column_of_the_same_row_steps_by_share_not_by_minutes() -> None:
    steps = ladder("T04", Tier.FOCUS, at(WEDNESDAY), CHINA)
    assert [step.percent for step in steps] == [50, 100, 150, 200]
    assert not any(step.rings for step in steps)


def test_shares_of_working_days_are_counted_in_working_hours() -> None:
    """Friday 7:30, one working day: due Monday 17:30, half of the 20 working hours is Friday's closing."""
    steps = ladder("T12", Urgency.URGENT, at("2026-03-06 07:30"), CHINA)
    assert [step.at for step in steps] == [
        at("2026-03-06 17:30"),
        at("2026-03-09 17:30"),
        at("2026-03-10 17:30"),
        at("2026-03-11 17:30"),
    ]
    assert [step.whom[0] for step in steps] == [
        "clinic_intake",
        "facility_lead",
        "health_officer",
        "city_officer",
    ]


def test_an_unheld_safety_talk_climbs_like_grade_b() -> None:
    steps = ladder("T26", None, at(WEDNESDAY), CHINA)
    assert [step.at for step in steps] == [
        at("2026-03-05 08:45"),  # half of 7.5 + 10 working hours
        at("2026-03-05 17:30"),
        at("2026-03-05 22:30"),
        at("2026-03-06 03:30"),
    ]


def test_a_facility_is_reminded_of_a_protected_case_like_of_any_other() -> None:
    steps = ladder("T12", Urgency.URGENT, at(WEDNESDAY), CHINA, custody=Custody.PROTECTED)
    assert steps[0].whom == ("clinic_intake",)


def test_what_is_due_at_once_rings_by_minutes() -> None:
    assert [step.percent for step in ladder("T19", None, at(WEDNESDAY), CHINA)] == [None] * 4


@pytest.mark.parametrize(
    "limit", [("T01", Tier.CRISIS), ("T09", "high"), ("T12", Urgency.URGENT), ("T24", Tier.FOCUS)]
)
def test_nobody_at_the_school_is_told_about_a_protected_case(limit: tuple[str, str]) -> None:
    steps = ladder(*limit, at(WEDNESDAY), CHINA, custody=Custody.PROTECTED)
    told = {who for step in steps for who in step.whom}
    assert not told & {"owner", "backup", "principal", "school_lead", "counsellor", "class_teacher"}


@pytest.mark.parametrize(
    ("template", "days"),
    [
        (FollowUpTemplate.CRISIS, [1, 3, 7, 14, 21, 28, 42, 56, 84]),
        (FollowUpTemplate.FOCUS, [7, 14, 28, 56, 84]),
        (FollowUpTemplate.WATCH, [28, 56]),
        (FollowUpTemplate.HOTLINE, [1, 3, 7, 30]),
    ],
)
def test_follow_up_dates_count_from_the_event(template: FollowUpTemplate, days: list[int]) -> None:
    day0 = date(2026, 3, 4)
    planned = follow_up_days(template, day0)
    assert [(each.due_on - day0).days for each in planned] == days
    assert [each.number for each in planned] == list(range(1, len(days) + 1))


def test_months_end_where_the_month_ends() -> None:
    assert [each.due_on for each in follow_up_days(FollowUpTemplate.AFTERCARE, date(2025, 11, 30))] == [
        date(2026, 2, 28),
        date(2026, 5, 30),
    ]
    assert follow_up_days(FollowUpTemplate.RETURN, date(2026, 3, 2))[-1].due_on == date(2026, 9, 2)


def test_windows_are_exact_in_the_first_week_and_wider_later() -> None:
    planned = {
        (f.due_on - date(2026, 3, 4)).days: f
        for f in follow_up_days(FollowUpTemplate.CRISIS, date(2026, 3, 4))
    }
    slack = {age: (f.latest_on - f.due_on).days for age, f in planned.items()}
    assert slack == {1: 0, 3: 0, 7: 0, 14: 2, 21: 2, 28: 2, 42: 5, 56: 5, 84: 5}
    assert all(f.due_on - f.earliest_on == f.latest_on - f.due_on for f in planned.values())


def test_a_follow_up_in_the_winter_break_stays_on_its_day_with_the_duty_person() -> None:
    school = Calendar(years=CHINA.years, breaks=(Break(date(2026, 1, 24), date(2026, 3, 1)),))
    planned = follow_up_days(FollowUpTemplate.FOCUS, date(2026, 1, 14), calendar=school)
    assert [(f.due_on, f.by_duty) for f in planned[:3]] == [
        (date(2026, 1, 21), False),
        (date(2026, 1, 28), True),
        (date(2026, 2, 11), True),
    ]


def _broken(**changes: object) -> dict[str, object]:
    limit = {"zh": "", "en": "", "cells": {"any": {"days": 1}}, "chain": changes.pop("chain", "school")}
    people = [["owner"], ["backup"]]
    raw: dict[str, object] = {
        "limits": {"T01": limit},
        "escalation": {
            "shares": [0.5, 1.0],
            "minutes": [5, 10],
            "by_minutes": ["T01"],
            "chains": {"school": {"shares": people, "minutes": people}},
            **changes.pop("escalation", {}),
        },
        "follow_ups": {template.value: {"days": [1]} for template in FollowUpTemplate},
        "windows": [{"until_day": None, "days": 0}],
    }
    return raw | changes


def test_the_small_table_itself_can_be_read() -> None:
    assert deadlines.read_limits(_broken()).shares == (0.5, 1.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"chain": "nobody"},
        {"escalation": {"shares": [0.5]}},
        {"escalation": {"by_minutes": ["T77"]}},
        {"follow_ups": {}},
        {"windows": [{"until_day": 7, "days": 0}]},
    ],
)
def test_a_table_that_does_not_fit_together_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(LimitError):
        deadlines.read_limits(_broken(**changes))


def test_the_middle_of_the_night_is_the_local_night() -> None:
    """20:00 UTC is 4:00 in Shanghai on the next day."""
    assert due("T04", Tier.FOCUS, datetime(2026, 3, 3, 20, 0, tzinfo=UTC), CHINA) == at("2026-03-06 17:30")
    assert timedelta(minutes=30) == deadlines.AFTER_HOURS_CALL
