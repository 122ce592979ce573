"""What is late goes one step up; each step of each task rings once (requirement RL6).

Danger that nobody has taken rings 5, 10, 20 and 30 minutes after it was opened and then on, and so does what is due at
once; every other task half-way (its owner), at its limit (the backup as well), at one and a half (the county) and at
twice its time (the city). Due times are stored instants, so an outage delays a ring and never skips or doubles it:
what it ran past rings once, for everybody who should have been told by then.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from referral.actions import notices, rungs
from referral.deadlines import Step
from referral.models.case import Case
from referral.models.task import Task
from screening.core import audit
from screening.core.actor import Actor, Role
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.models.organisation import Organisation, OrganisationKind
from screening.queries.accounts import areas_above, duty_in, holders

PIECE = 200


def tick(session: Session, *, now: datetime) -> int:
    """Ring what has come due, danger first. Returns how many tasks rang; more may wait for the next tick."""
    due = session.scalars(
        select(Task)
        .where(Task.done_at.is_(None), Task.next_ring_at <= now)
        .order_by(case((Task.kind.in_(rungs.DANGER), 0), else_=1), Task.due_at)
        .limit(PIECE)
    ).all()
    for task in due:
        _ring(session, task, now)
    return len(due)


def _ring(session: Session, task: Task, now: datetime) -> None:
    place = session.get_one(Organisation, task.organisation_id)
    subject = session.get(Case, task.case_id) if task.case_id else None
    chain = rungs.chain_of(task.kind, place.kind, subject.custody if subject else None)
    steps = rungs.steps_of(task.kind, task.clock, chain, task.opened_at, task.due_at)
    danger = rungs.is_danger(task.kind, task.opened_at, task.due_at)
    step = task.step + 1
    whom = _Chain(session, task, place, subject, now).told_by(steps)
    notices.ring(session, task=task, step=step, whom=whom, urgent=danger, now=now)
    task.step = step
    ahead = next((each.at for each in steps if each.at > now), None)
    task.next_ring_at = now + rungs.AGAIN if ahead is None and danger else ahead
    audit.record(
        session,
        actor=Actor.system(),
        event=AuditEvent.TASK_ESCALATE,
        at=now,
        child_id=task.child_id,
        subject_id=task.id,
        detail={"step": step},
    )


class _Chain:
    """The people behind the words of a chain, for one task."""

    def __init__(
        self, session: Session, task: Task, place: Organisation, subject: Case | None, now: datetime
    ) -> None:
        self._session, self._task, self._case, self._now = session, task, subject, now
        # A facility's chain leads to the county of the child's school, not to that of the facility.
        home = session.get_one(Organisation, subject.organisation_id) if subject else place
        self._places = {place.id: place} | {area.id: area for area in areas_above(session, home)}
        self._danger = task.kind in rungs.DANGER

    def told_by(self, steps: Iterable[Step]) -> list[UUID]:
        """Everybody who should have been told by now, nearest first; whoever is on duty leads in danger."""
        passed = [step for step in steps if step.at <= self._now]
        found = [*self._duty(None), self._task.owner_id]
        if self._danger and self._case:
            found.append(self._case.owner_id)  # who was rung when it was opened
        for step in passed:
            for word in step.whom:
                found += self._people(word)
        return list(dict.fromkeys(found))

    def _people(self, word: str) -> list[UUID]:
        if word == "owner":
            return [self._task.owner_id]
        if word == "backup":
            backup = self._case.backup_id if self._danger and self._case else self._task.backup_id
            return [backup] if backup else []
        role, today = Role(word), local_day(self._now)
        found = [
            account.id
            for place_id in self._places
            for account in holders(self._session, role=role, organisation_id=place_id, today=today)
        ]
        return [*self._duty(OrganisationKind.COUNTY), *found] if role is Role.COUNTY_CENTRE else found

    def _duty(self, kind: OrganisationKind | None) -> list[UUID]:
        """Who is on the roster now: of the nearest place that has one, or of the place of one kind. Danger only."""
        if not self._danger:
            return []
        wanted = [place.id for place in self._places.values() if kind in (None, place.kind)]
        rosters = duty_in(self._session, organisation_ids=wanted, at=self._now)
        return next((rosters[place][:1] for place in wanted if place in rosters), [])
