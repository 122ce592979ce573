"""What the facility does with a referral: receive, accept, decline, ask, give a time, say who came."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from referral import deadlines
from referral.actions import cases
from referral.actions.referral_steps import ask_facility, ask_school, check_facility, move, settle
from referral.models.case import Case
from referral.models.referral import Referral
from referral.policies import check_answerable
from referral.terms import DeclineReason, ReferralStatus, TaskKind
from screening.core.actor import Actor
from screening.core.calendar import china
from screening.core.clock import local_day
from screening.core.errors import InvalidInput


def receive(session: Session, *, actor: Actor, referral: Referral, now: datetime) -> None:
    """Opened in the facility's inbox. Opening again is nothing."""
    check_facility(actor, referral)
    if referral.status in (ReferralStatus.SENT, ReferralStatus.EXPIRED_NO_ANSWER):
        move(session, actor, referral, ReferralStatus.RECEIVED, None, None, now)


def accept(
    session: Session, *, actor: Actor, case: Case, referral: Referral, contact: str | None, now: datetime
) -> None:
    """接诊: somebody there has it; the first appointment has its own clock (T13)."""
    check_facility(actor, referral)
    receive(session, actor=actor, referral=referral, now=now)
    move(session, actor, referral, ReferralStatus.ACCEPTED, None, contact, now)
    settle(session, actor, TaskKind.REFERRAL_ANSWER, referral, "accepted", now)
    due = deadlines.due("T13", referral.urgency, now, china())
    ask_facility(session, actor, case, TaskKind.APPOINTMENT, referral, due, "T13", now)


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
    receive(session, actor=actor, referral=referral, now=now)
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
    """预约, or a new time for it."""
    check_facility(actor, referral)
    if at <= now:
        raise InvalidInput("The appointment lies in the past.")
    move(session, actor, referral, ReferralStatus.SCHEDULED, None, None, now)
    referral.appointment_at, referral.appointment_place = at, place
    settle(session, actor, TaskKind.APPOINTMENT, referral, "scheduled", now)
    evening = at.replace(hour=12, minute=0) if at.hour < 12 else at + timedelta(hours=2)
    ask_facility(session, actor, case, TaskKind.ATTENDANCE_CHECK, referral, evening, None, now)


def attended(session: Session, *, actor: Actor, case: Case, referral: Referral, now: datetime) -> None:
    """已到诊: the return note has its clock (T15)."""
    check_facility(actor, referral)
    move(session, actor, referral, ReferralStatus.ATTENDED, None, None, now)
    settle(session, actor, TaskKind.ATTENDANCE_CHECK, referral, "attended", now)
    due = deadlines.due("T15", referral.urgency, now, china())
    ask_facility(session, actor, case, TaskKind.RETURN_NOTE, referral, due, "T15", now)
