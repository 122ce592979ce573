"""Working days, school hours and terms of mainland China. Nobody does weekday arithmetic elsewhere.

A Saturday may be worked and a Wednesday free: the State Council publishes both once a year, and our table
(``calendar_years.yaml``) holds what has been published. A year without a table counts Monday to Friday and is
named by ``missing_years`` so that somebody is alarmed; it is never an exception. Days are local days of
Asia/Shanghai, instants are aware and returned in UTC. School terms differ by district and are handed in as
``breaks``; without them no day counts as a break.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.resources import files

import yaml

from screening.core.clock import LOCAL, local_day

_DAY = timedelta(days=1)
_SATURDAY = 5
# The longest run of free days in any published year is nine; a wider search means a broken table.
_FAR = 400
# Where a district has not entered its terms: the ends of the autumn and the spring term, (month, day).
_USUAL_TERM_ENDS = ((1, 15), (6, 30))


class CalendarError(ValueError):
    """The yearly table contradicts itself; names the year and what is wrong."""


@dataclass(frozen=True, slots=True)
class CalendarYear:
    """What one year's notice says: free days beyond weekends, and weekend days that are worked."""

    year: int
    holidays: frozenset[date]
    working_days: frozenset[date]
    source: str
    names: Mapping[date, str] = field(default_factory=dict)  # what each holiday is called


@dataclass(frozen=True, slots=True)
class Break:
    """School holidays of one district; both days included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Calendar:
    """Whose days these are: the published years, one school's hours, one district's breaks."""

    years: Mapping[int, CalendarYear]
    opens: time = time(7, 30)
    closes: time = time(17, 30)
    breaks: tuple[Break, ...] = ()

    def is_working_day(self, day: date) -> bool:
        """Do offices work on this day? In a year without a table: Monday to Friday."""
        table = self.years.get(day.year)
        if table is not None and day in table.holidays:
            return False
        return day.weekday() < _SATURDAY or (table is not None and day in table.working_days)

    def holiday_name(self, day: date) -> str | None:
        """What the notice calls this free day; ``None`` for any other day."""
        table = self.years.get(day.year)
        return table.names.get(day) if table is not None else None

    def is_made_up(self, day: date) -> bool:
        """A weekend day that is worked (调休)."""
        table = self.years.get(day.year)
        return table is not None and day in table.working_days

    def is_school_day(self, day: date) -> bool:
        """A working day outside the district's breaks."""
        return self.is_working_day(day) and not any(b.first <= day <= b.last for b in self.breaks)

    def missing_years(self, first: date, last: date) -> tuple[int, ...]:
        """Years between two days (both included) for which no table is here."""
        return tuple(year for year in range(first.year, last.year + 1) if year not in self.years)

    def add_working_days(self, day: date, n: int) -> date:
        """The ``n``-th working day after ``day`` (before it, when ``n`` is negative).

        ``n`` = 0 is ``day`` itself, or the next working day when ``day`` is none.
        """
        if n == 0:
            return day if self.is_working_day(day) else self.next_working_day(day)
        step = _DAY if n > 0 else -_DAY
        for _ in range(abs(n)):
            day += step
            while not self.is_working_day(day):
                day += step
        return day

    def next_working_day(self, day: date) -> date:
        """The first working day after ``day``."""
        return self.add_working_days(day, 1)

    def next_school_day(self, day: date) -> date:
        """The first school day after ``day``. In a break this may be weeks away: no alarm waits for it."""
        for ahead in range(1, _FAR):
            if self.is_school_day(day + ahead * _DAY):
                return day + ahead * _DAY
        raise CalendarError(f"no school day within {_FAR} days after {day}")

    def term_ends_on(self, day: date) -> date:
        """The last working day of the term that ``day`` is in, or of the coming one during a break.

        The day before the next break; where breaks are not entered, 15 January or 30 June.
        """
        known = [b.first - _DAY for b in self.breaks]
        usual = [date(y, m, d) for y in (day.year, day.year + 1) for m, d in _USUAL_TERM_ENDS]
        ahead = [end for end in known if end >= day] or [end for end in usual if end >= day]
        end = min(ahead)
        return end if self.is_working_day(end) else self.add_working_days(end, -1)

    def in_school_hours(self, instant: datetime) -> bool:
        """Is the school open at this instant?"""
        local = instant.astimezone(LOCAL)
        return self.is_school_day(local.date()) and self.opens <= local.time() < self.closes

    def opening(self, day: date) -> datetime:
        """When that day's work begins, in UTC."""
        return datetime.combine(day, self.opens, LOCAL).astimezone(UTC)

    def closing(self, day: date) -> datetime:
        """When that day's work ends, in UTC."""
        return datetime.combine(day, self.closes, LOCAL).astimezone(UTC)

    def working_time(self, start: datetime, end: datetime) -> timedelta:
        """Working hours between two instants; zero when ``end`` is not later."""
        total = timedelta()
        day, last = local_day(start), local_day(end)
        while day <= last:
            if self.is_working_day(day):
                total += max(timedelta(), min(end, self.closing(day)) - max(start, self.opening(day)))
            day += _DAY
        return total

    def add_working_time(self, start: datetime, amount: timedelta) -> datetime:
        """The instant by which ``amount`` of working hours has passed since ``start``, in UTC."""
        day = local_day(start)
        while True:
            if self.is_working_day(day):
                begin = max(start, self.opening(day))
                left = max(timedelta(), self.closing(day) - begin)
                if amount <= left:
                    return (begin + amount).astimezone(UTC)
                amount -= left
            day += _DAY


@cache
def china() -> Calendar:
    """The published years, with the usual school hours and no breaks."""
    raw = yaml.safe_load((files("screening.core") / "calendar_years.yaml").read_text(encoding="utf-8"))
    return Calendar(years={year: _year(year, table) for year, table in raw.items()})


def calendar_for(*, opens: time, closes: time, breaks: tuple[Break, ...] = ()) -> Calendar:
    """The published years with one school's hours and its district's breaks."""
    return replace(china(), opens=opens, closes=closes, breaks=breaks)


def _year(year: int, table: Mapping[str, object]) -> CalendarYear:
    spans, worked = table["holidays"], table["working_days"]
    if not isinstance(spans, list) or not isinstance(worked, list):
        raise CalendarError(f"{year}: holidays and working_days must be lists")
    names = {
        span["first"] + n * _DAY: str(span.get("name", ""))
        for span in spans
        for n in range((span["last"] - span["first"]).days + 1)
    }
    holidays = frozenset(names)
    working_days = frozenset(worked)
    if any(day.year != year for day in holidays | working_days):
        raise CalendarError(f"{year}: a day of another year")
    if holidays & working_days or any(day.weekday() < _SATURDAY for day in working_days):
        raise CalendarError(f"{year}: a make-up working day must be a weekend day outside the holidays")
    return CalendarYear(year, holidays, working_days, str(table["source"]), names)
