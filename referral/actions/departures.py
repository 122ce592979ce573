"""移交 when a colleague leaves: nothing of theirs is left without somebody who answers for it (domain guide §3.10).

An account with open work is not closed and its role does not end. Pressing the button moves what is urgent at
once to the lead and answers how much still needs a successor; that is chosen in the handover form, place by place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.actions import notices
from referral.models.case import Case
from referral.models.task import Task
from referral.queries.people import people_of, protected_people
from referral.queries.work import (
    URGENT_KINDS,
    lead_first,
    left_behind,
    open_work,
    successors,
    urgent_cases,
)
from referral.terms import Custody, TaskKind
from screening import access
from screening.access import May
from screening.actions import accounts, duty
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import NotFound, PolicyViolation
from screening.models.account import Account, RoleGrant
from screening.models.organisation import Organisation
from screening.queries.accounts import live_grants

SYSTEM = Actor.system()


@dataclass(frozen=True, slots=True)
class Leaving:
    """What became of the press. ``left``: cases and lines that still need a successor; 0 when it is done.

    ``fell``: how many urgent ones went to the lead. ``turns``: turns of duty that are open now.
    """

    left: int
    fell: int
    turns: int = 0


def close_account(session: Session, *, actor: Actor, account: Account, now: datetime) -> Leaving:
    """Close an account, or say what is still in its way (scenario A17)."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    if account.id == actor.account_id:
        raise PolicyViolation("Nobody closes their own account.")
    if account.disabled_at is not None:
        return Leaving(0, 0)
    session.refresh(account, with_for_update=True)
    fell, left = _let_fall(session, actor, account, now, None)
    if left:
        return Leaving(left, fell)
    _replace_backup(session, actor, account, now)
    turns = duty.end_turns_of(session, actor=actor, account=account, now=now)
    accounts.disable(session, actor=actor, account=account, now=now)
    return Leaving(0, fell, turns)


def end_role(session: Session, *, actor: Actor, account: Account, grant: RoleGrant, now: datetime) -> Leaving:
    """End one role, or say what only this role covers and nobody has taken over."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    if account.id == actor.account_id:
        raise PolicyViolation("Nobody ends their own role.")
    session.refresh(account, with_for_update=True)
    fell, left = _let_fall(session, actor, account, now, grant.id)
    if not left:
        accounts.end_role(session, actor=actor, grant=grant, now=now)
    return Leaving(left, fell)


def release_ended_posts(session: Session, *, now: datetime) -> int:
    """A post has ended by its date and nobody was asked: everything it alone covered goes to the lead, else to
    the next above. Returns how much moved; safe to run at any moment, the second time nothing is left."""
    moved = 0
    for account, grant in left_behind(session, now=now):
        for work in open_work(session, account=account, now=now, without=grant.id, held_on=grant.valid_to):
            to = lead_first(session, work=work, account=account, now=now)
            to = to or _above(session, account, work.place, now)
            if to is not None:
                moved += _move(session, SYSTEM, account, to, work.cases, work.tasks, work.place, now)
        if not live_grants(session, account_id=account.id, today=local_day(now)):
            _replace_backup(session, SYSTEM, account, now)
    return moved


def _above(session: Session, account: Account, place: Organisation, now: datetime) -> Account | None:
    """The first in the chain over a place where nobody is left; None where nobody is above either."""
    try:
        chain = people_of(session, organisation=place, now=now).chain
    except PolicyViolation:
        return None
    return next((session.get(Account, each) for each in chain if each != account.id), None)


def hand_over(
    session: Session, *, actor: Actor, account: Account, place_id: UUID, to_id: UUID, now: datetime
) -> int:
    """Everything an account owns at one place, to one colleague. Returns how much; pressed twice, 0."""
    access.check_may(actor, May.MANAGE_ACCOUNTS)
    work = next((w for w in open_work(session, account=account, now=now) if w.place.id == place_id), None)
    if work is None:
        return 0
    able = successors(session, work=work, account=account, now=now)
    to = next((person for person in able if person.id == to_id), None)
    if to is None:
        raise NotFound
    return _move(session, actor, account, to, work.cases, work.tasks, work.place, now)


def _let_fall(
    session: Session, actor: Actor, account: Account, now: datetime, without: UUID | None
) -> tuple[int, int]:
    """Urgent work falls to the lead now. Returns how much fell and how much is left."""
    fell = left = 0
    for work in open_work(session, account=account, now=now, without=without):
        cases = urgent_cases(session, cases=work.cases)
        tasks = [task for task in work.tasks if task.kind in URGENT_KINDS]
        lead = lead_first(session, work=work, account=account, now=now) if cases or tasks else None
        gone = _move(session, actor, account, lead, cases, tasks, work.place, now) if lead else 0
        fell, left = fell + gone, left + work.count - gone
    return fell, left


def _move(
    session: Session,
    actor: Actor,
    account: Account,
    to: Account,
    cases: Iterable[Case],
    tasks: Iterable[Task],
    place: Organisation,
    now: datetime,
) -> int:
    moved = 0
    for case in cases:
        _hand_case(session, actor, account, to, case, now)
        moved += 1
    for task in tasks:
        _hand_task(session, actor, account, to, task, now)
        moved += 1
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.WORK_HAND_OVER,
        at=now,
        subject_id=account.id,
        detail={"to": str(to.id), "place": str(place.id), "moved": moved},
    )
    return moved


def _hand_case(
    session: Session, actor: Actor, account: Account, to: Account, case: Case, now: datetime
) -> None:
    case.owner_id = to.id
    if case.backup_id in (to.id, account.id, None):
        case.backup_id = _next_backup(session, case, {to.id, account.id}, now)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CASE_CHANGE,
        at=now,
        child_id=case.child_id,
        subject_id=case.id,
        detail={"owner": str(to.id), "before": str(account.id)},
    )
    lines = session.scalars(
        select(Task)
        .where(Task.case_id == case.id, Task.owner_id == account.id, Task.done_at.is_(None))
        .order_by(Task.due_at)
    ).all()
    for task in lines:
        _hand_task(session, actor, account, to, task, now, backup_id=case.backup_id, silent=True)
    if lines:  # one bell for the case: the line that is due first
        _tell(session, lines[0], to, now)


def _hand_task(
    session: Session,
    actor: Actor,
    account: Account,
    to: Account,
    task: Task,
    now: datetime,
    *,
    backup_id: UUID | None = None,
    silent: bool = False,
) -> None:
    task.owner_id = to.id
    if task.backup_id in (to.id, account.id):
        task.backup_id = backup_id
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.WORK_HAND_OVER,
        at=now,
        child_id=task.child_id,
        subject_id=task.id,
        detail={"to": str(to.id), "kind": task.kind.value},
    )
    if not silent:
        _tell(session, task, to, now)


def _tell(session: Session, task: Task, to: Account, now: datetime) -> None:
    urgent = task.kind is TaskKind.CRISIS_ACKNOWLEDGE
    notices.tell(session, task=task, account_id=to.id, urgent=urgent, now=now)


def _replace_backup(session: Session, actor: Actor, account: Account, now: datetime) -> None:
    """Whoever leaves stands in for nobody."""
    for case in session.scalars(
        select(Case).where(Case.backup_id == account.id, Case.closed_at.is_(None))
    ).all():
        case.backup_id = _next_backup(session, case, {case.owner_id, account.id}, now)
        audit.record(
            session,
            actor=actor,
            event=AuditEvent.CASE_CHANGE,
            at=now,
            child_id=case.child_id,
            subject_id=case.id,
            detail={"backup": str(case.backup_id), "before": str(account.id)},
        )
    for task in session.scalars(
        select(Task).where(Task.backup_id == account.id, Task.done_at.is_(None))
    ).all():
        case_of = session.get(Case, task.case_id) if task.case_id else None
        task.backup_id = _next_backup(session, case_of, {task.owner_id, account.id}, now) if case_of else None


def _next_backup(session: Session, case: Case, but: set[UUID], now: datetime) -> UUID | None:
    """The next in the chain above the case who is neither of these."""
    place = session.get_one(Organisation, case.organisation_id)
    protected = case.custody is Custody.PROTECTED
    try:
        people = (
            protected_people(session, county=place, now=now)
            if protected
            else people_of(session, organisation=place, now=now)
        )
    except PolicyViolation:
        return None  # nobody above: the owner stands alone, and the duty roster shows the gap
    return next((account_id for account_id in people.chain if account_id not in but), None)
