"""Each person's list for today, worst first. Every list and clock reads the one table of tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session, selectinload

from referral.models.case import Case
from referral.models.notice import Channel, Delivery, Notice
from referral.models.task import Task
from referral.terms import TaskKind
from screening.access import May, Part, check_may, children_visible_to, visible_child_ids
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.models.child import Child
from screening.models.import_batch import ImportBatch

# Red strip first, then what somebody has to see or phone today, then the rest.
URGENT = frozenset(
    {TaskKind.CRISIS_ACKNOWLEDGE, TaskKind.WORRY_NOW, TaskKind.CRISIS_STEP, TaskKind.SAME_DAY_TALK}
)
TO_SEE = frozenset(
    {
        TaskKind.SECOND_ASSESSMENT,
        TaskKind.SAFETY_TALK,
        TaskKind.COUNTY_ASSESSMENT,
        TaskKind.RETEST,
        TaskKind.WORRY_MATCH,
    }
)
WAITING = frozenset(
    {TaskKind.REFERRAL_ANSWER, TaskKind.APPOINTMENT, TaskKind.ATTENDANCE_CHECK, TaskKind.RETURN_NOTE}
)


@dataclass(frozen=True, slots=True)
class TaskLine:
    """One line of a list: the task, and the child and case it is about where the actor may see them."""

    task: Task
    child: Child | None
    case: Case | None


def tasks_visible_to(actor: Actor) -> Select[Task]:
    """A person's own tasks and those they back up."""
    if actor.is_system:
        return select(Task)
    return select(Task).where(or_(Task.owner_id == actor.account_id, Task.backup_id == actor.account_id))


def list_tasks(
    session: Session, *, actor: Actor, now: datetime, mine_only: bool = True, limit: int = 200
) -> list[TaskLine]:
    """Open tasks in the order of their limits. ``mine_only``: leave out what somebody else owns in time."""
    check_may(actor, May.READ_TASKS)
    statement = tasks_visible_to(actor).where(Task.done_at.is_(None))
    if mine_only:
        # A backup sees a line only when its owner is late with it; danger that nobody has taken, at once.
        untaken = Task.kind.in_([TaskKind.CRISIS_ACKNOWLEDGE, TaskKind.WORRY_NOW])
        statement = statement.where(or_(Task.owner_id == actor.account_id, Task.due_at <= now, untaken))
    rows = session.scalars(statement.order_by(Task.due_at, Task.id).limit(min(limit, 500))).all()
    lines = _lines(session, actor, rows)
    _record_list(session, actor, lines, now)
    return lines


def waiting_for_others(session: Session, *, actor: Actor, now: datetime, limit: int = 100) -> list[TaskLine]:
    """What others owe on the actor's own cases: guardian, clinic, village."""
    check_may(actor, May.READ_TASKS)
    rows = session.scalars(
        select(Task)
        .join(Case, Case.id == Task.case_id)
        .where(
            Task.done_at.is_(None),
            Task.kind.in_(WAITING),
            and_(Case.owner_id == actor.account_id, Task.owner_id != actor.account_id),
            Task.child_id.in_(visible_child_ids(actor)),
        )
        .order_by(Task.due_at)
        .limit(limit)
    ).all()
    lines = _lines(session, actor, rows)
    _record_list(session, actor, lines, now)
    return lines


def get_task(session: Session, *, actor: Actor, task_id: UUID) -> Task:
    """A task of this person, or :class:`NotFound`."""
    task = session.scalars(tasks_visible_to(actor).where(Task.id == task_id)).one_or_none()
    if task is None:
        raise NotFound
    return task


def rung_about(session: Session, *, actor: Actor, notices: Sequence[Notice]) -> dict[UUID, TaskLine]:
    """Other people's tasks that rang here, one step up the ladder: the line and its case's number, never the child."""
    own = {notice.task_id for notice in notices if notice.account_id == actor.account_id and notice.task_id}
    rows = session.scalars(select(Task).where(Task.id.in_(own))).all()
    cases = _cases(session, {row.case_id for row in rows if row.case_id})
    return {row.id: TaskLine(row, None, cases.get(row.case_id) if row.case_id else None) for row in rows}


def own_tasks(session: Session, *, actor: Actor, task_ids: set[UUID]) -> dict[UUID, Task]:
    """Those of these tasks that are this person's."""
    if not task_ids:
        return {}
    return {task.id: task for task in session.scalars(tasks_visible_to(actor).where(Task.id.in_(task_ids)))}


def alarm_is_open(session: Session, *, batch: ImportBatch) -> bool:
    """Whether somebody still has to answer an alarm of a file that was found through a scope."""
    open_ones = select(Task.id).where(
        Task.subject_id == batch.id,
        Task.kind.in_([TaskKind.FILE_ALARM, TaskKind.UNKNOWN_CHILD_ALARM]),
        Task.done_at.is_(None),
    )
    return session.scalars(open_ones.limit(1)).first() is not None


def _lines(session: Session, actor: Actor, rows: Sequence[Task]) -> list[TaskLine]:
    children = _children(session, actor, {row.child_id for row in rows if row.child_id})
    cases = _cases(session, {row.case_id for row in rows if row.case_id})
    return [
        TaskLine(
            task=row,
            child=children.get(row.child_id) if row.child_id else None,
            case=cases.get(row.case_id) if row.case_id else None,
        )
        for row in rows
    ]


def _record_list(session: Session, actor: Actor, lines: Sequence[TaskLine], now: datetime) -> None:
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.TASK_LIST,
        at=now,
        children=[line.child.id for line in lines if line.child],
        detail={"lines": len(lines)},
    )


def _children(session: Session, actor: Actor, ids: set[UUID]) -> dict[UUID, Child]:
    """The children on a list: through the scope. A facility's list names a child only while its grant lives."""
    if not ids:
        return {}
    rows = session.scalars(
        children_visible_to(actor, Part.NOTE).where(Child.id.in_(ids)).options(selectinload(Child.enrolments))
    )
    return {row.id: row for row in rows}


def _cases(session: Session, ids: set[UUID]) -> dict[UUID, Case]:
    if not ids:
        return {}
    return {row.id: row for row in session.scalars(select(Case).where(Case.id.in_(ids)))}


def list_notices(session: Session, *, actor: Actor, limit: int = 50) -> Sequence[Notice]:
    """What has rung on this person's open page and was not seen."""
    return session.scalars(
        select(Notice)
        .where(
            Notice.account_id == actor.account_id, Notice.channel == Channel.PAGE, Notice.seen_at.is_(None)
        )
        .order_by(Notice.urgent.desc(), Notice.created_at.desc())
        .limit(limit)
    ).all()


def see_notice(session: Session, *, actor: Actor, notice_id: UUID, now: datetime) -> None:
    """The person pressed the notice. Somebody else's is not found."""
    notice = session.scalars(
        select(Notice).where(Notice.id == notice_id, Notice.account_id == actor.account_id)
    ).one_or_none()
    if notice is None:
        raise NotFound
    if notice.seen_at is None:
        notice.seen_at = now
        notice.delivery, notice.delivered_at = Delivery.DELIVERED, notice.delivered_at or now
