"""Danger that nobody has taken, for every page that a person has open: the software is never the only channel."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from referral.models.notice import Channel, Delivery, Notice
from referral.models.task import Task
from referral.queries.today import tasks_visible_to
from referral.terms import TaskKind
from screening.core.actor import Actor
from screening.models.organisation import Organisation
from screening.queries.accounts import duty_phone

# So long a gateway may take before the page says that nothing has gone out.
SILENT_AFTER = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Alarm:
    """What stands over every page. ``silent``: no channel outside has delivered anything about one of them."""

    waiting: int
    silent: bool
    duty_phone: str | None


def alarm_for(session: Session, *, actor: Actor, now: datetime) -> Alarm | None:
    """The alarm of this person: theirs to take, theirs to back up, or rung to them on the ladder."""
    rung = exists().where(Notice.task_id == Task.id, Notice.account_id == actor.account_id)
    own = tasks_visible_to(actor).with_only_columns(Task.id)
    open_ones = session.scalars(
        select(Task)
        .where(
            Task.kind == TaskKind.CRISIS_ACKNOWLEDGE,
            Task.done_at.is_(None),
            rung | Task.id.in_(own),
        )
        .order_by(Task.opened_at)
    ).all()
    if not open_ones:
        return None
    went_out = set(
        session.scalars(
            select(Notice.task_id).where(
                Notice.task_id.in_([task.id for task in open_ones]),
                Notice.channel != Channel.PAGE,
                Notice.delivery == Delivery.DELIVERED,
            )
        )
    )
    silent = any(task.id not in went_out and task.opened_at + SILENT_AFTER <= now for task in open_ones)
    place = session.get_one(Organisation, open_ones[0].organisation_id)
    return Alarm(len(open_ones), silent, duty_phone(session, organisation=place, at=now))
