"""What models learn from beside return notes: checks of children drawn by lot, and a person's own impression."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from referral.terms import Finding
from screening.core.db import Base
from screening.core.types import EnumText, Instant, Json, reference


class CheckDraw(Base):
    """抽签. One week of one county. With ``seed`` and the pool of that moment it can be drawn again.

    ``shares``: per school, what one unit of a child's size was worth, so that the chance of every child who was in
    the pool can be told later, drawn or not (``risk_model.labels``).
    """

    __tablename__ = "check_draw"
    __table_args__ = (UniqueConstraint("county_id", "week_on"),)

    county_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    week_on: Mapped[date]
    places: Mapped[int]
    pool: Mapped[int]
    seed: Mapped[int] = mapped_column(BigInteger)
    shares: Mapped[dict[str, Any]] = mapped_column(Json)
    drawn_at: Mapped[datetime] = mapped_column(Instant)


class RandomCheck(Base):
    """随机核查. A child nobody referred, drawn by lot and asked to talk with somebody of the county.

    ``chance``: of being drawn that week, as it was. ``finding`` is empty until somebody has held it; a child who
    declines is *refused* and counts as missing. ``blinded``: whoever held it had not seen scores or level.
    """

    __tablename__ = "random_check"
    __table_args__ = (
        UniqueConstraint("draw_id", "school_id"),
        CheckConstraint("(finding IS NULL) = (recorded_at IS NULL)", "recorded"),
        CheckConstraint("0 < chance AND chance <= 1", "chance"),
    )

    draw_id: Mapped[UUID] = mapped_column(reference("check_draw.id"))
    county_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    school_id: Mapped[UUID] = mapped_column(reference("organisation.id"))
    child_id: Mapped[UUID] = mapped_column(reference("child.id"), unique=True)
    result_id: Mapped[UUID] = mapped_column(reference("screen_result.id"))
    chance: Mapped[float]
    finding: Mapped[Finding | None] = mapped_column(EnumText(Finding))
    held_on: Mapped[date | None]
    method: Mapped[str | None] = mapped_column(String(80))
    blinded: Mapped[bool | None]
    recorded_at: Mapped[datetime | None] = mapped_column(Instant)
    recorded_by: Mapped[UUID | None] = mapped_column(reference("account.id"))


class Concern(Base):
    """担心程度. How worried a person is, 0 to 3, written down before the scores were shown; once and not changed.

    ``value`` is empty where somebody looked at the scores first: that impression is no longer one of its own.
    """

    __tablename__ = "concern"
    __table_args__ = (
        Index("ix_concern_child", "child_id", "recorded_at"),
        UniqueConstraint("case_id", "recorded_by"),
        CheckConstraint("value IS NULL OR (0 <= value AND value <= 3)", "value"),
    )

    case_id: Mapped[UUID] = mapped_column(reference("care_case.id"))
    child_id: Mapped[UUID] = mapped_column(reference("child.id"))
    value: Mapped[int | None]
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[UUID] = mapped_column(reference("account.id"))
