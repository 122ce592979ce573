"""Put children on the school's roll. A blank never erases; what differs is corrected and kept in the trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from random import SystemRandom
from uuid import UUID

from sqlalchemy.orm import Session

from screening import access
from screening.access import May
from screening.core import audit, grades
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.errors import Conflict, DomainError
from screening.core.form_number import new_form_number
from screening.core.rows import add
from screening.models.child import CategoryFact, Child, Enrolment, Guardian, Sex
from screening.queries.children import enrolled
from screening.spreadsheets.rows import RosterRow

_RANDOM = SystemRandom()


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of one line of the 名册."""

    row: RosterRow
    child_id: UUID | None = None
    refused: DomainError | None = None


def enrol_many(
    session: Session, *, actor: Actor, organisation_id: UUID, rows: Sequence[RosterRow], now: datetime
) -> list[Enrolled]:
    """Enrol new children and correct known ones. The student number within the school is the key."""
    access.check_may(actor, May.IMPORT)
    known = enrolled(session, organisation_id=organisation_id, student_nos=[row.student_no for row in rows])
    done = []
    for row in rows:
        enrolment = known.get(row.student_no)
        if enrolment is None:
            child_id = _new(session, actor, organisation_id, row, now)
        elif enrolment.child.name != row.name:
            done.append(Enrolled(row, refused=Conflict(OTHER_CHILD)))
            continue
        else:
            child_id = enrolment.child_id
            _correct(session, actor, enrolment.child, enrolment, row, now)
        done.append(Enrolled(row, child_id))
    return done


OTHER_CHILD = (
    "This student number belongs to a child with another name. Nothing was changed; check the number."
)


def _new(session: Session, actor: Actor, organisation_id: UUID, row: RosterRow, now: datetime) -> UUID:
    if row.sex is None or row.birth_date is None or row.grade is None or row.class_name is None:
        raise ValueError("a roster row with errors is not enrolled")
    today = local_day(now)
    child_id = add(
        session,
        Child,
        organisation_id=organisation_id,
        file_no=new_form_number(_RANDOM),
        name=row.name,
        sex=Sex(row.sex),
        birth_date=row.birth_date,
        id_type=row.id_type,
        id_number=row.id_number,
        id_to_verify=row.id_to_verify,
        created_at=now,
    )
    add(
        session,
        Enrolment,
        child_id=child_id,
        organisation_id=organisation_id,
        student_no=row.student_no,
        stage=row.grade.stage.value,
        cohort=grades.cohort(row.grade, today),
        class_name=row.class_name,
        valid_from=today,
    )
    _guardian(session, actor, child_id, row, now, known=None)
    audit.record(session, actor=actor, event=AuditEvent.CHILD_ENROL, at=now, child_id=child_id)
    return child_id


def _correct(
    session: Session, actor: Actor, child: Child, enrolment: Enrolment, row: RosterRow, now: datetime
) -> None:
    """Take over what the row says and the file does not; what the row leaves blank stays."""
    changed = []
    grade = row.grade
    said: list[tuple[object, str, object]] = [
        (child, "sex", Sex(row.sex) if row.sex else None),
        (child, "birth_date", row.birth_date),
        (child, "id_type", row.id_type),
        (child, "id_number", row.id_number),
        (enrolment, "class_name", row.class_name),
        (enrolment, "stage", grade.stage.value if grade else None),
        (enrolment, "cohort", grades.cohort(grade, local_day(now)) if grade else None),
    ]
    for thing, name, value in said:
        if value is not None and getattr(thing, name) != value:
            setattr(thing, name, value)
            changed.append(name)
    if _guardian(session, actor, child.id, row, now, known=child.guardian):
        changed.append("guardian")
    if changed:
        audit.record(
            session,
            actor=actor,
            event=AuditEvent.CHILD_CORRECT,
            at=now,
            child_id=child.id,
            detail={"fields": changed},
        )


def _guardian(
    session: Session, actor: Actor, child_id: UUID, row: RosterRow, now: datetime, *, known: Guardian | None
) -> bool:
    """A new guardian row when the file says something new. Answers whether it did."""
    if row.guardian_name is None:
        return False
    phone = row.guardian_phone or (known.phone if known else None)
    relation = row.guardian_relation or (known.relation if known else None)
    if known is not None and (known.name, known.phone, known.relation) == (
        row.guardian_name,
        phone,
        relation,
    ):
        return False
    add(
        session,
        Guardian,
        child_id=child_id,
        name=row.guardian_name,
        relation=relation,
        phone=phone,
        recorded_at=now,
        recorded_by=actor.account_id,
    )
    return True


def record_fact(
    session: Session,
    *,
    actor: Actor,
    child: Child,
    fact: str,
    since_on: date | None,
    source: str,
    now: datetime,
) -> CategoryFact:
    """One dated category or context fact with its source. It chooses help and nothing else."""
    access.check_may(actor, May.ENROL_CHILD)
    row = CategoryFact(
        child_id=child.id,
        fact=fact,
        since_on=since_on,
        source=source,
        recorded_at=now,
        recorded_by=actor.account_id,
    )
    session.add(row)
    audit.record(
        session, actor=actor, event=AuditEvent.CATEGORY_RECORD, at=now, child_id=child.id, subject_id=row.id
    )
    return row
