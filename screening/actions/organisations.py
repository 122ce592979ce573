"""The area tree, duty rosters, and what a district decides."""

from __future__ import annotations

from datetime import datetime
from math import isclose
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from risk_model import DEFAULT_BASE_RATE
from screening import access, policies
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import Conflict, InvalidInput, NotPermitted, PolicyViolation
from screening.models.organisation import (
    DistrictSetting,
    DutyEntry,
    Organisation,
    OrganisationKind,
    may_stand_below,
)
from screening.queries.campaigns import count_open_campaigns, district_setting, newest_setting


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
    if not name.strip():
        raise InvalidInput("An organisation needs its name.")
    if session.scalars(select(Organisation.id).where(Organisation.code == code)).first() is not None:
        raise Conflict("This code is taken.")
    if parent is not None and not may_stand_below(kind, parent.kind):
        raise InvalidInput("An organisation of this kind does not stand below that one.")
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
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.DUTY_SAVE,
        at=now,
        subject_id=entry.id,
        detail={"organisation": str(organisation.id), "account": str(account_id)},
    )
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
    """Set up a district: what an operator was given in writing, with the person who approved it."""
    if not actor.is_system:
        raise NotPermitted
    set_by = UUID(int=0)  # no account: the system itself, before the first person signs in
    policies.check_base_rate_change(
        base_rate,
        set_by=set_by,
        approved_by=approved_by,
        campaigns_open=count_open_campaigns(session, district),
    )
    setting = _setting(session, actor, district, base_rate, release, set_by, now)
    setting.approved_by, setting.approved_at = approved_by, now
    return setting


def propose(
    session: Session,
    *,
    actor: Actor,
    district: Organisation,
    base_rate: float,
    release: str,
    now: datetime,
) -> DistrictSetting:
    """Write down what a second person has to sign before it is in force (decisions 2 and 19)."""
    access.check_may_at(actor, May.SET_DISTRICT, district.id)
    policies.check_base_rate(base_rate, campaigns_open=_campaigns_in_the_way(session, district, base_rate))
    if actor.account_id is None:
        raise PolicyViolation("The base rate is set by two people.")
    return _setting(session, actor, district, base_rate, release, actor.account_id, now)


def approve(
    session: Session, *, actor: Actor, district: Organisation, version: int, now: datetime
) -> DistrictSetting:
    """The second person signs the proposal they have read; whoever wrote it does not."""
    access.check_may_at(actor, May.SET_DISTRICT, district.id)
    setting = newest_setting(session, district.id)
    if setting is not None:
        session.refresh(setting, with_for_update=True)  # of two who sign at once one does (RL5)
    if setting is None or setting.approved_by is not None or setting.version != version:
        raise PolicyViolation("There is no such proposal waiting for a second person.")
    if actor.account_id is None:
        raise PolicyViolation("The base rate is set by two people.")
    policies.check_base_rate_change(
        setting.base_rate,
        set_by=setting.set_by,
        approved_by=actor.account_id,
        campaigns_open=_campaigns_in_the_way(session, district, setting.base_rate),
    )
    setting.approved_by, setting.approved_at = actor.account_id, now
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.BASE_RATE_SET,
        at=now,
        subject_id=setting.id,
        detail={"approved": True},
    )
    return setting


def _campaigns_in_the_way(session: Session, district: Organisation, base_rate: float) -> int:
    """Open campaigns forbid another base rate; how referrals leave may be decided at any time."""
    in_force = district_setting(session, district.id)
    now = in_force.base_rate if in_force else DEFAULT_BASE_RATE
    return 0 if isclose(now, base_rate) else count_open_campaigns(session, district)


def _setting(
    session: Session,
    actor: Actor,
    district: Organisation,
    base_rate: float,
    release: str,
    set_by: UUID,
    now: datetime,
) -> DistrictSetting:
    last = newest_setting(session, district.id)
    setting = DistrictSetting(
        organisation_id=district.id,
        version=last.version + 1 if last else 1,
        base_rate=base_rate,
        release=release,
        set_by=set_by,
        set_at=now,
    )
    session.add(setting)
    audit.record(session, actor=actor, event=AuditEvent.BASE_RATE_SET, at=now, subject_id=setting.id)
    return setting
