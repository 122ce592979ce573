"""The same request sent twice is done once (requirement RL3).

The key is stored in the transaction of the change, with a hash of the body and the id of what came of it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from uuid import UUID

from sqlalchemy import LargeBinary, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from screening.core.db import Base
from screening.core.errors import InvalidInput
from screening.core.types import Instant


class IdempotencyKey(Base):
    """One key of one account on one route."""

    __tablename__ = "idempotency_key"
    __table_args__ = (UniqueConstraint("account_id", "route", "key"),)

    account_id: Mapped[UUID]
    route: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(80))
    body_sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    subject_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(Instant)


def find(session: Session, *, account_id: UUID, route: str, key: str, body: bytes) -> UUID | None:
    """What an earlier request with this key made. Raises :class:`InvalidInput` for another body."""
    row = session.scalars(
        select(IdempotencyKey).where(
            IdempotencyKey.account_id == account_id, IdempotencyKey.route == route, IdempotencyKey.key == key
        )
    ).one_or_none()
    if row is None:
        return None
    if row.body_sha256 != hashlib.sha256(body).digest():
        raise InvalidInput("This idempotency key was used for another request.")
    return row.subject_id


def remember(
    session: Session, *, account_id: UUID, route: str, key: str, body: bytes, subject_id: UUID, now: datetime
) -> None:
    """Store the key with what it made, in the same transaction."""
    digest = hashlib.sha256(body).digest()
    session.add(
        IdempotencyKey(
            account_id=account_id,
            route=route,
            key=key,
            body_sha256=digest,
            subject_id=subject_id,
            created_at=now,
        )
    )
