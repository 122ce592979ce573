"""Children whom nobody has seen in time and who wait for a place: counted by days, for education and health."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from referral.models.case import Case
from referral.models.referral import Referral
from referral.models.task import Task
from referral.terms import CaseStatus, Custody, TaskKind
from screening.access import May, check_may, organisations_visible_to
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import local_day

# Days since the case was opened; the last has no end.
BANDS = ((0, 7), (8, 14), (15, 30), (31, None))
# Fewer are not shown (decision 5).
SMALL = 10


@dataclass(frozen=True, slots=True)
class Band:
    """Days of waiting, both ends included, and how many children. ``children`` is absent for 1 to 9, and where it
    could be worked out from the others."""

    first: int
    last: int | None
    children: int | None


@dataclass(frozen=True, slots=True)
class ServiceGap:
    """Everybody who waits unseen below the reader's organisations. ``total`` is absent for 1 to 9."""

    total: int | None
    bands: tuple[Band, ...]


def waiting_unseen(session: Session, *, actor: Actor, now: datetime) -> ServiceGap:
    """Second assessment and the county's turn have passed, the referral has not left: how many, for how many days.

    Protected cases are not counted here: at this size a number could show that there is one.
    """
    check_may(actor, May.READ_GAPS)
    below = organisations_visible_to(actor).subquery()
    late = (
        select(Task.id)
        .where(
            Task.case_id == Case.id,
            Task.kind.in_([TaskKind.COUNTY_ASSESSMENT, TaskKind.SECOND_ASSESSMENT]),
            Task.done_at.is_(None),
            Task.due_at <= now,
        )
        .exists()
    )
    unsent = (
        select(Referral.id)
        .where(Referral.case_id == Case.id, Referral.sent_at.is_(None), Referral.ended_at.is_(None))
        .exists()
    )
    opened = session.scalars(
        select(Case.opened_at).where(
            Case.organisation_id.in_(select(below.c.id)),
            Case.status == CaseStatus.INTAKE,
            Case.custody == Custody.SCHOOL,
            late,
            unsent,
        )
    ).all()
    audit.record(
        session, actor=actor, event=AuditEvent.TASK_LIST, at=now, detail={"service_gap": len(opened)}
    )
    return counted([(local_day(now) - local_day(at)).days for at in opened])


def counted(days: Sequence[int]) -> ServiceGap:
    """The bands, with small counts left out and, where only one is, the smallest of the others too."""
    sizes = [
        sum(1 for day in days if first <= day and (last is None or day <= last)) for first, last in BANDS
    ]
    hidden = {place for place, size in enumerate(sizes) if 0 < size < SMALL}
    if len(hidden) == 1:
        others = [place for place, size in enumerate(sizes) if size >= SMALL]
        hidden |= {min(others, key=lambda place: sizes[place])} if others else set()
    return ServiceGap(
        total=None if 0 < len(days) < SMALL else len(days),
        bands=tuple(
            Band(first, last, None if place in hidden else sizes[place])
            for place, (first, last) in enumerate(BANDS)
        ),
    )
