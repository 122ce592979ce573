"""What the facility does with a referral: receive, accept, decline, ask, give a time, say who came."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral import deadlines
from referral.actions import cases, notices
from referral.actions.referral_steps import (
    ask_answer,
    ask_facility,
    ask_school,
    check_facility,
    end_lines,
    move,
    settle,
    status_row,
    tell_facility,
)
from referral.models.case import Case
from referral.models.referral import Referral
from referral.policies import check_answerable
from referral.states import REFERRAL_TRANSITIONS
from referral.terms import DeclineReason, NoShowReason, ReferralStatus, TaskKind, Tier, Urgency
from screening import access
from screening.access import May
from screening.core.actor import Actor
from screening.core.calendar import china
from screening.core.clock import LOCAL, local_day
from screening.core.errors import InvalidInput, PolicyViolation


def receive(session: Session, *, actor: Actor, referral: Referral, now: datetime) -> None:
    """Opened in the facility's inbox. Opening again is nothing; opened late, it has its time to answer once more."""
    check_facility(actor, referral)
    if referral.status is ReferralStatus.SENT:
        move(session, actor, referral, ReferralStatus.RECEIVED, None, None, now)
    elif referral.status is ReferralStatus.EXPIRED_NO_ANSWER:
        move(session, actor, referral, ReferralStatus.RECEIVED, "late", None, now)
        # Else the clock that has run out would end it again with the next tick.
        referral.answer_due_at = deadlines.due("T12", referral.urgency, now, china())
        settle(session, actor, TaskKind.REFERRAL_REROUTE, referral, "received_late", now)
        ask_answer(session, actor, session.get_one(Case, referral.case_id), referral, now)


def _take_up(session: Session, actor: Actor, referral: Referral, now: datetime) -> None:
    """An answer begins: also a late one, and one that no longer waits for what was asked."""
    receive(session, actor=actor, referral=referral, now=now)
    if referral.status is ReferralStatus.INFO_REQUESTED:
        referral.paused_at = None
        settle(session, actor, TaskKind.REFERRAL_UPDATE, referral, "answered_anyway", now)
        move(session, actor, referral, ReferralStatus.RECEIVED, None, None, now)


def accept(
    session: Session, *, actor: Actor, case: Case, referral: Referral, contact: str | None, now: datetime
) -> None:
    """接诊: somebody there has it; the first appointment has its own clock (T13)."""
    _take_up(session, actor, referral, now)
    move(session, actor, referral, ReferralStatus.ACCEPTED, None, contact, now)
    for kind in (TaskKind.REFERRAL_ANSWER, TaskKind.REFERRAL_REROUTE):
        settle(session, actor, kind, referral, "accepted", now)
    _first_wins(session, actor, referral, now)
    due = deadlines.due("T13", referral.urgency, now, china())
    ask_facility(session, actor, case, TaskKind.APPOINTMENT, referral, due, "T13", now)


def pass_on(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    referral: Referral,
    to_place: str,
    escort: str,
    now: datetime,
) -> None:
    """接诊并护送转往: what stands in the place of declining an emergency. It has the child until the child is there."""
    if not to_place.strip() or not escort.strip():
        raise InvalidInput("Say where the child is taken and who goes along.")
    accept(session, actor=actor, case=case, referral=referral, contact=None, now=now)
    referral.appointment_place = f"{to_place.strip()} · {escort.strip()}"
    status_row(
        session, actor, referral, ReferralStatus.ACCEPTED, "passed_on", referral.appointment_place, now
    )
    task = ask_school(
        session, actor, case, TaskKind.REFERRAL_UPDATE, referral.id, now + CONFIRM_ARRIVAL, None, now
    )
    notices.ring(session, task=task, step=0, whom=[case.owner_id], urgent=True, now=now)


# After so long the school asks whether the child has arrived where it was taken.
CONFIRM_ARRIVAL = timedelta(hours=2)


def decline(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    referral: Referral,
    reason: DeclineReason,
    better_place: str,
    now: datetime,
) -> None:
    """拒接, with a reason and a better place (or "none"). An emergency cannot be declined (精神卫生法 28)."""
    check_facility(actor, referral)
    check_answerable(referral.urgency, declining=True, better_place=better_place)
    _take_up(session, actor, referral, now)
    move(session, actor, referral, ReferralStatus.DECLINED, reason.value, better_place, now)
    settle(session, actor, TaskKind.REFERRAL_ANSWER, referral, "declined", now)
    cases.end_grants(session, actor=actor, reason_id=referral.id, now=now)
    due = china().closing(china().add_working_days(local_day(now), 1))
    ask_school(session, actor, case, TaskKind.REFERRAL_REROUTE, referral.id, due, None, now)


def schedule(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    referral: Referral,
    at: datetime,
    place: str,
    now: datetime,
) -> None:
    """预约, or a new time for it; a time that was given may be moved by either side, and moves are counted.

    On the facility's behalf it may also be one that is told afterwards.
    """
    if referral.status is ReferralStatus.SCHEDULED and access.may(actor, May.SEND_REFERRAL):
        access.check_may_about(actor, May.SEND_REFERRAL, case.organisation_id)
    else:
        check_facility(actor, referral)
    afterwards = at <= now
    if afterwards and actor.source_id is None:
        raise InvalidInput("The appointment lies in the past.")
    moved = "moved" if referral.status is ReferralStatus.SCHEDULED else None
    reason = "told_afterwards" if afterwards else moved
    move(session, actor, referral, ReferralStatus.SCHEDULED, reason, None, now)
    referral.appointment_at, referral.appointment_place = at, place
    settle(session, actor, TaskKind.APPOINTMENT, referral, "scheduled", now)
    # A moved appointment is asked about on its own evening, not on the one before.
    settle(session, actor, TaskKind.ATTENDANCE_CHECK, referral, "moved", now)
    # On the evening of that day: when the office closes, and not before the visit can be over.
    evening = max(china().closing(local_day(at)), at + timedelta(hours=2))
    ask_facility(session, actor, case, TaskKind.ATTENDANCE_CHECK, referral, evening, None, now)


def attended(session: Session, *, actor: Actor, case: Case, referral: Referral, now: datetime) -> None:
    """已到诊: the return note has its clock (T15)."""
    check_facility(actor, referral)
    move(session, actor, referral, ReferralStatus.ATTENDED, None, None, now)
    settle(session, actor, TaskKind.ATTENDANCE_CHECK, referral, "attended", now)
    due = deadlines.due("T15", referral.urgency, now, china())
    ask_facility(session, actor, case, TaskKind.RETURN_NOTE, referral, due, "T15", now)


def _first_wins(session: Session, actor: Actor, referral: Referral, now: datetime) -> None:
    """Two facilities were asked because the first was silent: the one that accepts has the child (§5.3)."""
    others = session.scalars(
        select(Referral).where(
            Referral.case_id == referral.case_id, Referral.id != referral.id, Referral.ended_at.is_(None)
        )
    ).all()
    system = Actor.system(on_behalf_of=actor.account_id)
    for other in others:
        if ReferralStatus.WITHDRAWN not in REFERRAL_TRANSITIONS[other.status]:
            continue  # the child has been there: nobody takes that back
        move(session, system, other, ReferralStatus.WITHDRAWN, "another_accepted", None, now)
        cases.end_grants(session, actor=system, reason_id=other.id, now=now)
        end_lines(session, system, other, "another_accepted", now)
        tell_facility(session, system, other, now)


def ask_more(
    session: Session, *, actor: Actor, case: Case, referral: Referral, question: str, now: datetime
) -> None:
    """The facility needs to know more; its clock stands still, for at most two working days."""
    check_facility(actor, referral)
    if not question.strip():
        raise InvalidInput("Say what is needed.")
    if referral.status is not ReferralStatus.INFO_REQUESTED:
        _take_up(session, actor, referral, now)
    move(session, actor, referral, ReferralStatus.INFO_REQUESTED, None, question.strip(), now)
    referral.paused_at = now
    for kind in (TaskKind.REFERRAL_ANSWER, TaskKind.REFERRAL_REROUTE):
        settle(session, actor, kind, referral, "asked", now)
    due = china().closing(china().add_working_days(local_day(now), PAUSE_DAYS))
    ask_school(session, actor, case, TaskKind.REFERRAL_UPDATE, referral.id, due, None, now)


PAUSE_DAYS = 2


def tell_more(
    session: Session, *, actor: Actor, case: Case, referral: Referral, answer: str, now: datetime
) -> None:
    """The school has answered; the facility's clock goes on where it stood."""
    access.check_may(actor, May.SEND_REFERRAL)
    if not answer.strip():
        raise InvalidInput("Say what is needed.")
    if referral.status is not ReferralStatus.INFO_REQUESTED:
        # From sent or expired the machine leads to received as well, but only by the facility's own press.
        raise PolicyViolation("The facility has not asked anything.")
    move(session, actor, referral, ReferralStatus.RECEIVED, None, answer.strip(), now)
    settle(session, actor, TaskKind.REFERRAL_UPDATE, referral, "told", now)
    resume(session, actor=actor, case=case, referral=referral, now=now)


def resume(session: Session, *, actor: Actor, case: Case, referral: Referral, now: datetime) -> None:
    """Give the facility back the time it waited, and put the answer on its list again."""
    if referral.paused_at is None or referral.answer_due_at is None:
        return
    paused, due = referral.paused_at, referral.answer_due_at
    if referral.urgency is Urgency.EMERGENCY:
        referral.answer_due_at = due + (now - paused)
    else:  # its limit is in working days: what it waited is counted in working hours too
        referral.answer_due_at = china().add_working_time(due, china().working_time(paused, now))
    referral.paused_at = None
    ask_answer(session, actor, case, referral, now)


def no_show(
    session: Session, *, actor: Actor, case: Case, referral: Referral, reason: NoShowReason, now: datetime
) -> None:
    """未到: somebody contacts the family (T14); the second time a conference sits, in a crisis it is a home visit."""
    check_facility(actor, referral)
    move(session, actor, referral, ReferralStatus.NO_SHOW, reason.value, None, now)
    referral.no_shows += 1
    settle(session, actor, TaskKind.ATTENDANCE_CHECK, referral, "no_show", now)
    due = deadlines.due("T14", referral.urgency, now, china())
    ask_school(session, actor, case, TaskKind.NO_SHOW_CONTACT, referral.id, due, "T14", now)
    if referral.no_shows >= CONFERENCE_FROM:
        meeting = china().closing(china().add_working_days(local_day(now), 5))
        ask_school(session, actor, case, TaskKind.CASE_CONFERENCE, case.id, meeting, None, now)
    if referral.urgency is Urgency.EMERGENCY or case.tier is Tier.CRISIS:
        # Nobody waits for the next appointment: somebody stands at the door today.
        task = ask_school(session, actor, case, TaskKind.HOME_VISIT, referral.id, _today(now), None, now)
        notices.ring(session, task=task, step=0, whom=[case.owner_id, *_backup(case)], urgent=True, now=now)


CONFERENCE_FROM = 2


def _today(now: datetime) -> datetime:
    """The end of the local day."""
    return datetime.combine(local_day(now), time(23, 59), LOCAL)


def _backup(case: Case) -> list[UUID]:
    return [case.backup_id] if case.backup_id else []


def take_into_care(session: Session, *, actor: Actor, referral: Referral, now: datetime) -> None:
    """诊疗中: care has begun, the return note is still to come."""
    check_facility(actor, referral)
    move(session, actor, referral, ReferralStatus.IN_CARE, None, None, now)
