"""What is late, by number, for those above the school; agreements and open places. No name, no content."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field

from api.v1.schemas.common import Answer, Body, Count, Day, Id, OneOf
from referral.models.referral import ChannelAgreement, Facility
from referral.queries.oversight import Overdue, Silent
from referral.terms import ReferralStatus, ReleaseMode, TaskKind, Urgency


class OverdueOut(Answer):
    task_id: UUID
    number: str
    kind: TaskKind
    place: str
    due_at: datetime

    @classmethod
    def of(cls, line: Overdue) -> Self:
        return cls(
            task_id=line.task_id, number=line.number, kind=line.kind, place=line.place, due_at=line.due_at
        )


class SilentOut(Answer):
    form_no: str
    facility: str
    urgency: Urgency
    status: ReferralStatus
    due_at: datetime

    @classmethod
    def of(cls, line: Silent) -> Self:
        return cls(
            form_no=line.form_no,
            facility=line.facility,
            urgency=line.urgency,
            status=line.status,
            due_at=line.due_at,
        )


class AgreementIn(Body):
    facility_id: Id
    release: OneOf[ReleaseMode]
    weekly_limit: Count
    agreed_by: Annotated[str, Field(min_length=1, max_length=120)]
    valid_to: Day


class AgreementOut(Answer):
    facility_id: UUID
    district_id: UUID
    release: ReleaseMode
    weekly_limit: int
    agreed_by: str
    valid_from: date
    valid_to: date

    @classmethod
    def of(cls, agreement: ChannelAgreement) -> Self:
        return cls(
            facility_id=agreement.facility_id,
            district_id=agreement.district_id,
            release=ReleaseMode(agreement.release),
            weekly_limit=agreement.weekly_limit,
            agreed_by=agreement.agreed_by,
            valid_from=agreement.valid_from,
            valid_to=agreement.valid_to,
        )


class FacilityOut(Answer):
    organisation_id: UUID
    department: str
    age_min: int
    age_max: int
    weekly_slots: int
    triage_per_week: int

    @classmethod
    def of(cls, facility: Facility) -> Self:
        return cls(
            organisation_id=facility.organisation_id,
            department=facility.department,
            age_min=facility.age_min,
            age_max=facility.age_max,
            weekly_slots=facility.weekly_slots,
            triage_per_week=facility.triage_per_week,
        )
