"""提醒: somebody above the school rings an overdue line again. They know its number and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.actions import notices
from referral.models.notice import Notice
from referral.models.task import Task
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import PolicyViolation

# Rung again sooner a bell is noise.
PAUSE = timedelta(hours=4)


def nudge(session: Session, *, actor: Actor, task: Task, now: datetime) -> None:
    """A notice to whoever owns the line and to who stands in. Raises :class:`PolicyViolation` within four hours."""
    access.check_may(actor, May.READ_OVERDUE)
    last = session.scalars(
        select(Notice.created_at).where(Notice.task_id == task.id).order_by(Notice.created_at.desc()).limit(1)
    ).first()
    if last is not None and now - last < PAUSE:
        raise PolicyViolation("This line has rung within the last four hours.")
    for account_id in dict.fromkeys([task.owner_id, *([task.backup_id] if task.backup_id else [])]):
        notices.tell(session, task=task, account_id=account_id, urgent=False, now=now)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.TASK_ESCALATE,
        at=now,
        child_id=task.child_id,
        subject_id=task.id,
        detail={"nudge": True},
    )
