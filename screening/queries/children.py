"""Children as far as the actor may see; every reading of a file leaves its row in the trail."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from screening.access import Part, children_visible_to
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.core.sealing import Keyring
from screening.models.child import CategoryFact, Child, Enrolment, Guardian
from screening.models.organisation import Organisation


def get_child(
    session: Session, *, actor: Actor, child_id: UUID, now: datetime, part: Part = Part.FILE
) -> Child:
    """The child, or :class:`NotFound`; the reading is recorded."""
    child = session.scalars(
        children_visible_to(actor, part)
        .where(Child.id == child_id)
        .options(selectinload(Child.guardians), selectinload(Child.enrolments))
    ).one_or_none()
    if child is None:
        raise NotFound
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.CHILD_READ,
        at=now,
        child_id=child.id,
        detail={"part": part.value},
    )
    return child


def is_file_visible(session: Session, *, actor: Actor, child: Child) -> bool:
    """Whether the actor may see the whole file of a child they have found, or the identity only."""
    statement = children_visible_to(actor).where(Child.id == child.id).with_only_columns(Child.id)
    return session.scalar(statement) is not None


def list_children(
    session: Session,
    *,
    actor: Actor,
    now: datetime,
    student_no: str | None = None,
    name: str | None = None,
    after: UUID | None = None,
    limit: int = 100,
) -> Sequence[Child]:
    """One page of children, by id. ``student_no`` and ``name`` match exactly, through their blind indexes."""
    keyring: Keyring = session.info["keyring"]
    statement = children_visible_to(actor, Part.IDENTITY).options(selectinload(Child.enrolments))
    if student_no:
        numbers = select(Enrolment.child_id).where(
            Enrolment.student_no_index == keyring.blind("enrolment.student_no", student_no)
        )
        statement = statement.where(Child.id.in_(numbers))
    if name:
        statement = statement.where(Child.name_index == keyring.blind("child.name", name))
    if after is not None:
        statement = statement.where(Child.id > after)
    children = session.scalars(statement.order_by(Child.id).limit(min(limit, 200))).all()
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.CHILD_LIST,
        at=now,
        children=[c.id for c in children],
        detail={"searched": bool(student_no or name)},
    )
    return children


def enrolled(session: Session, *, organisation_id: UUID, student_nos: Iterable[str]) -> dict[str, Enrolment]:
    """Live enrolments of one school by student number as typed. For import and intake, inside the school's scope."""
    keyring: Keyring = session.info["keyring"]
    wanted = {keyring.blind("enrolment.student_no", number): number for number in student_nos}
    found: dict[str, Enrolment] = {}
    blinds = list(wanted)
    for start in range(0, len(blinds), 500):
        rows = session.scalars(
            select(Enrolment)
            .where(
                Enrolment.organisation_id == organisation_id,
                Enrolment.valid_to.is_(None),
                Enrolment.student_no_index.in_(blinds[start : start + 500]),
            )
            .options(selectinload(Enrolment.child).selectinload(Child.guardians))
        )
        found |= {wanted[row.student_no_index]: row for row in rows}
    return found


def children_by_number(
    session: Session, *, organisation_id: UUID, student_nos: Iterable[str]
) -> dict[str, UUID]:
    """The children of :func:`enrolled` by student number, where nothing else about them is asked."""
    keyring: Keyring = session.info["keyring"]
    wanted = {keyring.blind("enrolment.student_no", number): number for number in student_nos}
    blinds = list(wanted)
    found: dict[str, UUID] = {}
    for start in range(0, len(blinds), 500):
        rows = session.execute(
            select(Enrolment.student_no_index, Enrolment.child_id).where(
                Enrolment.organisation_id == organisation_id,
                Enrolment.valid_to.is_(None),
                Enrolment.student_no_index.in_(blinds[start : start + 500]),
            )
        )
        found |= {wanted[blind]: child_id for blind, child_id in rows}
    return found


def guardians_of(session: Session, child_id: UUID) -> Sequence[Guardian]:
    """Recorded guardians, in the order they were recorded."""
    return session.scalars(
        select(Guardian).where(Guardian.child_id == child_id).order_by(Guardian.recorded_at)
    ).all()


def category_facts(session: Session, child_id: UUID) -> Sequence[CategoryFact]:
    """The dated facts that are not ended."""
    return session.scalars(
        select(CategoryFact).where(CategoryFact.child_id == child_id, CategoryFact.until_on.is_(None))
    ).all()


def facts_of_many(session: Session, *, child_ids: Sequence[UUID]) -> dict[UUID, list[str]]:
    """The facts of these children that are not ended."""
    found: dict[UUID, list[str]] = {}
    for child_id, fact in session.execute(
        select(CategoryFact.child_id, CategoryFact.fact).where(
            CategoryFact.child_id.in_(child_ids), CategoryFact.until_on.is_(None)
        )
    ):
        found.setdefault(child_id, []).append(fact)
    return found


def organisation_of(session: Session, organisation_id: UUID) -> Organisation:
    """The organisation with this id, already found through a scope."""
    return session.get_one(Organisation, organisation_id)
