"""Days and times as people say them, in local time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from screening.core.clock import LOCAL, local_day
from screening.core.i18n import translate

_WEEKDAYS = {
    "zh": ("周一", "周二", "周三", "周四", "周五", "周六", "周日"),
    "en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SOON = timedelta(hours=4)


def day(value: date, locale: str) -> str:
    """10月16日 周五; 16 Oct Fri. With the year, where it is not near: see :func:`full_day`."""
    weekday = _WEEKDAYS["en" if locale == "en" else "zh"][value.weekday()]
    if locale == "en":
        return f"{value.day} {_MONTHS[value.month - 1]} {weekday}"
    return f"{value.month}月{value.day}日 {weekday}"


def full_day(value: date, locale: str) -> str:
    """2026年10月16日; 16 Oct 2026."""
    if locale == "en":
        return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
    return f"{value.year}年{value.month}月{value.day}日"


def moment(value: datetime, locale: str) -> str:
    """10月16日 周五 17:30, local."""
    local = value.astimezone(LOCAL)
    return f"{day(local.date(), locale)} {local:%H:%M}"


def machine(value: datetime) -> str:
    """For ``datetime`` attributes and scripts."""
    return value.astimezone(LOCAL).isoformat(timespec="seconds")


def for_input(value: datetime) -> str:
    """For a ``datetime-local`` field."""
    return value.astimezone(LOCAL).strftime("%Y-%m-%dT%H:%M")


def near_day(value: date, today: date, locale: str) -> str:
    """Today, tomorrow, or the day itself."""
    if value == today:
        return translate(locale, "Today")
    if value == today + timedelta(days=1):
        return translate(locale, "Tomorrow")
    return day(value, locale)


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Until a limit, in words. ``state``: late, soon (four hours) or open; never the only sign of it."""

    text: str
    state: str
    due: datetime


def time_left(due: datetime, now: datetime, locale: str) -> TimeLeft:
    """The words that the page's script goes on updating."""
    rest = due - now
    late = rest < timedelta()
    # Whole minutes, rounded away from "0 min": the last minute still says 1.
    minutes = int(-(-abs(rest).total_seconds() // 60))
    text = (
        translate(locale, "{time} over", time=length(minutes, locale))
        if late
        else translate(locale, "{time} left", time=length(minutes, locale))
    )
    return TimeLeft(text, "late" if late else "soon" if rest <= SOON else "open", due)


def length(minutes: int, locale: str) -> str:
    """A length of time in at most two units."""
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days >= 3 or (days and not hours):
        return translate(locale, "{days} d", days=days)
    if days:
        return translate(locale, "{days} d {hours} h", days=days, hours=hours)
    if hours and rest:
        return translate(locale, "{hours} h {minutes} min", hours=hours, minutes=rest)
    if hours:
        return translate(locale, "{hours} h", hours=hours)
    return translate(locale, "{minutes} min", minutes=rest)


def waiting(since: datetime, now: datetime, locale: str) -> str:
    """How many days somebody has been waited for."""
    days = (local_day(now) - local_day(since)).days
    return translate(locale, "{days} d", days=days) if days else translate(locale, "since today")
