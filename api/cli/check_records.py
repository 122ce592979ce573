"""Promises about children, consent, campaigns and the trail: invariants 4, 9, 12, 13, 14 and parts of 16."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy import Exists, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from api.cli.findings import TODAY, Broken, Finding, finding_of, promise
from instruments import Grade
from referral.actions.referrals import CONSENT_BASIS, EMERGENCY_BASIS
from referral.models.case import Case
from referral.models.referral import Referral, ReturnNote
from referral.models.task import Task
from referral.terms import TaskKind
from screening import policies
from screening.core import audit
from screening.core.audit import AuditEvent, AuditRow, AuditSeal
from screening.core.clock import local_day
from screening.models.administration import Administration
from screening.models.campaign import Campaign, CampaignStatus, RosterEntry
from screening.models.child import Child, Enrolment
from screening.models.consent import Consent, ConsentStatus, Purpose
from screening.models.import_batch import CriticalSighting
from screening.models.organisation import Organisation

# From here on a campaign has an end, and who was not reached in it is somebody's line.
COUNTED = (CampaignStatus.SCORED, CampaignStatus.REPORTED, CampaignStatus.ARCHIVED)

TWO_PLACES = "Children who are enrolled in two places at once."
OTHER_PLACE = "Children whose school is not the one that answers for them."
GONE_PLACE = "Children whose organisation has ended."
NO_TRACE = "Things that were done without a line in the trail."
READ_UNSEEN = "Return notes that were read without a line in the trail."
GAP = "The chain of the trail has a gap."
TRAIL = "The trail was changed: the first wrong line."
NO_CONSENT = "Sheets recorded without a consent that held at that time."
NO_BASIS = "Referrals that left without a consent that held, or another named basis."
PATH = "Organisations whose path is not that of the one above: their counts do not add up."
OFF_ROLL = "Sheets of children who are not on that roll: the counts do not add up."
UNREACHED = "Children on the roll of an ended campaign, without a sheet, whom nobody follows up."
SIGHTED = "Critical answers seen in a file or a refused sheet, without a task."


@promise(4)
def children_in_two_places() -> Broken:
    """4. One organisation answers for a child at every instant: that of the one enrolment of the moment."""
    other = aliased(Enrolment)
    twice = (
        select(Enrolment.child_id)
        .join(other, and_(other.child_id == Enrolment.child_id, other.id > Enrolment.id))
        .where(
            or_(Enrolment.valid_to.is_(None), Enrolment.valid_to > other.valid_from),
            or_(other.valid_to.is_(None), other.valid_to > Enrolment.valid_from),
        )
        .distinct()
    )
    elsewhere = (
        select(Child.id)
        .join(Enrolment, Enrolment.child_id == Child.id)
        .where(Enrolment.valid_to.is_(None), Enrolment.organisation_id != Child.organisation_id)
    )
    gone = (
        select(Child.id)
        .join(Organisation, Organisation.id == Child.organisation_id)
        .where(Organisation.ended_on <= TODAY)
    )
    yield TWO_PLACES, twice
    yield OTHER_PLACE, elsewhere
    yield GONE_PLACE, gone


@promise(9)
def deeds_without_a_trace() -> Broken:
    """9. What was recorded, opened or sent, and each return note marked as read, has its line in the trail."""
    sheets = select(Administration.id).where(
        ~_traced(AuditEvent.ADMINISTRATION_RECORD, Administration.child_id, Administration.id)
    )
    cases = select(Case.id).where(~_traced(AuditEvent.CASE_OPEN, Case.child_id, Case.id))
    sent = select(Referral.id).where(
        Referral.sent_at.is_not(None), ~_traced(AuditEvent.REFERRAL_SEND, Referral.child_id, Referral.id)
    )
    seen = exists().where(
        AuditRow.child_id == Referral.child_id,
        AuditRow.account_id == ReturnNote.read_by,
        AuditRow.at == ReturnNote.read_at,
    )
    unseen = (
        select(ReturnNote.id)
        .join(Referral, Referral.id == ReturnNote.referral_id)
        .where(ReturnNote.read_at.is_not(None), ~seen)
    )
    yield NO_TRACE, sheets
    yield NO_TRACE, cases
    yield NO_TRACE, sent
    yield READ_UNSEEN, unseen


def _traced(event: AuditEvent, child_id: Any, subject_id: Any) -> Exists:
    return exists().where(
        AuditRow.child_id == child_id, AuditRow.event == event, AuditRow.subject_id == subject_id
    )


def gaps_in_the_trail(session: Session, now: datetime) -> list[Finding]:
    """9. The chain is numbered without a gap, up to its newest line."""
    highest, number = session.execute(select(func.max(AuditSeal.seq), func.count(AuditSeal.id))).one()
    if (highest or 0) == number:
        return []
    return finding_of(9, GAP, set(session.scalars(select(AuditSeal.id).where(AuditSeal.seq == highest))))


def wrong_trail(session: Session, now: datetime) -> list[Finding]:
    """9. No line of the trail was changed, removed or swapped. Walks the whole chain."""
    verdict = audit.verify(session)
    if verdict.wrong_at is None:
        return []
    wrong = set(session.scalars(select(AuditSeal.row_id).where(AuditSeal.seq == verdict.wrong_at)))
    return [Finding(9, TRAIL, 1, tuple(wrong))]


@promise(12)
def work_without_consent() -> Broken:
    """12. At the time of a sheet, and of a referral's leaving, the last answer was yes; or the basis has a name."""
    # A talk that a case asks for rests on the case: a reported worry needs no consent to screening (domain guide §3.5).
    sheets = select(Administration.id).where(
        Administration.roster_entry_id.is_not(None),
        ~_given(Purpose.SCREENING, Administration.child_id, Administration.recorded_at),
    )
    # A life in danger needs no consent (Mental Health Law art. 28); everything else names the one it used.
    consented = exists().where(
        Consent.id == Referral.consent_id,
        Consent.child_id == Referral.child_id,
        Consent.purpose == Purpose.SHARE_FACILITY,
        Consent.status == ConsentStatus.GIVEN,
    )
    held = and_(consented, _given(Purpose.SHARE_FACILITY, Referral.child_id, Referral.sent_at))
    sent = select(Referral.id).where(
        Referral.sent_at.is_not(None),
        Referral.legal_basis != EMERGENCY_BASIS,
        or_(Referral.legal_basis != CONSENT_BASIS, ~held),
    )
    yield NO_CONSENT, sheets
    yield NO_BASIS, sent


def _given(purpose: Purpose, child_id: Any, at: Any) -> Exists:
    """Whether the last answer recorded by ``at`` was yes. Answers of the same instant count for the child."""
    earlier = aliased(Consent)
    last = (
        select(func.max(earlier.recorded_at))
        .where(earlier.child_id == child_id, earlier.purpose == purpose, earlier.recorded_at <= at)
        # Left to itself it would look through everybody's rows: the child's stand two levels up.
        .correlate_except(earlier)
        .scalar_subquery()
    )
    return exists().where(
        Consent.child_id == child_id,
        Consent.purpose == purpose,
        Consent.recorded_at == last,
        Consent.status == ConsentStatus.GIVEN,
    )


@promise(13)
def places_out_of_their_tree() -> Broken:
    """13. A county is the sum of what stands below its path; each organisation stands below one above it."""
    above = aliased(Organisation)
    expected = func.coalesce(above.path, "/") + Organisation.code + "/"
    wrong = (
        select(Organisation.id)
        .outerjoin(above, above.id == Organisation.parent_id)
        .where(Organisation.path != expected)
    )
    yield PATH, wrong


@promise(14)
def sheets_off_the_roll() -> Broken:
    """14. Who has a sheet stands on the roll; absent, without an answer and refused are the rest of it."""
    wrong = (
        select(Administration.id)
        .join(RosterEntry, RosterEntry.id == Administration.roster_entry_id)
        .where(
            or_(
                RosterEntry.child_id != Administration.child_id,
                RosterEntry.campaign_id != Administration.campaign_id,
            )
        )
    )
    yield OFF_ROLL, wrong


@promise(16)
def children_not_reached() -> Broken:
    """16. When a campaign has ended, who was absent or whose guardian has not answered is somebody's line."""
    sheet = exists().where(
        Administration.child_id == RosterEntry.child_id,
        Administration.campaign_id == RosterEntry.campaign_id,
        Administration.voided_at.is_(None),
    )
    task = exists().where(
        Task.kind.in_([TaskKind.MAKE_UP, TaskKind.CONSENT_REPLY]),
        or_(
            Task.child_id == RosterEntry.child_id,
            Task.subject_id == RosterEntry.id,
            Task.subject_id == RosterEntry.campaign_id,
        ),
    )
    unreached = (
        select(RosterEntry.child_id)
        .join(Campaign, Campaign.id == RosterEntry.campaign_id)
        .where(Campaign.status.in_(COUNTED), ~sheet, ~task, ~_refused(RosterEntry.child_id))
    )
    yield UNREACHED, unreached


def _refused(child_id: Any) -> Exists:
    """Whether the last answer to screening was no: then nobody has to come back to it."""
    newest = aliased(Consent)
    last = (
        select(func.max(newest.recorded_at))
        .where(newest.child_id == child_id, newest.purpose == Purpose.SCREENING)
        .scalar_subquery()
    )
    return exists().where(
        Consent.child_id == child_id,
        Consent.purpose == Purpose.SCREENING,
        Consent.recorded_at == last,
        Consent.status.in_([ConsentStatus.REFUSED, ConsentStatus.WITHDRAWN]),
    )


@cache
def _sightings_on_no_list() -> Select[UUID, date, datetime]:
    task = exists().where(
        Task.child_id == CriticalSighting.child_id,
        or_(Task.done_at.is_(None), Task.done_at >= CriticalSighting.seen_at),
    )
    return select(CriticalSighting.id, CriticalSighting.answered_on, CriticalSighting.seen_at).where(
        CriticalSighting.adopted_by.is_(None), CriticalSighting.grade.in_([Grade.A, Grade.B, Grade.C]), ~task
    )


def sightings_without_a_task(session: Session, now: datetime) -> list[Finding]:
    """16. A critical answer that came before any sheet is somebody's line, or was decided since (decision 18)."""
    lost = {
        sighting_id
        for sighting_id, answered_on, seen_at in session.execute(_sightings_on_no_list())
        if not policies.is_history(answered_on, local_day(seen_at))
    }
    return finding_of(16, SIGHTED, lost)
