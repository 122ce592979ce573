"""个案: open, see the child, set the tier, close when screened out."""

from __future__ import annotations

from datetime import datetime
from random import SystemRandom
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral import deadlines
from referral.actions import followups, form_drafts, tasks
from referral.models.case import Case, CaseStatusChange, TierChange
from referral.models.hotline import HandoverRecord
from referral.models.task import Task
from referral.queries.people import People
from referral.queries.shelves import OPEN_CASES
from referral.queries.signals import Signal
from referral.states import CASE_TRANSITIONS, CLOSING_FROM, check_transition
from referral.terms import CaseStatus, ClosingReason, Custody, Origin, TaskKind, Tier
from risk_model import worst_level
from screening import access
from screening.access import May, Part
from screening.core import audit, rows
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import PolicyViolation
from screening.core.form_number import new_form_number
from screening.models.child import AccessGrant, Child

_RANDOM = SystemRandom()


def find_open(session: Session, *, child_id: UUID, custody: Custody = Custody.SCHOOL) -> Case | None:
    """The open case of a child in one custody."""
    return next((case for case in OPEN_CASES.of(session, child_id) if case.custody is custody), None)


def open_from_screening(
    session: Session,
    *,
    actor: Actor,
    child: Child,
    people: People,
    signal: Signal,
    now: datetime,
    custody: Custody = Custody.SCHOOL,
) -> Case:
    """The child's open case, opened now if there is none. Its worst level follows the signal, never back."""
    case = find_open(session, child_id=child.id, custody=custody)
    if case is None:
        case = _open(session, actor, child, people, Origin.SCREENING, now, custody)
    case.worst_level = worst_level([case.worst_level, signal.level])
    return case


def raise_worry(
    session: Session,
    *,
    actor: Actor,
    child: Child,
    people: People,
    origin: Origin,
    now: datetime,
    custody: Custody = Custody.SCHOOL,
) -> Case:
    """Somebody is worried about a child: the same case, the same clocks, without any sheet.

    A worry about somebody at the school is *protected*: ``people`` are then the county's, and the case is theirs.
    """
    access.check_may(actor, May.RAISE_WORRY)
    case = find_open(session, child_id=child.id, custody=custody)
    if case is None:
        case = _open(session, actor, child, people, origin, now, custody)
    require_talk(session, actor=actor, case=case, kind=TaskKind.SECOND_ASSESSMENT, case_word="high", now=now)
    return case


def _open(
    session: Session,
    actor: Actor,
    child: Child,
    people: People,
    origin: Origin,
    now: datetime,
    custody: Custody = Custody.SCHOOL,
) -> Case:
    protected = custody is Custody.PROTECTED
    case = Case(
        case_no=new_form_number(_RANDOM),
        child_id=child.id,
        custody=custody,
        organisation_id=people.organisation_id if protected else child.organisation_id,
        origin=origin,
        status=CaseStatus.INTAKE,
        owner_id=people.owner_id,
        backup_id=people.backup_id,
        opened_at=now,
        opened_by=actor.on_behalf_of or actor.account_id,
    )
    session.add(case)
    _changed(session, actor, case, CaseStatus.INTAKE, origin.value, now)
    audit.record(
        session, actor=actor, event=AuditEvent.CASE_OPEN, at=now, child_id=child.id, subject_id=case.id
    )
    if protected:
        grant(
            session,
            actor=actor,
            child_id=child.id,
            organisation_id=case.organisation_id,
            part=Part.FILE,
            reason="protected_case",
            reason_id=case.id,
            now=now,
        )
    return case


def require_talk(
    session: Session, *, actor: Actor, case: Case, kind: TaskKind, case_word: str, now: datetime
) -> None:
    """A person has to see this child by the limit of ``case_word`` (T09), or T26 for a safety talk."""
    limit, cell = ("T26", None) if kind is TaskKind.SAFETY_TALK else ("T09", case_word)
    tasks.require(
        session,
        actor=actor,
        kind=kind,
        subject_id=talk_subject(case),
        organisation_id=case.organisation_id,
        owner_id=case.owner_id,
        backup_id=case.backup_id,
        due_at=deadlines.due(limit, cell, now, china()),
        now=now,
        clock=limit,
        child_id=case.child_id,
        case_id=case.id,
    )


TALKS = (TaskKind.SECOND_ASSESSMENT, TaskKind.SAME_DAY_TALK, TaskKind.SAFETY_TALK, TaskKind.COUNTY_ASSESSMENT)


def talk_subject(case: Case) -> UUID:
    """What a talk is about: the child; in a protected case the case itself, or its line and the school's would
    be one line and show each other (decision 42)."""
    return case.id if case.custody is Custody.PROTECTED else case.child_id


def talks_held(session: Session, *, actor: Actor, case: Case, decision: str, now: datetime) -> None:
    """The child was seen: every talk that waited for it is done."""
    for kind in TALKS:
        tasks.settle(
            session, actor=actor, kind=kind, subject_id=talk_subject(case), decision=decision, now=now
        )


def move(
    session: Session, *, actor: Actor, case: Case, to: CaseStatus, reason: str | None, now: datetime
) -> None:
    """One step of the case's machine, with its row."""
    check_transition(CASE_TRANSITIONS, case.status, to)
    case.status = to
    _changed(session, actor, case, to, reason, now)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CASE_CHANGE,
        at=now,
        child_id=case.child_id,
        subject_id=case.id,
        detail={"status": to.value},
    )


def set_tier(
    session: Session, *, actor: Actor, case: Case, tier: Tier, reason: str | None, now: datetime
) -> None:
    """关注等级, by a person. Focus and crisis ask the lead's signature as well, and so does stepping down from them."""
    access.check_may(actor, May.ASSESS)
    if actor.account_id is None:
        raise PolicyViolation("Only a person sets a tier.")
    before, case.tier = case.tier, tier
    session.add(
        TierChange(case_id=case.id, tier=tier, changed_at=now, changed_by=actor.account_id, reason=reason)
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CASE_CHANGE,
        at=now,
        child_id=case.child_id,
        subject_id=case.id,
        detail={"tier": True},
    )
    if asks_signature(before, tier):
        _ask_signature(session, actor, case, tier, now)


def asks_signature(before: Tier | None, tier: Tier) -> bool:
    """Whether a second person signs: for focus and crisis, and for the step down from them (domain guide §3.5)."""
    return not {before, tier}.isdisjoint((Tier.FOCUS, Tier.CRISIS))


def waits_for_signature(case: Case) -> bool:
    """Whether, since somebody last signed, a tier was set that asks for it."""
    tiers = [(change.tier, change.countersigned_by) for change in case.tiers]
    for place in range(len(tiers) - 1, -1, -1):
        tier, signed = tiers[place]
        if signed is not None:
            return False
        if asks_signature(tiers[place - 1][0] if place else None, tier):
            return True
    return False


def _ask_signature(session: Session, actor: Actor, case: Case, tier: Tier, now: datetime) -> None:
    limit = now if tier is Tier.CRISIS else china().closing(china().add_working_days(local_day(now), 1))
    tasks.require(
        session,
        actor=actor,
        kind=TaskKind.TIER_SIGN,
        subject_id=case.id,
        organisation_id=case.organisation_id,
        owner_id=case.backup_id or case.owner_id,
        backup_id=case.owner_id,
        due_at=limit,
        now=now,
        child_id=case.child_id,
        case_id=case.id,
    )


def countersign(session: Session, *, actor: Actor, case: Case, now: datetime) -> None:
    """The lead signs the tier that was set last, the county that of a case it keeps itself; nobody signs their own."""
    access.check_may_at(actor, May.SIGN_TIER, case.organisation_id)
    if not waits_for_signature(case):
        raise PolicyViolation("There is no tier waiting for a signature.")
    change = case.tiers[-1]
    if change.changed_by == actor.account_id:
        raise PolicyViolation("Nobody signs their own decision.")
    change.countersigned_by = actor.account_id
    tasks.settle(
        session, actor=actor, kind=TaskKind.TIER_SIGN, subject_id=case.id, decision="signed", now=now
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CASE_CHANGE,
        at=now,
        child_id=case.child_id,
        subject_id=case.id,
        detail={"signed": True},
    )


def require_report(
    session: Session, *, actor: Actor, case: Case, owner_id: UUID | None, now: datetime
) -> None:
    """强制报告 (T19): to police, civil affairs and education at once; written down within two hours."""
    tasks.require(
        session,
        actor=actor,
        kind=TaskKind.MANDATORY_REPORT,
        subject_id=case.id,
        organisation_id=case.organisation_id,
        owner_id=owner_id or case.owner_id,
        backup_id=case.backup_id,
        due_at=deadlines.due("T19_RECORD", None, now, china()),
        now=now,
        clock="T19_RECORD",
        child_id=case.child_id,
        case_id=case.id,
    )


def report_is_open(session: Session, *, case: Case) -> bool:
    """Whether a mandatory report of this case is still owed, whoever asked for it.

    Of this case only: what another custody owes about the same child would show itself by it (decision 42).
    """
    owed = select(Task.id).where(
        Task.kind == TaskKind.MANDATORY_REPORT, Task.case_id == case.id, Task.done_at.is_(None)
    )
    return session.scalars(owed.limit(1)).first() is not None


def close(session: Session, *, actor: Actor, case: Case, reason: ClosingReason, now: datetime) -> None:
    """销号 with its reason; every line still open on the case ends with it."""
    if case.status not in CLOSING_FROM[reason]:
        raise PolicyViolation("The case cannot be closed for this reason now.")
    move(session, actor=actor, case=case, to=CaseStatus.CLOSED, reason=reason.value, now=now)
    case.closed_at, case.closed_by = now, actor.account_id
    followups.cancel(session, actor=actor, case=case, reason=reason.value, now=now)
    tasks.settle_case(session, actor=actor, case_id=case.id, decision=reason.value, now=now)
    form_drafts.drop_all(session, case=case)
    # What a protected case or a hotline's handover had opened to the county closes with the case (AZ7).
    handed = session.scalars(select(HandoverRecord.id).where(HandoverRecord.case_id == case.id))
    for reason_id in (case.id, *handed):
        end_grants(session, actor=actor, reason_id=reason_id, now=now)


def grant(
    session: Session,
    *,
    actor: Actor,
    child_id: UUID,
    organisation_id: UUID,
    part: Part,
    reason: str,
    reason_id: UUID,
    now: datetime,
) -> None:
    """Open one child to one organisation while ``reason`` lives (requirement AZ7)."""
    session.add(
        AccessGrant(
            child_id=child_id,
            organisation_id=organisation_id,
            part=part.value,
            reason=reason,
            reason_id=reason_id,
            granted_at=now,
            granted_by=actor.account_id,
        )
    )
    audit.record(
        session, actor=actor, event=AuditEvent.GRANT_OPEN, at=now, child_id=child_id, subject_id=reason_id
    )


def end_grants(session: Session, *, actor: Actor, reason_id: UUID, now: datetime) -> None:
    """The reason is gone: what it opened closes with the next request."""
    for row in session.scalars(
        select(AccessGrant).where(AccessGrant.reason_id == reason_id, AccessGrant.ended_at.is_(None))
    ):
        row.ended_at = now
        audit.record(
            session,
            actor=actor,
            event=AuditEvent.GRANT_END,
            at=now,
            child_id=row.child_id,
            subject_id=reason_id,
        )


def _changed(
    session: Session, actor: Actor, case: Case, to: CaseStatus, reason: str | None, now: datetime
) -> None:
    rows.add(
        session,
        CaseStatusChange,
        case_id=case.id,
        status=to,
        changed_at=now,
        changed_by=actor.account_id,
        reason=reason,
    )
