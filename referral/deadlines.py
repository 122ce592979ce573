"""Time limits, escalation steps and follow-up dates: from an event to the instants that follow from it.

Pure. The numbers are data (``library/time_limits.yaml``, explained there) that a district may overlay; here
stands how each kind of amount is counted. Two clocks: **C** runs day and night, **W** counts working days and
ends at the closing of the school or office. Instants in and out are aware; results are UTC.
"""

from __future__ import annotations

import calendar as months
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import chain
from typing import Any

import yaml

from referral.terms import Custody, FollowUpTemplate, Tier, Urgency
from screening.core.calendar import Calendar
from screening.core.clock import LOCAL, local_day

ANY = "any"
# After hours the duty person phones; and nobody is given less than this to reach a child on the same day.
AFTER_HOURS_CALL = timedelta(minutes=30)
# "The same day" at ten to midnight would be late before anybody has read it.
SAME_DAY_AT_LEAST = timedelta(hours=4)

# The facility's limits are written by urgency, the others by tier: in the table they share a column.
_COLUMN = {Urgency.EMERGENCY: Tier.CRISIS, Urgency.URGENT: Tier.FOCUS, Urgency.ROUTINE: Tier.WATCH}


class LimitError(ValueError):
    """The table of limits cannot be read, or has no such limit; names limit and cell."""


class Kind(StrEnum):
    """How an amount is counted."""

    SPAN = "span"
    BY_SCHOOL_HOURS = "by_school_hours"
    AT_ONCE = "at_once"
    SAME_DAY = "same_day"
    SAME_WORKING_DAY = "same_working_day"
    WORKING_DAYS = "working_days"
    SCHOOL_DAY_END = "school_day_end"
    NEXT_SCHOOL_DAY_END = "next_school_day_end"
    WEEK_END = "week_end"
    TERM_END = "term_end"


_ON_THE_WORKING_CLOCK = frozenset({Kind.SAME_WORKING_DAY, Kind.WORKING_DAYS, Kind.WEEK_END, Kind.TERM_END})


@dataclass(frozen=True, slots=True)
class Amount:
    """One cell: a length of calendar time, a number of working days, or a named end.

    ``span`` is also the value in school hours; ``otherwise`` the one outside them; ``opens_after`` the time
    before which it is too early (targeted rescreen).
    """

    kind: Kind
    span: timedelta = timedelta()
    otherwise: timedelta = timedelta()
    working_days: int = 0
    opens_after: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Limit:
    """One row of the table."""

    code: str
    zh: str
    en: str
    chain: str
    cells: Mapping[str, Amount]


@dataclass(frozen=True, slots=True)
class Chain:
    """Who is told, step by step: by share of the limit, and by minutes for the crisis limits.

    ``owner`` and ``backup`` are the task's own people, every other word is a role.
    """

    shares: tuple[tuple[str, ...], ...]
    minutes: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Template:
    """Dates of a follow-up template, counted from day 0."""

    days: tuple[int, ...]
    months: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Days of tolerance either side, for dates up to ``until_day`` after the event (None: all later)."""

    until_day: int | None
    days: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The whole table."""

    rows: Mapping[str, Limit]
    shares: tuple[float, ...]
    minutes: tuple[int, ...]
    by_minutes: frozenset[str]
    chains: Mapping[str, Chain]
    templates: Mapping[FollowUpTemplate, Template]
    windows: tuple[Window, ...]

    def amount(self, limit: str, case: str | None) -> Amount:
        """The cell of one limit. ``case`` is a tier, an urgency, a grade or a level; None where it depends on nothing."""
        row = self.rows.get(limit)
        if row is None:
            raise LimitError(f"no limit {limit}")
        cell = row.cells.get(column(case)) or row.cells.get(ANY)
        if cell is None:
            raise LimitError(f"{limit} has no value for {column(case)}")
        return cell

    def overlaid(self, overlay: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Limits:
        """These limits with a district's own cells: ``{"T12": {"watch": {"working_days": 5}}}``."""
        rows = dict(self.rows)
        for code, cells in overlay.items():
            if code not in rows:
                raise LimitError(f"no limit {code}")
            own = {name: _amount(f"{code} {name}", raw) for name, raw in cells.items()}
            rows[code] = replace(rows[code], cells={**rows[code].cells, **own})
        return replace(self, rows=rows)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a ladder. ``percent`` of the limit, or None for a step by minutes, which keeps ringing."""

    at: datetime
    whom: tuple[str, ...]
    percent: int | None

    @property
    def rings(self) -> bool:
        return self.percent is None


@dataclass(frozen=True, slots=True)
class FollowUpDay:
    """One planned contact; it may be held from ``earliest_on`` to ``latest_on``.

    ``by_duty``: the day is no school day, so it belongs to the (holiday) duty person. It is never moved.
    """

    number: int
    due_on: date
    earliest_on: date
    latest_on: date
    by_duty: bool


def column(case: str | None) -> str:
    """The name of the cell for a tier, urgency, grade or level."""
    if case is None:
        return ANY
    if isinstance(case, Urgency):  # before any comparison by spelling: the tier "routine" has no limits
        return _COLUMN[case].value
    return str(case)


# --- When is it due --------------------------------------------------------------------------------------


def due(
    limit: str, case: str | None, start: datetime, calendar: Calendar, *, limits: Limits | None = None
) -> datetime:
    """The instant by which it must be done.

    ``limit`` is a code such as ``"T12"``; ``case`` as in ``Limits.amount``. Raises ``LimitError`` where the
    table has no such cell.
    """
    amount = (limits or default_limits()).amount(limit, case)
    return _DUE[amount.kind](amount, start, calendar).astimezone(UTC)


def earliest(
    limit: str, case: str | None, start: datetime, calendar: Calendar, *, limits: Limits | None = None
) -> datetime:
    """The instant before which it is too early; ``start`` itself for most limits. ``calendar`` as in ``due``."""
    return (start + (limits or default_limits()).amount(limit, case).opens_after).astimezone(UTC)


def _span(amount: Amount, start: datetime, _: Calendar) -> datetime:
    return start + amount.span


def _by_school_hours(amount: Amount, start: datetime, calendar: Calendar) -> datetime:
    return start + (amount.span if calendar.in_school_hours(start) else amount.otherwise)


def _same_day(_: Amount, start: datetime, __: Calendar) -> datetime:
    midnight = datetime.combine(local_day(start) + timedelta(days=1), time(), LOCAL)
    return max(midnight, start + SAME_DAY_AT_LEAST)


def _same_working_day(_: Amount, start: datetime, calendar: Calendar) -> datetime:
    day = local_day(start)
    open_today = calendar.is_working_day(day) and start < calendar.closing(day)
    return calendar.closing(day if open_today else calendar.next_working_day(day))


def _working_days(amount: Amount, start: datetime, calendar: Calendar) -> datetime:
    return calendar.closing(calendar.add_working_days(local_day(start), amount.working_days))


def _school_day_end(_: Amount, start: datetime, calendar: Calendar) -> datetime:
    called = start + AFTER_HOURS_CALL
    day = local_day(start)
    before_closing = calendar.is_school_day(day) and start < calendar.closing(day)
    return max(calendar.closing(day), called) if before_closing else called


def _next_school_day_end(_: Amount, start: datetime, calendar: Calendar) -> datetime:
    # The next working day, not the next day of lessons: in a break a safety talk does not wait for the term.
    return calendar.closing(calendar.next_working_day(local_day(start)))


def _week_end(_: Amount, start: datetime, calendar: Calendar) -> datetime:
    day = local_day(start)
    for first in (day, day + timedelta(days=7 - day.weekday()), day + timedelta(days=14 - day.weekday())):
        left = [first + timedelta(days=n) for n in range(7 - first.weekday())]
        ends = [calendar.closing(each) for each in left if calendar.is_working_day(each)]
        if ends and ends[-1] > start:
            return ends[-1]
    return calendar.closing(calendar.next_working_day(day))


def _term_end(_: Amount, start: datetime, calendar: Calendar) -> datetime:
    return calendar.closing(calendar.term_ends_on(local_day(start)))


_DUE: dict[Kind, Callable[[Amount, datetime, Calendar], datetime]] = {
    Kind.SPAN: _span,
    Kind.AT_ONCE: _span,
    Kind.BY_SCHOOL_HOURS: _by_school_hours,
    Kind.SAME_DAY: _same_day,
    Kind.SAME_WORKING_DAY: _same_working_day,
    Kind.WORKING_DAYS: _working_days,
    Kind.SCHOOL_DAY_END: _school_day_end,
    Kind.NEXT_SCHOOL_DAY_END: _next_school_day_end,
    Kind.WEEK_END: _week_end,
    Kind.TERM_END: _term_end,
}


# --- Who is told when it is late -------------------------------------------------------------------------


def ladder(
    limit: str,
    case: str | None,
    start: datetime,
    calendar: Calendar,
    *,
    custody: Custody = Custody.SCHOOL,
    limits: Limits | None = None,
) -> tuple[Step, ...]:
    """The steps of one task, in order of time.

    The crisis column of T01–T05, and whatever is due at once, steps by minutes after ``start``. Everything
    else steps at 50, 100, 150 and 200 % of its limit. A protected case has its own chain: nobody at the school.
    """
    table = limits or default_limits()
    amount = table.amount(limit, case)
    name = table.rows[limit].chain
    if name == "school" and custody is Custody.PROTECTED:
        name = "protected"
    by_minutes = limit in table.by_minutes and column(case) == Tier.CRISIS
    if by_minutes or amount.kind is Kind.AT_ONCE:
        return minute_steps(name, start, limits=table)
    end = _DUE[amount.kind](amount, start, calendar)
    return share_steps(name, amount.kind, start, end, calendar, limits=table)


def minute_steps(chain_name: str, start: datetime, *, limits: Limits | None = None) -> tuple[Step, ...]:
    """The steps of danger: minutes after ``start``, each ringing until a person presses."""
    table = limits or default_limits()
    return tuple(
        Step((start + timedelta(minutes=after)).astimezone(UTC), whom, None)
        for after, whom in zip(table.minutes, table.chains[chain_name].minutes, strict=True)
    )


def share_steps(
    chain_name: str,
    kind: Kind,
    start: datetime,
    end: datetime,
    calendar: Calendar,
    *,
    limits: Limits | None = None,
) -> tuple[Step, ...]:
    """The steps of what is due at ``end``: at each share of the time since ``start``, on the clock of its kind."""
    table = limits or default_limits()
    return tuple(
        Step(_at_share(kind, share, start, end, calendar).astimezone(UTC), whom, round(share * 100))
        for share, whom in zip(table.shares, table.chains[chain_name].shares, strict=True)
    )


def _at_share(kind: Kind, share: float, start: datetime, end: datetime, calendar: Calendar) -> datetime:
    """When a share of the limit has passed: in working hours on the W clock, in plain time otherwise."""
    if share == 1:
        return end
    if kind is Kind.NEXT_SCHOOL_DAY_END:
        # Before the end a reminder in working hours; after it the talk is urgent like a grade B answer, whose
        # limit is one school day of plain time.
        if share > 1:
            day = local_day(end)
            return end + (calendar.closing(day) - calendar.opening(day)) * (share - 1)
        return calendar.add_working_time(start, calendar.working_time(start, end) * share)
    if kind in _ON_THE_WORKING_CLOCK:
        return calendar.add_working_time(start, calendar.working_time(start, end) * share)
    return start + (end - start) * share


# --- Follow-ups ------------------------------------------------------------------------------------------


def follow_up_days(
    template: FollowUpTemplate, day0: date, *, calendar: Calendar | None = None, limits: Limits | None = None
) -> tuple[FollowUpDay, ...]:
    """The planned contacts of a template. Without a calendar no day is marked for the duty person."""
    table = limits or default_limits()
    plan = table.templates[template]
    days = sorted(
        {*(day0 + timedelta(days=n) for n in plan.days), *(_months_after(day0, n) for n in plan.months)}
    )
    found = []
    for number, day in enumerate(days, start=1):
        slack = timedelta(days=_tolerance(table.windows, (day - day0).days))
        by_duty = calendar is not None and not calendar.is_school_day(day)
        found.append(FollowUpDay(number, day, day - slack, day + slack, by_duty))
    return tuple(found)


def _months_after(day: date, n: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    return date(year, month + 1, min(day.day, months.monthrange(year, month + 1)[1]))


def _tolerance(windows: tuple[Window, ...], age: int) -> int:
    return next(w.days for w in windows if w.until_day is None or age <= w.until_day)


# --- Reading the table -----------------------------------------------------------------------------------


@cache
def default_limits() -> Limits:
    """The shipped table, read once."""
    text = (files("referral") / "library" / "time_limits.yaml").read_text(encoding="utf-8")
    return read_limits(yaml.safe_load(text))


def read_limits(raw: Mapping[str, Any]) -> Limits:
    """A table as frozen values. Raises ``LimitError`` naming the limit or part that is wrong."""
    escalation, chains = raw["escalation"], raw["escalation"]["chains"]
    table = Limits(
        rows={code: _limit(code, row) for code, row in raw["limits"].items()},
        shares=tuple(float(share) for share in escalation["shares"]),
        minutes=tuple(int(minute) for minute in escalation["minutes"]),
        by_minutes=frozenset(escalation["by_minutes"]),
        chains={
            name: Chain(_people(each["shares"]), _people(each["minutes"])) for name, each in chains.items()
        },
        templates={FollowUpTemplate(code): _template(each) for code, each in raw["follow_ups"].items()},
        windows=tuple(Window(each["until_day"], each["days"]) for each in raw["windows"]),
    )
    _check(table)
    return table


def _check(table: Limits) -> None:
    for name, each in table.chains.items():
        if len(each.shares) != len(table.shares) or len(each.minutes) != len(table.minutes):
            raise LimitError(f"chain {name}: as many steps as shares and minutes are needed")
    for row in table.rows.values():
        if row.chain not in table.chains:
            raise LimitError(f"{row.code}: no chain {row.chain}")
    if set(table.templates) != set(FollowUpTemplate):
        raise LimitError("follow_ups: one entry per template")
    if not table.windows or table.windows[-1].until_day is not None:
        raise LimitError("windows: the last one must have no end")
    if not table.by_minutes <= table.rows.keys():
        raise LimitError("by_minutes: a limit that does not exist")


def _people(steps: list[list[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(step) for step in steps)


def _template(raw: Mapping[str, list[int]]) -> Template:
    weeks = (7 * week for week in raw.get("weeks", []))
    return Template(days=tuple(chain(raw.get("days", []), weeks)), months=tuple(raw.get("months", [])))


def _limit(code: str, raw: Mapping[str, Any]) -> Limit:
    cells = {name: _amount(f"{code} {name}", cell) for name, cell in raw["cells"].items()}
    return Limit(code, raw["zh"], raw["en"], raw.get("chain", "school"), cells)


_SPANS = ("minutes", "hours", "days", "weeks")
_NAMED_ENDS = {
    "at_once": Kind.AT_ONCE,
    "school_day_end": Kind.SCHOOL_DAY_END,
    "next_school_day_end": Kind.NEXT_SCHOOL_DAY_END,
    "week_end": Kind.WEEK_END,
    "term_end": Kind.TERM_END,
}
_SAME_DAY = {"C": Kind.SAME_DAY, "W": Kind.SAME_WORKING_DAY}


def _amount(where: str, raw: Mapping[str, Any]) -> Amount:
    said = {key: value for key, value in raw.items() if key != "from"}
    if said.keys() == {"in_school_hours", "otherwise"}:
        return Amount(
            Kind.BY_SCHOOL_HOURS,
            span=_amount(where, said["in_school_hours"]).span,
            otherwise=_amount(where, said["otherwise"]).span,
        )
    if len(said) != 1:
        raise LimitError(f"{where}: one amount is needed")
    (key, value), *_ = said.items()
    if key in _NAMED_ENDS:
        return Amount(_NAMED_ENDS[key])
    if key == "same_day" and value in _SAME_DAY:
        return Amount(_SAME_DAY[value])
    if key == "working_days":
        return Amount(Kind.WORKING_DAYS, working_days=_count(where, value))
    if key in _SPANS:
        first, last = value if isinstance(value, list) else (0, value)
        return Amount(
            Kind.SPAN,
            span=timedelta(**{key: _count(where, last)}),
            opens_after=timedelta(**{key: first}),
        )
    raise LimitError(f"{where}: {key} is no kind of amount")


def _count(where: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise LimitError(f"{where}: a whole number from 1 is needed")
    return value
