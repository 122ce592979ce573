"""What is late, for those above the school: a number, what is owed, how long. No name and no content (field guide §4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, false, or_, select
from sqlalchemy.orm import Session

from referral.models.case import Case
from referral.models.referral import Referral
from referral.models.task import Task
from referral.terms import ReferralStatus, TaskKind, Urgency
from screening.access import MAY, May, check_may, organisations_visible_to
from screening.core import audit
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.models.organisation import Organisation, OrganisationKind

MOST = 500
# A facility's lateness is the health authority's to see, a hotline's the city's.
_NOT_HERE = (OrganisationKind.FACILITY, OrganisationKind.HOTLINE)
_SILENT = (ReferralStatus.SENT, ReferralStatus.RECEIVED)


@dataclass(frozen=True, slots=True)
class Overdue:
    """One line that is late. ``number`` is the case's, or the line's own where there is no case."""

    task_id: UUID
    number: str
    kind: TaskKind
    place: str
    opened_at: datetime
    due_at: datetime


def list_overdue(session: Session, *, actor: Actor, now: datetime) -> list[Overdue]:
    """Lines past their limit in the actor's area, the longest first; a city sees what has taken twice its time."""
    check_may(actor, May.READ_OVERDUE)
    found = _overdue(session, actor, now)
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.OVERDUE_LIST,
        at=now,
        children=[task.child_id for task, _, _ in found if task.child_id],
        detail={"lines": len(found)},
    )
    return [
        Overdue(task.id, case_no or str(task.id)[:8].upper(), task.kind, place, task.opened_at, task.due_at)
        for task, case_no, place in found
    ]


def get_overdue(session: Session, *, actor: Actor, task_id: UUID, now: datetime) -> Task:
    """One line of the list, or :class:`NotFound`."""
    check_may(actor, May.READ_OVERDUE)
    for task, _, _ in _overdue(session, actor, now, task_id):
        return task
    raise NotFound


def _overdue(
    session: Session, actor: Actor, now: datetime, task_id: UUID | None = None
) -> Sequence[tuple[Task, str | None, str]]:
    here = organisations_visible_to(actor).where(
        _below(actor, May.READ_OVERDUE), Organisation.kind.not_in(_NOT_HERE)
    )
    statement = (
        select(Task, Case.case_no, Organisation.name)
        .join(Organisation, Organisation.id == Task.organisation_id)
        .outerjoin(Case, Case.id == Task.case_id)
        .where(
            Task.done_at.is_(None),
            Task.due_at <= now,
            Task.organisation_id.in_(here.with_only_columns(Organisation.id)),
            *([] if task_id is None else [Task.id == task_id]),
        )
        .order_by(Task.due_at, Task.id)
        .limit(MOST)
    )
    rows = [(task, case_no, place) for task, case_no, place in session.execute(statement)]
    if Role.EDU_OFFICER in actor.roles:
        return rows
    return [row for row in rows if row[0].due_at + (row[0].due_at - row[0].opened_at) <= now]


def _below(actor: Actor, what: May) -> ColumnElement[bool]:
    paths = [g.organisation_path for g in actor.grants if what in MAY.get(g.role, frozenset())]
    return or_(*(Organisation.path.startswith(path, autoescape=True) for path in paths)) if paths else false()


@dataclass(frozen=True, slots=True)
class Silent:
    """One referral that a facility has not answered in time."""

    form_no: str
    facility: str
    urgency: Urgency
    sent_at: datetime | None
    due_at: datetime
    status: ReferralStatus


def list_silent(session: Session, *, actor: Actor, now: datetime) -> list[Silent]:
    """Referrals without an answer past their limit at the facilities of the actor's area, by form number only."""
    check_may(actor, May.READ_SILENT)
    here = organisations_visible_to(actor).where(_below(actor, May.READ_SILENT))
    rows = session.execute(
        select(Referral, Organisation.name)
        .join(Organisation, Organisation.id == Referral.facility_id)
        .where(
            Referral.facility_id.in_(here.with_only_columns(Organisation.id)),
            or_(Referral.status.in_(_SILENT), Referral.status == ReferralStatus.EXPIRED_NO_ANSWER),
            Referral.answer_due_at <= now,
        )
        .order_by(Referral.answer_due_at, Referral.id)
        .limit(MOST)
    ).all()
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.REFERRAL_LIST,
        at=now,
        children=[referral.child_id for referral, _ in rows],
        detail={"silent": len(rows)},
    )
    return [
        Silent(
            referral.form_no,
            name,
            referral.urgency,
            referral.sent_at,
            referral.answer_due_at,
            referral.status,
        )
        for referral, name in rows
        if referral.answer_due_at is not None
    ]
