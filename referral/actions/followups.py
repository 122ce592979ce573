"""随访: schedule by template, complete, miss."""

from __future__ import annotations

import json
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral import deadlines
from referral.actions import tasks
from referral.models.case import Case
from referral.models.followup import FollowUp, FollowUpStatusChange
from referral.states import FOLLOWUP_TRANSITIONS, check_transition
from referral.terms import FollowUpChannel, FollowUpStatus, FollowUpTemplate, TaskKind
from screening import access
from screening.access import May
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.calendar import china
from screening.core.errors import InvalidInput


def schedule(
    session: Session, *, actor: Actor, case: Case, template: FollowUpTemplate, day0: date, now: datetime
) -> list[FollowUp]:
    """The contacts of a template, each on its day; those already planned stay. The next one is a task."""
    planned = set(
        session.scalars(
            select(FollowUp.due_on).where(FollowUp.case_id == case.id, FollowUp.template == template.value)
        )
    )
    made = []
    for day in deadlines.follow_up_days(template, day0, calendar=china()):
        if day.due_on in planned:
            continue
        follow_up = FollowUp(
            case_id=case.id,
            child_id=case.child_id,
            template=template.value,
            due_on=day.due_on,
            window_days=(day.latest_on - day.due_on).days,
            status=FollowUpStatus.DUE,
            scheduled_at=now,
        )
        session.add(follow_up)
        _changed(session, actor, follow_up, FollowUpStatus.DUE, None, now)
        made.append(follow_up)
    session.flush()
    _next(session, actor, case, now)
    return made


def is_planned(session: Session, *, case: Case) -> bool:
    """Whether a contact is still to come, whoever planned it."""
    due = select(FollowUp.id).where(FollowUp.case_id == case.id, FollowUp.status == FollowUpStatus.DUE)
    return session.scalars(due.limit(1)).first() is not None


def complete(
    session: Session,
    *,
    actor: Actor,
    case: Case,
    follow_up: FollowUp,
    channel: FollowUpChannel,
    record: str,
    now: datetime,
) -> None:
    """The contact was made. ``record`` is form F8 as JSON."""
    access.check_may(actor, May.FOLLOW_UP)
    check_transition(FOLLOWUP_TRANSITIONS, follow_up.status, to := FollowUpStatus.DONE)
    follow_up.status, follow_up.done_at, follow_up.done_by = to, now, actor.account_id
    follow_up.channel, follow_up.record = channel.value, record
    _changed(session, actor, follow_up, to, None, now)
    _settle(session, actor, case, follow_up, now)


def miss(
    session: Session, *, actor: Actor, case: Case, follow_up: FollowUp, reason: str, now: datetime
) -> None:
    """It could not be held; a record with its reason, not a deletion. The reason is typed text and so is sealed."""
    access.check_may(actor, May.FOLLOW_UP)
    if not reason.strip():
        raise InvalidInput("Say why the contact could not be made.")
    check_transition(FOLLOWUP_TRANSITIONS, follow_up.status, to := FollowUpStatus.MISSED)
    follow_up.status, follow_up.done_at, follow_up.done_by = to, now, actor.account_id
    follow_up.record = json.dumps({"words": reason.strip()}, ensure_ascii=False)
    _changed(session, actor, follow_up, to, None, now)
    _settle(session, actor, case, follow_up, now)


def cancel(session: Session, *, actor: Actor, case: Case, reason: str, now: datetime) -> None:
    """The case ends: contacts that were still to come are not made. The case settles their lines."""
    coming = select(FollowUp).where(FollowUp.case_id == case.id, FollowUp.status == FollowUpStatus.DUE)
    for follow_up in session.scalars(coming).all():
        follow_up.status = FollowUpStatus.CANCELLED
        _changed(session, actor, follow_up, FollowUpStatus.CANCELLED, reason, now)


def _settle(session: Session, actor: Actor, case: Case, follow_up: FollowUp, now: datetime) -> None:
    tasks.settle(
        session,
        actor=actor,
        kind=TaskKind.FOLLOWUP,
        subject_id=follow_up.id,
        decision=follow_up.status.value,
        now=now,
    )
    session.flush()
    _next(session, actor, case, now)


def _next(session: Session, actor: Actor, case: Case, now: datetime) -> None:
    """The earliest contact that is still due has a task; later ones wait for their turn."""
    follow_up = session.scalars(
        select(FollowUp)
        .where(FollowUp.case_id == case.id, FollowUp.status == FollowUpStatus.DUE)
        .order_by(FollowUp.due_on)
        .limit(1)
    ).one_or_none()
    if follow_up is None:
        return
    tasks.require(
        session,
        actor=actor,
        kind=TaskKind.FOLLOWUP,
        subject_id=follow_up.id,
        organisation_id=case.organisation_id,
        owner_id=case.owner_id,
        backup_id=case.backup_id,
        due_at=china().closing(follow_up.due_on),
        now=now,
        child_id=case.child_id,
        case_id=case.id,
    )


def _changed(
    session: Session, actor: Actor, follow_up: FollowUp, to: FollowUpStatus, reason: str | None, now: datetime
) -> None:
    session.add(
        FollowUpStatusChange(
            follow_up_id=follow_up.id, status=to, changed_at=now, changed_by=actor.account_id, reason=reason
        )
    )
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.FOLLOW_UP_SAVE,
        at=now,
        child_id=follow_up.child_id,
        subject_id=follow_up.id,
        detail={"status": to.value},
    )
