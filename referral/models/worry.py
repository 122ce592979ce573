"""担心: somebody is worried about a child; and the school's public way to say so."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from referral.terms import Custody, Origin, WorryEnd, WorryUrgency
from screening.core.db import Base
from screening.core.types import EnumText, Instant, Sealed, reference


class WorryLink(Base):
    """One school's public address for worries, on a poster or a child's slip.

    ``digest``: SHA-256 of the secret, by which it is found. The secret itself is sealed, so that the poster can be
    printed again (as decision 45 keeps a reply code). One live link per school; a new one ends the one before.
    """

    __tablename__ = "worry_link"
    __table_args__ = (
        Index(
            "uq_worry_link_live",
            "organisation_id",
            unique=True,
            sqlite_where=text("ended_at IS NULL"),
            postgresql_where=text("ended_at IS NULL"),
        ),
        CheckConstraint("(ended_at IS NULL) = (ended_by IS NULL)", "ended"),
    )

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    secret_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime] = mapped_column(Instant)
    made_by: Mapped[UUID] = mapped_column(reference("account.id"))
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_by: Mapped[UUID | None] = mapped_column(reference("account.id"))

    secret = Sealed()


class Worry(Base):
    """What was said, by whom and how urgent; the child once a name and a class, or a person, have found one.

    ``organisation_id`` is whose list it is on: the school's, or the county's for a protected one. ``words``: name,
    class, what was seen and one line, as JSON, sealed. ``key_digest`` makes the same press twice one worry.
    """

    __tablename__ = "worry"
    __table_args__ = (
        CheckConstraint("(settled_at IS NULL) = (decision IS NULL)", "settled"),
        CheckConstraint("(child_id IS NULL) = (case_id IS NULL)", "matched"),
        Index("ix_worry_link", "link_id", "raised_at"),
    )

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    school_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    custody: Mapped[Custody] = mapped_column(EnumText(Custody))
    origin: Mapped[Origin] = mapped_column(EnumText(Origin))
    urgency: Mapped[WorryUrgency] = mapped_column(EnumText(WorryUrgency))
    key_digest: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    account_id: Mapped[UUID | None] = mapped_column(reference("account.id"))
    link_id: Mapped[UUID | None] = mapped_column(reference("worry_link.id"))
    words_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    raised_at: Mapped[datetime] = mapped_column(Instant)
    child_id: Mapped[UUID | None] = mapped_column(reference("child.id"))
    case_id: Mapped[UUID | None] = mapped_column(reference("care_case.id"), index=True)
    decision: Mapped[WorryEnd | None] = mapped_column(EnumText(WorryEnd))
    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    settled_by: Mapped[UUID | None]

    words = Sealed()
