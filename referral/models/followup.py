"""随访: due, done, missed."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from referral.terms import FollowUpStatus
from screening.core.db import Base
from screening.core.types import EnumText, Instant, SealedOptional, reference


class FollowUp(Base):
    """One contact to be made in a window of days around ``due_on``. ``record`` is form F8 as JSON, sealed."""

    __tablename__ = "follow_up"
    __table_args__ = (
        UniqueConstraint("case_id", "template", "due_on"),
        Index("ix_follow_up_due", "status", "due_on"),
    )

    case_id: Mapped[UUID] = mapped_column(reference("care_case.id"))
    child_id: Mapped[UUID] = mapped_column(reference("child.id"))
    template: Mapped[str] = mapped_column(String(20))
    due_on: Mapped[date]
    window_days: Mapped[int]
    status: Mapped[FollowUpStatus] = mapped_column(EnumText(FollowUpStatus))
    done_at: Mapped[datetime | None] = mapped_column(Instant)
    done_by: Mapped[UUID | None]
    channel: Mapped[str | None] = mapped_column(String(20))
    record_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    scheduled_at: Mapped[datetime] = mapped_column(Instant)

    # A step is a compare-and-set: the row is changed only while its status is what was read (RL5).
    __mapper_args__ = {"version_id_col": status, "version_id_generator": False}  # noqa: RUF012  # read by the mapper when the class is made

    record = SealedOptional()


class FollowUpStatusChange(Base):
    __tablename__ = "follow_up_status_change"

    follow_up_id: Mapped[UUID] = mapped_column(reference("follow_up.id"), index=True)
    status: Mapped[FollowUpStatus] = mapped_column(EnumText(FollowUpStatus))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[UUID | None]
    reason: Mapped[str | None] = mapped_column(String(200))
