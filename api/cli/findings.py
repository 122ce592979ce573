"""What a look at one promise gives: ids of the things that break it, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, wraps
from typing import Any
from uuid import UUID

from sqlalchemy import BindParameter, Select, bindparam, func, select
from sqlalchemy.orm import Session

from screening.core.clock import local_day

SHOWN_IDS = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise. ``message`` is a catalogue id without placeholders; ``ids`` are the first of ``count``."""

    invariant: int
    message: str
    count: int
    ids: tuple[UUID, ...]


Look = Callable[[Session, datetime], list[Finding]]


@dataclass(frozen=True, slots=True)
class Invariant:
    """One promise: its number in the list, its words, and what looks at it.

    ``deep`` are looks that open every stored file or walk the whole trail. ``remark`` says what cannot be looked at
    yet, or what else keeps the promise; both texts are catalogue ids.
    """

    number: int
    promise: str
    looks: tuple[Look, ...]
    deep: tuple[Look, ...] = ()
    remark: str | None = None


Broken = Iterator[tuple[str, Select[UUID]]]
"""The words of each finding, and the statement that gives the ids of what is broken."""

NOW: BindParameter[Any] = bindparam("now")
TODAY: BindParameter[Any] = bindparam("today")
_DISTANCES: dict[str, timedelta] = {}


def ago(distance: timedelta) -> BindParameter[Any]:
    """The instant ``distance`` before the look; below zero, after it."""
    name = f"ago_{int(distance.total_seconds())}".replace("-", "in_")
    _DISTANCES[name] = distance
    return bindparam(name)


def moments(now: datetime) -> dict[str, Any]:
    """What ``NOW``, ``TODAY`` and every :func:`ago` stand for in a look at ``now``."""
    return {
        "now": now,
        "today": local_day(now),
        **{name: now - distance for name, distance in _DISTANCES.items()},
    }


def promise(invariant: int) -> Callable[[Callable[[], Broken]], Look]:
    """A look that needs nothing but statements. They are built once: building takes as long as asking."""

    def made(build: Callable[[], Broken]) -> Look:
        @cache
        def statements() -> tuple[tuple[str, Select[int], Select[UUID]], ...]:
            return tuple(
                (message, select(func.count()).select_from(broken.subquery()), broken.limit(SHOWN_IDS))
                for message, broken in build()
            )

        @wraps(build)
        def look(session: Session, now: datetime) -> list[Finding]:
            found = []
            for message, counted, shown in statements():
                at = moments(now)
                if count := session.scalar(counted, at):
                    found.append(Finding(invariant, message, count, tuple(session.scalars(shown, at))))
            return found

        return look

    return made


def finding_of(invariant: int, message: str, broken: Collection[UUID]) -> list[Finding]:
    """The finding for ids that are known already; empty when there are none."""
    return [Finding(invariant, message, len(broken), tuple(sorted(broken)[:SHOWN_IDS]))] if broken else []
