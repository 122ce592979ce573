"""筛查任务与名册."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from screening.core.db import Base
from screening.core.types import EnumText, Instant, Json, reference
from screening.models.child import Child


class CampaignStatus(StrEnum):
    DRAFT = "draft"
    ANNOUNCED = "announced"
    OPEN = "open"
    CLOSING = "closing"
    SCORED = "scored"
    REPORTED = "reported"
    ARCHIVED = "archived"
    CANCELLED = "cancelled"


CAMPAIGN_TRANSITIONS: dict[CampaignStatus, frozenset[CampaignStatus]] = {
    CampaignStatus.DRAFT: frozenset({CampaignStatus.ANNOUNCED, CampaignStatus.CANCELLED}),
    CampaignStatus.ANNOUNCED: frozenset({CampaignStatus.OPEN, CampaignStatus.CANCELLED}),
    CampaignStatus.OPEN: frozenset({CampaignStatus.CLOSING, CampaignStatus.CANCELLED}),
    CampaignStatus.CLOSING: frozenset({CampaignStatus.SCORED, CampaignStatus.CANCELLED}),
    CampaignStatus.SCORED: frozenset({CampaignStatus.REPORTED}),
    CampaignStatus.REPORTED: frozenset({CampaignStatus.ARCHIVED}),
    CampaignStatus.ARCHIVED: frozenset(),
    CampaignStatus.CANCELLED: frozenset(),
}


class Campaign(Base):
    """One screening of one school. ``base_rate`` is frozen when it opens (decision 19).

    ``informants``: who answers which sheet, where a sheet has several. ``grades``: the school years asked (1 to 12), null where nobody has said: then those of the children on its roll
    or in the school count. ``without_safety_by``: the lead who signed that a secondary school is asked nothing about
    safety, and when.
    """

    __tablename__ = "campaign"

    organisation_id: Mapped[UUID] = mapped_column(reference("organisation.id"), index=True)
    title: Mapped[str] = mapped_column(String(120))
    status: Mapped[CampaignStatus] = mapped_column(EnumText(CampaignStatus))
    instruments: Mapped[list[str]] = mapped_column(Json)
    consent_version: Mapped[str] = mapped_column(String(40))
    opens_on: Mapped[date]
    closes_on: Mapped[date]
    base_rate: Mapped[float]
    grades: Mapped[list[int] | None] = mapped_column(Json)
    informants: Mapped[dict[str, str] | None] = mapped_column(Json)
    without_safety_by: Mapped[UUID | None]
    without_safety_at: Mapped[datetime | None] = mapped_column(Instant)
    owner_id: Mapped[UUID] = mapped_column(reference("account.id"))
    version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[UUID | None]

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012  # read by the mapper when the class is made


class CampaignStatusChange(Base):
    """Who moved a campaign, when and why."""

    __tablename__ = "campaign_status_change"

    campaign_id: Mapped[UUID] = mapped_column(reference("campaign.id"), index=True)
    status: Mapped[CampaignStatus] = mapped_column(EnumText(CampaignStatus))
    changed_at: Mapped[datetime] = mapped_column(Instant)
    changed_by: Mapped[UUID | None]
    reason: Mapped[str | None] = mapped_column(String(200))


class RosterEntry(Base):
    """One child on the roll of one campaign."""

    __tablename__ = "roster_entry"
    __table_args__ = (UniqueConstraint("campaign_id", "child_id"),)

    campaign_id: Mapped[UUID] = mapped_column(reference("campaign.id"))
    child_id: Mapped[UUID] = mapped_column(reference("child.id"), index=True)
    added_at: Mapped[datetime] = mapped_column(Instant)

    campaign: Mapped[Campaign] = relationship()
    child: Mapped[Child] = relationship()
