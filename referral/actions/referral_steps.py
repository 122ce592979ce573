"""What every step of a referral does: move the machine, ask somebody, settle what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.actions import notices, tasks
from referral.models.case import Case
from referral.models.referral import Referral, ReferralStatusChange
from referral.models.reply import ReferralReply
from referral.models.task import Task
from referral.queries.people import facility_people
from referral.states import REFERRAL_OPEN, REFERRAL_TRANSITIONS, check_transition
from referral.terms import ReferralStatus, ReplyResult, TaskKind, Urgency
from screening import access
from screening.access import May
from screening.core import audit, rows
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import PolicyViolation


def check_facility(actor: Actor, referral: Referral) -> None:
    """Only the facility the referral was sent to answers it."""
    if referral.facility_id is None:
        raise PolicyViolation("The referral has no facility yet. Choose one first.")
    access.check_may_at(actor, May.ANSWER_REFERRAL, referral.facility_id)


def move(
    session: Session,
    actor: Actor,
    referral: Referral,
    to: ReferralStatus,
    reason: str | None,
    remark: str | None,
    now: datetime,
) -> None:
    """One step of the machine: checked, stored, with its row and its trail."""
    check_transition(REFERRAL_TRANSITIONS, referral.status, to)
    referral.status = to
    if to not in REFERRAL_OPEN:
        referral.ended_at = now
    elif referral.ended_at is not None and not _another_is_open(session, referral):
        referral.ended_at = None
        session.flush()  # what asks the database for the open referral finds it again
    status_row(session, actor, referral, to, reason, remark, now)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.REFERRAL_CHANGE,
        at=now,
        child_id=referral.child_id,
        subject_id=referral.id,
        detail={"status": to.value},
    )


def _another_is_open(session: Session, referral: Referral) -> bool:
    """A further note to a finished referral is read beside the one that goes on, and does not take its place."""
    others = select(Referral.id).where(
        Referral.case_id == referral.case_id, Referral.id != referral.id, Referral.ended_at.is_(None)
    )
    return session.scalars(others.limit(1)).first() is not None


def status_row(
    session: Session,
    actor: Actor,
    referral: Referral,
    to: ReferralStatus,
    reason: str | None,
    remark: str | None,
    now: datetime,
) -> None:
    """The row of a step: who, when, why."""
    rows.add(
        session,
        ReferralStatusChange,
        referral_id=referral.id,
        status=to,
        changed_at=now,
        changed_by=actor.account_id,
        reason=reason,
        remark=remark,
        reply_id=actor.source_id,
    )


def ask_school(
    session: Session,
    actor: Actor,
    case: Case,
    kind: TaskKind,
    subject_id: UUID,
    due_at: datetime,
    clock: str | None,
    now: datetime,
) -> Task:
    """A line on the list of the case's owner."""
    return tasks.require(
        session,
        actor=actor,
        kind=kind,
        subject_id=subject_id,
        organisation_id=case.organisation_id,
        owner_id=case.owner_id,
        backup_id=case.backup_id,
        due_at=due_at,
        now=now,
        clock=clock,
        child_id=case.child_id,
        case_id=case.id,
    )


def ask_facility(
    session: Session,
    actor: Actor,
    case: Case,
    kind: TaskKind,
    referral: Referral,
    due_at: datetime,
    clock: str | None,
    now: datetime,
) -> None:
    """A line on the list of whoever answers at the facility; of the case's owner where nobody there signs in."""
    facility_id = referral.facility_id or case.organisation_id
    here = actor.account_id if any(g.organisation_id == facility_id for g in actor.grants) else None
    people = [here] if here else facility_people(session, facility_id=facility_id, now=now)
    tasks.require(
        session,
        actor=actor,
        kind=kind,
        subject_id=referral.id,
        organisation_id=facility_id,
        owner_id=people[0] if people else case.owner_id,
        backup_id=case.backup_id,
        due_at=due_at,
        now=now,
        clock=clock,
        child_id=case.child_id,
        case_id=case.id,
    )


def settle(
    session: Session, actor: Actor, kind: TaskKind, referral: Referral, decision: str, now: datetime
) -> None:
    """What a line about this referral asked for has happened."""
    tasks.settle(session, actor=actor, kind=kind, subject_id=referral.id, decision=decision, now=now)


def end_lines(session: Session, actor: Actor, referral: Referral, decision: str, now: datetime) -> None:
    """The referral has ended: nobody is asked for anything about it any more. A missing offer stays one."""
    kinds = session.scalars(
        select(Task.kind).where(
            Task.subject_id == referral.id,
            Task.done_at.is_(None),
            Task.kind.not_in([TaskKind.SERVICE_GAP, TaskKind.REFERRAL_ENDED]),
        )
    ).all()
    for kind in kinds:
        settle(session, actor, kind, referral, decision, now)
    # An unverified reply to it has nothing left to change, and would wait for nobody.
    for reply in _waiting_replies(session, referral):
        reply.settled_at, reply.settled_by = now, actor.account_id
        reply.result = ReplyResult.SET_ASIDE


def _waiting_replies(session: Session, referral: Referral) -> Sequence[ReferralReply]:
    waiting = select(ReferralReply).where(
        ReferralReply.referral_id == referral.id, ReferralReply.settled_at.is_(None)
    )
    return session.scalars(waiting).all()


def check_no_reply_waits(session: Session, referral: Referral) -> None:
    """Before a loop is closed. Raises :class:`PolicyViolation`."""
    if _waiting_replies(session, referral):
        raise PolicyViolation(
            "A reply without an account still waits. Call the facility and confirm it, or set it aside."
        )


def tell_facility(session: Session, actor: Actor, referral: Referral, now: datetime) -> None:
    """The referral was taken back after it had been sent: whoever received it is told so, without a name."""
    if referral.sent_at is None or referral.facility_id is None:
        return
    people = facility_people(session, facility_id=referral.facility_id, now=now)
    if not people:
        return
    task = tasks.require(
        session,
        actor=actor,
        kind=TaskKind.REFERRAL_ENDED,
        subject_id=referral.id,
        organisation_id=referral.facility_id,
        owner_id=people[0],
        backup_id=people[1] if len(people) > 1 else None,
        due_at=china().closing(china().next_working_day(local_day(now))),
        now=now,
        reason=referral.form_no,
    )
    notices.ring(session, task=task, step=0, whom=people[:2], urgent=False, now=now)


def ask_answer(session: Session, actor: Actor, case: Case, referral: Referral, now: datetime) -> None:
    """The facility's list: answer by its clock. One without anybody in the system is phoned by the school (代录)."""
    facility_id = referral.facility_id or case.organisation_id
    people = facility_people(session, facility_id=facility_id, now=now)
    task = tasks.require(
        session,
        actor=actor,
        kind=TaskKind.REFERRAL_ANSWER,
        subject_id=referral.id,
        organisation_id=facility_id,
        owner_id=people[0] if people else case.owner_id,
        backup_id=people[1] if len(people) > 1 else case.backup_id,
        due_at=referral.answer_due_at or now,
        now=now,
        clock="T12",
        child_id=case.child_id,
        case_id=case.id,
    )
    urgent = referral.urgency is Urgency.EMERGENCY
    notices.ring(session, task=task, step=0, whom=people[:2], urgent=urgent, now=now)
