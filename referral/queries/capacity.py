"""Who waits to be seen, in the order of need, and what so many talks a week leave undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, selectinload

from instruments import Grade, worst_grade
from referral.models.case import Case
from referral.models.task import Task
from referral.queries.cases import cases_visible_to
from referral.terms import TaskKind
from risk_model import Level, worst_level
from risk_model.capacity import Waiting, Week, week
from screening.access import May, check_may, children_visible_to
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.models.child import CategoryFact, Child
from screening.queries.results import newest_results, results_of_many

# Lines that end with a person seeing the child.
TO_SEE = (
    TaskKind.SECOND_ASSESSMENT,
    TaskKind.COUNTY_ASSESSMENT,
    TaskKind.SAFETY_TALK,
    TaskKind.SAME_DAY_TALK,
    TaskKind.CRISIS_ACKNOWLEDGE,
)
_RANK = {Grade.A: 0, Grade.B: 1, Grade.C: 2}


@dataclass(frozen=True, slots=True)
class Planned:
    """A week as it falls, with the children of it."""

    week: Week
    children: dict[str, Child]
    tasks: dict[str, Task]


def plan_week(session: Session, *, actor: Actor, places: int, now: datetime) -> Planned:
    """The queue of the actor's children, ordered; who fits in, who does not, and how that falls on groups."""
    check_may(actor, May.READ_SCORES)
    visible = children_visible_to(actor)
    tasks = session.scalars(
        select(Task)
        .where(
            Task.kind.in_(TO_SEE),
            Task.done_at.is_(None),
            Task.child_id.in_(visible.with_only_columns(Child.id)),
            # Of a case that is kept from the school nobody there sees a line either (domain guide §5.2b).
            or_(Task.case_id.is_(None), Task.case_id.in_(cases_visible_to(actor).with_only_columns(Case.id))),
        )
        .order_by(Task.opened_at)
    ).all()
    by_child: dict[UUID, Task] = {}
    for task in tasks:
        if task.child_id is not None:
            by_child.setdefault(task.child_id, task)
    children = {
        child.id: child
        for child in session.scalars(
            visible.where(Child.id.in_(list(by_child))).options(selectinload(Child.enrolments))
        )
    }
    results = results_of_many(session, child_ids=list(children))
    groups = _groups(session, list(children))
    waiting = [
        _waiting(child, by_child[child.id], results.get(child.id, []), groups.get(child.id, frozenset()), now)
        for child in children.values()
    ]
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.TASK_LIST,
        at=now,
        children=list(children),
        detail={"places": places},
    )
    return Planned(
        week(waiting, places),
        {str(key): child for key, child in children.items()},
        {str(key): task for key, task in by_child.items()},
    )


def _waiting(
    child: Child, task: Task, results: Sequence[object], groups: frozenset[str], now: datetime
) -> Waiting:
    newest = newest_results(results)  # type: ignore[arg-type]
    level = worst_level(result.level for result in newest) or Level.ELEVATED
    grade = worst_grade(result.grade for result in newest if result.grade is not None)
    told = [result for result in newest if result.probability is not None]
    leading = max(told, key=lambda result: (result.computed_at, len(result.sheets)), default=None)
    return Waiting(
        child=str(child.id),
        level=level,
        grade=_RANK.get(grade) if grade else None,
        probability=leading.probability if leading else None,
        low=leading.low if leading else None,
        high=leading.high if leading else None,
        days=(now - task.opened_at).days,
        groups=groups | {f"sex:{child.sex}"},
    )


def _groups(session: Session, child_ids: Sequence[UUID]) -> dict[UUID, frozenset[str]]:
    """Facts about a child's situation, for counting only: nobody is ordered by them."""
    found: dict[UUID, set[str]] = {}
    for start in range(0, len(child_ids), 500):
        for child_id, fact in session.execute(
            select(CategoryFact.child_id, CategoryFact.fact).where(
                CategoryFact.child_id.in_(child_ids[start : start + 500]), CategoryFact.until_on.is_(None)
            )
        ):
            found.setdefault(child_id, set()).add(fact)
    return {child_id: frozenset(facts) for child_id, facts in found.items()}
