"""The duty roster week by week: who, from when to when, on which telephone; holes and holidays in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from api.web.presenters import dates, words
from screening.core.calendar import Calendar
from screening.core.clock import LOCAL, local_day
from screening.core.i18n import translate
from screening.core.spans import Span
from screening.models.organisation import DutyEntry
from screening.queries.staff import Cover

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn of duty; ``open``: it is not over and can be ended."""

    id: UUID
    who: str
    phone: str
    starts: str
    ends: str
    open: bool
    running: bool
    first: bool  # the day on which this week shows it in full


@dataclass(frozen=True, slots=True)
class DayView:
    """One day of the week with what is said about it."""

    day: str
    remark: str
    turns: tuple[Turn, ...]
    gaps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CoverView:
    """One place in the list: who answers now, and the first hole."""

    id: UUID
    name: str
    kind: str
    now: str
    gap: str
    more: int
    alarm: bool


def monday_of(day: date) -> date:
    """The week a day is in begins on this day."""
    return day - timedelta(days=day.weekday())


def begin_of(day: date) -> datetime:
    """Local midnight."""
    return datetime.combine(day, time(), LOCAL)


def list_of(
    covers: Sequence[Cover], names: Mapping[UUID, str], now: datetime, locale: str
) -> list[CoverView]:
    """Places where somebody is missing now first, then by the tree."""
    found = [
        CoverView(
            id=cover.place.id,
            name=cover.place.name,
            kind=words.organisation_kind(cover.place.kind, locale),
            now=translate(locale, ", ").join(names.get(each, "") for each in cover.now),
            gap=gap(cover.gaps[0], locale) if cover.gaps else "",
            more=max(0, len(cover.gaps) - 1),
            alarm=not cover.now,
        )
        for cover in covers
    ]
    return sorted(found, key=lambda view: not view.alarm)


def gap(span: Span, locale: str) -> str:
    """Nobody from … to …"""
    return translate(
        locale,
        "nobody from {start} to {end}",
        start=dates.moment(span[0], locale),
        end=dates.moment(span[1], locale),
    )


def week(
    turns: Sequence[DutyEntry],
    holes: Sequence[Span],
    names: Mapping[UUID, str],
    monday: date,
    now: datetime,
    calendar: Calendar,
    locale: str,
) -> list[DayView]:
    """Seven days: the turns that touch each of them, the holes that begin on it."""
    found = []
    for number in range(7):
        day = monday + number * DAY
        begin, end = begin_of(day), begin_of(day + DAY)
        found.append(
            DayView(
                day=dates.day(day, locale),
                remark=remark(day, calendar, locale),
                turns=tuple(
                    _turn(each, names, now, locale, first=number == 0 or each.starts_at >= begin)
                    for each in turns
                    if each.starts_at < end and each.ends_at > begin
                ),
                gaps=tuple(
                    gap((max(hole[0], begin), min(hole[1], end)), locale)
                    for hole in holes
                    if hole[0] < end and hole[1] > begin
                ),
            )
        )
    return found


def _turn(entry: DutyEntry, names: Mapping[UUID, str], now: datetime, locale: str, *, first: bool) -> Turn:
    return Turn(
        id=entry.id,
        who=names.get(entry.account_id, ""),
        phone=entry.phone or "",
        starts=dates.moment(entry.starts_at, locale),
        ends=dates.moment(entry.ends_at, locale),
        open=entry.ends_at > now,
        running=entry.starts_at <= now < entry.ends_at,
        first=first,
    )


def remark(day: date, calendar: Calendar, locale: str) -> str:
    """Holiday by its name, made-up working day, weekend, or nothing; a year without a table says so."""
    if day.year not in calendar.years:
        return translate(locale, "The calendar of {year} is missing.", year=day.year)
    name = calendar.holiday_name(day)
    if name:
        return translate(locale, "holiday: {name}", name=name)
    if calendar.is_made_up(day):
        return translate(locale, "worked in place of a holiday")
    return "" if calendar.is_working_day(day) else translate(locale, "weekend")


def missing_years(calendar: Calendar, now: datetime) -> list[int]:
    """Years whose table somebody has to bring: this one, and the next once the notice is usually out."""
    today = local_day(now)
    return list(calendar.missing_years(today, today + timedelta(days=60)))
