"""What a facility without an account says: the note's codes, the facility's own code, and each reply."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from referral.terms import ReplyKind, ReplyResult, ReplySource
from screening.core.db import Base
from screening.core.types import EnumText, Instant, SealedOptional, reference


class ReplyCode(Base):
    """The two codes of one sent note, as blind indexes (decision 45). Good until the referral ends.

    Wrong tries of the typed code are counted here, and those of the facility's own code beside it: each stands
    still on its own, so that somebody who guesses closes neither the QR nor the other way.
    """

    __tablename__ = "reply_code"

    referral_id: Mapped[UUID] = mapped_column(reference("referral.id"), unique=True)
    token_index: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    code_index: Mapped[bytes] = mapped_column(LargeBinary(32))
    made_at: Mapped[datetime] = mapped_column(Instant)
    code_failures: Mapped[int] = mapped_column(default=0)
    code_blocked_until: Mapped[datetime | None] = mapped_column(Instant)
    facility_failures: Mapped[int] = mapped_column(default=0)
    facility_blocked_until: Mapped[datetime | None] = mapped_column(Instant)


class FacilityCode(Base):
    """A facility's own code, as an argon2 hash: one is current, former ones stay with their end."""

    __tablename__ = "facility_code"
    __table_args__ = (
        Index(
            "uq_facility_code_current",
            "facility_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    facility_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    code_hash: Mapped[str] = mapped_column(String(200))
    valid_to: Mapped[date]
    set_at: Mapped[datetime] = mapped_column(Instant)
    set_by: Mapped[UUID | None]
    ended_at: Mapped[datetime | None] = mapped_column(Instant)


class ReferralReply(Base):
    """What a facility said without signing in: by the note's code, on paper, or on the telephone.

    By the code it waits, unverified, until the school has called the facility's registered number (decision 21);
    ``said`` is what will then be carried out (JSON, sealed). Typed in by the school it is carried out at once.
    ``with_whom``: who was spoken to, or what the paper was.
    """

    __tablename__ = "referral_reply"
    __table_args__ = (
        Index(
            "uq_referral_reply_waiting",
            "referral_id",
            "kind",
            unique=True,
            sqlite_where=text("settled_at IS NULL"),
            postgresql_where=text("settled_at IS NULL"),
        ),
        CheckConstraint("(settled_at IS NULL) = (result IS NULL)", "settled"),
    )

    referral_id: Mapped[UUID] = mapped_column(reference("referral.id"), index=True)
    kind: Mapped[ReplyKind] = mapped_column(EnumText(ReplyKind))
    source: Mapped[ReplySource] = mapped_column(EnumText(ReplySource))
    said_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    arrived_at: Mapped[datetime] = mapped_column(Instant)
    typed_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    result: Mapped[ReplyResult | None] = mapped_column(EnumText(ReplyResult))
    with_whom_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)

    said = SealedOptional()
    with_whom = SealedOptional()
