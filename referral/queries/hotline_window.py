"""What the operator's window asks beside ``referral.queries.hotline``: the call at hand, and where a line leads to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from referral.models.hotline import HandoverRecord, HotlineCall, HotlineFollowUp, KnownChildLookup
from referral.models.task import Task
from referral.queries.hotline import calls_visible_to, get_call
from referral.queries.today import tasks_visible_to
from referral.terms import TaskKind
from screening.access import May, check_may
from screening.core.actor import Actor
from screening.core.errors import NotFound

# Lines about a call that a person ends with a few words.
TICKED = frozenset({TaskKind.CALL_DEBRIEF, TaskKind.MANDATORY_REPORT})
_ABOUT_A_HANDOVER = frozenset({TaskKind.HANDOVER_ACKNOWLEDGE, TaskKind.HANDOVER_RESULT})


def call_to_save(session: Session, *, actor: Actor, call_id: UUID, now: datetime) -> HotlineCall:
    """The call to write into. One's own call on an open line is read every three seconds and is no news for the
    trail; any other reading is recorded."""
    check_may(actor, May.READ_CALLS)
    own = calls_visible_to(actor).where(
        HotlineCall.id == call_id,
        HotlineCall.operator_id == actor.account_id,
        HotlineCall.ended_at.is_(None),
    )
    call = session.scalars(own).one_or_none()
    return call if call is not None else get_call(session, actor=actor, call_id=call_id, now=now)


def call_just_begun(
    session: Session, *, actor: Actor, hotline_id: UUID, since: datetime
) -> HotlineCall | None:
    """A call this operator has begun since an instant, and in which nothing stands yet."""
    found = session.scalars(
        calls_visible_to(actor)
        .where(
            HotlineCall.organisation_id == hotline_id,
            HotlineCall.operator_id == actor.account_id,
            HotlineCall.started_at >= since,
            HotlineCall.ended_at.is_(None),
            HotlineCall.level.is_(None),
        )
        .order_by(HotlineCall.started_at.desc())
    )
    return next((call for call in found if not call.saved), None)


def last_lookup(session: Session, *, call: HotlineCall) -> KnownChildLookup | None:
    """The newest question of a call that was found through a scope."""
    return session.scalars(
        select(KnownChildLookup)
        .where(KnownChildLookup.call_id == call.id)
        .order_by(KnownChildLookup.asked_at.desc(), KnownChildLookup.id.desc())
        .limit(1)
    ).one_or_none()


def lines_of_call(session: Session, *, actor: Actor, call: HotlineCall) -> Sequence[Task]:
    """The actor's open lines about this call that end with a few words."""
    return session.scalars(
        tasks_visible_to(actor).where(
            Task.subject_id == call.id, Task.kind.in_(TICKED), Task.done_at.is_(None)
        )
    ).all()


def support_of(session: Session, *, call: HotlineCall) -> Task | None:
    """The last time somebody was called to the line of a call that was found through a scope."""
    return session.scalars(
        select(Task)
        .where(Task.subject_id == call.id, Task.kind == TaskKind.CALL_SUPPORT)
        .order_by(Task.opened_at.desc())
        .limit(1)
    ).one_or_none()


def call_of_task(session: Session, *, actor: Actor, task: Task) -> UUID:
    """The call that a line of the hotline is about, or :class:`NotFound`."""
    check_may(actor, May.READ_CALLS)
    ways = [HotlineCall.id == task.subject_id]
    if task.kind in _ABOUT_A_HANDOVER:
        ways.append(
            HotlineCall.id.in_(select(HandoverRecord.call_id).where(HandoverRecord.id == task.subject_id))
        )
    if task.kind is TaskKind.CALL_FOLLOW_UP:
        ways.append(
            HotlineCall.id.in_(select(HotlineFollowUp.call_id).where(HotlineFollowUp.id == task.subject_id))
        )
    found = session.scalars(calls_visible_to(actor).where(or_(*ways))).one_or_none()
    if found is None and task.kind is TaskKind.CALL_DISCLOSURE:
        found = _whose_number(session, actor, task)
    if found is None:
        raise NotFound
    return found.id


def _whose_number(session: Session, actor: Actor, task: Task) -> HotlineCall | None:
    """The line about a caller's number has an id made from the call's."""
    asked = calls_visible_to(actor).where(HotlineCall.phone_asked_by.is_not(None))
    return next((call for call in session.scalars(asked) if uuid5(call.id, "phone") == task.subject_id), None)
