"""待办: open, tighten, finish. One open line per kind and subject; a second reason only tightens its clock."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.actions import rungs
from referral.models.task import Task
from referral.queries.shelves import OPEN_TASKS
from referral.terms import TaskKind
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotPermitted, PolicyViolation


def require(
    session: Session,
    *,
    actor: Actor,
    kind: TaskKind,
    subject_id: UUID,
    organisation_id: UUID,
    owner_id: UUID,
    backup_id: UUID | None,
    due_at: datetime,
    now: datetime,
    clock: str | None = None,
    child_id: UUID | None = None,
    case_id: UUID | None = None,
    reason: str | None = None,
) -> Task:
    """The open task of this kind and subject; opened now, or due no later than ``due_at`` from now on."""
    task = find_open(session, kind=kind, subject_id=subject_id)
    if task is None:
        task = Task(
            kind=kind,
            subject_id=subject_id,
            organisation_id=organisation_id,
            child_id=child_id,
            case_id=case_id,
            owner_id=owner_id,
            backup_id=backup_id,
            clock=clock,
            opened_at=now,
            due_at=due_at,
            next_ring_at=rungs.first_ring(kind, clock, now, due_at),
            reason=reason,
        )
        session.add(task)
        audit.record(
            session,
            actor=actor,
            event=AuditEvent.TASK_OPEN,
            at=now,
            child_id=child_id,
            subject_id=task.id,
            detail={"kind": kind.value},
        )
        return task
    if due_at < task.due_at:
        task.due_at, task.clock = due_at, clock
        task.next_ring_at = rungs.first_ring(kind, clock, now, due_at)
    if task.case_id is None:
        task.case_id = case_id
    return task


def find_open(session: Session, *, kind: TaskKind, subject_id: UUID) -> Task | None:
    """The open task of one kind about one thing."""
    return next((task for task in OPEN_TASKS.of(session, subject_id) if task.kind is kind), None)


def settle(
    session: Session, *, actor: Actor, kind: TaskKind, subject_id: UUID, decision: str, now: datetime
) -> None:
    """Finish the open task of this kind and subject, if there is one: what it asked for has happened."""
    task = find_open(session, kind=kind, subject_id=subject_id)
    if task is not None:
        _finish(session, actor, task, decision, None, now)


def settle_case(session: Session, *, actor: Actor, case_id: UUID, decision: str, now: datetime) -> None:
    """Finish everything open on a case: it ends here."""
    for task in session.scalars(select(Task).where(Task.case_id == case_id, Task.done_at.is_(None))):
        _finish(session, actor, task, decision, None, now)


# These end only by the event they wait for, never by a tick on a list.
BY_EVENT = frozenset(
    {
        TaskKind.CRISIS_ACKNOWLEDGE,
        TaskKind.SECOND_ASSESSMENT,
        TaskKind.COUNTY_ASSESSMENT,
        TaskKind.SAME_DAY_TALK,
        TaskKind.SAFETY_TALK,
        TaskKind.REFERRAL_SEND,
        TaskKind.REFERRAL_ANSWER,
        TaskKind.RETURN_NOTE,
        TaskKind.RETURN_NOTE_READ,
        TaskKind.REPLY_VERIFY,
        TaskKind.PLAN_CONFIRM,
        TaskKind.PLAN_REVIEW,
        TaskKind.FOLLOWUP,
        TaskKind.NOTE_OVERDUE,
        TaskKind.CALL_FINISH,
        TaskKind.CALL_REVIEW,
        TaskKind.CALL_DISCLOSURE,
        TaskKind.CALL_FOLLOW_UP,
        TaskKind.CALL_SUPPORT,
        TaskKind.HANDOVER_ACKNOWLEDGE,
        TaskKind.HANDOVER_RESULT,
        TaskKind.WORRY_NOW,
        TaskKind.WORRY_MATCH,
        TaskKind.RANDOM_CHECK,
    }
)


def finish(
    session: Session, *, actor: Actor, task: Task, decision: str, reason: str | None, now: datetime
) -> None:
    """A person decides a task from the list. Raises when it is not theirs, or ends only by its event."""
    if actor.account_id not in (task.owner_id, task.backup_id):
        raise NotPermitted
    if task.kind in BY_EVENT:
        raise PolicyViolation("This line ends by doing it on the case, not by ticking it off.")
    session.refresh(task, with_for_update=True)  # of many who press at once the second reads who did (RL5)
    if task.done_at is not None:
        raise PolicyViolation("This has already been done.")
    if not (reason or "").strip():
        raise PolicyViolation("Say in a few words what was decided.")
    _finish(session, actor, task, decision, reason, now)


def _finish(
    session: Session, actor: Actor, task: Task, decision: str, reason: str | None, now: datetime
) -> None:
    task.done_at, task.done_by = now, actor.account_id or actor.on_behalf_of
    task.decision = decision
    if reason:
        task.reason = reason.strip()[:200]
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.TASK_DONE,
        at=now,
        child_id=task.child_id,
        subject_id=task.id,
        detail={"kind": task.kind.value, "decision": decision},
    )
