"""危机处置: an episode and the steps recorded in it, in any order."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String, false, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from referral.terms import CrisisStep, StepResult
from screening.core.db import Base
from screening.core.types import EnumText, Instant, SealedOptional, reference


class CrisisEpisode(Base):
    """One open episode per case. ``trigger`` is a code (screening, hotline …), never an answer."""

    __tablename__ = "crisis_episode"
    __table_args__ = (
        Index(
            "uq_crisis_episode_open",
            "case_id",
            unique=True,
            sqlite_where=text("stood_down_at IS NULL"),
            postgresql_where=text("stood_down_at IS NULL"),
        ),
    )

    episode_no: Mapped[str] = mapped_column(String(20), unique=True)
    case_id: Mapped[UUID] = mapped_column(reference("care_case.id"))
    child_id: Mapped[UUID] = mapped_column(reference("child.id"))
    trigger: Mapped[str] = mapped_column(String(40))
    trigger_id: Mapped[UUID | None]
    opened_at: Mapped[datetime] = mapped_column(Instant)
    opened_by: Mapped[UUID | None]
    taken_by: Mapped[UUID | None] = mapped_column(reference("account.id"))
    taken_at: Mapped[datetime | None] = mapped_column(Instant)
    # The first of the two who end it; whoever took it counts as one as well.
    proposed_by: Mapped[UUID | None]
    proposed_at: Mapped[datetime | None] = mapped_column(Instant)
    stood_down_at: Mapped[datetime | None] = mapped_column(Instant)
    stood_down_by: Mapped[UUID | None]
    review_meeting_on: Mapped[date | None]
    # Somebody has said that a mandatory report has to be made; its line says whether it was.
    report_needed: Mapped[bool] = mapped_column(default=False, server_default=false())

    steps: Mapped[list[CrisisStepRecord]] = relationship(order_by="CrisisStepRecord.recorded_at")


class CrisisStepRecord(Base):
    """One step: when it happened, when it was written down, by whom, with what result."""

    __tablename__ = "crisis_step_record"

    episode_id: Mapped[UUID] = mapped_column(reference("crisis_episode.id"), index=True)
    step: Mapped[CrisisStep] = mapped_column(EnumText(CrisisStep))
    result: Mapped[StepResult] = mapped_column(EnumText(StepResult))
    happened_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[UUID | None]
    place: Mapped[str | None] = mapped_column(String(20))
    remark_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)

    remark = SealedOptional()
