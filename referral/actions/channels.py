"""What district and facility agree: how referrals leave, until when, how many a week (decision 2), and what a facility takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from referral.models.referral import ChannelAgreement, Facility
from referral.policies import check_release_agreed
from referral.queries.channels import live_agreements
from referral.terms import ReleaseMode
from screening import access
from screening.access import May
from screening.actions import organisations
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import InvalidInput, PolicyViolation
from screening.models.organisation import DistrictSetting, Organisation, OrganisationKind
from screening.queries.campaigns import newest_setting

LONGEST = timedelta(days=2 * 366)
MOST_A_WEEK, OLDEST = 1000, 30


def propose_setting(
    session: Session,
    *,
    actor: Actor,
    district: Organisation,
    base_rate: float,
    release: ReleaseMode,
    now: datetime,
) -> DistrictSetting:
    """Base rate and release, for a second person to sign. What leaves unseen needs an agreement on record."""
    _check_release(session, district, release, now)
    return organisations.propose(
        session, actor=actor, district=district, base_rate=base_rate, release=release.value, now=now
    )


def approve_setting(
    session: Session, *, actor: Actor, district: Organisation, version: int, now: datetime
) -> DistrictSetting:
    """The second signature; the agreement has to stand on this day too."""
    proposal = newest_setting(session, district.id)
    if proposal is not None and proposal.version == version:
        _check_release(session, district, ReleaseMode(proposal.release), now)
    return organisations.approve(session, actor=actor, district=district, version=version, now=now)


def _check_release(session: Session, district: Organisation, release: ReleaseMode, now: datetime) -> None:
    agreed = live_agreements(session, organisation=district, today=local_day(now))
    check_release_agreed(release, frozenset(ReleaseMode(each.release) for each in agreed))


def agree(
    session: Session,
    *,
    actor: Actor,
    district: Organisation,
    facility: Organisation,
    release: ReleaseMode,
    weekly_limit: int,
    agreed_by: str,
    valid_to: date,
    now: datetime,
) -> ChannelAgreement:
    """Put on record what was agreed with a facility, from today. The newest one that is valid holds."""
    access.check_may_at(actor, May.SET_DISTRICT, district.id)
    today = local_day(now)
    if facility.kind is not OrganisationKind.FACILITY:
        raise PolicyViolation("An agreement is made with a facility.")
    if not agreed_by.strip():
        raise InvalidInput("Say who agreed for the facility.")
    if not today <= valid_to <= today + LONGEST:
        raise InvalidInput("An agreement ends on a later day, within two years.")
    if not 0 <= weekly_limit <= MOST_A_WEEK:
        raise InvalidInput("The number lies between 0 and {most}.", most=MOST_A_WEEK)
    if release is ReleaseMode.AT_ONCE and weekly_limit == 0:
        raise InvalidInput("Say how many a week may leave at once.")
    agreement = ChannelAgreement(
        district_id=district.id,
        facility_id=facility.id,
        release=release.value,
        weekly_limit=weekly_limit,
        agreed_by=agreed_by.strip(),
        valid_from=today,
        valid_to=valid_to,
        recorded_at=_after_the_last(session, district, facility, now),
        recorded_by=actor.account_id,
    )
    session.add(agreement)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CHANNEL_SAVE,
        at=now,
        subject_id=agreement.id,
        detail={"facility": str(facility.id), "release": release.value, "weekly": weekly_limit},
    )
    return agreement


def _after_the_last(
    session: Session, district: Organisation, facility: Organisation, now: datetime
) -> datetime:
    """The newest agreement holds, so two of one instant must not be: the later press is the later one."""
    last = session.scalar(
        select(func.max(ChannelAgreement.recorded_at)).where(
            ChannelAgreement.district_id == district.id, ChannelAgreement.facility_id == facility.id
        )
    )
    return now if last is None or last < now else last + timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class FacilityIn:
    """What a facility takes. Emergencies cannot be refused by law and are not asked here."""

    department: str
    contact_name: str
    contact_phone: str
    age_min: int
    age_max: int


def save_facility(
    session: Session,
    *,
    actor: Actor,
    organisation: Organisation,
    values: FacilityIn,
    now: datetime,
) -> Facility:
    """Whom to reach at a facility and for which ages; a new one opens no places before its lead has said how many."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    if organisation.kind is not OrganisationKind.FACILITY:
        raise PolicyViolation("This organisation is not a facility.")
    if not values.department.strip():
        raise InvalidInput("Say which department receives the children.")
    if not 0 <= values.age_min <= values.age_max <= OLDEST:
        raise InvalidInput("The ages go from the younger to the older.")
    facility = session.scalars(
        select(Facility).where(Facility.organisation_id == organisation.id)
    ).one_or_none()
    if facility is None:
        facility = Facility(organisation_id=organisation.id, weekly_slots=0, triage_per_week=0)
        session.add(facility)
    facility.department = values.department.strip()
    facility.contact_name = values.contact_name.strip() or None
    facility.contact_phone = values.contact_phone.strip() or None
    facility.age_min, facility.age_max = values.age_min, values.age_max
    _recorded(session, actor, facility, now)
    return facility


def open_places(
    session: Session,
    *,
    actor: Actor,
    facility: Facility,
    weekly_slots: int,
    triage_per_week: int,
    now: datetime,
) -> None:
    """How many first visits a week, and how many triage requests of children nobody has seen (decision 2, step 3)."""
    access.check_may_at(actor, May.SET_FACILITY, facility.organisation_id)
    if not (0 <= weekly_slots <= MOST_A_WEEK and 0 <= triage_per_week <= MOST_A_WEEK):
        raise InvalidInput("The number lies between 0 and {most}.", most=MOST_A_WEEK)
    facility.weekly_slots, facility.triage_per_week = weekly_slots, triage_per_week
    _recorded(session, actor, facility, now)


def _recorded(session: Session, actor: Actor, facility: Facility, now: datetime) -> None:
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.FACILITY_SAVE,
        at=now,
        subject_id=facility.organisation_id,
        detail={"slots": facility.weekly_slots, "triage": facility.triage_per_week},
    )
