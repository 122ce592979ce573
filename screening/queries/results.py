"""Screen results of a child, and the answers behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session, joinedload

from instruments import AnswerSheet, CriticalAnswer, catalogue, critical_items, in_layout, read_critical
from screening.access import May, check_may, check_may_about, children_visible_to
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.core.sealing import Keyring
from screening.models.administration import Administration
from screening.models.campaign import RosterEntry
from screening.models.child import Child
from screening.models.result import ScreenResult


def _unless_protected(protected: bool) -> ColumnElement[bool]:
    """Talks of a protected case are seen from that case and from nowhere else."""
    return true() if protected else Administration.protected.is_(False)


def results_of(session: Session, *, child_id: UUID, protected: bool = False) -> Sequence[ScreenResult]:
    """Every result of sheets that are not void, the newest sheet first. For decisions, not for pages.

    ``protected``: with the talks that no school may know of.
    """
    return session.scalars(
        select(ScreenResult)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(ScreenResult.child_id == child_id, Administration.voided_at.is_(None))
        .where(_unless_protected(protected))
        .options(joinedload(ScreenResult.administration))
        .order_by(Administration.administered_on.desc(), Administration.recorded_at.desc())
    ).all()


def results_of_many(session: Session, *, child_ids: Sequence[UUID]) -> dict[UUID, list[ScreenResult]]:
    """What :func:`results_of` says of each of these children."""
    found: dict[UUID, list[ScreenResult]] = {}
    for result in session.scalars(
        select(ScreenResult)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(ScreenResult.child_id.in_(child_ids), Administration.voided_at.is_(None))
        .where(_unless_protected(False))
        .options(joinedload(ScreenResult.administration))
        .order_by(Administration.administered_on.desc(), Administration.recorded_at.desc())
    ):
        found.setdefault(result.child_id, []).append(result)
    return found


def list_results(
    session: Session, *, actor: Actor, child_id: UUID, now: datetime, protected: bool = False
) -> Sequence[ScreenResult]:
    """A child's course for a page; needs the right to read this child's scores, and the reading is recorded."""
    check_may(actor, May.READ_SCORES)
    child = session.scalars(children_visible_to(actor).where(Child.id == child_id)).one_or_none()
    if child is None:
        raise NotFound
    check_may_about(actor, May.READ_SCORES, child.organisation_id)
    rows = session.scalars(
        select(ScreenResult)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(ScreenResult.child_id == child.id, Administration.voided_at.is_(None))
        .where(_unless_protected(protected))
        .options(joinedload(ScreenResult.administration))
        .order_by(Administration.administered_on.desc(), Administration.recorded_at.desc())
    ).all()
    if rows:
        audit.record(session, actor=actor, event=AuditEvent.RESULT_READ, at=now, child_id=child_id)
    return rows


def result_of(session: Session, *, entry: RosterEntry, administration_id: UUID) -> ScreenResult:
    """The result of one sheet of a line on the roll that was found through a scope."""
    result = session.scalars(
        select(ScreenResult)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(Administration.id == administration_id, Administration.roster_entry_id == entry.id)
        .options(joinedload(ScreenResult.administration))
    ).one_or_none()
    if result is None:
        raise NotFound
    return result


def newest_results(results: Sequence[ScreenResult]) -> list[ScreenResult]:
    """The newest of each instrument and informant, of a list with the newest first."""
    newest: dict[tuple[str, str], ScreenResult] = {}
    for result in results:
        newest.setdefault((result.administration.instrument, result.administration.informant), result)
    return list(newest.values())


def answers_of(session: Session, administration: Administration) -> AnswerSheet:
    """The answers as they were given."""
    keyring: Keyring = session.info["keyring"]
    data = keyring.open(administration.answers_place, administration.answers_sealed)
    return AnswerSheet.unpack(catalogue().get(administration.instrument), data, administration.layout)


def graded_sheets(session: Session, *, child_ids: Sequence[UUID]) -> Sequence[Administration]:
    """The stored sheets of these children that hold a critical answer. For decisions, not for pages."""
    return session.scalars(
        select(Administration)
        .join(ScreenResult, ScreenResult.administration_id == Administration.id)
        .where(
            Administration.child_id.in_(child_ids),
            Administration.voided_at.is_(None),
            Administration.protected.is_(False),
            ScreenResult.grade.is_not(None),
        )
    ).all()


def critical_answers_of(session: Session, administration: Administration) -> tuple[CriticalAnswer, ...]:
    """The critical answers of a stored sheet."""
    instrument = in_layout(catalogue().get(administration.instrument), administration.layout)
    if not critical_items(instrument):
        return ()
    return read_critical(instrument, answers_of(session, administration).as_mapping(instrument))
