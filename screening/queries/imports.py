"""Import batches and their rows."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from screening.access import batches_visible_to
from screening.core.actor import Actor
from screening.core.errors import NotFound
from screening.models.import_batch import CriticalSighting, ImportBatch, ImportRow, RowVerdict


def get_batch(session: Session, *, actor: Actor, batch_id: UUID) -> ImportBatch:
    """The batch, or :class:`NotFound`."""
    batch = session.scalars(batches_visible_to(actor).where(ImportBatch.id == batch_id)).one_or_none()
    if batch is None:
        raise NotFound
    return batch


def list_batches(session: Session, *, actor: Actor, limit: int = 30) -> Sequence[ImportBatch]:
    """What was uploaded in the actor's places, the newest first."""
    return session.scalars(
        batches_visible_to(actor).order_by(ImportBatch.uploaded_at.desc(), ImportBatch.id).limit(limit)
    ).all()


def find_batch(session: Session, *, campaign_id: UUID, sha256: bytes) -> ImportBatch | None:
    """The batch with this very content, if it was uploaded to this campaign before."""
    return session.scalars(
        select(ImportBatch).where(ImportBatch.campaign_id == campaign_id, ImportBatch.sha256 == sha256)
    ).one_or_none()


def rows_to_write(session: Session, *, batch_id: UUID, limit: int) -> Sequence[ImportRow]:
    """The next good rows that are not written: children first, then sheets, each in the order of the file."""
    roster_first = ImportRow.sheet != ROSTER
    return session.scalars(
        select(ImportRow)
        .where(
            ImportRow.batch_id == batch_id, ImportRow.verdict == RowVerdict.GOOD, ImportRow.done_at.is_(None)
        )
        .order_by(roster_first, ImportRow.sheet, ImportRow.excel_row)
        .limit(limit)
    ).all()


ROSTER = "roster"


def refused_sheet_rows(session: Session, *, batch_id: UUID) -> Sequence[ImportRow]:
    """Answer rows that were refused and hold something: their critical answers may still have to ring."""
    return session.scalars(
        select(ImportRow).where(
            ImportRow.batch_id == batch_id,
            ImportRow.verdict == RowVerdict.REFUSED,
            ImportRow.sheet != ROSTER,
            ImportRow.content_sealed.is_not(None),
        )
    ).all()


def count_rows(session: Session, *, batch_id: UUID, sheet: str | None = None) -> dict[RowVerdict, int]:
    """Rows by verdict."""
    statement = (
        select(ImportRow.verdict, func.count())
        .where(ImportRow.batch_id == batch_id)
        .group_by(ImportRow.verdict)
    )
    if sheet is not None:
        statement = statement.where(ImportRow.sheet == sheet)
    return dict(session.execute(statement).all())


def sightings_of(session: Session, *, batch_id: UUID) -> Sequence[CriticalSighting]:
    """Critical answers that this batch was the first to show."""
    return session.scalars(select(CriticalSighting).where(CriticalSighting.batch_id == batch_id)).all()


def children_of_batch(session: Session, *, batch_id: UUID) -> set[UUID]:
    """The children whose rows of a batch have been written."""
    rows = session.scalars(
        select(ImportRow.child_id).where(ImportRow.batch_id == batch_id, ImportRow.child_id.is_not(None))
    )
    return {child_id for child_id in rows if child_id is not None}
