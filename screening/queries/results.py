"""Screen results of a child, and the answers behind them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from statistics import stdev
from uuid import UUID

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session, joinedload

from instruments import AnswerSheet, CriticalAnswer, catalogue, critical_items, in_layout, read_critical
from instruments.change import SMALLEST_SAMPLE, Spread
from screening.access import May, check_may, check_may_about, children_visible_to, visible_child_ids
from screening.core import audit
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound
from screening.core.sealing import Keyring
from screening.models.administration import Administration
from screening.models.campaign import RosterEntry
from screening.models.child import Child
from screening.models.result import ResultStatus, ScreenResult


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


# Sheets that are looked at to know how a score spreads; more would not say more.
MOST_FOR_SPREAD = 2_000


def spread_of(session: Session, *, actor: Actor, administration: Administration, score: str) -> Spread | None:
    """How a score spreads among the children in sight, the newest sheet of each; None with too few.

    Only sheets of the same questionnaire, order and informant count; what is returned is one number about all of them.
    """
    rows = session.execute(
        select(ScreenResult.child_id, ScreenResult.scores)
        .join(Administration, Administration.id == ScreenResult.administration_id)
        .where(
            Administration.instrument == administration.instrument,
            Administration.informant == administration.informant,
            Administration.layout == administration.layout,
            Administration.voided_at.is_(None),
            Administration.protected.is_(False),
            ScreenResult.status == ResultStatus.SCORED,
            ScreenResult.child_id.in_(visible_child_ids(actor)),
        )
        .order_by(ScreenResult.computed_at.desc())
        .limit(MOST_FOR_SPREAD)
    )
    newest: dict[UUID, float] = {}
    for child_id, scores in rows:
        value = scores.get(score, {}).get("value")
        if isinstance(value, int | float):
            newest.setdefault(child_id, float(value))
    if len(newest) < SMALLEST_SAMPLE:
        return None
    return Spread(sd=stdev(newest.values()), n=len(newest), source="")


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


def export_sheet(
    session: Session, *, actor: Actor, administration_id: UUID, now: datetime
) -> tuple[Administration, str]:
    """A sheet that is about to leave in another form, and the number of the child's file. The reading is recorded.

    Talks of a protected case are never exported.
    """
    check_may(actor, May.READ_SCORES)
    row = session.execute(
        select(Administration, Child.file_no, Child.organisation_id)
        .join(Child, Child.id == Administration.child_id)
        .where(
            Administration.id == administration_id,
            Administration.voided_at.is_(None),
            Administration.protected.is_(False),
            Administration.child_id.in_(visible_child_ids(actor)),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    sheet, file_no, organisation_id = row
    check_may_about(actor, May.READ_SCORES, organisation_id)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.SHEET_EXPORT,
        at=now,
        child_id=sheet.child_id,
        subject_id=sheet.id,
        detail={"instrument": sheet.instrument},
    )
    return sheet, file_no


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
