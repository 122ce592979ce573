"""One press at the beginning of a call, and one for help during it."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from referral.actions import hotline, notices, tasks
from referral.models.hotline import HotlineCall
from referral.queries.hotline_window import call_just_begun
from referral.terms import TaskKind
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotPermitted, PolicyViolation
from screening.models.account import Account

# A finger that presses twice, a page that is sent again: the line rings once.
SAME_PRESS = timedelta(minutes=2)
# Somebody is waiting with an open line.
COME_WITHIN = timedelta(minutes=5)


def answer(session: Session, *, actor: Actor, hotline_id: UUID, now: datetime) -> HotlineCall:
    """Begin a call; pressed again while nothing stands in it yet, it is the same call."""
    access.check_may_at(actor, May.LOG_CALL, hotline_id)
    if actor.account_id is None:
        raise NotPermitted
    # Two presses at the same moment: the second waits and finds the call of the first.
    session.get_one(Account, actor.account_id, with_for_update=True)
    begun = call_just_begun(session, actor=actor, hotline_id=hotline_id, since=now - SAME_PRESS)
    return begun or hotline.start_call(session, actor=actor, hotline_id=hotline_id, now=now)


def call_supervisor(session: Session, *, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """A supervisor is rung to the open line. Pressed again it rings no second time until somebody has come."""
    hotline.check_open(actor, call, May.LOG_CALL)
    if call.ended_at is not None:
        raise PolicyViolation("The line is closed. A supervisor reviews the call instead.")
    if tasks.find_open(session, kind=TaskKind.CALL_SUPPORT, subject_id=call.id) is not None:
        return
    task = hotline.require(
        session, actor=actor, call=call, kind=TaskKind.CALL_SUPPORT, due_at=now + COME_WITHIN, now=now
    )
    session.flush()
    whom = [each for each in (task.owner_id, task.backup_id) if each not in (None, call.operator_id)]
    notices.ring(session, task=task, step=0, whom=[each for each in whom if each], urgent=True, now=now)
    audit.record(session, actor=actor, event=AuditEvent.CALL_SUPPORT, at=now, subject_id=call.id)


def join(session: Session, *, actor: Actor, call: HotlineCall, now: datetime) -> None:
    """我在线上: a supervisor stands beside the operator. Again is nothing."""
    hotline.check_open(actor, call, May.REVIEW_CALL)
    if actor.account_id == call.operator_id:
        raise PolicyViolation("Somebody else has to come to the line.")
    if tasks.find_open(session, kind=TaskKind.CALL_SUPPORT, subject_id=call.id) is None:
        return
    tasks.settle(
        session, actor=actor, kind=TaskKind.CALL_SUPPORT, subject_id=call.id, decision="joined", now=now
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CALL_SUPPORT,
        at=now,
        subject_id=call.id,
        detail={"decision": "joined"},
    )
