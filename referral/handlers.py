"""One handler per outbox topic. Each comes to the same end however often it runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from referral import intake
from referral.actions import notices, referrals, tasks
from referral.disclosure import NoteContent
from referral.models.case import Case
from referral.models.notice import Delivery, Notice
from referral.models.referral import Referral, ReferralNote
from referral.models.task import Task
from referral.notes.render import to_pdf
from referral.terms import TaskKind
from screening.core import audit, documents
from screening.core.actor import Actor
from screening.core.audit import AuditEvent
from screening.core.clock import local_day
from screening.core.faults import fault
from screening.core.paper import Rendered
from screening.core.work import Handler, Job, Payload, Tools

PDF = "application/pdf"
PIECE = 200


# --- the PDF note ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _NoteOrder:
    content: NoteContent


def _prepare_note(session: Session, payload: Payload) -> _NoteOrder | None:
    """What stands on this version of the note; nothing when a newer one has been ordered or it is there."""
    referral = session.get(Referral, UUID(payload["referral"]))
    if referral is None or referral.note_version != payload["version"] or _has_note(referral):
        return None
    if referral.frozen:
        return _NoteOrder(NoteContent.from_dict(json.loads(referral.frozen)))
    case = session.get_one(Case, referral.case_id)
    return _NoteOrder(referrals.compose(session, referral=referral, case=case, now=referral.drafted_at))


def _has_note(referral: Referral) -> bool:
    return any(note.number == referral.note_version for note in referral.notes)


def _perform_note(order: _NoteOrder, tools: Tools) -> Rendered:
    return to_pdf(tools.printer, order.content, base_url=tools.base_url)


def _store_note(session: Session, payload: Payload, paper: Rendered, tools: Tools) -> None:
    referral = session.get_one(Referral, UUID(payload["referral"]))
    if referral.note_version != payload["version"] or _has_note(referral):
        return
    now = tools.clock.now()
    document = documents.store(session, data=paper.pdf, media_type=PDF, now=now)
    fault("note-document-stored")
    referral.notes.append(
        ReferralNote(number=referral.note_version, document_id=document.id, made_at=now, pages=paper.pages)
    )
    actor = Actor.system()
    audit.record(
        session,
        actor=actor,
        event=AuditEvent.NOTE_MADE,
        at=now,
        child_id=referral.child_id,
        subject_id=referral.id,
        detail={"version": referral.note_version},
    )
    tasks.settle(
        session,
        actor=actor,
        kind=TaskKind.NOTE_OVERDUE,
        subject_id=referral.id,
        decision="made",
        now=now,
    )
    if paper.missing_glyphs:
        _ask_pen(session, actor, referral, now)


def _ask_pen(session: Session, actor: Actor, referral: Referral, now: datetime) -> None:
    """A character that the font lacks was printed as a box: somebody writes it in (decision 41)."""
    case = session.get_one(Case, referral.case_id)
    tasks.require(
        session,
        actor=actor,
        kind=TaskKind.GLYPH_MISSING,
        subject_id=referral.id,
        organisation_id=case.organisation_id,
        owner_id=case.owner_id,
        backup_id=case.backup_id,
        due_at=referrals.end_of_next_working_day(local_day(now)),
        now=now,
        child_id=case.child_id,
        case_id=case.id,
    )


# --- notices -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Ring:
    delivery_id: UUID
    number: str
    urgent: bool
    at: datetime


def _prepare_ring(session: Session, payload: Payload) -> _Ring | None:
    """The row of the outside channel; nothing when the task is done or the notice has been delivered."""
    notice = session.get(Notice, UUID(payload["notice"]))
    if notice is None:
        return None
    task = session.get(Task, notice.task_id) if notice.task_id else None
    if task is not None and task.done_at is not None:
        return None
    outside = notices.outside(session, notice, now=notice.created_at)
    if outside.delivery is Delivery.DELIVERED:
        return None
    outside.attempts += 1
    return _Ring(outside.id, outside.number, outside.urgent, outside.created_at)


def _perform_ring(ring: _Ring, tools: Tools) -> bool:
    if tools.gateway is None:
        return False
    tools.gateway(delivery_id=ring.delivery_id, number=ring.number, urgent=ring.urgent, at=ring.at)
    return True


def _store_ring(session: Session, payload: Payload, sent: bool, tools: Tools) -> None:
    notice = session.get_one(Notice, UUID(payload["notice"]))
    outside = notices.outside(session, notice, now=notice.created_at)
    now = tools.clock.now()
    # Without a gateway only the open page rings; that is on record, and the operator sees the missing channel.
    outside.delivery = Delivery.DELIVERED if sent else Delivery.FAILED
    outside.delivered_at = now if sent else None
    if sent:
        audit.record(
            session, actor=Actor.system(), event=AuditEvent.NOTICE_DELIVERED, at=now, subject_id=outside.id
        )


# --- writing a workbook ------------------------------------------------------------------------------------


def _write_piece(session: Session, payload: Payload, tools: Tools) -> None:
    intake.write_piece(session, batch_id=UUID(payload["batch"]), size=PIECE, now=tools.clock.now())


HANDLERS: dict[str, Handler] = {
    referrals.NOTE_TOPIC: Job(_prepare_note, _perform_note, _store_note),
    notices.TOPIC: Job(_prepare_ring, _perform_ring, _store_ring),
    intake.WRITE_TOPIC: _write_piece,
}
