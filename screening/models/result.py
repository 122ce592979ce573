"""筛查提示: what was computed from one sheet, never edited."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from instruments import Grade
from risk_model import Level
from screening.core.db import Base
from screening.core.types import EnumText, Instant, Json, reference
from screening.models.administration import Administration


class ResultStatus(StrEnum):
    """Not scored is a state of its own and never the lowest level (decision 36)."""

    SCORED = "scored"
    NOT_SCORED = "not_scored"


class ScreenResult(Base):
    """One per sheet, written when it arrives (decision 27).

    ``scores``: score id → {value, status, band, level of the band, missing}. ``probability`` with ``low`` and
    ``high`` is absent where no sheet has a row in the model's table. ``sheets`` are the ids of the
    administrations that the probability used. ``input_hash``: SHA-256 of answers, versions and base rate.
    """

    __tablename__ = "screen_result"
    __table_args__ = (
        CheckConstraint(
            "status = 'scored' OR level IS NULL OR level IN ('elevated', 'crisis_item')", "level"
        ),
        Index("ix_screen_result_child", "child_id", "computed_at"),
        Index("ix_screen_result_campaign", "campaign_id", "level"),
    )

    administration_id: Mapped[UUID] = mapped_column(reference("administration.id"), unique=True)
    child_id: Mapped[UUID] = mapped_column(reference("child.id"))
    campaign_id: Mapped[UUID | None] = mapped_column(reference("campaign.id"))
    status: Mapped[ResultStatus] = mapped_column(EnumText(ResultStatus))
    level: Mapped[Level | None] = mapped_column(EnumText(Level))
    grade: Mapped[Grade | None] = mapped_column(EnumText(Grade))
    why: Mapped[list[str]] = mapped_column(Json)
    scores: Mapped[dict[str, Any]] = mapped_column(Json)
    flags: Mapped[list[str]] = mapped_column(Json)
    over_cutoff: Mapped[bool]
    severe: Mapped[bool]
    asks_about_safety: Mapped[bool]
    probability: Mapped[float | None]
    low: Mapped[float | None]
    high: Mapped[float | None]
    r2: Mapped[float | None]
    reasons: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    base_rate: Mapped[float]
    model_version: Mapped[str] = mapped_column(String(40))
    sheets: Mapped[list[str]] = mapped_column(Json)
    history: Mapped[bool]
    input_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    computed_at: Mapped[datetime] = mapped_column(Instant)

    administration: Mapped[Administration] = relationship()
