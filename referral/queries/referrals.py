"""Referrals for the two sides: the school through the case, the facility through its grant."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, and_, false, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from referral.models.case import Case
from referral.models.referral import Referral, ReferralNote
from referral.queries.cases import cases_visible_to
from referral.terms import ReferralStatus
from screening.access import May, Part, check_may, places, visible_child_ids
from screening.core import audit, documents
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.errors import NotFound, Unavailable
from screening.models.child import Child

NOT_LEFT = frozenset(
    {
        ReferralStatus.DRAFT,
        ReferralStatus.AWAITING_GUARDIAN,
        ReferralStatus.READY,
        ReferralStatus.GUARDIAN_REFUSED,
    }
)


def referrals_visible_to(actor: Actor) -> Select[Referral]:
    """The school's through its cases; a facility's own, sent ones, while its grant lives (AZ7)."""
    if actor.is_system:
        return select(Referral)
    if not places(actor, May.READ_REFERRALS):
        return select(Referral).where(false())
    facilities = places(actor, May.READ_REFERRALS)  # a school is the facility of no referral
    own = Referral.case_id.in_(cases_visible_to(actor).with_only_columns(Case.id))
    sent_here = and_(
        Referral.facility_id.in_(facilities),
        Referral.status.not_in(NOT_LEFT),
        Referral.child_id.in_(visible_child_ids(actor, Part.NOTE)),
    )
    return select(Referral).where(or_(own, sent_here) if facilities else own)


_PARTS = (
    joinedload(Referral.facility),
    selectinload(Referral.history),
    selectinload(Referral.notes),
    selectinload(Referral.return_notes),
    selectinload(Referral.replies),
)


def get_referral(session: Session, *, actor: Actor, referral_id: UUID, now: datetime) -> Referral:
    """The referral, or :class:`NotFound`; the reading is recorded."""
    check_may(actor, May.READ_REFERRALS)
    referral = session.scalars(
        referrals_visible_to(actor).where(Referral.id == referral_id).options(*_PARTS)
    ).one_or_none()
    if referral is None:
        raise NotFound
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.REFERRAL_READ,
        at=now,
        child_id=referral.child_id,
        subject_id=referral.id,
    )
    return referral


def list_referrals(
    session: Session,
    *,
    actor: Actor,
    now: datetime,
    open_only: bool = True,
    limit: int = 100,
) -> Sequence[Referral]:
    """By time left to answer; what waits for no answer comes last, the newest first."""
    check_may(actor, May.READ_REFERRALS)
    statement = referrals_visible_to(actor).options(*_PARTS)
    if open_only:
        statement = statement.where(Referral.ended_at.is_(None))
    rows = session.scalars(
        statement.order_by(
            Referral.answer_due_at.asc().nulls_last(), Referral.drafted_at.desc(), Referral.id
        ).limit(min(limit, 200))
    ).all()
    audit.record_list(
        session,
        actor=actor,
        event=AuditEvent.REFERRAL_LIST,
        at=now,
        children=[row.child_id for row in rows],
        detail={},
    )
    return rows


def case_of(session: Session, *, referral: Referral) -> Case:
    """The case behind a referral that was found through a scope; a facility's answer runs on it."""
    return session.get_one(Case, referral.case_id)


def child_of(session: Session, *, case: Case) -> Child:
    """The child of a case that was found through a scope."""
    return session.get_one(Child, case.child_id)


def read_note(
    session: Session, *, actor: Actor, referral: Referral, now: datetime
) -> tuple[ReferralNote, bytes]:
    """The current PDF of a referral that was found through a scope. Raises :class:`Unavailable` while it is made."""
    note = next((n for n in reversed(referral.notes) if n.number == referral.note_version), None)
    if note is None:
        raise Unavailable("The note is being made. Please try again in a few seconds.")
    data = documents.read(session, note.document_id)
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.NOTE_READ,
        at=now,
        child_id=referral.child_id,
        subject_id=referral.id,
        detail={"version": note.number},
    )
    return note, data
