"""Campaigns, their rolls and their progress."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from api.v1.schemas.children import ChildLine, Code
from api.v1.schemas.common import Answer, Body, Day, Id, Line, OneOf
from screening.models.campaign import Campaign, CampaignStatus, RosterEntry
from screening.queries.campaigns import Progress

Grade = Annotated[int, Field(ge=1, le=12)]


class CampaignIn(Body):
    organisation_id: Id
    title: Annotated[Line, Field(max_length=120)]
    instruments: Annotated[list[Code], Field(min_length=1, max_length=30)]
    consent_version: Code
    opens_on: Day
    closes_on: Day
    # Years of school, 1 to 12; without them those of the children on the roll or in the school.
    grades: Annotated[list[Grade], Field(min_length=1, max_length=12)] | None = None
    # Who answers which sheet, by code, where a sheet has several.
    informants: Annotated[dict[Code, Code], Field(max_length=30)] | None = None


class SignatureIn(Body):
    reason: Annotated[Line, Field(max_length=200)]


class StepIn(Body):
    to: OneOf[CampaignStatus]
    reason: Line | None = None


class CampaignOut(Answer):
    id: UUID
    organisation_id: UUID
    title: str
    status: CampaignStatus
    instruments: list[str]
    consent_version: str
    opens_on: date
    closes_on: date
    base_rate: float
    grades: list[int] | None
    informants: dict[str, str] | None
    without_safety_at: datetime | None

    @classmethod
    def of(cls, campaign: Campaign) -> Self:
        return cls(
            id=campaign.id,
            organisation_id=campaign.organisation_id,
            title=campaign.title,
            status=campaign.status,
            instruments=list(campaign.instruments),
            consent_version=campaign.consent_version,
            opens_on=campaign.opens_on,
            closes_on=campaign.closes_on,
            base_rate=campaign.base_rate,
            grades=campaign.grades,
            informants=campaign.informants,
            without_safety_at=campaign.without_safety_at,
        )


class EntryOut(Answer):
    """One line of the roll, with the sheets that are there; nothing of what they say."""

    id: UUID
    child: ChildLine
    sheets: list[str]

    @classmethod
    def of(cls, entry: RosterEntry, sheets: dict[UUID, list[str]], today: date, locale: str) -> Self:
        return cls(
            id=entry.id, child=ChildLine.of(entry.child, today, locale), sheets=sheets.get(entry.id, [])
        )


class RosterOut(Answer):
    items: list[EntryOut]
    next: UUID | None


class ProgressOut(Answer):
    """Children, but for ``sheets``: stored sheets by questionnaire."""

    on_roll: int
    with_sheet: int
    sheets: dict[str, int]
    not_scored: int
    without_consent: int
    absent: int

    @classmethod
    def of(cls, progress: Progress) -> Self:
        return cls(
            on_roll=progress.on_roll,
            with_sheet=progress.with_sheet,
            sheets=progress.sheets,
            not_scored=progress.not_scored,
            without_consent=progress.without_consent,
            absent=progress.absent,
        )
