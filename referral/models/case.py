"""个案: one episode from opening to closing, with its histories."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referral.terms import CaseStatus, Custody, Origin, Tier
from risk_model import Level
from screening.core.db import Base
from screening.core.types import EnumText, Instant, SealedOptional, reference
from screening.models.child import Child


class Case(Base):
    """``status`` repeats the last status row, so that a step can be a compare-and-set (RL5).

    ``worst_level`` is the worst screen result seen in this episode; it never falls back by itself (decision 27).
    """

    __tablename__ = "care_case"
    __table_args__ = (
        Index(
            "uq_care_case_open",
            "child_id",
            "custody",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
        CheckConstraint("(closed_at IS NULL) = (closed_by IS NULL)", "closed"),
    )

    case_no: Mapped[str] = mapped_column(String(20), unique=True)
    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    custody: Mapped[Custody] = mapped_column(EnumText(Custody))
    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    origin: Mapped[Origin] = mapped_column(EnumText(Origin))
    status: Mapped[CaseStatus] = mapped_column(EnumText(CaseStatus))
    tier: Mapped[Tier | None] = mapped_column(EnumText(Tier))
    worst_level: Mapped[Level | None] = mapped_column(EnumText(Level))
    owner_id: Mapped[UUID] = mapped_column(reference("account.id"))
    backup_id: Mapped[UUID | None] = mapped_column(reference("account.id"))
    version: Mapped[int] = mapped_column(default=1)
    opened_at: Mapped[datetime] = mapped_column(Instant)
    opened_by: Mapped[UUID | None]
    closed_at: Mapped[datetime | None] = mapped_column(Instant)
    closed_by: Mapped[UUID | None]

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  # read by the mapper when the class is made

    child: Mapped[Child] = relationship()
    history: Mapped[list[CaseStatusChange]] = relationship(order_by="CaseStatusChange.changed_at")
    tiers: Mapped[list[TierChange]] = relationship(order_by="TierChange.changed_at")


class CaseStatusChange(Base):
    __tablename__ = "case_status_change"

    case_id: Mapped[UUID] = mapped_column(reference("care_case.id"), index=True)
    status: Mapped[CaseStatus] = mapped_column(EnumText(CaseStatus))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[UUID | None]
    reason: Mapped[str | None] = mapped_column(String(200))


class TierChange(Base):
    """A person set the tier. No machine ever writes here (decision 2)."""

    __tablename__ = "tier_change"

    case_id: Mapped[UUID] = mapped_column(reference("care_case.id"), index=True)
    tier: Mapped[Tier] = mapped_column(EnumText(Tier))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[UUID] = mapped_column(reference("account.id"))
    countersigned_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    reason_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)

    reason = SealedOptional()


class SafetyTalk(Base):
    """安全面谈: the ASQ was asked face to face. The answers are a sheet; here stands how it was asked.

    ``alone``: nobody else was in the room. ``remark``: what the child said about it, sealed.
    """

    __tablename__ = "safety_talk"

    case_id: Mapped[UUID] = mapped_column(reference("care_case.id"), index=True)
    child_id: Mapped[UUID] = mapped_column(reference("child.id"))
    administration_id: Mapped[UUID] = mapped_column(reference("administration.id"), unique=True)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[UUID] = mapped_column(reference("account.id"))
    alone: Mapped[bool]
    remark_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)

    remark = SealedOptional()


class Assessment(Base):
    """复评: a trained person has seen or phoned the child. ``record`` is form F4 as JSON, sealed."""

    __tablename__ = "assessment"

    case_id: Mapped[UUID] = mapped_column(reference("care_case.id"), index=True)
    child_id: Mapped[UUID] = mapped_column(reference("child.id"))
    held_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[UUID] = mapped_column(reference("account.id"))
    channel: Mapped[str] = mapped_column(String(20))
    concern: Mapped[int | None]
    tier: Mapped[Tier | None] = mapped_column(EnumText(Tier))
    screened_out: Mapped[bool] = mapped_column(default=False)
    record_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)

    record = SealedOptional()
