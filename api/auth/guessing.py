"""Guessing is made slow: per account and per address (requirement AU6).

From the fifth failure on an account waits longer and longer, the tenth locks it for a quarter of an hour. A name
that nobody has is counted in the same way, so that waiting tells nothing about who exists. Neither touches a
session that is already open: nobody can be locked out of their work from outside.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from threading import Lock

from screening.core.errors import DomainError

DELAY_FROM, LOCK_FROM = 5, 10
LONGEST_DELAY = timedelta(seconds=60)
LOCK = timedelta(minutes=15)
PER_ADDRESS, WINDOW = 100, timedelta(minutes=1)
REMEMBERED = 10_000


class TooMany(DomainError):
    """Too often; says after how many seconds to come again."""

    code = "too-many"

    def __init__(
        self,
        message: str = "Too many attempts. Please wait {seconds} seconds and try again.",
        *,
        seconds: int,
    ) -> None:
        super().__init__(message, seconds=seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Count:
    """Failures in a row, and the instant before which nothing more is tried."""

    failures: int = 0
    retry_at: datetime | None = None

    def after_failure(self, now: datetime) -> Count:
        """One more. When a lock has run out the count begins anew, else one slip would lock again."""
        failures = 1 if self.failures >= LOCK_FROM else self.failures + 1
        wait = wait_after(failures)
        return Count(failures, now + wait if wait else None)

    def check(self, now: datetime) -> None:
        """Raises :class:`TooMany` before ``retry_at``."""
        if self.retry_at is not None and now < self.retry_at:
            raise TooMany(seconds=ceil((self.retry_at - now).total_seconds()))


def wait_after(failures: int) -> timedelta:
    """4, 8, 16, 32, 60 seconds after the fifth to ninth failure, 15 minutes after the tenth."""
    if failures >= LOCK_FROM:
        return LOCK
    if failures < DELAY_FROM:
        return timedelta(0)
    return min(LONGEST_DELAY, timedelta(seconds=2 ** (failures - DELAY_FROM + 2)))


class UnknownNames:
    """Counts for names that nobody has; in memory, and as keyed hashes: people type passwords here."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._counts: OrderedDict[bytes, Count] = OrderedDict()
        self._lock = Lock()

    def of(self, name: str) -> Count:
        with self._lock:
            return self._counts.get(self._mark(name), Count())

    def fail(self, name: str, now: datetime) -> None:
        with self._lock:
            mark = self._mark(name)
            self._counts[mark] = self._counts.pop(mark, Count()).after_failure(now)
            while len(self._counts) > REMEMBERED:
                self._counts.popitem(last=False)

    def _mark(self, name: str) -> bytes:
        return hmac.new(self._key, name.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


class Addresses:
    """Failures of the last minute by address. What succeeds does not count: a school is one address."""

    def __init__(self, most: int = PER_ADDRESS) -> None:
        self._most = most
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._lock = Lock()

    def check(self, address: str, now: datetime) -> None:
        """Raises :class:`TooMany`."""
        with self._lock:
            recent = self._failures.get(_neighbourhood(address))
            while recent and recent[0] <= now - WINDOW:
                recent.popleft()
            if recent and len(recent) >= self._most:
                raise TooMany(seconds=ceil((recent[0] + WINDOW - now).total_seconds()))

    def fail(self, address: str, now: datetime) -> None:
        with self._lock:
            place = _neighbourhood(address)
            self._failures.setdefault(place, deque(maxlen=self._most)).append(now)
            self._failures.move_to_end(place)
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)


def _neighbourhood(address: str) -> str:
    """An IPv6 subscriber has a whole /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((found, 64), strict=False))


def client_address(peer: str, forwarded: str | None, trusted: Sequence[str]) -> str:
    """Who really calls: ``X-Forwarded-For`` is read from the right, past proxies named in the settings only."""
    chain = [part.strip() for part in (forwarded or "").split(",") if part.strip()]
    address = peer
    while chain and _is_trusted(address, trusted):
        address = chain.pop()
    return address[:64]


def _is_trusted(address: str, trusted: Sequence[str]) -> bool:
    try:
        found = ipaddress.ip_address(address)
        return any(found in ipaddress.ip_network(each, strict=False) for each in trusted)
    except ValueError:
        return False
