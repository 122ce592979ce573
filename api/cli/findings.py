"""What a look at one promise gives: ids of the things that break it, and how many there are."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

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


def finding(session: Session, invariant: int, message: str, broken: Select[UUID]) -> list[Finding]:
    """The finding for a statement that gives the ids of what is broken; empty when it gives none."""
    count = session.scalar(select(func.count()).select_from(broken.subquery())) or 0
    if not count:
        return []
    return [Finding(invariant, message, count, tuple(session.scalars(broken.limit(SHOWN_IDS)).all()))]


def finding_of(invariant: int, message: str, broken: Collection[UUID]) -> list[Finding]:
    """The same for ids that are known already."""
    return [Finding(invariant, message, len(broken), tuple(sorted(broken)[:SHOWN_IDS]))] if broken else []
