"""Critical answers that are seen before any sheet is stored: they ring at once (decisions 18 and 31)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from instruments import (
    Grade,
    Instrument,
    read_critical,
    worst_grade,
)
from referral.intake.loop import AT_ONCE, Desk, answer, hold
from referral.queries.signals import Signal
from risk_model import Level
from screening import policies
from screening.actions import imports
from screening.actions.administrations import Occasion
from screening.core.actor import Actor
from screening.core.clock import local_day
from screening.models.import_batch import CriticalSighting
from screening.queries.results import critical_answers_of, graded_sheets


def sight_keyed(
    session: Session,
    actor: Actor,
    occasion: Occasion,
    instrument: Instrument,
    answers: dict[str, object],
    administered_on: date,
    now: datetime,
) -> None:
    answered = read_critical(instrument, answers)
    sightings = imports.sight(
        session,
        batch_id=None,
        child_id=occasion.child_id,
        instrument=instrument.code,
        layout=instrument.layout,
        answered_on=administered_on,
        excel_row=None,
        answers=answered,
        known=known_sightings(session, [occasion.child_id]),
        now=now,
    )
    answer_sightings(session, actor, sightings, now)


def known_sightings(
    session: Session, child_ids: Iterable[UUID]
) -> set[tuple[UUID, str, str, date, str, str]]:
    """What has rung already: from an earlier file or refused sheet, or from a sheet that is stored."""
    ids = sorted(set(child_ids))
    known: set[tuple[UUID, str, str, date, str, str]] = set()
    for start in range(0, len(ids), AT_ONCE):
        piece = ids[start : start + AT_ONCE]
        hold(
            session, piece
        )  # of two who see the same answer at once, the second finds what the first has seen
        rows = session.scalars(select(CriticalSighting).where(CriticalSighting.child_id.in_(piece)))
        known |= {(s.child_id, s.instrument, s.layout, s.answered_on, s.item, s.grade.value) for s in rows}
        for sheet in graded_sheets(session, child_ids=piece):
            known |= {
                (sheet.child_id, sheet.instrument, sheet.layout, sheet.administered_on, a.item, a.grade.value)
                for a in critical_answers_of(session, sheet)
            }
    return known


def answer_sightings(
    session: Session, actor: Actor, sightings: Sequence[CriticalSighting], now: datetime
) -> None:
    """Open what each child's new critical answers ask for, by the gravest of them."""
    system = Actor.system(on_behalf_of=actor.account_id or actor.on_behalf_of)
    by_child: dict[UUID, list[CriticalSighting]] = {}
    for sighting in sightings:
        if not policies.is_history(sighting.answered_on, local_day(now)):
            by_child.setdefault(sighting.child_id, []).append(sighting)
    desk = Desk(session, child_ids=by_child, now=now)
    desk.read_ahead(by_child, by_child)
    for child_id, seen in by_child.items():
        child = desk.child(child_id)
        grade = worst_grade(sighting.grade for sighting in seen)
        if grade in (Grade.A, Grade.B, Grade.C):
            level = Level.ELEVATED if grade is Grade.C else Level.CRISIS_ITEM
            signal = Signal(child_id, level, grade, "sighting", seen[0].id)
            answer(session, system, child, desk.people(child), signal, now)
