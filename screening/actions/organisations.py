"""The area tree, duty rosters, and what a district decides."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from screening import access, policies
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import InvalidInput
from screening.models.organisation import DistrictSetting, DutyEntry, Organisation, OrganisationKind
from screening.queries.campaigns import count_open_campaigns, district_setting


def add(
    session: Session,
    *,
    actor: Actor,
    kind: OrganisationKind,
    code: str,
    name: str,
    parent: Organisation | None,
    phone: str | None,
    now: datetime,
) -> Organisation:
    """A new node below ``parent`` (a city may stand alone). ``code`` is letters, digits and dashes."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    if not code or "/" in code or not code.isascii():
        raise InvalidInput("An organisation's code is made of letters, digits and dashes.")
    if parent is None and kind is not OrganisationKind.CITY:
        raise InvalidInput("Only a city stands at the top of the tree.")
    path = f"{parent.path if parent else '/'}{code}/"
    organisation = Organisation(
        kind=kind, code=code, name=name, parent_id=parent.id if parent else None, path=path, phone=phone
    )
    session.add(organisation)
    audit.record(session, actor=actor, event=AuditEvent.ORGANISATION_SAVE, at=now, subject_id=organisation.id)
    return organisation


def put_on_duty(
    session: Session,
    *,
    actor: Actor,
    organisation: Organisation,
    account_id: UUID,
    phone: str,
    starts_at: datetime,
    ends_at: datetime,
    now: datetime,
) -> DutyEntry:
    """One line of the duty roster."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    if ends_at <= starts_at:
        raise InvalidInput("A turn of duty ends after it begins.")
    entry = DutyEntry(
        organisation_id=organisation.id,
        account_id=account_id,
        phone=phone,
        starts_at=starts_at,
        ends_at=ends_at,
    )
    session.add(entry)
    audit.record(session, actor=actor, event=AuditEvent.ORGANISATION_SAVE, at=now, subject_id=entry.id)
    return entry


def decide(
    session: Session,
    *,
    actor: Actor,
    district: Organisation,
    base_rate: float,
    release: str,
    approved_by: UUID,
    now: datetime,
) -> DistrictSetting:
    """Set base rate and release mode of a district, by two people (decisions 2 and 19)."""
    access.check_may(actor, May.SET_DISTRICT)
    # Before the first account exists the system itself sets up a district, and its one approver signs alone.
    set_by = actor.account_id or UUID(int=0)
    policies.check_base_rate_change(
        base_rate,
        set_by=set_by,
        approved_by=approved_by,
        campaigns_open=count_open_campaigns(session, district),
    )
    last = district_setting(session, district.id)
    setting = DistrictSetting(
        organisation_id=district.id,
        version=last.version + 1 if last else 1,
        base_rate=base_rate,
        release=release,
        set_by=set_by,
        approved_by=approved_by,
        set_at=now,
    )
    session.add(setting)
    audit.record(session, actor=actor, event=AuditEvent.BASE_RATE_SET, at=now, subject_id=setting.id)
    return setting
