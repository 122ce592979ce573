"""施测: one answer sheet of one child, kept as it was given."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from screening.core.db import Base
from screening.core.types import EnumText, Instant, reference


class Mode(StrEnum):
    """How the answers came in."""

    PAPER = "paper"  # 纸笔后录入
    WORKBOOK = "workbook"  # 工作簿导入
    SCREEN = "screen"  # 屏幕作答
    INTERVIEW = "interview"  # 当面询问


class SheetValidity(StrEnum):
    VALID = "valid"
    DOUBTFUL = "doubtful"
    INVALID = "invalid"


class Administration(Base):
    """``answers_sealed``: the packed int8 answers of ``instruments.AnswerSheet.packed``, sealed.

    ``source`` makes recording safe to repeat: one key per (batch, sheet, row), or per keyed sheet. A sheet belongs to
    a line of a campaign's roll, or was asked for by itself (``occasion_id``: decision 24's ``RescreenTask``).
    ``protected``: asked where somebody at the school may have harmed the child; no school reads it or is told by it.
    """

    __tablename__ = "administration"
    __table_args__ = (
        UniqueConstraint("source"),
        Index("ix_administration_campaign_child", "campaign_id", "child_id"),
        Index(
            "uq_administration_one_a_day",
            "child_id",
            "campaign_id",
            "instrument",
            "informant",
            "administered_on",
            unique=True,
            sqlite_where=text("voided_at IS NULL"),
            postgresql_where=text("voided_at IS NULL"),
        ),
        CheckConstraint(
            "(roster_entry_id IS NULL) = (campaign_id IS NULL) AND (roster_entry_id IS NULL) <> (occasion_id IS NULL)",
            "occasion",
        ),
    )

    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    campaign_id: Mapped[UUID | None] = mapped_column(reference("campaign.id"))
    roster_entry_id: Mapped[UUID | None] = mapped_column(reference("roster_entry.id"), index=True)
    occasion_id: Mapped[UUID | None]
    protected: Mapped[bool] = mapped_column(default=False, server_default=false())
    instrument: Mapped[str] = mapped_column(String(20))
    instrument_version: Mapped[str] = mapped_column(String(40))
    layout: Mapped[str] = mapped_column(String(40))
    informant: Mapped[str] = mapped_column(String(20))
    mode: Mapped[Mode] = mapped_column(EnumText(Mode))
    answers_sealed: Mapped[bytes] = mapped_column(LargeBinary)
    validity: Mapped[SheetValidity] = mapped_column(EnumText(SheetValidity))
    source: Mapped[str] = mapped_column(String(120))
    administered_on: Mapped[date]
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[UUID | None]
    voided_at: Mapped[datetime | None] = mapped_column(Instant)
    voided_by: Mapped[UUID | None]

    @property
    def answers_place(self) -> str:
        """What the sealed answers are bound to."""
        return f"administration.answers:{self.id}"
