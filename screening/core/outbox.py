"""Work for outside the transaction: published with the change, claimed by a worker, done once in effect.

The claim commits by itself, so that an attempt counts even when the handler kills the process; the handler and
``finish`` share one transaction. After the last attempt a message stays, visible and owned (requirement RL15).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Index, String, case, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from screening.core import rows
from screening.core.db import Base
from screening.core.types import Instant, Json

MAX_ATTEMPTS = 8
LEASE = timedelta(seconds=60)


class OutboxMessage(Base):
    """One piece of work. ``payload`` holds ids only; ``purpose`` is unique, so that publishing twice is once."""

    __tablename__ = "outbox_message"
    __table_args__ = (Index("ix_outbox_message_ready", "finished_at", "available_at"),)

    topic: Mapped[str] = mapped_column(String(60))
    payload: Mapped[dict[str, Any]] = mapped_column(Json)
    purpose: Mapped[str] = mapped_column(String(160), unique=True)
    urgent: Mapped[bool] = mapped_column(default=False)
    published_at: Mapped[datetime] = mapped_column(Instant)
    available_at: Mapped[datetime] = mapped_column(Instant)
    claimed_until: Mapped[datetime | None] = mapped_column(Instant)
    claim: Mapped[UUID | None] = mapped_column(index=True)
    attempts: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None] = mapped_column(Instant)
    dead_at: Mapped[datetime | None] = mapped_column(Instant)
    last_error: Mapped[str | None] = mapped_column(String(80))


def publish(
    session: Session,
    *,
    topic: str,
    payload: dict[str, Any],
    purpose: str,
    now: datetime,
    urgent: bool = False,
) -> UUID:
    """Add a message to this transaction; its id. ``payload`` values are ids as text or numbers."""
    return rows.add(
        session,
        OutboxMessage,
        topic=topic,
        payload=payload,
        purpose=purpose,
        urgent=urgent,
        published_at=now,
        available_at=now,
    )


def claim(session: Session, *, now: datetime, topics: frozenset[str] | None = None) -> OutboxMessage | None:
    """Take the next ready message, urgent ones first, and count the attempt. The caller commits at once."""
    ready = (
        select(OutboxMessage.id)
        .where(
            OutboxMessage.finished_at.is_(None),
            OutboxMessage.dead_at.is_(None),
            OutboxMessage.available_at <= now,
            or_(OutboxMessage.claimed_until.is_(None), OutboxMessage.claimed_until < now),
        )
        .order_by(case((OutboxMessage.urgent, 0), else_=1), OutboxMessage.available_at, OutboxMessage.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if topics is not None:
        ready = ready.where(OutboxMessage.topic.in_(topics))
    token = uuid4()
    taken = session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == ready.scalar_subquery())
        .values(claim=token, claimed_until=now + LEASE, attempts=OutboxMessage.attempts + 1)
        .execution_options(synchronize_session=False)
    )
    if taken.rowcount == 0:  # type: ignore[attr-defined]  # a CursorResult: this is an UPDATE
        return None
    return session.scalars(select(OutboxMessage).where(OutboxMessage.claim == token)).one()


def finish(session: Session, message_id: UUID, *, now: datetime) -> None:
    """The work is done; in the transaction of its effect."""
    session.execute(
        update(OutboxMessage)
        .where(OutboxMessage.id == message_id)
        .values(finished_at=now, claimed_until=None, claim=None, last_error=None)
    )


def put_back(session: Session, message_id: UUID, *, now: datetime, error: str) -> bool:
    """Try again later: 2, 4, 8 … s, at most 5 min. After the last attempt it is dead and shown: ``True``."""
    message = session.get_one(OutboxMessage, message_id)
    message.claimed_until, message.claim, message.last_error = None, None, error[:80]
    if message.attempts >= MAX_ATTEMPTS:
        message.dead_at = now
        return True
    message.available_at = now + timedelta(seconds=min(300, 2**message.attempts))
    return False


def count_waiting(session: Session) -> int:
    """How many messages are neither finished nor dead."""
    statement = select(func.count()).where(
        OutboxMessage.finished_at.is_(None), OutboxMessage.dead_at.is_(None)
    )
    return session.scalar(statement) or 0


# Nothing waits so long while a worker lives: notices take seconds, the largest file minutes.
STUCK = timedelta(hours=1)


def count_given_up(session: Session) -> int:
    """How many messages nobody tries any more; they stay until an operator has looked (RL15)."""
    return session.scalar(select(func.count()).where(OutboxMessage.dead_at.is_not(None))) or 0


def count_stuck(session: Session, *, now: datetime) -> int:
    """How many have been ready for longer than :data:`STUCK`: the worker is dead (RL6)."""
    statement = select(func.count()).where(
        OutboxMessage.finished_at.is_(None),
        OutboxMessage.dead_at.is_(None),
        OutboxMessage.available_at < now - STUCK,
    )
    return session.scalar(statement) or 0
