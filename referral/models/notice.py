"""通知: what was sent to whom by which channel, and whether it arrived. Only a person's press counts as told."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from screening.core.db import Base
from screening.core.types import EnumText, Instant, reference


class Channel(StrEnum):
    PAGE = "page"  # the open page, with sound for danger
    WEBHOOK = "webhook"  # the district's signed gateway
    EMAIL = "email"  # SMTP


class Delivery(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"


class Notice(Base):
    """``text`` for outside says only that something waits, with a number: no name, no content (§4)."""

    __tablename__ = "notice"
    __table_args__ = (Index("ix_notice_account", "account_id", "seen_at"),)

    account_id: Mapped[UUID] = mapped_column(reference("account.id"))
    task_id: Mapped[UUID | None] = mapped_column(reference("task.id"), index=True)
    channel: Mapped[Channel] = mapped_column(EnumText(Channel))
    urgent: Mapped[bool] = mapped_column(default=False)
    number: Mapped[str] = mapped_column(String(20))
    delivery: Mapped[Delivery] = mapped_column(EnumText(Delivery))
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Instant)
    delivered_at: Mapped[datetime | None] = mapped_column(Instant)
    seen_at: Mapped[datetime | None] = mapped_column(Instant)
