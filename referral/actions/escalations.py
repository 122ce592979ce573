"""What is late goes one step up; each step of each task rings once (requirement RL6).

Danger that nobody has taken rings 5, 10, 20 and 30 minutes after it was opened, and so does what is due at once;
every other task at its limit and at one and a half and twice its time. Due times are stored instants, so an outage delays a ring and never skips
or doubles it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from referral.actions import notices
from referral.actions.tasks import DANGER
from referral.models.task import Task
from referral.queries.people import People, people_of
from referral.terms import TaskKind
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import PolicyViolation
from screening.models.organisation import Organisation

PIECE = 200
MINUTES = (5, 10, 20, 30)
SHARES = (1.0, 1.5, 2.0)
HANDOVER_OF_DANGER = timedelta(hours=1)


def tick(session: Session, *, now: datetime) -> int:
    """Ring what has come due, danger first. Returns how many tasks rang; more may wait for the next tick."""
    due = session.scalars(
        select(Task)
        .where(Task.done_at.is_(None), Task.next_ring_at <= now)
        .order_by(case((Task.kind.in_(DANGER), 0), else_=1), Task.due_at)
        .limit(PIECE)
    ).all()
    for task in due:
        _ring(session, task, now)
    return len(due)


def _ring(session: Session, task: Task, now: datetime) -> None:
    step = task.step + 1
    whom = _whom(session, task, step, now)
    notices.ring(session, task=task, step=step, whom=whom, urgent=_is_danger(task), now=now)
    task.step = step
    task.next_ring_at = _next(task, step, now)
    audit.record(
        session,
        actor=Actor.system(),
        event=AuditEvent.TASK_ESCALATE,
        at=now,
        child_id=task.child_id,
        subject_id=task.id,
        detail={"step": step},
    )


def _next(task: Task, step: int, now: datetime) -> datetime | None:
    """The next rung after ``now``; rungs that an outage has run past ring once, not one after another."""
    length = task.due_at - task.opened_at
    if task.kind in DANGER or length <= timedelta():
        # What is due at once, or was late when it was asked for, has no share of its time to wait for: it steps by minutes, as danger does.
        steps = [task.opened_at + timedelta(minutes=minutes) for minutes in MINUTES]
    else:
        steps = [task.opened_at + length * share for share in SHARES]
    ahead = next((at for at in steps if at > now), None)
    # Danger keeps ringing until a person presses the button.
    return now + timedelta(minutes=10) if ahead is None and _is_danger(task) else ahead


def _is_danger(task: Task) -> bool:
    """A crisis that nobody has taken; a hotline's call of level A or B, which has minutes where C has days."""
    if task.kind is TaskKind.HANDOVER_ACKNOWLEDGE:
        return task.due_at - task.opened_at <= HANDOVER_OF_DANGER
    return task.kind in DANGER


def _whom(session: Session, task: Task, step: int, now: datetime) -> list[UUID]:
    """Owner and backup first, then one rung higher with each step."""
    own = [task.owner_id, *([task.backup_id] if task.backup_id else [])]
    people = _people(session, task, now)
    if people is None:
        return own
    above = [account for account in people.chain if account not in own]
    higher = above[max(0, step - 2) : step - 1]
    return [*people.duty[:1], *own, *higher] if task.kind in DANGER else [*own, *higher]


def _people(session: Session, task: Task, now: datetime) -> People | None:
    try:
        return people_of(session, organisation=session.get_one(Organisation, task.organisation_id), now=now)
    except PolicyViolation:
        return None  # a facility's task: nobody of the school chain stands there
