"""Now and today. Passed to whoever needs it, so that tests fix the date."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Asia/Shanghai")


class Clock:
    """The machine's clock. ``now`` is an aware UTC instant; ``today`` the local calendar day."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def today(self) -> date:
        return self.now().astimezone(LOCAL).date()


class FixedClock(Clock):
    """A clock that stands still until it is moved: for tests and for building made-up pasts."""

    def __init__(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._at

    def set(self, at: datetime) -> None:
        self._at = at.astimezone(UTC)

    def forward(self, by: timedelta) -> None:
        self._at += by


def local_day(instant: datetime) -> date:
    """The local calendar day of an instant."""
    return instant.astimezone(LOCAL).date()


def age_on(born: date, day: date) -> int:
    """Completed years of life on ``day``. A birthday on 29 February counts on 1 March in other years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))
