"""通知: a row for the person's open page, and a message for the channels outside. No name, no content."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.models.notice import Channel, Delivery, Notice
from referral.models.task import Task, TaskRing
from referral.queries.shelves import RINGS
from screening.core import outbox

TOPIC = "notice.send"


def ring(
    session: Session, *, task: Task, step: int, whom: Iterable[UUID], urgent: bool, now: datetime
) -> None:
    """Ring one step of one task once: again is nothing (requirement RL6)."""
    if any(ring.step == step for ring in RINGS.of(session, task.id)):
        return
    people = list(dict.fromkeys(whom))
    session.add(TaskRing(task_id=task.id, step=step, rung_at=now, rung_id=people[0] if people else None))
    # A ring for another reason (step 0) does not make a ladder that has been climbed begin again.
    task.step = max(task.step or 0, step)
    for account_id in people:
        tell(session, task=task, account_id=account_id, urgent=urgent, now=now)


def tell(session: Session, *, task: Task, account_id: UUID, urgent: bool, now: datetime) -> Notice:
    """One notice to one person: on the open page at once, outside through the worker.

    It waits until the person presses it: that a page could show it does not mean that anybody looked.
    """
    notice = Notice(
        account_id=account_id,
        task_id=task.id,
        channel=Channel.PAGE,
        urgent=urgent,
        number=str(task.id)[:8].upper(),
        delivery=Delivery.WAITING,
        created_at=now,
    )
    session.add(notice)
    outbox.publish(
        session,
        topic=TOPIC,
        payload={"notice": str(notice.id)},
        purpose=f"notice:{notice.id}",
        now=now,
        urgent=urgent,
    )
    return notice


def outside(session: Session, notice: Notice, *, now: datetime) -> Notice:
    """The row of the outside channel that belongs to a page notice; made at the first attempt."""
    found = session.scalars(
        select(Notice).where(
            Notice.task_id == notice.task_id,
            Notice.account_id == notice.account_id,
            Notice.channel == Channel.WEBHOOK,
            Notice.created_at == notice.created_at,
        )
    ).one_or_none()
    if found is not None:
        return found
    row = Notice(
        account_id=notice.account_id,
        task_id=notice.task_id,
        channel=Channel.WEBHOOK,
        urgent=notice.urgent,
        number=notice.number,
        delivery=Delivery.WAITING,
        attempts=0,  # counted up before the row is flushed, when a column's default would come
        created_at=notice.created_at,
    )
    session.add(row)
    return row
