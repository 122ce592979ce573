"""施测: one answer sheet of one child, kept as it was given."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, LargeBinary, String, UniqueConstraint, text
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

    ``source`` makes recording safe to repeat: one key per (batch, sheet, row), or per keyed sheet.
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
    )

    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    campaign_id: Mapped[UUID] = mapped_column(reference("campaign.id"))
    roster_entry_id: Mapped[UUID] = mapped_column(reference("roster_entry.id"), index=True)
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
