"""The same request sent twice is done once and answered once (requirement RL3).

The key is stored in the transaction of the change, with a hash of what was sent and with the answer. An answer may
hold what a person reads about a child, so its body is sealed; it is thrown away after :data:`KEPT`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import LargeBinary, String, UniqueConstraint, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from screening.core.db import Base
from screening.core.errors import Conflict, InvalidInput
from screening.core.types import Instant, Json, SealedOptional

# Longer than the promised day: somebody who presses again the next morning is still answered.
KEPT = timedelta(hours=48)


class IdempotencyKey(Base):
    """One key of one account on one route, and what was answered to it."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("account_id", "route", "key"),)

    account_id: Mapped[UUID]
    route: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(80))
    body_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int]
    headers: Mapped[dict[str, str]] = mapped_column(Json)
    answer_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(Instant, index=True)

    answer = SealedOptional()


@dataclass(frozen=True, slots=True)
class Press:
    """One request that may come twice: whose, where, under which key, and the hash of what it says."""

    account_id: UUID
    route: str
    key: str
    body_sha256: bytes

    @property
    def number(self) -> int:
        """For the lock that a press holds while it runs."""
        said = f"{self.account_id}\n{self.route}\n{self.key}".encode()
        return int.from_bytes(hashlib.sha256(said).digest()[:8], "big", signed=True)


class UsedForAnother(InvalidInput):
    """The key belongs to a request that said something else."""

    code = "key-used"

    def __init__(
        self, message: str = "This idempotency key was used for another request.", **params: object
    ) -> None:
        super().__init__(message, **params)


def hold(session: Session, press: Press, *, wait: bool) -> None:
    """Keep the same press out until this transaction ends. Without ``wait`` :class:`Conflict` when it runs already.

    SQLite has one writer: whoever is here is alone.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    if wait:
        session.execute(select(func.pg_advisory_xact_lock(press.number)))
    elif not session.scalar(select(func.pg_try_advisory_xact_lock(press.number))):
        raise Conflict("The same request is being worked on at this moment. Please try again.")


def find(session: Session, press: Press) -> IdempotencyKey | None:
    """What was answered to this very press before. Raises :class:`UsedForAnother` when it said something else."""
    row = session.scalars(
        select(IdempotencyKey).where(
            IdempotencyKey.account_id == press.account_id,
            IdempotencyKey.route == press.route,
            IdempotencyKey.key == press.key,
        )
    ).one_or_none()
    if row is not None and row.body_sha256 != press.body_sha256:
        raise UsedForAnother
    return row


def remember(
    session: Session, press: Press, *, status: int, headers: dict[str, str], answer: str, now: datetime
) -> None:
    """Store what is answered, in the transaction of the change."""
    session.add(
        IdempotencyKey(
            account_id=press.account_id,
            route=press.route,
            key=press.key,
            body_sha256=press.body_sha256,
            status=status,
            headers=headers,
            answer=answer or None,
            created_at=now,
        )
    )


def forget(session: Session, now: datetime) -> None:
    """Throw away what is older than :data:`KEPT`."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at < now - KEPT))
