"""The roll of a campaign as a school reads it: class by class, in the order of the student numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from screening.access import Part, campaigns_visible_to, visible_child_ids
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.models.campaign import Campaign, RosterEntry
from screening.models.child import Child, Enrolment

# A class is one page; one of more children than this has been put in by mistake.
LARGEST_CLASS = 300


@dataclass(frozen=True, slots=True)
class SchoolClass:
    """One class on a roll. Without stage and cohort: children who are not enrolled at this time."""

    stage: str | None
    cohort: int | None
    name: str
    children: int

    @property
    def key(self) -> str:
        """Stands in an address; names a class and nobody in it."""
        return f"{self.stage or ''}.{self.cohort or ''}.{self.name}"


def list_classes(session: Session, *, actor: Actor, campaign: Campaign) -> list[SchoolClass]:
    """The classes on the roll of a campaign that was found through a scope, the youngest first."""
    rows = session.execute(
        select(Enrolment.stage, Enrolment.cohort, Enrolment.class_name, func.count(RosterEntry.id))
        .select_from(RosterEntry)
        .outerjoin(Enrolment, _live_enrolment())
        .where(
            RosterEntry.campaign_id == campaign.id,
            RosterEntry.child_id.in_(visible_child_ids(actor, Part.IDENTITY)),
        )
        .group_by(Enrolment.stage, Enrolment.cohort, Enrolment.class_name)
    )
    found = [SchoolClass(stage, cohort, name or "", count) for stage, cohort, name, count in rows]
    return sorted(found, key=lambda each: (each.stage or "~", -(each.cohort or 0), len(each.name), each.name))


def _live_enrolment() -> ColumnElement[bool]:
    return and_(Enrolment.child_id == RosterEntry.child_id, Enrolment.valid_to.is_(None))


def list_class(
    session: Session, *, actor: Actor, campaign: Campaign, school_class: SchoolClass, now: datetime
) -> list[RosterEntry]:
    """The children of one class by student number; who was shown is recorded."""
    entries = session.scalars(
        select(RosterEntry)
        .outerjoin(Enrolment, _live_enrolment())
        .where(
            RosterEntry.campaign_id == campaign.id,
            RosterEntry.child_id.in_(visible_child_ids(actor, Part.IDENTITY)),
            Enrolment.stage == school_class.stage,
            Enrolment.cohort == school_class.cohort,
            Enrolment.class_name == (school_class.name or None),
        )
        .options(joinedload(RosterEntry.child).selectinload(Child.enrolments))
        .limit(LARGEST_CLASS)
    ).all()
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.CAMPAIGN_READ,
        at=now,
        children=[entry.child_id for entry in entries],
        detail={"campaign": str(campaign.id)},
    )
    return sorted(entries, key=_number)


def _number(entry: RosterEntry) -> tuple[int, str]:
    enrolment = entry.child.enrolment
    number = enrolment.student_no if enrolment else ""
    return len(number), number


def class_of_entry(classes: Sequence[SchoolClass], entry: RosterEntry) -> SchoolClass | None:
    """The class in which a line of the roll stands."""
    enrolment = entry.child.enrolment
    wanted = (enrolment.stage, enrolment.cohort, enrolment.class_name) if enrolment else (None, None, "")
    return next((each for each in classes if (each.stage, each.cohort, each.name) == wanted), None)


def last_entry_of(session: Session, *, actor: Actor, child_id: UUID) -> RosterEntry:
    """The child's line on the newest roll, through the actor's scope, or :class:`NotFound`."""
    entry = session.scalars(
        select(RosterEntry)
        .join(Campaign, Campaign.id == RosterEntry.campaign_id)
        .where(
            RosterEntry.child_id == child_id,
            RosterEntry.child_id.in_(visible_child_ids(actor, Part.IDENTITY)),
            RosterEntry.campaign_id.in_(campaigns_visible_to(actor).with_only_columns(Campaign.id)),
        )
        .options(selectinload(RosterEntry.campaign))
        .order_by(Campaign.opens_on.desc(), RosterEntry.id)
        .limit(1)
    ).one_or_none()
    if entry is None:
        raise NotFound
    return entry
